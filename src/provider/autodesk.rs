//! Autodesk Platform Services, secure service account: profile.
//!
//! - Assertion: <https://aps.autodesk.com/en/docs/ssa/v1/developers_guide/jwt-assertions/>
//! - Exchange: <https://aps.autodesk.com/en/docs/ssa/v1/reference/http/ssa-exchange-jwt-assertion-POST/>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile, ScopePlacement};
use crate::signer::Algorithm;

/// The token endpoint, which is also the audience.
pub const TOKEN_ENDPOINT: &str = "https://developer.api.autodesk.com/authentication/v2/token";

/// The longest lifetime of an assertion.
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);

impl Profile {
    /// Returns a profile for a secure service account of Autodesk Platform Services.
    ///
    /// The application also authenticates with its client secret, in HTTP Basic. The key's `kid` is the id that the key
    /// got when it was created.
    ///
    /// [`with_scope`](Self::with_scope) is required. The scopes become an array in the claim `scope`, and limit the
    /// token; some clients repeat them in a parameter.
    pub fn autodesk(
        client_id: impl Into<String>,
        client_secret: impl AsRef<str>,
        service_account_id: impl Into<String>,
    ) -> Self {
        let client_id = client_id.into();
        let endpoint = Endpoint::documented(TOKEN_ENDPOINT);
        Self {
            subject: Some(service_account_id.into()),
            assertion_lifetime: Some(FIVE_MINUTES),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            scope_placement: ScopePlacement::ClaimArray(Cow::Borrowed("scope")),
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, client_id.clone(), Audience::TokenEndpoint)
        }
        .with_basic_auth(&client_id, client_secret.as_ref())
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "autodesk",
    about: "Autodesk Platform Services, secure service account.",
    documents: &["https://aps.autodesk.com/en/docs/ssa/v1/developers_guide/jwt-assertions/"],
    inputs: &[
        Input::required("client-id", "ID", "The client ID of the application."),
        Input::required_secret("client-secret", "The client secret of the application."),
        Input::required(
            "service-account-id",
            "ID",
            "The id of the secure service account.",
        ),
        Input::required_list(
            "scope",
            "SCOPE",
            "A scope such as data:read; may be repeated.",
        ),
    ],
    construct: |inputs| {
        let (client_id, secret) = (inputs.text("client-id"), inputs.text("client-secret"));
        let profile = Profile::autodesk(client_id, secret, inputs.text("service-account-id"));
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: FIVE_MINUTES,
    needs_key_id: true,
    check: |profile| match &profile.scope_placement {
        ScopePlacement::ClaimArray(_) if profile.scope.is_some() => Ok(()),
        _ if profile.claim("scope").is_some() => Ok(()), // the caller's, in addition to a parameter
        _ if profile.scope.is_none() => {
            Err("Autodesk wants scopes: set the scope, such as data:read")
        }
        _ => Err("Autodesk wants the scopes as an array in the claim scope"),
    },
    ..Limits::NONE
};

/// The document does not describe the server's errors. These are the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_grant")
        .advice("check that kid is the id of an enabled key of this service account, that the account is enabled, the client ID, and this machine's clock"),
    Hint::code("invalid_client")
        .advice("check client ID and client secret, and that the application is of the type server-to-server"),
    Hint::code("unauthorized_client")
        .advice("use an application of the type server-to-server, which owns the service account"),
    Hint::code("invalid_scope")
        .advice("give scopes as the vendor lists them, with one space between them"),
    Hint::code("unsupported_grant_type")
        .advice("use an application of the type server-to-server"),
    Hint::code("invalid_request")
        .advice("send the client secret in one place alone: HTTP Basic, or parameters"),
];
