//! LINE WORKS (NAVER WORKS): a service account.
//!
//! - Assertion, request, response: <https://developers.worksmobile.com/en/docs/auth-jwt>
//! - Scopes: <https://developers.worksmobile.com/en/docs/auth-scope>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

const TOKEN_ENDPOINT: &str = "https://auth.worksmobile.com/oauth2/v2.0/token";

impl Profile {
    /// Returns a profile for a service account of LINE WORKS.
    ///
    /// Client id, client secret, service account and key are of one app in the Developer Console. `service_account` has
    /// its domain: `abcde.serviceaccount@example.com`. [`with_scope`](Self::with_scope) is required, such as `bot`.
    pub fn line_works(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        service_account: impl Into<String>,
    ) -> Self {
        let client_id = client_id.into();
        Self {
            subject: Some(service_account.into()),
            jti: Jti::Omit,
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::jwt_bearer(
                Endpoint::documented(TOKEN_ENDPOINT),
                client_id.clone(),
                Audience::Omit,
            )
        }
        .with_parameter("client_id", client_id)
        .with_parameter("client_secret", client_secret.into())
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "line-works",
    about: "LINE WORKS (NAVER WORKS): a service account.",
    documents: &["https://developers.worksmobile.com/en/docs/auth-jwt"],
    inputs: &[
        Input::required("client-id", "ID", "The client ID of the app."),
        Input::required_secret("client-secret", "The client secret of the app."),
        Input::required(
            "service-account",
            "ID",
            "The service account of the app, with its domain.",
        ),
        Input::required_list("scope", "SCOPE", "A scope such as bot; may be repeated."),
    ],
    construct: |inputs| {
        let (id, secret) = (inputs.text("client-id"), inputs.text("client-secret"));
        let profile = Profile::line_works(id, secret, inputs.text("service-account"));
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: Duration::from_secs(3600),
    check: |profile| match (&profile.scope, &profile.subject) {
        (None, _) => Err("LINE WORKS wants scopes: set the scope, such as bot"),
        (_, Some(account)) if !account.contains('@') => {
            Err("the service account lacks its domain: it is of the form NAME@DOMAIN")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// The meaning of each code is from users' reports, not verified against the document.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("client id, client secret and key have to be of one app: copy all three from the Developer Console"),
    Hint::code("invalid_grant")
        .advice("check this machine's clock, and that the service account is of this app and has its domain"),
    Hint::code("invalid_scope")
        .advice("give the app these scopes in the Developer Console"),
    Hint::code("invalid_request")
        .advice("check the service account with its domain, the scope and this machine's clock"),
    Hint::code("unauthorized_client")
        .advice("the app has to be active in the Developer Console, and to have a service account"),
    Hint::code("access_denied")
        .advice("the app has to be active in the Developer Console, and to have these scopes"),
];
