//! The token endpoints: what each grant checks, issues and answers to a refused request, as data.

use std::collections::HashSet;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::connection::{HttpRequest, HttpResponse};
use super::state::{Client, State};
use super::strict_json::{JsonError, parse_object};
use super::verify::{Claims, Refusal, UnverifiedJwt};

const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const UNLIMITED: u64 = u64::MAX;

/// The parameters that may occur more than once (RFC 8707 §2, RFC 8693 §2.1). No other may (RFC 6749 §3.2).
const REPEATABLE_PARAMETERS: [&str; 2] = ["resource", "audience"];

type Parameters = Vec<(String, String)>;

/// One grant at one token endpoint.
struct Grant {
    name: &'static str,
    /// The end of the path of the token endpoint.
    path: &'static str,
    parameters: fn(&HttpRequest) -> Result<Parameters, Refusal>,
    /// The `grant_type` that selects this grant where several share a path.
    grant_type: Option<&'static str>,
    /// The parameter of the assertion.
    assertion: &'static str,
    /// Required parameters and their only values.
    fixed_parameters: &'static [(&'static str, &'static str)],
    /// The claim that names the client.
    client_claim: &'static str,
    required_claims: &'static [&'static str],
    /// The accepted values of `aud`. Where there are none, the claim must be absent.
    audiences: fn(&State) -> Vec<String>,
    check_subject: fn(&Client, &Claims) -> Result<(), Refusal>,
    /// Seconds from now to the latest accepted `exp`.
    max_exp_ahead: u64,
    /// Seconds from `iat` to the latest accepted `exp`.
    max_lifetime: u64,
    requested_scope: fn(&Parameters, &Claims) -> Option<String>,
    token_response: fn(&State, &Client, Option<&str>) -> Value,
    error_response: fn(&Refusal) -> (u16, Value),
}

const GRANTS: &[Grant] = &[
    Grant {
        name: "Marketing Cloud Intelligence",
        path: "/us1/token",
        parameters: form_parameters,
        grant_type: None,
        assertion: "client_assertion",
        fixed_parameters: &[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
        ],
        client_claim: "iss",
        required_claims: &["sub", "iat", "jti"],
        audiences: |_| vec!["https://idp.intelligence.salesforce.com".to_owned()],
        check_subject: sub_is_client,
        max_exp_ahead: UNLIMITED,
        max_lifetime: UNLIMITED,
        requested_scope: |_, _| None,
        token_response: |state, _, _| {
            json!({
                "access_token": state.opaque_access_token(),
                "expires_in": state.token_lifetime.as_secs(),
            })
        },
        error_response: |refusal| oauth_error(refusal, 401, "invalid_client"),
    },
    Grant {
        name: "Salesforce Platform",
        path: "/services/oauth2/token",
        parameters: form_parameters,
        grant_type: None,
        assertion: "assertion",
        fixed_parameters: &[("grant_type", JWT_BEARER)],
        client_claim: "iss",
        required_claims: &["sub", "exp"],
        audiences: |state| {
            let salesforce = [
                "https://login.salesforce.com",
                "https://test.salesforce.com",
                &state.url,
            ];
            salesforce.map(str::to_owned).to_vec()
        },
        check_subject: sub_is_user,
        max_exp_ahead: 180,
        max_lifetime: UNLIMITED,
        requested_scope: |_, _| None,
        token_response: |state, client, _| {
            json!({
                "access_token": format!("00Dxx0000001gPL!{}", state.opaque_access_token()),
                "scope": client.scopes.join(" "),
                "instance_url": state.url,
                "id": format!("{}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS", state.url),
                "token_type": "Bearer",
            })
        },
        error_response: salesforce_error,
    },
    Grant {
        name: "Cylance",
        path: "/auth/v2/token",
        parameters: json_parameters,
        grant_type: None,
        assertion: "auth_token",
        fixed_parameters: &[],
        client_claim: "sub",
        required_claims: &["iss", "exp", "iat", "jti"],
        audiences: |_| Vec::new(),
        check_subject: tid_is_tenant,
        max_exp_ahead: UNLIMITED,
        max_lifetime: 1800,
        requested_scope: scp_claim,
        token_response: |state, client, scope| json!({ "access_token": state.jwt_access_token(&client.id, scope) }),
        error_response: cylance_error,
    },
    Grant {
        name: "client_credentials",
        path: "/token",
        parameters: form_parameters,
        grant_type: Some("client_credentials"),
        assertion: "client_assertion",
        fixed_parameters: &[("client_assertion_type", CLIENT_ASSERTION)],
        client_claim: "iss",
        required_claims: &["sub", "exp", "jti"],
        audiences: issuer_or_token_endpoint,
        check_subject: sub_is_client,
        max_exp_ahead: 3600,
        max_lifetime: UNLIMITED,
        requested_scope: scope_parameter_and_claim,
        token_response: bearer_token,
        error_response: |refusal| oauth_error(refusal, 401, "invalid_client"),
    },
    Grant {
        name: "jwt-bearer",
        path: "/token",
        parameters: form_parameters,
        grant_type: Some(JWT_BEARER),
        assertion: "assertion",
        fixed_parameters: &[],
        client_claim: "iss",
        required_claims: &["exp"],
        audiences: issuer_or_token_endpoint,
        check_subject: sub_is_user,
        max_exp_ahead: 3600,
        max_lifetime: UNLIMITED,
        requested_scope: scope_parameter_and_claim,
        token_response: bearer_token,
        error_response: |refusal| oauth_error(refusal, 400, "invalid_grant"),
    },
];

