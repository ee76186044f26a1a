//! <https://developer.webex.com/docs/guest-issuer>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{Profile, Response};
use serde_json::json;

use super::*;

fn webex() -> Profile {
    let inputs = [
        ("guest-issuer-id", "Y2lzY29z"),
        ("guest-id", "guest-42"),
        ("display-name", "A Guest"),
    ];
    profile("webex", &inputs).unwrap()
}

#[test]
fn webex_guest_is_logged_in_as_documented() {
    assert_signed(
        &webex(),
        &hmac_key(),
        &json!({"typ": "JWT", "alg": "HS256"}),
        &json!({
            "iss": "Y2lzY29z", "sub": "guest-42", "name": "A Guest", "exp": NOW + 60, "iat": NOW,
        }),
    );
    assert_eq!(
        request(&webex(), &hmac_key()),
        "POST https://webexapis.com/v1/jwt/login\n\
         Accept: application/json\n\
         Authorization: Bearer {jwt}\n\n"
    );
    let body = json!({"token": "NTM5", "expiresIn": 21_599});
    let response = Response::new(200, body.to_string());
    let token = read(&webex(), &hmac_key(), response).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("NTM5", 21_599));
    assert_eq!(token.authorization(), "Bearer NTM5");
}

#[test]
fn webex_limits_are_known() {
    let text = refused(webex().assertion(&rsa_key(), now()));
    assert!(text.starts_with("this server accepts HS256"), "{text}");
    let forever = webex().with_assertion_lifetime(None);
    assert_eq!(
        refused(forever.assertion(&hmac_key(), now())),
        "Webex wants the claim exp: set the lifetime of the assertion"
    );
}

#[test]
fn webex_errors_are_explained() {
    let error =
        |text: &str| json!({"message": text, "errors": [{"description": text}], "trackingId": "T"});
    assert_errors(
        &webex(),
        &hmac_key(),
        Denied,
        &[
            (
                401,
                error(
                    "The request requires a valid access token set in the Authorization request header.",
                ),
                "base64",
            ),
            (400, error("bad"), "display name"),
            (403, error("no"), "service app"),
        ],
    );
    assert_errors(
        &webex(),
        &hmac_key(),
        Unavailable,
        &[(429, error("slow down"), "keep a token")],
    );
}
