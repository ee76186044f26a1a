//! The `sandbox` command: a server in the foreground, keys made for it, commands to paste.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::{fs, io};

use jwt_bearer::RsaKey;
use jwt_bearer::sandbox::{Client, Key, Server};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::OsRng;

use crate::output::{Failure, print_to_stderr, print_to_stdout};

const RSA_BITS: usize = 2048;
/// The file of the root certificate.
const ROOT: &str = "root.pem";
/// The secret of the Cylance application. It is public, since the server accepts connections from loopback alone.
pub(crate) const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";

pub(crate) fn run(listen: SocketAddr, tls: bool) -> Result<(), Failure> {
    let interrupts = interrupts()?;
    let log = |line: &str| print_to_stderr(line);
    let server = match tls {
        true => Server::listen_tls(listen, log),
        false => Server::listen(listen, log),
    };
    let server = server.map_err(|error| Failure::config(format!("{listen}: {error}")))?;
    let directory = private_directory();
    let directory = directory.map_err(|error| Failure::config(error.to_string()))?;
    let key = write_keys(directory.path(), &server)?;
    register(&server, &key);
    print_to_stdout(&commands(&server, directory.path()))?;
    // An error means that the handler is gone and no interrupt can come any more.
    let _ = interrupts.recv();
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

/// Returns a channel that receives a value at Ctrl-C or SIGTERM.
fn interrupts() -> Result<mpsc::Receiver<()>, Failure> {
    let (sender, receiver) = mpsc::channel();
    let handler = move || {
        let _ = sender.send(());
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::config(error.to_string()))?;
    Ok(receiver)
}

/// Writes `key.pem`, `secret.txt` and `credentials.json`, with TLS also `root.pem`, and returns the key.
fn write_keys(directory: &Path, server: &Server) -> Result<RsaKey, Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::config(error.to_string());
    let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|e| failure(&e))?;
    let der = key.to_pkcs8_der().map_err(|e| failure(&e))?;
    let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_bytes()));
    let credentials = serde_json::json!({
        "serviceAccountId": "service-account",
        "discoveryEndpoint": server.discovery_endpoint(),
        "privateKey": text,
    });
    let mut files = vec![
        ("key.pem", text),
        ("secret.txt", SECRET.to_owned()),
        ("credentials.json", credentials.to_string()),
    ];
    let root = server.root_certificate();
    files.extend(root.map(|root| (ROOT, root.to_owned())));
    for (name, text) in files {
        fs::write(directory.join(name), text).map_err(|e| failure(&e))?;
    }
    Ok(RsaKey::from_der(der.as_bytes())?)
}

/// Registers the clients of the printed commands, which are those of the demonstration too.
pub(crate) fn register(server: &Server, key: &RsaKey) {
    let client = |id| {
        Client::new(id, Key::public(key))
            .with_scope("read")
            .with_scope("write")
    };
    server.register(client("service-account"));
    server.register(
        client("consumer-key")
            .with_scope("api")
            .with_user("user@example.com"),
    );
    server.register(client("client-1"));
    server.register(client("issuer-1").with_user("alice"));
    let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
    server.register(
        application
            .with_scope("device:list")
            .with_scope("policy:read"),
    );
}

/// Returns the commands that fetch tokens from this server, and the names of the further servers.
fn commands(server: &Server, directory: &Path) -> String {
    let (url, dir) = (server.url(), directory.display());
    let ca = match server.root_certificate() {
        Some(_) => format!(" --ca {dir}/{ROOT}"),
        None => String::new(),
    };
    let names: Vec<_> = server
        .base_urls()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let names = names.join(", ");
    format!(
        "listening on {url}; Ctrl-C stops it\n\
         further servers have the base URL {url}/NAME, where NAME is one of {names}\n\
         \n\
         jwt-bearer token marketing-cloud-intelligence --credentials {dir}/credentials.json{ca}\n\
         jwt-bearer token salesforce --client-id consumer-key --username user@example.com \
         --key {dir}/key.pem --login-url {url}{ca}\n\
         jwt-bearer token cylance --tenant-id tenant --application-id application \
         --secret {dir}/secret.txt --base-url {url} --scope device:list{ca}\n\
         jwt-bearer token client-credentials --client-id client-1 --key {dir}/key.pem --discover {url} \
         --scope read{ca}\n\
         jwt-bearer token jwt-bearer --issuer issuer-1 --subject alice --key {dir}/key.pem \
         --discover {url} --scope read{ca}\n"
    )
}
