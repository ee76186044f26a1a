//! Salesforce Platform, OAuth 2.0 JWT bearer flow: profile, and what a response has in addition to the token.
//!
//! - Flow: <https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm>
//! - Hosts: <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_endpoints.htm>
//! - Errors: <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm>
//! - `id`: <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm>
//! - Tokens that are JWTs: <https://help.salesforce.com/s/articleView?id=xcloud.jwt_access_tokens.htm>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::response::{ErrorKindRule, ResponseMap};
use crate::profile::{Audience, Profile};
use crate::signer::Algorithm;
use crate::token::AccessToken;

impl Profile {
    /// Returns a profile for the Salesforce Platform.
    ///
    /// `login_url` is `https://login.salesforce.com`, `https://test.salesforce.com`, a My Domain, a sandbox's My
    /// Domain, or an Experience Cloud site with its path.
    ///
    /// `aud` is `login_url` without a trailing slash. Some organisations want `https://login.salesforce.com` there even
    /// if the login URL is their My Domain: [`with_audience`](Self::with_audience) sets it.
    ///
    /// `exp` is 120 seconds after now. The document allows three minutes, but exactly 180 seconds fail if this
    /// machine's clock is a second fast. The response names no lifetime: if the token is a JWT, its own `exp` is read;
    /// otherwise its lifetime is 15 minutes, the shortest session that an organisation can set.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the login URL may not carry an assertion.
    pub fn salesforce(
        login_url: impl AsRef<str>,
        consumer_key: impl Into<String>,
        username: impl Into<String>,
    ) -> Result<Self, Error> {
        let login_url = login_url.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("login URL", login_url, "/services/oauth2/token")?;
        Ok(Self {
            subject: Some(username.into()),
            iat_leeway: None, // not in the documented set
            assertion_lifetime: Some(Duration::from_secs(120)),
            response: ResponseMap {
                reads_token_exp: true,
                default_lifetime: Duration::from_secs(15 * 60),
                error_kind_rules: Cow::Borrowed(ERROR_KIND_RULES),
                ..ResponseMap::default()
            }
            .into(),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            hints: HINTS,
            ..Self::jwt_bearer(
                endpoint,
                consumer_key,
                Audience::Fixed(login_url.to_owned()),
            )
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "salesforce",
    about: "Salesforce Platform (OAuth 2.0 JWT bearer flow).",
    documents: &["https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm"],
    inputs: &[
        Input::required(
            "client-id",
            "ID",
            "The consumer key of the connected or external client app.",
        ),
        Input::required("username", "NAME", "The user to log in as."),
        Input::with_default(
            "login-url",
            InputValue::Text("URL"),
            "The login URL: login.salesforce.com, test.salesforce.com, or a My Domain.",
            "https://login.salesforce.com",
        ),
        Input::optional(
            "site-path",
            InputValue::Text("PATH"),
            "The path of an Experience Cloud site.",
        ),
    ],
    construct: |inputs| {
        let login_url = inputs.text("login-url").trim_end_matches('/');
        let site = inputs.text("site-path").trim_matches('/');
        let login_url = match site {
            "" => login_url.to_owned(),
            site => format!("{login_url}/{site}"),
        };
        Profile::salesforce(login_url, inputs.text("client-id"), inputs.text("username"))
    },
    ..Provider::NEW
};

const ERROR_KIND_RULES: &[ErrorKindRule] = &[ErrorKindRule::unavailable(
    "unknown_error",
    "retry your request",
)];

/// Returns the address of the API that the token is for.
///
/// This is the member `instance_url`, or `api_instance_url` if the token is a JWT.
pub fn instance_url(token: &AccessToken) -> Option<&str> {
    token
        .get("instance_url")
        .or_else(|| token.get("api_instance_url"))
}

/// Returns the organisation's id of 15 or 18 characters, from the member `id`.
pub fn organization_id(token: &AccessToken) -> Option<&str> {
    organization_and_user(token).map(|(organization, _)| organization)
}

/// Returns the user's id of 15 or 18 characters, from the member `id`.
pub fn user_id(token: &AccessToken) -> Option<&str> {
    organization_and_user(token).map(|(_, user)| user)
}

/// Splits `https://login.salesforce.com/id/00D.../005...` into organisation and user.
///
/// The host varies, and may have a port.
fn organization_and_user(token: &AccessToken) -> Option<(&str, &str)> {
    let id = token.get("id").filter(|id| !id.contains(['?', '#']))?;
    let (_scheme, rest) = id.split_once("://")?;
    let (_host, path) = rest.split_once('/')?;
    let (front, user) = path.rsplit_once('/')?;
    let organization = front.rsplit('/').next()?;
    let is_id = |text: &str| {
        matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    [organization, user]
        .into_iter()
        .all(is_id)
        .then_some((organization, user))
}

/// Error codes and descriptions are from the document and from users' reports.
const HINTS: &[Hint] = &[
    (
        "invalid_grant",
        "audience",
        "set the audience the org expects: login.salesforce.com, test.salesforce.com or its My Domain",
    ),
    (
        "invalid_grant",
        "invalid assertion",
        "upload the certificate of this very key to the app, and check the consumer key",
    ),
    (
        "invalid_grant",
        "hasn't approved",
        "pre-authorise the user in the app, and check the audience; a new app takes ten minutes",
    ),
    (
        "invalid_grant",
        "authentication failure",
        "check the username, the login URL, and that the user may log in by API",
    ),
    (
        "invalid_grant",
        "ip restricted",
        "allow this machine's address and these login hours in the user's profile",
    ),
    (
        "invalid_grant",
        "login hours",
        "allow this machine's address and these login hours in the user's profile",
    ),
    (
        "invalid_grant",
        "login rate exceeded",
        "keep a token as long as it lives: a user has 3,600 logins an hour",
    ),
    ("invalid_grant", "expired", "check this machine's clock"),
    (
        "invalid_grant",
        "",
        "check username, audience, this machine's clock, and the certificate in the app",
    ),
    (
        "invalid_app_access",
        "",
        "give the user's profile or permission set access to the app",
    ),
    // an earlier document misspells the code
    (
        "invalid_app_acess",
        "",
        "give the user's profile or permission set access to the app",
    ),
    (
        "invalid_client_id",
        "",
        "check the consumer key, and that the login URL is of its org",
    ),
    (
        "invalid_client",
        "",
        "check the consumer key, and that the app allows this flow",
    ),
    (
        "invalid_client_credentials",
        "",
        "check the consumer key, and that the app allows this flow",
    ),
    (
        "invalid_request",
        "refresh_token scope",
        "add refresh_token to the app's scopes and pre-authorise the user; that takes ten minutes",
    ),
    (
        "app_not_found",
        "",
        "use the org's My Domain as login URL and as audience",
    ),
    ("inactive_user", "", "activate the user, or use another"),
    (
        "inactive_org",
        "",
        "the org is locked, closed or suspended: ask Salesforce",
    ),
    (
        "rate_limit_exceeded",
        "",
        "keep a token as long as it lives: a user has 3,600 logins an hour",
    ),
    (
        "redirect_uri_mismatch",
        "",
        "the app uses another flow: allow it the JWT bearer flow",
    ),
    (
        "unsupported_grant_type",
        "",
        "allow the app the JWT bearer flow, and check the login URL",
    ),
];
