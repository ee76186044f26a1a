//! `FileStore`: one file per identity in a directory of the user's own, with a lock file beside it.
//!
//! The directory is opened and checked at every call, because others may have changed it since. Files are opened
//! relative to its descriptor and never through a link. A token is written to a temporary file and then renamed, so
//! that no process reads a part of it. A lock file is deleted under its own lock alone, and whoever locks a file checks
//! that it still has its name.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{self, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::fs::{fchmod, flock, fstat, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::{MAX_STORED, StoreLock, TokenStore};
use crate::error::BoxError;
use crate::profile::MAX_TOKEN_LIFETIME;
use crate::random;

const TOKEN: &str = "token";
const LOCK: &str = "lock";
/// A token that is being written or removed. A killed process leaves such a file behind.
const TEMPORARY: &str = "tmp";
/// A temporary file that is older belongs to a process that has ended.
const TEMPORARY_TTL: Duration = Duration::from_secs(60);
/// A link to a link to a directory is usual. More of them than this are a loop.
const MAX_LINKS: usize = 8;
/// The user who may replace any link.
const ROOT: u32 = 0;
const DIRECTORY: &str = "the directory of the tokens";

/// Keeps tokens in files, for the processes of one user on one machine.
///
/// Each token is a file of mode 0600 in a directory of mode 0700, which is created if it does not exist. Expired tokens
/// and the lock files of identities without a token are deleted when another token is saved. On a network file system
/// tokens are kept, but locks may have no effect; where it refuses to set file times, expired tokens stay 31 days.
///
/// # Whose files these are
/// The directory must belong to the user of this process. It may be a link, if the link belongs to this user or to
/// root. If others can list or write to a directory in which there is nothing but files of this store, its mode is set
/// to 0700: Kubernetes gives rights to a group at every start (`fsGroup`), and systemd to everybody (`StateDirectory`).
/// A directory with other files or a sticky bit is refused instead, because other programs may need its mode. Files
/// that belong to another user, that others can read or write, or that are links are refused.
///
/// # What others can learn
/// Nothing is encrypted: this user and root can read the tokens. A file is named after the SHA-256 of the key's
/// identity and the settings of the profile. Whoever sees the name of a file, and can guess the settings, can test
/// guesses of an HMAC secret against it without a request to the server. A random secret of 32 bytes cannot be
/// guessed, a password can. A private key cannot be found this way.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    /// Returns a store in `directory`, which is created together with its missing parents.
    ///
    /// A relative path is resolved now, so that a later change of the working directory does not move the store.
    ///
    /// # Errors
    /// If the directory cannot be created or opened, or if it is not this user's alone: the text says which.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        // Without a trailing slash, which makes the system follow a link whose owner is unknown.
        let directory = path::absolute(directory.into())?.components().collect();
        let store = Self { directory };
        store.open().map(|_| store)
    }

    /// Deletes every token and returns their number. Locks that are taken and foreign files stay.
    ///
    /// # Errors
    /// If the directory cannot be read, or if a file cannot be deleted. The other files are deleted all the same.
    pub fn clear(&self) -> io::Result<usize> {
        let directory = self.open()?;
        let (mut tokens, mut failed) = (0_usize, None);
        for (name, kind) in store_files(&directory)? {
            let deleted = match kind {
                LOCK => delete_lock(&directory, &name),
                _ => unlinkat(&directory, &name, AtFlags::empty()).map_err(io::Error::from),
            };
            match deleted {
                Ok(()) => tokens = tokens.saturating_add(usize::from(kind == TOKEN)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // another process deleted it
                Err(error) => failed = failed.or(Some((name, error))),
            }
        }
        match failed {
            None => Ok(tokens),
            Some((name, error)) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
        }
    }

    /// Opens the directory, and creates it if it does not exist. It is this user's alone.
    fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut path = self.directory.clone();
        for _ in 0..MAX_LINKS {
            match openat(CWD, &path, flags, Mode::empty()) {
                Ok(directory) => return make_private(&directory).map(|()| directory),
                Err(Errno::NOENT) => create(&path)?,
                Err(Errno::LOOP | Errno::NOTDIR) => path = target_of(&path)?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(permission_denied(&format!(
            "{DIRECTORY} is behind too many links"
        )))
    }
}

impl TokenStore for FileStore {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(read(&self.open()?, &file_name(name, TOKEN))?)
    }

    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        _: Duration,
    ) -> Result<(), BoxError> {
        let directory = self.open()?;
        let temporary = temporary_name(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mut file = File::from(openat(
            &directory,
            &temporary,
            flags | OFlags::CLOEXEC,
            OWNER,
        )?);
        let saved = file.write_all(bytes).and_then(|()| {
            let now = file.metadata()?.modified()?; // by the clock of the file system
            // `sweep` takes the modification time for the expiry of the token. A network file system may refuse to set
            // it: then tokens are kept for as long as any token can live.
            let marked = file.set_modified(now.checked_add(lifetime).unwrap_or(now));
            renameat(&directory, &temporary, &directory, file_name(name, TOKEN))?;
            Ok((now, marked.is_ok()))
        });
        if saved.is_err() {
            let _ = unlinkat(&directory, &temporary, AtFlags::empty()); // the first error is the cause
        }
        let (now, has_expiry_time) = saved?;
        let token_ttl = if has_expiry_time {
            Duration::ZERO
        } else {
            MAX_TOKEN_LIFETIME
        };
        sweep(&directory, now, token_ttl);
        Ok(())
    }

    fn remove(&self, name: &str, bytes: &[u8], _: Duration) -> Result<(), BoxError> {
        // The token is moved away before it is compared, so that a newer token saved in the meantime stays.
        let directory = self.open()?;
        let (token, temporary) = (file_name(name, TOKEN), temporary_name(name)?);
        match renameat(&directory, &token, &directory, &temporary) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        }
        let moved = read(&directory, &temporary).unwrap_or_default();
        let moved = moved.map(Zeroizing::new);
        if moved.is_some_and(|moved| *moved != bytes) {
            match linkat(&directory, &temporary, &directory, &token, AtFlags::empty()) {
                Ok(()) | Err(Errno::EXIST) => {} // a still newer token was saved
                // A file system without hard links. A token saved since is replaced by one that is newer than `bytes`.
                Err(_) => return Ok(renameat(&directory, &temporary, &directory, &token)?),
            }
        }
        Ok(unlinkat(&directory, &temporary, AtFlags::empty())?)
    }

    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
        // The system releases this lock when the process ends, even if it is killed.
        let lock = lock(&self.open()?, &file_name(name, LOCK), OFlags::CREATE)?;
        Ok(lock.map(|lock| -> StoreLock { Box::new(lock) }))
    }
}

