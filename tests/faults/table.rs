//! The cases: what the server does and what the source makes of it.

use jwt_bearer::ErrorKind::{self, Denied, Network, Protocol, Unavailable};

use super::server::Certificate::{
    Expired, ForClients, NotYetValid, OtherName, SelfSigned, UnknownRoot,
};
use super::server::Ending::{self, Closes, Drips, Floods, Resets, Silent};
use super::server::Stage::{self, Handshake, Http, Idle, KeptAlive, Tls, Unread, Untrusted};

/// The expected outcome of the first call.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// An error with this text. `<host>` is replaced by host and port.
    Error(ErrorKind, &'static str),
    /// An error with this text and a source that contains the second text.
    ErrorWithSource(ErrorKind, &'static str, &'static str),
    /// A token with this lifetime in seconds.
    Token(u64),
}

/// Name, stage of the connection, bytes written, ending, expected outcome, expected number of connections.
pub(crate) type ConnectionRow = (&'static str, Stage, &'static [u8], Ending, Expected, usize);
/// Name, status, headers with their line ends, body, expected outcome, expected number of connections.
pub(crate) type ResponseRow = (
    &'static str,
    &'static str,
    &'static str,
    &'static [u8],
    Expected,
    usize,
);

/// A retry would get the same response.
const ONCE: usize = 1;
/// Retried with new assertions.
const RETRIED: usize = 3;

const TIMED_OUT: Expected =
    Expected::ErrorWithSource(Network, "<host>: no answer in time", "timeout: global");
const TRUNCATED: Expected = Expected::Error(
    Network,
    "<host>: the connection ended before the whole answer was there",
);
const STALLED: Expected =
    Expected::ErrorWithSource(Network, "<host>: the request did not complete", "stalled");
const fn bad_protocol(cause: &'static str) -> Expected {
    Expected::ErrorWithSource(Network, "<host>: its protocol is not accepted", cause)
}
const fn bad_certificate(cause: &'static str) -> Expected {
    Expected::ErrorWithSource(
        Network,
        "<host>: its TLS certificate is not accepted",
        cause,
    )
}
const TOO_LONG: Expected =
    Expected::Error(Protocol, "the response is longer than 64 KiB (status 200)");
const NO_TOKEN: Expected =
    Expected::Error(Protocol, "the response has no access_token (status 200)");
const NOT_JSON: Expected =
    Expected::Error(Protocol, "the response is not a JSON object (status 200)");
const UNAVAILABLE: Expected = Expected::Error(
    Unavailable,
    "the authorization server cannot answer now (status 503)",
);
const ISSUED: Expected = Expected::Token(300);

