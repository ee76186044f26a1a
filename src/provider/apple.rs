//! Apple: App Store Connect, App Store Server, push notifications, Apple Ads, Business and School Manager, Maps.
//!
//! - App Store Connect: <https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests>
//! - App Store Server: <https://developer.apple.com/documentation/appstoreserverapi/generating-json-web-tokens-for-api-requests>
//! - Push notifications: <https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns>
//! - Apple Ads: <https://developer.apple.com/documentation/apple_ads/implementing-oauth-for-the-apple-search-ads-api>
//! - Business and School Manager: <https://developer.apple.com/documentation/apple-school-and-business-manager-api/implementing-oauth-for-the-apple-school-and-business-manager-api>
//! - Maps: <https://developer.apple.com/documentation/applemapsserverapi/creating-and-using-tokens-with-maps-server-api>
//!
//! All of them want ES256, and find the key by its key id: `kid` is the `KEYID` in the file name `AuthKey_KEYID.p8`.
//! With the first three nothing is exchanged, so a refusal comes from the API itself.

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::placement::Placement;
use crate::profile::hint::Hint;
use crate::profile::response::ResponseMap;
use crate::profile::{
    AssertionPlacement, Audience, Issuer, Jti, Limits, Profile, ScopePlacement, text_parameter,
};
use crate::signer::Algorithm;

/// The audience of App Store Connect.
pub const AUDIENCE: &str = "appstoreconnect-v1";
/// The audience of App Store Connect for a team of the Enterprise Program ("in house").
pub const ENTERPRISE_AUDIENCE: &str = "apple-developer-enterprise-v1";

const ADS_TOKEN_ENDPOINT: &str = "https://appleid.apple.com/auth/oauth2/token";
const ADS_AUDIENCE: &str = "https://appleid.apple.com";
const BUSINESS_TOKEN_ENDPOINT: &str = "https://account.apple.com/auth/oauth2/token";
/// Contains `v2`, which the token endpoint does not.
const BUSINESS_AUDIENCE: &str = "https://account.apple.com/auth/oauth2/v2/token";
const MAPS_TOKEN_ENDPOINT: &str = "https://maps-api.apple.com/v1/token";

const ES256: &[Algorithm] = &[Algorithm::Es256];
const MINUTE: Duration = Duration::from_secs(60);
const HALF_A_YEAR: Duration = Duration::from_secs(180 * 24 * 3600);

impl Profile {
    /// Returns a profile for App Store Connect with a team key: the assertion is the token.
    ///
    /// `issuer_id` is on the page with the keys. `exp` is ten minutes ahead; Apple allows twenty. A `scope` claim, an
    /// array such as `["GET /v1/apps"]`, restricts what the token may do. The API answers 401 with `NOT_AUTHORIZED` if
    /// the key id does not belong to the issuer id, or if the token has expired.
    ///
    /// A team of the Enterprise Program needs the audience
    /// [`ENTERPRISE_AUDIENCE`](crate::provider::apple::ENTERPRISE_AUDIENCE).
    pub fn app_store_connect(issuer_id: impl Into<String>) -> Self {
        Self {
            algorithms: Cow::Borrowed(ES256),
            limits: &APP_STORE_CONNECT_LIMITS,
            ..Self::self_signed(issuer_id, Audience::Fixed(AUDIENCE.to_owned()))
        }
    }

    /// Returns a profile for App Store Connect with an individual key, which has no issuer id.
    pub fn app_store_connect_individual() -> Self {
        Self {
            issuer: Issuer::Omit,
            subject: Some("user".to_owned()),
            ..Self::app_store_connect("")
        }
    }

    /// Returns a profile for the App Store Server API: the assertion is the token.
    ///
    /// `issuer_id` is on the page with the in-app purchase keys. `exp` is ten minutes ahead; Apple allows an hour.
    pub fn app_store_server(issuer_id: impl Into<String>, bundle_id: impl Into<String>) -> Self {
        Self {
            limits: &APP_STORE_SERVER_LIMITS,
            ..Self::app_store_connect(issuer_id)
        }
        .with_claim("bid", bundle_id.into())
    }

    /// Returns a profile for Apple's push notifications (APNs): the assertion is the token.
    ///
    /// It has no `exp`. Apple refuses a token that is older than an hour (403 `ExpiredProviderToken`), and one that
    /// comes within 20 minutes of another (429 `TooManyProviderTokenUpdates`). So one token is used for 50 minutes;
    /// [`with_token_lifetime`](Self::with_token_lifetime) changes that. Many processes can share the token through a
    /// token store.
    pub fn apns(team_id: impl Into<String>) -> Self {
        Self {
            algorithms: Cow::Borrowed(ES256),
            assertion_lifetime: None,
            limits: &APNS_LIMITS,
            response: ResponseMap {
                default_lifetime: MINUTE.saturating_mul(50),
                ..ResponseMap::default()
            }
            .into(),
            ..Self::self_signed(team_id, Audience::Omit)
        }
    }

