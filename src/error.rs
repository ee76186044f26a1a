//! The one opaque error: whose fault it is, what the server said, what to do about it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{error, fmt, io};

use crate::echo;
use crate::http::Response;

/// What a foreign [`Signer`](crate::Signer) may fail with.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// Why a token could not be had.
///
/// Cheap to clone: callers who waited for one fetch share it. It prints no key, assertion or token.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    message: Cow<'static, str>,
    answer: Option<Arc<Answer>>,
    /// What is left of the pause after a failure that is remembered.
    rest: Option<Duration>,
    io: Option<io::ErrorKind>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// What an error takes from a response.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) clock_offset: Option<i64>,
    pub(crate) code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) hint: Option<&'static str>,
}

impl Answer {
    /// `now` is our clock, where there is one.
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
    /// The request did not complete: connection, name, certificate, time.
    Network,
    /// The authorization server answered, and said no.
    Denied,
    /// Something answered that is no token response.
    Protocol,
    /// The server cannot answer now: 408, 429, 500, 502, 503, 504.
    Unavailable,
}

impl Error {
    /// Whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.response().map(Response::status)
    }
    /// The `error` of RFC 6749 §5.2, such as `invalid_grant`, as the server wrote it.
    pub fn code(&self) -> Option<&str> {
        self.answer()?.code.as_deref()
    }
    /// The server's own words: at most 256 characters, none of them control, no assertion.
    pub fn description(&self) -> Option<&str> {
        self.answer()?.description.as_deref()
    }
    /// The answer itself, for a support case. It may repeat the assertion, so it is never printed.
    pub fn response(&self) -> Option<&Response> {
        Some(&self.answer()?.response)
    }
    /// How long to wait: what the server asked for, a year at most, or what is left until the source
    /// asks again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.rest.or_else(|| self.answer()?.retry_after)
    }
    /// Seconds by which the server's clock is ahead of ours, as far as its `Date` and the way it
    /// took tell.
    pub fn clock_offset(&self) -> Option<i64> {
        self.answer()?.clock_offset
    }
    /// What to do, in one sentence, where the server's documents or its users know.
    pub fn hint(&self) -> Option<&'static str> {
        self.answer()?.hint
    }
    /// Whether the same call may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        use io::ErrorKind::{InvalidData, InvalidInput, NotFound};
        match self.kind() {
            ErrorKind::Unavailable => true,
            ErrorKind::Network => !matches!(self.0.io, Some(InvalidData | InvalidInput | NotFound)),
            _ => false,
        }
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Repr {
            kind,
            message: message.into(),
            answer: None,
            rest: None,
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
    /// The request to `host` did not complete.
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
            // In whatever words: every TLS library calls it by this one.
            InvalidData if cause.to_string().contains("certificate") => {
                "its TLS certificate is not accepted"
            }
            InvalidData => "its protocol is not accepted",
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => {
                "the connection ended before the whole answer was there"
            }
            _ => "the request did not complete",
        };
        Self::new(ErrorKind::Network, format!("{host}: {what}"))
            .edit(|e| e.io = Some(kind))
            .because(cause)
    }
    pub(crate) fn because(self, source: impl Into<BoxError>) -> Self {
        self.caused_by(source.into())
    }
    fn caused_by(self, source: BoxError) -> Self {
        let source = Arc::from(source);
        self.edit(|e| e.source = Some(source))
    }
    pub(crate) fn retry_in(self, rest: Duration) -> Self {
        self.edit(|e| e.rest = Some(rest))
    }
    pub(crate) fn answered(self, answer: Answer) -> Self {
        self.edit(|e| e.answer = Some(answer.into()))
    }
    /// Without its cause where that, a foreign text, repeats one of `secrets`.
    pub(crate) fn without(self, secrets: &[&str]) -> Self {
        let mut cause = error::Error::source(&self);
        while let Some(e) = cause {
            let text = format!("{e} {e:?}");
            if secrets.iter().any(|secret| echo::repeats(&text, secret)) {
                return self.edit(|e| e.source = None);
            }
            cause = e.source();
        }
        self
    }
    pub(crate) fn is_timeout(&self) -> bool {
        self.0.io == Some(io::ErrorKind::TimedOut)
    }
    /// The endpoint we knew is not there any more: look it up again.
    pub(crate) fn endpoint_is_gone(&self) -> bool {
        let moved = matches!(self.status(), Some(300..=399 | 404 | 410)) && self.code().is_none();
        let absent = matches!(
            self.0.io,
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
        );
        moved || absent
    }

    fn answer(&self) -> Option<&Answer> {
        self.0.answer.as_deref()
    }
    fn edit(mut self, change: impl FnOnce(&mut Repr)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// What happened, then the server's words; why is in [`source`](error::Error::source).
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
