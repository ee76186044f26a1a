//! The trait of everything that can sign, and the algorithms it can name in `alg`.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::BoxError;
use crate::redact::redact_pair;

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037 §3.1, as the `alg` header names it.
///
/// The keys of this crate sign with all of them except ES512, which is for your own [`Signer`]s. `Display` writes the
/// value of `alg`.
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
    const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    // Parts of that list, each with the usual algorithm first.
    pub(crate) const ASYMMETRIC: &'static [Self] = Self::ALL.split_at(10).0;
    pub(crate) const HMAC: &'static [Self] = Self::ALL.split_at(10).1;
    pub(crate) const RSA: &'static [Self] = Self::ALL.split_at(6).0;
    pub(crate) const PSS: &'static [Self] = Self::RSA.split_at(3).1;

    /// Returns the algorithm whose `alg` is `name`, such as `RS256`, or `None` for any other text.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.name() == name)
    }

    /// Returns whether RSA keys sign with it.
    pub(crate) fn is_rsa(self) -> bool {
        Self::RSA.contains(&self)
    }

    /// Returns the value of `alg`, such as `RS256`.
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

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A key that can sign, in memory, in an HSM or behind the API of a KMS.
pub trait Signer: Send + Sync {
    /// Returns the algorithm of [`sign`](Self::sign). Its name becomes `alg`, which no profile can
    /// change.
    fn algorithm(&self) -> Algorithm;
    /// Returns the value of `kid`, which says which registered key signed (RFC 7515 §4.1.4).
    ///
    /// Defaults to `None`: the header has no `kid`.
    fn key_id(&self) -> Option<&str> {
        None
    }
    /// Returns the raw signature of `message`, as RFC 7518 §3 defines it for the algorithm.
    ///
    /// It is not encoded: an ES256 signature is the 64 bytes of R and S, not DER.
    ///
    /// # Errors
    /// Any error of the signer. It becomes the [source](std::error::Error::source) of an error of
    /// kind [`Key`](crate::ErrorKind::Key), so its text must hold no secret.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError>;
    /// Removes the key itself from a server's error code and description.
    ///
    /// Defaults to the unchanged words, which is right for asymmetric keys: the server never has the private key.
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        words
    }
    /// Returns 32 bytes that identify this key and reveal nothing about it.
    ///
    /// A [`TokenStore`](crate::TokenStore) keeps tokens under a name made from it. Defaults to
    /// `None`: a source with this signer can have no store. Use SHA-256 of the public key in DER
    /// (`SubjectPublicKeyInfo`). Never use a plain hash of a secret, which can be found by guessing.
    fn identity(&self) -> Option<[u8; 32]> {
        None
    }
    /// Returns the signer of the next assertion, for a key that changes while the program runs.
    ///
    /// A source calls it before each assertion, which then has the algorithm, the key id and the signature of the
    /// returned signer. The `current` of the returned signer is not called. Defaults to `None`: this signer itself
    /// signs.
    fn current(&self) -> Option<Arc<dyn Signer>> {
        None
    }
}

/// The signer of one assertion: [`Signer::current`], or the signer itself if that is `None`.
pub(crate) struct CurrentSigner<'s> {
    signer: &'s dyn Signer,
    current: Option<Arc<dyn Signer>>,
}

impl<'s> CurrentSigner<'s> {
    pub(crate) fn of(signer: &'s dyn Signer) -> Self {
        let current = signer.current();
        Self { signer, current }
    }

    /// Returns whether the key may be replaced.
    pub(crate) fn may_be_replaced(&self) -> bool {
        self.current.is_some()
    }

    /// Removes `secrets` and the key itself from one text of a server. The text is not shortened.
    pub(crate) fn redact_text(&self, text: &str, secrets: &[&str]) -> String {
        let [text, _] = self.redact(redact_pair([text, ""], secrets));
        text
    }
}

impl<'s> Deref for CurrentSigner<'s> {
    type Target = dyn Signer + 's;
    fn deref(&self) -> &Self::Target {
        match &self.current {
            Some(current) => &**current,
            None => self.signer,
        }
    }
}

/// Implements the trait for a pointer to a signer.
macro_rules! forward_signer {
    ($pointer:ident) => {
        impl<S: Signer + ?Sized> Signer for $pointer<S> {
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
            fn current(&self) -> Option<Arc<dyn Signer>> {
                (**self).current()
            }
        }
    };
}

forward_signer!(Arc);
forward_signer!(Box);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithm_display_is_the_value_of_alg() {
        assert_eq!(Algorithm::Rs256.to_string(), "RS256");
        assert_eq!(format!("[{:>6}]", Algorithm::EdDsa), "[ EdDSA]");
    }

    #[test]
    fn algorithm_lists_are_those_of_their_keys() {
        let names =
            |list: &[Algorithm]| list.iter().map(|a| a.name()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(Algorithm::PSS), "PS256 PS384 PS512");
        assert_eq!(names(Algorithm::RSA), "RS256 RS384 RS512 PS256 PS384 PS512");
        let asymmetric = names(Algorithm::RSA) + " ES256 ES384 ES512 EdDSA";
        assert_eq!(names(Algorithm::ASYMMETRIC), asymmetric);
        assert_eq!(names(Algorithm::HMAC), "HS256 HS384 HS512");
    }
}
