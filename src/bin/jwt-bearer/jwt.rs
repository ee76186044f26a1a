//! From a text to the parts of a JWT in compact serialization (RFC 7515 §7.1, RFC 7516 §7.1), none of them trusted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{decode_base64, decode_base64url};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// What comes before a token in the header of a request.
const PREFIXES: &[&str] = &["authorization:", "bearer ", "dpop "];
/// Members of a server's response that are tokens.
const TOKEN_MEMBERS: &[&str] = &["id_token", "access_token", "assertion", "token"];

const NOT_BASE64: &str = "the first part is not base64url of JSON, so that this is no JWT. Many servers issue access \
    tokens that only they can read";

/// The parts of a JWT.
pub(crate) struct Jwt {
    pub(crate) header: Map<String, Value>,
    /// The header as it is written.
    pub(crate) header_json: String,
    pub(crate) body: Body,
    /// The text that the signature covers.
    pub(crate) message: Zeroizing<String>,
    pub(crate) signature: Vec<u8>,
    /// What a server may refuse.
    pub(crate) oddities: Vec<&'static str>,
}

pub(crate) enum Body {
    /// The claims, parsed and as they are written.
    Claims(Map<String, Value>, Zeroizing<String>),
    /// Something that is not a JSON object.
    Other(Zeroizing<Vec<u8>>),
    /// An encrypted body.
    Encrypted,
}

impl Jwt {
    /// Reads a token, and drops what people copy around it.
    ///
    /// # Errors
    /// A message that says what the text is instead. It quotes nothing.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| "this is not text, and a JWT is: three parts of base64url with dots")?;
        let text = bare(text);
        if let Some(why) = not_compact(&text) {
            return Err(why);
        }
        let mut oddities = Vec::new();
        let parts: Vec<_> = text.split('.').collect();
        let [header, body, rest @ ..] = parts.as_slice() else {
            return Err(
                "this has no dots: a JWT has three parts of base64url with dots between them"
                    .into(),
            );
        };
        let header_json = decode(header, &mut oddities).ok_or(NOT_BASE64)?;
        let header_json = String::from_utf8(header_json.to_vec()).map_err(|_| NOT_BASE64)?;
        let header: Map<_, _> = serde_json::from_str(&header_json).map_err(|_| NOT_BASE64)?;
        let (body, signature) = match rest {
            // Some programs leave out the dot at the end of a token without a signature.
            [] | [_] => {
                let body = decode(body, &mut oddities)
                    .ok_or("the second part, the claims, is not base64url")?;
                let signature = decode(rest.first().unwrap_or(&""), &mut oddities);
                let signature =
                    signature.ok_or("the third part, the signature, is not base64url")?;
                (Body::of(body), signature.to_vec())
            }
            [_, _, _] => (Body::Encrypted, Vec::new()), // RFC 7516 §7.1
            _ => {
                let count = parts.len();
                return Err(format!(
                    "this has {count} parts: a JWT has three, and an encrypted one five"
                ));
            }
        };
        let message = parts.get(..2).unwrap_or_default().join(".");
        Ok(Self {
            header,
            header_json,
            body,
            message: Zeroizing::new(message),
            signature,
            oddities,
        })
    }

    /// Returns a member of the header that is a text.
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

impl Body {
    fn of(bytes: Zeroizing<Vec<u8>>) -> Self {
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        match serde_json::from_str(text) {
            Ok(claims) => Self::Claims(claims, Zeroizing::new(text.to_owned())),
            Err(_) => Self::Other(bytes),
        }
    }
}

/// Returns whether the text is a token in place of a file name.
pub(crate) fn is_token(text: &str) -> bool {
    let text = bare(text);
    text.starts_with("eyJ") || (text.len() > 100 && text.matches('.').count() >= 2)
}

/// Returns the token without a prefix, quotes around it or white space in it.
fn bare(text: &str) -> Zeroizing<String> {
    let trim = |text: &'_ str| -> usize {
        let is_around = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}' | '\0');
        text.len() - text.trim_start_matches(is_around).len()
    };
    let mut text = &text[trim(text)..];
    for prefix in PREFIXES {
        let start = text.get(..prefix.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            text = &text[prefix.len()..];
            text = &text[trim(text)..];
        }
    }
    let is_kept = |c: &char| !c.is_whitespace() && !matches!(c, '\0' | '\u{feff}');
    let is_json = text.starts_with('{');
    let mut bare = Zeroizing::new(String::with_capacity(text.len()));
    bare.extend(text.chars().filter(|c| is_json || is_kept(c)));
    if !is_json {
        let end = bare.trim_end_matches(['"', '\'', ',', ';']).len();
        bare.truncate(end);
    }
    bare
}

/// Says what a text is instead, if it cannot be a JWT in compact serialization.
fn not_compact(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("this is empty: a token is wanted".into());
    }
    if text.contains("-----BEGIN") {
        return Some("this is a PEM, and no JWT: jwt-bearer key shows what is in it".into());
    }
    if !text.starts_with('{') {
        return None;
    }
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Some("this is not a JWT: a JWT is three parts of base64url with dots".into());
    };
    let member = TOKEN_MEMBERS
        .iter()
        .find(|name| object.contains_key(**name));
    Some(match member {
        Some(name) => {
            format!("this is JSON with a token in it: pipe the token alone, with jq -r .{name}")
        }
        None if object.contains_key("protected") || object.contains_key("signatures") => {
            "this is a JWS in JSON (RFC 7515 §7.2), and not a JWT, which is three parts with dots"
                .into()
        }
        None => "this is JSON, and not a JWT, which is three parts of base64url with dots".into(),
    })
}

/// Decodes a part, even if it is in ordinary base64.
fn decode(part: &str, oddities: &mut Vec<&'static str>) -> Option<Zeroizing<Vec<u8>>> {
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) {
        return Some(bytes.into());
    }
    let decoded = decode_base64url(part.as_bytes()).or_else(|| decode_base64(part.as_bytes()))?;
    const ODDITY: &str = "a part is base64 with padding or with + and /, which a server may refuse: a JWT has base64url \
        without padding (RFC 7515 §2)";
    if !oddities.contains(&ODDITY) {
        oddities.push(ODDITY);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_found_in_what_people_copy() {
        for text in [
            "a.b.c",
            " a.b.c\r\n",
            "Bearer a.b.c",
            "Authorization: Bearer a.b.c\n",
            "authorization:bearer a.b.c",
            "\u{feff}\"a.b.c\",",
            "a.b\n  .c",
            "'Bearer a.b.c'",
        ] {
            assert_eq!(*bare(text), "a.b.c", "{text}");
        }
    }
}
