//! Decodes PEM to DER, repairs the damage that copying does to it, and reports the repairs.
//!
//! Editors save files with a byte order mark, keys are copied out of JSON with `\n` in them, and environment variables
//! lose their line ends. The bytes of the key are still certain, so the text is read, and everything that a strict
//! reader (RFC 7468 §3) would refuse is reported as a repair. No error quotes any part of the text.

use std::{iter, str};

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use zeroize::Zeroizing;

use super::encoding::decode_utf16;
use super::material::{DekInfo, MAX_FILE};
use super::proc_type;
use super::refusal;
use crate::error::Error;

pub(super) const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const DASHES: &str = "-----";

/// Columns of the base64 in a PEM (RFC 7468 §2).
const COLUMNS: usize = 64;

/// Repairs that other readers report too. If there are several keys, nothing says which one was meant.
pub(super) const UTF_16: &str = "the text was UTF-16";
pub(super) const SEVERAL_KEYS: &str = "there were several private keys: the first one is used";

/// The DER of a private key and what was repaired in its text.
pub(crate) struct DecodedKey {
    pub(crate) der: Zeroizing<Vec<u8>>,
    /// How `der` is encrypted, if the PEM has headers for that.
    pub(crate) dek_info: Option<DekInfo>,
    pub(crate) repairs: Vec<&'static str>,
}

const PRIVATE_LABELS: &[&str] = &[
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
];

/// Messages for labels that are not those of a private key. If a text has several blocks, the first matching row is
/// reported, so a key of another kind is named before its certificate.
const OTHER_LABELS: &[(&str, &str)] = &[
    (
        "EC PARAMETERS",
        "these are the parameters of an EC key without the key: the block EC PRIVATE KEY is \
         missing",
    ),
    ("DSA PRIVATE KEY", refusal::IS_DSA_KEY),
    ("OPENSSH PRIVATE KEY", refusal::IS_OPENSSH_KEY),
    (
        "PGP PRIVATE KEY BLOCK",
        "this is an OpenPGP key: JWTs are signed with RSA, EC or Ed25519 keys in PEM, DER or JWK",
    ),
    ("PUBLIC KEY", refusal::IS_PUBLIC_KEY),
    ("RSA PUBLIC KEY", refusal::IS_PUBLIC_KEY),
    ("CERTIFICATE", refusal::IS_CERTIFICATE),
    ("X509 CERTIFICATE", refusal::IS_CERTIFICATE),
    ("TRUSTED CERTIFICATE", refusal::IS_CERTIFICATE),
    ("CERTIFICATE REQUEST", refusal::IS_CERTIFICATE_REQUEST),
    ("NEW CERTIFICATE REQUEST", refusal::IS_CERTIFICATE_REQUEST),
];

/// Messages for text without any PEM block, by its first characters.
const OTHER_PREFIXES: &[(&str, &str)] = &[
    ("{", "this is JSON without a PEM in it"),
    ("ssh-", refusal::IS_PUBLIC_KEY),
    (
        "PuTTY-",
        "this is a PuTTY key: export it with puttygen FILE -O private-openssh -o NEW, or in \
         PuTTYgen by Conversions, Export OpenSSH key",
    ),
    ("---- BEGIN SSH2 PUBLIC KEY", refusal::IS_PUBLIC_KEY),
    // The bodies of an OpenSSH private key and of a public one, without their markers.
    ("b3BlbnNzaC1rZXktdjE", refusal::IS_OPENSSH_KEY),
    ("AAAAB3NzaC1yc2E", refusal::IS_PUBLIC_KEY),
    (
        "<RSAKeyValue",
        "this is an XML key of .NET: export it with ExportPkcs8PrivateKeyPem",
    ),
    ("<", "this is XML or HTML without a PEM in it"),
    (
        "$ANSIBLE_VAULT",
        "this is encrypted by Ansible Vault: decrypt it with ansible-vault view",
    ),
];

/// Endings of key file names. A text with one of these endings is a file name given instead of the content.
const KEY_FILE_ENDINGS: &[&str] = &[
    ".pem", ".key", ".der", ".p8", ".p12", ".pfx", ".jks", ".json",
];

const IN_QUOTES: &str = "the key was in quotes";
const ESCAPED_LINE_ENDS: &str = "line ends were written as \\n";

/// Repairs of what surrounds a key. Each test gets the character before the key, and the key's text.
#[allow(clippy::type_complexity)]
const SURROUNDING_REPAIRS: &[(&str, fn(Option<char>, &str) -> bool)] = &[
    ("there was a byte order mark before the key", |before, _| {
        before == Some('\u{feff}')
    }),
    (IN_QUOTES, |before, _| matches!(before, Some('"' | '\''))),
    (ESCAPED_LINE_ENDS, |_, text| {
        text.contains("\\n") || text.contains("\\r")
    }),
];

