//! The library's tables of providers and settings as subcommands and options. No provider and no setting is named here.
//!
//! A connection has the options of its provider.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgGroup, Args as _, Command, ValueHint, value_parser};
use jwt_bearer::provider::{Input, InputValue, KeyKind, Provider};
use jwt_bearer::{Audience, Endpoint, Profile, SETTINGS, Setting, SettingPart, SettingValue};

use crate::connections::{CREDENTIALS, Connection, Connections};
use crate::examples::{
    example, example_of_connection, example_of_file, is_endpoint, usage_of_connection,
};
use crate::exec;
use crate::names;
use crate::options::{CommonOptions, SecretEncoding};

/// Headings of the help.
const SERVER: &str = "Server";
const ASSERTION: &str = "Assertion";
const KEY: &str = "Key";
/// The credential file of [`CREDENTIALS`].
pub(crate) const FILE: &str = "FILE";

/// What help calls the subcommand that is a provider or a connection.
pub(crate) const CHOSEN: &str = "CONNECTION|PROVIDER";

/// Returns whether the command takes a provider or a connection.
pub(crate) fn takes_provider(command: &Command) -> bool {
    command.get_subcommand_value_name() == Some(CHOSEN)
}

/// Returns whether one of the subcommands with this name takes a provider or a connection.
pub(crate) fn is_for_provider(command: &Command, name: &str) -> bool {
    command.find_subcommand(name).is_some_and(takes_provider)
}

/// Returns a command with the options of a provider or connection.
///
/// It also has the options of the subcommand above it, or those of all of them. Without a name it has only the options
/// of the subcommand, and the global ones.
pub(crate) fn command_of(command: &Command, above: Option<&str>, name: Option<&str>) -> Command {
    let mut all = match name {
        Some(name) => options(Command::new(name.to_owned()), "token"),
        None => Command::new(""),
    };
    let subcommands = command.get_subcommands().filter(|subcommand| {
        above.is_none_or(|name| subcommand.get_name() == name) && takes_provider(subcommand)
    });
    let options = subcommands.flat_map(Command::get_arguments);
    for option in options.chain(command.get_arguments()) {
        if !all
            .get_arguments()
            .any(|other| other.get_id() == option.get_id())
        {
            all = all.arg(option.clone());
        }
    }
    all
}

/// Returns the provider of this name, or the one that the connection of this name has.
pub(crate) fn provider_of(name: &str) -> Option<&'static Provider> {
    match Connections::get().named(name) {
        Some(connection) => connection.provider,
        None => names::provider(name),
    }
}

pub(crate) fn about(connection: &Connection) -> String {
    let place = Connections::get().place(connection.line);
    match connection.provider {
        Some(provider) => format!("A connection to {}: {place}", provider.name),
        None if connection.provider_problem.is_some() => {
            format!("A connection to an unknown provider: {place}")
        }
        None => format!("A connection by a credential file: {place}"),
    }
}

/// Returns what a setting sets: its own name, or that of the one that it replaces.
pub(crate) fn sets(setting: &str) -> &str {
    let row = SETTINGS.iter().find(|row| row.name == setting);
    row.and_then(|row| row.instead_of).unwrap_or(setting)
}

/// Returns the settings that are not inputs of the provider.
pub(crate) fn settings_of(
    provider: Option<&'static Provider>,
) -> impl Iterator<Item = &'static Setting> {
    let inputs = provider.map(|provider| provider.inputs).unwrap_or_default();
    let is_input = move |setting: &&Setting| inputs.iter().any(|input| input.name == setting.name);
    SETTINGS.iter().filter(move |setting| !is_input(setting))
}

/// Returns a function that adds the options of a provider to a subcommand of this name. clap takes no closure.
pub(crate) fn options_for(used_by: &str) -> fn(Command) -> Command {
    match used_by {
        "assertion" => |command| options(command, "assertion"),
        "check" => |command| options(command, "check"),
        "exec" => |command| options(command, "exec"),
        "forget" => |command| options(command, "forget"),
        _ => |command| options(command, "token"),
    }
}

