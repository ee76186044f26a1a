//! `decode`. The tokens are those of the RFCs, or signed by PyJWT (tests/data/tokens/make.py).

use super::*;

const HMAC_SECRET: &str = "a secret of at least sixty-four bytes, as RFC 7518 requires for HS512";

fn data(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn token(name: &str) -> String {
    fs::read_to_string(data(&format!("tokens/{name}.jwt"))).unwrap()
}

impl Fixture {
    /// Runs `decode` with a token on standard input.
    fn decode(&self, token: &str, arguments: &str) -> Outcome {
        let mut command = self.command(&format!("decode {arguments}"));
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(token.as_bytes()); // a usage error reads nothing
        drop(stdin);
        Outcome::of(child.wait_with_output().unwrap())
    }
}

fn rfc7515(name: &str) -> String {
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    vectors[name]["jws"].as_str().unwrap().to_owned()
}

#[test]
fn token_is_shown_with_its_times_in_words() {
    let fixture = Fixture::new();
    let outcome = fixture.decode(&token("rs256"), "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.out,
        r#"{
  "header": {
    "alg": "RS256",
    "kid": "k1",
    "typ": "JWT"
  },
  "claims": {
    "iss": "joe",
    "aud": "https://as.example",
    "nbf": 1300819080,
    "iat": 1300819080,
    "exp": 1300819380
  }
}
"#
    );
    let lines: Vec<_> = outcome.err.lines().collect();
    let [iat, nbf, exp, lifetime, signature] = lines.as_slice() else {
        panic!("{outcome:?}");
    };
    assert!(iat.starts_with("iat       2011-03-22 18:38:00 UTC, ") && iat.ends_with(" years ago"));
    assert!(nbf.starts_with("nbf       2011-03-22 18:38:00 UTC, "));
    assert!(exp.starts_with("exp       2011-03-22 18:43:00 UTC, ") && exp.ends_with(": EXPIRED"));
    assert_eq!(*lifetime, "lifetime  5 minutes (300 s)");
    assert_eq!(
        *signature,
        "signature NOT verified; give --key or --jwks, or --secret for an HMAC"
    );
}

/// RFC 7515 §A.1 has line ends between its claims.
#[test]
fn claims_stay_as_they_were_written() {
    let fixture = Fixture::new();
    let outcome = fixture.decode(&rfc7515("rfc7515_a1_hs256"), "");
    assert!(
        outcome
            .out
            .contains("\"typ\": \"JWT\",\n    \"alg\": \"HS256\"\n"),
        "{outcome:?}"
    );
    assert!(
        outcome.out.contains("\"iss\": \"joe\",\n    \"exp\": 1300819380,\n    \"http://example.com/is_root\": true\n"),
        "{outcome:?}"
    );
    let json: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(json["claims"]["iss"], "joe");
    let claims = "{\"b\":1.50,\"a\":12345678901234567890123,\"t\":\"\u{202e}\u{9b}31m\"}";
    let jwt = format!("eyJhbGciOiJub25lIn0.{}.", URL_SAFE_NO_PAD.encode(claims));
    let outcome = fixture.decode(&jwt, "");
    assert!(
        outcome.out.contains(
            "\"b\": 1.50,\n    \"a\": 12345678901234567890123,\n    \"t\": \"\\u202e\\u009b31m\"\n"
        ),
        "{outcome:?}"
    );
}

