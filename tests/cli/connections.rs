//! Connections: the configuration file, variables of the environment, and the command `config`.

use std::collections::BTreeSet;

use base64::engine::general_purpose::STANDARD;
use jwt_bearer::provider::PROVIDERS;
use jwt_bearer::{SETTINGS, SettingValue};

use super::*;

/// Writes `config.toml` into the fixture's directory; `{url}` becomes the server's URL.
fn configure(fixture: &Fixture, text: &str) {
    let text = text.replace("{url}", fixture.server.url());
    let file = fixture.write("config.toml", text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = file;
}

fn run(fixture: &Fixture, arguments: &str, variables: &[(&str, &str)]) -> Outcome {
    let mut command = fixture.command(arguments);
    command.env("JWT_BEARER_CONFIG", "config.toml");
    command.envs(variables.iter().copied());
    Outcome::of(command.output().unwrap())
}

/// Returns the claims of the assertion that the arguments sign.
#[track_caller]
fn claims(outcome: &Outcome) -> Value {
    let assertion = outcome.only_line();
    let claims = assertion.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

const PROD: &str = r#"
[prod]
provider = "salesforce"
client-id = "consumer-key"
username = "user@example.com"
key = "key.pem"
login-url = "{url}"

[staging]
provider = "client-credentials"
client-id = "client-1"
key = "key.pem"
token-endpoint = "{url}/token"
scope = "read"
"#;

#[test]
fn connection_is_named_where_a_provider_is() {
    let fixture = Fixture::new();
    configure(&fixture, PROD);
    for name in ["prod", "staging"] {
        run(&fixture, &format!("token {name}"), &[]).only_line();
    }
    assert_eq!(fixture.server.jtis().len(), 2);
    let claims = claims(&run(&fixture, "assertion prod", &[]));
    assert_eq!(claims["iss"], "consumer-key");
    assert_eq!(claims["sub"], "user@example.com");
    #[cfg(unix)]
    {
        run(&fixture, "token prod --cache-dir cache", &[]).only_line();
        let outcome = run(&fixture, "forget --cache-dir cache prod", &[]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(outcome.err.contains("1 token"), "{outcome:?}");
    }
}

#[cfg(unix)] // elsewhere the system names the directory, not a variable
#[test]
fn configuration_file_is_the_users_or_named() {
    let fixture = Fixture::new();
    let text = PROD.replace("{url}", fixture.server.url());
    fs::create_dir(fixture.directory.path().join("jwt-bearer")).unwrap();
    let text = text.replace("\"key.pem\"", "\"../key.pem\"");
    fixture.write("jwt-bearer/config.toml", &text);
    let mut command = fixture.command("token prod");
    command.env("XDG_CONFIG_HOME", fixture.directory.path());
    Outcome::of(command.output().unwrap()).only_line();

    // Files are next to the configuration file, wherever the command runs.
    let file = fixture.directory.path().join("jwt-bearer/config.toml");
    for option in ["--config ", "--config="] {
        let command = format!("token {option}{} prod", file.display());
        fixture.run(&command).only_line();
        let command = format!("token prod {option}{}", file.display());
        fixture.run(&command).only_line();
    }
    let outcome = fixture.run("token --config none.toml prod");
    outcome.assert_fails(
        3,
        "jwt-bearer: none.toml: No such file or directory (os error 2)\n",
    );
}

#[test]
fn file_names_are_relative_to_where_they_are_written() {
    let fixture = Fixture::new();
    let text = r#"
[own]
provider = "client-credentials"
client-id = "client-1"
key = "../key.pem"
token-endpoint = "{url}/token"
param = ["pin=@pin.txt"]

[by-variable]
provider = "client-credentials"
client-id = "client-1"
key = "env:DEPLOY_KEY"
token-endpoint = "{url}/token"
"#;
    fs::create_dir(fixture.directory.path().join("settings")).unwrap();
    let text = text.replace("{url}", fixture.server.url());
    fixture.write("settings/config.toml", text);
    fixture.write("settings/pin.txt", "1234");
    let run = |name: &str, variable: &str, value: &str| {
        let mut command =
            fixture.command(&format!("token {name} -q --config settings/config.toml"));
        Outcome::of(command.env(variable, value).output().unwrap())
    };
    run("own", "UNUSED", "").only_line();
    run("own", "JWT_BEARER_KEY", "key.pem").only_line();
    run("by-variable", "DEPLOY_KEY", &pem()).only_line();
}

#[test]
fn options_win_over_variables_and_variables_over_the_file() {
    let fixture = Fixture::new();
    configure(&fixture, PROD);
    let subject = [("JWT_BEARER_USERNAME", "of the variable")];
    assert_eq!(
        claims(&run(&fixture, "assertion prod", &subject))["sub"],
        "of the variable"
    );
    let option = "assertion prod --username option";
    assert_eq!(claims(&run(&fixture, option, &subject))["sub"], "option");
    // An empty variable counts as unset: a pipeline sets one from a secret that does not exist.
    let empty = [("JWT_BEARER_USERNAME", "")];
    assert_eq!(
        claims(&run(&fixture, "assertion prod", &empty))["sub"],
        "user@example.com"
    );
    // Providers have the same variables.
    let all = [
        ("JWT_BEARER_USERNAME", "u"),
        ("JWT_BEARER_CLIENT_ID", "c"),
        ("JWT_BEARER_KEY", "key.pem"),
    ];
    let outcome = run(&fixture, "assertion salesforce", &all);
    assert_eq!(claims(&outcome)["iss"], "c");
}

#[test]
fn option_leaves_out_what_it_replaces() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        r#"
[by-key]
provider = "marketing-cloud-intelligence"
service-account-id = "service-account"
discovery-endpoint = "{url}/nowhere"
key = "none.pem"
[own]
provider = "custom"
issuer = "i"
audience = "a"
key = "key.pem"
discover = "{url}/nowhere"
expires-in = "lifetime"
claim = ["a=1", "b=2"]
claim-text = { c = "3" }
[by-region]
provider = "cylance"
tenant-id = "tenant"
application-id = "application"
secret = "secret.txt"
region = "euc1"
"#,
    );
    run(
        &fixture,
        "token by-region --base-url {url} --scope device:list",
        &[],
    )
    .only_line();
    run(
        &fixture,
        "token by-key --credentials credentials.json --discovery-endpoint {url}/discovery",
        &[],
    )
    .only_line();
    let own = "assertion own --token-endpoint {url}/token --claim b=20 --claim-text a=10 --expires-at when";
    let claims = claims(&run(&fixture, own, &[("JWT_BEARER_CLAIM", "c=30\nd=40")]));
    assert_eq!(
        [&claims["a"], &claims["b"], &claims["c"], &claims["d"]],
        [
            &Value::from("10"),
            &Value::from(20),
            &Value::from(30),
            &Value::from(40)
        ]
    );
}

#[test]
fn values_in_the_file_keep_their_types() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        r#"
[own]
provider = "custom"
issuer = "i"
audience = "a"
key = "key.pem"
token-endpoint = "{url}/token"
lifetime = 100
text-response = false
claim = { n = 7, x = 0.5, t = "true", b = true, list = ["a", 1], inner = { m = 1 } }
header = ["cty=JWT"]
"#,
    );
    let claims = claims(&run(
        &fixture,
        "assertion own --claim-text zip=00501 --claim gone=null",
        &[],
    ));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        100
    );
    for (name, json) in [
        ("n", "7"),
        ("x", "0.5"),
        ("t", "\"true\""),
        ("b", "true"),
        ("list", "[\"a\",1]"),
        ("inner", "{\"m\":1}"),
        ("zip", "\"00501\""),
    ] {
        assert_eq!(claims[name].to_string(), json);
    }
    assert_eq!(claims.get("gone"), None);
}

