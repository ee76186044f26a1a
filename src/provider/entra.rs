//! Microsoft Entra ID (Azure AD), client credentials with a certificate, in every cloud.
//!
//! - Assertion: <https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials>
//! - Exchange: <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
//! - Clouds: <https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud>
//! - Errors: <https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::key::certificate::Certificate;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// The global cloud.
pub const GLOBAL: &str = "https://login.microsoftonline.com";
/// The cloud for the US Government: GCC High and DoD.
pub const US_GOVERNMENT: &str = "https://login.microsoftonline.us";
/// The cloud in China, which 21Vianet operates.
pub const CHINA: &str = "https://login.partner.microsoftonline.cn";

/// Names that stand for any tenant. An app without a user cannot use them.
const ANY_TENANT: &[&str] = &["common", "organizations", "consumers"];

impl Profile {
    /// Returns a profile for Microsoft Entra ID.
    ///
    /// `authority` is a constant of [`entra`](crate::provider::entra), or another address without the tenant. `tenant`
    /// is the directory's id or one of its domains, `client_id` the application's id. Entra finds the key by the
    /// `certificate`, whose SHA-256 fingerprint becomes the header member `x5t#S256`: check with [`Certificate::is_of`]
    /// that the certificate belongs to the key.
    ///
    /// The document asks for PS256, which the command line and [`Key::with_first_of`](crate::Key::with_first_of)
    /// choose; an `RsaKey` signs RS256 unless it is asked for another. Whether the server
    /// accepts RS256 together with `x5t#S256` is not verified against its document.
    ///
    /// Set a scope: the resource's address and `/.default`, such as `https://graph.microsoft.com/.default`, for
    /// everything that the app may do there. `exp` is five minutes after now; the document advises five to ten.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the authority may not carry an assertion, or the tenant is `common`,
    /// `organizations` or `consumers`.
    pub fn entra(
        authority: impl AsRef<str>,
        tenant: impl AsRef<str>,
        client_id: impl Into<String>,
        certificate: &Certificate,
    ) -> Result<Self, Error> {
        let tenant = tenant.as_ref();
        if tenant.is_empty() || ANY_TENANT.contains(&tenant) || tenant.contains('/') {
            let message =
                "an app has one tenant: give the directory's id, or one of its domains, as tenant";
            return Err(Error::config(message));
        }
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let endpoint = Endpoint::at_path("authority", authority.as_ref(), &path)?;
        let profile = Self {
            assertion_lifetime: Some(Duration::from_secs(300)),
            algorithms: Cow::Borrowed(&[Algorithm::Ps256, Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::TokenEndpoint)
        };
        Ok(profile.with_header("x5t#S256", certificate.x5t_s256()))
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "entra",
    about: "Microsoft Entra ID (Azure AD), with a certificate.",
    documents: &[
        "https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials",
        "https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow",
    ],
    inputs: &[
        Input::required(
            "tenant",
            "ID",
            "The directory (tenant) ID, or one of the directory's domains.",
        ),
        Input::required("client-id", "ID", "The application (client) ID."),
        Input::required(
            "scope",
            "RESOURCE/.default",
            "The resource's address and /.default, such as https://graph.microsoft.com/.default.",
        ),
        Input::with_default(
            "cloud",
            InputValue::Choice(&[
                ("global", "The global cloud"),
                ("us-government", "US Government: GCC High and DoD"),
                ("china", "China, operated by 21Vianet"),
            ]),
            "The cloud.",
            "global",
        ),
        Input::optional(
            "authority",
            InputValue::Text("URL"),
            "The address of the cloud's login, without the tenant, instead of a cloud.",
        )
        .instead_of("cloud"),
    ],
    construct: |inputs| {
        let certificate = inputs.certificate.ok_or_else(|| {
            Error::config("Entra finds the key by its certificate: give the certificate, which openssl pkcs12 -nokeys -clcerts exports from a PKCS#12 store")
        })?;
        let cloud = match inputs.text("cloud") {
            "us-government" => US_GOVERNMENT,
            "china" => CHINA,
            _ => GLOBAL,
        };
        let authority = inputs.get("authority").unwrap_or(cloud);
        let (tenant, client_id) = (inputs.text("tenant"), inputs.text("client-id"));
        let profile = Profile::entra(authority, tenant, client_id, certificate)?;
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| {
        let has_default = |scope: &str| scope.ends_with("/.default") && !scope.contains(' ');
        // An app that acts for a user, with another grant, names single permissions.
        let is_client_credentials = profile.parameters.iter().any(|parameter| {
            parameter.name == "grant_type" && *parameter.value == "client_credentials"
        });
        match is_client_credentials && !profile.scope.as_deref().is_some_and(has_default) {
            true => Err(
                "Entra gives an app all its permissions at one resource: set the scope to the resource's address and /.default, such as https://graph.microsoft.com/.default",
            ),
            false => Ok(()),
        }
    },
    ..Limits::NONE
};

const SET_SCOPE: &str = "set the scope to the resource's address and /.default, such as https://graph.microsoft.com/.default";
const REVOKED: &str = "the certificate is revoked: make another one, and upload it to the app";
const NO_RESOURCE: &str = "check the resource in the scope: this tenant has no such application";

/// From the server's document of errors, whose numbers appear in the descriptions.
const HINTS: &[Hint] = &[
    Hint::words("aadsts700027:")
        .advice("upload this certificate to the app, check that it has not expired, and that the key is the certificate's"),
    Hint::words("aadsts700024:")
        .advice("check this machine's clock"),
    Hint::words("aadsts7000214:").advice(REVOKED),
    Hint::words("aadsts7000277:").advice(REVOKED),
    Hint::words("aadsts1000502:")
        .advice("the certificate is not valid now: make another one, and upload it to the app"),
    Hint::words("aadsts700016:")
        .advice("check client id, tenant and cloud: this tenant has no such app, or its administrator has not consented"),
    Hint::words("aadsts70011:").advice(SET_SCOPE),
    Hint::words("aadsts1002012:").advice(SET_SCOPE),
    Hint::words("aadsts500011:").advice(NO_RESOURCE),
    Hint::words("aadsts90002:")
        .advice("check the tenant, and the cloud: US Government and China have their own"),
    Hint::words("aadsts53003:")
        .advice("a policy of Conditional Access blocks the app: ask the tenant's administrator"),
    Hint::code("invalid_client")
        .advice("check that the app has this certificate, that the key is the certificate's, and this machine's clock"),
    Hint::code("unauthorized_client")
        .advice("check client id, tenant and cloud, and that the app is allowed to use client credentials"),
    Hint::code("invalid_scope").advice(SET_SCOPE),
    Hint::code("invalid_resource").advice(NO_RESOURCE),
    Hint::code("invalid_request")
        .advice("check tenant, cloud and scope: the description says what is wrong with the request"),
];
