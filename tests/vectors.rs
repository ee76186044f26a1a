//! Signatures against other implementations: published ones are reproduced byte for byte, and
//! `ring` verifies ours and rejects every change to them.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, RsaKey, Signer};
use ring::{hmac, signature};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

#[track_caller]
fn text<'v>(vectors: &'v Value, pointer: &str) -> &'v str {
    vectors.pointer(pointer).unwrap().as_str().unwrap()
}

#[track_caller]
fn decoded(base64url: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64url).unwrap()
}

/// Returns the keys that sign the JWS at this JSON pointer of `vectors.json`.
#[track_caller]
fn signers(pointer: &str, alg: &str) -> Vec<Box<dyn Signer>> {
    let vectors = vectors();
    let pem = |format| RsaKey::from_pem(text(&vectors, format)).unwrap();
    match (alg, pointer) {
        ("RS256", _) => vec![
            Box::new(pem("/key/pkcs1_pem")),
            Box::new(pem("/key/pkcs8_pem")),
        ],
        ("HS256", "/rfc7515_a1_hs256/jws") => {
            let secret = decoded(text(&vectors, "/rfc7515_a1_hs256/k_b64url"));
            vec![Box::new(HmacKey::new(secret).unwrap())]
        }
        ("HS256", "/cylance/jws") => {
            let secret = text(&vectors, "/cylance/secret_utf8");
            vec![Box::new(HmacKey::new(secret).unwrap())]
        }
        _ => panic!("{pointer} is {alg}: which key signs it?"),
    }
}

/// Returns `alg` of the header if `text` looks like a JWS: `eyJ` is `{"` in base64url.
#[track_caller]
fn alg_of(text: &str) -> Option<String> {
    let is_jws = text.starts_with("eyJ") && text.matches('.').count() == 2;
    let header = text.split('.').next().filter(|_| is_jws)?;
    let header: Value = serde_json::from_slice(&decoded(header)).unwrap();
    Some(header["alg"].as_str().unwrap().to_owned())
}

