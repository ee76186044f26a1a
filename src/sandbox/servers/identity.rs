//! Microsoft Entra, Okta, Auth0, Keycloak and Zitadel.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::sandbox::denial::{Denial, denial, oauth_denial};
use crate::sandbox::grant::{
    ASSERTION_GRANT, Audiences, CLIENT_ASSERTION, CLIENT_CREDENTIALS, ClaimRule, Grant, HeaderRule,
    Issue, JWT_BEARER, Jti, Numbers, Text, Times, bearer_token,
};
use crate::sandbox::parameters::{form_or_json, no_scope, scope_parameter};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::state::{State, rfc_3339};
use crate::signer::Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512};
use crate::signer::Algorithm::{Ps256, Rs256, Rs384, Rs512};

pub(super) const GRANTS: &[Grant] = &[
    // learn.microsoft.com/entra/identity-platform/certificate-credentials
    Grant {
        base: "entra",
        name: "Microsoft Entra ID",
        // The first one is for libraries that take the first segment of a path for the tenant.
        paths: &["/oauth2/v2.0/token", "/{tenant}/oauth2/v2.0/token"],
        metadata: &[
            ("/v2.0/.well-known/openid-configuration", "{base}/v2.0"),
            (
                "/{tenant}/v2.0/.well-known/openid-configuration",
                "{base}/{tenant}/v2.0",
            ),
        ],
        parameters: &[
            ("grant_type", Text::Is("client_credentials")),
            ("client_assertion_type", Text::Is(CLIENT_ASSERTION)),
            ("client_id", Text::Any),
            ("scope", Text::Ends("/.default")),
        ],
        algorithms: &[Ps256, Rs256],
        header: &[HeaderRule::Thumbprint],
        required_claims: &["sub", "exp"],
        times: Times {
            numbers: Numbers::Fractions, // Microsoft's library for Python writes them
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored, // Microsoft's libraries send an assertion until it expires
        requested_scope: scope_parameter,
        token: jwt_token,
        token_response: |issue, token| {
            let lifetime = issue.state.token_lifetime.as_secs();
            json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            })
        },
        denial: entra_denial,
        error_response: entra_error,
        ..CLIENT_CREDENTIALS
    },
    // developer.okta.com/docs/guides/build-self-signed-jwt
    Grant {
        name: "Okta",
        paths: &["/oauth2/v1/token"],
        metadata: &[("/.well-known/oauth-authorization-server", "{base}")],
        algorithms: &[Rs256, Rs384, Rs512, Es256, Es384],
        ..OKTA
    },
    Grant {
        name: "Okta custom authorization server",
        paths: &["/oauth2/{server}/v1/token"],
        metadata: &[(
            "/oauth2/{server}/.well-known/oauth-authorization-server",
            "{base}/oauth2/{server}",
        )],
        algorithms: &[Rs256, Rs384, Rs512, Es256, Es384, Hs256, Hs384, Hs512],
        denial: |refusal| match refusal {
            Refusal::Scope(_) => denial(400, "invalid_scope", NO_SCOPES),
            _ => okta_denial(refusal),
        },
        ..OKTA
    },
    // auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt
    Grant {
        base: "auth0",
        name: "Auth0",
        paths: &["/oauth/token"],
        read_parameters: form_or_json, // Auth0's SDK for Python posts JSON
        parameters: &[
            ("grant_type", Text::Is("client_credentials")),
            ("client_assertion_type", Text::Is(CLIENT_ASSERTION)),
            ("audience", Text::Any),
        ],
        max_assertion: 2048,
        algorithms: &[Rs256, Rs384, Ps256],
        claims: &[
            ("sub", ClaimRule::Client),
            ("jti", ClaimRule::Length(1, 64)),
        ],
        audiences: Audiences::Text(&["{base}/"]),
        times: Times {
            max_exp_ahead: 300,
            leeway: 10,
            ..Times::UNLIMITED
        },
        token: jwt_token,
        denial: |refusal| match refusal {
            Refusal::Parameter(_) | Refusal::DuplicateParameter | Refusal::NotJson => {
                oauth_denial(refusal, 400, "invalid_request")
            }
            Refusal::Denied("access_denied") => denial(403, "access_denied", "Service not found"),
            Refusal::Scope(_) => denial(403, "access_denied", "Client is not authorized to access"),
            _ => denial(401, "invalid_client", "Client authentication failed"),
        },
        ..CLIENT_CREDENTIALS
    },
    // github.com/keycloak/keycloak, AbstractJWTClientValidator.java
    Grant {
        base: "keycloak",
        name: "Keycloak",
        paths: &["/realms/{tenant}/protocol/openid-connect/token"],
        metadata: &[(
            "/realms/{tenant}/.well-known/openid-configuration",
            "{base}/realms/{tenant}",
        )],
        audiences: Audiences::Single(&["{base}/realms/{tenant}"]),
        times: Times {
            max_exp_ahead_without_iat: 300,
            max_age: 300,
            ..Times::UNLIMITED
        },
        token: jwt_token,
        token_response: |issue, token| {
            let mut body = bearer_token(issue, token);
            if let Some(members) = body.as_object_mut() {
                members.insert("refresh_expires_in".to_owned(), 0.into());
                members.insert("not-before-policy".to_owned(), 0.into());
            }
            body
        },
        denial: keycloak_denial,
        ..CLIENT_CREDENTIALS
    },
    // zitadel.com/docs/guides/integrate/service-users/private-key-jwt
    Grant {
        base: "zitadel",
        name: "Zitadel",
        paths: &["/oauth/v2/token"],
        metadata: &[("/.well-known/openid-configuration", "{base}")],
        parameters: &[
            ("grant_type", Text::Is(JWT_BEARER)),
            ("scope", Text::Has("openid")),
        ],
        checks_client_id: false, // Zitadel's client for Python sends the word None
        algorithms: &[Rs256, Es256, EdDsa],
        header: &[HeaderRule::OneOf(&["kid"])],
        required_claims: &["sub", "iat", "exp"],
        claims: &[("sub", ClaimRule::Client)],
        audiences: Audiences::Array(&["{base}"]), // the SDK for Go sends an array
        times: Times {
            max_lifetime: 3600,
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: no_scope,
        denial: |refusal| match refusal {
            Refusal::Parameter("scope") => denial(400, "invalid_scope", refusal.to_string()),
            Refusal::Audience => denial(400, "invalid_request", "audience is not valid"),
            Refusal::Future => denial(400, "invalid_request", "issuedAt of token is in the future"),
            Refusal::Malformed | Refusal::Signature => {
                denial(400, "invalid_request", "assertion invalid")
            }
            _ => oauth_denial(refusal, 400, "invalid_request"),
        },
        ..ASSERTION_GRANT
    },
];

