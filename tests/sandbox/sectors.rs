//! SMART Backend Services, LTI Advantage and Maskinporten.

use std::sync::Arc;

use jwt_bearer::sandbox::{Client, Key};
use jwt_bearer::{EcKey, RsaAlgorithm};
use serde_json::{Value, json};

use super::request::{NEW, Request, now};
use super::servers::{
    assert_refused, base, denied_as, oauth, other_key, rs256, rsa, server_with, token,
};
use super::{get_json, rsa_key};

#[test]
fn smart_takes_rs384_and_es384_only_and_tells_nothing() {
    let key = rsa(RsaAlgorithm::RS384);
    let server = server_with(Client::new("app", Key::public(&key)).with_scope("system/*.rs"));
    let base = base(&server, "smart");
    let url = format!("{base}/token");
    let claims = json!({ "iss": "app", "sub": "app", "aud": url, "jti": NEW, "exp": now() + 240 });
    let request = Request::client(url.clone(), Arc::new(key), claims)
        .parameter("scope", "system/*.rs")
        .header("kid", "key-1");
    let (access_token, body) = token(&server, &request, 200, "/access_token");
    let answer = json!({
        "access_token": access_token, "token_type": "bearer", "expires_in": 300, "scope": "system/*.rs",
    });
    assert_eq!(body, answer);
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let used = change("jti", "used".into());
    assert_eq!(used.send().0, 200);
    let nothing = |code: &str| json!({ "error": code, "error_description": null });
    assert_refused([
        (
            change("aud", base.as_str().into()),
            400,
            nothing("invalid_client"),
        ),
        (
            change("exp", (now() + 400).into()),
            400,
            nothing("invalid_client"),
        ),
        (change("jti", Value::Null), 400, nothing("invalid_client")),
        (used, 400, nothing("invalid_client")),
        (
            request.clone().header("kid", Value::Null),
            400,
            nothing("invalid_client"),
        ),
        (
            request.clone().header("typ", Value::Null),
            400,
            nothing("invalid_client"),
        ),
        (
            request.clone().parameter("scope", "system/Patient.read"),
            400,
            nothing("invalid_scope"),
        ),
    ]);
    server.register(Client::new("app", Key::public(&rsa_key())).with_scope("system/*.rs"));
    let rs256 = request.clone().key(rs256());
    assert_refused([(rs256, 400, nothing("invalid_client"))]);
    let public = Key::public_pem(include_str!("../data/keys/ec-384.pub.pem")).unwrap();
    server.register(Client::new("app", public).with_scope("system/*.rs"));
    let es384 = EcKey::from_pem(include_str!("../data/keys/ec-384.pem")).unwrap();
    assert_eq!(request.key(Arc::new(es384)).send().0, 200);
    let document = get_json(&format!("{base}/.well-known/smart-configuration"));
    assert_eq!(document["token_endpoint"], url);
    let algorithms = "token_endpoint_auth_signing_alg_values_supported";
    assert_eq!(document[algorithms], json!(["RS384", "ES384"]));
}

#[test]
fn lti_wants_a_kid_and_takes_several_audiences() {
    let scope = "https://purl.imsglobal.org/spec/lti-ags/scope/score";
    let server = server_with(
        Client::new("tool", Key::public(&rsa_key()).with_id("key-1")).with_scope(scope),
    );
    let url = base(&server, "lti") + "/login/oauth2/token";
    let claims = json!({
        "iss": "tool", "sub": "tool", "aud": url, "iat": now() - 5, "exp": now() + 60, "jti": NEW,
    });
    let request = Request::client(url.clone(), rs256(), claims)
        .parameter("scope", scope)
        .header("kid", "key-1");
    token(&server, &request, 200, "/access_token");
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let canvas = "https://canvas.instructure.com/login/oauth2/token";
    for accepted in [json!([url, "https://other.example"]), canvas.into()] {
        assert_eq!(change("aud", accepted).send().0, 200);
    }
    let kid = "JWK Error: no key has this kid";
    assert_refused([
        (
            request.clone().key(other_key()),
            400,
            oauth("invalid_client", "JWS signature invalid."),
        ),
        (
            request.clone().header("kid", "key-2"),
            400,
            oauth("invalid_client", kid),
        ),
        (
            request.clone().header("kid", Value::Null),
            400,
            oauth("invalid_client", "header parameter kid is missing or wrong"),
        ),
        (
            change("aud", "https://other.example".into()),
            400,
            oauth("invalid_request", "the 'aud' is invalid"),
        ),
        (
            change("iat", (now() + 60).into()),
            400,
            oauth("invalid_request", "the 'iat' must be in the past"),
        ),
        (
            change("iat", Value::Null),
            400,
            oauth("invalid_request", "the 'iat' must be in the past"),
        ),
        (
            request.clone().parameter("scope", "other"),
            400,
            oauth("invalid_scope", "a scope is not allowed"),
        ),
    ]);
}

#[test]
fn maskinporten_checks_ten_seconds_and_numbers_its_errors() {
    let client =
        Client::new("client-1", Key::public(&rsa_key())).with_scope("skatteetaten:inntekt");
    let server = server_with(client.clone());
    let base = base(&server, "maskinporten");
    let claims = json!({
        "iss": "client-1", "aud": format!("{base}/"), "iat": now(), "exp": now() + 110, "jti": NEW,
        "scope": "skatteetaten:inntekt",
    });
    let request = Request::grant(format!("{base}/token"), rs256(), claims).header("kid", "key-1");
    token(&server, &request, 200, "/access_token");
    let chain = request
        .clone()
        .header("kid", Value::Null)
        .header("x5c", json!(["MII="]));
    assert_eq!(chain.send().0, 200);
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let used = change("jti", "used".into());
    assert_eq!(used.send().0, 200);
    let error = |code: &str, words: &str| {
        let uri = "https://docs.digdir.no/docs/Maskinporten/";
        json!({ "error": code, "error_description": words, "error_uri": uri })
    };
    let grant = |words: &str| error("invalid_grant", words);
    let client_words = "MP-100 Invalid assertion. Client authentication failed.";
    assert_refused([
        (change("iss", "other".into()), 400, grant(client_words)),
        (
            change("aud", base.as_str().into()),
            400,
            grant("MP-110 Invalid JWT claim aud"),
        ),
        (
            change("iat", (now() + 15).into()),
            400,
            grant("iat or nbf lies in the future"),
        ),
        (
            change("iat", (now() - 15).into()).claim("exp", now() + 60),
            400,
            grant("iat lies too far back"),
        ),
        (
            change("exp", (now() + 150).into()),
            400,
            grant("exp lies too far ahead"),
        ),
        (
            change("scope", Value::Null),
            400,
            grant("claim scope is missing or wrong"),
        ),
        (used, 400, grant("jti was used before")),
        (
            Request {
                assertion: "x",
                ..request.clone()
            }
            .parameter("assertion", "a b"),
            400,
            error("invalid_request", "MP-011 Invalid parameter value"),
        ),
    ]);
    for (code, words) in [
        (
            "MP-120",
            "MP-120 The assertion is signed with an invalid certificate",
        ),
        ("MP-121", "MP-121 Expired key"),
    ] {
        assert_eq!(
            denied_as(&server, &client, code, &request),
            (400, grant(words))
        );
    }
}