    /// Returns a profile for Apple Ads, formerly Search Ads, which calls the assertion a client secret.
    ///
    /// The scope is `searchadsorg`. The claims are those that existing clients send; they are not verified against
    /// Apple's document.
    pub fn apple_ads(client_id: impl Into<String>, team_id: impl Into<String>) -> Self {
        let client_id = client_id.into();
        Self {
            issuer: Issuer::Fixed(team_id.into()),
            subject: Some(client_id.clone()),
            jti: Jti::Omit,
            algorithms: Cow::Borrowed(ES256),
            limits: &OAUTH_LIMITS,
            scope: Some("searchadsorg".to_owned()),
            assertion_placement: AssertionPlacement::Parameter(Cow::Borrowed("client_secret")),
            parameters: vec![
                text_parameter("grant_type", "client_credentials"),
                text_parameter("client_id", client_id),
            ],
            hints: OAUTH_HINTS,
            ..Self::new(
                Endpoint::documented(ADS_TOKEN_ENDPOINT),
                Audience::Fixed(ADS_AUDIENCE.to_owned()),
            )
        }
    }

    /// Returns a profile for the API of Apple Business Manager, or of Apple School Manager.
    ///
    /// The prefix of `client_id` decides the scope: `BUSINESSAPI.` means `business.api`, `SCHOOLAPI.` means
    /// `school.api`. The claims are those that existing clients send; they are not verified against Apple's document.
    pub fn apple_business(client_id: impl Into<String>) -> Self {
        let client_id = client_id.into();
        let scope = match client_id.starts_with("SCHOOLAPI.") {
            true => "school.api",
            false => "business.api",
        };
        Self {
            algorithms: Cow::Borrowed(ES256),
            limits: &OAUTH_LIMITS,
            scope: Some(scope.to_owned()),
            hints: OAUTH_HINTS,
            ..Self::client_credentials(
                Endpoint::documented(BUSINESS_TOKEN_ENDPOINT),
                client_id,
                Audience::Fixed(BUSINESS_AUDIENCE.to_owned()),
            )
        }
    }

    /// Returns a profile for the Apple Maps Server API, which trades the assertion for a token that lives half an hour.
    ///
    /// The claim `scope` is `server_api`. An `origin` claim restricts the token to a website.
    pub fn apple_maps(team_id: impl Into<String>) -> Self {
        Self {
            issuer: Issuer::Fixed(team_id.into()),
            jti: Jti::Omit,
            algorithms: Cow::Borrowed(ES256),
            limits: &Limits {
                needs_key_id: true,
                ..Limits::NONE
            },
            scope: Some("server_api".to_owned()),
            scope_placement: ScopePlacement::ClaimWithSpaces(Cow::Borrowed("scope")),
            assertion_placement: AssertionPlacement::Bearer,
            placement: Placement::GET,
            response: ResponseMap {
                token_member: Cow::Borrowed("accessToken"),
                lifetime_member: Cow::Borrowed("expiresInSeconds"),
                ..ResponseMap::default()
            }
            .into(),
            hints: MAPS_HINTS,
            ..Self::new(Endpoint::documented(MAPS_TOKEN_ENDPOINT), Audience::Omit)
        }
    }
}

const TEAM_ID: Input = Input::required(
    "team-id",
    "ID",
    "The team ID: ten characters, on the page of the membership.",
);

pub(super) const APP_STORE_CONNECT: Provider = Provider {
    name: "app-store-connect",
    about: "App Store Connect: a token that the key signs itself, without an exchange.",
    documents: &[
        "https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests",
    ],
    inputs: &[
        Input::optional(
            "issuer-id",
            InputValue::Text("ID"),
            "The issuer ID of a team key. An individual key has none: leave it out.",
        ),
        Input::optional(
            "in-house",
            InputValue::Flag,
            "The team is of the Enterprise Program.",
        ),
    ],
    credential_file: Some(&FASTLANE_FILE),
    construct: |inputs| {
        let profile = match inputs.get("issuer-id") {
            Some(issuer_id) => Profile::app_store_connect(issuer_id),
            None => Profile::app_store_connect_individual(),
        };
        Ok(match inputs.get("in-house") {
            Some(_) => profile.with_audience(Audience::Fixed(ENTERPRISE_AUDIENCE.to_owned())),
            None => profile,
        })
    },
    ..Provider::NEW
};

/// The file in which fastlane keeps a key: <https://docs.fastlane.tools/app-store-connect-api/>
const FASTLANE_FILE: CredentialFile = CredentialFile {
    recognised_by: &[("key_id", ""), ("key", "")],
    inputs: &[("issuer-id", "issuer_id"), ("in-house", "in_house")],
    key: "key",
    key_id: "key_id",
    ..CredentialFile::NEW
};

