//! Metadata document to token endpoint, without I/O.
//!
//! An issuer has two documents, RFC 8414's and OpenID Connect's. The first that works decides, and
//! the token endpoint that it names must be as safe as one that a caller would give.

use std::io;

use http::Uri;

use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::{Error, ErrorKind, ErrorResponse, is_about_certificate};
use crate::message::{Request, Response};
use crate::profile::Profile;
use crate::redact::redact;
use crate::url::Url;

/// Discovery without I/O, for callers that send requests themselves.
impl Profile {
    /// Returns the requests for the metadata, none where the token endpoint is known.
    ///
    /// They are to be sent in this order until [`with_metadata`](Self::with_metadata) accepts a
    /// response.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the profile cannot work.
    pub fn metadata_requests(&self) -> Result<Vec<Request>, Error> {
        self.check()?;
        Ok(match self.endpoint.kind() {
            EndpointKind::Token { .. } | EndpointKind::None => Vec::new(),
            EndpointKind::Metadata(url) => vec![Request::get(url.clone())],
            EndpointKind::Issuer(issuer) => well_known(issuer)?.into(),
        })
    }

    /// Returns the same profile with its token endpoint, and its issuer, known.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) where the response is no metadata, or is of another issuer,
    /// or names no token endpoint, or one that is not safe;
    /// [`Unavailable`](ErrorKind::Unavailable) where the server cannot answer now.
    pub fn with_metadata(&self, response: &Response) -> Result<Self, Error> {
        self.resolve(response, &|text| redact(text, &[]))
    }

    /// Returns the resolved profile. An error shows text of the response only through `redact`.
    fn resolve(&self, response: &Response, redact: &dyn Fn(&str) -> String) -> Result<Self, Error> {
        let (EndpointKind::Issuer(from) | EndpointKind::Metadata(from)) = self.endpoint.kind()
        else {
            return Ok(self.clone());
        };
        let expected = self.expected_issuer()?;
        let (url, issuer) = self
            .read_metadata(from, response, expected.as_deref(), redact)
            .map_err(|error| error.with_response(ErrorResponse::new(response.clone(), None)))?;
        let resolved = Self {
            endpoint: Endpoint::found(url, issuer),
            ..self.clone()
        };
        resolved.check().map(|()| resolved)
    }

    /// Sends the requests for the metadata until one document works, and returns the same profile
    /// with its token endpoint known. Returns `None` where it is known already.
    ///
    /// A server with one of the two documents may answer the request for the other one with
    /// anything: a page, an error in JSON with status 200, a closed connection. The error names
    /// every URL that was tried, is retryable where one of the failures is, and repeats no secret.
    pub(crate) fn discover(
        &self,
        mut send: impl FnMut(&Request) -> io::Result<Response>,
        secrets: &[&str],
        redact: &dyn Fn(&str) -> String,
    ) -> Result<Option<Self>, Error> {
        let mut failed: Option<Error> = None;
        for request in self.metadata_requests()? {
            let location = format!("{}{}", request.authority(), request.uri().path());
            let error = match send(&request) {
                Err(cause) => {
                    let (_, query) = request.url().split_once('?').unwrap_or_default();
                    // A server that was not reached has no other document either.
                    let is_unreached = failed.is_none() && !was_reached(&cause);
                    let place = match is_unreached {
                        true => request.authority(),
                        false => &location,
                    };
                    let error = Error::network(place, cause);
                    let error = error.without_secrets(&[secrets, &[query]].concat());
                    if is_unreached {
                        return Err(error);
                    }
                    error
                }
                Ok(response) => match self.resolve(&response, redact) {
                    Ok(resolved) => return Ok(Some(resolved)),
                    Err(error) => error.with_context(&format!("{location}: ")),
                },
            };
            failed = Some(match failed {
                None => error,
                Some(first) => joined(first, error),
            });
        }
        failed.map_or(Ok(None), Err)
    }

