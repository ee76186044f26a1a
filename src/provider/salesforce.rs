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
    Hint::code("invalid_grant")
        .and_words("audience")
        .advice("set the audience the org expects: login.salesforce.com, test.salesforce.com or its My Domain"),
    Hint::code("invalid_grant")
        .and_words("invalid assertion")
        .advice("upload the certificate of this very key to the app, and check the consumer key"),
    Hint::code("invalid_grant")
        .and_words("hasn't approved")
        .advice("pre-authorise the user in the app, and check the audience; a new app takes ten minutes"),
    Hint::code("invalid_grant")
        .and_words("authentication failure")
        .advice("check the username, the login URL, and that the user may log in by API"),
    Hint::code("invalid_grant")
        .and_words("ip restricted")
        .advice("allow this machine's address and these login hours in the user's profile"),
    Hint::code("invalid_grant")
        .and_words("login hours")
        .advice("allow this machine's address and these login hours in the user's profile"),
    Hint::code("invalid_grant")
        .and_words("login rate exceeded")
        .advice("keep a token as long as it lives: a user has 3,600 logins an hour"),
    Hint::code("invalid_grant")
        .and_words("expired")
        .advice("check this machine's clock"),
    Hint::code("invalid_grant")
        .advice("check username, audience, this machine's clock, and the certificate in the app"),
    Hint::code("invalid_app_access")
        .advice("give the user's profile or permission set access to the app"),
    // an earlier document misspells the code
    Hint::code("invalid_app_acess")
        .advice("give the user's profile or permission set access to the app"),
    Hint::code("invalid_client_id")
        .advice("check the consumer key, and that the login URL is of its org"),
    Hint::code("invalid_client")
        .advice("check the consumer key, and that the app allows this flow"),
    Hint::code("invalid_client_credentials")
        .advice("check the consumer key, and that the app allows this flow"),
    Hint::code("invalid_request")
        .and_words("refresh_token scope")
        .advice("add refresh_token to the app's scopes and pre-authorise the user; that takes ten minutes"),
    Hint::code("app_not_found")
        .advice("use the org's My Domain as login URL and as audience"),
    Hint::code("inactive_user")
        .advice("activate the user, or use another"),
    Hint::code("inactive_org")
        .advice("the org is locked, closed or suspended: ask Salesforce"),
    Hint::code("rate_limit_exceeded")
        .advice("keep a token as long as it lives: a user has 3,600 logins an hour"),
    Hint::code("redirect_uri_mismatch")
        .advice("the app uses another flow: allow it the JWT bearer flow"),
    Hint::code("unsupported_grant_type")
        .advice("allow the app the JWT bearer flow, and check the login URL"),
];
