//! Calls to a store on a thread that can be left behind: nothing else ends foreign code in time.

use std::convert::Infallible;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::{StoreLock, TokenStore};
use crate::error::BoxError;

/// Threads of one source that have not ended: a store that hangs for good must not gather them for ever.
const MAX_DESKS: usize = 8;
const PANICKED: &str = "it panicked";

/// Where desks are opened.
pub(crate) struct Counter {
    place: Arc<Place>,
    /// Goes with every lock that is held here.
    mark: Arc<()>,
}

/// What a desk needs to know, even one that was left behind.
struct Place {
    store: Box<dyn TokenStore>,
    name: String,
}

/// One caller's calls, one after the other. One that takes too long is left behind on the desk's thread, and with it
/// what comes after it, the lock's return the last.
pub(crate) struct Desk<'c> {
    counter: &'c Counter,
    calls: Sender<Call>,
    ended: Receiver<Infallible>,
    /// Shared with every call that has not ended.
    unended: Arc<()>,
}

/// Who has the lock.
pub(crate) enum Locked {
    ByThisDesk,
    /// By a call that was left behind: nobody will give it back.
    ByAnotherDesk,
    Elsewhere,
}

/// The lock stays with the thread, and is given back where it was taken.
type Call = Box<dyn for<'s> FnOnce(&'s dyn TokenStore, &str, &mut Option<StoreLock<'s>>) + Send>;

impl Counter {
    pub(crate) fn new(store: impl TokenStore + 'static, name: String) -> Self {
        let store = Box::new(store);
        Self {
            place: Arc::new(Place { store, name }),
            mark: Arc::default(),
        }
    }

    /// For one caller.
    ///
    /// # Errors
    /// Where too many earlier ones have not ended, or there can be no thread.
    pub(crate) fn open(&self) -> Result<Desk<'_>, BoxError> {
        if Arc::strong_count(&self.place) > MAX_DESKS {
            return Err("it has not ended earlier calls".into());
        }
        let place = self.place.clone();
        let (calls, received) = mpsc::channel::<Call>();
        let (running, ended) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            // Dropped from below, and no lock in the middle of a panic.
            let _running: Sender<Infallible> = running;
            let place = place;
            let mut lock = None;
            for call in received {
                let call = AssertUnwindSafe(|| call(&*place.store, &place.name, &mut lock));
                if panic::catch_unwind(call).is_err() {
                    break;
                }
            }
        })?;
        Ok(Desk {
            counter: self,
            calls,
            ended,
            unended: Arc::default(),
        })
    }
}

impl Desk<'_> {
    /// What a call brings that ends in `time`.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        time: Duration,
        call: impl FnOnce(&dyn TokenStore, &str, Duration) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        self.run(time, move |store, name, _| call(store, name, time))
    }

    /// Takes the lock, where it is free, for as long as the desk is open.
    pub(crate) fn try_lock(&self, time: Duration) -> Result<Locked, BoxError> {
        let mark = self.counter.mark.clone();
        let others = match Arc::strong_count(&mark) {
            2 => Locked::Elsewhere, // the counter's and this one
            _ => Locked::ByAnotherDesk,
        };
        let taken = self.run(time, move |store, name, lock| {
            let taken = store.try_lock(name, time)?;
            *lock = taken.map(|taken| -> StoreLock<'_> { Box::new((taken, mark)) });
            Ok(lock.is_some())
        });
        taken.map(|taken| if taken { Locked::ByThisDesk } else { others })
    }

    /// Gives the lock back, and waits so long for it.
    pub(crate) fn close(self, time: Duration) {
        let time = self.patience(time);
        drop(self.calls);
        let _ = self.ended.recv_timeout(time);
    }

    fn run<T: Send + 'static>(
        &self,
        time: Duration,
        call: impl for<'s> FnOnce(
            &'s dyn TokenStore,
            &str,
            &mut Option<StoreLock<'s>>,
        ) -> Result<T, BoxError>
        + Send
        + 'static,
    ) -> Result<T, BoxError> {
        let (tell, told) = mpsc::sync_channel(1);
        let (time, unended) = (self.patience(time), self.unended.clone());
        let call: Call = Box::new(move |store, name, lock| {
            let answer = call(store, name, lock);
            drop(unended);
            let _ = tell.send(answer); // to nobody where it took too long
        });
        self.calls.send(call).map_err(|_| PANICKED)?;
        told.recv_timeout(time).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err("it takes too long".into()),
            RecvTimeoutError::Disconnected => Err(PANICKED.into()),
        })
    }

    /// Behind a call that has not ended there is no waiting.
    fn patience(&self, time: Duration) -> Duration {
        match Arc::strong_count(&self.unended) {
            1 => time,
            _ => Duration::ZERO,
        }
    }
}
