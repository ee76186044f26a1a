//! What a caller's own types may rely on.

use std::sync::Arc;

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
    holds::<Hs256>();
    holds::<Jti>();
    holds::<ManualClock>();
    holds::<Placement>();
    holds::<Profile>();
    holds::<Request>();
    holds::<Response>();
    holds::<Rs256>();
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
    signer::<Rs256>();
    signer::<Hs256>();
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
    let endpoint = Endpoint::token("https://as.example.com/token");
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let answer = |_: &Request, _| Ok(Response::new(200, r#"{"access_token":"t"}"#));
    let transport: Arc<dyn Transport> = Arc::new(answer);
    let key: Box<dyn Signer> = Box::new(Hs256::new("secret").unwrap());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(std::time::SystemTime::UNIX_EPOCH));
    let source: TokenSource = TokenSource::over(transport, profile, key).unwrap();
    let source = source.with_clock(clock);
    let tokens = std::thread::scope(|scope| {
        let ask = || source.token().unwrap().secret().to_owned();
        let threads = [scope.spawn(ask), scope.spawn(ask)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(tokens, ["t", "t"]);
}
