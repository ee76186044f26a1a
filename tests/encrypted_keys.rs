//! Keys under a passphrase as other programs write them. `tests/data/keys/encrypted/make.sh` makes the files.
//!
//! All are the key of RFC 7515 §A.2 unless a test says otherwise, so the decrypted key makes the signature that the RFC
//! prints.
#![cfg(all(feature = "encrypted-keys", any(feature = "rsa", feature = "ring")))]

use std::error::Error as _;
use std::time::{Duration, Instant};
use std::{fs, str};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
#[cfg(not(feature = "rsa"))]
use jwt_bearer::RingRsaKey as RsaKey;
#[cfg(feature = "rsa")]
use jwt_bearer::RsaKey;
use jwt_bearer::{Error, ErrorKind, Signer as _};

const PASSPHRASE: &str = "correct horse";
const WRONG: &str = "the passphrase is wrong";
const NEEDED: &str = "this key is encrypted: a passphrase is needed";
const STORE_NEEDS: &str =
    "this is a PKCS#12 store: a passphrase is needed, or an empty one if it has none";
const CONVERT: &str = "convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW (an old cipher also \
    needs \
    -provider legacy -provider default)";
const EXPORT: &str = "export it with openssl pkcs12 -in FILE -nocerts -nodes -out NEW (an old cipher also needs -legacy)";

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys/encrypted/");
    fs::read(format!("{folder}{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(name: &str) -> String {
    String::from_utf8(file(name)).unwrap()
}

/// The readers of this file: by its format, and of any format.
fn readings(name: &str, bytes: &[u8], passphrase: &str) -> [Result<RsaKey, Error>; 2] {
    let by_format = match name.ends_with(".pem") {
        true => RsaKey::from_encrypted_pem(bytes, passphrase),
        false => RsaKey::from_encrypted_der(bytes, passphrase),
    };
    [by_format, RsaKey::read_encrypted(bytes, passphrase)]
}

#[track_caller]
fn signs_as_rfc7515_a2(key: &RsaKey) {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    let jws = vectors["rfc7515_a2_rs256"]["jws"].as_str().unwrap();
    let (message, signature) = jws.rsplit_once('.').unwrap();
    let ours = key.sign(message.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(ours), signature);
}

#[track_caller]
fn opens_with(name: &str, passphrase: &str) {
    let bytes = file(name);
    for key in readings(name, &bytes, passphrase) {
        let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
        signs_as_rfc7515_a2(&key);
        assert!(key.repairs().is_empty(), "{name}: {:?}", key.repairs());
    }
    for other in ["", "wrong", "correct horse ", "Correct horse", "\u{ff}"] {
        if other != passphrase {
            is_refused_with(name, other, WRONG);
        }
    }
    let needed = match name.ends_with(".p12") {
        true => STORE_NEEDS,
        false => NEEDED,
    };
    match passphrase {
        // An empty passphrase need not be given.
        "" => signs_as_rfc7515_a2(&RsaKey::read(&bytes).unwrap()),
        _ => is_error(&RsaKey::read(&bytes).unwrap_err(), needed, &bytes),
    }
}

#[track_caller]
fn opens(name: &str) {
    opens_with(name, PASSPHRASE);
}

#[track_caller]
fn is_refused_with(name: &str, passphrase: &str, message: &str) {
    let bytes = file(name);
    for key in readings(name, &bytes, passphrase) {
        is_error(&key.unwrap_err(), message, &bytes);
    }
}

#[track_caller]
fn is_refused(name: &str, message: &str) {
    is_refused_with(name, PASSPHRASE, message);
}

/// The error has this text and quotes neither the file nor the passphrase.
#[track_caller]
fn is_error(error: &Error, message: &str, bytes: &[u8]) {
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.source().is_none());
    let printed = format!("{error} {error:?} {error:#?}");
    assert!(!printed.contains(PASSPHRASE), "{printed}");
    let lines = str::from_utf8(bytes).unwrap_or_default().lines();
    for line in lines.filter(|line| line.len() == 64) {
        assert!(!printed.contains(&line[..16]), "{printed}");
    }
}

