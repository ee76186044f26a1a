//! <https://cloud.ibm.com/docs/appid?topic=appid-custom-auth>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Audience, Profile, Response};
use serde_json::json;

use super::*;

const SERVER: &str =
    "https://eu-de.appid.cloud.ibm.com/oauth/v4/39a37f57-a227-4bfe-a044-93b6e6050a61";

fn app_id() -> Profile {
    let inputs = [
        ("oauth-server-url", SERVER),
        ("client-id", "app-1"),
        ("client-secret", "s3cret"),
        ("issuer", "https://idp.example.com"),
        ("user-id", "user-1"),
    ];
    profile("ibm-app-id", &inputs).unwrap()
}

#[test]
fn ibm_app_id_token_is_asked_for_as_documented() {
    let profile = app_id().with_claim("name", "A User");
    assert_signed(
        &profile,
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": "https://idp.example.com", "sub": "user-1", "aud": SERVER,
            "exp": NOW + 60, "iat": NOW, "jti": "uuid", "name": "A User",
        }),
    );
    assert_eq!(
        request(&profile, &rsa_key()),
        // printf app-1:s3cret | base64
        "POST https://eu-de.appid.cloud.ibm.com/oauth/v4/39a37f57-a227-4bfe-a044-93b6e6050a61/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\
         Authorization: Basic YXBwLTE6czNjcmV0\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "id_token": "eyJ.i", "token_type": "Bearer", "expires_in": 3600});
    let token = read(&profile, &rsa_key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3600));
    assert_eq!(token.get("id_token"), Some("eyJ.i"));
}

#[test]
fn ibm_app_id_limits_are_known() {
    let error = |profile: Profile| refused(profile.assertion(&rsa_key(), now()));
    assert_eq!(
        error(app_id().with_audience(Audience::TokenEndpoint)),
        "App ID wants oauthServerUrl as audience, which is the token endpoint without /token"
    );
    assert_eq!(
        error(app_id().with_assertion_lifetime(None)),
        "App ID wants the claim exp: set the lifetime of the assertion"
    );
    let text = refused(app_id().assertion(&ec_key(), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
}

#[test]
fn ibm_app_id_errors_are_explained() {
    assert_errors(
        &app_id(),
        &rsa_key(),
        Denied,
        &[
            (400, json!({"error": "invalid_grant"}), "public key"),
            (401, json!({"error": "invalid_client"}), "secret"),
            (400, json!({"error": "unauthorized_client"}), "enable"),
            (400, json!({"error": "invalid_request"}), "oauthServerUrl"),
            (400, json!({"error": "invalid_scope"}), "scopes"),
            (400, json!({"error": "unsupported_grant_type"}), "enable"),
        ],
    );
}
