//! One replica of a fleet: a hundred of them behind one service account make one exchange per token's life.
//!
//! ```sh
//! REDIS=rediss://jwt-bearer:password@redis.example.com TOKEN_ENDPOINT=https://as.example.com/token \
//!     CLIENT_ID=client-1 KEY=key.pem cargo run --features redis --example fleet
//! ```
//!
//! It asks for a token every second, as a server does for every request, and says when it has another. Start a few
//! and kill some, or Redis: the others go on.

use std::env::var;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use jwt_bearer::{Audience, Endpoint, Profile, RedisStore, RsaKey, TokenSource};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let set = |name: &str| var(name).map_err(|_| format!("set {name}"));
    let key = RsaKey::from_pem(std::fs::read(set("KEY")?)?)?;
    let endpoint = Endpoint::token(set("TOKEN_ENDPOINT")?)?;
    let profile = Profile::client_credentials(endpoint, set("CLIENT_ID")?, Audience::TokenEndpoint);
    // A Redis that is down is logged at level `warn`, and costs this replica an exchange of its own.
    let source = TokenSource::new(profile, key)?.with_store(RedisStore::new(set("REDIS")?)?)?;

    let mut last = None;
    loop {
        let token = source.token()?;
        if last.replace(token.expires_at()) != Some(token.expires_at()) {
            let left = token.expires_at().duration_since(SystemTime::now());
            let exchanges = source.status().exchanges;
            println!(
                "a token for {:?}; {exchanges} exchanges of this replica",
                left.unwrap_or_default()
            );
        }
        sleep(Duration::from_secs(1));
    }
}
