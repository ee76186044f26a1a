//! Shares tokens between processes: the interface of a token store, and the checks of what was stored.
//!
//! A store maps names to bytes, and several processes see it. What it returns is checked like a response: no store can
//! hand out a token of another identity, one that could forge a header, or one that has expired or lives forever. Keys,
//! assertions and failures are never stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use std::{mem, str};

use zeroize::Zeroizing;

use crate::error::BoxError;
use crate::json::{self, JsonObject};
use crate::key::hash::sha256;
use crate::profile::MAX_TOKEN_LIFETIME;
use crate::profile::identity::TokenIdentity;
use crate::token::AccessToken;

#[cfg(all(feature = "file-store", unix))]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a token store in files"
)]
mod unix_directory;

#[cfg(all(feature = "file-store", windows))]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a token store in files"
)]
mod windows_directory;

#[cfg(all(feature = "file-store", any(unix, windows)))]
pub(crate) mod file;

#[cfg(feature = "redis")]
pub(crate) mod redis;

/// The longest stored token, in bytes. It is enough for an identity and a response of 64 KiB that is escaped as a whole
/// and stored twice in part. A store need not read more.
pub(crate) const MAX_STORED: usize = 1024 * 1024;
/// The clocks of two machines may differ by this much; a store that claims more is not trusted.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);
/// How many rejected tokens are remembered. A token lives for minutes, so eight invalidations later it has expired.
const MAX_REJECTED: usize = 8;
/// The name of the format, with its version: anything else is not a token.
const FORMAT: &str = "jwt-bearer token, format 2";

const NOT_A_TOKEN: &str = "it is cut off, or something else";

/// Keeps tokens where other processes find them, for [`TokenSource::with_store`](crate::TokenSource::with_store).
///
/// It maps names to bytes. A name is 64 hexadecimal digits; the bytes hold an access token: keep them from others, and
/// never print them. A store that fails is logged and ignored, and bytes that this crate did not write are rejected.
///
/// Each call gets a time limit, at most a second, and runs on its own thread. A call that takes longer counts as
/// failed, and the store is not called again during that fetch. A timed-out call still takes effect when it returns; a
/// lock that it returns is dropped then.
///
/// A name is the SHA-256 hash of the key's identity and the settings. The bytes have this identity and the settings
/// too, but each value of a claim, header member, parameter or request header, and the endpoint's query, is replaced by
/// a SHA-256 hash that is salted with the key's identity. The identity of an HMAC secret is an HMAC-SHA256 of a fixed
/// text. So anyone who can read the bytes can test guesses of a weak HMAC secret and of a weak value, and anyone who
/// sees only the name can do so if they know or guess the rest.
pub trait TokenStore: Send + Sync {
    /// Returns what was last saved under `name`.
    ///
    /// # Errors
    /// Any error of the store, without the bytes. The same is true of the other methods.
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError>;

    /// Stores `bytes` for `lifetime`, replacing what was there.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        timeout: Duration,
    ) -> Result<(), BoxError>;

    /// Removes exactly these bytes; anything that another process has saved since then stays.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError>;

    /// Locks `name` for this process until the lock is dropped; returns `None` if another process has the lock.
    ///
    /// It must not wait, because the source calls it again. The default takes no lock: every process fetches for
    /// itself, and the last token is kept.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock>, BoxError> {
        let _ = (name, timeout);
        Ok(Some(Box::new(())))
    }
}

/// The lock that [`TokenStore::try_lock`] returns. Dropping it, on any thread, releases it.
pub type StoreLock = Box<dyn Send>;

macro_rules! forward_token_store {
    ($pointer:ident) => {
        impl<S: TokenStore + ?Sized> TokenStore for $pointer<S> {
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
            fn try_lock(
                &self,
                name: &str,
                timeout: Duration,
            ) -> Result<Option<StoreLock>, BoxError> {
                (**self).try_lock(name, timeout)
            }
        }
    };
}
forward_token_store!(Arc);
forward_token_store!(Box);

/// The tokens that were last invalidated here: a store that lost their removal must not bring them back.
#[derive(Default)]
pub(crate) struct RejectedTokens(Mutex<Vec<[u8; 32]>>);

impl RejectedTokens {
    /// Rejects this token from now on.
    pub(crate) fn add(&self, token: &AccessToken) {
        let hash = hash(token);
        let mut rejected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.retain(|other| *other != hash);
        if rejected.len() == MAX_REJECTED {
            rejected.remove(0);
        }
        rejected.push(hash);
    }

    pub(crate) fn contains(&self, token: &AccessToken) -> bool {
        let rejected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.contains(&hash(token))
    }
}

/// The entries of the key that signs now, and of the key that it replaced.
pub(crate) struct StoreEntries(Mutex<Entries>);

struct Entries {
    current: Arc<StoreEntry>,
    former: Option<Arc<StoreEntry>>,
}

impl StoreEntries {
    pub(crate) fn new(identity: TokenIdentity) -> Self {
        Self(Mutex::new(Entries {
            current: Arc::new(StoreEntry { identity }),
            former: None,
        }))
    }

