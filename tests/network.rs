//! How the transport connects, with real sockets on loopback: which address, which resolver, how
//! many threads, and which bytes of a response it accepts.

#![cfg(feature = "ureq")]

use std::error::Error as _;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jwt_bearer::{
    Audience, Endpoint, Error, ErrorKind, HmacKey, ManualClock, Profile, Request, Response,
    TokenSource, Transport,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use ureq::config::Config;
use ureq::tls::{Certificate, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Proxy};

const BODY: &str = r#"{"access_token":"t1","expires_in":300}"#;

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads one request of a connection, writes pieces of a response, and returns the request's head.
fn respond(stream: &mut (impl Read + Write), pieces: &[&[u8]]) -> io::Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    for line in head.to_ascii_lowercase().lines() {
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    for piece in pieces {
        reader.get_mut().write_all(piece)?;
        reader.get_mut().flush()?;
        if pieces.len() > 1 {
            thread::sleep(Duration::from_millis(2)); // so that the pieces arrive apart
        }
    }
    Ok(head)
}

/// Serves one connection, and returns the head of its request.
fn serve(listener: TcpListener, pieces: Vec<Vec<u8>>) -> JoinHandle<String> {
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
        respond(&mut stream, &pieces).unwrap()
    })
}

/// A response whose head has these further lines.
fn response(lines: &str) -> Vec<u8> {
    let length = BODY.len();
    format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n{BODY}")
        .into()
}

fn source(transport: impl Transport + 'static, url: &str) -> TokenSource {
    let endpoint = Endpoint::token(url).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let key = HmacKey::new("a secret of at least thirty-two bytes").unwrap();
    let source = TokenSource::with_transport(transport, profile, key).unwrap();
    source.with_clock(Arc::new(ManualClock::new(std::time::SystemTime::now())))
}

fn token(transport: impl Transport + 'static, url: &str) -> Result<String, Error> {
    let token = source(transport, url).fetch_uncached()?;
    Ok(token.secret().to_owned())
}

fn plain_agent() -> Agent {
    jwt_bearer::agent(Agent::config_builder().proxy(None).build())
}

#[test]
fn boxed_transport_sends() {
    let send = |_: &Request, _: Duration| -> io::Result<Response> { Ok(Response::new(200, BODY)) };
    let boxed: Box<dyn Transport> = Box::new(send);
    assert_eq!(token(boxed, "https://as.example.com/token").unwrap(), "t1");
}

// Plain http

/// Records what it is asked for, and resolves every name to a port where nothing listens.
#[derive(Debug, Default, Clone)]
struct HostsFile(Arc<Mutex<Vec<String>>>);

impl Resolver for HostsFile {
    fn resolve(
        &self,
        uri: &http::Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let authority = uri.authority().unwrap().to_string();
        let literal: Result<SocketAddr, _> = authority.parse();
        self.0.lock().unwrap().push(authority);
        let mut addresses = self.empty();
        addresses.push(literal.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 1))));
        Ok(addresses)
    }
}

#[test]
fn localhost_connects_to_ipv4_loopback_without_a_resolver() {
    let hosts = HostsFile::default();
    let config = || Agent::config_builder().proxy(None).build();
    let callers = Agent::with_parts(config(), DefaultConnector::new(), hosts.clone());
    for agent in [jwt_bearer::agent(config()), config().into(), callers] {
        let (listener, port) = listen();
        // Another user may have taken the same port of the other loopback address.
        let _other = TcpListener::bind(("::1", port));
        let server = serve(listener, vec![response("")]);
        let url = format!("http://localhost:{port}/token");
        assert_eq!(token(agent, &url).unwrap(), "t1");
        let head = server.join().unwrap().to_ascii_lowercase();
        assert!(
            head.contains(&format!("\r\nhost: localhost:{port}\r\n")),
            "{head}"
        );
    }
    let asked = hosts.0.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("127.0.0.1:"), "{asked:?}");
}

#[test]
fn socks_proxy_is_refused_and_not_bypassed() {
    let (listener, port) = listen();
    for scheme in ["socks4", "socks4a", "socks5", "socks5h"] {
        let proxy = Proxy::new(&format!("{scheme}://127.0.0.1:{port}")).unwrap();
        let config = Agent::config_builder().proxy(Some(proxy)).build();
        let url = format!("https://127.0.0.1:{port}/token");
        let error = token(jwt_bearer::agent(config), &url).unwrap_err();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (ErrorKind::Network, false)
        );
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("SOCKS proxy is not supported"), "{cause}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

// Threads and panics

#[derive(Debug)]
struct Panics;

impl Resolver for Panics {
    fn resolve(
        &self,
        _: &http::Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        panic!("no thread");
    }
}

#[test]
fn agent_that_panics_is_a_network_error() {
    let config = Agent::config_builder().proxy(None).build();
    let agent = Agent::with_parts(config, DefaultConnector::new(), Panics);
    let error = token(agent, "https://as.example.com/token").unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Network, true)
    );
    assert_eq!(
        error.source().unwrap().to_string(),
        "the HTTP client panicked"
    );
}

