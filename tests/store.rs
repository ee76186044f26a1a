//! A token source with a token store: the calls that it makes, and which stored tokens it accepts.
//!
//! A source is a process here, and time is a [`ManualClock`]. Real processes are in `file_store.rs`, `redis_store.rs`
//! and `cli.rs`.

mod support;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once, OnceLock, mpsc};
use std::time::{Duration, Instant};

use jwt_bearer::{
    AccessToken, Algorithm, Audience, BoxError, Clock as _, Endpoint, ErrorKind, HmacKey,
    ManualClock, Profile, Request, Response, Signer, StoreLock, TokenSource, TokenState,
    TokenStore,
};
use serde_json::Value;

use support::sample::{NOW, at, client, client_at, grant, hmac, now};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

type Entries = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A token store in memory with faults that a test chooses.
#[derive(Clone, Default)]
struct Store {
    entries: Entries,
    calls: Arc<Mutex<Vec<&'static str>>>,
    /// Names whose lock is taken.
    locked: Arc<Mutex<Vec<String>>>,
    /// Whether a lock was released.
    unlocked: Arc<AtomicBool>,
    /// The call that fails, or `all`.
    faulty_call: &'static str,
    /// What the faulty call does before it returns its error.
    fault: Option<fn()>,
    /// Whether `remove` does nothing.
    ignores_remove: bool,
}

impl Store {
    fn record(&self, what: &'static str) -> Result<(), BoxError> {
        self.calls.lock().unwrap().push(what);
        if [what, "all"].contains(&self.faulty_call) {
            if let Some(fault) = self.fault {
                fault();
            }
            return Err("out of order".into());
        }
        Ok(())
    }
    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
    /// Returns the only entry.
    #[track_caller]
    fn only_entry(&self) -> Vec<u8> {
        let entries = self.entries.lock().unwrap();
        assert_eq!(entries.len(), 1);
        entries.values().next().unwrap().clone()
    }
    /// Overwrites every entry.
    fn overwrite(&self, bytes: &[u8]) {
        for entry in self.entries.lock().unwrap().values_mut() {
            *entry = bytes.to_vec();
        }
    }
    /// Takes the lock of every entry, as another process that fetches does.
    fn lock_all(&self) {
        let entries = self.entries.lock().unwrap();
        self.locked.lock().unwrap().extend(entries.keys().cloned());
    }
    fn is_empty(&self) -> bool {
        self.entries.lock().unwrap().is_empty()
    }
}

impl TokenStore for Store {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        self.record("load")?;
        Ok(self.entries.lock().unwrap().get(name).cloned())
    }
    fn save(&self, name: &str, bytes: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
        self.record("save")?;
        let mut entries = self.entries.lock().unwrap();
        entries.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn remove(&self, name: &str, bytes: &[u8], _: Duration) -> Result<(), BoxError> {
        self.record("remove")?;
        let mut entries = self.entries.lock().unwrap();
        if entries.get(name).is_some_and(|entry| entry == bytes) && !self.ignores_remove {
            entries.remove(name);
        }
        Ok(())
    }
    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.record("lock")?;
        let mut locked = self.locked.lock().unwrap();
        if locked.iter().any(|other| other == name) {
            return Ok(None);
        }
        locked.push(name.to_owned());
        Ok(Some(Box::new(Unlock(self.clone(), name.to_owned()))))
    }
}

/// Releases the lock when it is dropped.
struct Unlock(Store, String);
impl Drop for Unlock {
    fn drop(&mut self) {
        let _ = self.0.record("unlock"); // hangs or panics if that is the fault
        self.0.locked.lock().unwrap().retain(|name| *name != self.1);
        self.0.unlocked.store(true, SeqCst);
    }
}

/// The clock, the server and the store that all processes share.
#[derive(Clone)]
struct Fixture {
    clock: Arc<ManualClock>,
    requests: Arc<AtomicUsize>,
    /// The response that replaces the token.
    response: Arc<Mutex<Option<Response>>>,
    /// Whether requests time out, which advances the clock.
    silent: Arc<Mutex<bool>>,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        Self {
            clock: Arc::new(ManualClock::new(now())),
            requests: Arc::default(),
            response: Arc::default(),
            silent: Arc::default(),
            store: Store::default(),
        }
    }
    fn with_store(mut self, change: impl FnOnce(&mut Store, &Arc<ManualClock>)) -> Self {
        change(&mut self.store, &self.clock);
        self
    }
    fn process(&self) -> TokenSource {
        self.process_with(client(), hmac())
    }
    fn process_with(&self, profile: Profile, key: impl Signer + 'static) -> TokenSource {
        let (requests, response) = (self.requests.clone(), self.response.clone());
        let (silent, clock) = (self.silent.clone(), self.clock.clone());
        let server = move |_: &Request, timeout: Duration| -> io::Result<Response> {
            let n = requests.fetch_add(1, SeqCst) + 1;
            if *silent.lock().unwrap() {
                clock.advance(timeout);
                return Err(io::ErrorKind::TimedOut.into());
            }
            let body = format!(
                r#"{{"access_token":"t{n}","expires_in":300,"scope":"granted","id":"https://id/{n}"}}"#
            );
            let fixed = response.lock().unwrap().clone();
            Ok(fixed.unwrap_or_else(|| Response::new(200, body)))
        };
        let source = TokenSource::with_transport(server, profile, key).unwrap();
        source
            .with_clock(self.clock.clone())
            .with_store(self.store.clone())
            .unwrap()
    }
    fn respond_with(&self, status: u16, body: &str) {
        *self.response.lock().unwrap() = Some(Response::new(status, body));
    }
    fn request_count(&self) -> usize {
        self.requests.load(SeqCst)
    }
    fn elapsed(&self) -> Duration {
        self.clock.now().duration_since(now()).unwrap()
    }
}

#[track_caller]
fn get_token(source: &TokenSource) -> String {
    source.token().unwrap().secret().to_owned()
}

// ---- calls to the store ----

