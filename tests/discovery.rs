//! From an issuer or a metadata document to the token endpoint: which URLs are requested, which
//! documents are refused, and how long an endpoint is kept.

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
fn by_well_known() -> Profile {
    client_at(Endpoint::metadata(format!("{ISSUER}/.well-known/openid-configuration")).unwrap())
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
    requests: Arc<Mutex<Vec<String>>>,
}

/// Shorter than the backoff before a second attempt.
const ONE_ATTEMPT: Duration = Duration::from_millis(500);

impl Scripted {
    #[track_caller]
    fn new<const N: usize>(profile: Profile, script: Script<N>) -> Self {
        let (expected, responses): (Vec<_>, Vec<_>) = script.into_iter().unzip();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let responses = Mutex::new(responses.into_iter());
        let transport = move |request: &Request, _: Duration| {
            let mut line = format!("{} {}", request.method(), request.url());
            if let Some((_, assertion)) = std::str::from_utf8(request.body())
                .unwrap()
                .split_once("client_assertion=")
            {
                let aud = &claims(assertion)["aud"]; // must be the URL it is sent to
                line += if aud == request.url() {
                    ""
                } else {
                    " with the audience of another"
                };
            }
            seen.lock().unwrap().push(line);
            let response = responses.lock().unwrap().next();
            response.unwrap_or_else(|| Err(io::Error::other("the script is over")))
        };
        Self {
            source: TokenSource::with_transport(transport, profile, hmac())
                .unwrap()
                .with_timeout(ONE_ATTEMPT),
            expected,
            requests,
        }
    }
    fn fetch(&self) -> Result<AccessToken, Error> {
        self.source.fetch_uncached()
    }
    #[track_caller]
    fn returns(&self, token: &str) {
        assert_eq!(self.fetch().unwrap().secret(), token);
    }
    #[track_caller]
    fn fails(&self) -> Error {
        self.fetch().unwrap_err()
    }
    /// Checks that all requests of the script were sent, and no others.
    #[track_caller]
    fn end(self) {
        assert_eq!(*self.requests.lock().unwrap(), self.expected);
    }
}

// Which URLs are requested

#[test]
fn metadata_url_is_requested_unchanged() {
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
    source.returns("t1");
    source.end();
}

#[test]
fn issuer_path_follows_well_known_in_rfc_8414_and_precedes_it_in_openid() {
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
fn token_endpoint_needs_no_metadata() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    assert!(profile.metadata_requests().unwrap().is_empty());
    let source = Scripted::new(profile, [(TOKEN, grants("t1"))]);
    source.returns("t1");
    source.end();
}

