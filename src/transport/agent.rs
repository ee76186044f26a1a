//! ureq's agent as a transport, and the agent that this crate makes.

use std::io::{self, Read as _};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Method, Uri};
use ureq::config::Config;
use ureq::unversioned::transport::{Connector, DefaultConnector, Transport as Connection};
use ureq::{Agent, Error, Proxy};
use zeroize::Zeroizing;

use super::Transport;
use super::connector::AgentConnector;
use super::resolver::SystemResolver;
use crate::error::{BoxError, says};
use crate::message::{MAX_RESPONSE, Request, Response};

/// The refusal of an agent that verifies no certificate: anybody who answers in the server's place would get the
/// assertion.
const UNVERIFIED: &str = "this agent does not verify certificates (disable_verification): make one that does; \
    root_certs takes a server's own root";

/// Returns an agent with this configuration and this crate's connections.
///
/// Use it with [`TokenSource::with_transport`](crate::TokenSource::with_transport) if you need a proxy or your own
/// roots. It differs from one that ureq makes:
///
/// - If a host has several addresses, each is tried after any failure to connect. If the first
///   does not answer, the next is tried after a second, or a quarter of the timeout if that is
///   shorter. The other addresses share the time that is left.
/// - If the operating system refuses a thread, a request fails with an error, while ureq's resolver
///   panics. An IP address is used without starting a thread.
/// - The TLS configuration is read once. With ureq's own agent, each connection of this crate reads
///   all roots again and resumes no session.
/// - An illegal header line is dropped; ureq would refuse the whole response.
/// - A SOCKS proxy is refused when a request is sent.
///
/// It is for the requests of this crate and for others. What protects an assertion is set on each request, regardless
/// of the configuration.
///
/// ```
/// use ureq::{Agent, Proxy};
///
/// let config = Agent::config_builder().proxy(Proxy::try_from_env()).build();
/// let agent = jwt_bearer::agent(config);
/// ```
pub fn agent(config: Config) -> Agent {
    with_connector(config, DefaultConnector::default())
}

/// Returns an agent as [`agent`] does, with another connector. With a SOCKS proxy, the connector is used as it is.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub fn agent_with_connector(
    config: Config,
    connector: impl Connector<Out = Box<dyn Connection>>,
) -> Agent {
    use ureq::ProxyProtocol::{Http, Https};
    match config.proxy().map(Proxy::protocol) {
        None | Some(Http | Https) => with_connector(config, connector),
        Some(_) => Agent::with_parts(config, connector, SystemResolver::default()),
    }
}

/// Returns an agent that reads no proxy from the environment.
pub(crate) fn default_agent() -> Agent {
    let config = Agent::config_builder().proxy(None);
    #[cfg(any(feature = "native-tls", feature = "platform-verifier"))]
    let config = {
        use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
        let mut tls = TlsConfig::builder();
        if cfg!(feature = "native-tls") {
            tls = tls.provider(TlsProvider::NativeTls);
        }
        if cfg!(feature = "platform-verifier") {
            tls = tls.root_certs(RootCerts::PlatformVerifier);
        }
        config.tls_config(tls.build())
    };
    agent(config.build())
}

fn with_connector(config: Config, connector: impl Connector<Out = Box<dyn Connection>>) -> Agent {
    let connector = AgentConnector::new(connector, config.tls_config());
    Agent::with_parts(config, connector, SystemResolver::default())
}

/// The agent decides about proxy, roots and middleware. What protects an assertion is set on each request, so that no
/// agent can weaken it: no redirect, a timeout, a bounded body. An agent that verifies no certificate is refused.
/// Middleware sees the request with its assertion.
impl Transport for Agent {
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        // ureq panics if its resolver gets no thread, or if a setting needs a feature that is not compiled in.
        let send = AssertUnwindSafe(|| send(self, request, timeout));
        panic::catch_unwind(send)
            .unwrap_or_else(|_| Err(io::Error::other("the HTTP client panicked")))
    }
}

fn send(agent: &Agent, request: &Request, timeout: Duration) -> io::Result<Response> {
    let is_https = request.uri().scheme() == Some(&Scheme::HTTPS);
    if is_https && agent.config().tls_config().disable_verification() {
        return Err(invalid(UNVERIFIED));
    }
    let mut call = request.head();
    replace_localhost(request, &mut call).map_err(invalid)?;
    let call = protected(agent, call, timeout);
    // A GET has no `content-length`; a POST has one even without a body.
    let result = match *call.method() {
        Method::GET => agent.run(call),
        _ => agent.run(call.map(|()| request.body())),
    };
    let (head, body) = result
        .map_err(|error| name_proxy(proxy_for(agent, request.uri()), to_io_error(error)))?
        .into_parts();
    // The buffer has its full capacity at once: a growing one leaves parts of a token in
    // freed memory.
    let limit = MAX_RESPONSE.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let read = body.into_reader().take(limit).read_to_end(&mut bytes);
    read.map_err(|error| to_io_error(Error::from(error)))?;
    Ok(http::Response::from_parts(head, bytes.as_slice()).into())
}

