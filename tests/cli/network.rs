//! The network: proxies of the environment, certificates.

use std::net::TcpStream;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;

#[test]
fn https_proxy_variable_is_used() {
    let fixture = Fixture::new();
    let mut command =
        fixture.command("token cylance --tenant-id t --application-id a --secret secret.txt");
    let outcome = command
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .args(["--timeout", "1"])
        .output();
    let outcome = Outcome::of(outcome.unwrap());
    assert_eq!(outcome.status, 4, "{outcome:?}");
    assert!(outcome.err.contains("Connection refused"), "{outcome:?}");
}

const REFUSAL: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

/// Which of two proxies a request to `https://host` goes through.
#[cfg(unix)]
fn used_proxy(fixture: &Fixture, host: &str, variables: &[(&str, &str)]) -> Option<u8> {
    let (first, second) = (FixedServer::new(REFUSAL), FixedServer::new(REFUSAL));
    let mut command = fixture.command(&format!(
        "token client-credentials --client-id c --key key.pem --timeout 2 \
         --token-endpoint https://{host}/token"
    ));
    for (name, value) in variables {
        let value = value
            .replace("FIRST", &format!("127.0.0.1:{}", first.port))
            .replace("SECOND", &format!("127.0.0.1:{}", second.port));
        command.env(name, value);
    }
    let outcome = Outcome::of(command.output().unwrap());
    assert_eq!(outcome.status, 4, "{outcome:?}");
    match (first.is_used(), second.is_used()) {
        (true, false) => Some(1),
        (false, true) => Some(2),
        (false, false) => None,
        (true, true) => panic!("both were used"),
    }
}

#[cfg(unix)] // variables have no case on Windows
#[test]
fn proxy_variables_are_read_as_curl_reads_them() {
    let fixture = Fixture::new();
    let host = "as.nowhere.invalid";
    for (variables, host, used) in [
        (&[("HTTPS_PROXY", "http://FIRST")][..], host, Some(1)),
        (
            &[
                ("all_proxy", "http://FIRST"),
                ("ALL_PROXY", "http://SECOND"),
            ],
            host,
            Some(1),
        ),
        (
            &[
                ("ALL_PROXY", "http://FIRST"),
                ("HTTPS_PROXY", "http://SECOND"),
            ],
            host,
            Some(2),
        ),
        (
            &[("https_proxy", ""), ("ALL_PROXY", "FIRST")],
            host,
            Some(1),
        ),
        (&[("https_proxy", ""), ("HTTPS_PROXY", "")], host, None),
        (
            &[
                ("HTTP_PROXY", "http://FIRST"),
                ("http_proxy", "http://SECOND"),
            ],
            host,
            None,
        ),
        (
            &[
                ("https_proxy", "http://FIRST"),
                ("NO_PROXY", "nowhere.invalid"),
            ],
            host,
            None,
        ),
        (
            &[
                ("https_proxy", "http://FIRST"),
                ("no_proxy", " other , .invalid "),
            ],
            host,
            None,
        ),
        (
            &[("https_proxy", "http://FIRST"), ("no_proxy", "*")],
            host,
            None,
        ),
        (
            &[
                ("https_proxy", "http://FIRST"),
                ("no_proxy", "where.invalid"),
            ],
            host,
            Some(1),
        ),
        (
            &[
                ("https_proxy", "http://FIRST"),
                ("no_proxy", ""),
                ("NO_PROXY", host),
            ],
            host,
            None,
        ),
        (
            &[("https_proxy", "http://FIRST"), ("no_proxy", "127.0.0.0/8")],
            "127.0.0.1:1",
            None,
        ),
        (
            &[("https_proxy", "http://FIRST"), ("no_proxy", "10.0.0.0/8")],
            "127.0.0.1:1",
            Some(1),
        ),
        (
            &[("https_proxy", "http://FIRST"), ("no_proxy", "127.0.0.1:2")],
            "127.0.0.1:1",
            Some(1),
        ),
        (&[("https_proxy", "http://u:p%40ss@FIRST/")], host, Some(1)),
    ] {
        assert_eq!(
            used_proxy(&fixture, host, variables),
            used,
            "{variables:?} {host}"
        );
    }
}

