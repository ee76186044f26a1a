//! What Authlib and oidc-provider answer to each mistake, and the hint of the error.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_bearer::{
    AccessToken, Algorithm, Audience, BoxError, Error, Exchange, HmacKey, ManualClock, Profile,
    Response, Signer, Transport as _,
};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};

use crate::servers::{FLOWS, Flow, Server, agent, describe, rsa, servers};
use crate::support::{file, record};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    WrongKey,
    OtherAudience,
    Expired,
    IssuedAhead,
    Replayed,
    OtherAlg,
    Ps256,
    UnknownClient,
    ScopeOfOthers,
    ScopeOfNobody,
    Garbage,
}

use Mistake::*;

impl Mistake {
    fn name(self) -> &'static str {
        match self {
            WrongKey => "a key that the server does not know",
            OtherAudience => "aud of another server",
            Expired => "expired nine minutes ago",
            IssuedAhead => "iat ten minutes ahead",
            Replayed => "the same assertion again",
            OtherAlg => "signed by the alg of another client",
            Ps256 => "signed by PS256, with the right key",
            UnknownClient => "a client that the server does not know",
            ScopeOfOthers => "a scope that this client may not have",
            ScopeOfNobody => "a scope that the server does not know",
            Garbage => "garbage for an assertion",
        }
    }
    /// Makes the mistake and returns the outcome of the request.
    fn outcome(self, server: &Server, flow: Flow) -> Result<AccessToken, Error> {
        let profile = server.profile(flow);
        let with_profile = |profile| server.source(profile, flow.key());
        let with_key = |key: Box<dyn Signer>| server.source(profile.clone(), key).token();
        let now = SystemTime::now();
        let ten_minutes = Duration::from_secs(600);
        match self {
            WrongKey if flow == Flow::BySecret => {
                let secret = "another secret, of thirty-two bytes";
                with_key(Box::new(HmacKey::new(secret).unwrap()))
            }
            WrongKey => with_key(Box::new(rsa("wrong"))),
            OtherAlg => with_key(match flow {
                Flow::BySecret => Flow::ByKey.key(),
                _ => Flow::BySecret.key(),
            }),
            Ps256 => with_key(Box::new(PssSigner::new())),
            OtherAudience => {
                let aud = Audience::Fixed("https://elsewhere.example/token".to_owned());
                with_profile(profile.with_audience(aud)).token()
            }
            UnknownClient => {
                let endpoint = server.token_endpoint();
                with_profile(flow.profile_for("nobody", endpoint, Audience::TokenEndpoint)).token()
            }
            ScopeOfOthers => with_profile(profile.with_scope("admin")).token(),
            ScopeOfNobody => with_profile(profile.with_scope("unheard-of")).token(),
            Expired => with_profile(profile)
                .with_clock(ManualClock::new(now - ten_minutes))
                .token(),
            IssuedAhead => with_profile(profile)
                .with_clock(ManualClock::new(now + ten_minutes))
                .token(),
            // A source never sends an assertion twice, so this uses the exchange itself.
            Replayed => {
                let key = flow.key();
                let exchange = Exchange::new(&profile, &key, now).unwrap();
                let send = || agent().send(exchange.request(), Duration::from_secs(10));
                assert_eq!(send().unwrap().status(), 200);
                let replay = send().unwrap();
                exchange.read(replay)
            }
            Garbage => {
                let key = flow.key();
                let exchange = Exchange::new(&profile, &key, now).unwrap();
                let (request, assertion) = (exchange.request(), exchange.assertion().secret());
                let response = post(
                    request.url(),
                    &std::str::from_utf8(request.body())
                        .unwrap()
                        .replace(assertion, "garbage"),
                );
                exchange.read(response)
            }
        }
    }
}

/// A foreign signer: RSASSA-PSS of `ring`.
struct PssSigner(RsaKeyPair);

impl PssSigner {
    fn new() -> Self {
        let pem = file("keys/client.pem");
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(lines);
        Self(RsaKeyPair::from_pkcs8(&der.unwrap()).unwrap())
    }
}

impl Signer for PssSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Ps256
    }
    fn key_id(&self) -> Option<&str> {
        Some("client-key-1")
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = SystemRandom::new();
        (self.0)
            .sign(&RSA_PSS_SHA256, &random, message, &mut signature)
            .map_err(|_| "ring could not sign")?;
        Ok(signature)
    }
}

