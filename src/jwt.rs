//! Key and claims to assertion. All signing is in this file and its folder; `key` decrypts and identifies keys.
//!
//! The keys are [`Signer`]s, and the key itself decides `alg`. [`Assertion`] is the compact serialization of RFC 7515
//! §7.1: header and claims as JSON in a fixed order, base64url without padding, and one signature over exactly the
//! bytes that are sent. Nothing here reads a clock or sends anything. Each module names only those above it.

mod ecdsa;

mod hmac_key;

#[cfg(any(feature = "rsa", feature = "ring"))]
mod rsa_algorithm;

#[cfg(any(feature = "rsa", feature = "ring"))]
mod asymmetric_key;

#[cfg(feature = "rsa")]
mod rsa_key;

#[cfg(feature = "ring")]
mod ring_keys;

mod any_key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::json::{JsonObject, JsonWriter};
use crate::overwrite::overwrite_stack;
use crate::signer::Signer;

pub use self::any_key::Key;
pub use self::ecdsa::ecdsa_signature_from_der;
pub use self::hmac_key::{HmacAlgorithm, HmacKey};
#[cfg(feature = "ring")]
pub use self::ring_keys::{EcKey, Ed25519Key, RingRsaKey};
#[cfg(any(feature = "rsa", feature = "ring"))]
pub use self::rsa_algorithm::RsaAlgorithm;
#[cfg(feature = "rsa")]
pub use self::rsa_key::RsaKey;

/// The capacity for header and claims in bytes. Most messages fit, so they are not reallocated.
const USUAL_MESSAGE: usize = 1024;

#[inline(never)] // so that its buffer is in the part of the stack that is overwritten
fn push_base64url(bytes: &[u8], jwt: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, jwt);
}

/// A signed JWT in compact serialization (RFC 7515 §7.1).
///
/// It is a secret: until it expires, anyone who has it can trade it for a token. It is wiped when it is dropped.
pub struct Assertion {
    jwt: Zeroizing<String>,
    /// The length of the signature in bytes.
    signature_length: usize,
    jti: Option<String>,
}

impl Assertion {
    /// Returns `header.claims.signature`.
    pub fn secret(&self) -> &str {
        &self.jwt
    }

    /// Returns the `jti` claim, which identifies the assertion in a server's log.
    pub(crate) fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// Returns the length of the signature in bytes, which for an RSA key is the length of the key.
    pub(crate) fn signature_length(&self) -> usize {
        self.signature_length
    }

    /// Signs header and claims. The header has `typ`, `alg` and `kid`, then the members of `header`.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the signer failed. Its error is the source.
    pub(crate) fn sign(
        signer: &dyn Signer,
        typ: Option<&str>,
        header: &[(String, String)],
        claims: impl FnOnce(&mut JsonWriter),
    ) -> Result<Self, Error> {
        let mut jwt = Zeroizing::new(String::with_capacity(USUAL_MESSAGE));
        let mut json = JsonWriter::with_capacity(USUAL_MESSAGE);
        json.text("typ", typ);
        json.text("alg", Some(signer.algorithm().name()));
        json.text("kid", signer.key_id());
        json.json_members(header);
        json.finish_into(|json| push_base64url(json, &mut jwt));
        jwt.push('.');
        claims(&mut json);
        json.finish_into(|json| push_base64url(json, &mut jwt));
        let signature = signer
            .sign(jwt.as_bytes())
            .map_err(|error| Error::key("the signer failed").with_source(error))?;
        let signature = Zeroizing::new(signature);
        // The signature is appended to the bytes that were signed, so the same bytes are sent. They are moved at most
        // once, because a string that grows step by step leaves copies behind.
        jwt.reserve_exact(signature.len().saturating_mul(2).saturating_add(1));
        jwt.push('.');
        push_base64url(&signature, &mut jwt);
        overwrite_stack::<2048>(); // `base64` leaves its buffer there
        Ok(Self {
            jwt,
            signature_length: signature.len(),
            jti: None,
        })
    }

    /// Records the value of the `jti` claim, so that it can be logged without decoding the JWT.
    pub(crate) fn with_jti(self, jti: Option<String>) -> Self {
        Self { jti, ..self }
    }
}

/// Returns the claims of a JWT without checking its signature. Use them as a hint, never as proof.
pub(crate) fn unverified_claims(jwt: &str) -> Option<JsonObject> {
    let mut segments = jwt.split('.');
    let (_header, claims, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
    JsonObject::parse(&claims)
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion(..)")
    }
}
