//! Microsoft Entra, Okta, Auth0, Keycloak and Zitadel.

use std::sync::Arc;

use jwt_bearer::sandbox::{Client, Key};
use jwt_bearer::{RsaAlgorithm, Signer};
use serde_json::{Value, json};

use super::request::{Body, NEW, Request, now};
use super::servers::{
    assert_refused, base, denied_as, hs256, oauth, other_key, rs256, rsa, server_with, token,
};
use super::{SECRET, get_json, other_rsa_key, rsa_key};

#[test]
fn entra_wants_a_thumbprint_and_answers_with_the_number_of_the_error() {
    let id = "11112222-3333-4444-5555-666677778888";
    let certificate = include_bytes!("../data/certificates/leaf.pem");
    let key = other_rsa_key().with_algorithm(RsaAlgorithm::PS256);
    let client = Client::new(id, Key::public(&key))
        .with_tenant("contoso")
        .with_scope("https://graph.microsoft.com/.default")
        .with_certificate(certificate)
        .unwrap();
    let server = server_with(client.clone());
    let base = base(&server, "entra");
    let url = format!("{base}/contoso/oauth2/v2.0/token");
    let claims = json!({
        "iss": id, "sub": id, "aud": url, "nbf": now(), "exp": now() + 600, "jti": NEW,
    });
    // tests/data/certificates/fingerprints.txt has them in hexadecimal.
    let (sha1, sha256) = (
        "nmDE8fvQWdu-x5TGCfRS6CXc3wI",
        "WNqEHZZHcBpgh2tRohg5Dd1WAWgcXcvpqKdg9NhUyNU",
    );
    let request = Request::client(url.clone(), Arc::new(key), claims)
        .parameter("client_id", id)
        .parameter("scope", "https://graph.microsoft.com/.default")
        .header("x5t#S256", sha256);
    let (_, body) = token(&server, &request, 200, "/access_token");
    assert_eq!(
        (&body["ext_expires_in"], &body["token_type"]),
        (&json!(300), &json!("Bearer"))
    );
    // MSAL for Python pads thumbprints, writes times with a fraction, and sends an assertion again.
    for accepted in [
        request.clone().header("x5t#S256", format!("{sha256}=")),
        request
            .clone()
            .header("x5t#S256", Value::Null)
            .header("x5t", sha1),
        request
            .clone()
            .claim("exp", 600.5 + f64::from(u32::try_from(now()).unwrap())),
        // MSAL for Node sends this parameter twice.
        request
            .clone()
            .url(format!("{url}?client-request-id=1"))
            .parameter("client-request-id", "1"),
        request.clone().claim("jti", "again"),
        request.clone().claim("jti", "again"),
        request
            .clone()
            .url(format!("{base}/oauth2/v2.0/token"))
            .claim("aud", format!("{base}/oauth2/v2.0/token")),
    ] {
        let (status, body) = accepted.send();
        assert_eq!(status, 200, "{body}");
    }
    let rs256 = client.clone();
    let with_rs256: Arc<dyn Signer> = Arc::new(other_rsa_key());
    server.register(Client::new(id, Key::public(&other_rsa_key())).with_tenant("contoso"));
    let (status, body) = request.clone().key(with_rs256).send();
    assert_eq!(
        (status, &body["error_codes"]),
        (401, &json!([700027])),
        "no certificate"
    );
    server.register(rs256);

    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let elsewhere = format!("{base}/fabrikam/oauth2/v2.0/token");
    for (request, status, code, number) in [
        (
            request.clone().header("x5t#S256", "nmDE8fv"),
            401,
            "invalid_client",
            700027,
        ),
        (
            request.clone().header("x5t#S256", Value::Null),
            401,
            "invalid_client",
            700027,
        ),
        (
            request.clone().key(Arc::new(rsa(RsaAlgorithm::PS256))),
            401,
            "invalid_client",
            700027,
        ),
        (
            change("exp", (now() - 5).into()),
            401,
            "invalid_client",
            700024,
        ),
        (
            change("nbf", (now() + 600).into()),
            401,
            "invalid_client",
            700024,
        ),
        (
            change("iss", "other".into()),
            400,
            "unauthorized_client",
            700016,
        ),
        (
            request
                .clone()
                .parameter("scope", "https://graph.microsoft.com/User.Read"),
            400,
            "invalid_scope",
            1002012,
        ),
        (
            request.clone().parameter("scope", "a/.default b/.default"),
            400,
            "invalid_scope",
            1002012,
        ),
        (
            request
                .clone()
                .url(elsewhere.clone())
                .claim("aud", elsewhere),
            400,
            "invalid_request",
            90002,
        ),
        (
            request.clone().url(format!("{url}?client_id={id}")),
            400,
            "invalid_request",
            9000411,
        ),
        (
            request.clone().parameter("client_id", Value::Null),
            400,
            "invalid_request",
            900144,
        ),
        (
            change("aud", format!("{base}/contoso/v2.0").into()),
            401,
            "invalid_client",
            50027,
        ),
    ] {
        let (sent, body) = request.send();
        assert_eq!((sent, &body["error"]), (status, &json!(code)), "{body}");
        assert_eq!(body["error_codes"], json!([number]));
        let (trace, correlation) = (body["trace_id"].as_str(), body["correlation_id"].as_str());
        let (trace, correlation) = (trace.unwrap(), correlation.unwrap());
        let timestamp = body["timestamp"].as_str().unwrap();
        assert_eq!(
            (trace.len(), correlation.len(), timestamp.len()),
            (36, 36, 20)
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")));
        let end =
            format!(" Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}");
        assert!(description.ends_with(&end));
    }
    for (code, number) in [
        ("AADSTS7000214", 7000214),
        ("AADSTS7000277", 7000277),
        ("AADSTS1000502", 1000502),
    ] {
        let (status, body) = denied_as(&server, &client, code, &request);
        assert_eq!((status, &body["error_codes"]), (401, &json!([number])));
    }
    for tenant in ["", "/contoso"] {
        let url = format!("{base}{tenant}/v2.0/.well-known/openid-configuration");
        let document = get_json(&url);
        assert_eq!(
            document["token_endpoint"],
            format!("{base}{tenant}/oauth2/v2.0/token")
        );
        assert_eq!(document["issuer"], format!("{base}{tenant}/v2.0"));
    }
}

#[test]
fn okta_wants_the_url_called_as_audience_and_refuses_in_its_own_words() {
    let client =
        Client::new("0oa1", Key::public(&rsa_key()).with_id("key-1")).with_scope("okta.users.read");
    let server = server_with(client.clone());
    let base = base(&server, "okta");
    let (org, custom) = (
        format!("{base}/oauth2/v1/token"),
        format!("{base}/oauth2/default/v1/token"),
    );
    let claims = json!({ "iss": "0oa1", "sub": "0oa1", "aud": org, "iat": now(), "exp": now() + 3600, "jti": NEW });
    let request = Request::client(org.clone(), rs256(), claims)
        .parameter("scope", "okta.users.read")
        .header("kid", "key-1");
    let (access_token, body) = token(&server, &request, 200, "/access_token");
    let answer = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "scope": "okta.users.read",
    });
    assert_eq!(body, answer);
    let at_custom = request
        .clone()
        .url(custom.clone())
        .claim("aud", custom.as_str());
    for accepted in [&at_custom, &request.clone().claim("jti", Value::Null)] {
        assert_eq!(accepted.send().0, 200);
    }
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let client_error = |words: &str| oauth("invalid_client", &format!("The {words}"));
    let endpoint = client_error(
        "audience claim for client_assertion must be the endpoint invoked for the request.",
    );
    let far = client_error("client_assertion token has an expiration too far into the future.");
    let future = client_error("client_assertion token must be issued before the current time.");
    let no_scopes = "You are not allowed any of the requested scopes.";
    let used = change("jti", "used".into());
    assert_eq!(used.send().0, 200);
    assert_refused([
        (change("aud", base.as_str().into()), 401, endpoint.clone()),
        (request.clone().url(custom.clone()), 401, endpoint),
        (
            request.clone().header("kid", "key-2"),
            401,
            client_error("client_assertion JWT kid is invalid."),
        ),
        (
            request.clone().key(other_key()),
            401,
            client_error("client_assertion signature is invalid."),
        ),
        (change("exp", (now() + 3700).into()), 401, far),
        (
            change("exp", (now() - 5).into()),
            401,
            client_error("client_assertion token is expired."),
        ),
        (change("iat", (now() + 60).into()), 401, future),
        (
            used,
            401,
            client_error("client_assertion token has already been used."),
        ),
        (
            request.clone().parameter("scope", "okta.apps.read"),
            400,
            oauth("consent_required", no_scopes),
        ),
        (
            at_custom.clone().parameter("scope", "okta.apps.read"),
            400,
            oauth("invalid_scope", no_scopes),
        ),
        (
            request.clone().parameter("scope", ""),
            400,
            oauth("invalid_scope", "The scope parameter must not be empty."),
        ),
    ]);
    let dpop = oauth(
        "invalid_dpop_proof",
        "The DPoP proof JWT header is missing.",
    );
    assert_eq!(
        denied_as(&server, &client, "invalid_dpop_proof", &request),
        (400, dpop)
    );
    server.register(Client::new("0oa1", Key::secret(SECRET)).with_scope("okta.users.read"));
    let method = client_error("client must use the private_key_jwt token_endpoint_auth_method.");
    assert_refused([(request.clone().key(hs256()), 401, method)]);
    assert_eq!(at_custom.key(hs256()).send().0, 200);
    let document = get_json(&format!(
        "{base}/oauth2/default/.well-known/oauth-authorization-server"
    ));
    assert_eq!(document["token_endpoint"], custom);
    assert_eq!(document["issuer"], format!("{base}/oauth2/default"));
}

