//! `FileStore`: one file per identity in a directory of the user's own, with a lock file beside it.
//!
//! The directory is opened and checked at every call, because others may have changed it since. Files are opened
//! relative to its descriptor and never through a link. A token is written to a temporary file and then renamed, so
//! that no process reads a part of it.

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
/// A token that is being written or removed. A killed process leaves such a file behind.
const TEMPORARY: &str = "tmp";
/// A temporary file that is older belongs to a process that has ended.
const TEMPORARY_TTL: Duration = Duration::from_secs(60);

/// Keeps tokens in files, for the processes of one user on one machine.
///
/// Each token is a file of mode 0600 in a directory of mode 0700, which is created if it does not exist. A directory
/// or file that belongs to another user, that others can write, or that is a link is refused. Nothing is encrypted:
/// the owner of the files and root can read the tokens. Expired tokens are deleted when another one is saved. On a
/// network file system tokens are kept, but locks may have no effect.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    /// Returns a store in `directory`, which is created together with its missing parents.
    ///
    /// # Errors
    /// If the directory cannot be created, or if it is not the user's own: the text says which.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        // A trailing slash would make the system follow a link.
        let directory = directory.into().components().collect();
        let store = Self { directory };
        store.open().map(|_| store)
    }

    /// Deletes every token and returns their number. Locks, which are empty, and foreign files stay.
    ///
    /// # Errors
    /// If the directory cannot be read, or if a token cannot be deleted. The other tokens are deleted all the same.
    pub fn clear(&self) -> io::Result<usize> {
        let directory = self.open()?;
        let (mut tokens, mut failed) = (0_usize, None);
        for (name, kind) in own_files(&directory)? {
            match unlinkat(&directory, &name, AtFlags::empty()) {
                Ok(()) => tokens = tokens.saturating_add(usize::from(kind == TOKEN)),
                Err(Errno::NOENT) => {} // another process deleted it
                Err(error) => failed = failed.or(Some((name, io::Error::from(error)))),
            }
        }
        match failed {
            None => Ok(tokens),
            Some((name, error)) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
        }
    }

    /// Opens the directory and checks that it is the user's own.
    fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(CWD, &self.directory, flags, Mode::empty());
        let directory = match open() {
            Err(Errno::NOENT) => {
                create(&self.directory)?;
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
        Ok(read(&self.open()?, &file_name(name, TOKEN))?)
    }

    /// Sets the modification time of the file to the end of the token, so that `sweep` knows which tokens have expired.
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
            file.set_modified(now.checked_add(lifetime).unwrap_or(now))?;
            renameat(&directory, &temporary, &directory, file_name(name, TOKEN))?;
            Ok(now)
        });
        if saved.is_err() {
            let _ = unlinkat(&directory, &temporary, AtFlags::empty()); // the first error is the cause
        }
        sweep(&directory, saved?);
        Ok(())
    }

    /// Moves the token away before comparing it, so that a newer token saved in the meantime stays.
    fn remove(&self, name: &str, bytes: &[u8], _: Duration) -> Result<(), BoxError> {
        let directory = self.open()?;
        let (token, temporary) = (file_name(name, TOKEN), temporary_name(name)?);
        match renameat(&directory, &token, &directory, &temporary) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        }
        let moved = read(&directory, &temporary).unwrap_or_default();
        let moved = moved.map(Zeroizing::new);
        let restored = match moved.is_some_and(|moved| *moved != bytes) {
            true => linkat(&directory, &temporary, &directory, &token, AtFlags::empty()),
            false => Ok(()),
        };
        unlinkat(&directory, &temporary, AtFlags::empty())?;
        match restored {
            Err(Errno::EXIST) => Ok(()), // a still newer token was saved
            other => Ok(other?),
        }
    }

    /// The system releases the lock when the process ends, even if it is killed.
    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<StoreLock<'_>>, BoxError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.open()?, file_name(name, LOCK), flags, OWNER)?;
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
/// `---rwxrwx`
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

fn file_name(name: &str, kind: &str) -> String {
    format!("{name}.{kind}")
}

fn temporary_name(name: &str) -> Result<String, BoxError> {
    let unique = random::uuid(false)?;
    Ok(file_name(&format!("{name}.{unique}"), TEMPORARY))
}

/// Returns names and kinds of the tokens and temporary files in the directory.
fn own_files(directory: &OwnedFd) -> io::Result<Vec<(String, &'static str)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_str().unwrap_or_default();
        found.extend(own_kind(name).map(|kind| (name.to_owned(), kind)));
    }
    Ok(found)
}

/// Returns the kind of a file of this store. Its name is 64 hexadecimal digits, 32 more if temporary, and the kind.
fn own_kind(name: &str) -> Option<&'static str> {
    let (stem, kind) = name.rsplit_once('.')?;
    let kind = [TOKEN, TEMPORARY].into_iter().find(|own| *own == kind)?;
    let lengths: &[usize] = if kind == TEMPORARY { &[64, 32] } else { &[64] };
    let parts = stem.split('.').map(|part| {
        let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { part.len() } else { 0 }
    });
    parts.eq(lengths.iter().copied()).then_some(kind)
}

/// Deletes expired tokens and the temporary files of killed processes. A file that cannot be deleted is foreign.
fn sweep(directory: &OwnedFd, now: SystemTime) {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = seconds.unwrap_or_default().as_secs();
    for (name, kind) in own_files(directory).unwrap_or_default() {
        let Ok(stat) = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let modified = u64::try_from(stat.st_mtime).unwrap_or_default();
        let grace = if kind == TEMPORARY {
            TEMPORARY_TTL.as_secs()
        } else {
            0
        };
        if modified.saturating_add(grace) < now {
            let _ = unlinkat(directory, &name, AtFlags::empty());
        }
    }
}

/// Reads a file of the user's own, if there is one. Of a file above the limit it reads one byte too many.
fn read(directory: &OwnedFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    // Without NONBLOCK, opening a pipe waits for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(refused("a token's file is a link")),
        other => other?,
    };
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused("a token's file is not a regular file"));
    }
    check("a token's file", &stat, OTHERS)?;
    let length = usize::try_from(stat.st_size)
        .unwrap_or(MAX_STORED)
        .min(MAX_STORED);
    let limit = length.saturating_add(1);
    let mut bytes = Vec::with_capacity(limit); // with room for that byte, so that it never grows
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    File::from(file).take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Checks that the file belongs to this user, and that nobody else has one of these rights.
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

/// Creates the directory and its missing parents with mode 0700.
fn create(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
