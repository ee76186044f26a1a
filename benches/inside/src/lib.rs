//! What the measurements share: a profile, a key that costs nothing, a server that answers at once.

use std::io;
use std::sync::{Arc, Barrier, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jwt_bearer::{
    Algorithm, Audience, BoxError, Endpoint, Exchange, Profile, Request, Response, Signer,
    TokenSource,
};

pub const PEM: &str = include_str!("../../../fuzz/seeds/pem/pkcs8.pem");

/// What RFC 6749 §5.1 prints, with a token of usual length.
const TOKEN: &str = concat!(
    r#"{"access_token":"00D5g000004Zzzz!AQEAQBb5d8zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz","#,
    r#""token_type":"Bearer","expires_in":3600,"scope":"read write"}"#
);

/// Signs nothing, in the length of RSA with 2048 bits.
pub struct Free;

impl Signer for Free {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Rs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(vec![7; 256])
    }
}

/// Seven claims and header members of a common server.
pub fn profile() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}

/// A fixed time, so that every run does the same.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub fn response() -> Response {
    Response::new(200, TOKEN).with_header("Date", "Fri, 15 Jan 2027 08:00:00 GMT")
}

pub fn exchange(profile: &Profile) -> Exchange<'_> {
    Exchange::new(profile, &Free, now()).expect("the profile is whole")
}

/// A source that holds a fresh token.
pub fn fresh_source() -> TokenSource {
    let answer = |_: &Request, _: Duration| -> io::Result<Response> { Ok(response()) };
    let source = TokenSource::with_transport(answer, profile(), Free).expect("the profile is whole");
    source.token().expect("the answer has a token");
    source
}

/// What a fresh token cannot cost less than: a shared lock, a counted reference, both clocks.
#[derive(Default)]
pub struct Yardstick(RwLock<Arc<String>>);

impl Yardstick {
    pub fn ask(&self) -> (Arc<String>, SystemTime, Instant) {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        let held = self.0.read().expect("nobody panics");
        (held.clone(), wall, monotonic)
    }
}

/// How long `threads` take that each run `ask` so many times.
pub fn together(threads: usize, times: u32, ask: impl Fn() + Sync) -> Duration {
    let start = Barrier::new(threads + 1);
    let begun = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                (0..times).for_each(|_| ask());
            });
        }
        start.wait();
        Instant::now()
    });
    begun.elapsed()
}
