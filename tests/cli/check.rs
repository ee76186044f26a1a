//! `check`: every mistake is found by its own step, with what to do, and nothing secret is shown.

use std::collections::BTreeSet;
use std::io;

use rcgen::{CertificateParams, KeyPair};

use super::network::{TlsServer, authority, pem_of};
use super::*;

/// All steps, in their order.
const STEPS: [&str; 11] = [
    "file",
    "key",
    "certificate",
    "assertion",
    "proxy",
    "dns",
    "tcp",
    "tls",
    "metadata",
    "clock",
    "token",
];

/// Returns a fixture whose files are private.
fn private_fixture() -> Fixture {
    let fixture = Fixture::new();
    for name in ["key.pem", "secret.txt", "credentials.json"] {
        set_mode(&fixture, name, 0o600);
    }
    fixture
}

#[cfg(unix)]
fn set_mode(fixture: &Fixture, name: &str, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(fixture.directory.path().join(name), mode).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Fixture, _: &str, _: u32) {}

/// What a run found, by step.
#[derive(Debug)]
struct Found {
    status: i32,
    steps: Vec<Value>,
    err: String,
}

impl Found {
    fn of(outcome: Outcome) -> Self {
        let parse = |line| serde_json::from_str(line).unwrap();
        Self {
            status: outcome.status,
            steps: outcome.out.lines().map(parse).collect(),
            err: outcome.err,
        }
    }
    #[track_caller]
    fn step(&self, name: &str) -> &Value {
        let mut steps = self.steps.iter();
        let found = steps.find(|step| step["step"] == name);
        found.unwrap_or_else(|| panic!("no step {name} in {self:?}"))
    }
    #[track_caller]
    fn detail(&self, name: &str) -> &str {
        self.step(name)["detail"].as_str().unwrap()
    }
    fn with(&self, outcome: &str) -> Vec<&str> {
        let steps = self.steps.iter().filter(|step| step["outcome"] == outcome);
        steps.map(|step| step["step"].as_str().unwrap()).collect()
    }
    /// Checks that only this step failed, with this status, in these words, and that it says what to do.
    #[track_caller]
    fn assert_fails(&self, name: &str, status: i32, words: &str, skipped: &[&str]) {
        assert_eq!((self.status, self.err.as_str()), (status, ""), "{self:?}");
        assert_eq!(self.with("fail"), [name], "{self:?}");
        let mut steps = self.steps.iter();
        let step = steps.find(|step| step["outcome"] == "fail").unwrap();
        assert_eq!(step["status"], status);
        assert!(step["detail"].as_str().unwrap().contains(words), "{step}");
        assert!(!step["hints"].as_array().unwrap().is_empty(), "{step}");
        assert_eq!(self.with("skip"), skipped, "{self:?}");
    }
    /// Checks that these steps warned, and none failed.
    #[track_caller]
    fn assert_warns(&self, names: &[&str]) {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{self:?}");
        assert_eq!(self.with("warn"), names, "{self:?}");
    }
}

impl Fixture {
    fn check(&self, arguments: &str) -> Found {
        Found::of(self.run(&format!("check --format json {arguments}")))
    }
}

const CLIENT: &str = "client-credentials --client-id client-1 --discover {url} --scope read";

#[test]
fn check_takes_each_step_and_shows_no_token() {
    let fixture = private_fixture();
    for profile in PROFILES {
        let found = fixture.check(profile);
        found.assert_warns(&[]);
        let steps: Vec<_> = found
            .steps
            .iter()
            .map(|step| step["step"].clone())
            .collect();
        assert_eq!(steps, STEPS, "{found:?}");
        let token = found.step("token");
        assert_eq!(token["type"], "Bearer");
        assert!(token["lifetime"].as_f64().unwrap() > 200.0, "{token}");
        assert!(token["milliseconds"].is_u64(), "{token}");
    }
    assert_eq!(fixture.server.jtis().len(), PROFILES.len());
    let found = fixture.check(PROFILES[4]);
    let key = found.step("key");
    assert_eq!(key["kind"], "RSA");
    assert_eq!(key["bits"], 2048);
    assert_eq!(key["algorithm"], "RS256");
    let assertion = found.step("assertion");
    assert_eq!(assertion["header"]["alg"], "RS256");
    assert_eq!(assertion["claims"]["iss"], "client-1");
    let metadata = found.step("metadata");
    assert_eq!(metadata["issuer"], fixture.server.url());
    assert_eq!(metadata["aud"], fixture.server.url());
    let offset = found.step("clock")["offset"].as_i64().unwrap();
    assert!(offset.abs() < 2, "{offset}");
}

