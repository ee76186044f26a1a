//! A directory of tokens and the files in it, on Windows.
//!
//! The directory is opened at every call, and stays open during the call without the right to share deletion, so that
//! nobody can put another one in its place. Neither it nor a file in it may be a reparse point, which is what links and
//! junctions are. A lock is a file that is open and shares nothing. Access control lists are not read.

use std::fs::{self, File, OpenOptions};
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{io, thread};

// Constants of the Windows API, with the same names.
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x0400;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000; // without it, no directory is opened
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_SHARING_VIOLATION: i32 = 32;

/// Pauses before retrying a file that another program has open, as virus scanners do with every new file. Together they
/// are less than the second that a call to a store may take.
const PAUSES: [Duration; 7] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
];
const DIRECTORY: &str = "the directory of the tokens";

/// A directory, and a handle that keeps it in place.
pub(super) struct Directory {
    path: PathBuf,
    _handle: File,
}

impl Directory {
    /// Opens a directory, and creates it if it does not exist.
    pub(super) fn open(path: &Path, _is_ours: fn(&str) -> bool) -> io::Result<Self> {
        let open = || {
            OpenOptions::new()
                .read(true)
                .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
                .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
                .open(path)
        };
        let handle = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path)?;
                open()?
            }
            other => other?,
        };
        let metadata = handle.metadata()?;
        if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(permission_denied(&format!(
                "{DIRECTORY} is a link or a junction: give the directory itself"
            )));
        }
        if !metadata.is_dir() {
            return Err(permission_denied(&format!(
                "{DIRECTORY} is not a directory"
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            _handle: handle,
        })
    }

    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        fs::read_dir(&self.path)?.map(name).collect()
    }

    /// Creates a file, which must not exist yet.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        options.open(self.path.join(name))
    }

    /// Opens a file for reading, if there is one.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
        let file = match with_pauses(|| options.open(self.path.join(name))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let metadata = file.metadata()?;
        if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(permission_denied("a token's file is a link"));
        }
        if !metadata.is_file() {
            return Err(permission_denied("a token's file is not a regular file"));
        }
        Ok(Some(file))
    }

    /// Renames a file, replacing any file with the new name.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        with_pauses(|| fs::rename(self.path.join(from), self.path.join(to)))
    }

    /// Gives a file a second name, unless another file has it.
    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.path.join(from), self.path.join(to))
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        with_pauses(|| fs::remove_file(self.path.join(name)))
    }

    /// Returns when a file was modified, in Unix seconds.
    pub(super) fn modified(&self, name: &str) -> io::Result<u64> {
        let modified = fs::symlink_metadata(self.path.join(name))?.modified()?;
        let since = modified.duration_since(SystemTime::UNIX_EPOCH);
        Ok(since.unwrap_or_default().as_secs())
    }

    /// Creates a file and locks it, unless another process has locked it.
    ///
    /// The system releases the lock when the process ends, even if it is killed.
    pub(super) fn lock(&self, name: &str) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .share_mode(0)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        let path = self.path.join(name);
        let open = || match options.open(&path) {
            Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
            other => other.map(Some),
        };
        // A file that is being deleted denies access until it is gone.
        let Some(file) = with_pauses(open)? else {
            return Ok(None);
        };
        match file.metadata()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT {
            0 => Ok(Some(file)),
            _ => Err(permission_denied("a token's lock is a link")),
        }
    }

    /// Deletes a lock file. A lock in use stays, because its handle does not share deletion.
    pub(super) fn delete_lock(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(()),
            other => other,
        }
    }
}

/// Retries while another program has the file open.
fn with_pauses<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for pause in PAUSES {
        match call() {
            Err(error) if is_in_use(&error) => thread::sleep(pause),
            other => return other,
        }
    }
    call()
}

fn is_in_use(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code.is_some_and(|code| [ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION].contains(&code))
}

fn permission_denied(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
