//! Box, server authentication with JWT: for the service account of an app, or for a user.
//!
//! - Exchange: <https://developer.box.com/guides/authentication/jwt/without-sdk>
//! - Errors: <https://developer.box.com/guides/api-calls/permissions-and-errors/common-errors>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// The token endpoint, which is also the audience.
pub const TOKEN_ENDPOINT: &str = "https://api.box.com/oauth2/token";

impl Profile {
    /// Returns a profile for the service account of a Box app, in the enterprise that has authorized the app.
    ///
    /// The key needs its `kid`, the public key's id. The file `config.json` has all of these, and
    /// [`credentials`](crate::provider::credentials) reads it.
    ///
    /// Box accepts an `exp` that is at most 60 seconds ahead of its own clock, so this profile sets it 45 seconds
    /// ahead. If this machine's clock is wrong, a source signs by Box's clock. The document makes `iat` optional, so it
    /// is left out. Every attempt needs a new `jti`.
    pub fn box_enterprise(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        enterprise_id: impl Into<String>,
    ) -> Self {
        box_subject(client_id.into(), client_secret.into(), enterprise_id.into())
            .with_claim("box_sub_type", "enterprise")
    }

    /// Returns a profile for a user of Box: an app user, or one for whom the app may act.
    ///
    /// Everything else is as in [`box_enterprise`](Self::box_enterprise).
    pub fn box_user(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        user_id: impl Into<String>,
    ) -> Self {
        box_subject(client_id.into(), client_secret.into(), user_id.into())
            .with_claim("box_sub_type", "user")
    }
}

fn box_subject(client_id: String, client_secret: String, subject: String) -> Profile {
    let audience = Audience::Fixed(TOKEN_ENDPOINT.to_owned());
    let profile = Profile {
        subject: Some(subject),
        assertion_lifetime: Some(Duration::from_secs(45)),
        iat_leeway: None,
        algorithms: Cow::Borrowed(&[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512]),
        limits: &LIMITS,
        hints: HINTS,
        ..Profile::jwt_bearer(
            Endpoint::documented(TOKEN_ENDPOINT),
            client_id.as_str(),
            audience,
        )
    };
    profile
        .with_parameter("client_id", client_id)
        .with_parameter("client_secret", client_secret)
}

pub(super) const PROVIDER: Provider = Provider {
    name: "box",
    about: "Box, server authentication with JWT.",
    documents: &["https://developer.box.com/guides/authentication/jwt/without-sdk"],
    inputs: &[
        Input::required("client-id", "ID", "The client ID: clientID in config.json."),
        Input::required_secret(
            "client-secret",
            "The client secret: clientSecret in config.json.",
        ),
        Input::optional(
            "enterprise-id",
            InputValue::Text("ID"),
            "The enterprise whose service account the token is for: enterpriseID in config.json.",
        ),
        Input::optional(
            "user-id",
            InputValue::Text("ID"),
            "The user whom the token is for, instead of the service account.",
        ),
    ],
    alternatives: &[&["enterprise-id", "user-id"]],
    credential_file: Some(&CredentialFile {
        recognised_by: &[("/boxAppSettings/appAuth/privateKey", "")],
        inputs: &[
            ("client-id", "/boxAppSettings/clientID"),
            ("client-secret", "/boxAppSettings/clientSecret"),
            ("enterprise-id", "/enterpriseID"),
        ],
        key: "/boxAppSettings/appAuth/privateKey",
        key_id: "/boxAppSettings/appAuth/publicKeyID",
        passphrase: "/boxAppSettings/appAuth/passphrase",
    }),
    construct: |inputs| {
        let (id, secret) = (inputs.text("client-id"), inputs.text("client-secret"));
        Ok(match inputs.get("user-id") {
            Some(user) => Profile::box_user(id, secret, user),
            None => Profile::box_enterprise(id, secret, inputs.text("enterprise-id")),
        })
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(60),
    needs_key_id: true,
    clock_tolerance: Some(13), // `exp` lies 45 seconds ahead, and a `Date` is rounded
    check: |profile| match (profile.jti, profile.assertion_lifetime) {
        (Jti::Omit, _) => Err("Box wants a new jti in every assertion: set jti to uuid"),
        (_, None) => Err("Box wants exp: set the lifetime of the assertion"),
        _ => Ok(()),
    },
    ..Limits::NONE
};

const TAKE_BOTH: &str = "take client id and client secret from the config.json of this app";

/// From the server's document of errors and from users' reports.
const HINTS: &[Hint] = &[
    Hint::code("invalid_grant")
        .and_words("'exp' claim")
        .advice("check this machine's clock; exp lies at most 60 seconds ahead of Box's"),
    Hint::code("invalid_grant")
        .and_words("'jti' claim")
        .advice("the server got this assertion twice: look for what repeats requests on the way"),
    Hint::code("invalid_grant")
        .and_words("'sub' claim")
        .advice("check enterprise id or user id: an enterprise id is no user id, and an app without app users may ask for its enterprise alone"),
    Hint::code("invalid_grant")
        .and_words("'iss' claim")
        .advice("check the client id, and take key and key id from the same config.json"),
    Hint::code("invalid_grant")
        .advice("check client id, enterprise id or user id, key id and this machine's clock"),
    Hint::code("unauthorized_client")
        .advice("let an administrator authorize the app in the Admin Console, and again after its scopes or keys change"),
    Hint::code("invalid_client").advice(TAKE_BOTH),
    Hint::code("invalid_request").advice(TAKE_BOTH),
];
