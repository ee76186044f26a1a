//! Metadata documents.

use jwt_bearer::{Audience, Endpoint, ErrorKind, Exchange, Placement, Profile, Response};

use crate::{assert_not_quoted, assert_safe_url, error_texts, json_object, key, now};

const ISSUER: &str = "https://as.example.com/tenant";

/// Reads `document` with [`Profile::with_metadata`], as the metadata of an issuer, of an https URL and of a loopback URL.
pub fn metadata(document: &[u8]) {
    let issuer = read(Endpoint::issuer(ISSUER).unwrap(), document);
    let named =
        json_object(200, document).and_then(|m| Some(m.get("issuer")?.as_str() == Some(ISSUER)));
    assert!(
        issuer.is_none() || named == Some(true),
        "metadata of another issuer was accepted"
    );

    let address = read(
        Endpoint::metadata("https://as.example.com/m").unwrap(),
        document,
    );
    let loopback = read(
        Endpoint::metadata("http://127.0.0.1:8080/m").unwrap(),
        document,
    );
    // A document that passes the stricter of two rules also passes the other, with the same endpoint.
    assert!(issuer.is_none() || issuer == address);
    assert!(address.is_none() || address == loopback);
    let is_plain = |url: &String| !url.to_lowercase().starts_with("https:");
    assert!(!address.as_ref().is_some_and(is_plain), "{address:?}");
    assert!(address.is_some() || loopback.is_none_or(|url| is_plain(&url)));
}

/// Returns the URL that an assertion would be sent to.
fn read(endpoint: Endpoint, document: &[u8]) -> Option<String> {
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let read = |status| profile.with_metadata(&Response::new(status, document));
    for status in [204, 301, 404, 503] {
        assert!(read(status).is_err(), "metadata with {status}");
    }
    let moved = Response::new(302, "").with_header("Location", String::from_utf8_lossy(document));
    let error = profile.with_metadata(&moved).unwrap_err().to_string();
    assert!(error.chars().count() < 512 && !error.contains(char::is_control));
    let resolved = match read(200) {
        Ok(resolved) => resolved,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Protocol);
            let text = error.to_string();
            assert!(text.chars().count() < 512 && !text.contains(char::is_control));
            // Only the issuer of a document is shown, together with the expected one.
            if !text.contains(" issuer") {
                assert_not_quoted(&error_texts(&error), document);
            }
            return None;
        }
    };
    let key = key();
    let exchange = Exchange::new(&resolved, &key, now()).unwrap();
    let url = exchange.request().url();
    let named = json_object(200, document).unwrap()["token_endpoint"].clone();
    assert_eq!(named.as_str(), Some(url));
    assert_safe_url(url);

    let by_query = resolved.clone().with_placement(Placement::QUERY);
    if let Ok(exchange) = Exchange::new(&by_query, &key, now()) {
        let longer = exchange.request().url();
        assert!(
            longer
                .strip_prefix(url)
                .is_some_and(|rest| rest.starts_with(['?', '&']))
        );
        assert_safe_url(longer);
    }
    Some(url.to_owned())
}
