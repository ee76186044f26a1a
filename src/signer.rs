//! A key that can sign, wherever it lives, and which `alg` that is.

use std::sync::Arc;

use crate::error::BoxError;

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037, as `alg` names it.
///
/// This crate signs with [`RsaKey`](crate::RsaKey) and [`HmacKey`](crate::HmacKey). The others are for signers of your own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
    Hs256,
    Hs384,
    Hs512,
}

impl Algorithm {
    /// The value of `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }
}

/// A key that can sign, wherever it lives: in memory, an HSM, a KMS.
pub trait Signer: Send + Sync {
    /// What [`sign`](Self::sign) does. It becomes `alg`; nobody else can choose it.
    fn algorithm(&self) -> Algorithm;
    /// Becomes `kid` (RFC 7515 §4.1.4): which of several registered keys this is.
    fn key_id(&self) -> Option<&str> {
        None
    }
    /// The signature of `message` as RFC 7518 defines it, not encoded: for ES256 the 64 bytes of
    /// R and S, no DER.
    ///
    /// # Errors
    /// Whatever the key's keeper says. It becomes the [source](std::error::Error::source) of an
    /// error of kind [`Key`](crate::ErrorKind::Key), so its text should hold no secret.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError>;
    /// Removes the key itself from a server's words, its code and its description.
    ///
    /// Defaults to the words as they are, which is right for every key that the server does not have.
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        words
    }
    /// Tells this key from every other, and tells nothing about it: under it a
    /// [`TokenStore`](crate::TokenStore) keeps tokens.
    ///
    /// Defaults to none: then nothing is stored. Good is SHA-256 of the public key, in DER
    /// (`SubjectPublicKeyInfo`); never a plain hash of a secret, which could be tried out.
    fn identity(&self) -> Option<[u8; 32]> {
        None
    }
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn algorithm(&self) -> Algorithm {
        (**self).algorithm()
    }
    fn key_id(&self) -> Option<&str> {
        (**self).key_id()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        (**self).sign(message)
    }
    fn identity(&self) -> Option<[u8; 32]> {
        (**self).identity()
    }
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        (**self).redact(words)
    }
}

impl<S: Signer + ?Sized> Signer for Box<S> {
    fn algorithm(&self) -> Algorithm {
        (**self).algorithm()
    }
    fn key_id(&self) -> Option<&str> {
        (**self).key_id()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        (**self).sign(message)
    }
    fn identity(&self) -> Option<[u8; 32]> {
        (**self).identity()
    }
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        (**self).redact(words)
    }
}
