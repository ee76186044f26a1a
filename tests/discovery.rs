//! From an issuer or a metadata document to the token endpoint: which addresses are asked, what
//! is believed, how long it is kept.

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jwt_bearer::ErrorKind::{Config, Denied, Network, Protocol, Unavailable};
use jwt_bearer::{
    AccessToken, Audience, Endpoint, Error, Exchange, Profile, Request, Response, TokenSource,
};
use serde_json::{Value, json};

use support::sample::{claims, client_at, hmac, now};

const ISSUER: &str = "https://as.example.com";
const RFC_8414: &str = "GET https://as.example.com/.well-known/oauth-authorization-server";
const OPENID: &str = "GET https://as.example.com/.well-known/openid-configuration";
const TOKEN: &str = "POST https://as.example.com/token";

fn by_issuer() -> Profile {
    client_at(Endpoint::issuer(ISSUER).unwrap())
}
fn by_metadata() -> Profile {
    client_at(Endpoint::metadata("https://as.example.com/metadata").unwrap())
}
const METADATA: &str = "GET https://as.example.com/metadata";

fn document() -> Value {
    json!({"issuer": ISSUER, "token_endpoint": "https://as.example.com/token"})
}
fn ok(body: &Value) -> io::Result<Response> {
    Ok(Response::new(200, body.to_string()))
}
fn status(status: u16, body: &str) -> io::Result<Response> {
    Ok(Response::new(status, body))
}
fn grants(token: &str) -> io::Result<Response> {
    ok(&json!({"access_token": token, "expires_in": 300}))
}

