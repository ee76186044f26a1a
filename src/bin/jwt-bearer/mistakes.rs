//! The likeliest mistakes, and what was meant.

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::path::Path;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use jwt_bearer::PublicKeyOfFile;
use jwt_bearer::provider::{KeyKind, PROVIDERS, Provider, provider_of_credentials};
use serde_json::Value;

use crate::connections::Connections;
use crate::exec::COMMAND;
use crate::failure::Failure;
use crate::{names, providers, shell, words};

/// How a block of PEM begins (RFC 7468 §2).
const PEM: &[u8] = b"-----BEGIN ";
/// How a command is run with a token.
const EXEC: &str = "write the command to run after --, for example:\n  \
                    jwt-bearer exec salesforce --client-id KEY --username ME --key key.pem -- ./deploy.sh";

/// Returns what to do about a usage error, given the words of the command line.
pub(crate) fn advice(error: &Error, program: &Command, words: &[OsString]) -> Option<String> {
    let place = words::find(program, words).map(|places| places.command);
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let behind = place.and_then(|place| words.get(place..));
    let behind = behind.unwrap_or_default();
    let command = behind.first().map_or("", |word| &**word);
    let missing: &[String] = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing,
        _ => &[],
    };
    let has_command = words.iter().any(|word| word == "--");
    let lacks_command = missing.iter().any(|name| name.contains(COMMAND));
    let has_odd_word = error.kind() == ErrorKind::UnknownArgument;
    if command == "exec" && (lacks_command || has_odd_word && !has_command) {
        return Some(EXEC.to_owned());
    }
    if providers::is_for_provider(program, command) {
        if let Some(advice) = option_before_name(error, behind) {
            return Some(advice);
        }
    }
    let provider = PROVIDERS
        .iter()
        .find(|provider| words.iter().any(|word| word == provider.name))?;
    let is_json_key = words
        .windows(2)
        .any(|pair| pair[0] == "--key" && pair[1].to_ascii_lowercase().ends_with(".json"));
    let is_missing = error.kind() == ErrorKind::MissingRequiredArgument;
    (is_missing && is_json_key && provider.has_credential_file()).then(|| {
        format!(
            "a credential file, in which everything is, is given with --credentials: jwt-bearer token {} --credentials \
             FILE",
            provider.name
        )
    })
}

/// Returns what to do about a provider's option that is given before the provider's name. clap has a suggestion for a
/// misspelt option. The words begin with the command.
fn option_before_name(error: &Error, words: &[Cow<'_, str>]) -> Option<String> {
    let option = unknown_option(error)?;
    if error.get(ContextKind::SuggestedArg).is_some() {
        return None;
    }
    let is_option = |word: &Cow<'_, str>| word.split('=').next() == Some(option);
    let is_chosen = |word: &Cow<'_, str>| {
        names::provider(word).is_some() || Connections::get().named(word).is_some()
    };
    let at = words.iter().position(is_option)?;
    let chosen = words.iter().position(is_chosen);
    if chosen.is_some_and(|chosen| chosen < at) {
        return None;
    }
    let command = words.first()?;
    let chosen = chosen.and_then(|chosen| words.get(chosen));
    let chosen = chosen.map_or("salesforce", |chosen| &**chosen);
    Some(format!(
        "the options of a connection or provider follow its name: jwt-bearer {command} {chosen} {option} ..."
    ))
}

/// Returns the unknown option that an error is about.
fn unknown_option(error: &Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) if error.kind() == ErrorKind::UnknownArgument => {
            Some(option)
        }
        _ => None,
    }
}

/// Returns the option that was meant by one with an extra, missing, wrong or misplaced letter, if clap finds a
/// different one more similar.
pub(crate) fn meant_option(error: &Error, program: &Command, words: &[OsString]) -> Option<String> {
    let option = unknown_option(error)?.strip_prefix("--")?;
    let places = words::find(program, words)?;
    let word = |place: usize| words.get(place).and_then(|word| word.to_str());
    let command = word(places.command)?;
    let name = places.below.and_then(word);
    let name = name.filter(|_| providers::is_for_provider(program, command));
    let options = providers::command_of(program, Some(command), name);
    let names = options
        .get_arguments()
        .filter_map(|option| option.get_long());
    let mut near = names.filter(|name| strsim::osa_distance(name, option) == 1);
    near.next().map(|name| format!("--{name}"))
}

/// Returns what a provider's assertions are signed with, if the option of the other kind of key is given.
pub(crate) fn other_kind_of_key(error: &Error, words: &[OsString]) -> Option<String> {
    let option = unknown_option(error)?;
    let mut words = words.iter().filter_map(|word| word.to_str());
    let provider = words.find_map(providers::provider_of)?;
    let name = provider.name;
    match (option, provider.key) {
        ("--key", KeyKind::Secret) => Some(format!(
            "{name} signs with a shared secret: --secret names the file that has it"
        )),
        ("--secret", KeyKind::Private) => Some(format!(
            "{name} signs with a private key: --key names the file that has it"
        )),
        _ => None,
    }
}

