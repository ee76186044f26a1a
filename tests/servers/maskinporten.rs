//! <https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_jwtgrant>,
//! <https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_token>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::provider::maskinporten::{PRODUCTION, TEST};
use jwt_bearer::{Certificate, ScopePlacement};

use super::*;

const CLIENT: &str = "oidc_norges_forskningsraad";

fn maskinporten(environment: &str) -> Profile {
    let inputs = [
        ("client-id", CLIENT),
        ("scope", "difitest:test1 difitest:test2"),
        ("environment", environment),
    ];
    profile("maskinporten", &inputs).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("my-key")
}

#[test]
fn maskinporten_token_is_asked_for_as_documented() {
    let profile = maskinporten("production");
    assert_signed(
        &profile.clone().with_claim("consumer_org", "910753614"),
        &key(),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "my-key"}),
        &json!({
            "iss": CLIENT, "aud": "https://maskinporten.no/", "iat": NOW, "exp": NOW + 60,
            "jti": "uuid", "scope": "difitest:test1 difitest:test2", "consumer_org": "910753614",
        }),
    );
    assert_eq!(
        request(&profile, &key()),
        "POST https://maskinporten.no/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}"
    );
    let body = json!({
        "access_token": "IxC0B76vlWl3fiQhAwZUmD0hr_PPwC9hSIXRdoUslPU=", "token_type": "Bearer",
        "expires_in": 599, "scope": "difitest:test1",
    });
    let token = read(&profile, &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!(
        (token.secret(), lifetime(&token), token.scope()),
        (
            "IxC0B76vlWl3fiQhAwZUmD0hr_PPwC9hSIXRdoUslPU=",
            599,
            Some("difitest:test1")
        )
    );
}

#[test]
fn maskinporten_environment_has_its_audience() {
    let test = maskinporten("test");
    assert!(request(&test, &key()).starts_with("POST https://test.maskinporten.no/token\n"));
    let claims = decoded(test.assertion(&key(), now()).unwrap().secret()).claims;
    assert_eq!(claims["aud"], "https://test.maskinporten.no/");
    assert_eq!(
        (PRODUCTION, TEST),
        ("https://maskinporten.no/", "https://test.maskinporten.no/")
    );
    let default = [("client-id", CLIENT), ("scope", "a:b")];
    let default = profile("maskinporten", &default).unwrap();
    assert!(request(&default, &key()).starts_with("POST https://maskinporten.no/token\n"));
    assert_eq!(
        refused(Profile::maskinporten(
            "https://maskinporten.no/token",
            CLIENT
        )),
        "issuer is wanted without /token and without a query"
    );
}

#[test]
fn maskinporten_takes_a_certificate_in_place_of_a_key_id() {
    let pem = include_str!("../data/certificates/leaf.pem");
    let certificate = Certificate::read(pem).unwrap();
    let profile = provider("maskinporten").profile(Inputs {
        values: &[("client-id", CLIENT), ("scope", "a:b")],
        certificate: Some(&certificate),
    });
    let assertion = profile.unwrap().assertion(&rsa_key(), now()).unwrap();
    let header = decoded(assertion.secret()).header;
    assert_eq!(header["x5c"], json!(certificate.x5c()));
    assert_eq!(header.get("kid"), None);
}

#[test]
fn maskinporten_limits_are_checked() {
    let maskinporten = || maskinporten("production");
    let refused = |profile: Profile| refused(profile.assertion(&key(), now()));
    let longest = maskinporten().with_assertion_lifetime(Duration::from_secs(120));
    assert!(longest.assertion(&key(), now()).is_ok());
    let back = longest.clone().with_iat_leeway(Duration::from_secs(1));
    let longer = maskinporten().with_assertion_lifetime(Duration::from_secs(121));
    for profile in [back, longer] {
        assert_eq!(
            refused(profile),
            "exp lies further after iat than this server accepts"
        );
    }
    assert_eq!(
        refused(Profile::maskinporten(PRODUCTION, CLIENT).unwrap()),
        "Maskinporten wants scopes: set the scope"
    );
    assert_eq!(
        refused(maskinporten().with_scope_placement(ScopePlacement::Parameter)),
        "Maskinporten ignores the parameter scope: scope belongs in the claim, with spaces"
    );
    let array = maskinporten().with_claim("resource", json!(["https://api.example.no"]));
    assert!(array.assertion(&key(), now()).is_ok());
    assert_eq!(
        refused(maskinporten().with_claim("resource", "https://api.example.no")),
        "Maskinporten wants the claim resource to be an array"
    );
    assert_eq!(
        super::refused(maskinporten().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    assert!(
        super::refused(maskinporten().assertion(&ec_key().with_key_id("k"), now()))
            .contains("this server accepts RS256, RS384, RS512")
    );
}

#[test]
fn maskinporten_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    let rows = [
        (
            "invalid_grant",
            "MP-100 Invalid assertion. Client authentication failed. (trace_id: 2e39e2)",
            "misspelt",
        ),
        ("invalid_grant", "MP-110 Invalid JWT claim aud", "slash"),
        (
            "invalid_grant",
            "MP-120 The JWT is signed with an invalid certificate",
            "test certificates",
        ),
        ("invalid_grant", "MP-121 Expired key", "year"),
        (
            "invalid_request",
            "MP-011 Invalid parameter value",
            "line end",
        ),
        ("invalid_grant", "Invalid JWT claim aud", "slash"),
        (
            "invalid_grant",
            "Invalid assertion. Client authentication failed.",
            "key id",
        ),
        (
            "invalid_altinn_customer_configuration",
            "MP-303 ...",
            "Altinn",
        ),
        ("invalid_grant", "Invalid JWT claim iat", "ten seconds"),
        ("invalid_scope", "", "no right"),
        ("invalid_request", "", "claim"),
        ("invalid_client", "", "environment"),
    ];
    for (code, text, advice) in rows {
        let profile = maskinporten("test");
        assert_errors(
            &profile,
            &key(),
            Denied,
            &[(400, error(code, text), advice)],
        );
    }
}
