//! Tokens in a real Redis, which these tests start: `redis-server` must be on the path (Debian's package of that
//! name).
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
/// More than any call takes on however slow a machine.
const TIME: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_secs(60);
/// No start takes longer, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis of this test alone. It ends with it.
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
        let place = directory.path().to_str().unwrap().to_owned();
        let own = [
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            &place,
        ];
        let options = own.iter().chain(options).map(|option| (*option).to_owned());
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
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "redis-server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
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
    /// What `redis-cli` says, so that not all we know of Redis is by our own client.
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
fn what_was_saved_is_loaded_and_ends_by_itself() {
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
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn removing_takes_these_very_bytes_and_leaves_newer_ones() {
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
fn a_lock_has_an_owner_and_a_limit_and_only_its_owner_gives_it_back() {
    let redis = Redis::start();
    let (store, other) = (redis.store(), redis.store());
    let held = store.try_lock(NAME, TIME).unwrap();
    assert!(held.is_some());
    assert!(other.try_lock(NAME, TIME).unwrap().is_none());
    assert!(
        store.try_lock(NAME, TIME).unwrap().is_none(),
        "nor in this process"
    );
    let limit: i64 = redis.cli(&["PTTL", &key(":lock")]).parse().unwrap();
    assert!((10_000..=15_000).contains(&limit), "{limit}");
    // It took too long, the lock ended, and another took it.
    redis.cli(&["SET", &key(":lock"), "another owner"]);
    drop(held);
    assert_eq!(redis.cli(&["GET", &key(":lock")]), "another owner");
    redis.cli(&["DEL", &key(":lock")]);
    drop(store.try_lock(NAME, TIME).unwrap().unwrap());
    assert_eq!(redis.cli(&["EXISTS", &key(":lock")]), "0");
}

#[test]
fn of_a_huge_value_only_so_much_is_read_that_it_is_too_long() {
    let redis = Redis::start();
    redis.cli(&["SETRANGE", &key(""), "50000000", "x"]);
    let loaded = redis.store().load(NAME, TIME).unwrap().unwrap();
    assert_eq!(loaded.len(), 1024 * 1024 + 1);
}

#[test]
fn a_value_of_another_type_is_an_error_that_names_it_and_is_replaced() {
    let redis = Redis::start();
    redis.cli(&["RPUSH", &key(""), "secret-of-another"]);
    let error = redis.store().load(NAME, TIME).unwrap_err();
    assert_eq!(error.to_string(), "Redis says WRONGTYPE");
    redis.store().save(NAME, b"token", MINUTE, TIME).unwrap();
    assert_eq!(redis.cli(&["GET", &key("")]), "token");
}

#[test]
fn a_server_that_repeats_what_it_was_sent_is_not_quoted() {
    let redis = Redis::with(&["--rename-command", "SET", ""]);
    let said = redis.cli(&["SET", "k", "the-token"]);
    assert!(
        said.contains("the-token"),
        "else this test shows nothing: {said}"
    );
    let error = redis
        .store()
        .save(NAME, b"the-token", MINUTE, TIME)
        .unwrap_err();
    assert_eq!(error.to_string(), "Redis says ERR");
    assert!(!format!("{error:?}").contains("the-token"));
}

/// A server that says yes to the set-up and this to everything else.
fn liar(says: &'static [u8]) -> RedisStore {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 65536];
                while let Ok(count @ 1..) = connection.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                    let set_up = "+OK\r\n".repeat(text.matches("SETINFO").count());
                    let answer = if text.contains("jwt-bearer:") {
                        says
                    } else {
                        b""
                    };
                    let answer = [set_up.as_bytes(), answer].concat();
                    if connection.write_all(&answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    RedisStore::new(format!("redis://127.0.0.1:{port}")).unwrap()
}

#[test]
fn a_redis_that_lies_does_not_get_its_words_into_an_error() {
    for says in [
        &b"-the-token is not known\r\n"[..],
        b"-THETOKENTHETOKEN no\r\n",
        b"+the-token\r\n",
        b"*1\r\n*1\r\n$9\r\nthe-token\r\n",
        b"the-token\r\n",
    ] {
        let store = liar(says);
        let errors = [
            store.load(NAME, TIME).err(),
            store.save(NAME, b"the-token", MINUTE, TIME).err(),
            store.try_lock(NAME, TIME).err(),
        ];
        for error in errors.into_iter().flatten() {
            let said = format!("{error} {error:?}").to_lowercase();
            assert!(
                !said.contains("the-token") && !said.contains("thetoken"),
                "{said}"
            );
        }
    }
}

#[test]
fn a_frozen_redis_is_given_up_in_time_and_thaws() {
    let redis = Redis::start();
    let store = redis.store();
    store.load(NAME, TIME).unwrap(); // a connection to ask over
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
fn a_wrong_password_is_an_error_without_the_password() {
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
        let mut said = format!("{error} {error:?} {store:?}");
        let mut cause = error.source();
        while let Some(e) = cause {
            said += &format!("{e} {e:?}");
            cause = e.source();
        }
        assert!(
            !said.contains("password@") && !said.contains("another-password"),
            "{said}"
        );
    }
}

#[test]
fn a_url_that_is_none_is_refused_and_not_quoted() {
    for url in [
        "",
        "http://:secret@redis.example.com",
        "redis.example.com",
        "redis://:secret@h:99999",
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
fn a_redis_that_is_silent_or_gone_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let store = RedisStore::new(format!("redis://127.0.0.1:{port}")).unwrap();
    let begun = Instant::now();
    assert!(store.load(NAME, Duration::from_millis(200)).is_err());
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(silent);
    assert!(store.load(NAME, TIME).is_err());
}

#[test]
fn a_redis_that_drips_costs_a_little_time_and_no_token() {
    let (server, listener) = (server(), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("redis://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || {
                // A text that never ends.
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
fn a_restarted_redis_is_found_again() {
    let mut redis = Redis::start();
    let store = redis.store();
    store.save(NAME, b"token", MINUTE, TIME).unwrap();
    redis.kill();
    assert!(store.load(NAME, TIME).is_err());
    redis.restart();
    assert!(
        store.load(NAME, TIME).unwrap().is_none(),
        "it kept nothing on its disk"
    );
    store.save(NAME, b"another", MINUTE, TIME).unwrap();
    // The connection in hand is dead, and nobody notices.
    redis.kill();
    redis.restart();
    assert!(store.load(NAME, TIME).unwrap().is_none());
}

// ---- processes that share it ----

const TASK: &str = "REDIS_STORE_URL";

/// Does nothing in the process that is asked for all tests.
#[test]
fn the_other_process() {
    let Ok(url) = env::var(TASK) else { return };
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

fn another_process(server: &Server, redis: &str, roots: Option<&Path>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "the_other_process", "--nocapture"]);
    command
        .env(TASK, redis)
        .env("TOKEN_ENDPOINT", server.token_endpoint());
    if let Some(roots) = roots {
        command.env("SSL_CERT_FILE", roots);
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn token_of(process: Child) -> String {
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let (_, token) = said.split_once("token=").unwrap();
    token.lines().next().unwrap().to_owned()
}

fn server() -> Server {
    let server = Server::start().unwrap();
    server.register(Client::new("client-1", Key::public(&rsa())));
    server
}

#[test]
fn eight_processes_make_one_exchange() {
    let (server, redis) = (server(), Redis::start());
    let processes: Vec<_> = (0..8)
        .map(|_| another_process(&server, &redis.url(), None))
        .collect();
    let tokens: Vec<_> = processes.into_iter().map(token_of).collect();
    assert_eq!(server.requests(), 1);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[test]
fn processes_get_tokens_while_redis_dies_and_comes_back() {
    let (server, mut redis) = (server(), Redis::start());
    let url = redis.url();
    let wave = || {
        let processes: Vec<_> = (0..8)
            .map(|_| another_process(&server, &url, None))
            .collect();
        processes.into_iter().map(token_of).count()
    };
    assert_eq!((wave(), server.requests()), (8, 1));
    redis.kill();
    assert_eq!((wave(), server.requests()), (8, 9), "each for itself");
    redis.restart();
    assert_eq!((wave(), server.requests()), (8, 10));
    // In the middle of a wave, whatever each of them is at.
    thread::scope(|threads| {
        let waves = threads.spawn(|| (0..3).map(|_| wave()).sum::<usize>());
        while !waves.is_finished() {
            redis.kill();
            redis.restart();
            thread::sleep(Duration::from_millis(30));
        }
        assert_eq!(waves.join().unwrap(), 24);
    });
}

#[test]
fn a_wrong_password_or_type_costs_an_exchange_and_no_token() {
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
fn a_lock_whose_owner_died_is_waited_for_and_no_longer_than_the_caller_has() {
    let (server, redis) = (server(), Redis::start());
    let source =
        source(&server.token_endpoint(), &redis.url()).with_timeout(Duration::from_secs(3));
    let token = source.token().unwrap();
    source.invalidate(&token);
    let locked = redis.cli(&["KEYS", "*"]);
    assert_eq!(locked, "", "neither token nor lock is left");
    // The same identity, under the lock of a process that is no more.
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
fn over_tls_with_a_root_of_the_system_and_not_without() {
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
        token_of(another_process(&server, &url, Some(&roots)));
    }
    assert_eq!(
        server.requests(),
        1,
        "the second found the first one's token"
    );
    token_of(another_process(&server, &url, None));
    assert_eq!(
        server.requests(),
        2,
        "a Redis that nobody vouches for is not asked"
    );
}
