//! Salesforce Marketing Cloud Intelligence, formerly Datorama. The credential file, and token
//! endpoints by region.
//!
//! - Assertion, request, response: <https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_jwt.htm>
//! - Using the token: <https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_use.htm>

use serde_json::Value;

use super::hint::Hint;
use super::{Audience, Jti, Profile};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::jwt::RsaKey;

/// AWS US, as printed in the document, which adds that it may change.
pub const US1: &str = "https://idp.intelligence.salesforce.com/us1/token";
/// By the pattern of [`US1`]: the document names the region and prints no URL for it.
pub const US2: &str = "https://idp.intelligence.salesforce.com/us2/token";
/// By the pattern of [`US1`]: the document names the region and prints no URL for it.
pub const EU1: &str = "https://idp.intelligence.salesforce.com/eu1/token";
/// By the pattern of [`US1`]: the document names the region and prints no URL for it.
pub const EU2: &str = "https://idp.intelligence.salesforce.com/eu2/token";

/// Without region, path or slash. The document prints a stray second quote behind it.
const AUDIENCE: &str = "https://idp.intelligence.salesforce.com";

impl Profile {
    /// Marketing Cloud Intelligence: `endpoint` is [`Endpoint::metadata`] of the credential
    /// file's `discoveryEndpoint`, or [`Endpoint::token`] of a constant of
    /// [`marketing_cloud_intelligence`](self).
    ///
    /// The document names no HTTP method and draws the parameters in the query. They are posted
    /// in a form body, as RFC 6749 has it and where no proxy logs them;
    /// [`Placement::Query`](crate::Placement::Query) is the other way.
    ///
    /// `exp` is not among the documented claims and left out: such an assertion never expires by
    /// itself, so treat it like the key.
    pub fn marketing_cloud_intelligence(
        endpoint: Endpoint,
        service_account_id: impl Into<String>,
    ) -> Self {
        Self {
            exp: None,
            jti: Jti::Hex,
            hints: HINTS,
            ..Self::client_credentials(
                endpoint,
                service_account_id,
                Audience::Fixed(AUDIENCE.to_owned()),
            )
        }
    }
}

/// Reads the credential file that Intelligence hands out: `serviceAccountId`,
/// `discoveryEndpoint`, `privateKey`.
///
/// Other members are ignored.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) where it is not such a file,
/// [`Key`](crate::ErrorKind::Key) where its key cannot be read. Nothing of the file is quoted.
pub fn credentials(json: impl AsRef<[u8]>) -> Result<(Profile, RsaKey), Error> {
    let json = json.as_ref();
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    let mut file: Value = serde_json::from_slice(json)
        .map_err(|_| Error::config("the credential file is not JSON"))?;
    let mut member = |name: &str| match file.get_mut(name).map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Error::config(format!(
            "the credential file has no text {name}"
        ))),
    };
    let id = member("serviceAccountId")?;
    let endpoint = Endpoint::metadata(member("discoveryEndpoint")?)?;
    let pem = zeroize::Zeroizing::new(member("privateKey")?);
    Ok((
        Profile::marketing_cloud_intelligence(endpoint, id),
        RsaKey::from_pem(&*pem)?,
    ))
}

/// The server's errors are not documented; these are RFC 6749's.
const HINTS: &[Hint] = &[
    (
        "invalid_client",
        "",
        "check that key and serviceAccountId are of one credential file, and this machine's clock",
    ),
    (
        "invalid_request",
        "",
        "if the server finds no parameters, try Placement::Query, as its document draws it",
    ),
];
