//! <https://help.qlik.com/talend/en-US/components/8.0/workday/settingup-workday-oauth-jwt-authentication.md>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Audience, Profile, Response};
use serde_json::json;

use super::*;

fn workday() -> Profile {
    let inputs = [
        ("host-url", "https://wd2-impl-services1.workday.com/"),
        ("tenant", "acme"),
        ("client-id", "client-1"),
        ("username", "ISU_Robot"),
    ];
    profile("workday", &inputs).unwrap()
}

#[test]
fn workday_token_is_asked_for_as_other_clients_do() {
    assert_signed(
        &workday(),
        &rsa_key(),
        &json!({"typ": "JWT", "alg": "RS256"}),
        &json!({
            "iss": "client-1", "sub": "ISU_Robot", "aud": "wd", "exp": NOW + 300, "jti": "uuid",
        }),
    );
    assert_eq!(
        request(&workday(), &rsa_key()),
        "POST https://wd2-impl-services1.workday.com/ccx/oauth2/acme/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}"
    );
    let response = |body: Value| Response::new(200, body.to_string());
    let body = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600});
    let token = read(&workday(), &rsa_key(), response(body)).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("t", 3600));
    let body = json!({"access_token": "t", "token_type": "Bearer"});
    let token = read(&workday(), &rsa_key(), response(body)).unwrap();
    assert_eq!(lifetime(&token), 300);
}

#[test]
fn workday_limits_are_known() {
    let profile = workday().with_audience(Audience::TokenEndpoint);
    assert_eq!(
        refused(profile.assertion(&rsa_key(), now())),
        "Workday wants wd as audience, which is the default"
    );
    let text = refused(workday().assertion(&ec_key(), now()));
    assert!(text.starts_with("this server accepts RS256"), "{text}");
    let host = "https://wd2-impl-services1.workday.com/ccx/oauth2/acme/token";
    assert_eq!(
        refused(Profile::workday(host, "acme", "client-1", "ISU_Robot")),
        "host URL is wanted without /ccx/oauth2/acme/token and without a query"
    );
}

#[test]
fn workday_errors_are_explained() {
    assert_errors(
        &workday(),
        &rsa_key(),
        Denied,
        &[
            (400, json!({"error": "invalid_grant"}), "locked"),
            (401, json!({"error": "invalid_client"}), "client ID"),
            (400, json!({"error": "unauthorized_client"}), "grant type"),
            (
                400,
                json!({"error": "unsupported_grant_type"}),
                "grant type",
            ),
            (400, json!({"error": "invalid_scope"}), "functional areas"),
            (400, json!({"error": "invalid_request"}), "View API Clients"),
        ],
    );
}
