//! Decrypts what a block cipher in CBC mode encrypted (RFC 8018 §6.1.2). Nothing is encrypted here.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockCipher, BlockDecryptMut, KeyInit, KeyIvInit as _};
use zeroize::Zeroizing;

use super::der::is_sequence;
use super::material::{Cipher, SecretBytes};
use crate::overwrite::overwrite_stack;

/// Decrypts a private key in DER.
///
/// Returns `None` if the padding is wrong. One wrong cipher key in 256 leaves valid padding, but the bytes before the
/// padding are not DER: then it returns `None` too.
pub(super) fn decrypt(
    cipher: Cipher,
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Option<SecretBytes> {
    let decrypted = match cipher {
        Cipher::Aes128 => decrypt_by::<aes::Aes128Dec>(key, iv, ciphertext),
        Cipher::Aes192 => decrypt_by::<aes::Aes192Dec>(key, iv, ciphertext),
        Cipher::Aes256 => decrypt_by::<aes::Aes256Dec>(key, iv, ciphertext),
        Cipher::TripleDes => decrypt_by::<des::TdesEde3>(key, iv, ciphertext),
        Cipher::TripleDesOfTwoKeys => decrypt_by::<des::TdesEde2>(key, iv, ciphertext),
        Cipher::Des => decrypt_by::<des::Des>(key, iv, ciphertext),
    };
    overwrite_stack::<4096>(); // the cipher leaves decrypted blocks there
    decrypted.filter(|bytes| is_sequence(bytes))
}

#[inline(never)] // so that its blocks are in the part of the stack that is overwritten
fn decrypt_by<C>(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<SecretBytes>
where
    C: BlockCipher + BlockDecryptMut + KeyInit,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    let mut bytes = Zeroizing::new(ciphertext.to_vec());
    let length = cipher.decrypt_padded_mut::<Pkcs7>(&mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}
