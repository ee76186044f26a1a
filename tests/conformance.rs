//! What goes wrong in other clients and must not here. Each test's name says the row of the list
//! it stands for; no socket is opened.

mod support;

use std::collections::{BTreeSet, HashSet};
use std::error::Error as _;
use std::str;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::ErrorKind::{Config, Denied, Protocol, Unavailable};
use jwt_bearer::{
    Algorithm, Audience, BoxError, Endpoint, Error, ErrorKind, Exchange, Jti, Profile, Response,
    ScopePlacement, Signer,
};
use serde_json::{Value, json};

use support::sample::{
    NOW, at, claims, client, client_at, cylance, every_profile, grant, header, hmac, life,
    marketing, now, read, rsa, salesforce, signed,
};

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[track_caller]
fn is_refused(profile: &Profile, text: &str) {
    let error = profile.assertion(&hmac(), now()).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Config, text));
}

fn json(status: u16, body: &Value) -> Response {
    Response::new(status, body.to_string()).with_header("Content-Type", "application/json")
}

#[track_caller]
fn refusal(profile: &Profile, response: Response) -> Error {
    read(profile, response).unwrap_err()
}

// Assertions

#[test]
fn row_01_all_three_segments_are_base64url_without_padding() {
    let awkward = "???>>>~~~"; // + and / in the standard alphabet, at every offset
    let profile = grant().with_header("h", awkward).with_claim("c", awkward);
    let signers: [&dyn Signer; 2] = [&rsa(), &hmac()];
    for signer in signers {
        let mut special = BTreeSet::new();
        let mut lengths = BTreeSet::new();
        for n in 0..64 {
            let profile = profile.clone().with_claim("n", "x".repeat(n));
            let assertion = profile.assertion(signer, now()).unwrap();
            let segments: Vec<_> = assertion.secret().split('.').collect();
            assert_eq!(segments.len(), 3);
            for (which, segment) in segments.into_iter().enumerate() {
                URL_SAFE_NO_PAD.decode(segment).unwrap();
                let others = segment.chars().filter(|c| !c.is_ascii_alphanumeric());
                special.extend(others.map(|c| (which, c)));
                lengths.insert((which, segment.len() % 4));
            }
        }
        let both = [0, 1, 2].map(|which| [(which, '-'), (which, '_')]);
        assert_eq!(special, both.into_iter().flatten().collect());
        assert!(lengths.contains(&(1, 2)) && lengths.contains(&(1, 3))); // where padding would be
    }
}

#[test]
fn row_02_an_absent_claim_or_header_member_is_absent_and_never_null() {
    let names: [&[&str]; 5] = [
        &["aud", "iat", "iss", "jti", "sub"],
        &["aud", "exp", "iss", "jti", "sub"],
        &["exp", "iat", "iss", "jti", "sub", "tid"],
        &["aud", "exp", "iat", "iss", "jti", "sub"],
        &["aud", "exp", "iat", "iss", "jti"],
    ];
    for ((name, profile), names) in every_profile().into_iter().zip(names) {
        let jwt = signed(&profile);
        assert_eq!(claims(&jwt).keys().collect::<Vec<_>>(), names, "{name}");
        assert_eq!(
            header(&jwt).keys().collect::<Vec<_>>(),
            ["alg", "typ"],
            "{name}"
        );
    }
    let bare = grant()
        .with_audience(Audience::Omit)
        .with_assertion_lifetime(None)
        .with_jti(Jti::Omit)
        .with_claim("nothing", Value::Null)
        .with_header("nothing", Value::Null)
        .without_typ();
    let jwt = signed(&bare);
    assert_eq!(claims(&jwt).keys().collect::<Vec<_>>(), ["iat", "iss"]);
    assert_eq!(header(&jwt).keys().collect::<Vec<_>>(), ["alg"]);
}

#[test]
fn row_03_exp_and_iat_are_whole_seconds_whatever_the_clock_reads_between_them() {
    let expected = [
        (None, Some(NOW)),
        (Some(NOW + 120), None),
        (Some(NOW + 180), Some(NOW)),
        (Some(NOW + 60), Some(NOW)),
        (Some(NOW + 60), Some(NOW)),
    ];
    for ((name, profile), (exp, iat)) in every_profile().into_iter().zip(expected) {
        for nanoseconds in [0, 1, 500_000_000, 999_999_999] {
            let now = now() + Duration::from_nanos(nanoseconds);
            let claims = claims(profile.assertion(&hmac(), now).unwrap().secret());
            let written = |name: &str| claims.get(name).cloned();
            assert_eq!(written("exp"), exp.map(Value::from), "{name}"); // 1.0 is not 1 here
            assert_eq!(written("iat"), iat.map(Value::from), "{name}");
        }
    }
}

#[test]
fn row_03_nbf_as_anything_but_whole_seconds_is_refused() {
    let jwt = signed(&grant().with_claim("nbf", NOW));
    assert_eq!(claims(&jwt)["nbf"], json!(NOW));
    for nbf in [
        json!("1700000000"),
        json!(1_700_000_000.0),
        json!(1_700_000_000.5),
        json!(NOW * 1000),
        json!(100_000_000_000_u64), // the year 5138
        json!(-1),
        json!([NOW]),
        json!(true),
        (0..200).fold(json!(NOW), |value, _| json!([value])), // deeper than a reader goes
    ] {
        is_refused(
            &grant().with_claim("nbf", nbf),
            "claim nbf is not a whole number of seconds",
        );
    }
}

