//! A public key, in the formats in which servers register it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::der::{BIT_STRING, SEQUENCE, encode, encode_unsigned};
use super::hash::sha256;
use super::material::Curve;
use super::pem;
use crate::json;
use crate::signer::Algorithm;

/// The algorithm of an RSA key, 1.2.840.113549.1.1.1 with NULL for parameters (RFC 3279 §2.3.1).
pub(super) const RSA_ALGORITHM_ID: &[u8] =
    b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The algorithm of a key on P-256 (RFC 5480 §2.1.1).
const P256_ALGORITHM_ID: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// The algorithm of a key on P-384 (RFC 5480 §2.1.1).
const P384_ALGORITHM_ID: &[u8] =
    b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// The algorithm of an Ed25519 key (RFC 8410 §4).
const ED25519_ALGORITHM_ID: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

/// The numbers of a public key, big-endian.
pub(crate) enum PublicKey {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Two coordinates, each as long as the numbers of the curve.
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

impl PublicKey {
    /// Returns the key as a `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7).
    ///
    /// `rsa` writes the same bytes, but adds twice the code to a program, and returns a `Result`.
    pub(crate) fn der(&self) -> Vec<u8> {
        let (algorithm, key) = match self {
            Self::Rsa { n, e } => {
                let numbers = [encode_unsigned(n), encode_unsigned(e)].concat();
                (RSA_ALGORITHM_ID, encode(SEQUENCE, &numbers))
            }
            Self::Ec { curve, x, y } => {
                let algorithm = match curve {
                    Curve::P256 => P256_ALGORITHM_ID,
                    Curve::P384 => P384_ALGORITHM_ID,
                };
                (algorithm, [&[UNCOMPRESSED], &**x, y].concat())
            }
            Self::Ed25519 { x } => (ED25519_ALGORITHM_ID, x.clone()),
        };
        let bits = encode(BIT_STRING, &[&[0], &*key].concat()); // 0 bits of the last byte are unused
        encode(SEQUENCE, &[algorithm, &bits].concat())
    }

    /// Returns the key in PEM, as `openssl pkey -pubout` writes it.
    pub(crate) fn pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.der())
    }

    /// Returns the key as a JWK (RFC 7517 §4). Its `kid` is the thumbprint if `key_id` is `None`.
    pub(crate) fn jwk(&self, algorithm: Algorithm, key_id: Option<&str>) -> String {
        let thumbprint = self.thumbprint();
        let common = [
            ("use", "sig"),
            ("alg", algorithm.name()),
            ("kid", key_id.unwrap_or(&thumbprint)),
        ];
        let members = self.members();
        let members = members.iter().map(|(name, value)| (*name, value.as_str()));
        let (kty, others): (Vec<_>, Vec<_>) = members.partition(|(name, _)| *name == "kty");
        let members = [&kty[..], &common, &others].concat();
        String::from_utf8_lossy(&json::encode_object(&members)).into_owned()
    }

    /// Returns the thumbprint (RFC 7638) with SHA-256, in base64url.
    pub(crate) fn thumbprint(&self) -> String {
        let members = self.members();
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        URL_SAFE_NO_PAD.encode(sha256(&json::encode_object(&members)))
    }

    /// Returns `SHA256:` and the SHA-256 hash of the key in DER, in base64.
    pub(crate) fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD.encode(self.identity()))
    }

    /// Returns the SHA-256 hash of the key in DER.
    pub(crate) fn identity(&self) -> [u8; 32] {
        sha256(&self.der())
    }

    /// Returns the members from which a thumbprint is computed, sorted by name (RFC 7638 §3.2, RFC 8037 §2).
    fn members(&self) -> Vec<(&'static str, String)> {
        let text = |name, value: &str| (name, value.to_owned());
        let number = |name, bytes: &[u8]| (name, URL_SAFE_NO_PAD.encode(bytes));
        match self {
            Self::Rsa { n, e } => vec![number("e", e), text("kty", "RSA"), number("n", n)],
            Self::Ec { curve, x, y } => vec![
                text("crv", curve.name()),
                text("kty", "EC"),
                number("x", x),
                number("y", y),
            ],
            Self::Ed25519 { x } => vec![text("crv", "Ed25519"), text("kty", "OKP"), number("x", x)],
        }
    }
}

/// The first byte of a point that has both coordinates (SEC 1 §2.3.3).
pub(crate) const UNCOMPRESSED: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn thumbprint_is_the_one_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6t\
                 Soc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-\
                 65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qN\
                 Lyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa\
                 pJzKnqDKgw";
        let key = PublicKey::Rsa {
            n: decoded(n),
            e: vec![1, 0, 1],
        };
        assert_eq!(
            key.thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn thumbprint_is_the_one_of_rfc_8037() {
        let key = PublicKey::Ed25519 {
            x: decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        };
        assert_eq!(
            key.thumbprint(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }
}
