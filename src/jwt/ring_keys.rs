//! Private keys that sign with `ring`, in constant time: EC, Ed25519, and RSA.
//!
//! `ring` wipes nothing: its copy of a key stays in memory after the key is dropped. It accepts RSA keys of 2048, 3072
//! or 4096 bits with an exponent of 65537 or more, and does not validate d.

use std::slice;

use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::asymmetric_key::{asymmetric_key, key_id_and_identity};
use super::rsa_algorithm::{RsaAlgorithm, RsaPolicy};
#[cfg(feature = "cli")]
use super::rsa_key::has_matching_exponents;
use crate::error::{BoxError, Error};
use crate::key::der::{bit_length, without_leading_zeros};
use crate::key::material::{Curve, KeyMaterial, KeyParts, RsaParts};
use crate::key::public_key::{PublicKey, UNCOMPRESSED};
use crate::key::refusal;
use crate::signer::{Algorithm, Signer};

const NO_POINT: &str =
    "this EC key lacks its public key: write it with openssl ec -in KEY -out NEW";
const COMPRESSED: &str = "the public key of this EC key is compressed: write it in full with \
    openssl ec -in KEY -conv_form uncompressed -out NEW";
const ED25519_INCONSISTENT: &str = "the parts of this Ed25519 key do not belong together";
const NO_CRT: &str = "this RSA key lacks its primes or the numbers after them, and ring does not \
    compute them: use the feature rsa, which does";

/// An EC private key on P-256 or P-384, which signs ES256 or ES384 (RFC 7518 §3.4) with `ring`.
///
/// The curve decides the algorithm. `ring` does not wipe its copy of the key.
pub struct EcKey {
    key: EcdsaKeyPair,
    curve: Curve,
    key_id: Option<String>,
    repairs: Vec<&'static str>,
}

asymmetric_key!(EcKey, new, new);

impl EcKey {
    pub(super) fn new(material: KeyMaterial) -> Result<Self, Error> {
        let parts = match material.parts {
            KeyParts::Ec(parts) => parts.map_err(Error::key)?,
            other => return Err(another_kind(&other, "EC")),
        };
        let curve = parts.curve;
        let how = match curve {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        check_algorithm(material.algorithm, *curve.algorithm())?;
        let point = parts.point.ok_or_else(|| Error::key(NO_POINT))?;
        if matches!(point.first(), Some(2 | 3)) {
            return Err(Error::key(COMPRESSED));
        }
        // Some tools leave out leading zeros of the number, some add them.
        let digits = without_leading_zeros(&parts.d);
        let zeros = curve.bytes().checked_sub(digits.len());
        let zeros = zeros.ok_or_else(|| Error::key(refusal::EC_INCONSISTENT))?;
        let mut d = Zeroizing::new(Vec::with_capacity(curve.bytes()));
        d.resize(zeros, 0);
        d.extend_from_slice(digits);
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_private_key_and_public_key(how, &d, &point, &random);
        Ok(Self {
            key: key.map_err(|_| Error::key(refusal::EC_INCONSISTENT))?,
            curve,
            key_id: material.key_id,
            repairs: material.repairs,
        })
    }
    /// Returns the algorithms that the key may sign.
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        slice::from_ref(self.curve.algorithm())
    }
    pub(crate) fn public_key(&self) -> PublicKey {
        let point = self.key.public_key().as_ref();
        let coordinates = point.strip_prefix(&[UNCOMPRESSED]).unwrap_or_default();
        let middle = coordinates.len().wrapping_div(2);
        let (x, y) = coordinates.split_at_checked(middle).unwrap_or_default();
        PublicKey::Ec {
            curve: self.curve,
            x: x.to_vec(),
            y: y.to_vec(),
        }
    }
}

impl Signer for EcKey {
    fn algorithm(&self) -> Algorithm {
        *self.curve.algorithm()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let signature = self.key.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| RING_FAILED)?.as_ref().to_vec())
    }
    key_id_and_identity!();
}

/// An Ed25519 private key, which signs EdDSA (RFC 8037 §3.1) with `ring`.
///
/// `ring` does not wipe its copy of the key.
pub struct Ed25519Key {
    key: Ed25519KeyPair,
    key_id: Option<String>,
    repairs: Vec<&'static str>,
}

asymmetric_key!(Ed25519Key, new, new);

impl Ed25519Key {
    pub(super) fn new(material: KeyMaterial) -> Result<Self, Error> {
        let parts = match material.parts {
            KeyParts::Ed25519(parts) => parts,
            other => return Err(another_kind(&other, "Ed25519")),
        };
        check_algorithm(material.algorithm, Algorithm::EdDsa)?;
        let key = match parts.public {
            None => Ed25519KeyPair::from_seed_unchecked(&parts.seed),
            Some(public) => Ed25519KeyPair::from_seed_and_public_key(&parts.seed, &public),
        };
        Ok(Self {
            key: key.map_err(|_| Error::key(ED25519_INCONSISTENT))?,
            key_id: material.key_id,
            repairs: material.repairs,
        })
    }
    /// Returns the algorithms that the key may sign.
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        &[Algorithm::EdDsa]
    }
    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::Ed25519 {
            x: self.key.public_key().as_ref().to_vec(),
        }
    }
}

