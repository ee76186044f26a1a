//! A profile made at run time: a provider by name, its inputs, and settings by name.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_bearer::provider::{InputValue, Inputs, PROVIDERS, Provider};
use jwt_bearer::{ErrorKind, Exchange, Profile, SETTINGS, SettingValue};
use serde_json::{Map, Value, json};

use crate::{
    NOW, QUOTE_LEN, assert_not_quoted, assert_safe_url, debug, decode_segment, error_texts, fields,
    key, now,
};

/// Makes the profile of a provider and changes it.
///
/// The first field is the name of a provider. Inputs, each `NAME=VALUE`, follow, then an empty field, then settings of
/// the same form.
pub fn settings(input: &[u8]) {
    let mut fields = fields(input);
    let name = fields.next().unwrap_or_default();
    let Some(provider) = PROVIDERS.iter().find(|provider| provider.name == name) else {
        return;
    };
    let pair = |field: &String| match field.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (field.clone(), String::new()),
    };
    let inputs: Vec<_> = fields
        .by_ref()
        .take_while(|field| !field.is_empty())
        .collect();
    let inputs: Vec<_> = inputs.iter().map(pair).collect();
    let settings: Vec<_> = fields.map(|field| pair(&field)).collect();

    let values: Vec<_> = inputs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let is_complete = has_all(provider, &values);
    let made = provider.profile(Inputs {
        values: &values,
        certificate: None,
    });
    let mut profile = match made {
        Ok(profile) => profile,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Key));
            let texts = error_texts(&error);
            // A name that no input has is shown as it is.
            let is_known =
                |(name, _): &(&str, &str)| provider.inputs.iter().any(|input| input.name == *name);
            if values.iter().all(is_known) {
                secret_inputs(provider, &values)
                    .for_each(|secret| assert_not_quoted(&texts, secret));
            }
            return;
        }
    };
    assert!(is_complete, "{}: {values:?} was accepted", provider.name);

    let shown_before = debug(&profile);
    let mut all: Vec<(&str, &str)> = Vec::new();
    for (name, value) in &settings {
        let expected = is_valid(name, value);
        match profile.clone().with_setting(name, value) {
            Ok(changed) => {
                assert!(expected != Some(false), "{name} {value} was accepted");
                profile = changed;
                all.push((name, value));
            }
            Err(error) => {
                assert!(expected != Some(true), "{error}");
                assert_eq!(error.kind(), ErrorKind::Config);
                assert_value_hidden(&error_texts(&error), name, value);
            }
        }
    }
    let settings = Settings {
        provider,
        shown_before,
        all,
    };
    let secrets: Vec<_> = settings
        .secrets()
        .chain(secret_inputs(provider, &values))
        .collect();
    settings.assert_hidden(&debug(&profile), &values, &secrets);
    settings.assert_applied(&profile, &values, &secrets);
}

/// Returns whether the inputs are those that the provider's table asks for.
fn has_all(provider: &Provider, values: &[(&str, &str)]) -> bool {
    let mut given = BTreeMap::new();
    for (name, value) in values {
        if given.insert(*name, *value).is_some() {
            return false;
        }
    }
    let are_known = given.iter().all(|(name, value)| {
        let Some(input) = provider.inputs.iter().find(|input| input.name == *name) else {
            return false;
        };
        let is_alone = input
            .instead_of
            .is_none_or(|other| !given.contains_key(other));
        is_alone
            && match input.value {
                InputValue::Flag => *value == "yes",
                InputValue::Choice(choices) => choices.iter().any(|(choice, _)| choice == value),
                _ => true,
            }
    });
    let mut required = provider.inputs.iter();
    let mut groups = provider.alternatives.iter();
    are_known
        && required.all(|input| {
            !input.is_required || input.default.is_some() || given.contains_key(input.name)
        })
        && groups.all(|group| {
            group
                .iter()
                .filter(|name| given.contains_key(*name))
                .count()
                == 1
        })
}

fn secret_inputs<'a>(
    provider: &'a Provider,
    values: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = &'a str> {
    values
        .iter()
        .filter(|(name, _)| is_secret_input(provider, name))
        .map(|(_, value)| *value)
}

fn is_secret_input(provider: &Provider, name: &str) -> bool {
    let input = provider.inputs.iter().find(|input| input.name == name);
    input.is_some_and(|input| matches!(input.value, InputValue::Secret(_)))
}

