//! What a caller's own types may rely on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::*;

/// All of it can be kept in a struct of the caller's, moved to a thread and shared between threads.
#[test]
fn public_types_are_send_and_sync_and_own_what_they_hold() {
    fn holds<T: Send + Sync + 'static>() {}
    holds::<AccessToken>();
    holds::<Algorithm>();
    holds::<Assertion>();
    holds::<Audience>();
    holds::<Endpoint>();
    holds::<Error>();
    holds::<ErrorKind>();
    holds::<Exchange<'static>>();
    holds::<HmacKey>();
    holds::<Jti>();
    holds::<ManualClock>();
    holds::<Placement>();
    holds::<Profile>();
    holds::<Request>();
    holds::<Response>();
    holds::<RsaKey>();
    holds::<ScopePlacement>();
    holds::<TokenSource>();
}

#[test]
fn what_is_shared_by_cloning_can_be_cloned() {
    fn holds<T: Clone>() {}
    holds::<AccessToken>();
    holds::<Endpoint>();
    holds::<Error>();
    holds::<Profile>();
    holds::<Response>();
}

#[test]
fn an_error_is_an_error_of_one_pointer() {
    fn holds<T: std::error::Error>() {}
    holds::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

/// Each joint takes what a caller has: a value, a shared one, one whose type is known at run time.
#[test]
fn joints_are_object_safe_and_can_be_shared() {
    fn signer<S: Signer>() {}
    signer::<RsaKey>();
    signer::<HmacKey>();
    signer::<Arc<dyn Signer>>();
    signer::<Box<dyn Signer>>();

    fn transport<T: Transport>() {}
    transport::<Arc<dyn Transport>>();
    #[cfg(feature = "ureq")]
    transport::<ureq::Agent>();

    fn store<S: TokenStore>() {}
    store::<Arc<dyn TokenStore>>();

    fn clock<C: Clock>() {}
    clock::<ManualClock>();
    clock::<Arc<dyn Clock>>();
}

/// As an application keeps it: one source for many threads, without a type parameter.
#[test]
fn a_source_is_one_type_whatever_it_is_made_of() {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let answer = |_: &Request, _| Ok(Response::new(200, r#"{"access_token":"t"}"#));
    let transport: Arc<dyn Transport> = Arc::new(answer);
    let key: Box<dyn Signer> = Box::new(HmacKey::new("secret").unwrap());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH));
    let source: TokenSource = TokenSource::with_transport(transport, profile, key).unwrap();
    let source = source.with_clock(clock);
    let tokens = std::thread::scope(|scope| {
        let ask = || source.token().unwrap().secret().to_owned();
        let threads = [scope.spawn(ask), scope.spawn(ask)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(tokens, ["t", "t"]);
}

/// A key that has no name: `kid` is absent, not empty.
#[test]
fn a_signer_of_two_methods_has_no_key_id() {
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

/// RFC 7518 §3.1, and RFC 8037 §3.1 for the last: a key elsewhere may be of any of them.
#[test]
fn alg_is_what_the_registry_calls_the_signers_algorithm() {
    use Algorithm::*;
    struct Elsewhere(Algorithm);
    impl Signer for Elsewhere {
        fn algorithm(&self) -> Algorithm {
            self.0
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
            Ok(vec![0; 64])
        }
    }
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
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
        let signer = Elsewhere(algorithm);
        let exchange = Exchange::new(&profile, &signer, SystemTime::UNIX_EPOCH).unwrap();
        let (header, _) = exchange.assertion().secret().split_once('.').unwrap();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        let wanted = format!(r#"{{"typ":"JWT","alg":"{name}"}}"#);
        assert_eq!(str::from_utf8(&header), Ok(wanted.as_str()));
    }
}

/// Less than what is in them, and enough to tell them apart in a log.
#[test]
fn debug_tells_what_a_value_is() {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let key = HmacKey::new("a secret of at least thirty-two bytes").unwrap();
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
    let transport = |_: &Request, _: Duration| Err(std::io::ErrorKind::Other.into());
    let source = TokenSource::with_transport(transport, profile, key).unwrap();
    let shown = format!("{source:?}");
    assert!(shown.contains("as.example.com"), "{shown}");
}