#[test]
fn stored_token_is_used_by_other_processes() {
    let fixture = Fixture::new();
    let first = fixture.process().token().unwrap();
    assert_eq!(
        fixture.store.calls(),
        ["load", "lock", "load", "save", "unlock"]
    );
    fixture.clock.advance(secs(100));
    for _ in 0..100 {
        let other = fixture.process().token().unwrap();
        assert_eq!(fixture.store.calls(), ["load"]);
        assert_eq!(other.secret(), "t1");
        assert_eq!(other.expires_at(), first.expires_at());
        assert_eq!(other.expires_at(), at(NOW + 300));
        assert_eq!(other.scope(), Some("granted"));
        assert_eq!(other.get("id"), Some("https://id/1"));
    }
    assert_eq!(fixture.request_count(), 1);
}

#[test]
fn fresh_token_is_returned_without_a_store_call() {
    let fixture = Fixture::new();
    let process = fixture.process();
    get_token(&process);
    fixture.store.calls();
    for _ in 0..10 {
        assert_eq!(get_token(&process), "t1");
    }
    assert_eq!(fixture.store.calls(), [""; 0]);
}

#[test]
fn refreshable_token_is_looked_up_in_the_store_before_a_fetch() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.process(), fixture.process());
    assert_eq!(
        (get_token(&one), get_token(&other)),
        ("t1".into(), "t1".into())
    );
    fixture.clock.advance(secs(250));
    assert_eq!(one.status().state, TokenState::Refreshable);
    assert_eq!(get_token(&one), "t2");
    assert_eq!(other.status().state, TokenState::Refreshable);
    assert_eq!(get_token(&other), "t2");
    assert_eq!(other.status().state, TokenState::Fresh);
    assert_eq!(fixture.request_count(), 2);
}

#[test]
fn loaded_token_age_follows_wall_clock_then_both_clocks() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    fixture.clock.advance(secs(200));
    let process = fixture.process();
    assert_eq!(get_token(&process), "t1");
    assert_eq!(process.status().age, Some(secs(200)));
    fixture.clock.set(now()); // set back; the monotonic clock continues
    fixture.clock.advance(secs(99));
    assert_eq!(process.status().age, Some(secs(299)));
    assert_eq!(process.status().state, TokenState::Refreshable);
    fixture.clock.advance(secs(1));
    assert_eq!(process.status().state, TokenState::Expired);
}

