//! The sandbox in the foreground: keys made for it, commands to paste, a line a request.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::{fs, io};

use jwt_bearer::RsaKey;
use jwt_bearer::sandbox::{Client, Key, Server};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::OsRng;

use crate::report::{Failure, print, tell};

const BITS: usize = 2048;
pub(crate) const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";

pub(crate) fn run(listen: SocketAddr) -> Result<(), Failure> {
    let ends = interrupted()?;
    let server = Server::listen(listen, |line| tell(line))
        .map_err(|error| Failure::config(format!("{listen}: {error}")))?;
    let directory = private_directory();
    let directory = directory.map_err(|error| Failure::config(error.to_string()))?;
    let key = write_keys(directory.path(), &server)?;
    register(&server, &key);
    print(&commands(&server, directory.path()))?;
    // Until Ctrl-C, or until nobody can press it any more.
    let _ = ends.recv();
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

fn interrupted() -> Result<mpsc::Receiver<()>, Failure> {
    let (tell, told) = mpsc::channel();
    let handler = move || {
        let _ = tell.send(());
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::config(error.to_string()))?;
    Ok(told)
}

/// `key.pem`, `secret.txt` and `credentials.json`, in a directory that only its owner can enter.
fn write_keys(directory: &Path, server: &Server) -> Result<RsaKey, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::config(error.to_string());
    let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(|e| failed(&e))?;
    let der = key.to_pkcs8_der().map_err(|e| failed(&e))?;
    let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_bytes()));
    let credentials = serde_json::json!({
        "serviceAccountId": "service-account",
        "discoveryEndpoint": server.discovery_endpoint(),
        "privateKey": text,
    });
    let files = [
        ("key.pem", text),
        ("secret.txt", SECRET.to_owned()),
        ("credentials.json", credentials.to_string()),
    ];
    for (name, text) in files {
        fs::write(directory.join(name), text).map_err(|e| failed(&e))?;
    }
    Ok(RsaKey::from_der(der.as_bytes())?)
}

/// The clients of the commands below; the demonstration has the same.
pub(crate) fn register(server: &Server, key: &RsaKey) {
    let by_key = |id| {
        Client::new(id, Key::public(key))
            .with_scope("read")
            .with_scope("write")
    };
    server.register(by_key("service-account"));
    server.register(
        by_key("consumer-key")
            .with_scope("api")
            .with_user("user@example.com"),
    );
    server.register(by_key("client-1"));
    server.register(by_key("issuer-1").with_user("alice"));
    let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
    server.register(
        application
            .with_scope("device:list")
            .with_scope("policy:read"),
    );
}

fn commands(server: &Server, directory: &Path) -> String {
    let (url, dir) = (server.url(), directory.display());
    format!(
        "listening on {url}; Ctrl-C ends it\n\
         \n\
         jwt-bearer token marketing-cloud-intelligence --credentials {dir}/credentials.json\n\
         jwt-bearer token salesforce --client-id consumer-key --username user@example.com --key {dir}/key.pem --login-url {url}\n\
         jwt-bearer token cylance --tenant-id tenant --application-id application --secret {dir}/secret.txt --base-url {url} --scope device:list\n\
         jwt-bearer token client-credentials --client-id client-1 --key {dir}/key.pem --discover {url} --scope read\n\
         jwt-bearer token jwt-bearer --issuer issuer-1 --subject alice --key {dir}/key.pem --discover {url} --scope read\n"
    )
}
