//! What the token cache gives to a fetch, and what a fetch that fails gives back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Moment;
use crate::error::Error;
use crate::schedule::{CachedToken, Wanted};

/// What a fetch may use.
pub(crate) struct FetchContext {
    pub(crate) deadline: Instant,
    /// The timeout of the whole call, a part of which may have passed.
    pub(crate) timeout: Duration,
    pub(crate) wanted: Wanted,
    pub(crate) cancellation: FetchCancellation,
    /// The best token known so far, even one that has expired.
    pub(crate) best: Option<CachedToken>,
}

/// Whether callers wait for a fetch.
#[derive(Clone, Copy)]
pub(crate) enum Urgency {
    /// Callers wait for the token.
    CallersWait,
    /// Callers get the cached token meanwhile.
    Refresh { remaining_lifetime: Duration },
}

impl FetchContext {
    /// Returns whether the caller can use this token.
    pub(crate) fn accepts(&self, token: &CachedToken, now: Moment) -> bool {
        !token.has_expired(now) && self.wanted.accepts(token, now)
    }

    /// Keeps this token as the best one known, if it outlives the one known so far.
    pub(crate) fn consider(&mut self, token: &CachedToken, now: Moment) {
        if token.outlives(self.best.as_ref(), now) {
            self.best = Some(token.clone());
        }
    }

    pub(crate) fn urgency(&self, now: Moment) -> Urgency {
        let usable = self.best.as_ref().filter(|best| self.accepts(best, now));
        usable.map_or(Urgency::CallersWait, |best| Urgency::Refresh {
            remaining_lifetime: best.remaining_lifetime(now),
        })
    }
}

/// Says whether a fetch was cancelled: whether another fetch replaced it, or the cache was cleared.
///
/// A cancelled fetch runs to its end. Its own caller gets the outcome, but no other caller does.
#[derive(Clone)]
pub(crate) struct FetchCancellation {
    is_cleared: Arc<AtomicBool>,
    is_replaced: Arc<AtomicBool>,
}

impl FetchCancellation {
    /// Returns the cancellation of a fetch that begins now. The cache sets `is_cleared` when it is cleared.
    pub(crate) fn new(is_cleared: Arc<AtomicBool>) -> Self {
        Self {
            is_cleared,
            is_replaced: Arc::default(),
        }
    }

    /// Cancels this fetch because another one replaces it.
    pub(crate) fn set_replaced(&self) {
        self.is_replaced.store(true, Ordering::Relaxed);
    }

    /// Returns whether another fetch replaced this one, or the cache was cleared since it began.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cleared.load(Ordering::Relaxed) || self.is_replaced.load(Ordering::Relaxed)
    }
}

/// A fetch that brought no token.
pub(crate) struct FetchFailure {
    pub(crate) error: Error,
    /// A random number from 0 to 1, which varies how long the failure is remembered.
    pub(crate) jitter: f64,
    pub(crate) scope: FailureScope,
    /// A token that the fetch found in a store and that has not expired.
    pub(crate) fallback: Option<CachedToken>,
}

/// Whose failure it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureScope {
    /// Every caller would have failed: the failure is shared and remembered.
    AllCallers,
    /// The fetching caller had too little time: the waiters fetch for themselves.
    FetchingCaller,
}
