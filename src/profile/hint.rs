//! What to do about the error responses that servers are known for. Each provider has a table.

use crate::error::says;

/// A row: the response's error code, or its status if it has no code; a part of its description in lower case; what to
/// do.
///
/// An empty code or part matches any. The first row that matches is used.
pub(crate) type Hint = (&'static str, &'static str, &'static str);

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
    (
        "",
        "jwt id is used before",
        "the server got this assertion twice: look for what repeats requests on the way",
    ),
    (
        "",
        "invalid jwt assertion",
        "the server could not read the assertion: look for what changes requests on the way",
    ),
    // oidc-provider
    (
        "invalid_request",
        "no client authentication",
        "name the client beside the grant: add the parameter client_id",
    ),
    (
        "invalid_client",
        "",
        "check client id, audience and this machine's clock, and that the server knows the key and its alg; the server's log may say more",
    ),
    (
        "invalid_grant",
        "",
        "check issuer, subject, audience and this machine's clock, and that the server knows the key and its alg; the server's log may say more",
    ),
    (
        "invalid_dpop_proof",
        "",
        "this server asks for DPoP (RFC 9449), which is not supported: switch it off for this client",
    ),
    (
        "use_dpop_nonce",
        "",
        "this server asks for DPoP (RFC 9449), which is not supported: switch it off for this client",
    ),
    (
        "unauthorized_client",
        "",
        "allow this client the grant type at the server",
    ),
    (
        "unsupported_grant_type",
        "",
        "the server does not take this grant: try the other of RFC 7523",
    ),
    (
        "invalid_scope",
        "",
        "ask for scopes that the server allows this client",
    ),
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
    let matches = |k: &str| k.is_empty() || k == key || k == LIMITED && status == 429;
    let row = (table.iter()).find(|(k, part, _)| matches(k) && says(description, part));
    row.map(|(.., advice)| *advice)
}
