//! The sandbox accepts correct assertions and refuses each wrong one in the error format of its provider.
#![cfg(all(feature = "sandbox", feature = "ureq"))]

#[cfg(feature = "ring")]
#[path = "sandbox/apps.rs"]
mod apps;
#[cfg(feature = "ring")]
#[path = "sandbox/cloud.rs"]
mod cloud;
#[cfg(feature = "ring")]
#[path = "sandbox/identity.rs"]
mod identity;
#[cfg(feature = "ring")]
#[path = "sandbox/request.rs"]
mod request;
#[cfg(feature = "ring")]
#[path = "sandbox/sectors.rs"]
mod sectors;
#[cfg(feature = "ring")]
#[path = "sandbox/servers.rs"]
mod servers;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::sandbox::{Client, Fault, Key, Server};
use jwt_bearer::{
    Algorithm, Audience, BoxError, Endpoint, Error, ErrorKind, Exchange, HmacKey, Jti, ManualClock,
    Placement, Profile, RsaKey, ScopePlacement, Signer, TokenSource, Transport as _, salesforce,
};
use serde_json::Value;

const SECRET: &str = "00112233-4455-6677-8899-aabbccddeeff";

fn rsa_key() -> RsaKey {
    let vectors: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    RsaKey::from_pem(vectors["key"]["pkcs1_pem"].as_str().unwrap()).unwrap()
}
fn other_rsa_key() -> RsaKey {
    RsaKey::from_der(include_bytes!("data/keys/rsa-2048.der")).unwrap()
}
fn hmac_key() -> HmacKey {
    HmacKey::new(SECRET).unwrap()
}
/// Returns an agent that takes every status and no proxy.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().proxy(None);
    config.http_status_as_error(false).build().into()
}
#[cfg(feature = "ring")]
fn get_json(url: &str) -> Value {
    let mut response = agent().get(url).call().unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap()
}
fn jwt_claims(jwt: &str) -> Value {
    let claims = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}
fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Starts a server with a client registration of each kind.
fn server() -> Server {
    let server = Server::start().unwrap();
    let with_key = |id| Client::new(id, Key::public(&rsa_key())).with_scope("read");
    server.register(with_key("service-account"));
    server.register(with_key("consumer-key").with_user("user@example.com"));
    server.register(with_key("client-1"));
    server.register(with_key("issuer-1").with_user("alice"));
    server.register(Client::new("client-2", Key::secret(SECRET)).with_scope("read"));
    let application = Client::new("application", Key::secret(SECRET)).with_tenant("tenant");
    server.register(application.with_scope("device:list"));
    server
}
fn intelligence_profile(server: &Server) -> Profile {
    let endpoint = Endpoint::metadata(server.discovery_endpoint()).unwrap();
    Profile::marketing_cloud_intelligence(endpoint, "service-account")
}
fn salesforce_profile(server: &Server) -> Profile {
    Profile::salesforce(server.url(), "consumer-key", "user@example.com").unwrap()
}
fn cylance_profile(server: &Server) -> Profile {
    Profile::cylance(server.url(), "tenant", "application").unwrap()
}
fn client_profile(server: &Server) -> Profile {
    let endpoint = Endpoint::token(server.token_endpoint()).unwrap();
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}
fn grant_profile(server: &Server) -> Profile {
    let endpoint = Endpoint::issuer(server.url()).unwrap();
    Profile::jwt_bearer(endpoint, "issuer-1", Audience::Issuer).with_subject("alice")
}
fn source(profile: Profile, key: impl Signer + 'static) -> TokenSource {
    TokenSource::new(profile, key).unwrap()
}
#[track_caller]
fn denied(profile: Profile, key: impl Signer + 'static) -> Error {
    source(profile, key).fetch_uncached().unwrap_err()
}
#[track_caller]
fn assert_error(error: &Error, status: u16, code: Option<&str>, description: &str) {
    assert_eq!(
        (error.status(), error.code(), error.description()),
        (Some(status), code, Some(description)),
    );
}

