//! Reads files that hold keys and secrets. They are bounded in length, wiped after use, and never quoted.
//!
//! A file that can be opened is named in messages. A name that cannot be opened may be the secret itself, given by
//! mistake. It is shown if it has the form of a name, or its directory exists; otherwise the option is shown.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use jwt_bearer::{decode_base64, decode_base64url, decode_hex, decode_utf16};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::messages::print_message;
use crate::options::SecretEncoding;
use crate::reporting;

/// The largest file that is read, in bytes: no key, secret or certificate bundle is larger.
const MAX_BYTES: u64 = 1024 * 1024;
/// Bytes that are enough for most files.
const USUAL_FILE: usize = 64 * 1024;
/// Only one option can read standard input: a second one would find nothing there.
static STDIN_WAS_READ: AtomicBool = AtomicBool::new(false);
/// The variables that were read in place of files.
static VARIABLES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Bytes of the longest file name.
const MAX_NAME: usize = 255;
/// How PEM begins (RFC 7468 §2).
const PEM: &str = "-----BEGIN";
/// The shortest key in base64, in characters: one of Ed25519.
const MIN_BASE64: usize = 64;

/// Begins the name of a variable that is given in place of a file name, as with the command openssl.
pub(crate) const ENV: &str = "env:";
/// File name extensions that show that a text is the name of a file, and not a secret.
const EXTENSIONS: &[&str] = &[
    "cer", "crt", "der", "json", "jwk", "key", "p12", "p8", "pem", "pfx", "toml", "txt",
];

/// Returns the bytes of the file that `option` names, of standard input if the name is `-`, or of a variable if it is
/// `env:NAME`.
///
/// # Errors
/// If the file cannot be read, or is too long.
pub(crate) fn read(option: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let name = option.trim_start_matches('-');
    read_file(option, path).map_err(|failure| failure.with_origin(name))
}

fn read_file(option: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Most files fit, so they leave no copies in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL_FILE));
    let limit = MAX_BYTES.saturating_add(1);
    if let Some(variable) = path.to_str().and_then(|name| name.strip_prefix(ENV)) {
        let text = env::var(variable).map_err(|_| {
            Failure::config(format!(
                "{option}: the variable after {ENV} is not set, or is no text"
            ))
        })?;
        let mut read = VARIABLES.lock().unwrap_or_else(PoisonError::into_inner);
        read.push(variable.to_owned());
        return Ok(Zeroizing::new(text.into_bytes()));
    }
    let is_stdin = path == Path::new("-");
    if is_stdin && STDIN_WAS_READ.swap(true, Ordering::Relaxed) {
        return Err(Failure::usage(format!(
            "{option}: another option has read standard input (-) already: give a file"
        )));
    }
    let read = match is_stdin {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path)
            .map_err(|error| cannot_open(option, path, &error))?
            .take(limit)
            .read_to_end(&mut bytes),
    };
    let name = path.display();
    match read {
        Err(error) => Err(Failure::config(format!("{name}: {error}"))),
        Ok(length) if u64::try_from(length).unwrap_or(MAX_BYTES) > MAX_BYTES => Err(
            Failure::config(format!("{name}: this is too long for a key or a secret")),
        ),
        Ok(_) => Ok(bytes),
    }
}

/// Returns the names of the variables that were read in place of files.
pub(crate) fn variables_read() -> Vec<String> {
    let read = VARIABLES.lock().unwrap_or_else(PoisonError::into_inner);
    read.clone()
}

/// Returns the failure to open a file, without the name that was given.
fn cannot_open(option: &str, path: &Path, error: &io::Error) -> Failure {
    let name = path.to_string_lossy();
    match is_content(&name) {
        true => Failure::usage(format!(
            "{option}: {error}: a file name is wanted, not what is in it: write env:NAME and put it into a variable, or - and pipe it to \
             standard input"
        )),
        false if path.extension().is_some_and(is_known) || is_in_directory(path) => {
            Failure::config(format!("{option}: {name}: {error}"))
        }
        false => Failure::config(format!(
            "{option}: {error}: a file name is wanted, or env:NAME for a variable, or - for standard input; what was \
             given is not shown, since it may be a secret"
        )),
    }
}

/// Returns whether a text is the content of a file, and not its name: PEM, JSON, or either of them or DER in base64.
pub(crate) fn is_content(text: &str) -> bool {
    let text = text.trim();
    let is_in_base64 = || {
        let decoded = decode_base64(text.as_bytes()).filter(|_| text.len() >= MIN_BASE64);
        let starts = [PEM.as_bytes(), b"{", b"\x30"];
        decoded.is_some_and(|bytes| starts.iter().any(|start| bytes.starts_with(start)))
    };
    text.len() > MAX_NAME
        || text.contains(PEM)
        || text.contains(['\n', '{'])
        || text.starts_with(['[', '"', '\''])
        || is_in_base64()
}