#[test]
fn openid_document_is_requested_only_where_the_rfc_8414_document_is_unusable() {
    let source = Scripted::new(
        by_issuer(),
        [(RFC_8414, ok(&document())), (TOKEN, grants("t1"))],
    );
    source.returns("t1");
    source.end();
    for first in [
        status(404, ""),
        status(404, r#"{"error":"not_found"}"#),
        status(401, "{}"),
        status(200, "<!DOCTYPE html><html>one page for every path</html>"),
        status(200, ""),
        status(200, "[]"),
        status(500, "no such page"),
        status(503, ""),
        status(200, "{}"),
        status(200, r#"{"error":"not found"}"#),
        ok(&json!({"token_endpoint": "https://as.example.com/token"})),
        ok(&json!({"issuer": ISSUER})),
        ok(&json!({"issuer": ISSUER, "token_endpoint": "http://localhost/token"})),
        ok(&json!({"issuer": "https://evil.example", "token_endpoint": "https://evil.example/t"})),
        status(200, &(document().to_string() + &" ".repeat(64 * 1024))),
        Ok(Response::new(302, "").with_header("Location", "/login")),
        Err(io::ErrorKind::UnexpectedEof.into()),
        Err(io::ErrorKind::ConnectionReset.into()),
        Err(io::ErrorKind::TimedOut.into()),
        Err(io::ErrorKind::InvalidData.into()),
    ] {
        let source = Scripted::new(
            by_issuer(),
            [
                (RFC_8414, first),
                (OPENID, ok(&document())),
                (TOKEN, grants("t1")),
            ],
        );
        source.returns("t1");
        source.end();
    }
}

/// The first failure comes before the second, whose status is printed last.
#[test]
fn discovery_error_names_both_urls_and_why_each_failed() {
    let first = "as.example.com/.well-known/oauth-authorization-server";
    let second = "as.example.com/.well-known/openid-configuration";
    let foreign = |issuer: &str| {
        ok(&json!({"issuer": issuer, "token_endpoint": "https://as.example.com/token"}))
    };
    for (outcomes, reasons) in [
        (
            [foreign("https://evil.example"), status(404, "")],
            [
                "metadata is of the issuer https://evil.example, and https://as.example.com is \
                expected (status 200)",
                "metadata is not there (status 404)",
            ],
        ),
        (
            [foreign("https://as.example.com/"), ok(&json!({}))],
            [
                "metadata is of the issuer https://as.example.com/, and https://as.example.com is \
                expected (status 200)",
                "metadata is of no issuer, and https://as.example.com is expected (status 200)",
            ],
        ),
        (
            [ok(&json!({"issuer": ISSUER})), status(200, "<html></html>")],
            [
                "metadata names no token_endpoint (status 200)",
                "metadata is not a JSON object: check its address (status 200)",
            ],
        ),
        (
            [Err(io::ErrorKind::InvalidData.into()), status(401, "")],
            [
                "its protocol is not accepted",
                "metadata is not there (status 401)",
            ],
        ),
    ] {
        let [one, other] = outcomes;
        let source = Scripted::new(by_issuer(), [(RFC_8414, one), (OPENID, other)]);
        let error = source.fails();
        assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
        let [one, other] = reasons;
        let text = format!("{first}: {one}; {second}: {other}");
        assert_eq!(error.to_string(), text);
        source.end();
    }
}

#[test]
fn discovery_error_is_retryable_where_one_failure_is() {
    let first = "as.example.com/.well-known/oauth-authorization-server";
    let second = "as.example.com/.well-known/openid-configuration";
    let missing = || status(404, "");
    let cut = || Err(io::ErrorKind::UnexpectedEof.into());
    let cut_text = "the connection ended before the whole answer was there";
    for (outcomes, kind, text) in [
        (
            [missing(), cut()],
            Network,
            format!("{first}: metadata is not there (status 404); {second}: {cut_text}"),
        ),
        (
            [cut(), missing()],
            Network,
            format!("{second}: metadata is not there (status 404); {first}: {cut_text}"),
        ),
        (
            [status(503, ""), cut()],
            Unavailable,
            format!(
                "{second}: {cut_text}; {first}: the server cannot answer for metadata now \
                (status 503)"
            ),
        ),
    ] {
        let [one, other] = outcomes;
        let source = Scripted::new(by_issuer(), [(RFC_8414, one), (OPENID, other)]);
        let error = source.fails();
        assert_eq!((error.kind(), error.is_retryable()), (kind, true));
        assert_eq!(error.to_string(), text);
        source.end();
    }
}

#[test]
fn discovery_error_names_a_metadata_url_without_its_query() {
    let url = "https://as.example.com:8443/any/where?tenant=hidden";
    let source = Scripted::new(
        client_at(Endpoint::metadata(url).unwrap()),
        [(
            "GET https://as.example.com:8443/any/where?tenant=hidden",
            status(404, ""),
        )],
    );
    assert_eq!(
        source.fails().to_string(),
        "as.example.com:8443/any/where: metadata is not there (status 404)"
    );
    source.end();
}

/// A document that is not metadata may have anything, a token or half a page, where an issuer is
/// expected. Only what has the form of an issuer (RFC 8414 §2) is shown, up to a limit of length.
#[test]
fn discovery_error_shows_a_found_issuer_only_where_it_is_a_url() {
    let error_for = |issuer: &str| {
        let document = json!({"issuer": issuer, "token_endpoint": "https://as.example.com/token"});
        let response = Response::new(200, document.to_string());
        let error = by_issuer().with_metadata(&response).unwrap_err();
        error.to_string()
    };
    let expected = "and https://as.example.com is expected (status 200)";
    for issuer in [
        "http://as.example.com", // named by a server that does not know about the TLS proxy in front of it
        "https://as.example.com:8443/tenant",
        "https://AS.example.com",
    ] {
        let text = format!("metadata is of the issuer {issuer}, {expected}");
        assert_eq!(error_for(issuer), text);
    }
    for issuer in [
        "as.example.com",
        "00D000000000001!access.token",
        "https://user:password@as.example.com",
        "https://as.example.com/?access_token=t",
        "https://as.example.com/#access_token=t",
        "https://as.example.com/\n\u{1b}[31m",
        "https://as.example.com/a b",
    ] {
        let text = format!("metadata is of an issuer that is no URL, {expected}");
        assert_eq!(error_for(issuer), text);
    }
    assert_eq!(
        error_for(""),
        format!("metadata is of no issuer, {expected}")
    );
    let long = error_for(&format!("https://evil.example/{}", "a".repeat(10_000)));
    assert!(long.starts_with("metadata is of the issuer https://evil.example/aaa"));
    assert!(long.ends_with(expected) && long.len() < 512, "{long}");
}

// Which documents are refused

#[test]
fn unusable_metadata_is_refused_with_its_reason() {
    let with = |name: &str, value: Value| {
        let mut document = document();
        document[name] = value;
        document.to_string()
    };
    let html = "<!DOCTYPE html><html></html>".to_owned();
    let long = document().to_string() + &" ".repeat(64 * 1024);
    let no_json = "metadata is not a JSON object: check its address (status 200)";
    let no_endpoint = "metadata names no token_endpoint (status 200)";
    let foreign = |issuer: &str| {
        format!(
            "metadata is of the issuer {issuer}, and https://as.example.com is expected (status 200)"
        )
    };
    let nameless = "metadata is of no issuer, and https://as.example.com is expected (status 200)";
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
            "the token_endpoint of the metadata holds a quote, perhaps copied from a document: \
            remove it (status 200)",
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
            &foreign("https://as.example.com/"),
        ),
        (
            by_issuer(),
            with("issuer", json!("HTTPS://as.example.com")),
            &foreign("HTTPS://as.example.com"),
        ),
        (
            by_issuer(),
            with("issuer", json!("https://as.example.com:443")),
            &foreign("https://as.example.com:443"),
        ),
        (
            by_issuer(),
            with("issuer", json!("https://evil.example")),
            &foreign("https://evil.example"),
        ),
        (by_issuer(), with("issuer", Value::Null), nameless),
        (by_issuer(), with("issuer", json!([ISSUER])), nameless),
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
fn metadata_redirect_error_names_the_host_on_one_short_line() {
    let error_for = |location: &str| {
        let moved = Response::new(302, "").with_header("Location", location);
        by_metadata().with_metadata(&moved).unwrap_err().to_string()
    };
    assert_eq!(
        error_for("https://other.example.com/m?key=hidden"),
        "metadata redirects to other.example.com, which is not followed (status 302)"
    );
    let long = error_for(&format!("https://{}.example.com/", "a".repeat(60_000)));
    assert!(long.len() < 512, "{}", long.len());
    assert!(long.ends_with("a.example.com, which is not followed (status 302)"));
}

/// RFC 8414 §2: an issuer has no query. The URL of a metadata document may have one.
#[test]
fn issuer_with_a_query_is_refused_by_its_constructor() {
    let error = Endpoint::issuer("https://as.example.com/?tenant=7").unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Config, "issuer has a query")
    );
    let endpoint = Endpoint::metadata("https://as.example.com/?tenant=7").unwrap();
    let requests = client_at(endpoint).metadata_requests().unwrap();
    assert_eq!(requests[0].url(), "https://as.example.com/?tenant=7");
}

