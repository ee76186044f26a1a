//! <https://developers.docusign.com/platform/auth/jwt/jwt-get-token/>,
//! <https://developers.docusign.com/platform/auth/consent/>

use jwt_bearer::ErrorKind::Denied;
use jwt_bearer::{Audience, ScopePlacement};

use super::*;

const KEY: &str = "7c2b8d7e-83c3-4940-af5e-fd00a50c3c8c";
const USER: &str = "0fbf4b0b-5ab7-4a8d-8c3a-3a6a31bd6c2f";

fn docusign(environment: &[(&str, &str)]) -> Profile {
    let inputs = [("integration-key", KEY), ("user-id", USER)];
    profile("docusign", &[&inputs, environment].concat()).unwrap()
}

#[test]
fn docusign_token_is_asked_for_as_documented() {
    let environments: [(&[(&str, &str)], &str); 2] = [
        (&[], "account.docusign.com"),
        (&[("environment", "demo")], "account-d.docusign.com"),
    ];
    for (environment, host) in environments {
        let profile = docusign(environment);
        assert_signed(
            &profile,
            &rsa_key(),
            &json!({"typ": "JWT", "alg": "RS256"}),
            &json!({
                "iss": KEY, "sub": USER, "aud": host, "exp": NOW + 60, "iat": NOW, "jti": "uuid",
                "scope": "signature impersonation",
            }),
        );
        assert_eq!(
            request(&profile, &rsa_key()),
            format!(
                "POST https://{host}/oauth/token\n\
                 Accept: application/json\n\
                 Content-Type: application/x-www-form-urlencoded\n\n\
                 grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={{jwt}}"
            )
        );
    }
    let body = json!({"access_token": "eyJ0", "token_type": "Bearer", "expires_in": 3600});
    let token = read(
        &docusign(&[]),
        &rsa_key(),
        Response::new(200, body.to_string()),
    )
    .unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("eyJ0", 3600));

    let bare = Profile::docusign("account.docusign.com", KEY, USER).unwrap();
    assert!(
        request(&bare, &rsa_key()).starts_with("POST https://account.docusign.com/oauth/token\n")
    );
}

#[test]
fn docusign_limits_are_refused() {
    for audience in [
        Audience::Fixed("https://account.docusign.com".to_owned()),
        Audience::Fixed("account.docusign.com/".to_owned()),
        Audience::TokenEndpoint,
        Audience::Issuer,
        Audience::Omit,
    ] {
        assert_eq!(
            refused(
                docusign(&[])
                    .with_audience(audience)
                    .assertion(&rsa_key(), now())
            ),
            "DocuSign wants a bare host as audience: set it to account.docusign.com or account-d.docusign.com, \
             without https://"
        );
    }
    let parameter = docusign(&[]).with_scope_placement(ScopePlacement::Parameter);
    assert_eq!(
        refused(parameter.assertion(&rsa_key(), now())),
        "DocuSign reads the scope in the assertion: scope belongs in the claim"
    );
    let long = docusign(&[]).with_assertion_lifetime(Duration::from_secs(3601));
    assert_eq!(
        refused(long.assertion(&rsa_key(), now())),
        "exp lies further after iat than this server accepts"
    );
    assert!(
        refused(docusign(&[]).assertion(&ec_key(), now())).contains("this server accepts RS256")
    );
}

#[test]
fn docusign_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    assert_errors(
        &docusign(&[]),
        &rsa_key(),
        Denied,
        &[
            (
                400,
                json!({"error": "consent_required"}),
                "https://HOST/oauth/auth?response_type=code&scope=signature%20impersonation&client_id=",
            ),
            (
                400,
                error("invalid_grant", "no_valid_keys_or_signatures"),
                "key pair",
            ),
            (
                400,
                error("invalid_grant", "issuer_not_found"),
                "demo and production",
            ),
            (400, error("invalid_grant", "user_not_found"), "API user ID"),
            (400, error("invalid_grant", "expired_token"), "clock"),
            (400, error("invalid_grant", "unsupported"), "user id"),
            (400, error("invalid_client", "unknown"), "integration key"),
            (400, error("invalid_request", "invalid aud"), "bare host"),
            (400, error("invalid_scope", "unknown"), "impersonation"),
            (400, error("unauthorized_client", "unknown"), "RSA key pair"),
        ],
    );
}