#[test]
fn row_04_a_thousand_assertions_have_a_thousand_jti() {
    for (name, profile) in every_profile() {
        let jti = |_| claims(&signed(&profile))["jti"].to_string();
        let all: HashSet<_> = (0..1000).map(jti).collect();
        assert_eq!(all.len(), 1000, "{name}");
    }
}

#[test]
fn row_04_jti_is_a_random_uuid_with_hyphens_or_as_32_hexadecimal_digits() {
    let hyphens = [8, 13, 18, 23];
    for (name, profile) in every_profile() {
        for _ in 0..32 {
            let claims = claims(&signed(&profile));
            let jti = claims["jti"].as_str().unwrap();
            let found: Vec<_> = jti.match_indices('-').map(|(at, _)| at).collect();
            let wanted: &[_] = match name {
                "Marketing Cloud Intelligence" => &[],
                _ => &hyphens,
            };
            assert_eq!(found, wanted, "{name}");
            let digits = jti.replace('-', "");
            assert_eq!(digits.len(), 32, "{name}");
            assert!(
                digits
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            );
            // RFC 9562 §5.4: version 4 and the variant
            assert_eq!(&digits[12..13], "4");
            assert!("89ab".contains(&digits[16..17]), "{jti}");
        }
    }
    let chosen = |jti| claims(&signed(&grant().with_jti(jti)))["jti"].to_string();
    assert_eq!(chosen(Jti::Hex).len(), "\"\"".len() + 32);
    assert_eq!(chosen(Jti::Uuid).len(), "\"\"".len() + 36);
}

#[test]
fn row_04_two_exchanges_of_one_profile_in_one_second_carry_two_assertions() {
    let profile = salesforce();
    let key = rsa();
    let [first, second] = [1, 2].map(|_| Exchange::new(&profile, &key, now()).unwrap());
    assert_ne!(first.assertion().secret(), second.assertion().secret());
    for exchange in [&first, &second] {
        let body = str::from_utf8(exchange.request().body()).unwrap();
        assert!(body.contains(exchange.assertion().secret()));
    }
}

#[test]
fn row_05_aud_is_one_plain_string_and_no_slash_comes_or_goes() {
    let fixed = |aud: &str| grant().with_audience(Audience::Fixed(aud.to_owned()));
    let own = |url: &str| client_at(Endpoint::token(url).unwrap());
    let discovered = |issuer: &str, audience: Audience| {
        let document = json!({
            "issuer": issuer,
            "token_endpoint": "https://as.example.com/t/",
        });
        let profile = Profile::client_credentials(Endpoint::issuer(issuer).unwrap(), "c", audience);
        profile.with_metadata(&json(200, &document)).unwrap()
    };
    for (profile, aud) in [
        (marketing(), "https://idp.intelligence.salesforce.com"),
        (salesforce(), "https://login.salesforce.com"),
        (fixed("https://as.example.com"), "https://as.example.com"),
        (fixed("https://as.example.com/"), "https://as.example.com/"),
        (fixed("account-d.docusign.com"), "account-d.docusign.com"),
        (
            own("https://as.example.com/token"),
            "https://as.example.com/token",
        ),
        (
            own("https://as.example.com/token/"),
            "https://as.example.com/token/",
        ),
        (
            own("https://AS.example.com:443/t?x=1"),
            "https://AS.example.com:443/t?x=1",
        ),
        (own("https://as.example.com"), "https://as.example.com"),
        (
            discovered("https://as.example.com/", Audience::Issuer),
            "https://as.example.com/",
        ),
        (
            discovered("https://as.example.com/tenant", Audience::Issuer),
            "https://as.example.com/tenant",
        ),
        (
            discovered("https://as.example.com", Audience::TokenEndpoint),
            "https://as.example.com/t/",
        ),
    ] {
        assert_eq!(claims(&signed(&profile))["aud"], json!(aud));
    }
    for profile in [cylance(), grant().with_audience(Audience::Omit)] {
        assert_eq!(claims(&signed(&profile)).get("aud"), None);
    }
}

#[test]
fn row_05_aud_is_a_setting_apart_from_the_token_url() {
    let login = Audience::Fixed("https://login.salesforce.com".to_owned());
    let my_domain = "https://mycompany.my.salesforce.com";
    let profile = Profile::salesforce(my_domain, "key", "user")
        .unwrap()
        .with_audience(login);
    let key = rsa();
    let exchange = Exchange::new(&profile, &key, now()).unwrap();
    assert_eq!(
        claims(exchange.assertion().secret())["aud"],
        json!("https://login.salesforce.com")
    );
    assert_eq!(
        exchange.request().url(),
        "https://mycompany.my.salesforce.com/services/oauth2/token"
    );
}

/// A key held elsewhere.
struct Elsewhere;

impl Signer for Elsewhere {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }
    fn key_id(&self) -> Option<&str> {
        Some("elsewhere-1")
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(vec![7; 64])
    }
}

