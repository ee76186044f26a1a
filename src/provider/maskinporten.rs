//! Maskinporten: access to the interfaces of Norway's public bodies.
//!
//! - Assertion: <https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_jwtgrant>
//! - Request and response: <https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_token>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile, ScopePlacement};
use crate::signer::Algorithm;

/// The issuer of production. It is the audience too, with the trailing slash.
pub const PRODUCTION: &str = "https://maskinporten.no/";
/// The issuer of the test environment.
pub const TEST: &str = "https://test.maskinporten.no/";

impl Profile {
    /// Returns a profile for Maskinporten.
    ///
    /// `issuer` is [`PRODUCTION`](crate::provider::maskinporten::PRODUCTION) or
    /// [`TEST`](crate::provider::maskinporten::TEST). [`with_scope`](Self::with_scope) is required, and becomes a
    /// claim. The claims `consumer_org` (on behalf of another organisation) and `resource` (an array) are optional.
    ///
    /// The server finds the key by its key id, or by the header member `x5c` with an organisation's certificate and its
    /// chain, which [`Certificate::x5c`](crate::Certificate::x5c) returns.
    ///
    /// `exp` is 60 seconds ahead; the server accepts two minutes. `iat` may differ from the server's clock by ten
    /// seconds: if ours differs by more, the next assertion is signed by the server's clock.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the issuer may not get an assertion.
    pub fn maskinporten(
        issuer: impl AsRef<str>,
        client_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let issuer = issuer.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("issuer", issuer, "/token")?;
        let audience = Audience::Fixed(format!("{issuer}/"));
        Ok(Self {
            algorithms: Cow::Borrowed(&[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512]),
            limits: &LIMITS,
            scope_placement: ScopePlacement::ClaimWithSpaces(Cow::Borrowed("scope")),
            hints: HINTS,
            ..Self::jwt_bearer(endpoint, client_id, audience)
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "maskinporten",
    about: "Maskinporten (Norway).",
    documents: &["https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_jwtgrant"],
    inputs: &[
        Input::required("client-id", "ID", "The client ID (integration)."),
        Input::required_list("scope", "SCOPE", "A scope; may be repeated."),
        Input::with_default(
            "environment",
            InputValue::Choice(&[
                ("production", "https://maskinporten.no/"),
                ("test", "https://test.maskinporten.no/"),
            ]),
            "The environment.",
            "production",
        ),
    ],
    construct: |inputs| {
        let issuer = match inputs.text("environment") {
            "test" => TEST,
            _ => PRODUCTION,
        };
        let profile = Profile::maskinporten(issuer, inputs.text("client-id"))?;
        let profile = profile.with_scope(inputs.text("scope"));
        Ok(match inputs.certificate {
            Some(certificate) => profile.with_header("x5c", certificate.x5c()),
            None => profile,
        })
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: Duration::from_secs(120),
    needs_key_id: true,
    clock_tolerance: Some(8), // `iat` may differ by ten seconds, and a `Date` is rounded
    check: |profile| {
        let mut claims = profile.claims.iter();
        let resource = claims.find(|(name, _)| name == "resource");
        match (&profile.scope, &profile.scope_placement) {
            (None, _) => Err("Maskinporten wants scopes: set the scope"),
            (_, ScopePlacement::Parameter) => Err(
                "Maskinporten ignores the parameter scope: scope belongs in the claim, with spaces",
            ),
            _ if resource.is_some_and(|(_, json)| !json.starts_with('[')) => {
                Err("Maskinporten wants the claim resource to be an array")
            }
            _ => Ok(()),
        }
    },
    ..Limits::NONE
};

/// The descriptions begin with numbers, and end with a trace id that support asks for.
const HINTS: &[Hint] = &[
    Hint::words("mp-100")
        .advice("the client id is misspelt, or of the other environment: copy it from Samarbeidsportalen"),
    Hint::words("mp-110")
        .advice("the audience is of the other environment: it is the issuer, with a slash at its end"),
    Hint::words("mp-120")
        .advice("the certificate is of the other environment: production takes no test certificates, and test none of production"),
    Hint::words("mp-121")
        .advice("the registered key has expired, a year after it was posted: post the public key again"),
    Hint::words("mp-011")
        .advice("the assertion has a claim that Maskinporten does not know, or a line end: look at what was added"),
    Hint::words("claim aud")
        .advice("the audience is the issuer of this environment, with a slash at its end"),
    Hint::words("client authentication failed")
        .advice("check the client id, the key id, and that both are of this environment"),
    Hint::code("invalid_altinn_customer_configuration")
        .advice("compare the system user in Altinn with the request: client id, organisation number and external reference"),
    Hint::code("invalid_grant")
        .advice("check this machine's clock, which may be wrong by ten seconds at most, the client id, and the key id"),
    Hint::code("invalid_scope")
        .advice("the client has no right to this scope: its owner has to give it, and the client has to add it"),
    Hint::code("invalid_request")
        .advice("look at the assertion: a claim is missing, or has another form than Maskinporten wants"),
    Hint::code("invalid_client")
        .advice("check the client id, the key id, and that both are of this environment"),
];
