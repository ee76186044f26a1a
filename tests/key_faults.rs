//! Keys as they come from elsewhere: numbers that make a signature slow, encodings that other tools
//! write, and files that are not keys. `tests/data/keys/make.sh` makes the files.
//!
//! A key that loads signs as OpenSSL does and in the usual time for its size. A file that does not load is named,
//! and the error quotes nothing of it.

use std::error::Error as _;
use std::hint::black_box;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{str, thread};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_bearer::{Error, ErrorKind, RsaKey, Signer as _};

/// The message that OpenSSL signed with the keys of `data/keys`.
const MESSAGE: &[u8] = b"header.claims";
/// How many times as long as usual something may take. Other work on the machine changes the ratio.
const LIMIT: u32 = 10;
const INCONSISTENT: &str = "the parts of this RSA key do not belong together";
const WRONG_EXPONENT: &str =
    "the public exponent of this RSA key is not an odd number from 3 to 2^33 - 1";
const NO_PRIMES: &str = "the primes of this RSA key are missing and do not follow from its other \
    numbers: export it again with its primes";
const PRIMES_MISSING: &str = "the primes were missing";
const TRAILING_BYTES: &str = "bytes after the end of the key were ignored";

macro_rules! file {
    ($name:literal) => {
        &include_bytes!(concat!("data/keys/", $name))[..]
    };
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

/// The key of RFC 7515 §A.2, in PKCS#1 or PKCS#8.
fn rfc7515_pem(format: &str) -> String {
    vectors()["key"][format].as_str().unwrap().to_owned()
}

fn rfc7515_der(format: &str) -> Vec<u8> {
    let pem = rfc7515_pem(format);
    let body = pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(body.collect::<String>()).unwrap()
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap());
    let body = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[track_caller]
fn signs_as_rfc7515_a2(key: &RsaKey) {
    let vectors = vectors();
    let jws = vectors["rfc7515_a2_rs256"]["jws"].as_str().unwrap();
    let (message, signature) = jws.rsplit_once('.').unwrap();
    let ours = key.sign(message.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(ours), signature);
}

/// `bytes` are read by the reader of unknown files as the key of RFC 7515 §A.2, with exactly these
/// repairs.
#[track_caller]
fn reads(bytes: impl AsRef<[u8]>, repairs: &[&str]) {
    let key = RsaKey::read(bytes).unwrap();
    signs_as_rfc7515_a2(&key);
    assert_eq!(key.repairs(), repairs);
}

/// The error is of kind `Key`, has this text, and contains no run of eight bytes of the file, as it
/// is, in hexadecimal, in base64 or as a list of numbers.
#[track_caller]
fn is_refused(error: &Error, bytes: &[u8], message: &str) {
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.source().is_none());
    let printed = format!("{error} {error:?} {error:#?}");
    for run in bytes.windows(8) {
        if run.iter().all(|byte| *byte == 0) {
            continue;
        }
        let hex: String = run.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{run:?}");
        let spellings = [
            hex,
            STANDARD.encode(&run[..6]),
            list[1..list.len() - 1].to_owned(),
        ];
        for spelling in spellings {
            assert!(!printed.contains(&spelling), "{printed}");
        }
        // A run of letters may be in the message: many contain `openssl `.
        let is_text = run
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || *byte == b'-');
        let found = printed.as_bytes().windows(8).any(|part| part == run);
        assert!(is_text || !found, "{printed}");
    }
}

/// `bytes` are refused with this message by the reader of DER and by the reader of unknown files.
#[track_caller]
fn refuses(bytes: &[u8], message: &str) {
    is_refused(&RsaKey::from_der(bytes).unwrap_err(), bytes, message);
    is_refused(&RsaKey::read(bytes).unwrap_err(), bytes, message);
    #[cfg(feature = "encrypted-keys")]
    is_refused(
        &RsaKey::read_encrypted(bytes, "x").unwrap_err(),
        bytes,
        message,
    );
}

// ---- signing time ----

/// The shortest of some runs: other work on the machine makes a run longer, and never shorter.
fn shortest(run: impl Fn()) -> Duration {
    let time = || {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..7).map(|_| time()).min().unwrap()
}