/// Returns whether a setting can have a value, by the form in its table, or `None` if the rules of URLs or headers decide.
fn is_valid(name: &str, value: &str) -> Option<bool> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
        return Some(false);
    };
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
    Some(match setting.value {
        SettingValue::Pair {
            is_json: reads_json,
            ..
        } => {
            match value.split_once('=').filter(|(name, _)| !name.is_empty()) {
                None => false,
                Some((_, value)) if name == "json-param" => is_json(value),
                Some((_, value)) if reads_json => {
                    let begins = value.trim_start().starts_with(['{', '[', '"']);
                    // Only the library decides about a number that is too large for a float.
                    match value
                        .trim_start()
                        .starts_with(|c: char| c == '-' || c.is_ascii_digit())
                    {
                        true if !is_json(value) => return None,
                        _ => is_json(value) || !begins,
                    }
                }
                Some(_) => true,
            }
        }
        SettingValue::Flag => matches!(value, "" | "yes"),
        SettingValue::Text("SECONDS") => is_number(value),
        SettingValue::Text("SECONDS|none") => value == "none" || is_number(value),
        SettingValue::Text("uuid|hex|none") => matches!(value, "uuid" | "hex" | "none"),
        SettingValue::Text("yes|no") => matches!(value, "yes" | "no"),
        SettingValue::Text("form|json|query|get") => {
            matches!(value, "form" | "json" | "query" | "get")
        }
        SettingValue::Text(form) if form.starts_with("parameter|") => {
            let forms = ["array", "commas", "spaces"];
            let form = value.split_once('=').map(|(_, form)| form);
            value == "parameter" || form.is_some_and(|form| forms.contains(&form))
        }
        SettingValue::Text("URL" | "HEADER") => return None,
        _ => true,
    })
}

/// Panics if an error quotes the value of a setting. The name of a pair is shown if it looks like a name.
#[track_caller]
fn assert_value_hidden(text: &str, name: &str, value: &str) {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
        return; // there is no setting of this name, as the error says
    };
    let form = setting.value.form().unwrap_or_default();
    let text = text.replace(form, " ").replace(name, " ");
    let is_name = |c: char| c.is_ascii_lowercase() || matches!(c, '-' | '_');
    match value.split_once('=') {
        Some((name, value)) if name.chars().all(is_name) => assert_not_quoted(&text, value),
        _ => assert_not_quoted(&text, value),
    }
}

/// The settings that were accepted, in their order.
struct Settings<'a> {
    provider: &'a Provider,
    /// What `Debug` shows of the profile without them.
    shown_before: String,
    all: Vec<(&'a str, &'a str)>,
}

