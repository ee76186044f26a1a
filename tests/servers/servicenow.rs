//! <https://www.servicenow.com/docs/r/zurich/platform-security/authentication/configure-an-oauth-jwt-bearer-grant.html>,
//! and, for the refusal, <https://github.com/demisto/content-docs/issues/1301>

use jwt_bearer::Audience;
use jwt_bearer::ErrorKind::{Denied, Unavailable};

use super::*;

const CLIENT: &str = "e0d2aeba6cc9468faf62aba562e4b665";

fn servicenow() -> Profile {
    let inputs = [
        ("instance-url", "https://dev19907.service-now.com/"),
        ("client-id", CLIENT),
        ("subject", "user.name@example.com"),
        ("client-secret", "qs+E,i"),
    ];
    profile("servicenow", &inputs).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("OOyme9SYCpvr9NhO2xTFPUnfkHTgDOwN")
}

#[test]
fn servicenow_token_is_asked_for_as_documented() {
    let claims = |aud: &str| {
        json!({
            "iss": CLIENT, "sub": "user.name@example.com", "aud": aud, "exp": NOW + 60, "iat": NOW,
            "jti": "uuid",
        })
    };
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "OOyme9SYCpvr9NhO2xTFPUnfkHTgDOwN"});
    assert_signed(&servicenow(), &key(), &header, &claims(CLIENT));
    assert_signed(
        &servicenow().with_audience(Audience::TokenEndpoint),
        &key(),
        &header,
        &claims("https://dev19907.service-now.com/oauth_token.do"),
    );
    assert_eq!(
        request(&servicenow(), &key()),
        "POST https://dev19907.service-now.com/oauth_token.do\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &client_id=e0d2aeba6cc9468faf62aba562e4b665&client_secret=qs%2BE%2Ci&assertion={jwt}"
    );
    let body = json!({
        "access_token": "2Ts2d4fAuZ", "refresh_token": "r", "scope": "useraccount",
        "token_type": "Bearer", "expires_in": 1799,
    });
    let token = read(&servicenow(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("2Ts2d4fAuZ", 1799));
}

#[test]
fn servicenow_public_client_has_no_secret() {
    let inputs = [
        ("instance-url", "https://dev19907.service-now.com"),
        ("client-id", CLIENT),
        ("subject", "user.name@example.com"),
    ];
    let profile = profile("servicenow", &inputs).unwrap();
    assert!(
        request(&profile, &key())
            .ends_with("&client_id=e0d2aeba6cc9468faf62aba562e4b665&assertion={jwt}")
    );
}

#[test]
fn servicenow_limits_are_checked() {
    assert_eq!(
        refused(servicenow().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    assert_eq!(
        refused(servicenow().without_subject().assertion(&key(), now())),
        "ServiceNow wants a user: set the subject"
    );
    let hmac = hmac_key().with_key_id("k");
    assert!(servicenow().assertion(&hmac, now()).is_ok());
    let pss = rsa_key()
        .with_algorithm(RsaAlgorithm::PS256)
        .with_key_id("k");
    assert!(refused(servicenow().assertion(&pss, now())).contains("this server accepts RS256"));
    let pasted = "https://dev19907.service-now.com/oauth_token.do";
    assert_eq!(
        refused(Profile::servicenow(pasted, CLIENT, "user")),
        "instance URL is wanted without /oauth_token.do and without a query"
    );
}

#[test]
fn servicenow_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error_description": text, "error": code});
    assert_errors(
        &servicenow(),
        &key(),
        Denied,
        &[
            (401, error("server_error", "access_denied"), "verifier map"),
            (401, error("access_denied", ""), "verifier map"),
            (401, error("invalid_client", ""), "client secret"),
            (400, error("invalid_grant", ""), "clock"),
            (400, error("invalid_request", ""), "subject"),
            (400, error("unauthorized_client", ""), "registry"),
            (400, error("unsupported_grant_type", ""), "external clients"),
        ],
    );
    assert_errors(
        &servicenow(),
        &key(),
        Unavailable,
        &[(500, error("server_error", "other"), "system log")],
    );
}
