//! Compares what a server's metadata offers with what is sent to it.

use std::io;
use std::time::SystemTime;

use jwt_bearer::{Audience, Error, Exchange, Profile, Request, Response, Signer as _};
use serde_json::Value;

use super::network::Network;
use super::report::{Report, Step};
use super::server::well_known;
use crate::failure::Failure;
use crate::profiles::ProfileAndSigner;
use crate::trace;

/// What the metadata says about the token endpoint.
pub(super) enum Metadata {
    Unusable,
    /// The profile with its token endpoint.
    Resolved(Box<Profile>),
}

/// The parts of a token request that metadata may or may not offer.
struct Sent {
    algorithm: &'static str,
    grant_type: Option<String>,
    is_client_assertion: bool,
    aud: Option<String>,
}

/// Returns the requests for the documents that a profile reads, else for likely ones.
///
/// These may be where RFC 8414 and OpenID Connect put them: below the audience, if that is a URL of the same server,
/// and below the server itself.
///
/// # Errors
/// If there is no URL.
pub(super) fn requests(
    profile: &Profile,
    built: Option<&ProfileAndSigner>,
) -> Result<Vec<Request>, Error> {
    let Some(token_url) = profile.endpoint().token_url() else {
        // The rest of the profile may be wrong.
        let bare = Profile::new(profile.endpoint().clone(), Audience::Omit);
        return bare.metadata_requests();
    };
    let (scheme, rest) = token_url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let server = format!("{scheme}://{authority}");
    let sent = built.and_then(|built| sent(&built.profile, built));
    let audience = sent.and_then(|sent| sent.aud);
    let audience =
        audience.filter(|aud| aud.starts_with(&format!("{server}/")) && aud != token_url);
    let below_audience = audience.and_then(|audience| well_known(&audience).ok());
    let mut requests = below_audience.unwrap_or_default();
    for request in well_known(&server)? {
        if !requests.iter().any(|other| other.url() == request.url()) {
            requests.push(request);
        }
    }
    Ok(requests)
}

/// Reads the documents until one can be used, and compares it with what is sent.
///
/// # Errors
/// If standard output is closed.
pub(super) fn check(
    report: &mut Report,
    network: &mut Network,
    profile: &Profile,
    built: Option<&ProfileAndSigner>,
    (requests, first): (&[Request], io::Result<Response>),
) -> Result<Metadata, Failure> {
    let mut first = Some(first);
    let mut responses = requests.iter().map(|request| {
        let response = first.take().unwrap_or_else(|| network.send(request));
        (location(request), response)
    });
    let (step, metadata) = match profile.endpoint().token_url() {
        Some(token_url) => {
            let step = compare_beside(token_url, profile, built, &mut responses);
            (step, Metadata::Resolved(profile.clone().into()))
        }
        None => resolve(profile, built, &mut responses),
    };
    drop(responses);
    report.add(step)?;
    Ok(metadata)
}

/// Returns a URL without its query, which may be a secret.
fn location(request: &Request) -> String {
    let url = request.url();
    url.split('?').next().unwrap_or_default().to_owned()
}

type Responses<'a> = dyn Iterator<Item = (String, io::Result<Response>)> + 'a;

/// Reads the document that names the token endpoint.
fn resolve(
    profile: &Profile,
    built: Option<&ProfileAndSigner>,
    responses: &mut Responses<'_>,
) -> (Step, Metadata) {
    let is_whole = profile.metadata_requests().is_ok();
    let bare = Profile::new(profile.endpoint().clone(), Audience::Omit);
    let reader = if is_whole { profile } else { &bare };
    let mut failures = Vec::new();
    let mut last = (4, Vec::new());
    for (location, response) in responses {
        let failure = match response {
            Err(error) => Failure::network(error.to_string()),
            Ok(response) => match reader.with_metadata(&response) {
                Err(error) => error.into(),
                Ok(resolved) => {
                    let document = object(&response).unwrap_or_default();
                    let token_url = resolved.endpoint().token_url().unwrap_or_default();
                    let step = Step::ok("metadata", location)
                        .with_line("endpoint", token_url)
                        .with_fact("token_endpoint", token_url);
                    let sent = built.and_then(|built| sent(&resolved, built));
                    let step = match sent.as_ref().and_then(|sent| sent.aud.clone()) {
                        Some(aud) => step.with_line("aud", aud.clone()).with_fact("aud", aud),
                        None => step,
                    };
                    let step = compare(step, &document, sent.as_ref());
                    return (step, Metadata::Resolved(resolved.into()));
                }
            },
        };
        let (status, message, hints) = failure.into_parts();
        failures.push(format!("{location}: {message}"));
        last = (status, hints);
    }
    let (status, hints) = last;
    let hint = match status {
        4 | 7 => "try again later, and see the server's state",
        _ => {
            "the issuer, or the URL of the metadata, is another: see the server's documents, or give --token-endpoint"
        }
    };
    let failure = Failure::new(status, failures.join("; ")).with_hint(hint);
    let failure = hints.into_iter().fold(failure, Failure::with_hint);
    (Step::fail("metadata", failure), Metadata::Unusable)
}

