//! Salesforce Marketing Cloud Intelligence, formerly Datorama: profile, credential file, and token
//! endpoints by region.
//!
//! - Assertion, request, response: <https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_jwt.htm>
//! - Using the token: <https://help.salesforce.com/s/articleView?id=mktg.dato_getstarted_token_api_use.htm>

use std::borrow::Cow;

#[cfg(feature = "rsa")]
use serde_json::Value;

use super::hint::Hint;
use super::{Audience, Jti, Profile};
use crate::endpoint::Endpoint;
#[cfg(feature = "rsa")]
use crate::error::Error;
#[cfg(feature = "rsa")]
use crate::jwt::RsaKey;
use crate::signer::Algorithm;

/// AWS US. The document prints this URL, and says that it may change.
pub const US1: &str = "https://idp.intelligence.salesforce.com/us1/token";
/// Follows the pattern of [`US1`]: the document names this region, but prints no URL for it.
pub const US2: &str = "https://idp.intelligence.salesforce.com/us2/token";
/// Follows the pattern of [`US1`]: the document names this region, but prints no URL for it.
pub const EU1: &str = "https://idp.intelligence.salesforce.com/eu1/token";
/// Follows the pattern of [`US1`]: the document names this region, but prints no URL for it.
pub const EU2: &str = "https://idp.intelligence.salesforce.com/eu2/token";

/// Has no region, path or slash at its end. The document prints a stray second quote after it.
const AUDIENCE: &str = "https://idp.intelligence.salesforce.com";

impl Profile {
    /// Returns a profile for Marketing Cloud Intelligence.
    ///
    /// `endpoint` is [`Endpoint::metadata`] of the credential file's `discoveryEndpoint`, or
    /// [`Endpoint::token`] of a constant of [`marketing_cloud_intelligence`](self).
    ///
    /// The document names no HTTP method and shows the parameters in the query. This profile sends
    /// them in a form body, as RFC 6749 §4.4.2 says, where no proxy logs them. The query is
    /// [`Placement::Query`](crate::Placement::Query).
    ///
    /// The documented claims do not include `exp`, so it is left out. Such an assertion never
    /// expires: protect it like the key.
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

/// Returns the profile and the key of a credential file, which Intelligence lets users download.
///
/// It reads the members `serviceAccountId`, `discoveryEndpoint` and `privateKey`, and ignores all
/// others.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config) where the text is no such file,
/// [`Key`](crate::ErrorKind::Key) where its key cannot be read. The error quotes nothing of the
/// file.
#[cfg(feature = "rsa")]
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

/// The document does not describe the server's errors. These are the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    (
        "invalid_client",
        "",
        "check that key and serviceAccountId are of one credential file, and this machine's clock",
    ),
    (
        "invalid_request",
        "",
        "if the server finds no parameters, try Placement::Query, as its document shows it",
    ),
];
