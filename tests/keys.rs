//! Keys: which RSA keys are accepted, what an HMAC secret is, and what a signer shows and hides.

use std::error::Error as _;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_bearer::{
    Algorithm, Audience, Endpoint, Error, ErrorKind, HmacKey, Profile, RsaKey, Signer,
};
use serde_json::Value;

/// The message that OpenSSL signed with the keys of `data/keys`.
const MESSAGE: &[u8] = b"header.claims";

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

/// Returns the key of RFC 7515 §A.2, in PKCS#1 or PKCS#8.
fn rfc7515_pem(format: &str) -> String {
    vectors()["key"][format].as_str().unwrap().to_owned()
}

/// Decodes the text between BEGIN and END.
#[track_caller]
fn der(pem: &str) -> Vec<u8> {
    let lines = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN "));
    let body: String = lines
        .skip(1)
        .take_while(|line| !line.starts_with("-----END "))
        .collect();
    STANDARD.decode(body).unwrap()
}

/// Checks that `key` makes the signature that RFC 7515 §A.2 prints.
#[track_caller]
fn signs_as_rfc7515_a2(key: &RsaKey) {
    let jws = vectors()["rfc7515_a2_rs256"]["jws"]
        .as_str()
        .unwrap()
        .to_owned();
    let (message, signature) = jws.rsplit_once('.').unwrap();
    let ours = key.sign(message.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(ours), signature);
}

#[track_caller]
fn is_key_error(error: &Error, message: &str) {
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.source().is_none());
}