/// Repairs of a block. [`Block::decode`] makes all of them in the same way.
#[allow(clippy::type_complexity)]
const BLOCK_REPAIRS: &[(&str, fn(&Block<'_>) -> bool)] = &[
    ("line ends were missing", |b| {
        // A short key is a single line between the lines of the markers.
        let body = b.body.trim();
        let has_own_line = b.body.starts_with(['\n', '\r']) && b.body.ends_with(['\n', '\r']);
        let is_one_line = has_own_line && body.len() <= COLUMNS;
        !is_one_line && !body.contains(['\n', '\r', '\\'])
    }),
    ("lines were indented", |b| {
        let first = matches!(b.before, Some(' ' | '\t')) && b.body.contains('\n');
        first || (b.body.lines().skip(1)).any(|line| line.starts_with([' ', '\t']))
    }),
    ("there were blank lines inside the key", |b| {
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

/// Decodes the first private key in `bytes`, or returns `None` if they are not text.
///
/// # Errors
/// Kind [`Key`](crate::ErrorKind::Key): there is no private key. The message says what there is instead.
pub(crate) fn decode_first_key(bytes: &[u8]) -> Result<Option<DecodedKey>, Error> {
    if bytes.len() > MAX_FILE {
        return Err(Error::key(refusal::TOO_LONG));
    }
    if let Some(text) = decode_utf16(bytes) {
        let mut key = decode_text(&text)?;
        key.repairs.insert(0, UTF_16);
        return Ok(Some(key));
    }
    // A secret that passed through a program in C may end with zero bytes.
    let last = bytes.iter().rposition(|byte| *byte != 0);
    let content = last.and_then(|last| bytes.get(..=last)).unwrap_or(bytes);
    match str::from_utf8(content) {
        Ok(text) if !text.contains('\0') => decode_text(text).map(Some),
        // A name in Latin-1 before the key does not damage the key.
        _ if bytes
            .windows(BEGIN.len())
            .any(|run| run == BEGIN.as_bytes()) =>
        {
            decode_text(&without_invalid_utf8(content)).map(Some)
        }
        _ => Ok(None),
    }
}

/// Encodes DER as PEM (RFC 7468 §2).
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let mut text = format!("{BEGIN} {label}{DASHES}\n");
    let base64 = STANDARD.encode(der);
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(COLUMNS) {
        text.extend([line, "\n"]);
        rest = after;
    }
    if !rest.is_empty() {
        text.extend([rest, "\n"]);
    }
    text.extend([END, " ", label, DASHES, "\n"]);
    text
}

fn decode_text(text: &str) -> Result<DecodedKey, Error> {
    match text.contains(BEGIN) {
        true => decode_with_markers(text),
        false => decode_without_markers(text),
    }
}

/// Returns the text with U+FFFD in place of each run of bytes that is not UTF-8.
pub(super) fn without_invalid_utf8(bytes: &[u8]) -> Zeroizing<String> {
    // U+FFFD has three bytes, so the text never grows and leaves no copies.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(3)));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

fn decode_with_markers(text: &str) -> Result<DecodedKey, Error> {
    let mut seen = Vec::new();
    let mut blocks = blocks(text);
    while let Some(block) = blocks.next() {
        let block = block?;
        if !block.is_private_key() {
            seen.push(block.label());
            continue;
        }
        let mut key = block.decode()?;
        if (blocks.map_while(Result::ok)).any(|other| other.is_private_key()) {
            key.repairs.push(SEVERAL_KEYS);
        }
        if is_json(text) {
            // JSON has no other way to write text with line ends.
            (key.repairs).retain(|repair| ![IN_QUOTES, ESCAPED_LINE_ENDS].contains(repair));
        }
        return Ok(key);
    }
    let other = message_for(OTHER_LABELS, |label| {
        seen.iter().any(|other| other == label)
    });
    Err(Error::key(
        other.unwrap_or("there is no private key in this PEM"),
    ))
}

/// Returns whether a text is a JSON object or array, judging by its first and last characters.
fn is_json(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let ends = (text.chars().next(), text.chars().next_back());
    matches!(ends, (Some('{'), Some('}')) | (Some('['), Some(']')))
}

/// Decodes the base64 of a whole PEM, or only the body of a PEM. Both are used when a variable of a build server holds
/// a single line.
fn decode_without_markers(text: &str) -> Result<DecodedKey, Error> {
    let decoded = decode_body(text).unwrap_or_default();
    let inner = str::from_utf8(&decoded)
        .ok()
        .filter(|inner| inner.contains(BEGIN));
    let key = match (inner, decoded.first()) {
        (Some(inner), _) => Some(decode_with_markers(inner)?),
        // The first bytes of DER, of Java key stores and of gzip.
        (None, Some(0x30 | 0xfe | 0xce | 0x1f)) => Some(DecodedKey {
            der: decoded.clone(),
            dek_info: None,
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
        name if KEY_FILE_ENDINGS.iter().any(|end| name.ends_with(end)) => {
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

/// Returns the blocks of a text in their order. An error is the last item.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Result<Block<'_>, Error>> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let block = Block::first(rest?)?;
        rest = block.as_ref().ok().map(|block| block.after);
        Some(block)
    })
}

/// The text `-----BEGIN label-----body-----END end_label-----` and what surrounds it.
pub(super) struct Block<'t> {
    before: Option<char>,
    whole: &'t str,
    label: &'t str,
    pub(super) body: &'t str,
    end_label: &'t str,
    after: &'t str,
}

impl<'t> Block<'t> {
    fn first(text: &'t str) -> Option<Result<Self, Error>> {
        let (before, block) = text.split_at_checked(text.find(BEGIN)?)?;
        let parts = || {
            let (label, rest) = block.strip_prefix(BEGIN)?.split_once(DASHES)?;
            let (body, rest) = rest.split_once(END)?;
            let (end_label, after) = rest.split_once(DASHES)?;
            let whole = block.get(..block.len().saturating_sub(after.len()))?;
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
        Some(parts().ok_or_else(|| Error::key(refusal::CUT_OFF)))
    }

    /// Returns the label with one space between its words, even if the label was wrapped.
    pub(super) fn label(&self) -> String {
        normalized(self.label)
    }

    /// Returns whether the label is one of private keys. The DER shows which kind it is, so a wrong label among them
    /// does no harm.
    fn is_private_key(&self) -> bool {
        PRIVATE_LABELS.contains(&self.label().as_str())
    }

    /// Decodes the body. White space, escapes and quotes in it are skipped, which is the repair.
    fn decode(&self) -> Result<DecodedKey, Error> {
        let (dek_info, body) = proc_type::split_headers(self.body).map_err(Error::key)?;
        let block = Self { body, ..*self };
        if self.label() != normalized(self.end_label) {
            return Err(Error::key(
                "the BEGIN and END lines of this key do not belong together",
            ));
        }
        // The decoder's own error is dropped because it quotes a byte of the key.
        let der = decode_body(body).map_err(|error| {
            Error::key(match error {
                DecodeError::InvalidByte(..) => "this key holds characters that are not base64",
                _ => refusal::CUT_OFF,
            })
        })?;
        let mut repairs = surrounding_repairs(self.before, self.whole);
        let needed = BLOCK_REPAIRS
            .iter()
            .filter(|(_, is_needed)| is_needed(&block));
        repairs.extend(needed.map(|(repair, _)| *repair));
        Ok(DecodedKey {
            der,
            dek_info,
            repairs,
        })
    }
}

/// Decodes the base64 of a body with any separators between its lines.
///
/// Each copy of the key is made in one allocation, because a growing buffer leaves parts of the key in freed memory.
pub(super) fn decode_body(text: &str) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let mut base64 = unescaped(text);
    base64.retain(|c| !is_separator(c));
    let mut bytes = Zeroizing::default();
    STANDARD.decode_vec(&*base64, &mut bytes).map(|()| bytes)
}

/// Returns `text` with the escapes `\n` and `\r` of JSON and shell strings as line ends, and JSON's numeric escapes as
/// their characters: some writers escape `+` and `=` (RFC 8259 §7).
///
/// Any other backslash stays: `unescape_json` would drop it with the next character, perhaps a digit of the base64.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut parts = text.split('\\');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let line = part.strip_prefix(['n', 'r']).map(|rest| ('\n', rest));
        let (c, rest) = line
            .or_else(|| numbered_escape(part))
            .unwrap_or(('\\', part));
        plain.push(c);
        plain.push_str(rest);
    }
    plain
}

/// Returns the character of an escape such as `u002B`, and what follows it.
fn numbered_escape(part: &str) -> Option<(char, &str)> {
    let (digits, rest) = part.strip_prefix('u')?.split_at_checked(4)?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c, rest))
}

fn normalized(label: &str) -> String {
    unescaped(label)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\\' | '"' | '\'' | '\u{feff}')
}
