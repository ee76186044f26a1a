//! The settings of a profile by name, for programs that learn them at run time: a command line, a configuration file.
//!
//! A setting has the name of its method, without `with_`: `token-member` is
//! [`with_token_member`](Profile::with_token_member). `param` and `lifetime` are short for `parameter` and
//! `assertion_lifetime`; `token-endpoint` and `discover` are two values of [`with_endpoint`](Profile::with_endpoint).

use std::time::Duration;

use serde_core::de::IgnoredAny;
use serde_json::Value;

use super::{AssertionPlacement, Audience, Jti, Profile, ScopePlacement};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::placement::Placement;

/// A setting of a profile.
#[non_exhaustive]
pub struct Setting {
    /// Its name, in lower case with hyphens.
    pub name: &'static str,
    /// What its value is.
    pub value: SettingValue,
    /// The part of the exchange that it changes.
    pub part: SettingPart,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// Whether many servers want it.
    pub is_common: bool,
    /// The setting that it replaces, since both set the same thing. If their values are `NAME=VALUE`, it replaces only
    /// the values of the same name.
    pub instead_of: Option<&'static str>,
    apply: fn(Profile, &str) -> Result<Profile, Refusal>,
}

/// The part of an exchange that a [`Setting`] changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingPart {
    /// The server that is asked.
    Server,
    /// Header and claims of the assertion.
    Assertion,
    /// The request that carries the assertion.
    Request,
    /// What is read from the response, and how the token is sent to an API.
    Response,
}

