//! What goes out and what comes back, as data; which URLs may carry an assertion.
//!
//! Nothing here sends anything. A [`Url`] is parsed once, by the parser that ureq uses, so that
//! what was checked is what is sent.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Uri;
use http::uri::Scheme;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a response: a token response is a few kilobytes, and a server that sends more is not
/// one.
pub(crate) const MAX_RESPONSE: usize = 64 * 1024;

/// A pause is told as a year at most: callers add it to a clock, which overflows.
const MAX_PAUSE: Duration = Duration::from_secs(365 * 24 * 3600);

const USER_AGENT: &str = concat!("jwt-bearer/", env!("CARGO_PKG_VERSION"));

/// RFC 3986 §2.3: everything but the unreserved characters is encoded, so a JWT passes as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A URL that may carry an assertion: https, or http to this very machine.
#[derive(Clone)]
pub(crate) struct Url(Arc<Parts>);

struct Parts {
    /// As it was given: `aud` may be this text, and servers compare it byte for byte.
    text: Zeroizing<String>,
    uri: Uri,
    host: String,
}

impl Url {
    pub(crate) fn parse(text: String) -> Result<Self, &'static str> {
        let text = Zeroizing::new(text);
        if text.contains(['"', '\'']) {
            return Err("holds a stray quote, as the printed document does: remove it");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("holds white space or a character that must be percent-encoded");
        }
        if text.contains('#') {
            return Err("holds a fragment"); // http::Uri would drop it without a word
        }
        if !text.contains("://") {
            return Err("has no scheme and host: write https://...");
        }
        let uri = Uri::try_from(text.as_str()).map_err(|_| "is not a URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err("is not a URL");
        };
        if authority.as_str().contains('@') {
            return Err("holds a user name or password");
        }
        let host = authority.host();
        let written = authority
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        if host.is_empty() || written != authority.as_str() {
            return Err("has no proper host and port");
        }
        if *scheme != Scheme::HTTPS && !(*scheme == Scheme::HTTP && is_loopback(host)) {
            return Err("is not https (http is for loopback alone)");
        }
        let host = written;
        Ok(Self(Arc::new(Parts { text, uri, host })))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0.text
    }
    #[cfg(feature = "ureq")]
    pub(crate) fn uri(&self) -> &Uri {
        &self.0.uri
    }
    /// `host` or `host:port`, for people.
    pub(crate) fn host(&self) -> &str {
        &self.0.host
    }
    /// Scheme, host and port; then the path, without a slash at its end.
    pub(crate) fn origin_and_path(&self) -> (String, &str) {
        let scheme = self.0.uri.scheme_str().unwrap_or_default();
        let path = self.0.uri.path().trim_end_matches('/');
        (format!("{scheme}://{}", self.0.host), path)
    }
    /// http, which only this machine is spoken to by.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.uri.scheme() == Some(&Scheme::HTTP)
    }
    pub(crate) fn has_query(&self) -> bool {
        self.0.text.contains('?')
    }
    /// An endpoint's own query stays: RFC 6749 §3.2.
    pub(crate) fn with_query(&self, query: &str) -> Result<Self, &'static str> {
        let joint = if self.has_query() { "&" } else { "?" };
        Self::parse([self.as_str(), joint, query].concat())
    }
}

/// Names that cannot lead off this machine, whatever a resolver or another parser makes of them.
fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]") || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
}

/// A request that has not been sent. It carries an assertion: `Debug` shows method and host only.
pub struct Request {
    method: &'static str,
    url: Url,
    content_type: Option<&'static str>,
    body: Zeroizing<String>,
}