#[test]
fn check_over_tls_shows_version_names_and_expiry() {
    let fixture = private_fixture();
    let server = Server::start_tls().unwrap();
    let key = RsaKey::from_pem(pem()).unwrap();
    server.register(Client::new("client-1", Key::public(&key)).with_scope("read"));
    fixture.write("root.pem", server.root_certificate().unwrap());
    let url = server.url();
    let client = format!("client-credentials --client-id client-1 --key key.pem --discover {url}");
    let found = fixture.check(&format!("{client} --ca root.pem"));
    found.assert_warns(&[]);
    assert_eq!(found.with("skip"), ["certificate"]);
    let tls = found.step("tls");
    assert_eq!(tls["version"], "TLS 1.3");
    assert_eq!(tls["names"], serde_json::json!(["127.0.0.1", "localhost"]));
    assert_eq!(tls["issuer"], "CN=jwt-bearer sandbox");
    assert!(tls["days_left"].as_i64().unwrap() > 1000, "{tls}");
    assert!(tls["milliseconds"].is_u64(), "{tls}");

    let found = fixture.check(&client);
    let words = "UnknownIssuer; the certificate is for 127.0.0.1";
    let skipped = ["certificate", "metadata", "clock", "token"];
    found.assert_fails("tls", 4, words, &skipped);
    let tls = found.step("tls");
    assert!(tls["hints"][0].as_str().unwrap().contains("--ca FILE"));
    assert_eq!(tls["issuer"], "CN=jwt-bearer sandbox");
    assert_eq!(server.jtis().len(), 1);
}

#[test]
fn check_names_a_server_certificate_of_another_name() {
    let fixture = private_fixture();
    let root = authority("root");
    fixture.write("root.pem", pem_of(&root));
    let server = TlsServer::new(&root, &["elsewhere.example"]);
    let url = format!("https://localhost:{}/token", server.port);
    let found = fixture.check(&format!(
        "client-credentials --client-id c --key key.pem --ca root.pem --token-endpoint {url}"
    ));
    let skipped = ["certificate", "metadata", "clock", "token"];
    found.assert_fails("tls", 4, "elsewhere.example", &skipped);
    let names = serde_json::json!(["elsewhere.example"]);
    assert_eq!(found.step("tls")["names"], names);
}

#[test]
fn check_warns_of_a_server_certificate_that_expires_soon() {
    let fixture = private_fixture();
    let root = authority("root");
    fixture.write("root.pem", pem_of(&root));
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = (SystemTime::now() + Duration::from_secs(10 * 24 * 3600 + 60)).into();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &root).unwrap();
    let server = TlsServer::with(certificate.der().clone(), key);
    let url = format!("https://127.0.0.1:{}/token", server.port);
    let found = fixture.check(&format!(
        "client-credentials --client-id c --key key.pem --ca root.pem --token-endpoint {url}"
    ));
    found.assert_warns(&["tls"]);
    let detail = found.detail("tls");
    assert!(
        detail.ends_with("the certificate expires in 10 days"),
        "{detail}"
    );
}

#[test]
fn check_of_a_key_that_cannot_be_read_still_asks_the_server() {
    let fixture = private_fixture();
    for (file, words) in [
        ("missing.pem", system_error(MISSING)),
        (".", directory_as_file()),
    ] {
        let found = fixture.check(&format!("{CLIENT} --key {file}"));
        let skipped = ["key", "certificate", "assertion", "tls", "token"];
        found.assert_fails("file", 3, &words, &skipped);
        assert_eq!(found.step("metadata")["outcome"], "ok", "{found:?}");
    }
    assert!(fixture.server.requests() > 0 && fixture.server.jtis().is_empty());
}

#[test]
fn check_of_a_credential_file_that_is_missing_asks_nobody() {
    let fixture = private_fixture();
    for command in ["marketing-cloud-intelligence --credentials", "credentials"] {
        let found = fixture.check(&format!("{command} missing.json"));
        let skipped = ["key", "certificate", "assertion", "network"];
        found.assert_fails("file", 3, &system_error(MISSING), &skipped);
    }
}

#[cfg(unix)] // needs openssl
#[test]
fn check_says_whether_the_passphrase_is_needed_wrong_or_right() {
    let fixture = private_fixture();
    let openssl = "pkcs8 -topk8 -in key.pem -out encrypted.pem -passout pass:hunter2-hunter2";
    let mut command = Command::new("openssl");
    let command = command
        .args(openssl.split(' '))
        .current_dir(fixture.directory.path());
    assert!(command.status().unwrap().success());
    fixture.write("right.txt", "hunter2-hunter2");
    fixture.write("wrong.txt", "hunter3-hunter3");
    for name in ["encrypted.pem", "right.txt", "wrong.txt"] {
        set_mode(&fixture, name, 0o600);
    }
    let encrypted = format!("{CLIENT} --key encrypted.pem");
    let needed = fixture.check(&encrypted);
    let skipped = ["certificate", "assertion", "tls", "token"];
    needed.assert_fails("key", 3, "a passphrase is needed", &skipped);
    let wrong = fixture.check(&format!("{encrypted} --passphrase-file wrong.txt"));
    wrong.assert_fails("key", 3, "passphrase", &skipped);
    let right = fixture.check(&format!("{encrypted} --passphrase-file right.txt"));
    right.assert_warns(&[]);
    assert_eq!(right.step("key")["passphrase"], "right");
    set_mode(&fixture, "right.txt", 0o644);
    let open = fixture.check(&format!("{encrypted} --passphrase-file right.txt"));
    open.assert_warns(&["file"]);
    set_mode(&fixture, "right.txt", 0o600);
    let not_needed = fixture.check(&format!(
        "{CLIENT} --key key.pem --passphrase-file right.txt"
    ));
    not_needed.assert_warns(&["key"]);
    for found in [needed, wrong, right, not_needed] {
        assert!(!format!("{found:?}").contains("hunter"), "{found:?}");
    }
}

