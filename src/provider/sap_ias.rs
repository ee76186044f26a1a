//! SAP Cloud Identity Services (Identity Authentication), client authentication with a JWT: profile.
//!
//! - "Configure the Client to Call Identity Authentication", of the client credentials flow: <https://github.com/SAP-docs/btp-cloud-identity-services/tree/main/docs/Operation-Guide>

use std::borrow::Cow;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Issuer, Limits, Profile};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for an application of SAP Cloud Identity Services that authenticates with a JWT.
    ///
    /// `tenant_url` looks like `https://acme.accounts.ondemand.com` or `https://acme.accounts.cloud.sap`. `issuer` and
    /// `subject` are those that the application trusts, which differ from its client id in most cases; the public key
    /// is in that issuer's JWKS, under the key's `kid`.
    ///
    /// The claims are not verified against the server's document: `aud` is the tenant's URL, which
    /// [`with_audience`](Self::with_audience) changes, and `jti` is sent. The parameter `client_id` is required if the
    /// application trusts the issuer by its name, and does no harm otherwise.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the tenant URL may not carry an assertion.
    pub fn sap_ias(
        tenant_url: impl AsRef<str>,
        client_id: impl Into<String>,
        issuer: impl Into<String>,
        subject: impl Into<String>,
    ) -> Result<Self, Error> {
        let tenant_url = tenant_url.as_ref().trim_end_matches('/');
        let endpoint = Endpoint::at_path("tenant URL", tenant_url, "/oauth2/token")?;
        Ok(Self {
            issuer: Issuer::Fixed(issuer.into()),
            subject: Some(subject.into()),
            algorithms: Cow::Borrowed(Algorithm::ASYMMETRIC),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::Fixed(tenant_url.to_owned()))
        })
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "sap-ias",
    about: "SAP Cloud Identity Services (Identity Authentication).",
    documents: &[
        "https://github.com/SAP-docs/btp-cloud-identity-services/tree/main/docs/Operation-Guide",
    ],
    inputs: &[
        Input::required(
            "tenant-url",
            "URL",
            "The tenant, such as https://acme.accounts.ondemand.com.",
        ),
        Input::required("client-id", "ID", "The client ID of the application."),
        Input::required("issuer", "ISS", "The issuer that the application trusts."),
        Input::required("subject", "SUB", "The subject that the application trusts."),
    ],
    construct: |inputs| {
        let (tenant, client) = (inputs.text("tenant-url"), inputs.text("client-id"));
        Profile::sap_ias(
            tenant,
            client,
            inputs.text("issuer"),
            inputs.text("subject"),
        )
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    needs_key_id: true,
    ..Limits::NONE
};

/// About errors, the document says only that a parameter is missing or wrong. The rows are the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check client ID, issuer and subject against the JWT of the application in the administration console, that the issuer's JWKS has the key under this kid, the audience, and this machine's clock"),
    Hint::code("unauthorized_client")
        .advice("allow the application the grant type client credentials"),
    Hint::code("unsupported_grant_type")
        .advice("allow the application the grant type client credentials"),
    Hint::code("invalid_scope")
        .advice("leave the scope out, or ask for scopes that the application has"),
    Hint::code("invalid_request")
        .advice("a parameter is missing or wrong: check client ID, and token_format, which is jwt or opaque"),
    Hint::code("400")
        .advice("a parameter is missing or wrong: check client ID, and token_format, which is jwt or opaque"),
];
