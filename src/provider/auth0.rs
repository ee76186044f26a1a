//! Auth0, with Private Key JWT, which is part of its Enterprise plan.
//!
//! - Exchange: <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>
//! - Keys: <https://auth0.com/docs/get-started/applications/configure-private-key-jwt>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, Provider, base_url};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for Auth0.
    ///
    /// `domain` is the tenant's domain, or its custom domain, such as `example.eu.auth0.com`. `api_identifier` names
    /// the API that the token is for, in the parameter `audience`. The claim `aud` is the domain as a URL with a
    /// trailing slash.
    ///
    /// The key signs with the algorithm that is registered with the credential: RS256, RS384 or PS256. The key's
    /// thumbprint (RFC 7638) is its `kid`, which may be left out. An assertion lives at most five minutes, and has at
    /// most 2,048 bytes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the domain may not carry an assertion.
    pub fn auth0(
        domain: impl AsRef<str>,
        client_id: impl Into<String>,
        api_identifier: impl Into<String>,
    ) -> Result<Self, Error> {
        let base = base_url(domain.as_ref());
        let endpoint = Endpoint::at_path("domain", &base, "/oauth/token")?;
        let profile = Self {
            algorithms: Cow::Borrowed(&[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Ps256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::Fixed(format!("{base}/")))
        };
        Ok(profile.with_parameter("audience", api_identifier.into()))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "auth0",
    about: "Auth0, with Private Key JWT.",
    documents: &[
        "https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt",
    ],
    inputs: &[
        Input::required(
            "domain",
            "HOST",
            "The tenant's domain, or its custom domain, such as example.eu.auth0.com.",
        ),
        Input::required("client-id", "ID", "The client ID of the application."),
        Input::required(
            "api-identifier",
            "URL",
            "The identifier of the API that the token is for: the parameter audience.",
        ),
    ],
    construct: |inputs| {
        let (domain, api) = (inputs.text("domain"), inputs.text("api-identifier"));
        Profile::auth0(domain, inputs.text("client-id"), api)
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(300),
    assertion_length: 2048,
    rsa_bits: 4096,
    check: |profile| match &profile.audience {
        _ if profile.jti == Jti::Omit => {
            Err("Auth0 wants a new jti in every assertion: set jti to uuid")
        }
        Audience::Fixed(aud) if aud.ends_with('/') => Ok(()),
        Audience::Issuer => Ok(()),
        _ => Err(
            "Auth0 wants its domain with a slash at the end as audience: set it to https://DOMAIN/; the parameter audience names the API",
        ),
    },
    ..Limits::NONE
};

/// From the server's document. Not verified against a list of errors, because Auth0 publishes none for these.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check that the domain is the tenant's own, that the application has this key with this algorithm, and this machine's clock"),
    Hint::code("access_denied")
        .and_words("service not found")
        .advice("check the API's identifier: this tenant has no such API"),
    Hint::code("access_denied")
        .advice("authorize the application for the API, on the API's tab Machine to Machine Applications"),
    Hint::code("unauthorized_client")
        .advice("allow the application the grant type Client Credentials"),
    Hint::code("invalid_request")
        .advice("check the API's identifier, and that the application uses Private Key JWT"),
    Hint::code("invalid_scope")
        .advice("authorize the application for these scopes of the API"),
    Hint::code("too_many_requests").advice(RATE_LIMITED),
];
