//! `exec`, and the formats in which other programs take a token.

use super::*;

const CLIENT: &str =
    "client-credentials --client-id client-1 --key key.pem --token-endpoint {url}/token";

impl Fixture {
    /// Runs `exec` with options, and a command whose words may have blanks.
    fn exec(&self, options: &str, command: &[&str]) -> Outcome {
        let mut exec = self.command(&format!("exec {CLIENT} {options} --"));
        Outcome::of(exec.args(command).output().unwrap())
    }
}

#[test]
fn exec_puts_the_token_in_a_variable_and_in_no_argument() {
    let fixture = Fixture::new();
    let script = r#"printf '%s\n' "$ACCESS_TOKEN"; tr '\0' '\n' < /proc/$$/cmdline"#;
    let outcome = fixture.exec(
        "",
        &["sh", "-c", script, "sh", "two words", "--format", "-v"],
    );
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    let (token, arguments) = outcome.out.split_once('\n').unwrap();
    assert!(token.len() > 20, "{outcome:?}");
    let wanted = format!("sh\n-c\n{script}\nsh\ntwo words\n--format\n-v\n");
    assert_eq!(arguments, wanted);

    let script = r#"echo "$VAULT_TOKEN ${ACCESS_TOKEN-unset}""#;
    let outcome = fixture.exec("--env VAULT_TOKEN", &["sh", "-c", script]);
    let line = outcome.only_line();
    assert!(line.ends_with(" unset") && line.len() > 20, "{line}");
}

/// The statuses are those of POSIX 2.8.2; a shell shows 128 and the number of the signal.
#[test]
fn exec_ends_as_its_command_does() {
    let fixture = Fixture::new();
    fixture.write("not-executable", "text");
    for (command, status, err) in [
        (["sh", "-c", "exit 42"].as_slice(), 42, ""),
        (&["true"], 0, ""),
        (
            &["no-such-command-at-all"],
            127,
            "jwt-bearer: no-such-command-at-all: No such file or directory (os error 2)\n",
        ),
        (
            &["./not-executable"],
            126,
            "jwt-bearer: ./not-executable: Permission denied (os error 13)\n",
        ),
        (
            &["PASSWORD=hunter2", "true"],
            127,
            "jwt-bearer: the command: No such file or directory (os error 2)\n",
        ),
    ] {
        fixture.exec("", command).assert_ends(status, err);
    }
    // A word that is too long for a name may be a script.
    let outcome = fixture.exec("", &[&"x".repeat(256)]);
    assert_eq!(outcome.status, 126, "{outcome:?}");
    assert!(
        outcome.err.starts_with("jwt-bearer: the command: "),
        "{outcome:?}"
    );
    let mut killed = fixture.command(&format!("exec {CLIENT} -- sh -c"));
    let killed = killed.arg("kill -9 $$").status().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&killed);
    assert_eq!(signal, Some(9)); // the process itself, so that a shell sees 137
    // A denial comes first, and the command does not run.
    let outcome = fixture.run(
        "exec client-credentials --client-id nobody --key key.pem --token-endpoint {url}/token -- touch ran",
    );
    assert_eq!(outcome.status, 5, "{outcome:?}");
    assert!(!fixture.directory.path().join("ran").exists());
}

impl Outcome {
    #[track_caller]
    fn assert_ends(&self, status: i32, err: &str) {
        assert_eq!((self.status, self.err.as_str()), (status, err), "{self:?}");
    }
}

#[test]
fn exec_shares_tokens_and_takes_credential_files() {
    let fixture = Fixture::new();
    let script = "echo $ACCESS_TOKEN";
    let run = || fixture.exec("--cache-dir cache", &["sh", "-c", script]);
    let first = run().only_line().to_owned();
    assert_eq!(run().only_line(), first);
    let token = fixture.run(&format!("token {CLIENT} --cache-dir cache"));
    assert_eq!(token.only_line(), first);
    assert_eq!(fixture.server.requests(), 1);
    let outcome = fixture.run("exec credentials credentials.json -- printenv ACCESS_TOKEN");
    outcome.only_line();
}

#[test]
fn exec_without_command_shows_how() {
    let fixture = Fixture::new();
    let example = "\n  jwt-bearer exec salesforce --client-id KEY --username ME --key key.pem -- ./deploy.sh\n";
    for words in ["", "--", "curl https://api.example.com", "-- "] {
        let outcome = fixture.run(&format!("exec {CLIENT} {words}"));
        assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
        assert!(outcome.err.ends_with(example), "{words}: {outcome:?}");
        assert!(!outcome.err.contains("api.example.com"), "{outcome:?}");
    }
    for name in ["1TOKEN", "A-B", "A=B", "hunter2 x", ""] {
        let mut exec = fixture.command(&format!("exec {CLIENT} --env"));
        let outcome = Outcome::of(exec.args([name, "--", "true"]).output().unwrap());
        assert_eq!(outcome.status, 2, "{name}: {outcome:?}");
        assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
    }
    assert_eq!(fixture.server.requests(), 0);
}

