//! The flight of a source with a store: what another process fetched, else one exchange for all of them.
//!
//! The store is never in the way. Its failures are logged, what it lies about is logged, a call that takes too long
//! is left behind, and whoever waits for another process's lock goes on without it in time for an exchange.

use std::time::{Duration, Instant};

use log::{debug, warn};
use zeroize::Zeroizing;

use super::{ATTEMPT, Fetch};
use crate::cache::{Failed, Held, Leave, Life};
use crate::error::{BoxError, Error};
use crate::store::desk::{Desk, Locked};
use crate::store::{Shelf, TokenStore};
use crate::token::AccessToken;

/// One call to a store takes this long at most: a token has to be worth less than an exchange.
const CALL: Duration = Duration::from_secs(1);
/// Nor does it take more than one part in so many of the time that the caller has left.
const SHARE: u32 = 8;
/// How soon it is looked whether another process is done; it doubles up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// As above.
const LAST_LOOK: Duration = Duration::from_millis(250);

const NO_IDENTITY: &str =
    "a token store needs a signer that says which key it is: implement Signer::identity";

/// What a store adds to a source. Only [`Fetch::share`] knows who does it, so that a program without a store has
/// nothing of all this.
pub(crate) trait Sharing: Send + Sync {
    fn flight(&self, fetch: &Fetch, leave: Leave) -> Result<Held, Failed>;
    /// This token is taken from the store no more, not even by a flight that has it in hand.
    fn refuse(&self, token: &AccessToken);
    /// Takes a token that is refused from where others find it.
    fn remove_refused(&self, fetch: &Fetch);
}

impl Sharing for Shelf {
    fn flight(&self, fetch: &Fetch, leave: Leave) -> Result<Held, Failed> {
        let Some(desk) = fetch.told("opening it", self.counter.open()) else {
            return fetch.fetch(&leave);
        };
        let deadline = leave.deadline;
        let outcome = fetch.through(self, &desk, leave);
        desk.close(fetch.time(deadline));
        outcome
    }

    fn refuse(&self, token: &AccessToken) {
        self.refuse(token);
    }

    fn remove_refused(&self, fetch: &Fetch) {
        let deadline = fetch.now().after(CALL.saturating_mul(SHARE));
        let Some(desk) = fetch.told("opening it", self.counter.open()) else {
            return;
        };
        let Some(bytes) = fetch.load(&desk, deadline) else {
            return;
        };
        let kept = self.read(&bytes, fetch.clock.now());
        if kept.is_ok_and(|kept| self.refuses(&kept)) {
            let removed = desk.ask(fetch.time(deadline), move |store, name, time| {
                store.remove(name, &bytes, time)
            });
            fetch.told("remove", removed);
        }
    }
}

impl Fetch {
    /// Puts what comes from now on where other processes find it.
    pub(crate) fn share(&mut self, store: impl TokenStore + 'static) -> Result<(), Error> {
        let identity = self.profile.identity(&*self.signer);
        let identity = identity.ok_or_else(|| Error::config(NO_IDENTITY))?;
        self.sharing = Some(Box::new(Shelf::new(store, identity)));
        Ok(())
    }

    /// What another process fetched, else what we do.
    fn through(&self, shelf: &Shelf, desk: &Desk<'_>, mut leave: Leave) -> Result<Held, Failed> {
        let found = match self.turn(shelf, desk, &mut leave) {
            Ok(held) => return Ok(held),
            Err(found) => found,
        };
        let held = self.fetch(&leave).map_err(|failed| Failed {
            // It may have been invalidated since.
            found: found.filter(|held| !shelf.refuses(&held.token)),
            ..failed
        })?;
        let left = held.left(self.now());
        let saved = shelf.written(&held.token).and_then(|bytes| {
            desk.ask(self.time(leave.deadline), move |store, name, time| {
                store.save(name, &bytes, left, time)
            })
        });
        self.told("save", saved);
        Ok(held)
    }

