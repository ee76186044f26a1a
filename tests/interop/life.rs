//! Ten lifetimes of a token at oidc-provider, for fifty threads, through restarts of the server.
//!
//! Server and client go by one clock that the test moves: the client's is injected, the server's is
//! moved by libfaketime. So a token ends for both when it ends, and the server says whether one that
//! was handed out was still good.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::ErrorKind::Network;
use jwt_bearer::{Audience, Clock, Endpoint, TokenSource, TokenState};
use serde_json::Value;

use crate::servers::{Flow, agent};
use crate::support::{env, file, path, seen};

const THREADS: usize = 50;
const LIFETIME: u64 = 300;
/// Seconds between two looks at the source.
const STEP: u64 = 30;

/// The machine's clocks, moved ahead by so many seconds.
#[derive(Clone, Default)]
struct Moved(Arc<AtomicU64>);

impl Moved {
    fn by(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
    }
}

impl Clock for Moved {
    fn now(&self) -> SystemTime {
        SystemTime::now() + self.by()
    }
    fn monotonic(&self) -> Instant {
        Instant::now() + self.by()
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// A server of this test's own, to be killed, and the clock that it shares with us.
struct World {
    clock: Moved,
    directory: tempfile::TempDir,
    server: Child,
    issuer: String,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("clock"), "+0\n").unwrap();
        let (server, issuer) = start(&directory, "0");
        Self {
            clock: Moved::default(),
            directory,
            server,
            issuer,
        }
    }

