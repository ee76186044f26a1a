//! Secrets: what is never repeated, what a file may hold, what `-v` hides.

use base64::Engine as _;

use super::*;

/// Asserts that neither output repeats eight characters of a secret.
#[track_caller]
fn assert_not_repeated(secret: &str, outcome: &Outcome) {
    let characters: Vec<char> = secret.chars().collect();
    for piece in characters.windows(characters.len().min(8)) {
        let piece = String::from_iter(piece);
        assert!(!outcome.err.contains(&piece), "{piece} in {outcome:?}");
        assert!(!outcome.out.contains(&piece), "{piece} in {outcome:?}");
    }
}

#[test]
fn key_as_argument_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    let mut command = fixture.command("token client-credentials --client-id c --discover {url}");
    let outcome = Outcome::of(command.args(["--key", &pem()]).output().unwrap());
    let wanted = ": a file name is wanted, not what is in it: write env:NAME and put it into a variable, or - and pipe \
                  it to standard input\n";
    assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
    assert!(outcome.err.starts_with("jwt-bearer: --key: ") && outcome.err.ends_with(wanted));
    assert_eq!(outcome.err.lines().count(), 1);
}

#[test]
fn file_option_names_itself_and_never_its_value() {
    let fixture = Fixture::new();
    let body: String = pem()
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let json = format!(r#"{{"privateKey":"{body}"}}"#);
    let generic =
        "assertion client-credentials --client-id c --token-endpoint https://as.example/t";
    let cylance = "assertion cylance --tenant-id t --application-id a";
    let token = "token client-credentials --client-id c --key key.pem --token-endpoint https://as.example/t";
    for (arguments, option, is_joined) in [
        (generic, "--key", false),
        (generic, "--secret", false),
        (cylance, "--secret", false),
        (
            "assertion marketing-cloud-intelligence",
            "--credentials",
            false,
        ),
        (
            &format!("{generic} --key key.pem"),
            "--passphrase-file",
            false,
        ),
        (
            &format!("{generic} --key key.pem"),
            "--param client_secret",
            true,
        ),
        (&format!("{generic} --key key.pem"), "--param scope", true),
        (token, "--ca", false),
    ] {
        let secrets = [
            CLIENT_SECRET,
            "correct horse battery staple",
            &body,
            &json,
            &pem(),
            "S3cr3t/0123456789/abcdef",
        ];
        for secret in secrets {
            let mut command = fixture.command(arguments);
            match option.split_once(' ').filter(|_| is_joined) {
                Some((option, name)) => command.args([option, &format!("{name}=@{secret}")]),
                None => command.args([option, secret]),
            };
            let outcome = Outcome::of(command.output().unwrap());
            assert!([2, 3].contains(&outcome.status), "{outcome:?}");
            let start = format!("jwt-bearer: {option}: ");
            assert!(outcome.err.starts_with(&start), "{outcome:?}");
            assert!(outcome.err.contains("a file name is wanted"), "{outcome:?}");
            assert!(outcome.err.contains("(os error "), "{outcome:?}");
            assert_not_repeated(secret, &outcome);
        }
    }
}

#[test]
fn usage_error_never_repeats_a_value() {
    const VALUE: &str = "S3cr3t+0123456789+abcdef";
    let key =
        "assertion client-credentials --client-id c --key k --token-endpoint https://as.example/t";
    for arguments in [
        "{}",
        "help {}",
        "demo {}",
        "man {}",
        "completions {}",
        "token {}",
        "token help {}",
        "token salesforce {}",
        "token salesforce -{}",
        "token salesforce --sekret={}",
        "token salesforce --sekret {}",
        "token --format {} salesforce",
        "token --format={} salesforce",
        "token cylance --region {}",
        "token cylance --secret-encoding {}",
        "sandbox --listen {}",
        "forget {}",
        "key key.pem {}",
        "key key.pem --public {}",
        "key key.pem --fingerprint={}",
        "key new key.pem --type {}",
        "decode --secret s --secret-encoding {}",
        "decode token.txt {}",
        &format!("{key} --param {{}}"),
        &format!("{key} --param ={{}}"),
        &format!("{key} --claim {{}}"),
        &format!("{key} --timeout {{}}"),
        &format!("{key} --lifetime {{}}"),
        &format!("{key} {{}}"),
        &format!("{key} -- {{}}"),
        &format!("{key} --verbose={{}}"),
    ] {
        let arguments = arguments.replace("{}", VALUE);
        let outcome = Outcome::of(binary(arguments.split(' ')).output().unwrap());
        assert_eq!(
            (outcome.status, outcome.out.as_str()),
            (2, ""),
            "{outcome:?}"
        );
        let begins = [
            "error: ",
            "jwt-bearer: there is no connection and no provider ...\n",
        ];
        let has_message = begins.iter().any(|begin| outcome.err.starts_with(begin));
        assert!(has_message, "{outcome:?}");
        assert_not_repeated(VALUE, &outcome);
    }
}

#[test]
fn usage_error_names_options_and_suggests_similar_ones() {
    for (arguments, wanted) in [
        ("token salesforce --keyy k", "unexpected argument '--keyy'"),
        ("token salesforce --keyy k", "'--key'"),
        ("token salesforce -x", "unexpected argument '-x'"),
        ("token salesfroce", "salesfroce: is salesforce meant?"),
        (
            "token --format jsn salesforce --client-id c --username u --key k",
            "'json'",
        ),
        ("token salesforce", "--client-id <ID>"),
        ("token cylance --region x", "[possible values: na, "),
        ("token cylance --timeout x", "invalid digit found in string"),
    ] {
        let outcome = Outcome::of(binary(arguments.split(' ')).output().unwrap());
        assert_eq!(outcome.status, 2);
        assert!(outcome.err.contains(wanted), "{wanted}: {outcome:?}");
    }
}

#[test]
fn parameter_that_may_be_secret_is_wanted_from_a_file() {
    let fixture = Fixture::new();
    let command = "assertion client-credentials --client-id c --key key.pem \
                   --token-endpoint https://as.example/t";
    for (name, option) in [
        ("subject_token", "--param subject_token"),
        ("password", "--param password"),
        ("Client_Secret", "--param NAME"),
        ("c2VjcmV0LXZhbHVl", "--param NAME"), // base64 of a secret ends in = too
    ] {
        for value in [CLIENT_SECRET, "@@hunter2-hunter2"] {
            let outcome = fixture.run(&format!("{command} --param {name}={value}"));
            let wanted = format!("a secret is never an argument: write {option}=@FILE");
            outcome.assert_fails(2, &format!("jwt-bearer: {wanted}\n"));
        }
    }
    for name in [
        "requested_token_use",
        "resource",
        "audience",
        "requested_token_type",
        "subject_token_type",
    ] {
        fixture
            .run(&format!("{command} --param {name}=value"))
            .only_line();
    }
}

#[test]
fn claim_that_begins_as_json_and_is_none_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    let command = "assertion client-credentials --client-id c --key key.pem \
                   --token-endpoint https://as.example/t";
    let digits = "1234567890".repeat(31);
    for value in [
        "1e999", "-1e999", &digits, "{S3cr3t", "[S3cr3t", "\"S3cr3t", "[1e999]",
    ] {
        for (name, option) in [("level", "--claim level"), ("S3cr3t+/", "--claim NAME")] {
            let outcome = fixture.run(&format!("{command} --claim {name}={value}"));
            let start = format!("jwt-bearer: {option}: the ");
            assert!(outcome.err.starts_with(&start), "{outcome:?}");
            assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
            for secret in ["S3cr3t", "999", "1234567890"] {
                assert!(!outcome.err.contains(secret), "{outcome:?}");
            }
        }
    }
    for (value, claim) in [
        ("7", r#""level":7"#),
        ("[1,2]", r#""level":[1,2]"#),
        (r#""7""#, r#""level":"7""#),
        ("gold", r#""level":"gold""#),
        ("007", r#""level":"007""#),
        ("2026-01-01", r#""level":"2026-01-01""#),
        (SECRET, &format!(r#""level":"{SECRET}""#)), // a UUID may begin as a number does
    ] {
        let outcome = fixture.run(&format!("{command} -v --claim level={value}"));
        assert!(outcome.err.contains(claim), "{outcome:?}");
    }
}

#[test]
fn parameter_begins_with_at_sign_where_two_are_given() {
    let fixture = Fixture::new();
    fixture.write("resource.txt", "from-file");
    let shown = |value: &str| {
        let arguments = format!("token {} -v --param resource={value}", PROFILES[6]);
        let outcome = fixture.run(&arguments);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let (_, after) = outcome.err.split_once("resource=").unwrap();
        after.split(['&', '\n']).next().unwrap().to_owned()
    };
    assert_eq!(shown("plain"), "plain");
    assert_eq!(shown("@@group"), "%40group");
    assert_eq!(shown("@resource.txt"), "from-file");
}

#[test]
fn secret_file_loses_one_line_end_and_warns_when_short() {
    let fixture = Fixture::new();
    let run = |secret: &str| {
        fixture.write("s.txt", secret);
        fixture.run(
            "token cylance --tenant-id tenant --application-id application --base-url {url} \
             --secret s.txt",
        )
    };
    for end in ["\n", "\r\n"] {
        let outcome = run(&format!("{SECRET}{end}"));
        outcome.only_line();
    }
    let twice = run(&format!("{SECRET}\n\n"));
    assert_eq!(twice.status, 5, "only one line end is dropped: {twice:?}");
    let dropped = "jwt-bearer: s.txt: the line end at its end is dropped\n";
    assert!(twice.err.contains(dropped), "{twice:?}");
    let short = run("short").err;
    let warning = "jwt-bearer: s.txt: 5 bytes; RFC 7518 asks for 32 or more\n";
    assert!(short.starts_with(warning), "{short}");
    run("").assert_fails(3, "jwt-bearer: s.txt: the HMAC secret is empty\n");
}

#[test]
fn secret_file_with_odd_text_is_named_in_a_warning() {
    let fixture = Fixture::new();
    let without_mark: Vec<u8> = "secret".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, warning) in [
        (without_mark, "a zero byte in it"),
        (format!("{SECRET} \n").into_bytes(), "a blank at its end"),
        (format!("{SECRET}\t").into_bytes(), "a blank at its end"),
        (format!(" {SECRET}").into_bytes(), "a blank at its start"),
        (
            format!("{SECRET}\r\n\r\n").into_bytes(),
            "another line end at its end",
        ),
    ] {
        fixture.write("odd.txt", content);
        let command = "assertion cylance --tenant-id t --application-id a --secret odd.txt";
        let outcome = fixture.run(command);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let warning = format!("jwt-bearer: odd.txt: {warning}");
        assert!(outcome.err.contains(&warning), "{warning} in {outcome:?}");
        assert_not_repeated(SECRET, &outcome);
    }
}

/// `"..." > secret.txt` and `Set-Content -Encoding utf8` of Windows PowerShell 5.1, `-Encoding BigEndianUnicode`, and
/// editors.
#[test]
fn secret_file_as_windows_writes_it_gives_the_secret() {
    let fixture = Fixture::new();
    let line = format!("\u{feff}{SECRET}\r\n");
    let little = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big = line.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf16 = "this is UTF-16 text, as PowerShell 5 writes it, and is read as UTF-8\n";
    for (content, warning) in [
        (little, utf16),
        (big, utf16),
        (
            line.into_bytes(),
            "the byte order mark at its start is dropped\n",
        ),
    ] {
        fixture.write("windows.txt", content);
        let outcome = fixture.run(
            "token cylance --tenant-id tenant --application-id application --base-url {url} --secret windows.txt",
        );
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let warning = format!("jwt-bearer: windows.txt: {warning}");
        assert!(outcome.err.contains(&warning), "{warning} in {outcome:?}");
        assert!(!outcome.err.contains("is used as a part"), "{outcome:?}");
    }
}

#[test]
fn secret_file_in_utf16_that_is_not_ascii_is_refused() {
    let fixture = Fixture::new();
    let text = "\u{feff}p\u{e4}ssw\u{f6}rd".encode_utf16();
    fixture.write(
        "umlaut.txt",
        text.flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    );
    let command = "assertion cylance --tenant-id t --application-id a --secret umlaut.txt";
    fixture.run(command).assert_fails(
        3,
        "jwt-bearer: umlaut.txt: this begins as UTF-16 text does, and is not ASCII: save it as UTF-8, or give the \
         bytes of a --secret with --secret-encoding hex\n",
    );
}

/// A registered secret of bytes that are not text, and end as a line does.
const BINARY: &[u8] = b"\xff\x00binary-secret-of-32-bytes-\xfe\xfd\xfc\n";

#[test]
fn binary_secret_keeps_its_last_byte() {
    let fixture = Fixture::new();
    let client = Client::new("binary", Key::secret(BINARY));
    fixture.server.register(client.with_scope("read"));
    fixture.write("binary.bin", BINARY);
    let outcome = fixture.run(
        "token client-credentials --client-id binary --secret binary.bin --token-endpoint {url}/token",
    );
    outcome.only_line();
}

#[test]
fn secret_encoding_is_decoded() {
    let fixture = Fixture::new();
    let client = Client::new("binary", Key::secret(BINARY));
    fixture.server.register(client.with_scope("read"));
    let run = |encoding: &str, content: &str| {
        fixture.write("encoded.txt", content);
        fixture.run(&format!(
            "token client-credentials --client-id binary --secret encoded.txt \
             --secret-encoding {encoding} --token-endpoint {{url}}/token"
        ))
    };
    let hex: String = BINARY.iter().map(|byte| format!("{byte:02X}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(BINARY);
    let base64url = URL_SAFE_NO_PAD.encode(BINARY);
    assert!(
        base64.contains(['+', '/']) && base64.contains('='),
        "{base64}"
    );
    for (encoding, content) in [
        ("hex", hex.clone()),
        ("hex", hex.to_lowercase() + "\n"),
        ("base64", base64.clone() + "\n"),
        (
            "base64",
            format!("\u{feff}{}\r\n{}\r\n", &base64[..20], &base64[20..]),
        ),
        ("base64", base64.trim_end_matches('=').to_owned()),
        ("base64url", base64url.clone()),
        ("base64url", base64.replace('+', "-").replace('/', "_")),
    ] {
        run(encoding, &content).only_line();
    }
    for (encoding, name, content) in [
        ("hex", "hexadecimal", hex[1..].to_owned()),
        ("hex", "hexadecimal", base64.clone()),
        ("base64", "base64", base64url.clone()),
        ("base64url", "base64url", base64.clone()),
    ] {
        let outcome = run(encoding, &content);
        let wanted = format!("encoded.txt: this is not {name}, as --secret-encoding says");
        outcome.assert_fails(3, &format!("jwt-bearer: {wanted}\n"));
    }
    run("hex", "\n").assert_fails(3, "jwt-bearer: encoded.txt: the HMAC secret is empty\n");
}

#[test]
fn key_in_der_is_read_with_and_without_passphrase() {
    let fixture = Fixture::new();
    let der = |text: &str| {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        base64::engine::general_purpose::STANDARD
            .decode(body)
            .unwrap()
    };
    fixture.write("key.der", der(&pem()));
    let profile = PROFILES[6].replace("key.pem", "key.der");
    fixture.run(&format!("token {profile}")).only_line();

    let all = include_str!("../data/keys/encrypted.txt");
    let (_, rest) = all.split_once("aes-256-cbc hmacWithSHA256\n").unwrap();
    let (block, _) = rest.split_once("-----END").unwrap();
    fixture.write("encrypted.der", der(block));
    fixture.write("passphrase", "correct horse");
    let profile = PROFILES[6].replace("key.pem", "encrypted.der --passphrase-file passphrase");
    fixture.run(&format!("assertion {profile}")).only_line();

    fixture.write(
        "certificate.der",
        der(include_str!("../data/keys/certificate.pem")),
    );
    let profile = PROFILES[6].replace("key.pem", "certificate.der");
    let outcome = fixture.run(&format!("assertion {profile}"));
    let names_file = outcome
        .err
        .starts_with("jwt-bearer: certificate.der: this is ");
    assert!(outcome.status == 3 && names_file, "{outcome:?}");
}

#[test]
fn verbose_shows_exchange_without_secrets() {
    let fixture = Fixture::new();
    let pem = pem();
    let body: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for profile in PROFILES {
        // The profiles send the secret parameters in a form, a query and JSON.
        let with_secrets = "--param client_secret=@client-secret.txt \
            --param subject_token=@subject-token.txt --param password=@password.txt";
        let outcome = fixture.run(&format!("token {profile} -v {with_secrets}"));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let token = outcome.out.trim_end();
        let secrets = [
            SECRET,
            CLIENT_SECRET,
            SUBJECT_TOKEN,
            PASSWORD,
            "p%40ss",
            token,
        ];
        for needle in body.iter().copied().chain(secrets) {
            assert!(!outcome.err.contains(needle), "{needle} in {}", outcome.err);
        }
        for label in [
            "header    {",
            "claims    {",
            "request   POST ",
            "response  200 {",
        ] {
            assert!(outcome.err.contains(label), "{label} in {}", outcome.err);
        }
        // An assertion would be three segments in one word.
        let is_jwt = |word: &str| word.contains("eyJ") && word.matches('.').count() == 2;
        assert!(
            !outcome.err.split(['"', '=', '&', ' ', '\n']).any(is_jwt),
            "{}",
            outcome.err
        );
    }
}

#[test]
fn verbose_hides_tokens_wherever_a_response_has_them() {
    let fixture = Fixture::new();
    fixture.write("odd-secret.txt", "pa\"ss\\word-1234-5678");
    let run = |server: &FixedServer| {
        let url = server.url();
        fixture.run(&format!(
            "token client-credentials --client-id c --key key.pem --token-endpoint {url} -v \
             --timeout 2 --param client_secret=@odd-secret.txt"
        ))
    };
    for (body, hidden) in [
        (
            r#"{"access_token":"T0KEN-1","token":"T0KEN-2","AccessToken":"T0KEN-3"}"#,
            "T0KEN",
        ),
        (
            r#"{"access_token":"t","user":{"access_token":"T0KEN-1","list":[{"k":"T0KEN-2"}]}}"#,
            "T0KEN",
        ),
        (
            r#"{"access_token":"t","error_codes":["a",{"session":"T0KEN-1"}]}"#,
            "T0KEN",
        ),
        (r#"{"access_token":"t","pin":9081726354}"#, "9081726354"),
        (
            r#"{"access_token":"T0KEN-1","message":"your token is T0KEN-1"}"#,
            "T0KEN",
        ),
        (r#"["T0KEN-1"]"#, "T0KEN"),
        ("T0KEN-1", "T0KEN"),
    ] {
        let outcome = run(&FixedServer::json("200 OK", "", body));
        assert!(outcome.err.contains("response  200 "), "{outcome:?}");
        let shown = outcome
            .err
            .lines()
            .find(|line| line.starts_with("response"));
        assert!(!shown.unwrap().contains(hidden), "{body}: {outcome:?}");
    }
    for repeated in [
        r#"pa\"ss\\word-1234-5678"#,
        r#"pa\\u0022ss\\u005cword-1234-5678"#,
        "pa%22ss%5Cword-1234-5678",
        "ss-word-1234-567",
        "password\u{200b}-1234\u{ad}-5678",
    ] {
        let body = format!(r#"{{"error":"invalid_client","error_description":"not {repeated}"}}"#);
        let outcome = run(&FixedServer::json("401 No", "", &body));
        let shown = outcome
            .err
            .lines()
            .find(|line| line.starts_with("response"));
        let shown = shown.unwrap();
        assert!(
            !shown.contains("word-1") && !shown.contains("1234"),
            "{outcome:?}"
        );
        assert!(shown.contains("invalid_client"), "{outcome:?}");
    }
}

#[test]
fn verbose_hides_hmac_key_that_server_repeats() {
    let fixture = Fixture::new();
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(SECRET);
    for repeated in [SECRET, &hex, &base64] {
        let body = format!(r#"{{"error":"no","error_description":"bad secret {repeated}"}}"#);
        let url = FixedServer::json("401 No", "", &body).url();
        for arguments in [
            format!("token client-credentials --client-id c --token-endpoint {url}"),
            format!("token cylance --tenant-id t --application-id a --base-url {url}"),
        ] {
            let outcome = fixture.run(&format!("{arguments} --secret secret.txt -v"));
            let wanted = r#"response  401 {"error":"no","error_description":"..."}"#;
            assert!(
                outcome.err.lines().any(|line| line == wanted),
                "{outcome:?}"
            );
        }
    }
}

#[test]
fn verbose_escapes_characters_that_a_terminal_obeys() {
    let fixture = Fixture::new();
    let body = "{\"error\":\"invalid_client\",\"error_description\":\"a \u{9b}2J\u{202e}b\u{200b}c\u{2028}d\"}";
    let server = FixedServer::json("401 No", "", body);
    let url = server.url();
    let outcome = fixture.run(&format!(
        "token client-credentials --client-id c --key key.pem --token-endpoint {url} -v"
    ));
    let shown = outcome
        .err
        .lines()
        .find(|line| line.starts_with("response"));
    let shown = shown.unwrap();
    assert!(
        shown.contains(r"a \u009b2J\u202eb\u200bc\u2028d"),
        "{shown}"
    );
    assert!(shown.is_ascii(), "{shown}");
}
