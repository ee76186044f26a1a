//! The user's own directory and the files in it, on Unix: modes, owners and links.
//!
//! The directory is opened and checked at every call, because others may have changed it since. Files are opened
//! relative to its descriptor and never through a link. A lock file is deleted only under its own lock, and a process
//! that locks a file checks that the file still has its name.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::fs::{fchmod, flock, fstat, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// A link to a link to a directory is usual. More of them than this are a loop.
const MAX_LINKS: usize = 8;
/// The user who may replace any link.
const ROOT: u32 = 0;
const DIRECTORY: &str = "the directory of the tokens";

/// `rw-------`
const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);
/// `---rw-rw-`: with these rights on a directory, others can list it or write to it.
const LIST_OR_WRITE: Mode = Mode::RGRP
    .union(Mode::WGRP)
    .union(Mode::ROTH)
    .union(Mode::WOTH);
/// `---rwxrwx`
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

/// An open directory that is private to this user.
pub(super) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory, and creates it if it does not exist. `is_ours` tells whether a file name belongs to a store.
    pub(super) fn open(path: &Path, is_ours: fn(&str) -> bool) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match openat(CWD, &path, flags, Mode::empty()) {
                Ok(directory) => {
                    let directory = Self(directory);
                    return directory.make_private(is_ours).map(|()| directory);
                }
                Err(Errno::NOENT) => create(&path)?,
                Err(Errno::LOOP | Errno::NOTDIR) => path = target_of(&path)?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(permission_denied(&format!(
            "{DIRECTORY} is behind too many links"
        )))
    }

    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if ![".", ".."].contains(&name.as_str()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Creates a file, which must not exist yet.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        Ok(openat(&self.0, name, flags | OFlags::CLOEXEC, OWNER)?.into())
    }

    /// Opens a file of this user for reading, if there is one.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        // Without NONBLOCK, opening a pipe waits for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.0, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(permission_denied("a token's file is a link")),
            other => other?,
        };
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(permission_denied("a token's file is not a regular file"));
        }
        check("a token's file", &stat, OTHERS)?;
        Ok(Some(file.into()))
    }

    /// Renames a file, replacing any file with the new name.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Gives a file a second name, unless another file has it.
    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(linkat(&self.0, from, &self.0, to, AtFlags::empty())?)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Returns when a file was modified, in Unix seconds.
    pub(super) fn modified(&self, name: &str) -> io::Result<u64> {
        let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(u64::try_from(stat.st_mtime).unwrap_or_default())
    }

    /// Creates a file and locks it, unless another process has locked it.
    ///
    /// The system releases the lock when the process ends, even if it is killed.
    pub(super) fn lock(&self, name: &str) -> io::Result<Option<File>> {
        self.lock_with(name, OFlags::CREATE)
    }

    /// Deletes a lock file under its lock. A lock in use stays.
    pub(super) fn delete_lock(&self, name: &str) -> io::Result<()> {
        if let Some(_lock) = self.lock_with(name, OFlags::empty())? {
            self.remove(name)?;
        }
        Ok(())
    }

    /// `create` is `CREATE` or nothing.
    fn lock_with(&self, name: &str, create: OFlags) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.0, name, flags | create, OWNER)?;
        let opened = fstat(&file)?;
        check_owner("a token's lock", &opened)?;
        if Mode::from_raw_mode(opened.st_mode).intersects(OTHERS) {
            let _ = fchmod(&file, OWNER); // so that others cannot take it, if the file system has modes
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            other => other?,
        }
        // Another process may have deleted the file since it was opened. Then this lock excludes nobody.
        let named = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_named =
            named.is_ok_and(|named| (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino));
        Ok(is_named.then(|| File::from(file)))
    }

    /// Checks that the directory is this user's, and that others can neither list it nor write to it. Takes their
    /// rights away if no other program can need them, and deletes the files that others made.
    fn make_private(&self, is_ours: fn(&str) -> bool) -> io::Result<()> {
        let stat = fstat(&self.0)?;
        check_owner(DIRECTORY, &stat)
            .map_err(|error| permission_denied(&format!("{error}: give one of your own")))?;
        if check(DIRECTORY, &stat, LIST_OR_WRITE).is_ok() {
            return Ok(());
        }
        let is_shared = Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX); // as /tmp is, even while it is empty
        let advice = match is_shared {
            true => Some("give one of its own"),
            false if self.names()?.iter().all(|name| is_ours(name)) => None,
            false => Some("give one of its own, or chmod 700 this one"),
        };
        if let Some(advice) = advice {
            return Err(permission_denied(&format!(
                "{DIRECTORY} is open to others and not for tokens alone: {advice}"
            )));
        }
        // Some file systems report success and keep the mode.
        let changed = fchmod(&self.0, Mode::RWXU);
        check(DIRECTORY, &fstat(&self.0)?, LIST_OR_WRITE).map_err(|error| {
            let why = changed
                .err()
                .map_or_else(String::new, |errno| format!(" ({errno})"));
            permission_denied(&format!(
                "{error}, and its mode cannot be changed{why}: give another one"
            ))
        })?;
        // A lock of another user would be refused at every call from now on.
        for name in self.names()? {
            let stat = statat(&self.0, &name, AtFlags::SYMLINK_NOFOLLOW);
            if stat.is_ok_and(|stat| check_owner(&name, &stat).is_err()) {
                let _ = self.remove(&name); // another process may be faster
            }
        }
        Ok(())
    }
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