/// `rw-------`
const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);
/// `---rw-rw-`: with these rights on a directory, others can list it or write to it.
const LIST_OR_WRITE: Mode = Mode::RGRP
    .union(Mode::WGRP)
    .union(Mode::ROTH)
    .union(Mode::WOTH);
/// `---rwxrwx`
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

fn file_name(name: &str, kind: &str) -> String {
    format!("{name}.{kind}")
}

fn temporary_name(name: &str) -> Result<String, BoxError> {
    let unique = random::uuid(false)?;
    Ok(file_name(&format!("{name}.{unique}"), TEMPORARY))
}

/// Returns names and kinds of the files of this store.
fn store_files(directory: &OwnedFd) -> io::Result<Vec<(String, &'static str)>> {
    let names = names(directory)?.into_iter();
    let files = names.filter_map(|name| kind_of(&name).map(|kind| (name, kind)));
    Ok(files.collect())
}

fn names(directory: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if ![".", ".."].contains(&name.as_str()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Returns the kind of a file of this store. Its name is 64 hexadecimal digits, 32 more if temporary, and the kind.
fn kind_of(name: &str) -> Option<&'static str> {
    let (stem, kind) = name.rsplit_once('.')?;
    let kind = [TOKEN, LOCK, TEMPORARY]
        .into_iter()
        .find(|known| *known == kind)?;
    let lengths: &[usize] = if kind == TEMPORARY { &[64, 32] } else { &[64] };
    let parts = stem.split('.').map(|part| {
        let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { part.len() } else { 0 }
    });
    parts.eq(lengths.iter().copied()).then_some(kind)
}

/// Deletes expired tokens, the temporary files of killed processes, and the locks of identities without a token. A file
/// that cannot be deleted is foreign.
fn sweep(directory: &OwnedFd, now: SystemTime, token_ttl: Duration) {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = seconds.unwrap_or_default().as_secs();
    let has_expired = |name: &str, ttl: Duration| {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let modified = stat.map(|stat| u64::try_from(stat.st_mtime).unwrap_or_default());
        modified.is_ok_and(|modified| modified.saturating_add(ttl.as_secs()) < now)
    };
    let (locks, others): (Vec<_>, Vec<_>) = store_files(directory)
        .unwrap_or_default()
        .into_iter()
        .partition(|(_, kind)| *kind == LOCK);
    let mut tokens = HashSet::new();
    for (name, kind) in &others {
        let ttl = if *kind == TOKEN {
            token_ttl
        } else {
            TEMPORARY_TTL
        };
        if has_expired(name, ttl) {
            let _ = unlinkat(directory, name, AtFlags::empty());
        } else if *kind == TOKEN {
            tokens.insert(stem(name));
        }
    }
    // A new lock may belong to a fetch that has saved no token yet.
    for (name, _) in &locks {
        if !tokens.contains(stem(name)) && has_expired(name, TEMPORARY_TTL) {
            let _ = delete_lock(directory, name);
        }
    }
}

fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// Locks a file, unless another process has locked it. `create` is `CREATE` or nothing.
fn lock(directory: &OwnedFd, name: &str, create: OFlags) -> io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags | create, OWNER)?;
    let opened = fstat(&file)?;
    check_owner("a token's lock", &opened)?;
    if Mode::from_raw_mode(opened.st_mode).intersects(OTHERS) {
        let _ = fchmod(&file, OWNER); // so that others cannot take it, where the file system has modes
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        other => other?,
    }
    // Another process may have deleted the file since it was opened. Then this lock excludes nobody.
    let named = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    let is_named =
        named.is_ok_and(|named| (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino));
    Ok(is_named.then(|| File::from(file)))
}

