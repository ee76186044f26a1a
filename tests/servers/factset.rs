//! <https://github.com/factset/enterprise-sdk-utils-python/blob/main/src/fds/sdk/utils/authentication/confidential.py>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Audience, Endpoint, Key, Profile, Response, Signer as _, TokenSource, provider};
use serde_json::json;

use super::*;

fn configuration() -> (Profile, Key) {
    let file = json!({
        "name": "Application", "clientId": "c0ffee", "clientAuthType": "Confidential", "owners": ["USER-1"],
        "jwk": rsa_jwk(),
    });
    provider::credentials(file.to_string()).unwrap()
}

#[test]
fn factset_configuration_file_is_enough() {
    let (profile, key) = configuration();
    assert_eq!(key.key_id(), Some("2011-04-29"));
    let server = |request: &jwt_bearer::Request, _| -> std::io::Result<Response> {
        let body = match request.url() {
            "https://auth.factset.com/.well-known/openid-configuration" => json!({
                "issuer": "https://auth.factset.com",
                "token_endpoint": "https://auth.factset.com/as/token.oauth2",
            }),
            "https://auth.factset.com/as/token.oauth2" => {
                let body = std::str::from_utf8(request.body()).unwrap();
                let (before, jwt) = body.split_once("&client_assertion=").unwrap();
                assert_eq!(
                    before,
                    "grant_type=client_credentials&client_id=c0ffee&\
                     client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
                );
                let Signed { header, claims } = decoded(jwt);
                assert_eq!(
                    header,
                    json!({"typ": "JWT", "alg": "RS256", "kid": "2011-04-29"})
                );
                assert_eq!(claims["aud"], "https://auth.factset.com");
                json!({"access_token": "t", "token_type": "Bearer", "expires_in": 899})
            }
            url => panic!("{url}"),
        };
        Ok(Response::new(200, body.to_string()))
    };
    let source = TokenSource::with_transport(server, profile, key).unwrap();
    assert_eq!(source.token().unwrap().secret(), "t");
}

#[test]
fn factset_claims_are_those_of_the_vendor() {
    let (profile, key) = configuration();
    let profile = profile.with_audience(Audience::Fixed("https://auth.factset.com".to_owned()));
    assert_signed(
        &profile,
        &key,
        &json!({"typ": "JWT", "alg": "RS256", "kid": "2011-04-29"}),
        &json!({
            "iss": "c0ffee", "sub": "c0ffee", "aud": "https://auth.factset.com",
            "exp": NOW + 300, "nbf": NOW - 5, "iat": NOW, "jti": "uuid",
        }),
    );
    assert_eq!(
        refused(profile.assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let text = refused(profile.assertion(&ec_key().with_key_id("k"), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
}

#[test]
fn factset_metadata_may_be_elsewhere() {
    let inputs = [
        ("client-id", "c"),
        (
            "well-known-uri",
            "http://example.com/.well-known/openid-configuration",
        ),
    ];
    assert_eq!(
        refused(profile("factset", &inputs)),
        "metadata document is not https (http is for loopback alone)"
    );
}

#[test]
fn factset_errors_are_explained() {
    let (profile, key) = configuration();
    let profile = profile
        .with_endpoint(Endpoint::token("https://auth.factset.com/as/token.oauth2").unwrap())
        .with_audience(Audience::Fixed("https://auth.factset.com".to_owned()));
    assert_errors(
        &profile,
        &key,
        Denied,
        &[
            (
                401,
                json!({"error": "invalid_client"}),
                "configuration file",
            ),
            (
                400,
                json!({"error": "unauthorized_client"}),
                "confidential client",
            ),
            (400, json!({"error": "invalid_scope"}), "scopes"),
            (400, json!({"error": "invalid_request"}), "on the way"),
        ],
    );
}
