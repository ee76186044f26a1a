//! `RedisStore`: one key per identity, which expires with its token, and one key for its lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{
    Client, Cmd, Connection, ErrorKind, FromRedisValue, IntoConnectionInfo as _, RedisError,
    RedisResult, Value, cmd,
};

use super::{MAX_STORED, StoreLock, TokenStore};
use crate::error::{BoxError, Error};
use crate::random;
use crate::time_limit::TimeLimit;

/// A lock expires after this time if its owner has died or never received the reply. It is longer than the default call
/// (30 s), so that the lock outlives the fetch that it protects. Other processes stop waiting earlier.
/// The lock of a call with a longer timeout may expire during its fetch.
const LOCK_TTL: Duration = Duration::from_secs(35);
/// The time limit for releasing a lock, which expires anyway.
const UNLOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// The most idle connections that are kept: sources that share a store seldom call it at the same time.
const MAX_IDLE: usize = 8;

/// The time limit for finding out whether Redis can be a store.
const CHECK_TIME: Duration = Duration::from_secs(1);
/// Keys that nobody uses. In a cluster they are in slots 889 to 14,521, one in each eighth of all slots, so that no
/// node with only a part of the slots has all of them.
const CHECK_KEYS: [&str; 8] = ["3", "10", "2", "11", "1", "12", "0", "13"];

const BAD_URL: &str =
    "the URL of Redis is not redis://, rediss:// or unix://, with its password percent-encoded";
const TIMED_OUT: &str = "Redis does not answer in time";
const CLOSED: &str = "Redis closed the connection: a proxy does so if it does not know GETRANGE, SET, EVAL, AUTH or \
    SELECT";
const UNKNOWN_COMMAND: &str = "Redis answered with ERR: it does not know GETRANGE, SET or EVAL, as a Sentinel does \
    not: give the address of the primary";
const CLUSTER: &str = "it is a node of a cluster, which this store does not support: give a Redis that is not in a \
    cluster";
/// Sets the key to its owner if the key is free or already has this owner: a command is retried if its reply was lost.
const LOCK: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
    if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end return 0";
/// Deletes the key if it still has this value.
const REMOVE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Keeps tokens in Redis 2.6.12 or newer, for many machines.
///
/// Redis may be behind a proxy that knows `GETRANGE`, `SET` and `EVAL`, such as twemproxy. [`new`](Self::new) refuses a
/// node of a Redis Cluster and a Sentinel, and the first use refuses a replica, with an error that says so: give the
/// address of a primary, or of a proxy or a name that leads to it.
///
/// Keys are `jwt-bearer:` and 64 hexadecimal digits, followed by `:lock` for locks. Values contain access tokens and
/// are not encrypted: anyone who can read that database can use the tokens. Give the store its own password or ACL
/// (`~jwt-bearer:* +getrange +set +get +del +eval`), and TLS if Redis is on another machine.
///
/// In addition to the token, a value has the key's identity and the settings, in which values that may be secret are
/// replaced by hashes salted with that identity. The digits are the SHA-256 hash of identity and settings. Anyone who
/// can read a value can test guesses of an HMAC secret and of the hashed values against it, and anyone who sees only
/// the digits can do so if they know the rest of the profile. So a secret should be random and at least 32 bytes long.
pub struct RedisStore {
    connections: Arc<Connections>,
}

impl RedisStore {
    /// Returns a store, and connects to see whether it can work.
    ///
    /// That takes at most a second. If Redis is down, slow or refuses the password, the store is returned anyway and
    /// connects again when it is used: a source gets its token without the store.
    ///
    /// `url` is `redis://[[user]:password@]host[:port][/database]`, `rediss://` over TLS with the roots of the
    /// operating system (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name), or `unix:///path`. A password is
    /// percent-encoded.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if `url` is not one of these, or leads to a Sentinel or to a node of a
    /// cluster that has only a part of the keys. The error does not quote the URL.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        // A fragment may turn off the verification of certificates.
        if url.as_ref().contains('#') {
            return Err(Error::config(BAD_URL));
        }
        let client = url.as_ref().into_connection_info().and_then(|info| {
            // Proxies such as twemproxy close the connection at `CLIENT SETINFO`, which names the library.
            let settings = info.redis_settings().clone().set_skip_set_lib_name();
            Client::open(info.set_redis_settings(settings))
        });
        // The error of the parser is dropped, because the URL contains a password.
        let client = client.map_err(|_| Error::config(BAD_URL))?;
        let idle = Mutex::default();
        let connections = Arc::new(Connections { client, idle });
        let asking = connections.clone();
        let refusal = TimeLimit::default().run(CHECK_TIME, move || asking.refusal());
        match refusal {
            Ok(Some(refusal)) => Err(Error::config(refusal)),
            // A Redis that is too slow now may be faster when it is needed.
            Ok(None) | Err(_) => Ok(Self { connections }),
        }
    }
}

/// What the store and its locks share.
struct Connections {
    client: Client,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Returns why this Redis can never be a store. It sends commands that change nothing: they replace keys that do
    /// not exist.
    fn refusal(&self) -> Option<String> {
        let replies = CHECK_KEYS.iter().map(|key| {
            let mut replace = cmd("SET");
            replace
                .arg(self::key(key))
                .arg("")
                .arg("XX")
                .arg("PX")
                .arg(1);
            self.query::<Value>(&replace, CHECK_TIME)
        });
        let error = replies.filter_map(Result::err).next()?;
        is_permanent(&error).then(|| into_error(error).to_string())
    }

