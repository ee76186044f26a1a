//! What standard error says: `--quiet`, `--error-format`, retries, and what is known about a failure.

use super::*;

const CLIENT: &str =
    "token client-credentials --client-id client-1 --key key.pem --token-endpoint {url}/token";

impl Outcome {
    /// Returns standard error, which must be one JSON object on one line.
    #[track_caller]
    fn json_error(&self) -> Value {
        let line = self.err.strip_suffix('\n').unwrap();
        assert!(self.out.is_empty() && !line.contains('\n'), "{self:?}");
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(value.is_object(), "{line}");
        value
    }
}

#[test]
fn quiet_keeps_errors_and_drops_warnings() {
    let fixture = Fixture::new();
    fixture.write("mangled.pem", pem().replace('\n', "\\n"));
    let command = CLIENT.replace("key.pem", "mangled.pem");
    let outcome = fixture.run(&command);
    assert!(outcome.err.contains("repaired"), "{outcome:?}");
    fixture.run(&format!("--quiet {command}")).only_line();
    fixture.run(&format!("{command} -q")).only_line();
    let denied = fixture.run(
        &format!("{command} -q --client-id")
            .replace("--client-id client-1", "")
            .replace("--client-id", "--client-id nobody"),
    );
    assert_eq!(denied.status, 5, "{denied:?}");
    assert!(
        denied
            .err
            .starts_with("jwt-bearer: the authorization server refused"),
        "{denied:?}"
    );
}

