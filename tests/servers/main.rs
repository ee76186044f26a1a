//! Each provider against what its server's documents say: the exact assertion, the exact request, the response, and
//! what its errors become. The literals come from the documents that each file names, and not from the profiles.
#![cfg(all(feature = "rsa", feature = "ring"))]

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::provider::{Inputs, PROVIDERS, Provider};
use jwt_bearer::{
    AccessToken, EcKey, Error, ErrorKind, Exchange, HmacKey, Profile, Response, RsaAlgorithm,
    RsaKey, Signer,
};
use serde_json::{Value, json};

mod apple;
mod auth0;
mod autodesk;
mod box_platform;
mod docusign;
mod entra;
mod factset;
mod firebase;
mod forgerock;
mod ghost;
mod github_app;
mod google;
mod huawei;
mod ibm_app_id;
mod keycloak;
mod line;
mod line_works;
mod lti;
mod maskinporten;
mod netsuite;
mod nhs;
mod okta;
mod oracle_iam;
mod ory;
mod pdnd;
mod salesforce_b2c;
mod sap_ias;
mod servicenow;
mod smart;
mod snowflake;
mod table;
mod tableau;
mod vault;
mod webex;
mod workday;
mod yandex;
mod zitadel;

/// `date -u -d @1700000000`: Tue Nov 14 22:13:20 UTC 2023
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn rsa_key() -> RsaKey {
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    RsaKey::from_pem(vectors["key"]["pkcs1_pem"].as_str().unwrap()).unwrap()
}
pub(crate) fn pem() -> String {
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    vectors["key"]["pkcs1_pem"].as_str().unwrap().to_owned()
}
/// The RSA key of RFC 7517 §A.2, as a private JWK with `alg` RS256 and `kid` 2011-04-29.
pub(crate) fn rsa_jwk() -> Value {
    let set: Value = serde_json::from_str(include_str!("../data/jwk/rfc7517-a2.json")).unwrap();
    set["keys"][1].clone()
}
/// The key of RFC 7515 §A.3.
pub(crate) fn ec_key() -> EcKey {
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    });
    EcKey::read(jwk.to_string()).unwrap()
}
pub(crate) fn hmac_key() -> HmacKey {
    HmacKey::new("a secret of at least thirty-two bytes").unwrap()
}

pub(crate) fn provider(name: &str) -> &'static Provider {
    let mut all = PROVIDERS.iter();
    all.find(|provider| provider.name == name).unwrap()
}
/// The profile of a provider, as the command line makes it.
pub(crate) fn profile(name: &str, values: &[(&str, &str)]) -> Result<Profile, Error> {
    provider(name).profile(Inputs {
        values,
        ..Inputs::default()
    })
}

/// Header and claims of the assertion that is signed at [`NOW`].
pub(crate) struct Signed {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

pub(crate) fn decoded(jwt: &str) -> Signed {
    let segment = |n| {
        let bytes = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(n).unwrap());
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    };
    Signed {
        header: segment(0),
        claims: segment(1),
    }
}

/// Compares header and claims with those of the documents. `jti` is random: `"jti": "uuid"` wants 36 characters of it,
/// `"jti": "hex"` 32.
#[track_caller]
pub(crate) fn assert_signed(profile: &Profile, key: &dyn Signer, header: &Value, claims: &Value) {
    let assertion = profile.assertion(key, now()).unwrap();
    let mut signed = decoded(assertion.secret());
    if let Some(jti) = signed.claims.get_mut("jti") {
        *jti = match jti.as_str().unwrap().len() {
            36 => "uuid".into(),
            32 => "hex".into(),
            _ => "other".into(),
        };
    }
    assert_eq!((&signed.header, &signed.claims), (header, claims));
}

/// The request as text: method and URL, header lines, an empty line, the body. The assertion is `{jwt}`.
pub(crate) fn request(profile: &Profile, key: &dyn Signer) -> String {
    let exchange = Exchange::new(profile, key, now()).unwrap();
    let request = exchange.request();
    let mut text = format!("{} {}\n", request.method(), request.url());
    for (name, value) in request.headers() {
        if name != "User-Agent" {
            text += &format!("{name}: {value}\n");
        }
    }
    text += "\n";
    text += std::str::from_utf8(request.body()).unwrap();
    text.replace(exchange.assertion().secret(), "{jwt}")
}

/// What a response means.
pub(crate) fn read(
    profile: &Profile,
    key: &dyn Signer,
    response: Response,
) -> Result<AccessToken, Error> {
    Exchange::new(profile, key, now()).unwrap().read(response)
}

/// Seconds from [`NOW`] until the token expires.
pub(crate) fn lifetime(token: &AccessToken) -> u64 {
    token.expires_at().duration_since(now()).unwrap().as_secs()
}

/// One row of a server's table of errors: status, body, and a part of the advice.
pub(crate) type ErrorRow<'a> = (u16, Value, &'a str);

/// Compares the kind of each error and the advice about it.
#[track_caller]
pub(crate) fn assert_errors(
    profile: &Profile,
    key: &dyn Signer,
    kind: ErrorKind,
    rows: &[ErrorRow<'_>],
) {
    for (status, body, advice) in rows {
        let response = Response::new(*status, body.to_string());
        let error = read(profile, key, response).unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(advice), "{body}: {hint}");
    }
}

/// What an error says.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn rs384(key: RsaKey) -> RsaKey {
    key.with_algorithm(RsaAlgorithm::RS384)
}
