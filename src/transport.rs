//! Sends one request and reads one response of bounded length. Only this module and `store/redis` use the network.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Request, Response};

#[cfg(feature = "ureq")]
mod header_lines;

#[cfg(feature = "ureq")]
mod resolver;

#[cfg(feature = "ureq")]
mod connector;

#[cfg(feature = "ureq")]
pub(crate) mod agent;

/// Sends requests: a `ureq::Agent`, a closure, or any other HTTP client.
///
/// An implementation sends a request once, follows no redirect, and returns every status as a
/// [`Response`]. It gives up after `timeout`, which includes connecting and reading. It reads at
/// most 64 KiB and one byte of the body: [`Exchange::read`](crate::Exchange::read) refuses a longer
/// one.
///
/// Plain http is only for this machine. With an agent, `localhost` then means `127.0.0.1`, and no proxy is used. Your
/// own transport has to ensure both itself: a hosts file or DNS may resolve `localhost` to another machine, and on
/// `[::1]` a program of another user may listen. If you cannot control that, give the endpoint as
/// `http://127.0.0.1:PORT`.
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