#[test]
fn given_token_endpoint_is_not_changed_by_metadata() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    assert!(profile.metadata_requests().unwrap().is_empty());
    let other = json!({"issuer": ISSUER, "token_endpoint": "https://evil.example/token"});
    let known = profile.with_metadata(&ok(&other).unwrap()).unwrap();
    let key = hmac();
    let exchange = Exchange::new(&known, &key, now()).unwrap();
    assert_eq!(exchange.request().url(), "https://as.example.com/token");
}

/// A remote server must not direct an assertion to something that listens on this machine.
#[test]
fn https_metadata_must_not_name_plain_http_even_on_loopback() {
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
fn metadata_url_document_may_name_any_issuer_or_none() {
    for issuer in [json!("https://somebody.example"), Value::Null, json!(7)] {
        let document = json!({"issuer": issuer, "token_endpoint": "https://as.example.com/token"});
        let source = Scripted::new(
            by_metadata(),
            [(METADATA, ok(&document)), (TOKEN, grants("t"))],
        );
        source.returns("t");
        source.end();
    }
}

#[test]
fn unavailable_metadata_is_retryable() {
    for code in [408, 429, 500, 502, 503, 504] {
        let busy = || {
            let response = Response::new(code, "<html></html>");
            Ok(response.with_header("Retry-After", "7"))
        };
        let is_unavailable = |error: &Error| {
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (Unavailable, true),
                "{error}"
            );
            assert_eq!(error.status(), Some(code));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        };
        let source = Scripted::new(by_metadata(), [(METADATA, busy())]);
        is_unavailable(&source.fails());
        source.end();
        // A server that asks for a pause gets no other request before it.
        let source = Scripted::new(by_issuer(), [(RFC_8414, busy())]);
        is_unavailable(&source.fails());
        source.end();
        // An issuer with one document, which is unavailable: the missing other one does not count.
        let first = status(code, "<html></html>");
        let source = Scripted::new(by_issuer(), [(RFC_8414, first), (OPENID, status(404, ""))]);
        assert_eq!(source.fails().status(), Some(code));
        source.end();
        let source = Scripted::new(by_issuer(), [(RFC_8414, status(404, "")), (OPENID, busy())]);
        is_unavailable(&source.fails());
        source.end();
    }
}

