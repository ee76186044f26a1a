//! The parts of a key, as a file has them, and how long that file may be.

use zeroize::Zeroizing;

use super::refusal;
use crate::signer::Algorithm;

/// The longest file that is searched for a key or a certificate, in bytes.
///
/// A set of a hundred JWKs of 8192 bits is two thirds of that, and a bundle of all public root certificates a fifth.
pub(crate) const MAX_FILE: usize = 1024 * 1024;

/// A number or a secret of a key. It is wiped when it is dropped.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// A private key that a passphrase protects.
#[derive(Clone, Copy)]
pub(crate) enum Encrypted<'d> {
    /// `EncryptedPrivateKeyInfo` (RFC 5958 §3).
    Pkcs8(&'d [u8]),
    /// `PFX` (RFC 7292 §4).
    Pkcs12(&'d [u8]),
    /// The body of a PEM, and what its headers say about it.
    Pem(&'d [u8], &'d DekInfo),
}

impl Encrypted<'_> {
    /// Returns the message for a key whose passphrase is missing.
    pub(crate) fn without_passphrase(self) -> &'static str {
        match self {
            Self::Pkcs8(_) | Self::Pem(..) => refusal::IS_ENCRYPTED,
            Self::Pkcs12(_) if cfg!(feature = "encrypted-keys") => {
                "this is a PKCS#12 store: a passphrase is needed, or an empty one if it has none"
            }
            Self::Pkcs12(_) => refusal::IS_PKCS12_STORE,
        }
    }
}

/// The cipher and the initialization vector of an encrypted PEM (RFC 1421 §4.6.1.3).
pub(crate) struct DekInfo {
    pub(crate) cipher: Cipher,
    pub(crate) iv: Vec<u8>,
}

/// A block cipher in CBC mode.
#[derive(Clone, Copy)]
pub(crate) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
    /// Its third key is its first.
    TripleDesOfTwoKeys,
    Des,
}

impl Cipher {
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::Aes128 | Self::TripleDesOfTwoKeys => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
            Self::Des => 8,
        }
    }
    /// Returns the length of a block, which is the length of the initialization vector.
    pub(crate) fn block_length(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes | Self::TripleDesOfTwoKeys | Self::Des => 8,
        }
    }
}

/// A private key or a shared secret, as a file has it.
pub(crate) struct KeyMaterial {
    pub(crate) parts: KeyParts,
    /// The `kid` of a JWK.
    pub(crate) key_id: Option<String>,
    /// The `alg` of a JWK.
    pub(crate) algorithm: Option<Algorithm>,
    /// The only algorithms that an RSA key restricted to PSS may be used with (RFC 4055 §1.2).
    pub(crate) restriction: Option<&'static [Algorithm]>,
    /// What a strict reader would have refused, one clause each.
    pub(crate) repairs: Vec<&'static str>,
}

pub(crate) enum KeyParts {
    Rsa(RsaParts),
    /// Or why this EC key cannot be used, so that `RsaKey` calls it an EC key whatever its curve is.
    Ec(Result<EcParts, &'static str>),
    Ed25519(Ed25519Parts),
    /// The secret of an HMAC.
    Hmac(SecretBytes),
}

#[cfg(any(feature = "rsa", feature = "ring"))]
impl KeyParts {
    /// Returns the parts of an RSA key, or the message for a key of another kind.
    pub(crate) fn rsa(self) -> Result<RsaParts, &'static str> {
        match self {
            Self::Rsa(parts) => Ok(parts),
            Self::Ec(_) => Err(refusal::IS_EC_KEY),
            Self::Ed25519(_) => Err(refusal::IS_ED25519_KEY),
            Self::Hmac(_) => Err("this JWK is the secret of an HMAC; RS256 needs RSA"),
        }
    }
}

/// The numbers of an RSA private key (RFC 8017 §A.1.2), big-endian without leading zeros.
#[derive(Default)]
pub(crate) struct RsaParts {
    pub(crate) n: Vec<u8>,
    pub(crate) e: Vec<u8>,
    pub(crate) d: SecretBytes,
    /// Two primes, or none if they were left out.
    pub(crate) primes: Vec<SecretBytes>,
    /// d modulo p - 1, d modulo q - 1 and the inverse of q modulo p, if they are present.
    pub(crate) crt: Option<[SecretBytes; 3]>,
}

impl RsaParts {
    /// Sets p, q, d modulo p - 1, d modulo q - 1 and the inverse of q modulo p. An empty number means that it is
    /// missing.
    pub(crate) fn set_factors(&mut self, factors: Vec<SecretBytes>) {
        let mut primes = factors;
        let mut crt = primes.split_off(primes.len().min(2));
        crt.retain(|number| !number.is_empty());
        if primes.len() == 2 && primes.iter().all(|prime| !prime.is_empty()) {
            self.primes = primes;
            self.crt = crt.try_into().ok();
        }
    }
}

/// The scalar of an EC private key (RFC 5915 §3), and its point if it is present.
pub(crate) struct EcParts {
    pub(crate) curve: Curve,
    pub(crate) d: SecretBytes,
    /// The point in the encoding of SEC 1 §2.3.3.
    pub(crate) point: Option<Vec<u8>>,
}

/// A curve of RFC 7518 §6.2.1.1 that can sign here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// Returns the value of `crv`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }
    /// Returns the algorithm of its keys (RFC 7518 §3.4).
    #[cfg(feature = "ring")]
    pub(crate) fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::P256 => &Algorithm::Es256,
            Self::P384 => &Algorithm::Es384,
        }
    }
    /// Returns the bytes of a coordinate (RFC 7518 §6.2.1.2).
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// An Ed25519 private key (RFC 8032 §5.1.5), and its public key if it is present.
pub(crate) struct Ed25519Parts {
    pub(crate) seed: SecretBytes,
    pub(crate) public: Option<Vec<u8>>,
}