#[test]
fn sandbox_issues_tokens_for_every_provider_and_generic_flow() {
    let server = server();
    for placement in [Placement::FORM, Placement::QUERY] {
        let token = source(
            intelligence_profile(&server).with_placement(placement),
            rsa_key(),
        )
        .token();
        assert_eq!(token.unwrap().get("expires_in"), Some("300"));
    }
    let token = source(salesforce_profile(&server), rsa_key())
        .token()
        .unwrap();
    assert_eq!(salesforce::instance_url(&token), Some(server.url()));
    assert_eq!(salesforce::user_id(&token), Some("005xx000001SwiUAAS"));
    assert_eq!(
        salesforce::organization_id(&token),
        Some("00Dxx0000001gPLEAY")
    );

    let scoped = cylance_profile(&server).with_scope("device:list");
    let token = source(scoped, hmac_key()).token().unwrap();
    let claims = jwt_claims(token.secret());
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 300);

    let with_scope = |profile: Profile| profile.with_scope("read");
    let cases: [(Profile, Box<dyn Signer>); 3] = [
        (client_profile(&server), Box::new(rsa_key())),
        (grant_profile(&server), Box::new(rsa_key())),
        (
            Profile::client_credentials(
                Endpoint::metadata(format!("{}/.well-known/openid-configuration", server.url()))
                    .unwrap(),
                "client-2",
                Audience::Issuer,
            ),
            Box::new(hmac_key()),
        ),
    ];
    for (profile, key) in cases {
        assert_eq!(
            source(with_scope(profile), key).token().unwrap().scope(),
            Some("read")
        );
    }
    assert_eq!(server.jtis().len(), 7);
}

/// A signer that names one algorithm and signs with another.
struct MislabeledSigner(Algorithm, Box<dyn Signer>);
impl Signer for MislabeledSigner {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        self.1.sign(message)
    }
}

#[test]
fn sandbox_refuses_each_wrong_assertion_with_its_reason() {
    let server = server();
    let profile = || client_profile(&server);
    let elsewhere = Audience::Fixed("https://elsewhere.example".to_owned());
    let signature = "the signature is not of the client's key";
    let alg = "alg is not the one of the client's key";
    let mislabeled = |alg, key: Box<dyn Signer>| MislabeledSigner(alg, key);
    for (error, description) in [
        (denied(profile(), other_rsa_key()), signature),
        (denied(profile(), hmac_key()), alg),
        (
            denied(profile(), mislabeled(Algorithm::Hs256, Box::new(rsa_key()))),
            alg,
        ),
        (
            denied(profile(), mislabeled(Algorithm::Rs512, Box::new(rsa_key()))),
            alg,
        ),
        (
            denied(
                profile(),
                mislabeled(Algorithm::Rs256, Box::new(hmac_key())),
            ),
            signature,
        ),
        (
            denied(profile().with_audience(elsewhere.clone()), rsa_key()),
            "claim aud is not this server, as one string",
        ),
        (
            denied(profile().with_audience(Audience::Omit), rsa_key()),
            "claim aud is not this server, as one string",
        ),
        (
            denied(profile().with_assertion_lifetime(seconds(3700)), rsa_key()),
            "exp lies too far ahead",
        ),
        (
            denied(profile().with_jti(Jti::Omit), rsa_key()),
            "claim jti is missing or wrong",
        ),
        (
            denied(profile().with_assertion_lifetime(None), rsa_key()),
            "claim exp is missing or wrong",
        ),
        (
            denied(profile().with_subject("client-2"), rsa_key()),
            "claim sub is missing or wrong",
        ),
    ] {
        assert_error(&error, 401, Some("invalid_client"), description);
    }
    let unknown = Endpoint::token(server.token_endpoint()).unwrap();
    let unknown = Profile::client_credentials(unknown, "nobody", Audience::TokenEndpoint);
    assert_error(
        &denied(unknown, rsa_key()),
        401,
        Some("invalid_client"),
        "the client is unknown",
    );
    let error = denied(profile().with_scope("write"), rsa_key());
    assert_error(&error, 400, Some("invalid_scope"), "a scope is not allowed");
    let error = denied(grant_profile(&server).with_subject("bob"), rsa_key());
    assert_error(
        &error,
        400,
        Some("invalid_grant"),
        "claim sub is missing or wrong",
    );
    assert_eq!(server.jtis(), [""; 0], "no assertion was accepted");
}