#[test]
fn missing_metadata_is_named_with_its_status_and_not_retryable() {
    for code in [301, 400, 401, 403, 404, 410, 501] {
        let response = Response::new(code, document().to_string());
        let error = by_metadata().with_metadata(&response).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
        assert_eq!(
            error.to_string(),
            format!("metadata is not there (status {code})")
        );
    }
    // Redirects are not followed. The error names the host of the target and no more.
    let location = "https://login.example/path?secret";
    let moved = Ok(Response::new(302, "").with_header("Location", location));
    let source = Scripted::new(by_metadata(), [(METADATA, moved)]);
    let text = source.fails().to_string();
    assert!(
        text.contains("login.example") && !text.contains("path"),
        "{text}"
    );
    source.end();
}

#[test]
fn failed_metadata_request_is_a_network_error() {
    for (kind, is_retryable) in [
        (io::ErrorKind::TimedOut, true),
        (io::ErrorKind::InvalidData, false),
    ] {
        let source = Scripted::new(
            by_issuer(),
            [(RFC_8414, Err(kind.into())), (OPENID, Err(kind.into()))],
        );
        let error = source.fails();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (Network, is_retryable)
        );
        let text = error.to_string();
        assert!(text.starts_with("as.example.com/.well-known/"), "{text}");
        source.end();
    }
}

#[test]
fn server_that_is_not_reached_is_not_asked_for_its_second_document() {
    for (kind, is_retryable) in [
        (io::ErrorKind::ConnectionRefused, true),
        (io::ErrorKind::NotFound, false),
    ] {
        let source = Scripted::new(by_issuer(), [(RFC_8414, Err(kind.into()))]);
        let error = source.fails();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (Network, is_retryable)
        );
        assert!(error.to_string().starts_with("as.example.com: "), "{error}");
        source.end();
    }
}

// The audience

