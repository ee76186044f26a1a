//! LTI Advantage services (1EdTech): Canvas, Moodle, Blackboard, Brightspace and other platforms, for a tool.
//!
//! - Assertion, request, response: <https://www.imsglobal.org/spec/security/v1p0/#using-json-web-tokens-with-oauth-2-0-client-credentials-grant>
//! - Canvas: <https://developerdocs.instructure.com/services/canvas/oauth/oauth_endpoints>
//! - Blackboard: <https://docs.anthology.com/docs/blackboard/lti/1.3/lti-subsystems/lti-sub-authentication>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// The token endpoint of Canvas, below the address of the instance.
pub const CANVAS_PATH: &str = "/login/oauth2/token";
/// An audience that Canvas is said to want on every host. Not verified: its code wants the token endpoint.
pub const CANVAS_AUDIENCE: &str = "https://canvas.instructure.com/login/oauth2/token";
/// The token endpoint of Moodle, below the address of the site.
pub const MOODLE_PATH: &str = "/mod/lti/token.php";
/// The token endpoint of Blackboard, the same for every institution.
pub const BLACKBOARD: &str = "https://developer.blackboard.com/api/v1/gateway/oauth2/jwttoken";
/// The token endpoint of Brightspace (D2L), the same for every institution.
pub const BRIGHTSPACE: &str = "https://auth.brightspace.com/core/connect/token";
/// The audience of Brightspace, which differs from the token endpoint.
pub const BRIGHTSPACE_AUDIENCE: &str = "https://api.brightspace.com/auth/token";

impl Profile {
    /// Returns a profile for the services of an LTI platform.
    ///
    /// Token endpoint, client id and audience are in the platform's registration of the tool. A registration without
    /// an audience means [`Audience::TokenEndpoint`].
    ///
    /// [`with_scope`](Self::with_scope) is required, such as `https://purl.imsglobal.org/spec/lti-ags/scope/score`.
    /// `iat` is five seconds back, as in the reference library, for a platform whose clock is behind. A platform may
    /// want the claim `https://purl.imsglobal.org/spec/lti/claim/deployment_id`.
    pub fn lti(token_endpoint: Endpoint, client_id: impl Into<String>, audience: Audience) -> Self {
        Self {
            iat_leeway: Some(Duration::from_secs(5)),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(token_endpoint, client_id, audience)
        }
        .without_parameter("client_id")
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "lti",
    about: "LTI Advantage services (1EdTech) of Canvas, Moodle, Blackboard, Brightspace and others.",
    documents: &["https://www.imsglobal.org/spec/security/v1p0/"],
    inputs: &[
        Input::required(
            "client-id",
            "ID",
            "The client ID that the platform gave the tool.",
        ),
        Input::required_list(
            "scope",
            "SCOPE",
            "A scope below https://purl.imsglobal.org/; may be repeated.",
        ),
        Input::optional(
            "token-endpoint",
            InputValue::Text("URL"),
            "The token endpoint, from the registration.",
        ),
        Input::optional(
            "platform",
            InputValue::Choice(&[
                ("blackboard", "Blackboard"),
                ("brightspace", "Brightspace (D2L)"),
            ]),
            "The platform, if it has one token endpoint for all.",
        ),
        Input::optional(
            "canvas-url",
            InputValue::Text("URL"),
            "The address of a Canvas instance.",
        ),
        Input::optional(
            "moodle-url",
            InputValue::Text("URL"),
            "The address of a Moodle site.",
        ),
    ],
    alternatives: &[&["token-endpoint", "platform", "canvas-url", "moodle-url"]],
    construct: |inputs| {
        let mut audience = Audience::TokenEndpoint;
        let endpoint = if let Some(url) = inputs.get("canvas-url") {
            Endpoint::at_path("address of Canvas", url, CANVAS_PATH)?
        } else if let Some(url) = inputs.get("moodle-url") {
            Endpoint::at_path("address of Moodle", url, MOODLE_PATH)?
        } else {
            match inputs.text("platform") {
                "blackboard" => Endpoint::documented(BLACKBOARD),
                "brightspace" => {
                    audience = Audience::Fixed(BRIGHTSPACE_AUDIENCE.to_owned());
                    Endpoint::documented(BRIGHTSPACE)
                }
                _ => Endpoint::token(inputs.text("token-endpoint"))?,
            }
        };
        let profile = Profile::lti(endpoint, inputs.text("client-id"), audience);
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    needs_key_id: true,
    check: |profile| match profile.scope {
        Some(_) => Ok(()),
        None => Err("LTI wants scopes: set the scope, URLs below https://purl.imsglobal.org/"),
    },
    ..Limits::NONE
};

/// Canvas puts the cause into the description; Moodle sends only a code.
const HINTS: &[Hint] = &[
    Hint::words("jws signature invalid")
        .advice("the platform has another public key for this tool, or none: check the client id, and that the tool's key set has this key id"),
    Hint::words("jwk error")
        .advice("the tool's key set cannot be read: its URL has to answer {\"keys\": [...]} to the platform"),
    Hint::words("'aud'")
        .advice("set the audience of the registration: it may be another URL than the token endpoint"),
    Hint::words("'iat'").advice("check this machine's clock"),
    Hint::words("'exp'").advice("check this machine's clock"),
    Hint::code("invalid_client")
        .advice("check the client id, the audience of the registration, and that the platform has this public key"),
    Hint::code("invalid_scope")
        .advice("the administrator has to allow the tool these services"),
    Hint::code("invalid_request")
        .advice("check the audience of the registration, the scope and this machine's clock"),
    Hint::code("unsupported_grant_type")
        .advice("check that the token endpoint is the one of the registration"),
    Hint::code("400")
        .advice("check the audience of the registration, and that the platform has this public key"),
];
