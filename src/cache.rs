//! One token for the threads of a process: fresh, refreshable or expired; one fetch; failures remembered.
//!
//! | cached token | in-flight fetch | remembered failure | a caller |
//! |---|---|---|---|
//! | fresh | any | any | returns the token |
//! | refreshable | no | no | fetches, and returns the token if that fails |
//! | refreshable | yes | any | returns the token |
//! | refreshable | no | yes | returns the token |
//! | expired or none | by this very thread | any | fails: a signer or transport asks its own source |
//! | expired or none | by another thread | any | waits, and shares the outcome |
//! | expired or none | no | yes | returns the failure |
//! | expired or none | no | no | fetches |
//!
//! A cached token that a caller does not [want](Wanted) counts as none for this caller.
//!
//! # How a fetch ends
//!
//! - The **deadline** is that of the fetching caller. A fetch gives a transport and a store no more time than that.
//! - A fetch that still runs [`OVERTIME`] after its deadline **hangs**: a signer or a transport took longer. The next
//!   caller that needs a token replaces it. Until then its outcome is used, if there is one.
//! - A fetch is **cancelled** when another one replaces it or the cache is cleared; its [`FetchCancellation`] says so.
//!
//! Only the fetch in flight writes the cached token and the remembered failure. `clear` removes both, and `invalidate`
//! the cached token if it is this very one.
//!
//! No lock of the cache is held while a fetch runs or a clock is read.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

#[cfg(loom)]
use loom::{
    sync::{Condvar, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::{self, ThreadId},
};
#[cfg(not(loom))]
use std::{
    sync::{Condvar, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::{self, ThreadId},
};

use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::fetch_context::{FailureScope, FetchCancellation, FetchContext, FetchFailure};
use crate::schedule::{self, CachedToken, Freshness, Wanted};
use crate::token::AccessToken;

/// A fetch may end this long after its caller's deadline before it counts as one that hangs.
const OVERTIME: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(crate) struct TokenCache(RwLock<CacheState>);

#[derive(Default)]
struct CacheState {
    cached: Option<CachedToken>,
    failure: Option<RememberedFailure>,
    in_flight: Option<Arc<InFlight>>,
    /// Shared with all fetches that have begun since the last `clear`. The next `clear` sets it and begins a new one.
    is_cleared: Arc<AtomicBool>,
}

/// Why the last fetch failed, until when that is remembered, and how many failed before it.
struct RememberedFailure {
    error: Error,
    until: Instant,
    earlier_failures: u32,
}

/// A fetch that one thread makes and others may wait for.
struct InFlight {
    thread: ThreadId,
    wanted: Wanted,
    /// From this time on the next caller replaces the fetch.
    hangs_after: Instant,
    cancellation: FetchCancellation,
    outcome: Mutex<WaiterOutcome>,
    finished: Condvar,
}

/// What the waiters of a fetch get.
#[derive(Clone)]
enum WaiterOutcome {
    Pending,
    Completed(Result<AccessToken, Error>),
    /// The fetch panicked, was cancelled by `clear`, or failed for its caller alone: the waiter decides again.
    Retry,
}

/// What a caller does next.
enum Step {
    Return(AccessToken),
    Fail(Error),
    WaitFor(Arc<InFlight>),
    Fetch,
}

impl CacheState {
    /// Decides by the table above.
    fn next_step(&self, wanted: Wanted, now: Moment) -> Step {
        let failure = (self.failure.as_ref()).filter(|f| !now.time_until(f.until).is_zero());
        let in_flight = (self.in_flight.as_ref()).filter(|fetch| !fetch.hangs(now));
        let cached = (self.cached.as_ref()).filter(|cached| wanted.accepts(cached, now));
        let cached = cached.map(|cached| (cached.freshness(now), &cached.token));
        match (cached, in_flight, failure) {
            (Some((Freshness::Fresh, token)), _, _) => Step::Return(token.clone()),
            (Some((Freshness::Refreshable, _)), None, None) => Step::Fetch,
            (Some((Freshness::Refreshable, token)), _, _) => Step::Return(token.clone()),
            (_, Some(fetch), _) if fetch.thread == thread::current().id() => Step::Fail(
                Error::config("a signer or transport asks its own source for a token"),
            ),
            (_, Some(fetch), _) => Step::WaitFor(fetch.clone()),
            (_, None, Some(f)) => {
                Step::Fail(f.error.clone().with_retry_in(now.time_until(f.until)))
            }
            (_, None, None) => Step::Fetch,
        }
    }

    fn is_in_flight(&self, fetch: &Arc<InFlight>) -> bool {
        let current = self.in_flight.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, fetch))
    }

    /// Stores the outcome of a fetch. After a failure the cached token stays until it expires.
    fn store_outcome(
        &mut self,
        outcome: Result<CachedToken, FetchFailure>,
        wanted: Wanted,
        now: Moment,
    ) -> Result<AccessToken, Error> {
        let failed = match outcome {
            Ok(cached) => {
                self.failure = None;
                return Ok(self.cached.insert(cached).token.clone());
            }
            Err(failed) => failed,
        };
        let mut error = failed.error;
        if failed.scope == FailureScope::AllCallers {
            let earlier = self.failure.as_ref();
            let earlier_failures = earlier.map_or(0, |f| f.earlier_failures.saturating_add(1));
            let ttl = schedule::failure_ttl(&error, earlier_failures, failed.jitter);
            self.failure = Some(RememberedFailure {
                error: error.clone(),
                until: now.deadline_in(ttl),
                earlier_failures,
            });
            error = error.with_retry_in(ttl);
        }
        let fallback = failed.fallback;
        if let Some(fallback) = fallback.filter(|token| token.outlives(self.cached.as_ref(), now)) {
            self.cached = Some(fallback);
        }
        let usable = self
            .cached
            .as_ref()
            .filter(|cached| !cached.has_expired(now) && wanted.accepts(cached, now));
        usable.map(|cached| cached.token.clone()).ok_or(error)
    }
}

