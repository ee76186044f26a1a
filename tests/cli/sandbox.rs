//! `sandbox`: what it prints and registers, and how it ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

/// A sandbox in its own process, and what it printed.
struct Sandbox {
    child: Child,
    out: String,
    directory: PathBuf,
}

impl Sandbox {
    /// Starts a sandbox whose directory is below `parent`, in a shell that executes `before`.
    fn start_after(before: &str, parent: &Path, options: &[&str]) -> Self {
        let mut shell = binary([""; 0]);
        let program = shell.get_program().to_owned();
        shell = Command::new("sh");
        // The variables of this machine are removed for the clients that the tests start.
        let script = format!("{before} exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(program);
        shell
            .args(["sandbox", "--listen", "127.0.0.1:0"])
            .args(options);
        let mut child = spawn(shell.env("TMPDIR", parent));
        let mut out = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        while out.matches("\njwt-bearer token ").count() < 6 || !out.ends_with("\n\n") {
            let mut chunk = [0; 1024];
            let n = stdout.read(&mut chunk).unwrap();
            assert!(n > 0, "{out}");
            out += std::str::from_utf8(&chunk[..n]).unwrap();
        }
        let directory = fs::read_dir(parent)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        Self {
            child,
            out,
            directory,
        }
    }
    /// Starts a sandbox. A test run in the background of a script ignores SIGINT, which a sandbox would honour.
    fn start(parent: &Path, options: &[&str]) -> Self {
        let has_env = Command::new("env")
            .args(["--default-signal=INT,HUP", "true"])
            .output();
        let before = match has_env.is_ok_and(|env| env.status.success()) {
            true => "set -- --default-signal=INT,HUP \"$0\" \"$@\"; exec env \"$@\";",
            false => "",
        };
        Self::start_after(before, parent, options)
    }
    fn commands(&self) -> Vec<&str> {
        let lines = self.out.lines();
        lines
            .filter(|line| line.starts_with("jwt-bearer token "))
            .collect()
    }
    /// Runs one of the printed commands as a shell does.
    fn run(&self, command: &str, options: &str) -> Outcome {
        let mut program = binary([""; 0]).get_program().to_owned();
        let arguments = command.strip_prefix("jwt-bearer").unwrap();
        program.push(arguments);
        program.push(options);
        Outcome::of(Command::new("sh").arg("-c").arg(program).output().unwrap())
    }
    fn kill(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(killed.success());
    }
    /// Returns the exit status and the log.
    fn wait(self) -> (Option<i32>, String) {
        let ended = self.child.wait_with_output().unwrap();
        assert!(!self.directory.exists());
        (
            ended.status.code(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    }
}

#[test]
fn sandbox_prints_working_commands_and_removes_directory_when_stopped() {
    for (signal, options) in [
        ("-INT", [].as_slice()),
        ("-TERM", &["--tls"]),
        ("-HUP", &[]),
    ] {
        let parent = tempfile::Builder::new()
            .prefix("a 'blank")
            .tempdir()
            .unwrap();
        let sandbox = Sandbox::start(parent.path(), options);
        let mode = fs::metadata(&sandbox.directory)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        for command in sandbox.commands() {
            sandbox.run(command, "").only_line();
        }
        sandbox.kill(signal);
        let (status, log) = sandbox.wait();
        assert_eq!(status, Some(0), "{log}");
        let tokens = log.lines();
        let tokens = tokens.filter(|line| line.contains(" 200: ") && line.contains("a token"));
        assert_eq!(tokens.count(), 6, "{log}");
    }
}

#[test]
fn sandbox_knows_more_users_scopes_and_a_lifetime() {
    let parent = tempfile::tempdir().unwrap();
    let options = "--user bob@example.com --lifetime 77 --quiet --scope";
    let mut options: Vec<_> = options.split(' ').collect();
    options.push("files:read files:write");
    let sandbox = Sandbox::start(parent.path(), &options);
    assert!(
        sandbox.out.contains("--username bob@example.com --key"),
        "{}",
        sandbox.out
    );
    assert!(
        sandbox.out.contains("--subject bob@example.com --key"),
        "{}",
        sandbox.out
    );
    for command in sandbox.commands() {
        let outcome = sandbox.run(command, " --format json");
        let token: Value = serde_json::from_str(outcome.only_line()).unwrap();
        let expires_at = Duration::from_secs(token["expires_at"].as_u64().unwrap());
        let left = (SystemTime::UNIX_EPOCH + expires_at)
            .duration_since(SystemTime::now())
            .unwrap();
        // Salesforce's response has no lifetime.
        let is_right = (60..=77).contains(&left.as_secs()) || command.contains("salesforce");
        assert!(is_right, "{outcome:?}");
    }
    // The resource accepts a token, as curl would send it.
    let resource = sandbox
        .out
        .lines()
        .find_map(|line| line.strip_prefix("a resource that accepts the tokens: "));
    let address = resource.unwrap().strip_prefix("http://").unwrap();
    let (address, path) = address.split_once('/').unwrap();
    let header = sandbox.run(sandbox.commands()[3], " --format header");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\n{}\r\n\r\n",
        header.only_line()
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    sandbox.kill("-TERM");
    assert_eq!(sandbox.wait(), (Some(0), String::new())); // --quiet: no log
}

/// openssl writes PEM with LF on Unix, and so does `key new`.
#[test]
fn keys_of_the_sandbox_have_the_line_ends_of_unix() {
    let parent = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(parent.path(), &[]);
    for name in ["key.pem", "ec.pem"] {
        let text = fs::read_to_string(sandbox.directory.join(name)).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{name}");
        assert!(!text.contains('\r'), "{name}");
    }
    sandbox.kill("-TERM");
    sandbox.wait();
}

#[test]
fn sandbox_fails_as_its_option_says() {
    for (fault, status, words) in [
        ("429", 7, "(status 429)"),
        ("503", 7, "(status 503)"),
        ("silence", 4, "no answer in time"),
        ("slow", 4, "no answer in time"),
        ("cut", 4, "the connection ended"),
        ("html", 6, "(status 200)"),
        ("503:1", 0, ""),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(parent.path(), &["--fail", fault]);
        let timeout = if status == 0 { 9 } else { 1 };
        let outcome = sandbox.run(sandbox.commands()[1], &format!(" --timeout {timeout}"));
        assert_eq!(outcome.status, status, "{fault}: {outcome:?}");
        assert!(outcome.err.contains(words), "{fault}: {outcome:?}");
        sandbox.kill("-TERM");
        sandbox.wait();
    }
    for fault in ["404", "503:", "503:x", ""] {
        let outcome = Outcome::of(binary(["sandbox", "--fail", fault]).output().unwrap());
        assert_eq!(outcome.status, 2, "{outcome:?}");
    }
}

/// As `nohup`, or `&` in a script, starts it.
#[test]
fn sandbox_honours_signals_that_were_ignored() {
    let parent = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::start_after("trap '' INT HUP;", parent.path(), &[]);
    for signal in ["-INT", "-HUP"] {
        sandbox.kill(signal);
        thread::sleep(Duration::from_millis(300));
        assert!(sandbox.child.try_wait().unwrap().is_none(), "{signal}");
    }
    sandbox.run(sandbox.commands()[1], "").only_line();
    sandbox.kill("-TERM");
    assert_eq!(sandbox.wait().0, Some(0));
}

#[test]
fn sandbox_that_cannot_print_removes_its_directory() {
    let parent = tempfile::tempdir().unwrap();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut sandbox = binary(["sandbox", "--listen", "127.0.0.1:0"]);
    let status = sandbox
        .env("TMPDIR", parent.path())
        .stdout(full)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}
