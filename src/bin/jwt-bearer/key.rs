//! The `key` command: what a key file holds, and its public key in the forms in which servers register it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jwt_bearer::{Algorithm, Certificate, Key, PublicKeyOfFile};

use crate::certificate;
use crate::failure::Failure;
use crate::files::read;
use crate::key_new::{self, NewKey};
use crate::key_source::{FoundKey, KeyFile, read_key_file};
use crate::messages::escape_invisible;
use crate::options::parse_algorithm;
use crate::output::print_to_stdout;
use crate::public_form::{FingerprintForm, PublicForm, fingerprint_in, public_text};

/// Columns of the labels.
const LABELS: usize = 13;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct KeyArguments {
    /// A private key of any format, a credential file, a public key or a certificate.
    #[arg(value_name = "FILE", required = true, allow_hyphen_values = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
    /// The key ID for the JWK [default: that of the file, else the thumbprint]
    #[arg(long, value_name = "KID", visible_alias = "kid", requires = "public")]
    key_id: Option<String>,
    /// The algorithm for the JWK, if the key can sign several [default: that of the file, else the usual one]
    #[arg(long, value_name = "ALG", value_parser = parse_algorithm, requires = "public")]
    alg: Option<Algorithm>,
    /// The passphrase of an encrypted key. One line end at the end of a text is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    passphrase_file: Option<PathBuf>,
    /// The certificate of the key, if it is in another file.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    certificate: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<KeyCommand>,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Makes a key in a new file, and prints its public key to register.
    New(NewKey),
}

#[derive(Args)]
#[group(multiple = false)]
struct Form {
    /// Prints the public key, to register it at a server.
    #[arg(long, value_name = "FORM", value_enum)]
    public: Option<PublicForm>,
    /// Prints SHA-256 of the public key, to compare it with what a server shows.
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "snowflake"
    )]
    fingerprint: Option<FingerprintForm>,
    /// Prints the thumbprint of the public key (RFC 7638), which many servers use as the key ID.
    #[arg(long)]
    thumbprint: bool,
}

pub(crate) fn run(arguments: KeyArguments) -> Result<(), Failure> {
    if let Some(KeyCommand::New(new)) = arguments.command {
        return key_new::run(&new);
    }
    let file = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let mut key = read_key_file("FILE", file, arguments.passphrase_file.as_deref())?;
    if let Some(file) = &arguments.certificate {
        let certificate = Certificate::read(&*read("--certificate", file)?);
        key.certificate = Some(certificate.map_err(|error| Failure::in_file(file, error))?);
    }
    let Form {
        public,
        fingerprint,
        thumbprint,
    } = arguments.form;
    if public.is_none() && fingerprint.is_none() && !thumbprint {
        return show(file, &key);
    }
    let public_key = key.public().ok_or_else(|| {
        Failure::config(format!(
            "{}: this is the secret of an HMAC, which has no public key: the server has the same secret",
            file.display()
        ))
    })?;
    print_to_stdout(&match (public, fingerprint) {
        (Some(form), _) => {
            let algorithm = jwk_algorithm(file, &key, arguments.alg)?;
            let key_id = arguments.key_id.as_deref().or(key.key_id());
            public_text(public_key, form, algorithm, key_id)
        }
        (None, Some(form)) => fingerprint_in(form, public_key),
        (None, None) => public_key.thumbprint(),
    })
}

/// Returns the `alg` of the JWK.
fn jwk_algorithm(
    file: &Path,
    key: &KeyFile,
    asked: Option<Algorithm>,
) -> Result<Algorithm, Failure> {
    match asked {
        Some(algorithm) if !key.algorithms().contains(&algorithm) => Err(Failure::config(format!(
            "{}: this key does not sign {algorithm}; it signs {}",
            file.display(),
            names(key.algorithms())
        ))),
        Some(algorithm) => Ok(algorithm),
        None => Ok(key.algorithm().unwrap_or(Algorithm::Rs256)),
    }
}

