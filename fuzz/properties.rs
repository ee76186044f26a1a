//! What holds for any input: the promises that fuzzing tries to break.
//!
//! Only the public API is used, and no fuzzer: a test can include this file and run the seeds.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use jwt_bearer::*;
use serde_json::{Map, Value};

/// Bytes of a secret in a row that do not come about by chance.
const RUN: usize = 16;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn key() -> Hs256 {
    Hs256::new("a secret of at least thirty-two bytes").unwrap()
}

/// Everything that a logger could print of an error, our hint aside, which is no foreign text.
fn told(error: &Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn StdError> = Some(error);
    while let Some(error) = next {
        text += &format!("{error}\n{error:?}\n{error:#?}\n");
        next = error.source();
    }
    match error.hint() {
        Some(hint) => text.replace(hint, ""),
        None => text,
    }
}

/// Our own sentences may come about in an input; a key, an assertion or a token has no white space.
#[track_caller]
fn quotes_nothing(text: &str, secret: &[u8]) {
    const OURS: &[u8] = b"PBKDF2-HMAC-SHA-2";
    let solid = |run: &&[u8]| !run.iter().any(u8::is_ascii_whitespace);
    let runs: HashSet<_> = secret.windows(RUN).filter(solid).collect();
    let mut quoted = text
        .as_bytes()
        .windows(RUN)
        .filter(|run| runs.contains(run));
    if let Some(run) = quoted.find(|run| !OURS.windows(RUN).any(|ours| ours == *run)) {
        panic!("{:?} is quoted", String::from_utf8_lossy(run));
    }
}

// ---- keys ----

/// A text to [`Rs256::from_pem`], and as it is to [`Rs256::from_der`].
pub fn pem(input: &[u8]) {
    let read = [Rs256::from_pem(input), Rs256::from_pem(input)];
    let read = same_key(input, read);
    same_key(input, [Rs256::from_der(input), Rs256::from_der(input)]);
    // One that needs a passphrase is left out: the file says how long to compute.
    #[cfg(feature = "encrypted-keys")]
    if read.is_none_or(|error| !error.to_string().contains("encrypted")) {
        let passphrase = "correct horse";
        let from_encrypted = Rs256::from_encrypted_pem(input, passphrase);
        same_key(input, [Rs256::from_pem(input), from_encrypted]);
    }
    #[cfg(not(feature = "encrypted-keys"))]
    drop(read);
}

/// Both readings say the same: a key that signs, or an error that quotes nothing.
fn same_key(input: &[u8], read: [Result<Rs256, Error>; 2]) -> Option<Error> {
    match read {
        [Ok(one), Ok(other)] => {
            assert_eq!(one.repairs(), other.repairs());
            quotes_nothing(&format!("{one:?}{one:#?}"), input);
            let [one, other] = [one, other].map(|key| key.sign(b"header.claims").unwrap());
            // PKCS#1 v1.5 is deterministic, and as long as the modulus: 2048 to 8192 bits.
            assert_eq!(one, other);
            assert!((256..=1024).contains(&one.len()), "{}", one.len());
            None
        }
        [Err(one), Err(other)] => {
            assert_eq!(one.kind(), ErrorKind::Key);
            assert_eq!(told(&one), told(&other));
            quotes_nothing(&told(&one), input);
            Some(one)
        }
        [one, other] => panic!("two readings of one text: {one:?}, {other:?}"),
    }
}

// ---- responses ----

/// A response to [`Exchange::read`]: a profile's name and a status in the first line, then
/// headers, an empty line, and the body. `~` stands for the assertion.
pub fn response(input: &[u8]) {
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = input.split_at(end.unwrap_or(input.len()));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (name, status) = first.split_once(' ').unwrap_or((first, ""));
    let status = status.parse().unwrap_or(200);
    let profile = profile(name);
    let exchange = Exchange::new(&profile, &key(), now()).unwrap();
    let assertion = exchange.assertion().secret().to_owned();

    let body = body.get(2..).unwrap_or_default();
    let body = body.iter().flat_map(|byte| match byte {
        b'~' => assertion.as_bytes(),
        _ => std::slice::from_ref(byte),
    });
    let body: Vec<u8> = body.copied().collect();
    let mut response = Response::new(status, body.clone());
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.with_header(name, value.replace('~', &assertion));
    }

    let members = members(status, &body);
    let expected = expected(name == "cylance", status, &body, members.as_ref());
    let token = members
        .as_ref()
        .and_then(|m| m.get("access_token")?.as_str());
    match exchange.read(response) {
        Ok(read) => {
            assert_eq!(expected, None);
            assert_eq!(Some(read.secret()), token);
            makes_one_header(&read);
            lives_as_long_as_it_was_told(&read, name, members.as_ref().unwrap());
        }
        Err(error) => {
            assert_eq!(Some(error.kind()), expected);
            assert_eq!(error.status(), Some(status));
            assert_eq!(error.is_retryable(), error.kind() == ErrorKind::Unavailable);
            for words in [error.code(), error.description()].into_iter().flatten() {
                assert!(words.chars().count() <= 256, "{}", words.len());
                assert!(!words.contains(char::is_control), "{words:?}");
            }
            quotes_nothing(&told(&error), assertion.as_bytes());
            quotes_nothing(&told(&error), token.unwrap_or_default().as_bytes());
        }
    }
}

fn profile(name: &str) -> Profile {
    let endpoint = || Endpoint::token("https://as.example.com/token");
    match name {
        "intelligence" => Profile::marketing_cloud_intelligence(endpoint(), "svc-0001"),
        "salesforce" => Profile::salesforce("https://login.salesforce.com", "key", "user"),
        "cylance" => Profile::cylance(cylance::NORTH_AMERICA, "tenant", "application"),
        "grant" => Profile::jwt_bearer(endpoint(), "issuer-1", Audience::None),
        _ => Profile::client_credentials(endpoint(), "client-1", Audience::TokenEndpoint),
    }
}

