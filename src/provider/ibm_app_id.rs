//! IBM Cloud App ID, custom identity: tokens for the users of your own identity provider.
//!
//! - Flow and claims: <https://cloud.ibm.com/docs/appid?topic=appid-custom-auth>
//! - Set-up: <https://cloud.ibm.com/docs/appid?topic=appid-custom-identity>

use std::borrow::Cow;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for the custom identity flow of IBM Cloud App ID.
    ///
    /// `oauth_server_url` is `oauthServerUrl` in the application's credentials, such as
    /// `https://eu-de.appid.cloud.ibm.com/oauth/v4/TENANT`; it is also the audience. `client_id` and `secret` are there
    /// too, and go into HTTP Basic. `issuer` is your own name for the identity provider, and `user_id` is the user.
    /// [`with_claim`](Self::with_claim) adds more about the user: `name`, `email`, `locale`, `picture`, `gender`.
    ///
    /// Request and claims are not verified against the server's document.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the server's URL may not carry an assertion.
    pub fn ibm_app_id(
        oauth_server_url: impl AsRef<str>,
        client_id: impl AsRef<str>,
        secret: impl AsRef<str>,
        issuer: impl Into<String>,
        user_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let url = oauth_server_url.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("OAuth server URL", url, "/token")?;
        let profile = Self {
            subject: Some(user_id.into()),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, issuer, Audience::Fixed(url.to_owned()))
        };
        Ok(profile.with_basic_auth(client_id.as_ref(), secret.as_ref()))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "ibm-app-id",
    about: "IBM Cloud App ID, custom identity.",
    documents: &["https://cloud.ibm.com/docs/appid?topic=appid-custom-auth"],
    inputs: &[
        Input::required(
            "oauth-server-url",
            "URL",
            "The server: oauthServerUrl in the application's credentials.",
        ),
        Input::required(
            "client-id",
            "ID",
            "The application: clientId in its credentials.",
        ),
        Input::required_secret(
            "client-secret",
            "The secret in the application's credentials.",
        ),
        Input::required(
            "issuer",
            "ISS",
            "A name of your own for the identity provider.",
        ),
        Input::required("user-id", "ID", "The user's ID at the identity provider."),
    ],
    construct: |inputs| {
        Profile::ibm_app_id(
            inputs.text("oauth-server-url"),
            inputs.text("client-id"),
            inputs.text("client-secret"),
            inputs.text("issuer"),
            inputs.text("user-id"),
        )
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| match &profile.audience {
        Audience::TokenEndpoint => Err(
            "App ID wants oauthServerUrl as audience, which is the token endpoint without /token",
        ),
        _ if profile.assertion_lifetime.is_none() => {
            Err("App ID wants the claim exp: set the lifetime of the assertion")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// The document does not describe the server's errors. These are the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_grant")
        .advice("check that the custom identity provider has the public key of this very key and is enabled, the audience, and this machine's clock"),
    Hint::code("invalid_client")
        .advice("check clientId and secret, which are of one application of this instance"),
    Hint::code("unauthorized_client")
        .advice("enable the custom identity provider in App ID"),
    Hint::code("invalid_request")
        .advice("check oauthServerUrl, and that issuer and user are set"),
    Hint::code("invalid_scope")
        .advice("ask for scopes that the application has"),
    Hint::code("unsupported_grant_type")
        .advice("enable the custom identity provider in App ID"),
];
