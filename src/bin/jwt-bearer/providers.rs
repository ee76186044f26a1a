//! The library's tables of providers and settings as subcommands and options. No provider and no setting is named here.
//!
//! The name of a connection stands where that of a provider does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::parser::ValueSource;
use clap::{
    Arg, ArgAction, ArgGroup, ArgMatches, Args as _, Command, FromArgMatches, Subcommand,
    ValueHint, value_parser,
};
use jwt_bearer::provider::{Input, InputValue, KeyKind, PROVIDERS, Provider};
use jwt_bearer::{Audience, Endpoint, Profile, SETTINGS, Setting, SettingPart, SettingValue};

use crate::args::{CommonOptions, SecretEncoding};
use crate::connections::{Connection, Connections};

/// Headings of the help.
const SERVER: &str = "Server";
const ASSERTION: &str = "Assertion";
const KEY: &str = "Key";
use crate::examples::{
    command_above, example, example_of_connection, example_of_file, is_endpoint,
    usage_of_connection,
};
use crate::exec;
use crate::reporting::VERBOSE;

/// The subcommand for any server whose credential file says everything.
pub(crate) const CREDENTIALS: &str = "credentials";
/// Its credential file.
pub(crate) const FILE: &str = "FILE";
const CREDENTIALS_ABOUT: &str =
    "Any server whose credential file says everything, such as Google's or Box's";

/// A subcommand below `token`: a provider, a connection, or a credential file that says which provider it is of.
#[derive(Clone)]
pub(crate) struct Chosen {
    /// `None` where a credential file says it.
    pub(crate) provider: Option<&'static Provider>,
    pub(crate) is_connection: bool,
    pub(crate) common: CommonOptions,
    matches: ArgMatches,
}

impl Chosen {
    /// Returns the file that an option names.
    pub(crate) fn file(&self, option: &str) -> Option<&Path> {
        let file = self.matches.try_get_one::<PathBuf>(option);
        file.ok().flatten().map(PathBuf::as_path)
    }

    /// Returns the credential file.
    pub(crate) fn credential_file(&self) -> Option<&Path> {
        self.file("credentials").or_else(|| self.file(FILE))
    }

    pub(crate) fn secret_encoding(&self) -> SecretEncoding {
        let encoding = self
            .matches
            .try_get_one::<SecretEncoding>("secret-encoding");
        encoding
            .ok()
            .flatten()
            .copied()
            .unwrap_or(SecretEncoding::Text)
    }

    /// Returns the command that `exec` runs, and its arguments.
    pub(crate) fn command_line(&self) -> Vec<OsString> {
        let words = self.matches.try_get_many::<OsString>(exec::COMMAND);
        words
            .ok()
            .flatten()
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Returns whether an assertion cannot be signed without one of the inputs that say where the token endpoint is.
    pub(crate) fn needs_endpoint(&self) -> bool {
        let groups = self.provider.map(|provider| provider.alternatives);
        let group = groups
            .unwrap_or_default()
            .iter()
            .find(|group| is_endpoint(group));
        let is_given =
            |name: &&str| self.matches.value_source(name) == Some(ValueSource::CommandLine);
        let mut audience = self.texts("audience");
        let is_fixed = audience
            .next()
            .is_some_and(|text| !["issuer", "token-endpoint"].contains(&text));
        group.is_none_or(|group| group.iter().any(is_given)) || !is_fixed
    }

    /// Returns the values of an option.
    fn texts(&self, option: &str) -> impl Iterator<Item = &str> {
        let values = self.matches.try_get_many::<String>(option);
        values
            .ok()
            .flatten()
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    fn has_flag(&self, option: &str) -> bool {
        let flag = self.matches.try_get_one::<bool>(option);
        flag.is_ok_and(|flag| flag == Some(&true))
    }

    /// Returns the inputs that are given on the command line, and the text of each.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&'static Input, String)> {
        let inputs = self.provider.map(|provider| provider.inputs);
        inputs.unwrap_or_default().iter().filter_map(|input| {
            // The library has the defaults itself.
            let source = self.matches.value_source(input.name);
            let values: Vec<_> = match input.value {
                _ if source != Some(ValueSource::CommandLine) => Vec::new(),
                InputValue::Flag if self.has_flag(input.name) => vec!["yes"],
                InputValue::Flag => Vec::new(),
                _ => self.texts(input.name).collect(),
            };
            (!values.is_empty()).then(|| (input, values.join(" ")))
        })
    }

    /// Returns the settings that are given on the command line, and the text of each.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static Setting, &str)> {
        settings_of(self.provider).flat_map(|setting| {
            let is_on = setting.value == SettingValue::Flag && self.has_flag(setting.name);
            let flag = is_on.then_some("yes");
            let texts = self.texts(setting.name);
            texts.chain(flag).map(move |text| (setting, text))
        })
    }
}