/// An object; of an array that is an error, the first element.
fn members(status: u16, body: &[u8]) -> Option<Map<String, Value>> {
    if body.len() > 64 * 1024 {
        return None;
    }
    let first = |all: Vec<Value>| all.into_iter().next();
    let value = match serde_json::from_slice(body).ok()? {
        Value::Array(all) if status >= 400 => first(all)?,
        value => value,
    };
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// The table of responses, written a second time. `None` is a token.
fn expected(
    denies_by_message: bool,
    status: u16,
    body: &[u8],
    members: Option<&Map<String, Value>>,
) -> Option<ErrorKind> {
    let says = |name: &str| match members.and_then(|members| members.get(name)) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(value) => !["\"\"", "[]", "{}"].contains(&&*value.to_string()),
    };
    if body.len() > 64 * 1024 {
        return Some(ErrorKind::Protocol);
    }
    match status {
        200..=299 if says("error") => Some(ErrorKind::Denied),
        200..=299 if members.is_some_and(has_usable_token) => None,
        408 | 429 | 500 | 502 | 503 | 504 => Some(ErrorKind::Unavailable),
        400..=499 if says("error") => Some(ErrorKind::Denied),
        400..=499 if denies_by_message && says("message") => Some(ErrorKind::Denied),
        400 | 401 | 403 if body.is_empty() => Some(ErrorKind::Denied),
        _ => Some(ErrorKind::Protocol),
    }
}

fn has_usable_token(members: &Map<String, Value>) -> bool {
    let bearer = match members.get("token_type") {
        None | Some(Value::Null) => true,
        Some(kind) => kind
            .as_str()
            .is_some_and(|kind| kind.to_lowercase() == "bearer"),
    };
    let token = members.get("access_token").and_then(Value::as_str);
    bearer && token.is_some_and(|token| !token.is_empty() && is_visible(token))
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

fn makes_one_header(token: &AccessToken) {
    let (scheme, credentials) = token.authorization().split_once(' ').unwrap();
    assert_eq!(scheme, "Bearer");
    assert_eq!(credentials, token.secret());
    assert!(!credentials.is_empty() && is_visible(credentials));
    assert_eq!(token.get("access_token"), None);
}

fn lives_as_long_as_it_was_told(token: &AccessToken, name: &str, members: &Map<String, Value>) {
    const MOST: u64 = 31 * 24 * 3600;
    let life = token.expires_at().duration_since(now()).unwrap();
    assert!(
        !life.is_zero() && life <= Duration::from_secs(MOST),
        "{life:?}"
    );
    let told = members.get("expires_in").unwrap_or(&Value::Null);
    if let Some(seconds) = told.as_u64().filter(|seconds| *seconds > 0) {
        assert_eq!(life.as_secs(), seconds.min(MOST));
    }
    if told.is_null() && !matches!(name, "salesforce" | "cylance") {
        assert_eq!(life.as_secs(), 300);
    }
}

// ---- metadata ----

const ISSUER: &str = "https://as.example.com/tenant";

/// A metadata document to [`Profile::with_metadata`].
pub fn metadata(document: &[u8]) {
    let issuer = read_metadata(Endpoint::issuer(ISSUER), document);
    let named =
        members(200, document).and_then(|m| Some(m.get("issuer")?.as_str() == Some(ISSUER)));
    assert!(issuer.is_none() || named == Some(true), "of another issuer");

    let address = read_metadata(
        Endpoint::metadata("https://as.example.com/metadata"),
        document,
    );
    // Who passes the stricter of the two passes the other, with the same endpoint.
    assert!(issuer.is_none() || issuer == address);
}

/// Where an assertion would be sent to.
fn read_metadata(endpoint: Endpoint, document: &[u8]) -> Option<String> {
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let read = |status| profile.with_metadata(&Response::new(status, document));
    for status in [204, 301, 404, 503] {
        assert!(read(status).is_err(), "metadata with {status}");
    }
    let known = match read(200) {
        Ok(known) => known,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Protocol);
            quotes_nothing(&told(&error), document);
            return None;
        }
    };
    let exchange = Exchange::new(&known, &key(), now()).unwrap();
    let url = exchange.request().url();
    let named = members(200, document).unwrap()["token_endpoint"].clone();
    assert_eq!(named.as_str(), Some(url));
    is_safe(url);

    let by_query = known.clone().with_placement(Placement::Query);
    if let Ok(exchange) = Exchange::new(&by_query, &key(), now()) {
        let longer = exchange.request().url();
        assert!(
            longer
                .strip_prefix(url)
                .is_some_and(|rest| rest.starts_with(['?', '&']))
        );
        is_safe(longer);
    }
    Some(url.to_owned())
}

/// https, or http to this machine; nothing that two parsers could read in two ways.
fn is_safe(url: &str) {
    assert!(is_visible(url) && !url.contains('#'), "{url:?}");
    let (scheme, rest) = url.split_once("://").unwrap();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    assert!(!authority.contains(['@', '\\', '%']), "{url:?}");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            assert!(port.parse::<u16>().is_ok(), "{url:?}");
            host
        }
        _ => authority,
    };
    assert!(!host.is_empty(), "{url:?}");
    let here = matches!(host, "localhost" | "[::1]")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback());
    let scheme = scheme.to_lowercase();
    assert!(scheme == "https" || (scheme == "http" && here), "{url:?}");
}
