//! A key in a file that may be replaced while the program runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::warn;
use zeroize::Zeroizing;

use crate::error::{BoxError, Error};
use crate::jwt::sha256;
use crate::signer::{Algorithm, Signer};

/// The longest file that is read, in bytes. No key and no certificate chain is longer.
const MAX_FILE: u64 = 1024 * 1024;

/// A [`Signer`] whose key is in a file, such as a mounted secret, that is replaced from time to time.
///
/// The file is read again before each assertion, so that the first assertion after a replacement is
/// signed with the new key: also the repetition of a request that the server denied. Key id and
/// [identity](Signer::identity) follow the file, and with them the names under which a
/// [`TokenStore`](crate::TokenStore) keeps tokens. A token that was issued for the former key stays in
/// use until it is refreshed, or the server rejects it.
///
/// While the file is missing or does not hold a key, the former key signs, and a warning is logged.
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
    read: Box<Read>,
    current: Mutex<Current>,
}

/// Makes a key of the bytes of its file.
type Read = dyn Fn(&[u8]) -> Result<Arc<dyn Signer>, Error> + Send + Sync;

/// A key and the hash of the file that it was read from.
#[derive(Clone)]
struct Current {
    signer: Arc<dyn Signer>,
    hash: [u8; 32],
}

impl KeyFile {
    /// Reads the key in a file. `read` makes a key of the file's bytes, now and after each change:
    /// [`RsaKey::read`](crate::RsaKey::read), [`Key::read`](crate::Key::read), or a closure that also
    /// sets algorithm, key id or passphrase.
    ///
    /// # Errors
    /// Kind [`Key`](crate::ErrorKind::Key): the file cannot be read, with the system's error as the
    /// [source](std::error::Error::source), or is longer than 1 MiB; and the errors of `read`.
    pub fn new<S: Signer + 'static>(
        path: impl Into<PathBuf>,
        read: impl Fn(&[u8]) -> Result<S, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let path = path.into();
        let bytes = read_file(&path)?;
        let current = Current {
            signer: Arc::new(read(&bytes)?),
            hash: sha256(&bytes),
        };
        Ok(Self {
            path,
            read: Box::new(move |bytes| Ok(Arc::new(read(bytes)?))),
            current: Mutex::new(current),
        })
    }

    /// Returns the key that is in the file now, or the former one where that is not possible.
    fn signer(&self) -> Arc<dyn Signer> {
        let former = self.lock().clone();
        let read = || {
            let bytes = read_file(&self.path)?;
            let hash = sha256(&bytes);
            let is_new = hash != former.hash;
            let signer = is_new.then(|| (self.read)(&bytes)).transpose()?;
            Ok::<_, Error>(signer.map(|signer| Current { signer, hash }))
        };
        match read() {
            Ok(None) => former.signer,
            Ok(Some(new)) => {
                *self.lock() = new.clone();
                new.signer
            }
            Err(error) => {
                warn!("the key file cannot be used, and the former key signs: {error}");
                former.signer
            }
        }
    }
    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file without leaving copies of it in freed memory.
fn read_file(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = || {
        let file = File::open(path)?;
        let length = file.metadata()?.len().min(MAX_FILE);
        let capacity = usize::try_from(length).unwrap_or_default();
        // One more byte than there should be, so that the end is found without growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity.saturating_add(1)));
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
        f.write_str("KeyFile(..)")
    }
}
