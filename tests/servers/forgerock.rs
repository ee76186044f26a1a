//! <https://developer.pingidentity.com/pingoneaic-api/authenticate-to-rest-api-with-access-token.html>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Audience, Key, Profile, Response, Signer as _};
use serde_json::json;

use super::*;

const ID: &str = "449d7e27-7889-47af-a736-83b6bbf97ec5";

fn forgerock() -> Profile {
    let inputs = [
        ("tenant-url", "https://openam-acme.forgeblocks.com/"),
        ("service-account-id", ID),
    ];
    let profile = profile("forgerock", &inputs).unwrap();
    profile.with_scope("fr:am:* fr:idm:*")
}

#[test]
fn forgerock_token_is_asked_for_as_documented() {
    // a private JWK, as the console hands it out
    let key = Key::read(rsa_jwk().to_string()).unwrap();
    assert_eq!(key.key_id(), Some("2011-04-29"));
    assert_signed(
        &forgerock(),
        &key,
        &json!({"typ": "JWT", "alg": "RS256", "kid": "2011-04-29"}),
        &json!({
            "iss": ID, "sub": ID, "aud": "https://openam-acme.forgeblocks.com:443/am/oauth2/access_token",
            "exp": NOW + 180, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&forgerock(), &key),
        "POST https://openam-acme.forgeblocks.com/am/oauth2/access_token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&client_id=service-account&\
         scope=fr%3Aam%3A%2A%20fr%3Aidm%3A%2A&assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.t", "scope": "fr:idm:*", "token_type": "Bearer", "expires_in": 899});
    let token = read(&forgerock(), &key, Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 899));
    assert_eq!(token.scope(), Some("fr:idm:*"));
}

#[test]
fn forgerock_audience_has_the_port_of_the_tenant() {
    for (url, aud) in [
        (
            "https://am.example.com:8443",
            "https://am.example.com:8443/am/oauth2/access_token",
        ),
        (
            "https://am.example.com:443/",
            "https://am.example.com:443/am/oauth2/access_token",
        ),
        (
            "http://localhost",
            "http://localhost/am/oauth2/access_token",
        ),
    ] {
        let jwt = Profile::forgerock(url, ID)
            .unwrap()
            .assertion(&rsa_key(), now())
            .unwrap();
        assert_eq!(decoded(jwt.secret()).claims["aud"], aud);
    }
}

#[test]
fn forgerock_limits_are_known() {
    assert_eq!(
        refused(
            forgerock()
                .with_audience(Audience::TokenEndpoint)
                .assertion(&rsa_key(), now())
        ),
        "this server wants the port in the audience: https://HOST:443/am/oauth2/access_token"
    );
    let text = refused(forgerock().assertion(&ec_key(), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
}

#[test]
fn forgerock_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &forgerock(),
        &rsa_key(),
        Denied,
        &[
            (
                400,
                error(
                    "invalid_scope",
                    "Unsupported scope for service account: fr:foo:*",
                ),
                "leave these scopes out",
            ),
            (400, error("invalid_scope", "other"), "fr:idm:*"),
            (400, error("invalid_grant", "JWT is invalid"), ":443"),
            (
                401,
                error("invalid_client", "Client authentication failed"),
                "service-account",
            ),
            (400, error("invalid_request", "other"), "tenant URL"),
            (400, error("unauthorized_client", "other"), "root realm"),
        ],
    );
}
