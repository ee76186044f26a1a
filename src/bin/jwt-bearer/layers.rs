//! The three places of an option's value: the command line, a variable of the environment, a connection.
//!
//! A value of the first place in this order wins. What a lower place has is written into the arguments, so that clap
//! reads and checks all values in the same way.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use jwt_bearer::provider::{InputValue, Provider};
use jwt_bearer::{SETTINGS, SettingValue};

use crate::connections::{Connection, Connections, nearest, shown};
use crate::files::ENV;
use crate::output::Failure;
use crate::providers;

/// What the names of variables begin with.
pub(crate) const PREFIX: &str = "JWT_BEARER_";
/// Begins the value of a pair that is from a variable or from the configuration file, where it may be a secret. No
/// argument of a process can have this character.
pub(crate) const NOT_AN_ARGUMENT: char = '\0';

/// Where a value is from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Variable,
    /// A line of the configuration file.
    File(usize),
}

/// An option and its values, which the command line does not have.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
    pub(crate) place: Place,
}

impl Given {
    /// Returns where the values are from, for a sentence.
    pub(crate) fn origin(&self) -> String {
        match self.place {
            Place::Variable => format!("that of the variable {}", variable_name(&self.name)),
            Place::File(line) => format!("at {}", Connections::get().place(line)),
        }
    }
}

