//! Access to what `tests/interop/run` prepares, and the results for the page that it writes.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write as _;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns a variable that the run sets.
#[track_caller]
pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start tests/interop/run"))
}

/// Returns the path of a file in the scratch directory of the run.
#[track_caller]
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env("INTEROP_SCRATCH")).join(name)
}

/// Returns the text of a file in the scratch directory of the run.
#[track_caller]
pub(crate) fn file(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a program that must succeed and returns its output.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> Output {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

/// Writes a row of `SEEN.md` into the table of the calling test file.
///
/// Call it after the assertions that prove the row. `program` is a name whose version the run knows. The row must be
/// the same in each run: it contains no port, no time and no token.
#[track_caller]
pub(crate) fn record(program: &str, flow: &str, case: &str, result: impl Display) {
    let file = Path::new(Location::caller().file());
    let subject = file.file_stem().unwrap().to_str().unwrap();
    let cells = [subject, program, flow, case, &result.to_string()];
    assert!(!cells.iter().any(|cell| cell.contains(['\n', '\t'])));
    let row = cells.join("\t").replace('|', "\\|") + "\n";
    // A single write, since concurrent tests append to the same file.
    let results = File::options()
        .create(true)
        .append(true)
        .open(env("INTEROP_RESULTS"));
    results.unwrap().write_all(row.as_bytes()).unwrap();
}
