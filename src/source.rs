//! `TokenSource`: a valid token whenever a caller asks. This is all that most programs need.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use crate::cache::TokenCache;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::fetch::Fetcher;
use crate::profile::Profile;
use crate::random;
use crate::schedule::{Freshness, Wanted};
use crate::shared::{SharedFetch, SharedTokens};
use crate::signer::{CurrentSigner, Signer};
use crate::store::TokenStore;
use crate::token::AccessToken;
use crate::transport::Transport;

/// The default limit of a call, for waiting, retries and pauses together: a person still waits that long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The clock difference in seconds that most servers tolerate, for a profile that has no other limit.
const CLOCK_TOLERANCE: u64 = 30;

/// Returns a valid token for one profile and one key, and fetches only when it must.
///
/// Share it by reference or in an [`Arc`](std::sync::Arc), and call [`token`](Self::token) before every request: a
/// fresh token costs a lock and a clone. Nothing is sent before the first call. For many subjects make many sources;
/// they are cheap, and share key and agent by `Arc`.
pub struct TokenSource {
    fetcher: Fetcher,
    shared: Option<Box<dyn SharedFetch>>,
    timeout: Duration,
    cache: TokenCache,
}

impl TokenSource {
    /// Makes a source with an agent of its own, which reads no proxy from the environment.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the profile cannot work;
    /// [`Key`](crate::ErrorKind::Key) if the server does not accept what the key signs.
    #[cfg(feature = "ureq")]
    pub fn new(profile: Profile, signer: impl Signer + 'static) -> Result<Self, Error> {
        Self::with_transport(crate::transport::agent::default_agent(), profile, signer)
    }

