//! From a chosen provider to its token, for every command that needs one.

use jwt_bearer::{AccessToken, TokenSource};

use crate::agent::ProxyingAgent;
use crate::args::CacheOptions;
use crate::cache;
use crate::output::{Failure, print_trace};
use crate::profiles::{self, ProfileAndSigner};
use crate::progress::Progress;
use crate::providers::Chosen;
use crate::trace;

/// Returns the token that the cache has, or fetches one.
///
/// # Errors
/// Where there is no token; with what is known of the requests.
pub(crate) fn token(chosen: Chosen, cache: &CacheOptions) -> Result<AccessToken, Failure> {
    let ProfileAndSigner {
        profile,
        signer,
        secrets,
        common,
        ..
    } = profiles::build(chosen)?;
    let agent = ProxyingAgent::new(&common, &profile, &*signer)?;
    let progress = Progress::new(agent, common.verbose);
    let shows_token = common.verbose && profile.is_self_signed();
    let source = match common.verbose {
        true => {
            let placement = profile.assertion_placement().clone();
            let transport = progress.clone();
            let traced = trace::traced(transport, placement, secrets.clone(), print_trace);
            TokenSource::with_transport(traced, profile, signer)
        }
        false => TokenSource::with_transport(progress.clone(), profile, signer),
    };
    let source = source?.with_timeout(common.timeout());
    let source = source.with_clock(progress.clone());
    let source = match common.correct_clock {
        true => source.with_clock_correction(),
        false => source,
    };
    let source = cache::with_cache(source, cache, common.verbose.then_some(secrets))?;
    let token = cache::token(&source, cache);
    let token = token.map_err(|failure| failure.with_requests(progress.requests()))?;
    if shows_token {
        trace::decode(token.secret()).for_each(print_trace);
    }
    Ok(token)
}
