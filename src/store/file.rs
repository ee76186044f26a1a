//! Tokens in files: a directory that is its owner's alone, a file an identity, a lock beside it.
//!
//! Nothing here is trusted to be what it was a moment ago: the directory is opened at every call, looked at, and
//! files are opened below it by handle, never through a link. A file appears whole or not at all, by its name.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::fs::{flock, fstat, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::{MAX_STORED, StoreLock, TokenStore};
use crate::error::BoxError;
use crate::random;

const TOKEN: &str = "token";
const LOCK: &str = "lock";
/// On its way to be a token, or from having been one. A killed process leaves it.
const PASSING: &str = "passing";
/// Nobody is on the way for longer.
const PASSAGE: Duration = Duration::from_secs(60);

/// Keeps tokens in files, for the processes of one user on one machine.
///
/// A file of mode 0600 for each token, in a directory that is made with mode 0700 where it is not there. A directory
/// or file that belongs to others, that others can write, or that is a link is refused. Nothing is encrypted:
/// whoever reads the files as their owner or as root has the tokens. One that has ended is removed when the next is
/// saved. A network file system keeps the tokens, but its locks may not hold.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    /// Uses `directory`, and makes it where it is not there, with what is missing above it.
    ///
    /// # Errors
    /// Where it cannot be made, or is not the user's own: the text says which.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        // A slash at its end would have a link followed.
        let directory = directory.into().components().collect();
        let store = Self { directory };
        store.open().map(|_| store)
    }

    /// Removes every token, and says how many there were. Locks, which are empty, and files of others stay.
    ///
    /// # Errors
    /// Where the directory cannot be read, or a token not be removed; the others are removed all the same.
    pub fn clear(&self) -> io::Result<usize> {
        let directory = self.open()?;
        let (mut tokens, mut failed) = (0_usize, None);
        for (name, kind) in own_files(&directory)? {
            match unlinkat(&directory, &name, AtFlags::empty()) {
                Ok(()) => tokens = tokens.saturating_add(usize::from(kind == TOKEN)),
                Err(Errno::NOENT) => {} // another process was faster
                Err(error) => failed = failed.or(Some((name, io::Error::from(error)))),
            }
        }
        match failed {
            None => Ok(tokens),
            Some((name, error)) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
        }
    }

    /// The directory, seen to be the user's own.
    fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(CWD, &self.directory, flags, Mode::empty());
        let directory = match open() {
            Err(Errno::NOENT) => {
                make(&self.directory)?;
                open()
            }
            other => other,
        };
        let directory = directory.map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => {
                refused("the directory of the tokens is a link or a file")
            }
            other => other.into(),
        })?;
        let writing = Mode::WGRP | Mode::WOTH;
        let what = "the directory of the tokens";
        check(what, &fstat(&directory)?, writing).map_err(|error| {
            io::Error::new(error.kind(), format!("{error}: give one of your own"))
        })?;
        Ok(directory)
    }
}

impl TokenStore for FileStore {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(read(&self.open()?, &of(name, TOKEN))?)
    }

    /// A file's time of modification is when its token ends: what is over is swept away.
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        _: Duration,
    ) -> Result<(), BoxError> {
        let directory = self.open()?;
        let new = passing(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mut file = File::from(openat(&directory, &new, flags | OFlags::CLOEXEC, OWNER)?);
        let named = file.write_all(bytes).and_then(|()| {
            let now = file.metadata()?.modified()?; // by the clock of the file system
            file.set_modified(now.checked_add(lifetime).unwrap_or(now))?;
            renameat(&directory, &new, &directory, of(name, TOKEN))?;
            Ok(now)
        });
        if named.is_err() {
            let _ = unlinkat(&directory, &new, AtFlags::empty()); // the first error is the one to tell
        }
        sweep(&directory, named?);
        Ok(())
    }

    /// Takes it away first and looks at it then: a newer one that comes between stays.
    fn remove(&self, name: &str, bytes: &[u8], _: Duration) -> Result<(), BoxError> {
        let directory = self.open()?;
        let (token, away) = (of(name, TOKEN), passing(name)?);
        match renameat(&directory, &token, &directory, &away) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        }
        let taken = read(&directory, &away).unwrap_or_default();
        let taken = taken.map(Zeroizing::new);
        let put_back = match taken.is_some_and(|taken| *taken != bytes) {
            true => linkat(&directory, &away, &directory, &token, AtFlags::empty()),
            false => Ok(()),
        };
        unlinkat(&directory, &away, AtFlags::empty())?;
        match put_back {
            Err(Errno::EXIST) => Ok(()), // one still newer has come
            other => Ok(other?),
        }
    }

    /// Ends with the process, however that ends.
    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.open()?, of(name, LOCK), flags, OWNER)?;
        check("a token's lock", &fstat(&file)?, OTHERS)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// `rw-------`
const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);
/// Whatever group and others may do.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

fn of(name: &str, kind: &str) -> String {
    format!("{name}.{kind}")
}

fn passing(name: &str) -> Result<String, BoxError> {
    Ok(of(&format!("{name}.{}", random::uuid(false)?), PASSING))
}

/// Tokens, and what was on its way to be one, of this store's making: their names and kinds.
fn own_files(directory: &OwnedFd) -> io::Result<Vec<(String, &'static str)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_str().unwrap_or_default();
        found.extend(own_kind(name).map(|kind| (name.to_owned(), kind)));
    }
    Ok(found)
}

/// 64 digits, perhaps 32 more, and a kind.
fn own_kind(name: &str) -> Option<&'static str> {
    let (stem, kind) = name.rsplit_once('.')?;
    let kind = [TOKEN, PASSING].into_iter().find(|own| *own == kind)?;
    let lengths: &[usize] = if kind == PASSING { &[64, 32] } else { &[64] };
    let parts = stem.split('.').map(|part| {
        let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { part.len() } else { 0 }
    });
    parts.eq(lengths.iter().copied()).then_some(kind)
}

/// Removes tokens that have ended, and what killed processes left. What cannot be removed is somebody else's.
fn sweep(directory: &OwnedFd, now: SystemTime) {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = seconds.unwrap_or_default().as_secs();
    for (name, kind) in own_files(directory).unwrap_or_default() {
        let Ok(stat) = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let modified = u64::try_from(stat.st_mtime).unwrap_or_default();
        let grace = if kind == PASSING {
            PASSAGE.as_secs()
        } else {
            0
        };
        if modified.saturating_add(grace) < now {
            let _ = unlinkat(directory, &name, AtFlags::empty());
        }
    }
}

/// A file of the user's own, or nothing where there is none. Of a longer one only so much that it is too long.
fn read(directory: &OwnedFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    // A pipe would have us wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(refused("a token's file is a link")),
        other => other?,
    };
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused("a token's file is no file"));
    }
    check("a token's file", &stat, OTHERS)?;
    let length = usize::try_from(stat.st_size)
        .unwrap_or(MAX_STORED)
        .min(MAX_STORED);
    let limit = length.saturating_add(1);
    let mut bytes = Vec::with_capacity(limit); // which wants to grow by nothing
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    File::from(file).take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// It belongs to this user, and nobody else has one of these rights.
fn check(what: &str, stat: &Stat, rights: Mode) -> io::Result<()> {
    if stat.st_uid != geteuid().as_raw() {
        return Err(refused(&format!("{what} belongs to another user")));
    }
    match Mode::from_raw_mode(stat.st_mode).intersects(rights) {
        true => Err(refused(&format!("{what} is open to others"))),
        false => Ok(()),
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// With what is missing above it, all of it closed to others.
fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
