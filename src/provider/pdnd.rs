//! PDND Interoperabilità: vouchers for the e-services of Italy's public administrations.
//!
//! - Assertion, request, response: <https://developer.pagopa.it/pdnd-interoperabilita/guides/PDND-Interoperability-Operating-Manual/v1.0/tutorials/consumer/voucher/how-to-request-a-bearer-voucher-for-pdnd-apis>
//! - The claims that are allowed, and what refusals mean: <https://developer.pagopa.it/pdnd-interoperabilita/guides/PDND-Interoperability-Operating-Manual/v1.0/technical-references/utilizzare-i-voucher/faqs>

use std::borrow::Cow;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::response::ResponseMap;
use crate::profile::{Audience, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// Production.
pub const PRODUCTION: &str = "https://auth.interop.pagopa.it";
/// The environment for tests ("collaudo").
pub const UAT: &str = "https://auth.uat.interop.pagopa.it";
/// The environment for certification ("attestazione").
pub const ATT: &str = "https://auth.att.interop.pagopa.it";

impl Profile {
    /// Returns a profile for a Bearer voucher of PDND.
    ///
    /// `server` is [`PRODUCTION`](crate::provider::pdnd::PRODUCTION), [`UAT`](crate::provider::pdnd::UAT) or
    /// [`ATT`](crate::provider::pdnd::ATT). The audience is its name without a scheme, plus `/client-assertion`; the
    /// page of the client shows both.
    ///
    /// A voucher for an e-service needs the claim `purposeId`; one for PDND's own interfaces has none. If an e-service
    /// wants the claim `digest`, it is `{"alg": "SHA256", "value": "..."}`. Any other claim is refused. A voucher bound
    /// by DPoP is not supported.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the server may not get an assertion.
    pub fn pdnd(server: impl AsRef<str>, client_id: impl Into<String>) -> Result<Self, Error> {
        let server = server.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("server", server, "/token.oauth2")?;
        let (_scheme, name) = server.split_once("://").unwrap_or(("", server));
        let audience = Audience::Fixed(format!("{name}/client-assertion"));
        Ok(Self {
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            response: ResponseMap {
                error_member: Cow::Borrowed("/errors/0/code"),
                error_description_member: Some(Cow::Borrowed("/errors/0/detail")),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, audience)
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "pdnd",
    about: "PDND Interoperabilità (Italy): a Bearer voucher.",
    documents: &[
        "https://developer.pagopa.it/pdnd-interoperabilita/guides/PDND-Interoperability-Operating-Manual/v1.0/technical-references/utilizzare-i-voucher/faqs",
    ],
    inputs: &[
        Input::required("client-id", "ID", "The client ID."),
        Input::optional(
            "purpose-id",
            InputValue::Text("ID"),
            "The purpose (finalità), for an e-service. A client for PDND's own interfaces has none.",
        ),
        Input::with_default(
            "environment",
            InputValue::Choice(&[
                ("production", "auth.interop.pagopa.it"),
                ("uat", "Collaudo: auth.uat.interop.pagopa.it"),
                ("att", "Attestazione: auth.att.interop.pagopa.it"),
            ]),
            "The environment.",
            "production",
        ),
    ],
    construct: |inputs| {
        let server = match inputs.text("environment") {
            "uat" => UAT,
            "att" => ATT,
            _ => PRODUCTION,
        };
        let profile = Profile::pdnd(server, inputs.text("client-id"))?;
        Ok(match inputs.get("purpose-id") {
            Some(purpose_id) => profile.with_claim("purposeId", purpose_id),
            None => profile,
        })
    },
    ..Provider::NEW
};

/// The server refuses an assertion with any other claim or header member.
const LIMITS: Limits = Limits {
    needs_key_id: true,
    check: |profile| {
        let is_known = |(name, _): &(String, String)| matches!(&**name, "purposeId" | "digest");
        let aud_has_scheme = match &profile.audience {
            Audience::Fixed(aud) => aud.contains("://"),
            _ => true,
        };
        if aud_has_scheme {
            Err(
                "PDND's audience has no scheme: set auth.interop.pagopa.it/client-assertion, or that of the environment",
            )
        } else if profile.nbf_leeway.is_some() || !profile.claims.iter().all(is_known) {
            Err("PDND refuses all claims but purposeId and digest: take the others out")
        } else if !profile.header.is_empty() || profile.typ.as_deref() != Some("JWT") {
            Err("PDND wants kid, alg, and JWT for typ in the header: take the others out")
        } else if profile.iat_leeway.is_none()
            || profile.jti == Jti::Omit
            || profile.assertion_lifetime.is_none()
        {
            Err("PDND wants iat, exp and jti: leave them as they are")
        } else {
            Ok(())
        }
    },
    ..Limits::NONE
};

/// One code for every cause: the portal's tool says which.
const HINTS: &[Hint] = &[
    Hint::code("015-0008")
        .advice("paste an assertion into \"Debug client assertion\" in the portal, which names the mistake: another environment's audience, a key id that is not of this client, a purpose that is not active or not the client's, a clock that is wrong"),
    Hint::words("unable to generate a token")
        .advice("paste an assertion into \"Debug client assertion\" in the portal, which names the mistake"),
    Hint::code("400")
        .advice("paste an assertion into \"Debug client assertion\" in the portal, which names the mistake"),
    Hint::code("429")
        .advice("keep a voucher as long as it lives, and wait before asking for another"),
];
