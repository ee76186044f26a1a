//! Finds the token endpoint in a metadata document, without I/O.
//!
//! An issuer has two documents, RFC 8414's and OpenID Connect's. The first that works decides, and
//! the token endpoint that it names must be as safe as one that a caller would give.

use std::borrow::Cow;
use std::io;

use http::Uri;

use crate::error::{Error, ErrorKind, ErrorResponse, is_about_certificate};
use crate::message::{Request, Response};
use crate::url::Url;

/// A way to discover a token endpoint: what differs between an issuer and a metadata document.
///
/// An endpoint refers to it only if it is to be discovered, and reaches [`discover`] only through it. So a program that
/// knows its token endpoint contains none of these functions.
pub(crate) struct Discovery {
    /// The name in the identity of a profile, by which stored tokens are found.
    pub(crate) name: &'static str,
    /// The name that `Debug` shows.
    pub(crate) debug_name: &'static str,
    /// Returns the requests for the metadata, to be sent in this order until one document works.
    pub(crate) requests: fn(&Url) -> Result<Vec<Request>, Error>,
    /// Returns the issuer that the metadata must name, or `None` if any will do. The flag says whether the issuer
    /// becomes the audience.
    pub(crate) expected_issuer: fn(&Url, bool) -> Result<Option<ExpectedIssuer<'_>>, Error>,
    /// Always [`discover`].
    pub(crate) discover: Discover,
}

type Discover =
    fn(&EndpointSearch<'_>, Vec<Request>, &mut SendRequest<'_>) -> Result<FoundEndpoint, Error>;

/// The issuer that a document must name.
pub(crate) struct ExpectedIssuer<'a> {
    text: Cow<'a, str>,
    /// Whether the document's issuer may have a slash after this text.
    allows_slash: bool,
}

/// Sends a request. The outer error says why it was not sent.
pub(crate) type SendRequest<'a> = dyn FnMut(&Request) -> Result<io::Result<Response>, Error> + 'a;

/// A token endpoint, and the issuer that its metadata names.
pub(crate) type FoundEndpoint = (Url, Option<String>);

/// What one search for a token endpoint knows beside its requests.
pub(crate) struct EndpointSearch<'a> {
    /// The issuer, or the URL of the document.
    pub(crate) url: &'a Url,
    pub(crate) expected_issuer: Option<ExpectedIssuer<'a>>,
    /// What an error must not repeat.
    pub(crate) secrets: &'a [&'a str],
    /// Removes secrets from a text of the response.
    pub(crate) redact: &'a dyn Fn(&str) -> String,
}

impl Discovery {
    /// By the issuer (RFC 8414 §3, OpenID Connect Discovery §4).
    pub(crate) const BY_ISSUER: Self = Self {
        name: "issuer",
        debug_name: "Issuer",
        requests: well_known,
        expected_issuer: |issuer, _| {
            Ok(Some(ExpectedIssuer {
                text: issuer.as_str().into(),
                allows_slash: false,
            }))
        },
        discover,
    };

    /// By the URL of a metadata document.
    ///
    /// The URL names an issuer only if it is a well-known one, and that matters only if the issuer becomes the
    /// audience: the issuers of Entra and Azure AD B2C differ from their addresses.
    pub(crate) const BY_METADATA: Self = Self {
        name: "metadata",
        debug_name: "Metadata",
        requests: |url| Ok(vec![Request::get(url.clone())]),
        expected_issuer: |url, is_audience| match is_audience {
            false => Ok(None),
            true => match url.well_known_issuer() {
                Some(issuer) => Ok(Some(ExpectedIssuer {
                    text: issuer.into(),
                    allows_slash: true, // an issuer with and without it has its metadata at the same URL
                })),
                None => Err(Error::config(
                    "the audience is to be the issuer, which this metadata URL does not name: \
                    give the issuer in its place, or the audience as a text",
                )),
            },
        },
        discover,
    };
}

/// Sends the requests for the metadata until one document works.
///
/// A server with one of the two documents may answer the request for the other one with anything: a page, an error
/// in JSON with status 200, a closed connection. The error names every URL that was tried, is retryable if one of
/// the failures is, and repeats no secret.
fn discover(
    search: &EndpointSearch<'_>,
    requests: Vec<Request>,
    send: &mut SendRequest<'_>,
) -> Result<FoundEndpoint, Error> {
    let mut failed: Option<Error> = None;
    for request in requests {
        let location = format!("{}{}", request.authority(), request.uri().path());
        let error = match send(&request) {
            Err(unsent) => return Err(joined(failed, unsent)),
            Ok(Err(cause)) => {
                let (_, query) = request.url().split_once('?').unwrap_or_default();
                // A server that was not reached will not serve the other document either.
                let is_unreached = failed.is_none() && !was_reached(&cause);
                let place = match is_unreached {
                    true => request.authority(),
                    false => &location,
                };
                let error = Error::network(place, cause);
                let error = error.without_secrets(&[search.secrets, &[query]].concat());
                if is_unreached {
                    return Err(error);
                }
                error
            }
            Ok(Ok(response)) => {
                let error = match search.read(&response) {
                    Ok(found) => return Ok(found),
                    Err(error) => error.with_context(&format!("{location}: ")),
                };
                // A server that asks for a pause gets no other request before it.
                if failed.is_none() && error.retry_after().is_some() {
                    return Err(error);
                }
                error
            }
        };
        failed = Some(joined(failed, error));
    }
    let none = || Error::config("there is no metadata document to read"); // never: each way has one
    Err(failed.unwrap_or_else(none))
}

