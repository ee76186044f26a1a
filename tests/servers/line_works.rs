//! <https://developers.worksmobile.com/en/docs/auth-jwt>

use jwt_bearer::ErrorKind::Denied;

use super::*;

const ACCOUNT: &str = "46c4f281f81148c9b846c59262ae5888.serviceaccount@example.com";

fn line_works() -> Profile {
    let inputs = [
        ("client-id", "46c4f281f81148c9b846c59262ae5888"),
        ("client-secret", "s3cret&x"),
        ("service-account", ACCOUNT),
        ("scope", "bot bot.message user.read"),
    ];
    profile("line-works", &inputs).unwrap()
}

#[test]
fn line_works_token_is_asked_for_as_documented() {
    assert_signed(
        &line_works(),
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": "46c4f281f81148c9b846c59262ae5888", "sub": ACCOUNT,
            "iat": NOW, "exp": NOW + 60,
        }),
    );
    assert_eq!(
        request(&line_works(), &rsa_key()),
        "POST https://auth.worksmobile.com/oauth2/v2.0/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &client_id=46c4f281f81148c9b846c59262ae5888&client_secret=s3cret%26x\
         &scope=bot%20bot.message%20user.read&assertion={jwt}"
    );
    let body = json!({
        "access_token": "kr1AAABFNKyxc7xs", "refresh_token": "kr1AAABKRE", "token_type": "Bearer",
        "expires_in": "86400", "scope": "bot",
    });
    let token = read(
        &line_works(),
        &rsa_key(),
        Response::new(200, body.to_string()),
    )
    .unwrap();
    assert_eq!(
        (token.secret(), lifetime(&token)),
        ("kr1AAABFNKyxc7xs", 86_400)
    );
    assert!(!format!("{:?}", line_works()).contains("s3cret"));
}

#[test]
fn line_works_limits_are_checked() {
    let refused = |profile: Profile| refused(profile.assertion(&rsa_key(), now()));
    let hour = line_works().with_assertion_lifetime(Duration::from_secs(3600));
    assert!(hour.assertion(&rsa_key(), now()).is_ok());
    assert_eq!(
        refused(line_works().with_assertion_lifetime(Duration::from_secs(3601))),
        "exp lies further after iat than this server accepts"
    );
    assert_eq!(
        refused(Profile::line_works("id", "secret", ACCOUNT)),
        "LINE WORKS wants scopes: set the scope, such as bot"
    );
    assert_eq!(
        refused(line_works().with_subject("46c4f281f81148c9b846c59262ae5888.serviceaccount")),
        "the service account lacks its domain: it is of the form NAME@DOMAIN"
    );
    assert!(super::refused(line_works().assertion(&ec_key(), now())).contains("accepts RS256"));
    let inputs = [
        ("client-id", "id"),
        ("service-account", ACCOUNT),
        ("scope", "bot"),
    ];
    assert_eq!(
        super::refused(profile("line-works", &inputs)),
        "the provider line-works needs client-secret"
    );
}

#[test]
fn line_works_errors_are_explained() {
    let error = |code: &str| json!({"error": code, "error_description": "failed"});
    assert_errors(
        &line_works(),
        &rsa_key(),
        Denied,
        &[
            (401, error("invalid_client"), "one app"),
            (400, error("invalid_grant"), "domain"),
            (400, error("invalid_scope"), "scopes"),
            (400, error("invalid_request"), "scope"),
            (400, error("unauthorized_client"), "active"),
            (403, error("access_denied"), "active"),
        ],
    );
}
