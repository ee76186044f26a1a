//! A token source over real HTTP: what is sent, byte for byte, what is not believed, and when
//! nothing is sent at all.

#![cfg(feature = "ureq")]

mod support;

use std::error::Error as _;
use std::io::{self, ErrorKind::ConnectionReset};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::ErrorKind::{Denied, Network, Protocol};
use jwt_bearer::{
    AccessToken, Audience, Clock, Endpoint, Error, ErrorKind, Jti, ManualClock, Placement, Profile,
    Request, Response, TokenSource, TokenState, Transport as _,
};
use ureq::{Agent, Proxy};

use support::sample::{NOW, TOKEN_URL, at, claims, client_at, hmac, now, rsa};
use support::{Answer, Server, answer, grants};

// What is sent

/// Request line, headers in alphabetical order, body. What differs from run to run goes by its
/// name: `<host>`, `<assertion>`, and `<body>` for its length.
#[track_caller]
fn normal(request: &str, host: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let mut headers: Vec<_> = headers
        .split("\r\n")
        .map(|header| {
            let (name, value) = header.split_once(": ").unwrap();
            let value = match value {
                length if !body.is_empty() && *length == body.len().to_string() => "<body>",
                value if value == host => "<host>",
                value => value,
            };
            format!("{}: {value}", name.to_ascii_lowercase())
        })
        .collect();
    headers.sort();
    let text = format!("{line}\n{}\n\n{body}", headers.join("\n"));
    let Some((before, rest)) = text.split_once("eyJ") else {
        return text;
    };
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let after = rest.trim_start_matches(is_base64url);
    assert!(!after.contains("eyJ"));
    format!("{before}<assertion>{after}")
}

/// What a source for `profile`, made with the address of a server, sends it for one token.
#[track_caller]
fn sent(profile: impl FnOnce(&str) -> Profile) -> String {
    let server = Server::new([grants("t")]);
    let profile = profile(&server.url(""));
    let source = TokenSource::new(profile, rsa()).unwrap();
    assert_eq!(source.token().unwrap().secret(), "t");
    let host = server.host.clone();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    normal(&requests[0], &host)
}

const AGENT: &str = concat!("jwt-bearer/", env!("CARGO_PKG_VERSION"));

fn form(target: &str, parameters: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\n\
        accept: application/json\n\
        content-length: <body>\n\
        content-type: application/x-www-form-urlencoded\n\
        host: <host>\n\
        user-agent: {AGENT}\n\n\
        {parameters}"
    )
}
fn json(target: &str, parameters: &str) -> String {
    form(target, parameters).replace("x-www-form-urlencoded", "json")
}
fn query(target: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\n\
        accept: application/json\n\
        content-length: 0\n\
        host: <host>\n\
        user-agent: {AGENT}\n\n"
    )
}

const CLIENT: &str = "client_assertion_type=\
    urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
const GRANT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

#[test]
fn marketing_cloud_intelligence_asks_for_its_endpoint_and_posts_a_form_or_a_query() {
    let parameters = format!(
        "grant_type=client_credentials&client_id=svc-0001&{CLIENT}&client_assertion=<assertion>"
    );
    for (placement, expected) in [
        (Placement::Form, form("/us1/token", &parameters)),
        (Placement::Query, query(&format!("/us1/token?{parameters}"))),
    ] {
        let token_server = Server::new([grants("t")]);
        let document = format!(
            r#"{{"token_endpoint":"{}"}}"#,
            token_server.url("/us1/token")
        );
        let metadata_server = Server::new([answer("200 OK", "", &document)]);
        let endpoint = Endpoint::metadata(metadata_server.url("/discovery/v1?x=1")).unwrap();
        let profile = Profile::marketing_cloud_intelligence(endpoint, "svc-0001");
        let source = TokenSource::new(profile.with_placement(placement), rsa()).unwrap();
        source.token().unwrap();

        let host = metadata_server.host.clone();
        let asked = metadata_server.requests();
        assert_eq!(asked.len(), 1);
        assert_eq!(
            normal(&asked[0], &host),
            format!(
                "GET /discovery/v1?x=1 HTTP/1.1\n\
                accept: application/json\n\
                host: <host>\n\
                user-agent: {AGENT}\n\n"
            )
        );
        let host = token_server.host.clone();
        let posted = token_server.requests();
        assert_eq!(posted.len(), 1);
        assert_eq!(normal(&posted[0], &host), expected);
    }
}

