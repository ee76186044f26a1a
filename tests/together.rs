//! The tests of the library in one program, because `cargo mutants` links it a thousand times.
#![allow(clippy::duplicate_mod)] // `support`, once for each

#[path = "api.rs"]
mod api;
#[path = "conformance.rs"]
mod conformance;
#[path = "discovery.rs"]
mod discovery;
#[path = "flow.rs"]
mod flow;
#[path = "keys.rs"]
mod keys;
#[path = "pem.rs"]
mod pem;
#[path = "providers.rs"]
mod providers;
#[path = "source.rs"]
mod source;
#[path = "vectors.rs"]
mod vectors;