#[test]
fn proxy_variable_that_is_unusable_is_named_without_its_value() {
    let fixture = Fixture::new();
    for (variable, value) in [
        ("https_proxy", "http://DOMAIN\\user:hunter2@127.0.0.1:3128"),
        ("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:3128 "),
        ("all_proxy", "\"http://user:hunter2@127.0.0.1:3128\""),
        ("ALL_PROXY", "gopher://user:hunter2@127.0.0.1:70"),
        ("https_proxy", "http://user:hunter2@127.0.0.1:port"),
        ("https_proxy", "hunter2 hunter2"),
    ] {
        let mut command = fixture.command(
            "token client-credentials --client-id c --key key.pem \
             --token-endpoint https://as.nowhere.invalid/token",
        );
        let outcome = Outcome::of(command.env(variable, value).output().unwrap());
        assert_eq!(
            (outcome.status, outcome.out.as_str()),
            (3, ""),
            "{outcome:?}"
        );
        let start = with_variables(&format!("jwt-bearer: {variable}: "));
        assert!(
            with_variables(&outcome.err).starts_with(&start),
            "{outcome:?}"
        );
        assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
        // The variable does no harm if the host is in the list of exceptions.
        for exceptions in ["*", "nowhere.invalid"] {
            let outcome = Outcome::of(command.env("NO_PROXY", exceptions).output().unwrap());
            assert_eq!(outcome.status, 4, "{outcome:?}");
            assert!(!outcome.err.contains(variable), "{outcome:?}");
        }
        let outcome = Outcome::of(command.env("NO_PROXY", "other.invalid").output().unwrap());
        assert_eq!(outcome.status, 3, "{outcome:?}");
    }
}

