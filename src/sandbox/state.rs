//! What the sandbox knows: its clients, the upcoming faults, and the tokens and assertions that it has seen.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom as _;
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::expiring::{ExpiringMap, MAX_ENTRIES};
use super::resource::IssuedTokens;
use super::verify::Key;
use crate::error::Error;
use crate::key::der;

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
    pub(super) audiences: Vec<String>,
    pub(super) secret: Option<Secret>,
    /// SHA-1 and SHA-256 of the certificate, as header members write them.
    pub(super) thumbprints: Vec<String>,
    pub(super) denial: Option<&'static str>,
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
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
            audiences: Vec::new(),
            secret: None,
            thumbprints: Vec::new(),
            denial: None,
        }
    }
    /// Adds a user on whose behalf the client may request tokens: the `sub` of a grant.
    ///
    /// At Box an enterprise is a user too.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.users.push(user.into());
        self
    }
    /// Sets the tenant of the client: the `tid` of Cylance, the team of Apple Ads, and in a path the tenant of
    /// Entra, the realm of Keycloak and the installation of a GitHub App.
    ///
    /// Without a tenant, any tenant in a path is accepted.
    #[must_use]
    pub fn with_tenant(self, tenant: impl Into<String>) -> Self {
        Self {
            tenant: Some(tenant.into()),
            ..self
        }
    }
    /// Adds a scope that the client may request. At Vault it is a role.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }
    /// Adds an `aud` that the client may send besides those that its server documents: Vault's `bound_audiences`.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }
    /// Sets the secret of a client that sends one in addition to the assertion, as at Box.
    #[must_use]
    pub fn with_secret(self, secret: impl Into<String>) -> Self {
        Self {
            secret: Some(Secret(secret.into())),
            ..self
        }
    }
    /// Sets the certificate whose thumbprint the assertion must name, at Entra. It is PEM or DER.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) if it is neither.
    pub fn with_certificate(self, certificate: impl AsRef<[u8]>) -> Result<Self, Error> {
        let bytes = certificate.as_ref();
        let der = match pem::parse_many(bytes).unwrap_or_default() {
            blocks if blocks.is_empty() => bytes.to_owned(),
            blocks => {
                let mut blocks = blocks.into_iter();
                let certificate = blocks.find(|block| block.tag() == "CERTIFICATE");
                certificate.map(pem::Pem::into_contents).unwrap_or_default()
            }
        };
        if !der::is_sequence(&der) {
            return Err(Error::key("this is not a certificate in PEM or DER"));
        }
        let hashes = [&digest::SHA1_FOR_LEGACY_USE_ONLY, &digest::SHA256];
        let thumbprint = |hash| URL_SAFE_NO_PAD.encode(digest::digest(hash, &der));
        Ok(Self {
            thumbprints: hashes.map(thumbprint).to_vec(),
            ..self
        })
    }
    /// Refuses the client even if its assertions are correct, as when consent is missing or an app is suspended.
    ///
    /// `code` is an error code of the server, or one named under [servers](crate::sandbox#servers).
    #[must_use]
    pub fn with_denial(self, code: &'static str) -> Self {
        Self {
            denial: Some(code),
            ..self
        }
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
    /// The response comes this many seconds late.
    Slow(u64),
    /// No response, until the client closes the connection.
    Silence,
    /// The request is processed, and half of the response body is sent.
    CutBody,
    /// Status 200 with an HTML page, as from a proxy or a wrong path.
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
    /// The interval between failing requests, and the number of requests when counting began.
    pub(super) fault_interval: (usize, usize),
    pub(super) requests: usize,
    /// The latest of these without their clients, in order, at most [`MAX_ENTRIES`].
    pub(super) latest_jtis: VecDeque<String>,
    /// The latest accepted assertion of each base.
    pub(super) accepted_assertions: BTreeMap<&'static str, String>,
    /// Client id and `jti` that an assertion has used, until that assertion expires.
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
            latest_jtis: VecDeque::new(),
            accepted_assertions: BTreeMap::new(),
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
    /// Records a `jti` as used until the `exp` of its assertion. Returns false for a replay.
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
            self.latest_jtis.push_back(jti.to_owned());
        }
        if self.latest_jtis.len() > MAX_ENTRIES {
            self.latest_jtis.pop_front();
        }
        is_new
    }
    pub(super) fn opaque_access_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random_bytes())
    }
    /// Makes a token that is a JWT. Its secret is dropped, since only the issuer verifies it.
    pub(super) fn jwt(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "HS256" });
        let parts = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = parts.join(".");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.random_bytes());
        let tag = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }
    /// Returns random text in the form of a UUID, for servers that number their responses.
    pub(super) fn uuid(&self) -> String {
        let hyphens = [4, 6, 8, 10];
        let (bytes, mut text) = (self.random_bytes(), String::new());
        for (n, byte) in bytes.iter().take(16).enumerate() {
            let hyphen = if hyphens.contains(&n) { "-" } else { "" };
            text.push_str(&format!("{hyphen}{byte:02x}"));
        }
        text
    }
    fn random_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // Without random numbers the tokens can be guessed, which a sandbox accepts.
        let _ = self.random.fill(&mut bytes);
        bytes
    }
}

/// Writes a time as RFC 3339 does. `end` is the text after the seconds.
pub(super) fn rfc_3339(time: SystemTime, end: &str) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let date = httpdate::fmt_http_date(time); // such as Sun, 06 Nov 1994 08:49:37 GMT
    let mut parts = date.split(' ').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let (day, month, year, time) = (next(), next(), next(), next());
    let number = MONTHS.find(month).unwrap_or_default() / 3;
    format!("{year}-{:02}-{day}T{time}{end}", number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_writes_the_example_of_rfc_9110() {
        let time = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(rfc_3339(time, "Z"), "1994-11-06T08:49:37Z");
    }

    #[test]
    fn record_jti_refuses_replay_until_assertion_expires() {
        let mut state = State::new(String::new());
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(state.record_jti("client", "jti", Some(60), at(0)));
        assert!(!state.record_jti("client", "jti", Some(60), at(59)));
        assert!(state.record_jti("other", "jti", None, at(59)));
        assert!(state.record_jti("client", "jti", Some(120), at(60)));
        assert!(!state.record_jti("other", "jti", None, at(1_000_000)));
        assert_eq!(state.latest_jtis, ["jti"; 3]);
    }

    #[test]
    fn record_jti_bounds_what_it_keeps() {
        let mut state = State::new(String::new());
        for n in 0..MAX_ENTRIES + 5 {
            assert!(state.record_jti("client", &n.to_string(), None, SystemTime::now()));
        }
        assert_eq!(state.latest_jtis.len(), MAX_ENTRIES);
        assert_eq!(state.latest_jtis.front().map(String::as_str), Some("5"));
    }
}
