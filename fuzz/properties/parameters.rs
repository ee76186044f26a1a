//! A server decodes the parameters of a request to the strings that they were made of.

use jwt_bearer::{Audience, Endpoint, ErrorKind, Exchange, Placement, Profile};
use serde_json::{Map, Value};

use crate::{
    assert_safe_url, assert_values_hidden, debug, error_texts, fields, is_scope, is_visible, key,
    now,
};

const ENDPOINT: &str = "https://as.example.com/token?tenant=7";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The most names in a pointer to a member of a JSON body.
const MAX_DEPTH: usize = 32;

/// Sends the parameters that `input` lists: a scope, which may be empty, and then pairs of name and value.
pub fn parameters(input: &[u8]) {
    let mut fields = fields(input);
    let scope = fields.next().filter(|scope| !scope.is_empty());
    let pairs: Vec<_> = std::iter::from_fn(|| Some((fields.next()?, fields.next()?))).collect();
    let mut profile = Profile::jwt_bearer(
        Endpoint::token(ENDPOINT).unwrap(),
        "issuer-1",
        Audience::Omit,
    );
    for (name, value) in &pairs {
        profile = profile.with_parameter(name.clone(), value.clone());
    }
    if let Some(scope) = &scope {
        profile = profile.with_scope(scope);
    }
    for placement in [Placement::FORM, Placement::JSON, Placement::QUERY] {
        let profile = profile.clone().with_placement(placement);
        let may_repeat =
            |name: &str| placement != Placement::JSON && matches!(name, "resource" | "audience");
        let is_repeated = pairs.iter().enumerate().any(|(n, (name, _))| {
            let own = matches!(&**name, "grant_type" | "scope" | "assertion");
            let before = pairs[..n].iter().any(|(other, _)| other == name);
            own || (before && !may_repeat(name))
        });
        let names = pairs.iter().map(|(name, _)| &**name);
        let names = names.chain(["grant_type", "scope", "assertion"]);
        let paths: Vec<_> = names.map(path).collect();
        let is_in_other = |(n, one): (usize, &Vec<String>)| {
            let mut others = paths[..n].iter().chain(&paths[n + 1..]);
            others.any(|other| one.starts_with(other))
        };
        let is_json = placement == Placement::JSON;
        let is_repeated = is_repeated || is_json && paths.iter().enumerate().any(is_in_other);
        let is_deep = is_json && paths.iter().any(|path| path.len() > MAX_DEPTH);
        let is_invalid =
            is_repeated || is_deep || scope.as_ref().is_some_and(|scope| !is_scope(scope));
        let key = key();
        let exchange = match Exchange::new(&profile, &key, now()) {
            Ok(exchange) => exchange,
            Err(error) => {
                let is_too_long = placement == Placement::QUERY && input.len() > 16 * 1024;
                assert!(is_invalid || is_too_long, "{error}");
                assert_eq!(error.kind(), ErrorKind::Config);
                assert_values_hidden(&error_texts(&error), &pairs);
                continue;
            }
        };
        assert!(!is_invalid, "the profile is invalid but was accepted");
        // `Debug` shows the host, the issuer and the scope.
        let shown = debug(&profile) + &debug(&exchange);
        let shown = shown.replace("as.example.com", " ");
        let shown = shown.replace("Fixed(\"issuer-1\")", " ");
        let scope_shown = scope.as_deref().unwrap_or(" ");
        assert_values_hidden(&shown.replace(scope_shown, " "), &pairs);

        let assertion = exchange.assertion().secret();
        let all = [("grant_type", GRANT)].into_iter();
        let all = all.chain(pairs.iter().map(|(name, value)| (&**name, &**value)));
        let all = all.chain(scope.as_deref().map(|scope| ("scope", scope)));
        let all: Vec<_> = all.chain([("assertion", assertion)]).collect();
        let request = exchange.request();
        match placement.name() {
            "json" => {
                assert_eq!(request.url(), ENDPOINT);
                assert_json(std::str::from_utf8(request.body()).unwrap(), &all);
            }
            "query" => {
                assert_eq!(std::str::from_utf8(request.body()).unwrap(), "");
                assert_safe_url(request.url());
                let query = request.url().strip_prefix(ENDPOINT).unwrap();
                assert_form(query.strip_prefix('&').unwrap(), &all);
            }
            _ => {
                assert_eq!(request.url(), ENDPOINT);
                assert_form(std::str::from_utf8(request.body()).unwrap(), &all);
            }
        }
    }
}

/// The form (RFC 6749 Appendix B) decodes to these pairs with the parser of the URL Standard.
fn assert_form(text: &str, expected: &[(&str, &str)]) {
    assert!(is_visible(text), "{text:?}");
    let decoded: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    let decoded: Vec<_> = decoded.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(decoded, expected);
}

/// The names that lead to a parameter in a JSON body (RFC 6901).
fn path(name: &str) -> Vec<String> {
    match name.strip_prefix('/') {
        Some(pointer) => {
            let names = pointer.split('/');
            names
                .map(|name| name.replace("~1", "/").replace("~0", "~"))
                .collect()
        }
        None => vec![name.to_owned()],
    }
}

/// The text is a JSON object of these strings, and has each name once.
fn assert_json(text: &str, expected: &[(&str, &str)]) {
    let decoded: Map<String, Value> = serde_json::from_str(text).unwrap();
    let mut whole = Value::Object(Map::new());
    for (name, value) in expected {
        let mut member = &mut whole;
        for name in path(name) {
            let members = member.as_object_mut().unwrap();
            member = members
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new()));
        }
        *member = (*value).into();
    }
    assert_eq!(Value::Object(decoded), whole);
    assert_eq!(whole.to_string().len(), text.len());
}
