//! Which URLs may carry an assertion.
//!
//! A [`Url`] is parsed once, by the parser that ureq uses, so that the URL that was checked is the
//! URL that is sent.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use zeroize::Zeroizing;

/// A URL that may carry an assertion: https, or http to this machine.
#[derive(Clone)]
pub(crate) struct Url(Arc<Parsed>);

struct Parsed {
    /// The text as it was given: `aud` may be this text, and servers compare it byte for byte.
    text: Zeroizing<String>,
    uri: Uri,
    authority: String,
}

impl Url {
    /// Parses a URL, or says what is wrong with it.
    pub(crate) fn parse(text: String) -> Result<Self, &'static str> {
        let text = Zeroizing::new(text);
        if text.contains(['"', '\'']) {
            return Err("holds a quote, perhaps copied from a document: remove it");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("holds white space or a character that must be percent-encoded");
        }
        if text.contains('#') {
            return Err("holds a fragment"); // http::Uri would drop it silently
        }
        let after_scheme = text.split_once(':').map(|(_, rest)| rest);
        if !after_scheme.is_some_and(|rest| rest.starts_with("//")) {
            return Err("has no scheme and host: write https://...");
        }
        let uri = Uri::try_from(text.as_str()).map_err(|_| "is not a URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err("is not a URL");
        };
        if authority.as_str().contains('@') {
            return Err("holds a user name or password");
        }
        let host = authority.host();
        let normalized = authority
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        if host.is_empty() || normalized != authority.as_str() {
            return Err("has no proper host and port");
        }
        if *scheme != Scheme::HTTPS && !(*scheme == Scheme::HTTP && is_loopback(host)) {
            return Err("is not https (http is for loopback alone)");
        }
        Ok(Self(Arc::new(Parsed {
            text,
            uri,
            authority: normalized,
        })))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// Returns `host` or `host:port`, for messages.
    pub(crate) fn authority(&self) -> &str {
        &self.0.authority
    }

    /// Returns scheme, host and port; then the path, without a trailing slash.
    pub(crate) fn origin_and_path(&self) -> (String, &str) {
        let scheme = self.0.uri.scheme_str().unwrap_or_default();
        let path = self.0.uri.path().trim_end_matches('/');
        (format!("{scheme}://{}", self.0.authority), path)
    }

    /// Returns the issuer whose metadata is at this well-known URL, without a trailing slash.
    ///
    /// RFC 8414 §3.1 puts the issuer's path after the well-known part, OpenID Connect Discovery §4.1 before it; a URL
    /// with a path in both places names no issuer. Neither does a URL with a query: it may select the document of one
    /// tenant, who must not speak for the whole server.
    pub(crate) fn well_known_issuer(&self) -> Option<String> {
        let (origin, path) = self.origin_and_path();
        let (before, after) = [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
        ]
        .iter()
        .find_map(|part| path.split_once(part))?;
        let is_whole_name = after.is_empty() || after.starts_with('/');
        let has_one_path = before.is_empty() || after.is_empty();
        (is_whole_name && has_one_path && !self.has_query())
            .then(|| format!("{origin}{before}{after}"))
    }

    /// Returns whether this is plain http, which is only for this machine.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.0.uri.scheme() == Some(&Scheme::HTTP)
    }

    pub(crate) fn has_query(&self) -> bool {
        self.0.text.contains('?')
    }

    /// Appends a query. The query of the endpoint itself stays (RFC 6749 §3.2).
    pub(crate) fn with_query(&self, query: &str) -> Result<Self, &'static str> {
        let separator = if self.has_query() { "&" } else { "?" };
        Self::parse([self.as_str(), separator, query].concat())
    }
}

/// Returns whether a host is a loopback address, or the name of one.
fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]") || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
}

/// Shows only host and port: a query may hold an assertion.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.authority())
    }
}
