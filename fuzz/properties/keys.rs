//! Private keys as text and as DER.

use jwt_bearer::{Error, ErrorKind, RsaKey, Signer as _};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::{assert_not_quoted, debug, error_texts};

const MESSAGE: &[u8] = b"header.claims";

/// Reads a text with [`RsaKey::from_pem`].
pub fn pem(input: &[u8]) {
    let read = assert_same_key(input, [RsaKey::from_pem(input), RsaKey::from_pem(input)]);
    // An encrypted key is left out: the file itself says how long its key derivation takes.
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
    !matches!(read, Err(error) if error.to_string().contains("encrypted"))
}

/// Both results are the same: a key that signs, or an error that quotes nothing of the input.
fn assert_same_key(input: &[u8], read: [Result<RsaKey, Error>; 2]) -> Result<RsaKey, Error> {
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
