//! An RSA private key: from a file of any format to RS256 signatures.
//!
//! RS256 is PKCS#1 v1.5 with SHA-256 (RFC 7518 §3.3), here always blinded. What the file says is
//! checked before it is computed with, so that every key that is read signs in the usual time.

use std::cmp::Reverse;
use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::OsRng;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};

use crate::error::{BoxError, Error};
use crate::signer::{Algorithm, Signer};
use crate::{der, json, pem};

/// The sizes of RSA keys in bits. RFC 7518 §3.3 requires 2048 or more, since shorter keys can be
/// broken. A signature with more than 8192 bits takes seconds.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// How many bits longer or shorter than half of the modulus a prime may be.
///
/// FIPS 186-5 §A.1.1 requires exactly half. Generators that do not fix the leading bits of their
/// primes differ from that by a few bits, which makes a key neither slower nor weaker. No generator
/// is known to differ by more, so such a key was made by hand: a short prime can be found, and a
/// long one takes time.
const MAX_PRIME_SKEW: usize = 16;
/// `rsa` computes with exponents in this range.
const WRONG_EXPONENT: &str =
    "the public exponent of this RSA key is not an odd number from 3 to 2^33 - 1";
/// `rsa` computes the primes by NIST SP 800-56B §C.2, which needs an exponent above 65536.
const NO_PRIMES: &str = "the primes of this RSA key are missing and do not follow from its other \
    numbers: export it again with its primes";