#[test]
fn auth0_wants_its_domain_with_a_slash_and_says_little() {
    let client = Client::new("app", Key::public(&rsa_key()));
    let server = server_with(client.clone());
    let base = base(&server, "auth0");
    let claims = json!({
        "iss": "app", "sub": "app", "aud": format!("{base}/"), "iat": now(), "exp": now() + 60, "jti": NEW,
    });
    let request = Request::client(format!("{base}/oauth/token"), rs256(), claims)
        .parameter("audience", "https://api.example.com");
    token(&server, &request, 200, "/access_token");
    let as_json = Request {
        body: Body::Json,
        ..request.clone()
    };
    token(&server, &as_json, 200, "/access_token");
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    let used = change("jti", "used".into());
    assert_eq!(used.send().0, 200);
    for refused in [
        change("aud", base.as_str().into()),
        change("exp", (now() + 400).into()),
        change("exp", (now() - 5).into()),
        change("iat", (now() + 20).into()),
        change("jti", Value::Null),
        change("jti", "x".repeat(65).into()),
        used,
        change("x", "x".repeat(2048).into()),
        request.clone().key(other_key()),
        request.clone().key(hs256()),
    ] {
        let failed = oauth("invalid_client", "Client authentication failed");
        assert_eq!(refused.send(), (401, failed));
    }
    let (status, body) = request.clone().parameter("audience", Value::Null).send();
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    let denied = denied_as(&server, &client, "access_denied", &request);
    assert_eq!(denied, (403, oauth("access_denied", "Service not found")));
}

