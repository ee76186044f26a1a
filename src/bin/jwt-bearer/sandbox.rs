//! The `sandbox` command: a server in the foreground, keys made for it, commands to paste.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use clap::Args;
use jwt_bearer::sandbox::{Client, Fault, Key, Server};
use jwt_bearer::{EcKey, RsaKey};

use crate::failure::Failure;
use crate::key_new::{KeyType, pem_text, private_key};
use crate::messages::print_note;
use crate::output::print_to_stdout;
use crate::shell;
use crate::signals::Signals;

/// The file of the root certificate.
const ROOT: &str = "root.pem";
/// The secret of the Cylance application. It is public, since the server accepts connections only from loopback.
pub(crate) const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";
/// Seconds by which a slow response is late: less than a client waits.
const SLOW: u64 = 3;
/// Seconds of the `Retry-After` of a 429.
const RETRY_AFTER: u64 = 1;
/// Seconds: no client accepts a token that lives longer than 31 days.
const MAX_LIFETIME: u64 = 31 * 24 * 3600;

#[derive(Args)]
pub(crate) struct SandboxOptions {
    /// The loopback address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Listens with TLS, under a root certificate that is made at start.
    #[arg(long)]
    tls: bool,
    /// A user who gets tokens, in addition to user@example.com and alice; may be repeated.
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// A scope that the clients may ask for, in addition to their own; may be repeated, or be a list with blanks.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The lifetime of the tokens; a Salesforce token says none, and is taken to live 900 s.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=MAX_LIFETIME))]
    lifetime: u64,
    /// Fails every request, or the first COUNT: 429, 503, slow (by 3 seconds), silence, cut (half a response), or html.
    #[arg(long, value_name = "FAULT[:COUNT]", value_parser = parse_fault)]
    fail: Option<(Fault, u32)>,
}

fn parse_fault(text: &str) -> Result<(Fault, u32), &'static str> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, count.parse().ok()),
        None => (text, Some(u32::MAX)),
    };
    let fault = match name {
        "429" => Some(Fault::TooManyRequests(RETRY_AFTER)),
        "503" => Some(Fault::Unavailable),
        "slow" => Some(Fault::Slow(SLOW)),
        "silence" => Some(Fault::Silence),
        "cut" => Some(Fault::CutBody),
        "html" => Some(Fault::Html),
        _ => None,
    };
    let wanted = "expected 429, 503, slow, silence, cut or html, and perhaps a count, as in 503:2";
    fault.zip(count).ok_or(wanted)
}

pub(crate) fn run(options: &SandboxOptions) -> Result<(), Failure> {
    let failure = |error: io::Error| Failure::config(error.to_string());
    let signals = Signals::catch().map_err(failure)?;
    let log = |line: &str| print_note(line);
    let listen = options.listen;
    let server = match options.tls {
        true => Server::listen_tls(listen, log),
        false => Server::listen(listen, log),
    };
    let server = server.map_err(|error| Failure::config(format!("{listen}: {error}")))?;
    // Removed when this function ends, for any reason.
    let directory = private_directory().map_err(failure)?;
    let (key, ec_key) = write_keys(directory.path(), &server)?;
    let (users, scopes) = (options.user.as_slice(), options.scope.as_slice());
    register(&server, &key, users, scopes);
    register_ec(&server, &ec_key, users, scopes)?;
    server.set_lifetime(Duration::from_secs(options.lifetime));
    if let Some((fault, count)) = options.fail {
        server.fail_next(count, fault);
    }
    print_to_stdout(&commands(&server, directory.path(), options))?;
    signals.wait();
    Ok(())
}

