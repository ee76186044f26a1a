//! The binary as users run it: arguments, files, standard output, standard error, exit status.
#![cfg(feature = "cli")]

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

#[path = "cli/cache.rs"]
mod cache;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/connections.rs"]
mod connections;
#[path = "cli/decode.rs"]
mod decode;
#[path = "cli/documents.rs"]
mod documents;
#[cfg(unix)]
#[path = "cli/exec.rs"]
mod exec;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/network.rs"]
mod network;
#[path = "cli/reporting.rs"]
mod reporting;
#[cfg(unix)]
#[path = "cli/sandbox.rs"]
mod sandbox;
#[path = "cli/secrets.rs"]
mod secrets;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::RsaKey;
use jwt_bearer::sandbox::{Client, Fault, Key, Server};
use serde_json::Value;

const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";
const CLIENT_SECRET: &str = "hunter2-hunter2-hunter2";
/// A JWT of another server, as RFC 8693 sends it.
const SUBJECT_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c3ViamVjdC10b2tlbg";
/// Contains characters that a form has to encode.
const PASSWORD: &str = "p@ss w0rd/+=";

fn pem() -> String {
    let vectors: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    vectors["key"]["pkcs1_pem"].as_str().unwrap().to_owned()
}

/// A server with registered clients, and a directory with the files that the commands name.
struct Fixture {
    server: Server,
    directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let server = Server::start().unwrap();
        let key = RsaKey::from_pem(pem()).unwrap();
        let client = |id| Client::new(id, Key::public(&key)).with_scope("read");
        server.register(client("service-account"));
        server.register(client("consumer-key").with_user("user@example.com"));
        server.register(client("client-1"));
        server.register(client("issuer-1").with_user("alice"));
        let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
        server.register(application.with_scope("device:list"));
        let fixture = Self {
            server,
            directory: tempfile::tempdir().unwrap(),
        };
        fixture.write("key.pem", pem());
        fixture.write("secret.txt", SECRET);
        fixture.write("client-secret.txt", CLIENT_SECRET);
        fixture.write("subject-token.txt", SUBJECT_TOKEN);
        fixture.write("password.txt", PASSWORD);
        let credentials = serde_json::json!({
            "serviceAccountId": "service-account",
            "discoveryEndpoint": fixture.server.discovery_endpoint(),
            "privateKey": pem(),
        });
        fixture.write("credentials.json", credentials.to_string());
        fixture
    }
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
    /// Returns a command that runs in the directory. `{url}` in the arguments becomes the server's URL.
    fn command(&self, arguments: &str) -> Command {
        let arguments = arguments.replace("{url}", self.server.url());
        let mut command = binary(arguments.split_whitespace());
        command.current_dir(self.directory.path());
        command
    }
    fn run(&self, arguments: &str) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap())
    }
}

/// ENOENT, and ERROR_FILE_NOT_FOUND of Windows.
const MISSING: i32 = 2;
/// ENOENT, and ERROR_PATH_NOT_FOUND of Windows.
const MISSING_DIRECTORY: i32 = if cfg!(windows) { 3 } else { 2 };
/// ECONNREFUSED, and WSAECONNREFUSED of Windows.
const REFUSED: i32 = match () {
    () if cfg!(windows) => 10061,
    () if cfg!(target_os = "macos") => 61,
    () => 111,
};

/// Returns an error as this system words it.
fn system_error(code: i32) -> String {
    io::Error::from_raw_os_error(code).to_string()
}

/// Returns the error for a directory in place of a file. Windows does not open a directory.
fn directory_as_file() -> String {
    match cfg!(windows) {
        true => format!(
            "--key: {}: a file name is wanted, or env:NAME for a variable, or - for standard input; what was \
             given is not shown, since it may be a secret",
            system_error(5)
        ),
        false => format!(".: {}", system_error(21)),
    }
}

/// Returns a text whose names of variables can be compared. They have no case on Windows.
fn with_variables(text: &str) -> String {
    match cfg!(windows) {
        true => text.to_lowercase(),
        false => text.to_owned(),
    }
}

