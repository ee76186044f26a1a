//! `-v`: shows requests and responses without secrets, assertions and tokens.
//!
//! A value is shown if its name is on a list of harmless ones; a token under an unknown name stays hidden. A harmless
//! text is hidden too if it repeats a piece of a hidden value.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{AssertionPlacement, Request, Response, Transport, is_public_parameter};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::messages::escape_invisible;
use crate::secrets::{Secrets, SharedSecrets};

/// Request headers whose values are public; every other header may be a secret.
const PUBLIC_HEADERS: &[&str] = &["accept", "content-type", "user-agent"];
/// Characters of an assertion that are shown: the beginning of its header.
const SHOWN_OF_ASSERTION: usize = 12;
/// What replaces a hidden value.
const HIDDEN: &str = "...";

/// Members of a response that hold no token (RFC 6749 §5, RFC 8414 §2, RFC 8693 §2.2, RFC 9457 §3.1), and those in
/// which servers put the reason of a refusal. Names that end in `_endpoint` or `_supported` are shown too.
const PUBLIC_MEMBERS: &[&str] = &[
    "correlation_id",
    "detail",
    "error",
    "errorCode",
    "errorSummary",
    "error_codes",
    "error_description",
    "error_uri",
    "errors",
    "expires_at",
    "expires_in",
    "fault",
    "faultstring",
    "hint",
    "instance_url",
    "issued_at",
    "issued_token_type",
    "issuer",
    "jwks_uri",
    "message",
    "reason",
    "scope",
    "status",
    "timestamp",
    "title",
    "token_type",
    "trace_id",
    "type",
];

/// Returns a transport that sends through `transport` and passes every request and response to `print`, as a label and
/// a text. Secrets that it learns are added to `secrets`.
pub(crate) fn traced(
    transport: impl Transport,
    placement: AssertionPlacement,
    secrets: SharedSecrets,
    print: impl Fn((&str, String)) + Send + Sync,
) -> impl Fn(&Request, Duration) -> io::Result<Response> + Send + Sync {
    move |request: &Request, timeout: Duration| {
        let print = |label: &str, text: String| print((label, escape_invisible(&text)));
        for (name, value) in parameters(request) {
            if is_assertion(&placement, &name, &value) {
                decode(&value).for_each(|(label, text)| print(label, text));
            }
            if !is_public_parameter(&name) {
                secrets.lock().add(&value);
            }
        }
        for (name, value) in request.headers() {
            if PUBLIC_HEADERS.contains(&&*name.to_ascii_lowercase()) {
                continue;
            }
            let (_scheme, credentials) = value.split_once(' ').unwrap_or_default();
            let is_bearer = placement == AssertionPlacement::Bearer;
            if is_bearer && name.eq_ignore_ascii_case("Authorization") {
                decode(credentials).for_each(|(label, text)| print(label, text));
            }
            let mut secrets = secrets.lock();
            secrets.add(value);
            value
                .split([' ', ';', ',', '='])
                .for_each(|part| secrets.add(part));
        }
        print(
            "request",
            format!("{} {}", request.method(), redact_url(request.url())),
        );
        if !request.body().is_empty() {
            print("body", redact_body(request.body()));
        }
        let response = transport.send(request, timeout)?;
        let text = redact_response(response.body(), &mut secrets.lock());
        print("response", format!("{} {text}", response.status()));
        Ok(response)
    }
}

/// Decodes a JWT to its header and claims, each with its label.
pub(crate) fn decode(jwt: &str) -> impl Iterator<Item = (&'static str, String)> {
    ["header", "claims"]
        .into_iter()
        .zip(jwt.split('.'))
        .map(|(label, segment)| {
            let bytes = URL_SAFE_NO_PAD.decode(segment).unwrap_or_default();
            (label, String::from_utf8_lossy(&bytes).into_owned())
        })
}

fn is_public_member(name: &str) -> bool {
    PUBLIC_MEMBERS.contains(&name) || name.ends_with("_endpoint") || name.ends_with("_supported")
}

/// Returns whether a parameter carries the assertion. Others may carry a JWT of another server.
fn is_assertion(placement: &AssertionPlacement, name: &str, value: &str) -> bool {
    match placement {
        AssertionPlacement::Parameter(own) => {
            (own == name || own.rsplit('/').next() == Some(name)) && value.starts_with("eyJ")
        }
        _ => false,
    }
}

