//! <https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/>,
//! <https://developers.line.biz/en/reference/messaging-api/#channel-access-token>

use jwt_bearer::ErrorKind::{Denied, Unavailable};

use super::*;

const CHANNEL: &str = "1234567890";

fn stateless() -> Profile {
    profile("line", &[("channel-id", CHANNEL)]).unwrap()
}
fn v2_1(token_exp: &str) -> Result<Profile, Error> {
    profile("line", &[("channel-id", CHANNEL), ("token-exp", token_exp)])
}
fn key() -> RsaKey {
    rsa_key().with_key_id("536e453c-aa93-4449-8e90-add2608783c6")
}

#[test]
fn line_stateless_token_is_asked_for_as_documented() {
    assert_signed(
        &stateless(),
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "536e453c-aa93-4449-8e90-add2608783c6"}),
        &json!({
            "iss": CHANNEL, "sub": CHANNEL, "aud": "https://api.line.me/",
            "exp": NOW + 60, "iat": NOW,
        }),
    );
    assert_eq!(
        request(&stateless(), &key()),
        "POST https://api.line.me/oauth2/v3/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={jwt}"
    );
    let body = json!({"access_token": "ey.st", "expires_in": 899, "token_type": "Bearer"});
    let token = read(&stateless(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("ey.st", 899));
}

#[test]
fn line_v2_1_token_has_the_lifetime_that_is_asked_for() {
    let profile = v2_1("2592000").unwrap();
    assert_signed(
        &profile,
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "536e453c-aa93-4449-8e90-add2608783c6"}),
        &json!({
            "iss": CHANNEL, "sub": CHANNEL, "aud": "https://api.line.me/",
            "exp": NOW + 60, "iat": NOW, "token_exp": 2_592_000,
        }),
    );
    let text = request(&profile, &key());
    assert!(text.starts_with("POST https://api.line.me/oauth2/v2.1/token\n"));
    let body = json!({
        "access_token": "eyJhbGciOiJIUz", "token_type": "Bearer", "expires_in": 2_592_000,
        "key_id": "sDTOzw5wIfxxxxPEzcmeQA",
    });
    let token = read(&profile, &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!(
        (lifetime(&token), token.get("key_id")),
        (2_592_000, Some("sDTOzw5wIfxxxxPEzcmeQA"))
    );
}

#[test]
fn line_limits_are_checked() {
    let refused = |profile: Profile| refused(profile.assertion(&key(), now()));
    for seconds in ["0", "2592001"] {
        assert_eq!(
            refused(v2_1(seconds).unwrap()),
            "LINE's tokens live 30 days at most: set token_exp to 1 to 2592000 seconds"
        );
    }
    assert_eq!(
        super::refused(v2_1("30 days")),
        "token-exp is not a whole number of seconds"
    );
    let longest = stateless().with_assertion_lifetime(Duration::from_secs(1800));
    assert!(longest.assertion(&key(), now()).is_ok());
    assert_eq!(
        refused(stateless().with_assertion_lifetime(Duration::from_secs(1801))),
        "exp lies further ahead than this server accepts"
    );
    assert_eq!(
        super::refused(stateless().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let ec = ec_key().with_key_id("k");
    assert!(super::refused(stateless().assertion(&ec, now())).contains("accepts RS256"));
    let long = RsaKey::from_der(include_bytes!("../data/keys/rsa-3072.der")).unwrap();
    assert_eq!(
        super::refused(stateless().assertion(&long.with_key_id("k"), now())),
        "the RSA key has 3072 bits, and this server accepts at most 2048"
    );
}

#[test]
fn line_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &stateless(),
        &key(),
        Denied,
        &[
            (
                400,
                error("invalid_client", "invalid jwt"),
                "another channel",
            ),
            (
                400,
                error("invalid_request", "token limit exceeded"),
                "token store",
            ),
            (400, error("invalid_request", ""), "tokens v2.1"),
            (400, error("unsupported_grant_type", ""), "added"),
            (400, json!({"error": {"a": 1}}), "tokens v2.1"),
        ],
    );
    let message = json!({"message": "The API rate limit has been exceeded. Try again later."});
    assert_errors(
        &stateless(),
        &key(),
        Unavailable,
        &[(429, message, "as long as it lives")],
    );
}
