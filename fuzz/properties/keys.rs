//! Private keys as text, as DER and as JWKs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Algorithm, Error, ErrorKind, Key, RsaKey, Signer as _};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaKeyPair,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value};

use crate::{assert_not_quoted, debug, error_texts};

const MESSAGE: &[u8] = b"header.claims";

/// Reads a text with [`RsaKey::from_pem`].
pub fn pem(input: &[u8]) {
    let read = assert_same_key(input, [RsaKey::from_pem(input), RsaKey::from_pem(input)]);
    // An encrypted key is for the target `encrypted`.
    #[cfg(feature = "encrypted-keys")]
    if is_unencrypted(&read) {
        let decrypted = RsaKey::from_encrypted_pem(input, "correct horse");
        drop(assert_same_key(input, [RsaKey::from_pem(input), decrypted]));
    }
    // A key that a strict parser accepts is accepted and is the same key. Of several blocks, the strict parser
    // skips encrypted ones.
    let blocks = input.windows(10).filter(|ten| ten == b"-----BEGIN");
    let strict = PrivateKeyDer::from_pem_slice(input).ok();
    if let Some(strict) = strict.filter(|_| blocks.count() == 1) {
        assert_same_as_ring(read, strict.secret_der());
    }
}

/// Reads bytes with [`RsaKey::from_der`].
pub fn der(input: &[u8]) {
    let read = assert_same_key(input, [RsaKey::from_der(input), RsaKey::from_der(input)]);
    #[cfg(feature = "encrypted-keys")]
    if is_unencrypted(&read) {
        let decrypted = RsaKey::from_encrypted_der(input, "correct horse");
        drop(assert_same_key(input, [RsaKey::from_der(input), decrypted]));
    }
    assert_same_as_ring(read, input);
}

#[cfg(feature = "encrypted-keys")]
fn is_unencrypted(read: &Result<RsaKey, Error>) -> bool {
    !matches!(read, Err(error) if error.to_string().contains("a passphrase is needed"))
}

/// Both results are the same: a key that signs, or an error that quotes nothing of the input.
pub(crate) fn assert_same_key(
    input: &[u8],
    read: [Result<RsaKey, Error>; 2],
) -> Result<RsaKey, Error> {
    match read {
        [Ok(one), Ok(other)] => {
            assert_eq!(one.repairs(), other.repairs());
            assert_not_quoted(&debug(&one), input);
            let [first, second] = [&one, &other].map(|key| key.sign(MESSAGE).unwrap());
            // A PKCS#1 v1.5 signature is deterministic and as long as the modulus, 2048 to 8192 bits.
            assert_eq!(first, second);
            assert!((256..=1024).contains(&first.len()), "{}", first.len());
            Ok(one)
        }
        [Err(one), Err(other)] => {
            assert_eq!(one.kind(), ErrorKind::Key);
            assert_eq!(error_texts(&one), error_texts(&other));
            assert_not_quoted(&error_texts(&one), input);
            Err(one)
        }
        [one, other] => panic!("one input gives two results: {one:?}, {other:?}"),
    }
}

/// A key that ring accepts is accepted, and ring verifies its signatures with the public key that ring reads.
///
/// This crate checks the private exponent, which ring ignores, so it may refuse a key for that.
fn assert_same_as_ring(read: Result<RsaKey, Error>, der: &[u8]) {
    let theirs = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
    let Ok(theirs) = theirs else { return };
    match read {
        Ok(ours) => {
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, theirs.public_key());
            public
                .verify(MESSAGE, &ours.sign(MESSAGE).unwrap())
                .unwrap();
        }
        Err(error) => assert_eq!(
            error.to_string(),
            "the parts of this RSA key do not belong together"
        ),
    }
}

/// Reads a text with [`Key::read`], which finds a JWK in it.
pub fn jwk(input: &[u8]) {
    let document = serde_json::from_slice::<Map<String, Value>>(input).ok();
    let is_jwk = |members: &Map<_, _>| members.get("kty").is_some_and(Value::is_string);
    // If a JWK is not for signing, a PEM next to it is read instead.
    let has_pem = input.windows(16).any(|run| run == b"PRIVATE KEY-----");
    let whole = document.filter(|members| is_jwk(members) && !has_pem);
    match [Key::read(input), Key::read(input)] {
        [Ok(one), Ok(other)] => {
            assert_eq!(one.repairs(), other.repairs());
            assert_eq!(one.key_id(), other.key_id());
            assert_signs(&one, &other);
            if let Some(members) = whole {
                assert_is_of_jwk(&one, &members);
            }
            assert_not_quoted(&debug(&one.with_key_id("a key id")), input);
        }
        [Err(one), Err(other)] => {
            assert_eq!(one.kind(), ErrorKind::Key);
            assert_eq!(error_texts(&one), error_texts(&other));
            assert_not_quoted(&error_texts(&one), input);
            if whole.is_some_and(|members| ring_accepts(&members) == Some(())) {
                let misfit = "the parts of this RSA key do not belong together"; // d, which ring ignores
                assert_eq!(one.to_string(), misfit);
            }
        }
        [one, other] => panic!("one input gives two results: {one:?}, {other:?}"),
    }
}

