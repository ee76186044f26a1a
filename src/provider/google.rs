//! Google service accounts: access tokens, ID tokens, and assertions that serve as tokens.
//!
//! - Exchange and errors: <https://developers.google.com/identity/protocols/oauth2/service-account>
//! - ID tokens: <https://cloud.google.com/docs/authentication/get-id-token>
//! - Without an exchange: <https://google.aip.dev/auth/4111>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::response::ResponseMap;
use crate::profile::{Audience, Jti, Limits, Profile, ScopePlacement};
use crate::signer::Algorithm;

/// The token endpoint. It is also the audience, even if an old key file has another Google URL.
pub const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";

/// Prefixes of Google's token endpoints. Old key files have the second one.
const TOKEN_ENDPOINT_PREFIXES: &[&str] = &[
    "https://oauth2.googleapis.com/",
    "https://accounts.google.com/",
];

/// The longest lifetime of an assertion that the server accepts.
const HOUR: Duration = Duration::from_secs(3600);

impl Profile {
    /// Returns a profile for an access token of a Google service account.
    ///
    /// `client_email` names the account. [`with_scope`](Self::with_scope) sets the APIs that the token is for, in a
    /// claim, because Google ignores a parameter. [`with_subject`](Self::with_subject) names a user of Workspace to act
    /// for, if an administrator gave the account domain-wide delegation. `exp` is one hour after now, the longest that
    /// Google accepts.
    pub fn google(client_email: impl Into<String>) -> Self {
        let audience = Audience::Fixed(TOKEN_ENDPOINT.to_owned());
        let endpoint = Endpoint::documented(TOKEN_ENDPOINT);
        Self {
            assertion_lifetime: Some(HOUR),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            scope_placement: ScopePlacement::ClaimWithSpaces(Cow::Borrowed("scope")),
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, client_email, audience)
        }
    }

    /// Returns a profile for an ID token of a Google service account, for Cloud Run, Cloud Functions and Identity-Aware
    /// Proxy.
    ///
    /// `target_audience` is the URL of the service, or the client id of Identity-Aware Proxy. The token's own `exp`
    /// sets its lifetime.
    pub fn google_id_token(
        client_email: impl Into<String>,
        target_audience: impl Into<String>,
    ) -> Self {
        Self {
            response: ResponseMap {
                token_member: Cow::Borrowed("id_token"),
                reads_token_exp: true,
                ..ResponseMap::default()
            }
            .into(),
            ..Self::google(client_email)
        }
        .with_claim("target_audience", target_audience.into())
    }

    /// Returns a profile for a token that a Google service account signs itself: nothing is exchanged.
    ///
    /// Most APIs of Google Cloud accept it. `api` is the API's address, such as `https://pubsub.googleapis.com/`.
    pub fn google_self_signed(client_email: impl Into<String>, api: impl Into<String>) -> Self {
        let client_email = client_email.into();
        Self {
            endpoint: Endpoint::none(),
            subject: Some(client_email.clone()),
            audience: Audience::Fixed(api.into()),
            jti: Jti::Omit,
            parameters: Vec::new(),
            ..Self::google(client_email)
        }
    }
}

const CLIENT_EMAIL: Input = Input::required(
    "client-email",
    "EMAIL",
    "The service account: client_email in the key file.",
);
const TOKEN_URI: Input = Input::optional(
    "token-endpoint",
    InputValue::Text("URL"),
    "The token endpoint: token_uri in the key file.",
);

pub(super) const PROVIDER: Provider = Provider {
    name: "google",
    about: "Google service account: an access token.",
    documents: &["https://developers.google.com/identity/protocols/oauth2/service-account"],
    inputs: &[CLIENT_EMAIL, TOKEN_URI],
    credential_file: Some(&KEY_FILE),
    construct: |inputs| {
        with_token_endpoint(
            inputs.get("token-endpoint"),
            Profile::google(inputs.text("client-email")),
        )
    },
    ..Provider::NEW
};

