//! A wrong clock of the client: what the servers refuse, and what clock correction repairs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{Clock, Request, TokenSource, Transport as _};

use crate::servers::{FLOWS, Flow, agent, describe, servers};
use crate::support::record;

/// The clocks of the machine, with the wall clock ahead by so many seconds.
#[derive(Clone, Copy)]
struct SkewedClock(i64);

impl Clock for SkewedClock {
    fn now(&self) -> SystemTime {
        let skew = Duration::from_secs(self.0.unsigned_abs());
        match self.0.is_negative() {
            true => SystemTime::now() - skew,
            false => SystemTime::now() + skew,
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

/// Returns the expected results in the order of [`SKEWS`].
///
/// The assertions expire after 60 s. Authlib allows 60 s in both directions. oidc-provider allows 15 s after `exp` and
/// does not check the `iat` of a client assertion.
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
                    source.unwrap().with_clock(SkewedClock(skew))
                };
                // A `Date` has whole seconds, and a busy machine needs some more.
                let assert_offset = |offset: Option<i64>| {
                    let difference = offset.unwrap().abs_diff(-skew);
                    assert!(difference <= 5, "{what}: {offset:?}");
                };

                let uncorrected = source();
                let outcome = uncorrected.token();
                let text = describe(&outcome);
                assert_eq!(text, expected, "{what}");
                assert_offset(uncorrected.status().clock_offset);
                let denied = outcome.err();
                if let Some(error) = &denied {
                    assert_offset(error.clock_offset());
                }
                assert_eq!(requests.swap(0, Relaxed), 1, "{what}");

                let corrected = source().with_clock_correction();
                corrected
                    .token()
                    .unwrap_or_else(|e| panic!("{what}: {e:?}"));
                // The first assertion may be refused. Later ones are signed with the time of the server.
                let first = 1 + usize::from(denied.is_some());
                assert_eq!(requests.swap(0, Relaxed), first, "{what}");
                corrected.fetch_uncached().unwrap();
                assert_eq!(requests.swap(0, Relaxed), 1, "{what}");

                let row = match denied.is_some() {
                    true => format!("{text}; with clock correction a token"),
                    false => text,
                };
                record(server.name, &server.flow(flow), case, row);
            }
        }
    }
}
