//! The `id` member of a Salesforce token response.

use http::Uri;
use jwt_bearer::{Exchange, Profile, Response, salesforce};
use serde_json::json;

use crate::{key, now};

/// Reads a token response with `input` as its `id`, usually `https://login.salesforce.com/id/00D.../005...`.
pub fn identity(input: &[u8]) {
    let id = String::from_utf8_lossy(input).into_owned();
    let profile = Profile::salesforce("https://login.salesforce.com", "key", "user").unwrap();
    let profile = profile.with_algorithms([]); // an HMAC is faster to compute than an RSA signature
    let key = key();
    let exchange = Exchange::new(&profile, &key, now()).unwrap();
    let body = json!({"access_token": "t", "id": id, "instance_url": id});
    let token = exchange.read(Response::new(200, body.to_string())).unwrap();
    assert_eq!(token.get("id"), Some(&*id));
    assert_eq!(salesforce::instance_url(&token), Some(&*id));

    let found = (
        salesforce::organization_id(&token),
        salesforce::user_id(&token),
    );
    let (Some(organization), Some(user)) = found else {
        assert_eq!(found, (None, None));
        assert_eq!(last_two_ids(&id), None, "not found");
        return;
    };
    assert!(is_id(organization) && is_id(user));
    assert!(id.ends_with(&format!("/{organization}/{user}")));
    // An id that is not a URL does not come from Salesforce, so any ids in it may be returned.
    if id.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some()) {
        assert_eq!(last_two_ids(&id), Some((organization, user)));
    }
}

/// The last two segments of the path, if both are ids.
fn last_two_ids(id: &str) -> Option<(&str, &str)> {
    let uri: Uri = id.parse().ok()?;
    uri.scheme()?;
    if id.contains(['?', '#']) {
        return None; // the ids of a query are not those of the path
    }
    let segments: Vec<_> = uri.path().split('/').map(str::to_owned).collect();
    let [.., organization, user] = &segments[..] else {
        return None;
    };
    let at_end = format!("/{organization}/{user}");
    let both = is_id(organization) && is_id(user) && id.ends_with(&at_end);
    let (front, user) = id.rsplit_once('/').filter(|_| both)?;
    Some((front.rsplit_once('/')?.1, user))
}

/// <https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm>: 15 characters,
/// or 18.
fn is_id(text: &str) -> bool {
    [15, 18].contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}
