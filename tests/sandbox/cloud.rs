//! Google, Snowflake, Vault and Yandex Cloud.

use std::sync::Arc;

use jwt_bearer::RsaAlgorithm;
use jwt_bearer::sandbox::{Client, Key};
use serde_json::{Value, json};

use super::request::{Request, now};
use super::servers::{
    assert_refused, base, denied_as, oauth, other_key, rs256, rsa, server_with, token,
};
use super::{jwt_claims, rsa_key};

#[test]
fn google_issues_access_and_id_tokens_and_refuses_in_its_own_words() {
    let id = "robot@project.iam.gserviceaccount.com";
    let client = Client::new(id, Key::public(&rsa_key()))
        .with_scope("https://www.googleapis.com/auth/drive");
    let delegating = client.clone().with_user("alice@example.com");
    let server = server_with(client.clone());
    let url = base(&server, "google") + "/token";
    let claims = json!({
        "iss": id, "scope": "https://www.googleapis.com/auth/drive",
        "aud": "https://oauth2.googleapis.com/token", "iat": now(), "exp": now() + 3600,
    });
    // Google ignores the parameter.
    let request = Request::grant(url.clone(), rs256(), claims).parameter("scope", "anything");
    let (access_token, body) = token(&server, &request, 200, "/access_token");
    let answer = json!({ "access_token": access_token, "expires_in": 300, "token_type": "Bearer" });
    assert_eq!(body, answer);
    for aud in ["https://oauth2.googleapis.com/token", &url] {
        assert_eq!(request.clone().claim("aud", aud).send().0, 200);
    }
    let id_token = request.clone().claim("scope", Value::Null);
    let id_token = id_token.claim("target_audience", "https://service.run.app");
    let (jwt, body) = token(&server, &id_token, 200, "/id_token");
    assert_eq!(body, json!({ "id_token": jwt }));
    assert_eq!(jwt_claims(&jwt)["aud"], "https://service.run.app");

    let timeframe = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
        Check your iat and exp values in the JWT claim.";
    let scope = "Invalid OAuth scope or ID token audience provided.";
    let delegation = "Client is unauthorized to retrieve access tokens using this method, or client not authorized \
        for any of the scopes requested.";
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    assert_refused([
        (
            change("exp", (now() + 4000).into()),
            400,
            oauth("invalid_grant", timeframe),
        ),
        (
            change("exp", (now() - 1).into()),
            400,
            oauth("invalid_grant", timeframe),
        ),
        (
            request.clone().key(other_key()),
            400,
            oauth("invalid_grant", "Invalid JWT Signature."),
        ),
        (
            change("sub", "alice@example.com".into()),
            401,
            oauth("unauthorized_client", delegation),
        ),
        (
            change("scope", "".into()),
            400,
            oauth("invalid_scope", scope),
        ),
        (
            change("scope", Value::Null),
            400,
            oauth("invalid_scope", scope),
        ),
        (
            change("scope", "drive".into()),
            400,
            oauth("invalid_scope", scope),
        ),
        (
            id_token.clone().claim("target_audience", ""),
            400,
            oauth("invalid_scope", scope),
        ),
        (
            change("iss", "deleted@example.com".into()),
            400,
            oauth("invalid_grant", "Invalid grant: account not found"),
        ),
    ]);
    for (code, status) in [
        ("disabled_client", 401),
        ("deleted_client", 401),
        ("access_denied", 403),
    ] {
        let (sent, body) = denied_as(&server, &client, code, &request);
        assert_eq!((sent, &body["error"]), (status, &json!(code)));
    }
    server.register(delegating);
    assert_eq!(change("sub", "alice@example.com".into()).send().0, 200);
    let stranger = change("sub", "bob@example.com".into());
    assert_refused([
        (
            stranger,
            400,
            oauth("invalid_grant", "Invalid email or User ID"),
        ),
        (
            change("sub", "alice@example.com".into()).claim("scope", "https://mail.google.com/"),
            401,
            oauth("unauthorized_client", delegation),
        ),
    ]);
}

#[test]
fn snowflake_exchanges_a_key_pair_jwt_for_plain_text_and_takes_it_as_token() {
    let server = server_with(Client::new("ACCOUNT.USER", Key::public(&rsa_key())));
    let base = base(&server, "snowflake");
    let fingerprint = rsa_key().fingerprint();
    let claims = json!({
        "iss": format!("ACCOUNT.USER.{fingerprint}"), "sub": "ACCOUNT.USER", "iat": now(), "exp": now() + 3600,
    });
    let exchange = Request::grant(format!("{base}/oauth/token"), rs256(), claims.clone())
        .parameter("scope", "session:role:ANALYST app.snowflakecomputing.app");
    token(&server, &exchange, 200, "");
    let call = Request::bearer(format!("{base}/api/v2/statements"), rs256(), claims)
        .request_header("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT");
    let (status, body) = call.send();
    assert_eq!((status, &body["code"]), (200, &json!("090001")));
    for request in [&exchange, &call] {
        let change = |name: &str, value: Value| request.clone().claim(name, value);
        for refused in [
            change("iss", "ACCOUNT.USER.SHA256:AAAA".into()),
            change("iss", "ACCOUNT.USER".into()),
            change("sub", "account.user".into()),
            change("exp", (now() + 7200).into()),
            request.clone().key(other_key()),
        ] {
            let (status, body) = refused.send();
            assert_eq!((status, &body["code"]), (401, &json!("390144")));
            let message = body["message"].as_str().unwrap();
            let request_id = message.strip_prefix("JWT token is invalid. [").unwrap();
            assert_eq!(request_id.len(), 37);
        }
    }
    let other_kind = call.request_header("X-Snowflake-Authorization-Token-Type", "OAUTH");
    assert_eq!(other_kind.send().0, 401);
}