/// No key that loads takes ten times as long as a usual key of its size, to load or to sign.
///
/// A separate thread measures, because a signature with a slow key never ends.
#[track_caller]
fn is_as_fast_as(usual: &'static [u8], bytes: &'static [u8]) {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let [usual_key, key] = [usual, bytes].map(|der| RsaKey::from_der(der).unwrap());
        let sign = |key: &RsaKey| drop(black_box(key.sign(MESSAGE).unwrap()));
        let usual_signature = shortest(|| sign(&usual_key));
        let signature = shortest(|| sign(&key));
        let reading = shortest(|| drop(black_box(RsaKey::from_der(bytes))));
        sender.send([usual_signature, signature, reading]).unwrap();
    });
    let times = receiver.recv_timeout(Duration::from_secs(120));
    let [usual, signature, reading] = times.expect("the key signs");
    println!("signature {signature:?} and reading {reading:?}; usual signature {usual:?}");
    assert!(signature < usual * LIMIT, "{signature:?} {usual:?}");
    assert!(reading < usual * LIMIT, "{reading:?} {usual:?}");
}

/// A file that is refused costs no more than ten signatures with a usual key.
#[track_caller]
fn is_refused_fast(bytes: &[u8], message: &str) {
    refuses(bytes, message);
    let usual = RsaKey::from_der(file!("rsa-2048.der")).unwrap();
    let signature = shortest(|| drop(black_box(usual.sign(MESSAGE))));
    let reading = shortest(|| drop(black_box(RsaKey::from_der(bytes))));
    assert!(reading < signature * LIMIT, "{reading:?} {signature:?}");
}

#[test]
fn primes_within_16_bits_of_half_the_modulus_sign_in_the_usual_time() {
    for (key, signature) in [
        (file!("primes-1008-1040.der"), file!("primes-1008-1040.sig")),
        (file!("primes-1040-1008.der"), file!("primes-1040-1008.sig")),
    ] {
        is_as_fast_as(file!("rsa-2048.der"), key);
        assert_eq!(
            RsaKey::from_der(key).unwrap().sign(MESSAGE).unwrap(),
            signature
        );
    }
}

#[test]
fn primes_far_from_half_the_modulus_are_refused_with_their_sizes() {
    for (key, sizes) in [
        (file!("primes-1007-1041.der"), "1041 and 1007"),
        (file!("primes-1004-1044.der"), "1044 and 1004"),
        (file!("primes-824-1224.der"), "1224 and 824"),
        (file!("prime-3.der"), "2046 and 2"),
        (file!("prime-3-first.der"), "2046 and 2"),
    ] {
        let message =
            format!("the primes of this RSA key have {sizes} bits; 1008 to 1040 are taken");
        is_refused_fast(key, &message);
    }
}

#[test]
fn smaller_prime_first_signs_in_the_usual_time() {
    let key = file!("smaller-prime-first.der");
    reads(key, &[]);
    is_as_fast_as(file!("rsa-2048.der"), key);
}

#[test]
fn factors_that_are_not_coprime_are_refused() {
    is_refused_fast(file!("common-factor.der"), INCONSISTENT);
    is_refused_fast(file!("square.der"), INCONSISTENT);
}

#[test]
fn private_exponent_longer_than_the_modulus_is_refused() {
    is_refused_fast(file!("d-longer-than-n.der"), INCONSISTENT);
    is_refused_fast(file!("d-8000-bytes.der"), INCONSISTENT);
}

#[test]
fn private_exponent_of_zero_is_refused() {
    is_refused_fast(file!("d-zero.der"), INCONSISTENT);
    is_refused_fast(file!("d-zero-primes-zero.der"), INCONSISTENT);
}

#[test]
fn public_exponent_up_to_33_bits_signs_in_the_usual_time() {
    for (key, signature) in [
        (file!("e-3.der"), file!("e-3.sig")),
        (file!("e-33-bits.der"), file!("e-33-bits.sig")),
    ] {
        is_as_fast_as(file!("rsa-2048.der"), key);
        assert_eq!(
            RsaKey::from_der(key).unwrap().sign(MESSAGE).unwrap(),
            signature
        );
    }
}

#[test]
fn public_exponent_out_of_range_is_named() {
    is_refused_fast(file!("e-1.der"), WRONG_EXPONENT);
    is_refused_fast(file!("e-34-bits.der"), WRONG_EXPONENT);
    is_refused_fast(file!("e-2000-bits.der"), WRONG_EXPONENT);
}

#[test]
fn keys_of_8192_bits_sign_in_their_usual_time() {
    is_as_fast_as(file!("rsa-8192.der"), file!("8192-primes-zero.der"));
}

// ---- encodings of other tools ----

