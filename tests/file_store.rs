//! [`FileStore`]: ownership and modes of its files, locks between processes, and what remains after a crash.
#![cfg(all(feature = "file-store", any(unix, windows)))]

#[cfg(unix)]
use std::fs::Permissions;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
#[cfg(windows)]
use std::os::windows::fs::{OpenOptionsExt as _, symlink_dir, symlink_file};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{FileStore, TokenStore as _};

const NAME: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const TIME: Duration = Duration::from_secs(1);
/// The user `nobody`, who owns no files.
#[cfg(unix)]
const NOBODY: u32 = 65534;

/// A store in a temporary directory.
struct Fixture {
    parent: tempfile::TempDir,
    store: FileStore,
}

impl Fixture {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let store = FileStore::new(parent.path().join("tokens")).unwrap();
        Self { parent, store }
    }
    fn directory(&self) -> PathBuf {
        self.parent.path().join("tokens")
    }
    fn path(&self, kind: &str) -> PathBuf {
        self.directory().join(format!("{NAME}.{kind}"))
    }
    /// Creates a file of this store. `digits` are two digits that fill its name.
    fn create(&self, digits: &str, kind: &str, age: u64) {
        let name = format!("{}.{kind}", digits.repeat(32));
        let path = self.directory().join(name);
        fs::write(&path, "").unwrap();
        #[cfg(unix)]
        set_mode(&path, 0o600);
        self.age(digits, kind, age);
    }
    /// Sets how many seconds ago a file was modified.
    fn age(&self, digits: &str, kind: &str, age: u64) {
        let name = format!("{}.{kind}", digits.repeat(32));
        let file = File::options()
            .write(true)
            .open(self.directory().join(name));
        let then = SystemTime::now() - Duration::from_secs(age);
        file.unwrap().set_modified(then).unwrap();
    }
    fn save_for(&self, lifetime: Duration) {
        self.store.save(NAME, b"token", lifetime, TIME).unwrap();
    }
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory()).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<_> = entries.map(|entry| name(entry).unwrap()).collect();
        names.sort();
        names
    }
    #[track_caller]
    fn save(&self, bytes: &[u8]) {
        self.store.save(NAME, bytes, TIME, TIME).unwrap();
    }
    #[track_caller]
    fn assert_loads(&self, bytes: &[u8]) {
        let loaded = self.store.load(NAME, TIME).unwrap();
        assert_eq!(loaded.as_deref(), Some(bytes));
    }
    #[track_caller]
    fn assert_load_fails(&self, why: &str) {
        let error = self.store.load(NAME, TIME).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}
#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
#[cfg(unix)]
fn is_root() -> bool {
    let own = tempfile::tempfile().unwrap();
    own.metadata().unwrap().uid() == 0
}

#[cfg(unix)]
#[test]
fn directory_and_files_are_created_for_their_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let deep = parent.path().join("a/b/tokens");
    let store = FileStore::new(&deep).unwrap();
    store.save(NAME, b"token", TIME, TIME).unwrap();
    let _lock = store.try_lock(NAME, TIME).unwrap().unwrap();
    assert_eq!(mode(&deep), 0o700);
    assert_eq!(mode(&deep.join(format!("{NAME}.token"))), 0o600);
    assert_eq!(mode(&deep.join(format!("{NAME}.lock"))), 0o600);
    assert_eq!(mode(&parent.path().join("a")), 0o700);
}

#[test]
fn load_returns_the_bytes_that_were_saved_last() {
    let fixture = Fixture::new();
    assert!(fixture.store.load(NAME, TIME).unwrap().is_none());
    fixture.save(b"one");
    fixture.save(b"another");
    fixture.assert_loads(b"another");
    assert!(fixture.store.load(OTHER, TIME).unwrap().is_none());
    assert_eq!(fixture.files(), [format!("{NAME}.token")]);
}

#[test]
fn remove_deletes_exactly_these_bytes_and_keeps_newer_ones() {
    let fixture = Fixture::new();
    fixture.store.remove(NAME, b"none is there", TIME).unwrap();
    fixture.save(b"newer");
    fixture.store.remove(NAME, b"older", TIME).unwrap();
    fixture.assert_loads(b"newer");
    fixture.store.remove(NAME, b"newer", TIME).unwrap();
    assert_eq!(fixture.files(), [""; 0]);
}

