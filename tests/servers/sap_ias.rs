//! <https://github.com/SAP-docs/btp-cloud-identity-services/tree/main/docs/Operation-Guide>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Profile, Response, RsaKey};
use serde_json::json;

use super::*;

fn sap() -> Profile {
    let inputs = [
        ("tenant-url", "https://acme.accounts.ondemand.com/"),
        ("client-id", "client-1"),
        ("issuer", "https://issuer.example.com"),
        ("subject", "system-1"),
    ];
    profile("sap-ias", &inputs).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("key-1")
}

#[test]
fn sap_ias_token_is_asked_for_as_documented() {
    let sap = sap().with_parameter("token_format", "jwt");
    assert_signed(
        &sap,
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({
            "iss": "https://issuer.example.com", "sub": "system-1", "aud": "https://acme.accounts.ondemand.com",
            "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&sap, &key()),
        "POST https://acme.accounts.ondemand.com/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=client-1&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         token_format=jwt&client_assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "token_type": "Bearer", "expires_in": 3600});
    let token = read(&sap, &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3600));
}

#[test]
fn sap_ias_limits_are_known() {
    assert_eq!(
        refused(sap().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let text = refused(sap().assertion(&hmac_key().with_key_id("key-1"), now()));
    assert!(text.contains("the key signs HS256"), "{text}");
    assert!(
        sap()
            .assertion(&ec_key().with_key_id("key-1"), now())
            .is_ok()
    );
}

#[test]
fn sap_ias_errors_are_explained() {
    assert_errors(
        &sap(),
        &key(),
        Denied,
        &[
            (401, json!({"error": "invalid_client"}), "JWKS"),
            (400, json!({"error": "unauthorized_client"}), "grant type"),
            (
                400,
                json!({"error": "unsupported_grant_type"}),
                "grant type",
            ),
            (400, json!({"error": "invalid_scope"}), "scope"),
            (400, json!({"error": "invalid_request"}), "token_format"),
        ],
    );
    let response = Response::new(400, "");
    let error = read(&sap(), &key(), response).unwrap_err();
    assert!(error.hint().unwrap_or_default().contains("token_format"));
}