// Go's x/oauth2 and Google's clients send the scope as a claim.
#[test]
fn scope_claim_is_checked_like_scope_parameter() {
    let server = server();
    for profile in [client_profile(&server), grant_profile(&server)] {
        let with_claim =
            profile.with_scope_placement(ScopePlacement::ClaimWithSpaces("scope".into()));
        let token = source(with_claim.clone().with_scope("read"), rsa_key()).token();
        assert_eq!(token.unwrap().scope(), Some("read"));
        for wrong_scope in [
            with_claim.clone().with_scope("read write"),
            with_claim.clone().with_claim("scope", 7),
            with_claim
                .with_scope_placement(ScopePlacement::Parameter)
                .with_scope("read")
                .with_claim("scope", "write"),
        ] {
            let error = denied(wrong_scope, rsa_key());
            assert_error(&error, 400, Some("invalid_scope"), "a scope is not allowed");
        }
    }
}

#[test]
fn salesforce_and_cylance_refusals_use_their_own_error_format() {
    let server = server();
    let elsewhere = Audience::Fixed("https://elsewhere.example".to_owned());
    let stranger =
        Profile::salesforce(server.url(), "consumer-key", "stranger@example.com").unwrap();
    let nobody = Profile::salesforce(server.url(), "nobody", "user@example.com").unwrap();
    let profile = || salesforce_profile(&server);
    for (error, code, description) in [
        (
            denied(profile(), other_rsa_key()),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            denied(profile().with_audience(elsewhere), rsa_key()),
            "invalid_grant",
            "audience is invalid",
        ),
        (
            denied(profile().with_assertion_lifetime(seconds(240)), rsa_key()),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            denied(stranger, rsa_key()),
            "invalid_grant",
            "user hasn't approved this consumer",
        ),
        (
            denied(nobody, rsa_key()),
            "invalid_client_id",
            "client identifier invalid",
        ),
    ] {
        assert_error(&error, 400, Some(code), description);
        assert!(error.hint().is_some());
    }
    let other_tenant = Profile::cylance(server.url(), "other", "application").unwrap();
    let wrong_key = || HmacKey::new("another secret").unwrap();
    for (error, status, description) in [
        (
            denied(cylance_profile(&server), wrong_key()),
            401,
            "Invalid JWT payload",
        ),
        (denied(other_tenant, hmac_key()), 401, "Invalid JWT payload"),
        (
            denied(
                cylance_profile(&server).with_scope("policy:delete"),
                hmac_key(),
            ),
            403,
            "Insufficient scope",
        ),
    ] {
        assert_error(&error, status, None, description);
        assert!(error.hint().is_some());
    }
}

/// Exchanges an assertion that is signed at the time `now`. The server uses the clock of the machine.
fn exchange_at(profile: &Profile, key: &dyn Signer, now: SystemTime) -> Result<String, Error> {
    let exchange = Exchange::new(profile, key, now)?;
    let agent = ureq::Agent::new_with_defaults();
    let response = agent.send(exchange.request(), seconds(5)).unwrap();
    exchange
        .read(response)
        .map(|token| token.secret().to_owned())
}

#[test]
fn sandbox_refuses_expired_and_future_assertions_and_jti_replay() {
    let server = server();
    let now = SystemTime::now();
    let profile = client_profile(&server);
    for (then, description) in [
        (now - seconds(600), "the assertion has expired"),
        (now + seconds(300), "iat or nbf lies in the future"),
    ] {
        let error = exchange_at(&profile, &rsa_key(), then).unwrap_err();
        assert_error(&error, 401, Some("invalid_client"), description);
    }
    let key = rsa_key();
    let exchange = Exchange::new(&profile, &key, now).unwrap();
    let agent = ureq::Agent::new_with_defaults();
    let send = || agent.send(exchange.request(), seconds(5)).unwrap();
    assert_eq!(send().status(), 200);
    let replay = send();
    assert_error(
        &exchange.read(replay).unwrap_err(),
        401,
        Some("invalid_client"),
        "jti was used before",
    );
    assert_eq!(server.jtis().len(), 1);
}

#[test]
fn fail_next_injects_each_fault_once() {
    let server = server();
    let one_attempt = Duration::from_millis(500);
    let source = source(client_profile(&server), rsa_key()).with_timeout(one_attempt);
    for (fault, kind, status) in [
        (Fault::TooManyRequests(7), ErrorKind::Unavailable, Some(429)),
        (Fault::Unavailable, ErrorKind::Unavailable, Some(503)),
        (Fault::Silence, ErrorKind::Network, None),
        (Fault::CutBody, ErrorKind::Network, None),
        (Fault::Html, ErrorKind::Protocol, Some(200)),
    ] {
        server.fail_next(1, fault);
        let error = source.fetch_uncached().unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, status), "{fault:?}");
        let retry_after = matches!(fault, Fault::TooManyRequests(_)).then_some(seconds(7));
        assert_eq!(error.retry_after(), retry_after);
        source.fetch_uncached().unwrap();
    }
    assert_eq!(server.requests(), 10);
    // The assertion whose response was cut off was accepted, so its jti is used.
    assert_eq!(server.jtis().len(), 6);
}