#[test]
fn refreshable_stored_token_is_used_when_the_server_fails() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    fixture.clock.advance(secs(250));
    fixture.respond_with(503, "");
    let process = fixture.process();
    assert_eq!(get_token(&process), "t1");
    assert_eq!(fixture.request_count(), 2, "one attempt");
    for _ in 0..10 {
        assert_eq!(get_token(&process), "t1");
    }
    assert_eq!(fixture.request_count(), 2, "within the failure TTL");
    assert_eq!(
        process.status().last_error.unwrap().kind(),
        ErrorKind::Unavailable
    );
    fixture.clock.advance(secs(50));
    assert_eq!(process.token().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn fetch_uncached_makes_no_store_call() {
    let fixture = Fixture::new();
    assert_eq!(fixture.process().fetch_uncached().unwrap().secret(), "t1");
    assert_eq!(fixture.store.calls(), [""; 0]);
}

#[test]
fn failures_keys_and_assertions_are_never_stored() {
    let fixture = Fixture::new();
    fixture.respond_with(400, r#"{"error":"invalid_grant"}"#);
    let process = fixture.process();
    assert_eq!(process.token().unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(fixture.store.calls(), ["load", "lock", "load", "unlock"]);
    assert!(fixture.store.is_empty());

    *fixture.response.lock().unwrap() = None;
    let secrets = client()
        .with_parameter("client_secret", "hunter2-hunter2-hunter2")
        .with_claim("pin", "claim-of-a-secret-kind");
    get_token(&fixture.process_with(secrets, hmac()));
    let text = String::from_utf8(fixture.store.only_entry()).unwrap();
    assert!(text.contains("\"t2\""), "{text}");
    for secret in ["eyJ", "hunter2", "claim-of-a", "a secret of at least"] {
        assert!(!text.contains(secret), "{text}");
    }
    let entries = fixture.store.entries.lock().unwrap();
    let name = entries.keys().next().unwrap();
    assert!(
        name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()),
        "{name}"
    );
}

// ---- a store that fails, hangs or panics ----

#[test]
fn failing_store_never_fails_the_caller() {
    logged(|log| {
        for what in ["load", "lock", "save", "all"] {
            let fixture = Fixture::new().with_store(|store, _| store.faulty_call = what);
            let process = fixture.process();
            assert_eq!(get_token(&process), "t1", "{what}");
            process.invalidate(&process.token().unwrap());
            assert_eq!(get_token(&process), "t2", "{what}");
            assert_eq!(fixture.request_count(), 2);
            let logged = log.lock().unwrap().join("\n");
            let what = if what == "all" { "load" } else { what };
            assert!(
                logged.contains(&format!("token store: {what} failed: out of order")),
                "{logged}"
            );
            log.lock().unwrap().clear();
        }
    });
}

/// A store may quote what it was asked to save.
#[test]
fn error_of_a_store_shows_no_token_and_is_short() {
    struct Quoting;
    impl TokenStore for Quoting {
        fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(None)
        }
        fn save(&self, _: &str, bytes: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
            let bytes = String::from_utf8_lossy(bytes);
            Err(format!("cannot write {bytes} {}", "and so on ".repeat(1000)).into())
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
        fn try_lock(&self, _: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
            Ok(Some(Box::new(())))
        }
    }
    const TOKEN: &str = "an-access-token-of-usual-length";
    let respond = |_: &Request, _: Duration| -> io::Result<Response> {
        Ok(Response::new(
            200,
            format!(r#"{{"access_token":"{TOKEN}"}}"#),
        ))
    };
    let source = TokenSource::with_transport(respond, client(), hmac()).unwrap();
    let source = source.with_store(Quoting).unwrap();
    logged(|log| {
        assert_eq!(get_token(&source), TOKEN);
        let error = source.status().store_error.unwrap();
        let records = log.lock().unwrap().join("\n");
        for text in [&error, &records] {
            assert!(text.contains("save failed: cannot write "), "{text}");
            assert!(!text.contains(TOKEN), "{text}");
        }
        assert!(error.chars().count() < 300, "{error}");
    });
}

/// As the documentation of the trait says, `current` is not called on what `current` returned.
#[test]
fn name_in_the_store_is_of_the_signer_that_signs() {
    struct Chain(HmacKey, Option<Arc<dyn Signer>>);
    impl Signer for Chain {
        fn algorithm(&self) -> Algorithm {
            self.0.algorithm()
        }
        fn key_id(&self) -> Option<&str> {
            self.0.key_id()
        }
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
            self.0.sign(message)
        }
        fn identity(&self) -> Option<[u8; 32]> {
            self.0.identity()
        }
        fn current(&self) -> Option<Arc<dyn Signer>> {
            self.1.clone()
        }
    }
    let key = |id: &str| hmac().with_key_id(id);
    let last = Arc::new(Chain(key("last"), None));
    let middle = Arc::new(Chain(key("middle"), Some(last)));
    let first = Chain(key("first"), Some(middle));
    let name = |signer: Chain| {
        let fixture = Fixture::new();
        get_token(&fixture.process_with(client(), signer));
        let entries = fixture.store.entries.lock().unwrap();
        entries.keys().next().unwrap().clone()
    };
    assert_eq!(name(first), name(Chain(key("middle"), None)));
}

fn hang() {
    loop {
        std::thread::park();
    }
}

#[test]
fn hanging_store_costs_some_time_but_never_the_token() {
    logged(|log| {
        for what in ["load", "lock", "save", "unlock", "remove", "all"] {
            let fixture = Fixture::new().with_store(|store, _| {
                store.faulty_call = what;
                store.fault = Some(hang);
            });
            let process = fixture.process().with_timeout(secs(1));
            let begun = Instant::now();
            let first = process.token().unwrap();
            assert_eq!(first.secret(), "t1", "{what}");
            assert!(begun.elapsed() < secs(1), "{what}: {:?}", begun.elapsed());
            process.invalidate(&first);
            assert_eq!(get_token(&process), "t2", "{what}");
            let logged = log.lock().unwrap().join("\n");
            let what = if what == "all" { "load" } else { what };
            let is_logged =
                logged.contains(&format!("token store: {what} failed: it takes too long"));
            assert!(is_logged || what == "unlock", "{logged}"); // no caller waits for the release
            log.lock().unwrap().clear();
        }
    });
}

#[test]
fn waiters_get_the_token_in_time_when_the_store_hangs() {
    for what in ["load", "lock", "save", "unlock"] {
        let store = Store {
            faulty_call: what,
            fault: Some(hang),
            ..Store::default()
        };
        let server = |_: &Request, _: Duration| Ok(Response::new(200, TOKEN));
        let source = TokenSource::with_transport(server, client(), hmac()).unwrap();
        let source = source.with_timeout(secs(2)).with_store(store).unwrap();
        std::thread::scope(|callers| {
            let all: Vec<_> = (0..8)
                .map(|_| callers.spawn(|| get_token(&source)))
                .collect();
            for caller in all {
                assert_eq!(caller.join().unwrap(), "t", "{what}");
            }
        });
    }
}
const TOKEN: &str = r#"{"access_token":"t","expires_in":300}"#;

#[test]
fn hanging_store_is_limited_to_eight_threads() {
    let fixture = Fixture::new().with_store(|store, _| {
        store.faulty_call = "all";
        store.fault = Some(hang);
    });
    let process = fixture.process().with_timeout(Duration::from_millis(40));
    for n in 1..=20 {
        assert_eq!(get_token(&process), format!("t{n}"));
        fixture.clock.advance(secs(300));
    }
    // The last thread may not have called the store yet.
    let (begin, mut calls) = (Instant::now(), fixture.store.calls().len());
    while calls < 8 && begin.elapsed() < secs(5) {
        std::thread::yield_now();
        calls += fixture.store.calls().len();
    }
    assert_eq!(calls, 8);
}

/// Seven releases that hang and a save that hangs leave no thread for the eighth release.
#[test]
fn release_that_gets_no_thread_does_not_block_the_caller() {
    struct HangingLock;
    impl Drop for HangingLock {
        fn drop(&mut self) {
            hang();
        }
    }
    #[derive(Default)]
    struct HangingRelease(AtomicUsize);
    impl TokenStore for HangingRelease {
        fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(None)
        }
        fn save(&self, _: &str, _: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
            if self.0.fetch_add(1, SeqCst) == 7 {
                hang();
            }
            Ok(())
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
        fn try_lock(&self, _: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
            Ok(Some(Box::new(HangingLock)))
        }
    }
    let fixture = Fixture::new();
    let process = fixture.process().with_timeout(secs(2));
    let process = process.with_store(HangingRelease::default()).unwrap();
    let (done, tokens) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..10 {
            done.send(get_token(&process)).unwrap();
            fixture.clock.advance(secs(300));
        }
    });
    for n in 1..=10 {
        let token = tokens.recv_timeout(secs(20));
        assert_eq!(token.as_deref(), Ok(&*format!("t{n}")));
    }
    let end = tokens.recv_timeout(secs(20));
    assert_eq!(
        end,
        Err(mpsc::RecvTimeoutError::Disconnected),
        "dropping the source"
    );
}

#[test]
fn panicking_store_never_fails_the_caller() {
    for what in ["load", "lock", "save", "unlock", "remove", "all"] {
        let fixture = Fixture::new().with_store(|store, _| {
            store.faulty_call = what;
            store.fault = Some(|| panic!("this store panics on purpose"));
        });
        let process = fixture.process();
        process.invalidate(&process.token().unwrap());
        assert_eq!(get_token(&process), "t2", "{what}");
    }
}

