//! Private JWKs: where in a text they are found, which of them sign, and what the others are called.
#![cfg(all(feature = "rsa", feature = "ring"))]

use std::error::Error as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use jwt_bearer::{
    Algorithm, EcKey, Ed25519Key, Error, ErrorKind, HmacKey, Key, RingRsaKey, RsaKey, Signer,
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};

/// The message that OpenSSL signed with the keys of `data/keys`.
const MESSAGE: &[u8] = b"header.claims";

macro_rules! jwk {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("data/jwk/", $name, ".json"))).unwrap()
    };
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

/// The key of RFC 7515 §A.2.
fn rfc7515_a2() -> Value {
    jwk!("rfc7515-a2")
}
fn without(mut jwk: Value, names: &[&str]) -> Value {
    let members = jwk.as_object_mut().unwrap();
    members.retain(|name, _| !names.contains(&name.as_str()));
    jwk
}
fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}
fn public(jwk: Value) -> Value {
    without(jwk, &["d", "p", "q", "dp", "dq", "qi"])
}

/// Checks that the text is read as the key of RFC 7515 §A.2: it makes the signature that is printed there.
#[track_caller]
fn is_rfc7515_a2(text: impl AsRef<[u8]>) {
    let jws = vectors()["rfc7515_a2_rs256"]["jws"].clone();
    let (message, signature) = jws.as_str().unwrap().rsplit_once('.').unwrap();
    let key = RsaKey::read(&text).unwrap();
    assert_eq!(key.repairs(), [""; 0]);
    for key in [Key::Rsa(key), Key::read(&text).unwrap()] {
        let ours = key.sign(message.as_bytes()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(ours), signature);
        assert_eq!(key.algorithm(), Algorithm::Rs256);
    }
}

/// Checks that the text is refused with `message`, and that no output repeats a text of its members.
#[track_caller]
fn refuses(text: impl AsRef<[u8]>, message: &str) {
    let error = Key::read(&text).unwrap_err();
    is_key_error(&error, message);
    let printed = format!("{error:?}");
    let text = String::from_utf8_lossy(text.as_ref());
    for secret in text.split('"').filter(|word| word.len() > 16) {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[track_caller]
fn is_key_error(error: &Error, message: &str) {
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.source().is_none());
}

#[track_caller]
fn verifies(
    how: &'static dyn VerificationAlgorithm,
    jwk: &Value,
    message: &[u8],
    signature: &[u8],
) {
    let [x, y] = ["x", "y"].map(|name| {
        let text = jwk[name].as_str().unwrap();
        URL_SAFE_NO_PAD.decode(text).unwrap()
    });
    let point = [&[4], &*x, &y].concat();
    let key = UnparsedPublicKey::new(how, point);
    key.verify(message, signature).unwrap();
}

// RSA

#[test]
fn rsa_jwk_signs_as_rfc_7515_prints() {
    is_rfc7515_a2(rfc7515_a2().to_string());
    let ring = RingRsaKey::read(rfc7515_a2().to_string()).unwrap();
    let rsa = RsaKey::read(rfc7515_a2().to_string()).unwrap();
    assert_eq!(ring.sign(MESSAGE).unwrap(), rsa.sign(MESSAGE).unwrap());
}

#[test]
fn rsa_jwk_without_primes_or_without_crt_numbers_signs_the_same() {
    let crt = ["dp", "dq", "qi"];
    let all = ["p", "q", "dp", "dq", "qi"];
    is_rfc7515_a2(without(rfc7515_a2(), &all).to_string());
    let jwk = without(rfc7515_a2(), &crt).to_string();
    let key = RsaKey::read(&jwk).unwrap();
    assert_eq!(key.repairs(), ["numbers of the key were missing"]);
    let whole = RsaKey::read(rfc7515_a2().to_string()).unwrap();
    assert_eq!(key.sign(MESSAGE).unwrap(), whole.sign(MESSAGE).unwrap());
    is_key_error(
        &RingRsaKey::read(jwk).unwrap_err(),
        "this RSA key lacks its primes or the numbers after them, and ring does not compute them: use the feature rsa, \
         which does",
    );
}

/// `ring` accepts a key whose dP or dQ belongs to another key, and then cannot sign.
#[cfg(feature = "cli")]
#[test]
fn rsa_jwk_signs_by_ring_where_its_exponents_match() {
    let whole = RsaKey::read(rfc7515_a2().to_string()).unwrap();
    for (wrong, is_ring) in [(None, true), (Some("dp"), false), (Some("dq"), false)] {
        let mut jwk = rfc7515_a2();
        if let Some(name) = wrong {
            let mut bytes = URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            *bytes.last_mut().unwrap() ^= 2; // odd as before
            jwk[name] = URL_SAFE_NO_PAD.encode(bytes).into();
        }
        let key = Key::read_preferring_ring(jwk.to_string().as_bytes(), None, None).unwrap();
        assert_eq!(matches!(key, Key::RingRsa(_)), is_ring, "{wrong:?}");
        assert_eq!(key.sign(MESSAGE).unwrap(), whole.sign(MESSAGE).unwrap());
    }
}

#[test]
fn rsa_jwk_of_node_signs_as_openssl_with_the_same_key() {
    let key = RsaKey::read(include_str!("data/jwk/rsa-2048.json")).unwrap();
    let signature = include_bytes!("data/keys/rsa-2048.sig");
    assert_eq!(key.sign(MESSAGE).unwrap(), signature);
    let der = RsaKey::from_der(include_bytes!("data/keys/rsa-2048.der")).unwrap();
    assert_eq!(key.thumbprint(), der.thumbprint());
}

#[test]
fn padding_the_other_alphabet_escapes_and_leading_zeros_are_taken() {
    let encoded = |encode: &dyn Fn(&[u8]) -> String| {
        let mut jwk = rfc7515_a2();
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let bytes = URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            jwk[name] = encode(&bytes).into();
        }
        jwk.to_string()
    };
    is_rfc7515_a2(encoded(&|bytes| URL_SAFE.encode(bytes)));
    let base64 = encoded(&|bytes| STANDARD.encode(bytes));
    assert!(base64.contains('+') && base64.contains('/') && base64.contains('='));
    is_rfc7515_a2(&base64);
    is_rfc7515_a2(base64.replace('/', "\\/")); // as PHP writes JSON
    is_rfc7515_a2(base64.replace('+', "\\u002B")); // as .NET writes JSON
    is_rfc7515_a2(encoded(&|bytes| {
        URL_SAFE_NO_PAD.encode([&[0], bytes].concat())
    }));
    let lines = |bytes: &[u8]| {
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let (front, back) = text.split_at(text.len() / 2);
        format!("{front}\n{back}\n")
    };
    is_rfc7515_a2(encoded(&lines));
}

