//! <https://help.tableau.com/current/online/en-us/connected_apps_direct.htm>,
//! <https://help.tableau.com/current/online/en-us/connected_apps_troubleshoot.htm>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{HmacKey, Profile, Response, ScopePlacement};
use serde_json::json;

use super::*;

fn tableau() -> Profile {
    let inputs = [
        ("server-url", "https://10ax.online.tableau.com/"),
        ("client-id", "app-1"),
        ("username", "user@example.com"),
        ("site", "sales"),
        ("scope", "tableau:content:read tableau:jobs:read"),
    ];
    profile("tableau", &inputs).unwrap()
}
fn key() -> HmacKey {
    hmac_key().with_key_id("secret-1")
}

#[test]
fn tableau_sign_in_is_asked_for_as_documented() {
    assert_signed(
        &tableau(),
        &key(),
        &json!({"typ": "JWT", "alg": "HS256", "kid": "secret-1", "iss": "app-1"}),
        &json!({
            "iss": "app-1", "sub": "user@example.com", "aud": "tableau", "exp": NOW + 60, "iat": NOW, "jti": "uuid",
            "scp": ["tableau:content:read", "tableau:jobs:read"],
        }),
    );
    assert_eq!(
        request(&tableau(), &key()),
        "POST https://10ax.online.tableau.com/api/3.17/auth/signin\n\
         Accept: application/json\n\
         Content-Type: application/json\n\n\
         {\"credentials\":{\"site\":{\"contentUrl\":\"sales\"},\"jwt\":\"{jwt}\"}}"
    );
    let body = json!({"credentials": {
        "site": {"id": "9a8b", "contentUrl": "sales"}, "user": {"id": "9f9e"}, "token": "12ab34cd|56ef",
    }});
    let response = Response::new(200, body.to_string());
    let token = read(&tableau(), &key(), response).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("12ab34cd|56ef", 7200));
    assert_eq!(token.header_name(), "X-Tableau-Auth");
    assert_eq!(token.authorization(), "12ab34cd|56ef");
    assert_eq!(token.json_at("/credentials/site/id"), Some("\"9a8b\""));
}

#[test]
fn tableau_default_site_has_no_name() {
    let profile =
        Profile::tableau("https://tableau.example.com", "3.24", "", "app-1", "user").unwrap();
    let profile = profile.with_scope("tableau:content:read");
    assert_eq!(
        request(&profile, &key()),
        "POST https://tableau.example.com/api/3.24/auth/signin\n\
         Accept: application/json\n\
         Content-Type: application/json\n\n\
         {\"credentials\":{\"site\":{\"contentUrl\":\"\"},\"jwt\":\"{jwt}\"}}"
    );
    let body = json!({"error": {"summary": "Signin Error", "detail": "Error signing in", "code": "401001"}});
    let response = Response::new(401, body.to_string());
    assert_eq!(
        refused(read(&profile, &key(), response)),
        "the authorization server refused: 401001: Error signing in (status 401)"
    );
}

#[test]
fn tableau_limits_are_known() {
    assert_eq!(
        refused(tableau().assertion(&hmac_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let long = tableau().with_assertion_lifetime(Duration::from_secs(601));
    assert_eq!(
        refused(long.assertion(&key(), now())),
        "exp lies further after iat than this server accepts"
    );
    let parameter = tableau().with_scope_placement(ScopePlacement::Parameter);
    assert_eq!(
        refused(parameter.assertion(&key(), now())),
        "Tableau ignores the parameter scope: scopes are an array in the claim scp"
    );
    let without =
        Profile::tableau("https://tableau.example.com", "3.24", "", "app-1", "user").unwrap();
    assert_eq!(
        refused(without.assertion(&key(), now())),
        "Tableau wants scopes: set the scope, such as tableau:content:read"
    );
    let text = refused(tableau().assertion(&rsa_key().with_key_id("secret-1"), now()));
    assert!(text.contains("the key signs RS256"), "{text}");
}

#[test]
fn tableau_errors_are_explained() {
    let error = |code: &str, detail: &str| json!({"error": {"summary": "Signin Error", "detail": detail, "code": code}});
    let numbered = |number: u16| {
        error(
            "401001",
            &format!("Error signing in to Tableau Server ({number})"),
        )
    };
    assert_errors(
        &tableau(),
        &key(),
        Denied,
        &[
            (401, numbered(5), "e-mail address"),
            (401, numbered(16), "ten minutes"),
            (401, numbered(126), "client id"),
            (401, numbered(127), "which is kid"),
            (401, numbered(10083), "iss, which"),
            (401, numbered(10084), "the scopes"),
            (401, numbered(10096), "twice"),
            (
                401,
                error("401001", "Error signing in to Tableau Server"),
                "the site",
            ),
            (
                401,
                error("401002", "Unauthorized Access"),
                "scopes of the call",
            ),
            (400, error("400000", "Bad Request"), "API version"),
            (404, error("404002", "User not found"), "this site"),
            (405, error("405000", "Invalid request method"), "pod"),
        ],
    );
    assert_errors(
        &tableau(),
        &key(),
        Unavailable,
        &[(429, json!({}), "keep a token")],
    );
}