    /// Makes a source with your `ureq::Agent` (for its proxy, its roots), another HTTP client, or a closure.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_transport(
        transport: impl Transport + 'static,
        profile: Profile,
        signer: impl Signer + 'static,
    ) -> Result<Self, Error> {
        profile.check()?;
        profile.check_signer(&*CurrentSigner::of(&signer))?;
        Ok(Self {
            fetcher: Fetcher {
                clock_tolerance: profile.limits.clock_tolerance,
                profile: profile.into(),
                signer: Box::new(signer),
                transport: Box::new(transport),
                clock: Box::new(SystemClock),
                jitter: random::jitter,
                state: Mutex::default(),
            },
            shared: None,
            timeout: TIMEOUT,
            cache: TokenCache::default(),
        })
    }

    /// Sets the clock. Defaults to the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.fetcher.clock = Box::new(clock);
        self
    }

    /// Sets how long a call may take: waiting for another caller, retries and pauses included. Defaults to 30 seconds.
    ///
    /// One request takes at most 10 of them.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Signs by the server's clock if ours is wrong. Defaults to no, except for servers whose limits demand it (Box,
    /// Maskinporten).
    ///
    /// If an assertion is denied, and the `Date` of the response differs from our clock by more than 30 seconds (13 at
    /// Box, 8 at Maskinporten) and less than a day, another assertion is signed with the server's time, and so are all
    /// later ones. Only `iat` and `exp` are corrected; the age of a token is always measured by our clock. The server
    /// at the endpoint can then choose the time of an assertion.
    #[must_use]
    pub fn with_clock_correction(mut self) -> Self {
        let tolerance = &mut self.fetcher.clock_tolerance;
        tolerance.get_or_insert(CLOCK_TOLERANCE);
        self
    }

    /// Shares the token with other processes: it is loaded from `store` before an exchange and saved after one.
    ///
    /// A store that fails never prevents a token: its failures are logged, and what it returns is checked.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the signer has no [identity](Signer::identity).
    pub fn with_store(mut self, store: impl TokenStore + 'static) -> Result<Self, Error> {
        self.shared = Some(SharedTokens::boxed(&self.fetcher, store)?);
        Ok(self)
    }

    /// Returns the cached token, or fetches one. If many callers need one, only one of them fetches.
    ///
    /// # Errors
    /// All kinds of [`ErrorKind`](crate::ErrorKind). [`Error::is_retryable`] says whether asking again may help, and
    /// [`Error::retry_after`] when. A failure is remembered for a while, and returned at once to those who ask
    /// meanwhile.
    pub fn token(&self) -> Result<AccessToken, Error> {
        self.get(Wanted::ANY_TOKEN)
    }

    /// Returns a token that lives at least this long, or fetches one.
    ///
    /// A server may grant less: a token that this source fetched less than 10 seconds ago is returned whatever its
    /// lifetime is.
    ///
    /// # Errors
    /// See [`token`](Self::token).
    pub fn token_with_lifetime(&self, min_lifetime: Duration) -> Result<AccessToken, Error> {
        self.get(Wanted::Lifetime(min_lifetime))
    }

    /// Fetches a token, which replaces the cached and the stored one.
    ///
    /// Threads that refresh at the same time share one fetch, and a remembered failure is returned without another.
    ///
    /// # Errors
    /// See [`token`](Self::token). The cached token then stays.
    pub fn refresh(&self) -> Result<AccessToken, Error> {
        self.get(Wanted::NewToken)
    }

    fn get(&self, wanted: Wanted) -> Result<AccessToken, Error> {
        let clock = &*self.fetcher.clock;
        self.cache
            .get(clock, self.timeout, wanted, |context| match &self.shared {
                None => self.fetcher.fetch(&context),
                Some(shared) => shared.fetch(&self.fetcher, context),
            })
    }

    /// Fetches a token for this caller alone. The cached and the stored one stay.
    ///
    /// # Errors
    /// See [`token`](Self::token).
    pub fn fetch_uncached(&self) -> Result<AccessToken, Error> {
        let deadline = self.fetcher.now().deadline_in(self.timeout);
        let cancellation = self.cache.cancellation();
        let cached = self.cache.cached().map(|cached| cached.token);
        self.fetcher.fetch_uncached(deadline, cancellation, cached)
    }

    /// Removes this very token, for instance after a 401, and never accepts it from the store again.
    ///
    /// A newer token stays, and so does a remembered failure: a deactivated user must not cost an exchange with each
    /// call.
    pub fn invalidate(&self, token: &AccessToken) {
        let Some(shared) = &self.shared else {
            self.cache.invalidate(token);
            return;
        };
        shared.reject(token);
        if self.cache.invalidate(token) {
            shared.remove_rejected(&self.fetcher); // once for all who saw the same 401
        }
    }

    /// Removes the token (from the store too), the remembered failure, the discovered endpoint, the clock correction
    /// and the counters of [`status`](Self::status).
    ///
    /// Returns whether there was a token, even an expired one. A fetch that is under way is abandoned: the next caller
    /// begins another.
    pub fn clear(&self) -> bool {
        let cached = self.cache.clear(); // first: it cancels all fetches, so that none changes what is cleared next
        let forgotten = self.fetcher.state().clear();
        drop(forgotten);
        let was_stored = self.shared.as_ref().is_some_and(|shared| {
            cached
                .iter()
                .for_each(|cached| shared.reject(&cached.token));
            shared.remove(&self.fetcher)
        });
        was_stored || cached.is_some()
    }

    /// Makes a request with a token, and once more with another token if the response is 401 (RFC 6750 §3.1).
    ///
    /// `is_unauthorized` says whether a response of your HTTP client is one. A second 401 is returned as it
    /// is. So is one for a token younger than 10 seconds: an API that always says 401 costs at most one exchange in
    /// that time.
    ///
    /// ```
    /// # fn get(_authorization: &str) -> (u16, String) { (200, String::new()) }
    /// # fn f(source: &jwt_bearer::TokenSource) -> Result<(), jwt_bearer::Error> {
    /// let request = |token: &jwt_bearer::AccessToken| get(token.authorization());
    /// let (status, body) = source.call(request, |(status, _)| *status == 401)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`token`](Self::token).
    pub fn call<R>(
        &self,
        mut request: impl FnMut(&AccessToken) -> R,
        is_unauthorized: impl FnOnce(&R) -> bool,
    ) -> Result<R, Error> {
        let token = self.token()?;
        let response = request(&token);
        if !is_unauthorized(&response) || self.is_recent(&token) {
            return Ok(response);
        }
        self.invalidate(&token);
        Ok(request(&self.token()?))
    }

    fn is_recent(&self, token: &AccessToken) -> bool {
        let now = self.fetcher.now();
        let cached = self.cache.cached();
        let cached = cached.filter(|cached| cached.token.is_clone_of(token));
        cached.is_some_and(|cached| cached.is_recent(now))
    }

    /// Returns the state of the source, for monitoring. Nothing is sent.
    pub fn status(&self) -> SourceStatus {
        let cached = self.cache.cached();
        let now = self.fetcher.now();
        let freshness = cached.as_ref().map(|cached| cached.freshness(now));
        let state = self.fetcher.state();
        SourceStatus {
            state: match freshness {
                None => TokenState::Empty,
                Some(Freshness::Fresh) => TokenState::Fresh,
                Some(Freshness::Refreshable) => TokenState::Refreshable,
                Some(Freshness::Expired) => TokenState::Expired,
            },
            age: cached.as_ref().map(|cached| now.since(cached.issued)),
            expires_at: cached.as_ref().map(|cached| cached.token.expires_at()),
            clock_offset: state.clock_offset,
            last_error: state.last_error.clone(),
            store_error: state.store_error.clone(),
            exchanges: state.exchanges,
            failures: state.failures,
        }
    }
}

