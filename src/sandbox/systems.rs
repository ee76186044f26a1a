//! What each system checks, grants and says no with, as data.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::verify::{Claims, Unverified, Wrong};
use super::wire::{Reply, Request};
use super::{Client, World};

const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ANY: u64 = u64::MAX;

type Parameters = Vec<(String, String)>;

/// One way to trade an assertion.
struct System {
    name: &'static str,
    path: &'static str,
    parameters: fn(&Request) -> Result<Parameters, Wrong>,
    /// Which of several at one path is meant, by `grant_type`.
    grant_type: Option<&'static str>,
    assertion: &'static str,
    /// Parameters that must be there, with these values.
    fixed: &'static [(&'static str, &'static str)],
    /// The claim that names the client.
    client: &'static str,
    required: &'static [&'static str],
    audiences: fn(&World) -> Vec<String>,
    subject: fn(&Client, &Claims) -> Result<(), Wrong>,
    /// Seconds that `exp` may lie after now, and after `iat`.
    ahead: u64,
    span: u64,
    scope: fn(&Parameters, &Claims) -> Option<String>,
    token: fn(&World, &Client, Option<&str>) -> Value,
    refusal: fn(&Wrong) -> (u16, Value),
}

const SYSTEMS: &[System] = &[
    System {
        name: "Marketing Cloud Intelligence",
        path: "/us1/token",
        parameters: form,
        grant_type: None,
        assertion: "client_assertion",
        fixed: &[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
        ],
        client: "iss",
        required: &["sub", "iat", "jti"],
        audiences: |_| vec!["https://idp.intelligence.salesforce.com".to_owned()],
        subject: itself,
        ahead: ANY,
        span: ANY,
        scope: |_, _| None,
        token: |world, _, _| json!({ "access_token": world.token(), "expires_in": world.lifetime.as_secs() }),
        refusal: |wrong| oauth(wrong, 401, "invalid_client"),
    },
    System {
        name: "Salesforce Platform",
        path: "/services/oauth2/token",
        parameters: form,
        grant_type: None,
        assertion: "assertion",
        fixed: &[("grant_type", JWT_BEARER)],
        client: "iss",
        required: &["sub", "exp"],
        audiences: |world| {
            let salesforce = [
                "https://login.salesforce.com",
                "https://test.salesforce.com",
                &world.url,
            ];
            salesforce.map(str::to_owned).to_vec()
        },
        subject: a_user,
        ahead: 180,
        span: ANY,
        scope: |_, _| None,
        token: |world, client, _| {
            json!({
                "access_token": format!("00Dxx0000001gPL!{}", world.token()),
                "scope": client.scopes.join(" "),
                "instance_url": world.url,
                "id": format!("{}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS", world.url),
                "token_type": "Bearer",
            })
        },
        refusal: salesforce,
    },
    System {
        name: "Cylance",
        path: "/auth/v2/token",
        parameters: one_json_object,
        grant_type: None,
        assertion: "auth_token",
        fixed: &[],
        client: "sub",
        required: &["iss", "exp", "iat", "jti"],
        audiences: |_| Vec::new(),
        subject: a_tenant,
        ahead: ANY,
        span: 1800,
        scope: scp,
        token: |world, client, scope| json!({ "access_token": world.jwt(&client.id, scope) }),
        refusal: cylance,
    },
    System {
        name: "client_credentials",
        path: "/token",
        parameters: form,
        grant_type: Some("client_credentials"),
        assertion: "client_assertion",
        fixed: &[("client_assertion_type", CLIENT_ASSERTION)],
        client: "iss",
        required: &["sub", "exp", "jti"],
        audiences: issuer_or_token_endpoint,
        subject: itself,
        ahead: 3600,
        span: ANY,
        scope,
        token: bearer,
        refusal: |wrong| oauth(wrong, 401, "invalid_client"),
    },
    System {
        name: "jwt-bearer",
        path: "/token",
        parameters: form,
        grant_type: Some(JWT_BEARER),
        assertion: "assertion",
        fixed: &[],
        client: "iss",
        required: &["exp"],
        audiences: issuer_or_token_endpoint,
        subject: a_user,
        ahead: 3600,
        span: ANY,
        scope,
        token: bearer,
        refusal: |wrong| oauth(wrong, 400, "invalid_grant"),
    },
];

/// What happened to one request, for whoever watches.
pub(super) struct Outcome {
    pub(super) reply: Reply,
    pub(super) log: String,
}

