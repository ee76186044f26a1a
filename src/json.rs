//! JSON objects, read and written. Both are wiped when dropped, since a token may be among their members.

use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// The longest escape of one byte in JSON (RFC 8259 §7).
const LONGEST_ESCAPE: usize = r"\u001f".len();
/// What surrounds a member beside its name and value: `"":"",`, or a brace in place of the comma.
const AROUND_MEMBER: usize = r#""":"","#.len();

/// A JSON object that was parsed. Its texts are wiped when it is dropped.
#[derive(Default)]
pub(crate) struct JsonObject(Value);

/// The members of an object as text, sorted by name.
pub(crate) type TextMembers = Vec<(String, Zeroizing<String>)>;

impl JsonObject {
    /// Parses an object; `None` where the text is anything else.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let object = Self(serde_json::from_slice(json).ok()?);
        object.0.is_object().then_some(object)
    }

    /// Parses an object, or an array whose first element is one.
    pub(crate) fn parse_first(json: &[u8]) -> Option<Self> {
        let mut all = Self(serde_json::from_slice(json).ok()?);
        if all.0.is_array() {
            all = Self(all.0.get_mut(0)?.take());
        }
        all.0.is_object().then_some(all)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns a text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Wipes a member that must not be handed on.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(value) = self.0.get_mut(name) {
            wipe(value);
            *value = Value::Null;
        }
    }

    /// Returns every member that is not `null` as text: a string as it is, anything else as its JSON.
    pub(crate) fn text_members(&self) -> TextMembers {
        let members = self.0.as_object().into_iter().flatten();
        let present = members.filter(|(_, value)| !value.is_null());
        let texts = present.map(|(name, value)| {
            let text = value.as_str().map(str::to_owned);
            let text = text.unwrap_or_else(|| value.to_string());
            (name.clone(), text.into())
        });
        texts.collect()
    }
}

impl FromIterator<(String, String)> for JsonObject {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(texts: I) -> Self {
        Self(texts.into_iter().collect())
    }
}

impl Drop for JsonObject {
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

/// Writes a JSON object member by member, in the order of the calls: a map would sort the names.
pub(crate) struct JsonWriter(Zeroizing<Vec<u8>>);

impl JsonWriter {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Writes a string; an absent one is left out, never `null`.
    pub(crate) fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            let _ = serde_json::to_writer(&mut *self.0, value); // a vector takes everything
        }
    }

    /// Writes a number; an absent one is left out, never `null`.
    pub(crate) fn number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.name(name);
            let _ = serde_json::to_writer(&mut *self.0, &value); // a vector takes everything
        }
    }

    /// Writes members whose values are JSON already.
    pub(crate) fn encoded<'a>(&mut self, members: impl IntoIterator<Item = &'a (String, String)>) {
        for (name, json) in members {
            self.name(name);
            self.0.extend_from_slice(json.as_bytes());
        }
    }

    fn name(&mut self, name: &str) {
        let before = if self.0.is_empty() { b'{' } else { b',' };
        self.0.push(before);
        let _ = serde_json::to_writer(&mut *self.0, name); // a vector takes everything
        self.0.push(b':');
    }

    /// Ends the object, hands its bytes to `read`, and begins a new one in the same memory.
    pub(crate) fn take(&mut self, read: impl FnOnce(&[u8])) {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        read(&self.0);
        self.0.clear();
    }

    fn finish(mut self) -> Zeroizing<Vec<u8>> {
        self.0.push(b'}');
        self.0
    }
}

/// Writes texts as one object, in a single allocation: a vector that grows leaves copies of a secret behind.
pub(crate) fn object(members: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let mut writer = JsonWriter::with_capacity(capacity(members, LONGEST_ESCAPE));
    for (name, value) in members {
        writer.text(name, Some(value));
    }
    writer.finish()
}

/// Returns as many bytes as the members take at most, where one byte becomes up to `longest`.
pub(crate) fn capacity(members: &[(&str, &str)], longest: usize) -> usize {
    let texts = members.iter().flat_map(|(name, value)| [name, value]);
    texts.fold(AROUND_MEMBER, |sum, text| {
        let most = text.len().saturating_mul(longest);
        sum.saturating_add(most).saturating_add(AROUND_MEMBER)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_is_written_in_one_allocation() {
        let short: &[(&str, &str)] = &[("a", "b")];
        let long = "\u{1f}".repeat(1000);
        let escaped: &[(&str, &str)] = &[(&long, &long), ("\u{1f}", ""), ("", &long)];
        for members in [short, escaped] {
            let json = object(members);
            assert!(json.len() <= capacity(members, LONGEST_ESCAPE));
            assert_eq!(json.capacity(), capacity(members, LONGEST_ESCAPE));
        }
    }
}