#[test]
fn error_format_json_is_one_object_of_what_is_known() {
    let fixture = Fixture::new();
    let date = SystemTime::now() + Duration::from_secs(3600);
    let date = format!("Date: {}\r\n", httpdate::fmt_http_date(date));
    let body = r#"{"error":"invalid_client","error_description":"no \u202e such client"}"#;
    let server = FixedServer::json("401 Unauthorized", &date, body);
    let url = server.url();
    let run = |url: &str, options: &str| {
        fixture.run(&format!(
            "token client-credentials --client-id c --key key.pem --token-endpoint {url} --error-format json {options}"
        ))
    };
    let outcome = run(&url, "");
    let error = outcome.json_error();
    assert_eq!(outcome.status, 5);
    let offset = error["clock_offset"].as_i64().unwrap();
    assert!((3590..=3601).contains(&offset), "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.starts_with("the server's clock is 3"), "{error}");
    assert!(hint.contains("--correct-clock; check client id"), "{error}");
    for (member, value) in [
        ("kind", "denied".into()),
        ("code", "invalid_client".into()),
        ("status", 401.into()),
        ("attempts", 1.into()),
        ("endpoint", Value::from(url.as_str())),
    ] {
        assert_eq!(error[member], value, "{member}: {error}");
    }
    for member in ["message", "description", "hint"] {
        assert!(
            !error[member].as_str().unwrap().is_empty(),
            "{member}: {error}"
        );
    }
    assert!(
        error.get("retry_after").is_none() && error.get("proxy").is_none(),
        "{error}"
    );

    let busy = FixedServer::json("503 Busy", "Retry-After: 4321\r\n", "{}");
    let error = run(&busy.url(), "").json_error();
    assert_eq!(
        (&error["kind"], &error["retry_after"]),
        (&"unavailable".into(), &4321.into())
    );
    let error = run("http://127.0.0.1:1/t", "").json_error();
    assert_eq!(
        (&error["kind"], &error["attempts"]),
        (&"network".into(), &3.into())
    );
    assert!(
        error.get("status").is_none() && error.get("code").is_none(),
        "{error}"
    );
}

#[test]
fn variable_has_the_form_of_a_usage_error_and_the_option_wins() {
    let fixture = Fixture::new();
    let run = |arguments: &str| {
        let mut command = fixture.command(arguments);
        command.env("JWT_BEARER_ERROR_FORMAT", "json");
        Outcome::of(command.output().unwrap())
    };
    let outcome = run("token salesforce --client-id c");
    assert_eq!(outcome.json_error()["kind"], "usage");
    let outcome = run("config --config missing.toml"); // before the arguments are parsed
    assert_eq!(outcome.json_error()["kind"], "config");
    let outcome = run("token salesforce --client-id c --error-format text");
    assert!(outcome.err.starts_with("error: "), "{outcome:?}");
}

#[test]
fn proxy_that_the_message_names_is_not_named_again() {
    let fixture = Fixture::new();
    let command = CLIENT.replace("{url}", "https://as.nowhere.invalid");
    let mut command = fixture.command(&command);
    command.env("https_proxy", "http://127.0.0.1:1");
    let outcome = Outcome::of(command.output().unwrap());
    assert_eq!(outcome.status, 4, "{outcome:?}");
    assert_eq!(outcome.err.matches("the proxy").count(), 1, "{outcome:?}");
}

#[test]
fn pause_of_no_time_is_not_printed() {
    let busy = FixedServer::json("503 Busy", "Retry-After: 0\r\n", "{}");
    let outcome = Fixture::new().run(&CLIENT.replace("{url}/token", &busy.url()));
    assert_eq!(outcome.status, 7, "{outcome:?}");
    assert!(!outcome.err.contains("a pause"), "{outcome:?}");
}

#[test]
fn error_format_json_is_of_usage_keys_and_commands_too() {
    let fixture = Fixture::new();
    let long_secret = "hunter2-hunter2-hunter2";
    let missing = system_error(MISSING);
    for (arguments, status, kind, words) in [
        (
            "token salesforce --client-id c".to_owned(),
            2,
            "usage",
            "required arguments were not provided: --username <NAME>",
        ),
        (
            "salesforce".to_owned(),
            2,
            "usage",
            "salesforce is a provider: write jwt-bearer token salesforce",
        ),
        (
            format!("{CLIENT} {long_secret}"),
            2,
            "usage",
            "unexpected argument",
        ),
        (
            CLIENT.replace("key.pem", "no-such-file"),
            3,
            "config",
            missing.as_str(),
        ),
        (
            CLIENT.replace("key.pem", "secret.txt"),
            3,
            "key",
            "secret.txt: ",
        ),
    ] {
        for format in ["--error-format json", "--error-format=json"] {
            let outcome = fixture.run(&format!("{format} {arguments}"));
            let error = outcome.json_error();
            assert_eq!(
                (outcome.status, &error["kind"]),
                (status, &kind.into()),
                "{error}"
            );
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains(words) && !message.contains("Usage"),
                "{message}"
            );
            assert!(!outcome.err.contains(long_secret), "{outcome:?}");
        }
    }
    // Everything after -- is for the command.
    let exec = CLIENT.replace("token client", "exec client");
    let outcome = fixture.run(&format!("{exec} --bad -- echo --error-format json"));
    assert!(outcome.err.starts_with("error: "), "{outcome:?}");
    let run = format!("{exec} --error-format json -- no-such-command-at-all");
    let outcome = fixture.run(&run);
    assert_eq!(
        (outcome.status, &outcome.json_error()["kind"]),
        (127, &"command".into())
    );
}

