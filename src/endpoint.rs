//! Where the token endpoint is, or which document names it: a URL that is checked once.

use std::fmt;

use crate::discovery::Discovery;
use crate::error::Error;
use crate::url::Url;

/// Where the token endpoint is, or which document names it.
///
/// Every URL is https, or http to `localhost`, `127.0.0.0/8` or `[::1]`.
#[derive(Clone)]
pub struct Endpoint(EndpointKind);

#[derive(Clone)]
pub(crate) enum EndpointKind {
    Token {
        url: Url,
        issuer: Option<String>,
    },
    /// A metadata document names the token endpoint.
    Discovered {
        /// The issuer, or the URL of the document.
        url: Url,
        discovery: &'static Discovery,
    },
    /// The assertion is the access token.
    SelfSigned,
}

impl Endpoint {
    /// Makes an endpoint from the URL of the token endpoint itself.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the URL may not carry an assertion.
    pub fn token(url: impl Into<String>) -> Result<Self, Error> {
        let url = parse("token endpoint", url.into())?;
        Ok(Self::resolved(url, None))
    }

    /// Makes an endpoint from an issuer, whose metadata names the token endpoint.
    ///
    /// The metadata is that of RFC 8414, else of OpenID Connect Discovery.
    ///
    /// The document's `issuer` must be this text, byte for byte (RFC 8414 §3.3).
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the URL cannot be that of an issuer.
    pub fn issuer(url: impl Into<String>) -> Result<Self, Error> {
        let url = parse("issuer", url.into())?;
        match url.has_query() {
            true => Err(Error::config("issuer has a query")), // RFC 8414 §2
            false => Ok(Self::discovered(url, &Discovery::BY_ISSUER)),
        }
    }

    /// Makes an endpoint from the URL of a metadata document.
    ///
    /// The document's `token_endpoint` is read. Its `issuer` is compared only if it becomes the audience, with
    /// [`Audience::Issuer`](crate::Audience::Issuer). The URL must then be a well-known one, whose path names the
    /// issuer (RFC 8414 §3.1). A slash at the end of the issuer may differ, since the URL does not show it.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the URL is not safe to fetch metadata from.
    pub fn metadata(url: impl Into<String>) -> Result<Self, Error> {
        let url = parse("metadata document", url.into())?;
        Ok(Self::discovered(url, &Discovery::BY_METADATA))
    }

    /// Makes an endpoint for an assertion that is the access token itself: there is no server, and nothing is sent.
    pub fn none() -> Self {
        Self(EndpointKind::SelfSigned)
    }

    /// Returns the URL of the token endpoint, if it is known.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    pub fn token_url(&self) -> Option<&str> {
        match self.kind() {
            EndpointKind::Token { url, .. } => Some(url.as_str()),
            EndpointKind::Discovered { .. } | EndpointKind::SelfSigned => None,
        }
    }

    /// Returns the token endpoint at `path` below a base URL, which people copy with and without a trailing slash.
    pub(crate) fn at_path(what: &str, base: &str, path: &str) -> Result<Self, Error> {
        let base = base.trim_end_matches('/');
        if parse(what, base.to_owned())?.has_query() || base.ends_with(path) {
            let message = format!("{what} is wanted without {path} and without a query");
            return Err(Error::config(message));
        }
        let url = parse(what, format!("{base}{path}"))?;
        match url.has_query() {
            true => Err(Error::config(format!("{what} with its path has a query"))),
            false => Ok(Self::resolved(url, None)),
        }
    }

    /// Returns the endpoint of a URL that a provider documents.
    pub(crate) fn documented(url: &'static str) -> Self {
        match Url::parse(url.to_owned()) {
            Ok(url) => Self::resolved(url, None),
            Err(_) => Self::none(), // never: each provider's test sends a request there
        }
    }

    /// Returns the endpoint of a metadata URL that a provider documents.
    pub(crate) fn documented_metadata(url: &'static str) -> Self {
        Self::metadata(url).unwrap_or_else(|_| Self::none()) // never: each provider's test reads that document
    }

    fn discovered(url: Url, discovery: &'static Discovery) -> Self {
        Self(EndpointKind::Discovered { url, discovery })
    }

    /// Returns the endpoint of a known URL, with the issuer that its metadata names.
    pub(crate) fn resolved(url: Url, issuer: Option<String>) -> Self {
        Self(EndpointKind::Token { url, issuer })
    }

    pub(crate) fn kind(&self) -> &EndpointKind {
        &self.0
    }
}

fn parse(what: &str, url: String) -> Result<Url, Error> {
    Url::parse(url).map_err(|problem| Error::config(format!("{what} {problem}")))
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, url) = match &self.0 {
            EndpointKind::Token { url, .. } => ("Token", url),
            EndpointKind::Discovered { url, discovery } => (discovery.debug_name, url),
            EndpointKind::SelfSigned => return f.write_str("SelfSigned"),
        };
        f.debug_tuple(name).field(url).finish()
    }
}