/// Returns the arguments with what variables and the connection add to them, and what that is.
///
/// Arguments that choose no provider and no connection stay as they are.
///
/// # Errors
/// Where the connection has an option that does not exist.
pub(crate) fn complete(
    command: &Command,
    mut arguments: Vec<OsString>,
) -> Result<(Vec<OsString>, Vec<Given>), Failure> {
    let lenient = command.clone().ignore_errors(true);
    let parse = |arguments: &[OsString]| lenient.clone().try_get_matches_from(arguments).ok();
    let Some(matches) = parse(&arguments) else {
        return Ok((arguments, Vec::new())); // help and version
    };
    let Some((above, name, matches)) = chosen(&matches) else {
        return Ok((arguments, Vec::new()));
    };
    if let Some(connection) = Connections::get().named(name) {
        check(command, connection)?;
    }
    let options = providers::command_of(command, Some(above), name);
    let is_given = |option: &Arg| {
        let id = option.get_id().as_str();
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    let on_command_line = options.get_arguments().filter(|option| is_given(option));
    let on_command_line = on_command_line.map(|option| {
        let id = option.get_id().as_str();
        let texts = matches.try_get_many::<String>(id).ok().flatten();
        let texts = texts.into_iter().flatten().cloned().collect();
        (id.to_owned(), texts)
    });
    let added = added(&options, name, on_command_line.collect());
    if added.is_empty() {
        return Ok((arguments, added));
    }
    // The shortest beginning of the arguments that chooses the provider ends with its name.
    let mut lengths = 1..=arguments.len();
    let length = lengths.find(|length| {
        let beginning = arguments.get(..*length).unwrap_or_default();
        parse(beginning).is_some_and(|matches| chosen(&matches).is_some())
    });
    let rest = arguments.split_off(length.unwrap_or(arguments.len()));
    arguments.extend(added.iter().flat_map(|given| words(&options, given)));
    arguments.extend(rest);
    Ok((arguments, added))
}

/// Checks that each option of a connection exists.
///
/// # Errors
/// Where one does not exist; the message has the nearest one that does.
pub(crate) fn check(command: &Command, connection: &Connection) -> Result<(), Failure> {
    let options = providers::command_of(command, None, &connection.name);
    let names = || {
        let names = options.get_arguments().filter_map(Arg::get_long);
        names.filter(|name| !matches!(*name, "help" | "version" | "config"))
    };
    for option in &connection.options {
        if !names().any(|name| name == option.name) {
            let place = Connections::get().place(option.line);
            let (connection, name) = (&connection.name, shown(&option.name));
            let nearest = nearest(&option.name, names());
            return Err(Failure::config(format!(
                "{place}: the connection {connection} has the option {name}, which does not exist{nearest}"
            )));
        }
    }
    Ok(())
}

/// Returns the values of variables and of the connection that the command line leaves to them.
pub(crate) fn added(
    options: &Command,
    name: &str,
    mut given: Vec<(String, Vec<String>)>,
) -> Vec<Given> {
    let connection = Connections::get().named(name);
    let provider = providers::provider_of(name);
    let is_known = |id: &str| options.get_arguments().any(|option| option.get_id() == id);
    let variables = options
        .get_arguments()
        .filter_map(|option| variable(option, provider));
    let connection = connection
        .into_iter()
        .flat_map(|connection| &connection.options);
    let connection = connection.map(|option| Given {
        name: option.name.clone(),
        values: option.values.clone(),
        place: Place::File(option.line),
    });
    let mut all = Vec::new();
    for place in [variables.collect::<Vec<_>>(), connection.collect()] {
        let place: Vec<_> = place
            .into_iter()
            .filter(|option| is_known(&option.name))
            .filter_map(|option| remaining(options, option, &given))
            .collect();
        given.extend(
            place
                .iter()
                .map(|option| (option.name.clone(), option.values.clone())),
        );
        all.extend(place);
    }
    all
}

/// Returns what is left of an option beside those of higher places.
fn remaining(options: &Command, option: Given, given: &[(String, Vec<String>)]) -> Option<Given> {
    let is_same = |(other, _): &&(String, Vec<String>)| excludes(options, &option.name, other);
    if !is_pair(&option.name) {
        return given.iter().find(is_same).is_none().then_some(option);
    }
    let name_of = |pair: &str| pair.split_once('=').map(|(name, _)| name.to_owned());
    let taken: Vec<_> = given.iter().filter(is_same).collect();
    let taken: Vec<_> = taken
        .iter()
        .flat_map(|(_, pairs)| pairs)
        .map(|pair| name_of(pair))
        .collect();
    let mut option = option;
    option.values.retain(|pair| !taken.contains(&name_of(pair)));
    (!option.values.is_empty()).then_some(option)
}

/// Returns whether a value of one option leaves no room for the other.
fn excludes(options: &Command, one: &str, other: &str) -> bool {
    if is_pair(one) {
        return is_pair(other) && providers::sets(one) == providers::sets(other);
    }
    let conflicts = |one: &str, other: &str| {
        let one = options
            .get_arguments()
            .find(|option| option.get_id() == one);
        let conflicts = one.map(|one| options.get_arg_conflicts_with(one));
        conflicts.is_some_and(|all| all.iter().any(|option| option.get_id() == other))
    };
    one == other || conflicts(one, other) || conflicts(other, one)
}

fn setting_value(option: &str) -> Option<SettingValue> {
    let setting = SETTINGS.iter().find(|setting| setting.name == option);
    setting.map(|setting| setting.value)
}

fn is_pair(option: &str) -> bool {
    matches!(setting_value(option), Some(SettingValue::Pair { .. }))
}

/// Returns whether an option takes pairs whose values may be secrets.
pub(crate) fn may_be_secret(option: &str) -> bool {
    let value = setting_value(option);
    value.is_some_and(
        |value| matches!(value, SettingValue::Pair { may_be_secret, .. } if may_be_secret),
    )
}

/// Returns the name of the variable that an option has.
pub(crate) fn variable_name(option: &str) -> String {
    format!("{PREFIX}{}", option.to_ascii_uppercase().replace('-', "_"))
}

fn variable(option: &Arg, provider: Option<&Provider>) -> Option<Given> {
    let id = option.get_id().as_str();
    let option_name = option.get_long()?;
    if matches!(option_name, "help" | "version" | "config") {
        return None;
    }
    let name = variable_name(option_name);
    let text = env::var(&name).ok().filter(|text| !text.is_empty());
    let values = match text {
        Some(text) if holds_secret(id, provider) => vec![match text.strip_prefix('@') {
            Some(file) => file.to_owned(),
            None => format!("{ENV}{name}"),
        }],
        Some(text) if is_file(option) && is_content(&text) => vec![format!("{ENV}{name}")],
        Some(text) if matches!(option.get_action(), ArgAction::Append) => {
            text.lines().map(str::to_owned).collect()
        }
        Some(text) => vec![text],
        // `--passphrase-file` names a file, so that the shorter name has the passphrase itself.
        None => {
            let name = variable_name(option_name.strip_suffix("-file")?);
            env::var_os(&name)?;
            vec![format!("{ENV}{name}")]
        }
    };
    Some(Given {
        name: id.to_owned(),
        values,
        place: Place::Variable,
    })
}

/// Returns whether the file of an option has a secret that is a text.
fn holds_secret(id: &str, provider: Option<&Provider>) -> bool {
    let inputs = provider.map(|provider| provider.inputs).unwrap_or_default();
    let mut inputs = inputs.iter().filter(|input| input.name == id);
    id == "secret" || inputs.any(|input| matches!(input.value, InputValue::Secret(_)))
}

/// Returns whether a text is PEM or JSON, and no file name.
fn is_content(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("-----BEGIN") || text.starts_with(['{', '[']) || text.trim_end().contains('\n')
}

pub(crate) fn is_file(option: &Arg) -> bool {
    matches!(
        option.get_value_hint(),
        ValueHint::FilePath | ValueHint::DirPath
    )
}

/// Returns an option as arguments.
fn words(options: &Command, given: &Given) -> Vec<OsString> {
    let option = options
        .get_arguments()
        .find(|option| option.get_id() == given.name.as_str());
    let Some((option, long)) = option.and_then(|option| Some((option, option.get_long()?))) else {
        return Vec::new();
    };
    let words = given.values.iter().map(|value| match option.get_action() {
        ArgAction::SetTrue => is_on(value).then(|| format!("--{long}").into()),
        _ if is_file(option) && given.place != Place::Variable => {
            Some(word(long, Connection::file_name(value).as_os_str()))
        }
        _ if may_be_secret(&given.name) => Some(word(long, OsStr::new(&marked(value)))),
        _ => Some(word(long, OsStr::new(value))),
    });
    words.flatten().collect()
}

fn word(option: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{option}="));
    word.push(value);
    word
}

/// Returns a pair whose value is marked as one that is no argument.
fn marked(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, value)) if !value.starts_with('@') => {
            format!("{name}={NOT_AN_ARGUMENT}{value}")
        }
        _ => pair.to_owned(),
    }
}

fn is_on(value: &str) -> bool {
    !matches!(value, "no" | "false" | "0")
}

/// Returns the subcommand that takes a provider, and the name and arguments of what is chosen below it.
fn chosen(matches: &ArgMatches) -> Option<(&str, &str, &ArgMatches)> {
    let (above, matches) = matches.subcommand()?;
    let (name, matches) = matches.subcommand()?;
    Some((above, name, matches))
}
