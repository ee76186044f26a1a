//! An authorization server on loopback for tests and demonstrations, **never for production**.
//!
//! It has the token endpoints of Marketing Cloud Intelligence, the Salesforce Platform and Cylance, and a generic
//! one for RFC 7523. It verifies signature, `alg`, issuer, audience, times and `jti` replay of every assertion.
//! The signatures are verified by `ring`, not by the code that signs. A [protected resource](Server::resource)
//! accepts the tokens until they expire. All state is in memory. There is no TLS and no rate limit, and the
//! server listens on loopback only.
//!
//! Memory is bounded: the server forgets the `jti` of an assertion when the assertion expires, an access token a minute
//! after it expires, and the entries that expire first once there are 10,000 of a kind.
//!
//! ```
//! use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, TokenSource, sandbox};
//!
//! let server = sandbox::Server::start()?;
//! server.register(sandbox::Client::new("client-1", sandbox::Key::secret("s3cret")).with_scope("read"));
//!
//! let endpoint = Endpoint::issuer(server.url())?;
//! let profile = Profile::client_credentials(endpoint, "client-1", Audience::Issuer).with_scope("read");
//! let source = TokenSource::new(profile, HmacKey::new("s3cret")?)?;
//! assert_eq!(source.token()?.scope(), Some("read"));
//!
//! // See how a program handles a server that is busy: the source sends a second request.
//! server.fail_next(1, sandbox::Fault::Unavailable);
//! assert!(source.fetch_uncached().is_ok());
//! assert_eq!(server.requests(), 4); // metadata, a token, 503, another token
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SecureRandom as _;
use serde_json::json;

mod connection;
mod expiring;
mod resource;
mod strict_json;
mod token_endpoint;
mod verify;

use connection::{HttpRequest, HttpResponse};
use expiring::{ExpiringMap, MAX_ENTRIES};
use resource::IssuedTokens;
pub use verify::Key;

use crate::redact::visible;

/// Marketing Cloud Intelligence documents this lifetime.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// The largest number of connections at the same time, since each has a thread. A test with a hundred threads fits.
const MAX_CONNECTIONS: usize = 256;

/// The registration of a client, or of the issuer of a grant.
#[derive(Clone, Debug)]
pub struct Client {
    id: String,
    key: Key,
    users: Vec<String>,
    tenant: Option<String>,
    scopes: Vec<String>,
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

/// The faults that [`Server::fail_every`] cycles through.
const FAULTS: [Fault; 5] = [
    Fault::Unavailable,
    Fault::CutBody,
    Fault::TooManyRequests(1),
    Fault::Silence,
    Fault::Html,
];

/// A running authorization server. Dropping it stops the server and its threads.
pub struct Server {
    url: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    address: SocketAddr,
}

struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
    log: Box<dyn Fn(&str) + Send + Sync>,
}

