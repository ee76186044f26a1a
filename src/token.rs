//! An access token: its header value, its lifetime, and what came with it.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::json::{JsonObject, TextMembers};
use crate::message;

/// The header that carries a token to an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenHeader {
    name: Cow<'static, str>,
    prefix: Cow<'static, str>,
    suffix: Cow<'static, str>,
}

impl TokenHeader {
    /// RFC 6750 §2.1.
    pub(crate) const BEARER: Self = Self::new("Authorization", "Bearer ");

    pub(crate) const fn new(name: &'static str, prefix: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            prefix: Cow::Borrowed(prefix),
            suffix: Cow::Borrowed(""),
        }
    }

    /// Parses a line such as `X-Vault-Token: {}`, where `{}` is the token.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, value) = line.split_once(':')?;
        let (prefix, suffix) = value.trim().split_once("{}")?;
        let is_whole = message::is_header(name, prefix) && message::is_header(name, suffix);
        is_whole.then(|| Self {
            name: name.to_owned().into(),
            prefix: prefix.to_owned().into(),
            suffix: suffix.to_owned().into(),
        })
    }
}

/// A bearer token (RFC 6750) and what came with it.
///
/// Clones share one token, which is wiped when the last of them is dropped.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    header: TokenHeader,
    /// The value of that header: one copy of the token serves all accessors.
    value: Zeroizing<String>,
    issued: SystemTime,
    lifetime: Duration,
    scope: Option<String>,
    members: JsonObject,
    /// The members as text, converted on first use.
    texts: OnceLock<TextMembers>,
}

impl AccessToken {
    /// Returns the token itself, a secret: whoever has it can use it.
    pub fn secret(&self) -> &str {
        let TokenHeader { prefix, suffix, .. } = &self.0.header;
        let value = self.authorization().strip_prefix(&**prefix);
        value
            .and_then(|value| value.strip_suffix(&**suffix))
            .unwrap_or_default()
    }
    /// Returns the value of the header that carries the token to an API: `Bearer` and the token (RFC 6750 §2.1),
    /// unless the profile [says otherwise](crate::Profile::with_token_header).
    pub fn authorization(&self) -> &str {
        &self.0.value
    }
    /// Returns the name of that header: `Authorization`, unless the profile says otherwise.
    pub fn header_name(&self) -> &str {
        &self.0.header.name
    }
    /// Returns [`authorization`](Self::authorization) as a header value that is marked sensitive.
    ///
    /// HTTP libraries do not print such values.
    pub fn header_value(&self) -> http::HeaderValue {
        // A usable token is visible ASCII, and prefix and suffix were checked.
        let value = http::HeaderValue::from_str(self.authorization());
        let mut value = value.unwrap_or_else(|_| http::HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
    /// Returns when the token expires by the source's clock.
    ///
    /// The lifetime is the server's, or the profile's default if the server sent none.
    pub fn expires_at(&self) -> SystemTime {
        self.0
            .issued
            .checked_add(self.0.lifetime)
            .unwrap_or(self.0.issued)
    }
    /// Returns the scope that was granted, else the one that was requested (RFC 6749 §5.1).
    ///
    /// Some servers drop a scope without saying so. Only a call to the API shows what the token allows.
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }
    /// Returns another member of the response: a string as it is, anything else as JSON text.
    ///
    /// Returns `None` for the token, whose accessor is [`secret`](Self::secret), and for `null`. What is inside a
    /// member is found by [`json_at`](Self::json_at).
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut members = self.members();
        members
            .find(|(other, _)| *other == name)
            .map(|(_, text)| text)
    }

    /// Returns another member of the response as the JSON that it is, with every digit of a number.
    pub fn json(&self, name: &str) -> Option<&str> {
        self.0.members.json(name)
    }
    /// Returns the JSON that a JSON Pointer (RFC 6901) leads to, such as `/auth/policies/0`.
    pub fn json_at(&self, pointer: &str) -> Option<&str> {
        self.0.members.find(pointer)
    }
    /// Returns names and the JSON of their values.
    pub(crate) fn json_members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.members.members()
    }

    /// Returns the name and text of each member that [`get`](Self::get) finds, sorted by name.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.0.texts.get_or_init(|| self.0.members.text_members());
        texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Returns whether a token is visible ASCII (RFC 6749 §A.12). Anything else could forge a header.
    pub(crate) fn is_usable(secret: &str) -> bool {
        !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic())
    }

    /// Returns `None` if the token is not [usable](Self::is_usable).
    pub(crate) fn new(
        secret: &str,
        header: &TokenHeader,
        issued: SystemTime,
        lifetime: Duration,
        scope: Option<String>,
        members: JsonObject,
    ) -> Option<Self> {
        Self::is_usable(secret).then(|| {
            let value = Zeroizing::new([&header.prefix, secret, &header.suffix].concat());
            Self(Arc::new(Inner {
                header: header.clone(),
                value,
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
    /// Returns whether both are clones of one token. A server may issue the same text twice.
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Prints nothing that the server sent: a member or its name may contain the token or the assertion.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