/// The members are those of the ExecCredential in Kubernetes' document on client-go credential plugins.
#[test]
fn exec_credential_is_what_kubectl_reads() {
    let fixture = Fixture::new();
    let earliest = SystemTime::now();
    let outcome = fixture.run(&format!("token {CLIENT} --format exec-credential"));
    let mut credential: Value = serde_json::from_str(outcome.only_line()).unwrap();
    let status = credential["status"].take();
    let token = status["token"].as_str().unwrap();
    let expires_at = status["expirationTimestamp"].as_str().unwrap();
    assert!(token.len() > 20, "{outcome:?}");
    assert_eq!(
        credential,
        serde_json::json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": null,
        })
    );
    let seconds = Command::new("date")
        .args(["-u", "-d", expires_at, "+%s"])
        .output()
        .unwrap();
    let seconds: u64 = String::from_utf8(seconds.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let earliest = earliest
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!((299..=330).contains(&(seconds - earliest)), "{expires_at}");
    assert!(
        expires_at.len() == 20 && expires_at.ends_with('Z'),
        "{expires_at}"
    );
}

#[test]
fn env_format_is_evaluated_by_a_shell() {
    let fixture = Fixture::new();
    // Everything that a shell could expand. A token has no blanks and no control characters.
    let token = r#"a'b"c$HOME`id`\n!*?[x]{a,b};&|<>()#~=%'"#;
    let body = serde_json::json!({ "access_token": token, "expires_in": 300 }).to_string();
    let server = FixedServer::json("200 OK", "", &body);
    let command = format!(
        "token client-credentials --client-id c --key key.pem --token-endpoint {} --format env",
        server.url()
    );
    for (options, name) in [("", "ACCESS_TOKEN"), (" --env GH_TOKEN", "GH_TOKEN")] {
        let outcome = fixture.run(&format!("{command}{options}"));
        let line = outcome.only_line();
        assert!(line.starts_with(&format!("export {name}='")), "{line}");
        let script = format!("{line}\nprintenv {name}");
        for shell in ["sh", "bash"] {
            let run = Command::new(shell).args(["-c", &script]).output().unwrap();
            assert_eq!(Outcome::of(run).only_line(), token, "{shell}");
        }
    }
    // In a connection, `env` is for the command exec.
    let command = command.replace(" --format env", "");
    let outcome = fixture.run(&format!("{command} --env GH_TOKEN"));
    assert_eq!(outcome.only_line(), token);
}

#[test]
fn exec_hides_the_variables_that_it_read_from_its_command() {
    let fixture = Fixture::new();
    let command = CLIENT.replace("key.pem", "env:DEPLOY_KEY");
    let mut exec = fixture.command(&format!("exec {command} --env DEPLOY_TOKEN -- sh -c"));
    let script = r#"echo "${DEPLOY_KEY-unset} ${OTHER-unset} ${#DEPLOY_TOKEN}""#;
    exec.env("DEPLOY_KEY", pem())
        .env("OTHER", "kept")
        .arg(script);
    let outcome = Outcome::of(exec.output().unwrap());
    let line = outcome.only_line();
    assert!(
        line.starts_with("unset kept ") && !line.ends_with(" 0"),
        "{line}"
    );
    // The token may be in the variable that had its key.
    let mut exec = fixture.command(&format!(
        "exec {command} --env DEPLOY_KEY -- printenv DEPLOY_KEY"
    ));
    let outcome = Outcome::of(exec.env("DEPLOY_KEY", pem()).output().unwrap());
    assert!(outcome.only_line().len() > 20);
}

#[test]
fn exec_with_a_mistyped_option_says_nothing_of_the_command() {
    let fixture = Fixture::new();
    let outcome = fixture.run(&format!("exec {CLIENT} --scop read -- true"));
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(!outcome.err.contains("to run after --"), "{outcome:?}");
    assert!(outcome.err.contains("'--scope'"), "{outcome:?}");
}

#[test]
fn help_of_each_command_shows_its_own_example() {
    for (words, example) in [
        (
            "exec salesforce",
            "jwt-bearer exec salesforce --client-id ID --username NAME --key key.pem -- ./deploy.sh",
        ),
        (
            "exec credentials",
            "jwt-bearer exec credentials key.json --scope SCOPE -- ./deploy.sh",
        ),
        (
            "assertion client-credentials",
            "jwt-bearer assertion client-credentials --client-id ID --audience URL --key key.pem",
        ),
        (
            "forget salesforce",
            "jwt-bearer forget salesforce --client-id ID --username NAME --key key.pem",
        ),
    ] {
        let help = Outcome::of(binary(words.split(' ')).arg("--help").output().unwrap());
        assert!(
            help.out.ends_with(&format!("Example:\n  {example}\n")),
            "{}",
            help.out
        );
    }
}

#[test]
fn assertion_needs_no_endpoint_where_the_audience_is_given() {
    let fixture = Fixture::new();
    for provider in [
        "client-credentials --client-id c",
        "jwt-bearer --issuer i",
        "custom --issuer i",
    ] {
        let command = format!("assertion {provider} --key key.pem");
        let outcome = fixture.run(&format!("{command} --audience https://as.example.com"));
        let claims = outcome.only_line().split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], "https://as.example.com");
        fixture
            .run(&format!("{command} --audience none"))
            .only_line();
        for (audience, status) in [
            ("", 2),
            ("--audience issuer", 3),
            ("--audience token-endpoint", 3),
        ] {
            let outcome = fixture.run(&format!("{command} {audience}"));
            assert_eq!(outcome.status, status, "{outcome:?}");
            assert!(outcome.err.contains("token-endpoint"), "{outcome:?}");
        }
        let token = command.replace("assertion", "token");
        let outcome = fixture.run(&format!("{token} --audience https://as.example.com"));
        assert_eq!(outcome.status, 2, "{outcome:?}");
    }
}
