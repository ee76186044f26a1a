//! An authorization server on loopback that really checks assertions: for tests and demonstrations,
//! **never for production**.
//!
//! It speaks as the three systems and as any RFC 7523 server do, and verifies signature, `alg`, issuer,
//! audience, times and `jti` replay with `ring`, so by other code than signs them here. Its tokens open a
//! [resource](Server::resource) for as long as they live. It keeps everything in memory, knows no TLS and no
//! rate limit, and listens on loopback only.
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
//! // How does your program take a server that is busy? The source asks again.
//! server.fail_next(1, sandbox::Fault::Unavailable);
//! assert!(source.fetch_uncached().is_ok());
//! assert_eq!(server.requests(), 4); // metadata, a token, 503, another token
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SecureRandom as _;
use serde_json::json;

mod resource;
mod systems;
mod verify;
mod wire;

use resource::Tokens;
pub use verify::Key;
use wire::{Reply, Request};

/// A token lives that long unless told otherwise: what the first system's document says.
const LIFETIME: Duration = Duration::from_secs(300);

/// Who may ask: a client, or the issuer of a grant.
#[derive(Clone, Debug)]
pub struct Client {
    id: String,
    key: Key,
    users: Vec<String>,
    tenant: Option<String>,
    scopes: Vec<String>,
}

impl Client {
    /// A client by its id: service account, consumer key, application id, issuer.
    pub fn new(id: impl Into<String>, key: Key) -> Self {
        Self {
            id: id.into(),
            key,
            users: Vec::new(),
            tenant: None,
            scopes: Vec::new(),
        }
    }
    /// With one more user that it may ask for: `sub` of a grant.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.users.push(user.into());
        self
    }
    /// With the tenant that it belongs to: `tid` at Cylance.
    #[must_use]
    pub fn with_tenant(self, tenant: impl Into<String>) -> Self {
        Self {
            tenant: Some(tenant.into()),
            ..self
        }
    }
    /// With one more scope that it may ask for.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }
}

/// How a request fails that is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429, with `Retry-After` in seconds.
    TooManyRequests(u64),
    /// 503 without a word.
    Unavailable,
    /// No answer, until the client gives up.
    Silence,
    /// The work is done and half of the body is sent.
    CutBody,
    /// 200 and a page, as a proxy or a wrong path answers.
    Html,
}

/// Every way to fail, by turns.
const FAULTS: [Fault; 5] = [
    Fault::Unavailable,
    Fault::CutBody,
    Fault::TooManyRequests(1),
    Fault::Silence,
    Fault::Html,
];

/// A running server. It ends, with its threads, when it is dropped.
pub struct Server {
    url: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
    address: SocketAddr,
}

struct Shared {
    world: Mutex<World>,
    ended: Condvar,
    log: Box<dyn Fn(&str) + Send + Sync>,
}

