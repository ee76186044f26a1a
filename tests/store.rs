//! One token for many processes: what a source asks of a store, and what it makes of the answers.
//!
//! A process is a source here, and time a [`ManualClock`]; real processes are in `file_store.rs`, `redis_store.rs`
//! and `cli.rs`. Row 18 of what goes wrong in other clients is here by name.

mod support;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use jwt_bearer::{
    AccessToken, Algorithm, Audience, BoxError, Clock as _, Endpoint, ErrorKind, HmacKey,
    ManualClock, Profile, Request, Response, Signer, StoreLock, TokenSource, TokenState,
    TokenStore,
};
use serde_json::Value;

use support::sample::{NOW, at, client, client_at, grant, hmac, now};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

type Kept = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A store in memory, and what goes wrong with it.
#[derive(Clone, Default)]
struct Store {
    kept: Kept,
    calls: Arc<Mutex<Vec<&'static str>>>,
    /// Names that a process holds the lock of.
    locked: Arc<Mutex<Vec<String>>>,
    /// A lock was given back.
    unlocked: Arc<AtomicBool>,
    /// This call, or all, goes wrong: it fails,
    wrong: &'static str,
    /// or does this.
    how: Option<fn()>,
    /// Does nothing to remove.
    keeps: bool,
}

impl Store {
    fn call(&self, what: &'static str) -> Result<(), BoxError> {
        self.calls.lock().unwrap().push(what);
        if self.wrong == what || self.wrong == "all" {
            if let Some(how) = self.how {
                how();
            }
            return Err("out of order".into());
        }
        Ok(())
    }
    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
    /// The one thing that is kept.
    #[track_caller]
    fn only(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap();
        assert_eq!(kept.len(), 1);
        kept.values().next().unwrap().clone()
    }
    /// In place of all that is kept.
    fn plant(&self, bytes: &[u8]) {
        for kept in self.kept.lock().unwrap().values_mut() {
            *kept = bytes.to_vec();
        }
    }
    /// Somebody else fetches what is kept.
    fn is_locked_by_another(&self) {
        let kept = self.kept.lock().unwrap();
        self.locked.lock().unwrap().extend(kept.keys().cloned());
    }
    fn is_empty(&self) -> bool {
        self.kept.lock().unwrap().is_empty()
    }
}

impl TokenStore for Store {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        self.call("load")?;
        Ok(self.kept.lock().unwrap().get(name).cloned())
    }
    fn save(&self, name: &str, bytes: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
        self.call("save")?;
        let mut kept = self.kept.lock().unwrap();
        kept.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn remove(&self, name: &str, bytes: &[u8], _: Duration) -> Result<(), BoxError> {
        self.call("remove")?;
        let mut kept = self.kept.lock().unwrap();
        if kept.get(name).is_some_and(|kept| kept == bytes) && !self.keeps {
            kept.remove(name);
        }
        Ok(())
    }
    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.call("lock")?;
        let mut locked = self.locked.lock().unwrap();
        if locked.iter().any(|other| other == name) {
            return Ok(None);
        }
        locked.push(name.to_owned());
        Ok(Some(Box::new(Unlock(self.clone(), name.to_owned()))))
    }
}

struct Unlock(Store, String);
impl Drop for Unlock {
    fn drop(&mut self) {
        let _ = self.0.call("unlock"); // or it would hang, or panic
        self.0.locked.lock().unwrap().retain(|name| *name != self.1);
        self.0.unlocked.store(true, SeqCst);
    }
}

/// The server that all processes ask, and the time.
#[derive(Clone)]
struct World {
    clock: Arc<ManualClock>,
    requests: Arc<AtomicUsize>,
    /// What it answers in place of a token.
    says: Arc<Mutex<Option<Response>>>,
    /// It answers nothing, and the clock goes on.
    silent: Arc<Mutex<bool>>,
    store: Store,
}