#[test]
fn failure_says_where_it_went_and_how_often() {
    let fixture = Fixture::new();
    let url = fixture.server.url().to_owned();
    let denied = CLIENT
        .replace("client-1", "nobody")
        .replace("/token", "/token?key=hunter2");
    let outcome = fixture.run(&denied);
    let line = format!("\n  sent to {url}/token; -v shows request and response\n");
    assert!(outcome.err.ends_with(&line), "{outcome:?}");
    let outcome = fixture.run(&format!("{denied} -v"));
    assert!(
        outcome.err.ends_with(&format!("\n  sent to {url}/token\n")),
        "{outcome:?}"
    );
    fixture.server.fail_next(3, Fault::Unavailable);
    let outcome = fixture.run(CLIENT);
    assert_eq!(outcome.status, 7, "{outcome:?}");
    assert!(
        outcome
            .err
            .ends_with(&format!("\n  sent to {url}/token, 3 attempts\n")),
        "{outcome:?}"
    );
    // Metadata of another issuer: the error shows what was found and what was expected.
    let metadata =
        format!(r#"{{"issuer":"https://other.example","token_endpoint":"{url}/token"}}"#);
    let other = FixedServer::json("200 OK", "", &metadata);
    let issuer = other.url();
    let outcome = fixture.run(&format!(
        "token client-credentials --client-id c --key key.pem --discover {issuer}"
    ));
    let words =
        format!("metadata is of the issuer https://other.example, and {issuer} is expected");
    assert!(outcome.err.contains(&words), "{outcome:?}");
}

/// `script` of util-linux runs a command on its own terminal.
#[cfg(target_os = "linux")]
#[test]
fn retries_are_announced_on_a_terminal_alone() {
    let fixture = Fixture::new();
    let host = fixture
        .server
        .url()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let on_terminal = |options: &str| {
        let arguments = format!("{CLIENT} {options}").replace("{url}", fixture.server.url());
        let program = binary([""; 0]).get_program().to_str().unwrap().to_owned();
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{program} {arguments}"), "/dev/null"]);
        script
            .current_dir(fixture.directory.path())
            .stdin(Stdio::null());
        Outcome::of(script.output().unwrap())
    };
    fixture.server.fail_next(2, Fault::Unavailable);
    let announced = on_terminal("");
    assert_eq!(announced.status, 0, "{announced:?}");
    let lines: Vec<_> = announced.out.lines().map(str::trim_end).collect();
    assert_eq!(lines.len(), 3, "{announced:?}");
    for (line, attempt) in lines.iter().zip(["2 of 3", "3 of 3"]) {
        let start = format!("jwt-bearer: 503 from {host}, trying again in ");
        assert!(line.starts_with(&start), "{line}");
        assert!(line.ends_with(&format!(" s ({attempt})")), "{line}");
    }
    for options in ["--quiet", "--error-format json"] {
        fixture.server.fail_next(1, Fault::Unavailable);
        let quiet = on_terminal(options);
        assert_eq!(
            (quiet.status, quiet.out.lines().count()),
            (0, 1),
            "{quiet:?}"
        );
    }
    fixture.server.fail_next(1, Fault::Unavailable);
    fixture.run(CLIENT).only_line(); // on no terminal
}

/// The library tries three times, which is what the command line says.
#[test]
fn attempts_are_as_many_as_the_library_makes() {
    let fixture = Fixture::new();
    fixture.server.fail_next(9, Fault::Unavailable);
    let outcome = fixture.run(&format!("{CLIENT} --error-format json"));
    assert_eq!(outcome.json_error()["attempts"], 3);
    assert_eq!(fixture.server.requests(), 3);
}

#[test]
fn clock_is_corrected_where_the_user_wants_it() {
    let fixture = Fixture::new();
    let date = SystemTime::now() + Duration::from_secs(7200);
    let date = format!("Date: {}\r\n", httpdate::fmt_http_date(date));
    let body = r#"{"error":"invalid_client"}"#;
    let server = FixedServer::json("401 Unauthorized", &date, body);
    let url = server.url();
    let command =
        format!("token client-credentials --client-id c --key key.pem --token-endpoint {url}");
    let plain = fixture.run(&command);
    assert!(
        plain
            .err
            .contains("sign by the server's with --correct-clock"),
        "{plain:?}"
    );
    assert_eq!(server.received.lock().unwrap().len(), 1);
    let corrected = fixture.run(&format!("{command} --correct-clock -v"));
    assert_eq!(corrected.status, 5, "{corrected:?}");
    assert_eq!(server.received.lock().unwrap().len(), 3);
    let lines = corrected.err.lines();
    let claims = lines.filter_map(|line| line.strip_prefix("claims    "));
    let claims = claims.map(|claims| {
        let claims: Value = serde_json::from_str(claims).unwrap();
        claims["iat"].as_u64().unwrap()
    });
    let claims: Vec<_> = claims.collect();
    assert_eq!(claims.len(), 2);
    assert!(
        !corrected.err.contains("with --correct-clock"),
        "{corrected:?}"
    );
    assert!(
        (7190..7210).contains(&(claims[1] - claims[0])),
        "{claims:?}"
    );
}

#[test]
fn likeliest_mistakes_say_what_was_meant() {
    let fixture = Fixture::new();
    let jwk = |text: &str| serde_json::from_str::<Value>(text).unwrap().to_string();
    fixture.write(
        "key.jwk",
        jwk(r#"{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}"#),
    );
    fixture.write("secret.jwk", jwk(r#"{"kty":"oct","k":"c2VjcmV0"}"#));
    let any = "token client-credentials --client-id c --token-endpoint {url}/token --secret";
    let cylance = "token cylance --tenant-id t --application-id a --base-url {url} --secret";
    let salesforce = "token salesforce --client-id c --username u --login-url {url} --key";
    for (arguments, err) in [
        (
            format!("{any} key.pem"),
            "--secret: key.pem is PEM, and no shared secret: give a private key with --key",
        ),
        (
            format!("{any} key.jwk"),
            "--secret: key.jwk is a JWK, and no shared secret: give a private key with --key",
        ),
        (
            format!("{any} secret.jwk"),
            "--secret: secret.jwk is a JWK, and no shared secret: write its member k to a file, and add \
             --secret-encoding base64url",
        ),
        (
            format!("{cylance} key.pem"),
            "--secret: key.pem is PEM, and no shared secret: this provider signs with a shared secret",
        ),
        (
            format!("{salesforce} credentials.json"),
            "--key: credentials.json is a credential file of marketing-cloud-intelligence, whose key salesforce does not \
             know: write jwt-bearer token marketing-cloud-intelligence --credentials credentials.json",
        ),
    ] {
        fixture
            .run(&arguments)
            .assert_fails(2, &format!("jwt-bearer: {err}\n"));
    }
    let outcome = fixture.run("token marketing-cloud-intelligence --key credentials.json");
    assert_eq!(outcome.status, 2);
    assert!(
        outcome.err.contains("is given with --credentials"),
        "{outcome:?}"
    );
    // For a server that is not known by name, the key of such a file is like any other.
    fixture
        .run(&CLIENT.replace("key.pem", "credentials.json"))
        .only_line();
    assert_eq!(fixture.server.requests(), 1);
}

#[test]
fn success_is_silent_and_a_dropped_line_end_is_noted_with_a_failure() {
    let fixture = Fixture::new();
    let cylance = "token cylance --tenant-id tenant --application-id application --base-url {url} --secret secret.txt";
    fixture.write("secret.txt", format!("{SECRET}\n"));
    fixture.run(cylance).only_line();
    fixture.write("secret.txt", format!("{}\n", SECRET.replace('0', "1")));
    let outcome = fixture.run(cylance);
    let note = "jwt-bearer: secret.txt: the line end at its end is dropped\n";
    assert!(
        outcome.status == 5 && outcome.err.starts_with(note),
        "{outcome:?}"
    );
    // A vendor's file is not the user's to repair.
    let mut file: Value = serde_json::from_str(
        &fs::read_to_string(fixture.directory.path().join("credentials.json")).unwrap(),
    )
    .unwrap();
    file["privateKey"] = pem().replace('\n', "\\n").into();
    fixture.write("credentials.json", file.to_string());
    fixture
        .run("token credentials credentials.json")
        .only_line();
}

#[test]
fn unusable_key_comes_with_what_to_do() {
    let fixture = Fixture::new();
    let whole = pem();
    fixture.write("cut.pem", &whole[..whole.len() / 2]);
    fixture.write("empty.pem", "");
    let public = RsaKey::from_pem(pem()).unwrap().public_pem();
    fixture.write("public.pem", public);
    for (file, words) in [
        ("cut.pem", "copy the whole file again"),
        ("empty.pem", "nothing was written there: copy the key again"),
        ("public.pem", "signing needs its private key"),
    ] {
        let outcome = fixture.run(&CLIENT.replace("key.pem", file));
        assert_eq!(outcome.status, 3, "{outcome:?}");
        assert!(outcome.err.contains(&format!("\n  {words}")), "{outcome:?}");
    }
}

#[test]
fn lifetime_that_the_response_lacks_is_warned_about() {
    let fixture = Fixture::new();
    let server = FixedServer::json("200 OK", "", r#"{"access_token":"t","ttl":60}"#);
    let arguments = format!(
        "token custom --issuer i --audience a --key key.pem --token-endpoint {}/token --expires-in lifetime",
        server.url()
    );
    let outcome = fixture.run(&arguments);
    assert_eq!(
        (outcome.status, outcome.out.as_str()),
        (0, "t\n"),
        "{outcome:?}"
    );
    assert!(
        outcome.err.contains("the response has no lifetime; it has access_token, ttl: the token is taken to live 300 s"),
        "{outcome:?}"
    );
    fixture.run(&format!("{arguments} --quiet")).only_line();
}
