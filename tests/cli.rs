//! The binary as users run it: arguments, files, standard output, standard error, exit status.
#![cfg(feature = "cli")]

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

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

/// Returns the binary with arguments, and without the proxy variables of this machine.
fn binary(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"));
    for proxy in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
    ] {
        command.env_remove(proxy);
    }
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

#[test]
fn failure_sets_exit_status_and_prints_message_and_hint() {
    let fixture = Fixture::new();
    fixture.write("ec.pem", include_str!("data/keys/ec-pkcs8.pem"));
    fixture.write("other.txt", "another secret, of thirty-two bytes");
    fixture.write("garbage", vec![b'x'; 10_000_000]);
    let key = "token client-credentials --client-id client-1 --discover {url} --key";
    let cylance = "token cylance --tenant-id tenant --application-id application --base-url {url}";
    for (arguments, status, err) in [
        (format!("{key} missing.pem"), 3, "missing.pem: No such file or directory (os error 2)"),
        (format!("{key} ."), 3, ".: Is a directory (os error 21)"),
        (format!("{key} ec.pem"), 3, "ec.pem: this is an EC key; RS256 needs RSA"),
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
            "token client-credentials --client-id c --key key.pem \
             --token-endpoint http://127.0.0.1:1/token --timeout 1"
                .to_owned(),
            4,
            "127.0.0.1:1: nobody listens there: Connection refused (os error 111)",
        ),
        (
            format!("{cylance} --secret other.txt"),
            5,
            "the authorization server refused: Invalid JWT payload (status 401)\n  check tenant \
             id, application id, secret and region, and this machine's clock",
        ),
        (
            "token salesforce --client-id consumer-key --username user@example.com --key key.pem \
             --login-url {url} --audience https://elsewhere.example"
                .to_owned(),
            5,
            "the authorization server refused: invalid_grant: audience is invalid (status 400)\n  \
             set the audience the org expects: login.salesforce.com, test.salesforce.com or its \
             My Domain",
        ),
        (
            "token client-credentials --client-id c --key key.pem --token-endpoint {url}/nowhere"
                .to_owned(),
            6,
            "something other than an authorization server answered (status 404)",
        ),
    ] {
        fixture.run(&arguments).assert_fails(status, &format!("jwt-bearer: {err}\n"));
    }
    fixture.server.fail_next(9, Fault::Unavailable);
    fixture
        .run(&format!("token {} --timeout 1", PROFILES[2]))
        .assert_fails(
            7,
            "jwt-bearer: the authorization server cannot answer now (status 503)\n",
        );
    assert_eq!(fixture.run("token salesforce --client-id c").status, 2);
    assert_eq!(fixture.run("no-such-command").status, 2);
}

#[test]
fn verbose_shows_exchange_without_secrets() {
    let fixture = Fixture::new();
    let pem = pem();
    let body: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for profile in PROFILES {
        // The profiles send the secret parameters in a form, a query and JSON.
        let with_secrets = "--param client_secret=@client-secret.txt \
            --param subject_token=@subject-token.txt --param password=@password.txt";
        let outcome = fixture.run(&format!("token {profile} -v {with_secrets}"));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let token = outcome.out.trim_end();
        let secrets = [
            SECRET,
            CLIENT_SECRET,
            SUBJECT_TOKEN,
            PASSWORD,
            "p%40ss",
            token,
        ];
        for needle in body.iter().copied().chain(secrets) {
            assert!(!outcome.err.contains(needle), "{needle} in {}", outcome.err);
        }
        for label in [
            "header    {",
            "claims    {",
            "request   POST ",
            "response  200 {",
        ] {
            assert!(outcome.err.contains(label), "{label} in {}", outcome.err);
        }
        // An assertion would be three segments in one word.
        let is_jwt = |word: &str| word.contains("eyJ") && word.matches('.').count() == 2;
        assert!(
            !outcome.err.split(['"', '=', '&', ' ', '\n']).any(is_jwt),
            "{}",
            outcome.err
        );
    }
}