#[cfg(unix)]
#[test]
fn check_warns_of_a_private_key_that_others_can_read() {
    let fixture = private_fixture();
    set_mode(&fixture, "key.pem", 0o640);
    let found = fixture.check(&format!("{CLIENT} --key key.pem"));
    found.assert_warns(&["file"]);
    assert_eq!(found.step("file")["mode"], "0640");
    assert_eq!(found.step("file")["hints"][0], "chmod 600 key.pem");
    fixture.write("my key.pem", pem());
    set_mode(&fixture, "my key.pem", 0o640);
    let mut check = fixture.command(&format!("check --format json --offline {CLIENT} --key"));
    let found = Found::of(Outcome::of(check.arg("my key.pem").output().unwrap()));
    assert_eq!(found.step("file")["hints"][0], "chmod 600 'my key.pem'");
}

/// Nobody else can read a pipe, whatever its mode.
#[cfg(unix)]
#[test]
fn check_does_not_warn_of_a_pipe() {
    let fixture = private_fixture();
    let script = "mkfifo -m 644 pipe && { cat key.pem > pipe & exec \"$0\" \"$@\"; }";
    let check = fixture.command(&format!(
        "check --format json --offline {CLIENT} --key pipe"
    ));
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", script]).arg(check.get_program());
    let shell = shell.args(check.get_args());
    let shell = shell.current_dir(fixture.directory.path());
    let found = Found::of(Outcome::of(shell.output().unwrap()));
    found.assert_warns(&[]);
    assert_eq!(found.step("file")["mode"], "0644");
}

#[test]
fn check_of_a_key_that_the_server_does_not_know_ends_in_the_exchange() {
    let fixture = private_fixture();
    fixture.write("other.pem", include_str!("../data/keys/ed25519.pem"));
    fixture.write("other.txt", "another secret, of thirty-two bytes");
    set_mode(&fixture, "other.txt", 0o600);
    let found = fixture.check(
        "cylance --tenant-id tenant --application-id application --base-url {url} --secret other.txt",
    );
    let skipped = ["certificate", "tls", "metadata"];
    found.assert_fails("token", 5, "the authorization server refused", &skipped);
    // A key of a kind that the server is known to refuse does not get that far.
    let found =
        fixture.check("salesforce --client-id c --username u --login-url {url} --key other.pem");
    assert_eq!((found.status, found.with("fail")), (3, vec!["assertion"]));
    let detail = found.detail("assertion");
    assert!(detail.contains("this server accepts RS256"), "{detail}");
    assert_eq!(found.step("clock")["outcome"], "ok", "{found:?}");
}

/// Writes a certificate of a key that is made for it, and the key.
#[cfg(unix)]
fn write_certificate(fixture: &Fixture, change: impl FnOnce(&mut CertificateParams)) {
    let mut params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let certificate = ::pem::Pem::new("CERTIFICATE", certificate.der().to_vec());
    fixture.write("certificate.pem", ::pem::encode(&certificate));
    fixture.write("ec.der", key.serialize_der());
    set_mode(fixture, "ec.der", 0o600);
}

#[cfg(unix)] // needs openssl
#[test]
fn check_shows_the_certificate_warns_of_its_dates_and_refuses_a_foreign_one() {
    let fixture = private_fixture();
    let check = |key: &str| {
        fixture.check(&format!(
            "custom --issuer c --token-endpoint https://as.example/token --offline --certificate \
             certificate.pem --key {key}"
        ))
    };
    write_certificate(&fixture, |_| {});
    let found = check("ec.der");
    found.assert_warns(&[]);
    let openssl = |options: &str| {
        let mut command = Command::new("openssl");
        let command = command.args(options.split(' '));
        let command = command.current_dir(fixture.directory.path());
        command.output().unwrap().stdout
    };
    fixture.write(
        "certificate.der",
        openssl("x509 -in certificate.pem -outform DER"),
    );
    for (hash, name) in [("sha1", "x5t"), ("sha256", "x5t#S256")] {
        let digest = openssl(&format!("dgst -{hash} -binary certificate.der"));
        let digest = URL_SAFE_NO_PAD.encode(digest);
        assert_eq!(found.step("certificate")[name], digest);
    }

    let soon = SystemTime::now() + Duration::from_secs(10 * 24 * 3600 + 60);
    write_certificate(&fixture, |params| params.not_after = soon.into());
    let found = check("ec.der");
    found.assert_warns(&["certificate"]);
    let detail = found.detail("certificate");
    assert!(detail.ends_with("it expires in 10 days"), "{detail}");

    let found = check("key.pem");
    let words = "the certificate is of another key";
    found.assert_fails("certificate", 3, words, &["assertion", "network"]);
    assert_eq!(found.step("key")["outcome"], "ok");

    // Many servers use only the public key, and ignore the rest.
    let long_ago = rcgen::date_time_ymd(2020, 1, 1);
    write_certificate(&fixture, |params| params.not_after = long_ago);
    let found = check("ec.der");
    found.assert_warns(&["certificate"]);
    assert!(
        found.detail("certificate").contains("; expired "),
        "{found:?}"
    );
    assert_eq!(
        found.step("certificate")["hints"],
        serde_json::json!([
            "some servers refuse it, and others take the public key alone: if the exchange fails, make a new certificate, \
             and register it at the server"
        ])
    );
    assert_eq!(found.step("assertion")["outcome"], "ok");
    let far = rcgen::date_time_ymd(4000, 1, 1);
    write_certificate(&fixture, |params| params.not_before = far);
    let found = check("ec.der");
    found.assert_warns(&["certificate"]);
    assert!(
        found.detail("certificate").ends_with("; not valid yet"),
        "{found:?}"
    );

    fixture.write("certificate.pem", "nothing");
    let found = check("ec.der");
    assert_eq!((found.status, found.with("fail")), (3, vec!["certificate"]));
    assert_eq!(found.step("key")["outcome"], "ok");
}

