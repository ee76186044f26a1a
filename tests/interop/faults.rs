//! haproxy and mitmproxy between a token source and the sandbox lose, truncate, delay and replace messages.
//!
//! The server may have accepted the assertion of a request whose response was lost. The sandbox refuses a `jti` that
//! it has accepted before, so a token shows that no assertion was sent twice.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use jwt_bearer::ErrorKind::{self, Network, Protocol};
use jwt_bearer::sandbox::{Client, Fault, Key, Server};
use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, TokenSource};

use crate::support::{env, record};

/// A fault that affects the first request of a fetch.
struct Row {
    proxy: &'static str,
    /// The fault as the configuration of the proxy names it.
    proxy_fault: &'static str,
    /// The fault of the server behind the proxy.
    fault: Option<Fault>,
    case: &'static str,
    /// A token, or an error with this text.
    expected: Result<(), (ErrorKind, &'static str)>,
    /// How many requests the server receives.
    requests: usize,
    /// How many assertions the server accepts.
    accepted: usize,
}

const fn row(proxy: &'static str, proxy_fault: &'static str, case: &'static str) -> Row {
    Row {
        proxy,
        proxy_fault,
        fault: None,
        case,
        expected: Ok(()),
        requests: 1,
        accepted: 1,
    }
}
const fn mitmproxy(proxy_fault: &'static str, case: &'static str) -> Row {
    row("mitmproxy", proxy_fault, case)
}
const fn haproxy(proxy_fault: &'static str, case: &'static str) -> Row {
    row("haproxy", proxy_fault, case)
}

impl Row {
    const fn reaches_server_twice(self) -> Self {
        Self {
            requests: 2,
            accepted: 2,
            ..self
        }
    }
    const fn fails(self, kind: ErrorKind, text: &'static str) -> Self {
        Self {
            expected: Err((kind, text)),
            ..self
        }
    }
    const fn never_reaches_server(self) -> Self {
        Self {
            requests: 0,
            accepted: 0,
            ..self
        }
    }
}

const TIMED_OUT: &str = "<host>: no answer in time";
const NOT_JSON: &str = "the response is not a JSON object (status 200)";
const FORBIDDEN: &str = "something other than an authorization server answered (status 403)";

fn rows() -> [Row; 15] {
    [
        mitmproxy("nothing", "forwards everything"),
        mitmproxy("request-lost", "closes the connection and forwards nothing"),
        mitmproxy(
            "response-lost",
            "closes the connection instead of forwarding the response",
        )
        .reaches_server_twice(),
        mitmproxy(
            "response-cut",
            "forwards 20 bytes of the response, with its full Content-Length",
        )
        .reaches_server_twice(),
        mitmproxy(
            "response-late",
            "forwards the response after the caller's deadline",
        )
        .fails(Network, TIMED_OUT),
        mitmproxy(
            "response-replaced",
            "forwards an HTML page instead of the response",
        )
        .fails(Protocol, NOT_JSON),
        haproxy("nothing", "forwards everything"),
        haproxy("closed", "closes the connection without a response"),
        haproxy("tarpit", "answers 500 after a second"),
        haproxy("forbidden", "answers 403 with an HTML page")
            .never_reaches_server()
            .fails(Protocol, FORBIDDEN),
        haproxy("limited", "answers 429 with Retry-After: 1"),
        haproxy("gone", "cannot reach the server and answers 503"),
        haproxy(
            "response-lost",
            "answers 502 instead of the server's response",
        )
        .reaches_server_twice(),
        Row {
            fault: Some(Fault::Silence),
            requests: 2,
            ..haproxy("nothing", "answers 504 for a silent server")
        },
        Row {
            fault: Some(Fault::CutBody),
            ..haproxy(
                "nothing",
                "forwards half of the response, as the server sent it",
            )
            .reaches_server_twice()
        },
    ]
}

/// Shorter than the limit of one attempt, so that a late response ends the whole fetch.
const TIMEOUT: Duration = Duration::from_secs(8);

fn run(n: usize, row: &Row) {
    let server = Server::start().unwrap();
    server.register(Client::new("client-1", Key::secret("secret")));
    if let Some(fault) = row.fault {
        server.fail_next(1, fault);
    }
    let proxy = env(&format!("INTEROP_{}", row.proxy.to_uppercase()));
    let (_, port) = server.url().rsplit_once(':').unwrap();
    let endpoint =
        Endpoint::token(format!("{proxy}/{port}/{}/{n}/token", row.proxy_fault)).unwrap();
    let issuer = Audience::Fixed(server.url().to_owned());
    let profile = Profile::client_credentials(endpoint, "client-1", issuer);
    let source = TokenSource::new(profile, HmacKey::new("secret").unwrap()).unwrap();
    let source = source.with_timeout(TIMEOUT);

    let outcome = source.token();
    let outcome = outcome.map(drop).map_err(|error| {
        let host = proxy.strip_prefix("http://").unwrap();
        (error.kind(), error.to_string().replace(host, "<host>"))
    });
    let expected = row.expected.map_err(|(kind, text)| (kind, text.to_owned()));
    assert_eq!(outcome, expected, "{}: {}", row.proxy, row.case);
    let received = (server.requests(), server.jtis().len());
    assert_eq!(
        received,
        (row.requests, row.accepted),
        "{}: {}",
        row.proxy,
        row.case
    );
    source.fetch_uncached().expect("a token at the next call");
    let jtis = server.jtis();
    assert_eq!(jtis.len(), row.accepted + 1);
    assert_eq!(BTreeSet::from_iter(&jtis).len(), jtis.len());

    let result = match row.expected {
        Ok(()) => "a token".to_owned(),
        Err((_, text)) => text.replace("<host>: ", ""),
    };
    let result = format!(
        "{result}; requests received: {}, assertions accepted: {}",
        row.requests, row.accepted
    );
    record(
        row.proxy,
        "client_credentials, HS256, in front of the sandbox",
        row.case,
        result,
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn fetch_through_faulty_proxy_signs_anew_and_reuses_no_jti() {
    thread::scope(|scope| {
        for (n, row) in rows().into_iter().enumerate() {
            scope.spawn(move || run(n, &row));
        }
    });
}
