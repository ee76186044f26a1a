//! <https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests>,
//! <https://developer.apple.com/documentation/appstoreserverapi/generating-json-web-tokens-for-api-requests>,
//! <https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns>,
//! <https://developer.apple.com/documentation/applemapsserverapi/creating-and-using-tokens-with-maps-server-api>,
//! and, for the claims of Ads and Business Manager, clients in the field

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::provider::{self, apple};
use jwt_bearer::{Audience, Signer as _, TokenSource};

use super::*;

const ISSUER: &str = "57246542-96fe-1a63-e053-0824d011072a";
const TEAM: &str = "7F3PBYWYMS";
const ADS_CLIENT: &str = "SEARCHADS.27478e71-3bb0-4588-998c-182e2b405577";
const PEM: &str = include_str!("../data/keys/ec-pkcs8.pem");

fn key() -> EcKey {
    ec_key().with_key_id("2X9R4HXF34")
}
fn header() -> Value {
    json!({"typ": "JWT", "alg": "ES256", "kid": "2X9R4HXF34"})
}
fn ads() -> Profile {
    let inputs = [("client-id", ADS_CLIENT), ("team-id", "SEARCHADS.team")];
    profile("apple-ads", &inputs).unwrap()
}
fn business() -> Profile {
    profile("apple-business", &[("client-id", "BUSINESSAPI.9703f56c")]).unwrap()
}
fn maps() -> Profile {
    profile("apple-maps", &[("team-id", TEAM)]).unwrap()
}

#[test]
fn app_store_connect_token_is_of_a_team_or_of_a_person() {
    let team = profile("app-store-connect", &[("issuer-id", ISSUER)]).unwrap();
    assert_signed(
        &team.with_claim("scope", json!(["GET /v1/apps?filter[platform]=IOS"])),
        &key(),
        &header(),
        &json!({
            "iss": ISSUER, "iat": NOW, "exp": NOW + 600, "aud": "appstoreconnect-v1",
            "scope": ["GET /v1/apps?filter[platform]=IOS"],
        }),
    );
    let person = profile("app-store-connect", &[]).unwrap();
    assert_signed(
        &person,
        &key(),
        &header(),
        &json!({"sub": "user", "iat": NOW, "exp": NOW + 600, "aud": "appstoreconnect-v1"}),
    );
}

