//! Metadata document to token endpoint; no I/O.
//!
//! Of an issuer two documents are asked for, RFC 8414's and then OpenID Connect's, and the first
//! JSON object with 200 decides. What it names must be as safe as what a caller would name.

use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::{Error, ErrorKind, ErrorResponse};
use crate::message::{Request, Response};
use crate::profile::Profile;
use crate::redact::redact;
use crate::url::Url;

/// Sans-I/O, first half: nothing to do where the token endpoint is known.
impl Profile {
    /// Requests for the metadata, to be sent in this order until
    /// [`with_metadata`](Self::with_metadata) takes an answer. Empty where the token endpoint is
    /// known.
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

    /// The same profile with its token endpoint, and its issuer, known.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) where the answer is no metadata, or of another issuer,
    /// or names no token endpoint, or one that is not safe;
    /// [`Unavailable`](ErrorKind::Unavailable) where the server cannot answer now.
    pub fn with_metadata(&self, response: &Response) -> Result<Self, Error> {
        let place = self.endpoint.kind();
        if matches!(place, EndpointKind::Token { .. }) {
            return Ok(self.clone());
        }
        let (url, issuer) = read(place, response)
            .map_err(|error| error.with_response(ErrorResponse::new(response.clone(), None)))?;
        let known = Self {
            endpoint: Endpoint::found(url, issuer),
            ..self.clone()
        };
        known.check().map(|()| known)
    }
}

/// RFC 8414 §3.1 puts its path between host and path, OpenID Connect Discovery §4.1 behind the
/// path.
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

fn read(place: &EndpointKind, response: &Response) -> Result<(Url, Option<String>), Error> {
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
    if let EndpointKind::Issuer(expected) = place {
        // RFC 8414 §3.3: identical, or the document is somebody else's
        if issuer.as_deref().map(String::as_str) != Some(expected.as_str()) {
            return Err(Error::protocol("metadata is of another issuer"));
        }
    }
    let Some(token_endpoint) = text("token_endpoint") else {
        return Err(Error::protocol("metadata names no token_endpoint"));
    };
    let (EndpointKind::Issuer(from)
    | EndpointKind::Metadata(from)
    | EndpointKind::Token { url: from, .. }) = place;
    match Url::parse(token_endpoint.to_string()) {
        // A server elsewhere would send an assertion to whoever listens on this machine.
        Ok(url) if url.is_plain_http() && !from.is_plain_http() => Err(Error::protocol(
            "the token_endpoint of the metadata is plain http, and the metadata came by https",
        )),
        Ok(url) => Ok((url, issuer.map(|issuer| issuer.to_string()))),
        Err(wrong) => {
            let message = format!("the token_endpoint of the metadata {wrong}");
            Err(Error::protocol(message))
        }
    }
}
