//! <https://developer.pagopa.it/pdnd-interoperabilita/guides/PDND-Interoperability-Operating-Manual/v1.0/technical-references/utilizzare-i-voucher/faqs>,
//! and, for the error, <https://github.com/pagopa/pdnd-interop-frontend/issues/1105>

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::provider::pdnd;
use jwt_bearer::{Audience, Jti};

use super::*;

const CLIENT: &str = "5c0aefe3-f3b5-46aa-a84a-749c4aee9c20";
const PURPOSE: &str = "07175229-3168-475f-bedc-56bff2168c01";

fn pdnd(environment: &str) -> Profile {
    let inputs = [
        ("client-id", CLIENT),
        ("purpose-id", PURPOSE),
        ("environment", environment),
    ];
    profile("pdnd", &inputs).unwrap()
}
fn key() -> RsaKey {
    rsa_key().with_key_id("FOqFE9XqYCw7pZiH9qvD1p7sScxTvFvmKwuHuPL52j4")
}

#[test]
fn pdnd_voucher_is_asked_for_as_documented() {
    let digest = json!({"alg": "SHA256", "value": "ba9397eeb0"});
    assert_signed(
        &pdnd("production").with_claim("digest", digest.clone()),
        &key(),
        &json!({
            "typ": "JWT", "alg": "RS256", "kid": "FOqFE9XqYCw7pZiH9qvD1p7sScxTvFvmKwuHuPL52j4",
        }),
        &json!({
            "iss": CLIENT, "sub": CLIENT, "aud": "auth.interop.pagopa.it/client-assertion",
            "iat": NOW, "exp": NOW + 60, "jti": "uuid", "purposeId": PURPOSE, "digest": digest,
        }),
    );
    assert_eq!(
        request(&pdnd("production"), &key()),
        "POST https://auth.interop.pagopa.it/token.oauth2\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=client_credentials&client_id=5c0aefe3-f3b5-46aa-a84a-749c4aee9c20\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={jwt}"
    );
    let body = json!({"access_token": "eyJ.v", "expires_in": 600, "token_type": "Bearer"});
    let token = read(
        &pdnd("production"),
        &key(),
        Response::new(200, body.to_string()),
    )
    .unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ.v", 600));
}

#[test]
fn pdnd_environment_has_its_audience() {
    for (environment, server, host) in [
        ("production", pdnd::PRODUCTION, "auth.interop.pagopa.it"),
        ("uat", pdnd::UAT, "auth.uat.interop.pagopa.it"),
        ("att", pdnd::ATT, "auth.att.interop.pagopa.it"),
    ] {
        assert_eq!(server, format!("https://{host}"));
        let profile = pdnd(environment);
        let text = request(&profile, &key());
        assert!(text.starts_with(&format!("POST https://{host}/token.oauth2\n")));
        let claims = decoded(profile.assertion(&key(), now()).unwrap().secret()).claims;
        assert_eq!(claims["aud"], format!("{host}/client-assertion"));
    }
    let own = profile("pdnd", &[("client-id", CLIENT)]).unwrap();
    let claims = decoded(own.assertion(&key(), now()).unwrap().secret()).claims;
    assert_eq!(claims.get("purposeId"), None);
    assert_eq!(
        refused(Profile::pdnd(
            "https://auth.interop.pagopa.it/token.oauth2",
            CLIENT
        )),
        "server is wanted without /token.oauth2 and without a query"
    );
}

#[test]
fn pdnd_limits_are_checked() {
    let refused = |profile: Profile| refused(profile.assertion(&key(), now()));
    let with_scheme = Audience::Fixed("https://auth.interop.pagopa.it/client-assertion".to_owned());
    for audience in [with_scheme, Audience::TokenEndpoint, Audience::Omit] {
        assert_eq!(
            refused(pdnd("uat").with_audience(audience)),
            "PDND's audience has no scheme: set auth.interop.pagopa.it/client-assertion, or that of the environment"
        );
    }
    for profile in [
        pdnd("uat").with_nbf_leeway(Duration::ZERO),
        pdnd("uat").with_claim("nbf", NOW),
        pdnd("uat").with_claim("userId", "x"),
    ] {
        assert_eq!(
            refused(profile),
            "PDND refuses all claims but purposeId and digest: take the others out"
        );
    }
    for profile in [
        pdnd("uat").without_typ(),
        pdnd("uat").with_header("x5t", "x"),
    ] {
        assert_eq!(
            refused(profile),
            "PDND wants kid, alg, and JWT for typ in the header: take the others out"
        );
    }
    for profile in [
        pdnd("uat").with_jti(Jti::Omit),
        pdnd("uat").with_iat_leeway(None),
        pdnd("uat").with_assertion_lifetime(None),
    ] {
        assert_eq!(
            refused(profile),
            "PDND wants iat, exp and jti: leave them as they are"
        );
    }
    assert_eq!(
        super::refused(pdnd("uat").assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let ec = ec_key().with_key_id("k");
    assert!(super::refused(pdnd("uat").assertion(&ec, now())).contains("accepts RS256"));
}

#[test]
fn pdnd_errors_are_explained() {
    let problem = |code: &str, detail: &str| {
        json!({
            "title": "The request contains bad syntax or cannot be fulfilled.",
            "type": "about:blank", "status": 400, "detail": "Bad request",
            "errors": [{"code": code, "detail": detail}],
            "correlationId": "03a4b81d-4997-4e73-b98f-cfcac5fb0f37",
        })
    };
    let body = problem(
        "015-0008",
        "Unable to generate a token for the given request",
    );
    let other = problem("015-0001", "Unable to generate a token");
    let bare = json!({"errors": [{"detail": "Bad request"}]});
    assert_errors(
        &pdnd("uat"),
        &key(),
        Denied,
        &[
            (400, body.clone(), "a purpose that is not active"),
            (400, other, "Debug client assertion"),
            (400, bare, "Debug client assertion"),
        ],
    );
    assert_errors(
        &pdnd("uat"),
        &key(),
        Unavailable,
        &[(429, json!({"errors": []}), "as long as it lives")],
    );
    let error = read(&pdnd("uat"), &key(), Response::new(400, body.to_string())).unwrap_err();
    assert_eq!(
        (error.code(), error.description()),
        (
            Some("015-0008"),
            Some("Unable to generate a token for the given request")
        )
    );
}

/// A voucher that is bound to a key says so in `token_type`.
#[test]
fn pdnd_dpop_voucher_is_refused() {
    let body = json!({"access_token": "eyJ.v", "expires_in": 600, "token_type": "DPoP"});
    let token = read(&pdnd("uat"), &key(), Response::new(200, body.to_string()));
    assert!(refused(token).contains("DPoP (RFC 9449), which is not supported"));
}