/// Runs `transport_without_threads` below as a user who may start no thread.
#[test]
#[cfg(target_os = "linux")]
fn transport_fails_with_an_error_where_threads_are_refused() {
    let uid = Command::new("id").arg("-u").output();
    let is_root = uid.is_ok_and(|uid| uid.stdout.starts_with(b"0\n"));
    let has_tools = ["prlimit", "setpriv"]
        .iter()
        .all(|tool| Command::new(tool).arg("--version").output().is_ok());
    if !has_tools {
        println!("skipped: prlimit and setpriv are not installed");
        return;
    }
    // A copy, since another user may not be allowed to read the build directory.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("network");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();

    let (listener, port) = listen();
    let server = serve(listener, vec![response("")]);
    // A limit on threads does not apply to root. The user id must have no other process.
    let setpriv = [
        "setpriv",
        "--reuid=58215",
        "--regid=58215",
        "--clear-groups",
        "--",
    ];
    let mut command = match is_root {
        true => {
            let mut command = Command::new(setpriv[0]);
            command.args(&setpriv[1..]).arg("prlimit");
            command
        }
        false => Command::new("prlimit"),
    };
    let output = command
        .args(["--nproc=1:1", "--"])
        .arg(&program)
        .args([
            "--exact",
            "transport_without_threads",
            "--ignored",
            "--test-threads=1",
        ])
        .args(["--nocapture"])
        .env("PORT", port.to_string())
        .current_dir(directory.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}"
    );
    server.join().unwrap();
}

#[test]
#[ignore = "transport_fails_with_an_error_where_threads_are_refused runs it"]
fn transport_without_threads() {
    assert!(
        thread::Builder::new().spawn(|| {}).is_err(),
        "threads are not refused"
    );
    let port = std::env::var("PORT").unwrap();

    let error = token(plain_agent(), "https://as.example.com/token").unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Network, true)
    );
    let cause = error.source().unwrap().to_string();
    assert!(
        cause.starts_with("the host name is not resolved: no thread can be started: "),
        "{cause}"
    );

    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    let error = token(agent, "https://as.example.com/token").unwrap_err();
    assert_eq!(
        error.source().unwrap().to_string(),
        "the HTTP client panicked"
    );

    let url = format!("http://127.0.0.1:{port}/token");
    assert_eq!(token(plain_agent(), &url).unwrap(), "t1");
}

// Response heads

const ILLEGAL: [&str; 6] = [
    "Access-Control-Allow-Credentials : true\r\n",
    "PHP Warning: Unable to load dynamic library\r\n",
    "X-Long: a\r\n  b\r\n",
    "<br />\r\n",
    ": no name\r\n",
    "X-Control: a\u{1}b\r\n",
];

#[test]
fn illegal_header_line_costs_that_line_only() {
    for line in ILLEGAL {
        let (listener, port) = listen();
        let lines = format!("X-Before: 1\r\n{line}X-After: 2\r\n");
        let server = serve(listener, vec![response(&lines)]);
        let url = format!("http://127.0.0.1:{port}/");
        let mut response = plain_agent().get(url).call().unwrap();
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        assert_eq!(
            (header("x-before"), header("x-after")),
            (Some("1"), Some("2")),
            "{line}"
        );
        assert_eq!(header("x-control"), None);
        assert_eq!(header("x-long"), line.starts_with("X-Long").then_some("a"));
        assert_eq!(response.body_mut().read_to_string().unwrap(), BODY);
        server.join().unwrap();
    }
}

#[test]
fn illegal_header_line_is_dropped_however_the_bytes_arrive() {
    for size in [1, 2, 7] {
        let (listener, port) = listen();
        let bytes = response(ILLEGAL[1]);
        let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let server = serve(listener, pieces);
        let url = format!("http://127.0.0.1:{port}/token");
        assert_eq!(token(plain_agent(), &url).unwrap(), "t1", "{size}");
        server.join().unwrap();
    }
}

#[test]
fn illegal_header_line_is_dropped_after_interim_responses_and_empty_lines() {
    let hints = format!("HTTP/1.1 103 Early Hints\r\n{}Link: a\r\n\r\n", ILLEGAL[0]);
    for before in [
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 100\r\n\r\n",
        &hints,
        "\r\n",
        "\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\r\n",
    ] {
        let bytes = [before.as_bytes(), &response(ILLEGAL[1])].concat();
        for size in [1, 7, before.len(), bytes.len()] {
            let (listener, port) = listen();
            let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
            let server = serve(listener, pieces);
            let url = format!("http://127.0.0.1:{port}/token");
            let fetched = token(plain_agent(), &url);
            assert_eq!(fetched.unwrap(), "t1", "{before:?} {size}");
            server.join().unwrap();
        }
    }
}

