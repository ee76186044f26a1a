//! NHS England's API platform, application-restricted interfaces with a signed JWT.
//!
//! - Assertion, request, errors: <https://digital.nhs.uk/developer/guides-and-documentation/security-and-authorisation/application-restricted-restful-apis-signed-jwt-authentication>
//! - The same, as tests: <https://github.com/NHSDigital/identity-service-api/blob/master/e2e/tests/oauth/test_client_credentials.py>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// Production.
pub const PRODUCTION: &str = "https://api.service.nhs.uk";
/// Integration test.
pub const INTEGRATION: &str = "https://int.api.service.nhs.uk";
/// Development.
pub const DEVELOPMENT: &str = "https://dev.api.service.nhs.uk";
/// Sandbox.
pub const SANDBOX: &str = "https://sandbox.api.service.nhs.uk";

impl Profile {
    /// Returns a profile for the application-restricted interfaces of NHS England.
    ///
    /// `base_url` is a constant of [`nhs`](crate::provider::nhs): each environment has its own application, key and
    /// audience. `api_key` is the application's key (client id).
    ///
    /// The key signs only RS512. The key id is the `kid` of the registered public key, such as `test-1`. `exp` is 60
    /// seconds ahead; the server accepts five minutes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the base URL may not carry an assertion.
    pub fn nhs(base_url: impl AsRef<str>, api_key: impl Into<String>) -> Result<Self, Error> {
        let endpoint = Endpoint::at_path("base URL", base_url.as_ref(), "/oauth2/token")?;
        let profile = Self::client_credentials(endpoint, api_key, Audience::TokenEndpoint);
        Ok(Self {
            algorithms: Cow::Borrowed(&[Algorithm::Rs512]),
            limits: &LIMITS,
            hints: HINTS,
            ..profile.without_parameter("client_id")
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "nhs",
    about: "NHS England's API platform: application-restricted interfaces.",
    documents: &[
        "https://digital.nhs.uk/developer/guides-and-documentation/security-and-authorisation/application-restricted-restful-apis-signed-jwt-authentication",
    ],
    inputs: &[
        Input::required("api-key", "KEY", "The API key of the application."),
        Input::with_default(
            "environment",
            InputValue::Choice(&[
                ("production", "api.service.nhs.uk"),
                ("integration", "int.api.service.nhs.uk"),
                ("development", "dev.api.service.nhs.uk"),
                ("sandbox", "sandbox.api.service.nhs.uk"),
            ]),
            "The environment.",
            "production",
        ),
    ],
    construct: |inputs| {
        let base_url = match inputs.text("environment") {
            "integration" => INTEGRATION,
            "development" => DEVELOPMENT,
            "sandbox" => SANDBOX,
            _ => PRODUCTION,
        };
        Profile::nhs(base_url, inputs.text("api-key"))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(300),
    needs_key_id: true,
    check: |profile| match profile.typ.as_deref() {
        Some("JWT") if profile.assertion_lifetime.is_none() || profile.jti == Jti::Omit => {
            Err("the NHS wants exp and jti: leave them as they are")
        }
        Some("JWT") => Ok(()),
        _ => Err("the NHS wants typ to be JWT: leave it as it is"),
    },
    ..Limits::NONE
};

/// The server names the cause in the description.
const HINTS: &[Hint] = &[
    Hint::words("'alg' header")
        .advice("the key has to sign RS512: an RSA key, with the algorithm RS512"),
    Hint::words("'kid' header")
        .advice("register the public key for this application in this environment, and set the key id to its kid, such as test-1"),
    Hint::words("'typ' header")
        .advice("leave typ as it is: JWT"),
    Hint::words("'exp' claim")
        .advice("check this machine's clock: exp lies five minutes ahead at most"),
    Hint::words("'jti' claim")
        .advice("the server got this assertion twice: look for what repeats requests on the way"),
    Hint::words("'aud' claim")
        .advice("the audience is the token endpoint of this environment: check the environment"),
    Hint::words("'iss'/'sub'")
        .advice("iss and sub are the API key of the application: check it, and that it is of this environment"),
    Hint::words("register a public key")
        .advice("upload the public key as a JWKS for this application, or host it and register its URL"),
    Hint::words("jwks endpoint")
        .advice("the registered URL of the JWKS does not answer: host it where the NHS can reach it, or upload it"),
    Hint::words("signature verification failed")
        .advice("the key id is of another key: sign with the private key of the registered public key"),
    Hint::words("malformed jwt")
        .advice("the server could not read the assertion: look for what changes requests on the way"),
    Hint::code("public_key error")
        .advice("check the public key that is registered for this application in this environment"),
    Hint::code("invalid_client")
        .advice("check the API key, and that it is of this environment"),
    Hint::code("invalid_request")
        .advice("check the environment, the API key and the key id"),
    Hint::code("unsupported_grant_type")
        .advice("take out what was added to the request"),
    Hint::code("401")
        .advice("check the API key, and that the application is approved for this interface"),
];
