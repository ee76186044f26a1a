//! Key and claims to assertion: **the whole crypto path**. Read this file and you have audited it.
//!
//! A key of ours is a [`Signer`]; its type decides `alg`. [`Assertion`] is the compact serialization (RFC
//! 7515 §7.1), built by hand: header and claims to JSON in a fixed order, base64url without
//! padding, one signature over exactly the bytes that are sent. RSA is PKCS#1 v1.5 with SHA-256
//! (RFC 7518 §3.3), always blinded; HMAC is SHA-256 over the secret's bytes as they are (§3.2).
//! Nothing here reads a clock or sends anything.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::rand_core::OsRng;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::signer::{Algorithm, Signer};
use crate::{der, http, pem};

/// Fewer bits can be broken (RFC 7518 §3.3 asks for 2048); more take seconds a signature.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Bytes of DER: a key of 8192 bits has 4.7 thousand, and reading a larger one takes its square
/// in time.
const MAX_DER: usize = 8 * 1024;
/// Bytes that header and claims of a common server take: a longer message asks the heap again.
const USUAL_MESSAGE: usize = 1024;

/// An RSA private key of 2048 to 8192 bits that signs RS256.
///
/// There is no `Clone`: one copy of a key is enough, share it in an [`Arc`](std::sync::Arc). It is wiped when
/// dropped.
pub struct RsaKey {
    key: SigningKey<Sha256>,
    key_id: Option<String>,
    repairs: Vec<&'static str>,
}

impl RsaKey {
    /// Reads a PEM private key, PKCS#1 or PKCS#8, and repairs what copying does to it.
    ///
    /// Of several blocks the first private key is taken. The text stays yours to wipe.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key), and what the text is instead. It is never quoted.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let found = pem::private_key(text.as_ref())?;
        Self::from_der(&found.der).map(|key| key.repaired(found.repairs))
    }
    /// Reads a DER private key, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key), and what the bytes are instead.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, Error> {
        let der = within_limit(der.as_ref())?;
        let key =
            RsaPrivateKey::from_pkcs8_der(der).or_else(|_| RsaPrivateKey::from_pkcs1_der(der));
        key.map_err(|_| Error::key(der::instead_of_rsa(der))) // the parser's own errors are dropped
            .and_then(Self::checked)
    }
    /// Reads a PKCS#8 key in PEM that a passphrase protects; one without passphrase is read as it
    /// is.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); and where the passphrase is wrong, or the encryption is
    /// not PBES2 with AES-CBC and PBKDF2-HMAC-SHA-2 or scrypt (RFC 8018, RFC 7914).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_pem(
        text: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let found = pem::private_key(text.as_ref())?;
        Self::from_encrypted_der(&found.der, passphrase).map(|key| key.repaired(found.repairs))
    }
    /// Reads a PKCS#8 key in DER that a passphrase protects; one without passphrase is read as it
    /// is.
    ///
    /// # Errors
    /// As [`from_encrypted_pem`](Self::from_encrypted_pem).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_der(
        der: impl AsRef<[u8]>,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let der = within_limit(der.as_ref())?;
        let Ok(sealed) = rsa::pkcs8::EncryptedPrivateKeyInfo::try_from(der) else {
            return match der::instead_of_rsa(der) {
                der::ENCRYPTED => Err(Error::key(UNKNOWN_ENCRYPTION)),
                _ => Self::from_der(der),
            };
        };
        if der::takes_too_long(&sealed) {
            return Err(Error::key("this key's passphrase takes too long to check"));
        }
        let open = sealed.decrypt(passphrase).map_err(|error| {
            use rsa::pkcs8::{Error::EncryptedPrivateKey, pkcs5};
            Error::key(match error {
                EncryptedPrivateKey(
                    pkcs5::Error::UnsupportedAlgorithm { .. }
                    | pkcs5::Error::AlgorithmParametersInvalid { .. }
                    | pkcs5::Error::NoPbes1CryptSupport,
                ) => UNKNOWN_ENCRYPTION,
                _ => WRONG_PASSPHRASE, // one in 256 unpads all the same, to noise that is no DER
            })
        })?;
        Self::from_der(open.as_bytes())
    }
    /// Sets `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
    /// What a strict reader would have refused in the PEM, one sentence each.
    pub fn repairs(&self) -> &[&'static str] {
        &self.repairs
    }

    /// The public half in DER (PKCS#1), to register it where assertions are verified.
    #[cfg(feature = "sandbox")]
    pub(crate) fn public_key_pkcs1(&self) -> Vec<u8> {
        use rsa::pkcs1::EncodeRsaPublicKey as _;
        let key: &RsaPrivateKey = self.key.as_ref();
        let der = key.to_public_key().to_pkcs1_der();
        der.map(|der| der.as_bytes().to_owned()).unwrap_or_default()
    }

    fn checked(key: RsaPrivateKey) -> Result<Self, Error> {
        let bits = key.n().bits();
        if !RSA_BITS.contains(&bits) {
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            return Err(Error::key(format!(
                "this RSA key has {bits} bits; {least} to {most} are taken"
            )));
        }
        Ok(Self {
            key: SigningKey::new(key),
            key_id: None,
            repairs: Vec::new(),
        })
    }
    fn repaired(self, repairs: Vec<&'static str>) -> Self {
        Self { repairs, ..self }
    }
}