/// Adds the options of the provider that a subcommand is named after.
fn options(command: Command, used_by: &str) -> Command {
    let provider = provider_of(command.get_name());
    let command = match provider {
        Some(provider) => {
            let inputs = provider
                .inputs
                .iter()
                .map(|input| input_option(provider, input));
            let groups = provider
                .alternatives
                .iter()
                .map(|group| alternatives(provider, group, used_by));
            let command = command.args(inputs).groups(groups);
            let example = match Connections::get().named(command.get_name()) {
                Some(connection) => example_of_connection(used_by, &connection.name),
                None => example(provider, used_by),
            };
            key_options(command, provider).after_help(example)
        }
        None if command.get_name() != CREDENTIALS => {
            let example = example_of_connection(used_by, command.get_name());
            let file = file("credentials", "The credential file").required(true);
            command.arg(file).after_help(example)
        }
        None => command
            .arg(file(FILE, "The credential file").required(true))
            .after_help(example_of_file(used_by)),
    };
    let command = match used_by {
        "exec" => command.arg(exec::argument()),
        _ => command,
    };
    // The connection has what the provider requires.
    let command = match Connections::get().named(command.get_name()) {
        Some(connection) => {
            let usage = usage_of_connection(used_by, &connection.name);
            command.override_usage(usage)
        }
        None => command,
    };
    let settings = settings_of(provider).map(|setting| setting_option(setting, provider));
    let command = CommonOptions::augment_args(command.args(settings));
    // A credential file has the passphrase of its key.
    let mut ids = command
        .get_arguments()
        .map(|option| option.get_id().clone());
    let file = ids.find(|id| id == CREDENTIALS || id == FILE);
    drop(ids);
    match file {
        Some(file) => command.mut_arg("passphrase_file", |option| option.conflicts_with(file)),
        None => command,
    }
}

fn input_option(provider: &Provider, input: &'static Input) -> Arg {
    let option = Arg::new(input.name)
        .long(input.name)
        .help_heading(SERVER)
        .value_name(input.name.to_ascii_uppercase())
        .help(phrase(input.help));
    let option = match input.value {
        InputValue::Text(form) => option.value_name(form),
        InputValue::List(form) => option.value_name(form).action(ArgAction::Append),
        InputValue::Secret(_) => option
            .value_name("FILE")
            .value_hint(ValueHint::FilePath)
            .allow_hyphen_values(true),
        InputValue::Choice(choices) => option.value_parser(
            choices
                .iter()
                .map(|(name, help)| {
                    let value = PossibleValue::new(*name);
                    if help.is_empty() {
                        value
                    } else {
                        value.help(*help)
                    }
                })
                .collect::<Vec<_>>(),
        ),
        InputValue::Flag => option.action(ArgAction::SetTrue),
        _ => option,
    };
    let is_in_file = provider.is_in_credential_file(input.name);
    let option = match input.is_required {
        true if is_in_file => option.required_unless_present("credentials"),
        is_required => option.required(is_required),
    };
    let groups = provider.alternatives.iter().copied();
    let groups = groups.filter(|group| group.contains(&input.name));
    let others = groups.flatten().filter(|name| **name != input.name);
    let option = option.conflicts_with_all(others);
    let option = input.default.into_iter().fold(option, Arg::default_value);
    input
        .instead_of
        .into_iter()
        .fold(option, Arg::conflicts_with)
}

/// Returns a group of options of which one is needed.
///
/// A credential file that has one of them is enough; an option given in addition replaces what the file has. The
/// options exclude each other.
///
/// An assertion by itself needs no endpoint if its audience is given.
fn alternatives(
    provider: &'static Provider,
    group: &'static [&'static str],
    used_by: &str,
) -> ArgGroup {
    let options = ArgGroup::new(group.join(" or "))
        .required(true)
        .multiple(true);
    let mut names = group.iter();
    let file = names.any(|name| provider.is_in_credential_file(name));
    let audience = (used_by == "assertion" && is_endpoint(group)).then_some("audience");
    options
        .args(group)
        .args(file.then_some("credentials"))
        .args(audience)
}