#[test]
fn remove_keeps_what_it_cannot_read_in_its_place() {
    let fixture = Fixture::new();
    fixture.save(b"token"); // creates the directory
    fs::remove_file(fixture.path("token")).unwrap();
    fs::create_dir(fixture.path("token")).unwrap();
    fixture.store.remove(NAME, b"token", TIME).unwrap_err();
    assert_eq!(fixture.files(), [format!("{NAME}.token")]);
}

/// As on FAT, which has no hard links at all; ext4 refuses more than 65,000 links to the same file.
#[cfg(target_os = "linux")]
#[test]
fn remove_keeps_newer_token_where_hard_links_are_refused() {
    let fixture = Fixture::new();
    fixture.save(b"newer");
    let links = fixture.parent.path().join("links");
    fs::create_dir(&links).unwrap();
    let link = |n: u32| fs::hard_link(fixture.path("token"), links.join(n.to_string()));
    if (0..65_000).all(|n| link(n).is_ok()) {
        println!("skipped: this file system allows more links");
        return;
    }
    fixture.store.remove(NAME, b"older", TIME).unwrap();
    fixture.assert_loads(b"newer");
    assert_eq!(fixture.files(), [format!("{NAME}.token")]);
    fixture.store.remove(NAME, b"newer", TIME).unwrap();
    assert_eq!(fixture.files(), [""; 0]);
}

#[test]
fn lock_excludes_others_until_it_is_dropped() {
    let fixture = Fixture::new();
    let other = FileStore::new(fixture.directory()).unwrap();
    let lock = fixture.store.try_lock(NAME, TIME).unwrap();
    assert!(lock.is_some());
    assert!(other.try_lock(NAME, TIME).unwrap().is_none());
    assert!(other.try_lock(OTHER, TIME).unwrap().is_some());
    drop(lock);
    assert!(other.try_lock(NAME, TIME).unwrap().is_some());
}

/// The environment variable that tells the child process what to do.
const TASK: &str = "FILE_STORE_TASK";
fn child_command(task: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_process", "--nocapture"]);
    command.env(TASK, task).env("FILE_STORE", directory);
    command
}
fn spawn_child(task: &str, directory: &Path) -> Child {
    child_command(task, directory)
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}
/// Waits until the child process prints `word`.
fn wait_for_output(child: &mut Child, word: &str) {
    let mut output = String::new();
    let mut out = child.stdout.take().unwrap();
    while !output.contains(word) {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended after {output:?}");
        output.push(char::from(byte[0]));
    }
}

/// Runs in the child process. Without the variable it does nothing.
#[test]
fn child_process() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let directory = std::env::var("FILE_STORE").unwrap();
    if task == "chdir" {
        std::env::set_current_dir(&directory).unwrap();
        let store = FileStore::new("tokens").unwrap();
        fs::create_dir("elsewhere").unwrap();
        std::env::set_current_dir("elsewhere").unwrap();
        return store.save(NAME, b"token", TIME, TIME).unwrap();
    }
    let store = FileStore::new(directory).unwrap();
    match task.as_str() {
        "save once" => {
            let minute = Duration::from_secs(60);
            store.save(NAME, b"token", minute, TIME).unwrap();
        }
        "lock" => {
            let _lock = store.try_lock(NAME, TIME).unwrap().unwrap();
            println!("locked");
            io::stdout().flush().unwrap();
            let _ = io::stdin().read(&mut [0]);
        }
        "save" => {
            println!("saving");
            loop {
                store.save(NAME, &[b'x'; 100_000], TIME, TIME).unwrap();
            }
        }
        other => panic!("{other}"),
    }
}

#[test]
fn lock_of_a_killed_process_is_free() {
    let fixture = Fixture::new();
    let mut owner = spawn_child("lock", &fixture.directory());
    wait_for_output(&mut owner, "locked");
    assert!(fixture.store.try_lock(NAME, TIME).unwrap().is_none());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(fixture.store.try_lock(NAME, TIME).unwrap().is_some());
}