#[test]
fn row_06_typ_is_jwt_unless_it_is_set_or_left_out_and_kid_and_alg_come_from_the_key() {
    let named = hmac().with_key_id("k1");
    let typed = grant().with_typ("client-authentication+jwt");
    let cases: [(Profile, &dyn Signer, Value); 5] = [
        (grant(), &hmac(), json!({"typ": "JWT", "alg": "HS256"})),
        (grant(), &rsa(), json!({"typ": "JWT", "alg": "RS256"})),
        (
            typed,
            &named,
            json!({"typ": "client-authentication+jwt", "alg": "HS256", "kid": "k1"}),
        ),
        (
            grant().without_typ().with_header("x5t#S256", "thumbprint"),
            &rsa().with_key_id("k2"),
            json!({"alg": "RS256", "kid": "k2", "x5t#S256": "thumbprint"}),
        ),
        (
            grant(),
            &Elsewhere,
            json!({"typ": "JWT", "alg": "ES256", "kid": "elsewhere-1"}),
        ),
    ];
    for (profile, signer, expected) in cases {
        let assertion = profile.assertion(signer, now()).unwrap();
        assert_eq!(Value::from(header(assertion.secret())), expected);
    }
}

#[test]
fn row_07_defaults_are_those_of_the_table() {
    // exp after now, iat, life of a token whose response does not say
    let table = [
        (None, true, 300),
        (Some(120), false, 900),
        (Some(180), true, 1800),
        (Some(60), true, 300),
        (Some(60), true, 300),
    ];
    for ((name, profile), (exp, iat, default)) in every_profile().into_iter().zip(table) {
        let claims = claims(&signed(&profile));
        let exp: Option<u64> = exp;
        assert_eq!(
            claims.get("exp"),
            exp.map(|n| json!(NOW + n)).as_ref(),
            "{name}"
        );
        assert_eq!(claims.contains_key("iat"), iat, "{name}");
        let token = read(&profile, json(200, &json!({"access_token": "t"})));
        assert_eq!(life(&token.unwrap()), seconds(default), "{name}");
    }
}

#[test]
fn row_07_iat_moves_back_and_exp_is_set_or_left_out() {
    let exp_and_iat = |profile: Profile| {
        let claims = claims(&signed(&profile));
        ["exp", "iat"].map(|name| claims.get(name).and_then(Value::as_u64))
    };
    let back = grant().with_iat_leeway(seconds(60));
    assert_eq!(exp_and_iat(back), [Some(NOW + 60), Some(NOW - 60)]);
    assert_eq!(
        exp_and_iat(grant().with_iat_leeway(None)),
        [Some(NOW + 60), None]
    );
    assert_eq!(
        exp_and_iat(grant().with_assertion_lifetime(None)),
        [None, Some(NOW)]
    );
    let longer = grant().with_assertion_lifetime(seconds(3600));
    assert_eq!(exp_and_iat(longer), [Some(NOW + 3600), Some(NOW)]);
    let expiring = marketing().with_assertion_lifetime(seconds(60));
    assert_eq!(exp_and_iat(expiring), [Some(NOW + 60), Some(NOW)]);
}

#[test]
fn row_07_cylance_takes_half_an_hour_from_iat_to_exp_and_no_second_more() {
    let too_long = "exp lies further after iat than this server accepts";
    let with = |exp, leeway| {
        cylance()
            .with_assertion_lifetime(seconds(exp))
            .with_iat_leeway(seconds(leeway))
    };
    for (exp, leeway) in [(1800, 0), (1790, 10), (1, 1799)] {
        let claims = claims(&signed(&with(exp, leeway)));
        let number = |name: &str| claims[name].as_u64().unwrap();
        assert!(seconds(number("exp") - number("iat")) <= HALF_AN_HOUR);
    }
    for (exp, leeway) in [(1801, 0), (1790, 11), (1800, 1), (u64::MAX, u64::MAX)] {
        is_refused(&with(exp, leeway), too_long);
    }
    is_refused(
        &cylance().with_assertion_lifetime(HALF_AN_HOUR + Duration::from_nanos(1)),
        too_long,
    );
}

#[test]
fn row_07_a_time_that_cannot_be_written_is_refused_and_nothing_overflows() {
    let out_of_range = "the clock or a duration is out of range";
    is_refused(&grant().with_iat_leeway(seconds(NOW + 1)), out_of_range);
    is_refused(
        &grant().with_assertion_lifetime(Duration::MAX),
        out_of_range,
    );
    is_refused(
        &grant().with_assertion_lifetime(Duration::from_millis(999)),
        "exp lies less than a second ahead",
    );
    let before_1970 = at(0) - seconds(1);
    let error = grant().assertion(&hmac(), before_1970).unwrap_err();
    assert_eq!(error.to_string(), out_of_range);
}

// Exchange

#[test]
fn row_11_what_the_server_said_reaches_the_caller_whatever_its_content_type() {
    for content_type in [
        None,
        Some("application/json"),
        Some("application/json;charset=UTF-8"),
        Some("text/html"),
        Some("text/plain; charset=latin1"),
        Some("nonsense"),
        Some(""),
    ] {
        let body = r#"{"error":"invalid_grant","error_description":"audience is invalid"}"#;
        let mut response = Response::new(400, body).with_header("X-Request-Id", "abc");
        if let Some(content_type) = content_type {
            response = response.with_header("Content-Type", content_type);
        }
        let error = refusal(&grant(), response);
        assert_eq!(error.kind(), Denied);
        assert_eq!(error.code(), Some("invalid_grant"));
        assert_eq!(error.description(), Some("audience is invalid"));
        assert_eq!(error.status(), Some(400));
        let response = error.response().unwrap();
        assert_eq!(response.header("x-request-id"), Some("abc"));
        assert_eq!(response.header("content-type"), content_type);
        assert_eq!(response.body(), body.as_bytes());
        assert_eq!(
            error.to_string(),
            "the authorization server refused: invalid_grant: audience is invalid (status 400)"
        );
    }
}