#[test]
fn member_that_is_null_or_empty_counts_as_missing() {
    let empty = without(rfc7515_a2(), &["p", "q", "dp", "dq", "qi"]);
    let empty = with(empty, "p", "");
    let empty = with(with(empty, "q", Value::Null), "kid", Value::Null);
    is_rfc7515_a2(with(empty, "oth", Value::Null).to_string());
    let public = with(public(rfc7515_a2()), "d", Value::Null);
    refuses(public.to_string(), PUBLIC);
}

#[test]
fn of_two_members_with_one_name_the_last_is_taken() {
    // RFC 7517 §4 allows this, or refusing them.
    let jwk = rfc7515_a2().to_string();
    is_rfc7515_a2(jwk.replacen('{', r#"{"kty":"EC","d":"AQAB","#, 1));
}

#[test]
fn alg_and_kid_come_from_the_jwk() {
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ] {
        let jwk = with(rfc7515_a2(), "alg", algorithm.name());
        let jwk = with(jwk, "kid", "clé \u{1f511}").to_string();
        let escaped = jwk.replace("clé \u{1f511}", "cl\\u00e9 \\ud83d\\udd11");
        for text in [&jwk, &escaped] {
            let key = RsaKey::read(text).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.key_id(), Some("clé \u{1f511}"));
            assert_eq!(RingRsaKey::read(text).unwrap().algorithm(), algorithm);
        }
    }
    let key = RsaKey::read(with(rfc7515_a2(), "kid", "one").to_string()).unwrap();
    assert_eq!(key.with_key_id("other").key_id(), Some("other"));
}

#[test]
fn rsa_jwk_whose_numbers_do_not_belong_together_is_refused() {
    let misfit = "the parts of this RSA key do not belong together";
    for name in ["n", "d", "p"] {
        let other = jwk!("rsa-2048")[name].clone();
        refuses(with(rfc7515_a2(), name, other).to_string(), misfit);
    }
    let exponent = with(rfc7515_a2(), "e", "Aw").to_string();
    refuses(exponent, misfit);
}

// EC, Ed25519, and secrets

