//! Reads the parts of a private key from DER, or says what the bytes are instead: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017
//! §A.1.2) and SEC 1 (RFC 5915).
//!
//! A missing NULL, bytes after the end and primes that were left out do not change which key it is, so the key is read
//! anyway, and the difference is reported as a repair. Whether the numbers belong to one key is checked when the key is
//! made. What is copied is wiped, and nothing is quoted.

use super::der::{
    BIT_STRING, CONTEXT_0, CONTEXT_1, CONTEXT_2, DerError, Element, IMPLICIT_1, INTEGER, NULL,
    OCTET_STRING, SEQUENCE, elements, sequence, split_first, split_sequence, without_leading_zeros,
};
use super::material::{
    Curve, EcParts, Ed25519Parts, Encrypted, KeyMaterial, KeyParts, MAX_FILE, RsaParts,
};
use super::oid;
use super::refusal;
use crate::signer::Algorithm;

const NO_PRIVATE_KEY: &str = "this is not a private key in PKCS#8, PKCS#1 or SEC 1";
const TRAILING_BYTES: &str = "bytes after the end of the key were ignored";

/// The mask of PSS, 1.2.840.113549.1.1.8 (RFC 4055 §2.2).
const MGF1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";

/// Kinds of keys that cannot sign a JWT here, by object identifier (RFC 3279 §2.3.2, RFC 8410 §3).
const OTHER_KINDS: &[(&[u8], &str)] = &[
    (b"\x2a\x86\x48\xce\x38\x04\x01", refusal::IS_DSA_KEY),
    (
        b"\x2b\x65\x6e",
        "this is an X25519 key, which is for key agreement: JWTs are signed with RSA, EC or \
         Ed25519 keys",
    ),
    (
        b"\x2b\x65\x6f",
        "this is an X448 key, which is for key agreement: JWTs are signed with RSA, EC or Ed25519 \
         keys",
    ),
    (b"\x2b\x65\x71", refusal::IS_ED448_KEY),
];
const OTHER_KIND: &str = "this is a key of another kind: JWTs are signed with RSA, EC or Ed25519 \
    keys";

/// Hashes of PSS (RFC 4055 §2.1), with their length in bytes.
const PSS_HASHES: &[(&[u8], u8, &[Algorithm])] = &[
    (oid::SHA_256, 32, &[Algorithm::Ps256]),
    (oid::SHA_384, 48, &[Algorithm::Ps384]),
    (oid::SHA_512, 64, &[Algorithm::Ps512]),
];
const OTHER_PSS: &str = "this RSA key is restricted to PSS parameters that JWS does not have: it \
    wants SHA-256, -384 or -512 for hash and MGF1, and a salt as long as the hash";

/// Curves by object identifier (RFC 5480 §2.1.1.1). Others are named in an error.
pub(super) const CURVES: &[(&[u8], Result<Curve, &str>)] = &[
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", Ok(Curve::P256)),
    (b"\x2b\x81\x04\x00\x22", Ok(Curve::P384)),
    (b"\x2b\x81\x04\x00\x23", Err(refusal::IS_ON_P521)),
    (b"\x2b\x81\x04\x00\x0a", Err(refusal::IS_ON_SECP256K1)),
    (
        b"\x2b\x81\x04\x00\x21",
        Err("this EC key is on the curve P-224; P-256 and P-384 are supported"),
    ),
];
const EXPLICIT_CURVE: &str = "this EC key writes out its curve: name it with openssl ec -in KEY \
    -param_enc named_curve -out NEW";

