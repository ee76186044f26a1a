//! Why a command failed, for people and for machines.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use jwt_bearer::{Error, ErrorKind};
use serde_json::{Map, Value};

use crate::messages::{escape_invisible, print_error, print_message, print_to_stderr};
use crate::options::CommonOptions;
use crate::{certificate_hints, key_hints, origins, reporting};

/// The exit status of a failure of the arguments.
const USAGE: u8 = 2;
/// Seconds. A smaller difference of the clocks is no reason for a refusal.
pub(crate) const MIN_OFFSET: u64 = 30;

/// What is known about the requests of one run.
#[derive(Clone, Default)]
pub(crate) struct Requests {
    /// Zero if nothing was sent.
    pub(crate) attempts: u32,
    /// The URL of the last request, without its query.
    pub(crate) endpoint: String,
    /// The proxy of the last request: host and port.
    pub(crate) proxy: Option<String>,
    pub(crate) is_verbose: bool,
    /// Whether the user wants assertions signed by the server's clock.
    pub(crate) corrects_clock: bool,
}

impl Requests {
    /// Returns what the options say before anything is sent.
    pub(crate) fn none(common: &CommonOptions) -> Self {
        Self {
            is_verbose: common.verbose,
            corrects_clock: common.correct_clock,
            ..Self::default()
        }
    }
}

/// Why the command failed: an exit status for scripts, a message and hints for people.
#[derive(Clone)]
pub(crate) struct Failure {
    status: u8,
    message: String,
    hints: Vec<String>,
    /// Where the refused value comes from.
    origin: Option<String>,
    part: Option<Part>,
    /// What the library knows.
    error: Option<Arc<Error>>,
    /// What the transport knows, if a token was asked for.
    requests: Box<Requests>,
}

/// The part of the arguments that a failure is about, if it is not the profile.
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
            origin: None,
            part: None,
            error: None,
            requests: Box::default(),
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

    /// Creates a failure of a text that is not a token.
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

    /// Says where the value of this option comes from, if not from an argument.
    pub(crate) fn with_origin(self, option: &str) -> Self {
        let origin = origins::of(option).or(self.origin);
        Self { origin, ..self }
    }

    /// Says where the value of this option comes from; if unknown, names the option unless the message does.
    pub(crate) fn with_option(self, option: &str) -> Self {
        self.with_origin_or_option(origins::of(option), option)
    }

    /// Does what [`with_option`](Self::with_option) does, for one of the values of an option.
    pub(crate) fn with_value(self, option: &str, value: &str) -> Self {
        self.with_origin_or_option(origins::of_value(option, value), option)
    }

    fn with_origin_or_option(self, origin: Option<String>, option: &str) -> Self {
        let message = self.message.to_lowercase();
        let names = [option, &option.replace('-', " ")];
        match origin {
            Some(_) => Self { origin, ..self },
            None if names.iter().any(|name| message.contains(name)) => self,
            None => self.with_hint(format!("see --{option}")),
        }
    }

    /// Returns where the refused value comes from, if that is known.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Creates a failure that is already on standard output.
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
        let mut hints: Vec<_> = self.clock().into_iter().collect();
        hints.extend(self.hints.iter().cloned().chain(self.pause()));
        (self.status, self.message, hints)
    }

    /// Adds what is known about the requests.
    pub(crate) fn with_requests(self, requests: Requests) -> Self {
        Self {
            requests: requests.into(),
            ..self
        }
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
        for hint in self
            .hints_with_clock()
            .chain(self.pause())
            .chain(self.sent())
        {
            print_to_stderr(format!("  {}", escape_invisible(&hint)));
        }
        ExitCode::from(self.status)
    }

    /// Returns the hints. If the clocks differ, that is the likely cause, and comes first.
    fn hints_with_clock(&self) -> impl Iterator<Item = String> {
        let hints = self.hints.iter().chain(&self.origin).cloned();
        self.clock().into_iter().chain(hints)
    }

    /// Says how this machine's clock differs from the server's, if that may be why the server refuses.
    fn clock(&self) -> Option<String> {
        let error = self.error.as_deref();
        let is_denied = error.is_some_and(|error| error.kind() == ErrorKind::Denied);
        let offset = error.and_then(Error::clock_offset).filter(|_| is_denied);
        let offset = offset.filter(|seconds| seconds.unsigned_abs() >= MIN_OFFSET);
        let advice = match self.requests.corrects_clock {
            true => "set the clock that is wrong",
            false => "set the clock that is wrong, or sign by the server's with --correct-clock",
        };
        offset.map(|seconds| {
            let (n, direction) = (
                seconds.unsigned_abs(),
                if seconds > 0 { "ahead of" } else { "behind" },
            );
            format!("the server's clock is {n} s {direction} this machine's: {advice}")
        })
    }

    /// Says for how long the server asks to wait.
    fn pause(&self) -> Option<String> {
        let error = self.error.as_deref();
        // A date in the past asks for no pause.
        let pause = error
            .and_then(Error::server_retry_after)
            .map(|pause| pause.as_secs());
        pause.filter(|seconds| *seconds > 0).map(|seconds| {
            format!("the server asks for a pause of {seconds} s before the next request")
        })
    }

    /// Says where the requests went, unless the message says it.
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
        let hints: Vec<_> = self.hints_with_clock().collect();
        let requests = &self.requests;
        let pause = error.and_then(Error::server_retry_after);
        let members = [
            ("message", text(&self.message)),
            ("kind", text(&kind)),
            ("code", error.and_then(Error::code).map(Value::from)),
            (
                "description",
                error.and_then(Error::description).map(Value::from),
            ),
            ("hint", text(&hints.join("; "))),
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
        let is_network = error.kind() == ErrorKind::Network; // otherwise these words are the server's
        let hints = [
            error.hint(),
            is_network
                .then(|| {
                    certificate_hints::hint(&message)
                        .or_else(|| certificate_hints::hint_without_tls(&message))
                })
                .flatten(),
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
