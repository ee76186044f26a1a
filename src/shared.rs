//! A fetch through a token store: what another process fetched, else one exchange for all of them.
//!
//! A store that fails never prevents a token. Its failures are logged, and so are tokens that it cannot have got from
//! this crate. A call that takes too long is abandoned. A wait for another process ends in time for an exchange.
//!
//! Only the fetch in flight saves a token, and removes it again if it was cancelled meanwhile. It keeps the lock
//! until it ends, another fetch replaces it, or the source is cleared. `clear` and `invalidate` remove stored tokens.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{debug, warn};
use zeroize::Zeroizing;

use crate::clock::Moment;
use crate::error::{BoxError, Error};
use crate::fetch::{Fetcher, MAX_REQUEST_TIME};
use crate::fetch_context::{FetchCancellation, FetchContext, FetchFailure, Urgency};
use crate::redact;
use crate::schedule::{CachedToken, Freshness, Wanted};
use crate::signer::CurrentSigner;
use crate::store::{RejectedTokens, StoreEntries, StoreEntry, StoreLock, TokenStore};
use crate::time_limit::TimeLimit;
use crate::token::AccessToken;

/// The longest time for one call to a store: a stored token has to cost less than an exchange.
const MAX_CALL_TIME: Duration = Duration::from_secs(1);
/// A call in a fetch gets at most one eighth of the caller's remaining time.
const TIME_LEFT_DIVISOR: u32 = 8;
/// Saving a token gets at least this much time: a late token is shared too.
const MIN_SAVE_TIME: Duration = Duration::from_millis(50);
/// Releasing the lock gets at least this much: with [`MIN_SAVE_TIME`] less than the overtime of a fetch in the cache.
const MIN_RELEASE_TIME: Duration = Duration::from_millis(25);
/// The first pause while another process fetches; it doubles up to [`MAX_POLL`].
const FIRST_POLL: Duration = Duration::from_millis(10);
/// The longest pause while another process fetches: its token is soon noticed.
const MAX_POLL: Duration = Duration::from_millis(250);

/// What a token store adds to a source. Only [`SharedTokens::boxed`] names what implements it, so that a program
/// without a store links nothing of it.
pub(crate) trait SharedFetch: Send + Sync {
    /// Returns what another process fetched, else fetches.
    fn fetch(&self, fetcher: &Fetcher, context: FetchContext) -> Result<CachedToken, FetchFailure>;
    /// Rejects this token from now on, even in a fetch that has already loaded it.
    fn reject(&self, token: &AccessToken);
    /// Removes a rejected token from the store.
    fn remove_rejected(&self, fetcher: &Fetcher);
    /// Removes the stored token, whatever it is. Returns whether there was one.
    fn remove(&self, fetcher: &Fetcher) -> bool;
}

/// The tokens of one identity in a store.
pub(crate) struct SharedTokens {
    store: Arc<dyn TokenStore>,
    entries: StoreEntries,
    rejected: RejectedTokens,
    time_limit: TimeLimit,
    /// The lock of the current fetch, and left-over locks, which the next fetch releases: those of hung fetches, and
    /// those for whose release no thread could be started.
    locks: Mutex<Vec<HeldLock>>,
    /// Counts sessions, to tell them apart.
    sessions: AtomicU64,
}

/// A lock, and the session that took it.
struct HeldLock {
    session: u64,
    lock: StoreLock,
}

impl SharedTokens {
    pub(crate) fn boxed(
        fetcher: &Fetcher,
        store: impl TokenStore + 'static,
    ) -> Result<Box<dyn SharedFetch>, Error> {
        let signer = CurrentSigner::of(&*fetcher.signer);
        let identity = fetcher.profile.token_identity(&*signer).ok_or_else(|| {
            Error::config(
                "a token store needs a signer that says which key it is: implement Signer::identity",
            )
        })?;
        Ok(Box::new(Self {
            store: Arc::new(store),
            entries: StoreEntries::new(identity),
            rejected: RejectedTokens::default(),
            time_limit: TimeLimit::default(),
            locks: Mutex::default(),
            sessions: AtomicU64::default(),
        }))
    }

    fn session<'s>(&'s self, fetcher: &'s Fetcher, deadline: Option<Instant>) -> StoreSession<'s> {
        StoreSession {
            shared: self,
            entry: self.current_entry(fetcher),
            fetcher,
            deadline,
            is_usable: true,
            number: self.sessions.fetch_add(1, Ordering::Relaxed),
            is_locked: false,
            logged: None,
        }
    }

