//! Responses of a token endpoint: status, headers, body.

use std::time::Duration;

use jwt_bearer::{
    AccessToken, Audience, Endpoint, Error, ErrorKind, Exchange, Profile, Response, cylance,
};
use serde_json::{Map, Value};

use crate::{
    assert_not_quoted, assert_printable, debug, error_texts, is_visible, json_object, key, now,
    with_assertion,
};

/// A parameter, as secret as the assertion.
const SUBJECT_TOKEN: &str = "subject-token-of-another-server";

/// Reads a response with [`Exchange::read`].
///
/// The first line of `input` has the name of a profile and the status. Headers, an empty line and the body follow.
/// Each `~` is replaced with the assertion.
pub fn response(input: &[u8]) {
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = input.split_at(end.unwrap_or(input.len()));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (name, status) = first.split_once(' ').unwrap_or((first, ""));
    let status = status.parse().unwrap_or(200);
    let profile = profile(name);
    let key = key();
    let exchange = Exchange::new(&profile, &key, now()).unwrap();
    let assertion = exchange.assertion().secret().to_owned();

    let body = with_assertion(body.get(2..).unwrap_or_default(), &assertion);
    let is_long = body.len() > MAX_BODY;
    let mut response = Response::new(status, body.clone());
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.with_header(name, value.replace('~', &assertion));
    }

    let members = json_object(status, &body);
    let expected = expected(name == "cylance", status, &body, members.as_ref());
    let is_challenge = |name: &str| name.eq_ignore_ascii_case("WWW-Authenticate");
    let is_plain = |value: &str| value.chars().all(|c| matches!(c, ' '..='~'));
    let is_invisible = |(name, value): (&str, &str)| is_challenge(name) && !is_plain(value);
    let text = members
        .clone()
        .map_or_else(String::new, |members| Value::Object(members).to_string());
    let is_invisible_body = !is_plain(&text) || text.contains("\\u");
    let denial = Denial {
        is_salesforce: name == "salesforce",
        // A body that cannot be read says nothing, so the challenge counts.
        may_be_by_challenge: members.is_none() && !is_long,
        has_invisible_words: is_invisible_body || response.headers().any(is_invisible),
    };
    let token = members
        .as_ref()
        .and_then(|m| m.get("access_token")?.as_str());
    let text = match exchange.read(response) {
        Ok(read) => {
            assert_eq!(expected, None);
            assert_eq!(Some(read.secret()), token);
            let members = members.as_ref().unwrap();
            assert_one_header(&read);
            assert_lifetime(&read, name, members);
            assert_scope(&read, members);
            debug(&read)
        }
        Err(error) => {
            assert_eq!(Some(error.kind()), corrected(&error, expected, &denial));
            assert_eq!(error.status(), Some(status));
            assert_eq!(error.is_retryable(), error.kind() == ErrorKind::Unavailable);
            for words in [error.code(), error.description()].into_iter().flatten() {
                assert_printable(words);
            }
            error_texts(&error)
        }
    };
    for secret in [&assertion, token.unwrap_or_default(), SUBJECT_TOKEN] {
        assert_not_quoted(&text, secret);
    }
}

fn profile(name: &str) -> Profile {
    let endpoint = || Endpoint::token("https://as.example.com/token").unwrap();
    match name {
        "intelligence" => Profile::marketing_cloud_intelligence(endpoint(), "svc-0001"),
        "salesforce" => Profile::salesforce("https://login.salesforce.com", "key", "user").unwrap(),
        "cylance" => Profile::cylance(cylance::NORTH_AMERICA, "tenant", "application").unwrap(),
        "grant" => Profile::jwt_bearer(endpoint(), "issuer-1", Audience::Omit),
        _ => Profile::client_credentials(endpoint(), "client-1", Audience::TokenEndpoint),
    }
    .with_algorithms([]) // an HMAC is faster to compute than an RSA signature
    .with_parameter("subject_token", SUBJECT_TOKEN)
    .with_scope(SCOPE)
}

