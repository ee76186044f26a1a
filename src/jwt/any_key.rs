//! A key of any kind, depending on the file.

use super::hmac_key::{HmacAlgorithm, HmacKey};
#[cfg(feature = "ring")]
use super::ring_keys::{EcKey, Ed25519Key, RingRsaKey};
#[cfg(any(feature = "rsa", feature = "ring"))]
use super::rsa_algorithm::RsaAlgorithm;
#[cfg(feature = "rsa")]
use super::rsa_key::RsaKey;
use crate::error::{BoxError, Error};
use crate::key;
use crate::key::material::{KeyMaterial, KeyParts};
use crate::key::public_key::PublicKey;
use crate::signer::{Algorithm, Signer};

/// A key of any kind, for programs that learn the kind at run time.
///
/// A program that knows the kind is smaller if it uses the type of that kind.
#[allow(clippy::large_enum_variant, reason = "a program has a handful of keys")]
#[derive(Debug)]
#[non_exhaustive]
pub enum Key {
    /// An RSA key that signs with the `rsa` crate.
    #[cfg(feature = "rsa")]
    Rsa(RsaKey),
    /// An RSA key that signs with `ring`. [`read`](Self::read) makes it only in a build without the feature `rsa`,
    /// which another crate may turn on: use `RingRsaKey` if it has to be `ring`.
    #[cfg(feature = "ring")]
    RingRsa(RingRsaKey),
    /// A key on P-256 or P-384.
    #[cfg(feature = "ring")]
    Ec(EcKey),
    /// An Ed25519 key.
    #[cfg(feature = "ring")]
    Ed25519(Ed25519Key),
    /// A shared secret in a JWK. Any other text could be a secret too, so it is not read as one: see [`HmacKey`].
    Hmac(HmacKey),
}

/// A `match` that has one arm for the asymmetric keys and one for a secret.
macro_rules! match_key {
    ($key:expr, $asymmetric:ident => $first:expr, $secret:pat => $second:expr) => {
        match $key {
            #[cfg(feature = "rsa")]
            Self::Rsa($asymmetric) => $first,
            #[cfg(feature = "ring")]
            Self::RingRsa($asymmetric) => $first,
            #[cfg(feature = "ring")]
            Self::Ec($asymmetric) => $first,
            #[cfg(feature = "ring")]
            Self::Ed25519($asymmetric) => $first,
            Self::Hmac($secret) => $second,
        }
    };
}

impl Key {
    /// Reads a private key of any kind and format: PEM, DER or JWK.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the bytes are not a private key that can be used. The message says what
    /// they are instead and how to convert them, and quotes nothing from them.
    pub fn read(bytes: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::new(key::read(bytes.as_ref(), None, None)?)
    }
    /// Reads a private key as [`read`](Self::read) does, and sets its `kid`. In a JWK set, it is the key that has this
    /// `kid` (RFC 7517 §4.5).
    ///
    /// Several JWKs at other places of a file are chosen from in the same way. If no key that may sign has a `kid`, it
    /// is the first of them, as in `read`. A single key that is in no set may have another `kid`, which is replaced.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and of the same kind: the private keys have other IDs, which the message lists,
    /// or the key with this ID is not for signing.
    pub fn read_with_id(bytes: impl AsRef<[u8]>, key_id: &str) -> Result<Self, Error> {
        let material = key::read(bytes.as_ref(), None, Some(key_id))?;
        Ok(Self::new(material)?.with_key_id(key_id))
    }
    /// Reads a private key of any kind and format, even with a passphrase: PKCS#8, PEM with `Proc-Type`, or the first
    /// key of a PKCS#12 store (`.p12`, `.pfx`).
    ///
    /// A store with an empty passphrase needs none, here and in [`read`](Self::read). Old ciphers are read, but nothing
    /// is ever encrypted with them.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and of the same kind: the passphrase is wrong, the encryption is not supported,
    /// or the file demands more than 2,000,000 rounds of a hash or 64 MiB of scrypt. The message has the command that
    /// converts the file.
    #[cfg(feature = "encrypted-keys")]
    pub fn read_encrypted(
        bytes: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        Self::new(key::read(bytes.as_ref(), Some(passphrase.as_ref()), None)?)
    }

    /// Reads a key by all readers together, and signs RSA with `ring` if `ring` accepts the key.
    #[cfg(all(feature = "cli", feature = "ring"))]
    #[doc(hidden)]
    pub fn read_preferring_ring(
        bytes: &[u8],
        passphrase: Option<&[u8]>,
        key_id: Option<&str>,
    ) -> Result<Self, Error> {
        let material = key::read(bytes, passphrase, key_id)?;
        match RingRsaKey::try_new(&material) {
            Some(key) => Ok(Self::RingRsa(key)),
            None => Self::new(material),
        }
    }

    fn new(material: KeyMaterial) -> Result<Self, Error> {
        match material.parts {
            #[cfg(feature = "rsa")]
            KeyParts::Rsa(_) => RsaKey::new(material).map(Self::Rsa),
            #[cfg(all(feature = "ring", not(feature = "rsa")))]
            KeyParts::Rsa(_) => RingRsaKey::new(material).map(Self::RingRsa),
            #[cfg(not(any(feature = "rsa", feature = "ring")))]
            KeyParts::Rsa(_) => Err(Error::key(
                "this is an RSA key: turn on the feature rsa or ring of this crate",
            )),
            #[cfg(feature = "ring")]
            KeyParts::Ec(_) => EcKey::new(material).map(Self::Ec),
            #[cfg(feature = "ring")]
            KeyParts::Ed25519(_) => Ed25519Key::new(material).map(Self::Ed25519),
            #[cfg(not(feature = "ring"))]
            KeyParts::Ec(_) => Err(Error::key(
                "this is an EC key: turn on the feature ring of this crate",
            )),
            #[cfg(not(feature = "ring"))]
            KeyParts::Ed25519(_) => Err(Error::key(
                "this is an Ed25519 key: turn on the feature ring of this crate",
            )),
            KeyParts::Hmac(_) => HmacKey::from_material(material).map(Self::Hmac),
        }
    }

