//! `key` and `key new`. The right sides are made by openssl, or printed in an RFC.

use super::*;

/// `openssl pkey -pubin -in rsa-2048.pub.pem -outform DER | openssl sha256`, and the same in base64.
const SHA256: &str = "eb527147c5f0cb8c8e3fa5a979e15324df554e21f01f20f67cffa7e563bf70f3";
const SHA256_BASE64: &str = "61JxR8Xwy4yOP6WpeeFTJN9VTiHwHyD2fP+n5WO/cPM=";
/// RFC 7638 §3.1.
const THUMBPRINT: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
const PASSPHRASE: &str = "correct horse";

/// Returns the path of a file in tests/data.
fn data(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[cfg(unix)]
fn openssl(directory: &std::path::Path, arguments: &str) -> String {
    let mut command = Command::new("openssl");
    let output = command
        .args(arguments.split(' '))
        .current_dir(directory)
        .output();
    let output = output.expect("openssl is needed");
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the text next to a label.
#[track_caller]
fn line<'a>(outcome: &'a Outcome, label: &str) -> &'a str {
    let mut lines = outcome.out.lines();
    let found = lines.find_map(|line| line.strip_prefix(label)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("{label}: {outcome:?}"))
        .trim()
}

#[test]
fn public_key_is_what_openssl_prints() {
    let fixture = Fixture::new();
    for (file, public) in [
        ("keys/rsa-2048.der", "keys/rsa-2048.pub.pem"),
        ("keys/rsa-2048.pub.pem", "keys/rsa-2048.pub.pem"),
        ("certificates/leaf.der", "keys/rsa-2048.pub.pem"),
        ("certificates/leaf.pem", "keys/rsa-2048.pub.pem"),
        ("jwk/rsa-2048.json", "keys/rsa-2048.pub.pem"),
        ("keys/ec.pem", "keys/ec.pub.pem"),
        ("keys/ec-384.pem", "keys/ec-384.pub.pem"),
        ("keys/ed25519.pem", "keys/ed25519.pub.pem"),
        ("keys/ed25519.pub.pem", "keys/ed25519.pub.pem"),
    ] {
        let outcome = fixture.run(&format!("key {} --public pem", data(file)));
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""), "{file}");
        let public = fs::read_to_string(data(public)).unwrap();
        assert_eq!(outcome.out, public, "{file}");
    }
}

#[test]
fn fingerprint_is_written_as_servers_show_it() {
    let fixture = Fixture::new();
    let (snowflake, hex) = (format!("SHA256:{SHA256_BASE64}"), SHA256);
    for (option, wanted) in [
        ("--fingerprint", snowflake.as_str()),
        ("--fingerprint=snowflake", &snowflake),
        ("--fingerprint=base64", SHA256_BASE64),
        ("--fingerprint=hex", hex),
    ] {
        for file in ["keys/rsa-2048.der", "keys/rsa-2048.pub.pem"] {
            let outcome = fixture.run(&format!("key {} {option}", data(file)));
            assert_eq!(outcome.only_line(), wanted);
        }
    }
    // As sha256sum prints it for the DER: bytes below 16 have two digits.
    let outcome = fixture.run(&format!(
        "key {} --fingerprint=hex",
        data("keys/ec.pub.pem")
    ));
    assert_eq!(
        outcome.only_line(),
        "ce7b4d37d8017c31e3da575c05a93e63fc8b9b9d74ff96a9fc0d77a100a8f2a4"
    );
}