impl TokenCache {
    /// Returns the cached token, the outcome of an in-flight fetch, or the token that `fetch` returns.
    pub(crate) fn get(
        &self,
        clock: &dyn Clock,
        timeout: Duration,
        wanted: Wanted,
        fetch: impl FnOnce(FetchContext) -> Result<CachedToken, FetchFailure>,
    ) -> Result<AccessToken, Error> {
        let now = Moment::now(clock);
        let step = self.read().next_step(wanted, now);
        match step {
            Step::Return(token) => Ok(token),
            step => self.wait_or_fetch(step, clock, now, timeout, wanted, fetch),
        }
    }

    /// The slow path of [`get`](Self::get), whose first step at `now` was `step`.
    #[inline(never)] // keeps the fast path small
    fn wait_or_fetch(
        &self,
        mut step: Step,
        clock: &dyn Clock,
        mut now: Moment,
        timeout: Duration,
        wanted: Wanted,
        fetch: impl FnOnce(FetchContext) -> Result<CachedToken, FetchFailure>,
    ) -> Result<AccessToken, Error> {
        let deadline = now.deadline_in(timeout);
        let (mut guard, cached) = loop {
            match step {
                Step::Return(token) => return Ok(token),
                Step::Fail(error) => return Err(error),
                Step::WaitFor(in_flight) => match in_flight.wait(now, deadline)? {
                    WaiterOutcome::Completed(outcome) if in_flight.serves(wanted, &outcome) => {
                        return outcome;
                    }
                    _ => {} // decide again
                },
                Step::Fetch => {
                    if let Some(begun) = self.begin_fetch(wanted, now, deadline) {
                        break begun;
                    }
                }
            }
            now = Moment::now(clock);
            step = self.read().next_step(wanted, now);
        };
        let outcome = fetch(FetchContext {
            deadline,
            timeout,
            wanted,
            cancellation: guard.in_flight.cancellation.clone(),
            best: cached,
        });
        let scope = outcome.as_ref().err().map(|failed| failed.scope);
        let result = guard.store_unless_cancelled(outcome, Moment::now(clock));
        if scope != Some(FailureScope::FetchingCaller) {
            guard.outcome = WaiterOutcome::Completed(result.clone());
        }
        result
    }