/// Returns the empty variables of missing options: a pipeline sets one to a secret that does not exist.
pub(crate) fn empty_variables(error: &Error) -> Vec<String> {
    let missing: &[String] = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing))
            if error.kind() == ErrorKind::MissingRequiredArgument =>
        {
            missing
        }
        _ => &[],
    };
    let words = missing
        .iter()
        .flat_map(|usage| usage.split(['<', '>', '|', ' ']));
    let variables = words
        .filter_map(|word| word.strip_prefix("--"))
        .map(names::variable_name);
    let empty = variables.filter(|name| env::var_os(name).is_some_and(|text| text.is_empty()));
    empty
        .map(|name| format!("the variable {name} is set, and empty"))
        .collect()
}

/// The value after a space, of an option whose optional value must come after `=`.
pub(crate) struct DetachedValue {
    option: String,
    value: String,
    /// Whether a file has this name, so that the value may be another argument.
    pub(crate) is_file: bool,
}

impl DetachedValue {
    pub(crate) fn failure(&self) -> Failure {
        let Self { option, value, .. } = self;
        Failure::usage(format!(
            "{option} takes its value after =: write {option}={value}"
        ))
    }
}

/// Returns the first detached value. Only a possible value of its option counts.
pub(crate) fn detached_value(command: &Command, words: &[OsString]) -> Option<DetachedValue> {
    let own: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
    own.windows(2).find_map(|pair| {
        let (option, value) = (pair.first()?.to_str()?, pair.get(1)?.to_str()?);
        let values = values_behind_equals(command, option.strip_prefix("--")?)?;
        values
            .iter()
            .any(|other| other == value)
            .then(|| DetachedValue {
                option: option.to_owned(),
                value: value.to_owned(),
                is_file: Path::new(value).exists(),
            })
    })
}

/// Returns the values of an option whose value is optional, in any subcommand.
fn values_behind_equals(command: &Command, name: &str) -> Option<Vec<String>> {
    let mut options = command.get_arguments();
    let option =
        options.find(|option| option.get_long() == Some(name) && option.is_require_equals_set());
    let values = option.map(|option| {
        let values = option.get_possible_values().into_iter();
        values.map(|value| value.get_name().to_owned()).collect()
    });
    let mut below = command.get_subcommands();
    values.or_else(|| below.find_map(|command| values_behind_equals(command, name)))
}

/// Refuses another provider's credential file as `--key`: it has a key that this provider's server does not know.
///
/// # Errors
/// If the file is of another provider. The providers for any server accept every key.
pub(crate) fn check_key_file(
    provider: &Provider,
    file: &Path,
    bytes: &[u8],
) -> Result<(), Failure> {
    let Some(other) = provider_of_credential_file(bytes) else {
        return Ok(());
    };
    let is_generic = ["client-credentials", "jwt-bearer", "self-signed", "custom"];
    if other.name == provider.name || is_generic.contains(&provider.name) {
        return Ok(());
    }
    let (file, other) = (file.display().to_string(), other.name);
    Err(Failure::usage(format!(
        "--key: {file} is a credential file of {other}, whose key {} does not know: write jwt-bearer token {other} \
         --credentials {}",
        provider.name,
        shell::word(&file)
    )))
}

/// Returns the provider of a file that a vendor wrote.
pub(crate) fn provider_of_credential_file(bytes: &[u8]) -> Option<&'static Provider> {
    let is_json = bytes.trim_ascii_start().first() == Some(&b'{');
    is_json
        .then(|| provider_of_credentials(bytes).ok())
        .flatten()
}

/// Refuses a key or a certificate as a shared secret: everybody may know a public key (RFC 8725 §2.1).
///
/// # Errors
/// If the bytes are PEM, a JWK, a JWK set, or a public key in DER. The message ends with `advice`.
pub(crate) fn check_secret_file(file: &Path, bytes: &[u8], advice: &str) -> Result<(), Failure> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let what = match serde_json::from_slice(bytes) {
        Ok(Value::Object(jwk)) if jwk.contains_key("kty") => "a JWK",
        Ok(Value::Object(set)) if set.get("keys").is_some_and(Value::is_array) => "a JWK set",
        // Text may precede a certificate.
        _ if bytes.windows(PEM.len()).any(|part| part == PEM) => "PEM",
        _ if PublicKeyOfFile::read(bytes).is_ok() => "a public key",
        _ => return Ok(()),
    };
    let advice = match what {
        "a JWK" if is_symmetric(bytes) => {
            "write its member k to a file, and add --secret-encoding base64url"
        }
        _ => advice,
    };
    Err(Failure::usage(format!(
        "--secret: {} is {what}, and no shared secret: {advice}",
        file.display()
    )))
}

fn is_symmetric(jwk: &[u8]) -> bool {
    let jwk: Value = serde_json::from_slice(jwk).unwrap_or_default();
    jwk.get("kty").and_then(Value::as_str) == Some("oct")
}