#[test]
fn variables_may_hold_keys_and_secrets_themselves() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        PROD.replace("\"key.pem\"", "\"none.pem\"").as_str(),
    );
    let pem = pem();
    for key in [pem.as_str(), &format!("\n{pem}"), "key.pem", "key.pem\r\n"] {
        run(&fixture, "token prod", &[("JWT_BEARER_KEY", key)]).only_line();
    }
    // The usual form of a pipeline's secret, as `base64 -w0` writes it; the same of a key that is shorter than a name
    // may be; and what remains of PEM when line ends are lost.
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let quoted = format!("\"{}\"", pem.replace('\n', "\\n"));
    let ed25519 = STANDARD.encode(include_str!("../data/keys/ed25519.pem"));
    for key in [STANDARD.encode(&pem), body, quoted, ed25519] {
        let command = "assertion jwt-bearer --issuer i --token-endpoint https://as.example/t";
        let outcome = run(&fixture, command, &[("JWT_BEARER_KEY", &key)]);
        assert!(outcome.out.starts_with("eyJ"), "{outcome:?}");
    }
    let client = [("JWT_BEARER_CLIENT_ID", "consumer-key\r\n")];
    let outcome = run(
        &fixture,
        "assertion salesforce --username u --key key.pem",
        &client,
    );
    assert!(outcome.out.starts_with("eyJ"), "{outcome:?}");
    let credentials =
        fs::read_to_string(fixture.directory.path().join("credentials.json")).unwrap();
    let variable = [("JWT_BEARER_CREDENTIALS", credentials.as_str())];
    run(&fixture, "token marketing-cloud-intelligence", &variable).only_line();
    let cylance = "token cylance --tenant-id tenant --application-id application --base-url {url} --scope device:list";
    for secret in [SECRET, "@secret.txt"] {
        run(&fixture, cylance, &[("JWT_BEARER_SECRET", secret)]).only_line();
    }
    run(
        &fixture,
        &format!("{cylance} --secret env:OURS"),
        &[("OURS", SECRET)],
    )
    .only_line();
    let outcome = run(&fixture, &format!("{cylance} --secret env:OURS"), &[]);
    outcome.assert_fails(
        3,
        "jwt-bearer: --secret: the variable after env: is not set, or is no text\n",
    );
    // A broken key is not printed.
    let broken = pem.replace("MII", "MIIhunter2hunter2");
    let outcome = run(&fixture, "token prod -v", &[("JWT_BEARER_KEY", &broken)]);
    assert_eq!(outcome.status, 3, "{outcome:?}");
    assert!(outcome.err.contains("env:JWT_BEARER_KEY: "), "{outcome:?}");
    assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
}

