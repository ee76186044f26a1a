//! DER to the numbers of an RSA private key, or to the name of what the bytes are instead.
//!
//! A missing NULL, bytes after the end and primes that were left out do not change which key it is,
//! so such a key is read and the difference reported as a repair. Whether the numbers are those of
//! a key is checked where the key is made. Nothing here copies or quotes key material.

use rsa::pkcs8::der::asn1::AnyRef;
use rsa::pkcs8::der::{Decode as _, ErrorKind, Reader as _, Result};
use rsa::pkcs8::der::{SliceReader, Tag, Tagged as _};

use crate::pem::{CUT_OFF, EC_KEY, OPENSSH_KEY, PUBLIC_KEY, TOO_LONG};

/// The longest DER that is read, in bytes. A key has 5 thousand at most; a PKCS#12 store that is to
/// be named has more.
const MAX_DER: usize = 1024 * 1024;

const NO_KEY: &str = "this is not an RSA private key in PKCS#1 or PKCS#8";
pub(crate) const MISFIT: &str = "the parts of this RSA key do not belong together";
pub(crate) const ENCRYPTED: &str = "this key is encrypted: a passphrase is needed";
const DSA_KEY: &str = "this is a DSA key; RS256 needs RSA";
const PKCS12: &str = "this is a PKCS#12 store: export its key with openssl pkcs12 -nocerts -nodes \
    (an old store also needs -legacy)";
const TRAILING_BYTES: &str = "bytes after the end of the key were ignored";

/// The algorithm of an RSA key, 1.2.840.113549.1.1.1 with NULL for parameters (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The object identifier in it.
const RSA_OID: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// Messages for keys of other algorithms, by object identifier (RFC 4055 §1.2, RFC 5480 §2.1.1,
/// RFC 8410 §3, RFC 3279 §2.3.2).
const OTHER_ALGORITHMS: &[(&[u8], &str)] = &[
    (
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
        "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
    ),
    (b"\x2a\x86\x48\xce\x3d\x02\x01", EC_KEY),
    (b"\x2b\x65\x70", "this is an Ed25519 key; RS256 needs RSA"),
    (b"\x2a\x86\x48\xce\x38\x04\x01", DSA_KEY),
];

/// Messages for files that are neither text nor DER, by their first bytes.
const OTHER_FILES: &[(&[u8], &str)] = &[
    (
        b"\xfe\xed\xfe\xed",
        "this is a Java key store (JKS): convert it with keytool -importkeystore -srckeystore FILE \
         -destkeystore key.p12 -deststoretype PKCS12, then export its key with openssl pkcs12 -in \
         key.p12 -nocerts -nodes",
    ),
    (
        b"\xce\xce\xce\xce",
        "this is a Java key store (JCEKS): convert it with keytool -importkeystore -srcstoretype \
         JCEKS -srckeystore FILE -destkeystore key.p12 -deststoretype PKCS12, then export its key \
         with openssl pkcs12 -in key.p12 -nocerts -nodes",
    ),
    // Firefox writes PKCS#12 in BER with indefinite lengths; this is its version.
    (b"\x30\x80\x02\x01\x03", PKCS12),
    (b"openssh-key-v1\0", OPENSSH_KEY),
    (
        b"\0\0\0\x07ssh-rsa",
        "this is a key in the format of SSH agents: take the key file, converted with ssh-keygen -p \
         -m PEM",
    ),
    (
        b"\x1e\xf1\xb5\xb0",
        "this is a PVK file of Microsoft: convert it with openssl rsa -inform PVK",
    ),
    (
        b"\x07\x02\0\0\0\xa4\0\0RSA2",
        "this is a key blob of Microsoft: convert it with openssl rsa -inform MSBLOB",
    ),
    (
        b"\x1f\x8b",
        "this is a gzip file: decompress it with gunzip",
    ),
    (b"PK\x03\x04", "this is a ZIP archive: unpack it with unzip"),
];

