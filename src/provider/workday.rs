//! Workday, API client with the JWT bearer grant: profile.
//!
//! The vendor's own documents need a login. These describe the same client:
//!
//! - Set-up: <https://help.qlik.com/talend/en-US/components/8.0/workday/settingup-workday-oauth-jwt-authentication.md>
//! - Host and tenant: <https://nango.dev/docs/api-integrations/workday-refresh-token/connect>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for an API client of Workday.
    ///
    /// `host_url` and `tenant` are parts of the token endpoint that the report View API Clients shows:
    /// `https://wd2-impl-services1.workday.com` and `acme` in
    /// `https://wd2-impl-services1.workday.com/ccx/oauth2/acme/token`. `username` names an integration system user.
    ///
    /// The profile is based on other clients' documents, and is not verified against the server's document. Some
    /// tenants name no token lifetime: then it is five minutes, or what
    /// [`with_token_lifetime`](Self::with_token_lifetime) sets.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the host URL may not carry an assertion.
    pub fn workday(
        host_url: impl AsRef<str>,
        tenant: impl AsRef<str>,
        client_id: impl Into<String>,
        username: impl Into<String>,
    ) -> Result<Self, Error> {
        let path = format!("/ccx/oauth2/{}/token", tenant.as_ref());
        let endpoint = Endpoint::at_path("host URL", host_url.as_ref(), &path)?;
        Ok(Self {
            subject: Some(username.into()),
            assertion_lifetime: Some(Duration::from_secs(300)),
            iat_leeway: None, // other clients send none
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, client_id, Audience::Fixed("wd".to_owned()))
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "workday",
    about: "Workday, API client with the JWT bearer grant.",
    documents: &[
        "https://help.qlik.com/talend/en-US/components/8.0/workday/settingup-workday-oauth-jwt-authentication.md",
    ],
    inputs: &[
        Input::required(
            "host-url",
            "URL",
            "The token endpoint up to /ccx, such as https://wd2-impl-services1.workday.com.",
        ),
        Input::required(
            "tenant",
            "NAME",
            "The tenant: the part of the token endpoint before /token.",
        ),
        Input::required("client-id", "ID", "The client ID of the API client."),
        Input::required("username", "NAME", "The integration system user."),
    ],
    construct: |inputs| {
        let (host, tenant) = (inputs.text("host-url"), inputs.text("tenant"));
        let (client, user) = (inputs.text("client-id"), inputs.text("username"));
        Profile::workday(host, tenant, client, user)
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| match &profile.audience {
        Audience::TokenEndpoint | Audience::Issuer => {
            Err("Workday wants wd as audience, which is the default")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// From users' reports; no public document describes the errors.
const HINTS: &[Hint] = &[
    Hint::code("invalid_grant")
        .advice("check that the API client has the x509 certificate of this very key, that the audience is wd, that the integration system user is active and not locked, and this machine's clock"),
    Hint::code("invalid_client")
        .advice("check the client ID, and that the API client is active and of the grant type JWT bearer"),
    Hint::code("unauthorized_client")
        .advice("register the API client with the grant type JWT bearer"),
    Hint::code("unsupported_grant_type")
        .advice("register the API client with the grant type JWT bearer"),
    Hint::code("invalid_scope")
        .advice("give the API client the functional areas that are asked for"),
    Hint::code("invalid_request")
        .advice("check host URL and tenant, which the report View API Clients shows"),
];