/// Messages for files that are neither text nor DER, by their first bytes.
const OTHER_FILES: &[(&[u8], &str)] = &[
    (
        b"\xfe\xed\xfe\xed",
        "this is a Java key store (JKS): convert it with keytool -importkeystore -srckeystore FILE \
         -destkeystore key.p12 -deststoretype PKCS12, then export its key with openssl pkcs12 -in \
             key.p12 -nocerts -nodes -out NEW",
    ),
    (
        b"\xce\xce\xce\xce",
        "this is a Java key store (JCEKS): convert it with keytool -importkeystore -srcstoretype \
         JCEKS -srckeystore FILE -destkeystore key.p12 -deststoretype PKCS12, then export its key \
         with openssl pkcs12 -in key.p12 -nocerts -nodes -out NEW",
    ),
    // Firefox writes PKCS#12 in BER with indefinite lengths; these bytes are the start of that, with the version.
    (b"\x30\x80\x02\x01\x03", refusal::IS_PKCS12_STORE),
    (b"openssh-key-v1\0", refusal::IS_OPENSSH_KEY),
    (
        b"\0\0\0\x07ssh-rsa",
        "this is a key in the format of SSH agents: take the key file, and convert a copy of it \
         with ssh-keygen -p -m PEM -f COPY",
    ),
    (
        b"\x1e\xf1\xb5\xb0",
        "this is a PVK file of Microsoft: convert it with openssl rsa -inform PVK -in FILE -out \
         NEW",
    ),
    (
        b"\x07\x02\0\0\0\xa4\0\0RSA2",
        "this is a key blob of Microsoft: convert it with openssl rsa -inform MSBLOB -in FILE -out \
         NEW",
    ),
    (
        b"\x1f\x8b",
        "this is a gzip file: decompress it with gunzip",
    ),
    (b"PK\x03\x04", "this is a ZIP archive: unpack it with unzip"),
];

/// A private key in DER.
pub(crate) enum ParsedKey<'d> {
    Plain(Box<KeyMaterial>),
    Encrypted(Encrypted<'d>),
}

/// Reads a private key of any structure.
///
/// # Errors
/// A message that says what the bytes are instead.
pub(crate) fn parse(bytes: &[u8]) -> Result<ParsedKey<'_>, &'static str> {
    if bytes.len() > MAX_FILE {
        return Err(refusal::TOO_LONG);
    }
    let (elements, rest) =
        split_sequence(bytes).map_err(|error| name_of_other_file(bytes, error))?;
    let whole = bytes.get(..bytes.len().saturating_sub(rest.len()));
    let whole = whole.unwrap_or(bytes);
    let tags: Vec<_> = elements.iter().map(|element| element.tag).collect();
    let mut material = match (tags.as_slice(), elements.as_slice()) {
        ([INTEGER, SEQUENCE, OCTET_STRING, ..], [_, algorithm, key, others @ ..]) => {
            pkcs8(algorithm, key, others)?
        }
        ([INTEGER, OCTET_STRING, ..], elements) => plain(KeyParts::Ec(sec1(elements, None))),
        ([INTEGER, INTEGER], _) => return Err(refusal::IS_PUBLIC_KEY), // n and e (RFC 8017 §A.1.1)
        ([INTEGER, INTEGER, ..], elements) => pkcs1(elements)?,
        // RFC 7292 §4
        ([INTEGER, SEQUENCE] | [INTEGER, SEQUENCE, SEQUENCE], _) => {
            return Ok(ParsedKey::Encrypted(Encrypted::Pkcs12(whole)));
        }
        ([SEQUENCE, BIT_STRING], _) => return Err(refusal::IS_PUBLIC_KEY), // RFC 5280 §4.1.2.7
        ([SEQUENCE, OCTET_STRING], _) => {
            return Ok(ParsedKey::Encrypted(Encrypted::Pkcs8(whole)));
        }
        ([SEQUENCE, SEQUENCE, ..], [first, ..]) => return Err(certificate_or_request(first)),
        _ => return Err(NO_PRIVATE_KEY),
    };
    if !rest.is_empty() {
        material.repairs.push(TRAILING_BYTES);
    }
    Ok(ParsedKey::Plain(material.into()))
}

fn plain(parts: KeyParts) -> KeyMaterial {
    KeyMaterial {
        parts,
        key_id: None,
        algorithm: None,
        restriction: None,
        repairs: Vec::new(),
    }
}

/// Messages that may be wrong about bytes that are not text.
const VAGUE: [&str; 3] = [NO_PRIVATE_KEY, refusal::RSA_INCONSISTENT, refusal::CUT_OFF];

/// Returns the message for bytes that are not text although PEM was expected.
pub(crate) fn instead_of_pem(bytes: &[u8]) -> &'static str {
    match parse(bytes) {
        Ok(ParsedKey::Encrypted(Encrypted::Pkcs12(_))) => match cfg!(feature = "encrypted-keys") {
            true => "this is a PKCS#12 store, not PEM text",
            false => refusal::IS_PKCS12_STORE,
        },
        Err(name) if !VAGUE.contains(&name) => name,
        _ if bytes.starts_with(&[0x30]) => "this is DER, not PEM text",
        _ => "this is not text",
    }
}