#[test]
fn proxy_variable_that_is_unusable_is_named_where_discovery_leads_to_its_hosts() {
    let fixture = Fixture::new();
    let server = FixedServer::new("");
    let issuer = format!("http://127.0.0.1:{}", server.port);
    let metadata =
        format!(r#"{{"issuer":"{issuer}","token_endpoint":"https://as.nowhere.invalid/token"}}"#);
    *server.response.lock().unwrap() = FixedServer::response("200 OK", "", &metadata);
    let mut command = fixture.command(&format!(
        "token client-credentials --client-id c --key key.pem --discover {issuer}"
    ));
    command.env("HTTPS_PROXY", "hunter2 hunter2");
    let outcome = Outcome::of(command.output().unwrap());
    assert!(server.is_used(), "{outcome:?}");
    assert_eq!(outcome.status, 4, "{outcome:?}");
    let wanted = with_variables("HTTPS_PROXY: this variable names no usable proxy");
    assert!(
        with_variables(&outcome.err).contains(&wanted),
        "{outcome:?}"
    );
    assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
}

#[test]
fn socks_proxy_is_asked_for_the_host_by_name() {
    let fixture = Fixture::new();
    let proxy = FixedServer::new([5, 0]); // version 5, no authentication
    let mut command = fixture.command(
        "token client-credentials --client-id c --key key.pem --timeout 2 \
         --token-endpoint https://as.nowhere.invalid/token",
    );
    let url = format!("socks5h://127.0.0.1:{}", proxy.port);
    let outcome = Outcome::of(command.env("ALL_PROXY", url).output().unwrap());
    assert_eq!(outcome.status, 4, "{outcome:?}");
    let received = proxy.received.lock().unwrap();
    assert_eq!(
        received.first().and_then(|bytes| bytes.first()),
        Some(&5),
        "{outcome:?}"
    );
}

/// Runs the command line as a user who may start no thread.
#[test]
#[cfg(target_os = "linux")]
fn socks_proxy_is_reached_where_threads_are_refused() {
    let has_tools = ["prlimit", "setpriv"]
        .iter()
        .all(|tool| Command::new(tool).arg("--version").output().is_ok());
    if !has_tools {
        println!("skipped: prlimit and setpriv are not installed");
        return;
    }
    let fixture = Fixture::new();
    // A copy, since another user may not be allowed to read the build directory.
    let program = fixture.directory.path().join("jwt-bearer");
    fs::copy(env!("CARGO_BIN_EXE_jwt-bearer"), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(fixture.directory.path(), open).unwrap();
    let uid = Command::new("id").arg("-u").output().unwrap();
    let limit = ["prlimit", "--nproc=1:1", "--"];
    // A limit on threads does not apply to root. The user id must have no other process.
    let user = [
        "setpriv",
        "--reuid=58216",
        "--regid=58216",
        "--clear-groups",
        "--",
    ];
    let user = match uid.stdout.as_slice() {
        b"0\n" => &user[..],
        _ => &[],
    };
    let run = |host: &str, proxy: &FixedServer| {
        let mut words = user.iter().chain(&limit);
        let mut command = Command::new(words.next().unwrap());
        let url = format!("socks5h://{host}:{}", proxy.port);
        command.args(words).arg(&program).args(
            "token client-credentials --client-id c --key key.pem --timeout 2 \
             --token-endpoint https://as.nowhere.invalid/token"
                .split_whitespace(),
        );
        command.env_clear().env("ALL_PROXY", url);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Outcome::of(
            command
                .current_dir(fixture.directory.path())
                .output()
                .unwrap(),
        )
    };
    let proxy = FixedServer::new([5, 0]);
    let outcome = run("127.0.0.1", &proxy);
    assert!(proxy.is_used(), "{outcome:?}");
    let proxy = FixedServer::new([5, 0]);
    let outcome = run("proxy.nowhere.invalid", &proxy);
    let wanted = "no thread can be started";
    assert!(
        outcome.status == 4 && outcome.err.contains(wanted),
        "{outcome:?}"
    );
    assert!(!outcome.err.contains("panicked"), "{outcome:?}");
}

#[test]
fn plain_http_to_loopback_goes_through_no_proxy() {
    let fixture = Fixture::new();
    let proxy = FixedServer::new(REFUSAL);
    for variable in ["http_proxy", "https_proxy", "all_proxy"] {
        let mut command = fixture.command(&format!("token {}", PROFILES[6]));
        let url = format!("http://127.0.0.1:{}", proxy.port);
        Outcome::of(command.env(variable, url).output().unwrap()).only_line();
    }
    assert!(!proxy.is_used());
}

/// A token endpoint over TLS, with a certificate for these names.
pub(super) struct TlsServer {
    pub(super) port: u16,
    certificate: Vec<u8>,
}

impl TlsServer {
    pub(super) fn new(root: &CertifiedIssuer<'_, KeyPair>, names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, root)
            .unwrap();
        Self::with(certificate.der().clone(), key)
    }
    pub(super) fn with(certificate: CertificateDer<'static>, key: KeyPair) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // Also a certificate that rustls would not serve.
        let key = provider.key_provider.load_private_key(key).unwrap();
        let certified = CertifiedKey::new(vec![certificate.clone()], key);
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let config = Arc::new(config);
        // Ends with the test process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer_over_tls(stream, config.clone());
            }
        });
        let certificate = certificate.to_vec();
        Self { port, certificate }
    }
    fn command(&self, fixture: &Fixture, options: &str) -> Command {
        let port = self.port;
        fixture.command(&format!(
            "token client-credentials --client-id c --key key.pem --timeout 5 \
             --token-endpoint https://localhost:{port}/token {options}"
        ))
    }
    fn run(&self, fixture: &Fixture, options: &str) -> Outcome {
        Outcome::of(self.command(fixture, options).output().unwrap())
    }
}

