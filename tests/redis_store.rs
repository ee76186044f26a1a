//! [`RedisStore`] with a real Redis, which these tests start.
//!
//! `redis-server` must be on the path: it is in the Debian package of that name.
#![cfg(all(feature = "redis", feature = "sandbox", feature = "ureq"))]

mod support;

use std::error::Error as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use jwt_bearer::sandbox::{Client, Key, Server};
use jwt_bearer::{
    Audience, Endpoint, ErrorKind, Profile, RedisStore, TokenSource, TokenStore as _,
};

use support::sample::rsa;

const NAME: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const PASSWORD: &str = "the-password-of-this-redis";
/// More than a call takes on a slow machine.
const TIME: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_secs(60);
/// More than a start of Redis takes on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A Redis for one test, which stops when it is dropped.
struct Redis {
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
    _directory: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        Self::with(&[])
    }
    fn with(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let path = directory.path().to_str().unwrap().to_owned();
        let defaults = [
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            &path,
        ];
        let options = defaults
            .iter()
            .chain(options)
            .map(|option| (*option).to_owned());
        let mut redis = Self {
            port,
            options: options.collect(),
            process: None,
            _directory: directory,
        };
        redis.restart();
        redis
    }
    fn restart(&mut self) {
        let is_tls = self
            .options
            .iter()
            .any(|option| option == "--tls-cert-file");
        let port = if is_tls { "--tls-port" } else { "--port" };
        let mut command = Command::new("redis-server");
        command
            .args([port, &self.port.to_string()])
            .args(&self.options);
        if is_tls {
            command.args(["--port", "0"]);
        }
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let started = started.expect("redis-server is needed: apt-get install redis-server");
        self.process = Some(started);
        wait_until_listening(self.port);
    }
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
    fn store(&self) -> RedisStore {
        RedisStore::new(self.url()).unwrap()
    }
    /// Returns the output of `redis-cli`, which checks the store with another client.
    fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let output = command.args(arguments).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }
}

fn wait_until_listening(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < START_LIMIT,
            "redis-server does not listen"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn key(suffix: &str) -> String {
    format!("jwt-bearer:{NAME}{suffix}")
}

// ---- the store ----

#[test]
fn load_returns_the_saved_bytes_until_they_expire() {
    let redis = Redis::start();
    let store = redis.store();
    assert!(store.load(NAME, TIME).unwrap().is_none());
    store.save(NAME, b"\0token\xff", MINUTE, TIME).unwrap();
    assert_eq!(
        store.load(NAME, TIME).unwrap().as_deref(),
        Some(&b"\0token\xff"[..])
    );
    let left: i64 = redis.cli(&["PTTL", &key("")]).parse().unwrap();
    assert!((50_000..=60_000).contains(&left), "{left}");
    store.save(NAME, b"short", Duration::ZERO, TIME).unwrap();
    let begun = Instant::now();
    while store.load(NAME, TIME).unwrap().is_some() {
        assert!(begun.elapsed() < START_LIMIT);
    }
}

#[test]
fn remove_deletes_exactly_these_bytes_and_keeps_newer_ones() {
    let redis = Redis::start();
    let store = redis.store();
    store.remove(NAME, b"none is there", TIME).unwrap();
    store.save(NAME, b"newer", MINUTE, TIME).unwrap();
    store.remove(NAME, b"older", TIME).unwrap();
    assert_eq!(redis.cli(&["GET", &key("")]), "newer");
    store.remove(NAME, b"newer", TIME).unwrap();
    assert_eq!(redis.cli(&["EXISTS", &key("")]), "0");
}

#[test]
fn lock_expires_and_is_released_only_by_its_owner() {
    let redis = Redis::start();
    let (store, other) = (redis.store(), redis.store());
    let lock = store.try_lock(NAME, TIME).unwrap();
    assert!(lock.is_some());
    assert!(other.try_lock(NAME, TIME).unwrap().is_none());
    assert!(
        store.try_lock(NAME, TIME).unwrap().is_none(),
        "the lock is taken in this process too"
    );
    let limit: i64 = redis.cli(&["PTTL", &key(":lock")]).parse().unwrap();
    assert!(
        (30_001..=35_000).contains(&limit),
        "longer than a call: {limit}"
    );
    // The lock expires during a slow fetch, and another owner takes it.
    redis.cli(&["SET", &key(":lock"), "another owner"]);
    drop(lock);
    assert_eq!(redis.cli(&["GET", &key(":lock")]), "another owner");
    redis.cli(&["DEL", &key(":lock")]);
    drop(store.try_lock(NAME, TIME).unwrap().unwrap());
    assert_eq!(redis.cli(&["EXISTS", &key(":lock")]), "0");
}

#[test]
fn load_reads_one_byte_more_than_the_limit_of_a_huge_value() {
    let redis = Redis::start();
    redis.cli(&["SETRANGE", &key(""), "50000000", "x"]);
    let loaded = redis.store().load(NAME, TIME).unwrap().unwrap();
    assert_eq!(loaded.len(), 1024 * 1024 + 1);
}

#[test]
fn value_of_another_type_is_an_error_and_save_replaces_it() {
    let redis = Redis::start();
    redis.cli(&["RPUSH", &key(""), "secret-of-another"]);
    let error = redis.store().load(NAME, TIME).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Redis answered with WRONGTYPE: the key belongs to something else"
    );
    redis.store().save(NAME, b"token", MINUTE, TIME).unwrap();
    assert_eq!(redis.cli(&["GET", &key("")]), "token");
}

