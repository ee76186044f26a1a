//! Ghost Admin API: tokens signed with an Admin API key, and the key itself.
//!
//! - Token: <https://ghost.org/docs/admin-api/#token-authentication>
//! - The vendor's client: <https://github.com/TryGhost/SDK/blob/main/packages/admin-api/lib/token.js>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{KeyKind, Provider};
use crate::error::Error;
use crate::jwt::HmacKey;
use crate::profile::response::ResponseMap;
use crate::profile::{Audience, Issuer, Limits, Profile};
use crate::signer::Algorithm;
use crate::token::TokenHeader;

/// The longest lifetime of a token.
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);

impl Profile {
    /// Returns a profile for the Admin API of Ghost: the key signs the token, and nothing is exchanged.
    ///
    /// [`ghost::key`](crate::provider::ghost::key) reads the key. The token goes to the API in the header
    /// `Authorization: Ghost`.
    ///
    /// `aud` is `/admin/`. Versions of Ghost before 5 want the version of the API in it, such as `/v3/admin/`:
    /// [`with_audience`](Self::with_audience) sets it.
    pub fn ghost() -> Self {
        Self {
            issuer: Issuer::Omit,
            assertion_lifetime: Some(FIVE_MINUTES),
            algorithms: Cow::Borrowed(&[Algorithm::Hs256]),
            limits: &LIMITS,
            response: ResponseMap {
                token_header: TokenHeader::new("Authorization", "Ghost "),
                ..ResponseMap::default()
            }
            .into(),
            ..Self::self_signed("", Audience::Fixed("/admin/".to_owned()))
        }
    }
}

/// Reads an Admin API key as Ghost shows it: its id, a colon, and its secret in hexadecimal digits.
///
/// # Errors
/// [`Key`](crate::ErrorKind::Key) if the text is not an Admin API key. The error quotes nothing from it.
pub fn key(text: impl AsRef<str>) -> Result<HmacKey, Error> {
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
    let (id, secret) = text
        .as_ref()
        .trim()
        .split_once(':')
        .filter(|(id, _)| is_id(id))
        .ok_or_else(|| {
            Error::key("this is no Admin API key of Ghost, which is an id, a colon and a secret: copy it whole")
        })?;
    Ok(HmacKey::from_hex(secret)?.with_key_id(id))
}

pub(super) const PROVIDER: Provider = Provider {
    name: "ghost",
    about: "Ghost Admin API: a token that is signed with an Admin API key.",
    documents: &["https://ghost.org/docs/admin-api/#token-authentication"],
    key: KeyKind::Secret,
    read_secret: Some(|text| key(String::from_utf8_lossy(text))),
    construct: |_| Ok(Profile::ghost()),
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: FIVE_MINUTES,
    needs_key_id: true,
    check: |profile| match &profile.audience {
        Audience::Fixed(aud) if aud.starts_with('/') && aud.ends_with("/admin/") => Ok(()),
        _ => Err("Ghost wants a path as audience: /admin/, or /v3/admin/ before version 5"),
    },
    ..Limits::NONE
};
