//! Fifty threads use a token source at oidc-provider for ten token lifetimes, with restarts of the server.
//!
//! Server and client share a clock that the test advances. The clock of the client is injected, that of the server is
//! set by libfaketime. So a token expires for both at the same time, and the server's introspection endpoint says
//! whether a token that the source returned is active.

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
use crate::support::{env, file, path, record};

const THREADS: usize = 50;
const LIFETIME: u64 = 300;
/// Seconds between two calls of the source.
const STEP: u64 = 30;

/// The clocks of the machine, ahead by so many seconds.
#[derive(Clone, Default)]
struct AdvancedClock(Arc<AtomicU64>);

impl AdvancedClock {
    fn offset(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
    }
}

impl Clock for AdvancedClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + self.offset()
    }
    fn monotonic(&self) -> Instant {
        Instant::now() + self.offset()
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// A server that the test can kill and restart, and the clock that server and client share.
struct TestServer {
    clock: AdvancedClock,
    directory: tempfile::TempDir,
    process: Child,
    issuer: String,
}

impl TestServer {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("clock"), "+0\n").unwrap();
        let (process, issuer) = start(&directory, "0");
        Self {
            clock: AdvancedClock::default(),
            directory,
            process,
            issuer,
        }
    }

    fn advance(&self, seconds: u64) {
        let ahead = self.clock.0.fetch_add(seconds, Relaxed) + seconds;
        // Renamed, since the server may read the file at any time.
        let [new, file] = ["new", "clock"].map(|name| self.directory.path().join(name));
        fs::write(&new, format!("+{ahead}\n")).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the server on its old port. It has lost every token.
    fn restart(&mut self) {
        let (_, port) = self.issuer.rsplit_once(':').unwrap();
        let (process, issuer) = start(&self.directory, port);
        assert_eq!(issuer, self.issuer);
        self.process = process;
    }

    /// Returns when a token expires if it is active (introspection, RFC 7662).
    fn active_expiry(&self, token: &str) -> Option<u64> {
        let url = format!("{}/token/introspection", self.issuer);
        let form = [
            ("token", token),
            ("client_id", "api"),
            ("client_secret", &file("keys/secret.txt")),
        ];
        let mut response = agent().post(url).send_form(form).unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let active = body["active"].as_bool().unwrap();
        active.then(|| body["exp"].as_u64().unwrap())
    }
    fn is_active(&self, token: &str) -> bool {
        self.active_expiry(token).is_some()
    }
}

impl Drop for TestServer {
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
        .env("DONT_FAKE_MONOTONIC", "1") // the timers of Node use it
        .stdin(Stdio::piped()) // the server ends with this test
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
        panic!("oidc-provider does not start, see life.log: {lines:?}");
    };
    let issuer = line.strip_prefix("LIFE=").unwrap().to_owned();
    (server, issuer)
}

/// Calls `function` in all threads at once and returns the results.
fn in_threads<T: Send>(function: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(&function)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Returns a token source with the clock of the server.
#[track_caller]
fn source(server: &TestServer) -> TokenSource {
    let endpoint = Endpoint::issuer(&*server.issuer).unwrap();
    let profile = Flow::ByKey.profile(endpoint, Audience::Issuer);
    let source = TokenSource::with_transport(agent(), profile, Flow::ByKey.key());
    source.unwrap().with_clock(server.clock.clone())
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn cached_token_stays_active_over_ten_lifetimes_and_a_server_restart() {
    let mut server = TestServer::new();
    let source = source(&server);
    // The tokens in the order in which the source first returned them, and how many of them the server has lost.
    let mut tokens: Vec<String> = Vec::new();
    let mut lost = 0;
    for step in 0..=10 * LIFETIME / STEP {
        // Kill the server once, in or after the fifth lifetime, while the token is refreshable.
        let is_refreshable = source.status().state == TokenState::Refreshable;
        let kill_now = lost == 0 && step >= 5 * LIFETIME / STEP && is_refreshable;
        if kill_now {
            server.kill();
        }
        let returned = in_threads(|| source.token().map(|token| token.secret().to_owned()));
        let returned: BTreeSet<_> = returned.into_iter().map(Result::unwrap).collect();
        let new = returned.iter().filter(|token| !tokens.contains(token));
        let new: Vec<_> = new.cloned().collect();
        // One caller refreshes the token while the others get the old one.
        assert!(returned.len() <= 2 && new.len() <= 1, "step {step}");
        tokens.extend(new);
        if kill_now {
            assert!(returned.iter().eq(tokens.last()), "step {step}");
            let status = source.status();
            let error = status.last_error.unwrap();
            assert_eq!((error.kind(), status.failures), (Network, 1), "{error:?}");
            server.restart();
            lost = tokens.len();
            server.advance(STEP);
            continue;
        }
        for token in &returned {
            // During the refresh, callers still get the token that the server has lost.
            let position = tokens.iter().position(|other| other == token).unwrap();
            let is_active = position >= lost;
            assert_eq!(server.is_active(token), is_active, "step {step}");
        }
        server.advance(STEP);
    }
    let exchanges = source.status().exchanges;
    assert!(lost > 0 && exchanges == u64::try_from(tokens.len()).unwrap());
    // A token becomes refreshable after 210 to 240 s, and the source is called every 30 s.
    assert!((12..=16).contains(&exchanges), "{exchanges}");

    // The introspection endpoint does report an expired token.
    let token = source.fetch_uncached().unwrap();
    let exp = server.active_expiry(token.secret()).unwrap();
    let expires_at = token.expires_at().duration_since(SystemTime::UNIX_EPOCH);
    assert!(expires_at.unwrap().as_secs().abs_diff(exp) <= 5);
    server.advance(LIFETIME - STEP);
    assert!(server.is_active(token.secret()));
    server.advance(STEP);
    assert!(!server.is_active(token.secret()));

    record_row(
        "ten lifetimes of 300 s, 50 threads, the server killed and restarted while the token is refreshable",
        "no caller gets an error; every returned token is active until the server loses it",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn call_after_server_restart_costs_one_exchange() {
    let mut server = TestServer::new();
    let source = source(&server);
    let first = source.token().unwrap();
    server.advance(STEP);
    server.kill();
    server.restart();
    assert!(!server.is_active(first.secret()));
    let status = |active| if active { 200 } else { 401_u16 };
    let statuses = in_threads(|| {
        source.call(
            |token| status(server.is_active(token.secret())),
            |status| *status == 401,
        )
    });
    for status in statuses {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(source.status().exchanges, 2);
    record_row(
        "50 threads in `call`, after a restart of the server",
        "a 401 each, then one exchange for all",
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn server_down_fails_every_waiter_and_recovery_costs_one_exchange() {
    let mut server = TestServer::new();
    let source = source(&server);
    source.token().unwrap();
    server.kill();
    server.advance(LIFETIME);
    for outcome in in_threads(|| source.token()) {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (Network, true));
        assert!(error.to_string().ends_with(": nobody listens there"));
    }
    assert_eq!(source.status().failures, 1);
    server.restart();
    server.advance(STEP);
    let tokens = in_threads(|| source.token().map(|token| token.secret().to_owned()));
    let tokens: BTreeSet<_> = tokens.into_iter().map(Result::unwrap).collect();
    assert_eq!((tokens.len(), source.status().exchanges), (1, 2));
    assert!(server.is_active(tokens.first().unwrap()));
    record_row(
        "50 threads, the server down when the token expires",
        "one error for all, and one token for all after its restart",
    );
}

#[track_caller]
fn record_row(case: &str, result: &str) {
    record("oidc-provider", Flow::ByKey.name(), case, result);
}
