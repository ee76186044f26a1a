//! Maps a request to its row of the table, and the outcome to a response.

use serde_json::{Value, json};

use super::checks::exchange;
use super::connection::{HttpRequest, HttpResponse};
use super::grant::{Grant, JWT_BEARER};
use super::parameters::value;
use super::refusal::Refusal;
use super::servers;
use super::state::State;
use super::target::Target;

/// Answers a request for metadata or for a token. Returns the response and what to log about it.
pub(super) fn respond(state: &mut State, request: &HttpRequest) -> (HttpResponse, String) {
    if let Some(document) = metadata(&state.url, &request.path) {
        return (HttpResponse::json(200, document), "metadata".to_owned());
    }
    let error = |status, log: &str| (HttpResponse::json(status, json!({})), log.to_owned());
    let url = state.url.clone();
    let grants = grants_at(&url, &request.path);
    let Some((first, _)) = grants.first() else {
        return error(404, "no endpoint has this path");
    };
    if request.method != "POST" {
        return error(405, "a token endpoint accepts POST only");
    }
    if request.is_chunked() {
        return error(411, "a request body needs a Content-Length, not chunks");
    }
    let grant_type = value(&request.parameters(), "grant_type").map(str::to_owned);
    let selected = grants.iter().find(|(grant, _)| {
        grant
            .grant_type
            .is_none_or(|of_grant| Some(of_grant) == grant_type.as_deref())
    });
    let grant = selected.map_or(*first, |(grant, _)| *grant);
    let outcome = match selected {
        Some((grant, target)) => exchange(state, grant, target, request),
        None => Err(Refusal::Parameter("grant_type")),
    };
    let name = grant.name;
    match outcome {
        Ok((body, checked)) => {
            let response = match body {
                Value::String(text) => HttpResponse::new(grant.status, "text/plain", text),
                body => HttpResponse::json(grant.status, body),
            };
            let log = format!("{name}: a token; checked {}", checked.join(", "));
            (response, log)
        }
        Err(refusal) => {
            let denial = (grant.denial)(&refusal);
            let body = (grant.error_response)(state, &denial);
            let log = format!("{name}: refused, {refusal}");
            (HttpResponse::json(denial.status, body), log)
        }
    }
}

/// Returns the grants at `path`, each with its target.
///
/// The path of the generic endpoint is the end of other paths too, so the longest match counts.
fn grants_at<'r>(url: &'r str, path: &'r str) -> Vec<(&'static Grant, Target<'r>)> {
    let base = servers::base_of(path);
    let grants = servers::grants().filter(|grant| grant.base == base);
    let matches = |grant: &'static Grant| {
        let targets = grant.paths.iter().filter_map(move |pattern| {
            let target = Target::matching(url, path, grant.base, pattern)?;
            Some((pattern.len(), grant, target))
        });
        targets.max_by_key(|(length, ..)| *length)
    };
    let mut matching: Vec<_> = grants.filter_map(matches).collect();
    let longest = matching.iter().map(|(length, ..)| *length).max();
    matching.retain(|(length, ..)| Some(*length) == longest);
    let found = matching.into_iter();
    found.map(|(_, grant, target)| (grant, target)).collect()
}

fn metadata(url: &str, path: &str) -> Option<Value> {
    match path {
        "/discovery" => return Some(json!({ "token_endpoint": format!("{url}/us1/token") })),
        "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => {
            return Some(json!({
                "issuer": url,
                "token_endpoint": format!("{url}/token"),
                "grant_types_supported": ["client_credentials", JWT_BEARER],
                "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["RS256", "HS256"],
            }));
        }
        _ => {}
    }
    let documents = servers::grants().flat_map(|grant| {
        let paths = grant.metadata.iter().zip(grant.paths);
        paths.map(move |(metadata, token_path)| (grant, metadata, token_path))
    });
    let mut found = documents.filter_map(|(grant, (document, issuer), token_path)| {
        let target = Target::matching(url, path, grant.base, document)?;
        let algorithms = grant.algorithms.iter().map(|algorithm| algorithm.name());
        let issuer = target.fill(issuer);
        Some(json!({
            "issuer": issuer,
            // Neither exists, but some libraries require both.
            "authorization_endpoint": format!("{issuer}/authorize"),
            "jwks_uri": format!("{issuer}/keys"),
            "token_endpoint": target.fill(&format!("{{base}}{token_path}")),
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": algorithms.collect::<Vec<_>>(),
        }))
    });
    found.next()
}
