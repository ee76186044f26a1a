//! The binary as people use it: arguments, files, standard output, standard error, exit status.
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
/// A JWT of another server (RFC 8693), and what a form must encode.
const SUBJECT_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c3ViamVjdC10b2tlbg";
const PASSWORD: &str = "p@ss w0rd/+=";

fn pem() -> String {
    let vectors: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    vectors["key"]["pkcs1_pem"].as_str().unwrap().to_owned()
}

/// A server, and a directory with what the command line reads.
struct World {
    server: Server,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let server = Server::start().unwrap();
        let key = RsaKey::from_pem(pem()).unwrap();
        let by_key = |id| Client::new(id, Key::public(&key)).with_scope("read");
        server.register(by_key("service-account"));
        server.register(by_key("consumer-key").with_user("user@example.com"));
        server.register(by_key("client-1"));
        server.register(by_key("issuer-1").with_user("alice"));
        let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
        server.register(application.with_scope("device:list"));
        let world = Self {
            server,
            directory: tempfile::tempdir().unwrap(),
        };
        world.write("key.pem", pem());
        world.write("secret.txt", SECRET);
        world.write("client-secret.txt", CLIENT_SECRET);
        world.write("subject-token.txt", SUBJECT_TOKEN);
        world.write("password.txt", PASSWORD);
        let credentials = serde_json::json!({
            "serviceAccountId": "service-account",
            "discoveryEndpoint": world.server.discovery_endpoint(),
            "privateKey": pem(),
        });
        world.write("credentials.json", credentials.to_string());
        world
    }
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
    /// In the directory, so that files go by their names; `{url}` is the server's.
    fn command(&self, arguments: &str) -> Command {
        let arguments = arguments.replace("{url}", self.server.url());
        let mut command = bare(arguments.split_whitespace());
        command.current_dir(self.directory.path());
        command
    }
    fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }
}