/// Metadata, or the one system that the request is for.
pub(super) fn answer(world: &mut World, request: &Request) -> Outcome {
    let (url, path) = (world.url.clone(), request.path.as_str());
    let metadata = match path {
        "/discovery" => Some(json!({ "token_endpoint": format!("{url}/us1/token") })),
        "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => {
            Some(json!({
                "issuer": url,
                "token_endpoint": format!("{url}/token"),
                "grant_types_supported": ["client_credentials", JWT_BEARER],
                "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["RS256", "HS256"],
            }))
        }
        _ => None,
    };
    if let Some(document) = metadata {
        return Outcome {
            reply: Reply::json(200, document),
            log: "metadata".to_owned(),
        };
    }
    let at_path: Vec<_> = SYSTEMS
        .iter()
        .filter(|system| path.ends_with(system.path))
        .collect();
    // One path is the end of another: the longest is meant.
    let longest = at_path.iter().map(|system| system.path.len()).max();
    let here: Vec<_> = at_path
        .into_iter()
        .filter(|s| Some(s.path.len()) == longest)
        .collect();
    let Some(first) = here.first() else {
        return Outcome {
            reply: Reply::json(404, json!({})),
            log: "nothing is here".to_owned(),
        };
    };
    if request.method != "POST" {
        return Outcome {
            reply: Reply::json(405, json!({})),
            log: "only POST is taken here".to_owned(),
        };
    }
    if request.in_chunks {
        return Outcome {
            reply: Reply::json(411, json!({})),
            log: "a body is read by its Content-Length, not in chunks".to_owned(),
        };
    }
    let grant = value(&request.form(), "grant_type").map(str::to_owned);
    let meant = here.iter().find(|system| {
        system
            .grant_type
            .is_none_or(|g| Some(g) == grant.as_deref())
    });
    let system = meant.unwrap_or(first);
    let outcome = match meant {
        Some(system) => trade(world, system, request),
        None => Err(Wrong::Parameter("grant_type")),
    };
    match outcome {
        Ok((body, checked)) => Outcome {
            reply: Reply::json(200, body),
            log: format!("{}: a token; checked {}", system.name, checked.join(", ")),
        },
        Err(wrong) => {
            let (status, body) = (system.refusal)(&wrong);
            Outcome {
                reply: Reply::json(status, body),
                log: format!("{}: refused, {wrong}", system.name),
            }
        }
    }
}

/// The whole check, in the order in which a server does well to do it; then the token.
fn trade(
    world: &mut World,
    system: &System,
    request: &Request,
) -> Result<(Value, Vec<&'static str>), Wrong> {
    let parameters = (system.parameters)(request)?;
    for (name, wanted) in system.fixed {
        if value(&parameters, name) != Some(wanted) {
            return Err(Wrong::Parameter(name));
        }
    }
    let assertion =
        value(&parameters, system.assertion).ok_or(Wrong::Parameter(system.assertion))?;
    let unverified = Unverified::parse(assertion)?;
    let id = unverified.claims.text(system.client)?;
    let client = world
        .clients
        .iter()
        .find(|client| client.id == id)
        .cloned()
        .ok_or(Wrong::Client)?;
    let claims = unverified.verify(&client.key)?;
    let mut checked = vec!["alg", "signature", system.client];
    if value(&parameters, "client_id").is_some_and(|named| named != client.id) {
        return Err(Wrong::Parameter("client_id"));
    }
    if let Some(missing) = system
        .required
        .iter()
        .find(|name| claims.get(name).is_none())
    {
        return Err(Wrong::Claim(missing));
    }
    (system.subject)(&client, &claims)?;
    let audiences = (system.audiences)(world);
    let aud = claims.get("aud");
    if aud.is_some() == audiences.is_empty()
        || !aud.is_none_or(|aud| audiences.iter().any(|a| aud == a))
    {
        return Err(Wrong::Audience);
    }
    claims.check_times(world.now(), system.ahead, system.span)?;
    let scope = (system.scope)(&parameters, &claims);
    let mut wanted = scope
        .as_deref()
        .unwrap_or_default()
        .split(' ')
        .filter(|scope| !scope.is_empty());
    if wanted.any(|scope| !client.scopes.iter().any(|allowed| allowed == scope)) {
        return Err(Wrong::Scope);
    }
    // Last, so that a refused assertion may be mended and sent again with its jti.
    if claims.get("jti").is_some() && !world.first_use(&client.id, claims.text("jti")?) {
        return Err(Wrong::Replay);
    }
    for name in ["sub", "aud", "exp", "iat", "jti", "tid"] {
        checked.extend((name != system.client && claims.get(name).is_some()).then_some(name));
    }
    let answer = (system.token)(world, &client, scope.as_deref());
    let life = world.lifetime;
    (world.tokens).hand_out(&answer, &client.id, SystemTime::now(), life);
    Ok((answer, checked))
}

