//! Each provider as its documentation describes it, and the profiles that are refused before
//! anything is sent.

mod support;

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::ErrorKind::{Config, Denied, Key, Protocol, Unavailable};
use jwt_bearer::{
    AssertionPlacement, Audience, Endpoint, Error, Exchange, HmacKey, Jti, Placement, Profile,
    Request, Response, ScopePlacement, TokenSource, cylance as aurora,
    marketing_cloud_intelligence as mci, salesforce as platform,
};
use serde_json::{Value, json};

use support::sample::{
    NOW, TOKEN_URL, at, claims, client, client_at, cylance, grant, header, hmac, life, marketing,
    now, pem, read, salesforce, signed,
};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
fn ok(body: &Value) -> Response {
    Response::new(200, body.to_string())
}
fn fixed(audience: &str) -> Audience {
    Audience::Fixed(audience.to_owned())
}

/// Returns the URL of the token request and the `aud` of its assertion.
#[track_caller]
fn url_and_aud(profile: &Profile) -> (String, Option<String>) {
    let key = hmac();
    let exchange = Exchange::new(profile, &key, now()).unwrap();
    let claims = claims(exchange.assertion().secret());
    let aud = claims
        .get("aud")
        .map(|aud| aud.as_str().unwrap().to_owned());
    (exchange.request().url().to_owned(), aud)
}

/// Neither a source nor an assertion can be made from this profile; both errors have this text.
#[track_caller]
fn is_refused(profile: Profile, text: &str) {
    let transport = |_: &Request, _: Duration| -> io::Result<Response> { unreachable!() };
    let by_assertion = profile.assertion(&hmac(), now()).err();
    let by_source = TokenSource::with_transport(transport, profile, hmac()).err();
    for error in [by_assertion, by_source] {
        let error = error.unwrap_or_else(|| panic!("it is accepted, and should not be: {text}"));
        assert_eq!((error.kind(), error.is_retryable()), (Config, false));
        assert_eq!(error.to_string(), text);
    }
}
/// A constructor fails with this text.
#[track_caller]
fn fails<T>(made: Result<T, Error>, text: &str) {
    let error = made.err();
    let error = error.unwrap_or_else(|| panic!("it is accepted, and should not be: {text}"));
    assert_eq!((error.kind(), error.is_retryable()), (Config, false));
    assert_eq!(error.to_string(), text);
}
#[track_caller]
fn is_accepted(profile: Profile) {
    let transport = |_: &Request, _: Duration| -> io::Result<Response> { unreachable!() };
    drop(TokenSource::with_transport(transport, profile, hmac()).unwrap());
}

/// Returns a token that is a JWT with these claims, and a signature that nobody can check.
fn jwt(claims: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = encode(json!({"alg": "RS256", "kid": "1"}).to_string());
    format!("{header}.{}.c2lnbmF0dXJl", encode(claims.to_string()))
}

// Marketing Cloud Intelligence

fn credential_file() -> Value {
    json!({
        "serviceAccountId": "svc-0001",
        "discoveryEndpoint": "https://idp.intelligence.salesforce.com/us1/discovery",
        "privateKey": pem(),
    })
}

#[test]
fn mci_credentials_give_account_key_and_discovery_endpoint() {
    let escaped = json!(pem().replace('\n', "\\n"));
    let with = |name: &str, value: Value| {
        let mut file = credential_file();
        file[name] = value;
        file.to_string()
    };
    for file in [
        credential_file().to_string(),
        serde_json::to_string_pretty(&credential_file()).unwrap(),
        with("createdBy", json!({"name": ["somebody", null]})),
        with("privateKey", escaped),
        format!("\u{feff}{}\r\n", credential_file()),
    ] {
        let utf16: Vec<u8> = file.encode_utf16().flat_map(u16::to_le_bytes).collect();
        mci::credentials([b"\xff\xfe", &utf16[..]].concat()).unwrap(); // as PowerShell 5 writes it
        let (profile, key) = mci::credentials(&file).unwrap();
        let requests = profile.metadata_requests().unwrap();
        let urls: Vec<_> = requests.iter().map(Request::url).collect();
        assert_eq!(
            urls,
            ["https://idp.intelligence.salesforce.com/us1/discovery"]
        );

        let known = profile
            .with_metadata(&ok(&json!({"token_endpoint": mci::US1})))
            .unwrap();
        let exchange = Exchange::new(&known, &key, now()).unwrap();
        assert_eq!(exchange.request().url(), mci::US1);
        let assertion = exchange.assertion().secret();
        let mut claims = claims(assertion);
        assert_eq!(claims.remove("jti").unwrap().as_str().unwrap().len(), 32);
        assert_eq!(
            Value::from(claims),
            json!({
                "iss": "svc-0001",
                "sub": "svc-0001",
                "aud": "https://idp.intelligence.salesforce.com",
                "iat": NOW,
            })
        );
        assert_eq!(
            Value::from(header(assertion)),
            json!({"typ": "JWT", "alg": "RS256"})
        );
    }
}

#[test]
fn mci_credentials_error_names_what_is_missing_and_quotes_nothing() {
    let members = ["serviceAccountId", "discoveryEndpoint", "privateKey"];
    let fails = |file: &str, text: &str| {
        let error = mci::credentials(file).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Config, text));
        let shown = format!("{error:?}");
        assert!(std::error::Error::source(&error).is_none());
        assert!(
            !shown.contains("svc-0001") && !shown.contains("MII"),
            "{shown}"
        );
    };
    for name in members {
        let text = format!("the credential file has no text {name}");
        let mut file = credential_file();
        for value in [json!(null), json!(7), json!(["x"])] {
            file[name] = value;
            fails(&file.to_string(), &text);
        }
        file.as_object_mut().unwrap().remove(name);
        fails(&file.to_string(), &text);
    }
    let whole = credential_file().to_string();
    let cut = &whole[..whole.len() / 2];
    for file in ["", "not JSON", "[]", "null", "\"text\""] {
        fails(file, "the credential file is not a JSON object");
    }
    fails(
        &pem(),
        "this is PEM and no credential file: give it as the key",
    );
    fails(
        cut,
        "this is PEM and no credential file: give it as the key",
    );
    let mut file = credential_file();
    file["privateKey"] = json!("no key");
    assert_eq!(mci::credentials(file.to_string()).unwrap_err().kind(), Key);
}

