//! The command line's arguments. Their doc comments are the help texts.
//!
//! An option that names a file takes the file's name and never its content, since `ps` shows arguments.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use jwt_bearer::Algorithm;

const TOKEN_OPTIONS: &str = "Token options";

const EXAMPLE: &str = "\
Examples:
  jwt-bearer demo
  jwt-bearer token salesforce --client-id KEY --username ME --key key.pem
  jwt-bearer token cylance ... --format header | curl -H @- URL

Exit status:
  0 success  1 standard output cannot be written  2 usage  3 key or configuration
  4 network  5 denied  6 protocol  7 unavailable (429, 5xx)";

/// Trades a signed JWT for an access token (RFC 7523).
///
/// Signs an assertion with your key and trades it for a short-lived access token at Salesforce, Salesforce
/// Marketing Cloud Intelligence, Cylance, or any server that accepts RFC 7523 assertions.
///
/// Standard output carries the token and nothing else. Keys and secrets are read from files, never from
/// arguments; FILE may be `-` for standard input.
#[derive(Parser)]
#[command(name = "jwt-bearer", version, after_help = EXAMPLE, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows all three systems at work, against a server on loopback.
    ///
    /// Needs no account and no network: the server is started for the demonstration and checks every assertion.
    #[command(after_help = "Example:\n  jwt-bearer demo")]
    Demo,
    /// Fetches an access token and prints it.
    #[command(
        subcommand_value_name = "PROFILE",
        subcommand_help_heading = "Profiles",
        after_help = "Example:\n  \
                      jwt-bearer token cylance --tenant-id T --application-id A --secret secret.txt --region euc1"
    )]
    Token {
        /// Output format: the token, a header line for curl, or everything as JSON.
        #[arg(long, value_enum, default_value_t = Format::Token, global = true, help_heading = TOKEN_OPTIONS)]
        format: Format,
        #[cfg(unix)]
        #[command(flatten)]
        cache: CacheOptions,
        #[command(subcommand)]
        profile: Profile,
    },
    /// Signs an assertion and prints it, without sending anything.
    #[command(
        subcommand_value_name = "PROFILE",
        subcommand_help_heading = "Profiles",
        after_help = "Example:\n  jwt-bearer assertion salesforce --client-id KEY --username ME --key key.pem -v"
    )]
    Assertion {
        #[command(subcommand)]
        profile: Profile,
    },
    /// Removes the tokens that --cache has stored.
    ///
    /// With a profile and its arguments, as they are given to the command token, the token of this profile alone is
    /// removed. The server still accepts a removed token until it expires; the next run fetches a new one.
    #[cfg(unix)]
    #[command(
        subcommand_value_name = "PROFILE",
        subcommand_help_heading = "Profiles",
        after_help = "Examples:\n  jwt-bearer forget\n  \
                      jwt-bearer forget salesforce --client-id KEY --username ME --key key.pem"
    )]
    Forget {
        /// The cache directory, if it is not the default one.
        #[arg(long, value_name = "DIR", global = true)]
        cache_dir: Option<PathBuf>,
        #[command(subcommand)]
        profile: Option<Profile>,
    },
    /// Runs an authorization server on loopback for tests of your own tools.
    ///
    /// Creates a key pair and a secret in a private temporary directory, prints commands that fetch tokens from the
    /// server, and logs one line for each request. Ctrl-C stops the server and removes the directory. Not for
    /// production.
    #[command(after_help = "Example:\n  jwt-bearer sandbox --listen 127.0.0.1:8787")]
    Sandbox {
        /// The loopback address to listen on.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
    },
    /// Prints a shell completion script.
    #[command(
        after_help = "Example:\n  jwt-bearer completions bash > ~/.local/share/bash-completion/completions/jwt-bearer"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page.
    #[command(after_help = "Example:\n  jwt-bearer man | man -l -")]
    Man,
}

#[cfg(unix)]
#[derive(Args)]
pub(crate) struct CacheOptions {
    /// Shares the token with later runs until it expires. The directory is private to the user: jwt-bearer below
    /// $XDG_CACHE_HOME or the platform's cache directory.
    #[arg(long, global = true, help_heading = TOKEN_OPTIONS)]
    pub(crate) cache: bool,
    /// Like --cache, in this directory.
    #[arg(long, value_name = "DIR", global = true, help_heading = TOKEN_OPTIONS)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Fetches a new token in place of the one in the cache.
    #[arg(long, global = true, help_heading = TOKEN_OPTIONS)]
    pub(crate) refresh: bool,
    /// Fetches a new token if the one in the cache expires sooner than this.
    #[arg(long, value_name = "SECONDS", global = true, help_heading = TOKEN_OPTIONS)]
    pub(crate) min_lifetime: Option<u64>,
}

