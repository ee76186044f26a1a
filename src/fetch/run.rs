//! One fetch while it runs: its attempts, their time, and the secrets that a server's text must not repeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Moment;
use crate::error::Error;
use crate::fetch_context::{FailureScope, FetchCancellation, FetchContext, Urgency};
use crate::jwt::Assertion;
use crate::schedule;
use crate::token::AccessToken;

/// The longest time for one request: a token endpoint that needs longer is broken.
pub(crate) const MAX_REQUEST_TIME: Duration = Duration::from_secs(10);
/// The shortest time for one request: with less it would only time out, and hide why the last one failed.
const MIN_REQUEST_TIME: Duration = Duration::from_millis(50);
/// How many attempts one fetch makes, each newly signed. An attempt may have several requests: for metadata, and to
/// exchange once more by the server's clock.
const MAX_ATTEMPTS: u32 = 3;
/// The part of a call's time after which a timeout is conclusive. With less, the caller may have begun late, or the
/// token may have been refreshed shortly before its end.
const CONCLUSIVE_PART: f64 = 0.25;

/// The attempts of one fetch.
pub(super) struct FetchRun {
    pub(super) cancellation: FetchCancellation,
    pub(super) purpose: &'static str,
    /// The number of the current attempt, from one.
    pub(super) attempt: u32,
    max_attempts: u32,
    pub(super) deadline: Instant,
    /// The longest time for one request.
    max_request_time: Duration,
    /// A timeout that had at least this much time is remembered for all callers: the server, or the signer, is slow.
    conclusive_time: Duration,
    /// The assertions that were sent: a server's text may repeat any of them.
    pub(super) assertions: Vec<Arc<Assertion>>,
    /// The cached token, which a server's text may repeat too.
    cached: Option<AccessToken>,
}

impl FetchRun {
    /// Returns a run for the cache. A refresh makes one attempt, each request of which gets half of the cached token's
    /// remaining lifetime.
    pub(super) fn for_cache(context: &FetchContext, urgency: Urgency) -> Self {
        let (purpose, max_attempts, max_request_time) = match urgency {
            Urgency::CallersWait => ("fetch", MAX_ATTEMPTS, MAX_REQUEST_TIME),
            Urgency::Refresh { remaining_lifetime } => (
                "refresh",
                1,
                remaining_lifetime.mul_f64(0.5).min(MAX_REQUEST_TIME),
            ),
        };
        Self {
            cancellation: context.cancellation.clone(),
            purpose,
            attempt: 1,
            max_attempts,
            deadline: context.deadline,
            max_request_time,
            conclusive_time: context
                .timeout
                .mul_f64(CONCLUSIVE_PART)
                .min(MAX_REQUEST_TIME),
            assertions: Vec::new(),
            cached: context.best.as_ref().map(|best| best.token.clone()),
        }
    }

    /// Returns a run for one caller, whose outcome is not cached.
    pub(super) fn uncached(
        deadline: Instant,
        cancellation: FetchCancellation,
        cached: Option<AccessToken>,
    ) -> Self {
        Self {
            cancellation,
            purpose: "uncached fetch",
            attempt: 1,
            max_attempts: MAX_ATTEMPTS,
            deadline,
            max_request_time: MAX_REQUEST_TIME,
            conclusive_time: MAX_REQUEST_TIME,
            assertions: Vec::new(),
            cached,
        }
    }

    /// Returns what a server's text must not repeat, in addition to what the last request carried.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let assertions = self.assertions.iter().map(|assertion| assertion.secret());
        let cached = self.cached.iter().map(AccessToken::secret);
        assertions.chain(cached).collect()
    }

    /// Returns how long a request that is sent now may take.
    pub(super) fn request_time(&self, now: Moment) -> Result<Duration, Error> {
        match now.time_until(self.deadline).min(self.max_request_time) {
            Duration::ZERO => Err(Error::out_of_time()),
            time => Ok(time),
        }
    }

    /// Returns the pause before the next attempt, or `None` if this error ends the fetch.
    pub(super) fn pause_before_retry(
        &self,
        error: &Error,
        jitter: f64,
        time_left: Duration,
    ) -> Option<Duration> {
        if !error.is_retryable() || self.attempt >= self.max_attempts {
            return None;
        }
        // A server that says zero, or a date that has passed, does not mean: at once.
        let pause = match error.retry_after().filter(|pause| !pause.is_zero()) {
            Some(retry_after) => retry_after.min(schedule::MAX_OBEYED_RETRY_AFTER),
            None => schedule::backoff(self.attempt.saturating_sub(1), jitter),
        };
        let has_time = pause.saturating_add(MIN_REQUEST_TIME) < time_left;
        has_time.then_some(pause)
    }

    /// Returns whose failure the error is that ends the fetch.
    pub(super) fn failure_scope(
        &self,
        error: &Error,
        time_at_start: Duration,
        time_left: Duration,
    ) -> FailureScope {
        let had_time = self.attempt > 1 || self.had_conclusive_time(time_at_start, time_left);
        match error.is_timeout() && !had_time {
            true => FailureScope::FetchingCaller,
            false => FailureScope::AllCallers,
        }
    }

    /// Returns whether the first attempt had so much time that a timeout is no fault of this caller.
    fn had_conclusive_time(&self, time_at_start: Duration, time_left: Duration) -> bool {
        if self.max_request_time < self.conclusive_time {
            return false; // a refresh shortly before the token's end
        }
        // A call of 30 s that waited 29 s for another caller began with 1 s. If the request took all of it, the server
        // may only be slow. If time is left, the transport has given up by a limit of its own.
        time_at_start >= self.conclusive_time || !time_left.is_zero()
    }
}
