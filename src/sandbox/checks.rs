//! The checks of one request. Each check is a column of the table.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::connection::HttpRequest;
use super::grant::{Audiences, ClaimRule, Grant, HeaderRule, Issue, Jti, Numbers, Times};
use super::parameters::{Parameters, value};
use super::refusal::Refusal;
use super::state::{Client, Secret, State};
use super::target::Target;
use super::verify::{Claims, UnverifiedJwt};

/// Checks the whole request and issues a token. Returns the token response and the names of what was checked.
///
/// A production server has good reason to check in the same order: the signature before the claims, `jti` last.
///
/// # Errors
/// The first check that fails.
pub(super) fn exchange(
    state: &mut State,
    grant: &Grant,
    target: &Target<'_>,
    request: &HttpRequest,
) -> Result<(Value, Vec<&'static str>), Refusal> {
    let (now, clock) = (state.now(), SystemTime::now());
    let parameters = read_parameters(grant, request)?;
    let assertion =
        value(&parameters, grant.assertion).ok_or(Refusal::Parameter(grant.assertion))?;
    if assertion.len() > grant.max_assertion {
        return Err(Refusal::TooLarge);
    }
    let unverified = UnverifiedJwt::parse(assertion)?;
    let id = unverified.claims.client(grant.client_claim)?;
    let client = state.clients.iter().find(|client| client.id == id);
    let client = client.cloned().ok_or(Refusal::Client)?;
    if grant.has_secret {
        let secret = sent_secret(request, &parameters).ok_or(Refusal::Secret)?;
        (Some(secret) == client.secret)
            .then_some(())
            .ok_or(Refusal::Secret)?;
    }
    check_header(grant, &unverified, &client)?;
    let claims = unverified.verify(&client.key)?;
    let mut checked = vec!["alg", "signature", grant.client_claim];
    let named = value(&parameters, "client_id").filter(|_| grant.checks_client_id);
    if named.is_some_and(|named| named != client.id) {
        return Err(Refusal::Parameter("client_id"));
    }
    let jti = match grant.jti {
        Jti::Ignored => None,
        Jti::SingleUse | Jti::Spent => claims.jti()?,
    };
    let exp = seconds(&claims, "exp", grant.times.numbers)?;
    let mut record_jti = || {
        let is_new = jti.is_none_or(|jti| state.record_jti(&client.id, jti, exp, clock));
        is_new.then_some(()).ok_or(Refusal::Replay)
    };
    if grant.jti == Jti::Spent {
        record_jti()?;
    }
    check_claims(grant, target, &client, &claims)?;
    check_times(&claims, now, &grant.times)?;
    let scope = (grant.requested_scope)(&parameters, &claims)?;
    check_scope(scope.as_deref(), &client, &claims)?;
    if let Some(code) = client.denial {
        return Err(Refusal::Denied(code));
    }
    // Last, so that a client may correct a refused assertion and send it again with its jti.
    if grant.jti == Jti::SingleUse {
        record_jti()?;
    }
    (state.accepted_assertions).insert(grant.base, assertion.to_owned());
    for name in ["sub", "aud", "exp", "iat", "jti", "tid"] {
        checked.extend((name != grant.client_claim && claims.get(name).is_some()).then_some(name));
    }
    let issue = Issue {
        state,
        target,
        client: &client,
        parameters: &parameters,
        claims: &claims,
        scope: scope.as_deref(),
    };
    let token = (grant.token)(&issue);
    let token_response = (grant.token_response)(&issue, &token);
    let lifetime = state.token_lifetime;
    let tokens = &mut state.issued_tokens;
    tokens.record(&token, &client.id, clock, lifetime);
    Ok((token_response, checked))
}

