//! What to do about the error responses that servers are known for. Each provider has a table.

use crate::error::says;

/// What to do about one error. The first row of a table that matches is used.
pub(crate) struct Hint {
    /// The error's code, or its status if it has no code. An empty text matches any.
    code: &'static str,
    /// A part of the error's description, in lower case. An empty text matches any.
    words: &'static str,
    advice: &'static str,
}

impl Hint {
    /// About an error with this code, or with this status and no code.
    pub(crate) const fn code(code: &'static str) -> Self {
        Self {
            code,
            words: "",
            advice: "",
        }
    }

    /// About an error whose description has these words, which are in lower case.
    pub(crate) const fn words(words: &'static str) -> Self {
        Self::code("").and_words(words)
    }

    pub(crate) const fn and_words(self, words: &'static str) -> Self {
        Self { words, ..self }
    }

    pub(crate) const fn advice(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }
}

/// The status of a server that limits the number of requests (RFC 6585 §4).
const LIMITED: &str = "429";

/// What to do if a server limits the number of requests.
pub(crate) const RATE_LIMITED: &str =
    "keep a token as long as it lives, and wait before asking for another";

/// The codes of RFC 6749 §5.2, which mean the same on every server, after descriptions that say more.
///
/// Many servers send one code for every cause, so that guessing reveals nothing.
pub(crate) const COMMON: &[Hint] = &[
    // Authlib
    Hint::words("jwt id is used before")
        .advice("the server got this assertion twice: look for what repeats requests on the way"),
    Hint::words("invalid jwt assertion")
        .advice("the server could not read the assertion: look for what changes requests on the way"),
    // oidc-provider
    Hint::code("invalid_request")
        .and_words("no client authentication")
        .advice("name the client beside the grant: add the parameter client_id"),
    Hint::code("invalid_client")
        .advice("check client id, audience and this machine's clock, and that the server knows the key and its alg; the server's log may say more"),
    Hint::code("invalid_grant")
        .advice("check issuer, subject, audience and this machine's clock, and that the server knows the key and its alg; the server's log may say more"),
    Hint::code("invalid_dpop_proof")
        .advice("this server asks for DPoP (RFC 9449), which is not supported: switch it off for this client"),
    Hint::code("use_dpop_nonce")
        .advice("this server asks for DPoP (RFC 9449), which is not supported: switch it off for this client"),
    Hint::code("unauthorized_client")
        .advice("allow this client the grant type at the server"),
    Hint::code("unsupported_grant_type")
        .advice("the server does not take this grant: try the other of RFC 7523"),
    Hint::code("invalid_scope")
        .advice("ask for scopes that the server allows this client"),
];

/// Returns the advice of the first row that matches an error response.
pub(crate) fn hint(
    table: &[Hint],
    status: u16,
    code: Option<&str>,
    description: Option<&str>,
) -> Option<&'static str> {
    let key = code.map_or_else(|| status.to_string(), str::to_owned);
    let description = description.unwrap_or_default();
    // A server that limits requests says so by its status, whatever its code is.
    let has_code = |code: &str| code.is_empty() || code == key || code == LIMITED && status == 429;
    let mut rows = table.iter();
    let row = rows.find(|row| has_code(row.code) && says(description, row.words))?;
    Some(row.advice)
}
