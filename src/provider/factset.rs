//! FactSet: profile of a confidential client, and its configuration file.
//!
//! - Client: <https://github.com/factset/enterprise-sdk-utils-python/blob/main/src/fds/sdk/utils/authentication/confidential.py>
//! - Configuration file: <https://github.com/factset/oauth2-guidelines>

use std::borrow::Cow;
use std::time::Duration;

use super::definition::{CredentialFile, Input, InputValue, Provider};
use crate::endpoint::Endpoint;
use crate::profile::hint::Hint;
use crate::profile::{Audience, Limits, Profile};
use crate::signer::Algorithm;

/// The metadata document, which names the token endpoint and the issuer.
pub const WELL_KNOWN_URI: &str = "https://auth.factset.com/.well-known/openid-configuration";

/// The lifetime that the vendor's clients give an assertion.
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);

impl Profile {
    /// Returns a profile for a confidential client of FactSet.
    ///
    /// The metadata names the token endpoint, and the issuer, which is the audience. `nbf` is five seconds back, as in
    /// the vendor's clients. The document does not describe the server's errors.
    pub fn factset(client_id: impl Into<String>) -> Self {
        let endpoint = Endpoint::documented_metadata(WELL_KNOWN_URI);
        Self {
            assertion_lifetime: Some(FIVE_MINUTES),
            nbf_leeway: Some(Duration::from_secs(5)),
            algorithms: Cow::Borrowed(&[Algorithm::Rs256]),
            limits: &LIMITS,
            hints: HINTS,
            ..Self::client_credentials(endpoint, client_id, Audience::Issuer)
        }
    }
}

pub(super) const PROVIDER: Provider = Provider {
    name: "factset",
    about: "FactSet, confidential client.",
    documents: &["https://github.com/factset/oauth2-guidelines"],
    inputs: &[
        Input::required(
            "client-id",
            "ID",
            "The client ID: clientId in the configuration file.",
        ),
        Input::optional(
            "well-known-uri",
            InputValue::Text("URL"),
            "The metadata document: wellKnownUri in the configuration file.",
        ),
    ],
    credential_file: Some(&CredentialFile {
        recognised_by: &[("clientId", ""), ("jwk", "")],
        inputs: &[
            ("client-id", "clientId"),
            ("well-known-uri", "wellKnownUri"),
        ],
        key: "jwk",
        ..CredentialFile::NEW
    }),
    construct: |inputs| {
        let profile = Profile::factset(inputs.text("client-id"));
        Ok(match inputs.get("well-known-uri") {
            Some(url) => profile.with_endpoint(Endpoint::metadata(url)?),
            None => profile,
        })
    },
    ..Provider::NEW
};

const LIMITS: Limits = Limits {
    needs_key_id: true,
    ..Limits::NONE
};

/// The codes of RFC 6749 §5.2.
const HINTS: &[Hint] = &[
    Hint::code("invalid_client")
        .advice("check that clientId and jwk are of one configuration file that is still active, and this machine's clock"),
    Hint::code("unauthorized_client")
        .advice("make the configuration file of a confidential client"),
    Hint::code("invalid_scope")
        .advice("leave the scope out, or ask for scopes that the client has"),
    Hint::code("invalid_request")
        .advice("look for what changes requests on the way"),
];
