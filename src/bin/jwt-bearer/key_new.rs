//! The `key new` command: a key pair in a new file, and a self-signed certificate if a server asks for one.
//!
//! Everything is generated before the first file is created, and a file is removed again if the next step fails. An
//! existing file is never written to.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use jwt_bearer::{Key, PublicKeyOfFile, Signer as _};
use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::OsRng;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files::is_content;
use crate::messages::{escape_invisible, print_note};
use crate::output::print_to_stdout;
use crate::public_form::{PublicForm, public_text};
use crate::shell;
use crate::times::{unix, utc};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long before now a certificate becomes valid, for servers whose clocks are behind.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(3600);
/// Characters of the longest common name (`ub-common-name` of RFC 5280 §A.1).
const MAX_COMMON_NAME: usize = 64;
/// The beginning of an Ed25519 key in PKCS#8, before its 32 bytes (RFC 8410 §7).
///
/// `ring` writes the second version of PKCS#8, which OpenSSL 1.1 does not read.
const ED25519_PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    jwt-bearer key new key.pem\n  \
    jwt-bearer key new key.pem --type p-256 --public jwks > jwks.json\n  \
    jwt-bearer key new key.pem --certificate cert.pem --subject my-app --days 730")]
pub(crate) struct NewKey {
    /// The file of the private key: PKCS#8 in PEM, which only you can read. It must not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The kind of the key.
    #[arg(long = "type", short = 't', value_name = "TYPE", value_enum, default_value_t = KeyType::Rsa2048)]
    kind: KeyType,
    /// Makes a self-signed certificate too, as Salesforce and Entra ask for it. The file must not exist.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The common name in the certificate.
    #[arg(
        long,
        value_name = "NAME",
        requires = "certificate",
        default_value = "jwt-bearer",
        value_parser = common_name
    )]
    subject: String,
    /// How long the certificate is valid.
    #[arg(
        long,
        value_name = "DAYS",
        requires = "certificate",
        default_value_t = 365,
        value_parser = clap::value_parser!(u32).range(1..=7300)
    )]
    days: u32,
    /// How the public key is printed [default: pem, or nothing with --certificate]
    #[arg(long, value_name = "FORM", value_enum)]
    public: Option<PublicForm>,
    /// The key ID for the JWK [default: the thumbprint]
    #[arg(long, value_name = "KID", visible_alias = "kid")]
    key_id: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyType {
    /// RSA with 2048 bits, which every server takes.
    #[value(name = "rsa-2048", alias = "rsa")]
    Rsa2048,
    /// RSA with 3072 bits.
    #[value(name = "rsa-3072")]
    Rsa3072,
    /// RSA with 4096 bits.
    #[value(name = "rsa-4096")]
    Rsa4096,
    /// EC on P-256, for ES256.
    #[value(name = "p-256", aliases = ["ec", "p256", "es256"])]
    P256,
    /// EC on P-384, for ES384.
    #[value(name = "p-384", aliases = ["p384", "es384"])]
    P384,
    /// Ed25519, for EdDSA.
    #[value(name = "ed25519", alias = "eddsa")]
    Ed25519,
}

/// Makes the key and the certificate, and prints what to register.
///
/// # Errors
/// If a file exists or cannot be written.
pub(crate) fn run(new: &NewKey) -> Result<(), Failure> {
    for path in [Some(&new.file), new.certificate.as_ref()]
        .into_iter()
        .flatten()
    {
        check_path(path)?;
    }
    if new.certificate.as_ref() == Some(&new.file) {
        return Err(Failure::usage(
            "--certificate: the certificate needs another file than the key",
        ));
    }
    let der = private_key(new.kind)?;
    let key = Key::read_preferring_ring(&der, None, None)?;
    let public = PublicKeyOfFile::read(key.public_pem().unwrap_or_default().as_bytes())?;
    let text = Zeroizing::new(pem_text("PRIVATE KEY", &der));
    let certificate = match &new.certificate {
        Some(path) => Some((path, certificate(&der, new)?)),
        None => None,
    };
    create(&new.file, 0o600, text.as_bytes())?;
    if let Some((path, certificate)) = &certificate {
        create(path, 0o644, certificate.pem.as_bytes()).inspect_err(|_| {
            let _ = fs::remove_file(&new.file); // it was made here, a moment ago
        })?;
    }
    let form = new.public.or(match certificate {
        Some(_) => None,
        None => Some(PublicForm::Pem),
    });
    report(
        new,
        &public,
        certificate.as_ref().map(|(_, made)| made.expires_at),
    );
    match form {
        Some(form) => {
            let text = public_text(&public, form, key.algorithm(), new.key_id.as_deref());
            print_to_stdout(&text)
        }
        None => Ok(()),
    }
}