#[test]
fn error_does_not_repeat_the_token_that_redis_quotes() {
    let mut redis = Redis::start();
    let store = redis.store();
    redis.kill();
    let without_set = ["--rename-command", "SET", ""];
    redis.options.extend(without_set.map(str::to_owned));
    redis.restart();
    let text = redis.cli(&["SET", "k", "the-token"]);
    assert!(
        text.contains("the-token"),
        "without it this test proves nothing: {text}"
    );
    let error = store.save(NAME, b"the-token", MINUTE, TIME).unwrap_err();
    assert_eq!(error.to_string(), UNKNOWN_COMMAND);
    assert!(!format!("{error:?}").contains("the-token"));
}
const UNKNOWN_COMMAND: &str = "Redis answered with ERR: it does not know GETRANGE, SET or EVAL, as a Sentinel does \
    not: give the address of the primary";

/// A server that gives the first reply to what a new store asks, and the second to every later command of the store.
/// It closes the connection at any other command, as twemproxy does at `CLIENT SETINFO`.
fn server_with_replies(first: &'static [u8], reply: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 65536];
                while let Ok(count @ 1..) = connection.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                    let is_known = ["GETRANGE", "SET", "EVAL"].iter().any(|name| {
                        let words: Vec<_> = text.split("\r\n").take(3).collect();
                        words.get(2) == Some(name)
                    });
                    let reply = if text.contains("\r\nXX\r\n") {
                        first
                    } else {
                        reply
                    };
                    if !is_known || connection.write_all(reply).is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("redis://127.0.0.1:{port}")
}

fn store_with_reply(reply: &'static [u8]) -> RedisStore {
    RedisStore::new(server_with_replies(b"$-1\r\n", reply)).unwrap()
}

#[test]
fn connection_needs_no_command_that_a_proxy_does_not_know() {
    let store = store_with_reply(b"$5\r\ntoken\r\n");
    let loaded = store.load(NAME, TIME).unwrap();
    assert_eq!(loaded.as_deref(), Some(&b"token"[..]));
    store_with_reply(b"+OK\r\n")
        .save(NAME, b"token", MINUTE, TIME)
        .unwrap();
}

#[test]
fn proxy_that_closes_the_connection_is_an_error_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut connection in listener.incoming().map(Result::unwrap) {
            let _ = connection.read(&mut [0; 65536]);
        }
    });
    let store = RedisStore::new(format!("redis://127.0.0.1:{port}")).unwrap();
    let error = store.load(NAME, TIME).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Redis closed the connection: a proxy does so if it does not know GETRANGE, SET, EVAL, AUTH or SELECT"
    );
}