pub(crate) fn names(algorithms: &[Algorithm]) -> String {
    let names: Vec<_> = algorithms.iter().map(|name| name.name()).collect();
    names.join(", ")
}

/// Prints what the file holds.
///
/// # Errors
/// If the certificate is of another key.
fn show(file: &Path, key: &KeyFile) -> Result<(), Failure> {
    let mut lines = Lines::default();
    lines.add("kind", &kind(key));
    if let Some(provider) = key.provider {
        lines.add(
            "file",
            &format!("credential file of the provider {provider}"),
        );
    }
    if !matches!(key.found, FoundKey::Public(_)) {
        lines.add("encrypted", if key.is_encrypted { "yes" } else { "no" });
    }
    lines.add("algorithms", &names(key.algorithms()));
    match (key.key_id(), key.public()) {
        (Some(key_id), _) => lines.add("key id", key_id),
        (None, Some(_)) => lines.add("key id", "none in the file; a JWK of it has the thumbprint"),
        (None, None) => lines.add("key id", "none in the file"),
    }
    if let Some(public) = key.public() {
        lines.add("thumbprint", &public.thumbprint());
        let fingerprint = fingerprint_in(FingerprintForm::Snowflake, public);
        lines.add("fingerprint", &fingerprint);
        lines.add("", &fingerprint_in(FingerprintForm::Hex, public));
    }
    for repair in key.repairs() {
        lines.add("repaired", repair);
    }
    let is_of_key = key.certificate.as_ref().map(|certificate| {
        let is_of_key = is_of(certificate, key);
        lines.add(
            "certificate",
            match (&key.found, is_of_key) {
                (FoundKey::Public(_), true) => "this is its public key",
                (_, true) => "of this key",
                (_, false) => "of ANOTHER key",
            },
        );
        for (label, text) in certificate::describe(certificate) {
            let label = format!("  {label}");
            lines.add(label.trim_end(), &text);
        }
        is_of_key
    });
    if key.is_pkcs12 && key.certificate.is_none() {
        lines.add(
            "certificate",
            "not read out of a PKCS#12 store. This writes it:",
        );
        lines.add("", "openssl pkcs12 -in FILE -clcerts -nokeys -out cert.pem");
    }
    if key.public().is_some() {
        lines.add("register", "--public pem|jwk|jwks prints the public key");
    } else {
        lines.add(
            "register",
            "nothing: a shared secret has no public key, and the server has it too",
        );
    }
    print_to_stdout(lines.0.trim_end())?;
    match is_of_key {
        Some(false) => Err(Failure::config(format!(
            "{}: the certificate is of another key",
            file.display()
        ))),
        _ => Ok(()),
    }
}

fn kind(key: &KeyFile) -> String {
    match &key.found {
        FoundKey::Secret(_) => "shared secret of an HMAC".to_owned(),
        FoundKey::Private(_, public) => format!("private key: {}", public.kind()),
        FoundKey::Public(public) if key.certificate.is_some() => {
            format!("certificate, without a private key: {}", public.kind())
        }
        FoundKey::Public(public) => {
            format!("public key, without its private key: {}", public.kind())
        }
    }
}

fn is_of(certificate: &Certificate, key: &KeyFile) -> bool {
    let signer: Option<&Key> = match &key.found {
        FoundKey::Private(key, _) => Some(key),
        FoundKey::Secret(_) => return false,
        FoundKey::Public(_) => None,
    };
    match (signer, key.public(), certificate.x5c().first()) {
        (Some(signer), ..) => certificate.is_of(signer),
        (None, Some(public), Some(der)) => {
            let of_certificate = PublicKeyOfFile::read(der.as_bytes());
            of_certificate.is_ok_and(|other| other.sha256() == public.sha256())
        }
        _ => false,
    }
}

/// Lines of a label and a text, in two columns.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, text: &str) {
        let text = escape_invisible(text);
        let _ = writeln!(self.0, "{label:LABELS$} {text}"); // a string takes everything
    }
}
