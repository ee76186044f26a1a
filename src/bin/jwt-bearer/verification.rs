//! From the signature of a JWT and a key to "verified", or to the reason why not.

use std::path::{Path, PathBuf};

use jwt_bearer::{Algorithm, HmacKey, Key, PublicKeyOfFile, Signer as _, sandbox};
use serde_json::Value;

use crate::failure::Failure;
use crate::files::{read, read_encoded_secret};
use crate::jwt::Jwt;
use crate::key::names;
use crate::key_source::{FoundKey, algorithm_of_jwk, keys_of_set, parse_key_file};
use crate::messages::shortened;
use crate::mistakes;
use crate::options::SecretEncoding;

/// Bits of the RSA keys whose signatures are checked.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The most key IDs of a set that an error lists.
const MAX_IDS: usize = 10;

/// What to check a signature with.
pub(crate) struct Keys {
    file: PathBuf,
    keys: Vec<CandidateKey>,
    /// Whether the key ID of the token chooses one of the keys.
    is_set: bool,
}

struct CandidateKey {
    id: Option<String>,
    /// The only algorithm that a JWK is for.
    algorithm: Option<Algorithm>,
    key: KeyKind,
}

enum KeyKind {
    Public(Box<PublicKeyOfFile>),
    Secret(Box<Key>),
}

impl Keys {
    /// Reads a private or public key, a certificate, or a JWK set.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no key.
    pub(crate) fn of_key_file(file: &Path, passphrase: Option<&Path>) -> Result<Self, Failure> {
        let bytes = read("--key", file)?;
        if let Some(set) = keys_of_set(&bytes) {
            return Self::of_set(file, set);
        }
        let found = parse_key_file(file, &bytes, passphrase)?;
        let id = found.key_id().map(str::to_owned);
        let (algorithm, key) = match found.found {
            FoundKey::Private(_, public) => (algorithm_of_jwk(&bytes), KeyKind::Public(public)),
            FoundKey::Public(public) => (public.algorithm(), KeyKind::Public(public)),
            FoundKey::Secret(key) => (algorithm_of_jwk(&bytes), KeyKind::Secret(key)),
        };
        Ok(Self::of_one(file, CandidateKey { id, algorithm, key }))
    }

    /// Reads a JWK set, or a single JWK.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no key.
    pub(crate) fn of_jwks_file(file: &Path) -> Result<Self, Failure> {
        let bytes = read("--jwks", file)?;
        let single = || serde_json::from_slice(&bytes).ok().map(|key| vec![key]);
        let set = keys_of_set(&bytes).or_else(single).ok_or_else(|| {
            Failure::config(format!("{}: this is not a JWK set", file.display()))
                .with_hint("a key in PEM or a certificate is given with --key")
        })?;
        Self::of_set(file, set)
    }

    /// Reads the secret of an HMAC.
    ///
    /// # Errors
    /// If the file cannot be read, is not in this encoding, or holds a key that is not a secret.
    pub(crate) fn of_secret(file: &Path, encoding: SecretEncoding) -> Result<Self, Failure> {
        let secret = read_encoded_secret("--secret", file, encoding)?;
        mistakes::check_secret_file(file, &secret, "give it with --key or --jwks")?;
        let key = HmacKey::new(secret.to_vec()).map_err(|error| Failure::in_file(file, error))?;
        let candidate = CandidateKey {
            id: None,
            algorithm: None,
            key: KeyKind::Secret(Box::new(Key::Hmac(key))),
        };
        Ok(Self::of_one(file, candidate))
    }

    fn of_one(file: &Path, key: CandidateKey) -> Self {
        Self {
            file: file.to_owned(),
            keys: vec![key],
            is_set: false,
        }
    }

    fn of_set(file: &Path, set: Vec<Value>) -> Result<Self, Failure> {
        let keys: Vec<_> = set.iter().filter_map(CandidateKey::of_jwk).collect();
        match keys.is_empty() {
            true => Err(Failure::config(format!(
                "{}: no key in this JWK set checks signatures: one for signing is wanted, RSA, EC on P-256 or P-384, \
                 Ed25519 or oct",
                file.display()
            ))),
            false => Ok(Self {
                file: file.to_owned(),
                keys,
                is_set: true,
            }),
        }
    }

    /// Checks the signature, and returns which key verifies it.
    ///
    /// # Errors
    /// If none does.
    pub(crate) fn verify(self, jwt: &Jwt) -> Result<String, Failure> {
        let algorithm = algorithm(jwt)?;
        let file = self.file.display().to_string();
        let (id, is_set) = (jwt.header_text("kid"), self.is_set);
        let candidates = self.candidates(id)?;
        let fits = |candidate: &CandidateKey| candidate.algorithms().contains(&algorithm);
        let mut others = candidates.iter().filter(|candidate| !fits(candidate));
        let other = others.next().map(|other| names(other.algorithms()));
        let (mut why, mut unchecked) = (None, None);
        for candidate in candidates.into_iter().filter(fits) {
            let name = match (&candidate.id, is_set) {
                (Some(id), true) => format!("{file} (kid {id})"),
                _ => file.clone(),
            };
            match candidate.verifies(algorithm, jwt) {
                Ok(true) => return Ok(format!("verified: {algorithm} with {name}")),
                Ok(false) => {
                    why = Some(format!(
                        "the signature is NOT of {name}: another key signed the token, or it was changed afterwards"
                    ))
                }
                // Another key of the set may be the right one.
                Err(failure) => unchecked = Some(failure),
            }
        }
        Err(match (why, unchecked, other) {
            (None, Some(failure), _) => failure,
            (Some(why), unchecked, _) => {
                let unchecked = unchecked.map(|failure| failure.into_parts().1);
                unchecked
                    .map(|why| format!("a key of the set was not tried: {why}"))
                    .into_iter()
                    .fold(Failure::denied(why), Failure::with_hint)
            }
            (None, None, Some(found)) => Failure::denied(format!(
                "the token says {algorithm}, and {file} is for {found}: the signature is NOT verified"
            )),
            (None, None, None) => Failure::denied(format!(
                "{file} has no key for this token: the signature is NOT verified"
            )),
        })
    }