#[test]
fn error_names_the_documented_code_and_what_to_do() {
    const CLUSTER: &str = "it is a node of a cluster, which this store does not support: \
        give a Redis that is not in a cluster";
    let rows: [(&[u8], &str); 17] = [
        (b"-MOVED 3999 127.0.0.1:6381\r\n", CLUSTER),
        (b"-ASK 3999 127.0.0.1:6381\r\n", CLUSTER),
        (b"-CLUSTERDOWN Hash slot not served\r\n", CLUSTER),
        (
            b"-READONLY You can't write against a read only replica.\r\n",
            "it is a replica: give the address of the primary",
        ),
        (
            b"-NOAUTH Authentication required.\r\n",
            "the URL has no password",
        ),
        (
            b"-WRONGPASS invalid username-password pair\r\n",
            "the user or the password of the URL is wrong",
        ),
        (
            b"-NOPERM User app has no permissions\r\n",
            "the user needs ~jwt-bearer:* +getrange +set +get +del +eval",
        ),
        (
            b"-DENIED Redis is running in protected mode\r\n",
            "it is in protected mode: it needs a password, or an address to listen on",
        ),
        (
            b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "its memory is full",
        ),
        (
            b"-LOADING Redis is loading the dataset in memory\r\n",
            "it is starting",
        ),
        (
            b"-MASTERDOWN Link with MASTER is down\r\n",
            "it is cut off from other servers",
        ),
        (
            b"-MISCONF Redis is configured to save RDB snapshots\r\n",
            "it cannot save to its disk",
        ),
        (
            b"-BUSY Redis is busy running a script.\r\n",
            "a script is running",
        ),
        (b"-ERR Connection refused\r\n", ""),
        (b"-ERR\r\n", ""),
        (b"-NOSCRIPT No matching script.\r\n", ""),
        (b"-UNKILLABLE Sorry\r\n", ""),
    ];
    for (reply, meaning) in rows {
        let error = store_with_reply(reply)
            .load(NAME, TIME)
            .unwrap_err()
            .to_string();
        let reply = std::str::from_utf8(reply).unwrap();
        let code = reply[1..].split([' ', '\r']).next().unwrap();
        let meaning = if meaning.is_empty() {
            String::new()
        } else {
            format!(": {meaning}")
        };
        assert_eq!(error, format!("Redis answered with {code}{meaning}"));
    }
    for reply in [
        &b"-SECRET is not known\r\n"[..],
        b"-TOKEN\r\n",
        b"-err lower\r\n",
        b"-\r\n",
    ] {
        let error = store_with_reply(reply).load(NAME, TIME).unwrap_err();
        assert_eq!(error.to_string(), "Redis answered with an error");
    }
}

#[test]
fn sentinel_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let configuration = directory.path().join("sentinel.conf");
    fs::write(&configuration, format!("port {port}\n")).unwrap();
    let mut command = Command::new("redis-server");
    command
        .arg(&configuration)
        .arg("--sentinel")
        .stdout(Stdio::null());
    let mut sentinel = command.spawn().unwrap();
    wait_until_listening(port);
    let store = RedisStore::new(format!("redis://127.0.0.1:{port}"));
    sentinel.kill().unwrap();
    sentinel.wait().unwrap();
    let error = store.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), UNKNOWN_COMMAND);
}

/// A node answers for its own part of the keys, so a single key does not show that it is one.
#[test]
fn cluster_node_is_refused_by_name() {
    let node = Redis::with(&[
        "--cluster-enabled",
        "yes",
        "--cluster-require-full-coverage",
        "no",
    ]);
    let slots = |range: [u16; 2]| range.map(|slot| slot.to_string());
    let add = |range: [u16; 2]| {
        let [first, last] = slots(range);
        assert_eq!(node.cli(&["cluster", "addslotsrange", &first, &last]), "OK");
    };
    for range in [None, Some([0, 1000]), Some([1001, 12_287])] {
        range.map(add);
        let error = RedisStore::new(node.url()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            "Redis answered with CLUSTERDOWN: it is a node of a cluster, which this store does not support: \
             give a Redis that is not in a cluster"
        );
    }
    // A cluster of one node has all keys.
    add([12_288, 16_383]);
    thread::sleep(Duration::from_secs(2));
    node.store().save(NAME, b"token", MINUTE, TIME).unwrap();
}