/// Returns the binary with arguments, and without the variables of this machine that change what it does.
fn binary(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"));
    for variable in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        command.env_remove(variable);
    }
    command.env_remove("JWT_BEARER_CONFIG");
    command.env("XDG_CONFIG_HOME", "/nonexistent"); // not the connections of the user who runs the tests
    command.args(arguments);
    command
}

#[derive(Debug)]
struct Outcome {
    status: i32,
    out: String,
    err: String,
}

impl Outcome {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            status: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
    /// Returns standard output, which must be one line, and standard error empty.
    #[track_caller]
    fn only_line(&self) -> &str {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{self:?}");
        let line = self.out.strip_suffix('\n').unwrap();
        assert!(!line.is_empty() && !line.contains('\n'), "{self:?}");
        line
    }
    #[track_caller]
    fn assert_fails(&self, status: i32, err: &str) {
        assert_eq!((self.status, self.out.as_str()), (status, ""), "{self:?}");
        assert_eq!(self.err, err);
    }
}

const PROFILES: [&str; 7] = [
    "marketing-cloud-intelligence --credentials credentials.json",
    "marketing-cloud-intelligence --discovery-endpoint {url}/discovery \
     --service-account-id service-account --key key.pem --query",
    "salesforce --client-id consumer-key --username user@example.com --key key.pem --login-url {url}",
    "cylance --tenant-id tenant --application-id application --secret secret.txt --base-url {url} \
     --scope device:list",
    "client-credentials --client-id client-1 --key key.pem --discover {url} --scope read",
    "client-credentials --client-id client-1 --key key.pem --key-id k1 --typ JWT --lifetime 30 \
     --claim tenant=7 --param resource=https://api.example.com \
     --discover {url}/.well-known/openid-configuration",
    "jwt-bearer --issuer issuer-1 --subject alice --key key.pem --token-endpoint {url}/token",
];

#[test]
fn token_of_each_profile_prints_token_alone() {
    let fixture = Fixture::new();
    for profile in PROFILES {
        let outcome = fixture.run(&format!("token {profile}"));
        assert!(
            outcome.only_line().bytes().all(|b| b.is_ascii_graphic()),
            "{outcome:?}"
        );
    }
    assert_eq!(fixture.server.jtis().len(), PROFILES.len());
}

#[test]
fn token_format_is_token_header_or_json() {
    let fixture = Fixture::new();
    let header = fixture.run(&format!("token {} --format header", PROFILES[0]));
    assert!(header.only_line().starts_with("Authorization: Bearer "));
    let json = fixture.run(&format!("token --format json {}", PROFILES[2]));
    let json: Value = serde_json::from_str(json.only_line()).unwrap();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["instance_url"], fixture.server.url());
    assert!(json["access_token"].as_str().unwrap().starts_with("00D"));
    assert!(json["expires_at"].as_u64().unwrap() > 1_700_000_000);
}

#[test]
fn json_format_keeps_the_types_of_members() {
    let fixture = Fixture::new();
    let body = r#"{"access_token":"t","expires_in":300,"is_admin":false,"id":123456789012345678901234567890,
        "ratio":0.10,"text":"7","none":null,"user":{ "roles" : [ "a \" b",
        1 ], "at": 1.50 }}"#;
    let server = FixedServer::json("200 OK", "", body);
    let url = server.url();
    let outcome = fixture.run(&format!(
        "token client-credentials --client-id c --key key.pem --token-endpoint {url} --format json"
    ));
    let line = outcome.only_line();
    for member in [
        r#""access_token":"t""#,
        r#""is_admin":false"#,
        r#""id":123456789012345678901234567890"#,
        r#""text":"7""#,
        r#""user":{"roles":["a \" b",1],"at":1.50}"#,
        r#""token_type":"Bearer""#,
    ] {
        assert!(line.contains(member), "{member} in {line}");
    }
    let json: Value = serde_json::from_str(line).unwrap();
    assert!(
        json["expires_at"].is_u64() && json.get("none").is_none(),
        "{line}"
    );
}

