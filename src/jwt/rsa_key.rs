//! An RSA private key that signs with the `rsa` crate, always blinded.
//!
//! The numbers in a file are checked before they are used, so that every key that is read signs in the usual time.

use std::ops::RangeInclusive;
#[cfg(all(feature = "cli", feature = "ring"))]
use std::ops::{Mul as _, Rem as _};

use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
#[cfg(all(feature = "cli", feature = "ring"))]
use zeroize::Zeroizing;

use super::asymmetric_key::{asymmetric_key, key_id_and_identity};
use super::rsa_algorithm::{RsaAlgorithm, RsaPolicy};
use crate::error::{BoxError, Error};
#[cfg(all(feature = "cli", feature = "ring"))]
use crate::key::material::SecretBytes;
use crate::key::material::{KeyMaterial, RsaParts};
use crate::key::public_key::PublicKey;
use crate::key::refusal;
use crate::signer::{Algorithm, Signer};

/// The sizes of RSA keys in bits. RFC 7518 §3.3 requires 2048 or more, because shorter keys can be broken. A signature
/// with more than 8192 bits takes seconds.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// How many bits longer or shorter than half of the modulus a prime may be.
///
/// FIPS 186-5 §A.1.1 requires exactly half. Generators that do not fix the leading bits of their primes differ from
/// that by a few bits, which makes a key neither slower nor weaker. No generator is known to differ by more, so a key
/// that does was made by hand: a short prime can be found, and a long one takes time.
const MAX_PRIME_SKEW: usize = 16;
/// `rsa` computes with exponents in this range.
const WRONG_EXPONENT: &str =
    "the public exponent of this RSA key is not an odd number from 3 to 2^33 - 1";
/// `rsa` computes the primes by NIST SP 800-56B §C.2, which needs an exponent above 65536.
const NO_PRIMES: &str = "the primes of this RSA key are missing and do not follow from its other \
    numbers: export it again with its primes";

/// An RSA private key of 2048 to 8192 bits.
///
/// It signs RS256 unless it is asked for another [algorithm](Self::with_algorithm). It does not implement `Clone`, so
/// that only one copy of a key is in memory: share it in an [`Arc`](std::sync::Arc). The key is wiped when it is
/// dropped.
pub struct RsaKey {
    key: RsaPrivateKey,
    policy: RsaPolicy,
    key_id: Option<String>,
    repairs: Vec<&'static str>,
}

impl RsaKey {
    /// Sets the algorithm, and with it `alg`. Defaults to RS256.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: RsaAlgorithm) -> Self {
        self.policy.algorithm = algorithm;
        self
    }
    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::Rsa {
            n: self.key.n().to_bytes_be(),
            e: self.key.e().to_bytes_be(),
        }
    }

    /// Makes a key that signs with the algorithm that its file names, or with RS256.
    pub(super) fn new(material: KeyMaterial) -> Result<Self, Error> {
        let policy = RsaPolicy::from_material(&material)?;
        Self::with_policy(material, policy)
    }
    /// Makes a key that signs RS256, so that a program does not contain the other algorithms.
    fn with_rs256(material: KeyMaterial) -> Result<Self, Error> {
        match material.restriction {
            None => Self::with_policy(material, RsaPolicy::RS256),
            Some(_) => Err(Error::key(refusal::IS_PSS_KEY)),
        }
    }
    fn with_policy(material: KeyMaterial, policy: RsaPolicy) -> Result<Self, Error> {
        let parts = material.parts.rsa().map_err(Error::key)?;
        Ok(Self {
            key: from_parts(&parts)?,
            policy,
            key_id: material.key_id,
            repairs: material.repairs,
        })
    }
    /// Returns the algorithms that the key may sign, the usual one first.
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        self.policy.allowed
    }
}

asymmetric_key!(RsaKey, new, with_rs256);

