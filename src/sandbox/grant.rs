//! What a server requires of a request and how it answers: the columns of the table in [`servers`](super::servers).

use std::time::SystemTime;

use serde_json::{Value, json};

use super::connection::HttpRequest;
use super::denial::{Denial, oauth_denial, oauth_error};
use super::parameters::{Parameters, RequestedScope, form, scope_parameter_and_claim};
use super::refusal::Refusal;
use super::state::{Client, State, rfc_3339};
use super::target::Target;
use super::verify::Claims;
use crate::signer::Algorithm;

pub(super) const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(super) const UNLIMITED: u64 = u64::MAX;

/// One grant at one token endpoint.
///
/// A text with names in braces is a template, which [`Target::fill`] fills in.
pub(super) struct Grant {
    /// The first segment of the path, which is also the name of the server. Empty for the generic endpoint and the
    /// servers whose paths are at the root.
    pub(super) base: &'static str,
    pub(super) name: &'static str,
    /// The paths of the token endpoint below the base. A segment in braces matches any segment. Without a base, they
    /// match the end of a path.
    pub(super) paths: &'static [&'static str],
    /// The path of a metadata document for each of the first `paths`, and the issuer that it names, as a template.
    pub(super) metadata: &'static [(&'static str, &'static str)],
    /// Required headers of the request and their values.
    pub(super) request_headers: &'static [(&'static str, Text)],
    pub(super) read_parameters: fn(&HttpRequest) -> Result<Parameters, Refusal>,
    /// The `grant_type` that selects this grant if several grants share a path.
    pub(super) grant_type: Option<&'static str>,
    /// The parameter of the assertion.
    pub(super) assertion: &'static str,
    /// Required parameters and their values.
    pub(super) parameters: &'static [(&'static str, Text)],
    /// The client also authenticates with its secret, in a parameter or by Basic (RFC 6749 §2.3.1).
    pub(super) has_secret: bool,
    /// The parameter `client_id`, if sent, must name the client (RFC 7521 §4.2).
    pub(super) checks_client_id: bool,
    /// The longest accepted assertion, in bytes.
    pub(super) max_assertion: usize,
    /// The accepted values of `alg`. If there are none, every algorithm of a key is accepted.
    pub(super) algorithms: &'static [Algorithm],
    pub(super) header: &'static [HeaderRule],
    /// The claim that names the client.
    pub(super) client_claim: &'static str,
    pub(super) required_claims: &'static [&'static str],
    /// The rules for claims that are present.
    pub(super) claims: &'static [(&'static str, ClaimRule)],
    /// The accepted values of `aud`, as templates. If there are none, the claim must be absent.
    pub(super) audiences: Audiences,
    pub(super) times: Times,
    pub(super) jti: Jti,
    pub(super) requested_scope: fn(&Parameters, &Claims) -> RequestedScope,
    /// The status of a token response.
    pub(super) status: u16,
    pub(super) token: fn(&Issue<'_>) -> String,
    /// The token response, which is plain text if it is a string.
    pub(super) token_response: fn(&Issue<'_>, &str) -> Value,
    pub(super) denial: fn(&Refusal) -> Denial,
    pub(super) error_response: fn(&State, &Denial) -> Value,
}

/// What a token is issued for.
pub(super) struct Issue<'i> {
    pub(super) state: &'i State,
    pub(super) target: &'i Target<'i>,
    pub(super) client: &'i Client,
    pub(super) parameters: &'i Parameters,
    pub(super) claims: &'i Claims,
    pub(super) scope: Option<&'i str>,
}

impl Issue<'_> {
    /// Returns when the token expires, in the form of RFC 3339. `end` is the text after the seconds.
    pub(super) fn expires_at(&self, end: &str) -> String {
        let now = SystemTime::now();
        let expires_at = now.checked_add(self.state.token_lifetime);
        rfc_3339(expires_at.unwrap_or(now), end)
    }
}

/// The accepted values of a text that is not empty.
pub(super) enum Text {
    Any,
    Is(&'static str),
    OneOf(&'static [&'static str]),
    /// One word with this ending.
    Ends(&'static str),
    /// Words with a space between them, including this one.
    Has(&'static str),
    /// Any text, even an empty one.
    OrEmpty,
}

impl Text {
    pub(super) fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Any => !text.is_empty(),
            Self::Is(expected) => text == *expected,
            Self::OneOf(accepted) => accepted.contains(&text),
            Self::Ends(end) => text.ends_with(end) && !text.contains(' '),
            Self::Has(word) => text.split(' ').any(|other| other == *word),
            Self::OrEmpty => true,
        }
    }
}

