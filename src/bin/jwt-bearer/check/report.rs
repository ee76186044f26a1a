//! The steps of a check on standard output: for people, or one JSON object per line.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;
use std::{env, iter};

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::messages::{cut, escape_invisible};

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Columns of the longest step name and the spaces after it.
const NAME_WIDTH: usize = 13;
/// The longest text that people are shown, in characters: a server decides how long its texts are.
const MAX_TEXT: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A line for each step, with what to do below it.
    // A connection has one format for all commands, so the formats of the command token count as this one.
    #[value(aliases = ["token", "header", "env", "exec-credential"])]
    Text,
    /// An object on each line.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Warn,
    Fail,
    Skip,
}

impl Outcome {
    /// Returns the mark, the word and the colour of an outcome.
    fn style(self) -> (char, &'static str, &'static str) {
        match self {
            Self::Ok => ('✓', "ok", GREEN),
            Self::Warn => ('!', "warn", YELLOW),
            Self::Fail => ('✗', "FAIL", RED),
            Self::Skip => ('–', "skip", DIM),
        }
    }
}

/// What one step found.
pub(super) struct Step {
    name: &'static str,
    outcome: Outcome,
    status: u8,
    detail: String,
    /// Additional lines for people. The facts contain the same information.
    lines: Vec<(&'static str, String)>,
    hints: Vec<String>,
    facts: Map<String, Value>,
    took: Option<Duration>,
}

impl Step {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            outcome: Outcome::Ok,
            status: 0,
            detail: detail.into(),
            lines: Vec::new(),
            hints: Vec::new(),
            facts: Map::new(),
            took: None,
        }
    }

    /// Creates a step that was skipped, and says why.
    pub(super) fn skip(name: &'static str, why: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Skip,
            ..Self::ok(name, why)
        }
    }

    pub(super) fn fail(name: &'static str, failure: Failure) -> Self {
        let origin = failure.origin().map(str::to_owned);
        let (status, detail, hints) = failure.into_parts();
        let step = Self {
            outcome: Outcome::Fail,
            status,
            hints,
            ..Self::ok(name, detail)
        };
        match origin {
            Some(origin) => step
                .with_line("where", origin.clone())
                .with_fact("origin", origin),
            None => step,
        }
    }

    /// Makes this a warning, unless it is a failure, and adds the reason and what to do.
    pub(super) fn warn(mut self, why: impl AsRef<str>, hint: impl Into<String>) -> Self {
        if self.outcome == Outcome::Ok {
            self.outcome = Outcome::Warn;
        }
        self.detail = format!("{}; {}", self.detail, why.as_ref());
        self.with_hint(hint)
    }

    /// Makes this a failure, and keeps what is already known.
    pub(super) fn with_failure(self, failure: Failure) -> Self {
        let (status, message, hints) = failure.into_parts();
        Self {
            outcome: Outcome::Fail,
            status,
            detail: format!("{message}: {}", self.detail),
            hints: [self.hints, hints].concat(),
            ..self
        }
    }

    pub(super) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn has_hints(&self) -> bool {
        !self.hints.is_empty()
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn with_line(mut self, label: &'static str, line: impl Into<String>) -> Self {
        self.lines.push((label, line.into()));
        self
    }

    pub(super) fn with_fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    fn milliseconds(&self) -> Option<u64> {
        self.took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
    }

    fn json(&self) -> String {
        let mut object = self.facts.clone();
        let (_, outcome, _) = self.outcome.style();
        let mut insert = |name: &str, value: Value| object.insert(name.to_owned(), value);
        insert("step", self.name.into());
        insert("outcome", outcome.to_lowercase().into());
        insert("detail", self.detail.clone().into());
        insert("hints", self.hints.clone().into());
        if let Some(milliseconds) = self.milliseconds() {
            insert("milliseconds", milliseconds.into());
        }
        if self.outcome == Outcome::Fail {
            insert("status", self.status.into());
        }
        // Escaped as in JSON, so that it is still JSON.
        escape_invisible(&Value::Object(object).to_string())
    }

    fn text(&self, has_marks: bool) -> String {
        let (mark, word, colour) = self.outcome.style();
        let mark = if has_marks {
            format!("{mark} ")
        } else {
            String::new()
        };
        let indent = " ".repeat(if has_marks { 2 } else { 0 } + 5);
        let took = self.milliseconds().map(|ms| format!(" ({ms} ms)"));
        let first = format!(
            "{colour}{mark}{word:<4}{RESET} {name:<NAME_WIDTH$}{detail}{took}",
            name = self.name,
            detail = shown(&self.detail),
            took = took.unwrap_or_default(),
        );
        let lines = self.lines.iter().map(|(label, line)| {
            let line = shown(line);
            format!("{indent}{DIM}{label:<NAME_WIDTH$}{RESET}{line}")
        });
        let hints = self.hints.iter().map(|hint| {
            let (label, hint) = ("what to do", shown(hint));
            format!("{indent}{colour}{label:<NAME_WIDTH$}{RESET}{hint}")
        });
        let all: Vec<_> = iter::once(first).chain(lines).chain(hints).collect();
        all.join("\n")
    }
}

