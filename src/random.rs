//! Random numbers from the operating system: identifiers that cannot be guessed, and jitter.

use std::fmt::Write as _;

use crate::error::Error;

/// Returns a random UUID, version 4 (RFC 9562 §5.4).
///
/// # Errors
/// The operating system has no random numbers.
pub(crate) fn uuid() -> Result<String, Error> {
    let mut text = uuid_hex()?;
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    Ok(text)
}

/// Returns a random UUID as 32 hexadecimal digits, without hyphens.
///
/// # Errors
/// The operating system has no random numbers.
pub(crate) fn uuid_hex() -> Result<String, Error> {
    let bits = bits()
        .map_err(|error| Error::config("the system has no random numbers").with_source(error))?;
    let version_4 = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36); // hyphens included
    let _ = write!(text, "{version_4:032x}"); // writing to a `String` cannot fail
    Ok(text)
}

/// Returns a random number in `0.0..1.0` for jitter, or 0 if the system has no random numbers.
pub(crate) fn jitter() -> f64 {
    let bits = bits().map_or(0, |bits| bits >> 96);
    f64::from(u32::try_from(bits).unwrap_or(0)) / 4_294_967_296.0
}

fn bits() -> Result<u128, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::getrandom(&mut bytes).map(|()| u128::from_be_bytes(bytes))
}
