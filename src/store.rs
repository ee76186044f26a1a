//! The same token for other processes: what is kept of it, and what is believed of what was kept.
//!
//! A store is a map of names to bytes that several processes see. What it brings is checked as a response is: no
//! store can hand out a token of another identity, one that could forge a header, one that has expired or lives
//! forever. Keys, assertions and failures never go there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use self::desk::Counter;
use crate::error::BoxError;
use crate::jwt;
use crate::profile::MAX_TOKEN_LIFETIME;
use crate::profile::identity::Identity;
use crate::token::AccessToken;

pub(crate) mod desk;
#[cfg(all(feature = "file-store", unix))]
pub(crate) mod file;
#[cfg(feature = "redis")]
pub(crate) mod redis;

/// Bytes of what is kept: a response of 64 KiB, all of it escaped, parts of it twice, and an identity. A store
/// need not read more.
pub(crate) const MAX_KEPT: usize = 1024 * 1024;
/// The clocks of two machines may be so far apart; who is further ahead is not believed.
const MAX_AHEAD: Duration = Duration::from_secs(60);
/// A token lives for minutes: who comes with one that was invalidated before these came late.
const MAX_REFUSED: usize = 8;
/// The form of what is kept. Another one is no token.
const FORM: &str = "jwt-bearer token, form 1";

/// Keeps tokens where other processes find them, for [`TokenSource::with_store`](crate::TokenSource::with_store).
///
/// A map of names to bytes. A name is 64 hexadecimal digits and tells nothing; the bytes hold an access token:
/// keep them from others, print them nowhere. A store that fails is logged and passed over, and one that brings
/// anything else than it was given is found out.
///
/// Each call is told the time it may take, a second at most. It comes on a thread that a fetch has for its calls,
/// where one that takes longer is left behind: the caller goes on as if it had failed. When it ends it still
/// counts, those of that fetch that come after it follow, and then the lock is dropped.
pub trait TokenStore: Send + Sync {
    /// What was last saved under `name`.
    ///
    /// # Errors
    /// Whatever the store says, without the bytes. So with all of these.
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError>;

    /// Keeps `bytes` for `lifetime`, in place of what was there.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        timeout: Duration,
    ) -> Result<(), BoxError>;

    /// Forgets these very bytes; what another process saved since then stays.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError>;

    /// Makes the caller the one of all processes who fetches, until the lock is dropped; `None` where another is.
    /// It does not wait: it is asked again.
    ///
    /// Defaults to no lock: then every process fetches for itself, and the last one's token is kept.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock<'_>>, BoxError> {
        let _ = (name, timeout);
        Ok(Some(Box::new(())))
    }
}

/// What [`TokenStore::try_lock`] hands out, to be given back by dropping it.
pub type StoreLock<'s> = Box<dyn Send + 's>;

impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        (**self).load(name, timeout)
    }
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        timeout: Duration,
    ) -> Result<(), BoxError> {
        (**self).save(name, bytes, lifetime, timeout)
    }
    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        (**self).remove(name, bytes, timeout)
    }
    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock<'_>>, BoxError> {
        (**self).try_lock(name, timeout)
    }
}

/// One identity in a store.
pub(crate) struct Shelf {
    pub(crate) counter: Counter,
    identity: Identity,
    /// SHA-256 of the tokens that were invalidated here last: a store that lost their removal must not bring them
    /// back.
    refused: Mutex<Vec<[u8; 32]>>,
}

impl Shelf {
    pub(crate) fn new(store: impl TokenStore + 'static, identity: Identity) -> Self {
        Self {
            counter: Counter::new(store, identity.name.clone()),
            identity,
            refused: Mutex::default(),
        }
    }

