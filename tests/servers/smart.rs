//! <https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html>,
//! <https://hl7.org/fhir/smart-app-launch/backend-services.html>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::provider::smart::EPIC_SANDBOX;
use jwt_bearer::{Algorithm, Jti};

use super::*;

const ENDPOINT: &str = "https://authorize.example.com/token";

fn smart() -> Profile {
    let inputs = [
        ("client-id", "my-client"),
        ("scope", "system/Patient.rs system/Observation.rs"),
        ("token-endpoint", ENDPOINT),
    ];
    profile("smart", &inputs).unwrap()
}
fn key() -> RsaKey {
    rs384(rsa_key()).with_key_id("eee9f17a3b598fd86417a980b591fbe6")
}

#[test]
fn smart_token_is_asked_for_as_documented() {
    let claims = json!({
        "iss": "my-client", "sub": "my-client", "aud": ENDPOINT,
        "exp": NOW + 60, "iat": NOW, "jti": "uuid",
    });
    assert_signed(
        &smart(),
        &key(),
        &json!({"typ": "JWT", "alg": "RS384", "kid": "eee9f17a3b598fd86417a980b591fbe6"}),
        &claims,
    );
    let p384 = EcKey::read(include_str!("../data/keys/ec-384-pkcs8.pem")).unwrap();
    assert_signed(
        &smart(),
        &p384.with_key_id("ec"),
        &json!({"typ": "JWT", "alg": "ES384", "kid": "ec"}),
        &claims,
    );
    assert_eq!(
        request(&smart(), &key()),
        "POST https://authorize.example.com/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &scope=system%2FPatient.rs%20system%2FObservation.rs&client_assertion={jwt}"
    );
    let body = json!({
        "access_token": "m7rt6i7s9nuxkjvi8vsx", "token_type": "bearer", "expires_in": 300,
        "scope": "system/Patient.rs",
    });
    let token = read(&smart(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!(
        (token.secret(), lifetime(&token), token.scope()),
        ("m7rt6i7s9nuxkjvi8vsx", 300, Some("system/Patient.rs"))
    );
}

#[test]
fn smart_token_endpoint_is_in_the_metadata_of_the_fhir_server() {
    for base in ["https://ehr.example.com/r4", "https://ehr.example.com/r4/"] {
        let inputs = [
            ("client-id", "my-client"),
            ("scope", "system/Patient.rs"),
            ("fhir-base-url", base),
        ];
        let profile = profile("smart", &inputs).unwrap();
        let requests = profile.metadata_requests().unwrap();
        let urls: Vec<_> = requests.iter().map(|request| request.url()).collect();
        assert_eq!(
            urls,
            ["https://ehr.example.com/r4/.well-known/smart-configuration"]
        );
        // A document may name no issuer, or one at another host.
        let document = json!({
            "issuer": "https://ehr.example.com", "token_endpoint": ENDPOINT,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        });
        let response = Response::new(200, document.to_string());
        let resolved = profile.with_metadata(&response).unwrap();
        let assertion = resolved.assertion(&key(), now()).unwrap();
        assert_eq!(decoded(assertion.secret()).claims["aud"], ENDPOINT);
    }
    for (base, expected) in [
        (
            "https://ehr.example.com/r4/.well-known/smart-configuration",
            "FHIR base URL is wanted without /.well-known/smart-configuration and without a query",
        ),
        (
            "https://ehr.example.com/r4?x=1",
            "FHIR base URL is wanted without /.well-known/smart-configuration and without a query",
        ),
    ] {
        assert_eq!(refused(Profile::smart(base, "my-client")), expected);
    }
    assert!(Profile::smart("http://ehr.example.com/r4", "my-client").is_err());
    assert_eq!(
        EPIC_SANDBOX,
        "https://fhir.epic.com/interconnect-fhir-oauth/oauth2/token"
    );
}

#[test]
fn smart_limits_are_checked() {
    let refused = |profile: Profile| refused(profile.assertion(&key(), now()));
    let five = smart().with_assertion_lifetime(Duration::from_secs(300));
    assert!(five.assertion(&key(), now()).is_ok());
    assert_eq!(
        refused(smart().with_assertion_lifetime(Duration::from_secs(301))),
        "exp lies further ahead than this server accepts"
    );
    for profile in [smart().without_typ(), smart().with_typ("at+jwt")] {
        assert_eq!(
            refused(profile),
            "SMART wants typ to be JWT: leave it as it is"
        );
    }
    assert_eq!(
        refused(smart().with_jti(Jti::Omit)),
        "SMART wants jti: leave it as it is"
    );
    let endpoint = jwt_bearer::Endpoint::token(ENDPOINT).unwrap();
    assert_eq!(
        refused(Profile::smart_at(endpoint, "my-client")),
        "SMART wants scopes: set the scope, such as system/Patient.rs"
    );
    let without_kid = rs384(rsa_key());
    assert_eq!(
        super::refused(smart().assertion(&without_kid, now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let rs256 = rsa_key().with_key_id("k");
    assert!(
        super::refused(smart().assertion(&rs256, now()))
            .contains("this server accepts RS384, ES384, and the key signs RS256")
    );
    let accepted = smart().with_algorithms([Algorithm::Rs256]);
    assert!(accepted.assertion(&rs256, now()).is_ok());
}

#[test]
fn smart_errors_are_explained() {
    // Epic's has no description.
    let epic = json!({"error": "invalid_client", "error_description": null});
    assert_errors(
        &smart(),
        &key(),
        Denied,
        &[
            (400, epic, "takes an hour"),
            (400, json!({"error": "invalid_scope"}), "approved"),
            (400, json!({"error": "invalid_request"}), "parameter"),
            (
                400,
                json!({"error": "unauthorized_client"}),
                "backend services",
            ),
            (400, json!({"error": "invalid_grant"}), "another grant"),
            (
                401,
                json!({"error": "unauthorized", "error_description": "Invalid JWT"}),
                "Medicare",
            ),
        ],
    );
}
