//! Foreign code with a time limit. It runs on its own thread, because nothing else makes the caller free in time.
//!
//! - If the call returns within the limit, its thread hands the value to the caller.
//! - If not, the caller goes on without a value, and the call takes its time.
//! - When such a call returns, its own thread drops the value: that may hang too, if it is a lock for instance. Until
//!   the value is dropped, the call counts as unfinished.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{mem, thread};

/// The most unfinished calls, each of which has a thread: code that hangs must not accumulate threads.
const MAX_UNFINISHED: usize = 8;

/// Runs calls, each with a time limit.
#[derive(Clone, Debug)]
pub(crate) struct TimeLimit {
    unfinished: Arc<AtomicUsize>,
    max_unfinished: usize,
}

impl Default for TimeLimit {
    fn default() -> Self {
        Self::new(MAX_UNFINISHED)
    }
}

/// Why a call returned nothing.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The call continues. It still takes effect when it returns, and its value is then dropped.
    TimedOut,
    Panicked,
    /// Too many earlier calls are still running.
    TooMany,
    /// The operating system refuses to start a thread.
    NoThread(io::Error),
}

impl TimeLimit {
    /// Returns a limit that refuses a call while `max_unfinished` earlier calls are running.
    pub(crate) fn new(max_unfinished: usize) -> Self {
        Self {
            unfinished: Arc::default(),
            max_unfinished,
        }
    }

    /// Returns what `call` returns within `limit`.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let running = Running::begin(self).ok_or(CallError::TooMany)?;
        let slot = Arc::new((Mutex::new(CallState::Pending), Condvar::new()));
        let slot_of_call = slot.clone();
        let run = move || {
            let mut handover = Handover {
                slot: slot_of_call,
                state: CallState::Panicked,
                running: Some(running),
            };
            handover.state = CallState::Returned(call());
        };
        thread::Builder::new()
            .spawn(run)
            .map_err(CallError::NoThread)?;
        let (state, ended) = &*slot;
        let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_pending = |state: &mut CallState<T>| matches!(state, CallState::Pending);
        let waited = ended.wait_timeout_while(guard, limit, is_pending);
        let mut guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        match mem::replace(&mut *guard, CallState::Abandoned) {
            CallState::Returned(returned) => Ok(returned),
            CallState::Panicked => Err(CallError::Panicked),
            CallState::Pending | CallState::Abandoned => Err(CallError::TimedOut),
        }
    }

    /// Drops `value` on another thread, and waits for that no longer than `limit`. Returns the value if no thread is
    /// available.
    pub(crate) fn drop_within<T: Send + 'static>(&self, limit: Duration, value: T) -> Option<T> {
        let shared = Arc::new(Mutex::new(Some(value)));
        let take = |shared: &Mutex<Option<T>>| {
            let mut value = shared.lock().unwrap_or_else(PoisonError::into_inner);
            value.take()
        };
        let to_drop = shared.clone();
        match self.run(limit, move || drop(take(&to_drop))) {
            Err(CallError::TooMany | CallError::NoThread(_)) => take(&shared),
            Ok(()) | Err(CallError::TimedOut | CallError::Panicked) => None,
        }
    }
}

/// How far a call got.
enum CallState<T> {
    Pending,
    Returned(T),
    Panicked,
    /// The caller no longer waits.
    Abandoned,
}

/// Hands the state of a call to the caller when it is dropped, which a panic does too.
struct Handover<T> {
    slot: Arc<(Mutex<CallState<T>>, Condvar)>,
    state: CallState<T>,
    running: Option<Running>,
}

impl<T> Drop for Handover<T> {
    fn drop(&mut self) {
        let (state, ended) = &*self.slot;
        let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = mem::replace(&mut self.state, CallState::Panicked);
        let is_waited_for = matches!(*guard, CallState::Pending);
        if is_waited_for {
            *guard = ours;
            self.running = None; // before the caller goes on, because it may call again
            drop(guard);
            ended.notify_one();
        } else {
            drop(guard); // a late value is dropped here, as part of the call, without the lock
            drop(ours);
        }
    }
}

/// Counts a call from its beginning to its end, however it ends.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(limit: &TimeLimit) -> Option<Self> {
        let one_more = |count: usize| {
            count
                .checked_add(1)
                .filter(|count| *count <= limit.max_unfinished)
        };
        limit
            .unfinished
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Self(limit.unfinished.clone()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimedOut => f.write_str("it takes too long"),
            Self::Panicked => f.write_str("it panicked"),
            Self::TooMany => f.write_str("it has not finished earlier calls"),
            Self::NoThread(error) => write!(f, "no thread can be started: {error}"),
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn call_that_returns_late_has_its_result_dropped() {
        struct Lock(mpsc::Sender<()>);
        impl Drop for Lock {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (dropped, seen) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let late = TimeLimit::default().run(SOON, move || {
            let _ = wait.recv();
            Lock(dropped)
        });
        assert!(matches!(late, Err(CallError::TimedOut)));
        assert!(seen.try_recv().is_err());
        go.send(()).unwrap();
        seen.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn call_goes_on_until_what_it_returned_late_is_dropped() {
        struct Hanging(mpsc::Receiver<()>, mpsc::Sender<()>);
        impl Drop for Hanging {
            fn drop(&mut self) {
                let _ = self.1.send(());
                let _ = self.0.recv();
            }
        }
        let limit = TimeLimit::new(1);
        let (go, wait) = mpsc::channel::<()>();
        let (begun, dropping) = mpsc::channel();
        let (end, hang) = mpsc::channel::<()>();
        let late = limit.run(SOON, move || {
            let _ = wait.recv();
            Hanging(hang, begun)
        });
        assert!(matches!(late, Err(CallError::TimedOut)));
        go.send(()).unwrap();
        dropping.recv_timeout(LONG).unwrap();
        assert!(matches!(limit.run(LONG, || ()), Err(CallError::TooMany)));
        drop(end);
    }

    #[test]
    fn value_that_no_thread_can_drop_comes_back() {
        let limit = TimeLimit::new(1);
        assert_eq!(limit.drop_within(LONG, 7), None);
        let (go, wait) = mpsc::channel::<()>();
        let hung = limit.run(SOON, move || {
            let _ = wait.recv();
        });
        assert!(matches!(hung, Err(CallError::TimedOut)));
        assert_eq!(limit.drop_within(LONG, 7), Some(7));
        drop(go);
    }

    #[test]
    fn calls_that_hang_are_limited_in_number_and_a_panic_frees_its_place() {
        let limit = TimeLimit::default();
        for _ in 0..20 {
            let panicked = limit.run(LONG, || panic!("on purpose"));
            assert!(matches!(panicked, Err::<(), _>(CallError::Panicked)));
        }
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        for _ in 0..MAX_UNFINISHED {
            let wait = wait.clone();
            let hung = limit.run(SOON, move || drop(wait.lock().map(|wait| wait.recv())));
            assert!(matches!(hung, Err(CallError::TimedOut)));
        }
        assert!(matches!(limit.run(LONG, || ()), Err(CallError::TooMany)));
        drop(go);
    }
}
