//! ServiceNow: inbound OAuth with a JWT, for a user of an instance.
//!
//! - Set-up, claims: <https://www.servicenow.com/docs/r/zurich/platform-security/authentication/configure-an-oauth-jwt-bearer-grant.html>
//! - Before the Machine Identity Console: <https://docs.servicenow.com/bundle/tokyo-platform-security/page/administer/security/task/create-jwt-endpoint.html>

use std::borrow::Cow;

use super::definition::{Input, InputValue, KeyKind, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::response::{ErrorKindRule, ResponseMap};
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for a user of a ServiceNow instance.
    ///
    /// `instance_url` is `https://INSTANCE.service-now.com`. `subject` is the value of the user field that the
    /// application registry names, which is the e-mail address by default. The key id is the one in the JWT verifier
    /// map.
    ///
    /// `aud` is the client id, as the form in ServiceNow says. Another page of its documents has the token endpoint,
    /// which [`with_audience`](Self::with_audience) sets. The client secret is
    /// [`with_parameter("client_secret", ...)`](Self::with_parameter); a public client has none. Path, secret and
    /// errors are from existing clients, not verified against the server's document.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the instance's URL may not carry an assertion.
    pub fn servicenow(
        instance_url: impl AsRef<str>,
        client_id: impl Into<String>,
        subject: impl Into<String>,
    ) -> Result<Self, Error> {
        let endpoint = Endpoint::at_path("instance URL", instance_url.as_ref(), "/oauth_token.do")?;
        let client_id = client_id.into();
        let audience = Audience::Fixed(client_id.clone());
        let profile = Self {
            subject: Some(subject.into()),
            algorithms: Cow::Borrowed(ALGORITHMS),
            limits: &LIMITS,
            response: ResponseMap {
                error_kind_rules: Cow::Borrowed(ERROR_KIND_RULES),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, client_id.clone(), audience)
        };
        Ok(profile.with_parameter("client_id", client_id))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "servicenow",
    about: "ServiceNow: inbound OAuth with a JWT.",
    documents: &[
        "https://www.servicenow.com/docs/r/zurich/platform-security/authentication/configure-an-oauth-jwt-bearer-grant.html",
    ],
    key: KeyKind::Any,
    inputs: &[
        Input::required(
            "instance-url",
            "URL",
            "The instance: https://INSTANCE.service-now.com",
        ),
        Input::required("client-id", "ID", "The client ID of the application."),
        Input::required(
            "subject",
            "USER",
            "The user: the value of the application's user field, by default the e-mail address.",
        ),
        Input::optional(
            "client-secret",
            InputValue::Secret("SECRET"),
            "The client secret. A public client has none.",
        ),
    ],
    construct: |inputs| {
        let (id, subject) = (inputs.text("client-id"), inputs.text("subject"));
        let profile = Profile::servicenow(inputs.text("instance-url"), id, subject)?;
        let secret = inputs.get("client-secret").into_iter();
        Ok(secret.fold(profile, |profile, secret| {
            profile.with_parameter("client_secret", secret)
        }))
    },
    ..Provider::NEW
};

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

const LIMITS: Limits = Limits {
    needs_key_id: true,
    check: |profile| match profile.subject {
        Some(_) => Ok(()),
        None => Err("ServiceNow wants a user: set the subject"),
    },
    ..Limits::NONE
};

/// A refusal has the code that RFC 6749 defines for a fault of the server.
const ERROR_KIND_RULES: &[ErrorKindRule] =
    &[ErrorKindRule::denied("server_error", "access_denied")];

/// From users' reports: the answer is the same for every cause.
const HINTS: &[Hint] = &[
    Hint::code("server_error")
        .and_words("access_denied")
        .advice("check that the key id is in the JWT verifier map, that the subject is in the user field, the audience, and this machine's clock; the system log says more under JWT"),
    Hint::code("access_denied")
        .advice("check that the key id is in the JWT verifier map, that the subject is in the user field, the audience, and this machine's clock; the system log says more under JWT"),
    Hint::code("invalid_client")
        .advice("check the client id and the client secret: only a public client goes without one"),
    Hint::code("invalid_grant")
        .advice("check that the key id is in the JWT verifier map, the subject and this machine's clock"),
    Hint::code("invalid_request")
        .advice("check the client id, the client secret and the subject"),
    Hint::code("unauthorized_client")
        .advice("allow the application the JWT bearer grant in the application registry"),
    Hint::code("unsupported_grant_type")
        .advice("make the application as an OAuth JWT API endpoint for external clients"),
    Hint::code("server_error")
        .advice("the instance could not answer; its system log says more under OAuth and JWT"),
];
