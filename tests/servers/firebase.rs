//! <https://firebase.google.com/docs/auth/admin/create-custom-tokens>,
//! <https://cloud.google.com/identity-platform/docs/reference/rest/v1/accounts/signInWithCustomToken>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::provider::{self, Inputs};
use jwt_bearer::{Profile, Response, Signer as _};
use serde_json::json;

use super::*;

const EMAIL: &str = "firebase-adminsdk-1@project.iam.gserviceaccount.com";
const AUD: &str =
    "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit";

fn firebase() -> Profile {
    let inputs = [
        ("client-email", EMAIL),
        ("uid", "user-1"),
        ("api-key", "AIza-1_x"),
    ];
    profile("firebase", &inputs).unwrap()
}

#[test]
fn firebase_id_token_is_asked_for_as_documented() {
    let profile = firebase().with_claim("claims", json!({"premium": true}));
    assert_signed(
        &profile,
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": EMAIL, "sub": EMAIL, "aud": AUD, "exp": NOW + 3600, "iat": NOW,
            "uid": "user-1", "claims": {"premium": true},
        }),
    );
    assert_eq!(
        request(&profile, &rsa_key()),
        "POST https://identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken?key=AIza-1_x\n\
         Accept: application/json\n\
         Content-Type: application/json\n\n\
         {\"returnSecureToken\":true,\"token\":\"{jwt}\"}"
    );
    let body =
        json!({"idToken": "eyJ.t", "refreshToken": "r", "expiresIn": "3600", "isNewUser": false});
    let token = read(&profile, &rsa_key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3600));
}

#[test]
fn firebase_reads_the_key_file_of_google() {
    let file = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": pem(),
        "client_email": EMAIL, "client_id": "1", "token_uri": "https://oauth2.googleapis.com/token",
    });
    let inputs = Inputs {
        values: &[("uid", "user-1"), ("api-key", "AIza")],
        ..Inputs::default()
    };
    let firebase = provider("firebase").credentials(file.to_string(), inputs);
    let (profile, key) = firebase.unwrap();
    assert_eq!(key.key_id(), Some("key-1"));
    assert_signed(
        &profile,
        &key,
        &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}),
        &json!({"iss": EMAIL, "sub": EMAIL, "aud": AUD, "exp": NOW + 3600, "iat": NOW, "uid": "user-1"}),
    );
    let of_file = provider::provider_of_credentials(file.to_string()).unwrap();
    assert_eq!(of_file.name, "google");
}

#[test]
fn firebase_limits_are_known() {
    for uid in ["", &"u".repeat(129)] {
        let profile = Profile::firebase(EMAIL, uid, "AIza").unwrap();
        assert_eq!(
            refused(profile.assertion(&rsa_key(), now())),
            "Firebase wants a uid of 1 to 128 characters"
        );
    }
    let longest = Profile::firebase(EMAIL, "u".repeat(128), "AIza").unwrap();
    assert!(longest.assertion(&rsa_key(), now()).is_ok());
    let long = firebase().with_assertion_lifetime(Duration::from_secs(3601));
    assert_eq!(
        refused(long.assertion(&rsa_key(), now())),
        "exp lies further after iat than this server accepts"
    );
    let text = refused(firebase().assertion(&ec_key(), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
    let text = request(&Profile::firebase(EMAIL, "u", "a&b").unwrap(), &rsa_key());
    assert!(text.contains("?key=a%26b\n"), "{text}");
}

#[test]
fn firebase_errors_are_explained() {
    let error = |code: u16, text: &str| json!({"error": {"code": code, "message": text, "errors": [{"message": text, "reason": "invalid"}]}});
    assert_errors(
        &firebase(),
        &rsa_key(),
        Denied,
        &[
            (
                400,
                error(400, "INVALID_CUSTOM_TOKEN : Invalid signature"),
                "this project",
            ),
            (400, error(400, "CREDENTIAL_MISMATCH"), "one project"),
            (
                400,
                error(400, "API key not valid. Please pass a valid API key."),
                "web API key",
            ),
            (
                401,
                error(401, "Firebase App Check token is invalid."),
                "App Check",
            ),
            (400, error(400, "CONFIGURATION_NOT_FOUND"), "Authentication"),
            (400, error(400, "USER_DISABLED"), "enable the user"),
        ],
    );
    assert_errors(
        &firebase(),
        &rsa_key(),
        Unavailable,
        &[(429, json!({}), "keep a token")],
    );
}