#[test]
fn secret_file_loses_one_line_end_and_warns_when_short() {
    let fixture = Fixture::new();
    let run = |secret: &str| {
        fixture.write("s.txt", secret);
        fixture.run(
            "token cylance --tenant-id tenant --application-id application --base-url {url} \
             --secret s.txt",
        )
    };
    let dropped = "jwt-bearer: s.txt: the line end at its end is dropped\n";
    for end in ["\n", "\r\n"] {
        let outcome = run(&format!("{SECRET}{end}"));
        assert_eq!((outcome.status, outcome.err.as_str()), (0, dropped));
    }
    let twice = run(&format!("{SECRET}\n\n"));
    assert_eq!(twice.status, 5, "only one line end is dropped: {twice:?}");
    let short = run("short").err;
    let warning = "jwt-bearer: s.txt: 5 bytes; RFC 7518 asks for 32 or more\n";
    assert!(short.starts_with(warning), "{short}");
    run("").assert_fails(3, "jwt-bearer: s.txt: the HMAC secret is empty\n");
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
        "jwt-bearer: encrypted.pem: this key is encrypted: a passphrase is needed\n",
    );
    fixture.write("passphrase", "not this one");
    fixture
        .run(&format!("token {arguments} --passphrase-file passphrase"))
        .assert_fails(3, "jwt-bearer: encrypted.pem: the passphrase is wrong\n");
    fixture.write("passphrase", "correct horse\n");
    let outcome = fixture.run(&format!(
        "assertion {arguments} --passphrase-file passphrase"
    ));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.err,
        "jwt-bearer: passphrase: the line end at its end is dropped\n"
    );
}

fn spawn(command: &mut Command) -> Child {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    piped.spawn().unwrap()
}

#[test]
fn key_as_argument_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    let mut command = fixture.command("token client-credentials --client-id c --discover {url}");
    let outcome = Outcome::of(command.args(["--key", &pem()]).output().unwrap());
    outcome.assert_fails(
        2,
        "jwt-bearer: a file name is wanted, not what is in it: write - and pipe it to standard input\n",
    );
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
    let bash = Outcome::of(binary(["completions", "bash"]).output().unwrap());
    assert!(bash.out.contains("_jwt__bearer()") && bash.status == 0);
    // Calls the function as bash does when the cursor is at the end of the last word.
    for (words, completes) in [
        ("jwt-bearer t", "token"),
        ("jwt-bearer token c", "cylance"),
        ("jwt-bearer token salesforce --client-i", "--client-id"),
        ("jwt-bearer token jwt-bearer --iss", "--issuer"),
        ("jwt-bearer forget --cache-d", "--cache-dir"),
    ] {
        let script = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _jwt__bearer jwt-bearer \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
             echo \"${{COMPREPLY[@]}}\"",
            bash.out
        );
        let mut run = Command::new("bash");
        let outcome = Outcome::of(run.args(["--norc", "-c", &script]).output().unwrap());
        assert!(
            outcome.out.split_whitespace().any(|word| word == completes),
            "{words}: {outcome:?}"
        );
    }
    let man = Outcome::of(binary(["man"]).output().unwrap());
    assert!(man.out.contains(".TH jwt-bearer 1") && man.status == 0);
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

#[cfg(unix)]
#[test]
fn sandbox_prints_working_commands_and_removes_directory_when_stopped() {
    ["-INT", "-TERM"].into_iter().for_each(run_sandbox_until);
}

#[cfg(unix)]
fn run_sandbox_until(signal: &str) {
    let mut child = spawn(&mut binary(["sandbox", "--listen", "127.0.0.1:0"]));
    let mut out = child.stdout.take().unwrap();
    let mut text = String::new();
    while text.matches("\njwt-bearer token ").count() < 5 || !text.ends_with("\n\n") {
        let mut chunk = [0; 1024];
        let n = out.read(&mut chunk).unwrap();
        assert!(n > 0, "{text}");
        text += std::str::from_utf8(&chunk[..n]).unwrap();
    }
    let commands: Vec<_> = text
        .lines()
        .filter_map(|l| l.strip_prefix("jwt-bearer "))
        .collect();
    for command in &commands {
        Outcome::of(binary(command.split(' ')).output().unwrap()).only_line();
    }
    let key = commands[1]
        .split(' ')
        .find(|word| word.ends_with("/key.pem"))
        .unwrap();
    let directory = PathBuf::from(key).parent().unwrap().to_owned();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&directory).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);

    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let log = String::from_utf8(ended.stderr).unwrap();
    let tokens = log
        .lines()
        .filter(|line| line.contains(" 200: ") && line.contains("a token"));
    assert_eq!(tokens.count(), 5, "{log}");
    thread::sleep(Duration::from_millis(10));
    assert!(!directory.exists());
}

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