    /// A fresh token that another process fetched. Else it is our turn, under the lock where there is one, with a
    /// due token to fall back on.
    fn turn(
        &self,
        shelf: &Shelf,
        desk: &Desk<'_>,
        leave: &mut Leave,
    ) -> Result<Held, Option<Held>> {
        let mut found = self.look(shelf, desk, leave);
        let patience = self.patience(leave);
        let until = self.now().after(patience);
        let (mut is_locked, mut pause) = (false, FIRST_LOOK);
        loop {
            match found {
                Some(held) if held.life(self.now()) == Life::Fresh => return Ok(held),
                other => found = other,
            }
            let left = self.now().until(until);
            if is_locked || left.is_zero() {
                return Err(found);
            }
            match self.told("lock", desk.try_lock(self.time(leave.deadline))) {
                Some(Locked::ByThisDesk) => is_locked = true,
                None | Some(Locked::ByAnotherDesk) => return Err(found),
                Some(Locked::Elsewhere) => {
                    if pause == FIRST_LOOK {
                        let server = &self.profile.endpoint;
                        debug!(
                            "{server:?}: token store: another process fetches, {patience:?} for it"
                        );
                    }
                    self.clock.sleep(pause.min(left));
                    pause = pause.saturating_mul(2).min(LAST_LOOK);
                }
            }
            found = self.look(shelf, desk, leave);
        }
    }

    /// How long another process may take: not the time for an exchange of our own, nor half of what is left.
    fn patience(&self, leave: &Leave) -> Duration {
        let left = self.now().until(leave.deadline);
        match leave.spare(self.now()) {
            None => left.saturating_sub(ATTEMPT).max(left.mul_f64(0.5)),
            Some(spare) => spare.mul_f64(0.5).min(ATTEMPT),
        }
    }

    /// What another process left, as long as it lives.
    fn look(&self, shelf: &Shelf, desk: &Desk<'_>, leave: &mut Leave) -> Option<Held> {
        let server = &self.profile.endpoint;
        let bytes = self.load(desk, leave.deadline)?;
        let now = self.now();
        let token = match shelf.read(&bytes, now.wall) {
            Ok(token) => token,
            Err(why) => {
                warn!("{server:?}: token store: what it holds is ignored: {why}");
                return None;
            }
        };
        // Until now the wall clock alone knows its age.
        let age = now.wall.duration_since(token.issued()).unwrap_or_default();
        // One that is known already keeps what is known of it: its times by both clocks, and its draw.
        let known = leave.held.as_ref().filter(|held| {
            held.token.secret() == token.secret() && token.issued() <= held.token.issued()
        });
        let held = match known {
            Some(known) => known.clone(),
            None => self.held(token, now.ago(age), now.ago(age)),
        };
        if held.life(now) == Life::Expired || shelf.refuses(&held.token) {
            return None;
        }
        debug!("{server:?}: token store: a token, {age:?} old");
        if leave.spare(now) < Some(held.left(now)) {
            leave.held = Some(held.clone());
        }
        Some(held)
    }

    fn load(&self, desk: &Desk<'_>, deadline: Instant) -> Option<Zeroizing<Vec<u8>>> {
        let loaded = desk.ask(self.time(deadline), |store, name, time| {
            Ok(store.load(name, time)?.map(Zeroizing::new))
        });
        self.told("load", loaded)?
    }

    /// What one call to the store may take.
    fn time(&self, deadline: Instant) -> Duration {
        let share = self.now().until(deadline).checked_div(SHARE);
        share.unwrap_or_default().min(CALL)
    }

    /// What the store answered. That it failed is logged, and all that comes of it.
    fn told<T>(&self, what: &str, answer: Result<T, BoxError>) -> Option<T> {
        let server = &self.profile.endpoint;
        answer
            .inspect_err(|error| warn!("{server:?}: token store: {what} failed: {error}"))
            .ok()
    }
}
