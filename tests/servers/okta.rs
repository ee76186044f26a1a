//! <https://developer.okta.com/docs/guides/build-self-signed-jwt/js/main/>,
//! <https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/>

use jwt_bearer::Audience;
use jwt_bearer::ErrorKind::{Denied, Unavailable};

use super::*;

const CLIENT: &str = "0oab8eb55Kb9jdMIr5d6";

fn inputs<'a>(domain: &'a str, further: &[(&'a str, &'a str)]) -> Result<Profile, Error> {
    let inputs = [("okta-domain", domain), ("client-id", CLIENT)];
    profile("okta", &[&inputs, further].concat())
}

fn okta() -> Profile {
    let profile = inputs("example.okta.com", &[]).unwrap();
    profile.with_scope("okta.users.read okta.groups.read")
}

#[test]
fn okta_domain_may_be_called_oauth2() {
    for (issuer, endpoint) in [
        (
            "https://oauth2.example.com",
            "https://oauth2.example.com/oauth2/v1/token",
        ),
        (
            "https://oauth2.example.com/oauth2/default",
            "https://oauth2.example.com/oauth2/default/v1/token",
        ),
    ] {
        let profile = Profile::okta(issuer, CLIENT).unwrap().with_scope("a");
        let request = request(&profile, &rsa_key());
        assert!(
            request.starts_with(&format!("POST {endpoint}\n")),
            "{request}"
        );
    }
}

#[test]
fn okta_token_is_asked_for_as_documented() {
    let url = "https://example.okta.com/oauth2/v1/token";
    assert_signed(
        &okta(),
        &rsa_key().with_key_id("my_key_id"),
        &json!({"typ": "JWT", "alg": "RS256", "kid": "my_key_id"}),
        &json!({"iss": CLIENT, "sub": CLIENT, "aud": url, "exp": NOW + 300, "jti": "uuid"}),
    );
    assert_eq!(
        request(&okta(), &rsa_key()),
        "POST https://example.okta.com/oauth2/v1/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=0oab8eb55Kb9jdMIr5d6&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         scope=okta.users.read%20okta.groups.read&client_assertion={jwt}"
    );
    let body = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "eyJr", "scope": "okta.users.read"});
    let token = read(&okta(), &rsa_key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJr", 3600));
    assert_eq!(token.scope(), Some("okta.users.read"));
}

#[test]
fn okta_custom_server_has_an_endpoint_of_its_own() {
    let url = "https://example.okta.com/oauth2/default/v1/token";
    for domain in [
        "example.okta.com",
        "https://example.okta.com",
        "https://example.okta.com/",
    ] {
        let profile = inputs(domain, &[("authorization-server", "default")]).unwrap();
        let text = request(&profile, &hmac_key());
        assert!(text.starts_with(&format!("POST {url}\n")), "{text}");
        assert_signed(
            &profile,
            &hmac_key(),
            &json!({"typ": "JWT", "alg": "HS256"}),
            &json!({"iss": CLIENT, "sub": CLIENT, "aud": url, "exp": NOW + 300, "jti": "uuid"}),
        );
    }
    let profile = Profile::okta("https://example.okta.com/oauth2", CLIENT).unwrap();
    let text = request(&profile.with_scope("okta.users.read"), &rsa_key());
    assert!(text.starts_with("POST https://example.okta.com/oauth2/v1/token\n"));
}

#[test]
fn okta_limits_are_refused() {
    let long = okta().with_assertion_lifetime(Duration::from_secs(3601));
    assert_eq!(
        refused(long.assertion(&rsa_key(), now())),
        "exp lies further ahead than this server accepts"
    );
    let without_scope = inputs("example.okta.com", &[]).unwrap();
    assert_eq!(
        refused(without_scope.assertion(&rsa_key(), now())),
        "Okta wants a scope: set one that the app is granted, such as okta.users.read"
    );
    assert_eq!(
        refused(
            okta()
                .with_audience(Audience::Issuer)
                .assertion(&rsa_key(), now())
        ),
        "Okta wants the URL of its token endpoint as audience, and not the issuer: set the audience to the token endpoint"
    );
    assert_eq!(
        refused(okta().assertion(&hmac_key(), now())),
        "this server accepts RS256, RS384, RS512, ES256, ES384, ES512, and the key signs HS256: choose another \
         algorithm of the key, or another key"
    );
    assert!(okta().assertion(&ec_key(), now()).is_ok());
    let made = Profile::okta("https://example.okta.com/oauth2/v1/token", CLIENT);
    assert!(refused(made).contains("is wanted without /v1/token"));
}

#[test]
fn okta_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    let client = |text: &str| error("invalid_client", text);
    assert_errors(
        &okta(),
        &rsa_key(),
        Denied,
        &[
            (
                401,
                client(
                    "The audience claim for client_assertion must be the endpoint invoked for the request.",
                ),
                "URL that is called",
            ),
            (
                401,
                client("The client_assertion JWT kid is invalid."),
                "key id",
            ),
            (
                401,
                client("The client_assertion signature is invalid."),
                "private key",
            ),
            (
                401,
                client("The client_assertion token has an expiration too far into the future."),
                "an hour ahead",
            ),
            (
                401,
                client("The client_assertion token is expired."),
                "clock",
            ),
            (
                401,
                client("The client_assertion token must be issued before the current time."),
                "leave iat out",
            ),
            (
                401,
                client("The client_assertion token has already been used."),
                "twice",
            ),
            (
                401,
                client("The client must use the private_key_jwt token_endpoint_auth_method."),
                "Public key",
            ),
            (401, client("Client authentication failed."), "client id"),
            (
                400,
                error(
                    "consent_required",
                    "You are not allowed any of the requested scopes.",
                ),
                "Okta API Scopes",
            ),
            (
                400,
                error(
                    "access_denied",
                    "Policy evaluation failed for this request.",
                ),
                "access policy",
            ),
            (
                400,
                error("invalid_scope", "One or more scopes are not configured."),
                "okta.*",
            ),
            (
                400,
                error("unauthorized_client", "The client is not authorized."),
                "Client Credentials",
            ),
            (
                400,
                error(
                    "invalid_dpop_proof",
                    "The DPoP proof JWT header is missing.",
                ),
                "Proof of possession",
            ),
            (
                400,
                error(
                    "use_dpop_nonce",
                    "Authorization server requires nonce in DPoP proof.",
                ),
                "Proof of possession",
            ),
        ],
    );
    let limit = json!({"errorCode": "E0000047", "errorSummary": "API call exceeded rate limit"});
    assert_errors(&okta(), &rsa_key(), Unavailable, &[(429, limit, "share")]);
    let empty = json!({});
    assert_errors(&okta(), &rsa_key(), Unavailable, &[(429, empty, "share")]);
}