fn invalid(problem: impl Into<BoxError>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

/// Replaces the host `localhost` of plain http with `127.0.0.1`, and keeps the `Host` header.
///
/// A hosts file or DNS can name another machine, and a program of another user can listen on `[::1]` (RFC 8252 §8.3).
/// An agent's resolver cannot be set on a request, but an address needs no resolving.
fn replace_localhost(request: &Request, call: &mut http::Request<()>) -> Result<(), http::Error> {
    let uri = request.uri();
    let is_localhost = uri.scheme() == Some(&Scheme::HTTP) && uri.host() == Some("localhost");
    let behind_host = request.url().get("http://localhost".len()..);
    if let Some(rest) = behind_host.filter(|_| is_localhost) {
        *call.uri_mut() = Uri::try_from(["http://127.0.0.1", rest].concat())?;
        let host = HeaderValue::try_from(request.authority())?;
        call.headers_mut().append(HOST, host);
    }
    Ok(())
}

/// Sets what no agent may weaken. The settings stay with the request when it gets its body.
fn protected(agent: &Agent, call: http::Request<()>, timeout: Duration) -> http::Request<()> {
    let is_loopback = call.uri().scheme() == Some(&Scheme::HTTP);
    let mut config = agent
        .configure_request(call)
        .http_status_as_error(false) // the body of a 4xx gives the reason
        .max_redirects(0)
        .timeout_global(Some(timeout)); // ureq's default is none
    if is_loopback {
        config = config.proxy(None); // plain http must not leave this machine
    }
    config.build()
}

/// Returns the proxy that a request goes through. Plain http goes through no proxy.
fn proxy_for<'a>(agent: &'a Agent, uri: &Uri) -> Option<&'a Proxy> {
    let proxy = agent.config().proxy()?;
    let is_https = uri.scheme() == Some(&Scheme::HTTPS);
    (is_https && !proxy.is_no_proxy(uri)).then_some(proxy)
}

/// Converts an error of ureq to one whose kind is as [`Transport::send`] documents.
fn to_io_error(error: Error) -> io::Error {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, TimedOut};
    match error {
        Error::Io(error) => match is_unknown_host(&error) {
            true => io::Error::new(NotFound, error),
            false => error,
        },
        Error::Timeout(_) => io::Error::new(TimedOut, error),
        Error::HostNotFound => io::Error::new(NotFound, error),
        Error::Protocol(_) | Error::Tls(_) | Error::LargeResponseHeader(..) => {
            io::Error::new(InvalidData, error)
        }
        #[cfg(feature = "native-tls")]
        Error::NativeTls(_) => io::Error::new(InvalidData, error),
        // the text of ureq's error contains the URL, whose query may be secret
        Error::RequireHttpsOnly(_) => io::Error::new(InvalidInput, "the agent accepts https only"),
        // a proxy that refuses with a 4xx refuses the next request too
        Error::ConnectProxyFailed(ref text) if says(text, "responded 4") => {
            io::Error::new(InvalidInput, error)
        }
        error => io::Error::other(error),
    }
}

/// Names the proxy in an error from connecting to it, which says nothing about the server.
///
/// The kind changes too, so that the server's endpoint is not looked up again.
fn name_proxy(proxy: Option<&Proxy>, error: io::Error) -> io::Error {
    use io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound, Other};
    let kind = match error.kind() {
        ConnectionRefused => Other,
        NotFound => InvalidInput, // not retried either
        _ => return error,
    };
    let Some(proxy) = proxy else {
        return error;
    };
    let (host, port) = (proxy.host(), proxy.port());
    io::Error::new(kind, format!("the proxy {host}:{port}: {error}"))
}

/// Texts of getaddrinfo for a host that does not exist, or that a name server will never resolve.
///
/// They are those of glibc, musl, macOS and the BSDs. A program that sets a locale may get others: an unknown text is
/// taken for a temporary failure.
const UNKNOWN_HOST: &[&str] = &[
    "not known",
    "does not resolve",
    "no address associated",
    "no usable address",
    "non-recoverable",
];
/// WSAHOST_NOT_FOUND, WSANO_RECOVERY and WSANO_DATA of Windows.
const UNKNOWN_HOST_CODES: &[i32] = &[11001, 11003, 11004];

/// Returns whether a resolver error means that the host does not exist.
///
/// On Unix only the text can tell: the standard library gives such errors a kind that is not public.
fn is_unknown_host(error: &io::Error) -> bool {
    if let Some(code) = error.raw_os_error() {
        return UNKNOWN_HOST_CODES.contains(&code);
    }
    let text = format!("{error}");
    text.starts_with("failed to lookup address information")
        && UNKNOWN_HOST.iter().any(|part| says(&text, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolver_error_is_retried_unless_the_host_is_unknown() {
        let kind = |why: &str| {
            let text = format!("failed to lookup address information: {why}");
            to_io_error(Error::Io(io::Error::other(text))).kind()
        };
        let unknown = [
            "Name or service not known",                    // glibc
            "No address associated with hostname",          // glibc, FreeBSD
            "Non-recoverable failure in name resolution",   // glibc, FreeBSD
            "Non-recoverable error",                        // musl
            "Name does not resolve",                        // musl, FreeBSD
            "Name has no usable address",                   // musl
            "nodename nor servname provided, or not known", // macOS
            "hostname nor servname provided, or not known", // older FreeBSD
            "no address associated with name",              // OpenBSD
        ];
        for text in unknown {
            assert_eq!(kind(text), io::ErrorKind::NotFound, "{text}");
        }
        let temporary = [
            "Temporary failure in name resolution",    // glibc, NetBSD
            "Try again",                               // musl
            "Name could not be resolved at this time", // FreeBSD
            "temporary failure in name resolution",    // OpenBSD, macOS
            "System error",                            // musl
            "Memory allocation failure",
            "Temporärer Fehler bei der Namensauflösung", // glibc with a locale
        ];
        for text in temporary {
            assert_eq!(kind(text), io::ErrorKind::Other, "{text}");
        }
        for code in UNKNOWN_HOST_CODES {
            let error = Error::Io(io::Error::from_raw_os_error(*code));
            assert_eq!(to_io_error(error).kind(), io::ErrorKind::NotFound, "{code}");
        }
        let try_again = to_io_error(Error::Io(io::Error::from_raw_os_error(11002)));
        assert_ne!(try_again.kind(), io::ErrorKind::NotFound);
    }
}
