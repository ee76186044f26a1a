//! GitHub, DocuSign, Box, Apple Ads, Tableau and LINE.

use serde_json::json;

use crate::sandbox::denial::{Denial, denial, oauth_denial};
use crate::sandbox::grant::{
    ASSERTION_GRANT, Audiences, CLIENT_CREDENTIALS, ClaimRule, Grant, HeaderRule, Jti, Text, Times,
    bearer_token,
};
use crate::sandbox::parameters::{
    bearer, json as json_parameters, no_scope, scope_claim, scp_claim, value,
};
use crate::sandbox::refusal::Refusal;
use crate::signer::Algorithm;

pub(super) const GRANTS: &[Grant] = &[
    // docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
    Grant {
        base: "github",
        name: "GitHub",
        // The second one is that of a GitHub Enterprise Server.
        paths: &[
            "/app/installations/{tenant}/access_tokens",
            "/api/v3/app/installations/{tenant}/access_tokens",
        ],
        request_headers: &[("User-Agent", Text::Any)],
        read_parameters: bearer,
        assertion: "Authorization",
        parameters: &[],
        algorithms: &[Algorithm::Rs256],
        required_claims: &["iat", "exp"],
        audiences: Audiences::Ignored,
        times: Times {
            max_exp_ahead: 600,
            leeway: 0,
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: no_scope,
        status: 201,
        token: |issue| format!("ghs_{}", issue.state.opaque_access_token()),
        token_response: |issue, token| {
            json!({
                "token": token,
                "expires_at": issue.expires_at("Z"),
                "permissions": { "contents": "read", "metadata": "read" },
                "repository_selection": "all",
            })
        },
        denial: github_denial,
        error_response: |_, denial| {
            json!({
                "message": denial.words,
                "documentation_url": "https://docs.github.com/rest",
                "status": denial.status.to_string(),
            })
        },
        ..ASSERTION_GRANT
    },
    // developers.docusign.com/platform/auth/jwt
    Grant {
        base: "docusign",
        name: "DocuSign",
        paths: &["/oauth/token"],
        algorithms: &[Algorithm::Rs256],
        required_claims: &["sub", "iat", "exp"],
        // A host without a scheme.
        audiences: Audiences::Text(&[
            "account.docusign.com",
            "account-d.docusign.com",
            "{authority}",
            "{authority}/docusign",
        ]),
        times: Times {
            max_lifetime: 3600,
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: scope_claim,
        denial: docusign_denial,
        ..ASSERTION_GRANT
    },
    // developer.box.com/guides/authentication/jwt/without-sdk
    Grant {
        base: "box",
        name: "Box",
        paths: &["/oauth2/token"],
        has_secret: true,
        algorithms: &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512],
        // The guide has `kid` too, but Box's own SDK for Node sends none.
        required_claims: &["sub", "box_sub_type", "jti", "exp"],
        claims: &[
            ("sub", ClaimRule::User),
            (
                "box_sub_type",
                ClaimRule::Text(Text::OneOf(&["enterprise", "user"])),
            ),
            ("jti", ClaimRule::Length(16, 128)),
        ],
        audiences: Audiences::Text(&["https://api.box.com/oauth2/token", "{token_url}"]),
        times: Times {
            max_exp_ahead: 60,
            ..Times::UNLIMITED
        },
        jti: Jti::Spent,
        requested_scope: no_scope,
        token_response: |issue, token| {
            json!({
                "access_token": token,
                "expires_in": issue.state.token_lifetime.as_secs(),
                "restricted_to": [],
                "token_type": "bearer",
            })
        },
        denial: box_denial,
        ..ASSERTION_GRANT
    },
    // developer.apple.com/documentation/apple_ads/implementing-oauth-for-the-apple-search-ads-api
    Grant {
        base: "apple-ads",
        name: "Apple Ads",
        paths: &["/auth/oauth2/token"],
        assertion: "client_secret",
        parameters: &[
            ("grant_type", Text::Is("client_credentials")),
            ("client_id", Text::Any),
            ("scope", Text::Is("searchadsorg")),
        ],
        algorithms: &[Algorithm::Es256],
        header: &[HeaderRule::OneOf(&["kid"])],
        client_claim: "sub",
        required_claims: &["iss", "iat", "exp"],
        claims: &[("iss", ClaimRule::Tenant)],
        audiences: Audiences::Text(&["https://appleid.apple.com"]),
        times: Times {
            max_lifetime: 15_552_000, // 180 days
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: no_scope,
        denial: |refusal| Denial {
            words: "".into(),
            ..oauth_denial(refusal, 400, "invalid_client")
        },
        ..CLIENT_CREDENTIALS
    },
    // help.tableau.com, connected apps with direct trust
    Grant {
        base: "tableau",
        name: "Tableau",
        paths: &["/api/{version}/auth/signin"],
        read_parameters: json_parameters,
        assertion: "credentials.jwt",
        parameters: &[("credentials.site.contentUrl", Text::OrEmpty)],
        algorithms: &[Algorithm::Hs256],
        header: &[HeaderRule::OneOf(&["kid"]), HeaderRule::OneOf(&["iss"])],
        required_claims: &["sub", "jti", "exp", "scp"],
        audiences: Audiences::Text(&["tableau"]),
        times: Times {
            max_exp_ahead: 600,
            ..Times::UNLIMITED
        },
        requested_scope: scp_claim,
        token_response: |issue, token| {
            let site = value(issue.parameters, "credentials.site.contentUrl");
            json!({
                "credentials": {
                    "site": { "id": issue.state.uuid(), "contentUrl": site },
                    "user": { "id": issue.state.uuid() },
                    "token": token,
                },
            })
        },
        denial: tableau_denial,
        error_response: |_, denial| {
            let (summary, code) = match denial.status {
                400 => ("Bad Request", "400000"),
                _ => ("Signin Error", "401001"),
            };
            json!({ "error": { "summary": summary, "detail": denial.words, "code": code } })
        },
        ..ASSERTION_GRANT
    },
    // developers.line.biz/en/reference/messaging-api/#issue-channel-access-token-v2-1
    Grant {
        paths: &["/oauth2/v2.1/token"],
        required_claims: &["sub", "exp", "token_exp"],
        token_response: |issue, token| {
            let mut body = bearer_token(issue, token);
            if let Some(members) = body.as_object_mut() {
                members.insert("key_id".to_owned(), issue.state.uuid().into());
            }
            body
        },
        ..LINE
    },
    Grant {
        name: "LINE, stateless",
        paths: &["/oauth2/v3/token"],
        ..LINE
    },
];

const LINE: Grant = Grant {
    base: "line",
    name: "LINE",
    algorithms: &[Algorithm::Rs256],
    header: &[HeaderRule::OneOf(&["kid"])],
    required_claims: &["sub", "exp"],
    audiences: Audiences::Text(&["https://api.line.me/"]),
    times: Times {
        max_exp_ahead: 1800,
        ..Times::UNLIMITED
    },
    jti: Jti::Ignored,
    requested_scope: no_scope,
    denial: |refusal| match refusal {
        Refusal::Parameter(_) | Refusal::DuplicateParameter | Refusal::Denied(_) => {
            oauth_denial(refusal, 400, "invalid_request")
        }
        _ => denial(400, "invalid_client", "invalid jwt"),
    },
    ..CLIENT_CREDENTIALS
};

fn github_denial(refusal: &Refusal) -> Denial {
    let (status, words) = match refusal {
        Refusal::RequestHeader(_) => (403, "Request forbidden by administrative rules."),
        Refusal::Client => (404, "Integration not found"),
        Refusal::Tenant => (404, "Not Found"),
        Refusal::TooLong => (
            401,
            "'Expiration time' claim ('exp') is too far in the future",
        ),
        Refusal::Expired => {
            let words = "'Expiration time' claim ('exp') must be a numeric value representing the future time at \
                which the assertion expires";
            (401, words)
        }
        Refusal::Claim("iat") => {
            let words = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was \
                issued";
            (401, words)
        }
        Refusal::Denied("suspended") => (403, "This installation has been suspended"),
        _ => (401, "A JSON web token could not be decoded"),
    };
    denial(status, "", words)
}

fn docusign_denial(refusal: &Refusal) -> Denial {
    let words = match refusal {
        Refusal::Scope(_) | Refusal::DelegatedScope(_) | Refusal::Denied("consent_required") => {
            return denial(400, "consent_required", "");
        }
        Refusal::Audience => return oauth_denial(refusal, 400, "invalid_request"),
        Refusal::Client => "issuer_not_found",
        Refusal::Signature | Refusal::Algorithm | Refusal::UnacceptedAlgorithm => {
            "no_valid_keys_or_signatures"
        }
        Refusal::Claim("sub") => "user_not_found",
        _ => return oauth_denial(refusal, 400, "invalid_grant"),
    };
    denial(400, "invalid_grant", words)
}

fn box_denial(refusal: &Refusal) -> Denial {
    let words = match refusal {
        Refusal::Secret => {
            let words = "The client credentials are invalid";
            return denial(400, "invalid_client", words);
        }
        Refusal::Denied(code @ "unauthorized_client") => {
            return denial(
                400,
                code,
                "This app is not authorized by the enterprise admin",
            );
        }
        Refusal::Expired | Refusal::TooLong => {
            "Current date time must be before the expiration date time listed in the 'exp' claim."
        }
        Refusal::Replay | Refusal::Claim("jti") => "Please check the 'jti' claim.",
        Refusal::Client => "Please check the 'iss' claim.",
        Refusal::Claim("sub" | "box_sub_type") => "Please check the 'sub' claim.",
        Refusal::Audience => "Please check the 'aud' claim.",
        Refusal::KeyId => "Please check the 'kid' header.",
        _ => return oauth_denial(refusal, 400, "invalid_grant"),
    };
    denial(400, "invalid_grant", words)
}

/// The numbers are those of Tableau's page on troubleshooting connected apps.
fn tableau_denial(refusal: &Refusal) -> Denial {
    let number = match refusal {
        Refusal::Parameter(_) | Refusal::NotJson | Refusal::DuplicateParameter => {
            return denial(400, "", refusal.to_string());
        }
        Refusal::TooLong | Refusal::Claim("sub") => "16",
        Refusal::Client => "126",
        Refusal::KeyId => "127",
        Refusal::MissingHeader(_)
        | Refusal::Header(_)
        | Refusal::Algorithm
        | Refusal::UnacceptedAlgorithm => "10083",
        Refusal::Replay => "10096",
        Refusal::Denied(number) => *number,
        _ => "10084",
    };
    let words = format!("Error signing in to Tableau Server ({number})");
    denial(401, "", words)
}