/// Looks for a document of a server whose token endpoint is already known. There need not be a document.
fn compare_beside(
    token_url: &str,
    profile: &Profile,
    built: Option<&ProfileAndSigner>,
    responses: &mut Responses<'_>,
) -> Step {
    let mut other = None;
    for (location, response) in responses {
        let Ok(response) = response else {
            break; // the next request would take as long
        };
        let response = Some(response).filter(|response| response.status() == 200);
        let Some(document) = response.and_then(|response| object(&response)) else {
            continue;
        };
        let named = document.get("token_endpoint").and_then(Value::as_str);
        match named {
            Some(named) if named == token_url => {
                let sent = built.and_then(|built| sent(profile, built));
                return compare(Step::ok("metadata", location), &document, sent.as_ref());
            }
            Some(named) => {
                other = Some(format!(
                    "{location} is about {named}, another token endpoint"
                ))
            }
            None => {}
        }
    }
    let why = other.unwrap_or_else(|| "this server has none where they usually are".to_owned());
    Step::skip("metadata", format!("it is not needed; {why}"))
}

/// Compares what a document offers with what is sent. A document may be wrong: the exchange decides.
fn compare(step: Step, document: &Value, sent: Option<&Sent>) -> Step {
    let mut step = step;
    for name in [
        "issuer",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "grant_types_supported",
    ] {
        if let Some(value) = document.get(name) {
            step = step.with_fact(name, value.clone());
        }
    }
    if let Some(issuer) = document.get("issuer").and_then(Value::as_str) {
        step = step.with_line("issuer", issuer);
    }
    let Some(sent) = sent else {
        return step;
    };
    let is_hmac = sent.algorithm.starts_with("HS");
    let method = if is_hmac {
        "client_secret_jwt"
    } else {
        "private_key_jwt"
    };
    let mut found = Vec::new();
    // These two are about clients that sign, not about grants (RFC 8414 §2).
    let of_clients = |text: &'static str| sent.is_client_assertion.then_some(text);
    for (name, what, value, hint) in [
        (
            "token_endpoint_auth_signing_alg_values_supported",
            "the algorithm",
            of_clients(sent.algorithm),
            "choose one of the server's algorithms with --alg, or a key that signs one",
        ),
        (
            "token_endpoint_auth_methods_supported",
            "the method",
            of_clients(method),
            "the client may have to be registered at the server as one that authenticates by a signed JWT",
        ),
        (
            "grant_types_supported",
            "the grant type",
            sent.grant_type.as_deref(),
            "the client may have to be registered at the server for this grant, or another provider is the right one",
        ),
    ] {
        let offered = document.get(name).and_then(Value::as_array);
        let (Some(offered), Some(value)) = (offered, value) else {
            continue;
        };
        let offered: Vec<_> = offered.iter().filter_map(Value::as_str).collect();
        if offered.is_empty() {
            continue; // it says nothing
        }
        step = match offered.contains(&value) {
            true => {
                found.push(value);
                step
            }
            false => step.warn(
                format!("{what} {value} is not offered, but {}", offered.join(", ")),
                hint,
            ),
        };
    }
    match found.is_empty() {
        true => step,
        false => step.with_line("offers", found.join(", ")),
    }
}

/// Returns what a token request would contain, if one can be made.
fn sent(profile: &Profile, built: &ProfileAndSigner) -> Option<Sent> {
    let exchange = Exchange::new(profile, &*built.signer, SystemTime::now()).ok()?;
    let parameters = trace::parameters(exchange.request());
    let value = |wanted: &str| {
        let mut parameters = parameters.iter();
        let found = parameters.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_string())
    };
    let claims = trace::decode(exchange.assertion().secret()).last();
    let claims: Value = serde_json::from_str(&claims?.1).ok()?;
    Some(Sent {
        algorithm: built.signer.algorithm().name(),
        grant_type: value("grant_type"),
        is_client_assertion: value("client_assertion").is_some(),
        aud: claims.get("aud").and_then(Value::as_str).map(str::to_owned),
    })
}

fn object(response: &Response) -> Option<Value> {
    let text = std::str::from_utf8(response.body()).ok()?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    value.is_object().then_some(value)
}
