//! A token in, 200 or 401 out: what a token is for.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::wire::{Reply, Request};

pub(super) const PATH: &str = "/resource";
/// For so long it is told that a token has expired, rather than that nobody knows it.
const MEMORY: Duration = Duration::from_secs(60);

/// Every token that was handed out, whose it is, and when it ends.
#[derive(Default)]
pub(super) struct Tokens(HashMap<String, (String, SystemTime)>);

impl Tokens {
    /// What a client gets at `now`, in the answer of a token endpoint.
    pub(super) fn hand_out(
        &mut self,
        answer: &Value,
        client: &str,
        now: SystemTime,
        life: Duration,
    ) {
        let is_known = |end: SystemTime| now.duration_since(end).unwrap_or_default() < MEMORY;
        self.0.retain(|_, (_, end)| is_known(*end));
        let secret = answer.get("access_token").and_then(Value::as_str);
        if let (Some(secret), Some(end)) = (secret, now.checked_add(life)) {
            self.0.insert(secret.to_owned(), (client.to_owned(), end));
        }
    }

    /// RFC 6750 §2.1 and §3.
    pub(super) fn open(&self, request: &Request, now: SystemTime) -> Reply {
        let Some(secret) = request.authorization.strip_prefix("Bearer ") else {
            return refused("Bearer".to_owned(), json!({}));
        };
        let why = match self.0.get(secret) {
            None => "the token is unknown".to_owned(),
            Some((client, end)) => match now.duration_since(*end) {
                Err(_) => return Reply::json(200, json!({ "client_id": client })),
                Ok(since) => format!("the token expired {} ms ago", since.as_millis()),
            },
        };
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{why}\"");
        let body = json!({ "error": "invalid_token", "error_description": why });
        refused(challenge, body)
    }
}

fn refused(challenge: String, body: Value) -> Reply {
    let mut reply = Reply::json(401, body);
    reply.headers.push(("WWW-Authenticate", challenge));
    reply
}
