//! One replica of a fleet that shares a service account: a hundred replicas make one exchange per token.
//!
//! ```sh
//! REDIS=rediss://jwt-bearer:password@redis.example.com TOKEN_ENDPOINT=https://as.example.com/token \
//!     CLIENT_ID=client-1 KEY=key.pem cargo run --features redis --example fleet
//! ```
//!
//! It asks for a token every second, as a server does for every request, and prints a line when the token changes. Start
//! several, then kill some of them, or Redis: the others continue.

use std::env::var;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use jwt_bearer::{Audience, Endpoint, Profile, RedisStore, RsaKey, TokenSource};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let setting = |name: &str| var(name).map_err(|_| format!("set {name}"));
    let key = RsaKey::from_pem(std::fs::read(setting("KEY")?)?)?;
    let endpoint = Endpoint::token(setting("TOKEN_ENDPOINT")?)?;
    let profile =
        Profile::client_credentials(endpoint, setting("CLIENT_ID")?, Audience::TokenEndpoint);
    // If Redis is down, this is logged at level `warn`, and each replica fetches tokens for itself.
    let source = TokenSource::new(profile, key)?.with_store(RedisStore::new(setting("REDIS")?)?)?;

    let mut last = None;
    loop {
        let token = source.token()?;
        if last.replace(token.expires_at()) != Some(token.expires_at()) {
            let remaining = token.expires_at().duration_since(SystemTime::now());
            let exchanges = source.status().exchanges;
            println!(
                "a token for {:?}; {exchanges} exchanges of this replica",
                remaining.unwrap_or_default()
            );
        }
        sleep(Duration::from_secs(1));
    }
}