pub(super) const ID_TOKEN: Provider = Provider {
    name: "google-id-token",
    about: "Google service account: an ID token for Cloud Run, Functions, Identity-Aware Proxy.",
    documents: &["https://cloud.google.com/docs/authentication/get-id-token"],
    inputs: &[
        CLIENT_EMAIL,
        Input::required(
            "target-audience",
            "URL",
            "The URL of the service, or the client id of Identity-Aware Proxy.",
        ),
        TOKEN_URI,
    ],
    credential_file: Some(&KEY_FILE),
    construct: |inputs| {
        let target_audience = inputs.text("target-audience");
        let profile = Profile::google_id_token(inputs.text("client-email"), target_audience);
        with_token_endpoint(inputs.get("token-endpoint"), profile)
    },
    ..Provider::NEW
};

pub(super) const SELF_SIGNED: Provider = Provider {
    name: "google-self-signed",
    about: "Google service account: a token that the account signs itself, without an exchange.",
    documents: &["https://google.aip.dev/auth/4111"],
    inputs: &[
        CLIENT_EMAIL,
        Input::required("api", "URL", "The API: https://SERVICE.googleapis.com/"),
    ],
    credential_file: Some(&CredentialFile {
        inputs: &[("client-email", "client_email")],
        ..KEY_FILE
    }),
    construct: |inputs| {
        let (email, api) = (inputs.text("client-email"), inputs.text("api"));
        Ok(Profile::google_self_signed(email, api))
    },
    ..Provider::NEW
};

/// Sets the token endpoint, if one is given. A server that is not Google's also becomes the audience, so that it cannot
/// use the assertion at Google.
fn with_token_endpoint(token_endpoint: Option<&str>, profile: Profile) -> Result<Profile, Error> {
    let Some(url) = token_endpoint else {
        return Ok(profile);
    };
    let profile = profile.with_endpoint(Endpoint::token(url)?);
    let is_google = TOKEN_ENDPOINT_PREFIXES
        .iter()
        .any(|prefix| url.starts_with(prefix));
    Ok(match is_google {
        true => profile,
        false => profile.with_audience(Audience::TokenEndpoint),
    })
}

/// The key file that the console makes.
pub(super) const KEY_FILE: CredentialFile = CredentialFile {
    recognised_by: &[("type", "service_account"), ("client_email", "")],
    inputs: &[
        ("client-email", "client_email"),
        ("token-endpoint", "token_uri"),
    ],
    key: "private_key",
    key_id: "private_key_id",
    ..CredentialFile::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: HOUR,
    check: |profile| match (&profile.scope, &profile.scope_placement) {
        (Some(_), ScopePlacement::Parameter) => {
            Err("Google ignores the parameter scope: scope belongs in the claim")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// From Google's reference of errors.
const HINTS: &[Hint] = &[
    Hint::code("invalid_grant")
        .and_words("short-lived token")
        .advice("check this machine's clock; exp lies an hour ahead at most"),
    Hint::code("invalid_grant")
        .and_words("invalid jwt signature")
        .advice("the key is deleted, disabled or of another account: compare private_key_id with the account's keys"),
    Hint::code("invalid_grant")
        .and_words("account not found")
        .advice("the service account is deleted, or the key file is of another one: make a new key file"),
    Hint::code("invalid_grant")
        .and_words("email")
        .advice("the subject names no user: check its spelling"),
    Hint::code("unauthorized_client")
        .advice("in the Admin console delegate to the account's numeric client_id, with exactly these scopes; that takes up to a day"),
    Hint::code("invalid_scope")
        .advice("give whole scope URLs with one space between them; for an ID token the whole https URL of the service"),
    Hint::code("access_denied")
        .advice("add the scope to the delegation in the Admin console"),
    Hint::code("disabled_client")
        .advice("the account is switched off: enable it in the console"),
    Hint::code("deleted_client")
        .advice("the account is deleted: make another one, and a key file of it"),
];
