//! <https://digital.nhs.uk/developer/guides-and-documentation/security-and-authorisation/application-restricted-restful-apis-signed-jwt-authentication>,
//! and, for the errors,
//! <https://github.com/NHSDigital/identity-service-api/blob/master/e2e/tests/oauth/test_client_credentials.py>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::Jti;
use jwt_bearer::provider::nhs;

use super::*;

const API_KEY: &str = "Jh9ZqgH5vbGfLpBKPyPAXnWcH5rJgZJU";

fn nhs(environment: &str) -> Profile {
    profile("nhs", &[("api-key", API_KEY), ("environment", environment)]).unwrap()
}
fn key() -> RsaKey {
    rsa_key()
        .with_algorithm(RsaAlgorithm::RS512)
        .with_key_id("test-1")
}

#[test]
fn nhs_token_is_asked_for_as_documented() {
    assert_signed(
        &nhs("production"),
        &key(),
        &json!({"typ": "JWT", "alg": "RS512", "kid": "test-1"}),
        &json!({
            "iss": API_KEY, "sub": API_KEY, "aud": "https://api.service.nhs.uk/oauth2/token",
            "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&nhs("production"), &key()),
        "POST https://api.service.nhs.uk/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={jwt}"
    );
    let body = json!({
        "access_token": "Sr5PGv19wTEHJdDr2wx2f7IGd0cw", "expires_in": "599", "token_type": "Bearer",
        "issued_at": "1675784384503",
    });
    let token = read(
        &nhs("production"),
        &key(),
        Response::new(200, body.to_string()),
    )
    .unwrap();
    assert_eq!(
        (token.secret(), lifetime(&token), token.get("issued_at")),
        ("Sr5PGv19wTEHJdDr2wx2f7IGd0cw", 599, Some("1675784384503"))
    );
}

#[test]
fn nhs_environment_has_its_endpoint_and_audience() {
    for (environment, base_url, endpoint) in [
        (
            "production",
            nhs::PRODUCTION,
            "https://api.service.nhs.uk/oauth2/token",
        ),
        (
            "integration",
            nhs::INTEGRATION,
            "https://int.api.service.nhs.uk/oauth2/token",
        ),
        (
            "development",
            nhs::DEVELOPMENT,
            "https://dev.api.service.nhs.uk/oauth2/token",
        ),
        (
            "sandbox",
            nhs::SANDBOX,
            "https://sandbox.api.service.nhs.uk/oauth2/token",
        ),
    ] {
        for profile in [nhs(environment), Profile::nhs(base_url, API_KEY).unwrap()] {
            let text = request(&profile, &key());
            assert!(text.starts_with(&format!("POST {endpoint}\n")));
            let claims = decoded(profile.assertion(&key(), now()).unwrap().secret()).claims;
            assert_eq!(claims["aud"], endpoint);
        }
    }
    assert_eq!(
        refused(Profile::nhs(
            "https://api.service.nhs.uk/oauth2/token",
            API_KEY
        )),
        "base URL is wanted without /oauth2/token and without a query"
    );
}

#[test]
fn nhs_limits_are_checked() {
    let nhs = || nhs("integration");
    let refused = |profile: Profile| refused(profile.assertion(&key(), now()));
    let longest = nhs().with_assertion_lifetime(Duration::from_secs(300));
    assert!(longest.assertion(&key(), now()).is_ok());
    assert_eq!(
        refused(nhs().with_assertion_lifetime(Duration::from_secs(301))),
        "exp lies further ahead than this server accepts"
    );
    for profile in [nhs().without_typ(), nhs().with_typ("jwt")] {
        assert_eq!(
            refused(profile),
            "the NHS wants typ to be JWT: leave it as it is"
        );
    }
    for profile in [
        nhs().with_jti(Jti::Omit),
        nhs().with_assertion_lifetime(None),
    ] {
        assert_eq!(
            refused(profile),
            "the NHS wants exp and jti: leave them as they are"
        );
    }
    let without_kid = rsa_key().with_algorithm(RsaAlgorithm::RS512);
    assert_eq!(
        super::refused(nhs().assertion(&without_kid, now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let rs256 = rsa_key().with_key_id("test-1");
    assert!(
        super::refused(nhs().assertion(&rs256, now()))
            .contains("this server accepts RS512, and the key signs RS256")
    );
}

#[test]
fn nhs_errors_are_explained() {
    let jwt = "client_assertion JWT";
    let invalid = |text: String| json!({"error": "invalid_request", "error_description": text, "message_id": "rrt-1"});
    let key_error = |text: &str| json!({"error": "public_key error", "error_description": text, "message_id": "rrt-1"});
    let rows = [
        (
            400,
            invalid(format!(
                "Invalid 'alg' header in {jwt} - unsupported JWT algorithm - must be 'RS512'"
            )),
            "RS512",
        ),
        (
            401,
            invalid(format!(
                "Invalid 'kid' header in {jwt} - no matching public key"
            )),
            "test-1",
        ),
        (
            400,
            invalid(format!("Missing 'kid' header in {jwt}")),
            "test-1",
        ),
        (
            400,
            invalid(format!("Invalid 'typ' header in {jwt} - must be 'JWT'")),
            "typ",
        ),
        (
            400,
            invalid(format!(
                "Invalid 'exp' claim in {jwt} - more than 5 minutes in future"
            )),
            "clock",
        ),
        (
            400,
            invalid(format!("Invalid 'exp' claim in {jwt} - must be an integer")),
            "clock",
        ),
        (
            400,
            invalid(format!("Invalid 'exp' claim in {jwt} - JWT has expired")),
            "clock",
        ),
        (
            400,
            invalid(format!("Non-unique 'jti' claim in {jwt}")),
            "twice",
        ),
        (
            401,
            invalid(format!("Missing or invalid 'aud' claim in {jwt}")),
            "environment",
        ),
        (
            401,
            invalid(format!("Invalid 'iss'/'sub' claims in {jwt}")),
            "API key",
        ),
        (
            400,
            invalid(format!(
                "Missing or non-matching 'iss'/'sub' claims in {jwt}"
            )),
            "API key",
        ),
        (
            400,
            invalid("Malformed JWT in client_assertion".to_owned()),
            "changes requests",
        ),
        (400, invalid("grant_type is missing".to_owned()), "key id"),
        (
            403,
            key_error(
                "You need to register a public key to use this authentication method - please contact support to configure",
            ),
            "JWKS",
        ),
        (
            403,
            key_error("The JWKS endpoint, for your client_assertion can't be reached"),
            "does not answer",
        ),
        (
            401,
            key_error("JWT signature verification failed"),
            "another key",
        ),
        (403, key_error("other"), "registered"),
        (
            401,
            json!({"error": "invalid_client", "error_description": "ClientId is Invalid"}),
            "API key",
        ),
        (
            400,
            json!({"error": "unsupported_grant_type", "error_description": "grant_type is invalid"}),
            "added",
        ),
        (401, json!({"error": {"a": 1}}), "approved"),
    ];
    assert_errors(&nhs("integration"), &key(), Denied, &rows);
}