    /// Returns the current entry, which is of this identity if there is one.
    pub(crate) fn current(&self, identity: Option<TokenIdentity>) -> Arc<StoreEntry> {
        let mut entries = self.entries();
        if let Some(identity) = identity.filter(|identity| !entries.current.is_for(identity)) {
            let current = Arc::new(StoreEntry { identity });
            entries.former = Some(mem::replace(&mut entries.current, current));
        }
        entries.current.clone()
    }

    pub(crate) fn former(&self) -> Option<Arc<StoreEntry>> {
        self.entries().former.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of one identity in a store: its name, and the conversion of its token to bytes and back.
pub(crate) struct StoreEntry {
    identity: TokenIdentity,
}

impl StoreEntry {
    fn is_for(&self, identity: &TokenIdentity) -> bool {
        self.identity.text == identity.text
    }

    /// Returns the name under which the store keeps the token.
    pub(crate) fn name(&self) -> &str {
        &self.identity.name
    }

    /// Returns the bytes that are stored for a token.
    pub(crate) fn encode(&self, token: &AccessToken) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let issued = token.issued().duration_since(SystemTime::UNIX_EPOCH)?;
        let member = |(name, json): (&str, &str)| {
            json::encode_array(&[json::encode_string(name).as_slice(), json.as_bytes()])
        };
        let members: Vec<_> = token.json_members().map(member).collect();
        let number = |number: u128| Zeroizing::new(number.to_string().into_bytes());
        Ok(json::encode_array(&[
            json::encode_string(FORMAT),
            json::encode_string(&self.identity.text),
            json::encode_string(token.secret()),
            token
                .scope()
                .map_or_else(|| b"null".to_vec().into(), json::encode_string),
            json::encode_array(&members),
            number(issued.as_millis()),
            number(token.lifetime().as_millis()),
        ]))
    }

    /// Returns the stored token. `now` is the time by our clock.
    ///
    /// # Errors
    /// Why the bytes are rejected.
    pub(crate) fn decode(
        &self,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<AccessToken, &'static str> {
        if bytes.len() > MAX_STORED {
            return Err("it is too long");
        }
        let stored = str::from_utf8(bytes).ok().and_then(json::elements);
        let stored = stored.unwrap_or_default();
        let [format, identity, secret, scope, members, issued, lifetime] = *stored else {
            return Err(NOT_A_TOKEN);
        };
        let text = |json| json::decode_string(json).ok_or(NOT_A_TOKEN);
        let milliseconds = |json: &str| {
            let number = json.parse().map_err(|_| NOT_A_TOKEN);
            number.map(Duration::from_millis)
        };
        if *text(format)? != FORMAT {
            return Err(NOT_A_TOKEN);
        }
        if *text(identity)? != self.identity.text {
            return Err("it is of another identity");
        }
        let secret = text(secret)?;
        let scope = match scope {
            "null" => None,
            json => Some(text(json)?.to_string()),
        };
        let members = json::elements(members).unwrap_or_default();
        let members: Option<Vec<_>> = members.into_iter().map(json::elements).collect();
        let members =
            members.and_then(|all| JsonObject::from_members(all.iter().map(Vec::as_slice)));
        let members = members.ok_or(NOT_A_TOKEN)?;
        let lifetime = milliseconds(lifetime)?;
        if lifetime > MAX_TOKEN_LIFETIME {
            return Err("it claims to live for more than 31 days");
        }
        let issued = SystemTime::UNIX_EPOCH.checked_add(milliseconds(issued)?);
        let issued = issued.ok_or("it claims to come from the future")?;
        if issued
            .duration_since(now)
            .is_ok_and(|ahead| ahead > MAX_CLOCK_DIFFERENCE)
        {
            return Err("it claims to come from the future");
        }
        // A time ahead of ours stays as it is, so that the end of the token is the same at each load.
        let header = &self.identity.header;
        AccessToken::new(&secret, header, issued, lifetime, scope, members)
            .ok_or("it is empty or holds something other than visible ASCII")
    }
}

fn hash(token: &AccessToken) -> [u8; 32] {
    sha256(token.secret().as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::token::TokenHeader;
    use crate::{Audience, Endpoint, HmacKey, Profile};

    const NOW: u64 = 1_700_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
    fn entry_of(subject: &str) -> StoreEntry {
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        let profile = Profile::jwt_bearer(endpoint, "issuer", Audience::TokenEndpoint);
        let key = HmacKey::new("secret").unwrap();
        let identity = profile.with_subject(subject).token_identity(&key);
        StoreEntry {
            identity: identity.unwrap(),
        }
    }
    fn token() -> AccessToken {
        let members =
            r#"{"id":"https://id/\ud83d\udd11\"\\\n","n":12345678901234567890123,"scope":"read"}"#;
        let members = JsonObject::parse(members.as_bytes()).unwrap();
        let (issued, lifetime) = (at(NOW), Duration::from_millis(299_500));
        let scope = Some("read".to_owned());
        AccessToken::new(
            "00D!to.ken",
            &TokenHeader::BEARER,
            issued,
            lifetime,
            scope,
            members,
        )
        .unwrap()
    }
    /// The stored form of that token, with one of its parts changed.
    fn stored_with(n: usize, part: Value) -> Vec<u8> {
        let bytes = entry_of("alice").encode(&token()).unwrap();
        let mut parts: Value = serde_json::from_slice(&bytes).unwrap();
        parts[n] = part;
        parts.to_string().into()
    }

    #[test]
    fn decoded_token_has_everything_that_came_with_it() {
        let bytes = entry_of("alice").encode(&token()).unwrap();
        let read = entry_of("alice").decode(&bytes, at(NOW + 100)).unwrap();
        assert_eq!(read.secret(), "00D!to.ken");
        assert_eq!(read.scope(), Some("read"));
        assert!(read.members().eq(token().members()));
        assert_eq!(read.json("n"), Some("12345678901234567890123"));
        assert_eq!(read.issued(), at(NOW));
        assert_eq!(read.lifetime(), Duration::from_millis(299_500));
    }

    #[test]
    fn encode_allocates_once() {
        for secret in ["t".repeat(60_000), "\"".repeat(60_000)] {
            let lifetime = Duration::from_secs(60);
            let token = AccessToken::new(
                &secret,
                &TokenHeader::BEARER,
                at(NOW),
                lifetime,
                None,
                JsonObject::default(),
            )
            .unwrap();
            let entry = entry_of("alice");
            let bytes = entry.encode(&token).unwrap();
            assert_eq!(bytes.capacity(), bytes.len(), "it grew");
            assert!(entry.decode(&bytes, at(NOW)).is_ok());
        }
    }

    #[test]
    fn decode_refuses_what_a_store_invents() {
        let (alice, other) = (entry_of("alice"), entry_of("bob").identity.text);
        let month = 31 * 24 * 3600 * 1000_u64;
        let rows: [(&str, Vec<u8>); 15] = [
            ("it is cut off, or something else", Vec::new()),
            ("it is cut off, or something else", b"\0\xff".to_vec()),
            ("it is cut off, or something else", b"{}".to_vec()),
            (
                "it is cut off, or something else",
                stored_with(0, json!("jwt-bearer token, format 1")),
            ),
            (
                "it is cut off, or something else",
                stored_with(2, json!(null)),
            ),
            (
                "it is cut off, or something else",
                stored_with(5, json!(-1)),
            ),
            ("it is of another identity", stored_with(1, json!(other))),
            ("it is of another identity", stored_with(1, json!(""))),
            (
                "it is empty or holds something other than visible ASCII",
                stored_with(2, json!("")),
            ),
            (
                "it is empty or holds something other than visible ASCII",
                stored_with(2, json!("a\r\nX: y")),
            ),
            (
                "it is empty or holds something other than visible ASCII",
                stored_with(2, json!("a b")),
            ),
            (
                "it claims to live for more than 31 days",
                stored_with(6, json!(month + 1)),
            ),
            (
                "it claims to live for more than 31 days",
                stored_with(6, json!(u64::MAX)),
            ),
            (
                "it claims to come from the future",
                stored_with(5, json!((NOW + 61) * 1000)),
            ),
            (
                "it claims to come from the future",
                stored_with(5, json!(u64::MAX)),
            ),
        ];
        for (why, bytes) in rows {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(alice.decode(&bytes, at(NOW)).err(), Some(why), "{text}");
        }
        let bytes = alice.encode(&token()).unwrap();
        let half = &bytes[..bytes.len() / 2];
        assert!(alice.decode(half, at(NOW)).is_err());
        let long = [&bytes[..], &vec![b' '; MAX_STORED]].concat();
        assert_eq!(alice.decode(&long, at(NOW)).err(), Some("it is too long"));
        let longest = [&bytes[..], &vec![b' '; MAX_STORED - bytes.len()]].concat();
        assert!(alice.decode(&longest, at(NOW)).is_ok());
        assert!(alice.decode(&stored_with(6, json!(month)), at(NOW)).is_ok());
    }

    #[test]
    fn decode_keeps_the_date_of_a_clock_a_minute_ahead() {
        for now in [NOW, NOW + 30] {
            let bytes = stored_with(5, json!((NOW + 60) * 1000));
            let read = entry_of("alice").decode(&bytes, at(now)).unwrap();
            assert_eq!(read.issued(), at(NOW + 60));
        }
    }

    #[test]
    fn last_eight_invalidated_tokens_are_rejected() {
        let rejected = RejectedTokens::default();
        let lifetime = Duration::from_secs(60);
        let token = |n: u32| {
            AccessToken::new(
                &format!("t{n}"),
                &TokenHeader::BEARER,
                at(NOW),
                lifetime,
                None,
                JsonObject::default(),
            )
            .unwrap()
        };
        (0..9).for_each(|n| rejected.add(&token(n)));
        rejected.add(&token(8)); // once more is not one more
        let found: Vec<_> = (0..10).filter(|n| rejected.contains(&token(*n))).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn token_is_rejected_by_its_text() {
        let rejected = RejectedTokens::default();
        assert!(!rejected.contains(&token()));
        rejected.add(&token());
        assert!(rejected.contains(&token()));
    }
}
