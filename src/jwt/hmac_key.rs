//! A shared secret for HMAC.

use std::fmt::{self, Write as _};
use std::{mem, str};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::digest::{InvalidLength, KeyInit};
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::key::encoding::{decode_base64, decode_base64url, decode_hex};
use crate::key::material::{KeyMaterial, KeyParts};
use crate::overwrite::overwrite_stack;
use crate::redact::redact_pair;
use crate::signer::{Algorithm, Signer};

/// An algorithm for shared secrets (RFC 7518 §3.2).
///
/// A program contains the code of HS256 and of the algorithms that it names, but of no others.
#[derive(Clone, Copy)]
pub struct HmacAlgorithm {
    name: Algorithm,
    compute_tag: ComputeTag,
}

/// Computes the tag of a message with a secret.
type ComputeTag = fn(&[u8], &[u8]) -> Result<Vec<u8>, InvalidLength>;

impl HmacAlgorithm {
    /// HMAC with SHA-256.
    pub const HS256: Self = Self {
        name: Algorithm::Hs256,
        compute_tag: compute_tag::<Hmac<Sha256>>,
    };
    /// HMAC with SHA-384.
    pub const HS384: Self = Self {
        name: Algorithm::Hs384,
        compute_tag: compute_tag::<Hmac<Sha384>>,
    };
    /// HMAC with SHA-512.
    pub const HS512: Self = Self {
        name: Algorithm::Hs512,
        compute_tag: compute_tag::<Hmac<Sha512>>,
    };

    /// Returns the name, which is the value of `alg`.
    pub fn name(self) -> Algorithm {
        self.name
    }

    /// Returns the algorithm of this name, or `None` if it is not for shared secrets.
    pub fn named(name: Algorithm) -> Option<Self> {
        let all = [Self::HS256, Self::HS384, Self::HS512];
        all.into_iter().find(|algorithm| algorithm.name == name)
    }
}

/// Algorithms are equal if their names are.
impl PartialEq for HmacAlgorithm {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for HmacAlgorithm {}

impl fmt::Display for HmacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl fmt::Debug for HmacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacAlgorithm::{}", self.name)
    }
}

/// Computes a tag in a part of the stack that is overwritten after the call.
#[inline(never)]
fn compute_tag<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Result<Vec<u8>, InvalidLength> {
    let mut mac = <M as Mac>::new_from_slice(secret)?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// A shared secret. It signs HS256 unless it is asked for another [algorithm](Self::with_algorithm).
///
/// RFC 7518 §3.2 requires at least as many bytes as the hash has: 32 for HS256, 48 for HS384, 64 for HS512. Shorter
/// secrets are accepted because servers issue them, but anyone who sees an assertion can find a short secret by
/// guessing. The secret is wiped when it is dropped.
pub struct HmacKey {
    secret: Zeroizing<Vec<u8>>,
    algorithm: HmacAlgorithm,
    key_id: Option<String>,
}

impl HmacKey {
    /// Creates a key from the bytes of the secret, without decoding or trimming them.
    ///
    /// If the server hands out an encoded secret, use [`from_hex`](Self::from_hex), [`from_base64`](Self::from_base64)
    /// or [`from_base64url`](Self::from_base64url); a JWK is read by [`Key::read`](crate::Key::read). Remove the line
    /// end that `echo` writes at the end of a file.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the secret is empty.
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let secret = Zeroizing::new(secret.into());
        match secret.is_empty() {
            true => Err(Error::key("the HMAC secret is empty")),
            false => Ok(Self {
                secret,
                algorithm: HmacAlgorithm::HS256,
                key_id: None,
            }),
        }
    }
    /// Creates a key from the hexadecimal digits of the secret, such as the second half of an Admin API key of Ghost.
    /// White space is ignored.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the text is not hexadecimal, or the secret is empty. The text is never
    /// quoted.
    pub fn from_hex(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::decoded(decode_hex(text.as_ref()), "hexadecimal")
    }
    /// Creates a key from the base64 of the secret (RFC 4648 §4), such as the one of a Webex guest issuer. White space
    /// is ignored, and the padding may be left out.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the text is not base64, or the secret is empty. The text is
    /// never quoted.
    pub fn from_base64(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::decoded(decode_base64(text.as_ref()), "base64")
    }
    /// Creates a key from the base64url of the secret (RFC 4648 §5), such as the `k` of a JWK. White
    /// space is ignored, and the padding may be left out.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the text is not base64url, or the secret is empty. The text
    /// is never quoted.
    pub fn from_base64url(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::decoded(decode_base64url(text.as_ref()), "base64url")
    }
    fn decoded(secret: Option<Zeroizing<Vec<u8>>>, encoding: &str) -> Result<Self, Error> {
        let refusal = || Error::key(format!("the HMAC secret is not {encoding}"));
        let mut secret = secret.ok_or_else(refusal)?;
        Self::new(mem::take(&mut *secret))
    }
    /// Makes a key from the secret in a JWK, with its `kid`. It signs its `alg`, or HS256.
    pub(super) fn from_material(material: KeyMaterial) -> Result<Self, Error> {
        let KeyParts::Hmac(mut secret) = material.parts else {
            return Err(Error::key("this is not the secret of an HMAC"));
        };
        let algorithm = match material.algorithm {
            None => HmacAlgorithm::HS256,
            Some(name) => HmacAlgorithm::named(name).ok_or_else(|| {
                Error::key(format!(
                    "the alg of this JWK is {name}, which is not one of shared secrets"
                ))
            })?,
        };
        let key = Self::new(mem::take(&mut *secret))?.with_algorithm(algorithm);
        Ok(material.key_id.into_iter().fold(key, Self::with_key_id))
    }
    /// Sets `kid`, the name under which the server knows the key (RFC 7515 §4.1.4).
    ///
    /// Defaults to none: the header has no `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
    /// Sets the algorithm, and with it `alg`. Defaults to HS256.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: HmacAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
    fn tag(&self, algorithm: HmacAlgorithm, message: &[u8]) -> Result<Vec<u8>, InvalidLength> {
        let tag = (algorithm.compute_tag)(&self.secret, message);
        // `hmac` leaves a padded copy of the secret there, and uses about 2,600 bytes with SHA-512.
        overwrite_stack::<4096>();
        tag
    }
}

impl Signer for HmacKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm.name
    }
    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(self.tag(self.algorithm, message)?)
    }
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        // The secret may be written as text, or in the encodings in which servers hand secrets out.
        let text = str::from_utf8(&self.secret).unwrap_or_default();
        // A string that grows leaves pieces in freed memory.
        let length = self.secret.len().saturating_mul(2);
        let [mut lower, mut upper] =
            [(); 2].map(|()| Zeroizing::new(String::with_capacity(length)));
        for byte in self.secret.iter() {
            let _ = write!(lower, "{byte:02x}"); // writing to a string cannot fail
            let _ = write!(upper, "{byte:02X}");
        }
        let [base64, base64url] = [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
        let base64 = Zeroizing::new(base64.encode(&self.secret));
        let base64url = Zeroizing::new(base64url.encode(&self.secret));
        let secrets = [text, &lower, &upper, &base64, &base64url];
        redact_pair(words.each_ref().map(String::as_str), &secrets)
    }
    /// Returns the HMAC-SHA-256 of a fixed text. A plain hash of a weak secret could be looked up.
    fn identity(&self) -> Option<[u8; 32]> {
        let message = b"jwt-bearer: identity of this secret";
        let tag = self.tag(HmacAlgorithm::HS256, message).ok()?;
        tag.try_into().ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey")
            .field("algorithm", &self.algorithm.name)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
