//! An authorization server on loopback for tests and demonstrations, **never for production**.
//!
//! It has the token endpoints of Marketing Cloud Intelligence, the Salesforce Platform and Cylance, a generic one for
//! RFC 7523, and those of [further servers](#servers). It verifies signature, `alg`, issuer, audience, times and `jti`
//! replay of every assertion. `ring` verifies the signatures, which is not the code that [`RsaKey`](crate::RsaKey) and
//! [`HmacKey`](crate::HmacKey) sign with. A [protected resource](Server::resource) accepts the tokens until they
//! expire. All state is in memory. There is no rate limit, and the server listens on loopback only, with TLS if you
//! [ask for it](Server::start_tls).
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
//!
//! # Servers
//!
//! Each of these servers has a [base URL](Server::base_url), with the paths that its vendor documents below it. It
//! requires what the vendor documents, and responds in the vendor's format and words. If a response says little about
//! what was wrong, the [log](Server::listen) says more. None of this was compared with the real servers.
//!
//! | Name | Path below the base URL | What its [`Client`] needs |
//! |---|---|---|
//! | `apple-ads` | `/auth/oauth2/token` | ES256; the team as tenant |
//! | `auth0` | `/oauth/token` | RS256, RS384 or PS256 |
//! | `box` | `/oauth2/token` | RS256, RS384 or RS512; its secret; the enterprise and users as users |
//! | `docusign` | `/oauth/token` | RS256; users and scopes |
//! | `entra` | `/{tenant}/oauth2/v2.0/token` | PS256 or RS256; its certificate; scopes with `/.default` |
//! | `github` | `/app/installations/{id}/access_tokens`, also below `/api/v3` | RS256; the installation as tenant, or none |
//! | `google` | `/token` | RS256; scopes; users for domain-wide delegation |
//! | `keycloak` | `/realms/{realm}/protocol/openid-connect/token` | any key; the realm as tenant, or none |
//! | `line` | `/oauth2/v2.1/token`, `/oauth2/v3/token` | RS256 |
//! | `lti` | `/login/oauth2/token` | RS256; scopes |
//! | `maskinporten` | `/token` | RS256, RS384 or RS512; scopes |
//! | `okta` | `/oauth2/v1/token`, `/oauth2/{server}/v1/token` | RS or ES, in the second path also HS; scopes |
//! | `smart` | `/token`, `/oauth2/token` | RS384 or ES384; scopes |
//! | `snowflake` | `/oauth/token`, `/api/v2/statements` | RS256; the id is `ACCOUNT.USER` |
//! | `tableau` | `/api/{version}/auth/signin` | HS256; users and scopes |
//! | `vault` | `/v1/auth/{mount}/login` | any key; roles as scopes, subjects as users; audiences |
//! | `yandex` | `/iam/v1/tokens` | PS256 |
//! | `zitadel` | `/oauth/v2/token` | RS256, ES256 or EdDSA |
//!
//! Entra, Keycloak, Maskinporten, Okta, SMART and Zitadel have their metadata documents too. At Entra the tenant may be
//! left out of the path, for libraries that take the first segment, `entra`, for the tenant.
//!
//! Some documented errors are not caused by an assertion. [`Client::with_denial`] causes them: `disabled_client`,
//! `deleted_client` and `access_denied` at Google, `suspended` at GitHub, `AADSTS7000214`, `AADSTS7000277` and
//! `AADSTS1000502` at Entra, `consent_required` and `invalid_dpop_proof` at Okta, `access_denied` at Auth0,
//! `consent_required` at DocuSign, `unauthorized_client` at Box, `MP-120` and `MP-121` at Maskinporten. Elsewhere its
//! code is the `error` of the response, if the response has one.
//!
//! ```
//! use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, TokenSource, sandbox};
//!
//! let server = sandbox::Server::start()?;
//! server.register(sandbox::Client::new("app", sandbox::Key::secret("s3cret")));
//!
//! let realm = format!("{}/realms/demo", server.base_url("keycloak").unwrap());
//! let endpoint = Endpoint::token(format!("{realm}/protocol/openid-connect/token"))?;
//! let profile = Profile::client_credentials(endpoint, "app", Audience::TokenEndpoint);
//! let error = TokenSource::new(profile, HmacKey::new("s3cret")?)?.token().unwrap_err();
//! assert_eq!(error.description(), Some("Invalid token audience")); // Keycloak wants its issuer
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};
use std::{fmt, io};

mod checks;
mod connection;
mod denial;
mod expiring;
mod grant;
mod parameters;
mod refusal;
mod resource;
mod servers;
mod state;
mod strict_json;
mod target;
mod tls;
mod token_endpoint;
mod verify;

use connection::{HttpRequest, HttpResponse};
use resource::IssuedTokens;
use state::State;
pub use state::{Client, Fault};
use tls::{Identity, Stream};
pub use verify::Key;

use crate::redact::visible;

/// The largest number of simultaneous connections, since each has a thread. A test with a hundred threads fits.
const MAX_CONNECTIONS: usize = 256;

/// A running authorization server. Dropping it stops the server and its threads.
pub struct Server {
    url: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    address: SocketAddr,
    root_certificate: Option<String>,
}

struct Shared {
    state: Mutex<State>,
    tls: Option<Arc<rustls::ServerConfig>>,
    log: Box<dyn Fn(&str) + Send + Sync>,
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
    /// The line has no control, bidirectional or invisible characters, even if the client sent some.
    ///
    /// # Errors
    /// When the address is not a loopback address or is in use, or no thread is available.
    pub fn listen(
        address: SocketAddr,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::listen_with(address, None, log)
    }

