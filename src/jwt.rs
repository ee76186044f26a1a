//! Key and claims to assertion. This file and `jwt/rsa_key.rs` are the whole cryptographic path.
//!
//! [`RsaKey`] and [`HmacKey`] are [`Signer`]s, and the type of a key decides `alg`. [`Assertion`]
//! is the compact serialization of RFC 7515 §7.1: header and claims as JSON in a fixed order,
//! base64url without padding, and one signature over exactly the bytes that are sent. RS256 is
//! PKCS#1 v1.5 with SHA-256 (RFC 7518 §3.3) and always blinded. HS256 is HMAC with SHA-256 over the
//! bytes of the secret as they are (RFC 7518 §3.2). Nothing here reads a clock or sends anything.

mod rsa_key;

use std::{fmt, str};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::json::{JsonObject, JsonWriter};
use crate::redact::redact_all;
use crate::signer::{Algorithm, Signer};

pub use self::rsa_key::RsaKey;

/// The capacity for header and claims in bytes. Most messages fit, so they are not reallocated.
const USUAL_MESSAGE: usize = 1024;

/// A shared secret that signs HS256.
///
/// RFC 7518 §3.2 requires 32 bytes or more. Shorter secrets are accepted because servers issue them,
/// but whoever sees an assertion can find a short secret by guessing. The secret is wiped when it is
/// dropped.
pub struct HmacKey {
    secret: Zeroizing<Vec<u8>>,
    key_id: Option<String>,
}

impl HmacKey {
    /// Creates a key from the bytes of the secret as they are, neither decoded nor trimmed.
    ///
    /// Decode base64 or hexadecimal text first where the server says so. Remove the line end that
    /// `echo` writes at the end of a file.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the secret is empty.
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let secret = Zeroizing::new(secret.into());
        match secret.is_empty() {
            true => Err(Error::key("the HMAC secret is empty")),
            false => Ok(Self {
                secret,
                key_id: None,
            }),
        }
    }
    /// Sets `kid`, the name under which the server knows the key (RFC 7515 §4.1.4).
    ///
    /// Defaults to none: the header has no `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
    #[inline(never)]
    fn tag(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret)?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

/// Overwrites the part of the stack that the previous call used.
#[inline(never)]
fn overwrite_stack() {
    std::hint::black_box([0_u8; 2048]);
}

impl Signer for HmacKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let tag = self.tag(message);
        overwrite_stack(); // `hmac` leaves a padded copy of the secret there
        tag
    }
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        // The secret may be written as text, or as the encodings in which servers hand secrets out.
        let text = str::from_utf8(&self.secret).unwrap_or_default();
        let hex = self.secret.iter().map(|byte| format!("{byte:02x}"));
        let hex = Zeroizing::new(hex.collect::<String>());
        let [base64, base64url] = [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
        let base64 = Zeroizing::new(base64.encode(&self.secret));
        let base64url = Zeroizing::new(base64url.encode(&self.secret));
        let secrets = [text, &hex, &base64, &base64url];
        redact_all(words.each_ref().map(String::as_str), &secrets)
    }
    /// Returns the HMAC-SHA-256 of a fixed text. A plain hash of a weak secret could be looked up.
    fn identity(&self) -> Option<[u8; 32]> {
        let tag = self.sign(b"jwt-bearer: identity of this secret").ok()?;
        tag.try_into().ok()
    }
}

#[inline(never)] // so that its buffer is in the part of the stack that is overwritten
fn append(bytes: &[u8], jwt: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, jwt);
}

/// A signed JWT in compact serialization (RFC 7515 §7.1).
///
/// It is a secret: whoever has it can trade it for a token until it expires. It is wiped when it is
/// dropped.
pub struct Assertion {
    jwt: Zeroizing<String>,
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
        json.encoded(header);
        json.take(|json| append(json, &mut jwt));
        jwt.push('.');
        claims(&mut json);
        json.take(|json| append(json, &mut jwt));
        let signature = signer
            .sign(jwt.as_bytes())
            .map_err(|error| Error::key("the signer failed").with_source(error))?;
        let signature = Zeroizing::new(signature);
        // The signature is appended to the bytes that were signed, so the same bytes are sent. They
        // are moved once at most, because a string that grows step by step leaves copies behind.
        jwt.reserve_exact(signature.len().saturating_mul(2).saturating_add(1));
        jwt.push('.');
        append(&signature, &mut jwt);
        overwrite_stack(); // `base64` leaves its buffer there
        Ok(Self { jwt, jti: None })
    }

    /// Records the value of the `jti` claim, so that it can be logged without decoding the JWT.
    pub(crate) fn with_jti(self, jti: Option<String>) -> Self {
        Self { jti, ..self }
    }
}

/// Returns the SHA-256 hash of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Returns the claims of a JWT whose signature is not checked. Use them as a hint, never as a proof.
pub(crate) fn unverified_claims(jwt: &str) -> Option<JsonObject> {
    let mut segments = jwt.split('.');
    let (_header, claims, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
    JsonObject::parse(&claims)
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion(..)")
    }
}