fn bare(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
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
struct Ran {
    status: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            status: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
    /// One line on standard output and nothing on standard error.
    #[track_caller]
    fn line(&self) -> &str {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{self:?}");
        let line = self.out.strip_suffix('\n').unwrap();
        assert!(!line.is_empty() && !line.contains('\n'), "{self:?}");
        line
    }
    #[track_caller]
    fn fails(&self, status: i32, err: &str) {
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
fn every_profile_gets_a_token_and_prints_nothing_else() {
    let world = World::new();
    for profile in PROFILES {
        let ran = world.run(&format!("token {profile}"));
        assert!(ran.line().bytes().all(|b| b.is_ascii_graphic()), "{ran:?}");
    }
    assert_eq!(world.server.jtis().len(), PROFILES.len());
}

#[test]
fn formats_are_a_token_a_header_and_json() {
    let world = World::new();
    let header = world.run(&format!("token {} --format header", PROFILES[0]));
    assert!(header.line().starts_with("Authorization: Bearer "));
    let json = world.run(&format!("token --format json {}", PROFILES[2]));
    let json: Value = serde_json::from_str(json.line()).unwrap();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["instance_url"], world.server.url());
    assert!(json["access_token"].as_str().unwrap().starts_with("00D"));
    assert!(json["expires_at"].as_u64().unwrap() > 1_700_000_000);
}

#[test]
fn an_assertion_is_signed_without_a_request() {
    let world = World::new();
    for profile in [PROFILES[2], PROFILES[3], PROFILES[6]] {
        let ran = world.run(&format!("assertion {profile}"));
        assert_eq!(ran.line().split('.').count(), 3);
    }
    world.run(&format!("assertion {}", PROFILES[4])).fails(
        3,
        "jwt-bearer: the audience would have to be discovered: give --audience\n",
    );
    let given = world.run(&format!(
        "assertion {} --audience https://as.example.com",
        PROFILES[4]
    ));
    given.line();
    assert_eq!(world.server.requests(), 0);
}

#[test]
fn each_failure_has_its_status_its_line_and_its_hint() {
    let world = World::new();
    world.write("ec.pem", include_str!("data/keys/ec-pkcs8.pem"));
    world.write("other.txt", "another secret, of thirty-two bytes");
    world.write("garbage", vec![b'x'; 10_000_000]);
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
        world.run(&arguments).fails(status, &format!("jwt-bearer: {err}\n"));
    }
    world.server.fail_next(9, Fault::Unavailable);
    world
        .run(&format!("token {} --timeout 1", PROFILES[2]))
        .fails(
            7,
            "jwt-bearer: the authorization server cannot answer now (status 503)\n",
        );
    assert_eq!(world.run("token salesforce --client-id c").status, 2);
    assert_eq!(world.run("no-such-command").status, 2);
}

#[test]
fn verbose_shows_everything_but_what_can_be_spent() {
    let world = World::new();
    let pem = pem();
    let body: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for profile in PROFILES {
        // In a form, a query and JSON: every placement has secret parameters.
        let with_secrets = "--param client_secret=@client-secret.txt \
            --param subject_token=@subject-token.txt --param password=@password.txt";
        let ran = world.run(&format!("token {profile} -v {with_secrets}"));
        assert_eq!(ran.status, 0, "{ran:?}");
        let token = ran.out.trim_end();
        let secrets = [
            SECRET,
            CLIENT_SECRET,
            SUBJECT_TOKEN,
            PASSWORD,
            "p%40ss",
            token,
        ];
        for needle in body.iter().copied().chain(secrets) {
            assert!(!ran.err.contains(needle), "{needle} in {}", ran.err);
        }
        for label in [
            "header    {",
            "claims    {",
            "request   POST ",
            "response  200 {",
        ] {
            assert!(ran.err.contains(label), "{label} in {}", ran.err);
        }
        // No assertion: three segments in a row.
        let is_jwt = |word: &str| word.contains("eyJ") && word.matches('.').count() == 2;
        assert!(
            !ran.err.split(['"', '=', '&', ' ', '\n']).any(is_jwt),
            "{}",
            ran.err
        );
    }
}

#[test]
fn secrets_lose_one_line_end_and_are_told_when_short() {
    let world = World::new();
    let run = |secret: &str| {
        world.write("s.txt", secret);
        world.run(
            "token cylance --tenant-id tenant --application-id application --base-url {url} \
             --secret s.txt",
        )
    };
    let dropped = "jwt-bearer: s.txt: the line end at its end is dropped\n";
    for end in ["\n", "\r\n"] {
        let ran = run(&format!("{SECRET}{end}"));
        assert_eq!((ran.status, ran.err.as_str()), (0, dropped));
    }
    let twice = run(&format!("{SECRET}\n\n"));
    assert_eq!(twice.status, 5, "exactly one is dropped: {twice:?}");
    let short = run("short").err;
    let warning = "jwt-bearer: s.txt: 5 bytes; RFC 7518 asks for 32 or more\n";
    assert!(short.starts_with(warning), "{short}");
    run("").fails(3, "jwt-bearer: s.txt: the HMAC secret is empty\n");
}

#[test]
fn a_key_comes_from_standard_input_mangled_or_under_a_passphrase() {
    let world = World::new();
    let arguments = PROFILES[6].replace("--key key.pem", "--key -");
    let mut child = world.command(&format!("token {arguments}"));
    let mut child = spawn(&mut child);
    let mangled = pem().replace('\n', "\\n");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(mangled.as_bytes())
        .unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(
        ran.err,
        "jwt-bearer: -: repaired: line ends were written as \\n\n"
    );

    let all = include_str!("data/keys/encrypted.txt");
    let (_, rest) = all.split_once("aes-256-cbc hmacWithSHA256\n").unwrap();
    let (block, _) = rest.split_once("-----END").unwrap();
    let block = format!("{block}-----END ENCRYPTED PRIVATE KEY-----\n");
    world.write("encrypted.pem", block);
    let arguments = PROFILES[6].replace("key.pem", "encrypted.pem");
    world.run(&format!("token {arguments}")).fails(
        3,
        "jwt-bearer: encrypted.pem: this key is encrypted: a passphrase is needed\n",
    );
    world.write("passphrase", "not this one");
    world
        .run(&format!("token {arguments} --passphrase-file passphrase"))
        .fails(3, "jwt-bearer: encrypted.pem: the passphrase is wrong\n");
    world.write("passphrase", "correct horse\n");
    let ran = world.run(&format!(
        "assertion {arguments} --passphrase-file passphrase"
    ));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(
        ran.err,
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
fn a_key_given_as_an_argument_is_refused_and_not_repeated() {
    let world = World::new();
    let mut command = world.command("token client-credentials --client-id c --discover {url}");
    let ran = Ran::of(command.args(["--key", &pem()]).output().unwrap());
    ran.fails(
        2,
        "jwt-bearer: a file name is wanted, not what is in it: write - and pipe it to standard input\n",
    );
}

#[cfg(unix)]
#[test]
fn closed_standard_output_is_an_error_and_no_panic() {
    let world = World::new();
    let mut command = world.command(&format!("token {}", PROFILES[2]));
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ran = command.stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(
        err,
        "jwt-bearer: standard output: No space left on device (os error 28)\n"
    );
}

#[test]
fn every_level_has_help_with_an_example_at_its_end() {
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
        let ran = Ran::of(bare(&level).output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        let (_, example) = ran.out.rsplit_once("Example").unwrap_or(("", ""));
        assert!(
            example.contains("\n  jwt-bearer "),
            "{level:?}: {}",
            ran.out
        );
    }
    let bash = Ran::of(bare(["completions", "bash"]).output().unwrap());
    assert!(bash.out.contains("_jwt__bearer()") && bash.status == 0);
    // As bash calls it, with the cursor behind the last word.
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
        let ran = Ran::of(run.args(["--norc", "-c", &script]).output().unwrap());
        assert!(
            ran.out.split_whitespace().any(|word| word == completes),
            "{words}: {ran:?}"
        );
    }
    let man = Ran::of(bare(["man"]).output().unwrap());
    assert!(man.out.contains(".TH jwt-bearer 1") && man.status == 0);
}

#[test]
fn the_tour_is_short_quick_and_plain_when_it_is_piped() {
    let start = Instant::now();
    let ran = Ran::of(bare(["demo"]).output().unwrap());
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.lines().count() <= 60 && !ran.out.contains('\u{1b}'));
    assert_eq!(ran.out.matches("Bearer ...").count(), 3, "{}", ran.out);
    assert_eq!(
        ran.out
            .matches("\n  answer    the authorization server refused")
            .count(),
        3
    );
    assert_eq!(ran.out.matches("\n  hint ").count(), 3);
}

#[cfg(unix)]
#[test]
fn the_sandbox_prints_commands_that_work_and_cleans_up_when_interrupted_or_ended() {
    ["-INT", "-TERM"].into_iter().for_each(sandbox_until);
}

#[cfg(unix)]
fn sandbox_until(signal: &str) {
    let mut child = spawn(&mut bare(["sandbox", "--listen", "127.0.0.1:0"]));
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
        Ran::of(bare(command.split(' ')).output().unwrap()).line();
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
fn the_proxy_variables_are_honoured() {
    let world = World::new();
    let mut command =
        world.command("token cylance --tenant-id t --application-id a --secret secret.txt");
    let ran = command
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .args(["--timeout", "1"])
        .output();
    let ran = Ran::of(ran.unwrap());
    assert_eq!(ran.status, 4, "{ran:?}");
    assert!(ran.err.contains("Connection refused"), "{ran:?}");
}

// ---- the cache ----

#[cfg(unix)]
mod cache {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    const TOKEN: &str =
        "token client-credentials --client-id client-1 --key key.pem --token-endpoint {url}/token";

    impl World {
        /// As a user who has no other cache than one in this directory.
        fn cached(&self, arguments: &str) -> Command {
            let mut command = self.command(arguments);
            command.env("XDG_CACHE_HOME", self.directory.path().join("cache"));
            command
        }
        #[track_caller]
        fn gets(&self, arguments: &str) -> String {
            Ran::of(self.cached(arguments).output().unwrap())
                .line()
                .to_owned()
        }
        fn files(&self, directory: &str) -> usize {
            let entries = fs::read_dir(self.directory.path().join(directory));
            let names = entries.unwrap().map(|entry| entry.unwrap().file_name());
            let tokens = names.filter(|name| name.to_string_lossy().ends_with(".token"));
            tokens.count()
        }
    }

    #[test]
    fn a_hundred_runs_in_a_row_make_one_exchange() {
        let world = World::new();
        let first = world.gets(&format!("{TOKEN} --cache"));
        for _ in 1..100 {
            assert_eq!(world.gets(&format!("{TOKEN} --cache")), first);
        }
        assert_eq!(world.server.requests(), 1);
        assert_eq!(world.files("cache/jwt-bearer"), 1);
    }

    #[test]
    fn twelve_runs_at_once_make_one_exchange() {
        let world = World::new();
        let runs: Vec<_> = (0..12)
            .map(|_| {
                let mut command = world.cached(&format!("{TOKEN} --cache"));
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let tokens: Vec<_> = runs
            .into_iter()
            .map(|run| Ran::of(run.wait_with_output().unwrap()).line().to_owned())
            .collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
        assert_eq!(world.server.requests(), 1);
    }

    #[test]
    fn without_the_option_nothing_is_kept_and_nothing_taken() {
        let world = World::new();
        world.gets(TOKEN);
        assert!(!world.directory.path().join("cache").exists());
        let cached = world.gets(&format!("{TOKEN} --cache"));
        assert_ne!(world.gets(TOKEN), cached);
        assert_eq!(world.server.requests(), 3);
    }

    #[test]
    fn another_question_gets_another_token_and_every_format_the_same() {
        let world = World::new();
        let token = world.gets(&format!("{TOKEN} --cache"));
        assert_ne!(world.gets(&format!("{TOKEN} --cache --scope read")), token);
        assert_ne!(world.gets(&format!("{TOKEN} --cache --key-id k1")), token);
        assert_eq!(world.server.requests(), 3);
        let header = world.gets(&format!("{TOKEN} --cache --format header"));
        assert_eq!(header, format!("Authorization: Bearer {token}"));
        let json = world.gets(&format!("{TOKEN} --cache --format json"));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["access_token"], *token);
        assert_eq!(world.server.requests(), 3);
    }

    #[test]
    fn verbose_tells_whether_a_token_was_there() {
        let world = World::new();
        for said in [
            "cache     no token is kept\n",
            "cache     a token is kept\n",
        ] {
            let ran = world.cached(&format!("{TOKEN} --cache -v"));
            let ran = Ran::of({ ran }.output().unwrap());
            assert!(ran.err.starts_with(said), "{ran:?}");
        }
    }

    #[test]
    fn an_expired_token_is_not_taken() {
        let world = World::new();
        world.server.set_lifetime(Duration::from_secs(1));
        let first = world.gets(&format!("{TOKEN} --cache"));
        thread::sleep(Duration::from_millis(1100));
        assert_ne!(world.gets(&format!("{TOKEN} --cache")), first);
        assert_eq!(world.server.requests(), 2);
    }

    #[test]
    fn forgetting_empties_the_cache_and_says_how_much_it_held() {
        let world = World::new();
        let forget = |arguments: &str| Ran::of(world.cached(arguments).output().unwrap());
        for said in ["0 tokens are forgotten\n", "1 token is forgotten\n"] {
            let ran = forget("forget");
            assert_eq!(
                (ran.status, ran.out.as_str(), ran.err.as_str()),
                (0, "", said)
            );
            world.gets(&format!("{TOKEN} --cache"));
        }
        assert_eq!(
            forget("forget --cache-dir absent").err,
            "0 tokens are forgotten\n"
        );
        assert!(!world.directory.path().join("absent").exists());
        world.gets(&format!("{TOKEN} --cache-dir elsewhere"));
        world.gets(&format!("{TOKEN} --cache-dir elsewhere --scope read"));
        assert_eq!(
            forget("forget --cache-dir elsewhere").err,
            "2 tokens are forgotten\n"
        );
        assert_eq!(
            (world.files("cache/jwt-bearer"), world.files("elsewhere")),
            (1, 0)
        );
    }

    #[test]
    fn the_cache_is_below_the_users_own() {
        let world = World::new();
        let home = world.directory.path().join("home");
        fs::create_dir(&home).unwrap();
        for relative in [None, Some("relative")] {
            let mut command = world.command(&format!("{TOKEN} --cache"));
            command.env_remove("XDG_CACHE_HOME").env("HOME", &home);
            command.envs(relative.map(|relative| ("XDG_CACHE_HOME", relative)));
            Ran::of(command.output().unwrap()).line();
        }
        assert!(!world.directory.path().join("relative").exists());
        assert_eq!(world.server.requests(), 1);
    }

    #[test]
    fn a_directory_that_is_no_place_for_tokens_is_refused_before_anything_is_sent() {
        let world = World::new();
        let open = world.directory.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let ran = world.run(&format!("{TOKEN} --cache-dir open"));
        ran.fails(
            3,
            "jwt-bearer: open: the directory of the tokens is open to others: give one of your own\n",
        );
        let ran = world.run(&format!("{TOKEN} --cache-dir key.pem"));
        ran.fails(
            3,
            "jwt-bearer: key.pem: the directory of the tokens is a link or a file\n",
        );
        assert_eq!(world.server.requests(), 0);
    }

    /// `RLIMIT_FSIZE` of nothing: what a write to a full disk meets, without a disk.
    #[test]
    fn a_full_disk_costs_the_cache_and_not_the_token() {
        let world = World::new();
        let binary = Path::new(env!("CARGO_BIN_EXE_jwt-bearer"))
            .display()
            .to_string();
        let line = format!("trap '' XFSZ; ulimit -f 0; exec {binary} {TOKEN} --cache-dir cache");
        let mut command = Command::new("sh");
        command.args(["-c", &line.replace("{url}", world.server.url())]);
        let ran = Ran::of(
            command
                .current_dir(world.directory.path())
                .output()
                .unwrap(),
        );
        assert_eq!((ran.status, ran.out.lines().count()), (0, 1), "{ran:?}");
        assert!(
            ran.err
                .starts_with("jwt-bearer: cache: save failed: File too large"),
            "{ran:?}"
        );
        let left = fs::read_dir(world.directory.path().join("cache")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert!(
            left.into_iter().all(|name| name.ends_with(".lock")),
            "half a token is left"
        );
    }

    #[test]
    fn a_corrupt_token_is_replaced() {
        let world = World::new();
        world.gets(&format!("{TOKEN} --cache-dir cache"));
        let entries = fs::read_dir(world.directory.path().join("cache")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let token = paths
            .into_iter()
            .find(|path| path.extension() == Some(OsStr::new("token")));
        for corrupt in [&b""[..], b"{", &[0xff; 4096], &vec![b'['; 1 << 20]] {
            fs::write(token.as_ref().unwrap(), corrupt).unwrap();
            let requests = world.server.requests();
            world.gets(&format!("{TOKEN} --cache-dir cache"));
            world.gets(&format!("{TOKEN} --cache-dir cache"));
            assert_eq!(world.server.requests(), requests + 1);
        }
    }
}
