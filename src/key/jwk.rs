//! Finds a private JWK (RFC 7517) in a text, and reads the parts of its key.
//!
//! It may be the whole text, one of a set after its public key, a member of a settings file at any depth, a text within
//! such a file, or any of these in base64. JSON is read in place: nothing secret is copied except into buffers that are
//! allocated once and wiped. Nothing is quoted.

use std::mem;
use std::str;

use zeroize::Zeroizing;

use super::der::without_leading_zeros;
use super::encoding::{decode_either_base64, decode_json_string, decode_utf16, unescape_json};
use super::material::{
    Curve, EcParts, Ed25519Parts, KeyMaterial, KeyParts, MAX_FILE, RsaParts, SecretBytes,
};
use super::pem;
use super::public_key::UNCOMPRESSED;
use super::refusal;
use crate::error::Error;
use crate::json;
use crate::redact::shorten;
use crate::signer::Algorithm;

/// How many nested objects, arrays, texts and encodings are searched. Each level is read once more, so this bounds the
/// time. A JWK in a set, quoted in a settings file, has 5 levels.
const MAX_DEPTH: u8 = 12;

const PUBLIC_JWK: &str = "this JWK is a public key: its private key has a member d";
pub(super) const JSON_WITHOUT_KEY: &str = "this is JSON without a key in it";
const DAMAGED_JSON: &str = "this begins as JSON does, and is cut off or damaged";
pub(super) const OTHER_KTY: &str = "the kty of this JWK is none of RSA, EC, OKP and oct";
const OTHER_USE: &str = "this JWK is not for signing: its use is not sig";
const KEY_OPS_LACK_SIGN: &str = "this JWK is not for signing: its key_ops lack sign";
const ENCRYPTING_ALG: &str = "this JWK is not for signing: its alg encrypts";
const OTHER_ALG: &str = "the alg of this JWK is not one that this crate signs";
const KEY_AGREEMENT: &str = "this JWK is not for signing: its curve is for key agreement";

/// Prefixes of the names of algorithms that do not sign (RFC 7518 §4.1 and §5.1).
const ENCRYPTING: &[&str] = &[
    "RSA1_5", "RSA-OAEP", "ECDH-ES", "A128", "A192", "A256", "dir", "PBES2-", "HPKE-",
];

/// Curves by the value of `crv` (RFC 7518 §6.2.1.1, RFC 8812 §3.1).
const EC_CURVES: &[(&str, Result<Curve, &str>)] = &[
    ("P-256", Ok(Curve::P256)),
    ("P-384", Ok(Curve::P384)),
    ("P-521", Err(refusal::IS_ON_P521)),
    ("secp256k1", Err(refusal::IS_ON_SECP256K1)),
];

/// Curves of key pairs that are octets, by the value of `crv` (RFC 8037 §2).
const OKP_CURVES: &[(&str, Result<(), &str>)] = &[
    ("Ed25519", Ok(())),
    ("Ed448", Err(refusal::IS_ED448_KEY)),
    ("X25519", Err(KEY_AGREEMENT)),
    ("X448", Err(KEY_AGREEMENT)),
];
const OTHER_OKP_CURVE: &str = "this key is on another curve; Ed25519 is supported";

/// The first characters of base64 text that decodes to `{` or `[`, followed by a quote, a brace, a space or a line end.
const BASE64_OF_JSON: [&str; 5] = ["ey", "ew", "W3", "Wy", "Ww"];

/// The members that only an RSA private key has (RFC 7518 §6.3.2).
const RSA_FACTORS: [&str; 5] = ["p", "q", "dp", "dq", "qi"];

