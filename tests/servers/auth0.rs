//! <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>,
//! <https://auth0.com/docs/get-started/applications/configure-private-key-jwt>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{Audience, Jti};

use super::*;

const CLIENT: &str = "s6BhdRkqt3s6BhdRkqt3s6BhdRkqt3s6";

fn at(domain: &str) -> Profile {
    let inputs = [
        ("domain", domain),
        ("client-id", CLIENT),
        ("api-identifier", "https://api.example.com/"),
    ];
    profile("auth0", &inputs).unwrap()
}

fn auth0() -> Profile {
    at("example.eu.auth0.com")
}

#[test]
fn auth0_token_is_asked_for_as_documented() {
    for domain in ["example.eu.auth0.com", "https://example.eu.auth0.com/"] {
        assert_signed(
            &at(domain),
            &rsa_key(),
            &json!({"typ": "JWT", "alg": "RS256"}),
            &json!({
                "iss": CLIENT, "sub": CLIENT, "aud": "https://example.eu.auth0.com/",
                "iat": NOW, "exp": NOW + 60, "jti": "uuid",
            }),
        );
    }
    assert_eq!(
        request(&auth0(), &rsa_key()),
        "POST https://example.eu.auth0.com/oauth/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=s6BhdRkqt3s6BhdRkqt3s6BhdRkqt3s6&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         audience=https%3A%2F%2Fapi.example.com%2F&client_assertion={jwt}"
    );
    let body = json!({"access_token": "eyJz", "token_type": "Bearer", "expires_in": 86400});
    let token = read(&auth0(), &rsa_key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJz", 86400));
}

#[test]
fn auth0_limits_are_refused() {
    let long = auth0().with_assertion_lifetime(Duration::from_secs(301));
    assert_eq!(
        refused(long.assertion(&rsa_key(), now())),
        "exp lies further ahead than this server accepts"
    );
    for audience in [
        Audience::Fixed("https://example.eu.auth0.com".to_owned()),
        Audience::Fixed("https://example.eu.auth0.com/oauth/token".to_owned()),
        Audience::TokenEndpoint,
        Audience::Omit,
    ] {
        assert_eq!(
            refused(auth0().with_audience(audience).assertion(&rsa_key(), now())),
            "Auth0 wants its domain with a slash at the end as audience: set it to https://DOMAIN/; the parameter \
             audience names the API"
        );
    }
    assert_eq!(
        refused(auth0().with_jti(Jti::Omit).assertion(&rsa_key(), now())),
        "Auth0 wants a new jti in every assertion: set jti to uuid"
    );
    let large = auth0().with_claim("x", "x".repeat(2048));
    let text = refused(large.assertion(&rsa_key(), now()));
    assert!(
        text.ends_with("bytes, and this server accepts 2048: take a shorter key, or fewer claims")
    );
    let key = RsaKey::read(include_bytes!("../data/keys/rsa-8192.der")).unwrap();
    assert_eq!(
        refused(auth0().assertion(&key, now())),
        "the RSA key has 8192 bits, and this server accepts at most 4096"
    );
    assert!(
        refused(auth0().assertion(&ec_key(), now()))
            .contains("this server accepts RS256, RS384, PS256")
    );
    assert!(auth0().assertion(&rs384(rsa_key()), now()).is_ok());
}

#[test]
fn auth0_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &auth0(),
        &rsa_key(),
        Denied,
        &[
            (
                401,
                error("invalid_client", "Client authentication failed"),
                "this key",
            ),
            (
                403,
                error(
                    "access_denied",
                    "Service not found: https://api.example.com/",
                ),
                "no such API",
            ),
            (
                403,
                error(
                    "access_denied",
                    "Client is not authorized to access \"https://api.example.com/\".",
                ),
                "Machine to Machine",
            ),
            (
                403,
                error(
                    "unauthorized_client",
                    "Grant type 'client_credentials' not allowed for the client.",
                ),
                "Client Credentials",
            ),
            (
                400,
                error("invalid_request", "Missing required parameter"),
                "Private Key JWT",
            ),
            (400, error("invalid_scope", "Scope not allowed"), "scopes"),
        ],
    );
    let limit = error("too_many_requests", "Global limit has been reached");
    assert_errors(&auth0(), &rsa_key(), Unavailable, &[(429, limit, "wait")]);
}
