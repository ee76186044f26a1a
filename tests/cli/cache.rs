//! `--cache`, `--refresh`, `--min-lifetime` and `forget`.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
#[cfg(unix)]
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
fn verbose_hides_stored_tokens_that_server_repeats() {
    let fixture = Fixture::new();
    let (access, refresh) = ("stored-access-token", "stored-refresh-token");
    let issues =
        format!(r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":60}}"#);
    let server = FixedServer::json("200 OK", "", &issues);
    let token = TOKEN.replace("{url}/token", &server.url());
    fixture.fetch(&format!("{token} --cache"));
    let refuses =
        format!(r#"{{"error":"no","error_description":"{access} and {refresh} are old"}}"#);
    *server.response.lock().unwrap() = FixedServer::response("401 No", "", &refuses);
    let outcome = fixture.cached_command(&format!("{token} --cache --min-lifetime 90 -v"));
    let outcome = Outcome::of({ outcome }.output().unwrap());
    let shown = outcome
        .err
        .lines()
        .find(|line| line.starts_with("response"));
    let wanted = r#"response  401 {"error":"no","error_description":"..."}"#;
    assert_eq!(shown, Some(wanted), "{outcome:?}");
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
    let forget = |arguments: &str| Outcome::of(fixture.cached_command(arguments).output().unwrap());
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
fn cache_that_cannot_be_opened_warns_and_prints_token() {
    let fixture = Fixture::new();
    for (directory, name) in [
        ("key.pem", "key.pem"),
        ("key.pem/below", "the directory cannot be made or opened"),
        (
            "/proc/hunter2/below",
            "the directory cannot be made or opened",
        ),
    ] {
        let outcome = fixture.run(&format!("{TOKEN} --cache-dir {directory}"));
        assert_eq!(
            (outcome.status, outcome.out.lines().count()),
            (0, 1),
            "{outcome:?}"
        );
        let start = format!("jwt-bearer: cache: {name}: ");
        assert!(outcome.err.starts_with(&start), "{outcome:?}");
        assert!(
            outcome.err.ends_with("; the token is not shared\n"),
            "{outcome:?}"
        );
        assert_eq!(outcome.err.lines().count(), 1, "{outcome:?}");
        assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
    }
    let outcome = fixture.run("forget --cache-dir key.pem");
    assert_eq!(outcome.status, 3, "{outcome:?}");
}

#[cfg(unix)]
#[test]
fn cache_directory_that_others_can_write_is_closed_to_them() {
    let fixture = Fixture::new();
    let open = fixture.directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let first = fixture.fetch(&format!("{TOKEN} --cache-dir open"));
    assert_eq!(fixture.fetch(&format!("{TOKEN} --cache-dir open")), first);
    let mode = fs::metadata(&open).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[cfg(unix)]
#[test]
fn cache_without_home_warns_and_prints_token() {
    let fixture = Fixture::new();
    let mut command = fixture.command(&format!("{TOKEN} --cache"));
    command
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", "/proc/nowhere");
    let outcome = Outcome::of(command.output().unwrap());
    assert_eq!(
        (outcome.status, outcome.out.lines().count()),
        (0, 1),
        "{outcome:?}"
    );
    assert!(
        outcome.err.starts_with("jwt-bearer: cache: "),
        "{outcome:?}"
    );
}

#[test]
fn refresh_replaces_the_token_of_one_identity() {
    let fixture = Fixture::new();
    let first = fixture.fetch(&format!("{TOKEN} --cache"));
    let other = fixture.fetch(&format!("{TOKEN} --cache --scope read"));
    let second = fixture.fetch(&format!("{TOKEN} --cache --refresh"));
    assert_ne!(second, first);
    assert_eq!(fixture.fetch(&format!("{TOKEN} --cache")), second);
    assert_eq!(
        fixture.fetch(&format!("{TOKEN} --cache --scope read")),
        other
    );
    assert_eq!(fixture.server.requests(), 3);
    // Without a token in the cache, and without a cache, one request is enough.
    fixture.fetch(&format!("{TOKEN} --cache-dir elsewhere --refresh"));
    fixture.fetch(&format!("{TOKEN} --refresh"));
    assert_eq!(fixture.server.requests(), 5);
}

#[test]
fn min_lifetime_replaces_a_token_that_expires_sooner() {
    let fixture = Fixture::new();
    let first = fixture.fetch(&format!("{TOKEN} --cache"));
    assert_eq!(
        fixture.fetch(&format!("{TOKEN} --cache --min-lifetime 200")),
        first
    );
    fixture.server.set_lifetime(Duration::from_secs(600));
    let second = fixture.fetch(&format!("{TOKEN} --cache --min-lifetime 500"));
    assert_ne!(second, first);
    assert_eq!(fixture.fetch(&format!("{TOKEN} --cache")), second);
    assert_eq!(fixture.server.requests(), 2);
    // The server's tokens may all be shorter.
    let outcome = fixture.cached_command(&format!("{TOKEN} --cache --min-lifetime 900"));
    let outcome = Outcome::of({ outcome }.output().unwrap());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let warning = "less than --min-lifetime asks for\n";
    assert!(outcome.err.ends_with(warning), "{outcome:?}");
}

#[test]
fn forget_with_profile_removes_the_token_of_one_identity() {
    let fixture = Fixture::new();
    let first = fixture.fetch(&format!("{TOKEN} --cache"));
    let other = fixture.fetch(&format!("{TOKEN} --cache --scope read"));
    let profile = TOKEN.strip_prefix("token ").unwrap();
    let forget = |arguments: &str| {
        let mut command = fixture.cached_command(&format!("forget {arguments}"));
        let outcome = Outcome::of(command.output().unwrap());
        assert_eq!(
            (outcome.status, outcome.out.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        outcome.err
    };
    assert_eq!(
        forget(&format!("{profile} --key-id k1")),
        "0 tokens removed\n"
    );
    assert_eq!(forget(profile), "1 token removed\n");
    assert_eq!(forget(profile), "0 tokens removed\n");
    assert_eq!(fixture.server.requests(), 2, "nothing is sent");
    assert_eq!(
        fixture.fetch(&format!("{TOKEN} --cache --scope read")),
        other
    );
    assert_ne!(fixture.fetch(&format!("{TOKEN} --cache")), first);
    assert_eq!(fixture.server.requests(), 3);
}

#[cfg(unix)]
#[test]
fn forget_with_profile_neither_signs_nor_waits_and_removes_whatever_is_stored() {
    let fixture = Fixture::new();
    let profile = TOKEN.strip_prefix("token ").unwrap();
    let forget = || {
        let mut command = fixture.cached_command(&format!("forget {profile}"));
        Outcome::of(command.output().unwrap()).err
    };
    let path = |extension: &str| {
        let entries = fs::read_dir(fixture.directory.path().join("cache/jwt-bearer"));
        let mut paths = entries.unwrap().map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension() == Some(OsStr::new(extension)))
    };
    fixture.fetch(&format!("{TOKEN} --cache"));
    fs::write(path("token").unwrap(), "not a token").unwrap();
    assert_eq!(forget(), "1 token removed\n");
    assert_eq!(path("token"), None);

    fixture.server.set_lifetime(Duration::from_secs(1));
    fixture.fetch(&format!("{TOKEN} --cache"));
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(forget(), "1 token removed\n", "an expired token");

    fixture.server.set_lifetime(Duration::from_secs(300));
    fixture.fetch(&format!("{TOKEN} --cache"));
    // Another process fetches.
    let mut command = Command::new("flock");
    command
        .arg("-F")
        .arg(path("lock").unwrap())
        .args(["sleep", "60"]);
    let mut other = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    assert_eq!(forget(), "1 token removed\n");
    assert_eq!(forget(), "0 tokens removed\n");
    assert!(begun.elapsed() < Duration::from_secs(5));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn refreshable_token_is_used_with_a_warning_while_the_server_is_down() {
    let fixture = Fixture::new();
    fixture.server.set_lifetime(Duration::from_secs(12));
    let first = fixture.fetch(&format!("{TOKEN} --cache"));
    // A token is refreshable in the last quarter of its lifetime.
    thread::sleep(Duration::from_millis(9_100));
    fixture.server.fail_next(9, Fault::Unavailable);
    let mut command = fixture.cached_command(&format!("{TOKEN} --cache"));
    let outcome = Outcome::of(command.output().unwrap());
    assert_eq!(
        (outcome.status, outcome.out.trim_end()),
        (0, first.as_str()),
        "{outcome:?}"
    );
    assert!(
        outcome
            .err
            .starts_with("jwt-bearer: the cached token is used for its last ")
    );
    assert!(outcome.err.contains("(status 503)") && outcome.err.lines().count() == 1);
}

/// `ulimit -f 0` makes every write to a file fail, as a full disk does.
#[cfg(unix)]
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