#[test]
fn row_11_a_message_is_a_verdict_where_the_server_speaks_so_and_is_told_anywhere() {
    for (profile, kind) in [(cylance(), Denied), (client(), Protocol)] {
        let body = json!({"message": "Invalid JWT payload"});
        let error = refusal(&profile, json(401, &body));
        assert_eq!(error.kind(), kind);
        assert_eq!(error.code(), None);
        assert_eq!(error.description(), Some("Invalid JWT payload"));
        assert!(
            error
                .to_string()
                .ends_with(": Invalid JWT payload (status 401)")
        );
    }
}

#[test]
fn row_11_whatever_a_4xx_holds_the_error_is_clear() {
    let list = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    let null = r#"{"error":"invalid_client","error_description":null}"#;
    let object = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT"}}"#;
    let html = "<!DOCTYPE html><html><body>Bad Request</body></html>";
    let other = "something other than an authorization server answered";
    let refused = "the authorization server refused";
    for (status, body, kind, code, text) in [
        (400, list, Protocol, None, "session expired or invalid"),
        (400, "[]", Protocol, None, other),
        (400, html, Protocol, None, other),
        (400, "{", Protocol, None, other),
        (400, "null", Protocol, None, other),
        (404, "", Protocol, None, other),
        (400, "", Denied, None, "gave no reason"),
        (400, null, Denied, Some("invalid_client"), refused),
        (400, object, Denied, None, refused),
    ] {
        let error = refusal(&client(), Response::new(status, body));
        assert_eq!((error.kind(), error.code()), (kind, code), "{body}");
        let shown = error.to_string();
        assert!(shown.to_lowercase().contains(text), "{shown}");
        assert!(shown.ends_with(&format!("(status {status})")), "{shown}");
        assert_eq!(error.response().unwrap().body(), body.as_bytes());
    }
}

#[test]
fn row_11_the_servers_words_are_one_short_line() {
    let body = json!({
        "error": "invalid\n_grant\u{1b}[31m",
        "error_description": format!("line one\r\nline\u{7} two\u{9b} {}", "é".repeat(1000)),
    });
    let error = refusal(&client(), json(400, &body));
    assert_eq!(error.code(), Some("invalid_grant[31m"));
    let description = error.description().unwrap();
    assert!(
        description.starts_with("line oneline two é"),
        "{description}"
    );
    assert_eq!(description.chars().count(), 256);
    assert!(!error.to_string().contains(char::is_control));
}

#[test]
fn row_11_the_servers_clock_is_compared_with_ours() {
    for (date, offset) in [
        (Some("Tue, 14 Nov 2023 22:13:20 GMT"), Some(0)),
        (Some("Tue, 14 Nov 2023 22:18:20 GMT"), Some(300)),
        (Some("Tue, 14 Nov 2023 22:13:13 GMT"), Some(-7)),
        (Some("yesterday"), None),
        (None, None),
    ] {
        let response = json(400, &json!({"error": "invalid_grant"}));
        let response = match date {
            Some(date) => response.with_header("date", date),
            None => response,
        };
        assert_eq!(refusal(&client(), response).clock_offset(), offset);
    }
}

#[test]
fn row_12_an_error_in_a_200_is_an_error_even_beside_a_token() {
    for body in [
        json!({"error": "invalid_grant", "error_description": "no"}),
        json!({"error": "invalid_grant", "error_description": "no", "access_token": "an-opaque-token"}),
    ] {
        let error = refusal(&client(), json(200, &body));
        assert_eq!(error.kind(), Denied);
        assert_eq!(error.code(), Some("invalid_grant"));
        assert_eq!(error.description(), Some("no"));
        assert_eq!(error.status(), Some(200));
    }
    for error in [json!(""), json!(null)] {
        let body = json!({"error": error, "access_token": "t"});
        let token = read(&client(), json(200, &body)).unwrap();
        assert_eq!(token.secret(), "t");
    }
}

#[test]
fn row_12_an_access_token_that_is_none_is_a_protocol_error() {
    let unusable = "the access_token is empty or holds something other than visible ASCII";
    for (token, text) in [
        (json!(null), "the response has no access_token"),
        (json!(5), "the access_token is not a string"),
        (json!(["t"]), "the access_token is not a string"),
        (json!(""), unusable),
        (json!(" "), unusable),
        (json!(" t"), unusable),
        (json!("t "), unusable),
        (json!("a b"), unusable),
        (json!("t\n"), unusable),
        (json!("t\r\nX-Admin: 1"), unusable),
        (json!("t\u{0}"), unusable),
        (json!("t\u{7f}"), unusable),
        (json!("tök"), unusable),
    ] {
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 300});
        let error = refusal(&client(), json(200, &body));
        assert_eq!(error.kind(), Protocol);
        assert_eq!(error.to_string(), format!("{text} (status 200)"));
    }
    let error = refusal(&client(), json(200, &json!({"expires_in": 300})));
    assert_eq!(
        error.to_string(),
        "the response has no access_token (status 200)"
    );
}

