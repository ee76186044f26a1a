//! Messages on standard error, and how foreign text is shown there.

use std::fmt::Display;
use std::io::{self, Write as _};

use crate::reporting;

/// The longest foreign name that an error repeats, in characters.
const MAX_FOREIGN: usize = 100;

/// Prints a line to standard error. A closed standard error is ignored: nothing is left to report it to.
pub(crate) fn print_to_stderr(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a line to standard error, unless the user wants only errors.
pub(crate) fn print_note(text: impl Display) {
    if !reporting::is_quiet() {
        print_to_stderr(text);
    }
}

/// Prints a warning to standard error, unless the user wants only errors.
pub(crate) fn print_message(message: &str) {
    print_note(format_args!("jwt-bearer: {}", escape_invisible(message)));
}

pub(crate) fn print_error(message: &str) {
    print_to_stderr(format!("jwt-bearer: {}", escape_invisible(message)));
}

/// Escapes control characters and others that change how a terminal shows a line, as JSON does.
pub(crate) fn escape_invisible(text: &str) -> String {
    let is_visible = |c: char| match c {
        '"' | '\'' | '\\' => true,
        // Hangul fillers, which take up a place and show nothing.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        c => c.escape_debug().count() == 1,
    };
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match is_visible(c) {
            true => escaped.push(c),
            false => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    escaped
}

/// Returns the beginning of a text that somebody else wrote, and dots in place of the rest.
pub(crate) fn shortened(text: &str) -> String {
    cut(text, MAX_FOREIGN)
}

/// Returns the first `max` characters of a text, and dots in place of the rest.
pub(crate) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Prints a labelled line to standard error, for `-v`.
pub(crate) fn print_trace((label, text): (&str, String)) {
    print_to_stderr(format!("{label:9} {}", escape_invisible(&text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped_and_others_kept() {
        for (text, escaped) in [
            ("\"'\\ é ア \u{1f600}", "\"'\\ é ア \u{1f600}"),
            ("a\u{1b}\u{9b}\n\0", r"a\u001b\u009b\u000a\u0000"),
            (
                "\u{202e}\u{2066}\u{200b}\u{ad}",
                r"\u202e\u2066\u200b\u00ad",
            ),
            ("\u{e0041}", r"\udb40\udc41"),
            // Hangul fillers, which take up a place and show nothing.
            (
                "\u{115f}\u{1160}\u{3164}\u{ffa0}",
                r"\u115f\u1160\u3164\uffa0",
            ),
        ] {
            assert_eq!(escape_invisible(text), escaped);
        }
    }
}
