//! Key material: as text and as DER.

use jwt_bearer::{Error, ErrorKind, RsaKey, Signer as _};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::{debug, quotes_nothing, told};

const MESSAGE: &[u8] = b"header.claims";

/// A text to [`RsaKey::from_pem`].
pub fn pem(input: &[u8]) {
    let read = same_key(input, [RsaKey::from_pem(input), RsaKey::from_pem(input)]);
    // One that needs a passphrase is left out: the file says how long to compute.
    #[cfg(feature = "encrypted-keys")]
    if may_be_opened(&read) {
        let sealed = RsaKey::from_encrypted_pem(input, "correct horse");
        drop(same_key(input, [RsaKey::from_pem(input), sealed]));
    }
    // What a strict reader takes is taken, and means the same. Of several blocks it passes over an
    // encrypted one.
    let blocks = input.windows(10).filter(|ten| ten == b"-----BEGIN");
    let strict = PrivateKeyDer::from_pem_slice(input).ok();
    if let Some(strict) = strict.filter(|_| blocks.count() == 1) {
        verifies(read, strict.secret_der());
    }
}

/// Bytes to [`RsaKey::from_der`].
pub fn der(input: &[u8]) {
    let read = same_key(input, [RsaKey::from_der(input), RsaKey::from_der(input)]);
    #[cfg(feature = "encrypted-keys")]
    if may_be_opened(&read) {
        let sealed = RsaKey::from_encrypted_der(input, "correct horse");
        drop(same_key(input, [RsaKey::from_der(input), sealed]));
    }
    verifies(read, input);
}

#[cfg(feature = "encrypted-keys")]
fn may_be_opened(read: &Result<RsaKey, Error>) -> bool {
    !matches!(read, Err(error) if error.to_string().contains("encrypted"))
}

/// Both readings say the same: a key that signs, or an error that quotes nothing.
fn same_key(input: &[u8], read: [Result<RsaKey, Error>; 2]) -> Result<RsaKey, Error> {
    match read {
        [Ok(one), Ok(other)] => {
            assert_eq!(one.repairs(), other.repairs());
            quotes_nothing(&debug(&one), input);
            let [first, second] = [&one, &other].map(|key| key.sign(MESSAGE).unwrap());
            // PKCS#1 v1.5 is deterministic, and as long as the modulus: 2048 to 8192 bits.
            assert_eq!(first, second);
            assert!((256..=1024).contains(&first.len()), "{}", first.len());
            Ok(one)
        }
        [Err(one), Err(other)] => {
            assert_eq!(one.kind(), ErrorKind::Key);
            assert_eq!(told(&one), told(&other));
            quotes_nothing(&told(&one), input);
            Err(one)
        }
        [one, other] => panic!("two readings of one key: {one:?}, {other:?}"),
    }
}

/// What ring takes for a key is one here: what it signs, ring verifies with its public half. Each looks
/// at parts that the other does not: we at the private exponent, ring at what speeds a signature up.
fn verifies(read: Result<RsaKey, Error>, der: &[u8]) {
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
