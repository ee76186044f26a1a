//! The secrets of a run, and whether a text repeats one of them.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use zeroize::Zeroizing;

/// The shortest value that is searched for, in characters; shorter ones occur in any sentence.
const MIN_SEARCHED: usize = 6;
/// The length of a piece of a value, in characters. A text in which a piece is found is hidden.
const PIECE: usize = 12;

/// The secrets of a run, for everything that prints: a server may repeat the assertion of an earlier attempt, a token
/// of an earlier run, and the key.
#[derive(Clone, Default)]
pub(crate) struct SharedSecrets(Arc<Mutex<Secrets>>);

impl SharedSecrets {
    /// Adds the key of an HMAC, in the encodings that secrets are written in.
    pub(crate) fn add_key(&self, key: &[u8]) {
        let hex = |digits: &[u8; 16]| -> Zeroizing<String> {
            let digit = |n: u8| digits.get(usize::from(n)).copied().map(char::from);
            let pairs = key.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            pairs.filter_map(digit).collect::<String>().into()
        };
        let mut secrets = self.lock();
        secrets.add(std::str::from_utf8(key).unwrap_or_default());
        secrets.add(&Zeroizing::new(STANDARD_NO_PAD.encode(key)));
        secrets.add(&Zeroizing::new(URL_SAFE_NO_PAD.encode(key)));
        secrets.add(&hex(b"0123456789abcdef"));
        secrets.add(&hex(b"0123456789ABCDEF"));
    }

    /// Adds a text that is a secret, and the texts in it if it is JSON.
    pub(crate) fn add(&self, secret: &str) {
        let mut secrets = self.lock();
        secrets.add(secret);
        if let Ok(value) = serde_json::from_str(secret) {
            secrets.add_all(&value);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Secrets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes of the pieces of all values that must not be shown, by the length of the piece in characters.
///
/// A text is searched for all of them at once. A server decides how long the texts are, and how many.
#[derive(Default)]
pub(crate) struct Secrets {
    pieces: BTreeMap<usize, HashSet<u64>>,
    hasher: RandomState,
}

impl Secrets {
    pub(crate) fn add(&mut self, value: &str) {
        let value = comparable(value);
        let length = value.len().min(PIECE);
        if length >= MIN_SEARCHED {
            let pieces = value
                .windows(length)
                .map(|piece| self.hasher.hash_one(piece));
            self.pieces.entry(length).or_default().extend(pieces);
        }
    }

    pub(crate) fn add_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Object(members) => members.values().for_each(|member| self.add_all(member)),
            Value::Array(elements) => elements.iter().for_each(|element| self.add_all(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Returns whether a piece of one of the values is in the text, as it is or escaped for a URL or for JSON.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        if text.len() < MIN_SEARCHED {
            return false;
        }
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        self.are_literally_in(text)
            || (decoded != text && self.are_literally_in(&decoded))
            || (text.contains("\\u") && self.are_literally_in(&unescape(text)))
    }

    fn are_literally_in(&self, text: &str) -> bool {
        let text = comparable(text);
        self.pieces.iter().any(|(length, pieces)| {
            let mut windows = text.windows(*length);
            windows.any(|window| pieces.contains(&self.hasher.hash_one(window)))
        })
    }
}

/// Returns the characters that tokens and passwords are made of: other characters between them change nothing.
fn comparable(text: &str) -> Zeroizing<Vec<char>> {
    let is_compared = |c: &char| c.is_alphanumeric() || "-_.~+/=".contains(*c);
    Zeroizing::new(text.chars().filter(is_compared).collect())
}

/// Replaces `\u0022` and the like, which JSON within a JSON string still has.
fn unescape(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part
            .get(..4)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match digits.and_then(char::from_u32) {
            Some(c) => {
                unescaped.push(c);
                unescaped.push_str(part.get(4..).unwrap_or_default());
            }
            None => unescaped.push_str(part),
        }
    }
    unescaped
}