#[test]
fn ec_jwk_of_rfc_7515_signs_es256() {
    let key = EcKey::read(include_str!("data/jwk/rfc7515-a3.json")).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Es256);
    let signature = key.sign(MESSAGE).unwrap();
    let jwk = jwk!("rfc7515-a3");
    verifies(&ECDSA_P256_SHA256_FIXED, &jwk, MESSAGE, &signature);
    // The signature that the RFC prints is by the public key of this one.
    let printed =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{claims}");
    let printed = URL_SAFE_NO_PAD.decode(printed).unwrap();
    let ours = serde_json::from_str(&key.public_jwk()).unwrap();
    verifies(
        &ECDSA_P256_SHA256_FIXED,
        &ours,
        message.as_bytes(),
        &printed,
    );
}

#[test]
fn ec_jwks_of_node_are_the_keys_of_openssl() {
    let p256 = EcKey::read(include_str!("data/jwk/p-256.json")).unwrap();
    let pem = EcKey::from_pem(include_str!("data/keys/ec-pkcs8.pem")).unwrap();
    assert_eq!(p256.public_pem(), pem.public_pem());
    let p384 = EcKey::read(include_str!("data/jwk/p-384.json")).unwrap();
    let pem = EcKey::from_pem(include_str!("data/jwk/p-384.pem")).unwrap();
    assert_eq!(p384.public_pem(), pem.public_pem());
    assert_eq!(p384.algorithm(), Algorithm::Es384);
    let signature = p384.sign(MESSAGE).unwrap();
    let jwk = jwk!("p-384");
    verifies(&ECDSA_P384_SHA384_FIXED, &jwk, MESSAGE, &signature);
}

#[test]
fn ec_coordinates_with_and_without_leading_zeros_are_one_key() {
    // The first multiple of the base point whose x begins with a zero byte, computed by OpenSSL.
    let x = "5543894af3d00ed7d740abdbd75c96b06877b787db5f70eea78b90a8d7c00a";
    let y = "bb4c85a3d8ea29efaafa24406912dd84d5b14dc32bf656ef6c6bd58a5d943f92";
    let jwk = |zeros: bool| {
        let [x, y, d] = [x, y, "17b"].map(|hex| {
            let digits = format!("{hex:0>64}");
            let bytes = (0..32).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap());
            let bytes: Vec<u8> = match zeros {
                true => bytes.collect(),
                false => bytes.skip_while(|byte| *byte == 0).collect(),
            };
            URL_SAFE_NO_PAD.encode(bytes)
        });
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d }).to_string()
    };
    let [with, without] = [jwk(true), jwk(false)].map(|jwk| EcKey::read(jwk).unwrap());
    assert_eq!(with.public_pem(), without.public_pem());
}

#[test]
fn ed25519_jwk_signs_as_rfc_8037_prints() {
    let key = Ed25519Key::read(include_str!("data/jwk/rfc8037-a1.json")).unwrap();
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        URL_SAFE_NO_PAD.encode(key.sign(message).unwrap()),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    // RFC 8037 §A.3.
    assert_eq!(
        key.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    let pem = Ed25519Key::from_pem(include_str!("data/keys/ed25519.pem")).unwrap();
    let node = Ed25519Key::read(include_str!("data/jwk/ed25519.json")).unwrap();
    assert_eq!(node.sign(MESSAGE).unwrap(), pem.sign(MESSAGE).unwrap());
    // RFC 9864 gives this algorithm a name of its own.
    let named = with(jwk!("ed25519"), "alg", "Ed25519").to_string();
    assert_eq!(Key::read(named).unwrap().algorithm(), Algorithm::EdDsa);
}

#[test]
fn secret_in_a_jwk_signs_as_rfc_7515_prints() {
    let vector = vectors()["rfc7515_a1_hs256"].clone();
    let (message, signature) = vector["jws"].as_str().unwrap().rsplit_once('.').unwrap();
    // The first key of this set is one that encrypts.
    let key = Key::read(include_str!("data/jwk/rfc7517-a3.json")).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap()),
        signature
    );
    assert_eq!(
        key.key_id(),
        Some("HMAC key used in JWS spec Appendix A.1 example")
    );
    assert!(matches!(key, Key::Hmac(_)));
    let jwk = json!({ "kty": "oct", "k": vector["k_b64url"], "alg": "HS512" });
    let key = Key::read(jwk.to_string()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Hs512);
}

// Where a JWK may be

