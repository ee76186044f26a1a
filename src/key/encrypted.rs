//! Decrypts a PKCS#8 key with its passphrase: PBES2 (RFC 8018 §6.2) and what came before it.

use pkcs8::{EncryptedPrivateKeyInfo, Error::EncryptedPrivateKey, pkcs5};

use super::cost::{check_rounds, check_scrypt};
use super::der::{Element, elements, saturating_u64, sequence};
use super::material::SecretBytes;
use super::pbes1;

pub(super) const WRONG_PASSPHRASE: &str = "the passphrase is wrong";
const UNKNOWN_ENCRYPTION: &str = "this key's encryption is not PBES2 with AES-CBC or 3DES-CBC and \
    PBKDF2 (HMAC-SHA-1 or HMAC-SHA-2) or scrypt";

/// PBKDF2, 1.2.840.113549.1.5.12 (RFC 8018 §A.2).
const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
/// scrypt, 1.3.6.1.4.1.11591.4.11 (RFC 7914 §7).
const SCRYPT: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958 §3).
///
/// # Errors
/// A message: the passphrase is wrong or costs too much, or the encryption is not supported. The latter message ends
/// with `convert`, which says what to do.
pub(super) fn decrypt(
    info: &[u8],
    passphrase: &[u8],
    convert: &str,
) -> Result<SecretBytes, String> {
    match old_scheme(info) {
        Some(old) => decrypt_old(&old, passphrase, convert),
        None => decrypt_pbes2(info, passphrase, convert),
    }
}

/// A scheme older than PBES2, the salt and the number of rounds, and the encrypted key.
struct OldScheme<'d> {
    scheme: pbes1::KnownScheme,
    salt: &'d [u8],
    rounds: u64,
    ciphertext: &'d [u8],
}

fn old_scheme(info: &[u8]) -> Option<OldScheme<'_>> {
    let info = sequence(info).ok()?;
    let [algorithm, ciphertext] = info.as_slice() else {
        return None;
    };
    let algorithm = elements(algorithm.value).ok()?;
    let [oid, parameters] = algorithm.as_slice() else {
        return None;
    };
    let parameters = elements(parameters.value).ok()?;
    let [salt, rounds] = parameters.as_slice() else {
        return None;
    };
    Some(OldScheme {
        scheme: pbes1::scheme(oid.value)?,
        salt: salt.value,
        rounds: saturating_u64(rounds),
        ciphertext: ciphertext.value,
    })
}

fn decrypt_old(
    old: &OldScheme<'_>,
    passphrase: &[u8],
    convert: &str,
) -> Result<SecretBytes, String> {
    let scheme = old.scheme.map_err(|name| {
        format!("this key is encrypted with {name}, which is not read: {convert}")
    })?;
    check_rounds(old.rounds, "PBES1", convert)?;
    pbes1::decrypt(scheme, old.salt, old.rounds, passphrase, old.ciphertext)
        .ok_or_else(|| WRONG_PASSPHRASE.into())
}

fn decrypt_pbes2(info: &[u8], passphrase: &[u8], convert: &str) -> Result<SecretBytes, String> {
    check_cost(info)?;
    let unknown = || format!("{UNKNOWN_ENCRYPTION}: {convert}");
    let info = EncryptedPrivateKeyInfo::try_from(info).map_err(|_| unknown())?;
    let key = info.decrypt(passphrase).map_err(|error| match error {
        EncryptedPrivateKey(
            pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs5::Error::AlgorithmParametersInvalid { .. }
            | pkcs5::Error::NoPbes1CryptSupport,
        ) => unknown(),
        // One wrong passphrase in 256 leaves valid padding, but the bytes before it are not DER.
        _ => WRONG_PASSPHRASE.into(),
    })?;
    Ok(key.to_bytes())
}

/// Checks what it costs to derive the encryption key of an `EncryptedPrivateKeyInfo` from its passphrase.
///
/// # Errors
/// A message with the cost, the limit and the command that writes a cheaper file.
fn check_cost(info: &[u8]) -> Result<(), String> {
    let Some((function, parameters)) = key_derivation(info) else {
        return Ok(()); // not PBES2, so nothing is derived
    };
    let numbers: Vec<_> = parameters.iter().skip(1).map(saturating_u64).collect(); // after the salt
    match (function, numbers.as_slice()) {
        (PBKDF2, [rounds, ..]) => check_rounds(
            *rounds,
            "PBKDF2",
            "write a cheaper one with openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in FILE \
             -out NEW",
        ),
        (SCRYPT, [n, r, p, ..]) => check_scrypt(*n, *r, *p),
        _ => Ok(()),
    }
}

/// Returns the object identifier and the parameters of the key derivation in PBES2 (RFC 8018 §A.4).
fn key_derivation(info: &[u8]) -> Option<(&[u8], Vec<Element<'_>>)> {
    let encryption = *sequence(info).ok()?.first()?;
    let scheme = *elements(encryption.value).ok()?.get(1)?;
    let derivation = *elements(scheme.value).ok()?.first()?;
    let derivation = elements(derivation.value).ok()?;
    let [function, parameters, ..] = derivation.as_slice() else {
        return None;
    };
    Some((function.value, elements(parameters.value).ok()?))
}
