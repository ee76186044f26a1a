//! A key under a passphrase to the key: PBES2 (RFC 8018 §6.2).

use pkcs8::{EncryptedPrivateKeyInfo, Error::EncryptedPrivateKey, SecretDocument, pkcs5};

use super::der::{Element, elements, sequence, without_leading_zeros};
use crate::error::Error;

const WRONG_PASSPHRASE: &str = "the passphrase is wrong";
const UNKNOWN_ENCRYPTION: &str = "this key's encryption is not PBES2 with AES-CBC and \
    PBKDF2-HMAC-SHA-2 or scrypt: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc";
/// The most rounds of PBKDF2 that are computed, since the file chooses their number. They take
/// about a second. OpenSSL writes 2048, and OWASP recommends 600,000.
const MAX_ROUNDS: u64 = 2_000_000;
/// The most bytes that scrypt works through, 128 N r p (RFC 7914 §2). It never needs more memory
/// than that, and a failed allocation ends the process. OpenSSL writes 16 MiB.
const MAX_SCRYPT: u64 = 64 * MIB;
const MIB: u64 = 1024 * 1024;

/// PBKDF2, 1.2.840.113549.1.5.12 (RFC 8018 §A.2).
const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
/// scrypt, 1.3.6.1.4.1.11591.4.11 (RFC 7914 §7).
const SCRYPT: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";

/// Checks what it costs to derive the encryption key of an `EncryptedPrivateKeyInfo` from its
/// passphrase.
///
/// # Errors
/// A message with the cost, the limit and the command that writes a cheaper file.
fn check_cost(encrypted: &[u8]) -> Result<(), String> {
    let Some((function, parameters)) = key_derivation(encrypted) else {
        return Ok(()); // not PBES2, so nothing is derived
    };
    let numbers: Vec<_> = parameters.iter().skip(1).map(number).collect(); // after the salt
    match (function, numbers.as_slice()) {
        (PBKDF2, [rounds, ..]) if *rounds > MAX_ROUNDS => Err(format!(
            "this key's passphrase takes {rounds} rounds of PBKDF2; at most {MAX_ROUNDS} are taken: \
             write a cheaper one with openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000"
        )),
        (SCRYPT, [n, r, p, ..]) => {
            let bytes = [*n, *r, *p].into_iter().fold(128, u64::saturating_mul);
            let (mib, most) = (bytes.div_ceil(MIB), MAX_SCRYPT.div_ceil(MIB));
            match bytes > MAX_SCRYPT {
                true => Err(format!(
                    "this key's passphrase takes {mib} MiB of scrypt (N {n}, r {r}, p {p}); at most \
                     {most} MiB are taken: write a cheaper one with openssl pkcs8 -topk8 -scrypt"
                )),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Returns the object identifier and the parameters of the key derivation in PBES2 (RFC 8018 §A.4).
fn key_derivation(encrypted: &[u8]) -> Option<(&[u8], Vec<Element<'_>>)> {
    let encryption = *sequence(encrypted).ok()?.first()?;
    let scheme = *elements(encryption.value).ok()?.get(1)?;
    let derivation = *elements(scheme.value).ok()?.first()?;
    let derivation = elements(derivation.value).ok()?;
    let [function, parameters, ..] = derivation.as_slice() else {
        return None;
    };
    Some((function.value, elements(parameters.value).ok()?))
}

/// Returns an INTEGER that is not negative, or the largest number where it has more bits.
fn number(integer: &Element<'_>) -> u64 {
    let digits = without_leading_zeros(integer.value);
    let mut bytes = [0; 8];
    if digits.len() > bytes.len() {
        return u64::MAX;
    }
    for (byte, digit) in bytes.iter_mut().rev().zip(digits.iter().rev()) {
        *byte = *digit;
    }
    u64::from_be_bytes(bytes)
}

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958 §3).
///
/// # Errors
/// Kind [`Key`](crate::ErrorKind::Key): the passphrase is wrong, the encryption is unknown, or it
/// costs too much.
pub(crate) fn decrypt(encrypted: &[u8], passphrase: &[u8]) -> Result<SecretDocument, Error> {
    check_cost(encrypted).map_err(Error::key)?;
    let encrypted = EncryptedPrivateKeyInfo::try_from(encrypted);
    let encrypted = encrypted.map_err(|_| Error::key(UNKNOWN_ENCRYPTION))?;
    encrypted.decrypt(passphrase).map_err(|error| {
        Error::key(match error {
            EncryptedPrivateKey(
                pkcs5::Error::UnsupportedAlgorithm { .. }
                | pkcs5::Error::AlgorithmParametersInvalid { .. }
                | pkcs5::Error::NoPbes1CryptSupport,
            ) => UNKNOWN_ENCRYPTION,
            // One wrong passphrase in 256 leaves valid padding, and behind it bytes that are no DER.
            _ => WRONG_PASSPHRASE,
        })
    })
}