#[cfg(unix)]
mod cache {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    const TOKEN: &str =
        "token client-credentials --client-id client-1 --key key.pem --token-endpoint {url}/token";

    impl Fixture {
        /// Returns a command whose default cache is in the directory.
        fn cached_command(&self, arguments: &str) -> Command {
            let mut command = self.command(arguments);
            command.env("XDG_CACHE_HOME", self.directory.path().join("cache"));
            command
        }
        #[track_caller]
        fn fetch(&self, arguments: &str) -> String {
            Outcome::of(self.cached_command(arguments).output().unwrap())
                .only_line()
                .to_owned()
        }
        fn stored_tokens(&self, directory: &str) -> usize {
            let entries = fs::read_dir(self.directory.path().join(directory));
            let names = entries.unwrap().map(|entry| entry.unwrap().file_name());
            let tokens = names.filter(|name| name.to_string_lossy().ends_with(".token"));
            tokens.count()
        }
    }

    #[test]
    fn cache_shares_token_between_hundred_sequential_runs() {
        let fixture = Fixture::new();
        let first = fixture.fetch(&format!("{TOKEN} --cache"));
        for _ in 1..100 {
            assert_eq!(fixture.fetch(&format!("{TOKEN} --cache")), first);
        }
        assert_eq!(fixture.server.requests(), 1);
        assert_eq!(fixture.stored_tokens("cache/jwt-bearer"), 1);
    }

