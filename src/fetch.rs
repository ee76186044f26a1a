//! Fetches one token over the network: retries, endpoint rediscovery, clock correction, one exchange.
//!
//! Any fetch that is not cancelled writes what is remembered between fetches, and `clear` removes it. Two things
//! protect the server, so a cancelled fetch writes them too, and nothing removes them: each used `iat`, and the time of
//! the last token. The last error of a token store is written by every fetch.

mod run;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{io, mem};

use log::{debug, warn};

use self::run::FetchRun;
pub(crate) use self::run::MAX_REQUEST_TIME;
use crate::clock::{Clock, Moment};
use crate::discovery::EndpointSearch;
use crate::endpoint::EndpointKind;
use crate::error::{Error, ErrorKind};
use crate::exchange::{self, Exchange};
use crate::fetch_context::{FetchCancellation, FetchContext, FetchFailure, Urgency};
use crate::message::{Request, Response};
use crate::profile::{Jti, Profile};
use crate::redact::shorten;
use crate::schedule::{self, CachedToken};
use crate::signer::{CurrentSigner, Signer};
use crate::token::AccessToken;
use crate::transport::Transport;

/// The shortest time between two tokens: calling `invalidate` and `token` in a loop must not flood a server. A caller
/// with less than twice this time waits for half of its time only.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// How often the clock is read while waiting for the next second.
const NEXT_SECOND_POLL: Duration = Duration::from_millis(100);
/// The longest round trip after which a `Date` is used. The server may have written it at any time of the round trip,
/// so it is wrong by up to half of that. It has whole seconds, so it is wrong by up to another second. Some servers
/// tolerate a difference of only ten seconds.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(4);
/// The clock difference, in seconds, from which no correction is made: that clock is not skewed but wrong.
const UNCORRECTABLE_SKEW: u64 = 24 * 3600;

/// Fetches tokens for one profile and one key.
pub(crate) struct Fetcher {
    pub(crate) profile: Arc<Profile>,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) clock: Box<dyn Clock>,
    /// Seconds by which our clock may be wrong before assertions are signed by the server's; `None` for never.
    pub(crate) clock_tolerance: Option<u64>,
    /// Returns a random number from 0 to 1.
    pub(crate) jitter: fn() -> f64,
    pub(crate) state: Mutex<FetcherState>,
}

/// What a source remembers between fetches, and what its status reports.
#[derive(Clone, Default)]
pub(crate) struct FetcherState {
    /// The profile with the endpoint that discovery found.
    resolved: Option<Arc<Profile>>,
    /// The `iat` of every assertion without `jti`, in seconds, sorted. A token every five minutes takes a megabyte a
    /// year.
    used_iat: Vec<u64>,
    /// When the last token for the cache came.
    last_exchange: Option<Moment>,
    /// Seconds that the server's clock is ahead of ours, as last seen.
    pub(crate) clock_offset: Option<i64>,
    /// Seconds that are added to `iat` and `exp`.
    clock_correction: i64,
    pub(crate) exchanges: u64,
    pub(crate) failures: u64,
    pub(crate) last_error: Option<Error>,
    /// Why the token store failed last, if there is one.
    pub(crate) store_error: Option<String>,
}

impl FetcherState {
    /// Forgets everything but what protects the server: no assertion is sent twice, and tokens are a second apart.
    ///
    /// Returns the forgotten state, to be dropped without the lock: the source of an error is foreign code.
    pub(crate) fn clear(&mut self) -> Self {
        let kept = Self {
            used_iat: mem::take(&mut self.used_iat),
            last_exchange: self.last_exchange,
            ..Self::default()
        };
        mem::replace(self, kept)
    }

    /// Records the `iat` of an assertion. Returns whether no assertion had it before.
    fn record_iat(&mut self, iat: u64) -> bool {
        match self.used_iat.binary_search(&iat) {
            Ok(_) => false,
            Err(at) => {
                self.used_iat.insert(at, iat);
                true
            }
        }
    }
}

