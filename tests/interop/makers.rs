//! Key files made by other programs: each loads and makes signatures that openssl verifies, or the error names the
//! reason.
//!
//! openssl verifies with the public key that it reads from the same file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jwt_bearer::{RsaKey, Signer as _};

use crate::support::{output_of, path, record};

const PASSPHRASE: &str = "correct horse";

const UNSUPPORTED: &str = "this key's encryption is not PBES2 with AES-CBC or 3DES-CBC and PBKDF2 (HMAC-SHA-1 or \
    HMAC-SHA-2) or scrypt: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW (an old cipher also needs -provider \
    legacy -provider default)";
const OPENSSH: &str = "this key is in OpenSSH's own format: convert a copy of the file, which is overwritten, with \
    ssh-keygen -p -m PEM -f COPY (an Ed25519 key stays as it is: make another with openssl genpkey -algorithm ed25519 \
    -out NEW)";
const PSS: &str = "this RSA key is restricted to PSS; RS256 needs PKCS#1 v1.5";

/// Files that do not load, and the error text.
const REFUSED: &[(&str, &str)] = &[
    (
        "openssl-3-primes.pem",
        "this RSA key has more than two primes; keys of two are taken",
    ),
    ("openssl-certificate.pem", "this is a certificate"),
    ("openssl-ec.pem", "this is an EC key; RS256 needs RSA"),
    ("openssl-pss.pem", PSS),
    ("openssl-encrypted-camellia-256-cbc-SHA256.pem", UNSUPPORTED),
    ("openssl-encrypted-aes-256-cbc-SHA512-256.pem", UNSUPPORTED),
    ("ssh-own.pem", OPENSSH),
    ("cryptography-ssh.pem", OPENSSH),
    ("node-jwk.pem", "this is JSON without a PEM in it"),
    ("node-pss.pem", PSS),
];

/// The beginning of a file name, and the program that makes the file as `SEEN.md` names it.
const MAKERS: [(&str, &str); 5] = [
    ("openssl-", "openssl"),
    ("ssh-", "openssh-client"),
    ("keytool", "keytool"),
    ("cryptography-", "cryptography"),
    ("node-", "node"),
];

fn make_key_files() -> PathBuf {
    let directory = path("made");
    let _ = fs::remove_dir_all(&directory); // of an earlier run
    fs::create_dir(&directory).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/makers.sh");
    output_of(
        Command::new(script)
            .arg(path("venv/bin/python"))
            .current_dir(&directory),
    );
    directory
}

/// Returns whether openssl verifies a signature of the key with the public key that it reads from the file.
fn openssl_verifies(key: &RsaKey, file: &Path) -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(scratch.path());
        command
    };
    let pass = format!("pass:{PASSPHRASE}");
    let file = file.to_str().unwrap();
    let public = [
        "pkey",
        "-in",
        file,
        "-passin",
        &pass,
        "-pubout",
        "-out",
        "public.pem",
        "-provider",
        "legacy", // for DES and RC2
        "-provider",
        "default",
    ];
    output_of(&mut openssl(&public));
    fs::write(scratch.path().join("message"), "header.claims").unwrap();
    let signature = key.sign(b"header.claims").unwrap();
    fs::write(scratch.path().join("signature"), signature).unwrap();
    let verify = [
        "dgst",
        "-sha256",
        "-verify",
        "public.pem",
        "-signature",
        "signature",
        "message",
    ];
    openssl(&verify).output().unwrap().status.success()
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn key_files_of_other_programs_load_or_name_the_reason() {
    let directory = make_key_files();
    let files = fs::read_dir(&directory).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.filter(|name| !name.ends_with(".pub")).collect();
    for (name, _) in REFUSED {
        assert!(names.iter().any(|made| made == name), "{name} was not made");
    }
    for (prefix, maker) in MAKERS {
        let mut of_maker = names
            .iter()
            .filter(|name| name.starts_with(prefix))
            .peekable();
        assert!(of_maker.peek().is_some(), "{maker} made nothing");
        of_maker.for_each(|name| check(maker, name, &directory.join(name)));
    }
}

#[track_caller]
fn check(maker: &str, name: &str, file: &Path) {
    let bytes = fs::read(file).unwrap();
    let (_, kind) = name.rsplit_once('.').unwrap();
    let load = |passphrase: Option<&str>| match (kind, passphrase) {
        ("pem", Some(passphrase)) => RsaKey::from_encrypted_pem(&bytes, passphrase),
        ("pem", None) => RsaKey::from_pem(&bytes),
        (_, Some(passphrase)) => RsaKey::from_encrypted_der(&bytes, passphrase),
        (_, None) => RsaKey::from_der(&bytes),
    };
    let error = |passphrase| load(passphrase).unwrap_err().to_string();
    let is_encrypted = name.contains("encrypted");
    let passphrase = is_encrypted.then_some(PASSPHRASE);
    let result = match REFUSED.iter().find(|(refused, _)| *refused == name) {
        Some((_, message)) => {
            assert_eq!(error(passphrase), *message, "{name}");
            format!("refused: {message}")
        }
        None => {
            let key = load(passphrase).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(key.repairs().is_empty(), "{name}: {:?}", key.repairs());
            assert!(openssl_verifies(&key, file), "{name}");
            if is_encrypted {
                assert_eq!(error(Some("wrong")), "the passphrase is wrong", "{name}");
                let message = match kind {
                    "p12" => {
                        "this is a PKCS#12 store: a passphrase is needed, or an empty one if it has none"
                    }
                    _ => "this key is encrypted: a passphrase is needed",
                };
                assert_eq!(error(None), message, "{name}");
            }
            "loads; openssl verifies its signatures".to_owned()
        }
    };
    record(maker, "key files", name, result);
}
