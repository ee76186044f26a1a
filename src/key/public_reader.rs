//! Reads a public key from its bytes or from a certificate, for the command line.
//!
//! Private keys have their own reader, which returns the public key too.

use std::slice;

use super::certificate;
use super::der::{BIT_STRING, INTEGER, bit_length, elements, sequence, without_leading_zeros};
use super::encoding::{decode_either_base64, decode_utf16};
use super::jwk::{self, Jwk};
use super::material::Curve;
use super::oid;
use super::pem;
use super::private_key::CURVES;
use super::public_key::{PublicKey, UNCOMPRESSED};
use crate::error::Error;
use crate::signer::Algorithm;

const NO_PUBLIC_KEY: &str = "this is not a public key in PEM, DER or JWK, and not a certificate";
const DAMAGED: &str = "this public key is cut off or damaged";
const COMPRESSED: &str = "this EC public key is compressed: write it in full with openssl ec -pubin -in FILE \
     -conv_form uncompressed -pubout -out NEW";
const KEY_OPS_LACK_VERIFY: &str = "this JWK is not for signatures: its key_ops lack verify";
const OTHER_KIND: &str =
    "this public key is of another kind than RSA, EC on P-256 or P-384, and Ed25519";

/// A public key that was read from a file.
pub struct PublicKeyOfFile {
    key: PublicKey,
    algorithms: &'static [Algorithm],
    /// The `kid` and the `alg` of a JWK.
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
}

impl PublicKeyOfFile {
    /// Reads a public key from PEM, DER, a JWK or a certificate.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): there is no public key, or its kind signs no assertion here.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let text = decode_utf16(bytes).unwrap_or_else(|| pem::without_invalid_utf8(bytes));
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if trimmed.starts_with('{') {
            return Self::from_jwk(trimmed);
        }
        let der = match pem_body(&text) {
            Some(der) => der?,
            None => decode_either_base64(bytes).map_or_else(|| bytes.to_vec(), |der| der.to_vec()),
        };
        match certificate::public_key_info(&der) {
            Some(info) => from_info(&info),
            None => from_der(&der),
        }
        .map_err(Error::key)
    }

    /// Reads a JWK (RFC 7517 §4).
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        let jwk = Jwk::parse(json)?;
        // A private key may be for signing only, and its public key verifies what it signs.
        jwk.check_operation(&["verify", "sign"], KEY_OPS_LACK_VERIFY)
            .map_err(Error::key)?;
        let kty = jwk
            .text("kty")
            .ok_or_else(|| Error::key(jwk::JSON_WITHOUT_KEY))?;
        let crv = jwk.text("crv").unwrap_or_default();
        let key = match kty.as_str() {
            "RSA" => rsa(&jwk.number("n")?, &jwk.number("e")?),
            "EC" => {
                let curve = jwk::ec_curve(&crv).map_err(Error::key)?;
                let [x, y] = ["x", "y"].map(|name| jwk.coordinate(name, curve));
                let (x, y) = (x?, y?);
                PublicKey::Ec { curve, x, y }
            }
            "OKP" => {
                jwk::okp_curve(&crv).map_err(Error::key)?;
                let x = jwk.bytes("x")?.to_vec();
                PublicKey::Ed25519 { x }
            }
            "oct" => return Err(Error::key("this JWK is the secret of an HMAC")),
            _ => return Err(Error::key(jwk::OTHER_KTY)),
        };
        Ok(Self {
            key_id: jwk.key_id()?,
            algorithm: jwk.algorithm().map_err(Error::key)?,
            ..new(key)
        })
    }

    /// Returns the kind of the key, and its size or curve.
    pub fn kind(&self) -> String {
        match &self.key {
            PublicKey::Rsa { n, .. } => format!("RSA, {} bits", bit_length(n)),
            PublicKey::Ec { curve, .. } => format!("EC, {}", curve.name()),
            PublicKey::Ed25519 { .. } => "Ed25519".to_owned(),
        }
    }
    /// Returns the bits of an RSA key.
    pub fn rsa_bits(&self) -> Option<usize> {
        match &self.key {
            PublicKey::Rsa { n, .. } => Some(bit_length(n)),
            _ => None,
        }
    }
    /// Returns the algorithms that the key verifies, the usual one first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        self.algorithms
    }
    /// Returns the `alg` of a JWK.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }
    /// Returns the `kid` of a JWK.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
    /// Returns the key in PEM.
    pub fn pem(&self) -> String {
        self.key.pem()
    }
    /// Returns the key as a JWK. Its `kid` is the thumbprint if `key_id` is `None`.
    pub fn jwk(&self, algorithm: Algorithm, key_id: Option<&str>) -> String {
        self.key.jwk(algorithm, key_id)
    }
    /// Returns the thumbprint (RFC 7638) with SHA-256, in base64url.
    pub fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }
    /// Returns the SHA-256 hash of the key in DER (`SubjectPublicKeyInfo`).
    pub fn sha256(&self) -> [u8; 32] {
        self.key.identity()
    }
}