#[test]
fn audience_is_the_discovered_issuer_or_token_endpoint() {
    let found = json!({"issuer": ISSUER, "token_endpoint": "https://other.example.com/t?x=1"});
    for (audience, aud) in [
        (Audience::Issuer, ISSUER),
        (Audience::TokenEndpoint, "https://other.example.com/t?x=1"),
        (Audience::Fixed("urn:fixed".to_owned()), "urn:fixed"),
    ] {
        let by_url = match audience {
            Audience::Issuer => by_well_known(),
            _ => by_metadata(),
        };
        for profile in [by_issuer(), by_url] {
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
fn exchange_before_discovery_is_refused() {
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
fn audience_issuer_without_issuer_in_the_metadata_is_refused() {
    let nameless = json!({"token_endpoint": "https://as.example.com/token"});
    let profile = by_well_known().with_audience(Audience::Issuer);
    let source = Scripted::new(profile, [(OPENID, ok(&nameless))]);
    let error = source.fails();
    assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
    assert_eq!(
        error.to_string(),
        "as.example.com/.well-known/openid-configuration: metadata is of no issuer, and \
        https://as.example.com is expected (status 200)"
    );
    source.end();
}

/// The URLs are those of RFC 8414: its first example in §3.1, the one with a path there, and the
/// one of §5 as OpenID Connect Discovery writes it.
#[test]
fn audience_issuer_by_a_well_known_url_is_the_issuer_of_that_url() {
    for (url, issuer) in [
        (
            "https://example.com/.well-known/oauth-authorization-server",
            "https://example.com",
        ),
        (
            "https://example.com/.well-known/oauth-authorization-server/issuer1",
            "https://example.com/issuer1",
        ),
        (
            "https://example.com/issuer1/.well-known/openid-configuration",
            "https://example.com/issuer1",
        ),
        (
            "https://example.com/.well-known/openid-configuration/issuer1",
            "https://example.com/issuer1",
        ),
        (
            "https://example.com/issuer1/.well-known/oauth-authorization-server",
            "https://example.com/issuer1",
        ),
        (
            "http://127.0.0.1:8080/a/b/.well-known/openid-configuration",
            "http://127.0.0.1:8080/a/b",
        ),
    ] {
        let profile = client_at(Endpoint::metadata(url).unwrap()).with_audience(Audience::Issuer);
        let document = |issuer: &str| {
            let document = json!({"issuer": issuer, "token_endpoint": "https://example.com/token"});
            Response::new(200, document.to_string())
        };
        assert_eq!(profile.metadata_requests().unwrap()[0].url(), url);
        // RFC 8414 §3.1 removes the slash before the URL is built, so either issuer is at this URL.
        for named in [issuer.to_owned(), format!("{issuer}/")] {
            let known = profile.with_metadata(&document(&named)).unwrap();
            let assertion = known.assertion(&hmac(), now()).unwrap();
            assert_eq!(claims(assertion.secret())["aud"], named);
        }
        for foreign in [
            "https://server.example.com".to_owned(),
            format!("{issuer}//"),
            format!("{issuer}x"),
            format!("{issuer}/x"),
            issuer[..issuer.len() - 1].to_owned(),
            issuer.to_uppercase(),
        ] {
            let error = profile.with_metadata(&document(&foreign)).unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
            assert_eq!(
                error.to_string(),
                format!(
                    "metadata is of the issuer {foreign}, and {issuer} is expected (status 200)"
                )
            );
        }
    }
}

/// The documents of RFC 8414 §3.2: whoever owns the URL of a copy must not choose the audience.
#[test]
fn audience_issuer_is_never_chosen_by_the_metadata_of_another_server() {
    let stolen = json!({
        "issuer": "https://server.example.com",
        "token_endpoint": "https://evil.example/token",
    });
    let url = "https://evil.example/.well-known/openid-configuration";
    let at = |audience| client_at(Endpoint::metadata(url).unwrap()).with_audience(audience);
    let document = || (OPENID_OF_EVIL, ok(&stolen));
    let source = Scripted::new(at(Audience::Issuer), [document()]);
    assert_eq!(
        source.fails().to_string(),
        "evil.example/.well-known/openid-configuration: metadata is of the issuer \
        https://server.example.com, and https://evil.example is expected (status 200)"
    );
    source.end();
    // With another audience nothing is compared: issuers differ from their addresses at Entra and B2C.
    let known = at(Audience::TokenEndpoint).with_metadata(&ok(&stolen).unwrap());
    let assertion = known.unwrap().assertion(&hmac(), now()).unwrap();
    assert_eq!(
        claims(assertion.secret())["aud"],
        "https://evil.example/token"
    );
}
const OPENID_OF_EVIL: &str = "GET https://evil.example/.well-known/openid-configuration";

#[test]
fn audience_issuer_by_a_url_that_names_no_issuer_is_refused_before_a_request() {
    for path in [
        "/metadata",
        "",
        "/.well-known/",
        "/.well-known/openid-configurations",
        "/.well-known/openid-federation",
        "/.well-known/Openid-Configuration",
        "/well-known/openid-configuration",
        "/metadata?x=/.well-known/openid-configuration",
        "/.well-known/openid-configuration?tenant=evil",
        "/a/.well-known/openid-configuration/b",
    ] {
        let endpoint = Endpoint::metadata(format!("https://as.example.com{path}")).unwrap();
        let profile = client_at(endpoint);
        assert_eq!(profile.metadata_requests().unwrap().len(), 1);
        let profile = profile.with_audience(Audience::Issuer);
        let transport = |_: &Request, _: Duration| -> io::Result<Response> { unreachable!() };
        for error in [
            profile.metadata_requests().err(),
            profile.with_metadata(&ok(&document()).unwrap()).err(),
            TokenSource::with_transport(transport, profile, hmac()).err(),
        ] {
            let error = error.unwrap_or_else(|| panic!("{path} is accepted"));
            assert_eq!((error.kind(), error.is_retryable()), (Config, false));
            assert_eq!(
                error.to_string(),
                "the audience is to be the issuer, which this metadata URL does not name: \
                give the issuer in its place, or the audience as a text"
            );
        }
    }
}

// How long an endpoint is kept

const OLD: &str = "POST https://as.example.com/old";
const NEW: &str = "POST https://as.example.com/new";

fn names(endpoint: &str) -> io::Result<Response> {
    let (_, url) = endpoint.split_once(' ').unwrap();
    ok(&json!({"token_endpoint": url}))
}

#[test]
fn discovered_endpoint_is_kept() {
    let source = Scripted::new(
        by_metadata(),
        [
            (METADATA, names(OLD)),
            (OLD, grants("t1")),
            (OLD, grants("t2")),
            (OLD, grants("t3")),
        ],
    );
    source.returns("t1");
    source.returns("t2");
    source.returns("t3");
    source.end();
}

/// Returns the outcomes of a request to a token endpoint that has moved or was removed.
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
fn gone_endpoint_is_rediscovered_within_the_fetch() {
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
        source.returns("t1");
        source.returns("t2");
        source.returns("t3");
        source.end();
    }
}

#[test]
fn rediscovery_happens_once_per_exchange_and_drops_an_endpoint_still_gone() {
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
                // the next fetch
                (METADATA, names(NEW)),
                (NEW, grants("t2")),
            ],
        );
        source.returns("t1");
        let kind = if is_network { Network } else { Protocol };
        assert_eq!(source.fails().kind(), kind);
        source.returns("t2");
        source.end();
    }
}

