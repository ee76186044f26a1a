//! The result of a command, on standard output.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Prints a line to standard output.
///
/// # Errors
/// If standard output is closed or full.
pub(crate) fn print_to_stdout(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::stdout)
}
