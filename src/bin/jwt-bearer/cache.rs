//! The directory that shares tokens between runs: `--cache`, `--cache-dir`, `--refresh`, `--min-lifetime` and
//! `forget`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use jwt_bearer::{
    AccessToken, BoxError, FileStore, Request, StoreLock, TokenSource, TokenState, TokenStore,
};

use crate::failure::Failure;
use crate::files;
use crate::messages::{print_message, print_note, print_trace};
use crate::options::CacheOptions;
use crate::profiles::ProfileAndSigner;
use crate::secrets::SharedSecrets;
use crate::trace;

/// Returns `source` with a token store if the options ask for one and it can be opened.
///
/// With the secrets of `-v`, shows whether the store has a token. A cache that cannot be opened only causes a warning,
/// since a token can be had without it.
pub(crate) fn with_cache(
    source: TokenSource,
    options: &CacheOptions,
    secrets: Option<SharedSecrets>,
) -> Result<TokenSource, Failure> {
    if !options.is_used() {
        return Ok(source);
    }
    let store = directory(options.cache_dir.as_deref()).and_then(|directory| open(&directory));
    let store = match store {
        Ok(store) => store,
        Err(message) => {
            print_message(&format!("cache: {message}; the token is not shared"));
            return Ok(source);
        }
    };
    Ok(match secrets {
        Some(secrets) => source.with_store(TracedStore { store, secrets })?,
        None => source.with_store(store)?,
    })
}

/// Returns a token that lives as long as the options ask for, and warns of anything that the user should know.
///
/// # Errors
/// If no such token can be had.
pub(crate) fn token(source: &TokenSource, options: &CacheOptions) -> Result<AccessToken, Failure> {
    let min_lifetime = Duration::from_secs(options.min_lifetime.unwrap_or_default());
    let token = match options.refresh {
        true => source.refresh(),
        false => source.token_with_lifetime(min_lifetime),
    };
    let status = source.status();
    if let Some(error) = status.store_error {
        print_message(&format!("cache: {error}"));
    }
    let token = token?;
    let lifetime = remaining_lifetime(&token);
    if let (TokenState::Refreshable, Some(error)) = (status.state, status.last_error) {
        let seconds = lifetime.as_secs();
        print_message(&format!(
            "the cached token is used for its last {seconds} s, since no new one can be had: {error}"
        ));
    }
    if lifetime < min_lifetime {
        let seconds = lifetime.as_secs();
        print_message(&format!(
            "the server's new token lives {seconds} s, less than --min-lifetime asks for"
        ));
    }
    Ok(token)
}

fn remaining_lifetime(token: &AccessToken) -> Duration {
    let remaining = token.expires_at().duration_since(SystemTime::now());
    remaining.unwrap_or_default()
}

/// Removes all tokens from a cache, or the token of one profile, and prints their number to standard error.
///
/// # Errors
/// If the cache cannot be opened, or a token cannot be removed.
pub(crate) fn forget(
    cache_dir: Option<&Path>,
    profile: Option<ProfileAndSigner>,
) -> Result<(), Failure> {
    let directory = directory(cache_dir).map_err(Failure::config)?;
    let removed = match (fs::metadata(&directory), profile) {
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => 0,
        (_, None) => {
            let removed = open(&directory).map_err(Failure::config)?.clear();
            removed.map_err(|error| Failure::config(describe(&directory, &error)))?
        }
        (_, Some(profile)) => {
            let store = open(&directory).map_err(Failure::config)?;
            usize::from(forget_profile(store, profile)?)
        }
    };
    print_note(match removed {
        1 => "1 token removed".to_owned(),
        count => format!("{count} tokens removed"),
    });
    Ok(())
}

/// Removes the token of one profile. Returns whether there was one.
fn forget_profile(store: FileStore, profile: ProfileAndSigner) -> Result<bool, Failure> {
    let offline = |_: &Request, _: Duration| Err(io::ErrorKind::Unsupported.into());
    let source = TokenSource::with_transport(offline, profile.profile, profile.signer)?;
    let source = source.with_store(store)?;
    let is_removed = source.clear();
    match source.status().store_error {
        Some(error) => Err(Failure::config(format!("cache: {error}"))),
        None => Ok(is_removed),
    }
}

/// Returns `cache_dir`, or the default: below `$XDG_CACHE_HOME`, else below the platform's cache directory.
fn directory(cache_dir: Option<&Path>) -> Result<PathBuf, String> {
    let default = || {
        let base = files::directory("XDG_CACHE_HOME", dirs::cache_dir);
        base.map(|base| base.join("jwt-bearer"))
    };
    cache_dir
        .map(Path::to_owned)
        .or_else(default)
        .ok_or_else(|| "this user has no cache directory: give one with --cache-dir".to_owned())
}

fn open(directory: &Path) -> Result<FileStore, String> {
    FileStore::new(directory).map_err(|error| describe(directory, &error))
}

/// Describes a failure. A directory that does not exist is not named, since it may be a secret given by mistake.
fn describe(directory: &Path, error: &io::Error) -> String {
    let (name, error) = (directory.display().to_string(), error.to_string());
    match fs::symlink_metadata(directory) {
        Ok(_) => format!("{name}: {error}"),
        Err(_) => {
            let error = error.replace(&name, "the directory");
            format!("the directory cannot be made or opened: {error}")
        }
    }
}

/// A store that shows, for `-v`, whether it had a token, and keeps that token from being shown.
struct TracedStore {
    store: FileStore,
    secrets: SharedSecrets,
}

impl TokenStore for TracedStore {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        let loaded = self.store.load(name, timeout)?;
        let text = match &loaded {
            Some(bytes) => {
                trace::add_stored_token(&self.secrets, bytes);
                "a token is stored"
            }
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
        self.store.save(name, bytes, lifetime, timeout)
    }
    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        self.store.remove(name, bytes, timeout)
    }
    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock>, BoxError> {
        self.store.try_lock(name, timeout)
    }
}
