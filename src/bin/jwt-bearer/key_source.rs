//! From a file to the key that is in it: private, public, or that of a certificate.

use std::path::Path;

use jwt_bearer::provider::{credentials, provider_of_credentials};
use jwt_bearer::{Algorithm, Certificate, Error, Key, PublicKeyOfFile, Signer as _};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files::{read, read_secret};

/// How errors begin about files that have a public key and no private one.
const PUBLIC_KEYS: &[&str] = &[
    "this is a public key",
    "this is a certificate",
    "this JWK is a public key",
];
/// How public keys in the formats of SSH begin.
const SSH_PUBLIC_KEYS: &[&[u8]] = &[b"ssh-", b"ecdsa-sha2-", b"---- BEGIN SSH2"];
/// How a PKCS#12 store begins, after its length: version 3 (RFC 7292 §4).
const PKCS12_VERSION: &[u8] = b"\x02\x01\x03";

/// What a file turned out to hold.
pub(crate) enum FoundKey {
    Private(Box<Key>, Box<PublicKeyOfFile>),
    Public(Box<PublicKeyOfFile>),
    /// The secret of an HMAC, in a JWK.
    Secret(Box<Key>),
}

/// The key in a file, and what is known about the file.
pub(crate) struct KeyFile {
    pub(crate) found: FoundKey,
    /// Whether a passphrase protects the key.
    pub(crate) is_encrypted: bool,
    /// The name of the provider whose credential file it is.
    pub(crate) provider: Option<&'static str>,
    /// The certificate in the same file as the key.
    pub(crate) certificate: Option<Certificate>,
    /// Whether it is a PKCS#12 store, whose certificates are not read.
    pub(crate) is_pkcs12: bool,
}

impl KeyFile {
    /// Returns the public key, if there is one.
    pub(crate) fn public(&self) -> Option<&PublicKeyOfFile> {
        match &self.found {
            FoundKey::Private(_, public) | FoundKey::Public(public) => Some(public),
            FoundKey::Secret(_) => None,
        }
    }
    /// Returns the key ID that the file names.
    pub(crate) fn key_id(&self) -> Option<&str> {
        match &self.found {
            FoundKey::Private(key, _) | FoundKey::Secret(key) => key.key_id(),
            FoundKey::Public(public) => public.key_id(),
        }
    }
    /// Returns the algorithms that the key is for, the usual one first.
    pub(crate) fn algorithms(&self) -> &'static [Algorithm] {
        match &self.found {
            FoundKey::Private(key, _) | FoundKey::Secret(key) => key.algorithms(),
            FoundKey::Public(public) => public.algorithms(),
        }
    }
    /// Returns the algorithm that the file names, or the usual one.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        match &self.found {
            FoundKey::Private(key, _) | FoundKey::Secret(key) => Some(key.algorithm()),
            FoundKey::Public(public) => public
                .algorithm()
                .or_else(|| public.algorithms().first().copied()),
        }
    }
    /// Returns what was repaired.
    pub(crate) fn repairs(&self) -> &[&'static str] {
        match &self.found {
            FoundKey::Private(key, _) | FoundKey::Secret(key) => key.repairs(),
            FoundKey::Public(_) => &[],
        }
    }
}

/// Reads the key in the file that `option` names.
///
/// # Errors
/// If the file cannot be read, or holds no key.
pub(crate) fn read_key_file(
    option: &str,
    file: &Path,
    passphrase_file: Option<&Path>,
) -> Result<KeyFile, Failure> {
    parse_key_file(file, &read(option, file)?, passphrase_file)
}

/// Reads the key in the bytes of a file.
///
/// # Errors
/// If they hold no key.
pub(crate) fn parse_key_file(
    file: &Path,
    bytes: &[u8],
    passphrase_file: Option<&Path>,
) -> Result<KeyFile, Failure> {
    key_of(bytes, read_passphrase(passphrase_file)?).map_err(|error| {
        let needs_passphrase = needs_passphrase(&error);
        let failure = unusable(file, error);
        match needs_passphrase {
            true => failure,
            false if SSH_PUBLIC_KEYS.iter().any(|start| bytes.starts_with(start)) => {
                failure.with_hint("convert it with ssh-keygen -e -m PKCS8 -f FILE > public.pem")
            }
            false => failure,
        }
    })
}