#[test]
fn assertion_command_sends_no_request() {
    let fixture = Fixture::new();
    for profile in [PROFILES[2], PROFILES[3], PROFILES[6]] {
        let outcome = fixture.run(&format!("assertion {profile}"));
        assert_eq!(outcome.only_line().split('.').count(), 3);
    }
    fixture
        .run(&format!("assertion {}", PROFILES[4]))
        .assert_fails(
            3,
            "jwt-bearer: the audience would have to be discovered: give --audience\n",
        );
    let given = fixture.run(&format!(
        "assertion {} --audience https://as.example.com",
        PROFILES[4]
    ));
    given.only_line();
    assert_eq!(fixture.server.requests(), 0);
}

/// The header of an assertion says which algorithm signed.
#[test]
fn key_of_any_kind_signs_and_alg_chooses_among_its_algorithms() {
    let fixture = Fixture::new();
    fixture.write("ec.pem", include_str!("data/keys/ec.pem"));
    fixture.write("ec-384.pem", include_str!("data/keys/ec-384-pkcs8.pem"));
    fixture.write("ed25519.pem", include_str!("data/keys/ed25519.pem"));
    fixture.write("pss.pem", include_str!("data/keys/rsa-pss.pem"));
    fixture.write("rsa.der", include_bytes!("data/keys/rsa-2048.der"));
    fixture.write("rsa-8192.der", include_bytes!("data/keys/rsa-8192.der")); // `ring` does not take it
    let secret = "a secret of at least sixty-four bytes, as RFC 7518 requires for HS512";
    fixture.write("secret.txt", secret);
    for (arguments, alg) in [
        ("--key ec.pem", "ES256"),
        ("--key ec-384.pem", "ES384"),
        ("--key ed25519.pem", "EdDSA"),
        ("--key pss.pem", "PS256"),
        ("--key rsa.der", "RS256"),
        ("--key rsa.der --alg PS384", "PS384"),
        ("--key rsa-8192.der --alg RS512", "RS512"),
        ("--secret secret.txt", "HS256"),
        ("--secret secret.txt --alg HS512", "HS512"),
    ] {
        let server = "assertion client-credentials --client-id c --token-endpoint https://as.example.com/token";
        let run = fixture.run(&format!("{server} {arguments}"));
        let header = run.only_line().split('.').next().unwrap();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], alg, "{arguments}");
    }
}

#[test]
fn alg_is_read_in_any_case_and_lists_what_it_takes() {
    let fixture = Fixture::new();
    fixture.write("ed25519.pem", include_str!("data/keys/ed25519.pem"));
    let server =
        "assertion client-credentials --client-id c --token-endpoint https://as.example.com/token";
    for name in ["EdDSA", "eddsa", "Ed25519"] {
        let run = fixture.run(&format!("{server} --key ed25519.pem --alg {name}"));
        run.only_line();
    }
    let run = fixture.run(&format!("{server} --key ed25519.pem --alg ES512"));
    assert_eq!(run.status, 2);
    assert!(
        run.err.contains("expected RS256, RS384, RS512, PS256"),
        "{run:?}"
    );
}

#[test]
fn two_options_do_not_both_read_standard_input() {
    let fixture = Fixture::new();
    fixture
        .run(
            "assertion client-credentials --client-id c --token-endpoint https://as.example.com/token \
             --key - --passphrase-file -",
        )
        .assert_fails(
            2,
            "jwt-bearer: --passphrase-file: another option has read standard input (-) already: give a file\n",
        );
}

