//! The way to a server: proxy, addresses, connection, TLS.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use http::Uri;
use http::uri::Scheme;
use jwt_bearer::{Request, Response, Transport as _};
use ureq::Proxy;

use super::report::{Report, Step};
use crate::agent::ProxyingAgent;
use crate::certificate::Facts;
use crate::certificate_hints;
use crate::failure::Failure;
use crate::options::CommonOptions;
use crate::proxy::EnvironmentProxy;
use crate::roots::Roots;
use crate::tls::{Handshake, TlsConnector};

/// The longest time for one connection or one request.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Somebody should know if a server's certificate has fewer days left.
const RENEWAL_DAYS: i64 = 14;

/// Sends requests, and takes measurements.
pub(super) struct Network {
    pub(super) agent: Arc<ProxyingAgent>,
    tls: TlsConnector,
    deadline: Instant,
    /// Seconds by which the clock of the last server that sent its time is ahead of ours.
    pub(super) clock_offset: Option<i64>,
}

/// Where a connection goes first.
struct Route {
    host: String,
    port: u16,
    is_proxied: bool,
    /// Whether the proxy looks up the server's name.
    proxy_resolves: bool,
}

impl Network {
    /// # Errors
    /// If a file with certificates is unusable.
    pub(super) fn new(common: &CommonOptions, begun: Instant) -> Result<Self, Failure> {
        let tls = TlsConnector::new(Roots::from_options(common));
        tls.prepare()?;
        Ok(Self {
            agent: ProxyingAgent::with(&tls, EnvironmentProxy::from_env()).into(),
            tls,
            deadline: begun.checked_add(common.timeout()).unwrap_or(begun),
            clock_offset: None,
        })
    }

