//! [`TokenSource`]: token age and freshness, the token cache, retries, failure TTL, clock skew, 401, log.
//!
//! Time is a [`ManualClock`] that the transports below advance. Tests in which callers wait for each other use real
//! waits of 50 ms, because an injected clock cannot time a blocked thread.

mod support;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind::ConnectionReset};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::ErrorKind::{Config, Denied, Key, Network, Protocol, Timeout, Unavailable};
use jwt_bearer::{
    AccessToken, Algorithm, Audience, BoxError, Clock, Endpoint, Error, ManualClock, Profile,
    Request, Response, Signer, TokenSource, TokenState, Transport,
};

use support::sample::{NOW, at, claims, client, client_at, hmac, now};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
/// Time for other threads to reach the point where they wait.
const SHORT_WAIT: Duration = millis(50);
/// Only a deadlock takes this long.
const TEST_TIMEOUT: Duration = secs(5);

/// One request as the server received it.
#[derive(Clone, Debug)]
struct SentRequest {
    /// Wall-clock time since the start of the test.
    at: Duration,
    timeout: Duration,
    jti: String,
    iat: u64,
    exp: u64,
}

/// A token source with its clock and the requests that its server received.
struct Fixture {
    source: TokenSource,
    clock: Arc<ManualClock>,
    requests: Arc<Mutex<Vec<SentRequest>>>,
}

