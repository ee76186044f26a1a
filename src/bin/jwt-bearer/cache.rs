//! Tokens that later runs take: where they are kept, and what the store had to say.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use jwt_bearer::{BoxError, FileStore, Lock, TokenSource, TokenStore};

use crate::args::Cache;
use crate::report::{Failure, tell, warn};

/// `source`, over a cache where one is asked for.
pub(crate) fn cached(source: TokenSource, cache: Cache) -> Result<TokenSource, Failure> {
    match cache.cache || cache.cache_dir.is_some() {
        true => Ok(source.with_store(Heard(open(cache.cache_dir)?))),
        false => Ok(source),
    }
}

/// Empties a cache, and says on standard error how many tokens it held.
pub(crate) fn forget(directory: Option<PathBuf>) -> Result<(), Failure> {
    let removed = open(directory)?.clear();
    let removed = removed.map_err(|error| Failure::config(error.to_string()))?;
    tell(match removed {
        1 => "1 token is forgotten".to_owned(),
        count => format!("{count} tokens are forgotten"),
    });
    Ok(())
}

/// In `directory`, else below the user's cache directory: `$XDG_CACHE_HOME`, or what the platform has.
fn open(directory: Option<PathBuf>) -> Result<FileStore, Failure> {
    let own = || {
        let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        // The XDG Base Directory Specification: a relative one is to be ignored.
        let base = xdg
            .filter(|path| path.is_absolute())
            .or_else(dirs::cache_dir);
        base.map(|base| base.join("jwt-bearer"))
    };
    let directory = directory.or_else(own).ok_or_else(|| {
        Failure::config("this user has no cache directory: give one with --cache-dir")
    })?;
    let opened = FileStore::new(&directory);
    opened.map_err(|error| Failure::config(format!("{}: {error}", directory.display())))
}

/// The same store, heard: what fails is said, since a token that is fetched every time is not what was asked for.
struct Heard(FileStore);

impl Heard {
    fn hear<T>(result: Result<T, BoxError>) -> Result<T, BoxError> {
        result.inspect_err(|error| warn(&format!("the cache is not used: {error}")))
    }
}

impl TokenStore for Heard {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        Self::hear(self.0.load(name, timeout))
    }
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        timeout: Duration,
    ) -> Result<(), BoxError> {
        Self::hear(self.0.save(name, bytes, lifetime, timeout))
    }
    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        Self::hear(self.0.remove(name, bytes, timeout))
    }
    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<Lock<'_>>, BoxError> {
        Self::hear(self.0.try_lock(name, timeout))
    }
}
