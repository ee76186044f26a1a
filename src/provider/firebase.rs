//! Firebase Authentication, custom tokens: ID tokens for users whom a service account vouches for.
//!
//! - Claims: <https://firebase.google.com/docs/auth/admin/create-custom-tokens>
//! - Exchange: <https://cloud.google.com/identity-platform/docs/reference/rest/v1/accounts/signInWithCustomToken>
//! - The vendor's client: <https://github.com/firebase/firebase-admin-node/blob/main/src/auth/token-generator.ts>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, Provider};
use super::google;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::json;
use crate::placement::{Placement, form_encoded};
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::response::ResponseMap;
use crate::profile::{AssertionPlacement, Audience, Issuer, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// The audience of every custom token.
pub const AUDIENCE: &str =
    "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit";

/// The longest lifetime of a custom token.
const HOUR: Duration = Duration::from_secs(3600);

impl Profile {
    /// Returns a profile for an ID token of Firebase, in exchange for a custom token.
    ///
    /// `client_email` names the service account, `uid` is the user's, and `api_key` is the web API key of the same
    /// project. [`with_claim`](Self::with_claim) adds `claims`, an object whose members the ID token then has.
    ///
    /// For the custom token by itself, with which an app signs in, use [`assertion`](Self::assertion) of this profile.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the URL with the API key is too long.
    pub fn firebase(
        client_email: impl Into<String>,
        uid: impl Into<String>,
        api_key: impl AsRef<str>,
    ) -> Result<Self, Error> {
        let client_email = client_email.into();
        let endpoint = Endpoint::token(format!(
            "https://identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken?key={}",
            form_encoded(api_key.as_ref())
        ))?;
        let profile = Self {
            issuer: Issuer::Fixed(client_email.clone()),
            subject: Some(client_email),
            assertion_lifetime: Some(HOUR),
            jti: Jti::Omit, // the vendor's client sends none
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("token")),
            placement: Placement::JSON,
            response: ResponseMap {
                token_member: Cow::Borrowed("idToken"),
                lifetime_member: Cow::Borrowed("expiresIn"),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::new(endpoint, Audience::Fixed(AUDIENCE.to_owned()))
        };
        let profile = profile.with_parameter("returnSecureToken", true);
        Ok(profile.with_claim("uid", uid.into()))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "firebase",
    about: "Firebase Authentication: an ID token in exchange for a custom token.",
    documents: &["https://firebase.google.com/docs/auth/admin/create-custom-tokens"],
    inputs: &[
        Input::required(
            "client-email",
            "EMAIL",
            "The service account: client_email in the key file.",
        ),
        Input::required("uid", "UID", "The user's uid, 1 to 128 characters."),
        Input::required("api-key", "KEY", "The web API key of the project."),
    ],
    // Google's key file is recognised as Google's.
    credential_file: Some(&CredentialFile {
        recognised_by: &[],
        inputs: &[("client-email", "client_email")],
        ..google::KEY_FILE
    }),
    construct: |inputs| {
        let (email, uid) = (inputs.text("client-email"), inputs.text("uid"));
        Profile::firebase(email, uid, inputs.text("api-key"))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: HOUR,
    check: |profile| {
        let uid = profile.claim("uid").and_then(json::decode_string);
        let length = uid.map_or(0, |uid| uid.encode_utf16().count()); // as JavaScript counts
        match length {
            1..=128 => Ok(()),
            _ => Err("Firebase wants a uid of 1 to 128 characters"),
        }
    },
    ..Limits::NONE
};

/// The codes are the first words of the descriptions.
const HINTS: &[Hint] = &[
    Hint::words("invalid_custom_token")
        .advice("check that the key file is of this project and that its key is not deleted, and this machine's clock"),
    Hint::words("credential_mismatch")
        .advice("take the web API key and the key file of one project"),
    Hint::words("api key")
        .advice("check the web API key, and that it allows the Identity Toolkit API and this machine"),
    Hint::words("app check")
        .advice("the project enforces App Check: take it back for Authentication, or use another project"),
    Hint::words("configuration_not_found")
        .advice("switch Authentication on in the Firebase console"),
    Hint::words("user_disabled")
        .advice("enable the user in the Firebase console"),
    Hint::code("429").advice(RATE_LIMITED),
];
