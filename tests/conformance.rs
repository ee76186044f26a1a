//! Tests for what goes wrong in other clients of this kind, or was asked of them in public.
//!
//! Each item of the list names the tests that check it. A name with a file in front is in that file
//! of `tests/`; the others are here, where no socket is opened.
//!
//! Assertions
//! 1. All three segments are base64url without padding (RFC 7515 §2). With the standard alphabet or
//!    with `=`, about every second token is refused: `assertion_segments_are_base64url_without_padding`.
//! 2. An absent claim is left out; there is no `"sub":null`:
//!    `absent_claim_or_header_member_is_left_out_instead_of_null`.
//! 3. `exp`, `iat` and `nbf` are integer seconds, not milliseconds, strings or floats:
//!    `exp_and_iat_are_integer_seconds_at_any_fraction_of_the_clock`,
//!    `nbf_other_than_integer_seconds_is_refused`.
//! 4. `jti` is new in every assertion and in every retry, because servers record it even when they
//!    refuse the request: `jti_is_unique_in_a_thousand_assertions`,
//!    `jti_is_a_version_4_uuid_with_hyphens_or_as_32_hex_digits`,
//!    `exchanges_in_the_same_second_carry_different_assertions`,
//!    `source::retryable_failure_is_tried_three_times_with_a_new_jti_each`.
//! 5. `aud` is one string with its trailing slash as given, never an array, and can be set apart from
//!    the token URL. The successor of RFC 7523 wants the issuer as its only value for client
//!    authentication; several servers want the token endpoint:
//!    `aud_is_one_string_and_its_trailing_slash_is_unchanged`,
//!    `aud_is_a_setting_apart_from_the_token_url`,
//!    `discovery::audience_is_the_discovered_issuer_or_token_endpoint`,
//!    `discovery::audience_issuer_is_never_chosen_by_the_metadata_of_another_server`.
//! 6. `kid` and `typ` can be set, and `typ` is `JWT` by default:
//!    `typ_defaults_to_jwt_and_kid_and_alg_come_from_the_signer`.
//! 7. `iat` can be moved back, `exp` can be set or left out. Many servers refuse an assertion that is
//!    valid for an hour, so defaults are 60 to 180 seconds, and Cylance allows 30 minutes:
//!    `lifetimes_default_to_those_of_each_profile`,
//!    `iat_leeway_moves_iat_back_and_assertion_lifetime_sets_or_omits_exp`,
//!    `cylance_refuses_exp_more_than_30_minutes_after_iat`,
//!    `assertion_times_out_of_range_are_refused_without_overflow`.
//!
//! Keys
//! 8. PKCS#1 and PKCS#8 are read, as PEM and as DER. The error names a key of another kind: public
//!    key, certificate, EC key, encrypted key without passphrase, under 2048 bits, restricted to PSS:
//!    all of `keys` but the HMAC secrets.
//! 9. PEM is read as people have it: with CRLF, a byte order mark, indentation, quotes, literal `\n`,
//!    spaces for newlines, a wrapped END line, a certificate in the same file, in base64 once more.
//!    The error for a text that cannot be repaired says what is wrong and quotes nothing of it: all of
//!    `pem`.
//! 10. An HMAC secret is the bytes given, without decoding or trimming, and an empty one is refused:
//!     `keys::hmac_secret_is_not_trimmed`, `keys::hmac_secret_like_base64_or_hex_is_not_decoded`,
//!     `keys::hmac_secret_signs_as_rfc_4231_prints`, `keys::empty_hmac_secret_is_refused`.
//!
//! Exchange
//! 11. The body of a 4xx is read: `error` and `error_description` reach the caller with status and
//!     headers, under any `Content-Type`. `{"message": ...}`, an array, HTML and an empty body give a
//!     clear error too: `error_response_is_read_under_any_content_type`,
//!     `message_member_is_denied_for_cylance_and_a_description_for_all`,
//!     `error_response_of_any_shape_gives_a_clear_error`,
//!     `error_code_and_description_are_one_line_of_at_most_256_characters`,
//!     `unavailable_error_keeps_code_and_description`,
//!     `clock_offset_is_the_date_header_minus_local_time`, `flow::body_of_a_4xx_is_read_with_any_agent`.
//! 12. A 200 with `error` is an error. An `access_token` that is absent, empty or not visible ASCII, and
//!     a compressed body, are protocol errors: `error_in_a_200_is_denied_even_beside_an_access_token`,
//!     `error_in_a_200_of_any_json_type_is_an_error`, `unusable_access_token_is_a_protocol_error`,
//!     `access_token_of_any_visible_ascii_is_returned_unchanged`,
//!     `compressed_body_is_named_and_content_encoding_alone_is_ignored`.
//! 13. `token_type` is bearer in any case, or absent: `token_type_is_bearer_in_any_case_or_absent`.
//! 14. `expires_in` is read as number, string or float. If it is absent or makes no sense, the
//!     default of the profile counts, never forever, and nothing overflows:
//!     `expires_in_is_read_in_every_form_and_absent_never_means_forever`,
//!     `expires_at_does_not_overflow_at_the_latest_system_time`,
//!     `token_lifetime_of_zero_or_over_31_days_is_refused`.
//! 15. A redirect of the token request is not followed, and the error names the host of `Location`
//!     only: `redirect_error_names_the_host_of_location_only`,
//!     `redirect_with_relative_or_unusable_location_is_an_error`,
//!     `flow::redirect_of_any_status_is_not_followed_by_any_agent`.
//! 16. Plain http is refused except to loopback, a response over 64 KiB is refused, and a silent
//!     server ends in a timeout: `plain_http_is_refused_except_to_loopback`,
//!     `response_of_64_kib_is_read_and_one_byte_more_is_refused`,
//!     `providers::endpoint_url_is_https_or_http_to_loopback`,
//!     `flow::response_of_64_kib_is_accepted_and_a_longer_one_refused_with_any_agent`,
//!     `flow::silent_or_dripping_server_ends_in_the_timeout`.
//! 17. The HTML 403 of a firewall is not taken for a denial by the authorization server:
//!     `html_403_of_a_firewall_is_protocol_error_instead_of_denied`,
//!     `status_and_body_decide_the_error_kind`.
//!
//! Keeping tokens
//! 18. Different subjects, scopes, audiences or keys never share a token:
//!     `source::token_sources_of_different_identities_never_share_a_token`,
//!     `store::stored_tokens_of_different_identities_are_never_shared`.
//! 19. Of many callers one fetches. Waiters look into the cache again before they fetch, and share the
//!     failure: `source::token_cache_fetches_once_for_concurrent_callers`,
//!     `source::token_cache_shares_failure_with_waiters`.
//! 20. A failed early refresh keeps a good token. A token that arrives expired, or expires within the
//!     refresh margin, does not cost a request per call:
//!     `source::failed_early_refresh_keeps_the_cached_token`,
//!     `source::short_or_expired_token_does_not_cost_a_request_per_call`.
//! 21. A denial such as `invalid_grant` is not retried. 429 and 5xx are retried with a new assertion
//!     within one deadline, after `Retry-After` in seconds or as a date:
//!     `source::denial_is_not_retried_and_unavailable_is_within_the_deadline`,
//!     `source::retry_after_is_waited_for_as_seconds_and_as_a_date`.
//! 22. Invalidating an old token after a 401 keeps a newer one, and a 401 costs one repetition at most:
//!     `source::invalidate_of_an_old_token_keeps_the_newer_one`,
//!     `source::call_repeats_a_401_once_unless_the_token_is_young`.
//!
//! Secrets
//! 23. No key, secret, assertion or token is in `Debug`, `Display`, error chains or logs: all of
//!     `secrets`.
//! 24. An assertion that a server reflects in its error text is redacted from our error:
//!     `reflected_assertion_is_redacted_from_the_error`,
//!     `reflected_part_of_the_assertion_is_redacted`,
//!     `control_characters_do_not_hide_a_reflected_assertion`,
//!     `text_around_a_reflected_assertion_is_kept`, `text_after_a_long_reflected_assertion_is_kept`,
//!     `reflected_parameter_is_redacted_unless_an_rfc_calls_it_public`.
//!
//! Besides the list: `token_scope_is_the_granted_one_or_else_the_requested_one`.