type Script<const N: usize> = [(&'static str, io::Result<Response>); N];

/// A source whose requests must be those of the script, in its order, and no others.
struct Scripted {
    source: TokenSource,
    expected: Vec<&'static str>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Less than the pause before a second attempt.
const ONE_ATTEMPT: Duration = Duration::from_millis(500);

impl Scripted {
    #[track_caller]
    fn new<const N: usize>(profile: Profile, script: Script<N>) -> Self {
        let (expected, answers): (Vec<_>, Vec<_>) = script.into_iter().unzip();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let answers = Mutex::new(answers.into_iter());
        let transport = move |request: &Request, _: Duration| {
            let mut line = format!("{} {}", request.method(), request.url());
            if let Some((_, assertion)) = std::str::from_utf8(request.body())
                .unwrap()
                .split_once("client_assertion=")
            {
                let aud = &claims(assertion)["aud"]; // an assertion is for whom it goes to
                line += if aud == request.url() {
                    ""
                } else {
                    " with the audience of another"
                };
            }
            seen.lock().unwrap().push(line);
            let answer = answers.lock().unwrap().next();
            answer.unwrap_or_else(|| Err(io::Error::other("nothing left to say")))
        };
        Self {
            source: TokenSource::with_transport(transport, profile, hmac())
                .unwrap()
                .with_timeout(ONE_ATTEMPT),
            expected,
            asked,
        }
    }
    fn exchange(&self) -> Result<AccessToken, Error> {
        self.source.fetch_uncached()
    }
    #[track_caller]
    fn got(&self, token: &str) {
        assert_eq!(self.exchange().unwrap().secret(), token);
    }
    #[track_caller]
    fn failed(&self) -> Error {
        self.exchange().unwrap_err()
    }
    /// All of the script was asked for, and nothing else.
    #[track_caller]
    fn end(self) {
        assert_eq!(*self.asked.lock().unwrap(), self.expected);
    }
}

// Which addresses are asked

#[test]
fn a_metadata_document_is_asked_at_its_own_address() {
    let source = Scripted::new(
        client_at(Endpoint::metadata("https://as.example.com/any/where?tenant=7").unwrap()),
        [
            (
                "GET https://as.example.com/any/where?tenant=7",
                ok(&document()),
            ),
            (TOKEN, grants("t1")),
        ],
    );
    source.got("t1");
    source.end();
}

#[test]
fn of_an_issuer_rfc_8414_puts_its_path_behind_well_known_and_openid_before_it() {
    for (issuer, rfc_8414, openid) in [
        (
            "https://as.example.com",
            "https://as.example.com/.well-known/oauth-authorization-server",
            "https://as.example.com/.well-known/openid-configuration",
        ),
        (
            "https://as.example.com/", // §3.1: "any terminating "/" MUST be removed"
            "https://as.example.com/.well-known/oauth-authorization-server",
            "https://as.example.com/.well-known/openid-configuration",
        ),
        (
            "https://as.example.com:8443/tenant/7",
            "https://as.example.com:8443/.well-known/oauth-authorization-server/tenant/7",
            "https://as.example.com:8443/tenant/7/.well-known/openid-configuration",
        ),
        (
            "http://[::1]:1/realms/a/",
            "http://[::1]:1/.well-known/oauth-authorization-server/realms/a",
            "http://[::1]:1/realms/a/.well-known/openid-configuration",
        ),
    ] {
        let requests = client_at(Endpoint::issuer(issuer).unwrap())
            .metadata_requests()
            .unwrap();
        let urls: Vec<_> = requests.iter().map(Request::url).collect();
        assert_eq!(urls, [rfc_8414, openid]);
        for request in &requests {
            assert_eq!(
                (
                    request.method(),
                    std::str::from_utf8(request.body()).unwrap()
                ),
                ("GET", "")
            );
            let headers: Vec<_> = request.headers().map(|(name, _)| name).collect();
            assert_eq!(headers, ["Accept", "User-Agent"]);
        }
    }
}

#[test]
fn a_known_token_endpoint_needs_no_metadata() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    assert!(profile.metadata_requests().unwrap().is_empty());
    let source = Scripted::new(profile, [(TOKEN, grants("t1"))]);
    source.got("t1");
    source.end();
}

#[test]
fn openid_is_asked_where_rfc_8414_is_no_json_and_not_where_it_is() {
    let source = Scripted::new(
        by_issuer(),
        [(RFC_8414, ok(&document())), (TOKEN, grants("t1"))],
    );
    source.got("t1");
    source.end();
    for first in [
        status(404, ""),
        status(404, r#"{"error":"not_found"}"#),
        status(401, "{}"),
        status(200, "<!DOCTYPE html><html>a shell for any path</html>"),
        status(200, ""),
        status(200, "[]"),
        status(500, "no such page"),
        Ok(Response::new(302, "").with_header("Location", "/login")),
    ] {
        let source = Scripted::new(
            by_issuer(),
            [
                (RFC_8414, first),
                (OPENID, ok(&document())),
                (TOKEN, grants("t1")),
            ],
        );
        source.got("t1");
        source.end();
    }
}

#[test]
fn the_first_json_with_200_decides_even_if_it_is_somebody_elses() {
    let foreign =
        json!({"issuer": "https://evil.example", "token_endpoint": "https://evil.example/t"});
    for (first, text) in [
        (foreign, "metadata is of another issuer (status 200)"),
        (json!({}), "metadata is of another issuer (status 200)"),
        (
            json!({"issuer": ISSUER}),
            "metadata names no token_endpoint (status 200)",
        ),
    ] {
        let source = Scripted::new(by_issuer(), [(RFC_8414, ok(&first))]);
        let error = source.failed();
        assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
        assert_eq!(error.to_string(), text);
        source.end();
    }
}

// What is believed

#[test]
fn metadata_that_is_none_is_refused_and_the_error_says_why() {
    let with = |name: &str, value: Value| {
        let mut document = document();
        document[name] = value;
        document.to_string()
    };
    let html = "<!DOCTYPE html><html></html>".to_owned();
    let long = document().to_string() + &" ".repeat(64 * 1024);
    let no_json = "metadata is not a JSON object: check its address (status 200)";
    let no_endpoint = "metadata names no token_endpoint (status 200)";
    let foreign = "metadata is of another issuer (status 200)";
    for (profile, body, text) in [
        (by_metadata(), html.clone(), no_json),
        (by_issuer(), html, no_json),
        (by_metadata(), String::new(), no_json),
        (by_metadata(), "[]".to_owned(), no_json),
        (
            by_metadata(),
            "\"https://as.example.com/token\"".to_owned(),
            no_json,
        ),
        (by_metadata(), r#"{"token_endpoint":"#.to_owned(), no_json),
        (by_metadata(), "{}".to_owned(), no_endpoint),
        (
            by_metadata(),
            with("token_endpoint", Value::Null),
            no_endpoint,
        ),
        (
            by_metadata(),
            with("token_endpoint", json!(["https://a"])),
            no_endpoint,
        ),
        (
            by_metadata(),
            with("token_endpoint", json!({"a": "b"})),
            no_endpoint,
        ),
        (
            by_metadata(),
            with("token_endpoint", json!("http://as.example.com/token")),
            "the token_endpoint of the metadata is not https (http is for loopback alone) \
            (status 200)",
        ),
        (
            by_metadata(),
            with(
                "token_endpoint",
                json!("https://idp.intelligence.salesforce.com/us1/token\""),
            ),
            "the token_endpoint of the metadata holds a stray quote, as the printed document \
            does: remove it (status 200)",
        ),
        (
            by_metadata(),
            with(
                "token_endpoint",
                json!("https://as.example.com@evil.example/"),
            ),
            "the token_endpoint of the metadata holds a user name or password (status 200)",
        ),
        (
            by_metadata(),
            with("token_endpoint", json!("/token")),
            "the token_endpoint of the metadata has no scheme and host: write https://... \
            (status 200)",
        ),
        (
            by_metadata(),
            long,
            "metadata is longer than 64 KiB (status 200)",
        ),
        (
            by_issuer(),
            with("issuer", json!("https://as.example.com/")),
            foreign,
        ),
        (
            by_issuer(),
            with("issuer", json!("HTTPS://as.example.com")),
            foreign,
        ),
        (
            by_issuer(),
            with("issuer", json!("https://as.example.com:443")),
            foreign,
        ),
        (
            by_issuer(),
            with("issuer", json!("https://evil.example")),
            foreign,
        ),
        (by_issuer(), with("issuer", Value::Null), foreign),
        (by_issuer(), with("issuer", json!([ISSUER])), foreign),
    ] {
        let error = profile
            .with_metadata(&Response::new(200, body))
            .unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
        assert_eq!(error.to_string(), text);
        assert_eq!(error.response().unwrap().status(), 200);
    }
}

#[test]
fn a_redirect_of_metadata_is_told_by_a_host_of_one_line() {
    let told = |location: &str| {
        let moved = Response::new(302, "").with_header("Location", location);
        by_metadata().with_metadata(&moved).unwrap_err().to_string()
    };
    assert_eq!(
        told("https://other.example.com/m?key=hidden"),
        "metadata redirects to other.example.com, which is not followed (status 302)"
    );
    let long = told(&format!("https://{}.example.com/", "a".repeat(60_000)));
    assert!(long.len() < 512, "{}", long.len());
    assert!(long.ends_with("a, which is not followed (status 302)"));
}

/// RFC 8414 §2: an issuer has no query, and a metadata document's address may have one.
#[test]
fn an_issuer_with_a_query_is_refused_before_anybody_is_asked() {
    let asked = |endpoint| client_at(endpoint).metadata_requests();
    let error = asked(Endpoint::issuer("https://as.example.com/?tenant=7").unwrap()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Config, "issuer has a query")
    );
    let requests = asked(Endpoint::metadata("https://as.example.com/?tenant=7").unwrap()).unwrap();
    assert_eq!(requests[0].url(), "https://as.example.com/?tenant=7");
}

#[test]
fn a_token_endpoint_that_was_given_is_not_asked_for_and_no_document_moves_it() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    assert!(profile.metadata_requests().unwrap().is_empty());
    let other = json!({"issuer": ISSUER, "token_endpoint": "https://evil.example/token"});
    let known = profile.with_metadata(&ok(&other).unwrap()).unwrap();
    let key = hmac();
    let exchange = Exchange::new(&known, &key, now()).unwrap();
    assert_eq!(exchange.request().url(), "https://as.example.com/token");
}

/// A server elsewhere must not send an assertion to whoever listens on this machine.
#[test]
fn a_document_that_came_by_https_names_no_plain_http_not_even_on_loopback() {
    let here = [
        "http://localhost:8080/token",
        "http://127.0.0.1/token",
        "HTTP://127.9.9.9:1/",
        "http://[::1]/token",
    ];
    let document = |from: &str, to: &str| {
        let body = json!({"issuer": from, "token_endpoint": to}).to_string();
        Response::new(200, body)
    };
    for from in [ISSUER, "https://localhost", "https://127.0.0.1:8443"] {
        for to in here {
            for endpoint in [
                Endpoint::issuer(from).unwrap(),
                Endpoint::metadata(from).unwrap(),
            ] {
                let found = client_at(endpoint).with_metadata(&document(from, to));
                let error = found.unwrap_err();
                assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
                assert_eq!(
                    error.to_string(),
                    "the token_endpoint of the metadata is plain http, and the metadata came by \
                    https (status 200)"
                );
            }
        }
    }
    for from in ["http://localhost:8080", "http://[::1]:1"] {
        for to in here.into_iter().chain(["https://as.example.com/token"]) {
            for endpoint in [
                Endpoint::issuer(from).unwrap(),
                Endpoint::metadata(from).unwrap(),
            ] {
                let found = client_at(endpoint).with_metadata(&document(from, to));
                let found = found.unwrap();
                let key = hmac();
                let exchange = Exchange::new(&found, &key, now()).unwrap();
                assert_eq!(exchange.request().url(), to);
            }
        }
    }
}

#[test]
fn a_document_of_its_own_address_may_name_any_issuer_or_none() {
    for issuer in [json!("https://somebody.example"), Value::Null, json!(7)] {
        let document = json!({"issuer": issuer, "token_endpoint": "https://as.example.com/token"});
        let source = Scripted::new(
            by_metadata(),
            [(METADATA, ok(&document)), (TOKEN, grants("t"))],
        );
        source.got("t");
        source.end();
    }
}

#[test]
fn a_server_that_cannot_answer_now_is_worth_another_try() {
    for code in [408, 429, 500, 502, 503, 504] {
        let busy = || {
            let response = Response::new(code, "<html></html>");
            Ok(response.with_header("Retry-After", "7"))
        };
        let later = |error: &Error| {
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (Unavailable, true),
                "{error}"
            );
            assert_eq!(error.status(), Some(code));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        };
        let source = Scripted::new(by_metadata(), [(METADATA, busy())]);
        later(&source.failed());
        source.end();
        // An issuer with one document, which cannot be read now: that the other one is not there
        // either is no verdict.
        let source = Scripted::new(by_issuer(), [(RFC_8414, busy()), (OPENID, status(404, ""))]);
        later(&source.failed());
        source.end();
        let source = Scripted::new(by_issuer(), [(RFC_8414, status(404, "")), (OPENID, busy())]);
        later(&source.failed());
        source.end();
    }
}

#[test]
fn metadata_that_is_not_there_is_told_with_its_status_and_is_no_reason_to_retry() {
    for code in [301, 400, 401, 403, 404, 410, 501] {
        let response = Response::new(code, document().to_string());
        let error = by_metadata().with_metadata(&response).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
        assert_eq!(
            error.to_string(),
            format!("metadata is not there (status {code})")
        );
    }
    // Redirects are not followed: they name their target's host and no more.
    let location = "https://login.example/path?secret";
    let moved = Ok(Response::new(302, "").with_header("Location", location));
    let source = Scripted::new(by_metadata(), [(METADATA, moved)]);
    let text = source.failed().to_string();
    assert!(
        text.contains("login.example") && !text.contains("path"),
        "{text}"
    );
    source.end();
}

#[test]
fn a_request_for_metadata_that_does_not_complete_is_a_network_error() {
    for (kind, is_retryable) in [
        (io::ErrorKind::TimedOut, true),
        (io::ErrorKind::ConnectionRefused, true),
        (io::ErrorKind::NotFound, false),
        (io::ErrorKind::InvalidData, false),
    ] {
        let source = Scripted::new(by_issuer(), [(RFC_8414, Err(kind.into()))]);
        let error = source.failed();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (Network, is_retryable)
        );
        assert!(error.to_string().starts_with("as.example.com: "), "{error}");
        source.end();
    }
}