// ---- PKCS#8 ----

#[test]
fn pbes2_with_3des_is_decrypted_with_every_hash_and_scrypt() {
    for derivation in ["SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "scrypt"] {
        opens(&format!("pkcs8-des3-{derivation}.pem"));
    }
}

#[test]
fn pbes1_with_des_and_3des_is_decrypted() {
    for scheme in [
        "PBE-MD5-DES",
        "PBE-SHA1-DES",
        "PBE-SHA1-3DES",
        "PBE-SHA1-2DES",
    ] {
        opens(&format!("pkcs8-{scheme}.pem"));
    }
}

#[test]
fn pbes1_with_rc2_and_rc4_is_named_with_the_openssl_command() {
    for (scheme, name) in [
        ("PBE-MD5-RC2-64", "pbeWithMD5AndRC2-CBC"),
        ("PBE-SHA1-RC2-64", "pbeWithSHA1AndRC2-CBC"),
        ("PBE-SHA1-RC2-128", "pbeWithSHA1And128BitRC2-CBC"),
        ("PBE-SHA1-RC2-40", "pbeWithSHA1And40BitRC2-CBC"),
        ("PBE-SHA1-RC4-128", "pbeWithSHA1And128BitRC4"),
        ("PBE-SHA1-RC4-40", "pbeWithSHA1And40BitRC4"),
    ] {
        let message = format!("this key is encrypted with {name}, which is not read: {CONVERT}");
        is_refused(&format!("pkcs8-{scheme}.pem"), &message);
    }
    // OpenSSL 3 no longer writes MD2: the last number of the object identifier is changed instead.
    for (number, name) in [(1, "pbeWithMD2AndDES-CBC"), (4, "pbeWithMD2AndRC2-CBC")] {
        let mut der = der(&text("pkcs8-PBE-MD5-DES.pem"));
        let oid = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03";
        let at = der.windows(oid.len()).position(|part| part == oid).unwrap();
        der[at + oid.len() - 1] = number;
        let message = format!("this key is encrypted with {name}, which is not read: {CONVERT}");
        let error = RsaKey::read_encrypted(&der, PASSPHRASE).unwrap_err();
        is_error(&error, &message, &der);
    }
}

#[test]
fn pbes2_with_other_ciphers_is_refused_with_the_openssl_command() {
    let message = format!(
        "this key's encryption is not PBES2 with AES-CBC or 3DES-CBC and PBKDF2 (HMAC-SHA-1 or \
         HMAC-SHA-2) or scrypt: {CONVERT}"
    );
    for cipher in ["camellia", "des", "rc2"] {
        is_refused(&format!("pkcs8-{cipher}.pem"), &message);
    }
}

#[test]
fn old_encryption_over_the_cost_limit_is_refused_at_once() {
    let start = Instant::now();
    let slow = |what| {
        format!("this key's passphrase takes 2000001 rounds of {what}; at most 2000000 are taken: ")
    };
    let key = slow("PBES1");
    is_refused("pkcs8-PBE-SHA1-3DES-slow.pem", &(key.clone() + CONVERT));
    is_refused("pkcs12-slow.p12", &(slow("the MAC of PKCS#12") + EXPORT));
    is_refused("pkcs12-slow-key.p12", &(key + EXPORT));
    assert!(start.elapsed() < Duration::from_secs(1));
}

fn der(pem: &str) -> Vec<u8> {
    let body = pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(body.collect::<String>()).unwrap()
}

// ---- PEM with Proc-Type ----

#[test]
fn proc_type_with_aes_and_3des_is_decrypted() {
    for cipher in ["aes128", "aes192", "aes256", "des3", "pkcs8", "ssh-keygen"] {
        opens(&format!("proc-type-{cipher}.pem"));
    }
}

