//! Intermediaries: a CONNECT proxy (tinyproxy), and nginx and haproxy as reverse proxies that change responses or
//! answer themselves.

use std::error::Error as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use jwt_bearer::sandbox::{Client, Key, Server};
use jwt_bearer::{Audience, Endpoint, ErrorKind, Profile, TokenSource};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::servers::{Flow, rsa};
use crate::support::{env, file, path, record};

/// A program that listens on loopback until this value is dropped. It belongs to the process group of the test.
struct Program {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Program {
    /// Starts a program. `configuration` gets the port and a new directory.
    #[track_caller]
    fn start(name: &str, arguments: &[&str], configuration: impl Fn(u16, &Path) -> String) -> Self {
        let port = free_port();
        let directory = path("intermediaries").join(format!("{name}-{port}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("conf"), configuration(port, &directory)).unwrap();
        let log = File::create(directory.join("log")).unwrap();
        let child = Command::new(name)
            .args(arguments)
            .arg(directory.join("conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let mut program = Self {
            child,
            port,
            directory,
        };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = program.child.try_wait().unwrap();
            assert!(ended.is_none(), "{name} ended: {}", program.log());
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{name} does not listen"
            );
            thread::sleep(Duration::from_millis(20));
        }
        program
    }
    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a port that was free just now. None of these programs can choose a port and report it.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

// ---- a CONNECT proxy ----

const PASSWORD: &str = "correcthorse";

fn tinyproxy(user: Option<&str>) -> Program {
    Program::start("tinyproxy", &["-d", "-c"], |port, _| {
        let user = user.map_or(String::new(), |user| format!("BasicAuth {user}\n"));
        format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Connect\n{user}"
        )
    })
}

/// Returns a source that reaches oidc-provider over TLS through the proxy with this user information and port.
fn source_through(user: &str, port: u16) -> TokenSource {
    let proxy = Proxy::new(&format!("http://{user}127.0.0.1:{port}")).unwrap();
    let root = Certificate::from_pem(file("keys/ca.pem").as_bytes()).unwrap();
    let tls = TlsConfig::builder().root_certs(RootCerts::from([root]));
    let config = Agent::config_builder()
        .proxy(Some(proxy))
        .tls_config(tls.build());
    let agent: Agent = config.build().into();
    let profile = Flow::ByKey.profile(
        Endpoint::issuer(env("INTEROP_TLS")).unwrap(),
        Audience::Issuer,
    );
    TokenSource::with_transport(agent, profile, Flow::ByKey.key()).unwrap()
}

/// Returns the number of CONNECT requests to oidc-provider in the proxy's log. There are no other requests in it
/// and no secrets.
#[track_caller]
fn connect_requests(proxy: &Program) -> usize {
    let server = env("INTEROP_TLS");
    let server = server.strip_prefix("https://").unwrap();
    let log = proxy.log();
    let requests: Vec<_> = log
        .lines()
        .filter(|line| line.contains("Request ("))
        .collect();
    let connect = format!("CONNECT {server} HTTP/1.1");
    assert!(
        requests.iter().all(|line| line.ends_with(&connect)),
        "{log}"
    );
    assert!(!log.contains("eyJ") && !log.contains(PASSWORD), "{log}");
    requests.len()
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn connect_proxy_tunnels_tls_and_no_proxy_bypasses_it() {
    let (open, with_password) = (
        tinyproxy(None),
        tinyproxy(Some(&format!("user {PASSWORD}"))),
    );
    for (proxy, user, case) in [
        (&open, String::new(), "without authentication"),
        (
            &with_password,
            format!("user:{PASSWORD}@"),
            "with user and password",
        ),
    ] {
        source_through(&user, proxy.port).fetch_uncached().unwrap();
        assert!(connect_requests(proxy) > 0);
        record(
            "tinyproxy",
            "CONNECT, a caller's agent",
            case,
            "a token of oidc-provider over TLS",
        );

        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
            let before = connect_requests(proxy);
            let (status, output, errors) = command(&[(variable, &url)]);
            assert_eq!(
                (status, output.is_empty(), &*errors),
                (Some(0), false, ""),
                "{variable}"
            );
            assert!(connect_requests(proxy) > before, "{variable}");
            let case = format!("{variable}, {case}");
            record(
                "tinyproxy",
                "CONNECT, the command line",
                &case,
                "a token of oidc-provider over TLS",
            );
        }
        let before = connect_requests(proxy);
        let bypassed = command(&[("HTTPS_PROXY", &url), ("NO_PROXY", "localhost")]);
        assert_eq!(
            (bypassed.0, connect_requests(proxy)),
            (Some(0), before),
            "{}",
            bypassed.2
        );
    }
    record(
        "tinyproxy",
        "CONNECT, the command line",
        "NO_PROXY names the server",
        "a token without the proxy",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn connect_proxy_refusal_or_absence_is_named_in_the_error() {
    let with_password = tinyproxy(Some(&format!("user {PASSWORD}")));
    let server = env("INTEROP_TLS");
    let server = server.strip_prefix("https://").unwrap();
    // tinyproxy answers 401 to wrong credentials and 407 to missing ones.
    for (user, code, case) in [
        ("user:wrong@", 401, "wrong password"),
        ("", 407, "no password"),
    ] {
        let before = connect_requests(&with_password);
        let error = source_through(user, with_password.port)
            .fetch_uncached()
            .unwrap_err();
        let cause = format!("CONNECT proxy failed: proxy server responded {code}/{code}");
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (ErrorKind::Network, false)
        );
        assert_eq!(
            error.to_string(),
            format!("{server}: the request did not complete")
        );
        assert_eq!(error.source().unwrap().to_string(), cause);

        let url = format!("http://{user}127.0.0.1:{}", with_password.port);
        let (status, output, errors) = command(&[("HTTPS_PROXY", &url)]);
        let line = format!("jwt-bearer: {server}: the request did not complete: {cause}");
        let first = errors.lines().next(); // what is known of the request follows
        assert_eq!(
            (status, &*output, first),
            (Some(4), "", Some(&*line)),
            "{errors}"
        );
        assert!(connect_requests(&with_password) > before);
        record(
            "tinyproxy",
            "CONNECT",
            case,
            format!("not retried: {cause}"),
        );
    }
    let unused = free_port();
    let url = format!("http://127.0.0.1:{unused}");
    let (status, _, errors) = command(&[("HTTPS_PROXY", &url)]);
    let cause = format!("the proxy 127.0.0.1:{unused}: Connection refused (os error 111)");
    let line = format!("jwt-bearer: {server}: the request did not complete: {cause}");
    assert_eq!(
        (status, errors.lines().next()),
        (Some(4), Some(&*line)),
        "{errors}"
    );
}

/// Runs the command line with these proxy variables only. Returns exit status, output and errors.
#[track_caller]
fn command(proxy: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"));
    command.args(["token", "client-credentials", "--client-id", "pkjwt"]);
    command.args(["--key-id", "client-key-1", "--scope", "read"]);
    command.args(["--discover", &env("INTEROP_TLS")]);
    command.arg("--key").arg(path("keys/client.pem"));
    command.arg("--ca").arg(path("keys/ca.pem"));
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(variable);
        command.env_remove(variable.to_ascii_lowercase());
    }
    let output = command.envs(proxy.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

// ---- nginx and haproxy ----

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// The sandbox behind the reverse proxies, and another to which redirects point.
struct Backend {
    server: Server,
    elsewhere: Server,
}

impl Backend {
    fn new() -> Self {
        let server = Server::start().unwrap();
        let public = Key::public_pem(file("keys/client.pub.pem")).unwrap();
        server.register(Client::new("client-1", public));
        Self {
            server,
            elsewhere: Server::start().unwrap(),
        }
    }
    /// Returns a source that reaches the sandbox through `url`.
    fn source(&self, url: String) -> TokenSource {
        let audience = Audience::Fixed(self.server.token_endpoint());
        let profile =
            Profile::client_credentials(Endpoint::token(url).unwrap(), "client-1", audience);
        TokenSource::new(profile, rsa("client")).unwrap()
    }
    fn address(&self) -> &str {
        self.server.url().strip_prefix("http://").unwrap()
    }

    fn nginx(&self) -> Program {
        Program::start("nginx", &["-e", "stderr", "-c"], |port, directory| {
            let (server, elsewhere) = (self.server.url(), self.elsewhere.token_endpoint());
            let directory = directory.display();
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let temporary = temporary.map(|what| format!("{what}_temp_path {directory}/{what};\n"));
            let redirect = |code| format!("location /{code}/ {{ return {code} {elsewhere}; }}\n");
            format!(
                "daemon off;\nmaster_process off;\npid {directory}/pid;\nevents {{}}\nhttp {{\n\
                 access_log off;\n{}limit_req_zone $server_name zone=all:1m rate=1r/s;\n\
                 server {{\nlisten 127.0.0.1:{port};\n\
                 location /chunked/ {{ proxy_pass {server}; sub_filter_types *; sub_filter nothing ''; }}\n\
                 location /limited/ {{ proxy_pass {server}; limit_req zone=all; limit_req_status 429;\n\
                 add_header Retry-After 1 always; }}\n\
                 location /down/ {{ proxy_pass http://127.0.0.1:1; }}\n{}}}\n}}\n",
                temporary.concat(),
                REDIRECTS.map(redirect).concat(),
            )
        })
    }

    fn haproxy(&self, nginx: &Program) -> Program {
        Program::start("haproxy", &["-db", "-f"], |port, _| {
            let elsewhere = self.elsewhere.token_endpoint();
            let redirect = |code| {
                format!(
                    "http-request redirect code {code} location {elsewhere} if {{ path_beg /{code}/ }}\n"
                )
            };
            format!(
                "defaults\nmode http\ntimeout client 60s\ntimeout server 60s\ntimeout connect 60s\n\
                 frontend front\nbind 127.0.0.1:{port}\n\
                 stick-table type string len 32 size 100 expire 10m store http_req_cnt\n\
                 http-request track-sc0 path\n\
                 http-request return status 429 hdr Retry-After 1 \
                 if {{ path_beg /seconds/ }} {{ sc0_http_req_cnt le 1 }}\n\
                 http-request return status 429 hdr Retry-After %[date(2),http_date] \
                 if {{ path_beg /date/ }} {{ sc0_http_req_cnt le 1 }}\n{}\
                 use_backend chunked if {{ path_beg /chunked/ }}\n\
                 use_backend nobody if {{ path_beg /down/ }}\n\
                 default_backend sandbox\n\
                 backend sandbox\nserver s {}\n\
                 backend chunked\nserver s 127.0.0.1:{}\n\
                 backend nobody\n",
                REDIRECTS.map(redirect).concat(),
                self.address(),
                nginx.port,
            )
        })
    }
}

/// Checks that a response has chunks and no length. nginx sends chunks when a filter may change the body.
#[track_caller]
fn assert_sends_chunks(program: &Program) {
    let mut stream = TcpStream::connect(("127.0.0.1", program.port)).unwrap();
    let request = "POST /chunked/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n";
    let request = format!("{request}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let response = response.to_ascii_lowercase();
    assert!(
        response.contains("\r\ntransfer-encoding: chunked\r\n"),
        "{response}"
    );
    assert!(!response.contains("content-length"), "{response}");
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn reverse_proxy_chunks_are_read_and_redirects_are_not_followed() {
    let backend = Backend::new();
    let nginx = backend.nginx();
    let haproxy = backend.haproxy(&nginx);
    for (name, program) in [("nginx-light", &nginx), ("haproxy", &haproxy)] {
        assert_sends_chunks(program);
        let token = backend
            .source(program.url("/chunked/token"))
            .fetch_uncached();
        assert!(token.unwrap().secret().len() >= 43);
        record(
            name,
            "client_credentials, RS256",
            "a chunked body",
            "a token",
        );

        for code in REDIRECTS {
            let source = backend.source(program.url(&format!("/{code}/")));
            let error = source.fetch_uncached().unwrap_err();
            let found = (error.kind(), error.status(), error.is_retryable());
            assert_eq!(found, (ErrorKind::Protocol, Some(code), false));
            let text = "the token endpoint redirects, and no assertion is sent there: 127.0.0.1";
            assert_eq!(error.to_string(), format!("{text} (status {code})"));
            record(
                name,
                "client_credentials, RS256",
                &format!("redirect {code}"),
                "refused, no request to the target",
            );
        }
    }
    assert_eq!(backend.elsewhere.requests(), 0);
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn retry_after_of_reverse_proxy_delays_the_retry() {
    let backend = Backend::new();
    let nginx = backend.nginx();
    let haproxy = backend.haproxy(&nginx);
    // The proxy asks for a second. The date has whole seconds, so the delay may be a little shorter.
    let assert_delayed = |url: String| {
        let (start, before) = (Instant::now(), backend.server.requests());
        backend.source(url).fetch_uncached().unwrap();
        assert_eq!(backend.server.requests(), before + 1);
        assert!(
            start.elapsed() > Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
    };
    assert_delayed(haproxy.url("/seconds/token"));
    record(
        "haproxy",
        "client_credentials, RS256",
        "one 429 with Retry-After in seconds",
        "a token after that delay",
    );
    assert_delayed(haproxy.url("/date/token"));
    record(
        "haproxy",
        "client_credentials, RS256",
        "one 429 with Retry-After as a date",
        "a token after that delay",
    );

    // One request per second is allowed. Of four at once three get 429, and at least one of those succeeds later.
    let sources = [(); 4].map(|()| backend.source(nginx.url("/limited/token")));
    let outcomes = thread::scope(|threads| {
        let threads = sources.map(|source| threads.spawn(move || source.fetch_uncached()));
        threads.map(|thread| thread.join().unwrap())
    });
    let tokens = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(tokens > 1, "{outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        let found = (error.kind(), error.status(), error.is_retryable());
        assert_eq!(found, (ErrorKind::Unavailable, Some(429), true));
        assert!(error.retry_after().is_some(), "{error:?}");
    }
    record(
        "nginx-light",
        "client_credentials, RS256",
        "limit_req of one per second, 429 with Retry-After",
        "tokens, one after another",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn reverse_proxy_without_backend_is_unavailable_and_retried() {
    let backend = Backend::new();
    let nginx = backend.nginx();
    let haproxy = backend.haproxy(&nginx);
    for (name, program, code) in [("nginx-light", &nginx, 502), ("haproxy", &haproxy, 503)] {
        let error = backend
            .source(program.url("/down/token"))
            .fetch_uncached()
            .unwrap_err();
        let found = (error.kind(), error.status(), error.is_retryable());
        assert_eq!(found, (ErrorKind::Unavailable, Some(code), true));
        let text = "the authorization server cannot answer now";
        assert_eq!(error.to_string(), format!("{text} (status {code})"));
        let page = String::from_utf8_lossy(error.response().unwrap().body()).to_ascii_lowercase();
        assert!(page.contains("<html>"), "{page}");
        record(
            name,
            "client_credentials, RS256",
            "the backend is down",
            format!("{code} with an HTML page: unavailable"),
        );
    }
    // nginx logs each attempt.
    let log = nginx.log();
    assert_eq!(log.matches("POST /down/token").count(), 3, "{log}");
    assert_eq!(backend.server.requests(), 0);
}