#[test]
fn gone_endpoint_just_discovered_is_an_error_and_dropped() {
    for gone in gone() {
        let source = Scripted::new(
            by_metadata(),
            [
                (METADATA, names(OLD)),
                (OLD, gone),
                // the next fetch
                (METADATA, names(NEW)),
                (NEW, grants("t1")),
            ],
        );
        source.fails();
        source.returns("t1");
        source.end();
    }
}

#[test]
fn denial_outage_and_broken_connection_keep_the_discovered_endpoint() {
    let oauth = r#"{"error":"invalid_client"}"#;
    for (outcome, kind) in [
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
                (OLD, outcome),
                (OLD, grants("t2")),
            ],
        );
        source.returns("t1");
        assert_eq!(source.fails().kind(), kind);
        source.returns("t2");
        source.end();
    }
}

#[test]
fn failed_rediscovery_is_repeated_by_the_next_exchange() {
    let source = Scripted::new(
        by_metadata(),
        [
            (METADATA, names(OLD)),
            (OLD, grants("t1")),
            (OLD, status(410, "")),
            (METADATA, status(503, "")),
            // the next fetch
            (METADATA, names(NEW)),
            (NEW, grants("t2")),
        ],
    );
    source.returns("t1");
    assert_eq!(source.fails().kind(), Unavailable);
    source.returns("t2");
    source.end();
}

#[test]
fn given_token_endpoint_is_never_rediscovered() {
    for gone in gone() {
        let profile = client_at(Endpoint::token("https://as.example.com/old").unwrap());
        let source = Scripted::new(profile, [(OLD, gone), (OLD, grants("t1"))]);
        source.fails();
        source.returns("t1");
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