/// Returns the names and values of a request's parameters, decoded.
pub(crate) fn parameters(request: &Request) -> Vec<(String, Zeroizing<String>)> {
    let query = request.url().split_once('?').map(|(_, query)| query);
    let text = match std::str::from_utf8(request.body()).unwrap_or_default() {
        "" => query.unwrap_or_default(),
        body => body,
    };
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
        let mut found = Vec::new();
        texts("", &value, &mut found);
        return found;
    }
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value).into()))
        .collect()
}

/// Collects the texts in a value, each with the name of its member.
fn texts(name: &str, value: &Value, found: &mut Vec<(String, Zeroizing<String>)>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| texts(name, value, found)),
        Value::Array(elements) => elements.iter().for_each(|value| texts(name, value, found)),
        Value::String(text) => found.push((name.to_owned(), text.clone().into())),
        _ => {}
    }
}

/// Returns what is shown of a parameter's value.
fn redact_parameter(name: &str, value: &str) -> String {
    let prefix = value.get(..SHOWN_OF_ASSERTION);
    match prefix.filter(|prefix| prefix.starts_with("eyJ")) {
        _ if is_public_parameter(name) => value.to_owned(),
        Some(prefix) => format!("{prefix}{HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

fn redact_url(url: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{path}?{}", redact_form(query)),
        None => url.to_owned(),
    }
}

fn redact_body(body: &[u8]) -> String {
    if let Ok(mut value @ Value::Object(_)) = serde_json::from_slice(body) {
        redact_texts("", &mut value);
        return value.to_string();
    }
    redact_form(&String::from_utf8_lossy(body))
}

/// Redacts every value that is not an object.
fn redact_texts(name: &str, value: &mut Value) {
    match value {
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| redact_texts(name, value)),
        value => *value = redact_parameter(name, value.as_str().unwrap_or_default()).into(),
    }
}

fn redact_form(form: &str) -> String {
    let pairs = form.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) => format!("{name}={}", redact_parameter(name, value)),
        None => HIDDEN.to_owned(), // a query that is not a form may be all secret
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Returns a JSON response without values that may be secret.
///
/// For any other response it returns only the length, since nothing says where a secret is in it.
fn redact_response(body: &[u8], secrets: &mut Secrets) -> String {
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    match json {
        Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
            hide_nameless(&mut value, secrets);
            hide_members(&mut value, secrets);
            hide_repeated(&mut value, secrets);
            value.to_string()
        }
        _ => format!("{} bytes, no JSON", body.len()),
    }
}

/// Hides the elements of an array that is the whole response, except for objects: no name says what they are.
fn hide_nameless(value: &mut Value, secrets: &mut Secrets) {
    for element in value.as_array_mut().into_iter().flatten() {
        if !element.is_object() {
            secrets.add_all(element);
            *element = HIDDEN.into();
        }
    }
}

/// Hides every member that is not public, at any depth, and remembers its texts.
fn hide_members(value: &mut Value, secrets: &mut Secrets) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match is_public_member(name) {
                    true => hide_members(member, secrets),
                    false => {
                        secrets.add_all(member);
                        *member = HIDDEN.into();
                    }
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                hide_members(element, secrets);
            }
        }
        _ => {}
    }
}

/// Hides every text that repeats a piece of a secret, including the names of members.
fn hide_repeated(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) if secrets.are_in(text) => *value = HIDDEN.into(),
        Value::Object(members) => {
            let shown = std::mem::take(members)
                .into_iter()
                .map(|(name, mut member)| {
                    hide_repeated(&mut member, secrets);
                    match secrets.are_in(&name) {
                        true => (HIDDEN.to_owned(), member),
                        false => (name, member),
                    }
                });
            *members = shown.collect::<Map<_, _>>();
        }
        Value::Array(elements) => {
            for element in elements {
                hide_repeated(element, secrets);
            }
        }
        _ => {}
    }
}