fn answer_over_tls(mut stream: TcpStream, config: Arc<rustls::ServerConfig>) -> io::Result<()> {
    let mut connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    let _ = tls.read(&mut [0; 65536])?;
    let body = r#"{"access_token":"t0ken","expires_in":300}"#;
    let length = body.len();
    write!(
        tls,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    tls.conn.send_close_notify();
    tls.flush()?;
    close(stream);
    Ok(())
}

pub(super) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(super) fn pem_of(issuer: &CertifiedIssuer<'_, KeyPair>) -> String {
    ::pem::encode(&::pem::Pem::new("CERTIFICATE", issuer.der().to_vec()))
}

#[test]
fn ca_option_takes_pem_bundle_and_der() {
    let fixture = Fixture::new();
    let (root, other) = (authority("root"), authority("other"));
    let server = TlsServer::new(&root, &["localhost"]);
    fixture.write(
        "bundle.pem",
        format!("# roots\n{}{}", pem_of(&other), pem_of(&root)),
    );
    fixture.write("root.der", root.der());
    fixture.write("other.pem", pem_of(&other));
    for options in [
        "--ca bundle.pem",
        "--ca root.der",
        "--system-roots --ca root.der",
    ] {
        assert_eq!(server.run(&fixture, options).only_line(), "t0ken");
    }
    for options in ["", "--ca other.pem", "--system-roots"] {
        let outcome = server.run(&fixture, options);
        assert_eq!(outcome.status, 4, "{options}: {outcome:?}");
        assert!(
            outcome
                .err
                .contains("UnknownIssuer; the certificate is for localhost\n  trust the CA"),
            "{outcome:?}"
        );
    }
}

#[test]
fn ca_option_names_what_a_file_is_instead() {
    let fixture = Fixture::new();
    let root = authority("root");
    let server = TlsServer::new(&root, &["localhost"]);
    let pem = pem_of(&root);
    fixture.write("cut.pem", &pem[..pem.len() / 2]);
    fixture.write("cut.der", &root.der()[..100]);
    fixture.write("store.p12", include_bytes!("../data/keys/store.p12"));
    for (file, what) in [
        ("key.pem", "there is no certificate in this"),
        ("cut.der", "there is no certificate in this"),
        (
            "store.p12",
            "this is a key or PKCS#12; convert the latter with openssl pkcs12",
        ),
    ] {
        let outcome = server.run(&fixture, &format!("--ca {file}"));
        let start = format!("jwt-bearer: {file}: {what}");
        assert!(
            outcome.status == 3 && outcome.err.starts_with(&start),
            "{outcome:?}"
        );
    }
    assert_eq!(server.run(&fixture, "--ca cut.pem").status, 3);
}

#[test]
fn ssl_cert_variables_replace_the_roots() {
    let fixture = Fixture::new();
    let root = authority("root");
    let server = TlsServer::new(&root, &["localhost"]);
    let file = fixture.write("root.pem", pem_of(&root));
    let directory = fixture.directory.path().join("roots");
    fs::create_dir(&directory).unwrap();
    fs::copy(&file, directory.join("root.pem")).unwrap();
    let run = |variable: &str, value: &std::path::Path| {
        let mut command = server.command(&fixture, "");
        Outcome::of(command.env(variable, value).output().unwrap())
    };
    assert_eq!(run("SSL_CERT_FILE", &file).only_line(), "t0ken");
    assert_eq!(run("SSL_CERT_DIR", &directory).only_line(), "t0ken");
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let outcome = run(variable, &fixture.directory.path().join("hunter2"));
        let start = format!("jwt-bearer: {variable}: no certificate in PEM was found: ");
        assert!(
            outcome.status == 3 && outcome.err.starts_with(&start),
            "{outcome:?}"
        );
        assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
        // Plain http on this machine needs no certificate.
        let mut command = fixture.command(
            "token salesforce --client-id consumer-key --username user@example.com --key key.pem --login-url {url}",
        );
        let command = command.env(variable, fixture.directory.path().join("hunter2"));
        Outcome::of(command.output().unwrap()).only_line();
    }
}

#[test]
fn certificate_error_names_the_cause_and_what_to_do() {
    let fixture = Fixture::new();
    let root = authority("root");
    fixture.write("root.pem", pem_of(&root));
    let server = TlsServer::new(&root, &["elsewhere.example", "as.example"]);
    let outcome = server.run(&fixture, "--ca root.pem");
    assert_eq!(outcome.status, 4);
    for part in [
        "elsewhere.example",
        "as.example",
        "\n  use a host name that the certificate has",
    ] {
        assert!(outcome.err.contains(part), "{part} in {outcome:?}");
    }

    // What many tools make by default: a self-signed certificate, which says that it is a CA's.
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let server = TlsServer::with(certificate.der().clone(), key);
    fixture.write("self.der", &server.certificate);
    let outcome = server.run(&fixture, "--ca self.der");
    assert_eq!(outcome.status, 4);
    for part in [
        "a CA certificate as its own",
        "openssl req -x509 ",
        "CA:FALSE",
    ] {
        assert!(outcome.err.contains(part), "{part} in {outcome:?}");
    }

    // What that command makes is accepted.
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let server = TlsServer::with(certificate.der().clone(), key);
    fixture.write("self.der", &server.certificate);
    assert_eq!(server.run(&fixture, "--ca self.der").only_line(), "t0ken");
}

