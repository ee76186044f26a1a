//! <https://www.imsglobal.org/spec/security/v1p0/>; the errors are Canvas's and Moodle's

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::provider::lti;
use jwt_bearer::{Audience, Endpoint};

use super::*;

const SCORE: &str = "https://purl.imsglobal.org/spec/lti-ags/scope/score";
const MEMBERS: &str = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly";

fn lti(name: &str, value: &str) -> Result<Profile, Error> {
    let scopes = [SCORE, MEMBERS].join(" ");
    let inputs = [
        ("client-id", "10000000000001"),
        ("scope", &*scopes),
        (name, value),
    ];
    profile("lti", &inputs)
}
fn canvas() -> Profile {
    lti("canvas-url", "https://school.instructure.com/").unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("2018-06-18T22:33:20Z")
}

#[test]
fn lti_token_is_asked_for_as_documented() {
    assert_signed(
        &canvas(),
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "2018-06-18T22:33:20Z"}),
        &json!({
            "iss": "10000000000001", "sub": "10000000000001",
            "aud": "https://school.instructure.com/login/oauth2/token",
            "iat": NOW - 5, "exp": NOW + 60, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&canvas(), &key()),
        "POST https://school.instructure.com/login/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &scope=https%3A%2F%2Fpurl.imsglobal.org%2Fspec%2Flti-ags%2Fscope%2Fscore\
         %20https%3A%2F%2Fpurl.imsglobal.org%2Fspec%2Flti-nrps%2Fscope%2Fcontextmembership.readonly\
         &client_assertion={jwt}"
    );
    let body = json!({
        "access_token": "dkj4985kjaIAJDJ89kl8rkn5", "token_type": "Bearer", "expires_in": 3600,
        "scope": SCORE,
    });
    let token = read(&canvas(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!(
        (token.secret(), lifetime(&token), token.scope()),
        ("dkj4985kjaIAJDJ89kl8rkn5", 3600, Some(SCORE))
    );
}

#[test]
fn lti_platform_has_its_token_endpoint_and_audience() {
    let blackboard = "https://developer.blackboard.com/api/v1/gateway/oauth2/jwttoken";
    let brightspace = "https://auth.brightspace.com/core/connect/token";
    for (name, value, endpoint, audience) in [
        (
            "moodle-url",
            "https://moodle.example.org/m",
            "https://moodle.example.org/m/mod/lti/token.php",
            None,
        ),
        ("platform", "blackboard", blackboard, None),
        (
            "platform",
            "brightspace",
            brightspace,
            Some("https://api.brightspace.com/auth/token"),
        ),
        (
            "token-endpoint",
            "https://lms.example.com/t",
            "https://lms.example.com/t",
            None,
        ),
    ] {
        let profile = lti(name, value).unwrap();
        let text = request(&profile, &key());
        assert!(text.starts_with(&format!("POST {endpoint}\n")), "{text}");
        let claims = decoded(profile.assertion(&key(), now()).unwrap().secret()).claims;
        assert_eq!(claims["aud"], audience.unwrap_or(endpoint));
    }
    assert_eq!(
        refused(profile("lti", &[("client-id", "1"), ("scope", SCORE)])),
        "exactly one of token-endpoint, platform, canvas-url, moodle-url is needed"
    );
    let pasted = "https://school.instructure.com/login/oauth2/token";
    assert_eq!(
        refused(lti("canvas-url", pasted)),
        "address of Canvas is wanted without /login/oauth2/token and without a query"
    );
    let canvas = canvas().with_audience(Audience::Fixed(lti::CANVAS_AUDIENCE.to_owned()));
    let claims = decoded(canvas.assertion(&key(), now()).unwrap().secret()).claims;
    assert_eq!(
        claims["aud"],
        "https://canvas.instructure.com/login/oauth2/token"
    );
}

#[test]
fn lti_limits_are_checked() {
    assert_eq!(
        refused(canvas().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let ec = ec_key().with_key_id("k");
    assert!(refused(canvas().assertion(&ec, now())).contains("this server accepts RS256"));
    let endpoint = Endpoint::token("https://lms.example.com/t").unwrap();
    let without_scope = Profile::lti(endpoint, "1", Audience::TokenEndpoint);
    assert_eq!(
        refused(without_scope.assertion(&key(), now())),
        "LTI wants scopes: set the scope, URLs below https://purl.imsglobal.org/"
    );
}

#[test]
fn lti_errors_are_explained() {
    let canvas_says = |text: &str| json!({"error": "invalid_request", "error_description": text});
    let moodle = |code: &str| json!({"error": code});
    assert_errors(
        &canvas(),
        &key(),
        Denied,
        &[
            (
                400,
                json!({"error": "invalid_client", "error_description": "JWS signature invalid."}),
                "another public key",
            ),
            (400, canvas_says("JWK Error: Invalid JSON"), "key set"),
            (400, canvas_says("the 'aud' is invalid"), "audience"),
            (400, canvas_says("the 'iat' must be in the past"), "clock"),
            (400, canvas_says("the 'exp' has passed"), "clock"),
            (400, moodle("invalid_client"), "public key"),
            (400, moodle("invalid_scope"), "administrator"),
            (400, moodle("invalid_request"), "audience"),
            (400, moodle("unsupported_grant_type"), "token endpoint"),
            (400, json!({"error": {"a": 1}}), "public key"),
        ],
    );
}
