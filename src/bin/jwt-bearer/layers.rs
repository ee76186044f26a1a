//! The three sources of an option's value: the command line, an environment variable, a connection.
//!
//! The first source in this order wins. The values of a lower source are written into the arguments, so that clap reads
//! and checks all values in the same way.

use std::env::{self, VarError};
use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, Subcommand as _, ValueHint};
use jwt_bearer::provider::{InputValue, Provider};

use crate::chosen::Chosen;
use crate::connections::{Connection, Connections};
use crate::failure::Failure;
use crate::files::{ENV, is_content};
use crate::names::{PREFIX, nearest, shown, variable_name};
use crate::{origins, pairs, providers, words};

/// Options that neither a variable nor a connection can have.
const NO_VALUES: &[&str] = &["help", "version", "config"];

/// Where a value comes from, if not from the command line.
pub(crate) enum Layer {
    /// The variable of this name.
    Variable(String),
    /// A line of the configuration file.
    File(usize),
}

/// An option and its values, which do not come from the command line.
pub(crate) struct Given {
    /// The option without its hyphens.
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
    pub(crate) layer: Layer,
}

impl Given {
    /// Returns what messages about a refused value need.
    pub(crate) fn into_origin(self) -> origins::Origin {
        origins::Origin {
            place: self.place(),
            option: self.name,
            values: self.values,
        }
    }

    /// Returns where the values come from, for a sentence.
    fn place(&self) -> String {
        match &self.layer {
            Layer::Variable(name) => format!("that of the variable {name}"),
            Layer::File(line) => format!("at {}", Connections::get().place(*line)),
        }
    }
}

/// Returns the arguments with what variables and the connection add to them, and the additions.
///
/// # Errors
/// If the connection has an option that does not exist, a variable is not text, or a switch is neither on nor off.
pub(crate) fn complete(
    command: &Command,
    mut arguments: Vec<OsString>,
) -> Result<(Vec<OsString>, Vec<Given>), Failure> {
    let has_prefix =
        |(name, _): (OsString, OsString)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    if Connections::get().iter().next().is_none() && !env::vars_os().any(has_prefix) {
        return Ok((arguments, Vec::new()));
    }
    let Some(places) = words::find(command, &arguments) else {
        return Ok((arguments, Vec::new()));
    };
    let word = |place: usize| arguments.get(place).and_then(|word| word.to_str());
    let above = word(places.command).unwrap_or_default();
    let below = (places.below).filter(|_| providers::is_for_provider(command, above));
    let name = below.and_then(word);
    if name.is_some_and(|name| !Chosen::has_subcommand(name)) {
        return Ok((arguments, Vec::new())); // clap says so
    }
    if let Some(connection) = name.and_then(|name| Connections::get().named(name)) {
        check(command, connection)?;
    }
    let options = providers::command_of(command, Some(above), name);
    let (place, places) = (places.command, [Some(0), Some(places.command), below]);
    let given = (0..).zip(&arguments);
    let given = given.filter(|(place, _)| !places.contains(&Some(*place)));
    let given = given.map(|(_, word)| word);
    let given = given.take_while(|word| *word != "--");
    let lenient = options.clone().no_binary_name(true).ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(given) else {
        return Ok((arguments, Vec::new())); // help and version
    };
    let is_given = |option: &Arg| {
        let id = option.get_id().as_str();
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    let on_command_line = options.get_arguments().filter(|option| is_given(option));
    let on_command_line = on_command_line.map(|option| {
        let texts = matches.try_get_many::<String>(option.get_id().as_str());
        let texts = texts.ok().flatten().into_iter().flatten();
        (name_of(option).to_owned(), texts.cloned().collect())
    });
    let added = added(
        &options,
        name.unwrap_or_default(),
        on_command_line.collect(),
    )?;
    let words = added.iter().map(|given| words(&options, given));
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let words: Vec<_> = words.into_iter().flatten().collect();
    let behind = below.unwrap_or(place).saturating_add(1);
    arguments.splice(behind..behind, words);
    Ok((arguments, added))
}

/// Returns the name of an option in variables and in the configuration file: its own without leading hyphens.
fn name_of(option: &Arg) -> &str {
    match option.get_long() {
        Some(long) => long,
        None if option.get_id() == providers::FILE => "credentials",
        None => "",
    }
}

fn named<'a>(options: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut options = options.get_arguments();
    options.find(|option| name_of(option) == name && !NO_VALUES.contains(&name))
}

