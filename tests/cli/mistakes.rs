//! Mistakes of people who do not know the command line yet: each gets a short answer that says what to write instead.

use super::*;

/// The commands that need a connection or a provider.
#[cfg(unix)]
const COMMANDS: [&str; 4] = ["token", "exec", "check", "assertion"];

#[cfg(unix)] // elsewhere the system names the directory of the file
#[test]
fn command_without_provider_names_connections_and_says_where_the_providers_are() {
    let fixture = Fixture::new();
    for command in COMMANDS {
        for options in ["", " -v"] {
            let outcome = fixture.run(&format!("{command}{options}"));
            outcome.assert_fails(
                2,
                &format!(
                    "jwt-bearer: {command} needs a connection or a provider, as in jwt-bearer {command} salesforce\n  \
                     connections would be in /nonexistent/jwt-bearer/config.toml, which does not exist\n  \
                     jwt-bearer {command} --help lists the providers\n"
                ),
            );
        }
    }
    let mut text = String::new();
    for n in 1..=12 {
        text.push_str(&format!("[c{n}]\nprovider = \"salesforce\"\n"));
        fixture.write("config.toml", &text);
        let outcome = fixture.run("token --config config.toml --format json");
        let names = match n {
            1 => "c1",
            2 => "c1, c2",
            10 => "c1, c2, c3, c4, c5, c6, c7, c8, c9, c10",
            12 => {
                "c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 and 2 more, which jwt-bearer config lists"
            }
            _ => continue,
        };
        outcome.assert_fails(
            2,
            &format!(
                "jwt-bearer: token needs a connection or a provider, as in jwt-bearer token c1\n  \
                 connections of config.toml: {names}\n  jwt-bearer token --help lists the providers\n"
            ),
        );
    }
    // No connection is in the file.
    fixture.write("config.toml", "");
    let outcome = fixture.run("token --config config.toml");
    assert!(
        outcome
            .err
            .contains("\n  config.toml has no connection: see jwt-bearer config --help\n"),
        "{outcome:?}"
    );
    let outcome = fixture.run("--error-format json check");
    let error: Value = serde_json::from_str(&outcome.err).unwrap();
    assert_eq!(error["kind"], "usage");
    let hint = error["hint"].as_str().unwrap();
    assert!(
        hint.ends_with("jwt-bearer check --help lists the providers"),
        "{hint}"
    );
}

/// clap takes the value of such an option only after =.
#[test]
fn optional_value_after_a_blank_is_written_after_an_equals_sign() {
    let fixture = Fixture::new();
    let hint = "jwt-bearer: --fingerprint takes its value after =: write --fingerprint=hex\n";
    for arguments in [
        "key --fingerprint hex key.pem",
        "key key.pem --fingerprint hex",
        "key --fingerprint hex",
    ] {
        fixture.run(arguments).assert_fails(2, hint);
    }
    fixture.run("key --fingerprint=hex key.pem").only_line();
    // A file may have this name.
    fixture.write("hex", pem());
    let outcome = fixture.run("key --fingerprint hex");
    assert!(outcome.only_line().starts_with("SHA256:"), "{outcome:?}");
}

#[cfg(unix)]
#[test]
fn variable_that_the_command_or_this_program_needs_is_refused() {
    let fixture = Fixture::new();
    for (name, words) in [
        (
            "PATH",
            "a token in PATH would break the command: choose another name",
        ),
        ("HOME", "a token in HOME would break the command"),
        (
            "LD_PRELOAD",
            "a token in LD_PRELOAD would break the command",
        ),
        (
            "DYLD_INSERT_LIBRARIES",
            "a token in DYLD_INSERT_LIBRARIES would break the command",
        ),
        ("Path", "a token in Path would break the command"),
        (
            "JWT_BEARER_KEY",
            "the variables JWT_BEARER_* are this program's own",
        ),
        ("", "expected the name of a variable"),
        ("A=B", "expected the name of a variable"),
        ("S3cret/S3cret", "expected the name of a variable"),
    ] {
        for command in ["exec", "token"] {
            let mut run = fixture.command(&format!(
                "{command} client-credentials --client-id client-1 --key key.pem --token-endpoint {{url}}/token \
                 --format env --env"
            ));
            if command == "exec" {
                run = fixture.command(
                    "exec client-credentials --client-id client-1 --key key.pem --token-endpoint {url}/token --env",
                );
            }
            run.arg(name);
            if command == "exec" {
                run.args(["--", "true"]);
            }
            let outcome = Outcome::of(run.output().unwrap());
            assert_eq!(
                (outcome.status, outcome.out.as_str()),
                (2, ""),
                "{outcome:?}"
            );
            assert!(outcome.err.contains(words), "{name}: {outcome:?}");
            assert!(!outcome.err.contains("S3cret"), "{outcome:?}");
        }
    }
    assert_eq!(fixture.server.requests(), 0);
}

