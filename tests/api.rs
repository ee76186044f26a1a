//! The public API as a caller's own types use it: traits, conversions, thread safety, `Debug`.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::*;

fn profile() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}
fn key() -> HmacKey {
    HmacKey::new("a secret of at least thirty-two bytes").unwrap()
}

/// A caller can keep all of them in a struct, move them to a thread and share them.
#[test]
fn public_types_are_send_sync_and_static() {
    fn implements<T: Send + Sync + 'static>() {}
    implements::<AccessToken>();
    implements::<Algorithm>();
    implements::<Assertion>();
    implements::<Audience>();
    implements::<Endpoint>();
    implements::<Error>();
    implements::<ErrorKind>();
    implements::<Exchange<'static>>();
    implements::<HmacKey>();
    implements::<Jti>();
    implements::<ManualClock>();
    implements::<Placement>();
    implements::<Profile>();
    implements::<Request>();
    implements::<Response>();
    implements::<RsaKey>();
    implements::<ScopePlacement>();
    implements::<TokenSource>();
}

#[test]
fn shared_types_are_clone() {
    fn implements<T: Clone>() {}
    implements::<AccessToken>();
    implements::<Endpoint>();
    implements::<Error>();
    implements::<ManualClock>();
    implements::<Profile>();
    implements::<Response>();
}