impl Signer for RsaKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Rs256
    }
    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        // The random numbers blind the private-key operation against timing; the signature does
        // not depend on them.
        let signature = self.key.try_sign_with_rng(&mut OsRng, message)?;
        Ok(signature.to_bytes().into_vec()) // the very bytes; `to_vec` leaves a copy
    }
    /// SHA-256 of the public key in DER (`SubjectPublicKeyInfo`).
    fn identity(&self) -> Option<[u8; 32]> {
        let key: &RsaPrivateKey = self.key.as_ref();
        let der = der::public_key(&key.n().to_bytes_be(), &key.e().to_bytes_be());
        der.ok().as_deref().map(sha256)
    }
}

/// A shared secret that signs HS256.
///
/// RFC 7518 §3.2 asks for 32 bytes or more. Fewer are taken, since servers hand such secrets out:
/// a short one can be guessed by whoever sees an assertion. It is wiped when dropped.
pub struct HmacKey {
    secret: Zeroizing<Vec<u8>>,
    key_id: Option<String>,
}

impl HmacKey {
    /// Takes the secret's bytes as they are: no base64, no hex, no trimming.
    ///
    /// A file written by `echo` ends with a line end that is not part of the secret: remove it
    /// first.
    ///
    /// # Errors
    /// [`Key`](crate::ErrorKind::Key) where there are none.
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let secret = Zeroizing::new(secret.into());
        match secret.is_empty() {
            true => Err(Error::key("the HMAC secret is empty")),
            false => Ok(Self {
                secret,
                key_id: None,
            }),
        }
    }
    /// Sets `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
    #[inline(never)]
    fn tag(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret)?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

/// What the last call left there, as far as it reached.
#[inline(never)]
fn write_over_the_stack() {
    std::hint::black_box([0_u8; 2048]);
}

impl Signer for HmacKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let tag = self.tag(message);
        write_over_the_stack(); // on which `hmac` pads a copy of the secret
        tag
    }
    /// HMAC-SHA256 of a fixed label: a plain hash could be looked up.
    fn identity(&self) -> Option<[u8; 32]> {
        let tag = self.sign(b"jwt-bearer: identity of this secret").ok()?;
        tag.try_into().ok()
    }
}

/// A header or a claims set on its way into a JWT: JSON by hand, since a map would sort all names.
/// Each name is set once, in the order that is sent.
pub(crate) struct Members(Zeroizing<Vec<u8>>);