#[test]
fn proc_type_with_other_ciphers_is_named_with_the_openssl_command() {
    for (cipher, name) in [
        ("des", "DES-CBC"),
        ("rc2", "RC2-CBC"),
        ("bf", "BF-CBC"),
        ("seed", "SEED-CBC"),
        ("camellia256", "CAMELLIA-256-CBC"),
    ] {
        let message = other_cipher(name);
        let pem = format!("proc-type-{cipher}.pem");
        is_refused(&pem, &message);
        is_error(
            &RsaKey::read(file(&pem)).unwrap_err(),
            &message,
            &file(&pem),
        );
    }
    let unknown = text("proc-type-des.pem").replace("DES-CBC", "ROT-13-CBC");
    let error = RsaKey::read_encrypted(&unknown, PASSPHRASE).unwrap_err();
    is_error(&error, &other_cipher("another cipher"), unknown.as_bytes());
}

fn other_cipher(name: &str) -> String {
    format!("this key is encrypted with {name}; AES-CBC and DES-EDE3-CBC are read: {CONVERT}")
}

#[test]
fn proc_type_is_repaired_like_any_other_pem() {
    for cipher in ["aes256", "des3"] {
        let pem = text(&format!("proc-type-{cipher}.pem"));
        let reads = |text: &str, repairs: &[&str]| {
            let key = RsaKey::from_encrypted_pem(text, PASSPHRASE).unwrap();
            signs_as_rfc7515_a2(&key);
            assert_eq!(key.repairs(), repairs);
            let error = RsaKey::from_encrypted_pem(text, "wrong").unwrap_err();
            is_error(&error, WRONG, text.as_bytes());
        };
        reads(&pem.replace('\n', "\r\n"), &[]);
        let escaped = pem.replace('\n', "\\n");
        reads(
            &format!("\"{escaped}\""),
            &["the key was in quotes", "line ends were written as \\n"],
        );
        reads(&pem.replace('\n', " "), &["line ends were missing"]);
        reads(&pem.replace('\n', ""), &["line ends were missing"]);
        reads(&STANDARD.encode(&pem), &["the PEM was in base64 once more"]);
        let indented = pem.replace('\n', "\n  ");
        reads(&indented, &["lines were indented"]);
    }
}

#[test]
fn proc_type_without_cipher_or_iv_is_named() {
    let pem = text("proc-type-aes256.pem");
    let line = pem.lines().nth(2).unwrap();
    let no_iv = "the DEK-Info line of this encrypted key has no initialization vector";
    for (dek_info, message) in [
        (
            "",
            "this encrypted key has no DEK-Info line, which names its cipher",
        ),
        ("DEK-Info: AES-256-CBC", no_iv),
        ("DEK-Info: AES-256-CBC,", no_iv),
        (
            "DEK-Info: AES-256-CBC,0123456789ABCDEF0123456789ABCDEG",
            no_iv,
        ),
        (
            "DEK-Info: AES-256-CBC,+1+2+3+4+5+6+7+8+9+0+1+2+3+4+5+6",
            no_iv,
        ),
    ] {
        let text = pem.replace(line, dek_info);
        for error in [
            RsaKey::from_encrypted_pem(&text, PASSPHRASE).unwrap_err(),
            RsaKey::from_pem(&text).unwrap_err(),
        ] {
            is_error(&error, message, text.as_bytes());
        }
    }
}

#[test]
fn wrong_passphrase_of_proc_type_is_named_even_where_the_padding_fits_by_chance() {
    // The padding fits for one in 256.
    let pem = text("proc-type-aes128.pem");
    for n in 0..2000 {
        let error = RsaKey::from_encrypted_pem(&pem, format!("wrong {n}")).unwrap_err();
        is_error(&error, WRONG, pem.as_bytes());
    }
}

// ---- PKCS#12 ----