    fn advance(&self, seconds: u64) {
        let ahead = self.clock.0.fetch_add(seconds, Relaxed) + seconds;
        // Renamed, since the server may look at any time.
        let [new, file] = ["new", "clock"].map(|name| self.directory.path().join(name));
        fs::write(&new, format!("+{ahead}\n")).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// On its old port. It has forgotten every token.
    fn restart(&mut self) {
        let (_, port) = self.issuer.rsplit_once(':').unwrap();
        let (server, issuer) = start(&self.directory, port);
        assert_eq!(issuer, self.issuer);
        self.server = server;
    }

    /// What the server says of a token, RFC 7662: when it ends, if it is active.
    fn active_until(&self, token: &str) -> Option<u64> {
        let url = format!("{}/token/introspection", self.issuer);
        let form = [
            ("token", token),
            ("client_id", "api"),
            ("client_secret", &file("keys/secret.txt")),
        ];
        let mut answer = agent().post(url).send_form(form).unwrap();
        let answer = answer.body_mut().read_to_vec().unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let active = answer["active"].as_bool().unwrap();
        active.then(|| answer["exp"].as_u64().unwrap())
    }
    fn is_active(&self, token: &str) -> bool {
        self.active_until(token).is_some()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(directory: &tempfile::TempDir, port: &str) -> (Child, String) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(path("life.log"));
    let mut server = Command::new("node")
        .arg(path("oidc_provider.mjs"))
        .arg(path("keys"))
        .arg(format!("LIFE={port}"))
        .env("LD_PRELOAD", env("INTEROP_FAKETIME"))
        .env("FAKETIME_TIMESTAMP_FILE", directory.path().join("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("DONT_FAKE_MONOTONIC", "1") // Node waits by it
        .stdin(Stdio::piped()) // it ends when this test does
        .stdout(Stdio::piped())
        .stderr(log.unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let lines: Vec<_> = lines
        .map(Result::unwrap)
        .take_while(|line| line != "ready")
        .collect();
    let [line] = &lines[..] else {
        panic!("it does not start, see life.log: {lines:?}");
    };
    let issuer = line.strip_prefix("LIFE=").unwrap().to_owned();
    (server, issuer)
}

/// What as many threads are handed at once.
fn ask<T: Send>(ask: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(&ask)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Our client, with the clock of this world.
#[track_caller]
fn source(world: &World) -> TokenSource {
    let endpoint = Endpoint::issuer(&*world.issuer).unwrap();
    let profile = Flow::ByKey.profile(endpoint, Audience::Issuer);
    let source = TokenSource::with_transport(agent(), profile, Flow::ByKey.key());
    source.unwrap().with_clock(world.clock.clone())
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn cached_token_stays_active_over_ten_lifetimes_and_a_server_restart() {
    let mut world = World::new();
    let source = source(&world);
    // In the order in which they were handed out first; how many the server has forgotten.
    let mut tokens: Vec<String> = Vec::new();
    let mut forgotten = 0;
    for step in 0..=10 * LIFETIME / STEP {
        // Once, in the fifth lifetime or soon after, while the token is due.
        let is_due = source.status().state == TokenState::Refreshable;
        let dies = forgotten == 0 && step >= 5 * LIFETIME / STEP && is_due;
        if dies {
            world.kill();
        }
        let handed = ask(|| source.token().map(|token| token.secret().to_owned()));
        let handed: BTreeSet<_> = handed.into_iter().map(Result::unwrap).collect();
        let news = handed.iter().filter(|token| !tokens.contains(token));
        let news: Vec<_> = news.cloned().collect();
        // One caller renews a due token, while it is answered to the others.
        assert!(handed.len() <= 2 && news.len() <= 1, "step {step}");
        tokens.extend(news);
        if dies {
            assert!(handed.iter().eq(tokens.last()), "step {step}");
            let status = source.status();
            let error = status.last_error.unwrap();
            assert_eq!((error.kind(), status.failures), (Network, 1), "{error:?}");
            world.restart();
            forgotten = tokens.len();
            world.advance(STEP);
            continue;
        }
        for token in &handed {
            // One that it forgot is answered once more, to those who come while it is renewed.
            let place = tokens.iter().position(|other| other == token).unwrap();
            let is_known = place >= forgotten;
            assert_eq!(world.is_active(token), is_known, "step {step}");
        }
        world.advance(STEP);
    }
    let exchanges = source.status().exchanges;
    assert!(forgotten > 0 && exchanges == u64::try_from(tokens.len()).unwrap());
    // A token is due after 210 to 240 s, and every 30 s it is looked at.
    assert!((12..=16).contains(&exchanges), "{exchanges}");

    // So its `active` says something.
    let token = source.fetch_uncached().unwrap();
    let end = world.active_until(token.secret()).unwrap();
    let ours = token.expires_at().duration_since(SystemTime::UNIX_EPOCH);
    assert!(ours.unwrap().as_secs().abs_diff(end) <= 5);
    world.advance(LIFETIME - STEP);
    assert!(world.is_active(token.secret()));
    world.advance(STEP);
    assert!(!world.is_active(token.secret()));

    row(
        "ten lifetimes of 300 s, 50 threads, the server killed and restarted while a token is due",
        "no caller gets an error; every token handed out is active, until the server forgets it",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn call_after_server_restart_costs_one_exchange() {
    let mut world = World::new();
    let source = source(&world);
    let first = source.token().unwrap();
    world.advance(STEP);
    world.kill();
    world.restart();
    assert!(!world.is_active(first.secret()));
    let status = |active| if active { 200 } else { 401_u16 };
    let answers = ask(|| {
        source.call(
            |token| status(world.is_active(token.secret())),
            |status| *status == 401,
        )
    });
    for answer in answers {
        assert_eq!(answer.unwrap(), 200);
    }
    assert_eq!(source.status().exchanges, 2);
    row(
        "50 threads in `call`, after a restart of the server",
        "a 401 each, then one exchange for all",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn server_down_fails_every_waiter_and_recovery_costs_one_exchange() {
    let mut world = World::new();
    let source = source(&world);
    source.token().unwrap();
    world.kill();
    world.advance(LIFETIME);
    for outcome in ask(|| source.token()) {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (Network, true));
        assert!(error.to_string().ends_with(": nobody listens there"));
    }
    assert_eq!(source.status().failures, 1);
    world.restart();
    world.advance(STEP);
    let tokens = ask(|| source.token().map(|token| token.secret().to_owned()));
    let tokens: BTreeSet<_> = tokens.into_iter().map(Result::unwrap).collect();
    assert_eq!((tokens.len(), source.status().exchanges), (1, 2));
    assert!(world.is_active(tokens.first().unwrap()));
    row(
        "50 threads, the server dead when the token ends",
        "one error for all, and one token for all when it is back",
    );
}

#[track_caller]
fn row(case: &str, what: &str) {
    seen("oidc-provider", Flow::ByKey.name(), case, what);
}
