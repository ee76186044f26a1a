//! The command line's arguments. Their doc comments are the help texts.
//!
//! An option that names a file takes the file's name and never its content, since `ps` shows arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};
use clap_complete::engine::ArgValueCandidates;

use crate::check::CheckOptions;
use crate::chosen::Chosen;
use crate::connections;
use crate::decode::DecodeArguments;
use crate::format::{Format, VARIABLE};
use crate::key::KeyArguments;
use crate::options::{CacheOptions, OUTPUT};
use crate::providers::CHOSEN;
use crate::reporting::{JSON_ERRORS, Reporting};
use crate::sandbox::SandboxOptions;
use crate::shell;

const EXAMPLE: &str = "\
Examples:
  jwt-bearer demo
  jwt-bearer token salesforce --client-id KEY --username ME --key key.pem
  jwt-bearer exec cylance ... --env TOKEN -- ./deploy.sh

Exit status:
  0 success  1 standard output cannot be written  2 usage  3 key or configuration
  4 network  5 denied  6 protocol  7 unavailable (429, 5xx)";

/// Trades a signed JWT for an access token (RFC 7523).
///
/// Signs an assertion with your key and trades it for a short-lived access token, at any server that accepts a signed
/// JWT. `jwt-bearer token --help` lists the providers that are known by name.
///
/// Standard output carries the token and nothing else. Keys and secrets are read from files, never from
/// arguments; FILE may be `-` for standard input, or `env:NAME` for a variable.
#[derive(Parser)]
#[command(name = "jwt-bearer", version, after_help = EXAMPLE, after_long_help = format!("{EXAMPLE}\n\n{JSON_ERRORS}"), max_term_width = 100)]
pub(crate) struct Arguments {
    /// The file with connections [default: jwt-bearer/config.toml below $XDG_CONFIG_HOME, ~/.config or %APPDATA%].
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reporting: Reporting,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows Marketing Cloud Intelligence, Salesforce and Cylance at work, against a server on loopback.
    ///
    /// Needs no account and no network: the server is started for the demonstration and checks every assertion.
    #[command(after_help = "Example:\n  jwt-bearer demo")]
    Demo,
    /// Fetches an access token and prints it.
    #[command(
        subcommand_value_name = CHOSEN,
        subcommand_help_heading = "Providers",
        after_help = "Example:\n  \
                      jwt-bearer token cylance --tenant-id T --application-id A --secret secret.txt --region euc1"
    )]
    Token {
        /// Output format: the token, a header line for curl, a line for a shell, or JSON.
        #[arg(long, value_enum, default_value_t = Format::Token, global = true, help_heading = OUTPUT)]
        format: Format,
        /// The variable of --format env; no other format has one [default: ACCESS_TOKEN]
        #[arg(long, value_name = "NAME", value_parser = shell::parse_variable, global = true, help_heading = OUTPUT)]
        env: Option<String>,
        #[command(flatten)]
        cache: CacheOptions,
        #[command(subcommand)]
        chosen: Chosen,
    },
    /// Runs a command with the token in an environment variable.
    ///
    /// The token is in no argument, so other users of the machine do not see it in the process list. The command does not
    /// get the variables JWT_BEARER_* and those of env:NAME, which may hold a key. The exit status is that of the command;
    /// 127 if there is no such command, and 126 if it cannot be run.
    #[command(
        subcommand_value_name = CHOSEN,
        subcommand_help_heading = "Providers",
        after_help = "Examples:\n  \
                      jwt-bearer exec salesforce --client-id KEY --username ME --key key.pem -- ./deploy.sh\n  \
                      jwt-bearer exec github-app ... --env GH_TOKEN -- gh repo list"
    )]
    Exec {
        /// The variable that holds the token.
        #[arg(
            long,
            value_name = "NAME",
            value_parser = shell::parse_variable,
            default_value = VARIABLE,
            global = true,
            help_heading = OUTPUT
        )]
        env: String,
        #[command(flatten)]
        cache: CacheOptions,
        #[command(subcommand)]
        chosen: Chosen,
    },
    /// Signs an assertion and prints it, without sending anything.
    #[command(
        subcommand_value_name = CHOSEN,
        subcommand_help_heading = "Providers",
        after_help = "Example:\n  jwt-bearer assertion salesforce --client-id KEY --username ME --key key.pem -v"
    )]
    Assertion {
        #[command(subcommand)]
        chosen: Chosen,
    },
    /// Lists the connections, and where each value comes from
    ///
    /// A connection is a table of the configuration file. Its keys are the
    /// options of the command line, so that `jwt-bearer token prod` is enough:
    ///
    ///   [prod]
    ///   provider = "salesforce"
    ///   client-id = "3MVG9..."
    ///   username = "integration@example.com"
    ///   key = "prod.pem"
    ///   cache = true
    ///
    /// File names are relative to the file. A list gives an option many times,
    /// and `claim = { tenant = 7 }` is `--claim tenant=7`. Without `provider`,
    /// `credentials` names a file that says which provider it is of.
    ///
    /// Options win over variables, and variables over the file. The variable of
    /// --client-id is JWT_BEARER_CLIENT_ID; one that repeats has a value on each
    /// line. JWT_BEARER_KEY, _CERTIFICATE, _CREDENTIALS and _CA hold the name of
    /// a file, or PEM or JSON itself. JWT_BEARER_SECRET and _PASSPHRASE hold the
    /// secret itself, or @ and the name of its file.
    #[command(
        verbatim_doc_comment,
        after_help = "Example:\n  jwt-bearer config prod"
    )]
    Config {
        /// The connection; all, if none is named.
        #[arg(add = ArgValueCandidates::new(connections::candidates))]
        connection: Option<String>,
    },
    /// Finds out step by step why a token can or cannot be had.
    ///
    /// Checks the files, the key, its certificate, what would be signed, the way to the server, its metadata and its
    /// clock, then fetches one token, which is not shown. The exit status is that of the first step that fails. A step
    /// that needs one that failed is skipped.
    #[command(
        subcommand_value_name = CHOSEN,
        subcommand_help_heading = "Providers",
        after_help = "Examples:\n  \
                      jwt-bearer check salesforce --client-id KEY --username ME --key key.pem\n  \
                      jwt-bearer check --offline salesforce --client-id KEY --username ME --key key.pem"
    )]
    Check {
        #[command(flatten)]
        options: CheckOptions,
        #[command(subcommand)]
        chosen: Chosen,
    },
    /// Removes the tokens that --cache has stored.
    ///
    /// With a provider and its arguments, as they are given to the command token, only the token of these is
    /// removed. The server still accepts a removed token until it expires; the next run fetches a new one.
    #[command(
        subcommand_value_name = CHOSEN,
        subcommand_help_heading = "Providers",
        after_help = "Examples:\n  jwt-bearer forget\n  \
                      jwt-bearer forget salesforce --client-id KEY --username ME --key key.pem"
    )]
    Forget {
        /// The cache directory, if it is not the default one.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, global = true)]
        cache_dir: Option<PathBuf>,
        #[command(subcommand)]
        chosen: Option<Chosen>,
    },
    /// Shows what a key file holds, and its public key to register. `key new` makes a key.
    ///
    /// FILE may also be a PKCS#12 store, a JWK, a credential file, a public key or a certificate; `-` is standard
    /// input. Nothing secret is printed.
    #[command(after_help = "Examples:\n  \
                            jwt-bearer key key.pem\n  \
                            jwt-bearer key key.pem --public jwks > jwks.json\n  \
                            jwt-bearer key new key.pem --certificate cert.pem")]
    Key(KeyArguments),
    /// Shows what is in a JWT, and checks its signature if a key is given.
    ///
    /// Standard output has header and claims as JSON. Standard error has times in words, and whether the signature was
    /// checked. The exit status is 5 if a given key does not verify it. A token is a secret, so it is not an argument.
    #[command(after_help = "Examples:\n  \
                            jwt-bearer decode < token.txt\n  \
                            jwt-bearer assertion ... | jwt-bearer decode --key key.pem\n  \
                            jwt-bearer decode token.txt --jwks jwks.json")]
    Decode(DecodeArguments),
    /// Runs an authorization server on loopback for tests of your own tools.
    ///
    /// Creates a key pair and a secret in a private temporary directory, prints commands that fetch tokens from the
    /// server, and logs one line for each request. The server knows no other clients and keys than those it prints.
    /// Ctrl-C stops the server and removes the directory. Not for production.
    #[command(after_help = "Example:\n  jwt-bearer sandbox --listen 127.0.0.1:8787")]
    Sandbox(SandboxOptions),
    /// Prints a shell completion script, which completes connections and file names too.
    #[command(after_help = "Examples:\n  \
                      source <(jwt-bearer completions bash)\n  \
                      jwt-bearer completions fish > ~/.config/fish/completions/jwt-bearer.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page, or writes the pages of all commands and providers.
    #[command(
        after_help = "Examples:\n  jwt-bearer man | man -l -\n  jwt-bearer man --dir ~/.local/share/man/man1"
    )]
    Man {
        /// The directory to write the pages of all commands into. Pages of the same names are replaced.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}