impl World {
    fn new() -> Self {
        Self {
            clock: Arc::new(ManualClock::new(now())),
            requests: Arc::default(),
            says: Arc::default(),
            silent: Arc::default(),
            store: Store::default(),
        }
    }
    fn with(mut self, change: impl FnOnce(&mut Store, &Arc<ManualClock>)) -> Self {
        change(&mut self.store, &self.clock);
        self
    }
    fn process(&self) -> TokenSource {
        self.process_of(client(), hmac())
    }
    fn process_of(&self, profile: Profile, key: impl Signer + 'static) -> TokenSource {
        let (requests, says) = (self.requests.clone(), self.says.clone());
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
            let said = says.lock().unwrap().clone();
            Ok(said.unwrap_or_else(|| Response::new(200, body)))
        };
        let source = TokenSource::with_transport(server, profile, key).unwrap();
        source
            .with_clock(self.clock.clone())
            .with_store(self.store.clone())
            .unwrap()
    }
    fn says(&self, status: u16, body: &str) {
        *self.says.lock().unwrap() = Some(Response::new(status, body));
    }
    fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
    fn time(&self) -> Duration {
        self.clock.now().duration_since(now()).unwrap()
    }
}

#[track_caller]
fn get(source: &TokenSource) -> String {
    source.token().unwrap().secret().to_owned()
}

// 1. Asked before an exchange, told after one