#[test]
fn a_body_that_is_compressed_unasked_is_told_and_a_header_alone_does_no_harm() {
    let gzip =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    for (encoding, text) in [
        (
            "gzip",
            "the response is compressed, though nobody asked for that",
        ),
        (
            "br, gzip",
            "the response is compressed, though nobody asked for that",
        ),
        ("identity", "the response is not a JSON object"),
    ] {
        let response = Response::new(200, gzip.as_slice());
        let error = refusal(
            &client(),
            response.with_header("content-encoding", encoding),
        );
        assert_eq!(error.kind(), Protocol);
        assert_eq!(error.to_string(), format!("{text} (status 200)"));
    }
    let response = json(200, &json!({"access_token": "t"})).with_header("Content-Encoding", "gzip");
    assert_eq!(read(&client(), response).unwrap().secret(), "t");
}

#[test]
fn row_12_any_visible_ascii_is_a_token_and_is_handed_on_as_it_came() {
    let all: String = ('!'..='~').collect();
    for status in [200, 201] {
        let token = read(&client(), json(status, &json!({"access_token": all}))).unwrap();
        assert_eq!(token.secret(), all);
        assert_eq!(token.authorization(), format!("Bearer {all}"));
    }
}

#[test]
fn row_13_token_type_is_bearer_in_any_case_or_missing() {
    for kind in ["Bearer", "bearer", "BEARER", "bEaReR"].map(Value::from) {
        let body = json!({"access_token": "t", "token_type": kind});
        assert_eq!(
            read(&client(), json(200, &body)).unwrap().authorization(),
            "Bearer t"
        );
    }
    for body in [
        json!({"access_token": "t"}),
        json!({"access_token": "t", "token_type": null}),
    ] {
        assert_eq!(
            read(&client(), json(200, &body)).unwrap().authorization(),
            "Bearer t"
        );
    }
    for kind in [
        json!("mac"),
        json!("DPoP"),
        json!("N_A"),
        json!("Bearer x"),
        json!(1),
    ] {
        let body = json!({"access_token": "t", "token_type": kind});
        let error = refusal(&client(), json(200, &body));
        assert_eq!(error.kind(), Protocol);
        assert_eq!(
            error.to_string(),
            "the token is not a bearer token (status 200)"
        );
    }
}

