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
use crate::failure::Failure;
use crate::layers::{self, Given};
use crate::messages::print_to_stderr;
use crate::names::{self, is_name, nearest, shown};
use crate::{mistakes, origins, providers, reporting, words};

/// The command that needs the configuration file and takes no provider.
const CONFIG: &str = "config";
/// What replaces a value that is not shown.
const HIDDEN: &str = "...";
/// The most connections that an error lists.
const MAX_CONNECTIONS: usize = 10;

/// Parses the arguments of this process, with what variables and the configuration file add to them.
///
/// # Errors
/// An exit status, after help, version or an error was printed.
pub(crate) fn parse() -> Result<Arguments, ExitCode> {
    let arguments: Vec<_> = env::args_os().collect();
    reporting::apply_unparsed(&arguments);
    read_connections(&arguments).map_err(Failure::report)?;
    let mut command = Arguments::command();
    let detached = mistakes::detached_value(&command, &arguments);
    let (arguments, added) = layers::complete(&command, arguments).map_err(Failure::report)?;
    reporting::apply_unparsed(&arguments);
    origins::set(added.into_iter().map(Given::into_origin).collect());
    let matches = command.try_get_matches_from_mut(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    match (parsed, detached) {
        (Err(error), _) if !error.use_stderr() => error.exit(), // help and version
        (Ok(arguments), None) => Ok(arguments),
        (Ok(arguments), Some(detached)) if detached.is_file => Ok(arguments),
        (_, Some(detached)) => Err(detached.failure().report()),
        (Err(error), None) => Err(report(error.format(&mut command), &command)),
    }
}

/// Reads the configuration file if the command takes connections. The file adds subcommands, so it is read before clap
/// sees the arguments.
///
/// # Errors
/// If the file cannot be read and the arguments may need it.
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
        // A broken file is no reason to withhold help, nor to refuse arguments that name no connection.
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

fn report(mut error: Error, program: &Command) -> ExitCode {
    let words: Vec<_> = env::args_os().collect();
    let command = provider_command(program, &words);
    let lacks_provider = matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    );
    if let Some(command) = command.filter(|_| lacks_provider) {
        return nothing_chosen(command).report();
    }
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        if let Some(why) = unsupported(name) {
            return Failure::usage(why).report();
        }
        if names::provider(name).is_some() {
            let message = format!("{name} is a provider: write jwt-bearer token {name}");
            return Failure::usage(message).report();
        }
        if let Some(command) = command {
            return no_provider(command, name).report();
        }
    }
    if let Some(meant) = mistakes::meant_option(&error, program, &words) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(meant));
    }
    let other_key = mistakes::other_kind_of_key(&error, &words);
    if other_key.is_some() {
        error.remove(ContextKind::SuggestedArg);
    }
    let mut hints = origins(&error, &words);
    hints.extend(mistakes::empty_variables(&error));
    hints.extend(other_key);
    hints.extend(mistakes::advice(&error, program, &words));
    let hides_value = hide_values(&mut error);
    if reporting::is_json() {
        let failure = Failure::usage(summary(&error.render().to_string()));
        return hints.into_iter().fold(failure, Failure::with_hint).report();
    }
    let _ = error.print(); // a closed standard error is ignored, as everywhere
    if hides_value {
        print_to_stderr("A value is shown as '...', since it may be a secret.");
    }
    for hint in hints {
        print_to_stderr(format!("jwt-bearer: {hint}"));
    }
    ExitCode::from(2)
}

/// Returns where the values that an error is about come from, if not from an argument.
fn origins(error: &Error, words: &[OsString]) -> Vec<String> {
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Vec::new(); // these have none
    }
    let arguments = [ContextKind::InvalidArg, ContextKind::PriorArg];
    let arguments = arguments.into_iter().filter_map(|kind| error.get(kind));
    let arguments = arguments.flat_map(|context| match context {
        ContextValue::String(argument) => std::slice::from_ref(argument),
        ContextValue::Strings(arguments) => arguments,
        _ => &[],
    });
    let options = arguments.filter_map(|argument| {
        let option = argument.split([' ', '=']).next()?;
        option.strip_prefix("--")
    });
    // clap may have found it on the command line, too.
    let is_given = |option: &str| {
        let mut words = words.iter().filter_map(|word| word.to_str());
        words.any(|word| {
            word.strip_prefix("--")
                .and_then(|word| word.split('=').next())
                == Some(option)
        })
    };
    let options = options.filter(|option| !is_given(option));
    let origins = options.filter_map(|option| match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => origins::of_value(option, value),
        _ => origins::of(option),
    });
    origins.collect()
}

/// Returns the command that the words name, if it takes a provider.
fn provider_command<'a>(program: &Command, words: &'a [OsString]) -> Option<&'a str> {
    let place = words::find(program, words)?.command;
    let name = words.get(place)?.to_str()?;
    providers::is_for_provider(program, name).then_some(name)
}

/// Returns the failure to name a connection or a provider.
fn nothing_chosen(command: &str) -> Failure {
    let all = Connections::get();
    let names: Vec<_> = all.iter().map(|connection| &*connection.name).collect();
    let example = names.first().unwrap_or(&"salesforce");
    let message =
        format!("{command} needs a connection or a provider, as in jwt-bearer {command} {example}");
    let failure = Failure::usage(message);
    let failure = match (&all.file, names.get(MAX_CONNECTIONS..)) {
        (Some(file), _) if all.exists && names.is_empty() => failure.with_hint(format!(
            "{} has no connection: see jwt-bearer config --help",
            file.display()
        )),
        (Some(file), more) if all.exists => {
            let shown = names.get(..MAX_CONNECTIONS).unwrap_or(&names).join(", ");
            let more = match more {
                None | Some([]) => String::new(),
                Some(more) => format!(" and {} more, which jwt-bearer config lists", more.len()),
            };
            failure.with_hint(format!("connections of {}: {shown}{more}", file.display()))
        }
        _ => with_place_of_connections(failure),
    };
    failure.with_hint(format!("jwt-bearer {command} --help lists the providers"))
}

/// Says where connections are, or would be.
fn with_place_of_connections(failure: Failure) -> Failure {
    let all = Connections::get();
    match &all.file {
        Some(file) if all.exists => {
            failure.with_hint(format!("connections are in {}", file.display()))
        }
        Some(file) => failure.with_hint(format!(
            "connections would be in {}, which does not exist",
            file.display()
        )),
        None => failure,
    }
}

/// Returns the failure to find a provider or connection. Its name may be a secret, given in its place by mistake.
fn no_provider(command: &str, name: &str) -> Failure {
    let all = Connections::get();
    let names = all.iter().map(|connection| connection.name.as_str());
    let names = names.chain(PROVIDERS.iter().map(|provider| provider.name));
    let (shown, nearest) = (shown(name), nearest(name, names));
    let message = format!("there is no connection and no provider {shown}{nearest}");
    with_place_of_connections(Failure::usage(message))
        .with_hint(format!("jwt-bearer {command} --help lists all"))
}

/// Returns what clap says about an error, on one line: without the usage, which people read and machines do not.
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
        // The file of the command key may be in the place of its subcommand.
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
        // An empty value has its own message.
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
