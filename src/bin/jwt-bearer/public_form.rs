//! A public key and its fingerprint, in the forms in which servers register and show them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use jwt_bearer::{Algorithm, PublicKeyOfFile};

/// How the public key is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PublicForm {
    /// PEM (SubjectPublicKeyInfo), as openssl pkey -pubout writes it.
    Pem,
    /// A JWK (RFC 7517).
    Jwk,
    /// A JWK set with this one key.
    Jwks,
}

/// How the fingerprint of a public key is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FingerprintForm {
    /// `SHA256:` and base64, as Snowflake and GitHub show it.
    Snowflake,
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
}

/// Returns a public key as servers register it.
pub(crate) fn public_text(
    key: &PublicKeyOfFile,
    form: PublicForm,
    algorithm: Algorithm,
    key_id: Option<&str>,
) -> String {
    match form {
        PublicForm::Pem => key.pem().trim_end().to_owned(),
        PublicForm::Jwk => key.jwk(algorithm, key_id),
        PublicForm::Jwks => format!(r#"{{"keys":[{}]}}"#, key.jwk(algorithm, key_id)),
    }
}

/// Returns the fingerprint of a public key.
pub(crate) fn fingerprint_in(form: FingerprintForm, key: &PublicKeyOfFile) -> String {
    match form {
        FingerprintForm::Snowflake => format!("SHA256:{}", STANDARD.encode(key.sha256())),
        FingerprintForm::Base64 => STANDARD.encode(key.sha256()),
        FingerprintForm::Hex => hex(&key.sha256()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}
