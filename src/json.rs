//! JSON objects, read and written. Both are wiped when dropped: a token may be among their members.

mod writer;

use std::borrow::Cow;
use std::ops::Deref;
use std::{mem, str};

use serde_core::de::IgnoredAny;
use serde_json::{Deserializer, Value};
use zeroize::{Zeroize as _, Zeroizing};

pub(crate) use self::writer::{
    JsonWriter, LONGEST_ESCAPE, capacity, encode_array, encode_object, encode_string,
};

/// A JSON object that was parsed: names and the JSON of their values, as it was written. It is wiped when dropped.
///
/// Values stay text, so that a number of any length stays exact. The names are sorted.
#[derive(Default)]
pub(crate) struct JsonObject(Vec<(String, Zeroizing<String>)>);

/// A JSON value whose texts are wiped when it is dropped.
pub(crate) struct JsonValue(Value);

/// The members of an object as text, sorted by name.
pub(crate) type TextMembers = Vec<(String, Zeroizing<String>)>;

impl JsonObject {
    /// Parses an object; returns `None` for anything else.
    ///
    /// A byte order mark is skipped. Bytes that are not UTF-8 become replacement characters: a server that writes one
    /// umlaut in Latin-1 still says something.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        with_text(json, |text| {
            Self::from_members(split_values(text, '{')?.chunks_exact(2))
        })
    }

    /// Parses an object, or an array whose first element is one.
    pub(crate) fn parse_first(json: &[u8]) -> Option<Self> {
        let first = |text: &str| Self::parse(elements(text)?.first()?.as_bytes());
        Self::parse(json).or_else(|| with_text(json, first))
    }

    /// Returns an object of pairs of a name and a value, both JSON. If two members have the same name, the last counts.
    pub(crate) fn from_members<'a>(members: impl Iterator<Item = &'a [&'a str]>) -> Option<Self> {
        let members = members.map(|member| {
            let [name, json] = member else { return None };
            let json = Zeroizing::new((*json).to_owned());
            Some((decode_string(name)?.to_string(), json))
        });
        let mut members: Vec<_> = members.collect::<Option<_>>()?;
        members.sort_by(|(one, _), (other, _)| one.cmp(other)); // stable
        members.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                mem::swap(later, earlier);
            }
            is_same
        });
        Some(Self(members))
    }

    /// Returns names and the JSON of their values.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, json)| (name.as_str(), json.as_str()))
    }

    /// Returns the JSON of a value.
    pub(crate) fn json(&self, name: &str) -> Option<&str> {
        let (_, json) = self.members().find(|(other, _)| *other == name)?;
        Some(json)
    }

    pub(crate) fn get(&self, name: &str) -> Option<JsonValue> {
        JsonValue::parse(self.json(name)?)
    }

    /// Returns an object with one member, which is a text.
    pub(crate) fn of_text(name: &str, text: &str) -> Self {
        let json = String::from_utf8(mem::take(&mut *encode_string(text))); // JSON is UTF-8
        Self(vec![(name.to_owned(), json.unwrap_or_default().into())])
    }

    /// Returns the JSON of the value that a [path](path) leads to.
    pub(crate) fn find(&self, member: &str) -> Option<&str> {
        let Some(pointer) = member.strip_prefix('/') else {
            return self.json(member);
        };
        let mut names = pointer.split('/').map(unescape); // without a vector: each response is searched often
        let json = self.json(&names.next()?)?;
        names.try_fold(json, |json, name| child(json, &name))
    }

    /// Returns the text that a [path](path) leads to, if it is not empty.
    pub(crate) fn find_text(&self, member: &str) -> Option<Zeroizing<String>> {
        decode_string(self.find(member)?).filter(|text| !text.is_empty())
    }

    /// Returns the text of a member, if it is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        decode_string(self.json(name)?).filter(|text| !text.is_empty())
    }

    /// Returns the texts of members with these names, at any depth.
    pub(crate) fn texts_at_any_depth(&self, names: &[&str]) -> Vec<Zeroizing<String>> {
        let mut found = Vec::new();
        for (name, json) in self.members() {
            if let Some(text) = decode_string(json).filter(|_| names.contains(&name)) {
                found.push(text);
            } else if json.starts_with(['{', '[']) {
                if let Some(value) = JsonValue::parse(json) {
                    visit("", &value, &mut |name, value| {
                        if let Some(text) = value.as_str().filter(|_| names.contains(&name)) {
                            found.push(Zeroizing::new(text.to_owned()));
                        }
                    });
                }
            }
        }
        found
    }

    /// Removes and wipes the value that a [path](path) leads to.
    pub(crate) fn remove(&mut self, member: &str) {
        match &*path(member) {
            [] => {}
            [name] => self.0.retain(|(other, _)| other != name),
            [first, rest @ ..] => {
                for (_, json) in self.0.iter_mut().filter(|(name, _)| name == first) {
                    *json = without(json, rest);
                }
            }
        }
    }

    /// Returns every member that is not `null` as text: a string as it is, anything else as its JSON.
    pub(crate) fn text_members(&self) -> TextMembers {
        let present = self.members().filter(|(_, json)| *json != "null");
        let texts = present.map(|(name, json)| {
            let text = decode_string(json).unwrap_or_else(|| json.to_owned().into());
            (name.to_owned(), text)
        });
        texts.collect()
    }
}

