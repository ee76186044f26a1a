//! A job that a timer starts every minute: one call, an exit status that tells the timer what to do, and one
//! exchange per token's life, since the token waits in a file for the next run.
//!
//! ```sh
//! CREDENTIALS=credentials.json URL=https://api.example.com/report STATE_DIRECTORY=/var/lib/report/tokens \
//!     cargo run --features file-store --example cron
//! ```
//!
//! `call` asks once more with another token where the API says 401, and no more than once.

use std::env::var;
use std::process::ExitCode;
use std::time::Duration;

use jwt_bearer::{FileStore, TokenSource, marketing_cloud_intelligence};
use ureq::Agent;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn report() -> Result<String> {
    let file = std::fs::read(var("CREDENTIALS").map_err(|_| "set CREDENTIALS")?)?;
    let url = var("URL").map_err(|_| "set URL")?;
    let (profile, key) = marketing_cloud_intelligence::credentials(file)?;
    let store = FileStore::new(var("STATE_DIRECTORY").map_err(|_| "set STATE_DIRECTORY")?)?;
    // A job has a minute, not a day: retries and pauses are within that.
    let source = TokenSource::new(profile, key)?
        .with_timeout(Duration::from_secs(60))
        .with_store(store)?;
    let agent = Agent::new_with_defaults();
    let mut answer = source.call(
        |token| {
            let request = agent
                .get(&url)
                .header("Authorization", token.authorization());
            request.call()
        },
        |answer| matches!(answer, Err(ureq::Error::StatusCode(401))),
    )??;
    Ok(answer.body_mut().read_to_string()?)
}

fn main() -> ExitCode {
    match report() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            let error = error.downcast_ref::<jwt_bearer::Error>();
            // 75 is EX_TEMPFAIL of sysexits.h: the timer may try again.
            match error.is_some_and(jwt_bearer::Error::is_retryable) {
                true => ExitCode::from(75),
                false => ExitCode::FAILURE,
            }
        }
    }
}
