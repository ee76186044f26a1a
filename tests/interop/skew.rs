//! Our clock is wrong: what the servers refuse then, and what clock correction repairs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{Clock, Request, TokenSource, Transport as _};

use crate::servers::{FLOWS, Flow, agent, servers, told};
use crate::support::seen;

/// The machine's clocks, the wall clock set ahead by so many seconds.
#[derive(Clone, Copy)]
struct Skewed(i64);

impl Clock for Skewed {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        match self.0.is_negative() {
            true => SystemTime::now() - by,
            false => SystemTime::now() + by,
        }
    }
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

const SKEWS: [(i64, &str); 4] = [
    (-600, "our clock 10 min behind"),
    (-90, "our clock 90 s behind"),
    (90, "our clock 90 s ahead"),
    (600, "our clock 10 min ahead"),
];

/// In the order of [`SKEWS`]; our assertions expire after 60 s. Authlib forgives 60 s either way;
/// oidc-provider 15 s after the end, and does not look at the `iat` of a client.
fn expected(server: &str, flow: Flow) -> [&'static str; 4] {
    match (server, flow) {
        ("Authlib", Flow::Grant) => [
            "400 invalid_grant: The token is expired",
            "a token",
            "400 invalid_grant: The token was issued in the future",
            "400 invalid_grant: The token was issued in the future",
        ],
        ("Authlib", _) => [
            "400 invalid_client: The token is expired",
            "a token",
            "400 invalid_client: The token was issued in the future",
            "400 invalid_client: The token was issued in the future",
        ],
        (_, Flow::Grant) => [
            "400 invalid_grant: grant request is invalid (its log: \"exp\" claim timestamp check failed)",
            "400 invalid_grant: grant request is invalid (its log: \"exp\" claim timestamp check failed)",
            "400 invalid_grant: grant request is invalid (its log: iat is in the future)",
            "400 invalid_grant: grant request is invalid (its log: iat is in the future)",
        ],
        _ => [
            "401 invalid_client: client authentication failed (its log: jwt expired)",
            "401 invalid_client: client authentication failed (its log: jwt expired)",
            "a token",
            "a token",
        ],
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn clock_skew_is_reported_and_clock_correction_repairs_it() {
    for server in servers() {
        for flow in FLOWS {
            let rows = SKEWS.into_iter().zip(expected(server.name, flow));
            for ((skew, case), expected) in rows {
                let what = format!("{}, {flow:?}, {case}", server.name);
                let requests = Arc::new(AtomicUsize::new(0));
                let source = || {
                    let (agent, requests) = (agent(), requests.clone());
                    let counted = move |request: &Request, timeout: Duration| {
                        requests.fetch_add(1, Relaxed);
                        agent.send(request, timeout)
                    };
                    let source =
                        TokenSource::with_transport(counted, server.profile(flow), flow.key());
                    source.unwrap().with_clock(Skewed(skew))
                };
                // A `Date` has whole seconds, and a busy machine takes some more.
                let is_told = |offset: Option<i64>| {
                    let apart = offset.unwrap().abs_diff(-skew);
                    assert!(apart <= 5, "{what}: {offset:?}");
                };

                let as_it_is = source();
                let outcome = as_it_is.token();
                let said = told(&outcome);
                assert_eq!(said, expected, "{what}");
                is_told(as_it_is.status().clock_offset);
                let denied = outcome.err();
                if let Some(error) = &denied {
                    is_told(error.clock_offset());
                }
                assert_eq!(requests.swap(0, Relaxed), 1, "{what}");

                let corrected = source().with_clock_correction();
                corrected
                    .token()
                    .unwrap_or_else(|e| panic!("{what}: {e:?}"));
                // The first is refused once; what follows is signed by the server's clock at once.
                let first = 1 + usize::from(denied.is_some());
                assert_eq!(requests.swap(0, Relaxed), first, "{what}");
                corrected.fetch_uncached().unwrap();
                assert_eq!(requests.swap(0, Relaxed), 1, "{what}");

                let row = match denied.is_some() {
                    true => format!("{said}; with clock correction a token"),
                    false => said,
                };
                seen(server.name, &server.flow(flow), case, row);
            }
        }
    }
}
