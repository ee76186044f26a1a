//! GitHub, DocuSign, Box, Apple Ads, Tableau and LINE.

use std::sync::Arc;

use jwt_bearer::sandbox::{Client, Key};
use jwt_bearer::{EcKey, Signer};
use serde_json::{Value, json};

use super::request::{NEW, Request, now};
use super::servers::{
    assert_refused, base, denied_as, hs256, oauth, other_key, rs256, server_with, token,
};
use super::{SECRET, rsa_key};

#[test]
fn github_issues_installation_tokens_with_201_and_refuses_in_its_own_words() {
    let client = Client::new("12345", Key::public(&rsa_key())).with_tenant("1");
    let server = server_with(client.clone());
    let base = base(&server, "github");
    let claims = json!({ "iss": "12345", "iat": now() - 60, "exp": now() + 540 });
    let url = format!("{base}/app/installations/1/access_tokens");
    let request = Request::bearer(url, rs256(), claims);
    let (_, body) = token(&server, &request, 201, "/token");
    let expires_at = body["expires_at"].as_str().unwrap();
    assert_eq!(
        (expires_at.len(), &expires_at[10..11], &expires_at[19..]),
        (20, "T", "Z")
    );
    // GitHub Enterprise Server; an id that octokit writes as a number; an assertion that is sent again.
    let enterprise = format!("{base}/api/v3/app/installations/1/access_tokens");
    for accepted in [
        request.clone().url(enterprise),
        request.clone().claim("iss", 12345),
        request.clone(),
    ] {
        assert_eq!(accepted.send().0, 201);
    }

    let error = |status: u16, message: &str| {
        let status_text = status.to_string();
        let url = "https://docs.github.com/rest";
        let body = json!({ "message": message, "documentation_url": url, "status": status_text });
        (status, body)
    };
    let decoded = "A JSON web token could not be decoded";
    let far = "'Expiration time' claim ('exp') is too far in the future";
    let integer = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
    for (request, (status, body)) in [
        (request.clone().key(other_key()), error(401, decoded)),
        (
            request
                .clone()
                .request_header("Authorization", "Basic Og=="),
            error(401, decoded),
        ),
        (request.clone().claim("iat", now() + 5), error(401, decoded)),
        (request.clone().claim("exp", now() + 610), error(401, far)),
        (request.clone().claim("iat", 1.5), error(401, integer)),
        (
            request.clone().claim("iss", "54321"),
            error(404, "Integration not found"),
        ),
        (
            request
                .clone()
                .url(format!("{base}/app/installations/2/access_tokens")),
            error(404, "Not Found"),
        ),
    ] {
        assert_eq!(request.send(), (status, body));
    }
    let suspended = error(403, "This installation has been suspended");
    assert_eq!(
        denied_as(&server, &client, "suspended", &request),
        suspended
    );
}

#[test]
fn docusign_wants_a_bare_host_and_consent() {
    let client = Client::new("integration-key", Key::public(&rsa_key()))
        .with_user("user-guid")
        .with_scope("signature")
        .with_scope("impersonation");
    let server = server_with(client.clone());
    let base = base(&server, "docusign");
    let claims = json!({
        "iss": "integration-key", "sub": "user-guid", "aud": "account-d.docusign.com",
        "iat": now(), "exp": now() + 3600, "scope": "signature impersonation",
    });
    let request = Request::grant(format!("{base}/oauth/token"), rs256(), claims);
    token(&server, &request, 200, "/access_token");
    let change = |name: &str, value: &str| request.clone().claim(name, value);
    let authority = server.url().strip_prefix("http://").unwrap();
    for aud in [
        "account.docusign.com",
        authority,
        &format!("{authority}/docusign"),
    ] {
        assert_eq!(change("aud", aud).send().0, 200);
    }
    let consent = json!({ "error": "consent_required" });
    let aud = "claim aud is not this server, as one string";
    assert_refused([
        (
            request.clone().key(other_key()),
            400,
            oauth("invalid_grant", "no_valid_keys_or_signatures"),
        ),
        (
            change("iss", "other-key"),
            400,
            oauth("invalid_grant", "issuer_not_found"),
        ),
        (
            change("sub", "account-guid"),
            400,
            oauth("invalid_grant", "user_not_found"),
        ),
        (
            change("aud", "https://account-d.docusign.com"),
            400,
            oauth("invalid_request", aud),
        ),
        (
            change("scope", "signature click.manage"),
            400,
            consent.clone(),
        ),
    ]);
    assert_eq!(
        denied_as(&server, &client, "consent_required", &request),
        (400, consent)
    );
}

