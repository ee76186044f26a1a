//! Connects to one of the addresses of a host.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport as Connection, time};
use ureq::{Error, Proxy, ProxyProtocol};

use super::header_lines::HeaderLines;

/// The longest that the first of several addresses may take, TLS included.
///
/// A route that drops packets costs this much. An address that is only slow gets a second try.
const FIRST_TRY: Duration = Duration::from_secs(1);

/// Connects as `inner` does, and keeps one TLS configuration for an agent.
#[derive(Debug)]
pub(super) struct AgentConnector<C> {
    inner: C,
    /// The hash of the agent's TLS settings, which cannot be compared.
    tls: u64,
}

impl<C: Connector<Out = Box<dyn Connection>>> AgentConnector<C> {
    pub(super) fn new(inner: C, tls: &TlsConfig) -> Self {
        let tls = hash(tls);
        Self { inner, tls }
    }

    /// Connects to the first address that accepts a connection, trying the next after any failure.
    ///
    /// ureq's own loop ends at some errors, and gives the first of two addresses two thirds of the
    /// time.
    fn connect_to_any(
        &self,
        details: &ConnectionDetails<'_>,
    ) -> Result<Option<Box<dyn Connection>>, Error> {
        let (first, others) = match &*details.addrs {
            [first, others @ ..] if !others.is_empty() => (first, others),
            _ => return self.inner.connect(details, None),
        };
        let all = *details.timeout.after;
        let first_try = FIRST_TRY.min(all.checked_div(4).unwrap_or_default());
        let mut failure = match self.inner.connect(&to_one(details, first, first_try), None) {
            Err(error) => error,
            connected => return connected,
        };
        let again = matches!(failure, Error::Timeout(_)).then_some(first);
        let queue: Vec<_> = others.iter().chain(again).collect();
        let mut left = u32::try_from(queue.len()).unwrap_or(u32::MAX);
        for address in queue {
            let share = all.saturating_sub(elapsed(details)).checked_div(left);
            let Some(share) = share.filter(|share| !share.is_zero()) else {
                return Err(telling(failure, Error::Timeout(details.timeout.reason)));
            };
            match self.inner.connect(&to_one(details, address, share), None) {
                Err(error) => failure = telling(failure, error),
                connected => return connected,
            }
            left = left.saturating_sub(1);
        }
        Err(failure)
    }
}

impl<C: Connector<Out = Box<dyn Connection>>> Connector for AgentConnector<C> {
    type Out = HeaderLines;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        refuse_socks(details)?;
        let mut details = copy(details);
        // ureq builds a new TLS configuration for each connection of a request with its own settings, which reads all
        // roots again and resumes no session. The requests of this crate set a timeout, and leave the TLS settings as
        // they are.
        if details.needs_tls() && hash(details.config.tls_config()) == self.tls {
            details.request_level = false;
        }
        let max_head = details.config.max_response_header_size();
        let connection = self.connect_to_any(&details)?;
        Ok(connection.map(|connection| HeaderLines::new(connection, max_head)))
    }
}

/// Returns the failure that says more about the server, or the first if both say the same.
fn telling(first: Error, second: Error) -> Error {
    match rank(&second) > rank(&first) {
        true => second,
        false => first,
    }
}

/// Returns how much a failure to connect says about the server: an unreachable address says nothing.
fn rank(error: &Error) -> u8 {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidData,
        PermissionDenied, TimedOut, UnexpectedEof,
    };
    match error {
        Error::ConnectionFailed => 0,
        Error::Timeout(_) => 1,
        Error::Io(error) => match error.kind() {
            InvalidData => 3, // a certificate, or another failure of TLS
            ConnectionRefused | ConnectionReset | ConnectionAborted | UnexpectedEof
            | BrokenPipe | PermissionDenied => 2,
            TimedOut => 1,
            _ => 0,
        },
        _ => 3, // TLS, the protocol, or the response of a proxy
    }
}

fn hash(tls: &TlsConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    tls.hash(&mut hasher);
    hasher.finish()
}

/// Refuses a proxy that ureq ignores if it is compiled without SOCKS.
fn refuse_socks(details: &ConnectionDetails<'_>) -> Result<(), Error> {
    let proxy = details.config.proxy();
    let proxy = proxy.filter(|proxy| !proxy.is_no_proxy(details.uri));
    match proxy.map(Proxy::protocol) {
        None | Some(ProxyProtocol::Http | ProxyProtocol::Https) => Ok(()),
        Some(_) => {
            let message = "a SOCKS proxy is not supported: set an http or https proxy";
            Err(io::Error::new(io::ErrorKind::InvalidInput, message).into())
        }
    }
}

/// Returns the details of a connection to one address, limited to this time.
fn to_one<'a>(
    details: &'a ConnectionDetails<'_>,
    address: &SocketAddr,
    limit: Duration,
) -> ConnectionDetails<'a> {
    let mut one = copy(details);
    one.addrs = details.resolver.empty();
    one.addrs.push(*address);
    one.now = (details.current_time)();
    one.timeout.after = time::Duration::Exact(limit);
    one
}