/// Checks that `der` is refused with `message`, and that the error shows no part of it in hex,
/// base64, as a list of numbers or as it is.
#[track_caller]
fn refuses(der: &[u8], message: &str) {
    let error = RsaKey::from_der(der).unwrap_err();
    is_key_error(&error, message);
    let printed = format!("{error} {error:?} {error:#?}");
    let hex = |part: &[u8]| {
        part.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    for part in der.windows(8) {
        let list = format!("{part:?}");
        let list = list.trim_matches(['[', ']']);
        let spellings = [hex(part), STANDARD.encode(&part[..6]), list.to_owned()];
        for spelling in spellings {
            assert!(!printed.contains(&spelling), "{printed}");
        }
        assert!(
            !printed.as_bytes().windows(8).any(|run| run == part),
            "{printed}"
        );
    }
}

// RSA keys

#[test]
fn pkcs1_and_pkcs8_in_pem_and_der_sign_alike() {
    for format in ["pkcs1_pem", "pkcs8_pem"] {
        let pem = rfc7515_pem(format);
        let from_pem = RsaKey::from_pem(&pem).unwrap();
        let from_der = RsaKey::from_der(der(&pem)).unwrap();
        for key in [from_pem, from_der] {
            signs_as_rfc7515_a2(&key);
            assert!(key.repairs().is_empty());
            assert_eq!(key.algorithm(), Algorithm::Rs256);
        }
    }
}

#[test]
fn rsa_keys_of_2048_to_8192_bits_sign_as_openssl_does() {
    let keys: [(&[u8], &[u8]); 4] = [
        (
            include_bytes!("data/keys/rsa-2048.der"),
            include_bytes!("data/keys/rsa-2048.sig"),
        ),
        (
            include_bytes!("data/keys/rsa-3072.der"),
            include_bytes!("data/keys/rsa-3072.sig"),
        ),
        (
            include_bytes!("data/keys/rsa-4096.der"),
            include_bytes!("data/keys/rsa-4096.sig"),
        ),
        (
            include_bytes!("data/keys/rsa-8192.der"),
            include_bytes!("data/keys/rsa-8192.sig"),
        ),
    ];
    for ((der, signature), bits) in keys.into_iter().zip([2048, 3072, 4096, 8192]) {
        assert_eq!(signature.len() * 8, bits);
        let from_der = RsaKey::from_der(der).unwrap();
        assert_eq!(from_der.sign(MESSAGE).unwrap(), signature, "{bits} bits");
        let body = STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let from_pem = RsaKey::from_pem(pem).unwrap();
        assert_eq!(from_pem.sign(MESSAGE).unwrap(), signature, "{bits} bits");
    }
}

#[test]
fn rsa_key_under_2048_bits_is_refused_with_its_size() {
    let small = der(include_str!("data/keys/rsa-1024.pem"));
    refuses(&small, "this RSA key has 1024 bits; 2048 to 8192 are taken");
    let one_less = include_bytes!("data/keys/rsa-2047.der");
    refuses(
        one_less,
        "this RSA key has 2047 bits; 2048 to 8192 are taken",
    );
}

#[test]
fn rsa_key_over_8192_bits_is_refused_with_the_limit() {
    let a_byte_more = include_bytes!("data/keys/rsa-8200.der");
    refuses(
        a_byte_more,
        "this RSA key has 8200 bits; 2048 to 8192 are taken",
    );
    let twice = include_bytes!("data/keys/rsa-16384.der");
    refuses(twice, "this RSA key has 16384 bits; 2048 to 8192 are taken");
}

#[test]
fn public_key_in_der_is_named() {
    refuses(&der(&rfc7515_pem("public_pem")), "this is a public key");
    let pkcs1 = der(include_str!("data/keys/public-pkcs1.pem"));
    refuses(&pkcs1, "this is a public key");
}

#[test]
fn certificate_in_der_is_named() {
    let version_3 = der(include_str!("data/keys/certificate.pem"));
    refuses(&version_3, "this is a certificate");
    let version_1 = der(include_str!("data/keys/certificate-v1.pem"));
    refuses(&version_1, "this is a certificate");
}

#[test]
fn certificate_request_in_der_is_named() {
    let request = der(include_str!("data/keys/request.pem"));
    refuses(&request, "this is a certificate request");
}

#[test]
fn ec_key_in_der_is_named() {
    let with_parameters = include_str!("data/keys/ec.pem");
    let (_parameters, sec1) = with_parameters
        .split_once("-----END EC PARAMETERS-----\n")
        .unwrap();
    for key in [sec1, include_str!("data/keys/ec-pkcs8.pem")] {
        refuses(&der(key), "this is an EC key; RS256 needs RSA");
    }
}

#[test]
fn ed25519_and_x25519_keys_in_der_are_named() {
    let ed25519 = der(include_str!("data/keys/ed25519.pem"));
    refuses(&ed25519, "this is an Ed25519 key; RS256 needs RSA");
    let x25519 = der(include_str!("data/keys/x25519.pem"));
    refuses(
        &x25519,
        "this is an X25519 key, which is for key agreement: JWTs are signed with RSA, EC or Ed25519 keys",
    );
}

#[test]
fn pss_restricted_key_in_der_is_named() {
    let key = der(include_str!("data/keys/rsa-pss.pem"));
    refuses(
        &key,
        "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5",
    );
}

#[test]
fn encrypted_key_in_der_asks_for_a_passphrase() {
    let key = der(include_str!("data/keys/encrypted.txt"));
    refuses(&key, "this key is encrypted: a passphrase is needed");
}

#[test]
fn truncated_der_is_named() {
    for format in ["pkcs1_pem", "pkcs8_pem"] {
        let whole = der(&rfc7515_pem(format));
        for length in [1, 2, 4, 100, whole.len() / 2, whole.len() - 1] {
            refuses(&whole[..length], "this key is cut off in the middle");
        }
    }
}

#[test]
fn rsa_key_with_mismatched_parts_is_refused() {
    for format in ["pkcs1_pem", "pkcs8_pem"] {
        let mut key = der(&rfc7515_pem(format));
        let d = URL_SAFE_NO_PAD
            .decode(vectors()["key"]["d"].as_str().unwrap())
            .unwrap();
        let at = key.windows(d.len()).position(|part| part == d).unwrap();
        key[at + 100] ^= 1;
        refuses(&key, "the parts of this RSA key do not belong together");
    }
}

#[test]
fn rsa_key_of_three_primes_is_named() {
    let pkcs8 = der(include_str!("data/keys/3-primes.pem"));
    // Version, algorithm, and the head of the OCTET STRING with the PKCS#1 (RFC 5208 §5): 26 bytes.
    for key in [&pkcs8[..], &pkcs8[26..]] {
        refuses(
            key,
            "this RSA key has more than two primes; keys of two are taken",
        );
    }
}

#[test]
fn pkcs12_store_is_named_with_the_openssl_command() {
    let message = match cfg!(feature = "encrypted-keys") {
        true => "this is a PKCS#12 store: a passphrase is needed, or an empty one if it has none",
        false => {
            "this is a PKCS#12 store: export its key with openssl pkcs12 -in FILE -nocerts -nodes -out NEW (an old \
             store also needs -legacy)"
        }
    };
    refuses(include_bytes!("data/keys/store.p12"), message);
}

#[test]
fn der_that_is_no_key_is_refused() {
    let message = "this is not a private key in PKCS#8, PKCS#1 or SEC 1";
    refuses(rfc7515_pem("pkcs1_pem").as_bytes(), message);
    refuses(b"no key at all", message);
}

// HMAC secrets. The literals are from RFC 4231, or made by `openssl dgst -sha256 -hmac`.

#[track_caller]
fn hmac(secret: impl Into<Vec<u8>>, message: &str, hex: &str) {
    let signature = HmacKey::new(secret)
        .unwrap()
        .sign(message.as_bytes())
        .unwrap();
    let ours: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(ours, hex);
}

#[test]
fn hmac_secret_signs_as_rfc_4231_prints() {
    hmac(
        [0x0b; 20],
        "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
    hmac(
        [0xaa; 131],
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    );
}

#[test]
fn hmac_secret_may_be_short() {
    hmac(
        "Jefe",
        "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    let bytes_31 = "0123456789abcdef0123456789abcde";
    assert_eq!(bytes_31.len(), 31);
    hmac(
        bytes_31,
        "header.claims",
        "5ea068be83fd948e2a987f0f2d30bd1b2506b2e43f2204f8212126a87a85af05",
    );
}

#[test]
fn hmac_secret_like_base64_or_hex_is_not_decoded() {
    hmac(
        "c2VjcmV0",
        "header.claims",
        "2e14fd7dba820b20cf589ade7e3a2cbba8326f5e2c41b6e9ccbbeb8dfc31eac5",
    );
    hmac(
        "736563726574",
        "header.claims",
        "bf050177a25e4c38b0b63b1c470cfcca29cee500daa25a64215e8a89e1fb97e5",
    );
    hmac(
        "secret",
        "header.claims",
        "a31a38bbdf21066ab614568916bd6542651a1c6e309049a37a00b2e1d4c3d058",
    );
}

#[test]
fn hmac_secret_is_not_trimmed() {
    hmac(
        "secret\n",
        "header.claims",
        "5b5254131baf75ffe04bad58b83eeb4fc00f93bda69dabbdc10fa6c3c713098b",
    );
    hmac(
        " secret ",
        "header.claims",
        "af8cdbc8aabcfec7ba0e8f9681bbd94bfe1d2abcfc463df39b39fa73dca9d94d",
    );
    hmac(
        "\"secret\"",
        "header.claims",
        "5d838aa542afa21b474f75c2864c598b02bba87543346643900638cc585db67e",
    );
    hmac(
        "\u{feff}secret",
        "header.claims",
        "041f22544ffc486c109a6d8d58c6392aee58a834c3bb3cd30802fe480a1af0cf",
    );
}

#[test]
fn hmac_secret_outside_ascii_is_its_bytes() {
    hmac(
        "pässwörd",
        "header.claims",
        "35ef54e17b06005112375d7fc1dd17c9dff06c7fdbdaba4e2bc3899249399d89",
    );
    hmac(
        *b"\xff\xfe\x01",
        "header.claims",
        "0381b93823397d5b3466036ccb9f1ab76eaa4e9d6f8edf6a27819a08d929400a",
    );
}

#[test]
fn hmac_secret_may_be_white_space() {
    hmac(
        "\n",
        "header.claims",
        "028e44db2454ae7005d5097958d2f7290fb660f4a2cf00bf25dd53344c60f215",
    );
}

#[test]
fn empty_hmac_secret_is_refused() {
    is_key_error(&HmacKey::new("").unwrap_err(), "the HMAC secret is empty");
    is_key_error(
        &HmacKey::new(Vec::new()).unwrap_err(),
        "the HMAC secret is empty",
    );
}

// What a signer shows and hides

/// Returns the header of an assertion that `signer` signs.
#[track_caller]
fn header(signer: &dyn Signer) -> String {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::jwt_bearer(endpoint, "client-1", Audience::TokenEndpoint);
    let assertion = profile.assertion(signer, SystemTime::now()).unwrap();
    let (header, _rest) = assertion.secret().split_once('.').unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn rs256() -> RsaKey {
    RsaKey::from_pem(rfc7515_pem("pkcs1_pem")).unwrap()
}

fn hs256() -> HmacKey {
    HmacKey::new("0f0e0d0c-0b0a-4908-8706-050403020100").unwrap()
}

#[test]
fn signer_decides_alg_and_kid() {
    assert_eq!(header(&rs256()), r#"{"typ":"JWT","alg":"RS256"}"#);
    assert_eq!(header(&hs256()), r#"{"typ":"JWT","alg":"HS256"}"#);
    let (rs256, hs256) = (rs256().with_key_id("k1"), hs256().with_key_id("k 2 \"ä\""));
    assert_eq!(header(&rs256), r#"{"typ":"JWT","alg":"RS256","kid":"k1"}"#);
    assert_eq!(
        header(&hs256),
        r#"{"typ":"JWT","alg":"HS256","kid":"k 2 \"ä\""}"#
    );
}

#[test]
fn key_id_is_returned_and_does_not_change_the_signature() {
    assert_eq!(rs256().key_id(), None);
    assert_eq!(hs256().key_id(), None);
    let with_id = rs256().with_key_id("k1");
    assert_eq!(with_id.key_id(), Some("k1"));
    signs_as_rfc7515_a2(&with_id);
    let with_id = hs256().with_key_id("k1").with_key_id("k2");
    assert_eq!(with_id.key_id(), Some("k2"));
    assert_eq!(
        with_id.sign(MESSAGE).unwrap(),
        hs256().sign(MESSAGE).unwrap()
    );
}

#[test]
fn debug_of_a_key_shows_algorithm_key_id_and_repairs_only() {
    assert_eq!(
        format!("{:?}", rs256()),
        "RsaKey { algorithm: Rs256, key_id: None, repairs: [], .. }"
    );
    let pem = format!("\u{feff}{}", rfc7515_pem("pkcs8_pem"));
    let repaired = RsaKey::from_pem(pem).unwrap().with_key_id("k1");
    assert_eq!(
        format!("{repaired:?}"),
        "RsaKey { algorithm: Rs256, key_id: Some(\"k1\"), \
         repairs: [\"there was a byte order mark before the key\"], .. }"
    );
    assert_eq!(
        format!("{:?}", hs256()),
        "HmacKey { algorithm: Hs256, key_id: None, .. }"
    );
    let with_id = hs256().with_key_id("k2");
    assert_eq!(
        format!("{with_id:#?}"),
        "HmacKey {\n    algorithm: Hs256,\n    key_id: Some(\n        \"k2\",\n    ),\n    ..\n}"
    );
}

#[test]
fn key_in_an_arc_or_a_box_is_the_same_signer() {
    fn same(signer: impl Signer) {
        assert_eq!(signer.algorithm(), Algorithm::Rs256);
        assert_eq!(signer.key_id(), Some("k1"));
        assert_eq!(
            signer.sign(MESSAGE).unwrap(),
            rs256().sign(MESSAGE).unwrap()
        );
        assert_eq!(header(&signer), r#"{"typ":"JWT","alg":"RS256","kid":"k1"}"#);
    }
    let key = || rs256().with_key_id("k1");
    let in_arc: Arc<dyn Signer> = Arc::new(key());
    let in_box: Box<dyn Signer> = Box::new(key());
    same(Arc::new(key()));
    same(Box::new(key()));
    same(in_arc);
    same(Arc::new(in_box));
    let in_box: Box<dyn Signer> = Box::new(key());
    same(in_box);
}

#[test]
fn keys_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<RsaKey>();
    shared::<HmacKey>();
    shared::<Arc<dyn Signer>>();
    let key = Arc::new(rs256());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let key = Arc::clone(&key);
            std::thread::spawn(move || signs_as_rfc7515_a2(&key))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[cfg(feature = "encrypted-keys")]
mod encrypted {
    use super::{der, is_key_error, rfc7515_pem, signs_as_rfc7515_a2};
    use jwt_bearer::{Error, RsaKey};

    const PASSPHRASE: &str = "correct horse";
    const WRONG: &str = "the passphrase is wrong";
    const UNKNOWN: &str = "this key's encryption is not PBES2 with AES-CBC or 3DES-CBC and PBKDF2 \
        (HMAC-SHA-1 or HMAC-SHA-2) or scrypt: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW (an old \
        cipher also needs -provider legacy -provider default)";

    /// Returns the block of `data/keys/encrypted.txt` under this line.
    #[track_caller]
    fn block(encryption: &str) -> &'static str {
        let all = include_str!("data/keys/encrypted.txt");
        let (_before, rest) = all.split_once(&format!("{encryption}\n")).unwrap();
        let end = "-----END ENCRYPTED PRIVATE KEY-----\n";
        let (block, _after) = rest.split_once(end).unwrap();
        &rest[..block.len() + end.len()]
    }

    /// Decrypts the key as PEM and as DER.
    fn both(pem: &str, passphrase: impl AsRef<[u8]>) -> [Result<RsaKey, Error>; 2] {
        let passphrase = passphrase.as_ref();
        [
            RsaKey::from_encrypted_pem(pem, passphrase),
            RsaKey::from_encrypted_der(der(pem), passphrase),
        ]
    }

    #[track_caller]
    fn decrypts(pem: &str, passphrase: &str) {
        for key in both(pem, passphrase) {
            let key = key.unwrap();
            signs_as_rfc7515_a2(&key);
            assert!(key.repairs().is_empty());
        }
    }

    #[track_caller]
    fn refuses(pem: &str, passphrase: impl AsRef<[u8]>, message: &str) {
        let passphrase = passphrase.as_ref();
        for key in both(pem, passphrase) {
            let error = key.unwrap_err();
            is_key_error(&error, message);
            let printed = format!("{error} {error:?}");
            assert!(!printed.contains(PASSPHRASE), "{printed}");
            let body = pem.lines().filter(|line| line.len() == 64);
            for line in body {
                let run = &line[..16];
                assert!(!printed.contains(run), "{printed}");
            }
        }
    }

    /// The file chooses the cost of decrypting it, and a failed allocation aborts the process.
    #[test]
    fn encrypted_key_over_the_cost_limit_is_refused_at_once() {
        let begin = std::time::Instant::now();
        let slow = "this key's passphrase takes 2000001 rounds of PBKDF2; at most 2000000 are taken: \
            write a cheaper one with openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in FILE -out NEW";
        refuses(include_str!("data/keys/slow.pem"), PASSPHRASE, slow);
        // scrypt's N, r, p as OpenSSL writes them, and p 127 times as large
        let mut key = der(block("aes-128-cbc scrypt"));
        let cost = [2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1];
        let at = key.windows(cost.len()).position(|part| part == cost);
        key[at.unwrap() + cost.len() - 1] = 127;
        let error = RsaKey::from_encrypted_der(&key, PASSPHRASE).unwrap_err();
        let slow = "this key's passphrase takes 2032 MiB of scrypt (N 16384, r 8, p 127); at most 64 \
            MiB are taken: write a cheaper one with openssl pkcs8 -topk8 -scrypt -in FILE -out NEW";
        is_key_error(&error, slow);
        assert!(begin.elapsed() < std::time::Duration::from_secs(1));
    }

    /// To keep this test fast, the next field of the file is invalid.
    #[test]
    fn encrypted_key_at_the_cost_limit_is_not_refused_for_its_cost() {
        let mut sealed = der(include_str!("data/keys/slow.pem"));
        put(&mut sealed, &[0x1e, 0x84, 0x81], &[0x1e, 0x84, 0x80]); // two million rounds
        let hmac = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
        put(
            &mut sealed,
            &[&hmac[..], &[9]].concat(),
            &[&hmac[..], &[12]].concat(),
        ); // SHA-512/224
        let error = RsaKey::from_encrypted_der(&sealed, PASSPHRASE).unwrap_err();
        is_key_error(&error, UNKNOWN);

        // 64 MiB with a p of 4; three bytes of the salt become a key length of 5, which AES lacks
        let mut sealed = der(block("aes-128-cbc scrypt"));
        let salt = [0xfe, 0x7f, 0x50, 0xa8, 0x72, 0x8a, 0xd7, 0xab];
        let cost = [2, 2, 0x40, 0, 2, 1, 8, 2, 1];
        let was = [&[4, 8], &salt[..], &cost, &[1]].concat();
        let is = [&[4, 5], &salt[..5], &cost, &[4, 2, 1, 5]].concat();
        put(&mut sealed, &was, &is);
        let error = RsaKey::from_encrypted_der(&sealed, PASSPHRASE).unwrap_err();
        is_key_error(&error, UNKNOWN);
    }

    #[track_caller]
    fn put(der: &mut [u8], was: &[u8], is: &[u8]) {
        let at = der.windows(was.len()).position(|part| part == was).unwrap();
        der[at..at + is.len()].copy_from_slice(is);
    }

    #[test]
    fn aes_cbc_with_pbkdf2_is_decrypted() {
        for cipher in ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"] {
            for prf in [
                "hmacWithSHA1",
                "hmacWithSHA224",
                "hmacWithSHA256",
                "hmacWithSHA384",
                "hmacWithSHA512",
            ] {
                decrypts(block(&format!("{cipher} {prf}")), PASSPHRASE);
            }
        }
    }

    #[test]
    fn aes_cbc_with_scrypt_is_decrypted() {
        for cipher in ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"] {
            decrypts(block(&format!("{cipher} scrypt")), PASSPHRASE);
        }
    }

    #[test]
    fn old_ciphers_are_decrypted() {
        for encryption in ["des3 hmacWithSHA256", "PBE-MD5-DES", "PBE-SHA1-3DES"] {
            decrypts(block(encryption), PASSPHRASE);
        }
    }

    #[test]
    fn impossible_scrypt_parameters_are_not_called_a_wrong_passphrase() {
        let mut sealed = der(block("aes-256-cbc scrypt"));
        let n = [0x02, 0x02, 0x40, 0x00]; // INTEGER 16384, which must be a power of two
        let at = sealed.windows(4).position(|part| part == n).unwrap();
        sealed[at + 3] = 0x01;
        let error = RsaKey::from_encrypted_der(sealed, PASSPHRASE).unwrap_err();
        is_key_error(&error, UNKNOWN);
    }

    #[test]
    fn wrong_passphrase_is_named() {
        let sealed = block("aes-256-cbc hmacWithSHA256");
        for wrong in [
            "wrong",
            "Correct horse",
            "correct horse ",
            "correct horse\n",
            "correct",
        ] {
            refuses(sealed, wrong, WRONG);
        }
        refuses(block("aes-256-cbc scrypt"), "wrong", WRONG);
    }

    #[test]
    fn wrong_passphrase_is_named_even_where_the_padding_fits_by_chance() {
        // The padding fits for one in 256.
        let sealed = block("one iteration");
        decrypts(sealed, PASSPHRASE);
        for n in 0..2000 {
            refuses(sealed, format!("wrong {n}"), WRONG);
        }
    }

    #[test]
    fn empty_passphrase_is_a_passphrase() {
        refuses(block("aes-256-cbc hmacWithSHA256"), "", WRONG);
        decrypts(block("empty passphrase"), "");
        refuses(block("empty passphrase"), PASSPHRASE, WRONG);
    }

    #[test]
    fn passphrase_is_its_bytes() {
        decrypts(block("non-ASCII passphrase"), "pässwörd");
        let latin_1 = b"p\xe4ssw\xf6rd";
        refuses(block("non-ASCII passphrase"), latin_1, WRONG);
    }

    #[test]
    fn passphrase_of_an_unencrypted_key_is_ignored() {
        for format in ["pkcs1_pem", "pkcs8_pem"] {
            decrypts(&rfc7515_pem(format), PASSPHRASE);
            decrypts(&rfc7515_pem(format), "");
        }
    }

    #[test]
    fn encrypted_key_is_repaired_like_any_other() {
        let mangled = format!(
            "\"{}\"",
            block("aes-256-cbc hmacWithSHA256").replace('\n', "\\n")
        );
        let key = RsaKey::from_encrypted_pem(&mangled, PASSPHRASE).unwrap();
        signs_as_rfc7515_a2(&key);
        let repairs = ["the key was in quotes", "line ends were written as \\n"];
        assert_eq!(key.repairs(), repairs);
        is_key_error(
            &RsaKey::from_encrypted_pem(&mangled, "wrong").unwrap_err(),
            WRONG,
        );
    }

    #[test]
    fn encrypted_key_without_begin_and_end_lines_is_decrypted() {
        let sealed = block("aes-256-cbc hmacWithSHA256");
        let body: String = sealed
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let key = RsaKey::from_encrypted_pem(body, PASSPHRASE).unwrap();
        signs_as_rfc7515_a2(&key);
        assert_eq!(key.repairs(), ["the BEGIN and END lines were missing"]);
    }

    #[test]
    fn other_keys_are_named_with_a_passphrase_as_without() {
        let certificate = include_str!("data/keys/certificate.pem");
        refuses(certificate, PASSPHRASE, "this is a certificate");
        let ec = include_str!("data/keys/ec-pkcs8.pem");
        refuses(ec, PASSPHRASE, "this is an EC key; RS256 needs RSA");
        let small = include_str!("data/keys/rsa-1024.pem");
        refuses(
            small,
            PASSPHRASE,
            "this RSA key has 1024 bits; 2048 to 8192 are taken",
        );
    }

    #[test]
    fn truncated_encrypted_key_is_named() {
        let sealed = block("aes-256-cbc hmacWithSHA256");
        let whole = der(sealed);
        let error = RsaKey::from_encrypted_der(&whole[..whole.len() / 2], PASSPHRASE).unwrap_err();
        is_key_error(&error, "this key is cut off in the middle");
        let error = RsaKey::from_encrypted_pem(&sealed[..500], PASSPHRASE).unwrap_err();
        is_key_error(&error, "this key is cut off in the middle");
    }
}
