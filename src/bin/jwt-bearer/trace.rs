//! `-v`: shows requests and responses without secrets, assertions and tokens.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Request, Response, Transport};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ureq::Agent;

/// Parameters that carry the assertion. Others may carry a JWT of another server.
const ASSERTION_PARAMETERS: &[&str] = &["assertion", "auth_token", "client_assertion"];
/// Bytes of the shortest parameter that is searched in a response; shorter ones occur in any sentence.
const MIN_SEARCHED: usize = 6;
/// Members of a response that hold tokens.
const TOKEN_MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token"];

/// Returns a transport that sends by `agent` and passes every request and response to `print`, as a label and
/// a text.
pub(crate) fn traced(
    agent: Agent,
    print: impl Fn((&str, String)) + Send + Sync,
) -> impl Fn(&Request, Duration) -> io::Result<Response> + Send + Sync {
    move |request: &Request, timeout: Duration| {
        let sent = parameters(request);
        let assertion =
            (sent.iter()).find(|(name, _)| ASSERTION_PARAMETERS.contains(&name.as_str()));
        assertion
            .into_iter()
            .flat_map(|(_, jwt)| decode(jwt))
            .for_each(&print);
        let (method, url) = (request.method(), redact_request(request.url()));
        print(("request", format!("{method} {url}")));
        if !request.body().is_empty() {
            print((
                "body",
                redact_request(&String::from_utf8_lossy(request.body())),
            ));
        }
        let response = agent.send(request, timeout)?;
        print((
            "response",
            format!(
                "{} {}",
                response.status(),
                redact_response(&response, &sent)
            ),
        ));
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

fn is_jwt(text: &str) -> bool {
    let is_jwt_char = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.starts_with("eyJ") && text.matches('.').count() == 2 && text.chars().all(is_jwt_char)
}

/// Parameters whose values are public; every other parameter may be a secret.
const PUBLIC_PARAMETERS: &[&str] = &[
    "audience",
    "client_assertion_type",
    "client_id",
    "grant_type",
    "requested_token_type",
    "resource",
    "scope",
];

/// Returns the names and values of a request's parameters, decoded.
fn parameters(request: &Request) -> Vec<(String, String)> {
    let query = request.url().split_once('?').map(|(_, query)| query);
    let text = match std::str::from_utf8(request.body()).unwrap_or_default() {
        "" => query.unwrap_or_default(),
        body => body,
    };
    if let Ok(Value::Object(members)) = serde_json::from_str(text) {
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        return (members.into_iter())
            .map(|(name, value)| (name, text(value)))
            .collect();
    }
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Returns a URL, a form or a JSON object without the values of parameters that may be secrets.
///
/// Of a JWT the first characters remain.
fn redact_request(text: &str) -> String {
    let redact_value = |value: &str| match value.get(..12).filter(|_| is_jwt(value)) {
        Some(prefix) => format!("{prefix}..."),
        None => "...".to_owned(),
    };
    if let Ok(Value::Object(mut members)) = serde_json::from_str(text) {
        for (name, value) in &mut members {
            if !PUBLIC_PARAMETERS.contains(&name.as_str()) {
                *value = redact_value(value.as_str().unwrap_or_default()).into();
            }
        }
        return Value::Object(members).to_string();
    }
    let pairs = text.split_inclusive(['?', '&']).map(|pair| {
        let separator = ['?', '&'].into_iter().find(|c| pair.ends_with(*c));
        let pair_alone = pair.trim_end_matches(['?', '&']);
        match pair_alone.split_once('=') {
            Some((name, value)) if !PUBLIC_PARAMETERS.contains(&name) => {
                let separator = separator.map(String::from).unwrap_or_default();
                format!("{name}={}{separator}", redact_value(value))
            }
            _ => pair.to_owned(),
        }
    });
    pairs.collect()
}

/// Returns a JSON response without tokens and without secret parameters that the server repeats.
///
/// Of any other response it returns the length alone, since there is no telling where it holds a secret.
fn redact_response(response: &Response, sent: &[(String, String)]) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(response.body()) else {
        return format!("{} bytes, no JSON object", response.body().len());
    };
    for (name, value) in &mut members {
        if TOKEN_MEMBERS.contains(&name.as_str()) {
            *value = "...".into();
        }
    }
    let text = Value::Object(members).to_string();
    let secret = |(name, value): &&(String, String)| {
        !PUBLIC_PARAMETERS.contains(&name.as_str()) && value.len() >= MIN_SEARCHED
    };
    let secrets = sent.iter().filter(secret);
    secrets.fold(text, |text, (_, secret)| text.replace(secret, "..."))
}