    /// Sets `kid`, the name under which the server knows the key (RFC 7515 §4.1.4).
    ///
    /// Defaults to the `kid` of a JWK, and to none for other files.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        match_key!(self, key => key.with_key_id(key_id).into(), key => key.with_key_id(key_id).into())
    }
    /// Sets the first of these algorithms that fits the key, unless the key was made for another of them, as a JWK may
    /// say. RS256 and HS256 are the defaults of a key, so they do not count as a choice.
    ///
    /// Takes what [`Profile::algorithms`](crate::Profile::algorithms) returns. If none fits, the key stays unchanged,
    /// and a source with both refuses it.
    ///
    /// # Errors
    /// Those of [`with_algorithm`](Self::with_algorithm).
    pub fn with_first_of(self, accepted: &[Algorithm]) -> Result<Self, Error> {
        let is_default = matches!(self.algorithm(), Algorithm::Rs256 | Algorithm::Hs256);
        if accepted.contains(&self.algorithm()) && !is_default {
            return Ok(self);
        }
        let mut fitting = accepted.iter();
        match fitting.find(|algorithm| self.algorithms().contains(algorithm)) {
            Some(algorithm) => self.with_algorithm(*algorithm),
            None => Ok(self),
        }
    }
    /// Sets the algorithm, and with it `alg`.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the algorithm is not one of
    /// [`algorithms`](Self::algorithms).
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, Error> {
        if !self.algorithms().contains(&algorithm) {
            let fitting: Vec<_> = self.algorithms().iter().map(|name| name.name()).collect();
            let fitting = fitting.join(", ");
            return Err(Error::key(format!(
                "this key does not sign {algorithm}; it signs {fitting}"
            )));
        }
        // The one of the two that fits the key; the other one is empty.
        #[cfg(any(feature = "rsa", feature = "ring"))]
        let rsa_algorithm = RsaAlgorithm::named(algorithm).into_iter();
        let hmac_algorithm = HmacAlgorithm::named(algorithm).into_iter();
        Ok(match self {
            #[cfg(feature = "rsa")]
            Self::Rsa(key) => Self::Rsa(rsa_algorithm.fold(key, RsaKey::with_algorithm)),
            #[cfg(feature = "ring")]
            Self::RingRsa(key) => {
                Self::RingRsa(rsa_algorithm.fold(key, RingRsaKey::with_algorithm))
            }
            #[cfg(feature = "ring")]
            Self::Ec(_) | Self::Ed25519(_) => self, // they have one algorithm
            Self::Hmac(key) => Self::Hmac(hmac_algorithm.fold(key, HmacKey::with_algorithm)),
        })
    }
    /// Returns the algorithms that this key can sign, the usual one first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        match_key!(self, key => key.algorithms(), _ => Algorithm::HMAC)
    }
    /// Returns what a strict reader of PEM and DER would have refused, one clause each.
    pub fn repairs(&self) -> &[&'static str] {
        match_key!(self, key => key.repairs(), _ => &[])
    }

    /// Returns the public key in PEM, or `None` for a secret: see [`RsaKey::public_pem`].
    pub fn public_pem(&self) -> Option<String> {
        self.public_key().map(|key| key.pem())
    }
    /// Returns the public key as a JWK, or `None` for a secret: see [`RsaKey::public_jwk`].
    pub fn public_jwk(&self) -> Option<String> {
        let key = self.public_key()?;
        Some(key.jwk(self.algorithm(), self.key_id()))
    }
    /// Returns the thumbprint of the public key (RFC 7638) with SHA-256, in base64url, or `None` for a
    /// secret.
    pub fn thumbprint(&self) -> Option<String> {
        self.public_key().map(|key| key.thumbprint())
    }
    /// Returns the fingerprint of the public key, or `None` for a secret: see
    /// [`RsaKey::fingerprint`].
    pub fn fingerprint(&self) -> Option<String> {
        self.public_key().map(|key| key.fingerprint())
    }

    fn public_key(&self) -> Option<PublicKey> {
        match_key!(self, key => Some(key.public_key()), _ => None)
    }
    fn signer(&self) -> &dyn Signer {
        match_key!(self, key => key, key => key)
    }
}

impl Signer for Key {
    fn algorithm(&self) -> Algorithm {
        self.signer().algorithm()
    }
    fn key_id(&self) -> Option<&str> {
        self.signer().key_id()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        self.signer().sign(message)
    }
    fn identity(&self) -> Option<[u8; 32]> {
        self.signer().identity()
    }
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        self.signer().redact(words)
    }
}

/// Makes a key of any kind from one of a known kind.
macro_rules! from_kind {
    ($kind:ident, $variant:ident) => {
        impl From<$kind> for Key {
            fn from(key: $kind) -> Self {
                Self::$variant(key)
            }
        }
    };
}

#[cfg(feature = "rsa")]
from_kind!(RsaKey, Rsa);
#[cfg(feature = "ring")]
from_kind!(RingRsaKey, RingRsa);
#[cfg(feature = "ring")]
from_kind!(EcKey, Ec);
#[cfg(feature = "ring")]
from_kind!(Ed25519Key, Ed25519);
from_kind!(HmacKey, Hmac);