fn private_directory() -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("jwt-bearer-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

/// Writes `key.pem`, `ec.pem`, `secret.txt` and `credentials.json`, with TLS also `root.pem`, and returns the keys.
fn write_keys(directory: &Path, server: &Server) -> Result<(RsaKey, EcKey), Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::config(error.to_string());
    let der = private_key(KeyType::Rsa2048)?;
    let text = pem_text("PRIVATE KEY", &der);
    let ec = private_key(KeyType::P256)?;
    let credentials = serde_json::json!({
        "serviceAccountId": "service-account",
        "discoveryEndpoint": server.discovery_endpoint(),
        "privateKey": text,
    });
    let mut files = vec![
        ("key.pem", text),
        ("ec.pem", pem_text("PRIVATE KEY", &ec)),
        ("secret.txt", SECRET.to_owned()),
        ("credentials.json", credentials.to_string()),
    ];
    let root = server.root_certificate();
    files.extend(root.map(|root| (ROOT, root.to_owned())));
    for (name, text) in files {
        fs::write(directory.join(name), text).map_err(|e| failure(&e))?;
    }
    Ok((RsaKey::from_der(&*der)?, EcKey::from_der(&*ec)?))
}

/// Registers the clients of the printed commands, which the demonstration also uses.
pub(crate) fn register(server: &Server, key: &RsaKey, users: &[String], scopes: &[String]) {
    let client = |id| {
        Client::new(id, Key::public(key))
            .with_scope("read")
            .with_scope("write")
    };
    let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
    for client in [
        client("service-account"),
        client("consumer-key")
            .with_scope("api")
            .with_user("user@example.com"),
        client("client-1"),
        client("issuer-1").with_user("alice"),
        application
            .with_scope("device:list")
            .with_scope("policy:read"),
    ] {
        server.register(with_all(client, users, scopes));
    }
}

/// Registers the clients of the EC key, since a client has one key.
fn register_ec(
    server: &Server,
    key: &EcKey,
    users: &[String],
    scopes: &[String],
) -> Result<(), Failure> {
    let key = Key::public_pem(key.public_pem())?;
    for id in ["client-2", "issuer-2"] {
        let client = Client::new(id, key.clone())
            .with_scope("read")
            .with_scope("write")
            .with_user("alice");
        server.register(with_all(client, users, scopes));
    }
    Ok(())
}

fn with_all(client: Client, users: &[String], scopes: &[String]) -> Client {
    let client = users.iter().fold(client, Client::with_user);
    let scopes = scopes.iter().flat_map(|scopes| scopes.split(' '));
    scopes.fold(client, Client::with_scope)
}

/// Returns the commands that fetch tokens from this server, its resource, and the names of the other servers.
///
/// The commands are for the first user and scope that the options name.
fn commands(server: &Server, directory: &Path, options: &SandboxOptions) -> String {
    let (url, resource) = (server.url(), server.resource());
    let file = |name: &str| shell::word(&directory.join(name).to_string_lossy());
    let ca = match server.root_certificate() {
        Some(_) => format!(" --ca {}", file(ROOT)),
        None => String::new(),
    };
    let first =
        |given: &[String], usual: &str| shell::word(given.first().map_or(usual, String::as_str));
    let user = first(&options.user, "user@example.com");
    let subject = first(&options.user, "alice");
    let (scope, devices) = (
        first(&options.scope, "read"),
        first(&options.scope, "device:list"),
    );
    let (key, ec_key, secret) = (file("key.pem"), file("ec.pem"), file("secret.txt"));
    let credentials = file("credentials.json");
    let names: Vec<_> = server
        .base_urls()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let names = names.join(", ");
    format!(
        "listening on {url}; Ctrl-C stops it\n\
         a resource that accepts the tokens: {resource}\n\
         further servers have the base URL {url}/NAME, where NAME is one of {names}\n\
         \n\
         jwt-bearer token marketing-cloud-intelligence --credentials {credentials}{ca}\n\
         jwt-bearer token salesforce --client-id consumer-key --username {user} --key {key} --login-url {url}{ca}\n\
         jwt-bearer token cylance --tenant-id tenant --application-id application --secret {secret} --base-url {url} \
         --scope {devices}{ca}\n\
         jwt-bearer token client-credentials --client-id client-1 --key {key} --discover {url} --scope {scope}{ca}\n\
         jwt-bearer token client-credentials --client-id client-2 --key {ec_key} --discover {url} --scope {scope}{ca}\n\
         jwt-bearer token jwt-bearer --issuer issuer-1 --subject {subject} --key {key} --discover {url} \
         --scope {scope}{ca}\n"
    )
}
