//! Derives the keys of ciphers and MACs from passphrases, as was done before PBKDF2.

use std::str;

use hmac::digest::core_api::BlockSizeUser;
use md5::Md5;
use sha1::Digest;
use zeroize::{Zeroize as _, Zeroizing};

use super::material::SecretBytes;

/// What a key of PKCS#12 is for (RFC 7292 §B.3).
pub(super) const CIPHER_KEY: u8 = 1;
pub(super) const CIPHER_IV: u8 = 2;
pub(super) const MAC_KEY: u8 = 3;

/// Derives a key with PBKDF1 (RFC 8018 §5.1). It is as long as the hash; callers take the beginning.
pub(super) fn pbkdf1<D: Digest>(passphrase: &[u8], salt: &[u8], rounds: u64) -> SecretBytes {
    let first = D::new().chain_update(passphrase).chain_update(salt);
    hash_again(first, rounds)
}

/// Derives a key as OpenSSL does for PEM, with MD5 and one round (`EVP_BytesToKey`).
pub(super) fn openssl_pem(passphrase: &[u8], salt: &[u8], length: usize) -> SecretBytes {
    let mut key = SecretBytes::new(Vec::with_capacity(length.saturating_add(HASH_MAX)));
    let mut hash = SecretBytes::default();
    while key.len() < length {
        let next = Md5::new().chain_update(&*hash);
        hash = hash_again(next.chain_update(passphrase).chain_update(salt), 1);
        key.extend_from_slice(&hash);
    }
    key.truncate(length);
    key
}

/// Derives a key of PKCS#12 (RFC 7292 §B.2) from one of [`pkcs12_passphrases`].
pub(super) fn pkcs12_key<D: Digest + BlockSizeUser>(
    purpose: u8,
    passphrase: &[u8],
    salt: &[u8],
    rounds: u64,
    length: usize,
) -> SecretBytes {
    let block = D::block_size();
    let whole_blocks = |bytes: &[u8]| bytes.len().div_ceil(block).saturating_mul(block);
    let [of_salt, of_passphrase] = [salt, passphrase].map(whole_blocks);
    let mut input = SecretBytes::new(Vec::with_capacity(of_salt.saturating_add(of_passphrase)));
    input.extend(salt.iter().cycle().take(of_salt));
    input.extend(passphrase.iter().cycle().take(of_passphrase));
    let mut key = SecretBytes::new(Vec::with_capacity(length.saturating_add(HASH_MAX)));
    while key.len() < length {
        let first = D::new().chain_update(vec![purpose; block]);
        let hash = hash_again(first.chain_update(&*input), rounds);
        key.extend_from_slice(&hash);
        let mut addend = SecretBytes::new(Vec::with_capacity(block));
        addend.extend(hash.iter().cycle().take(block));
        for number in input.chunks_mut(block) {
            add_and_one(number, &addend);
        }
    }
    key.truncate(length);
    key
}

/// The length of the longest hash, so that a key is never moved while it grows.
const HASH_MAX: usize = 64;

/// Adds a number and one to a number of the same length. The highest carry is dropped.
fn add_and_one(number: &mut [u8], addend: &[u8]) {
    let mut carry = 1;
    for (byte, other) in number.iter_mut().zip(addend).rev() {
        let sum = u16::from(*byte).saturating_add((*other).into());
        [carry, *byte] = sum.saturating_add(carry.into()).to_be_bytes();
    }
}

/// Finishes the first hash, and hashes the result again until there are `rounds` rounds in all.
fn hash_again<D: Digest>(first: D, rounds: u64) -> SecretBytes {
    let mut hash = first.finalize();
    for _ in 1..rounds {
        hash = D::digest(&hash);
    }
    let bytes = Zeroizing::new(hash.to_vec());
    hash.as_mut_slice().zeroize();
    bytes
}

/// Returns the forms that a passphrase may have in PKCS#12 (RFC 7292 §B.1): UTF-16 with a zero at its end. Some
/// programs write an empty passphrase as nothing.
///
/// A passphrase that is not UTF-8 is read as Latin-1, as in OpenSSL.
pub(super) fn pkcs12_passphrases(passphrase: &[u8]) -> Vec<SecretBytes> {
    // UTF-16 has at most as many units as UTF-8 has bytes.
    let capacity = passphrase.len().saturating_add(1).saturating_mul(2);
    let mut utf16 = SecretBytes::new(Vec::with_capacity(capacity));
    match str::from_utf8(passphrase) {
        Ok(text) => utf16.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        Err(_) => utf16.extend(passphrase.iter().flat_map(|byte| [0, *byte])),
    }
    utf16.extend([0, 0]);
    match passphrase {
        [] => vec![utf16, SecretBytes::default()],
        _ => vec![utf16],
    }
}
