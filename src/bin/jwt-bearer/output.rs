//! Text to standard output, messages to standard error, failures to exit statuses.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use jwt_bearer::{Error, ErrorKind};
use serde_json::{Map, Value};

use crate::progress::Requests;
use crate::{key_hints, reporting};

/// The exit status of a failure of the arguments.
const USAGE: u8 = 2;
/// Seconds: a smaller difference of the clocks is no reason for a refusal.
pub(crate) const MIN_OFFSET: u64 = 30;

/// Characters of somebody else's name that an error repeats.
const MAX_FOREIGN: usize = 100;

/// Words of the TLS library, and what to do.
const CERTIFICATE_HINTS: &[(&str, &str)] = &[
    (
        "CaUsedAsEndEntity",
        "the server presents a CA certificate as its own; this makes one that is not, to be given with --ca: openssl \
         req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.pem -days 365 -subj /CN=HOST -addext \
         subjectAltName=DNS:HOST -addext basicConstraints=critical,CA:FALSE",
    ),
    (
        "UnknownIssuer",
        "trust the CA that issued the certificate with --ca FILE, or the roots of this machine with --system-roots; \
         behind a proxy that inspects TLS it is the proxy's CA",
    ),
    (
        "UnsupportedCertVersion",
        "the server's certificate is of X.509 version 1: it needs one of version 3 with subjectAltName",
    ),
    (
        "not valid for name",
        "use a host name that the certificate has, or a certificate that has the host name in subjectAltName",
    ),
    (
        "certificate expired",
        "renew the server's certificate, or set this machine's clock",
    ),
    (
        "certificate not valid yet",
        "set this machine's clock, or wait until the certificate is valid",
    ),
    (
        "BadSignature",
        "the certificate was not signed by the CA that it names: trust the CA that did with --ca FILE; one of the same \
         name may be trusted already",
    ),
    (
        "extended key usage",
        "the server needs a certificate with the purpose serverAuth",
    ),
    (
        "Revoked",
        "the server needs a new certificate, since its CA has revoked this one",
    ),
    (
        "invalid peer certificate",
        "see the certificate with openssl s_client -showcerts -connect HOST:PORT, and ask whoever runs the server for \
         another one",
    ),
];

/// Why the command failed: an exit status for scripts, a message and hints for people.
#[derive(Clone)]
pub(crate) struct Failure {
    status: u8,
    message: String,
    hints: Vec<String>,
    part: Option<Part>,
    /// What the library knows.
    error: Option<Arc<Error>>,
    /// What the transport knows, if a token was asked for.
    requests: Requests,
}

/// What of the arguments a failure is about, where it is not the profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The file of the key, which cannot be read.
    File,
    /// What is in that file.
    Key,
    Certificate,
}

