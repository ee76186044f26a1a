//! Known answers of servers, and what to do about them: a table beside each preset.

/// The answer's code, or its status where it has none; part of its description in lower case; what
/// to do. Nothing stands for any. The first row that fits speaks.
pub(crate) type Hint = (&'static str, &'static str, &'static str);

/// Codes of RFC 6749 §5.2 that mean the same at every server, after what servers were seen to say
/// more exactly. Many give one answer for every cause, so that who guesses learns nothing.
pub(super) const COMMON: &[Hint] = &[
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

pub(crate) fn hint(
    table: &[Hint],
    status: u16,
    code: Option<&str>,
    description: Option<&str>,
) -> Option<&'static str> {
    let key = code.map_or_else(|| status.to_string(), str::to_owned);
    let description = description.unwrap_or_default().to_ascii_lowercase();
    let fits = |k: &str| k.is_empty() || k == key;
    let row = (table.iter()).find(|(k, says, _)| fits(k) && description.contains(says));
    row.map(|(.., advice)| *advice)
}