#[test]
fn killed_writer_leaves_a_complete_token() {
    let fixture = Fixture::new();
    let mut was_saved = false;
    for n in 0..10 {
        let mut writer = spawn_child("save", &fixture.directory());
        wait_for_output(&mut writer, "saving");
        thread::sleep(Duration::from_millis(5 + 2 * n));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let loaded = fixture.store.load(NAME, TIME).unwrap();
        was_saved |= loaded.is_some();
        assert!(loaded.is_none_or(|bytes| bytes == [b'x'; 100_000]));
    }
    assert!(was_saved, "no child saved a token");
    fixture.save(b"after all");
    fixture.assert_loads(b"after all");
    fixture.store.clear().unwrap();
    assert_eq!(
        fixture.files(),
        [""; 0],
        "their temporary files are removed too"
    );
}

#[test]
fn concurrent_load_never_sees_a_partial_token() {
    let fixture = Fixture::new();
    let until = Instant::now() + Duration::from_millis(300);
    thread::scope(|threads| {
        for byte in b'a'..b'e' {
            let store = &fixture.store;
            threads.spawn(move || {
                while Instant::now() < until {
                    store.save(NAME, &vec![byte; 50_000], TIME, TIME).unwrap();
                    let loaded = store.load(NAME, TIME).unwrap();
                    assert!(
                        loaded.is_none_or(|all| all.len() == 50_000 && all == vec![all[0]; 50_000])
                    );
                    store.remove(NAME, &vec![byte; 50_000], TIME).unwrap();
                }
            });
        }
    });
}

/// As `fsGroup` of Kubernetes, `StateDirectory` of systemd and a umask do.
#[cfg(unix)]
#[test]
fn directory_of_tokens_alone_is_closed_when_others_can_access_it() {
    for open in [0o755, 0o770, 0o707, 0o720, 0o777, 0o2770] {
        let fixture = Fixture::new();
        set_mode(&fixture.directory(), open);
        FileStore::new(fixture.directory()).unwrap();
        assert_eq!(mode(&fixture.directory()), 0o700, "{open:o}, empty");

        fixture.save(b"token");
        drop(fixture.store.try_lock(NAME, TIME).unwrap());
        let temporary = format!("{NAME}.0123456789abcdef0123456789abcdef.tmp");
        fs::write(fixture.directory().join(temporary), "").unwrap();
        set_mode(&fixture.directory(), open); // while the store is in use
        fixture.assert_loads(b"token");
        assert_eq!(mode(&fixture.directory()), 0o700, "{open:o}, with tokens");
    }
}

#[cfg(unix)]
#[test]
fn directory_with_other_files_is_refused_when_others_can_access_it() {
    for open in [0o755, 0o704, 0o770, 0o707, 0o720, 0o777] {
        let fixture = Fixture::new();
        fixture.save(b"token");
        fs::write(fixture.directory().join("notes.token"), "").unwrap();
        set_mode(&fixture.directory(), open);
        let expected = "the directory of the tokens is open to others and not for tokens alone: \
            give one of its own, or chmod 700 this one";
        fixture.assert_load_fails(expected); // while the store is in use
        assert!(fixture.store.save(NAME, b"token", TIME, TIME).is_err());
        assert!(fixture.store.clear().is_err());
        let error = FileStore::new(fixture.directory()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(mode(&fixture.directory()), open, "the mode stays");
    }
    let fixture = Fixture::new();
    fs::write(fixture.directory().join("notes"), "").unwrap();
    set_mode(&fixture.directory(), 0o711); // others can neither list it nor write to it
    FileStore::new(fixture.directory()).unwrap();
}

/// `/var/tmp`, which is root's, is such a directory, and often empty.
#[cfg(unix)]
#[test]
fn directory_with_a_sticky_bit_keeps_its_mode_and_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    set_mode(parent.path(), 0o1777);
    assert!(FileStore::new(parent.path()).is_err());
    assert_eq!(mode(parent.path()), 0o1777);
}

#[test]
fn relative_directory_stays_where_it_was_after_chdir() {
    let parent = tempfile::tempdir().unwrap();
    let mut child = spawn_child("chdir", parent.path());
    assert!(child.wait().unwrap().success());
    let file = parent.path().join(format!("tokens/{NAME}.token"));
    assert_eq!(fs::read(file).unwrap(), b"token");
    assert!(!parent.path().join("elsewhere/tokens").exists());
}