/// Prints steps as they finish, and keeps the exit status of the first failure.
pub(super) struct Report {
    format: ReportFormat,
    has_marks: bool,
    status: Option<u8>,
}

impl Report {
    pub(super) fn new(format: ReportFormat) -> Self {
        Self {
            format,
            has_marks: io::stdout().is_terminal() && is_utf8(),
            status: None,
        }
    }

    /// Prints a step. Returns whether it failed.
    ///
    /// # Errors
    /// If standard output is closed or full.
    pub(super) fn add(&mut self, step: Step) -> Result<bool, Failure> {
        let line = match self.format {
            ReportFormat::Text => step.text(self.has_marks),
            ReportFormat::Json => step.json(),
        };
        let mut out = anstream::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(Failure::stdout)?;
        let has_failed = step.outcome == Outcome::Fail;
        if has_failed {
            self.status.get_or_insert(step.status);
        }
        Ok(has_failed)
    }

    /// Prints these steps as skipped.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub(super) fn skip(&mut self, names: &[&'static str], why: &str) -> Result<(), Failure> {
        names
            .iter()
            .try_for_each(|name| self.add(Step::skip(name, why)).map(drop))
    }

    /// Returns the first failure, which is already printed.
    ///
    /// # Errors
    /// If a step failed.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.status
            .map_or(Ok(()), |status| Err(Failure::reported(status)))
    }
}

fn shown(text: &str) -> String {
    escape_invisible(&cut(text, MAX_TEXT))
}

/// Returns whether the locale uses UTF-8, by the rules of POSIX.
fn is_utf8() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"];
    let mut values = variables.into_iter().filter_map(|name| env::var(name).ok());
    let locale = values.find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither a colour nor a mark carries meaning by itself.
    #[test]
    fn text_of_a_step_has_mark_word_and_what_to_do() {
        let failure = Failure::network("nobody listens").with_hint("check the port");
        for (step, text) in [
            (
                Step::ok("tcp", "connected").took(Duration::from_millis(3)),
                "✓ ok   tcp          connected (3 ms)",
            ),
            (
                Step::ok("key", "RSA").warn("short", "make another"),
                "! warn key          RSA; short\n       what to do   make another",
            ),
            (
                Step::fail("tcp", failure),
                "✗ FAIL tcp          nobody listens\n       what to do   check the port",
            ),
            (Step::skip("tls", "none"), "– skip tls          none"),
        ] {
            let coloured = step.text(true);
            assert!(coloured.starts_with('\x1b'), "{coloured:?}");
            let plain = anstream::adapter::strip_str(&coloured).to_string();
            assert_eq!(plain, text);
            let without_mark = anstream::adapter::strip_str(&step.text(false)).to_string();
            let word = text.get(text.find(' ').unwrap() + 1..).unwrap();
            assert_eq!(without_mark, word.replace("\n  ", "\n"));
        }
    }

    #[test]
    fn long_and_invisible_text_is_cut_and_escaped() {
        let long = format!("\u{202e}{}", "a".repeat(5000));
        let step = Step::ok("tls", "TLS 1.3").with_line("issuer", long);
        let text = step.text(false);
        assert!(
            text.contains("\\u202ea") && text.ends_with("aaa..."),
            "{text}"
        );
        assert!(text.len() < 5000);
    }
}
