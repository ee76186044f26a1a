//! Where values that are not arguments come from, for the message that refuses one.
//!
//! They are stored once per process, since files, settings and certificates are read far away from the arguments.

use std::sync::OnceLock;

use crate::pairs;

static ORIGINS: OnceLock<Vec<Origin>> = OnceLock::new();

/// An option and its values, and where these come from in words.
pub(crate) struct Origin {
    /// The option without its hyphens.
    pub(crate) option: String,
    pub(crate) values: Vec<String>,
    pub(crate) place: String,
}

/// Stores the origins for this process.
pub(crate) fn set(origins: Vec<Origin>) {
    let _ = ORIGINS.set(origins); // once a process
}

/// Returns a sentence about where the value of an option comes from, or `None` if it is an argument.
pub(crate) fn of(option: &str) -> Option<String> {
    find(option, |_| true)
}

/// Returns a sentence about where this value of an option comes from. Other values may come from elsewhere.
pub(crate) fn of_value(option: &str, value: &str) -> Option<String> {
    find(option, |origin| {
        let mut values = origin.values.iter();
        values.any(|other| other == value || pairs::marked(other) == value)
    })
}

fn find(option: &str, is_it: impl Fn(&Origin) -> bool) -> Option<String> {
    let mut origins = ORIGINS.get()?.iter();
    let origin = origins.find(|origin| origin.option == option && is_it(origin))?;
    Some(format!("the value of --{option} is {}", origin.place))
}