    /// This token is taken from the store no more.
    pub(crate) fn refuse(&self, token: &AccessToken) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = hash(token);
        refused.retain(|other| *other != hash);
        if refused.len() == MAX_REFUSED {
            refused.remove(0);
        }
        refused.push(hash);
    }

    pub(crate) fn refuses(&self, token: &AccessToken) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.contains(&hash(token))
    }

    /// What is kept of a token.
    pub(crate) fn written(&self, token: &AccessToken) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let issued = token.issued().duration_since(SystemTime::UNIX_EPOCH)?;
        let members: Vec<_> = token.members().collect();
        let texts = members.iter().flat_map(|(name, value)| [*name, *value]);
        let texts = texts.chain([self.identity.text.as_str(), token.secret()]);
        let longest = texts
            .chain(token.scope())
            .map(|text| text.len().saturating_mul(6));
        // In one allocation: a text that grows leaves copies of the token behind.
        let room = longest.fold(1024, usize::saturating_add);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        let kept = (
            FORM,
            &self.identity.text,
            token.secret(),
            token.scope(),
            members,
            u64::try_from(issued.as_millis())?,
            u64::try_from(token.lifetime().as_millis())?,
        );
        serde_json::to_writer(&mut *bytes, &kept)?;
        Ok(bytes)
    }

    /// The token that was kept, by a clock that says `now`.
    ///
    /// # Errors
    /// Why it is not to be believed.
    pub(crate) fn read(&self, bytes: &[u8], now: SystemTime) -> Result<AccessToken, &'static str> {
        type Kept = (
            String,
            String,
            String,
            Option<String>,
            Vec<(String, String)>,
            u64,
            u64,
        );
        if bytes.len() > MAX_KEPT {
            return Err("it is too long");
        }
        let kept: Result<Kept, _> = serde_json::from_slice(bytes);
        let (form, identity, secret, scope, members, issued, lifetime) =
            kept.map_err(|_| "it is cut off, or something else")?;
        let secret = Zeroizing::new(secret);
        let members = members.into_iter().collect();
        if form != FORM {
            return Err("it is cut off, or something else");
        }
        if identity != self.identity.text {
            return Err("it is of another identity");
        }
        let lifetime = Duration::from_millis(lifetime);
        if lifetime > MAX_TOKEN_LIFETIME {
            return Err("it claims to live for more than 31 days");
        }
        let issued = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(issued));
        let issued = issued.ok_or("it claims to come from the future")?;
        if issued
            .duration_since(now)
            .is_ok_and(|ahead| ahead > MAX_AHEAD)
        {
            return Err("it claims to come from the future");
        }
        // A clock that is ahead of ours must not make it live longer.
        AccessToken::new(&secret, issued.min(now), lifetime, scope, members)
            .ok_or("it is empty or holds something other than visible ASCII")
    }
}

