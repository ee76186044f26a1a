//! Tokens to standard output, messages to standard error, failures to exit statuses.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use jwt_bearer::{AccessToken, Error, ErrorKind};
use serde_json::Value;

use crate::args::Format;
use crate::json_text::without_whitespace;
use crate::key_hints;

/// Seconds: a smaller difference of the clocks is no reason for a refusal.
pub(crate) const MIN_OFFSET: u64 = 30;

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
        }
    }

    /// Creates a failure of the arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(2, message)
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

    /// Creates a failure that is caused by the content of a file.
    pub(crate) fn in_file(file: &Path, error: Error) -> Self {
        let hint = (error.kind() == ErrorKind::Key).then(|| key_hints::hint(&error.to_string()));
        let mut failure = Self::from(error);
        failure.hints.extend(hint.flatten().map(str::to_owned));
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
        self.status == 2
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
        (self.status, self.message, self.hints)
    }

    /// Prints message and hints to standard error, and returns the exit status.
    pub(crate) fn report(self) -> ExitCode {
        if self.message.is_empty() {
            return ExitCode::from(self.status);
        }
        print_message(&self.message);
        for hint in self.hints {
            print_to_stderr(format!("  {hint}"));
        }
        ExitCode::from(self.status)
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
        let hints = error.hint().map(str::to_owned).into_iter();
        let hints = hints.chain(circumstances(&error));
        let is_network = error.kind() == ErrorKind::Network; // else these words are the server's
        let certificate = is_network.then(|| certificate_hint(&message)).flatten();
        let hints = hints.chain(certificate.map(str::to_owned));
        Self {
            status,
            hints: hints.collect(),
            message,
            part: None,
        }
    }
}

/// Returns what the server's response says about time, in sentences.
fn circumstances(error: &Error) -> impl Iterator<Item = String> {
    let offset = (error.clock_offset())
        .filter(|seconds| error.kind() == ErrorKind::Denied && seconds.unsigned_abs() >= MIN_OFFSET)
        .map(|seconds| {
            let (n, direction) = (seconds.unsigned_abs(), if seconds > 0 { "ahead of" } else { "behind" });
            format!("the server's clock is {n} s {direction} this machine's: set the clock that is wrong")
        });
    // A date in the past asks for no pause.
    let pause = error.retry_after().map(|pause| pause.as_secs());
    let pause = pause.filter(|seconds| *seconds > 0).map(|seconds| {
        format!("the server asks for a pause of {seconds} s before the next request")
    });
    offset.into_iter().chain(pause)
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

/// Prints a warning or an error to standard error.
pub(crate) fn print_message(message: &str) {
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

/// Prints a labelled line to standard error, for `-v`.
pub(crate) fn print_trace((label, text): (&str, String)) {
    print_to_stderr(format!("{label:9} {}", escape_invisible(&text)));
}

/// Returns the token as the user asked to see it.
pub(crate) fn format_token(token: &AccessToken, format: Format) -> String {
    match format {
        Format::Token => token.secret().to_owned(),
        Format::Header => format!("{}: {}", token.header_name(), token.authorization()),
        Format::Json => {
            let expires_at = token.expires_at().duration_since(SystemTime::UNIX_EPOCH);
            let expires_at = expires_at.unwrap_or_default().as_secs();
            // The members stay the JSON that they are: a number may have more digits than any type here.
            let mut members: BTreeMap<&str, String> = token
                .members()
                .filter_map(|(name, _)| Some((name, without_whitespace(token.json(name)?))))
                .collect();
            members.remove("expires_in");
            members.insert("access_token", json_string(token.secret()));
            if token.authorization().starts_with("Bearer ") {
                members.insert("token_type", json_string("Bearer"));
            }
            members.insert("expires_at", expires_at.to_string());
            members.extend(token.scope().map(|scope| ("scope", json_string(scope))));
            let members = members
                .iter()
                .map(|(name, json)| format!("{}:{json}", json_string(name)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}