/// Entra refuses it: error 1000502, "the provided certificate is not within its specified validity window".
#[test]
fn check_refuses_an_expired_certificate_where_the_server_is_known_to() {
    let fixture = private_fixture();
    let made = fixture.run("key new entra.pem");
    assert_eq!(made.status, 0, "{made:?}");
    let key = fs::read_to_string(fixture.directory.path().join("entra.pem")).unwrap();
    let der =
        rustls::pki_types::PrivatePkcs8KeyDer::from(::pem::parse(key).unwrap().into_contents());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let certificate = ::pem::Pem::new("CERTIFICATE", certificate.der().to_vec());
    fixture.write("entra.crt", ::pem::encode(&certificate));
    let entra = "entra --tenant t --client-id c --scope https://a.example/.default --key entra.pem --certificate entra.crt";
    let found = fixture.check(&format!("{entra} --offline"));
    found.assert_fails("certificate", 3, "expired", &["network"]);
    let hints = &found.step("certificate")["hints"];
    assert_eq!(
        hints,
        &serde_json::json!(["make a new certificate, and register it at the server"])
    );
    // A connection counts as its provider.
    fixture.write("config.toml", "[own]\nprovider = \"entra\"\n");
    let own = entra.replacen("entra ", "own ", 1);
    let found = fixture.check(&format!("--config config.toml {own} --offline"));
    assert_eq!((found.status, found.with("fail")), (3, vec!["certificate"]));
}

#[test]
fn check_says_what_to_do_where_no_endpoint_is() {
    let fixture = private_fixture();
    let client = "client-credentials --client-id client-1 --key key.pem";
    let hints = |found: &Found, step: &str| found.step(step)["hints"].to_string();
    let found = fixture.check(&format!("{client} --token-endpoint {{url}}/nowhere"));
    found.assert_fails(
        "token",
        6,
        "(status 404)",
        &["certificate", "tls", "metadata"],
    );
    assert!(
        hints(&found, "token").contains(&format!(
            "no token endpoint is at {}/nowhere: compare the URL, path and all, with the server's documents",
            fixture.server.url()
        )),
        "{found:?}"
    );
    // 405 is what many pages answer to a POST.
    let page = FixedServer::json("405 Method Not Allowed", "", "{}");
    let found = fixture.check(&format!("{client} --token-endpoint {}", page.url()));
    assert!(
        hints(&found, "token").contains("no token endpoint is at "),
        "{found:?}"
    );
    let refusal = FixedServer::json("400 Bad Request", "", r#"{"error":"invalid_grant"}"#);
    let found = fixture.check(&format!("{client} --token-endpoint {}", refusal.url()));
    assert!(
        !hints(&found, "token").contains("no token endpoint"),
        "{found:?}"
    );
    // An OAuth error comes from a token endpoint, whatever its status.
    let refusal = FixedServer::json("404 Not Found", "", r#"{"error":"invalid_grant"}"#);
    let found = fixture.check(&format!("{client} --token-endpoint {}", refusal.url()));
    assert!(
        !hints(&found, "token").contains("no token endpoint"),
        "{found:?}"
    );
    let found = fixture.check(&format!("{client} --discover {{url}}/nowhere"));
    assert_eq!(found.with("fail"), ["metadata"]);
    assert!(
        hints(&found, "metadata").contains("the issuer, or the URL of the metadata, is another"),
        "{found:?}"
    );
}

/// The advice for a port that speaks the other protocol differs from that for one that speaks neither.
#[test]
fn check_says_what_to_do_where_a_port_speaks_no_tls_or_tls_alone() {
    let fixture = private_fixture();
    let client = "client-credentials --client-id client-1 --key key.pem --timeout 6";
    let skipped = ["certificate", "metadata", "clock", "token"];
    let plain = FixedServer::json("400 Bad Request", "", "{}");
    for how in ["--token-endpoint {url}/token", "--discover {url}"] {
        let url = format!("https://127.0.0.1:{}", plain.port);
        let found = fixture.check(&format!("{client} {}", how.replace("{url}", &url)));
        found.assert_fails("tls", 4, "no connection with TLS", &skipped);
        let hint = "this port does not speak TLS, as plain http does not: correct the port in the URL (https has 443), \
                    or, on this machine alone, write http:// in place of https://";
        assert_eq!(found.step("tls")["hints"][0], hint);
    }
    let server = Server::start_tls().unwrap();
    let url = server.url().replacen("https:", "http:", 1);
    for (how, status) in [("--token-endpoint {url}/token", 4), ("--discover {url}", 4)] {
        let found = fixture.check(&format!("{client} {}", how.replace("{url}", &url)));
        found.assert_fails("tls", status, "this port speaks TLS", &skipped);
        assert_eq!(
            found.step("tls")["hints"][0],
            "write https:// in place of http://"
        );
    }
    // Some servers reply in http, with status 400, that they want TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = url.rsplit_once(':').unwrap().1.to_owned();
    // Ends with the test process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut first = [0];
            let count = stream.peek(&mut first).unwrap_or_default();
            if count == 1 && first != [0x16] {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(&FixedServer::response("400 Bad Request", "", "TLS"));
                close(stream);
                continue;
            }
            let Ok(mut server) = TcpStream::connect(format!("127.0.0.1:{behind}")) else {
                continue;
            };
            let (mut request, mut response) =
                (stream.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut request, &mut server));
            thread::spawn(move || io::copy(&mut response, &mut stream));
        }
    });
    let found = fixture.check(&format!(
        "{client} --token-endpoint http://127.0.0.1:{port}/token"
    ));
    found.assert_fails("tls", 4, "this port speaks TLS", &skipped);
    // A server that says nothing speaks neither.
    let silent = FixedServer::new("");
    let found = fixture.check(&format!("{client} --token-endpoint {}", silent.url()));
    assert_eq!(found.step("tls")["outcome"], "skip", "{found:?}");
    // Documents that are not needed are not requested again, since each request may take long.
    let received = silent.received.lock().unwrap();
    let documents = received.iter().filter(|bytes| bytes.starts_with(b"GET "));
    let paths: BTreeSet<_> = documents
        .map(|bytes| bytes.split(|byte| *byte == b' ').nth(1).map(<[u8]>::to_vec))
        .collect();
    assert_eq!(paths.len(), 1);
}