impl Fixture {
    /// Answers the n-th request, counted from 1, with `answer(n, timeout, clock)`.
    fn with_profile<F>(profile: Profile, signer: impl Signer + 'static, answer: F) -> Self
    where
        F: Fn(usize, Duration, &ManualClock) -> io::Result<Response>,
        F: Send + Sync + 'static,
    {
        let clock = Arc::new(ManualClock::new(now()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (time, received) = (clock.clone(), requests.clone());
        let transport = move |request: &Request, timeout: Duration| {
            let (_, assertion) = std::str::from_utf8(request.body())
                .unwrap()
                .split_once("assertion=ey")
                .unwrap();
            let claims = claims(&format!("ey{assertion}"));
            let number = |name: &str| claims[name].as_u64().unwrap();
            let request = SentRequest {
                at: time.now().duration_since(now()).unwrap(),
                timeout,
                jti: claims["jti"].as_str().unwrap().to_owned(),
                iat: number("iat"),
                exp: number("exp"),
            };
            let count = {
                let mut requests = received.lock().unwrap();
                requests.push(request);
                requests.len()
            };
            answer(count, timeout, &time)
        };
        let source = TokenSource::with_transport(transport, profile, signer).unwrap();
        let source = source.with_clock(clock.clone());
        Self {
            source,
            clock,
            requests,
        }
    }
    fn with_handler<F>(answer: F) -> Self
    where
        F: Fn(usize, Duration, &ManualClock) -> io::Result<Response>,
        F: Send + Sync + 'static,
    {
        Self::with_profile(client(), hmac(), answer)
    }
    fn new(answer: impl Fn(usize) -> io::Result<Response> + Send + Sync + 'static) -> Self {
        Self::with_handler(move |n, _, _| answer(n))
    }
    /// Fetches a token for 300 s. Later requests get `answer`.
    fn with_cached_token(
        answer: impl Fn() -> io::Result<Response> + Send + Sync + 'static,
    ) -> Self {
        let fixture = Self::new(move |n| {
            if n == 1 {
                Ok(token_response(1))
            } else {
                answer()
            }
        });
        assert_eq!(fixture.token(), "t1");
        fixture
    }
    fn configure(self, set: impl FnOnce(TokenSource) -> TokenSource) -> Self {
        let source = set(self.source);
        Self { source, ..self }
    }
    #[track_caller]
    fn token(&self) -> String {
        self.source.token().unwrap().secret().to_owned()
    }
    #[track_caller]
    fn token_error(&self) -> Error {
        self.source.token().unwrap_err()
    }
    fn requests(&self) -> Vec<SentRequest> {
        self.requests.lock().unwrap().clone()
    }
    fn request_count(&self) -> usize {
        self.requests().len()
    }
    fn state(&self) -> TokenState {
        self.source.status().state
    }
    /// Time since the start of the test.
    fn elapsed(&self) -> Duration {
        self.clock.now().duration_since(now()).unwrap()
    }
    /// Advances the clock to this time since the start of the test.
    fn advance_to(&self, time: Duration) {
        self.clock.advance(time - self.elapsed());
    }
}

/// A response with the token `tn` for 300 s.
fn token_response(n: usize) -> Response {
    token_response_lasting(n, "300")
}
fn token_response_lasting(n: usize, expires_in: &str) -> Response {
    let body = format!(r#"{{"access_token":"t{n}","expires_in":{expires_in}}}"#);
    Response::new(200, body)
}
fn error_response(status: u16) -> Response {
    Response::new(status, r#"{"error":"invalid_grant"}"#)
}
fn http_date(seconds: u64) -> String {
    httpdate::fmt_http_date(at(seconds))
}
/// Asserts that `actual` is within a fifth of `seconds`, the range of the jitter.
#[track_caller]
fn assert_about(actual: Duration, seconds: u64) {
    let fits = secs(seconds).mul_f64(0.8)..=secs(seconds).mul_f64(1.2);
    assert!(fits.contains(&actual), "{actual:?}, not about {seconds} s");
}

// ---- token age ----

#[test]
fn token_age_follows_the_clock_that_advanced_further() {
    let set_back = Fixture::new(|n| Ok(token_response(n)));
    set_back.token();
    set_back.clock.advance(secs(100));
    set_back.clock.set(now() - secs(5000));
    assert_eq!(set_back.source.status().age, Some(secs(100)));
    set_back.clock.advance(secs(200));
    assert_eq!(set_back.state(), TokenState::Expired);

    let suspended = Fixture::new(|n| Ok(token_response(n)));
    suspended.token();
    suspended.clock.set(now() + secs(299));
    assert_eq!(suspended.source.status().age, Some(secs(299)));
    assert_eq!(suspended.state(), TokenState::Refreshable);
    suspended.clock.set(now() + secs(300));
    assert_eq!(suspended.state(), TokenState::Expired);
    assert_eq!(suspended.token(), "t2");

    let issued_late = Fixture::new(|n| Ok(token_response(n)));
    issued_late.token();
    issued_late.clock.set(now() - secs(1));
    assert_eq!(issued_late.source.status().age, Some(secs(0)));
}

#[test]
fn token_age_starts_when_the_successful_request_is_sent() {
    let fixture = Fixture::with_handler(|n, _, clock| {
        clock.advance(if n == 1 { secs(9) } else { secs(4) });
        if n == 1 {
            Err(ConnectionReset.into())
        } else {
            Ok(token_response(n))
        }
    });
    let token = fixture.source.token().unwrap();
    assert_eq!(fixture.source.status().age, Some(secs(4)));
    let sent = fixture.requests()[1].at;
    assert!(sent > secs(9));
    assert_eq!(token.expires_at(), now() + sent + secs(300));
}

#[test]
fn jwt_token_lifetime_is_exp_minus_iat_or_server_date_or_clock() {
    let far = NOW + 10_000;
    for (iat, exp, server, lifetime) in [
        (Some(far), far + 700, None, 700),
        (Some(far), far + 700, Some(NOW), 700),
        (None, far + 400, Some(far), 400),
        (None, NOW + 500, None, 500),
    ] {
        let issued = iat.map_or_else(String::new, |iat| format!(r#""iat":{iat},"#));
        let payload = format!(r#"{{{issued}"exp":{exp}}}"#);
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let cylance = support::sample::cylance();
        let transport = move |_: &Request, _: Duration| {
            let response = Response::new(200, format!(r#"{{"access_token":"{token}"}}"#));
            Ok(match server {
                Some(server) => response.with_header("Date", http_date(server)),
                None => response,
            })
        };
        let source = TokenSource::with_transport(transport, cylance, hmac()).unwrap();
        let source = source.with_clock(ManualClock::new(now()));
        let token = source.token().unwrap();
        assert_eq!(
            token.expires_at(),
            at(NOW + lifetime),
            "{iat:?} {exp} {server:?}"
        );
    }
}

// ---- freshness: fresh, refreshable, expired ----

#[test]
fn token_is_fresh_then_refreshable_then_expired() {
    for (lifetime, fresh_before, refreshable_by) in
        [(300, 210, 240), (40, 26, 30), (7200, 6420, 7140)]
    {
        for _ in 0..10 {
            let fixture =
                Fixture::new(move |n| Ok(token_response_lasting(n, &lifetime.to_string())));
            assert_eq!(fixture.state(), TokenState::Empty);
            fixture.token();
            for (time, state) in [
                (secs(0), TokenState::Fresh),
                (secs(fresh_before), TokenState::Fresh),
                (secs(refreshable_by), TokenState::Refreshable),
                (secs(lifetime) - millis(1), TokenState::Refreshable),
                (secs(lifetime), TokenState::Expired),
            ] {
                fixture.advance_to(time);
                assert_eq!(fixture.state(), state, "{lifetime} s at {time:?}");
                if state == TokenState::Fresh {
                    assert_eq!(
                        (fixture.token().as_str(), fixture.request_count()),
                        ("t1", 1)
                    );
                }
            }
        }
    }
}

#[test]
fn jitter_spreads_when_tokens_become_refreshable() {
    let refreshable_at: BTreeSet<_> = (0..20)
        .map(|_| {
            let fixture = Fixture::new(|n| Ok(token_response(n)));
            fixture.token();
            while fixture.state() == TokenState::Fresh {
                fixture.clock.advance(secs(1));
            }
            fixture.elapsed()
        })
        .collect();
    assert!(refreshable_at.len() > 3, "{refreshable_at:?}");
}

#[test]
fn refreshable_or_expired_token_is_replaced_by_the_fetching_caller() {
    for time in [240, 300] {
        let fixture = Fixture::new(|n| Ok(token_response(n)));
        fixture.token();
        fixture.advance_to(secs(time));
        assert_eq!(
            (fixture.token().as_str(), fixture.request_count()),
            ("t2", 2)
        );
        assert_eq!(fixture.state(), TokenState::Fresh);
    }
}

// ---- early refresh ----

#[test]
fn failed_early_refresh_is_one_attempt_in_half_the_remaining_lifetime() {
    for (age, timeout) in [
        (240, secs(10)),
        (279, secs(10)),
        (290, secs(5)),
        (299, millis(500)),
    ] {
        let fixture = Fixture::with_cached_token(|| Ok(Response::new(503, "")));
        fixture.advance_to(secs(age));
        assert_eq!(fixture.token(), "t1");
        assert_eq!(fixture.elapsed(), secs(age), "no backoff");
        let requests = fixture.requests();
        assert_eq!((requests.len(), requests[1].timeout), (2, timeout), "{age}");
        let status = fixture.source.status();
        assert_eq!(status.last_error.unwrap().kind(), Unavailable);
        assert_eq!((status.exchanges, status.failures), (1, 1));
    }
}

/// Half of a token's remaining lifetime can be too little time for any server.
#[test]
fn timeout_of_a_refresh_shortly_before_the_end_has_no_failure_ttl() {
    for age in [secs(290), millis(299_800)] {
        let fixture = Fixture::with_handler(|n, timeout, clock| match n {
            1 => Ok(token_response(1)),
            2 => {
                clock.advance(timeout);
                Err(io::ErrorKind::TimedOut.into())
            }
            n => Ok(token_response(n)),
        });
        assert_eq!(fixture.token(), "t1");
        fixture.advance_to(age);
        assert_eq!(fixture.token(), "t1");
        fixture.advance_to(secs(300));
        assert_eq!(fixture.token(), "t3", "the server is asked again at once");
        assert_eq!(fixture.request_count(), 3);
    }
    // A timeout of a request that had the usual time says something about the server.
    let fixture = Fixture::with_handler(|n, timeout, clock| match n {
        1 => Ok(token_response(1)),
        _ => {
            clock.advance(timeout);
            Err(io::ErrorKind::TimedOut.into())
        }
    });
    assert_eq!(fixture.token(), "t1");
    fixture.advance_to(secs(260));
    assert_eq!(fixture.token(), "t1");
    assert_eq!(fixture.token(), "t1");
    assert_eq!(fixture.request_count(), 2);
}

#[test]
fn refreshable_token_is_returned_at_once_while_another_caller_fetches() {
    let (started, start) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let fixture = Fixture::new(move |n| {
        if n == 2 {
            started.send(()).unwrap();
            let _ = released.lock().unwrap().recv_timeout(TEST_TIMEOUT);
        }
        Ok(token_response(n))
    });
    fixture.token();
    fixture.advance_to(secs(240));
    thread::scope(|scope| {
        let renews = scope.spawn(|| fixture.token());
        start.recv_timeout(TEST_TIMEOUT).unwrap();
        for _ in 0..3 {
            assert_eq!(
                (fixture.token().as_str(), fixture.request_count()),
                ("t1", 2)
            );
        }
        release.send(()).unwrap();
        assert_eq!(renews.join().unwrap(), "t2");
    });
    assert_eq!(
        (fixture.token().as_str(), fixture.request_count()),
        ("t2", 2)
    );
}

// ---- short lifetimes ----

#[test]
fn expires_in_that_is_not_positive_falls_back_to_the_default_lifetime() {
    for expires_in in [
        "0", "-5", "0.0", "\"0\"", "\"soon\"", "\"NaN\"", "null", "{}", "true",
    ] {
        let profile = client().with_token_lifetime(secs(777));
        let fixture = Fixture::with_profile(profile, hmac(), move |n, _, _| {
            Ok(token_response_lasting(n, expires_in))
        });
        let token = fixture.source.token().unwrap();
        assert_eq!(token.expires_at(), at(NOW + 777), "{expires_in}");
    }
}

#[test]
fn short_token_is_cached_for_one_second_after_receipt() {
    for trip in [secs(0), secs(3)] {
        let fixture = Fixture::with_handler(move |n, _, clock| {
            clock.advance(trip);
            Ok(token_response_lasting(n, "0.2"))
        });
        fixture.token();
        fixture.clock.advance(millis(999));
        assert_eq!(
            (fixture.token().as_str(), fixture.request_count()),
            ("t1", 1)
        );
        fixture.clock.advance(millis(1));
        assert_eq!(
            (fixture.token().as_str(), fixture.request_count()),
            ("t2", 2)
        );
    }
}

/// A clock that advances two seconds whenever it is read.
struct JumpingClock(ManualClock);

impl Clock for JumpingClock {
    fn now(&self) -> SystemTime {
        self.0.advance(secs(2));
        self.0.now()
    }
    fn monotonic(&self) -> Instant {
        self.0.monotonic()
    }
    fn sleep(&self, time: Duration) {
        self.0.sleep(time);
    }
}

/// Runs `ask` on that many threads at once and returns the results.
fn call_concurrently<T: Send>(
    callers: usize,
    arrived: &AtomicUsize,
    ask: impl Fn() -> T + Sync,
) -> Vec<T> {
    thread::scope(|scope| {
        let ask = &ask;
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(move || {
                    arrived.fetch_add(1, SeqCst);
                    ask()
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    })
}

/// Blocks a request until that many callers have arrived and had time to wait for it.
fn wait_for_callers(arrived: &AtomicUsize, callers: usize) {
    let start = Instant::now();
    while arrived.load(SeqCst) < callers && start.elapsed() < TEST_TIMEOUT {
        thread::yield_now();
    }
    thread::sleep(SHORT_WAIT * 2);
}

#[test]
fn waiters_get_the_fetched_token_even_if_it_has_expired() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(AtomicUsize::new(0));
    let (others, count) = (arrived.clone(), requests.clone());
    let transport = move |_: &Request, _: Duration| {
        let n = count.fetch_add(1, SeqCst) + 1;
        wait_for_callers(&others, 4);
        Ok(token_response_lasting(n, "0.2"))
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source
        .with_clock(JumpingClock(ManualClock::new(now())))
        .with_timeout(secs(1000));
    let got = call_concurrently(4, &arrived, || source.token().unwrap().secret().to_owned());
    assert_eq!(got, ["t1"; 4]);
    assert_eq!(requests.load(SeqCst), 1);
}

// ---- token cache: the fetching caller and its waiters ----

/// A signer whose signature or failure is the result of a closure.
struct SignerFn<F>(F);

impl<F: Fn() -> Result<Vec<u8>, BoxError> + Send + Sync> Signer for SignerFn<F> {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        self.0()
    }
}

#[test]
fn token_cache_fetches_once_for_concurrent_callers() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let others = arrived.clone();
    let fixture = Fixture::new(move |n| {
        wait_for_callers(&others, 8);
        Ok(token_response(n))
    });
    assert_eq!(
        call_concurrently(8, &arrived, || fixture.token()),
        ["t1"; 8]
    );
    assert_eq!(fixture.request_count(), 1);
}

#[test]
fn token_cache_shares_signer_failure_with_waiters() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let signed = Arc::new(AtomicUsize::new(0));
    let (others, count) = (arrived.clone(), signed.clone());
    let signer = SignerFn(move || {
        count.fetch_add(1, SeqCst);
        wait_for_callers(&others, 8);
        Err("the token was pulled".into())
    });
    let fixture = Fixture::with_profile(client(), signer, |n, _, _| Ok(token_response(n)));
    let kinds = call_concurrently(8, &arrived, || fixture.token_error().kind());
    assert_eq!(kinds, [Key; 8]);
    assert_eq!((signed.load(SeqCst), fixture.request_count()), (1, 0));
}

#[test]
fn waiters_elect_a_new_fetching_caller_after_a_panic() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let others = arrived.clone();
    let fixture = Fixture::new(move |n| {
        wait_for_callers(&others, 4);
        assert_ne!(n, 1, "this transport panics on purpose");
        Ok(token_response(n))
    });
    let mut got = call_concurrently(4, &arrived, || {
        catch_unwind(AssertUnwindSafe(|| fixture.token())).unwrap_or_default()
    });
    got.sort();
    assert_eq!(got, ["", "t2", "t2", "t2"]);
    assert_eq!(fixture.request_count(), 2);
}

/// All callers of a source have the same time, so a server that is silent for all of it would have failed any of them.
#[test]
fn silence_for_a_whole_call_is_shared_with_waiters_and_has_a_failure_ttl() {
    let (started, start) = mpsc::channel();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let transport = move |_: &Request, timeout: Duration| {
        count.fetch_add(1, SeqCst);
        started.send(()).unwrap();
        thread::sleep(timeout);
        Err(io::ErrorKind::TimedOut.into())
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_timeout(SHORT_WAIT * 6);
    thread::scope(|scope| {
        let fetching_caller = scope.spawn(|| source.token());
        start.recv_timeout(TEST_TIMEOUT).unwrap();
        thread::sleep(SHORT_WAIT * 3);
        assert_eq!(source.token().unwrap_err().kind(), Network);
        assert_eq!(fetching_caller.join().unwrap().unwrap_err().kind(), Network);
    });
    let begun = Instant::now();
    let error = source.token().unwrap_err();
    assert!(begun.elapsed() < SHORT_WAIT * 6);
    assert!(error.is_timeout() && error.retry_after().unwrap() > secs(0));
    assert_eq!(requests.load(SeqCst), 1);
}

#[test]
fn timeout_of_a_caller_with_little_time_left_has_no_failure_ttl() {
    let (started, start) = mpsc::channel();
    let requests = AtomicUsize::new(0);
    let transport = move |_: &Request, timeout: Duration| match requests.fetch_add(1, SeqCst) + 1 {
        n @ 3.. => Ok(token_response(n)),
        _ => {
            started.send(()).unwrap();
            thread::sleep(timeout);
            Err(io::ErrorKind::TimedOut.into())
        }
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_timeout(SHORT_WAIT * 40);
    thread::scope(|scope| {
        let first = scope.spawn(|| source.token());
        start.recv_timeout(TEST_TIMEOUT).unwrap();
        let second = scope.spawn(|| source.token());
        thread::sleep(SHORT_WAIT * 32);
        source.clear(); // the second caller waits no longer, and fetches in the time that it has left
        assert_eq!(second.join().unwrap().unwrap_err().kind(), Network);
        assert_eq!(first.join().unwrap().unwrap_err().kind(), Network);
    });
    assert_eq!(source.token().unwrap().secret(), "t3");
}

#[test]
fn waiter_that_times_out_leaves_the_fetch_in_flight() {
    let (started, start) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let transport = move |_: &Request, _: Duration| {
        let n = count.fetch_add(1, SeqCst) + 1;
        started.send(()).unwrap();
        let _ = released.lock().unwrap().recv_timeout(TEST_TIMEOUT);
        Ok(token_response(n))
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_timeout(SHORT_WAIT);
    thread::scope(|scope| {
        let fetching_caller = scope.spawn(|| source.token());
        start.recv_timeout(TEST_TIMEOUT).unwrap();
        for _ in 0..2 {
            // The first timeout must not disturb the fetch that the second caller waits for.
            let begun = Instant::now();
            let error = source.token().unwrap_err();
            assert!(begun.elapsed() >= SHORT_WAIT && begun.elapsed() < TEST_TIMEOUT);
            assert_eq!((error.kind(), error.is_retryable()), (Timeout, true));
            assert!(source.status().last_error.is_none());
            assert_eq!(requests.load(SeqCst), 1);
        }
        release.send(()).unwrap();
        assert_eq!(fetching_caller.join().unwrap().unwrap().secret(), "t1");
    });
    assert_eq!(source.token().unwrap().secret(), "t1");
    assert_eq!(requests.load(SeqCst), 1);
}

#[test]
fn reentrant_call_from_signer_or_transport_is_an_error_not_a_deadlock() {
    type Own = Arc<OnceLock<Arc<TokenSource>>>;
    fn ask(own: &Own) -> Error {
        own.get().unwrap().token().unwrap_err()
    }
    for in_signer in [true, false] {
        let own = Own::default();
        let (sender, kind) = mpsc::channel();
        let (signers, transports) = (own.clone(), own.clone());
        let (signer_sender, transport_sender) = (sender.clone(), sender);
        let signer = SignerFn(move || {
            if in_signer {
                signer_sender.send(ask(&signers).kind()).unwrap();
            }
            Ok(b"signature".to_vec())
        });
        let transport = move |_: &Request, _: Duration| {
            if !in_signer {
                transport_sender.send(ask(&transports).kind()).unwrap();
            }
            Ok(token_response(1))
        };
        let source = Arc::new(TokenSource::with_transport(transport, client(), signer).unwrap());
        assert!(own.set(source.clone()).is_ok());
        let (done, token) = mpsc::channel();
        thread::spawn(move || done.send(source.token()).unwrap());
        assert_eq!(kind.recv_timeout(TEST_TIMEOUT), Ok(Config));
        assert_eq!(
            token.recv_timeout(TEST_TIMEOUT).unwrap().unwrap().secret(),
            "t1"
        );
    }
}

// ---- timeout and retries ----

#[test]
fn retryable_failure_is_tried_three_times_with_a_new_jti_each() {
    use io::ErrorKind::{ConnectionRefused, InvalidData, InvalidInput, NotFound, TimedOut};
    let status = |status: u16| Ok(error_response(status));
    for (answer, kind, attempts) in [
        (status(408), Unavailable, 3),
        (status(429), Unavailable, 3),
        (status(500), Unavailable, 3),
        (status(502), Unavailable, 3),
        (status(503), Unavailable, 3),
        (status(504), Unavailable, 3),
        (Err(ConnectionReset), Network, 3),
        (Err(ConnectionRefused), Network, 3),
        (Err(TimedOut), Network, 3),
        (Err(InvalidData), Network, 1), // an invalid certificate
        (Err(NotFound), Network, 1),    // an unknown host
        (Err(InvalidInput), Network, 1),
        (status(400), Denied, 1),
        (status(401), Denied, 1),
        (status(403), Denied, 1),
        (status(404), Denied, 1),
        (status(501), Protocol, 1),
        (Ok(Response::new(200, "<html>")), Protocol, 1),
    ] {
        let case = format!("{answer:?}");
        let fixture = Fixture::new(move |_| answer.clone().map_err(io::Error::from));
        let error = fixture.token_error();
        let requests = fixture.requests();
        assert_eq!((error.kind(), requests.len()), (kind, attempts), "{case}");
        let jtis: BTreeSet<_> = requests.iter().map(|request| &request.jti).collect();
        assert_eq!(jtis.len(), attempts, "{case}");
        if attempts == 3 {
            assert_about(requests[1].at, 1);
            assert_about(requests[2].at - requests[1].at, 2);
        }
        assert_eq!(fixture.source.status().failures, 1);
    }
}

#[test]
fn retry_after_is_waited_for_as_seconds_and_as_a_date() {
    let far = NOW + 10_000;
    for (retry_after, server, pause) in [
        ("7".to_owned(), None, 7),
        (http_date(far + 12), Some(far), 12),
        (http_date(NOW + 9), None, 9),
    ] {
        let fixture = Fixture::new(move |n| {
            let unavailable = error_response(429).with_header("Retry-After", &retry_after);
            Ok(match (n, server) {
                (1, None) => unavailable,
                (1, Some(server)) => unavailable.with_header("Date", http_date(server)),
                _ => token_response(n),
            })
        });
        assert_eq!(fixture.token(), "t2");
        assert_eq!(fixture.requests()[1].at, secs(pause));
    }
}

#[test]
fn retry_after_of_zero_or_in_the_past_is_waited_for_with_backoff() {
    for retry_after in [" 0 ".to_owned(), http_date(NOW - 12)] {
        let fixture = Fixture::new(move |n| {
            let unavailable = error_response(429).with_header("Retry-After", &retry_after);
            Ok(match n {
                1 => unavailable.with_header("Date", http_date(NOW)),
                _ => token_response(n),
            })
        });
        assert_eq!(fixture.token(), "t2");
        let pause = fixture.requests()[1].at;
        let backoff = Duration::from_millis(800)..=Duration::from_millis(1200);
        assert!(backoff.contains(&pause), "{pause:?}");
    }
}

#[test]
fn retry_after_beyond_the_deadline_is_returned_without_waiting() {
    for (timeout, asked, requests) in [(30, 31, 1), (10, 11, 1), (60, 31, 2)] {
        let fixture = Fixture::new(move |n| match n {
            1 => Ok(error_response(503).with_header("Retry-After", asked.to_string())),
            _ => Ok(token_response(n)),
        });
        let fixture = fixture.configure(|source| source.with_timeout(secs(timeout)));
        let outcome = fixture.source.token();
        assert_eq!(fixture.request_count(), requests, "{asked} s of {timeout}");
        if let Err(error) = outcome {
            assert_eq!(error.retry_after(), Some(secs(asked)));
            assert_eq!(fixture.elapsed(), secs(0), "it did not wait");
        }
    }
}

/// Signing with a remote key takes some of that time, so a retry needs 50 ms at least.
#[test]
fn backoff_that_leaves_no_time_for_an_attempt_returns_the_server_error() {
    for (timeout, requests) in [(1_000, 1), (1_050, 1), (1_051, 2)] {
        let fixture = Fixture::new(|_| Ok(error_response(503).with_header("Retry-After", "1")));
        let fixture = fixture.configure(|source| source.with_timeout(millis(timeout)));
        assert_eq!(fixture.token_error().status(), Some(503), "{timeout}");
        assert_eq!(fixture.request_count(), requests, "{timeout}");
    }
}

#[test]
fn slow_signer_that_uses_up_the_timeout_prevents_the_request() {
    for (takes, requests) in [(29, 1), (30, 0)] {
        let clock = Arc::new(ManualClock::new(now()));
        let (time, asked) = (clock.clone(), Arc::new(AtomicUsize::new(0)));
        let signer = SignerFn(move || {
            time.advance(secs(takes));
            Ok(vec![0; 32])
        });
        let count = asked.clone();
        let transport = move |_: &Request, timeout: Duration| {
            assert_eq!(timeout, secs(1));
            count.fetch_add(1, SeqCst);
            Ok(token_response(1))
        };
        let source = TokenSource::with_transport(transport, client(), signer).unwrap();
        let outcome = source.with_clock(clock).token();
        assert_eq!(asked.load(SeqCst), requests);
        match outcome {
            Ok(token) => assert_eq!((takes, token.secret()), (29, "t1")),
            Err(error) => {
                assert_eq!(
                    (takes, error.kind(), error.is_retryable()),
                    (30, Network, true)
                );
                assert_eq!(error.to_string(), "no time is left to send a request");
            }
        }
    }
}

#[test]
fn request_without_time_is_not_sent_and_its_error_blames_no_host() {
    let discovered = || client_at(Endpoint::issuer("https://as.example.com").unwrap());
    let error = |profile, timeout| {
        let (clock, asked) = (
            Arc::new(ManualClock::new(now())),
            Arc::<AtomicUsize>::default(),
        );
        let (time, count) = (clock.clone(), asked.clone());
        let transport = move |_: &Request, _: Duration| {
            count.fetch_add(1, SeqCst);
            time.advance(timeout);
            Ok(Response::new(404, ""))
        };
        let source = TokenSource::with_transport(transport, profile, hmac()).unwrap();
        let source = source.with_clock(clock).with_timeout(timeout);
        let error = source.token().unwrap_err();
        assert!(error.is_timeout() && error.is_retryable(), "{error}");
        (error.to_string(), asked.load(SeqCst))
    };
    let unsent = "no time is left to send a request";
    assert_eq!(error(client(), Duration::ZERO), (unsent.to_owned(), 0));
    assert_eq!(error(discovered(), Duration::ZERO), (unsent.to_owned(), 0));

    let (text, requests) = error(discovered(), secs(5));
    assert!(text.contains("metadata is not there"), "{text}");
    assert!(text.contains(unsent), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn timeout_is_capped_at_one_year() {
    for (days, requests) in [(364, 2), (366, 1)] {
        let fixture = Fixture::with_handler(move |n, _, clock| match n {
            1 => {
                clock.advance(secs(days * 24 * 3600));
                Ok(error_response(503))
            }
            _ => Ok(token_response(n)),
        });
        let fixture = fixture.configure(|source| source.with_timeout(Duration::MAX));
        let outcome = fixture.source.token();
        assert_eq!(
            (fixture.request_count(), outcome.is_ok()),
            (requests, requests == 2)
        );
    }
}

/// A wall clock of Windows counts in steps of 100 ns.
#[track_caller]
fn assert_same(left: Duration, right: Duration) {
    let difference = left.abs_diff(right);
    assert!(difference < Duration::from_micros(2), "{left:?} {right:?}");
}

#[test]
fn attempt_timeout_is_ten_seconds_or_the_remaining_time() {
    for timeout in [None, Some(25), Some(4)] {
        let fixture = Fixture::with_handler(|_, timeout, clock| {
            clock.advance(timeout);
            Err(io::ErrorKind::TimedOut.into())
        });
        let fixture = fixture.configure(|source| match timeout {
            Some(timeout) => source.with_timeout(secs(timeout)),
            None => source,
        });
        let whole = secs(timeout.unwrap_or(30));
        assert_eq!(fixture.token_error().kind(), Network);
        let requests = fixture.requests();
        for request in &requests {
            assert_same(request.timeout, secs(10).min(whole - request.at));
        }
        assert_eq!(requests.len(), if whole == secs(4) { 1 } else { 3 });
        assert_same(fixture.elapsed(), whole);
    }
}

// ---- failure TTL and backoff ----

#[test]
fn failure_ttl_is_ten_seconds_or_retry_after_up_to_five_minutes() {
    let plain = |response: fn() -> Response, kind, ttl| (response, kind, None, ttl);
    for (response, kind, retry_after, ttl) in [
        plain(|| error_response(400), Denied, 10),
        plain(|| error_response(403), Denied, 10),
        plain(|| Response::new(200, "<html>"), Protocol, 10),
        (|| error_response(400), Denied, Some(5), 10),
        (|| error_response(400), Denied, Some(60), 60),
        (|| error_response(503), Unavailable, Some(100), 100),
        (|| error_response(429), Unavailable, Some(1000), 300),
    ] {
        let fixture = Fixture::new(move |_| {
            Ok(match retry_after {
                Some(seconds) => response().with_header("Retry-After", u32::to_string(&seconds)),
                None => response(),
            })
        });
        let first = fixture.token_error();
        assert_eq!((first.kind(), first.retry_after()), (kind, Some(secs(ttl))));
        for (time, requests) in [(millis(0), 1), (secs(ttl) - millis(1), 1), (secs(ttl), 2)] {
            fixture.advance_to(time);
            let error = fixture.token_error();
            let case = (kind, retry_after, time);
            assert_eq!(
                (error.kind(), fixture.request_count()),
                (kind, requests),
                "{case:?}"
            );
            if requests == 1 {
                assert_eq!(error.retry_after(), Some(secs(ttl) - time), "{case:?}");
            }
        }
    }
}

#[test]
fn failure_ttl_doubles_with_consecutive_failures_up_to_thirty_seconds() {
    let answers: [fn() -> io::Result<Response>; 2] =
        [|| Err(ConnectionReset.into()), || Ok(error_response(503))];
    for answer in answers {
        let fixture = Fixture::new(move |_| answer());
        let mut jitters = BTreeSet::new();
        for (n, ttl) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            fixture.token_error();
            assert_eq!(fixture.request_count(), 3 * (n + 1));
            let before = fixture.elapsed();
            let remaining = fixture.token_error().retry_after().unwrap();
            assert_about(remaining, ttl);
            jitters.insert(remaining.as_nanos() / u128::from(ttl));
            fixture.clock.advance(remaining - millis(1));
            assert_eq!(fixture.token_error().retry_after(), Some(millis(1)));
            assert_same(fixture.elapsed() - before, remaining - millis(1)); // the call does not wait
            assert_eq!(fixture.request_count(), 3 * (n + 1));
            fixture.clock.advance(millis(1));
        }
        assert!(jitters.len() > 3, "no jitter: {jitters:?}");
    }
}

#[test]
fn failure_ttl_serves_the_refreshable_token_and_blocks_fetches() {
    let fixture = Fixture::with_cached_token(|| Ok(error_response(400)));
    for (time, requests) in [
        (secs(240), 2),
        (millis(249_999), 2),
        (secs(250), 3),
        (secs(295), 4),
    ] {
        fixture.advance_to(time);
        assert_eq!(
            (fixture.token().as_str(), fixture.request_count()),
            ("t1", requests)
        );
    }
    fixture.advance_to(secs(300));
    let error = fixture.token_error();
    assert_eq!((error.kind(), error.retry_after()), (Denied, Some(secs(5))));
    assert_eq!(error.code(), Some("invalid_grant"));
    assert_eq!(fixture.request_count(), 4);
}

#[test]
fn silent_server_for_a_whole_attempt_has_a_failure_ttl() {
    for (timeout, requests) in [(30, 3), (25, 3), (10, 1)] {
        let fixture = Fixture::with_handler(|_, timeout, clock| {
            clock.advance(timeout);
            Err(io::ErrorKind::TimedOut.into())
        });
        let fixture = fixture.configure(|source| source.with_timeout(secs(timeout)));
        assert_eq!(fixture.token_error().kind(), Network);
        assert_about(
            fixture.token_error().retry_after().expect("a failure TTL"),
            1,
        );
        assert_same(fixture.elapsed(), secs(timeout));
        assert_eq!(fixture.request_count(), requests);
    }
}

/// A short timeout can explain only silence.
#[test]
fn broken_connection_has_a_failure_ttl_even_after_a_short_timeout() {
    let fixture = Fixture::with_handler(|_, timeout, clock| {
        clock.advance(timeout);
        Err(ConnectionReset.into())
    });
    let fixture = fixture.configure(|source| source.with_timeout(secs(4)));
    assert_eq!(fixture.token_error().kind(), Network);
    assert_about(
        fixture.token_error().retry_after().expect("a failure TTL"),
        1,
    );
    assert_eq!((fixture.elapsed(), fixture.request_count()), (secs(4), 1));
}

#[test]
fn signer_failure_is_remembered_with_backoff() {
    let signer = {
        let signed = AtomicUsize::new(0);
        SignerFn(move || match signed.fetch_add(1, SeqCst) {
            0 => Err("the token was pulled".into()),
            _ => Ok(b"signature".to_vec()),
        })
    };
    let fixture = Fixture::with_profile(client(), signer, |n, _, _| Ok(token_response(n)));
    let error = fixture.token_error();
    assert_eq!(error.kind(), Key);
    let first = error.retry_after();
    let remembered = fixture.token_error();
    assert_eq!(remembered.kind(), Key);
    let left = remembered.retry_after().unwrap();
    assert_eq!(first, Some(left), "until the source asks again");
    assert!(
        (secs(0)..=Duration::from_millis(1200)).contains(&left),
        "{left:?}"
    );
    let last_error = fixture.source.status().last_error.unwrap();
    assert_eq!(last_error.kind(), Key);
    fixture.clock.advance(secs(2));
    assert_eq!(
        (fixture.token().as_str(), fixture.request_count()),
        ("t1", 1)
    );
    assert!(fixture.source.status().last_error.is_none());
}

#[test]
fn success_resets_consecutive_failures() {
    let fixture = Fixture::new(|n| {
        if n == 7 {
            Ok(token_response(n))
        } else {
            Ok(error_response(503))
        }
    });
    for ttl in [1, 2] {
        fixture.token_error();
        let remaining = fixture.token_error().retry_after().unwrap();
        assert_about(remaining, ttl);
        fixture.clock.advance(remaining);
    }
    assert!(fixture.source.status().last_error.is_some());
    assert_eq!(fixture.token(), "t7");
    assert!(fixture.source.status().last_error.is_none());
    fixture.clock.advance(secs(300));
    fixture.token_error();
    assert_about(fixture.token_error().retry_after().unwrap(), 1);
}

#[test]
fn clear_resets_failures_and_removes_the_token() {
    let fixture = Fixture::new(|n| {
        if n == 7 {
            Ok(token_response(n))
        } else {
            Ok(error_response(503))
        }
    });
    for _ in 0..2 {
        fixture.token_error();
        assert_about(fixture.token_error().retry_after().unwrap(), 1);
        fixture.source.clear();
        assert!(fixture.source.status().last_error.is_none());
    }
    assert_eq!(
        (fixture.token().as_str(), fixture.request_count()),
        ("t7", 7)
    );
    fixture.source.clear();
    assert_eq!(fixture.state(), TokenState::Empty);
}

#[test]
fn invalidate_keeps_the_failure_ttl() {
    let fixture = Fixture::with_cached_token(|| Ok(error_response(400)));
    let token = fixture.source.token().unwrap();
    fixture.advance_to(secs(240));
    fixture.token(); // the early refresh fails
    fixture.source.invalidate(&token);
    assert_eq!(fixture.state(), TokenState::Empty);
    let error = fixture.token_error();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (Denied, Some(secs(10)))
    );
    assert_eq!(fixture.request_count(), 2);
}

// ---- clock skew ----

#[test]
fn clock_offset_is_server_date_minus_round_trip_midpoint() {
    for (trip, ahead, age, offset) in [
        (4, 602, None, Some(600)),
        (4, -598, None, Some(-600)),
        (5, 602, None, None),
        (4, 602, Some("0"), Some(600)),
        (4, 602, Some("5"), None),
    ] {
        for granted in [true, false] {
            let fixture = Fixture::with_handler(move |n, _, clock| {
                clock.advance(secs(trip));
                let response = if granted {
                    token_response(n)
                } else {
                    error_response(400)
                };
                let response =
                    response.with_header("Date", http_date(NOW.checked_add_signed(ahead).unwrap()));
                Ok(match age {
                    Some(age) => response.with_header("Age", age),
                    None => response,
                })
            });
            let outcome = fixture.source.token();
            let case = (trip, ahead, age, granted);
            assert_eq!(outcome.is_ok(), granted);
            assert_eq!(fixture.source.status().clock_offset, offset, "{case:?}");
            if let Err(error) = outcome {
                assert_eq!(error.clock_offset(), offset, "{case:?}");
            }
        }
    }
}

#[test]
fn clock_correction_signs_again_by_server_time_and_persists() {
    // The clock of this server is ten minutes ahead, and it checks `iat`.
    let server = |requests: &Arc<Mutex<Vec<SentRequest>>>, n: usize, clock: &ManualClock| {
        let time = clock.now() + secs(600);
        let seconds = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let iat = requests.lock().unwrap()[n - 1].iat;
        let response = if iat.abs_diff(seconds) < 120 {
            token_response(n)
        } else {
            error_response(400)
        };
        Ok(response.with_header("Date", http_date(seconds)))
    };
    let requests: Arc<OnceLock<Arc<Mutex<Vec<SentRequest>>>>> = Arc::default();
    let own = requests.clone();
    let fixture = Fixture::with_handler(move |n, _, clock| server(own.get().unwrap(), n, clock));
    requests.set(fixture.requests.clone()).unwrap();
    let fixture = fixture.configure(TokenSource::with_clock_correction);

    let token = fixture.source.token().unwrap();
    let requests = fixture.requests();
    assert_eq!((token.secret(), requests.len()), ("t2", 2));
    assert_eq!(requests[1].iat - requests[0].iat, 600);
    assert_eq!(requests[1].exp - requests[0].exp, 600);
    assert_ne!(requests[1].jti, requests[0].jti);
    assert_eq!(token.expires_at(), at(NOW + 300), "by the local clock");
    assert_eq!(fixture.source.status().age, Some(secs(0)));
    assert_eq!(fixture.source.status().clock_offset, Some(600));

    fixture.advance_to(secs(300));
    assert_eq!(
        (fixture.token().as_str(), fixture.request_count()),
        ("t3", 3)
    );
    assert_eq!(
        fixture.requests()[2].iat - requests[0].iat,
        900,
        "the correction persists"
    );
    assert_eq!(fixture.source.token().unwrap().expires_at(), at(NOW + 600));

    fixture.source.clear();
    assert_eq!(
        (fixture.token().as_str(), fixture.request_count()),
        ("t5", 5)
    );
}

#[test]
fn clock_correction_ignores_small_huge_and_unrelated_offsets() {
    for (opted_in, status, ahead, requests) in [
        (true, 400, 31, 2),
        (true, 401, 600, 2),
        (true, 400, -600, 2),
        (true, 400, 86_399, 2),
        (true, 400, 30, 1),
        (true, 400, 86_400, 1),
        (true, 400, -86_400, 1),
        (true, 403, 600, 1),
        (false, 400, 600, 1),
    ] {
        let fixture = Fixture::new(move |_| {
            Ok(error_response(status)
                .with_header("Date", http_date(NOW.checked_add_signed(ahead).unwrap())))
        });
        let fixture = fixture.configure(|source| match opted_in {
            true => source.with_clock_correction(),
            false => source,
        });
        let case = (opted_in, status, ahead);
        assert_eq!(fixture.token_error().kind(), Denied, "{case:?}");
        assert_eq!(fixture.request_count(), requests, "{case:?}");
    }
}

/// Box takes an `exp` at most 60 seconds ahead of its clock, and it lies 45 ahead of ours. Maskinporten takes an `iat` that
/// differs from its clock by at most 10 seconds.
#[test]
fn clock_correction_of_a_provider_begins_where_its_server_denies() {
    let maskinporten = Profile::maskinporten("https://test.maskinporten.no/", "client");
    let maskinporten = maskinporten.unwrap().with_scope("some:scope");
    let box_profile = Profile::box_enterprise("client", "client-secret", "7");
    for (profile, behind, requests) in [
        (&maskinporten, 11, 2),
        (&maskinporten, 8, 1),
        (&box_profile, 16, 2),
        (&box_profile, 30, 2),
        (&box_profile, 13, 1),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let asked = count.clone();
        let transport = move |_: &Request, _: Duration| {
            asked.fetch_add(1, SeqCst);
            Ok(error_response(400).with_header("Date", http_date(NOW - behind)))
        };
        let key = support::sample::rsa().with_key_id("k");
        let source = TokenSource::with_transport(transport, profile.clone(), key).unwrap();
        let source = source.with_clock(ManualClock::new(now()));
        assert_eq!(source.token().unwrap_err().kind(), Denied);
        assert_eq!(count.load(SeqCst), requests, "{profile:?} {behind}");
    }
}

// ---- refresh and minimum lifetime ----

#[test]
fn refresh_or_longer_lifetime_wanted_by_many_threads_costs_one_fetch() {
    type Call = fn(&TokenSource) -> Result<AccessToken, Error>;
    let calls: [Call; 2] = [TokenSource::refresh, |source| {
        source.token_with_lifetime(secs(290))
    }];
    for call in calls {
        let arrived = Arc::new(AtomicUsize::new(0));
        let others = arrived.clone();
        let fixture = Fixture::new(move |n| {
            if n > 1 {
                wait_for_callers(&others, 8);
            }
            Ok(token_response(n))
        });
        fixture.token();
        fixture.clock.advance(secs(20));
        let got = call_concurrently(8, &arrived, || {
            call(&fixture.source).unwrap().secret().to_owned()
        });
        assert_eq!(got, ["t2"; 8]);
        assert_eq!((fixture.token(), fixture.request_count()), ("t2".into(), 2));
    }
}

#[test]
fn failed_refresh_is_remembered_and_keeps_the_cached_token() {
    let fixture = Fixture::with_cached_token(|| Ok(error_response(400)));
    fixture.clock.advance(secs(20));
    for left in [10, 10, 9] {
        fixture.clock.advance(secs(if left == 9 { 1 } else { 0 }));
        let error = fixture.source.refresh().unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (Denied, Some(secs(left)))
        );
        let error = fixture.source.token_with_lifetime(secs(299)).unwrap_err();
        assert_eq!(error.retry_after(), Some(secs(left)));
        assert_eq!((fixture.token(), fixture.request_count()), ("t1".into(), 2));
    }
    fixture.clock.advance(secs(9));
    assert_eq!(fixture.source.refresh().unwrap_err().kind(), Denied);
    assert_eq!(fixture.request_count(), 3);
}

#[test]
fn refresh_waits_for_no_fetch_that_began_as_another_kind() {
    let (started, start) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let fixture = Fixture::new(move |n| {
        if n == 1 {
            started.send(()).unwrap();
            let _ = released.lock().unwrap().recv_timeout(TEST_TIMEOUT);
        }
        Ok(token_response(n))
    });
    thread::scope(|scope| {
        let fetches = scope.spawn(|| fixture.token());
        start.recv_timeout(TEST_TIMEOUT).unwrap();
        let refreshes = scope.spawn(|| fixture.source.refresh().unwrap().secret().to_owned());
        thread::sleep(SHORT_WAIT);
        release.send(()).unwrap();
        assert_eq!(fetches.join().unwrap(), "t1");
        assert_eq!(refreshes.join().unwrap(), "t2");
    });
    assert_eq!(fixture.token(), "t2");
}

#[test]
fn token_with_lifetime_follows_the_clock_that_advanced_further() {
    let fixture = Fixture::new(|n| Ok(token_response(n)));
    fixture.token();
    fixture.clock.advance(secs(200));
    fixture.clock.set(now()); // by the wall clock it lives for 300 s, and 100 s are left
    let token = fixture.source.token_with_lifetime(secs(100)).unwrap();
    assert_eq!(token.secret(), "t1");
    let token = fixture.source.token_with_lifetime(secs(101)).unwrap();
    assert_eq!(token.secret(), "t2");
}

#[test]
fn token_with_lifetime_takes_no_longer_than_the_timeout() {
    let fixture = Fixture::with_handler(|n, timeout, clock| match n {
        1 => Ok(token_response(1)),
        _ => {
            clock.advance(timeout);
            Err(io::ErrorKind::TimedOut.into())
        }
    });
    fixture.token();
    fixture.advance_to(secs(280)); // refreshable
    let error = fixture.source.token_with_lifetime(secs(60)).unwrap_err();
    assert_eq!(error.kind(), Network);
    assert!(fixture.elapsed() <= secs(310), "{:?}", fixture.elapsed());
}

// ---- fetches that were abandoned ----

#[test]
fn fetch_that_was_abandoned_by_clear_changes_no_status() {
    for (status, uncached) in [(400, false), (200, false), (400, true), (200, true)] {
        let source: Arc<OnceLock<TokenSource>> = Arc::default();
        let own = source.clone();
        let transport = move |_: &Request, _: Duration| {
            own.get().unwrap().clear(); // by another thread
            let response = match status {
                200 => token_response(1),
                _ => error_response(status),
            };
            Ok(response.with_header("Date", http_date(NOW + 600)))
        };
        let new = TokenSource::with_transport(transport, client(), hmac()).unwrap();
        let new = new
            .with_clock(ManualClock::new(now()))
            .with_clock_correction();
        assert!(source.set(new).is_ok());
        let source = source.get().unwrap();
        let outcome = match uncached {
            true => source.fetch_uncached(),
            false => source.token(),
        };
        assert_eq!(outcome.is_ok(), status == 200);
        let seen = source.status();
        assert_eq!(seen.state, TokenState::Empty);
        assert_eq!((seen.exchanges, seen.failures), (0, 0));
        assert!(seen.last_error.is_none() && seen.clock_offset.is_none());
    }
}

// ---- 401 ----

/// Calls an API that answers the first `unauthorized` requests with 401. Returns the tokens it received, and its last
/// answer.
fn call_recording_tokens<R>(
    fixture: &Fixture,
    unauthorized: usize,
    answer: impl Fn(u16) -> R,
    is_401: impl FnOnce(&R) -> bool,
) -> (Vec<String>, R) {
    let mut tokens = Vec::new();
    let request = |token: &AccessToken| {
        tokens.push(token.secret().to_owned());
        answer(if tokens.len() <= unauthorized {
            401
        } else {
            200
        })
    };
    let last = fixture.source.call(request, is_401);
    (tokens, last.unwrap())
}

#[track_caller]
fn assert_repeated_once<R>(answer: impl Fn(u16) -> R, is_401: impl Fn(&R) -> bool) {
    for (age, unauthorized, expected) in [
        (millis(10_000), 0, &["t1"][..]),
        (millis(10_000), 1, &["t1", "t2"]),
        (millis(10_000), 2, &["t1", "t2"]),
        (millis(9_999), 2, &["t1"]),
    ] {
        let fixture = Fixture::new(|n| Ok(token_response(n)));
        fixture.token();
        fixture.clock.advance(age);
        let (tokens, last) = call_recording_tokens(&fixture, unauthorized, &answer, &is_401);
        assert_eq!(tokens, expected);
        assert_eq!(is_401(&last), unauthorized >= expected.len());
        // No other token was invalidated.
        assert_eq!(fixture.token(), expected[expected.len() - 1]);
        assert_eq!(fixture.request_count(), expected.len());
    }
}

#[test]
fn call_repeats_a_401_once_unless_the_token_is_young() {
    assert_repeated_once(|status| status, |status| *status == 401);
    assert_repeated_once(|status| (status, "body"), |(status, _)| *status == 401);
    let response = |status| http::Response::builder().status(status).body(()).unwrap();
    assert_repeated_once(response, |response| response.status() == 401);
}

#[cfg(feature = "ureq")]
#[test]
fn call_recognizes_a_ureq_401_as_response_and_as_error() {
    type Answer = Result<http::Response<()>, ureq::Error>;
    let response = |status| http::Response::builder().status(status).body(()).unwrap();
    let is_401 = |answer: &Answer| match answer {
        Ok(response) => response.status() == 401,
        Err(error) => matches!(error, ureq::Error::StatusCode(401)),
    };
    assert_repeated_once(|status| -> Answer { Ok(response(status)) }, is_401);
    assert_repeated_once(
        |status| -> Answer {
            match status {
                401 => Err(ureq::Error::StatusCode(401)),
                status => Ok(response(status)),
            }
        },
        is_401,
    );
}

#[test]
fn call_repeats_no_status_but_401() {
    for status in [200, 400, 402, 403, 407, 500] {
        let fixture = Fixture::new(|n| Ok(token_response(n)));
        fixture.token();
        fixture.clock.advance(secs(20));
        let (tokens, _) = call_recording_tokens(&fixture, 0, |_| status, |status| *status == 401);
        assert_eq!((tokens.len(), fixture.request_count()), (1, 1), "{status}");
    }
}

#[test]
fn call_fetches_at_most_once_in_ten_seconds_for_permanent_401() {
    let fixture = Fixture::new(|n| Ok(token_response(n)));
    for _ in 0..100 {
        assert_eq!(
            fixture
                .source
                .call(|_| 401_u16, |status| *status == 401)
                .unwrap(),
            401
        );
        fixture.clock.advance(secs(1));
    }
    assert!(
        (9..=11).contains(&fixture.request_count()),
        "{}",
        fixture.request_count()
    );
    let times: Vec<_> = fixture
        .requests()
        .iter()
        .map(|request| request.at)
        .collect();
    assert!(
        times.windows(2).all(|two| two[1] - two[0] >= secs(10)),
        "{times:?}"
    );
}

#[test]
fn call_returns_the_fetch_error_when_no_new_token_comes() {
    let fixture = Fixture::with_cached_token(|| Ok(error_response(400)));
    fixture.advance_to(secs(20));
    let outcome = fixture.source.call(|_| 401_u16, |status| *status == 401);
    assert_eq!(outcome.unwrap_err().kind(), Denied);
}

// ---- log ----

static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct CollectingLogger;

impl log::Log for CollectingLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        RECORDS.lock().unwrap().push(line);
    }
    fn flush(&self) {}
}

#[test]
fn log_names_host_jti_and_kid_but_no_secret() {
    log::set_logger(&CollectingLogger).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let profile = client_at(Endpoint::token("https://log.example.com/token").unwrap());
    let signer = hmac().with_key_id("kid-7");
    let fixture = Fixture::with_profile(profile, signer, |n, _, _| {
        let ahead = http_date(NOW + 600);
        Ok(match n {
            1 => return Err(ConnectionReset.into()),
            2 => Response::new(503, ""),
            3 => error_response(400).with_header("Date", ahead),
            _ => Response::new(200, r#"{"access_token":"xyzzy","expires_in":300}"#),
        })
    });
    let fixture = fixture.configure(TokenSource::with_clock_correction);
    assert_eq!(fixture.token(), "xyzzy");
    let records = RECORDS.lock().unwrap().clone();
    let records: Vec<_> = records
        .iter()
        .filter(|r| r.contains("log.example.com"))
        .collect();
    for request in fixture.requests() {
        let names = |r: &&&String| r.contains(&request.jti) && r.contains("kid-7");
        let record = records
            .iter()
            .find(names)
            .expect("a record of each request");
        assert!(
            record.starts_with("DEBUG") && record.contains("took"),
            "{record}"
        );
    }
    let is_logged = |what: &str| records.iter().any(|r| r.contains(what));
    assert!(is_logged("attempt 2"), "the retry: {records:?}");
    assert!(
        is_logged("its clock differs from ours by +5") && is_logged(" s: signing by it"),
        "the correction: {records:?}"
    );
    assert!(!is_logged("xyzzy") && !is_logged("eyJ"), "{records:?}");
}

// ---- mistakes of other clients, listed in `conformance.rs` ----

#[test]
fn token_sources_of_different_identities_never_share_a_token() {
    let profiles = || {
        [
            (client(), hmac()),
            (client().with_subject("another"), hmac()),
            (client().with_scope("read"), hmac()),
            (client().with_audience(Audience::Fixed("a".into())), hmac()),
            (client(), hmac().with_key_id("another")),
        ]
    };
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let transport: Arc<dyn Transport> = Arc::new(move |_: &Request, _: Duration| {
        Ok(token_response(count.fetch_add(1, SeqCst) + 1))
    });
    let clock = Arc::new(ManualClock::new(now()));
    let sources = profiles().map(|(profile, key)| {
        let source = TokenSource::with_transport(transport.clone(), profile, key).unwrap();
        source.with_clock(clock.clone())
    });
    let get = || {
        sources
            .each_ref()
            .map(|source| source.token().unwrap().secret().to_owned())
    };
    assert_eq!(get(), ["t1", "t2", "t3", "t4", "t5"]);
    sources[1].clear();
    sources[2].invalidate(&sources[3].token().unwrap());
    assert_eq!(get(), ["t1", "t6", "t3", "t4", "t5"]);
    assert_eq!(requests.load(SeqCst), 6);
}

#[test]
fn token_cache_shares_failure_with_waiters() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let others = arrived.clone();
    let fixture = Fixture::new(move |n| {
        wait_for_callers(&others, 8);
        if n == 1 {
            Ok(error_response(400))
        } else {
            Ok(token_response(n))
        }
    });
    assert_eq!(
        call_concurrently(8, &arrived, || fixture.token_error().kind()),
        [Denied; 8]
    );
    assert_eq!(fixture.request_count(), 1);
    fixture.clock.advance(secs(10));
    assert_eq!(
        call_concurrently(8, &arrived, || fixture.token()),
        ["t2"; 8]
    );
    assert_eq!(fixture.request_count(), 2);
}

#[test]
fn failed_early_refresh_keeps_the_cached_token() {
    let fixture = Fixture::with_cached_token(|| Err(ConnectionReset.into()));
    for second in 240..300 {
        fixture.advance_to(secs(second));
        assert_eq!(fixture.token(), "t1");
    }
    assert!(fixture.request_count() < 12, "{}", fixture.request_count());
}

#[test]
fn short_or_expired_token_does_not_cost_a_request_per_call() {
    for (expires_in, most) in [
        ("0.001", 11),
        ("1", 11),
        ("5", 4),
        ("30", 1),
        ("0", 1),
        ("-1", 1),
    ] {
        let fixture = Fixture::new(move |n| Ok(token_response_lasting(n, expires_in)));
        for _ in 0..1000 {
            fixture.token();
            fixture.clock.advance(millis(10));
        }
        assert!(
            fixture.request_count() <= most,
            "{expires_in}: {}",
            fixture.request_count()
        );
    }
}

#[test]
fn denial_is_not_retried_and_unavailable_is_within_the_deadline() {
    let denied = Fixture::new(|_| Ok(error_response(400)));
    assert_eq!(denied.token_error().code(), Some("invalid_grant"));
    assert_eq!((denied.request_count(), denied.elapsed()), (1, secs(0)));

    let unavailable = Fixture::new(|n| {
        Ok(match n {
            1 => error_response(429).with_header("Retry-After", "8"),
            2 => error_response(503).with_header("Retry-After", http_date(NOW + 20)),
            _ => token_response(n),
        })
    });
    assert_eq!(unavailable.token(), "t3");
    let requests = unavailable.requests();
    assert_eq!(
        requests
            .iter()
            .map(|request| request.at)
            .collect::<Vec<_>>(),
        [secs(0), secs(8), secs(20)]
    );
    assert_eq!(
        requests[2].iat - requests[0].iat,
        20,
        "each attempt is signed again"
    );
    let jtis: BTreeSet<_> = requests.into_iter().map(|request| request.jti).collect();
    assert_eq!(jtis.len(), 3);
}

#[test]
fn invalidate_of_an_old_token_keeps_the_newer_one() {
    let fixture = Fixture::new(|n| Ok(token_response(n)));
    fixture.token();
    fixture.clock.advance(secs(20));
    let mut tokens = Vec::new();
    let request = |token: &AccessToken| {
        tokens.push(token.secret().to_owned());
        fixture.source.invalidate(token); // another caller invalidates the token first
        if tokens.len() == 1 {
            assert_eq!(fixture.token(), "t2");
        }
        401_u16
    };
    let answer = fixture.source.call(request, |status| *status == 401);
    assert_eq!(answer.unwrap(), 401);
    assert_eq!(tokens, ["t1", "t2"]);
    assert_eq!(
        fixture.request_count(),
        2,
        "one repeat at most, with the newer token"
    );
}

/// Signs slowly, and once.
struct SlowSigner(ManualClock, AtomicUsize);

impl Signer for SlowSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        if self.1.fetch_add(1, SeqCst) > 0 {
            return Err("the signer is gone".into());
        }
        self.0.advance(secs(5));
        hmac().sign(message)
    }
}

/// The claim `exp` counts from the time before the signer was asked.
#[test]
fn self_signed_token_is_not_served_after_its_exp_however_slow_the_signer_is() {
    let clock = ManualClock::new(now());
    let profile = Profile::self_signed("issuer", Audience::Omit).with_assertion_lifetime(secs(60));
    let nobody = |_: &Request, _: Duration| -> io::Result<Response> { panic!("a request") };
    let signer = SlowSigner(clock.clone(), AtomicUsize::new(0));
    let source = TokenSource::with_transport(nobody, profile, signer).unwrap();
    let source = source.with_clock(clock.clone());
    let token = source.token().unwrap();
    assert_eq!(token.expires_at(), now() + secs(60));
    clock.advance(secs(54)); // 59 s after `iat`
    assert_eq!(source.token().unwrap().secret(), token.secret());
    clock.advance(secs(2)); // 61 s after it; 56 s after the signer was done
    assert_eq!(source.token().unwrap_err().kind(), Key);
}