/// Returns whether a part of the path before its last name is a directory. The root directory does not count, since a
/// secret in base64 may begin with a slash.
fn is_in_directory(path: &Path) -> bool {
    let mut above = path.ancestors().skip(1);
    above.any(|above| above.parent().is_some() && above.is_dir())
}

/// Returns whether a text is the name of a file, and not a secret that was given in its place.
pub(crate) fn is_file_name(text: &str) -> bool {
    let path = Path::new(text);
    text == "-" || text.starts_with(ENV) || path.extension().is_some_and(is_known) || path.exists()
}

/// Returns a directory of the user.
///
/// It is that of a variable of the XDG Base Directory Specification, which ignores relative paths, else that of the
/// platform.
pub(crate) fn directory(
    variable: &str,
    platform: impl FnOnce() -> Option<PathBuf>,
) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    named.filter(|path| path.is_absolute()).or_else(platform)
}

fn is_known(extension: &OsStr) -> bool {
    EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// Returns the text of a file that people write, without the byte order mark that editors on Windows add.
///
/// # Errors
/// If the file is not text in UTF-8.
pub(crate) fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Failure> {
    let name = path.display();
    if has_utf16_mark(bytes) {
        let message =
            format!("{name}: this is UTF-16, as PowerShell 5 writes it: save it as UTF-8");
        return Err(Failure::config(message));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Failure::config(format!("{name}: this is no text in UTF-8")))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Returns whether the bytes begin with the mark of UTF-16 text, which is little-endian on Windows.
fn has_utf16_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Returns UTF-16 text of ASCII characters. Other characters may be the bytes of a random secret.
fn ascii_in_utf16(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let is_text = |c: char| matches!(c, ' '..='~' | '\t' | '\r' | '\n');
    let text = decode_utf16(bytes).filter(|_| bytes.len() % 2 == 0);
    text.filter(|text| text.chars().all(is_text))
}

/// Returns a secret that is text or bytes.
///
/// Text loses the line end that `echo` and editors add to it, and the byte order mark that Windows puts before it.
/// UTF-16 text with a byte order mark becomes UTF-8.
///
/// # Errors
/// If the file cannot be read, or is UTF-16 that is not ASCII.
pub(crate) fn read_secret(option: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read(option, path)?;
    let warn = |text: &str| print_message(&format!("{}: {text}", path.display()));
    let mut utf16 = None;
    if has_utf16_mark(&bytes) {
        utf16 = ascii_in_utf16(&bytes);
        if utf16.is_none() {
            return Err(Failure::config(format!(
                "{}: this begins as UTF-16 text does, and is not ASCII: save it as UTF-8, or give the bytes of a \
                 --secret with --secret-encoding hex",
                path.display()
            )));
        }
        warn("this is UTF-16 text, as PowerShell 5 writes it, and is read as UTF-8");
    }
    let text = match &utf16 {
        Some(text) => text.as_str(),
        None => match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(_) => return Ok(bytes), // a line end of a binary secret is a byte like any other
        },
    };
    let unmarked = text.strip_prefix('\u{feff}');
    if unmarked.is_some() {
        warn("the byte order mark at its start is dropped");
    }
    let text = unmarked.unwrap_or(text);
    let secret = text
        .strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'));
    if secret.is_some() {
        // Editors and `echo` write one, so it is worth mentioning only if the secret turns out to be wrong.
        reporting::note(format!(
            "{}: the line end at its end is dropped",
            path.display()
        ));
    }
    let secret = secret.unwrap_or(text);
    for (is_odd, what) in [
        (
            secret.contains('\0'),
            "a zero byte in it, as in UTF-16 text,",
        ),
        (
            secret.ends_with(['\n', '\r']),
            "another line end at its end",
        ),
        (secret.ends_with([' ', '\t']), "a blank at its end"),
        (
            secret.starts_with([' ', '\t', '\n', '\r']),
            "a blank at its start",
        ),
    ] {
        if is_odd {
            warn(&format!("{what} is used as a part of the secret"));
        }
    }
    Ok(Zeroizing::new(secret.as_bytes().to_vec()))
}

/// Returns a secret that is written in `encoding`. Whitespace between digits is ignored.
///
/// # Errors
/// If the file cannot be read, or is not in this encoding.
pub(crate) fn read_encoded_secret(
    option: &str,
    path: &Path,
    encoding: SecretEncoding,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (name, decode): (_, fn(&[u8]) -> _) = match encoding {
        SecretEncoding::Text => return read_secret(option, path),
        SecretEncoding::Hex => ("hexadecimal", decode_hex),
        SecretEncoding::Base64 => ("base64", decode_base64),
        SecretEncoding::Base64url => ("base64url", decode_base64url),
    };
    decode(&read(option, path)?).ok_or_else(|| {
        Failure::config(format!(
            "{}: this is not {name}, as --secret-encoding says",
            path.display()
        ))
    })
}