mod support;

use std::collections::{BTreeSet, HashSet};
use std::error::Error as _;
use std::str;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::ErrorKind::{Config, Denied, Protocol, Unavailable};
use jwt_bearer::{
    Algorithm, Audience, BoxError, Endpoint, Error, ErrorKind, Exchange, HmacKey, Jti, Profile,
    Response, ScopePlacement, Signer,
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
fn error_from(profile: &Profile, response: Response) -> Error {
    read(profile, response).unwrap_err()
}

// Assertions

#[test]
fn assertion_segments_are_base64url_without_padding() {
    let awkward = "???>>>~~~"; // encodes to + and / of the standard alphabet, at every offset
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
        assert!(lengths.contains(&(1, 2)) && lengths.contains(&(1, 3))); // the lengths that padding would fill up
    }
}

#[test]
fn absent_claim_or_header_member_is_left_out_instead_of_null() {
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
fn exp_and_iat_are_integer_seconds_at_any_fraction_of_the_clock() {
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
            assert_eq!(written("exp"), exp.map(Value::from), "{name}"); // as `Value`s, 1.0 and 1 differ
            assert_eq!(written("iat"), iat.map(Value::from), "{name}");
        }
    }
}

#[test]
fn nbf_other_than_integer_seconds_is_refused() {
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
        (0..200).fold(json!(NOW), |value, _| json!([value])), // nested deeper than parsers go
    ] {
        is_refused(
            &grant().with_claim("nbf", nbf),
            "claim nbf is not a whole number of seconds",
        );
    }
}

