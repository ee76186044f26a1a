//! The signals that end a command that has something to clean up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// How often to check whether a signal came.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Prints the signals that were ignored when the shell was started: it can set no trap for those (POSIX, `trap`).
#[cfg(unix)]
const IGNORED: &str = "for name in INT TERM HUP; do ignored=yes; trap 'ignored=no' $name; kill -s $name $$; \
                       [ $ignored = no ] || echo $name; done";

/// Signals that are caught. A signal that was ignored when this process was started, as `nohup` and the `&` of a script
/// ignore some, stays ignored.
pub(crate) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Catches SIGINT (Ctrl-C), SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(crate) fn catch() -> io::Result<Self> {
        let came = Arc::<AtomicBool>::default();
        let ignored = ignored();
        for (name, signal) in [
            ("INT", SIGINT),
            ("TERM", SIGTERM),
            #[cfg(unix)]
            ("HUP", SIGHUP),
        ] {
            if !ignored.lines().any(|other| other == name) {
                flag::register(signal, came.clone())?;
            }
        }
        Ok(Self(came))
    }

    /// Waits until one of the signals comes.
    pub(crate) fn wait(&self) {
        while !self.0.load(Ordering::Relaxed) {
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Returns the names of ignored signals, one per line. A child ignores what its parent ignores, and without `unsafe`
/// only a child can tell.
#[cfg(unix)]
fn ignored() -> String {
    let shell = std::process::Command::new("/bin/sh")
        .args(["-c", IGNORED])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output();
    let output = shell.map(|shell| shell.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).into_owned()
}

#[cfg(not(unix))]
fn ignored() -> String {
    String::new()
}
