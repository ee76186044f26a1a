//! Elements of DER (X.690), read and written. Nothing is copied while reading.

/// The tags of the elements that keys consist of (X.680 §8.4).
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const NULL: u8 = 0x05;
/// Context-specific tags of constructed elements, which ASN.1 writes as `[0]`, `[1]` and `[2]`.
pub(crate) const CONTEXT_0: u8 = 0xa0;
pub(crate) const CONTEXT_1: u8 = 0xa1;
pub(crate) const CONTEXT_2: u8 = 0xa2;
/// The tag `[1]`, which replaces that of a BIT STRING.
pub(crate) const IMPLICIT_1: u8 = 0x81;

/// A tag and the bytes of its value.
#[derive(Clone, Copy)]
pub(crate) struct Element<'d> {
    pub(crate) tag: u8,
    pub(crate) value: &'d [u8],
}

/// Why bytes are not DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DerError {
    /// The bytes end inside an element.
    CutOff,
    Malformed,
}

type Result<T> = std::result::Result<T, DerError>;

/// Splits the first element from the bytes after it.
#[inline(never)] // six callers would have a copy each
pub(crate) fn split_first(bytes: &[u8]) -> Result<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first().ok_or(DerError::CutOff)?;
    let (&first, rest) = rest.split_first().ok_or(DerError::CutOff)?;
    let (length, rest) = match (tag & 0x1f, first) {
        (0x1f, _) => return Err(DerError::Malformed), // a tag of several bytes
        (_, 0..=0x7f) => (usize::from(first), rest),
        (_, 0x81..=0x84) => long_length(first & 0x7f, rest)?,
        _ => return Err(DerError::Malformed), // BER's indefinite length, or more than 4 GiB
    };
    let (value, rest) = rest.split_at_checked(length).ok_or(DerError::CutOff)?;
    Ok((Element { tag, value }, rest))
}

/// Reads a length of `count` digits, which must be as few as possible (X.690 §10.1).
fn long_length(count: u8, bytes: &[u8]) -> Result<(usize, &[u8])> {
    let (digits, rest) = (bytes.split_at_checked(usize::from(count))).ok_or(DerError::CutOff)?;
    let length = digits.iter().fold(0_usize, |length, digit| {
        length.saturating_mul(256).saturating_add((*digit).into())
    });
    match digits {
        [0, ..] | [0..=0x7f] => Err(DerError::Malformed),
        _ => Ok((length, rest)),
    }
}

/// Returns the elements in the value of an element.
pub(crate) fn elements(mut bytes: &[u8]) -> Result<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let (element, rest) = split_first(bytes)?;
        elements.push(element);
        bytes = rest;
    }
    Ok(elements)
}

/// Returns the elements of a SEQUENCE, and the bytes after it.
pub(crate) fn split_sequence(bytes: &[u8]) -> Result<(Vec<Element<'_>>, &[u8])> {
    match split_first(bytes)? {
        (first, rest) if first.tag == SEQUENCE => Ok((elements(first.value)?, rest)),
        _ => Err(DerError::Malformed),
    }
}

/// Returns the elements of a SEQUENCE that has no bytes after it.
pub(crate) fn sequence(bytes: &[u8]) -> Result<Vec<Element<'_>>> {
    match split_sequence(bytes)? {
        (elements, []) => Ok(elements),
        _ => Err(DerError::Malformed),
    }
}

/// Returns whether the bytes are one SEQUENCE and nothing else.
pub(crate) fn is_sequence(bytes: &[u8]) -> bool {
    matches!(split_first(bytes), Ok((element, [])) if element.tag == SEQUENCE)
}

/// Returns a nonnegative INTEGER, or the largest number if it has more bits.
pub(crate) fn saturating_u64(integer: &Element<'_>) -> u64 {
    let digits = without_leading_zeros(integer.value);
    let mut bytes = [0; 8];
    if digits.len() > bytes.len() {
        return u64::MAX;
    }
    for (byte, digit) in bytes.iter_mut().rev().zip(digits.iter().rev()) {
        *byte = *digit;
    }
    u64::from_be_bytes(bytes)
}

/// Returns a number without leading zeros.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Returns the length of a number in bits. It has no leading zeros.
#[cfg(feature = "ring")]
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let zeros = number.first().map_or(0, |first| first.leading_zeros());
    let bits = number.len().saturating_mul(8);
    bits.saturating_sub(zeros.try_into().unwrap_or_default())
}

/// Encodes a nonnegative INTEGER, given without leading zeros.
pub(crate) fn encode_unsigned(number: &[u8]) -> Vec<u8> {
    match number {
        [0x80..=0xff, ..] => encode(INTEGER, &[&[0], number].concat()), // or it would be negative
        _ => encode(INTEGER, number),
    }
}

/// Encodes tag, length and value (X.690 §8.1).
pub(crate) fn encode(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let length = without_leading_zeros(&length);
    let long = match length {
        [] => 0, // an empty value
        [0..=0x7f] => return [&[tag], length, value].concat(),
        _ => 0x80 | u8::try_from(length.len()).unwrap_or_default(),
    };
    [&[tag, long], length, value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> Option<DerError> {
        split_first(bytes).err()
    }

    #[test]
    fn element_is_split_from_the_bytes_after_it() {
        let (element, rest) = split_first(b"\x04\x02ab!").ok().unwrap();
        assert_eq!(
            (element.tag, element.value, rest),
            (4, &b"ab"[..], &b"!"[..])
        );
        let long = [&[4, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(split_first(&long).ok().unwrap().0.value, [7; 0x80]);
    }

    #[test]
    fn lengths_that_der_does_not_allow_are_malformed() {
        for bytes in [
            &[4, 0x80][..],            // indefinite
            &[4, 0x81, 0x7f],          // one byte would do
            &[4, 0x82, 0, 0x80],       // a zero in front
            &[4, 0x85, 1, 0, 0, 0, 0], // more than 4 GiB
            &[0x1f, 0x81, 0x00],       // a tag of several bytes
        ] {
            assert!(error(bytes) == Some(DerError::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_end_early_are_cut_off() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 1],
            &[4, 0x82, 1],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(error(bytes) == Some(DerError::CutOff), "{bytes:?}");
        }
    }

    #[test]
    fn encoded_elements_are_those_of_x_690() {
        assert_eq!(encode(OCTET_STRING, b""), [4, 0]);
        assert_eq!(encode_unsigned(&[1, 0, 1]), [2, 3, 1, 0, 1]);
        assert_eq!(encode_unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(encode(SEQUENCE, &[5; 0x80])[..4], [0x30, 0x81, 0x80, 5]);
        assert_eq!(encode(SEQUENCE, &[5; 0x100])[..4], [0x30, 0x82, 1, 0]);
    }
}