#[test]
fn pkcs8_without_null_is_read() {
    reads(
        file!("no-null.der"),
        &["the NULL of the algorithm was missing"],
    );
    let pem = pem(file!("no-null.der"));
    reads(&pem, &["the NULL of the algorithm was missing"]);
    signs_as_rfc7515_a2(&RsaKey::from_pem(pem).unwrap());
}

#[test]
fn missing_primes_are_computed() {
    for key in [
        file!("primes-zero.der"),
        file!("primes-absent.der"),
        file!("primes-zero-pkcs8.der"),
    ] {
        reads(key, &[PRIMES_MISSING]);
        is_as_fast_as(file!("rsa-2048.der"), key);
    }
}

#[test]
fn missing_primes_of_a_small_exponent_are_named() {
    is_refused_fast(file!("e-3-primes-zero.der"), NO_PRIMES);
}

#[test]
fn missing_crt_numbers_are_computed() {
    reads(file!("crt-zero.der"), &[]);
    reads(file!("crt-absent.der"), &[]);
}

#[test]
fn bytes_after_the_end_of_der_are_ignored_and_reported() {
    for format in ["pkcs1_pem", "pkcs8_pem"] {
        let der = rfc7515_der(format);
        for rest in [&b"\n"[..], b"\0\0\0\0", b"-----", &der] {
            reads([&der, rest].concat(), &[TRAILING_BYTES]);
        }
        reads(pem(&[&der[..], b"\0\0\0"].concat()), &[TRAILING_BYTES]);
    }
}

#[test]
fn repairs_of_text_come_before_repairs_of_der() {
    let body = STANDARD.encode([file!("primes-zero.der"), b"\0"].concat());
    let repairs = [
        "the BEGIN and END lines were missing",
        PRIMES_MISSING,
        TRAILING_BYTES,
    ];
    reads(body, &repairs);
}

#[test]
fn zero_bytes_after_the_text_need_no_repair() {
    reads(format!("{}\0\0\0", rfc7515_pem("pkcs8_pem")), &[]);
}

#[test]
fn text_before_the_key_in_another_encoding_is_skipped() {
    let name = b"Bag Attributes\n    friendlyName: Schl\xfcssel f\xfcr M\xfcller\n";
    reads(
        [&name[..], rfc7515_pem("pkcs8_pem").as_bytes()].concat(),
        &[],
    );
    let damaged = rfc7515_pem("pkcs8_pem").replacen("MII", "MI\u{fc}", 1);
    let latin_1: Vec<u8> = damaged.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let error = RsaKey::read(&latin_1).unwrap_err();
    is_refused(
        &error,
        &latin_1,
        "this key holds characters that are not base64",
    );
}

// ---- the reader of unknown files ----

#[test]
fn read_takes_pem_and_der() {
    for format in ["pkcs1_pem", "pkcs8_pem"] {
        reads(rfc7515_pem(format), &[]);
        reads(rfc7515_der(format), &[]);
        reads(
            STANDARD.encode(rfc7515_pem(format)),
            &["the PEM was in base64 once more"],
        );
    }
}

#[test]
fn byte_order_mark_is_read_and_reported() {
    let text = format!("\u{feff}{}", rfc7515_pem("pkcs8_pem"));
    reads(text, &["there was a byte order mark before the key"]);
}

#[test]
fn utf16_text_is_read_and_reported() {
    for format in ["pkcs1_pem", "pkcs8_pem"] {
        let crlf = rfc7515_pem(format).replace('\n', "\r\n");
        for text in [crlf.clone(), format!("\u{feff}{crlf}")] {
            let units: Vec<u16> = text.encode_utf16().collect();
            let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            reads(&little, &["the text was UTF-16"]);
            reads(&big, &["the text was UTF-16"]);
            signs_as_rfc7515_a2(&RsaKey::from_pem(little).unwrap());
        }
    }
}

#[test]
fn utf16_text_without_a_key_is_named() {
    let text = "\u{feff}-----BEGIN CERTIFICATE-----\r\nMIID\r\n-----END CERTIFICATE-----\r\n";
    let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = RsaKey::read(&text).unwrap_err();
    is_refused(&error, &text, "this is a certificate");
}

/// What `from_pem` and `read` say about bytes that are not text.
#[track_caller]
fn pem_and_read_refuse(bytes: &[u8], message: &str) {
    is_refused(&RsaKey::from_pem(bytes).unwrap_err(), bytes, message);
    refuses(bytes, message);
}

