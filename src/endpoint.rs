//! Where the token endpoint is, or is written: a URL that was checked once.

use std::fmt;

use crate::error::Error;
use crate::http::Url;

/// Where the token endpoint is, or is written.
///
/// Every URL is https, or http to `localhost`, `127.0.0.0/8` or `[::1]`.
#[derive(Clone)]
pub struct Endpoint(Result<Place, Error>);

#[derive(Clone)]
pub(crate) enum Place {
    Token { url: Url, issuer: Option<String> },
    Issuer(Url),
    Metadata(Url),
}

impl Endpoint {
    /// The token endpoint itself.
    pub fn token(url: impl Into<String>) -> Self {
        Self(parsed("token endpoint", url.into()).map(|url| Place::Token { url, issuer: None }))
    }
    /// The issuer, whose metadata names the token endpoint: RFC 8414, else OpenID Connect
    /// Discovery.
    ///
    /// The document's `issuer` must be this text, byte for byte (RFC 8414 §3.3).
    pub fn issuer(url: impl Into<String>) -> Self {
        let url = parsed("issuer", url.into()).and_then(|url| match url.has_query() {
            true => Err(Error::config("issuer has a query")), // RFC 8414 §2
            false => Ok(url),
        });
        Self(url.map(Place::Issuer))
    }
    /// A metadata document at an address of its own. Its `token_endpoint` is read; its issuer is
    /// not compared with anything, since it cannot be told from the address.
    pub fn metadata(url: impl Into<String>) -> Self {
        Self(parsed("metadata document", url.into()).map(Place::Metadata))
    }

    /// A token endpoint below a base URL that people copy: the base alone, or with a slash at its
    /// end.
    pub(crate) fn below(what: &str, base: &str, path: &str) -> Self {
        let base = base.trim_end_matches('/');
        let place = parsed(what, base.to_owned()).and_then(|url| {
            if url.has_query() || base.ends_with(path) {
                return Err(Error::config(format!(
                    "{what} is wanted without {path} and without a query"
                )));
            }
            let url = parsed(what, format!("{base}{path}"))?;
            Ok(Place::Token { url, issuer: None })
        });
        Self(place)
    }
    pub(crate) fn found(url: Url, issuer: Option<String>) -> Self {
        Self(Ok(Place::Token { url, issuer }))
    }
    pub(crate) fn place(&self) -> Result<&Place, Error> {
        self.0.as_ref().map_err(Clone::clone)
    }
}

fn parsed(what: &str, url: String) -> Result<Url, Error> {
    Url::parse(url).map_err(|wrong| Error::config(format!("{what} {wrong}")))
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(Place::Token { url, .. }) => f.debug_tuple("Token").field(url).finish(),
            Ok(Place::Issuer(url)) => f.debug_tuple("Issuer").field(url).finish(),
            Ok(Place::Metadata(url)) => f.debug_tuple("Metadata").field(url).finish(),
            Err(error) => f.debug_tuple("Unusable").field(error).finish(),
        }
    }
}