const X: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[rustfmt::skip]
pub(crate) const CONNECTIONS: &[ConnectionRow] = &[
    // Silent servers
    ("silent after accept", Unread, b"", Silent, TIMED_OUT, RETRIED),
    ("silent after the request", Http, b"", Silent, TIMED_OUT, RETRIED),
    ("silent within the status line", Http, b"HTTP/1.1 20", Silent, TIMED_OUT, RETRIED),
    ("silent within the headers", Http, b"HTTP/1.1 200 OK\r\nContent-Len", Silent, TIMED_OUT, RETRIED),
    ("silent before the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Silent, TIMED_OUT, RETRIED),
    ("silent within the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\"", Silent,
        TIMED_OUT, RETRIED),
    ("silent within a chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a", Silent,
        TIMED_OUT, RETRIED),
    ("silent after a body without length", Http,
        b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"the-token-that-is-not-good\"}",
        Silent, TIMED_OUT, RETRIED),
    ("silent after 100 Continue", Http, b"HTTP/1.1 100 Continue\r\n\r\n", Silent, TIMED_OUT, RETRIED),
    ("silent instead of a TLS handshake", Handshake, b"", Silent, TIMED_OUT, RETRIED),
    ("silent within TLS", Tls, b"", Silent, TIMED_OUT, RETRIED),
    ("silent on a kept connection", KeptAlive, b"", Silent, ISSUED, 2),
    // Slow servers
    ("one byte a second of the status line", Http, b"", Drips("HTTP/1.1 200 Okaaaaaaaaaaaaaaaaaaaaaaaaaaaaaay"),
        TIMED_OUT, RETRIED),
    ("one byte a second of the headers", Http, b"HTTP/1.1 200 OK\r\nX: ", Drips(X), TIMED_OUT, RETRIED),
    ("one byte a second of the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", Drips(X), TIMED_OUT,
        RETRIED),
    ("one byte a second of a body without length", Http, b"HTTP/1.1 200 OK\r\n\r\n{", Drips(X), TIMED_OUT, RETRIED),
    ("one byte a second of chunks", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        Drips("1\r\n{\r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n"), TIMED_OUT, RETRIED),
    ("one byte a second within TLS", Tls, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", Drips(X), TIMED_OUT,
        RETRIED),
    // Reset
    ("reset after accept", Unread, b"", Resets, TRUNCATED, RETRIED),
    ("reset after the request", Http, b"", Resets, TRUNCATED, RETRIED),
    ("reset within the headers", Http, b"HTTP/1.1 200 OK\r\nContent-Len", Resets, TRUNCATED, RETRIED),
    ("reset within the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\"", Resets,
        TRUNCATED, RETRIED),
    ("reset within a chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a", Resets, TRUNCATED,
        RETRIED),
    ("reset instead of a TLS handshake", Handshake, b"", Resets, TRUNCATED, RETRIED),
    ("reset of a kept connection", KeptAlive, b"", Resets, ISSUED, 2),
    // Truncated responses
    ("closed after the request", Http, b"", Closes, TRUNCATED, RETRIED),
    ("closed within the status line", Http, b"HTTP/1.1 20", Closes, TRUNCATED, RETRIED),
    ("closed within the headers", Http, b"HTTP/1.1 200 OK\r\nContent-Len", Closes, TRUNCATED, RETRIED),
    ("closed within a chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a", Closes,
        TRUNCATED, RETRIED),
    ("closed before the last chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", Closes,
        TRUNCATED, RETRIED),
    ("closed instead of a TLS handshake", Handshake, b"", Closes, TRUNCATED, RETRIED),
    ("closed within TLS", Tls, b"", Closes, TRUNCATED, RETRIED),
    ("closed within TLS and the body", Tls, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"a", Closes, TRUNCATED,
        RETRIED),
    ("closed within TLS and a body without length", Tls, b"HTTP/1.1 200 OK\r\n\r\n{\"a", Closes, NOT_JSON, ONCE),
    ("a kept connection closed while idle", Idle, b"", Closes, ISSUED, 2),
    ("a kept connection closed on the next request", KeptAlive, b"", Closes, ISSUED, 2),
    ("a kept connection closed with an unasked 408", Idle, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        Closes, ISSUED, 2),
    // Lengths
    ("Content-Length too long", Http,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\":\"the-token-that-is-not-good\"}",
        Closes, TRUNCATED, RETRIED),
    ("Content-Length too short", Http,
        b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"access_token\":\"the-token-that-is-not-good\"}",
        Closes, NOT_JSON, ONCE),
    ("Content-Length twice", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", Closes,
        bad_protocol("conflicting content-length"), ONCE),
    ("Content-Length and chunks", Http,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", Closes,
        NO_TOKEN, ONCE),
    ("Content-Length below zero", Http, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", Closes,
        bad_protocol("content-length header not a number"), ONCE),
    ("Content-Length in words", Http, b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", Closes,
        bad_protocol("content-length header not a number"), ONCE),
    ("Content-Length beyond 64 bits", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        Closes, bad_protocol("content-length header not a number"), ONCE),
    // Chunks
    ("a chunk size that is no number", Http,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n", Closes,
        bad_protocol("chunk length cannot be read"), ONCE),
    ("a chunk size below zero", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        Closes, bad_protocol("chunk length cannot be read"), ONCE),
    ("a chunk size beyond 64 bits", Http,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n", Closes,
        bad_protocol("chunk length cannot be read"), ONCE),
    ("a chunk longer than its size", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        Closes, bad_protocol("chunk expected crlf"), ONCE),
    ("an unknown transfer encoding", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n{}", Closes, NO_TOKEN,
        ONCE),
    // Without end
    ("an endless status line", Http, b"HTTP/1.1 200 ", Floods("O"), bad_protocol("header is too big"), ONCE),
    ("an endless header", Http, b"HTTP/1.1 200 OK\r\nX: ", Floods("x"), bad_protocol("header is too big"), ONCE),
    ("endless headers", Http, b"HTTP/1.1 200 OK\r\n", Floods("X: x\r\n"), bad_protocol("too many headers"), ONCE),
    ("an endless body", Http, b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"", Floods("x"), TOO_LONG, ONCE),
    ("a body of an exabyte", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n", Floods(" "),
        TOO_LONG, ONCE),
    ("endless chunks", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Floods("1\r\n \r\n"), TOO_LONG,
        ONCE),
    ("an endless chunk size", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Floods("0"), STALLED,
        RETRIED),
    ("endless trailers", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", Floods("X: x\r\n"),
        TIMED_OUT, RETRIED),
    ("a flood of 100", Http, b"", Floods("HTTP/1.1 100 Continue\r\n\r\n"), bad_protocol("header is too big"), ONCE),
    ("a flood of 103", Http, b"", Floods("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        bad_protocol("header is too big"), ONCE),
    ("an endless body of a refusal", Http, b"HTTP/1.1 400 Bad Request\r\n\r\n{\"error\":\"", Floods("x"),
        Expected::Error(Protocol, "the response is longer than 64 KiB (status 400)"), ONCE),
    // Not HTTP/1.1, or not as it should be
    ("garbage", Http, b"\x00\xff\xfe\x80\x13\x37\r\n\r\n", Closes, bad_protocol("invalid HTTP version"), ONCE),
    ("endless garbage", Http, b"\xff", Floods("\u{fffd}"), bad_protocol("invalid HTTP version"), ONCE),
    ("the banner of another protocol", Http, b"220 mail.example.com ESMTP\r\n", Closes,
        bad_protocol("invalid HTTP version"), ONCE),
    ("HTTP/0.9", Http, b"{\"access_token\":\"the-token-that-is-not-good\"}", Closes,
        bad_protocol("invalid HTTP version"), ONCE),
    ("HTTP/1.0", Http, b"HTTP/1.0 200 OK\r\n\r\n{\"access_token\":\"old-but-good\",\"expires_in\":300}", Closes, ISSUED,
        ONCE),
    ("HTTP/2", Http,
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff",
        Closes, bad_protocol("invalid HTTP version"), ONCE),
    ("a version that is none", Http, b"HTTP/7.3 200 OK\r\nContent-Length: 2\r\n\r\n{}", Closes,
        bad_protocol("invalid HTTP version"), ONCE),
    ("a status of two digits", Http, b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}", Closes,
        bad_protocol("invalid response status"), ONCE),
    ("a header without a colon", Http, b"HTTP/1.1 200 OK\r\nwhat\r\nContent-Length: 2\r\n\r\n{}", Closes,
        bad_protocol("invalid header name"), ONCE),
    ("a few 1xx before the answer", Http,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"access_token\":\"late-but-good\",\"expires_in\":300}   ", Closes, ISSUED, ONCE),
    ("101 Switching Protocols", Http,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        Closes, protocol("something other than an authorization server answered (status 101)"), ONCE),
    // An answer before the request is read
    ("an early refusal", Unread,
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: <length>\r\n\r\n{\"error\":\"invalid_request\"}",
        Closes, Expected::Error(Denied, "the authorization server refused: invalid_request (status 400)"), ONCE),
    ("an early 503", Unread, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Closes, UNAVAILABLE,
        RETRIED),
    ("an answer without reading all, then a reset", Http,
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Resets, UNAVAILABLE, RETRIED),
    // TLS
    ("TLS where plain is spoken", Http, b"\x15\x03\x01\x00\x02\x02\x46", Closes, bad_protocol("invalid HTTP version"),
        ONCE),
    ("plain where TLS is spoken", Handshake, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", Closes,
        bad_protocol("corrupt message"), ONCE),
    ("garbage where TLS is spoken", Handshake, b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", Closes,
        bad_protocol("corrupt message"), ONCE),
    ("a TLS alert", Handshake, b"\x15\x03\x03\x00\x02\x02\x28", Closes, bad_protocol("HandshakeFailure"), ONCE),
    ("a self-signed certificate", Untrusted(SelfSigned), b"", Closes, bad_certificate("UnknownIssuer"), ONCE),
    ("a certificate of another name", Untrusted(OtherName), b"", Closes, bad_certificate("not valid for name"), ONCE),
    ("a certificate that has expired", Untrusted(Expired), b"", Closes, bad_certificate("expired"), ONCE),
    ("a certificate of the future", Untrusted(NotYetValid), b"", Closes, bad_certificate("not valid yet"), ONCE),
    ("a certificate of an unknown root", Untrusted(UnknownRoot), b"", Closes, bad_certificate("UnknownIssuer"), ONCE),
    ("a certificate for clients", Untrusted(ForClients), b"", Closes, bad_certificate("certificate"), ONCE),
];

const HTML: &[u8] = b"<!DOCTYPE html><html><title>the-token-that-is-not-good</title></html>";
const EMPTY: &[u8] = b"";
const TOKEN: &[u8] = br#"{"access_token":"this-one-is-good","expires_in":300}"#;
const NOT_VISIBLE_ASCII: Expected =
    protocol("the access_token is empty or holds something other than visible ASCII (status 200)");
const NOT_BEARER: Expected = protocol("the token is not a bearer token (status 200)");
const NOT_A_STRING: Expected = protocol("the access_token is not a string (status 200)");
const CLIENT_DENIED: Expected =
    denied("the authorization server refused: invalid_client: who are you (status 401)");
const DENIED: Expected = denied("the authorization server refused: invalid_client (status 401)");
const OTHER_401: Expected =
    protocol("something other than an authorization server answered (status 401)");
const OTHER_403: Expected =
    protocol("something other than an authorization server answered (status 403)");
const DENIED_200: Expected =
    denied("the authorization server answered an error: invalid_grant: no (status 200)");
const REDIRECT: Expected = protocol(
    "the token endpoint redirects, and no assertion is sent there: 127.0.0.1 (status 302)",
);
/// The token lifetime of the profile, for a response without one.
const DEFAULT_LIFETIME: Expected = Expected::Token(777);
const MAX_LIFETIME: Expected = Expected::Token(31 * 24 * 3600);

const fn protocol(text: &'static str) -> Expected {
    Expected::Error(Protocol, text)
}
const fn denied(text: &'static str) -> Expected {
    Expected::Error(Denied, text)
}
const fn unavailable(text: &'static str) -> Expected {
    Expected::Error(Unavailable, text)
}

#[rustfmt::skip]
pub(crate) const RESPONSES: &[ResponseRow] = &[
    // Redirects
    ("302 to another host", "302 Found", "Location: http://<elsewhere>/login?ticket=1\r\n", EMPTY, REDIRECT, ONCE),
    ("302 to another host, with a token", "302 Found", "Location: http://<elsewhere>/\r\n", TOKEN, REDIRECT, ONCE),
    ("307 to another host", "307 Temporary Redirect", "Location: http://<elsewhere>/token\r\n", EMPTY,
        protocol("the token endpoint redirects, and no assertion is sent there: 127.0.0.1 (status 307)"), ONCE),
    ("308 to plain http", "308 Permanent Redirect", "Location: http://as.example.com/token\r\n", EMPTY,
        protocol("the token endpoint redirects, and no assertion is sent there: as.example.com (status 308)"), ONCE),
    ("303 to itself", "303 See Other", "Location: /token\r\n", EMPTY,
        protocol("the token endpoint redirects, and no assertion is sent there: another path (status 303)"), ONCE),
    ("301 for a missing slash", "301 Moved Permanently", "Location: /token/\r\n", HTML,
        protocol("the token endpoint redirects, and no assertion is sent there: another path (status 301)"), ONCE),
    ("302 to nowhere", "302 Found", "", EMPTY,
        protocol("the token endpoint redirects, and no assertion is sent there (status 302)"), ONCE),
    ("302 with the assertion in its Location", "302 Found", "Location: https://as.example.com/?a=<assertion>\r\n",
        EMPTY,
        protocol("the token endpoint redirects, and no assertion is sent there: as.example.com (status 302)"), ONCE),
    // Bodies that are not a JSON object
    ("200 with HTML", "200 OK", "Content-Type: text/html\r\n", HTML, NOT_JSON, ONCE),
    ("200 with HTML that says JSON", "200 OK", "Content-Type: application/json\r\n", HTML, NOT_JSON, ONCE),
    ("200 with nothing", "200 OK", "", EMPTY, NOT_JSON, ONCE),
    ("204", "204 No Content", "", EMPTY, protocol("the response is not a JSON object (status 204)"), ONCE),
    ("200 with a list", "200 OK", "", br#"[{"access_token":"the-token-that-is-not-good"}]"#, NOT_JSON, ONCE),
    ("200 with a string", "200 OK", "", br#""the-token-that-is-not-good""#, NOT_JSON, ONCE),
    ("200 with a token and no more", "200 OK", "Content-Type: text/plain\r\n", b"the-token-that-is-not-good", NOT_JSON,
        ONCE),
    ("200 with a form", "200 OK", "", b"access_token=the-token-that-is-not-good&expires_in=300", NOT_JSON, ONCE),
    ("200 with half an object", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","#, NOT_JSON, ONCE),
    ("200 with two objects", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good"}{}"#, NOT_JSON, ONCE),
    ("200 in UTF-16", "200 OK", "", b"\xff\xfe{\x00}\x00", NOT_JSON, ONCE),
    ("200 in Latin-1", "200 OK", "", b"{\"access_token\":\"the-token-that-is-not-good\",\"name\":\"\xe9\"}",
        DEFAULT_LIFETIME, ONCE),
    ("gzip though not asked for", "200 OK", "Content-Encoding: gzip\r\n",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
        protocol("the response is compressed, though nobody asked for that (status 200)"), ONCE),
    ("gzip in words only", "200 OK", "Content-Encoding: gzip\r\n", TOKEN, ISSUED, ONCE),
    // Bodies of a denial
    ("401 as RFC 6749 has it", "401 Unauthorized", "Content-Type: application/json\r\n", WHO_ARE_YOU, CLIENT_DENIED,
        ONCE),
    ("401 without a content type", "401 Unauthorized", "", WHO_ARE_YOU, CLIENT_DENIED, ONCE),
    ("401 with an bad_protocol content type", "401 Unauthorized", "Content-Type: text/html; charset=latin1\r\n",
        WHO_ARE_YOU, CLIENT_DENIED, ONCE),
    ("401 with a challenge", "401 Unauthorized", "WWW-Authenticate: Basic\r\n", WHO_ARE_YOU, CLIENT_DENIED, ONCE),
    ("401 without a description", "401 Unauthorized", "", br#"{"error":"invalid_client"}"#, DENIED, ONCE),
    ("401 with null as description", "401 Unauthorized", "", br#"{"error":"invalid_client","error_description":null}"#,
        DENIED, ONCE),
    ("401 with an object as error", "401 Unauthorized", "", br#"{"error":{"code":7,"status":"UNAUTHENTICATED"}}"#,
        denied("the authorization server refused: UNAUTHENTICATED (status 401)"), ONCE),
    ("401 with a message", "401 Unauthorized", "", br#"{"message":"Invalid JWT payload"}"#,
        protocol("something other than an authorization server answered: Invalid JWT payload (status 401)"), ONCE),
    ("401 with a list", "401 Unauthorized", "",
        br#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
        protocol("something other than an authorization server answered: INVALID_SESSION_ID: Session expired or invalid (status 401)"), ONCE),
    ("401 with an empty list", "401 Unauthorized", "", b"[]", OTHER_401, ONCE),
    ("401 with null", "401 Unauthorized", "", b"null", OTHER_401, ONCE),
    ("401 with half an object", "401 Unauthorized", "", b"{", OTHER_401, ONCE),
    ("401 with HTML", "401 Unauthorized", "Content-Type: text/html\r\n", HTML, OTHER_401, ONCE),
    ("401 with nothing", "401 Unauthorized", "", EMPTY,
        denied("the authorization server refused and gave no reason (status 401)"), ONCE),
    ("403 of a firewall", "403 Forbidden", "Content-Type: text/html\r\n", HTML, OTHER_403, ONCE),
    ("404 with nothing", "404 Not Found", "", EMPTY,
        protocol("something other than an authorization server answered (status 404)"), ONCE),
    ("418", "418 I'm a teapot", "", EMPTY,
        protocol("something other than an authorization server answered (status 418)"), ONCE),
    ("status 999", "999 What", "", EMPTY,
        protocol("something other than an authorization server answered (status 999)"), ONCE),
    ("501 is no 503", "501 Not Implemented", "", EMPTY,
        protocol("something other than an authorization server answered (status 501)"), ONCE),
    ("the assertion in the description", "400 Bad Request", "",
        br#"{"error":"invalid_grant","error_description":"assertion <assertion> is not valid"}"#,
        denied("the authorization server refused: invalid_grant: assertion [..] is not valid (status 400)"), ONCE),
    ("the assertion as error", "400 Bad Request", "", br#"{"error":"<assertion>"}"#,
        denied("the authorization server refused: [..] (status 400)"), ONCE),
    ("the client secret in the description", "400 Bad Request", "",
        br#"{"error":"invalid_client","error_description":"wrong: the-secret-of-the-client"}"#,
        denied("the authorization server refused: invalid_client: wrong: [..] (status 400)"), ONCE),
    ("a token beside its own echo", "400 Bad Request", "",
        br#"{"error":"no","error_description":"not the-token-that-is-not-good","access_token":"the-token-that-is-not-good"}"#,
        denied("the authorization server refused: no: not [..] (status 400)"), ONCE),
    ("escapes and line ends in the description", "400 Bad Request", "",
        br#"{"error":"invalid\n_grant\u001b[31m","error_description":"one\r\ntwo\u0007"}"#,
        denied("the authorization server refused: invalid _grant: one two (status 400)"), ONCE),
    // Unavailable servers
    ("408", "408 Request Timeout", "", EMPTY, unavailable("the authorization server cannot answer now (status 408)"),
        RETRIED),
    ("429", "429 Too Many Requests", "", EMPTY, unavailable("the authorization server cannot answer now (status 429)"),
        RETRIED),
    ("429 with a second to wait", "429 Too Many Requests", "Retry-After: 1\r\n", EMPTY,
        unavailable("the authorization server cannot answer now (status 429)"), RETRIED),
    ("429 with more to wait than there is time", "429 Too Many Requests", "Retry-After: 31\r\n", EMPTY,
        unavailable("the authorization server cannot answer now (status 429)"), ONCE),
    ("429 with nonsense to wait", "429 Too Many Requests", "Retry-After: soon\r\n", EMPTY,
        unavailable("the authorization server cannot answer now (status 429)"), RETRIED),
    ("500 with HTML", "500 Internal Server Error", "Content-Type: text/html\r\n", HTML,
        unavailable("the authorization server cannot answer now (status 500)"), RETRIED),
    ("502", "502 Bad Gateway", "", EMPTY, unavailable("the authorization server cannot answer now (status 502)"),
        RETRIED),
    ("503 with a code", "503 Service Unavailable", "", br#"{"error":"temporarily_unavailable"}"#,
        unavailable("the authorization server cannot answer now: temporarily_unavailable (status 503)"), RETRIED),
    ("504", "504 Gateway Timeout", "", EMPTY, unavailable("the authorization server cannot answer now (status 504)"),
        RETRIED),
    // Errors with status 200, and unusable tokens
    ("200 with an error", "200 OK", "", br#"{"error":"invalid_grant","error_description":"no"}"#, DENIED_200, ONCE),
    ("200 with an error and a token", "200 OK", "",
        br#"{"error":"invalid_grant","error_description":"no","access_token":"the-token-that-is-not-good"}"#,
        DENIED_200, ONCE),
    ("200 with an error that is empty", "200 OK", "", br#"{"error":"","access_token":"good","expires_in":300}"#, ISSUED,
        ONCE),
    ("200 with an error that is null", "200 OK", "", br#"{"error":null,"access_token":"good","expires_in":300}"#,
        ISSUED, ONCE),
    ("no access_token", "200 OK", "", br#"{"expires_in":300}"#, protocol("the response has no access_token; it has expires_in (status 200)"), ONCE),
    ("access_token null", "200 OK", "", br#"{"access_token":null}"#, NO_TOKEN, ONCE),
    ("access_token a number", "200 OK", "", br#"{"access_token":5}"#, NOT_A_STRING, ONCE),
    ("access_token a list", "200 OK", "", br#"{"access_token":["the-token-that-is-not-good"]}"#, NOT_A_STRING, ONCE),
    ("access_token empty", "200 OK", "", br#"{"access_token":""}"#, NOT_VISIBLE_ASCII, ONCE),
    ("access_token with a space", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good "}"#, NOT_VISIBLE_ASCII,
        ONCE),
    ("access_token with a line end", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good\r\nX-Admin: 1"}"#,
        NOT_VISIBLE_ASCII, ONCE),
    ("access_token with a NUL", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good\u0000"}"#,
        NOT_VISIBLE_ASCII, ONCE),
    ("access_token of other letters", "200 OK", "", br#"{"access_token":"t\u00f6k"}"#, NOT_VISIBLE_ASCII, ONCE),
    ("201", "201 Created", "", TOKEN, ISSUED, ONCE),
    // The token type
    ("token_type bearer", "200 OK", "", br#"{"access_token":"good","token_type":"bearer","expires_in":300}"#, ISSUED,
        ONCE),
    ("token_type BEARER", "200 OK", "", br#"{"access_token":"good","token_type":"BEARER","expires_in":300}"#, ISSUED,
        ONCE),
    ("token_type null", "200 OK", "", br#"{"access_token":"good","token_type":null,"expires_in":300}"#, ISSUED, ONCE),
    ("token_type mac", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"mac"}"#, NOT_BEARER,
        ONCE),
    ("token_type DPoP", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"DPoP"}"#,
        protocol("the token is bound to a key by DPoP (RFC 9449), which is not supported: switch it off for this client (status 200)"), ONCE),
    ("token_type N_A", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"N_A"}"#, NOT_BEARER,
        ONCE),
    ("token_type a number", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":1}"#,
        NOT_BEARER, ONCE),
    ("token_type the assertion", "200 OK", "",
        br#"{"access_token":"the-token-that-is-not-good","token_type":"<assertion>"}"#,
        NOT_BEARER, ONCE),
    // The token lifetime
    ("expires_in a string", "200 OK", "", br#"{"access_token":"good","expires_in":"300"}"#, ISSUED, ONCE),
    ("expires_in a float", "200 OK", "", br#"{"access_token":"good","expires_in":300.0}"#, ISSUED, ONCE),
    ("expires_in below zero", "200 OK", "", br#"{"access_token":"good","expires_in":-1}"#, DEFAULT_LIFETIME, ONCE),
    ("expires_in zero", "200 OK", "", br#"{"access_token":"good","expires_in":0}"#, DEFAULT_LIFETIME, ONCE),
    ("expires_in missing", "200 OK", "", br#"{"access_token":"good"}"#, DEFAULT_LIFETIME, ONCE),
    ("expires_in null", "200 OK", "", br#"{"access_token":"good","expires_in":null}"#, DEFAULT_LIFETIME, ONCE),
    ("expires_in a word", "200 OK", "", br#"{"access_token":"good","expires_in":"soon"}"#, DEFAULT_LIFETIME, ONCE),
    ("expires_in a list", "200 OK", "", br#"{"access_token":"good","expires_in":[300]}"#, DEFAULT_LIFETIME, ONCE),
    ("expires_in huge", "200 OK", "", br#"{"access_token":"good","expires_in":99999999999999999999999999}"#,
        MAX_LIFETIME, ONCE),
    ("expires_in 1e300", "200 OK", "", br#"{"access_token":"good","expires_in":1e300}"#, MAX_LIFETIME, ONCE),
];

const WHO_ARE_YOU: &[u8] = br#"{"error":"invalid_client","error_description":"who are you"}"#;