#[test]
fn java_key_stores_are_named_with_the_commands_that_convert_them() {
    let jks = "this is a Java key store (JKS): convert it with keytool -importkeystore \
        -srckeystore FILE -destkeystore key.p12 -deststoretype PKCS12, then export its key with \
        openssl pkcs12 -in key.p12 -nocerts -nodes -out NEW";
    pem_and_read_refuse(file!("store.jks"), jks);
    let jceks = "this is a Java key store (JCEKS): convert it with keytool -importkeystore \
        -srcstoretype JCEKS -srckeystore FILE -destkeystore key.p12 -deststoretype PKCS12, then \
        export its key with openssl pkcs12 -in key.p12 -nocerts -nodes -out NEW";
    pem_and_read_refuse(file!("store.jceks"), jceks);
    let base64 = STANDARD.encode(file!("store.jks"));
    is_refused(&RsaKey::read(&base64).unwrap_err(), base64.as_bytes(), jks);
}

#[test]
fn pkcs12_stores_are_named_with_the_command_that_converts_them() {
    let message = "this is a PKCS#12 store: export its key with openssl pkcs12 -in FILE -nocerts -nodes -out NEW (an \
        old store also needs -legacy)";
    #[cfg(not(feature = "encrypted-keys"))]
    {
        pem_and_read_refuse(file!("store.p12"), message);
        let base64 = STANDARD.encode(file!("store.p12"));
        is_refused(
            &RsaKey::read(&base64).unwrap_err(),
            base64.as_bytes(),
            message,
        );
    }
    // The first bytes of a store that a browser wrote, in BER.
    let ber = b"\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80";
    pem_and_read_refuse(ber, message);
}

