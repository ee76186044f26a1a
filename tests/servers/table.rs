//! The table of providers as a whole.

use jwt_bearer::provider::unsupported;

use super::*;

#[test]
fn provider_has_a_name_a_sentence_and_inputs_of_its_own() {
    for (n, provider) in PROVIDERS.iter().enumerate() {
        let has_name = |other: &&Provider| other.name == provider.name;
        assert_eq!(PROVIDERS.iter().position(has_name), Some(n));
        assert!(provider.about.ends_with('.'), "{}", provider.name);
        for (n, input) in provider.inputs.iter().enumerate() {
            let first = provider
                .inputs
                .iter()
                .position(|other| other.name == input.name);
            assert_eq!(first, Some(n), "{}", provider.name);
            assert!(!input.help.is_empty(), "{}: {}", provider.name, input.name);
        }
    }
}

#[test]
fn provider_says_which_input_is_missing_or_unknown() {
    assert_eq!(
        refused(profile("google", &[])),
        "the provider google needs client-email"
    );
    assert_eq!(
        refused(profile("google", &[("client-id", "x")])),
        "the provider google has no input client-id"
    );
    let inputs = [
        ("tenant-id", "t"),
        ("application-id", "a"),
        ("region", "eu"),
    ];
    assert_eq!(
        refused(profile("cylance", &inputs)),
        "region: expected one of na, apne1, au, euc1, sae1, us"
    );
    assert_eq!(
        refused(profile("custom", &[])),
        "exactly one of discover, token-endpoint is needed"
    );
    let intelligence = |further: &[(&str, &str)]| {
        let inputs = [&[("service-account-id", "s"), ("region", "us1")], further].concat();
        profile("marketing-cloud-intelligence", &inputs)
    };
    assert!(intelligence(&[("query", "yes")]).is_ok());
    assert_eq!(
        refused(intelligence(&[("query", "no")])),
        "query: expected yes, or nothing"
    );
    assert_eq!(
        refused(intelligence(&[("region", "eu1")])),
        "region is given twice, or together with its alternative"
    );
    let inputs = [
        ("tenant-id", "t"),
        ("application-id", "a"),
        ("region", "au"),
        ("base-url", "https://a.example"),
    ];
    assert_eq!(
        refused(profile("cylance", &inputs)),
        "base-url is given twice, or together with its alternative"
    );
}

#[test]
fn unsupported_server_has_a_reason_and_no_provider() {
    for (name, reason, advice) in [
        ("adobe", "ended", "OAuth Server-to-Server"),
        ("helseid", "DPoP", "libraries"),
        ("irs", "two assertions", "send the request yourself"),
    ] {
        let why = unsupported(name).unwrap();
        assert!(why.contains(reason) && why.contains(advice), "{why}");
        assert_eq!(unsupported(&name.to_uppercase()), Some(why));
        assert!(PROVIDERS.iter().all(|provider| provider.name != name));
    }
    for provider in PROVIDERS {
        assert_eq!(unsupported(provider.name), None);
    }
    assert_eq!(unsupported(""), None);
}

#[test]
fn provider_input_counts_in_place_of_its_alternative_in_a_file() {
    let file = json!({
        "serviceAccountId": "svc-0001", "discoveryEndpoint": "https://as.example.com/.well-known/openid-configuration",
        "privateKey": pem(),
    });
    let inputs = Inputs {
        values: &[("region", "eu1")],
        ..Inputs::default()
    };
    let provider = provider("marketing-cloud-intelligence");
    let (profile, key) = provider.credentials(file.to_string(), inputs).unwrap();
    let text = request(&profile, &key);
    assert!(text.starts_with("POST https://idp.intelligence.salesforce.com/eu1/token\n"));
}

/// A provider consists of its own file, its row, its test and its name in the README, and nothing else.
#[test]
fn provider_touches_its_file_its_row_its_test_and_the_readme() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for provider in PROVIDERS {
        let name = format!("`{}`", provider.name);
        assert!(readme.contains(&name), "README.md does not name {name}");
    }
    let shared = ["credential_file", "definition", "generic"];
    let files = std::fs::read_dir(root.join("src/provider")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    let files: Vec<_> = files
        .filter(|file| !shared.contains(&file.as_str()))
        .collect();
    assert!(files.len() > 30, "{files:?}");
    // The first three systems have older tests of their own.
    let older = ["cylance", "marketing_cloud_intelligence", "salesforce"];
    for file in &files {
        let test = root.join(format!("tests/servers/{file}.rs"));
        assert!(
            test.is_file() || older.contains(&file.as_str()),
            "{test:?} is missing"
        );
    }
    let mut sources = vec![root.join("src")];
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            sources.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|file| file.unwrap().path()),
            );
            continue;
        }
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        // The demonstration and the sandbox are servers of their own.
        let has_servers = [
            "src/provider",
            "src/sandbox",
            "src/bin/jwt-bearer/demo",
            "src/bin/jwt-bearer/sandbox",
        ];
        if has_servers.iter().any(|other| name.starts_with(other)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for file in &files {
            let is_older = older.contains(&file.as_str()) && name == "src/lib.rs";
            let named = format!("provider::{file}");
            let is_named = code
                .lines()
                .any(|line| !line.trim().starts_with("//") && line.contains(&named));
            assert!(is_older || !is_named, "{name} names {named}");
        }
    }
}
