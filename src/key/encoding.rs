//! Decodes what key files write as text: hexadecimal, base64 and base64url (RFC 4648), UTF-16, strings of JSON.
//!
//! A byte order mark and white space are skipped, and padding may be left out. No copy is left in memory: each buffer
//! is allocated once and wiped.
#![cfg_attr(
    not(feature = "cli"),
    allow(unreachable_pub, reason = "the command line names these functions")
)]

use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Decodes hexadecimal digits.
pub fn decode_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits = without_space(text);
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len().div_ceil(2)));
    for pair in digits.chunks(2) {
        let [high, low] = pair else {
            return None; // an odd number of digits
        };
        let byte = value(high)?.wrapping_shl(4) | value(low)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

/// Decodes base64.
pub fn decode_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    decode(&alphabet::STANDARD, text)
}

/// Decodes base64url.
pub fn decode_base64url(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    decode(&alphabet::URL_SAFE, text)
}

/// Decodes base64url, or base64 if the text has a digit that only base64 has.
pub(crate) fn decode_either_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match text.iter().any(|digit| matches!(digit, b'+' | b'/')) {
        true => decode_base64(text),
        false => decode_base64url(text),
    }
}

fn decode(alphabet: &Alphabet, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut bytes = Zeroizing::default();
    let engine = GeneralPurpose::new(alphabet, config);
    engine.decode_vec(&*without_space(text), &mut bytes).ok()?;
    Some(bytes)
}

fn without_space(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    digits.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    digits
}

/// Converts UTF-16, with or without a byte order mark, to UTF-8. PowerShell writes UTF-16.
///
/// Returns `None` if the bytes are something else.
pub fn decode_utf16(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let read = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        [1..=0xff, 0, 1..=0xff, 0, ..] => u16::from_le_bytes,
        [0, 1..=0xff, 0, 1..=0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let pairs = bytes
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok());
    let units = pairs.map(read).skip_while(|unit| *unit == 0xfeff);
    // A unit has at most three bytes in UTF-8, so the text never grows and leaves no copies.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2)));
    text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    Some(text)
}

/// Decodes a JSON string (RFC 8259 §7).
///
/// Not `json::decode_string`: it decodes escapes into a buffer that grows, and leaves pieces of a key in freed memory.
pub(crate) fn decode_json_string(json: &str) -> Option<Zeroizing<String>> {
    let escaped = json.trim().strip_prefix('"')?.strip_suffix('"')?;
    Some(unescape_json(escaped))
}

/// Replaces the escapes of JSON in a text. Unknown escapes are left out.
pub(crate) fn unescape_json(text: &str) -> Zeroizing<String> {
    // No escape is shorter than its character, but for `\u` at the end, by one. So the text never grows and leaves no
    // copies.
    let mut plain = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut chars = escape.chars();
        match chars.next() {
            Some(c @ ('"' | '\\' | '/')) => plain.push(c),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('u') => {
                let (first, after) = utf16_unit(chars.as_str());
                let (second, after_both) = after.strip_prefix("\\u").map_or((0, after), utf16_unit);
                // A character beyond U+FFFF is a pair of escapes.
                let pair = char::decode_utf16([first, second]).next();
                let single = char::decode_utf16([first]).next();
                let (c, after) = match (single, pair) {
                    (Some(Ok(c)), _) => (c, after),
                    (_, Some(Ok(c))) => (c, after_both),
                    _ => (char::REPLACEMENT_CHARACTER, after),
                };
                plain.push(c);
                chars = after.chars();
            }
            _ => {}
        }
        rest = chars.as_str();
    }
    plain.push_str(rest);
    plain
}

/// Returns the number in four hexadecimal digits, and the text after them.
fn utf16_unit(text: &str) -> (u16, &str) {
    let (digits, after) = text.split_at_checked(4).unwrap_or((text, ""));
    (u16::from_str_radix(digits, 16).unwrap_or(0xfffd), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: Option<Zeroizing<Vec<u8>>>) -> Option<Vec<u8>> {
        bytes.map(|bytes| bytes.to_vec())
    }

    /// The last test vectors of RFC 4648 §10.
    #[test]
    fn foobar_is_decoded_from_each_encoding() {
        let foobar = Some(b"foobar".to_vec());
        assert_eq!(decoded(decode_hex(b"666F6f626172")), foobar);
        assert_eq!(decoded(decode_base64(b"Zm9vYmFy")), foobar);
        assert_eq!(decoded(decode_base64url(b"Zm9vYmFy")), foobar);
        for text in [&b"Zm9vYg=="[..], b"Zm9vYg", b"\xef\xbb\xbfZm9v\r\n Yg==\n"] {
            assert_eq!(decoded(decode_base64(text)), Some(b"foob".to_vec()));
        }
    }

    #[test]
    fn other_alphabet_is_taken_only_where_either_may_come() {
        let bytes = Some(vec![0xfb, 0xff]);
        assert_eq!(decoded(decode_base64(b"+/8=")), bytes);
        assert_eq!(decoded(decode_base64url(b"-_8")), bytes);
        assert_eq!(decoded(decode_either_base64(b"+/8")), bytes);
        assert_eq!(decoded(decode_either_base64(b"-_8=")), bytes);
        assert!(decode_base64(b"-_8").is_none() && decode_base64url(b"+/8").is_none());
        assert!(decode_either_base64(b"-/8").is_none());
    }

    /// RFC 8259 §7, with its example of a character that is a pair of escapes. Half of a pair is no character.
    #[test]
    fn escapes_of_json_are_replaced() {
        for (json, text) in [
            (r#" "\"\\\/\b\f\n\r\t" "#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\u0041\u00e9\u20AC""#, "A\u{e9}\u{20ac}"),
            (r#""a\uD834\uDD1Eb""#, "a\u{1d11e}b"),
            (r#""a\ud834b""#, "a\u{fffd}b"),
            (r#""a\ud834\u0041""#, "a\u{fffd}A"),
            (r#""\udd1e""#, "\u{fffd}"),
            (r#""\ud834\u""#, "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(decode_json_string(json).unwrap().as_str(), text, "{json}");
        }
        for json in ["text", "\"text", "text\""] {
            assert!(decode_json_string(json).is_none(), "{json}");
        }
    }

    #[test]
    fn text_in_no_encoding_is_refused() {
        for text in [&b"6"[..], b"666", b"6g", b"\xc3\xbc"] {
            assert!(decode_hex(text).is_none(), "{text:?}");
        }
        for text in [&b"Z"[..], b"Zm9vYh", b"Zm9v!", b"Zm9vYg=x"] {
            assert!(decode_either_base64(text).is_none(), "{text:?}");
        }
    }
}
