//! Reads the parts of a key from the bytes of a file in any format, or says what the bytes are instead.
//!
//! Whether the parts belong together is checked when a key is made from them. Each module names only those above it.

pub(crate) mod refusal;

pub(crate) mod material;

pub(crate) mod der;

mod oid;

pub(crate) mod hash;

pub(crate) mod encoding;

#[cfg(feature = "encrypted-keys")]
mod cost;

#[cfg(feature = "encrypted-keys")]
mod derivation;

#[cfg(feature = "encrypted-keys")]
mod block_cipher;

#[cfg(feature = "encrypted-keys")]
mod pbes1;

#[cfg(feature = "encrypted-keys")]
mod encrypted;

#[cfg(feature = "encrypted-keys")]
mod pkcs12;

mod proc_type;

mod pem;

mod private_key;

pub(crate) mod public_key;

mod jwk;

pub(crate) mod certificate;

#[cfg(feature = "cli")]
pub(crate) mod public_reader;

#[cfg(feature = "encrypted-keys")]
use self::encrypted::WRONG_PASSPHRASE;
use self::material::{Encrypted, KeyMaterial};
use crate::error::Error;

/// Reads a key in any format. Of several JWKs it is the one with this ID, or the first one that may sign.
///
/// # Errors
/// Kind [`Key`](crate::ErrorKind::Key): there is no such private key. The message says what there is instead.
pub(crate) fn read(
    bytes: &[u8],
    passphrase: Option<&[u8]>,
    key_id: Option<&str>,
) -> Result<KeyMaterial, Error> {
    if let Some(material) = jwk::find(bytes, key_id)? {
        return Ok(material);
    }
    match pem::decode_first_key(bytes)? {
        Some(found) => from_block(&found, passphrase),
        None => from_der(bytes, passphrase),
    }
}

/// Reads a key in PEM.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn from_pem(text: &[u8], passphrase: Option<&[u8]>) -> Result<KeyMaterial, Error> {
    let found = pem::decode_first_key(text)?;
    let found = found.ok_or_else(|| Error::key(private_key::instead_of_pem(text)))?;
    from_block(&found, passphrase)
}

/// Reads a key in DER. The passphrase is not used if the key is not encrypted.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn from_der(der: &[u8], passphrase: Option<&[u8]>) -> Result<KeyMaterial, Error> {
    match private_key::parse(der).map_err(Error::key)? {
        private_key::ParsedKey::Plain(material) => Ok(*material),
        private_key::ParsedKey::Encrypted(encrypted) => decrypt(encrypted, passphrase),
    }
}

/// Reads the key in a block of PEM. The repairs of the text come before those of its DER.
fn from_block(found: &pem::DecodedKey, passphrase: Option<&[u8]>) -> Result<KeyMaterial, Error> {
    let mut material = match &found.dek_info {
        Some(dek_info) => decrypt(Encrypted::Pem(&found.der, dek_info), passphrase)?,
        None => from_der(&found.der, passphrase)?,
    };
    material.repairs = [found.repairs.as_slice(), &material.repairs].concat();
    Ok(material)
}

#[cfg(feature = "encrypted-keys")]
fn decrypt(encrypted: Encrypted<'_>, passphrase: Option<&[u8]>) -> Result<KeyMaterial, Error> {
    let only = |key| (key, false);
    let decrypted = match (encrypted, passphrase) {
        // Stores are often exported without a passphrase, which means an empty one.
        (Encrypted::Pkcs12(store), _) => {
            pkcs12::decrypt_first_key(store, passphrase.unwrap_or_default())
        }
        (Encrypted::Pkcs8(info), Some(passphrase)) => {
            encrypted::decrypt(info, passphrase, refusal::CONVERT).map(only)
        }
        (Encrypted::Pem(body, dek_info), Some(passphrase)) => {
            proc_type::decrypt(body, dek_info, passphrase).map(only)
        }
        (_, None) => Err(encrypted.without_passphrase().into()),
    };
    let (key, has_others) = decrypted.map_err(|message| match passphrase {
        None if message == WRONG_PASSPHRASE => Error::key(encrypted.without_passphrase()),
        _ => Error::key(message),
    })?;
    let mut material = from_der(&key, None)?;
    if has_others {
        material.repairs.push(pem::SEVERAL_KEYS);
    }
    Ok(material)
}

#[cfg(not(feature = "encrypted-keys"))]
fn decrypt(encrypted: Encrypted<'_>, _: Option<&[u8]>) -> Result<KeyMaterial, Error> {
    Err(Error::key(encrypted.without_passphrase()))
}
