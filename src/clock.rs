//! Both clocks and sleep, in one place: the only room that reads time, so that tests own it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A year: no caller waits longer, and no platform's clock overflows by it.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Time, for a [`TokenSource`](crate::TokenSource).
pub trait Clock: Send + Sync {
    /// The wall clock. It may jump.
    fn now(&self) -> SystemTime;
    /// A clock that never goes back. It may stand still while the machine is suspended.
    fn monotonic(&self) -> Instant;
    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The machine's clocks.
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

/// A clock for tests: it moves when told to, and sleeping moves it at once.
#[derive(Debug)]
pub struct ManualClock(Mutex<(SystemTime, Instant)>);

impl ManualClock {
    /// Stands at `now`.
    pub fn new(now: SystemTime) -> Self {
        Self(Mutex::new((now, Instant::now())))
    }
    /// Both clocks go on by `time`; one that cannot go so far stays where it is.
    pub fn advance(&self, time: Duration) {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        both.0 = both.0.checked_add(time).unwrap_or(both.0);
        both.1 = both.1.checked_add(time).unwrap_or(both.1);
    }
    /// The wall clock jumps: somebody set it, or the machine was suspended.
    pub fn set(&self, now: SystemTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }
    fn monotonic(&self) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
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

/// One look at both clocks.
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
    /// Time passed since `earlier`, by whichever clock says more: the wall clock may have been set
    /// back, the monotonic one may have slept with the machine.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        wall.max(self.monotonic.saturating_duration_since(earlier.monotonic))
    }
    /// This long ago, by both clocks.
    pub(crate) fn ago(self, time: Duration) -> Self {
        Self {
            wall: self.wall.checked_sub(time).unwrap_or(self.wall),
            monotonic: self.monotonic.checked_sub(time).unwrap_or(self.monotonic),
        }
    }
    /// The deadline of a caller who comes now.
    pub(crate) fn after(self, timeout: Duration) -> Instant {
        self.monotonic
            .checked_add(timeout.min(FOREVER))
            .unwrap_or(self.monotonic)
    }
    pub(crate) fn until(self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_moves_while_it_sleeps() {
        let (begin, nap) = (SystemClock.monotonic(), Duration::from_millis(20));
        SystemClock.sleep(nap);
        assert!(SystemClock.monotonic() - begin >= nap);
    }

    /// Or else whoever pauses by it never comes to an end.
    #[test]
    fn a_clock_for_tests_moves_when_slept_by_and_takes_no_time() {
        let clock = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH));
        let (begin, hour) = (clock.monotonic(), Duration::from_secs(3600));
        let clocks: [(&dyn Clock, Duration); 2] = [(&*clock, hour), (&clock, 2 * hour)];
        for (sleeper, slept) in clocks {
            sleeper.sleep(hour);
            assert_eq!(sleeper.now(), SystemTime::UNIX_EPOCH + slept);
            assert_eq!(sleeper.monotonic(), begin + slept);
        }
        assert!(begin.elapsed() < hour);
    }
}
