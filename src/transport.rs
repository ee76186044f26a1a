//! One request, one bounded response. All of the network is here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Request, Response};

/// Sends a request: a `ureq::Agent`, a closure, or any other HTTP client.
///
/// An implementation sends once, follows no redirect, returns every status as a [`Response`],
/// gives up after `timeout` over all, and reads at most 64 KiB and one byte of the body (a longer
/// one is refused by whoever reads the response).
pub trait Transport: Send + Sync {
    /// Sends `request` once.
    ///
    /// # Errors
    /// The [kind](io::Error::kind) says what went wrong: `TimedOut`; `ConnectionRefused` and
    /// `NotFound` (nobody listens, no such host) make a discovered endpoint be looked up again;
    /// `NotFound`, `InvalidData` (a certificate, a protocol) and `InvalidInput` are not worth a
    /// retry. Anything else is.
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response>;
}

impl<F> Transport for F
where
    F: Fn(&Request, Duration) -> io::Result<Response> + Send + Sync,
{
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        self(request, timeout)
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        (**self).send(request, timeout)
    }
}

#[cfg(feature = "ureq")]
mod agent {
    use std::io::{self, Read as _};
    use std::time::Duration;

    use http::{HeaderName, HeaderValue, Method};
    use ureq::{Agent, AsSendBody, Body, Error, Proxy};
    use zeroize::Zeroizing;

    use super::Transport;
    use crate::message::{MAX_RESPONSE, Request, Response};

    /// An agent that reads no proxy from the environment.
    pub(crate) fn new() -> Agent {
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
        config.build().into()
    }

    /// Proxy, roots and middleware are the agent's. What keeps an assertion safe is set on the
    /// request, so that no agent loosens it: no redirect, a timeout over all, a bounded body.
    /// Middleware sees the request, assertion included.
    impl Transport for Agent {
        fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
            let mut call = http::Request::new(());
            *call.uri_mut() = request.uri().clone();
            for (name, value) in request.headers() {
                let name = HeaderName::try_from(name).map_err(io::Error::other)?;
                let value = HeaderValue::from_static(value);
                call.headers_mut().append(name, value);
            }
            // A GET says nothing about the length of a body, a POST does even of none.
            let answer = match request.method() {
                "GET" => run(self, call, timeout),
                _ => {
                    *call.method_mut() = Method::POST;
                    run(self, call.map(|()| request.body()), timeout)
                }
            };
            let failed = |error| blamed(proxy_to(self, request.uri()), told(error));
            let (head, body) = answer.map_err(failed)?.into_parts();
            // Room is made at once: a vector that grows leaves pieces of a token behind.
            let limit = MAX_RESPONSE.saturating_add(1);
            let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            let read = body.into_reader().take(limit).read_to_end(&mut bytes);
            read.map_err(|error| told(Error::from(error)))?;
            Ok(head.headers.iter().fold(
                Response::new(head.status.as_u16(), bytes.as_slice()),
                |response, (name, value)| {
                    response.with_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()))
                },
            ))
        }
    }

    fn run(
        agent: &Agent,
        call: http::Request<impl AsSendBody>,
        timeout: Duration,
    ) -> Result<http::Response<Body>, Error> {
        let is_loopback = call.uri().scheme() == Some(&http::uri::Scheme::HTTP);
        let mut config = agent
            .configure_request(call)
            .http_status_as_error(false) // a 4xx body holds the reason
            .max_redirects(0)
            .timeout_global(Some(timeout)); // ureq has none by default
        if is_loopback {
            config = config.proxy(None); // plain http must not leave this machine
        }
        let call = config.build();
        agent.run(call)
    }

    /// The proxy that a request goes through; one over plain http goes through none.
    fn proxy_to<'a>(agent: &'a Agent, uri: &http::Uri) -> Option<&'a Proxy> {
        let proxy = agent.config().proxy()?;
        let goes = uri.scheme() == Some(&http::uri::Scheme::HTTPS) && !proxy.is_no_proxy(uri);
        goes.then_some(proxy)
    }

    /// ureq's errors in the words of [`Transport::send`].
    fn told(error: Error) -> io::Error {
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
            Error::RequireHttpsOnly(_) => {
                io::Error::new(InvalidInput, "the agent takes https only")
            } // its text has the URL
            Error::ConnectProxyFailed(ref said) if said.contains("responded 4") => {
                io::Error::new(InvalidInput, error) // it would say so again
            }
            error => io::Error::other(error),
        }
    }

    /// Who is not there is the proxy, not the server that it was to be asked for.
    fn blamed(proxy: Option<&Proxy>, error: io::Error) -> io::Error {
        use io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound, Other};
        let kind = match error.kind() {
            ConnectionRefused => Other,
            NotFound => InvalidInput, // as little worth a retry
            _ => return error,
        };
        let Some(proxy) = proxy else {
            return error;
        };
        let (host, port) = (proxy.host(), proxy.port());
        io::Error::new(kind, format!("the proxy {host}:{port}: {error}"))
    }

    /// The standard library has a kind of its own for this, and keeps it to itself.
    fn is_unknown_host(error: &io::Error) -> bool {
        let text = error.to_string();
        text.starts_with("failed to lookup address information") && !text.contains("emporary")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// The words of getaddrinfo(3), by glibc: an unknown name stays unknown, a resolver comes back.
        #[test]
        fn an_unknown_host_is_told_from_a_resolver_that_is_away() {
            let kind = |why: &str| {
                let text = format!("failed to lookup address information: {why}");
                told(Error::Io(io::Error::other(text))).kind()
            };
            assert_eq!(kind("Name or service not known"), io::ErrorKind::NotFound);
            assert_eq!(
                kind("Temporary failure in name resolution"),
                io::ErrorKind::Other
            );
        }
    }
}

#[cfg(feature = "ureq")]
pub(crate) use agent::new as agent;