#[test]
fn check_of_a_certificate_that_cannot_be_read_fails_once() {
    let fixture = private_fixture();
    fixture.write("nothing.crt", "nothing");
    let found = fixture.check(
        "entra --tenant t --client-id c --scope https://a.example/.default --key key.pem --certificate nothing.crt \
         --offline",
    );
    assert_eq!((found.status, found.with("fail")), (3, vec!["certificate"]));
    assert_eq!(found.with("skip"), ["assertion", "network"]);
}

/// Servers with many issuers have a document below each: RFC 8414 §3 and OpenID Connect Discovery §4.
#[test]
fn check_looks_for_metadata_below_the_audience() {
    let fixture = private_fixture();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/realms/x", listener.local_addr().unwrap());
    let metadata = METADATA.replace("{url}", &url);
    // Ends with the test process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = vec![0; 65536];
            let count = stream.read(&mut bytes).unwrap_or_default();
            let response = match bytes.get(..count).unwrap_or_default() {
                bytes if bytes.starts_with(b"GET /realms/x/.well-known/openid-configuration ") => {
                    FixedServer::response("200 OK", "", &metadata)
                }
                bytes if bytes.starts_with(b"POST") => FixedServer::response("200 OK", "", TOKEN),
                _ => FixedServer::response("404 Not Found", "", "{}"),
            };
            let _ = stream.write_all(&response);
            close(stream);
        }
    });
    let found = fixture.check(&format!(
        "client-credentials --client-id c --key key.pem --token-endpoint {url}/token --audience {url}"
    ));
    found.assert_warns(&[]);
    assert_eq!(
        found.detail("metadata"),
        format!("{url}/.well-known/openid-configuration")
    );
}

#[test]
fn check_says_why_no_proxy_is_used() {
    let fixture = private_fixture();
    let server = Server::start_tls().unwrap();
    let port = server.url().rsplit_once(':').unwrap().1.to_owned();
    let plain = fixture.server.url().rsplit_once(':').unwrap().1.to_owned();
    for (url, no_proxy, detail) in [
        (
            format!("https://127.0.0.1:{port}/token"),
            "127.0.0.1",
            "none: no_proxy names 127.0.0.1",
        ),
        (
            format!("http://localhost:{plain}/token"),
            "",
            "none: plain http to this machine goes through no proxy",
        ),
    ] {
        let mut command = fixture.command(&format!(
            "check --format json client-credentials --client-id c --key key.pem --timeout 5 --token-endpoint {url}"
        ));
        // Nobody listens there.
        command.env("https_proxy", "http://127.0.0.1:1");
        let outcome = command.env("no_proxy", no_proxy).output();
        let found = Found::of(Outcome::of(outcome.unwrap()));
        assert_eq!(found.detail("proxy"), detail);
        assert_eq!(found.step("tcp")["outcome"], "ok", "{found:?}");
        assert_eq!(found.detail("dns"), "127.0.0.1 is an address");
    }
}

