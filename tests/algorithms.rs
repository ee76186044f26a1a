//! What each algorithm signs: published and foreign literals byte for byte if a signature is deterministic, and
//! verification by `ring` and by jsonwebtoken, with public keys that OpenSSL wrote.
#![cfg(all(feature = "rsa", feature = "ring"))]

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation, decode};
use jwt_bearer::{
    Algorithm, Audience, EcKey, Ed25519Key, Endpoint, ErrorKind, HmacAlgorithm, HmacKey, Key,
    Profile, RingRsaKey, RsaAlgorithm, RsaKey, Signer, ecdsa_signature_from_der,
};

const RSA: &[u8] = include_bytes!("data/keys/rsa-2048.der");
const RSA_PUBLIC: &str = include_str!("data/keys/rsa-2048.pub.pem");
const P256: &str = include_str!("data/keys/ec.pem");
const P256_PUBLIC: &str = include_str!("data/keys/ec.pub.pem");
const P384: &str = include_str!("data/keys/ec-384.pem");
const P384_PUBLIC: &str = include_str!("data/keys/ec-384.pub.pem");
const ED25519: &str = include_str!("data/keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("data/keys/ed25519.pub.pem");

const RSA_ALGORITHMS: [RsaAlgorithm; 6] = [
    RsaAlgorithm::RS256,
    RsaAlgorithm::RS384,
    RsaAlgorithm::RS512,
    RsaAlgorithm::PS256,
    RsaAlgorithm::PS384,
    RsaAlgorithm::PS512,
];

/// jsonwebtoken accepts an assertion of this signer, and refuses it with another signature.
#[track_caller]
fn jsonwebtoken_verifies(signer: &dyn Signer, public: &DecodingKey) {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let assertion = profile.assertion(signer, SystemTime::now()).unwrap();
    let name = signer.algorithm().name();
    let mut validation = Validation::new(name.parse().unwrap());
    validation.set_audience(&["https://as.example.com/token"]);
    let verify = |jwt: &str| decode::<serde_json::Value>(jwt, public, &validation);
    let token = verify(assertion.secret()).unwrap();
    assert_eq!(token.claims["iss"], "client-1", "{name}");
    let (message, signature) = assertion.secret().rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let changed = format!("{message}.{first}{}", &signature[1..]);
    assert!(verify(&changed).is_err(), "{name}");
}

#[test]
fn algorithm_is_shown_and_compared_by_its_name() {
    let names = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    for (algorithm, name) in RSA_ALGORITHMS.iter().zip(names) {
        assert_eq!(algorithm.name().name(), name);
        assert_eq!(algorithm.to_string(), name);
        assert_eq!(format!("{algorithm:?}"), format!("RsaAlgorithm::{name}"));
        let equal = RSA_ALGORITHMS.iter().filter(|other| *other == algorithm);
        assert_eq!(equal.count(), 1);
    }
    let all = [
        HmacAlgorithm::HS256,
        HmacAlgorithm::HS384,
        HmacAlgorithm::HS512,
    ];
    for (algorithm, name) in all.iter().zip(["HS256", "HS384", "HS512"]) {
        assert_eq!(algorithm.name().name(), name);
        assert_eq!(algorithm.to_string(), name);
        assert_eq!(format!("{algorithm:?}"), format!("HmacAlgorithm::{name}"));
        assert_eq!(all.iter().filter(|other| *other == algorithm).count(), 1);
    }
}

#[test]
fn jsonwebtoken_verifies_each_algorithm_of_an_rsa_key() {
    let public = DecodingKey::from_rsa_pem(RSA_PUBLIC.as_bytes()).unwrap();
    for algorithm in RSA_ALGORITHMS {
        let key = RsaKey::from_der(RSA).unwrap().with_algorithm(algorithm);
        jsonwebtoken_verifies(&key, &public);
        let key = RingRsaKey::from_der(RSA).unwrap().with_algorithm(algorithm);
        jsonwebtoken_verifies(&key, &public);
    }
}

#[test]
fn jsonwebtoken_verifies_ec_and_ed25519_keys() {
    let public = |pem: &str| DecodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    jsonwebtoken_verifies(&EcKey::from_pem(P256).unwrap(), &public(P256_PUBLIC));
    jsonwebtoken_verifies(&EcKey::from_pem(P384).unwrap(), &public(P384_PUBLIC));
    let public = DecodingKey::from_ed_pem(ED25519_PUBLIC.as_bytes()).unwrap();
    jsonwebtoken_verifies(&Ed25519Key::from_pem(ED25519).unwrap(), &public);
}

#[test]
fn jsonwebtoken_verifies_each_algorithm_of_an_hmac_key() {
    let secret = b"a secret of at least sixty-four bytes, as RFC 7518 requires for HS512";
    let public = DecodingKey::from_secret(secret);
    for algorithm in [
        HmacAlgorithm::HS256,
        HmacAlgorithm::HS384,
        HmacAlgorithm::HS512,
    ] {
        let key = HmacKey::new(secret).unwrap().with_algorithm(algorithm);
        jsonwebtoken_verifies(&key, &public);
    }
}

/// Both libraries sign what `openssl dgst -sha384 -sign` does.
#[test]
fn pkcs1_signatures_are_those_of_openssl() {
    for (algorithm, signature) in [
        (
            RsaAlgorithm::RS256,
            &include_bytes!("data/keys/rsa-2048.sig")[..],
        ),
        (
            RsaAlgorithm::RS384,
            include_bytes!("data/keys/rsa-2048.sha384.sig"),
        ),
        (
            RsaAlgorithm::RS512,
            include_bytes!("data/keys/rsa-2048.sha512.sig"),
        ),
    ] {
        let key = RsaKey::from_der(RSA).unwrap().with_algorithm(algorithm);
        assert!(
            key.sign(b"header.claims").unwrap() == signature,
            "{algorithm:?}"
        );
        let key = RingRsaKey::from_der(RSA).unwrap().with_algorithm(algorithm);
        assert!(
            key.sign(b"header.claims").unwrap() == signature,
            "{algorithm:?}"
        );
    }
}

/// jsonwebtoken verifies PSS by the crate that signed it, so `ring` does it too.
#[test]
fn ring_verifies_the_pss_signatures_of_rsa() {
    use ring::signature::{
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
        UnparsedPublicKey,
    };
    let block = RSA_PUBLIC
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect::<String>();
    let info = base64::engine::general_purpose::STANDARD
        .decode(block)
        .unwrap();
    let pkcs1 = &info[24..]; // after the algorithm of a key with 2048 bits
    for (algorithm, how) in [
        (RsaAlgorithm::PS256, &RSA_PSS_2048_8192_SHA256),
        (RsaAlgorithm::PS384, &RSA_PSS_2048_8192_SHA384),
        (RsaAlgorithm::PS512, &RSA_PSS_2048_8192_SHA512),
    ] {
        let key = RsaKey::from_der(RSA).unwrap().with_algorithm(algorithm);
        let signature = key.sign(b"message").unwrap();
        let public = UnparsedPublicKey::new(how, pkcs1);
        assert!(public.verify(b"message", &signature).is_ok(), "{algorithm}");
        assert!(
            public.verify(b"massage", &signature).is_err(),
            "{algorithm}"
        );
    }
}

/// A salt of zero bytes would make PSS deterministic.
#[test]
fn pss_signatures_of_one_message_differ() {
    let key = RsaKey::from_der(RSA)
        .unwrap()
        .with_algorithm(RsaAlgorithm::PS256);
    assert_ne!(key.sign(b"message").unwrap(), key.sign(b"message").unwrap());
}

/// RFC 8037 §A.4: the key of §A.1 signs this, byte for byte.
#[test]
fn ed25519_signs_as_rfc_8037() {
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    // PKCS#8 as RFC 8410 §7 writes it: the seed in two OCTET STRINGs.
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let key = Ed25519Key::from_der([&head[..], &seed].concat()).unwrap();
    let signature = key
        .sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
        .unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert_eq!(
        key.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    ); // §A.3
}

/// RFC 4231 §4.3: the key "Jefe".
#[test]
fn hmac_tags_are_those_of_rfc_4231() {
    for (algorithm, tag) in [
        (
            HmacAlgorithm::HS256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            HmacAlgorithm::HS384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            HmacAlgorithm::HS512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaea\
             b1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        let key = HmacKey::new("Jefe").unwrap().with_algorithm(algorithm);
        let ours = key.sign(b"what do ya want for nothing?").unwrap();
        let hex: String = ours.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, tag);
    }
}

/// The public key as `openssl pkey -pubout` writes it.
#[test]
fn public_keys_are_those_of_openssl() {
    assert_eq!(RingRsaKey::from_der(RSA).unwrap().public_pem(), RSA_PUBLIC);
    assert_eq!(EcKey::from_pem(P256).unwrap().public_pem(), P256_PUBLIC);
    assert_eq!(EcKey::from_pem(P384).unwrap().public_pem(), P384_PUBLIC);
    assert_eq!(
        Ed25519Key::from_pem(ED25519).unwrap().public_pem(),
        ED25519_PUBLIC
    );
}

/// A key has one identity, whichever library signs and whichever file it came from.
#[test]
fn identity_is_the_same_with_each_library_and_format() {
    let rsa = RsaKey::from_der(RSA).unwrap();
    let ring = RingRsaKey::from_der(RSA).unwrap();
    assert_eq!(rsa.identity(), ring.identity());
    assert_eq!(rsa.fingerprint(), ring.fingerprint());
    let ec = |pem| EcKey::from_pem(pem).unwrap().identity();
    assert_eq!(ec(P256), ec(include_str!("data/keys/ec-pkcs8.pem")));
    assert_eq!(ec(P384), ec(include_str!("data/keys/ec-384-pkcs8.pem")));
}

#[test]
fn public_jwk_of_an_ec_key_has_the_members_of_rfc_7518() {
    let jwk = EcKey::from_pem(P256)
        .unwrap()
        .with_key_id("k1")
        .public_jwk();
    let jwk: serde_json::Map<_, _> = serde_json::from_str::<serde_json::Value>(&jwk)
        .unwrap()
        .as_object()
        .unwrap()
        .clone();
    let names: Vec<_> = jwk.keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(
        (&jwk["alg"], &jwk["crv"]),
        (&"ES256".into(), &"P-256".into())
    );
    assert_eq!((&jwk["kid"], &jwk["kty"]), (&"k1".into(), &"EC".into()));
}

#[track_caller]
fn refuses<K: std::fmt::Debug>(read: Result<K, jwt_bearer::Error>, message: &str) {
    let error = read.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Key, message)
    );
}

