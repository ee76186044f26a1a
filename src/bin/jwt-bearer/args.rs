//! What can be said on the command line. Every text here is documentation that users read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

const EXAMPLE: &str = "\
Examples:
  jwt-bearer demo
  jwt-bearer token salesforce --client-id KEY --username ME --key key.pem
  jwt-bearer token cylance ... --format header | curl -H @- URL

Exit status:
  0 a token  1 standard output is closed  2 usage  3 key or configuration
  4 network  5 denied  6 protocol  7 unavailable (429, 5xx)";

/// A signed JWT in, an access token out.
///
/// Signs an assertion with your key and trades it for a short-lived access token, at Salesforce, Salesforce
/// Marketing Cloud Intelligence, Cylance, or any server that takes RFC 7523 assertions.
///
/// Standard output holds the token and nothing else. No secret is ever an argument: keys and secrets come from
/// files, and FILE may be `-` for standard input.
#[derive(Parser)]
#[command(name = "jwt-bearer", version, after_help = EXAMPLE, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// A guided tour of all three systems, against a server started for it.
    ///
    /// Needs no account and no network: an authorization server on loopback checks every assertion.
    #[command(after_help = "Example:\n  jwt-bearer demo")]
    Demo,
    /// Gets an access token and prints it.
    #[command(
        subcommand_value_name = "PROFILE",
        subcommand_help_heading = "Profiles",
        after_help = "Example:\n  jwt-bearer token cylance --tenant-id T --application-id A --secret secret.txt --region euc1"
    )]
    Token {
        /// How to print it: the token, a whole header line for curl, or everything as JSON.
        #[arg(long, value_enum, default_value_t = Format::Token, global = true)]
        format: Format,
        #[cfg(unix)]
        #[command(flatten)]
        cache: Cache,
        #[command(subcommand)]
        profile: Profile,
    },
    /// Signs an assertion and prints it; nothing is sent.
    #[command(
        subcommand_value_name = "PROFILE",
        subcommand_help_heading = "Profiles",
        after_help = "Example:\n  jwt-bearer assertion salesforce --client-id KEY --username ME --key key.pem -v"
    )]
    Assertion {
        #[command(subcommand)]
        profile: Profile,
    },
    /// Removes the tokens that --cache keeps.
    ///
    /// They stay valid at the server until they end; this only makes the next run fetch a new one.
    #[cfg(unix)]
    #[command(after_help = "Example:\n  jwt-bearer forget")]
    Forget {
        /// The directory, where it is not the user's cache directory.
        #[arg(long, value_name = "DIR")]
        cache_dir: Option<PathBuf>,
    },
    /// Runs an authorization server on loopback, to test your own tool against.
    ///
    /// It makes a key pair and a secret in a private temporary directory, prints the commands that get tokens from
    /// it, and logs a line for every request. Ctrl-C ends it and removes the directory. Never for production.
    #[command(after_help = "Example:\n  jwt-bearer sandbox --listen 127.0.0.1:8787")]
    Sandbox {
        /// Where to listen; loopback only.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
    },
    /// Prints a completion script for a shell.
    #[command(
        after_help = "Example:\n  jwt-bearer completions bash > ~/.local/share/bash-completion/completions/jwt-bearer"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page.
    #[command(after_help = "Example:\n  jwt-bearer man | man -l -")]
    Man,
}

#[cfg(unix)]
#[derive(Args)]
pub(crate) struct Cache {
    /// Shares the token with other runs, until it ends, through a directory that is the user's alone: jwt-bearer
    /// below $XDG_CACHE_HOME or the platform's cache directory.
    #[arg(long, global = true)]
    pub(crate) cache: bool,
    /// The same through a directory of your own.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The token alone.
    Token,
    /// `Authorization: Bearer ...`
    Header,
    /// Token, type, `expires_at` in Unix seconds, scope, and what else came with it.
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Profile {
    /// Salesforce Marketing Cloud Intelligence (Datorama).
    #[command(
        after_help = "Example:\n  jwt-bearer token marketing-cloud-intelligence --credentials credentials.json"
    )]
    MarketingCloudIntelligence(Intelligence),
    /// Salesforce Platform, OAuth 2.0 JWT bearer flow.
    #[command(
        after_help = "Example:\n  jwt-bearer token salesforce --client-id KEY --username ME --key key.pem \\\n      --login-url https://acme.my.salesforce.com"
    )]
    Salesforce(Salesforce),
    /// Cylance user API (Arctic Wolf Aurora Endpoint Defense).
    #[command(
        after_help = "Example:\n  jwt-bearer token cylance --tenant-id T --application-id A --secret secret.txt --region euc1"
    )]
    Cylance(Cylance),
    /// Any server, RFC 7523 §2.2: the assertion authenticates the client.
    #[command(
        after_help = "Example:\n  jwt-bearer token client-credentials --client-id C --key key.pem \\\n      --discover https://as.example.com --scope \"read write\""
    )]
    ClientCredentials(ClientCredentials),
    /// Any server, RFC 7523 §2.1: the assertion is the grant.
    #[command(
        after_help = "Example:\n  jwt-bearer token jwt-bearer --issuer I --subject alice --key key.pem \\\n      --token-endpoint https://as.example.com/token"
    )]
    JwtBearer(JwtBearer),
}

