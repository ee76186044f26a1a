//! What `tests/interop/run` made ready, and the page it writes.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write as _;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the run says under this name.
#[track_caller]
pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start tests/interop/run"))
}

/// A file below the run's scratch directory.
#[track_caller]
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env("INTEROP_SCRATCH")).join(name)
}

/// Its text.
#[track_caller]
pub(crate) fn file(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a program said that must succeed.
#[track_caller]
pub(crate) fn said(command: &mut Command) -> Output {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

/// A row of `SEEN.md`, under the name of the test file it is called from: call it after what it says
/// was asserted.
///
/// `server` is a name whose version the run knows. Nothing of it may be different the next time: no
/// port, no time, no token.
#[track_caller]
pub(crate) fn seen(server: &str, flow: &str, case: &str, what: impl Display) {
    let file = Path::new(Location::caller().file());
    let subject = file.file_stem().unwrap().to_str().unwrap();
    let cells = [subject, server, flow, case, &what.to_string()];
    assert!(!cells.iter().any(|cell| cell.contains(['\n', '\t'])));
    let row = cells.join("\t").replace('|', "\\|") + "\n";
    // One write: tests run at the same time, and append.
    let page = File::options()
        .create(true)
        .append(true)
        .open(env("INTEROP_SEEN"));
    page.unwrap().write_all(row.as_bytes()).unwrap();
}
