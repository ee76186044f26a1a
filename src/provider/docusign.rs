//! DocuSign, JWT grant: a token that acts for a user who has consented.
//!
//! - Exchange: <https://developers.docusign.com/platform/auth/jwt/jwt-get-token/>
//! - Errors and consent: <https://developers.docusign.com/platform/auth/consent/>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider, base_url};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile, ScopePlacement};
use crate::signer::Algorithm;

/// The production environment.
pub const PRODUCTION: &str = "https://account.docusign.com";
/// The developer environment, which has its own integration keys and users.
pub const DEMO: &str = "https://account-d.docusign.com";

impl Profile {
    /// Returns a profile for DocuSign.
    ///
    /// `host` is [`PRODUCTION`](crate::provider::docusign::PRODUCTION) or [`DEMO`](crate::provider::docusign::DEMO);
    /// the audience is the bare host name, without a scheme. `integration_key` is the client id, `user_id` the GUID of
    /// the user for whom the token acts. That user or an administrator consents once, in a browser.
    ///
    /// The scope is `signature impersonation`, in a claim. [`with_scope`](Self::with_scope) sets another one, which
    /// must contain `impersonation`. `exp` is a minute after now; the token lives an hour regardless. The limit of an
    /// hour for `exp` is not verified against the server's document.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the host may not carry an assertion.
    pub fn docusign(
        host: impl AsRef<str>,
        integration_key: impl Into<String>,
        user_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let base = base_url(host.as_ref());
        let (_, host) = base.split_once("://").unwrap_or_default();
        let audience = Audience::Fixed(host.to_owned());
        let endpoint = Endpoint::at_path("host", &base, "/oauth/token")?;
        Ok(Self {
            subject: Some(user_id.into()),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            scope: Some("signature impersonation".to_owned()),
            scope_placement: ScopePlacement::ClaimWithSpaces(Cow::Borrowed("scope")),
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, integration_key, audience)
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "docusign",
    about: "DocuSign (JWT grant).",
    documents: &["https://developers.docusign.com/platform/auth/jwt/jwt-get-token/"],
    inputs: &[
        Input::required(
            "integration-key",
            "ID",
            "The integration key, which is the client ID.",
        ),
        Input::required(
            "user-id",
            "GUID",
            "The API user ID of the user that the token acts for.",
        ),
        Input::with_default(
            "environment",
            InputValue::Choice(&[
                ("production", "account.docusign.com"),
                ("demo", "account-d.docusign.com, for developers"),
            ]),
            "The environment.",
            "production",
        ),
    ],
    construct: |inputs| {
        let host = match inputs.text("environment") {
            "demo" => DEMO,
            _ => PRODUCTION,
        };
        let (key, user) = (inputs.text("integration-key"), inputs.text("user-id"));
        Profile::docusign(host, key, user)
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: Duration::from_secs(3600),
    check: |profile| match (&profile.audience, &profile.scope_placement) {
        (Audience::Fixed(aud), _) if aud.contains('/') => Err(BARE_HOST),
        (Audience::Fixed(_), ScopePlacement::Parameter) => {
            Err("DocuSign reads the scope in the assertion: scope belongs in the claim")
        }
        (Audience::Fixed(_), _) => Ok(()),
        _ => Err(BARE_HOST),
    },
    ..Limits::NONE
};

const BARE_HOST: &str = "DocuSign wants a bare host as audience: set it to account.docusign.com or account-d.docusign.com, without https://";

/// From the server's document and from users' reports.
const HINTS: &[Hint] = &[
    Hint::code("consent_required")
        .advice("let the user or an administrator open https://HOST/oauth/auth?response_type=code&scope=signature%20impersonation&client_id=INTEGRATION_KEY&redirect_uri=REDIRECT_URI once in a browser"),
    Hint::code("invalid_grant")
        .and_words("no_valid_keys_or_signatures")
        .advice("sign with the private key that was shown when the key pair of this integration key was made"),
    Hint::code("invalid_grant")
        .and_words("issuer_not_found")
        .advice("check the integration key and the environment: demo and production have integration keys of their own"),
    Hint::code("invalid_grant")
        .and_words("user_not_found")
        .advice("the subject is the user's API user ID, not the account's, and of this environment"),
    Hint::code("invalid_grant")
        .and_words("expired")
        .advice("check this machine's clock"),
    Hint::code("invalid_grant")
        .advice("check integration key, user id, environment, key and this machine's clock"),
    Hint::code("invalid_client")
        .advice("check the integration key and the environment"),
    Hint::code("invalid_request")
        .advice("set the audience to the bare host, account.docusign.com or account-d.docusign.com"),
    Hint::code("invalid_scope")
        .advice("ask for signature and impersonation, and for what the user has consented to"),
    Hint::code("unauthorized_client")
        .advice("check the integration key, and that it has an RSA key pair"),
];
