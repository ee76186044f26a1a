//! Private keys under a passphrase.

use jwt_bearer::RsaKey;

use crate::keys::assert_same_key;

const PASSPHRASE: &str = "correct horse";
/// This many rounds take milliseconds, even in a build for fuzzing. The library computes up to a hundred times as many.
const MAX_ROUNDS: u64 = 20_000;

/// Decrypts with [`RsaKey::from_encrypted_der`], or a text with [`RsaKey::from_encrypted_pem`].
pub fn encrypted(input: &[u8]) {
    let is_pem = input.windows(10).any(|ten| ten == b"Proc-Type:");
    if asks_for_many_rounds(input) {
        return;
    }
    let decrypt = || match is_pem {
        true => RsaKey::from_encrypted_pem(input, PASSPHRASE),
        false => RsaKey::from_encrypted_der(input, PASSPHRASE),
    };
    let decrypted = assert_same_key(input, [decrypt(), decrypt()]);
    let plain = match is_pem {
        true => RsaKey::from_pem(input),
        false => RsaKey::from_der(input),
    };
    if let Ok(plain) = plain {
        drop(assert_same_key(input, [Ok(plain), decrypted]));
    }
}

/// Whether anything in the input could be read as an INTEGER of more rounds than this target computes, and no more than
/// the library computes.
fn asks_for_many_rounds(input: &[u8]) -> bool {
    const INTEGER: u8 = 2;
    (0..input.len()).any(|at| match &input[at..] {
        [INTEGER, length, rest @ ..] => {
            let digits = rest.get(..usize::from(*length)).unwrap_or_default();
            let digits: Vec<_> = digits.iter().skip_while(|digit| **digit == 0).collect();
            let number = digits.iter().fold(0_u64, |number, digit| {
                number
                    .saturating_mul(256)
                    .saturating_add(u64::from(**digit))
            });
            let is_exponent = number == 65537; // of the RSA key in a certificate
            (MAX_ROUNDS + 1..=2_000_000).contains(&number) && !is_exponent
        }
        _ => false,
    })
}