#[test]
fn option_before_the_provider_is_written_behind_its_name() {
    let fixture = Fixture::new();
    fixture.write("config.toml", "[own]\nprovider = \"salesforce\"\n");
    for (arguments, advice) in [
        (
            "token --config config.toml --client-id S3cret salesforce",
            "jwt-bearer token salesforce --client-id ...",
        ),
        (
            "exec --config config.toml --key=S3cret own -- true",
            "jwt-bearer exec own --key ...",
        ),
        (
            "check --config config.toml --timeout 5",
            "jwt-bearer check salesforce --timeout ...",
        ),
    ] {
        let outcome = fixture.run(arguments);
        assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
        assert!(
            outcome.err.ends_with(&format!(
                "\njwt-bearer: the options of a connection or provider follow its name: {advice}\n"
            )),
            "{outcome:?}"
        );
        assert!(!outcome.err.contains("S3cret"), "{outcome:?}");
    }
    // A misspelt option, and one that already follows a name, are refused for other reasons.
    for arguments in [
        "token --formt json",
        "token salesforce --no-such-option x",
        "key --client-id x",
    ] {
        let outcome = fixture.run(arguments);
        assert_eq!(outcome.status, 2, "{outcome:?}");
        assert!(!outcome.err.contains("follow its name"), "{outcome:?}");
    }
}

#[test]
fn option_of_the_other_kind_of_key_says_what_the_server_signs_with() {
    let fixture = Fixture::new();
    for (arguments, words) in [
        (
            "token cylance --key key.pem",
            "jwt-bearer: cylance signs with a shared secret: --secret names the file that has it\n",
        ),
        (
            "token salesforce --secret secret.txt",
            "jwt-bearer: salesforce signs with a private key: --key names the file that has it\n",
        ),
    ] {
        let outcome = fixture.run(arguments);
        assert_eq!(outcome.status, 2);
        assert!(outcome.err.ends_with(words), "{outcome:?}");
        assert!(!outcome.err.contains("tip:"), "{outcome:?}");
    }
}

#[test]
fn suggested_option_is_the_nearest_one() {
    let fixture = Fixture::new();
    for (option, meant) in [
        ("--kye", "--key"),
        ("--kei", "--key"),
        ("--usrname", "--username"),
        ("--scopes", "--scope"),
    ] {
        let outcome = fixture.run(&format!("token salesforce {option} x"));
        let tip = format!("a similar argument exists: '{meant}'\n");
        assert!(outcome.err.contains(&tip), "{outcome:?}");
    }
}

#[test]
fn missing_file_is_named_where_its_directory_exists() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.directory.path().join("keys")).unwrap();
    for (file, is_shown) in [
        ("keys/prod", true),
        ("./id_rsa", true),
        ("../none/id_rsa", true),
        ("prod.pem", true),
        ("c2VjcmV0", false),
        ("c2Vj/cmV0", false),
        ("/c2VjcmV0", false),
    ] {
        let outcome = fixture.run(&format!(
            "assertion jwt-bearer --issuer i --token-endpoint https://as.example/t --key {file}"
        ));
        assert_eq!(outcome.status, 3);
        let start = format!("jwt-bearer: --key: {file}: ");
        assert_eq!(outcome.err.starts_with(&start), is_shown, "{outcome:?}");
        assert_eq!(outcome.err.contains(file), is_shown, "{outcome:?}");
    }
}

#[test]
fn empty_variable_of_a_missing_option_is_named() {
    let fixture = Fixture::new();
    let mut command = fixture.command("token salesforce --client-id c --username u");
    let outcome = Outcome::of(command.env("JWT_BEARER_KEY", "").output().unwrap());
    assert_eq!(outcome.status, 2);
    let words = "jwt-bearer: the variable JWT_BEARER_KEY is set, and empty\n";
    assert!(outcome.err.ends_with(words), "{outcome:?}");
    let outcome = fixture.run("token salesforce --client-id c --username u");
    assert!(!outcome.err.contains("variable"), "{outcome:?}");
}

#[test]
fn value_of_the_command_line_is_not_said_to_be_in_the_file() {
    let fixture = Fixture::new();
    fixture.write(
        "config.toml",
        "[p]\nprovider = \"salesforce\"\ncache = true\n",
    );
    let outcome = fixture.run("--config config.toml token p --cache=yes");
    assert_eq!(outcome.status, 2);
    assert!(!outcome.err.contains("config.toml"), "{outcome:?}");
}