/// Checks the request without its assertion, and returns its parameters.
fn read_parameters(grant: &Grant, request: &HttpRequest) -> Result<Parameters, Refusal> {
    for (name, accepted) in grant.request_headers {
        let is_right = accepted.accepts(request.header(name));
        is_right.then_some(()).ok_or(Refusal::RequestHeader(name))?;
    }
    let parameters = (grant.read_parameters)(request)?;
    for (name, accepted) in grant.parameters {
        let is_right = value(&parameters, name).is_some_and(|sent| accepted.accepts(sent));
        is_right.then_some(()).ok_or(Refusal::Parameter(name))?;
    }
    Ok(parameters)
}

/// Returns the secret in the parameter, or otherwise in `Authorization: Basic` (RFC 6749 §2.3.1).
fn sent_secret(request: &HttpRequest, parameters: &Parameters) -> Option<Secret> {
    if let Some(secret) = value(parameters, "client_secret") {
        return Some(Secret(secret.to_owned()));
    }
    let (scheme, credentials) = request.header("Authorization").split_once(' ')?;
    let decoded = STANDARD.decode(credentials).ok()?;
    let (_, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case("Basic");
    is_basic.then(|| Secret(secret.to_owned()))
}

fn check_header(grant: &Grant, jwt: &UnverifiedJwt<'_>, client: &Client) -> Result<(), Refusal> {
    let algorithm = client.key.algorithm();
    if !grant.algorithms.is_empty() && !grant.algorithms.contains(&algorithm) {
        return Err(Refusal::UnacceptedAlgorithm);
    }
    let text = |name| jwt.header(name).and_then(Value::as_str);
    let is_present = |name: &&str| match jwt.header(name) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(chain)) => !chain.is_empty(),
        _ => false,
    };
    for rule in grant.header {
        match rule {
            HeaderRule::OneOf(names) if !names.iter().any(is_present) => {
                let first = names.first().copied().unwrap_or_default();
                return Err(Refusal::MissingHeader(first));
            }
            HeaderRule::OneOf(_) => {}
            HeaderRule::Thumbprint => {
                let sent = text("x5t#S256").or(text("x5t"));
                // Microsoft's library for Python pads it.
                let sent = sent.unwrap_or_default().trim_end_matches('=');
                if !client
                    .thumbprints
                    .iter()
                    .any(|registered| registered == sent)
                {
                    return Err(Refusal::Thumbprint);
                }
            }
        }
    }
    Ok(())
}

fn check_claims(
    grant: &Grant,
    target: &Target<'_>,
    client: &Client,
    claims: &Claims,
) -> Result<(), Refusal> {
    let is_missing = |name: &&&str| claims.get(name).is_none();
    if let Some(missing) = grant.required_claims.iter().find(is_missing) {
        return Err(Refusal::Claim(missing));
    }
    for (name, rule) in grant.claims {
        check_claim(claims, name, rule, client)?;
    }
    if !(client.tenant.iter()).all(|tenant| target.is_of_tenant(tenant)) {
        return Err(Refusal::Tenant);
    }
    check_audience(grant, target, client, claims)
}

/// Checks a claim, if present.
fn check_claim(
    claims: &Claims,
    name: &'static str,
    rule: &ClaimRule,
    client: &Client,
) -> Result<(), Refusal> {
    if claims.get(name).is_none() {
        return Ok(());
    }
    let text = claims.text(name)?;
    let is_right = match rule {
        ClaimRule::Text(accepted) => accepted.accepts(text),
        ClaimRule::Client => text == client.id,
        ClaimRule::DelegatingUser if client.users.is_empty() && text != client.id => {
            return Err(Refusal::Delegation);
        }
        ClaimRule::User | ClaimRule::DelegatingUser => {
            text == client.id || client.users.iter().any(|user| user == text)
        }
        ClaimRule::Tenant => Some(text) == client.tenant.as_deref(),
        ClaimRule::Length(min, max) => (*min..=*max).contains(&text.chars().count()),
        ClaimRule::Fingerprint => {
            text == format!("{}.SHA256:{}", client.id, client.key.fingerprint())
        }
    };
    is_right.then_some(()).ok_or(Refusal::Claim(name))
}

