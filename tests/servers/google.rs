//! <https://developers.google.com/identity/protocols/oauth2/service-account>,
//! <https://cloud.google.com/docs/authentication/get-id-token>, <https://google.aip.dev/auth/4111>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::provider::{self, Inputs};
use jwt_bearer::{Profile, Response, ScopePlacement, Signer as _, TokenSource};
use serde_json::json;

use super::*;

const EMAIL: &str = "robot@project.iam.gserviceaccount.com";
const AUD: &str = "https://oauth2.googleapis.com/token";

fn google() -> Profile {
    profile("google", &[("client-email", EMAIL)])
        .unwrap()
        .with_scope("https://www.googleapis.com/auth/devstorage.read_only https://a.example.com/b")
}

#[test]
fn google_access_token_is_asked_for_as_documented() {
    let key = rsa_key().with_key_id("key-1");
    assert_signed(
        &google().with_subject("user@example.com"),
        &key,
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({
            "iss": EMAIL, "sub": "user@example.com", "aud": AUD,
            "exp": NOW + 3600, "iat": NOW, "jti": "uuid",
            "scope": "https://www.googleapis.com/auth/devstorage.read_only https://a.example.com/b",
        }),
    );
    assert_eq!(
        request(&google(), &key),
        "POST https://oauth2.googleapis.com/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}"
    );
    let body = json!({"access_token": "ya29.t", "expires_in": "3599", "token_type": "Bearer"});
    let token = read(&google(), &key, Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("ya29.t", 3599));
}

#[test]
fn google_id_token_is_read_with_its_own_lifetime() {
    let inputs = [
        ("client-email", EMAIL),
        ("target-audience", "https://service.run.app"),
    ];
    let profile = profile("google-id-token", &inputs).unwrap();
    assert_signed(
        &profile,
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": EMAIL, "aud": AUD, "exp": NOW + 3600, "iat": NOW, "jti": "uuid",
            "target_audience": "https://service.run.app",
        }),
    );
    // {"iat":1700000000,"exp":1700003600}
    let id_token = "e30.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.c2ln";
    let body = json!({"id_token": id_token}).to_string();
    let token = read(&profile, &rsa_key(), Response::new(200, body.clone())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), (id_token, 3600));
    assert_eq!(token.get("id_token"), None);
    // Without target_audience nobody asked for an ID token, and the error says what came.
    assert_eq!(
        refused(read(&google(), &rsa_key(), Response::new(200, body))),
        "the response has no access_token; it has id_token: the setting token-member names the member of the token \
         (status 200)"
    );
}

#[test]
fn google_self_signed_token_is_kept_without_a_request() {
    let inputs = [
        ("client-email", EMAIL),
        ("api", "https://pubsub.googleapis.com/"),
    ];
    let profile = profile("google-self-signed", &inputs).unwrap();
    assert_signed(
        &profile,
        &rsa_key().with_key_id("key-1"),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({
            "iss": EMAIL, "sub": EMAIL, "aud": "https://pubsub.googleapis.com/",
            "exp": NOW + 3600, "iat": NOW,
        }),
    );
    let nobody = |_: &jwt_bearer::Request, _| -> std::io::Result<Response> { panic!("a request") };
    let source = TokenSource::with_transport(nobody, profile, rsa_key()).unwrap();
    let token = source.token().unwrap();
    assert_eq!(decoded(token.secret()).claims["iss"], EMAIL);
    assert_eq!(source.token().unwrap().secret(), token.secret());
}

#[test]
fn google_key_file_is_enough() {
    let file = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": pem(),
        "client_email": EMAIL, "client_id": "1", "token_uri": "https://accounts.google.com/o/oauth2/token",
    });
    let (profile, key) = provider::credentials(file.to_string()).unwrap();
    assert_eq!(key.key_id(), Some("key-1"));
    let text = request(&profile, &key);
    assert!(text.starts_with("POST https://accounts.google.com/o/oauth2/token\n"));
    assert_signed(
        &profile,
        &key,
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({"iss": EMAIL, "aud": AUD, "exp": NOW + 3600, "iat": NOW, "jti": "uuid"}),
    );
    // An assertion for another server is good for that server only.
    let mut elsewhere = file.clone();
    elsewhere["token_uri"] = "http://127.0.0.1:8080/token".into();
    let (profile, key) = provider::credentials(elsewhere.to_string()).unwrap();
    let assertion = profile.assertion(&key, now()).unwrap();
    assert_eq!(
        decoded(assertion.secret()).claims["aud"],
        "http://127.0.0.1:8080/token"
    );
    let inputs = Inputs {
        values: &[("target-audience", "https://service.run.app")],
        ..Inputs::default()
    };
    let id_token = provider("google-id-token").credentials(file.to_string(), inputs);
    assert!(id_token.is_ok());
    for kind in [
        "authorized_user",
        "external_account",
        "impersonated_service_account",
    ] {
        let file = json!({"type": kind, "refresh_token": "1//secret"}).to_string();
        let by_name = provider("google").credentials(&file, Inputs::default());
        for text in [refused(provider::credentials(&file)), refused(by_name)] {
            assert!(
                text.contains("it has no key") && !text.contains("secret"),
                "{text}"
            );
        }
    }
}

#[test]
fn google_scope_as_parameter_and_long_lifetime_are_refused() {
    let profile = google().with_scope_placement(ScopePlacement::Parameter);
    assert_eq!(
        refused(profile.assertion(&rsa_key(), now())),
        "Google ignores the parameter scope: scope belongs in the claim"
    );
    let profile = google().with_assertion_lifetime(Duration::from_secs(3601));
    assert_eq!(
        refused(profile.assertion(&rsa_key(), now())),
        "exp lies further after iat than this server accepts"
    );
    assert!(refused(google().assertion(&hmac_key(), now())).contains("this server accepts RS256"));
}

#[test]
fn google_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &google(),
        &rsa_key(),
        Denied,
        &[
            (
                400,
                error(
                    "invalid_grant",
                    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values",
                ),
                "clock",
            ),
            (
                400,
                error("invalid_grant", "Invalid JWT Signature."),
                "private_key_id",
            ),
            (
                400,
                error("invalid_grant", "Invalid grant: account not found"),
                "deleted",
            ),
            (
                400,
                error("invalid_grant", "Invalid email or User ID"),
                "subject",
            ),
            (
                401,
                error(
                    "unauthorized_client",
                    "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
                ),
                "numeric client_id",
            ),
            (
                400,
                error(
                    "invalid_scope",
                    "Invalid OAuth scope or ID token audience provided.",
                ),
                "scope URLs",
            ),
            (
                403,
                error("access_denied", "Requested client not authorized."),
                "delegation",
            ),
            (
                401,
                error("disabled_client", "The OAuth client was disabled."),
                "enable",
            ),
            (
                401,
                error("deleted_client", "The OAuth client was deleted."),
                "deleted",
            ),
        ],
    );
    assert_errors(
        &google(),
        &rsa_key(),
        Unavailable,
        &[(400, json!({"error": "internal_failure"}), "")],
    );
}