fn value<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    parameters
        .iter()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

fn form(request: &Request) -> Result<Parameters, Wrong> {
    Ok(request.form())
}

fn one_json_object(request: &Request) -> Result<Parameters, Wrong> {
    let members: serde_json::Map<_, _> =
        serde_json::from_slice(&request.body).map_err(|_| Wrong::Parameter("auth_token"))?;
    let texts = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    Ok(texts.collect())
}

fn issuer_or_token_endpoint(world: &World) -> Vec<String> {
    vec![world.url.clone(), format!("{}/token", world.url)]
}

fn itself(client: &Client, claims: &Claims) -> Result<(), Wrong> {
    (claims.text("sub")? == client.id)
        .then_some(())
        .ok_or(Wrong::Claim("sub"))
}

/// On whose behalf; a grant without `sub` is on the client's own.
fn a_user(client: &Client, claims: &Claims) -> Result<(), Wrong> {
    if claims.get("sub").is_none() {
        return Ok(());
    }
    let sub = claims.text("sub")?;
    let known = sub == client.id || client.users.iter().any(|user| user == sub);
    known.then_some(()).ok_or(Wrong::Claim("sub"))
}

fn a_tenant(client: &Client, claims: &Claims) -> Result<(), Wrong> {
    if claims.text("iss")? != "http://cylance.com" {
        return Err(Wrong::Claim("iss"));
    }
    (Some(claims.text("tid")?) == client.tenant.as_deref())
        .then_some(())
        .ok_or(Wrong::Claim("tid"))
}

/// Beside the assertion (RFC 7521 §4.1) and within it, as many clients name it: all of it counts.
fn scope(parameters: &Parameters, claims: &Claims) -> Option<String> {
    let claim = claims
        .get("scope")
        .map(|scope| scope.as_str().unwrap_or("?"));
    let named: Vec<_> = value(parameters, "scope")
        .into_iter()
        .chain(claim)
        .collect();
    (!named.is_empty()).then(|| named.join(" "))
}

/// The text says comma delimited, the sample has an array.
fn scp(_: &Parameters, claims: &Claims) -> Option<String> {
    match claims.get("scp")? {
        Value::Array(scopes) => Some(
            scopes
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" "),
        ),
        scopes => Some(scopes.as_str().unwrap_or("?").replace(',', " ")),
    }
}

fn bearer(world: &World, _: &Client, scope: Option<&str>) -> Value {
    let mut body = json!({
        "access_token": world.token(),
        "token_type": "Bearer",
        "expires_in": world.lifetime.as_secs(),
    });
    if let (Some(scope), Some(members)) = (scope, body.as_object_mut()) {
        members.insert("scope".to_owned(), scope.into());
    }
    body
}

/// RFC 6749 §5.2; `code` says that the assertion itself is wrong.
fn oauth(wrong: &Wrong, status: u16, code: &str) -> (u16, Value) {
    let (status, code) = match wrong {
        Wrong::Parameter("grant_type") => (400, "unsupported_grant_type"),
        Wrong::Parameter(_) => (400, "invalid_request"),
        Wrong::Scope => (400, "invalid_scope"),
        _ => (status, code),
    };
    (
        status,
        json!({ "error": code, "error_description": wrong.to_string() }),
    )
}

/// In Salesforce's own words, as its document and its users report them.
fn salesforce(wrong: &Wrong) -> (u16, Value) {
    let (code, description) = match wrong {
        Wrong::Parameter("grant_type") => ("unsupported_grant_type", "grant type not supported"),
        Wrong::Parameter(_) => ("invalid_request", "assertion is required"),
        Wrong::Client => ("invalid_client_id", "client identifier invalid"),
        Wrong::Audience => ("invalid_grant", "audience is invalid"),
        Wrong::Claim("sub") => ("invalid_grant", "user hasn't approved this consumer"),
        _ => ("invalid_grant", "invalid assertion"),
    };
    (
        400,
        json!({ "error": code, "error_description": description }),
    )
}

/// No codes, one member.
fn cylance(wrong: &Wrong) -> (u16, Value) {
    let (status, message) = match wrong {
        Wrong::Parameter(_) => (400, "Malformed JSON"),
        Wrong::TooLong => (400, "exp is more than 30 minutes after iat"),
        Wrong::Scope => (403, "Insufficient scope"),
        _ => (401, "Invalid JWT payload"),
    };
    (status, json!({ "message": message }))
}
