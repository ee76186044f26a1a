//! `TokenSource`: discovery, exchange and slot put together. All that a caller needs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{Clock, Moment, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::exchange::Exchange;
use crate::jwt::Signer;
use crate::profile::{Jti, Profile};
use crate::slot::{Held, Slot};
use crate::token::AccessToken;
use crate::transport::Transport;

/// A caller waits this long at most, discovery and another caller's fetch included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// One request takes this long at most: a token endpoint that needs longer is not well.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How often it is looked whether the next second has begun.
const TICK: Duration = Duration::from_millis(100);
/// Seconds in which something was signed that are remembered: two weeks of a token every 300.
const MAX_USED: usize = 4096;

/// Hands out a valid token for one profile and one key, fetching only when it must.
///
/// Share it by reference or in an [`Arc`], and ask it before every request: a token that is held
/// costs a look and a clone. Nothing is sent before the first call. For many subjects make many
/// sources; they are cheap, and share key and agent by [`Arc`].
pub struct TokenSource {
    profile: Arc<Profile>,
    signer: Box<dyn Signer>,
    transport: Box<dyn Transport>,
    clock: Box<dyn Clock>,
    timeout: Duration,
    memory: Mutex<Memory>,
    slot: Slot,
}

/// What one exchange leaves for the next.
#[derive(Default)]
struct Memory {
    /// The profile with its endpoint as discovery found it.
    known: Option<Arc<Profile>>,
    /// Every `iat` of an assertion without `jti`, in seconds.
    used: BTreeSet<u64>,
}

impl Memory {
    fn first_use(&mut self, iat: u64) -> bool {
        if self.used.len() >= MAX_USED {
            self.used.pop_first();
        }
        self.used.insert(iat)
    }
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::Network, "no time is left to send a request")
}

impl TokenSource {
    /// A source over an agent of its own, which reads no proxy from the environment.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the profile cannot work.
    #[cfg(feature = "ureq")]
    pub fn new(profile: Profile, signer: impl Signer + 'static) -> Result<Self, Error> {
        Self::over(crate::transport::agent(), profile, signer)
    }

    /// A source over your `ureq::Agent` (for its proxy, its roots), another HTTP client, or a
    /// closure.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the profile cannot work.
    pub fn over(
        transport: impl Transport + 'static,
        profile: Profile,
        signer: impl Signer + 'static,
    ) -> Result<Self, Error> {
        profile.metadata_requests()?;
        Ok(Self {
            profile: Arc::new(profile),
            signer: Box::new(signer),
            transport: Box::new(transport),
            clock: Box::new(SystemClock),
            timeout: TIMEOUT,
            memory: Mutex::default(),
            slot: Slot::default(),
        })
    }

    /// Reads time from `clock`. Defaults to the machine's.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            ..self
        }
    }
    /// How long a call may take, waiting for another caller's fetch included. Defaults to 30
    /// seconds.
    ///
    /// One request takes at most 10 of them.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// A token that has not expired: the one held, else a new one. Of many callers one fetches.
    ///
    /// # Errors
    /// All kinds of [`ErrorKind`]; [`Error::is_retryable`] says whether asking again may help.
    pub fn token(&self) -> Result<AccessToken, Error> {
        self.slot.get(&*self.clock, self.timeout, |deadline| {
            let since = Moment::now(&*self.clock);
            let token = self.fetch(deadline)?;
            Ok(Held { token, since })
        })
    }

    /// A new token of your own, past the one held, which stays.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub fn exchange(&self) -> Result<AccessToken, Error> {
        self.fetch(Moment::now(&*self.clock).after(self.timeout))
    }

    /// Forgets this very token, for instance after a 401. A newer one stays.
    pub fn invalidate(&self, token: &AccessToken) {
        self.slot.invalidate(token);
    }

    /// One exchange; a second one where a remembered endpoint turned out to be gone.
    fn fetch(&self, deadline: Instant) -> Result<AccessToken, Error> {
        let remembered = self.memory().known.clone();
        let was_remembered = remembered.is_some();
        let known = match remembered {
            Some(known) => known,
            None => self.discover(deadline)?,
        };
        let outcome = self.attempt(&known, deadline);
        let gone = outcome.as_ref().is_err_and(Error::endpoint_is_gone);
        match gone && was_remembered {
            true => self.attempt(&*self.discover(deadline)?, deadline),
            false => outcome,
        }
    }

    /// The profile with its endpoint known. What had to be asked for is kept.
    fn discover(&self, deadline: Instant) -> Result<Arc<Profile>, Error> {
        let mut outcome: Result<_, Error> = Ok(self.profile.clone());
        for request in self.profile.metadata_requests()? {
            let response = self.send_within(deadline, |left| {
                let sent = self.transport.send(&request, left);
                sent.map_err(|cause| Error::network(request.host(), cause))
            })?;
            let found = self.profile.with_metadata(&response).map(Arc::new);
            if let Ok(known) = &found {
                log::debug!("{:?} names {:?}", self.profile.endpoint, known.endpoint);
                self.memory().known = Some(known.clone());
            }
            outcome = match (outcome, found) {
                // That the other document is not there is no verdict on one that may be.
                (Err(busy), Err(_)) if busy.is_retryable() => Err(busy),
                (_, found) => found,
            };
            if response.is_document() {
                break;
            }
        }
        outcome
    }

    fn attempt(&self, known: &Profile, deadline: Instant) -> Result<AccessToken, Error> {
        let now = self.time_to_sign(known, deadline)?;
        let exchange = Exchange::new(known, &*self.signer, now)?;
        let outcome = self.send_within(deadline, |left| {
            match self.transport.send(exchange.request(), left) {
                Ok(response) => exchange.read(response),
                Err(cause) => Err(exchange.failed(cause)),
            }
        });
        match &outcome {
            Ok(token) => log::debug!("token from {:?} for {:?}", known.endpoint, token.lifetime()),
            Err(error) => {
                log::debug!("no token from {:?}: {error}", known.endpoint);
                if error.endpoint_is_gone() {
                    self.memory().known = None;
                }
            }
        }
        outcome
    }

    fn send_within<T>(
        &self,
        deadline: Instant,
        send: impl FnOnce(Duration) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.left(deadline) {
            Duration::ZERO => Err(out_of_time()),
            left => send(left.min(ATTEMPT)),
        }
    }

    /// Now; without `jti` at an `iat` of its own, since PKCS#1 v1.5 is deterministic and no
    /// assertion goes twice.
    fn time_to_sign(&self, known: &Profile, deadline: Instant) -> Result<SystemTime, Error> {
        loop {
            let now = self.clock.now();
            if known.jti != Jti::None || self.memory().first_use(known.iat_at(now)) {
                return Ok(now);
            }
            match self.left(deadline) {
                Duration::ZERO => return Err(out_of_time()),
                left => self.clock.sleep(left.min(TICK)),
            }
        }
    }

    fn left(&self, deadline: Instant) -> Duration {
        Moment::now(&*self.clock).until(deadline)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner) // whole at every unlock
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
