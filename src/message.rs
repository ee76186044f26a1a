//! Requests and responses as data. Nothing here sends anything.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Uri};
use zeroize::Zeroizing;

use crate::json::JsonObject;
use crate::url::Url;

/// Bytes of a response body: a token response is a few kilobytes, and a server that sends more is
/// not an authorization server.
pub(crate) const MAX_RESPONSE: usize = 64 * 1024;

/// The longest `Retry-After` that is reported, a year: callers add it to a clock, which overflows.
const MAX_REPORTED_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A rate limit is reset within a year: a larger number is a Unix time.
const MAX_RESET_IN: Duration = MAX_REPORTED_RETRY_AFTER;

const USER_AGENT: &str = concat!("jwt-bearer/", env!("CARGO_PKG_VERSION"));

/// A request that has not been sent.
///
/// It carries an assertion: `Debug` shows method and host only, and what it carries is wiped when dropped.
pub struct Request {
    method: &'static str,
    url: Url,
    content_type: Option<&'static str>,
    headers: RequestHeaders,
    body: Zeroizing<Vec<u8>>,
}

/// Names and values of further headers.
pub(crate) type RequestHeaders = Vec<(Cow<'static, str>, Zeroizing<String>)>;

impl Request {
    /// Returns `GET` for metadata and with [`Placement::GET`](crate::Placement::GET), `POST` else.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the URL, query included.
    ///
    /// With [`Placement::QUERY`](crate::Placement::QUERY) and [`Placement::GET`](crate::Placement::GET)
    /// the assertion may be in it: as secret as [`body`](Self::body).
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Returns header names and values. A value may be as secret as [`body`](Self::body).
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_replaced = |name: &str| {
            let mut headers = self.headers.iter();
            headers.any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        let ours = [("Accept", "application/json"), ("User-Agent", USER_AGENT)];
        let ours = ours
            .into_iter()
            .chain(self.content_type.map(|value| ("Content-Type", value)));
        let further = self.headers.iter();
        let further = further.map(|(name, value)| (name.as_ref(), value.as_str()));
        ours.filter(move |(name, _)| !is_replaced(name))
            .chain(further)
    }

    /// Returns the parameters, the assertion usually among them, encoded; empty where they are in the URL.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn uri(&self) -> &Uri {
        self.url.uri()
    }

    /// Returns `host` or `host:port`, for messages.
    pub(crate) fn authority(&self) -> &str {
        self.url.authority()
    }

    pub(crate) fn get(url: Url) -> Self {
        Self {
            method: "GET",
            url,
            content_type: None,
            headers: Vec::new(),
            body: Zeroizing::default(),
        }
    }

    pub(crate) fn post(url: Url, content_type: &'static str, body: Zeroizing<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            url,
            content_type: Some(content_type).filter(|_| !body.is_empty()),
            headers: Vec::new(),
            body,
        }
    }

    /// Adds headers, each in place of our own of that name.
    pub(crate) fn with_headers(self, headers: RequestHeaders) -> Self {
        Self { headers, ..self }
    }
}

/// Returns whether a header can be sent with every request. Those that frame a message are the HTTP client's.
pub(crate) fn is_header(name: &str, value: &str) -> bool {
    const FRAMING: &[&str] = &["connection", "content-length", "host", "transfer-encoding"];
    let is_framing = FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing));
    let is_line = value.is_ascii() && HeaderValue::try_from(value).is_ok();
    !is_framing && is_line && HeaderName::try_from(name).is_ok()
}

