//! Where the arguments name a command, and the provider or connection below it.
//!
//! The configuration file adds subcommands and options before clap parses the arguments, so the names are found here:
//! the first word that is neither an option nor the value of one.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// The places of the names among the arguments.
pub(crate) struct Places {
    pub(crate) command: usize,
    /// The word below the command, such as a provider or a connection.
    pub(crate) below: Option<usize>,
}

/// Returns where the command of these arguments is, if they name one. The first argument is the name of the program.
pub(crate) fn find(program: &Command, arguments: &[OsString]) -> Option<Places> {
    let globals: Vec<_> = program.get_arguments().collect();
    let command = next(&globals, arguments, 1)?;
    let options = program.find_subcommand(arguments.get(command)?)?;
    let options: Vec<_> = options.get_arguments().chain(globals).collect();
    let below = next(&options, arguments, command.saturating_add(1));
    Some(Places { command, below })
}

/// Returns the place of the first word from `start` on that is neither an option nor the value of one.
fn next(options: &[&Arg], arguments: &[OsString], start: usize) -> Option<usize> {
    let mut words = (0..).zip(arguments).skip(start);
    while let Some((place, word)) = words.next() {
        if word == "--" {
            return None;
        }
        if !word.as_encoded_bytes().starts_with(b"-") {
            return Some(place);
        }
        if has_value_behind(options, word) {
            words.next();
        }
    }
    None
}

/// Returns whether the word is an option whose value is the next word.
fn has_value_behind(options: &[&Arg], word: &OsStr) -> bool {
    let text = word.to_str().unwrap_or_default();
    let option = options.iter().find(|option| match text.strip_prefix("--") {
        Some(name) => option.get_long() == Some(name),
        // Of short options in one word, the last may have a value.
        None => option.get_short().is_some() && option.get_short() == text.chars().last(),
    });
    option
        .is_some_and(|option| option.get_action().takes_values() && !option.is_require_equals_set())
}
