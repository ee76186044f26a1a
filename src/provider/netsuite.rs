//! Oracle NetSuite, OAuth 2.0 client credentials (machine to machine): profile.
//!
//! - Assertion: <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162790605110.html>
//! - Request: <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162755359851.html>
//! - Errors in the login audit trail: <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/subsect_161252550131.html>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Jti, Limits, Profile, ScopePlacement};
use crate::signer::Algorithm;

impl Profile {
    /// Returns a profile for OAuth 2.0 client credentials of NetSuite.
    ///
    /// `account_id` is as the account shows it, such as `1234567_SB1`, whose host begins with `1234567-sb1`. The key
    /// signs PS256, PS384, PS512, ES256, ES384 or ES512: the server refuses RS256, which is the usual algorithm of an RSA
    /// key. The key's `kid` is the certificate id of the mapping.
    ///
    /// [`with_scope`](Self::with_scope) is required: `restlets`, `rest_webservices`, `suite_analytics`. The scopes
    /// become a claim with commas, as in the document; some clients write an array, which is
    /// [`ScopePlacement::ClaimArray`].
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the account id cannot be part of a host name.
    pub fn netsuite(
        account_id: impl AsRef<str>,
        client_id: impl Into<String>,
    ) -> Result<Self, Error> {
        let account = account_id.as_ref().to_ascii_lowercase().replace('_', "-");
        if !account
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            || account.is_empty()
        {
            return Err(Error::config(
                "the account ID has letters, digits and underscores, such as 1234567_SB1",
            ));
        }
        let endpoint = Endpoint::token(format!(
            "https://{account}.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token"
        ))?;
        let profile = Self {
            subject: None,  // not in the documented set
            jti: Jti::Omit, // not in the documented set
            algorithms: Cow::Borrowed(ALGORITHMS),
            limits: &LIMITS,
            scope_placement: ScopePlacement::ClaimWithCommas(Cow::Borrowed("scope")),
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::TokenEndpoint)
        };
        Ok(profile.without_parameter("client_id"))
    }
}

const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
];

pub(super) const PROVIDER: Provider = Provider {
    name: "netsuite",
    about: "Oracle NetSuite, OAuth 2.0 client credentials (machine to machine).",
    documents: &[
        "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162790605110.html",
    ],
    inputs: &[
        Input::required(
            "account-id",
            "ID",
            "The account ID, such as 1234567 or 1234567_SB1.",
        ),
        Input::required(
            "client-id",
            "ID",
            "The client ID of the integration record.",
        ),
        Input::required_list(
            "scope",
            "SCOPE",
            "A scope: restlets, rest_webservices or suite_analytics; may be repeated.",
        ),
    ],
    construct: |inputs| {
        let profile = Profile::netsuite(inputs.text("account-id"), inputs.text("client-id"))?;
        Ok(profile.with_scope(inputs.text("scope")))
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    exp_after_iat: Duration::from_secs(3599), // less than an hour
    needs_key_id: true,
    check: |profile| match (&profile.scope, &profile.scope_placement) {
        (None, _) if profile.claim("scope").is_none() => Err(
            "NetSuite wants scopes: set the scope to restlets, rest_webservices or suite_analytics",
        ),
        (Some(_), ScopePlacement::Parameter) => {
            Err("NetSuite ignores the parameter scope: scope belongs in the claim")
        }
        _ if profile.iat_leeway.is_none() => {
            Err("NetSuite wants the claim iat: set its leeway to zero")
        }
        _ => Ok(()),
    },
    ..Limits::NONE
};

/// The document describes the errors of the login audit trail, not those of this request.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check that the key signs PS256 or ES256, that kid is the certificate ID of the mapping, that its certificate is valid (two years at most), and the account ID; the login audit trail says more"),
    Hint::code("invalid_request")
        .advice("check that the claim scope is set, and that exp lies less than an hour after iat"),
    Hint::code("invalid_grant")
        .advice("check that entity and role of the mapping are active; the login audit trail says more"),
    Hint::code("invalid_scope")
        .advice("ask for scopes that the integration record allows"),
    Hint::code("unauthorized_client")
        .advice("check Client Credentials (Machine to Machine) Grant in the integration record"),
];