#[test]
fn thumbprint_and_jwk_are_those_of_the_rfcs() {
    let fixture = Fixture::new();
    // RFC 7638 §3.1, RFC 8037 §A.3
    for (file, wanted) in [
        ("jwk/rfc7517-a2.json", THUMBPRINT),
        (
            "jwk/rfc8037-a1.json",
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        ),
    ] {
        let outcome = fixture.run(&format!("key {} --thumbprint", data(file)));
        assert_eq!(outcome.only_line(), wanted);
    }
    // RFC 8037 §A.2
    let file = data("jwk/rfc8037-a1.json");
    let jwk = fixture.run(&format!("key {file} --public jwk"));
    let jwk: Value = serde_json::from_str(jwk.only_line()).unwrap();
    assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(jwk["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(jwk.get("d").is_none(), "{jwk}");
    let jwk = fixture.run(&format!("key {} --public jwk", data("jwk/rfc7517-a2.json")));
    assert!(jwk.only_line().contains(r#""kid":"2011-04-29""#), "{jwk:?}");
    for option in ["--key-id", "--kid"] {
        let set = fixture.run(&format!("key {file} --public jwks {option} k1"));
        let set: Value = serde_json::from_str(set.only_line()).unwrap();
        assert_eq!(set["keys"][0]["kid"], "k1");
        assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    }
    let file = data("keys/rsa-2048.der");
    let jwk = fixture.run(&format!("key {file} --public jwk --alg PS256"));
    assert!(jwk.only_line().contains(r#""alg":"PS256""#));
    let refused = fixture.run(&format!("key {file} --public jwk --alg ES256"));
    refused.assert_fails(
        3,
        &format!(
            "jwt-bearer: {file}: this key does not sign ES256; it signs RS256, RS384, RS512, PS256, PS384, PS512\n"
        ),
    );
}

#[test]
fn key_is_described_whatever_its_file_is() {
    let fixture = Fixture::new();
    let passphrase = fixture.write("passphrase", PASSPHRASE);
    let passphrase = passphrase.display();
    fixture.write(
        "google.json",
        serde_json::json!({
            "type": "service_account",
            "private_key_id": "key-1",
            "private_key": pem(),
            "client_email": "sa@project.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
        })
        .to_string(),
    );
    let rsa = "private key: RSA, 2048 bits";
    for (file, kind, encrypted, key_id) in [
        (data("keys/rsa-2048.der"), rsa, "no", "none in the file"),
        (
            data("keys/ec-384.pem"),
            "private key: EC, P-384",
            "no",
            "none",
        ),
        (
            data("keys/ed25519.pem"),
            "private key: Ed25519",
            "no",
            "none",
        ),
        (data("jwk/rfc7517-a2.json"), rsa, "no", "2011-04-29"),
        (
            data("jwk/rfc7517-a3.json"),
            "shared secret of an HMAC",
            "no",
            "HMAC key",
        ),
        ("google.json".to_owned(), rsa, "no", "key-1"),
        (
            format!(
                "{} --passphrase-file {passphrase}",
                data("keys/encrypted/pkcs12-openssl3.p12")
            ),
            rsa,
            "yes",
            "none",
        ),
    ] {
        let outcome = fixture.run(&format!("key {file}"));
        assert_eq!(
            (outcome.status, outcome.err.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        assert_eq!(line(&outcome, "kind"), kind, "{file}");
        let names_command = outcome
            .out
            .contains("openssl pkcs12 -in FILE -clcerts -nokeys -out cert.pem");
        assert_eq!(names_command, file.contains(".p12"), "{outcome:?}");
        assert_eq!(line(&outcome, "encrypted"), encrypted, "{file}");
        assert!(line(&outcome, "key id").starts_with(key_id), "{outcome:?}");
        assert!(!outcome.out.contains("PRIVATE"), "{outcome:?}");
    }
    let google = fixture.run("key google.json");
    assert_eq!(
        line(&google, "file"),
        "credential file of the provider google"
    );
    let pss = fixture.run(&format!("key {}", data("keys/rsa-pss-sha384.pem")));
    assert_eq!(line(&pss, "algorithms"), "PS384");
    let public = fixture.run(&format!("key {}", data("keys/ec.pub.pem")));
    assert_eq!(
        line(&public, "kind"),
        "public key, without its private key: EC, P-256"
    );
    let repaired = fixture.write("repaired.pem", format!("\u{feff}{}", pem()));
    let repaired = fixture.run(&format!("key {}", repaired.display()));
    assert_eq!(
        line(&repaired, "repaired"),
        "there was a byte order mark before the key"
    );
}

#[test]
fn secret_has_no_public_key() {
    let fixture = Fixture::new();
    let file = data("jwk/rfc7517-a3.json");
    for option in ["--public pem", "--fingerprint", "--thumbprint"] {
        fixture.run(&format!("key {file} {option}")).assert_fails(
            3,
            &format!(
                "jwt-bearer: {file}: this is the secret of an HMAC, which has no public key: the server has the same \
                 secret\n"
            ),
        );
    }
    let text = fixture.run("key secret.txt");
    assert_eq!(text.status, 3);
    assert!(text.err.contains("it is given with --secret"), "{text:?}");
    assert!(!text.err.contains("0011"), "{text:?}");
}

/// The hashes are those of `openssl x509 -fingerprint`, in base64url.
#[test]
fn certificate_is_described_and_compared_with_the_key() {
    let fixture = Fixture::new();
    let key = data("keys/rsa-2048.der");
    let beside = fixture.run(&format!("key {}", data("certificates/exported.pem")));
    let given = fixture.run(&format!(
        "key {key} --certificate {}",
        data("certificates/leaf.pem")
    ));
    for outcome in [&beside, &given] {
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
        assert_eq!(line(outcome, "certificate"), "of this key");
        assert_eq!(line(outcome, "  subject"), "CN=leaf");
        assert_eq!(line(outcome, "  issuer"), "CN=authority");
        assert_eq!(line(outcome, "  x5t"), "nmDE8fvQWdu-x5TGCfRS6CXc3wI");
        assert_eq!(
            line(outcome, "  x5t#S256"),
            "WNqEHZZHcBpgh2tRohg5Dd1WAWgcXcvpqKdg9NhUyNU"
        );
        assert!(outcome.out.contains("expires in 9"), "{outcome:?}"); // some 99 years
    }
    let other = data("certificates/ed25519.pem");
    for key in [key, data("keys/rsa-2048.pub.pem")] {
        let other = fixture.run(&format!("key {key} --certificate {other}"));
        assert_eq!(other.status, 3);
        assert_eq!(line(&other, "certificate"), "of ANOTHER key");
        assert_eq!(
            other.err,
            format!("jwt-bearer: {key}: the certificate is of another key\n")
        );
    }
}

/// The certificate is one of Python's cryptography, with a control character in it.
#[test]
fn names_and_expiry_of_a_certificate_are_shown() {
    let outcome = Fixture::new().run(&format!("key {}", data("certificates/names.pem")));
    assert_eq!(
        line(&outcome, "kind"),
        "certificate, without a private key: RSA, 2048 bits"
    );
    assert_eq!(
        line(&outcome, "  subject"),
        r"O=Example\u001b[31m Ltd, CN=names"
    );
    assert_eq!(line(&outcome, "  issuer"), "itself");
    assert_eq!(
        line(&outcome, "  names"),
        "app.example, app@example.com, https://app.example/id, 192.0.2.1, 2001:db8::1"
    );
    assert_eq!(
        line(&outcome, "  valid"),
        "2020-01-01 00:00:00 UTC to 2021-01-01 00:00:00 UTC"
    );
    assert!(outcome.out.contains("EXPIRED ") && outcome.out.contains(" years ago"));
}

#[test]
fn file_that_is_no_key_says_what_to_do() {
    let fixture = Fixture::new();
    fixture.write("passphrase", "wrong");
    fixture.write(
        "ssh.pub",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1Ws9KIhYy7Oqzjh1ZQzJrM5Y7Y0w user@host\n",
    );
    fixture.write("cut.pem", &pem()[..600]);
    let new_key = "jwt-bearer key new FILE makes a key that can sign";
    for (file, what, hint) in [
        (
            data("keys/x25519.pem"),
            "X25519 key, which is for key agreement",
            new_key,
        ),
        (data("keys/dsa.pem"), "DSA key", new_key),
        (data("keys/ec-521.pem"), "on the curve P-521", new_key),
        (data("keys/openssh.pem"), "ssh-keygen -p -m PEM -f COPY", ""),
        (
            data("keys/putty.ppk"),
            "puttygen FILE -O private-openssh",
            "",
        ),
        (data("keys/store.jks"), "keytool -importkeystore", ""),
        (
            data("keys/request.pem"),
            "certificate request",
            "to a certificate authority alone",
        ),
        (
            data("keys/slow.pem"),
            "a passphrase is needed",
            "--passphrase-file FILE",
        ),
        ("ssh.pub".to_owned(), "public key", "ssh-keygen -e -m PKCS8"),
        ("cut.pem".to_owned(), "cut off", "copy the whole file again"),
        (
            format!(
                "{} --passphrase-file passphrase",
                data("keys/encrypted/pkcs12-openssl3.p12")
            ),
            "the passphrase is wrong",
            "the passphrase and nothing else",
        ),
    ] {
        let outcome = fixture.run(&format!("key {file}"));
        assert_eq!((outcome.status, outcome.out.as_str()), (3, ""), "{file}");
        let (message, rest) = outcome.err.split_once('\n').unwrap();
        assert!(message.contains(what), "{outcome:?}");
        assert!(rest.contains(hint), "{outcome:?}");
    }
}

/// RFC 4055 §3.1: such a key is for PSS only.
#[cfg(unix)] // needs openssl
#[test]
fn public_key_for_pss_is_for_no_other_algorithm() {
    let fixture = Fixture::new();
    let pss = data("keys/rsa-pss.pem");
    let public = openssl(fixture.directory.path(), &format!("pkey -in {pss} -pubout"));
    fixture.write("pss.pub.pem", public);
    let outcome = fixture.run("key pss.pub.pem");
    assert_eq!(line(&outcome, "algorithms"), "PS256, PS384, PS512");
}

#[cfg(unix)] // needs openssl
#[test]
fn public_key_that_is_compressed_or_damaged_is_named() {
    let fixture = Fixture::new();
    let ec = data("keys/ec.pem");
    let compressed = format!("ec -in {ec} -pubout -conv_form compressed");
    let compressed = openssl(fixture.directory.path(), &compressed);
    fixture.write("compressed.pem", compressed);
    // The last byte is left out, and the two lengths of the DER are adjusted to what remains.
    for (file, lengths) in [("ec", [1, 24]), ("ed25519", [1, 10])] {
        let pem = fs::read(data(&format!("keys/{file}.pub.pem"))).unwrap();
        let mut der = ::pem::parse(pem).unwrap().into_contents();
        der.pop();
        lengths.iter().for_each(|at| der[*at] -= 1);
        let short = ::pem::Pem::new("PUBLIC KEY", der);
        fixture.write(&format!("{file}.pem"), ::pem::encode(&short));
    }
    for (file, what) in [
        ("compressed.pem", "this EC public key is compressed"),
        ("ec.pem", "this public key is cut off or damaged"),
        ("ed25519.pem", "this public key is cut off or damaged"),
    ] {
        let outcome = fixture.run(&format!("key {file}"));
        assert_eq!((outcome.status, outcome.out.as_str()), (3, ""));
        assert!(
            outcome.err.contains(&format!("{file}: {what}")),
            "{outcome:?}"
        );
    }
}

#[test]
fn several_private_keys_are_warned_of() {
    let fixture = Fixture::new();
    let ec = include_str!("../data/keys/ec.pem");
    fixture.write("two.pem", format!("{}{ec}", pem()));
    let [first, second] = [
        include_str!("../data/jwk/rfc7515-a2.json"),
        include_str!("../data/jwk/rfc8037-a1.json"),
    ];
    fixture.write("set.json", format!(r#"{{"keys":[{first},{second}]}}"#));
    fixture.write("passphrase", PASSPHRASE);
    let store = data("keys/encrypted/pkcs12-two-keys.p12");
    for file in [
        "two.pem",
        "set.json",
        &format!("{store} --passphrase-file passphrase"),
    ] {
        let outcome = fixture.run(&format!("key {file}"));
        assert_eq!(
            line(&outcome, "repaired"),
            "there were several private keys: the first one is used"
        );
        assert!(line(&outcome, "kind").contains("RSA"), "{outcome:?}");
    }
}

#[test]
fn key_of_a_set_is_chosen_by_its_id() {
    let fixture = Fixture::new();
    let with_id = |jwk: &str, id: &str| {
        let mut jwk: Value = serde_json::from_str(jwk).unwrap();
        jwk["kid"] = id.into();
        jwk
    };
    let rsa = with_id(include_str!("../data/jwk/rfc7515-a2.json"), "k1");
    let ed25519 = with_id(include_str!("../data/jwk/rfc8037-a1.json"), "k2");
    fixture.write("set.json", format!(r#"{{"keys":[{rsa},{ed25519}]}}"#));
    let assertion = |id: &str| {
        fixture.run(&format!(
            "assertion jwt-bearer --issuer i --token-endpoint https://as.example/t --key set.json --key-id {id}"
        ))
    };
    for (id, algorithm) in [("k1", "RS256"), ("k2", "EdDSA")] {
        let outcome = assertion(id);
        fixture.write("assertion", &outcome.out);
        let decoded = fixture.run("decode assertion --jwks set.json");
        assert!(decoded.err.contains("signature verified"), "{decoded:?}");
        let decoded: Value = serde_json::from_str(&decoded.out).unwrap();
        assert_eq!(decoded["header"]["kid"], id);
        assert_eq!(decoded["header"]["alg"], algorithm);
        assert!(
            !outcome.err.contains("the first one is used"),
            "{outcome:?}"
        );
    }
    assertion("k3").assert_fails(
        3,
        "jwt-bearer: set.json: no private key has the ID k3; their IDs are k1, k2\n",
    );
    // If no key has an ID, the option is the ID under which the key is registered.
    fixture.write("set.json", include_str!("../data/jwk/rfc7515-a2.json"));
    assert!(assertion("k3").out.starts_with("eyJ"));
}

#[cfg(unix)] // needs openssl
#[test]
fn new_key_of_each_type_is_read_by_openssl() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    for (kind, text) in [
        ("rsa-2048", "(2048 bit"),
        ("p-256", "(256 bit)"),
        ("p-384", "(384 bit)"),
        ("ed25519", "ED25519"),
    ] {
        let made = fixture.run(&format!("key new {kind}.key --type {kind}"));
        assert_eq!(made.status, 0, "{made:?}");
        let file = format!("{kind}.key");
        assert_eq!(
            made.out,
            openssl(directory, &format!("pkey -in {file} -pubout"))
        );
        let described = openssl(directory, &format!("pkey -in {file} -noout -text"));
        assert!(described.contains(text), "{described}");
        assert!(
            made.err
                .contains(&format!("token PROVIDER --key {kind}.key ..."))
        );
        let text = fs::read_to_string(directory.join(file)).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        fixture
            .run(&format!(
                "assertion client-credentials --client-id c --token-endpoint https://as.example/t --key {kind}.key"
            ))
            .only_line();
    }
}

#[cfg(unix)] // needs openssl
#[test]
fn new_certificate_is_verified_by_openssl() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    for kind in ["rsa-2048", "p-384", "ed25519"] {
        let made = fixture.run(&format!(
            "key new {kind}.key --type {kind} --certificate {kind}.crt --subject /CN=app --days 30 --kid k1"
        ));
        assert_eq!((made.status, made.out.as_str()), (0, ""), "{made:?}");
        assert!(made.err.contains(&format!(
            "--key {kind}.key --certificate {kind}.crt --key-id k1"
        )));
        let verified = openssl(directory, &format!("verify -CAfile {kind}.crt {kind}.crt"));
        assert_eq!(verified, format!("{kind}.crt: OK\n"));
        let text = openssl(
            directory,
            &format!("x509 -in {kind}.crt -noout -subject -pubkey -ext basicConstraints,keyUsage"),
        );
        for part in ["subject=CN = app", "CA:FALSE", "Digital Signature"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.contains(&openssl(directory, &format!("pkey -in {kind}.key -pubout"))));
        openssl(
            directory,
            &format!("x509 -in {kind}.crt -noout -checkend 2500000"),
        ); // 29 days
        // The clock of the server may be an hour behind.
        let pem = fs::read(directory.join(format!("{kind}.crt"))).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
        let begins = pem.parse_x509().unwrap().validity().not_before.timestamp();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let age = i64::try_from(now.unwrap().as_secs()).unwrap() - begins;
        assert!((3600..3900).contains(&age), "{age}");
        let ends = format!("x509 -in {kind}.crt -noout -checkend 2700000"); // 31 days
        let mut ends_later = Command::new("openssl");
        let ends_later = ends_later.args(ends.split(' ')).current_dir(directory);
        assert!(!ends_later.output().unwrap().status.success());
        let shown = fixture.run(&format!("key {kind}.key --certificate {kind}.crt"));
        assert_eq!(line(&shown, "certificate"), "of this key");
        let jwk = fixture.run(&format!(
            "key new {kind}.2 --type {kind} --certificate {kind}.2.crt --public jwk --kid k1"
        ));
        assert!(jwk.out.contains(r#""kid":"k1""#), "{jwk:?}");
    }
}

/// The lines are for a shell, and a file name may have blanks.
#[test]
fn commands_of_a_new_key_are_quoted_and_quiet_prints_none() {
    let fixture = Fixture::new();
    let mut command = fixture.command("key new --type p-256 --public jwk --kid");
    let outcome = Outcome::of(command.args(["it's", "my key.pem"]).output().unwrap());
    let command = r"  jwt-bearer token PROVIDER --key 'my key.pem' --key-id 'it'\''s' ...";
    assert!(
        outcome.err.lines().any(|line| line == command),
        "{outcome:?}"
    );
    let command = "  jwt-bearer key 'my key.pem' --public jwk|jwks|pem";
    assert!(
        outcome.err.lines().any(|line| line == command),
        "{outcome:?}"
    );
    let outcome = fixture.run("-q key new quiet.pem --type p-256 --public jwk");
    outcome.only_line();
}

#[cfg(unix)]
#[test]
fn new_key_is_private_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    let script = format!(
        "umask 0; exec {} key new new.pem --type p-256 --certificate new.crt",
        env!("CARGO_BIN_EXE_jwt-bearer")
    );
    let mut shell = Command::new("sh");
    let made = shell
        .args(["-c", &script])
        .current_dir(fixture.directory.path());
    assert!(made.output().unwrap().status.success());
    let mode = |name: &str| {
        let file = fs::metadata(fixture.directory.path().join(name));
        file.unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("new.pem"), mode("new.crt")), (0o600, 0o644));
}

#[test]
fn key_as_argument_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    let text = pem();
    let body = text.lines().nth(1).unwrap();
    for (command, argument) in [
        ("key", text.as_str()),
        ("key", body),
        ("key new", &text),
        ("key new", &text[40..]),
        ("key new", &body.repeat(5)),
    ] {
        let mut command = fixture.command(command);
        let outcome = Outcome::of(command.arg(argument).output().unwrap());
        assert_ne!(outcome.status, 0, "{outcome:?}");
        assert!(!outcome.err.contains(&body[..12]), "{outcome:?}");
        assert_eq!(outcome.out, "");
    }
}

#[test]
fn new_key_replaces_nothing_and_leaves_nothing_behind() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.directory.path().join("directory")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", fixture.directory.path().join("link")).unwrap();
    let files = || {
        let entries = fs::read_dir(fixture.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let exists = "this file exists, and is not replaced";
    let missing = system_error(MISSING_DIRECTORY);
    for (arguments, status, message) in [
        ("key.pem", 3, exists),
        ("directory", 3, exists),
        #[cfg(unix)]
        ("link", 3, exists),
        ("new.pem --certificate key.pem", 3, exists),
        ("missing/new.pem", 3, &format!("missing/new.pem: {missing}")),
        (
            "new.pem --certificate missing/new.crt",
            3,
            &format!("missing/new.crt: {missing}"),
        ),
        (
            "new.pem --certificate new.pem",
            2,
            "another file than the key",
        ),
        ("new.pem --certificate ./new.pem", 3, exists),
        ("-", 2, "never to standard output"),
        ("new.pem --days 3", 2, "--certificate"),
        ("new.pem --certificate c --days 0", 2, "--days"),
        ("new.pem --type dsa", 2, "rsa-2048"),
        (
            &format!("new.pem --certificate c --subject {}", "x".repeat(65)),
            2,
            "64 characters at most",
        ),
        (
            "new.pem --certificate c --subject a\u{1b}b",
            2,
            "no control characters",
        ),
    ] {
        let refused = fixture.run(
            &format!("key new {arguments} --type p-256")
                .replace("--type dsa --type p-256", "--type dsa"),
        );
        assert_eq!(
            (refused.status, refused.out.as_str()),
            (status, ""),
            "{refused:?}"
        );
        assert!(refused.err.contains(message), "{refused:?}");
        assert_eq!(files(), before, "{arguments}");
    }
    assert_eq!(
        fs::read_to_string(fixture.directory.path().join("key.pem")).unwrap(),
        pem()
    );
}