#[test]
fn check_knows_the_limits_of_a_server_offline() {
    let fixture = private_fixture();
    for (arguments, words) in [
        (
            "box --client-id c --enterprise-id e --client-secret secret.txt --key key.pem --key-id k \
             --lifetime 3600",
            "exp lies further",
        ),
        (
            "docusign --integration-key c --user-id u --audience https://account.docusign.com --key key.pem",
            "DocuSign wants a bare host as audience",
        ),
        (
            "auth0 --domain tenant.auth0.com --client-id c --api-identifier https://api.example --jti none --key key.pem",
            "set jti to uuid",
        ),
    ] {
        let outcome = fixture.run(&format!("check --offline --format json {arguments}"));
        assert_ne!(outcome.status, 2, "{outcome:?}");
        let found = Found::of(outcome);
        assert_eq!((found.status, found.with("fail")), (3, vec!["assertion"]));
        let detail = found.detail("assertion");
        assert!(detail.contains(words), "{detail}");
        assert_eq!(found.with("skip"), ["certificate", "network"]);
    }
}

#[test]
fn check_tells_an_unknown_host_from_a_port_where_nobody_listens() {
    let fixture = private_fixture();
    let at = |url: &str| {
        fixture.check(&format!(
            "client-credentials --client-id c --key key.pem --token-endpoint {url} --timeout 5"
        ))
    };
    let skipped = ["certificate", "tcp", "tls", "metadata", "clock", "token"];
    let found = at("https://as.nowhere.invalid/token");
    found.assert_fails("dns", 4, "as.nowhere.invalid: ", &skipped);
    let skipped = ["certificate", "tls", "metadata", "clock", "token"];
    let found = at("https://127.0.0.1:1/token");
    found.assert_fails(
        "tcp",
        4,
        &format!("127.0.0.1:1: {}", system_error(REFUSED)),
        &skipped,
    );
}

#[test]
fn check_offline_sends_nothing() {
    let fixture = private_fixture();
    // Nobody listens there, and nobody has this name.
    for url in [
        "https://127.0.0.1:1/token",
        "https://as.nowhere.invalid/token",
    ] {
        let found = fixture.check(&format!(
            "client-credentials --client-id c --key key.pem --token-endpoint {url} --offline"
        ));
        found.assert_warns(&[]);
        assert_eq!(found.with("skip"), ["certificate", "network"]);
    }
    let found = fixture.check(&format!("{CLIENT} --key key.pem --offline"));
    found.assert_warns(&[]);
    assert_eq!(fixture.server.requests(), 0);
}

#[test]
fn check_of_a_self_signed_token_stops_after_signing() {
    let found = private_fixture().check("self-signed --issuer me --audience api --key key.pem");
    found.assert_warns(&[]);
    let detail = found.detail("network");
    assert!(detail.contains("nothing is exchanged"), "{detail}");
    assert_eq!(found.step("assertion")["claims"]["aud"], "api");
    assert_eq!(found.steps.len(), 5);
}

/// Starts a server that has one metadata document and one token response, and may say a wrong time.
fn server(offset: i64, metadata: &str, status: &'static str, token: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let difference = Duration::from_secs(offset.unsigned_abs());
    let time = match offset < 0 {
        true => SystemTime::now() - difference,
        false => SystemTime::now() + difference,
    };
    let date = format!("Date: {}\r\n", httpdate::fmt_http_date(time));
    let metadata = metadata.replace("{url}", &url);
    // Ends with the test process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let mut bytes = vec![0; 65536];
            let count = stream.read(&mut bytes)?;
            let response = match bytes[..count].starts_with(b"GET") {
                true => FixedServer::response("200 OK", &date, &metadata),
                false => FixedServer::response(status, &date, token),
            };
            let _ = stream.write_all(&response);
            close(stream);
        }
        io::Result::Ok(())
    });
    url
}

const TOKEN: &str =
    r#"{"access_token":"t0ken-of-it","expires_in":300,"token_type":"Bearer","scope":"a"}"#;
const DENIAL: &str = r#"{"error":"invalid_grant","error_description":"nbf is in the future"}"#;
const METADATA: &str = r#"{"issuer":"{url}","token_endpoint":"{url}/token"}"#;

#[test]
fn check_names_metadata_of_another_issuer() {
    let metadata =
        r#"{"issuer":"https://other.example","token_endpoint":"https://other.example/token"}"#;
    let url = server(0, metadata, "200 OK", TOKEN);
    let found = private_fixture().check(&format!(
        "client-credentials --client-id c --key key.pem --discover {url}"
    ));
    let words = "metadata is of the issuer https://other.example, and http://127.0.0.1";
    found.assert_fails("metadata", 6, words, &["certificate", "tls", "token"]);
    assert_eq!(found.step("clock")["outcome"], "ok");
}