const OKTA: Grant = Grant {
    base: "okta",
    parameters: &[
        ("grant_type", Text::Is("client_credentials")),
        ("client_assertion_type", Text::Is(CLIENT_ASSERTION)),
        ("scope", Text::Any),
    ],
    required_claims: &["sub", "exp"],
    times: Times {
        max_exp_ahead: 3600,
        leeway: 0,
        ..Times::UNLIMITED
    },
    requested_scope: scope_parameter,
    token: jwt_token,
    denial: okta_denial,
    ..CLIENT_CREDENTIALS
};

const NO_SCOPES: &str = "You are not allowed any of the requested scopes.";

/// An access token that is a JWT (RFC 9068).
fn jwt_token(issue: &Issue<'_>) -> String {
    let iat = issue.state.now();
    issue.state.jwt(&json!({
        "iss": issue.target.fill("{base}"),
        "sub": issue.client.id,
        "client_id": issue.client.id,
        "scope": issue.scope,
        "jti": issue.state.uuid(),
        "iat": iat,
        "exp": iat.saturating_add(issue.state.token_lifetime.as_secs()),
    }))
}

fn entra_denial(refusal: &Refusal) -> Denial {
    let (status, code, words) = match refusal {
        Refusal::Client => (
            400,
            "unauthorized_client",
            "AADSTS700016: Application was not found in the directory.".into(),
        ),
        Refusal::Tenant => (
            400,
            "invalid_request",
            "AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID and are signing into \
             the correct cloud."
                .into(),
        ),
        Refusal::Parameter("scope") | Refusal::Scope(_) => (
            400,
            "invalid_scope",
            "AADSTS1002012: The provided value for scope is not valid. Client credential flows must have a scope \
             value with /.default suffixed to the resource identifier."
                .into(),
        ),
        Refusal::Parameter("grant_type") => (
            400,
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.".into(),
        ),
        Refusal::DuplicateParameter => (
            400,
            "invalid_request",
            "AADSTS9000411: The request is not properly formatted. A parameter is duplicated.".into(),
        ),
        Refusal::Parameter(name) => (
            400,
            "invalid_request",
            format!("AADSTS900144: The request body must contain the following parameter: '{name}'."),
        ),
        Refusal::Thumbprint | Refusal::Signature => (
            401,
            "invalid_client",
            format!(
                "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on \
                 application. [Reason - {refusal}]"
            ),
        ),
        Refusal::Expired | Refusal::Future => (
            401,
            "invalid_client",
            "AADSTS700024: Client assertion is not within its valid time range.".into(),
        ),
        Refusal::Denied(code @ ("AADSTS7000214" | "AADSTS7000277")) => {
            (401, "invalid_client", format!("{code}: The certificate has been revoked."))
        }
        Refusal::Denied(code) => {
            let words = format!("{code}: The certificate is not within its validity period.");
            (401, "invalid_client", words)
        }
        // An assertion that is malformed, or whose claims are wrong.
        _ => (401, "invalid_client", format!("AADSTS50027: JWT token is invalid or malformed. {refusal}")),
    };
    denial(status, code, words)
}