/// Checks that a connection has a provider, and that each of its options exists.
///
/// # Errors
/// If an option does not exist; the message names the nearest one that does.
pub(crate) fn check(command: &Command, connection: &Connection) -> Result<(), Failure> {
    let all = Connections::get();
    let name = &connection.name;
    if let (Some(problem), Some(line)) = (&connection.provider_problem, connection.provider_line) {
        let place = all.place(line);
        return Err(Failure::config(format!(
            "{place}: the connection {name}: {problem}"
        )));
    }
    let has_file = connection
        .options
        .iter()
        .any(|option| option.name == "credentials");
    if connection.provider.is_none() && !has_file {
        let place = all.place(connection.line);
        return Err(Failure::config(format!(
            "{place}: the connection {name} has no provider: write provider = \"NAME\", or credentials = \"FILE\" for \
             a credential file that says it"
        )));
    }
    let options = providers::command_of(command, None, Some(name));
    let unknown = connection
        .options
        .iter()
        .find(|option| named(&options, &option.name).is_none());
    let Some(option) = unknown else { return Ok(()) };
    let names = options.get_arguments().map(name_of).chain(["provider"]);
    let names = names.filter(|name| !NO_VALUES.contains(name));
    let (place, nearest) = (all.place(option.line), nearest(&option.name, names));
    let option = shown(&option.name);
    Err(Failure::config(format!(
        "{place}: the connection {name} has the option {option}, which does not exist{nearest}"
    )))
}

/// Returns the values of variables and of the connection that the command line does not set.
///
/// # Errors
/// If a variable is not text.
pub(crate) fn added(
    options: &Command,
    name: &str,
    mut given: Vec<(String, Vec<String>)>,
) -> Result<Vec<Given>, Failure> {
    let connection = Connections::get().named(name);
    let provider = providers::provider_of(name);
    let variables = options
        .get_arguments()
        .map(|option| variable(option, provider));
    let variables = variables
        .filter_map(Result::transpose)
        .collect::<Result<Vec<_>, _>>()?;
    let connection = connection.map_or(&[][..], |connection| &connection.options);
    // An option of another command may be in the connection, too.
    let connection = connection
        .iter()
        .filter(|option| named(options, &option.name).is_some());
    let connection = connection.map(|option| Given {
        name: option.name.clone(),
        values: option.values.clone(),
        layer: Layer::File(option.line),
    });
    let mut all = Vec::new();
    for place in [variables, connection.collect()] {
        let place = place
            .into_iter()
            .filter_map(|option| remaining(options, option, &given));
        let place: Vec<_> = place.collect();
        let names = place
            .iter()
            .map(|option| (option.name.clone(), option.values.clone()));
        given.extend(names);
        all.extend(place);
    }
    Ok(all)
}

/// Returns what remains of an option after higher sources have set theirs.
fn remaining(
    options: &Command,
    mut option: Given,
    given: &[(String, Vec<String>)],
) -> Option<Given> {
    let excluding = given
        .iter()
        .filter(|(other, _)| excludes(options, &option.name, other));
    if !pairs::is_pair(&option.name) {
        return excluding.count().eq(&0).then_some(option);
    }
    let name_of = |pair: &str| pair.split_once('=').map(|(name, _)| name.to_owned());
    let taken: Vec<_> = excluding
        .flat_map(|(_, pairs)| pairs)
        .map(|pair| name_of(pair))
        .collect();
    option.values.retain(|pair| !taken.contains(&name_of(pair)));
    (!option.values.is_empty()).then_some(option)
}

/// Returns whether one option replaces the other. Options that take pairs replace only pairs of the same name.
fn excludes(options: &Command, one: &str, other: &str) -> bool {
    if pairs::is_pair(one) {
        return pairs::is_pair(other) && providers::sets(one) == providers::sets(other);
    }
    let conflicts = |one: &str, other: &str| {
        let conflicts = named(options, one).map(|one| options.get_arg_conflicts_with(one));
        conflicts.is_some_and(|all| all.iter().any(|option| name_of(option) == other))
    };
    one == other || conflicts(one, other) || conflicts(other, one)
}

/// Returns the text of a variable. An empty one counts as unset: a pipeline sets it to a secret that does not exist.
fn text_of(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::config(format!(
            "the variable {name} is no text in UTF-8"
        ))),
    }
}

