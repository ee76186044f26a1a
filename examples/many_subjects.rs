//! Many users with one key: a token source for each in a map, with key and agent shared through `Arc`.
//!
//! ```sh
//! cargo run --release --example many_subjects
//! ```
//!
//! Prints how much memory an idle source takes and how long it takes to find one. Nothing is sent.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use jwt_bearer::{Error, HmacKey, Profile, Signer, TokenSource};
use ureq::Agent;

/// Sources by user name. Look-ups share a read lock, which is released before any fetch.
struct Users {
    agent: Agent,
    key: Arc<dyn Signer>,
    sources: RwLock<HashMap<String, Arc<TokenSource>>>,
}

impl Users {
    fn source(&self, user: &str) -> Result<Arc<TokenSource>, Error> {
        if let Some(source) = self.sources.read().unwrap().get(user) {
            return Ok(source.clone());
        }
        let profile = Profile::salesforce("https://login.salesforce.com", "consumer-key", user)?;
        let source = TokenSource::with_transport(self.agent.clone(), profile, self.key.clone())?;
        let mut sources = self.sources.write().unwrap();
        let source = sources.entry(user.to_owned()).or_insert(Arc::new(source));
        Ok(source.clone())
    }
}

/// Returns the resident memory of this process in bytes, on Linux.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn main() -> Result<(), Error> {
    for count in [10, 1_000, 100_000] {
        let users = Users {
            agent: Agent::new_with_defaults(),
            key: Arc::new(HmacKey::new("any key, since nothing is sent")?),
            sources: RwLock::default(),
        };
        let names: Vec<_> = (0..count).map(|n| format!("user{n}@example.com")).collect();
        let before = resident();
        for name in &names {
            users.source(name)?;
        }
        let grown = resident()
            .zip(before)
            .map(|(now, then)| now.saturating_sub(then) / count);
        let start = Instant::now();
        for name in names.iter().cycle().take(1_000_000) {
            black_box(users.source(name)?);
        }
        let each = start.elapsed() / 1_000_000;
        println!("{count:>7} sources: {grown:?} bytes each, found in {each:?}");
    }
    Ok(())
}