#[test]
fn stray_quote_printed_in_the_mci_documentation_is_named() {
    let stray = "holds a quote, perhaps copied from a document: remove it";
    let printed = "https://idp.intelligence.salesforce.com\"";
    let endpoint = format!("{}\"", mci::US1);
    let mut file = credential_file();
    file["discoveryEndpoint"] = json!("https://idp.intelligence.salesforce.com/us1\"");
    is_refused(
        marketing().with_audience(fixed(printed)),
        "audience begins or ends with a quote, perhaps copied from a document: remove it",
    );
    let by_file = mci::credentials(file.to_string()).map(|_| ());
    fails(by_file, &format!("metadata document {stray}"));
    let by_url = Endpoint::token(endpoint);
    fails(by_url, &format!("token endpoint {stray}"));
}

#[test]
fn mci_has_four_regions_and_one_audience() {
    for (constant, url) in [
        (
            mci::US1,
            "https://idp.intelligence.salesforce.com/us1/token",
        ),
        (
            mci::US2,
            "https://idp.intelligence.salesforce.com/us2/token",
        ),
        (
            mci::EU1,
            "https://idp.intelligence.salesforce.com/eu1/token",
        ),
        (
            mci::EU2,
            "https://idp.intelligence.salesforce.com/eu2/token",
        ),
    ] {
        let profile =
            Profile::marketing_cloud_intelligence(Endpoint::token(constant).unwrap(), "svc-0001")
                .with_algorithms([]);
        let aud = "https://idp.intelligence.salesforce.com".to_owned();
        assert_eq!(url_and_aud(&profile), (url.to_owned(), Some(aud)));
    }
}

#[test]
fn mci_response_without_token_type_is_a_token_for_five_minutes() {
    let body = json!({"access_token": "eyJraWQiOiIxIn0.e30.c2ln", "expires_in": 300});
    let token = read(&marketing(), ok(&body)).unwrap();
    assert_eq!(token.authorization(), "Bearer eyJraWQiOiIxIn0.e30.c2ln");
    assert_eq!(life(&token), seconds(300));
    assert_eq!(token.scope(), None);
}

#[test]
fn exp_of_a_jwt_token_is_read_for_salesforce_and_cylance_only() {
    let token = jwt(&json!({"iat": NOW, "exp": NOW + 1234}));
    let life =
        |profile: &Profile| life(&read(profile, ok(&json!({"access_token": token}))).unwrap());
    assert_eq!(life(&salesforce()), seconds(1234));
    assert_eq!(life(&cylance()), seconds(1234));
    // RFC 9068 §6: the client must not
    assert_eq!(life(&client()), seconds(300));
    assert_eq!(life(&grant()), seconds(300));
    assert_eq!(life(&marketing()), seconds(300));
}

// Salesforce Platform

#[test]
fn salesforce_login_url_is_the_host_and_the_audience() {
    for (login_url, aud) in [
        (
            "https://login.salesforce.com",
            "https://login.salesforce.com",
        ),
        (
            "https://login.salesforce.com/",
            "https://login.salesforce.com",
        ),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        (
            "https://mycompany.my.salesforce.com",
            "https://mycompany.my.salesforce.com",
        ),
        (
            "https://mycompany--uat.sandbox.my.salesforce.com/",
            "https://mycompany--uat.sandbox.my.salesforce.com",
        ),
        (
            "https://mycompany.my.site.com/customers",
            "https://mycompany.my.site.com/customers",
        ),
        (
            "https://mycompany.my.site.com/customers/",
            "https://mycompany.my.site.com/customers",
        ),
        (
            "https://login.sfcrmproducts.cn",
            "https://login.sfcrmproducts.cn",
        ),
    ] {
        let profile = Profile::salesforce(login_url, "3MVG9TESTKEY", "ci@example.com")
            .unwrap()
            .with_algorithms([]);
        let url = format!("{aud}/services/oauth2/token");
        assert_eq!(url_and_aud(&profile), (url, Some(aud.to_owned())));
        let mut claims = claims(&signed(&profile));
        claims.remove("jti").unwrap();
        assert_eq!(
            Value::from(claims),
            json!({"iss": "3MVG9TESTKEY", "sub": "ci@example.com", "aud": aud, "exp": NOW + 120})
        );
    }
}

#[test]
fn salesforce_audience_can_differ_from_the_login_url() {
    for aud in ["https://login.salesforce.com", "https://gs1.salesforce.com"] {
        let profile = Profile::salesforce("https://acme.my.salesforce.com", "key", "user")
            .unwrap()
            .with_algorithms([]);
        let url = "https://acme.my.salesforce.com/services/oauth2/token".to_owned();
        let profile = profile.with_audience(fixed(aud));
        assert_eq!(url_and_aud(&profile), (url, Some(aud.to_owned())));
    }
}

#[test]
fn token_url_given_as_login_or_base_url_is_refused() {
    let login = "login URL is wanted without /services/oauth2/token and without a query";
    let base = "base URL is wanted without /auth/v2/token and without a query";
    for pasted in [
        "https://login.salesforce.com/services/oauth2/token",
        "https://login.salesforce.com/services/oauth2/token/",
        "https://login.salesforce.com?x=1",
        "https://login.salesforce.com/services/oauth2/token?x=1",
    ] {
        fails(Profile::salesforce(pasted, "key", "user"), login);
    }
    for pasted in [
        "https://protectapi.cylance.com/auth/v2/token",
        "https://protectapi.cylance.com/auth/v2/token/",
        "https://protectapi.cylance.com/?x=1",
    ] {
        fails(Profile::cylance(pasted, "tenant", "app"), base);
    }
    let bare = "has no scheme and host: write https://...";
    let profile = Profile::salesforce("login.salesforce.com", "key", "user");
    fails(profile, &format!("login URL {bare}"));
    let profile = Profile::cylance("protectapi.cylance.com", "tenant", "app");
    fails(profile, &format!("base URL {bare}"));
}

