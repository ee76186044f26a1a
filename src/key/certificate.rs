//! The certificate of a key, as header members name it (RFC 7515 §4.1.6 to §4.1.8).
//!
//! These members are hashes of the certificate's bytes, or the bytes themselves, so nothing in it is interpreted:
//! neither names, nor times, nor signatures. The authorization server does that.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::der::{
    BIT_STRING, CONTEXT_0, Element, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, elements, encode,
    sequence, split_sequence,
};
use super::encoding::{decode_either_base64, decode_utf16};
use super::hash::sha256;
use super::material::{MAX_FILE, SecretBytes};
use super::oid;
use super::pem;
use super::public_key::RSA_ALGORITHM_ID;
use super::refusal;
use crate::error::Error;
use crate::signer::Signer;

/// Labels of certificates in PEM (RFC 7468 §5.1). The last two are OpenSSL's.
pub(super) const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

const NO_CERTIFICATE: &str = "this is not a certificate in PEM or DER";
const TOO_LONG_FOR_CERTIFICATE: &str = "this is too long for a certificate";
const NO_BLOCK: &str = "there is no certificate in this PEM";
const DAMAGED_PEM: &str = "this PEM is cut off or damaged";
const IN_PKCS7_PEM: &str = "this is a PKCS#7 file: export its certificates with openssl pkcs7 -print_certs -in FILE -out \
     NEW";
const IN_PKCS12: &str = "this is a PKCS#12 store: export its certificate with openssl pkcs12 -in FILE \
    -nokeys -clcerts -out NEW (an old store also needs -legacy)";
const IN_PKCS7: &str = "this is a PKCS#7 file: export its certificates with openssl pkcs7 -inform DER -print_certs \
     -in FILE -out NEW";

/// The certificate of a key, for servers that find the key by it: Entra, Oracle, Maskinporten, SWIFT.
///
/// ```
/// use jwt_bearer::{Certificate, Profile};
///
/// fn with_certificate(profile: Profile, certificate: &Certificate) -> Profile {
///     profile.with_header("x5t#S256", certificate.x5t_s256())
/// }
/// ```
///
/// Check with [`is_of`](Self::is_of) that it belongs to the key that signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// The certificates that follow it in the file.
    issuers: Vec<Vec<u8>>,
}

impl Certificate {
    /// Reads a certificate in PEM or DER.
    ///
    /// In a PEM it is the first block `CERTIFICATE`, even if there is a private key too. The blocks after it are kept
    /// for [`x5c`](Self::x5c).
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): there is no certificate. The message says what there is instead, and quotes
    /// nothing from it.
    pub fn read(bytes: impl AsRef<[u8]>) -> Result<Self, Error> {
        let bytes = bytes.as_ref();
        if bytes.len() > MAX_FILE {
            return Err(Error::key(TOO_LONG_FOR_CERTIFICATE));
        }
        let files = match certificates_in_pem(bytes) {
            Some(files) => files.map_err(Error::key)?,
            // Only the body of a PEM, or DER.
            None => vec![decode_either_base64(bytes).unwrap_or_else(|| bytes.to_vec().into())],
        };
        let mut files = files
            .iter()
            .map(|file| certificate(file).map(<[u8]>::to_vec));
        let first = files.next().unwrap_or(Err(NO_CERTIFICATE));
        Ok(Self {
            der: first.map_err(Error::key)?,
            issuers: files.collect::<Result<_, _>>().map_err(Error::key)?,
        })
    }

    /// Returns the value of `x5t#S256`: the SHA-256 hash of the certificate, in base64url (RFC 7515 §4.1.8).
    pub fn x5t_s256(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(&self.der))
    }
    /// Returns the value of `x5t`: the SHA-1 hash of the certificate, in base64url (RFC 7515 §4.1.7).
    ///
    /// Prefer [`x5t_s256`](Self::x5t_s256) if the server accepts it. The hash is computed by `ring`.
    #[cfg(feature = "ring")]
    pub fn x5t(&self) -> String {
        use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
        URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der))
    }
    /// Returns the value of `x5c`: the certificates in base64, in the order of the file (RFC 7515 §4.1.6).
    ///
    /// The RFC requires this order: the certificate of the key, then the one that certifies it, and so on.
    pub fn x5c(&self) -> Vec<String> {
        let all = [&self.der].into_iter().chain(&self.issuers);
        all.map(|der| STANDARD.encode(der)).collect()
    }

    /// Returns whether this certificate belongs to the key that signs, by the signer's [identity](Signer::identity).
    ///
    /// It is `false` for a shared secret, and for your own signer if its identity is not the SHA-256 hash of its public
    /// key in DER (`SubjectPublicKeyInfo`).
    pub fn is_of<S: Signer + ?Sized>(&self, signer: &S) -> bool {
        let found = public_key(&self.der).map(|key| sha256(&key));
        found.is_some() && signer.identity() == found
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("x5t#S256", &self.x5t_s256())
            .field("issuers", &self.issuers.len())
            .finish()
    }
}

