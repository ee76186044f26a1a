//! Signs an assertion, exchanges it without I/O, and gets tokens from a source over its own transport.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use jwt_bearer::{Audience, Endpoint, Exchange, Profile, Request, Response, RsaKey, TokenSource};

/// A key that is published for a demonstration.
const KEY: &str = include_str!("../../../src/bin/jwt-bearer/demo.pem");
const TOKEN: &str = r#"{"access_token":"t0ken","token_type":"Bearer","expires_in":300}"#;

fn answer(request: &Request) -> io::Result<Response> {
    let body = String::from_utf8_lossy(request.body());
    let is_signed = body.contains("client_assertion=eyJ") && body.matches('.').count() >= 2;
    match request.url() == "https://as.example.com/token" && is_signed {
        true => Ok(Response::new(200, TOKEN).with_header("Content-Type", "application/json")),
        false => Err(io::Error::other("another request was expected")),
    }
}

fn profile() -> Result<Profile, jwt_bearer::Error> {
    let endpoint = Endpoint::token("https://as.example.com/token")?;
    Ok(Profile::client_credentials(
        endpoint,
        "client-1",
        Audience::TokenEndpoint,
    ))
}

fn main() -> Result<(), Box<dyn Error>> {
    let key = RsaKey::from_pem(KEY)?;
    let assertion = profile()?.assertion(&key, SystemTime::now())?;
    println!(
        "assertion of {} parts",
        assertion.secret().split('.').count()
    );

    let profile_of_exchange = profile()?;
    let exchange = Exchange::new(&profile_of_exchange, &key, SystemTime::now())?;
    let response = answer(exchange.request())?;
    println!("exchange: {}", exchange.read(response)?.secret());

    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    let transport = |request: &Request, _: Duration| {
        REQUESTS.fetch_add(1, Relaxed);
        answer(request)
    };
    let source = TokenSource::with_transport(transport, profile()?, key)?;
    let tokens = [source.token()?, source.token()?];
    println!(
        "source: {} and {} by {} request",
        tokens[0].secret(),
        tokens[1].secret(),
        REQUESTS.load(Relaxed)
    );
    Ok(())
}
