//! Sample keys and profiles, and functions that decode assertions.

#![allow(dead_code)] // not every test file uses all of it

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{
    AccessToken, Audience, Endpoint, Error, Exchange, HmacKey, Profile, Response, RsaKey, cylance,
    marketing_cloud_intelligence,
};
use serde_json::{Map, Value};

/// 2023-11-14, 22:13:20 UTC.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
pub(crate) fn now() -> SystemTime {
    at(NOW)
}

/// The private key that RFC 7515 §A.2 publishes.
pub(crate) fn pem() -> String {
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    vectors["key"]["pkcs1_pem"].as_str().unwrap().to_owned()
}
pub(crate) fn rsa() -> RsaKey {
    RsaKey::from_pem(pem()).unwrap()
}
pub(crate) fn hmac() -> HmacKey {
    HmacKey::new("a secret of at least thirty-two bytes").unwrap()
}

pub(crate) const TOKEN_URL: &str = "https://as.example.com/token";

pub(crate) fn marketing() -> Profile {
    let endpoint = Endpoint::token(marketing_cloud_intelligence::US1).unwrap();
    Profile::marketing_cloud_intelligence(endpoint, "svc-0001").with_algorithms([])
}
pub(crate) fn salesforce() -> Profile {
    let login = "https://login.salesforce.com";
    let profile = Profile::salesforce(login, "3MVG9TESTKEY", "ci@example.com").unwrap();
    profile.with_algorithms([])
}
pub(crate) fn cylance() -> Profile {
    let profile = Profile::cylance(cylance::NORTH_AMERICA, "tenant-1", "app-1").unwrap();
    profile.with_algorithms([])
}
pub(crate) fn client() -> Profile {
    client_at(Endpoint::token(TOKEN_URL).unwrap())
}
pub(crate) fn client_at(endpoint: Endpoint) -> Profile {
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}
pub(crate) fn grant() -> Profile {
    let audience = Audience::Fixed("https://as.example.com".to_owned());
    Profile::jwt_bearer(Endpoint::token(TOKEN_URL).unwrap(), "issuer-1", audience)
}
/// Returns the profiles of the three providers and the two generic ones.
pub(crate) fn every_profile() -> [(&'static str, Profile); 5] {
    [
        ("Marketing Cloud Intelligence", marketing()),
        ("Salesforce", salesforce()),
        ("Cylance", cylance()),
        ("client credentials", client()),
        ("JWT bearer grant", grant()),
    ]
}

/// Returns an assertion of `profile`.
#[track_caller]
pub(crate) fn signed(profile: &Profile) -> String {
    let assertion = profile.assertion(&hmac(), now()).unwrap();
    assertion.secret().to_owned()
}
#[track_caller]
pub(crate) fn header(jwt: &str) -> Map<String, Value> {
    segment(jwt, 0)
}
#[track_caller]
pub(crate) fn claims(jwt: &str) -> Map<String, Value> {
    segment(jwt, 1)
}
#[track_caller]
fn segment(jwt: &str, n: usize) -> Map<String, Value> {
    let bytes = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(n).unwrap());
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

/// Reads `response` to a request that was sent at `now`.
pub(crate) fn read(profile: &Profile, response: Response) -> Result<AccessToken, Error> {
    let key = hmac();
    let exchange = Exchange::new(profile, &key, now()).unwrap();
    exchange.read(response)
}
/// Returns the lifetime of a token that was requested at `now`.
#[track_caller]
pub(crate) fn life(token: &AccessToken) -> Duration {
    token.expires_at().duration_since(now()).unwrap()
}
