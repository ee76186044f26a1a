//! Vendors' own clients get their tokens from the sandbox, and their assertions are compared with those of our profiles.
//!
//! The script `tests/sdks/run` installs the clients. The tests are ignored otherwise and panic when something is
//! missing. Each test passes its result to [`support::Sandbox`], and the script turns the results into the page
//! `SEEN.md`.

mod compare;
mod support;
mod vendors;
