//! Okta: the authorization server of an organization, and its custom ones.
//!
//! - Assertion: <https://developer.okta.com/docs/guides/build-self-signed-jwt/js/main/>
//! - Exchange: <https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/>
//! - Authorization servers: <https://developer.okta.com/docs/concepts/auth-servers/>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, KeyKind, Provider, base_url};
use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// The token endpoint of an organization's own authorization server.
const OF_ORGANIZATION: &str = "/oauth2/v1/token";

/// What a custom authorization server accepts.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
];

/// What the authorization server of an organization accepts: all except those with a shared secret.
const OF_ORGANIZATION_ALGORITHMS: &[Algorithm] = ALGORITHMS.split_at(6).0;

impl Profile {
    /// Returns a profile for Okta.
    ///
    /// `issuer` is `https://OKTA_DOMAIN` for the organization's own authorization server, which issues tokens for
    /// Okta's APIs, or the issuer of a custom one, such as `https://OKTA_DOMAIN/oauth2/default`.
    ///
    /// Set a scope, such as `okta.users.read`. If the app has many keys, the key needs the `kid` that Okta shows.
    ///
    /// Okta refuses an `iat` that is ahead of its clock, and the document makes the claim optional, so it is left out.
    /// `exp` is five minutes after now; at most an hour is allowed. An app that requires DPoP is not supported.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the issuer may not carry an assertion.
    pub fn okta(issuer: impl AsRef<str>, client_id: impl Into<String>) -> Result<Self, Error> {
        let issuer = base_url(issuer.as_ref());
        let after_scheme = issuer.split_once("://").map_or(&*issuer, |(_, rest)| rest);
        let path_of_issuer = after_scheme.split_once('/').map(|(_, path)| path);
        let path = match path_of_issuer.is_some_and(|path| path.starts_with("oauth2")) {
            true => "/v1/token",
            false => OF_ORGANIZATION,
        };
        let endpoint = Endpoint::at_path("issuer", &issuer, path)?;
        let algorithms = match is_of_organization(&endpoint) {
            true => OF_ORGANIZATION_ALGORITHMS,
            false => ALGORITHMS,
        };
        Ok(Self {
            assertion_lifetime: Some(Duration::from_secs(300)),
            iat_leeway: None,
            algorithms: Cow::Borrowed(algorithms),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::TokenEndpoint)
        })
    }
}

fn is_of_organization(endpoint: &Endpoint) -> bool {
    matches!(endpoint.kind(), EndpointKind::Token { url, .. } if url.as_str().ends_with(OF_ORGANIZATION))
}

pub(super) const PROVIDER: Provider = Provider {
    name: "okta",
    about: "Okta: the organization's authorization server, or a custom one.",
    documents: &[
        "https://developer.okta.com/docs/guides/build-self-signed-jwt/js/main/",
        "https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/",
    ],
    key: KeyKind::Any,
    inputs: &[
        Input::required(
            "okta-domain",
            "HOST",
            "The Okta domain, such as example.okta.com.",
        ),
        Input::required("client-id", "ID", "The client ID of the app."),
        Input::optional(
            "authorization-server",
            InputValue::Text("ID"),
            "The ID of a custom authorization server, such as default. Without it, the organization's own.",
        ),
    ],
    construct: |inputs| {
        let domain = inputs.text("okta-domain").trim_end_matches('/');
        let issuer = match inputs.get("authorization-server") {
            Some(id) => format!("{domain}/oauth2/{id}"),
            None => domain.to_owned(),
        };
        Profile::okta(issuer, inputs.text("client-id"))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(3600),
    check: |profile| match (&profile.scope, &profile.audience) {
        // A custom authorization server may have default scopes.
        (None, _) if is_of_organization(&profile.endpoint) => {
            Err("Okta wants a scope: set one that the app is granted, such as okta.users.read")
        }
        (_, Audience::Issuer) => Err(
            "Okta wants the URL of its token endpoint as audience, and not the issuer: set the audience to the token endpoint",
        ),
        _ => Ok(()),
    },
    ..Limits::NONE
};

const DPOP: &str = "this app requires DPoP (RFC 9449), which is not supported: switch off Proof of possession in the app's settings";

/// From the server's list of errors.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .and_words("audience claim")
        .advice("the audience is the URL that is called: use one domain for both, Okta's or the custom one"),
    Hint::code("invalid_client")
        .and_words("kid is invalid")
        .advice("set the key id that Okta shows for this key among the app's public keys"),
    Hint::code("invalid_client")
        .and_words("signature is invalid")
        .advice("sign with the private key of a public key that the app has"),
    Hint::code("invalid_client")
        .and_words("too far into the future")
        .advice("check this machine's clock; exp lies an hour ahead at most"),
    Hint::code("invalid_client")
        .and_words("is expired")
        .advice("check this machine's clock"),
    Hint::code("invalid_client")
        .and_words("issued before the current time")
        .advice("check this machine's clock, or leave iat out"),
    Hint::code("invalid_client")
        .and_words("already been used")
        .advice("the server got this assertion twice: look for what repeats requests on the way"),
    Hint::code("invalid_client")
        .and_words("private_key_jwt")
        .advice("set the app's client authentication to Public key / Private key, and sign with a private key"),
    Hint::code("invalid_client")
        .advice("check client id, domain and this machine's clock, and that the app has this public key"),
    Hint::code("consent_required")
        .advice("grant the app the scopes on its tab Okta API Scopes"),
    Hint::code("access_denied")
        .advice("let an access policy of the authorization server allow this app the scopes"),
    Hint::code("invalid_scope")
        .advice("ask for scopes of this authorization server: okta.* are the organization's own, all others a custom one's"),
    Hint::code("unauthorized_client")
        .advice("allow the app the grant type Client Credentials"),
    Hint::code("invalid_dpop_proof").advice(DPOP),
    Hint::code("use_dpop_nonce").advice(DPOP),
    Hint::code("429")
        .advice("keep a token as long as it lives: an app has a share of the organization's rate limit"),
];