#[test]
fn ec_keys_that_cannot_be_used_are_named() {
    refuses(
        EcKey::from_pem(include_str!("data/keys/ec-521.pem")),
        "this EC key is on the curve P-521; P-256 and P-384 are supported",
    );
    refuses(
        EcKey::from_pem(include_str!("data/keys/ec-secp256k1.pem")),
        "this EC key is on the curve secp256k1; P-256 and P-384 are supported",
    );
    refuses(
        EcKey::from_pem(include_str!("data/keys/ec-no-public.pem")),
        "this EC key lacks its public key: write it with openssl ec -in KEY -out NEW",
    );
    refuses(
        EcKey::from_pem(include_str!("data/keys/ec-compressed.pem")),
        "the public key of this EC key is compressed: write it in full with openssl ec -in KEY -conv_form \
         uncompressed -out NEW",
    );
    refuses(EcKey::from_der(RSA), "this is an RSA key; EC is wanted");
    refuses(
        Ed25519Key::from_pem(P256),
        "this is an EC key; Ed25519 is wanted",
    );
    refuses(
        RingRsaKey::from_pem(P256),
        "this is an EC key; RS256 needs RSA",
    );
}

#[test]
fn ec_key_that_writes_out_its_curve_is_named_with_the_command() {
    refuses(
        EcKey::from_pem(include_str!("data/keys/ec-explicit.pem")),
        "this EC key writes out its curve: name it with openssl ec -in KEY -param_enc named_curve -out NEW",
    );
}

