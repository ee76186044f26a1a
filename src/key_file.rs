//! A key in a file that may be replaced while the program runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::warn;
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::key::hash::sha256;
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

/// What a read has found in the file.
#[derive(Clone)]
struct Content {
    hash: [u8; 32],
    /// The key, or why the content is none.
    key: Result<Arc<dyn Signer>, String>,
}

struct FileState {
    /// The last key that could be read.
    signer: Arc<dyn Signer>,
    /// What was read last.
    content: Content,
    /// Why the former key signs. Each reason is logged once.
    problem: Option<String>,
    /// Reads are numbered as they begin. One that ends after a later one is out of date.
    last_begun: u64,
    last_applied: u64,
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
        let signer: Arc<dyn Signer> = Arc::new(read(&bytes).map_err(named)?);
        let content = Content {
            hash: sha256(&bytes),
            key: Ok(signer.clone()),
        };
        let state = FileState {
            signer,
            content,
            problem: None,
            last_begun: 0,
            last_applied: 0,
        };
        Ok(Self {
            path,
            read: Box::new(move |bytes| Ok(Arc::new(read(bytes)?))),
            state: Mutex::new(state),
        })
    }

    /// Returns the key that is in the file now, or the former one if that fails.
    fn signer(&self) -> Arc<dyn Signer> {
        let (number, known) = {
            let mut state = self.state();
            state.last_begun = state.last_begun.saturating_add(1);
            (state.last_begun, state.content.clone())
        };
        // No lock is held while the file is read and parsed, nor while a logger, which is foreign code, is called.
        let read = self.read_content(known);
        let (signer, problem) = self.state().apply(number, read);
        if let Some(problem) = problem {
            let path = self.path.display().to_string();
            warn!(
                "{}",
                visible(&format!("{path}: {problem}: the former key signs"))
            );
        }
        signer
    }

    /// Reads the file. Known content is not parsed again.
    fn read_content(&self, known: Content) -> Result<Content, String> {
        let bytes = read_file(&self.path).map_err(with_cause)?;
        let hash = sha256(&bytes);
        if hash == known.hash {
            return Ok(known);
        }
        let key = (self.read)(&bytes).map_err(with_cause);
        Ok(Content { hash, key })
    }

    fn state(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileState {
    /// Applies the outcome of a read, unless a later one was applied. Returns the key that signs, and a problem that is
    /// to be logged.
    fn apply(
        &mut self,
        number: u64,
        read: Result<Content, String>,
    ) -> (Arc<dyn Signer>, Option<String>) {
        if number < self.last_applied {
            return (self.signer.clone(), None);
        }
        self.last_applied = number;
        let key = read.and_then(|content| {
            self.content = content;
            self.content.key.clone()
        });
        let problem = match key {
            Ok(key) => {
                self.signer = key;
                None
            }
            Err(problem) => Some(problem),
        };
        let former = mem::replace(&mut self.problem, problem.clone());
        (
            self.signer.clone(),
            problem.filter(|problem| former.as_ref() != Some(problem)),
        )
    }
}

fn with_cause(error: Error) -> String {
    match std::error::Error::source(&error) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::HmacKey;

    fn content(secret: &str) -> (Content, Arc<dyn Signer>) {
        let key: Arc<dyn Signer> = Arc::new(HmacKey::new(secret).unwrap());
        let content = Content {
            hash: sha256(secret.as_bytes()),
            key: Ok(key.clone()),
        };
        (content, key)
    }

    /// A read may see known content although another one, which began before it, has seen a replacement since.
    #[test]
    fn known_content_signs_with_its_own_key() {
        let ((first, first_key), (second, second_key)) = (content("first"), content("second"));
        let mut state = FileState {
            signer: first_key.clone(),
            content: first.clone(),
            problem: None,
            last_begun: 2,
            last_applied: 0,
        };
        for (number, content, expected) in [(1, second, second_key), (2, first, first_key)] {
            let (key, problem) = state.apply(number, Ok(content));
            assert_eq!((key.identity(), problem), (expected.identity(), None));
        }
    }
}
