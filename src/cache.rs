//! Callers in, one token out: fresh, due or expired; one flight; failures remembered.
//!
//! | held token | in flight | failure stands | a caller gets |
//! |---|---|---|---|
//! | fresh | any | any | the token |
//! | due | no | no | to fetch, and the token if that fails |
//! | due | yes, or | yes | the token |
//! | expired or none | by this very thread | any | a configuration error |
//! | expired or none | by another | any | that flight's outcome, or this table again |
//! | expired or none | no | yes | the failure |
//! | expired or none | no | no | to fetch |
//!
//! The numbers come from outside. The state is locked to look and to land, never to fetch.

use std::mem;
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
use crate::schedule::{self, HOLD};
use crate::token::AccessToken;

#[derive(Default)]
pub(crate) struct Slot(RwLock<State>);

#[derive(Default)]
pub(crate) struct State {
    held: Option<Held>,
    failure: Option<Failure>,
    flight: Option<Arc<Flight>>,
}

/// A token and its times.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) token: AccessToken,
    /// Just before the request that brought it was sent, and just after.
    pub(crate) issued: Moment,
    pub(crate) received: Moment,
    /// The age at which it is due.
    pub(crate) refresh_after: Duration,
}

/// A fetch that brought nothing.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// Drawn from 0 to 1: how long it keeps others from trying.
    pub(crate) u: f64,
    /// It failed for want of the caller's own time, which says nothing to others.
    pub(crate) hurried: bool,
    /// A token that is still good, found on the way.
    pub(crate) found: Option<Held>,
}

/// Why a fetch failed, until when that answer stands, and how many failed before it.
struct Failure {
    error: Error,
    until: Instant,
    row: u32,
}

struct Flight {
    leader: ThreadId,
    landing: Mutex<Landing>,
    landed: Condvar,
}

/// For those who joined.
#[derive(Clone)]
enum Landing {
    Awaited,
    With(Result<AccessToken, Error>),
    /// The leader panicked or was hurried.
    WithNothing,
}

/// What the leader of a flight may take.
pub(crate) struct Leave {
    pub(crate) deadline: Instant,
    /// The best token known so far, even one that has expired.
    pub(crate) held: Option<Held>,
}

impl Leave {
    /// The rest of that token's life, where it still has one.
    pub(crate) fn spare(&self, now: Moment) -> Option<Duration> {
        let held = self
            .held
            .as_ref()
            .filter(|held| held.life(now) != Life::Expired);
        held.map(|held| held.left(now))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Fresh,
    Due,
    Expired,
}

enum Step {
    Serve(AccessToken),
    Fail(Error),
    Join(Arc<Flight>),
    Fetch,
}

impl Held {
    pub(crate) fn life(&self, now: Moment) -> Life {
        let age = now.since(self.issued);
        if age < self.refresh_after || now.since(self.received) < HOLD {
            Life::Fresh
        } else if age < self.token.lifetime() {
            Life::Due
        } else {
            Life::Expired
        }
    }
    /// The rest of its life.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        self.token.lifetime().saturating_sub(now.since(self.issued))
    }
}

impl State {
    /// The table above.
    fn step(&self, now: Moment) -> Step {
        let failure = (self.failure.as_ref()).filter(|f| !now.until(f.until).is_zero());
        let held = self.held.as_ref().map(|held| (held.life(now), &held.token));
        match (held, &self.flight, failure) {
            (Some((Life::Fresh, token)), _, _) => Step::Serve(token.clone()),
            (Some((Life::Due, _)), None, None) => Step::Fetch,
            (Some((Life::Due, token)), _, _) => Step::Serve(token.clone()),
            (_, Some(flight), _) if flight.leader == thread::current().id() => Step::Fail(
                Error::config("a signer or transport asks its own source for a token"),
            ),
            (_, Some(flight), _) => Step::Join(flight.clone()),
            (_, None, Some(f)) => Step::Fail(f.error.clone().with_retry_in(now.until(f.until))),
            (_, None, None) => Step::Fetch,
        }
    }

    /// Takes in what a fetch brought. A failure leaves a token in place that is still good.
    fn land(&mut self, outcome: Result<Held, Failed>, now: Moment) -> Result<AccessToken, Error> {
        match outcome {
            Ok(held) => {
                self.failure = None;
                Ok(self.held.insert(held).token.clone())
            }
            Err(failed) => {
                let row = self.failure.as_ref().map_or(0, |f| f.row.saturating_add(1));
                let stands = schedule::stands(&failed.error, row, failed.u);
                if let Some(stands) = stands.filter(|_| !failed.hurried) {
                    let (error, until) = (failed.error.clone(), now.after(stands));
                    self.failure = Some(Failure { error, until, row });
                }
                let left = |held: &Option<Held>| held.as_ref().map(|held| held.left(now));
                if left(&failed.found) > left(&self.held) {
                    self.held = failed.found;
                }
                let held = self.held.as_ref();
                let usable = held.filter(|held| held.life(now) != Life::Expired);
                usable.map(|held| held.token.clone()).ok_or(failed.error)
            }
        }
    }
}