/// Deletes a lock file under its lock. One that is taken stays.
fn delete_lock(directory: &OwnedFd, name: &str) -> io::Result<()> {
    if let Some(_lock) = lock(directory, name, OFlags::empty())? {
        unlinkat(directory, name, AtFlags::empty())?;
    }
    Ok(())
}

/// Reads a file of the user's own, if there is one. Of a file above the limit it reads one byte too many.
fn read(directory: &OwnedFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    // Without NONBLOCK, opening a pipe waits for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(permission_denied("a token's file is a link")),
        other => other?,
    };
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(permission_denied("a token's file is not a regular file"));
    }
    check("a token's file", &stat, OTHERS)?;
    let length = usize::try_from(stat.st_size)
        .unwrap_or(MAX_STORED)
        .min(MAX_STORED);
    let limit = length.saturating_add(1);
    let mut bytes = Vec::with_capacity(limit); // that byte included, so that it never grows
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    File::from(file).take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Checks that the file belongs to this user, and that nobody else has one of these rights.
fn check(what: &str, stat: &Stat, rights: Mode) -> io::Result<()> {
    check_owner(what, stat)?;
    match Mode::from_raw_mode(stat.st_mode).intersects(rights) {
        true => Err(permission_denied(&format!("{what} is open to others"))),
        false => Ok(()),
    }
}

fn check_owner(what: &str, stat: &Stat) -> io::Result<()> {
    match stat.st_uid == geteuid().as_raw() {
        true => Ok(()),
        false => Err(permission_denied(&format!(
            "{what} belongs to another user"
        ))),
    }
}

/// Checks that the directory is this user's, and that others can neither list it nor write to it. Takes their rights
/// away if no other program can need them, and deletes the files that they made.
fn make_private(directory: &OwnedFd) -> io::Result<()> {
    let stat = fstat(directory)?;
    check_owner(DIRECTORY, &stat)
        .map_err(|error| permission_denied(&format!("{error}: give one of your own")))?;
    if check(DIRECTORY, &stat, LIST_OR_WRITE).is_ok() {
        return Ok(());
    }
    let is_shared = Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX); // as /tmp is, even while it is empty
    if is_shared || names(directory)?.iter().any(|name| kind_of(name).is_none()) {
        return Err(permission_denied(&format!(
            "{DIRECTORY} is open to others and not for tokens alone: give one of its own, or chmod 700 this one"
        )));
    }
    // Some file systems report success and keep the mode.
    let changed = fchmod(directory, Mode::RWXU);
    check(DIRECTORY, &fstat(directory)?, LIST_OR_WRITE).map_err(|error| {
        let why = changed
            .err()
            .map_or_else(String::new, |errno| format!(" ({errno})"));
        permission_denied(&format!(
            "{error}, and its mode cannot be changed{why}: give another one"
        ))
    })?;
    // A lock of another user would be refused at every call from now on.
    for name in names(directory)? {
        let stat = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_ok_and(|stat| check_owner(&name, &stat).is_err()) {
            let _ = unlinkat(directory, &name, AtFlags::empty()); // another process may be faster
        }
    }
    Ok(())
}

/// Returns what a link points to. A link of another user is refused, because it could lead anywhere.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let metadata = path.symlink_metadata()?;
    if !metadata.is_symlink() {
        return Err(permission_denied(&format!(
            "{DIRECTORY} is not a directory"
        )));
    }
    if ![geteuid().as_raw(), ROOT].contains(&metadata.uid()) {
        return Err(permission_denied(&format!(
            "{DIRECTORY} is a link of another user: give one of your own"
        )));
    }
    let parent = path.parent().unwrap_or(path);
    Ok(parent.join(path.read_link()?).components().collect())
}

fn permission_denied(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// Creates the directory and its missing parents with mode 0700.
fn create(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
