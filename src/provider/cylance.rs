//! Cylance user API, now Arctic Wolf Aurora Endpoint Defense: profile, and base URLs by region.
//!
//! The vendor calls the assertion "authentication token". The request is JSON, and the response contains only the
//! access token.
//!
//! - Claims: <https://docs.blackberry.com/en/unified-endpoint-security/blackberry-ues/Cylance-API-user-guide/RESTful_API/Authentication/Authentication-token>
//! - Request: <https://docs.blackberry.com/en/unified-endpoint-security/blackberry-ues/Cylance-API-user-guide/RESTful_API/Authentication/Generate-the-authentication-and-access-tokens>
//! - Token: <https://docs.arcticwolf.com/en/developer-and-oem/aurora-endpoint-defense-api/restful-api/authorization/access-token>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, KeyKind, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::placement::Placement;
use crate::profile::hint::{Hint, RATE_LIMITED};
use crate::profile::response::ResponseMap;
use crate::profile::{AssertionPlacement, Audience, Issuer, Limits, Profile, ScopePlacement};
use crate::signer::Algorithm;

/// North America.
pub const NORTH_AMERICA: &str = "https://protectapi.cylance.com";
/// Asia-Pacific, North.
pub const ASIA_PACIFIC_NORTH: &str = "https://protectapi-apne1.cylance.com";
/// Asia-Pacific, Southeast.
pub const ASIA_PACIFIC_SOUTHEAST: &str = "https://protectapi-au.cylance.com";
/// Europe, Central.
pub const EUROPE_CENTRAL: &str = "https://protectapi-euc1.cylance.com";
/// South America.
pub const SOUTH_AMERICA: &str = "https://protectapi-sae1.cylance.com";
/// United States Government. The vendor's samples write a dot before `us`, some clients a hyphen.
pub const US_GOVERNMENT: &str = "https://protectapi.us.cylance.com";

/// The longest lifetime of an assertion, and the lifetime of a token if its response names none. The server answers 400
/// to an assertion that lives longer.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

impl Profile {
    /// Returns a profile for the Cylance user API.
    ///
    /// `base_url` is a constant of [`cylance`](self), or another region's address. The key is an
    /// [`HmacKey`](crate::HmacKey) made from the characters of the application secret, which is not decoded.
    ///
    /// Scopes such as `device:list` become an array in the claim `scp`, as in the vendor's sample.
    /// The vendor's text says "comma delimited", which is [`ScopePlacement::ClaimWithCommas`].
    ///
    /// `exp` is 180 seconds after now, at most 30 minutes after `iat`. The response names no lifetime: if the token is
    /// a JWT, its own `exp` is read; otherwise its lifetime is 30 minutes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the base URL may not carry an assertion.
    pub fn cylance(
        base_url: impl AsRef<str>,
        tenant_id: impl Into<String>,
        application_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let endpoint = Endpoint::at_path("base URL", base_url.as_ref(), "/auth/v2/token")?;
        let profile = Self {
            issuer: Issuer::Fixed("http://cylance.com".to_owned()),
            subject: Some(application_id.into()),
            assertion_lifetime: Some(Duration::from_secs(180)),
            limits: &LIMITS,
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("auth_token")),
            placement: Placement::JSON,
            scope_placement: ScopePlacement::ClaimArray("scp".into()),
            response: ResponseMap {
                reads_token_exp: true,
                default_lifetime: MAX_LIFETIME,
                error_description_member: Some(Cow::Borrowed("message")),
                ..ResponseMap::default()
            }
            .into(),
            algorithms: Cow::Borrowed(&[Algorithm::Hs256]),
            hints: HINTS,
            ..Self::new(endpoint, Audience::Omit)
        };
        Ok(profile.with_claim("tid", tenant_id.into()))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "cylance",
    about: "Cylance user API (Arctic Wolf Aurora Endpoint Defense).",
    documents: &[
        "https://docs.blackberry.com/en/unified-endpoint-security/blackberry-ues/Cylance-API-user-guide/RESTful_API/Authentication/Authentication-token",
    ],
    key: KeyKind::Secret,
    inputs: &[
        Input::required("tenant-id", "ID", "The tenant ID."),
        Input::required("application-id", "ID", "The application ID."),
        Input::with_default(
            "region",
            InputValue::Choice(&[
                ("na", "North America"),
                ("apne1", "Asia-Pacific, North"),
                ("au", "Asia-Pacific, Southeast"),
                ("euc1", "Europe, Central"),
                ("sae1", "South America"),
                ("us", "United States Government"),
            ]),
            "The region.",
            "na",
        ),
        Input::optional(
            "base-url",
            InputValue::Text("URL"),
            "The base URL, instead of a region's.",
        )
        .instead_of("region"),
        Input::optional(
            "scope",
            InputValue::List("SCOPE"),
            "A scope such as device:list; may be repeated.",
        ),
    ],
    construct: |inputs| {
        let base_url = inputs
            .get("base-url")
            .unwrap_or(match inputs.text("region") {
                "apne1" => ASIA_PACIFIC_NORTH,
                "au" => ASIA_PACIFIC_SOUTHEAST,
                "euc1" => EUROPE_CENTRAL,
                "sae1" => SOUTH_AMERICA,
                "us" => US_GOVERNMENT,
                _ => NORTH_AMERICA,
            });
        let (tenant, application) = (inputs.text("tenant-id"), inputs.text("application-id"));
        let profile = Profile::cylance(base_url, tenant, application)?;
        Ok(inputs
            .get("scope")
            .into_iter()
            .fold(profile, Profile::with_scope))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: MAX_LIFETIME,
    ..Limits::NONE
};

/// From the vendor's table of statuses and from users' reports. The responses have no error codes.
const HINTS: &[Hint] = &[
    Hint::code("400")
        .advice("check that exp lies at most 30 minutes after iat, and this machine's clock"),
    Hint::code("401")
        .advice("check tenant id, application id, secret and region, and this machine's clock"),
    Hint::code("403").advice("give the application the scopes that are asked for"),
    Hint::code("404").advice("check the base URL and the application id"),
    Hint::code("409")
        .advice("the request conflicts with existing data: ask the vendor, no document says when"),
    Hint::code("429").advice(RATE_LIMITED),
];