#[cfg(unix)]
#[test]
fn command_of_exec_does_not_get_the_key() {
    let fixture = Fixture::new();
    configure(&fixture, PROD);
    let pem = pem();
    let variables = [("JWT_BEARER_KEY", pem.as_str()), ("JWT_BEARER_CACHE", "0")];
    let outcome = run(&fixture, "exec prod --env TOKEN -- env", &variables);
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    assert!(outcome.out.contains("\nTOKEN=00D"), "{outcome:?}");
    assert!(!outcome.out.contains("JWT_BEARER"), "{outcome:?}");
}

#[test]
fn secrets_may_be_in_the_file_and_are_not_shown() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        r#"
[own]
provider = "client-credentials"
client-id = "client-1"
key = "key.pem"
token-endpoint = "{url}/token"
param = { password = "hunter2-hunter2", resource = "https://api.example.com", pin = "@password.txt" }
basic-auth = ["client-1=hunter2-hunter2"]
"#,
    );
    let outcome = run(&fixture, "token own -v", &[]);
    assert!(outcome.err.contains("password=..."), "{outcome:?}");
    assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
    let outcome = run(
        &fixture,
        "config",
        &[("JWT_BEARER_PARAM", "code=hunter2-hunter2")],
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for line in [
        "provider = \"client-credentials\"              # line 3\n",
        "param = \"code=...\"                           # JWT_BEARER_PARAM\n",
        "basic-auth = \"client-1=...\"                  # line 8\n",
        "\"password=...\", ",
        "\"resource=https://api.example.com\"]",
    ] {
        assert!(outcome.out.contains(line), "{line}{}", outcome.out);
    }
    assert!(!outcome.out.contains("hunter2"), "{outcome:?}");
    // On the command line it stays refused.
    let outcome = run(&fixture, "token own --param password=hunter2", &[]);
    outcome.assert_fails(
        2,
        "jwt-bearer: a secret is never an argument: write --param password=@FILE\n",
    );
}

#[cfg(unix)]
#[test]
fn secret_in_a_file_that_others_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    let secret = "[own]\nprovider = \"client-credentials\"\nparam = { password = \"x\" }\n";
    for (text, mode, warning) in [
        (
            secret,
            0o644,
            "jwt-bearer: config.toml: other users can read a secret in it: chmod 600 config.toml\n",
        ),
        (
            secret,
            0o640,
            "jwt-bearer: config.toml: other users can read a secret in it: chmod 600 config.toml\n",
        ),
        (secret, 0o600, ""),
        (
            "[own]\nprovider = \"client-credentials\"\n",
            0o666,
            "jwt-bearer: config.toml: all users can change it, and so where your assertions are sent: chmod go-w \
             config.toml\n",
        ),
        (
            "[own]\nparam = { password = \"@password.txt\" }\ncredentials = \"credentials.json\"\n",
            0o644,
            "",
        ),
    ] {
        let file = fixture.write("config.toml", text);
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = run(&fixture, "config", &[]);
        assert_eq!(
            (outcome.status, outcome.err.as_str()),
            (0, warning),
            "{outcome:?}"
        );
    }
}

#[test]
fn fault_in_the_file_is_named_by_its_line() {
    let fixture = Fixture::new();
    for (text, message) in [
        (
            "[prod]\nprovider = \"salesforce\"\nclient-idd = \"S3cretS3cret\"\n",
            ":3: the connection prod has the option client-idd, which does not exist: is client-id meant?\n",
        ),
        (
            "[prod]\nprovider = \"sales-force\"\n",
            ":2: the connection prod: there is no provider sales-force: is salesforce meant?\n",
        ),
        (
            "[prod]\nprovider = \"helseid\"\n",
            ":2: the connection prod: HelseID binds every token to a key by DPoP (RFC 9449), which is not supported: use the libraries that HelseID publishes\n",
        ),
        (
            "\nclient-id = \"S3cretS3cret\"\n",
            ":2: expected a connection, such as [prod], and below it its options; found the key client-id\n",
        ),
        (
            "[prod]\nkey = 1979-05-27\n",
            ":2: key: expected a text, a whole number, true or false\n",
        ),
        (
            "[prod]\nkey = { a = \"S3cretS3cret\" }\n",
            ":2: key: expected a text, a number, true, false or a list of texts\n",
        ),
        ("[a b]\n", ""),
        (
            "[\"a b\"]\n",
            ":1: the name of a connection has no blank and no invisible character, and begins with no hyphen\n",
        ),
        (
            "[\"a\u{3164}b\"]\n",
            ":1: the name of a connection has no blank and no invisible character, and begins with no hyphen\n",
        ),
        (
            "[prod]\nclient-id = \"S3cretS3cret\"\n",
            ":1: the connection prod has no provider: write provider = \"NAME\", or credentials = \"FILE\" for a \
             credential file that says it\n",
        ),
        (
            "[credentials]\n",
            ":1: a connection cannot have the name credentials\n",
        ),
        ("[prod]\nkey = S3cretS3cret\n", ":2: "),
        ("[prod]\n[prod]\n", ":2: "),
    ] {
        fixture.write("config.toml", text);
        let name = if text.starts_with("[x]") { "x" } else { "prod" };
        let outcome = run(&fixture, &format!("token {name}"), &[]);
        assert_eq!(outcome.status, 3, "{text}{outcome:?}");
        assert!(
            outcome.err.starts_with("jwt-bearer: config.toml:"),
            "{outcome:?}"
        );
        assert!(outcome.err.contains(message), "{text}{outcome:?}");
        assert!(!outcome.err.contains("S3cret"), "{outcome:?}");
    }
    // What does not use the file does not read it.
    run(&fixture, "demo", &[]);
    assert_eq!(run(&fixture, "man", &[]).status, 0);
}

