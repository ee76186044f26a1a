//! JSON objects whose members have unique names.
//!
//! Parsers differ in which of two members of the same name they return, so an assertion with duplicate members means
//! different things to different readers. RFC 7515 §5.2 and RFC 7519 §4 allow a verifier to refuse it.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Why a text is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    NotAnObject,
    DuplicateMember,
}

/// Parses an object.
///
/// # Errors
/// When the text is not a JSON object, or when an object in it has two members of the same name.
pub(super) fn parse_object(json: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let object = serde_json::from_slice(json).map_err(|_| JsonError::NotAnObject)?;
    match has_duplicate_member(json) {
        true => Err(JsonError::DuplicateMember),
        false => Ok(object),
    }
}

/// Scans a text that is known to be JSON. `serde_json` keeps the last of several members without notice.
fn has_duplicate_member(json: &[u8]) -> bool {
    // The member names of each object that is open at this point.
    let mut open_objects: Vec<HashSet<String>> = Vec::new();
    let mut rest = json;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'{' => open_objects.push(HashSet::new()),
            b'}' => drop(open_objects.pop()),
            b'"' => {
                let length = string_length(rest);
                let string = rest.get(..length).unwrap_or_default();
                rest = rest.get(length..).unwrap_or_default();
                if rest.trim_ascii_start().starts_with(b":") {
                    // A name written with escapes is the same name as without them.
                    let quoted = [b"\"", string].concat();
                    let name = serde_json::from_slice(&quoted).unwrap_or_default();
                    let names = open_objects.last_mut();
                    if names.is_some_and(|names| !names.insert(name)) {
                        return true;
                    }
                }
            }
            _ => {}
        }
    }
    false
}

/// Returns the length of the string that begins after a quote, with its closing quote.
fn string_length(json: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = json.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(json.len(), |end| end.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_object_refuses_duplicate_members_at_every_level() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a" : 1 , "a"
                : 2}"#,
            r#"{"x":[{"a":1,"b":{},"a":2}]}"#,
            r#"{"":1,"":2}"#,
            r#"{"a\"":1,"a\"":2}"#,
        ] {
            let outcome = parse_object(json.as_bytes());
            assert_eq!(outcome, Err(JsonError::DuplicateMember), "{json}");
        }
    }

    #[test]
    fn parse_object_accepts_equal_names_in_different_objects_and_strings() {
        for json in [
            "{}",
            r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#,
            r#"{"a":"a","b":"\"a\":","c":"\\","d":["a","a"]}"#,
        ] {
            assert!(parse_object(json.as_bytes()).is_ok(), "{json}");
        }
    }

    #[test]
    fn parse_object_refuses_text_that_is_no_object() {
        for json in ["", "[]", "null", "{", r#"{"a":1}{"a":1}"#] {
            let outcome = parse_object(json.as_bytes());
            assert_eq!(outcome, Err(JsonError::NotAnObject), "{json}");
        }
    }
}
