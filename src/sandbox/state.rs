//! What the sandbox knows: its clients, the faults to come, and the tokens and assertions that it has seen.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SecureRandom as _;
use serde_json::json;

use super::expiring::{ExpiringMap, MAX_ENTRIES};
use super::resource::IssuedTokens;
use super::verify::Key;

/// Marketing Cloud Intelligence documents this lifetime.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// The registration of a client, or of the issuer of a grant.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) id: String,
    pub(super) key: Key,
    pub(super) users: Vec<String>,
    pub(super) tenant: Option<String>,
    pub(super) scopes: Vec<String>,
}

impl Client {
    /// Registers a client under its id: service account, consumer key, application id or issuer.
    pub fn new(id: impl Into<String>, key: Key) -> Self {
        Self {
            id: id.into(),
            key,
            users: Vec::new(),
            tenant: None,
            scopes: Vec::new(),
        }
    }
    /// Adds a user on whose behalf the client may request tokens: the `sub` of a grant.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.users.push(user.into());
        self
    }
    /// Sets the tenant of the client: the `tid` of Cylance.
    #[must_use]
    pub fn with_tenant(self, tenant: impl Into<String>) -> Self {
        Self {
            tenant: Some(tenant.into()),
            ..self
        }
    }
    /// Adds a scope that the client may request.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }
}

/// A failure that the server injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Status 429 with `Retry-After` in seconds.
    TooManyRequests(u64),
    /// Status 503 without a body.
    Unavailable,
    /// No response, until the client closes the connection.
    Silence,
    /// The request is processed, and half of the response body is sent.
    CutBody,
    /// Status 200 with an HTML page, as a proxy or a wrong path answers.
    Html,
}

/// The faults of a server that fails regularly, which take turns.
const FAULTS: [Fault; 5] = [
    Fault::Unavailable,
    Fault::CutBody,
    Fault::TooManyRequests(1),
    Fault::Silence,
    Fault::Html,
];

/// What the threads of the server share.
pub(super) struct State {
    pub(super) url: String,
    pub(super) clients: Vec<Client>,
    pub(super) token_lifetime: Duration,
    pub(super) issued_tokens: IssuedTokens,
    /// How many requests still fail, and how.
    pub(super) next_faults: Option<(u32, Fault)>,
    /// Every how many requests one fails, and the number of requests when counting began.
    pub(super) fault_interval: (usize, usize),
    pub(super) requests: usize,
    /// The `jti` of the latest accepted assertions, at most [`MAX_ENTRIES`].
    pub(super) accepted_jtis: VecDeque<String>,
    /// Client id and `jti` of every accepted assertion that has not expired.
    pub(super) used_jtis: ExpiringMap<(String, String), ()>,
    pub(super) random: ring::rand::SystemRandom,
    pub(super) is_stopped: bool,
}

impl State {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            clients: Vec::new(),
            token_lifetime: DEFAULT_TOKEN_LIFETIME,
            issued_tokens: IssuedTokens::new(),
            next_faults: None,
            fault_interval: (0, 0),
            requests: 0,
            accepted_jtis: VecDeque::new(),
            used_jtis: ExpiringMap::new(),
            random: ring::rand::SystemRandom::new(),
            is_stopped: false,
        }
    }
    /// Returns the fault of the current request, if any, and counts it.
    pub(super) fn injected_fault(&mut self) -> Option<Fault> {
        let count_down = |(left, fault): (u32, Fault)| Some((left.checked_sub(1)?, fault));
        self.next_faults = self.next_faults.and_then(count_down);
        let next = self.next_faults.map(|(_, fault)| fault);
        next.or_else(|| self.periodic_fault())
    }
    fn periodic_fault(&self) -> Option<Fault> {
        let (interval, start) = self.fault_interval;
        let count = self.requests.saturating_sub(start);
        let is_nth = count.checked_rem(interval) == Some(0);
        let number = count.checked_div(interval).filter(|_| is_nth)?;
        let mut faults = FAULTS.iter().copied().cycle();
        faults.nth(number.checked_sub(1)?)
    }
    pub(super) fn now(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.unwrap_or_default().as_secs()
    }
    /// Records the `jti` of an accepted assertion until its `exp`. Returns false for a replay.
    pub(super) fn record_jti(
        &mut self,
        client: &str,
        jti: &str,
        exp: Option<u64>,
        now: SystemTime,
    ) -> bool {
        let expires_at =
            exp.and_then(|exp| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(exp)));
        let key = (client.to_owned(), jti.to_owned());
        let is_new = self.used_jtis.insert(key, (), expires_at, now);
        if is_new {
            self.accepted_jtis.push_back(jti.to_owned());
        }
        if self.accepted_jtis.len() > MAX_ENTRIES {
            self.accepted_jtis.pop_front();
        }
        is_new
    }
    pub(super) fn opaque_access_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random_bytes())
    }
    /// Makes an access token that is a JWT. Its secret is dropped, since only the issuer verifies it.
    pub(super) fn jwt_access_token(&self, subject: &str, scope: Option<&str>) -> String {
        let iat = self.now();
        let exp = iat.saturating_add(self.token_lifetime.as_secs());
        let claims = json!({ "sub": subject, "scp": scope, "iat": iat, "exp": exp });
        let parts = [json!({ "typ": "JWT", "alg": "HS256" }), claims];
        let message = parts
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.random_bytes());
        let tag = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }
    fn random_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // Without random numbers the tokens can be guessed, which a sandbox accepts.
        let _ = self.random.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_jti_refuses_replay_until_assertion_expires() {
        let mut state = State::new(String::new());
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(state.record_jti("client", "jti", Some(60), at(0)));
        assert!(!state.record_jti("client", "jti", Some(60), at(59)));
        assert!(state.record_jti("other", "jti", None, at(59)));
        assert!(state.record_jti("client", "jti", Some(120), at(60)));
        assert!(!state.record_jti("other", "jti", None, at(1_000_000)));
        assert_eq!(state.accepted_jtis, ["jti"; 3]);
    }

    #[test]
    fn record_jti_bounds_what_it_keeps() {
        let mut state = State::new(String::new());
        for n in 0..MAX_ENTRIES + 5 {
            assert!(state.record_jti("client", &n.to_string(), None, SystemTime::now()));
        }
        assert_eq!(state.accepted_jtis.len(), MAX_ENTRIES);
        assert_eq!(state.accepted_jtis.front().map(String::as_str), Some("5"));
    }
}
