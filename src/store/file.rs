//! `FileStore`: one file per identity in the user's own directory, with a lock file next to it.
//!
//! A token is written to a temporary file and then renamed, so that no process reads only a part of it. The differences
//! between the operating systems are in `unix_directory` and `windows_directory`.

use std::collections::HashSet;
use std::io::{self, Read as _, Write as _};
use std::path::{self, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

#[cfg(unix)]
use super::unix_directory::Directory;
#[cfg(windows)]
use super::windows_directory::Directory;
use super::{MAX_STORED, StoreLock, TokenStore};
use crate::error::BoxError;
use crate::profile::MAX_TOKEN_LIFETIME;
use crate::random;

/// An older temporary file belongs to a process that has ended.
const TEMPORARY_TTL: Duration = Duration::from_secs(60);

/// Keeps tokens in files, for the processes of one user on one machine.
///
/// Each token is a file of mode 0600 in a directory of mode 0700, which is created if it does not exist. Expired tokens
/// and the lock files of identities without a token are deleted when another token is saved. On a network file system,
/// tokens are kept, but locks may have no effect; if it refuses to set file times, expired tokens stay 31 days.
///
/// # Who owns the files
/// On Unix the directory must belong to the user of this process. It may be a link, if the link belongs to this user or
/// to root. If others can list or write to a directory that has only files of this store, its mode is set to 0700:
/// Kubernetes gives rights to a group at every start (`fsGroup`), and systemd to everybody (`StateDirectory`). A
/// directory with other files or a sticky bit is refused instead, because other programs may need its mode. Files that
/// belong to another user, that others can read or write, or that are links are refused.
///
/// # On Windows
/// The standard library cannot read access control lists: neither owners nor rights are checked, and files inherit
/// those of the directory. `%LOCALAPPDATA%` grants rights to its user, SYSTEM and administrators; a directory elsewhere
/// may grant them to everybody. Use a private one. A directory or a file that is a link or a junction is refused. A
/// file that another program has open, as virus scanners do, is retried for a fifth of a second.
///
/// # What others can learn
/// Nothing is encrypted: this user and root can read the tokens. A file also has the key's identity and the settings,
/// with values that may be secret replaced by hashes salted with that identity. Its name is the SHA-256 hash of
/// identity and settings. Anyone who can read the file can test guesses of an HMAC secret and of the hashed values
/// without a request to the server. Anyone who sees only the name can do so if they know the rest of the profile. A
/// random secret of 32 bytes cannot be guessed, a password can. A private key cannot be found this way.
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
    /// If the directory cannot be created or opened, or if it is not private to this user: the text says which.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        // Removes a trailing slash, which would make the system follow a link whose owner is unknown.
        let directory = path::absolute(directory.into())?.components().collect();
        let store = Self { directory };
        store.open().map(|_| store)
    }

    /// Deletes every token and returns their number. Locks in use and foreign files stay.
    ///
    /// # Errors
    /// If the directory cannot be read, or if a file cannot be deleted. The other files are deleted anyway.
    pub fn clear(&self) -> io::Result<usize> {
        let directory = self.open()?;
        let (mut tokens, mut failed) = (0_usize, None);
        for (name, kind) in store_files(&directory)? {
            let deleted = match kind {
                FileKind::Lock => directory.delete_lock(&name),
                FileKind::Token | FileKind::Temporary => directory.remove(&name),
            };
            match deleted {
                Ok(()) => tokens = tokens.saturating_add(usize::from(kind == FileKind::Token)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // another process deleted it
                Err(error) => failed = failed.or(Some((name, error))),
            }
        }
        match failed {
            None => Ok(tokens),
            Some((name, error)) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
        }
    }

    /// Opens the directory, which is private to this user, and creates it if it does not exist.
    fn open(&self) -> io::Result<Directory> {
        Directory::open(&self.directory, |name| FileKind::of(name).is_some())
    }
}

