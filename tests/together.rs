//! The tests of the library in one program, because `cargo mutants` links it a thousand times.
#![allow(clippy::duplicate_mod)] // `support`, once for each

#[path = "algorithms.rs"]
mod algorithms;
#[path = "api.rs"]
mod api;
#[path = "certificates.rs"]
mod certificates;
#[path = "conformance.rs"]
mod conformance;
#[path = "discovery.rs"]
mod discovery;
#[path = "encrypted_keys.rs"]
mod encrypted_keys;
#[path = "flow.rs"]
mod flow;
#[path = "jwk.rs"]
mod jwk;
#[path = "key_faults.rs"]
mod key_faults;
#[path = "key_file.rs"]
mod key_file;
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