#[test]
fn salesforce_response_names_instance_url_organization_and_user() {
    let body = json!({
        "access_token": "00Dx0000000BV7z!AR8AQP0jITN80ESEsj5EbaZTFG0RNBaT1cyWk7T5rqoDjoNIWQ2ME",
        "scope": "web openid api full",
        "instance_url": "https://mycompany.my.salesforce.com",
        "id": "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P",
        "token_type": "Bearer",
    });
    let response = ok(&body).with_header("Content-Type", "application/json;charset=UTF-8");
    let token = read(&salesforce(), response).unwrap();
    let secret = body["access_token"].as_str().unwrap();
    assert_eq!(token.secret(), secret); // `!` and all
    assert_eq!(token.authorization(), format!("Bearer {secret}"));
    assert_eq!(token.scope(), Some("web openid api full"));
    assert_eq!(life(&token), seconds(900));
    assert_eq!(
        platform::instance_url(&token),
        Some("https://mycompany.my.salesforce.com")
    );
    assert_eq!(platform::organization_id(&token), Some("00Dx0000000BV7z"));
    assert_eq!(platform::user_id(&token), Some("005x00000012Q9P"));
    assert_eq!(token.get("access_token"), None); // `secret` is the only accessor
}

#[test]
fn salesforce_ids_are_the_last_two_segments_of_15_or_18_characters() {
    let [org, user] = ["00Dx0000000BV7z", "005x00000012Q9P"];
    let [org_18, user_18] = ["00Dx0000000BV7zEAE", "005x00000012Q9PQAU"];
    let both = |org: &'static str, user: &'static str| Some((org, user));
    for (id, expected) in [
        (
            json!(format!("https://login.salesforce.com/id/{org}/{user}")),
            both(org, user),
        ),
        (
            json!(format!(
                "https://login.salesforce.com/id/{org_18}/{user_18}"
            )),
            both(org_18, user_18),
        ),
        (
            json!(format!("https://test.salesforce.com/id/{org}/{user_18}")),
            both(org, user_18),
        ),
        (
            json!(format!("https://login.salesforce.com:6109/id/{org}/{user}")),
            both(org, user),
        ),
        (
            json!(format!("https://acme.my.salesforce.com/id/{org_18}/{user}")),
            both(org_18, user),
        ),
        (
            json!(format!("https://acme.my.site.com/a/b/id/{org}/{user}")),
            both(org, user),
        ),
        (Value::Null, None),
        (json!(""), None),
        (json!(7), None),
        (json!(org), None),
        (json!(format!("{org}/{user}")), None),
        (json!(format!("https://{org}/{user}")), None), // host and one segment
        (
            json!(format!("https://login.salesforce.com/id/{user}")),
            None,
        ),
        (
            json!(format!("https://login.salesforce.com/id/{org}/{user}/")),
            None,
        ),
        (
            json!(format!("https://login.salesforce.com/id/{org}/{user}?x=1")),
            None,
        ),
        (
            json!(format!("https://login.salesforce.com/id/{org}/..")),
            None,
        ),
        (
            json!(format!("https://login.salesforce.com/id/{org}/{user}1")),
            None,
        ),
        (
            json!(format!(
                "https://login.salesforce.com/id/{org}/005-00000012Q9P"
            )),
            None,
        ),
        (
            json!(format!("https://login.salesforce.com?/id/{org}/{user}")),
            None, // no path
        ),
        (
            json!(format!("https://login.salesforce.com/#/id/{org}/{user}")),
            None,
        ),
        (json!("https://login.salesforce.com/id/"), None),
    ] {
        let token = read(&salesforce(), ok(&json!({"access_token": "t", "id": id}))).unwrap();
        let found = (platform::organization_id(&token), platform::user_id(&token));
        assert_eq!(
            found,
            (expected.map(|e| e.0), expected.map(|e| e.1)),
            "{id}"
        );
    }
    let token = read(&salesforce(), ok(&json!({"access_token": "t"}))).unwrap();
    assert_eq!(platform::organization_id(&token), None);
    assert_eq!(platform::user_id(&token), None);
    assert_eq!(platform::instance_url(&token), None);
}

#[test]
fn salesforce_issued_at_is_read_as_text_or_number() {
    for issued_at in [json!("1700000000000"), json!(1_700_000_000_000_u64)] {
        let body = json!({"access_token": "t", "issued_at": issued_at, "signature": null});
        let token = read(&salesforce(), ok(&body)).unwrap();
        assert_eq!(token.get("issued_at"), Some("1700000000000"));
        assert_eq!(token.get("signature"), None);
    }
}

#[test]
fn salesforce_jwt_token_expires_at_its_exp_and_names_the_api_instance() {
    let token_of = |claims: &Value| {
        let body = json!({
            "access_token": jwt(claims),
            "api_instance_url": "https://api.salesforce.com",
            "issued_at": 1_700_000_000_000_u64,
            "scope": "api sfap_api",
            "token_format": "jwt",
            "token_type": "Bearer",
        });
        read(&salesforce(), ok(&body)).unwrap()
    };
    let token = token_of(&json!({"iat": NOW, "exp": NOW + 1800}));
    assert_eq!(
        platform::instance_url(&token),
        Some("https://api.salesforce.com")
    );
    assert_eq!(platform::organization_id(&token), None);
    assert_eq!(token.get("token_format"), Some("jwt"));
    for (claims, expected) in [
        (json!({"iat": NOW, "exp": NOW + 1800}), 1800),
        (json!({"exp": NOW + 1800}), 1800),
        (json!({"iat": NOW + 300, "exp": NOW + 2100}), 1800), // a server whose clock is ahead
        (
            json!({"iat": NOW, "exp": NOW + 400 * 24 * 3600}),
            31 * 24 * 3600,
        ),
        (json!({"iat": NOW}), 900),
        (json!({"iat": NOW, "exp": NOW}), 900),
        (json!({"iat": NOW, "exp": NOW - 1}), 900),
        (json!({"exp": "soon"}), 900),
        (json!(["exp"]), 900),
    ] {
        assert_eq!(life(&token_of(&claims)), seconds(expected), "{claims}");
    }
    for (claims, date, expected) in [
        // a server that returns a token issued ten minutes ago, whatever the local clock says
        (json!({"iat": NOW - 600, "exp": NOW + 1200}), NOW, 1200),
        (json!({"iat": NOW, "exp": NOW + 1800}), NOW + 600, 1200),
        // a server whose clock is behind, and which issues a new token
        (
            json!({"iat": NOW - 600, "exp": NOW + 1200}),
            NOW - 600,
            1800,
        ),
        (json!({"exp": NOW + 1200}), NOW - 600, 1800),
        // a proxy whose clock is behind the issuer's, and one far ahead: no token has expired before
        (json!({"iat": NOW, "exp": NOW + 1800}), NOW - 300, 1800),
        (json!({"iat": NOW, "exp": NOW + 1800}), NOW + 1800, 1800),
        (json!({"iat": NOW, "exp": NOW + 1800}), NOW + 9999, 1800),
        (json!({"iat": NOW + 60, "exp": NOW + 60}), NOW, 60),
        (json!({"exp": NOW + 1800}), NOW + 9999, 900),
    ] {
        let date = httpdate::fmt_http_date(at(date));
        let response = ok(&json!({"access_token": jwt(&claims)})).with_header("Date", date);
        let token = read(&salesforce(), response).unwrap();
        assert_eq!(life(&token), seconds(expected), "{claims}");
    }
    for no_jwt in ["a.b", "a.b.c", "..", "00D!a.b.c", "eyJ.eyJ.eyJ"] {
        let token = read(&salesforce(), ok(&json!({"access_token": no_jwt}))).unwrap();
        assert_eq!(life(&token), seconds(900), "{no_jwt}");
    }
}