#[cfg(unix)]
#[test]
fn directory_of_another_user_is_refused() {
    let foreign = match is_root() {
        true => {
            let parent = tempfile::tempdir().unwrap().keep();
            chown(&parent, Some(NOBODY), None).unwrap();
            parent
        }
        false => PathBuf::from("/usr"),
    };
    let error = FileStore::new(&foreign).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory of the tokens belongs to another user: give one of your own"
    );
    if is_root() {
        fs::remove_dir(foreign).unwrap();
    }
}

#[test]
fn directory_that_is_a_file_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    File::create(&file).unwrap();
    let error = FileStore::new(file).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory of the tokens is not a directory"
    );
}

/// As systemd makes it with `DynamicUser`, or a user whose cache is on another disk.
#[cfg(unix)]
#[test]
fn directory_behind_a_link_of_its_owner_is_used() {
    let fixture = Fixture::new();
    fixture.save(b"token");
    let link = |name: &str, target: &Path| {
        let link = fixture.parent.path().join(name);
        symlink(target, &link).unwrap();
        link
    };
    let absolute = link("absolute", &fixture.directory());
    let relative = link("relative", Path::new("tokens"));
    let twice = link("twice", &relative);
    for link in [absolute, relative.clone(), twice] {
        for path in [link.clone(), format!("{}/", link.display()).into()] {
            let store = FileStore::new(path).unwrap();
            let loaded = store.load(NAME, TIME).unwrap();
            assert_eq!(loaded.as_deref(), Some(&b"token"[..]), "{link:?}");
        }
    }
    set_mode(&fixture.directory(), 0o777);
    FileStore::new(relative).unwrap();
    assert_eq!(mode(&fixture.directory()), 0o700);

    let absent = fixture.parent.path().join("absent");
    FileStore::new(link("dangling", &absent)).unwrap();
    assert_eq!(mode(&absent), 0o700);
}

#[cfg(unix)]
#[test]
fn directory_behind_a_loop_of_links_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let link = parent.path().join("link");
    symlink(&link, &link).unwrap();
    let error = FileStore::new(link).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory of the tokens is behind too many links"
    );
}

#[cfg(unix)]
#[test]
#[ignore = "needs root, to be two users: .ci/run runs it"]
fn directory_behind_a_link_of_another_user_is_refused() {
    assert!(is_root(), "run this as root");
    let fixture = Fixture::new();
    let link = |name: &str, target: &str, owner: u32| {
        let link = fixture.parent.path().join(name);
        symlink(target, &link).unwrap();
        lchown(&link, Some(owner), None).unwrap();
        link
    };
    let theirs = link("theirs", "tokens", NOBODY);
    let through_theirs = link("through", "theirs", 0);
    let with_slash = format!("{}/", theirs.display()).into();
    for path in [theirs, through_theirs, with_slash] {
        let error = FileStore::new(path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the directory of the tokens is a link of another user: give one of your own"
        );
    }
}

#[cfg(unix)]
#[test]
fn link_in_place_of_a_token_or_lock_is_not_followed() {
    let fixture = Fixture::new();
    let victim = fixture.parent.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, fixture.path("token")).unwrap();
    symlink(&victim, fixture.path("lock")).unwrap();
    fixture.assert_load_fails("a token's file is a link");
    assert!(fixture.store.try_lock(NAME, TIME).is_err());
    fixture.save(b"token"); // replaces the link
    fixture.assert_loads(b"token");
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[cfg(unix)]
#[test]
fn pipe_or_directory_in_place_of_a_token_is_refused_without_blocking() {
    let fixture = Fixture::new();
    let path = fixture.path("token");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let begun = Instant::now();
    fixture.assert_load_fails("a token's file is not a regular file");
    assert!(begun.elapsed() < Duration::from_secs(1));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fixture.assert_load_fails("a token's file is not a regular file");
}

#[cfg(unix)]
#[test]
fn token_file_that_others_can_access_or_own_is_refused() {
    let fixture = Fixture::new();
    for open in [0o640, 0o604, 0o620, 0o666] {
        fixture.save(b"token");
        set_mode(&fixture.path("token"), open);
        fixture.assert_load_fails("a token's file is open to others");
    }
    if is_root() {
        fixture.save(b"token");
        chown(fixture.path("token"), Some(NOBODY), None).unwrap();
        fixture.assert_load_fails("a token's file belongs to another user");
    }
}

