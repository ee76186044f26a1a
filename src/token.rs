//! An access token: its header value, its life, and what came with it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::http::{Members, Texts};

const SCHEME: &str = "Bearer ";

/// A bearer token (RFC 6750) and what came with it. Cloning shares it; it is wiped when the last
/// clone is dropped.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    authorization: Zeroizing<String>, // the token is its tail
    issued: SystemTime,
    lifetime: Duration,
    scope: Option<String>,
    members: Members,
    /// Made when one is asked for.
    texts: OnceLock<Texts>,
}

impl AccessToken {
    /// The token itself. Whoever holds it can spend it.
    pub fn secret(&self) -> &str {
        self.authorization()
            .strip_prefix(SCHEME)
            .unwrap_or_default()
    }
    /// The value of an `Authorization` header: RFC 6750 §2.1.
    pub fn authorization(&self) -> &str {
        &self.0.authorization
    }
    /// When the server will stop accepting it, as far as it said; by our clock.
    pub fn expires_at(&self) -> SystemTime {
        self.0
            .issued
            .checked_add(self.0.lifetime)
            .unwrap_or(self.0.issued)
    }
    /// What was granted, else what was asked: RFC 6749 §5.1.
    ///
    /// Two servers were seen to drop a scope and not to say so: what the API takes is what was granted.
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }
    /// Another member of the response: a string as it is, anything else as its JSON text.
    ///
    /// `access_token` is not among them; it has a door of its own. `null` is `None`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut members = self.members();
        members
            .find(|(other, _)| *other == name)
            .map(|(_, text)| text)
    }

    /// All members that [`get`](Self::get) knows, sorted by name.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.0.texts.get_or_init(|| self.0.members.texts());
        texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// `None` unless `secret` is visible ASCII (RFC 6749 §A.12): anything else could forge a
    /// header.
    pub(crate) fn new(
        secret: &str,
        issued: SystemTime,
        lifetime: Duration,
        scope: Option<String>,
        members: Members,
    ) -> Option<Self> {
        let visible = !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic());
        visible.then(|| {
            let authorization = Zeroizing::new([SCHEME, secret].concat());
            Self(Arc::new(Inner {
                authorization,
                issued,
                lifetime,
                scope,
                members,
                texts: OnceLock::new(),
            }))
        })
    }
    pub(crate) fn issued(&self) -> SystemTime {
        self.0.issued
    }
    pub(crate) fn lifetime(&self) -> Duration {
        self.0.lifetime
    }
    /// This very token, not one that reads the same: a server may hand out one string twice.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Nothing that a server wrote: a member, or its name, may repeat the token or the assertion.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
