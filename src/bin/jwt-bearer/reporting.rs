//! What standard error carries, and in which form: `--quiet`, `--error-format` and notes that are printed only with an
//! error.
//!
//! The choice applies to the whole process, since every part of the command line may have something to say.

use std::env;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Args, ValueEnum};

use crate::options::OUTPUT;

/// The option that shows header, claims, request and response.
pub(crate) const VERBOSE: &str = "verbose";
/// What `--error-format` does, for the page of help that describes the whole program.
pub(crate) const JSON_ERRORS: &str = "\
Errors as JSON:
  --error-format json makes an error one JSON object on standard error: message, kind, and
  what is known of code, description, hint, status, retry_after, clock_offset, attempts,
  endpoint and proxy. There are no notes and warnings.";
/// The variable of `--error-format`.
const VARIABLE: &str = "JWT_BEARER_ERROR_FORMAT";
/// Whether notes, warnings, logs and retries are suppressed.
static IS_QUIET: AtomicBool = AtomicBool::new(false);
static IS_JSON: AtomicBool = AtomicBool::new(false);
/// What is printed if the command fails.
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Args)]
pub(crate) struct Reporting {
    /// Shows header, claims, request and response on standard error, without secrets and tokens.
    #[arg(id = VERBOSE, short, long = VERBOSE, global = true, help_heading = OUTPUT)]
    verbose: bool,
    /// Prints no notes and warnings on standard error, only errors and what -v shows.
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    quiet: bool,
    /// The form of an error on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ErrorFormat::Text, global = true, help_heading = OUTPUT)]
    error_format: ErrorFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ErrorFormat {
    // No help texts here, since they would be on every page of help: JSON_ERRORS is on the first one.
    Text,
    Json,
}

/// Applies the options to the process.
pub(crate) fn apply(options: &Reporting) {
    let is_json = options.error_format == ErrorFormat::Json;
    IS_JSON.store(is_json, Ordering::Relaxed);
    IS_QUIET.store(options.quiet || is_json, Ordering::Relaxed);
}

/// Applies `--error-format json` before the arguments are parsed, which may fail.
pub(crate) fn apply_unparsed(arguments: &[OsString]) {
    let is_own = |word: &&OsString| *word != "--"; // what follows is for another command
    let words: Vec<_> = arguments.iter().take_while(is_own).collect();
    let format = words
        .iter()
        .position(|word| *word == "--error-format")
        .and_then(|at| words.get(at.saturating_add(1)));
    let is_json = words.iter().any(|word| *word == "--error-format=json")
        || format.is_some_and(|format| *format == "json")
        || (format.is_none() && env::var_os(VARIABLE).is_some_and(|format| format == "json"));
    IS_JSON.store(is_json, Ordering::Relaxed);
}

pub(crate) fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

pub(crate) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Keeps a note that matters only if the command fails.
pub(crate) fn note(text: String) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.push(text);
}

/// Takes the notes, in the order in which they were kept.
pub(crate) fn take_notes() -> Vec<String> {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut notes)
}