#[cfg(unix)]
impl CacheOptions {
    pub(crate) fn is_used(&self) -> bool {
        self.cache || self.cache_dir.is_some()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The token alone.
    Token,
    /// `Authorization: Bearer ...`
    Header,
    /// The token, its type, `expires_at` in Unix seconds, the scope, and the response's other members.
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Profile {
    /// Salesforce Marketing Cloud Intelligence (Datorama).
    #[command(
        after_help = "Example:\n  jwt-bearer token marketing-cloud-intelligence --credentials credentials.json"
    )]
    MarketingCloudIntelligence(MarketingCloudIntelligence),
    /// Salesforce Platform (OAuth 2.0 JWT bearer flow).
    #[command(
        after_help = "Example:\n  jwt-bearer token salesforce --client-id KEY --username ME --key key.pem \\\n      \
                      --login-url https://acme.my.salesforce.com"
    )]
    Salesforce(Salesforce),
    /// Cylance user API (Arctic Wolf Aurora Endpoint Defense).
    #[command(after_help = "Example:\n  \
                      jwt-bearer token cylance --tenant-id T --application-id A --secret secret.txt --region euc1")]
    Cylance(Cylance),
    /// Any server, with the assertion as client authentication (RFC 7523 §2.2).
    #[command(
        after_help = "Example:\n  jwt-bearer token client-credentials --client-id C --key key.pem \\\n      \
                      --discover https://as.example.com --scope \"read write\""
    )]
    ClientCredentials(ClientCredentials),
    /// Any server, with the assertion as the grant (RFC 7523 §2.1).
    #[command(
        after_help = "Example:\n  jwt-bearer token jwt-bearer --issuer I --subject alice --key key.pem \\\n      \
                      --token-endpoint https://as.example.com/token"
    )]
    JwtBearer(JwtBearer),
}

#[derive(Args)]
#[group(skip)]
#[command(group = exactly_one("endpoint", ["credentials", "discovery_endpoint", "token_endpoint", "region"]))]
pub(crate) struct MarketingCloudIntelligence {
    /// The credential file from Intelligence: account, discovery endpoint and key in one file.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, conflicts_with_all = ["service_account_id", "key"])]
    pub(crate) credentials: Option<PathBuf>,
    /// The discovery endpoint: discoveryEndpoint in the credential file.
    #[arg(long, value_name = "URL", requires_all = ["service_account_id", "key"])]
    pub(crate) discovery_endpoint: Option<String>,
    /// The token endpoint, without discovery.
    #[arg(long, value_name = "URL", requires_all = ["service_account_id", "key"])]
    pub(crate) token_endpoint: Option<String>,
    /// The token endpoint of a region. Only us1 is documented; the others follow its pattern.
    #[arg(long, value_enum, requires_all = ["service_account_id", "key"])]
    pub(crate) region: Option<IntelligenceRegion>,
    /// The service account: serviceAccountId in the credential file.
    #[arg(long, value_name = "ID")]
    pub(crate) service_account_id: Option<String>,
    /// The private key in PEM, DER or as a JWK.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) key: Option<PathBuf>,
    /// Sends the parameters in the query string, as the documentation shows it; proxies may log them.
    #[arg(long)]
    pub(crate) query: bool,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum IntelligenceRegion {
    Us1,
    Us2,
    Eu1,
    Eu2,
}

#[derive(Args)]
pub(crate) struct Salesforce {
    /// The consumer key of the connected or external client app.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    /// The user to log in as.
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    /// The private key in PEM, DER or as a JWK; the app holds its certificate.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) key: PathBuf,
    /// The login URL: login.salesforce.com, test.salesforce.com, or a My Domain.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://login.salesforce.com"
    )]
    pub(crate) login_url: String,
    /// The path of an Experience Cloud site.
    #[arg(long, value_name = "PATH")]
    pub(crate) site_path: Option<String>,
    /// The claim aud, if it is not the login URL.
    #[arg(long, value_name = "AUD")]
    pub(crate) audience: Option<String>,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Args)]
