//! Text for a POSIX shell: quoted words, and the names of variables.

/// Characters that no shell treats specially, beside letters and digits.
const PLAIN: &str = "%+,-./:=@_";

/// Returns a text as one word of a shell, quoted where it must be.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// Returns a text in single quotes, between which every character but the quote is literal (POSIX 2.2.2).
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Parses the name of an environment variable (POSIX 3.216), without repeating what is none.
pub(crate) fn parse_variable(text: &str) -> Result<String, &'static str> {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = text.chars().all(is_name_char) && !text.starts_with(|c: char| c.is_ascii_digit());
    match is_name && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => {
            Err("expected the name of a variable: letters, digits and _, beginning with no digit")
        }
    }
}