fn key_options(command: Command, provider: &Provider) -> Command {
    let key = file(
        "key",
        "The private key: RSA, EC or Ed25519 in PEM, DER or PKCS#12, as a JWK, or inside a JSON file",
    );
    let certificate = file(
        "certificate",
        "The certificate of the key, if it is not in the file of the key",
    );
    let secret = file(
        "secret",
        "The shared secret of an HMAC. One line end at the end of a text is dropped",
    );
    let encoding = Arg::new("secret-encoding")
        .long("secret-encoding")
        .value_name("ENCODING")
        .help_heading(KEY)
        .help("How the secret is written in the file")
        .value_parser(clap::builder::EnumValueParser::<SecretEncoding>::new())
        .default_value("text");
    let credentials = file(
        "credentials",
        "The credential file of the server: everything in one file",
    );
    match provider.key {
        KeyKind::Private if provider.has_credential_file() => command
            .arg(credentials.conflicts_with("key"))
            .arg(key.required_unless_present("credentials"))
            .arg(certificate.conflicts_with("credentials")),
        KeyKind::Private => command.arg(key.required(true)).arg(certificate),
        KeyKind::Secret => command.arg(secret.required(true)).arg(encoding),
        _ => command
            .args([key.conflicts_with("secret"), certificate, secret, encoding])
            .group(
                ArgGroup::new("credential")
                    .required(true)
                    .args(["key", "secret"]),
            ),
    }
}

fn file(name: &'static str, help: &'static str) -> Arg {
    let option = Arg::new(name)
        .value_name("FILE")
        .help(help)
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .allow_hyphen_values(true);
    match name {
        FILE => option,
        name => option.long(name).help_heading(KEY),
    }
}

fn setting_option(setting: &'static Setting, provider: Option<&'static Provider>) -> Arg {
    let is_pair = matches!(setting.value, SettingValue::Pair { .. });
    let others = settings_of(provider).filter(|other| {
        !is_pair && other.name != setting.name && sets(other.name) == sets(setting.name)
    });
    let option = Arg::new(setting.name)
        .long(setting.name)
        .help(help(setting))
        .hide_short_help(!setting.is_common)
        .help_heading(heading(setting.part))
        .conflicts_with_all(others.map(|other| other.name));
    match setting.value {
        SettingValue::Flag => option.action(ArgAction::SetTrue),
        value => option
            .value_name(value.form().unwrap_or_default())
            .value_parser(move |text: &str| check(setting, text))
            .action(match value.may_repeat() {
                true => ArgAction::Append,
                false => ArgAction::Set,
            }),
    }
}

/// Returns the heading of the options that change a part of the exchange.
fn heading(part: SettingPart) -> &'static str {
    match part {
        SettingPart::Server => SERVER,
        SettingPart::Assertion => ASSERTION,
        SettingPart::Request => "Request",
        _ => "Response",
    }
}

fn help(setting: &Setting) -> String {
    match setting.value {
        SettingValue::Pair {
            may_be_secret: true,
            ..
        } => format!(
            "{} NAME=@FILE reads the value from a file, which is required of what may be a secret. NAME=@@VALUE is a \
             value that begins with @",
            setting.help
        ),
        _ => phrase(setting.help).to_owned(),
    }
}

/// Returns a sentence as clap prints help texts, without its full stop.
pub(crate) fn phrase(sentence: &str) -> &str {
    sentence.strip_suffix('.').unwrap_or(sentence)
}

/// Checks that a text has the form of a setting's values.
fn check(setting: &Setting, text: &str) -> Result<String, String> {
    let form = setting.value.form().unwrap_or_default();
    let has_form = match setting.value {
        SettingValue::Pair { .. } => text
            .split_once('=')
            .is_some_and(|(name, _)| !name.is_empty()),
        // A URL has its own errors, which are not usage errors.
        _ if form == "URL" => true,
        _ => {
            let profile = Profile::new(Endpoint::none(), Audience::Omit);
            profile.with_setting(setting.name, text).is_ok()
        }
    };
    match has_form {
        true => Ok(text.to_owned()),
        false => Err(format!("expected {form}")),
    }
}
