//! Callers in, one token out: one flight at a time.
//!
//! | held token | in flight | a caller gets |
//! |---|---|---|
//! | good | any | the token |
//! | expired or none | yes | the landing, then this table again |
//! | expired or none | no | to fetch |

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::token::AccessToken;

#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<State>, // never locked while fetching
    landed: Condvar,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    in_flight: bool,
}

/// A token, and when its life began by both clocks.
pub(crate) struct Held {
    pub(crate) token: AccessToken,
    pub(crate) since: Moment,
}

enum Step {
    Serve(AccessToken),
    Wait,
    Fetch,
}

impl State {
    /// The table above.
    fn step(&self, now: Moment) -> Step {
        match (&self.held, self.in_flight) {
            (Some(held), _) if now.since(held.since) < held.token.lifetime() => {
                Step::Serve(held.token.clone())
            }
            (_, true) => Step::Wait,
            (_, false) => Step::Fetch,
        }
    }
}

impl Slot {
    /// A good token: the one held, or the one that `fetch` brings before the deadline it is given.
    pub(crate) fn get(
        &self,
        clock: &dyn Clock,
        timeout: Duration,
        fetch: impl FnOnce(Instant) -> Result<Held, Error>,
    ) -> Result<AccessToken, Error> {
        let mut now = Moment::now(clock);
        let deadline = now.after(timeout);
        let mut state = self.lock();
        loop {
            match state.step(now) {
                Step::Serve(token) => return Ok(token),
                Step::Wait => state = self.wait(state, now.until(deadline))?,
                Step::Fetch => break,
            }
            now = Moment::now(clock);
        }
        state.in_flight = true;
        drop(state);
        let _landing = Landing(self); // after `fetch`, even one that panics, the others look again
        let held = fetch(deadline)?;
        let token = held.token.clone();
        self.lock().held = Some(held);
        Ok(token)
    }

    /// Forgets this very token; a newer one stays.
    pub(crate) fn invalidate(&self, token: &AccessToken) {
        let mut state = self.lock();
        if state.held.as_ref().is_some_and(|held| held.token.is(token)) {
            state.held = None;
        }
    }

    fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        patience: Duration,
    ) -> Result<MutexGuard<'s, State>, Error> {
        let (state, timeout) = self
            .landed
            .wait_timeout(state, patience)
            .unwrap_or_else(PoisonError::into_inner);
        match timeout.timed_out() && state.in_flight {
            true => Err(Error::new(
                ErrorKind::Network,
                "another caller's fetch did not end in time",
            )),
            false => Ok(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // whole at every unlock
    }
}

struct Landing<'s>(&'s Slot);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight = false;
        self.0.landed.notify_all();
    }
}