/// The error response of RFC 6749 §5.2, with the number in the words and what Microsoft's support asks for.
fn entra_error(state: &State, denial: &Denial) -> Value {
    let number = denial.words.trim_start_matches("AADSTS").split(':').next();
    let number: Option<u64> = number.and_then(|digits| digits.parse().ok());
    let (trace, correlation) = (state.uuid(), state.uuid());
    let timestamp = rfc_3339(SystemTime::now(), "Z").replacen('T', " ", 1);
    let words = &denial.words;
    json!({
        "error": denial.code,
        "error_description":
            format!("{words} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"),
        "error_codes": number.as_slice(),
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
    })
}

fn okta_denial(refusal: &Refusal) -> Denial {
    let words = match refusal {
        Refusal::Scope(_) | Refusal::Denied("consent_required") => {
            return denial(400, "consent_required", NO_SCOPES);
        }
        Refusal::Denied(code @ "invalid_dpop_proof") => {
            return denial(400, code, "The DPoP proof JWT header is missing.");
        }
        Refusal::Parameter("scope") => {
            return denial(
                400,
                "invalid_scope",
                "The scope parameter must not be empty.",
            );
        }
        Refusal::Audience => {
            "The audience claim for client_assertion must be the endpoint invoked for the request."
        }
        Refusal::KeyId => "The client_assertion JWT kid is invalid.",
        Refusal::Signature => "The client_assertion signature is invalid.",
        Refusal::TooLong => "The client_assertion token has an expiration too far into the future.",
        Refusal::Expired => "The client_assertion token is expired.",
        Refusal::Future => "The client_assertion token must be issued before the current time.",
        Refusal::Replay => "The client_assertion token has already been used.",
        Refusal::UnacceptedAlgorithm => {
            "The client must use the private_key_jwt token_endpoint_auth_method."
        }
        _ => return oauth_denial(refusal, 401, "invalid_client"),
    };
    denial(401, "invalid_client", words)
}

fn keycloak_denial(refusal: &Refusal) -> Denial {
    let words = match refusal {
        Refusal::Parameter(_) | Refusal::DuplicateParameter | Refusal::Scope(_) => {
            return oauth_denial(refusal, 400, "invalid_request");
        }
        Refusal::Audience => "Invalid token audience".into(),
        Refusal::SeveralAudiences => "Multiple audiences not allowed".into(),
        Refusal::Replay => "Token reuse detected".into(),
        Refusal::Claim(name) => format!("Token {name} claim is required"),
        Refusal::TooLong => {
            "Token expiration is too far in the future and iat claim not present".into()
        }
        Refusal::Future => "Token was issued in the future".into(),
        Refusal::Expired | Refusal::Old => "Token is not active".into(),
        Refusal::KeyId => "Unable to load public key".into(),
        Refusal::Algorithm | Refusal::UnacceptedAlgorithm => "Invalid signature algorithm".into(),
        _ => "Invalid client or Invalid client credentials".into(),
    };
    denial(400, "invalid_client", words)
}
