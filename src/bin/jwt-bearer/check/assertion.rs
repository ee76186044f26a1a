//! Header and claims as they would be signed, and the limits in the server's documents.

use std::time::{SystemTime, UNIX_EPOCH};

use jwt_bearer::{Audience, Error, ErrorKind, Profile};
use serde_json::Value;

use super::report::{Report, Step};
use crate::failure::Failure;
use crate::profiles::ProfileAndSigner;
use crate::trace;

/// What is shown in place of an audience that a metadata document names.
const DISCOVERED: &str = "(discovered)";
const NOTHING_SIGNS: &str = "nothing can sign it: see above";

/// Checks what would be signed. Returns whether an assertion can be signed.
///
/// # Errors
/// If standard output is closed.
pub(super) fn check(
    report: &mut Report,
    built: Option<&ProfileAndSigner>,
    profile: Option<&Result<Profile, Failure>>,
) -> Result<bool, Failure> {
    let step = match (built, profile) {
        (Some(built), _) => match signed(built) {
            Ok(step) => step,
            Err(error) => Step::fail("assertion", error.into()),
        },
        (None, Some(Ok(profile))) => match profile.metadata_requests() {
            Ok(_) => Step::skip("assertion", NOTHING_SIGNS),
            Err(error) => Step::fail("assertion", error.into()),
        },
        (None, None) => Step::skip("assertion", NOTHING_SIGNS),
        (None, Some(Err(failure))) => Step::fail("assertion", failure.clone()),
    };
    let has_failed = report.add(step)?;
    Ok(built.is_some() && !has_failed)
}

fn signed(built: &ProfileAndSigner) -> Result<Step, Error> {
    let (profile, signer) = (&built.profile, &*built.signer);
    let discovers = !profile.metadata_requests()?.is_empty();
    let now = SystemTime::now();
    let assertion = profile.assertion(signer, now);
    let (assertion, is_complete) = match assertion {
        Err(error) if discovers && error.kind() == ErrorKind::Config => {
            let audience = Audience::Fixed(DISCOVERED.to_owned());
            let assertion = profile
                .clone()
                .with_audience(audience)
                .assertion(signer, now);
            match assertion {
                // Some servers' limits concern the audience.
                Err(error) if error.kind() == ErrorKind::Config => {
                    let detail = "header and claims are known when the metadata is";
                    return Ok(Step::ok("assertion", detail));
                }
                assertion => (assertion?, false),
            }
        }
        assertion => (assertion?, true),
    };
    let length = assertion.secret().len();
    let mut step = Step::ok("assertion", "").with_fact("bytes", length);
    let mut exp = None;
    for (label, text) in trace::decode(assertion.secret()) {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        exp = exp.or_else(|| value.get("exp").and_then(Value::as_u64));
        step = step.with_fact(label, value).with_line(label, text);
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let lifetime = exp.map(|exp| exp.saturating_sub(now));
    let exp = lifetime.map(|lifetime| format!(", exp in {lifetime} s"));
    let audience = match is_complete {
        true => "",
        false => ", aud is known when the metadata is",
    };
    let detail = format!(
        "within the limits that are known here: {length} bytes{}{audience}",
        exp.unwrap_or_default()
    );
    Ok(step.with_detail(detail))
}
