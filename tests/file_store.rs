//! Tokens in files: whose they are, who may touch them, and what is left when something goes wrong.
#![cfg(all(feature = "file-store", unix))]

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use jwt_bearer::{FileStore, TokenStore as _};

const NAME: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const TIME: Duration = Duration::from_secs(1);
/// A user who is nobody's owner.
const NOBODY: u32 = 65534;

/// A store in a directory that goes with the test.
struct World {
    above: tempfile::TempDir,
    store: FileStore,
}

impl World {
    fn new() -> Self {
        let above = tempfile::tempdir().unwrap();
        let store = FileStore::new(above.path().join("tokens")).unwrap();
        Self { above, store }
    }
    fn directory(&self) -> PathBuf {
        self.above.path().join("tokens")
    }
    fn file(&self, kind: &str) -> PathBuf {
        self.directory().join(format!("{NAME}.{kind}"))
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
    fn loads(&self, bytes: &[u8]) {
        let loaded = self.store.load(NAME, TIME).unwrap();
        assert_eq!(loaded.as_deref(), Some(bytes));
    }
    #[track_caller]
    fn load_fails(&self, why: &str) {
        let error = self.store.load(NAME, TIME).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
fn is_root() -> bool {
    let own = tempfile::tempfile().unwrap();
    own.metadata().unwrap().uid() == 0
}

#[test]
fn the_directory_and_its_files_are_closed_to_others() {
    let above = tempfile::tempdir().unwrap();
    let deep = above.path().join("a/b/tokens");
    let store = FileStore::new(&deep).unwrap();
    store.save(NAME, b"token", TIME, TIME).unwrap();
    let _lock = store.try_lock(NAME, TIME).unwrap().unwrap();
    assert_eq!(mode(&deep), 0o700);
    assert_eq!(mode(&deep.join(format!("{NAME}.token"))), 0o600);
    assert_eq!(mode(&deep.join(format!("{NAME}.lock"))), 0o600);
    assert_eq!(mode(&above.path().join("a")), 0o700);
}

#[test]
fn what_was_saved_last_is_loaded_and_nothing_else_is_left() {
    let world = World::new();
    assert!(world.store.load(NAME, TIME).unwrap().is_none());
    world.save(b"one");
    world.save(b"another");
    world.loads(b"another");
    assert!(world.store.load(OTHER, TIME).unwrap().is_none());
    assert_eq!(world.files(), [format!("{NAME}.token")]);
}

#[test]
fn removing_takes_these_very_bytes_and_leaves_newer_ones() {
    let world = World::new();
    world.store.remove(NAME, b"none is there", TIME).unwrap();
    world.save(b"newer");
    world.store.remove(NAME, b"older", TIME).unwrap();
    world.loads(b"newer");
    world.store.remove(NAME, b"newer", TIME).unwrap();
    assert_eq!(world.files(), [""; 0]);
}

#[test]
fn one_holds_the_lock_until_it_drops_it() {
    let world = World::new();
    let other = FileStore::new(world.directory()).unwrap();
    let held = world.store.try_lock(NAME, TIME).unwrap();
    assert!(held.is_some());
    assert!(other.try_lock(NAME, TIME).unwrap().is_none());
    assert!(other.try_lock(OTHER, TIME).unwrap().is_some());
    drop(held);
    assert!(other.try_lock(NAME, TIME).unwrap().is_some());
}

/// What this test binary does when it is another process.
const TASK: &str = "FILE_STORE_TASK";
fn another_process(task: &str, directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let command = command.args(["--exact", "the_other_process", "--nocapture"]);
    let command = command.env(TASK, task).env("FILE_STORE", directory);
    command
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}
/// Waits until the other process says so.
fn until(child: &mut Child, word: &str) {
    let mut said = String::new();
    let mut out = child.stdout.take().unwrap();
    while !said.contains(word) {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended after {said:?}");
        said.push(char::from(byte[0]));
    }
}

/// Does nothing in the process that is asked for all tests.
#[test]
fn the_other_process() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let store = FileStore::new(std::env::var("FILE_STORE").unwrap()).unwrap();
    match task.as_str() {
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
fn the_lock_of_a_killed_process_is_free() {
    let world = World::new();
    let mut owner = another_process("lock", &world.directory());
    until(&mut owner, "locked");
    assert!(world.store.try_lock(NAME, TIME).unwrap().is_none());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(world.store.try_lock(NAME, TIME).unwrap().is_some());
}

#[test]
fn a_writer_that_is_killed_leaves_the_token_whole() {
    let world = World::new();
    let mut seen = false;
    for n in 0..10 {
        let mut writer = another_process("save", &world.directory());
        until(&mut writer, "saving");
        thread::sleep(Duration::from_millis(5 + 2 * n));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let loaded = world.store.load(NAME, TIME).unwrap();
        seen |= loaded.is_some();
        assert!(loaded.is_none_or(|bytes| bytes == [b'x'; 100_000]));
    }
    assert!(seen, "no writer came to write");
    world.save(b"after all");
    world.loads(b"after all");
    world.store.clear().unwrap();
    assert_eq!(world.files(), [""; 0], "what they left is gone too");
}

#[test]
fn a_token_appears_whole_to_whoever_looks() {
    let world = World::new();
    let until = Instant::now() + Duration::from_millis(300);
    thread::scope(|threads| {
        for byte in b'a'..b'e' {
            let store = &world.store;
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

#[test]
fn a_directory_that_others_can_write_is_refused() {
    for open in [0o770, 0o707, 0o720, 0o777] {
        let above = tempfile::tempdir().unwrap();
        set_mode(above.path(), open);
        let error = FileStore::new(above.path()).unwrap_err();
        let said = "the directory of the tokens is open to others: give one of your own";
        assert_eq!(error.to_string(), said);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
    let world = World::new();
    world.save(b"token");
    set_mode(&world.directory(), 0o777); // opened while in use
    world.load_fails("the directory of the tokens is open to others: give one of your own");
    assert!(world.store.save(NAME, b"token", TIME, TIME).is_err());
    assert!(world.store.clear().is_err());
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let theirs = match is_root() {
        true => {
            let above = tempfile::tempdir().unwrap().keep();
            chown(&above, Some(NOBODY), None).unwrap();
            above
        }
        false => PathBuf::from("/usr"),
    };
    let error = FileStore::new(&theirs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory of the tokens belongs to another user: give one of your own"
    );
    if is_root() {
        fs::remove_dir(theirs).unwrap();
    }
}

#[test]
fn a_link_or_a_file_is_no_directory() {
    let above = tempfile::tempdir().unwrap();
    let (link, file) = (above.path().join("link"), above.path().join("file"));
    symlink(above.path(), &link).unwrap();
    File::create(&file).unwrap();
    for wrong in [link, file] {
        let error = FileStore::new(wrong).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the directory of the tokens is a link or a file"
        );
    }
}

#[test]
fn a_link_in_a_tokens_place_is_not_followed() {
    let world = World::new();
    let victim = world.above.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, world.file("token")).unwrap();
    symlink(&victim, world.file("lock")).unwrap();
    world.load_fails("a token's file is a link");
    assert!(world.store.try_lock(NAME, TIME).is_err());
    world.save(b"token"); // takes the link's place
    world.loads(b"token");
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[test]
fn what_is_no_file_in_a_tokens_place_holds_up_nobody() {
    let world = World::new();
    let path = world.file("token");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let begun = Instant::now();
    world.load_fails("a token's file is no file");
    assert!(begun.elapsed() < Duration::from_secs(1));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    world.load_fails("a token's file is no file");
}

#[test]
fn a_file_that_others_can_read_or_own_is_refused() {
    let world = World::new();
    for open in [0o640, 0o604, 0o620, 0o666] {
        world.save(b"token");
        set_mode(&world.file("token"), open);
        world.load_fails("a token's file is open to others");
    }
    if is_root() {
        world.save(b"token");
        chown(world.file("token"), Some(NOBODY), None).unwrap();
        world.load_fails("a token's file belongs to another user");
    }
}

#[test]
fn of_a_huge_file_only_so_much_is_read_that_it_is_too_long() {
    let world = World::new();
    world.save(b"token");
    let file = File::options()
        .write(true)
        .open(world.file("token"))
        .unwrap();
    file.set_len(1 << 40).unwrap(); // a terabyte of nothing
    let loaded = world.store.load(NAME, TIME).unwrap().unwrap();
    assert_eq!(loaded.len(), 1024 * 1024 + 1);
}

#[test]
fn a_directory_that_is_swept_away_is_made_again() {
    let world = World::new();
    world.save(b"token");
    fs::remove_dir_all(world.directory()).unwrap();
    assert!(world.store.load(NAME, TIME).unwrap().is_none());
    world.save(b"token");
    world.loads(b"token");
    assert_eq!(mode(&world.directory()), 0o700);
}

#[test]
fn clearing_counts_tokens_and_leaves_locks_and_files_of_others() {
    let world = World::new();
    world.save(b"token");
    world.store.save(OTHER, b"token", TIME, TIME).unwrap();
    let held = world.store.try_lock(NAME, TIME).unwrap();
    let others = ["notes.token", "README", "0011.lock", "x.passing"];
    for name in others {
        fs::write(world.directory().join(name), "").unwrap();
    }
    assert_eq!(world.store.clear().unwrap(), 2);
    assert!(
        world.store.try_lock(NAME, TIME).unwrap().is_none(),
        "it is still held"
    );
    drop(held);
    let mut left = others.map(str::to_owned).to_vec();
    left.push(format!("{NAME}.lock"));
    left.sort();
    assert_eq!(world.files(), left);
    assert_eq!(world.store.clear().unwrap(), 0);
}

#[test]
fn clearing_goes_on_past_what_cannot_be_removed_and_names_it() {
    let world = World::new();
    fs::create_dir(world.directory().join(format!("{OTHER}.token"))).unwrap();
    world.save(b"token");
    let error = world.store.clear().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{OTHER}.token: ")), "{error}");
    assert_eq!(world.files(), [format!("{OTHER}.token")]);
}

#[test]
fn what_has_ended_is_swept_away_when_the_next_is_saved() {
    let world = World::new();
    let old = |name: &str, seconds: u64| {
        let path = world.directory().join(name);
        let file = File::create(&path).unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    };
    let digits = "0123456789abcdef0123456789abcdef";
    old(&format!("{OTHER}.token"), 2);
    old(&format!("{OTHER}.{digits}.passing"), 70);
    old(&format!("{NAME}.{digits}.passing"), 10); // may still be on its way
    old("notes.token", 70);
    world
        .store
        .save(NAME, b"token", Duration::from_secs(60), TIME)
        .unwrap();
    let left = [
        format!("{NAME}.{digits}.passing"),
        format!("{NAME}.token"),
        "notes.token".to_owned(),
    ];
    assert_eq!(world.files(), left);
    world.loads(b"token");
}

/// As where `~/.cache` leads to a disk that is not there.
#[test]
fn a_directory_below_a_link_to_nowhere_is_an_error() {
    let above = tempfile::tempdir().unwrap();
    symlink(above.path().join("absent"), above.path().join("cache")).unwrap();
    for directory in [
        above.path().join("cache/tokens"),
        "/proc/absent/tokens".into(),
    ] {
        assert!(FileStore::new(directory).is_err());
    }
}

#[test]
fn a_slash_at_its_end_does_not_have_a_link_followed() {
    let world = World::new();
    let link = world.above.path().join("link");
    symlink(world.directory(), &link).unwrap();
    let error = FileStore::new(format!("{}/", link.display())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory of the tokens is a link or a file"
    );
}

/// What the other user's programs say.
#[test]
#[ignore = "needs root, to be two users: .ci/run runs it"]
fn another_user_reads_nothing_and_plants_nothing() {
    assert!(is_root(), "run this as root");
    let world = World::new();
    set_mode(world.above.path(), 0o755);
    world.save(b"token of root");
    let as_nobody = |program: &str, arguments: &[&Path]| {
        let mut command = Command::new(program);
        command
            .uid(NOBODY)
            .gid(NOBODY)
            .args(arguments)
            .current_dir("/");
        command.output().unwrap()
    };
    let file = world.file("token");
    for (program, arguments) in [
        ("ls", vec![world.directory()]),
        ("cat", vec![file.clone()]),
        ("rm", vec!["-f".into(), file.clone()]),
        ("touch", vec![world.file("lock")]),
    ] {
        let arguments: Vec<_> = arguments.iter().map(PathBuf::as_path).collect();
        let output = as_nobody(program, &arguments);
        assert!(!output.status.success(), "{program}");
        assert!(
            !String::from_utf8_lossy(&output.stdout).contains("token"),
            "{program}"
        );
    }
    world.loads(b"token of root");
}
