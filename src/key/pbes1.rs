//! How keys were encrypted before PBES2: by PBES1 (RFC 8018 §6.1) and as in PKCS#12 (RFC 7292 §C).

use md5::Md5;
use sha1::Sha1;

use super::block_cipher;
use super::derivation::{CIPHER_IV, CIPHER_KEY, pbkdf1, pkcs12_key, pkcs12_passphrases};
use super::material::{Cipher, SecretBytes};

/// What derives the key and the initialization vector.
#[derive(Clone, Copy)]
pub(super) enum Derivation {
    Pbkdf1Md5,
    Pbkdf1Sha1,
    Pkcs12Sha1,
}

/// A scheme that is supported, or the name of one that is not.
pub(super) type KnownScheme = Result<(Derivation, Cipher), &'static str>;

/// The object identifiers of all schemes, without the last number: pkcs-5 and pkcs-12PbeIds.
const PKCS5_PREFIX: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05";
const PKCS12_PREFIX: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01";

/// RFC 8018 §A.3 and RFC 7292 §C. RC2 and RC4 would be two more packages for keys that are rare.
const SCHEMES: &[(&[u8], u8, KnownScheme)] = &[
    (PKCS5_PREFIX, 1, Err("pbeWithMD2AndDES-CBC")),
    (PKCS5_PREFIX, 3, Ok((Derivation::Pbkdf1Md5, Cipher::Des))),
    (PKCS5_PREFIX, 4, Err("pbeWithMD2AndRC2-CBC")),
    (PKCS5_PREFIX, 6, Err("pbeWithMD5AndRC2-CBC")),
    (PKCS5_PREFIX, 10, Ok((Derivation::Pbkdf1Sha1, Cipher::Des))),
    (PKCS5_PREFIX, 11, Err("pbeWithSHA1AndRC2-CBC")),
    (PKCS12_PREFIX, 1, Err("pbeWithSHA1And128BitRC4")),
    (PKCS12_PREFIX, 2, Err("pbeWithSHA1And40BitRC4")),
    (
        PKCS12_PREFIX,
        3,
        Ok((Derivation::Pkcs12Sha1, Cipher::TripleDes)),
    ),
    (
        PKCS12_PREFIX,
        4,
        Ok((Derivation::Pkcs12Sha1, Cipher::TripleDesOfTwoKeys)),
    ),
    (PKCS12_PREFIX, 5, Err("pbeWithSHA1And128BitRC2-CBC")),
    (PKCS12_PREFIX, 6, Err("pbeWithSHA1And40BitRC2-CBC")),
];

/// Returns the scheme with this object identifier, or `None` if the identifier is unknown.
pub(super) fn scheme(oid: &[u8]) -> Option<KnownScheme> {
    let (last, family) = oid.split_last()?;
    let mut rows = SCHEMES.iter();
    let row = rows.find(|(prefix, number, _)| *prefix == family && number == last);
    row.map(|(_, _, scheme)| *scheme)
}

/// Decrypts a private key in DER, or returns `None` if the passphrase is wrong.
pub(super) fn decrypt(
    (derivation, cipher): (Derivation, Cipher),
    salt: &[u8],
    rounds: u64,
    passphrase: &[u8],
    ciphertext: &[u8],
) -> Option<SecretBytes> {
    let (key_length, iv_length) = (cipher.key_length(), cipher.block_length());
    let by_pbkdf1 = |hash: SecretBytes| {
        let (key, rest) = hash.split_at_checked(key_length)?;
        block_cipher::decrypt(cipher, key, rest.get(..iv_length)?, ciphertext)
    };
    match derivation {
        Derivation::Pbkdf1Md5 => by_pbkdf1(pbkdf1::<Md5>(passphrase, salt, rounds)),
        Derivation::Pbkdf1Sha1 => by_pbkdf1(pbkdf1::<Sha1>(passphrase, salt, rounds)),
        Derivation::Pkcs12Sha1 => pkcs12_passphrases(passphrase)
            .iter()
            .find_map(|passphrase| {
                let key = pkcs12_key::<Sha1>(CIPHER_KEY, passphrase, salt, rounds, key_length);
                let iv = pkcs12_key::<Sha1>(CIPHER_IV, passphrase, salt, rounds, iv_length);
                block_cipher::decrypt(cipher, &key, &iv, ciphertext)
            }),
    }
}
