//! <https://zitadel.com/docs/guides/integrate/service-users/private-key-jwt>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::Signer as _;
use jwt_bearer::provider::{self, Inputs};

use super::*;

const INSTANCE: &str = "https://my-domain.zitadel.cloud";
const USER: &str = "100507859606888466";

fn zitadel() -> Profile {
    let inputs = [("instance-url", INSTANCE), ("user-id", USER)];
    profile("zitadel", &inputs).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("100509901696068329")
}
fn key_file() -> Value {
    json!({
        "type": "serviceaccount", "keyId": "100509901696068329", "key": pem(), "userId": USER,
    })
}

#[test]
fn zitadel_token_is_asked_for_as_documented() {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "100509901696068329"});
    let claims = json!({
        "iss": USER, "sub": USER, "aud": INSTANCE, "iat": NOW - 10, "exp": NOW + 60,
    });
    assert_signed(&zitadel(), &key(), &header, &claims);
    let with_slash = Profile::zitadel("https://my-domain.zitadel.cloud/", USER).unwrap();
    assert_signed(&with_slash, &key(), &header, &claims);
    assert_eq!(
        request(&zitadel(), &key()),
        "POST https://my-domain.zitadel.cloud/oauth/v2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&scope=openid&assertion={jwt}"
    );
    let body = json!({
        "access_token": "MtjHodGy4zxKylDOhg6kW90WeEQs2q", "token_type": "Bearer",
        "expires_in": 43_199, "id_token": "e30.e30.c2ln",
    });
    let token = read(&zitadel(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!(
        (token.secret(), lifetime(&token)),
        ("MtjHodGy4zxKylDOhg6kW90WeEQs2q", 43_199)
    );
}

#[test]
fn zitadel_key_file_lacks_the_instance_alone() {
    let file = key_file().to_string();
    assert_eq!(
        refused(provider::credentials(&file)),
        "the provider zitadel needs instance-url"
    );
    let inputs = Inputs {
        values: &[("instance-url", INSTANCE)],
        ..Inputs::default()
    };
    let (profile, key) = provider("zitadel").credentials(&file, inputs).unwrap();
    assert_eq!(key.key_id(), Some("100509901696068329"));
    let assertion = profile.assertion(&key, now()).unwrap();
    assert_eq!(decoded(assertion.secret()).claims["sub"], USER);

    let application = json!({
        "type": "application", "keyId": "k", "key": pem(), "appId": "1", "clientId": "2@project",
    })
    .to_string();
    let by_name = provider("zitadel").credentials(&application, inputs);
    for text in [
        refused(provider::credentials(&application)),
        refused(by_name),
    ] {
        assert_eq!(
            text,
            "this is the key file of an application in Zitadel, which introspects tokens and gets none: make a key of \
             a service user"
        );
    }
}

#[test]
fn zitadel_limits_are_checked() {
    let refused = |profile: Profile| refused(profile.assertion(&key(), now()));
    let hour = zitadel().with_assertion_lifetime(Duration::from_secs(3600));
    assert!(hour.assertion(&key(), now()).is_ok());
    assert_eq!(
        refused(zitadel().with_assertion_lifetime(Duration::from_secs(3601))),
        "exp lies further ahead than this server accepts"
    );
    let own_api = "openid urn:zitadel:iam:org:project:id:zitadel:aud";
    assert!(
        zitadel()
            .with_scope(own_api)
            .assertion(&key(), now())
            .is_ok()
    );
    assert_eq!(
        refused(zitadel().with_scope("profile openid2")),
        "Zitadel wants the scope openid beside the others: add it"
    );
    assert_eq!(
        super::refused(zitadel().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let hmac = hmac_key().with_key_id("k");
    assert!(
        super::refused(zitadel().assertion(&hmac, now()))
            .contains("this server accepts RS256, ES256, EdDSA")
    );
    assert_eq!(
        super::refused(Profile::zitadel(
            "https://x.zitadel.cloud/oauth/v2/token",
            USER
        )),
        "instance URL is wanted without /oauth/v2/token and without a query"
    );
}

#[test]
fn zitadel_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    let in_future = "issuedAt of token is in the future: (iat: 2023-04-10 22:18:07 +0000 UTC, now with offset: 2023-04-10 22:18:06 +0000 UTC)";
    assert_errors(
        &zitadel(),
        &key(),
        Denied,
        &[
            (
                400,
                error("invalid_request", "audience is not valid"),
                "external domain",
            ),
            (400, error("invalid_request", in_future), "clock"),
            (400, error("invalid_request", "token has expired"), "clock"),
            (400, error("invalid_request", "invalid signature"), "keyId"),
            (
                400,
                error("invalid_request", "assertion invalid"),
                "user id",
            ),
            (400, error("invalid_scope", ""), "openid"),
            (401, error("invalid_client", ""), "application"),
            (400, error("invalid_grant", ""), "user id"),
            (400, error("unauthorized_client", ""), "active"),
        ],
    );
    assert_errors(
        &zitadel(),
        &key(),
        Unavailable,
        &[(
            500,
            error("server_error", "Errors.Internal"),
            "service user",
        )],
    );
}
