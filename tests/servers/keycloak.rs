//! <https://www.keycloak.org/docs/latest/server_admin/#_client-credentials>, and `AbstractBaseJWTValidator.java`

use jwt_bearer::ErrorKind::{Config, Denied};
use jwt_bearer::{Audience, Jti};

use super::*;

fn at(base_url: &str) -> Profile {
    let inputs = [
        ("base-url", base_url),
        ("realm", "acme"),
        ("client-id", "batch-job"),
    ];
    profile("keycloak", &inputs).unwrap()
}

fn keycloak() -> Profile {
    at("https://keycloak.example.com")
}

#[test]
fn keycloak_token_is_asked_for_as_documented() {
    let claims = |aud: &str| {
        json!({
            "iss": "batch-job", "sub": "batch-job", "aud": aud, "exp": NOW + 60, "iat": NOW, "jti": "uuid",
        })
    };
    assert_signed(
        &keycloak(),
        &rsa_key().with_key_id("kc-1"),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "kc-1"}),
        &claims("https://keycloak.example.com/realms/acme"),
    );
    assert_signed(
        &at("https://sso.example.com/auth/"),
        &hmac_key(),
        &json!({"typ": "JWT", "alg": "HS256"}),
        &claims("https://sso.example.com/auth/realms/acme"),
    );
    assert_eq!(
        request(&keycloak(), &rsa_key()),
        "POST https://keycloak.example.com/realms/acme/protocol/openid-connect/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=batch-job&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         client_assertion={jwt}"
    );
    let body = json!({
        "access_token": "eyJh", "expires_in": 300, "refresh_expires_in": 0, "token_type": "Bearer",
        "not-before-policy": 0, "scope": "profile email",
    });
    let token = read(
        &keycloak(),
        &rsa_key(),
        Response::new(200, body.to_string()),
    )
    .unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJh", 300));
    assert_eq!(token.scope(), Some("profile email"));
}

#[test]
fn keycloak_limits_are_refused() {
    for audience in [Audience::TokenEndpoint, Audience::Omit] {
        assert_eq!(
            refused(
                keycloak()
                    .with_audience(audience)
                    .assertion(&rsa_key(), now())
            ),
            "Keycloak wants the realm's issuer as audience: set it to BASE_URL/realms/REALM, as the realm's metadata \
             prints it"
        );
    }
    assert_eq!(
        refused(keycloak().with_jti(Jti::Omit).assertion(&rsa_key(), now())),
        "Keycloak wants a new jti in every assertion: set jti to uuid"
    );
    assert_eq!(
        refused(
            keycloak()
                .with_assertion_lifetime(None)
                .assertion(&rsa_key(), now())
        ),
        "Keycloak wants exp: set the lifetime of the assertion"
    );
    let error = Profile::keycloak("http://keycloak.example.com", "acme", "c").unwrap_err();
    assert_eq!(error.kind(), Config);
    let keys: [&dyn Signer; 3] = [&rs384(rsa_key()), &ec_key(), &hmac_key()];
    for key in keys {
        assert!(keycloak().assertion(key, now()).is_ok());
    }
}

#[test]
fn keycloak_errors_are_explained() {
    let client = |text: &str| json!({"error": "invalid_client", "error_description": text});
    let rows = [
        ("Invalid token audience", "issuer"),
        ("Multiple audiences not allowed", "one text"),
        ("Token reuse detected", "twice"),
        ("Token jti claim is required", "jti"),
        ("Token exp claim is required", "exp"),
        ("Token sub claim is required", "sub"),
        (
            "Token expiration is too far in the future and iat claim not present in token",
            "send iat",
        ),
        ("Token was issued in the future", "clock"),
        ("Token is not active", "clock"),
        ("Unable to load public key", "tab Keys"),
        ("Invalid signature algorithm", "algorithm"),
        ("Invalid client or Invalid client credentials", "Signed JWT"),
    ];
    for (text, advice) in rows {
        for status in [400, 401] {
            assert_errors(
                &keycloak(),
                &rsa_key(),
                Denied,
                &[(status, client(text), advice)],
            );
        }
    }
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &keycloak(),
        &rsa_key(),
        Denied,
        &[
            (
                401,
                error(
                    "unauthorized_client",
                    "Client not enabled to retrieve service account",
                ),
                "Service account roles",
            ),
            (
                401,
                error(
                    "unauthorized_client",
                    "Invalid client or Invalid client credentials",
                ),
                "key",
            ),
            (
                400,
                error("invalid_scope", "Invalid scopes: a"),
                "Client scopes",
            ),
            (
                400,
                error("invalid_request", "Missing parameter"),
                "client_id",
            ),
            (404, json!({"error": "Realm does not exist"}), "the realm"),
        ],
    );
}
