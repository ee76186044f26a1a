//! GitHub Apps: the access token of an installation, at github.com and at GitHub Enterprise Server.
//!
//! The assertion is the bearer token of the request, and the request's JSON may narrow what the token is for.
//!
//! - Assertion: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//! - Exchange: <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::placement::Placement;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::lifetime::TIMESTAMP;
use crate::profile::response::{ErrorKindRule, ResponseMap};
use crate::profile::{AssertionPlacement, Audience, Issuer, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// The API of github.com. A GitHub Enterprise Server has `https://HOST/api/v3` instead.
pub const GITHUB_COM: &str = "https://api.github.com";

impl Profile {
    /// Returns a profile for the access token of a GitHub App's installation.
    ///
    /// `api` is [`GITHUB_COM`](crate::provider::github_app::GITHUB_COM), or `https://HOST/api/v3` of a GitHub
    /// Enterprise Server. `client_id` is the App's client ID; its app ID works too.
    ///
    /// The token is for all repositories of the installation, with all permissions of the App.
    /// [`with_parameter`](Self::with_parameter) narrows it: `repositories` is an array of names, `permissions` an
    /// object such as `{"contents": "read"}`.
    ///
    /// GitHub refuses an `iat` that is one second ahead of its clock, so this profile sets it 60 seconds back, as the
    /// document advises. `exp` is 540 seconds after now; GitHub accepts 600. The version of the API, `2022-11-28`, is
    /// not verified against the server's document: [`with_request_header`](Self::with_request_header) sets another
    /// `X-GitHub-Api-Version`.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the API's address may not carry an assertion, or the installation's id
    /// is not a number.
    pub fn github_app(
        api: impl AsRef<str>,
        client_id: impl Into<String>,
        installation_id: impl AsRef<str>,
    ) -> Result<Self, Error> {
        let id = installation_id.as_ref();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
            let message = "the installation's id is a number: the last part of the URL of its settings, or id in GET /app/installations";
            return Err(Error::config(message));
        }
        let path = format!("/app/installations/{id}/access_tokens");
        let endpoint = Endpoint::at_path("API", api.as_ref(), &path)?;
        let profile = Self {
            issuer: Issuer::Fixed(client_id.into()),
            assertion_lifetime: Some(Duration::from_secs(540)),
            iat_leeway: Some(Duration::from_secs(60)),
            jti: Jti::Omit,
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            assertion_placement: AssertionPlacement::Bearer,
            placement: Placement::JSON,
            response: ResponseMap {
                token_member: Cow::Borrowed("token"),
                lifetime_member: Cow::Borrowed("expires_at"),
                lifetime_unit: TIMESTAMP,
                error_description_member: Some(Cow::Borrowed("message")),
                error_kind_rules: Cow::Borrowed(ERROR_KIND_RULES),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::new(endpoint, Audience::Omit)
        };
        Ok(profile
            .with_request_header("Accept", "application/vnd.github+json")
            .with_request_header("X-GitHub-Api-Version", "2022-11-28"))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "github-app",
    about: "GitHub App: the access token of an installation, also of GitHub Enterprise Server.",
    documents: &[
        "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app",
        "https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app",
    ],
    inputs: &[
        Input::required("client-id", "ID", "The App's client ID, or its app ID."),
        Input::required(
            "installation-id",
            "ID",
            "The installation: the number at the end of the URL of its settings.",
        ),
        Input::with_default(
            "api",
            InputValue::Text("URL"),
            "The API: https://HOST/api/v3 for a GitHub Enterprise Server.",
            GITHUB_COM,
        ),
        Input::optional(
            "repositories",
            InputValue::List("NAME"),
            "A repository that the token is for, without its owner; may be repeated. Without it, all of the installation.",
        ),
        Input::optional(
            "permissions",
            InputValue::List("NAME=LEVEL"),
            "A permission that the token has, such as contents=read; may be repeated. Without it, all of the App.",
        ),
    ],
    construct: |inputs| {
        let (api, client_id) = (inputs.text("api"), inputs.text("client-id"));
        let profile = Profile::github_app(api, client_id, inputs.text("installation-id"))?;
        let repositories = inputs.get("repositories");
        if repositories.is_some_and(|names| names.contains(['/', ','])) {
            let message = "repositories: expected the name of one repository, without its owner";
            return Err(Error::config(message));
        }
        let repositories = repositories.map(|names| names.split(' ').collect::<Vec<_>>());
        let permissions = inputs.get("permissions").map(permissions).transpose()?;
        Ok(profile
            .with_parameter("repositories", repositories)
            .with_parameter("permissions", permissions))
    },
    ..Provider::NEW
};

/// Parses permissions such as `contents=read issues=write` into an object.
fn permissions(text: &str) -> Result<Value, Error> {
    let pairs = text.split(' ').map(|pair| pair.split_once('='));
    let members = pairs.map(|pair| pair.map(|(name, level)| (name.to_owned(), level.into())));
    let members: Option<_> = members.collect();
    let message = "permissions: expected NAME=LEVEL, such as contents=read";
    let is_one = !text.contains(',');
    members
        .filter(|_| is_one)
        .map(Value::Object)
        .ok_or_else(|| Error::config(message))
}

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(600),
    ..Limits::NONE
};

/// GitHub answers 403 for both of its rate limits.
const ERROR_KIND_RULES: &[ErrorKindRule] = &[ErrorKindRule::unavailable("", "rate limit")];

/// From the server's document and from users' reports. The responses have no error codes.
const HINTS: &[Hint] = &[
    Hint::code("401")
        .and_words("could not be decoded")
        .advice("check that the key is one of this App's private keys, and this machine's clock"),
    Hint::code("401")
        .and_words("too far in the future")
        .advice("check this machine's clock; exp lies at most ten minutes ahead of GitHub's"),
    Hint::code("401")
        .and_words("'exp'")
        .advice("check this machine's clock: the assertion has expired"),
    Hint::code("401")
        .and_words("'iat'")
        .advice("check this machine's clock: iat is always sent as a whole number of its seconds"),
    Hint::code("401")
        .and_words("must generate a public key")
        .advice("the App has no private key: make one in its settings"),
    Hint::code("401")
        .advice("check the client id, that the key is one of this App's private keys, and this machine's clock"),
    Hint::code("403")
        .and_words("suspended")
        .advice("the installation is suspended: its owner can take that back in the settings of the installation"),
    Hint::code("403")
        .and_words("rate limit")
        .advice(RATE_LIMITED),
    Hint::code("404")
        .advice("check the client id, and that the installation is one of this App: GET /app/installations lists them"),
    Hint::code("422")
        .advice("ask for repositories of this installation, and for permissions that its owner has accepted"),
    Hint::code("429").advice(RATE_LIMITED),
];
