//! <https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/ClientAssertion.htm>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::provider::oracle_iam;
use jwt_bearer::{Audience, Profile, Response};
use serde_json::json;

use super::*;

fn oracle() -> Profile {
    let inputs = [
        (
            "domain-url",
            "https://idcs-1234.identity.oraclecloud.com:443",
        ),
        ("client-id", "app-1"),
    ];
    let profile = profile("oracle-iam", &inputs).unwrap();
    profile.with_scope("urn:opc:idm:__myscopes__")
}

#[test]
fn oracle_token_is_asked_for_as_documented() {
    let key = rsa_key().with_key_id("alias-1");
    assert_signed(
        &oracle(),
        &key,
        &json!({"typ": "JWT", "alg": "RS256", "kid": "alias-1"}),
        &json!({
            "iss": "app-1", "sub": "app-1", "aud": "https://idcs-1234.identity.oraclecloud.com/",
            "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&oracle(), &key),
        "POST https://idcs-1234.identity.oraclecloud.com/oauth2/v1/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=app-1&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         scope=urn%3Aopc%3Aidm%3A__myscopes__&client_assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "token_type": "Bearer", "expires_in": 3600});
    let token = read(&oracle(), &key, Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3600));
    let other = oracle().with_audience(Audience::Fixed(oracle_iam::COMMON_AUDIENCE.to_owned()));
    let jwt = other.assertion(&key, now()).unwrap();
    assert_eq!(
        decoded(jwt.secret()).claims["aud"],
        "https://identity.oraclecloud.com/"
    );
}

#[test]
fn oracle_limits_are_known() {
    let key = rsa_key().with_key_id("alias-1");
    assert_eq!(
        refused(oracle().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    assert_eq!(
        refused(
            oracle()
                .with_audience(Audience::TokenEndpoint)
                .assertion(&key, now())
        ),
        "Oracle wants the URL of the identity domain as audience, with a slash at its end"
    );
    assert_eq!(
        refused(
            oracle()
                .with_assertion_lifetime(None)
                .assertion(&key, now())
        ),
        "Oracle wants the claim exp: set the lifetime of the assertion"
    );
    let text = refused(oracle().assertion(&rs384(key), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
}

#[test]
fn oracle_errors_are_explained() {
    assert_errors(
        &oracle(),
        &rsa_key().with_key_id("alias-1"),
        Denied,
        &[
            (401, json!({"error": "invalid_client"}), "alias"),
            (
                401,
                json!({"error": "unauthorized_client"}),
                "client credentials",
            ),
            (400, json!({"error": "invalid_scope"}), "__myscopes__"),
            (400, json!({"error": "invalid_grant"}), "grant type"),
            (400, json!({"error": "invalid_request"}), "scope"),
        ],
    );
}