    /// Makes this thread the fetching caller, unless another has become it. Returns the cached token too.
    fn begin_fetch(
        &self,
        wanted: Wanted,
        now: Moment,
        deadline: Instant,
    ) -> Option<(FetchGuard<'_>, Option<CachedToken>)> {
        let mut state = self.write();
        let Step::Fetch = state.next_step(wanted, now) else {
            return None;
        };
        let cancellation = FetchCancellation::new(state.is_cleared.clone());
        let in_flight = Arc::new(InFlight::new(wanted, deadline, cancellation));
        if let Some(replaced) = state.in_flight.replace(in_flight.clone()) {
            replaced.cancellation.set_replaced();
        }
        let guard = FetchGuard {
            cache: self,
            in_flight,
            outcome: WaiterOutcome::Retry, // even if the fetch panics
        };
        Some((guard, state.cached.clone()))
    }

    /// Removes this very token; a newer one stays. Returns whether it was there.
    pub(crate) fn invalidate(&self, token: &AccessToken) -> bool {
        let mut state = self.write();
        let removed = state
            .cached
            .take_if(|cached| cached.token.is_clone_of(token));
        removed.is_some()
    }

    /// Removes the remembered failure and the cached token, which is returned, and cancels all fetches.
    pub(crate) fn clear(&self) -> Option<CachedToken> {
        let mut state = self.write();
        let cleared = mem::take(&mut *state);
        cleared.is_cleared.store(true, Ordering::Relaxed);
        drop(state);
        if let Some(fetch) = cleared.in_flight {
            fetch.finish(WaiterOutcome::Retry);
        }
        cleared.cached
    }

    /// Returns the cancellation of a fetch that is not for the cache and begins now. `clear` cancels it too.
    pub(crate) fn cancellation(&self) -> FetchCancellation {
        FetchCancellation::new(self.read().is_cleared.clone())
    }

    /// Returns the cached token, however fresh it is.
    pub(crate) fn cached(&self) -> Option<CachedToken> {
        self.read().cached.clone()
    }

    // A panic while the lock was held does not matter: the state is complete at every unlock.
    fn read(&self) -> RwLockReadGuard<'_, CacheState> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, CacheState> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    fn new(wanted: Wanted, deadline: Instant, cancellation: FetchCancellation) -> Self {
        Self {
            thread: thread::current().id(),
            wanted,
            hangs_after: deadline.checked_add(OVERTIME).unwrap_or(deadline),
            cancellation,
            outcome: Mutex::new(WaiterOutcome::Pending),
            finished: Condvar::new(),
        }
    }

    /// Waits until the fetch completes or hangs, or the caller's deadline passes.
    fn wait(&self, now: Moment, deadline: Instant) -> Result<WaiterOutcome, Error> {
        let remaining = now.time_until(deadline);
        if remaining.is_zero() {
            let message = "another caller's fetch did not end in time";
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        let limit = remaining.min(now.time_until(self.hangs_after));
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if let WaiterOutcome::Pending = *outcome {
            let waited = self.finished.wait_timeout(outcome, limit);
            outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(outcome.clone())
    }

    /// Returns whether a waiter that wants this may share the outcome.
    ///
    /// A waiter that wants less than the fetching caller shares the token, but not the failure: the cached token may be
    /// enough for this waiter.
    fn serves(&self, wanted: Wanted, outcome: &Result<AccessToken, Error>) -> bool {
        self.wanted == wanted || (self.wanted > wanted && outcome.is_ok())
    }

    fn hangs(&self, now: Moment) -> bool {
        now.time_until(self.hangs_after).is_zero()
    }

    /// Hands the outcome to the waiters, unless they have one already.
    fn finish(&self, with: WaiterOutcome) {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if let WaiterOutcome::Pending = *outcome {
            *outcome = with;
        }
        drop(outcome);
        self.finished.notify_all();
    }
}

/// The fetch of this thread. Dropping it ends the fetch for its waiters.
struct FetchGuard<'c> {
    cache: &'c TokenCache,
    in_flight: Arc<InFlight>,
    outcome: WaiterOutcome,
}

impl FetchGuard<'_> {
    /// Stores the outcome in the cache, unless the fetch was cancelled.
    fn store_unless_cancelled(
        &self,
        outcome: Result<CachedToken, FetchFailure>,
        now: Moment,
    ) -> Result<AccessToken, Error> {
        // Errors are dropped without the lock, since their sources are foreign code.
        let error = outcome.as_ref().err().map(|failed| failed.error.clone());
        let mut state = self.cache.write();
        let earlier_error = state.failure.as_ref().map(|f| f.error.clone());
        let result = match state.is_in_flight(&self.in_flight) {
            true => state.store_outcome(outcome, self.in_flight.wanted, now),
            false => outcome
                .map(|cached| cached.token)
                .map_err(|failed| failed.error),
        };
        drop(state);
        drop((error, earlier_error));
        result
    }
}

