//! Object identifiers that several files name, as the value of an element in DER.

/// Key algorithms (RFC 3279 §2.3.1, RFC 4055 §1.2, RFC 5480 §2.1.1, RFC 8410 §3).
pub(super) const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
pub(super) const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
pub(super) const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
pub(super) const ED25519: &[u8] = b"\x2b\x65\x70";

/// Hash functions (RFC 5754 §2).
pub(super) const SHA_256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
pub(super) const SHA_384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
pub(super) const SHA_512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";
