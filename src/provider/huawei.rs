//! Huawei, service account: tokens that the account signs itself, for Push Kit and other server APIs.
//!
//! - Token and key file: <https://developer.huawei.com/consumer/en/doc/doccenter-capabilities/push-jwt-token/>
//! - Use: <https://developer.huawei.com/consumer/en/doc/harmonyos-references-V13/push-scenariozed-api-request-struct-V13/>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, Provider};
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// The audience of every token. Nothing is sent there.
pub const AUDIENCE: &str = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";

impl Profile {
    /// Returns a profile for a token that a service account of Huawei signs itself: nothing is exchanged.
    ///
    /// The token lives an hour, as the document advises, and serves any number of calls. The key signs PS256, and its
    /// `kid` is the `key_id` of the key file. If an API refuses the token, the API itself answers, with a code such as
    /// 80200001 or 80200003.
    pub fn huawei(sub_account: impl Into<String>) -> Self {
        Self {
            assertion_lifetime: Some(Duration::from_secs(3600)),
            algorithms: Cow::Borrowed(&[Algorithm::Ps256]),
            limits: &LIMITS,
            ..Self::self_signed(sub_account, Audience::Fixed(AUDIENCE.to_owned()))
        }
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "huawei",
    about: "Huawei Push Kit and other server APIs: a token that a service account signs itself.",
    documents: &[
        "https://developer.huawei.com/consumer/en/doc/doccenter-capabilities/push-jwt-token/",
    ],
    inputs: &[Input::required(
        "sub-account",
        "ID",
        "The service account: sub_account in the key file.",
    )],
    credential_file: Some(&CredentialFile {
        recognised_by: &[("sub_account", ""), ("key_id", "")],
        inputs: &[("sub-account", "sub_account")],
        key: "private_key",
        key_id: "key_id",
        ..CredentialFile::NEW
    }),
    construct: |inputs| Ok(Profile::huawei(inputs.text("sub-account"))),
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: Duration::from_secs(3600),
    needs_key_id: true,
    check: |profile| match &profile.audience {
        Audience::Fixed(aud) if aud == AUDIENCE => Ok(()),
        _ => Err("Huawei wants https://oauth-login.cloud.huawei.com/oauth2/v3/token as audience"),
    },
    ..Limits::NONE
};
