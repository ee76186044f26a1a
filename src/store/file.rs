//! Tokens in files: a directory that is its owner's alone, a file an identity, a lock beside it.
//!
//! Nothing here is trusted to be what it was a moment ago: the directory is opened at every call, looked at, and
//! files are opened below it by handle, never through a link. A file appears whole or not at all, by its name.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::fs::{flock, fstat, linkat, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::{Lock, MAX_KEPT, TokenStore};
use crate::error::BoxError;
use crate::jwt;

const TOKEN: &str = "token";
const LOCK: &str = "lock";
/// On its way to be a token, or from having been one. A killed process leaves it.
const PASSING: &str = "passing";

/// Keeps tokens in files, for the processes of one user on one machine.
///
/// A directory of mode 0700 with a file of mode 0600 for each token. A directory or file that belongs to others,
/// that others can write, or that is a link is refused. Nothing is encrypted: whoever reads the files as their
/// owner or as root has the tokens. A network file system keeps the tokens, but its locks may not hold.
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
        let directory = directory.into();
        let store = Self { directory };
        store.open().map(|_| store)
    }

    /// Removes every token, and says how many there were. Files of others stay.
    ///
    /// # Errors
    /// Where the directory cannot be read, or a file not be removed.
    pub fn clear(&self) -> io::Result<usize> {
        let directory = self.open()?;
        let mut tokens = 0_usize;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let Some(kind) = own_kind(name) else { continue };
            match unlinkat(&directory, name, AtFlags::empty()) {
                Ok(()) => tokens = tokens.saturating_add(usize::from(kind == TOKEN)),
                Err(Errno::NOENT) => {} // another process was faster
                Err(error) => return Err(error.into()),
            }
        }
        Ok(tokens)
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
        check("the directory of the tokens", &fstat(&directory)?, writing)?;
        Ok(directory)
    }
}

impl TokenStore for FileStore {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(read(&self.open()?, &of(name, TOKEN))?)
    }

    fn save(&self, name: &str, bytes: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
        let directory = self.open()?;
        let new = passing(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = openat(&directory, &new, flags | OFlags::CLOEXEC, OWNER)?;
        let written = File::from(file).write_all(bytes);
        let named =
            written.and_then(|()| Ok(renameat(&directory, &new, &directory, of(name, TOKEN))?));
        if named.is_err() {
            let _ = unlinkat(&directory, &new, AtFlags::empty()); // the first error is the one to tell
        }
        Ok(named?)
    }

    /// Takes it away first and looks at it then: a newer one that comes between stays.
    fn remove(&self, name: &str, bytes: &[u8], _: Duration) -> Result<(), BoxError> {
        let directory = self.open()?;
        let (token, away) = (of(name, TOKEN), passing(name)?);
        match renameat(&directory, &token, &directory, &away) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        }
        let taken = read(&directory, &away)
            .unwrap_or_default()
            .map(Zeroizing::new);
        if taken.is_some_and(|taken| *taken != bytes) {
            match linkat(&directory, &away, &directory, &token, AtFlags::empty()) {
                Err(Errno::EXIST) => {} // one still newer has come
                other => other?,
            }
        }
        Ok(unlinkat(&directory, &away, AtFlags::empty())?)
    }

    /// Ends with the process, however that ends.
    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<Lock<'_>>, BoxError> {
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
    Ok(of(&format!("{name}.{}", jwt::uuid(false)?), PASSING))
}

/// The kind of a file that this store made: 64 digits, perhaps 32 more, and a kind.
fn own_kind(name: &str) -> Option<&'static str> {
    let (stem, kind) = name.rsplit_once('.')?;
    let kind = [TOKEN, LOCK, PASSING]
        .into_iter()
        .find(|own| *own == kind)?;
    let lengths: &[usize] = if kind == PASSING { &[64, 32] } else { &[64] };
    let parts = stem.split('.').map(|part| {
        let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { part.len() } else { 0 }
    });
    parts.eq(lengths.iter().copied()).then_some(kind)
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
        .unwrap_or(MAX_KEPT)
        .min(MAX_KEPT);
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
        true => Err(refused(&format!(
            "{what} is open to others: close it with chmod go="
        ))),
        false => Ok(()),
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// With what is missing above it, all of it closed to others.
fn make(directory: &Path) -> io::Result<()> {
    match (mkdirat(CWD, directory, Mode::RWXU), directory.parent()) {
        (Err(Errno::EXIST), _) => Ok(()), // another process was faster
        (Err(Errno::NOENT), Some(above)) if above != Path::new("") => {
            make(above)?;
            make(directory)
        }
        (other, _) => Ok(other?),
    }
}
