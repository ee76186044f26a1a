//! Each server of the sandbox issues a token for a correct request, and refuses each mistake in the server's own form.
//! The assertions are written by hand, as the documents of the servers say. The tests are in a file for each group.

use std::sync::Arc;

use jwt_bearer::sandbox::{Client, Key, Server};
use jwt_bearer::{HmacKey, RsaAlgorithm, RsaKey, Signer};
use serde_json::{Value, json};

use super::request::{Request, now};
use super::{SECRET, agent, jwt_claims, other_rsa_key, request_resource, rsa_key};

pub(crate) fn rs256() -> Arc<dyn Signer> {
    Arc::new(rsa_key())
}
pub(crate) fn other_key() -> Arc<dyn Signer> {
    Arc::new(other_rsa_key())
}
pub(crate) fn rsa(algorithm: RsaAlgorithm) -> RsaKey {
    rsa_key().with_algorithm(algorithm)
}
pub(crate) fn hs256() -> Arc<dyn Signer> {
    Arc::new(HmacKey::new(SECRET).unwrap())
}

/// Starts a server with one client.
pub(crate) fn server_with(client: Client) -> Server {
    let server = Server::start().unwrap();
    server.register(client);
    server
}
pub(crate) fn base(server: &Server, name: &str) -> String {
    server.base_url(name).unwrap()
}
pub(crate) fn oauth(code: &str, description: &str) -> Value {
    json!({ "error": code, "error_description": description })
}

/// Sends each request, which must be refused with the status and the body that go with it.
#[track_caller]
pub(crate) fn assert_refused(cases: impl IntoIterator<Item = (Request, u16, Value)>) {
    for (n, (request, status, body)) in cases.into_iter().enumerate() {
        assert_eq!(request.send(), (status, body), "case {n}, from 0");
    }
}
/// Sends a request, which must be accepted with this status, and returns the token at the pointer in the body.
#[track_caller]
pub(crate) fn token(
    server: &Server,
    request: &Request,
    status: u16,
    pointer: &str,
) -> (String, Value) {
    let (sent, body) = request.send();
    assert_eq!(sent, status, "{body}");
    let token = body.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let known = request_resource(server, Some(&format!("Bearer {token}")));
    assert_eq!(known.0, 200, "{body}");
    (token, body)
}
/// Sends the request again with the client registered under a denial.
#[track_caller]
pub(crate) fn denied_as(
    server: &Server,
    client: &Client,
    code: &'static str,
    request: &Request,
) -> (u16, Value) {
    server.register(client.clone().with_denial(code));
    let outcome = request.send();
    server.register(client.clone());
    outcome
}

#[test]
fn servers_share_no_path_and_base_urls_names_each() {
    let server = Server::start().unwrap();
    let names: Vec<_> = server
        .base_urls()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let all = "apple-ads auth0 box docusign entra github google keycloak line lti maskinporten okta smart \
        snowflake tableau vault yandex zitadel";
    assert_eq!(names.join(" "), all);
    assert_eq!(server.base_url("other"), None);
    // The generic endpoint is at the end of paths that belong to no server.
    let post = |path: &str| {
        let response = agent().post(format!("{}{path}", server.url())).send_empty();
        response.unwrap().status().as_u16()
    };
    assert_eq!(post("/okta/token"), 404);
    assert_eq!(post("/github/app/installations//access_tokens"), 404);
    assert_eq!(post("/github/app/installations/1/2/access_tokens"), 404);
    assert_eq!(post("/elsewhere/token"), 400);
}

#[test]
fn last_assertion_is_the_latest_accepted_one_of_a_server() {
    let server = server_with(Client::new("service", Key::public(&rsa_key())));
    let url = base(&server, "zitadel") + "/oauth/v2/token";
    let claims = json!({
        "iss": "service", "sub": "service", "aud": base(&server, "zitadel"), "iat": now(), "exp": now() + 60,
    });
    let request = Request::grant(url, rs256(), claims).header("kid", "key-1");
    let request = request.parameter("scope", "openid");
    assert_eq!(server.last_assertion("zitadel"), None);
    let sent = |number: u64| {
        let (status, body) = request.clone().claim("number", number).send();
        assert_eq!(status, 200, "{body}");
        jwt_claims(&server.last_assertion("zitadel").unwrap())["number"].clone()
    };
    assert_eq!((sent(1), sent(2)), (json!(1), json!(2)));
    assert_eq!(request.clone().key(other_key()).send().0, 400);
    let last = jwt_claims(&server.last_assertion("zitadel").unwrap());
    assert_eq!(last["number"], 2, "a refused assertion does not count");
    assert_eq!(server.last_assertion("google"), None);
}
