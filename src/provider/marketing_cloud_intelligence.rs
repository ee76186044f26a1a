//! Salesforce Marketing Cloud Intelligence, formerly Datorama: profile, credential file, and token
//! endpoints by region.
//!
//! - Assertion, request, response: <https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_jwt.htm>
//! - Using the token: <https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_use.htm>

use std::borrow::Cow;

#[cfg(feature = "rsa")]
use super::credential_file::ParsedFile;
use super::definition::{CredentialFile, Input, InputValue, Provider};
use crate::endpoint::Endpoint;
#[cfg(feature = "rsa")]
use crate::error::Error;
#[cfg(feature = "rsa")]
use crate::jwt::RsaKey;
use crate::placement::Placement;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Profile};
use crate::signer::Algorithm;

/// AWS US. The document prints this URL, and says that it may change.
pub const US1: &str = "https://idp.intelligence.salesforce.com/us1/token";
/// Follows the pattern of [`US1`]: the document names this region, but prints no URL for it.
pub const US2: &str = "https://idp.intelligence.salesforce.com/us2/token";
/// Follows the pattern of [`US1`]: the document names this region, but prints no URL for it.
pub const EU1: &str = "https://idp.intelligence.salesforce.com/eu1/token";
/// Follows the pattern of [`US1`]: the document names this region, but prints no URL for it.
pub const EU2: &str = "https://idp.intelligence.salesforce.com/eu2/token";

/// Has no region, path or trailing slash. The document prints a stray second quote after it.
const AUDIENCE: &str = "https://idp.intelligence.salesforce.com";

impl Profile {
    /// Returns a profile for Marketing Cloud Intelligence.
    ///
    /// `endpoint` is [`Endpoint::metadata`] of the credential file's `discoveryEndpoint`, or [`Endpoint::token`] of a
    /// constant of [`marketing_cloud_intelligence`](self).
    ///
    /// The document names no HTTP method and shows the parameters in the query. This profile sends them in a form body,
    /// as RFC 6749 §4.4.2 says, so that no proxy logs them. [`Placement::QUERY`](crate::Placement::QUERY) sends them in
    /// the query.
    ///
    /// The documented claims do not include `exp`, so it is left out. An assertion without `exp` never expires: protect
    /// it like the key.
    pub fn marketing_cloud_intelligence(
        endpoint: Endpoint,
        service_account_id: impl Into<String>,
    ) -> Self {
        Self {
            assertion_lifetime: None,
            jti: Jti::Hex,
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            hints: HINTS,
            ..Self::client_credentials(
                endpoint,
                service_account_id,
                Audience::Fixed(AUDIENCE.to_owned()),
            )
        }
    }
}

/// Returns the profile and the key from a credential file, which Intelligence lets users download.
///
/// It reads the members `serviceAccountId`, `discoveryEndpoint` and `privateKey`, and ignores all others.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) if the text is not a credential file of Intelligence;
/// [`Key`](crate::ErrorKind::Key) if its key cannot be read. The error quotes nothing from the file.
#[cfg(feature = "rsa")]
pub fn credentials(json: impl AsRef<[u8]>) -> Result<(Profile, RsaKey), Error> {
    let file = ParsedFile::parse(json.as_ref())?;
    let endpoint = Endpoint::metadata(file.required_text("discoveryEndpoint")?.to_string())?;
    let client_id = file.required_text("serviceAccountId")?;
    let profile = Profile::marketing_cloud_intelligence(endpoint, client_id.as_str());
    Ok((
        profile,
        RsaKey::from_pem(&*file.required_text("privateKey")?)?,
    ))
}

pub(super) const PROVIDER: Provider = Provider {
    name: "marketing-cloud-intelligence",
    about: "Salesforce Marketing Cloud Intelligence (Datorama).",
    documents: &[
        "https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_jwt.htm",
    ],
    inputs: &[
        Input::required(
            "service-account-id",
            "ID",
            "The service account: serviceAccountId in the credential file.",
        ),
        Input::optional(
            "discovery-endpoint",
            InputValue::Text("URL"),
            "The discovery endpoint: discoveryEndpoint in the credential file.",
        ),
        Input::optional(
            "token-endpoint",
            InputValue::Text("URL"),
            "The token endpoint, without discovery.",
        ),
        Input::optional(
            "region",
            InputValue::Choice(&[("us1", ""), ("us2", ""), ("eu1", ""), ("eu2", "")]),
            "The token endpoint of a region. Only us1 is documented; the others follow its pattern.",
        ),
        Input::optional(
            "query",
            InputValue::Flag,
            "Sends the parameters in the query string, as the documentation shows it; proxies may log them.",
        ),
    ],
    alternatives: &[&["discovery-endpoint", "token-endpoint", "region"]],
    credential_file: Some(&CredentialFile {
        recognised_by: &[("serviceAccountId", ""), ("discoveryEndpoint", "")],
        inputs: &[
            ("service-account-id", "serviceAccountId"),
            ("discovery-endpoint", "discoveryEndpoint"),
        ],
        key: "privateKey",
        ..CredentialFile::NEW
    }),
    construct: |inputs| {
        let endpoint = match (
            inputs.get("discovery-endpoint"),
            inputs.get("token-endpoint"),
        ) {
            (Some(url), _) => Endpoint::metadata(url)?,
            (_, Some(url)) => Endpoint::token(url)?,
            (None, None) => Endpoint::token(match inputs.text("region") {
                "us2" => US2,
                "eu1" => EU1,
                "eu2" => EU2,
                _ => US1,
            })?,
        };
        let profile =
            Profile::marketing_cloud_intelligence(endpoint, inputs.text("service-account-id"));
        Ok(match inputs.get("query") {
            Some(_) => profile.with_placement(Placement::QUERY),
            None => profile,
        })
    },
    ..Provider::NEW
};

/// The document does not describe the server's errors. These are the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check that key and serviceAccountId are of one credential file, and this machine's clock"),
    Hint::code("invalid_request")
        .advice("if the server finds no parameters, send them in the query (placement), as its document shows it"),
];
