//! What a server, or whoever stands in its place, can do wrong, row by row over real sockets: what
//! it comes to, how often it is asked, that nothing leaks, and that all is well at the next call.
//!
//! Time runs five times as fast as outside, for the source and for the timeouts it sets. So its own
//! rules hold: 30 seconds a call, 10 an attempt, pauses of one and two.

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

use server::{Door, Manner, PKI, Server};
use support::sample::hmac;
use table::{ANSWERS, Answer, CONNECTIONS, Connection, End};

/// How many seconds of the source pass in one.
const SPEED: u32 = 5;
const DEADLINE: Duration = Duration::from_secs(30);
/// What a loaded machine may need beyond.
const SLACK: Duration = Duration::from_secs(20);
/// What no text may repeat; row by row, the assertions come to these.
const SECRETS: [&str; 2] = ["the-token-that-is-not-good", "the-secret-of-the-client"];

#[derive(Clone, Copy)]
struct Fast(SystemTime, Instant);

impl Clock for Fast {
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
    manner: Manner,
    end: End,
    connections: usize,
}

impl From<&Connection> for Case {
    fn from(&(name, door, says, then, end, connections): &Connection) -> Self {
        let says = says.to_owned();
        Self {
            name,
            manner: Manner { door, says, then },
            end,
            connections,
        }
    }
}

impl From<&Answer> for Case {
    fn from(&(name, status, headers, body, end, connections): &Answer) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: <length>\r\n\r\n");
        Self {
            name,
            manner: Manner {
                door: Door::Http,
                says: [head.as_bytes(), body].concat(),
                then: server::Then::Ends,
            },
            end,
            connections,
        }
    }
}

fn source(server: &Server, clock: Fast) -> TokenSource {
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
    let door = case.manner.door;
    let server = Server::start(case.manner);
    let clock = Fast(SystemTime::now(), Instant::now());
    let source = source(&server, clock);
    if matches!(door, Door::Kept | Door::Idle) {
        source.fetch_uncached().unwrap();
    }

    let (begin, began) = (clock.now(), clock.monotonic());
    let outcome = source.token();
    let took = clock.monotonic() - began;
    assert!(took < DEADLINE + SLACK, "{took:?}");

    let mut said = String::new();
    match (&outcome, case.end) {
        (Err(error), End::Error(kind, text)) => {
            let text = text.replace("<host>", &server.host);
            assert_eq!((error.kind(), error.to_string()), (kind, text), "{error:?}");
            said = everything(error);
        }
        (Err(error), End::Because(kind, text, cause)) => {
            let text = text.replace("<host>", &server.host);
            assert_eq!((error.kind(), error.to_string()), (kind, text), "{error:?}");
            said = everything(error);
            let why = error.source().expect("a cause").to_string();
            assert!(why.contains(cause), "{why}");
        }
        (Ok(token), End::Token(seconds)) => {
            let life = Duration::from_secs(seconds);
            let end = token.expires_at();
            assert!(begin + life <= end && end <= clock.now() + life, "{end:?}");
        }
        _ => panic!("{outcome:?}"),
    }
    assert_eq!(server.connections(), case.connections, "{outcome:?}");
    let status = source.status();
    assert_eq!(status.last_error.is_some(), outcome.is_err(), "remembered");
    said += &format!("{status:?} {source:?}");

    server.mend();
    if let Err(stands) = source.token() {
        let rest = stands.retry_after().expect("a failure that stands");
        said += &everything(&stands);
        clock.sleep(rest + Duration::from_millis(100));
    }
    source.token().expect("all is well at the next call");

    drop(source); // and its connections
    assert!(!server.was_left(), "somebody followed");
    let all = server.connections();
    let assertions = server.assertions();
    match door {
        Door::Http | Door::Tls => assert_eq!(assertions.len(), all, "one a connection"),
        Door::Https | Door::Shows(_) => assert_eq!(assertions.len(), 1, "none but in good TLS"),
        Door::Deaf | Door::Kept | Door::Idle => {}
    }
    for (n, assertion) in assertions.iter().enumerate() {
        assert!(!assertions[..n].contains(assertion), "one was sent twice");
    }
    let secrets = assertions.iter().map(String::as_str).chain(SECRETS);
    for run in secrets.flat_map(|secret| secret.as_bytes().windows(16)) {
        let run = std::str::from_utf8(run).unwrap();
        assert!(!said.contains(run), "{run} leaks: {said}");
    }
}

/// All that an error shows, and what it was caused by.
fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}

#[test]
fn source_reports_each_server_fault_and_recovers() {
    let connections = CONNECTIONS.iter().map(Case::from);
    let cases: Vec<_> = connections.chain(ANSWERS.iter().map(Case::from)).collect();
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
