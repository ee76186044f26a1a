//! <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162790605110.html>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Profile, Response, RsaAlgorithm, RsaKey, ScopePlacement};
use serde_json::json;

use super::*;

const AUD: &str =
    "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token";

fn netsuite() -> Profile {
    let inputs = [
        ("account-id", "1234567_SB1"),
        ("client-id", "client-1"),
        ("scope", "restlets rest_webservices"),
    ];
    profile("netsuite", &inputs).unwrap()
}
fn ps256_key() -> RsaKey {
    let key = rsa_key().with_algorithm(RsaAlgorithm::PS256);
    key.with_key_id("cert-1")
}

#[test]
fn netsuite_token_is_asked_for_as_documented() {
    assert_signed(
        &netsuite(),
        &ps256_key(),
        &json!({"typ": "JWT", "alg": "PS256", "kid": "cert-1"}),
        &json!({
            "iss": "client-1", "aud": AUD, "exp": NOW + 60, "iat": NOW,
            "scope": "restlets,rest_webservices",
        }),
    );
    assert_eq!(
        request(&netsuite(), &ps256_key()),
        "POST https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         client_assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "expires_in": "3600", "token_type": "bearer"});
    let response = Response::new(200, body.to_string());
    let token = read(&netsuite(), &ps256_key(), response).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3600));
}

#[test]
fn netsuite_accepts_elliptic_curves_and_no_rs256() {
    let key = ec_key().with_key_id("cert-1");
    assert!(netsuite().assertion(&key, now()).is_ok());
    assert_eq!(
        refused(netsuite().assertion(&rsa_key().with_key_id("cert-1"), now())),
        "this server accepts PS256, PS384, PS512, ES256, ES384, ES512, and the key signs RS256: choose another \
         algorithm of the key, or another key"
    );
    assert_eq!(
        refused(netsuite().assertion(&ec_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
}

#[test]
fn netsuite_limits_are_known() {
    let error = |profile: Profile| refused(profile.assertion(&ps256_key(), now()));
    assert_eq!(
        error(netsuite().with_assertion_lifetime(Duration::from_secs(3600))),
        "exp lies further after iat than this server accepts"
    );
    assert_eq!(
        error(netsuite().with_scope_placement(ScopePlacement::Parameter)),
        "NetSuite ignores the parameter scope: scope belongs in the claim"
    );
    assert_eq!(
        error(
            netsuite()
                .with_iat_leeway(None)
                .with_jti(jwt_bearer::Jti::Uuid)
        ),
        "NetSuite wants the claim iat: set its leeway to zero"
    );
    assert_eq!(
        error(Profile::netsuite("1234567", "client-1").unwrap()),
        "NetSuite wants scopes: set the scope to restlets, rest_webservices or suite_analytics"
    );
    for account in ["", "1234567.example.com", "https://1234567", "12/34"] {
        assert_eq!(
            refused(Profile::netsuite(account, "client-1")),
            "the account ID has letters, digits and underscores, such as 1234567_SB1"
        );
    }
}

#[test]
fn netsuite_errors_are_explained() {
    assert_errors(
        &netsuite(),
        &ps256_key(),
        Denied,
        &[
            (401, json!({"error": "invalid_client"}), "two years"),
            (400, json!({"error": "invalid_request"}), "claim scope"),
            (400, json!({"error": "invalid_grant"}), "role"),
            (400, json!({"error": "invalid_scope"}), "integration record"),
            (
                400,
                json!({"error": "unauthorized_client"}),
                "Machine to Machine",
            ),
        ],
    );
}