    /// Returns the entry of the key that signs now. The token of a key that was replaced stays in the store until it
    /// expires.
    fn current_entry(&self, fetcher: &Fetcher) -> Arc<StoreEntry> {
        // A key that is never replaced has one identity.
        let signer = CurrentSigner::of(&*fetcher.signer);
        let identity = match signer.may_be_replaced() {
            true => fetcher.profile.token_identity(&*signer),
            false => None,
        };
        self.entries.current(identity)
    }

    /// Releases the locks of the sessions for which `may_release` is true.
    ///
    /// A release that takes longer than `limit` continues on its thread. A lock for whose release no thread can be
    /// started is kept until the next call: dropping it here could hang.
    fn release(&self, limit: Duration, may_release: impl Fn(u64) -> bool) {
        let mut locks = self.locks();
        let (released, kept): (Vec<_>, Vec<_>) = mem::take(&mut *locks)
            .into_iter()
            .partition(|held| may_release(held.session));
        *locks = kept;
        drop(locks);
        for HeldLock { session, lock } in released {
            if let Some(lock) = self.time_limit.drop_within(limit, lock) {
                self.locks().push(HeldLock { session, lock });
            }
        }
    }
    fn locks(&self) -> MutexGuard<'_, Vec<HeldLock>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for another process's token, until this process has the lock, the store fails or the limit passes.
    fn wait(&self, session: &mut StoreSession<'_>, context: &mut FetchContext) -> WaitOutcome {
        // Whoever wants a new token fetches it whatever others do, so no lock is taken.
        if context.wanted == Wanted::NewToken {
            return WaitOutcome::FetchNow { fallback: None };
        }
        let fetcher = session.fetcher;
        let mut give_up_at = context.deadline;
        let mut poll = FIRST_POLL;
        let cached = context.best.clone();
        let mut found = None;
        loop {
            match session.load(context.best.as_ref()) {
                Ok(Some(loaded)) => {
                    context.consider(&loaded, fetcher.now());
                    found = Some(loaded);
                }
                // A token that was there is gone: another process removed it, or it has expired.
                Ok(None) => {
                    if found.take().is_some() {
                        give_up_at = context.deadline;
                        context.best.clone_from(&cached);
                    }
                }
                Err(StoreFailed) => {} // a token found before may still be there
            }
            let now = fetcher.now();
            // Shorter once there is a token that is only to be refreshed.
            give_up_at = give_up_at.min(now.deadline_in(wait_limit(now, context)));
            let is_wanted = |found: &mut CachedToken| {
                found.freshness(now) == Freshness::Fresh && context.accepts(found, now)
            };
            if let Some(cached) = found.take_if(is_wanted) {
                return WaitOutcome::Found(cached);
            }
            let left = now.time_until(give_up_at);
            if session.is_locked || left.is_zero() {
                return WaitOutcome::FetchNow { fallback: found };
            }
            match session.try_lock() {
                // A token may have been saved just before the lock was released: it is loaded next.
                Ok(true) => {}
                Ok(false) => {
                    if poll == FIRST_POLL {
                        let server = &fetcher.profile.endpoint;
                        debug!("{server:?}: token store: another process fetches, {left:?} for it");
                    }
                    fetcher.clock.sleep(poll.min(left));
                    poll = poll.saturating_mul(2).min(MAX_POLL);
                }
                Err(StoreFailed) => return WaitOutcome::FetchNow { fallback: found },
            }
        }
    }
}

/// How the wait for other processes ended.
enum WaitOutcome {
    /// Another process fetched this token.
    Found(CachedToken),
    /// This process fetches, with a token to fall back on if there is one.
    FetchNow { fallback: Option<CachedToken> },
}

/// A call to the store failed, which has been recorded.
struct StoreFailed;

/// Returns how long to wait for another process: the time left minus one exchange, but at least half of it. In a
/// refresh it is half of the cached token's remaining lifetime, at most 10 seconds.
fn wait_limit(now: Moment, context: &FetchContext) -> Duration {
    match context.urgency(now) {
        Urgency::CallersWait => {
            let left = now.time_until(context.deadline);
            left.saturating_sub(MAX_REQUEST_TIME).max(left.mul_f64(0.5))
        }
        Urgency::Refresh { remaining_lifetime } => {
            remaining_lifetime.mul_f64(0.5).min(MAX_REQUEST_TIME)
        }
    }
}