impl Failure {
    /// Creates a failure with this exit status.
    pub(crate) fn new(status: u8, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            hints: Vec::new(),
            part: None,
            error: None,
            requests: Requests::default(),
        }
    }

    /// Creates a failure of the arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// Creates a failure of a key, a file or the configuration.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(3, message)
    }

    /// Creates a failure of the network.
    pub(crate) fn network(message: impl Into<String>) -> Self {
        Self::new(4, message)
    }

    /// Creates a failure to write standard output.
    pub(crate) fn stdout(error: io::Error) -> Self {
        Self::new(1, format!("standard output: {error}"))
    }

    /// Creates a failure to run a command, with the exit status of a shell.
    pub(crate) fn command(status: u8, message: impl Into<String>) -> Self {
        Self::new(status, message)
    }

    /// Creates a failure that is caused by the content of a file.
    pub(crate) fn in_file(file: &Path, error: Error) -> Self {
        let failure = Self::from(error);
        Self {
            message: format!("{}: {}", file.display(), failure.message),
            ..failure
        }
    }

    /// Creates a failure of a token that is not what it claims to be.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self {
            status: 5,
            ..Self::config(message)
        }
    }

    /// Creates a failure of a text that is no token.
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self {
            status: 6,
            ..Self::config(message)
        }
    }

    /// Adds what to do.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Creates a failure that is on standard output already.
    pub(crate) fn reported(status: u8) -> Self {
        Self::new(status, "")
    }

    /// Returns whether the arguments themselves are wrong.
    pub(crate) fn is_usage(&self) -> bool {
        self.status == USAGE
    }

    /// Says what the failure is about.
    pub(crate) fn in_part(self, part: Part) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    pub(crate) fn part(&self) -> Option<Part> {
        self.part
    }

    /// Returns the exit status, the message and the hints.
    pub(crate) fn into_parts(self) -> (u8, String, Vec<String>) {
        let circumstances: Vec<_> = self.circumstances().collect();
        let hints = [self.hints, circumstances].concat();
        (self.status, self.message, hints)
    }

    /// Adds what is known of the requests.
    pub(crate) fn with_requests(self, requests: Requests) -> Self {
        Self { requests, ..self }
    }

    /// Prints message and hints to standard error, and returns the exit status.
    pub(crate) fn report(self) -> ExitCode {
        if self.message.is_empty() {
            return ExitCode::from(self.status);
        }
        let notes = reporting::take_notes();
        if reporting::is_json() {
            print_to_stderr(escape_invisible(&self.json()));
            return ExitCode::from(self.status);
        }
        if self.status != USAGE {
            notes.iter().for_each(|note| print_message(note));
        }
        print_error(&self.message);
        let hints = self.hints.iter().cloned();
        for hint in hints.chain(self.circumstances()).chain(self.sent()) {
            print_to_stderr(format!("  {}", escape_invisible(&hint)));
        }
        ExitCode::from(self.status)
    }

    /// Returns what the server's response says about time, in sentences.
    fn circumstances(&self) -> impl Iterator<Item = String> + use<> {
        let error = self.error.as_deref();
        let is_denied = error.is_some_and(|error| error.kind() == ErrorKind::Denied);
        let offset = error.and_then(Error::clock_offset).filter(|_| is_denied);
        let offset = offset.filter(|seconds| seconds.unsigned_abs() >= MIN_OFFSET);
        let advice = match self.requests.corrects_clock {
            true => "set the clock that is wrong",
            false => "set the clock that is wrong, or sign by the server's with --correct-clock",
        };
        let offset = offset.map(|seconds| {
            let (n, direction) = (
                seconds.unsigned_abs(),
                if seconds > 0 { "ahead of" } else { "behind" },
            );
            format!("the server's clock is {n} s {direction} this machine's: {advice}")
        });
        // A date in the past asks for no pause.
        let pause = error
            .and_then(Error::retry_after)
            .map(|pause| pause.as_secs());
        let pause = pause.filter(|seconds| *seconds > 0).map(|seconds| {
            format!("the server asks for a pause of {seconds} s before the next request")
        });
        offset.into_iter().chain(pause)
    }

    /// Returns in words where the requests went, as far as that is not in the message.
    fn sent(&self) -> Option<String> {
        let kind = self.error.as_ref()?.kind();
        let (requests, was_answered) = (
            &self.requests,
            matches!(
                kind,
                ErrorKind::Denied | ErrorKind::Protocol | ErrorKind::Unavailable
            ),
        );
        let endpoint = (was_answered && requests.attempts > 0)
            .then(|| format!("sent to {}", requests.endpoint));
        let proxy = requests
            .proxy
            .as_ref()
            .map(|proxy| format!("through the proxy {proxy}"));
        let proxy =
            proxy.filter(|proxy| !self.message.contains(proxy.trim_start_matches("through ")));
        let attempts = (requests.attempts > 1).then(|| format!("{} attempts", requests.attempts));
        let parts: Vec<_> = [endpoint, proxy, attempts].into_iter().flatten().collect();
        let trace = match kind {
            ErrorKind::Denied | ErrorKind::Protocol
                if !requests.is_verbose && requests.attempts > 0 =>
            {
                "; -v shows request and response"
            }
            _ => "",
        };
        (!parts.is_empty()).then(|| format!("{}{trace}", parts.join(", ")))
    }

    /// Returns what is known as a JSON object. What is not known has no member.
    fn json(&self) -> String {
        let error = self.error.as_deref();
        let text = |text: &str| Some(Value::from(text)).filter(|_| !text.is_empty());
        let kind = match (error.map(Error::kind), self.status) {
            (Some(kind), _) => format!("{kind:?}").to_ascii_lowercase(),
            (None, 1) => "output".to_owned(),
            (None, USAGE) => "usage".to_owned(),
            (None, 4) => "network".to_owned(),
            (None, 5) => "denied".to_owned(),
            (None, 6) => "protocol".to_owned(),
            (None, 7) => "unavailable".to_owned(),
            (None, 126..) => "command".to_owned(),
            (None, _) => "config".to_owned(),
        };
        let requests = &self.requests;
        let pause = error.and_then(Error::retry_after);
        let members = [
            ("message", text(&self.message)),
            ("kind", text(&kind)),
            ("code", error.and_then(Error::code).map(Value::from)),
            (
                "description",
                error.and_then(Error::description).map(Value::from),
            ),
            ("hint", text(&self.hints.join("; "))),
            ("status", error.and_then(Error::status).map(Value::from)),
            ("retry_after", pause.map(|pause| pause.as_secs().into())),
            (
                "clock_offset",
                error.and_then(Error::clock_offset).map(Value::from),
            ),
            (
                "attempts",
                Some(requests.attempts.into()).filter(|_| requests.attempts > 0),
            ),
            ("endpoint", text(&requests.endpoint)),
            ("proxy", requests.proxy.as_deref().and_then(text)),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<_, _>>()).to_string()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Key | ErrorKind::Config => 3,
            ErrorKind::Network | ErrorKind::Timeout => 4,
            ErrorKind::Denied => 5,
            ErrorKind::Unavailable => 7,
            _ => 6,
        };
        // The causes are short, and none of them repeats the message, so all of them fit on one line.
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(e) = cause {
            message = format!("{message}: {e}");
            cause = e.source();
        }
        let is_network = error.kind() == ErrorKind::Network; // else these words are the server's
        let hints = [
            error.hint(),
            is_network.then(|| certificate_hint(&message)).flatten(),
            match error.kind() {
                ErrorKind::Key => key_hints::hint(&message),
                _ => None,
            },
        ];
        Self {
            hints: hints.into_iter().flatten().map(str::to_owned).collect(),
            error: Some(Arc::new(error)),
            ..Self::new(status, message)
        }
    }
}

