//! `RedisStore`: one key per identity, which expires with its token, and one key for its lock.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Client, Cmd, Connection, FromRedisValue, RedisError, RedisResult, cmd};

use super::{MAX_STORED, StoreLock, TokenStore};
use crate::error::{BoxError, Error};
use crate::random;

/// A lock expires after this time if its owner has died or never received the reply: later than an attempt ends, and
/// before others stop waiting for the lock.
const LOCK_TTL: Duration = Duration::from_secs(15);
/// The time limit for releasing a lock, which expires anyway.
const UNLOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// The number of idle connections: sources that share a store seldom call it at the same time.
const MAX_IDLE: usize = 8;

const TIMED_OUT: &str = "Redis does not answer in time";
/// Sets the key to its owner if it is free or already theirs: a retry follows when the reply was lost.
const LOCK: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
    if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end return 0";
/// Deletes the key if it still has this value.
const REMOVE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Keeps tokens in Redis 2.6.12 or newer, for many machines.
///
/// Keys are `jwt-bearer:` and 64 hexadecimal digits, with `:lock` behind them for locks. Values contain access tokens
/// and are not encrypted: whoever can read that database can use the tokens. Give the store a password or an ACL of
/// its own (`+getrange +set +get +del +eval`), and TLS if Redis is on another machine.
pub struct RedisStore {
    client: Client,
    idle: Mutex<Vec<Connection>>,
}

impl RedisStore {
    /// Returns a store that connects at its first use.
    ///
    /// `url` is `redis://[[user]:password@]host[:port][/database]`, `rediss://` over TLS with the roots of the
    /// operating system (or of the file that `SSL_CERT_FILE` names), or `unix:///path`. A password is percent-encoded.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if `url` is not one of these. The error does not quote it.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        // The error of the parser is dropped, because the URL contains a password.
        let client = Client::open(url.as_ref());
        let client = client
            .map_err(|_| Error::config("the URL of Redis is not redis://, rediss:// or unix://, with its password percent-encoded"))?;
        Ok(Self {
            client,
            idle: Mutex::default(),
        })
    }

    /// Sends a command over an idle connection, or over a new one if that is closed. Each command may arrive twice.
    fn query<T: FromRedisValue>(&self, command: &Cmd, time: Duration) -> Result<T, BoxError> {
        let step = time.mul_f64(1.0 / 3.0).max(Duration::from_millis(1)); // one idle connection, one connect, one new connection
        let idle = self.idle().pop();
        if let Some(answer) = idle.and_then(|idle| self.run(idle, command, step).transpose()) {
            return answer.map_err(into_error);
        }
        let new = self.client.get_connection_with_timeout(step);
        let answer = new.and_then(|new| self.run(new, command, step));
        answer.map_err(into_error)?.ok_or_else(|| TIMED_OUT.into())
    }

    /// Returns `None` if the connection is closed or too slow.
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
        let mut load = cmd("GETRANGE"); // of a value above the limit, one byte too many
        load.arg(key(name)).arg(0).arg(MAX_KEPT);
        let bytes: Vec<u8> = self.query(&load, timeout)?;
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
        self.query(&save, timeout)
    }

    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        let mut remove = cmd("EVAL");
        remove.arg(REMOVE).arg(1).arg(key(name)).arg(bytes);
        self.query(&remove, timeout)
    }

    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock>, BoxError> {
        let (key, owner) = (format!("{}:lock", key(name)), random::uuid(true)?);
        let mut take = cmd("EVAL");
        take.arg(LOCK)
            .arg(1)
            .arg(&key)
            .arg(&owner)
            .arg(milliseconds(LOCK_TTL));
        let is_ours: bool = self.query(&take, timeout)?;
        Ok(is_ours.then(|| -> StoreLock<'_> {
            Box::new(RedisLock {
                store: self,
                key,
                owner,
            })
        }))
    }
}

/// A lock of this process, released when it is dropped.
struct RedisLock<'s> {
    store: &'s RedisStore,
    key: String,
    owner: String,
}

impl Drop for RedisLock<'_> {
    fn drop(&mut self) {
        let mut release = cmd("EVAL");
        release.arg(REMOVE).arg(1).arg(&self.key).arg(&self.owner);
        // If this fails, the lock expires.
        let _: Result<(), BoxError> = self.store.query(&release, UNLOCK_TIMEOUT);
    }
}

fn key(name: &str) -> String {
    format!("jwt-bearer:{name}")
}

/// Returns at least one, because Redis refuses a lifetime of zero.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Drops the text of the server, which may repeat the token that it was sent. Only the code is kept.
fn into_error(error: RedisError) -> BoxError {
    let is_code = |code: &&str| code.len() <= 12 && code.bytes().all(|b| b.is_ascii_uppercase());
    match error.code().filter(is_code) {
        Some(code) => format!("Redis answered with {code}").into(),
        None if error.is_timeout() => TIMED_OUT.into(),
        None if error.is_io_error() => error.into(),
        None => format!("Redis: {}", error.category()).into(),
    }
}

/// Shows the address, never the password.
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