#[test]
fn keycloak_wants_the_issuer_of_the_realm_and_names_the_claim() {
    let server = server_with(
        Client::new("service", Key::public(&rsa_key()).with_id("key-1")).with_tenant("demo"),
    );
    let base = base(&server, "keycloak");
    let realm = format!("{base}/realms/demo");
    let url = format!("{realm}/protocol/openid-connect/token");
    let claims = json!({
        "iss": "service", "sub": "service", "aud": realm, "iat": now(), "exp": now() + 60, "jti": NEW,
    });
    let request = Request::client(url.clone(), rs256(), claims);
    let (_, body) = token(&server, &request, 200, "/access_token");
    assert_eq!(
        (&body["refresh_expires_in"], &body["not-before-policy"]),
        (&json!(0), &json!(0))
    );
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    for accepted in [
        change("aud", json!([realm])),
        change("exp", (now() + 3600).into()),
        request.clone().parameter("client_id", "service"),
        request.clone().header("kid", "key-1"),
    ] {
        assert_eq!(accepted.send().0, 200);
    }
    let used = change("jti", "used".into());
    assert_eq!(used.send().0, 200);
    let client_error = |words: &str| oauth("invalid_client", words);
    let far = "Token expiration is too far in the future and iat claim not present";
    assert_refused([
        (
            change("aud", url.as_str().into()),
            400,
            client_error("Invalid token audience"),
        ),
        (
            change("aud", json!([realm, url])),
            400,
            client_error("Multiple audiences not allowed"),
        ),
        (used, 400, client_error("Token reuse detected")),
        (
            change("jti", Value::Null),
            400,
            client_error("Token jti claim is required"),
        ),
        (
            change("exp", Value::Null),
            400,
            client_error("Token exp claim is required"),
        ),
        (
            change("sub", Value::Null),
            400,
            client_error("Token sub claim is required"),
        ),
        (
            change("iat", Value::Null).claim("exp", now() + 3600),
            400,
            client_error(far),
        ),
        (
            change("iat", (now() + 60).into()),
            400,
            client_error("Token was issued in the future"),
        ),
        (
            change("exp", (now() - 5).into()),
            400,
            client_error("Token is not active"),
        ),
        (
            request.clone().header("kid", "key-2"),
            400,
            client_error("Unable to load public key"),
        ),
        (
            request.clone().key(Arc::new(rsa(RsaAlgorithm::PS256))),
            400,
            client_error("Invalid signature algorithm"),
        ),
        (
            request.clone().key(other_key()),
            400,
            client_error("Invalid client or Invalid client credentials"),
        ),
    ]);
    let document = get_json(&format!("{realm}/.well-known/openid-configuration"));
    assert_eq!(
        (&document["issuer"], &document["token_endpoint"]),
        (&json!(realm), &json!(url))
    );
}

