//! Zitadel: a service user and its key file.
//!
//! - Assertion and request: <https://zitadel.com/docs/guides/integrate/service-users/private-key-jwt>
//! - Endpoints: <https://zitadel.com/docs/apis/openidoauth/endpoints>
//! - Scopes: <https://zitadel.com/docs/apis/openidoauth/scopes>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for a service user of Zitadel.
    ///
    /// `instance_url` is the external domain, such as `https://my-instance.zitadel.cloud`, which is also the audience.
    /// The key file has the `user_id`, but not the domain.
    ///
    /// The scope is `openid`. [`with_scope`](Self::with_scope) sets another one, which must contain `openid`:
    /// `openid urn:zitadel:iam:org:project:id:zitadel:aud` is for Zitadel's own API. `iat` is ten seconds back, because
    /// Zitadel refuses one that is a second ahead of its clock.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the instance's URL may not carry an assertion.
    pub fn zitadel(
        instance_url: impl AsRef<str>,
        user_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let instance = instance_url.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("instance URL", instance, "/oauth/v2/token")?;
        let user_id = user_id.into();
        Ok(Self {
            subject: Some(user_id.clone()),
            iat_leeway: Some(Duration::from_secs(10)),
            jti: Jti::Omit,
            algorithms: Cow::Borrowed(&[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]),
            limits: &LIMITS,
            scope: Some("openid".to_owned()),
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, user_id, Audience::Fixed(instance.to_owned()))
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "zitadel",
    about: "Zitadel: a service user.",
    documents: &["https://zitadel.com/docs/guides/integrate/service-users/private-key-jwt"],
    inputs: &[
        Input::required(
            "instance-url",
            "URL",
            "The instance: https:// and its external domain. The key file lacks it.",
        ),
        Input::required("user-id", "ID", "The service user: userId in the key file."),
    ],
    credential_file: Some(&CredentialFile {
        recognised_by: &[("type", "serviceaccount"), ("userId", "")],
        inputs: &[("user-id", "userId")],
        key: "key",
        key_id: "keyId",
        ..CredentialFile::NEW
    }),
    construct: |inputs| Profile::zitadel(inputs.text("instance-url"), inputs.text("user-id")),
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(3600),
    needs_key_id: true,
    check: |profile| match profile.scope.as_deref() {
        Some(scope) if scope.split(' ').any(|scope| scope == "openid") => Ok(()),
        _ => Err("Zitadel wants the scope openid beside the others: add it"),
    },
    ..Limits::NONE
};

/// Versions since 4 answer 500 to anything that is wrong with an assertion: see zitadel/zitadel#12692.
const HINTS: &[Hint] = &[
    Hint::code("server_error")
        .and_words("errors.internal")
        .advice("this may be a fault of Zitadel's, or its answer to an assertion that it refuses: check that the audience is the instance's own URL, the user id, that the key is a service user's, and this machine's clock"),
    Hint::words("audience")
        .advice("the audience is the issuer of the metadata: https:// and the instance's external domain, without a slash at its end"),
    Hint::words("issuedat").advice("check this machine's clock"),
    Hint::words("in the future")
        .advice("check this machine's clock"),
    Hint::words("expired").advice("check this machine's clock"),
    Hint::words("signature")
        .advice("the key is deleted, expired or of another user: compare keyId with the user's keys"),
    Hint::code("invalid_scope")
        .advice("the scope needs openid, and whatever else it names has to exist"),
    Hint::code("invalid_client")
        .advice("this is about a client: check that the key is a service user's, and no application's"),
    Hint::code("invalid_grant")
        .advice("check user id, key id, audience and this machine's clock"),
    Hint::code("invalid_request")
        .advice("check user id, key id, audience and this machine's clock, and that the scope has openid"),
    Hint::code("unauthorized_client")
        .advice("check that the user is a service user, and active"),
];
