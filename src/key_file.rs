//! A key in a file that may be replaced while the program runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::warn;
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::jwt::sha256;
use crate::redact::visible;
use crate::signer::{Algorithm, Signer};

/// The longest file that is read, in bytes. No key and no certificate chain is longer.
const MAX_FILE: u64 = 1024 * 1024;
/// Bytes that are enough for most key files, even if the system does not know their length.
const USUAL_FILE: usize = 8 * 1024;

/// A [`Signer`] whose key is in a file, such as a mounted secret, that is replaced from time to time.
///
/// The file is read again before each assertion, so the first assertion after a replacement, such as
/// the one after a denial, is signed with the new key. Key id and [identity](Signer::identity) follow
/// the file, and with them the name under which a [`TokenStore`](crate::TokenStore) keeps tokens. A
/// token that was issued for the former key is used until it is refreshed, or the server rejects it.
///
/// While the file is missing or does not hold a key, the former key signs, and a warning is logged once. Replace the
/// file by renaming another one over it: the beginning of a half-written secret is a secret too, and would be used as
/// one.
///
/// ```no_run
/// # #[cfg(all(feature = "rsa", feature = "ureq"))] fn run() -> Result<(), jwt_bearer::Error> {
/// # use jwt_bearer::{KeyFile, Profile, RsaKey, TokenSource};
/// let key = KeyFile::new("/run/secrets/key.pem", |bytes| RsaKey::read(bytes))?;
/// # let (consumer_key, username) = ("", "");
/// let profile = Profile::salesforce("https://login.salesforce.com", consumer_key, username)?;
/// let source = TokenSource::new(profile, key)?;
/// # Ok(()) }
/// ```
pub struct KeyFile {
    path: PathBuf,
    read: Box<ReadKey>,
    state: Mutex<FileState>,
}

/// Makes a key from the bytes of its file.
type ReadKey = dyn Fn(&[u8]) -> Result<Arc<dyn Signer>, Error> + Send + Sync;

struct FileState {
    /// The last key that could be read.
    signer: Arc<dyn Signer>,
    /// The hash of the content that was read last, and why it is not a key.
    hash: [u8; 32],
    content_problem: Option<String>,
    /// Why the file cannot be used now. Each reason is logged once.
    problem: Option<String>,
    /// Counts reads of the file. A read that ends after a later one is out of date.
    begun: u64,
    applied: u64,
}

impl KeyFile {
    /// Reads the key in a file. `read` makes a key from the file's bytes, now and after each change. It is a closure
    /// such as `|bytes| Key::read(bytes)`, which may also set algorithm and key id, or use a passphrase.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key) if the file cannot be read, with the system's error as the
    /// [source](std::error::Error::source), or is longer than 1 MiB; also the errors of `read`. The message begins with
    /// the name of the file.
    pub fn new<S: Signer + 'static>(
        path: impl Into<PathBuf>,
        read: impl Fn(&[u8]) -> Result<S, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let path = path.into();
        let name = visible(&path.display().to_string());
        let named = |error: Error| error.with_context(&format!("{name}: "));
        let bytes = read_file(&path).map_err(named)?;
        let state = FileState {
            signer: Arc::new(read(&bytes).map_err(named)?),
            hash: sha256(&bytes),
            content_problem: None,
            problem: None,
            begun: 0,
            applied: 0,
        };
        Ok(Self {
            path,
            read: Box::new(move |bytes| Ok(Arc::new(read(bytes)?))),
            state: Mutex::new(state),
        })
    }

    /// Returns the key that is in the file now, or the former one if that fails.
    fn signer(&self) -> Arc<dyn Signer> {
        let (number, former_hash) = {
            let mut state = self.state();
            state.begun = state.begun.saturating_add(1);
            (state.begun, state.hash)
        };
        // No lock is held while the file is read and parsed. Known content is not parsed again.
        let read = read_file(&self.path).map(|bytes| {
            let hash = sha256(&bytes);
            let signer = (hash != former_hash).then(|| (self.read)(&bytes));
            (hash, signer)
        });
        let mut state = self.state();
        if number < state.applied {
            return state.signer.clone();
        }
        state.applied = number;
        let problem = match read {
            Err(error) => Some(with_cause(&error)),
            Ok((_, None)) => state.content_problem.clone(),
            Ok((hash, Some(outcome))) => {
                state.hash = hash;
                state.content_problem = match outcome {
                    Ok(signer) => {
                        state.signer = signer;
                        None
                    }
                    Err(error) => Some(with_cause(&error)),
                };
                state.content_problem.clone()
            }
        };
        let is_new = problem.is_some() && problem != state.problem;
        state.problem = problem.clone();
        let signer = state.signer.clone();
        drop(state); // a logger is foreign code
        if let Some(problem) = problem.filter(|_| is_new) {
            let path = self.path.display().to_string();
            warn!(
                "{}",
                visible(&format!("{path}: {problem}: the former key signs"))
            );
        }
        signer
    }
    fn state(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Reads a file. A regular file that does not grow during the read leaves no copies in freed memory.
fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = || {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len().min(MAX_FILE)).unwrap_or_default();
        // More than the file has, so that its end is found without growing the buffer.
        let capacity = length.saturating_add(USUAL_FILE);
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(MAX_FILE.saturating_add(1))
            .read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let bytes =
        read().map_err(|error| Error::key("the key file cannot be read").with_source(error))?;
    match u64::try_from(bytes.len()) {
        Ok(0..=MAX_FILE) => Ok(bytes),
        _ => Err(Error::key(
            "the key file is longer than 1 MiB: this is not a key",
        )),
    }
}

impl Signer for KeyFile {
    fn algorithm(&self) -> Algorithm {
        self.signer().algorithm()
    }
    /// Returns `None`: the key id of the [`current`](Signer::current) signer is used.
    fn key_id(&self) -> Option<&str> {
        None
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        self.signer().sign(message)
    }
    fn redact(&self, words: [String; 2]) -> [String; 2] {
        self.signer().redact(words)
    }
    fn identity(&self) -> Option<[u8; 32]> {
        self.signer().identity()
    }
    fn current(&self) -> Option<Arc<dyn Signer>> {
        Some(self.signer())
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyFile").field(&self.path).finish()
    }
}
