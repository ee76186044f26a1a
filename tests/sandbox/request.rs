//! Requests with assertions that are written out by hand, to be changed in one thing each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::Signer;
use serde_json::{Map, Value, json};

/// Where a request carries its parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Form,
    Json,
    /// The assertion is in `Authorization: Bearer`, and there are no parameters.
    Bearer,
}

#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) body: Body,
    /// The parameter of the assertion: a JSON pointer in JSON.
    pub(crate) assertion: &'static str,
    pub(crate) parameters: Value,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) key: Arc<dyn Signer>,
}

/// The value of a `jti` that each request replaces with a new one.
pub(crate) const NEW: &str = "new";

pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().unwrap();
    match value {
        Value::Null => drop(object.remove(name)),
        value => drop(object.insert(name.to_owned(), value)),
    }
}

impl Request {
    /// RFC 7523 §2.1.
    pub(crate) fn grant(url: String, key: Arc<dyn Signer>, claims: Value) -> Self {
        let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        Self {
            url,
            body: Body::Form,
            assertion: "assertion",
            parameters: json!({ "grant_type": grant_type }),
            headers: Vec::new(),
            header: json!({ "typ": "JWT" }),
            claims,
            key,
        }
    }
    /// RFC 7523 §2.2.
    pub(crate) fn client(url: String, key: Arc<dyn Signer>, claims: Value) -> Self {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        Self {
            assertion: "client_assertion",
            parameters: json!({
                "grant_type": "client_credentials",
                "client_assertion_type": kind,
            }),
            ..Self::grant(url, key, claims)
        }
    }
    pub(crate) fn json(url: String, key: Arc<dyn Signer>, claims: Value) -> Self {
        Self {
            body: Body::Json,
            parameters: json!({}),
            ..Self::grant(url, key, claims)
        }
    }
    pub(crate) fn bearer(url: String, key: Arc<dyn Signer>, claims: Value) -> Self {
        Self {
            body: Body::Bearer,
            ..Self::grant(url, key, claims)
        }
    }

    /// Sets a claim, or removes it if `value` is null. `header` and `parameter` do the same.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }
    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }
    pub(crate) fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.parameters, name, value.into());
        self
    }
    pub(crate) fn request_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }
    pub(crate) fn key(self, key: Arc<dyn Signer>) -> Self {
        Self { key, ..self }
    }
    pub(crate) fn url(self, url: String) -> Self {
        Self { url, ..self }
    }

    fn jwt(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        if header.get("alg").is_none() {
            set(&mut header, "alg", self.key.algorithm().name().into());
        }
        if claims["jti"] == NEW {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            claims["jti"] = format!("{count:032x}").into();
        }
        let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = parts.join(".");
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Sends the request. Returns the status and the body, which is a string if it is plain text.
    pub(crate) fn send(&self) -> (u16, Value) {
        self.send_with(&super::agent())
    }
    pub(crate) fn send_with(&self, agent: &ureq::Agent) -> (u16, Value) {
        let jwt = self.jwt();
        let mut request = agent.post(&self.url);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut response = match self.body {
            Body::Bearer
                if self
                    .headers
                    .iter()
                    .any(|(name, _)| *name == "Authorization") =>
            {
                request.send_empty()
            }
            Body::Bearer => {
                let request = request.header("Authorization", format!("bearer {jwt}"));
                request.send_empty()
            }
            Body::Form => {
                let mut parameters = self.parameters.as_object().unwrap().clone();
                parameters.insert(self.assertion.to_owned(), jwt.into());
                let pairs = parameters.iter().map(|(n, v)| (n, v.as_str().unwrap()));
                request.send_form(pairs)
            }
            Body::Json => {
                let mut parameters = self.parameters.clone();
                insert(&mut parameters, self.assertion, jwt);
                request
                    .content_type("application/json")
                    .send(parameters.to_string())
            }
        }
        .unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let is_json = response.headers()["Content-Type"] == "application/json";
        let body = match is_json {
            true => serde_json::from_str(&text).unwrap(),
            false => text.into(),
        };
        (response.status().as_u16(), body)
    }
}

/// Inserts a member into an object, or into an object in it: `a.b` is the member `b` of the member `a`.
fn insert(object: &mut Value, path: &str, text: String) {
    match path.split_once('.') {
        None => object[path] = text.into(),
        Some((first, rest)) => {
            if object[first].is_null() {
                object[first] = Map::new().into();
            }
            insert(&mut object[first], rest, text);
        }
    }
}