#[test]
fn salesforce_error_is_verbatim_and_has_a_matching_hint() {
    for (code, description, hint) in [
        ("invalid_grant", "Audience validation failed", "audience"),
        ("invalid_grant", "audience is invalid", "audience"),
        ("invalid_grant", "invalid audience", "audience"),
        ("invalid_grant", "invalid assertion", "certificate"),
        (
            "invalid_grant",
            "user hasn't approved this consumer",
            "pre-authorise",
        ),
        ("invalid_grant", "authentication failure", "username"),
        ("invalid_grant", "expired access/refresh token", "clock"),
        ("invalid_grant", "IP restricted", "address"),
        ("invalid_grant", "invalid login hours", "login hours"),
        (
            "invalid_grant",
            "ip restricted or invalid login hours",
            "address",
        ),
        ("invalid_grant", "something new", "certificate"),
        (
            "invalid_app_access",
            "user is not admin approved to access this app",
            "permission set",
        ),
        (
            "invalid_app_acess",
            "user is not admin approved to access this app",
            "permission set",
        ),
        (
            "invalid_client_id",
            "client identifier invalid",
            "consumer key",
        ),
        (
            "invalid_request",
            "refresh_token scope is required and the connected app should be installed and \
            preauthorized",
            "refresh_token",
        ),
        (
            "app_not_found",
            "External client app is not installed in this org",
            "My Domain",
        ),
        ("inactive_user", "user is inactive", "user"),
        (
            "inactive_org",
            "organization is locked, closed, or suspended",
            "org",
        ),
        ("rate_limit_exceeded", "number of logins exceeded", "3,600"),
        ("invalid_grant", "login rate exceeded", "3,600"),
        (
            "unsupported_grant_type",
            "grant type not supported",
            "JWT bearer flow",
        ),
        (
            "invalid_client",
            "invalid client credentials",
            "consumer key",
        ),
        (
            "invalid_client_credentials",
            "client secret invalid",
            "consumer key",
        ),
        (
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
            "flow",
        ),
    ] {
        let body = json!({"error": code, "error_description": description});
        let response = Response::new(400, body.to_string())
            .with_header("Content-Type", "application/json;charset=UTF-8")
            .with_header("Cache-Control", "no-store");
        let error = read(&salesforce(), response).unwrap_err();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (Denied, false),
            "{code}"
        );
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.description(), Some(description));
        let given = error.hint().unwrap_or_else(|| panic!("{code} has no hint"));
        assert!(given.contains(hint), "{code}, {description}: {given}");
    }
    let body = json!({"error": "quite_new", "error_description": "Never seen."});
    let error = read(&salesforce(), Response::new(400, body.to_string())).unwrap_err();
    assert_eq!((error.code(), error.hint()), (Some("quite_new"), None));
}

#[test]
fn mci_error_has_a_hint() {
    for (code, hint) in [
        ("invalid_client", "serviceAccountId"),
        ("invalid_request", "in the query (placement)"),
    ] {
        let body = json!({ "error": code }).to_string();
        let error = read(&marketing(), Response::new(400, body)).unwrap_err();
        let given = error.hint().unwrap_or_default();
        assert!(given.contains(hint), "{code}: {given}");
    }
}

#[test]
fn salesforce_outage_page_is_unavailable() {
    let error = read(&salesforce(), Response::new(500, "<html></html>")).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Unavailable, true));
    assert_eq!(
        error.to_string(),
        "the authorization server cannot answer now (status 500)"
    );
}

// Cylance

#[test]
fn cylance_has_six_regions_and_accepts_any_base_url() {
    for (base, url) in [
        (
            aurora::NORTH_AMERICA,
            "https://protectapi.cylance.com/auth/v2/token",
        ),
        (
            aurora::ASIA_PACIFIC_NORTH,
            "https://protectapi-apne1.cylance.com/auth/v2/token",
        ),
        (
            aurora::ASIA_PACIFIC_SOUTHEAST,
            "https://protectapi-au.cylance.com/auth/v2/token",
        ),
        (
            aurora::EUROPE_CENTRAL,
            "https://protectapi-euc1.cylance.com/auth/v2/token",
        ),
        (
            aurora::SOUTH_AMERICA,
            "https://protectapi-sae1.cylance.com/auth/v2/token",
        ),
        (
            aurora::US_GOVERNMENT,
            "https://protectapi.us.cylance.com/auth/v2/token",
        ),
        (
            "https://protectapi-us.cylance.com",
            "https://protectapi-us.cylance.com/auth/v2/token",
        ),
        (
            "https://api.example.com/",
            "https://api.example.com/auth/v2/token",
        ),
        (
            "https://api.example.com/proxy/",
            "https://api.example.com/proxy/auth/v2/token",
        ),
        (
            "http://localhost:8080",
            "http://localhost:8080/auth/v2/token",
        ),
    ] {
        let profile = Profile::cylance(base, "tenant-1", "app-1").unwrap();
        assert_eq!(url_and_aud(&profile), (url.to_owned(), None));
    }
}