#[test]
fn unknown_provider_concerns_its_own_connection_alone() {
    let fixture = Fixture::new();
    let problem = "the connection old: there is no provider salesfroce: is salesforce meant?";
    configure(
        &fixture,
        &format!("{PROD}\n[old]\nprovider = \"salesfroce\"\n"),
    );
    run(&fixture, "token prod", &[]).only_line();
    assert_eq!(run(&fixture, "config prod", &[]).status, 0);
    // Without a name, `config` checks all that it lists.
    for command in ["token old", "config old", "assertion old", "config"] {
        let outcome = run(&fixture, command, &[]);
        assert_eq!(outcome.status, 3, "{outcome:?}");
        assert!(outcome.err.contains(problem), "{outcome:?}");
    }
}

#[test]
fn file_of_more_than_16_mib_is_refused() {
    let fixture = Fixture::new();
    fixture.write("config.toml", vec![b'#'; 16 * 1024 * 1024 + 1]);
    run(&fixture, "config", &[]).assert_fails(
        3,
        "jwt-bearer: config.toml: this is too long for a configuration file\n",
    );
}

#[test]
fn value_that_has_not_its_form_is_named_by_its_line() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        &PROD.replace("scope = \"read\"", "lifetime = \"soon\""),
    );
    let outcome = run(&fixture, "token staging", &[]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.err.contains("expected SECONDS|none"), "{outcome:?}");
    assert!(
        outcome
            .err
            .ends_with("jwt-bearer: the value of --lifetime is at config.toml:14\n"),
        "{outcome:?}"
    );
    // The malformed value is the one on the command line.
    configure(
        &fixture,
        &PROD.replace("scope = \"read\"", "claim = [\"a=1\"]"),
    );
    let outcome = run(&fixture, "token staging --claim broken", &[]);
    assert!(outcome.err.contains("expected NAME=VALUE"), "{outcome:?}");
    assert!(!outcome.err.contains("config.toml"), "{outcome:?}");
    let outcome = run(&fixture, "token prod", &[("JWT_BEARER_TIMEOUT", "soon")]);
    assert!(
        outcome.err.ends_with(
            "jwt-bearer: the value of --timeout is that of the variable JWT_BEARER_TIMEOUT\n"
        ),
        "{outcome:?}"
    );
}

#[test]
fn connection_wins_over_a_provider_of_the_same_name() {
    let fixture = Fixture::new();
    configure(&fixture, &PROD.replace("[staging]", "[cylance]"));
    run(&fixture, "token cylance", &[]).only_line();
    let outcome = run(&fixture, "config cylance", &[]);
    assert!(
        outcome
            .out
            .contains("[cylance]\n# wins over the provider cylance\n"),
        "{outcome:?}"
    );
    let outcome = run(&fixture, "config cylanze", &[]);
    outcome.assert_fails(
        2,
        "jwt-bearer: there is no connection of this name: is cylance meant?\n  there are prod, cylance\n",
    );
}

#[test]
fn file_may_be_as_windows_writes_it() {
    let fixture = Fixture::new();
    let text = PROD
        .replace("{url}", fixture.server.url())
        .replace('\n', "\r\n");
    fixture.write("config.toml", format!("\u{feff}{text}"));
    run(&fixture, "token prod", &[]).only_line();
    let utf16: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    fixture.write("config.toml", utf16);
    run(&fixture, "token prod", &[]).assert_fails(
        3,
        "jwt-bearer: config.toml: this is UTF-16, as PowerShell 5 writes it: save it as UTF-8\n",
    );
}

/// Returns the long options in the help of a provider.
fn options_in_help(provider: &str) -> Vec<String> {
    let help = Outcome::of(binary(["token", provider, "--help"]).output().unwrap()).out;
    let options = help.lines().filter_map(|line| {
        let (before, option) = line.split_once("--")?;
        let is_option = before.trim().is_empty() || before.trim().ends_with(',');
        is_option.then(|| option.split(' ').next().unwrap_or_default().to_owned())
    });
    let is_name = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let own = ["help", "version", "config"];
    let names = options.filter(|name| is_name(name) && !own.contains(&name.as_str()));
    let names: BTreeSet<_> = names.collect(); // a text of the help may begin a line with an option
    names.into_iter().collect()
}