/// Returns the first private key or shared secret that may sign, or the one with this ID, wherever it is.
///
/// If no key has this ID, a key that is alone and in no set is returned whatever its ID is, and so is the first of
/// several keys if none of them has an ID. Returns `None` if this is not JSON, or is JSON with a PEM in it.
///
/// # Errors
/// Kind [`Key`](crate::ErrorKind::Key): the JSON has no key that may sign, or a set or several keys with other IDs. The
/// message says what it has.
pub(crate) fn find(bytes: &[u8], key_id: Option<&str>) -> Result<Option<KeyMaterial>, Error> {
    if bytes.len() > MAX_FILE {
        return Ok(None);
    }
    let utf16 = decode_utf16(bytes);
    let text = match &utf16 {
        Some(text) => text.as_str(),
        None => str::from_utf8(bytes).unwrap_or_default(),
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\0'));
    let mut search = JwkSearch::with_id(key_id);
    let mut found = search.text(text, false, MAX_DEPTH)?;
    if found.is_none() && key_id.is_some() {
        if let Some(refusal) = search.refusal_of_id {
            return Err(Error::key(refusal));
        }
        search.check_other_ids()?;
        search = JwkSearch::with_id(None);
        found = search.text(text, false, MAX_DEPTH)?;
    }
    if let Some(mut material) = found {
        if utf16.is_some() {
            material.repairs.insert(0, pem::UTF_16);
        }
        return Ok(Some(material));
    }
    match search.refusal {
        _ if text.contains("PRIVATE KEY-----") => Ok(None), // a PEM beside a public JWK, or alone
        Some(refusal) => Err(Error::key(refusal)),
        None if search.has_public_key => Err(Error::key(PUBLIC_JWK)),
        None if search.is_json && text.starts_with(['{', '[']) => Err(Error::key(JSON_WITHOUT_KEY)),
        None if text.starts_with('{') => Err(Error::key(DAMAGED_JSON)),
        None => Ok(None),
    }
}

pub(super) fn ec_curve(crv: &str) -> Result<Curve, &'static str> {
    let row = EC_CURVES.iter().find(|(name, _)| *name == crv);
    row.map_or(Err(refusal::IS_ON_OTHER_CURVE), |(_, curve)| *curve)
}

pub(super) fn okp_curve(crv: &str) -> Result<(), &'static str> {
    let row = OKP_CURVES.iter().find(|(name, _)| *name == crv);
    row.map_or(Err(OTHER_OKP_CURVE), |(_, curve)| *curve)
}

/// A search for a key to sign with, and what it found on the way.
#[derive(Default)]
struct JwkSearch<'i> {
    /// The ID of the key to find.
    key_id: Option<&'i str>,
    /// The different IDs of the keys that may sign and were passed over, because each has another ID or none.
    other_ids: Vec<Option<String>>,
    /// Whether one of these keys is in a set.
    has_set: bool,
    is_json: bool,
    has_public_key: bool,
    /// Why the first private key was not used.
    refusal: Option<&'static str>,
    /// Why the key with the ID was not used.
    refusal_of_id: Option<&'static str>,
}

type SearchResult = Result<Option<KeyMaterial>, Error>;

impl<'i> JwkSearch<'i> {
    fn with_id(key_id: Option<&'i str>) -> Self {
        Self {
            key_id,
            ..Self::default()
        }
    }

    /// Checks that the keys that were passed over have no IDs, or that they have one and are in no set.
    fn check_other_ids(&self) -> Result<(), Error> {
        let ids = self.other_ids.iter().flatten();
        let ids: Vec<_> = ids.map(|id| shorten(id)).collect();
        let is_alone = self.other_ids.len() == 1 && !self.has_set;
        if is_alone || ids.is_empty() {
            return Ok(());
        }
        let [id, ids] = [self.key_id.unwrap_or_default(), &*ids.join(", ")];
        Err(Error::key(format!(
            "no private key has the ID {id}; their IDs are {ids}"
        )))
    }

