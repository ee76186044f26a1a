//! The transport of the command line: proxy variables, one more root, and a look at what goes over it.

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Request, Response, Transport};
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use crate::files;
use crate::report::Failure;

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
        let assertion = jwt_in(request.body()).or_else(|| jwt_in(request.url()));
        let cut = |text: &str| match assertion {
            Some(jwt) => text.replace(jwt, &format!("{}...", jwt.get(..12).unwrap_or_default())),
            None => text.to_owned(),
        };
        assertion.into_iter().flat_map(parts).for_each(&row);
        row((
            "request",
            format!(
                "{} {}",
                request.method(),
                without_client_secret(&cut(request.url()))
            ),
        ));
        if !request.body().is_empty() {
            row(("body", without_client_secret(&cut(request.body()))));
        }
        let response = agent.send(request, timeout)?;
        row((
            "response",
            format!(
                "{} {}",
                response.status(),
                response_text(&response, assertion)
            ),
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

/// The first text that looks like a JWT in compact serialization.
fn jwt_in(text: &str) -> Option<&str> {
    let start = text.find("eyJ")?;
    let jwt = text.get(start..)?;
    let end = jwt.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let jwt = jwt.get(..end.unwrap_or(jwt.len()))?;
    (jwt.matches('.').count() == 2).then_some(jwt)
}

/// In a query, in a form, or in JSON.
fn without_client_secret(text: &str) -> String {
    if let Ok(Value::Object(mut members)) = serde_json::from_str(text) {
        if let Some(value) = members.get_mut("client_secret") {
            *value = "...".into();
        }
        return Value::Object(members).to_string();
    }
    let pairs = text.split_inclusive(['?', '&']);
    let pairs = pairs.map(
        |pair| match (pair.starts_with("client_secret="), pair.ends_with('&')) {
            (true, true) => "client_secret=...&",
            (true, false) => "client_secret=...",
            _ => pair,
        },
    );
    pairs.collect()
}

/// JSON without tokens; of anything else only the length, since nobody knows what is in it.
fn response_text(response: &Response, assertion: Option<&str>) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(response.body()) else {
        return format!("{} bytes, no JSON object", response.body().len());
    };
    for (name, value) in &mut members {
        if SPENDABLE.contains(&name.as_str()) {
            *value = "...".into();
        }
    }
    let text = Value::Object(members).to_string();
    match assertion {
        Some(assertion) => text.replace(assertion, "..."),
        None => text,
    }
}
