//! PingOne Advanced Identity Cloud (ForgeRock), service account: profile.
//!
//! - Token: <https://developer.pingidentity.com/pingoneaic-api/authenticate-to-rest-api-with-access-token.html>
//! - Errors: <https://github.com/rockcarver/frodo-lib/blob/main/src/ops/AuthenticateOps.ts>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, Provider};
use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile, text_parameter};
use crate::signer::Algorithm;

const PATH: &str = "/am/oauth2/access_token";

impl Profile {
    /// Returns a profile for a service account of PingOne Advanced Identity Cloud, formerly ForgeRock.
    ///
    /// `tenant_url` looks like `https://openam-acme.forgeblocks.com`. The key is the JWK that the administration
    /// console lets users download: [`Key::read`](crate::Key::read) reads it. `aud` is the token endpoint with its port
    /// written out, `:443`, which the request's URL leaves out.
    ///
    /// [`with_scope`](Self::with_scope) sets scopes such as `fr:am:* fr:idm:*`, which the account must have.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the tenant URL may not carry an assertion.
    pub fn forgerock(
        tenant_url: impl AsRef<str>,
        service_account_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let tenant_url = tenant_url.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("tenant URL", tenant_url, PATH)?;
        let audience = Audience::Fixed(with_port(&format!("{tenant_url}{PATH}")));
        let id = service_account_id.into();
        let mut profile = Self {
            subject: Some(id.clone()),
            assertion_lifetime: Some(Duration::from_secs(180)),
            iat_leeway: None, // not in the documented set
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, id, audience)
        };
        let client_id = text_parameter("client_id", "service-account");
        profile.parameters.push(client_id);
        Ok(profile)
    }
}

/// Adds the https port to the URL, unless it has a port.
fn with_port(url: &str) -> String {
    let parts = url
        .strip_prefix("https://")
        .and_then(|url| url.split_once('/'));
    match parts {
        Some((host, path)) if !host.contains(':') => format!("https://{host}:443/{path}"),
        _ => url.to_owned(),
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "forgerock",
    about: "PingOne Advanced Identity Cloud (ForgeRock), service account.",
    documents: &[
        "https://developer.pingidentity.com/pingoneaic-api/authenticate-to-rest-api-with-access-token.html",
    ],
    inputs: &[
        Input::required(
            "tenant-url",
            "URL",
            "The tenant, such as https://openam-acme.forgeblocks.com.",
        ),
        Input::required("service-account-id", "ID", "The ID of the service account."),
    ],
    construct: |inputs| {
        Profile::forgerock(inputs.text("tenant-url"), inputs.text("service-account-id"))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| match (&profile.audience, profile.endpoint.kind()) {
        (Audience::TokenEndpoint, EndpointKind::Token { url, .. })
            if !url.authority().contains(':') =>
        {
            Err(
                "this server wants the port in the audience: https://HOST:443/am/oauth2/access_token",
            )
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// From the document, and from the source of the vendor's client.
const HINTS: &[Hint] = &[
    Hint::code("invalid_scope")
        .and_words("unsupported scope for service account")
        .advice("leave these scopes out, or give them to the service account"),
    Hint::code("invalid_scope")
        .advice("ask for scopes that the service account has, such as fr:idm:*"),
    Hint::code("invalid_grant")
        .advice("check that the audience has its port, :443, the ID and the key of the service account, and this machine's clock"),
    Hint::code("invalid_client")
        .advice("the parameter client_id is service-account, and is no client's own"),
    Hint::code("invalid_request")
        .advice("check the tenant URL, and that the parameter client_id is service-account"),
    Hint::code("unauthorized_client")
        .advice("check the tenant URL: service accounts are of the root realm"),
];