#[cfg(unix)]
#[test]
fn load_reads_one_byte_more_than_the_limit_of_a_huge_file() {
    let fixture = Fixture::new();
    fixture.save(b"token");
    let file = File::options()
        .write(true)
        .open(fixture.path("token"))
        .unwrap();
    file.set_len(1 << 40).unwrap(); // a sparse terabyte
    let loaded = fixture.store.load(NAME, TIME).unwrap().unwrap();
    assert_eq!(loaded.len(), 1024 * 1024 + 1);
}

#[test]
fn deleted_directory_is_created_again() {
    let fixture = Fixture::new();
    fixture.save(b"token");
    fs::remove_dir_all(fixture.directory()).unwrap();
    assert!(fixture.store.load(NAME, TIME).unwrap().is_none());
    fixture.save(b"token");
    fixture.assert_loads(b"token");
    #[cfg(unix)]
    assert_eq!(mode(&fixture.directory()), 0o700);
}

#[test]
fn clear_counts_tokens_and_keeps_taken_locks_and_foreign_files() {
    let fixture = Fixture::new();
    fixture.save(b"token");
    fixture.store.save(OTHER, b"token", TIME, TIME).unwrap();
    let lock = fixture.store.try_lock(NAME, TIME).unwrap();
    let others = ["notes.token", "README", "0011.lock", "x.tmp"];
    for name in others {
        fs::write(fixture.directory().join(name), "").unwrap();
    }
    assert_eq!(fixture.store.clear().unwrap(), 2);
    assert!(
        fixture.store.try_lock(NAME, TIME).unwrap().is_none(),
        "the lock is still taken"
    );
    drop(lock);
    let mut left = others.map(str::to_owned).to_vec();
    left.push(format!("{NAME}.lock"));
    left.sort();
    assert_eq!(fixture.files(), left);
    assert_eq!(fixture.store.clear().unwrap(), 0);
    left.retain(|name| !name.starts_with(NAME));
    assert_eq!(fixture.files(), left, "the lock is free now");
}

#[test]
fn clear_continues_past_an_error_and_names_the_file() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.directory().join(format!("{OTHER}.token"))).unwrap();
    fixture.save(b"token");
    let error = fixture.store.clear().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{OTHER}.token: ")), "{error}");
    assert_eq!(fixture.files(), [format!("{OTHER}.token")]);
}

#[test]
fn save_sweeps_expired_tokens_and_old_temporary_files() {
    let fixture = Fixture::new();
    let old = |name: &str, seconds: u64| {
        let path = fixture.directory().join(name);
        let file = File::create(&path).unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    };
    let digits = "0123456789abcdef0123456789abcdef";
    old(&format!("{OTHER}.token"), 2);
    old(&format!("{OTHER}.{digits}.tmp"), 70);
    old(&format!("{NAME}.{digits}.tmp"), 10); // its writer may still run
    old("notes.token", 70);
    fixture
        .store
        .save(NAME, b"token", Duration::from_secs(60), TIME)
        .unwrap();
    let left = [
        format!("{NAME}.{digits}.tmp"),
        format!("{NAME}.token"),
        "notes.token".to_owned(),
    ];
    assert_eq!(fixture.files(), left);
    fixture.assert_loads(b"token");
}

/// `~/.cache` may be a link to a disk that is not mounted.
#[cfg(unix)]
#[test]
fn directory_that_cannot_be_created_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    symlink(parent.path().join("absent"), parent.path().join("cache")).unwrap();
    for directory in [
        parent.path().join("cache/tokens"),
        "/proc/absent/tokens".into(),
    ] {
        assert!(FileStore::new(directory).is_err());
    }
}