#[test]
fn key_of_a_set_is_found_by_its_id() {
    let ed25519 = with(jwk!("rfc8037-a1"), "kid", "2026");
    let set = json!({ "keys": [with(public(rfc7515_a2()), "kid", "2026"), rfc7515_a2(), ed25519] });
    // As it is, in an array alone, in base64, as a text, and in UTF-16.
    let array = set["keys"].to_string();
    let quoted = json!({ "jwks": set.to_string() }).to_string();
    let utf16: Vec<u8> = array.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts = [
        set.to_string().into_bytes(),
        array.clone().into_bytes(),
        STANDARD.encode(&array).into_bytes(),
        quoted.into_bytes(),
        utf16,
    ];
    for text in texts {
        let key = Key::read_with_id(&text, "2026").unwrap();
        assert!(matches!(key, Key::Ed25519(_)));
        assert_eq!(key.key_id(), Some("2026"));
        assert_ne!(
            key.repairs(),
            ["there were several private keys: the first one is used"]
        );
        let error = Key::read_with_id(&text, "2025").unwrap_err();
        is_key_error(&error, "no private key has the ID 2025; their IDs are 2026");
    }
    // The key of RFC 7517 §A.3 that may sign has an ID, and the one before it has none.
    let set = include_str!("data/jwk/rfc7517-a3.json");
    let id = "HMAC key used in JWS spec Appendix A.1 example";
    assert!(matches!(Key::read_with_id(set, id), Ok(Key::Hmac(_))));
}

#[test]
fn id_names_a_key_that_is_not_in_a_set_or_has_no_id() {
    let named = with(rfc7515_a2(), "kid", "2025").to_string();
    let set = json!({ "keys": [rfc7515_a2(), jwk!("rsa-2048")] }).to_string();
    let pem = include_str!("data/keys/ed25519.pem").to_owned();
    for text in [named, set, pem] {
        let key = Key::read_with_id(&text, "2026").unwrap();
        assert_eq!(key.key_id(), Some("2026"));
        let first = Key::read(&text).unwrap();
        assert_eq!(key.sign(MESSAGE).unwrap(), first.sign(MESSAGE).unwrap());
        assert_eq!(key.repairs(), first.repairs());
    }
    let error = Key::read_with_id(public(rfc7515_a2()).to_string(), "2026").unwrap_err();
    is_key_error(
        &error,
        "this JWK is a public key: its private key has a member d",
    );
}

/// A set is an array; a key alone may be beside an array of something else, before or after it.
#[test]
fn id_names_a_key_alone_beside_any_array() {
    let jwk = with(rfc7515_a2(), "kid", "2025");
    for json in [
        json!({ "aud": ["x"], "jwk": jwk }),
        json!({ "jwk": jwk, "zzz": ["x"] }),
        json!({ "aud": [public(jwk!("rsa-2048"))], "jwk": jwk.to_string() }),
        json!({ "keys": jwk }),
        json!([{ "app": ["x"], "jwk": jwk }]),
        json!({ "copy": STANDARD.encode(jwk.to_string()), "jwk": jwk }),
    ] {
        let key = Key::read_with_id(json.to_string(), "2026").unwrap();
        assert_eq!(key.key_id(), Some("2026"), "{json}");
    }
}

#[test]
fn key_with_the_id_is_found_among_keys_at_any_place() {
    let rsa = with(rfc7515_a2(), "kid", "2025");
    let ed25519 = with(jwk!("rfc8037-a1"), "kid", "2026");
    let unnamed = jwk!("rsa-2048");
    let damaged = with(rsa.clone(), "d", "%%%%");
    for json in [
        json!({ "a": rsa, "b": ed25519 }),
        json!({ "a": unnamed, "b": ed25519 }),
        json!({ "a": damaged, "b": ed25519 }),
        json!({ "a": { "jwk": rsa }, "keys": [ed25519] }),
        json!({ "aud": ["x"], "keys": [rsa, ed25519], "z": unnamed }),
        json!([{ "jwk": rsa }, { "jwk": ed25519 }]),
        json!([{ "keys": [rsa] }, { "keys": [unnamed, ed25519] }]),
        json!([[rsa], [[ed25519]]]),
        json!([rsa.to_string(), ed25519.to_string()]),
        json!({ "keys": json!([rsa.to_string(), STANDARD.encode(ed25519.to_string())]).to_string() }),
    ] {
        let key = Key::read_with_id(json.to_string(), "2026").unwrap();
        assert!(matches!(key, Key::Ed25519(_)), "{json}");
        assert_eq!(key.repairs(), [""; 0]);
        let error = Key::read_with_id(json.to_string(), "2027").unwrap_err();
        let message = error.to_string();
        let start = "no private key has the ID 2027; their IDs are ";
        assert!(
            message.starts_with(start) && message.ends_with("2026"),
            "{json}: {message}"
        );
    }
    for set in [
        json!({ "aud": ["x"], "keys": [rsa], "z": "x" }),
        json!([rsa.to_string()]),
        json!([[rsa]]),
    ] {
        let error = Key::read_with_id(set.to_string(), "2026").unwrap_err();
        is_key_error(&error, "no private key has the ID 2026; their IDs are 2025");
    }
}