impl Fetcher {
    /// Fetches a token for the cache.
    pub(crate) fn fetch(&self, context: &FetchContext) -> Result<CachedToken, FetchFailure> {
        self.keep_interval(context.deadline);
        let urgency = context.urgency(self.now());
        let outcome = self.with_retries(FetchRun::for_cache(context, urgency));
        match (&outcome, urgency) {
            (Ok(cached), _) => self.state().last_exchange = Some(cached.received),
            (Err(failed), Urgency::Refresh { remaining_lifetime }) => warn!(
                "{:?}: refresh failed, the cached token is served for {remaining_lifetime:?}: {}",
                self.profile.endpoint, failed.error
            ),
            (Err(_), Urgency::CallersWait) => {}
        }
        outcome
    }

    /// Fetches a token for one caller.
    pub(crate) fn fetch_uncached(
        &self,
        deadline: Instant,
        cancellation: FetchCancellation,
        cached: Option<AccessToken>,
    ) -> Result<AccessToken, Error> {
        let outcome = self.with_retries(FetchRun::uncached(deadline, cancellation, cached));
        outcome.map(|it| it.token).map_err(|failed| failed.error)
    }

    /// Waits if the last token came less than [`MIN_INTERVAL`] ago, for at most half of the caller's remaining time.
    fn keep_interval(&self, deadline: Instant) {
        let now = self.now();
        let last = self.state().last_exchange;
        let since = last.map_or(MIN_INTERVAL, |last| now.since(last));
        let pause = MIN_INTERVAL.saturating_sub(since);
        let pause = pause.min(now.time_until(deadline).mul_f64(0.5));
        if !pause.is_zero() {
            self.clock.sleep(pause);
        }
    }

    /// Repeats an attempt after a retryable error.
    fn with_retries(&self, mut run: FetchRun) -> Result<CachedToken, FetchFailure> {
        let time_at_start = self.now().time_until(run.deadline);
        loop {
            let error = match self.with_rediscovery(&mut run) {
                Ok(cached) => {
                    self.record(None, &run);
                    return Ok(cached);
                }
                Err(error) => error,
            };
            let jitter = (self.jitter)();
            let time_left = self.now().time_until(run.deadline);
            let Some(pause) = run.pause_before_retry(&error, jitter, time_left) else {
                self.record(Some(error.clone()), &run);
                return Err(FetchFailure {
                    scope: run.failure_scope(&error, time_at_start, time_left),
                    error,
                    jitter,
                    fallback: None,
                });
            };
            run.attempt = run.attempt.saturating_add(1);
            let (server, purpose, attempt) = (&self.profile.endpoint, run.purpose, run.attempt);
            debug!("{server:?}: {purpose}, attempt {attempt} in {pause:?}");
            self.clock.sleep(pause);
        }
    }

    /// Forgets the last error, because a token was found, unless the fetch was cancelled.
    pub(crate) fn forget_error(&self, cancellation: &FetchCancellation) {
        let error = self.update_unless_cancelled(cancellation, |state| state.last_error.take());
        drop(error); // without the lock: its source is foreign code
    }

    fn record(&self, error: Option<Error>, run: &FetchRun) {
        let earlier_error = self.update_unless_cancelled(&run.cancellation, |state| {
            match error {
                None => state.exchanges = state.exchanges.saturating_add(1),
                Some(_) => state.failures = state.failures.saturating_add(1),
            }
            mem::replace(&mut state.last_error, error)
        });
        drop(earlier_error); // without the lock: its source is foreign code
    }

    /// Exchanges at the endpoint that was resolved earlier; if it is gone, resolves it again and repeats the exchange.
    fn with_rediscovery(&self, run: &mut FetchRun) -> Result<CachedToken, Error> {
        let resolved = self.state().resolved.clone();
        if let Some(resolved) = resolved {
            let outcome = self.with_clock_correction(&resolved, run);
            if !outcome.as_ref().is_err_and(endpoint_is_gone) {
                return outcome;
            }
        }
        let resolved = self.resolve(run)?;
        self.with_clock_correction(&resolved, run)
    }