impl Slot {
    /// A good token: the one held, that of a flight, or what `fetch` brings.
    pub(crate) fn get(
        &self,
        clock: &dyn Clock,
        timeout: Duration,
        fetch: impl FnOnce(Leave) -> Result<Held, Failed>,
    ) -> Result<AccessToken, Error> {
        let mut now = Moment::now(clock);
        let deadline = now.after(timeout);
        let (flight, held) = loop {
            let step = self.read().step(now);
            match step {
                Step::Serve(token) => return Ok(token),
                Step::Fail(error) => return Err(error),
                Step::Join(flight) => match flight.wait(now.until(deadline))? {
                    Landing::With(outcome) => return outcome,
                    Landing::Awaited | Landing::WithNothing => {}
                },
                Step::Fetch => {
                    if let Some(taken_off) = self.take_off(now) {
                        break taken_off;
                    }
                }
            }
            now = Moment::now(clock);
        };
        let mut airborne = Airborne {
            slot: self,
            flight,
            landing: Landing::WithNothing, // even if `fetch` panics
        };
        let outcome = fetch(Leave { deadline, held });
        let shared = !outcome.as_ref().is_err_and(|failed| failed.hurried);
        let landed = self.write().land(outcome, Moment::now(clock));
        if shared {
            airborne.landing = Landing::With(landed.clone());
        }
        landed
    }

    /// Makes this thread the one who fetches, where nobody does. With the token that is held.
    fn take_off(&self, now: Moment) -> Option<(Arc<Flight>, Option<Held>)> {
        let mut state = self.write();
        let Step::Fetch = state.step(now) else {
            return None;
        };
        let flight = Arc::new(Flight::new());
        state.flight = Some(flight.clone());
        Some((flight, state.held.clone()))
    }

    /// Forgets this very token; a newer one stays. Whether it was there.
    pub(crate) fn invalidate(&self, token: &AccessToken) -> bool {
        let mut state = self.write();
        let held = state.held.take_if(|held| held.token.is(token));
        held.is_some()
    }

    /// Forgets token and failures.
    pub(crate) fn clear(&self) {
        let mut state = self.write();
        (state.held, state.failure) = (None, None);
    }

    /// The token and the last failure since, for whoever watches.
    pub(crate) fn look(&self) -> (Option<Held>, Option<Error>) {
        let state = self.read();
        (
            state.held.clone(),
            state.failure.as_ref().map(|f| f.error.clone()),
        )
    }

    // The state is whole at every unlock.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn new() -> Self {
        Self {
            leader: thread::current().id(),
            landing: Mutex::new(Landing::Awaited),
            landed: Condvar::new(),
        }
    }

    /// Until it lands, or for as long as the caller has.
    fn wait(&self, patience: Duration) -> Result<Landing, Error> {
        if patience.is_zero() {
            let message = "another caller's fetch did not end in time";
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        let mut landing = self.landing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Landing::Awaited = *landing {
            let waited = self.landed.wait_timeout(landing, patience);
            landing = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(landing.clone())
    }
}

/// A flight of this thread, and how it lands when this is dropped.
struct Airborne<'s> {
    slot: &'s Slot,
    flight: Arc<Flight>,
    landing: Landing,
}

impl Drop for Airborne<'_> {
    fn drop(&mut self) {
        self.slot.write().flight = None; // first: who gets nothing looks again
        let landing = mem::replace(&mut self.landing, Landing::WithNothing);
        let awaited = self.flight.landing.lock();
        *awaited.unwrap_or_else(PoisonError::into_inner) = landing;
        self.flight.landed.notify_all();
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::clock::ManualClock;
    use crate::json::JsonObject;

    #[test]
    fn a_token_is_due_and_expired_at_the_very_ages_that_say_so() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
        let lifetime = Duration::from_secs(300);
        let held = Held {
            token: AccessToken::new("t", clock.now(), lifetime, None, JsonObject::default())
                .unwrap(),
            issued: Moment::now(&clock),
            received: Moment::now(&clock),
            refresh_after: Duration::from_secs(240),
        };
        for (seconds, life) in [
            (239, Life::Fresh),
            (1, Life::Due),
            (59, Life::Due),
            (1, Life::Expired),
        ] {
            clock.advance(Duration::from_secs(seconds));
            assert_eq!(held.life(Moment::now(&clock)), life);
        }
    }
}