#[test]
fn zitadel_wants_a_kid_and_the_scope_openid() {
    let server = server_with(Client::new("user-1", Key::public(&rsa_key())));
    let base = base(&server, "zitadel");
    let claims =
        json!({ "iss": "user-1", "sub": "user-1", "aud": base, "iat": now(), "exp": now() + 3600 });
    let request = Request::grant(format!("{base}/oauth/v2/token"), rs256(), claims)
        .parameter("scope", "openid urn:zitadel:iam:org:project:id:zitadel:aud")
        .header("kid", "key-1");
    token(&server, &request, 200, "/access_token");
    let change = |name: &str, value: Value| request.clone().claim(name, value);
    assert_eq!(change("aud", json!([base])).send().0, 200);
    // Zitadel's client for Python.
    let with_client = request.clone().parameter("client_id", "None");
    assert_eq!(with_client.send().0, 200);
    let wrong = |words: &str| oauth("invalid_request", words);
    assert_refused([
        (
            change("aud", "https://elsewhere.example".into()),
            400,
            wrong("audience is not valid"),
        ),
        (
            change("iat", (now() + 60).into()),
            400,
            wrong("issuedAt of token is in the future"),
        ),
        (
            request.clone().key(other_key()),
            400,
            wrong("assertion invalid"),
        ),
        (
            request.clone().header("kid", Value::Null),
            400,
            wrong("header parameter kid is missing or wrong"),
        ),
        (
            request.clone().parameter("scope", "profile"),
            400,
            oauth("invalid_scope", "parameter scope is missing or wrong"),
        ),
    ]);
}
