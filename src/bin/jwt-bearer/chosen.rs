//! The provider or connection that the arguments choose, and what they say about it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use jwt_bearer::provider::{Input, InputValue, PROVIDERS, Provider};
use jwt_bearer::{Setting, SettingValue};

use crate::connections::{CREDENTIALS, Connections};
use crate::examples::is_endpoint;
use crate::exec;
use crate::names;
use crate::options::{CommonOptions, SecretEncoding};
use crate::providers::{FILE, about, options_for, phrase, provider_of, settings_of};
use crate::reporting::VERBOSE;

const CREDENTIALS_ABOUT: &str =
    "Any server whose credential file says everything, such as Google's or Box's";

/// A subcommand below `token`: a provider, a connection, or a credential file that names its provider.
#[derive(Clone)]
pub(crate) struct Chosen {
    /// `None` if a credential file names it.
    pub(crate) provider: Option<&'static Provider>,
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

    /// Returns whether signing an assertion needs one of the inputs that say where the token endpoint is.
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
            // The library itself has the defaults.
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
    /// The providers are added only when a command needs them: all their options together are more than a thousand.
    fn augment_subcommands(command: Command) -> Command {
        command.defer(add_providers)
    }
    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }
    fn has_subcommand(name: &str) -> bool {
        let connection = Connections::get().named(name);
        name == CREDENTIALS || connection.is_some() || names::provider(name).is_some()
    }
}

fn add_providers(command: Command) -> Command {
    let options = options_for(command.get_name());
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

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let mut common = CommonOptions::from_arg_matches(matches)?;
        common.verbose = matches.get_flag(VERBOSE);
        Ok(Self {
            provider: provider_of(name),
            common,
            matches: matches.clone(),
        })
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|chosen| *self = chosen)
    }
}