    /// Returns what is left of the time for the whole command.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Sends a request, and compares the clocks.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) fn send(&mut self, request: &Request) -> io::Result<Response> {
        let (sent, begun) = (SystemTime::now(), Instant::now());
        // A server that does not respond to this request may still respond to the exchange.
        let time = (self.time_left() / 3).min(MAX_TIME);
        let response = self.agent.send(request, time)?;
        let middle = sent.checked_add(begun.elapsed() / 2).unwrap_or(sent);
        self.clock_offset = clock_offset(&response, middle).or(self.clock_offset);
        Ok(response)
    }

    /// Runs the steps to the server of a request, and sends the request. Returns `None` if the server is not reached,
    /// after printing the steps that need it as skipped.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(super) fn reach(
        &mut self,
        report: &mut Report,
        request: &Request,
    ) -> Result<Option<io::Result<Response>>, Failure> {
        let uri: Uri = request.url().parse().unwrap_or_default();
        let host = uri.host().unwrap_or_default().to_owned();
        let route = match proxy_step(&uri) {
            Ok((step, route)) => {
                report.add(step)?;
                route
            }
            Err(failure) => {
                report.add(Step::fail("proxy", failure))?;
                report.skip(&["dns", "tcp", "tls"], "there is no way to the server")?;
                return Ok(None);
            }
        };
        let addresses = match self.dns_step(&route, &host) {
            Ok((step, addresses)) => {
                report.add(step)?;
                addresses
            }
            Err(failure) => {
                report.add(Step::fail("dns", failure))?;
                report.skip(&["tcp", "tls"], "there is no address")?;
                return Ok(None);
            }
        };
        if report.add(self.tcp_step(&route, &addresses))? {
            report.skip(&["tls"], "there is no connection")?;
            return Ok(None);
        }
        self.tls.take_handshake();
        let outcome = self.send(request);
        if uri.scheme() != Some(&Scheme::HTTPS) {
            if !has_succeeded(&outcome) && self.speaks_tls(&addresses) {
                let message =
                    format!("{host}: this port speaks TLS, and the URL is one of plain http");
                let failure = Failure::network(message);
                report.add(Step::fail(
                    "tls",
                    failure.with_hint("write https:// in place of http://"),
                ))?;
                return Ok(None);
            }
            report.skip(&["tls"], "plain http, which does not leave this machine")?;
            return Ok(Some(outcome));
        }
        let handshake = self.tls.take_handshake();
        let has_failed = report.add(tls_step(&host, &route, handshake, &outcome))?;
        Ok(Some(outcome).filter(|_| !has_failed))
    }

    /// Returns whether a port speaks TLS. The port is asked only if it does not speak http.
    fn speaks_tls(&self, addresses: &[SocketAddr]) -> bool {
        let time = self.time_left().min(MAX_TIME);
        let mut addresses = addresses.iter();
        addresses.any(|address| self.tls.is_spoken_at(address, time))
    }

    fn dns_step(&self, route: &Route, host: &str) -> Result<(Step, Vec<SocketAddr>), Failure> {
        let begun = Instant::now();
        let name = route.host.trim_start_matches('[').trim_end_matches(']');
        let addresses = look_up(name, route.port, self.time_left().min(MAX_TIME));
        let addresses = addresses.map_err(|error| {
            Failure::network(format!("{name}: {error}")).with_hint(
                "check the spelling of the host, and that this machine's name server responds: getent hosts HOST; \
                 where only a proxy reaches the network, set https_proxy",
            )
        })?;
        let mut all: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
        all.dedup();
        let is_address = all.iter().any(|address| address == name);
        let detail = match is_address {
            true => format!("{name} is an address"),
            false => format!("{name} is {}", all.join(", ")),
        };
        let detail = match route.proxy_resolves {
            true => format!("{detail}; the proxy looks {host} up"),
            false => detail,
        };
        let step = Step::ok("dns", detail)
            .with_fact("host", name)
            .with_fact("addresses", all);
        Ok((step.took(begun.elapsed()), addresses))
    }

    fn tcp_step(&self, route: &Route, addresses: &[SocketAddr]) -> Step {
        let mut failures = Vec::new();
        for address in addresses {
            let begun = Instant::now();
            let time = self.time_left().min(MAX_TIME);
            let outcome = match time.is_zero() {
                true => Err(io::ErrorKind::TimedOut.into()),
                false => TcpStream::connect_timeout(address, time),
            };
            match outcome {
                Ok(_) => {
                    let step = Step::ok("tcp", format!("connected to {address}"))
                        .with_fact("address", address.to_string())
                        .took(begun.elapsed());
                    return match failures.as_slice() {
                        [] => step,
                        failures => step.warn(
                            failures.join("; "),
                            "each request may try that address first: remove it from DNS, or repair its route",
                        ),
                    };
                }
                Err(error) => failures.push(format!("{address}: {error}")),
            }
        }
        let hint = match route.is_proxied {
            true => "check host and port of the proxy in https_proxy",
            false => {
                "check the port, and whether a firewall is between; where only a proxy reaches the network, set \
                 https_proxy"
            }
        };
        Step::fail("tcp", Failure::network(failures.join("; ")).with_hint(hint))
    }
}

/// Returns whether a response shows that the port speaks http. Servers have their own words, with status 400, for a
/// request that should be TLS.
fn has_succeeded(outcome: &io::Result<Response>) -> bool {
    let response = outcome.as_ref();
    response.is_ok_and(|response| response.status() != 400)
}

/// Returns which proxy is used.
///
/// # Errors
/// If the variable names no usable proxy.
fn proxy_step(uri: &Uri) -> Result<(Step, Route), Failure> {
    let is_https = uri.scheme() == Some(&Scheme::HTTPS);
    let host = match uri.host().unwrap_or_default() {
        "localhost" if !is_https => "127.0.0.1", // as the agent does it
        host => host,
    };
    let default_port = if is_https { 443 } else { 80 };
    let direct = Route {
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(default_port),
        is_proxied: false,
        proxy_resolves: false,
    };
    let Some(from_env) = EnvironmentProxy::from_env() else {
        return Ok((Step::ok("proxy", "none"), direct));
    };
    if !from_env.applies_to(uri) {
        let why = match is_https {
            true => format!("none: no_proxy names {host}"),
            false => "none: plain http to this machine goes through no proxy".to_owned(),
        };
        return Ok((Step::ok("proxy", why), direct));
    }
    let proxy = from_env.proxy.map_err(Failure::config)?;
    let shown = shown(&proxy);
    let route = Route {
        host: proxy.host().to_owned(),
        port: proxy.port(),
        is_proxied: true,
        proxy_resolves: !proxy.resolve_target(),
    };
    let step = Step::ok("proxy", shown.clone()).with_fact("proxy", shown);
    Ok((step, route))
}

