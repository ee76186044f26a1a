//! PEM text as people have it to DER, and what had to be repaired.
//!
//! Files are saved with a byte order mark, keys are copied out of JSON with `\n` in them,
//! environment variables lose their line ends. All of that still says which bytes are meant, so
//! it is read, and what a strict reader (RFC 7468 §3) would have refused is reported. Nothing of
//! the key is ever quoted.

use std::str;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use zeroize::Zeroizing;

use crate::error::Error;

/// Bytes of a file with a key in it: a bundle of all public roots has a fifth of that.
const MAX_TEXT: usize = 1024 * 1024;

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const DASHES: &str = "-----";

pub(crate) const CUT_OFF: &str = "this key is cut off in the middle";

pub(crate) struct PrivateKey {
    pub(crate) der: Zeroizing<Vec<u8>>,
    pub(crate) repairs: Vec<&'static str>,
}

/// What is not a private key for RSA, by the label of its block. Of several the first row speaks:
/// a key is told before its certificate.
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

/// What is no PEM at all, by how it begins.
const OTHER_BEGINNINGS: &[(&str, &str)] = &[
    ("{", "this is JSON without a PEM in it"),
    ("ssh-", "this is a public key"),
    (
        "PuTTY-",
        "this is a PuTTY key: export it from PuTTYgen in the OpenSSH format",
    ),
];

/// What is repaired around a key, and how it is told: by the character before it, and by its text.
#[allow(clippy::type_complexity)]
const AROUND: &[(&str, fn(Option<char>, &str) -> bool)] = &[
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

/// What is repaired within a block. The repair itself is the same for all: see [`Block::read`].
#[allow(clippy::type_complexity)]
const WITHIN: &[(&str, fn(&Block<'_>) -> bool)] = &[
    ("line ends were missing", |b| {
        !b.body.trim().contains(['\n', '\r', '\\'])
    }),
    ("lines were indented", |b| {
        let first = matches!(b.before, Some(' ' | '\t')) && b.body.contains('\n');
        first || (b.body.lines().skip(1)).any(|line| line.starts_with([' ', '\t']))
    }),
    ("blank lines stood inside the key", |b| {
        // What follows the BEGIN and what precedes the END are not lines of their own.
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

/// Finds the first private key in `text`.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKey, Error> {
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
        true => first_of_blocks(text),
        false => without_markers(text),
    }
}

fn first_of_blocks(text: &str) -> Result<PrivateKey, Error> {
    let mut seen = Vec::new();
    let mut rest = text;
    while let Some(block) = Block::next(rest) {
        let block = block?;
        match words(block.label).as_str() {
            // Which of them it is the DER says itself.
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => return block.read(),
            other => seen.push(other.to_owned()),
        }
        rest = block.after;
    }
    let other = told(OTHER_LABELS, |label| {
        seen.iter().any(|other| other == label)
    });
    Err(Error::key(
        other.unwrap_or("there is no private key in this PEM"),
    ))
}

/// Base64 of the whole PEM, or a PEM's body alone, as build servers hold keys in one line.
fn without_markers(text: &str) -> Result<PrivateKey, Error> {
    let decoded = decoded(text).unwrap_or_default();
    let inner = str::from_utf8(&decoded)
        .ok()
        .filter(|inner| inner.contains(BEGIN));
    let key = match (inner, decoded.first()) {
        (Some(inner), _) => Some(first_of_blocks(inner)?),
        (None, Some(0x30)) => Some(PrivateKey {
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
        let mut repairs = around(text.trim_start().chars().next(), text);
        repairs.push(what);
        repairs.append(&mut key.repairs);
        return Ok(PrivateKey { repairs, ..key });
    }
    let text = text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    Err(Error::key(match text {
        "" => "this is empty",
        name if [".pem", ".key"].iter().any(|end| name.ends_with(end)) => {
            "this is the name of a file: give what is in it"
        }
        _ => told(OTHER_BEGINNINGS, |begin| text.starts_with(begin))
            .unwrap_or("this is not a PEM private key"),
    }))
}

fn around(before: Option<char>, text: &str) -> Vec<&'static str> {
    let had = AROUND.iter().filter(|(_, had)| had(before, text));
    had.map(|(what, _)| *what).collect()
}

fn told(table: &[(&str, &'static str)], fits: impl Fn(&str) -> bool) -> Option<&'static str> {
    table
        .iter()
        .find(|(what, _)| fits(what))
        .map(|(_, message)| *message)
}

/// `-----BEGIN label-----body-----END end_label-----`, with what surrounds it.
struct Block<'t> {
    before: Option<char>,
    all: &'t str,
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
            let all = block.strip_suffix(after)?;
            let before = before.chars().next_back();
            let whole = !body.contains(DASHES); // else the END is another block's
            whole.then_some(Self {
                before,
                all,
                label,
                body,
                end_label,
                after,
            })
        };
        Some(parts().ok_or_else(|| Error::key(CUT_OFF)))
    }

    /// The repair: each marker in one line, everything but base64 out of the body.
    fn read(&self) -> Result<PrivateKey, Error> {
        if self.body.contains("Proc-Type:") {
            return Err(Error::key(
                "this key is encrypted the old way (Proc-Type): convert it with openssl pkcs8 -topk8",
            ));
        }
        if words(self.label) != words(self.end_label) {
            return Err(Error::key(
                "the BEGIN and END lines of this key do not belong together",
            ));
        }
        // The decoder's own errors quote what they read.
        let der = decoded(self.body).map_err(|error| {
            Error::key(match error {
                DecodeError::InvalidByte(..) => "this key holds characters that are not base64",
                _ => CUT_OFF,
            })
        })?;
        let mut repairs = around(self.before, self.all);
        let within = WITHIN.iter().filter(|(_, had)| had(self));
        repairs.extend(within.map(|(what, _)| *what));
        Ok(PrivateKey { der, repairs })
    }
}

/// Each of these makes its copy of the key in one allocation: what grows leaves pieces of it behind.
fn decoded(text: &str) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let mut solid = unescaped(text);
    solid.retain(is_solid);
    let mut bytes = Zeroizing::default();
    STANDARD.decode_vec(&*solid, &mut bytes).map(|()| bytes)
}

/// Escapes of a JSON or shell string are line ends.
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

/// Words with one space between them, however they were wrapped.
fn words(text: &str) -> String {
    unescaped(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_solid(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '\\' | '"' | '\'' | '\u{feff}')
}
