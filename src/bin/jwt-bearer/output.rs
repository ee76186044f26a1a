//! Tokens to standard output, messages to standard error, failures to exit statuses.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use jwt_bearer::{AccessToken, Error, ErrorKind};
use serde_json::{Map, Value};

use crate::args::Format;

/// Why the command failed: an exit status for scripts, a message and a hint for people.
pub(crate) struct Failure {
    status: u8,
    message: String,
    hint: Option<&'static str>,
}

impl Failure {
    /// Creates a failure of the arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            status: 2,
            message: message.into(),
            hint: None,
        }
    }

    /// Creates a failure of a key, a file or the configuration.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self {
            status: 3,
            message: message.into(),
            hint: None,
        }
    }

    /// Creates a failure to write standard output.
    pub(crate) fn stdout(error: io::Error) -> Self {
        Self {
            status: 1,
            message: format!("standard output: {error}"),
            hint: None,
        }
    }

    /// Creates a failure that is caused by the content of a file.
    pub(crate) fn in_file(file: &Path, error: Error) -> Self {
        let failure = Self::from(error);
        Self {
            message: format!("{}: {}", file.display(), failure.message),
            ..failure
        }
    }

    /// Prints message and hint to standard error, and returns the exit status.
    pub(crate) fn report(self) -> ExitCode {
        print_message(&self.message);
        if let Some(hint) = self.hint {
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
        Self {
            status,
            message,
            hint: error.hint(),
        }
    }
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
    print_to_stderr(format!("jwt-bearer: {message}"));
}

/// Prints a labelled line to standard error, for `-v`.
pub(crate) fn print_trace((label, text): (&str, String)) {
    print_to_stderr(format!("{label:9} {text}"));
}

/// Returns the token as the user asked to see it.
pub(crate) fn format_token(token: &AccessToken, format: Format) -> String {
    match format {
        Format::Token => token.secret().to_owned(),
        Format::Header => format!("Authorization: {}", token.authorization()),
        Format::Json => {
            let expires_at = token.expires_at().duration_since(SystemTime::UNIX_EPOCH);
            let mut members: Map<String, Value> = token
                .members()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            members.remove("expires_in");
            members.insert("access_token".to_owned(), token.secret().into());
            members.insert("token_type".to_owned(), "Bearer".into());
            members.insert(
                "expires_at".to_owned(),
                expires_at.unwrap_or_default().as_secs().into(),
            );
            members.extend(
                token
                    .scope()
                    .map(|scope| ("scope".to_owned(), scope.into())),
            );
            Value::Object(members).to_string()
        }
    }
}