#[test]
fn app_store_connect_limits_are_checked() {
    let profile = Profile::app_store_connect(ISSUER);
    assert_eq!(
        refused(profile.assertion(&ec_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    assert!(refused(profile.assertion(&rsa_key(), now())).contains("kid"));
    let rsa = rsa_key().with_key_id("1");
    assert!(refused(profile.assertion(&rsa, now())).contains("this server accepts ES256"));
    let twenty = Duration::from_secs(1200);
    let longest = profile.clone().with_assertion_lifetime(twenty);
    assert!(longest.assertion(&key(), now()).is_ok());
    let longer = profile
        .clone()
        .with_assertion_lifetime(Duration::from_secs(1201));
    assert_eq!(
        refused(longer.assertion(&key(), now())),
        "exp lies further after iat than this server accepts"
    );
    let scope = profile.with_scope("GET /v1/apps");
    assert_eq!(
        refused(scope.assertion(&key(), now())),
        "App Store Connect has scopes with spaces in them: add the claim scope, an array such as [\"GET /v1/apps\"]"
    );
}

/// <https://docs.fastlane.tools/app-store-connect-api/>
#[test]
fn app_store_connect_reads_the_file_of_fastlane() {
    let aud_of = |file: Value| {
        let (profile, key) = provider::credentials(file.to_string()).unwrap();
        assert_eq!(key.key_id(), Some("D83848D23"));
        let claims = decoded(profile.assertion(&key, now()).unwrap().secret()).claims;
        (
            claims["aud"].clone(),
            claims["iss"].clone(),
            claims["sub"].clone(),
        )
    };
    let (aud, enterprise) = (apple::AUDIENCE, apple::ENTERPRISE_AUDIENCE);
    let file = json!({
        "key_id": "D83848D23", "issuer_id": ISSUER, "key": PEM, "duration": 1200, "in_house": false,
    });
    assert_eq!(aud_of(file), (aud.into(), ISSUER.into(), Value::Null));
    let file = json!({"key_id": "D83848D23", "issuer_id": ISSUER, "key": PEM, "in_house": true});
    assert_eq!(
        aud_of(file),
        (enterprise.into(), ISSUER.into(), Value::Null)
    );
    let in_base64 = base64::engine::general_purpose::STANDARD.encode(PEM);
    let file = json!({"key_id": "D83848D23", "key": in_base64, "is_key_content_base64": true});
    assert_eq!(aud_of(file), (aud.into(), Value::Null, "user".into()));
    assert_eq!(
        (aud, enterprise),
        ("appstoreconnect-v1", "apple-developer-enterprise-v1")
    );
}

#[test]
fn app_store_server_token_names_the_app() {
    let inputs = [("issuer-id", ISSUER), ("bundle-id", "com.example.app")];
    let profile = profile("app-store-server", &inputs).unwrap();
    assert_signed(
        &profile,
        &key(),
        &header(),
        &json!({
            "iss": ISSUER, "iat": NOW, "exp": NOW + 600, "aud": "appstoreconnect-v1",
            "bid": "com.example.app",
        }),
    );
    assert!(refused(profile.assertion(&ec_key(), now())).contains("kid"));
    for (seconds, is_accepted) in [(3600, true), (3601, false)] {
        let lifetime = Duration::from_secs(seconds);
        let profile = profile.clone().with_assertion_lifetime(lifetime);
        assert_eq!(profile.assertion(&key(), now()).is_ok(), is_accepted);
    }
}

#[test]
fn apns_token_has_no_exp_and_is_used_for_50_minutes() {
    let profile = profile("apns", &[("team-id", TEAM)]).unwrap();
    assert_signed(
        &profile,
        &key(),
        &header(),
        &json!({"iss": TEAM, "iat": NOW}),
    );
    assert!(refused(profile.assertion(&ec_key(), now())).contains("kid"));
    let nobody = |_: &jwt_bearer::Request, _| -> std::io::Result<Response> { panic!("a request") };
    let source = TokenSource::with_transport(nobody, profile.clone(), key()).unwrap();
    let token = source.token().unwrap();
    let lifetime = token.expires_at().duration_since(SystemTime::now());
    assert!((2990..=3000).contains(&lifetime.unwrap().as_secs()));
    assert_eq!(source.token().unwrap().secret(), token.secret());

    let with_exp = profile
        .clone()
        .with_assertion_lifetime(Duration::from_secs(600));
    assert_eq!(
        refused(with_exp.assertion(&key(), now())),
        "APNs goes by iat: leave exp out, and set the lifetime of the token"
    );
    for (minutes, is_accepted) in [(24, false), (25, true), (59, true), (60, false)] {
        let lifetime = Duration::from_secs(minutes * 60);
        let profile = profile.clone().with_token_lifetime(lifetime);
        match profile.assertion(&key(), now()) {
            Ok(_) => assert!(is_accepted),
            Err(error) => assert_eq!(
                (error.to_string().as_str(), is_accepted),
                (
                    "APNs refuses a new token within 20 minutes, and one that is an hour old: set the lifetime of the \
                     token to 25 to 59 minutes",
                    false
                )
            ),
        }
    }
}

#[test]
fn apple_ads_assertion_is_the_client_secret() {
    assert_signed(
        &ads(),
        &key(),
        &header(),
        &json!({
            "iss": "SEARCHADS.team", "sub": ADS_CLIENT, "aud": "https://appleid.apple.com",
            "iat": NOW, "exp": NOW + 60,
        }),
    );
    assert_eq!(
        request(&ads(), &key()),
        "POST https://appleid.apple.com/auth/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=SEARCHADS.27478e71-3bb0-4588-998c-182e2b405577\
         &scope=searchadsorg&client_secret={jwt}"
    );
    let body = json!({
        "access_token": "eyJ.t", "token_type": "Bearer", "expires_in": 3600, "scope": "searchadsorg",
    });
    let token = read(&ads(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.t", 3600));
}

#[test]
fn apple_business_audience_differs_from_its_endpoint() {
    assert_signed(
        &business(),
        &key(),
        &header(),
        &json!({
            "iss": "BUSINESSAPI.9703f56c", "sub": "BUSINESSAPI.9703f56c",
            "aud": "https://account.apple.com/auth/oauth2/v2/token",
            "iat": NOW, "exp": NOW + 60, "jti": "uuid",
        }),
    );
    let form = |scope: &str, client: &str| {
        format!(
            "POST https://account.apple.com/auth/oauth2/token\n\
             Accept: application/json\n\
             Content-Type: application/x-www-form-urlencoded\n\n\
             grant_type=client_credentials&client_id={client}\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &scope={scope}&client_assertion={{jwt}}"
        )
    };
    assert_eq!(
        request(&business(), &key()),
        form("business.api", "BUSINESSAPI.9703f56c")
    );
    assert_eq!(
        request(&Profile::apple_business("SCHOOLAPI.7c0c10a0"), &key()),
        form("school.api", "SCHOOLAPI.7c0c10a0")
    );
    let body = json!({
        "access_token": "at", "token_type": "Bearer", "expires_in": 3600, "scope": "business.api",
    });
    let token = read(&business(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("at", 3600));
}

#[test]
fn apple_maps_token_is_asked_for_by_get() {
    assert_signed(
        &maps(),
        &key(),
        &header(),
        &json!({"iss": TEAM, "iat": NOW, "exp": NOW + 60, "scope": "server_api"}),
    );
    assert_eq!(
        request(&maps(), &key()),
        "GET https://maps-api.apple.com/v1/token\n\
         Accept: application/json\n\
         Authorization: Bearer {jwt}\n\n"
    );
    let body = json!({"accessToken": "eyJ.m", "expiresInSeconds": 1800}).to_string();
    let token = read(&maps(), &key(), Response::new(200, body)).unwrap();
    assert_eq!(
        (token.authorization(), lifetime(&token)),
        ("Bearer eyJ.m", 1800)
    );
}

#[test]
fn apple_oauth_limits_are_checked() {
    let half_a_year = Duration::from_secs(180 * 24 * 3600);
    for profile in [ads(), business()] {
        assert!(refused(profile.assertion(&ec_key(), now())).contains("kid"));
        let longest = profile.clone().with_assertion_lifetime(half_a_year);
        assert!(longest.assertion(&key(), now()).is_ok());
        let longer = profile.with_assertion_lifetime(half_a_year + Duration::from_secs(1));
        assert!(refused(longer.assertion(&key(), now())).contains("exp lies further after iat"));
    }
    assert!(refused(maps().assertion(&ec_key(), now())).contains("kid"));
    let other = business().with_audience(Audience::TokenEndpoint);
    assert!(other.assertion(&key(), now()).is_ok());
}

#[test]
fn apple_errors_are_explained() {
    for profile in [ads(), business()] {
        assert_errors(
            &profile,
            &key(),
            Denied,
            &[
                (400, json!({"error": "invalid_client"}), "/v2/"),
                (400, json!({"error": "invalid_scope"}), "searchadsorg"),
                (400, json!({"error": "invalid_request"}), "parameter"),
                (400, json!({"error": "unauthorized_client"}), "permissions"),
            ],
        );
    }
    let unauthorized = json!({"error": {"message": "Not Authorized", "details": []}});
    let quota = json!({"error": {"message": "Quota exceeded", "details": []}});
    assert_errors(&maps(), &key(), Denied, &[(401, unauthorized, "team id")]);
    assert_errors(&maps(), &key(), Unavailable, &[(429, quota, "quota")]);
}
