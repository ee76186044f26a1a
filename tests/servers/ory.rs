//! <https://www.ory.com/docs/hydra/guides/jwt>,
//! <https://github.com/ory/fosite/blob/master/client_authentication.go>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{Jti, Profile, Response, RsaKey};
use serde_json::json;

use super::*;

const URL: &str = "https://slug.projects.oryapis.com/";
const AUD: &str = "https://slug.projects.oryapis.com/oauth2/token";

fn ory() -> Profile {
    profile("ory", &[("url", URL), ("client-id", "client-1")]).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("key-1")
}

#[test]
fn ory_client_is_authenticated_as_documented() {
    assert_signed(
        &ory(),
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({
            "iss": "client-1", "sub": "client-1", "aud": AUD,
            "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&ory(), &key()),
        "POST https://slug.projects.oryapis.com/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=client-1&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         client_assertion={jwt}"
    );
    let body = json!({"access_token": "ory_at_t", "expires_in": 3599, "scope": "", "token_type": "bearer"});
    let token = read(&ory(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("ory_at_t", 3599));
}

#[test]
fn ory_grant_is_asked_for_as_documented() {
    let inputs = [
        ("url", URL),
        ("issuer", "https://issuer.example.com"),
        ("subject", "alice@example.com"),
    ];
    let profile = profile("ory-jwt-bearer", &inputs).unwrap();
    let profile = profile.with_basic_auth("client-1", "secret");
    assert_signed(
        &profile,
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({
            "iss": "https://issuer.example.com", "sub": "alice@example.com", "aud": AUD,
            "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&profile, &key()),
        // printf client-1:secret | base64
        "POST https://slug.projects.oryapis.com/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\
         Authorization: Basic Y2xpZW50LTE6c2VjcmV0\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}"
    );
}

#[test]
fn ory_limits_are_known() {
    assert_eq!(
        refused(ory().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    assert_eq!(
        refused(ory().with_jti(Jti::Omit).assertion(&key(), now())),
        "Ory wants the claim jti in every assertion: set it to uuid"
    );
    let text = refused(ory().assertion(&hmac_key().with_key_id("key-1"), now()));
    assert!(text.contains("the key signs HS256"), "{text}");
}

#[test]
fn ory_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    let unrecognizable = |text: &str| {
        let text = format!("The error is unrecognizable: {text}");
        json!({"error": "error", "error_description": text})
    };
    assert_errors(
        &ory(),
        &key(),
        Denied,
        &[
            (500, unrecognizable("Token is expired"), "clock"),
            (500, unrecognizable("Token used before issued"), "clock"),
            (500, unrecognizable("Token is not valid yet"), "clock"),
            (
                401,
                error(
                    "invalid_client",
                    "Claim 'audience' from 'client_assertion' must match the authorization server's token endpoint 'https://other/oauth2/token'.",
                ),
                "urls.self.issuer",
            ),
            (
                400,
                error(
                    "jti_known",
                    "Claim 'jti' from 'client_assertion' MUST only be used once.",
                ),
                "twice",
            ),
            (
                400,
                error(
                    "invalid_request",
                    "The JSON Web Token uses signing key with kid 'key-1', which could not be found.",
                ),
                "JWKS",
            ),
            (
                401,
                error(
                    "invalid_client",
                    "The 'client_assertion' uses signing algorithm 'PS256' but the requested OAuth 2.0 Client enforces signing algorithm 'RS256'.",
                ),
                "token_endpoint_auth_signing_alg",
            ),
            (401, error("invalid_client", "other"), "private_key_jwt"),
            (400, error("invalid_grant", "other"), "trust relationship"),
            (400, error("invalid_scope", "other"), "scopes"),
            (400, error("unauthorized_client", "other"), "grant type"),
            (400, error("unsupported_grant_type", "other"), "grant type"),
            (400, error("invalid_request", "other"), "jti"),
        ],
    );
    assert_errors(
        &ory(),
        &key(),
        Unavailable,
        &[(500, unrecognizable("connection refused"), "")],
    );
}
