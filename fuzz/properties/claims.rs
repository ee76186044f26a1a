//! An assertion made of any strings decodes to the same strings.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Audience, Endpoint, ErrorKind, Profile, ScopePlacement};
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::{
    NOW, SECRET, assert_values_hidden, decode_segment, error_texts, fields, is_scope, key, now,
};

/// Signs the claims and header members that `input` lists, and decodes the assertion.
///
/// The fields are `iss`, `sub`, `aud`, `kid`, `typ`, the scope, and then pairs of name and value: claims and header
/// members alternate. Except `iss`, an empty field is left out. A value that is not JSON is a string.
pub fn claims(input: &[u8]) {
    let mut fields = fields(input);
    let issuer = fields.next().unwrap_or_default();
    let mut optional = || fields.next().filter(|field| !field.is_empty());
    let [subject, audience, kid, typ, scope] = [(); 5].map(|()| optional());
    let pairs: Vec<_> =
        std::iter::from_fn(|| Some((fields.next()?, value(fields.next()?)))).collect();
    let [claims, header] = [0, 1].map(|first| {
        let pairs = pairs.iter().skip(first).step_by(2);
        pairs
            .filter(|(_, value)| !value.is_null())
            .cloned()
            .collect::<Vec<_>>()
    });

    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let fixed = audience.clone().map_or(Audience::Omit, Audience::Fixed);
    let mut profile = Profile::jwt_bearer(endpoint, &*issuer, fixed)
        .with_scope_placement(ScopePlacement::ClaimArray("scp".into()));
    if let Some(subject) = &subject {
        profile = profile.with_subject(subject);
    }
    if let Some(scope) = &scope {
        profile = profile.with_scope(scope);
    }
    profile = match &typ {
        Some(typ) => profile.with_typ(typ),
        None => profile.without_typ(),
    };
    // A value of `null` leaves the claim out.
    for (n, (name, value)) in pairs.iter().enumerate() {
        profile = match n % 2 {
            0 => profile.with_claim(name, value.clone()),
            _ => profile.with_header(name, value.clone()),
        };
    }
    let mut key = key();
    if let Some(kid) = &kid {
        key = key.with_key_id(kid);
    }

    let scopes = scope.as_ref().map(|scope| {
        let names: Vec<_> = scope.split(' ').collect();
        ("scp".to_owned(), json!(names))
    });
    let own_claims = ["iss", "sub", "aud", "exp", "iat", "jti"];
    let all_claims: Vec<_> = claims.iter().chain(&scopes).cloned().collect();
    let texts = [
        Some(&issuer),
        subject.as_ref(),
        audience.as_ref(),
        text_of(&claims, "tid"),
    ];
    let is_invalid = texts.into_iter().flatten().any(|text| !is_valid_name(text))
        || scope.as_ref().is_some_and(|scope| !is_scope(scope))
        || has_duplicate(&own_claims, &all_claims)
        || has_duplicate(&["typ", "alg", "kid"], &header)
        || claims
            .iter()
            .any(|(name, value)| name == "nbf" && !is_numeric_date(value))
        || claims
            .iter()
            .chain(&header)
            .any(|(_, value)| has_lost_digits(value));

    let assertion = match profile.assertion(&key, now()) {
        Ok(assertion) => assertion,
        Err(error) => {
            assert!(is_invalid, "{error}");
            assert_eq!(error.kind(), ErrorKind::Config);
            let pairs = pairs.into_iter();
            let pairs = pairs.map(|(name, value)| (name, value.to_string()));
            let own = [("iss", Some(issuer)), ("sub", subject), ("aud", audience)];
            let own = own.map(|(name, text)| (name.to_owned(), text.unwrap_or_default()));
            assert_values_hidden(&error_texts(&error), &pairs.chain(own).collect::<Vec<_>>());
            return;
        }
    };
    assert!(!is_invalid, "the profile is invalid but was accepted");

    let (message, signature) = assertion.secret().rsplit_once('.').unwrap();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    hmac::verify(&secret, message.as_bytes(), &signature).unwrap();
    let (head, body) = message.split_once('.').unwrap();

    let mut expected: Map<_, _> = header.into_iter().collect();
    expected.insert("alg".to_owned(), json!("HS256"));
    expected.extend(kid.map(|kid| ("kid".to_owned(), json!(kid))));
    expected.extend(typ.map(|typ| ("typ".to_owned(), json!(typ))));
    assert_eq!(decode_segment(head), expected);

    let mut found = decode_segment(body);
    let jti = found.remove("jti").unwrap();
    assert_eq!(jti.as_str().map(str::len), Some(36));
    let mut expected: Map<_, _> = all_claims.into_iter().collect();
    expected.insert("iss".to_owned(), json!(issuer));
    expected.extend(subject.map(|subject| ("sub".to_owned(), json!(subject))));
    expected.extend(audience.map(|audience| ("aud".to_owned(), json!(audience))));
    expected.insert("iat".to_owned(), json!(NOW));
    expected.insert("exp".to_owned(), json!(NOW + 60));
    assert_eq!(found, expected);
}

fn value(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// Returns whether a number is a float that may have been a longer integer: from 2^53 on floats skip integers.
fn has_lost_digits(value: &Value) -> bool {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap();
            float.fract() == 0.0 && float.abs() >= 2_f64.powi(53)
        }
        Value::Array(all) => all.iter().any(has_lost_digits),
        Value::Object(all) => all.values().any(has_lost_digits),
        _ => false,
    }
}

fn text_of<'a>(members: &'a [(String, Value)], name: &str) -> Option<&'a String> {
    let (_, value) = members.iter().find(|(other, _)| other == name)?;
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Returns whether `text` may be an identifier: no control character, and neither white space nor a quotation mark at
/// either end, which come from copying. Names of RFC 4514 have quotation marks inside.
fn is_valid_name(text: &str) -> bool {
    let ends = [text.chars().next(), text.chars().next_back()];
    let mut ends = ends.into_iter().flatten();
    !text.is_empty()
        && !ends.any(|char| char.is_whitespace() || char == '"')
        && !text.chars().any(char::is_control)
}

fn has_duplicate(own: &[&str], members: &[(String, Value)]) -> bool {
    let names = members.iter().map(|(name, _)| name.as_str());
    let names: Vec<_> = names.chain(own.iter().copied()).collect();
    names.iter().collect::<BTreeSet<_>>().len() < names.len()
}

/// Returns whether `value` is a NumericDate (RFC 7519 §2) in whole seconds, up to the year 5138.
fn is_numeric_date(value: &Value) -> bool {
    value
        .as_u64()
        .is_some_and(|seconds| seconds < 100_000_000_000)
}