/// Reads algorithm and key of a PKCS#8 structure (RFC 5958 §2), and the public key that version 2 may have.
fn pkcs8(
    algorithm: &Element<'_>,
    key: &Element<'_>,
    others: &[Element<'_>],
) -> Result<KeyMaterial, &'static str> {
    let public = others.iter().find(|element| element.tag == IMPLICIT_1);
    let public = public.copied().and_then(bit_string);
    let algorithm = elements(algorithm.value).map_err(|_| NO_PRIVATE_KEY)?;
    let (kind, parameters) = match algorithm.as_slice() {
        [kind, parameters @ ..] => (kind.value, parameters.first()),
        [] => return Err(NO_PRIVATE_KEY),
    };
    match kind {
        oid::RSA | oid::RSA_PSS => {
            let (elements, rest) =
                split_sequence(key.value).map_err(|_| refusal::RSA_INCONSISTENT)?;
            let mut material = pkcs1(&elements)?;
            match (kind, parameters) {
                (oid::RSA_PSS, parameters) => {
                    material.restriction = Some(pss_algorithms(parameters).ok_or(OTHER_PSS)?);
                }
                // RFC 3279 §2.3.1 requires it, and early versions of the `rsa` crate did not write it.
                (_, None) => (material.repairs).push("the NULL of the algorithm was missing"),
                (_, Some(_)) => {}
            }
            if !rest.is_empty() {
                material.repairs.push(TRAILING_BYTES);
            }
            Ok(material)
        }
        oid::EC => {
            let elements = sequence(key.value).map_err(|_| refusal::EC_INCONSISTENT);
            let parts = elements.and_then(|elements| sec1(&elements, parameters));
            Ok(plain(KeyParts::Ec(parts.map(|parts| EcParts {
                point: parts.point.or(public),
                ..parts
            }))))
        }
        // RFC 8410 §7: an OCTET STRING in the OCTET STRING.
        oid::ED25519 => {
            let seed = match split_first(key.value) {
                Ok((seed, [])) if seed.tag == OCTET_STRING => seed.value,
                _ => &[],
            };
            Ok(plain(KeyParts::Ed25519(Ed25519Parts {
                seed: seed.to_vec().into(),
                public,
            })))
        }
        _ => Err(other_kind(kind)),
    }
}

/// Names a kind of key that cannot sign a JWT here.
fn other_kind(kind: &[u8]) -> &'static str {
    let row = OTHER_KINDS.iter().find(|(other, _)| *other == kind);
    row.map_or(OTHER_KIND, |(_, name)| name)
}

