//! The transport of the command line: proxy variables, one more root, and a look at what goes over it.

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Request, Response, Transport};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use crate::files;
use crate::report::Failure;

/// Parameters that carry the assertion. Another JWT may be among them.
const ASSERTIONS: &[&str] = &["assertion", "auth_token", "client_assertion"];
/// Bytes of a secret that is looked for in a response: a shorter one is in any sentence.
const SHORTEST: usize = 6;
/// Members of a response that can be spent.
const SPENDABLE: &[&str] = &["access_token", "refresh_token", "id_token"];

/// An agent with the proxy of the environment, and one more root.
pub(crate) fn agent(ca: Option<&Path>) -> Result<Agent, Failure> {
    let mut config = Agent::config_builder().proxy(Proxy::try_from_env());
    if let Some(file) = ca {
        let tls = TlsConfig::builder().root_certs(roots_and(file)?);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

/// The same agent, watched: every request and response as labelled lines, without what can be spent.
pub(crate) fn observed(
    agent: Agent,
    row: impl Fn((&str, String)) + Send + Sync,
) -> impl Fn(&Request, Duration) -> io::Result<Response> + Send + Sync {
    move |request: &Request, timeout: Duration| {
        let sent = parameters(request);
        let assertion = (sent.iter()).find(|(name, _)| ASSERTIONS.contains(&name.as_str()));
        assertion
            .into_iter()
            .flat_map(|(_, jwt)| parts(jwt))
            .for_each(&row);
        let (method, url) = (request.method(), without_secrets(request.url()));
        row(("request", format!("{method} {url}")));
        if !request.body().is_empty() {
            row((
                "body",
                without_secrets(&String::from_utf8_lossy(request.body())),
            ));
        }
        let response = agent.send(request, timeout)?;
        row((
            "response",
            format!("{} {}", response.status(), response_text(&response, &sent)),
        ));
        Ok(response)
    }
}

/// Header and claims of a JWT, decoded.
pub(crate) fn parts(jwt: &str) -> impl Iterator<Item = (&'static str, String)> {
    ["header", "claims"]
        .into_iter()
        .zip(jwt.split('.'))
        .map(|(what, segment)| {
            let bytes = URL_SAFE_NO_PAD.decode(segment).unwrap_or_default();
            (what, String::from_utf8_lossy(&bytes).into_owned())
        })
}

/// Mozilla's roots and those of a file.
fn roots_and(file: &Path) -> Result<RootCerts, Failure> {
    let text = files::read(file)?;
    let own: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if own.is_empty() {
        return Err(Failure::config(format!(
            "{}: there is no certificate in this",
            file.display()
        )));
    }
    let known = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let known = known.map(|der| Certificate::from_der(der).to_owned());
    Ok(RootCerts::from(known.chain(own)))
}

fn is_jwt(text: &str) -> bool {
    let of_one = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.starts_with("eyJ") && text.matches('.').count() == 2 && text.chars().all(of_one)
}

/// Parameters whose values are no secrets: `src/profile/claims.rs` has the reasons.
const PUBLIC: &[&str] = &[
    "audience",
    "client_assertion_type",
    "client_id",
    "grant_type",
    "requested_token_type",
    "resource",
    "scope",
];

/// Names and values, as they were before they were sent.
fn parameters(request: &Request) -> Vec<(String, String)> {
    let query = request.url().split_once('?').map(|(_, query)| query);
    let text = match std::str::from_utf8(request.body()).unwrap_or_default() {
        "" => query.unwrap_or_default(),
        body => body,
    };
    if let Ok(Value::Object(members)) = serde_json::from_str(text) {
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        return (members.into_iter())
            .map(|(name, value)| (name, text(value)))
            .collect();
    }
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// A URL, a form or JSON, with the beginning of a JWT and nothing of another value that may be a
/// secret.
fn without_secrets(text: &str) -> String {
    let elided = |value: &str| match value.get(..12).filter(|_| is_jwt(value)) {
        Some(beginning) => format!("{beginning}..."),
        None => "...".to_owned(),
    };
    if let Ok(Value::Object(mut members)) = serde_json::from_str(text) {
        for (name, value) in &mut members {
            if !PUBLIC.contains(&name.as_str()) {
                *value = elided(value.as_str().unwrap_or_default()).into();
            }
        }
        return Value::Object(members).to_string();
    }
    let pairs = text.split_inclusive(['?', '&']).map(|pair| {
        let joint = ['?', '&'].into_iter().find(|joint| pair.ends_with(*joint));
        let bare = pair.trim_end_matches(['?', '&']);
        match bare.split_once('=') {
            Some((name, value)) if !PUBLIC.contains(&name) => {
                let joint = joint.map(String::from).unwrap_or_default();
                format!("{name}={}{joint}", elided(value))
            }
            _ => pair.to_owned(),
        }
    });
    pairs.collect()
}

/// JSON without tokens and without what it repeats of the parameters; of anything else only the
/// length, since nobody knows what is in it.
fn response_text(response: &Response, sent: &[(String, String)]) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(response.body()) else {
        return format!("{} bytes, no JSON object", response.body().len());
    };
    for (name, value) in &mut members {
        if SPENDABLE.contains(&name.as_str()) {
            *value = "...".into();
        }
    }
    let text = Value::Object(members).to_string();
    let secret = |(name, value): &&(String, String)| {
        !PUBLIC.contains(&name.as_str()) && value.len() >= SHORTEST
    };
    let secrets = sent.iter().filter(secret);
    secrets.fold(text, |text, (_, secret)| text.replace(secret, "..."))
}