#[test]
fn head_longer_than_the_input_buffer_ends_in_an_error() {
    let (listener, port) = listen();
    let lines = format!("X-Long: {}\r\n", "x".repeat(10 << 10));
    let server = serve(listener, vec![response(&lines)]);
    let config = Agent::config_builder()
        .proxy(None)
        .input_buffer_size(8 << 10)
        .timeout_global(Some(Duration::from_secs(60)))
        .build();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let url = format!("http://127.0.0.1:{port}/");
        let result = jwt_bearer::agent(config).get(url).call();
        let _ = sender.send(result.map(|response| response.status()));
    });
    let result = receiver.recv_timeout(Duration::from_secs(10));
    assert!(result.expect("the request does not end").is_err());
    server.join().unwrap();
}

/// The body has lines that a head may not have, and the second response comes on the same
/// connection.
#[test]
fn body_and_later_responses_keep_their_bytes() {
    let (listener, port) = listen();
    let body = "no colon\r\n\r\nHTTP/1.1 : \r\n".repeat(8000);
    let head = format!(
        "HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n",
        ILLEGAL[0],
        body.len()
    );
    let whole = (head + &body).into_bytes();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..2 {
            respond(&mut stream, &[&whole]).unwrap();
        }
    });
    let agent = plain_agent();
    for _ in 0..2 {
        let mut response = agent
            .get(format!("http://127.0.0.1:{port}/"))
            .call()
            .unwrap();
        assert_eq!(response.body_mut().read_to_string().unwrap(), body);
    }
    server.join().unwrap();
}

#[test]
fn response_without_a_head_in_bounds_is_an_error() {
    let endless = "x".repeat(100_000);
    let long_line = format!("HTTP/1.1 200 OK\r\nX-Long: {endless}");
    for text in [
        "",
        "H",
        "HTTP/1.1 200 OK\r\nX: 1\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        &long_line,
    ] {
        let (listener, port) = listen();
        let server = serve(listener, vec![text.into()]);
        let agent = plain_agent();
        assert!(
            agent
                .get(format!("http://127.0.0.1:{port}/"))
                .call()
                .is_err()
        );
        server.join().unwrap();
    }
}

// TLS

/// A server certificate for 127.0.0.1, and the server's settings.
fn tls_server() -> (Certificate<'static>, Arc<ServerConfig>) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let der = certified.cert.der().to_vec();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![der.clone().into()], key)
        .unwrap();
    (Certificate::from_der(&der).to_owned(), Arc::new(config))
}

#[test]
fn agent_resumes_tls_sessions() {
    let (root, config) = tls_server();
    let (listener, port) = listen();
    let server = thread::spawn(move || {
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let (stream, _) = listener.accept().unwrap();
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            respond(&mut stream, &[&response("")]).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            kinds.push(stream.conn.handshake_kind().unwrap());
        }
        kinds
    });
    let tls = TlsConfig::builder().root_certs([root].into()).build();
    let config = Agent::config_builder().proxy(None).tls_config(tls).build();
    let agent = jwt_bearer::agent(config);
    let source = source(agent, &format!("https://127.0.0.1:{port}/token"));
    for _ in 0..3 {
        assert_eq!(source.fetch_uncached().unwrap().secret(), "t1");
    }
    let kinds = server.join().unwrap();
    assert_eq!(
        kinds,
        [
            HandshakeKind::Full,
            HandshakeKind::Resumed,
            HandshakeKind::Resumed
        ]
    );
}

#[test]
fn agent_that_verifies_no_certificate_is_refused_before_anything_is_sent() {
    let (listener, port) = listen();
    for make in [Agent::new_with_config, jwt_bearer::agent] {
        let tls = TlsConfig::builder().disable_verification(true).build();
        let config = Agent::config_builder().proxy(None).tls_config(tls).build();
        let source = source(make(config), &format!("https://127.0.0.1:{port}/token"));
        let error = source.fetch_uncached().unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("does not verify certificates"), "{cause}");
    }
    listener.set_nonblocking(true).unwrap();
    let accepted = listener.accept().map(|_| ()).unwrap_err().kind();
    assert_eq!(accepted, io::ErrorKind::WouldBlock);
}

/// The settings of a single request apply to it, and change nothing for the next request.
#[test]
fn agent_obeys_tls_settings_of_a_single_request() {
    let (root, config) = tls_server();
    let (listener, port) = listen();
    let server = thread::spawn(move || {
        for _ in 0..3 {
            let (stream, _) = listener.accept().unwrap();
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            drop(respond(&mut stream, &[&response("")]));
        }
    });
    let agent = plain_agent();
    let url = format!("https://127.0.0.1:{port}/");
    assert!(agent.get(&url).call().is_err());
    let tls = TlsConfig::builder().root_certs([root].into()).build();
    let request = agent.get(&url).config().tls_config(tls).build();
    assert_eq!(request.call().unwrap().status(), 200);
    assert!(agent.get(&url).call().is_err());
    server.join().unwrap();
}