    /// Starts a server with TLS on a free port of 127.0.0.1, for clients that accept only `https`.
    ///
    /// ```
    /// use jwt_bearer::sandbox::Server;
    /// use ureq::tls::{Certificate, TlsConfig};
    ///
    /// let server = Server::start_tls()?;
    /// let root = Certificate::from_pem(server.root_certificate().unwrap().as_bytes())?;
    /// let tls = TlsConfig::builder().root_certs([root].into()).build();
    /// let agent = ureq::Agent::config_builder().tls_config(tls).build().new_agent();
    /// let metadata = format!("{}/.well-known/oauth-authorization-server", server.url());
    /// assert_eq!(agent.get(metadata).call()?.status(), 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When no port, no thread or no key is available.
    pub fn start_tls() -> io::Result<Self> {
        Self::listen_tls(SocketAddr::from(([127, 0, 0, 1], 0)), |_| {})
    }

    /// Starts a server as [`listen`](Self::listen) does, with TLS.
    ///
    /// Its certificate is for the address and for `localhost`, under its own [root](Self::root_certificate).
    ///
    /// # Errors
    /// Those of [`listen`](Self::listen), or when no key is available.
    pub fn listen_tls(
        address: SocketAddr,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::listen_with(address, Some(Identity::new(address.ip())?), log)
    }

    fn listen_with(
        address: SocketAddr,
        identity: Option<Identity>,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let message = "the sandbox listens on loopback only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let (scheme, tls, root_certificate) = match identity {
            Some(identity) => ("https", Some(identity.config), Some(identity.root)),
            None => ("http", None, None),
        };
        let url = format!("{scheme}://{address}");
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(url.clone())),
            tls,
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
            root_certificate,
        })
    }

    /// Returns the root certificate of a server with TLS, in PEM.
    ///
    /// It is made at startup, and its key is dropped at once.
    pub fn root_certificate(&self) -> Option<&str> {
        self.root_certificate.as_deref()
    }
    /// Returns `http://127.0.0.1:port`, or `https` with TLS.
    ///
    /// It is the issuer, the login URL of Salesforce and the base URL of Cylance.
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
    /// Returns the base URL of one of the [servers](crate::sandbox#servers), or `None` for another name.
    ///
    /// ```
    /// # let server = jwt_bearer::sandbox::Server::start()?;
    /// let base = server.base_url("box").unwrap();
    /// assert_eq!(base, format!("{}/box", server.url()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn base_url(&self, name: &str) -> Option<String> {
        let base = servers::bases().find(|base| *base == name)?;
        Some(target::base_url(&self.url, base))
    }
    /// Returns the name and the base URL of each of the [servers](crate::sandbox#servers).
    pub fn base_urls(&self) -> Vec<(&'static str, String)> {
        let urls = servers::bases().map(|base| (base, target::base_url(&self.url, base)));
        urls.collect()
    }
    /// Returns the URL of a protected resource.
    ///
    /// It answers 200 to a token of this server until that token expires, and 401 as in RFC 6750 §3.1
    /// otherwise. It plays the part of another server: no fault is injected into it, and
    /// [`requests`](Self::requests) does not count its requests.
    pub fn resource(&self) -> String {
        format!("{}{}", self.url, resource::PATH)
    }
    /// Registers `client`, and replaces any client with the same id.
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
    /// Returns every `jti` that cannot be used again, in order, up to the latest 10,000.
    ///
    /// These are of accepted assertions and, at Box, also of assertions whose claims were refused. A `jti` that a
    /// server ignores is not included.
    pub fn jtis(&self) -> Vec<String> {
        self.shared.state().latest_jtis.iter().cloned().collect()
    }
    /// Returns the assertion that one of the [servers](crate::sandbox#servers) accepted last, or `None` if it accepted
    /// none.
    ///
    /// A test can read from it what a client sent. The empty name means the servers without a base URL.
    pub fn last_assertion(&self, name: &str) -> Option<String> {
        let state = self.shared.state();
        state.accepted_assertions.get(name).cloned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state().is_stopped = true;
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
            let Ok(stream) = stream else { continue };
            if open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
                continue;
            }
            open.fetch_add(1, Ordering::Relaxed);
            let spawned = thread::Builder::new().spawn_scoped(connections, move || {
                // A client that closes its connection is not an error of the server. With TLS, the client may not trust
                // the certificate.
                let outcome = serve(stream, shared);
                if let Some(error) = outcome.err().filter(|_| shared.tls.is_some()) {
                    shared.log(&format!("a TLS connection failed: {error}"));
                }
                open.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_err() {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    });
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(connection::POLL_INTERVAL))?;
    let stream = &mut Stream::new(stream, shared.tls.as_ref())?;
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
            drop(state);
            connection::wait_for_close(stream, || shared.state().is_stopped);
            return Ok(());
        }
        Some(Fault::CutBody | Fault::Slow(_)) | None => {
            token_endpoint::respond(&mut state, &request)
        }
    };
    drop(state);
    if let Some(Fault::Slow(seconds)) = fault {
        connection::pause(Duration::from_secs(seconds), || shared.state().is_stopped);
    }
    shared.log(&format!(
        "{} {} {}: {log}",
        request.method, request.path, response.status
    ));
    response.write(stream, fault == Some(Fault::CutBody))
}

impl Shared {
    fn log(&self, line: &str) {
        (self.log)(&visible(line));
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
