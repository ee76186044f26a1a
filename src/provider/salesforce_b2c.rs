//! Salesforce B2C Commerce, API client of Account Manager: profile.
//!
//! - Client: <https://github.com/SalesforceCommerceCloud/b2c-developer-tooling/blob/main/packages/b2c-tooling-sdk/src/auth/oauth-jwt.ts>
//! - Account Manager: <https://developer.salesforce.com/docs/commerce/commerce-api/guide/authorization-for-admin-apis.html>

use std::borrow::Cow;

use super::definition::{Input, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// The token endpoint of Account Manager, which is also the audience.
pub const TOKEN_ENDPOINT: &str = "https://account.demandware.com/dwsso/oauth2/access_token";

impl Profile {
    /// Returns a profile for an API client of Account Manager that authenticates with `private_key_jwt`.
    ///
    /// [`with_scope`](Self::with_scope) sets what an API wants, such as `SALESFORCE_COMMERCE_API:tenant_id`.
    pub fn salesforce_b2c(client_id: impl Into<String>) -> Self {
        let endpoint = Endpoint::documented(TOKEN_ENDPOINT);
        Self {
            iat_leeway: None, // the vendor's client sends none
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::TokenEndpoint)
        }
        .without_parameter("client_id")
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "salesforce-b2c",
    about: "Salesforce B2C Commerce, API client of Account Manager.",
    documents: &[
        "https://developer.salesforce.com/docs/commerce/commerce-api/guide/authorization-for-admin-apis.html",
    ],
    inputs: &[Input::required(
        "client-id",
        "ID",
        "The ID of the API client.",
    )],
    construct: |inputs| Ok(Profile::salesforce_b2c(inputs.text("client-id"))),
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    check: |profile| match profile.assertion_lifetime {
        None => Err("Account Manager wants the claim exp: set the lifetime of the assertion"),
        Some(_) => Ok(()),
    },
    ..Limits::NONE
};

/// From the vendor's client, and the codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .and_words("client_assertion_type is missing")
        .advice("send the parameters as a form: the API client is set to private_key_jwt, and the server found no assertion"),
    Hint::code("invalid_client")
        .advice("check the client ID, that the API client is set to private_key_jwt and has the certificate of this very key, and this machine's clock"),
    Hint::code("invalid_scope")
        .advice("give the API client the scope, and its roles the tenant"),
    Hint::code("unauthorized_client")
        .advice("give the API client the roles that the scope needs"),
    Hint::code("invalid_request")
        .advice("look for what changes requests on the way"),
];
