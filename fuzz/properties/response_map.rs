//! Responses that are read by a map: which member is the token, its lifetime, an error's code.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use jwt_bearer::{
    AccessToken, Audience, Endpoint, ErrorKind, Exchange, Jti, Profile, Response, SETTINGS,
    SettingPart,
};
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{
    assert_not_quoted, assert_printable, debug, error_texts, is_invisible, is_visible, key, now,
    with_assertion,
};

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;
const MAX_LIFETIME: Duration = Duration::from_secs(31 * 24 * 3600);
const SCOPE: &str = "read write";
/// A parameter and a header of the request, as secret as the assertion.
const SUBJECT_TOKEN: &str = "subject-token-of-another-server";
const API_KEY: &str = "api-key-that-a-gateway-wants";

/// Reads a response with [`Exchange::read`], by the settings of [`SettingPart::Response`] that `input` has.
///
/// The first line is the status. Settings, `NAME VALUE` in a line, and headers, `NAME: VALUE`, follow; then an empty line
/// and the body. In headers and body `~` is replaced with the assertion.
pub fn response_map(input: &[u8]) {
    listen();
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = input.split_at(end.unwrap_or(input.len()));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.parse().ok());
    let status: u16 = status.unwrap_or(200);

    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let mut profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
        .with_jti(Jti::Omit) // the same assertion each time
        .with_parameter("subject_token", SUBJECT_TOKEN)
        .with_request_header("X-Api-Key", API_KEY)
        .with_scope(SCOPE);
    let mut map = Map::default();
    let mut headers = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(' ') else {
            continue;
        };
        let is_setting = SETTINGS
            .iter()
            .any(|setting| setting.part == SettingPart::Response && setting.name == name);
        if let (false, Some(name)) = (is_setting, name.strip_suffix(':')) {
            headers.push((name, value));
        }
        if !is_setting {
            continue;
        }
        let is_valid = map.set(name, value);
        profile = match profile.clone().with_setting(name, value) {
            Ok(profile) => profile,
            Err(error) => {
                assert!(is_valid != Some(true), "{error}");
                assert_eq!(error.kind(), ErrorKind::Config);
                continue;
            }
        };
        assert!(is_valid != Some(false), "{name} {value} was accepted");
        if name == "token-header" {
            map.token_header = value.to_owned();
        }
    }

    let key = key();
    let is_lifetime = !map.default.is_zero() && map.default <= MAX_LIFETIME;
    let exchange = match Exchange::new(&profile, &key, now()) {
        Ok(exchange) => exchange,
        Err(error) => {
            assert!(!is_lifetime, "{error}");
            assert_eq!(error.kind(), ErrorKind::Config);
            return;
        }
    };
    assert!(is_lifetime, "{:?}", map.default);
    let assertion = exchange.assertion().secret().to_owned();
    let body = with_assertion(body.get(2..).unwrap_or_default(), &assertion);
    let mut response = Response::new(status, body.clone());
    for (name, value) in &headers {
        response = response.with_header(*name, value.replace('~', &assertion));
    }
    let has_date = response.header("Date").is_some();

    // Half of a surrogate pair may be a name for one reader of JSON and not for another.
    if body
        .windows(3)
        .any(|three| three.eq_ignore_ascii_case(br"\ud"))
    {
        return;
    }
    let document = Document::read(status, &body, map.is_text);
    let token = document.text(&map.token);
    let text = match exchange.read(response) {
        Ok(read) => {
            assert!((200..=299).contains(&status) && body.len() <= MAX_BODY);
            assert!(!map.is_refused(&document));
            assert_eq!(Some(read.secret()), token.as_deref());
            assert!(map.is_usable(&document));
            map.assert_header(&read);
            if !has_date {
                map.assert_lifetime(&read, &document);
            }
            let lifetime = read.expires_at().duration_since(now()).unwrap();
            assert!(!lifetime.is_zero() && lifetime <= MAX_LIFETIME);
            map.assert_members(&read, &document);
            debug(&read)
        }
        Err(error) => {
            let is_success = (200..=299).contains(&status) && body.len() <= MAX_BODY;
            assert!(
                !is_success || map.is_refused(&document) || !map.is_usable(&document),
                "{error}"
            );
            if let Some(kind) = map.kind(status, &document) {
                assert_eq!(error.kind(), kind, "{error}");
            }
            use ErrorKind::{Denied, Protocol, Unavailable};
            assert!(matches!(error.kind(), Denied | Protocol | Unavailable));
            assert_eq!(error.status(), Some(status));
            for words in [error.code(), error.description()].into_iter().flatten() {
                assert_printable(words);
            }
            error_texts(&error)
        }
    };
    let text = text + &take_records();
    let token = token.filter(|token| is_visible(token)).unwrap_or_default();
    for secret in [&*assertion, &token, SUBJECT_TOKEN, API_KEY] {
        assert_not_quoted(&text, secret);
    }
}

