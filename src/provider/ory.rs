//! Ory Hydra and Ory Network: profiles for both uses of an assertion.
//!
//! - Client authentication: <https://www.ory.com/docs/hydra/guides/jwt>
//! - Grant: <https://www.ory.com/docs/hydra/guides/oauth2-grant-type-jwt-bearer>
//! - Errors: <https://github.com/ory/fosite/blob/master/client_authentication.go>
//! - Debugging: <https://www.ory.com/docs/hydra/debug>

use std::borrow::Cow;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::response::{ErrorKindRule, ResponseMap};
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for a client of Ory Hydra or Ory Network that authenticates with `private_key_jwt`.
    ///
    /// `url` is the public one, such as `https://slug.projects.oryapis.com`; the audience is the token endpoint below
    /// it. The server picks the key by `kid` from the client's JWKS, and accepts the algorithm that the client is
    /// registered with, RS256 by default.
    ///
    /// The server answers 500 to an expired assertion. That counts as a refusal here, and is not retried.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the URL may not carry an assertion.
    pub fn ory(url: impl AsRef<str>, client_id: impl Into<String>) -> Result<Self, Error> {
        let endpoint = Endpoint::at_path("URL", url.as_ref(), PATH)?;
        Ok(Self::client_credentials(endpoint, client_id, Audience::TokenEndpoint).of_ory())
    }

    /// Returns a profile for the JWT bearer grant of Ory Hydra or Ory Network.
    ///
    /// `issuer` and `subject` are those of a trust relationship that is registered with the server. The client itself
    /// also authenticates, by [`with_basic_auth`](Self::with_basic_auth), unless the server does not require it.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the URL may not carry an assertion.
    pub fn ory_jwt_bearer(
        url: impl AsRef<str>,
        issuer: impl Into<String>,
        subject: impl Into<String>,
    ) -> Result<Self, Error> {
        let endpoint = Endpoint::at_path("URL", url.as_ref(), PATH)?;
        let profile = Self::jwt_bearer(endpoint, issuer, Audience::TokenEndpoint);
        Ok(profile.with_subject(subject).of_ory())
    }

    fn of_ory(self) -> Self {
        Self {
            algorithms: Cow::Borrowed(ALGORITHMS),
            limits: &LIMITS,
            response: ResponseMap {
                error_kind_rules: Cow::Borrowed(ERROR_KIND_RULES),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..self
        }
    }
}

const PATH: &str = "/oauth2/token";

const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
];

const URL: Input = Input::required(
    "url",
    "URL",
    "The public URL, such as https://slug.projects.oryapis.com.",
);

pub(super) const PROVIDER: Provider = Provider {
    name: "ory",
    about: "Ory Hydra or Ory Network, with the assertion as client authentication.",
    documents: &["https://www.ory.com/docs/hydra/guides/jwt"],
    inputs: &[URL, Input::required("client-id", "ID", "The client ID.")],
    construct: |inputs| Profile::ory(inputs.text("url"), inputs.text("client-id")),
    ..Provider::NEW
};

pub(super) const JWT_BEARER: Provider = Provider {
    name: "ory-jwt-bearer",
    about: "Ory Hydra or Ory Network, with the assertion as the grant.",
    documents: &["https://www.ory.com/docs/hydra/guides/oauth2-grant-type-jwt-bearer"],
    inputs: &[
        URL,
        Input::required(
            "issuer",
            "ISS",
            "The issuer of the registered trust relationship.",
        ),
        Input::required(
            "subject",
            "SUB",
            "The subject of the registered trust relationship.",
        ),
    ],
    construct: |inputs| {
        let (issuer, subject) = (inputs.text("issuer"), inputs.text("subject"));
        Profile::ory_jwt_bearer(inputs.text("url"), issuer, subject)
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    needs_key_id: true,
    check: |profile| match profile.jti {
        Jti::Omit => Err("Ory wants the claim jti in every assertion: set it to uuid"),
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// The server answers these with status 500.
const ERROR_KIND_RULES: &[ErrorKindRule] = &[
    ErrorKindRule::denied("error", "token is expired"),
    ErrorKindRule::denied("error", "token used before issued"),
    ErrorKindRule::denied("error", "token is not valid yet"),
];

/// From the server's source and its document of errors.
const HINTS: &[Hint] = &[
    Hint::code("error")
        .and_words("token is expired")
        .advice("check this machine's clock"),
    Hint::code("error")
        .and_words("token used before issued")
        .advice("check this machine's clock"),
    Hint::code("error")
        .and_words("token is not valid yet")
        .advice("check this machine's clock"),
    Hint::code("jti_known")
        .advice("the server got this assertion twice: look for what repeats requests on the way"),
    Hint::words("must match the authorization server")
        .advice("set urls.self.issuer of the server to its public URL, or that URL as audience"),
    Hint::words("signing key with kid")
        .advice("add the public key to the client's JWKS under this kid"),
    Hint::words("signing algorithm")
        .advice("choose the algorithm that the client is registered with: token_endpoint_auth_signing_alg"),
    Hint::code("invalid_client")
        .advice("check client ID, audience and this machine's clock, and that the client's method is private_key_jwt"),
    Hint::code("invalid_grant")
        .advice("check that issuer, subject, key and scopes are those of a registered trust relationship, and this machine's clock"),
    Hint::code("invalid_scope")
        .advice("ask for scopes that the client is registered with"),
    Hint::code("unauthorized_client")
        .advice("register the client with this grant type"),
    Hint::code("unsupported_grant_type")
        .advice("register the client with this grant type"),
    Hint::code("invalid_request")
        .advice("check kid, and that the assertion has jti, iat and exp"),
];
