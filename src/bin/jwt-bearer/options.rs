//! Options that several commands have. Their doc comments are the help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use jwt_bearer::Algorithm;

/// The heading of the options that say what is printed.
pub(crate) const OUTPUT: &str = "Output";

#[derive(Args)]
pub(crate) struct CacheOptions {
    /// Shares the token with later runs until it expires. The directory is private to the user: jwt-bearer below
    /// $XDG_CACHE_HOME or the platform's cache directory.
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(crate) cache: bool,
    /// Like --cache, in this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, global = true, help_heading = OUTPUT)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Fetches a new token in place of the one in the cache.
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(crate) refresh: bool,
    /// Fetches a new token if the one in the cache expires sooner than this.
    #[arg(long, value_name = "SECONDS", global = true, help_heading = OUTPUT)]
    pub(crate) min_lifetime: Option<u64>,
}

impl CacheOptions {
    pub(crate) fn is_used(&self) -> bool {
        self.cache || self.cache_dir.is_some()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretEncoding {
    /// The secret is the text, or the bytes, of the file.
    Text,
    /// Hexadecimal digits.
    Hex,
    /// Base64, with or without padding.
    Base64,
    /// Base64 with the alphabet of URLs, with or without padding.
    Base64url,
}

#[derive(Args, Clone)]
pub(crate) struct CommonOptions {
    /// The key ID: header member kid.
    #[arg(long, help_heading = "Key", value_name = "KID")]
    pub(crate) key_id: Option<String>,
    /// The algorithm, if the key can sign several [default: what the key file or the profile names, else RS256 or HS256]
    #[arg(long, help_heading = "Key", value_name = "ALG", value_parser = parse_algorithm)]
    pub(crate) alg: Option<Algorithm>,
    /// The passphrase of an encrypted key. One line end at the end of a text is dropped.
    #[arg(long, help_heading = "Key", value_name = "FILE", value_hint = ValueHint::FilePath, allow_hyphen_values = true)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Additional root certificates to trust: one or many in PEM, or one in DER.
    #[arg(long, help_heading = "Network", value_name = "FILE", value_hint = ValueHint::FilePath, allow_hyphen_values = true)]
    pub(crate) ca: Option<PathBuf>,
    /// Trusts the root certificates of this machine instead of Mozilla's. The variables SSL_CERT_FILE and
    /// SSL_CERT_DIR replace both.
    #[arg(long, help_heading = "Network")]
    pub(crate) system_roots: bool,
    /// The time limit for the whole command.
    #[arg(long, help_heading = "Network", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Signs by the server's clock if the server refuses an assertion and this machine's clock differs from the server's.
    #[arg(long, help_heading = "Assertion")]
    pub(crate) correct_clock: bool,
    /// Copied from the options of the whole command.
    #[arg(skip)]
    pub(crate) verbose: bool,
}

impl CommonOptions {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

pub(crate) fn parse_algorithm(text: &str) -> Result<Algorithm, &'static str> {
    let is_ed25519 = ["EdDSA", "Ed25519"] // RFC 8037 §3.1, RFC 9864 §2.2
        .iter()
        .any(|name| name.eq_ignore_ascii_case(text));
    let algorithm = match is_ed25519 {
        true => Some(Algorithm::EdDsa),
        false => Algorithm::named(&text.to_ascii_uppercase()),
    };
    algorithm.filter(|name| *name != Algorithm::Es512).ok_or(
        "expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384 or HS512",
    )
}
