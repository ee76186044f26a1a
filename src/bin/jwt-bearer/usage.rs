//! Parses the arguments, and reports usage errors without repeating a value.
//!
//! What is given in the wrong place may be a secret, and clap's own errors quote it.

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use jwt_bearer::provider::{PROVIDERS, unsupported};

use crate::args::Arguments;
use crate::output::{print_message, print_to_stderr};

/// What replaces a value that is not shown.
const HIDDEN: &str = "...";
/// Bytes of the longest name that is shown.
const MAX_NAME: usize = 32;

/// Parses the arguments of this process.
///
/// # Errors
/// An exit status, after help, version or an error was printed.
pub(crate) fn parse() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|error| match error.use_stderr() {
        false => error.exit(), // help and version
        true => report(error),
    })
}

fn report(mut error: Error) -> ExitCode {
    let given = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) => unsupported(name),
        _ => None,
    };
    if let Some(why) = given {
        print_message(why);
        return ExitCode::from(2);
    }
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        if PROVIDERS.iter().any(|provider| provider.name == name) {
            print_message(&format!(
                "{name} is a provider: write jwt-bearer token {name}"
            ));
            return ExitCode::from(2);
        }
    }
    let hides_value = hide_values(&mut error);
    let _ = error.print(); // a closed standard error is ignored, as everywhere
    if hides_value {
        print_to_stderr("A value is shown as '...', since it may be a secret.");
    }
    ExitCode::from(2)
}

/// Replaces what the user typed, unless it is the name of an option. Returns whether it did.
fn hide_values(error: &mut Error) -> bool {
    let mut kinds = vec![ContextKind::InvalidValue];
    match error.kind() {
        ErrorKind::UnknownArgument => kinds.push(ContextKind::InvalidArg),
        ErrorKind::InvalidSubcommand => kinds.push(ContextKind::InvalidSubcommand),
        _ => {}
    }
    let mut is_hidden = false;
    for kind in kinds {
        let Some(ContextValue::String(value)) = error.get(kind) else {
            continue;
        };
        // An empty value has a message of its own.
        if value.is_empty() || is_option(value) {
            continue;
        }
        error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
        error.remove(ContextKind::TrailingArg);
        if kind != ContextKind::InvalidValue {
            error.remove(ContextKind::Suggested); // how to pass the value as it is
        }
        is_hidden = true;
    }
    is_hidden
}

/// Returns whether the text is an option, as options are written.
fn is_option(text: &str) -> bool {
    let is_short = |name: &str| name.len() == 1;
    match (text.strip_prefix("--"), text.strip_prefix('-')) {
        (Some(name), _) => is_name(name),
        (None, Some(name)) => is_short(name) && is_name(name),
        (None, None) => false,
    }
}

/// Returns whether the text is a name as options and parameters have it, and not a secret: short, and of lower-case letters.
pub(crate) fn is_name(text: &str) -> bool {
    let is_name_char = |c: char| c.is_ascii_lowercase() || c == '-' || c == '_';
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_name_char)
}