/// The settings of a response, read a second time.
struct Map {
    token: String,
    is_text: bool,
    token_header: String,
    lifetime: (String, Unit),
    reads_token_exp: bool,
    default: Duration,
    error: String,
    error_description: Option<String>,
    /// The last that was set counts.
    kinds: Vec<(String, ErrorKind)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Seconds,
    Milliseconds,
    Timestamp,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            token: "access_token".to_owned(),
            is_text: false,
            token_header: "Authorization: Bearer {}".to_owned(),
            lifetime: ("expires_in".to_owned(), Unit::Seconds),
            reads_token_exp: false,
            default: Duration::from_secs(300),
            error: "error".to_owned(),
            error_description: None,
            kinds: Vec::new(),
        }
    }
}

impl Map {
    /// Returns whether the setting can have the value, or `None` if the rules of HTTP decide.
    fn set(&mut self, name: &str, value: &str) -> Option<bool> {
        let text = value.to_owned();
        match name {
            "token-member" => (self.token, self.is_text) = (text, false),
            "text-response" if matches!(value, "" | "yes") => {
                (self.token, self.is_text) = ("access_token".to_owned(), true);
            }
            "token-header" => return None,
            "expires-in" => self.lifetime = (text, Unit::Seconds),
            "expires-in-milliseconds" => self.lifetime = (text, Unit::Milliseconds),
            "expires-at" => self.lifetime = (text, Unit::Timestamp),
            "token-exp" if matches!(value, "yes" | "no") => self.reads_token_exp = value == "yes",
            "token-lifetime" => match value.parse() {
                Ok(seconds) => self.default = Duration::from_secs(seconds),
                Err(_) => return Some(false),
            },
            "error-member" => self.error = text,
            "error-description-member" => self.error_description = Some(text),
            "unavailable-error" => self.kinds.insert(0, (text, ErrorKind::Unavailable)),
            "denied-error" => self.kinds.insert(0, (text, ErrorKind::Denied)),
            _ => return Some(false),
        }
        Some(true)
    }

    /// Returns whether a document has an error in the member that is named for it.
    fn is_refused(&self, document: &Document) -> bool {
        match document.find(&self.error).as_deref() {
            // Some servers number their errors, and zero is not an error.
            None | Some("0") => false,
            Some(json) => {
                let value: Option<Value> = serde_json::from_str(json).ok();
                match value {
                    None => true, // a number out of range
                    Some(Value::Null | Value::Bool(false)) => false,
                    Some(value) => !["\"\"", "[]", "{}"].contains(&&*value.to_string()),
                }
            }
        }
    }

    fn is_usable(&self, document: &Document) -> bool {
        let is_bearer = match document.value("token_type") {
            Value::Null => true,
            Value::String(kind) => ["bearer", "bearertoken"].contains(&&*kind.to_ascii_lowercase()),
            _ => false,
        };
        let token = document.text(&self.token);
        is_bearer && token.is_some_and(|token| !token.is_empty() && is_visible(&token))
    }

    /// Returns the kind of an error if its code, or the status alone, determines it.
    fn kind(&self, status: u16, document: &Document) -> Option<ErrorKind> {
        let code = match document.value(&self.error) {
            Value::String(code) => code,
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return None,
        };
        if code.is_empty() || code == "0" {
            return None; // the code may be in other members
        }
        let may_retry =
            matches!(status, 408 | 425 | 429 | 500..=599) && !matches!(status, 501 | 505);
        let temporary = [
            "temporarily_unavailable",
            "server_error",
            "internal_failure",
        ];
        let by_code = self.kinds.iter().find(|(other, _)| *other == code);
        Some(match by_code.map(|(_, kind)| *kind) {
            Some(ErrorKind::Unavailable) => ErrorKind::Unavailable,
            None if temporary.contains(&&*code) || may_retry => ErrorKind::Unavailable,
            _ if (300..=399).contains(&status) => ErrorKind::Protocol,
            Some(kind) => kind,
            None if matches!(status, 200..=299 | 400..=499) => ErrorKind::Denied,
            None => ErrorKind::Protocol,
        })
    }

    fn assert_header(&self, token: &AccessToken) {
        let (name, value) = self.token_header.split_once(':').unwrap();
        let (before, after) = value.trim().split_once("{}").unwrap();
        assert_eq!(token.header_name(), name);
        assert_eq!(
            token.authorization(),
            [before, token.secret(), after].concat()
        );
        let value = http::HeaderValue::from_str(token.authorization()).unwrap();
        assert_eq!(token.header_value(), value);
        assert!(token.header_value().is_sensitive());
        http::HeaderName::try_from(name).unwrap();
    }