impl Signer for Ed25519Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(self.key.sign(message).as_ref().to_vec())
    }
    key_id_and_identity!();
}

/// An RSA private key of 2048, 3072 or 4096 bits that signs with `ring`.
///
/// It signs RS256 unless it is asked for another [algorithm](Self::with_algorithm). It signs in a third of the time of
/// `RsaKey` and in constant time. In return it accepts fewer keys: the exponent must be 65537 or more, the primes and
/// the numbers after them must be in the file, d is not validated, and `ring` does not wipe its copy of the key.
pub struct RingRsaKey {
    key: RsaKeyPair,
    policy: RsaPolicy,
    key_id: Option<String>,
    repairs: Vec<&'static str>,
}

asymmetric_key!(RingRsaKey, new, with_rs256);

impl RingRsaKey {
    /// Sets the algorithm, and with it `alg`. Defaults to RS256.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: RsaAlgorithm) -> Self {
        self.policy.algorithm = algorithm;
        self
    }

    /// Makes a key that signs with the algorithm that its file names, or with RS256.
    pub(super) fn new(material: KeyMaterial) -> Result<Self, Error> {
        let policy = RsaPolicy::from_material(&material)?;
        let parts = material.parts.rsa().map_err(Error::key)?;
        Ok(Self {
            key: key_pair(&parts)?,
            policy,
            key_id: material.key_id,
            repairs: material.repairs,
        })
    }
    /// Makes a key if its numbers belong together.
    #[cfg(feature = "cli")]
    pub(super) fn try_new(material: &KeyMaterial) -> Option<Self> {
        let KeyParts::Rsa(parts) = &material.parts else {
            return None;
        };
        let key = Self {
            key: key_pair(parts).ok()?,
            policy: RsaPolicy::from_material(material).ok()?,
            key_id: material.key_id.clone(),
            repairs: material.repairs.clone(),
        };
        has_matching_exponents(parts).then_some(key)
    }
    /// Makes a key that signs RS256.
    fn with_rs256(material: KeyMaterial) -> Result<Self, Error> {
        match material.restriction {
            None => Self::new(material),
            Some(_) => Err(Error::key(refusal::IS_PSS_KEY)),
        }
    }
    /// Returns the algorithms that the key may sign, the usual one first.
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        self.policy.allowed
    }
    pub(crate) fn public_key(&self) -> PublicKey {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.key.public());
        PublicKey::Rsa {
            n: public.n,
            e: public.e,
        }
    }
}

impl Signer for RingRsaKey {
    fn algorithm(&self) -> Algorithm {
        self.policy.algorithm.name()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let encoding = self.policy.check()?.encoding;
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signed = (self.key).sign(encoding, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| RING_FAILED)?;
        Ok(signature)
    }
    key_id_and_identity!();
}

/// `ring` gives no reason: the system has no random numbers, or the numbers of the key are wrong.
const RING_FAILED: &str = "ring did not sign: the parts of the key do not belong together, or the \
    system has no random numbers";

/// Checks the `alg` of a JWK, if it has one.
fn check_algorithm(found: Option<Algorithm>, fitting: Algorithm) -> Result<(), Error> {
    match found.filter(|found| *found != fitting) {
        None => Ok(()),
        Some(found) => Err(Error::key(format!(
            "the alg of this JWK is {found}, and its key signs {fitting}"
        ))),
    }
}

fn another_kind(found: &KeyParts, wanted: &str) -> Error {
    let found = match found {
        KeyParts::Rsa(_) => "an RSA key",
        KeyParts::Ec(_) => "an EC key",
        KeyParts::Ed25519(_) => "an Ed25519 key",
        KeyParts::Hmac(_) => "the secret of an HMAC",
    };
    Error::key(format!("this is {found}; {wanted} is wanted"))
}

/// `ring` rounds a size up to whole bytes, so the size is checked here. d is not used, and each signature checks dP and
/// dQ.
fn key_pair(parts: &RsaParts) -> Result<RsaKeyPair, Error> {
    let bits = bit_length(&parts.n);
    if ![2048, 3072, 4096].contains(&bits) {
        return Err(Error::key(format!(
            "this RSA key has {bits} bits; ring takes 2048, 3072 and 4096"
        )));
    }
    let length = parts.e.len().cmp(&MIN_EXPONENT.len());
    if length
        .then_with(|| parts.e.as_slice().cmp(&MIN_EXPONENT))
        .is_lt()
    {
        return Err(Error::key(
            "the public exponent of this RSA key is below 65537, which ring does not take",
        ));
    }
    let ([p, q], Some([dp, dq, q_inverse])) = (parts.primes.as_slice(), parts.crt.as_ref()) else {
        return Err(Error::key(NO_CRT));
    };
    let key = RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: parts.n.as_slice(),
            e: parts.e.as_slice(),
        },
        d: parts.d.as_slice(),
        p,
        q,
        dP: dp,
        dQ: dq,
        qInv: q_inverse,
    });
    key.map_err(|_| Error::key(refusal::RSA_INCONSISTENT))
}

/// 65537, big-endian.
const MIN_EXPONENT: [u8; 3] = [1, 0, 1];