#[derive(Args)]
#[group(skip)]
#[command(group = one_of("place", ["credentials", "discovery_endpoint", "token_endpoint", "region"]))]
pub(crate) struct Intelligence {
    /// The credential file that Intelligence hands out: account, discovery endpoint and key in one.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, conflicts_with_all = ["service_account_id", "key"])]
    pub(crate) credentials: Option<PathBuf>,
    /// The credential file's discoveryEndpoint.
    #[arg(long, value_name = "URL", requires_all = ["service_account_id", "key"])]
    pub(crate) discovery_endpoint: Option<String>,
    /// The token endpoint, if you know it.
    #[arg(long, value_name = "URL", requires_all = ["service_account_id", "key"])]
    pub(crate) token_endpoint: Option<String>,
    /// The token endpoint by region; only us1 is printed in the document, the others follow its pattern.
    #[arg(long, value_enum, requires_all = ["service_account_id", "key"])]
    pub(crate) region: Option<IntelligenceRegion>,
    /// The credential file's serviceAccountId.
    #[arg(long, value_name = "ID")]
    pub(crate) service_account_id: Option<String>,
    /// The private key, in PEM.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) key: Option<PathBuf>,
    /// Sends the parameters in the query, as the document draws it; proxies may log them.
    #[arg(long)]
    pub(crate) query: bool,
    #[command(flatten)]
    pub(crate) common: Common,
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
    /// The private key, in PEM, whose certificate the app has.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) key: PathBuf,
    /// The login host, https://test.salesforce.com, a My Domain, or a sandbox of it.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://login.salesforce.com"
    )]
    pub(crate) login_url: String,
    /// The path of an Experience Cloud site.
    #[arg(long, value_name = "PATH")]
    pub(crate) site_path: Option<String>,
    /// What aud says, where it is not the login URL.
    #[arg(long, value_name = "AUD")]
    pub(crate) audience: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct Cylance {
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    pub(crate) tenant_id: String,
    /// The application's id.
    #[arg(long, value_name = "ID")]
    pub(crate) application_id: String,
    /// The application's secret. One line end at its end is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) secret: PathBuf,
    /// The region.
    #[arg(long, value_enum, default_value_t = CylanceRegion::Na)]
    pub(crate) region: CylanceRegion,
    /// A base URL of your own.
    #[arg(long, value_name = "URL", conflicts_with = "region")]
    pub(crate) base_url: Option<String>,
    /// A scope, such as device:list; may be repeated.
    #[arg(long)]
    pub(crate) scope: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
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
    /// The client's id.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct JwtBearer {
    /// Who signs: iss.
    #[arg(long, value_name = "ISS")]
    pub(crate) issuer: String,
    /// On whose behalf: sub.
    #[arg(long, value_name = "SUB")]
    pub(crate) subject: Option<String>,
    /// The parameter client_id, where the server wants it beside the assertion.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
#[group(skip)]
#[command(group = one_of("credential", ["key", "secret"]))]
#[command(group = one_of("server", ["discover", "token_endpoint"]))]
pub(crate) struct Server {
    /// The private key, in PEM: RS256.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) key: Option<PathBuf>,
    /// The shared secret: HS256. One line end at its end is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) secret: Option<PathBuf>,
    /// The issuer, or a metadata document where the path contains /.well-known/.
    #[arg(long, value_name = "URL")]
    pub(crate) discover: Option<String>,
    /// The token endpoint.
    #[arg(long, value_name = "URL")]
    pub(crate) token_endpoint: Option<String>,
    /// What aud says: issuer, token-endpoint, none, or a text. Defaults to issuer with --discover, else to
    /// token-endpoint.
    #[arg(long, value_name = "AUD")]
    pub(crate) audience: Option<String>,
    /// Scopes with a space between them.
    #[arg(long, value_name = "\"A B\"")]
    pub(crate) scope: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// The key's name at the server: kid.
    #[arg(long, value_name = "KID")]
    pub(crate) key_id: Option<String>,
    /// Header member typ [default: JWT]
    #[arg(long)]
    pub(crate) typ: Option<String>,
    /// How long the assertion lives.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) lifetime: Option<u64>,
    /// One more parameter; may be repeated. NAME=@FILE reads it from a file, as secrets must be.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) param: Vec<(String, String)>,
    /// One more claim; may be repeated. VALUE is JSON, or else a text.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) claim: Vec<(String, String)>,
    /// The passphrase of an encrypted key. One line end at its end is dropped.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// One more root certificate to trust, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// How long the whole may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Shows header, claims, request and response on standard error, without what can be spent.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Common {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Exactly one of these.
fn one_of<const N: usize>(id: &'static str, arguments: [&'static str; N]) -> ArgGroup {
    ArgGroup::new(id).required(true).args(arguments)
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        None | Some(("", _)) => Err("NAME=VALUE is wanted"),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
    }
}