/// Decodes the certificates among the blocks of a PEM, or returns `None` if there is no block.
///
/// A private key may be in the text, so its copies are wiped.
fn certificates_in_pem(bytes: &[u8]) -> Option<Result<Vec<SecretBytes>, &'static str>> {
    let text = decode_utf16(bytes).unwrap_or_else(|| pem::without_invalid_utf8(bytes));
    let (mut found, mut message) = (Vec::new(), NO_BLOCK);
    for block in pem::blocks(&text) {
        let Ok(block) = block else {
            return Some(Err(DAMAGED_PEM));
        };
        match block.label().as_str() {
            label if LABELS.contains(&label) => match pem::decode_body(block.body) {
                Ok(der) => found.push(der),
                Err(_) => return Some(Err(DAMAGED_PEM)),
            },
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                message = refusal::IS_CERTIFICATE_REQUEST
            }
            "PKCS7" => message = IN_PKCS7_PEM,
            _ => {}
        }
    }
    match (found.is_empty(), text.contains(pem::BEGIN)) {
        (false, _) => Some(Ok(found)),
        (true, true) => Some(Err(message)),
        (true, false) => None,
    }
}

/// Returns the bytes of a certificate (RFC 5280 §4.1), without any that follow it.
///
/// # Errors
/// The message that says what the bytes are instead.
fn certificate(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let (parts, rest) = split_sequence(bytes).map_err(|_| NO_CERTIFICATE)?;
    let tags: Vec<_> = parts.iter().map(|element| element.tag).collect();
    let length = bytes.len().saturating_sub(rest.len());
    let whole = bytes.get(..length).unwrap_or(bytes);
    match tags.as_slice() {
        [SEQUENCE, SEQUENCE, BIT_STRING] if public_key(whole).is_some() => Ok(whole),
        // A request has no issuer and no times (RFC 2986 §4.1).
        [SEQUENCE, SEQUENCE, BIT_STRING] => Err(refusal::IS_CERTIFICATE_REQUEST),
        // RFC 7292 §4 and RFC 2315 §7.
        [INTEGER, SEQUENCE] | [INTEGER, SEQUENCE, SEQUENCE] => Err(IN_PKCS12),
        [OBJECT_IDENTIFIER, CONTEXT_0] => Err(IN_PKCS7),
        _ => Err(NO_CERTIFICATE),
    }
}

/// Returns the public key of a certificate, as it is written there (`SubjectPublicKeyInfo`).
#[cfg(feature = "cli")]
pub(super) fn public_key_info(bytes: &[u8]) -> Option<Vec<u8>> {
    let KeyInfo {
        algorithm, bits, ..
    } = key_info(certificate(bytes).ok()?)?;
    let algorithm = encode(SEQUENCE, algorithm.value);
    let bits = encode(BIT_STRING, bits.value);
    Some(encode(SEQUENCE, &[algorithm, bits].concat()))
}

/// Returns the public key of a certificate, as keys of this crate write theirs.
fn public_key(certificate: &[u8]) -> Option<Vec<u8>> {
    let info = key_info(certificate)?;
    let algorithm = match info.oid.value {
        oid::RSA | oid::RSA_PSS => RSA_ALGORITHM_ID.to_vec(), // a key restricted to PSS is the same key
        _ => encode(SEQUENCE, info.algorithm.value),
    };
    let bits = encode(BIT_STRING, info.bits.value);
    Some(encode(SEQUENCE, &[algorithm, bits].concat()))
}

/// The parts of a public key (RFC 5280 §4.1.2.7).
struct KeyInfo<'d> {
    algorithm: Element<'d>,
    oid: Element<'d>,
    bits: Element<'d>,
}

/// Returns the public key of a certificate.
///
/// It is the sixth element of the first part, or the seventh if there is a version before it (RFC 5280 §4.1).
fn key_info(certificate: &[u8]) -> Option<KeyInfo<'_>> {
    let parts = sequence(certificate).ok()?;
    let parts = elements(parts.first()?.value).ok()?;
    let index = match parts.first()?.tag {
        CONTEXT_0 => 6,
        _ => 5,
    };
    let key = elements(parts.get(index)?.value).ok()?;
    let [algorithm, bits] = key.as_slice() else {
        return None;
    };
    let oid = *elements(algorithm.value).ok()?.first()?;
    // In a list of revoked certificates (RFC 5280 §5.1) something else is here.
    let tags = [algorithm.tag, oid.tag, bits.tag];
    (tags == [SEQUENCE, OBJECT_IDENTIFIER, BIT_STRING]).then_some(KeyInfo {
        algorithm: *algorithm,
        oid,
        bits: *bits,
    })
}
