//! Tokens in Redis: a key an identity that ends with its token, and a lock beside it that ends by itself.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Client, Cmd, Connection, FromRedisValue, RedisError, RedisResult, cmd};

use super::{MAX_STORED, StoreLock, TokenStore};
use crate::error::{BoxError, Error};
use crate::random;

/// A lock whose owner died, or never heard that it has it, ends by itself: later than an attempt, sooner than others stop waiting for it.
const LOCK: Duration = Duration::from_secs(15);
/// As long as giving a lock back may take. It ends by itself where that fails.
const UNLOCK: Duration = Duration::from_secs(1);
/// Connections that are kept open: sources that share a store seldom ask at the same time.
const MAX_IDLE: usize = 8;

const SILENT: &str = "Redis does not answer in time";
/// Sets the key to its owner, as often as the owner asks: an answer may get lost.
const TAKE: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
    if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end return 0";
/// Removes the key where it still has this value.
const REMOVE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Keeps tokens in Redis 2.6.12 or newer, for many machines.
///
/// Keys are `jwt-bearer:` and 64 digits, and the same with `:lock`. Values hold access tokens and are not
/// encrypted: whoever reads that database can spend them. Give it a password or an ACL of its own (`+getrange +set
/// +get +del +eval`), and TLS where it is another machine.
pub struct RedisStore {
    client: Client,
    idle: Mutex<Vec<Connection>>,
}

impl RedisStore {
    /// Connects at the first use. `url` is `redis://[[user]:password@]host[:port][/database]`, `rediss://` over
    /// TLS with the roots of the operating system (or of the file that `SSL_CERT_FILE` names), or `unix:///path`.
    /// A password is percent-encoded.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) where it is something else. It is not quoted.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        // The parser's own errors are dropped: the URL has a password in it.
        let client = Client::open(url.as_ref());
        let client = client
            .map_err(|_| Error::config("the URL of Redis is not redis://, rediss:// or unix://, with its password percent-encoded"))?;
        Ok(Self {
            client,
            idle: Mutex::default(),
        })
    }

    /// One command over a kept connection, or over a new one where that is gone: all of them may come twice.
    fn ask<T: FromRedisValue>(&self, command: &Cmd, time: Duration) -> Result<T, BoxError> {
        let step = time.mul_f64(1.0 / 3.0).max(Duration::from_millis(1)); // a kept one, a new one, and it again
        let kept = self.idle().pop();
        if let Some(answer) = kept.and_then(|kept| self.run(kept, command, step).transpose()) {
            return answer.map_err(told);
        }
        let new = self.client.get_connection_with_timeout(step);
        let answer = new.and_then(|new| self.run(new, command, step));
        answer.map_err(told)?.ok_or_else(|| SILENT.into())
    }

    /// `None` where the connection does not work any more.
    fn run<T: FromRedisValue>(
        &self,
        mut connection: Connection,
        command: &Cmd,
        time: Duration,
    ) -> RedisResult<Option<T>> {
        connection.set_read_timeout(Some(time))?;
        connection.set_write_timeout(Some(time))?;
        match command.query(&mut connection) {
            Err(error) if error.is_io_error() => Ok(None),
            answer => {
                let mut idle = self.idle();
                if idle.len() < MAX_IDLE {
                    idle.push(connection);
                }
                answer.map(Some)
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenStore for RedisStore {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        let mut load = cmd("GETRANGE"); // of a longer value only so much that it is too long
        load.arg(key(name)).arg(0).arg(MAX_STORED);
        let bytes: Vec<u8> = self.ask(&load, timeout)?;
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    fn save(
        &self,
        name: &str,
        bytes: &[u8],
        lifetime: Duration,
        timeout: Duration,
    ) -> Result<(), BoxError> {
        let mut save = cmd("SET");
        save.arg(key(name))
            .arg(bytes)
            .arg("PX")
            .arg(milliseconds(lifetime));
        self.ask(&save, timeout)
    }

    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        let mut remove = cmd("EVAL");
        remove.arg(REMOVE).arg(1).arg(key(name)).arg(bytes);
        self.ask(&remove, timeout)
    }

    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock>, BoxError> {
        let (key, owner) = (format!("{}:lock", key(name)), random::uuid(true)?);
        let mut take = cmd("EVAL");
        take.arg(TAKE)
            .arg(1)
            .arg(&key)
            .arg(&owner)
            .arg(milliseconds(LOCK));
        let is_ours: bool = self.ask(&take, timeout)?;
        Ok(is_ours.then(|| -> StoreLock {
            Box::new(Owned {
                store: RedisStore {
                    client: self.client.clone(),
                    idle: Mutex::default(),
                },
                key,
                owner,
            })
        }))
    }
}

/// A lock of this process.
struct Owned {
    store: RedisStore,
    key: String,
    owner: String,
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut release = cmd("EVAL");
        release.arg(REMOVE).arg(1).arg(&self.key).arg(&self.owner);
        // Where this fails it ends by itself.
        let _: Result<(), BoxError> = self.store.ask(&release, UNLOCK);
    }
}

fn key(name: &str) -> String {
    format!("jwt-bearer:{name}")
}

/// At least one: Redis takes no zero.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// A server's own words may repeat what it was sent, a token among it: a code that looks like one says enough.
fn told(error: RedisError) -> BoxError {
    let is_code = |code: &&str| code.len() <= 12 && code.bytes().all(|b| b.is_ascii_uppercase());
    match error.code().filter(is_code) {
        Some(code) => format!("Redis says {code}").into(),
        None if error.is_timeout() => SILENT.into(),
        None if error.is_io_error() => error.into(),
        None => format!("Redis: {}", error.category()).into(),
    }
}

/// The host, never the password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field(
                "address",
                &self.client.get_connection_info().addr().to_string(),
            )
            .finish_non_exhaustive()
    }
}