    fn read_metadata(
        &self,
        from: &Url,
        response: &Response,
        expected: Option<&str>,
        redact: &dyn Fn(&str) -> String,
    ) -> Result<(Url, Option<String>), Error> {
        if response.is_too_long() {
            return Err(Error::protocol("metadata is longer than 64 KiB"));
        }
        if response.is_unavailable() {
            let message = "the server cannot answer for metadata now";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        if let Some(host) = response.redirect_host() {
            let host = redact(&host);
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
        if let Some(expected) = expected {
            self.check_issuer(issuer.as_deref().map(String::as_str), expected, redact)?;
        }
        let Some(token_endpoint) = text("token_endpoint") else {
            return Err(Error::protocol("metadata names no token_endpoint"));
        };
        match Url::parse(token_endpoint.to_string()) {
            // A remote server would direct the assertion to whatever listens on this machine.
            Ok(url) if url.is_plain_http() && !from.is_plain_http() => Err(Error::protocol(
                "the token_endpoint of the metadata is plain http, and the metadata came by https",
            )),
            Ok(url) => Ok((url, issuer.map(|issuer| issuer.to_string()))),
            Err(problem) => {
                let message = format!("the token_endpoint of the metadata {problem}");
                Err(Error::protocol(message))
            }
        }
    }

    /// Compares the issuer of a document with the one that the caller named. RFC 8414 §3.3 wants
    /// them identical: the audience must never be chosen by a document of somebody else, who would
    /// get an assertion for another server (CVE-2025-27370).
    fn check_issuer(
        &self,
        found: Option<&str>,
        expected: &str,
        redact: &dyn Fn(&str) -> String,
    ) -> Result<(), Error> {
        // With and without a slash at its end, an issuer has its metadata at the same URL.
        let by_url = matches!(self.endpoint.kind(), EndpointKind::Metadata(_));
        let is_expected = |found: &str| {
            found == expected || (by_url && found.strip_suffix('/') == Some(expected))
        };
        let found = match found {
            Some(found) if is_expected(found) => return Ok(()),
            Some(found) if may_be_shown(found) => format!("the issuer {}", redact(found)),
            Some(_) => "an issuer that is no URL".to_owned(),
            None => "no issuer".to_owned(),
        };
        let message = format!("metadata is of {found}, and {expected} is expected");
        Err(Error::protocol(message))
    }
}

/// Returns whether a request failed, as far as its error says, after the connection was made.
fn was_reached(cause: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, TimedOut, UnexpectedEof,
    };
    match cause.kind() {
        // A server may also be silent about one document alone.
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof | TimedOut => true,
        InvalidData => !is_about_certificate(cause), // else its protocol is wrong
        _ => false,
    }
}

/// Returns whether the text has the form of an issuer: scheme and host, no user, query or fragment
/// (RFC 8414 §2). A document that is no metadata may hold a secret in any other text.
fn may_be_shown(issuer: &str) -> bool {
    let uri = Uri::try_from(issuer).unwrap_or_default();
    let has_host = uri.scheme().is_some() && uri.host().is_some();
    has_host && !issuer.contains(['@', '?', '#'])
}

/// Joins the errors of two documents: the one that may pass decides the kind, else the second.
fn joined(first: Error, second: Error) -> Error {
    let (decisive, other) = match first.is_retryable() {
        true => (first, second),
        false => (second, first),
    };
    decisive.with_context(&format!("{other}; ")) // its own status is printed at the end
}

/// Returns the requests for an issuer's two documents. RFC 8414 §3.1 puts the well-known part
/// between host and path, OpenID Connect Discovery §4.1 behind the path.
fn well_known(issuer: &Url) -> Result<[Request; 2], Error> {
    let (origin, path) = issuer.origin_and_path();
    let get = |url| match Url::parse(url) {
        Ok(url) => Ok(Request::get(url)),
        Err(problem) => Err(Error::config(format!("issuer {problem}"))),
    };
    Ok([
        get(format!(
            "{origin}/.well-known/oauth-authorization-server{path}"
        ))?,
        get(format!("{origin}{path}/.well-known/openid-configuration"))?,
    ])
}