/// `ring` verifies what the key signs with the public half that the key shows. A tag is the same twice.
fn assert_signs(key: &Key, again: &Key) {
    let signature = key.sign(MESSAGE).unwrap();
    let Some(public) = key.public_jwk() else {
        assert_eq!(signature, again.sign(MESSAGE).unwrap());
        return;
    };
    let public: Map<String, Value> = serde_json::from_str(&public).unwrap();
    let number = |name: &str| decoded(&public, name).unwrap();
    let rsa = match key.algorithm() {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::EdDsa => {
            let key = UnparsedPublicKey::new(&ED25519, number("x"));
            return key.verify(MESSAGE, &signature).unwrap();
        }
        curve => {
            let how = match curve {
                Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
                _ => &ECDSA_P384_SHA384_FIXED,
            };
            let point = [vec![4], number("x"), number("y")].concat();
            let key = UnparsedPublicKey::new(how, point);
            return key.verify(MESSAGE, &signature).unwrap();
        }
    };
    let (n, e) = (number("n"), number("e"));
    let public = RsaPublicKeyComponents { n, e };
    public.verify(rsa, MESSAGE, &signature).unwrap();
}

/// The key has the public numbers, the key id and the algorithm of the JWK, as `serde_json` reads it.
fn assert_is_of_jwk(key: &Key, jwk: &Map<String, Value>) {
    let text = |name: &str| {
        jwk.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    assert_eq!(key.key_id(), text("kid"));
    match text("alg") {
        None | Some("Ed25519") => {}
        Some(name) => assert_eq!(key.algorithm().name(), name),
    }
    let public = key.public_jwk().unwrap_or_else(|| "{}".to_owned());
    let public: Map<String, Value> = serde_json::from_str(&public).unwrap();
    for name in ["n", "e", "x", "y"] {
        let Some(ours) = decoded(&public, name) else {
            continue;
        };
        if let Some(theirs) = decoded(jwk, name) {
            let digits = |number: &[u8]| -> Vec<u8> {
                let digits = number.iter().skip_while(|byte| **byte == 0);
                digits.copied().collect()
            };
            assert_eq!(digits(&ours), digits(&theirs), "{name}");
        }
    }
}

/// Whether `ring` makes a key from a JWK that has no members except its numbers.
fn ring_accepts(jwk: &Map<String, Value>) -> Option<()> {
    if ["alg", "kid", "key_ops", "oth", "use"]
        .iter()
        .any(|name| jwk.contains_key(*name))
    {
        return None;
    }
    let number = |name: &str| decoded(jwk, name);
    let random = SystemRandom::new();
    match jwk["kty"].as_str()? {
        "RSA" => {
            let public_key = PublicKeyComponents {
                n: number("n")?,
                e: number("e")?,
            };
            let components = KeyPairComponents {
                public_key,
                d: number("d")?,
                p: number("p")?,
                q: number("q")?,
                dP: number("dp")?,
                dQ: number("dq")?,
                qInv: number("qi")?,
            };
            RsaKeyPair::from_components(&components).ok()?;
        }
        "EC" => {
            let how = match jwk.get("crv")?.as_str()? {
                "P-256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
                "P-384" => &ECDSA_P384_SHA384_FIXED_SIGNING,
                _ => return None,
            };
            let (x, y) = (number("x")?, number("y")?);
            let point = (x.len() == y.len()).then(|| [vec![4], x, y].concat())?;
            EcdsaKeyPair::from_private_key_and_public_key(how, &number("d")?, &point, &random)
                .ok()?;
        }
        "OKP" if jwk.get("crv")?.as_str()? == "Ed25519" => {
            Ed25519KeyPair::from_seed_and_public_key(&number("d")?, &number("x")?).ok()?;
        }
        _ => return None,
    }
    Some(())
}

fn decoded(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}
