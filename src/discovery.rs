//! Metadata document to token endpoint; no I/O.
//!
//! An issuer has two documents, RFC 8414's and OpenID Connect's. The first that works decides, and
//! the token endpoint that it names must be as safe as one that a caller would give.

use serde_json::Value;

use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::{Error, ErrorKind, ErrorResponse};
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
            EndpointKind::Token { .. } => Vec::new(),
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
        if matches!(self.endpoint.kind(), EndpointKind::Token { .. }) {
            return Ok(self.clone());
        }
        let expected = self.expected_issuer()?;
        let (url, issuer) = self
            .read_metadata(response, expected.as_deref())
            .map_err(|error| error.with_response(ErrorResponse::new(response.clone(), None)))?;
        let known = Self {
            endpoint: Endpoint::found(url, issuer),
            ..self.clone()
        };
        known.check().map(|()| known)
    }

    fn read_metadata(
        &self,
        response: &Response,
        expected: Option<&str>,
    ) -> Result<(Url, Option<String>), Error> {
        if response.is_too_long() {
            return Err(Error::protocol("metadata is longer than 64 KiB"));
        }
        if response.is_unavailable() {
            let message = "the server cannot answer for metadata now";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        if let Some(host) = response.redirect_host() {
            let host = redact(&host, &[]);
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
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let issuer = text("issuer");
        if let Some(expected) = expected {
            self.check_issuer(issuer, expected)?;
        }
        let Some(token_endpoint) = text("token_endpoint") else {
            return Err(Error::protocol("metadata names no token_endpoint"));
        };
        let (EndpointKind::Issuer(from)
        | EndpointKind::Metadata(from)
        | EndpointKind::Token { url: from, .. }) = self.endpoint.kind();
        match Url::parse(token_endpoint.to_owned()) {
            // A remote server would direct the assertion to whatever listens on this machine.
            Ok(url) if url.is_plain_http() && !from.is_plain_http() => Err(Error::protocol(
                "the token_endpoint of the metadata is plain http, and the metadata came by https",
            )),
            Ok(url) => Ok((url, issuer.map(str::to_owned))),
            Err(wrong) => {
                let message = format!("the token_endpoint of the metadata {wrong}");
                Err(Error::protocol(message))
            }
        }
    }

    /// Compares the issuer of a document with the one that the caller named. RFC 8414 §3.3 wants
    /// them identical: the audience must never be chosen by a document of somebody else, who would
    /// get an assertion for another server (CVE-2025-27370).
    fn check_issuer(&self, found: Option<&str>, expected: &str) -> Result<(), Error> {
        // With and without a slash at its end, an issuer has its metadata at the same URL.
        let by_url = matches!(self.endpoint.kind(), EndpointKind::Metadata(_));
        let is_expected = |found: &str| {
            found == expected || (by_url && found.strip_suffix('/') == Some(expected))
        };
        let message = match found {
            Some(found) if is_expected(found) => return Ok(()),
            Some(found) if !found.is_empty() => {
                let found = redact(found, &[]);
                format!("metadata is of the issuer {found}, not of {expected}")
            }
            _ => format!("metadata names no issuer, and {expected} is expected"),
        };
        Err(Error::protocol(message))
    }
}

/// Returns the requests for an issuer's two documents. RFC 8414 §3.1 puts the well-known part
/// between host and path, OpenID Connect Discovery §4.1 behind the path.
fn well_known(issuer: &Url) -> Result<[Request; 2], Error> {
    let (origin, path) = issuer.origin_and_path();
    let get = |url| match Url::parse(url) {
        Ok(url) => Ok(Request::get(url)),
        Err(wrong) => Err(Error::config(format!("issuer {wrong}"))),
    };
    Ok([
        get(format!(
            "{origin}/.well-known/oauth-authorization-server{path}"
        ))?,
        get(format!("{origin}{path}/.well-known/openid-configuration"))?,
    ])
}
