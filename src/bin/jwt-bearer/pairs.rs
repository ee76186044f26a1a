//! Options that take `NAME=VALUE`, and which of the values may be secrets.

use jwt_bearer::{SETTINGS, SettingValue, is_public_parameter};

/// Parts of the names of request headers whose values are secrets. Any other value may be an argument.
const SECRET_HEADERS: &[&str] = &["auth", "cookie", "key", "password", "secret", "token"];
/// Begins the value of a pair that comes from a variable or the configuration file, where a secret is allowed. No
/// argument of a process can have this character.
pub(crate) const NOT_AN_ARGUMENT: char = '\0';

fn setting_value(option: &str) -> Option<SettingValue> {
    let setting = SETTINGS.iter().find(|setting| setting.name == option);
    setting.map(|setting| setting.value)
}

/// Returns whether an option takes pairs.
pub(crate) fn is_pair(option: &str) -> bool {
    matches!(setting_value(option), Some(SettingValue::Pair { .. }))
}

/// Returns whether an option takes pairs whose values may be secrets.
pub(crate) fn may_be_secret(option: &str) -> bool {
    let value = setting_value(option);
    value.is_some_and(
        |value| matches!(value, SettingValue::Pair { may_be_secret, .. } if may_be_secret),
    )
}

/// Returns whether a pair has a value that may be a secret, and not the name of its file.
pub(crate) fn is_secret_pair(setting: &str, pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or_default();
    match value.strip_prefix('@') {
        Some(rest) => rest.starts_with('@') && is_secret(setting, name, rest),
        None => is_secret(setting, name, value),
    }
}

/// Returns whether the value of a name may be a secret.
pub(crate) fn is_secret(setting: &str, name: &str, value: &str) -> bool {
    match setting {
        "request-header" => {
            let name = name.to_ascii_lowercase();
            SECRET_HEADERS.iter().any(|part| name.contains(part))
        }
        "basic-auth" => true,
        // Numbers and flags are not secret.
        "json-param" => !is_public_parameter(name) && value.contains('"'),
        _ => !is_public_parameter(name),
    }
}

/// Returns a pair whose value is marked as not being an argument.
pub(crate) fn marked(pair: &str) -> String {
    let Some((name, value)) = pair.split_once('=') else {
        return pair.to_owned();
    };
    match value.strip_prefix('@') {
        Some(rest) if rest.starts_with('@') => format!("{name}={NOT_AN_ARGUMENT}{rest}"),
        Some(_) => pair.to_owned(), // the name of a file
        None => format!("{name}={NOT_AN_ARGUMENT}{value}"),
    }
}