#[test]
fn every_option_is_a_key_of_a_connection_and_a_variable() {
    let fixture = Fixture::new();
    for provider in PROVIDERS {
        let names = options_in_help(provider.name);
        for name in [
            "key-id",
            "cache-dir",
            "min-lifetime",
            "system-roots",
            "error-format",
            "claim-text",
        ] {
            assert!(names.iter().any(|other| other == name), "{name}: {names:?}");
        }
        let inputs = provider.inputs.iter().map(|input| input.name);
        for name in inputs.chain(SETTINGS.iter().map(|setting| setting.name)) {
            assert!(names.iter().any(|other| other == name), "{name}: {names:?}");
        }
        let value = |name: &str| match name {
            "error-format" => "text",
            name if SETTINGS.iter().any(|setting| {
                setting.name == name && matches!(setting.value, SettingValue::Pair { .. })
            }) =>
            {
                "grant_type=1"
            }
            _ => "yes",
        };
        let mut text = format!("[own]\nprovider = \"{}\"\n", provider.name);
        for name in &names {
            text.push_str(&format!("{name} = \"{}\"\n", value(name)));
        }
        configure(&fixture, &text);
        let outcome = run(&fixture, "config own", &[]);
        assert_eq!(
            (outcome.status, outcome.err.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        let lines = |origin: &str| {
            let lines = outcome.out.lines().filter(|line| line.contains(origin));
            lines
                .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
                .collect::<Vec<_>>()
        };
        for name in &names {
            assert!(lines("# line ").contains(name), "{}: {name}", provider.name);
        }

        let variables = names.iter().map(|name| {
            let variable = name.to_ascii_uppercase().replace('-', "_");
            (format!("JWT_BEARER_{variable}"), value(name))
        });
        let mut command = fixture.command("config own");
        command
            .env("JWT_BEARER_CONFIG", "config.toml")
            .envs(variables);
        let outcome = Outcome::of(command.output().unwrap());
        for name in &names {
            let variable = format!(
                "# JWT_BEARER_{}",
                name.to_ascii_uppercase().replace('-', "_")
            );
            let mut lines = outcome.out.lines();
            let is_it =
                |line: &str| line.starts_with(&format!("{name} = ")) && line.ends_with(&variable);
            assert!(
                lines.any(is_it),
                "{}: {name}: {}",
                provider.name,
                outcome.out
            );
        }
    }
}

#[test]
fn options_of_all_kinds_count_from_the_file_and_from_variables() {
    let fixture = Fixture::new();
    let header = |outcome: &Outcome| {
        let header = URL_SAFE_NO_PAD.decode(outcome.only_line().split('.').next().unwrap());
        serde_json::from_slice::<Value>(&header.unwrap()).unwrap()
    };
    configure(
        &fixture,
        &PROD.replace("scope = \"read\"", "key-id = \"k1\"\nalg = \"PS256\""),
    );
    let outcome = run(&fixture, "assertion staging", &[]);
    assert_eq!(header(&outcome)["kid"], "k1");
    assert_eq!(header(&outcome)["alg"], "PS256");
    let outcome = run(
        &fixture,
        "assertion staging",
        &[("JWT_BEARER_KEY_ID", "k2")],
    );
    assert_eq!(header(&outcome)["kid"], "k2");
}

#[cfg(unix)]
#[test]
fn cache_of_a_connection_is_used_and_forgotten() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        &PROD.replace("scope = \"read\"", "cache-dir = \"tokens\""),
    );
    run(&fixture, "token staging", &[]).only_line();
    assert!(fixture.directory.path().join("tokens").is_dir());
    let outcome = run(&fixture, "forget staging", &[]);
    assert!(outcome.err.contains("1 token"), "{outcome:?}");
    run(&fixture, "token staging", &[]).only_line();
    let variable = [("JWT_BEARER_CACHE_DIR", "tokens")];
    let outcome = run(&fixture, "forget", &variable);
    assert!(outcome.err.contains("1 token"), "{outcome:?}");
    // A switch is off if a variable says so.
    for off in ["off", "No", "0", "false"] {
        let arguments = "token prod --cache-dir other";
        let outcome = run(&fixture, arguments, &[("JWT_BEARER_REFRESH", off)]);
        outcome.only_line();
    }
    assert_eq!(fixture.server.jtis().len(), 3);
    let outcome = run(&fixture, "token prod", &[("JWT_BEARER_CACHE", "perhaps")]);
    outcome.assert_fails(
        3,
        "jwt-bearer: cache: expected yes or no: its value is that of the variable JWT_BEARER_CACHE\n",
    );
}

#[test]
fn passphrase_has_a_variable_that_credential_files_ignore() {
    let fixture = Fixture::new();
    let all = include_str!("../data/keys/encrypted.txt");
    let (_, rest) = all.split_once("aes-256-cbc hmacWithSHA256\n").unwrap();
    let (block, _) = rest.split_once("-----END").unwrap();
    let block = format!("{block}-----END ENCRYPTED PRIVATE KEY-----\n");
    fixture.write("encrypted.pem", block);
    fixture.write("pass.txt", "correct horse");
    configure(&fixture, PROD);
    for passphrase in ["correct horse", "@pass.txt"] {
        let variable = [("JWT_BEARER_PASSPHRASE", passphrase)];
        run(&fixture, "assertion prod --key encrypted.pem", &variable).only_line();
    }
    for passphrase in ["other", ""] {
        let variable = [("JWT_BEARER_PASSPHRASE", passphrase)];
        run(&fixture, "token credentials credentials.json", &variable).only_line();
    }
    let file = [("JWT_BEARER_CREDENTIALS", "credentials.json")];
    run(&fixture, "token credentials", &file).only_line();
    let arguments = "token credentials credentials.json --passphrase-file pass.txt";
    assert_eq!(fixture.run(arguments).status, 2);
}

