//! What happens while a token is fetched: attempts are counted, and a retry is announced on a terminal.
//!
//! The library sends through a transport and pauses through a clock. Both pass through here, so that a pause after a
//! failed request is known to be the one before the next attempt.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use http::Uri;
use jwt_bearer::{Clock, Request, Response, Transport};

use crate::agent::ProxyingAgent;
use crate::failure::Requests;
use crate::messages::print_message;
use crate::options::CommonOptions;

/// How often the library sends a failing request, at most.
const MAX_ATTEMPTS: u32 = 3;

/// Watches the requests of one run.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Watched>);

struct Watched {
    agent: ProxyingAgent,
    /// The requests so far, and the last failure after which the request may be sent again, in words.
    state: Mutex<(Requests, Option<String>)>,
}

impl Progress {
    pub(crate) fn new(agent: ProxyingAgent, common: &CommonOptions) -> Self {
        let state = Mutex::new((Requests::none(common), None));
        Self(Arc::new(Watched { agent, state }))
    }

    pub(crate) fn requests(&self) -> Requests {
        self.state().0.clone()
    }

    fn state(&self) -> MutexGuard<'_, (Requests, Option<String>)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Progress {
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        let url = request.url().split('?').next().unwrap_or_default();
        {
            let (requests, _) = &mut *self.state();
            requests.attempts = requests.attempts.max(1);
            url.clone_into(&mut requests.endpoint);
            requests.proxy = self.0.agent.proxy_of(request.url());
        }
        let outcome = self.0.agent.send(request, timeout);
        let uri: Uri = url.parse().unwrap_or_default();
        let host = uri.authority().map_or("the server", |host| host.as_str());
        self.state().1 = match &outcome {
            Ok(response) if is_temporary(response.status()) => {
                Some(format!("{} from {host}", response.status()))
            }
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Some(format!("no connection to {host}"))
            }
            Err(_) => Some(format!("no response from {host}")),
        };
        outcome
    }
}

impl Clock for Progress {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn sleep(&self, time: Duration) {
        let failure = {
            let (requests, failure) = &mut *self.state();
            let failure = failure.take();
            if failure.is_some() {
                requests.attempts = requests.attempts.saturating_add(1);
            }
            failure.map(|failure| (failure, requests.attempts))
        };
        if let Some((failure, attempt)) = failure.filter(|_| io::stderr().is_terminal()) {
            print_message(&format!(
                "{failure}, trying again in {} s ({attempt} of {MAX_ATTEMPTS})",
                tenths(time)
            ));
        }
        thread::sleep(time);
    }
}

/// Returns whether the library sends a request again after this status.
fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}

/// Returns seconds with one decimal, unless that is zero.
fn tenths(time: Duration) -> String {
    let text = format!("{:.1}", time.as_secs_f64());
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}