/// A response, however it was fetched.
///
/// It may carry a token: `Debug` shows status and length only, and the body is wiped when dropped.
#[derive(Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// Makes a response without headers. A body over 64 KiB is refused when it is read.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Zeroizing::new(body.into()),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the first header of this name, in any case.
    #[inline(never)] // eight callers would have a copy each
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns all headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the body as it came.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Parses the body. `Content-Type` is ignored: servers get it wrong.
    ///
    /// In an error the first element of an array counts: Salesforce's APIs answer
    /// `[{"message":...}]`.
    pub(crate) fn json(&self) -> Option<JsonObject> {
        match self.status {
            _ if self.is_too_long() => None,
            400.. => JsonObject::parse_first(&self.body),
            _ => JsonObject::parse(&self.body),
        }
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.body.len() > MAX_RESPONSE
    }

    /// Returns whether `Content-Encoding` says that the body is compressed.
    pub(crate) fn is_encoded(&self) -> bool {
        let encoding = self.header("Content-Encoding").map(str::trim);
        encoding.is_some_and(|name| !name.eq_ignore_ascii_case("identity"))
    }

    /// Returns whether the status says that the server may answer later.
    pub(crate) fn is_unavailable(&self) -> bool {
        match self.status {
            501 | 505 => false, // it will never answer this
            408 | 425 | 429 | 500..=599 => true,
            _ => false,
        }
    }

    /// Returns the server's clock (RFC 9110 §6.6.1).
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header("Date")?.trim()).ok()
    }

    /// Returns the seconds by which the server's clock is ahead of `now`; nothing where a cache
    /// answered.
    pub(crate) fn clock_offset(&self, now: SystemTime) -> Option<i64> {
        let has_aged = |age: &str| age.trim().parse() != Ok(0_u64);
        let date = self
            .date()
            .filter(|_| !self.header("Age").is_some_and(has_aged))?;
        let seconds = |ahead: Duration| i64::try_from(ahead.as_secs()).ok();
        match date.duration_since(now) {
            Ok(ahead) => seconds(ahead),
            Err(behind) => seconds(behind.duration())?.checked_neg(),
        }
    }

    /// Returns how long the server asks to wait: `Retry-After` (RFC 9110 §10.2.3), else when its rate limit is reset.
    pub(crate) fn retry_after(&self, now: Option<SystemTime>) -> Option<Duration> {
        // A date is compared with the server's clock, else with ours.
        let now = self.date().or(now);
        let read = |value: &str| {
            seconds(value).or_else(|| {
                let date = httpdate::parse_http_date(value).ok()?;
                Some(date.duration_since(now?).unwrap_or_default()) // the date may have passed
            })
        };
        let header = self.header("Retry-After").map(str::trim);
        let asked = header.and_then(read).or_else(|| self.rate_limit_reset(now));
        asked.map(|asked| asked.min(MAX_REPORTED_RETRY_AFTER))
    }

    /// Returns the time until the rate limits are reset that are the reason for this response.
    fn rate_limit_reset(&self, now: Option<SystemTime>) -> Option<Duration> {
        if !matches!(self.status, 429 | 503) {
            return None;
        }
        let is_field = |name: &str| name.eq_ignore_ascii_case("RateLimit");
        let lines = self.headers().filter(|(name, _)| is_field(name));
        let in_lines = lines.flat_map(|(_, line)| {
            // draft-ietf-httpapi-ratelimit-headers lists policies and what remains of each: `"day";r=0;t=30`.
            let policies = split_unquoted(line, ',');
            let policies = policies.map(|p| (parameter(p, ';', "r"), parameter(p, ';', "t")));
            let policies = policies.filter(|(remaining, _)| remaining.is_some());
            // Its older versions have one policy: `limit=9, remaining=0, reset=30`, or a field for each of these.
            let value = |name| parameter(line, ',', name);
            policies.chain([(value("remaining"), value("reset"))])
        });
        let fields = ["RateLimit", "X-RateLimit", "X-Rate-Limit"].map(|name| {
            let value = |suffix| seconds(self.header(&[name, suffix].concat())?.trim());
            (value("-Remaining"), value("-Reset"))
        });
        let exhausted = in_lines.chain(fields).filter(|(remaining, _)| {
            // Where a server does not say what remains, the status says that it is nothing.
            remaining.map_or(self.status == 429, |remaining| remaining.is_zero())
        });
        // Some servers (Okta, GitHub) write a Unix time, others the seconds that are left.
        let pauses = exhausted.filter_map(|(_, reset)| match reset? > MAX_RESET_IN {
            true => {
                let reset = SystemTime::UNIX_EPOCH.checked_add(reset?)?;
                Some(reset.duration_since(now?).unwrap_or_default())
            }
            false => reset,
        });
        pauses.max()
    }

    /// Returns the host that a redirect leads to; the rest of the URL may hold anything.
    pub(crate) fn redirect_host(&self) -> Option<String> {
        let is_redirect = matches!(self.status, 300..=399);
        let location = self.header("Location").filter(|_| is_redirect)?;
        // A bare word would pass for a host.
        let uri = Uri::try_from(location)
            .ok()
            .filter(|uri| uri.scheme().is_some());
        let host = uri.as_ref().and_then(Uri::host);
        Some(host.unwrap_or("another path").to_owned())
    }
}