impl TokenStore for FileStore {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(read(&self.open()?, &FileKind::Token.file_name(name))?)
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
        let mut file = directory.create(&temporary)?;
        let saved = file.write_all(bytes).and_then(|()| {
            let now = file.metadata()?.modified()?; // by the clock of the file system
            // `sweep` uses the modification time as the expiry of the token. A network file system may refuse to set
            // it: then tokens are kept for as long as any token can live.
            let marked = file.set_modified(now.checked_add(lifetime).unwrap_or(now));
            drop(file);
            directory.rename(&temporary, &FileKind::Token.file_name(name))?;
            Ok((now, marked.is_ok()))
        });
        if saved.is_err() {
            let _ = directory.remove(&temporary); // the first error is the cause
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
        let (token, temporary) = (FileKind::Token.file_name(name), temporary_name(name)?);
        match directory.rename(&token, &temporary) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        let moved = read(&directory, &temporary).map(|moved| moved.map(Zeroizing::new));
        let is_this_token =
            |moved: &Option<Zeroizing<_>>| moved.as_deref().is_none_or(|moved| *moved == bytes);
        // A token that cannot be read may be a newer one.
        if !moved.as_ref().is_ok_and(is_this_token) {
            match directory.link(&temporary, &token) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // a still newer token was saved
                // A file system without hard links. A token saved since is replaced by one that is newer than `bytes`.
                Err(_) => {
                    directory.rename(&temporary, &token)?;
                    return Ok(moved.map(drop)?);
                }
            }
        }
        directory.remove(&temporary)?;
        Ok(moved.map(drop)?)
    }

    fn try_lock(&self, name: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
        let lock = self.open()?.lock(&FileKind::Lock.file_name(name))?;
        Ok(lock.map(|lock| -> StoreLock { Box::new(lock) }))
    }
}

/// What a file of this store is. Its name is 64 hexadecimal digits, 32 more if temporary, and the suffix of its kind.
#[derive(Clone, Copy, PartialEq)]
enum FileKind {
    Token,
    Lock,
    /// A token that is being written or removed. A killed process leaves such a file behind.
    Temporary,
}

impl FileKind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Lock => "lock",
            Self::Temporary => "tmp",
        }
    }

    fn file_name(self, stem: &str) -> String {
        format!("{stem}.{}", self.suffix())
    }

    /// Returns the kind of a file, or `None` if it is not of this store.
    fn of(name: &str) -> Option<Self> {
        let (stem, suffix) = name.rsplit_once('.')?;
        let mut kinds = [Self::Token, Self::Lock, Self::Temporary].into_iter();
        let kind = kinds.find(|kind| kind.suffix() == suffix)?;
        let lengths: &[usize] = match kind {
            Self::Token | Self::Lock => &[64],
            Self::Temporary => &[64, 32],
        };
        let parts = stem.split('.').map(|part| {
            let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if digits { part.len() } else { 0 }
        });
        parts.eq(lengths.iter().copied()).then_some(kind)
    }
}

fn temporary_name(name: &str) -> Result<String, BoxError> {
    let unique = random::uuid_hex()?;
    Ok(FileKind::Temporary.file_name(&format!("{name}.{unique}")))
}

/// Returns the names and kinds of this store's files.
fn store_files(directory: &Directory) -> io::Result<Vec<(String, FileKind)>> {
    let names = directory.names()?.into_iter();
    let files = names.filter_map(|name| FileKind::of(&name).map(|kind| (name, kind)));
    Ok(files.collect())
}

/// Deletes expired tokens, the temporary files of killed processes, and the locks of identities without a token. A file
/// that cannot be deleted is foreign.
fn sweep(directory: &Directory, now: SystemTime, token_ttl: Duration) {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = seconds.unwrap_or_default().as_secs();
    let has_expired = |name: &str, ttl: Duration| {
        let modified = directory.modified(name);
        modified.is_ok_and(|modified| modified.saturating_add(ttl.as_secs()) < now)
    };
    let files = store_files(directory).unwrap_or_default();
    let mut tokens = HashSet::new();
    for (name, kind) in &files {
        let ttl = match kind {
            FileKind::Lock => continue,
            FileKind::Token => token_ttl,
            FileKind::Temporary => TEMPORARY_TTL,
        };
        if has_expired(name, ttl) {
            let _ = directory.remove(name);
        } else if *kind == FileKind::Token {
            tokens.insert(stem(name));
        }
    }
    // A new lock may belong to a fetch that has saved no token yet.
    let locks = files.iter().filter(|(_, kind)| *kind == FileKind::Lock);
    for (name, _) in locks {
        if !tokens.contains(stem(name)) && has_expired(name, TEMPORARY_TTL) {
            let _ = directory.delete_lock(name);
        }
    }
}

fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// Reads a file of this user, if there is one. If the file is above the limit, it reads one byte past the limit.
fn read(directory: &Directory, name: &str) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = directory.open_file(name)? else {
        return Ok(None);
    };
    let length = usize::try_from(file.metadata()?.len())
        .unwrap_or(MAX_STORED)
        .min(MAX_STORED);
    let limit = length.saturating_add(1);
    let mut bytes = Vec::with_capacity(limit); // that byte included, so that it never grows
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
