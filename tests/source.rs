//! How a token lives: age, states, sharing, retries, memory of failures, clock skew, 401, log.
//!
//! Time is a [`ManualClock`] that the transports below move; real waits of 50 ms are where callers
//! wait for each other, which no injected clock can time.

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
use jwt_bearer::ErrorKind::{Config, Denied, Key, Network, Protocol, Unavailable};
use jwt_bearer::{
    AccessToken, Algorithm, BoxError, Clock, Endpoint, Error, ManualClock, Profile, Request,
    Response, Signer, TokenSource, TokenState, Transport,
};

use support::sample::{NOW, at, claims, client, client_at, hmac, now};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
/// How long callers are given to come to where they wait.
const A_WHILE: Duration = ms(50);
/// Nothing here takes as long but a deadlock.
const LONG: Duration = s(5);

/// One request as it arrived.
#[derive(Clone, Debug)]
struct Seen {
    /// Since the world began, by the wall clock.
    at: Duration,
    timeout: Duration,
    jti: String,
    iat: u64,
    exp: u64,
}

/// A source, its time and what its server sees.
struct World {
    source: TokenSource,
    clock: Arc<ManualClock>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl World {
    /// The n-th request, from 1, gets `answer(n, timeout, clock)`.
    fn full<F>(profile: Profile, signer: impl Signer + 'static, answer: F) -> Self
    where
        F: Fn(usize, Duration, &ManualClock) -> io::Result<Response>,
        F: Send + Sync + 'static,
    {
        let clock = Arc::new(ManualClock::new(now()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (time, requests) = (clock.clone(), seen.clone());
        let transport = move |request: &Request, timeout: Duration| {
            let (_, assertion) = std::str::from_utf8(request.body())
                .unwrap()
                .split_once("assertion=ey")
                .unwrap();
            let claims = claims(&format!("ey{assertion}"));
            let number = |name: &str| claims[name].as_u64().unwrap();
            let request = Seen {
                at: time.now().duration_since(now()).unwrap(),
                timeout,
                jti: claims["jti"].as_str().unwrap().to_owned(),
                iat: number("iat"),
                exp: number("exp"),
            };
            let count = {
                let mut requests = requests.lock().unwrap();
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
            seen,
        }
    }
    fn timed<F>(answer: F) -> Self
    where
        F: Fn(usize, Duration, &ManualClock) -> io::Result<Response>,
        F: Send + Sync + 'static,
    {
        Self::full(client(), hmac(), answer)
    }
    fn new(answer: impl Fn(usize) -> io::Result<Response> + Send + Sync + 'static) -> Self {
        Self::timed(move |n, _, _| answer(n))
    }
    /// The first request gets a token for 300 s, the others `answer`.
    fn holding(answer: impl Fn() -> io::Result<Response> + Send + Sync + 'static) -> Self {
        let world = Self::new(move |n| if n == 1 { Ok(grant(1)) } else { answer() });
        assert_eq!(world.get(), "t1");
        world
    }
    fn with(self, set: impl FnOnce(TokenSource) -> TokenSource) -> Self {
        let source = set(self.source);
        Self { source, ..self }
    }
    #[track_caller]
    fn get(&self) -> String {
        self.source.token().unwrap().secret().to_owned()
    }
    #[track_caller]
    fn fails(&self) -> Error {
        self.source.token().unwrap_err()
    }
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
    fn requests(&self) -> usize {
        self.seen().len()
    }
    fn state(&self) -> TokenState {
        self.source.status().state
    }
    /// Since the world began.
    fn time(&self) -> Duration {
        self.clock.now().duration_since(now()).unwrap()
    }
    /// To this time since the world began.
    fn go_to(&self, time: Duration) {
        self.clock.advance(time - self.time());
    }
}

/// The token `tn`, for 300 s.
fn grant(n: usize) -> Response {
    lasting(n, "300")
}
fn lasting(n: usize, expires_in: &str) -> Response {
    let body = format!(r#"{{"access_token":"t{n}","expires_in":{expires_in}}}"#);
    Response::new(200, body)
}
fn no(status: u16) -> Response {
    Response::new(status, r#"{"error":"invalid_grant"}"#)
}
fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(at(seconds))
}
/// Within a fifth of it.
#[track_caller]
fn about(actual: Duration, seconds: u64) {
    let fits = s(seconds).mul_f64(0.8)..=s(seconds).mul_f64(1.2);
    assert!(fits.contains(&actual), "{actual:?}, not about {seconds} s");
}

// 1. Age

#[test]
fn age_goes_by_whichever_clock_went_further() {
    let set_back = World::new(|n| Ok(grant(n)));
    set_back.get();
    set_back.clock.advance(s(100));
    set_back.clock.set(now() - s(5000));
    assert_eq!(set_back.source.status().age, Some(s(100)));
    set_back.clock.advance(s(200));
    assert_eq!(set_back.state(), TokenState::Expired);

    let suspended = World::new(|n| Ok(grant(n)));
    suspended.get();
    suspended.clock.set(now() + s(299));
    assert_eq!(suspended.source.status().age, Some(s(299)));
    assert_eq!(suspended.state(), TokenState::Refreshable);
    suspended.clock.set(now() + s(300));
    assert_eq!(suspended.state(), TokenState::Expired);
    assert_eq!(suspended.get(), "t2");

    let issued_late = World::new(|n| Ok(grant(n)));
    issued_late.get();
    issued_late.clock.set(now() - s(1));
    assert_eq!(issued_late.source.status().age, Some(s(0)));
}

#[test]
fn a_slow_attempt_that_failed_does_not_age_the_token_and_a_slow_answer_does() {
    let world = World::timed(|n, _, clock| {
        clock.advance(if n == 1 { s(9) } else { s(4) });
        if n == 1 {
            Err(ConnectionReset.into())
        } else {
            Ok(grant(n))
        }
    });
    let token = world.source.token().unwrap();
    assert_eq!(world.source.status().age, Some(s(4)));
    let sent = world.seen()[1].at;
    assert!(sent > s(9));
    assert_eq!(token.expires_at(), now() + sent + s(300));
}

#[test]
fn a_jwt_lives_from_iat_to_exp_else_from_the_servers_date_else_from_our_clock() {
    let far = NOW + 10_000;
    for (iat, exp, server, life) in [
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
                Some(server) => response.with_header("Date", date(server)),
                None => response,
            })
        };
        let source = TokenSource::with_transport(transport, cylance, hmac()).unwrap();
        let source = source.with_clock(ManualClock::new(now()));
        let token = source.token().unwrap();
        assert_eq!(
            token.expires_at(),
            at(NOW + life),
            "{iat:?} {exp} {server:?}"
        );
    }
}

// 2. Three states

#[test]
fn a_token_is_fresh_then_due_then_expired() {
    for (life, fresh_before, due_by) in [(300, 210, 240), (40, 26, 30), (7200, 6420, 7140)] {
        for _ in 0..10 {
            let world = World::new(move |n| Ok(lasting(n, &life.to_string())));
            assert_eq!(world.state(), TokenState::Empty);
            world.get();
            for (time, state) in [
                (s(0), TokenState::Fresh),
                (s(fresh_before), TokenState::Fresh),
                (s(due_by), TokenState::Refreshable),
                (s(life) - ms(1), TokenState::Refreshable),
                (s(life), TokenState::Expired),
            ] {
                world.go_to(time);
                assert_eq!(world.state(), state, "{life} s at {time:?}");
                if state == TokenState::Fresh {
                    assert_eq!((world.get().as_str(), world.requests()), ("t1", 1));
                }
            }
        }
    }
}

#[test]
fn tokens_that_came_together_do_not_become_due_together() {
    let due: BTreeSet<_> = (0..20)
        .map(|_| {
            let world = World::new(|n| Ok(grant(n)));
            world.get();
            while world.state() == TokenState::Fresh {
                world.clock.advance(s(1));
            }
            world.time()
        })
        .collect();
    assert!(due.len() > 3, "{due:?}");
}

#[test]
fn a_due_token_is_renewed_and_an_expired_one_is_waited_for() {
    for time in [240, 300] {
        let world = World::new(|n| Ok(grant(n)));
        world.get();
        world.go_to(s(time));
        assert_eq!((world.get().as_str(), world.requests()), ("t2", 2));
        assert_eq!(world.state(), TokenState::Fresh);
    }
}

// 3. The due refresher

#[test]
fn an_early_refresh_tries_once_in_half_the_rest_and_keeps_the_token_it_has() {
    for (age, timeout) in [(240, s(10)), (279, s(10)), (290, s(5)), (299, ms(500))] {
        let world = World::holding(|| Ok(Response::new(503, "")));
        world.go_to(s(age));
        assert_eq!(world.get(), "t1");
        assert_eq!(world.time(), s(age), "no pause");
        let seen = world.seen();
        assert_eq!((seen.len(), seen[1].timeout), (2, timeout), "{age}");
        let status = world.source.status();
        assert_eq!(status.last_error.unwrap().kind(), Unavailable);
        assert_eq!((status.exchanges, status.failures), (1, 1));
    }
}

#[test]
fn while_one_renews_a_due_token_the_others_get_it_at_once() {
    let (started, start) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let world = World::new(move |n| {
        if n == 2 {
            started.send(()).unwrap();
            let _ = released.lock().unwrap().recv_timeout(LONG);
        }
        Ok(grant(n))
    });
    world.get();
    world.go_to(s(240));
    thread::scope(|scope| {
        let renews = scope.spawn(|| world.get());
        start.recv_timeout(LONG).unwrap();
        for _ in 0..3 {
            assert_eq!((world.get().as_str(), world.requests()), ("t1", 2));
        }
        release.send(()).unwrap();
        assert_eq!(renews.join().unwrap(), "t2");
    });
    assert_eq!((world.get().as_str(), world.requests()), ("t2", 2));
}

// 4. Short lives

#[test]
fn a_life_of_zero_or_less_or_of_no_number_is_as_good_as_none() {
    for expires_in in [
        "0", "-5", "0.0", "\"0\"", "\"soon\"", "\"NaN\"", "null", "{}", "true",
    ] {
        let profile = client().with_token_lifetime(s(777));
        let world = World::full(profile, hmac(), move |n, _, _| Ok(lasting(n, expires_in)));
        let token = world.source.token().unwrap();
        assert_eq!(token.expires_at(), at(NOW + 777), "{expires_in}");
    }
}

#[test]
fn a_token_is_held_for_a_second_after_its_receipt_whatever_it_says() {
    for trip in [s(0), s(3)] {
        let world = World::timed(move |n, _, clock| {
            clock.advance(trip);
            Ok(lasting(n, "0.2"))
        });
        world.get();
        world.clock.advance(ms(999));
        assert_eq!((world.get().as_str(), world.requests()), ("t1", 1));
        world.clock.advance(ms(1));
        assert_eq!((world.get().as_str(), world.requests()), ("t2", 2));
    }
}

/// A clock on which two seconds pass whenever somebody looks.
struct Hasty(ManualClock);

impl Clock for Hasty {
    fn now(&self) -> SystemTime {
        self.0.advance(s(2));
        self.0.now()
    }
    fn monotonic(&self) -> Instant {
        self.0.monotonic()
    }
    fn sleep(&self, time: Duration) {
        self.0.sleep(time);
    }
}

/// What `callers` get from `source` who come while the first request is under way, in threads.
fn together<T: Send>(callers: usize, came: &AtomicUsize, ask: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let ask = &ask;
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(move || {
                    came.fetch_add(1, SeqCst);
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

/// In a request: until so many callers came, and a while more.
fn until_came(came: &AtomicUsize, callers: usize) {
    let start = Instant::now();
    while came.load(SeqCst) < callers && start.elapsed() < LONG {
        thread::yield_now();
    }
    thread::sleep(A_WHILE * 2);
}

#[test]
fn who_joined_a_flight_gets_its_token_though_it_has_expired_by_then() {
    let came = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(AtomicUsize::new(0));
    let (others, count) = (came.clone(), requests.clone());
    let transport = move |_: &Request, _: Duration| {
        let n = count.fetch_add(1, SeqCst) + 1;
        until_came(&others, 4);
        Ok(lasting(n, "0.2"))
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source
        .with_clock(Hasty(ManualClock::new(now())))
        .with_timeout(s(1000));
    let got = together(4, &came, || source.token().unwrap().secret().to_owned());
    assert_eq!(got, ["t1"; 4]);
    assert_eq!(requests.load(SeqCst), 1);
}

// 5. Sharing

/// A signer that does what it is told to.
struct Foreign<F>(F);

impl<F: Fn() -> Result<Vec<u8>, BoxError> + Send + Sync> Signer for Foreign<F> {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        self.0()
    }
}

#[test]
fn of_many_callers_one_fetches_and_all_share_what_it_brought() {
    let came = Arc::new(AtomicUsize::new(0));
    let others = came.clone();
    let world = World::new(move |n| {
        until_came(&others, 8);
        Ok(grant(n))
    });
    assert_eq!(together(8, &came, || world.get()), ["t1"; 8]);
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_failure_is_shared_too_even_one_that_is_not_remembered() {
    let came = Arc::new(AtomicUsize::new(0));
    let signed = Arc::new(AtomicUsize::new(0));
    let (others, count) = (came.clone(), signed.clone());
    let signer = Foreign(move || {
        count.fetch_add(1, SeqCst);
        until_came(&others, 8);
        Err("the token was pulled".into())
    });
    let world = World::full(client(), signer, |n, _, _| Ok(grant(n)));
    let kinds = together(8, &came, || world.fails().kind());
    assert_eq!(kinds, [Key; 8]);
    assert_eq!((signed.load(SeqCst), world.requests()), (1, 0));
}

#[test]
fn a_leader_that_panics_leaves_the_others_to_contend_and_one_of_them_leads() {
    let came = Arc::new(AtomicUsize::new(0));
    let others = came.clone();
    let world = World::new(move |n| {
        until_came(&others, 4);
        assert_ne!(n, 1, "the transport panics, as it is asked to here");
        Ok(grant(n))
    });
    let mut got = together(4, &came, || {
        catch_unwind(AssertUnwindSafe(|| world.get())).unwrap_or_default()
    });
    got.sort();
    assert_eq!(got, ["", "t2", "t2", "t2"]);
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_leader_whose_own_time_is_up_does_not_fail_those_who_came_later() {
    let (started, start) = mpsc::channel();
    let requests = AtomicUsize::new(0);
    let transport = move |_: &Request, timeout: Duration| {
        let n = requests.fetch_add(1, SeqCst) + 1;
        started.send(()).unwrap();
        if n == 1 {
            thread::sleep(timeout);
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(grant(n))
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_timeout(A_WHILE * 6);
    thread::scope(|scope| {
        let leader = scope.spawn(|| source.token());
        start.recv_timeout(LONG).unwrap();
        thread::sleep(A_WHILE * 3);
        assert_eq!(source.token().unwrap().secret(), "t2");
        assert_eq!(leader.join().unwrap().unwrap_err().kind(), Network);
    });
}

#[test]
fn a_leader_whose_own_time_is_up_leaves_no_failure_that_stands() {
    let requests = AtomicUsize::new(0);
    let transport = move |_: &Request, timeout: Duration| {
        let n = requests.fetch_add(1, SeqCst) + 1;
        thread::sleep(if n == 1 { timeout } else { s(0) });
        if n == 1 {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(grant(n))
        }
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_timeout(A_WHILE);
    assert_eq!(source.token().unwrap_err().kind(), Network);
    assert_eq!(source.token().unwrap().secret(), "t2");
}

#[test]
fn a_waiter_whose_time_is_up_touches_nothing() {
    let (started, start) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let transport = move |_: &Request, _: Duration| {
        let n = count.fetch_add(1, SeqCst) + 1;
        started.send(()).unwrap();
        let _ = released.lock().unwrap().recv_timeout(LONG);
        Ok(grant(n))
    };
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_timeout(A_WHILE);
    thread::scope(|scope| {
        let leader = scope.spawn(|| source.token());
        start.recv_timeout(LONG).unwrap();
        for _ in 0..2 {
            // The second finds the flight where the first left it.
            let begun = Instant::now();
            let error = source.token().unwrap_err();
            assert!(begun.elapsed() >= A_WHILE && begun.elapsed() < LONG);
            assert_eq!((error.kind(), error.is_retryable()), (Network, true));
            assert!(source.status().last_error.is_none());
            assert_eq!(requests.load(SeqCst), 1);
        }
        release.send(()).unwrap();
        assert_eq!(leader.join().unwrap().unwrap().secret(), "t1");
    });
    assert_eq!(source.token().unwrap().secret(), "t1");
    assert_eq!(requests.load(SeqCst), 1);
}

#[test]
fn a_signer_or_transport_that_asks_its_own_source_gets_an_error_and_no_deadlock() {
    type Own = Arc<OnceLock<Arc<TokenSource>>>;
    fn ask(own: &Own) -> Error {
        own.get().unwrap().token().unwrap_err()
    }
    for in_signer in [true, false] {
        let own = Own::default();
        let (told, kind) = mpsc::channel();
        let (signers, transports) = (own.clone(), own.clone());
        let (tell, say) = (told.clone(), told);
        let signer = Foreign(move || {
            if in_signer {
                tell.send(ask(&signers).kind()).unwrap();
            }
            Ok(b"signature".to_vec())
        });
        let transport = move |_: &Request, _: Duration| {
            if !in_signer {
                say.send(ask(&transports).kind()).unwrap();
            }
            Ok(grant(1))
        };
        let source = Arc::new(TokenSource::with_transport(transport, client(), signer).unwrap());
        assert!(own.set(source.clone()).is_ok());
        let (done, token) = mpsc::channel();
        thread::spawn(move || done.send(source.token()).unwrap());
        assert_eq!(kind.recv_timeout(LONG), Ok(Config));
        assert_eq!(token.recv_timeout(LONG).unwrap().unwrap().secret(), "t1");
    }
}

// 6. Deadline and retries

#[test]
fn what_may_pass_is_tried_three_times_and_each_time_newly_signed() {
    use io::ErrorKind::{ConnectionRefused, InvalidData, InvalidInput, NotFound, TimedOut};
    let status = |status: u16| Ok(no(status));
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
        (Err(InvalidData), Network, 1), // a certificate
        (Err(NotFound), Network, 1),    // a host
        (Err(InvalidInput), Network, 1),
        (status(400), Denied, 1),
        (status(401), Denied, 1),
        (status(403), Denied, 1),
        (status(404), Denied, 1),
        (status(501), Protocol, 1),
        (Ok(Response::new(200, "<html>")), Protocol, 1),
    ] {
        let told = format!("{answer:?}");
        let world = World::new(move |_| answer.clone().map_err(io::Error::from));
        let error = world.fails();
        let seen = world.seen();
        assert_eq!((error.kind(), seen.len()), (kind, attempts), "{told}");
        let jtis: BTreeSet<_> = seen.iter().map(|seen| &seen.jti).collect();
        assert_eq!(jtis.len(), attempts, "{told}");
        if attempts == 3 {
            about(seen[1].at, 1);
            about(seen[2].at - seen[1].at, 2);
        }
        assert_eq!(world.source.status().failures, 1);
    }
}

#[test]
fn retry_after_is_waited_for_in_seconds_and_as_a_date() {
    let far = NOW + 10_000;
    for (retry_after, server, pause) in [
        ("7".to_owned(), None, 7),
        (" 0 ".to_owned(), None, 0),
        (date(far + 12), Some(far), 12),
        (date(far - 12), Some(far), 0),
        (date(NOW + 9), None, 9),
    ] {
        let world = World::new(move |n| {
            let busy = no(429).with_header("Retry-After", &retry_after);
            Ok(match (n, server) {
                (1, None) => busy,
                (1, Some(server)) => busy.with_header("Date", date(server)),
                _ => grant(n),
            })
        });
        assert_eq!(world.get(), "t2");
        assert_eq!(world.seen()[1].at, s(pause));
    }
}

#[test]
fn a_pause_beyond_the_deadline_is_the_callers_to_make() {
    for (timeout, asked, requests) in [(30, 31, 1), (10, 11, 1), (60, 31, 2)] {
        let world = World::new(move |n| match n {
            1 => Ok(no(503).with_header("Retry-After", asked.to_string())),
            _ => Ok(grant(n)),
        });
        let world = world.with(|source| source.with_timeout(s(timeout)));
        let outcome = world.source.token();
        assert_eq!(world.requests(), requests, "{asked} s of {timeout}");
        if let Err(error) = outcome {
            assert_eq!(error.retry_after(), Some(s(asked)));
            assert_eq!(world.time(), s(0), "it did not wait");
        }
    }
}

/// A key elsewhere may keep its caller waiting, too.
#[test]
fn a_pause_that_leaves_no_time_for_an_attempt_keeps_what_the_server_said() {
    for (timeout, requests) in [(1_000, 1), (1_050, 1), (1_051, 2)] {
        let world = World::new(|_| Ok(no(503).with_header("Retry-After", "1")));
        let world = world.with(|source| source.with_timeout(ms(timeout)));
        assert_eq!(world.fails().status(), Some(503), "{timeout}");
        assert_eq!(world.requests(), requests, "{timeout}");
    }
}

#[test]
fn a_signer_that_takes_all_the_time_leaves_none_to_ask_in() {
    for (takes, requests) in [(29, 1), (30, 0)] {
        let clock = Arc::new(ManualClock::new(now()));
        let (time, asked) = (clock.clone(), Arc::new(AtomicUsize::new(0)));
        let signer = Foreign(move || {
            time.advance(s(takes));
            Ok(vec![0; 32])
        });
        let count = asked.clone();
        let transport = move |_: &Request, timeout: Duration| {
            assert_eq!(timeout, s(1));
            count.fetch_add(1, SeqCst);
            Ok(grant(1))
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
                assert_eq!(error.to_string(), "as.example.com: no answer in time");
            }
        }
    }
}

#[test]
fn no_timeout_is_too_long_to_set_and_none_lasts_longer_than_a_year() {
    for (days, requests) in [(364, 2), (366, 1)] {
        let world = World::timed(move |n, _, clock| match n {
            1 => {
                clock.advance(s(days * 24 * 3600));
                Ok(no(503))
            }
            _ => Ok(grant(n)),
        });
        let world = world.with(|source| source.with_timeout(Duration::MAX));
        let outcome = world.source.token();
        assert_eq!(
            (world.requests(), outcome.is_ok()),
            (requests, requests == 2)
        );
    }
}

#[test]
fn an_attempt_gets_ten_seconds_or_what_is_left_of_the_callers_time() {
    for timeout in [None, Some(25), Some(4)] {
        let world = World::timed(|_, timeout, clock| {
            clock.advance(timeout);
            Err(io::ErrorKind::TimedOut.into())
        });
        let world = world.with(|source| match timeout {
            Some(timeout) => source.with_timeout(s(timeout)),
            None => source,
        });
        let whole = s(timeout.unwrap_or(30));
        assert_eq!(world.fails().kind(), Network);
        let seen = world.seen();
        for seen in &seen {
            assert_eq!(seen.timeout, s(10).min(whole - seen.at), "{seen:?}");
        }
        assert_eq!(seen.len(), if whole == s(4) { 1 } else { 3 });
        assert_eq!(world.time(), whole);
    }
}

// 7. Failure memory

#[test]
fn a_verdict_stands_ten_seconds_or_as_long_as_retry_after_says_up_to_five_minutes() {
    let plain = |response: fn() -> Response, kind, stands| (response, kind, None, stands);
    for (response, kind, retry_after, stands) in [
        plain(|| no(400), Denied, 10),
        plain(|| no(403), Denied, 10),
        plain(|| Response::new(200, "<html>"), Protocol, 10),
        (|| no(400), Denied, Some(5), 10),
        (|| no(400), Denied, Some(60), 60),
        (|| no(503), Unavailable, Some(100), 100),
        (|| no(429), Unavailable, Some(1000), 300),
    ] {
        let world = World::new(move |_| {
            Ok(match retry_after {
                Some(seconds) => response().with_header("Retry-After", u32::to_string(&seconds)),
                None => response(),
            })
        });
        assert_eq!(world.fails().kind(), kind);
        for (time, requests) in [(ms(0), 1), (s(stands) - ms(1), 1), (s(stands), 2)] {
            world.go_to(time);
            let error = world.fails();
            let told = (kind, retry_after, time);
            assert_eq!(
                (error.kind(), world.requests()),
                (kind, requests),
                "{told:?}"
            );
            if requests == 1 {
                assert_eq!(error.retry_after(), Some(s(stands) - time), "{told:?}");
            }
        }
    }
}

#[test]
fn failures_in_a_row_stand_for_one_second_then_two_up_to_thirty() {
    let answers: [fn() -> io::Result<Response>; 2] =
        [|| Err(ConnectionReset.into()), || Ok(no(503))];
    for answer in answers {
        let world = World::new(move |_| answer());
        let mut rests = BTreeSet::new();
        for (n, stands) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            world.fails();
            assert_eq!(world.requests(), 3 * (n + 1));
            let before = world.time();
            let rest = world.fails().retry_after().unwrap();
            about(rest, stands);
            rests.insert(rest.as_nanos() / u128::from(stands));
            world.clock.advance(rest - ms(1));
            assert_eq!(world.fails().retry_after(), Some(ms(1)));
            assert_eq!(world.time() - before, rest - ms(1), "at once");
            assert_eq!(world.requests(), 3 * (n + 1));
            world.clock.advance(ms(1));
        }
        assert!(rests.len() > 3, "always the same: {rests:?}");
    }
}

#[test]
fn while_a_failure_stands_a_due_token_is_served_and_an_expired_one_is_not_asked_for() {
    let world = World::holding(|| Ok(no(400)));
    for (time, requests) in [(s(240), 2), (ms(249_999), 2), (s(250), 3), (s(295), 4)] {
        world.go_to(time);
        assert_eq!((world.get().as_str(), world.requests()), ("t1", requests));
    }
    world.go_to(s(300));
    let error = world.fails();
    assert_eq!((error.kind(), error.retry_after()), (Denied, Some(s(5))));
    assert_eq!(error.code(), Some("invalid_grant"));
    assert_eq!(world.requests(), 4);
}

#[test]
fn a_server_that_was_silent_for_a_whole_attempt_has_an_outage_that_stands() {
    for (timeout, requests) in [(30, 3), (25, 3), (10, 1)] {
        let world = World::timed(|_, timeout, clock| {
            clock.advance(timeout);
            Err(io::ErrorKind::TimedOut.into())
        });
        let world = world.with(|source| source.with_timeout(s(timeout)));
        assert_eq!(world.fails().kind(), Network);
        about(world.fails().retry_after().expect("it stands"), 1);
        assert_eq!((world.time(), world.requests()), (s(timeout), requests));
    }
}

/// Only silence may be for want of the caller's own time.
#[test]
fn a_connection_that_broke_is_an_outage_even_at_the_end_of_a_hurried_callers_time() {
    let world = World::timed(|_, timeout, clock| {
        clock.advance(timeout);
        Err(ConnectionReset.into())
    });
    let world = world.with(|source| source.with_timeout(s(4)));
    assert_eq!(world.fails().kind(), Network);
    about(world.fails().retry_after().expect("it stands"), 1);
    assert_eq!((world.time(), world.requests()), (s(4), 1));
}

#[test]
fn a_signers_failure_is_not_remembered() {
    let signer = {
        let signed = AtomicUsize::new(0);
        Foreign(move || match signed.fetch_add(1, SeqCst) {
            0 => Err("the token was pulled".into()),
            _ => Ok(b"signature".to_vec()),
        })
    };
    let world = World::full(client(), signer, |n, _, _| Ok(grant(n)));
    let error = world.fails();
    assert_eq!((error.kind(), error.retry_after()), (Key, None));
    assert_eq!((world.get().as_str(), world.requests()), ("t1", 1));
}

#[test]
fn success_forgets_how_many_failed_before() {
    let world = World::new(|n| if n == 7 { Ok(grant(n)) } else { Ok(no(503)) });
    for stands in [1, 2] {
        world.fails();
        let rest = world.fails().retry_after().unwrap();
        about(rest, stands);
        world.clock.advance(rest);
    }
    assert!(world.source.status().last_error.is_some());
    assert_eq!(world.get(), "t7");
    assert!(world.source.status().last_error.is_none());
    world.clock.advance(s(300));
    world.fails();
    about(world.fails().retry_after().unwrap(), 1);
}

#[test]
fn clear_forgets_failures_and_the_token() {
    let world = World::new(|n| if n == 7 { Ok(grant(n)) } else { Ok(no(503)) });
    for _ in 0..2 {
        world.fails();
        about(world.fails().retry_after().unwrap(), 1);
        world.source.clear();
        assert!(world.source.status().last_error.is_none());
    }
    assert_eq!((world.get().as_str(), world.requests()), ("t7", 7));
    world.source.clear();
    assert_eq!(world.state(), TokenState::Empty);
}

#[test]
fn invalidate_forgets_no_failure() {
    let world = World::holding(|| Ok(no(400)));
    let token = world.source.token().unwrap();
    world.go_to(s(240));
    world.get(); // and renewing failed
    world.source.invalidate(&token);
    assert_eq!(world.state(), TokenState::Empty);
    let error = world.fails();
    assert_eq!((error.kind(), error.retry_after()), (Denied, Some(s(10))));
    assert_eq!(world.requests(), 2);
}

// 8. Clock skew

#[test]
fn the_offset_is_date_minus_the_middle_of_the_trip_where_that_says_something() {
    for (trip, ahead, age, offset) in [
        (4, 602, None, Some(600)),
        (4, -598, None, Some(-600)),
        (10, 605, None, Some(600)),
        (11, 605, None, None),
        (4, 602, Some("0"), Some(600)),
        (4, 602, Some("5"), None),
    ] {
        for granted in [true, false] {
            let world = World::timed(move |n, _, clock| {
                clock.advance(s(trip));
                let response = if granted { grant(n) } else { no(400) };
                let response =
                    response.with_header("Date", date(NOW.checked_add_signed(ahead).unwrap()));
                Ok(match age {
                    Some(age) => response.with_header("Age", age),
                    None => response,
                })
            });
            let outcome = world.source.token();
            let told = (trip, ahead, age, granted);
            assert_eq!(outcome.is_ok(), granted);
            assert_eq!(world.source.status().clock_offset, offset, "{told:?}");
            if let Err(error) = outcome {
                assert_eq!(error.clock_offset(), offset, "{told:?}");
            }
        }
    }
}

#[test]
fn a_source_that_may_signs_once_more_by_the_servers_clock_and_keeps_to_it() {
    // Ten minutes ahead, and it minds.
    let server = |seen: &Arc<Mutex<Vec<Seen>>>, n: usize, clock: &ManualClock| {
        let time = clock.now() + s(600);
        let seconds = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let iat = seen.lock().unwrap()[n - 1].iat;
        let response = if iat.abs_diff(seconds) < 120 {
            grant(n)
        } else {
            no(400)
        };
        Ok(response.with_header("Date", date(seconds)))
    };
    let requests: Arc<OnceLock<Arc<Mutex<Vec<Seen>>>>> = Arc::default();
    let own = requests.clone();
    let world = World::timed(move |n, _, clock| server(own.get().unwrap(), n, clock));
    requests.set(world.seen.clone()).unwrap();
    let world = world.with(TokenSource::with_clock_correction);

    let token = world.source.token().unwrap();
    let seen = world.seen();
    assert_eq!((token.secret(), seen.len()), ("t2", 2));
    assert_eq!(seen[1].iat - seen[0].iat, 600);
    assert_eq!(seen[1].exp - seen[0].exp, 600);
    assert_ne!(seen[1].jti, seen[0].jti);
    assert_eq!(token.expires_at(), at(NOW + 300), "by our clock");
    assert_eq!(world.source.status().age, Some(s(0)));
    assert_eq!(world.source.status().clock_offset, Some(600));

    world.go_to(s(300));
    assert_eq!((world.get().as_str(), world.requests()), ("t3", 3));
    assert_eq!(
        world.seen()[2].iat - seen[0].iat,
        900,
        "it keeps the correction"
    );
    assert_eq!(world.source.token().unwrap().expires_at(), at(NOW + 600));

    world.source.clear();
    assert_eq!((world.get().as_str(), world.requests()), ("t5", 5));
}

#[test]
fn what_is_no_skew_or_no_matter_of_clocks_is_not_signed_again() {
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
        let world = World::new(move |_| {
            Ok(no(status).with_header("Date", date(NOW.checked_add_signed(ahead).unwrap())))
        });
        let world = world.with(|source| match opted_in {
            true => source.with_clock_correction(),
            false => source,
        });
        let told = (opted_in, status, ahead);
        assert_eq!(world.fails().kind(), Denied, "{told:?}");
        assert_eq!(world.requests(), requests, "{told:?}");
    }
}

// 9. 401 once

/// What requests with `answer` for a status, 401 to the first so many, are made with.
fn calls<R>(
    world: &World,
    refused: usize,
    answer: impl Fn(u16) -> R,
    is_401: impl FnOnce(&R) -> bool,
) -> (Vec<String>, R) {
    let mut tokens = Vec::new();
    let request = |token: &AccessToken| {
        tokens.push(token.secret().to_owned());
        answer(if tokens.len() <= refused { 401 } else { 200 })
    };
    let last = world.source.call(request, is_401);
    (tokens, last.unwrap())
}

#[track_caller]
fn is_repeated_once<R>(answer: impl Fn(u16) -> R, is_401: impl Fn(&R) -> bool) {
    for (age, refused, expected) in [
        (ms(10_000), 0, &["t1"][..]),
        (ms(10_000), 1, &["t1", "t2"]),
        (ms(10_000), 2, &["t1", "t2"]),
        (ms(9_999), 2, &["t1"]),
    ] {
        let world = World::new(|n| Ok(grant(n)));
        world.get();
        world.clock.advance(age);
        let (tokens, last) = calls(&world, refused, &answer, &is_401);
        assert_eq!(tokens, expected);
        assert_eq!(is_401(&last), refused >= expected.len());
        // Nothing else was invalidated.
        assert_eq!(world.get(), expected[expected.len() - 1]);
        assert_eq!(world.requests(), expected.len());
    }
}

#[test]
fn a_401_is_repeated_once_with_another_token_unless_the_token_is_young() {
    is_repeated_once(|status| status, |status| *status == 401);
    is_repeated_once(|status| (status, "body"), |(status, _)| *status == 401);
    let response = |status| http::Response::builder().status(status).body(()).unwrap();
    is_repeated_once(response, |response| response.status() == 401);
}

#[cfg(feature = "ureq")]
#[test]
fn a_401_of_ureq_is_one_as_an_answer_and_as_an_error() {
    type Answer = Result<http::Response<()>, ureq::Error>;
    let response = |status| http::Response::builder().status(status).body(()).unwrap();
    let is_401 = |answer: &Answer| match answer {
        Ok(response) => response.status() == 401,
        Err(error) => matches!(error, ureq::Error::StatusCode(401)),
    };
    is_repeated_once(|status| -> Answer { Ok(response(status)) }, is_401);
    is_repeated_once(
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
fn no_other_status_is_repeated() {
    for status in [200, 400, 402, 403, 407, 500] {
        let world = World::new(|n| Ok(grant(n)));
        world.get();
        world.clock.advance(s(20));
        let (tokens, _) = calls(&world, 0, |_| status, |status| *status == 401);
        assert_eq!((tokens.len(), world.requests()), (1, 1), "{status}");
    }
}

#[test]
fn an_api_that_always_says_401_costs_one_exchange_in_ten_seconds() {
    let world = World::new(|n| Ok(grant(n)));
    for _ in 0..100 {
        assert_eq!(
            world
                .source
                .call(|_| 401_u16, |status| *status == 401)
                .unwrap(),
            401
        );
        world.clock.advance(s(1));
    }
    assert!((9..=11).contains(&world.requests()), "{}", world.requests());
    let times: Vec<_> = world.seen().iter().map(|seen| seen.at).collect();
    assert!(
        times.windows(2).all(|two| two[1] - two[0] >= s(10)),
        "{times:?}"
    );
}

#[test]
fn where_no_other_token_is_to_be_had_the_call_says_why() {
    let world = World::holding(|| Ok(no(400)));
    world.go_to(s(20));
    let outcome = world.source.call(|_| 401_u16, |status| *status == 401);
    assert_eq!(outcome.unwrap_err().kind(), Denied);
}

// 12. Seeing it

static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collect;

impl log::Log for Collect {
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
fn the_log_names_host_jti_and_kid_and_no_secret() {
    log::set_logger(&Collect).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let profile = client_at(Endpoint::token("https://log.example.com/token").unwrap());
    let signer = hmac().with_key_id("kid-7");
    let world = World::full(profile, signer, |n, _, _| {
        let ahead = date(NOW + 600);
        Ok(match n {
            1 => return Err(ConnectionReset.into()),
            2 => Response::new(503, ""),
            3 => no(400).with_header("Date", ahead),
            _ => Response::new(200, r#"{"access_token":"xyzzy","expires_in":300}"#),
        })
    });
    let world = world.with(TokenSource::with_clock_correction);
    assert_eq!(world.get(), "xyzzy");
    let records = RECORDS.lock().unwrap().clone();
    let records: Vec<_> = records
        .iter()
        .filter(|r| r.contains("log.example.com"))
        .collect();
    for seen in world.seen() {
        let names = |r: &&&String| r.contains(&seen.jti) && r.contains("kid-7");
        let record = records
            .iter()
            .find(names)
            .expect("a record of each request");
        assert!(
            record.starts_with("DEBUG") && record.contains("took"),
            "{record}"
        );
    }
    let tells = |what: &str| records.iter().any(|r| r.contains(what));
    assert!(tells("attempt 2"), "of the retry: {records:?}");
    assert!(
        tells("s ahead: signing by it"),
        "of the correction: {records:?}"
    );
    assert!(!tells("xyzzy") && !tells("eyJ"), "{records:?}");
}

// Rows of the list of what goes wrong elsewhere

#[test]
fn row_18_two_subjects_scopes_audiences_or_keys_never_share_a_token() {
    let profiles = || {
        [
            (client(), hmac()),
            (client().with_subject("another"), hmac()),
            (client().with_scope("read"), hmac()),
            (
                client().with_audience(jwt_bearer::Audience::Fixed("a".into())),
                hmac(),
            ),
            (client(), hmac().with_key_id("another")),
        ]
    };
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let transport: Arc<dyn Transport> =
        Arc::new(move |_: &Request, _: Duration| Ok(grant(count.fetch_add(1, SeqCst) + 1)));
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
fn row_19_of_many_callers_one_fetches_and_its_failure_is_shared() {
    let came = Arc::new(AtomicUsize::new(0));
    let others = came.clone();
    let world = World::new(move |n| {
        until_came(&others, 8);
        if n == 1 { Ok(no(400)) } else { Ok(grant(n)) }
    });
    assert_eq!(together(8, &came, || world.fails().kind()), [Denied; 8]);
    assert_eq!(world.requests(), 1);
    world.clock.advance(s(10));
    assert_eq!(together(8, &came, || world.get()), ["t2"; 8]);
    assert_eq!(world.requests(), 2);
}

#[test]
fn row_20_a_failed_early_refresh_leaves_a_good_token_in_place() {
    let world = World::holding(|| Err(ConnectionReset.into()));
    for second in 240..300 {
        world.go_to(s(second));
        assert_eq!(world.get(), "t1");
    }
    assert!(world.requests() < 12, "{}", world.requests());
}

#[test]
fn row_20_a_token_that_arrives_expired_or_is_short_lived_is_no_request_per_call() {
    for (expires_in, most) in [
        ("0.001", 11),
        ("1", 11),
        ("5", 4),
        ("30", 1),
        ("0", 1),
        ("-1", 1),
    ] {
        let world = World::new(move |n| Ok(lasting(n, expires_in)));
        for _ in 0..1000 {
            world.get();
            world.clock.advance(ms(10));
        }
        assert!(
            world.requests() <= most,
            "{expires_in}: {}",
            world.requests()
        );
    }
}

#[test]
fn row_21_a_verdict_is_not_retried_and_a_busy_server_is_within_the_deadline() {
    let verdict = World::new(|_| Ok(no(400)));
    assert_eq!(verdict.fails().code(), Some("invalid_grant"));
    assert_eq!((verdict.requests(), verdict.time()), (1, s(0)));

    let busy = World::new(|n| {
        Ok(match n {
            1 => no(429).with_header("Retry-After", "8"),
            2 => no(503).with_header("Retry-After", date(NOW + 20)),
            _ => grant(n),
        })
    });
    assert_eq!(busy.get(), "t3");
    let seen = busy.seen();
    assert_eq!(
        seen.iter().map(|seen| seen.at).collect::<Vec<_>>(),
        [s(0), s(8), s(20)]
    );
    assert_eq!(seen[2].iat - seen[0].iat, 20, "signed anew");
    let jtis: BTreeSet<_> = seen.into_iter().map(|seen| seen.jti).collect();
    assert_eq!(jtis.len(), 3);
}

#[test]
fn row_22_invalidating_an_old_token_after_a_401_does_not_drop_a_newer_one() {
    let world = World::new(|n| Ok(grant(n)));
    world.get();
    world.clock.advance(s(20));
    let mut tokens = Vec::new();
    let request = |token: &AccessToken| {
        tokens.push(token.secret().to_owned());
        world.source.invalidate(token); // another caller was faster
        if tokens.len() == 1 {
            assert_eq!(world.get(), "t2");
        }
        401_u16
    };
    let answer = world.source.call(request, |status| *status == 401);
    assert_eq!(answer.unwrap(), 401);
    assert_eq!(tokens, ["t1", "t2"]);
    assert_eq!(
        world.requests(),
        2,
        "at most one repeat, and with the newer token"
    );
}
