//! From a chosen provider to its token, for every command that needs one.

use std::time::Duration;

use jwt_bearer::{AccessToken, TokenSource, Transport};

use crate::agent::ProxyingAgent;
use crate::cache;
use crate::chosen::Chosen;
use crate::failure::Failure;
use crate::messages::print_trace;
use crate::options::CacheOptions;
use crate::profiles::{self, ProfileAndSigner};
use crate::progress::Progress;
use crate::trace;

/// Returns the token that the cache has, or fetches one.
///
/// # Errors
/// If there is no token; the failure has what is known about the requests.
pub(crate) fn token(chosen: Chosen, cache: &CacheOptions) -> Result<AccessToken, Failure> {
    let built = profiles::build(chosen)?;
    let (common, secrets) = (built.common.clone(), built.secrets.clone());
    let agent = ProxyingAgent::new(&common, &built.profile)?;
    let progress = Progress::new(agent, &common);
    let shows_token = common.verbose && built.profile.is_self_signed();
    let source = source(built, progress.clone(), common.timeout())?;
    let source = source.with_clock(progress.clone());
    let source = cache::with_cache(source, cache, common.verbose.then_some(secrets))?;
    let token = cache::token(&source, cache);
    let token = token.map_err(|failure| failure.with_requests(progress.requests()))?;
    if shows_token {
        trace::decode(token.secret()).for_each(print_trace);
    }
    Ok(token)
}

/// Makes a source as the options ask for it: with the requests on standard error, and by the server's clock.
///
/// # Errors
/// If the profile cannot work with the key.
pub(crate) fn source(
    built: ProfileAndSigner,
    transport: impl Transport + 'static,
    timeout: Duration,
) -> Result<TokenSource, Failure> {
    let ProfileAndSigner {
        profile,
        signer,
        secrets,
        common,
        ..
    } = built;
    let source = match common.verbose {
        true => {
            let placement = profile.assertion_placement().clone();
            let traced = trace::traced(transport, placement, secrets, print_trace);
            TokenSource::with_transport(traced, profile, signer)
        }
        false => TokenSource::with_transport(transport, profile, signer),
    };
    let source = source?.with_timeout(timeout);
    Ok(match common.correct_clock {
        true => source.with_clock_correction(),
        false => source,
    })
}