/// The server of the metadata can be reached, and that of the token endpoint cannot.
#[test]
fn check_takes_the_steps_to_each_of_two_servers() {
    let metadata = r#"{"issuer":"{url}","token_endpoint":"http://127.0.0.1:1/token"}"#;
    let url = server(0, metadata, "200 OK", TOKEN);
    let found = private_fixture().check(&format!(
        "client-credentials --client-id c --key key.pem --discover {url}"
    ));
    let skipped = ["certificate", "tls", "tls", "clock", "token"];
    found.assert_fails(
        "tcp",
        4,
        &format!("127.0.0.1:1: {}", system_error(REFUSED)),
        &skipped,
    );
}

#[test]
fn check_warns_where_the_metadata_does_not_offer_what_is_sent() {
    let metadata = r#"{"issuer":"{url}","token_endpoint":"{url}/token",
        "token_endpoint_auth_signing_alg_values_supported":["ES256","PS256"],
        "token_endpoint_auth_methods_supported":["client_secret_basic"],
        "grant_types_supported":["authorization_code"]}"#;
    let fixture = private_fixture();
    let url = server(0, metadata, "200 OK", TOKEN);
    for how in [
        format!("--discover {url}"),
        format!("--token-endpoint {url}/token"),
    ] {
        let found = fixture.check(&format!(
            "client-credentials --client-id c --key key.pem {how}"
        ));
        found.assert_warns(&["metadata"]);
        let detail = found.detail("metadata");
        for words in [
            "the algorithm RS256 is not offered, but ES256, PS256",
            "the method private_key_jwt is not offered, but client_secret_basic",
            "the grant type client_credentials is not offered, but authorization_code",
        ] {
            assert!(detail.contains(words), "{words} in {detail}");
        }
        let hints = &found.step("metadata")["hints"];
        assert_eq!(hints.as_array().unwrap().len(), 3);
        assert_eq!(found.step("token")["scope"], "a");
        assert!(!format!("{found:?}").contains("t0ken"), "{found:?}");
    }
}

/// RFC 8414 §2: methods and algorithms are for clients that authenticate, and a grant does not authenticate a client.
#[test]
fn check_compares_a_grant_with_the_grant_types_alone() {
    let fixture = private_fixture();
    for (grant_types, warns) in [
        (r#"["authorization_code"]"#, &["metadata"][..]),
        ("[]", &[]),
    ] {
        let metadata = r#"{"issuer":"{url}","token_endpoint":"{url}/token","grant_types_supported":GRANTS,
            "token_endpoint_auth_methods_supported":["none"],
            "token_endpoint_auth_signing_alg_values_supported":["ES256"]}"#;
        let metadata = metadata.replace("GRANTS", grant_types);
        let url = server(0, &metadata, "200 OK", TOKEN);
        let found = fixture.check(&format!(
            "jwt-bearer --issuer i --subject s --key key.pem --discover {url}"
        ));
        found.assert_warns(warns);
        let hints = &found.step("metadata")["hints"];
        assert_eq!(hints.as_array().unwrap().len(), warns.len(), "{hints}");
    }
}

/// Only the clock of the server that issues tokens counts, and a response from a cache shows none.
#[test]
fn check_measures_the_clock_of_the_token_endpoint_alone() {
    let fixture = private_fixture();
    let date = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(600));
    for headers in [String::new(), format!("Date: {date}\r\nAge: 600\r\n")] {
        let tokens = FixedServer::json("200 OK", &headers, TOKEN);
        let metadata = format!(
            r#"{{"issuer":"{{url}}","token_endpoint":"{}"}}"#,
            tokens.url()
        );
        let url = server(600, &metadata, "200 OK", TOKEN);
        let found = fixture.check(&format!(
            "client-credentials --client-id c --key key.pem --discover {url}"
        ));
        found.assert_warns(&[]);
        assert_eq!(found.detail("clock"), "the server does not say its time");
    }
}

#[test]
fn check_measures_a_clock_that_is_ten_minutes_off() {
    let fixture = private_fixture();
    for (offset, words) in [(600, "s ahead of this"), (-600, "s behind this")] {
        let check = |status, token| {
            let url = server(offset, METADATA, status, token);
            fixture.check(&format!(
                "client-credentials --client-id c --key key.pem --discover {url}"
            ))
        };
        let found = check("400 Bad Request", DENIAL);
        assert_eq!((found.status, found.err.as_str()), (3, ""));
        assert_eq!(found.with("fail"), ["clock", "token"], "{found:?}");
        assert!(found.detail("clock").contains(words), "{found:?}");
        let measured = found.step("clock")["offset"].as_i64().unwrap();
        assert!((measured - offset).abs() <= 2, "{measured}");
        assert_eq!(found.step("token")["status"], 5);
        // A server that tolerates the difference issues a token.
        check("200 OK", TOKEN).assert_warns(&["clock"]);
    }
}