#[test]
fn pkcs12_of_openssl_windows_and_java_is_opened() {
    for store in [
        "openssl3",
        "openssl1",
        "windows",
        "java17",
        "java8",
        "key-first",
        "no-mac",
        "sha384",
        "sha512",
    ] {
        opens(&format!("pkcs12-{store}.p12"));
    }
}

#[test]
fn pkcs12_with_a_key_that_only_the_mac_protects_is_opened() {
    opens("pkcs12-key-plain.p12");
}

#[test]
fn pkcs12_with_an_empty_passphrase_or_none_is_opened_by_an_empty_one() {
    for store in [
        "openssl3-empty",
        "openssl1-empty",
        "windows-empty",
        "no-passphrase",
    ] {
        opens_with(&format!("pkcs12-{store}.p12"), "");
    }
}

#[test]
fn pkcs12_passphrase_may_have_any_character() {
    for store in ["openssl3-non-ascii", "windows-non-ascii"] {
        opens_with(&format!("pkcs12-{store}.p12"), "pässwörd 🔑");
    }
}

/// OpenSSL takes bytes that are not UTF-8 for Latin-1, which gives the same UTF-16.
#[test]
fn pkcs12_passphrase_in_latin_1_is_the_same_as_in_utf8() {
    let store = file("pkcs12-windows-latin-1.p12");
    for passphrase in ["pässwörd".as_bytes(), b"p\xe4ssw\xf6rd"] {
        signs_as_rfc7515_a2(&RsaKey::read_encrypted(&store, passphrase).unwrap());
    }
}

#[test]
fn pkcs12_with_several_keys_gives_the_first_and_says_so() {
    let key = RsaKey::read_encrypted(file("pkcs12-two-keys.p12"), PASSPHRASE).unwrap();
    signs_as_rfc7515_a2(&key);
    assert_eq!(
        key.repairs(),
        ["there were several private keys: the first one is used"]
    );
}

/// Azure's Key Vault hands out stores in base64.
#[test]
fn pkcs12_in_base64_is_opened() {
    let base64 = STANDARD.encode(file("pkcs12-openssl3-empty.p12"));
    for key in readings("base64.pem", base64.as_bytes(), "") {
        signs_as_rfc7515_a2(&key.unwrap());
    }
    signs_as_rfc7515_a2(&RsaKey::from_pem(&base64).unwrap());
    let base64 = STANDARD.encode(file("pkcs12-openssl3.p12"));
    let error = RsaKey::from_pem(&base64).unwrap_err();
    is_error(&error, STORE_NEEDS, base64.as_bytes());
}

#[test]
fn pkcs12_given_as_pem_is_named() {
    let store = file("pkcs12-openssl3.p12");
    let message = "this is a PKCS#12 store, not PEM text";
    for error in [
        RsaKey::from_pem(&store).unwrap_err(),
        RsaKey::from_encrypted_pem(&store, PASSPHRASE).unwrap_err(),
    ] {
        is_error(&error, message, &store);
    }
}

#[test]
fn pkcs12_without_a_key_is_named() {
    let message = "there is no private key in this PKCS#12 store, at least not in a part that is read: \
        export it with openssl pkcs12 -in FILE -nocerts -nodes -out NEW";
    is_refused("pkcs12-certificate.p12", message);
    is_refused("pkcs12-truststore.p12", message);
}

/// A passphrase is needed only if the empty one is wrong.
#[test]
fn pkcs12_read_without_a_passphrase_names_what_else_is_wrong() {
    for (name, message) in [
        (
            "certificate-empty",
            "there is no private key in this PKCS#12 store",
        ),
        (
            "sha224",
            "the MAC of this PKCS#12 store is not HMAC with SHA-1, SHA-256",
        ),
        (
            "slow",
            "this key's passphrase takes 2000001 rounds of the MAC of PKCS#12",
        ),
    ] {
        let store = file(&format!("pkcs12-{name}.p12"));
        for key in [RsaKey::read(&store), RsaKey::from_der(&store)] {
            let text = key.unwrap_err().to_string();
            assert!(text.starts_with(message), "{name}: {text}");
        }
    }
    let store = file("pkcs12-certificate.p12");
    is_error(&RsaKey::read(&store).unwrap_err(), STORE_NEEDS, &store);
}

