//! Our code against what others wrote: authorization servers, verifiers, clients and proxies.
//!
//! Every test here needs something that `tests/interop/run` installs and starts, so it is ignored
//! without it, and panics where it is missing. What a test sees it also tells [`support::seen`],
//! which makes the page `SEEN.md`.

mod clients;
mod faults;
mod intermediaries;
mod life;
mod makers;
mod refusals;
mod servers;
mod skew;
mod support;
mod tls;
mod verifiers;