#[test]
fn signature_of_each_algorithm_is_verified() {
    let fixture = Fixture::new();
    fixture.write("hmac.txt", HMAC_SECRET);
    let p384 = fixture.run(&format!("key {} --public pem", data("jwk/p-384.pem")));
    fixture.write("p-384.pub.pem", p384.out);
    for (name, algorithm, option, files) in [
        (
            "rs256",
            "RS256",
            "--key",
            &[
                data("keys/rsa-2048.der"),
                data("keys/rsa-2048.pub.pem"),
                data("certificates/leaf.pem"),
                data("certificates/leaf.der"),
                data("jwk/rsa-2048.json"),
            ][..],
        ),
        ("rs512", "RS512", "--key", &[data("keys/rsa-2048.pub.pem")]),
        ("ps384", "PS384", "--key", &[data("keys/rsa-2048.pub.pem")]),
        (
            "es256",
            "ES256",
            "--key",
            &[
                data("keys/ec.pem"),
                data("keys/ec.pub.pem"),
                data("jwk/p-256.json"),
            ],
        ),
        (
            "es384",
            "ES384",
            "--key",
            &[data("jwk/p-384.pem"), "p-384.pub.pem".to_owned()],
        ),
        (
            "eddsa",
            "EdDSA",
            "--key",
            &[data("keys/ed25519.pem"), data("keys/ed25519.pub.pem")],
        ),
        ("hs256", "HS256", "--secret", &["hmac.txt".to_owned()]),
        ("hs512", "HS512", "--secret", &["hmac.txt".to_owned()]),
    ] {
        for file in files {
            let outcome = fixture.decode(&token(name), &format!("{option} {file}"));
            assert_eq!(outcome.status, 0, "{outcome:?}");
            let line = format!("signature verified: {algorithm} with {file}");
            assert_eq!(outcome.err.lines().next_back(), Some(line.as_str()));
        }
    }
    // RFC 7515 §A.1 and §A.2, with the keys as they are printed there.
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let k = vectors["rfc7515_a1_hs256"]["k_b64url"].as_str().unwrap();
    fixture.write("k.txt", k);
    fixture.write(
        "a1.json",
        serde_json::json!({ "kty": "oct", "k": k }).to_string(),
    );
    for (name, arguments) in [
        (
            "rfc7515_a1_hs256",
            "--secret k.txt --secret-encoding base64url",
        ),
        ("rfc7515_a1_hs256", "--key a1.json"),
        (
            "rfc7515_a2_rs256",
            &format!("--key {}", data("jwk/rfc7515-a2.json")),
        ),
    ] {
        let outcome = fixture.decode(&rfc7515(name), arguments);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(outcome.err.contains("signature verified: "), "{outcome:?}");
    }
}

