//! What a DER is that is no RSA private key, so that the error can say so. No key material is
//! touched.

use rsa::pkcs8::PrivateKeyInfo;
use rsa::pkcs8::der::asn1::AnyRef;
use rsa::pkcs8::der::{Decode as _, ErrorKind, Reader as _, Result, SliceReader, Tag, Tagged as _};

use crate::pem::CUT_OFF;

pub(crate) const ENCRYPTED: &str = "this key is encrypted: a passphrase is needed";

/// What a DER is that is no RSA private key, by its algorithm or else by its first two elements.
pub(crate) fn instead_of_rsa(der: &[u8]) -> &'static str {
    if let Ok(info) = PrivateKeyInfo::try_from(der) {
        return match info.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" => "the parts of this RSA key do not belong together",
            "1.2.840.113549.1.1.10" => "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
            "1.2.840.10045.2.1" => "this is an EC key; RS256 needs RSA",
            "1.3.101.112" => "this is an Ed25519 key; RS256 needs RSA",
            _ => "this is a key of another kind; RS256 needs RSA",
        };
    }
    match first_two_tags(der) {
        Ok((Tag::Integer, Tag::OctetString)) => "this is an EC key; RS256 needs RSA",
        Ok((Tag::Integer, Tag::Integer)) => "the parts of this RSA key do not belong together",
        Ok((Tag::Sequence, Tag::BitString)) => "this is a public key",
        Ok((Tag::Sequence, Tag::OctetString)) => ENCRYPTED,
        Ok((Tag::Sequence, Tag::Sequence)) => "this is a certificate",
        Err(error) if matches!(error.kind(), ErrorKind::Incomplete { .. }) => CUT_OFF,
        _ => "this is not an RSA private key in PKCS#1 or PKCS#8",
    }
}

fn first_two_tags(der: &[u8]) -> Result<(Tag, Tag)> {
    let outer = AnyRef::from_der(der)?;
    let mut inner = SliceReader::new(outer.value())?;
    Ok((
        inner.decode::<AnyRef<'_>>()?.tag(),
        inner.decode::<AnyRef<'_>>()?.tag(),
    ))
}
