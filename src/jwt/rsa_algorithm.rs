//! The signature algorithms of RSA keys, each with the code that signs.

use std::fmt;

#[cfg(feature = "rsa")]
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey, pkcs8::AssociatedOid, rand_core::OsRng};
#[cfg(feature = "rsa")]
use sha2::{Digest, Sha256, Sha384, Sha512, digest::DynDigest};

use crate::error::{BoxError, Error};
use crate::key::material::KeyMaterial;
use crate::signer::Algorithm;

/// A signature algorithm of RSA keys (RFC 7518 §3.3 and §3.5).
///
/// A program contains the code of RS256 and of the algorithms that it names, but of no others.
#[derive(Clone, Copy)]
pub struct RsaAlgorithm {
    name: Algorithm,
    #[cfg(feature = "rsa")]
    pub(super) sign: fn(&RsaPrivateKey, &[u8]) -> rsa::Result<Vec<u8>>,
    #[cfg(feature = "ring")]
    pub(super) encoding: &'static dyn ring::signature::RsaEncoding,
}

impl RsaAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, deterministic.
    pub const RS256: Self = Self {
        name: Algorithm::Rs256,
        #[cfg(feature = "rsa")]
        sign: pkcs1_v1_5::<Sha256>,
        #[cfg(feature = "ring")]
        encoding: &ring::signature::RSA_PKCS1_SHA256,
    };
    /// RSASSA-PKCS1-v1_5 with SHA-384, deterministic.
    pub const RS384: Self = Self {
        name: Algorithm::Rs384,
        #[cfg(feature = "rsa")]
        sign: pkcs1_v1_5::<Sha384>,
        #[cfg(feature = "ring")]
        encoding: &ring::signature::RSA_PKCS1_SHA384,
    };
    /// RSASSA-PKCS1-v1_5 with SHA-512, deterministic.
    pub const RS512: Self = Self {
        name: Algorithm::Rs512,
        #[cfg(feature = "rsa")]
        sign: pkcs1_v1_5::<Sha512>,
        #[cfg(feature = "ring")]
        encoding: &ring::signature::RSA_PKCS1_SHA512,
    };
    /// RSASSA-PSS with SHA-256 and a salt as long as the hash.
    pub const PS256: Self = Self {
        name: Algorithm::Ps256,
        #[cfg(feature = "rsa")]
        sign: pss::<Sha256>,
        #[cfg(feature = "ring")]
        encoding: &ring::signature::RSA_PSS_SHA256,
    };
    /// RSASSA-PSS with SHA-384 and a salt as long as the hash.
    pub const PS384: Self = Self {
        name: Algorithm::Ps384,
        #[cfg(feature = "rsa")]
        sign: pss::<Sha384>,
        #[cfg(feature = "ring")]
        encoding: &ring::signature::RSA_PSS_SHA384,
    };
    /// RSASSA-PSS with SHA-512 and a salt as long as the hash.
    pub const PS512: Self = Self {
        name: Algorithm::Ps512,
        #[cfg(feature = "rsa")]
        sign: pss::<Sha512>,
        #[cfg(feature = "ring")]
        encoding: &ring::signature::RSA_PSS_SHA512,
    };

    /// Returns the name, which is the value of `alg`.
    pub fn name(self) -> Algorithm {
        self.name
    }

    /// Returns the algorithm of this name, or `None` if it is not for RSA keys.
    pub fn named(name: Algorithm) -> Option<Self> {
        let all = [
            Self::RS256,
            Self::RS384,
            Self::RS512,
            Self::PS256,
            Self::PS384,
            Self::PS512,
        ];
        all.into_iter().find(|algorithm| algorithm.name == name)
    }
}

/// How an RSA key signs: the algorithm that its file or its caller chose, and the algorithms that it may use.
#[derive(Clone, Copy)]
pub(super) struct RsaPolicy {
    pub(super) algorithm: RsaAlgorithm,
    pub(super) allowed: &'static [Algorithm],
}

impl RsaPolicy {
    /// RS256, and any other algorithm that the caller chooses.
    #[cfg(feature = "rsa")]
    pub(super) const RS256: Self = Self {
        algorithm: RsaAlgorithm::RS256,
        allowed: Algorithm::RSA,
    };

    /// Returns what a file says about its key, or RS256 if it says nothing.
    pub(super) fn from_material(material: &KeyMaterial) -> Result<Self, Error> {
        let allowed = material.restriction.unwrap_or(Algorithm::RSA);
        let name = material.algorithm.or(allowed.first().copied());
        let algorithm = name.filter(|name| allowed.contains(name));
        match algorithm.and_then(RsaAlgorithm::named) {
            Some(algorithm) => Ok(Self { algorithm, allowed }),
            None => Err(Error::key(format!(
                "the alg of this JWK is {}, which is not one of RSA keys",
                name.map_or("", Algorithm::name)
            ))),
        }
    }

    /// Checks that the key may sign with the algorithm that the caller chose.
    pub(super) fn check(self) -> Result<RsaAlgorithm, BoxError> {
        match self.allowed.contains(&self.algorithm.name) {
            true => Ok(self.algorithm),
            false => Err(PSS_ONLY.into()),
        }
    }
}

const PSS_ONLY: &str = "this RSA key is restricted to PSS, and its algorithm is another one";

/// Algorithms are equal if their names are.
impl PartialEq for RsaAlgorithm {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RsaAlgorithm {}

impl fmt::Display for RsaAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl fmt::Debug for RsaAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaAlgorithm::{}", self.name)
    }
}

/// Signs with PKCS#1 v1.5 (RFC 8017 §8.2).
///
/// The random numbers blind the private-key operation, so that its time says nothing about the key. The signature does
/// not depend on them.
#[cfg(feature = "rsa")]
fn pkcs1_v1_5<D: Digest + AssociatedOid>(
    key: &RsaPrivateKey,
    message: &[u8],
) -> rsa::Result<Vec<u8>> {
    let hash = D::digest(message);
    key.sign_with_rng(&mut OsRng, Pkcs1v15Sign::new::<D>(), &hash)
}

/// Signs with PSS (RFC 8017 §8.1). The random numbers are the salt, and also blind the operation as above.
#[cfg(feature = "rsa")]
fn pss<D: Digest + DynDigest + Send + Sync + 'static>(
    key: &RsaPrivateKey,
    message: &[u8],
) -> rsa::Result<Vec<u8>> {
    let hash = <D as Digest>::digest(message);
    key.sign_with_rng(&mut OsRng, Pss::new_blinded::<D>(), &hash)
}
