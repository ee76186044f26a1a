//! One test for each client of a vendor, in the order of the servers' names.

use std::time::Duration;

use jwt_bearer::provider::{docusign, ghost, snowflake};
use jwt_bearer::sandbox::{Client, Key};
use jwt_bearer::{
    Algorithm, Audience, Certificate, EcKey, Endpoint, Profile, RsaAlgorithm, RsaKey, Signer,
};
use serde_json::json;

use crate::support::{Output, Sandbox, Vendor};
use Vendor::{Node, Python};

const KEY_ID: &str = "key-1";
/// The certificate of the key.
const CERTIFICATE: &str = include_str!("../data/certificates/leaf.pem");

/// The key of `key.pem`, which `tests/sdks/run` writes for the clients.
fn key() -> RsaKey {
    RsaKey::from_der(include_bytes!("../data/keys/rsa-2048.der")).unwrap()
}
fn key_with_id() -> RsaKey {
    key().with_key_id(KEY_ID)
}
fn client(id: &str) -> Client {
    Client::new(id, Key::public(&key()))
}

/// What the page says about a client that cannot be pointed at the sandbox.
const SENT_BY_TEST: &str = "yes, when the test sent its assertion";

fn not_sent(_: &Sandbox, _: &Output) -> &'static str {
    "no server was asked"
}
fn token_endpoint(sandbox: &Sandbox, path: &str) -> Endpoint {
    Endpoint::token(sandbox.base() + path).unwrap()
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn auth0_python_gets_its_token() {
    let sandbox = Sandbox::start("auth0", client("app"));
    let api = "https://api.example.com";
    let profile = Profile::auth0(sandbox.base(), "app", api).unwrap();
    let inputs = json!({ "client_id": "app", "api": api });
    let vendor = Python("auth0-python", "auth0_python");
    sandbox.compare(vendor, "client credentials", inputs, &profile, key());
}

fn box_sandbox() -> (Sandbox, Profile, serde_json::Value) {
    let client = client("app").with_user("12345").with_secret("s3cret");
    let sandbox = Sandbox::start("box", client);
    let profile = Profile::box_enterprise("app", "s3cret", "12345");
    let profile = profile.with_endpoint(token_endpoint(&sandbox, "/oauth2/token"));
    let inputs = json!({
        "client_id": "app", "secret": "s3cret", "enterprise": "12345", "key_id": KEY_ID,
    });
    (sandbox, profile, inputs)
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn boxsdk_gets_its_token() {
    let (sandbox, profile, inputs) = box_sandbox();
    let vendor = Python("boxsdk", "boxsdk");
    sandbox.compare(vendor, "enterprise", inputs, &profile, key_with_id());
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn box_node_sdk_gets_its_token() {
    let (sandbox, profile, inputs) = box_sandbox();
    let vendor = Node("box-node-sdk", "box-node-sdk");
    sandbox.compare(vendor, "enterprise", inputs, &profile, key_with_id());
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn docusign_esign_gets_its_token() {
    let user = "11112222-3333-4444-5555-666677778888";
    let client = client("integration-key").with_user(user);
    let client = client.with_scope("signature").with_scope("impersonation");
    let sandbox = Sandbox::start("docusign", client);
    // The profile refuses an audience that is not a DocuSign server. The client sends the host that it is given.
    let host = docusign::DEMO;
    let profile = Profile::docusign(host, "integration-key", user).unwrap();
    let profile = profile.with_endpoint(token_endpoint(&sandbox, "/oauth/token"));
    let inputs = json!({ "client_id": "integration-key", "user": user });
    let vendor = Python("docusign-esign", "docusign_esign");
    sandbox.compare(vendor, "user token", inputs, &profile, key());
}

const TENANT: &str = "contoso.example";
const APPLICATION: &str = "11112222-3333-4444-5555-666677778888";
const GRAPH: &str = "https://graph.microsoft.com/.default";

/// Returns the fingerprint of the certificate as openssl prints it, without the colons.
fn fingerprint(hash: &str) -> String {
    let list = include_str!("../data/certificates/fingerprints.txt");
    let mut lines = list.lines();
    let digits = lines.find_map(|line| line.strip_prefix(&format!("leaf {hash} ")));
    digits.unwrap().replace(':', "")
}

/// Starts Entra and compares a client that signs with this algorithm.
#[track_caller]
fn entra(vendor: Vendor, case: &str, algorithm: RsaAlgorithm) {
    let key = key().with_algorithm(algorithm);
    let certificate = Certificate::read(CERTIFICATE).unwrap();
    let client = Client::new(APPLICATION, Key::public(&key)).with_tenant(TENANT);
    let client = client
        .with_scope(GRAPH)
        .with_certificate(CERTIFICATE)
        .unwrap();
    let sandbox = Sandbox::start("entra", client);
    let profile = Profile::entra(sandbox.base(), TENANT, APPLICATION, &certificate).unwrap();
    let inputs = json!({
        "tenant": TENANT, "client_id": APPLICATION, "scope": GRAPH, "certificate": CERTIFICATE,
        "sha1": fingerprint("sha1"), "sha256": fingerprint("sha256"),
    });
    sandbox.compare(vendor, case, inputs, &profile.with_scope(GRAPH), key);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn msal_for_python_gets_its_token() {
    for (function, case, algorithm) in [
        ("msal_ps256", "certificate", RsaAlgorithm::PS256),
        ("msal_rs256", "SHA-1 thumbprint", RsaAlgorithm::RS256),
        (
            "msal_oidc_authority",
            "certificate, OIDC authority",
            RsaAlgorithm::PS256,
        ),
    ] {
        entra(Python("msal", function), case, algorithm);
    }
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn msal_for_node_gets_its_token() {
    let vendor = Node("@azure/msal-node", "msal-node");
    entra(vendor, "SHA-256 thumbprint", RsaAlgorithm::PS256);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn octokit_auth_app_gets_its_token() {
    let vendor = Node("@octokit/auth-app", "octokit-auth-app");
    let client_id = "Iv1.0123456789abcdef";
    for (case, id, sent) in [
        ("app ID, as a number", "12345", json!(12345)),
        ("app ID, as a text", "12345", json!("12345")),
        ("client ID", client_id, json!(client_id)),
    ] {
        let sandbox = Sandbox::start("github", client(id).with_tenant("1"));
        let profile = Profile::github_app(sandbox.base(), id, "1").unwrap();
        let inputs = json!({ "client_id": sent, "installation": "1" });
        sandbox.compare(vendor, case, inputs, &profile, key());
    }
}

const ACCOUNT: &str = "robot@project.iam.gserviceaccount.com";
const DRIVE: &str = "https://www.googleapis.com/auth/drive";
const SERVICE: &str = "https://service.example";

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn google_auth_gets_its_token() {
    let google = |client: Client| Sandbox::start("google", client.with_scope(DRIVE));
    let inputs = json!({
        "client_id": ACCOUNT, "key_id": KEY_ID, "scope": DRIVE, "user": "alice@example.com", "target": SERVICE,
    });
    let profile = Profile::google(ACCOUNT).with_scope(DRIVE);
    let delegated = profile.clone().with_subject("alice@example.com");
    for (function, case, profile) in [
        ("google_auth", "access token", profile),
        ("google_auth_subject", "access token for a user", delegated),
        (
            "google_auth_id_token",
            "ID token",
            Profile::google_id_token(ACCOUNT, SERVICE),
        ),
    ] {
        let sandbox = google(client(ACCOUNT).with_user("alice@example.com"));
        let profile = profile.with_endpoint(token_endpoint(&sandbox, "/token"));
        let vendor = Python("google-auth", function);
        sandbox.compare(vendor, case, inputs.clone(), &profile, key_with_id());
    }
    let profile = Profile::google_self_signed(ACCOUNT, SERVICE);
    let vendor = Python("google-auth", "google_auth_self_signed");
    let sandbox = google(client(ACCOUNT));
    sandbox.compare_assertion(
        vendor,
        "self-signed",
        inputs,
        (&profile, key_with_id()),
        not_sent,
    );
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn line_bot_sdk_gets_its_token_by_our_assertion() {
    let sandbox = Sandbox::start("line", client("1234567890"));
    let profile = Profile::line("1234567890");
    let vendor = Python("line-bot-sdk", "line_bot_sdk");
    sandbox.give_ours(
        vendor,
        "stateless token",
        json!({}),
        &profile,
        &key_with_id(),
    );
    let sandbox = Sandbox::start("line", client("1234567890"));
    let profile = Profile::line_v2_1("1234567890", Duration::from_secs(86400));
    let vendor = Python("line-bot-sdk", "line_bot_sdk_v2_1");
    sandbox.give_ours(vendor, "token v2.1", json!({}), &profile, &key_with_id());
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn pylti1p3_gets_its_token() {
    let scope = "https://purl.imsglobal.org/spec/lti-ags/scope/score";
    let sandbox = Sandbox::start("lti", client("10000000000001").with_scope(scope));
    let endpoint = token_endpoint(&sandbox, "/login/oauth2/token");
    let profile = Profile::lti(endpoint, "10000000000001", Audience::TokenEndpoint);
    // The client computes the kid.
    let thumbprint = key().thumbprint();
    let inputs = json!({ "client_id": "10000000000001", "scope": scope });
    let vendor = Python("PyLTI1p3", "pylti1p3");
    let key = key().with_key_id(thumbprint);
    sandbox.compare(
        vendor,
        "access token",
        inputs,
        &profile.with_scope(scope),
        key,
    );
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn snowflake_connector_makes_an_assertion() {
    let sandbox = Sandbox::start("snowflake", client("MYORG-ACCOUNT123.ALICE"));
    let profile = Profile::snowflake("myorg-account123", "alice");
    let inputs = json!({ "account": "myorg-account123", "user": "alice" });
    let accept = |sandbox: &Sandbox, output: &Output| {
        let request = sandbox.agent().post(sandbox.base() + "/api/v2/statements");
        let (name, value) = snowflake::TOKEN_TYPE;
        let request = request.header(name, value);
        let request = request.header(
            "Authorization",
            format!("Bearer {}", output.text("assertion")),
        );
        assert_eq!(request.send_empty().unwrap().status(), 200);
        SENT_BY_TEST
    };
    let vendor = Python("snowflake-connector-python", "snowflake_connector_python");
    sandbox.compare_assertion(vendor, "key pair", inputs, (&profile, key()), accept);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn hvac_gets_its_token_by_our_assertion() {
    let client = client("https://issuer.example").with_user("workload");
    let client = client.with_scope("reader").with_audience("vault");
    let sandbox = Sandbox::start("vault", client);
    let profile = Profile::vault(sandbox.base(), "jwt", "reader").unwrap();
    let profile = profile.with_issuer("https://issuer.example");
    let profile = profile.with_subject("workload");
    let profile = profile.with_audience(Audience::Fixed("vault".to_owned()));
    let vendor = Python("hvac", "hvac");
    let inputs = json!({ "role": "reader" });
    sandbox.give_ours(vendor, "JWT login", inputs, &profile, &key());
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn yandexcloud_makes_an_assertion() {
    let key = key_with_id().with_algorithm(RsaAlgorithm::PS256);
    let client = Client::new("account-1", Key::public(&key));
    let sandbox = Sandbox::start("yandex", client);
    let profile = Profile::yandex("account-1");
    let profile = profile.with_endpoint(token_endpoint(&sandbox, "/iam/v1/tokens"));
    let inputs = json!({ "client_id": "account-1", "key_id": KEY_ID });
    let accept = |sandbox: &Sandbox, output: &Output| {
        let request = sandbox.agent().post(sandbox.base() + "/iam/v1/tokens");
        let request = request.content_type("application/json");
        let response = request.send(json!({ "jwt": output.text("assertion") }).to_string());
        assert_eq!(response.unwrap().status(), 200);
        SENT_BY_TEST
    };
    let vendor = Python("yandexcloud", "yandexcloud");
    sandbox.compare_assertion(vendor, "IAM token", inputs, (&profile, key), accept);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn zitadel_client_gets_its_token() {
    let sandbox = Sandbox::start("zitadel", client("100000000000000001"));
    let profile = Profile::zitadel(sandbox.base(), "100000000000000001").unwrap();
    let inputs = json!({ "client_id": "100000000000000001", "key_id": KEY_ID });
    let vendor = Python("zitadel_client", "zitadel_client");
    sandbox.compare(vendor, "service user", inputs, &profile, key_with_id());
}

const EC_KEY: &str = include_str!("../data/keys/ec-384-pkcs8.pem");

#[track_caller]
fn smart(function: &'static str, case: &str, registered: Key, key: impl Signer + 'static) {
    let scope = "system/Patient.read";
    let sandbox = Sandbox::start("smart", Client::new("app", registered).with_scope(scope));
    let profile = Profile::smart(sandbox.base(), "app").unwrap();
    let algorithm = key.algorithm();
    let mut inputs = json!({
        "client_id": "app", "resource": "Patient", "key_id": KEY_ID, "algorithm": algorithm.name(),
    });
    if algorithm == Algorithm::Es384 {
        let directory = env!("CARGO_MANIFEST_DIR");
        inputs["key_file"] = format!("{directory}/tests/data/keys/ec-384-pkcs8.pem").into();
    }
    let vendor = Python("cumulus-fhir-support", function);
    sandbox.compare(vendor, case, inputs, &profile.with_scope(scope), key);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn cumulus_fhir_support_gets_its_token() {
    let rsa = || key().with_algorithm(RsaAlgorithm::RS384);
    let ec = || EcKey::from_pem(EC_KEY).unwrap();
    let rsa_public = || Key::public(&rsa());
    let ec_public = || Key::public_pem(include_str!("../data/keys/ec-384.pub.pem")).unwrap();

    // The client computes the kid of a key in PEM.
    let (of_rsa, of_ec) = (rsa().thumbprint(), ec().thumbprint());
    let by_pem = "cumulus_fhir_support";
    smart(by_pem, "RSA key", rsa_public(), rsa().with_key_id(of_rsa));
    smart(by_pem, "EC key", ec_public(), ec().with_key_id(of_ec));

    let by_set = "cumulus_fhir_support_key_set";
    let (rsa, ec) = (rsa().with_key_id(KEY_ID), ec().with_key_id(KEY_ID));
    smart(by_set, "RSA key in a key set", rsa_public(), rsa);
    smart(by_set, "EC key in a key set", ec_public(), ec);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn okta_gets_its_token() {
    let scope = "okta.users.read";
    for vendor in [
        Python("okta", "okta"),
        Node("@okta/okta-sdk-nodejs", "okta"),
    ] {
        let sandbox = Sandbox::start("okta", client("0oa1").with_scope(scope));
        let profile = Profile::okta(sandbox.base(), "0oa1").unwrap();
        let profile = profile.with_scope(scope);
        let inputs = json!({ "client_id": "0oa1", "key_id": KEY_ID, "scope": scope });
        sandbox.compare(vendor, "organization", inputs, &profile, key_with_id());
    }
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn salesforce_core_makes_an_assertion_that_the_sandbox_refuses() {
    let registered = || client("consumer-key").with_user("user@example.com");
    let sandbox = Sandbox::start("salesforce", registered());
    let profile = Profile::salesforce(sandbox.base(), "consumer-key", "user@example.com").unwrap();
    let inputs = json!({ "client_id": "consumer-key", "user": "user@example.com" });
    let refuse = |sandbox: &Sandbox, output: &Output| {
        sandbox.register(registered().with_audience(output.text("url")));
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", output.text("assertion")),
        ];
        let request = sandbox
            .agent()
            .post(sandbox.base() + "/services/oauth2/token");
        let request = request.config().http_status_as_error(false).build();
        assert_eq!(request.send_form(form).unwrap().status(), 400);
        let log = sandbox.log();
        assert!(log.ends_with("refused, exp lies too far ahead"), "{log}");
        "no: `exp` lies too far ahead for the sandbox"
    };
    let vendor = Node("@salesforce/core", "salesforce");
    sandbox.compare_assertion(vendor, "JWT bearer flow", inputs, (&profile, key()), refuse);
}

#[test]
#[ignore = "tests/sdks/run installs what it needs"]
fn clients_of_servers_that_the_sandbox_does_not_have_make_their_assertions() {
    let sandbox = Sandbox::start("factset", client("app"));
    let endpoint = Endpoint::issuer(sandbox.base()).unwrap();
    let profile = Profile::factset("app").with_endpoint(endpoint);
    let inputs = json!({ "client_id": "app", "key_id": KEY_ID });
    let vendor = Python("fds.sdk.utils", "fds_sdk_utils");
    let with = (&profile, key_with_id());
    sandbox.compare_assertion(vendor, "confidential client", inputs, with, not_sent);

    let sandbox = Sandbox::start("app-store-server", client("app"));
    let issuer = "11112222-3333-4444-5555-666677778888";
    let profile = Profile::app_store_server(issuer, "com.example.app");
    let key_file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys/ec-pkcs8.pem");
    let key = EcKey::from_pem(include_str!("../data/keys/ec-pkcs8.pem")).unwrap();
    let inputs = json!({
        "key_file": key_file, "key_id": KEY_ID, "issuer": issuer, "bundle": "com.example.app",
    });
    let vendor = Python("app-store-server-library", "app_store_server_library");
    let with = (&profile, key.with_key_id(KEY_ID));
    sandbox.compare_assertion(vendor, "API token", inputs, with, not_sent);

    let sandbox = Sandbox::start("ghost", client("app"));
    let secret =
        "6489f0f0f0f0f0f0f0f0f0f0:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let key = ghost::key(secret).unwrap();
    let vendor = Node("@tryghost/admin-api", "ghost");
    let with = (&Profile::ghost(), key);
    sandbox.compare_assertion(
        vendor,
        "API token",
        json!({ "secret": secret }),
        with,
        not_sent,
    );
}