impl Subcommand for Chosen {
    /// The options of a provider are made only where it is chosen: all of them together are more than a thousand.
    fn augment_subcommands(command: Command) -> Command {
        let providers = PROVIDERS.iter().map(|provider| {
            Command::new(provider.name)
                .about(phrase(provider.about))
                .defer(options)
        });
        let file = Command::new(CREDENTIALS)
            .about(CREDENTIALS_ABOUT)
            .defer(options);
        let all = Connections::get();
        let connections = all.iter().map(|connection| {
            Command::new(&*connection.name)
                .about(about(connection))
                .defer(options)
        });
        // A connection wins over a provider of the same name.
        let providers = providers
            .chain([file])
            .filter(|provider| all.named(provider.get_name()).is_none());
        command.subcommands(connections).subcommands(providers)
    }
    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }
    fn has_subcommand(name: &str) -> bool {
        let connection = Connections::get().named(name);
        name == CREDENTIALS || connection.is_some() || provider(name).is_some()
    }
}

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let mut common = CommonOptions::from_arg_matches(matches)?;
        common.verbose = matches.get_flag(VERBOSE);
        Ok(Self {
            provider: provider_of(name),
            is_connection: Connections::get().named(name).is_some(),
            common,
            matches: matches.clone(),
        })
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|chosen| *self = chosen)
    }
}

/// Returns whether the subcommand takes a provider or a connection.
pub(crate) fn takes_provider(command: &Command) -> bool {
    let mut below = command.get_subcommands();
    below.any(|below| below.get_name() == CREDENTIALS || provider(below.get_name()).is_some())
}

/// Returns whether one of the subcommands with this name takes a provider or a connection.
pub(crate) fn is_for_provider(command: &Command, name: &str) -> bool {
    command.find_subcommand(name).is_some_and(takes_provider)
}

/// Returns a command with the options of a provider or connection, and those of a subcommand above it, or of all of
/// them. Without a name it has the options of the subcommand alone, and the global ones.
pub(crate) fn command_of(command: &Command, above: Option<&str>, name: Option<&str>) -> Command {
    let mut all = match name {
        Some(name) => options(Command::new(name.to_owned())),
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

/// Returns the provider that is named, or that the connection of this name has.
pub(crate) fn provider_of(name: &str) -> Option<&'static Provider> {
    match Connections::get().named(name) {
        Some(connection) => connection.provider,
        None => provider(name),
    }
}

fn about(connection: &Connection) -> String {
    let place = Connections::get().place(connection.line);
    match connection.provider {
        Some(provider) => format!("A connection to {}: {place}", provider.name),
        None => format!("A connection by a credential file: {place}"),
    }
}

/// Returns what a setting sets: its own name, or that of the one in place of which it stands.
pub(crate) fn sets(setting: &str) -> &str {
    let row = SETTINGS.iter().find(|row| row.name == setting);
    row.and_then(|row| row.instead_of).unwrap_or(setting)
}

fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS
        .iter()
        .copied()
        .find(|provider| provider.name == name)
}

/// Returns the settings that are no inputs of the provider.
fn settings_of(provider: Option<&'static Provider>) -> impl Iterator<Item = &'static Setting> {
    let inputs = provider.map(|provider| provider.inputs).unwrap_or_default();
    let is_input = move |setting: &&Setting| inputs.iter().any(|input| input.name == setting.name);
    SETTINGS.iter().filter(move |setting| !is_input(setting))
}

/// Adds the options of the provider that a subcommand is named after.
fn options(command: Command) -> Command {
    let used_by = command_above(&command);
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

/// Returns a group of which an option is needed. A credential file that has one of them is enough; what is given beside
/// it counts in place of what the file has. The options themselves exclude each other.
///
/// An assertion alone needs no endpoint where its audience is given.
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
fn phrase(sentence: &str) -> &str {
    sentence.strip_suffix('.').unwrap_or(sentence)
}

/// Checks that a text has the form of a setting's values.
fn check(setting: &Setting, text: &str) -> Result<String, String> {
    let form = setting.value.form().unwrap_or_default();
    let has_form = match setting.value {
        SettingValue::Pair { .. } => text
            .split_once('=')
            .is_some_and(|(name, _)| !name.is_empty()),
        // An URL has errors of its own, which are no errors of usage.
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