/// PKCS#8 around the SEC 1 structure of P-256 that `openssl pkcs8` wrote: the curve is at 20, the scalar at 36.
#[test]
fn ec_parts_that_do_not_belong_together_are_refused() {
    let pem = include_str!("data/keys/ec-pkcs8.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap();
    assert!(EcKey::from_der(&der).is_ok());
    let misfit = "the parts of this EC key do not belong together";
    let scalar = der.windows(2).position(|run| run == [4, 32]).unwrap();
    for (at, byte) in [
        (scalar + 5, 0xff), // another scalar
        (scalar, 0x02),     // the scalar as INTEGER
        (scalar - 1, 0x63), // another version
        (der.len() - 1, 1), // another point
    ] {
        let mut changed = der.clone();
        changed[at] ^= byte;
        refuses(EcKey::from_der(&changed), misfit);
    }
}

/// The second version of PKCS#8 has the public key too (RFC 8410 §10.3, its example).
#[test]
fn ed25519_key_with_its_public_half_is_read_and_one_with_another_is_refused() {
    let der = base64::engine::general_purpose::STANDARD
        .decode(
            "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCoB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        )
        .unwrap();
    let key = Ed25519Key::from_der(&der).unwrap();
    let jwk: serde_json::Value = serde_json::from_str(&key.public_jwk()).unwrap();
    assert_eq!(jwk["x"], "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
    let mut other = der;
    *other.last_mut().unwrap() ^= 1;
    refuses(
        Ed25519Key::from_der(&other),
        "the parts of this Ed25519 key do not belong together",
    );
}

#[test]
fn ring_names_the_rsa_keys_that_it_does_not_take() {
    refuses(
        RingRsaKey::from_der(include_bytes!("data/keys/rsa-8192.der")),
        "this RSA key has 8192 bits; ring takes 2048, 3072 and 4096",
    );
    // Two primes of 1024 bits: `ring` would round up.
    refuses(
        RingRsaKey::from_der(include_bytes!("data/keys/rsa-2047-of-1024.der")),
        "this RSA key has 2047 bits; ring takes 2048, 3072 and 4096",
    );
    refuses(
        RsaKey::from_der(include_bytes!("data/keys/rsa-2047-of-1024.der")),
        "this RSA key has 2047 bits; 2048 to 8192 are taken",
    );
    refuses(
        RingRsaKey::from_der(include_bytes!("data/keys/e-3.der")),
        "the public exponent of this RSA key is below 65537, which ring does not take",
    );
    refuses(
        RingRsaKey::from_der(include_bytes!("data/keys/crt-absent.der")),
        "this RSA key lacks its primes or the numbers after them, and ring does not compute them: use the feature rsa, \
         which does",
    );
    refuses(
        RingRsaKey::from_der(include_bytes!("data/keys/prime-3.der")),
        "the parts of this RSA key do not belong together",
    );
}

/// RFC 4055 §1.2: such a key must not be used with PKCS#1 v1.5, or with other parameters.
#[test]
fn key_restricted_to_pss_signs_what_it_is_restricted_to() {
    let pss = include_str!("data/keys/rsa-pss.pem");
    assert_eq!(RsaKey::read(pss).unwrap().algorithm(), Algorithm::Ps256);
    assert_eq!(RingRsaKey::read(pss).unwrap().algorithm(), Algorithm::Ps256);
    let any = Key::read(pss).unwrap();
    assert_eq!(
        any.algorithms(),
        [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]
    );
    let sha384 = include_str!("data/keys/rsa-pss-sha384.pem");
    assert_eq!(Key::read(sha384).unwrap().algorithms(), [Algorithm::Ps384]);
    refuses(
        any.with_algorithm(Algorithm::Rs256),
        "this key does not sign RS256; it signs PS256, PS384, PS512",
    );
    refuses(
        RsaKey::from_pem(pss),
        "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
    );
    refuses(
        RingRsaKey::from_pem(pss),
        "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
    );
}

#[test]
fn key_restricted_to_pss_does_not_sign_rs256_whatever_the_caller_says() {
    let pss = include_str!("data/keys/rsa-pss.pem");
    let rsa = RsaKey::read(pss)
        .unwrap()
        .with_algorithm(RsaAlgorithm::RS256);
    let ring = RingRsaKey::read(pss)
        .unwrap()
        .with_algorithm(RsaAlgorithm::RS256);
    let keys: [&dyn Signer; 2] = [&rsa, &ring];
    for key in keys {
        assert_eq!(
            key.sign(b"message").unwrap_err().to_string(),
            "this RSA key is restricted to PSS, and its algorithm is another one"
        );
    }
}

#[test]
fn key_restricted_to_parameters_that_jws_does_not_have_is_refused() {
    for pem in [
        include_str!("data/keys/rsa-pss-sha1.pem"),
        include_str!("data/keys/rsa-pss-mgf1-sha1.pem"),
        include_str!("data/keys/rsa-pss-salt-64.pem"),
    ] {
        refuses(
            RsaKey::read(pem),
            "this RSA key is restricted to PSS parameters that JWS does not have: it wants SHA-256, -384 or -512 for \
             hash and MGF1, and a salt as long as the hash",
        );
    }
}

#[test]
fn key_of_any_kind_is_read() {
    let kind = |bytes: &[u8]| Key::read(bytes).unwrap().algorithm();
    assert_eq!(kind(RSA), Algorithm::Rs256);
    assert_eq!(kind(P256.as_bytes()), Algorithm::Es256);
    assert_eq!(kind(P384.as_bytes()), Algorithm::Es384);
    assert_eq!(kind(ED25519.as_bytes()), Algorithm::EdDsa);
}

#[test]
fn algorithm_that_does_not_fit_is_refused_with_those_that_do() {
    let key = Key::read(RSA)
        .unwrap()
        .with_algorithm(Algorithm::Ps512)
        .unwrap();
    assert_eq!(key.algorithm(), Algorithm::Ps512);
    refuses(
        key.with_algorithm(Algorithm::Es256),
        "this key does not sign ES256; it signs RS256, RS384, RS512, PS256, PS384, PS512",
    );
    refuses(
        Key::read(P256).unwrap().with_algorithm(Algorithm::Es384),
        "this key does not sign ES384; it signs ES256",
    );
}

/// What `openssl dgst -sha256 -sign ec.pem` writes is DER; `ring` verifies it in the form of JWS.
#[test]
fn ecdsa_signature_in_der_becomes_the_one_of_jws() {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    let der = include_bytes!("data/keys/ec.der.sig");
    let fixed = ecdsa_signature_from_der(Algorithm::Es256, der).unwrap();
    let public = EcKey::from_pem(P256).unwrap().public_jwk();
    let public: serde_json::Value = serde_json::from_str(&public).unwrap();
    let number = |name: &str| {
        URL_SAFE_NO_PAD
            .decode(public[name].as_str().unwrap())
            .unwrap()
    };
    let point = [&[4], &*number("x"), &number("y")].concat();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    public.verify(b"header.claims", &fixed).unwrap();
}

/// RFC 3279 §2.2.3: each number is as short as it can be, and has a zero in front if it would be negative.
#[test]
fn ecdsa_numbers_are_padded_to_the_size_of_the_curve() {
    let der = b"\x30\x07\x02\x01\x01\x02\x02\x00\xff";
    let mut expected = [0; 64];
    (expected[31], expected[63]) = (1, 0xff);
    assert_eq!(
        ecdsa_signature_from_der(Algorithm::Es256, der).unwrap(),
        expected
    );
    let mut expected = [0; 96];
    (expected[47], expected[95]) = (1, 0xff);
    assert_eq!(
        ecdsa_signature_from_der(Algorithm::Es384, der).unwrap(),
        expected
    );
    let mut expected = [0; 132];
    (expected[65], expected[131]) = (1, 0xff);
    assert_eq!(
        ecdsa_signature_from_der(Algorithm::Es512, der).unwrap(),
        expected
    );
}

#[test]
fn what_is_no_ecdsa_signature_is_refused() {
    let long = [&b"\x30\x26\x02\x21\x01"[..], &[7; 32], b"\x02\x01\x01"].concat();
    for der in [
        &b""[..],
        &[0; 64],
        b"\x30\x03\x02\x01\x01",
        &long,
        b"\x30\x06\x02\x01\x01\x04\x01\x01",
        b"\x30\x06\x02\x01\x00\x02\x01\x01",     // zero
        b"\x30\x06\x02\x01\xff\x02\x01\x01",     // negative
        b"\x30\x07\x02\x02\x00\x7f\x02\x01\x01", // longer than it can be
    ] {
        refuses(
            ecdsa_signature_from_der(Algorithm::Es256, der),
            "this is not a signature of ES256 in DER",
        );
    }
    refuses(
        ecdsa_signature_from_der(Algorithm::Rs256, b""),
        "RS256 has no signatures in DER; ES256, ES384 and ES512 have",
    );
}

#[test]
fn profile_refuses_a_key_whose_algorithm_its_server_does_not_accept() {
    let profile = || Profile::cylance("https://protectapi.cylance.com", "tenant", "app").unwrap();
    let key = RsaKey::from_der(RSA).unwrap();
    let message = "this server accepts HS256, and the key signs RS256: choose another algorithm of the key, or \
        another key";
    refuses(profile().assertion(&key, SystemTime::now()), message);
    let own = profile().with_algorithms([Algorithm::Hs256, Algorithm::Rs256]);
    assert!(own.assertion(&key, SystemTime::now()).is_ok());
}

/// The example signs with the command `openssl`, as a KMS would: jsonwebtoken accepts what it prints.
#[test]
#[ignore = "needs openssl: .ci/run has it"]
fn assertions_of_the_example_over_openssl_verify() {
    let file = |name: &str| format!("{}/tests/data/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    let assertion = |alg: &str, key: &str| {
        let run = std::process::Command::new(env!("CARGO"))
            .args([
                "run",
                "--quiet",
                "--locked",
                "--example",
                "openssl_signer",
                alg,
                &file(key),
            ])
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
    };
    let rsa = DecodingKey::from_rsa_pem(RSA_PUBLIC.as_bytes()).unwrap();
    let ec = DecodingKey::from_ec_pem(P256_PUBLIC.as_bytes()).unwrap();
    for (alg, key, public) in [("RS256", "rsa-2048.der", rsa), ("ES256", "ec.pem", ec)] {
        let mut validation = Validation::new(alg.parse().unwrap());
        validation.set_audience(&["https://as.example.com/token"]);
        let verified = decode::<serde_json::Value>(&assertion(alg, key), &public, &validation);
        assert_eq!(verified.unwrap().claims["iss"], "client-1");
    }
}

/// The base64 of an Ed25519 key is a single line, so nothing is missing.
#[test]
fn key_of_one_line_needs_no_repair() {
    assert_eq!(Ed25519Key::from_pem(ED25519).unwrap().repairs(), [""; 0]);
    let without_line_ends = ED25519.replace('\n', "");
    let key = Ed25519Key::from_pem(without_line_ends).unwrap();
    assert_eq!(key.repairs(), ["line ends were missing"]);
}