/// A private key in DER.
pub(crate) enum PrivateKey<'d> {
    Rsa(RsaNumbers<'d>),
    /// The bytes of an `EncryptedPrivateKeyInfo` (RFC 5958 §3).
    #[cfg_attr(not(feature = "encrypted-keys"), expect(dead_code))]
    Encrypted(&'d [u8]),
}

/// The numbers of an RSA private key (RFC 8017 §A.1.2), big-endian without leading zeros.
pub(crate) struct RsaNumbers<'d> {
    pub(crate) n: &'d [u8],
    pub(crate) e: &'d [u8],
    pub(crate) d: &'d [u8],
    /// Two numbers, or none where they were left out.
    pub(crate) primes: Vec<&'d [u8]>,
    pub(crate) repairs: Vec<&'static str>,
}

/// Reads a private key in PKCS#1 (RFC 8017 §A.1.2) or PKCS#8 (RFC 5958 §2).
///
/// # Errors
/// A message that names what the bytes are instead.
pub(crate) fn private_key(bytes: &[u8]) -> std::result::Result<PrivateKey<'_>, &'static str> {
    if bytes.len() > MAX_DER {
        return Err(TOO_LONG);
    }
    let split = split_first(bytes).and_then(|(der, rest)| Ok((der, elements(der)?, rest)));
    let (der, elements, rest) = split.map_err(|error| name_of_other_file(bytes, error.kind()))?;
    let tags: Vec<_> = elements.iter().map(|element| element.tag()).collect();
    let mut numbers = match (tags.as_slice(), elements.as_slice()) {
        ([Tag::Integer, Tag::Sequence, Tag::OctetString, ..], [_, algorithm, key, ..]) => {
            pkcs8(algorithm, key)?
        }
        ([Tag::Integer, Tag::OctetString, ..], _) => return Err(EC_KEY), // RFC 5915 §3
        ([Tag::Integer, Tag::Integer], _) => return Err(PUBLIC_KEY), // n and e (RFC 8017 §A.1.1)
        ([Tag::Integer, Tag::Integer, ..], elements) => pkcs1(elements)?,
        // RFC 7292 §4
        ([Tag::Integer, Tag::Sequence] | [Tag::Integer, Tag::Sequence, Tag::Sequence], _) => {
            return Err(PKCS12);
        }
        ([Tag::Sequence, Tag::BitString], _) => return Err(PUBLIC_KEY), // RFC 5280 §4.1.2.7
        ([Tag::Sequence, Tag::OctetString], _) => return Ok(PrivateKey::Encrypted(der)),
        ([Tag::Sequence, Tag::Sequence, ..], [first, ..]) => {
            return Err(certificate_or_request(first));
        }
        _ => return Err(NO_KEY),
    };
    if !rest.is_empty() {
        numbers.repairs.push(TRAILING_BYTES);
    }
    Ok(PrivateKey::Rsa(numbers))
}

/// Returns the message for bytes that are not text where PEM was expected.
pub(crate) fn instead_of_pem(bytes: &[u8]) -> &'static str {
    match private_key(bytes) {
        Err(name) if ![NO_KEY, MISFIT, CUT_OFF].contains(&name) => name,
        _ if bytes.starts_with(&[0x30]) => "this is DER, not PEM text",
        _ => "this is not text",
    }
}