#[test]
fn pkcs12_with_other_ciphers_and_macs_is_refused_with_the_openssl_command() {
    let rc2 = "this key is encrypted with pbeWithSHA1And40BitRC2-CBC, which is not read: ";
    is_refused("pkcs12-rc2.p12", &(rc2.to_owned() + EXPORT));
    is_refused(
        "pkcs12-sha224.p12",
        "the MAC of this PKCS#12 store is not HMAC with SHA-1, SHA-256, SHA-384 or SHA-512 and a key as in \
         RFC 7292: export its key with openssl pkcs12 -in FILE -nocerts -nodes -out NEW",
    );
}

/// The MAC covers everything in the store, even the certificates, which are not read.
#[test]
fn pkcs12_that_was_changed_is_refused() {
    let store = file("pkcs12-openssl3.p12");
    // The MAC itself is in the last hundred bytes.
    for at in (100..store.len() - 100).step_by(7) {
        let mut changed = store.clone();
        changed[at] ^= 1;
        let error = RsaKey::read_encrypted(&changed, PASSPHRASE).unwrap_err();
        is_error(&error, WRONG, &changed);
    }
}

/// These files take one round, so that they can be opened a thousand times. The MAC omits the INTEGER for the rounds.
#[test]
fn damaged_files_are_an_error_or_a_key_and_never_a_panic() {
    opens("pkcs8-PBE-SHA1-3DES-one-round.pem");
    opens("pkcs12-one-round.p12");
    let pkcs8 = der(&text("pkcs8-PBE-SHA1-3DES-one-round.pem"));
    let proc_type = file("proc-type-aes128.pem");
    for whole in [pkcs8, file("pkcs12-one-round.p12"), proc_type] {
        let last = whole.len() - 100;
        for at in (0..150).chain(last..whole.len()) {
            let damaged = [0, 0x30, 0xff].map(|byte| {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                damaged
            });
            for bytes in damaged.iter().map(Vec::as_slice).chain([&whole[..at]]) {
                if let Err(error) = RsaKey::read_encrypted(bytes, PASSPHRASE) {
                    assert_eq!(error.kind(), ErrorKind::Key);
                }
            }
        }
    }
}

// ---- keys of other kinds ----

#[cfg(feature = "ring")]
mod of_other_kinds {
    use jwt_bearer::{Algorithm, Key};

    use super::*;

    /// The same public key as the file without passphrase, which `openssl pkey -pubout` writes.
    #[track_caller]
    fn opens(name: &str, plain: &str, algorithm: Algorithm) {
        let bytes = file(name);
        let key = Key::read_encrypted(&bytes, PASSPHRASE).unwrap();
        assert_eq!(key.algorithm(), algorithm, "{name}");
        assert_eq!(key.public_pem(), Key::read(plain).unwrap().public_pem());
        is_error(
            &Key::read_encrypted(&bytes, "wrong").unwrap_err(),
            WRONG,
            &bytes,
        );
    }

    #[test]
    fn encrypted_ec_and_ed25519_keys_are_opened() {
        let ec = include_str!("data/keys/ec-pkcs8.pem");
        for name in [
            "pkcs8-ec.pem",
            "pkcs12-ec.p12",
            "proc-type-ec.pem",
            "proc-type-ec-parameters.pem",
        ] {
            opens(name, ec, Algorithm::Es256);
        }
        let ed25519 = include_str!("data/keys/ed25519.pem");
        opens("pkcs8-ed25519.pem", ed25519, Algorithm::EdDsa);
    }
}
