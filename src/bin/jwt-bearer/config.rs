//! The command `config`: connections, and where each value comes from.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::env;

use clap::{Command, CommandFactory as _};
use jwt_bearer::provider::PROVIDERS;
use serde_json::Value;

use crate::args::Arguments;
use crate::connections::{Connection, Connections, VARIABLE};
use crate::failure::Failure;
use crate::files::is_file_name;
use crate::layers::{self, Given, Layer};
use crate::messages::{escape_invisible, print_message};
use crate::names::{self, nearest};
use crate::output::print_to_stdout;
use crate::pairs::{self, is_secret_pair};
use crate::providers;

/// Columns of an option with its value, before the place where it comes from.
const WIDTH: usize = 44;

/// Prints the connection of this name, or all.
///
/// # Errors
/// If the connection does not exist, or a connection has an option that does not exist.
pub(crate) fn run(name: Option<&str>) -> Result<(), Failure> {
    let all = Connections::get();
    let Some(file) = &all.file else {
        return Err(Failure::config(
            "no directory for configuration is known: name the file with --config",
        ));
    };
    let connections: Vec<_> = match name {
        None => all.iter().collect(),
        Some(name) => vec![all.named(name).ok_or_else(|| no_connection(name))?],
    };
    let mut lines = vec![match all.exists {
        true => format!("# {}", file.display()),
        false => format!(
            "# {} does not exist: see jwt-bearer config --help",
            file.display()
        ),
    }];
    let command = Arguments::command();
    for connection in &connections {
        lines.push(String::new());
        lines.extend(describe(&command, connection)?);
    }
    print_to_stdout(&lines.join("\n"))?;
    warn_of_variables(&command);
    connections
        .into_iter()
        .try_for_each(|connection| layers::check(&command, connection))
}

/// Warns about variables that belong to no option.
fn warn_of_variables(command: &Command) {
    let all = PROVIDERS.iter().map(|provider| provider.name);
    let options = all.map(|name| providers::command_of(command, None, Some(name)));
    let known: BTreeSet<_> = options
        .flat_map(|options| layers::variable_names(&options))
        .collect();
    for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if name.starts_with(names::PREFIX) && name != VARIABLE && !known.contains(&name) {
            let nearest = nearest(&name, known.iter().map(String::as_str));
            print_message(&format!("the variable {name} is of no option{nearest}"));
        }
    }
}

fn no_connection(name: &str) -> Failure {
    let all = Connections::get();
    let names: Vec<_> = all
        .iter()
        .map(|connection| connection.name.as_str())
        .collect();
    let nearest = nearest(name, names.iter().copied());
    let failure = Failure::usage(format!("there is no connection of this name{nearest}"));
    match names.is_empty() {
        true => failure.with_hint("there are none: see jwt-bearer config --help"),
        false => failure.with_hint(format!("there are {}", escape_invisible(&names.join(", ")))),
    }
}

/// Returns the lines of a connection, as they could be in the file.
fn describe(command: &Command, connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut lines = vec![format!("[{}]", connection.name)];
    if names::provider(&connection.name).is_some() {
        lines.push(format!("# wins over the provider {}", connection.name));
    }
    if let (Some(provider), Some(n)) = (connection.provider, connection.provider_line) {
        let option = format!("provider = {}", quoted(provider.name));
        lines.push(line(&option, &format!("line {n}")));
    }
    let options = providers::command_of(command, None, Some(&connection.name));
    for given in layers::added(&options, &connection.name, Vec::new())? {
        let origin = match &given.layer {
            Layer::Variable(name) => name.clone(),
            Layer::File(line) => format!("line {line}"),
        };
        let value = value(&options, &given);
        lines.push(line(&format!("{} = {value}", given.name), &origin));
    }
    Ok(lines)
}

fn line(option: &str, place: &str) -> String {
    format!("{option:WIDTH$} # {place}")
}

/// Returns the values in TOML, without those that may be secret.
fn value(options: &Command, given: &Given) -> String {
    let is_file = layers::takes_file(options, &given.name);
    let is_secret =
        |value: &str| pairs::may_be_secret(&given.name) && is_secret_pair(&given.name, value);
    let shown = |value: &String| match value.split_once('=') {
        // A secret may be given in place of the file that contains it.
        _ if is_file => match is_file_name(value)
            || is_file_name(&Connection::file_name(value).to_string_lossy())
        {
            true => quoted(value),
            false => quoted("..."),
        },
        Some((name, _)) if is_secret(value) => quoted(&format!("{name}=...")),
        _ => quoted(&without_credentials(value)),
    };
    match &*given.values {
        [value] if layers::is_switch(options, &given.name) => match layers::is_on(value) {
            Some(is_on) => is_on.to_string(),
            None => quoted(value),
        },
        [value] => shown(value),
        values => format!(
            "[{}]",
            values.iter().map(shown).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Returns a URL without its user, password and query; any other text as it is.
fn without_credentials(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Cow::Borrowed(text);
    };
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

/// Returns a text as a basic string of TOML, which has the same escapes as JSON.
fn quoted(text: &str) -> String {
    escape_invisible(&Value::from(text).to_string())
}