    /// Sends a command over an idle connection, or over a new one if that is closed. Each command may arrive twice.
    fn query<T: FromRedisValue>(&self, command: &Cmd, time: Duration) -> RedisResult<T> {
        // One third each for the idle connection, for connecting, and for the new connection.
        let step = time.mul_f64(1.0 / 3.0).max(Duration::from_millis(1));
        let idle = self.idle().pop();
        match idle.map(|idle| self.query_over(idle, command, step)) {
            Some(Err(error)) if error.is_io_error() => {}
            Some(reply) => return reply,
            None => {}
        }
        let new = self.client.get_connection_with_timeout(step)?;
        self.query_over(new, command, step)
    }

    /// Sends a command, and keeps the connection if it replies. If not, its next reply could be for an earlier command.
    fn query_over<T: FromRedisValue>(
        &self,
        mut connection: Connection,
        command: &Cmd,
        time: Duration,
    ) -> RedisResult<T> {
        connection.set_read_timeout(Some(time))?;
        connection.set_write_timeout(Some(time))?;
        let reply = command.query(&mut connection);
        let is_reply = reply
            .as_ref()
            .map_or_else(|error| error.code().is_some(), |_| true);
        let mut idle = self.idle();
        if is_reply && idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        reply
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenStore for RedisStore {
    fn load(&self, name: &str, timeout: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        let mut load = cmd("GETRANGE"); // of a value above the limit, one byte too many
        load.arg(key(name)).arg(0).arg(MAX_STORED);
        let bytes: Vec<u8> = self.connections.query(&load, timeout).map_err(into_error)?;
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
        self.connections.query(&save, timeout).map_err(into_error)
    }

    fn remove(&self, name: &str, bytes: &[u8], timeout: Duration) -> Result<(), BoxError> {
        let mut remove = cmd("EVAL");
        remove.arg(REMOVE).arg(1).arg(key(name)).arg(bytes);
        self.connections.query(&remove, timeout).map_err(into_error)
    }

    fn try_lock(&self, name: &str, timeout: Duration) -> Result<Option<StoreLock>, BoxError> {
        let (key, owner) = (format!("{}:lock", key(name)), random::uuid()?);
        let mut take = cmd("EVAL");
        take.arg(LOCK)
            .arg(1)
            .arg(&key)
            .arg(&owner)
            .arg(milliseconds(LOCK_TTL));
        let is_ours: bool = self.connections.query(&take, timeout).map_err(into_error)?;
        Ok(is_ours.then(|| -> StoreLock {
            Box::new(RedisLock {
                connections: self.connections.clone(),
                key,
                owner,
            })
        }))
    }
}

/// A lock of this process, released when it is dropped.
struct RedisLock {
    connections: Arc<Connections>,
    key: String,
    owner: String,
}

impl Drop for RedisLock {
    fn drop(&mut self) {
        let mut release = cmd("EVAL");
        release.arg(REMOVE).arg(1).arg(&self.key).arg(&self.owner);
        // If this fails, the lock expires.
        let _: RedisResult<()> = self.connections.query(&release, UNLOCK_TIMEOUT);
    }
}

fn key(name: &str) -> String {
    format!("jwt-bearer:{name}")
}

/// Returns at least one, because Redis refuses a lifetime of zero.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Drops the text of the server, which may repeat the token that it was sent. A code is kept if Redis documents it.
fn into_error(error: RedisError) -> BoxError {
    if let Some(code) = error.code() {
        return match meaning(code) {
            Some(_) if is_unknown_command(&error) => UNKNOWN_COMMAND.into(),
            Some("") => format!("Redis answered with {code}").into(),
            Some(meaning) => format!("Redis answered with {code}: {meaning}").into(),
            None => "Redis answered with an error".into(),
        };
    }
    if error.is_timeout() {
        return TIMED_OUT.into();
    }
    if error.is_io_error() {
        return match error.is_connection_dropped() && !error.is_connection_refusal() {
            true => CLOSED.into(),
            false => error.into(),
        };
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            "Redis refuses the user or the password of the URL".into()
        }
        _ => format!("Redis: {}", error.category()).into(),
    }
}

/// Returns whether the server does not know the command: a Sentinel, a proxy, or a Redis that renamed it.
fn is_unknown_command(error: &RedisError) -> bool {
    let text = error.detail().unwrap_or_default(); // never shown
    error.code() == Some("ERR") && text.starts_with("unknown command")
}

/// Returns whether the same Redis gives this error forever. Any other error may be temporary, even a wrong password.
fn is_permanent(error: &RedisError) -> bool {
    is_unknown_command(error) || error.code().and_then(meaning) == Some(CLUSTER)
}

/// Returns the meaning of a Redis error code, which may be empty. `None` is a code that Redis does not document: a
/// server that repeats what it was sent could put a token there.
fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" | "TRYAGAIN" => CLUSTER,
        "READONLY" => "it is a replica: give the address of the primary",
        "NOAUTH" => "the URL has no password",
        "WRONGPASS" => "the user or the password of the URL is wrong",
        "NOPERM" => "the user needs ~jwt-bearer:* +getrange +set +get +del +eval",
        "DENIED" => "it is in protected mode: it needs a password, or an address to listen on",
        "WRONGTYPE" => "the key belongs to something else",
        "OOM" => "its memory is full",
        "MISCONF" => "it cannot save to its disk",
        "LOADING" => "it is starting",
        "BUSY" => "a script is running",
        "MASTERDOWN" | "NOREPLICAS" => "it is cut off from other servers",
        "ERR" | "EXECABORT" | "NOSCRIPT" | "NOTBUSY" | "UNKILLABLE" | "NOPROTO" | "BUSYKEY"
        | "INPROG" | "IOERR" | "NOSUB" | "UNBLOCKED" => "",
        _ => return None,
    })
}

/// Shows the address, never the password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field(
                "address",
                &self
                    .connections
                    .client
                    .get_connection_info()
                    .addr()
                    .to_string(),
            )
            .finish_non_exhaustive()
    }
}
