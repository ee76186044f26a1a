//! PEM text to DER, with the damage that copying does to it repaired and reported.
//!
//! Editors save files with a byte order mark, keys are copied out of JSON with `\n` in them, and
//! environment variables lose their line ends. The bytes of the key are still certain, so the text
//! is read, and everything that a strict reader (RFC 7468 §3) refuses is reported as a repair. No
//! error quotes any part of the text.

use std::str;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use zeroize::Zeroizing;

use crate::error::Error;

/// The longest text that is searched for a key, in bytes. A bundle of all public root certificates
/// has a fifth of that.
const MAX_TEXT: usize = 1024 * 1024;

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const DASHES: &str = "-----";

pub(crate) const CUT_OFF: &str = "this key is cut off in the middle";

/// The DER of a private key and what was repaired in its text.
pub(crate) struct DecodedKey {
    pub(crate) der: Zeroizing<Vec<u8>>,
    pub(crate) repairs: Vec<&'static str>,
}

/// Messages for labels that are no RSA private key. Where a text has several blocks, the first row
/// that matches is reported, so a key of another kind is named before its certificate.
const OTHER_LABELS: &[(&str, &str)] = &[
    ("EC PRIVATE KEY", "this is an EC key; RS256 needs RSA"),
    ("EC PARAMETERS", "this is an EC key; RS256 needs RSA"),
    ("DSA PRIVATE KEY", "this is a DSA key; RS256 needs RSA"),
    (
        "OPENSSH PRIVATE KEY",
        "this key is in OpenSSH's own format: convert it with ssh-keygen -p -m PEM",
    ),
    ("PUBLIC KEY", "this is a public key"),
    ("RSA PUBLIC KEY", "this is a public key"),
    ("CERTIFICATE", "this is a certificate"),
    ("X509 CERTIFICATE", "this is a certificate"),
    ("TRUSTED CERTIFICATE", "this is a certificate"),
    ("CERTIFICATE REQUEST", "this is a certificate request"),
    ("NEW CERTIFICATE REQUEST", "this is a certificate request"),
];

/// Messages for text without any PEM block, by its first characters.
const OTHER_PREFIXES: &[(&str, &str)] = &[
    ("{", "this is JSON without a PEM in it"),
    ("ssh-", "this is a public key"),
    (
        "PuTTY-",
        "this is a PuTTY key: export it from PuTTYgen in the OpenSSH format",
    ),
];

/// Repairs of what surrounds a key. Each test gets the character before the key, and its text.
#[allow(clippy::type_complexity)]
const SURROUNDING_REPAIRS: &[(&str, fn(Option<char>, &str) -> bool)] = &[
    ("a byte order mark stood before the key", |before, _| {
        before == Some('\u{feff}')
    }),
    ("the key stood in quotes", |before, _| {
        matches!(before, Some('"' | '\''))
    }),
    ("line ends were written as \\n", |_, text| {
        text.contains("\\n") || text.contains("\\r")
    }),
];