/// The state of a [`TokenSource`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The state of the cached token.
    pub state: TokenState,
    /// The time since the request for the cached token was sent.
    pub age: Option<Duration>,
    /// When the cached token expires, by our clock.
    pub expires_at: Option<SystemTime>,
    /// Seconds by which the server's clock is ahead of ours, as last seen.
    pub clock_offset: Option<i64>,
    /// Why the last fetch failed; `None` once one succeeded.
    pub last_error: Option<Error>,
    /// The last failure of the token store, in words, since the source was made or cleared.
    pub store_error: Option<String>,
    /// Tokens that were fetched since the source was made or cleared.
    pub exchanges: u64,
    /// Fetches that failed since the source was made or cleared.
    pub failures: u64,
}

/// The state of a cached token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenState {
    /// There is no token.
    Empty,
    /// The token is returned at once.
    Fresh,
    /// The token is returned at once, and one caller fetches another.
    Refreshable,
    /// Callers wait for another token.
    Expired,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("profile", &self.fetcher.profile)
            .finish_non_exhaustive()
    }
}

/// Two thousand sources in simulated time: what jitter, remembered failures and a shared store do for a server.
#[cfg(test)]
mod simulation {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Instant;

    use super::*;
    use crate::error::BoxError;
    use crate::message::{Request, Response};
    use crate::{Audience, Endpoint, HmacKey};

    /// Sources; fewer in a build that is not optimised, in which the whole fleet takes over a minute.
    const FLEET: usize = if cfg!(debug_assertions) { 500 } else { 2_000 };
    /// Seconds: two hours, in which all ask every other second, and ten minutes of them without a server.
    const END: u64 = 7_200;
    const OUTAGE: std::ops::Range<u64> = 3_600..4_200;