fn hash(token: &AccessToken) -> [u8; 32] {
    jwt::sha256(token.secret().as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::JsonObject;
    use crate::{Audience, Endpoint, HmacKey, Profile};

    const NOW: u64 = 1_700_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
    struct Nowhere;
    impl TokenStore for Nowhere {
        fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(None)
        }
        fn save(&self, _: &str, _: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
    }
    fn shelf(subject: &str) -> Shelf {
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        let profile = Profile::jwt_bearer(endpoint, "issuer", Audience::TokenEndpoint);
        let key = HmacKey::new("secret").unwrap();
        let identity = profile.with_subject(subject).identity(&key);
        Shelf::new(Nowhere, identity.unwrap())
    }
    fn token() -> AccessToken {
        let members = [("id", "https://id/\u{1f511}\"\\\n"), ("scope", "read")];
        let members = members.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let (issued, life) = (at(NOW), Duration::from_millis(299_500));
        let scope = Some("read".to_owned());
        AccessToken::new(
            "00D!to.ken",
            issued,
            life,
            scope,
            members.into_iter().collect(),
        )
        .unwrap()
    }
    /// What is kept of that token, with one of its parts changed.
    fn kept(n: usize, part: Value) -> Vec<u8> {
        let bytes = shelf("alice").written(&token()).unwrap();
        let mut parts: Value = serde_json::from_slice(&bytes).unwrap();
        parts[n] = part;
        parts.to_string().into()
    }

    #[test]
    fn what_is_kept_is_the_token_with_all_that_came_with_it() {
        let bytes = shelf("alice").written(&token()).unwrap();
        let read = shelf("alice").read(&bytes, at(NOW + 100)).unwrap();
        assert_eq!(read.secret(), "00D!to.ken");
        assert_eq!(read.scope(), Some("read"));
        assert!(read.members().eq(token().members()));
        assert_eq!(read.issued(), at(NOW));
        assert_eq!(read.lifetime(), Duration::from_millis(299_500));
    }

    #[test]
    fn what_is_kept_was_written_in_one_piece() {
        for secret in ["t".repeat(60_000), "\"".repeat(60_000)] {
            let life = Duration::from_secs(60);
            let token =
                AccessToken::new(&secret, at(NOW), life, None, JsonObject::default()).unwrap();
            let shelf = shelf("alice");
            let bytes = shelf.written(&token).unwrap();
            let room = (secret.len() + shelf.identity.text.len()) * 6 + 1024;
            assert_eq!(bytes.capacity(), room, "it grew");
            assert!(shelf.read(&bytes, at(NOW)).is_ok());
        }
    }

    #[test]
    fn a_store_is_not_believed() {
        let (alice, other) = (shelf("alice"), shelf("bob").identity.text);
        let month = 31 * 24 * 3600 * 1000_u64;
        let rows: [(&str, Vec<u8>); 15] = [
            ("it is cut off, or something else", Vec::new()),
            ("it is cut off, or something else", b"\0\xff".to_vec()),
            ("it is cut off, or something else", b"{}".to_vec()),
            (
                "it is cut off, or something else",
                kept(0, json!("jwt-bearer token, form 2")),
            ),
            ("it is cut off, or something else", kept(2, json!(null))),
            ("it is cut off, or something else", kept(5, json!(-1))),
            ("it is of another identity", kept(1, json!(other))),
            ("it is of another identity", kept(1, json!(""))),
            (
                "it is empty or holds something other than visible ASCII",
                kept(2, json!("")),
            ),
            (
                "it is empty or holds something other than visible ASCII",
                kept(2, json!("a\r\nX: y")),
            ),
            (
                "it is empty or holds something other than visible ASCII",
                kept(2, json!("a b")),
            ),
            (
                "it claims to live for more than 31 days",
                kept(6, json!(month + 1)),
            ),
            (
                "it claims to live for more than 31 days",
                kept(6, json!(u64::MAX)),
            ),
            (
                "it claims to come from the future",
                kept(5, json!((NOW + 61) * 1000)),
            ),
            (
                "it claims to come from the future",
                kept(5, json!(u64::MAX)),
            ),
        ];
        for (why, bytes) in rows {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(alice.read(&bytes, at(NOW)).err(), Some(why), "{text}");
        }
        let bytes = alice.written(&token()).unwrap();
        let half = &bytes[..bytes.len() / 2];
        assert!(alice.read(half, at(NOW)).is_err());
        let long = [&bytes[..], &vec![b' '; MAX_KEPT]].concat();
        assert_eq!(alice.read(&long, at(NOW)).err(), Some("it is too long"));
        let longest = [&bytes[..], &vec![b' '; MAX_KEPT - bytes.len()]].concat();
        assert!(alice.read(&longest, at(NOW)).is_ok());
        assert!(alice.read(&kept(6, json!(month)), at(NOW)).is_ok());
    }

    #[test]
    fn a_clock_that_is_a_minute_ahead_is_forgiven_and_gives_no_longer_life() {
        let read = shelf("alice").read(&kept(5, json!((NOW + 60) * 1000)), at(NOW));
        assert_eq!(read.unwrap().issued(), at(NOW));
    }

    #[test]
    fn the_last_eight_tokens_are_refused() {
        let shelf = shelf("alice");
        let life = Duration::from_secs(60);
        let token = |n: u32| {
            AccessToken::new(&format!("t{n}"), at(NOW), life, None, JsonObject::default()).unwrap()
        };
        (0..9).for_each(|n| shelf.refuse(&token(n)));
        shelf.refuse(&token(8)); // once more is not one more
        let refused: Vec<_> = (0..10).filter(|n| shelf.refuses(&token(*n))).collect();
        assert_eq!(refused, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn one_token_is_refused_by_its_text() {
        let shelf = shelf("alice");
        assert!(!shelf.refuses(&token()));
        shelf.refuse(&token());
        assert!(shelf.refuses(&token()));
    }
}