/// Everything the server knows.
struct World {
    url: String,
    clients: Vec<Client>,
    lifetime: Duration,
    tokens: Tokens,
    fault: Option<(u32, Fault)>,
    /// Of so many requests one fails, counted from this one on.
    every: (usize, usize),
    requests: usize,
    jtis: Vec<String>,
    used: HashSet<(String, String)>,
    random: ring::rand::SystemRandom,
    ended: bool,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub fn start() -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), |_| {})
    }

    /// Listens on `address`, which is of loopback, and tells `log` one line a request.
    ///
    /// # Errors
    /// Where the address is not of loopback, or taken.
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
            world: Mutex::new(World::new(url.clone())),
            ended: Condvar::new(),
            log: Box::new(log),
        });
        let accepting = thread::Builder::new()
            .name("jwt-bearer sandbox".to_owned())
            .spawn({
                let shared = shared.clone();
                move || accept(&listener, &shared)
            })?;
        Ok(Self {
            url,
            shared,
            accepting: Some(accepting),
            address,
        })
    }

    /// `http://127.0.0.1:port`: issuer, login URL of Salesforce, base URL of Cylance.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// The discovery document of Marketing Cloud Intelligence: the `discoveryEndpoint` of a credential file.
    pub fn discovery_endpoint(&self) -> String {
        format!("{}/discovery", self.url)
    }
    /// The token endpoint of Marketing Cloud Intelligence.
    pub fn intelligence_endpoint(&self) -> String {
        format!("{}/us1/token", self.url)
    }
    /// The token endpoint of the two generic uses.
    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.url)
    }
    /// A resource that every token opens which was handed out here: 200 while it lives, else 401 as in
    /// RFC 6750 §3.1.
    ///
    /// It is beside the authorization server: no fault concerns it, and [`requests`](Self::requests)
    /// does not count it.
    pub fn resource(&self) -> String {
        format!("{}{}", self.url, resource::PATH)
    }
    /// Knows `client` from now on; one of the same id is replaced.
    pub fn register(&self, client: Client) {
        let mut world = self.shared.world();
        world.clients.retain(|other| other.id != client.id);
        world.clients.push(client);
    }
    /// How long tokens live from now on. Defaults to 300 seconds.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.world().lifetime = lifetime;
    }
    /// Fails the next `requests` in this way, whatever they are; zero ends a fault.
    pub fn fail_next(&self, requests: u32, fault: Fault) {
        self.shared.world().fault = Some((requests, fault));
    }
    /// Fails every `nth` request from now on, each time in another way, with a second in `Retry-After`;
    /// zero ends that.
    pub fn fail_every(&self, nth: usize) {
        let mut world = self.shared.world();
        world.every = (nth, world.requests);
    }
    /// What an administrator may do: from now on the resource takes none of the tokens handed out so far.
    pub fn revoke_tokens(&self) {
        self.shared.world().tokens = Tokens::default();
    }
    /// How many requests came, metadata and failed ones included.
    pub fn requests(&self) -> usize {
        self.shared.world().requests
    }
    /// The `jti` of every assertion that was taken, in order.
    pub fn jtis(&self) -> Vec<String> {
        self.shared.world().jtis.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.world().ended = true;
        self.shared.ended.notify_all();
        let _ = TcpStream::connect(self.address); // wakes the thread that accepts
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
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

/// A thread a connection, all ended before this one: a client that is silent holds up nobody.
fn accept(listener: &TcpListener, shared: &Shared) {
    thread::scope(|connections| {
        for stream in listener.incoming() {
            if shared.world().ended {
                break;
            }
            let Ok(mut stream) = stream else { continue };
            connections.spawn(move || {
                // A client that goes away is its own affair.
                let _ = serve(&mut stream, shared);
            });
        }
    });
}

fn serve(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let Some(request) = Request::read(stream, || shared.world().ended)? else {
        return Ok(());
    };
    let mut world = shared.world();
    if request.path == resource::PATH {
        let reply = world.tokens.open(&request, SystemTime::now());
        drop(world);
        (shared.log)(&format!(
            "{} {} {}",
            request.method, request.path, reply.status
        ));
        return reply.write(stream, false);
    }
    world.requests = world.requests.saturating_add(1);
    let fault = world.next_fault();
    let plain = |status, headers, body: &str| Reply {
        status,
        headers,
        body: body.to_owned(),
    };
    let (reply, log) = match fault {
        Some(Fault::TooManyRequests(seconds)) => {
            let headers = vec![("Retry-After", seconds.to_string())];
            (plain(429, headers, ""), "told to fail: 429".to_owned())
        }
        Some(Fault::Unavailable) => (plain(503, Vec::new(), ""), "told to fail: 503".to_owned()),
        Some(Fault::Html) => {
            let headers = vec![("Content-Type", "text/html".to_owned())];
            (
                plain(200, headers, "<!DOCTYPE html><title>Hello</title>"),
                "told to fail: HTML".to_owned(),
            )
        }
        Some(Fault::Silence) => {
            (shared.log)(&format!(
                "{} {}: told to fail: silence",
                request.method, request.path
            ));
            while !world.ended && is_there(stream) {
                let waited = shared.ended.wait_timeout(world, wire::TICK);
                world = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            return Ok(());
        }
        Some(Fault::CutBody) | None => {
            let outcome = systems::answer(&mut world, &request);
            (outcome.reply, outcome.log)
        }
    };
    drop(world);
    (shared.log)(&format!(
        "{} {} {}: {log}",
        request.method, request.path, reply.status
    ));
    reply.write(stream, fault == Some(Fault::CutBody))
}

/// Whether the client still waits: a read has nothing to say, rather than the end.
fn is_there(stream: &TcpStream) -> bool {
    !matches!(stream.peek(&mut [0]), Ok(0))
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn new(url: String) -> Self {
        Self {
            url,
            clients: Vec::new(),
            lifetime: LIFETIME,
            tokens: Tokens::default(),
            fault: None,
            every: (0, 0),
            requests: 0,
            jtis: Vec::new(),
            used: HashSet::new(),
            random: ring::rand::SystemRandom::new(),
            ended: false,
        }
    }
    fn next_fault(&mut self) -> Option<Fault> {
        let left = |(left, fault): (u32, Fault)| Some((left.checked_sub(1)?, fault));
        self.fault = self.fault.and_then(left);
        self.fault.map(|(_, fault)| fault).or_else(|| self.turn())
    }
    fn turn(&self) -> Option<Fault> {
        let (nth, since) = self.every;
        let count = self.requests.saturating_sub(since);
        let is_due = count.checked_rem(nth) == Some(0);
        let turn = count.checked_div(nth).filter(|_| is_due)?;
        let mut ways = FAULTS.iter().copied().cycle();
        ways.nth(turn.checked_sub(1)?)
    }
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }
    fn first_use(&mut self, client: &str, jti: &str) -> bool {
        let first = self.used.insert((client.to_owned(), jti.to_owned()));
        self.jtis.extend(first.then(|| jti.to_owned()));
        first
    }
    /// An opaque token.
    fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random_bytes())
    }
    /// A token that is a JWT, under a secret that nobody keeps: nobody but its issuer is to verify it.
    fn jwt(&self, subject: &str, scope: Option<&str>) -> String {
        let iat = self.now();
        let exp = iat.saturating_add(self.lifetime.as_secs());
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
        // A system without random numbers hands out tokens that can be guessed: it is a sandbox.
        let _ = self.random.fill(&mut bytes);
        bytes
    }
}