    /// Seconds since the fleet was started; a pause takes no time, so that the others are not held up.
    #[derive(Clone)]
    struct Time {
        seconds: Arc<AtomicU64>,
        start: Instant,
    }
    impl Clock for Time {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + self.seconds.load(Relaxed))
        }
        fn monotonic(&self) -> Instant {
            self.start + Duration::from_secs(self.seconds.load(Relaxed))
        }
        fn sleep(&self, _: Duration) {}
    }

    /// Knuth's generator: the same numbers in every run, each of which has a thread of its own.
    fn drawn() -> f64 {
        thread_local!(static STATE: Cell<u64> = const { Cell::new(1) });
        let n = STATE.get();
        STATE.set(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        f64::from(u32::try_from(n >> 32).unwrap()) / 4_294_967_296.0
    }
    fn not_drawn() -> f64 {
        0.0
    }

    #[derive(Debug)]
    struct Seen {
        /// Requests in the busiest second, once all had their first token; and after the outage.
        peak: u64,
        peak_after: u64,
        mean: f64,
        /// Calls that got an error, and the sources that had one.
        errors: u64,
        failed_sources: usize,
    }

    /// Counts requests by the second, and answers none of them in an outage.
    fn server(
        now: &Arc<AtomicU64>,
        outage: std::ops::Range<u64>,
    ) -> (Arc<dyn Transport>, Arc<Vec<AtomicU64>>) {
        let requests: Arc<Vec<AtomicU64>> = Arc::new((0..END).map(|_| AtomicU64::new(0)).collect());
        let (now, count) = (now.clone(), requests.clone());
        let server = move |_: &Request, _: Duration| {
            let second = now.load(Relaxed);
            count[usize::try_from(second).unwrap()].fetch_add(1, Relaxed);
            match outage.contains(&second) {
                true => Err(io::ErrorKind::ConnectionRefused.into()),
                false => Ok(Response::new(
                    200,
                    r#"{"access_token":"t","expires_in":300}"#,
                )),
            }
        };
        (Arc::new(server), requests)
    }

    fn member(server: &Arc<dyn Transport>, time: &Time, draw: fn() -> f64) -> TokenSource {
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        let profile = Profile::client_credentials(endpoint, "c", Audience::TokenEndpoint);
        let key = HmacKey::new("secret").unwrap();
        let source = TokenSource::with_transport(server.clone(), profile, key);
        let mut source = source.unwrap().with_clock(time.clone());
        source.fetcher.jitter = draw;
        source
    }

    fn start() -> Time {
        Time {
            seconds: Arc::default(),
            start: Instant::now(),
        }
    }

    fn run(draw: fn() -> f64) -> Seen {
        let time = start();
        let (server, requests) = server(&time.seconds, OUTAGE);
        let fleet: Vec<_> = (0..FLEET).map(|_| member(&server, &time, draw)).collect();

        let mut failed = vec![0_u64; FLEET];
        for second in (0..END).step_by(2) {
            time.seconds.store(second, Relaxed);
            for (source, failed) in fleet.iter().zip(&mut failed) {
                *failed += u64::from(source.token().is_err());
            }
        }
        let at = |seconds: std::ops::Range<u64>| {
            seconds.map(|s| requests[usize::try_from(s).unwrap()].load(Relaxed))
        };
        Seen {
            peak: at(1..OUTAGE.start).max().unwrap(),
            peak_after: at(OUTAGE.end..END).max().unwrap(),
            mean: f64::from(u32::try_from(at(0..END).sum::<u64>()).unwrap()) / 7_200.0,
            errors: failed.iter().sum(),
            failed_sources: failed.iter().filter(|n| **n > 0).count(),
        }
    }

    /// What all processes see. In simulated time nobody holds a lock while another asks.
    #[derive(Default)]
    struct Shared(Mutex<HashMap<String, Vec<u8>>>);
    impl TokenStore for Shared {
        fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(self.0.lock().unwrap().get(name).cloned())
        }
        fn save(&self, name: &str, b: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
            let mut kept = self.0.lock().unwrap();
            kept.insert(name.to_owned(), b.to_vec());
            Ok(())
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(())
        }
    }

    /// Exchanges of so many processes in an hour in which all ask every other second.
    fn hour(processes: usize, store: Option<Arc<Shared>>) -> u64 {
        let time = start();
        let (server, requests) = server(&time.seconds, 0..0);
        let fleet: Vec<_> = (0..processes)
            .map(|_| {
                let process = member(&server, &time, drawn);
                match store.clone() {
                    Some(store) => process.with_store(store).unwrap(),
                    None => process,
                }
            })
            .collect();
        for second in (0..3_600).step_by(2) {
            time.seconds.store(second, Relaxed);
            assert!(fleet.iter().all(|process| process.token().is_ok()));
        }
        requests.iter().map(|second| second.load(Relaxed)).sum()
    }

    #[test]
    fn shared_store_reduces_the_exchanges_of_a_fleet_to_those_of_one() {
        for processes in [1, 10, 100, FLEET] {
            let (without, with) = std::thread::scope(|runs| {
                let without = runs.spawn(|| hour(processes, None));
                let with = runs.spawn(|| hour(processes, Some(Arc::default())));
                (without.join().unwrap(), with.join().unwrap())
            });
            println!(
                "{processes} processes: {without} exchanges an hour, {with} with a shared store"
            );
            let each = u64::try_from(processes).unwrap();
            // A token of 300 s is due after 210 to 240 s, which is 15 to 18 times an hour.
            assert!((15 * each..=18 * each).contains(&without), "{without}");
            assert!((15..=18).contains(&with), "{with}");
        }
    }

    #[test]
    fn fleet_started_together_spreads_its_requests_also_after_an_outage() {
        let (without, with) = std::thread::scope(|runs| {
            let with = runs.spawn(|| run(drawn));
            (run(not_drawn), with.join().unwrap())
        });
        println!("without jitter: {without:?}\nwith jitter:    {with:?}");
        let fleet = u64::try_from(FLEET).unwrap();
        assert!(
            with.mean < without.mean && with.failed_sources <= FLEET,
            "{with:?}"
        );
        assert_eq!(without.peak, fleet, "all in one second");
        assert!(with.peak * 5 < fleet, "{with:?}");
        assert!(with.peak_after * 4 < without.peak_after, "{with:?}");
        // A token that was renewed in time outlives the first minute; a failure is remembered for half a minute.
        let longest = (OUTAGE.end - OUTAGE.start - 60 + 36) / 2;
        assert!(
            with.errors < without.errors.min(fleet * longest),
            "{with:?}"
        );
    }
}