/// Splits a structured field (RFC 9651) at `separator`, but not in quoted texts.
fn split_unquoted(field: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    field.split(move |c| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c => return c == separator && !is_quoted,
        }
        false
    })
}

/// Returns the number that a parameter of a structured field has.
fn parameter(field: &str, separator: char, name: &str) -> Option<Duration> {
    split_unquoted(field, separator).find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        (found.trim() == name).then(|| seconds(value.trim()))?
    })
}

/// Parses whole seconds; a number that is too large is the longest time.
#[inline(never)] // each of its callers would have a copy
fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().map_or(Duration::MAX, Duration::from_secs))
}

/// Returns a value as HTTP libraries have it. They do not print one that may be secret.
pub(crate) fn header_value(name: &str, value: &str) -> Option<HeaderValue> {
    const PUBLIC: &[&str] = &["Accept", "User-Agent", "Content-Type"];
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(!PUBLIC.contains(&name));
    Some(value)
}

/// The request as the `http` crate has it, for clients that take that form. The `Content-Length` is
/// left to the client.
impl From<&Request> for http::Request<Vec<u8>> {
    fn from(request: &Request) -> Self {
        let mut converted = Self::new(request.body().to_vec());
        *converted.method_mut() = match request.method {
            "GET" => http::Method::GET,
            _ => http::Method::POST,
        };
        *converted.uri_mut() = request.uri().clone();
        for (name, value) in request.headers() {
            if let (Ok(name), Some(value)) = (HeaderName::try_from(name), header_value(name, value))
            {
                converted.headers_mut().insert(name, value);
            }
        }
        converted
    }
}

/// A response as the `http` crate has it.
impl<B: Into<Vec<u8>>> From<http::Response<B>> for Response {
    fn from(response: http::Response<B>) -> Self {
        let (head, body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        Self {
            headers: headers.collect(),
            ..Self::new(head.status.as_u16(), body)
        }
    }
}

/// The response as the `http` crate has it.
///
/// # Errors
/// Where status, a header's name or its value is none by that crate's rules.
impl TryFrom<&Response> for http::Response<Vec<u8>> {
    type Error = http::Error;

    fn try_from(response: &Response) -> Result<Self, http::Error> {
        let mut converted = Self::new(response.body().to_vec());
        *converted.status_mut() = http::StatusCode::from_u16(response.status)?;
        for (name, value) in response.headers() {
            let value = HeaderValue::try_from(value)?;
            converted
                .headers_mut()
                .append(HeaderName::try_from(name)?, value);
        }
        Ok(converted)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.authority())
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