/// Answers a request for metadata or for a token. Returns the response and what to log about it.
pub(super) fn respond(state: &mut State, request: &HttpRequest) -> (HttpResponse, String) {
    if let Some(document) = metadata(&state.url, &request.path) {
        return (HttpResponse::json(200, document), "metadata".to_owned());
    }
    let error = |status, log: &str| (HttpResponse::json(status, json!({})), log.to_owned());
    let grants = grants_at(&request.path);
    let Some(first) = grants.first() else {
        return error(404, "no endpoint has this path");
    };
    if request.method != "POST" {
        return error(405, "a token endpoint accepts POST only");
    }
    if request.is_chunked {
        return error(411, "a request body needs a Content-Length, not chunks");
    }
    let grant_type = value(&request.parameters(), "grant_type").map(str::to_owned);
    let selected = grants.iter().find(|grant| {
        grant
            .grant_type
            .is_none_or(|of_grant| Some(of_grant) == grant_type.as_deref())
    });
    let grant = selected.unwrap_or(first);
    let outcome = match selected {
        Some(grant) => exchange(state, grant, request),
        None => Err(Refusal::Parameter("grant_type")),
    };
    match outcome {
        Ok((body, checked)) => (
            HttpResponse::json(200, body),
            format!("{}: a token; checked {}", grant.name, checked.join(", ")),
        ),
        Err(refusal) => {
            let (status, body) = (grant.error_response)(&refusal);
            (
                HttpResponse::json(status, body),
                format!("{}: refused, {refusal}", grant.name),
            )
        }
    }
}

fn metadata(url: &str, path: &str) -> Option<Value> {
    match path {
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
    }
}

/// Returns the grants of the token endpoint at `path`.
///
/// The path of the generic endpoint is the end of other paths, so the longest match counts.
fn grants_at(path: &str) -> Vec<&'static Grant> {
    let matches = || GRANTS.iter().filter(|grant| path.ends_with(grant.path));
    let longest = matches().map(|grant| grant.path.len()).max();
    matches()
        .filter(|grant| Some(grant.path.len()) == longest)
        .collect()
}