/// Makes a key from the numbers in a file.
///
/// Sizes are checked before anything is computed with them, so that reading takes no longer than signing. `rsa` checks
/// that p q = n and d e = 1 modulo p - 1 and q - 1, and it verifies each signature before returning it.
fn from_parts(parts: &RsaParts) -> Result<RsaPrivateKey, Error> {
    let modulus = BigUint::from_bytes_be(&parts.n);
    let exponent = BigUint::from_bytes_be(&parts.e);
    check_public(&modulus, &exponent)?;
    // RFC 8017 §3.2: d and the primes are less than n.
    let lengths = parts
        .primes
        .iter()
        .chain([&parts.d])
        .map(|number| number.len());
    if parts.d.is_empty() || lengths.max() > Some(parts.n.len()) {
        return Err(Error::key(refusal::RSA_INCONSISTENT));
    }
    // The larger prime comes first: `rsa` adds the first one to a difference of two remainders until it is positive,
    // which takes as many steps as q is larger than p.
    let primes = parts.primes.iter();
    let mut primes: Vec<_> = primes.map(|prime| BigUint::from_bytes_be(prime)).collect();
    if primes.first() < primes.last() {
        primes.reverse();
    }
    let d = BigUint::from_bytes_be(&parts.d);
    let key = RsaPrivateKey::from_components(modulus, exponent, d, primes);
    let key = key.map_err(|_| match parts.primes.is_empty() {
        true => Error::key(NO_PRIMES),
        false => Error::key(refusal::RSA_INCONSISTENT),
    })?;
    check_primes(&key)?;
    Ok(key)
}

/// Returns whether d modulo p - 1 and d modulo q - 1 match the public exponent: e dP = 1 modulo p - 1, and likewise for
/// q (RFC 8017 §3.2). When `ring` accepts a key, it checks the other numbers but not these.
#[cfg(all(feature = "cli", feature = "ring"))]
pub(super) fn has_matching_exponents(parts: &RsaParts) -> bool {
    let Some([dp, dq, _]) = &parts.crt else {
        return false;
    };
    let e = BigUint::from_bytes_be(&parts.e);
    let is_inverse = |(prime, exponent): (&SecretBytes, &SecretBytes)| {
        let mut below = prime.clone(); // a prime is odd
        let Some(last) = below.last_mut() else {
            return false;
        };
        *last &= !1;
        let below = Zeroizing::new(BigUint::from_bytes_be(&below));
        let exponent = Zeroizing::new(BigUint::from_bytes_be(exponent));
        let product = Zeroizing::new((&*exponent).mul(&e));
        let rest = Zeroizing::new((&*product).rem(&*below));
        *rest == BigUint::from(1_u8)
    };
    parts.primes.iter().zip([dp, dq]).all(is_inverse)
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
        Err(rsa::Error::InvalidModulus) => Err(Error::key(refusal::RSA_INCONSISTENT)),
        Err(_) => Err(Error::key(WRONG_EXPONENT)),
    }
}

fn check_primes(key: &RsaPrivateKey) -> Result<(), Error> {
    let half = key.n().bits().div_ceil(2);
    let least = half.saturating_sub(MAX_PRIME_SKEW);
    let most = half.saturating_add(MAX_PRIME_SKEW);
    let [p, q] = key.primes() else {
        return Err(Error::key(refusal::RSA_INCONSISTENT)); // never: two were given, or computed
    };
    let (p, q) = (p.bits(), q.bits());
    if ![p, q].iter().all(|size| (least..=most).contains(size)) {
        return Err(Error::key(format!(
            "the primes of this RSA key have {p} and {q} bits; {least} to {most} are taken"
        )));
    }
    // Factors with a common divisor have no inverse. `rsa` accepts the key anyway and would sign with d alone, which is
    // slow and always wrong.
    match key.qinv() {
        Some(_) => Ok(()),
        None => Err(Error::key(refusal::RSA_INCONSISTENT)),
    }
}

impl Signer for RsaKey {
    fn algorithm(&self) -> Algorithm {
        self.policy.algorithm.name()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok((self.policy.check()?.sign)(&self.key, message)?)
    }
    key_id_and_identity!();
}