#[test]
fn box_wants_a_secret_beside_a_short_assertion() {
    let client = Client::new("app", Key::public(&rsa_key()))
        .with_user("enterprise-1")
        .with_secret("s3cret");
    let server = server_with(client.clone());
    let claims = json!({
        "iss": "app", "sub": "enterprise-1", "box_sub_type": "enterprise",
        "aud": "https://api.box.com/oauth2/token", "jti": NEW, "exp": now() + 45,
    });
    let request = Request::grant(base(&server, "box") + "/oauth2/token", rs256(), claims)
        .parameter("client_id", "app")
        .parameter("client_secret", "s3cret")
        .header("kid", "key-1");
    let (access_token, body) = token(&server, &request, 200, "/access_token");
    let answer = json!({
        "access_token": access_token, "expires_in": 300, "restricted_to": [], "token_type": "bearer",
    });
    assert_eq!(body, answer);
    let basic = request.clone().parameter("client_secret", Value::Null);
    let basic = basic.request_header("Authorization", "Basic YXBwOnMzY3JldA==");
    assert_eq!(basic.send().0, 200);
    // Box' SDK for Node sends neither.
    let bare = request
        .clone()
        .header("kid", Value::Null)
        .header("typ", Value::Null);
    assert_eq!(bare.send().0, 200);

    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let exp =
        "Current date time must be before the expiration date time listed in the 'exp' claim.";
    let check = |name: &str| {
        oauth(
            "invalid_grant",
            &format!("Please check the '{name}' claim."),
        )
    };
    // A refused request uses up its `jti`, too.
    let jti = "0123456789abcdef";
    let spent = change("jti", jti.into()).claim("exp", now() + 90);
    assert_refused([
        (spent, 400, oauth("invalid_grant", exp)),
        (change("jti", jti.into()), 400, check("jti")),
        (
            change("exp", (now() - 5).into()),
            400,
            oauth("invalid_grant", exp),
        ),
        (change("jti", "0123456789abcde".into()), 400, check("jti")),
        (change("jti", "x".repeat(129).into()), 400, check("jti")),
        (change("jti", Value::Null), 400, check("jti")),
        (
            change("iss", "other".into()).parameter("client_id", "other"),
            400,
            check("iss"),
        ),
        (change("sub", "stranger".into()), 400, check("sub")),
        (change("box_sub_type", "group".into()), 400, check("sub")),
        (change("aud", "https://box.com".into()), 400, check("aud")),
        (
            request.clone().parameter("client_secret", "wrong"),
            400,
            oauth("invalid_client", "The client credentials are invalid"),
        ),
        (
            request.clone().parameter("client_secret", Value::Null),
            400,
            oauth("invalid_client", "The client credentials are invalid"),
        ),
    ]);
    let words = "This app is not authorized by the enterprise admin";
    let denied = denied_as(&server, &client, "unauthorized_client", &request);
    assert_eq!(denied, (400, oauth("unauthorized_client", words)));
    server.register(Client::new("app", Key::public(&rsa_key())).with_user("enterprise-1"));
    for request in [
        request.clone().parameter("client_secret", Value::Null),
        request,
    ] {
        let (status, body) = request.send();
        let error = &body["error"];
        assert_eq!((status, error), (400, &json!("invalid_client")));
    }
}

