//! A fetch through a token store: what another process fetched, else one exchange for all of them.
//!
//! The store is never in the way. Its failures are logged, and so is what it invents; a call that takes too long is
//! not waited for; and whoever waits for another process goes on without it in time for an exchange.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, warn};
use zeroize::Zeroizing;

use crate::cache::{FetchContext, FetchFailure, Urgency};
use crate::error::{BoxError, Error};
use crate::fetch::{Fetch, MAX_ATTEMPT_TIME};
use crate::redact;
use crate::schedule::{CachedToken, Freshness};
use crate::store::{StoreLock, StoredTokens, TokenStore};
use crate::time_limit::TimeLimit;
use crate::token::AccessToken;

/// The longest time for one call to a store: a stored token has to cost less than an exchange.
const MAX_CALL_TIME: Duration = Duration::from_secs(1);
/// A call gets one of so many parts of the time that the caller has left.
const PARTS_OF_TIME_LEFT: u32 = 8;
/// The first pause while another process fetches; it doubles up to [`MAX_POLL`].
const FIRST_POLL: Duration = Duration::from_millis(10);
/// The longest pause while another process fetches: its token is soon noticed.
const MAX_POLL: Duration = Duration::from_millis(250);

/// What a token store adds to a source. Only [`SharedTokens::boxed`] names what implements it, so that a program
/// without a store links nothing of it.
pub(crate) trait SharedFetch: Send + Sync {
    /// Returns what another process fetched, else fetches.
    fn fetch(&self, fetch: &Fetch, context: FetchContext) -> Result<CachedToken, FetchFailure>;
    /// Saves a token for the other processes.
    fn save(&self, fetch: &Fetch, cached: &CachedToken, deadline: Instant);
    /// Takes this token from the store no more, not even in a fetch that has loaded it.
    fn reject(&self, token: &AccessToken);
    /// Removes a rejected token from the store.
    fn remove_rejected(&self, fetch: &Fetch);
    /// Removes the stored token, whatever it is.
    fn remove(&self, fetch: &Fetch);
}

/// The tokens of one identity in a store.
pub(crate) struct SharedTokens {
    store: Arc<dyn TokenStore>,
    tokens: StoredTokens,
    time_limit: TimeLimit,
}

impl SharedTokens {
    pub(crate) fn boxed(
        fetch: &Fetch,
        store: impl TokenStore + 'static,
    ) -> Result<Box<dyn SharedFetch>, Error> {
        let identity = fetch.profile.identity(&*fetch.signer).ok_or_else(|| {
            Error::config(
                "a token store needs a signer that says which key it is: implement Signer::identity",
            )
        })?;
        Ok(Box::new(Self {
            store: Arc::new(store),
            tokens: StoredTokens::new(identity),
            time_limit: TimeLimit::default(),
        }))
    }

    fn session<'s>(&'s self, fetch: &'s Fetch, deadline: Instant) -> StoreSession<'s> {
        StoreSession {
            shared: self,
            fetch,
            deadline,
            is_usable: true,
            lock: None,
        }
    }

    /// Waits for a token of another process, or until it is this one's turn to fetch.
    fn wait(&self, session: &mut StoreSession<'_>, context: &mut FetchContext) -> Waited {
        let fetch = session.fetch;
        let wait_limit = wait_limit(fetch, context);
        let give_up_at = fetch.now().after(wait_limit);
        let mut poll = FIRST_POLL;
        let mut found = session.load(context);
        loop {
            if let Some(cached) = found.take_if(|found| is_fresh(fetch, found)) {
                return Waited::Token(cached);
            }
            let left = fetch.now().until(give_up_at);
            if session.lock.is_some() || left.is_zero() {
                return Waited::Fetch { fallback: found };
            }
            match session.try_lock() {
                // A token may have been saved just before the lock was released: it is loaded below.
                Locked::Here => {}
                Locked::Elsewhere => {
                    if poll == FIRST_POLL {
                        let server = &fetch.profile.endpoint;
                        debug!(
                            "{server:?}: token store: another process fetches, {wait_limit:?} for it"
                        );
                    }
                    fetch.clock.sleep(poll.min(left));
                    poll = poll.saturating_mul(2).min(MAX_POLL);
                }
                Locked::Nowhere => return Waited::Fetch { fallback: found },
            }
            found = session.load(context).or(found);
        }
    }
}

/// How the wait for other processes ended.
enum Waited {
    /// Another process fetched this token.
    Token(CachedToken),
    /// This process fetches, with a token to fall back on if there is one.
    Fetch { fallback: Option<CachedToken> },
}

/// Where the lock is.
enum Locked {
    Here,
    Elsewhere,
    /// The store failed.
    Nowhere,
}

fn is_fresh(fetch: &Fetch, cached: &CachedToken) -> bool {
    cached.freshness(fetch.now()) == Freshness::Fresh
}

/// Returns how long to wait for another process: not the time for an exchange of our own, nor half of what is left.
fn wait_limit(fetch: &Fetch, context: &FetchContext) -> Duration {
    let now = fetch.now();
    match context.urgency(now) {
        Urgency::Waited => {
            let left = now.until(context.deadline);
            left.saturating_sub(MAX_ATTEMPT_TIME).max(left.mul_f64(0.5))
        }
        Urgency::Refresh { remaining_lifetime } => {
            remaining_lifetime.mul_f64(0.5).min(MAX_ATTEMPT_TIME)
        }
    }
}

