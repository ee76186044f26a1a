//! Shared by the measurements: a profile, a signer that does no work, and a response.

use std::io;
use std::sync::{Arc, Barrier, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{
    Algorithm, Audience, BoxError, Endpoint, Exchange, Profile, Request, Response, Signer,
    TokenSource,
};

pub const PEM: &str = include_str!("../../../fuzz/seeds/pem/pkcs8.pem");

/// The response of RFC 6749 §5.1 with a token of usual length.
const TOKEN: &str = concat!(
    r#"{"access_token":"00D5g000004Zzzz!AQEAQBb5d8zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz","#,
    r#""token_type":"Bearer","expires_in":3600,"scope":"read write"}"#
);

/// Returns a constant as long as a signature of a 2048-bit RSA key, so that signing is not measured.
pub struct FreeSigner;

impl Signer for FreeSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Rs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(vec![7; 256])
    }
}

/// A profile with the claims and header members that most servers want.
pub fn profile() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}

/// A fixed time, so that every run does the same work.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub fn response() -> Response {
    Response::new(200, TOKEN).with_header("Date", "Fri, 15 Jan 2027 08:00:00 GMT")
}

pub fn exchange(profile: &Profile) -> Exchange<'_> {
    Exchange::new(profile, &FreeSigner, now()).expect("the profile is valid")
}

/// A source with a fresh token in its cache.
pub fn fresh_source() -> TokenSource {
    let respond = |_: &Request, _: Duration| -> io::Result<Response> { Ok(response()) };
    let source =
        TokenSource::with_transport(respond, profile(), FreeSigner).expect("the profile is valid");
    source.token().expect("the response has a token");
    source
}

/// The least that a fresh token can cost: a read lock, a clone of an `Arc`, and a look at both clocks.
#[derive(Default)]
pub struct Yardstick(RwLock<Arc<String>>);

impl Yardstick {
    pub fn get(&self) -> (Arc<String>, SystemTime, Instant) {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        let value = self.0.read().expect("no thread panics");
        (value.clone(), wall, monotonic)
    }
}

/// Returns how long `threads` threads take to call `run` `times` times each.
pub fn time_threads(threads: usize, times: u32, run: impl Fn() + Sync) -> Duration {
    let start = Barrier::new(threads + 1);
    let begun = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                (0..times).for_each(|_| run());
            });
        }
        start.wait();
        Instant::now()
    });
    begun.elapsed()
}
