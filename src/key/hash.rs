//! The hash by which keys, certificates, tokens and files are compared.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 hash of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