#[test]
fn slow_response_comes_late_and_whole() {
    let server = server();
    let source = source(client_profile(&server), rsa_key()).with_timeout(seconds(5));
    server.fail_next(1, Fault::Slow(1));
    let begun = Instant::now();
    source.fetch_uncached().unwrap();
    assert!(begun.elapsed() >= seconds(1));
    server.fail_next(1, Fault::Slow(60));
    thread::scope(|scope| {
        scope.spawn(|| source.fetch_uncached());
        while server.requests() == 1 {
            thread::sleep(Duration::from_millis(5));
        }
        let begun = Instant::now();
        drop(server);
        assert!(begun.elapsed() < seconds(2));
    });
}

#[test]
fn fail_every_third_request_cycles_through_the_faults() {
    let server = server();
    let source =
        source(client_profile(&server), rsa_key()).with_timeout(Duration::from_millis(500));
    source.fetch_uncached().unwrap();
    server.fail_every(3);
    let mut kinds = Vec::new();
    for n in 1..=18 {
        match source.fetch_uncached() {
            Ok(_) => assert_ne!(n % 3, 0),
            Err(error) => kinds.push((n, error.kind(), error.status())),
        }
    }
    use ErrorKind::{Network, Protocol, Unavailable};
    let expected = [
        (3, Unavailable, Some(503)),
        (6, Network, None), // half a body
        (9, Unavailable, Some(429)),
        (12, Network, None), // silence
        (15, Protocol, Some(200)),
        (18, Unavailable, Some(503)),
    ];
    assert_eq!(kinds, expected);
    server.fail_every(0);
    for _ in 0..3 {
        source.fetch_uncached().unwrap();
    }
}

/// Requests the resource. Returns the status and the challenge of the response.
fn request_resource(server: &Server, authorization: Option<&str>) -> (u16, Option<String>) {
    let mut request = agent().get(server.resource());
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let response = request.call().unwrap();
    let challenge = response.headers().get("WWW-Authenticate");
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), challenge)
}

#[test]
fn resource_accepts_issued_tokens_only() {
    let server = server();
    for token in [
        source(intelligence_profile(&server), rsa_key()).token(),
        source(salesforce_profile(&server), rsa_key()).token(),
        source(cylance_profile(&server), hmac_key()).token(),
        source(client_profile(&server), rsa_key()).token(),
        source(grant_profile(&server), rsa_key()).token(),
    ] {
        let token = token.unwrap();
        assert_eq!(
            request_resource(&server, Some(token.authorization())),
            (200, None)
        );
    }
    let unknown = "Bearer error=\"invalid_token\", error_description=\"the token is unknown\"";
    assert_eq!(
        request_resource(&server, Some("Bearer guessed")),
        (401, Some(unknown.to_owned()))
    );
    for none in [None, Some("Basic Zm9vOmJhcg==")] {
        assert_eq!(
            request_resource(&server, none),
            (401, Some("Bearer".to_owned()))
        );
    }
    let requests = server.requests();
    server.fail_next(1, Fault::Unavailable);
    assert_eq!(request_resource(&server, None).0, 401);
    assert_eq!(server.requests(), requests, "the resource is not counted");
}

#[test]
fn resource_refuses_expired_token() {
    let server = server();
    server.set_lifetime(Duration::from_millis(50));
    let token = source(client_profile(&server), rsa_key()).token().unwrap();
    thread::sleep(Duration::from_millis(60));
    let (status, challenge) = request_resource(&server, Some(token.authorization()));
    assert_eq!(status, 401);
    assert!(challenge.unwrap().contains("the token expired "));
}