    /// Searches a text that may be JSON: as it is, with escaped quotes, or in base64. `is_in_set` says whether it is an
    /// element of an array.
    fn text(&mut self, text: &str, is_in_set: bool, depth: u8) -> SearchResult {
        let Some(depth) = depth.checked_sub(1) else {
            return Ok(None);
        };
        let text = text.trim();
        let text = match text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
            Some(quoted) => quoted.trim(), // as shells and files of variables quote
            None => text,
        };
        if text.starts_with(['{', '[', '"']) {
            let inner = text.trim_start_matches(|c: char| c.is_whitespace() || "{[".contains(c));
            return match inner.starts_with('\\') {
                true => self.text(&unescape_json(text), is_in_set, depth), // copied out of a string
                false => self.json(text, is_in_set, depth),
            };
        }
        if BASE64_OF_JSON.iter().any(|start| text.starts_with(start)) {
            let decoded = decode_either_base64(text.as_bytes()).unwrap_or_default();
            if let Ok(decoded) = str::from_utf8(&decoded) {
                return self.text(decoded, is_in_set, depth);
            }
        }
        Ok(None)
    }

    /// Searches an object or an array and the values in it, or a string.
    fn json(&mut self, json: &str, is_in_set: bool, depth: u8) -> SearchResult {
        let Some(depth) = depth.checked_sub(1) else {
            return Ok(None);
        };
        let (values, are_in_set): (Vec<&str>, bool) = match json.trim_start().chars().next() {
            Some('{') => {
                let Some(members) = json::sorted_members(json) else {
                    return Ok(None);
                };
                let object = Jwk(members);
                self.is_json = true;
                if let Some(kty) = object.text("kty") {
                    return self.jwk(&object, &kty, is_in_set);
                }
                let values = object.0.into_iter().map(|(_, value)| value);
                (values.collect(), false)
            }
            Some('[') => {
                let Some(elements) = json::elements(json) else {
                    return Ok(None);
                };
                self.is_json = true;
                (elements, true)
            }
            Some('"') => {
                let text = decode_json_string(json).unwrap_or_default();
                return self.text(&text, is_in_set, depth);
            }
            _ => return Ok(None),
        };
        let mut values = values.into_iter();
        while let Some(value) = values.next() {
            if let Some(mut found) = self.json(value, are_in_set, depth)? {
                let key_id = self.key_id;
                let mut others =
                    values.map(|other| Self::with_id(key_id).json(other, are_in_set, depth));
                let has_other = others.any(|other| matches!(other, Ok(Some(_))));
                if has_other && !found.repairs.contains(&pem::SEVERAL_KEYS) {
                    found.repairs.push(pem::SEVERAL_KEYS);
                }
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Reads a JWK, unless it is a public one, not for signing, or has another ID than the one to find.
    fn jwk(&mut self, jwk: &Jwk<'_>, kty: &str, is_in_set: bool) -> SearchResult {
        let has = |name: &&str| jwk.get(name).is_some();
        if kty != "oct" && !has(&"d") && !RSA_FACTORS.iter().any(has) {
            self.has_public_key = true;
            return Ok(None);
        }
        let key_type = jwk
            .key_type(kty)
            .and_then(|key_type| Ok((key_type, jwk.algorithm()?)));
        let (key_type, algorithm) = match key_type {
            Ok(found) => found,
            Err(refusal) => {
                self.refusal.get_or_insert(refusal);
                // The ID of a key that is not used anyway may be anything.
                let key_id = jwk.key_id().unwrap_or_default();
                if key_id.is_some() && key_id.as_deref() == self.key_id {
                    self.refusal_of_id.get_or_insert(refusal);
                }
                return Ok(None);
            }
        };
        if self.key_id.is_some() {
            let key_id = jwk.key_id()?;
            if key_id.as_deref() != self.key_id {
                self.has_set |= is_in_set;
                if !self.other_ids.contains(&key_id) {
                    self.other_ids.push(key_id); // the same key may be there twice
                }
                return Ok(None);
            }
        }
        // A damaged key is an error: the search does not go on to another one.
        jwk.material(key_type, algorithm).map(Some)
    }
}

/// A type of key that can sign here (RFC 7518 §6.1, RFC 8037 §2).
#[derive(Clone, Copy)]
enum KeyType {
    Rsa,
    Ec(Curve),
    Ed25519,
    Secret,
}

/// The members of a JWK, as they are in the text. If two members have one name, the last one counts (RFC 7517 §4).
pub(super) struct Jwk<'t>(Vec<(Zeroizing<String>, &'t str)>);

impl<'t> Jwk<'t> {
    /// Reads the members of a JSON object.
    #[cfg(feature = "cli")]
    pub(super) fn parse(json: &'t str) -> Result<Self, Error> {
        json::sorted_members(json)
            .map(Self)
            .ok_or_else(|| Error::key(DAMAGED_JSON))
    }

