//! Metadata document to token endpoint, without I/O.
//!
//! An issuer has two well-known documents: RFC 8414's is requested first, then OpenID Connect's. A
//! token endpoint from a document passes the same checks as one from a caller.

use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::{Error, ErrorKind, ErrorResponse};
use crate::message::{Request, Response};
use crate::profile::Profile;
use crate::redact::redact;
use crate::url::Url;

impl Profile {
    /// Returns the requests for the metadata; none where the token endpoint is known.
    ///
    /// Send them in this order until [`with_metadata`](Self::with_metadata) accepts a response
    /// (RFC 8414 §3.1, OpenID Connect Discovery §4.1).
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

    /// Returns this profile with the token endpoint and the issuer of a metadata response.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) where the response is no metadata, where its issuer is
    /// another one, or where it names no token endpoint or an unsafe one;
    /// [`Unavailable`](ErrorKind::Unavailable) where the server fails for now.
    pub fn with_metadata(&self, response: &Response) -> Result<Self, Error> {
        let kind = self.endpoint.kind();
        if matches!(kind, EndpointKind::Token { .. }) {
            return Ok(self.clone());
        }
        let (url, issuer) = read(kind, response)
            .map_err(|error| error.with_response(ErrorResponse::new(response.clone(), None)))?;
        let resolved = Self {
            endpoint: Endpoint::found(url, issuer),
            ..self.clone()
        };
        resolved.check().map(|()| resolved)
    }
}

/// Returns the requests for the two well-known documents of an issuer.
///
/// RFC 8414 §3.1 inserts its path between host and path, OpenID Connect Discovery §4.1 appends it
/// to the path.
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

/// Reads the token endpoint and the issuer from a metadata response.
fn read(kind: &EndpointKind, response: &Response) -> Result<(Url, Option<String>), Error> {
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
    let text = |name: &str| document.text(name);
    let issuer = text("issuer");
    if let EndpointKind::Issuer(expected) = kind {
        // RFC 8414 §3.3: a document whose issuer is not identical must not be used
        if issuer.as_deref().map(String::as_str) != Some(expected.as_str()) {
            return Err(Error::protocol("metadata is of another issuer"));
        }
    }
    let Some(token_endpoint) = text("token_endpoint") else {
        return Err(Error::protocol("metadata names no token_endpoint"));
    };
    let (EndpointKind::Issuer(source)
    | EndpointKind::Metadata(source)
    | EndpointKind::Token { url: source, .. }) = kind;
    match Url::parse(token_endpoint.to_string()) {
        // Else a remote server could send the assertion to any program that listens on this machine.
        Ok(url) if url.is_plain_http() && !source.is_plain_http() => Err(Error::protocol(
            "the token_endpoint of the metadata is plain http, and the metadata came by https",
        )),
        Ok(url) => Ok((url, issuer.map(|issuer| issuer.to_string()))),
        Err(problem) => {
            let message = format!("the token_endpoint of the metadata {problem}");
            Err(Error::protocol(message))
        }
    }
}
