//! Wall clock, monotonic clock and sleep behind one trait, so that tests control time.
//!
//! No other module of the library calls the system's clocks or sleeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The longest wait, a year: an `Instant` that far ahead overflows on no platform.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// The clocks and the sleep that a [`TokenSource`](crate::TokenSource) uses.
pub trait Clock: Send + Sync {
    /// Returns the time of the wall clock, which may be set forward or back.
    fn now(&self) -> SystemTime;
    /// Returns the time of a clock that never goes back.
    ///
    /// It may stop while the machine is suspended.
    fn monotonic(&self) -> Instant;
    /// Blocks the calling thread for `time`.
    fn sleep(&self, time: Duration);
}

/// The clocks of the operating system.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// A clock for tests, which moves only when a test or a sleep moves it.
///
/// Sleeping takes no time: it advances both clocks and returns at once. Clones share their time, so
/// a test keeps one and gives the other to a [`TokenSource`](crate::TokenSource).
///
/// ```
/// use jwt_bearer::{Clock as _, ManualClock};
/// use std::time::{Duration, SystemTime};
///
/// let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
/// let other = clock.clone();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(other.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Times>>);

#[derive(Debug)]
struct Times {
    wall: SystemTime,
    monotonic: Instant,
}

impl ManualClock {
    /// Creates a clock whose wall clock is stopped at `now`.
    pub fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Times {
            wall: now,
            monotonic: Instant::now(),
        })))
    }
    /// Advances both clocks by `time`. A clock that would overflow keeps its time.
    pub fn advance(&self, time: Duration) {
        let mut times = self.times();
        times.wall = times.wall.checked_add(time).unwrap_or(times.wall);
        times.monotonic = times.monotonic.checked_add(time).unwrap_or(times.monotonic);
    }
    /// Sets only the wall clock, as an administrator or a suspended machine does.
    pub fn set(&self, now: SystemTime) {
        self.times().wall = now;
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        // Nothing here panics between two assignments, so no change is half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.times().wall
    }
    fn monotonic(&self) -> Instant {
        self.times().monotonic
    }
    fn sleep(&self, time: Duration) {
        self.advance(time);
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }
    fn monotonic(&self) -> Instant {
        (**self).monotonic()
    }
    fn sleep(&self, time: Duration) {
        (**self).sleep(time);
    }
}

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) wall: SystemTime,
    monotonic: Instant,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }
    /// Returns the time since `earlier`, by the clock that has advanced further.
    ///
    /// The wall clock may have been set back, and the monotonic clock may have stopped while the
    /// machine was suspended.
    #[inline(never)] // nine callers would have a copy each
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        wall.max(self.monotonic.saturating_duration_since(earlier.monotonic))
    }
    /// Returns the moment that was `time` earlier, by both clocks.
    pub(crate) fn minus(self, time: Duration) -> Self {
        Self {
            wall: self.wall.checked_sub(time).unwrap_or(self.wall),
            monotonic: self.monotonic.checked_sub(time).unwrap_or(self.monotonic),
        }
    }
    /// Returns the deadline that is `timeout` after this moment.
    pub(crate) fn deadline_in(self, timeout: Duration) -> Instant {
        self.monotonic
            .checked_add(timeout.min(MAX_WAIT))
            .unwrap_or(self.monotonic)
    }
    /// Returns the time left until `deadline`, or zero.
    pub(crate) fn time_until(self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_advances_while_it_sleeps() {
        let (start, pause) = (SystemClock.monotonic(), Duration::from_millis(20));
        SystemClock.sleep(pause);
        assert!(SystemClock.monotonic() - start >= pause);
    }

    /// A retry loop that sleeps by this clock would otherwise never reach its deadline.
    #[test]
    fn manual_clock_advances_by_sleep_and_takes_no_time() {
        let clock = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH));
        let (start, hour) = (clock.monotonic(), Duration::from_secs(3600));
        let clocks: [(&dyn Clock, Duration); 2] = [(&*clock, hour), (&clock, 2 * hour)];
        for (sleeper, slept) in clocks {
            sleeper.sleep(hour);
            assert_eq!(sleeper.now(), SystemTime::UNIX_EPOCH + slept);
            assert_eq!(sleeper.monotonic(), start + slept);
        }
        assert!(start.elapsed() < hour);
    }

    #[test]
    fn manual_clock_clones_share_their_time() {
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
        let (other, start) = (clock.clone(), clock.monotonic());
        other.advance(Duration::from_secs(7));
        assert_eq!(clock.monotonic(), start + Duration::from_secs(7));
        other.set(SystemTime::UNIX_EPOCH + Duration::from_secs(3));
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(3));
    }
}