/// Returns how much of the timeout has passed.
fn elapsed(details: &ConnectionDetails<'_>) -> Duration {
    match (details.now, (details.current_time)()) {
        (time::Instant::Exact(start), time::Instant::Exact(now)) => {
            now.saturating_duration_since(start)
        }
        _ => Duration::ZERO,
    }
}

fn copy<'a>(details: &'a ConnectionDetails<'_>) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: details.addrs.clone(),
        config: details.config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: details.current_time.clone(),
        run_connector: details.run_connector.clone(),
        register_shutdown: details.register_shutdown.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    #[cfg(target_os = "linux")]
    use std::net::TcpStream;
    use std::thread;
    #[cfg(target_os = "linux")]
    use std::time::Instant;

    use http::Uri;
    use ureq::Agent;
    use ureq::config::Config;
    use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
    use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

    use super::*;

    /// Resolves every host to these addresses.
    #[derive(Debug)]
    struct Fixed(Vec<SocketAddr>);

    impl Resolver for Fixed {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            self.0.iter().for_each(|address| addresses.push(*address));
            Ok(addresses)
        }
    }

    /// Sends a request to a host that has these addresses.
    fn get(addresses: &[SocketAddr]) -> Result<u16, Error> {
        get_from("http://as.example.com/", addresses)
    }

    fn get_from(url: &str, addresses: &[SocketAddr]) -> Result<u16, Error> {
        let config = Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(8)))
            .build();
        let connector = AgentConnector::new(DefaultConnector::default(), config.tls_config());
        let agent = Agent::with_parts(config, connector, Fixed(addresses.to_vec()));
        agent
            .get(url)
            .call()
            .map(|response| response.status().as_u16())
    }

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn serve(listener: TcpListener) {
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
    }

    /// Returns an address of a listener whose queue is full: Linux drops further packets.
    #[cfg(target_os = "linux")]
    fn unresponsive() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
        let (listener, address) = listen();
        let limit = Duration::from_millis(200);
        let connect = || TcpStream::connect_timeout(&address, limit).ok();
        let queue = std::iter::from_fn(connect).collect();
        (listener, address, queue)
    }

    #[test]
    fn connector_tries_next_address_after_any_failure() {
        let (listener, good) = listen();
        serve(listener);
        let refused = listen().1;
        // A link-local address needs an interface: the operating system refuses it as invalid,
        // which ureq's own loop does not expect.
        let invalid: SocketAddr = "[fe80::1]:80".parse().unwrap();
        for addresses in [
            vec![good],
            vec![good, refused],
            vec![refused, good],
            vec![invalid, good],
            vec![refused, invalid, refused, good],
        ] {
            assert_eq!(get(&addresses).unwrap(), 200, "{addresses:?}");
        }
        let error = get(&[invalid, refused]).unwrap_err();
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
        );
    }

    #[test]
    fn connector_reports_the_failure_that_says_most_about_the_server() {
        let (listener, no_tls) = listen();
        serve(listener);
        let refused = listen().1;
        let invalid: SocketAddr = "[fe80::1]:80".parse().unwrap();
        for addresses in [
            vec![no_tls, invalid],
            vec![invalid, no_tls],
            vec![no_tls, refused],
            vec![refused, no_tls, invalid, refused],
        ] {
            let error = get_from("https://as.example.com/", &addresses).unwrap_err();
            assert_eq!(rank(&error), 3, "{addresses:?}: {error:?}");
        }
        let error = get(&[refused, invalid]).unwrap_err();
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
            "{error:?}"
        );
        let timeout = || Error::Timeout(ureq::Timeout::Connect);
        let unreachable = || Error::Io(io::ErrorKind::NetworkUnreachable.into());
        assert!(matches!(
            telling(timeout(), unreachable()),
            Error::Timeout(_)
        ));
        assert!(matches!(
            telling(unreachable(), timeout()),
            Error::Timeout(_)
        ));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn connector_spends_a_second_on_address_that_drops_packets() {
        let (listener, good) = listen();
        serve(listener);
        let (_listener, unresponsive, _queue) = unresponsive();
        let start = Instant::now();
        assert_eq!(get(&[unresponsive, good]).unwrap(), 200);
        let elapsed = start.elapsed();
        assert!(elapsed > Duration::from_millis(900), "{elapsed:?}");
        assert!(elapsed < Duration::from_millis(2500), "{elapsed:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn connector_tries_slow_address_again_after_the_others() {
        let (listener, slow, queue) = unresponsive();
        let refused = listen().1;
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(1500));
            drop(queue);
            serve(listener);
        });
        assert_eq!(get(&[slow, refused]).unwrap(), 200);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn connector_ends_at_the_timeout_of_the_request() {
        let [a, b, c] = [(); 3].map(|()| unresponsive());
        let start = Instant::now();
        let error = get(&[a.1, b.1, c.1]).unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error:?}");
        let elapsed = start.elapsed();
        assert!(elapsed > Duration::from_secs(7), "{elapsed:?}");
        assert!(elapsed < Duration::from_secs(11), "{elapsed:?}");
    }
}