fn check_audience(
    grant: &Grant,
    target: &Target<'_>,
    client: &Client,
    claims: &Claims,
) -> Result<(), Refusal> {
    let documented = match grant.audiences {
        Audiences::Ignored => return Ok(()),
        Audiences::Text(texts) | Audiences::Single(texts) | Audiences::Array(texts) => texts,
    };
    let filled = documented.iter().map(|template| target.fill(template));
    let accepted: Vec<_> = filled.chain(client.audiences.iter().cloned()).collect();
    let is_accepted = |aud: &Value| accepted.iter().any(|accepted| aud == accepted);
    let is_right = match (claims.get("aud"), &grant.audiences) {
        (None, _) => accepted.is_empty(),
        (Some(Value::Array(several)), Audiences::Single(_)) if several.len() > 1 => {
            return Err(Refusal::SeveralAudiences);
        }
        (Some(Value::Array(several)), Audiences::Single(_) | Audiences::Array(_)) => {
            several.iter().any(is_accepted)
        }
        (Some(aud), _) => is_accepted(aud),
    };
    is_right.then_some(()).ok_or(Refusal::Audience)
}

/// Returns a claim in seconds, if present.
fn seconds(claims: &Claims, name: &'static str, accepted: Numbers) -> Result<Option<u64>, Refusal> {
    let seconds = |value: &Value| {
        let written_otherwise = || match accepted {
            Numbers::Integers => None,
            Numbers::Fractions => {
                let time = Duration::try_from_secs_f64(value.as_f64()?);
                Some(time.ok()?.as_secs())
            }
            Numbers::Strings => value.as_str()?.parse().ok(),
        };
        let whole = value.as_u64().or_else(written_otherwise);
        whole.ok_or(Refusal::Claim(name))
    };
    claims.get(name).map(seconds).transpose()
}

/// Checks `exp`, `iat` and `nbf` at the time `now`.
fn check_times(claims: &Claims, now: u64, times: &Times) -> Result<(), Refusal> {
    let seconds = |name| seconds(claims, name, times.numbers);
    let (exp, iat, nbf) = (seconds("exp")?, seconds("iat")?, seconds("nbf")?);
    let has_begun =
        |time: Option<u64>| time.is_none_or(|time| time <= now.saturating_add(times.leeway));
    let max_exp_ahead = match iat {
        Some(_) => times.max_exp_ahead,
        None => times.max_exp_ahead.min(times.max_exp_ahead_without_iat),
    };
    match exp {
        Some(exp) if exp <= now => Err(Refusal::Expired),
        Some(exp) if exp > now.saturating_add(max_exp_ahead) => Err(Refusal::TooLong),
        Some(exp) if exp.saturating_sub(iat.unwrap_or(now)) > times.max_lifetime => {
            Err(Refusal::TooLong)
        }
        _ if !has_begun(iat) || !has_begun(nbf) => Err(Refusal::Future),
        _ if now.saturating_sub(iat.unwrap_or(now)) > times.max_age => Err(Refusal::Old),
        _ => Ok(()),
    }
}

fn check_scope(scope: Option<&str>, client: &Client, claims: &Claims) -> Result<(), Refusal> {
    let is_refused = |scope: &&str| !client.scopes.iter().any(|allowed| allowed == scope);
    let scopes = scope.unwrap_or_default().split(' ');
    let mut requested = scopes.filter(|scope| !scope.is_empty());
    let Some(refused) = requested.find(is_refused) else {
        return Ok(());
    };
    let subject = claims.get("sub").filter(|sub| **sub != client.id);
    match subject {
        Some(_) => Err(Refusal::DelegatedScope(refused.to_owned())),
        None => Err(Refusal::Scope(refused.to_owned())),
    }
}
