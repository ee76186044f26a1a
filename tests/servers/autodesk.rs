//! <https://aps.autodesk.com/en/docs/ssa/v1/developers_guide/jwt-assertions/>,
//! <https://aps.autodesk.com/en/docs/ssa/v1/reference/http/ssa-exchange-jwt-assertion-POST/>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Profile, Response, RsaKey, ScopePlacement};
use serde_json::json;

use super::*;

const AUD: &str = "https://developer.api.autodesk.com/authentication/v2/token";

fn autodesk() -> Profile {
    let inputs = [
        ("client-id", "app-1"),
        ("client-secret", "s3cret"),
        ("service-account-id", "ssa-1"),
        ("scope", "data:read data:write"),
    ];
    profile("autodesk", &inputs).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("key-1")
}

#[test]
fn autodesk_token_is_asked_for_as_documented() {
    assert_signed(
        &autodesk(),
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({
            "iss": "app-1", "sub": "ssa-1", "aud": AUD, "exp": NOW + 300, "iat": NOW, "jti": "uuid",
            "scope": ["data:read", "data:write"],
        }),
    );
    assert_eq!(
        request(&autodesk(), &key()),
        // printf app-1:s3cret | base64
        "POST https://developer.api.autodesk.com/authentication/v2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\
         Authorization: Basic YXBwLTE6czNjcmV0\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "token_type": "Bearer", "expires_in": 3599});
    let token = read(&autodesk(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3599));
}

#[test]
fn autodesk_limits_are_known() {
    let error = |profile: Profile| refused(profile.assertion(&key(), now()));
    assert_eq!(
        error(autodesk().with_assertion_lifetime(Duration::from_secs(301))),
        "exp lies further ahead than this server accepts"
    );
    assert_eq!(
        error(Profile::autodesk("app-1", "s3cret", "ssa-1")),
        "Autodesk wants scopes: set the scope, such as data:read"
    );
    let parameter = || autodesk().with_scope_placement(ScopePlacement::Parameter);
    assert_eq!(
        error(parameter()),
        "Autodesk wants the scopes as an array in the claim scope"
    );
    let both = parameter().with_claim("scope", json!(["data:read", "data:write"]));
    assert!(both.assertion(&key(), now()).is_ok());
    assert_eq!(
        refused(autodesk().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let text = refused(autodesk().assertion(&rs384(key()), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
}

#[test]
fn autodesk_errors_are_explained() {
    let error = |code: &str| json!({"error": code, "error_description": "no"});
    assert_errors(
        &autodesk(),
        &key(),
        Denied,
        &[
            (400, error("invalid_grant"), "enabled key"),
            (401, error("invalid_client"), "client secret"),
            (403, error("unauthorized_client"), "server-to-server"),
            (400, error("invalid_scope"), "one space"),
            (400, error("unsupported_grant_type"), "server-to-server"),
            (400, error("invalid_request"), "one place"),
        ],
    );
}