/// Every interleaving of a few callers, for ten minutes; `LOOM_MAX_PREEMPTIONS=4` leaves out the rarest:
/// `RUSTFLAGS="--cfg loom" cargo test --no-default-features --lib slot`.
///
/// The model has no time: deadlines of waiters are tested with real waits in `tests/life.rs`.
#[cfg(test)]
#[cfg(loom)]
mod model {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::time::SystemTime;

    use super::*;
    use crate::json::JsonObject;

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

    /// A slot that callers share, the time at which all of it happens, and how many fetched.
    #[derive(Clone)]
    struct World {
        slot: loom::sync::Arc<Slot>,
        clock: Stopped,
        fetches: Arc<AtomicU32>,
    }
    impl World {
        /// At a time when a token of `age` was issued so long ago.
        fn new() -> Self {
            let clock = Stopped(
                SystemTime::UNIX_EPOCH + SECOND * 1000,
                Instant::now() + SECOND * 99,
            );
            Self {
                slot: loom::sync::Arc::new(Slot::default()),
                clock,
                fetches: Arc::default(),
            }
        }
        fn held(&self, secret: &str, age: Duration) -> Held {
            let then = Stopped(self.clock.0 - age, self.clock.1 - age);
            let issued = Moment::now(&then);
            let token = AccessToken::new(secret, then.0, SECOND * 60, None, JsonObject::default());
            Held {
                token: token.unwrap(),
                issued,
                received: issued,
                refresh_after: SECOND * 30,
            }
        }
        fn holds(&self, age: Duration) -> AccessToken {
            let held = self.held("old", age);
            self.slot.write().held.insert(held).token.clone()
        }
        fn get(&self, outcome: fn(&Self) -> Result<Held, Failed>) -> Result<String, Error> {
            let fetch = |_| {
                self.fetches.fetch_add(1, SeqCst);
                outcome(self)
            };
            let token = self.slot.get(&self.clock, SECOND, fetch);
            token.map(|token| token.secret().to_owned())
        }
        fn fetched(&self) -> u32 {
            self.fetches.load(SeqCst)
        }
        /// `run` in so many threads, to their end.
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

    fn new(world: &World) -> Result<Held, Failed> {
        Ok(world.held("new", Duration::ZERO))
    }
    fn denied(_: &World) -> Result<Held, Failed> {
        Err(Failed {
            error: Error::new(ErrorKind::Denied, "no"),
            u: 0.5,
            hurried: false,
            found: None,
        })
    }
    fn hurried(_: &World) -> Result<Held, Failed> {
        Err(Failed {
            error: Error::new(ErrorKind::Network, "late"),
            u: 0.5,
            hurried: true,
            found: None,
        })
    }

    #[test]
    fn of_many_callers_one_fetches_and_all_get_its_token() {
        loom::model(|| {
            let world = World::new();
            world.callers(3, |world| assert_eq!(world.get(new).unwrap(), "new"));
            assert_eq!(world.fetched(), 1);
        });
    }

    #[test]
    fn its_failure_is_shared_and_remembered() {
        loom::model(|| {
            let world = World::new();
            world.callers(3, |world| {
                assert_eq!(world.get(denied).unwrap_err().kind(), ErrorKind::Denied);
            });
            assert_eq!(world.fetched(), 1);
        });
    }

    #[test]
    fn a_leader_without_time_leaves_the_others_to_try() {
        loom::model(|| {
            let world = World::new();
            world.callers(2, |world| assert!(world.get(hurried).is_err()));
            assert_eq!(world.fetched(), 2);
        });
    }

    #[test]
    fn a_due_token_is_served_while_one_renews_it_and_survives_a_failure() {
        for outcome in [new, denied] {
            loom::model(move || {
                let world = World::new();
                world.holds(SECOND * 40);
                world.callers(3, move |world| {
                    let token = world.get(outcome).unwrap();
                    assert!(token == "old" || token == "new");
                });
                assert_eq!(world.fetched(), 1);
            });
        }
    }

    #[test]
    fn invalidating_the_old_never_drops_the_new() {
        loom::model(|| {
            let world = World::new();
            let old = world.holds(SECOND);
            world.callers(2, move |world| {
                world.slot.invalidate(&old); // both saw a 401
                assert_eq!(world.get(new).unwrap(), "new");
            });
            assert_eq!(world.fetched(), 1);
            assert_eq!(world.get(denied).unwrap(), "new");
        });
    }

    #[test]
    fn a_flight_that_panics_leaves_nobody_waiting() {
        loom::model(|| {
            let world = World::new();
            let flight = Arc::new(Flight::new());
            world.slot.write().flight = Some(flight.clone());
            let waits = world.clone();
            let waiter = thread::spawn(move || waits.get(new).unwrap());
            let (slot, landing) = (&world.slot, Landing::WithNothing);
            drop(Airborne {
                slot,
                flight,
                landing,
            }); // what unwinding does
            assert_eq!(waiter.join().unwrap(), "new");
        });
    }
}