#[cfg(feature = "encrypted-keys")]
const WRONG_PASSPHRASE: &str = "the passphrase is wrong";
#[cfg(feature = "encrypted-keys")]
const UNKNOWN_ENCRYPTION: &str = "this key's encryption is not PBES2 with AES-CBC and \
    PBKDF2-HMAC-SHA-2 or scrypt: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc";

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
    /// Reads a private key of whichever kind, PEM or DER, PKCS#1 or PKCS#8.
    ///
    /// This is the reader for the content of a key file whose format you do not know. UTF-16 text is
    /// read too.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the bytes are no RSA private key that can be used. The
    /// message names what they are instead and quotes nothing of them.
    pub fn read(bytes: impl AsRef<[u8]>) -> Result<Self, Error> {
        match pem::private_key(bytes.as_ref())? {
            Some(found) => Self::from_der(&found.der).map(|key| key.repaired(found.repairs)),
            None => Self::from_der(bytes),
        }
    }
    /// Reads a private key in PEM, PKCS#1 or PKCS#8, and repairs what copying does to it.
    ///
    /// Of several blocks the first private key is read. Wipe the text yourself.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let found = found_in_pem(text.as_ref())?;
        Self::from_der(&found.der).map(|key| key.repaired(found.repairs))
    }
    /// Reads a private key in DER, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, Error> {
        match der::private_key(der.as_ref()).map_err(Error::key)? {
            der::PrivateKey::Rsa(numbers) => Self::from_numbers(&numbers),
            der::PrivateKey::Encrypted(_) => Err(Error::key(der::ENCRYPTED)),
        }
    }
    /// Reads a private key of whichever kind as [`read`](Self::read) does, also one that a
    /// passphrase protects.
    ///
    /// # Errors
    /// Those of [`from_encrypted_pem`](Self::from_encrypted_pem).
    #[cfg(feature = "encrypted-keys")]
    pub fn read_encrypted(
        bytes: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        match pem::private_key(bytes.as_ref())? {
            Some(found) => Self::from_encrypted_der(&found.der, passphrase)
                .map(|key| key.repaired(found.repairs)),
            None => Self::from_encrypted_der(bytes, passphrase),
        }
    }
    /// Reads a PKCS#8 key in PEM that a passphrase protects, or a key without one.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and of the same kind:
    /// - the passphrase is wrong;
    /// - the encryption is not PBES2 with AES-CBC and PBKDF2-HMAC-SHA-2 or scrypt (RFC 8018, RFC
    ///   7914);
    /// - the file demands more than 2,000,000 rounds of PBKDF2 or 64 MiB of scrypt (128 N r p bytes).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_pem(
        text: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let found = found_in_pem(text.as_ref())?;
        Self::from_encrypted_der(&found.der, passphrase).map(|key| key.repaired(found.repairs))
    }
    /// Reads a PKCS#8 key in DER that a passphrase protects, or a key without one.
    ///
    /// # Errors
    /// Those of [`from_encrypted_pem`](Self::from_encrypted_pem).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_der(
        der: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        match der::private_key(der.as_ref()).map_err(Error::key)? {
            der::PrivateKey::Rsa(numbers) => Self::from_numbers(&numbers),
            der::PrivateKey::Encrypted(encrypted) => {
                let decrypted = decrypt(encrypted, passphrase.as_ref())?;
                Self::from_der(decrypted.as_bytes())
            }
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
    /// Returns what a strict reader of PEM and DER would have refused, one clause each.
    pub fn repairs(&self) -> &[&'static str] {
        &self.repairs
    }

    /// Returns the public key in PEM (`SubjectPublicKeyInfo`), to register it at a server.
    ///
    /// It is what `openssl pkey -pubout` writes.
    pub fn public_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.public_der())
    }
    /// Returns the public key as a JWK (RFC 7517 §4, RFC 7518 §6.3.1), to register it at a server.
    ///
    /// Its members are `kty`, `use`, `alg`, `kid`, `n` and `e`. `kid` is the
    /// [key id](Self::with_key_id) or, where none is set, the [thumbprint](Self::thumbprint). Some
    /// servers find the key by it, so give such a server an assertion with the same key id.
    pub fn public_jwk(&self) -> String {
        let [n, e] = self
            .public_numbers()
            .map(|number| URL_SAFE_NO_PAD.encode(number));
        let thumbprint = self.thumbprint();
        let members = [
            ("kty", "RSA"),
            ("use", "sig"),
            ("alg", self.algorithm().name()),
            ("kid", self.key_id().unwrap_or(&thumbprint)),
            ("n", &n),
            ("e", &e),
        ];
        String::from_utf8_lossy(&json::object(&members)).into_owned()
    }
    /// Returns the thumbprint of the public key (RFC 7638) with SHA-256, in base64url.
    ///
    /// Auth0 and others use it as the key id: see [`with_key_id`](Self::with_key_id).
    pub fn thumbprint(&self) -> String {
        let [n, e] = self.public_numbers();
        thumbprint(&n, &e)
    }
    /// Returns the fingerprint of the public key: `SHA256:` and its SHA-256 hash in base64.
    ///
    /// GitHub and Snowflake show this text for a registered key, so it tells whether the server has
    /// the public half of this one. The hash is over the public key in DER (`SubjectPublicKeyInfo`).
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::digest(self.public_der());
        format!("SHA256:{}", STANDARD.encode(hash))
    }

    fn public_numbers(&self) -> [Vec<u8>; 2] {
        let key: &RsaPrivateKey = self.key.as_ref();
        [key.n(), key.e()].map(BigUint::to_bytes_be)
    }
    fn public_der(&self) -> Vec<u8> {
        let [n, e] = self.public_numbers();
        der::public_key(&n, &e)
    }
    /// Returns the public key in DER (PKCS#1, RFC 8017 §A.1.1), to verify assertions with.
    #[cfg(feature = "sandbox")]
    pub(crate) fn public_key_pkcs1(&self) -> Vec<u8> {
        use rsa::pkcs1::EncodeRsaPublicKey as _;
        let key: &RsaPrivateKey = self.key.as_ref();
        let der = key.to_public_key().to_pkcs1_der();
        der.map(|der| der.as_bytes().to_owned()).unwrap_or_default()
    }

    /// Makes a key of numbers that come from a file.
    ///
    /// Sizes are checked before anything is computed with them, so that reading takes no longer than
    /// signing. `rsa` checks that p q = n and d e = 1 modulo p - 1 and q - 1, and it verifies each
    /// signature before returning it.
    fn from_numbers(numbers: &der::RsaNumbers<'_>) -> Result<Self, Error> {
        let der::RsaNumbers { n, e, d, .. } = *numbers;
        let [modulus, exponent] = [n, e].map(BigUint::from_bytes_be);
        check_public(&modulus, &exponent)?;
        // RFC 8017 §3.2: d and the primes are less than n.
        let lengths = numbers.primes.iter().chain([&d]).map(|number| number.len());
        if d.is_empty() || lengths.max() > Some(n.len()) {
            return Err(Error::key(der::MISFIT));
        }
        // The larger prime comes first: `rsa` adds the first one to a difference of two remainders
        // until it is positive, which takes as many steps as q is larger than p.
        let mut primes = numbers.primes.clone();
        primes.sort_unstable_by_key(|prime| Reverse((prime.len(), *prime)));
        let primes = primes.into_iter().map(BigUint::from_bytes_be).collect();
        let d = BigUint::from_bytes_be(d);
        let key = RsaPrivateKey::from_components(modulus, exponent, d, primes);
        let key = key.map_err(|_| match numbers.primes.is_empty() {
            true => Error::key(NO_PRIMES),
            false => Error::key(der::MISFIT),
        })?;
        check_primes(&key)?;
        Ok(Self {
            key: SigningKey::new(key),
            key_id: None,
            repairs: numbers.repairs.clone(),
        })
    }
    /// Puts the repairs of the text before those of the DER in it.
    fn repaired(mut self, mut repairs: Vec<&'static str>) -> Self {
        repairs.append(&mut self.repairs);
        Self { repairs, ..self }
    }
}