/// As CIFS, mountpoint-s3 and some FUSE file systems do. The C library, which sets times for the standard library, is
/// replaced. That fails for a static program, which contains its own, and for one of another architecture.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
#[test]
fn token_is_saved_and_kept_where_file_times_are_refused() {
    let fixture = Fixture::new();
    let source = "#include <errno.h>\n#include <time.h>\n\
        int futimens(int f, const struct timespec t[2]) { (void)f; (void)t; errno = EPERM; return -1; }\n";
    let (code, library) = (
        fixture.parent.path().join("times.c"),
        fixture.parent.path().join("times.so"),
    );
    fs::write(&code, source).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&code);
    assert!(compiler.status().unwrap().success());

    // Two tokens, the first from an earlier run: nobody can say whether it has expired.
    let day = 24 * 3600;
    fixture.create("fe", "token", 30 * day);
    fixture.create("ff", "token", 32 * day); // no token lives so long
    let mut command = child_command("save once", &fixture.directory());
    let status = command.env("LD_PRELOAD", &library).status().unwrap();
    assert!(status.success());
    fixture.assert_loads(b"token");
    assert_eq!(
        fixture.files(),
        [
            format!("{NAME}.token"),
            format!("{}.token", "fe".repeat(32))
        ]
    );
    let modified = fs::metadata(fixture.path("token")).unwrap().modified();
    let end = SystemTime::now() + Duration::from_secs(60);
    assert!(modified.unwrap() < end, "times were refused");
}

#[test]
fn save_sweeps_free_locks_without_a_token() {
    let fixture = Fixture::new();
    let minute = Duration::from_secs(60);
    let with_token = "fc".repeat(32);
    fixture
        .store
        .save(&with_token, b"token", minute, TIME)
        .unwrap();
    fixture.create("fa", "lock", 70);
    fixture.create("fb", "lock", 10); // its process may still fetch
    fixture.create("fc", "lock", 70);
    let taken = "fd".repeat(32);
    fixture.create("fd", "lock", 70);
    let lock = fixture.store.try_lock(&taken, TIME).unwrap().unwrap();
    fixture.create("fe", "lock", 70);
    fixture.create("fe", "token", 2); // it has expired
    fixture.save_for(minute);
    assert_eq!(
        fixture.files(),
        [
            format!("{NAME}.token"),
            format!("{}.lock", "fb".repeat(32)),
            format!("{}.lock", "fc".repeat(32)),
            format!("{}.token", "fc".repeat(32)),
            format!("{taken}.lock"),
        ]
    );
    assert!(fixture.store.try_lock(&taken, TIME).unwrap().is_none());
    drop(lock);
    fixture.save_for(minute);
    assert!(!fixture.files().contains(&format!("{taken}.lock")));
}

#[test]
fn lock_excludes_others_while_lock_files_are_deleted() {
    const LOCKS: usize = 500;
    let fixture = Fixture::new();
    let limit = Instant::now() + Duration::from_secs(30);
    let (holders, locked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let goes_on = || locked.load(SeqCst) < LOCKS && Instant::now() < limit;
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while goes_on() {
                    if let Some(lock) = fixture.store.try_lock(NAME, TIME).unwrap() {
                        assert_eq!(holders.fetch_add(1, SeqCst), 0, "two holders of one lock");
                        thread::yield_now();
                        holders.fetch_sub(1, SeqCst);
                        locked.fetch_add(1, SeqCst);
                        drop(lock);
                    }
                }
            });
        }
        for _ in 0..2 {
            threads.spawn(|| {
                while goes_on() {
                    fixture.store.clear().unwrap();
                    thread::sleep(Duration::from_micros(100));
                }
            });
        }
    });
    assert!(locked.into_inner() >= LOCKS);
}

#[cfg(unix)]
#[test]
fn lock_file_that_others_can_open_is_closed_to_them() {
    let fixture = Fixture::new();
    drop(fixture.store.try_lock(NAME, TIME).unwrap());
    set_mode(&fixture.path("lock"), 0o660); // as `fsGroup` does
    let lock = fixture.store.try_lock(NAME, TIME).unwrap();
    assert!(lock.is_some());
    assert_eq!(mode(&fixture.path("lock")), 0o600);
}

#[cfg(unix)]
#[test]
#[ignore = "needs root, to be two users: .ci/run runs it"]
fn files_of_another_user_are_deleted_when_the_directory_is_closed() {
    assert!(is_root(), "run this as root");
    let fixture = Fixture::new();
    fixture.save(b"token");
    for kind in ["token", "lock"] {
        fixture.create("fa", kind, 0);
        let path = fixture
            .directory()
            .join(format!("{}.{kind}", "fa".repeat(32)));
        chown(path, Some(NOBODY), None).unwrap();
    }
    let other = "fa".repeat(32);
    let error = fixture.store.try_lock(&other, TIME).err().unwrap();
    assert_eq!(error.to_string(), "a token's lock belongs to another user");
    set_mode(&fixture.directory(), 0o770); // it was open when they made the files
    let lock = fixture.store.try_lock(&other, TIME).unwrap();
    assert!(lock.is_some());
    assert!(fixture.store.load(&other, TIME).unwrap().is_none());
    fixture.assert_loads(b"token");
}

