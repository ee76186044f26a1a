//! Warnings of the library about a response, for people.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::messages::print_message;

/// The modules whose warnings nothing else in the command line shows.
const TARGET: &str = "jwt_bearer::profile";

struct Warnings;

/// Prints the library's warnings from now on.
pub(crate) fn show() {
    if log::set_logger(&Warnings).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && metadata.target().starts_with(TARGET)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            print_message(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}
