//! Parses the arguments, and reports usage errors without repeating a value.
//!
//! What is given in the wrong place may be a secret, and clap's own errors quote it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Command, CommandFactory as _, FromArgMatches as _};
use jwt_bearer::provider::{PROVIDERS, unsupported};

use crate::args::Arguments;
use crate::connections::Connections;
use crate::layers::{self, Given};
use crate::output::{Failure, print_to_stderr};
use crate::{providers, reporting, slips};

/// What replaces a value that is not shown.
const HIDDEN: &str = "...";
/// Bytes of the longest name that is shown.
const MAX_NAME: usize = 32;

/// Parses the arguments of this process, with what variables and the configuration file add to them.
///
/// # Errors
/// An exit status, after help, version or an error was printed.
pub(crate) fn parse() -> Result<Arguments, ExitCode> {
    let arguments: Vec<_> = env::args_os().collect();
    if uses_connections(&Arguments::command(), &arguments) {
        let connections = Connections::read(config_file(&arguments));
        let mut connections = connections.map_err(Failure::report)?;
        connections.keep_named(&arguments);
        connections.set();
    }
    let mut command = Arguments::command();
    let (arguments, added) = layers::complete(&command, arguments).map_err(Failure::report)?;
    let matches = command.try_get_matches_from_mut(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| match error.use_stderr() {
        false => error.exit(), // help and version
        true => report(error.format(&mut command), &added),
    })
}

/// Returns the value of `--config`. The file adds subcommands, so that it is read before clap sees the arguments.
fn config_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        let value = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--config="));
        if let Some(value) = value {
            return Some(PathBuf::from(value));
        }
    }
    None
}

fn uses_connections(command: &Command, arguments: &[OsString]) -> bool {
    let words = arguments.iter().filter_map(|argument| argument.to_str());
    let mut words = words.filter(|word| command.find_subcommand(word).is_some());
    words
        .next()
        .is_some_and(|name| name == "config" || providers::is_for_provider(command, name))
}

fn report(mut error: Error, added: &[Given]) -> ExitCode {
    reporting::apply_unparsed();
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        if let Some(why) = unsupported(name) {
            return Failure::usage(why).report();
        }
        if PROVIDERS.iter().any(|provider| provider.name == name) {
            let message = format!("{name} is a provider: write jwt-bearer token {name}");
            return Failure::usage(message).report();
        }
    }
    let words: Vec<_> = env::args_os().collect();
    let advice = slips::advice(&error, &words);
    let hides_value = hide_values(&mut error);
    if reporting::is_json() {
        let text = error.render().to_string();
        let failure = Failure::usage(summary(&text));
        return advice
            .into_iter()
            .fold(failure, Failure::with_hint)
            .report();
    }
    let _ = error.print(); // a closed standard error is ignored, as everywhere
    if hides_value {
        print_to_stderr("A value is shown as '...', since it may be a secret.");
    }
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.split([' ', '=']).next(),
        _ => None,
    };
    let option = option.and_then(|option| option.strip_prefix("--"));
    if let Some(given) = added
        .iter()
        .find(|given| Some(given.name.as_str()) == option)
    {
        print_to_stderr(format!(
            "The value of --{} is {}.",
            given.name,
            given.origin()
        ));
    }
    if let Some(advice) = advice {
        print_to_stderr(format!("jwt-bearer: {advice}"));
    }
    ExitCode::from(2)
}

/// Returns what clap says of an error, on one line: without the usage, which people read and machines do not.
fn summary(text: &str) -> String {
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces what the user typed, unless it is the name of an option. Returns whether it did.
fn hide_values(error: &mut Error) -> bool {
    let mut kinds = vec![ContextKind::InvalidValue];
    match error.kind() {
        ErrorKind::UnknownArgument => kinds.push(ContextKind::InvalidArg),
        // The file of the command key may stand where its subcommand would.
        ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict => {
            kinds.push(ContextKind::InvalidSubcommand);
        }
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