#[test]
fn new_refuses_what_can_never_work_and_nothing_that_may_pass() {
    for (reply, is_refused) in [
        (&b"-MOVED 3999 127.0.0.1:6381\r\n"[..], true),
        (b"-ASK 3999 127.0.0.1:6381\r\n", true),
        (b"-CLUSTERDOWN Hash slot not served\r\n", true),
        (
            b"-ERR unknown command 'SET', with args beginning with:\r\n",
            true,
        ),
        (
            b"-READONLY You can't write against a read only replica.\r\n",
            false,
        ),
        (b"-WRONGPASS invalid username-password pair\r\n", false),
        (
            b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            false,
        ),
        (
            b"-LOADING Redis is loading the dataset in memory\r\n",
            false,
        ),
        (b"-ERR the-token\r\n", false),
        (b"*-1\r\n", false),
        (b"the-token\r\n", false),
    ] {
        let store = RedisStore::new(server_with_replies(reply, b"$5\r\ntoken\r\n"));
        let text = String::from_utf8_lossy(reply);
        assert_eq!(store.is_err(), is_refused, "{text}");
        if let Ok(store) = store {
            assert!(store.load(NAME, TIME).is_ok(), "{text}");
        }
    }
}

#[test]
fn new_leaves_no_key_behind() {
    let redis = Redis::start();
    let _ = redis.store();
    assert_eq!(redis.cli(&["keys", "*"]), "");
    assert!(
        redis
            .cli(&["info", "commandstats"])
            .contains("cmdstat_set:calls=")
    );
}

#[test]
fn replica_is_refused_by_name_at_its_first_use() {
    let primary = Redis::start();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    let error = replica
        .store()
        .save(NAME, b"token", MINUTE, TIME)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Redis answered with READONLY: it is a replica: give the address of the primary"
    );
}

#[test]
fn error_does_not_repeat_words_of_a_malicious_redis() {
    for reply in [
        &b"-the-token is not known\r\n"[..],
        b"-THETOKENTHETOKEN no\r\n",
        b"+the-token\r\n",
        b"*1\r\n*1\r\n$9\r\nthe-token\r\n",
        b"the-token\r\n",
    ] {
        let store = store_with_reply(reply);
        let errors = [
            store.load(NAME, TIME).err(),
            store.save(NAME, b"the-token", MINUTE, TIME).err(),
            store.try_lock(NAME, TIME).err(),
        ];
        for error in errors.into_iter().flatten() {
            let text = format!("{error} {error:?}").to_lowercase();
            assert!(
                !text.contains("the-token") && !text.contains("thetoken"),
                "{text}"
            );
        }
    }
}

#[test]
fn frozen_redis_times_out_and_works_again_after_it() {
    let redis = Redis::start();
    let store = redis.store();
    store.load(NAME, TIME).unwrap(); // opens a connection
    let pid = redis.process.as_ref().unwrap().id().to_string();
    let signal = |signal: &str| {
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.unwrap().success());
    };
    signal("-STOP");
    let begun = Instant::now();
    let error = store.try_lock(NAME, Duration::from_secs(1));
    let error = error.err().unwrap();
    assert_eq!(error.to_string(), "Redis does not answer in time");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    signal("-CONT");
    assert!(store.load(NAME, TIME).unwrap().is_none());
}