#[test]
fn cylance_claims_are_the_documented_ones_and_scp_is_a_list_or_joined() {
    let claims_of = |profile: Profile| {
        let mut claims = claims(&signed(&profile));
        assert_eq!(claims.remove("jti").unwrap().as_str().unwrap().len(), 36);
        Value::from(claims)
    };
    let plain = json!({
        "iss": "http://cylance.com",
        "sub": "app-1",
        "tid": "tenant-1",
        "iat": NOW,
        "exp": NOW + 180,
    });
    let with_scp = |scp: Value| {
        let mut claims = plain.clone();
        claims["scp"] = scp;
        claims
    };
    let scoped = cylance().with_scope("policy:create policy:list");
    let joined = ScopePlacement::ClaimWithCommas("scp".into());
    let spaced = ScopePlacement::ClaimWithSpaces("scp".into());
    let one = cylance().with_scope("device:list");
    for (profile, expected) in [
        (cylance(), plain.clone()),
        (
            scoped.clone(),
            with_scp(json!(["policy:create", "policy:list"])),
        ),
        (
            scoped.clone().with_scope_placement(joined.clone()),
            with_scp(json!("policy:create,policy:list")),
        ),
        (
            scoped.with_scope_placement(spaced),
            with_scp(json!("policy:create policy:list")),
        ),
        (one.clone(), with_scp(json!(["device:list"]))),
        (
            one.with_scope_placement(joined),
            with_scp(json!("device:list")),
        ),
    ] {
        assert_eq!(claims_of(profile.clone()), expected);
        // The claim is not sent as a parameter as well.
        let key = hmac();
        let exchange = Exchange::new(&profile, &key, now()).unwrap();
        let body: Value =
            serde_json::from_str(std::str::from_utf8(exchange.request().body()).unwrap()).unwrap();
        assert_eq!(body, json!({"auth_token": exchange.assertion().secret()}));
    }
    let mut audited = plain;
    audited["src"] = json!("audit");
    assert_eq!(claims_of(cylance().with_claim("src", "audit")), audited);
}

#[test]
fn cylance_secret_is_used_as_the_bytes_of_its_text() {
    for secret in [
        "0f0e0d0c-0b0a-4908-8706-050403020100",
        "c2VjcmV0IGluIGJhc2U2NCwgaXQgc2VlbXM=",
        " spaces around ",
        "Schlüssel-鍵",
    ] {
        let key = HmacKey::new(secret).unwrap();
        let assertion = cylance().assertion(&key, now()).unwrap();
        let (message, signature) = assertion.secret().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        ring::hmac::verify(&key, message.as_bytes(), &signature).unwrap();
        let expected = json!({"typ": "JWT", "alg": "HS256"});
        assert_eq!(Value::from(header(assertion.secret())), expected);
    }
}

#[test]
fn cylance_response_is_the_token_alone() {
    let token = read(&cylance(), ok(&json!({"access_token": "opaque"}))).unwrap();
    assert_eq!(token.authorization(), "Bearer opaque");
    assert_eq!(life(&token), seconds(1800));
    let expiring = jwt(&json!({"iat": NOW, "exp": NOW + 1500}));
    let token = read(&cylance(), ok(&json!({"access_token": expiring}))).unwrap();
    assert_eq!(life(&token), seconds(1500));
}

#[test]
fn cylance_error_has_its_message_and_a_hint_for_its_status() {
    for (status, message, kind, hint) in [
        (400, "exp is too far from iat", Denied, Some("30 minutes")),
        (401, "Invalid JWT payload", Denied, Some("clock")),
        (403, "scope not granted", Denied, Some("scopes")),
        (404, "invalid API key", Denied, Some("base URL")),
        (409, "conflict", Denied, Some("conflicts")),
        (429, "rate limit", Unavailable, Some("wait")),
        (500, "internal error", Unavailable, None),
        (501, "not implemented", Protocol, None),
    ] {
        let body = json!({"message": message}).to_string();
        let error = read(&cylance(), Response::new(status, body)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, None), "{status}");
        assert_eq!(error.description(), Some(message));
        match hint {
            Some(hint) => {
                let given = error
                    .hint()
                    .unwrap_or_else(|| panic!("{status} has no hint"));
                assert!(given.contains(hint), "{status}: {given}");
            }
            None => assert_eq!(error.hint(), None),
        }
    }
}

#[test]
fn retry_after_is_seconds_or_a_date_of_the_server_clock() {
    let date = "Tue, 14 Nov 2023 22:13:20 GMT"; // the local time
    let minute_later = "Tue, 14 Nov 2023 22:14:20 GMT";
    let ahead = "Tue, 14 Nov 2023 22:14:00 GMT";
    let next_year = "Thu, 14 Nov 2024 22:14:00 GMT";
    for (server, retry_after, expected) in [
        (None, None, None),
        (None, Some("120"), Some(120)),
        (Some(ahead), Some("120"), Some(120)),
        (None, Some(" 7 "), Some(7)),
        (None, Some("0"), Some(0)),
        (Some(ahead), Some(minute_later), Some(20)),
        (None, Some(minute_later), Some(60)),
        (Some("nonsense"), Some(minute_later), Some(60)),
        (Some(ahead), Some(date), Some(0)), // in the past
        (Some(ahead), Some(next_year), Some(31_536_000)),
        // a year at most, since callers add it to their clocks
        (None, Some("31535999"), Some(31_535_999)),
        (None, Some("31536001"), Some(31_536_000)),
        (None, Some("18446744073709551615"), Some(31_536_000)),
        (None, Some("99999999999999999999999"), Some(31_536_000)),
        (
            None,
            Some("Fri, 31 Dec 9999 23:59:59 GMT"),
            Some(31_536_000),
        ),
        (None, Some("+5"), None), // RFC 9110 §10.2.3: digits
        (None, Some("5.0"), None),
        (None, Some("soon"), None),
        (None, Some("-1"), None),
        (None, Some(""), None),
    ] {
        let mut response = Response::new(429, r#"{"message":"Too many requests"}"#);
        for (name, value) in [("Date", server), ("Retry-After", retry_after)] {
            if let Some(value) = value {
                response = response.with_header(name, value);
            }
        }
        let error = read(&cylance(), response).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (Unavailable, true));
        assert_eq!(
            error.retry_after(),
            expected.map(seconds),
            "{server:?} {retry_after:?}"
        );
    }
}

