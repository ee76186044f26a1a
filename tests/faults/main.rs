//! What a token source does when a server, or a proxy in front of it, misbehaves, over real sockets.
//!
//! Each case of `table.rs` checks the outcome of the call, the number of requests, that no secret is printed, and
//! that the source gets a token once the server has recovered.
//!
//! The clock of the source runs five times as fast as real time, and so do the timeouts of its requests. The limits
//! of the source stay as they are: 30 seconds per call, 10 per attempt, backoffs of one and two seconds.

#![cfg(feature = "ureq")]

mod server;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::error::Error as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{
    Audience, Clock, Endpoint, Error, Profile, Request, Response, TokenSource, Transport,
};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use server::{Ending, Misbehavior, PKI, Server, Stage};
use support::sample::hmac;
use table::{CONNECTIONS, ConnectionRow, Expected, RESPONSES, ResponseRow};

/// Seconds of the source per second of real time.
const SPEED: u32 = 5;
const DEADLINE: Duration = Duration::from_secs(30);
/// What a loaded machine may need beyond the deadline.
const SLACK: Duration = Duration::from_secs(20);
/// Secrets that no text may repeat. The assertions of each case are searched for too.
const SECRETS: [&str; 2] = ["the-token-that-is-not-good", "the-secret-of-the-client"];

#[derive(Clone, Copy)]
struct FastClock(SystemTime, Instant);

impl Clock for FastClock {
    fn now(&self) -> SystemTime {
        self.0 + self.1.elapsed() * SPEED
    }
    fn monotonic(&self) -> Instant {
        self.1 + self.1.elapsed() * SPEED
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time / SPEED);
    }
}

struct Case {
    name: &'static str,
    misbehavior: Misbehavior,
    expected: Expected,
    connections: usize,
}

impl From<&ConnectionRow> for Case {
    fn from(&(name, stage, bytes, ending, expected, connections): &ConnectionRow) -> Self {
        let bytes = bytes.to_owned();
        Self {
            name,
            misbehavior: Misbehavior {
                stage,
                bytes,
                ending,
            },
            expected,
            connections,
        }
    }
}

impl From<&ResponseRow> for Case {
    fn from(&(name, status, headers, body, expected, connections): &ResponseRow) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: <length>\r\n\r\n");
        Self {
            name,
            misbehavior: Misbehavior {
                stage: Stage::Http,
                bytes: [head.as_bytes(), body].concat(),
                ending: Ending::Closes,
            },
            expected,
            connections,
        }
    }
}

fn source(server: &Server, clock: FastClock) -> TokenSource {
    let roots = [Certificate::from_der(PKI.root()).to_owned()];
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
    let agent = Agent::config_builder().proxy(None).tls_config(tls.build());
    let agent = Agent::from(agent.build());
    let transport = move |request: &Request, timeout: Duration| -> io::Result<Response> {
        agent.send(request, timeout / SPEED)
    };
    let endpoint = Endpoint::token(server.url()).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
        .with_parameter("client_secret", SECRETS[1])
        .with_token_lifetime(Duration::from_secs(777));
    let source = TokenSource::with_transport(transport, profile, hmac()).unwrap();
    source.with_clock(clock)
}

fn run(case: Case) {
    let stage = case.misbehavior.stage;
    let server = Server::start(case.misbehavior);
    let clock = FastClock(SystemTime::now(), Instant::now());
    let source = source(&server, clock);
    if matches!(stage, Stage::KeptAlive | Stage::Idle) {
        source.fetch_uncached().unwrap();
    }

    let (start_time, start) = (clock.now(), clock.monotonic());
    let outcome = source.token();
    let elapsed = clock.monotonic() - start;
    assert!(elapsed < DEADLINE + SLACK, "{elapsed:?}");

    let mut printed = String::new();
    match (&outcome, case.expected) {
        (Err(error), Expected::Error(kind, text)) => {
            let text = text.replace("<host>", &server.host);
            assert_eq!((error.kind(), error.to_string()), (kind, text), "{error:?}");
            printed = error_text(error);
        }
        (Err(error), Expected::ErrorWithSource(kind, text, source_text)) => {
            let text = text.replace("<host>", &server.host);
            assert_eq!((error.kind(), error.to_string()), (kind, text), "{error:?}");
            printed = error_text(error);
            let source = error.source().expect("a source").to_string();
            assert!(source.contains(source_text), "{source}");
        }
        (Ok(token), Expected::Token(lifetime)) => {
            let lifetime = Duration::from_secs(lifetime);
            let expires_at = token.expires_at();
            assert!(start_time + lifetime <= expires_at, "{expires_at:?}");
            assert!(expires_at <= clock.now() + lifetime, "{expires_at:?}");
        }
        _ => panic!("{outcome:?}"),
    }
    assert_eq!(server.connections(), case.connections, "{outcome:?}");
    let status = source.status();
    assert_eq!(status.last_error.is_some(), outcome.is_err(), "last_error");
    printed += &format!("{status:?} {source:?}");

    server.recover();
    if let Err(cached) = source.token() {
        let remaining = cached.retry_after().expect("a cached failure");
        printed += &error_text(&cached);
        clock.sleep(remaining + Duration::from_millis(100));
    }
    source
        .token()
        .expect("a token after the server has recovered");

    drop(source); // closes its connections
    assert!(!server.was_redirect_followed(), "a redirect was followed");
    let connections = server.connections();
    let assertions = server.assertions();
    match stage {
        Stage::Http | Stage::Tls => {
            assert_eq!(assertions.len(), connections, "one per connection");
        }
        Stage::Handshake | Stage::Untrusted(_) => {
            assert_eq!(assertions.len(), 1, "over trusted TLS only");
        }
        Stage::Unread | Stage::KeptAlive | Stage::Idle => {}
    }
    for (n, assertion) in assertions.iter().enumerate() {
        assert!(
            !assertions[..n].contains(assertion),
            "an assertion was sent twice"
        );
    }
    let secrets = assertions.iter().map(String::as_str).chain(SECRETS);
    for run in secrets.flat_map(|secret| secret.as_bytes().windows(16)) {
        let run = std::str::from_utf8(run).unwrap();
        assert!(!printed.contains(run), "{run} is printed: {printed}");
    }
}

/// Returns everything that an error and its sources print.
fn error_text(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

#[test]
fn source_reports_each_server_fault_and_recovers() {
    let connections = CONNECTIONS.iter().map(Case::from);
    let cases: Vec<_> = connections
        .chain(RESPONSES.iter().map(Case::from))
        .collect();
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort();
    assert!(names.len() >= 40 && names.windows(2).all(|two| two[0] != two[1]));
    let failed: Vec<_> = thread::scope(|scope| {
        let running = cases.into_iter().map(|case| {
            let name = case.name;
            let run = move || catch_unwind(AssertUnwindSafe(|| run(case)));
            let thread = thread::Builder::new().name(name.to_owned());
            (name, thread.spawn_scoped(scope, run).unwrap())
        });
        let running: Vec<_> = running.collect();
        let ended = running
            .into_iter()
            .map(|(name, thread)| (name, thread.join().unwrap()));
        ended
            .filter(|(_, outcome)| outcome.is_err())
            .map(|(name, _)| name)
            .collect()
    });
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
}