/// What the value of a [`Setting`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingValue {
    /// A text that this word describes.
    Text(&'static str),
    /// `NAME=VALUE`. The setting may be given many times, with another name each time.
    Pair {
        /// Whether the value is read as JSON.
        is_json: bool,
        /// Whether the value may be a secret.
        may_be_secret: bool,
    },
    /// A text that this word describes. The setting may be given many times.
    List(&'static str),
    /// No value: the setting is on.
    Flag,
}

/// Why a value is refused.
enum Refusal {
    /// It does not have the form of the setting's values.
    Form,
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

const fn setting(
    part: SettingPart,
    name: &'static str,
    value: SettingValue,
    help: &'static str,
    apply: fn(Profile, &str) -> Result<Profile, Refusal>,
) -> Setting {
    Setting {
        name,
        value,
        part,
        help,
        is_common: false,
        instead_of: None,
        apply,
    }
}

const fn pair_value(is_json: bool, may_be_secret: bool) -> SettingValue {
    Pair {
        is_json,
        may_be_secret,
    }
}

impl Setting {
    const fn common(self) -> Self {
        Self {
            is_common: true,
            ..self
        }
    }

    const fn instead_of(self, other: &'static str) -> Self {
        Self {
            instead_of: Some(other),
            ..self
        }
    }
}

use SettingPart::{Assertion, Request, Response, Server};
use SettingValue::{Flag, List, Pair, Text};

const TEXT_PAIR: SettingValue = pair_value(false, false);
const JSON_PAIR: SettingValue = pair_value(true, false);
const SECRET_PAIR: SettingValue = pair_value(false, true);
const SECRET_JSON_PAIR: SettingValue = pair_value(true, true);
const MEMBER: SettingValue = Text("MEMBER");
const SECONDS: SettingValue = Text("SECONDS");

/// All settings, in the order of an exchange.
#[rustfmt::skip] // one row, two lines
pub const SETTINGS: &[Setting] = &[
    setting(Server, "token-endpoint", Text("URL"), "The token endpoint.",
        |p, v| Ok(p.with_endpoint(Endpoint::token(v)?))).common(),
    setting(Server, "discover", Text("URL"), "The issuer whose metadata names the token endpoint, or the URL of a metadata document below /.well-known/.",
        |p, v| Ok(p.with_endpoint(discovered(v)?))).instead_of("token-endpoint"),

    setting(Assertion, "issuer", Text("ISS"), "The claim iss; none leaves it out.",
        |p, v| Ok(match v { "none" => p.without_issuer(), v => p.with_issuer(v) })),
    setting(Assertion, "issuer-and-fingerprint", Text("ISS"), "The claim iss: this text, then the fingerprint of the key in base64.",
        |p, v| Ok(p.with_issuer_and_fingerprint(v))).instead_of("issuer"),
    setting(Assertion, "subject", Text("SUB"), "The claim sub: the user or service that the token is for; none leaves it out.",
        |p, v| Ok(match v { "none" => p.without_subject(), v => p.with_subject(v) })).common(),
    setting(Assertion, "audience", Text("AUD"), "The claim aud: issuer, token-endpoint, none, or a text.",
        |p, v| Ok(p.with_audience(match v {
            "none" => Audience::Omit,
            "issuer" => Audience::Issuer,
            "token-endpoint" => Audience::TokenEndpoint,
            text => Audience::Fixed(text.to_owned()),
        }))).common(),
    setting(Assertion, "lifetime", Text("SECONDS|none"), "The assertion's lifetime: claim exp, counted from now; none leaves it out.",
        |p, v| Ok(p.with_assertion_lifetime(seconds_or_none(v)?))).common(),
    setting(Assertion, "nbf-leeway", Text("SECONDS|none"), "How far the claim nbf lies before now; none leaves it out.",
        |p, v| Ok(p.with_nbf_leeway(seconds_or_none(v)?))),
    setting(Assertion, "iat-leeway", Text("SECONDS|none"), "How far the claim iat lies before now; none leaves it out.",
        |p, v| Ok(p.with_iat_leeway(seconds_or_none(v)?))),
    setting(Assertion, "jti", Text("uuid|hex|none"), "How the claim jti is written; none leaves it out.",
        |p, v| Ok(p.with_jti(match v {
            "uuid" => Jti::Uuid,
            "hex" => Jti::Hex,
            "none" => Jti::Omit,
            _ => return Err(Refusal::Form),
        }))),
    setting(Assertion, "claim", JSON_PAIR, "An additional claim; may be repeated. VALUE is JSON, or else a text; null adds none. A text that begins with {, [ or \" is written as a string of JSON.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_claim(name, json_or_text("claim", name, value)?)) }).common(),
    setting(Assertion, "claim-text", TEXT_PAIR, "An additional claim that is a text, whatever it looks like; may be repeated.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_claim(name, value)) }).instead_of("claim"),
    setting(Assertion, "typ", Text("TYP"), "The header member typ; none leaves it out.",
        |p, v| Ok(match v { "none" => p.without_typ(), v => p.with_typ(v) })),
    setting(Assertion, "header", JSON_PAIR, "An additional header member; may be repeated. VALUE is JSON, or else a text.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_header(name, json_or_text("header", name, value)?)) }),
    setting(Assertion, "scope", Text("\"A B\""), "Scopes, separated by spaces.",
        |p, v| Ok(p.with_scope(v))).common(),
    setting(Assertion, "scope-placement", Text("parameter|CLAIM=array|CLAIM=commas|CLAIM=spaces"), "Where the scopes are written: in the parameter, or in a claim as an array or as one text.",
        |p, v| Ok(p.with_scope_placement(scope_placement(v)?))),

    setting(Request, "assertion-placement", Text("NAME|bearer"), "The parameter that carries the assertion, or the header Authorization: Bearer.",
        |p, v| Ok(p.with_assertion_placement(match v {
            "bearer" => AssertionPlacement::Bearer,
            name => AssertionPlacement::Parameter(name.to_owned().into()),
        }))),
    setting(Request, "without-param", List("NAME"), "Leaves out a parameter that the profile has; may be repeated.",
        |p, v| Ok(p.without_parameter(v))),
    setting(Request, "param", SECRET_PAIR, "An additional parameter; may be repeated.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_parameter(name.to_owned(), value)) }).common(),
    setting(Request, "json-param", SECRET_JSON_PAIR, "An additional parameter whose value is JSON; may be repeated.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_parameter(name.to_owned(), json("json-param", name, value)?)) }).instead_of("param"),
    setting(Request, "placement", Text("form|json|query|get"), "Where the parameters travel. With json a name may be a JSON Pointer, such as /site/id. With query and get proxies may log them.",
        |p, v| {
            let all = [Placement::FORM, Placement::JSON, Placement::QUERY, Placement::GET];
            let placement = all.into_iter().find(|placement| placement.name() == v);
            Ok(p.with_placement(placement.ok_or(Refusal::Form)?))
        }),
    setting(Request, "request-header", SECRET_PAIR, "A header of the request, in place of one of the same name; may be repeated.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_request_header(name.to_owned(), value)) }),
    setting(Request, "basic-auth", SECRET_PAIR, "HTTP Basic beside the assertion: the client id and its secret.",
        |p, v| { let (name, value) = pair(v)?; Ok(p.with_basic_auth(name, value)) }),

    setting(Response, "token-member", MEMBER, "The member of the response that is the token: a name, or a JSON Pointer such as /auth/client_token.",
        |p, v| Ok(p.with_token_member(v.to_owned()))),
    setting(Response, "text-response", Flag, "The body of the response is the token.",
        |p, v| match v { "" | "yes" => Ok(p.with_text_response()), _ => Err(Refusal::Form) }).instead_of("token-member"),
    setting(Response, "token-header", Text("HEADER"), "The header that carries the token to an API, with {} for the token.",
        |p, v| Ok(p.with_token_header(v)?)),
    setting(Response, "expires-in", MEMBER, "The member of the response with the lifetime in seconds.",
        |p, v| Ok(p.with_expires_in(v.to_owned()))),
    setting(Response, "expires-in-milliseconds", MEMBER, "The member of the response with the lifetime in milliseconds.",
        |p, v| Ok(p.with_expires_in_milliseconds(v.to_owned()))).instead_of("expires-in"),
    setting(Response, "expires-at", MEMBER, "The member of the response with the time of expiry: a date, or seconds since 1970.",
        |p, v| Ok(p.with_expires_at(v.to_owned()))).instead_of("expires-in"),
    setting(Response, "token-exp", Text("yes|no"), "Whether the token's own exp is read if the response has no lifetime.",
        |p, v| Ok(p.with_token_exp(match v {
            "yes" => true,
            "no" => false,
            _ => return Err(Refusal::Form),
        }))),
    setting(Response, "token-lifetime", SECONDS, "The lifetime of a token whose response names none.",
        |p, v| Ok(p.with_token_lifetime(seconds(v)?))),
    setting(Response, "error-member", MEMBER, "The member of an error response that has its code.",
        |p, v| Ok(p.with_error_member(v.to_owned()))),
    setting(Response, "error-description-member", MEMBER, "The member of an error response that has the reason.",
        |p, v| Ok(p.with_error_description_member(v.to_owned()))),
    setting(Response, "unavailable-error", List("CODE"), "An error code that means that the server cannot answer now; may be repeated.",
        |p, v| Ok(p.with_unavailable_error(v.to_owned()))),
    setting(Response, "denied-error", List("CODE"), "An error code that means that the server refuses, whatever its status; may be repeated.",
        |p, v| Ok(p.with_denied_error(v.to_owned()))),
];

impl SettingValue {
    /// Returns what a value looks like, or `None` for a flag.
    pub fn form(self) -> Option<&'static str> {
        match self {
            Text(form) | List(form) => Some(form),
            Pair { .. } => Some("NAME=VALUE"),
            Flag => None,
        }
    }

    /// Returns whether the setting may be given many times.
    pub fn may_repeat(self) -> bool {
        matches!(self, Pair { .. } | List(_))
    }
}

impl Profile {
    /// Returns the same profile with one of the [`SETTINGS`] changed.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the setting does not exist, or the value does not fit. The error does
    /// not repeat the value, since it may be a secret.
    pub fn with_setting(self, name: &str, value: &str) -> Result<Self, Error> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            return Err(Error::config(format!("there is no setting {name}")));
        };
        (setting.apply)(self, value).map_err(|problem| match problem {
            Refusal::Other(error) => error,
            Refusal::Form => {
                let form = setting.value.form().unwrap_or("yes");
                Error::config(format!("{name}: expected {form}"))
            }
        })
    }
}

/// Returns an endpoint for discovery: by metadata document if the URL is that of one, else by issuer.
pub(crate) fn discovered(url: &str) -> Result<Endpoint, Error> {
    match url.contains("/.well-known/") {
        true => Endpoint::metadata(url),
        false => Endpoint::issuer(url),
    }
}

fn pair(text: &str) -> Result<(&str, &str), Refusal> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.ok_or(Refusal::Form)
}

fn seconds(text: &str) -> Result<Duration, Refusal> {
    let seconds = text.parse().map_err(|_| Refusal::Form)?;
    Ok(Duration::from_secs(seconds))
}

fn seconds_or_none(text: &str) -> Result<Option<Duration>, Refusal> {
    match text {
        "none" => Ok(None),
        text => seconds(text).map(Some),
    }
}

fn scope_placement(text: &str) -> Result<ScopePlacement, Refusal> {
    let claim = |claim: &str| claim.to_owned().into();
    Ok(match text.split_once('=') {
        None if text == "parameter" => ScopePlacement::Parameter,
        Some(("", _)) => return Err(Refusal::Form),
        Some((name, "array")) => ScopePlacement::ClaimArray(claim(name)),
        Some((name, "commas")) => ScopePlacement::ClaimWithCommas(claim(name)),
        Some((name, "spaces")) => ScopePlacement::ClaimWithSpaces(claim(name)),
        _ => return Err(Refusal::Form),
    })
}

/// Returns the value of JSON, or text that cannot be mistaken for JSON as a string.
fn json_or_text(setting: &str, name: &str, text: &str) -> Result<Value, Error> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    // `IgnoredAny` checks no range and no depth.
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let begins_as_json = text.trim_start().starts_with(['{', '[', '"']);
    let problem = match (begins_as_json, is_json) {
        (true, true) => {
            "the value has a number that is too large, half of a surrogate pair, or too many levels"
        }
        (true, false) => "the value begins as JSON does and is none",
        (false, true) => "the number is too large",
        (false, false) => return Ok(Value::from(text)),
    };
    let name = shown(name);
    Err(Error::config(format!(
        "{setting} {name}: {problem}: write a text as \"...\""
    )))
}

fn json(setting: &str, name: &str, text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|_| {
        let name = shown(name);
        Error::config(format!("{setting} {name}: the value is not JSON"))
    })
}

/// Returns a name as errors show it. A text that may be a secret, given in its place by mistake, is hidden.
fn shown(name: &str) -> &str {
    let is_name = |c: char| c.is_ascii_lowercase() || matches!(c, '-' | '_');
    match name.len() <= 32 && name.chars().all(is_name) {
        true => name,
        false => "NAME",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        Profile::new(endpoint, Audience::TokenEndpoint)
    }

    #[test]
    fn setting_of_unknown_name_or_form_says_what_is_expected() {
        let unreadable = "claim n: the value has a number that is too large, half of a surrogate pair, or too many \
            levels: write a text as \"...\"";
        for (name, value, expected) in [
            (
                "placement",
                "xml",
                "placement: expected form|json|query|get",
            ),
            ("lifetime", "soon", "lifetime: expected SECONDS|none"),
            ("token-lifetime", "none", "token-lifetime: expected SECONDS"),
            ("claim", "n", "claim: expected NAME=VALUE"),
            ("claim", "=1", "claim: expected NAME=VALUE"),
            (
                "claim",
                "n={",
                "claim n: the value begins as JSON does and is none: write a text as \"...\"",
            ),
            (
                "claim",
                "S3cret={",
                "claim NAME: the value begins as JSON does and is none: write a text as \"...\"",
            ),
            (
                "claim",
                "n=-1e999",
                "claim n: the number is too large: write a text as \"...\"",
            ),
            ("claim", "n={\"a\":1e999}", unreadable),
            ("claim", "n=\"\\ud800\"", unreadable),
            (
                "claim",
                &format!("n={}{}", "[".repeat(200), "]".repeat(200)),
                unreadable,
            ),
            ("json-param", "n=x", "json-param n: the value is not JSON"),
            ("text-response", "no", "text-response: expected yes"),
            ("colour", "red", "there is no setting colour"),
        ] {
            let error = profile().with_setting(name, value).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn setting_has_a_name_and_a_sentence_of_its_own() {
        for (n, setting) in SETTINGS.iter().enumerate() {
            let has_name = |other: &Setting| other.name == setting.name;
            assert_eq!(SETTINGS.iter().position(has_name), Some(n));
            assert!(setting.help.ends_with('.'), "{}", setting.name);
        }
    }

    /// Each method that changes a profile is a setting, except those whose argument cannot be text.
    #[test]
    fn every_method_is_a_setting() {
        let short = [
            ("parameter", "param"),
            ("assertion-lifetime", "lifetime"),
            ("endpoint", "token-endpoint"),
        ];
        for line in include_str!("with.rs").lines() {
            let Some((method, _)) = line
                .trim()
                .strip_prefix("pub fn with_")
                .and_then(|l| l.split_once('('))
            else {
                continue;
            };
            let method = method.replace('_', "-");
            let name = short
                .iter()
                .find(|(long, _)| *long == method)
                .map_or(method.as_str(), |(_, short)| short);
            let has_name = |setting: &Setting| setting.name == name;
            assert!(
                name == "algorithms" || SETTINGS.iter().any(has_name),
                "{name}"
            );
        }
    }
}