#[test]
fn vault_answers_with_a_nested_token_and_a_list_of_errors() {
    let client = Client::new("https://issuer.example", Key::public(&rsa_key()))
        .with_user("workload")
        .with_scope("reader");
    let server = server_with(client.clone());
    let claims = json!({ "iss": "https://issuer.example", "sub": "workload", "iat": now(), "exp": now() + 60 });
    let request = Request {
        assertion: "jwt",
        ..Request::json(
            base(&server, "vault") + "/v1/auth/jwt/login",
            rs256(),
            claims,
        )
    };
    let request = request.parameter("role", "reader");
    let (_, body) = token(&server, &request, 200, "/auth/client_token");
    assert_eq!(body["auth"]["lease_duration"], 300);
    assert_eq!(body["auth"]["metadata"], json!({ "role": "reader" }));
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let error = |text: &str| json!({ "errors": [text] });
    let audience = "audience claim found in JWT but no audiences bound to the role";
    let invalid = |text: &str| error(&format!("error validating token: {text}"));
    assert_refused([
        (
            request.clone().parameter("role", Value::Null),
            400,
            error("missing role"),
        ),
        (
            request.clone().parameter("role", "admin"),
            400,
            error("role \"admin\" could not be found"),
        ),
        (
            request.clone().key(other_key()),
            400,
            invalid(
                "error verifying token signature: no known key successfully validated the token signature",
            ),
        ),
        (change("aud", "vault".into()), 400, error(audience)),
        (
            change("iss", "other".into()),
            400,
            invalid("invalid issuer (iss) claim"),
        ),
        (
            change("sub", "other".into()),
            400,
            invalid("invalid subject (sub) claim"),
        ),
        (
            change("exp", (now() - 600).into()),
            400,
            invalid("invalid expiration time (exp) claim: token is expired"),
        ),
        (
            change("iat", (now() + 600).into()),
            400,
            invalid("invalid not before (nbf) claim: token not yet valid"),
        ),
    ]);
    server.register(client.with_audience("vault"));
    assert_eq!(change("aud", "vault".into()).send().0, 200);
    assert_eq!(change("aud", json!(["vault"])).send().0, 200);
    assert_eq!(
        request.send().0,
        400,
        "an audience is bound and none is sent"
    );
}

#[test]
fn yandex_takes_ps256_and_answers_with_a_time_and_google_rpc_status() {
    let key = rsa(RsaAlgorithm::PS256);
    let server = server_with(Client::new("account-1", Key::public(&key)));
    let aud = "https://iam.api.cloud.yandex.net/iam/v1/tokens";
    let claims = json!({ "iss": "account-1", "aud": aud, "iat": now(), "exp": now() + 3600 });
    let request = Request {
        assertion: "jwt",
        ..Request::json(
            base(&server, "yandex") + "/iam/v1/tokens",
            Arc::new(key),
            claims,
        )
    };
    let request = request.header("kid", "key-1");
    let (_, body) = token(&server, &request, 200, "/iamToken");
    let expires_at = body["expiresAt"].as_str().unwrap();
    assert_eq!(
        (expires_at.len(), &expires_at[19..20], &expires_at[29..]),
        (30, ".", "Z")
    );
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    assert_eq!(change("aud", json!([aud])).send().0, 200);
    let status =
        |code: u64, message: &str| json!({ "code": code, "message": message, "details": [] });
    assert_refused([
        (
            change("exp", (now() + 7200).into()),
            401,
            status(16, "exp lies too far ahead"),
        ),
        (
            request.clone().key(rs256()),
            401,
            status(16, "alg is not the one of the client's key"),
        ),
        (
            request.clone().header("kid", Value::Null),
            401,
            status(
                16,
                "The required field 'kid' is missing from the JWT header",
            ),
        ),
        (
            Request {
                assertion: "token",
                ..request.clone()
            },
            400,
            status(3, "parameter jwt is missing or wrong"),
        ),
    ]);
    server.register(Client::new("account-1", Key::public(&rsa_key())));
    let error = status(16, "the server accepts no key with this alg");
    assert_refused([(request.key(rs256()), 401, error)]);
}
