//! One request to one bounded response. No other module uses the network.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Request, Response};

/// Sends requests: a `ureq::Agent`, a closure, or any other HTTP client.
///
/// An implementation sends a request once, follows no redirect, and returns every status as a
/// [`Response`]. It gives up after `timeout`, which includes connecting and reading. It reads at
/// most 64 KiB and one byte of the body: [`Exchange::read`](crate::Exchange::read) refuses a longer
/// one.
pub trait Transport: Send + Sync {
    /// Sends `request` once, and returns the response.
    ///
    /// # Errors
    /// The [kind](io::Error::kind) of the error decides what happens next:
    ///
    /// | kind | meaning | retried |
    /// |---|---|---|
    /// | `NotFound` | the host is unknown | no; a discovered endpoint is looked up again |
    /// | `ConnectionRefused` | nothing listens | yes; a discovered endpoint is looked up again |
    /// | `InvalidData` | a certificate or a response is invalid | no |
    /// | `InvalidInput` | this client cannot send the request | no |
    /// | `TimedOut` | no response within `timeout` | yes |
    /// | any other | the network failed | yes |
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

/// A box of a closure implements `Fn`, so the implementation for closures covers it.
impl Transport for Box<dyn Transport + '_> {
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        (**self).send(request, timeout)
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

    /// Returns an agent that reads no proxy from the environment.
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

    /// The agent decides about proxy, roots and middleware. What protects an assertion is set on
    /// each request, so that no agent can weaken it: no redirect, a timeout, a bounded body.
    /// Middleware sees the request with its assertion.
    impl Transport for Agent {
        fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
            let mut call = http::Request::new(());
            *call.uri_mut() = request.uri().clone();
            for (name, value) in request.headers() {
                let name = HeaderName::try_from(name).map_err(io::Error::other)?;
                let value = HeaderValue::from_static(value);
                call.headers_mut().append(name, value);
            }
            // A GET has no `content-length`; a POST has one even without a body.
            let result = match request.method() {
                "GET" => run(self, call, timeout),
                _ => {
                    *call.method_mut() = Method::POST;
                    run(self, call.map(|()| request.body()), timeout)
                }
            };
            let (head, body) = result
                .map_err(|error| name_proxy(proxy_for(self, request.uri()), to_io_error(error)))?
                .into_parts();
            // The buffer has its full capacity at once: a growing one leaves parts of a token in
            // freed memory.
            let limit = MAX_RESPONSE.saturating_add(1);
            let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            let read = body.into_reader().take(limit).read_to_end(&mut bytes);
            read.map_err(|error| to_io_error(Error::from(error)))?;
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
            .http_status_as_error(false) // the body of a 4xx gives the reason
            .max_redirects(0)
            .timeout_global(Some(timeout)); // ureq's default is none
        if is_loopback {
            config = config.proxy(None); // plain http must not leave this machine
        }
        let call = config.build();
        agent.run(call)
    }

    /// Returns the proxy that a request goes through. Plain http goes through none.
    fn proxy_for<'a>(agent: &'a Agent, uri: &http::Uri) -> Option<&'a Proxy> {
        let proxy = agent.config().proxy()?;
        let is_https = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
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
            Error::RequireHttpsOnly(_) => {
                io::Error::new(InvalidInput, "the agent accepts https only")
            }
            // a proxy that refuses with a 4xx refuses the next request too
            Error::ConnectProxyFailed(ref text) if text.contains("responded 4") => {
                io::Error::new(InvalidInput, error)
            }
            error => io::Error::other(error),
        }
    }

    /// Names the proxy in an error of reaching it, which says nothing about the server.
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

    /// Returns whether a resolver error means that the host does not exist.
    ///
    /// The text has to tell: the standard library gives such errors a kind that is not public.
    fn is_unknown_host(error: &io::Error) -> bool {
        let text = error.to_string();
        text.starts_with("failed to lookup address information") && !text.contains("emporary")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// The texts are those of glibc's gai_strerror(3).
        #[test]
        fn unknown_host_is_not_retried_and_resolver_failure_is() {
            let kind = |why: &str| {
                let text = format!("failed to lookup address information: {why}");
                to_io_error(Error::Io(io::Error::other(text))).kind()
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