    #[test]
    fn retry_after_is_the_rate_limit_reset_where_a_server_sends_that_alone() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let wait = |status: u16, headers: &[(&str, &str)]| {
            let response = headers
                .iter()
                .fold(Response::new(status, ""), |r, (n, v)| r.with_header(*n, *v));
            response.retry_after(Some(now)).map(|wait| wait.as_secs())
        };
        for (header, value, expected) in [
            ("X-Rate-Limit-Reset", "1700000042", Some(42)), // Okta
            ("X-RateLimit-Reset", "1700000042", Some(42)),  // GitHub
            ("x-ratelimit-reset", "1699999999", Some(0)),
            ("RateLimit-Reset", "30", Some(30)),
            ("RateLimit", r#""default";r=0;t=17"#, Some(17)),
            ("RateLimit", "limit=100, remaining=0, reset=50", Some(50)),
            ("RateLimit", "limit=100", None),
            ("RateLimit-Reset", "soon", None),
            ("X-RateLimit-Reset", "99999999999999999999999", None), // no time that a clock has
        ] {
            assert_eq!(wait(429, &[(header, value)]), expected, "{header}: {value}");
            assert_eq!(wait(400, &[(header, value)]), None, "{header}");
        }
        let both = [("Retry-After", "5"), ("RateLimit-Reset", "30")];
        assert_eq!(wait(429, &both), Some(5));
    }

    /// draft-ietf-httpapi-ratelimit-headers: each policy has a quota of its own, and `r` is what is left of it.
    #[test]
    fn rate_limit_counts_where_a_policy_is_exhausted_and_the_longest_of_several_counts() {
        for (headers, on_429, on_503) in [
            (
                &[("RateLimit", r#""burst";r=0;t=17, "daily";r=95;t=3600"#)][..],
                Some(17),
                Some(17),
            ),
            (
                &[("RateLimit", r#""daily";r=95;t=3600, "burst";r=0;t=17"#)],
                Some(17),
                Some(17),
            ),
            (
                &[("RateLimit", r#""burst";r=0;t=17,"daily";r=0;t=3600"#)],
                Some(3600),
                Some(3600),
            ),
            (
                &[
                    ("RateLimit", r#""burst";r=0;t=17"#),
                    ("ratelimit", r#""daily";r=0;t=60"#),
                ],
                Some(60),
                Some(60),
            ),
            (&[("RateLimit", r#""daily";r=95;t=3600"#)], None, None),
            // Names and partition keys are quoted, and may contain what separates other things.
            (
                &[("RateLimit", r#""a,b;t=9\"";t=5;pk=:cHs9O3Q9OQ==:; r=0"#)],
                Some(5),
                Some(5),
            ),
            (&[("RateLimit", r#""a;r=0;t=9";r=1;t=5"#)], None, None),
            // How long it lasts is optional, what is left is not.
            (&[("RateLimit", r#""burst";r=0"#)], None, None),
            (&[("RateLimit", r#""burst";t=5"#)], None, None),
            (&[("RateLimit", r#""burst";r=0;t="5""#)], None, None),
            // Older drafts have one policy, in one field or in three.
            (
                &[("RateLimit", "limit=100, remaining=0, reset=50")],
                Some(50),
                Some(50),
            ),
            (
                &[("RateLimit", "limit=100, remaining=7, reset=50")],
                None,
                None,
            ),
            (&[("RateLimit", "limit=100, reset=50")], Some(50), None),
            (
                &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "5")],
                Some(5),
                Some(5),
            ),
            (
                &[("X-RateLimit-Remaining", "7"), ("X-RateLimit-Reset", "5")],
                None,
                None,
            ),
            (
                &[("X-Rate-Limit-Remaining", "7"), ("X-RateLimit-Reset", "5")],
                Some(5),
                None,
            ),
            (&[("X-Rate-Limit-Reset", "5")], Some(5), None),
        ] {
            for (status, expected) in [(429, on_429), (503, on_503), (401, None), (200, None)] {
                let response = headers
                    .iter()
                    .fold(Response::new(status, ""), |r, (n, v)| r.with_header(*n, *v));
                let pause = response.retry_after(None).map(|pause| pause.as_secs());
                assert_eq!(pause, expected, "{status} {headers:?}");
            }
        }
    }
}
