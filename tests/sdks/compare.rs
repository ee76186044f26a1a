//! Compares two assertions: what is the same in them, and what differs in kind.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// No time in seconds is greater.
const YEAR_5138: f64 = 1e11;

/// A parsed assertion, with the time at which it was sent.
pub(crate) struct Sent {
    /// Its claims, and the members of its header with the prefix `header.`.
    members: Map<String, Value>,
    /// In seconds since 1970.
    at: f64,
}

/// The four cells of a row of `SEEN.md`.
#[derive(Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) same: String,
    pub(crate) client_alone: String,
    pub(crate) we_alone: String,
    pub(crate) differs: String,
}

impl Sent {
    /// Reads an assertion. `replace` names the texts that change from run to run.
    #[track_caller]
    pub(crate) fn read(jwt: &str, at: f64, replace: &[(&str, &str)]) -> Self {
        let mut parts = jwt.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
            let text = String::from_utf8(bytes).unwrap_or_default(); // a signature is not text
            (replace.iter()).fold(text, |text, (value, name)| text.replace(value, name))
        });
        let mut object = || serde_json::from_str::<Map<String, Value>>(&parts.next().unwrap());
        let (header, claims) = (object().unwrap(), object().unwrap());
        let header = header.into_iter().map(|(n, v)| (format!("header.{n}"), v));
        Self {
            members: claims.into_iter().chain(header).collect(),
            at,
        }
    }

    fn describe(&self, name: &str) -> String {
        match (name, &self.members[name]) {
            ("exp" | "iat" | "nbf", Value::Number(number)) => {
                let seconds = number.as_f64().unwrap();
                let (seconds, unit) = match seconds > YEAR_5138 {
                    true => (seconds / 1000.0, ", in milliseconds"),
                    false => (seconds, ""),
                };
                let ahead = seconds - self.at;
                // The client signed up to four seconds earlier, with a time whose fraction was cut off or rounded up.
                // Adding zero turns minus zero into zero.
                let rounded = ((ahead - 1.0) / 5.0).ceil() * 5.0 + 0.0;
                let fraction = if number.is_f64() {
                    ", with a fraction"
                } else {
                    ""
                };
                format!("{rounded:+}{unit}{fraction}")
            }
            ("jti", Value::String(id)) => kind_of_id(id).to_owned(),
            ("header.x5c", Value::Array(chain)) => format!("chain of {}", chain.len()),
            (_, value) => format!("`{value}`"),
        }
    }

    /// Compares this assertion of a client with ours.
    pub(crate) fn compare(&self, ours: &Self) -> Comparison {
        let described = |sent: &Self, name: &str| format!("{name} {}", sent.describe(name));
        let alone = |sent: &Self, other: &Self| {
            let names = sent.members.keys();
            let names = names.filter(|name| !other.members.contains_key(*name));
            list(names.map(|name| described(sent, name)))
        };
        let in_both: Vec<_> = (self.members.keys())
            .filter(|name| ours.members.contains_key(*name))
            .map(|name| (name, self.describe(name), ours.describe(name)))
            .collect();
        let same = in_both.iter().filter(|(_, client, we)| client == we);
        let differs = in_both.iter().filter(|(_, client, we)| client != we);
        Comparison {
            same: list(same.map(|(name, ..)| (*name).clone())),
            client_alone: alone(self, ours),
            we_alone: alone(ours, self),
            differs: list(differs.map(|(name, client, we)| format!("{name}: {client}, {we}"))),
        }
    }
}

/// Returns what a random text is. Two of one kind are the same text.
fn kind_of_id(id: &str) -> &'static str {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    match groups.as_slice() {
        [8, 4, 4, 4, 12] if is_hex(&id.replace('-', "")) => "UUID",
        [32] if is_hex(id) => "32 hexadecimal digits",
        _ if id.starts_with("lti-service-token-") => "UUID behind `lti-service-token-`",
        _ => "other text",
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    match names.is_empty() {
        true => "-".to_owned(),
        false => names.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sent(header: &Value, claims: &Value, at: f64) -> Sent {
        let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let jwt = format!("{}.c2ln", parts.join("."));
        Sent::read(&jwt, at, &[("https://127.0.0.1:1/x", "{base}")])
    }

    #[test]
    fn comparison_names_members_of_one_side_and_values_that_differ_in_kind() {
        let client = json!({
            "iss": "app", "aud": "https://127.0.0.1:1/x/", "exp": 1030.0, "iat": 1000,
            "jti": "0a0a0a0a-1b1b-2c2c-3d3d-4e4e4e4e4e4e", "nbf": 1000,
        });
        let ours = json!({
            "iss": "app", "aud": ["https://127.0.0.1:1/x/"], "exp": 1030, "iat": 940,
            "jti": "0123456789abcdef0123456789abcdef", "sub": "alice",
        });
        let client = sent(&json!({ "alg": "RS256", "typ": "JWT" }), &client, 1000.9);
        let ours = sent(&json!({ "alg": "RS256", "kid": "key-1" }), &ours, 1000.1);
        let expected = Comparison {
            same: "header.alg; iss".to_owned(),
            client_alone: "header.typ `\"JWT\"`; nbf +0".to_owned(),
            we_alone: "header.kid `\"key-1\"`; sub `\"alice\"`".to_owned(),
            differs: "aud: `\"{base}/\"`, `[\"{base}/\"]`; exp: +30, with a fraction, +30; iat: +0, -60; \
                jti: UUID, 32 hexadecimal digits"
                .to_owned(),
        };
        assert_eq!(client.compare(&ours), expected);
        assert_eq!(client.compare(&client).differs, "-");
    }
}
