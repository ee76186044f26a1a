//! A protected resource: 200 to a token that this server issued, otherwise 401.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::connection::{HttpRequest, HttpResponse};
use super::expiring::ExpiringMap;

pub(super) const PATH: &str = "/resource";
/// An expired token is called expired for this long, and unknown after that.
const EXPIRED_TOKEN_RETENTION: Duration = Duration::from_secs(60);

/// The issued tokens by their text, each with its client id and expiry time.
pub(super) struct IssuedTokens(ExpiringMap<String, (String, SystemTime)>);

impl IssuedTokens {
    pub(super) fn new() -> Self {
        Self(ExpiringMap::new())
    }

    /// Records a token that is issued at `now`.
    pub(super) fn record(
        &mut self,
        token: &str,
        client: &str,
        now: SystemTime,
        lifetime: Duration,
    ) {
        if let Some(expires_at) = now.checked_add(lifetime) {
            let forgotten_at = expires_at.checked_add(EXPIRED_TOKEN_RETENTION);
            let value = (client.to_owned(), expires_at);
            self.0.insert(token.to_owned(), value, forgotten_at, now);
        }
    }

    /// Checks the `Authorization` header of a request (RFC 6750 §2.1 and §3).
    pub(super) fn authorize(&self, request: &HttpRequest, now: SystemTime) -> HttpResponse {
        let Some(token) = request.header("Authorization").strip_prefix("Bearer ") else {
            return unauthorized("Bearer".to_owned(), json!({}));
        };
        let reason = match self.0.get(token) {
            None => "the token is unknown".to_owned(),
            Some((client, expires_at)) => match now.duration_since(*expires_at) {
                Err(_) => return HttpResponse::json(200, json!({ "client_id": client })),
                Ok(since) => format!("the token expired {} ms ago", since.as_millis()),
            },
        };
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
        let body = json!({ "error": "invalid_token", "error_description": reason });
        unauthorized(challenge, body)
    }
}

fn unauthorized(challenge: String, body: Value) -> HttpResponse {
    let mut response = HttpResponse::json(401, body);
    response.headers.push(("WWW-Authenticate", challenge));
    response
}