#[test]
fn wrong_password_is_an_error_that_does_not_contain_it() {
    let redis = Redis::with(&["--requirepass", PASSWORD]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port);
    RedisStore::new(url(PASSWORD))
        .unwrap()
        .save(NAME, b"token", MINUTE, TIME)
        .unwrap();
    let wrong = RedisStore::new(url("another-password")).unwrap();
    let none = redis.store();
    for store in [wrong, none] {
        let error = store.load(NAME, TIME).unwrap_err();
        let mut text = format!("{error} {error:?} {store:?}");
        let mut cause = error.source();
        while let Some(e) = cause {
            text += &format!("{e} {e:?}");
            cause = e.source();
        }
        assert!(
            !text.contains("password@") && !text.contains("another-password"),
            "{text}"
        );
    }
}

#[test]
fn invalid_url_is_refused_and_not_quoted() {
    for url in [
        "",
        "http://:secret@redis.example.com",
        "redis.example.com",
        "redis://:secret@h:99999",
        // The client would read this as "verify no certificate".
        "redis://127.0.0.1:1/#insecure",
        "rediss://:secret@127.0.0.1:1/#insecure",
    ] {
        let error = RedisStore::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            "the URL of Redis is not redis://, rediss:// or unix://, with its password percent-encoded"
        );
        assert!(error.source().is_none());
    }
}

#[test]
fn silent_or_absent_redis_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let begun = Instant::now();
    let store = RedisStore::new(format!("redis://127.0.0.1:{port}")).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3));
    let begun = Instant::now();
    assert!(store.load(NAME, Duration::from_millis(200)).is_err());
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(silent);
    assert!(store.load(NAME, TIME).is_err());
}

