//! What a response of one server means: which member is the token, its lifetime, or an error's code.
//!
//! A member is a name, or a JSON Pointer (RFC 6901) if it begins with a slash.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use log::warn;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, says};
use crate::json::JsonObject;
use crate::message::Response;
use crate::signer::CurrentSigner;
use crate::token::TokenHeader;

use super::lifetime::{LifetimeUnit, SECONDS};

/// Members that RFC 6749 §5.1 puts next to a token.
const MEMBERS_BESIDE_TOKEN: &[&str] = &["expires_in", "scope", "token_type"];

/// The longest member name that an error shows, and the largest number of names.
const MAX_NAME: usize = 32;
const MAX_NAMES: usize = 8;

/// The name of a text body's only member, when it is read as an object.
pub(crate) const TEXT_BODY: &str = "access_token";

/// How the responses of a server are read. The default is RFC 6749 §5.
#[derive(Clone)]
pub(crate) struct ResponseMap {
    /// Reads the body of a success: [`Response::json`] or [`text_body`].
    pub(crate) body: fn(&Response) -> Option<JsonObject>,
    pub(crate) token_member: Cow<'static, str>,
    /// The header that carries the token to an API.
    pub(crate) token_header: TokenHeader,
    pub(crate) lifetime_member: Cow<'static, str>,
    pub(crate) lifetime_unit: LifetimeUnit,
    /// [`warn_of_lifetime`] if the caller named the lifetime member, since its absence is then a mistake. It is a
    /// function so that only a program that names a member contains it.
    pub(crate) warn_of_lifetime: Option<fn(&AssumedLifetime<'_>)>,
    /// Whether the `exp` of the token itself is read if the response names no lifetime and the token is a JWT.
    pub(crate) reads_token_exp: bool,
    /// The lifetime of a token whose response names none.
    pub(crate) default_lifetime: Duration,
    /// The member with the error code, which also says that the server refuses.
    pub(crate) error_member: Cow<'static, str>,
    /// The member with the reason, if the server has its own name for it. It also says that the server refuses.
    pub(crate) error_description_member: Option<Cow<'static, str>>,
    pub(crate) error_kind_rules: Cow<'static, [ErrorKindRule]>,
}

/// What an error means if its status says otherwise.
#[derive(Clone)]
pub(crate) struct ErrorKindRule {
    /// The error's code. An empty text matches only an error without a code (in a `Hint` it matches any).
    pub(crate) code: Cow<'static, str>,
    /// A part of the description, in lower case. An empty text matches any.
    pub(crate) words: &'static str,
    pub(crate) kind: ErrorKind,
}

impl ErrorKindRule {
    pub(crate) const fn unavailable(code: &'static str, words: &'static str) -> Self {
        Self::new(code, words, ErrorKind::Unavailable)
    }
    pub(crate) const fn denied(code: &'static str, words: &'static str) -> Self {
        Self::new(code, words, ErrorKind::Denied)
    }
    const fn new(code: &'static str, words: &'static str, kind: ErrorKind) -> Self {
        Self {
            code: Cow::Borrowed(code),
            words,
            kind,
        }
    }
}

/// The codes of RFC 6749 §4.1.2.1, which servers also use at the token endpoint, and Google's.
const TEMPORARY: &[ErrorKindRule] = &[
    ErrorKindRule::unavailable("temporarily_unavailable", ""),
    ErrorKindRule::unavailable("server_error", ""),
    ErrorKindRule::unavailable("internal_failure", ""),
];

impl Default for ResponseMap {
    fn default() -> Self {
        Self::RFC_6749
    }
}

impl ResponseMap {
    /// RFC 6749 §5.
    const RFC_6749: Self = Self {
        body: Response::json,
        token_member: Cow::Borrowed("access_token"),
        token_header: TokenHeader::BEARER,
        lifetime_member: Cow::Borrowed("expires_in"),
        lifetime_unit: SECONDS,
        warn_of_lifetime: None, // RFC 6749 §5.1: expires_in is recommended, not required
        reads_token_exp: false, // RFC 9068 §6: a client must not inspect its access token
        default_lifetime: Duration::from_secs(300),
        error_member: Cow::Borrowed("error"),
        error_description_member: None,
        error_kind_rules: Cow::Borrowed(&[]),
    };

