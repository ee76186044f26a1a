//! Profile and key to one token: discovery, attempts, clock correction. All I/O of a source is here.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use log::{debug, warn};

use crate::cache::{Failed, Held, Leave};
use crate::clock::{Clock, Moment};
use crate::error::{Error, ErrorKind};
use crate::exchange::Exchange;
use crate::message::{Request, Response};
use crate::profile::{Jti, Profile};
use crate::random;
use crate::schedule;
use crate::signer::Signer;
use crate::token::AccessToken;
use crate::transport::Transport;

mod shared;
use self::shared::Sharing;

/// One request takes this long at most: a token endpoint that needs longer is not well.
const ATTEMPT: Duration = Duration::from_secs(10);
/// An attempt in less would end as one that had no time, and hide what the last one was told.
const LEAST: Duration = Duration::from_millis(50);
/// How often it is looked whether the next second has begun.
const TICK: Duration = Duration::from_millis(100);
/// How often a request that did not come through is made again, each time newly signed.
const ATTEMPTS: u32 = 3;
/// A `Date` that travelled longer says too little about the server's clock.
const LONGEST_TRIP: Duration = Duration::from_secs(10);
/// Seconds: servers forgive less than that, and more than a day is no skew but a wrong clock.
const SKEW: std::ops::Range<u64> = 31..24 * 3600;

const OUT_OF_TIME: &str = "no time is left to send a request";

pub(crate) struct Fetch {
    pub(crate) profile: Arc<Profile>,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) sharing: Option<Box<dyn Sharing>>,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) corrects_clock: bool,
    /// Draws from 0 to 1, for jitter.
    pub(crate) draw: fn() -> f64,
    pub(crate) memory: Mutex<Memory>,
}

/// What one exchange leaves for the next.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    /// The profile with its endpoint as discovery found it.
    known: Option<Arc<Profile>>,
    /// Every `iat` of an assertion without `jti`, in seconds, sorted: a megabyte for a year of a
    /// token every five minutes.
    used: Vec<u64>,
    /// Seconds that the server's clock is ahead of ours, as last seen, and as `iat` and `exp` go by.
    pub(crate) offset: Option<i64>,
    correction: i64,
    pub(crate) exchanges: u64,
    pub(crate) failures: u64,
}

impl Memory {
    /// Whether no assertion had this `iat`. Now one has.
    fn is_new(&mut self, iat: u64) -> bool {
        match self.used.binary_search(&iat) {
            Ok(_) => false,
            Err(at) => {
                self.used.insert(at, iat);
                true
            }
        }
    }
}

/// One attempt: what for, the which it is, and the time it has.
#[derive(Clone, Copy)]
struct Try {
    purpose: &'static str,
    number: u32,
    deadline: Instant,
    longest: Duration,
}

impl Try {
    fn first(purpose: &'static str, deadline: Instant, longest: Duration) -> Self {
        Self {
            purpose,
            number: 1,
            deadline,
            longest,
        }
    }
}

impl Fetch {
    /// What a flight brings.
    pub(crate) fn flight(&self, leave: Leave) -> Result<Held, Failed> {
        match &self.sharing {
            None => self.fetch(&leave),
            Some(sharing) => sharing.flight(self, leave),
        }
    }

    /// With a token to spare there is one attempt, in half the time it has.
    fn fetch(&self, leave: &Leave) -> Result<Held, Failed> {
        let (purpose, attempts, longest) = match leave.spare(self.now()) {
            None => ("fetch", ATTEMPTS, ATTEMPT),
            Some(spare) => ("refresh", 1, spare.mul_f64(0.5).min(ATTEMPT)),
        };
        self.attempts(Try::first(purpose, leave.deadline, longest), attempts)
    }

    /// One token of the caller's own.
    pub(crate) fn own(&self, deadline: Instant) -> Result<Held, Failed> {
        self.attempts(Try::first("exchange", deadline, ATTEMPT), ATTEMPTS)
    }

    fn attempts(&self, mut this: Try, attempts: u32) -> Result<Held, Failed> {
        let is_short = self.now().until(this.deadline) < this.longest;
        loop {
            let error = match self.exchange(this) {
                Ok(held) => {
                    let mut memory = self.memory();
                    memory.exchanges = memory.exchanges.saturating_add(1);
                    return Ok(held);
                }
                Err(error) => error,
            };
            let u = (self.draw)();
            let before = this.number.saturating_sub(1);
            let pause = error.retry_after().unwrap_or(schedule::pause(before, u));
            let left = self.now().until(this.deadline);
            let is_late = pause.saturating_add(LEAST) >= left;
            if !error.is_retryable() || this.number >= attempts || is_late {
                // A server that was silent for a whole attempt is not well, whoever asks.
                let hurried = is_short && before == 0 && error.is_timeout() && left.is_zero();
                let mut memory = self.memory();
                memory.failures = memory.failures.saturating_add(1);
                return Err(Failed {
                    error,
                    u,
                    hurried,
                    found: None,
                });
            }
            this.number = this.number.saturating_add(1);
            let server = &self.profile.endpoint;
            debug!(
                "{server:?}: {}, attempt {} in {pause:?}",
                this.purpose, this.number
            );
            self.clock.sleep(pause);
        }
    }

    /// One exchange; a second one where a remembered endpoint turned out to be gone.
    fn exchange(&self, this: Try) -> Result<Held, Error> {
        let remembered = self.memory().known.clone();
        let was_remembered = remembered.is_some();
        let known = match remembered {
            Some(known) => known,
            None => self.discover(this)?,
        };
        let outcome = self.attempt(&known, this);
        let gone = outcome.as_ref().is_err_and(Error::endpoint_is_gone);
        match gone && was_remembered {
            true => self.attempt(&*self.discover(this)?, this),
            false => outcome,
        }
    }