/// Returns what to do about a certificate, by the words of the TLS library in `message`.
pub(crate) fn certificate_hint(message: &str) -> Option<&'static str> {
    let (_, hint) = (CERTIFICATE_HINTS.iter()).find(|(word, _)| message.contains(word))?;
    Some(hint)
}

/// Prints a line to standard output.
///
/// # Errors
/// Where standard output is closed or full.
pub(crate) fn print_to_stdout(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::stdout)
}

/// Prints a line to standard error. A closed standard error is ignored: nothing is left to report it to.
pub(crate) fn print_to_stderr(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a line to standard error, unless the user wants errors alone.
pub(crate) fn print_note(text: impl Display) {
    if !reporting::is_quiet() {
        print_to_stderr(text);
    }
}

/// Prints a warning to standard error, unless the user wants errors alone.
pub(crate) fn print_message(message: &str) {
    print_note(format_args!("jwt-bearer: {}", escape_invisible(message)));
}

fn print_error(message: &str) {
    print_to_stderr(format!("jwt-bearer: {}", escape_invisible(message)));
}

/// Escapes control characters and others that change how a terminal shows a line, as JSON does.
pub(crate) fn escape_invisible(text: &str) -> String {
    let is_visible = |c: char| matches!(c, '"' | '\'' | '\\') || c.escape_debug().count() == 1;
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match is_visible(c) {
            true => escaped.push(c),
            false => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    escaped
}

/// Returns the beginning of a text that somebody else wrote, and dots in place of the rest.
pub(crate) fn shortened(text: &str) -> String {
    cut(text, MAX_FOREIGN)
}

/// Returns as many characters of a text, and dots in place of the rest.
pub(crate) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Prints a labelled line to standard error, for `-v`.
pub(crate) fn print_trace((label, text): (&str, String)) {
    print_to_stderr(format!("{label:9} {}", escape_invisible(&text)));
}