    /// Returns the profile with a known token endpoint. An endpoint that had to be discovered is remembered.
    fn resolve(&self, run: &FetchRun) -> Result<Arc<Profile>, Error> {
        let EndpointKind::Discovered { url, discovery } = self.profile.endpoint.kind() else {
            return Ok(self.profile.clone());
        };
        let mut send = |request: &Request| {
            let time = run.request_time(self.now())?;
            let sent = self.send(request, time, run);
            Ok(sent.map(|(response, _)| response))
        };
        let own = self.profile.secret_values();
        let mut secrets = run.secrets();
        secrets.extend(own.iter().map(|secret| secret.as_str()));
        let redact =
            |text: &str| shorten(&CurrentSigner::of(&*self.signer).redact_text(text, &secrets));
        let search = EndpointSearch {
            url,
            expected_issuer: self.profile.expected_issuer()?,
            secrets: &secrets,
            redact: &redact,
        };
        let found = (discovery.discover)(&search, (discovery.requests)(url)?, &mut send)?;
        let resolved = Arc::new(self.profile.with_found_endpoint(found)?);
        debug!("{:?} names {:?}", self.profile.endpoint, resolved.endpoint);
        self.update_unless_cancelled(&run.cancellation, |state| {
            state.resolved = Some(resolved.clone())
        });
        Ok(resolved)
    }

    /// Exchanges once, and once more by the server's clock if ours was the cause of a denial.
    fn with_clock_correction(
        &self,
        profile: &Profile,
        run: &mut FetchRun,
    ) -> Result<CachedToken, Error> {
        let outcome = self.exchange_once(profile, run);
        let error = outcome.as_ref().err();
        let Some(offset) = error.and_then(|error| self.correctable_offset(error)) else {
            return outcome;
        };
        warn!(
            "{:?}: its clock differs from ours by {offset:+} s: signing by it",
            profile.endpoint
        );
        let updated = self
            .update_unless_cancelled(&run.cancellation, |state| state.clock_correction = offset);
        if updated.is_none() {
            return outcome;
        }
        self.exchange_once(profile, run)
    }

    fn correctable_offset(&self, error: &Error) -> Option<i64> {
        let may_be_the_clock = error.kind() == ErrorKind::Denied && error.status() != Some(403);
        let tolerance = self.clock_tolerance.filter(|_| may_be_the_clock)?;
        let offset = error.clock_offset()?;
        let difference = offset.abs_diff(self.state().clock_correction);
        let is_skew =
            difference > tolerance && difference.max(offset.unsigned_abs()) < UNCORRECTABLE_SKEW;
        is_skew.then_some(offset)
    }

    fn exchange_once(&self, profile: &Profile, run: &mut FetchRun) -> Result<CachedToken, Error> {
        let (server, purpose, attempt) = (&profile.endpoint, run.purpose, run.attempt);
        let (now, server_now) = self.time_to_sign(profile, run.deadline)?;
        let issued = self.now(); // a signer may be slow
        if let Some(token) = exchange::self_signed_token(profile, &*self.signer, now, server_now)? {
            debug!("{server:?}: {purpose}: a token for {:?}", token.lifetime());
            return Ok(self.new_cached_token(token, issued, issued));
        }
        let exchange = Exchange::with_server_time(profile, &*self.signer, now, server_now)
            .inspect_err(|error| debug!("{server:?}: {purpose}, attempt {attempt}: {error}"))?;
        let assertion = exchange.assertion_arc();
        let kid = exchange.key_id().unwrap_or("-").to_owned();
        let issued = self.now();
        let time = run
            .request_time(issued)
            .inspect_err(|error| debug!("{server:?}: {purpose}, attempt {attempt}: {error}"))?;
        let outcome = match self.send(exchange.request(), time, run) {
            Ok((response, offset)) => exchange.read_with(response, offset, &run.secrets()),
            Err(cause) => Err(exchange.into_network_error(cause, &run.secrets())),
        };
        let received = self.now();
        let jti = assertion.jti().unwrap_or("-");
        let took = received.since(issued);
        debug!(
            "{server:?}: {purpose}, attempt {attempt}, jti {jti}, kid {kid}, took {took:?}: {}",
            match &outcome {
                Ok(token) => format!("a token for {:?}", token.lifetime()),
                Err(error) => error.to_string(),
            }
        );
        if outcome.as_ref().is_err_and(endpoint_is_gone) {
            self.update_unless_cancelled(&run.cancellation, |state| state.resolved = None);
        }
        run.assertions.push(assertion);
        outcome.map(|token| self.new_cached_token(token, issued, received))
    }