// What the assertion says

#[test]
fn the_audience_is_the_issuer_or_the_token_endpoint_that_was_found() {
    let found = json!({"issuer": ISSUER, "token_endpoint": "https://other.example.com/t?x=1"});
    for (audience, aud) in [
        (Audience::Issuer, ISSUER),
        (Audience::TokenEndpoint, "https://other.example.com/t?x=1"),
        (Audience::Fixed("urn:fixed".to_owned()), "urn:fixed"),
    ] {
        for profile in [by_issuer(), by_metadata()] {
            let profile = profile.with_audience(audience.clone());
            let unknown = profile.assertion(&hmac(), now()).err();
            let text = "the audience is known by discovery only: read the metadata first";
            match audience {
                Audience::Fixed(_) => assert!(unknown.is_none()),
                _ => assert_eq!(unknown.unwrap().to_string(), text),
            }
            let response = Response::new(200, found.to_string());
            let known = profile.with_metadata(&response).unwrap();
            let assertion = known.assertion(&hmac(), now()).unwrap();
            assert_eq!(claims(assertion.secret())["aud"], aud);
            assert!(known.metadata_requests().unwrap().is_empty());
        }
    }
}

#[test]
fn an_exchange_cannot_be_made_before_the_endpoint_is_known() {
    for profile in [by_issuer(), by_metadata()] {
        let key = hmac();
        let error = Exchange::new(&profile, &key, now()).err().unwrap();
        assert_eq!(error.kind(), Config);
        assert_eq!(
            error.to_string(),
            "the token endpoint is known by discovery only: read the metadata first"
        );
    }
}

