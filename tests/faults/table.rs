//! The rows.

use jwt_bearer::ErrorKind::{self, Denied, Network, Protocol, Unavailable};

use super::server::Certificate::{
    Expired, ForClients, NotYetValid, OtherName, SelfSigned, UnknownRoot,
};
use super::server::Door::{self, Deaf, Http, Https, Idle, Kept, Shows, Tls};
use super::server::Then::{self, Drips, Ends, Floods, Holds, Resets};

/// What the first call comes to.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// An error whose text is this; `<host>` stands for host and port.
    Error(ErrorKind, &'static str),
    /// As above, and what it was caused by holds this.
    Because(ErrorKind, &'static str, &'static str),
    /// A token that lives so many seconds.
    Token(u64),
}

/// A name, how a connection goes, what is said on it and then done, what the call comes to, and how
/// many connections that takes.
pub(crate) type Connection = (&'static str, Door, &'static [u8], Then, End, usize);
/// A name; status, headers with their line ends, and body of a whole answer; as above.
pub(crate) type Answer = (
    &'static str,
    &'static str,
    &'static str,
    &'static [u8],
    End,
    usize,
);

/// The same question would get the same answer.
const ONCE: usize = 1;
/// Asked again, newly signed.
const RETRIED: usize = 3;

const LATE: End = End::Because(Network, "<host>: no answer in time", "timeout: global");
const CUT: End = End::Error(
    Network,
    "<host>: the connection ended before the whole answer was there",
);
const STALLED: End = End::Because(Network, "<host>: the request did not complete", "stalled");
const fn odd(cause: &'static str) -> End {
    End::Because(Network, "<host>: its protocol is not accepted", cause)
}
const fn untrusted(cause: &'static str) -> End {
    End::Because(
        Network,
        "<host>: its TLS certificate is not accepted",
        cause,
    )
}
const LONG: End = End::Error(Protocol, "the response is longer than 64 KiB (status 200)");
const NO_TOKEN: End = End::Error(Protocol, "the response has no access_token (status 200)");
const NOT_JSON: End = End::Error(Protocol, "the response is not a JSON object (status 200)");
const BUSY: End = End::Error(
    Unavailable,
    "the authorization server cannot answer now (status 503)",
);
const GOOD: End = End::Token(300);