#[test]
fn salesforce_gets_a_form_with_grant_type_and_assertion() {
    assert_eq!(
        sent(|url| Profile::salesforce(url, "key", "user").unwrap()),
        form(
            "/services/oauth2/token",
            &format!("{GRANT}&assertion=<assertion>")
        )
    );
}

#[test]
fn cylance_gets_one_json_member() {
    assert_eq!(
        sent(|url| Profile::cylance(url, "tenant", "app").unwrap()),
        json("/auth/v2/token", r#"{"auth_token":"<assertion>"}"#)
    );
}

#[test]
fn the_generic_profiles_get_their_parameters_encoded_and_the_endpoints_own_query_kept() {
    let audience = || Audience::Fixed("a".to_owned());
    let client = |url: &str| {
        Profile::client_credentials(Endpoint::token(url).unwrap(), "client 1", audience())
            .with_scope("read write")
            .with_parameter("resource", "https://api.example.com/?a=1&b=2")
            .with_parameter("resource", "~ü+\"")
    };
    let client_parameters = format!(
        "grant_type=client_credentials&client_id=client%201&{CLIENT}\
        &resource=https%3A%2F%2Fapi.example.com%2F%3Fa%3D1%26b%3D2&resource=~%C3%BC%2B%22\
        &scope=read%20write&client_assertion=<assertion>"
    );
    let grant =
        |url: &str| Profile::jwt_bearer(Endpoint::token(url).unwrap(), "issuer-1", audience());
    let grant_parameters = format!("{GRANT}&assertion=<assertion>");

    for target in ["/token", "/token?tenant=7&x=%20", "/token/?", "/?tenant=7"] {
        assert_eq!(
            sent(|url| client(&format!("{url}{target}"))),
            form(target, &client_parameters)
        );
    }
    for (target, expected) in [
        ("/token", format!("/token?{grant_parameters}")),
        (
            "/token?tenant=7",
            format!("/token?tenant=7&{grant_parameters}"),
        ),
        ("", format!("/?{grant_parameters}")),
        ("?tenant=7", format!("/?tenant=7&{grant_parameters}")),
    ] {
        assert_eq!(
            sent(|url| grant(&format!("{url}{target}")).with_placement(Placement::Query)),
            query(&expected)
        );
    }
    assert_eq!(
        sent(|url| client(url).with_placement(Placement::Query)),
        query(&format!("/?{client_parameters}"))
    );
    let tricky = "a\"b\\c\nd/é";
    assert_eq!(
        sent(|url| {
            let profile = grant(&format!("{url}/token")).with_placement(Placement::Json);
            profile.with_parameter("x", tricky)
        }),
        json(
            "/token",
            "{\"grant_type\":\"urn:ietf:params:oauth:grant-type:jwt-bearer\",\
            \"x\":\"a\\\"b\\\\c\\nd/é\",\"assertion\":\"<assertion>\"}"
        )
    );
}

#[test]
fn what_arrives_names_the_client_and_the_endpoint_it_was_made_for() {
    let server = Server::new([grants("t")]);
    let url = server.url("/token");
    let source = TokenSource::new(client_at(Endpoint::token(&url).unwrap()), hmac()).unwrap();
    source.token().unwrap();
    let request = server.requests().remove(0);
    let (_, assertion) = request.split_once("client_assertion=").unwrap();
    assert_eq!(claims(assertion)["aud"], url);
    assert_eq!(claims(assertion)["iss"], "client-1");
    assert_eq!(claims(assertion)["sub"], "client-1");
}

#[test]
fn a_chunked_answer_is_read() {
    let body = r#"{"access_token":"00D!t"}"#;
    let (first, second) = body.split_at(9);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        9\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        second.len()
    );
    let server = Server::new([Answer::Bytes(chunked.into())]);
    let source = own(client_at(Endpoint::token(server.url("/token")).unwrap()));
    assert_eq!(source.token().unwrap().authorization(), "Bearer 00D!t");
    drop(server.requests());
}