/// Decodes a JSON string; returns `None` for anything else.
pub(crate) fn decode_string(json: &str) -> Option<Zeroizing<String>> {
    let mut value = json.starts_with('"').then(|| JsonValue::parse(json))??;
    match &mut value.0 {
        Value::String(text) => Some(mem::take(text).into()),
        _ => None,
    }
}

/// Returns the names that lead to a value: one name, or those of a JSON Pointer (RFC 6901), which begins with a slash.
pub(crate) fn path(member: &str) -> Vec<Cow<'_, str>> {
    match member.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescape).collect(),
        None => vec![Cow::Borrowed(member)],
    }
}

/// Returns a name of a JSON Pointer without its escapes (RFC 6901 §3).
fn unescape(name: &str) -> Cow<'_, str> {
    let Some((first, escapes)) = name.split_once('~') else {
        return Cow::Borrowed(name);
    };
    let mut unescaped = first.to_owned();
    for escape in escapes.split('~') {
        let (character, rest) = match escape.split_at_checked(1) {
            Some(("0", rest)) => ('~', rest),
            Some(("1", rest)) => ('/', rest),
            _ => ('~', escape), // no escape that RFC 6901 §3 has
        };
        unescaped.push(character);
        unescaped.push_str(rest);
    }
    Cow::Owned(unescaped)
}

/// Returns an object or array without the value that a path leads to; anything else as it is. An element of an array
/// becomes `null`, so that the others keep their places.
fn without(json: &str, path: &[Cow<'_, str>]) -> Zeroizing<String> {
    let Some((name, rest)) = path.split_first() else {
        return "null".to_owned().into();
    };
    let (elements, members) = (split_values(json, '['), split_values(json, '{'));
    // A string that grows would leave copies behind.
    let mut kept = Zeroizing::new(String::with_capacity(
        json.len().saturating_add("null".len()),
    ));
    if let Some(elements) = elements {
        kept.push('[');
        for (n, element) in elements.into_iter().enumerate() {
            kept.push_str(if n == 0 { "" } else { "," });
            match index(name) == Some(n) {
                true => kept.push_str(&without(element, rest)),
                false => kept.push_str(element),
            }
        }
        kept.push(']');
    } else if let Some(members) = members {
        kept.push('{');
        for member in members.chunks_exact(2) {
            let [key, value] = member else { continue };
            let is_named = decode_string(key).is_some_and(|key| *key == **name);
            if is_named && rest.is_empty() {
                continue;
            }
            if kept.len() > 1 {
                kept.push(',');
            }
            kept.push_str(key);
            kept.push(':');
            match is_named {
                true => kept.push_str(&without(value, rest)),
                false => kept.push_str(value),
            }
        }
        kept.push('}');
    } else {
        kept.push_str(json);
    }
    kept
}

/// Returns whether a value is empty: `null`, `false`, or an empty text, array or object.
pub(crate) fn is_empty(json: &str) -> bool {
    let has_no = |bracket| {
        json.starts_with(bracket)
            && split_values(json, bracket).is_some_and(|values| values.is_empty())
    };
    matches!(json, "null" | "false" | "\"\"") || has_no('{') || has_no('[')
}

/// Returns the index in a part of a JSON Pointer: digits without a leading zero (RFC 6901 §4).
fn index(name: &str) -> Option<usize> {
    let is_canonical = name == "0" || name.starts_with(|c: char| matches!(c, '1'..='9'));
    name.parse().ok().filter(|_| is_canonical)
}

/// Returns a member of an object, or an element of an array.
fn child<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    if let Some(elements) = elements(json) {
        return elements.get(index(name)?).copied();
    }
    let members = split_values(json, '{')?;
    let is_named = |member: &&[&str]| {
        member
            .first()
            .and_then(|json| decode_string(json))
            .is_some_and(|text| *text == name)
    };
    members
        .chunks_exact(2)
        .rev()
        .find(is_named)?
        .last()
        .copied()
}

/// Returns the members of an object sorted by name. Names are decoded, and values are as they are written. Members with
/// the same name keep their order.
pub(crate) fn sorted_members(json: &str) -> Option<Vec<(Zeroizing<String>, &str)>> {
    let values = split_values(json, '{')?;
    let pairs = values.chunks_exact(2).map(|member| match member {
        [name, json] => Some((decode_string(name)?, *json)),
        _ => None,
    });
    let mut members: Vec<_> = pairs.collect::<Option<_>>()?;
    members.sort_by(|(one, _), (other, _)| one.cmp(other)); // stable
    Some(members)
}