/// Sends a form that no request of the crate contains.
fn post(url: &str, body: &str) -> Response {
    let call = agent().post(url).config().http_status_as_error(false);
    let call = call
        .build()
        .content_type("application/x-www-form-urlencoded");
    let mut response = call.send(body).unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    response.headers().iter().fold(
        Response::new(response.status().as_u16(), body),
        |response, (name, value)| response.with_header(name.as_str(), value.to_str().unwrap()),
    )
}

/// Error codes and texts of each server, in the order of [`FLOWS`].
const AUTHLIB: [(Mistake, [&str; 3]); 11] = [
    (
        WrongKey,
        [
            "400 invalid_client",
            "400 invalid_client",
            "400 invalid_grant",
        ],
    ),
    (
        OtherAudience,
        [
            "400 invalid_client: Invalid claim: 'aud'",
            "400 invalid_client: Invalid claim: 'aud'",
            "400 invalid_grant: Invalid claim: 'aud'",
        ],
    ),
    (
        Expired,
        [
            "400 invalid_client: The token is expired",
            "400 invalid_client: The token is expired",
            "400 invalid_grant: The token is expired",
        ],
    ),
    (
        IssuedAhead,
        [
            "400 invalid_client: The token was issued in the future",
            "400 invalid_client: The token was issued in the future",
            "400 invalid_grant: The token was issued in the future",
        ],
    ),
    (
        Replayed,
        [
            "400 invalid_client: JWT ID is used before.",
            "400 invalid_client: JWT ID is used before.",
            "400 invalid_grant: JWT ID is used before.",
        ],
    ),
    (
        OtherAlg,
        [
            "400 invalid_client: Algorithm 'HS256' requires 'oct' key",
            "400 invalid_client: Algorithm 'RS256' requires 'RSA' key",
            "400 invalid_grant: Algorithm 'HS256' requires 'oct' key",
        ],
    ),
    (
        Ps256,
        [
            "400 invalid_client: Algorithm of 'PS256' is not recommended",
            "400 invalid_client: Algorithm of 'PS256' is not recommended",
            "400 invalid_grant: Algorithm of 'PS256' is not recommended",
        ],
    ),
    (
        UnknownClient,
        [
            "400 invalid_client: The client does not exist on this server.",
            "400 invalid_client: The client does not exist on this server.",
            "400 invalid_grant: The client does not exist on this server.",
        ],
    ),
    (ScopeOfOthers, ["a token without scope"; 3]),
    (
        ScopeOfNobody,
        ["400 invalid_scope: The requested scope is invalid, unknown, or malformed."; 3],
    ),
    (
        Garbage,
        [
            "400 invalid_client: Invalid JWT assertion.",
            "400 invalid_client: Invalid JWT assertion.",
            "400 invalid_grant: Invalid JWT assertion.",
        ],
    ),
];