/// Prints what was made and what to do with it.
fn report(new: &NewKey, public: &PublicKeyOfFile, expires_at: Option<i64>) {
    print_note(format_args!(
        "{}: private key: {}",
        shown(&new.file),
        public.kind()
    ));
    let file = word(&new.file.display().to_string());
    let (mut register, mut options) = ("the public key", format!("--key {file}"));
    if let (Some(path), Some(expires_at)) = (&new.certificate, expires_at) {
        let subject = escape_invisible(&new.subject);
        print_note(format_args!(
            "{}: certificate of {subject}, valid until {}",
            shown(path),
            utc(expires_at)
        ));
        let path = word(&path.display().to_string());
        register = "the certificate";
        options = format!("{options} --certificate {path}");
    }
    if let Some(key_id) = &new.key_id {
        options = format!("{options} --key-id {}", word(key_id));
    }
    print_note(format_args!(
        "next: register {register} at the server, then"
    ));
    print_note(format_args!("  jwt-bearer token PROVIDER {options} ..."));
    print_note("other forms of the public key:");
    print_note(format_args!(
        "  jwt-bearer key {file} --public jwk|jwks|pem"
    ));
}

/// Returns a text as a word of a command to paste.
fn word(text: &str) -> String {
    shell::word(&escape_invisible(text))
}

fn shown(path: &Path) -> String {
    escape_invisible(&path.display().to_string())
}

/// # Errors
/// If the path is not the name of a new file.
fn check_path(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Err(Failure::usage(
            "a new key goes to a file that only you can read, and never to standard output",
        ));
    }
    // A key that is given by mistake is not repeated.
    if is_content(&path.to_string_lossy()) {
        return Err(Failure::usage(
            "the name of a new file is wanted, not what is in a file",
        ));
    }
    match fs::symlink_metadata(path) {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::config(format!(
        "{}: this file exists, and is not replaced: choose another name, or move it away",
        shown(path)
    ))
}

/// Writes a new file. It has its mode from the beginning, and is removed if it cannot be written completely.
fn create(path: &Path, mode: u32, content: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let failure = |error: &io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::config(format!("{}: {error}", shown(path))),
    };
    let mut file = options.open(path).map_err(|error| failure(&error))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        failure(&error)
    })
}

/// Returns a new private key in PKCS#8.
pub(crate) fn private_key(kind: KeyType) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let random = SystemRandom::new();
    let no_random = || Failure::config("the system has no random numbers");
    let rsa = |bits| {
        let key = RsaPrivateKey::new(&mut OsRng, bits).map_err(|_| no_random())?;
        let der = key.to_pkcs8_der().map_err(|_| no_random())?;
        Ok(der.to_bytes())
    };
    let ec = |how| {
        let key = EcdsaKeyPair::generate_pkcs8(how, &random).map_err(|_| no_random())?;
        Ok(Zeroizing::new(key.as_ref().to_vec()))
    };
    match kind {
        KeyType::Rsa2048 => rsa(2048),
        KeyType::Rsa3072 => rsa(3072),
        KeyType::Rsa4096 => rsa(4096),
        KeyType::P256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyType::P384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyType::Ed25519 => {
            let mut seed = Zeroizing::new([0; 32]);
            random.fill(&mut *seed).map_err(|_| no_random())?;
            let mut der = Zeroizing::new(Vec::with_capacity(ED25519_PKCS8.len() + seed.len()));
            der.extend_from_slice(ED25519_PKCS8);
            der.extend_from_slice(&*seed);
            Ok(der)
        }
    }
}

struct NewCertificate {
    pem: String,
    expires_at: i64,
}

/// Returns a self-signed certificate of the key.
fn certificate(der: &[u8], new: &NewKey) -> Result<NewCertificate, Failure> {
    let algorithm = match new.kind {
        KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => &rcgen::PKCS_RSA_SHA256,
        KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        KeyType::Ed25519 => &rcgen::PKCS_ED25519,
    };
    let failure = |error: rcgen::Error| Failure::config(format!("the certificate: {error}"));
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), algorithm).map_err(failure)?;
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.not_before = (now - CLOCK_TOLERANCE).into();
    params.not_after = (now + DAY * new.days).into();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, &*new.subject);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let made = params.self_signed(&key).map_err(failure)?;
    Ok(NewCertificate {
        pem: pem_text("CERTIFICATE", made.der()),
        expires_at: unix(now + DAY * new.days),
    })
}

/// Returns PEM with the line ends that openssl writes.
pub(crate) fn pem_text(label: &str, der: &[u8]) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new(label, der), config)
}

/// Takes the common name by itself, or as openssl writes it.
fn common_name(text: &str) -> Result<String, &'static str> {
    let name = text.strip_prefix('/').unwrap_or(text);
    let name = name.strip_prefix("CN=").unwrap_or(name).trim();
    match name.chars().count() {
        0 => Err("a name is needed, such as my-app"),
        1..=MAX_COMMON_NAME if name.chars().any(char::is_control) => {
            Err("a name has no control characters")
        }
        1..=MAX_COMMON_NAME => Ok(name.to_owned()),
        _ => Err("a common name has 64 characters at most"),
    }
}
