//! Decrypts PEM that OpenSSL encrypted the old way, with headers that name the cipher.
//!
//! `Proc-Type: 4,ENCRYPTED` and `DEK-Info` are those of RFC 1421 §4.6.1. The cipher's key is derived in OpenSSL's own
//! way: MD5 over the passphrase and a salt, which is the beginning of the IV.

use super::encoding::decode_hex;
use super::material::{Cipher, DekInfo};
use super::refusal::CONVERT;
#[cfg(feature = "encrypted-keys")]
use super::{block_cipher, derivation, encrypted::WRONG_PASSPHRASE, material::SecretBytes};

/// Ciphers of `DEK-Info` by OpenSSL's names. `None` means that the cipher is not supported.
const CIPHERS: &[(&str, Option<Cipher>)] = &[
    ("AES-128-CBC", Some(Cipher::Aes128)),
    ("AES-192-CBC", Some(Cipher::Aes192)),
    ("AES-256-CBC", Some(Cipher::Aes256)),
    ("DES-EDE3-CBC", Some(Cipher::TripleDes)),
    ("DES-CBC", None),
    ("RC2-CBC", None),
    ("BF-CBC", None),
    ("CAST5-CBC", None),
    ("IDEA-CBC", None),
    ("SEED-CBC", None),
    ("CAMELLIA-128-CBC", None),
    ("CAMELLIA-192-CBC", None),
    ("CAMELLIA-256-CBC", None),
];
const NO_IV: &str = "the DEK-Info line of this encrypted key has no initialization vector";

/// The length of the salt in bytes (`PKCS5_SALT_LEN` of OpenSSL).
#[cfg(feature = "encrypted-keys")]
const SALT: usize = 8;

/// Splits the headers from the body of a block. A body without headers is returned unchanged.
///
/// The line ends may be missing or written as `\n`, as in the rest of the block.
///
/// # Errors
/// A message: the headers name no supported cipher.
pub(super) fn split_headers(body: &str) -> Result<(Option<DekInfo>, &str), String> {
    if !body.contains("Proc-Type:") {
        return Ok((None, body));
    }
    let (_, value) = body
        .split_once("DEK-Info:")
        .ok_or("this encrypted key has no DEK-Info line, which names its cipher")?;
    let (name, rest) = value.split_once(',').ok_or(NO_IV)?;
    let row = CIPHERS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    let (name, cipher) = row.copied().unwrap_or(("another cipher", None));
    let Some(cipher) = cipher else {
        return Err(format!(
            "this key is encrypted with {name}; AES-CBC and DES-EDE3-CBC are read: {CONVERT}"
        ));
    };
    let digits = cipher.block_length().saturating_mul(2);
    let (iv, base64) = rest.trim_start().split_at_checked(digits).ok_or(NO_IV)?;
    // Spaces among the digits are skipped, and then the vector is too short.
    let iv = decode_hex(iv.as_bytes()).filter(|iv| iv.len() == cipher.block_length());
    let iv = iv.ok_or(NO_IV)?.to_vec();
    Ok((Some(DekInfo { cipher, iv }), base64.trim_start()))
}

/// Decrypts the body of a block.
///
/// # Errors
/// A message: the passphrase is wrong.
#[cfg(feature = "encrypted-keys")]
pub(super) fn decrypt(
    body: &[u8],
    DekInfo { cipher, iv }: &DekInfo,
    passphrase: &[u8],
) -> Result<SecretBytes, String> {
    let salt = iv.get(..SALT).unwrap_or(iv);
    let key = derivation::openssl_pem(passphrase, salt, cipher.key_length());
    block_cipher::decrypt(*cipher, &key, iv, body).ok_or_else(|| WRONG_PASSPHRASE.into())
}
