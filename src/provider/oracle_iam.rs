//! Oracle Cloud identity domains (IDCS), which also guard Fusion and Primavera: profile.
//!
//! - Assertion: <https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/ClientAssertion.htm>
//! - With Primavera: <https://docs.oracle.com/cd/G18302_01/English/api/D142286.html>

use std::borrow::Cow;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// An audience that every identity domain accepts, according to samples. Not verified against the server's document.
pub const COMMON_AUDIENCE: &str = "https://identity.oraclecloud.com/";

impl Profile {
    /// Returns a profile for a confidential application of an identity domain of Oracle Cloud.
    ///
    /// `domain_url` is as the console shows it, such as `https://idcs-1234.identity.oraclecloud.com:443`; its port is
    /// left out. `aud` is that URL with a trailing slash, as in the document. The key's `kid` is the alias under which
    /// its certificate was imported.
    ///
    /// [`with_scope`](Self::with_scope) sets the API: `urn:opc:idm:__myscopes__` asks for everything that the
    /// application has. Two assertions in one request, the user's and the client's, are not supported.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the domain URL may not carry an assertion.
    pub fn oracle_iam(
        domain_url: impl AsRef<str>,
        client_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let domain_url = domain_url.as_ref().trim_end_matches('/');
        let domain_url = domain_url.trim_end_matches(":443");
        let endpoint = Endpoint::at_path("domain URL", domain_url, "/oauth2/v1/token")?;
        Ok(Self {
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(
                endpoint,
                client_id,
                Audience::Fixed(format!("{domain_url}/")),
            )
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "oracle-iam",
    about: "Oracle Cloud identity domain (IDCS): Oracle Cloud, Fusion, Primavera.",
    documents: &[
        "https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/ClientAssertion.htm",
    ],
    inputs: &[
        Input::required(
            "domain-url",
            "URL",
            "The domain URL, such as https://idcs-1234.identity.oraclecloud.com.",
        ),
        Input::required(
            "client-id",
            "ID",
            "The client ID of the confidential application.",
        ),
    ],
    construct: |inputs| Profile::oracle_iam(inputs.text("domain-url"), inputs.text("client-id")),
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    needs_key_id: true,
    check: |profile| match &profile.audience {
        Audience::TokenEndpoint => {
            Err("Oracle wants the URL of the identity domain as audience, with a slash at its end")
        }
        _ if profile.assertion_lifetime.is_none() => {
            Err("Oracle wants the claim exp: set the lifetime of the assertion")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// The document does not describe the server's errors. These are the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check client ID and domain URL, that the certificate is imported as trusted client certificate of the application under the alias that is kid, and this machine's clock"),
    Hint::code("unauthorized_client")
        .advice("allow the application the grant type client credentials"),
    Hint::code("invalid_scope")
        .advice("ask for one API's scope that the application has, or for urn:opc:idm:__myscopes__"),
    Hint::code("invalid_grant")
        .advice("allow the application the grant type client credentials"),
    Hint::code("invalid_request")
        .advice("set a scope, such as urn:opc:idm:__myscopes__"),
];
