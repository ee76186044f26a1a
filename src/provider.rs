//! Servers by name. Each has one file with its [`Profile`] constructor, constants, limits and hints, taken from the
//! server's documents.
//!
//! A program that knows its server calls the constructor, such as
//! [`Profile::salesforce`](crate::Profile::salesforce). A program that learns it at run time finds it in
//! [`PROVIDERS`].

mod definition;

mod credential_file;

mod generic;

pub mod apple;
pub mod auth0;
pub mod autodesk;
pub mod box_platform;
pub mod cylance;
pub mod docusign;
pub mod entra;
pub mod factset;
pub mod firebase;
pub mod forgerock;
pub mod ghost;
pub mod github_app;
pub mod google;
pub mod huawei;
pub mod ibm_app_id;
pub mod keycloak;
pub mod line;
pub mod line_works;
pub mod lti;
pub mod marketing_cloud_intelligence;
pub mod maskinporten;
pub mod netsuite;
pub mod nhs;
pub mod okta;
pub mod oracle_iam;
pub mod ory;
pub mod pdnd;
pub mod salesforce;
pub mod salesforce_b2c;
pub mod sap_ias;
pub mod servicenow;
pub mod smart;
pub mod snowflake;
pub mod tableau;
pub mod vault;
pub mod webex;
pub mod workday;
pub mod yandex;
pub mod zitadel;

use self::credential_file::ParsedFile;
use crate::error::Error;
use crate::jwt::Key;
use crate::profile::Profile;

pub use self::definition::{Input, InputValue, Inputs, KeyKind, Provider, SecretReader};

/// All providers, with those for any server last.
pub const PROVIDERS: &[&Provider] = &[
    &apple::APP_STORE_CONNECT,
    &apple::APP_STORE_SERVER,
    &apple::APNS,
    &apple::ADS,
    &apple::BUSINESS,
    &apple::MAPS,
    &auth0::PROVIDER,
    &autodesk::PROVIDER,
    &box_platform::PROVIDER,
    &cylance::PROVIDER,
    &docusign::PROVIDER,
    &entra::PROVIDER,
    &factset::PROVIDER,
    &firebase::PROVIDER,
    &forgerock::PROVIDER,
    &ghost::PROVIDER,
    &github_app::PROVIDER,
    &google::PROVIDER,
    &google::ID_TOKEN,
    &google::SELF_SIGNED,
    &huawei::PROVIDER,
    &ibm_app_id::PROVIDER,
    &keycloak::PROVIDER,
    &line::PROVIDER,
    &line_works::PROVIDER,
    &lti::PROVIDER,
    &marketing_cloud_intelligence::PROVIDER,
    &maskinporten::PROVIDER,
    &netsuite::PROVIDER,
    &nhs::PROVIDER,
    &okta::PROVIDER,
    &oracle_iam::PROVIDER,
    &ory::PROVIDER,
    &ory::JWT_BEARER,
    &pdnd::PROVIDER,
    &salesforce::PROVIDER,
    &salesforce_b2c::PROVIDER,
    &sap_ias::PROVIDER,
    &servicenow::PROVIDER,
    &smart::PROVIDER,
    &snowflake::PROVIDER,
    &snowflake::EXCHANGE,
    &tableau::PROVIDER,
    &vault::PROVIDER,
    &webex::PROVIDER,
    &workday::PROVIDER,
    &yandex::PROVIDER,
    &zitadel::PROVIDER,
    &generic::CLIENT_CREDENTIALS,
    &generic::JWT_BEARER,
    &generic::SELF_SIGNED,
    &generic::CUSTOM,
];

/// Servers that need what this crate does not support, by the names people use: why, and what to do instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "adobe",
        "Adobe ended its JWT credentials (service account) in 2025: create an OAuth Server-to-Server credential, which has a client secret and needs no assertion",
    ),
    (
        "helseid",
        "HelseID binds every token to a key by DPoP (RFC 9449), which is not supported: use the libraries that HelseID publishes",
    ),
    (
        "irs",
        "the IRS wants two assertions in one request, one of the user and one of the client, which is not supported: make each assertion without sending it, and send the request yourself",
    ),
];

/// Returns the profile and the key from a credential file of any provider.
///
/// The file is JSON, as the server's console makes it, or that JSON in base64. If the file lacks an input,
/// pass it to [`Provider::credentials`].
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (profile, key) = jwt_bearer::provider::credentials(std::fs::read("key.json")?)?;
/// let profile = profile.with_scope("https://www.googleapis.com/auth/cloud-platform");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Provider::credentials`], and [`Config`](crate::ErrorKind::Config) if the file belongs to no provider; the
/// message then says what the file is instead, if that is known.
pub fn credentials(file: impl AsRef<[u8]>) -> Result<(Profile, Key), Error> {
    let parsed = ParsedFile::parse(file.as_ref())?;
    provider_of(&parsed)?.read_credentials(&parsed, Inputs::default())
}

/// Returns the provider of a credential file.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) if the file belongs to no provider.
pub fn provider_of_credentials(file: impl AsRef<[u8]>) -> Result<&'static Provider, Error> {
    provider_of(&ParsedFile::parse(file.as_ref())?)
}

/// Returns why a server is not among the [`PROVIDERS`], and what to do instead, if that is known.
///
/// ```
/// assert!(jwt_bearer::provider::unsupported("HelseID").is_some_and(|why| why.contains("DPoP")));
/// assert_eq!(jwt_bearer::provider::unsupported("google"), None);
/// ```
pub fn unsupported(name: &str) -> Option<&'static str> {
    let is_named = |(other, _): &&(&str, &str)| name.eq_ignore_ascii_case(other);
    let (_, why) = UNSUPPORTED.iter().find(is_named)?;
    Some(why)
}

fn provider_of(parsed: &ParsedFile) -> Result<&'static Provider, Error> {
    let matches_file = |provider: &&&Provider| {
        let file = provider.credential_file;
        file.is_some_and(|file| {
            !file.recognised_by.is_empty() && parsed.has_members(file.recognised_by)
        })
    };
    if let Some(provider) = PROVIDERS.iter().find(matches_file) {
        return Ok(provider);
    }
    let message = "this is JSON, but no credential file that is known here: name the provider, and give its key";
    Err(Error::config(parsed.why_no_token().unwrap_or(message)))
}