/// Checks the whole request and issues a token. Returns the token response and the names of what was checked.
///
/// A production server has reason to check in the same order: the signature before the claims, `jti` last.
///
/// # Errors
/// The first check that fails.
fn exchange(
    state: &mut State,
    grant: &Grant,
    request: &HttpRequest,
) -> Result<(Value, Vec<&'static str>), Refusal> {
    let parameters = (grant.parameters)(request)?;
    for (name, expected) in grant.fixed_parameters {
        if value(&parameters, name) != Some(expected) {
            return Err(Refusal::Parameter(name));
        }
    }
    let assertion =
        value(&parameters, grant.assertion).ok_or(Refusal::Parameter(grant.assertion))?;
    let unverified = UnverifiedJwt::parse(assertion)?;
    let id = unverified.claims.text(grant.client_claim)?;
    let client = state
        .clients
        .iter()
        .find(|client| client.id == id)
        .cloned()
        .ok_or(Refusal::Client)?;
    let claims = unverified.verify(&client.key)?;
    let mut checked = vec!["alg", "signature", grant.client_claim];
    if value(&parameters, "client_id").is_some_and(|named| named != client.id) {
        return Err(Refusal::Parameter("client_id"));
    }
    if let Some(missing) = grant
        .required_claims
        .iter()
        .find(|name| claims.get(name).is_none())
    {
        return Err(Refusal::Claim(missing));
    }
    (grant.check_subject)(&client, &claims)?;
    let audiences = (grant.audiences)(state);
    let aud = claims.get("aud");
    if aud.is_some() == audiences.is_empty()
        || !aud.is_none_or(|aud| audiences.iter().any(|accepted| aud == accepted))
    {
        return Err(Refusal::Audience);
    }
    claims.check_times(state.now(), grant.max_exp_ahead, grant.max_lifetime)?;
    let scope = (grant.requested_scope)(&parameters, &claims);
    let mut requested = scope
        .as_deref()
        .unwrap_or_default()
        .split(' ')
        .filter(|scope| !scope.is_empty());
    if requested.any(|scope| !client.scopes.iter().any(|allowed| allowed == scope)) {
        return Err(Refusal::Scope);
    }
    // Last, so that a client may correct a refused assertion and send it again with its jti.
    if let Some(jti) = claims.jti()? {
        let exp = claims.seconds("exp")?;
        if !state.record_jti(&client.id, jti, exp, SystemTime::now()) {
            return Err(Refusal::Replay);
        }
    }
    for name in ["sub", "aud", "exp", "iat", "jti", "tid"] {
        checked.extend((name != grant.client_claim && claims.get(name).is_some()).then_some(name));
    }
    let token_response = (grant.token_response)(state, &client, scope.as_deref());
    let lifetime = state.token_lifetime;
    state
        .issued_tokens
        .record(&token_response, &client.id, SystemTime::now(), lifetime);
    Ok((token_response, checked))
}

fn value<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    parameters
        .iter()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

fn form_parameters(request: &HttpRequest) -> Result<Parameters, Refusal> {
    let parameters = request.parameters();
    let mut names = HashSet::new();
    let is_repeated = |(name, _): &(String, String)| {
        !REPEATABLE_PARAMETERS.contains(&name.as_str()) && !names.insert(name.clone())
    };
    match parameters.iter().any(is_repeated) {
        true => Err(Refusal::DuplicateParameter),
        false => Ok(parameters),
    }
}

fn json_parameters(request: &HttpRequest) -> Result<Parameters, Refusal> {
    let members = parse_object(&request.body).map_err(|error| match error {
        JsonError::NotAnObject => Refusal::Parameter("auth_token"),
        JsonError::DuplicateMember => Refusal::DuplicateParameter,
    })?;
    let texts = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    Ok(texts.collect())
}

fn issuer_or_token_endpoint(state: &State) -> Vec<String> {
    vec![state.url.clone(), format!("{}/token", state.url)]
}