#[test]
fn an_audience_that_metadata_does_not_name_is_refused() {
    let nameless = json!({"token_endpoint": "https://as.example.com/token"});
    let profile = by_metadata().with_audience(Audience::Issuer);
    let source = Scripted::new(profile, [(METADATA, ok(&nameless))]);
    let error = source.failed();
    assert_eq!(error.kind(), Config);
    assert_eq!(
        error.to_string(),
        "the audience is to be the issuer, and no metadata named one: give Audience::Fixed"
    );
    source.end();
}

// How long it is kept

const OLD: &str = "POST https://as.example.com/old";
const NEW: &str = "POST https://as.example.com/new";

fn names(endpoint: &str) -> io::Result<Response> {
    let (_, url) = endpoint.split_once(' ').unwrap();
    ok(&json!({"token_endpoint": url}))
}

#[test]
fn a_discovered_endpoint_is_kept() {
    let source = Scripted::new(
        by_metadata(),
        [
            (METADATA, names(OLD)),
            (OLD, grants("t1")),
            (OLD, grants("t2")),
            (OLD, grants("t3")),
        ],
    );
    source.got("t1");
    source.got("t2");
    source.got("t3");
    source.end();
}

/// What a token endpoint that is not there any more answers.
fn gone() -> [io::Result<Response>; 10] {
    [
        status(301, ""),
        Ok(Response::new(302, "").with_header("Location", "https://as.example.com/new")),
        status(303, "<html></html>"),
        status(307, ""),
        status(308, ""),
        status(404, ""),
        status(404, "<html>Not Found</html>"),
        status(410, r#"{"message":"Gone"}"#),
        Err(io::ErrorKind::ConnectionRefused.into()),
        Err(io::ErrorKind::NotFound.into()),
    ]
}

#[test]
fn an_endpoint_that_is_gone_is_looked_up_again_and_the_exchange_goes_on() {
    for gone in gone() {
        let source = Scripted::new(
            by_metadata(),
            [
                (METADATA, names(OLD)),
                (OLD, grants("t1")),
                (OLD, gone),
                (METADATA, names(NEW)),
                (NEW, grants("t2")),
                (NEW, grants("t3")),
            ],
        );
        source.got("t1");
        source.got("t2");
        source.got("t3");
        source.end();
    }
}

#[test]
fn it_is_looked_up_once_in_an_exchange_and_forgotten_if_it_is_still_gone() {
    for (gone, again) in gone().into_iter().zip(gone()) {
        let is_network = gone.is_err();
        let source = Scripted::new(
            by_metadata(),
            [
                (METADATA, names(OLD)),
                (OLD, grants("t1")),
                (OLD, again),
                (METADATA, names(OLD)),
                (OLD, gone),
                // the next exchange
                (METADATA, names(NEW)),
                (NEW, grants("t2")),
            ],
        );
        source.got("t1");
        let kind = if is_network { Network } else { Protocol };
        assert_eq!(source.failed().kind(), kind);
        source.got("t2");
        source.end();
    }
}

#[test]
fn an_endpoint_that_is_gone_when_it_was_just_looked_up_is_an_error_and_forgotten() {
    for gone in gone() {
        let source = Scripted::new(
            by_metadata(),
            [
                (METADATA, names(OLD)),
                (OLD, gone),
                // the next exchange
                (METADATA, names(NEW)),
                (NEW, grants("t1")),
            ],
        );
        source.failed();
        source.got("t1");
        source.end();
    }
}

#[test]
fn a_verdict_an_outage_and_a_broken_connection_do_not_make_it_forgotten() {
    let oauth = r#"{"error":"invalid_client"}"#;
    for (answer, kind) in [
        (status(404, oauth), Denied),
        (status(410, oauth), Denied),
        (status(400, oauth), Denied),
        (status(400, ""), Denied),
        (status(401, oauth), Denied),
        (status(403, "<html></html>"), Protocol),
        (status(405, ""), Protocol),
        (status(200, "<html></html>"), Protocol),
        (status(429, ""), Unavailable),
        (status(500, ""), Unavailable),
        (status(503, ""), Unavailable),
        (Err(io::ErrorKind::TimedOut.into()), Network),
        (Err(io::ErrorKind::ConnectionReset.into()), Network),
        (Err(io::ErrorKind::InvalidData.into()), Network),
    ] {
        let source = Scripted::new(
            by_metadata(),
            [
                (METADATA, names(OLD)),
                (OLD, grants("t1")),
                (OLD, answer),
                (OLD, grants("t2")),
            ],
        );
        source.got("t1");
        assert_eq!(source.failed().kind(), kind);
        source.got("t2");
        source.end();
    }
}

#[test]
fn metadata_that_fails_when_it_is_asked_again_is_asked_again() {
    let source = Scripted::new(
        by_metadata(),
        [
            (METADATA, names(OLD)),
            (OLD, grants("t1")),
            (OLD, status(410, "")),
            (METADATA, status(503, "")),
            // the next exchange
            (METADATA, names(NEW)),
            (NEW, grants("t2")),
        ],
    );
    source.got("t1");
    assert_eq!(source.failed().kind(), Unavailable);
    source.got("t2");
    source.end();
}

#[test]
fn an_endpoint_that_was_given_is_not_looked_up() {
    for gone in gone() {
        let profile = client_at(Endpoint::token("https://as.example.com/old").unwrap());
        let source = Scripted::new(profile, [(OLD, gone), (OLD, grants("t1"))]);
        source.failed();
        source.got("t1");
        source.end();
    }
}

#[cfg(feature = "ureq")]
#[test]
fn discovery_by_issuer_over_http() {
    use support::{Server, answer, grants};

    let token_server = Server::new([grants("t1"), grants("t2")]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}/tenant", listener.local_addr().unwrap());
    let document = json!({"issuer": issuer, "token_endpoint": token_server.url("/token")});
    let metadata_server = Server::on(
        listener,
        [
            answer(
                "404 Not Found",
                "Content-Type: text/html\r\n",
                "<html></html>",
            ),
            answer("200 OK", "", &document.to_string()),
        ],
    );
    let source = TokenSource::new(client_at(Endpoint::issuer(issuer).unwrap()), hmac()).unwrap();
    assert_eq!(source.token().unwrap().secret(), "t1");
    assert_eq!(source.fetch_uncached().unwrap().secret(), "t2");

    let lines = |server: Server| {
        let requests = server.requests();
        let line = |request: &String| request.lines().next().unwrap().to_owned();
        requests.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(metadata_server),
        [
            "GET /.well-known/oauth-authorization-server/tenant HTTP/1.1",
            "GET /tenant/.well-known/openid-configuration HTTP/1.1",
        ]
    );
    assert_eq!(lines(token_server), ["POST /token HTTP/1.1"; 2]);
}