/// Repairs of a block. [`Block::decode`] makes them all in the same way.
#[allow(clippy::type_complexity)]
const BLOCK_REPAIRS: &[(&str, fn(&Block<'_>) -> bool)] = &[
    ("line ends were missing", |b| {
        !b.body.trim().contains(['\n', '\r', '\\'])
    }),
    ("lines were indented", |b| {
        let first = matches!(b.before, Some(' ' | '\t')) && b.body.contains('\n');
        first || (b.body.lines().skip(1)).any(|line| line.starts_with([' ', '\t']))
    }),
    ("blank lines stood inside the key", |b| {
        // The text right after BEGIN and right before END belongs to the lines of the markers.
        let within = b.body.split_once('\n').map(|(_, rest)| rest);
        let within = within.and_then(|rest| rest.rsplit_once('\n'));
        within.is_some_and(|(lines, _)| lines.split('\n').any(|line| line.trim().is_empty()))
    }),
    ("the BEGIN or END line was wrapped", |b| {
        [b.label, b.end_label]
            .iter()
            .any(|label| unescaped(label).contains('\n'))
    }),
];

/// Decodes the first private key in `text`.
///
/// # Errors
/// Kind [`Key`](crate::ErrorKind::Key): there is no private key, and the message names what there is.
pub(crate) fn private_key(text: &[u8]) -> Result<DecodedKey, Error> {
    if text.len() > MAX_TEXT {
        return Err(Error::key("this is too long for a key"));
    }
    let text = match str::from_utf8(text) {
        Ok(text) if !text.contains('\0') => text,
        _ => {
            return Err(Error::key(match text {
                [0x30, ..] => "this is DER, not PEM text",
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => {
                    "this is UTF-16 text: save it as UTF-8"
                }
                _ => "this is not text",
            }));
        }
    };
    match text.contains(BEGIN) {
        true => decode_first_key(text),
        false => decode_without_markers(text),
    }
}

fn decode_first_key(text: &str) -> Result<DecodedKey, Error> {
    let mut seen = Vec::new();
    let mut rest = text;
    while let Some(block) = Block::next(rest) {
        let block = block?;
        match normalized(block.label).as_str() {
            // The DER shows which of the three it is, so a wrong label of the three does no harm.
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => return block.decode(),
            other => seen.push(other.to_owned()),
        }
        rest = block.after;
    }
    let other = message_for(OTHER_LABELS, |label| {
        seen.iter().any(|other| other == label)
    });
    Err(Error::key(
        other.unwrap_or("there is no private key in this PEM"),
    ))
}

/// Decodes base64 of a whole PEM, or the body of a PEM alone. Build servers keep keys in one line so.
fn decode_without_markers(text: &str) -> Result<DecodedKey, Error> {
    let decoded = decode_base64(text).unwrap_or_default();
    let inner = str::from_utf8(&decoded)
        .ok()
        .filter(|inner| inner.contains(BEGIN));
    let key = match (inner, decoded.first()) {
        (Some(inner), _) => Some(decode_first_key(inner)?),
        (None, Some(0x30)) => Some(DecodedKey {
            der: decoded.clone(),
            repairs: Vec::new(),
        }),
        _ => None,
    };
    if let Some(mut key) = key {
        let what = match inner {
            Some(_) => "the PEM was in base64 once more",
            None => "the BEGIN and END lines were missing",
        };
        let mut repairs = surrounding_repairs(text.trim_start().chars().next(), text);
        repairs.push(what);
        repairs.append(&mut key.repairs);
        return Ok(DecodedKey { repairs, ..key });
    }
    let text = text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    Err(Error::key(match text {
        "" => "this is empty",
        name if [".pem", ".key"].iter().any(|end| name.ends_with(end)) => {
            "this is the name of a file: give what is in it"
        }
        _ => message_for(OTHER_PREFIXES, |prefix| text.starts_with(prefix))
            .unwrap_or("this is not a PEM private key"),
    }))
}

fn surrounding_repairs(before: Option<char>, text: &str) -> Vec<&'static str> {
    let needed = SURROUNDING_REPAIRS
        .iter()
        .filter(|(_, is_needed)| is_needed(before, text));
    needed.map(|(repair, _)| *repair).collect()
}

/// Returns the message of the first row whose key satisfies `matches`.
fn message_for(
    table: &[(&str, &'static str)],
    matches: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let row = table.iter().find(|(key, _)| matches(key));
    row.map(|(_, message)| *message)
}

/// The text `-----BEGIN label-----body-----END end_label-----` and what surrounds it.
struct Block<'t> {
    before: Option<char>,
    whole: &'t str,
    label: &'t str,
    body: &'t str,
    end_label: &'t str,
    after: &'t str,
}

impl<'t> Block<'t> {
    fn next(text: &'t str) -> Option<Result<Self, Error>> {
        let (before, block) = text.split_at_checked(text.find(BEGIN)?)?;
        let parts = || {
            let (label, rest) = block.strip_prefix(BEGIN)?.split_once(DASHES)?;
            let (body, rest) = rest.split_once(END)?;
            let (end_label, after) = rest.split_once(DASHES)?;
            let whole = block.strip_suffix(after)?;
            let before = before.chars().next_back();
            // Dashes in the body are a second BEGIN line: this END belongs to another block.
            let is_one_block = !body.contains(DASHES);
            is_one_block.then_some(Self {
                before,
                whole,
                label,
                body,
                end_label,
                after,
            })
        };
        Some(parts().ok_or_else(|| Error::key(CUT_OFF)))
    }

    /// Decodes the body. White space, escapes and quotes in it are skipped, which is the repair.
    fn decode(&self) -> Result<DecodedKey, Error> {
        if self.body.contains("Proc-Type:") {
            return Err(Error::key(
                "this key is encrypted the old way (Proc-Type): convert it with openssl pkcs8 -topk8",
            ));
        }
        if normalized(self.label) != normalized(self.end_label) {
            return Err(Error::key(
                "the BEGIN and END lines of this key do not belong together",
            ));
        }
        // The decoder's own error is dropped because it quotes a byte of the key.
        let der = decode_base64(self.body).map_err(|error| {
            Error::key(match error {
                DecodeError::InvalidByte(..) => "this key holds characters that are not base64",
                _ => CUT_OFF,
            })
        })?;
        let mut repairs = surrounding_repairs(self.before, self.whole);
        let needed = BLOCK_REPAIRS
            .iter()
            .filter(|(_, is_needed)| is_needed(self));
        repairs.extend(needed.map(|(repair, _)| *repair));
        Ok(DecodedKey { der, repairs })
    }
}

/// Decodes base64, whatever separates its lines.
///
/// Each copy of the key is made in one allocation, because a buffer that grows leaves parts of the
/// key in freed memory.
fn decode_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let mut base64 = unescaped(text);
    base64.retain(|c| !is_separator(c));
    let mut bytes = Zeroizing::default();
    STANDARD.decode_vec(&*base64, &mut bytes).map(|()| bytes)
}

/// Returns `text` with the escapes `\n` and `\r` of JSON and shell strings as line ends.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut parts = text.split('\\');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let line = part.strip_prefix(['n', 'r']);
        plain.push(if line.is_some() { '\n' } else { '\\' });
        plain.push_str(line.unwrap_or(part));
    }
    plain
}

/// Returns a label with one space between its words, also where a line was wrapped inside it.
fn normalized(label: &str) -> String {
    unescaped(label)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\\' | '"' | '\'' | '\u{feff}')
}
