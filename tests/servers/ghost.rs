//! <https://ghost.org/docs/admin-api/#token-authentication>

use jwt_bearer::provider::ghost;
use jwt_bearer::{Audience, HmacKey, Profile, Response, Signer as _, TokenSource};
use serde_json::json;

use super::*;

/// An id and 32 bytes; the second half is the SHA-256 of nothing.
const KEY: &str =
    "6489a1f3c4d5e6f708192a3b:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn ghost() -> Profile {
    profile("ghost", &[]).unwrap()
}

#[test]
fn ghost_token_is_signed_as_documented() {
    let key = ghost::key(format!("{KEY}\n")).unwrap();
    assert_signed(
        &ghost(),
        &key,
        &json!({"typ": "JWT", "alg": "HS256", "kid": "6489a1f3c4d5e6f708192a3b"}),
        &json!({"aud": "/admin/", "exp": NOW + 300, "iat": NOW}),
    );
    let nobody = |_: &jwt_bearer::Request, _| -> std::io::Result<Response> { panic!("a request") };
    let source = TokenSource::with_transport(nobody, ghost(), key).unwrap();
    let token = source.token().unwrap();
    assert_eq!(token.header_name(), "Authorization");
    assert_eq!(token.authorization(), format!("Ghost {}", token.secret()));
}

#[test]
fn ghost_secret_is_decoded() {
    let bytes = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ];
    let signed = |key: &HmacKey| key.sign(b"message").unwrap();
    let key = HmacKey::new(bytes).unwrap();
    assert_eq!(signed(&ghost::key(KEY).unwrap()), signed(&key));
    for text in ["", "6489a1f3", ":e3b0", "secret:e3b0"] {
        assert_eq!(
            refused(ghost::key(text)),
            "this is no Admin API key of Ghost, which is an id, a colon and a secret: copy it whole"
        );
    }
    assert_eq!(
        refused(ghost::key("6489a1f3:xyz")),
        "the HMAC secret is not hexadecimal"
    );
}

#[test]
fn ghost_limits_are_known() {
    let key = ghost::key(KEY).unwrap();
    assert_eq!(
        refused(ghost().assertion(&hmac_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let long = ghost().with_assertion_lifetime(Duration::from_secs(301));
    assert_eq!(
        refused(long.assertion(&key, now())),
        "exp lies further after iat than this server accepts"
    );
    let url = ghost().with_audience(Audience::Fixed(
        "https://blog.example.com/ghost/api/admin".to_owned(),
    ));
    assert_eq!(
        refused(url.assertion(&key, now())),
        "Ghost wants a path as audience: /admin/, or /v3/admin/ before version 5"
    );
    let old = ghost().with_audience(Audience::Fixed("/v3/admin/".to_owned()));
    assert!(old.assertion(&key, now()).is_ok());
    let text = refused(ghost().assertion(&rsa_key().with_key_id("x"), now()));
    assert!(text.contains("the key signs RS256"), "{text}");
}
