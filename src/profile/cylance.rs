//! Cylance user API, now Arctic Wolf Aurora Endpoint Defense. Base URLs by region.
//!
//! The assertion is called authentication token and posted as JSON; the access token comes back
//! alone.
//!
//! - Claims: <https://docs.blackberry.com/en/unified-endpoint-security/blackberry-ues/Cylance-API-user-guide/RESTful_API/Authentication/Authentication-token>
//! - Request: <https://docs.blackberry.com/en/unified-endpoint-security/blackberry-ues/Cylance-API-user-guide/RESTful_API/Authentication/Generate-the-authentication-and-access-tokens>
//! - Token: <https://docs.arcticwolf.com/en/developer-and-oem/aurora-endpoint-defense-api/restful-api/authorization/access-token>

use std::time::Duration;

use super::hint::Hint;
use super::{Audience, Placement, Profile, ScopePlacement};
use crate::endpoint::Endpoint;
use crate::error::Error;

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
/// United States Government: with a dot in the vendor's samples, where some clients write a hyphen.
pub const US_GOVERNMENT: &str = "https://protectapi.us.cylance.com";

/// The server answers 400 to an `exp` further after `iat`; its own clients assume that a token
/// lives as long.
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

impl Profile {
    /// Cylance: `base_url` is a constant of [`cylance`](self) or one of your own.
    ///
    /// The key is [`HmacKey`](crate::HmacKey) over the characters of the application secret, not
    /// decoded. Scopes such as `device:list` become the claim `scp`, an array as in the vendor's
    /// sample; its text says "comma delimited", which is [`ScopePlacement::ClaimWithCommas`].
    ///
    /// The response names no lifetime: the token's own `exp` is read where it is a JWT, else it
    /// is kept for 30 minutes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) where the base URL may not carry an assertion.
    pub fn cylance(
        base_url: impl AsRef<str>,
        tenant_id: impl Into<String>,
        application_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let endpoint = Endpoint::below("base URL", base_url.as_ref(), "/auth/v2/token")?;
        let profile = Self {
            subject: Some(application_id.into()),
            exp: Some(Duration::from_secs(180)),
            max_exp_after_iat: HALF_AN_HOUR,
            placement: Placement::Json,
            scope_placement: ScopePlacement::ClaimArray("scp".into()),
            token_lifetime: HALF_AN_HOUR,
            reads_token: true,
            denies_by_message: true,
            hints: HINTS,
            ..Self::new(endpoint, "auth_token", "http://cylance.com", Audience::Omit)
        };
        Ok(profile.with_claim("tid", tenant_id.into()))
    }
}

/// From the vendor's table of statuses and its users' reports; there are no codes.
const HINTS: &[Hint] = &[
    (
        "400",
        "",
        "check that exp lies at most 30 minutes after iat, and this machine's clock",
    ),
    (
        "401",
        "",
        "check tenant id, application id, secret and region, and this machine's clock",
    ),
    (
        "403",
        "",
        "give the application the scopes that are asked for",
    ),
    ("404", "", "check the base URL and the application id"),
    (
        "409",
        "",
        "the request conflicts with existing data: ask the vendor, no document says when",
    ),
    (
        "429",
        "",
        "keep a token as long as it lives, and wait before asking for another",
    ),
];
