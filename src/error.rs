//! The one opaque error: whose fault it is, what the server said, and what to do about it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{error, fmt, io};

use crate::message::Response;
use crate::redact;

/// An error from foreign code: a [`Signer`](crate::Signer), a [`TokenStore`](crate::TokenStore).
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// Why there is no token.
///
/// It is cheap to clone: callers that waited for one fetch share it. It prints no key, assertion or token.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    message: Cow<'static, str>,
    response: Option<Arc<ErrorResponse>>,
    /// The time until a remembered failure is forgotten.
    retry_in: Option<Duration>,
    io: Option<io::ErrorKind>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// What an error keeps of a response.
pub(crate) struct ErrorResponse {
    pub(crate) response: Response,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) clock_offset: Option<i64>,
    pub(crate) code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) hint: Option<&'static str>,
}

impl ErrorResponse {
    /// `now` is the local clock, if the caller has one.
    pub(crate) fn new(response: Response, now: Option<SystemTime>) -> Self {
        Self {
            retry_after: response.retry_after(now),
            clock_offset: now.and_then(|now| response.clock_offset(now)),
            response,
            code: None,
            description: None,
            hint: None,
        }
    }
}

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The key is unusable, or the signer failed.
    Key,
    /// A URL, claim, parameter or duration is out of range.
    Config,
    /// The request did not complete: connection, host name, certificate or time limit. If it was the time limit,
    /// [`is_timeout`](Error::is_timeout) is true.
    Network,
    /// Another caller's fetch did not finish within the time of this call. A request that times out is
    /// [`Network`](Self::Network).
    Timeout,
    /// The authorization server answered, and refused.
    Denied,
    /// The response is not a token response.
    Protocol,
    /// The server cannot answer now: status 408, 425, 429, or 5xx except 501 and 505.
    Unavailable,
}

impl Error {
    /// Returns whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// Returns the HTTP status, if there was a response.
    pub fn status(&self) -> Option<u16> {
        self.response().map(Response::status)
    }
    /// Returns the `error` of RFC 6749 §5.2, such as `invalid_grant`.
    ///
    /// It is the server's word, without secrets or invisible characters, and has at most 256 characters.
    pub fn code(&self) -> Option<&str> {
        self.error_response()?.code.as_deref()
    }
    /// Returns the server's own words.
    ///
    /// They have at most 256 characters, no control characters, and no part of the assertion.
    pub fn description(&self) -> Option<&str> {
        self.error_response()?.description.as_deref()
    }
    /// Returns the response itself, for a support case. It may repeat the assertion, so it is never
    /// printed.
    pub fn response(&self) -> Option<&Response> {
        Some(&self.error_response()?.response)
    }
    /// Returns how long to wait, a year at most.
    ///
    /// It is the time until the source asks the server again, or what the server asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0
            .retry_in
            .or_else(|| self.error_response()?.retry_after)
    }
    /// Returns how long the server asked to wait, regardless of what a source remembers.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    pub fn server_retry_after(&self) -> Option<Duration> {
        self.error_response()?.retry_after
    }
    /// Returns the seconds by which the server's clock is ahead of ours.
    ///
    /// Compares the response's `Date` with the local time: in a [`TokenSource`](crate::TokenSource) with the middle
    /// of the exchange, else with the time given to [`Exchange::new`](crate::Exchange::new).
    pub fn clock_offset(&self) -> Option<i64> {
        self.error_response()?.clock_offset
    }
    /// Returns what to do, in one sentence, if the server's documents or its users know.
    pub fn hint(&self) -> Option<&'static str> {
        self.error_response()?.hint
    }
    /// Returns whether time ran out: for the request, or for waiting for another caller.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout || self.0.io == Some(io::ErrorKind::TimedOut)
    }
    /// Returns whether the same call may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        use io::ErrorKind::{InvalidData, InvalidInput, NotFound};
        match self.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout => true,
            ErrorKind::Network => !matches!(self.0.io, Some(InvalidData | InvalidInput | NotFound)),
            _ => false,
        }
    }

    /// Returns why a request did not complete, as a kind of [`io::Error`].
    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        self.0.io
    }
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::from_message(kind, message.into())
    }
    #[cold] // a copy in each of a hundred places would take 10 kB
    fn from_message(kind: ErrorKind, message: Cow<'static, str>) -> Self {
        Self(Arc::new(Repr {
            kind,
            message,
            response: None,
            retry_in: None,
            io: None,
            source: None,
        }))
    }
    pub(crate) fn key(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Key, message)
    }
    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, message)
    }
    pub(crate) fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }
    /// Makes the error of a request to `host` that did not complete.
    pub(crate) fn network(host: &str, cause: io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidData,
            NotFound, TimedOut, UnexpectedEof,
        };
        let kind = cause.kind();
        let what = match kind {
            TimedOut => "no answer in time",
            ConnectionRefused => "nobody listens there",
            NotFound => "host name is unknown",
            InvalidData if is_about_certificate(&cause) => "its TLS certificate is not accepted",
            InvalidData => "its protocol is not accepted",
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => {
                "the connection ended before the whole answer was there"
            }
            _ => "the request did not complete",
        };
        Self::new(ErrorKind::Network, format!("{host}: {what}"))
            .edit(|e| e.io = Some(kind))
            .with_source(cause)
    }
    /// Makes the error of a caller whose time ran out before a request was sent.
    pub(crate) fn out_of_time() -> Self {
        Self::new(ErrorKind::Network, "no time is left to send a request")
            .edit(|e| e.io = Some(io::ErrorKind::TimedOut))
    }
    pub(crate) fn with_source(self, source: impl Into<BoxError>) -> Self {
        let source = Arc::from(source.into());
        self.edit(|e| e.source = Some(source))
    }
    /// Puts `context` in front of the message.
    pub(crate) fn with_context(self, context: &str) -> Self {
        self.edit(|e| e.message = format!("{context}{}", e.message).into())
    }
    pub(crate) fn with_retry_in(self, retry_in: Duration) -> Self {
        self.edit(|e| e.retry_in = Some(retry_in))
    }
    pub(crate) fn with_response(self, response: ErrorResponse) -> Self {
        self.edit(|e| e.response = Some(response.into()))
    }
    /// Drops the source, which is foreign text, if it repeats one of `secrets`.
    pub(crate) fn without_secrets(self, secrets: &[&str]) -> Self {
        let mut source = error::Error::source(&self);
        while let Some(e) = source {
            let text = format!("{e} {e:?}");
            if secrets.iter().any(|secret| redact::repeats(&text, secret)) {
                return self.edit(|e| e.source = None);
            }
            source = e.source();
        }
        self
    }
    fn error_response(&self) -> Option<&ErrorResponse> {
        self.0.response.as_deref()
    }
    fn edit(mut self, change: impl FnOnce(&mut Repr)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Returns whether an error of a connection is about the server's certificate: every TLS library uses this word.
pub(crate) fn is_about_certificate(cause: &io::Error) -> bool {
    says(&format!("{cause}"), "certificate") // `to_string` would add code for another formatter
}

/// Returns whether foreign words contain `part`, which is in lower case, ignoring case.
pub(crate) fn says(words: &str, part: &str) -> bool {
    words.to_ascii_lowercase().contains(part)
}

/// What happened, then the server's words. The cause is in [`source`](error::Error::source).
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for words in [self.code(), self.description()].into_iter().flatten() {
            write!(f, ": {words}")?;
        }
        match self.status() {
            Some(status) => write!(f, " (status {status})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.status())
            .field("code", &self.code())
            .field("description", &self.description())
            .field("hint", &self.hint())
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