/// A store in which one call takes three times its timeout.
#[derive(Clone)]
struct Slow(Store, &'static str);
impl Slow {
    fn delay(&self, what: &str, time: Duration) -> &Store {
        if what == self.1 {
            std::thread::sleep(time * 3);
        }
        &self.0
    }
    #[track_caller]
    fn wait_until_released(&self) {
        let begin = Instant::now();
        while !self.0.unlocked.load(SeqCst) {
            assert!(begin.elapsed() < secs(20), "the lock was never released");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
impl TokenStore for Slow {
    fn load(&self, name: &str, time: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        self.delay("load", time).load(name, time)
    }
    fn save(&self, name: &str, b: &[u8], l: Duration, time: Duration) -> Result<(), BoxError> {
        self.delay("save", time).save(name, b, l, time)
    }
    fn remove(&self, name: &str, bytes: &[u8], time: Duration) -> Result<(), BoxError> {
        self.delay("remove", time).remove(name, bytes, time)
    }
    fn try_lock(&self, name: &str, time: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.delay("lock", time).try_lock(name, time)
    }
}

#[test]
fn store_lock_that_panics_after_a_panic_does_not_abort_the_process() {
    #[derive(Default)]
    struct Poisoned(Arc<Mutex<()>>);
    struct PoisonedLock(Arc<Mutex<()>>);
    impl Drop for PoisonedLock {
        fn drop(&mut self) {
            drop(self.0.lock().unwrap());
        }
    }
    impl TokenStore for Poisoned {
        fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(None)
        }
        fn save(&self, _: &str, _: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
            let _guard = self.0.lock().unwrap();
            panic!("this store panics on purpose");
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
        fn try_lock(&self, _: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
            Ok(Some(Box::new(PoisonedLock(self.0.clone()))))
        }
    }
    let fixture = Fixture::new();
    let process = fixture.process().with_store(Poisoned::default()).unwrap();
    assert_eq!(get_token(&process), "t1");
}

#[test]
fn timed_out_save_still_takes_effect_and_the_lock_is_released() {
    let (fixture, slow) = (Fixture::new(), Slow(Store::default(), "save"));
    let process = fixture.process().with_timeout(secs(1));
    let process = process.with_store(slow.clone()).unwrap();
    assert_eq!(get_token(&process), "t1");
    slow.wait_until_released();
    assert!(slow.0.locked.lock().unwrap().is_empty());
    let begin = Instant::now();
    while slow.0.is_empty() {
        assert!(begin.elapsed() < secs(20), "the token was never saved");
        std::thread::sleep(Duration::from_millis(10));
    }
    let entry = String::from_utf8(slow.0.only_entry()).unwrap();
    assert!(entry.contains("\"t1\""), "{entry}");
}

#[test]
fn lock_that_comes_too_late_is_released_and_nothing_is_saved() {
    let (fixture, slow) = (Fixture::new(), Slow(Store::default(), "lock"));
    let process = fixture.process().with_timeout(secs(1));
    let process = process.with_store(slow.clone()).unwrap();
    assert_eq!(get_token(&process), "t1");
    slow.wait_until_released();
    assert!(slow.0.locked.lock().unwrap().is_empty());
    assert_eq!(slow.0.calls(), ["load", "lock", "unlock"]);
}

#[test]
fn slow_call_leaves_the_store_alone_for_that_fetch() {
    logged(|log| {
        let (fixture, slow) = (Fixture::new(), Slow(Store::default(), "load"));
        let process = fixture.process().with_timeout(secs(8));
        let process = process.with_store(slow.clone()).unwrap();
        assert_eq!(get_token(&process), "t1");
        std::thread::sleep(secs(4)); // the slow call returns after three times its second
        assert_eq!(slow.0.calls(), ["load"]);
        let logged = log.lock().unwrap().join("\n");
        assert!(
            logged.contains("load failed: it takes too long"),
            "{logged}"
        );
        assert!(!logged.contains("save failed"), "{logged}");
    });
}

#[test]
fn store_is_not_waited_for_again_after_a_timeout() {
    let fixture = Fixture::new().with_store(|store, _| {
        store.faulty_call = "all";
        store.fault = Some(hang);
    });
    let process = fixture.process().with_timeout(secs(16)); // one second per store call
    let begin = Instant::now();
    assert_eq!(get_token(&process), "t1");
    let took = begin.elapsed();
    assert!(secs(1) <= took && took < secs(3), "{took:?}");
}

#[test]
fn lock_of_a_hanging_call_in_this_process_is_not_waited_for() {
    let fixture = Fixture::new().with_store(|store, _| {
        store.faulty_call = "save";
        store.fault = Some(hang);
    });
    let process = fixture.process();
    for n in 1..=4 {
        assert_eq!(get_token(&process), format!("t{n}"));
        assert_eq!(
            fixture.elapsed(),
            secs(300 * (n - 1)),
            "no caller waits for the lock"
        );
        fixture.clock.advance(secs(300));
    }
}

#[test]
fn invalidate_removes_a_token_that_was_issued_again() {
    let fixture = Fixture::new();
    fixture.respond_with(200, TOKEN);
    let process = fixture.process();
    for _ in 0..2 {
        process.invalidate(&process.token().unwrap());
        assert!(fixture.store.is_empty());
    }
}

#[test]
fn invalidate_by_many_callers_removes_from_the_store_once() {
    let fixture = Fixture::new();
    let process = fixture.process();
    let token = process.token().unwrap();
    fixture.store.calls();
    std::thread::scope(|callers| {
        for _ in 0..32 {
            callers.spawn(|| process.invalidate(&token));
        }
    });
    assert_eq!(fixture.store.calls(), ["load", "remove"]);
    assert_eq!(get_token(&process), "t2");
}

#[test]
fn store_call_timeout_is_one_second_or_an_eighth_of_the_remaining_time() {
    #[derive(Clone, Default)]
    struct Timed(Arc<Mutex<Vec<Duration>>>);
    impl TokenStore for Timed {
        fn load(&self, _: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            self.0.lock().unwrap().push(timeout);
            Ok(None)
        }
        fn save(&self, _: &str, _: &[u8], _: Duration, timeout: Duration) -> Result<(), BoxError> {
            self.0.lock().unwrap().push(timeout);
            Ok(())
        }
        fn remove(&self, _: &str, _: &[u8], timeout: Duration) -> Result<(), BoxError> {
            self.0.lock().unwrap().push(timeout);
            Ok(())
        }
    }
    let (fixture, store) = (Fixture::new(), Timed::default());
    let process = fixture.process().with_store(store.clone()).unwrap();
    process.invalidate(&process.token().unwrap());
    let short_timeout = fixture
        .process()
        .with_store(store.clone())
        .unwrap()
        .with_timeout(secs(4));
    short_timeout.token().unwrap();
    let times = std::mem::take(&mut *store.0.lock().unwrap());
    let ms = Duration::from_millis;
    assert_eq!(
        times,
        [
            secs(1),
            secs(1),
            secs(1),
            secs(1),
            ms(500),
            ms(500),
            ms(500)
        ]
    );
}

#[test]
fn token_that_came_late_is_saved_for_fifty_milliseconds_all_the_same() {
    #[derive(Clone, Default)]
    struct TimedSave(Arc<Mutex<Vec<Duration>>>);
    impl TokenStore for TimedSave {
        fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(None)
        }
        fn save(&self, _: &str, _: &[u8], _: Duration, timeout: Duration) -> Result<(), BoxError> {
            self.0.lock().unwrap().push(timeout);
            Ok(())
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let (clock, store) = (Arc::new(ManualClock::new(now())), TimedSave::default());
    let time = clock.clone();
    let server = move |_: &Request, _: Duration| {
        time.advance(Duration::from_millis(3_990));
        Ok(Response::new(200, TOKEN))
    };
    let source = TokenSource::with_transport(server, client(), hmac()).unwrap();
    let source = source.with_timeout(secs(4)).with_clock(clock);
    let source = source.with_store(store.clone()).unwrap();
    source.token().unwrap();
    assert_eq!(*store.0.lock().unwrap(), [Duration::from_millis(50)]);
}

/// A store that loads by a function.
struct LoadsBy<F>(Store, F);

impl<F> TokenStore for LoadsBy<F>
where
    F: Fn(&Store, &str, Duration) -> Result<Option<Vec<u8>>, BoxError> + Send + Sync,
{
    fn load(&self, name: &str, time: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        (self.1)(&self.0, name, time)
    }
    fn save(&self, name: &str, b: &[u8], l: Duration, t: Duration) -> Result<(), BoxError> {
        self.0.save(name, b, l, t)
    }
    fn remove(&self, name: &str, bytes: &[u8], time: Duration) -> Result<(), BoxError> {
        self.0.remove(name, bytes, time)
    }
    fn try_lock(&self, name: &str, time: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.0.try_lock(name, time)
    }
}

#[test]
fn token_of_the_process_that_holds_the_lock_is_waited_for() {
    let fixture = Fixture::new();
    let locked = fixture.store.clone();
    get_token(&fixture.process()); // the entry that the other process saves below
    let bytes = locked.only_entry();
    locked.lock_all();
    locked.entries.lock().unwrap().clear();

    // The other process saves its token before the sixth load.
    let loads = Arc::new(AtomicUsize::new(0));
    let count = loads.clone();
    let saved_later = LoadsBy(locked, move |store: &Store, name: &str, time| {
        if count.fetch_add(1, SeqCst) == 5 {
            let mut entries = store.entries.lock().unwrap();
            entries.insert(name.to_owned(), bytes.clone());
        }
        store.load(name, time)
    });
    let process = fixture.process().with_store(saved_later).unwrap();
    assert_eq!(get_token(&process), "t1");
    assert_eq!((fixture.request_count(), loads.load(SeqCst)), (1, 6));
    assert_eq!(
        fixture.elapsed(),
        Duration::from_millis(10 + 20 + 40 + 80 + 160)
    );
}

#[test]
fn lock_wait_ends_in_time_for_a_fetch_without_the_lock() {
    for (timeout, waited) in [(30, 20), (60, 50), (15, 7), (4, 2)] {
        let fixture = Fixture::new();
        get_token(&fixture.process());
        fixture.store.lock_all(); // and never releases it
        fixture.store.entries.lock().unwrap().clear();
        let process = fixture.process().with_timeout(secs(timeout));
        assert_eq!(get_token(&process), "t2");
        assert_eq!(fixture.elapsed().as_secs(), waited);
        assert_eq!(
            get_token(&fixture.process()),
            "t2",
            "the token is saved without the lock"
        );
    }
}

#[test]
fn refreshable_token_limits_the_lock_wait_to_an_attempt_or_half_its_lifetime() {
    let fixture = Fixture::new();
    let process = fixture.process();
    get_token(&process);
    fixture.clock.advance(secs(250));
    fixture.store.lock_all();
    assert_eq!(get_token(&process), "t2");
    assert_eq!(fixture.elapsed(), secs(260));

    let fixture = Fixture::new();
    let process = fixture.process();
    get_token(&process);
    fixture.clock.advance(secs(290));
    fixture.store.lock_all();
    assert_eq!(get_token(&process), "t2");
    assert_eq!(fixture.elapsed(), secs(295));
}

/// As a cron job that starts while another one hangs.
#[test]
fn refreshable_token_of_the_store_limits_the_lock_wait_of_a_new_process() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    fixture.clock.advance(secs(260));
    fixture.store.lock_all();
    assert_eq!(get_token(&fixture.process()), "t2");
    assert_eq!(fixture.elapsed(), secs(270));

    let fixture = Fixture::new();
    get_token(&fixture.process());
    fixture.clock.advance(secs(281));
    fixture.store.lock_all();
    *fixture.silent.lock().unwrap() = true;
    assert_eq!(get_token(&fixture.process()), "t1");
    assert!(fixture.elapsed() < secs(300));
}

#[test]
fn refreshable_token_is_returned_when_the_lock_is_taken_and_the_server_is_silent() {
    let fixture = Fixture::new();
    let process = fixture.process();
    get_token(&process);
    fixture.store.lock_all();
    fixture.clock.advance(secs(290));
    *fixture.silent.lock().unwrap() = true;
    assert_eq!(get_token(&process), "t1");
    assert!(fixture.elapsed() < secs(300));
}

/// Another process removes the stored token while a process waits for the lock: its API has refused it.
#[test]
fn stored_token_that_is_removed_during_the_lock_wait_is_no_fallback() {
    let outcome = |load: fn() -> Result<Option<Vec<u8>>, BoxError>| {
        let fixture = Fixture::new();
        get_token(&fixture.process());
        fixture.clock.advance(secs(250));
        fixture.store.lock_all(); // and never releases it
        fixture.respond_with(503, "");
        let loads = AtomicUsize::default();
        let store = LoadsBy(
            fixture.store.clone(),
            move |store: &Store, name: &str, time| match loads.fetch_add(1, SeqCst) {
                0 | 1 => store.load(name, time),
                _ => load(),
            },
        );
        let token = fixture.process().with_store(store).unwrap().token();
        (token, fixture.request_count() - 1)
    };
    let (removed, attempts) = outcome(|| Ok(None));
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(attempts, 3, "no token is left to serve meanwhile");

    let (unreadable, attempts) = outcome(|| Err("out of order".into()));
    assert_eq!(unreadable.unwrap().secret(), "t1");
    assert_eq!(attempts, 1);
}

// ---- identity ----

#[test]
fn stored_tokens_of_different_identities_are_never_shared() {
    let fixture = Fixture::new();
    let other_key = || HmacKey::new("another secret of thirty-two bytes").unwrap();
    let other = "https://other.example.com";
    let processes = [
        fixture.process_with(client(), hmac()),
        fixture.process_with(grant(), hmac()),
        fixture.process_with(grant().with_subject("alice"), hmac()),
        fixture.process_with(grant().with_subject("bob"), hmac()),
        fixture.process_with(client().with_scope("read"), hmac()),
        fixture.process_with(client().with_scope("read write"), hmac()),
        fixture.process_with(
            client().with_audience(Audience::Fixed(other.into())),
            hmac(),
        ),
        fixture.process_with(client_at(Endpoint::token(other).unwrap()), hmac()),
        fixture.process_with(client(), other_key()),
        fixture.process_with(client(), hmac().with_key_id("k2")),
        fixture.process_with(client(), support::sample::rsa()),
    ];
    for (n, process) in processes.iter().enumerate() {
        assert_eq!(get_token(process), format!("t{}", n + 1));
    }
    assert_eq!(fixture.request_count(), processes.len());
    assert_eq!(fixture.store.entries.lock().unwrap().len(), processes.len());
}

#[test]
fn signer_identity_equals_the_hash_that_openssl_computes() {
    // openssl pkey -in key.pem -pubout -outform DER | sha256sum, with the key of RFC 7515 §A.2
    let rsa = support::sample::rsa().identity().unwrap();
    assert_eq!(
        hex(&rsa),
        "6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c"
    );
    // echo -n "jwt-bearer: identity of this secret" | openssl dgst -sha256 -hmac secret
    let hmac = HmacKey::new("secret").unwrap().identity().unwrap();
    assert_eq!(
        hex(&hmac),
        "466edf74264444567eb53730f066fa712437eebf83cc7db32b7b14f32964d35a"
    );
    let shared: Arc<dyn Signer> = Arc::new(HmacKey::new("secret").unwrap());
    assert_eq!(shared.identity(), Some(hmac));
    let boxed: Box<dyn Signer> = Box::new(shared);
    assert_eq!(boxed.identity(), Some(hmac));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn with_store_refuses_a_signer_without_identity() {
    struct SignerWithoutIdentity;
    impl Signer for SignerWithoutIdentity {
        fn algorithm(&self) -> Algorithm {
            Algorithm::Es256
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
            Ok(vec![7; 64])
        }
    }
    let server = |_: &Request, _: Duration| Ok(Response::new(200, TOKEN));
    let source = TokenSource::with_transport(server, client(), SignerWithoutIdentity).unwrap();
    let store = Store::default();
    let error = source.with_store(store.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "a token store needs a signer that says which key it is: implement Signer::identity"
    );
    assert_eq!(store.calls(), [""; 0]);
}

// ---- which stored tokens are accepted ----

#[test]
fn stored_token_that_is_foreign_endless_or_expired_is_ignored_and_replaced() {
    let other = Fixture::new();
    get_token(&other.process_with(grant().with_subject("mallory"), hmac()));
    let others = other.store.only_entry();
    let changed = |n: usize, part: Value| {
        move |entry: &[u8]| {
            let mut parts: Value = serde_json::from_slice(entry).unwrap();
            parts[n] = part.clone();
            parts.to_string().into_bytes()
        }
    };
    let expired = (NOW - 300) * 1000;
    type Change = Box<dyn Fn(&[u8]) -> Vec<u8>>;
    let rows: [(&str, Change); 7] = [
        ("of another identity", Box::new(move |_| others.clone())),
        (
            "longer than any",
            Box::new(changed(6, (32 * 24 * 3600 * 1000_u64).into())),
        ),
        ("expired", Box::new(changed(5, expired.into()))),
        (
            "forging a header",
            Box::new(changed(2, "t\r\nX-Admin: 1".into())),
        ),
        (
            "cut off",
            Box::new(|entry| entry[..entry.len() / 2].to_vec()),
        ),
        ("nothing", Box::new(|_| Vec::new())),
        ("huge", Box::new(|_| vec![b'['; 10 << 20])),
    ];
    for (what, change) in rows {
        let fixture = Fixture::new();
        get_token(&fixture.process());
        fixture
            .store
            .overwrite(&change(&fixture.store.only_entry()));
        assert_eq!(get_token(&fixture.process()), "t2", "{what}");
        assert_eq!(
            get_token(&fixture.process()),
            "t2",
            "{what}: the stored token was replaced"
        );
        assert_eq!(fixture.request_count(), 2, "{what}");
    }
}

/// The clock of the machine that saved it may be ahead of ours.
#[test]
fn stored_token_from_the_future_has_the_same_end_at_each_load() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    let mut parts: Value = serde_json::from_slice(&fixture.store.only_entry()).unwrap();
    parts[5] = ((NOW + 50) * 1000).into();
    parts[6] = 60_000.into();
    fixture.store.overwrite(parts.to_string().as_bytes());
    let process = fixture.process();
    let token = process.token().unwrap();
    assert_eq!(token.secret(), "t1");
    fixture.clock.advance(secs(45));
    fixture.store.lock_all(); // so that nobody replaces it
    *fixture.silent.lock().unwrap() = true;
    let same = process.token().unwrap();
    assert_eq!(same.secret(), "t1");
    assert_eq!(same.expires_at(), token.expires_at());
    fixture.clock.advance(secs(15));
    assert_eq!(process.status().state, TokenState::Expired);
    assert_eq!(
        fixture.process().token().unwrap().expires_at(),
        token.expires_at()
    );
}

/// Whoever can write to the store can make it slow to read, but not as slow as an exchange.
#[test]
fn stored_token_with_very_many_members_is_read_quickly() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    let mut parts: Value = serde_json::from_slice(&fixture.store.only_entry()).unwrap();
    let members = (0..80_000)
        .rev()
        .map(|n| serde_json::json!([format!("{n:05}"), 0]));
    parts[4] = members.collect();
    fixture.store.overwrite(parts.to_string().as_bytes());
    let begun = Instant::now();
    assert_eq!(get_token(&fixture.process()), "t1");
    // Quadratic time took 7 seconds with optimisation.
    assert!(begun.elapsed() < secs(5), "{:?}", begun.elapsed());
}

#[test]
fn short_token_from_the_store_keeps_its_lifetime() {
    let fixture = Fixture::new();
    fixture.respond_with(200, r#"{"access_token":"short","expires_in":4}"#);
    get_token(&fixture.process());
    fixture.clock.advance(Duration::from_millis(2500));
    let process = fixture.process();
    get_token(&process);
    assert_eq!(fixture.request_count(), 1);
    fixture.clock.advance(Duration::from_millis(1500));
    assert_eq!(process.status().state, TokenState::Expired);
}

#[test]
fn invalidate_removes_the_stored_token_but_keeps_a_newer_one() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.process(), fixture.process());
    let (old, same) = (one.token().unwrap(), other.token().unwrap());
    assert_eq!(fixture.request_count(), 1);
    one.invalidate(&old);
    assert!(fixture.store.is_empty());
    assert_eq!(get_token(&one), "t2");
    other.invalidate(&same); // the other process sees its 401 later
    assert_eq!(get_token(&other), "t2");
    assert_eq!(fixture.request_count(), 2);
}

#[test]
fn invalidated_token_is_not_accepted_from_the_store_again() {
    let changes: [fn(&mut Store); 2] = [
        |store| store.ignores_remove = true,
        |store| store.faulty_call = "remove",
    ];
    for change in changes {
        let fixture = Fixture::new().with_store(|store, _| change(store));
        let process = fixture.process();
        process.invalidate(&process.token().unwrap());
        assert!(!fixture.store.is_empty());
        assert_eq!(get_token(&process), "t2");
        assert_eq!(
            get_token(&fixture.process()),
            "t2",
            "the new token replaced it"
        );
    }
}

#[test]
fn expired_token_is_not_revived_from_the_store_by_a_clock_set_back() {
    let fixture = Fixture::new();
    let process = fixture.process();
    get_token(&process);
    fixture.clock.advance(secs(200));
    fixture.clock.set(now());
    fixture.clock.advance(secs(150)); // 350 s old; by the wall clock it is 150 s old
    assert_eq!(process.status().state, TokenState::Expired);
    assert_eq!(get_token(&process), "t2");
}

#[test]
fn token_loaded_again_is_the_same_cached_token() {
    // Jitter decides whether the token is refreshable here. In both cases the stored token is the cached one.
    for _ in 0..20 {
        let fixture = Fixture::new();
        let process = fixture.process();
        let token = process.token().unwrap();
        fixture.clock.advance(secs(225));
        fixture.respond_with(503, "");
        assert_eq!(get_token(&process), "t1");
        *fixture.response.lock().unwrap() = None;
        process.invalidate(&token);
        fixture.clock.advance(secs(60)); // past the failure TTL
        assert_eq!(get_token(&process), format!("t{}", fixture.request_count()));
        assert_ne!(get_token(&process), "t1");
    }
}

#[test]
fn token_invalidated_during_a_fetch_is_not_cached_again() {
    let fixture = Fixture::new();
    let first = fixture.process().token().unwrap();
    fixture.clock.advance(secs(250));
    type Invalidation = Mutex<Option<(Arc<TokenSource>, AccessToken)>>;
    let invalidation: Arc<Invalidation> = Arc::default();
    let during_fetch = invalidation.clone();
    let server = move |_: &Request, _: Duration| -> io::Result<Response> {
        if let Some((source, token)) = during_fetch.lock().unwrap().take() {
            source.invalidate(&token); // another thread received a 401
        }
        Ok(Response::new(503, ""))
    };
    let process = TokenSource::with_transport(server, client(), hmac()).unwrap();
    let process = process
        .with_clock(fixture.clock.clone())
        .with_store(fixture.store.clone())
        .unwrap();
    let process = Arc::new(process);
    *invalidation.lock().unwrap() = Some((process.clone(), first));
    let error = process.token().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn call_after_a_401_fetches_once_for_all_processes() {
    let fixture = Fixture::new();
    let processes: Vec<_> = (0..10).map(|_| fixture.process()).collect();
    processes
        .iter()
        .for_each(|process| drop(get_token(process)));
    fixture.clock.advance(secs(60)); // the server ended the sessions of the user
    for process in &processes {
        let api = |token: &AccessToken| if token.secret() == "t1" { 401_u16 } else { 200 };
        assert_eq!(process.call(api, |status| *status == 401).unwrap(), 200);
    }
    assert_eq!(fixture.request_count(), 2);
}

#[test]
fn clear_removes_the_stored_token() {
    let fixture = Fixture::new();
    let process = fixture.process();
    assert!(!process.clear());
    get_token(&process);
    assert!(fixture.process().clear(), "another process's token");
    assert!(fixture.store.is_empty());
    assert!(process.clear(), "the cached token");
    assert!(!process.clear());
    assert_eq!(get_token(&process), "t2");
}

/// The source is cleared when a fetch has begun to save its token, and the store does not have it yet.
#[test]
fn clear_during_save_leaves_no_token_in_the_store() {
    #[derive(Clone, Default)]
    struct ClearsFirst(Store, Arc<OnceLock<TokenSource>>);
    impl TokenStore for ClearsFirst {
        fn load(&self, name: &str, time: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            self.0.load(name, time)
        }
        fn save(&self, name: &str, b: &[u8], l: Duration, t: Duration) -> Result<(), BoxError> {
            self.1.get().unwrap().clear();
            self.0.save(name, b, l, t)
        }
        fn remove(&self, name: &str, bytes: &[u8], time: Duration) -> Result<(), BoxError> {
            self.0.remove(name, bytes, time)
        }
    }
    for call in [TokenSource::token, TokenSource::refresh] {
        let (fixture, store) = (Fixture::new(), ClearsFirst::default());
        let process = fixture.process().with_store(store.clone()).unwrap();
        assert!(store.1.set(process).is_ok());
        let process = store.1.get().unwrap();
        assert_eq!(call(process).unwrap().secret(), "t1");
        assert!(store.0.is_empty());
        assert_eq!(process.status().state, TokenState::Empty);
    }
}

#[test]
fn refresh_replaces_the_stored_token() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.process(), fixture.process());
    assert_eq!(get_token(&one), "t1");
    assert_eq!(one.refresh().unwrap().secret(), "t2");
    assert_eq!(get_token(&other), "t2");
    assert_eq!(other.refresh().unwrap().secret(), "t3");
    assert_eq!(get_token(&fixture.process()), "t3");
    assert_eq!(fixture.request_count(), 3);
}

#[test]
fn token_of_another_process_ends_the_last_error() {
    let fixture = Fixture::new();
    let process = fixture.process();
    fixture.respond_with(503, "");
    process.token().unwrap_err();
    assert!(process.status().last_error.is_some());
    fixture.respond_with(200, r#"{"access_token":"t","expires_in":300}"#);
    get_token(&fixture.process());
    fixture.clock.advance(secs(60));
    assert_eq!(get_token(&process), "t");
    assert!(process.status().last_error.is_none());
}

#[test]
fn stored_token_that_expires_too_soon_is_replaced() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    let wanted = |lifetime| {
        let token = fixture.process().token_with_lifetime(secs(lifetime));
        token.unwrap().secret().to_owned()
    };
    fixture.clock.advance(secs(100));
    assert_eq!(wanted(200), "t1");
    assert_eq!(wanted(201), "t2");
    assert_eq!(wanted(300), "t2");
    assert_eq!(
        wanted(301),
        "t3",
        "the server of another process may grant more now"
    );
}

#[test]
fn token_store_in_an_arc_forwards_every_call() {
    let store = Store::default();
    let boxed: Box<dyn TokenStore> = Box::new(Arc::new(store.clone()));
    boxed.save("name", b"token", secs(60), secs(1)).unwrap();
    let loaded = boxed.load("name", secs(1)).unwrap();
    assert_eq!(loaded.as_deref(), Some(&b"token"[..]));
    let lock = boxed.try_lock("name", secs(1)).unwrap();
    assert!(lock.is_some());
    assert!(boxed.try_lock("name", secs(1)).unwrap().is_none());
    drop(lock);
    boxed.remove("name", b"token", secs(1)).unwrap();
    assert!(store.is_empty());
}

#[test]
fn stored_token_that_expires_later_wins_even_if_issued_earlier() {
    let fixture = Fixture::new();
    let process = fixture.process();
    get_token(&process);
    fixture.clock.advance(secs(250));
    let mut parts: Value = serde_json::from_slice(&fixture.store.only_entry()).unwrap();
    parts[2] = "elsewhere".into();
    parts[5] = ((NOW - 10) * 1000).into();
    parts[6] = 3_600_000.into();
    fixture.store.overwrite(parts.to_string().as_bytes());
    assert_eq!(get_token(&process), "elsewhere");
    assert_eq!(fixture.request_count(), 1);
}

// ---- the log ----

/// Runs `run` with the lines that this thread logs.
fn logged(run: impl FnOnce(&Arc<Mutex<Vec<String>>>)) {
    thread_local! {
        static LINES: Arc<Mutex<Vec<String>>> = Arc::default();
    }
    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            LINES.with(|lines| lines.lock().unwrap().push(record.args().to_string()));
        }
        fn flush(&self) {}
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let lines = LINES.with(Arc::clone);
    lines.lock().unwrap().clear();
    run(&lines);
}

