//! Credential files of Marketing Cloud Intelligence.

use jwt_bearer::{
    Endpoint, ErrorKind, Response, RsaKey, Signer as _, marketing_cloud_intelligence,
};
use serde_json::{Map, Value};

use crate::{assert_not_quoted, assert_safe_url, debug, decode_segment, error_texts, now};

const NAMES: [&str; 3] = ["serviceAccountId", "discoveryEndpoint", "privateKey"];
const OTHER_KEY: &str = include_str!("../seeds/pem/pkcs1.pem");

/// Reads `file` with [`marketing_cloud_intelligence::credentials`] and compares it with what `serde_json` reads.
pub fn credentials(file: &[u8]) {
    let json = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let json = String::from_utf8_lossy(json);
    let members: Map<String, Value> = serde_json::from_str(&json).unwrap_or_default();
    let text = |name| members.get(name).and_then(Value::as_str);
    let texts = NAMES.map(|name| text(name).filter(|text| !text.is_empty()));
    let endpoint = texts[1].map(Endpoint::metadata);
    let key = texts[2].map(RsaKey::from_pem);

    let read = marketing_cloud_intelligence::credentials(file);
    let ([Some(id), Some(address), Some(pem)], Some(Ok(_)), Some(Ok(key))) =
        (texts, &endpoint, key)
    else {
        // The key is read last.
        let has_invalid_key =
            texts.iter().all(Option::is_some) && endpoint.is_some_and(|e| e.is_ok());
        let kind = if has_invalid_key {
            ErrorKind::Key
        } else {
            ErrorKind::Config
        };
        let error = read.unwrap_err();
        assert_eq!(error.kind(), kind);
        // The error says which member is missing.
        let texts = NAMES
            .iter()
            .fold(error_texts(&error), |texts, name| texts.replace(name, " "));
        assert_not_quoted(&texts, file);
        return;
    };
    let (profile, read) = read.unwrap();
    assert_eq!(
        read.sign(b"message").unwrap(),
        key.sign(b"message").unwrap()
    );
    assert_eq!(read.repairs(), key.repairs());
    assert_not_quoted(&debug(&read), pem);
    // The profile shows nothing of the key: it is the same with another key.
    let mut other = members.clone();
    other.insert(NAMES[2].to_owned(), OTHER_KEY.into());
    let other = Value::Object(other).to_string();
    let (with_other, _) = marketing_cloud_intelligence::credentials(other).unwrap();
    assert_eq!(debug(&profile), debug(&with_other));

    let requests = match profile.metadata_requests() {
        Ok(requests) => requests,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert_not_quoted(&error_texts(&error), file);
            return;
        }
    };
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(
        (
            request.method(),
            request.url(),
            std::str::from_utf8(request.body()).unwrap()
        ),
        ("GET", address, "")
    );
    assert_safe_url(address);
    let metadata = Response::new(200, r#"{"token_endpoint":"https://as.example.com/token"}"#);
    let resolved = profile.with_metadata(&metadata).unwrap();
    let assertion = resolved.assertion(&read, now()).unwrap();
    let claims = decode_segment(assertion.secret().split('.').nth(1).unwrap());
    assert_eq!((&claims["iss"], &claims["sub"]), (&id.into(), &id.into()));
}