impl Drop for FetchGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.write();
        if state.is_in_flight(&self.in_flight) {
            state.in_flight = None; // first: a waiter that decides again must not find this fetch
        }
        drop(state);
        self.in_flight
            .finish(mem::replace(&mut self.outcome, WaiterOutcome::Retry));
    }
}

/// Every interleaving of a few callers: `RUSTFLAGS="--cfg loom" cargo test --no-default-features --lib cache`.
///
/// This takes ten minutes; `LOOM_MAX_PREEMPTIONS=4` leaves out the rarest interleavings.
///
/// The model has no time: deadlines of waiters are tested with real waits in `tests/source.rs`.
#[cfg(test)]
#[cfg(loom)]
mod model {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::time::SystemTime;

    use super::*;
    use crate::json::JsonObject;
    use crate::token::TokenHeader;

    const SECOND: Duration = Duration::from_secs(1);

    #[derive(Clone, Copy)]
    struct Stopped(SystemTime, Instant);
    impl Clock for Stopped {
        fn now(&self) -> SystemTime {
            self.0
        }
        fn monotonic(&self) -> Instant {
            self.1
        }
        fn sleep(&self, _: Duration) {}
    }

    /// The cache that callers share, the time at which all of it happens, and how many fetched.
    #[derive(Clone)]
    struct World {
        cache: loom::sync::Arc<TokenCache>,
        clock: Stopped,
        fetches: Arc<AtomicU32>,
    }
    impl World {
        fn new() -> Self {
            let clock = Stopped(
                SystemTime::UNIX_EPOCH + SECOND * 1000,
                Instant::now() + SECOND * 99,
            );
            Self {
                cache: loom::sync::Arc::new(TokenCache::default()),
                clock,
                fetches: Arc::default(),
            }
        }
        fn cached(&self, secret: &str, age: Duration) -> CachedToken {
            let then = Stopped(self.clock.0 - age, self.clock.1 - age);
            let issued = Moment::now(&then);
            let token = AccessToken::new(
                secret,
                &TokenHeader::BEARER,
                then.0,
                SECOND * 60,
                None,
                JsonObject::default(),
            );
            CachedToken {
                token: token.unwrap(),
                issued,
                received: issued,
                refresh_after: SECOND * 30,
                is_own: true,
            }
        }
        fn with_cached(&self, age: Duration) -> AccessToken {
            let cached = self.cached("old", age);
            self.cache.write().cached.insert(cached).token.clone()
        }
        fn get(
            &self,
            outcome: fn(&Self) -> Result<CachedToken, FetchFailure>,
        ) -> Result<String, Error> {
            self.get_wanted(Wanted::ANY_TOKEN, outcome)
        }
        fn get_wanted(
            &self,
            wanted: Wanted,
            outcome: fn(&Self) -> Result<CachedToken, FetchFailure>,
        ) -> Result<String, Error> {
            let fetch = |_| {
                self.fetches.fetch_add(1, SeqCst);
                outcome(self)
            };
            let token = self.cache.get(&self.clock, SECOND, wanted, fetch);
            token.map(|token| token.secret().to_owned())
        }
        fn fetched(&self) -> u32 {
            self.fetches.load(SeqCst)
        }
        /// Runs so many threads to their end.
        fn callers(&self, count: usize, run: impl Fn(&Self) + Send + Sync + 'static) {
            let run = Arc::new(run);
            let others: Vec<_> = (1..count)
                .map(|_| {
                    let (world, run) = (self.clone(), run.clone());
                    thread::spawn(move || run(&world))
                })
                .collect();
            run(self);
            others.into_iter().for_each(|other| other.join().unwrap());
        }
    }

    fn new(world: &World) -> Result<CachedToken, FetchFailure> {
        Ok(world.cached("new", Duration::ZERO))
    }
    fn denied(_: &World) -> Result<CachedToken, FetchFailure> {
        Err(FetchFailure {
            error: Error::new(ErrorKind::Denied, "no"),
            jitter: 0.5,
            scope: FailureScope::AllCallers,
            fallback: None,
        })
    }
    fn out_of_time(_: &World) -> Result<CachedToken, FetchFailure> {
        Err(FetchFailure {
            error: Error::new(ErrorKind::Network, "late"),
            jitter: 0.5,
            scope: FailureScope::FetchingCaller,
            fallback: None,
        })
    }