// Any other server

/// Each body is, byte for byte, a response of Authlib 1.9.9 or oidc-provider 9.13.3.
#[test]
fn generic_hint_agrees_with_the_error_response() {
    let of_client = [
        "client id",
        "audience",
        "clock",
        "the key and its alg",
        "log",
    ];
    let of_grant = [
        "issuer",
        "subject",
        "audience",
        "clock",
        "the key and its alg",
        "log",
    ];
    for (status, body, names) in [
        (400, r#"{"error": "invalid_client"}"#, &of_client[..]),
        (400, r#"{"error": "invalid_grant"}"#, &of_grant),
        (
            400,
            r#"{"error": "invalid_client", "error_description": "Invalid claim: 'aud'"}"#,
            &of_client,
        ),
        (
            401,
            r#"{"error":"invalid_client","error_description":"client authentication failed"}"#,
            &of_client,
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"grant request is invalid"}"#,
            &of_grant,
        ),
        (
            400,
            r#"{"error": "invalid_client", "error_description": "JWT ID is used before."}"#,
            &["repeats requests"],
        ),
        (
            400,
            r#"{"error": "invalid_grant", "error_description": "JWT ID is used before."}"#,
            &["repeats requests"],
        ),
        (
            400,
            r#"{"error": "invalid_client", "error_description": "Invalid JWT assertion."}"#,
            &["on the way"],
        ),
        (
            400,
            r#"{"error": "invalid_grant", "error_description": "Invalid JWT assertion."}"#,
            &["on the way"],
        ),
        (
            400,
            r#"{"error":"invalid_request","error_description":"no client authentication mechanism provided"}"#,
            &["parameter client_id"],
        ),
        (
            400,
            r#"{"error":"invalid_request","error_description":"invalid client_assertion format"}"#,
            &[],
        ),
    ] {
        let error = read(&grant(), Response::new(status, body)).unwrap_err();
        let hint = error.hint().unwrap_or_default();
        assert_eq!(hint.is_empty(), names.is_empty(), "{body}: {hint}");
        for name in names {
            assert!(hint.contains(name), "{body}: {hint}");
        }
        let names_all = hint.contains("audience");
        assert_eq!(names_all, names.contains(&"audience"), "{body}: {hint}");
    }
}

// What is refused before anything is signed or sent

#[test]
fn endpoint_url_is_https_or_http_to_loopback() {
    let plain = "is not https (http is for loopback alone)";
    let user = "holds a user name or password";
    let space = "holds white space or a character that must be percent-encoded";
    let quote = "holds a quote, perhaps copied from a document: remove it";
    let port = "has no proper host and port";
    let scheme = "has no scheme and host: write https://...";
    let none = "is not a URL";
    for (url, wrong) in [
        ("http://as.example.com/token", plain),
        ("http://localhost.evil.com/token", plain),
        ("http://evil-localhost/token", plain),
        ("http://localhost./token", plain),
        ("http://LOCALHOST/token", plain),
        ("http://127.1/token", plain),
        ("http://127.0.0.1.evil.com/token", plain),
        ("http://2130706433/token", plain),
        ("http://0x7f.0.0.1/token", plain),
        ("http://127.0.0.01/token", plain),
        ("http://0.0.0.0/token", plain),
        ("http://128.0.0.1/token", plain),
        ("http://10.0.0.1/token", plain),
        ("http://[::]/token", plain),
        ("http://[::ffff:127.0.0.1]/token", plain),
        ("http://[0:0:0:0:0:0:0:1]/token", plain),
        ("ftp://localhost/token", plain),
        ("ws://127.0.0.1/token", plain),
        ("http://127.0.0.1@evil.com/token", user),
        ("http://localhost:80@evil.com/token", user),
        ("https://user:pass@as.example.com/token", user),
        ("https://@as.example.com/token", user),
        ("https://as.example.com/token#fragment", "holds a fragment"),
        ("https://as.example.com/token#", "holds a fragment"),
        (" https://as.example.com/token", space),
        ("https://as.example.com/token\n", space),
        ("https://as.example.com/to ken", space),
        ("https://as.example.com/to\tken", space),
        ("https://as.example.com/t\u{0}", space),
        ("https://as.exämple.com/token", space),
        ("https://as.example.com/tökén", space),
        ("https://as.example.com\u{2024}evil.com/", space),
        ("https://as.example.com/token\"", quote),
        ("\"https://as.example.com/token\"", quote),
        ("'https://as.example.com/token'", quote),
        ("https://as.example.com:/token", port),
        ("https://as.example.com:65536/token", port),
        ("https://as.example.com:99999999999/token", port),
        ("https://as.example.com:0443/token", port),
        ("as.example.com", scheme),
        ("localhost:8080", scheme),
        ("/token", scheme),
        ("as.example.com/token", scheme),
        ("https:as.example.com", scheme),
        ("", scheme),
        ("https://as.example.com:https/token", port),
        ("https://as.example.com:-1/token", port),
        ("https://", none),
        ("https:///token", none),
        ("https://as.example.com\\@evil.com/", none),
        ("https://[::1/token", none),
        ("://as.example.com/token", plain),
    ] {
        for (endpoint, what) in [
            (Endpoint::token(url), "token endpoint"),
            (Endpoint::issuer(url), "issuer"),
            (Endpoint::metadata(url), "metadata document"),
        ] {
            fails(endpoint, &format!("{what} {wrong}"));
        }
    }
    for url in [
        "https://as.example.com/token",
        "https://as.example.com:8443/token?tenant=7&x=%20",
        "https://AS.EXAMPLE.COM",
        "https://10.0.0.1/token",
        "https://[2001:db8::1]:443/token",
        "https://localhost.evil.com/token",
        "http://localhost/token",
        "http://localhost:8080/token?x=1",
        "http://127.0.0.1:1/token",
        "http://127.255.255.254/token",
        "http://[::1]/token",
        "http://[::1]:65535/token",
    ] {
        is_accepted(client_at(Endpoint::token(url).unwrap()));
        is_accepted(client_at(Endpoint::metadata(url).unwrap()));
    }
}

// What a response means

#[test]
fn named_members_of_an_error_response_have_code_and_reason() {
    let profile = grant()
        .with_error_member("/status/code")
        .with_error_description_member("why");
    let refusal = |status: u16, body: Value| {
        let error = read(&profile, Response::new(status, body.to_string())).unwrap_err();
        assert_eq!(error.kind(), Denied, "{error}");
        let words = [error.code(), error.description()];
        words.map(|words| words.unwrap_or_default().to_owned())
    };
    let body = json!({"status": {"code": 17}, "why": "unknown user", "error": "x", "error_description": "y"});
    for status in [200, 400, 403] {
        assert_eq!(refusal(status, body.clone()), ["17", "unknown user"]);
    }
    // The reason alone refuses only with a status that does.
    assert_eq!(refusal(401, json!({"why": "no"})), ["", "no"]);
    let granted = json!({"access_token": "t", "why": "because", "error": "0"});
    assert_eq!(read(&profile, ok(&granted)).unwrap().secret(), "t");
}

#[test]
fn error_code_has_the_meaning_that_the_caller_gives_it() {
    let refusal = |profile: &Profile, status: u16, code: &str| {
        let body = json!({ "error": code }).to_string();
        let error = read(profile, Response::new(status, body)).unwrap_err();
        (error.kind(), error.is_retryable())
    };
    let profile = grant()
        .with_unavailable_error("try_later")
        .with_denied_error("server_error");
    assert_eq!(refusal(&grant(), 400, "try_later"), (Denied, false));
    assert_eq!(refusal(&grant(), 500, "server_error"), (Unavailable, true));
    for status in [200, 400, 500] {
        assert_eq!(refusal(&profile, status, "try_later"), (Unavailable, true));
        assert_eq!(refusal(&profile, status, "server_error"), (Denied, false));
    }
    assert_eq!(refusal(&profile, 400, "invalid_grant"), (Denied, false));
    // The last of two meanings counts.
    let profile = profile.with_denied_error("try_later");
    assert_eq!(refusal(&profile, 503, "try_later"), (Denied, false));
}

#[test]
fn exp_of_the_token_is_read_if_the_caller_wants_it() {
    let token = jwt(&json!({"exp": NOW + 1200}));
    let response = || ok(&json!({ "access_token": token }));
    let lifetime = |profile: &Profile| life(&read(profile, response()).unwrap()).as_secs();
    assert_eq!(lifetime(&grant()), 300);
    assert_eq!(lifetime(&grant().with_token_exp(true)), 1200);
    let off = grant().with_token_exp(true).with_token_exp(false);
    assert_eq!(lifetime(&off), 300);
}

#[test]
fn request_header_that_cannot_be_sent_is_refused_and_not_quoted() {
    let unsendable = "cannot be sent: check its name, and that its value is one line of ASCII";
    for (name, value, shown) in [
        ("X-Id", "a\nb", "X-Id"),
        ("X-Id", "\u{e4}", "X-Id"),
        ("my secret", "x", "NAME"),
        ("", "x", "NAME"),
    ] {
        let profile = grant().with_request_header(name, value);
        is_refused(profile, &format!("request header {shown} {unsendable}"));
    }
    let bearer = grant().with_assertion_placement(AssertionPlacement::Bearer);
    is_accepted(bearer.clone().with_request_header("X-Id", "x"));
    is_refused(
        bearer.with_request_header("authorization", "Basic eDp5"),
        "request header authorization carries the assertion already",
    );
}

#[test]
fn placement_is_shown_and_compared_by_its_name() {
    let all = [
        Placement::FORM,
        Placement::JSON,
        Placement::QUERY,
        Placement::GET,
    ];
    assert_eq!(format!("{all:?}"), "[form, json, query, get]");
    for (n, one) in all.iter().enumerate() {
        for (m, other) in all.iter().enumerate() {
            assert_eq!(one == other, n == m);
        }
    }
}

#[test]
fn self_signed_profile_is_no_exchange_and_needs_an_audience_of_its_own() {
    let own = Profile::self_signed("svc", Audience::Fixed("https://api.example.com".to_owned()));
    fails(
        Exchange::new(&own, &hmac(), now()),
        "there is no token endpoint: the assertion itself is the access token",
    );
    for audience in [Audience::TokenEndpoint, Audience::Issuer] {
        is_refused(
            Profile::self_signed("svc", audience),
            "without a token endpoint the audience is a fixed text or left out",
        );
    }
}

#[test]
fn scope_is_a_claim_as_the_setting_says() {
    let claim = |setting: &str| {
        let profile = grant().with_scope("a b");
        let profile = profile.with_setting("scope-placement", setting).unwrap();
        let assertion = profile.assertion(&hmac(), now()).unwrap();
        let claims = claims(assertion.secret());
        claims.get("scp").cloned().unwrap_or_default()
    };
    assert_eq!(claim("scp=spaces"), json!("a b"));
    assert_eq!(claim("scp=commas"), json!("a,b"));
    assert_eq!(claim("scp=array"), json!(["a", "b"]));
    assert_eq!(claim("parameter"), Value::Null);
}

#[test]
fn claim_header_member_or_parameter_set_twice_is_refused() {
    let own = "is set twice, or has a setting of its own";
    for claim in ["iss", "sub", "aud", "exp", "iat", "jti"] {
        is_refused(
            grant().with_claim(claim, "x"),
            &format!("claim {claim} {own}"),
        );
    }
    is_refused(
        grant().with_claim("a", 1).with_claim("a", 2),
        &format!("claim a {own}"),
    );
    is_refused(
        cylance().with_claim("tid", "x"),
        &format!("claim tid {own}"),
    );
    let scp_twice = cylance().with_scope("a").with_claim("scp", "b");
    is_refused(scp_twice, &format!("claim scp {own}"));
    let sub_as_scope = ScopePlacement::ClaimWithSpaces("sub".into());
    let sub_as_scope = grant().with_scope("a").with_scope_placement(sub_as_scope);
    is_refused(sub_as_scope, &format!("claim sub {own}"));
    is_accepted(cylance().with_claim("scp", "b"));
    is_accepted(
        grant()
            .with_claim("scope", "a")
            .with_claim("nothing", Value::Null),
    );

    for member in ["typ", "alg", "kid"] {
        let text = format!("header member {member} {own}");
        is_refused(grant().with_header(member, "x"), &text);
        is_refused(grant().without_typ().with_header(member, "x"), &text);
    }
    let x5t = grant().with_header("x5t", "a").with_header("x5t", "b");
    is_refused(x5t, &format!("header member x5t {own}"));

    for (profile, name) in [
        (client(), "grant_type"),
        (client(), "client_id"),
        (client(), "client_assertion_type"),
        (client(), "client_assertion"),
        (client(), "scope"),
        (grant(), "assertion"),
        (grant(), "grant_type"),
        (cylance(), "auth_token"),
    ] {
        let text = format!("parameter {name} {own}");
        is_refused(profile.with_parameter(name, "x"), &text);
    }
    let twice = |name: &'static str| client().with_parameter(name, "a").with_parameter(name, "b");
    is_refused(twice("x"), &format!("parameter x {own}"));
    // RFC 8707 §2 and RFC 8693 §2.1 let these repeat; a JSON object cannot.
    for name in ["resource", "audience"] {
        is_accepted(twice(name));
        is_accepted(twice(name).with_placement(Placement::QUERY));
        let json = twice(name).with_placement(Placement::JSON);
        let text = "is set twice, is inside another parameter, or is nested too deeply";
        is_refused(json, &format!("parameter {name} {text}"));
    }
    for placement in [Placement::FORM, Placement::JSON] {
        let assertion_as = |name: &str| {
            grant()
                .with_assertion_placement(AssertionPlacement::Parameter(name.to_owned().into()))
                .with_placement(placement)
        };
        is_accepted(assertion_as("scope"));
        is_refused(
            assertion_as("scope").with_scope("a"),
            &format!("parameter scope {own}"),
        );
        for name in ["resource", "audience"] {
            is_accepted(assertion_as(name));
            let text = format!("parameter {name} {own}");
            is_refused(assertion_as(name).with_parameter(name, "x"), &text);
        }
    }
    // A member within `scope` conflicts with a scope, and with nothing else.
    let nested = client()
        .with_parameter("/scope/project", "p")
        .with_placement(Placement::JSON);
    is_accepted(nested.clone());
    let text = "is set twice, is inside another parameter, or is nested too deeply";
    is_refused(
        nested.with_scope("a"),
        &format!("parameter scope/project {text}"),
    );
    is_accepted(
        grant()
            .with_parameter("client_id", "box")
            .with_parameter("client_secret", "x"),
    );
}

#[test]
fn issuer_subject_audience_and_tenant_refuse_blank_or_quoted_text() {
    let endpoint = || Endpoint::token(TOKEN_URL).unwrap();
    let issuer = |text: &str| Profile::jwt_bearer(endpoint(), text, Audience::Omit);
    let client = |text: &str| Profile::client_credentials(endpoint(), text, Audience::Omit);
    let salesforce =
        |user: &str| Profile::salesforce("https://login.salesforce.com", "k", user).unwrap();
    let cylance = |app: &str| Profile::cylance(aurora::NORTH_AMERICA, "tenant", app).unwrap();
    let tenant = |tenant: &str| Profile::cylance(aurora::NORTH_AMERICA, tenant, "app").unwrap();
    let blank = "begins or ends with white space, or holds a control character";
    let quote = "begins or ends with a quote, perhaps copied from a document: remove it";
    for (text, wrong) in [
        ("", "is empty"),
        ("id\n", blank),
        ("id\r\n", blank),
        (" id", blank),
        ("\u{a0}id", blank),
        ("i\u{0}d", blank),
        ("i\td", blank),
        ("\"id\"", quote),
        ("id\"", quote),
    ] {
        is_refused(issuer(text), &format!("issuer {wrong}"));
        is_refused(client(text), &format!("issuer {wrong}"));
        is_refused(salesforce(text), &format!("subject {wrong}"));
        is_refused(cylance(text), &format!("subject {wrong}"));
        is_refused(tenant(text), &format!("claim tid {wrong}"));
        is_refused(grant().with_subject(text), &format!("subject {wrong}"));
        is_refused(
            grant().with_audience(fixed(text)),
            &format!("audience {wrong}"),
        );
    }
    for text in [
        "a b",
        "https://as.example.com/ü",
        "o'brien@example.com",
        "CN=\"Tools, Internal\",O=Example", // RFC 4514 §2.4
        "x",
    ] {
        is_accepted(issuer(text).with_subject(text).with_audience(fixed(text)));
        is_accepted(tenant(text));
    }
    is_accepted(issuer("x").with_claim("note", " as it is\n")); // a claim that names nothing may have any text
}

#[test]
fn scope_is_names_separated_by_single_spaces() {
    let wrong = "scope is not a list of names with one space between them";
    for scope in [
        "",
        " ",
        " a",
        "a ",
        "a  b",
        "a\nb",
        "a\tb",
        "a\"b",
        "a\\b",
        "é",
        "a,b c\u{0}",
    ] {
        is_refused(client().with_scope(scope), wrong);
        is_refused(cylance().with_scope(scope), wrong);
    }
    for scope in [
        "a",
        "a b",
        "https://graph.example.com/.default",
        "!#[]^~ device:list",
    ] {
        is_accepted(client().with_scope(scope));
    }
}

#[test]
fn profile_that_cannot_work_is_refused_before_signing() {
    let nothing_new = "an assertion needs jti or iat: without both, two of them are the same";
    let no_issuer =
        "the audience is to be the issuer, and no metadata named one: give the audience as a text";
    let exp = "exp lies less than a second ahead";
    for (profile, text) in [
        (client().with_audience(Audience::Issuer), no_issuer),
        (salesforce().with_audience(Audience::Issuer), no_issuer),
        (
            client().with_jti(Jti::Omit).with_iat_leeway(None),
            nothing_new,
        ),
        (salesforce().with_jti(Jti::Omit), nothing_new),
        (client().with_assertion_lifetime(Duration::ZERO), exp),
        (
            client().with_assertion_lifetime(Duration::from_millis(999)),
            exp,
        ),
    ] {
        is_refused(profile, text);
    }
    for profile in [
        client().with_assertion_lifetime(seconds(1)),
        client().with_jti(Jti::Omit),
        client().with_iat_leeway(None),
        client_at(Endpoint::issuer("https://as.example.com").unwrap())
            .with_audience(Audience::Issuer),
    ] {
        is_accepted(profile);
    }
}