/// Reads algorithm and key of a PKCS#8 structure.
fn pkcs8<'d>(
    algorithm: &AnyRef<'d>,
    key: &AnyRef<'d>,
) -> std::result::Result<RsaNumbers<'d>, &'static str> {
    let algorithm = values(algorithm.value()).map_err(|_| NO_KEY)?;
    let oid = algorithm.first().map_or(&[][..], |oid| oid.value());
    if oid != RSA_OID {
        let row = OTHER_ALGORITHMS.iter().find(|(other, _)| *other == oid);
        return Err(
            row.map_or("this is a key of another kind; RS256 needs RSA", |row| {
                row.1
            }),
        );
    }
    let split = split_first(key.value()).and_then(|(der, rest)| Ok((elements(der)?, rest)));
    let (elements, rest) = split.map_err(|_| MISFIT)?;
    let mut numbers = pkcs1(&elements)?;
    if algorithm.len() < 2 {
        // RFC 3279 §2.3.1 requires it, and early versions of the `rsa` crate did not write it.
        numbers
            .repairs
            .push("the NULL of the algorithm was missing");
    }
    if !rest.is_empty() {
        numbers.repairs.push(TRAILING_BYTES);
    }
    Ok(numbers)
}

/// Reads version, n, e, d, and p and q if they are there. The numbers after them, which speed up a
/// signature, are not read: they follow from these.
fn pkcs1<'d>(elements: &[AnyRef<'d>]) -> std::result::Result<RsaNumbers<'d>, &'static str> {
    if let [_, _, subgroup, _, _, _] = elements {
        // OpenSSL's format of DSA keys: version, p, q, g and two more, q with 160 bits or more.
        if subgroup.value().len() >= 20 {
            return Err(DSA_KEY);
        }
    }
    let [version, n, e, d, others @ ..] = elements else {
        return Err(MISFIT);
    };
    match version.value() {
        [0] => (),
        [1] => return Err("this RSA key has more than two primes; keys of two are taken"),
        _ => return Err(MISFIT),
    }
    if others.len() > 5 || elements.iter().any(|element| element.tag() != Tag::Integer) {
        return Err(MISFIT);
    }
    let mut primes: Vec<_> = others.iter().take(2).map(without_leading_zeros).collect();
    let mut repairs = Vec::new();
    if primes.len() < 2 || primes.iter().any(|prime| prime.is_empty()) {
        primes.clear();
        repairs.push("the primes were missing");
    }
    let [n, e, d] = [n, e, d].map(without_leading_zeros);
    Ok(RsaNumbers {
        n,
        e,
        d,
        primes,
        repairs,
    })
}

fn without_leading_zeros<'d>(number: &AnyRef<'d>) -> &'d [u8] {
    let value = number.value();
    let zeros = value.iter().take_while(|byte| **byte == 0).count();
    value.get(zeros..).unwrap_or_default()
}

/// The most rounds of PBKDF2 that are computed, since the file chooses their number. They take
/// about a second. OpenSSL writes 2048, and OWASP recommends 600,000.
#[cfg(feature = "encrypted-keys")]
const MAX_ROUNDS: u64 = 2_000_000;
/// The most bytes that scrypt works through, 128 N r p (RFC 7914 §2). It never needs more memory
/// than that, and a failed allocation ends the process. OpenSSL writes 16 MiB.
#[cfg(feature = "encrypted-keys")]
const MAX_SCRYPT: u64 = 64 * MIB;
#[cfg(feature = "encrypted-keys")]
const MIB: u64 = 1024 * 1024;

/// PBKDF2, 1.2.840.113549.1.5.12 (RFC 8018 §A.2).
#[cfg(feature = "encrypted-keys")]
const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
/// scrypt, 1.3.6.1.4.1.11591.4.11 (RFC 7914 §7).
#[cfg(feature = "encrypted-keys")]
const SCRYPT: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";

