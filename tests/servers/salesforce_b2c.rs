//! <https://github.com/SalesforceCommerceCloud/b2c-developer-tooling>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Profile, Response};
use serde_json::json;

use super::*;

const AUD: &str = "https://account.demandware.com/dwsso/oauth2/access_token";

fn b2c() -> Profile {
    let profile = profile("salesforce-b2c", &[("client-id", "c1")]).unwrap();
    profile.with_scope("SALESFORCE_COMMERCE_API:zzxy_prd")
}

#[test]
fn salesforce_b2c_token_is_asked_for_as_the_vendor_does() {
    assert_signed(
        &b2c(),
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({"iss": "c1", "sub": "c1", "aud": AUD, "exp": NOW + 60, "jti": "uuid"}),
    );
    assert_eq!(
        request(&b2c(), &rsa_key()),
        "POST https://account.demandware.com/dwsso/oauth2/access_token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         scope=SALESFORCE_COMMERCE_API%3Azzxy_prd&client_assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "token_type": "Bearer", "expires_in": 1799});
    let token = read(&b2c(), &rsa_key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 1799));
}

#[test]
fn salesforce_b2c_limits_are_known() {
    let text = refused(b2c().assertion(&ec_key(), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
    let forever = b2c().with_assertion_lifetime(None);
    assert_eq!(
        refused(forever.assertion(&rsa_key(), now())),
        "Account Manager wants the claim exp: set the lifetime of the assertion"
    );
}

#[test]
fn salesforce_b2c_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &b2c(),
        &rsa_key(),
        Denied,
        &[
            (
                401,
                error(
                    "invalid_client",
                    "Parameter client_assertion_type is missing",
                ),
                "as a form",
            ),
            (
                401,
                error("invalid_client", "Client authentication failed"),
                "certificate",
            ),
            (400, error("invalid_scope", "no"), "tenant"),
            (400, error("unauthorized_client", "no"), "roles"),
            (400, error("invalid_request", "no"), "on the way"),
        ],
    );
}
