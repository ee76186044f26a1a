//! Where a request carries its parameters: a form, JSON, or the header `Authorization`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::connection::HttpRequest;
use super::refusal::Refusal;
use super::strict_json::{JsonError, parse_object};
use super::verify::Claims;

/// The parameters that may occur more than once (RFC 8707 §2, RFC 8693 §2.1). RFC 6749 §3.2 allows no others, but
/// Microsoft's library for Node sends the last one in both form and query.
const REPEATABLE_PARAMETERS: [&str; 3] = ["resource", "audience", "client-request-id"];

pub(super) type Parameters = Vec<(String, String)>;

pub(super) fn value<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    parameters
        .iter()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

/// Reads a form and the query of the URL.
pub(super) fn form(request: &HttpRequest) -> Result<Parameters, Refusal> {
    let parameters = request.parameters();
    let mut names = HashSet::new();
    let is_repeated = |(name, _): &(String, String)| {
        !REPEATABLE_PARAMETERS.contains(&name.as_str()) && !names.insert(name.clone())
    };
    match parameters.iter().any(is_repeated) {
        true => Err(Refusal::DuplicateParameter),
        false => Ok(parameters),
    }
}

/// Reads a JSON object. The name of a nested member is prefixed with the names of its parents, with a dot after each.
pub(super) fn json(request: &HttpRequest) -> Result<Parameters, Refusal> {
    let members = parse_object(&request.body).map_err(|error| match error {
        JsonError::NotAnObject => Refusal::NotJson,
        JsonError::DuplicateMember => Refusal::DuplicateParameter,
    })?;
    let mut parameters = Vec::new();
    flatten("", members, &mut parameters);
    Ok(parameters)
}

fn flatten(prefix: &str, members: Map<String, Value>, parameters: &mut Parameters) {
    for (name, value) in members {
        match value {
            Value::String(text) => parameters.push((format!("{prefix}{name}"), text)),
            Value::Object(inner) => flatten(&format!("{prefix}{name}."), inner, parameters),
            _ => {}
        }
    }
}

pub(super) fn form_or_json(request: &HttpRequest) -> Result<Parameters, Refusal> {
    match request.has_content_type("application/json") {
        true => json(request),
        false => form(request),
    }
}

/// Reads a bearer token (RFC 6750 §2.1) as the parameter `Authorization`. The name of the scheme is case-insensitive
/// (RFC 9110 §11.1): GitHub's own client writes it in lower case.
pub(super) fn bearer(request: &HttpRequest) -> Result<Parameters, Refusal> {
    let sent = request.header("Authorization").split_once(' ');
    let is_bearer = |(scheme, _): &(&str, &str)| scheme.eq_ignore_ascii_case("Bearer");
    let (_, token) = sent
        .filter(is_bearer)
        .ok_or(Refusal::Parameter("Authorization"))?;
    Ok(vec![("Authorization".to_owned(), token.trim().to_owned())])
}

/// What a request asks for.
pub(super) type RequestedScope = Result<Option<String>, Refusal>;

pub(super) fn no_scope(_: &Parameters, _: &Claims) -> RequestedScope {
    Ok(None)
}

pub(super) fn scope_parameter(parameters: &Parameters, _: &Claims) -> RequestedScope {
    Ok(value(parameters, "scope").map(str::to_owned))
}

pub(super) fn scope_claim(_: &Parameters, claims: &Claims) -> RequestedScope {
    let scope = claims.get("scope");
    Ok(scope.map(|scope| scope.as_str().unwrap_or("?").to_owned()))
}

/// The parameter (RFC 7521 §4.1), and the claim that many clients use instead. Both are checked.
pub(super) fn scope_parameter_and_claim(
    parameters: &Parameters,
    claims: &Claims,
) -> RequestedScope {
    let scopes = [
        scope_parameter(parameters, claims)?,
        scope_claim(parameters, claims)?,
    ];
    let scopes: Vec<_> = scopes.into_iter().flatten().collect();
    Ok((!scopes.is_empty()).then(|| scopes.join(" ")))
}

/// Cylance's document says "comma delimited" in its text but shows an array in its sample.
pub(super) fn scp_claim(_: &Parameters, claims: &Claims) -> RequestedScope {
    Ok(claims.get("scp").map(|scp| match scp {
        Value::Array(scopes) => {
            let scopes = scopes.iter().map(|scope| scope.as_str().unwrap_or("?"));
            scopes.collect::<Vec<_>>().join(" ")
        }
        scopes => scopes.as_str().unwrap_or("?").replace(',', " "),
    }))
}
