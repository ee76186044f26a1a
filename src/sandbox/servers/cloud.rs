//! Google, Snowflake, Vault and Yandex Cloud.

use serde_json::{Value, json};

use crate::sandbox::denial::{Denial, denial, oauth_denial};
use crate::sandbox::grant::{
    ASSERTION_GRANT, Audiences, ClaimRule, Grant, HeaderRule, Issue, JWT_BEARER, Jti, Text, Times,
};
use crate::sandbox::parameters::{
    Parameters, RequestedScope, bearer, json as json_parameters, no_scope, scope_claim, value,
};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::state::State;
use crate::sandbox::verify::Claims;
use crate::signer::Algorithm;

pub(super) const GRANTS: &[Grant] = &[
    // developers.google.com/identity/protocols/oauth2/service-account
    Grant {
        base: "google",
        name: "Google",
        paths: &["/token", "/o/oauth2/token"],
        algorithms: &[Algorithm::Rs256],
        required_claims: &["iat", "exp"],
        claims: &[("sub", ClaimRule::DelegatingUser)],
        // Google's library for Python always sends the first one, regardless of the key file.
        audiences: Audiences::Text(&["https://oauth2.googleapis.com/token", "{token_url}"]),
        times: Times {
            max_lifetime: 3900, // an hour, and five minutes of tolerance
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: google_scope,
        token: google_token,
        token_response: |issue, token| match issue.claims.get("target_audience") {
            Some(_) => json!({ "id_token": token }),
            None => json!({
                "access_token": token,
                "expires_in": issue.state.token_lifetime.as_secs(),
                "token_type": "Bearer",
            }),
        },
        denial: google_denial,
        ..ASSERTION_GRANT
    },
    // docs.snowflake.com, and the drivers
    Grant {
        name: "Snowflake",
        paths: &["/oauth/token"],
        parameters: &[("grant_type", Text::Is(JWT_BEARER)), ("scope", Text::Any)],
        // The body is the token.
        token_response: |_, token| token.into(),
        ..SNOWFLAKE
    },
    // The key pair JWT is the token of the SQL API.
    Grant {
        name: "Snowflake SQL API",
        paths: &["/api/v2/statements"],
        request_headers: &[(
            "X-Snowflake-Authorization-Token-Type",
            Text::Is("KEYPAIR_JWT"),
        )],
        read_parameters: bearer,
        assertion: "Authorization",
        parameters: &[],
        token_response: |issue, _| {
            json!({
                "code": "090001",
                "message": "Statement executed successfully.",
                "statementHandle": issue.state.uuid(),
            })
        },
        ..SNOWFLAKE
    },
    // developer.hashicorp.com/vault/api-docs/auth/jwt
    Grant {
        base: "vault",
        name: "Vault",
        paths: &["/v1/auth/{mount}/login"],
        read_parameters: json_parameters,
        assertion: "jwt",
        parameters: &[("role", Text::Any)],
        audiences: Audiences::Array(&[]), // those of the client
        times: Times {
            leeway: 150,
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: |parameters, _| Ok(value(parameters, "role").map(str::to_owned)),
        token: |issue| format!("hvs.{}", issue.state.opaque_access_token()),
        token_response: |issue, token| {
            json!({
                "request_id": issue.state.uuid(),
                "lease_id": "",
                "renewable": false,
                "lease_duration": 0,
                "data": null,
                "auth": {
                    "client_token": token,
                    "accessor": issue.state.uuid(),
                    "policies": ["default"],
                    "metadata": { "role": value(issue.parameters, "role") },
                    "lease_duration": issue.state.token_lifetime.as_secs(),
                    "renewable": true,
                    "token_type": "service",
                },
            })
        },
        denial: vault_denial,
        error_response: |_, denial| json!({ "errors": [denial.words] }),
        ..ASSERTION_GRANT
    },
    // yandex.cloud/docs/iam/operations/iam-token/create-for-sa
    Grant {
        base: "yandex",
        name: "Yandex Cloud",
        paths: &["/iam/v1/tokens"],
        read_parameters: json_parameters,
        assertion: "jwt",
        parameters: &[],
        algorithms: &[Algorithm::Ps256],
        header: &[HeaderRule::OneOf(&["kid"])],
        required_claims: &["iat", "exp"],
        // The SDK for Go sends an array.
        audiences: Audiences::Array(&[
            "https://iam.api.cloud.yandex.net/iam/v1/tokens",
            "{token_url}",
        ]),
        times: Times {
            max_lifetime: 3600,
            ..Times::UNLIMITED
        },
        jti: Jti::Ignored,
        requested_scope: no_scope,
        token: |issue| format!("t1.{}", issue.state.opaque_access_token()),
        token_response: |issue, token| json!({ "iamToken": token, "expiresAt": issue.expires_at(".123456789Z") }),
        denial: yandex_denial,
        error_response: google_rpc_status,
        ..ASSERTION_GRANT
    },
];

const SNOWFLAKE: Grant = Grant {
    base: "snowflake",
    algorithms: &[Algorithm::Rs256],
    client_claim: "sub",
    required_claims: &["iss", "iat", "exp"],
    claims: &[("iss", ClaimRule::Fingerprint)],
    audiences: Audiences::Ignored,
    times: Times {
        max_lifetime: 3600,
        ..Times::UNLIMITED
    },
    jti: Jti::Ignored,
    requested_scope: no_scope,
    denial: |_| denial(401, "390144", "JWT token is invalid."),
    error_response: |state, denial| {
        let message = format!("{} [{}]", denial.words, state.uuid());
        json!({ "code": denial.code, "message": message })
    },
    ..ASSERTION_GRANT
};

/// A scope or the audience of an ID token is required. The parameter `scope` is ignored.
fn google_scope(parameters: &Parameters, claims: &Claims) -> RequestedScope {
    let scope = scope_claim(parameters, claims)?;
    let audience = claims.get("target_audience").and_then(Value::as_str);
    match audience.or(scope.as_deref()) {
        None | Some("") => Err(Refusal::Scope(String::new())),
        Some(_) => Ok(scope),
    }
}

fn google_token(issue: &Issue<'_>) -> String {
    let Some(audience) = issue.claims.get("target_audience") else {
        return format!("ya29.c.{}", issue.state.opaque_access_token());
    };
    let iat = issue.state.now();
    issue.state.jwt(&json!({
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": issue.client.id,
        "email": issue.client.id,
        "email_verified": true,
        "iat": iat,
        "exp": iat.saturating_add(issue.state.token_lifetime.as_secs()),
    }))
}

fn google_denial(refusal: &Refusal) -> Denial {
    const DELEGATION: &str = "Client is unauthorized to retrieve access tokens using this method, or client not \
        authorized for any of the scopes requested.";
    let (status, code, words) = match refusal {
        Refusal::Client => (400, "invalid_grant", "Invalid grant: account not found"),
        Refusal::Signature
        | Refusal::Algorithm
        | Refusal::UnacceptedAlgorithm
        | Refusal::Malformed => (400, "invalid_grant", "Invalid JWT Signature."),
        Refusal::Expired | Refusal::TooLong | Refusal::Future | Refusal::Claim("iat" | "exp") => (
            400,
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
             Check your iat and exp values in the JWT claim.",
        ),
        Refusal::Claim("sub") => (400, "invalid_grant", "Invalid email or User ID"),
        Refusal::Scope(_) => {
            let words = "Invalid OAuth scope or ID token audience provided.";
            (400, "invalid_scope", words)
        }
        Refusal::Delegation | Refusal::DelegatedScope(_) => {
            (401, "unauthorized_client", DELEGATION)
        }
        Refusal::Denied(code @ "access_denied") => (403, *code, "Account restricted"),
        Refusal::Denied(code @ ("disabled_client" | "deleted_client")) => {
            (401, *code, "The OAuth client was disabled or deleted.")
        }
        _ => return oauth_denial(refusal, 400, "invalid_grant"),
    };
    denial(status, code, words)
}

fn vault_denial(refusal: &Refusal) -> Denial {
    let words = match refusal {
        Refusal::Parameter(name) => format!("missing {name}"),
        Refusal::NotJson | Refusal::DuplicateParameter => "error parsing JSON".to_owned(),
        Refusal::Scope(role) | Refusal::DelegatedScope(role) => {
            format!("role {role:?} could not be found")
        }
        Refusal::Audience => {
            "audience claim found in JWT but no audiences bound to the role".to_owned()
        }
        Refusal::Claim(name) if *name != "sub" => format!("error validating claims: {refusal}"),
        _ => format!("error validating token: {}", invalid_token(refusal)),
    };
    denial(400, "", words)
}

/// The words of OpenBao, which shares its library with Vault: github.com/hashicorp/cap, `jwt/jwt.go`.
fn invalid_token(refusal: &Refusal) -> String {
    let words = match refusal {
        Refusal::Client => "invalid issuer (iss) claim",
        Refusal::Claim("sub") => "invalid subject (sub) claim",
        Refusal::Expired => "invalid expiration time (exp) claim: token is expired",
        Refusal::Future => "invalid not before (nbf) claim: token not yet valid",
        Refusal::Signature | Refusal::KeyId | Refusal::Algorithm => {
            "error verifying token signature: no known key successfully validated the token signature"
        }
        _ => return refusal.to_string(),
    };
    words.to_owned()
}

/// The codes are those of gRPC: 3 is INVALID_ARGUMENT, 16 is UNAUTHENTICATED.
fn yandex_denial(refusal: &Refusal) -> Denial {
    match refusal {
        Refusal::Parameter(_) | Refusal::NotJson | Refusal::DuplicateParameter => {
            denial(400, "3", refusal.to_string())
        }
        Refusal::MissingHeader(name) => {
            let words = format!("The required field '{name}' is missing from the JWT header");
            denial(401, "16", words)
        }
        _ => denial(401, "16", refusal.to_string()),
    }
}

fn google_rpc_status(_: &State, denial: &Denial) -> Value {
    let code: u64 = denial.code.parse().unwrap_or_default();
    json!({ "code": code, "message": denial.words, "details": [] })
}