    #[test]
    fn cache_fetches_once_for_many_callers() {
        loom::model(|| {
            let world = World::new();
            world.callers(3, |world| assert_eq!(world.get(new).unwrap(), "new"));
            assert_eq!(world.fetched(), 1);
        });
    }

    #[test]
    fn cache_shares_failure_with_waiters_and_remembers_it() {
        loom::model(|| {
            let world = World::new();
            world.callers(3, |world| {
                assert_eq!(world.get(denied).unwrap_err().kind(), ErrorKind::Denied);
            });
            assert_eq!(world.fetched(), 1);
        });
    }

    #[test]
    fn failure_of_fetching_caller_alone_lets_waiters_fetch() {
        loom::model(|| {
            let world = World::new();
            world.callers(2, |world| assert!(world.get(out_of_time).is_err()));
            assert_eq!(world.fetched(), 2);
        });
    }

    #[test]
    fn refreshable_token_is_served_during_refresh_and_survives_failure() {
        for outcome in [new, denied] {
            loom::model(move || {
                let world = World::new();
                world.with_cached(SECOND * 40);
                world.callers(3, move |world| {
                    let token = world.get(outcome).unwrap();
                    assert!(token == "old" || token == "new");
                });
                assert_eq!(world.fetched(), 1);
            });
        }
    }

    #[test]
    fn invalidate_of_old_token_keeps_newer_one() {
        loom::model(|| {
            let world = World::new();
            let old = world.with_cached(SECOND);
            world.callers(2, move |world| {
                world.cache.invalidate(&old); // both saw a 401
                assert_eq!(world.get(new).unwrap(), "new");
            });
            assert_eq!(world.fetched(), 1);
            assert_eq!(world.get(denied).unwrap(), "new");
        });
    }

    #[test]
    fn new_token_is_fetched_by_each_refresh_or_by_another_at_the_same_time() {
        loom::model(|| {
            let world = World::new();
            world.with_cached(SECOND);
            world.callers(3, |world| {
                let token = world.get_wanted(Wanted::NewToken, new);
                assert_eq!(token.unwrap(), "new");
            });
            assert!((1..=3).contains(&world.fetched()));
        });
    }

    #[test]
    fn refresh_never_takes_the_token_of_another_kind_of_fetch() {
        fn stored(world: &World) -> Result<CachedToken, FetchFailure> {
            Ok(world.cached("stored", Duration::ZERO))
        }
        loom::model(|| {
            let world = World::new();
            let other = world.clone();
            let other = thread::spawn(move || other.get(stored).unwrap());
            let refreshed = world.get_wanted(Wanted::NewToken, new).unwrap();
            let got = other.join().unwrap();
            assert!(refreshed == "new" && (got == "new" || got == "stored"));
        });
    }

    #[test]
    fn token_that_is_fetched_during_clear_is_not_cached_after_it() {
        loom::model(|| {
            let world = World::new();
            let fetches = world.clone();
            let fetches = thread::spawn(move || fetches.get(new).unwrap());
            let removed = world.cache.clear().is_some();
            assert_eq!(fetches.join().unwrap(), "new");
            // It was removed, or abandoned, or begun after that.
            assert!(!removed || world.cache.cached().is_none());
        });
    }

    #[test]
    fn fetch_that_panics_wakes_waiters() {
        loom::model(|| {
            let world = World::new();
            let cancellation = FetchCancellation::new(Arc::default());
            let in_flight = InFlight::new(Wanted::ANY_TOKEN, world.clock.1 + SECOND, cancellation);
            let in_flight = Arc::new(in_flight);
            world.cache.write().in_flight = Some(in_flight.clone());
            let waits = world.clone();
            let waiter = thread::spawn(move || waits.get(new).unwrap());
            let (cache, outcome) = (&world.cache, WaiterOutcome::Retry);
            drop(FetchGuard {
                cache,
                in_flight,
                outcome,
            }); // what unwinding does
            assert_eq!(waiter.join().unwrap(), "new");
        });
    }
}