impl SharedFetch for SharedTokens {
    fn fetch(&self, fetch: &Fetch, mut context: FetchContext) -> Result<CachedToken, FetchFailure> {
        let mut session = self.session(fetch, context.deadline);
        let fallback = match self.wait(&mut session, &mut context) {
            Waited::Token(cached) => return Ok(cached),
            Waited::Fetch { fallback } => fallback,
        };
        let cached = fetch.fetch(&context).map_err(|failed| FetchFailure {
            // It may have been invalidated since.
            fallback: fallback.filter(|found| !self.tokens.is_rejected(&found.token)),
            ..failed
        })?;
        session.save(&cached);
        Ok(cached)
    }

    fn save(&self, fetch: &Fetch, cached: &CachedToken, deadline: Instant) {
        self.session(fetch, deadline).save(cached);
    }

    fn reject(&self, token: &AccessToken) {
        self.tokens.reject(token);
    }

    fn remove_rejected(&self, fetch: &Fetch) {
        let mut session = self.session(fetch, fetch.now().after(time_for_calls()));
        let Some(bytes) = session.load_bytes() else {
            return;
        };
        let token = self.tokens.decode(&bytes, fetch.clock.now());
        if token.is_ok_and(|token| self.tokens.is_rejected(&token)) {
            session.remove(bytes);
        }
    }

    fn remove(&self, fetch: &Fetch) {
        let mut session = self.session(fetch, fetch.now().after(time_for_calls()));
        if let Some(bytes) = session.load_bytes() {
            session.remove(bytes);
        }
    }
}

/// Enough time for each call to have the most that a call gets.
fn time_for_calls() -> Duration {
    MAX_CALL_TIME.saturating_mul(PARTS_OF_TIME_LEFT)
}

/// The calls of one fetch to a store. Dropping it releases the lock.
struct StoreSession<'s> {
    shared: &'s SharedTokens,
    fetch: &'s Fetch,
    deadline: Instant,
    /// Whether every call so far returned in its time.
    is_usable: bool,
    lock: Option<StoreLock>,
}

impl StoreSession<'_> {
    /// Loads a token that has not expired, and makes it the best known one where it is.
    fn load(&mut self, context: &mut FetchContext) -> Option<CachedToken> {
        let bytes = self.load_bytes()?;
        let (fetch, tokens) = (self.fetch, &self.shared.tokens);
        let (server, now) = (&fetch.profile.endpoint, fetch.now());
        let token = match tokens.decode(&bytes, now.wall) {
            Ok(token) => token,
            Err(why) => {
                warn!("{server:?}: token store: what it holds is ignored: {why}");
                return None;
            }
        };
        // Another process's clock alone knows its age.
        let age = now.wall.duration_since(token.issued()).unwrap_or_default();
        // The known token keeps what is known of it: its times by both clocks, and its jitter.
        let known = context.known.as_ref().filter(|known| {
            known.token.secret() == token.secret() && token.issued() <= known.token.issued()
        });
        let cached = match known {
            Some(known) => known.clone(),
            None => fetch.cached_token(token, now.ago(age), now.ago(age)),
        };
        if cached.has_expired(now) || tokens.is_rejected(&cached.token) {
            return None;
        }
        debug!("{server:?}: token store: a token, {age:?} old");
        if cached.outlives(context.known.as_ref(), now) {
            context.known = Some(cached.clone());
        }
        Some(cached)
    }

    fn load_bytes(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.call("load", |store, name, time| {
            Ok(store.load(name, time)?.map(Zeroizing::new))
        })?
    }

    fn try_lock(&mut self) -> Locked {
        match self.call("lock", |store, name, time| store.try_lock(name, time)) {
            Some(Some(lock)) => {
                self.lock = Some(lock);
                Locked::Here
            }
            Some(None) => Locked::Elsewhere,
            None => Locked::Nowhere,
        }
    }

    fn save(&mut self, cached: &CachedToken) {
        let lifetime = cached.remaining_lifetime(self.fetch.now());
        match self.shared.tokens.encode(&cached.token) {
            Ok(bytes) => {
                self.call("save", move |store, name, time| {
                    store.save(name, &bytes, lifetime, time)
                });
            }
            Err(error) => self.record("save", &error.to_string()),
        }
    }

    fn remove(&mut self, bytes: Zeroizing<Vec<u8>>) {
        self.call("remove", move |store, name, time| {
            store.remove(name, &bytes, time)
        });
    }

    /// Calls the store within a time limit. A failure is recorded, and that is all that comes of it.
    fn call<T: Send + 'static>(
        &mut self,
        what: &str,
        call: impl FnOnce(&dyn TokenStore, &str, Duration) -> Result<T, BoxError> + Send + 'static,
    ) -> Option<T> {
        if !self.is_usable {
            return None;
        }
        let (limit, store) = (self.limit(), self.shared.store.clone());
        let name = self.shared.tokens.name().to_owned();
        let returned = self
            .shared
            .time_limit
            .run(limit, move || call(&*store, &name, limit));
        match returned {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => self.record(what, &error.to_string()),
            Err(unfinished) => {
                self.is_usable = false;
                self.record(what, &unfinished.to_string());
            }
        }
        None
    }

    fn record(&self, what: &str, error: &str) {
        let failure = format!("{what} failed: {}", redact::visible(error));
        warn!("{:?}: token store: {failure}", self.fetch.profile.endpoint);
        self.fetch.state().store_error = Some(failure);
    }

    fn limit(&self) -> Duration {
        let left = self.fetch.now().until(self.deadline);
        let part = left.checked_div(PARTS_OF_TIME_LEFT).unwrap_or_default();
        part.min(MAX_CALL_TIME)
    }
}

impl Drop for StoreSession<'_> {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            // Releasing may take as long as any call. It goes on where it takes longer.
            let _ = self.shared.time_limit.run(self.limit(), || drop(lock));
        }
    }
}