#[test]
fn call_after_revoked_token_fetches_once_and_repeats() {
    let server = server();
    let clock = Arc::new(ManualClock::new(SystemTime::now()));
    let source = source(client_profile(&server), rsa_key()).with_clock(clock.clone());
    let first = source.token().unwrap();
    clock.advance(seconds(11)); // a 401 to a new token does not cause another fetch
    server.revoke_tokens();
    let request =
        |token: &jwt_bearer::AccessToken| request_resource(&server, Some(token.authorization()));
    let call = || source.call(request, |(status, _)| *status == 401);
    assert_eq!(call().unwrap().0, 200);
    assert_ne!(source.token().unwrap().secret(), first.secret());
    assert_eq!(server.requests(), 2);
}

#[test]
fn set_lifetime_changes_expires_in() {
    let server = server();
    server.set_lifetime(seconds(42));
    let token = source(client_profile(&server), rsa_key()).token().unwrap();
    assert_eq!(token.get("expires_in"), Some("42"));
}

#[test]
fn server_listens_on_loopback_only_and_stops_on_drop() {
    let outside = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(Server::listen(outside, |_| {}).is_err());

    let server = server();
    let address: SocketAddr = server
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    server.fail_next(1, Fault::Silence);
    let source = source(client_profile(&server), rsa_key());
    let idle = TcpStream::connect(address).unwrap(); // a connection that sends nothing
    thread::scope(|scope| {
        scope.spawn(|| source.fetch_uncached().unwrap_err());
        while server.requests() == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        let start = Instant::now();
        drop(server);
        assert!(start.elapsed() < seconds(2));
    });
    drop(idle);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn server_with_tls_is_trusted_by_its_root_alone_and_closes_silent_connections() {
    let (sender, lines) = std::sync::mpsc::channel();
    let log = move |line: &str| drop(sender.send(line.to_owned()));
    let server = Server::listen_tls(SocketAddr::from(([127, 0, 0, 1], 0)), log).unwrap();
    server.register(Client::new("client-1", Key::public(&rsa_key())));
    let root = server.root_certificate().unwrap();
    let root = ureq::tls::Certificate::from_pem(root.as_bytes()).unwrap();
    let tls = ureq::tls::TlsConfig::builder().root_certs([root].into());
    let config = ureq::Agent::config_builder().proxy(None);
    let trusting = jwt_bearer::agent(config.tls_config(tls.build()).build());
    for host in ["127.0.0.1", "localhost"] {
        let url = server.token_endpoint().replace("127.0.0.1", host);
        let audience = Audience::Fixed(server.token_endpoint());
        let endpoint = Endpoint::token(url).unwrap();
        let profile = Profile::client_credentials(endpoint, "client-1", audience);
        let source = TokenSource::with_transport(trusting.clone(), profile, rsa_key()).unwrap();
        source.token().unwrap();
        assert!(
            lines
                .recv_timeout(seconds(5))
                .unwrap()
                .starts_with("POST /token 200: ")
        );
    }
    let error = denied(client_profile(&server), rsa_key());
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!error.is_retryable());
    assert!(
        lines
            .recv_timeout(seconds(5))
            .unwrap()
            .starts_with("a TLS connection failed: ")
    );

    server.fail_next(1, Fault::Silence);
    let source = TokenSource::with_transport(trusting, client_profile(&server), rsa_key()).unwrap();
    let source = source.with_timeout(Duration::from_millis(500));
    assert_eq!(
        source.fetch_uncached().unwrap_err().kind(),
        ErrorKind::Network
    );
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < seconds(2));
    assert_eq!(Server::start().unwrap().root_certificate(), None);
}

// RFC 9112 §6.3. A chunked body that is read as empty would be refused for a missing parameter.
#[test]
fn chunked_request_body_is_refused_with_411() {
    let server = server();
    let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
    let head = "POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (status, _) = answer.split_once("\r\n").unwrap();
    assert_eq!(status, "HTTP/1.1 411 Length Required");
}

#[test]
fn server_answers_concurrent_clients_and_debug_prints_no_secret() {
    let server = server();
    let source = source(client_profile(&server), rsa_key());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| source.fetch_uncached().unwrap());
        }
    });
    assert_eq!(server.jtis().len(), 8);
    let text = format!(
        "{server:?} {:?}",
        Client::new("c", Key::secret(SECRET)).with_secret(SECRET)
    );
    assert!(!text.contains(SECRET), "{text}");
}

// ---- assertions and requests that this crate never makes ----

