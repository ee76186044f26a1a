//! Cisco Webex, guest issuer: tokens for guests.
//!
//! New guest issuers can no longer be made. Those that exist still work; service apps with guest management take their
//! place.
//!
//! - <https://developer.webex.com/docs/guest-issuer>

use std::borrow::Cow;

use super::definition::{Input, KeyKind, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::response::ResponseMap;
use crate::profile::{AssertionPlacement, Audience, Issuer, Jti, Limits, Profile};
use crate::signer::Algorithm;

/// The endpoint where a guest token becomes an access token.
pub const LOGIN: &str = "https://webexapis.com/v1/jwt/login";

impl Profile {
    /// Returns a profile for a guest of a Webex guest issuer.
    ///
    /// `guest_id` is your own name for the guest, the same in every assertion, and `display_name` is what others see.
    /// The key is [`HmacKey::from_base64`](crate::HmacKey::from_base64) of the guest issuer's secret.
    ///
    /// The assertion is the bearer token of the request. The vendor is about to remove guest issuers; the profile is
    /// based on several clients, and is not verified against the server's document.
    pub fn webex(
        guest_issuer_id: impl Into<String>,
        guest_id: impl Into<String>,
        display_name: impl Into<String>,
    ) -> Self {
        Self {
            issuer: Issuer::Fixed(guest_issuer_id.into()),
            subject: Some(guest_id.into()),
            jti: Jti::Omit, // clients send none
            algorithms: Cow::Borrowed(&[Algorithm::Hs256]),
            limits: &LIMITS,
            assertion_placement: AssertionPlacement::Bearer,
            response: ResponseMap {
                token_member: Cow::Borrowed("token"),
                lifetime_member: Cow::Borrowed("expiresIn"),
                error_description_member: Some(Cow::Borrowed("message")),
                ..ResponseMap::default()
            }
            .into(),
            hints: HINTS,
            ..Self::new(Endpoint::documented(LOGIN), Audience::Omit)
        }
        .with_claim("name", display_name.into())
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "webex",
    about: "Cisco Webex, guest issuer (deprecated by the vendor).",
    documents: &["https://developer.webex.com/docs/guest-issuer"],
    key: KeyKind::Secret,
    inputs: &[
        Input::required("guest-issuer-id", "ID", "The guest issuer ID."),
        Input::required(
            "guest-id",
            "ID",
            "A name of your own for the guest, always the same.",
        ),
        Input::required(
            "display-name",
            "NAME",
            "The guest's name, which others see.",
        ),
    ],
    construct: |inputs| {
        let (guest, name) = (inputs.text("guest-id"), inputs.text("display-name"));
        Ok(Profile::webex(inputs.text("guest-issuer-id"), guest, name))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| match &profile.assertion_lifetime {
        None => Err("Webex wants the claim exp: set the lifetime of the assertion"),
        Some(_) => Ok(()),
    },
    ..Limits::NONE
};

/// From users' reports. The responses have no error codes.
const HINTS: &[Hint] = &[
    Hint::code("401")
        .advice("check the guest issuer ID, that its secret is decoded from base64, and this machine's clock; new guest issuers cannot be made"),
    Hint::code("400")
        .advice("check that guest ID and display name are set, and this machine's clock"),
    Hint::code("403")
        .advice("the guest issuer may not do this: use a service app with guest management"),
    Hint::code("429").advice(RATE_LIMITED),
];
