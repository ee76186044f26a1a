//! Parses the arguments, and reports usage errors without repeating a value.
//!
//! What is given in the wrong place may be a secret, and clap's own errors quote it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _};
use jwt_bearer::provider::{PROVIDERS, unsupported};

use crate::args::Arguments;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::layers::{self, Given};
use crate::messages::print_to_stderr;
use crate::names::{self, is_name, nearest, shown};
use crate::{mistakes, providers, reporting, words};

/// The command that needs the configuration file and takes no provider.
const CONFIG: &str = "config";
/// What replaces a value that is not shown.
const HIDDEN: &str = "...";

/// Parses the arguments of this process, with what variables and the configuration file add to them.
///
/// # Errors
/// An exit status, after help, version or an error was printed.
pub(crate) fn parse() -> Result<Arguments, ExitCode> {
    let arguments: Vec<_> = env::args_os().collect();
    reporting::apply_unparsed(&arguments);
    read_connections(&arguments).map_err(Failure::report)?;
    let mut command = Arguments::command();
    let (arguments, added) = layers::complete(&command, arguments).map_err(Failure::report)?;
    reporting::apply_unparsed(&arguments);
    let matches = command.try_get_matches_from_mut(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| match error.use_stderr() {
        false => error.exit(), // help and version
        true => report(error.format(&mut command), &added),
    })
}

/// Reads the configuration file where the command takes connections. It adds subcommands, so that it is read before clap
/// sees the arguments.
///
/// # Errors
/// Where the file cannot be read and the arguments may need it.
fn read_connections(arguments: &[OsString]) -> Result<(), Failure> {
    let words = arguments.iter().take_while(|word| *word != "--");
    let words: Vec<_> = words.cloned().collect();
    let connections = Connections::read(config_file(&words)?);
    if connections
        .as_ref()
        .is_ok_and(|connections| !connections.exists)
    {
        return connections.map(Connections::set);
    }
    let command = Arguments::command();
    let Some(places) = words::find(&command, arguments) else {
        return Ok(());
    };
    let word = |place: usize| arguments.get(place).and_then(|word| word.to_str());
    let name = word(places.command).unwrap_or_default();
    if name != CONFIG && !providers::is_for_provider(&command, name) {
        return Ok(());
    }
    let below = places.below.and_then(word);
    let is_help = |word: &OsString| word == "--help" || word == "-h";
    match connections {
        Ok(mut connections) => {
            below.into_iter().for_each(|name| connections.keep(name));
            connections.set();
            Ok(())
        }
        // A broken file is no reason to withhold help, nor to refuse what names no connection.
        Err(_) if words.iter().any(is_help) => Ok(()),
        Err(_) if name != CONFIG && below.is_none() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Returns the value of `--config`, wherever it is: clap stops at the name of a connection, which it does not know.
fn config_file(words: &[OsString]) -> Result<Option<PathBuf>, Failure> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--config" {
            return Ok(words.next().map(PathBuf::from));
        }
        if word.as_encoded_bytes().starts_with(b"--config=") {
            let text = word.to_str().ok_or_else(|| {
                Failure::usage("--config=FILE: this name is no text in UTF-8: write --config FILE")
            })?;
            return Ok(text.split_once('=').map(|(_, file)| PathBuf::from(file)));
        }
    }
    Ok(None)
}

fn report(mut error: Error, added: &[Given]) -> ExitCode {
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        if let Some(why) = unsupported(name) {
            return Failure::usage(why).report();
        }
        if names::provider(name).is_some() {
            let message = format!("{name} is a provider: write jwt-bearer token {name}");
            return Failure::usage(message).report();
        }
        if let Some(command) = provider_command() {
            return no_provider(&command, name).report();
        }
    }
    let words: Vec<_> = env::args_os().collect();
    let origin = origin(&error, &words, added);
    let advice = mistakes::advice(&error, &words);
    let hides_value = hide_values(&mut error);
    if reporting::is_json() {
        let failure = Failure::usage(summary(&error.render().to_string()));
        let hints = origin.into_iter().chain(advice);
        return hints.fold(failure, Failure::with_hint).report();
    }
    let _ = error.print(); // a closed standard error is ignored, as everywhere
    if hides_value {
        print_to_stderr("A value is shown as '...', since it may be a secret.");
    }
    for hint in [origin, advice].into_iter().flatten() {
        print_to_stderr(format!("jwt-bearer: {hint}"));
    }
    ExitCode::from(2)
}

/// Returns where the value of the option in an error is from, if it is from no argument.
fn origin(error: &Error, words: &[OsString], added: &[Given]) -> Option<String> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let option = option.split([' ', '=']).next()?;
    let name = option.strip_prefix("--")?;
    if words
        .iter()
        .any(|word| word.to_string_lossy().starts_with(option))
    {
        return None;
    }
    let given = added.iter().find(|given| given.name == name)?;
    Some(format!("the value of {option} is {}", given.origin()))
}

/// Returns the command of this process, if it takes a provider.
fn provider_command() -> Option<String> {
    let command = Arguments::command();
    let words: Vec<_> = env::args_os().collect();
    let place = words::find(&command, &words)?.command;
    let name = words.get(place)?.to_str()?;
    providers::is_for_provider(&command, name).then(|| name.to_owned())
}

/// Returns the failure to find a provider or connection. Its name may be a secret, given in its place by mistake.
fn no_provider(command: &str, name: &str) -> Failure {
    let all = Connections::get();
    let names = all.iter().map(|connection| connection.name.as_str());
    let names = names.chain(PROVIDERS.iter().map(|provider| provider.name));
    let (shown, nearest) = (shown(name), nearest(name, names));
    let message = format!("there is no connection and no provider {shown}{nearest}");
    let failure = Failure::usage(message);
    let failure = match &all.file {
        Some(file) if all.exists => {
            failure.with_hint(format!("connections are in {}", file.display()))
        }
        Some(file) => failure.with_hint(format!(
            "connections would be in {}, which does not exist",
            file.display()
        )),
        None => failure,
    };
    failure.with_hint(format!("jwt-bearer {command} --help lists all"))
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
        // The file of the command key may be where its subcommand would.
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