pub(crate) struct Cylance {
    /// The tenant ID.
    #[arg(long, value_name = "ID")]
    pub(crate) tenant_id: String,
    /// The application ID.
    #[arg(long, value_name = "ID")]
    pub(crate) application_id: String,
    /// The application secret. One line end at the end of a text is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) secret: PathBuf,
    /// How the secret is written in the file.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Text)]
    pub(crate) secret_encoding: SecretEncoding,
    /// The region.
    #[arg(long, value_enum, default_value_t = CylanceRegion::Na)]
    pub(crate) region: CylanceRegion,
    /// The base URL, instead of a region's.
    #[arg(long, value_name = "URL", conflicts_with = "region")]
    pub(crate) base_url: Option<String>,
    /// A scope such as device:list; may be repeated.
    #[arg(long)]
    pub(crate) scope: Vec<String>,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CylanceRegion {
    /// North America
    Na,
    /// Asia-Pacific, North
    Apne1,
    /// Asia-Pacific, Southeast
    Au,
    /// Europe, Central
    Euc1,
    /// South America
    Sae1,
    /// United States Government
    Us,
}

#[derive(Args)]
pub(crate) struct ClientCredentials {
    /// The client ID.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Args)]
pub(crate) struct JwtBearer {
    /// The issuer: claim iss.
    #[arg(long, value_name = "ISS")]
    pub(crate) issuer: String,
    /// The user or service that the token is for: claim sub.
    #[arg(long, value_name = "SUB")]
    pub(crate) subject: Option<String>,
    /// The parameter client_id, if the server requires it with the assertion.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Args)]
#[group(skip)]
#[command(group = exactly_one("credential", ["key", "secret"]))]
#[command(group = exactly_one("server", ["discover", "token_endpoint"]))]
pub(crate) struct ServerOptions {
    /// The private key: RSA, EC or Ed25519 in PEM, DER or PKCS#12, as a JWK, or inside a JSON file.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) key: Option<PathBuf>,
    /// The shared secret of an HMAC. One line end at the end of a text is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) secret: Option<PathBuf>,
    /// How the secret is written in the file.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Text)]
    pub(crate) secret_encoding: SecretEncoding,
    /// The issuer whose metadata names the token endpoint, or the URL of a metadata document below
    /// /.well-known/.
    #[arg(long, value_name = "URL")]
    pub(crate) discover: Option<String>,
    /// The token endpoint.
    #[arg(long, value_name = "URL")]
    pub(crate) token_endpoint: Option<String>,
    /// The claim aud: issuer, token-endpoint, none, or a text. Defaults to issuer with --discover, else to
    /// token-endpoint.
    #[arg(long, value_name = "AUD")]
    pub(crate) audience: Option<String>,
    /// Scopes, separated by spaces.
    #[arg(long, value_name = "\"A B\"")]
    pub(crate) scope: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct CommonOptions {
    /// The key ID: header member kid.
    #[arg(long, value_name = "KID")]
    pub(crate) key_id: Option<String>,
    /// The algorithm, if the key can sign several [default: what the key file or the profile names, else RS256 or HS256]
    #[arg(long, value_name = "ALG", value_parser = parse_algorithm)]
    pub(crate) alg: Option<Algorithm>,
    /// The header member typ [default: JWT]
    #[arg(long)]
    pub(crate) typ: Option<String>,
    /// The assertion's lifetime: claim exp, counted from now.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) lifetime: Option<u64>,
    /// An additional parameter; may be repeated. NAME=@FILE reads the value from a file, which is required unless the
    /// parameter is known to be public, as scope and resource are. NAME=@@VALUE is a public value that begins with @.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub(crate) param: Vec<(String, String)>,
    /// An additional claim; may be repeated. VALUE is JSON, or else a text. A text that begins with {, [ or " is
    /// written as a string of JSON.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub(crate) claim: Vec<(String, String)>,
    /// The passphrase of an encrypted key. One line end at the end of a text is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Additional root certificates to trust: one or many in PEM, or one in DER.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) ca: Option<PathBuf>,
    /// Trusts the root certificates of this machine instead of Mozilla's. The variables SSL_CERT_FILE and
    /// SSL_CERT_DIR replace both.
    #[arg(long)]
    pub(crate) system_roots: bool,
    /// The time limit for the whole command.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Shows header, claims, request and response on standard error, without secrets and tokens.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl CommonOptions {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Returns a group of which exactly one argument is required.
fn exactly_one<const N: usize>(id: &'static str, arguments: [&'static str; N]) -> ArgGroup {
    ArgGroup::new(id).required(true).args(arguments)
}

fn parse_algorithm(text: &str) -> Result<Algorithm, &'static str> {
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

fn parse_pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        None | Some(("", _)) => Err("expected NAME=VALUE"),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
    }
}
