//! Requests and responses as data. Nothing here sends anything.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Method, Uri};
use zeroize::Zeroizing;

use crate::json::JsonObject;
use crate::url::Url;

mod retry_after;

/// The longest response body, in bytes: a token response is a few kilobytes, and a server that sends more is not an
/// authorization server.
pub(crate) const MAX_RESPONSE: usize = 64 * 1024;

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

/// Names and values of additional headers.
pub(crate) type RequestHeaders = Vec<(Cow<'static, str>, Zeroizing<String>)>;

impl Request {
    /// Returns `GET` for metadata and with [`Placement::GET`](crate::Placement::GET), otherwise `POST`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the URL, query included.
    ///
    /// With [`Placement::QUERY`](crate::Placement::QUERY) and [`Placement::GET`](crate::Placement::GET) it may contain
    /// the assertion, and is then as secret as [`body`](Self::body).
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

    /// Returns the encoded parameters, usually with the assertion; empty if they are in the URL.
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

    /// Adds headers, each replacing our own of that name.
    pub(crate) fn with_headers(self, headers: RequestHeaders) -> Self {
        Self { headers, ..self }
    }

    /// Returns the request without its body, in the form of the `http` crate.
    pub(crate) fn head(&self) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = match self.method {
            "GET" => Method::GET,
            _ => Method::POST,
        };
        *head.uri_mut() = self.uri().clone();
        for (name, value) in self.headers() {
            let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
            // Always so: a profile with a header that fails `is_header` is refused.
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(!is_public_header(name.as_str())); // HTTP libraries do not print it then
                head.headers_mut().append(name, value);
            }
        }
        head
    }
}

/// Returns whether a header can be sent with every request. Headers that frame a message are left to the HTTP client.
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

    /// Returns the first header of this name, ignoring case.
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

    /// Returns the body as it was received.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Parses the body. `Content-Type` is ignored: servers get it wrong.
    ///
    /// In an error, the first element of an array counts: Salesforce's APIs answer `[{"message":...}]`.
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

    /// Returns the server's time (RFC 9110 §6.6.1).
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header("Date")?.trim()).ok()
    }

    /// Returns the seconds by which the server's clock is ahead of `now`.
    ///
    /// Returns `None` if the response has no date that can be read, or comes from a cache.
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

    /// Returns the host that a redirect leads to; the rest of the URL may hold anything.
    pub(crate) fn redirect_host(&self) -> Option<String> {
        let is_redirect = matches!(self.status, 300..=399);
        let location = self.header("Location").filter(|_| is_redirect)?;
        let uri = match location.strip_prefix("//") {
            Some(rest) => Uri::try_from(format!("https://{rest}")), // a host without a scheme (RFC 3986 §4.2)
            None => Uri::try_from(location),
        };
        // A bare word would pass for a host.
        let uri = uri.ok().filter(|uri| uri.scheme().is_some());
        let host = uri.as_ref().and_then(Uri::host);
        Some(host.unwrap_or("another path").to_owned())
    }
}

/// Returns whether the values of a header are not secret.
pub(crate) fn is_public_header(name: &str) -> bool {
    const PUBLIC: &[&str] = &["Accept", "User-Agent", "Content-Type"];
    PUBLIC
        .iter()
        .any(|public| name.eq_ignore_ascii_case(public))
}

/// Converts a request to one of the `http` crate, for clients that take that form. The `Content-Length` is left to the
/// client.
impl From<&Request> for http::Request<Vec<u8>> {
    fn from(request: &Request) -> Self {
        request.head().map(|()| request.body().to_vec())
    }
}

/// Converts a response of the `http` crate.
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

/// Converts a response to one of the `http` crate.
///
/// # Errors
/// If the status, or a header's name or value, is invalid by that crate's rules.
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