pub(super) const APP_STORE_SERVER: Provider = Provider {
    name: "app-store-server",
    about: "App Store Server API: a token that the key signs itself, without an exchange.",
    documents: &[
        "https://developer.apple.com/documentation/appstoreserverapi/generating-json-web-tokens-for-api-requests",
    ],
    inputs: &[
        Input::required(
            "issuer-id",
            "ID",
            "The issuer ID, on the page of the in-app purchase keys.",
        ),
        Input::required("bundle-id", "ID", "The bundle ID of the app."),
    ],
    construct: |inputs| {
        let (issuer, bundle) = (inputs.text("issuer-id"), inputs.text("bundle-id"));
        Ok(Profile::app_store_server(issuer, bundle))
    },
    ..Provider::NEW
};

pub(super) const APNS: Provider = Provider {
    name: "apns",
    about: "Apple Push Notification service: a token that the key signs itself, without an exchange.",
    documents: &[
        "https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns",
    ],
    inputs: &[TEAM_ID],
    construct: |inputs| Ok(Profile::apns(inputs.text("team-id"))),
    ..Provider::NEW
};

pub(super) const ADS: Provider = Provider {
    name: "apple-ads",
    about: "Apple Ads (Search Ads).",
    documents: &[
        "https://developer.apple.com/documentation/apple_ads/implementing-oauth-for-the-apple-search-ads-api",
    ],
    inputs: &[
        Input::required("client-id", "ID", "The client ID: SEARCHADS. and more."),
        Input::required(
            "team-id",
            "ID",
            "The team ID, which is beside the client ID.",
        ),
    ],
    construct: |inputs| {
        let (client, team) = (inputs.text("client-id"), inputs.text("team-id"));
        Ok(Profile::apple_ads(client, team))
    },
    ..Provider::NEW
};

pub(super) const BUSINESS: Provider = Provider {
    name: "apple-business",
    about: "Apple Business Manager and Apple School Manager.",
    documents: &[
        "https://developer.apple.com/documentation/apple-school-and-business-manager-api/implementing-oauth-for-the-apple-school-and-business-manager-api",
    ],
    inputs: &[Input::required(
        "client-id",
        "ID",
        "The client ID, which begins with BUSINESSAPI. or SCHOOLAPI.",
    )],
    construct: |inputs| Ok(Profile::apple_business(inputs.text("client-id"))),
    ..Provider::NEW
};

pub(super) const MAPS: Provider = Provider {
    name: "apple-maps",
    about: "Apple Maps Server API.",
    documents: &[
        "https://developer.apple.com/documentation/applemapsserverapi/creating-and-using-tokens-with-maps-server-api",
    ],
    inputs: &[TEAM_ID],
    construct: |inputs| Ok(Profile::apple_maps(inputs.text("team-id"))),
    ..Provider::NEW
};

const APP_STORE_CONNECT_LIMITS: Limits = Limits {
    exp_after_iat: MINUTE.saturating_mul(20),
    needs_key_id: true,
    check: |profile| match profile.scope {
        Some(_) => Err(
            "App Store Connect has scopes with spaces in them: add the claim scope, an array such as [\"GET /v1/apps\"]",
        ),
        None => Ok(()),
    },
    ..Limits::NONE
};

const APP_STORE_SERVER_LIMITS: Limits = Limits {
    exp_after_iat: MINUTE.saturating_mul(60),
    needs_key_id: true,
    ..Limits::NONE
};

/// A token that lives 25 minutes is renewed after 21 and a half at the earliest.
const APNS_LIMITS: Limits = Limits {
    needs_key_id: true,
    check: |profile| {
        let accepted = MINUTE.saturating_mul(25)..MINUTE.saturating_mul(60);
        match profile.assertion_lifetime {
            Some(_) => Err("APNs goes by iat: leave exp out, and set the lifetime of the token"),
            None if accepted.contains(&profile.response.default_lifetime) => Ok(()),
            None => Err(
                "APNs refuses a new token within 20 minutes, and one that is an hour old: set the lifetime of the token to 25 to 59 minutes",
            ),
        }
    },
    ..Limits::NONE
};

const OAUTH_LIMITS: Limits = Limits {
    exp_after_iat: HALF_A_YEAR,
    needs_key_id: true,
    ..Limits::NONE
};

/// Apple sends `invalid_client` for every cause, without a description.
const OAUTH_HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check the key id, that team id and client id are not swapped, and the audience: Apple Ads has https://appleid.apple.com, Business Manager the URL with /v2/"),
    Hint::code("invalid_scope")
        .advice("the scope is searchadsorg, business.api or school.api, as the client id begins"),
    Hint::code("invalid_request")
        .advice("a parameter is missing or written wrongly: take out what was added to the request"),
    Hint::code("unauthorized_client")
        .advice("give the API account its permissions in Apple's console"),
];

/// Apple Maps sends no error codes: these are HTTP statuses.
const MAPS_HINTS: &[Hint] = &[
    Hint::code("401")
        .advice("check that the key id and the team id are not swapped, and this machine's clock"),
    Hint::code("429").advice("the calls of this day are used up: ask Apple for a larger quota"),
];