fn new(key: PublicKey) -> PublicKeyOfFile {
    PublicKeyOfFile {
        algorithms: algorithms(&key),
        key,
        key_id: None,
        algorithm: None,
    }
}

fn algorithms(key: &PublicKey) -> &'static [Algorithm] {
    match key {
        PublicKey::Rsa { .. } => Algorithm::RSA,
        PublicKey::Ec { curve, .. } => slice::from_ref(curve.algorithm()),
        PublicKey::Ed25519 { .. } => &[Algorithm::EdDsa],
    }
}

/// Returns the DER of the first public key or certificate among the blocks of a PEM.
fn pem_body(text: &str) -> Option<Result<Vec<u8>, Error>> {
    let mut has_block = false;
    for block in pem::blocks(text) {
        let Ok(block) = block else {
            return Some(Err(Error::key(DAMAGED)));
        };
        has_block = true;
        let label = block.label();
        let is_key = matches!(label.as_str(), "PUBLIC KEY" | "RSA PUBLIC KEY");
        if is_key || certificate::LABELS.contains(&label.as_str()) {
            let der = pem::decode_body(block.body).map(|der| der.to_vec());
            return Some(der.map_err(|_| Error::key(DAMAGED)));
        }
    }
    has_block.then(|| Err(Error::key(NO_PUBLIC_KEY)))
}

/// Reads a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7), or the numbers of an RSA key (RFC 8017 §A.1.1).
fn from_der(der: &[u8]) -> Result<PublicKeyOfFile, &'static str> {
    let parts = sequence(der).map_err(|_| NO_PUBLIC_KEY)?;
    match parts.as_slice() {
        [n, e] if n.tag == INTEGER && e.tag == INTEGER => Ok(new(rsa(n.value, e.value))),
        [_, bits] if bits.tag == BIT_STRING => from_info(der),
        _ => Err(NO_PUBLIC_KEY),
    }
}

fn from_info(info: &[u8]) -> Result<PublicKeyOfFile, &'static str> {
    let parts = sequence(info).map_err(|_| DAMAGED)?;
    let [algorithm, bits] = parts.as_slice() else {
        return Err(DAMAGED);
    };
    let key = bits.value.get(1..).ok_or(DAMAGED)?; // the first byte counts the unused bits
    let algorithm = elements(algorithm.value).map_err(|_| DAMAGED)?;
    let kind = algorithm.first().ok_or(DAMAGED)?.value;
    match kind {
        oid::RSA | oid::RSA_PSS => {
            let numbers = sequence(key).map_err(|_| DAMAGED)?;
            let [n, e] = numbers.as_slice() else {
                return Err(DAMAGED);
            };
            let mut key = new(rsa(n.value, e.value));
            if kind == oid::RSA_PSS {
                key.algorithms = Algorithm::PSS;
            }
            Ok(key)
        }
        oid::EC => {
            let name = algorithm.get(1).map_or(&[][..], |name| name.value);
            let row = CURVES.iter().find(|(curve, _)| *curve == name);
            let curve = row.map_or(Err(OTHER_KIND), |(_, curve)| *curve)?;
            ec(curve, key).map(new)
        }
        oid::ED25519 if key.len() == 32 => Ok(new(PublicKey::Ed25519 { x: key.to_vec() })),
        oid::ED25519 => Err(DAMAGED),
        _ => Err(OTHER_KIND),
    }
}

fn rsa(n: &[u8], e: &[u8]) -> PublicKey {
    let [n, e] = [n, e].map(|number| without_leading_zeros(number).to_vec());
    PublicKey::Rsa { n, e }
}

fn ec(curve: Curve, point: &[u8]) -> Result<PublicKey, &'static str> {
    let coordinates = match point {
        [UNCOMPRESSED, coordinates @ ..] => coordinates,
        [2 | 3, ..] => return Err(COMPRESSED),
        _ => return Err(DAMAGED),
    };
    let halves = coordinates.split_at_checked(curve.bytes());
    let (x, y) = halves.filter(|(x, y)| x.len() == y.len()).ok_or(DAMAGED)?;
    Ok(PublicKey::Ec {
        curve,
        x: x.to_vec(),
        y: y.to_vec(),
    })
}
