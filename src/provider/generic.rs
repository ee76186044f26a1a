//! The providers for any server: the two uses of RFC 7523, no exchange, and a server-specific exchange.

use super::definition::{Input, InputValue, Inputs, KeyKind, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::setting::discovered;
use crate::profile::{Audience, Profile};

const DISCOVER: Input = Input::optional(
    "discover",
    InputValue::Text("URL"),
    "The issuer whose metadata names the token endpoint, or the URL of a metadata document below /.well-known/.",
);
const TOKEN_ENDPOINT: Input = Input::optional(
    "token-endpoint",
    InputValue::Text("URL"),
    "The token endpoint.",
);
const SERVER: &[&[&str]] = &[&["discover", "token-endpoint"]];
const RFC_7523: &str = "https://www.rfc-editor.org/rfc/rfc7523";

pub(super) const CLIENT_CREDENTIALS: Provider = Provider {
    name: "client-credentials",
    about: "Any server, with the assertion as client authentication (RFC 7523 §2.2).",
    documents: &[RFC_7523],
    key: KeyKind::Any,
    inputs: &[
        Input::required("client-id", "ID", "The client ID."),
        DISCOVER,
        TOKEN_ENDPOINT,
    ],
    alternatives: SERVER,
    construct: |inputs| {
        let (endpoint, audience) = server(inputs)?;
        let id = inputs.text("client-id");
        Ok(Profile::client_credentials(endpoint, id, audience))
    },
    ..Provider::NEW
};

pub(super) const JWT_BEARER: Provider = Provider {
    name: "jwt-bearer",
    about: "Any server, with the assertion as the grant (RFC 7523 §2.1).",
    documents: &[RFC_7523],
    key: KeyKind::Any,
    inputs: &[
        Input::required("issuer", "ISS", "The issuer: claim iss."),
        Input::optional(
            "subject",
            InputValue::Text("SUB"),
            "The user or service that the token is for: claim sub.",
        ),
        Input::optional(
            "client-id",
            InputValue::Text("ID"),
            "The parameter client_id, if the server requires it with the assertion.",
        ),
        DISCOVER,
        TOKEN_ENDPOINT,
    ],
    alternatives: SERVER,
    construct: |inputs| {
        let (endpoint, audience) = server(inputs)?;
        let profile = Profile::jwt_bearer(endpoint, inputs.text("issuer"), audience);
        let subject = inputs.get("subject").into_iter();
        let profile = subject.fold(profile, Profile::with_subject);
        let id = inputs.get("client-id").into_iter();
        Ok(id.fold(profile, |profile, id| {
            profile.with_parameter("client_id", id)
        }))
    },
    ..Provider::NEW
};

pub(super) const SELF_SIGNED: Provider = Provider {
    name: "self-signed",
    about: "Any API that accepts an assertion as the token: nothing is exchanged.",
    key: KeyKind::Any,
    inputs: &[Input::required("issuer", "ISS", "The issuer: claim iss.")],
    construct: |inputs| Ok(Profile::self_signed(inputs.text("issuer"), Audience::Omit)),
    ..Provider::NEW
};

pub(super) const CUSTOM: Provider = Provider {
    name: "custom",
    about: "Any server with an exchange of its own, which the settings describe.",
    key: KeyKind::Any,
    inputs: &[DISCOVER, TOKEN_ENDPOINT],
    alternatives: SERVER,
    construct: |inputs| {
        let (endpoint, audience) = server(inputs)?;
        Ok(Profile::new(endpoint, audience))
    },
    ..Provider::NEW
};

/// Returns the endpoint and the audience: the issuer if its metadata is read (as draft-ietf-oauth-rfc7523bis requires),
/// otherwise the token endpoint.
fn server(inputs: &Inputs<'_>) -> Result<(Endpoint, Audience), Error> {
    match inputs.get("discover") {
        Some(url) => Ok((discovered(url)?, Audience::Issuer)),
        None => {
            let endpoint = Endpoint::token(inputs.text("token-endpoint"))?;
            Ok((endpoint, Audience::TokenEndpoint))
        }
    }
}
