//! <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating>,
//! <https://docs.snowflake.com/en/developer-guide/snowpark-container-services/service-network-communications>,
//! <https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::TokenSource;
use jwt_bearer::provider::snowflake::TOKEN_TYPE;

use super::*;

/// `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | openssl base64`
const FINGERPRINT: &str = "SHA256:b9E8JDWjYefFiM0X9V9a098Bd6ZsFyemogCEX016uIw=";
const SERVICE: &str = "abc-myorg-account123.snowflakecomputing.app";

fn snowflake(account: &str) -> Profile {
    profile("snowflake", &[("account", account), ("user", "jsmith")]).unwrap()
}

fn exchange(account: &str, further: &[(&str, &str)]) -> Result<Profile, Error> {
    let inputs = [
        ("account", account),
        ("user", "jsmith"),
        ("endpoint", SERVICE),
    ];
    profile("snowflake-exchange", &[&inputs, further].concat())
}

#[test]
fn snowflake_token_is_signed_as_documented() {
    assert_signed(
        &snowflake("myorg-account123"),
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": format!("MYORG-ACCOUNT123.JSMITH.{FINGERPRINT}"), "sub": "MYORG-ACCOUNT123.JSMITH",
            "iat": NOW, "exp": NOW + 600,
        }),
    );
    assert_eq!(
        TOKEN_TYPE,
        ("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT")
    );
    let nobody = |_: &jwt_bearer::Request, _| -> std::io::Result<Response> { panic!("a request") };
    let source = TokenSource::with_transport(nobody, snowflake("xy12345"), rsa_key()).unwrap();
    let token = source.token().unwrap();
    assert_eq!(decoded(token.secret()).claims["sub"], "XY12345.JSMITH");
    assert_eq!(token.authorization(), format!("Bearer {}", token.secret()));
}

#[test]
fn snowflake_account_is_named_without_its_region() {
    for (account, name) in [
        ("myorg-account_1", "MYORG-ACCOUNT_1"),
        ("xy12345", "XY12345"),
        ("xy12345.us-east-1", "XY12345"),
        ("xy12345.us-east-2.aws", "XY12345"),
        ("xy12345-abc.global", "XY12345"),
    ] {
        let assertion = snowflake(account).assertion(&rsa_key(), now()).unwrap();
        let claims = decoded(assertion.secret()).claims;
        assert_eq!(claims["sub"], format!("{name}.JSMITH"));
        assert_eq!(claims["iss"], format!("{name}.JSMITH.{FINGERPRINT}"));
    }
}

#[test]
fn snowflake_service_token_is_asked_for_as_documented() {
    let role = [("role", "ECHO_ROLE")];
    let profile = exchange("myorg-account123", &role).unwrap();
    assert_signed(
        &profile,
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": format!("MYORG-ACCOUNT123.JSMITH.{FINGERPRINT}"), "sub": "MYORG-ACCOUNT123.JSMITH",
            "iat": NOW, "exp": NOW + 60,
        }),
    );
    assert_eq!(
        request(&profile, &rsa_key()),
        "POST https://myorg-account123.snowflakecomputing.com/oauth/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&\
         scope=session%3Arole%3AECHO_ROLE%20abc-myorg-account123.snowflakecomputing.app&assertion={jwt}"
    );
    let token = read(&profile, &rsa_key(), Response::new(200, "ver:1-hint:2-t\n")).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("ver:1-hint:2-t", 300));
    assert_eq!(token.header_name(), "Authorization");
    assert_eq!(token.authorization(), "Snowflake Token=\"ver:1-hint:2-t\"");

    let text = request(&exchange("MyOrg-Account_1", &[]).unwrap(), &rsa_key());
    assert!(text.starts_with("POST https://myorg-account-1.snowflakecomputing.com/oauth/token\n"));
    assert!(text.contains("&scope=abc-myorg-account123.snowflakecomputing.app&assertion="));
}