// What is not believed

/// Over the agent that is made here.
fn own(profile: Profile) -> TokenSource {
    TokenSource::new(profile, hmac()).unwrap()
}

/// Over an agent of the caller's that follows redirects, turns statuses into errors and waits for
/// ever: ureq's defaults, said aloud, but for a proxy from the environment.
fn loose(profile: Profile) -> TokenSource {
    let agent = Agent::config_builder()
        .proxy(None)
        .max_redirects(10)
        .http_status_as_error(true)
        .https_only(false)
        .timeout_global(None)
        .user_agent("theirs")
        .accept("text/html")
        .build();
    TokenSource::with_transport(Agent::from(agent), profile, hmac()).unwrap()
}

const AGENTS: [fn(Profile) -> TokenSource; 2] = [own, loose];

/// The error that one request to this server ends in. There is no second one.
#[track_caller]
fn refusal(make: fn(Profile) -> TokenSource, answer: Answer, timeout: Duration) -> Error {
    let server = Server::new([answer]);
    let source =
        make(client_at(Endpoint::token(server.url("/token")).unwrap())).with_timeout(timeout);
    let error = source.token().unwrap_err();
    assert_eq!(server.requests().len(), 1, "{error}");
    error
}

/// Less than the pause before a second attempt.
const ONE_ATTEMPT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