#[test]
fn config_shows_no_secret_that_was_put_in_a_wrong_place() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        r#"
[own]
provider = "client-credentials"
client-id = "client-1"
key = "MIIEvgIBADANBgkqS3cret"
passphrase-file = "S3cret"
token-endpoint = "https://user:S3cret@as.example.com/t?api_key=S3cret"
request-header = { X-Api-Key = "S3cret", Accept = "a" }
ca = "root.pem"
"#,
    );
    let outcome = run(
        &fixture,
        "config own",
        &[("JWT_BEARER_CERTIFICATE", "S3cretS3cret")],
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("S3cret"), "{outcome:?}");
    for shown in [
        "key = \"...\"",
        "\"https://as.example.com/t\"",
        "Accept=a",
        "\"root.pem\"",
    ] {
        assert!(outcome.out.contains(shown), "{shown}: {outcome:?}");
    }
}

#[test]
fn name_that_is_unknown_is_explained() {
    let fixture = Fixture::new();
    configure(&fixture, PROD);
    run(&fixture, "token prdo", &[]).assert_fails(
        2,
        "jwt-bearer: there is no connection and no provider prdo: is prod meant?\n  \
         connections are in config.toml\n  jwt-bearer token --help lists all\n",
    );
    let outcome = fixture.run("exec S3cret/S3cret -- true");
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(
        outcome
            .err
            .contains("there is no connection and no provider ...\n"),
        "{outcome:?}"
    );
    assert!(
        outcome.err.contains("config.toml, which does not exist\n"),
        "{outcome:?}"
    );
    assert!(!outcome.err.contains("S3cret"), "{outcome:?}");
    let outcome = run(&fixture, "exec prod", &[]);
    assert!(
        outcome
            .err
            .contains("Usage: jwt-bearer exec prod [OPTIONS] -- <COMMAND>..."),
        "{outcome:?}"
    );
}

#[test]
fn verbose_may_be_anywhere() {
    let fixture = Fixture::new();
    configure(&fixture, PROD);
    for arguments in [
        "-v assertion prod",
        "assertion -v prod",
        "assertion prod -v",
    ] {
        let outcome = run(&fixture, arguments, &[]);
        assert!(
            outcome.status == 0 && outcome.err.starts_with("header "),
            "{outcome:?}"
        );
    }
    let outcome = run(&fixture, "assertion prod", &[("JWT_BEARER_VERBOSE", "1")]);
    assert!(
        outcome.status == 0 && outcome.err.starts_with("header "),
        "{outcome:?}"
    );
}

#[test]
fn config_shows_switches_as_the_file_has_them_and_unknown_variables() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        &PROD.replace("scope = \"read\"", "cache = true\nsystem-roots = false"),
    );
    let variables = [
        ("JWT_BEARER_CLIENTID", "x"),
        ("JWT_BEARER_TENANT_ID", "of another provider"),
    ];
    let outcome = run(&fixture, "config staging", &variables);
    assert!(outcome.out.contains("\ncache = true "), "{outcome:?}");
    assert!(
        outcome.out.contains("\nsystem-roots = false "),
        "{outcome:?}"
    );
    assert_eq!(
        outcome.err,
        "jwt-bearer: the variable JWT_BEARER_CLIENTID is of no option: is JWT_BEARER_CLIENT_ID meant?\n"
    );
}

