//! Tableau Cloud and Server, connected app with direct trust: sign-in to the REST API.
//!
//! - Claims: <https://help.tableau.com/current/online/en-us/connected_apps_direct.htm>
//! - Sign-in: <https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_authentication.htm>
//! - Scopes: <https://help.tableau.com/current/online/en-us/connected_apps_scopes.htm>
//! - Errors: <https://help.tableau.com/current/online/en-us/connected_apps_troubleshoot.htm>
//! - The number in an error: <https://github.com/tableau/tableau_langchain/issues/96>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, KeyKind, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::placement::Placement;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::response::ResponseMap;
use crate::profile::{
    AssertionPlacement, Audience, Issuer, Limits, Profile, ScopePlacement, text_parameter,
};
use crate::signer::Algorithm;
use crate::token::TokenHeader;

/// The version of the REST API that Tableau Server 2022.3 has, the first one with scopes. Later servers have it too.
pub const API_VERSION: &str = "3.17";

/// The longest lifetime of an assertion.
const TEN_MINUTES: Duration = Duration::from_secs(10 * 60);

impl Profile {
    /// Returns a profile for signing in to Tableau with a connected app that has direct trust.
    ///
    /// `server_url` is the server's address, such as `https://10ax.online.tableau.com`, `api_version` is
    /// [`API_VERSION`](crate::provider::tableau::API_VERSION) or a later one, and `site` is the part of the site's
    /// address that names it, empty for the default site. The key is an [`HmacKey`](crate::HmacKey) of the characters
    /// of the secret value, and its `kid` is the secret id. [`with_scope`](Self::with_scope) is required, and becomes
    /// the claim `scp`.
    ///
    /// The token goes to the API in the header `X-Tableau-Auth`. The response has no lifetime in seconds, so two hours
    /// are assumed, which is Tableau's shortest default idle time. This lifetime and the shape of the response are not
    /// verified against the server's document.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the server's address may not carry an assertion.
    pub fn tableau(
        server_url: impl AsRef<str>,
        api_version: impl AsRef<str>,
        site: impl Into<String>,
        client_id: impl Into<String>,
        username: impl Into<String>,
    ) -> Result<Self, Error> {
        let path = format!("/api/{}/auth/signin", api_version.as_ref());
        let endpoint = Endpoint::at_path("server URL", server_url.as_ref(), &path)?;
        let client_id = client_id.into();
        let profile = Self {
            issuer: Issuer::Fixed(client_id.clone()),
            subject: Some(username.into()),
            algorithms: Cow::Borrowed(&[Algorithm::Hs256]),
            limits: &LIMITS,
            scope_placement: ScopePlacement::ClaimArray(Cow::Borrowed("scp")),
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("/credentials/jwt")),
            parameters: vec![text_parameter("/credentials/site/contentUrl", site)],
            placement: Placement::JSON,
            response: ResponseMap {
                token_member: Cow::Borrowed("/credentials/token"),
                token_header: TokenHeader::new("X-Tableau-Auth", ""),
                default_lifetime: Duration::from_secs(2 * 3600),
                error_member: Cow::Borrowed("/error/code"),
                error_description_member: Some(Cow::Borrowed("/error/detail")),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::new(endpoint, Audience::Fixed("tableau".to_owned()))
        };
        Ok(profile.with_header("iss", client_id))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "tableau",
    about: "Tableau Cloud or Server, connected app with direct trust.",
    documents: &["https://help.tableau.com/current/online/en-us/connected_apps_direct.htm"],
    key: KeyKind::Secret,
    inputs: &[
        Input::required(
            "server-url",
            "URL",
            "The server, such as https://10ax.online.tableau.com.",
        ),
        Input::required("client-id", "ID", "The client ID of the connected app."),
        Input::required("username", "NAME", "The user to sign in as."),
        Input::required_list(
            "scope",
            "SCOPE",
            "A scope such as tableau:content:read; may be repeated.",
        ),
        Input::optional(
            "site",
            InputValue::Text("NAME"),
            "The site, as its address names it; the default site if it is left out.",
        ),
        Input::with_default(
            "api-version",
            InputValue::Text("VERSION"),
            "The version of the REST API.",
            API_VERSION,
        ),
    ],
    construct: |inputs| {
        let profile = Profile::tableau(
            inputs.text("server-url"),
            inputs.text("api-version"),
            inputs.text("site"),
            inputs.text("client-id"),
            inputs.text("username"),
        )?;
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: TEN_MINUTES,
    exp_after_iat: TEN_MINUTES,
    needs_key_id: true,
    check: |profile| match (&profile.scope, &profile.scope_placement) {
        (None, _) if profile.claim("scp").is_none() => {
            Err("Tableau wants scopes: set the scope, such as tableau:content:read")
        }
        (Some(_), ScopePlacement::Parameter) => {
            Err("Tableau ignores the parameter scope: scopes are an array in the claim scp")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// From the vendor's tables. The number in brackets ends the detail of the sign-in error.
const HINTS: &[Hint] = &[
    Hint::code("401001")
        .and_words("(5)")
        .advice("check the user's name with its case: on Tableau Cloud it is an e-mail address"),
    Hint::code("401001")
        .and_words("(16)")
        .advice("let exp lie at most ten minutes ahead, and check the user's name, the site, and this machine's clock"),
    Hint::code("401001")
        .and_words("(126)")
        .advice("check the client id, and that the connected app is enabled"),
    Hint::code("401001")
        .and_words("(127)")
        .advice("check the secret id, which is kid, and the secret value"),
    Hint::code("401001")
        .and_words("(10083)")
        .advice("the header needs kid, which is the secret id, and iss, which is the client id"),
    Hint::code("401001")
        .and_words("(10084)")
        .advice("check the secret value, that the connected app is enabled, the user and the scopes"),
    Hint::code("401001")
        .and_words("(10096)")
        .advice("let exp lie at most ten minutes ahead, and send no assertion twice"),
    Hint::code("401001")
        .advice("check that the connected app is enabled, secret id and secret value, the user's name with its case, the site, and this machine's clock"),
    Hint::code("401002")
        .advice("give the connected app and the assertion the scopes of the call"),
    Hint::code("400000")
        .advice("check the API version and the site"),
    Hint::code("404002").advice("the user is not on this site"),
    Hint::code("405000")
        .advice("write the server URL with the pod of Tableau Cloud, such as 10ax, and with https"),
    Hint::code("429").advice(RATE_LIMITED),
];