fn variable(option: &Arg, provider: Option<&Provider>) -> Result<Option<Given>, Failure> {
    let name = name_of(option);
    if name.is_empty() || NO_VALUES.contains(&name) {
        return Ok(None);
    }
    // `--passphrase-file` names a file, so the variable with the shorter name has the passphrase itself.
    let secret = match name.strip_suffix("-file") {
        Some(name) => Some(variable_name(name)),
        None => holds_secret(name, provider).then(|| variable_name(name)),
    };
    let secret_text = secret.as_deref().map_or(Ok(None), text_of)?;
    let variable = variable_name(name);
    let (values, variable) = match (secret_text, secret) {
        (Some(text), Some(secret)) => {
            let value = match text.strip_prefix('@') {
                Some(file) => file.to_owned(),
                None => format!("{ENV}{secret}"),
            };
            (vec![value], secret)
        }
        _ => match text_of(&variable)? {
            Some(text) if is_file(option) && is_content(&text) => {
                (vec![format!("{ENV}{variable}")], variable)
            }
            Some(text) if matches!(option.get_action(), ArgAction::Append) => {
                (text.lines().map(str::to_owned).collect(), variable)
            }
            // A pipeline's secret has the line end of the text that was pasted.
            Some(text) => (
                vec![text.trim_end_matches(['\r', '\n']).to_owned()],
                variable,
            ),
            None => return Ok(None),
        },
    };
    Ok(Some(Given {
        name: name.to_owned(),
        values,
        layer: Layer::Variable(variable),
    }))
}

/// Returns whether the file of an option holds a secret that is text.
fn holds_secret(option: &str, provider: Option<&Provider>) -> bool {
    let inputs = provider.map(|provider| provider.inputs).unwrap_or_default();
    let mut inputs = inputs.iter().filter(|input| input.name == option);
    option == "secret" || inputs.any(|input| matches!(input.value, InputValue::Secret(_)))
}

/// Returns whether an option of this name takes a file.
pub(crate) fn takes_file(options: &Command, name: &str) -> bool {
    named(options, name).is_some_and(is_file)
}

/// Returns whether an option of this name takes no value.
pub(crate) fn is_switch(options: &Command, name: &str) -> bool {
    let option = named(options, name);
    option.is_some_and(|option| matches!(option.get_action(), ArgAction::SetTrue))
}

/// Returns the names of all variables of a command.
pub(crate) fn variable_names(options: &Command) -> Vec<String> {
    let options = options.get_arguments().map(name_of);
    let options = options.filter(|name| !name.is_empty() && !NO_VALUES.contains(name));
    let names = options.flat_map(|name| {
        let secret = name.strip_suffix("-file").map(variable_name);
        [variable_name(name)].into_iter().chain(secret)
    });
    names.collect()
}

fn is_file(option: &Arg) -> bool {
    matches!(
        option.get_value_hint(),
        ValueHint::FilePath | ValueHint::DirPath
    )
}

/// Returns an option as arguments.
///
/// # Errors
/// If a switch is neither on nor off.
fn words(options: &Command, given: &Given) -> Result<Vec<OsString>, Failure> {
    let Some(option) = named(options, &given.name) else {
        return Ok(Vec::new());
    };
    let word = |value: &OsStr| match option.get_long() {
        Some(long) => {
            let mut word = OsString::from(format!("--{long}="));
            word.push(value);
            word
        }
        None => value.to_owned(),
    };
    let words = given.values.iter().map(|value| match option.get_action() {
        ArgAction::SetTrue => match is_on(value) {
            Some(is_on) => Ok(is_on.then(|| format!("--{}", given.name).into())),
            None => Err(Failure::config(format!(
                "{}: expected yes or no: its value is {}",
                given.name,
                given.place()
            ))),
        },
        _ if is_file(option) && matches!(given.layer, Layer::File(_)) => {
            Ok(Some(word(Connection::file_name(value).as_os_str())))
        }
        _ if pairs::may_be_secret(&given.name) => Ok(Some(word(OsStr::new(&pairs::marked(value))))),
        _ => Ok(Some(word(OsStr::new(value)))),
    });
    words.filter_map(Result::transpose).collect()
}

/// Returns whether a switch is on, or `None` if that is not clear.
pub(crate) fn is_on(value: &str) -> Option<bool> {
    match &*value.to_ascii_lowercase() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}
