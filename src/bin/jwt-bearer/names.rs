//! Names that people write: of options and their variables, of connections and providers.

use jwt_bearer::provider::{PROVIDERS, Provider};

/// What the names of variables begin with.
pub(crate) const PREFIX: &str = "JWT_BEARER_";
/// Bytes of the longest name that is shown.
const MAX_NAME: usize = 32;

/// Returns whether the text looks like the name of an option or parameter, and not like a secret: short, and of
/// lower-case letters.
pub(crate) fn is_name(text: &str) -> bool {
    let is_name_char = |c: char| c.is_ascii_lowercase() || c == '-' || c == '_';
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_name_char)
}

/// Returns a name as errors show it. Text that is not a name may be a secret.
pub(crate) fn shown(key: &str) -> &str {
    match is_name(key) {
        true => key,
        false => "...",
    }
}

/// Returns a question that suggests the nearest of some names, or an empty text.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    /// A less similar name is another word.
    const MIN_SIMILARITY: f64 = 0.7;
    let rated = names.map(|other| (strsim::jaro_winkler(name, other), other));
    match rated.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((similarity, other)) if similarity >= MIN_SIMILARITY => {
            format!(": is {other} meant?")
        }
        _ => String::new(),
    }
}

/// Returns the provider of this name.
pub(crate) fn provider(name: &str) -> Option<&'static Provider> {
    let mut providers = PROVIDERS.iter().copied();
    providers.find(|provider| provider.name == name)
}

/// Returns the name of an option's variable.
pub(crate) fn variable_name(option: &str) -> String {
    format!("{PREFIX}{}", option.to_ascii_uppercase().replace('-', "_"))
}