/// Returns a proxy without name and password.
fn shown(proxy: &Proxy) -> String {
    let scheme = proxy.uri().scheme_str().unwrap_or("http");
    let authentication = match proxy.username() {
        Some(_) => ", with a name and a password",
        None => "",
    };
    let (host, port) = (proxy.host(), proxy.port());
    format!("{scheme}://{host}:{port}{authentication}")
}

/// Looks up a host, with a time limit that the system's call does not have.
fn look_up(host: &str, port: u16, time: Duration) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    let host = host.to_owned();
    let look_up = move || {
        let addresses = (host.as_str(), port).to_socket_addrs();
        let _ = sender.send(addresses.map(Vec::from_iter)); // fails if nobody waits any more
    };
    thread::Builder::new().spawn(look_up)?;
    let timed_out = |_| io::Error::new(io::ErrorKind::TimedOut, "no response in time");
    let addresses = receiver.recv_timeout(time).map_err(timed_out)??;
    match addresses.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "it has no address")),
        false => Ok(addresses),
    }
}

fn tls_step(
    host: &str,
    route: &Route,
    handshake: Option<Handshake>,
    outcome: &io::Result<Response>,
) -> Step {
    let chain = handshake.iter().flat_map(|handshake| &handshake.chain);
    let chain: Vec<_> = chain.filter_map(|der| Facts::read(der)).collect();
    let version = handshake.as_ref().and_then(|handshake| handshake.version);
    let step = match (version, outcome) {
        (None, Err(error)) => {
            let message = error.to_string();
            let (what, hint) = match certificate_hints::hint(&message) {
                Some(hint) => ("its TLS certificate is not accepted", hint),
                None if route.is_proxied && handshake.is_none() => (
                    "no connection through the proxy",
                    "check that the proxy allows this host and port, and what it asks for: curl -v -x PROXY URL",
                ),
                None if certificate_hints::hint_without_tls(&message).is_some() => (
                    "no connection with TLS",
                    certificate_hints::hint_without_tls(&message).unwrap_or_default(),
                ),
                None => (
                    "no connection with TLS",
                    "check that the port is one of TLS, and what is between: openssl s_client -connect HOST:PORT",
                ),
            };
            let failure = Failure::network(format!("{host}: {what}: {message}"));
            Step::fail("tls", failure.with_hint(hint))
        }
        (version, _) => {
            let version = version.and_then(|version| version.as_str());
            let version = version.unwrap_or("TLS").replace("TLSv1_", "TLS 1.");
            Step::ok("tls", version.clone()).with_fact("version", version)
        }
    };
    let step = match &handshake {
        Some(handshake) if version.is_some() => step.took(handshake.took),
        _ => step,
    };
    let Some(leaf) = chain.first() else {
        return step;
    };
    let days = leaf.days_left();
    let subjects: Vec<_> = chain.iter().map(|facts| facts.subject.clone()).collect();
    let step = step
        .with_line("names", leaf.shown_names())
        .with_line("issuer", leaf.issuer.clone())
        .with_line(
            "validity",
            format!("{}: {days} days are left", leaf.validity()),
        )
        .with_fact("names", leaf.names.clone())
        .with_fact("issuer", leaf.issuer.clone())
        .with_fact("days_left", days);
    let step = match subjects.as_slice() {
        [] | [_] => step,
        subjects => step.with_line("chain", subjects.join(" < ")),
    };
    let step = step.with_fact("chain", subjects);
    match version.is_some() && days < RENEWAL_DAYS {
        true => step.warn(
            format!("the certificate expires in {days} days"),
            "tell whoever runs the server",
        ),
        false => step,
    }
}

/// Returns the seconds by which a server's clock is ahead, or `None` if it sends no time or a cache answered.
fn clock_offset(response: &Response, now: SystemTime) -> Option<i64> {
    if response.header("Age").is_some_and(|age| age.trim() != "0") {
        return None;
    }
    let date = httpdate::parse_http_date(response.header("Date")?.trim()).ok()?;
    let seconds = |time: Duration| i64::try_from(time.as_secs()).ok();
    match date.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => seconds(behind.duration())?.checked_neg(),
    }
}