/// Returns the elements of an array, each as it is written.
pub(crate) fn elements(json: &str) -> Option<Vec<&str>> {
    split_values(json, '[')
}

/// Returns the elements of an array, or the names and values of an object in turn, each as it is written.
///
/// `RawValue` of serde_json would do this too. It adds 50 kB to a program: its errors can format floats.
fn split_values(json: &str, begin: char) -> Option<Vec<&str>> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut rest = json.trim_start().strip_prefix(begin)?;
    let mut values = Vec::new();
    loop {
        // The text is valid JSON, so each separator is in its place.
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',', ':']);
        let mut stream = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let Some(Ok(_)) = stream.next() else {
            return Some(values); // a bracket closes here
        };
        let (value, after) = rest.split_at_checked(stream.byte_offset())?;
        values.push(value);
        rest = after;
    }
}

/// Visits a value and everything in it, each member with its name.
pub(crate) fn visit(name: &str, value: &Value, visitor: &mut dyn FnMut(&str, &Value)) {
    visitor(name, value);
    match value {
        Value::Array(elements) => {
            for element in elements {
                visit("", element, visitor);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                visit(name, value, visitor);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn with_text<T>(bytes: &[u8], read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => read(text),
        Err(_) => read(&Zeroizing::new(String::from_utf8_lossy(bytes).into_owned())),
    }
}

impl JsonValue {
    #[inline(never)] // a dozen callers would have a copy each
    pub(crate) fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }
}

impl Deref for JsonValue {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Drop for JsonValue {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(elements) => elements.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_keeps_every_digit_and_every_kind_of_value() {
        let json =
            r#"{"t":"a\u0062","n":123456789012345678901234567890,"o":{ "p": [1.50] },"z":null}"#;
        let object = JsonObject::parse(json.as_bytes()).unwrap();
        assert_eq!(object.json("n"), Some("123456789012345678901234567890"));
        assert_eq!(object.text("t").unwrap().as_str(), "ab");
        let texts = object.text_members();
        let texts: Vec<_> = texts
            .iter()
            .map(|(n, t)| (n.as_str(), t.as_str()))
            .collect();
        let expected = [
            ("n", "123456789012345678901234567890"),
            ("o", r#"{ "p": [1.50] }"#),
            ("t", "ab"),
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn object_is_parsed_behind_a_byte_order_mark_and_around_a_latin_1_byte() {
        let object = JsonObject::parse(b"\xef\xbb\xbf{\"a\":\"Z\xfcrich\"}").unwrap();
        assert_eq!(object.text("a").unwrap().as_str(), "Z\u{fffd}rich");
    }

    #[test]
    fn object_of_no_json_is_none() {
        for text in ["", "[]", "1", "{\"a\":}", "{} {}", "[{}"] {
            assert!(JsonObject::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(JsonObject::parse_first(b"[{\"a\":1},2]").is_some());
    }

    /// The escapes are those of RFC 6901 §3.
    #[test]
    fn value_is_found_and_removed_by_name_and_by_pointer() {
        let json =
            r#"{"a/b":1,"m~n":2,"o":{"p":{"q":"x","r":12345678901234567890},"s":[{"t":"u"}]}}"#;
        let object = || JsonObject::parse(json.as_bytes()).unwrap();
        for (member, found) in [
            ("a/b", Some("1")),
            ("/a~1b", Some("1")),
            ("/m~0n", Some("2")),
            ("m~n", Some("2")),
            ("/~01", None),
            ("/m~n", Some("2")),
            ("/o/p/q", Some(r#""x""#)),
            ("/o/s/0/t", Some(r#""u""#)),
            ("/o/s/00/t", None),
            ("/o/s/+0/t", None),
            ("/o/p/z", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(object().find(member), found, "{member}");
        }
        let without = |member: &str| {
            let mut object = object();
            object.remove(member);
            object.json("o").map(str::to_owned)
        };
        assert_eq!(without("o"), None);
        assert_eq!(without("/o"), None);
        let rest = r#"{"p":{"r":12345678901234567890},"s":[{"t":"u"}]}"#;
        assert_eq!(without("/o/p/q").as_deref(), Some(rest));
        assert_eq!(without("/o/p").as_deref(), Some(r#"{"s":[{"t":"u"}]}"#));
        let rest = r#"{"p":{"q":"x","r":12345678901234567890},"s":[{}]}"#;
        assert_eq!(without("/o/s/0/t").as_deref(), Some(rest));
        let rest = r#"{"p":{"q":"x","r":12345678901234567890},"s":[null]}"#;
        assert_eq!(without("/o/s/0").as_deref(), Some(rest));
        let whole = object().json("o").map(str::to_owned);
        assert_eq!(without("/o/z"), whole);
    }
}