/// What a member of the assertion's header must be.
pub(super) enum HeaderRule {
    /// One of these members is present.
    OneOf(&'static [&'static str]),
    /// `x5t#S256` or `x5t` is that of the client's certificate.
    Thumbprint,
}

/// What a claim must be.
pub(super) enum ClaimRule {
    Text(Text),
    /// The id of the client.
    Client,
    /// The id of the client or of one of its users.
    User,
    /// As `User`, but a client without users may not act for any.
    DelegatingUser,
    /// The tenant of the client.
    Tenant,
    /// From this many to this many characters.
    Length(usize, usize),
    /// The id of the client and the fingerprint of its key, as Snowflake writes them.
    Fingerprint,
}

pub(super) enum Audiences {
    /// `aud` is ignored.
    Ignored,
    /// One of these, as one string.
    Text(&'static [&'static str]),
    /// One of these, as one string or in an array of one.
    Single(&'static [&'static str]),
    /// One of these, as one string or in an array.
    Array(&'static [&'static str]),
}

/// Limits of `exp`, `iat` and `nbf`, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// From now to the latest accepted `exp`.
    pub(super) max_exp_ahead: u64,
    /// The same for an assertion without `iat`.
    pub(super) max_exp_ahead_without_iat: u64,
    /// From `iat` to the latest accepted `exp`.
    pub(super) max_lifetime: u64,
    /// From the earliest accepted `iat` to now.
    pub(super) max_age: u64,
    /// By how much a client's clock may be ahead of this machine's.
    pub(super) leeway: u64,
    pub(super) numbers: Numbers,
}

impl Times {
    pub(super) const UNLIMITED: Self = Self {
        max_exp_ahead: UNLIMITED,
        max_exp_ahead_without_iat: UNLIMITED,
        max_lifetime: UNLIMITED,
        max_age: UNLIMITED,
        leeway: 30,
        numbers: Numbers::Integers,
    };
}

/// How times are written.
#[derive(Clone, Copy)]
pub(super) enum Numbers {
    Integers,
    /// With a fraction too (RFC 7519 §2).
    Fractions,
    /// In a string too.
    Strings,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Jti {
    Ignored,
    /// The `jti` of an accepted assertion is not accepted again.
    SingleUse,
    /// Nor is the `jti` of a refused assertion accepted again, once its signature is verified.
    Spent,
}

/// RFC 7523 §2.2: the assertion authenticates the client. The limits are those of the generic endpoint.
pub(super) const CLIENT_CREDENTIALS: Grant = Grant {
    base: "",
    name: "client_credentials",
    paths: &[],
    metadata: &[],
    request_headers: &[],
    read_parameters: form,
    grant_type: None,
    assertion: "client_assertion",
    parameters: &[
        ("grant_type", Text::Is("client_credentials")),
        ("client_assertion_type", Text::Is(CLIENT_ASSERTION)),
    ],
    has_secret: false,
    checks_client_id: true,
    max_assertion: usize::MAX,
    algorithms: &[],
    header: &[],
    client_claim: "iss",
    required_claims: &["sub", "exp", "jti"],
    claims: &[("sub", ClaimRule::Client)],
    audiences: Audiences::Text(&["{token_url}"]),
    times: Times::UNLIMITED,
    jti: Jti::SingleUse,
    requested_scope: scope_parameter_and_claim,
    status: 200,
    token: |issue| issue.state.opaque_access_token(),
    token_response: bearer_token,
    denial: |refusal| oauth_denial(refusal, 401, "invalid_client"),
    error_response: oauth_error,
};

/// RFC 7523 §2.1: the assertion is the grant.
pub(super) const ASSERTION_GRANT: Grant = Grant {
    name: "jwt-bearer",
    assertion: "assertion",
    parameters: &[("grant_type", Text::Is(JWT_BEARER))],
    required_claims: &["exp"],
    claims: &[("sub", ClaimRule::User)],
    denial: |refusal| oauth_denial(refusal, 400, "invalid_grant"),
    ..CLIENT_CREDENTIALS
};

/// The token response of RFC 6749 §5.1.
pub(super) fn bearer_token(issue: &Issue<'_>, token: &str) -> Value {
    let mut body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": issue.state.token_lifetime.as_secs(),
    });
    if let (Some(scope), Some(members)) = (issue.scope, body.as_object_mut()) {
        members.insert("scope".to_owned(), scope.into());
    }
    body
}
