//! Why a request is refused.

use std::fmt;

/// Why a request is refused. Each server has its own error response for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A header of the request, not of the assertion.
    RequestHeader(&'static str),
    Parameter(&'static str),
    DuplicateParameter,
    NotJson,
    Malformed,
    TooLarge,
    DuplicateMember,
    Header(&'static str),
    MissingHeader(&'static str),
    KeyId,
    Thumbprint,
    Client,
    Secret,
    Tenant,
    /// Not the `alg` of the client's key.
    Algorithm,
    /// The client's key is for an `alg` that the server does not accept.
    UnacceptedAlgorithm,
    Signature,
    Claim(&'static str),
    Delegation,
    Audience,
    SeveralAudiences,
    Expired,
    TooLong,
    Old,
    Future,
    Replay,
    /// A scope that is not allowed.
    Scope(String),
    /// A scope that is not allowed for a user.
    DelegatedScope(String),
    /// What [`Client::with_denial`](super::Client::with_denial) set.
    Denied(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestHeader(name) => write!(f, "request header {name} is missing or wrong"),
            Self::Parameter(name) => write!(f, "parameter {name} is missing or wrong"),
            Self::DuplicateParameter => f.write_str("a parameter occurs more than once"),
            Self::NotJson => f.write_str("the body is not a JSON object"),
            Self::Malformed => f.write_str("the assertion is not a JWT"),
            Self::TooLarge => f.write_str("the assertion has too many bytes"),
            Self::DuplicateMember => {
                f.write_str("a member of the header or of the claims occurs more than once")
            }
            Self::Header(name) => write!(f, "header parameter {name} is not supported"),
            Self::MissingHeader(name) => {
                write!(f, "header parameter {name} is missing or wrong")
            }
            Self::KeyId => f.write_str("kid is not the one of the client's key"),
            Self::Thumbprint => f.write_str("no certificate of the client has this thumbprint"),
            Self::Client => f.write_str("the client is unknown"),
            Self::Secret => f.write_str("the client's secret is missing or wrong"),
            Self::Tenant => f.write_str("the path names another tenant than the client's"),
            Self::Algorithm => f.write_str("alg is not the one of the client's key"),
            Self::UnacceptedAlgorithm => f.write_str("the server accepts no key with this alg"),
            Self::Signature => f.write_str("the signature is not of the client's key"),
            Self::Claim(name) => write!(f, "claim {name} is missing or wrong"),
            Self::Delegation => f.write_str("the client may not act for users"),
            Self::Audience => f.write_str("claim aud is not this server, as one string"),
            Self::SeveralAudiences => f.write_str("claim aud has several values"),
            Self::Expired => f.write_str("the assertion has expired"),
            Self::TooLong => f.write_str("exp lies too far ahead"),
            Self::Old => f.write_str("iat lies too far back"),
            Self::Future => f.write_str("iat or nbf lies in the future"),
            Self::Replay => f.write_str("jti was used before"),
            Self::Scope(_) | Self::DelegatedScope(_) => f.write_str("a scope is not allowed"),
            Self::Denied(code) => write!(f, "the client is registered with the denial {code}"),
        }
    }
}
