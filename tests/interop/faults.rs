//! haproxy and mitmproxy in the way: what they lose, cut, delay and answer themselves, before the sandbox.
//!
//! The server may have done the work of a request whose answer was lost. The sandbox remembers every
//! `jti` and refuses it the second time: a token at the end says that none was sent twice.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use jwt_bearer::ErrorKind::{self, Network, Protocol};
use jwt_bearer::sandbox::{Client, Fault, Key, Server};
use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, TokenSource};

use crate::support::{env, seen};

/// What happens to a first request.
struct Row {
    proxy: &'static str,
    /// What the proxy does to it, as its configuration calls that, and what the server behind it does.
    does: &'static str,
    fault: Option<Fault>,
    case: &'static str,
    /// What the call comes to: a token, or an error of this text.
    comes_to: Result<(), (ErrorKind, &'static str)>,
    /// How many requests came to the server, and how many assertions it took.
    requests: usize,
    taken: usize,
}

const fn row(proxy: &'static str, does: &'static str, case: &'static str) -> Row {
    Row {
        proxy,
        does,
        fault: None,
        case,
        comes_to: Ok(()),
        requests: 1,
        taken: 1,
    }
}
const fn mitmproxy(does: &'static str, case: &'static str) -> Row {
    row("mitmproxy", does, case)
}
const fn haproxy(does: &'static str, case: &'static str) -> Row {
    row("haproxy", does, case)
}

impl Row {
    const fn twice(self) -> Self {
        Self {
            requests: 2,
            taken: 2,
            ..self
        }
    }
    const fn fails(self, kind: ErrorKind, text: &'static str) -> Self {
        Self {
            comes_to: Err((kind, text)),
            ..self
        }
    }
    const fn unseen(self) -> Self {
        Self {
            requests: 0,
            taken: 0,
            ..self
        }
    }
}

const LATE: &str = "<host>: no answer in time";
const NOT_JSON: &str = "the response is not a JSON object (status 200)";
const FORBIDDEN: &str = "something other than an authorization server answered (status 403)";

fn rows() -> [Row; 15] {
    [
        mitmproxy("nothing", "passes all"),
        mitmproxy("request-lost", "ends the connection and passes nothing"),
        mitmproxy(
            "answer-lost",
            "ends the connection instead of passing the answer",
        )
        .twice(),
        mitmproxy(
            "answer-cut",
            "passes 20 bytes of the answer, and its length",
        )
        .twice(),
        mitmproxy("answer-late", "passes the answer after the caller's time").fails(Network, LATE),
        mitmproxy("answer-replaced", "passes a page instead of the answer")
            .fails(Protocol, NOT_JSON),
        haproxy("nothing", "passes all"),
        haproxy("closed", "ends the connection without an answer"),
        haproxy("tarpit", "answers 500 after a second"),
        haproxy("forbidden", "answers 403 and a page")
            .unseen()
            .fails(Protocol, FORBIDDEN),
        haproxy("limited", "answers 429, Retry-After: 1"),
        haproxy("gone", "finds no server, answers 503"),
        haproxy("answer-lost", "answers 502 where the server had answered").twice(),
        Row {
            fault: Some(Fault::Silence),
            requests: 2,
            ..haproxy("nothing", "answers 504 for a server that is silent")
        },
        Row {
            fault: Some(Fault::CutBody),
            ..haproxy(
                "nothing",
                "passes half of the answer, as the server sent it",
            )
            .twice()
        },
    ]
}

/// Less than one attempt may take, so that who is late is late once.
const TIMEOUT: Duration = Duration::from_secs(8);

fn run(n: usize, row: &Row) {
    let server = Server::start().unwrap();
    server.register(Client::new("client-1", Key::secret("secret")));
    if let Some(fault) = row.fault {
        server.fail_next(1, fault);
    }
    let proxy = env(&format!("INTEROP_{}", row.proxy.to_uppercase()));
    let (_, port) = server.url().rsplit_once(':').unwrap();
    let endpoint = Endpoint::token(format!("{proxy}/{port}/{}/{n}/token", row.does)).unwrap();
    let issuer = Audience::Fixed(server.url().to_owned());
    let profile = Profile::client_credentials(endpoint, "client-1", issuer);
    let source = TokenSource::new(profile, HmacKey::new("secret").unwrap()).unwrap();
    let source = source.with_timeout(TIMEOUT);

    let outcome = source.token();
    let outcome = outcome.map(drop).map_err(|error| {
        let host = proxy.strip_prefix("http://").unwrap();
        (error.kind(), error.to_string().replace(host, "<host>"))
    });
    let expected = row.comes_to.map_err(|(kind, text)| (kind, text.to_owned()));
    assert_eq!(outcome, expected, "{}: {}", row.proxy, row.case);
    let came = (server.requests(), server.jtis().len());
    assert_eq!(
        came,
        (row.requests, row.taken),
        "{}: {}",
        row.proxy,
        row.case
    );
    source
        .fetch_uncached()
        .expect("all is well at the next call");
    let jtis = server.jtis();
    assert_eq!(jtis.len(), row.taken + 1);
    assert_eq!(BTreeSet::from_iter(&jtis).len(), jtis.len());

    let what = match row.comes_to {
        Ok(()) => "a token".to_owned(),
        Err((_, text)) => text.replace("<host>: ", ""),
    };
    let what = format!(
        "{what}; the server saw {} and took {}",
        row.requests, row.taken
    );
    seen(
        row.proxy,
        "client_credentials, HS256, before the sandbox",
        row.case,
        what,
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
