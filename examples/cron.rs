//! A job that a timer starts every minute: one request to an API, and an exit status that says whether to try again.
//! The token is kept in a file for the next run, so there is one exchange per token and not one per run.
//!
//! ```sh
//! CREDENTIALS=credentials.json URL=https://api.example.com/report STATE_DIRECTORY=/var/lib/report/tokens \
//!     cargo run --features file-store --example cron
//! ```
//!
//! If the API responds with 401, `call` repeats the request with a new token, once.

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
    // The timer starts the job again after a minute, so retries and pauses must end within it.
    let source = TokenSource::new(profile, key)?
        .with_timeout(Duration::from_secs(60))
        .with_store(store)?;
    let agent = Agent::new_with_defaults();
    let mut response = source.call(
        |token| {
            let request = agent
                .get(&url)
                .header("Authorization", token.authorization());
            request.call()
        },
        |response| matches!(response, Err(ureq::Error::StatusCode(401))),
    )??;
    Ok(response.body_mut().read_to_string()?)
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
            // EX_TEMPFAIL of sysexits.h: the timer may try again.
            match error.is_some_and(jwt_bearer::Error::is_retryable) {
                true => ExitCode::from(75),
                false => ExitCode::FAILURE,
            }
        }
    }
}