#[test]
fn failure_sets_exit_status_and_prints_message_and_hint() {
    let fixture = Fixture::new();
    fixture.write("ec.pem", include_str!("data/keys/ec-pkcs8.pem"));
    fixture.write("other.txt", "another secret, of thirty-two bytes");
    fixture.write("garbage", vec![b'x'; 10_000_000]);
    let key = "token client-credentials --client-id client-1 --discover {url} --key";
    let cylance = "token cylance --tenant-id tenant --application-id application --base-url {url}";
    for (arguments, status, err) in [
        (
            format!("{key} missing.pem"),
            3,
            "--key: missing.pem: {missing}",
        ),
        (format!("{key} ."), 3, "{directory}"),
        (
            "token salesforce --client-id c --username u --login-url {url} --key ec.pem".to_owned(),
            3,
            "this server accepts RS256, and the key signs ES256: choose another algorithm of the \
             key, or another key",
        ),
        (
            format!("{key} ec.pem --alg RS256"),
            3,
            "ec.pem: this key does not sign RS256; it signs ES256",
        ),
        (format!("{key} garbage"), 3, "garbage: this is too long for a key or a secret"),
        (
            format!("{key} key.pem --param client_secret={CLIENT_SECRET}"),
            2,
            "a secret is never an argument: write --param client_secret=@FILE",
        ),
        (
            format!("{key} key.pem --claim sub=x"),
            3,
            "claim sub is set twice, or has a setting of its own",
        ),
        (
            "token client-credentials --client-id c --key key.pem --token-endpoint http://a.example"
                .to_owned(),
            3,
            "token endpoint is not https (http is for loopback alone)",
        ),
        (
            format!("{cylance} --secret other.txt"),
            5,
            "the authorization server refused: Invalid JWT payload (status 401)\n  check tenant \
             id, application id, secret and region, and this machine's clock\n  sent to \
             {url}/auth/v2/token; -v shows request and response",
        ),
        (
            "token salesforce --client-id consumer-key --username user@example.com --key key.pem \
             --login-url {url} --audience https://elsewhere.example"
                .to_owned(),
            5,
            "the authorization server refused: invalid_grant: audience is invalid (status 400)\n  \
             set the audience the org expects: login.salesforce.com, test.salesforce.com or its \
             My Domain\n  sent to {url}/services/oauth2/token; -v shows request and response",
        ),
        (
            "token client-credentials --client-id c --key key.pem --token-endpoint {url}/nowhere"
                .to_owned(),
            6,
            "something other than an authorization server answered (status 404)\n  sent to {url}/nowhere; -v shows \
             request and response",
        ),
    ] {
        let err = err
            .replace("{url}", fixture.server.url())
            .replace("{missing}", &system_error(MISSING))
            .replace("{refused}", &system_error(REFUSED))
            .replace("{directory}", &directory_as_file());
        fixture.run(&arguments).assert_fails(status, &format!("jwt-bearer: {err}\n"));
    }
    fixture.server.fail_next(9, Fault::Unavailable);
    // How many attempts fit into the time is random.
    let absent = fixture.run(
        "token client-credentials --client-id c --key key.pem --token-endpoint http://127.0.0.1:1/token --timeout 1",
    );
    let refused = system_error(REFUSED);
    let start = format!("jwt-bearer: 127.0.0.1:1: nobody listens there: {refused}\n");
    assert!(
        absent.status == 4 && absent.err.starts_with(&start),
        "{absent:?}"
    );
    let busy = fixture.run(&format!("token {} --timeout 1", PROFILES[2]));
    let start = "jwt-bearer: the authorization server cannot answer now (status 503)\n";
    assert!(busy.status == 7 && busy.err.starts_with(start), "{busy:?}");
    assert_eq!(fixture.run("token salesforce --client-id c").status, 2);
    assert_eq!(fixture.run("no-such-command").status, 2);
}

