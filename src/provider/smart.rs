//! SMART on FHIR backend services (HL7): Epic, Oracle Health (Cerner), Medicare's Data at the Point of Care, and any
//! other FHIR server.
//!
//! - Assertion, request, response: <https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html>
//! - Scopes and the token: <https://hl7.org/fhir/smart-app-launch/backend-services.html>
//! - Oracle Health: <https://fhir.cerner.com/authorization/>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// The token endpoint of Epic's sandbox. A customer of Epic has the same path below its own base URL.
pub const EPIC_SANDBOX: &str = "https://fhir.epic.com/interconnect-fhir-oauth/oauth2/token";

impl Profile {
    /// Returns a profile for a FHIR server, whose `/.well-known/smart-configuration` names the token endpoint.
    ///
    /// `fhir_base_url` is the base URL of the resources, such as `https://fhir.example.com/r4`.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if metadata must not be fetched from that URL.
    pub fn smart(
        fhir_base_url: impl AsRef<str>,
        client_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let base = fhir_base_url.as_ref();
        // Refuses anything that is not a plain base URL, and says what is wanted.
        Endpoint::at_path("FHIR base URL", base, WELL_KNOWN)?;
        let metadata = [base.trim_end_matches('/'), WELL_KNOWN].concat();
        Ok(Self::smart_at(Endpoint::metadata(metadata)?, client_id))
    }

    /// Returns a profile for a FHIR server whose token endpoint is known.
    ///
    /// Epic's is `/oauth2/token` below its base URL, and Oracle Health's
    /// `https://authorization.cerner.com/tenants/TENANT/protocols/oauth2/profiles/smart-v1/token`.
    ///
    /// [`with_scope`](Self::with_scope) is required: `system/Patient.rs`, or `system/Patient.read` at servers of the
    /// first version. A server accepts RS384 or ES384 or both, and the first one that the key can sign is used.
    /// [`with_algorithms`](Self::with_algorithms) sets another `alg`. `exp` is 60 seconds ahead; the server accepts
    /// five minutes.
    pub fn smart_at(token_endpoint: Endpoint, client_id: impl Into<String>) -> Self {
        Self {
            algorithms: Cow::Borrowed(&[Algorithm::Rs384, Algorithm::Es384]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(token_endpoint, client_id, Audience::TokenEndpoint)
        }
        .without_parameter("client_id")
    }
}

const WELL_KNOWN: &str = "/.well-known/smart-configuration";

pub(super) const PROVIDER: Provider = Provider {
    name: "smart",
    about: "SMART on FHIR backend services (HL7): Epic, Oracle Health and other FHIR servers.",
    documents: &["https://hl7.org/fhir/smart-app-launch/backend-services.html"],
    inputs: &[
        Input::required("client-id", "ID", "The client ID."),
        Input::required_list(
            "scope",
            "SCOPE",
            "A scope such as system/Patient.rs; may be repeated.",
        ),
        Input::optional(
            "fhir-base-url",
            InputValue::Text("URL"),
            "The FHIR base URL, whose metadata names the token endpoint.",
        ),
        Input::optional(
            "token-endpoint",
            InputValue::Text("URL"),
            "The token endpoint, without metadata.",
        ),
    ],
    alternatives: &[&["fhir-base-url", "token-endpoint"]],
    construct: |inputs| {
        let client_id = inputs.text("client-id");
        let profile = match inputs.get("fhir-base-url") {
            Some(url) => Profile::smart(url, client_id)?,
            None => Profile::smart_at(Endpoint::token(inputs.text("token-endpoint"))?, client_id),
        };
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_now: Duration::from_secs(300),
    needs_key_id: true,
    check: |profile| match profile.typ.as_deref() {
        _ if profile.scope.is_none() => {
            Err("SMART wants scopes: set the scope, such as system/Patient.rs")
        }
        _ if profile.jti == Jti::Omit => Err("SMART wants jti: leave it as it is"),
        Some("JWT") => Ok(()),
        _ => Err("SMART wants typ to be JWT: leave it as it is"),
    },
    ..Limits::NONE
};

/// The causes of `invalid_client` are from servers' documents and users' reports: no server names the cause.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check that the server has this public key by now (Epic takes an hour, its sandbox half a day), the key id, that alg is the registered one, that aud is the token endpoint to the letter, and this machine's clock"),
    Hint::code("invalid_scope")
        .advice("ask for scopes that the app is approved for, in the form of the server's version: .rs or .read"),
    Hint::code("invalid_request")
        .advice("a parameter is missing or given twice: take out what was added to the request"),
    Hint::code("unauthorized_client")
        .advice("register the app for backend services: it may be a user's app"),
    Hint::code("invalid_grant")
        .advice("the server took the request for another grant: take out what was added to it"),
    Hint::words("invalid jwt")
        .advice("the key id is of another organisation's key, or the client token has expired: Medicare wants the token itself as client id"),
    Hint::code("401")
        .advice("check the key id, the client id and this machine's clock"),
];
