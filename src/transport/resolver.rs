//! Resolves the name of a host, without a panic if the operating system refuses a thread.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::vec::IntoIter;
use std::{io, mem};

use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::time_limit::{CallError, TimeLimit};

/// The most threads with unfinished look-ups: a name service that hangs must not gather one for each attempt.
///
/// An agent of a busy program looks up many hosts at once.
const MAX_UNFINISHED: usize = 64;

/// Asks the operating system.
///
/// ureq's own resolver panics in its caller if no thread can be started, and starts one even for an address.
#[derive(Debug)]
pub(super) struct SystemResolver {
    time_limit: TimeLimit,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            time_limit: TimeLimit::new(MAX_UNFINISHED),
        }
    }
}

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HostNotFound);
        };
        let host = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        let all = match host.parse() {
            Ok(address) => vec![address].into_iter(),
            Err(_) => within(&self.time_limit, timeout, move || host.to_socket_addrs())?,
        };
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(all) {
            if addresses.try_push(address).is_err() {
                break;
            }
        }
        put_other_family_second(&mut addresses);
        match addresses.is_empty() {
            true => Err(Error::HostNotFound),
            false => Ok(addresses),
        }
    }
}

/// Runs `look_up` with a time limit, since the call itself has none.
fn within(
    time_limit: &TimeLimit,
    timeout: NextTimeout,
    look_up: impl FnOnce() -> io::Result<IntoIter<SocketAddr>> + Send + 'static,
) -> Result<IntoIter<SocketAddr>, Error> {
    match time_limit.run(*timeout.after, look_up) {
        Ok(addresses) => Ok(addresses?),
        Err(CallError::TimedOut) => Err(Error::Timeout(timeout.reason)),
        Err(error) => {
            let message = format!("the host name is not resolved: {error}");
            Err(io::Error::other(message).into())
        }
    }
}

/// Moves the first address of the other family to the second position (RFC 8305 §4).
///
/// A family without a working route then costs one attempt, however many addresses it has.
fn put_other_family_second(addresses: &mut [SocketAddr]) {
    let is_ipv4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let other = addresses
        .iter()
        .position(|address| address.is_ipv4() != is_ipv4);
    let Some(others) = other.and_then(|other| addresses.get_mut(1..=other)) else {
        return;
    };
    if let Some(mut moved) = others.last().copied() {
        for address in others {
            mem::swap(address, &mut moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use ureq::Timeout;
    use ureq::unversioned::transport::time::Duration;

    use super::*;

    fn timeout(after: Duration) -> NextTimeout {
        NextTimeout {
            after,
            reason: Timeout::Resolve,
            ..NextTimeout::default()
        }
    }

    fn resolve(uri: &str, after: Duration) -> Vec<SocketAddr> {
        let uri = uri.parse().unwrap();
        let addresses = SystemResolver::default().resolve(&uri, &Config::default(), timeout(after));
        addresses.unwrap().to_vec()
    }

    #[test]
    fn resolver_takes_addresses_and_default_ports_as_they_are() {
        for (uri, address) in [
            ("https://127.0.0.1/token", "127.0.0.1:443"),
            ("http://127.0.0.1:8080/token", "127.0.0.1:8080"),
            ("https://[::1]/token", "[::1]:443"),
        ] {
            assert_eq!(
                resolve(uri, Duration::from_secs(0)),
                [address.parse().unwrap()]
            );
        }
    }

    #[test]
    fn resolver_asks_the_operating_system_for_names() {
        for after in [Duration::from_secs(20), Duration::NotHappening] {
            let addresses = resolve("https://localhost/token", after);
            assert!(
                addresses
                    .iter()
                    .all(|a| a.ip().is_loopback() && a.port() == 443)
            );
        }
    }

    #[test]
    fn resolver_gives_up_at_its_timeout() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let hang = move || Err(io::Error::other(receiver.recv().unwrap_err()));
        let limit = TimeLimit::default();
        let result = within(&limit, timeout(Duration::from_millis(20)), hang);
        assert!(
            matches!(result, Err(Error::Timeout(Timeout::Resolve))),
            "{result:?}"
        );
        drop(sender);
    }

    #[test]
    fn resolver_limits_the_threads_of_look_ups_that_hang() {
        let resolver = SystemResolver::default();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let receiver = std::sync::Arc::new(std::sync::Mutex::new(receiver));
        let soon = || timeout(Duration::from_millis(1));
        for _ in 0..MAX_UNFINISHED {
            let receiver = receiver.clone();
            let hang = move || {
                let _ = receiver.lock().map(|receiver| receiver.recv());
                Ok(vec![].into_iter())
            };
            let result = within(&resolver.time_limit, soon(), hang);
            assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
        }
        let uri = "https://localhost/token".parse().unwrap();
        let error = resolver.resolve(&uri, &Config::default(), soon());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("has not finished earlier calls"), "{error}");
        drop(sender);
    }

    #[test]
    fn resolver_alternates_families_at_the_front() {
        let order = |mut addresses: Vec<&str>| {
            let mut parsed: Vec<_> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            put_other_family_second(&mut parsed);
            addresses.sort_by_key(|a| parsed.iter().position(|p| *p == a.parse().unwrap()));
            addresses.join(" ")
        };
        let [v4, v6, other_v6] = ["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"];
        assert_eq!(order(vec![]), "");
        assert_eq!(order(vec![v4]), v4);
        assert_eq!(order(vec![v6, other_v6]), [v6, other_v6].join(" "));
        assert_eq!(order(vec![v4, v6, other_v6]), [v4, v6, other_v6].join(" "));
        assert_eq!(order(vec![v6, other_v6, v4]), [v6, v4, other_v6].join(" "));
    }
}
