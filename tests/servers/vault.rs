//! <https://developer.hashicorp.com/vault/api-docs/auth/jwt>,
//! <https://github.com/hashicorp/vault-plugin-auth-jwt/blob/main/path_login.go>,
//! <https://github.com/hashicorp/cap/blob/main/jwt/jwt.go>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{Profile, Response};
use serde_json::json;

use super::*;

fn vault() -> Profile {
    let inputs = [
        ("address", "https://vault.example.com:8200/"),
        ("role", "ci"),
    ];
    profile("vault", &inputs)
        .unwrap()
        .with_issuer("https://ci.example.com")
        .with_subject("job-1")
}

#[test]
fn vault_login_is_asked_for_as_documented() {
    let key = ec_key().with_key_id("key-1");
    assert_signed(
        &vault(),
        &key,
        &json!({"typ": "JWT", "alg": "ES256", "kid": "key-1"}),
        &json!({
            "iss": "https://ci.example.com", "sub": "job-1", "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&vault(), &key),
        "POST https://vault.example.com:8200/v1/auth/jwt/login\n\
         Accept: application/json\n\
         Content-Type: application/json\n\n\
         {\"role\":\"ci\",\"jwt\":\"{jwt}\"}"
    );
    let inputs = [
        ("address", "https://vault.example.com"),
        ("role", "ci"),
        ("mount", "/team/jwt/"),
        ("namespace", "admin"),
    ];
    let text = request(&profile("vault", &inputs).unwrap(), &rsa_key());
    assert!(text.starts_with("POST https://vault.example.com/v1/auth/team/jwt/login\n"));
    assert!(text.contains("\nX-Vault-Namespace: admin\n"), "{text}");
}

#[test]
fn vault_token_is_nested_and_has_a_header_of_its_own() {
    let body = |lease: u64| {
        let body = json!({
            "request_id": "r", "lease_id": "", "lease_duration": 0, "data": null,
            "auth": {
                "client_token": "hvs.t", "accessor": "a", "policies": ["default"], "token_type": "service",
                "lease_duration": lease, "renewable": true,
            },
        });
        read(&vault(), &rsa_key(), Response::new(200, body.to_string())).unwrap()
    };
    let token = body(2_764_800);
    assert_eq!(token.secret(), "hvs.t");
    assert_eq!(
        (token.header_name(), token.authorization()),
        ("X-Vault-Token", "hvs.t")
    );
    assert_eq!(lifetime(&token), 31 * 24 * 3600); // 32 days, which no token is believed to live
    assert_eq!(token.json_at("/auth/policies/0"), Some("\"default\""));
    assert_eq!(lifetime(&body(3600)), 3600);
    assert_eq!(lifetime(&body(0)), 24 * 3600); // it never expires
}

#[test]
fn vault_accepts_no_shared_secret() {
    let text = refused(vault().assertion(&hmac_key(), now()));
    assert!(text.contains("the key signs HS256"), "{text}");
    let inputs = [("address", "http://vault.example.com"), ("role", "ci")];
    assert_eq!(
        refused(profile("vault", &inputs)),
        "address is not https (http is for loopback alone)"
    );
}

#[test]
fn vault_errors_are_explained() {
    let error = |text: &str| json!({"errors": [text]});
    assert_errors(
        &vault(),
        &rsa_key(),
        Denied,
        &[
            (400, error("missing role"), "name a role"),
            (
                400,
                error("role \"x\" could not be found"),
                "name of the role",
            ),
            (
                400,
                error("audience claim found in JWT but no audiences bound to the role"),
                "leave the audience out",
            ),
            (
                400,
                error(
                    "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience",
                ),
                "bound_audiences",
            ),
            (
                400,
                error(
                    "error validating token: error verifying token signature: no known key successfully validated the token signature",
                ),
                "jwt_validation_pubkeys",
            ),
            (
                400,
                error("error validating token: invalid subject (sub) claim"),
                "bound_subject",
            ),
            (
                400,
                error("error validating token: invalid issuer (iss) claim"),
                "bound_issuer",
            ),
            (
                400,
                error(
                    "error validating token: invalid algorithm (alg) header parameter: token signed with unexpected algorithm",
                ),
                "jwt_supported_algs",
            ),
            (
                400,
                error(
                    "error validating token: invalid expiration time (exp) claim: token is expired",
                ),
                "clock",
            ),
            (
                400,
                error(
                    "error validating token: invalid not before (nbf) claim: token not yet valid",
                ),
                "clock",
            ),
            (
                400,
                error(
                    "error validating token: invalid issued at (iat) claim: token issued in the future",
                ),
                "clock",
            ),
            (
                400,
                error(
                    "error validating claims: claim \"project\" does not match any associated bound claim values",
                ),
                "bound_claims",
            ),
            (400, error("claim \"sub\" not found in token"), "user_claim"),
            (403, error("permission denied"), "mount"),
            (404, error("no handler for route"), "mount"),
            (400, error("other"), "role, mount"),
        ],
    );
    assert_errors(
        &vault(),
        &rsa_key(),
        Unavailable,
        &[
            (
                429,
                error("request path \"auth/jwt/login\": rate limit quota exceeded"),
                "keep a token",
            ),
            (503, error("Vault is sealed"), "sealed"),
        ],
    );
}