    /// The profile with its endpoint known. What had to be asked for is kept.
    fn discover(&self, this: Try) -> Result<Arc<Profile>, Error> {
        let mut outcome: Result<_, Error> = Ok(self.profile.clone());
        for request in self.profile.metadata_requests()? {
            let sent = self.send(&request, this);
            let (_, response, _) =
                sent.map_err(|cause| Error::network(request.authority(), cause))?;
            let found = self.profile.with_metadata(&response).map(Arc::new);
            if let Ok(known) = &found {
                debug!("{:?} names {:?}", self.profile.endpoint, known.endpoint);
                self.memory().known = Some(known.clone());
            }
            outcome = match (outcome, found) {
                // That the other document is not there is no verdict on one that may be.
                (Err(busy), Err(_)) if busy.is_retryable() => Err(busy),
                (_, found) => found,
            };
            if response.status() == 200 && response.json().is_some() {
                break;
            }
        }
        outcome
    }

    /// One request; a second one by the server's clock where that was the cause of its no.
    fn attempt(&self, known: &Profile, this: Try) -> Result<Held, Error> {
        let outcome = self.request(known, this);
        let Some(offset) = outcome
            .as_ref()
            .err()
            .and_then(|error| self.correction(error))
        else {
            return outcome;
        };
        warn!(
            "{:?}: its clock is {offset} s ahead: signing by it",
            known.endpoint
        );
        self.memory().correction = offset;
        self.request(known, this)
    }

    fn correction(&self, error: &Error) -> Option<i64> {
        let by_clock = error.kind() == ErrorKind::Denied && error.status() != Some(403);
        let offset = error
            .clock_offset()
            .filter(|_| self.corrects_clock && by_clock)?;
        let apart = offset.abs_diff(self.memory().correction);
        (SKEW.contains(&apart) && SKEW.end > offset.unsigned_abs()).then_some(offset)
    }

    fn request(&self, known: &Profile, this: Try) -> Result<Held, Error> {
        let (now, server_now) = self.time_to_sign(known, this.deadline)?;
        let exchange = Exchange::with_server_time(known, &*self.signer, now, server_now)?;
        let jti = exchange.assertion().jti().unwrap_or("-").to_owned();
        let (kid, jti) = (self.signer.key_id().unwrap_or("-"), jti);
        let begun = self.now();
        let sent = self.send(exchange.request(), this);
        let (issued, outcome) = match sent {
            Ok((issued, response, offset)) => (issued, exchange.read_with(response, offset)),
            Err(cause) => (begun, Err(exchange.failed(cause))),
        };
        let received = self.now();
        let (server, took) = (&known.endpoint, received.since(begun));
        let Try {
            purpose, number, ..
        } = this;
        let what = || format!("{purpose}, attempt {number}, jti {jti}, kid {kid}, took {took:?}");
        match &outcome {
            Ok(token) => {
                let life = token.lifetime();
                debug!("{server:?}: {}: a token for {life:?}", what());
            }
            Err(error) => debug!("{server:?}: {}: {error}", what()),
        }
        if outcome.as_ref().is_err_and(Error::endpoint_is_gone) {
            self.memory().known = None;
        }
        outcome.map(|token| self.held(token, issued, received))
    }

    fn held(&self, token: AccessToken, issued: Moment, received: Moment) -> Held {
        Held {
            refresh_after: schedule::refresh_after(token.lifetime(), (self.draw)()),
            token,
            issued,
            received,
        }
    }

    /// When it was sent, what came back, and how far the server's clock is ahead.
    fn send(&self, request: &Request, this: Try) -> io::Result<(Moment, Response, Option<i64>)> {
        let sent = self.now();
        let left = sent.until(this.deadline).min(this.longest);
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no time was left to ask",
            ));
        }
        let response = self.transport.send(request, left)?;
        let trip = self.now().since(sent);
        let middle = sent.wall.checked_add(trip.mul_f64(0.5));
        let offset = middle.filter(|_| trip <= LONGEST_TRIP);
        let offset = offset.and_then(|middle| response.clock_offset(middle));
        if offset.is_some() {
            self.memory().offset = offset;
        }
        Ok((sent, response, offset))
    }

    /// Now, by our clock and by the server's; without `jti` at an `iat` of its own, since PKCS#1 v1.5
    /// is deterministic and no assertion goes twice.
    fn time_to_sign(
        &self,
        known: &Profile,
        deadline: Instant,
    ) -> Result<(SystemTime, SystemTime), Error> {
        loop {
            let now = self.clock.now();
            let server_now = self.by_server(now);
            if known.jti != Jti::Omit || self.memory().is_new(known.iat_at(server_now)) {
                return Ok((now, server_now));
            }
            match self.now().until(deadline) {
                Duration::ZERO => return Err(out_of_time()),
                left => self.clock.sleep(left.min(TICK)),
            }
        }
    }

    /// `now` by the server's clock, as far as it was corrected. A token's age never goes by it.
    fn by_server(&self, now: SystemTime) -> SystemTime {
        let correction = self.memory().correction;
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

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner) // whole at every unlock
    }
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::Network, OUT_OF_TIME)
}

/// The system's randomness, for jitter.
pub(crate) fn draw() -> f64 {
    random::unit()
}