#[test]
fn lock_wait_is_logged_once() {
    let fixture = Fixture::new();
    get_token(&fixture.process());
    fixture.store.lock_all(); // and never releases it
    fixture.store.entries.lock().unwrap().clear();
    logged(|lines| {
        assert_eq!(get_token(&fixture.process()), "t2");
        let lines = lines.lock().unwrap();
        let waits = lines
            .iter()
            .filter(|line| line.contains("another process fetches"));
        assert_eq!(waits.count(), 1, "{lines:?}");
    });
}

#[test]
fn stored_token_that_cannot_be_used_is_logged_once_during_a_lock_wait() {
    for (fault, text) in [("", "what it holds is ignored"), ("load", "load failed")] {
        let mut fixture = Fixture::new();
        get_token(&fixture.process());
        fixture.store.overwrite(b"something else");
        fixture.store.lock_all(); // and never releases it
        fixture.store.faulty_call = fault;
        logged(|lines| {
            assert_eq!(get_token(&fixture.process()), "t2");
            let loads = fixture.store.calls().into_iter();
            assert!(loads.filter(|call| *call == "load").count() > 50);
            let lines = lines.lock().unwrap();
            let logged = lines.iter().filter(|line| line.contains(text));
            assert_eq!(logged.count(), 1, "{lines:?}");
        });
    }
}
