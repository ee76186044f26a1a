//! Tokens that later runs take: where they are kept, and what the store had to say.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;
use std::{env, fs, io};

use log::{Level, LevelFilter, Log, Metadata, Record};

use jwt_bearer::{BoxError, FileStore, StoreLock, TokenSource, TokenStore};

use crate::args::Cache;
use crate::report::{Failure, row, tell, warn};

/// `source`, over a cache where one is asked for.
pub(crate) fn cached(
    source: TokenSource,
    cache: Cache,
    verbose: bool,
) -> Result<TokenSource, Failure> {
    if !cache.cache && cache.cache_dir.is_none() {
        return Ok(source);
    }
    let directory = place(cache.cache_dir)?;
    let store = open(&directory)?;
    if log::set_logger(&WARNINGS).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
    Ok(match verbose {
        true => source.with_store(Shown(store))?,
        false => source.with_store(store)?,
    })
}

/// Empties a cache, and says on standard error how many tokens it held.
pub(crate) fn forget(directory: Option<PathBuf>) -> Result<(), Failure> {
    let directory = place(directory)?;
    let removed = match fs::symlink_metadata(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        _ => {
            let removed = open(&directory)?.clear();
            removed.map_err(|error| about(&directory, &error))?
        }
    };
    tell(match removed {
        1 => "1 token is forgotten".to_owned(),
        count => format!("{count} tokens are forgotten"),
    });
    Ok(())
}

/// `directory`, else one below the user's cache directory: `$XDG_CACHE_HOME`, or what the platform has.
fn place(directory: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let own = || {
        let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        // The XDG Base Directory Specification: a relative one is to be ignored.
        let base = xdg
            .filter(|path| path.is_absolute())
            .or_else(dirs::cache_dir);
        base.map(|base| base.join("jwt-bearer"))
    };
    directory.or_else(own).ok_or_else(|| {
        Failure::config("this user has no cache directory: give one with --cache-dir")
    })
}

fn open(directory: &Path) -> Result<FileStore, Failure> {
    FileStore::new(directory).map_err(|error| about(directory, &error))
}

fn about(directory: &Path, error: &io::Error) -> Failure {
    Failure::config(format!("{}: {error}", directory.display()))
}

/// The first failure of the cache is said, since a token that is fetched every time is not what was asked for.
struct Warnings(Once);

static WARNINGS: Warnings = Warnings(Once::new());

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Warn
    }
    fn log(&self, record: &Record<'_>) {
        let message = record.args().to_string();
        let failed = message.split_once("token store: ");
        if let Some((_, failed)) = failed.filter(|(_, what)| what.contains(" failed: ")) {
            self.0.call_once(|| warn(&format!("cache: {failed}")));
        }
    }
    fn flush(&self) {}
}

/// The same store, shown at work.
struct Shown(FileStore);

impl TokenStore for Shown {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        let loaded = self.0.load(name, timeout)?;
        let what = if loaded.is_some() {
            "a token"
        } else {
            "no token"
        };
        row(("cache", format!("{what} is kept")));
        Ok(loaded)
    }
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        timeout: Duration,
    ) -> Result<(), BoxError> {
        self.0.save(name, bytes, lifetime, timeout)
    }
    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        self.0.remove(name, bytes, timeout)
    }
    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.0.try_lock(name, timeout)
    }
}