#[track_caller]
fn is(error: &Error, kind: ErrorKind, is_retryable: bool, text: &str) {
    let found = (error.kind(), error.is_retryable());
    assert_eq!(found, (kind, is_retryable), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn row_15_no_redirect_is_followed_whatever_its_status_and_the_agent() {
    for make in AGENTS {
        for status in [
            "300 A", "301 B", "302 C", "303 D", "304 E", "305 F", "307 G", "308 H",
        ] {
            let elsewhere = Server::new([]);
            let location = format!("Location: {}\r\n", elsewhere.url("/secret-path"));
            let error = refusal(make, answer(status, &location, ""), LONG);
            is(&error, Protocol, false, "127.0.0.1");
            assert!(
                !format!("{error} {error:?}").contains("secret-path"),
                "{error:?}"
            );
            assert_eq!(error.status(), status[..3].parse().ok());
            assert_eq!(elsewhere.requests(), [""; 0]);
        }
        // a missing slash, at the same server
        let error = refusal(make, answer("301 Moved", "Location: /token/\r\n", ""), LONG);
        is(&error, Protocol, false, "redirects");
    }
}

#[test]
fn row_11_the_body_of_a_4xx_is_read_whatever_the_agent() {
    for make in AGENTS {
        let body = r#"{"error":"invalid_client","error_description":"who?"}"#;
        let headers = "Content-Type: text/plain\r\nX-Request-Id: 7\r\n";
        let error = refusal(make, answer("401 Unauthorized", headers, body), LONG);
        is(&error, Denied, false, "invalid_client: who? (status 401)");
        let response = error.response().unwrap();
        assert_eq!(response.header("X-Request-Id"), Some("7"));
        assert_eq!(response.body(), body.as_bytes());
    }
}

#[test]
fn row_16_a_response_of_64_kib_is_accepted_and_a_longer_one_refused() {
    let padded = |length: usize| {
        let token = r#"{"access_token":"t"}"#;
        answer(
            "200 OK",
            "",
            &(token.to_owned() + &" ".repeat(length - token.len())),
        )
    };
    let limit = 64 * 1024;
    for make in AGENTS {
        let server = Server::new([padded(limit)]);
        let source = make(client_at(Endpoint::token(server.url("/token")).unwrap()));
        assert_eq!(source.token().unwrap().secret(), "t");
        drop(server.requests());
        for length in [limit + 1, 100 * limit] {
            let error = refusal(make, padded(length), LONG);
            is(
                &error,
                Protocol,
                false,
                "the response is longer than 64 KiB",
            );
        }
    }
}

#[test]
fn row_16_a_silent_server_and_a_dripping_one_end_in_the_timeout() {
    let dripping = |head: &str| Answer::Drip(format!("HTTP/1.1 200 OK\r\n{head}").into());
    let wait = |make, answer| {
        let begin = Instant::now();
        let error = refusal(make, answer, SHORT);
        let took = begin.elapsed();
        is(&error, Network, true, "127.0.0.1");
        assert!(
            error.to_string().ends_with(": no answer in time"),
            "{error}"
        );
        assert!(took >= SHORT && took < Duration::from_secs(4), "{took:?}");
    };
    thread::scope(|scope| {
        for make in AGENTS {
            for answer in [
                Answer::Silence,
                dripping("Content-Length: 60000\r\n\r\n{\"access_token\":\"t\""),
                dripping("\r\n{\"access_token\":\"t\""), // until the connection ends
                dripping("X-Header: "),
            ] {
                scope.spawn(move || wait(make, answer));
            }
        }
    });
}

#[test]
fn an_html_page_garbage_a_cut_body_and_a_reset_are_no_answer() {
    let bytes = |text: &str| Answer::Bytes(text.into());
    let page = "<!DOCTYPE html><html></html>";
    for make in AGENTS {
        let html = answer("200 OK", "Content-Type: text/html\r\n", page);
        is(
            &refusal(make, html, ONE_ATTEMPT),
            Protocol,
            false,
            "not a JSON object (status 200)",
        );

        let garbage = "SSH-2.0-OpenSSH_9.2p1\r\n\r\n";
        let error = refusal(make, bytes(garbage), ONE_ATTEMPT);
        is(&error, Network, false, "protocol is not accepted");

        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\":\"t\"}";
        is(
            &refusal(make, bytes(cut), ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );

        let half_a_head = "HTTP/1.1 200 OK\r\nContent-Le";
        is(
            &refusal(make, bytes(half_a_head), ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );

        is(
            &refusal(make, bytes(""), ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );
        is(
            &refusal(make, Answer::Reset, ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );
    }
}

#[test]
fn a_port_where_nobody_listens_is_told_and_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    for make in AGENTS {
        let error = make(client_at(Endpoint::token(&url).unwrap()))
            .token()
            .unwrap_err();
        is(&error, Network, true, ": nobody listens there");
    }
}

#[test]
fn a_host_that_does_not_exist_is_told() {
    for make in AGENTS {
        let source = make(client_at(
            Endpoint::token("https://nonexistent.invalid/token").unwrap(),
        ));
        let error = source
            .with_timeout(Duration::from_secs(5))
            .token()
            .unwrap_err();
        assert_eq!(error.kind(), Network);
        let text = error.to_string();
        assert!(text.starts_with("nonexistent.invalid: "), "{text}");
        // Without a name server nobody can know that it does not exist.
        assert_eq!(
            error.is_retryable(),
            !text.ends_with("host name is unknown"),
            "{error:?}"
        );
    }
}

#[test]
fn plain_http_behind_an_https_url_is_not_accepted() {
    for make in AGENTS {
        let server = Server::new([answer("400 Bad Request", "", "{}")]);
        let url = format!("https://{}/token", server.host);
        let error = make(client_at(Endpoint::token(url).unwrap()))
            .token()
            .unwrap_err();
        is(&error, Network, false, ": its protocol is not accepted");
        let requests = server.requests();
        assert!(
            requests
                .iter()
                .all(|request| !request.contains("assertion"))
        );
    }
}

/// In the words of rustls, OpenSSL and schannel, whichever TLS a transport is over.
#[test]
fn a_certificate_that_is_not_accepted_is_told_from_a_strange_protocol() {
    for words in [
        "invalid peer certificate: UnknownIssuer",
        "certificate verify failed: self-signed certificate in certificate chain",
        "The certificate chain was issued by an authority that is not trusted.",
    ] {
        let transport = move |_: &Request, _: Duration| -> io::Result<Response> {
            Err(io::Error::new(io::ErrorKind::InvalidData, words))
        };
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        let source = TokenSource::with_transport(transport, client_at(endpoint), hmac()).unwrap();
        let error = source.token().unwrap_err();
        is(
            &error,
            Network,
            false,
            "as.example.com: its TLS certificate is not accepted",
        );
        assert_eq!(error.source().unwrap().to_string(), words);
    }
}

#[test]
fn an_agent_for_https_only_does_not_print_what_it_did_not_send() {
    let agent = Agent::config_builder().proxy(None).https_only(true).build();
    let profile = client_at(Endpoint::token("http://localhost:1/token").unwrap())
        .with_placement(Placement::Query);
    let source = TokenSource::with_transport(Agent::from(agent), profile, hmac()).unwrap();
    let error = source.token().unwrap_err();
    is(&error, Network, false, "localhost:1");
    let shown = format!("{error} {error:?} {}", error.source().unwrap());
    assert!(shown.contains("https only"), "{shown}");
    assert!(!shown.contains("eyJ"), "{shown}");
}

// A proxy

/// What an exchange by way of this proxy fails with, for a server that nobody is asked about.
#[track_caller]
fn by_proxy(proxy: &str, url: &str) -> Error {
    let proxy = Proxy::new(&format!("http://user:hunter2@{proxy}")).unwrap();
    let agent = Agent::config_builder().proxy(Some(proxy)).build();
    let source = TokenSource::with_transport(
        Agent::from(agent),
        client_at(Endpoint::token(url).unwrap()),
        hmac(),
    );
    let clock = Arc::new(ManualClock::new(now())); // its pauses take no time
    let error = source
        .unwrap()
        .with_clock(clock)
        .fetch_uncached()
        .unwrap_err();
    let shown = format!("{error} {error:?} {}", error.source().unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    error
}

#[test]
fn a_proxy_that_says_no_is_asked_once_and_one_that_is_busy_again() {
    for (status, asked) in [
        ("401 Unauthorized", 1),
        ("403 Forbidden", 1),
        ("407 Proxy Authentication Required", 1),
        ("502 Bad Gateway", 3),
        ("503 Service Unavailable", 3),
    ] {
        let proxy = Server::new([status; 3].map(|status| answer(status, "", "")));
        let error = by_proxy(&proxy.host, TOKEN_URL);
        is(
            &error,
            Network,
            asked > 1,
            "as.example.com: the request did not complete",
        );
        let source = error.source().unwrap().to_string();
        assert!(
            source.contains("proxy") && source.contains(&status[..3]),
            "{source}"
        );
        let requests = proxy.requests();
        assert_eq!(requests.len(), asked, "{status}");
        let connect = "CONNECT as.example.com:443 HTTP/1.1\r\n";
        assert!(
            requests.iter().all(|request| request.starts_with(connect)),
            "{requests:?}"
        );
    }
}

#[test]
fn a_proxy_that_is_not_there_is_not_taken_for_the_server() {
    let host = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = by_proxy(&host.to_string(), TOKEN_URL);
    is(
        &error,
        Network,
        true,
        "as.example.com: the request did not complete",
    );
    let source = error.source().unwrap().to_string();
    assert!(
        source.starts_with(&format!("the proxy {host}: Connection refused")),
        "{source}"
    );

    let error = by_proxy("proxy.invalid:3128", TOKEN_URL);
    is(
        &error,
        Network,
        false,
        "as.example.com: the request did not complete",
    );
    let source = error.source().unwrap().to_string();
    assert!(
        source.starts_with("the proxy proxy.invalid:3128: "),
        "{source}"
    );

    // Plain http goes past it.
    let error = by_proxy("127.0.0.1:1", &format!("http://{host}/token"));
    is(&error, Network, true, "nobody listens there");
}

// When nothing is sent

#[test]
fn a_token_that_is_held_is_not_fetched_again() {
    let server = Server::new([grants("t1")]);
    let source = own(client_at(Endpoint::token(server.url("/token")).unwrap()));
    for _ in 0..3 {
        assert_eq!(source.token().unwrap().secret(), "t1");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn nothing_is_sent_before_a_token_is_asked_for() {
    let server = Server::new([]);
    drop(own(client_at(
        Endpoint::token(server.url("/token")).unwrap(),
    )));
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn sixteen_threads_make_one_exchange() {
    let server = Server::new([grants("t1")]);
    let agent = Agent::from(Agent::config_builder().proxy(None).build());
    let arrived = Arc::new(AtomicUsize::new(0));
    let all = arrived.clone();
    let patient = move |request: &Request, timeout: Duration| {
        while all.load(Ordering::SeqCst) < 16 {
            thread::yield_now();
        }
        agent.send(request, timeout)
    };
    let profile = client_at(Endpoint::token(server.url("/token")).unwrap());
    let source = TokenSource::with_transport(patient, profile, hmac()).unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                arrived.fetch_add(1, Ordering::SeqCst);
                assert_eq!(source.token().unwrap().secret(), "t1");
            });
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_expired_token_is_fetched_anew_and_not_a_second_before() {
    let server = Server::new([grants("t1"), grants("t2")]);
    let clock = Arc::new(ManualClock::new(now()));
    let source =
        own(client_at(Endpoint::token(server.url("/token")).unwrap())).with_clock(clock.clone());
    let first = source.token().unwrap();
    assert_eq!(first.expires_at(), at(NOW + 300));
    clock.advance(Duration::from_secs(200));
    assert_eq!(source.token().unwrap().secret(), "t1");
    clock.advance(Duration::from_secs(100));
    assert_eq!(source.token().unwrap().secret(), "t2");
    let requests = server.requests();
    let iat = requests.iter().map(|request| {
        let (_, assertion) = request.split_once("client_assertion=").unwrap();
        claims(assertion)["iat"].as_u64().unwrap()
    });
    assert_eq!(iat.collect::<Vec<_>>(), [NOW, NOW + 300]);
}

/// A source that nobody needs a network for: every request is remembered, then answered.
fn scripted(
    profile: Profile,
    clock: Arc<ManualClock>,
    answer: impl Fn(usize, &Request) -> io::Result<Response> + Send + Sync + 'static,
) -> (TokenSource, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let transport = move |request: &Request, _: Duration| {
        let count = {
            let mut seen = seen.lock().unwrap();
            seen.push(std::str::from_utf8(request.body()).unwrap().to_owned());
            seen.len()
        };
        answer(count, request)
    };
    let source = TokenSource::with_transport(transport, profile, hmac()).unwrap();
    (source.with_clock(clock), bodies)
}

/// The n-th answer is the token `tn`.
fn numbered(n: usize) -> Response {
    Response::new(
        200,
        format!(r#"{{"access_token":"t{n}","expires_in":300}}"#),
    )
}

fn simple() -> (TokenSource, Arc<Mutex<Vec<String>>>) {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    let clock = Arc::new(ManualClock::new(now()));
    scripted(profile, clock, |n, _| Ok(numbered(n)))
}

#[track_caller]
fn secret(token: Result<AccessToken, Error>) -> String {
    token.unwrap().secret().to_owned()
}

#[test]
fn a_tokens_life_begins_when_it_is_asked_for_and_not_when_it_comes() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    let clock = Arc::new(ManualClock::new(now()));
    let time = clock.clone();
    let (source, _) = scripted(profile, clock.clone(), move |n, _| {
        time.advance(Duration::from_secs(5)); // on its way
        Ok(numbered(n))
    });
    assert_eq!(source.token().unwrap().expires_at(), at(NOW + 300));
    clock.advance(Duration::from_secs(294));
    assert_eq!(source.status().state, TokenState::Refreshable);
    clock.advance(Duration::from_secs(1));
    assert_eq!(source.status().state, TokenState::Expired);
}

#[test]
fn invalidate_forgets_this_very_token_and_spares_a_newer_one() {
    let (source, _) = simple();
    let first = source.token().unwrap();
    source.invalidate(&first);
    assert_eq!(secret(source.token()), "t2");
    source.invalidate(&first); // a slow caller, whose 401 was for the first
    assert_eq!(secret(source.token()), "t2");
    let second = source.token().unwrap();
    source.invalidate(&second.clone());
    assert_eq!(secret(source.token()), "t3");
}

#[test]
fn invalidate_tells_tokens_apart_that_read_the_same() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    let clock = Arc::new(ManualClock::new(now()));
    let (source, bodies) = scripted(profile, clock, |_, _| Ok(numbered(1)));
    let first = source.token().unwrap();
    source.invalidate(&first);
    drop(source.token());
    source.invalidate(&first);
    drop(source.token());
    assert_eq!(bodies.lock().unwrap().len(), 2);
}

#[test]
fn exchange_leaves_the_held_token_alone() {
    let (source, _) = simple();
    assert_eq!(secret(source.fetch_uncached()), "t1");
    assert_eq!(secret(source.token()), "t2");
    assert_eq!(secret(source.fetch_uncached()), "t3");
    assert_eq!(secret(source.token()), "t2");
}

#[test]
fn a_transport_that_panics_leaves_the_source_usable_for_those_who_wait_too() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    let clock = Arc::new(ManualClock::new(now()));
    let waiting = Arc::new(AtomicUsize::new(0));
    let others = waiting.clone();
    let (source, bodies) = scripted(profile, clock, move |n, _| {
        while others.load(Ordering::SeqCst) < 4 {
            thread::yield_now();
        }
        assert_ne!(n, 1, "the transport panics, as it is asked to here");
        Ok(numbered(n))
    });
    let panics = thread::scope(|scope| {
        let callers = [(); 4].map(|()| {
            scope.spawn(|| {
                waiting.fetch_add(1, Ordering::SeqCst);
                catch_unwind(AssertUnwindSafe(|| secret(source.token()))).ok()
            })
        });
        let got = callers.map(|caller| caller.join().unwrap());
        assert!(got.iter().flatten().all(|token| token == "t2"), "{got:?}");
        got.iter().filter(|token| token.is_none()).count()
    });
    assert_eq!(panics, 1);
    assert_eq!(secret(source.token()), "t2");
    assert_eq!(bodies.lock().unwrap().len(), 2);
}

#[test]
fn a_request_that_did_not_come_through_is_made_again_in_the_same_call() {
    let profile = client_at(Endpoint::token("https://as.example.com/token").unwrap());
    let clock = Arc::new(ManualClock::new(now()));
    let (source, bodies) = scripted(profile, clock, |n, _| match n {
        1 => Err(ConnectionReset.into()),
        2 => Ok(Response::new(503, "")),
        n => Ok(numbered(n)),
    });
    assert_eq!(secret(source.token()), "t3");
    all_differ(&bodies.lock().unwrap());
}

// No assertion goes twice

/// A profile whose assertions differ by nothing but `iat`.
fn without_jti(endpoint: Endpoint) -> Profile {
    let audience = Audience::Fixed("https://as.example.com".to_owned());
    Profile::jwt_bearer(endpoint, "issuer-1", audience).with_jti(Jti::Omit)
}

#[track_caller]
fn all_differ(posted: &[String]) {
    let mut bodies: Vec<_> = posted.iter().filter(|body| !body.is_empty()).collect();
    let count = bodies.len();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), count, "an assertion was sent twice");
}

#[test]
fn without_jti_the_next_assertion_waits_for_its_own_second() {
    let clock = Arc::new(ManualClock::new(now() + Duration::from_millis(250)));
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let answer = |n, _: &Request| Ok(numbered(n));
    let (source, bodies) = scripted(without_jti(endpoint), clock, answer);
    for _ in 0..3 {
        source.fetch_uncached().unwrap();
    }
    let bodies = bodies.lock().unwrap();
    let iat = bodies.iter().map(|body| {
        let (_, assertion) = body.split_once("assertion=").unwrap();
        claims(assertion)["iat"].as_u64().unwrap()
    });
    assert_eq!(iat.collect::<Vec<_>>(), [NOW, NOW + 1, NOW + 2]);
}

#[test]
fn without_jti_an_endpoint_that_moved_gets_an_assertion_of_its_own() {
    let clock = Arc::new(ManualClock::new(now()));
    let endpoint = Endpoint::metadata("https://as.example.com/metadata").unwrap();
    let document = r#"{"token_endpoint":"https://as.example.com/token"}"#;
    let (source, bodies) = scripted(without_jti(endpoint), clock, move |n, request| {
        Ok(match (request.method(), n) {
            ("GET", _) => Response::new(200, document),
            (_, 3) => Response::new(410, ""),
            _ => numbered(n),
        })
    });
    assert_eq!(secret(source.fetch_uncached()), "t2");
    assert_eq!(secret(source.fetch_uncached()), "t5"); // posted, gone, looked up, posted
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.iter().filter(|body| !body.is_empty()).count(), 3);
    all_differ(&bodies);
}

#[test]
fn without_jti_a_clock_that_is_set_back_does_not_make_an_assertion_go_twice() {
    let clock = Arc::new(ManualClock::new(now()));
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let answer = |n, _: &Request| Ok(numbered(n));
    let (source, bodies) = scripted(without_jti(endpoint), clock.clone(), answer);
    for second in [0, 1, 2, 0, 1, 2, 1] {
        clock.set(at(NOW + second));
        source.fetch_uncached().unwrap();
    }
    all_differ(&bodies.lock().unwrap());
}

#[test]
fn without_jti_a_long_life_does_not_make_an_assertion_go_twice() {
    let clock = Arc::new(ManualClock::new(now()));
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let answer = |n, _: &Request| Ok(numbered(n));
    let (source, bodies) = scripted(without_jti(endpoint), clock.clone(), answer);
    for second in 0..5000 {
        clock.set(at(NOW + second));
        source.fetch_uncached().unwrap();
    }
    // where it stands, and further back than anything that may be remembered
    for second in [NOW + 5000, NOW - 10] {
        clock.set(at(second));
        for _ in 0..5 {
            source.fetch_uncached().unwrap();
        }
    }
    all_differ(&bodies.lock().unwrap());
}

#[test]
fn without_jti_and_exp_a_leeway_of_half_a_second_does_not_make_an_assertion_go_twice() {
    let clock = Arc::new(ManualClock::new(now()));
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = without_jti(endpoint)
        .with_assertion_lifetime(None)
        .with_iat_leeway(Duration::from_millis(500));
    let (source, bodies) = scripted(profile, clock.clone(), |n, _: &Request| Ok(numbered(n)));
    for milliseconds in [600, 1400, 1600] {
        clock.set(now() + Duration::from_millis(milliseconds));
        source.fetch_uncached().unwrap();
    }
    all_differ(&bodies.lock().unwrap());
}

/// A wall clock that stands still.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> SystemTime {
        now()
    }
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

#[test]
fn without_jti_a_clock_that_stands_still_is_not_waited_for_beyond_the_timeout() {
    let transport = |_: &Request, _: Duration| Ok(numbered(1));
    let profile = without_jti(Endpoint::token("https://as.example.com/token").unwrap());
    let source = TokenSource::with_transport(transport, profile, hmac()).unwrap(); // signs in no time, however slow the machine
    let source = source.with_clock(Stopped).with_timeout(2 * SHORT);
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || {
        let first = source.fetch_uncached();
        let second = source.fetch_uncached();
        done.send((first, second)).unwrap();
    });
    let (first, second) = outcome.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(secret(first), "t1");
    is(&second.unwrap_err(), Network, true, "no time is left");
}