    #[test]
    fn cache_shares_token_between_twelve_concurrent_runs() {
        let fixture = Fixture::new();
        let runs: Vec<_> = (0..12)
            .map(|_| {
                let mut command = fixture.cached_command(&format!("{TOKEN} --cache"));
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let tokens: Vec<_> = runs
            .into_iter()
            .map(|run| {
                Outcome::of(run.wait_with_output().unwrap())
                    .only_line()
                    .to_owned()
            })
            .collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
        assert_eq!(fixture.server.requests(), 1);
    }

    #[test]
    fn cache_is_neither_read_nor_written_without_option() {
        let fixture = Fixture::new();
        fixture.fetch(TOKEN);
        assert!(!fixture.directory.path().join("cache").exists());
        let cached = fixture.fetch(&format!("{TOKEN} --cache"));
        assert_ne!(fixture.fetch(TOKEN), cached);
        assert_eq!(fixture.server.requests(), 3);
    }

    #[test]
    fn cache_has_one_token_per_identity_for_all_formats() {
        let fixture = Fixture::new();
        let token = fixture.fetch(&format!("{TOKEN} --cache"));
        assert_ne!(
            fixture.fetch(&format!("{TOKEN} --cache --scope read")),
            token
        );
        assert_ne!(
            fixture.fetch(&format!("{TOKEN} --cache --key-id k1")),
            token
        );
        assert_eq!(fixture.server.requests(), 3);
        let header = fixture.fetch(&format!("{TOKEN} --cache --format header"));
        assert_eq!(header, format!("Authorization: Bearer {token}"));
        let json = fixture.fetch(&format!("{TOKEN} --cache --format json"));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["access_token"], *token);
        assert_eq!(fixture.server.requests(), 3);
    }

    #[test]
    fn verbose_shows_whether_cache_has_token() {
        let fixture = Fixture::new();
        for expected in [
            "cache     no token is stored\n",
            "cache     a token is stored\n",
        ] {
            let outcome = fixture.cached_command(&format!("{TOKEN} --cache -v"));
            let outcome = Outcome::of({ outcome }.output().unwrap());
            assert!(outcome.err.starts_with(expected), "{outcome:?}");
        }
    }

    #[test]
    fn cache_ignores_expired_token() {
        let fixture = Fixture::new();
        fixture.server.set_lifetime(Duration::from_secs(1));
        let first = fixture.fetch(&format!("{TOKEN} --cache"));
        thread::sleep(Duration::from_millis(1100));
        assert_ne!(fixture.fetch(&format!("{TOKEN} --cache")), first);
        assert_eq!(fixture.server.requests(), 2);
    }

    #[test]
    fn forget_empties_cache_and_prints_count() {
        let fixture = Fixture::new();
        let forget =
            |arguments: &str| Outcome::of(fixture.cached_command(arguments).output().unwrap());
        for expected in ["0 tokens removed\n", "1 token removed\n"] {
            let outcome = forget("forget");
            assert_eq!(
                (outcome.status, outcome.out.as_str(), outcome.err.as_str()),
                (0, "", expected)
            );
            fixture.fetch(&format!("{TOKEN} --cache"));
        }
        assert_eq!(
            forget("forget --cache-dir absent").err,
            "0 tokens removed\n"
        );
        assert!(!fixture.directory.path().join("absent").exists());
        fixture.fetch(&format!("{TOKEN} --cache-dir elsewhere"));
        fixture.fetch(&format!("{TOKEN} --cache-dir elsewhere --scope read"));
        assert_eq!(
            forget("forget --cache-dir elsewhere").err,
            "2 tokens removed\n"
        );
        assert_eq!(
            (
                fixture.stored_tokens("cache/jwt-bearer"),
                fixture.stored_tokens("elsewhere")
            ),
            (1, 0)
        );
    }

    #[test]
    fn cache_defaults_to_users_cache_directory() {
        let fixture = Fixture::new();
        let home = fixture.directory.path().join("home");
        fs::create_dir(&home).unwrap();
        for relative in [None, Some("relative")] {
            let mut command = fixture.command(&format!("{TOKEN} --cache"));
            command.env_remove("XDG_CACHE_HOME").env("HOME", &home);
            command.envs(relative.map(|relative| ("XDG_CACHE_HOME", relative)));
            Outcome::of(command.output().unwrap()).only_line();
        }
        assert!(!fixture.directory.path().join("relative").exists());
        assert_eq!(fixture.server.requests(), 1);
    }

    #[test]
    fn cache_refuses_unsafe_directory_before_any_request() {
        let fixture = Fixture::new();
        let open = fixture.directory.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let outcome = fixture.run(&format!("{TOKEN} --cache-dir open"));
        outcome.assert_fails(
            3,
            "jwt-bearer: open: the directory of the tokens is open to others: give one of your own\n",
        );
        let outcome = fixture.run(&format!("{TOKEN} --cache-dir key.pem"));
        outcome.assert_fails(
            3,
            "jwt-bearer: key.pem: the directory of the tokens is a link or a file\n",
        );
        assert_eq!(fixture.server.requests(), 0);
    }

    /// `ulimit -f 0` makes every write to a file fail, as a full disk does.
    #[test]
    fn cache_failing_to_save_warns_and_prints_token() {
        let fixture = Fixture::new();
        let binary = Path::new(env!("CARGO_BIN_EXE_jwt-bearer"))
            .display()
            .to_string();
        let line = format!("trap '' XFSZ; ulimit -f 0; exec {binary} {TOKEN} --cache-dir cache");
        let mut command = Command::new("sh");
        command.args(["-c", &line.replace("{url}", fixture.server.url())]);
        let outcome = Outcome::of(
            command
                .current_dir(fixture.directory.path())
                .output()
                .unwrap(),
        );
        assert_eq!(
            (outcome.status, outcome.out.lines().count()),
            (0, 1),
            "{outcome:?}"
        );
        assert!(
            outcome
                .err
                .starts_with("jwt-bearer: cache: save failed: File too large"),
            "{outcome:?}"
        );
        let left = fs::read_dir(fixture.directory.path().join("cache")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(outcome.err.lines().count(), 1, "{outcome:?}");
        assert!(
            left.into_iter().all(|name| name.ends_with(".lock")),
            "a part of a token remains"
        );
    }

    #[test]
    fn cache_replaces_corrupt_token() {
        let fixture = Fixture::new();
        fixture.fetch(&format!("{TOKEN} --cache-dir cache"));
        let entries = fs::read_dir(fixture.directory.path().join("cache")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let token = paths
            .into_iter()
            .find(|path| path.extension() == Some(OsStr::new("token")));
        for corrupt in [&b""[..], b"{", &[0xff; 4096], &vec![b'['; 1 << 20]] {
            fs::write(token.as_ref().unwrap(), corrupt).unwrap();
            let requests = fixture.server.requests();
            fixture.fetch(&format!("{TOKEN} --cache-dir cache"));
            fixture.fetch(&format!("{TOKEN} --cache-dir cache"));
            assert_eq!(fixture.server.requests(), requests + 1);
        }
    }
}
