//! What stands between a client and its server: a CONNECT proxy (tinyproxy), and what nginx and haproxy do to a
//! response, or answer themselves.

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
use crate::support::{env, file, path, seen};

/// A program that listens on loopback until this is dropped. Whoever ends the run ends its group.
struct Program {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Program {
    /// Started with the configuration that it gets for its port and a directory of its own.
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
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = program.child.try_wait().unwrap();
            assert!(ended.is_none(), "{name} ended: {}", program.log());
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{name} listens to nobody"
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

/// Free a moment ago; none of these programs can be told to choose one and say which.
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

/// oidc-provider over TLS, through the proxy that has this user information and port.
fn through(user: &str, port: u16) -> TokenSource {
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

/// How often the proxy was asked for a connection to oidc-provider: for nothing else, and it saw nothing else.
#[track_caller]
fn asked(proxy: &Program) -> usize {
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
    let (open, closed) = (
        tinyproxy(None),
        tinyproxy(Some(&format!("user {PASSWORD}"))),
    );
    for (proxy, user, case) in [
        (&open, String::new(), "without authentication"),
        (
            &closed,
            format!("user:{PASSWORD}@"),
            "with user and password",
        ),
    ] {
        through(&user, proxy.port).fetch_uncached().unwrap();
        assert!(asked(proxy) > 0);
        seen(
            "tinyproxy",
            "CONNECT, a caller's agent",
            case,
            "a token of oidc-provider over TLS",
        );

        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
            let before = asked(proxy);
            let (status, said, errors) = command(&[(variable, &url)]);
            assert_eq!(
                (status, said.is_empty(), &*errors),
                (Some(0), false, ""),
                "{variable}"
            );
            assert!(asked(proxy) > before, "{variable}");
            let case = format!("{variable}, {case}");
            seen(
                "tinyproxy",
                "CONNECT, the command line",
                &case,
                "a token of oidc-provider over TLS",
            );
        }
        let before = asked(proxy);
        let around = command(&[("HTTPS_PROXY", &url), ("NO_PROXY", "localhost")]);
        assert_eq!((around.0, asked(proxy)), (Some(0), before), "{}", around.2);
    }
    seen(
        "tinyproxy",
        "CONNECT, the command line",
        "NO_PROXY names the server",
        "a token, not by way of the proxy",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn connect_proxy_refusal_or_absence_is_named_in_the_error() {
    let closed = tinyproxy(Some(&format!("user {PASSWORD}")));
    let server = env("INTEROP_TLS");
    let server = server.strip_prefix("https://").unwrap();
    // tinyproxy says 401 to what is wrong, and 407 to nothing.
    for (user, code, case) in [
        ("user:wrong@", 401, "wrong password"),
        ("", 407, "no password"),
    ] {
        let before = asked(&closed);
        let error = through(user, closed.port).fetch_uncached().unwrap_err();
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

        let url = format!("http://{user}127.0.0.1:{}", closed.port);
        let (status, said, errors) = command(&[("HTTPS_PROXY", &url)]);
        let line = format!("jwt-bearer: {server}: the request did not complete: {cause}\n");
        assert_eq!((status, &*said, errors), (Some(4), "", line));
        assert!(asked(&closed) > before);
        seen(
            "tinyproxy",
            "CONNECT",
            case,
            format!("asked no more: {cause}"),
        );
    }
    let nobody = free_port();
    let url = format!("http://127.0.0.1:{nobody}");
    let (status, _, errors) = command(&[("HTTPS_PROXY", &url)]);
    let cause = format!("the proxy 127.0.0.1:{nobody}: Connection refused (os error 111)");
    let line = format!("jwt-bearer: {server}: the request did not complete: {cause}\n");
    assert_eq!((status, errors), (Some(4), line));
}

/// What the command line ends with and says, with these proxy variables and no others.
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

/// Our sandbox, and another to which redirects point.
struct Behind {
    server: Server,
    elsewhere: Server,
}

impl Behind {
    fn new() -> Self {
        let server = Server::start().unwrap();
        let public = Key::public_pem(file("keys/client.pub.pem")).unwrap();
        server.register(Client::new("client-1", public));
        Self {
            server,
            elsewhere: Server::start().unwrap(),
        }
    }
    /// What asks the sandbox by way of `url`.
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

/// Not that of a length, but chunks: what nginx sends of a body that it may have changed.
#[track_caller]
fn sends_chunks(program: &Program) {
    let mut stream = TcpStream::connect(("127.0.0.1", program.port)).unwrap();
    let request = "POST /chunked/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n";
    let request = format!("{request}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let answer = answer.to_ascii_lowercase();
    assert!(
        answer.contains("\r\ntransfer-encoding: chunked\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("content-length"), "{answer}");
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn reverse_proxy_chunks_are_read_and_redirects_are_not_followed() {
    let behind = Behind::new();
    let nginx = behind.nginx();
    let haproxy = behind.haproxy(&nginx);
    for (name, program) in [("nginx-light", &nginx), ("haproxy", &haproxy)] {
        sends_chunks(program);
        let token = behind
            .source(program.url("/chunked/token"))
            .fetch_uncached();
        assert!(token.unwrap().secret().len() >= 43);
        seen(
            name,
            "client_credentials, RS256",
            "a body in chunks",
            "a token",
        );

        for code in REDIRECTS {
            let source = behind.source(program.url(&format!("/{code}/")));
            let error = source.fetch_uncached().unwrap_err();
            let found = (error.kind(), error.status(), error.is_retryable());
            assert_eq!(found, (ErrorKind::Protocol, Some(code), false));
            let text = "the token endpoint redirects, and no assertion is sent there: 127.0.0.1";
            assert_eq!(error.to_string(), format!("{text} (status {code})"));
            seen(
                name,
                "client_credentials, RS256",
                &format!("redirects, {code}"),
                "refused, nothing sent there",
            );
        }
    }
    assert_eq!(behind.elsewhere.requests(), 0);
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn retry_after_of_reverse_proxy_delays_the_retry() {
    let behind = Behind::new();
    let nginx = behind.nginx();
    let haproxy = behind.haproxy(&nginx);
    // How long an exchange took; a second is asked for, less what a clock's ticks may take away.
    let waits = |url: String| {
        let (begin, before) = (Instant::now(), behind.server.requests());
        behind.source(url).fetch_uncached().unwrap();
        assert_eq!(behind.server.requests(), before + 1);
        assert!(
            begin.elapsed() > Duration::from_millis(900),
            "{:?}",
            begin.elapsed()
        );
    };
    waits(haproxy.url("/seconds/token"));
    seen(
        "haproxy",
        "client_credentials, RS256",
        "429 and Retry-After in seconds, then none",
        "a token, after the pause",
    );
    waits(haproxy.url("/date/token"));
    seen(
        "haproxy",
        "client_credentials, RS256",
        "429 and Retry-After as a date, then none",
        "a token, after the pause",
    );

    // One a second; of four at the same time all but one are told to wait, and at least one still gets through.
    let sources = [(); 4].map(|()| behind.source(nginx.url("/limited/token")));
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
    seen(
        "nginx-light",
        "client_credentials, RS256",
        "limit_req, one a second, 429 and Retry-After",
        "tokens, one after another",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn reverse_proxy_without_backend_is_unavailable_and_retried() {
    let behind = Behind::new();
    let nginx = behind.nginx();
    let haproxy = behind.haproxy(&nginx);
    for (name, program, code) in [("nginx-light", &nginx, 502), ("haproxy", &haproxy, 503)] {
        let error = behind
            .source(program.url("/down/token"))
            .fetch_uncached()
            .unwrap_err();
        let found = (error.kind(), error.status(), error.is_retryable());
        assert_eq!(found, (ErrorKind::Unavailable, Some(code), true));
        let text = "the authorization server cannot answer now";
        assert_eq!(error.to_string(), format!("{text} (status {code})"));
        let page = String::from_utf8_lossy(error.response().unwrap().body()).to_ascii_lowercase();
        assert!(page.contains("<html>"), "{page}");
        seen(
            name,
            "client_credentials, RS256",
            "its server is down",
            format!("{code} and a page: unavailable"),
        );
    }
    // nginx writes down each attempt.
    let log = nginx.log();
    assert_eq!(log.matches("POST /down/token").count(), 3, "{log}");
    assert_eq!(behind.server.requests(), 0);
}
