//! The directory that shares tokens between runs: `--cache`, `--cache-dir` and `forget`.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use jwt_bearer::{BoxError, FileStore, StoreLock, TokenSource, TokenStore};

use crate::args::CacheOptions;
use crate::output::{Failure, print_message, print_to_stderr, print_trace};

/// Returns `source` with a token store if the options ask for one.
pub(crate) fn with_cache(
    source: TokenSource,
    options: CacheOptions,
    is_verbose: bool,
) -> Result<TokenSource, Failure> {
    if !options.cache && options.cache_dir.is_none() {
        return Ok(source);
    }
    let store = open(&directory(options.cache_dir)?)?;
    Ok(match is_verbose {
        true => source.with_store(TracedStore(store))?,
        false => source.with_store(store)?,
    })
}

/// Warns if the token store failed: the user asked for a cache, and now every run fetches a token.
pub(crate) fn warn_of_store_error(source: &TokenSource) {
    if let Some(error) = source.status().store_error {
        print_message(&format!("cache: {error}"));
    }
}

/// Removes all tokens from a cache, and prints their number to standard error.
pub(crate) fn forget(cache_dir: Option<PathBuf>) -> Result<(), Failure> {
    let directory = directory(cache_dir)?;
    let removed = match fs::symlink_metadata(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        _ => {
            let removed = open(&directory)?.clear();
            removed.map_err(|error| failure(&directory, &error))?
        }
    };
    print_to_stderr(match removed {
        1 => "1 token removed".to_owned(),
        count => format!("{count} tokens removed"),
    });
    Ok(())
}

/// Returns `cache_dir`, or the default: below `$XDG_CACHE_HOME`, else below the platform's cache directory.
fn directory(cache_dir: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let default = || {
        let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        // The XDG Base Directory Specification says that a relative path is ignored.
        let base = xdg
            .filter(|path| path.is_absolute())
            .or_else(dirs::cache_dir);
        base.map(|base| base.join("jwt-bearer"))
    };
    cache_dir.or_else(default).ok_or_else(|| {
        Failure::config("this user has no cache directory: give one with --cache-dir")
    })
}

fn open(directory: &Path) -> Result<FileStore, Failure> {
    FileStore::new(directory).map_err(|error| failure(directory, &error))
}

fn failure(directory: &Path, error: &io::Error) -> Failure {
    Failure::config(format!("{}: {error}", directory.display()))
}

/// A store that shows, for `-v`, whether it had a token.
struct TracedStore(FileStore);

impl TokenStore for TracedStore {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        let loaded = self.0.load(name, timeout)?;
        let text = match loaded {
            Some(_) => "a token is stored",
            None => "no token is stored",
        };
        print_trace(("cache", text.to_owned()));
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