#[test]
fn error_implements_error_and_is_one_pointer_wide() {
    fn implements<T: std::error::Error>() {}
    implements::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

/// A caller may pass a value, a shared one, or one whose type is known at run time only.
#[test]
fn traits_are_implemented_for_arcs_and_boxes() {
    fn signer<S: Signer>() {}
    signer::<RsaKey>();
    signer::<HmacKey>();
    signer::<Arc<dyn Signer>>();
    signer::<Box<dyn Signer>>();

    fn transport<T: Transport>() {}
    transport::<Arc<dyn Transport>>();
    transport::<Box<dyn Transport>>();
    #[cfg(feature = "ureq")]
    transport::<ureq::Agent>();

    fn store<S: TokenStore>() {}
    store::<Arc<dyn TokenStore>>();
    store::<Box<dyn TokenStore>>();

    fn clock<C: Clock>() {}
    clock::<ManualClock>();
    clock::<Arc<dyn Clock>>();
}

/// An application keeps one source for many threads, without a type parameter.
#[test]
fn token_source_is_one_type_for_any_parts() {
    let profile = profile();
    let respond = |_: &Request, _| Ok(Response::new(200, r#"{"access_token":"t"}"#));
    let transport: Arc<dyn Transport> = Arc::new(respond);
    let key: Box<dyn Signer> = Box::new(HmacKey::new("secret").unwrap());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH));
    let source: TokenSource = TokenSource::with_transport(transport, profile, key).unwrap();
    let source = source.with_clock(clock);
    let tokens = std::thread::scope(|scope| {
        let token = || source.token().unwrap().secret().to_owned();
        let threads = [scope.spawn(token), scope.spawn(token)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(tokens, ["t", "t"]);
}

/// `kid` is then absent, not empty.
#[test]
fn signer_without_key_id_method_has_no_key_id() {
    struct Bare;
    impl Signer for Bare {
        fn algorithm(&self) -> Algorithm {
            Algorithm::Es256
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
            Ok(vec![0; 64])
        }
    }
    assert_eq!(Bare.key_id(), None);
}

/// The names are those of RFC 7518 §3.1, and of RFC 8037 §3.1 for `EdDSA`.
#[test]
fn alg_header_is_the_registered_name_of_the_algorithm() {
    use Algorithm::*;
    struct RemoteKey(Algorithm);
    impl Signer for RemoteKey {
        fn algorithm(&self) -> Algorithm {
            self.0
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
            Ok(vec![0; 64])
        }
    }
    let profile = profile();
    for (algorithm, name) in [
        (Hs256, "HS256"),
        (Hs384, "HS384"),
        (Hs512, "HS512"),
        (Rs256, "RS256"),
        (Rs384, "RS384"),
        (Rs512, "RS512"),
        (Es256, "ES256"),
        (Es384, "ES384"),
        (Es512, "ES512"),
        (Ps256, "PS256"),
        (Ps384, "PS384"),
        (Ps512, "PS512"),
        (EdDsa, "EdDSA"),
    ] {
        let signer = RemoteKey(algorithm);
        let exchange = Exchange::new(&profile, &signer, SystemTime::UNIX_EPOCH).unwrap();
        let (header, _) = exchange.assertion().secret().split_once('.').unwrap();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        let wanted = format!(r#"{{"typ":"JWT","alg":"{name}"}}"#);
        assert_eq!(std::str::from_utf8(&header), Ok(wanted.as_str()));
    }
}

/// Enough to recognize the value in a log, and nothing secret.
#[test]
fn debug_identifies_a_value_without_its_secrets() {
    let profile = profile();
    let key = key();
    let exchange = Exchange::new(&profile, &key, SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(format!("{:?}", exchange.assertion()), "Assertion(..)");
    assert_eq!(
        format!("{:?}", exchange.request()),
        r#"Request { method: "POST", host: "as.example.com", .. }"#
    );
    let shown = format!("{exchange:?}");
    assert!(
        shown.starts_with("Exchange { request: Request {"),
        "{shown}"
    );
    let response = Response::new(200, r#"{"access_token":"t"}"#);
    assert_eq!(
        format!("{response:?}"),
        "Response { status: 200, bytes: 20, .. }"
    );
    let token = format!("{:?}", exchange.read(response).unwrap());
    assert!(token.starts_with("AccessToken { expires_at: "), "{token}");
    let shown = format!("{profile:?}");
    assert!(shown.contains("as.example.com"), "{shown}");
    let transport = |_: &Request, _: Duration| Err(io::ErrorKind::Other.into());
    let source = TokenSource::with_transport(transport, profile, key).unwrap();
    let shown = format!("{source:?}");
    assert!(shown.contains("as.example.com"), "{shown}");
}

/// A client of the caller's choice sends the request after one conversion.
#[test]
fn request_converts_to_a_request_of_the_http_crate() {
    let profile = profile();
    let key = key();
    let exchange = Exchange::new(&profile, &key, SystemTime::UNIX_EPOCH).unwrap();
    let converted = http::Request::<Vec<u8>>::from(exchange.request());
    assert_eq!(converted.method(), "POST");
    assert_eq!(converted.uri(), "https://as.example.com/token");
    let headers: Vec<_> = converted
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let agent = concat!("jwt-bearer/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        headers,
        [
            ("accept", "application/json"),
            ("user-agent", agent),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
    );
    assert_eq!(converted.body(), exchange.request().body());
    let body = std::str::from_utf8(converted.body()).unwrap();
    assert!(body.contains(exchange.assertion().secret()));
}

#[test]
fn metadata_request_converts_to_a_get_without_content_type() {
    let endpoint = Endpoint::metadata("https://as.example.com/metadata?tenant=7").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let requests = profile.metadata_requests().unwrap();
    let converted = http::Request::<Vec<u8>>::from(&requests[0]);
    assert_eq!(converted.method(), "GET");
    assert_eq!(converted.uri(), "https://as.example.com/metadata?tenant=7");
    assert_eq!(converted.headers().get("content-type"), None);
    assert_eq!(converted.body(), b"");
}

#[test]
fn response_converts_from_a_response_of_the_http_crate() {
    let latin_1 = http::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let response = http::Response::builder()
        .status(429)
        .header("Retry-After", "7")
        .header("Via", "1.1 a")
        .header("Via", "1.1 b")
        .header("Warning", latin_1)
        .body(b"{\"error\":\"slow_down\"}".to_vec())
        .unwrap();
    let converted = Response::from(response);
    assert_eq!(converted.status(), 429);
    let headers: Vec<_> = converted.headers().collect();
    assert_eq!(
        headers,
        [
            ("retry-after", "7"),
            ("via", "1.1 a"),
            ("via", "1.1 b"),
            ("warning", "caf\u{fffd}"), // a header that is not UTF-8 costs that character only
        ]
    );
    assert_eq!(converted.body(), b"{\"error\":\"slow_down\"}");
}

#[test]
fn response_converts_to_a_response_of_the_http_crate() {
    let response = Response::new(401, "no")
        .with_header("WWW-Authenticate", "Bearer")
        .with_header("WWW-Authenticate", "Basic");
    let converted = http::Response::<Vec<u8>>::try_from(&response).unwrap();
    assert_eq!(converted.status(), 401);
    let values: Vec<_> = converted
        .headers()
        .get_all("www-authenticate")
        .iter()
        .collect();
    assert_eq!(values, ["Bearer", "Basic"]);
    assert_eq!(converted.body(), b"no");
}

/// A transport may have made a response that the `http` crate does not allow.
#[test]
fn response_outside_the_rules_of_the_http_crate_does_not_convert() {
    for response in [
        Response::new(99, ""),
        Response::new(1000, ""),
        Response::new(200, "").with_header("a b", "c"),
        Response::new(200, "").with_header("a", "b\nc"),
    ] {
        http::Response::<Vec<u8>>::try_from(&response).unwrap_err();
    }
}

#[test]
fn header_value_is_sensitive_and_equals_authorization() {
    let profile = profile();
    let key = key();
    let exchange = Exchange::new(&profile, &key, SystemTime::UNIX_EPOCH).unwrap();
    let all: String = ('!'..='~').filter(|c| !['"', '\\'].contains(c)).collect();
    let response = Response::new(200, format!(r#"{{"access_token":"{all}"}}"#));
    let token = exchange.read(response).unwrap();
    let value = token.header_value();
    assert_eq!(token.authorization(), format!("Bearer {all}"));
    assert_eq!(value, token.authorization());
    assert!(value.is_sensitive());
    assert_eq!(format!("{value:?}"), "Sensitive");
}

#[test]
fn is_timeout_is_true_for_a_request_that_timed_out_only() {
    let failed = |kind: io::ErrorKind| {
        let transport =
            move |_: &Request, _: Duration| -> io::Result<Response> { Err(kind.into()) };
        let source = TokenSource::with_transport(transport, profile(), key()).unwrap();
        let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
        source.with_clock(clock).token().unwrap_err()
    };
    let error = failed(io::ErrorKind::TimedOut);
    assert_eq!(
        (error.kind(), error.is_timeout()),
        (ErrorKind::Network, true)
    );
    let error = failed(io::ErrorKind::ConnectionReset);
    assert_eq!(
        (error.kind(), error.is_timeout()),
        (ErrorKind::Network, false)
    );
    let profile = profile();
    let key = key();
    let exchange = Exchange::new(&profile, &key, SystemTime::UNIX_EPOCH).unwrap();
    let denied = exchange.read(Response::new(408, "")).unwrap_err();
    assert!(!denied.is_timeout());
}

#[test]
fn is_timeout_is_true_for_a_caller_that_waited_too_long_for_another() {
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let transport = move |_: &Request, _: Duration| {
        started.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        Ok(Response::new(200, r#"{"access_token":"t"}"#))
    };
    let source = TokenSource::with_transport(transport, profile(), key()).unwrap();
    let source = source.with_timeout(Duration::from_millis(100));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| source.token());
        starts.recv().unwrap();
        let error = source.token().unwrap_err();
        release.send(()).unwrap();
        assert_eq!(
            (error.kind(), error.is_timeout()),
            (ErrorKind::Timeout, true)
        );
        drop(first.join().unwrap());
    });
}

#[test]
fn boxed_transport_and_boxed_store_do_what_the_value_does() {
    struct EmptyStore(mpsc::Sender<&'static str>);
    impl TokenStore for EmptyStore {
        fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
            self.0.send("load")?;
            Ok(None)
        }
        fn save(&self, _: &str, _: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
            Ok(self.0.send("save")?)
        }
        fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
            Ok(self.0.send("remove")?)
        }
        fn try_lock(&self, _: &str, _: Duration) -> Result<Option<StoreLock>, BoxError> {
            self.0.send("try_lock")?;
            Ok(Some(Box::new(())))
        }
    }
    let (calls, called) = mpsc::channel();
    let transport: Box<dyn Transport> =
        Box::new(|_: &Request, _: Duration| Ok(Response::new(200, r#"{"access_token":"t"}"#)));
    let store: Box<dyn TokenStore> = Box::new(EmptyStore(calls));
    let source = TokenSource::with_transport(transport, profile(), key()).unwrap();
    let source = source.with_store(store).unwrap();
    assert_eq!(source.token().unwrap().secret(), "t");
    let called: Vec<_> = called.try_iter().collect();
    // The default of `try_lock` locks nothing, so the box has to call its store's own.
    for method in ["load", "try_lock", "save"] {
        assert!(called.contains(&method), "{method}: {called:?}");
    }
}

#[test]
fn algorithm_displays_its_registered_name() {
    assert_eq!(Algorithm::Rs256.to_string(), "RS256");
    assert_eq!(Algorithm::EdDsa.to_string(), "EdDSA");
    assert_eq!(format!("{:>6}", Algorithm::Hs512), " HS512");
}

#[test]
fn manual_clock_clones_share_their_time() {
    let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
    let clone = clock.clone();
    let before = clone.monotonic();
    clock.advance(Duration::from_secs(5));
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    assert_eq!(clone.now(), later);
    assert_eq!(clone.monotonic() - before, Duration::from_secs(5));
    clone.set(SystemTime::UNIX_EPOCH);
    assert_eq!(clock.now(), SystemTime::UNIX_EPOCH);
}