impl SharedFetch for SharedTokens {
    fn fetch(
        &self,
        fetcher: &Fetcher,
        mut context: FetchContext,
    ) -> Result<CachedToken, FetchFailure> {
        let mut session = self.session(fetcher, Some(context.deadline));
        // No other fetch is current, so all these locks are left over.
        self.release(session.call_limit(), |_| true);
        let fallback = match self.wait(&mut session, &mut context) {
            WaitOutcome::Found(cached) => {
                fetcher.forget_error(&context.cancellation);
                return Ok(cached);
            }
            WaitOutcome::FetchNow { fallback } => fallback,
        };
        let cached = fetcher.fetch(&context).map_err(|failed| FetchFailure {
            // The fallback may have been invalidated meanwhile.
            fallback: fallback.filter(|found| !self.rejected.contains(&found.token)),
            ..failed
        })?;
        // If the key was replaced meanwhile, it is not known which of the two signed.
        let is_same_key = Arc::ptr_eq(&session.entry, &self.current_entry(fetcher));
        if is_same_key && !context.cancellation.is_cancelled() {
            session.save(&cached, context.cancellation);
        }
        Ok(cached)
    }

    fn reject(&self, token: &AccessToken) {
        self.rejected.add(token);
    }

    fn remove_rejected(&self, fetcher: &Fetcher) {
        let mut session = self.session(fetcher, None);
        session.remove_each(|entry, bytes| {
            let token = entry.decode(bytes, fetcher.clock.now());
            token.is_ok_and(|token| self.rejected.contains(&token))
        });
    }

    fn remove(&self, fetcher: &Fetcher) -> bool {
        let mut session = self.session(fetcher, None);
        self.release(session.call_limit(), |_| true); // of a fetch that `clear` cancelled
        session.remove_each(|_, _| true)
    }
}

impl Drop for SharedTokens {
    fn drop(&mut self) {
        self.release(MAX_CALL_TIME, |_| true);
        mem::forget(mem::take(&mut *self.locks())); // dropping a lock on this thread could hang
    }
}

/// The calls to a store of one fetch, `invalidate` or `clear`. Dropping it releases the lock.
struct StoreSession<'s> {
    shared: &'s SharedTokens,
    entry: Arc<StoreEntry>,
    fetcher: &'s Fetcher,
    /// The deadline of the fetch, if it is one.
    deadline: Option<Instant>,
    /// False once a call timed out, panicked or got no thread: the store is not called again in this session.
    is_usable: bool,
    number: u64,
    is_locked: bool,
    /// The problem that was logged last. A wait for a lock meets the same one at every poll.
    logged: Option<String>,
}