/// Reads the passphrase of an encrypted key, if its file is given.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn read_passphrase(file: Option<&Path>) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let read = |file| read_secret("--passphrase-file", file);
    file.map(read).transpose()
}

/// Returns the failure to read a key, with the option that is missing.
pub(crate) fn unusable(file: &Path, error: Error) -> Failure {
    let needs_passphrase = needs_passphrase(&error);
    let failure = Failure::in_file(file, error);
    match needs_passphrase {
        true => failure.with_hint("--passphrase-file FILE names a file with the passphrase"),
        false => failure,
    }
}

/// Returns the keys of a JWK set (RFC 7517 §5), each as JSON, if that is what the bytes are.
pub(crate) fn keys_of_set(bytes: &[u8]) -> Option<Vec<Value>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut set: Value = serde_json::from_slice(bytes).ok()?;
    match set.get_mut("keys")?.take() {
        Value::Array(keys) => Some(keys),
        _ => None,
    }
}

/// Returns the algorithm that a JWK file names. No other file names one.
pub(crate) fn algorithm_of_jwk(bytes: &[u8]) -> Option<Algorithm> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let jwk: Value = serde_json::from_slice(bytes).ok()?;
    Algorithm::named(jwk.get("alg")?.as_str()?)
}

fn key_of(bytes: &[u8], passphrase: Option<Zeroizing<Vec<u8>>>) -> Result<KeyFile, Error> {
    let without_passphrase = Key::read_preferring_ring(bytes, None, None);
    let is_encrypted = without_passphrase.as_ref().is_err_and(needs_passphrase);
    let provider = provider_of_credentials(bytes).ok();
    let certificate = Certificate::read(bytes).ok();
    let file = |found| KeyFile {
        found,
        is_encrypted,
        provider: provider.map(|provider| provider.name),
        certificate: certificate.clone(),
        is_pkcs12: is_pkcs12(bytes),
    };
    // A credential file names its key, and may contain the key's passphrase.
    if let Some((_, key)) = provider.and_then(|_| credentials(bytes).ok()) {
        return Ok(file(found(key)?));
    }
    let key = match passphrase.filter(|_| is_encrypted) {
        Some(passphrase) => Key::read_preferring_ring(bytes, Some(&passphrase), None),
        None => without_passphrase,
    };
    match key {
        Ok(key) => Ok(file(found(key)?)),
        Err(error) => {
            public_key_of(bytes, error).map(|public| file(FoundKey::Public(public.into())))
        }
    }
}

fn found(key: Key) -> Result<FoundKey, Error> {
    match key.public_pem() {
        Some(pem) => {
            let public = PublicKeyOfFile::read(pem.as_bytes())?;
            Ok(FoundKey::Private(key.into(), public.into()))
        }
        None => Ok(FoundKey::Secret(key.into())),
    }
}

/// Reads a public key if `error` says that there is no private one.
fn public_key_of(bytes: &[u8], error: Error) -> Result<PublicKeyOfFile, Error> {
    let message = error.to_string();
    if !PUBLIC_KEYS.iter().any(|start| message.starts_with(start)) {
        return Err(error);
    }
    match keys_of_set(bytes).as_deref() {
        _ if message.starts_with("this is a certificate request") => Err(error),
        Some([key]) => PublicKeyOfFile::from_jwk(&key.to_string()),
        Some(_) => Err(error),
        None if SSH_PUBLIC_KEYS.iter().any(|start| bytes.starts_with(start)) => Err(error),
        None => PublicKeyOfFile::read(bytes),
    }
}

fn needs_passphrase(error: &Error) -> bool {
    error.to_string().contains("a passphrase is needed")
}

/// Returns whether the bytes are a PKCS#12 store.
fn is_pkcs12(bytes: &[u8]) -> bool {
    let is_sequence = bytes.first() == Some(&0x30);
    let start = bytes.get(..9).unwrap_or(bytes);
    is_sequence
        && start
            .windows(PKCS12_VERSION.len())
            .any(|window| window == PKCS12_VERSION)
}