/// The error for every refused certificate lists the names that it is for, and says what to do.
#[test]
fn certificate_error_of_any_kind_names_the_names_of_the_certificate() {
    type Change = fn(&mut CertificateParams);
    let fixture = Fixture::new();
    let (root, other) = (authority("root"), authority("other"));
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example.com".to_owned())],
        excluded_subtrees: vec![],
    });
    let constrained = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fixture.write("root.pem", pem_of(&root) + &pem_of(&constrained));
    let far = |year| rcgen::date_time_ymd(year, 1, 1);
    let good: Change = |_| {};
    let expired: Change = |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let not_yet_valid: Change = |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let for_clients: Change = |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    let of_a_ca: Change = |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let many: Change = |params| {
        let names = (1..9).map(|n| format!("as{n}.example").try_into().unwrap());
        params
            .subject_alt_names
            .extend(names.map(rcgen::SanType::DnsName));
    };
    let all = "localhost, *.as.example, 192.0.2.1, 2001:db8::1";
    for (issuer, change, error, names, advice) in [
        (&other, good, "UnknownIssuer", all, "trust the CA"),
        (
            &root,
            expired,
            "certificate expired",
            all,
            "renew the server's certificate",
        ),
        (
            &root,
            not_yet_valid,
            "not valid yet",
            all,
            "set this machine's clock",
        ),
        (
            &root,
            for_clients,
            "extended key usage",
            all,
            "with the purpose serverAuth",
        ),
        (
            &root,
            of_a_ca,
            "CaUsedAsEndEntity",
            all,
            "a CA certificate as its own",
        ),
        (
            &constrained,
            good,
            "NameConstraintViolation",
            all,
            "openssl s_client -showcerts",
        ),
        (
            &other,
            many,
            "UnknownIssuer",
            "localhost, *.as.example, 192.0.2.1, 2001:db8::1, as1.example and 7 more",
            "trust the CA",
        ),
        (
            &other,
            |params| params.subject_alt_names.clear(),
            "UnknownIssuer",
            "no name, since it has no subjectAltName",
            "trust the CA",
        ),
    ] {
        let names_in = ["localhost", "*.as.example", "192.0.2.1", "2001:db8::1"];
        let mut params = CertificateParams::new(names_in.map(str::to_owned)).unwrap();
        params.not_after = far(4096);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let server = TlsServer::with(certificate.der().clone(), key);
        let outcome = server.run(&fixture, "--ca root.pem");
        assert_eq!(outcome.status, 4, "{outcome:?}");
        let (message, hint) = outcome.err.split_once('\n').unwrap();
        assert!(message.contains(error), "{error} in {message}");
        let end = format!("; the certificate is for {names}");
        assert!(message.ends_with(&end), "{end} in {message}");
        assert!(hint.starts_with("  ") && hint.contains(advice), "{hint}");
    }
}

/// RFC 5280 §4.1.2.1: the version is the number minus one, and before version 3 there is no subjectAltName.
#[test]
fn certificate_error_of_an_old_version_says_which_is_needed() {
    let fixture = Fixture::new();
    let root = authority("root");
    fixture.write("root.pem", pem_of(&root));
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &root).unwrap();
    let mut der = certificate.der().to_vec();
    let version = b"\xa0\x03\x02\x01\x02";
    let at = der.windows(5).position(|part| part == version).unwrap();
    der[at + 4] = 0;
    let server = TlsServer::with(der.into(), key);
    let outcome = server.run(&fixture, "--ca root.pem");
    assert_eq!(outcome.status, 4, "{outcome:?}");
    assert!(
        outcome.err.contains("UnsupportedCertVersion"),
        "{outcome:?}"
    );
    assert!(
        outcome.err.contains(
            "\n  the server's certificate is of X.509 version 1: it needs one of version 3"
        ),
        "{outcome:?}"
    );
}

#[test]
fn certificate_error_of_a_wrong_signature_says_that_another_ca_signed() {
    let fixture = Fixture::new();
    let (root, twin) = (authority("root"), authority("root"));
    fixture.write("root.pem", pem_of(&root));
    let run = |certificate: &[u8], key: KeyPair| {
        let server = TlsServer::with(certificate.to_vec().into(), key);
        server.run(&fixture, "--ca root.pem")
    };
    // Another CA with the same name: the signature is not by the trusted one.
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &twin).unwrap();
    let outcome = run(certificate.der(), key);
    assert!(
        outcome.err.contains(
            "BadSignature; the certificate is for localhost\n  the certificate was not signed"
        ),
        "{outcome:?}"
    );
}
