//! The server: what its metadata offers, what its clock says, and one exchange.

use std::time::{Instant, SystemTime};

use http::Uri;
use jwt_bearer::{AccessToken, Audience, Endpoint, Error, ErrorKind, Profile, Request};

use super::metadata::{self, Metadata};
use super::network::Network;
use super::report::{Report, Step};
use crate::failure::Requests;
use crate::failure::{Failure, MIN_OFFSET};
use crate::fetch;
use crate::profiles::ProfileAndSigner;

/// Seconds. Servers that tolerate any clock difference tolerate less than this.
const MAX_OFFSET: u64 = 300;

/// Runs the steps to the server, and those on the server. `built` is `None` if nothing can be signed.
///
/// # Errors
/// If standard output is closed.
pub(super) fn check(
    report: &mut Report,
    mut network: Network,
    profile: &Profile,
    built: Option<ProfileAndSigner>,
    corrects_clock: bool,
) -> Result<(), Failure> {
    let requests = match metadata::requests(profile, built.as_ref()) {
        Ok(requests) => requests,
        Err(error) => {
            report.add(Step::fail("metadata", error.into()))?;
            return report.skip(&["clock", "token"], "there is no URL to ask");
        }
    };
    let Some(first) = requests.first() else {
        return report.skip(&["metadata", "clock", "token"], "there is no URL to ask");
    };
    let Some(response) = network.reach(report, first)? else {
        return report.skip(&["metadata", "clock", "token"], "the server is not reached");
    };
    let found = metadata::check(
        report,
        &mut network,
        profile,
        built.as_ref(),
        (&requests, response),
    )?;
    let Metadata::Resolved(resolved) = found else {
        report.add(clock_step(&network, corrects_clock, None))?;
        return report.skip(&["token"], "the token endpoint is not known");
    };
    let token_host = authority(resolved.endpoint().token_url().unwrap_or_default());
    if token_host != authority(first.url()) {
        // The token endpoint is on another server, whose clock is the one that counts.
        network.clock_offset = None;
        let probe = well_known(&token_host)?;
        let is_reached = match probe.first() {
            Some(probe) => network.reach(report, probe)?.is_some(),
            None => true,
        };
        if !is_reached {
            return report.skip(&["clock", "token"], "the token endpoint is not reached");
        }
    }
    let Some(built) = built else {
        report.add(clock_step(&network, corrects_clock, None))?;
        return report.skip(&["token"], "nothing can be signed: see above");
    };
    let begun = Instant::now();
    let outcome = exchange(&mut network, *resolved, built);
    let took = begun.elapsed();
    report.add(clock_step(&network, corrects_clock, Some(outcome.is_ok())))?;
    let step = match outcome {
        Ok(token) => token_step(&token),
        Err(failure) => Step::fail("token", failure),
    };
    report.add(step.took(took)).map(drop)
}

/// Returns scheme, host and port of a URL.
fn authority(url: &str) -> String {
    let uri: Uri = url.parse().unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map(|authority| authority.as_str());
    format!("{scheme}://{}", authority.unwrap_or_default())
}

/// Returns the requests for the metadata of an issuer.
pub(super) fn well_known(issuer: &str) -> Result<Vec<Request>, Error> {
    Profile::new(Endpoint::issuer(issuer)?, Audience::Omit).metadata_requests()
}

fn exchange(
    network: &mut Network,
    profile: Profile,
    built: ProfileAndSigner,
) -> Result<AccessToken, Failure> {
    let requests = Requests::none(&built.common);
    let endpoint = profile.endpoint().token_url().unwrap_or_default();
    let endpoint = endpoint.split('?').next().unwrap_or_default().to_owned();
    let built = ProfileAndSigner { profile, ..built };
    let source = fetch::source(built, network.agent.clone(), network.time_left())?;
    let token = source.token();
    network.clock_offset = network.clock_offset.or(source.status().clock_offset);
    token.map_err(|error| {
        let is_absent = matches!(error.status(), Some(404 | 405 | 410));
        let is_other = error.kind() == ErrorKind::Protocol; // not an OAuth error
        let failure = Failure::from(error).with_requests(requests);
        match is_absent && is_other {
            true => failure.with_hint(format!(
                "no token endpoint is at {endpoint}: compare the URL, path and all, with the server's documents"
            )),
            false => failure,
        }
    })
}

/// Compares the clocks. A token shows that a difference does no harm.
fn clock_step(network: &Network, corrects_clock: bool, has_token: Option<bool>) -> Step {
    let Some(offset) = network.clock_offset else {
        return Step::skip("clock", "the server does not say its time");
    };
    let difference = offset.unsigned_abs();
    let direction = if offset > 0 { "ahead of" } else { "behind" };
    let detail = match difference {
        0 | 1 => "the server's clock agrees with this machine's".to_owned(),
        n => format!("the server's clock is {n} s {direction} this machine's"),
    };
    const HINT: &str = "set the clock that is wrong, by NTP: timedatectl set-ntp true";
    let step = match (difference, has_token) {
        (0..MIN_OFFSET, _) => Step::ok("clock", detail),
        _ if corrects_clock => {
            Step::ok("clock", detail).warn("--correct-clock signs by the server's", HINT)
        }
        (MAX_OFFSET.., None | Some(false)) => {
            Step::fail("clock", Failure::config(detail).with_hint(HINT))
        }
        _ => {
            Step::ok("clock", detail).warn("servers refuse what is not valid by their clock", HINT)
        }
    };
    step.with_fact("offset", offset)
}

fn token_step(token: &AccessToken) -> Step {
    let lifetime = token.expires_at().duration_since(SystemTime::now());
    let lifetime = lifetime.unwrap_or_default().as_secs_f64().round();
    let kind = match token.authorization().starts_with("Bearer ") {
        true => "Bearer".to_owned(),
        false => format!("in the header {}", token.header_name()),
    };
    let scope = token.scope();
    let shown_scope = scope.map(|scope| format!(", scope {scope}"));
    let shown_scope = shown_scope.unwrap_or_default();
    let step = Step::ok("token", format!("{kind}, for {lifetime} s{shown_scope}"))
        .with_fact("type", kind)
        .with_fact("lifetime", lifetime);
    match scope {
        Some(scope) => step.with_fact("scope", scope),
        None => step,
    }
}