impl Request {
    /// `GET` for metadata, `POST` for a token.
    pub fn method(&self) -> &'static str {
        self.method
    }
    /// Where to, query included.
    ///
    /// With [`Placement::Query`](crate::Placement::Query) the assertion is in it: as secret as
    /// [`body`](Self::body).
    pub fn url(&self) -> &str {
        self.url.as_str()
    }
    /// Header names and values.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [("Accept", "application/json"), ("User-Agent", USER_AGENT)]
            .into_iter()
            .chain(self.content_type.map(|value| ("Content-Type", value)))
    }
    /// The parameters, the assertion among them; empty for `GET`.
    pub fn body(&self) -> &str {
        &self.body
    }

    #[cfg(feature = "ureq")]
    pub(crate) fn uri(&self) -> &Uri {
        self.url.uri()
    }
    pub(crate) fn host(&self) -> &str {
        self.url.host()
    }
    pub(crate) fn get(url: Url) -> Self {
        Self {
            method: "GET",
            url,
            content_type: None,
            body: Zeroizing::default(),
        }
    }
    /// Parameters in a form body: RFC 6749 §4.
    pub(crate) fn post_form(url: &Url, parameters: &[(&str, &str)]) -> Self {
        Self {
            method: "POST",
            url: url.clone(),
            content_type: Some("application/x-www-form-urlencoded"),
            body: form(parameters),
        }
    }
    /// Parameters as one JSON object of strings.
    pub(crate) fn post_json(url: &Url, parameters: &[(&str, &str)]) -> Self {
        Self {
            method: "POST",
            url: url.clone(),
            content_type: Some("application/json"),
            body: json(parameters),
        }
    }
    /// Parameters in the query of an empty `POST`.
    pub(crate) fn post_query(url: &Url, parameters: &[(&str, &str)]) -> Result<Self, &'static str> {
        Ok(Self {
            method: "POST",
            url: url.with_query(&form(parameters))?,
            content_type: None,
            body: Zeroizing::default(),
        })
    }
}

fn form(parameters: &[(&str, &str)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(room(parameters, "%0A")));
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, RESERVED));
        text.push('=');
        text.extend(utf8_percent_encode(value, RESERVED));
    }
    text
}

fn json(parameters: &[(&str, &str)]) -> Zeroizing<String> {
    let mut bytes = Vec::with_capacity(room(parameters, LONGEST_ESCAPE));
    for (name, value) in parameters {
        bytes.push(if bytes.is_empty() { b'{' } else { b',' });
        let _ = serde_json::to_writer(&mut bytes, name); // a vector takes everything
        bytes.push(b':');
        let _ = serde_json::to_writer(&mut bytes, value);
    }
    bytes.push(b'}');
    Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
}

/// Of JSON (RFC 8259 §7).
const LONGEST_ESCAPE: &str = r"\u001f";

/// Bytes that are enough where one is written as `longest` at most: a string that grows leaves
/// copies of the assertion behind.
fn room(parameters: &[(&str, &str)], longest: &str) -> usize {
    let bytes = parameters.iter().flat_map(|(name, value)| [name, value]);
    let around = r#""":,"#.len(); // and as many braces as there is no comma
    bytes.fold(around, |sum, text| {
        let most = text.len().saturating_mul(longest.len());
        sum.saturating_add(most).saturating_add(around)
    })
}