/// Finds every JWS in `value` at any depth: its JSON pointer, its `alg`, its text.
fn all_jws(value: &Value, pointer: &str, found: &mut Vec<(String, String, String)>) {
    match value {
        Value::String(text) => {
            let jws = alg_of(text).map(|alg| (pointer.to_owned(), alg, text.clone()));
            found.extend(jws);
        }
        Value::Array(elements) => (elements.iter().enumerate())
            .for_each(|(n, element)| all_jws(element, &format!("{pointer}/{n}"), found)),
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| all_jws(member, &format!("{pointer}/{name}"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Checks that every signer of the JWS makes its third segment from the first two.
#[track_caller]
fn signs_byte_for_byte(pointer: &str, alg: &str, jws: &str) {
    let (message, signature) = jws.rsplit_once('.').unwrap();
    for signer in signers(pointer, alg) {
        assert_eq!(signer.algorithm().name(), alg, "{pointer}");
        let ours = signer.sign(message.as_bytes()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(ours), signature, "{pointer}");
    }
}

#[test]
fn vectors_are_signed_byte_for_byte() {
    let mut found = Vec::new();
    all_jws(&vectors(), "", &mut found);
    for (pointer, alg, jws) in &found {
        signs_byte_for_byte(pointer, alg, jws);
    }
    let found: Vec<_> = found
        .iter()
        .map(|(at, alg, _)| (at.as_str(), alg.as_str()))
        .collect();
    let expected = [
        ("/cylance/jws", "HS256"),
        ("/mci/compact_json_jws", "RS256"),
        ("/mci/gehirn_jwt_1_3_1_jws", "RS256"),
        ("/rfc7515_a1_hs256/jws", "HS256"),
        ("/rfc7515_a2_rs256/jws", "RS256"),
        ("/salesforce/header_typ_jws", "RS256"),
        ("/salesforce/jws", "RS256"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn rfc_7515_a1_and_a2_signatures_are_the_printed_ones() {
    // Copied from the RFC, independently of vectors.json.
    let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4\
        MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let [hs256] = signers("/rfc7515_a1_hs256/jws", "HS256")
        .try_into()
        .ok()
        .unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(hs256.sign(message.as_bytes()).unwrap()),
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let message = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
        Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for rs256 in signers("/rfc7515_a2_rs256/jws", "RS256") {
        assert_eq!(
            URL_SAFE_NO_PAD.encode(rs256.sign(message.as_bytes()).unwrap()),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt\
             _O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL\
             IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7no\
             OPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
             Ge77Rw"
        );
    }
}

// One check for every algorithm, with `ring` as the verifier

/// Returns whether a signature belongs to a message.
type Verifier = dyn Fn(&[u8], &[u8]) -> bool;

/// Checks that an assertion of `signer` verifies, and that it does not with one bit or character
/// changed, or when `other` signed it.
#[track_caller]
fn conforms(signer: &dyn Signer, other: &dyn Signer, accepts: &Verifier) {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let assertion = profile.assertion(signer, SystemTime::now()).unwrap();
    let (message, signature) = assertion.secret().rsplit_once('.').unwrap();
    let (message, signature) = (message.as_bytes(), decoded(signature));
    assert!(accepts(message, &signature));

    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!accepts(message, &flipped), "bit {bit} of the signature");
    }
    for cut in [0, 1, signature.len() - 1] {
        assert!(
            !accepts(message, &signature[..cut]),
            "{cut} bytes of the signature"
        );
    }
    // Every character of header and claims counts, and the dot between them.
    for at in 0..message.len() {
        let mut altered = message.to_vec();
        altered[at] ^= 1;
        assert!(
            !accepts(&altered, &signature),
            "character {at} of header and claims"
        );
    }
    let claims = message.split(|byte| *byte == b'.').nth(1).unwrap();
    for header in [r#"{"alg":"none"}"#, r#"{"typ":"JWT","alg":"HS512"}"#, "{}"] {
        let altered = [URL_SAFE_NO_PAD.encode(header).as_bytes(), b".", claims].concat();
        assert!(!accepts(&altered, &signature), "header {header}");
    }

    assert_eq!(other.algorithm(), signer.algorithm());
    let foreign = other.sign(message).unwrap();
    assert_eq!(foreign.len(), signature.len());
    assert!(!accepts(message, &foreign), "the signature of another key");
    assert!(accepts(message, &signer.sign(message).unwrap()));
}

#[test]
fn rs256_signature_verifies_with_ring_and_any_change_does_not() {
    let vectors = vectors();
    let [n, e] = ["/key/n", "/key/e"].map(|part| decoded(text(&vectors, part)));
    let public = signature::RsaPublicKeyComponents { n, e };
    let accepts = move |message: &[u8], signature: &[u8]| {
        let algorithm = &signature::RSA_PKCS1_2048_8192_SHA256;
        public.verify(algorithm, message, signature).is_ok()
    };
    let key = RsaKey::from_pem(text(&vectors, "/key/pkcs8_pem")).unwrap();
    let other = RsaKey::from_der(include_bytes!("data/keys/rsa-2048.der")).unwrap();
    conforms(&key, &other, &accepts);
    conforms(&key.with_key_id("k1"), &other, &accepts);
}

#[test]
fn hs256_signature_verifies_with_ring_and_any_change_does_not() {
    let vectors = vectors();
    let secret = text(&vectors, "/cylance/secret_utf8");
    let ours = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let accepts =
        move |message: &[u8], signature: &[u8]| hmac::verify(&ours, message, signature).is_ok();
    let key = HmacKey::new(secret).unwrap();
    let other = HmacKey::new(format!("{secret}\n")).unwrap();
    conforms(&key, &other, &accepts);
    conforms(&key.with_key_id("k1"), &other, &accepts);
}