impl<'a> Settings<'a> {
    fn values(&self, names: &'a [&'a str]) -> impl DoubleEndedIterator<Item = (&'a str, &'a str)> {
        let all = self.all.iter().copied();
        all.filter(|(name, _)| names.contains(name))
    }

    /// Returns the last value of a setting, unless another that sets the same thing is given too.
    fn last(&self, name: &'a str, others: &'a [&'a str]) -> Option<&'a str> {
        let is_other = |(other, _): &(&str, &str)| others.contains(other);
        let last = self.all.iter().rev().find(|(other, _)| *other == name);
        last.filter(|_| !self.all.iter().any(is_other))
            .map(|(_, value)| *value)
    }

    /// Values of pairs that may be secrets.
    fn secrets(&self) -> impl Iterator<Item = &'a str> {
        let values = self.values(&["param", "json-param", "request-header", "basic-auth"]);
        values
            .filter_map(|(_, pair)| pair.split_once('='))
            .map(|(_, value)| value)
    }

    /// Panics if a text quotes a secret, unless something that is shown has the same text in it.
    #[track_caller]
    fn assert_hidden(&self, text: &str, inputs: &[(&str, &str)], secrets: &[&str]) {
        // The value of a pair is not shown.
        let is_pair = |name: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name);
            setting.is_some_and(|setting| matches!(setting.value, SettingValue::Pair { .. }))
        };
        let names = self.all.iter().map(|(name, value)| {
            let name_in_value = value.split_once('=').filter(|_| is_pair(name));
            name_in_value.map_or(*value, |(name, _)| name)
        });
        let inputs = inputs.iter();
        let inputs = inputs.filter(|(name, _)| !is_secret_input(self.provider, name));
        let shown = names.chain(inputs.map(|(_, value)| *value));
        let shown: Vec<_> = shown.chain([&*self.shown_before]).collect();
        for secret in secrets {
            let is_shown = |shown: &&str| {
                let mut runs = shown.as_bytes().windows(QUOTE_LEN);
                runs.any(|run| {
                    secret
                        .as_bytes()
                        .windows(QUOTE_LEN)
                        .any(|other| other.eq_ignore_ascii_case(run))
                })
            };
            if !shown.iter().any(is_shown) {
                assert_not_quoted(text, secret);
            }
        }
    }

    /// Panics unless assertion and request have what the settings say.
    fn assert_applied(&self, profile: &Profile, inputs: &[(&str, &str)], secrets: &[&str]) {
        let profile = profile.clone().with_algorithms([]); // an HMAC is faster to compute than an RSA signature
        let key = key().with_key_id("k");
        let signed = match profile.is_self_signed() {
            true => profile
                .assertion(&key, now())
                .map(|assertion| (assertion, None)),
            false => Exchange::new(&profile, &key, now()).and_then(|exchange| {
                let assertion = profile.assertion(&key, now())?;
                Ok((assertion, Some(exchange)))
            }),
        };
        let (assertion, exchange) = match signed {
            Ok(signed) => signed,
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::Config | ErrorKind::Key),
                    "{error}"
                );
                self.assert_hidden(&error_texts(&error), inputs, secrets);
                return;
            }
        };
        let mut segments = assertion.secret().split('.');
        let header = decode_segment(segments.next().unwrap());
        let claims = decode_segment(segments.next().unwrap());
        self.assert_assertion(&header, &claims);
        if let Some(exchange) = &exchange {
            self.assert_request(exchange);
        }
    }

    fn assert_assertion(&self, header: &Map<String, Value>, claims: &Map<String, Value>) {
        let text_or_none = |text: &str| match text {
            "none" => None,
            text => Some(json!(text)),
        };
        if let Some(issuer) = self.last("issuer", &["issuer-and-fingerprint"]) {
            assert_eq!(claims.get("iss"), text_or_none(issuer).as_ref());
        }
        if let Some(subject) = self.last("subject", &[]) {
            assert_eq!(claims.get("sub"), text_or_none(subject).as_ref());
        }
        match self.last("audience", &[]) {
            None | Some("issuer" | "token-endpoint") => {}
            Some(audience) => assert_eq!(claims.get("aud"), text_or_none(audience).as_ref()),
        }
        if let Some(typ) = self.last("typ", &[]) {
            assert_eq!(header.get("typ"), text_or_none(typ).as_ref());
        }
        for (setting, claim, is_ahead) in [
            ("lifetime", "exp", true),
            ("nbf-leeway", "nbf", false),
            ("iat-leeway", "iat", false),
        ] {
            let Some(seconds) = self.last(setting, &[]) else {
                continue;
            };
            // A claim `nbf` may be added by its name too.
            if seconds != "none" {
                let seconds: u64 = seconds.parse().unwrap();
                let time = if is_ahead {
                    NOW + seconds
                } else {
                    NOW - seconds
                };
                assert_eq!(claims.get(claim), Some(&json!(time)));
            } else if claim != "nbf" {
                assert_eq!(claims.get(claim), None);
            }
        }
        let jti = claims.get("jti").and_then(Value::as_str);
        match self.last("jti", &[]) {
            Some("uuid") => assert_eq!(jti.map(str::len), Some(36)),
            Some("hex") => assert_eq!(jti.map(str::len), Some(32)),
            Some(_) => assert_eq!(jti, None),
            None => {}
        }
        for (setting, pair) in self.values(&["claim", "claim-text", "header"]) {
            let (name, text) = pair.split_once('=').unwrap();
            let value = match setting {
                "claim-text" => json!(text),
                _ => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            };
            let members = if setting == "header" { header } else { claims };
            if !value.is_null() {
                assert_eq!(members.get(name), Some(&value), "{setting} {name}");
            }
        }
    }

    fn assert_request(&self, exchange: &Exchange<'_>) {
        let request = exchange.request();
        assert_safe_url(request.url());
        let header = |name: &str| {
            let mut headers = request.headers();
            headers
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        // The last of each name counts; `basic-auth` and a bearer set a header, too.
        let mut expected = BTreeMap::new();
        for (setting, pair) in self.values(&["request-header", "basic-auth"]) {
            let (name, value) = pair.split_once('=').unwrap();
            match setting {
                "request-header" => expected.insert(name.to_ascii_lowercase(), value.to_owned()),
                _ => {
                    let encode = |text: &str| -> String {
                        let text: String =
                            form_urlencoded::byte_serialize(text.as_bytes()).collect();
                        // RFC 3986 has these two the other way round, and both are read alike.
                        text.replace('+', "%20")
                            .replace('*', "%2A")
                            .replace("%7E", "~")
                    };
                    let credentials = format!("{}:{}", encode(name), encode(value));
                    let credentials = format!("Basic {}", STANDARD.encode(credentials));
                    expected.insert("authorization".to_owned(), credentials)
                }
            };
        }
        for (name, value) in &expected {
            assert_eq!(header(name), Some(&**value), "{name}");
        }

        let removed: Vec<_> = self
            .values(&["without-param"])
            .map(|(_, name)| name)
            .collect();
        let is_form = matches!(self.last("placement", &[]), Some("form" | "query" | "get"));
        if !is_form {
            return; // the provider may send JSON, whose names are pointers
        }
        let query = request.url().split_once('?').map_or("", |(_, query)| query);
        let body = std::str::from_utf8(request.body()).unwrap();
        let all = [query, body].join("&");
        let sent: Vec<_> = form_urlencoded::parse(all.as_bytes()).collect();
        for (setting, pair) in self.values(&["param", "json-param"]) {
            let (name, text) = pair.split_once('=').unwrap();
            let value = match setting {
                "json-param" => serde_json::from_str(text).unwrap(),
                _ => json!(text),
            };
            let is_value = |sent: &str| match &value {
                Value::String(text) => sent == text,
                value => serde_json::from_str::<Value>(sent).ok().as_ref() == Some(value),
            };
            let is_sent = sent
                .iter()
                .any(|(other, sent)| other == name && is_value(sent));
            let is_left_out = removed.contains(&name) || value.is_null();
            assert!(is_sent || is_left_out, "{}: {name}", self.provider.name);
        }
    }
}
