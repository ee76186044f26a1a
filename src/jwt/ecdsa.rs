//! Converts ECDSA signatures from DER, as a KMS returns them, to the form of JWS.

use crate::error::Error;
use crate::key::der::{Element, INTEGER, sequence};
use crate::signer::Algorithm;

/// Converts an ECDSA signature from DER to R and S side by side, as RFC 7518 §3.4 requires.
///
/// The APIs of AWS KMS, Google Cloud KMS, OpenSSL and most HSMs return DER (`Ecdsa-Sig-Value`, RFC 3279 §2.2.3). Use
/// this function in the [`sign`](crate::Signer::sign) of your own signer.
///
/// # Errors
/// Kind [`Key`](crate::ErrorKind::Key): the algorithm is not ES256, ES384 or ES512, or the bytes are
/// not a signature of its curve in DER.
pub fn ecdsa_signature_from_der(
    algorithm: Algorithm,
    signature: impl AsRef<[u8]>,
) -> Result<Vec<u8>, Error> {
    let length: usize = match algorithm {
        Algorithm::Es256 => 32,
        Algorithm::Es384 => 48,
        Algorithm::Es512 => 66,
        other => {
            return Err(Error::key(format!(
                "{other} has no signatures in DER; ES256, ES384 and ES512 have"
            )));
        }
    };
    let fixed = || {
        let numbers = sequence(signature.as_ref()).ok()?;
        let mut fixed = Vec::with_capacity(length.saturating_mul(2));
        for number in &numbers {
            let digits = positive(number)?;
            let zeros = length.checked_sub(digits.len())?;
            fixed.resize(fixed.len().saturating_add(zeros), 0);
            fixed.extend_from_slice(digits);
        }
        (numbers.len() == 2).then_some(fixed)
    };
    fixed().ok_or_else(|| Error::key(format!("this is not a signature of {algorithm} in DER")))
}

/// Returns the digits of an INTEGER above zero. It has a leading zero only if it would be negative without it (X.690
/// §8.3).
fn positive<'d>(number: &Element<'d>) -> Option<&'d [u8]> {
    match number.value {
        _ if number.tag != INTEGER => None,
        digits @ [1..=0x7f, ..] => Some(digits),
        [0, digits @ ..] if matches!(digits, [0x80..=0xff, ..]) => Some(digits),
        _ => None,
    }
}