const SCOPE: &str = "read write";
/// The longest body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// A second copy of the rules that classify responses. `None` is a token.
fn expected(
    denies_by_message: bool,
    status: u16,
    body: &[u8],
    members: Option<&Map<String, Value>>,
) -> Option<ErrorKind> {
    let is_set = |name: &str| match members.and_then(|members| members.get(name)) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        // Some servers number their errors, and zero is not an error.
        Some(value) if name == "error" && value.as_u64() == Some(0) => false,
        Some(value) => !["\"\"", "[]", "{}"].contains(&&*value.to_string()),
    };
    let unavailable = matches!(status, 408 | 425 | 429 | 500..=599) && !matches!(status, 501 | 505);
    if body.len() > MAX_BODY && !unavailable {
        return Some(ErrorKind::Protocol);
    }
    match status {
        _ if unavailable => Some(ErrorKind::Unavailable),
        200..=299 if is_set("error") => Some(ErrorKind::Denied),
        200..=299 if members.is_some_and(has_usable_token) => None,
        400..=499 if is_set("error") => Some(ErrorKind::Denied),
        400..=499 if denies_by_message && is_set("message") => Some(ErrorKind::Denied),
        400 | 401 | 403 if body.is_empty() => Some(ErrorKind::Denied),
        _ => Some(ErrorKind::Protocol),
    }
}

/// What decides about a denial, besides the body.
struct Denial {
    is_salesforce: bool,
    may_be_by_challenge: bool,
    /// The words of the error had invisible characters. The error omits them, but they count in a code.
    has_invisible_words: bool,
}

/// The kind after the error's reason is considered: some codes mean "later", and a challenge denies as a body does.
fn corrected(error: &Error, expected: Option<ErrorKind>, denial: &Denial) -> Option<ErrorKind> {
    let description = error.description().unwrap_or_default().to_ascii_lowercase();
    let is_success = error
        .status()
        .is_some_and(|status| (200..=299).contains(&status));
    let is_401 = error.status() == Some(401);
    match error.code() {
        _ if is_success && expected != Some(ErrorKind::Denied) => expected, // no `error` was set
        Some("temporarily_unavailable" | "server_error" | "internal_failure") => {
            match denial.has_invisible_words {
                true => Some(error.kind()),
                false => Some(ErrorKind::Unavailable),
            }
        }
        None if is_401 && denial.has_invisible_words => Some(error.kind()),
        Some("unknown_error")
            if denial.is_salesforce && description.contains("retry your request") =>
        {
            Some(ErrorKind::Unavailable)
        }
        _ if expected == Some(ErrorKind::Unavailable) => expected,
        Some(_) if is_401 && denial.may_be_by_challenge => Some(ErrorKind::Denied),
        _ => expected,
    }
}

fn has_usable_token(members: &Map<String, Value>) -> bool {
    let bearer = match members.get("token_type") {
        None | Some(Value::Null) => true,
        Some(kind) => kind
            .as_str()
            .is_some_and(|kind| ["bearer", "bearertoken"].contains(&&*kind.to_ascii_lowercase())),
    };
    let token = members.get("access_token").and_then(Value::as_str);
    bearer && token.is_some_and(|token| !token.is_empty() && is_visible(token))
}

fn assert_one_header(token: &AccessToken) {
    let (scheme, credentials) = token.authorization().split_once(' ').unwrap();
    assert_eq!(scheme, "Bearer");
    assert_eq!(credentials, token.secret());
    assert!(!credentials.is_empty() && is_visible(credentials));
    // The crate `http` accepts it as a header value.
    let value = http::HeaderValue::from_str(token.authorization()).unwrap();
    assert_eq!(value.to_str().unwrap(), token.authorization());
    assert_eq!(token.get("access_token"), None);
}

fn assert_lifetime(token: &AccessToken, name: &str, members: &Map<String, Value>) {
    const MAX_LIFETIME: u64 = 31 * 24 * 3600;
    let lifetime = token.expires_at().duration_since(now()).unwrap();
    assert!(
        !lifetime.is_zero() && lifetime <= Duration::from_secs(MAX_LIFETIME),
        "{lifetime:?}"
    );
    let expires_in = members.get("expires_in").unwrap_or(&Value::Null);
    if let Some(seconds) = expires_in.as_u64().filter(|seconds| *seconds > 0) {
        assert_eq!(lifetime.as_secs(), seconds.min(MAX_LIFETIME));
    }
    if expires_in.is_null() && !matches!(name, "salesforce" | "cylance") {
        assert_eq!(lifetime.as_secs(), 300);
    }
}

fn assert_scope(token: &AccessToken, members: &Map<String, Value>) {
    let names = |all: &[Value]| {
        let names: Option<Vec<_>> = all.iter().map(Value::as_str).collect();
        Some(names?.join(" "))
    };
    let scope = match members.get("scope").unwrap_or(&Value::Null) {
        Value::Null => Some(SCOPE.to_owned()),
        Value::String(scope) => Some(scope.clone()),
        Value::Array(all) => names(all),
        _ => None,
    };
    assert_eq!(token.scope(), scope.as_deref());
}
