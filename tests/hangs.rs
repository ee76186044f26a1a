//! A signer, transport or clock that hangs, fails or panics ends at most one fetch, and blocks only its own caller.
//!
//! Real threads and the real clock: a call that hangs here waits forever, and its thread lives until the end of the
//! process.

#[path = "support/mod.rs"]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{
    AccessToken, Algorithm, BoxError, Clock, Error, ErrorKind, Request, Response, Signer,
    TokenSource,
};
use support::sample::{client, hmac};

const TIMEOUT: Duration = Duration::from_millis(400);

fn hang() -> ! {
    loop {
        thread::park();
    }
}

fn token_response(n: usize) -> Response {
    Response::new(
        200,
        format!(r#"{{"access_token":"t{n}","expires_in":300}}"#),
    )
}

/// Signs, but first does what the n-th call is to do.
struct FaultySigner(AtomicUsize, fn(usize) -> Result<(), BoxError>);

impl Signer for FaultySigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        (self.1)(self.0.fetch_add(1, SeqCst))?;
        Ok(vec![1; 32])
    }
}

fn source(
    signer: fn(usize) -> Result<(), BoxError>,
    transport: fn(usize) -> Response,
) -> Arc<TokenSource> {
    let requests = AtomicUsize::new(0);
    let transport = move |_: &Request, _: Duration| Ok(transport(requests.fetch_add(1, SeqCst)));
    let signer = FaultySigner(AtomicUsize::new(0), signer);
    let source = TokenSource::with_transport(transport, client(), signer).unwrap();
    Arc::new(source.with_timeout(TIMEOUT))
}

/// Begins a call that hangs, and returns when it is in the middle of it.
fn begin_hanging_call(source: &Arc<TokenSource>) {
    let source = source.clone();
    thread::spawn(move || source.token());
    thread::sleep(Duration::from_millis(30));
}

/// Runs a call, which must not take much longer than its timeout.
#[track_caller]
fn in_time(call: impl FnOnce() -> Result<AccessToken, Error>) -> Result<AccessToken, Error> {
    let begun = Instant::now();
    let outcome = call();
    assert!(begun.elapsed() < TIMEOUT * 3, "{:?}", begun.elapsed());
    outcome
}

fn hangs_first(n: usize) -> Result<(), BoxError> {
    if n == 0 { hang() } else { Ok(()) }
}
fn response_hangs_first(n: usize) -> Response {
    if n == 0 { hang() } else { token_response(n) }
}
fn signs(_: usize) -> Result<(), BoxError> {
    Ok(())
}

#[test]
fn fetch_that_hangs_past_its_deadline_is_replaced_by_the_next_caller() {
    for source in [
        source(hangs_first, token_response),
        source(signs, response_hangs_first),
    ] {
        begin_hanging_call(&source);
        // A caller whose time ends first has waited for the other, and its error says so.
        let waiter = in_time(|| source.token());
        let error = match waiter {
            Ok(token) => panic!("{token:?} was fetched beside a fetch that had time left"),
            Err(error) => error,
        };
        let waited_too_long = error.kind() == ErrorKind::Timeout && error.is_timeout();
        assert!(waited_too_long && error.is_retryable(), "{error:?}");
        // From then on the hanging fetch no longer counts.
        in_time(|| source.token()).unwrap();
        in_time(|| source.token()).unwrap();
    }
}

#[test]
fn fetch_that_hangs_is_abandoned_by_clear_and_passed_by_fetch_uncached() {
    for source in [
        source(hangs_first, token_response),
        source(signs, response_hangs_first),
    ] {
        begin_hanging_call(&source);
        in_time(|| source.fetch_uncached()).unwrap();
        let waiter = {
            let source = source.clone();
            thread::spawn(move || source.token())
        };
        thread::sleep(Duration::from_millis(50));
        source.clear();
        in_time(|| source.token()).unwrap();
        waiter.join().unwrap().expect("clear wakes those who wait");
    }
}

#[test]
fn late_outcome_of_a_replaced_fetch_changes_nothing() {
    fn slow_first(n: usize) -> Response {
        if n == 0 {
            thread::sleep(TIMEOUT * 2);
        }
        token_response(n)
    }
    let source = source(signs, slow_first);
    let slow = {
        let source = source.clone();
        thread::spawn(move || source.token())
    };
    thread::sleep(TIMEOUT + Duration::from_millis(200));
    let newer = in_time(|| source.token()).unwrap();
    assert_eq!(newer.secret(), "t1");
    slow.join().unwrap().unwrap();
    assert_eq!(source.token().unwrap().secret(), "t1");
}

#[test]
fn panic_of_signer_or_transport_ends_that_fetch_alone() {
    fn panics_first(n: usize) -> Result<(), BoxError> {
        assert!(n > 0, "on purpose");
        Ok(())
    }
    fn response_panics_first(n: usize) -> Response {
        assert!(n > 0, "on purpose");
        token_response(n)
    }
    for source in [
        source(panics_first, token_response),
        source(signs, response_panics_first),
    ] {
        let panicked = catch_unwind(AssertUnwindSafe(|| source.token()));
        assert!(panicked.is_err());
        in_time(|| source.token()).unwrap();
    }
}

/// The real clock; the first call of the wall clock after `arm` hangs.
struct FaultyClock(Arc<AtomicUsize>);

impl Clock for FaultyClock {
    fn now(&self) -> SystemTime {
        if self.0.load(SeqCst) == 1 && self.0.swap(2, SeqCst) == 1 {
            hang()
        }
        SystemTime::now()
    }
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

#[test]
fn clock_that_hangs_holds_only_the_thread_that_asked_it() {
    let armed = Arc::new(AtomicUsize::new(0));
    let transport = |_: &Request, _: Duration| Ok(token_response(0));
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let source = source.with_clock(FaultyClock(armed.clone()));
    let source = Arc::new(source.with_timeout(TIMEOUT));
    source.token().unwrap();
    armed.store(1, SeqCst);
    begin_hanging_call(&source);
    assert_eq!(armed.load(SeqCst), 2, "the clock was not asked");
    in_time(|| source.token()).unwrap();
    source.clear();
    in_time(|| source.token()).unwrap();
}

#[test]
fn invalidate_and_token_in_a_loop_cost_one_exchange_a_second() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let transport = move |_: &Request, _: Duration| Ok(token_response(count.fetch_add(1, SeqCst)));
    let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        let token = source.token().unwrap();
        source.invalidate(&token);
    }
    let exchanges = requests.load(SeqCst);
    assert!((2..=4).contains(&exchanges), "{exchanges}");
}

#[test]
fn refresh_replaces_the_token_and_token_with_lifetime_fetches_only_when_it_must() {
    let source = source(signs, token_response);
    let minute = Duration::from_secs(60);
    assert_eq!(source.token_with_lifetime(minute).unwrap().secret(), "t0");
    assert_eq!(source.token_with_lifetime(minute).unwrap().secret(), "t0");
    assert_eq!(source.refresh().unwrap().secret(), "t1");
    assert_eq!(source.token().unwrap().secret(), "t1");
    // No token of this server lives that long, and a new one would not either.
    let hour = Duration::from_secs(3600);
    assert_eq!(source.token_with_lifetime(hour).unwrap().secret(), "t1");
    assert_eq!(source.status().exchanges, 2);
}
