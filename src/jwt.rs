//! Key and claims to assertion. This file is the whole cryptographic path, to be audited alone.
//!
//! [`RsaKey`] and [`HmacKey`] are [`Signer`]s, and the type of a key decides `alg`. [`Assertion`]
//! is the compact serialization of RFC 7515 §7.1: header and claims as JSON in a fixed order,
//! base64url without padding, and one signature over exactly the bytes that are sent. RS256 is
//! PKCS#1 v1.5 with SHA-256 (RFC 7518 §3.3) and always blinded. HS256 is HMAC with SHA-256 over the
//! bytes of the secret as they are (RFC 7518 §3.2). Nothing here reads a clock or sends anything.

use std::{fmt, str};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::rand_core::OsRng;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::json::{JsonObject, JsonWriter};
use crate::redact::redact_all;
use crate::signer::{Algorithm, Signer};
use crate::{der, pem};

/// The sizes of RSA keys in bits. RFC 7518 §3.3 requires 2048 or more, since shorter keys can be
/// broken. A signature with more than 8192 bits takes seconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Bytes of DER: a key of 8192 bits has 4.7 thousand, and reading a larger one takes its square
/// in time.
const MAX_DER: usize = 8 * 1024;
/// The capacity for header and claims in bytes. Most messages fit, so they are not reallocated.
const USUAL_MESSAGE: usize = 1024;

/// An RSA private key of 2048 to 8192 bits that signs RS256.
///
/// There is no `Clone`, so that one copy of a key is in memory: share it in an
/// [`Arc`](std::sync::Arc). The key is wiped when it is dropped.
pub struct RsaKey {
    key: SigningKey<Sha256>,
    key_id: Option<String>,
    repairs: Vec<&'static str>,
}

impl RsaKey {
    /// Reads a PEM private key, PKCS#1 or PKCS#8, and repairs what copying does to it.
    ///
    /// Of several blocks the first private key is taken. The text stays yours to wipe.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key), and what the text is instead. It is never quoted.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let found = pem::private_key(text.as_ref())?;
        Self::from_der(&found.der).map(|key| key.repaired(found.repairs))
    }
    /// Reads a DER private key, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key), and what the bytes are instead.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, Error> {
        let der = within_limit(der.as_ref())?;
        let key =
            RsaPrivateKey::from_pkcs8_der(der).or_else(|_| RsaPrivateKey::from_pkcs1_der(der));
        key.map_err(|_| Error::key(der::instead_of_rsa(der))) // the parser's own errors are dropped
            .and_then(Self::checked)
    }
    /// Reads a PKCS#8 key in PEM that a passphrase protects; one without passphrase is read as it
    /// is.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); and where the passphrase is wrong, or the encryption is
    /// not PBES2 with AES-CBC and PBKDF2-HMAC-SHA-2 or scrypt (RFC 8018, RFC 7914).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_pem(
        text: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let found = pem::private_key(text.as_ref())?;
        Self::from_encrypted_der(&found.der, passphrase).map(|key| key.repaired(found.repairs))
    }
    /// Reads a PKCS#8 key in DER that a passphrase protects; one without passphrase is read as it
    /// is.
    ///
    /// # Errors
    /// As [`from_encrypted_pem`](Self::from_encrypted_pem).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_der(
        der: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let der = within_limit(der.as_ref())?;
        let Ok(sealed) = rsa::pkcs8::EncryptedPrivateKeyInfo::try_from(der) else {
            return match der::instead_of_rsa(der) {
                der::ENCRYPTED => Err(Error::key(UNKNOWN_ENCRYPTION)),
                _ => Self::from_der(der),
            };
        };
        if der::takes_too_long(&sealed) {
            return Err(Error::key("this key's passphrase takes too long to check"));
        }
        let open = sealed.decrypt(passphrase).map_err(|error| {
            use rsa::pkcs8::{Error::EncryptedPrivateKey, pkcs5};
            Error::key(match error {
                EncryptedPrivateKey(
                    pkcs5::Error::UnsupportedAlgorithm { .. }
                    | pkcs5::Error::AlgorithmParametersInvalid { .. }
                    | pkcs5::Error::NoPbes1CryptSupport,
                ) => UNKNOWN_ENCRYPTION,
                _ => WRONG_PASSPHRASE, // one in 256 unpads all the same, to noise that is no DER
            })
        })?;
        Self::from_der(open.as_bytes())
    }
    /// Sets `kid`, the name under which the server knows the key (RFC 7515 §4.1.4).
    ///
    /// Defaults to none: the header has no `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
    /// What a strict reader would have refused in the PEM, one sentence each.
    pub fn repairs(&self) -> &[&'static str] {
        &self.repairs
    }

    /// The public half in DER (PKCS#1), to register it where assertions are verified.
    #[cfg(feature = "sandbox")]
    pub(crate) fn public_key_pkcs1(&self) -> Vec<u8> {
        use rsa::pkcs1::EncodeRsaPublicKey as _;
        let key: &RsaPrivateKey = self.key.as_ref();
        let der = key.to_public_key().to_pkcs1_der();
        der.map(|der| der.as_bytes().to_owned()).unwrap_or_default()
    }

    fn checked(key: RsaPrivateKey) -> Result<Self, Error> {
        let bits = key.n().bits();
        if !RSA_BITS.contains(&bits) {
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            return Err(Error::key(format!(
                "this RSA key has {bits} bits; {least} to {most} are taken"
            )));
        }
        Ok(Self {
            key: SigningKey::new(key),
            key_id: None,
            repairs: Vec::new(),
        })
    }
    fn repaired(self, repairs: Vec<&'static str>) -> Self {
        Self { repairs, ..self }
    }
}

impl Signer for RsaKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Rs256
    }
    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        // The random numbers blind the private-key operation, so that its time says nothing about
        // the key. The signature is the same with any numbers.
        let signature = self.key.try_sign_with_rng(&mut OsRng, message)?;
        Ok(signature.to_bytes().into_vec()) // `to_vec` would leave a second copy
    }
    /// Returns SHA-256 of the public key in DER (`SubjectPublicKeyInfo`, RFC 5280 §4.1.2.7).
    fn identity(&self) -> Option<[u8; 32]> {
        let key: &RsaPrivateKey = self.key.as_ref();
        let der = der::public_key(&key.n().to_bytes_be(), &key.e().to_bytes_be());
        der.ok().as_deref().map(sha256)
    }
}

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
        match str::from_utf8(&self.secret) {
            Ok(secret) => redact_all(words.each_ref().map(String::as_str), &[secret]),
            Err(_) => words, // no server writes bytes that are not text
        }
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

    /// Adds the `jti` claim, so that nobody has to decode the JWT to read it.
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

#[cfg(feature = "encrypted-keys")]
const WRONG_PASSPHRASE: &str = "the passphrase is wrong";
#[cfg(feature = "encrypted-keys")]
const UNKNOWN_ENCRYPTION: &str = "this key's encryption is not PBES2 with AES-CBC and \
    PBKDF2-HMAC-SHA-2 or scrypt: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc";

fn within_limit(der: &[u8]) -> Result<&[u8], Error> {
    match der.len() <= MAX_DER {
        true => Ok(der),
        false => Err(Error::key("this is too long for an RSA key of 8192 bits")),
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey")
            .field("key_id", &self.key_id)
            .field("repairs", &self.repairs)
            .finish_non_exhaustive()
    }
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