    pub(crate) fn new_cached_token(
        &self,
        token: AccessToken,
        issued: Moment,
        received: Moment,
    ) -> CachedToken {
        CachedToken {
            refresh_after: schedule::refresh_after(token.lifetime(), (self.jitter)()),
            token,
            issued,
            received,
            is_own: true,
        }
    }

    /// Returns the response, and by how many seconds the server's clock is ahead.
    fn send(
        &self,
        request: &Request,
        time: Duration,
        run: &FetchRun,
    ) -> io::Result<(Response, Option<i64>)> {
        let sent = self.now();
        let response = self.transport.send(request, time)?;
        let round_trip = self.now().since(sent);
        let middle = sent.wall.checked_add(round_trip.mul_f64(0.5));
        let middle = middle.filter(|_| round_trip <= MAX_ROUND_TRIP);
        let offset = middle.and_then(|middle| response.clock_offset(middle));
        if offset.is_some() {
            self.update_unless_cancelled(&run.cancellation, |state| state.clock_offset = offset);
        }
        Ok((response, offset))
    }

    /// Returns the time by our clock and by the server's.
    ///
    /// No assertion is sent twice. Without `jti`, two assertions of one second are equal, because PKCS#1 v1.5 is
    /// deterministic: this waits for a second in which none was signed.
    fn time_to_sign(
        &self,
        profile: &Profile,
        deadline: Instant,
    ) -> Result<(SystemTime, SystemTime), Error> {
        loop {
            let now = self.clock.now();
            let server_now = self.server_time(now);
            if profile.jti != Jti::Omit || self.state().record_iat(profile.iat_at(server_now)) {
                return Ok((now, server_now));
            }
            match self.now().time_until(deadline) {
                Duration::ZERO => return Err(Error::out_of_time()),
                left => self.clock.sleep(left.min(NEXT_SECOND_POLL)),
            }
        }
    }

    /// Returns `now` by the server's clock, if that is corrected. The age of a token is never computed from it.
    fn server_time(&self, now: SystemTime) -> SystemTime {
        let correction = self.state().clock_correction;
        let by = Duration::from_secs(correction.unsigned_abs());
        let shifted = match correction.is_negative() {
            true => now.checked_sub(by),
            false => now.checked_add(by),
        };
        shifted.unwrap_or(now)
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Updates the state, or returns `None` if the fetch was cancelled.
    fn update_unless_cancelled<T>(
        &self,
        cancellation: &FetchCancellation,
        update: impl FnOnce(&mut FetcherState) -> T,
    ) -> Option<T> {
        let mut state = self.state(); // first: `clear` cancels the fetch, and then clears the state
        (!cancellation.is_cancelled()).then(|| update(&mut state))
    }

    #[inline(never)] // a dozen callers would have a copy each
    pub(crate) fn state(&self) -> MutexGuard<'_, FetcherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // complete at every unlock
    }
}

/// Returns whether the token endpoint is gone, so that its metadata must be read again.
fn endpoint_is_gone(error: &Error) -> bool {
    let is_moved = matches!(error.status(), Some(300..=399 | 404 | 410));
    match error.kind() {
        ErrorKind::Network => matches!(
            error.io_kind(),
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
        ),
        ErrorKind::Protocol => is_moved,
        // A denial with an OAuth code, or with none, is of the endpoint itself. Frameworks write `"error":"Not Found"`
        // into their own pages.
        ErrorKind::Denied => is_moved && error.code().is_some_and(|code| !is_oauth_code(code)),
        _ => false,
    }
}

fn is_oauth_code(code: &str) -> bool {
    code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