#[test]
fn key_is_read_from_stdin_repaired_or_decrypted() {
    let fixture = Fixture::new();
    let arguments = PROFILES[6].replace("--key key.pem", "--key -");
    let mut child = fixture.command(&format!("token {arguments}"));
    let mut child = spawn(&mut child);
    let mangled = pem().replace('\n', "\\n");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(mangled.as_bytes())
        .unwrap();
    let outcome = Outcome::of(child.wait_with_output().unwrap());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.err,
        "jwt-bearer: -: repaired: line ends were written as \\n\n"
    );

    let all = include_str!("data/keys/encrypted.txt");
    let (_, rest) = all.split_once("aes-256-cbc hmacWithSHA256\n").unwrap();
    let (block, _) = rest.split_once("-----END").unwrap();
    let block = format!("{block}-----END ENCRYPTED PRIVATE KEY-----\n");
    fixture.write("encrypted.pem", block);
    let arguments = PROFILES[6].replace("key.pem", "encrypted.pem");
    fixture.run(&format!("token {arguments}")).assert_fails(
        3,
        "jwt-bearer: encrypted.pem: this key is encrypted: a passphrase is needed\n  \
         --passphrase-file FILE names a file with the passphrase\n",
    );
    fixture.write("passphrase", "not this one");
    fixture
        .run(&format!("token {arguments} --passphrase-file passphrase"))
        .assert_fails(
            3,
            "jwt-bearer: encrypted.pem: the passphrase is wrong\n  \
             the file of --passphrase-file has the passphrase and nothing else; one line end is dropped\n",
        );
    fixture.write("passphrase", "correct horse\n");
    let outcome = fixture.run(&format!(
        "assertion {arguments} --passphrase-file passphrase"
    ));
    outcome.only_line();
}

fn spawn(command: &mut Command) -> Child {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    piped.spawn().unwrap()
}

#[cfg(unix)]
#[test]
fn full_stdout_fails_with_exit_status_1() {
    let fixture = Fixture::new();
    let mut command = fixture.command(&format!("token {}", PROFILES[2]));
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let outcome = command.stdout(full).output().unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    let err = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(
        err,
        "jwt-bearer: standard output: No space left on device (os error 28)\n"
    );
}

#[test]
fn help_of_each_command_ends_with_example() {
    let mut levels = vec![
        vec!["demo"],
        vec!["sandbox"],
        vec!["completions"],
        vec!["decode"],
        vec!["key"],
        vec!["key", "new"],
        vec!["man"],
        vec![],
    ];
    for command in ["token", "assertion"] {
        levels.push(vec![command]);
        for profile in PROFILES {
            levels.push(vec![command, profile.split(' ').next().unwrap()]);
        }
    }
    for mut level in levels {
        level.push("--help");
        let outcome = Outcome::of(binary(&level).output().unwrap());
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
        let (_, example) = outcome.out.rsplit_once("Example").unwrap_or(("", ""));
        assert!(
            example.contains("\n  jwt-bearer "),
            "{level:?}: {}",
            outcome.out
        );
    }
}

#[test]
fn demo_is_short_fast_and_uncolored_when_piped() {
    let start = Instant::now();
    let outcome = Outcome::of(binary(["demo"]).output().unwrap());
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    assert!(outcome.out.lines().count() <= 60 && !outcome.out.contains('\u{1b}'));
    assert_eq!(
        outcome.out.matches("Bearer ...").count(),
        3,
        "{}",
        outcome.out
    );
    assert_eq!(
        outcome
            .out
            .matches("\n  error     the authorization server refused")
            .count(),
        3
    );
    assert_eq!(outcome.out.matches("\n  hint ").count(), 3);
}

/// A server on loopback that gives every connection the same bytes, and keeps what it was sent.
struct FixedServer {
    port: u16,
    response: Arc<Mutex<Vec<u8>>>,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl FixedServer {
    fn new(response: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let response = Arc::new(Mutex::new(response.into()));
        let received = Arc::<Mutex<Vec<_>>>::default();
        let (sent, log) = (response.clone(), received.clone());
        // Ends with the test process.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = vec![0; 65536];
                let count = stream.read(&mut bytes).unwrap_or_default();
                bytes.truncate(count);
                log.lock().unwrap().push(bytes);
                let response = sent.lock().unwrap().clone();
                let _ = stream.write_all(&response);
                close(stream);
            }
        });
        Self {
            port,
            response,
            received,
        }
    }
    fn json(status: &str, headers: &str, body: &str) -> Self {
        Self::new(Self::response(status, headers, body))
    }
    fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n{headers}\r\n{body}"
        );
        response.into_bytes()
    }
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }
    fn is_used(&self) -> bool {
        !self.received.lock().unwrap().is_empty()
    }
}

