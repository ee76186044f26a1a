//! `KeyFile`: a key that is replaced while the program runs.
#![cfg(feature = "rsa")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{
    Audience, Endpoint, ErrorKind, HmacKey, KeyFile, Profile, Request, Response, RsaKey,
    Signer as _, TokenSource, Transport,
};

const FIRST: &[u8] = include_bytes!("data/keys/rsa-2048.der");
const SECOND: &[u8] = include_bytes!("data/keys/rsa-3072.der");

/// A key file in its own directory.
struct Fixture {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.der");
        fs::write(&path, FIRST).unwrap();
        Self {
            _directory: directory,
            path,
        }
    }
    /// The key id is the key's thumbprint, so that it follows the file.
    fn key(&self) -> KeyFile {
        KeyFile::new(&self.path, |bytes| {
            let key = RsaKey::read(bytes)?;
            let thumbprint = key.thumbprint();
            Ok(key.with_key_id(thumbprint))
        })
        .unwrap()
    }
}

fn profile() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}

fn thumbprint(der: &[u8]) -> String {
    RsaKey::from_der(der).unwrap().thumbprint()
}

fn identity(der: &[u8]) -> Option<[u8; 32]> {
    RsaKey::from_der(der).unwrap().identity()
}

/// A server that records the `kid` of each assertion, denies the first key, and issues a token for the second.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Vec<String>>>);

