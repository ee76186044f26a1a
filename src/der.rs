//! What a DER is that is no RSA private key, so that the error can say so, and the DER of a public
//! one. No key material is touched.

use rsa::pkcs8::PrivateKeyInfo;
use rsa::pkcs8::der::asn1::{AnyRef, UintRef};
use rsa::pkcs8::der::{Decode as _, Encode as _, Tagged as _};
use rsa::pkcs8::der::{ErrorKind, Reader as _, Result, SliceReader, Tag};

use crate::pem::CUT_OFF;

const NO_KEY: &str = "this is not an RSA private key in PKCS#1 or PKCS#8";
const MISFIT: &str = "the parts of this RSA key do not belong together";
pub(crate) const ENCRYPTED: &str = "this key is encrypted: a passphrase is needed";

/// The algorithm of an RSA key, 1.2.840.113549.1.1.1 with NULL for parameters (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// Rounds of PBKDF2: a second or more. OpenSSL makes 2048, OWASP asks for 600,000.
#[cfg(feature = "encrypted-keys")]
const MAX_ITERATIONS: u32 = 10_000_000;
/// Bytes that scrypt goes through (128 N r p): two seconds or more. OpenSSL makes it 16 MiB; what
/// cannot be allocated ends the process.
#[cfg(feature = "encrypted-keys")]
const MAX_SCRYPT: u64 = 1024 * 1024 * 1024;

/// Whether to open it would take time or memory that no key is worth: the file says how much.
#[cfg(feature = "encrypted-keys")]
pub(crate) fn takes_too_long(sealed: &rsa::pkcs8::EncryptedPrivateKeyInfo<'_>) -> bool {
    use rsa::pkcs8::pkcs5::pbes2::Kdf;
    let scheme = sealed.encryption_algorithm.pbes2();
    match scheme.map(|scheme| &scheme.kdf) {
        Some(Kdf::Pbkdf2(kdf)) => kdf.iteration_count > MAX_ITERATIONS,
        Some(Kdf::Scrypt(kdf)) => {
            let factors = [u64::from(kdf.block_size), u64::from(kdf.parallelization)];
            let all = factors.into_iter().fold(128, u64::saturating_mul);
            all.saturating_mul(kdf.cost_parameter) > MAX_SCRYPT
        }
        _ => false,
    }
}

/// What a DER is that is no RSA private key, by its algorithm or else by its elements.
pub(crate) fn instead_of_rsa(der: &[u8]) -> &'static str {
    if let Ok(info) = PrivateKeyInfo::try_from(der) {
        return match info.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" => match elements(info.private_key).as_deref() {
                Ok([version, ..]) => instead_of_usable_rsa(version),
                _ => MISFIT,
            },
            "1.2.840.113549.1.1.10" => "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
            "1.2.840.10045.2.1" => "this is an EC key; RS256 needs RSA",
            "1.3.101.112" => "this is an Ed25519 key; RS256 needs RSA",
            _ => "this is a key of another kind; RS256 needs RSA",
        };
    }
    let elements = match elements(der) {
        Ok(elements) => elements,
        Err(error) if is_cut_off(der, error.kind()) => return CUT_OFF,
        Err(_) => return NO_KEY,
    };
    let tags: Vec<_> = elements.iter().map(|element| element.tag()).collect();
    match tags.as_slice() {
        [Tag::Integer, Tag::OctetString, ..] => "this is an EC key; RS256 needs RSA",
        [Tag::Integer, Tag::Integer] => "this is a public key", // PKCS#1: n and e
        [Tag::Integer, Tag::Integer, ..] => elements.first().map_or(MISFIT, instead_of_usable_rsa),
        [Tag::Integer, Tag::Sequence] | [Tag::Integer, Tag::Sequence, Tag::Sequence] => {
            "this is a PKCS#12 store: export its key with openssl pkcs12 -nocerts -nodes"
        }
        [Tag::Sequence, Tag::BitString] => "this is a public key",
        [Tag::Sequence, Tag::OctetString] => ENCRYPTED,
        [Tag::Sequence, Tag::Sequence, ..] => certificate_or_request(&elements),
        _ => NO_KEY,
    }
}

/// An RSA public key as others hash it, a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7), by modulus and
/// exponent. `rsa` writes the same, with twice the code in a program.
pub(crate) fn public_key(n: &[u8], e: &[u8]) -> Result<Vec<u8>> {
    let integer = |number| UintRef::new(number)?.to_der();
    let written = |tag, value: &[u8]| AnyRef::new(tag, value)?.to_der();
    let key = written(Tag::Sequence, &[integer(n)?, integer(e)?].concat())?;
    let bits = written(Tag::BitString, &[&[0], &*key].concat())?; // no bit is unused
    written(Tag::Sequence, &[RSA_ENCRYPTION, &bits].concat())
}

/// By its version: 1 has primes beyond p and q (RFC 8017 §A.1.2).
fn instead_of_usable_rsa(version: &AnyRef<'_>) -> &'static str {
    match version.value() {
        [1] => "this RSA key has more than two primes; keys of two are taken",
        _ => MISFIT,
    }
}

/// A request's first part has up to four elements (RFC 2986 §4.1), a certificate's six or more
/// (RFC 5280 §4.1).
fn certificate_or_request(elements: &[AnyRef<'_>]) -> &'static str {
    let part = elements.first().map(|part| values(part.value()));
    match part {
        Some(Ok(part)) if part.len() <= 4 => "this is a certificate request",
        _ => "this is a certificate",
    }
}

fn is_cut_off(der: &[u8], kind: ErrorKind) -> bool {
    matches!(der, [] | [0x30, ..]) && matches!(kind, ErrorKind::Incomplete { .. })
}

/// The elements of a SEQUENCE.
fn elements(der: &[u8]) -> Result<Vec<AnyRef<'_>>> {
    values(AnyRef::from_der(der)?.value())
}

fn values(bytes: &[u8]) -> Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(bytes)?;
    let mut values = Vec::new();
    while !reader.is_finished() {
        values.push(reader.decode()?);
    }
    Ok(values)
}