/// Checks what it costs to derive the encryption key of an `EncryptedPrivateKeyInfo` from its
/// passphrase.
///
/// # Errors
/// A message with the cost, the limit and the command that writes a cheaper file.
#[cfg(feature = "encrypted-keys")]
pub(crate) fn check_passphrase_cost(encrypted: &[u8]) -> std::result::Result<(), String> {
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
#[cfg(feature = "encrypted-keys")]
fn key_derivation(encrypted: &[u8]) -> Option<(&[u8], Vec<AnyRef<'_>>)> {
    let encryption = *elements(encrypted).ok()?.first()?;
    let scheme = *values(encryption.value()).ok()?.get(1)?;
    let derivation = *values(scheme.value()).ok()?.first()?;
    let derivation = values(derivation.value()).ok()?;
    let [function, parameters, ..] = derivation.as_slice() else {
        return None;
    };
    Some((function.value(), values(parameters.value()).ok()?))
}

/// Returns an INTEGER that is not negative, or the largest number where it has more bits.
#[cfg(feature = "encrypted-keys")]
fn number(integer: &AnyRef<'_>) -> u64 {
    let digits = without_leading_zeros(integer);
    let mut bytes = [0; 8];
    if digits.len() > bytes.len() {
        return u64::MAX;
    }
    for (byte, digit) in bytes.iter_mut().rev().zip(digits.iter().rev()) {
        *byte = *digit;
    }
    u64::from_be_bytes(bytes)
}

/// Returns an RSA public key as a `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7).
///
/// `rsa` writes the same bytes, adds twice the code to a program, and says that it may fail.
pub(crate) fn public_key(n: &[u8], e: &[u8]) -> Vec<u8> {
    let key = encoded(SEQUENCE, &[unsigned(n), unsigned(e)].concat());
    let bits = encoded(BIT_STRING, &[&[0], &*key].concat()); // 0 bits of the last byte are unused
    encoded(SEQUENCE, &[RSA_ENCRYPTION, &bits].concat())
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// Encodes a number without leading zeros. A zero in front keeps it from being negative.
fn unsigned(number: &[u8]) -> Vec<u8> {
    match number {
        [0x80..=0xff, ..] => encoded(INTEGER, &[&[0], number].concat()),
        _ => encoded(INTEGER, number),
    }
}

/// Encodes tag, length and value (X.690 §8.1).
fn encoded(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let long = match length {
        [] => 0, // an empty value
        [0..=0x7f] => return [&[tag], length, value].concat(),
        _ => 0x80 | u8::try_from(length.len()).unwrap_or_default(),
    };
    [&[tag, long], length, value].concat()
}

/// Names a certificate or a request by the number of elements in its first part: a request has four
/// at most (RFC 2986 §4.1), a certificate six or more (RFC 5280 §4.1).
fn certificate_or_request(first: &AnyRef<'_>) -> &'static str {
    match values(first.value()) {
        Ok(elements) if elements.len() <= 4 => "this is a certificate request",
        _ => "this is a certificate",
    }
}

/// Names what is no DER, by its first bytes and the error of the DER reader.
fn name_of_other_file(bytes: &[u8], error: ErrorKind) -> &'static str {
    let row = OTHER_FILES
        .iter()
        .find(|(first, _)| bytes.starts_with(first));
    match (row, bytes, error) {
        (Some((_, name)), _, _) => name,
        (None, [] | [0x30, ..], ErrorKind::Incomplete { .. }) => CUT_OFF,
        // A file system that lost power keeps the length of a file and not its content.
        _ if bytes.iter().all(|byte| *byte == 0) => {
            "this is nothing but zero bytes: copy the file again"
        }
        _ => NO_KEY,
    }
}

/// Splits the first element from the bytes after it.
fn split_first(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(bytes)?;
    let der = reader.tlv_bytes()?;
    Ok((der, bytes.get(der.len()..).unwrap_or_default()))
}

/// Returns the elements of a SEQUENCE.
fn elements(der: &[u8]) -> Result<Vec<AnyRef<'_>>> {
    let sequence = AnyRef::from_der(der)?;
    sequence.tag().assert_eq(Tag::Sequence)?;
    values(sequence.value())
}

fn values(bytes: &[u8]) -> Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(bytes)?;
    let mut values = Vec::new();
    while !reader.is_finished() {
        values.push(reader.decode()?);
    }
    Ok(values)
}
