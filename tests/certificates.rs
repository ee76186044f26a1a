//! Certificates: the header members that name them, and the keys that they belong to.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_bearer::{Audience, Certificate, Endpoint, ErrorKind, HmacKey, Profile, Signer};
#[cfg(feature = "ring")]
use jwt_bearer::{EcKey, Ed25519Key, RingRsaKey};
use serde_json::{Value, json};

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("data/certificates/", $name))
    };
}

/// What `openssl x509 -fingerprint` printed, in base64url.
fn fingerprint(name: &str, hash: &str) -> String {
    let lines = include_str!("data/certificates/fingerprints.txt").lines();
    let start = format!("{name} {hash} ");
    let hex = lines.filter_map(|line| line.strip_prefix(&start)).next();
    let digits = hex.unwrap().split(':');
    let bytes: Vec<_> = digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[track_caller]
fn refuses(bytes: impl AsRef<[u8]>, message: &str) {
    let error = Certificate::read(bytes).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Key);
}

#[test]
fn hashes_are_the_fingerprints_of_openssl() {
    for (name, file) in [
        ("leaf", &file!("leaf.pem")[..]),
        ("leaf", file!("leaf.der")),
        ("leaf", file!("trusted.pem")),
        ("leaf", file!("exported.pem")),
        ("ec-pkcs8", file!("ec-pkcs8.pem")),
        ("p-384", file!("p-384.pem")),
        ("ed25519", file!("ed25519.pem")),
        ("rsa-pss", file!("rsa-pss.pem")),
    ] {
        let certificate = Certificate::read(file).unwrap();
        assert_eq!(certificate.x5t_s256(), fingerprint(name, "sha256"));
        #[cfg(feature = "ring")]
        assert_eq!(certificate.x5t(), fingerprint(name, "sha1"));
    }
}

#[test]
fn x5c_has_the_certificates_of_the_file_in_its_order() {
    let leaf = STANDARD.encode(file!("leaf.der"));
    assert_eq!(
        Certificate::read(file!("leaf.pem")).unwrap().x5c(),
        [&*leaf]
    );
    assert_eq!(
        Certificate::read(file!("trusted.pem")).unwrap().x5c(),
        [&*leaf]
    );
    let exported = Certificate::read(file!("exported.pem")).unwrap().x5c();
    assert_eq!(exported.len(), 2);
    assert_eq!(exported[0], leaf);
    let authority = Certificate::read(&exported[1]).unwrap();
    assert_eq!(authority.x5c(), exported[1..]);
    assert_ne!(authority, Certificate::read(file!("leaf.pem")).unwrap());
    // RFC 7517 §B prints a certificate in x5c.
    let jwk: Value = serde_json::from_str(include_str!("data/jwk/rfc7517-b.json")).unwrap();
    let printed = jwk["x5c"][0].as_str().unwrap();
    assert_eq!(Certificate::read(printed).unwrap().x5c(), [printed]);
}

#[test]
fn certificate_is_read_from_utf_16_json_and_behind_other_text() {
    let pem = std::str::from_utf8(file!("leaf.pem")).unwrap();
    let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let json = json!({ "certificate": pem }).to_string();
    let crlf = format!("subject=CN = Z\u{fc}rich\r\n{}", pem.replace('\n', "\r\n"));
    let latin1 = [b"CN = Z\xfcrich\n", pem.as_bytes()].concat();
    for text in [&utf16[..], json.as_bytes(), crlf.as_bytes(), &latin1] {
        let certificate = Certificate::read(text).unwrap();
        assert_eq!(certificate.x5t_s256(), fingerprint("leaf", "sha256"));
    }
}

#[test]
fn header_names_the_certificate() {
    let certificate = Certificate::read(file!("exported.pem")).unwrap();
    let endpoint = Endpoint::token("https://login.example.com/token").unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
        .with_header("x5t#S256", certificate.x5t_s256())
        .with_header("x5c", certificate.x5c());
    let key = HmacKey::new("a secret of at least thirty-two bytes").unwrap();
    let now = std::time::SystemTime::now();
    let assertion = profile.assertion(&key, now).unwrap();
    let header = assertion.secret().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["x5t#S256"], fingerprint("leaf", "sha256"));
    assert_eq!(header["x5c"][0], STANDARD.encode(file!("leaf.der")));
    assert_eq!(header["x5c"].as_array().unwrap().len(), 2);
}