#[test]
fn id_is_not_compared_with_those_of_keys_that_do_not_sign() {
    let encrypts = with(with(jwk!("rsa-2048"), "use", "enc"), "kid", "2024");
    let signs = with(rfc7515_a2(), "kid", "2025");
    let mut numbered = encrypts.clone();
    numbered["kid"] = json!(2024);
    for json in [
        json!({ "encryption": encrypts, "signature": signs }),
        json!({ "keys": [encrypts, rfc7515_a2()] }),
        json!({ "keys": [numbered, with(rfc7515_a2(), "kid", "2026")] }),
    ] {
        let key = Key::read_with_id(json.to_string(), "2026").unwrap();
        assert_eq!(
            key.thumbprint(),
            Key::read(rfc7515_a2().to_string()).unwrap().thumbprint()
        );
    }
    // The key that is asked for must not be replaced by another one.
    for json in [
        json!({ "keys": [encrypts, signs] }),
        json!({ "encryption": encrypts, "signature": signs }),
    ] {
        let error = Key::read_with_id(json.to_string(), "2024").unwrap_err();
        is_key_error(&error, "this JWK is not for signing: its use is not sig");
    }
    let same_id = json!({ "keys": [encrypts, with(rfc7515_a2(), "kid", "2024")] });
    let key = Key::read_with_id(same_id.to_string(), "2024").unwrap();
    assert_eq!(key.key_id(), Some("2024"));
    let set = json!({ "keys": [encrypts] }).to_string();
    let error = Key::read_with_id(&set, "2026").unwrap_err();
    is_key_error(&error, "this JWK is not for signing: its use is not sig");
}

#[test]
fn several_keys_with_the_id_are_reported() {
    let [one, other] = [rfc7515_a2(), jwk!("rsa-2048")].map(|jwk| with(jwk, "kid", "2026"));
    let set = json!({ "keys": [one, with(other.clone(), "kid", "2025"), other] }).to_string();
    let key = Key::read_with_id(set, "2026").unwrap();
    assert_eq!(
        key.repairs(),
        ["there were several private keys: the first one is used"]
    );
}