/// Runs programs as another user on a store that belongs to root.
#[cfg(unix)]
#[test]
#[ignore = "needs root, to be two users: .ci/run runs it"]
fn another_user_can_neither_read_nor_plant_tokens() {
    assert!(is_root(), "run this as root");
    let fixture = Fixture::new();
    set_mode(fixture.parent.path(), 0o755);
    fixture.save(b"token of root");
    let as_nobody = |program: &str, arguments: &[&Path]| {
        let mut command = Command::new(program);
        command
            .uid(NOBODY)
            .gid(NOBODY)
            .args(arguments)
            .current_dir("/");
        command.output().unwrap()
    };
    let file = fixture.path("token");
    for (program, arguments) in [
        ("ls", vec![fixture.directory()]),
        ("cat", vec![file.clone()]),
        ("rm", vec!["-f".into(), file.clone()]),
        ("touch", vec![fixture.path("lock")]),
    ] {
        let arguments: Vec<_> = arguments.iter().map(PathBuf::as_path).collect();
        let output = as_nobody(program, &arguments);
        assert!(!output.status.success(), "{program}");
        assert!(
            !String::from_utf8_lossy(&output.stdout).contains("token"),
            "{program}"
        );
    }
    fixture.assert_loads(b"token of root");
}

#[cfg(windows)]
mod windows {
    use super::*;

    /// Creating a link needs a right that not every user has. wine reports success and creates no link.
    fn is_link(linked: io::Result<()>, path: &Path) -> bool {
        let is_link = linked.is_ok() && path.is_symlink();
        if !is_link {
            println!("skipped: no link can be created");
        }
        is_link
    }

    #[test]
    fn directory_that_is_a_link_is_refused() {
        let fixture = Fixture::new();
        let link = fixture.parent.path().join("link");
        if is_link(symlink_dir(fixture.directory(), &link), &link) {
            let error = FileStore::new(link).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the directory of the tokens is a link or a junction: give the directory itself"
            );
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn link_in_place_of_a_token_or_lock_is_not_followed() {
        let fixture = Fixture::new();
        let victim = fixture.parent.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let token = fixture.path("token");
        if is_link(symlink_file(&victim, &token), &token) {
            symlink_file(&victim, fixture.path("lock")).unwrap();
            fixture.assert_load_fails("a token's file is a link");
            assert!(fixture.store.try_lock(NAME, TIME).is_err());
            fixture.save(b"token"); // replaces the link
            fixture.assert_loads(b"token");
            assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
        }
    }

    #[test]
    fn directory_in_place_of_a_token_is_refused() {
        let fixture = Fixture::new();
        fs::create_dir(fixture.path("token")).unwrap();
        fixture.assert_load_fails("a token's file is not a regular file");
    }

    /// As a virus scanner opens a new file.
    #[test]
    fn file_that_another_program_has_open_is_tried_again() {
        let fixture = Fixture::new();
        fixture.save(b"old");
        let scanned = File::options()
            .read(true)
            .share_mode(0)
            .open(fixture.path("token"))
            .unwrap();
        thread::scope(|threads| {
            threads.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                drop(scanned);
            });
            fixture.save(b"new");
        });
        fixture.assert_loads(b"new");
        assert_eq!(fixture.files(), [format!("{NAME}.token")]);
    }

    #[test]
    fn directory_stays_in_its_place_while_it_is_in_use() {
        let fixture = Fixture::new();
        let handle = File::options()
            .read(true)
            .share_mode(3) // FILE_SHARE_READ | FILE_SHARE_WRITE, as the store opens it
            .custom_flags(0x0200_0000) // FILE_FLAG_BACKUP_SEMANTICS
            .open(fixture.directory())
            .unwrap();
        fixture.save(b"token");
        let elsewhere = fixture.parent.path().join("elsewhere");
        fs::rename(fixture.directory(), elsewhere).unwrap_err();
        drop(handle);
        fixture.assert_loads(b"token");
    }
}
