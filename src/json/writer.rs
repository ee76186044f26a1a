//! Writes JSON into buffers that are wiped.

use zeroize::Zeroizing;

/// The longest escape of one byte in JSON (RFC 8259 §7).
pub(crate) const LONGEST_ESCAPE: usize = r"\u001f".len();
/// What surrounds a member's name and value: `"":"",`, or a brace in place of the comma.
const AROUND_MEMBER: usize = r#""":"","#.len();

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
            let _ = serde_json::to_writer(&mut *self.0, value); // writing to a vector cannot fail
        }
    }

    /// Writes a number; an absent one is left out, never `null`.
    pub(crate) fn number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.name(name);
            let _ = serde_json::to_writer(&mut *self.0, &value); // writing to a vector cannot fail
        }
    }

    /// Writes members whose values are JSON already.
    pub(crate) fn json_members<'a>(
        &mut self,
        members: impl IntoIterator<Item = &'a (String, String)>,
    ) {
        for (name, json) in members {
            self.json(name, json);
        }
    }

    /// Writes a member whose value is JSON already.
    pub(crate) fn json(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Writes a member whose value is the object that `write` writes.
    pub(crate) fn nested(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.0.push(b'{');
        write(self);
        self.0.push(b'}');
    }

    fn name(&mut self, name: &str) {
        match self.0.last() {
            None => self.0.push(b'{'),
            Some(b'{') => {} // the first member of a nested object
            Some(_) => self.0.push(b','),
        }
        let _ = serde_json::to_writer(&mut *self.0, name); // writing to a vector cannot fail
        self.0.push(b':');
    }

    /// Ends the object, hands its bytes to `receive`, and begins a new one in the same memory.
    pub(crate) fn finish_into(&mut self, receive: impl FnOnce(&[u8])) {
        self.end();
        receive(&self.0);
        self.0.clear();
    }

    pub(crate) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        self.end();
        self.0
    }

    fn end(&mut self) {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
    }
}

/// Encodes a JSON string, in a single allocation.
pub(crate) fn encode_string(text: &str) -> Zeroizing<Vec<u8>> {
    let capacity = text.len().saturating_mul(LONGEST_ESCAPE).saturating_add(2);
    let mut json = Zeroizing::new(Vec::with_capacity(capacity));
    let _ = serde_json::to_writer(&mut *json, text); // writing to a vector cannot fail
    json
}

/// Encodes an array of elements that are JSON already, in a single allocation.
pub(crate) fn encode_array(elements: &[impl AsRef<[u8]>]) -> Zeroizing<Vec<u8>> {
    let lengths = elements
        .iter()
        .map(|json| json.as_ref().len().saturating_add(1));
    let capacity = lengths.fold(1, usize::saturating_add).max(2);
    let mut array = Zeroizing::new(Vec::with_capacity(capacity));
    array.push(b'[');
    for (n, json) in elements.iter().enumerate() {
        if n > 0 {
            array.push(b',');
        }
        array.extend_from_slice(json.as_ref());
    }
    array.push(b']');
    array
}

/// Encodes texts as one object, in a single allocation: a vector that grows leaves copies of a secret behind.
pub(crate) fn encode_object(members: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let capacity = capacity(members.iter().copied(), LONGEST_ESCAPE);
    let mut writer = JsonWriter::with_capacity(capacity);
    for (name, value) in members {
        writer.text(name, Some(value));
    }
    writer.finish()
}

/// Returns the most bytes that the texts can take, if each byte becomes up to `longest`.
pub(crate) fn capacity<'a>(
    members: impl Iterator<Item = (&'a str, &'a str)>,
    longest: usize,
) -> usize {
    let texts = members.flat_map(|(name, value)| [name, value]);
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
        for members in [&[], short, escaped] {
            let json = encode_object(members);
            let capacity = capacity(members.iter().copied(), LONGEST_ESCAPE);
            assert!(json.len() <= capacity);
            assert_eq!(json.capacity(), capacity);
        }
    }
}