impl Members {
    /// Nothing where there is no value: an absent claim is absent, never `null`.
    pub(crate) fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            let _ = serde_json::to_writer(&mut *self.0, value); // a vector takes everything
        }
    }
    /// As above.
    pub(crate) fn number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.name(name);
            let _ = serde_json::to_writer(&mut *self.0, &value); // as above
        }
    }
    /// The rest, whose values are JSON already, in the order given.
    pub(crate) fn others<'a>(&mut self, others: impl IntoIterator<Item = &'a (String, String)>) {
        for (name, json) in others {
            self.name(name);
            self.0.extend_from_slice(json.as_bytes());
        }
    }
    /// Begins a further member.
    fn name(&mut self, name: &str) {
        let before = if self.0.is_empty() { b'{' } else { b',' };
        self.0.push(before);
        let _ = serde_json::to_writer(&mut *self.0, name);
        self.0.push(b':');
    }
    /// To the end of `jwt`, in base64url.
    fn move_to(&mut self, jwt: &mut String) {
        self.0.push(b'}');
        append(&self.0, jwt);
        self.0.clear();
    }
}

#[inline(never)] // so that its buffer is where the stack is written over
fn append(bytes: &[u8], jwt: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, jwt);
}

/// A signed JWT in compact serialization. Whoever holds it can spend it until it expires.
pub struct Assertion(Zeroizing<String>);

impl Assertion {
    /// `header.claims.signature`.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Header order: `typ`, `alg`, `kid`, then others as they are given.
    pub(crate) fn sign(
        signer: &dyn Signer,
        typ: Option<&str>,
        header: &[(String, String)],
        claims: impl FnOnce(&mut Members),
    ) -> Result<Self, Error> {
        let mut jwt = Zeroizing::new(String::with_capacity(USUAL_MESSAGE));
        let mut members = Members(Zeroizing::new(Vec::with_capacity(USUAL_MESSAGE)));
        members.text("typ", typ);
        members.text("alg", Some(signer.algorithm().name()));
        members.text("kid", signer.key_id());
        members.others(header);
        members.move_to(&mut jwt);
        jwt.push('.');
        claims(&mut members);
        members.move_to(&mut jwt);
        let signature = signer
            .sign(jwt.as_bytes())
            .map_err(|error| Error::key("the signer failed").because(error))?;
        let signature = Zeroizing::new(signature);
        // The bytes signed are the bytes sent. With room for the signature: what grows leaves copies.
        jwt.reserve_exact(signature.len().saturating_mul(2).saturating_add(1));
        jwt.push('.');
        append(&signature, &mut jwt);
        write_over_the_stack(); // on which `base64` has a buffer
        Ok(Self(jwt))
    }
}

/// To tell texts apart that are not to be kept.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn random() -> Result<u128, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::getrandom(&mut bytes).map(|()| u128::from_be_bytes(bytes))
}

/// A random number from 0 to 1, for jitter; without randomness there is none.
pub(crate) fn unit() -> f64 {
    let bits = random().map_or(0, |random| random >> 96);
    f64::from(u32::try_from(bits).unwrap_or(0)) / 4_294_967_296.0
}

/// A random UUID, version 4 (RFC 9562 §5.4), for `jti`.
pub(crate) fn uuid(hyphens: bool) -> Result<String, Error> {
    let random =
        random().map_err(|error| Error::key("the system has no random numbers").because(error))?;
    let version_4 = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36);
    let _ = write!(text, "{version_4:032x}"); // a string takes everything
    if hyphens {
        [20, 16, 12, 8]
            .into_iter()
            .for_each(|at| text.insert(at, '-'));
    }
    Ok(text)
}

/// The claims of a JWT whose signature nobody here can check: a hint, never a proof.
pub(crate) fn unverified_claims(jwt: &str) -> Option<http::Members> {
    let mut segments = jwt.split('.');
    let (_header, claims, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
    http::Members::of(&claims)
}

#[cfg(feature = "encrypted-keys")]
const WRONG_PASSPHRASE: &str = "the passphrase is wrong";
#[cfg(feature = "encrypted-keys")]
const UNKNOWN_ENCRYPTION: &str = "this key's encryption is not PBES2 with AES-CBC and \
    PBKDF2-HMAC-SHA-2 or scrypt: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc";

fn within_limit(der: &[u8]) -> Result<&[u8], Error> {
    match der.len() <= MAX_DER {
        true => Ok(der),
        false => Err(Error::key("this is too long for an RSA key of 8192 bits")),
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey")
            .field("key_id", &self.key_id)
            .field("repairs", &self.repairs)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion(..)")
    }
}