#[test]
fn check_signs_by_the_clock_of_the_server_where_the_user_wants_it() {
    let fixture = private_fixture();
    let url = server(600, METADATA, "400 Bad Request", DENIAL);
    let found = fixture.check(&format!(
        "client-credentials --client-id c --key key.pem --discover {url} --correct-clock"
    ));
    assert_eq!((found.status, found.err.as_str()), (5, ""), "{found:?}");
    assert_eq!(
        (found.with("warn"), found.with("fail")),
        (vec!["clock"], vec!["token"])
    );
    let clock = found.step("clock");
    assert!(
        found
            .detail("clock")
            .contains("--correct-clock signs by the server's"),
        "{clock}"
    );
    let hints = found.step("token")["hints"].to_string();
    assert!(!hints.contains("--correct-clock"), "{hints}");
    let outcome = fixture.run(&format!(
        "check client-credentials --client-id c --key key.pem --discover {url} --correct-clock -v"
    ));
    let claims = outcome
        .err
        .lines()
        .filter(|line| line.starts_with("claims    "));
    assert_eq!(claims.count(), 2, "{outcome:?}");
}

/// A connection has one `format` for all commands.
#[test]
fn check_takes_the_formats_of_the_command_token() {
    let fixture = private_fixture();
    for format in ["token", "header", "env", "exec-credential", "text"] {
        let outcome = fixture.run(&format!(
            "check --offline {} --format {format}",
            PROFILES[4]
        ));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(outcome.out.contains("ok   key"), "{outcome:?}");
    }
}

#[test]
fn check_of_a_short_secret_warns_in_its_step() {
    let fixture = private_fixture();
    fixture.write("short.txt", "a short secret");
    set_mode(&fixture, "short.txt", 0o600);
    let found = fixture.check(
        "cylance --tenant-id t --application-id a --base-url {url} --offline --secret short.txt",
    );
    found.assert_warns(&["key"]);
    let words = "14 bytes; RFC 7518 asks for 32 or more";
    assert!(found.detail("key").ends_with(words), "{found:?}");
}

#[test]
fn check_shows_words_of_the_server_without_secrets_and_control_characters() {
    let fixture = private_fixture();
    let denial = r#"{"error":"invalid_client","error_description":"\u001b[31mhunter2-hunter2-hunter2 is wrong"}"#;
    let url = server(0, METADATA, "401 Unauthorized", denial);
    for format in ["json", "text"] {
        let outcome = fixture.run(&format!(
            "check --format {format} client-credentials --client-id c --key key.pem --discover {url} \
             --param client_secret=@client-secret.txt -v"
        ));
        assert_eq!(outcome.status, 5, "{outcome:?}");
        let all = outcome.out.clone() + &outcome.err;
        assert!(!all.contains("hunter2"), "{outcome:?}");
        assert!(!all.contains('\u{1b}'), "{outcome:?}");
        assert!(outcome.err.contains("response  401"), "{outcome:?}");
        let assertion = outcome.err.split("client_assertion=").nth(1).unwrap();
        assert!(assertion.starts_with("eyJ"), "{outcome:?}");
        assert!(assertion[12..].starts_with("..."), "{outcome:?}");
    }
}

#[test]
fn check_names_the_proxy_without_its_password() {
    let fixture = private_fixture();
    let refusal =
        FixedServer::new("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let run = |proxy: &str| {
        let mut command = fixture.command(
            "check --format json client-credentials --client-id c --key key.pem --timeout 5 \
             --token-endpoint https://as.nowhere.invalid/token",
        );
        let outcome = command.env("https_proxy", proxy).output();
        Found::of(Outcome::of(outcome.unwrap()))
    };
    let found = run(&format!("http://user:hunter2@127.0.0.1:{}", refusal.port));
    let skipped = ["certificate", "metadata", "clock", "token"];
    found.assert_fails("tls", 4, "no connection through the proxy", &skipped);
    let proxy = format!(
        "http://127.0.0.1:{}, with a name and a password",
        refusal.port
    );
    assert_eq!(found.step("proxy")["proxy"], proxy);
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    let found = run("hunter2 hunter2");
    assert_eq!((found.status, found.with("fail")), (3, vec!["proxy"]));
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
}

#[test]
fn check_as_text_has_words_beside_marks_and_no_colour_in_a_file() {
    let fixture = private_fixture();
    let outcome = fixture.run(&format!("check {CLIENT} --key missing.pem"));
    assert_eq!((outcome.status, outcome.err.as_str()), (3, ""));
    let lines: Vec<_> = outcome.out.lines().collect();
    assert!(
        lines[0].starts_with("FAIL file         --key: missing.pem: "),
        "{outcome:?}"
    );
    assert_eq!(
        lines[1..3],
        [
            match cfg!(windows) {
                true => "     what to do   check the path, and who may read the file: icacls FILE",
                false => "     what to do   check the path, and who may read the file: ls -l FILE",
            },
            "skip key          the file cannot be read",
        ]
    );
    assert!(
        outcome.out.contains("\nok   metadata     http"),
        "{outcome:?}"
    );
    assert!(outcome.out.is_ascii(), "{outcome:?}");
}

#[test]
fn check_reports_wrong_arguments_as_usage() {
    let fixture = private_fixture();
    let outcome = fixture.run(&format!("check {CLIENT} --key - --passphrase-file -"));
    assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
    let found = fixture.check(&format!("{CLIENT} --key key.pem --claim sub=x"));
    assert_eq!((found.status, found.with("fail")), (3, vec!["assertion"]));
    assert_eq!(found.step("metadata")["outcome"], "ok");
}