#[test]
fn jti_is_unique_in_a_thousand_assertions() {
    for (name, profile) in every_profile() {
        let jti = |_| claims(&signed(&profile))["jti"].to_string();
        let all: HashSet<_> = (0..1000).map(jti).collect();
        assert_eq!(all.len(), 1000, "{name}");
    }
}

#[test]
fn jti_is_a_version_4_uuid_with_hyphens_or_as_32_hex_digits() {
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
fn exchanges_in_the_same_second_carry_different_assertions() {
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
fn aud_is_one_string_and_its_trailing_slash_is_unchanged() {
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
fn aud_is_a_setting_apart_from_the_token_url() {
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

/// A signer whose key is outside this process, in a KMS or an HSM.
struct RemoteKey;

impl Signer for RemoteKey {
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
fn typ_defaults_to_jwt_and_kid_and_alg_come_from_the_signer() {
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
            &RemoteKey,
            json!({"typ": "JWT", "alg": "ES256", "kid": "elsewhere-1"}),
        ),
    ];
    for (profile, signer, expected) in cases {
        let assertion = profile.assertion(signer, now()).unwrap();
        assert_eq!(Value::from(header(assertion.secret())), expected);
    }
}

#[test]
fn lifetimes_default_to_those_of_each_profile() {
    // seconds from now to exp, whether iat is present, lifetime of a token without expires_in
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
fn iat_leeway_moves_iat_back_and_assertion_lifetime_sets_or_omits_exp() {
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
fn cylance_refuses_exp_more_than_30_minutes_after_iat() {
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
fn assertion_times_out_of_range_are_refused_without_overflow() {
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
fn error_response_is_read_under_any_content_type() {
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
        let error = error_from(&grant(), response);
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
fn message_member_is_denied_for_cylance_and_a_description_for_all() {
    for (profile, kind) in [(cylance(), Denied), (client(), Protocol)] {
        let body = json!({"message": "Invalid JWT payload"});
        let error = error_from(&profile, json(401, &body));
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
fn error_response_of_any_shape_gives_a_clear_error() {
    let list = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    let null = r#"{"error":"invalid_client","error_description":null}"#;
    let object = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT"}}"#;
    let html = "<!DOCTYPE html><html><body>Bad Request</body></html>";
    let other = "something other than an authorization server answered";
    let refused = "the authorization server refused";
    for (status, body, kind, code, text) in [
        (
            400,
            list,
            Protocol,
            Some("INVALID_SESSION_ID"),
            "session expired or invalid",
        ),
        (400, "[]", Protocol, None, other),
        (400, html, Protocol, None, other),
        (400, "{", Protocol, None, other),
        (400, "null", Protocol, None, other),
        (404, "", Protocol, None, other),
        (400, "", Denied, None, "gave no reason"),
        (400, null, Denied, Some("invalid_client"), refused),
        (400, object, Denied, Some("INVALID_ARGUMENT"), refused),
    ] {
        let error = error_from(&client(), Response::new(status, body));
        assert_eq!((error.kind(), error.code()), (kind, code), "{body}");
        let shown = error.to_string();
        assert!(shown.to_lowercase().contains(text), "{shown}");
        assert!(shown.ends_with(&format!("(status {status})")), "{shown}");
        assert_eq!(error.response().unwrap().body(), body.as_bytes());
    }
}

#[test]
fn error_code_and_description_are_one_line_of_at_most_256_characters() {
    let body = json!({
        "error": "invalid\n_grant\u{1b}[31m",
        "error_description": format!("line one\r\nline\u{7} two\u{9b} {}", "é".repeat(1000)),
    });
    let error = error_from(&client(), json(400, &body));
    assert_eq!(error.code(), Some("invalid _grant"));
    let description = error.description().unwrap();
    assert!(
        description.starts_with("line one line two é"),
        "{description}"
    );
    assert_eq!(description.chars().count(), 256);
    assert!(!error.to_string().contains(char::is_control));
}

#[test]
fn clock_offset_is_the_date_header_minus_local_time() {
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
        assert_eq!(error_from(&client(), response).clock_offset(), offset);
    }
}

#[test]
fn error_in_a_200_is_denied_even_beside_an_access_token() {
    for body in [
        json!({"error": "invalid_grant", "error_description": "no"}),
        json!({"error": "invalid_grant", "error_description": "no", "access_token": "an-opaque-token"}),
    ] {
        let error = error_from(&client(), json(200, &body));
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
fn unusable_access_token_is_a_protocol_error() {
    let unusable = "the access_token is empty or holds something other than visible ASCII";
    for (token, text) in [
        (
            json!(null),
            "the response has no access_token; it has expires_in, token_type",
        ),
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
        let error = error_from(&client(), json(200, &body));
        assert_eq!(error.kind(), Protocol);
        assert_eq!(error.to_string(), format!("{text} (status 200)"));
    }
    let error = error_from(&client(), json(200, &json!({"expires_in": 300})));
    assert_eq!(
        error.to_string(),
        "the response has no access_token; it has expires_in (status 200)"
    );
    let nested = json!({"auth": {"client_token": "t", "n": null}, "data": [1]});
    assert_eq!(
        error_from(&client(), json(200, &nested)).to_string(),
        "the response has no access_token; it has /auth/client_token, data: the setting token-member names the member \
         of the token (status 200)"
    );
    let body = json!({"id_token": "t", "expires_in": 300, "a name with blanks": 1});
    assert_eq!(
        error_from(&client(), json(200, &body)).to_string(),
        "the response has no access_token; it has expires_in, id_token: the setting token-member names the member of \
         the token (status 200)"
    );
}

#[test]
fn compressed_body_is_named_and_content_encoding_alone_is_ignored() {
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
        let error = error_from(
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
fn access_token_of_any_visible_ascii_is_returned_unchanged() {
    let all: String = ('!'..='~').collect();
    for status in [200, 201] {
        let token = read(&client(), json(status, &json!({"access_token": all}))).unwrap();
        assert_eq!(token.secret(), all);
        assert_eq!(token.authorization(), format!("Bearer {all}"));
    }
}

#[test]
fn token_type_is_bearer_in_any_case_or_absent() {
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
    let bound = json!({"access_token": "t", "token_type": "DPoP"});
    assert_eq!(
        error_from(&client(), json(200, &bound)).to_string(),
        "the token is bound to a key by DPoP (RFC 9449), which is not supported: switch it off for this client \
         (status 200)"
    );
    for kind in [json!("mac"), json!("N_A"), json!("Bearer x"), json!(1)] {
        let body = json!({"access_token": "t", "token_type": kind});
        let error = error_from(&client(), json(200, &body));
        assert_eq!(error.kind(), Protocol);
        assert_eq!(
            error.to_string(),
            "the token is not a bearer token (status 200)"
        );
    }
}

#[test]
fn expires_in_is_read_in_every_form_and_absent_never_means_forever() {
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
        ("3600000", month), // meant as milliseconds
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
fn expires_at_does_not_overflow_at_the_latest_system_time() {
    let mut end = at(0);
    let mut step = Duration::MAX;
    while step > seconds(0) {
        match end.checked_add(step) {
            Some(later) if later > end => end = later, // a shorter step than the clock's changes nothing
            _ => step /= 2,
        }
    }
    let profile = marketing(); // its assertions have no exp, which would be out of range
    let key = hmac();
    let exchange = Exchange::new(&profile, &key, end).unwrap();
    let body = r#"{"access_token":"t","expires_in":300}"#;
    let token = exchange.read(Response::new(200, body)).unwrap();
    assert!(token.expires_at() <= end);
}

#[test]
fn token_lifetime_of_zero_or_over_31_days_is_refused() {
    let text = "the lifetime of a token is from above zero to 31 days";
    for lifetime in [seconds(0), seconds(31 * 24 * 3600 + 1), Duration::MAX] {
        is_refused(&client().with_token_lifetime(lifetime), text);
    }
    signed(&client().with_token_lifetime(seconds(31 * 24 * 3600)));
}

/// RFC 6749 §5.2 has a string. Any other value counts too, unless it is `null`, `false` or empty.
#[test]
fn error_in_a_200_of_any_json_type_is_an_error() {
    let is_token = |error: &str| {
        let body = format!(r#"{{"access_token":"t","error":{error}}}"#);
        read(&client(), Response::new(200, body)).is_ok()
    };
    for error in ["null", "false", r#""""#, "[]", "{}"] {
        assert!(is_token(error), "{error}");
    }
    for error in ["true", "1", r#""invalid_grant""#, r#"["a"]"#, r#"{"a":1}"#] {
        assert!(!is_token(error), "{error}");
    }
}

#[test]
fn redirect_error_names_the_host_of_location_only() {
    let location = "https://user:pa55@elsewhere.example:8443/login/path?session=s3cr3t#anchor";
    for status in [300, 301, 302, 303, 307, 308] {
        for body in [
            "",
            "<html>Moved</html>",
            r#"{"message":"Moved Permanently"}"#,
        ] {
            let response = Response::new(status, body).with_header("Location", location);
            let error = error_from(&client(), response);
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

/// RFC 3986 §4.2 calls it a network-path reference.
#[test]
fn redirect_to_a_host_without_a_scheme_names_the_host() {
    let response = Response::new(302, "").with_header("Location", "//elsewhere.example/s3cr3t");
    let text = error_from(&client(), response).to_string();
    assert!(text.contains("elsewhere.example"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
}

#[test]
fn redirect_with_relative_or_unusable_location_is_an_error() {
    for location in [
        Some("/token/"),
        Some("token/"),
        Some("ticket=s3cr3t"),
        Some("::"),
        Some(""),
        None,
    ] {
        // A token in the body of a redirect is ignored.
        let mut response = Response::new(301, r#"{"access_token":"t"}"#);
        if let Some(location) = location {
            response = response.with_header("Location", location);
        }
        let error = error_from(&client(), response);
        assert_eq!((error.kind(), error.status()), (Protocol, Some(301)));
        assert!(error.to_string().contains("redirects"), "{error}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
    let endless = format!("https://{}/", "a".repeat(10_000));
    let response = Response::new(301, "").with_header("Location", endless);
    let text = error_from(&client(), response).to_string();
    assert!(text.len() < 512, "{}", text.len());
}

#[test]
fn plain_http_is_refused_except_to_loopback() {
    let made = |base: &str| {
        let below = |path: &str| format!("{base}{path}");
        let requests = |endpoint: Result<Endpoint, Error>| client_at(endpoint?).metadata_requests();
        let document = json(200, &json!({"token_endpoint": below("/token")}));
        [
            requests(Endpoint::token(below("/token"))),
            requests(Endpoint::issuer(base)),
            requests(Endpoint::metadata(below("/m"))),
            Profile::salesforce(base, "key", "user").and_then(|p| p.metadata_requests()),
            Profile::cylance(base, "tenant", "app").and_then(|p| p.metadata_requests()),
            Endpoint::metadata(below("/m"))
                .and_then(|endpoint| client_at(endpoint).with_metadata(&document))
                .map(|_| Vec::new()),
        ]
    };
    for outcome in made("http://as.example.com") {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), Config);
        let text = error.to_string();
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
fn response_of_64_kib_is_read_and_one_byte_more_is_refused() {
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
    // An outage page may have any length.
    let error = read(503, padded("<html>", limit + 1)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Unavailable, true));
}

#[test]
fn html_403_of_a_firewall_is_protocol_error_instead_of_denied() {
    let page = "<html><head><title>Request blocked</title></head><body>error</body></html>";
    for (name, profile) in every_profile() {
        let response = Response::new(403, page).with_header("Content-Type", "text/html");
        let error = error_from(&profile, response);
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
fn status_and_body_decide_the_error_kind() {
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
    for status in [408, 425, 429, 500, 502, 503, 504, 507, 520, 524, 530, 599] {
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
    for status in [300, 301, 302, 303, 304, 307, 308, 501, 505, 100, 600] {
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
fn token_scope_is_the_granted_one_or_else_the_requested_one() {
    let scoped = client().with_scope("read write");
    let claimed = scoped
        .clone()
        .with_scope_placement(ScopePlacement::ClaimWithSpaces("scope".into()));
    let plain = json!({"access_token": "t"});
    let with = |scope: Value| json!({"access_token": "t", "scope": scope});
    let granted = with(json!("read"));
    for (profile, body, scope) in [
        (&scoped, &granted, Some("read")),
        (&scoped, &plain, Some("read write")),
        (&claimed, &plain, Some("read write")),
        (&client(), &granted, Some("read")),
        (&client(), &plain, None),
        (&scoped, &with(json!(null)), Some("read write")),
        (&scoped, &with(json!("")), Some("")),
        // some servers write an array (Twitch documents one)
        (&scoped, &with(json!(["read", "list"])), Some("read list")),
        (&scoped, &with(json!(["read"])), Some("read")),
        (&scoped, &with(json!([])), Some("")),
        // an unreadable scope is not taken for the requested one
        (&scoped, &with(json!(["read", 7])), None),
        (&scoped, &with(json!([["read"]])), None),
        (&scoped, &with(json!({"read": true})), None),
        (&scoped, &with(json!(7)), None),
        (&scoped, &with(json!(false)), None),
    ] {
        let token = read(profile, json(200, body)).unwrap();
        assert_eq!(token.scope(), scope);
    }
}

#[test]
fn unavailable_error_keeps_code_and_description() {
    let body = json!({"error": "temporarily_unavailable", "error_description": "try later"});
    let error = error_from(&client(), json(503, &body));
    assert_eq!(error.code(), Some("temporarily_unavailable"));
    assert_eq!(error.description(), Some("try later"));
}

// Secrets

/// Returns the error for a response that repeats its assertion, which the error must not show.
#[track_caller]
fn reflect(status: u16, body: impl Fn(&str) -> Value) -> Error {
    reflect_with(&cylance(), status, body) // this profile reads `message` too
}

#[track_caller]
fn reflect_with(profile: &Profile, status: u16, body: impl Fn(&str) -> Value) -> Error {
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
        let run = str::from_utf8(run).unwrap(); // 16 equal characters are no coincidence
        for text in &shown {
            assert!(!text.contains(run), "{run} is in {text}");
        }
    }
    error
}

#[test]
fn reflected_assertion_is_redacted_from_the_error() {
    for status in [200, 302, 400, 401, 403, 404, 429, 501, 503] {
        reflect(status, |jwt| json!({"error": jwt}));
        reflect(
            status,
            |jwt| json!({"error": "invalid_grant", "error_description": jwt}),
        );
        reflect(status, |jwt| json!({"message": jwt}));
        reflect(
            status,
            |jwt| json!({"message": format!("{jwt}{jwt} {jwt}")}),
        );
        reflect(status, |jwt| json!([{"message": jwt}]));
    }
}

#[test]
fn text_around_a_reflected_assertion_is_kept() {
    let error = reflect(400, |jwt| {
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
    let body = error.response().unwrap().body(); // complete, for a support case
    assert!(body.len() > 600);
}

#[test]
fn text_after_a_long_reflected_assertion_is_kept() {
    let profile = cylance().with_claim("groups", "0123456789abcdef ".repeat(200));
    let error = reflect_with(&profile, 400, |jwt| {
        assert!(jwt.len() > 4000);
        json!({"message": format!("{jwt} has expired: check the clock")})
    });
    assert_eq!(
        error.description(),
        Some("[..] has expired: check the clock")
    );
}

#[test]
fn reflected_part_of_the_assertion_is_redacted() {
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
        let error = reflect(
            400,
            |jwt| json!({"error": "x", "error_description": part(jwt)}),
        );
        assert!(error.description().unwrap().len() < 16);
        let error = reflect(
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
fn control_characters_do_not_hide_a_reflected_assertion() {
    for control in ['\n', '\t', '\0', '\u{1b}', '\u{7f}', '\u{85}'] {
        for every in [1, 7, 64] {
            let error = reflect(400, |jwt| {
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

/// RFC 6749 §2.3.1 encodes the secret before it becomes base64.
#[test]
fn reflected_secret_of_basic_auth_is_redacted_plain_and_encoded() {
    let profile = client().with_basic_auth("client-1", "p@ss/w0rd!");
    for quoted in ["p@ss/w0rd!", "p%40ss%2Fw0rd%21"] {
        let words = format!("the secret {quoted} is wrong");
        let body = json!({"error": "invalid_client", "error_description": words});
        let error = error_from(&profile, json(401, &body));
        assert_eq!(error.description(), Some("the secret [..] is wrong"));
    }
}

#[test]
fn empty_kid_and_typ_are_refused() {
    let key = HmacKey::new([7; 32]).unwrap().with_key_id("");
    let error = Exchange::new(&client(), &key, now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.to_string().contains("empty kid"), "{error}");
    let profile = client().with_typ("");
    let key = HmacKey::new([7; 32]).unwrap();
    let error = Exchange::new(&profile, &key, now()).unwrap_err();
    assert_eq!(error.to_string(), "typ is empty");
}

#[test]
fn setting_of_a_scope_claim_needs_a_name() {
    assert!(grant().with_setting("scope-placement", "scp=array").is_ok());
    let error = grant().with_setting("scope-placement", "=array");
    assert_eq!(error.unwrap_err().kind(), Config);
}

#[test]
fn reflected_parameter_is_redacted_unless_an_rfc_calls_it_public() {
    let profile = client()
        .with_scope("read write")
        .with_parameter("subject_token", "hunter2-of-another-server")
        .with_parameter("password", "hunter2")
        .with_parameter("pin", "835146")
        .with_parameter("level", "basic")
        .with_parameter("resource", "https://api.example.com/v1")
        .with_parameter("audience", "https://audience.example.com")
        .with_parameter("requested_token_type", "urn:example:token-type:jwt")
        .with_request_header("accept", "application/vnd.example+json")
        .with_request_header("x-api-key", "hunter2 of another server");
    let description_of = |status, words: &str| {
        let body = json!({"error": "invalid_target", "error_description": words});
        let error = error_from(&profile, json(status, &body));
        error.description().unwrap().to_owned()
    };
    for status in [200, 400, 503] {
        for (words, shown_as) in [
            (
                "bad: subject_token=hunter2-of-another-server!",
                "bad: subject_token=[..]!",
            ),
            ("bad: hunter2-of-another", "bad: [..]"),
            ("password hunter2 is wrong", "password [..] is wrong"),
            ("x-api-key hunter2 of another server", "x-api-key [..]"),
            ("pin 835146 is wrong", "pin [..] is wrong"),
        ] {
            assert_eq!(description_of(status, words), shown_as);
        }
        for words in [
            "client client-1 may not use client_credentials for https://api.example.com/v1",
            "no urn:example:token-type:jwt for https://audience.example.com, nor read write",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer is not taken",
            "accept must be application/vnd.example+json",
            "this basically failed", // five characters occur in any sentence
        ] {
            assert_eq!(description_of(status, words), words);
        }
    }
}

#[test]
fn claim_with_integer_beyond_64_bits_is_refused_and_exact_numbers_are_sent() {
    let number = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    for json in [
        "18446744073709551616",
        "-9223372036854775809",
        "[{\"n\":123456789012345678901234567890}]",
        "1e300",
    ] {
        let profile = grant().with_claim("n", number(json));
        let error = profile.assertion(&rsa(), now()).unwrap_err();
        assert_eq!(error.kind(), Config);
        assert_eq!(
            error.to_string(),
            "claim n holds an integer beyond 64 bits, which would lose digits: give it as a string"
        );
    }
    let problem =
        "parameter n holds an integer beyond 64 bits, which would lose digits: give it as a string";
    let profile = grant().with_setting("json-param", "n=123456789012345678901234567890");
    let error = profile.unwrap().assertion(&rsa(), now()).unwrap_err();
    assert_eq!(error.to_string(), problem);
    for json in [
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
        "1.5",
        "2.0",
    ] {
        let assertion = signed(&grant().with_claim("n", number(json)));
        assert_eq!(claims(&assertion)["n"].to_string(), json);
    }
}
