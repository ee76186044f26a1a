//! Reads the first private key of a PKCS#12 store (RFC 7292).
//!
//! OpenSSL, Windows and Java write the key into a part that is not encrypted as a whole. So the certificates, which old
//! programs encrypt with RC2, are never decrypted.

use hmac::digest::Digest;
use hmac::digest::core_api::BlockSizeUser;
use hmac::{Mac as _, SimpleHmac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::cost::check_rounds;
use super::der::{
    CONTEXT_0, Element, OCTET_STRING, elements, saturating_u64, sequence, split_first,
};
use super::derivation::{MAC_KEY, pkcs12_key, pkcs12_passphrases};
use super::encrypted::{self, WRONG_PASSPHRASE};
use super::material::SecretBytes;
use super::oid;

const EXPORT: &str = "export it with openssl pkcs12 -in FILE -nocerts -nodes -out NEW (an old cipher also needs \
     -legacy)";
const STORE_INCONSISTENT: &str = "the parts of this PKCS#12 store do not belong together";
const STORE_WITHOUT_KEY: &str = "there is no private key in this PKCS#12 store, at least not in a part that is \
    read: export it with openssl pkcs12 -in FILE -nocerts -nodes -out NEW";
const UNKNOWN_MAC: &str = "the MAC of this PKCS#12 store is not HMAC with SHA-1, SHA-256, SHA-384 or \
    SHA-512 and a key as in RFC 7292: export its key with openssl pkcs12 -in FILE -nocerts -nodes \
    -out NEW";

/// `data`, 1.2.840.113549.1.7.1 (RFC 5652 §4).
const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
/// `keyBag` and `pkcs8ShroudedKeyBag` (RFC 7292 §4.2).
const KEY_BAG: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01";
const SHROUDED_KEY_BAG: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02";
/// SHA-1, 1.3.14.3.2.26 (RFC 3279 §2.1).
const SHA_1: &[u8] = b"\x2b\x0e\x03\x02\x1a";

/// Returns the first private key of a `PFX` (RFC 7292 §4), in DER, and whether there are several.
///
/// # Errors
/// A message: the passphrase is wrong or costs too much, there is no key, or its encryption is not supported.
pub(super) fn decrypt_first_key(
    store: &[u8],
    passphrase: &[u8],
) -> Result<(SecretBytes, bool), String> {
    let store = sequence(store).map_err(|_| STORE_INCONSISTENT)?;
    let [_version, contents, mac @ ..] = store.as_slice() else {
        return Err(STORE_INCONSISTENT.into());
    };
    let contents = data(contents).ok_or(STORE_INCONSISTENT)?;
    if let [mac, ..] = mac {
        Mac::read(mac)
            .ok_or(STORE_INCONSISTENT)?
            .verify(contents, passphrase)?;
    }
    let bags = key_bags(contents);
    let (bag, value) = *bags.first().ok_or(STORE_WITHOUT_KEY)?;
    let key = match bag {
        KEY_BAG => value.to_vec().into(),
        _ => encrypted::decrypt(value, passphrase, EXPORT)?,
    };
    Ok((key, bags.len() > 1))
}

/// Returns the type and the value of each bag that has a private key.
fn key_bags(contents: &[u8]) -> Vec<(&[u8], &[u8])> {
    let parts = sequence(contents).unwrap_or_default();
    let parts = parts.iter().filter_map(data);
    let bags = parts.flat_map(|part| sequence(part).unwrap_or_default());
    let keys = bags.filter_map(|bag| match elements(bag.value).ok()?.as_slice() {
        [oid, value, ..] => Some((oid.value, value.value)),
        _ => None,
    });
    keys.filter(|(oid, _)| matches!(*oid, KEY_BAG | SHROUDED_KEY_BAG))
        .collect()
}

/// Returns the octets of a `ContentInfo` of the type `data` (RFC 5652 §3).
fn data<'d>(content_info: &Element<'d>) -> Option<&'d [u8]> {
    match elements(content_info.value).ok()?.as_slice() {
        [oid, content] if oid.value == DATA && content.tag == CONTEXT_0 => {
            let (octets, _) = split_first(content.value).ok()?;
            (octets.tag == OCTET_STRING).then_some(octets.value)
        }
        _ => None,
    }
}

/// `MacData` (RFC 7292 §4): a MAC over everything, whose key is derived from the passphrase.
struct Mac<'d> {
    hash: &'d [u8],
    code: &'d [u8],
    salt: &'d [u8],
    rounds: u64,
}

impl<'d> Mac<'d> {
    fn read(mac: &Element<'d>) -> Option<Self> {
        let mac = elements(mac.value).ok()?;
        let [digest, salt, rounds @ ..] = mac.as_slice() else {
            return None;
        };
        let digest = elements(digest.value).ok()?;
        let [algorithm, code] = digest.as_slice() else {
            return None;
        };
        Some(Self {
            hash: elements(algorithm.value).ok()?.first()?.value,
            code: code.value,
            salt: salt.value,
            rounds: rounds.first().map_or(1, saturating_u64),
        })
    }

    /// # Errors
    /// A message: the passphrase is wrong or costs too much, or the MAC is unknown.
    fn verify(&self, contents: &[u8], passphrase: &[u8]) -> Result<(), String> {
        check_rounds(self.rounds, "the MAC of PKCS#12", EXPORT)?;
        let is_valid = match self.hash {
            SHA_1 => Self::is_valid::<Sha1>,
            oid::SHA_256 => Self::is_valid::<Sha256>,
            oid::SHA_384 => Self::is_valid::<Sha384>,
            oid::SHA_512 => Self::is_valid::<Sha512>,
            _ => return Err(UNKNOWN_MAC.into()),
        };
        match pkcs12_passphrases(passphrase)
            .iter()
            .any(|passphrase| is_valid(self, contents, passphrase))
        {
            true => Ok(()),
            false => Err(WRONG_PASSPHRASE.into()),
        }
    }

    fn is_valid<D: Digest + BlockSizeUser>(&self, contents: &[u8], passphrase: &[u8]) -> bool {
        let length = <D as Digest>::output_size();
        let key = pkcs12_key::<D>(MAC_KEY, passphrase, self.salt, self.rounds, length);
        let mac = SimpleHmac::<D>::new_from_slice(&key);
        mac.is_ok_and(|mac| mac.chain_update(contents).verify_slice(self.code).is_ok())
    }
}