/// Returns the algorithms of RFC 7518 §3.5 that a key restricted to PSS may be used with (RFC 4055 §3.1). Without
/// parameters, the key is not restricted to a hash.
fn pss_algorithms(parameters: Option<&Element<'_>>) -> Option<&'static [Algorithm]> {
    let Some(parameters) = parameters else {
        return Some(Algorithm::PSS);
    };
    let parameters = elements(parameters.value)
        .ok()
        .filter(|_| parameters.tag == SEQUENCE)?;
    // If they are left out, hash and mask are SHA-1, and the salt has at least 20 bytes.
    let field = |tag| parameters.iter().find(|element| element.tag == tag);
    let hash = sequence(field(CONTEXT_0)?.value).ok()?;
    let mask = sequence(field(CONTEXT_1)?.value).ok()?;
    let mask_hash = elements(mask.get(1)?.value).ok()?;
    let (hash, mask_hash) = (hash.first()?.value, mask_hash.first()?.value);
    let (_, length, algorithms) = PSS_HASHES.iter().find(|(other, ..)| *other == hash)?;
    let salt = field(CONTEXT_2)
        .map(|salt| split_first(salt.value))
        .transpose()
        .ok()?;
    let fits = match salt.map(|(salt, _)| without_leading_zeros(salt.value)) {
        None | Some([]) => true,
        Some([salt]) => salt <= length,
        Some(_) => false,
    };
    (mask.first()?.value == MGF1 && mask_hash == hash && fits).then_some(algorithms)
}

/// Reads version, scalar, curve and point of an EC private key (RFC 5915 §3). In PKCS#8 the curve is named outside this
/// structure.
fn sec1(elements: &[Element<'_>], outer: Option<&Element<'_>>) -> Result<EcParts, &'static str> {
    let [version, d, others @ ..] = elements else {
        return Err(refusal::EC_INCONSISTENT);
    };
    if version.value != [1] || d.tag != OCTET_STRING {
        return Err(refusal::EC_INCONSISTENT);
    }
    let explicit = |tag| {
        let element = others.iter().find(|element| element.tag == tag)?;
        split_first(element.value).ok().map(|(inner, _)| inner)
    };
    let names = [outer.copied(), explicit(CONTEXT_0)];
    let mut names = names.into_iter().flatten().filter(|name| name.tag != NULL);
    let name = names.next().ok_or("this EC key does not name its curve")?;
    if names.any(|other| other.value != name.value) {
        return Err(refusal::EC_INCONSISTENT);
    }
    if name.tag == SEQUENCE {
        return Err(EXPLICIT_CURVE);
    }
    let row = CURVES.iter().find(|(curve, _)| *curve == name.value);
    let curve = row.map_or(Err(refusal::IS_ON_OTHER_CURVE), |(_, curve)| *curve)?;
    Ok(EcParts {
        curve,
        d: d.value.to_vec().into(),
        point: explicit(CONTEXT_1).and_then(bit_string),
    })
}

/// Returns the bytes of a BIT STRING, whose first byte is the number of unused bits.
fn bit_string(element: Element<'_>) -> Option<Vec<u8>> {
    element.value.get(1..).map(<[u8]>::to_vec)
}

/// Reads version, n, e, d, and the next five numbers if they are present.
fn pkcs1(elements: &[Element<'_>]) -> Result<KeyMaterial, &'static str> {
    if let [_, _, subgroup, _, _, _] = elements {
        // OpenSSL's format of DSA keys: version, p, q, g and two more numbers; q has 160 bits or more.
        if subgroup.value.len() >= 20 {
            return Err(refusal::IS_DSA_KEY);
        }
    }
    let [version, n, e, d, others @ ..] = elements else {
        return Err(refusal::RSA_INCONSISTENT);
    };
    match version.value {
        [0] => (),
        [1] => return Err(refusal::IS_MULTI_PRIME),
        _ => return Err(refusal::RSA_INCONSISTENT),
    }
    if others.len() > 5 || elements.iter().any(|element| element.tag != INTEGER) {
        return Err(refusal::RSA_INCONSISTENT);
    }
    let [n, e, d] = [n, e, d].map(|number| without_leading_zeros(number.value).to_vec());
    let mut parts = RsaParts {
        n,
        e,
        d: d.into(),
        ..RsaParts::default()
    };
    let others = others
        .iter()
        .map(|number| without_leading_zeros(number.value));
    let others: Vec<_> = others.map(|number| number.to_vec().into()).collect();
    let mut repairs = Vec::new();
    parts.set_factors(others);
    if parts.primes.is_empty() {
        repairs.push("the primes were missing");
    }
    Ok(KeyMaterial {
        repairs,
        ..plain(KeyParts::Rsa(parts))
    })
}

/// Names a certificate or a request by the number of elements in its first part: a request has at most four (RFC 2986
/// §4.1), a certificate six or more (RFC 5280 §4.1).
fn certificate_or_request(first: &Element<'_>) -> &'static str {
    match elements(first.value) {
        Ok(elements) if elements.len() <= 4 => refusal::IS_CERTIFICATE_REQUEST,
        _ => refusal::IS_CERTIFICATE,
    }
}

/// Names what is not DER, by its first bytes and the error of the DER reader.
fn name_of_other_file(bytes: &[u8], error: DerError) -> &'static str {
    let row = OTHER_FILES
        .iter()
        .find(|(first, _)| bytes.starts_with(first));
    match (row, bytes, error) {
        (Some((_, name)), _, _) => name,
        (None, [] | [0x30, ..], DerError::CutOff) => refusal::CUT_OFF,
        // After a power loss, a file system may keep the length of a file but not its content.
        _ if bytes.iter().all(|byte| *byte == 0) => {
            "this is nothing but zero bytes: copy the file again"
        }
        _ => NO_PRIVATE_KEY,
    }
}