    /// Returns the kind of an error by its words, or `None` if only its status says it.
    pub(crate) fn kind_of(&self, code: &str, description: &str) -> Option<ErrorKind> {
        let mut rules = self.error_kind_rules.iter().chain(TEMPORARY);
        let rule = rules.find(|rule| rule.code == code && says(description, rule.words));
        rule.map(|rule| rule.kind)
    }
}

/// The response map of a profile: that of RFC 6749, which most servers follow, or its own.
#[derive(Clone)]
pub(crate) enum StandardOrOwn {
    Standard,
    Own(Arc<ResponseMap>),
}

impl StandardOrOwn {
    /// Returns the map with one change. Clones of the profile keep theirs.
    pub(crate) fn with(self, change: impl FnOnce(&mut ResponseMap)) -> Self {
        let mut own = match self {
            Self::Standard => Arc::new(ResponseMap::RFC_6749),
            Self::Own(map) => map,
        };
        change(Arc::make_mut(&mut own));
        Self::Own(own)
    }
}

impl From<ResponseMap> for StandardOrOwn {
    fn from(map: ResponseMap) -> Self {
        Self::Own(map.into())
    }
}

impl Deref for StandardOrOwn {
    type Target = ResponseMap;

    fn deref(&self) -> &ResponseMap {
        const STANDARD: &ResponseMap = &ResponseMap::RFC_6749;
        match self {
            Self::Standard => STANDARD,
            Self::Own(map) => map,
        }
    }
}

/// Reads a body that is the token itself, with or without a line end after it.
///
/// JSON is read as JSON: it may be an error. Returns `None` for a page or other text that cannot be a token.
pub(crate) fn text_body(response: &Response) -> Option<JsonObject> {
    if let Some(object) = response.json() {
        return Some(object);
    }
    let text = std::str::from_utf8(response.body()).ok()?;
    if text.trim_start().starts_with(['<', '[', '{', '"']) {
        return None;
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Some(JsonObject::of_text(TEXT_BODY, text))
}

/// A token whose response has no readable lifetime.
pub(crate) struct AssumedLifetime<'a> {
    pub(crate) map: &'a ResponseMap,
    pub(crate) body: &'a JsonObject,
    pub(crate) server: &'a Endpoint,
    pub(crate) signer: &'a CurrentSigner<'a>,
    /// What the member names of the response must not repeat.
    pub(crate) secrets: &'a [&'a str],
    pub(crate) lifetime: Duration,
}

/// Logs that the lifetime member is absent or cannot be read.
///
/// It quotes no value: a member that was named by mistake may be the token.
pub(crate) fn warn_of_lifetime(assumed: &AssumedLifetime<'_>) {
    let member = &assumed.map.lifetime_member;
    let problem = match assumed.body.find(member) {
        None | Some("null") => without_member(member, assumed.body).0,
        Some(_) => {
            let problem = assumed.map.lifetime_unit.problem;
            format!("the {member} of the response is {problem}")
        }
    };
    let problem = assumed.signer.redact_text(&problem, assumed.secrets);
    let (server, lifetime) = (assumed.server, assumed.lifetime.as_secs());
    warn!(
        "{server:?}: {problem}: the token is taken to live {lifetime} s (setting token-lifetime)"
    );
}

/// Returns the scope as one string (RFC 6749 §5.1). Some servers write an array; anything else counts as unknown.
pub(crate) fn scope(scope: &Value) -> Option<String> {
    match scope {
        Value::String(scope) => Some(scope.clone()),
        Value::Array(scopes) => {
            let scopes: Option<Vec<_>> = scopes.iter().map(Value::as_str).collect();
            scopes.map(|scopes| scopes.join(" "))
        }
        _ => None,
    }
}

/// Says what a response has instead of the token, and which setting reads it.
pub(crate) fn without_token(token: &str, body: &JsonObject) -> Cow<'static, str> {
    let (mut text, has_other) = without_member(token, body);
    if has_other {
        text.push_str(": the setting token-member names the member of the token");
    }
    text.into()
}

/// Says that a response has no `member`, and what it has. Also returns whether any of that can be the token.
fn without_member(member: &str, body: &JsonObject) -> (String, bool) {
    // Servers put secrets in values, not names. Even so, a name that does not look like one is left out.
    let is_shown = |(name, json): &(&str, &str)| {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        *json != "null" && (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_word)
    };
    let (mut text, mut names) = (format!("the response has no {member}"), 0_usize);
    let mut has_other = false;
    let mut show = |parts: [&str; 4]| {
        if names < MAX_NAMES {
            text.push_str(if names == 0 { "; it has " } else { ", " });
            parts.iter().for_each(|part| text.push_str(part));
            has_other |= !MEMBERS_BESIDE_TOKEN.contains(&parts.concat().as_str());
        }
        names = names.saturating_add(1);
    };
    for (name, json) in body.members().filter(is_shown) {
        let object = JsonObject::parse(json.as_bytes());
        match object {
            Some(object) => {
                let inner = object.members().filter(is_shown);
                inner.for_each(|(inner, _)| show(["/", name, "/", inner]));
            }
            None => show([name, "", "", ""]),
        }
    }
    (text, has_other)
}
