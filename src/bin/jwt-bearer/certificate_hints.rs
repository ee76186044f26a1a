//! What to do about a certificate that is not accepted, given the TLS library's words.

/// Words of the TLS library, and what to do.
const HINTS: &[(&str, &str)] = &[
    (
        "CaUsedAsEndEntity",
        "the server presents a CA certificate as its own; this makes one that is not, to be given with --ca: openssl \
         req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.pem -days 365 -subj /CN=HOST -addext \
         subjectAltName=DNS:HOST -addext basicConstraints=critical,CA:FALSE",
    ),
    (
        "UnknownIssuer",
        "trust the CA that issued the certificate with --ca FILE, or the roots of this machine with --system-roots; \
         behind a proxy that inspects TLS it is the proxy's CA",
    ),
    (
        "UnsupportedCertVersion",
        "the server's certificate is of X.509 version 1: it needs one of version 3 with subjectAltName",
    ),
    (
        "not valid for name",
        "use a host name that the certificate has, or a certificate that has the host name in subjectAltName",
    ),
    (
        "certificate expired",
        "renew the server's certificate, or set this machine's clock",
    ),
    (
        "certificate not valid yet",
        "set this machine's clock, or wait until the certificate is valid",
    ),
    (
        "BadSignature",
        "the certificate was not signed by the CA that it names: trust the CA that did with --ca FILE; one of the same \
         name may be trusted already",
    ),
    (
        "extended key usage",
        "the server needs a certificate with the purpose serverAuth",
    ),
    (
        "invalid peer certificate",
        "see the certificate with openssl s_client -showcerts -connect HOST:PORT, and ask whoever runs the server for \
         another one",
    ),
];

/// What the TLS library says if the other side does not speak TLS.
const NO_TLS: &str = "InvalidContentType";

/// Returns what to do about a port that does not speak TLS, given the TLS library's words in `message`.
pub(crate) fn hint_without_tls(message: &str) -> Option<&'static str> {
    message.contains(NO_TLS).then_some(
        "this port does not speak TLS, as plain http does not: correct the port in the URL (https has 443), or, on this \
         machine alone, write http:// in place of https://",
    )
}

/// Returns what to do about a certificate, given the TLS library's words in `message`.
pub(crate) fn hint(message: &str) -> Option<&'static str> {
    let (_, hint) = (HINTS.iter()).find(|(word, _)| message.contains(word))?;
    Some(hint)
}