    /// Returns the JSON of a member that is neither `null` nor empty.
    fn get(&self, name: &str) -> Option<&'t str> {
        let (_, json) = self.0.iter().rfind(|(other, _)| **other == name)?;
        (!matches!(*json, "null" | "\"\"")).then_some(*json)
    }
    pub(super) fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        decode_json_string(self.get(name)?)
    }

    /// Checks that `use` and `key_ops` allow what a key does with signatures (RFC 7517 §4.2, §4.3). Returns `refusal`
    /// if `key_ops` has none of the operations.
    pub(super) fn check_operation(
        &self,
        wanted: &[&str],
        refusal: &'static str,
    ) -> Result<(), &'static str> {
        match self.get("use") {
            Some(_) if self.text("use").is_none_or(|text| *text != "sig") => return Err(OTHER_USE),
            _ => (),
        }
        let Some(operations) = self.get("key_ops") else {
            return Ok(());
        };
        let operations = json::elements(operations).unwrap_or_default();
        let is_named =
            |name: &&str| decode_json_string(name).is_some_and(|name| wanted.contains(&&**name));
        match operations.iter().any(is_named) {
            true => Ok(()),
            false => Err(refusal),
        }
    }

    /// Returns the type of the key, or why it does not sign.
    fn key_type(&self, kty: &str) -> Result<KeyType, &'static str> {
        self.check_operation(&["sign"], KEY_OPS_LACK_SIGN)?;
        let crv = self.text("crv").unwrap_or_default();
        match kty {
            "RSA" => Ok(KeyType::Rsa),
            "EC" => ec_curve(&crv).map(KeyType::Ec),
            "OKP" => okp_curve(&crv).map(|()| KeyType::Ed25519),
            "oct" => Ok(KeyType::Secret),
            _ => Err(OTHER_KTY),
        }
    }

    /// Returns the algorithm that the key is for, or why it is not for signing.
    pub(super) fn algorithm(&self) -> Result<Option<Algorithm>, &'static str> {
        if self.get("alg").is_none() {
            return Ok(None);
        }
        let name = self.text("alg").unwrap_or_default();
        match Algorithm::named(&name) {
            Some(algorithm) => Ok(Some(algorithm)),
            None if *name == "Ed25519" => Ok(Some(Algorithm::EdDsa)), // RFC 9864 §2.2
            None if ENCRYPTING.iter().any(|start| name.starts_with(start)) => Err(ENCRYPTING_ALG),
            None => Err(OTHER_ALG),
        }
    }

    fn material(
        &self,
        key_type: KeyType,
        algorithm: Option<Algorithm>,
    ) -> Result<KeyMaterial, Error> {
        let mut repairs = Vec::new();
        let parts = match key_type {
            KeyType::Rsa => KeyParts::Rsa(self.rsa(&mut repairs)?),
            KeyType::Ec(curve) => KeyParts::Ec(Ok(self.ec(curve)?)),
            KeyType::Ed25519 => KeyParts::Ed25519(Ed25519Parts {
                seed: self.bytes("d")?,
                public: Some(mem::take(&mut *self.bytes("x")?)),
            }),
            KeyType::Secret => KeyParts::Hmac(self.bytes("k")?),
        };
        Ok(KeyMaterial {
            parts,
            key_id: self.key_id()?,
            algorithm,
            restriction: None,
            repairs,
        })
    }

    pub(super) fn key_id(&self) -> Result<Option<String>, Error> {
        let key_id = self.get("kid").map(serde_json::from_str).transpose();
        key_id.map_err(|_| Error::key("the kid of this JWK is not a text"))
    }

    fn rsa(&self, repairs: &mut Vec<&'static str>) -> Result<RsaParts, Error> {
        if self.get("oth").is_some() {
            return Err(Error::key(refusal::IS_MULTI_PRIME));
        }
        let [mut n, mut e] = [self.number("n")?, self.number("e")?];
        let mut parts = RsaParts {
            n: mem::take(&mut *n),
            e: mem::take(&mut *e),
            d: self.number("d")?,
            ..RsaParts::default()
        };
        let factors = RSA_FACTORS.map(|name| match self.get(name) {
            Some(_) => self.number(name),
            None => Ok(SecretBytes::default()),
        });
        let factors: Vec<_> = factors.into_iter().collect::<Result<_, _>>()?;
        let missing = factors.iter().filter(|number| number.is_empty()).count();
        if (1..RSA_FACTORS.len()).contains(&missing) {
            repairs.push("numbers of the key were missing"); // RFC 7518 §6.3.2: all or none
        }
        parts.set_factors(factors);
        Ok(parts)
    }

    fn ec(&self, curve: Curve) -> Result<EcParts, Error> {
        let mut point = vec![UNCOMPRESSED];
        for name in ["x", "y"] {
            point.extend(self.coordinate(name, curve)?);
        }
        Ok(EcParts {
            curve,
            d: self.bytes("d")?,
            point: Some(point),
        })
    }

    /// Returns a coordinate with as many bytes as the numbers of the curve have.
    pub(super) fn coordinate(&self, name: &str, curve: Curve) -> Result<Vec<u8>, Error> {
        let number = self.number(name)?;
        let zeros = curve.bytes().checked_sub(number.len());
        let mut coordinate = vec![0; zeros.ok_or_else(|| Error::key(refusal::EC_INCONSISTENT))?];
        coordinate.extend_from_slice(&number);
        Ok(coordinate)
    }

    /// Returns the bytes of a member in base64url.
    pub(super) fn bytes(&self, name: &str) -> Result<SecretBytes, Error> {
        if self.get(name).is_none() {
            return Err(Error::key(format!("this JWK has no {name}")));
        }
        let bytes = self.text(name);
        let bytes = bytes.and_then(|text| decode_either_base64(text.as_bytes()));
        bytes.ok_or_else(|| Error::key(format!("the {name} of this JWK is not base64url")))
    }

    /// Returns a number without leading zeros, which some tools write.
    pub(super) fn number(&self, name: &str) -> Result<SecretBytes, Error> {
        let mut bytes = self.bytes(name)?;
        let digits = without_leading_zeros(&bytes).len();
        let zeros = bytes.len().saturating_sub(digits);
        bytes.drain(..zeros);
        Ok(bytes)
    }
}
