//! The credential file of Marketing Cloud Intelligence.

use jwt_bearer::{ErrorKind, Response, RsaKey, Signer as _, marketing_cloud_intelligence};
use serde_json::{Map, Value};

use crate::{debug, decoded, is_safe, now, quotes_nothing, told};

const NAMES: [&str; 3] = ["serviceAccountId", "discoveryEndpoint", "privateKey"];
const OTHER_KEY: &str = include_str!("../seeds/pem/pkcs1.pem");

/// A file to [`marketing_cloud_intelligence::credentials`].
pub fn credentials(file: &[u8]) {
    let json = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let members: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    let texts = NAMES.map(|name| members.get(name).and_then(Value::as_str));
    let key = texts[2].map(RsaKey::from_pem);

    let read = marketing_cloud_intelligence::credentials(file);
    let ([Some(id), Some(address), Some(pem)], Some(Ok(key))) = (texts, key) else {
        let is_whole = texts.iter().all(Option::is_some);
        let kind = if is_whole {
            ErrorKind::Key
        } else {
            ErrorKind::Config
        };
        let error = read.unwrap_err();
        assert_eq!(error.kind(), kind);
        // Which member is missing is told.
        let told = NAMES
            .iter()
            .fold(told(&error), |told, name| told.replace(name, " "));
        quotes_nothing(&told, file);
        return;
    };
    let (profile, read) = read.unwrap();
    assert_eq!(
        read.sign(b"message").unwrap(),
        key.sign(b"message").unwrap()
    );
    assert_eq!(read.repairs(), key.repairs());
    quotes_nothing(&debug(&read), pem);
    // Nor is anything of the key in the profile: with another one it is the same.
    let mut other = members.clone();
    other.insert(NAMES[2].to_owned(), OTHER_KEY.into());
    let other = Value::Object(other).to_string();
    let (with_other, _) = marketing_cloud_intelligence::credentials(other).unwrap();
    assert_eq!(debug(&profile), debug(&with_other));

    let requests = match profile.metadata_requests() {
        Ok(requests) => requests,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            quotes_nothing(&told(&error), file);
            return;
        }
    };
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(
        (request.method(), request.url(), std::str::from_utf8(request.body()).unwrap()),
        ("GET", address, "")
    );
    is_safe(address);
    let metadata = Response::new(200, r#"{"token_endpoint":"https://as.example.com/token"}"#);
    let known = profile.with_metadata(&metadata).unwrap();
    let assertion = known.assertion(&read, now()).unwrap();
    let claims = decoded(assertion.secret().split('.').nth(1).unwrap());
    assert_eq!((&claims["iss"], &claims["sub"]), (&id.into(), &id.into()));
}