#[test]
fn apple_ads_takes_the_assertion_as_client_secret() {
    let public = Key::public_pem(include_str!("../data/keys/ec.pub.pem")).unwrap();
    let client = Client::new("SEARCHADS.client", public).with_tenant("SEARCHADS.team");
    let server = server_with(client);
    let claims = json!({
        "iss": "SEARCHADS.team", "sub": "SEARCHADS.client", "aud": "https://appleid.apple.com",
        "iat": now(), "exp": now() + 86400 * 180,
    });
    let es256: Arc<dyn Signer> =
        Arc::new(EcKey::from_pem(include_str!("../data/keys/ec.pem")).unwrap());
    let request = Request {
        assertion: "client_secret",
        ..Request::client(
            base(&server, "apple-ads") + "/auth/oauth2/token",
            es256,
            claims,
        )
    };
    let request = request
        .parameter("client_assertion_type", Value::Null)
        .parameter("client_id", "SEARCHADS.client")
        .parameter("scope", "searchadsorg")
        .header("kid", "key-1");
    token(&server, &request, 200, "/access_token");
    token(&server, &request, 200, "/access_token"); // the assertion lives for half a year
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let swapped = change("iss", "SEARCHADS.client".into()).claim("sub", "SEARCHADS.team");
    for refused in [
        swapped,
        change("exp", (now() + 86400 * 181).into()),
        change("aud", "https://appleid.apple.com/".into()),
        request.clone().header("kid", Value::Null),
        request.clone().key(rs256()),
    ] {
        assert_eq!(refused.send(), (400, json!({ "error": "invalid_client" })));
    }
}

#[test]
fn tableau_reads_and_writes_nested_json() {
    let client = Client::new("app", Key::secret(SECRET).with_id("secret-1"))
        .with_user("alice")
        .with_scope("tableau:content:read");
    let server = server_with(client);
    let claims = json!({
        "iss": "app", "sub": "alice", "aud": "tableau", "jti": NEW, "exp": now() + 300,
        "scp": ["tableau:content:read"],
    });
    let request = Request {
        assertion: "credentials.jwt",
        ..Request::json(
            base(&server, "tableau") + "/api/3.22/auth/signin",
            hs256(),
            claims,
        )
    };
    let site = |name: &str| json!({ "site": { "contentUrl": name } });
    let request = request
        .parameter("credentials", site("marketing"))
        .header("kid", "secret-1")
        .header("iss", "app");
    let (_, body) = token(&server, &request, 200, "/credentials/token");
    assert_eq!(body["credentials"]["site"]["contentUrl"], "marketing");
    assert_eq!(
        request.clone().parameter("credentials", site("")).send().0,
        200
    );
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let used = change("jti", "used".into());
    assert_eq!(used.send().0, 200);
    let error = |number: u32| {
        let detail = format!("Error signing in to Tableau Server ({number})");
        json!({ "error": { "summary": "Signin Error", "detail": detail, "code": "401001" } })
    };
    let missing = "parameter credentials.site.contentUrl is missing or wrong";
    let missing = json!({
        "error": { "summary": "Bad Request", "detail": missing, "code": "400000" },
    });
    assert_refused([
        (used, 401, error(10096)),
        (
            change("scp", json!(["tableau:users:read"])),
            401,
            error(10084),
        ),
        (change("sub", "bob".into()), 401, error(16)),
        (change("exp", (now() + 700).into()), 401, error(16)),
        (change("iss", "other".into()), 401, error(126)),
        (request.clone().header("kid", "secret-2"), 401, error(127)),
        (
            request.clone().header("iss", Value::Null),
            401,
            error(10083),
        ),
        (
            request.clone().parameter("credentials", Value::Null),
            400,
            missing,
        ),
    ]);
}

#[test]
fn line_wants_the_lifetime_of_the_token_in_one_version_and_a_kid_in_both() {
    let server = server_with(Client::new("channel", Key::public(&rsa_key())));
    let base = base(&server, "line");
    let claims = json!({
        "iss": "channel", "sub": "channel", "aud": "https://api.line.me/", "exp": now() + 1800, "token_exp": 86400,
    });
    let request = Request::client(format!("{base}/oauth2/v2.1/token"), rs256(), claims)
        .header("kid", "key-1");
    let (_, body) = token(&server, &request, 200, "/access_token");
    assert!(body["key_id"].is_string());
    let stateless = request.clone().url(format!("{base}/oauth2/v3/token"));
    let stateless = stateless.claim("token_exp", Value::Null);
    let (_, body) = token(&server, &stateless, 200, "/access_token");
    assert!(body["key_id"].is_null());
    for refused in [
        request.clone().claim("token_exp", Value::Null),
        request.clone().claim("exp", now() + 1900),
        request.clone().header("kid", Value::Null),
        request.clone().key(other_key()),
        stateless.key(other_key()),
    ] {
        assert_eq!(
            refused.send(),
            (400, oauth("invalid_client", "invalid jwt"))
        );
    }
}
