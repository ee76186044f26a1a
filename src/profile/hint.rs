//! Known answers of servers, and what to do about them: a table beside each preset.

/// The answer's code, or its status where it has none; part of its description in lower case, or
/// nothing for any; what to do. The first row that fits speaks.
pub(crate) type Hint = (&'static str, &'static str, &'static str);

/// Codes of RFC 6749 §5.2 that mean the same at every server.
pub(super) const COMMON: &[Hint] = &[
    (
        "invalid_client",
        "",
        "check client id, audience and this machine's clock, and that the server knows the key",
    ),
    (
        "invalid_grant",
        "",
        "check issuer, subject, audience and this machine's clock, and that the server knows the key",
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
    let description = description.unwrap_or_default().to_lowercase();
    let row = (table.iter()).find(|(k, says, _)| *k == key && description.contains(says));
    row.map(|(.., advice)| *advice)
}