impl EndpointSearch<'_> {
    /// Reads a metadata document.
    pub(crate) fn read(&self, response: &Response) -> Result<FoundEndpoint, Error> {
        self.token_endpoint(response)
            .map_err(|error| error.with_response(ErrorResponse::new(response.clone(), None)))
    }

    fn token_endpoint(&self, response: &Response) -> Result<FoundEndpoint, Error> {
        if response.is_too_long() {
            return Err(Error::protocol("metadata is longer than 64 KiB"));
        }
        if response.is_unavailable() {
            let message = "the server cannot answer for metadata now";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        if let Some(host) = response.redirect_host() {
            let host = (self.redact)(&host);
            let message = format!("metadata redirects to {host}, which is not followed");
            return Err(Error::protocol(message));
        }
        if response.status() != 200 {
            return Err(Error::protocol("metadata is not there"));
        }
        let Some(document) = response.json() else {
            return Err(Error::protocol(
                "metadata is not a JSON object: check its address",
            ));
        };
        let text = |name: &str| document.text(name);
        let issuer = text("issuer");
        if let Some(expected) = &self.expected_issuer {
            self.check_issuer(issuer.as_deref().map(String::as_str), expected)?;
        }
        let Some(token_endpoint) = text("token_endpoint") else {
            return Err(Error::protocol("metadata names no token_endpoint"));
        };
        match Url::parse(token_endpoint.to_string()) {
            // A remote server could otherwise direct the assertion to whatever listens on this machine.
            Ok(url) if url.is_plain_http() && !self.url.is_plain_http() => Err(Error::protocol(
                "the token_endpoint of the metadata is plain http, and the metadata came by https",
            )),
            Ok(url) => Ok((url, issuer.map(|issuer| issuer.to_string()))),
            Err(problem) => {
                let message = format!("the token_endpoint of the metadata {problem}");
                Err(Error::protocol(message))
            }
        }
    }

    /// Compares the issuer of a document with the one that the caller named. RFC 8414 §3.3 requires them to be
    /// identical: the audience must never be chosen by somebody else's document, or they would get an assertion for
    /// another server (CVE-2025-27370).
    fn check_issuer(
        &self,
        found: Option<&str>,
        expected: &ExpectedIssuer<'_>,
    ) -> Result<(), Error> {
        let found = match found {
            Some(found) if expected.is(found) => return Ok(()),
            Some(found) if may_be_shown(found) => format!("the issuer {}", (self.redact)(found)),
            Some(_) => "an issuer that is no URL".to_owned(),
            None => "no issuer".to_owned(),
        };
        let message = format!("metadata is of {found}, and {} is expected", expected.text);
        Err(Error::protocol(message))
    }
}

impl ExpectedIssuer<'_> {
    fn is(&self, found: &str) -> bool {
        let without_slash = found.strip_suffix('/').filter(|_| self.allows_slash);
        found == self.text || without_slash == Some(&*self.text)
    }
}

/// Returns whether a request failed after the connection was made, as far as its error says.
fn was_reached(cause: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, TimedOut, UnexpectedEof,
    };
    match cause.kind() {
        // A server may also be silent about only one of the documents.
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof | TimedOut => true,
        InvalidData => !is_about_certificate(cause), // otherwise the server speaks another protocol
        _ => false,
    }
}

/// Returns whether the text has the form of an issuer: scheme and host, no user, query or fragment (RFC 8414 §2). A
/// document that is not metadata may hold a secret in any other text.
fn may_be_shown(issuer: &str) -> bool {
    let uri = Uri::try_from(issuer).unwrap_or_default();
    let has_host = uri.scheme().is_some() && uri.host().is_some();
    has_host && !issuer.contains(['@', '?', '#'])
}

/// Joins the errors of two documents. The first decides the kind if it is retryable, else the second.
fn joined(first: Option<Error>, second: Error) -> Error {
    let Some(first) = first else {
        return second;
    };
    let (decisive, other) = match first.is_retryable() {
        true => (first, second),
        false => (second, first),
    };
    decisive.with_context(&format!("{other}; ")) // its own status is printed at the end
}

/// Returns the requests for an issuer's two documents. RFC 8414 §3.1 puts the well-known part between host and path,
/// OpenID Connect Discovery §4.1 after the path.
fn well_known(issuer: &Url) -> Result<Vec<Request>, Error> {
    let (origin, path) = issuer.origin_and_path();
    let get = |url| match Url::parse(url) {
        Ok(url) => Ok(Request::get(url)),
        Err(problem) => Err(Error::config(format!("issuer {problem}"))),
    };
    Ok(vec![
        get(format!(
            "{origin}/.well-known/oauth-authorization-server{path}"
        ))?,
        get(format!("{origin}{path}/.well-known/openid-configuration"))?,
    ])
}
