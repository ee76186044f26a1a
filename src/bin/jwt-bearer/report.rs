//! Tokens and failures as text; failures as exit status.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use jwt_bearer::{AccessToken, Error, ErrorKind};
use serde_json::{Map, Value};

use crate::args::Format;

/// One line for people, what to do about it, and a status for scripts.
pub(crate) struct Failure {
    status: u8,
    message: String,
    hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            status: 2,
            message: message.into(),
            hint: None,
        }
    }
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self {
            status: 3,
            message: message.into(),
            hint: None,
        }
    }
    pub(crate) fn output(error: io::Error) -> Self {
        Self {
            status: 1,
            message: format!("standard output: {error}"),
            hint: None,
        }
    }
    /// An error about what is in a file.
    pub(crate) fn about(file: &Path, error: Error) -> Self {
        let failure = Self::from(error);
        Self {
            message: format!("{}: {}", file.display(), failure.message),
            ..failure
        }
    }
    pub(crate) fn report(self) -> ExitCode {
        warn(&self.message);
        self.hint.inspect(|hint| tell(format!("  {hint}")));
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
        // One line: the causes are short, and none of them has the message in it.
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

/// A line on standard output, which may be closed.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::output)
}

/// A line on standard error. Nothing can be done where that is closed.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

pub(crate) fn warn(text: &str) {
    tell(format!("jwt-bearer: {text}"));
}

/// A labelled line on standard error, for `-v`.
pub(crate) fn row((label, text): (&str, String)) {
    tell(format!("{label:9} {text}"));
}

pub(crate) fn token(token: &AccessToken, format: Format) -> String {
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
