//! The command `config`: connections, and where each value comes from.

use clap::{Command, CommandFactory as _};
use jwt_bearer::provider::PROVIDERS;
use serde_json::Value;

use crate::args::Arguments;
use crate::connections::{Connection, Connections, nearest};
use crate::layers::{self, Given, Place};
use crate::output::{Failure, escape_invisible, print_to_stdout};
use crate::profiles::is_secret_pair;
use crate::providers;

/// Columns of an option with its value, before the place that it comes from.
const WIDTH: usize = 44;

/// Prints the connection of this name, or all.
///
/// # Errors
/// Where there is no such connection, and where one has an option that does not exist.
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
    all.warn();
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
        lines.extend(describe(&command, connection));
    }
    print_to_stdout(&lines.join("\n"))?;
    connections
        .into_iter()
        .try_for_each(|connection| layers::check(&command, connection))
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

/// Returns the lines of a connection, as the file could have them.
fn describe(command: &Command, connection: &Connection) -> Vec<String> {
    let mut lines = vec![format!("[{}]", escape_invisible(&connection.name))];
    if PROVIDERS
        .iter()
        .any(|provider| provider.name == connection.name)
    {
        lines.push(format!("# wins over the provider {}", connection.name));
    }
    if let (Some(provider), Some(n)) = (connection.provider, connection.provider_line) {
        let option = format!("provider = {}", quoted(provider.name));
        lines.push(line(&option, &format!("line {n}")));
    }
    let options = providers::command_of(command, None, &connection.name);
    for given in layers::added(&options, &connection.name, Vec::new()) {
        let place = match given.place {
            Place::Variable => layers::variable_name(&given.name),
            Place::File(line) => format!("line {line}"),
        };
        lines.push(line(&format!("{} = {}", given.name, value(&given)), &place));
    }
    lines
}

fn line(option: &str, place: &str) -> String {
    format!("{option:WIDTH$} # {place}")
}

/// Returns the values as TOML has them, without what may be a secret.
fn value(given: &Given) -> String {
    let is_secret =
        |value: &str| layers::may_be_secret(&given.name) && is_secret_pair(&given.name, value);
    let shown = |value: &String| match value.split_once('=') {
        Some((name, _)) if is_secret(value) => quoted(&format!("{name}=...")),
        _ => quoted(value),
    };
    match &*given.values {
        [value] => shown(value),
        values => format!(
            "[{}]",
            values.iter().map(shown).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Returns a text as a basic string of TOML, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    escape_invisible(&Value::from(text).to_string())
}