/// An answer, however it was fetched. It may carry a token: `Debug` shows status and length only.
#[derive(Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// An answer without headers. More than 64 KiB is refused when it is read.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Zeroizing::new(body.into()),
        }
    }
    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
    /// All headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
    /// The body as it came.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The members of a JSON object. `Content-Type` is not asked: servers get it wrong.
    ///
    /// Of an array the first element speaks: Salesforce's APIs answer errors as
    /// `[{"message":...}]`.
    pub(crate) fn members(&self) -> Option<Members> {
        if self.is_too_long() {
            return None; // it is not even parsed
        }
        let mut all = Members::of(&self.body)?;
        if self.status >= 400 && all.0.is_array() {
            all = Members(all.0.get_mut(0)?.take());
        }
        all.0.is_object().then_some(all)
    }
    /// 200 and a JSON object: somebody who knows answered.
    pub(crate) fn is_document(&self) -> bool {
        self.status == 200 && self.members().is_some()
    }
    pub(crate) fn is_too_long(&self) -> bool {
        self.body.len() > MAX_RESPONSE
    }
    /// Compressed, says its header.
    pub(crate) fn is_encoded(&self) -> bool {
        let encoding = self.header("Content-Encoding").map(str::trim);
        encoding.is_some_and(|name| !name.eq_ignore_ascii_case("identity"))
    }
    /// Worth another try later.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
    }
    /// The server's clock: RFC 9110 §6.6.1.
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header("Date")?.trim()).ok()
    }
    /// Seconds by which the server's clock is ahead of `now`; not where a cache answered.
    pub(crate) fn clock_offset(&self, now: SystemTime) -> Option<i64> {
        let aged = |age: &str| age.trim().parse() != Ok(0_u64);
        let date = self
            .date()
            .filter(|_| !self.header("Age").is_some_and(aged))?;
        let seconds = |ahead: Duration| i64::try_from(ahead.as_secs()).ok();
        match date.duration_since(now) {
            Ok(ahead) => seconds(ahead),
            Err(behind) => seconds(behind.duration())?.checked_neg(),
        }
    }
    /// RFC 9110 §10.2.3, in seconds or as a date; a date is compared with the server's clock,
    /// else ours.
    pub(crate) fn retry_after(&self, now: Option<SystemTime>) -> Option<Duration> {
        let value = self.header("Retry-After")?.trim();
        let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let pause = match is_number {
            true => value.parse().map_or(MAX_PAUSE, Duration::from_secs),
            false => {
                let date = httpdate::parse_http_date(value).ok()?;
                let since = self.date().or(now)?;
                date.duration_since(since).unwrap_or_default() // it has passed
            }
        };
        Some(pause.min(MAX_PAUSE))
    }
    /// Where a redirect leads, by its host alone: the rest may hold anything.
    pub(crate) fn redirect_host(&self) -> Option<String> {
        let redirects = matches!(self.status, 300..=399);
        let location = self.header("Location").filter(|_| redirects)?;
        // A bare word would pass for a host.
        let uri = Uri::try_from(location)
            .ok()
            .filter(|uri| uri.scheme().is_some());
        let host = uri.as_ref().and_then(Uri::host);
        Some(host.unwrap_or("another path").to_owned())
    }
}

/// The members of a JSON object. Their texts, a token may be among them, are wiped when dropped.
#[derive(Default)]
pub(crate) struct Members(Value);

impl Members {
    pub(crate) fn of(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
    /// What is not to be handed on.
    pub(crate) fn forget(&mut self, name: &str) {
        if let Some(value) = self.0.get_mut(name) {
            wipe(value);
            *value = Value::Null;
        }
    }
    /// What is there by name, sorted: a string as it is, anything else as its JSON, since `issued_at`
    /// comes as either.
    pub(crate) fn texts(&self) -> Texts {
        let members = self.0.as_object().into_iter().flatten();
        let there = members.filter(|(_, value)| !value.is_null());
        let texts = there.map(|(name, value)| {
            let text = value.as_str().map(str::to_owned);
            (
                name.clone(),
                text.unwrap_or_else(|| value.to_string()).into(),
            )
        });
        texts.collect()
    }
}

pub(crate) type Texts = Vec<(String, Zeroizing<String>)>;

impl FromIterator<(String, String)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(texts: I) -> Self {
        Self(texts.into_iter().collect())
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(elements) => elements.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that grows leaves copies of the assertion behind.
    #[test]
    fn there_is_room_for_what_is_escaped_at_its_longest() {
        let short: &[(&str, &str)] = &[("a", "b")];
        let long = "\u{1f}".repeat(1000);
        let escaped: &[(&str, &str)] = &[(&long, &long), ("\u{1f}", ""), ("", &long)];
        for parameters in [short, escaped] {
            let (form_room, json_room) = (room(parameters, "%0A"), room(parameters, r"\u001f"));
            let (form, json) = (form(parameters), json(parameters));
            assert!(form.len() <= form_room && json.len() <= json_room);
            assert_eq!((form.capacity(), json.capacity()), (form_room, json_room));
        }
    }
}
