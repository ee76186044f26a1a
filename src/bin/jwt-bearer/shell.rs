//! Text for a POSIX shell: quoted words, and the names of variables.

use crate::names::PREFIX;

/// Characters besides letters and digits that no shell treats specially.
const PLAIN: &str = "%+,-./:=@_";

/// Returns a text as one word of a shell, quoted if necessary.
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

/// Variables without which a command cannot be run, or does something different.
const OF_THE_SYSTEM: &[&str] = &[
    "BASH_ENV",
    "COMSPEC",
    "ENV",
    "HOME",
    "IFS",
    "LOGNAME",
    "PATH",
    "PATHEXT",
    "PWD",
    "SHELL",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "USER",
    "USERPROFILE",
    "WINDIR",
];
/// How the names begin of variables that load code into a command.
const OF_THE_LOADER: &[&str] = &["LD_", "DYLD_"];

/// Parses the name of the environment variable (POSIX 3.216) for a token, without repeating an invalid one.
///
/// # Errors
/// If it is not a name, or the variable belongs to the system or to this program.
pub(crate) fn parse_variable(text: &str) -> Result<String, String> {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = text.chars().all(is_name_char) && !text.starts_with(|c: char| c.is_ascii_digit());
    if !is_name || text.is_empty() {
        let message =
            "expected the name of a variable: letters, digits and _, beginning with no digit";
        return Err(message.to_owned());
    }
    let upper = text.to_ascii_uppercase(); // names have no case on Windows
    let is_of_loader = OF_THE_LOADER.iter().any(|start| upper.starts_with(start));
    if is_of_loader || OF_THE_SYSTEM.contains(&&*upper) {
        return Err(format!(
            "a token in {text} would break the command: choose another name, such as ACCESS_TOKEN"
        ));
    }
    if upper.starts_with(PREFIX) {
        return Err(format!(
            "the variables {PREFIX}* are this program's own: choose another name, such as ACCESS_TOKEN"
        ));
    }
    Ok(text.to_owned())
}