#[test]
fn row_14_expires_in_is_read_in_every_form_and_missing_never_means_forever() {
    let month = 31 * 24 * 3600;
    let default = 777;
    let profile = client().with_token_lifetime(seconds(default));
    for (expires_in, expected) in [
        ("300", 300),
        ("\"300\"", 300),
        ("300.0", 300),
        ("\"300.0\"", 300),
        ("\" 300 \"", 300),
        ("\"+300\"", 300),
        ("\"+-300\"", default),
        ("\"++300\"", default),
        ("\"00\"", default),
        ("\"0300\"", 300),
        ("3e2", 300),
        ("1", 1),
        ("0", default),
        ("0.0", default),
        ("1e-12", default), // less than a nanosecond
        ("\"0\"", default),
        ("-1", default),
        ("-300.5", default),
        ("\"-1\"", default),
        ("-1e300", default),
        ("2678400", month),
        ("2678401", month),
        ("3600000", month), // milliseconds, says whoever wrote it
        ("18446744073709551615", month),
        ("99999999999999999999999999", month),
        ("\"99999999999999999999999999\"", month),
        ("1e300", month),
        ("null", default),
        ("\"\"", default),
        ("\"soon\"", default),
        ("\"NaN\"", default),
        ("true", default),
        ("[300]", default),
        ("{}", default),
    ] {
        let body = format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#);
        let token = read(&profile, Response::new(200, body)).unwrap();
        assert_eq!(life(&token), seconds(expected), "{expires_in}");
    }
    let half = read(
        &profile,
        Response::new(200, r#"{"access_token":"t","expires_in":1.5}"#),
    );
    let half = life(&half.unwrap());
    for written in ["0.5", "+00.5"] {
        let body = format!(r#"{{"access_token":"t","expires_in":"{written}"}}"#);
        let token = read(&profile, Response::new(200, body)).unwrap();
        assert_eq!(life(&token), Duration::from_millis(500), "{written}");
    }
    assert!(
        half > seconds(0) && half <= Duration::from_millis(1500),
        "{half:?}"
    );
    let token = read(&profile, Response::new(200, r#"{"access_token":"t"}"#)).unwrap();
    assert_eq!(life(&token), seconds(default));
}

#[test]
fn row_14_nothing_overflows_at_the_end_of_time() {
    let mut end = at(0);
    let mut step = Duration::MAX;
    while step > seconds(0) {
        match end.checked_add(step) {
            Some(later) => end = later,
            None => step /= 2,
        }
    }
    let profile = marketing(); // no exp, which could not be written
    let key = hmac();
    let exchange = Exchange::new(&profile, &key, end).unwrap();
    let body = r#"{"access_token":"t","expires_in":300}"#;
    let token = exchange.read(Response::new(200, body)).unwrap();
    assert!(token.expires_at() <= end);
}

#[test]
fn row_14_a_default_of_nothing_or_of_more_than_31_days_is_refused() {
    let text = "the lifetime of a token is from above zero to 31 days";
    for lifetime in [seconds(0), seconds(31 * 24 * 3600 + 1), Duration::MAX] {
        is_refused(&client().with_token_lifetime(lifetime), text);
    }
    signed(&client().with_token_lifetime(seconds(31 * 24 * 3600)));
}

/// Whatever is no `null`, `false` or nothing is an error, whoever wrote it (RFC 6749 §5.2 has a string).
#[test]
fn row_11_an_error_in_a_200_of_any_type_is_one() {
    let answer = |error: &str| {
        let body = format!(r#"{{"access_token":"t","error":{error}}}"#);
        read(&client(), Response::new(200, body)).is_ok()
    };
    for error in ["null", "false", r#""""#, "[]", "{}"] {
        assert!(answer(error), "{error}");
    }
    for error in ["true", "1", r#""invalid_grant""#, r#"["a"]"#, r#"{"a":1}"#] {
        assert!(!answer(error), "{error}");
    }
}

#[test]
fn row_15_a_redirect_is_an_error_that_names_the_new_host_only() {
    let location = "https://user:pa55@elsewhere.example:8443/login/path?session=s3cr3t#anchor";
    for status in [300, 301, 302, 303, 307, 308] {
        for body in [
            "",
            "<html>Moved</html>",
            r#"{"message":"Moved Permanently"}"#,
        ] {
            let response = Response::new(status, body).with_header("Location", location);
            let error = refusal(&client(), response);
            assert_eq!((error.kind(), error.is_retryable()), (Protocol, false));
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(text.contains("elsewhere.example"), "{text}");
                for part in ["pa55", "login", "path", "s3cr3t", "anchor"] {
                    assert!(!text.contains(part), "{part}: {text}");
                }
            }
        }
    }
}

#[test]
fn row_15_a_redirect_for_a_missing_slash_or_to_nowhere_is_an_error_too() {
    for location in [
        Some("/token/"),
        Some("token/"),
        Some("ticket=s3cr3t"),
        Some("::"),
        Some(""),
        None,
    ] {
        // A token in its body is no reason to believe it.
        let mut response = Response::new(301, r#"{"access_token":"t"}"#);
        if let Some(location) = location {
            response = response.with_header("Location", location);
        }
        let error = refusal(&client(), response);
        assert_eq!((error.kind(), error.status()), (Protocol, Some(301)));
        assert!(error.to_string().contains("redirects"), "{error}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
    let endless = format!("https://{}/", "a".repeat(10_000));
    let response = Response::new(301, "").with_header("Location", endless);
    let text = refusal(&client(), response).to_string();
    assert!(text.len() < 512, "{}", text.len());
}

#[test]
fn row_16_plain_http_is_refused_and_loopback_excepted() {
    let made = |base: &str| {
        let below = |path: &str| format!("{base}{path}");
        let token = client_at(Endpoint::token(below("/token")).unwrap());
        let document = json!({"token_endpoint": below("/token")});
        [
            token.metadata_requests(),
            client_at(Endpoint::issuer(base).unwrap()).metadata_requests(),
            client_at(Endpoint::metadata(below("/m")).unwrap()).metadata_requests(),
            Profile::salesforce(base, "key", "user")
                .unwrap()
                .metadata_requests(),
            Profile::cylance(base, "tenant", "app")
                .unwrap()
                .metadata_requests(),
            client_at(Endpoint::metadata(below("/m")).unwrap())
                .with_metadata(&json(200, &document))
                .map(|_| Vec::new()),
        ]
    };
    for outcome in made("http://as.example.com") {
        let text = outcome.unwrap_err().to_string();
        assert!(
            text.contains("is not https (http is for loopback alone)"),
            "{text}"
        );
    }
    for base in [
        "https://as.example.com",
        "http://localhost:8080",
        "http://127.0.0.1:1",
    ] {
        for outcome in made(base) {
            outcome.unwrap();
        }
    }
}

#[test]
fn row_16_a_response_of_64_kib_is_read_and_a_byte_more_is_refused() {
    let padded = |start: &str, length: usize| start.to_owned() + &" ".repeat(length - start.len());
    let token = r#"{"access_token":"t"}"#;
    let denied = r#"{"error":"invalid_grant"}"#;
    let limit = 64 * 1024;
    let read = |status, body| read(&client(), Response::new(status, body));
    assert_eq!(read(200, padded(token, limit)).unwrap().secret(), "t");
    assert_eq!(read(400, padded(denied, limit)).unwrap_err().kind(), Denied);
    for (status, body) in [(200, token), (400, denied)] {
        let error = read(status, padded(body, limit + 1)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Protocol, None));
        let text = format!("the response is longer than 64 KiB (status {status})");
        assert_eq!(error.to_string(), text);
    }
    // A page about an outage is one of any length.
    let error = read(503, padded("<html>", limit + 1)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Unavailable, true));
}

#[test]
fn row_17_a_403_from_a_firewall_is_not_the_authorization_servers_verdict() {
    let page = "<html><head><title>Request blocked</title></head><body>error</body></html>";
    for (name, profile) in every_profile() {
        let response = Response::new(403, page).with_header("Content-Type", "text/html");
        let error = refusal(&profile, response);
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (Protocol, false),
            "{name}"
        );
        assert_eq!((error.code(), error.description()), (None, None), "{name}");
        assert_eq!(
            error.to_string(),
            "something other than an authorization server answered (status 403)"
        );
    }
}

#[test]
fn every_response_is_what_the_table_says() {
    let token = r#"{"access_token":"t"}"#;
    let oauth = r#"{"error":"x"}"#;
    let message = r#"{"message":"x"}"#;
    let html = "<html></html>";
    let no = |kind: ErrorKind| Some((kind, kind == Unavailable));
    let mut table = Vec::new();
    for status in [200, 201, 202, 206, 299] {
        table.push((status, token, client(), None));
        table.push((status, r#"{"access_token":"t","error":""}"#, client(), None));
        table.push((
            status,
            r#"{"access_token":"t","error":null}"#,
            client(),
            None,
        ));
        table.push((
            status,
            r#"{"access_token":"t","error":"x"}"#,
            client(),
            no(Denied),
        ));
        table.push((status, oauth, cylance(), no(Denied)));
        table.push((status, html, client(), no(Protocol)));
        table.push((status, "", client(), no(Protocol)));
        table.push((status, "[]", client(), no(Protocol)));
        table.push((status, r#"[{"access_token":"t"}]"#, client(), no(Protocol)));
        table.push((status, message, cylance(), no(Protocol)));
    }
    for status in [408, 429, 500, 502, 503, 504] {
        for body in [oauth, message, html, "", token] {
            table.push((status, body, client(), no(Unavailable)));
            table.push((status, body, cylance(), no(Unavailable)));
        }
    }
    for status in [400, 401, 403, 404, 405, 409, 410, 418, 422, 451] {
        table.push((status, oauth, client(), no(Denied)));
        table.push((status, message, cylance(), no(Denied)));
        table.push((status, message, client(), no(Protocol)));
        table.push((status, html, cylance(), no(Protocol)));
        table.push((status, token, client(), no(Protocol)));
        table.push((status, r#"{"error":""}"#, client(), no(Protocol)));
        table.push((status, r#"{"error":null}"#, client(), no(Protocol)));
        let kind = if status <= 403 { Denied } else { Protocol };
        table.push((status, "", client(), no(kind)));
        table.push((status, "", cylance(), no(kind)));
    }
    for status in [300, 301, 302, 303, 304, 307, 308, 501, 505, 520, 100, 600] {
        for body in [token, oauth, message, html, ""] {
            table.push((status, body, client(), no(Protocol)));
            table.push((status, body, cylance(), no(Protocol)));
        }
    }
    for (status, body, profile, expected) in table {
        let error = read(&profile, Response::new(status, body)).err();
        let found = error.as_ref().map(|e| (e.kind(), e.is_retryable()));
        assert_eq!(found, expected, "{status} {body}");
        assert!(error.is_none_or(|e| e.status() == Some(status)));
    }
}

#[test]
fn what_was_granted_is_the_scope_and_else_what_was_asked() {
    let asked = client().with_scope("read write");
    let claimed = asked
        .clone()
        .with_scope_placement(ScopePlacement::ClaimWithSpaces("scope".into()));
    let plain = json!({"access_token": "t"});
    let with = |scope: Value| json!({"access_token": "t", "scope": scope});
    let granted = with(json!("read"));
    for (profile, body, scope) in [
        (&asked, &granted, Some("read")),
        (&asked, &plain, Some("read write")),
        (&claimed, &plain, Some("read write")),
        (&client(), &granted, Some("read")),
        (&client(), &plain, None),
        (&asked, &with(json!(null)), Some("read write")),
        (&asked, &with(json!("")), Some("")),
        // some servers write an array (Twitch's documents it so)
        (&asked, &with(json!(["read", "list"])), Some("read list")),
        (&asked, &with(json!(["read"])), Some("read")),
        (&asked, &with(json!([])), Some("")),
        // what cannot be read is not what was asked
        (&asked, &with(json!(["read", 7])), None),
        (&asked, &with(json!([["read"]])), None),
        (&asked, &with(json!({"read": true})), None),
        (&asked, &with(json!(7)), None),
        (&asked, &with(json!(false)), None),
    ] {
        let token = read(profile, json(200, body)).unwrap();
        assert_eq!(token.scope(), scope);
    }
}

#[test]
fn an_unavailable_server_keeps_its_code() {
    let body = json!({"error": "temporarily_unavailable", "error_description": "try later"});
    let error = refusal(&client(), json(503, &body));
    assert_eq!(error.code(), Some("temporarily_unavailable"));
    assert_eq!(error.description(), Some("try later"));
}

// Secrets

/// The error for a response that repeats its assertion, once it was looked through.
#[track_caller]
fn echo(status: u16, body: impl Fn(&str) -> Value) -> Error {
    echo_of(&cylance(), status, body) // it reads `message`, too
}

#[track_caller]
fn echo_of(profile: &Profile, status: u16, body: impl Fn(&str) -> Value) -> Error {
    let key = rsa();
    let exchange = Exchange::new(profile, &key, now()).unwrap();
    let assertion = exchange.assertion().secret().to_owned();
    let location = format!("https://{assertion}/{assertion}");
    let response = json(status, &body(&assertion)).with_header("Location", location);
    let error = exchange.read(response).unwrap_err();
    let mut shown = vec![
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ];
    shown.extend(error.code().map(str::to_owned));
    shown.extend(error.description().map(str::to_owned));
    shown.extend(error.source().map(|source| format!("{source} {source:?}")));
    for run in assertion.as_bytes().windows(16) {
        let run = str::from_utf8(run).unwrap(); // so much does not come about by chance
        for text in &shown {
            assert!(!text.contains(run), "{run} is in {text}");
        }
    }
    error
}

#[test]
fn row_24_an_echoed_assertion_does_not_get_into_the_error() {
    for status in [200, 302, 400, 401, 403, 404, 429, 501, 503] {
        echo(status, |jwt| json!({"error": jwt}));
        echo(
            status,
            |jwt| json!({"error": "invalid_grant", "error_description": jwt}),
        );
        echo(status, |jwt| json!({"message": jwt}));
        echo(
            status,
            |jwt| json!({"message": format!("{jwt}{jwt} {jwt}")}),
        );
        echo(status, |jwt| json!([{"message": jwt}]));
    }
}

#[test]
fn row_24_the_words_around_an_echo_stay_though_it_is_longer_than_they_may_be() {
    let error = echo(400, |jwt| {
        assert!(jwt.len() > 256);
        json!({
            "error": format!("bad {jwt} grant"),
            "error_description": format!("assertion {jwt} has expired: check the clock"),
        })
    });
    let description = error.description().unwrap();
    assert!(description.starts_with("assertion "), "{description}");
    assert!(
        description.ends_with(" has expired: check the clock"),
        "{description}"
    );
    let code = error.code().unwrap();
    assert!(
        code.starts_with("bad ") && code.ends_with(" grant"),
        "{code}"
    );
    let echoed = error.response().unwrap().body(); // the door for a support case
    assert!(echoed.len() > 600);
}

#[test]
fn row_24_the_words_behind_an_echo_of_many_claims_stay() {
    let profile = cylance().with_claim("groups", "0123456789abcdef ".repeat(200));
    let error = echo_of(&profile, 400, |jwt| {
        assert!(jwt.len() > 4000);
        json!({"message": format!("{jwt} has expired: check the clock")})
    });
    assert_eq!(
        error.description(),
        Some("[..] has expired: check the clock")
    );
}

#[test]
fn row_24_a_part_of_the_assertion_is_cut_out_too() {
    let parts: [fn(&str) -> &str; 7] = [
        |jwt| &jwt[50..66],
        |jwt| &jwt[..40],
        |jwt| &jwt[100..200],
        |jwt| &jwt[jwt.len() - 50..],
        |jwt| &jwt[1..],
        |jwt| jwt.split('.').nth(1).unwrap(),
        |jwt| jwt.rsplit('.').next().unwrap(),
    ];
    for part in parts {
        let error = echo(
            400,
            |jwt| json!({"error": "x", "error_description": part(jwt)}),
        );
        assert!(error.description().unwrap().len() < 16);
        let error = echo(
            400,
            |jwt| json!({"message": format!("bad: {}!", part(jwt))}),
        );
        let description = error.description().unwrap();
        assert!(
            description.starts_with("bad: ") && description.ends_with('!'),
            "{description}"
        );
    }
}

#[test]
fn row_24_control_characters_do_not_hide_an_echo() {
    for control in ['\n', '\t', '\0', '\u{1b}', '\u{7f}', '\u{85}'] {
        for every in [1, 7, 64] {
            let error = echo(400, |jwt| {
                let lines = jwt
                    .as_bytes()
                    .chunks(every)
                    .map(|c| str::from_utf8(c).unwrap());
                let hidden = lines.collect::<Vec<_>>().join(&control.to_string());
                json!({"error": hidden, "error_description": format!("bad: {hidden} (clock?)")})
            });
            let description = error.description().unwrap();
            assert!(description.ends_with(" (clock?)"), "{description}");
        }
    }
}

#[test]
fn row_24_an_echoed_parameter_is_cut_out_unless_an_rfc_says_that_it_is_no_secret() {
    let profile = client()
        .with_scope("read write")
        .with_parameter("subject_token", "hunter2-of-another-server")
        .with_parameter("password", "hunter2")
        .with_parameter("pin", "835146")
        .with_parameter("level", "basic")
        .with_parameter("resource", "https://api.example.com/v1")
        .with_parameter("audience", "https://audience.example.com")
        .with_parameter("requested_token_type", "urn:example:token-type:jwt");
    let told = |status, words: &str| {
        let body = json!({"error": "invalid_target", "error_description": words});
        let error = refusal(&profile, json(status, &body));
        error.description().unwrap().to_owned()
    };
    for status in [200, 400, 503] {
        for (words, told_as) in [
            (
                "bad: subject_token=hunter2-of-another-server!",
                "bad: subject_token=[..]!",
            ),
            ("bad: hunter2-of-another", "bad: [..]"),
            ("password hunter2 is wrong", "password [..] is wrong"),
            ("pin 835146 is wrong", "pin [..] is wrong"),
        ] {
            assert_eq!(told(status, words), told_as);
        }
        for words in [
            "client client-1 may not use client_credentials for https://api.example.com/v1",
            "no urn:example:token-type:jwt for https://audience.example.com, nor read write",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer is not taken",
            "this basically failed", // five characters are in any sentence
        ] {
            assert_eq!(told(status, words), words);
        }
    }
}
