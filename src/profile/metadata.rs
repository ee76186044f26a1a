//! Discovery without I/O, for callers that send requests themselves.

use super::Profile;
use crate::discovery::{EndpointSearch, FoundEndpoint};
use crate::endpoint::{Endpoint, EndpointKind};
use crate::error::Error;
use crate::message::{Request, Response};
use crate::redact::redact;

impl Profile {
    /// Returns the requests for the metadata; none if the token endpoint is known.
    ///
    /// Send them in this order until [`with_metadata`](Self::with_metadata) accepts a response.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the profile cannot work.
    pub fn metadata_requests(&self) -> Result<Vec<Request>, Error> {
        self.check()?;
        match self.endpoint.kind() {
            EndpointKind::Discovered { url, discovery } => (discovery.requests)(url),
            EndpointKind::Token { .. } | EndpointKind::SelfSigned => Ok(Vec::new()),
        }
    }

    /// Returns this profile with its token endpoint and issuer filled in.
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the response is not metadata, is for another issuer, or names no
    /// token endpoint or an unsafe one; [`Unavailable`](crate::ErrorKind::Unavailable) if the server cannot answer now.
    pub fn with_metadata(&self, response: &Response) -> Result<Self, Error> {
        let EndpointKind::Discovered { url, .. } = self.endpoint.kind() else {
            return Ok(self.clone());
        };
        let search = EndpointSearch {
            url,
            expected_issuer: self.expected_issuer()?,
            secrets: &[],
            redact: &|text| redact(text, &[]),
        };
        self.with_found_endpoint(search.read(response)?)
    }

    /// Returns the same profile with the token endpoint that discovery found.
    pub(crate) fn with_found_endpoint(&self, (url, issuer): FoundEndpoint) -> Result<Self, Error> {
        let resolved = Self {
            endpoint: Endpoint::resolved(url, issuer),
            ..self.clone()
        };
        resolved.check().map(|()| resolved)
    }
}
