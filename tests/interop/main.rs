//! Tests against authorization servers, verifiers, clients and proxies of other authors.
//!
//! The script `tests/interop/run` installs and starts what the tests need. They are ignored otherwise and panic when
//! something is missing. Each test passes its results to [`support::record`], which the script turns into the page
//! `SEEN.md`.

mod clients;
mod faults;
mod intermediaries;
mod life;
mod makers;
mod openbao;
mod refusals;
mod servers;
mod skew;
mod support;
mod tls;
mod verifiers;
