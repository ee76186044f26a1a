//! <https://developer.huawei.com/consumer/en/doc/doccenter-capabilities/push-jwt-token/>

use jwt_bearer::{Audience, Response, RsaAlgorithm, TokenSource, provider};
use serde_json::json;

use super::*;

const AUD: &str = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";

fn key_file() -> String {
    let file = json!({
        "project_id": "p", "key_id": "key-1", "private_key": pem(), "sub_account": "1023",
        "auth_uri": "https://oauth-login.cloud.huawei.com/oauth2/v3/authorize", "token_uri": AUD,
        "auth_provider_cert_uri": "https://oauth-login.cloud.huawei.com/oauth2/v3/certs",
        "client_cert_uri": "https://oauth-login.cloud.huawei.com/oauth2/v3/x509?client_id=",
    });
    file.to_string()
}

#[test]
fn huawei_key_file_signs_tokens_without_a_request() {
    let (profile, key) = provider::credentials(key_file()).unwrap();
    assert_signed(
        &profile,
        &key,
        &json!({"typ": "JWT", "alg": "PS256", "kid": "key-1"}),
        &json!({"iss": "1023", "aud": AUD, "exp": NOW + 3600, "iat": NOW}),
    );
    let nobody = |_: &jwt_bearer::Request, _| -> std::io::Result<Response> { panic!("a request") };
    let source = TokenSource::with_transport(nobody, profile, key).unwrap();
    let token = source.token().unwrap();
    assert_eq!(decoded(token.secret()).claims["iss"], "1023");
    assert_eq!(token.authorization(), format!("Bearer {}", token.secret()));
    assert_eq!(source.token().unwrap().secret(), token.secret());
}

#[test]
fn huawei_limits_are_known() {
    let huawei = || profile("huawei", &[("sub-account", "1023")]).unwrap();
    let key = || rsa_key().with_algorithm(RsaAlgorithm::PS256);
    assert_eq!(
        refused(huawei().assertion(&key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let text = refused(huawei().assertion(&rsa_key().with_key_id("key-1"), now()));
    assert!(text.contains("the key signs RS256"), "{text}");
    let key = key().with_key_id("key-1");
    let long = huawei().with_assertion_lifetime(Duration::from_secs(3601));
    assert_eq!(
        refused(long.assertion(&key, now())),
        "exp lies further after iat than this server accepts"
    );
    let other = huawei().with_audience(Audience::Fixed(
        "https://push-api.cloud.huawei.com".to_owned(),
    ));
    assert_eq!(
        refused(other.assertion(&key, now())),
        "Huawei wants https://oauth-login.cloud.huawei.com/oauth2/v3/token as audience"
    );
}
