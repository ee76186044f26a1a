#![doc = include_str!("../docs/guide.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
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

mod placement;

mod error;

#[expect(clippy::disallowed_methods, reason = "the system's clock")]
mod clock;

#[expect(
    clippy::disallowed_methods,
    reason = "a call that may hang runs on a thread of its own, and its caller goes on"
)]
mod time_limit;

mod random;

mod overwrite;

mod signer;

#[cfg_attr(
    not(all(feature = "ring", feature = "encrypted-keys")),
    allow(
        dead_code,
        reason = "only `ring` signs with some kinds of keys, and only `encrypted-keys` decrypts them"
    )
)]
mod key;

mod jwt;

#[expect(clippy::disallowed_types, reason = "the file that its caller names")]
mod key_file;

mod token;

mod discovery;

mod endpoint;

mod profile;

pub mod provider;

mod reason;

mod exchange;

mod transport;

mod schedule;

mod fetch_context;

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
#[cfg(any(feature = "rsa", feature = "ring"))]
pub use jwt::RsaAlgorithm;
#[cfg(feature = "rsa")]
pub use jwt::RsaKey;
pub use jwt::{Assertion, HmacAlgorithm, HmacKey, Key, ecdsa_signature_from_der};
#[cfg(feature = "ring")]
pub use jwt::{EcKey, Ed25519Key, RingRsaKey};
pub use key::certificate::Certificate;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use key::encoding::{decode_base64, decode_base64url, decode_hex, decode_utf16};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use key::public_reader::PublicKeyOfFile;
pub use key_file::KeyFile;
pub use message::{Request, Response};
pub use placement::Placement;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use profile::claims::is_public_parameter;
pub use profile::setting::{SETTINGS, Setting, SettingPart, SettingValue};
pub use profile::{AssertionPlacement, Audience, Jti, Profile, ScopePlacement};
pub use provider::{cylance, marketing_cloud_intelligence, salesforce};
pub use signer::{Algorithm, Signer};
pub use source::{SourceStatus, TokenSource, TokenState};
#[cfg(all(feature = "file-store", any(unix, windows)))]
pub use store::file::FileStore;
#[cfg(feature = "redis")]
pub use store::redis::RedisStore;
pub use store::{StoreLock, TokenStore};
pub use token::AccessToken;
pub use transport::Transport;
#[cfg(feature = "ureq")]
pub use transport::agent::agent;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use transport::agent::agent_with_connector;

/// Compiles the Rust examples of the other documents.
#[cfg(all(doctest, feature = "rsa", feature = "ureq"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
}