fn sub_is_client(client: &Client, claims: &Claims) -> Result<(), Refusal> {
    (claims.text("sub")? == client.id)
        .then_some(())
        .ok_or(Refusal::Claim("sub"))
}

/// A grant without `sub` is for the client itself.
fn sub_is_user(client: &Client, claims: &Claims) -> Result<(), Refusal> {
    if claims.get("sub").is_none() {
        return Ok(());
    }
    let sub = claims.text("sub")?;
    let known = sub == client.id || client.users.iter().any(|user| user == sub);
    known.then_some(()).ok_or(Refusal::Claim("sub"))
}

fn tid_is_tenant(client: &Client, claims: &Claims) -> Result<(), Refusal> {
    if claims.text("iss")? != "http://cylance.com" {
        return Err(Refusal::Claim("iss"));
    }
    (Some(claims.text("tid")?) == client.tenant.as_deref())
        .then_some(())
        .ok_or(Refusal::Claim("tid"))
}

/// The parameter (RFC 7521 §4.1), and the claim that many clients use instead. Both are checked.
fn scope_parameter_and_claim(parameters: &Parameters, claims: &Claims) -> Option<String> {
    let claim = claims
        .get("scope")
        .map(|scope| scope.as_str().unwrap_or("?"));
    let scopes: Vec<_> = value(parameters, "scope")
        .into_iter()
        .chain(claim)
        .collect();
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

/// Cylance's document says comma delimited in its text and shows an array in its sample.
fn scp_claim(_: &Parameters, claims: &Claims) -> Option<String> {
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

fn bearer_token(state: &State, _: &Client, scope: Option<&str>) -> Value {
    let mut body = json!({
        "access_token": state.opaque_access_token(),
        "token_type": "Bearer",
        "expires_in": state.token_lifetime.as_secs(),
    });
    if let (Some(scope), Some(members)) = (scope, body.as_object_mut()) {
        members.insert("scope".to_owned(), scope.into());
    }
    body
}

/// The error response of RFC 6749 §5.2. `code` is the one for a wrong assertion.
fn oauth_error(refusal: &Refusal, status: u16, code: &str) -> (u16, Value) {
    let (status, code) = match refusal {
        Refusal::Parameter("grant_type") => (400, "unsupported_grant_type"),
        Refusal::Parameter(_) | Refusal::DuplicateParameter => (400, "invalid_request"),
        Refusal::Scope => (400, "invalid_scope"),
        _ => (status, code),
    };
    (
        status,
        json!({ "error": code, "error_description": refusal.to_string() }),
    )
}

/// The error texts of Salesforce, as its document and reports of its users show them.
fn salesforce_error(refusal: &Refusal) -> (u16, Value) {
    let (code, description) = match refusal {
        Refusal::Parameter("grant_type") => ("unsupported_grant_type", "grant type not supported"),
        Refusal::Parameter(_) => ("invalid_request", "assertion is required"),
        Refusal::DuplicateParameter => ("invalid_request", "duplicate parameter"),
        Refusal::Client => ("invalid_client_id", "client identifier invalid"),
        Refusal::Audience => ("invalid_grant", "audience is invalid"),
        Refusal::Claim("sub") => ("invalid_grant", "user hasn't approved this consumer"),
        _ => ("invalid_grant", "invalid assertion"),
    };
    (
        400,
        json!({ "error": code, "error_description": description }),
    )
}

/// Cylance answers with a message and no error code.
fn cylance_error(refusal: &Refusal) -> (u16, Value) {
    let (status, message) = match refusal {
        Refusal::Parameter(_) | Refusal::DuplicateParameter => (400, "Malformed JSON"),
        Refusal::TooLong => (400, "exp is more than 30 minutes after iat"),
        Refusal::Scope => (403, "Insufficient scope"),
        _ => (401, "Invalid JWT payload"),
    };
    (status, json!({ "message": message }))
}