#[test]
fn dripping_redis_costs_some_time_but_never_the_token() {
    let (server, listener) = (server(), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("redis://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || {
                // A simple string that never ends.
                while connection.write_all(b"+").is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let (begun, limit) = (Instant::now(), Duration::from_secs(8));
    let source = source(&server.token_endpoint(), &url).with_timeout(limit);
    source.token().unwrap();
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
    assert_eq!(server.requests(), 1);
}

#[test]
fn restarted_redis_is_connected_again() {
    let mut redis = Redis::start();
    let store = redis.store();
    store.save(NAME, b"token", MINUTE, TIME).unwrap();
    redis.kill();
    assert!(store.load(NAME, TIME).is_err());
    redis.restart();
    assert!(
        store.load(NAME, TIME).unwrap().is_none(),
        "Redis saves nothing to disk here"
    );
    store.save(NAME, b"another", MINUTE, TIME).unwrap();
    // The idle connection of the store is closed now.
    redis.kill();
    redis.restart();
    assert!(store.load(NAME, TIME).unwrap().is_none());
}

// ---- processes that share a store ----

const REDIS_URL: &str = "REDIS_STORE_URL";

/// Runs in the child process. Without the variable it does nothing.
#[test]
fn child_process() {
    let Ok(url) = env::var(REDIS_URL) else { return };
    let token = source(&env::var("TOKEN_ENDPOINT").unwrap(), &url)
        .token()
        .unwrap();
    println!("token={}", token.secret());
}

fn source(endpoint: &str, redis: &str) -> TokenSource {
    let endpoint = Endpoint::token(endpoint).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let source = TokenSource::new(profile, rsa()).unwrap();
    source.with_store(RedisStore::new(redis).unwrap()).unwrap()
}

fn spawn_child(server: &Server, redis: &str, roots: Option<&Path>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child_process", "--nocapture"]);
    command
        .env(REDIS_URL, redis)
        .env("TOKEN_ENDPOINT", server.token_endpoint());
    if let Some(roots) = roots {
        command.env("SSL_CERT_FILE", roots);
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn token_of(process: Child) -> String {
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, token) = text.split_once("token=").unwrap();
    token.lines().next().unwrap().to_owned()
}

fn server() -> Server {
    let server = Server::start().unwrap();
    server.register(Client::new("client-1", Key::public(&rsa())));
    server
}

#[test]
fn eight_processes_share_one_exchange() {
    let (server, redis) = (server(), Redis::start());
    let processes: Vec<_> = (0..8)
        .map(|_| spawn_child(&server, &redis.url(), None))
        .collect();
    let tokens: Vec<_> = processes.into_iter().map(token_of).collect();
    assert_eq!(server.requests(), 1);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[test]
fn processes_get_tokens_while_redis_stops_and_restarts() {
    let (server, mut redis) = (server(), Redis::start());
    let url = redis.url();
    let round = || {
        let processes: Vec<_> = (0..8).map(|_| spawn_child(&server, &url, None)).collect();
        processes.into_iter().map(token_of).count()
    };
    assert_eq!((round(), server.requests()), (8, 1));
    redis.kill();
    assert_eq!(
        (round(), server.requests()),
        (8, 9),
        "each process fetches for itself"
    );
    redis.restart();
    assert_eq!((round(), server.requests()), (8, 10));
    // Redis stops and restarts at any point of these fetches.
    thread::scope(|threads| {
        let rounds = threads.spawn(|| (0..3).map(|_| round()).sum::<usize>());
        while !rounds.is_finished() {
            redis.kill();
            redis.restart();
            thread::sleep(Duration::from_millis(30));
        }
        assert_eq!(rounds.join().unwrap(), 24);
    });
}

#[test]
fn wrong_password_or_type_costs_an_exchange_but_never_the_token() {
    let (server, redis) = (server(), Redis::start());
    let first = source(&server.token_endpoint(), &redis.url());
    first.token().unwrap();
    let name = redis.cli(&["KEYS", "*"]);
    redis.cli(&["DEL", &name]);
    redis.cli(&["RPUSH", &name, "no token"]);
    source(&server.token_endpoint(), &redis.url())
        .token()
        .unwrap();
    assert_eq!(
        (redis.cli(&["TYPE", &name]).as_str(), server.requests()),
        ("string", 2)
    );

    let redis = Redis::with(&["--requirepass", PASSWORD]);
    let wrong = format!("redis://:another-password@127.0.0.1:{}", redis.port);
    assert!(source(&server.token_endpoint(), &wrong).token().is_ok());
    assert_eq!(server.requests(), 3);
}

#[test]
fn lock_of_a_dead_owner_is_waited_for_within_the_timeout() {
    let (server, redis) = (server(), Redis::start());
    let source =
        source(&server.token_endpoint(), &redis.url()).with_timeout(Duration::from_secs(3));
    let token = source.token().unwrap();
    source.invalidate(&token);
    let keys = redis.cli(&["KEYS", "*"]);
    assert_eq!(keys, "", "neither the token nor the lock remains");
    // The lock of the same identity, taken by a process that has ended.
    let store = Arc::new(redis.store());
    source.token().unwrap();
    let name = redis
        .cli(&["KEYS", "*"])
        .strip_prefix("jwt-bearer:")
        .unwrap()
        .to_owned();
    redis.cli(&["FLUSHALL"]);
    std::mem::forget(store.try_lock(&name, TIME).unwrap().unwrap());
    source.clear();
    let begun = Instant::now();
    source.token().unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(server.requests(), 3);
}

#[test]
fn tls_works_with_a_trusted_root_and_fails_without() {
    let directory = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command
            .args(arguments.split(' '))
            .current_dir(directory.path());
        assert!(command.output().unwrap().status.success(), "{arguments}");
    };
    let make = "req -x509 -newkey rsa:2048 -nodes -days 2";
    openssl(&format!("{make} -keyout ca.key -out ca.pem -subj /CN=root"));
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    fs::write(
        directory.path().join("names"),
        "subjectAltName=DNS:localhost",
    )
    .unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
         -out server.pem",
    );
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let redis = Redis::with(&[
        "--tls-cert-file",
        &path("server.pem"),
        "--tls-key-file",
        &path("server.key"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    let server = server();
    let url = format!("rediss://localhost:{}", redis.port);
    let roots = directory.path().join("ca.pem");
    for _ in 0..2 {
        token_of(spawn_child(&server, &url, Some(&roots)));
    }
    assert_eq!(
        server.requests(),
        1,
        "the second process uses the token of the first"
    );
    token_of(spawn_child(&server, &url, None));
    assert_eq!(
        server.requests(),
        2,
        "a Redis without a trusted certificate is not used"
    );
}