#[test]
fn key_that_does_not_verify_fails_and_shows_the_token() {
    let fixture = Fixture::new();
    fixture.write("hmac.txt", "another secret");
    let public = data("keys/rsa-2048.pub.pem");
    let rs256 = token("rs256");
    let (message, _) = rs256.trim().rsplit_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"mallory"}"#);
    let (header, _) = message.split_once('.').unwrap();
    let signature = rs256.trim().rsplit_once('.').unwrap().1;
    let changed = format!("{header}.{claims}.{signature}");
    for (token, arguments, message) in [
        (
            rs256.clone(),
            "--key key.pem".to_owned(),
            "the signature is NOT of key.pem",
        ),
        (
            changed,
            format!("--key {public}"),
            "the signature is NOT of ",
        ),
        (
            token("hs256"),
            "--secret hmac.txt".to_owned(),
            "the signature is NOT of hmac.txt",
        ),
        (
            token("hs256"),
            format!("--key {public}"),
            "the token says HS256",
        ),
        (
            rs256.clone(),
            "--secret hmac.txt".to_owned(),
            "the token says RS256, and hmac.txt is for HS256, HS384, HS512",
        ),
        (
            format!("{message}."),
            format!("--key {public}"),
            "the token has no signature, and its header says RS256",
        ),
        (
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.".to_owned(),
            format!("--key {public}"),
            "the token has no signature (alg none): anybody can have written it",
        ),
        (
            mac(r#"{"alg":"HS256","crit":["exp"]}"#, b"another secret"),
            "--secret hmac.txt".to_owned(),
            "the header has crit: ",
        ),
        (
            mac(r#"{"alg":"HS256","b64":false}"#, b"another secret"),
            "--secret hmac.txt".to_owned(),
            "the header has b64: ",
        ),
    ] {
        let outcome = fixture.decode(&token, &arguments);
        assert_eq!(outcome.status, 5, "{outcome:?}");
        assert!(outcome.out.starts_with("{\n  \"header\""), "{outcome:?}");
        assert!(
            outcome.err.contains("\nsignature NOT verified\n"),
            "{outcome:?}"
        );
        let last = outcome.err.lines().next_back().unwrap();
        assert!(
            last.starts_with(&format!("jwt-bearer: {message}")),
            "{outcome:?}"
        );
    }
}

/// RFC 8725 §2.1: a public key is not a secret.
#[test]
fn mac_with_a_public_key_for_its_secret_is_not_verified() {
    let fixture = Fixture::new();
    let (pem, der) = (
        data("keys/rsa-2048.pub.pem"),
        fixture.write("public.der", der_of(&data("keys/rsa-2048.pub.pem"))),
    );
    let jwk = fixture.run(&format!("key {pem} --public jwk"));
    let jwk = fixture.write("public.jwk", &jwk.out);
    let set = fixture.write(
        "set.json",
        format!(r#"{{"keys":[{}]}}"#, fs::read_to_string(&jwk).unwrap()),
    );
    for (file, what) in [
        (pem.as_str(), "PEM"),
        (&data("certificates/leaf.pem"), "PEM"),
        (jwk.to_str().unwrap(), "a JWK"),
        (set.to_str().unwrap(), "a JWK set"),
        (der.to_str().unwrap(), "a public key"),
    ] {
        let public = fs::read(file).unwrap();
        // One line end at the end of a secret is dropped.
        let without_line_end = public.strip_suffix(b"\n").unwrap_or(&public);
        for secret in [&*public, without_line_end] {
            let forged = mac(r#"{"alg":"HS256"}"#, secret);
            let as_key = fixture.decode(&forged, &format!("--key {file}"));
            assert_eq!(as_key.status, 5, "{as_key:?}");
            let message = format!(
                "jwt-bearer: --secret: {file} is {what}, and no shared secret: give it with --key or --jwks\n"
            );
            fixture
                .decode(&forged, &format!("--secret {file}"))
                .assert_fails(2, &message);
        }
    }
}

/// Returns a token with this header and a MAC, made by ring.
fn mac(header: &str, secret: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(r#"{"iss":"mallory"}"#)
    );
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn der_of(pem: &str) -> Vec<u8> {
    ::pem::parse(fs::read(pem).unwrap())
        .unwrap()
        .into_contents()
}

/// A set without key IDs may have a key of 1024 bits next to the right one.
#[cfg(unix)] // needs openssl
#[test]
fn weak_key_of_a_set_does_not_hide_the_right_one() {
    let fixture = Fixture::new();
    for openssl in [
        "genrsa -out weak.pem 1024",
        "rsa -in weak.pem -pubout -out weak.pub.pem",
    ] {
        let mut command = Command::new("openssl");
        let command = command
            .args(openssl.split(' '))
            .current_dir(fixture.directory.path());
        assert!(command.output().unwrap().status.success());
    }
    let jwk = |file: &str| {
        let jwk = fixture.run(&format!("key {file} --public jwk"));
        let mut jwk: Value = serde_json::from_str(&jwk.out).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.remove("kid");
        members.remove("alg");
        jwk
    };
    let (weak, right) = (jwk("weak.pub.pem"), jwk(&data("keys/rsa-2048.der")));
    let other = jwk("key.pem");
    let set = |name: &str, keys: &[&Value]| {
        fixture.write(name, serde_json::json!({ "keys": keys }).to_string());
    };
    set("right.json", &[&weak, &right]);
    set("wrong.json", &[&weak, &other]);
    set("weak.json", &[&weak]);
    let outcome = fixture.decode(&token("rs512"), "--jwks right.json");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for (file, status, message) in [
        ("wrong.json", 5, "the signature is NOT of wrong.json: "),
        ("weak.json", 3, "this RSA key has 1024 bits"),
    ] {
        let outcome = fixture.decode(&token("rs512"), &format!("--jwks {file}"));
        assert_eq!(outcome.status, status, "{outcome:?}");
        assert!(outcome.err.contains(message), "{outcome:?}");
        assert!(
            outcome.err.contains("this RSA key has 1024 bits"),
            "{outcome:?}"
        );
    }
}

/// RFC 7517 §4.2 to §4.4, with the key on the command line and in a set.
#[test]
fn jwk_verifies_only_what_it_is_for() {
    let fixture = Fixture::new();
    let jwk = fixture.run(&format!(
        "key {} --public jwk --kid k1",
        data("keys/rsa-2048.der")
    ));
    let public: Value = serde_json::from_str(&jwk.out).unwrap();
    let private: Value =
        serde_json::from_str(&fs::read_to_string(data("jwk/rsa-2048.json")).unwrap()).unwrap();
    for (key, name, value, status, message) in [
        (&public, "use", Value::from("enc"), 3, "its use is not sig"),
        (
            &public,
            "key_ops",
            serde_json::json!(["encrypt"]),
            3,
            "its key_ops lack verify",
        ),
        (&public, "alg", "RSA-OAEP".into(), 3, "its alg encrypts"),
        (
            &public,
            "alg",
            "PS256".into(),
            5,
            "the token says RS256, and jwk.json is for PS256",
        ),
        (
            &private,
            "alg",
            "PS256".into(),
            5,
            "the token says RS256, and jwk.json is for PS256",
        ),
        (
            &public,
            "key_ops",
            serde_json::json!(["verify"]),
            0,
            "signature verified",
        ),
        (&private, "alg", "RS256".into(), 0, "signature verified"),
    ] {
        let mut key = key.clone();
        key[name] = value;
        fixture.write("jwk.json", key.to_string());
        let outcome = fixture.decode(&token("rs256"), "--key jwk.json");
        assert_eq!(outcome.status, status, "{name}: {outcome:?}");
        assert!(outcome.err.contains(message), "{outcome:?}");
        let outcome = fixture.decode(&token("rs256"), "--jwks jwk.json");
        assert_eq!(outcome.status, status, "{name}: {outcome:?}");
    }
}

#[test]
fn secret_of_a_jwk_verifies_only_its_algorithm() {
    let fixture = Fixture::new();
    let k = URL_SAFE_NO_PAD.encode(HMAC_SECRET);
    for (algorithm, status) in [("HS256", 0), ("HS512", 5)] {
        let jwk = serde_json::json!({ "kty": "oct", "alg": algorithm, "k": k });
        fixture.write("oct.json", jwk.to_string());
        for option in ["--key", "--jwks"] {
            let outcome = fixture.decode(&token("hs256"), &format!("{option} oct.json"));
            assert_eq!(outcome.status, status, "{outcome:?}");
        }
    }
}

#[test]
fn long_members_of_a_header_are_cut() {
    let fixture = Fixture::new();
    fixture.write("secret.txt", HMAC_SECRET);
    let jwk = fixture.run(&format!("key {} --public jwks", data("keys/ec.pem")));
    fixture.write("jwks.json", &jwk.out);
    let long = "x".repeat(200_000);
    for (header, option) in [
        (
            format!(r#"{{"alg":"HS256","kid":"{long}"}}"#),
            "--jwks jwks.json",
        ),
        (format!(r#"{{"alg":"{long}"}}"#), "--secret secret.txt"),
    ] {
        let outcome = fixture.decode(&mac(&header, b"secret"), option);
        assert_ne!(outcome.status, 0);
        assert!(outcome.err.len() < 1000, "{}", outcome.err.len());
        assert!(outcome.err.contains("xxx..."), "{}", outcome.err);
    }
}

#[test]
fn quiet_decode_prints_json_and_errors_alone() {
    let fixture = Fixture::new();
    for options in ["-q", "--error-format json"] {
        let outcome = fixture.decode(&token("rs256"), options);
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
        assert!(outcome.out.starts_with("{\n"), "{outcome:?}");
    }
    let outcome = fixture.decode(&token("rs256"), "--error-format json --key key.pem");
    let error: Value = serde_json::from_str(&outcome.err).unwrap();
    assert_eq!((outcome.status, &error["kind"]), (5, &"denied".into()));
    let outcome = fixture.decode("nothing", "--error-format json");
    let error: Value = serde_json::from_str(&outcome.err).unwrap();
    assert_eq!((outcome.status, &error["kind"]), (6, &"protocol".into()));
}

#[test]
fn key_of_a_set_is_chosen_by_kid() {
    let fixture = Fixture::new();
    let jwk = |file: &str, kid: &str| {
        let jwk = fixture.run(&format!("key {} --public jwk --kid {kid}", data(file)));
        jwk.only_line().to_owned()
    };
    let (rsa, ec) = (jwk("keys/rsa-2048.der", "k1"), jwk("keys/ec.pem", "k2"));
    fixture.write(
        "both.json",
        format!(r#"{{"keys":[{ec},{{"kty":"XYZ"}},{rsa}]}}"#),
    );
    fixture.write("single.json", &rsa);
    fixture.write("ec.json", format!(r#"{{"keys":[{ec}]}}"#));
    let encrypting = rsa.replace(r#""use":"sig""#, r#""use":"enc""#);
    fixture.write("enc.json", format!(r#"{{"keys":[{encrypting}]}}"#));
    for (name, arguments, verified) in [
        ("rs256", "--jwks both.json", "RS256 with both.json (kid k1)"),
        ("es256", "--jwks both.json", "ES256 with both.json (kid k2)"),
        ("es256", "--key both.json", "ES256 with both.json (kid k2)"),
        (
            "rs256",
            "--jwks single.json",
            "RS256 with single.json (kid k1)",
        ),
    ] {
        let outcome = fixture.decode(&token(name), arguments);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let line = format!("signature verified: {verified}");
        assert_eq!(outcome.err.lines().next_back(), Some(line.as_str()));
    }
    for (name, arguments, status, message) in [
        (
            "rs256",
            "--jwks ec.json",
            5,
            "ec.json: no key has the kid k1 of the token; there are k2",
        ),
        (
            "rs512",
            "--jwks ec.json",
            5,
            "the token says RS512, and ec.json is for ES256",
        ),
        (
            "rs256",
            "--jwks enc.json",
            3,
            "enc.json: no key in this JWK set checks signatures",
        ),
        (
            "rs256",
            "--jwks key.pem",
            3,
            "key.pem: this is not a JWK set",
        ),
    ] {
        let outcome = fixture.decode(&token(name), arguments);
        assert_eq!(outcome.status, status, "{outcome:?}");
        assert!(outcome.err.contains(message), "{outcome:?}");
    }
}

#[test]
fn token_is_taken_as_people_copy_it() {
    let fixture = Fixture::new();
    let token = token("rs256");
    let token = token.trim();
    let folded: Vec<_> = token
        .as_bytes()
        .chunks(60)
        .map(|c| String::from_utf8_lossy(c))
        .collect();
    let key = data("keys/rsa-2048.pub.pem");
    for text in [
        format!("Bearer {token}\n"),
        format!("Authorization: Bearer {token}\r\n"),
        format!("\u{feff}  \"{token}\",\n"),
        folded.join("\n"),
    ] {
        let outcome = fixture.decode(&text, &format!("--key {key}"));
        assert_eq!(outcome.status, 0, "{text}: {outcome:?}");
    }
    let file = fixture.write("token.txt", token);
    let outcome = fixture.run(&format!("decode {} --key {key}", file.display()));
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

#[test]
fn token_with_padding_is_shown_with_one_warning() {
    let outcome = Fixture::new().decode("eyJhbGciOiJub25lIn0=.e30=.", "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let warning = "a part is base64 with padding or with + and /, which a server may refuse";
    assert_eq!(outcome.err.matches(warning).count(), 1, "{outcome:?}");
}

#[test]
fn lifetime_without_iat_begins_with_nbf() {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"nbf":1300819080,"exp":1300819380}"#);
    let outcome = Fixture::new().decode(&format!("eyJhbGciOiJub25lIn0.{claims}."), "");
    assert!(
        outcome.err.contains("\nlifetime  5 minutes (300 s)\n"),
        "{outcome:?}"
    );
}

#[test]
fn lifetime_is_said_in_seconds_once_and_may_be_none() {
    let fixture = Fixture::new();
    for (claims, line) in [
        (r#"{"iat":100,"exp":160}"#, "\nlifetime  60 seconds\n"),
        (
            r#"{"iat":100,"exp":220}"#,
            "\nlifetime  2 minutes (120 s)\n",
        ),
        (
            r#"{"iat":100,"exp":99}"#,
            "\nlifetime  none: it ends before it begins\n",
        ),
    ] {
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let outcome = fixture.decode(&format!("eyJhbGciOiJub25lIn0.{claims}."), "");
        assert!(outcome.err.contains(line), "{outcome:?}");
    }
}

#[test]
fn text_that_is_no_token_is_named_and_not_repeated() {
    let fixture = Fixture::new();
    for (text, message) in [
        ("", "this is empty: a token is wanted"),
        ("secret-opaque", "this has no dots"),
        (
            "ya29.secret.opaque",
            "Many servers issue access tokens that only they can read",
        ),
        (
            r#"{"access_token":"secret"}"#,
            "pipe the token alone, with jq -r .access_token",
        ),
        (r#"{"a":"secret"}"#, "this is JSON, and not a JWT"),
        (
            &pem(),
            "this is a PEM, and no JWT: jwt-bearer key shows what is in it",
        ),
        (
            "eyJhbGciOiJub25lIn0.e30.a.b",
            "this has 4 parts: a JWT has three, and an encrypted one five",
        ),
    ] {
        let outcome = fixture.decode(text, "");
        assert_eq!(
            (outcome.status, outcome.out.as_str()),
            (6, ""),
            "{outcome:?}"
        );
        assert!(
            outcome.err.starts_with("jwt-bearer: standard input: "),
            "{outcome:?}"
        );
        assert!(outcome.err.contains(message), "{outcome:?}");
        assert!(!outcome.err.contains("secret"), "{outcome:?}");
    }
}

#[test]
fn token_as_argument_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    let token = token("rs256");
    for argument in [token.trim().to_owned(), format!("Bearer {}", token.trim())] {
        let mut command = fixture.command("decode");
        let outcome = Outcome::of(command.arg(argument).output().unwrap());
        outcome.assert_fails(
            2,
            "jwt-bearer: a token is a secret, and never an argument: pipe it to jwt-bearer decode, or name the file that \
             it is in\n",
        );
    }
    // A file may have such a name.
    let name = "eyJhbGciOiJub25lIn0.e30.";
    fixture.write(name, name);
    let outcome = fixture.run(&format!("decode {name}"));
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

/// The header is that of RFC 7516 §A.1.
#[test]
fn encrypted_token_and_unsigned_token_are_named() {
    let fixture = Fixture::new();
    let jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgck.\
               48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ";
    let outcome = fixture.decode(jwe, "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let json: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "header": { "alg": "RSA-OAEP", "enc": "A256GCM" } })
    );
    assert!(
        outcome.err.contains("this is an encrypted token (JWE)"),
        "{outcome:?}"
    );
    assert_eq!(fixture.decode(jwe, "--key key.pem").status, 5);

    let outcome = fixture.decode("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.err,
        "lifetime  unlimited: there is no exp\n\
         signature NONE: the token is not signed, so that anybody can have written it\n"
    );
}

#[test]
fn assertion_of_the_command_line_is_verified() {
    let fixture = Fixture::new();
    let assertion = fixture.run(&format!("assertion {}", PROFILES[2]));
    let outcome = fixture.decode(&assertion.out, "--key key.pem");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.err.contains(", in ") && !outcome.err.contains("EXPIRED"),
        "{outcome:?}"
    );
}
