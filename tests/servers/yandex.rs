//! <https://yandex.cloud/en/docs/iam/operations/iam-token/create-for-sa>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{Profile, Response, RsaAlgorithm, RsaKey, Signer as _, provider};
use serde_json::json;

use super::*;

const AUD: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";

fn yandex() -> Profile {
    profile("yandex", &[("service-account-id", "aje5a")]).unwrap()
}
fn ps256_key() -> RsaKey {
    let key = rsa_key().with_algorithm(RsaAlgorithm::PS256);
    key.with_key_id("ajek1")
}

#[test]
fn yandex_token_is_asked_for_as_documented() {
    assert_signed(
        &yandex(),
        &ps256_key(),
        &json!({"typ": "JWT", "alg": "PS256", "kid": "ajek1"}),
        &json!({"iss": "aje5a", "aud": AUD, "exp": NOW + 3600, "iat": NOW}),
    );
    assert_eq!(
        request(&yandex(), &ps256_key()),
        "POST https://iam.api.cloud.yandex.net/iam/v1/tokens\n\
         Accept: application/json\n\
         Content-Type: application/json\n\n\
         {\"jwt\":\"{jwt}\"}"
    );
    // twelve hours after NOW
    let body = json!({"iamToken": "t1.9euelZ", "expiresAt": "2023-11-15T10:13:20.123456789Z"});
    let response = Response::new(200, body.to_string());
    let token = read(&yandex(), &ps256_key(), response).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("t1.9euelZ", 43_200));
    assert_eq!(token.authorization(), "Bearer t1.9euelZ");
}

#[test]
fn yandex_key_file_is_enough() {
    let warning = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <ajek1>\n";
    let file = json!({
        "id": "ajek1", "service_account_id": "aje5a", "created_at": "2023-11-14T22:13:20Z",
        "key_algorithm": "RSA_2048", "public_key": "-----BEGIN PUBLIC KEY-----\n",
        "private_key": format!("{warning}{}", pem()),
    });
    let (profile, key) = provider::credentials(file.to_string()).unwrap();
    assert_eq!(key.key_id(), Some("ajek1"));
    assert_signed(
        &profile,
        &key,
        &json!({"typ": "JWT", "alg": "PS256", "kid": "ajek1"}),
        &json!({"iss": "aje5a", "aud": AUD, "exp": NOW + 3600, "iat": NOW}),
    );
}

#[test]
fn yandex_limits_are_known() {
    let rs256 = rsa_key().with_key_id("ajek1");
    let text = refused(yandex().assertion(&rs256, now()));
    assert!(text.starts_with("this server accepts PS256, and the key signs RS256"));
    let anonymous = rsa_key().with_algorithm(RsaAlgorithm::PS256);
    assert_eq!(
        refused(yandex().assertion(&anonymous, now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let long = yandex().with_assertion_lifetime(Duration::from_secs(3601));
    assert_eq!(
        refused(long.assertion(&ps256_key(), now())),
        "exp lies further after iat than this server accepts"
    );
}

#[test]
fn yandex_errors_are_explained() {
    let error = |code: u16| json!({"code": code, "message": "no", "details": []});
    assert_errors(
        &yandex(),
        &ps256_key(),
        Denied,
        &[
            (401, error(16), "PS256"),
            (400, error(16), "PS256"),
            (400, error(3), "an hour"),
            (404, error(5), "deleted"),
            (403, error(7), "active"),
        ],
    );
    assert_errors(
        &yandex(),
        &ps256_key(),
        Unavailable,
        &[(429, error(8), "keep a token")],
    );
    let error = read(&yandex(), &ps256_key(), Response::new(401, "")).unwrap_err();
    assert!(error.hint().unwrap_or_default().contains("clock"));
}