/// What the threads of the server share.
struct State {
    url: String,
    clients: Vec<Client>,
    token_lifetime: Duration,
    issued_tokens: IssuedTokens,
    /// How many requests still fail, and how.
    next_faults: Option<(u32, Fault)>,
    /// Every how many requests one fails, and the number of requests when counting began.
    fault_interval: (usize, usize),
    requests: usize,
    /// The `jti` of the latest accepted assertions, at most [`MAX_ENTRIES`].
    accepted_jtis: VecDeque<String>,
    /// Client id and `jti` of every accepted assertion that has not expired.
    used_jtis: ExpiringMap<(String, String), ()>,
    random: ring::rand::SystemRandom,
    is_stopped: bool,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port or no thread is available.
    pub fn start() -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), |_| {})
    }

    /// Starts a server on a loopback `address` and passes one line per request to `log`.
    ///
    /// The line has no control, bidirectional or invisible characters, whatever the client sent.
    ///
    /// # Errors
    /// When the address is not a loopback address or is in use, or no thread is available.
    pub fn listen(
        address: SocketAddr,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let message = "the sandbox listens on loopback only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(url.clone())),
            stopped: Condvar::new(),
            log: Box::new(log),
        });
        let acceptor = thread::Builder::new()
            .name("jwt-bearer sandbox".to_owned())
            .spawn({
                let shared = shared.clone();
                move || accept_connections(&listener, &shared)
            })?;
        Ok(Self {
            url,
            shared,
            acceptor: Some(acceptor),
            address,
        })
    }

    /// Returns `http://127.0.0.1:port`: the issuer, the login URL of Salesforce and the base URL of Cylance.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Returns the metadata URL of Marketing Cloud Intelligence.
    ///
    /// It is the `discoveryEndpoint` of a credential file.
    pub fn discovery_endpoint(&self) -> String {
        format!("{}/discovery", self.url)
    }
    /// Returns the token endpoint of Marketing Cloud Intelligence.
    pub fn intelligence_endpoint(&self) -> String {
        format!("{}/us1/token", self.url)
    }
    /// Returns the generic token endpoint, for `client_credentials` and the JWT bearer grant.
    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.url)
    }
    /// Returns the URL of a protected resource.
    ///
    /// It answers 200 to a token of this server until that token expires, and 401 as in RFC 6750 §3.1
    /// otherwise. It plays the part of another server: no fault is injected into it, and
    /// [`requests`](Self::requests) does not count its requests.
    pub fn resource(&self) -> String {
        format!("{}{}", self.url, resource::PATH)
    }
    /// Registers `client` and replaces a client of the same id.
    pub fn register(&self, client: Client) {
        let mut state = self.shared.state();
        state.clients.retain(|other| other.id != client.id);
        state.clients.push(client);
    }
    /// Sets the lifetime of the tokens issued from now on. Defaults to 300 seconds.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.state().token_lifetime = lifetime;
    }
    /// Injects `fault` into the next `requests` requests, metadata included. Zero stops it.
    pub fn fail_next(&self, requests: u32, fault: Fault) {
        self.shared.state().next_faults = Some((requests, fault));
    }
    /// Injects a fault into every `nth` request from now on. Zero stops it.
    ///
    /// The faults take turns. `Retry-After` is one second.
    pub fn fail_every(&self, nth: usize) {
        let mut state = self.shared.state();
        state.fault_interval = (nth, state.requests);
    }
    /// Revokes all tokens issued so far, as an administrator may: the resource refuses them.
    pub fn revoke_tokens(&self) {
        self.shared.state().issued_tokens = IssuedTokens::new();
    }
    /// Returns how many requests the server received, metadata and failed requests included.
    pub fn requests(&self) -> usize {
        self.shared.state().requests
    }
    /// Returns the `jti` of every accepted assertion in order, up to the latest 10,000.
    pub fn jtis(&self) -> Vec<String> {
        self.shared.state().accepted_jtis.iter().cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state().is_stopped = true;
        self.shared.stopped.notify_all();
        let _ = TcpStream::connect(self.address); // wakes the acceptor thread
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Serves each connection in a thread, so that a silent client delays no other.
///
/// A connection is closed at once when there are [`MAX_CONNECTIONS`], or when the operating system refuses a thread.
/// Returns when the server is stopped and all these threads have ended.
fn accept_connections(listener: &TcpListener, shared: &Shared) {
    let open = AtomicUsize::new(0);
    let open = &open;
    thread::scope(|connections| {
        for stream in listener.incoming() {
            if shared.state().is_stopped {
                break;
            }
            let Ok(mut stream) = stream else { continue };
            if open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
                continue;
            }
            open.fetch_add(1, Ordering::Relaxed);
            let spawned = thread::Builder::new().spawn_scoped(connections, move || {
                // A client that closes its connection is no error of the server.
                let _ = serve(&mut stream, shared);
                open.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_err() {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    });
}

fn serve(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let Some(request) = HttpRequest::read(stream, || shared.state().is_stopped)? else {
        return Ok(());
    };
    let mut state = shared.state();
    if request.path == resource::PATH {
        let response = state.issued_tokens.authorize(&request, SystemTime::now());
        drop(state);
        shared.log(&format!(
            "{} {} {}",
            request.method, request.path, response.status
        ));
        return response.write(stream, false);
    }
    state.requests = state.requests.saturating_add(1);
    let fault = state.injected_fault();
    let injected = |status, headers, body: &str, name| {
        let response = HttpResponse {
            status,
            headers,
            body: body.to_owned(),
        };
        (response, format!("injected fault: {name}"))
    };
    let (response, log) = match fault {
        Some(Fault::TooManyRequests(seconds)) => {
            let headers = vec![("Retry-After", seconds.to_string())];
            injected(429, headers, "", "429")
        }
        Some(Fault::Unavailable) => injected(503, Vec::new(), "", "503"),
        Some(Fault::Html) => {
            let headers = vec![("Content-Type", "text/html".to_owned())];
            let page = "<!DOCTYPE html><title>Hello</title>";
            injected(200, headers, page, "HTML")
        }
        Some(Fault::Silence) => {
            shared.log(&format!(
                "{} {}: injected fault: silence",
                request.method, request.path
            ));
            while !state.is_stopped && is_connected(stream) {
                let waited = shared
                    .stopped
                    .wait_timeout(state, connection::POLL_INTERVAL);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            return Ok(());
        }
        Some(Fault::CutBody) | None => token_endpoint::respond(&mut state, &request),
    };
    drop(state);
    shared.log(&format!(
        "{} {} {}: {log}",
        request.method, request.path, response.status
    ));
    response.write(stream, fault == Some(Fault::CutBody))
}

/// Returns false when the client has closed the connection, which a read of no bytes shows.
fn is_connected(stream: &TcpStream) -> bool {
    !matches!(stream.peek(&mut [0]), Ok(0))
}

impl Shared {
    fn log(&self, line: &str) {
        (self.log)(&visible(line));
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(url: String) -> Self {
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
    fn injected_fault(&mut self) -> Option<Fault> {
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
    fn now(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.unwrap_or_default().as_secs()
    }
    /// Records the `jti` of an accepted assertion until its `exp`. Returns false for a replay.
    fn record_jti(&mut self, client: &str, jti: &str, exp: Option<u64>, now: SystemTime) -> bool {
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
    fn opaque_access_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random_bytes())
    }
    /// Makes an access token that is a JWT. Its secret is dropped, since only the issuer verifies it.
    fn jwt_access_token(&self, subject: &str, scope: Option<&str>) -> String {
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