/// Closes a connection after the client has: if bytes were left unread, Windows would discard the response.
fn close(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = io::copy(&mut stream, &mut io::sink());
}

#[test]
fn failure_reports_clock_offset_and_requested_pause() {
    let fixture = Fixture::new();
    let now = SystemTime::now() + Duration::from_secs(3600);
    let begun = Instant::now();
    let date = format!("Date: {}\r\n", httpdate::fmt_http_date(now));
    let ahead = FixedServer::json("400 Bad Request", &date, r#"{"error":"invalid_grant"}"#);
    let busy = FixedServer::json("503 Busy", "Retry-After: 4321\r\n", "{}");
    let run = |server: &FixedServer| {
        let url = server.url();
        fixture.run(&format!(
            "token client-credentials --client-id c --key key.pem --token-endpoint {url}"
        ))
    };
    let outcome = run(&ahead);
    // The date has no fractions, and the time of the exchange is cut to whole seconds.
    let earliest = 3598 - begun.elapsed().as_secs();
    let is_reported = (earliest..=3600).any(|n| {
        let line = format!("\n  the server's clock is {n} s ahead of this machine's");
        outcome.err.contains(&line)
    });
    assert!(outcome.status == 5 && is_reported, "{outcome:?}");
    let past = FixedServer::json(
        "503 Busy",
        "Retry-After: Thu, 01 Jan 1970 00:00:01 GMT\r\n",
        "{}",
    );
    let outcome = run(&past);
    assert!(
        outcome.status == 7 && !outcome.err.contains("pause"),
        "{outcome:?}"
    );
    let outcome = run(&busy);
    let line = "\n  the server asks for a pause of 4321 s before the next request\n";
    assert!(
        outcome.status == 7 && outcome.err.contains(line),
        "{outcome:?}"
    );
}

/// A server that answers every request alike. It sends what it was sent.
fn answering(response: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = vec![0; 16 * 1024];
            let mut length = 0;
            loop {
                length += connection.read(&mut request[length..]).unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let announced = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    let is_it = name.eq_ignore_ascii_case("content-length");
                    is_it.then(|| value.trim().parse().unwrap())
                });
                if body.len() >= announced.unwrap_or(0) {
                    let _ = sender.send(text);
                    break;
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                response.len()
            );
            connection.write_all((head + response).as_bytes()).unwrap();
        }
    });
    (url, receiver)
}