/// Signs a header and claims as they are given, with the secret of `client-2`.
fn compact_jws(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|json| URL_SAFE_NO_PAD.encode(json));
    let message = format!("{header}.{claims}");
    let signature = hmac_key().sign(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The header and the claims that `client-2` needs, with a new `jti`.
const HEADER: &str = r#"{"alg":"HS256"}"#;
fn claims(server: &Server, jti: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let exp = now.unwrap().as_secs() + 60;
    let aud = server.url();
    format!(r#"{{"iss":"client-2","sub":"client-2","aud":"{aud}","exp":{exp},"jti":"{jti}"}}"#)
}

/// Sends a request body. Returns the status and the description of the response.
fn post(url: &str, content_type: &str, body: &str) -> (u16, String) {
    let request = agent().post(url).content_type(content_type);
    let mut response = request.send(body).unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let text = body.get("error_description").or(body.get("message"));
    let text = text.and_then(Value::as_str).unwrap_or_default();
    (response.status().as_u16(), text.to_owned())
}

const FORM: &str = "application/x-www-form-urlencoded";

fn client_credentials_form(assertion: &str) -> String {
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"
    )
}

fn send_assertion(server: &Server, header: &str, claims: &str) -> (u16, String) {
    let form = client_credentials_form(&compact_jws(header, claims));
    post(&server.token_endpoint(), FORM, &form)
}

#[test]
fn sandbox_refuses_critical_header_parameters_and_unencoded_payload() {
    let server = server();
    for (header, name) in [
        (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, "crit"),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "crit"),
        (r#"{"alg":"HS256","crit":["b64"],"b64":true}"#, "crit"),
        (r#"{"alg":"HS256","crit":[]}"#, "crit"),
        (r#"{"alg":"HS256","crit":null}"#, "crit"),
        (r#"{"alg":"HS256","b64":false}"#, "b64"),
        (r#"{"alg":"HS256","b64":"true"}"#, "b64"),
    ] {
        let description = format!("header parameter {name} is not supported");
        let outcome = send_assertion(&server, header, &claims(&server, "jti-1"));
        assert_eq!(outcome, (401, description), "{header}");
    }
    for (n, header) in [HEADER, r#"{"alg":"HS256","b64":true,"x":1}"#]
        .iter()
        .enumerate()
    {
        let outcome = send_assertion(&server, header, &claims(&server, &format!("good-{n}")));
        assert_eq!(outcome, (200, String::new()), "{header}");
    }
}

#[test]
fn sandbox_refuses_duplicate_json_members() {
    let server = server();
    let description = "a member of the header or of the claims occurs more than once";
    let good = claims(&server, "jti-1");
    let with = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    for (header, claims) in [
        (r#"{"alg":"none","alg":"HS256"}"#, good.clone()),
        (r#"{"alg":"HS256","alg":"HS256"}"#, good.clone()),
        (r#"{"alg":"HS256","\u0061lg":"HS256"}"#, good.clone()),
        (HEADER, with(r#""iss":"client-1""#)),
        (HEADER, with(r#""iss":"client-2""#)),
        (HEADER, with(r#""s\u0075b":"client-1""#)),
        (HEADER, with(r#""act":{"sub":"a","sub":"b"}"#)),
    ] {
        let outcome = send_assertion(&server, header, &claims);
        assert_eq!(outcome, (401, description.to_owned()), "{header} {claims}");
    }
    let nested = with(r#""act":{"sub":"a","act":{"sub":"b"}}"#);
    assert_eq!(send_assertion(&server, HEADER, &nested).0, 200);

    // Cylance reads the assertion from a JSON body.
    let url = format!("{}/auth/v2/token", server.url());
    let exchange = |body: fn(&str) -> String| {
        let key = hmac_key();
        let profile = cylance_profile(&server);
        let assertion = profile.assertion(&key, SystemTime::now()).unwrap();
        post(&url, "application/json", &body(assertion.secret()))
    };
    let outcome = exchange(|jwt| format!(r#"{{"auth_token":"x","auth_token":"{jwt}"}}"#));
    assert_eq!(outcome, (400, "Malformed JSON".to_owned()));
    let outcome = exchange(|jwt| format!(r#"{{"x":1,"auth_token":"{jwt}","x":2}}"#));
    assert_eq!(outcome, (400, "Malformed JSON".to_owned()));
    let outcome = exchange(|jwt| format!(r#"{{"x":1,"auth_token":"{jwt}"}}"#));
    assert_eq!(outcome.0, 200);
}

// RFC 6749 §3.2; RFC 8707 §2 and RFC 8693 §2.1 for the exceptions.
#[test]
fn sandbox_refuses_duplicate_form_parameters_except_resource_and_audience() {
    let server = server();
    let endpoint = server.token_endpoint();
    let form = |jti| client_credentials_form(&compact_jws(HEADER, &claims(&server, jti)));
    let refused = (400, "a parameter occurs more than once".to_owned());
    for suffix in [
        "&scope=read&scope=read",
        "&scope=read&scope=write",
        "&x=1&x=2",
        "&client_assertion=x",
        "&grant_type=client_credentials",
        "&gr%61nt_type=client_credentials",
    ] {
        let outcome = post(&endpoint, FORM, &(form("jti-1") + suffix));
        assert_eq!(outcome, refused, "{suffix}");
    }
    let in_query = format!("{endpoint}?grant_type=client_credentials");
    assert_eq!(post(&in_query, FORM, &form("jti-1")), refused);
    let salesforce = format!("{}/services/oauth2/token", server.url());
    let outcome = post(&salesforce, FORM, "assertion=x&assertion=y&grant_type=z");
    assert_eq!(outcome, (400, "duplicate parameter".to_owned()));

    let repeatable = "&resource=a&resource=b&audience=c&audience=d&scope=read";
    assert_eq!(post(&endpoint, FORM, &(form("jti-1") + repeatable)).0, 200);
}

#[test]
fn sandbox_refuses_empty_or_oversized_jti() {
    let server = server();
    let description = "claim jti is missing or wrong".to_owned();
    for jti in ["", &"x".repeat(1025)] {
        let outcome = send_assertion(&server, HEADER, &claims(&server, jti));
        assert_eq!(outcome, (401, description.clone()), "{jti}");
    }
    let longest = "x".repeat(1024);
    assert_eq!(
        send_assertion(&server, HEADER, &claims(&server, &longest)).0,
        200
    );
    assert_eq!(server.jtis(), [longest]);

    // A grant may omit its jti, and must not send an empty one either.
    let exchange = |jti: &str| {
        let claims = claims(&server, jti).replace("client-2", "issuer-2");
        let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
        let assertion = compact_jws(HEADER, &claims);
        let form = format!("grant_type={grant}&assertion={assertion}");
        post(&server.token_endpoint(), FORM, &form)
    };
    server.register(Client::new("issuer-2", Key::secret(SECRET)));
    assert_eq!(exchange(""), (400, description));
    assert_eq!(exchange("jti-2").0, 200);
}

#[test]
fn sandbox_log_line_contains_no_invisible_characters() {
    let (sender, lines) = std::sync::mpsc::channel();
    let log = move |line: &str| drop(sender.send(line.to_owned()));
    let server = Server::listen(SocketAddr::from(([127, 0, 0, 1], 0)), log).unwrap();
    for (path, fault) in [
        (
            "/a\u{202e}b\u{200b}c\u{2028}d\u{9b}31me\u{85}f\u{ad}g",
            None,
        ),
        ("/a\u{2066}b", Some(Fault::Unavailable)),
        ("/a\u{2029}b", Some(Fault::Html)),
    ] {
        if let Some(fault) = fault {
            server.fail_next(1, fault);
        }
        let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        let line = lines.recv().unwrap();
        assert!(line.starts_with("GET /a"), "{line:?}");
        let is_visible = |c: char| c == ' ' || c.is_ascii_graphic();
        assert!(line.chars().all(is_visible), "{line:?}");
    }
}

#[test]
fn server_closes_connections_beyond_its_limit_and_recovers() {
    const MAX_CONNECTIONS: usize = 256;
    let server = server();
    let address = server.url().strip_prefix("http://").unwrap();
    let idle: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut rejected = TcpStream::connect(address).unwrap();
    rejected.set_read_timeout(Some(seconds(10))).unwrap();
    assert!(matches!(rejected.read(&mut [0]), Ok(0)));
    assert!(
        source(client_profile(&server), rsa_key())
            .fetch_uncached()
            .is_err()
    );

    drop(idle);
    let start = Instant::now();
    let source = source(client_profile(&server), rsa_key());
    while source.fetch_uncached().is_err() {
        assert!(start.elapsed() < seconds(10));
    }
}
