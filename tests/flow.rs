//! A token source over real HTTP: the bytes that are sent, the responses that are refused, and
//! when nothing is sent at all.

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

use support::sample::{NOW, TOKEN_URL, at, claims, client, client_at, hmac, now, rsa};
use support::{Answer, Server, answer, grants};

// What is sent

/// Returns request line, headers in alphabetical order, and body.
///
/// What differs from run to run is replaced: by `<host>`, by `<assertion>`, and by `<body>` for the
/// length of the body.
#[track_caller]
fn normalized(request: &str, host: &str) -> String {
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

/// Returns what a source sends to a server for one token, normalized.
#[track_caller]
fn sent(profile: impl FnOnce(&str) -> Profile) -> String {
    let server = Server::new([grants("t")]);
    let profile = profile(&server.url(""));
    let source = TokenSource::new(profile, rsa()).unwrap();
    assert_eq!(source.token().unwrap().secret(), "t");
    let host = server.host.clone();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    normalized(&requests[0], &host)
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
fn marketing_cloud_intelligence_discovers_its_endpoint_and_posts_a_form_or_a_query() {
    let parameters = format!(
        "grant_type=client_credentials&client_id=svc-0001&{CLIENT}&client_assertion=<assertion>"
    );
    for (placement, expected) in [
        (Placement::FORM, form("/us1/token", &parameters)),
        (Placement::QUERY, query(&format!("/us1/token?{parameters}"))),
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
        let metadata_requests = metadata_server.requests();
        assert_eq!(metadata_requests.len(), 1);
        assert_eq!(
            normalized(&metadata_requests[0], &host),
            format!(
                "GET /discovery/v1?x=1 HTTP/1.1\n\
                accept: application/json\n\
                host: <host>\n\
                user-agent: {AGENT}\n\n"
            )
        );
        let host = token_server.host.clone();
        let token_requests = token_server.requests();
        assert_eq!(token_requests.len(), 1);
        assert_eq!(normalized(&token_requests[0], &host), expected);
    }
}

#[test]
fn salesforce_request_is_a_form_of_grant_type_and_assertion() {
    assert_eq!(
        sent(|url| Profile::salesforce(url, "key", "user").unwrap()),
        form(
            "/services/oauth2/token",
            &format!("{GRANT}&assertion=<assertion>")
        )
    );
}

#[test]
fn cylance_request_is_one_json_member() {
    assert_eq!(
        sent(|url| Profile::cylance(url, "tenant", "app")
            .unwrap()
            .with_algorithms([])),
        json("/auth/v2/token", r#"{"auth_token":"<assertion>"}"#)
    );
}

#[test]
fn generic_request_encodes_parameters_and_keeps_the_query_of_the_endpoint() {
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
            sent(|url| grant(&format!("{url}{target}")).with_placement(Placement::QUERY)),
            query(&expected)
        );
    }
    assert_eq!(
        sent(|url| client(url).with_placement(Placement::QUERY)),
        query(&format!("/?{client_parameters}"))
    );
    let tricky = "a\"b\\c\nd/é";
    assert_eq!(
        sent(|url| {
            let profile = grant(&format!("{url}/token")).with_placement(Placement::JSON);
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
fn sent_assertion_names_client_and_token_endpoint() {
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
fn chunked_response_is_read() {
    let body = r#"{"access_token":"00D!t"}"#;
    let (first, second) = body.split_at(9);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        9\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        second.len()
    );
    let server = Server::new([Answer::Bytes(chunked.into())]);
    let source = default_agent(client_at(Endpoint::token(server.url("/token")).unwrap()));
    assert_eq!(source.token().unwrap().authorization(), "Bearer 00D!t");
    drop(server.requests());
}

// Responses that are refused

/// Makes a source with the agent of this crate.
fn default_agent(profile: Profile) -> TokenSource {
    TokenSource::new(profile, hmac()).unwrap()
}

/// Makes a source with an agent of the caller's that follows redirects, turns statuses into errors
/// and has no timeout: the defaults of ureq, written out, without a proxy from the environment.
fn permissive(profile: Profile) -> TokenSource {
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

const AGENTS: [fn(Profile) -> TokenSource; 2] = [default_agent, permissive];

/// Returns the error of one request to a server, which gets no second one.
#[track_caller]
fn error_from(make: fn(Profile) -> TokenSource, answer: Answer, timeout: Duration) -> Error {
    let server = Server::new([answer]);
    let source =
        make(client_at(Endpoint::token(server.url("/token")).unwrap())).with_timeout(timeout);
    let error = source.token().unwrap_err();
    assert_eq!(server.requests().len(), 1, "{error}");
    error
}

/// Shorter than the backoff before a second attempt.
const ONE_ATTEMPT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

#[track_caller]
fn assert_error(error: &Error, kind: ErrorKind, is_retryable: bool, text: &str) {
    let found = (error.kind(), error.is_retryable());
    assert_eq!(found, (kind, is_retryable), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn redirect_of_any_status_is_not_followed_by_any_agent() {
    for make in AGENTS {
        for status in [
            "300 A", "301 B", "302 C", "303 D", "304 E", "305 F", "307 G", "308 H",
        ] {
            let elsewhere = Server::new([]);
            let location = format!("Location: {}\r\n", elsewhere.url("/secret-path"));
            let error = error_from(make, answer(status, &location, ""), LONG);
            assert_error(&error, Protocol, false, "127.0.0.1");
            assert!(
                !format!("{error} {error:?}").contains("secret-path"),
                "{error:?}"
            );
            assert_eq!(error.status(), status[..3].parse().ok());
            assert_eq!(elsewhere.requests(), [""; 0]);
        }
        // a missing slash, at the same server
        let error = error_from(make, answer("301 Moved", "Location: /token/\r\n", ""), LONG);
        assert_error(&error, Protocol, false, "redirects");
    }
}

#[test]
fn body_of_a_4xx_is_read_with_any_agent() {
    for make in AGENTS {
        let body = r#"{"error":"invalid_client","error_description":"who?"}"#;
        let headers = "Content-Type: text/plain\r\nX-Request-Id: 7\r\n";
        let error = error_from(make, answer("401 Unauthorized", headers, body), LONG);
        assert_error(&error, Denied, false, "invalid_client: who? (status 401)");
        let response = error.response().unwrap();
        assert_eq!(response.header("X-Request-Id"), Some("7"));
        assert_eq!(response.body(), body.as_bytes());
    }
}

#[test]
fn response_of_64_kib_is_accepted_and_a_longer_one_refused_with_any_agent() {
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
            let error = error_from(make, padded(length), LONG);
            assert_error(
                &error,
                Protocol,
                false,
                "the response is longer than 64 KiB",
            );
        }
    }
}

#[test]
fn silent_or_dripping_server_ends_in_the_timeout() {
    let dripping = |head: &str| Answer::Drip(format!("HTTP/1.1 200 OK\r\n{head}").into());
    let wait = |make, answer| {
        let begin = Instant::now();
        let error = error_from(make, answer, SHORT);
        let took = begin.elapsed();
        assert_error(&error, Network, true, "127.0.0.1");
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
fn html_page_garbage_cut_body_and_reset_are_errors() {
    let bytes = |text: &str| Answer::Bytes(text.into());
    let page = "<!DOCTYPE html><html></html>";
    for make in AGENTS {
        let html = answer("200 OK", "Content-Type: text/html\r\n", page);
        assert_error(
            &error_from(make, html, ONE_ATTEMPT),
            Protocol,
            false,
            "not a JSON object (status 200)",
        );

        let garbage = "SSH-2.0-OpenSSH_9.2p1\r\n\r\n";
        let error = error_from(make, bytes(garbage), ONE_ATTEMPT);
        assert_error(&error, Network, false, "protocol is not accepted");

        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\":\"t\"}";
        assert_error(
            &error_from(make, bytes(cut), ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );

        let half_a_head = "HTTP/1.1 200 OK\r\nContent-Le";
        assert_error(
            &error_from(make, bytes(half_a_head), ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );

        assert_error(
            &error_from(make, bytes(""), ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );
        assert_error(
            &error_from(make, Answer::Reset, ONE_ATTEMPT),
            Network,
            true,
            "the connection ended before the whole answer was there",
        );
    }
}

#[test]
fn refused_connection_is_named_and_retryable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    for make in AGENTS {
        let error = make(client_at(Endpoint::token(&url).unwrap()))
            .token()
            .unwrap_err();
        assert_error(&error, Network, true, ": nobody listens there");
    }
}

#[test]
fn unknown_host_is_named() {
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
        // Without a name server, nobody knows that the host does not exist.
        assert_eq!(
            error.is_retryable(),
            !text.ends_with("host name is unknown"),
            "{error:?}"
        );
    }
}

#[test]
fn plain_http_server_behind_an_https_url_is_refused() {
    for make in AGENTS {
        let server = Server::new([answer("400 Bad Request", "", "{}")]);
        let url = format!("https://{}/token", server.host);
        let error = make(client_at(Endpoint::token(url).unwrap()))
            .token()
            .unwrap_err();
        assert_error(&error, Network, false, ": its protocol is not accepted");
        let requests = server.requests();
        assert!(
            requests
                .iter()
                .all(|request| !request.contains("assertion"))
        );
    }
}

/// The texts are those of rustls, OpenSSL and schannel.
#[test]
fn rejected_certificate_is_named_in_the_words_of_any_tls_library() {
    for words in [
        "invalid peer certificate: UnknownIssuer",
        "certificate verify failed: self-signed certificate in certificate chain",
        "The certificate chain was issued by an authority that is not trusted.",
    ] {
        let transport = move |_: &Request, _: Duration| -> io::Result<Response> {
            Err(io::Error::new(io::ErrorKind::InvalidData, words))
        };
        let source = TokenSource::with_transport(transport, client(), hmac()).unwrap();
        let error = source.token().unwrap_err();
        assert_error(
            &error,
            Network,
            false,
            "as.example.com: its TLS certificate is not accepted",
        );
        assert_eq!(error.source().unwrap().to_string(), words);
    }
}

#[test]
fn https_only_agent_error_does_not_show_the_unsent_request() {
    let agent = Agent::config_builder().proxy(None).https_only(true).build();
    let profile = client_at(Endpoint::token("http://localhost:1/token").unwrap())
        .with_placement(Placement::QUERY);
    let source = TokenSource::with_transport(Agent::from(agent), profile, hmac()).unwrap();
    let error = source.token().unwrap_err();
    assert_error(&error, Network, false, "localhost:1");
    let shown = format!("{error} {error:?} {}", error.source().unwrap());
    assert!(shown.contains("https only"), "{shown}");
    assert!(!shown.contains("eyJ"), "{shown}");
}

// A proxy

/// Returns the error of an exchange through this proxy; the server behind it is never resolved.
#[track_caller]
fn error_through_proxy(proxy: &str, url: &str) -> Error {
    let proxy = Proxy::new(&format!("http://user:hunter2@{proxy}")).unwrap();
    let agent = Agent::config_builder().proxy(Some(proxy)).build();
    let source = TokenSource::with_transport(
        Agent::from(agent),
        client_at(Endpoint::token(url).unwrap()),
        hmac(),
    );
    let clock = Arc::new(ManualClock::new(now())); // its sleeps take no time
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
fn proxy_refusal_is_final_and_busy_proxy_is_retried() {
    for (status, attempts) in [
        ("401 Unauthorized", 1),
        ("403 Forbidden", 1),
        ("407 Proxy Authentication Required", 1),
        ("502 Bad Gateway", 3),
        ("503 Service Unavailable", 3),
    ] {
        let proxy = Server::new([status; 3].map(|status| answer(status, "", "")));
        let error = error_through_proxy(&proxy.host, TOKEN_URL);
        assert_error(
            &error,
            Network,
            attempts > 1,
            "as.example.com: the request did not complete",
        );
        let source = error.source().unwrap().to_string();
        assert!(
            source.contains("proxy") && source.contains(&status[..3]),
            "{source}"
        );
        let requests = proxy.requests();
        assert_eq!(requests.len(), attempts, "{status}");
        let connect = "CONNECT as.example.com:443 HTTP/1.1\r\n";
        assert!(
            requests.iter().all(|request| request.starts_with(connect)),
            "{requests:?}"
        );
    }
}

#[test]
fn unreachable_proxy_is_named_instead_of_the_server() {
    let host = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = error_through_proxy(&host.to_string(), TOKEN_URL);
    assert_error(
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

    let error = error_through_proxy("proxy.invalid:3128", TOKEN_URL);
    assert_error(
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

    // A request to plain http does not use the proxy.
    let error = error_through_proxy("127.0.0.1:1", &format!("http://{host}/token"));
    assert_error(&error, Network, true, "nobody listens there");
}

// When nothing is sent, and when a token is fetched again

#[test]
fn cached_token_is_not_fetched_again() {
    let server = Server::new([grants("t1")]);
    let source = default_agent(client_at(Endpoint::token(server.url("/token")).unwrap()));
    for _ in 0..3 {
        assert_eq!(source.token().unwrap().secret(), "t1");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn source_sends_nothing_before_token_is_called() {
    let server = Server::new([]);
    drop(default_agent(client_at(
        Endpoint::token(server.url("/token")).unwrap(),
    )));
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn sixteen_threads_share_one_exchange() {
    let server = Server::new([grants("t1")]);
    let agent = Agent::from(Agent::config_builder().proxy(None).build());
    let arrived = Arc::new(AtomicUsize::new(0));
    let all = arrived.clone();
    let waiting_transport = move |request: &Request, timeout: Duration| {
        while all.load(Ordering::SeqCst) < 16 {
            thread::yield_now();
        }
        agent.send(request, timeout)
    };
    let profile = client_at(Endpoint::token(server.url("/token")).unwrap());
    let source = TokenSource::with_transport(waiting_transport, profile, hmac()).unwrap();
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
fn expired_token_is_fetched_again_and_a_fresh_one_is_kept() {
    let server = Server::new([grants("t1"), grants("t2")]);
    let clock = Arc::new(ManualClock::new(now()));
    let source = default_agent(client_at(Endpoint::token(server.url("/token")).unwrap()))
        .with_clock(clock.clone());
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

/// Makes a source without a network. Its transport keeps every request body and then calls
/// `respond`.
fn scripted(
    profile: Profile,
    clock: Arc<ManualClock>,
    respond: impl Fn(usize, &Request) -> io::Result<Response> + Send + Sync + 'static,
) -> (TokenSource, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let transport = move |request: &Request, _: Duration| {
        let count = {
            let mut seen = seen.lock().unwrap();
            seen.push(std::str::from_utf8(request.body()).unwrap().to_owned());
            seen.len()
        };
        respond(count, request)
    };
    let source = TokenSource::with_transport(transport, profile, hmac()).unwrap();
    (source.with_clock(clock), bodies)
}

/// Returns the n-th response, whose token is `tn`.
fn numbered(n: usize) -> Response {
    Response::new(
        200,
        format!(r#"{{"access_token":"t{n}","expires_in":300}}"#),
    )
}

/// Makes a clock and a source whose n-th token is `tn`, and returns the bodies it sends, too.
fn numbered_source(profile: Profile) -> (Arc<ManualClock>, TokenSource, Arc<Mutex<Vec<String>>>) {
    let clock = Arc::new(ManualClock::new(now()));
    let (source, bodies) = scripted(profile, clock.clone(), |n, _| Ok(numbered(n)));
    (clock, source, bodies)
}

#[track_caller]
fn secret(token: Result<AccessToken, Error>) -> String {
    token.unwrap().secret().to_owned()
}

#[test]
fn token_lifetime_begins_when_the_request_is_sent() {
    let profile = client();
    let clock = Arc::new(ManualClock::new(now()));
    let time = clock.clone();
    let (source, _) = scripted(profile, clock.clone(), move |n, _| {
        time.advance(Duration::from_secs(5)); // in transit
        Ok(numbered(n))
    });
    assert_eq!(source.token().unwrap().expires_at(), at(NOW + 300));
    clock.advance(Duration::from_secs(294));
    assert_eq!(source.status().state, TokenState::Refreshable);
    clock.advance(Duration::from_secs(1));
    assert_eq!(source.status().state, TokenState::Expired);
}

#[test]
fn invalidate_drops_the_given_token_and_keeps_a_newer_one() {
    let (_, source, _) = numbered_source(client());
    let first = source.token().unwrap();
    source.invalidate(&first);
    assert_eq!(secret(source.token()), "t2");
    source.invalidate(&first); // a slow caller whose 401 was for the first token
    assert_eq!(secret(source.token()), "t2");
    let second = source.token().unwrap();
    source.invalidate(&second.clone());
    assert_eq!(secret(source.token()), "t3");
}

#[test]
fn invalidate_distinguishes_tokens_of_the_same_text() {
    let profile = client();
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
fn fetch_uncached_does_not_change_the_cached_token() {
    let (_, source, _) = numbered_source(client());
    assert_eq!(secret(source.fetch_uncached()), "t1");
    assert_eq!(secret(source.token()), "t2");
    assert_eq!(secret(source.fetch_uncached()), "t3");
    assert_eq!(secret(source.token()), "t2");
}

#[test]
fn panicking_transport_leaves_the_source_usable_for_waiters_too() {
    let profile = client();
    let clock = Arc::new(ManualClock::new(now()));
    let waiting = Arc::new(AtomicUsize::new(0));
    let others = waiting.clone();
    let (source, bodies) = scripted(profile, clock, move |n, _| {
        while others.load(Ordering::SeqCst) < 4 {
            thread::yield_now();
        }
        assert_ne!(n, 1, "the transport panics, as this test wants");
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
fn failed_request_is_retried_in_the_same_call_with_a_new_assertion() {
    let profile = client();
    let clock = Arc::new(ManualClock::new(now()));
    let (source, bodies) = scripted(profile, clock, |n, _| match n {
        1 => Err(ConnectionReset.into()),
        2 => Ok(Response::new(503, "")),
        n => Ok(numbered(n)),
    });
    assert_eq!(secret(source.token()), "t3");
    assert_no_repeats(&bodies.lock().unwrap());
}

// No assertion is sent twice

fn token_endpoint() -> Endpoint {
    Endpoint::token(TOKEN_URL).unwrap()
}
/// Makes a profile whose assertions differ only in `iat`.
fn without_jti(endpoint: Endpoint) -> Profile {
    let audience = Audience::Fixed("https://as.example.com".to_owned());
    Profile::jwt_bearer(endpoint, "issuer-1", audience).with_jti(Jti::Omit)
}

#[track_caller]
fn assert_no_repeats(posted: &[String]) {
    let mut bodies: Vec<_> = posted.iter().filter(|body| !body.is_empty()).collect();
    let count = bodies.len();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), count, "an assertion was sent twice");
}

#[test]
fn without_jti_the_next_assertion_waits_for_the_next_second() {
    let (clock, source, bodies) = numbered_source(without_jti(token_endpoint()));
    clock.advance(Duration::from_millis(250));
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
fn without_jti_a_rediscovered_endpoint_gets_a_new_assertion() {
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
    assert_eq!(secret(source.fetch_uncached()), "t5"); // post, 410, rediscovery, post
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.iter().filter(|body| !body.is_empty()).count(), 3);
    assert_no_repeats(&bodies);
}

#[test]
fn without_jti_a_clock_set_back_repeats_no_assertion() {
    let (clock, source, bodies) = numbered_source(without_jti(token_endpoint()));
    for second in [0, 1, 2, 0, 1, 2, 1] {
        clock.set(at(NOW + second));
        source.fetch_uncached().unwrap();
    }
    assert_no_repeats(&bodies.lock().unwrap());
}

#[test]
fn without_jti_five_thousand_fetches_repeat_no_assertion() {
    let (clock, source, bodies) = numbered_source(without_jti(token_endpoint()));
    for second in 0..5000 {
        clock.set(at(NOW + second));
        source.fetch_uncached().unwrap();
    }
    // at the latest time, and before the first one
    for second in [NOW + 5000, NOW - 10] {
        clock.set(at(second));
        for _ in 0..5 {
            source.fetch_uncached().unwrap();
        }
    }
    assert_no_repeats(&bodies.lock().unwrap());
}

#[test]
fn without_jti_and_exp_an_iat_leeway_of_half_a_second_repeats_no_assertion() {
    let profile = without_jti(token_endpoint())
        .with_assertion_lifetime(None)
        .with_iat_leeway(Duration::from_millis(500));
    let (clock, source, bodies) = numbered_source(profile);
    for milliseconds in [600, 1400, 1600] {
        clock.set(now() + Duration::from_millis(milliseconds));
        source.fetch_uncached().unwrap();
    }
    assert_no_repeats(&bodies.lock().unwrap());
}

/// A wall clock that does not advance.
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
fn without_jti_a_stopped_clock_ends_in_the_timeout() {
    let transport = |_: &Request, _: Duration| Ok(numbered(1));
    let profile = without_jti(token_endpoint());
    let source = TokenSource::with_transport(transport, profile, hmac()).unwrap(); // HMAC signs fast on any machine
    let source = source.with_clock(Stopped).with_timeout(2 * SHORT);
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || {
        let first = source.fetch_uncached();
        let second = source.fetch_uncached();
        done.send((first, second)).unwrap();
    });
    let (first, second) = outcome.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(secret(first), "t1");
    assert_error(&second.unwrap_err(), Network, true, "no time is left");
}
