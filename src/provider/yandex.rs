//! Yandex Cloud, service account: IAM tokens.
//!
//! - Exchange: <https://yandex.cloud/en/docs/iam/operations/iam-token/create-for-sa>
//! - Response: <https://yandex.cloud/en/docs/iam/api-ref/IamToken/create>
//! - Key file: <https://yandex.cloud/en/docs/iam/concepts/authorization/key>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, Provider};
use crate::endpoint::Endpoint;
use crate::placement::Placement;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::lifetime::TIMESTAMP;
use crate::profile::response::ResponseMap;
use crate::profile::{AssertionPlacement, Audience, Issuer, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// The token endpoint, which is also the audience.
pub const TOKEN_ENDPOINT: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";

/// The longest lifetime of an assertion.
const HOUR: Duration = Duration::from_secs(3600);

impl Profile {
    /// Returns a profile for an IAM token of a service account of Yandex Cloud.
    ///
    /// The key signs PS256: the server refuses RS256, which is the usual algorithm of an RSA key. A key that is not
    /// from the credential file therefore needs [`with_algorithm`](crate::RsaKey::with_algorithm). Its `kid` is the id
    /// of the authorized key.
    pub fn yandex(service_account_id: impl Into<String>) -> Self {
        let audience = Audience::Fixed(TOKEN_ENDPOINT.to_owned());
        Self {
            issuer: Issuer::Fixed(service_account_id.into()),
            assertion_lifetime: Some(HOUR),
            jti: Jti::Omit, // the vendor's clients send none
            algorithms: Cow::Borrowed(&[Algorithm::Ps256]),
            limits: &LIMITS,
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("jwt")),
            placement: Placement::JSON,
            response: ResponseMap {
                token_member: Cow::Borrowed("iamToken"),
                lifetime_member: Cow::Borrowed("expiresAt"),
                lifetime_unit: TIMESTAMP,
                error_member: Cow::Borrowed("code"), // google.rpc.Status
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::new(Endpoint::documented(TOKEN_ENDPOINT), audience)
        }
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "yandex",
    about: "Yandex Cloud, service account: an IAM token.",
    documents: &["https://yandex.cloud/en/docs/iam/operations/iam-token/create-for-sa"],
    inputs: &[Input::required(
        "service-account-id",
        "ID",
        "The service account: service_account_id in the key file.",
    )],
    // as `yc iam key create` writes it
    credential_file: Some(&CredentialFile {
        recognised_by: &[("service_account_id", ""), ("private_key", "")],
        inputs: &[("service-account-id", "service_account_id")],
        key: "private_key",
        key_id: "id",
        ..CredentialFile::NEW
    }),
    construct: |inputs| Ok(Profile::yandex(inputs.text("service-account-id"))),
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: HOUR,
    needs_key_id: true,
    ..Limits::NONE
};

/// The codes are those of gRPC. The document does not describe the errors.
const HINTS: &[Hint] = &[
    Hint::code("16")
        .advice("check that the key signs PS256, that kid is the id of the authorized key, and this machine's clock"),
    Hint::code("3")
        .advice("check that the key signs PS256, and that exp lies at most an hour after iat"),
    Hint::code("5")
        .advice("the service account or its key is deleted: make a new key file"),
    Hint::code("7")
        .advice("the service account may not do this: check that it is active"),
    Hint::code("8").advice(RATE_LIMITED),
    Hint::code("401")
        .advice("check the key and this machine's clock"),
];
