//! Health (SMART Backend Services), education (LTI Advantage) and Norway's public sector (Maskinporten).

use serde_json::json;

use crate::sandbox::denial::{Denial, denial, oauth_denial};
use crate::sandbox::grant::{
    ASSERTION_GRANT, Audiences, CLIENT_ASSERTION, CLIENT_CREDENTIALS, Grant, HeaderRule, Text,
    Times,
};
use crate::sandbox::parameters::{scope_claim, scope_parameter};
use crate::sandbox::refusal::Refusal;
use crate::signer::Algorithm;

pub(super) const GRANTS: &[Grant] = &[
    // hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
    Grant {
        base: "smart",
        name: "SMART Backend Services",
        paths: &["/token", "/oauth2/token"],
        metadata: &[("/.well-known/smart-configuration", "{base}")],
        parameters: &[
            ("grant_type", Text::Is("client_credentials")),
            ("client_assertion_type", Text::Is(CLIENT_ASSERTION)),
            ("scope", Text::Any),
        ],
        algorithms: &[Algorithm::Rs384, Algorithm::Es384],
        header: &[HeaderRule::OneOf(&["kid"]), HeaderRule::OneOf(&["typ"])],
        times: Times {
            max_exp_ahead: 300,
            ..Times::UNLIMITED
        },
        requested_scope: scope_parameter,
        token_response: |issue, token| {
            json!({
                "access_token": token,
                "token_type": "bearer",
                "expires_in": issue.state.token_lifetime.as_secs(),
                "scope": issue.scope,
            })
        },
        denial: |refusal| oauth_denial(refusal, 400, "invalid_client"),
        // Epic's description is always null.
        error_response: |_, denial| json!({ "error": denial.code, "error_description": null }),
        ..CLIENT_CREDENTIALS
    },
    // imsglobal.org/spec/security/v1p0, and Canvas
    Grant {
        base: "lti",
        name: "LTI Advantage",
        paths: &["/login/oauth2/token"],
        parameters: &[
            ("grant_type", Text::Is("client_credentials")),
            ("client_assertion_type", Text::Is(CLIENT_ASSERTION)),
            ("scope", Text::Any),
        ],
        algorithms: &[Algorithm::Rs256],
        header: &[HeaderRule::OneOf(&["kid"])],
        required_claims: &["sub", "iat", "exp", "jti"],
        // The second is the one that Canvas is said to want at every host.
        audiences: Audiences::Array(&[
            "{token_url}",
            "https://canvas.instructure.com/login/oauth2/token",
        ]),
        requested_scope: scope_parameter,
        denial: |refusal| match refusal {
            Refusal::Signature => denial(400, "invalid_client", "JWS signature invalid."),
            Refusal::KeyId => denial(400, "invalid_client", "JWK Error: no key has this kid"),
            Refusal::Audience => denial(400, "invalid_request", "the 'aud' is invalid"),
            Refusal::Claim("iat") | Refusal::Future => {
                denial(400, "invalid_request", "the 'iat' must be in the past")
            }
            _ => oauth_denial(refusal, 400, "invalid_client"),
        },
        ..CLIENT_CREDENTIALS
    },
    // docs.digdir.no, Maskinporten
    Grant {
        base: "maskinporten",
        name: "Maskinporten",
        paths: &["/token"],
        metadata: &[("/.well-known/oauth-authorization-server", "{base}/")],
        algorithms: &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512],
        header: &[HeaderRule::OneOf(&["kid", "x5c"])],
        required_claims: &["iat", "exp", "scope"],
        audiences: Audiences::Text(&["{base}/", "https://maskinporten.no/"]),
        times: Times {
            max_lifetime: 120,
            max_age: 10,
            leeway: 10,
            ..Times::UNLIMITED
        },
        requested_scope: scope_claim,
        denial: maskinporten_denial,
        error_response: |_, denial| {
            json!({
                "error": denial.code,
                "error_description": denial.words,
                "error_uri": "https://docs.digdir.no/docs/Maskinporten/",
            })
        },
        ..ASSERTION_GRANT
    },
];

fn maskinporten_denial(refusal: &Refusal) -> Denial {
    let words = match refusal {
        Refusal::Client => "MP-100 Invalid assertion. Client authentication failed.",
        Refusal::Audience => "MP-110 Invalid JWT claim aud",
        Refusal::Denied("MP-120") => "MP-120 The assertion is signed with an invalid certificate",
        Refusal::Denied("MP-121") => "MP-121 Expired key",
        Refusal::Malformed => {
            return denial(400, "invalid_request", "MP-011 Invalid parameter value");
        }
        _ => return oauth_denial(refusal, 400, "invalid_grant"),
    };
    denial(400, "invalid_grant", words)
}