#[test]
fn server_of_ones_own_is_described_by_options() {
    let fixture = Fixture::new();
    let run = |url: &str, options: &str| {
        fixture.run(&format!(
            "token custom --key key.pem --token-endpoint {url}/t --format header -v {options}"
        ))
    };
    let (url, requests) =
        answering(r#"{"auth":{"token":"t0ken-of-it","until":"2099-01-01T00:00:00Z"}}"#);
    let outcome = run(
        &url,
        "--placement json --assertion-placement /login/jwt --json-param n=[1] --param scope_of=@secret.txt \
         --issuer app --audience none --jti none --request-header X-Site=k --token-member /auth/token \
         --expires-at /auth/until",
    );
    assert_eq!(outcome.out, "Authorization: Bearer t0ken-of-it\n");
    assert!(
        outcome.err.contains(r#"claims    {"iss":"app","#),
        "{}",
        outcome.err
    );
    assert!(
        !outcome.err.contains("t0ken") && !outcome.err.contains(SECRET),
        "{}",
        outcome.err
    );
    let request = requests.recv().unwrap();
    assert!(
        request.to_lowercase().contains("\r\nx-site: k\r\n"),
        "{request}"
    );
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["n"], serde_json::json!([1]));
    assert_eq!(body["scope_of"], SECRET);
    assert!(body["login"]["jwt"].as_str().unwrap().starts_with("eyJ"));

    let (url, requests) = answering("t0ken-of-it\n");
    let outcome = run(
        &url,
        "--assertion-placement bearer --text-response --token-header X-Token:v1-{}-end",
    );
    assert_eq!(outcome.out, "X-Token: v1-t0ken-of-it-end\n");
    let assertion = requests.recv().unwrap();
    let (_, assertion) = assertion.split_once("Bearer ").unwrap();
    let (assertion, _) = assertion.split_once("\r\n").unwrap();
    assert!(
        !outcome.err.contains(assertion) && !outcome.err.contains("t0ken"),
        "{}",
        outcome.err
    );
    assert!(outcome.err.contains("claims "), "{}", outcome.err);

    let outcome = run(&url, "--request-header Authorization=secret-of-mine");
    outcome.assert_fails(
        2,
        "jwt-bearer: a secret is never an argument: write --request-header NAME=@FILE\n",
    );
}

#[test]
fn self_signed_token_is_cached_and_needs_no_server() {
    let fixture = Fixture::new();
    let run = || fixture.run("token self-signed --issuer me --key key.pem --cache-dir cache");
    let first = run().only_line().to_owned();
    assert_eq!(first.split('.').count(), 3);
    assert_eq!(run().only_line(), first);
}

#[test]
fn credential_file_is_enough() {
    let fixture = Fixture::new();
    let named = fixture.run("token marketing-cloud-intelligence --credentials credentials.json");
    named.only_line();
    fixture
        .run("token credentials credentials.json")
        .only_line();
    // An option overrides the value in the file, and two alternatives are still too many.
    let other =
        "assertion marketing-cloud-intelligence --credentials credentials.json --region eu1";
    fixture.run(other).only_line();
    let two = fixture.run(&format!("{other} --token-endpoint https://as.example/t"));
    assert_eq!(two.status, 2, "{two:?}");
    assert!(two.err.contains("cannot be used with"), "{two:?}");
    fixture
        .run("token box --credentials credentials.json")
        .assert_fails(
            3,
            "jwt-bearer: credentials.json: the provider box needs client-id\n  the file is of the provider \
             marketing-cloud-intelligence\n",
        );
    fixture.run("google --scope x").assert_fails(
        2,
        "jwt-bearer: google is a provider: write jwt-bearer token google\n",
    );
    fixture.write(
        "login.json",
        r#"{"type":"authorized_user","refresh_token":"1//secret"}"#,
    );
    fixture.run("token credentials login.json").assert_fails(
        3,
        "jwt-bearer: login.json: this is a person's login, as gcloud auth application-default login leaves it: it has \
         no key; make the key file of a service account\n",
    );
}

#[test]
fn server_that_is_not_supported_is_explained() {
    let outcome = Fixture::new().run("token HelseID --key key.pem");
    assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
    assert!(
        outcome
            .err
            .contains("DPoP (RFC 9449), which is not supported"),
        "{}",
        outcome.err
    );
}

/// Ghost shows a key as an id, a colon and hexadecimal digits.
#[test]
fn secret_is_read_in_the_form_of_its_server() {
    let fixture = Fixture::new();
    fixture.write(
        "ghost.txt",
        "6489f1a2b3c4d5e6f7a8b9c0:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    );
    let run = fixture.run("assertion ghost --secret ghost.txt");
    let header = URL_SAFE_NO_PAD.decode(run.only_line().split('.').next().unwrap());
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    assert_eq!(header["kid"], "6489f1a2b3c4d5e6f7a8b9c0");
}

#[test]
fn options_that_may_hold_a_secret_want_a_file() {
    let fixture = Fixture::new();
    let command = "assertion custom --key key.pem --token-endpoint https://as.example/t";
    for option in [
        r#"--json-param client_secret="hunter2-hunter2""#,
        "--basic-auth client_id=hunter2-hunter2",
        "--request-header X-Auth-Key=hunter2-hunter2",
        "--request-header Cookie=hunter2-hunter2",
    ] {
        let outcome = fixture.run(&format!("{command} {option}"));
        assert_eq!(outcome.status, 2, "{outcome:?}");
        assert!(
            outcome.err.contains("a secret is never an argument"),
            "{outcome:?}"
        );
        assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
    }
    let mut curl = fixture.command(command);
    curl.args([
        "--request-header",
        "Authorization: Basic dXNlcjpodW50ZXIy==",
    ]);
    let outcome = Outcome::of(curl.output().unwrap());
    assert!(
        outcome.status != 0 && !outcome.err.contains("dXNlcjpodW50ZXIy"),
        "{outcome:?}"
    );
    fixture
        .run(&format!("{command} --json-param n=[1,true]"))
        .only_line();
}

#[test]
fn secrets_of_basic_auth_and_of_json_are_not_shown() {
    let fixture = Fixture::new();
    fixture.write("short.txt", "S3cr3tPw99");
    fixture.write("object.txt", r#"{"password":"S3cr3tPw99"}"#);
    let (url, _requests) = answering(
        r#"{"error":"invalid_client","error_description":"the secret S3cr3tPw99 is wrong"}"#,
    );
    for option in [
        "--basic-auth id=@short.txt",
        "--json-param login=@object.txt",
    ] {
        for verbose in ["", " -v"] {
            let outcome = fixture.run(&format!(
                "token custom --key key.pem --token-endpoint {url}/t {option}{verbose}"
            ));
            assert_eq!(outcome.status, 5, "{outcome:?}");
            assert!(!outcome.err.contains("S3cr3tPw99"), "{outcome:?}");
        }
    }
}

#[test]
fn text_response_that_is_an_error_or_a_page_is_no_token() {
    let fixture = Fixture::new();
    for (body, status) in [
        (r#"{"error":"invalid_client"}"#, 5),
        ("<html><body>login</body></html>", 6),
    ] {
        let (url, _requests) = answering(body);
        let outcome = fixture.run(&format!(
            "token custom --key key.pem --token-endpoint {url}/t --text-response"
        ));
        assert_eq!(
            (outcome.status, outcome.out.as_str()),
            (status, ""),
            "{outcome:?}"
        );
    }
}

#[test]
fn settings_that_a_self_signed_token_cannot_have_are_refused() {
    let fixture = Fixture::new();
    let command = "token self-signed --issuer me --key key.pem";
    for option in [
        "--scope read",
        "--param resource=x",
        "--request-header X-A=b",
    ] {
        let outcome = fixture.run(&format!("{command} {option}"));
        assert_eq!(outcome.status, 3, "{outcome:?}");
        assert!(outcome.err.contains("nothing is exchanged"), "{outcome:?}");
    }
    let outcome = fixture.run(&format!("{command} -v"));
    assert!(
        outcome.err.contains(r#"claims    {"iss":"me","#),
        "{outcome:?}"
    );
}

#[test]
fn deep_pointer_is_refused_and_parameter_can_be_replaced() {
    let fixture = Fixture::new();
    let custom = "assertion custom --key key.pem --token-endpoint https://as.example/t";
    let mut deep = fixture.command(&format!("{custom} --placement json --param"));
    deep.arg(format!("{}=@secret.txt", "/a".repeat(10_000)));
    let outcome = Outcome::of(deep.output().unwrap());
    assert_eq!(outcome.status, 3);
    assert!(outcome.err.contains("nested too deeply"), "{outcome:?}");
    let (url, requests) = answering(r#"{"access_token":"t"}"#);
    let client = "token client-credentials --client-id c --key key.pem";
    let options = "--param client_id=other --without-param client_id";
    fixture
        .run(&format!("{client} --token-endpoint {url}/t {options}"))
        .only_line();
    assert!(requests.recv().unwrap().contains("client_id=other"));
}