#[test]
fn first_key_of_a_set_that_may_sign_is_taken() {
    // HL7's samples have the public key first, with its own key_ops.
    let verify = with(public(rfc7515_a2()), "key_ops", json!(["verify"]));
    let sign = with(rfc7515_a2(), "key_ops", json!(["sign"]));
    let sign = with(sign, "ext", true);
    is_rfc7515_a2(json!({ "keys": [verify, sign] }).to_string());
    is_rfc7515_a2(json!([verify, sign]).to_string());
    let encrypts = with(jwk!("rsa-2048"), "use", "enc");
    let unwraps = with(jwk!("rsa-2048"), "key_ops", json!(["unwrapKey"]));
    let oaep = with(jwk!("rsa-2048"), "alg", "RSA-OAEP-256");
    let signs = with(rfc7515_a2(), "use", "sig");
    let others = [encrypts, unwraps, oaep, jwk!("p-521"), jwk!("ed448")];
    let keys: Vec<_> = others.into_iter().chain([signs]).collect();
    is_rfc7515_a2(json!({ "keys": keys }).to_string());
    let several = json!({ "keys": [sign, jwk!("rsa-2048")] }).to_string();
    let key = Key::read(several).unwrap();
    assert_eq!(
        key.repairs(),
        ["there were several private keys: the first one is used"]
    );
    // RFC 7517 §A.2: the first one encrypts.
    let key = Key::read(include_str!("data/jwk/rfc7517-a2.json")).unwrap();
    assert_eq!(key.key_id(), Some("2011-04-29"));
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    // RFC 7638 §3.1.
    assert_eq!(
        key.thumbprint().unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn jwk_below_any_member_is_found() {
    let jwk = rfc7515_a2();
    is_rfc7515_a2(json!({ "name": "app", "jwk": jwk, "owners": [] }).to_string());
    is_rfc7515_a2(json!({ "a": [1, null, { "b": { "keys": [jwk] } }] }).to_string());
    is_rfc7515_a2(json!({ "jwks": { "keys": [public(jwk.clone())] }, "key": jwk }).to_string());
}

#[test]
fn jwk_in_a_string_is_found() {
    let text = rfc7515_a2().to_string();
    is_rfc7515_a2(json!(text).to_string()); // quoted
    is_rfc7515_a2(json!(json!(text).to_string()).to_string()); // twice
    is_rfc7515_a2(json!({ "client_jwk": text }).to_string());
    let pretty = serde_json::to_string_pretty(&rfc7515_a2()).unwrap();
    is_rfc7515_a2(json!({ "keys": json!([pretty]).to_string() }).to_string());
    // Copied out of a string, with the escapes and without the quotes around it.
    is_rfc7515_a2(text.replace('"', "\\\""));
    is_rfc7515_a2(pretty.replace('"', "\\\"").replace('\n', "\\n"));
    is_rfc7515_a2(format!("{{ \\\"keys\\\":[{}]}}", text.replace('"', "\\\"")));
    is_rfc7515_a2(format!("'{text}'\n"));
}

#[test]
fn jwk_in_base64_in_utf_16_or_behind_a_byte_order_mark_is_found() {
    let text = rfc7515_a2().to_string();
    let pretty = serde_json::to_string_pretty(&json!([rfc7515_a2()])).unwrap();
    for text in [
        &text,
        &pretty,
        &format!("[{text}]"),
        &text.replacen('{', "{\r\n", 1),
    ] {
        is_rfc7515_a2(STANDARD.encode(text));
        is_rfc7515_a2(format!("{}\n", URL_SAFE_NO_PAD.encode(text)));
        is_rfc7515_a2(json!({ "key": STANDARD.encode(text) }).to_string());
        is_rfc7515_a2(format!("\u{feff}\r\n{text}\0"));
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let key = RsaKey::read(utf16).unwrap();
        assert_eq!(key.repairs(), ["the text was UTF-16"]);
    }
    let base64 = STANDARD.encode(&text);
    let lines: Vec<_> = base64.as_bytes().chunks(76).collect();
    is_rfc7515_a2(lines.join(&b'\n'));
}

#[test]
fn jwk_below_too_many_levels_is_not_looked_for() {
    let mut json = rfc7515_a2();
    for _ in 0..20 {
        json = json!([json]);
    }
    refuses(json.to_string(), "this is JSON without a key in it");
    let brackets = "[".repeat(500_000);
    refuses(&brackets, "this is not a PEM private key");
    refuses(
        format!("{brackets}{}", "]".repeat(500_000)),
        "this is JSON without a key in it",
    );
}

#[test]
fn pem_in_json_is_read_where_no_jwk_signs() {
    let pem = vectors()["key"]["pkcs8_pem"].as_str().unwrap().to_owned();
    let public_set = json!({ "keys": [public(rfc7515_a2())] });
    for json in [
        json!({ "type": "service_account", "private_key": pem }),
        json!({ "private_key": pem, "jwks": public_set }),
        json!({ "private_key": pem, "jwk": with(jwk!("rsa-2048"), "use", "enc") }),
    ] {
        is_rfc7515_a2(json.to_string());
    }
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\\nMAA=\\n-----END ENCRYPTED PRIVATE KEY-----";
    let error = Key::read(format!("{{\"key\":\"{encrypted}\"}}")).unwrap_err();
    assert_ne!(error.to_string(), "this is JSON without a key in it");
}

// What is refused

const PUBLIC: &str = "this JWK is a public key: its private key has a member d";

#[test]
fn public_jwks_are_named() {
    refuses(public(rfc7515_a2()).to_string(), PUBLIC);
    refuses(without(jwk!("p-256"), &["d"]).to_string(), PUBLIC);
    refuses(without(jwk!("ed25519"), &["d"]).to_string(), PUBLIC);
    refuses(include_str!("data/jwk/rfc7517-a1.json"), PUBLIC);
    refuses(include_str!("data/jwk/rfc7517-b.json"), PUBLIC);
    let error = RsaKey::read(public(rfc7515_a2()).to_string()).unwrap_err();
    is_key_error(&error, PUBLIC);
}

#[test]
fn keys_that_are_not_for_signing_are_refused() {
    let use_ = "this JWK is not for signing: its use is not sig";
    refuses(with(rfc7515_a2(), "use", "enc").to_string(), use_);
    refuses(with(rfc7515_a2(), "use", 1).to_string(), use_);
    let key_ops = "this JWK is not for signing: its key_ops lack sign";
    for operations in [json!([]), json!(["verify"]), json!("sign"), json!({})] {
        refuses(
            with(rfc7515_a2(), "key_ops", operations).to_string(),
            key_ops,
        );
    }
    let encrypts = "this JWK is not for signing: its alg encrypts";
    for alg in ["RSA-OAEP", "RSA-OAEP-512", "RSA1_5", "dir"] {
        refuses(with(rfc7515_a2(), "alg", alg).to_string(), encrypts);
    }
    for alg in ["ECDH-ES", "ECDH-ES+A128KW"] {
        refuses(with(jwk!("p-256"), "alg", alg).to_string(), encrypts);
    }
    for alg in ["A128KW", "A256GCM", "A192CBC-HS384", "PBES2-HS256+A128KW"] {
        let jwk = json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qz", "alg": alg });
        refuses(jwk.to_string(), encrypts);
    }
    let agreement = "this JWK is not for signing: its curve is for key agreement";
    refuses(include_str!("data/jwk/x25519.json"), agreement);
}

#[test]
fn algorithms_that_do_not_fit_are_refused() {
    let unknown = "the alg of this JWK is not one that this crate signs";
    for alg in [json!("RS1"), json!("none"), json!("rs256"), json!(256)] {
        refuses(with(rfc7515_a2(), "alg", alg).to_string(), unknown);
    }
    refuses(
        with(rfc7515_a2(), "alg", "ES256").to_string(),
        "the alg of this JWK is ES256, which is not one of RSA keys",
    );
    refuses(
        with(jwk!("p-256"), "alg", "ES384").to_string(),
        "the alg of this JWK is ES384, and its key signs ES256",
    );
    refuses(
        with(jwk!("ed25519"), "alg", "ES256").to_string(),
        "the alg of this JWK is ES256, and its key signs EdDSA",
    );
    refuses(
        json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qz", "alg": "RS256" }).to_string(),
        "the alg of this JWK is RS256, which is not one of shared secrets",
    );
}

#[test]
fn other_kinds_and_curves_are_named() {
    refuses(
        include_str!("data/jwk/rfc7515-a4.json"),
        "this EC key is on the curve P-521; P-256 and P-384 are supported",
    );
    refuses(
        include_str!("data/jwk/p-521.json"),
        "this EC key is on the curve P-521; P-256 and P-384 are supported",
    );
    refuses(
        include_str!("data/jwk/secp256k1.json"),
        "this EC key is on the curve secp256k1; P-256 and P-384 are supported",
    );
    let other = "this EC key is on another curve; P-256 and P-384 are supported";
    refuses(with(jwk!("p-256"), "crv", "BP-256").to_string(), other);
    refuses(without(jwk!("p-256"), &["crv"]).to_string(), other);
    refuses(
        include_str!("data/jwk/ed448.json"),
        "this key is on the curve Ed448; Ed25519 is supported",
    );
    refuses(
        with(jwk!("ed25519"), "crv", "Ed1").to_string(),
        "this key is on another curve; Ed25519 is supported",
    );
    refuses(
        with(rfc7515_a2(), "kty", "rsa").to_string(),
        "the kty of this JWK is none of RSA, EC, OKP and oct",
    );
    refuses(
        with(rfc7515_a2(), "oth", json!([])).to_string(),
        "this RSA key has more than two primes; keys of two are taken",
    );
    let ec = RsaKey::read(include_str!("data/jwk/p-256.json")).unwrap_err();
    is_key_error(&ec, "this is an EC key; RS256 needs RSA");
    let rsa = EcKey::read(rfc7515_a2().to_string()).unwrap_err();
    is_key_error(&rsa, "this is an RSA key; EC is wanted");
}

#[test]
fn missing_and_damaged_members_are_named() {
    for name in ["n", "e", "d"] {
        refuses(
            without(rfc7515_a2(), &[name]).to_string(),
            &format!("this JWK has no {name}"),
        );
    }
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let message = format!("the {name} of this JWK is not base64url");
        refuses(with(rfc7515_a2(), name, "%%%%").to_string(), &message);
        refuses(with(rfc7515_a2(), name, 17).to_string(), &message);
    }
    for name in ["x", "y"] {
        refuses(
            without(jwk!("p-256"), &[name]).to_string(),
            &format!("this JWK has no {name}"),
        );
    }
    refuses(
        without(jwk!("ed25519"), &["x"]).to_string(),
        "this JWK has no x",
    );
    refuses(json!({ "kty": "oct" }).to_string(), "this JWK has no k");
    refuses(
        with(rfc7515_a2(), "kid", 7).to_string(),
        "the kid of this JWK is not a text",
    );
    // A damaged key is not skipped in favour of another one.
    let damaged = with(rfc7515_a2(), "d", "%%%%");
    refuses(
        json!({ "keys": [damaged, rfc7515_a2()] }).to_string(),
        "the d of this JWK is not base64url",
    );
}

#[test]
fn keys_that_do_not_belong_together_are_refused() {
    let x = jwk!("rfc8037-a1")["x"].clone();
    refuses(
        with(jwk!("ed25519"), "x", x).to_string(),
        "the parts of this Ed25519 key do not belong together",
    );
    let misfit = "the parts of this EC key do not belong together";
    let y = jwk!("rfc7515-a3")["y"].clone();
    refuses(with(jwk!("p-256"), "y", y).to_string(), misfit);
    let d = jwk!("rfc7515-a3")["d"].clone();
    refuses(with(jwk!("p-256"), "d", d).to_string(), misfit);
    let long = jwk!("p-384")["x"].clone();
    refuses(with(jwk!("p-256"), "x", long).to_string(), misfit);
}

#[test]
fn json_without_a_key_or_cut_off_is_named() {
    let no_key = "this is JSON without a key in it";
    refuses(
        r#"{"type": "service_account", "key_id": "45911cd010b8"}"#,
        no_key,
    );
    refuses(without(rfc7515_a2(), &["kty"]).to_string(), no_key);
    refuses("[]", no_key);
    refuses("{}", no_key);
    let damaged = "this begins as JSON does, and is cut off or damaged";
    let text = rfc7515_a2().to_string();
    refuses(&text[..text.len() - 1], damaged);
    refuses(&text[..text.len() / 2], damaged);
    refuses("{{ .Values.key }}", damaged);
    refuses("[section]\nkey=value", "this is not a PEM private key");
}

#[test]
fn jwk_for_the_readers_of_pem_and_der_is_no_key() {
    let text = rfc7515_a2().to_string();
    let error = RsaKey::from_pem(&text).unwrap_err();
    is_key_error(&error, "this is JSON without a PEM in it");
    assert!(RsaKey::from_der(&text).is_err());
}

// HMAC secrets as text

#[test]
fn hmac_secret_in_hex_base64_or_base64url_is_decoded() {
    let secret: Vec<u8> = (0..=255).collect();
    let expected = HmacKey::new(&*secret).unwrap().sign(MESSAGE).unwrap();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let signs = |key: Result<HmacKey, Error>| {
        assert_eq!(key.unwrap().sign(MESSAGE).unwrap(), expected);
    };
    signs(HmacKey::from_hex(&hex));
    signs(HmacKey::from_hex(format!(
        "\u{feff}{}\r\n",
        hex.to_uppercase()
    )));
    let base64 = STANDARD.encode(&secret);
    signs(HmacKey::from_base64(&base64));
    signs(HmacKey::from_base64(base64.trim_end_matches('=')));
    let lines: Vec<_> = base64.as_bytes().chunks(76).collect();
    signs(HmacKey::from_base64(lines.join(&b"\r\n"[..])));
    signs(HmacKey::from_base64url(URL_SAFE.encode(&secret)));
    signs(HmacKey::from_base64url(format!(
        " {}\n",
        URL_SAFE_NO_PAD.encode(&secret)
    )));
}

#[test]
fn hmac_secret_in_another_encoding_is_refused_and_not_quoted() {
    let [hex, base64, base64url] = ["hexadecimal", "base64", "base64url"]
        .map(|encoding| format!("the HMAC secret is not {encoding}"));
    for text in ["xyzzy-secret", "666", "Zm9v"] {
        is_key_error(&HmacKey::from_hex(text).unwrap_err(), &hex);
    }
    for text in ["xyzzy-secret", "Zm9v_w==", "Z"] {
        is_key_error(&HmacKey::from_base64(text).unwrap_err(), &base64);
    }
    for text in ["xyzzy+secret", "Zm9v/w", "Z"] {
        is_key_error(&HmacKey::from_base64url(text).unwrap_err(), &base64url);
    }
    let empty = "the HMAC secret is empty";
    is_key_error(&HmacKey::from_hex("\n").unwrap_err(), empty);
    is_key_error(&HmacKey::from_base64("").unwrap_err(), empty);
    is_key_error(&HmacKey::from_base64url(" ").unwrap_err(), empty);
}