const X: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[rustfmt::skip]
pub(crate) const CONNECTIONS: &[Connection] = &[
    // Silence
    ("silent after accept", Deaf, b"", Holds, LATE, RETRIED),
    ("silent after the request", Http, b"", Holds, LATE, RETRIED),
    ("silent within the status line", Http, b"HTTP/1.1 20", Holds, LATE, RETRIED),
    ("silent within the headers", Http, b"HTTP/1.1 200 OK\r\nContent-Len", Holds, LATE, RETRIED),
    ("silent before the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Holds, LATE, RETRIED),
    ("silent within the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\"", Holds, LATE, RETRIED),
    ("silent within a chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a", Holds, LATE, RETRIED),
    ("silent after a body without length", Http, b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"the-token-that-is-not-good\"}",
        Holds, LATE, RETRIED),
    ("silent after 100 Continue", Http, b"HTTP/1.1 100 Continue\r\n\r\n", Holds, LATE, RETRIED),
    ("silent instead of a TLS handshake", Https, b"", Holds, LATE, RETRIED),
    ("silent within TLS", Tls, b"", Holds, LATE, RETRIED),
    ("silent on a kept connection", Kept, b"", Holds, GOOD, 2),
    // A byte a second
    ("one byte a second of the status line", Http, b"", Drips("HTTP/1.1 200 Okaaaaaaaaaaaaaaaaaaaaaaaaaaaaaay"), LATE, RETRIED),
    ("one byte a second of the headers", Http, b"HTTP/1.1 200 OK\r\nX: ", Drips(X), LATE, RETRIED),
    ("one byte a second of the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", Drips(X), LATE, RETRIED),
    ("one byte a second of a body without length", Http, b"HTTP/1.1 200 OK\r\n\r\n{", Drips(X), LATE, RETRIED),
    ("one byte a second of chunks", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        Drips("1\r\n{\r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n"), LATE, RETRIED),
    ("one byte a second within TLS", Tls, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", Drips(X), LATE, RETRIED),
    // Reset
    ("reset after accept", Deaf, b"", Resets, CUT, RETRIED),
    ("reset after the request", Http, b"", Resets, CUT, RETRIED),
    ("reset within the headers", Http, b"HTTP/1.1 200 OK\r\nContent-Len", Resets, CUT, RETRIED),
    ("reset within the body", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\"", Resets, CUT, RETRIED),
    ("reset within a chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a", Resets, CUT, RETRIED),
    ("reset instead of a TLS handshake", Https, b"", Resets, CUT, RETRIED),
    ("reset of a kept connection", Kept, b"", Resets, GOOD, 2),
    // The end, too early
    ("closed after the request", Http, b"", Ends, CUT, RETRIED),
    ("closed within the status line", Http, b"HTTP/1.1 20", Ends, CUT, RETRIED),
    ("closed within the headers", Http, b"HTTP/1.1 200 OK\r\nContent-Len", Ends, CUT, RETRIED),
    ("closed within a chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a", Ends, CUT, RETRIED),
    ("closed before the last chunk", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", Ends, CUT, RETRIED),
    ("closed instead of a TLS handshake", Https, b"", Ends, CUT, RETRIED),
    ("closed within TLS", Tls, b"", Ends, CUT, RETRIED),
    ("closed within TLS and the body", Tls, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"a", Ends, CUT, RETRIED),
    ("closed within TLS and a body without length", Tls, b"HTTP/1.1 200 OK\r\n\r\n{\"a", Ends, NOT_JSON, ONCE),
    ("a kept connection closed while idle", Idle, b"", Ends, GOOD, 2),
    ("a kept connection closed on the next request", Kept, b"", Ends, GOOD, 2),
    ("a kept connection closed with an unasked 408", Idle, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        Ends, GOOD, 2),
    // Lengths
    ("Content-Length too long", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"access_token\":\"the-token-that-is-not-good\"}",
        Ends, CUT, RETRIED),
    ("Content-Length too short", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"access_token\":\"the-token-that-is-not-good\"}",
        Ends, NOT_JSON, ONCE),
    ("Content-Length twice", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", Ends, odd("conflicting content-length"), ONCE),
    ("Content-Length and chunks", Http,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", Ends, NO_TOKEN, ONCE),
    ("Content-Length below zero", Http, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", Ends, odd("content-length header not a number"), ONCE),
    ("Content-Length in words", Http, b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", Ends, odd("content-length header not a number"), ONCE),
    ("Content-Length beyond 64 bits", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}", Ends, odd("content-length header not a number"), ONCE),
    // Chunks
    ("a chunk size that is no number", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n", Ends, odd("chunk length cannot be read"), ONCE),
    ("a chunk size below zero", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", Ends, odd("chunk length cannot be read"), ONCE),
    ("a chunk size beyond 64 bits", Http,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n", Ends, odd("chunk length cannot be read"), ONCE),
    ("a chunk longer than its size", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", Ends, odd("chunk expected crlf"), ONCE),
    ("an unknown transfer encoding", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n{}", Ends, NO_TOKEN, ONCE),
    // Without end
    ("an endless status line", Http, b"HTTP/1.1 200 ", Floods("O"), odd("header is too big"), ONCE),
    ("an endless header", Http, b"HTTP/1.1 200 OK\r\nX: ", Floods("x"), odd("header is too big"), ONCE),
    ("endless headers", Http, b"HTTP/1.1 200 OK\r\n", Floods("X: x\r\n"), odd("too many headers"), ONCE),
    ("an endless body", Http, b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"", Floods("x"), LONG, ONCE),
    ("a body of an exabyte", Http, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n", Floods(" "), LONG, ONCE),
    ("endless chunks", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Floods("1\r\n \r\n"), LONG, ONCE),
    ("an endless chunk size", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Floods("0"), STALLED, RETRIED),
    ("endless trailers", Http, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", Floods("X: x\r\n"), LATE, RETRIED),
    ("a flood of 100", Http, b"", Floods("HTTP/1.1 100 Continue\r\n\r\n"), odd("header is too big"), ONCE),
    ("a flood of 103", Http, b"", Floods("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), odd("header is too big"), ONCE),
    ("an endless body of a refusal", Http, b"HTTP/1.1 400 Bad Request\r\n\r\n{\"error\":\"", Floods("x"),
        End::Error(Protocol, "the response is longer than 64 KiB (status 400)"), ONCE),
    // Not HTTP/1.1, or not as it should be
    ("garbage", Http, b"\x00\xff\xfe\x80\x13\x37\r\n\r\n", Ends, odd("invalid HTTP version"), ONCE),
    ("endless garbage", Http, b"\xff", Floods("\u{fffd}"), odd("invalid HTTP version"), ONCE),
    ("the banner of another protocol", Http, b"220 mail.example.com ESMTP\r\n", Ends, odd("invalid HTTP version"), ONCE),
    ("HTTP/0.9", Http, b"{\"access_token\":\"the-token-that-is-not-good\"}", Ends, odd("invalid HTTP version"), ONCE),
    ("HTTP/1.0", Http, b"HTTP/1.0 200 OK\r\n\r\n{\"access_token\":\"old-but-good\",\"expires_in\":300}", Ends, GOOD, ONCE),
    ("HTTP/2", Http, b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff",
        Ends, odd("invalid HTTP version"), ONCE),
    ("a version that is none", Http, b"HTTP/7.3 200 OK\r\nContent-Length: 2\r\n\r\n{}", Ends, odd("invalid HTTP version"), ONCE),
    ("a status of two digits", Http, b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}", Ends, odd("invalid response status"), ONCE),
    ("a header without a colon", Http, b"HTTP/1.1 200 OK\r\nwhat\r\nContent-Length: 2\r\n\r\n{}", Ends, odd("invalid header name"), ONCE),
    ("a few 1xx before the answer", Http,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"access_token\":\"late-but-good\",\"expires_in\":300}   ", Ends, GOOD, ONCE),
    ("101 Switching Protocols", Http, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        Ends, other("something other than an authorization server answered (status 101)"), ONCE),
    // An answer before the request is read
    ("an early refusal", Deaf, b"HTTP/1.1 400 Bad Request\r\nContent-Length: <length>\r\n\r\n{\"error\":\"invalid_request\"}",
        Ends, End::Error(Denied, "the authorization server refused: invalid_request (status 400)"), ONCE),
    ("an early 503", Deaf, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Ends, BUSY, RETRIED),
    ("an answer without reading all, then a reset", Http,
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Resets, BUSY, RETRIED),
    // TLS
    ("TLS where plain is spoken", Http, b"\x15\x03\x01\x00\x02\x02\x46", Ends, odd("invalid HTTP version"), ONCE),
    ("plain where TLS is spoken", Https, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", Ends, odd("corrupt message"), ONCE),
    ("garbage where TLS is spoken", Https, b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", Ends, odd("corrupt message"), ONCE),
    ("a TLS alert", Https, b"\x15\x03\x03\x00\x02\x02\x28", Ends, odd("HandshakeFailure"), ONCE),
    ("a self-signed certificate", Shows(SelfSigned), b"", Ends, untrusted("UnknownIssuer"), ONCE),
    ("a certificate of another name", Shows(OtherName), b"", Ends, untrusted("not valid for name"), ONCE),
    ("a certificate that has expired", Shows(Expired), b"", Ends, untrusted("expired"), ONCE),
    ("a certificate of the future", Shows(NotYetValid), b"", Ends, untrusted("not valid yet"), ONCE),
    ("a certificate of an unknown root", Shows(UnknownRoot), b"", Ends, untrusted("UnknownIssuer"), ONCE),
    ("a certificate for clients", Shows(ForClients), b"", Ends, untrusted("certificate"), ONCE),
];

const HTML: &[u8] = b"<!DOCTYPE html><html><title>the-token-that-is-not-good</title></html>";
const EMPTY: &[u8] = b"";
const TOKEN: &[u8] = br#"{"access_token":"this-one-is-good","expires_in":300}"#;
const NO_MORE: End =
    other("the access_token is empty or holds something other than visible ASCII (status 200)");
const NOT_BEARER: End = other("the token is not a bearer token (status 200)");
const NO_STRING: End = other("the access_token is not a string (status 200)");
const WHO: End =
    denied("the authorization server refused: invalid_client: who are you (status 401)");
const REFUSED: End = denied("the authorization server refused: invalid_client (status 401)");
const OTHER_401: End = other("something other than an authorization server answered (status 401)");
const OTHER_403: End = other("something other than an authorization server answered (status 403)");
const DENIED_200: End =
    denied("the authorization server answered an error: invalid_grant: no (status 200)");
const ELSEWHERE: End =
    other("the token endpoint redirects, and no assertion is sent there: 127.0.0.1 (status 302)");
/// What the profile says of a token of which the server does not.
const DEFAULT: End = End::Token(777);
const MONTH: End = End::Token(31 * 24 * 3600);

const fn other(text: &'static str) -> End {
    End::Error(Protocol, text)
}
const fn denied(text: &'static str) -> End {
    End::Error(Denied, text)
}
const fn busy(text: &'static str) -> End {
    End::Error(Unavailable, text)
}

#[rustfmt::skip]
pub(crate) const ANSWERS: &[Answer] = &[
    // Redirects: row 15
    ("302 to another host", "302 Found", "Location: http://<elsewhere>/login?ticket=1\r\n", EMPTY, ELSEWHERE, ONCE),
    ("302 to another host, with a token", "302 Found", "Location: http://<elsewhere>/\r\n", TOKEN, ELSEWHERE, ONCE),
    ("307 to another host", "307 Temporary Redirect", "Location: http://<elsewhere>/token\r\n", EMPTY,
        other("the token endpoint redirects, and no assertion is sent there: 127.0.0.1 (status 307)"), ONCE),
    ("308 to plain http", "308 Permanent Redirect", "Location: http://as.example.com/token\r\n", EMPTY,
        other("the token endpoint redirects, and no assertion is sent there: as.example.com (status 308)"), ONCE),
    ("303 to itself", "303 See Other", "Location: /token\r\n", EMPTY,
        other("the token endpoint redirects, and no assertion is sent there: another path (status 303)"), ONCE),
    ("301 for a missing slash", "301 Moved Permanently", "Location: /token/\r\n", HTML,
        other("the token endpoint redirects, and no assertion is sent there: another path (status 301)"), ONCE),
    ("302 to nowhere", "302 Found", "", EMPTY,
        other("the token endpoint redirects, and no assertion is sent there (status 302)"), ONCE),
    ("302 with the assertion in its Location", "302 Found", "Location: https://as.example.com/?a=<assertion>\r\n", EMPTY,
        other("the token endpoint redirects, and no assertion is sent there: as.example.com (status 302)"), ONCE),
    // Bodies that are no JSON object
    ("200 with HTML", "200 OK", "Content-Type: text/html\r\n", HTML, NOT_JSON, ONCE),
    ("200 with HTML that says JSON", "200 OK", "Content-Type: application/json\r\n", HTML, NOT_JSON, ONCE),
    ("200 with nothing", "200 OK", "", EMPTY, NOT_JSON, ONCE),
    ("204", "204 No Content", "", EMPTY, other("the response is not a JSON object (status 204)"), ONCE),
    ("200 with a list", "200 OK", "", br#"[{"access_token":"the-token-that-is-not-good"}]"#, NOT_JSON, ONCE),
    ("200 with a string", "200 OK", "", br#""the-token-that-is-not-good""#, NOT_JSON, ONCE),
    ("200 with a token and no more", "200 OK", "Content-Type: text/plain\r\n", b"the-token-that-is-not-good", NOT_JSON, ONCE),
    ("200 with a form", "200 OK", "", b"access_token=the-token-that-is-not-good&expires_in=300", NOT_JSON, ONCE),
    ("200 with half an object", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","#, NOT_JSON, ONCE),
    ("200 with two objects", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good"}{}"#, NOT_JSON, ONCE),
    ("200 in UTF-16", "200 OK", "", b"\xff\xfe{\x00}\x00", NOT_JSON, ONCE),
    ("200 in Latin-1", "200 OK", "", b"{\"access_token\":\"the-token-that-is-not-good\",\"name\":\"\xe9\"}", NOT_JSON, ONCE),
    ("gzip though not asked for", "200 OK", "Content-Encoding: gzip\r\n",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
        other("the response is compressed, though nobody asked for that (status 200)"), ONCE),
    ("gzip in words only", "200 OK", "Content-Encoding: gzip\r\n", TOKEN, GOOD, ONCE),
    // Row 11: the body of a refusal
    ("401 as RFC 6749 has it", "401 Unauthorized", "Content-Type: application/json\r\n", WHO_ARE_YOU, WHO, ONCE),
    ("401 without a content type", "401 Unauthorized", "", WHO_ARE_YOU, WHO, ONCE),
    ("401 with an odd content type", "401 Unauthorized", "Content-Type: text/html; charset=latin1\r\n", WHO_ARE_YOU, WHO, ONCE),
    ("401 with a challenge", "401 Unauthorized", "WWW-Authenticate: Basic\r\n", WHO_ARE_YOU, WHO, ONCE),
    ("401 without a description", "401 Unauthorized", "", br#"{"error":"invalid_client"}"#, REFUSED, ONCE),
    ("401 with null as description", "401 Unauthorized", "", br#"{"error":"invalid_client","error_description":null}"#, REFUSED, ONCE),
    ("401 with an object as error", "401 Unauthorized", "", br#"{"error":{"code":7,"status":"UNAUTHENTICATED"}}"#,
        denied("the authorization server refused (status 401)"), ONCE),
    ("401 with a message", "401 Unauthorized", "", br#"{"message":"Invalid JWT payload"}"#,
        other("something other than an authorization server answered: Invalid JWT payload (status 401)"), ONCE),
    ("401 with a list", "401 Unauthorized", "", br#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
        other("something other than an authorization server answered: Session expired or invalid (status 401)"), ONCE),
    ("401 with an empty list", "401 Unauthorized", "", b"[]", OTHER_401, ONCE),
    ("401 with null", "401 Unauthorized", "", b"null", OTHER_401, ONCE),
    ("401 with half an object", "401 Unauthorized", "", b"{", OTHER_401, ONCE),
    ("401 with HTML", "401 Unauthorized", "Content-Type: text/html\r\n", HTML, OTHER_401, ONCE),
    ("401 with nothing", "401 Unauthorized", "", EMPTY,
        denied("the authorization server refused and gave no reason (status 401)"), ONCE),
    ("403 of a firewall: row 17", "403 Forbidden", "Content-Type: text/html\r\n", HTML, OTHER_403, ONCE),
    ("404 with nothing", "404 Not Found", "", EMPTY,
        other("something other than an authorization server answered (status 404)"), ONCE),
    ("418", "418 I'm a teapot", "", EMPTY, other("something other than an authorization server answered (status 418)"), ONCE),
    ("status 999", "999 What", "", EMPTY, other("something other than an authorization server answered (status 999)"), ONCE),
    ("501 is no 503", "501 Not Implemented", "", EMPTY,
        other("something other than an authorization server answered (status 501)"), ONCE),
    ("the assertion in the description: row 24", "400 Bad Request", "",
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
        denied("the authorization server refused: invalid_grant[31m: onetwo (status 400)"), ONCE),
    // Who cannot answer now: row 21
    ("408", "408 Request Timeout", "", EMPTY, busy("the authorization server cannot answer now (status 408)"), RETRIED),
    ("429", "429 Too Many Requests", "", EMPTY, busy("the authorization server cannot answer now (status 429)"), RETRIED),
    ("429 with a second to wait", "429 Too Many Requests", "Retry-After: 1\r\n", EMPTY,
        busy("the authorization server cannot answer now (status 429)"), RETRIED),
    ("429 with more to wait than there is time", "429 Too Many Requests", "Retry-After: 31\r\n", EMPTY,
        busy("the authorization server cannot answer now (status 429)"), ONCE),
    ("429 with nonsense to wait", "429 Too Many Requests", "Retry-After: soon\r\n", EMPTY,
        busy("the authorization server cannot answer now (status 429)"), RETRIED),
    ("500 with HTML", "500 Internal Server Error", "Content-Type: text/html\r\n", HTML,
        busy("the authorization server cannot answer now (status 500)"), RETRIED),
    ("502", "502 Bad Gateway", "", EMPTY, busy("the authorization server cannot answer now (status 502)"), RETRIED),
    ("503 with a code", "503 Service Unavailable", "", br#"{"error":"temporarily_unavailable"}"#,
        busy("the authorization server cannot answer now: temporarily_unavailable (status 503)"), RETRIED),
    ("504", "504 Gateway Timeout", "", EMPTY, busy("the authorization server cannot answer now (status 504)"), RETRIED),
    // Row 12: errors in a 200, and tokens that are none
    ("200 with an error", "200 OK", "", br#"{"error":"invalid_grant","error_description":"no"}"#, DENIED_200, ONCE),
    ("200 with an error and a token", "200 OK", "",
        br#"{"error":"invalid_grant","error_description":"no","access_token":"the-token-that-is-not-good"}"#, DENIED_200, ONCE),
    ("200 with an error that is empty", "200 OK", "", br#"{"error":"","access_token":"good","expires_in":300}"#, GOOD, ONCE),
    ("200 with an error that is null", "200 OK", "", br#"{"error":null,"access_token":"good","expires_in":300}"#, GOOD, ONCE),
    ("no access_token", "200 OK", "", br#"{"expires_in":300}"#, NO_TOKEN, ONCE),
    ("access_token null", "200 OK", "", br#"{"access_token":null}"#, NO_TOKEN, ONCE),
    ("access_token a number", "200 OK", "", br#"{"access_token":5}"#, NO_STRING, ONCE),
    ("access_token a list", "200 OK", "", br#"{"access_token":["the-token-that-is-not-good"]}"#, NO_STRING, ONCE),
    ("access_token empty", "200 OK", "", br#"{"access_token":""}"#, NO_MORE, ONCE),
    ("access_token with a space", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good "}"#, NO_MORE, ONCE),
    ("access_token with a line end", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good\r\nX-Admin: 1"}"#, NO_MORE, ONCE),
    ("access_token with a NUL", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good\u0000"}"#, NO_MORE, ONCE),
    ("access_token of other letters", "200 OK", "", br#"{"access_token":"t\u00f6k"}"#, NO_MORE, ONCE),
    ("201", "201 Created", "", TOKEN, GOOD, ONCE),
    // Row 13: the type of a token
    ("token_type bearer", "200 OK", "", br#"{"access_token":"good","token_type":"bearer","expires_in":300}"#, GOOD, ONCE),
    ("token_type BEARER", "200 OK", "", br#"{"access_token":"good","token_type":"BEARER","expires_in":300}"#, GOOD, ONCE),
    ("token_type null", "200 OK", "", br#"{"access_token":"good","token_type":null,"expires_in":300}"#, GOOD, ONCE),
    ("token_type mac", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"mac"}"#, NOT_BEARER, ONCE),
    ("token_type DPoP", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"DPoP"}"#, NOT_BEARER, ONCE),
    ("token_type N_A", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"N_A"}"#, NOT_BEARER, ONCE),
    ("token_type a number", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":1}"#, NOT_BEARER, ONCE),
    ("token_type the assertion", "200 OK", "", br#"{"access_token":"the-token-that-is-not-good","token_type":"<assertion>"}"#,
        NOT_BEARER, ONCE),
    // Row 14: its life
    ("expires_in a string", "200 OK", "", br#"{"access_token":"good","expires_in":"300"}"#, GOOD, ONCE),
    ("expires_in a float", "200 OK", "", br#"{"access_token":"good","expires_in":300.0}"#, GOOD, ONCE),
    ("expires_in below zero", "200 OK", "", br#"{"access_token":"good","expires_in":-1}"#, DEFAULT, ONCE),
    ("expires_in zero", "200 OK", "", br#"{"access_token":"good","expires_in":0}"#, DEFAULT, ONCE),
    ("expires_in missing", "200 OK", "", br#"{"access_token":"good"}"#, DEFAULT, ONCE),
    ("expires_in null", "200 OK", "", br#"{"access_token":"good","expires_in":null}"#, DEFAULT, ONCE),
    ("expires_in a word", "200 OK", "", br#"{"access_token":"good","expires_in":"soon"}"#, DEFAULT, ONCE),
    ("expires_in a list", "200 OK", "", br#"{"access_token":"good","expires_in":[300]}"#, DEFAULT, ONCE),
    ("expires_in huge", "200 OK", "", br#"{"access_token":"good","expires_in":99999999999999999999999999}"#, MONTH, ONCE),
    ("expires_in 1e300", "200 OK", "", br#"{"access_token":"good","expires_in":1e300}"#, MONTH, ONCE),
];

const WHO_ARE_YOU: &[u8] = br#"{"error":"invalid_client","error_description":"who are you"}"#;