    /// Returns the keys that the token may mean: those with its key ID, else those that have none.
    fn candidates(self, id: Option<&str>) -> Result<Vec<CandidateKey>, Failure> {
        let (Some(id), true) = (id, self.is_set) else {
            return Ok(self.keys);
        };
        let known = self.keys.iter().filter_map(|key| key.id.as_deref());
        let known: Vec<_> = known.take(MAX_IDS).map(shortened).collect();
        let (named, others): (Vec<_>, Vec<_>) =
            (self.keys.into_iter()).partition(|key| key.id.as_deref() == Some(id));
        let nameless: Vec<_> = others.into_iter().filter(|key| key.id.is_none()).collect();
        match (named.is_empty(), nameless.is_empty()) {
            (false, _) => Ok(named),
            (true, false) => Ok(nameless),
            (true, true) => Err(Failure::denied(format!(
                "{}: no key has the kid {} of the token; there are {}",
                self.file.display(),
                shortened(id),
                known.join(", ")
            ))),
        }
    }
}

impl CandidateKey {
    /// Reads a key of a set, or returns `None` for one that checks no signatures here.
    fn of_jwk(jwk: &Value) -> Option<Self> {
        let json = jwk.to_string();
        if jwk.get("kty").is_some_and(|kty| kty == "oct") {
            let key = Key::read(&json).ok()?;
            return Some(Self {
                id: key.key_id().map(str::to_owned),
                algorithm: algorithm_of_jwk(json.as_bytes()),
                key: KeyKind::Secret(key.into()),
            });
        }
        let key = PublicKeyOfFile::from_jwk(&json).ok()?;
        Some(Self {
            id: key.key_id().map(str::to_owned),
            algorithm: key.algorithm(),
            key: KeyKind::Public(key.into()),
        })
    }

    fn algorithms(&self) -> &[Algorithm] {
        match (&self.algorithm, &self.key) {
            (Some(only), _) => std::slice::from_ref(only),
            (None, KeyKind::Public(key)) => key.algorithms(),
            (None, KeyKind::Secret(key)) => key.algorithms(),
        }
    }

    /// Returns whether this key made the signature. The algorithm is one of the key's.
    fn verifies(self, algorithm: Algorithm, jwt: &Jwt) -> Result<bool, Failure> {
        let message = jwt.message.as_bytes();
        match self.key {
            KeyKind::Public(key) => {
                if let Some(bits) = key.rsa_bits().filter(|bits| !RSA_BITS.contains(bits)) {
                    return Err(Failure::config(format!(
                        "this RSA key has {bits} bits; signatures of {} to {} bits are checked",
                        RSA_BITS.start(),
                        RSA_BITS.end()
                    )));
                }
                let key = sandbox::Key::public_pem(key.pem())?.with_algorithm(algorithm);
                Ok(key.verifies(message, &jwt.signature))
            }
            KeyKind::Secret(key) => {
                let tag = key.with_algorithm(algorithm)?.sign(message);
                Ok(tag.is_ok_and(|tag| tag == jwt.signature))
            }
        }
    }
}

/// Returns the algorithm of the token.
///
/// # Errors
/// If the signature cannot be checked with any key.
fn algorithm(jwt: &Jwt) -> Result<Algorithm, Failure> {
    let name = jwt.header_text("alg").unwrap_or_default();
    if jwt.header.contains_key("crit") {
        return Err(Failure::denied(
            "the header has crit: an extension that is not known here must be understood (RFC 7515 §4.1.11), so the \
             signature is NOT verified",
        ));
    }
    if jwt.header.get("b64").is_some_and(|b64| b64 != true) {
        return Err(Failure::denied(
            "the header has b64: the signature is over an unencoded payload (RFC 7797), which is not checked here",
        ));
    }
    match Algorithm::named(name) {
        Some(Algorithm::Es512) => Err(Failure::config(
            "ES512 is not checked here: the signature is NOT verified",
        )),
        Some(_) if jwt.signature.is_empty() => Err(Failure::denied(format!(
            "the token has no signature, and its header says {name}: the signature was cut off"
        ))),
        Some(algorithm) => Ok(algorithm),
        None if name == "Ed25519" => Ok(Algorithm::EdDsa), // RFC 9864 §2.2
        None if name.eq_ignore_ascii_case("none") => Err(Failure::denied(
            "the token has no signature (alg none): anybody can have written it",
        )),
        None if name.is_empty() => Err(Failure::denied(
            "the header has no alg: the signature is NOT verified",
        )),
        None => Err(Failure::config(format!(
            "the alg {} is not checked here: the signature is NOT verified",
            shortened(name)
        ))),
    }
}
