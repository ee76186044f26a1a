//! The certificates that a server's certificate may descend from.

use std::env;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{PemItem, parse_pem};

use crate::failure::Failure;
use crate::files;
use crate::messages::print_message;
use crate::options::CommonOptions;

/// The variables of OpenSSL, which replace the roots of the machine.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/// The tag of a SEQUENCE in DER.
const SEQUENCE: u8 = 0x30;

/// Which roots to trust: those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the machine's or Mozilla's, by the options.
/// The certificates of a file are trusted in any case.
#[derive(Debug)]
pub(crate) struct Roots {
    are_of_machine: bool,
    ca: Option<PathBuf>,
}

impl Roots {
    pub(crate) fn from_options(options: &CommonOptions) -> Self {
        Self {
            are_of_machine: options.system_roots,
            ca: options.ca.clone(),
        }
    }

    /// Reads the certificates.
    ///
    /// # Errors
    /// If a named file holds no certificate.
    pub(crate) fn read(&self) -> Result<RootCertStore, Failure> {
        let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let variables: Vec<_> = VARIABLES.into_iter().filter(is_set).collect();
        let mut certificates = match variables.is_empty() && !self.are_of_machine {
            true => webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec(),
            false => system_roots(&variables)?,
        };
        if let Some(file) = &self.ca {
            certificates.extend(read_certificates(file)?);
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        Ok(roots)
    }
}

/// Returns the machine's roots, or those of the variables, which the library reads itself.
fn system_roots(variables: &[&str]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let origin = match variables {
        [] => "--system-roots".to_owned(),
        variables => variables.join(", "),
    };
    // The errors name files, and a variable may hold anything.
    let reasons: Vec<_> = (found.errors.iter())
        .map(|error| match &error.kind {
            rustls_native_certs::ErrorKind::Io { inner, .. } => inner.to_string(),
            _ => error.context.to_owned(),
        })
        .collect();
    let reason = reasons.first().map(|reason| format!(": {reason}"));
    let reason = reason.unwrap_or_default();
    match (found.certs.is_empty(), reasons.is_empty()) {
        (true, _) => {
            return Err(Failure::config(format!(
                "{origin}: no certificate in PEM was found{reason}"
            )));
        }
        (false, false) => {
            print_message(&format!(
                "{origin}: a part of the certificates cannot be read{reason}"
            ));
        }
        (false, true) => {}
    }
    Ok(found.certs)
}

/// Returns the certificates of a file: one or many in PEM, or one in DER.
fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = files::read("--ca", file)?;
    if is_der_certificate(&bytes) {
        return Ok(vec![bytes.to_vec().into()]);
    }
    let mut certificates = Vec::new();
    let failure =
        |text: &str| Failure::config(format!("{}: {text}", file.display())).with_origin("ca");
    for item in parse_pem(&bytes) {
        match item {
            Ok(PemItem::Certificate(certificate)) if is_der_certificate(certificate.der()) => {
                certificates.push(certificate.der().to_vec().into());
            }
            Ok(PemItem::Certificate(_)) | Err(_) => {
                return Err(failure("a certificate in this is damaged"));
            }
            Ok(_) => {}
        }
    }
    match certificates.is_empty() {
        true => Err(failure(what_it_is_instead(&bytes))),
        false => Ok(certificates),
    }
}

/// Returns whether the bytes are one SEQUENCE that begins with another, as a certificate does (RFC 5280 §4.1).
fn is_der_certificate(bytes: &[u8]) -> bool {
    let Some(content) = sequence_content(bytes) else {
        return false;
    };
    content.first() == Some(&SEQUENCE)
}

/// Returns the content of a SEQUENCE that spans all of the bytes.
fn sequence_content(bytes: &[u8]) -> Option<&[u8]> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, content) = match usize::from(first).checked_sub(0x80) {
        None => (usize::from(first), rest),
        Some(count @ 1..=4) => {
            let (digits, content) = rest.split_at_checked(count)?;
            let length = digits.iter().try_fold(0_usize, |sum, digit| {
                sum.checked_mul(256)?.checked_add((*digit).into())
            })?;
            (length, content)
        }
        Some(_) => return None,
    };
    (tag == SEQUENCE && content.len() == length).then_some(content)
}

fn what_it_is_instead(bytes: &[u8]) -> &'static str {
    const INTEGER: u8 = 0x02;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    match sequence_content(bytes).and_then(<[u8]>::first) {
        Some(&OBJECT_IDENTIFIER) => {
            "this is PKCS#7: convert it with openssl pkcs7 -inform DER -print_certs -in FILE -out ca.pem"
        }
        Some(&INTEGER) => {
            "this is a key or PKCS#12; convert the latter with openssl pkcs12 -cacerts -nokeys -in FILE -out ca.pem"
        }
        _ if bytes.windows(11).any(|window| window == b"BEGIN PKCS7") => {
            "this is PKCS#7: convert it with openssl pkcs7 -print_certs -in FILE -out ca.pem"
        }
        _ => "there is no certificate in this",
    }
}