#[test]
fn what_one_process_fetched_all_the_others_take() {
    let world = World::new();
    let first = world.process().token().unwrap();
    assert_eq!(
        world.store.calls(),
        ["load", "lock", "load", "save", "unlock"]
    );
    world.clock.advance(s(100));
    for _ in 0..100 {
        let other = world.process().token().unwrap();
        assert_eq!(world.store.calls(), ["load"]);
        assert_eq!(other.secret(), "t1");
        assert_eq!(other.expires_at(), first.expires_at());
        assert_eq!(other.expires_at(), at(NOW + 300));
        assert_eq!(other.scope(), Some("granted"));
        assert_eq!(other.get("id"), Some("https://id/1"));
    }
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_fresh_token_is_served_without_a_look_at_the_store() {
    let world = World::new();
    let process = world.process();
    get(&process);
    world.store.calls();
    for _ in 0..10 {
        assert_eq!(get(&process), "t1");
    }
    assert_eq!(world.store.calls(), [""; 0]);
}

#[test]
fn who_renews_a_due_token_looks_for_another_process_first() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    assert_eq!((get(&one), get(&other)), ("t1".into(), "t1".into()));
    world.clock.advance(s(250));
    assert_eq!(one.status().state, TokenState::Refreshable);
    assert_eq!(get(&one), "t2");
    assert_eq!(other.status().state, TokenState::Refreshable);
    assert_eq!(get(&other), "t2");
    assert_eq!(other.status().state, TokenState::Fresh);
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_loaded_token_is_as_old_as_the_wall_clock_says_and_ages_by_both() {
    let world = World::new();
    get(&world.process());
    world.clock.advance(s(200));
    let process = world.process();
    assert_eq!(get(&process), "t1");
    assert_eq!(process.status().age, Some(s(200)));
    world.clock.set(now()); // set back: the monotonic clock goes on
    world.clock.advance(s(99));
    assert_eq!(process.status().age, Some(s(299)));
    assert_eq!(process.status().state, TokenState::Refreshable);
    world.clock.advance(s(1));
    assert_eq!(process.status().state, TokenState::Expired);
}

#[test]
fn a_due_token_from_the_store_is_good_enough_where_the_server_is_not() {
    let world = World::new();
    get(&world.process());
    world.clock.advance(s(250));
    world.says(503, "");
    let process = world.process();
    assert_eq!(get(&process), "t1");
    assert_eq!(world.requests(), 2, "one attempt");
    for _ in 0..10 {
        assert_eq!(get(&process), "t1");
    }
    assert_eq!(world.requests(), 2, "the failure is remembered");
    assert_eq!(
        process.status().last_error.unwrap().kind(),
        ErrorKind::Unavailable
    );
    world.clock.advance(s(50));
    assert_eq!(process.token().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn an_exchange_of_ones_own_passes_the_store_by() {
    let world = World::new();
    assert_eq!(world.process().fetch_uncached().unwrap().secret(), "t1");
    assert_eq!(world.store.calls(), [""; 0]);
}

#[test]
fn failures_keys_and_assertions_are_not_stored() {
    let world = World::new();
    world.says(400, r#"{"error":"invalid_grant"}"#);
    let process = world.process();
    assert_eq!(process.token().unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(world.store.calls(), ["load", "lock", "load", "unlock"]);
    assert!(world.store.is_empty());

    *world.says.lock().unwrap() = None;
    let secrets = client()
        .with_parameter("client_secret", "hunter2-hunter2-hunter2")
        .with_claim("pin", "claim-of-a-secret-kind");
    get(&world.process_of(secrets, hmac()));
    let text = String::from_utf8(world.store.only()).unwrap();
    assert!(text.contains("\"t2\""), "{text}");
    for secret in ["eyJ", "hunter2", "claim-of-a", "a secret of at least"] {
        assert!(!text.contains(secret), "{text}");
    }
    let kept = world.store.kept.lock().unwrap();
    let name = kept.keys().next().unwrap();
    assert!(
        name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()),
        "{name}"
    );
}

// 1. Never in the way

#[test]
fn a_store_that_fails_never_fails_the_caller() {
    logged(|log| {
        for what in ["load", "lock", "save", "all"] {
            let world = World::new().with(|store, _| store.wrong = what);
            let process = world.process();
            assert_eq!(get(&process), "t1", "{what}");
            process.invalidate(&process.token().unwrap());
            assert_eq!(get(&process), "t2", "{what}");
            assert_eq!(world.requests(), 2);
            let said = log.lock().unwrap().join("\n");
            let what = if what == "all" { "load" } else { what };
            assert!(
                said.contains(&format!("token store: {what} failed: out of order")),
                "{said}"
            );
            log.lock().unwrap().clear();
        }
    });
}

fn hangs() {
    loop {
        std::thread::park();
    }
}

#[test]
fn a_store_that_hangs_for_good_costs_a_little_time_and_never_the_token() {
    logged(|log| {
        for what in ["load", "lock", "save", "unlock", "remove", "all"] {
            let world = World::new().with(|store, _| {
                store.wrong = what;
                store.how = Some(hangs);
            });
            let process = world.process().with_timeout(s(1));
            let begun = Instant::now();
            let first = process.token().unwrap();
            assert_eq!(first.secret(), "t1", "{what}");
            assert!(begun.elapsed() < s(1), "{what}: {:?}", begun.elapsed());
            process.invalidate(&first);
            assert_eq!(get(&process), "t2", "{what}");
            let said = log.lock().unwrap().join("\n");
            let what = if what == "all" { "load" } else { what };
            let told = said.contains(&format!("token store: {what} failed: it takes too long"));
            assert!(told || what == "unlock", "{said}"); // nobody waits for what that says
            log.lock().unwrap().clear();
        }
    });
}

#[test]
fn those_who_wait_for_a_caller_whom_the_store_holds_up_get_their_token_in_time() {
    for what in ["load", "lock", "save", "unlock"] {
        let store = Store {
            wrong: what,
            how: Some(hangs),
            ..Store::default()
        };
        let server = |_: &Request, _: Duration| Ok(Response::new(200, TOKEN));
        let source = TokenSource::with_transport(server, client(), hmac()).unwrap();
        let source = source.with_timeout(s(2)).with_store(store).unwrap();
        std::thread::scope(|callers| {
            let all: Vec<_> = (0..8).map(|_| callers.spawn(|| get(&source))).collect();
            for caller in all {
                assert_eq!(caller.join().unwrap(), "t", "{what}");
            }
        });
    }
}
const TOKEN: &str = r#"{"access_token":"t","expires_in":300}"#;

#[test]
fn a_store_that_hangs_gathers_no_more_than_so_many_threads() {
    let world = World::new().with(|store, _| {
        store.wrong = "all";
        store.how = Some(hangs);
    });
    let process = world.process().with_timeout(Duration::from_millis(40));
    for n in 1..=20 {
        assert_eq!(get(&process), format!("t{n}"));
        world.clock.advance(s(300));
    }
    // The last thread may still be on its way to the store.
    let (begin, mut calls) = (Instant::now(), world.store.calls().len());
    while calls < 8 && begin.elapsed() < s(5) {
        std::thread::yield_now();
        calls += world.store.calls().len();
    }
    assert_eq!(calls, 8);
}

#[test]
fn a_store_that_panics_never_fails_the_caller() {
    for what in ["load", "lock", "save", "unlock", "remove", "all"] {
        let world = World::new().with(|store, _| {
            store.wrong = what;
            store.how = Some(|| panic!("this store's own"));
        });
        let process = world.process();
        process.invalidate(&process.token().unwrap());
        assert_eq!(get(&process), "t2", "{what}");
    }
}

/// Takes three times the time that it has, for one call.
#[derive(Clone)]
struct Slow(Store, &'static str);
impl Slow {
    fn pass(&self, what: &str, time: Duration) -> &Store {
        if what == self.1 {
            std::thread::sleep(time * 3);
        }
        &self.0
    }
    #[track_caller]
    fn is_given_back(&self) {
        let begin = Instant::now();
        while !self.0.unlocked.load(SeqCst) {
            assert!(begin.elapsed() < s(20), "the lock was never given back");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
impl TokenStore for Slow {
    fn load(&self, name: &str, time: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        self.pass("load", time).load(name, time)
    }
    fn save(&self, name: &str, b: &[u8], l: Duration, time: Duration) -> Result<(), BoxError> {
        self.pass("save", time).save(name, b, l, time)
    }
    fn remove(&self, name: &str, bytes: &[u8], time: Duration) -> Result<(), BoxError> {
        self.pass("remove", time).remove(name, bytes, time)
    }
    fn try_lock(&self, name: &str, time: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.pass("lock", time).try_lock(name, time)
    }
}

#[test]
fn a_store_that_panics_twice_does_not_end_the_process() {
    #[derive(Default)]
    struct Poisoned(Arc<Mutex<()>>);
    struct Locked(Arc<Mutex<()>>);
    impl Drop for Locked {
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
            panic!("this store's own");
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
        fn try_lock(&self, _: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
            Ok(Some(Box::new(Locked(self.0.clone()))))
        }
    }
    let world = World::new();
    let process = world.process().with_store(Poisoned::default()).unwrap();
    assert_eq!(get(&process), "t1");
}

#[test]
fn what_comes_too_late_still_counts_and_the_lock_is_given_back_after_it() {
    for what in ["load", "lock", "save"] {
        let (world, slow) = (World::new(), Slow(Store::default(), what));
        let process = world
            .process()
            .with_timeout(s(1))
            .with_store(slow.clone())
            .unwrap();
        assert_eq!(get(&process), "t1", "{what}");
        slow.is_given_back();
        assert!(slow.0.locked.lock().unwrap().is_empty());
        assert_eq!(slow.0.calls().last(), Some(&"unlock"), "{what}");
        let kept = String::from_utf8(slow.0.only()).unwrap();
        assert!(kept.contains("\"t1\""), "{what}");
    }
}

#[test]
fn a_call_that_was_slow_takes_no_time_from_those_after_it() {
    logged(|log| {
        let (world, slow) = (World::new(), Slow(Store::default(), "load"));
        let (server, source_clock) = (slow.clone(), world.clock.clone());
        let transport = move |_: &Request, _: Duration| {
            // Meanwhile the store has caught up.
            while !server.0.calls.lock().unwrap().contains(&"lock") {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(50));
            Ok(Response::new(200, TOKEN))
        };
        let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
        let source = source.with_clock(source_clock).with_timeout(s(8));
        get(&source.with_store(slow.clone()).unwrap());
        assert_eq!(slow.0.calls().last(), Some(&"unlock"), "it was waited for");
        let said = log.lock().unwrap().join("\n");
        assert!(!said.contains("save failed"), "{said}");
    });
}

#[test]
fn behind_a_call_that_hangs_there_is_no_waiting() {
    let world = World::new().with(|store, _| {
        store.wrong = "all";
        store.how = Some(hangs);
    });
    let process = world.process().with_timeout(s(16)); // a second for each call
    let begin = Instant::now();
    assert_eq!(get(&process), "t1");
    let took = begin.elapsed();
    assert!(s(1) <= took && took < s(3), "{took:?}");
}

#[test]
fn a_lock_that_hangs_here_is_not_waited_for() {
    let world = World::new().with(|store, _| {
        store.wrong = "save";
        store.how = Some(hangs);
    });
    let process = world.process();
    for n in 1..=4 {
        assert_eq!(get(&process), format!("t{n}"));
        assert_eq!(world.time(), s(300 * (n - 1)), "nobody slept");
        world.clock.advance(s(300));
    }
}

#[test]
fn a_token_that_a_server_hands_out_twice_is_removed_twice() {
    let world = World::new();
    world.says(200, TOKEN);
    let process = world.process();
    for _ in 0..2 {
        process.invalidate(&process.token().unwrap());
        assert!(world.store.is_empty());
    }
}

#[test]
fn a_401_that_many_callers_saw_is_told_to_the_store_once() {
    let world = World::new();
    let process = world.process();
    let token = process.token().unwrap();
    world.store.calls();
    std::thread::scope(|callers| {
        for _ in 0..32 {
            callers.spawn(|| process.invalidate(&token));
        }
    });
    assert_eq!(world.store.calls(), ["load", "remove"]);
    assert_eq!(get(&process), "t2");
}

#[test]
fn a_store_is_given_a_second_at_most_and_a_caller_in_a_hurry_gives_less() {
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
    let (world, store) = (World::new(), Timed::default());
    let process = world.process().with_store(store.clone()).unwrap();
    process.invalidate(&process.token().unwrap());
    let hurried = world
        .process()
        .with_store(store.clone())
        .unwrap()
        .with_timeout(s(4));
    hurried.token().unwrap();
    let times = std::mem::take(&mut *store.0.lock().unwrap());
    let ms = Duration::from_millis;
    assert_eq!(times, [s(1), s(1), s(1), s(1), ms(500), ms(500), ms(500)]);
}

#[test]
fn another_process_is_waited_for_and_its_token_taken() {
    let world = World::new();
    let locked = world.store.clone();
    get(&world.process()); // so that there is something to put back
    let bytes = locked.only();
    let name = locked.kept.lock().unwrap().keys().next().unwrap().clone();
    locked.is_locked_by_another();
    locked.kept.lock().unwrap().clear();

    // The other one is done at the fifth look.
    let looks = Arc::new(AtomicUsize::new(0));
    struct Later(Store, Arc<AtomicUsize>, String, Vec<u8>);
    impl TokenStore for Later {
        fn load(&self, name: &str, time: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            if self.1.fetch_add(1, SeqCst) == 5 {
                self.0
                    .kept
                    .lock()
                    .unwrap()
                    .insert(self.2.clone(), self.3.clone());
            }
            self.0.load(name, time)
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
    let process = world
        .process()
        .with_store(Later(locked, looks.clone(), name, bytes))
        .unwrap();
    assert_eq!(get(&process), "t1");
    assert_eq!((world.requests(), looks.load(SeqCst)), (1, 6));
    assert_eq!(world.time(), Duration::from_millis(10 + 20 + 40 + 80 + 160));
}

#[test]
fn waiting_for_a_lock_ends_in_time_for_an_exchange_without_it() {
    for (timeout, waited) in [(30, 20), (60, 50), (15, 7), (4, 2)] {
        let world = World::new();
        get(&world.process());
        world.store.is_locked_by_another(); // who never comes back
        world.store.kept.lock().unwrap().clear();
        let process = world.process().with_timeout(s(timeout));
        assert_eq!(get(&process), "t2");
        assert_eq!(world.time().as_secs(), waited);
        assert_eq!(get(&world.process()), "t2", "it is kept all the same");
    }
}

#[test]
fn a_due_token_waits_for_a_lock_no_longer_than_an_attempt_and_not_to_its_end() {
    let world = World::new();
    let process = world.process();
    get(&process);
    world.clock.advance(s(250));
    world.store.is_locked_by_another();
    assert_eq!(get(&process), "t2");
    assert_eq!(world.time(), s(260));

    let world = World::new();
    let process = world.process();
    get(&process);
    world.clock.advance(s(290));
    world.store.is_locked_by_another();
    assert_eq!(get(&process), "t2");
    assert_eq!(world.time(), s(295));
}

#[test]
fn a_due_token_outlives_a_lock_that_is_taken_and_a_server_that_is_silent() {
    let world = World::new();
    let process = world.process();
    get(&process);
    world.store.is_locked_by_another();
    world.clock.advance(s(290));
    *world.silent.lock().unwrap() = true;
    assert_eq!(get(&process), "t1");
    assert!(world.time() < s(300));
}

// 2. Identity

#[test]
fn row_18_two_subjects_scopes_audiences_or_keys_never_share_a_token() {
    let world = World::new();
    let other_key = || HmacKey::new("another secret of thirty-two bytes").unwrap();
    let other = "https://other.example.com";
    let processes = [
        world.process_of(client(), hmac()),
        world.process_of(grant(), hmac()),
        world.process_of(grant().with_subject("alice"), hmac()),
        world.process_of(grant().with_subject("bob"), hmac()),
        world.process_of(client().with_scope("read"), hmac()),
        world.process_of(client().with_scope("read write"), hmac()),
        world.process_of(
            client().with_audience(Audience::Fixed(other.into())),
            hmac(),
        ),
        world.process_of(client_at(Endpoint::token(other).unwrap()), hmac()),
        world.process_of(client(), other_key()),
        world.process_of(client(), hmac().with_key_id("k2")),
        world.process_of(client(), support::sample::rsa()),
    ];
    for (n, process) in processes.iter().enumerate() {
        assert_eq!(get(process), format!("t{}", n + 1));
    }
    assert_eq!(world.requests(), processes.len());
    assert_eq!(world.store.kept.lock().unwrap().len(), processes.len());
}

#[test]
fn the_key_is_known_by_its_public_half_as_others_compute_it() {
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
fn nothing_is_stored_for_a_signer_that_does_not_say_who_it_is() {
    struct Foreign;
    impl Signer for Foreign {
        fn algorithm(&self) -> Algorithm {
            Algorithm::Es256
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
            Ok(vec![7; 64])
        }
    }
    logged(|log| {
        let world = World::new();
        assert_eq!(get(&world.process_of(client(), Foreign)), "t1");
        assert_eq!(get(&world.process_of(client(), Foreign)), "t2");
        assert_eq!(world.store.calls(), [""; 0]);
        let said = log.lock().unwrap().join("\n");
        assert!(
            said.contains("token store: not used, since the signer has no identity"),
            "{said}"
        );
    });
}

// 3. Checked as a response is

#[test]
fn a_token_that_is_planted_endless_or_expired_is_passed_over_and_replaced() {
    let other = World::new();
    get(&other.process_of(grant().with_subject("mallory"), hmac()));
    let others = other.store.only();
    let changed = |n: usize, part: Value| {
        move |kept: &[u8]| {
            let mut parts: Value = serde_json::from_slice(kept).unwrap();
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
        ("cut off", Box::new(|kept| kept[..kept.len() / 2].to_vec())),
        ("nothing", Box::new(|_| Vec::new())),
        ("huge", Box::new(|_| vec![b'['; 10 << 20])),
    ];
    for (what, change) in rows {
        let world = World::new();
        get(&world.process());
        world.store.plant(&change(&world.store.only()));
        assert_eq!(get(&world.process()), "t2", "{what}");
        assert_eq!(get(&world.process()), "t2", "{what}: replaced");
        assert_eq!(world.requests(), 2, "{what}");
    }
}

#[test]
fn a_short_token_is_not_held_longer_for_having_been_stored() {
    let world = World::new();
    world.says(200, r#"{"access_token":"short","expires_in":4}"#);
    get(&world.process());
    world.clock.advance(Duration::from_millis(2500));
    let process = world.process();
    get(&process);
    assert_eq!(world.requests(), 1);
    world.clock.advance(Duration::from_millis(1500));
    assert_eq!(process.status().state, TokenState::Expired);
}

#[test]
fn an_invalidated_token_leaves_the_store_and_a_newer_one_stays() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let (old, same) = (one.token().unwrap(), other.token().unwrap());
    assert_eq!(world.requests(), 1);
    one.invalidate(&old);
    assert!(world.store.is_empty());
    assert_eq!(get(&one), "t2");
    other.invalidate(&same); // the other process saw its 401 later
    assert_eq!(get(&other), "t2");
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_store_that_brings_an_invalidated_token_back_is_refused() {
    let changes: [fn(&mut Store); 2] = [|store| store.keeps = true, |store| store.wrong = "remove"];
    for change in changes {
        let world = World::new().with(|store, _| change(store));
        let process = world.process();
        process.invalidate(&process.token().unwrap());
        assert!(!world.store.is_empty());
        assert_eq!(get(&process), "t2");
        assert_eq!(get(&world.process()), "t2", "the new one took its place");
    }
}

#[test]
fn a_token_that_the_source_knows_to_be_dead_is_not_brought_back_by_a_clock_set_back() {
    let world = World::new();
    let process = world.process();
    get(&process);
    world.clock.advance(s(200));
    world.clock.set(now());
    world.clock.advance(s(150)); // 350 s old, of which the wall clock knows 150
    assert_eq!(process.status().state, TokenState::Expired);
    assert_eq!(get(&process), "t2");
}

#[test]
fn a_token_that_was_looked_for_in_the_store_is_the_same_as_before() {
    // Whenever it is due, which is drawn: what the store has is the very token that is held.
    for _ in 0..20 {
        let world = World::new();
        let process = world.process();
        let token = process.token().unwrap();
        world.clock.advance(s(225));
        world.says(503, "");
        assert_eq!(get(&process), "t1");
        *world.says.lock().unwrap() = None;
        process.invalidate(&token);
        world.clock.advance(s(60)); // past the failure that is remembered
        assert_eq!(get(&process), format!("t{}", world.requests()));
        assert_ne!(get(&process), "t1");
    }
}

#[test]
fn a_token_that_is_invalidated_during_a_flight_does_not_land_again() {
    let world = World::new();
    let first = world.process().token().unwrap();
    world.clock.advance(s(250));
    type Told = Mutex<Option<(Arc<TokenSource>, AccessToken)>>;
    let invalid: Arc<Told> = Arc::default();
    let during = invalid.clone();
    let server = move |_: &Request, _: Duration| -> io::Result<Response> {
        if let Some((source, token)) = during.lock().unwrap().take() {
            source.invalidate(&token); // another thread saw a 401
        }
        Ok(Response::new(503, ""))
    };
    let process = TokenSource::with_transport(server, client(), hmac()).unwrap();
    let process = process
        .with_clock(world.clock.clone())
        .with_store(world.store.clone())
        .unwrap();
    let process = Arc::new(process);
    *invalid.lock().unwrap() = Some((process.clone(), first));
    let error = process.token().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_401_costs_one_exchange_for_all_processes() {
    let world = World::new();
    let processes: Vec<_> = (0..10).map(|_| world.process()).collect();
    processes.iter().for_each(|process| drop(get(process)));
    world.clock.advance(s(60)); // the user's sessions were ended
    for process in &processes {
        let api = |token: &AccessToken| if token.secret() == "t1" { 401_u16 } else { 200 };
        assert_eq!(process.call(api, |status| *status == 401).unwrap(), 200);
    }
    assert_eq!(world.requests(), 2);
}

#[test]
fn clearing_a_source_clears_its_token_from_the_store() {
    let world = World::new();
    let process = world.process();
    get(&process);
    process.clear();
    assert!(world.store.is_empty());
    assert_eq!(get(&process), "t2");
}

#[test]
fn a_store_in_an_arc_is_that_store() {
    let store = Store::default();
    let lent: Box<dyn TokenStore> = Box::new(Arc::new(store.clone()));
    lent.save("name", b"token", s(60), s(1)).unwrap();
    let loaded = lent.load("name", s(1)).unwrap();
    assert_eq!(loaded.as_deref(), Some(&b"token"[..]));
    let lock = lent.try_lock("name", s(1)).unwrap();
    assert!(lock.is_some());
    assert!(lent.try_lock("name", s(1)).unwrap().is_none());
    drop(lock);
    lent.remove("name", b"token", s(1)).unwrap();
    assert!(store.is_empty());
}

#[test]
fn another_token_that_lives_longer_is_taken_even_if_it_was_issued_before() {
    let world = World::new();
    let process = world.process();
    get(&process);
    world.clock.advance(s(250));
    let mut parts: Value = serde_json::from_slice(&world.store.only()).unwrap();
    parts[2] = "elsewhere".into();
    parts[5] = ((NOW - 10) * 1000).into();
    parts[6] = 3_600_000.into();
    world.store.plant(parts.to_string().as_bytes());
    assert_eq!(get(&process), "elsewhere");
    assert_eq!(world.requests(), 1);
}

// ---- the log ----

/// Runs with the lines that this thread logs.
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
fn that_another_process_is_waited_for_is_said_once() {
    let world = World::new();
    get(&world.process());
    world.store.is_locked_by_another(); // who never comes back
    world.store.kept.lock().unwrap().clear();
    logged(|lines| {
        assert_eq!(get(&world.process()), "t2");
        let lines = lines.lock().unwrap();
        let said = lines
            .iter()
            .filter(|line| line.contains("another process fetches"));
        assert_eq!(said.count(), 1, "{lines:?}");
    });
}