impl Transport for Server {
    fn send(&self, request: &Request, _timeout: Duration) -> io::Result<Response> {
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let (_, assertion) = body.split_once("client_assertion=").unwrap();
        let header = URL_SAFE_NO_PAD
            .decode(assertion.split('.').next().unwrap())
            .unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        let kid = header["kid"].as_str().unwrap().to_owned();
        let is_first = kid == thumbprint(FIRST);
        self.0.lock().unwrap().push(kid);
        Ok(match is_first {
            true => Response::new(401, r#"{"error":"invalid_client"}"#),
            false => Response::new(200, r#"{"access_token":"t","expires_in":3600}"#),
        })
    }
}

#[test]
fn replaced_key_signs_the_next_assertion_with_its_key_id() {
    let fixture = Fixture::new();
    let server = Server::default();
    let source = TokenSource::with_transport(server.clone(), profile(), fixture.key()).unwrap();
    assert_eq!(
        source.fetch_uncached().unwrap_err().kind(),
        ErrorKind::Denied
    );
    fs::write(&fixture.path, SECOND).unwrap();
    assert_eq!(source.fetch_uncached().unwrap().secret(), "t");
    assert_eq!(
        *server.0.lock().unwrap(),
        [thumbprint(FIRST), thumbprint(SECOND)]
    );
}

/// A caller that signs by itself has no `current` signer.
#[test]
fn key_file_signs_as_its_key_does() {
    let fixture = Fixture::new();
    let (file, key) = (fixture.key(), RsaKey::from_der(FIRST).unwrap());
    assert_eq!(file.algorithm(), key.algorithm());
    assert_eq!(file.key_id(), None);
    assert_eq!(
        file.sign(b"message").unwrap(),
        key.sign(b"message").unwrap()
    );
    let shown = format!("KeyFile({:?})", fixture.path);
    assert_eq!(format!("{file:?}"), shown);
    fs::write(&fixture.path, "the secret of an HMAC key").unwrap();
    let file = KeyFile::new(&fixture.path, |bytes| HmacKey::new(bytes)).unwrap();
    let words = ["code", "not the secret of an HMAC key"].map(str::to_owned);
    assert_eq!(file.redact(words), ["code", "not [..]"]);
}

#[test]
fn identity_follows_the_file() {
    let fixture = Fixture::new();
    let key = fixture.key();
    assert_eq!(key.identity(), identity(FIRST));
    fs::write(&fixture.path, SECOND).unwrap();
    assert_eq!(key.identity(), identity(SECOND));
}

/// A file is not always replaced at once: it may be missing, empty or half written for a while.
#[test]
fn former_key_signs_while_the_file_holds_none() {
    let fixture = Fixture::new();
    let key = fixture.key();
    for content in [&b""[..], &SECOND[..400]] {
        fs::write(&fixture.path, content).unwrap();
        assert_eq!(key.identity(), identity(FIRST));
    }
    fs::remove_file(&fixture.path).unwrap();
    assert_eq!(key.identity(), identity(FIRST));
    fs::write(&fixture.path, SECOND).unwrap();
    assert_eq!(key.identity(), identity(SECOND));
}

#[test]
fn file_that_holds_no_key_at_first_is_an_error() {
    let fixture = Fixture::new();
    let read = || KeyFile::new(&fixture.path, |bytes| RsaKey::read(bytes));
    let named = |problem: &str| format!("{}: {problem}", fixture.path.display());
    fs::write(&fixture.path, "").unwrap();
    assert_eq!(read().unwrap_err().to_string(), named("this is empty"));
    fs::write(&fixture.path, vec![b'-'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(
        read().unwrap_err().to_string(),
        named("the key file is longer than 1 MiB: this is not a key")
    );
    fs::remove_file(&fixture.path).unwrap();
    let error = read().unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Key, named("the key file cannot be read"))
    );
    let source = std::error::Error::source(&error).unwrap();
    let missing = io::Error::from_raw_os_error(2); // ENOENT, and ERROR_FILE_NOT_FOUND of Windows
    assert_eq!(source.to_string(), missing.to_string());
}

/// A store in memory, shared by its clones.
#[derive(Clone, Default)]
struct MemoryStore(Arc<Mutex<std::collections::BTreeMap<String, Vec<u8>>>>);

impl jwt_bearer::TokenStore for MemoryStore {
    fn load(&self, name: &str, _: Duration) -> Result<Option<Vec<u8>>, jwt_bearer::BoxError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }
    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        _: Duration,
        _: Duration,
    ) -> Result<(), jwt_bearer::BoxError> {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn remove(&self, name: &str, _: &[u8], _: Duration) -> Result<(), jwt_bearer::BoxError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
    fn try_lock(
        &self,
        _: &str,
        _: Duration,
    ) -> Result<Option<jwt_bearer::StoreLock>, jwt_bearer::BoxError> {
        Ok(Some(Box::new(())))
    }
}

/// A process that starts after the replacement finds the token that an earlier process has stored.
#[test]
fn name_in_a_token_store_follows_the_file() {
    let fixture = Fixture::new();
    let store = MemoryStore::default();
    let issue = |_: &Request, _: Duration| {
        Ok(Response::new(
            200,
            r#"{"access_token":"t","expires_in":3600}"#,
        ))
    };
    let source = || {
        let source = TokenSource::with_transport(issue, profile(), fixture.key()).unwrap();
        source.with_store(store.clone()).unwrap()
    };
    let old = source();
    old.token().unwrap();
    let first: Vec<_> = store.0.lock().unwrap().keys().cloned().collect();
    fs::write(&fixture.path, SECOND).unwrap();
    old.refresh().unwrap();
    let mut both: Vec<_> = store.0.lock().unwrap().keys().cloned().collect();
    both.retain(|name| !first.contains(name));
    assert_eq!((first.len(), both.len()), (1, 1));
    store.0.lock().unwrap().remove(&first[0]);
    let no_server = |_: &Request, _: Duration| Err(io::Error::other("there is no server"));
    let new = TokenSource::with_transport(no_server, profile(), fixture.key()).unwrap();
    assert_eq!(
        new.with_store(store.clone())
            .unwrap()
            .token()
            .unwrap()
            .secret(),
        "t"
    );
}

/// The token is of the former key, and must not be found by a process that has only the new one.
#[test]
fn token_is_not_stored_if_the_file_is_replaced_during_the_request() {
    let fixture = Fixture::new();
    let store = MemoryStore::default();
    let path = fixture.path.clone();
    let issue = move |_: &Request, _: Duration| {
        fs::write(&path, SECOND)?;
        Ok(Response::new(
            200,
            r#"{"access_token":"t","expires_in":3600}"#,
        ))
    };
    let source = TokenSource::with_transport(issue, profile(), fixture.key()).unwrap();
    let source = source.with_store(store.clone()).unwrap();
    assert_eq!(source.token().unwrap().secret(), "t");
    assert_eq!(store.0.lock().unwrap().len(), 0);
    source.refresh().unwrap(); // with the new key
    assert_eq!(store.0.lock().unwrap().len(), 1);
}

/// A slow read of the old content must not replace the result of a later read.
#[test]
fn later_content_of_the_file_wins_over_a_slow_reading() {
    let fixture = Fixture::new();
    let (slow, started) = (
        Arc::new(Mutex::new(())),
        Arc::new(std::sync::Barrier::new(2)),
    );
    let gate = (slow.clone(), started.clone());
    let key = KeyFile::new(&fixture.path, move |bytes| {
        if bytes == SECOND {
            gate.1.wait();
            drop(gate.0.lock().unwrap());
        }
        RsaKey::read(bytes)
    })
    .unwrap();
    fs::write(&fixture.path, SECOND).unwrap();
    let held = slow.lock().unwrap();
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| key.identity());
        started.wait();
        fs::write(&fixture.path, FIRST).unwrap();
        assert_eq!(key.identity(), identity(FIRST));
        drop(held);
        assert_eq!(reader.join().unwrap(), identity(FIRST)); // not what it read
    });
    assert_eq!(key.identity(), identity(FIRST));
}

/// A token of the former key that the API rejects is removed from the store, and does not come back from it.
#[test]
fn invalidated_token_of_the_former_key_leaves_the_store() {
    let fixture = Fixture::new();
    let store = MemoryStore::default();
    let issue = |_: &Request, _: Duration| {
        Ok(Response::new(
            200,
            r#"{"access_token":"t","expires_in":3600}"#,
        ))
    };
    let source = TokenSource::with_transport(issue, profile(), fixture.key()).unwrap();
    let source = source.with_store(store.clone()).unwrap();
    let token = source.token().unwrap();
    fs::write(&fixture.path, SECOND).unwrap();
    source.invalidate(&token);
    assert_eq!(store.0.lock().unwrap().len(), 0);
}
