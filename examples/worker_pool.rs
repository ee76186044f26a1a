//! Worker threads that share one token source, against the sandbox.
//!
//! ```sh
//! cargo run --features sandbox --example worker_pool
//! ```

use std::thread;
use std::time::Duration;

use jwt_bearer::sandbox::{Client, Key, Server};
use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, TokenSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    server.register(Client::new("client-1", Key::secret("s3cret")));
    server.set_lifetime(Duration::from_secs(2)); // short, so that tokens are renewed while you watch

    let endpoint = Endpoint::token(server.token_endpoint())?;
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let source = TokenSource::new(profile, HmacKey::new("s3cret")?)?;

    thread::scope(|workers| {
        for _ in 0..8 {
            workers.spawn(|| {
                for _ in 0..30 {
                    // Each worker asks before every request. One of them fetches for all.
                    let token = source.token().expect("the sandbox is up");
                    let _request = token.authorization(); // an API call goes here
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    let status = source.status();
    println!(
        "240 calls, {} exchanges, {} failures",
        status.exchanges, status.failures
    );
    Ok(())
}