#[test]
fn secret_that_begins_with_an_at_sign_is_written_with_two() {
    let fixture = Fixture::new();
    let (url, requests) = answering(r#"{"access_token":"t"}"#);
    configure(&fixture, PROD);
    let arguments = format!("token staging --token-endpoint {url}/token");
    let variable = [("JWT_BEARER_PARAM", "client_secret=@@pw")];
    run(&fixture, &arguments, &variable).only_line();
    let request = requests.recv().unwrap();
    assert!(request.contains("client_secret=%40pw"), "{request}");
}

#[test]
fn arguments_are_understood_wherever_the_file_is_named() {
    let fixture = Fixture::new();
    let text = PROD.replace("{url}", fixture.server.url());
    fixture.write("key", &text);
    fixture.run("--config key token prod").only_line();
    fixture.write(
        "config.toml",
        format!("{text}[config]\ncredentials = \"a.json\"\n[token]\ncredentials = \"a.json\"\n"),
    );
    let outcome = run(&fixture, "config", &[]);
    for name in ["[prod]", "[config]", "[token]"] {
        assert!(outcome.out.contains(name), "{outcome:?}");
    }
    // Without the file, help is still there.
    fixture.write("config.toml", "[prod");
    assert_eq!(run(&fixture, "token --help", &[]).status, 0);
    let outcome = run(&fixture, "--error-format json token prod", &[]);
    let error: Value = serde_json::from_str(&outcome.err).unwrap();
    assert_eq!(
        (outcome.status, &error["kind"]),
        (3, &Value::from("config"))
    );
    let variable = [("JWT_BEARER_ERROR_FORMAT", "json")];
    let outcome = run(&fixture, "assertion salesforce --scop x", &variable);
    assert!(
        serde_json::from_str::<Value>(&outcome.err).is_ok(),
        "{outcome:?}"
    );
}

#[test]
fn connection_of_the_documents_is_the_command_of_the_documents() {
    let page = include_str!("../../docs/servers.md");
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
    let fixture = Fixture::new();
    configure(&fixture, block("toml"));
    fixture.write("site.txt", "site-1");
    let command = block("sh").replace("\\\n", " ");
    let arguments = command.trim().strip_prefix("jwt-bearer ").unwrap();
    let server = FixedServer::json(
        "200 OK",
        "",
        r#"{"session":{"token":"t","until":"2099-01-01T00:00:00Z"}}"#,
    );
    let url = format!("{}/login", server.url());
    let mut bodies = Vec::new();
    for arguments in [
        arguments
            .replace("'X-Session: {}'", "X-Session:{}")
            .replace("https://api.example.com/login", &url),
        format!("token my-server --token-endpoint {url}"),
    ] {
        let outcome = run(&fixture, &format!("{arguments} --format header -v"), &[]);
        assert_eq!(
            (outcome.status, outcome.out.as_str()),
            (0, "X-Session: t\n"),
            "{outcome:?}"
        );
        let body = outcome
            .err
            .lines()
            .find(|line| line.starts_with("body "))
            .unwrap()
            .to_owned();
        bodies.push(body);
    }
    assert!(bodies[0].contains("\"credentials\""), "{bodies:?}");
    let without_signature = |body: &String| body.split("\"jwt\"").next().map(str::to_owned);
    assert_eq!(without_signature(&bodies[0]), without_signature(&bodies[1]));
}

/// The message says which line or which variable has the refused value, no matter what refuses it.
#[test]
fn value_that_is_refused_is_named_by_its_place() {
    let fixture = Fixture::new();
    let client = "provider = \"client-credentials\"\nclient-id = \"c\"\n";
    for (text, command, message, place) in [
        (
            "token-endpoint = \"http://as.example.com/token\"\nkey = \"key.pem\"\n",
            "assertion own",
            "token endpoint is not https",
            "the value of --token-endpoint is at config.toml:4",
        ),
        (
            "key = \"key.pem\"\ndiscover = \"as.example.com\"\n",
            "token own",
            "issuer has no scheme and host",
            "the value of --discover is at config.toml:5",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/token\"\ntoken-header = \"X\"\n",
            "assertion own",
            "",
            "the value of --token-header is at config.toml:6",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/token\"\nclaim = [\"a=1\", \"b={\"]\n",
            "assertion own --claim c=1",
            "claim b: the value begins as JSON does and is none",
            "the value of --claim is at config.toml:6",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/token\"\njson-param = [\"n=x\"]\n",
            "assertion own",
            "--json-param n: the value is not JSON",
            "the value of --json-param is at config.toml:6",
        ),
        (
            "token-endpoint = \"https://as.example.com/token\"\nkey = \"none.pem\"\n",
            "assertion own",
            "--key: none.pem: ",
            "the value of --key is at config.toml:5",
        ),
        (
            "key = \"key.pem\"\nca = \"none.pem\"\ntoken-endpoint = \"https://as.example.com/token\"\n",
            "token own",
            "--ca: none.pem: ",
            "the value of --ca is at config.toml:5",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/token\"\nscope = \"a\"\n\
             scope-placement = \"x\"\n",
            "assertion own --scope b",
            "invalid value '...' for '--scope-placement",
            "the value of --scope-placement is at config.toml:7",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/t\"\ndiscover = \"https://as.example.com\"\n",
            "assertion own",
            "cannot be used with",
            "the value of --discover is at config.toml:6",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/t\"\nscope = \"a,  b\"\n",
            "assertion own",
            "scope is not a list of names with one space between them",
            "the value of --scope is at config.toml:6",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/t\"\nsubject = \"user \"\n",
            "assertion own --audience a",
            "subject begins or ends with white space",
            "the value of --subject is at config.toml:6",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/t\"\nlifetime = 0\n",
            "assertion own",
            "exp lies less than a second ahead",
            "the value of --lifetime is at config.toml:6",
        ),
        (
            "key = \"key.pem\"\ntoken-endpoint = \"https://as.example.com/t\"\nparam = [\"pin=@none.txt\"]\n",
            "assertion own",
            "--param pin: ",
            "the value of --param is at config.toml:6",
        ),
    ] {
        configure(&fixture, &format!("[own]\n{client}{text}"));
        let outcome = run(&fixture, command, &[]);
        assert!(matches!(outcome.status, 2 | 3), "{outcome:?}");
        assert!(outcome.err.contains(message), "{message}: {outcome:?}");
        assert!(outcome.err.contains(place), "{place}: {outcome:?}");
        // The JSON error says it, too.
        let json = run(&fixture, &format!("--error-format json {command}"), &[]);
        let error: Value = serde_json::from_str(&json.err).unwrap();
        assert!(error["hint"].as_str().unwrap().contains(place), "{error}");
    }
}

/// The library words these errors, and knows neither options nor variables.
#[test]
fn input_of_a_provider_that_is_refused_is_named_by_its_place() {
    let fixture = Fixture::new();
    configure(
        &fixture,
        "[sf]\nprovider = \"salesforce\"\nclient-id = \"c\"\nusername = \"u\"\nkey = \"key.pem\"\n\
         login-url = \"http://as.example.com\"\n",
    );
    let outcome = run(&fixture, "token sf", &[]);
    assert_eq!(outcome.status, 3, "{outcome:?}");
    assert!(
        outcome
            .err
            .ends_with("\n  the value of --login-url is at config.toml:6\n"),
        "{outcome:?}"
    );
    // `check` says it in the step that fails.
    let outcome = run(&fixture, "check sf --offline", &[]);
    assert!(
        outcome
            .out
            .contains("\n     where        the value of --login-url is at config.toml:6\n"),
        "{outcome:?}"
    );
    let variable = [("JWT_BEARER_LOGIN_URL", "as.example.com/{")];
    let outcome = run(&fixture, "token sf", &variable);
    assert!(
        outcome.err.ends_with(
            "\n  the value of --login-url is that of the variable JWT_BEARER_LOGIN_URL\n"
        ),
        "{outcome:?}"
    );
    // The user looks at the arguments first, so the option is named only if the message uses another word.
    let option = "token sf --login-url as.example.com/{";
    run(&fixture, option, &[]).assert_fails(
        3,
        "jwt-bearer: login URL has no scheme and host: write https://...\n",
    );
    let option = "token client-credentials --client-id c --key key.pem --discover as.example.com";
    run(&fixture, option, &[]).assert_fails(
        3,
        "jwt-bearer: issuer has no scheme and host: write https://...\n  see --discover\n",
    );
    let outcome = run(&fixture, "token sf --login-url {url} --claim n={", &[]);
    assert!(!outcome.err.contains("config.toml"), "{outcome:?}");
    // These are refused by the check of the whole profile.
    let variable = [("JWT_BEARER_CLIENT_ID", "c ")];
    let assertion = "assertion sf --login-url https://as.example.com";
    run(&fixture, assertion, &variable).assert_fails(
        3,
        "jwt-bearer: issuer begins or ends with white space, or holds a control character\n  \
         the value of --client-id is that of the variable JWT_BEARER_CLIENT_ID\n",
    );
    run(&fixture, &format!("{assertion} --client-id="), &[])
        .assert_fails(3, "jwt-bearer: issuer is empty\n  see --client-id\n");
}

/// `JWT_BEARER_PASSPHRASE` is the variable of `--passphrase-file`, too.
#[test]
fn place_of_a_secret_is_the_variable_that_has_it() {
    let fixture = Fixture::new();
    configure(&fixture, PROD);
    let variable = [("JWT_BEARER_PASSPHRASE", "@none.txt")];
    let outcome = run(&fixture, "assertion prod", &variable);
    assert_eq!(outcome.status, 3, "{outcome:?}");
    assert!(
        outcome.err.ends_with(
            "\n  the value of --passphrase-file is that of the variable JWT_BEARER_PASSPHRASE\n"
        ),
        "{outcome:?}"
    );
    let outcome = run(&fixture, "config prod", &variable);
    assert!(
        outcome.out.contains(" # JWT_BEARER_PASSPHRASE\n"),
        "{outcome:?}"
    );
    assert_eq!(outcome.err, ""); // it is a variable of an option
}

/// Users of gh, gcloud or git look there, on every Unix.
#[cfg(unix)]
#[test]
fn configuration_file_is_below_the_home_directory() {
    let fixture = Fixture::new();
    let text = PROD.replace("{url}", fixture.server.url());
    let text = text.replace("\"key.pem\"", "\"../../key.pem\"");
    fs::create_dir_all(fixture.directory.path().join(".config/jwt-bearer")).unwrap();
    fixture.write(".config/jwt-bearer/config.toml", text);
    for xdg in [None, Some(""), Some("relative")] {
        let mut command = fixture.command("token prod");
        command.env("HOME", fixture.directory.path());
        match xdg {
            Some(value) => command.env("XDG_CONFIG_HOME", value),
            None => command.env_remove("XDG_CONFIG_HOME"),
        };
        Outcome::of(command.output().unwrap()).only_line();
    }
}

/// What the file adds goes after the name of the connection, and not after the same word in another place.
#[test]
fn name_of_a_connection_may_be_a_value_too() {
    let fixture = Fixture::new();
    configure(&fixture, &PROD.replace("[staging]", "[TOKEN]"));
    let outcome = run(&fixture, "token --env TOKEN TOKEN --format env", &[]);
    assert!(
        outcome.only_line().starts_with("export TOKEN="),
        "{outcome:?}"
    );
}

#[test]
fn other_error_on_a_line_with_a_path_of_windows_is_not_about_the_path() {
    let fixture = Fixture::new();
    for line in [r"key = 'C:\keys' x", "key = 'C:\\keys'\nkey = 'D:\\keys'"] {
        fixture.write(
            "config.toml",
            format!("[p]\nprovider = \"salesforce\"\n{line}\n"),
        );
        let outcome = fixture.run("--config config.toml token p");
        assert_eq!(outcome.status, 3);
        assert!(!outcome.err.contains("backslash"), "{outcome:?}");
    }
}

#[test]
fn path_of_windows_in_double_quotes_is_explained() {
    let fixture = Fixture::new();
    for key in [r"C:\users\root\x.pem", r"C:\keys\x.pem"] {
        fixture.write(
            "config.toml",
            format!("[p]\nprovider = \"salesforce\"\nkey = \"{key}\"\n"),
        );
        let outcome = fixture.run("--config config.toml token p");
        assert_eq!(outcome.status, 3);
        assert!(
            outcome.err.starts_with("jwt-bearer: config.toml:3: "),
            "{outcome:?}"
        );
        let advice =
            ": a text with backslashes, such as a path of Windows, is written in single quotes\n";
        assert!(outcome.err.ends_with(advice), "{outcome:?}");
        fixture.write(
            "config.toml",
            format!("[p]\nprovider = \"salesforce\"\nkey = '{key}'\n"),
        );
        let outcome = fixture.run("--config config.toml token p --client-id c --username u");
        assert!(outcome.err.contains("x.pem: "), "{outcome:?}");
    }
}