impl StoreSession<'_> {
    /// Loads a token that is neither expired nor rejected. `best` is the best token of this process.
    fn load(&mut self, best: Option<&CachedToken>) -> Result<Option<CachedToken>, StoreFailed> {
        let Some(bytes) = self.load_bytes()? else {
            return Ok(None);
        };
        let (fetcher, entry) = (self.fetcher, &self.entry);
        let (server, now) = (&fetcher.profile.endpoint, fetcher.now());
        let token = match entry.decode(&bytes, now.wall) {
            Ok(token) => token,
            Err(why) => {
                self.warn(format!("what it holds is ignored: {why}"));
                return Ok(None);
            }
        };
        // The wall clock dates it: a monotonic clock means nothing to another process.
        let age = now.wall.duration_since(token.issued()).unwrap_or_default();
        // A token that this process already has keeps its own times and jitter.
        let same = best.filter(|best| {
            best.token.secret() == token.secret() && token.issued() <= best.token.issued()
        });
        let cached = match same {
            Some(same) => same.clone(),
            None => CachedToken {
                is_own: false,
                ..fetcher.new_cached_token(token, now.minus(age), now.minus(age))
            },
        };
        if cached.has_expired(now) || self.shared.rejected.contains(&cached.token) {
            return Ok(None);
        }
        debug!("{server:?}: token store: a token, {age:?} old");
        Ok(Some(cached))
    }

    fn load_bytes(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, StoreFailed> {
        self.call(self.call_limit(), "load", |store, name, time| {
            Ok(store.load(name, time)?.map(Zeroizing::new))
        })
    }

    /// Returns whether this process has the lock now, and no other one has it.
    fn try_lock(&mut self) -> Result<bool, StoreFailed> {
        let try_lock = |store: &dyn TokenStore, name: &str, time| store.try_lock(name, time);
        let Some(lock) = self.call(self.call_limit(), "lock", try_lock)? else {
            return Ok(false);
        };
        let session = self.number;
        self.shared.locks().push(HeldLock { session, lock });
        self.is_locked = true;
        Ok(true)
    }

    /// Saves a token, and removes it again if the fetch was cancelled meanwhile.
    fn save(&mut self, cached: &CachedToken, cancellation: FetchCancellation) {
        let now = self.fetcher.now();
        let lifetime = cached.remaining_lifetime(now);
        match self.entry.encode(&cached.token) {
            Ok(bytes) => {
                let limit = self.call_limit().max(MIN_SAVE_TIME);
                let _ = self.call(limit, "save", move |store, name, time| {
                    let saved = store.save(name, &bytes, lifetime, time);
                    let done = saved.and_then(|()| match cancellation.is_cancelled() {
                        // `clear` looked into the store before the token was saved.
                        true => store.remove(name, &bytes, time),
                        false => Ok(()),
                    });
                    done.map_err(|error| without_token(&error, &bytes))
                });
            }
            Err(error) => self.record("save", &error.to_string()),
        }
    }

    /// Removes what the store has for this key, and for the one that it replaced. Returns whether there was anything.
    fn remove_each(&mut self, is_wanted: impl Fn(&StoreEntry, &[u8]) -> bool) -> bool {
        let former = self.shared.entries.former();
        let mut is_removed = false;
        for entry in [Some(self.entry.clone()), former].into_iter().flatten() {
            self.entry = entry.clone();
            let bytes = self.load_bytes().ok().flatten();
            let bytes = bytes.filter(|bytes| is_wanted(&entry, bytes));
            is_removed |= bytes.is_some_and(|bytes| self.remove(bytes).is_ok());
        }
        is_removed
    }

    fn remove(&mut self, bytes: Zeroizing<Vec<u8>>) -> Result<(), StoreFailed> {
        self.call(self.call_limit(), "remove", move |store, name, time| {
            let removed = store.remove(name, &bytes, time);
            removed.map_err(|error| without_token(&error, &bytes))
        })
    }

    /// Calls the store within a time limit. Records a failure.
    fn call<T: Send + 'static>(
        &mut self,
        limit: Duration,
        what: &str,
        call: impl FnOnce(&dyn TokenStore, &str, Duration) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        if !self.is_usable {
            return Err(StoreFailed);
        }
        let store = self.shared.store.clone();
        let name = self.entry.name().to_owned();
        let returned = self.shared.time_limit.run(limit, move || {
            call(&*store, &name, limit).map_err(|error| error.to_string())
        });
        match returned {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => self.record(what, &error),
            Err(error) => {
                self.is_usable = false;
                self.record(what, &error.to_string());
            }
        }
        Err(StoreFailed)
    }

    fn record(&mut self, what: &str, error: &str) {
        let failure = format!("{what} failed: {}", redact::redact(error, &[]));
        self.fetcher.state().store_error = Some(failure.clone());
        self.warn(failure);
    }

    /// Logs a problem, unless it is the one that was logged last.
    fn warn(&mut self, problem: String) {
        if self.logged.as_ref() != Some(&problem) {
            let server = &self.fetcher.profile.endpoint;
            warn!("{server:?}: token store: {problem}");
            self.logged = Some(problem);
        }
    }

    fn call_limit(&self) -> Duration {
        let Some(deadline) = self.deadline else {
            return MAX_CALL_TIME;
        };
        let left = self.fetcher.now().time_until(deadline);
        let part = left.checked_div(TIME_LEFT_DIVISOR).unwrap_or_default();
        part.min(MAX_CALL_TIME)
    }
}

/// Returns an error of a store without the bytes that were stored.
fn without_token(error: &BoxError, bytes: &[u8]) -> BoxError {
    let stored = std::str::from_utf8(bytes).unwrap_or_default();
    redact::redact(&error.to_string(), &[stored]).into()
}

impl Drop for StoreSession<'_> {
    fn drop(&mut self) {
        if self.is_locked {
            let limit = self.call_limit().max(MIN_RELEASE_TIME);
            let number = self.number;
            self.shared.release(limit, |session| session == number);
        }
    }
}