    fn assert_lifetime(&self, token: &AccessToken, document: &Document) {
        let lifetime = token.expires_at().duration_since(now()).unwrap();
        let (member, unit) = &self.lifetime;
        let value = document.value(member);
        if value.is_null() && !self.reads_token_exp {
            assert_eq!(lifetime, self.default);
        }
        let expected = match (unit, &value) {
            (Unit::Timestamp, Value::String(date)) => end(date),
            (_, value) => value
                .as_u64()
                .filter(|number| *number < 100_000_000_000)
                .and_then(|number| match unit {
                    Unit::Seconds => Some(Duration::from_secs(number)),
                    Unit::Milliseconds => Some(Duration::from_millis(number)),
                    Unit::Timestamp => (SystemTime::UNIX_EPOCH + Duration::from_secs(number))
                        .duration_since(now())
                        .ok(),
                }),
        };
        if let Some(expected) = expected.filter(|lifetime| !lifetime.is_zero()) {
            assert_eq!(lifetime, expected.min(MAX_LIFETIME), "{value}");
        }
    }

    /// The token is in none of its members any more, and the others are what they were.
    fn assert_members(&self, token: &AccessToken, document: &Document) {
        assert!(matches!(token.json_at(&self.token), None | Some("null")));
        let path = path(&self.token);
        for (name, json) in &document.0 {
            match *name == path[0] {
                true if path.len() == 1 => assert_eq!(token.json(name), None),
                true => {}
                false => assert_eq!(token.json(name), Some(&**json)),
            }
        }
        let scope = match document.value("scope") {
            Value::Null => Some(SCOPE.to_owned()),
            Value::String(scope) => Some(scope),
            Value::Array(all) => {
                let names: Option<Vec<_>> = all.iter().map(Value::as_str).collect();
                names.map(|names| names.join(" "))
            }
            _ => None,
        };
        assert_eq!(token.scope(), scope.as_deref());
    }
}

/// What remains until a date, by the crate `time`, in whole seconds.
fn end(date: &str) -> Option<Duration> {
    // A leap second is the end of a minute for one library, and its beginning for the other.
    let date = OffsetDateTime::parse(date, &Rfc3339)
        .ok()
        .filter(|_| !date.contains(":60"))?;
    let end = u64::try_from(date.unix_timestamp()).ok()?;
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(end);
    end.duration_since(now()).ok()
}

/// The members of a response as `serde_json` reads them, each value as it is written.
struct Document(BTreeMap<String, String>);

impl Document {
    fn read(status: u16, body: &[u8], is_text: bool) -> Self {
        if body.len() > MAX_BODY {
            return Self(BTreeMap::new());
        }
        let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let text = String::from_utf8_lossy(text);
        let first = || {
            let all: Vec<Box<RawValue>> = serde_json::from_str(&text).ok()?;
            members(all.first().filter(|_| status >= 400)?.get())
        };
        let whole = || {
            let text = str::from_utf8(body)
                .ok()
                .filter(|_| is_text && (200..=299).contains(&status))?;
            let is_other = text.trim_start().starts_with(['<', '[', '{', '"']);
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let json = Value::from(text).to_string();
            (!is_other).then(|| BTreeMap::from([("access_token".to_owned(), json)]))
        };
        Self(
            members(&text)
                .or_else(first)
                .or_else(whole)
                .unwrap_or_default(),
        )
    }

    /// Returns the JSON that a name or a JSON Pointer (RFC 6901) leads to.
    fn find(&self, member: &str) -> Option<String> {
        let path = path(member);
        let (first, rest) = path.split_first()?;
        let mut json = self.0.get(first)?.clone();
        for name in rest {
            let elements: Result<Vec<Box<RawValue>>, _> = serde_json::from_str(&json);
            json = match elements {
                Ok(elements) => elements.get(name.parse::<usize>().ok()?)?.get().to_owned(),
                Err(_) => members(&json)?.remove(name)?,
            };
        }
        Some(json)
    }

    /// Returns a value, or `null` if there is none that can be read.
    fn value(&self, member: &str) -> Value {
        let json = self.find(member);
        json.and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default()
    }

    fn text(&self, member: &str) -> Option<String> {
        self.value(member).as_str().map(str::to_owned)
    }
}

fn members(json: &str) -> Option<BTreeMap<String, String>> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).ok()?;
    let members = members.into_iter();
    Some(
        members
            .map(|(name, json)| (name, json.get().to_owned()))
            .collect(),
    )
}

/// The names of a JSON Pointer, or the one name that a text without a slash before it is.
fn path(member: &str) -> Vec<String> {
    match member.strip_prefix('/') {
        Some(pointer) => {
            let names = pointer.split('/');
            names
                .map(|name| name.replace("~1", "/").replace("~0", "~"))
                .collect()
        }
        None => vec![member.to_owned()],
    }
}

thread_local! {
    static RECORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        assert!(!text.contains(is_invisible), "{text:?}");
        RECORDS.with_borrow_mut(|records| *records += &text);
    }
    fn flush(&self) {}
}

/// Collects the log records of this thread.
fn listen() {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    });
    take_records();
}

fn take_records() -> String {
    RECORDS.take()
}
