//! Marketing Cloud Intelligence, the Salesforce Platform, Cylance, and the generic endpoint. Their paths have no base.

use serde_json::json;

use crate::sandbox::denial::{Denial, denial, message, oauth_denial};
use crate::sandbox::grant::{
    ASSERTION_GRANT, Audiences, CLIENT_CREDENTIALS, ClaimRule, Grant, Numbers, Text, Times,
};
use crate::sandbox::grant::{CLIENT_ASSERTION, JWT_BEARER};
use crate::sandbox::parameters::{json as json_parameters, no_scope, scp_claim};
use crate::sandbox::refusal::Refusal;

pub(super) const GRANTS: &[Grant] = &[
    Grant {
        name: "Marketing Cloud Intelligence",
        paths: &["/us1/token"],
        required_claims: &["sub", "iat", "jti"],
        audiences: Audiences::Text(&["https://idp.intelligence.salesforce.com"]),
        requested_scope: no_scope,
        token_response: |issue, token| {
            json!({
                "access_token": token,
                "expires_in": issue.state.token_lifetime.as_secs(),
            })
        },
        ..CLIENT_CREDENTIALS
    },
    Grant {
        name: "Salesforce Platform",
        paths: &["/services/oauth2/token"],
        required_claims: &["sub", "exp"],
        audiences: Audiences::Text(&[
            "https://login.salesforce.com",
            "https://test.salesforce.com",
            "{url}",
        ]),
        times: Times {
            max_exp_ahead: 180,
            numbers: Numbers::Strings, // simple-salesforce writes one
            ..Times::UNLIMITED
        },
        requested_scope: no_scope,
        token: |issue| format!("00Dxx0000001gPL!{}", issue.state.opaque_access_token()),
        token_response: |issue, token| {
            let url = &issue.state.url;
            json!({
                "access_token": token,
                "scope": issue.client.scopes.join(" "),
                "instance_url": url,
                "id": format!("{url}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS"),
                "token_type": "Bearer",
            })
        },
        denial: salesforce_denial,
        ..ASSERTION_GRANT
    },
    Grant {
        name: "Cylance",
        paths: &["/auth/v2/token"],
        read_parameters: json_parameters,
        assertion: "auth_token",
        parameters: &[],
        client_claim: "sub",
        required_claims: &["iss", "exp", "iat", "jti", "tid"],
        claims: &[
            ("iss", ClaimRule::Text(Text::Is("http://cylance.com"))),
            ("tid", ClaimRule::Tenant),
        ],
        audiences: Audiences::Text(&[]),
        times: Times {
            max_lifetime: 1800,
            ..Times::UNLIMITED
        },
        requested_scope: scp_claim,
        token: |issue| {
            let iat = issue.state.now();
            let exp = iat.saturating_add(issue.state.token_lifetime.as_secs());
            let sub = &issue.client.id;
            let claims = json!({ "sub": sub, "scp": issue.scope, "iat": iat, "exp": exp });
            issue.state.jwt(&claims)
        },
        token_response: |_, token| json!({ "access_token": token }),
        denial: cylance_denial,
        error_response: message,
        ..ASSERTION_GRANT
    },
    Grant {
        paths: &["/token"],
        grant_type: Some("client_credentials"),
        parameters: &[("client_assertion_type", Text::Is(CLIENT_ASSERTION))],
        audiences: Audiences::Text(&["{url}", "{url}/token"]),
        times: AN_HOUR_AHEAD,
        ..CLIENT_CREDENTIALS
    },
    Grant {
        paths: &["/token"],
        grant_type: Some(JWT_BEARER),
        audiences: Audiences::Text(&["{url}", "{url}/token"]),
        times: AN_HOUR_AHEAD,
        ..ASSERTION_GRANT
    },
];

const AN_HOUR_AHEAD: Times = Times {
    max_exp_ahead: 3600,
    ..Times::UNLIMITED
};

/// The error texts of Salesforce, as its document and users' reports show them.
fn salesforce_denial(refusal: &Refusal) -> Denial {
    let (code, words) = match refusal {
        Refusal::Parameter("grant_type") => ("unsupported_grant_type", "grant type not supported"),
        Refusal::Parameter(_) => ("invalid_request", "assertion is required"),
        Refusal::DuplicateParameter => ("invalid_request", "duplicate parameter"),
        Refusal::Client => ("invalid_client_id", "client identifier invalid"),
        Refusal::Audience => ("invalid_grant", "audience is invalid"),
        Refusal::Claim("sub") => ("invalid_grant", "user hasn't approved this consumer"),
        Refusal::Denied(_) => return oauth_denial(refusal, 400, "invalid_grant"),
        _ => ("invalid_grant", "invalid assertion"),
    };
    denial(400, code, words)
}

/// Cylance answers with a message, but without an error code.
fn cylance_denial(refusal: &Refusal) -> Denial {
    let (status, words) = match refusal {
        Refusal::Parameter(_) | Refusal::DuplicateParameter | Refusal::NotJson => {
            (400, "Malformed JSON")
        }
        Refusal::TooLong => (400, "exp is more than 30 minutes after iat"),
        Refusal::Scope(_) | Refusal::DelegatedScope(_) => (403, "Insufficient scope"),
        _ => (401, "Invalid JWT payload"),
    };
    denial(status, "", words)
}
