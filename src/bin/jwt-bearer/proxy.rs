//! The proxy that the environment names, by the rules of curl.
//!
//! The scheme's own variable comes first, in lower case before upper case, then `all_proxy`. An empty variable counts
//! as unset. `http_proxy` has no effect, since plain http goes only to loopback addresses, and to those directly.

use std::env;
use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use ureq::{Proxy, ProxyProtocol};

/// Variables in the order in which they are looked up.
const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const NO_PROXY_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// The port of a proxy that names none, as in curl.
const DEFAULT_PORT: u16 = 1080;

/// A proxy, and the hosts that are reached without it.
pub(crate) struct EnvironmentProxy {
    /// The proxy, or why the variable names no usable one.
    pub(crate) proxy: Result<Proxy, String>,
    exceptions: String,
}

impl EnvironmentProxy {
    /// Returns the proxy that the environment names, if any.
    ///
    /// The value of a variable that names no usable proxy is not repeated, since a password may be in it.
    pub(crate) fn from_env() -> Option<Self> {
        let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let variable = PROXY_VARIABLES.into_iter().find(is_set)?;
        let exceptions = NO_PROXY_VARIABLES.into_iter().find(is_set);
        let exceptions = exceptions.and_then(|name| env::var(name).ok());
        let exceptions = exceptions.unwrap_or_default();
        if exceptions.trim() == "*" {
            return None;
        }
        let value = env::var(variable).unwrap_or_default(); // other than UTF-8, so no URL
        let proxy = parse(&value).ok_or_else(|| {
            format!(
                "{variable}: this variable names no usable proxy: expected http://HOST:PORT, or https, socks5 or \
                 socks5h in place of http; \\, @ and : in a name or password are written %5C, %40 and %3A"
            )
        });
        Some(Self { proxy, exceptions })
    }

    /// Returns whether requests to this URL go through the proxy. Plain http never does.
    pub(crate) fn applies_to(&self, uri: &Uri) -> bool {
        let port = uri.port_u16().unwrap_or(443);
        uri.scheme() == Some(&Scheme::HTTPS)
            && !is_exception(&self.exceptions, uri.host().unwrap_or_default(), port)
    }
}

fn parse(value: &str) -> Option<Proxy> {
    let proxy = Proxy::new(value).ok()?;
    let authority = proxy.uri().authority()?;
    let rest = authority.as_str().rsplit('@').next()?;
    let after_host = rest.strip_prefix(authority.host())?;
    let has_port = authority.port_u16().is_some();
    if authority.host().is_empty() || (!after_host.is_empty() && !has_port) {
        return None;
    }
    if has_port || proxy.protocol() != ProxyProtocol::Http {
        return Some(proxy);
    }
    let mut builder = Proxy::builder(ProxyProtocol::Http)
        .host(authority.host())
        .port(DEFAULT_PORT);
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    builder.build().ok()
}

/// Returns whether a list of exceptions names this host: the host itself, its domain, or its network.
///
/// Commas and blanks separate the entries. An entry with a port names only that port.
fn is_exception(exceptions: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    let mut entries = exceptions.split([',', ' ', '\t']).filter(|e| !e.is_empty());
    entries.any(|entry| {
        let (name, entry_port) = split_port(entry);
        if entry_port.is_some_and(|entry_port| entry_port != port) {
            return false;
        }
        match address {
            Some(address) => contains_address(name, address),
            None => contains_name(name, &host),
        }
    })
}

/// Splits `host:port` and `[address]:port`. An IPv6 address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            match port.parse().ok() {
                Some(port) => (name, Some(port)),
                None => (entry, None),
            }
        }
        _ => (entry, None),
    }
}

fn contains_name(entry: &str, host: &str) -> bool {
    let domain = entry.strip_prefix('.').unwrap_or(entry);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = domain.to_ascii_lowercase();
    let before = host.strip_suffix(&domain);
    !domain.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn contains_address(entry: &str, address: IpAddr) -> bool {
    let (network, prefix) = match entry.split_once('/') {
        Some((network, prefix)) => (network, Some(prefix)),
        None => (entry, None),
    };
    let network = network.trim_start_matches('[').trim_end_matches(']');
    let (network, address, bits) = match (network.parse(), address) {
        (Ok(IpAddr::V4(network)), IpAddr::V4(address)) => (
            u128::from(u32::from(network)),
            u128::from(u32::from(address)),
            32,
        ),
        (Ok(IpAddr::V6(network)), IpAddr::V6(address)) => (network.into(), address.into(), 128),
        _ => return false,
    };
    let prefix: Option<u32> = match prefix {
        None => Some(bits),
        Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits),
    };
    let host_bits = prefix.map(|prefix| bits.saturating_sub(prefix));
    // A shift by all bits of the number overflows: the network is then every address.
    host_bits.is_some_and(|n| network.checked_shr(n) == address.checked_shr(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_names_hosts_domains_and_networks() {
        for (exceptions, host, is_named) in [
            ("a.example, as.example", "as.example", true),
            ("a.example as.example", "as.example", true),
            ("example", "as.example", true),
            (".as.example", "as.example", true),
            ("as.example.", "as.example", true),
            ("AS.example", "as.EXAMPLE.", true),
            ("s.example", "as.example", false),
            ("as.example", "example", false),
            ("", "as.example", false),
            (".", "as.example", false),
            ("*.example", "as.example", false),
            ("as.example:443", "as.example", true),
            ("as.example:8443", "as.example", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.0/8", "127.1.2.3", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("0.0.0.0/0", "10.0.0.1", true),
            ("0.0.1", "127.0.0.1", false),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("[::1]:443", "[::1]", true),
            ("[::1]:444", "[::1]", false),
            ("fd00::/8", "[fd12::3]", true),
            ("fd00::/8", "[fe80::1]", false),
            ("::/0", "[fe80::1]", true),
            ("127.0.0.1", "[::1]", false),
        ] {
            assert_eq!(
                is_exception(exceptions, host, 443),
                is_named,
                "{exceptions} {host}"
            );
        }
    }

    #[test]
    fn proxy_url_without_port_has_that_of_curl() {
        for (url, host, port) in [
            ("http://proxy.example", "proxy.example", 1080),
            ("proxy.example", "proxy.example", 1080),
            ("http://user:p%40ss@proxy.example/", "proxy.example", 1080),
            ("http://proxy.example:3128/", "proxy.example", 3128),
            ("https://proxy.example", "proxy.example", 443),
            ("socks5h://[::1]", "[::1]", 1080),
        ] {
            let proxy = parse(url).unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{url}");
        }
        let named = parse("http://user:p%40ss@proxy.example").unwrap();
        assert_eq!(named.password(), Some("p@ss"));
    }

    #[test]
    fn proxy_url_that_is_none_is_refused() {
        for url in [
            "not a url",
            "\"http://proxy.example\"",
            "http://proxy.example:3128 ",
            "http://DOMAIN\\user:password@proxy.example",
            "ftp://proxy.example",
            "http://",
            "http://:3128",
            "http://proxy.example:port",
            "http://proxy.example:99999",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