/// People copy the host of the account.
#[test]
fn snowflake_account_may_be_its_host() {
    for (account, host, name) in [
        (
            "xy12345.us-east-1",
            "xy12345.us-east-1.snowflakecomputing.com",
            "XY12345",
        ),
        (
            "https://myorg-account_1.snowflakecomputing.com/console",
            "myorg-account-1.snowflakecomputing.com",
            "MYORG-ACCOUNT_1",
        ),
        (
            "xy12345.us-east-1.privatelink.snowflakecomputing.com",
            "xy12345.us-east-1.privatelink.snowflakecomputing.com",
            "XY12345",
        ),
        (
            "xy12345.cn-northwest-1.aws.snowflakecomputing.cn",
            "xy12345.cn-northwest-1.aws.snowflakecomputing.cn",
            "XY12345",
        ),
    ] {
        let profile = exchange(account, &[]).unwrap();
        let text = request(&profile, &rsa_key());
        let start = format!("POST https://{host}/oauth/token\n");
        assert!(text.starts_with(&start), "{account}: {text}");
        let assertion = profile.assertion(&rsa_key(), now()).unwrap();
        let sub = decoded(assertion.secret()).claims["sub"].clone();
        assert_eq!(sub, format!("{name}.JSMITH"));
    }
    // No other host gets an assertion.
    for account in [
        "victim.snowflakecomputing.evil.example",
        "victim.snowflakecomputing.com.evil.example",
        SERVICE,
    ] {
        let text = request(&exchange(account, &[]).unwrap(), &rsa_key());
        let start = format!("POST https://{account}.snowflakecomputing.com/oauth/token\n");
        assert!(text.starts_with(&start), "{account}: {text}");
    }
    let text =
        "account is an address of Snowsight: give the account identifier, such as myorg-account123";
    let snowsight = "https://app.snowflake.com/myorg/account123";
    assert_eq!(refused(exchange(snowsight, &[])), text);
    let inputs = [("account", snowsight), ("user", "jsmith")];
    assert_eq!(refused(profile("snowflake", &inputs)), text);
}

#[test]
fn snowflake_limits_are_refused() {
    let long = Duration::from_secs(3601);
    for profile in [
        snowflake("xy12345").with_assertion_lifetime(long),
        exchange("xy12345", &[])
            .unwrap()
            .with_assertion_lifetime(long),
    ] {
        assert_eq!(
            refused(profile.assertion(&rsa_key(), now())),
            "exp lies further after iat than this server accepts"
        );
    }
    let text = refused(snowflake("xy12345").assertion(&ec_key(), now()));
    assert!(text.contains("this server accepts RS256"), "{text}");
    let text = refused(exchange("xy 12345", &[]));
    assert_eq!(
        text,
        "account holds white space or a character that must be percent-encoded"
    );
}

#[test]
fn snowflake_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"data": null, "code": code, "message": text, "success": false, "headers": null});
    let profile = exchange("xy12345", &[]).unwrap();
    assert_errors(
        &profile,
        &rsa_key(),
        Denied,
        &[
            (
                401,
                error(
                    "390144",
                    "JWT token is invalid. [0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]",
                ),
                "RSA_PUBLIC_KEY_FP",
            ),
            (
                401,
                json!({"message": "JWT token is invalid."}),
                "RSA_PUBLIC_KEY_FP",
            ),
            (
                401,
                json!({"code": 390_144, "message": "JWT token is invalid."}),
                "RSA_PUBLIC_KEY_FP",
            ),
            (
                401,
                error("394300", "JWT_TOKEN_INVALID_USER_IN_ISSUER"),
                "login name",
            ),
            (
                401,
                error("394302", "JWT_TOKEN_INVALID_ISSUE_TIME"),
                "clock",
            ),
            (
                401,
                error("394303", "JWT_TOKEN_INVALID_EXPIRATION_TIME"),
                "clock",
            ),
            (
                401,
                error(
                    "394304",
                    "JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH",
                ),
                "this public key",
            ),
            (
                401,
                error("394306", "JWT_TOKEN_INVALID_SIGNATURE"),
                "this public key",
            ),
            (
                401,
                error("394307", "JWT_TOKEN_ACCOUNT_MISMATCH"),
                "account",
            ),
        ],
    );
    let codes = ["invalid_client", "invalid_grant", "invalid_scope"];
    for (code, advice) in codes
        .into_iter()
        .zip(["this public key", "this public key", "role"])
    {
        let row = (400, json!({"error": code, "message": "refused"}), advice);
        assert_errors(&profile, &rsa_key(), Denied, &[row]);
    }
}
