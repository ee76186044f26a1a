#![cfg_attr(feature = "ureq", doc = include_str!("../README.md"))]
//!
//! # Reading the source
//!
//! Data goes one way. Each file is a room that knows only the ones above it, in the order of this
//! list:
//!
//! | file | in, out |
//! |---|---|
//! | `http.rs` | requests and responses as data; which URLs are safe |
//! | `echo.rs` | a foreign text without what it repeats of our secrets |
//! | `error.rs` | whose fault it is |
//! | `clock.rs` | both clocks and sleep |
//! | `pem.rs` | PEM text as people have it, to DER |
//! | `der.rs` | what a DER is that is no RSA private key, and the DER of a public one |
//! | `signer.rs` | a key that can sign, wherever it lives |
//! | `jwt.rs` | **key and claims to assertion: the whole crypto path** |
//! | `token.rs` | an access token and its life |
//! | `endpoint.rs` | where the token endpoint is, or is written |
//! | `profile.rs`, `profile/*.rs` | everything one server wants, as data |
//! | `discovery.rs` | metadata document to token endpoint |
//! | `exchange.rs` | profile and key to request, response to token |
//! | `transport.rs` | one request, one bounded response |
//! | `store.rs`, `store/*.rs` | the same token for other processes |
//! | `life.rs` | how long a token is fresh, how long a failure stands |
//! | `slot.rs` | one token for many callers: fresh, due, expired; one flight |
//! | `fetch.rs`, `fetch/shared.rs` | discovery, attempts, clock correction, the store: one token, all I/O |
//! | `source.rs` | `TokenSource`: a token whenever it is asked for |

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::disallowed_macros, // clippy.toml lists what is disallowed
        clippy::disallowed_methods,
        clippy::disallowed_types
    )
)]

mod redact;

mod json;

mod url;

mod message;

mod error;

#[expect(clippy::disallowed_methods, reason = "the system's clock")]
mod clock;

#[expect(
    clippy::disallowed_methods,
    reason = "a call that hangs keeps its thread, not its caller"
)]
mod time_limit;

mod random;

mod pem;

mod der;

mod signer;

mod jwt;

mod token;

mod endpoint;

mod profile;

mod discovery;

mod reason;

mod exchange;

mod transport;

mod schedule;

mod cache;

mod store;

mod fetch;

mod shared;

mod source;

#[cfg(feature = "sandbox")]
#[expect(
    clippy::disallowed_methods,
    reason = "a server of its own, for tests and demonstrations"
)]
pub mod sandbox;

pub use clock::{Clock, ManualClock};
pub use endpoint::Endpoint;
pub use error::{BoxError, Error, ErrorKind};
pub use exchange::Exchange;
pub use jwt::{Assertion, HmacKey, RsaKey};
pub use message::{Request, Response};
pub use profile::{
    Audience, Jti, Placement, Profile, ScopePlacement, cylance, marketing_cloud_intelligence,
    salesforce,
};
pub use signer::{Algorithm, Signer};
pub use source::{SourceStatus, TokenSource, TokenState};
#[cfg(all(feature = "file-store", unix))]
pub use store::file::FileStore;
#[cfg(feature = "redis")]
pub use store::redis::RedisStore;
pub use store::{StoreLock, TokenStore};
pub use token::AccessToken;
pub use transport::Transport;