#[cfg(feature = "rsa")]
#[test]
fn certificate_is_that_of_its_rsa_key_alone() {
    use jwt_bearer::RsaKey;
    let key = RsaKey::from_der(include_bytes!("data/keys/rsa-2048.der")).unwrap();
    for file in [
        &file!("leaf.pem")[..],
        file!("leaf.der"),
        file!("exported.pem"),
    ] {
        assert!(Certificate::read(file).unwrap().is_of(&key));
    }
    // One file has both.
    let exported = RsaKey::read(file!("exported.pem")).unwrap();
    assert!(
        Certificate::read(file!("exported.pem"))
            .unwrap()
            .is_of(&exported)
    );
    let dynamic: Box<dyn Signer> = Box::new(key);
    assert!(
        Certificate::read(file!("leaf.pem"))
            .unwrap()
            .is_of(&*dynamic)
    );
    for file in [
        &include_bytes!("data/keys/certificate.pem")[..],
        include_bytes!("data/keys/certificate-v1.pem"),
        file!("ec-pkcs8.pem"),
        file!("rsa-pss.pem"),
    ] {
        assert!(!Certificate::read(file).unwrap().is_of(&exported));
    }
    let vectors: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    let key = RsaKey::read(vectors["key"]["pkcs1_pem"].as_str().unwrap()).unwrap();
    for file in [
        &include_bytes!("data/keys/certificate.pem")[..],
        include_bytes!("data/keys/certificate-v1.pem"),
    ] {
        assert!(Certificate::read(file).unwrap().is_of(&key));
    }
    let pss = RsaKey::read(include_bytes!("data/keys/rsa-pss.pem")).unwrap();
    assert!(Certificate::read(file!("rsa-pss.pem")).unwrap().is_of(&pss));
    assert!(!Certificate::read(file!("rsa-pss.pem")).unwrap().is_of(&key));
}

#[cfg(feature = "ring")]
#[test]
fn certificate_is_that_of_its_key_of_another_kind() {
    let p256 = EcKey::from_pem(include_bytes!("data/keys/ec-pkcs8.pem")).unwrap();
    let p384 = EcKey::from_pem(include_bytes!("data/jwk/p-384.pem")).unwrap();
    let ed25519 = Ed25519Key::from_pem(include_bytes!("data/keys/ed25519.pem")).unwrap();
    let rsa = RingRsaKey::from_der(include_bytes!("data/keys/rsa-2048.der")).unwrap();
    let keys: [&dyn Signer; 4] = [&p256, &p384, &ed25519, &rsa];
    let files = [
        &file!("ec-pkcs8.pem")[..],
        file!("p-384.pem"),
        file!("ed25519.pem"),
        file!("leaf.pem"),
    ];
    for (i, file) in files.into_iter().enumerate() {
        let certificate = Certificate::read(file).unwrap();
        for (j, key) in keys.into_iter().enumerate() {
            assert_eq!(certificate.is_of(key), i == j, "{i} {j}");
        }
    }
}

#[test]
fn certificate_is_of_no_shared_secret() {
    let key = HmacKey::new("a secret of at least thirty-two bytes").unwrap();
    assert!(!Certificate::read(file!("leaf.pem")).unwrap().is_of(&key));
}

#[test]
fn what_is_no_certificate_is_named() {
    let request = "this is a certificate request";
    let request_pem = include_str!("data/keys/request.pem");
    refuses(request_pem, request);
    let body: String = request_pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    refuses(&body, request);
    refuses(STANDARD.decode(&body).unwrap(), request);
    refuses(
        include_bytes!("data/keys/store.p12"),
        "this is a PKCS#12 store: export its certificate with openssl pkcs12 -in FILE -nokeys -clcerts -out NEW (an \
         old \
         store also needs -legacy)",
    );
    refuses(
        file!("leaf.p7b"),
        "this is a PKCS#7 file: export its certificates with openssl pkcs7 -inform DER -print_certs -in FILE -out NEW",
    );
    refuses(
        file!("leaf.p7b.pem"),
        "this is a PKCS#7 file: export its certificates with openssl pkcs7 -print_certs -in FILE -out NEW",
    );
    let no_block = "there is no certificate in this PEM";
    refuses(include_bytes!("data/keys/ec-pkcs8.pem"), no_block);
    let neither = "this is not a certificate in PEM or DER";
    for bytes in [&b""[..], b"text", b"\0\0", b"\x30\0", b"\x04\x01\0"] {
        refuses(bytes, neither);
    }
    refuses(include_bytes!("data/keys/rsa-2048.der"), neither);
    refuses(&file!("leaf.der")[..500], neither);
    let pem = std::str::from_utf8(file!("leaf.pem")).unwrap();
    let damaged = "this PEM is cut off or damaged";
    refuses(&pem[..500], damaged);
    refuses(pem.replacen("MII", "M!I", 1), damaged);
    let key = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    refuses(key, neither);
    refuses(
        vec![b'A'; 1024 * 1024 + 1],
        "this is too long for a certificate",
    );
}

#[test]
fn debug_of_a_certificate_shows_its_hash() {
    let certificate = Certificate::read(file!("exported.pem")).unwrap();
    let hash = fingerprint("leaf", "sha256");
    assert_eq!(
        format!("{certificate:?}"),
        format!("Certificate {{ x5t#S256: {hash:?}, issuers: 1 }}")
    );
}