const OIDC_PROVIDER: [(Mistake, [&str; 3]); 11] = [
    (
        WrongKey,
        [
            "401 invalid_client: client authentication failed (its log: signature verification failed)",
            "401 invalid_client: client authentication failed (its log: signature verification failed)",
            "400 invalid_grant: grant request is invalid (its log: signature verification failed)",
        ],
    ),
    (
        OtherAudience,
        [
            "401 invalid_client: client authentication failed (its log: audience (aud) must equal the \
                endpoint url, issuer identifier or token endpoint url)",
            "401 invalid_client: client authentication failed (its log: audience (aud) must equal the \
                endpoint url, issuer identifier or token endpoint url)",
            "400 invalid_grant: grant request is invalid (its log: unexpected \"aud\" claim value)",
        ],
    ),
    (
        Expired,
        [
            "401 invalid_client: client authentication failed (its log: jwt expired)",
            "401 invalid_client: client authentication failed (its log: jwt expired)",
            "400 invalid_grant: grant request is invalid (its log: \"exp\" claim timestamp check failed)",
        ],
    ),
    (
        IssuedAhead,
        [
            "a token",
            "a token",
            "400 invalid_grant: grant request is invalid (its log: iat is in the future)",
        ],
    ),
    (
        Replayed,
        [
            "401 invalid_client: client authentication failed (its log: client assertion tokens must \
                only be used once)",
            "401 invalid_client: client authentication failed (its log: client assertion tokens must \
                only be used once)",
            "400 invalid_grant: grant request is invalid (its log: assertion was used before)",
        ],
    ),
    (
        OtherAlg,
        [
            "401 invalid_client: client authentication failed (its log: alg mismatch)",
            "401 invalid_client: client authentication failed (its log: alg mismatch)",
            "400 invalid_grant: grant request is invalid (its log: \"alg\" (Algorithm) Header Parameter \
                value not allowed)",
        ],
    ),
    (
        Ps256,
        [
            "401 invalid_client: client authentication failed (its log: alg mismatch)",
            "401 invalid_client: client authentication failed (its log: alg mismatch)",
            "400 invalid_grant: grant request is invalid (its log: \"alg\" (Algorithm) Header Parameter \
                value not allowed)",
        ],
    ),
    (
        UnknownClient,
        ["401 invalid_client: client authentication failed (its log: client not found)"; 3],
    ),
    (
        ScopeOfOthers,
        ["400 invalid_scope: requested scope is not allowed"; 3],
    ),
    (
        ScopeOfNobody,
        [
            "a token without scope",
            "a token without scope",
            "400 invalid_scope: requested scope is not allowed",
        ],
    ),
    (
        Garbage,
        [
            "400 invalid_request: invalid client_assertion format (its log: Invalid JWT)",
            "400 invalid_request: invalid client_assertion format (its log: Invalid JWT)",
            "400 invalid_grant: grant request is invalid (its log: Invalid Compact JWS)",
        ],
    ),
];

const CHECK_CLIENT: &str = "check client id, audience and this machine's clock, and that the server \
    knows the key and its alg; the server's log may say more";
const CHECK_GRANT: &str = "check issuer, subject, audience and this machine's clock, and that the \
    server knows the key and its alg; the server's log may say more";
const REPEATED: &str =
    "the server got this assertion twice: look for what repeats requests on the way";
const UNREADABLE: &str =
    "the server could not read the assertion: look for what changes requests on the way";
const OTHER_SCOPES: &str = "ask for scopes that the server allows this client";

/// Returns the expected hint for an error text of a server.
fn expected_hint(text: &str) -> Option<&'static str> {
    let has = |words| text.contains(words);
    match text.split([' ', ':']).nth(1)? {
        _ if has("JWT ID is used before") => Some(REPEATED),
        _ if has("Invalid JWT assertion") => Some(UNREADABLE),
        "invalid_client" => Some(CHECK_CLIENT),
        "invalid_grant" => Some(CHECK_GRANT),
        "invalid_scope" => Some(OTHER_SCOPES),
        _ => None,
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn denied_error_repeats_what_the_server_answered_with_a_hint() {
    for server in servers() {
        let table = match server.name {
            "Authlib" => AUTHLIB,
            _ => OIDC_PROVIDER,
        };
        for (mistake, expected) in table {
            for (flow, expected) in FLOWS.into_iter().zip(expected) {
                let outcome = mistake.outcome(&server, flow);
                let text = describe(&outcome);
                let what = format!("{}, {mistake:?}, {flow:?}", server.name);
                assert_eq!(text, expected, "{what}");
                let hint = outcome.as_ref().err().and_then(Error::hint);
                assert_eq!(hint, expected_hint(&text), "{what}");
                record(server.name, &server.flow(flow), mistake.name(), text);
            }
        }
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn grant_without_client_id_at_oidc_provider_has_a_hint() {
    for server in &servers()[1..] {
        let endpoint = server.token_endpoint();
        let profile = Profile::jwt_bearer(endpoint, "bearer", Audience::TokenEndpoint);
        let source = server.source(profile.with_subject("alice"), Flow::Grant.key());
        let outcome = source.token();
        let text = describe(&outcome);
        let expected = "400 invalid_request: no client authentication mechanism provided";
        assert_eq!(text, expected);
        let hint = outcome.unwrap_err().hint();
        let expected = "name the client beside the grant: add the parameter client_id";
        assert_eq!(hint, Some(expected));
        let flow = server.flow(Flow::Grant);
        record(server.name, &flow, "no parameter client_id", text);
    }
}