#[test]
fn files_of_other_programs_are_named() {
    let pvk = "this is a PVK file of Microsoft: convert it with openssl rsa -inform PVK -in FILE -out NEW";
    pem_and_read_refuse(file!("rsa.pvk"), pvk);
    let blob = "this is a key blob of Microsoft: convert it with openssl rsa -inform MSBLOB -in FILE -out NEW";
    pem_and_read_refuse(file!("rsa.blob"), blob);
    let gzip = "this is a gzip file: decompress it with gunzip";
    pem_and_read_refuse(file!("rsa.pem.gz"), gzip);
    let zip = "this is a ZIP archive: unpack it with unzip";
    pem_and_read_refuse(b"PK\x03\x04\x14\0\0\0\x08\0", zip);
    let agent = "this is a key in the format of SSH agents: take the key file, and convert a copy of it with \
        ssh-keygen -p -m PEM -f COPY";
    pem_and_read_refuse(b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01", agent);
    let openssh = "this key is in OpenSSH's own format: convert a copy of the file, which is overwritten, with \
        ssh-keygen -p -m PEM -f COPY (an Ed25519 key stays as it is: make another with openssl genpkey -algorithm \
        ed25519 -out NEW)";
    pem_and_read_refuse(b"openssh-key-v1\0\0\0\0\x04none", openssh);
}

#[test]
fn zero_bytes_alone_are_named() {
    for length in [1, 2, 16, 1704, 5000] {
        pem_and_read_refuse(
            &vec![0; length],
            "this is nothing but zero bytes: copy the file again",
        );
    }
}

#[test]
fn public_keys_and_certificates_in_der_are_named() {
    let der = |pem: &str| {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(body).unwrap()
    };
    let certificate = der(include_str!("data/keys/certificate.pem"));
    pem_and_read_refuse(&certificate, "this is a certificate");
    let request = der(include_str!("data/keys/request.pem"));
    pem_and_read_refuse(&request, "this is a certificate request");
    let public = der(include_str!("data/keys/public-pkcs1.pem"));
    pem_and_read_refuse(&public, "this is a public key");
    let ec = der(include_str!("data/keys/ec-pkcs8.pem"));
    is_refused(
        &RsaKey::read(&ec).unwrap_err(),
        &ec,
        "this is an EC key; RS256 needs RSA",
    );
    let dsa = der(include_str!("data/keys/dsa.pem"));
    pem_and_read_refuse(
        &dsa,
        "this is a DSA key: JWTs are signed with RSA, EC or Ed25519 keys",
    );
}

#[test]
fn texts_of_other_programs_are_named() {
    for (text, message) in [
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----\n",
            "this is an OpenPGP key: JWTs are signed with RSA, EC or Ed25519 keys in PEM, DER or JWK",
        ),
        (
            "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQAB\n---- END SSH2 PUBLIC KEY ----\n",
            "this is a public key",
        ),
        ("AAAAB3NzaC1yc2EAAAADAQABAAABAQ==", "this is a public key"),
        (
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE",
            "this key is in OpenSSH's own format: convert a copy of the file, which is overwritten, with ssh-keygen -p \
             -m PEM -f COPY (an Ed25519 key stays as it is: make another with openssl genpkey -algorithm ed25519 -out \
             NEW)",
        ),
        (
            "<RSAKeyValue><Modulus>ofgWCuLjybRlzo0t</Modulus></RSAKeyValue>",
            "this is an XML key of .NET: export it with ExportPkcs8PrivateKeyPem",
        ),
        (
            "<!DOCTYPE html>\n<title>Sign in</title>\n",
            "this is XML or HTML without a PEM in it",
        ),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n33363965326261303\n",
            "this is encrypted by Ansible Vault: decrypt it with ansible-vault view",
        ),
        (
            "/run/secrets/store.p12\n",
            "this is the name of a file: give what is in it",
        ),
    ] {
        let error = RsaKey::read(text).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), ErrorKind::Key);
        assert_eq!(RsaKey::from_pem(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn der_where_pem_is_wanted_is_named_and_read_by_the_other_reader() {
    let der = rfc7515_der("pkcs8_pem");
    let error = RsaKey::from_pem(&der).unwrap_err();
    is_refused(&error, &der, "this is DER, not PEM text");
    reads(&der, &[]);
}

#[test]
fn more_than_a_megabyte_is_refused() {
    let long = vec![0x30; 1024 * 1024 + 1];
    assert_eq!(
        RsaKey::read(&long).unwrap_err().to_string(),
        "this is too long for a key"
    );
    assert_eq!(
        RsaKey::from_der(&long).unwrap_err().to_string(),
        "this is too long for a key"
    );
}

#[test]
fn damaged_der_is_an_error_or_a_key_and_never_a_panic() {
    let files = [
        file!("rsa-2048.der"),
        file!("primes-zero.der"),
        file!("no-null.der"),
        file!("store.p12"),
        file!("rounds-200000000.der"),
        file!("scrypt-65536-9-1.der"),
    ];
    for file in files {
        for at in 0..file.len().min(1300) {
            for byte in [0, 0x30, 0x7f, 0x80, 0xff] {
                let mut damaged = file.to_vec();
                damaged[at] = byte;
                if let Err(error) = RsaKey::from_der(&damaged) {
                    assert_eq!(error.kind(), ErrorKind::Key);
                }
            }
            assert!(RsaKey::from_der(&file[..at]).is_err());
        }
    }
}

// ---- what a passphrase costs ----

#[cfg(feature = "encrypted-keys")]
mod encrypted {
    use super::*;

    const WRONG: &str = "the passphrase is wrong";

    fn sealed(encryption: &str) -> String {
        let all = include_str!("data/keys/encrypted.txt");
        let (_before, rest) = all.split_once(&format!("{encryption}\n")).unwrap();
        let end = "-----END ENCRYPTED PRIVATE KEY-----\n";
        let (block, _after) = rest.split_once(end).unwrap();
        format!("{block}{end}")
    }

    #[test]
    fn read_encrypted_takes_pem_der_and_utf16() {
        let pem = sealed("aes-256-cbc hmacWithSHA256");
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [pem.as_bytes(), &der, &utf16, &[&der[..], b"\n"].concat()] {
            signs_as_rfc7515_a2(&RsaKey::read_encrypted(bytes, "correct horse").unwrap());
            let error = RsaKey::read_encrypted(bytes, "wrong").unwrap_err();
            is_refused(&error, bytes, WRONG);
            let error = RsaKey::read(bytes).unwrap_err();
            is_refused(
                &error,
                bytes,
                "this key is encrypted: a passphrase is needed",
            );
        }
    }

    #[test]
    fn read_encrypted_takes_a_key_without_passphrase() {
        let key = RsaKey::read_encrypted(rfc7515_der("pkcs8_pem"), "correct horse").unwrap();
        signs_as_rfc7515_a2(&key);
    }

    #[track_caller]
    fn costs_too_much(bytes: &[u8], message: &str) {
        let start = Instant::now();
        for error in [
            RsaKey::read_encrypted(bytes, "x").unwrap_err(),
            RsaKey::from_encrypted_der(bytes, "x").unwrap_err(),
        ] {
            is_refused(&error, bytes, message);
        }
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn more_rounds_than_the_limit_are_refused_with_both_numbers() {
        for (bytes, rounds) in [
            (file!("rounds-2000001.der"), "2000001"),
            (file!("rounds-200000000.der"), "200000000"),
            (
                file!("rounds-1180591620717411303424.der"),
                "18446744073709551615",
            ),
        ] {
            let message = format!(
                "this key's passphrase takes {rounds} rounds of PBKDF2; at most 2000000 are taken: \
                 write a cheaper one with openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in FILE -out NEW"
            );
            costs_too_much(bytes, &message);
        }
    }

    #[test]
    fn more_scrypt_than_the_limit_is_refused_with_both_numbers() {
        for (bytes, found) in [
            (
                file!("scrypt-65536-9-1.der"),
                "72 MiB of scrypt (N 65536, r 9, p 1)",
            ),
            (
                file!("scrypt-32768-8-3.der"),
                "96 MiB of scrypt (N 32768, r 8, p 3)",
            ),
            (
                file!("scrypt-2-1-1048576.der"),
                "256 MiB of scrypt (N 2, r 1, p 1048576)",
            ),
            (
                file!("scrypt-1099511627776-8-1.der"),
                "1073741824 MiB of scrypt (N 1099511627776, r 8, p 1)",
            ),
        ] {
            let message = format!(
                "this key's passphrase takes {found}; at most 64 MiB are taken: write a cheaper one with openssl pkcs8 \
                 -topk8 -scrypt -in FILE -out NEW"
            );
            costs_too_much(bytes, &message);
        }
    }

    /// These files do not contain a key, so they are decrypted and then found to be wrong.
    #[test]
    fn rounds_and_scrypt_at_the_limit_are_computed() {
        for bytes in [file!("rounds-2000000.der"), file!("scrypt-65536-8-1.der")] {
            let error = RsaKey::read_encrypted(bytes, "x").unwrap_err();
            is_refused(&error, bytes, WRONG);
        }
    }
}

// ---- the public key ----

/// `openssl pkey -pubout -outform DER | openssl sha256 -binary | openssl base64` of each key.
#[test]
fn fingerprint_is_what_openssl_computes() {
    for (key, fingerprint) in [
        (
            file!("rsa-2048.der"),
            "SHA256:61JxR8Xwy4yOP6WpeeFTJN9VTiHwHyD2fP+n5WO/cPM=",
        ),
        (
            file!("rsa-3072.der"),
            "SHA256:Hs0Nc+2FtTR9yV6Q/jF+EqzZ3MJtewOVKxuumQipPrY=",
        ),
        (
            file!("rsa-8192.der"),
            "SHA256:pRS9o/HIl4jELRQhUHYFO+V0Py5OwAYYxfk16GoZyNI=",
        ),
        (
            &rfc7515_der("pkcs1_pem"),
            "SHA256:b9E8JDWjYefFiM0X9V9a098Bd6ZsFyemogCEX016uIw=",
        ),
    ] {
        assert_eq!(RsaKey::from_der(key).unwrap().fingerprint(), fingerprint);
    }
}

#[test]
fn public_pem_is_what_openssl_writes() {
    let key = RsaKey::read(rfc7515_pem("pkcs8_pem")).unwrap();
    assert_eq!(key.public_pem(), rfc7515_pem("public_pem"));
    for (key, public) in [
        (
            file!("rsa-2048.der"),
            include_str!("data/keys/rsa-2048.pub.pem"),
        ),
        (
            file!("rsa-8192.der"),
            include_str!("data/keys/rsa-8192.pub.pem"),
        ),
        (file!("e-3.der"), include_str!("data/keys/e-3.pub.pem")),
    ] {
        assert_eq!(RsaKey::from_der(key).unwrap().public_pem(), public);
    }
}

#[test]
fn public_jwk_has_the_public_numbers_and_a_key_id_and_nothing_else() {
    let key = RsaKey::read(rfc7515_pem("pkcs8_pem")).unwrap();
    let vectors = vectors();
    // Computed by Python's hashlib.
    let thumbprint = "IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8";
    assert_eq!(key.thumbprint(), thumbprint);
    let expected = serde_json::json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": thumbprint,
        "n": vectors["key"]["n"], "e": vectors["key"]["e"],
    });
    let jwk: serde_json::Value = serde_json::from_str(&key.public_jwk()).unwrap();
    assert_eq!(jwk, expected);
    let key = key.with_key_id("my \"key\"");
    let jwk: serde_json::Value = serde_json::from_str(&key.public_jwk()).unwrap();
    assert_eq!(jwk["kid"], "my \"key\"");
    assert_eq!(key.thumbprint(), thumbprint);
}