/// Adds a token as the library stores it, and the members that came with it.
///
/// The library refuses any other format, so that nothing of it is sent.
pub(crate) fn add_stored_token(secrets: &SharedSecrets, bytes: &[u8]) {
    type Stored = (
        Value,
        Value,
        String,
        Value,
        Vec<(String, Value)>,
        Value,
        Value,
    );
    let Ok((_, _, token, _, members, _, _)) = serde_json::from_slice::<Stored>(bytes) else {
        return;
    };
    let mut secrets = secrets.lock();
    secrets.add(&Zeroizing::new(token));
    let members = members.into_iter().collect();
    hide_members(&mut Value::Object(members), &mut secrets);
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    fn shown(body: &str, secret: &str) -> String {
        let mut secrets = Secrets::default();
        secrets.add(secret);
        redact_response(body.as_bytes(), &mut secrets)
    }

    #[test]
    fn response_members_are_hidden_at_any_depth_and_under_any_name() {
        for (body, wanted) in [
            (
                r#"{"access_token":"T0KEN-1","token":"T0KEN-1","expires_in":300}"#,
                r#"{"access_token":"...","expires_in":300,"token":"..."}"#,
            ),
            (
                r#"{"authed_user":{"access_token":"T0KEN-2"},"scope":"a"}"#,
                r#"{"authed_user":"...","scope":"a"}"#,
            ),
            (
                r#"{"errors":[{"message":"no","session":"T0KEN-3"}],"pin":1234}"#,
                r#"{"errors":[{"message":"no","session":"..."}],"pin":"..."}"#,
            ),
            (
                r#"[{"message":"no","sid":"T0KEN-4"}]"#,
                r#"[{"message":"no","sid":"..."}]"#,
            ),
            (
                r#"{"access_token":"T0KEN-5","message":"T0KEN-5 is new"}"#,
                r#"{"access_token":"...","message":"..."}"#,
            ),
            (r#"["T0KEN-4",["T0KEN-5"]]"#, r#"["...","..."]"#),
            ("T0KEN-6", "7 bytes, no JSON"),
            ("\"T0KEN-6\"", "9 bytes, no JSON"),
        ] {
            assert_eq!(shown(body, ""), wanted);
        }
    }

    #[test]
    fn repeated_secret_is_found_cut_escaped_or_pulled_apart() {
        let secret = r#"pa"ss\word-1234-5678"#;
        for text in [
            r#"pa"ss\word-1234-5678"#,
            r#"pa\"ss\\word-1234-5678"#,
            r#"pa\u0022ss\u005cword-1234-5678"#,
            "pa%22ss%5Cword-1234-5678",
            "ss\\word-1234-567",
            "p\u{200b}a\"\u{ad}s\u{2060}s\\w\u{1b}[31mo\u{1b}[0mrd-1234-5678",
            "password-1234-5678",
        ] {
            let body =
                serde_json::json!({ "error_description": format!("bad {text}") }).to_string();
            assert_eq!(
                shown(&body, secret),
                r#"{"error_description":"..."}"#,
                "{text}"
            );
        }
        let body = r#"{"error_description":"bad password"}"#;
        assert_eq!(shown(body, secret), body);
    }

    #[test]
    fn key_is_hidden_as_text_base64_and_hex() {
        let key = b"key?>~~\xc3\xbf-of-forty-characters-for-hmac";
        let secrets = SharedSecrets::default();
        secrets.add_key(key);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = String::from_utf8_lossy(key).into_owned();
        let (standard, url_safe) = (STANDARD_NO_PAD.encode(key), URL_SAFE_NO_PAD.encode(key));
        assert_ne!(standard, url_safe);
        for shown in [text, standard, url_safe, hex.to_uppercase(), hex] {
            let body = serde_json::json!({ "error_description": format!("bad {shown}") });
            let body = redact_response(body.to_string().as_bytes(), &mut secrets.lock());
            assert_eq!(body, r#"{"error_description":"..."}"#, "{shown}");
        }
    }

    #[test]
    fn long_response_of_many_texts_is_searched_in_two_seconds() {
        let unknown: String = (0..6000).map(|n| format!("{n:05}")).collect();
        let texts = ["", "short", "long enough to be searched"];
        for (text, count) in texts.into_iter().zip([100_000, 100_000, 2000]) {
            let body = serde_json::json!({ "unknown": unknown, "errors": vec![text; count] });
            let start = std::time::Instant::now();
            let shown = shown(&body.to_string(), "another secret");
            assert!(start.elapsed() < Duration::from_secs(2), "{text}");
            assert!(shown.ends_with(r#""unknown":"..."}"#));
        }
    }

    #[test]
    fn query_that_is_no_form_is_hidden() {
        assert_eq!(
            redact_url("https://as.example/t?s3cret"),
            "https://as.example/t?..."
        );
        assert_eq!(
            redact_url("https://as.example/t?scope=a&key=s3cret"),
            "https://as.example/t?scope=a&key=..."
        );
    }
}