/// Hashes the required members in the order of their names, without white space (RFC 7638 §3.2).
fn thumbprint(n: &[u8], e: &[u8]) -> String {
    let [n, e] = [n, e].map(|number| URL_SAFE_NO_PAD.encode(number));
    let jwk = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(jwk))
}

fn check_public(modulus: &BigUint, exponent: &BigUint) -> Result<(), Error> {
    let (bits, least, most) = (modulus.bits(), *RSA_BITS.start(), *RSA_BITS.end());
    if !RSA_BITS.contains(&bits) {
        return Err(Error::key(format!(
            "this RSA key has {bits} bits; {least} to {most} are taken"
        )));
    }
    match RsaPublicKey::new_with_max_size(modulus.clone(), exponent.clone(), most) {
        Ok(_) => Ok(()),
        Err(rsa::Error::InvalidModulus) => Err(Error::key(der::MISFIT)),
        Err(_) => Err(Error::key(WRONG_EXPONENT)),
    }
}

fn check_primes(key: &RsaPrivateKey) -> Result<(), Error> {
    let half = key.n().bits().div_ceil(2);
    let least = half.saturating_sub(MAX_PRIME_SKEW);
    let most = half.saturating_add(MAX_PRIME_SKEW);
    let sizes: Vec<_> = key.primes().iter().map(BigUint::bits).collect();
    if !sizes.iter().all(|size| (least..=most).contains(size)) {
        let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
        let sizes = sizes.join(" and ");
        return Err(Error::key(format!(
            "the primes of this RSA key have {sizes} bits; {least} to {most} are taken"
        )));
    }
    // Factors that share a factor have no inverse. `rsa` takes the key all the same and would sign
    // with d alone, which is slow and always wrong.
    match key.qinv() {
        Some(_) => Ok(()),
        None => Err(Error::key(der::MISFIT)),
    }
}

/// Finds a key in text alone.
fn found_in_pem(text: &[u8]) -> Result<pem::DecodedKey, Error> {
    pem::private_key(text)?.ok_or_else(|| Error::key(der::instead_of_pem(text)))
}

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958 §3).
#[cfg(feature = "encrypted-keys")]
fn decrypt(encrypted: &[u8], passphrase: &[u8]) -> Result<rsa::pkcs8::SecretDocument, Error> {
    use rsa::pkcs8::{EncryptedPrivateKeyInfo, Error::EncryptedPrivateKey, pkcs5};
    der::check_passphrase_cost(encrypted).map_err(Error::key)?;
    let encrypted = EncryptedPrivateKeyInfo::try_from(encrypted);
    let encrypted = encrypted.map_err(|_| Error::key(UNKNOWN_ENCRYPTION))?;
    encrypted.decrypt(passphrase).map_err(|error| {
        Error::key(match error {
            EncryptedPrivateKey(
                pkcs5::Error::UnsupportedAlgorithm { .. }
                | pkcs5::Error::AlgorithmParametersInvalid { .. }
                | pkcs5::Error::NoPbes1CryptSupport,
            ) => UNKNOWN_ENCRYPTION,
            // One wrong passphrase in 256 leaves valid padding, and behind it bytes that are no DER.
            _ => WRONG_PASSPHRASE,
        })
    })
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
        Some(Sha256::digest(self.public_der()).into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_the_one_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6t\
                 Soc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-\
                 65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qN\
                 Lyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa\
                 pJzKnqDKgw";
        let n = URL_SAFE_NO_PAD.decode(n).unwrap();
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(thumbprint(&n, &[1, 0, 1]), expected);
    }
}
