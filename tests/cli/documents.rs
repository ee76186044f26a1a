//! Completions and manual pages.

#[cfg(unix)]
use std::env;

use super::*;

#[cfg(unix)] // needs bash
#[test]
fn completion_knows_commands_providers_connections_options_values_and_files() {
    let fixture = Fixture::new();
    fixture.write("config.toml", "[my-own]\nprovider = \"entra\"\n");
    fixture.write("deploy.sh", "");
    let bash = fixture.run("completions bash");
    assert_eq!((bash.status, bash.err.as_str()), (0, ""));
    let file = fixture.write("completion.sh", "");
    let program = env!("CARGO_BIN_EXE_jwt-bearer");
    let directory = PathBuf::from(program).parent().unwrap().to_owned();
    let path = env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", directory.display());
    // Calls the function as bash does when the cursor is at the end of the last word.
    for (words, completes) in [
        ("jwt-bearer t", "token"),
        ("jwt-bearer token c", "cylance"),
        ("jwt-bearer token my", "my-own"),
        ("jwt-bearer token my-own --clo", "--cloud"),
        ("jwt-bearer token salesforce --client-i", "--client-id"),
        ("jwt-bearer token jwt-bearer --iss", "--issuer"),
        ("jwt-bearer token salesforce --key ke", "key.pem"),
        ("jwt-bearer token --format h", "header"),
        ("jwt-bearer forget --cache-d", "--cache-dir"),
        ("jwt-bearer config m", "my-own"),
        ("jwt-bearer exec my-own -- pri", "printenv"),
        ("jwt-bearer exec my-own -- cat pri", "!printenv"),
        ("jwt-bearer exec my-own -- jwt-b", "jwt-bearer"),
        ("jwt-bearer exec my-own -- jwt-b", "!jwt-bearer.d"), // cargo's, not a program
        ("jwt-bearer exec my-own -- ./dep", "./deploy.sh"),
        ("jwt-bearer exec my-own --env T -- cat ke", "key.pem"),
        (
            "jwt-bearer exec credentials credentials.json -- cat ke",
            "key.pem",
        ),
        // bash splits a name, its = and the value into words.
        ("jwt-bearer token salesforce --key = ke", "key.pem"),
        ("jwt-bearer token --format = h", "header"),
        ("jwt-bearer key key.pem --fingerprint = h", "hex"),
        ("jwt-bearer token salesforce --key=ke", "--key=key.pem"),
        (
            "jwt-bearer token salesforce --key = key.pem --client-i",
            "--client-id",
        ),
        ("jwt-bearer exec my-own -- cat --file = ke", "key.pem"),
    ] {
        let script = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             COMP_TYPE=9; COMP_POINT=0; COMP_LINE='{words}'\n\
             _clap_complete_jwt_bearer jwt-bearer \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
             echo \"${{COMPREPLY[@]}}\"",
            bash.out
        );
        fs::write(&file, script).unwrap();
        let mut run = Command::new("bash");
        run.arg("--norc").arg(&file);
        run.env("PATH", &path)
            .env("JWT_BEARER_CONFIG", "config.toml");
        run.current_dir(fixture.directory.path());
        let outcome = Outcome::of(run.output().unwrap());
        let has = |wanted: &str| outcome.out.split_whitespace().any(|word| word == wanted);
        match completes.strip_prefix('!') {
            Some(other) => assert!(!has(other), "{words}: {outcome:?}"),
            None => assert!(has(completes), "{words}: {outcome:?}"),
        }
    }
    for shell in ["elvish", "fish", "powershell", "zsh"] {
        let outcome = fixture.run(&format!("completions {shell}"));
        assert!(outcome.out.contains("JWT_BEARER_COMPLETE"), "{outcome:?}");
    }
}

#[test]
fn manual_has_a_page_for_each_command_and_each_provider() {
    let fixture = Fixture::new();
    let page = fixture.run("man");
    assert!(
        page.out.contains(".TH jwt-bearer 1") && page.status == 0,
        "{page:?}"
    );
    // The user's connections are not part of the manual.
    fixture.write("config.toml", "[my-own]\nprovider = \"entra\"\n");
    let mut command = fixture.command("man --dir pages/man1");
    let outcome = command.env("JWT_BEARER_CONFIG", "config.toml").output();
    let outcome = Outcome::of(outcome.unwrap());
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    let directory = fixture.directory.path().join("pages/man1");
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let top = read("jwt-bearer.1");
    for command in [
        "token",
        "assertion",
        "config",
        "sandbox",
        "completions",
        "man",
    ] {
        let page = read(&format!("jwt-bearer-{command}.1"));
        assert!(
            page.contains(&format!(".TH jwt-bearer-{command} 1")),
            "{page}"
        );
        assert!(page.contains("Example"), "{page}");
        assert!(
            top.contains(&format!("jwt\\-bearer\\-{command}(1)")),
            "{top}"
        );
    }
    for provider in jwt_bearer::provider::PROVIDERS {
        let page = read(&format!("jwt-bearer-token-{}.1", provider.name));
        assert!(page.contains("\\-\\-claim\\-text"), "{page}");
    }
    let names = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(
        !names.contains(&"jwt-bearer-token-my-own.1".to_owned()),
        "{names:?}"
    );
    assert!(
        !names.contains(&"jwt-bearer-exec-salesforce.1".to_owned()),
        "{names:?}" // it takes the options of the command token
    );
    assert!(
        !names.iter().any(|name| name.starts_with("jwt-bearer-help")),
        "{names:?}"
    );
}

/// The members of an error are described once, where the whole program is described.
#[test]
fn help_of_the_error_format_is_long_on_the_main_page_alone() {
    let fixture = Fixture::new();
    let members = "message, kind";
    for arguments in ["--help", "man"] {
        let page = fixture.run(arguments).out;
        assert!(page.contains(members), "{arguments}: {page}");
        assert!(page.contains("retry_after"), "{arguments}: {page}");
    }
    for arguments in [
        "-h",
        "token --help",
        "token salesforce --help",
        "key --help",
        "key new --help",
        "decode --help",
        "config --help",
    ] {
        let page = fixture.run(arguments).out;
        assert!(!page.contains(members), "{arguments}: {page}");
        let (_, option) = page.split_once("--error-format <FORMAT>").unwrap();
        let text: Vec<_> = option.split_whitespace().collect();
        assert!(
            text.join(" ").starts_with(
                "The form of an error on standard error [default: text] [possible values: text, json]"
            ),
            "{arguments}: {option}"
        );
    }
}
