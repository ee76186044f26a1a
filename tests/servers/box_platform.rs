//! <https://developer.box.com/guides/authentication/jwt/without-sdk>,
//! <https://developer.box.com/guides/api-calls/permissions-and-errors/common-errors>

use std::sync::{Arc, Mutex};

use jwt_bearer::ErrorKind::{Denied, Unavailable};
use jwt_bearer::{Jti, ManualClock, Request, TokenSource};

use super::*;

const CLIENT: [(&str, &str); 2] = [("client-id", "abc123"), ("client-secret", "def234")];
const AUD: &str = "https://api.box.com/oauth2/token";

fn of(subject: (&str, &str)) -> Profile {
    profile("box", &[&CLIENT[..], &[subject]].concat()).unwrap()
}

fn enterprise() -> Profile {
    of(("enterprise-id", "1234567"))
}

fn key() -> RsaKey {
    rsa_key().with_key_id("abcd1234")
}

#[test]
fn box_token_is_asked_for_as_documented() {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "abcd1234"});
    let claims = |sub: &str, kind: &str| {
        json!({
            "iss": "abc123", "sub": sub, "box_sub_type": kind, "aud": AUD, "exp": NOW + 45, "jti": "uuid",
        })
    };
    assert_signed(
        &enterprise(),
        &key(),
        &header,
        &claims("1234567", "enterprise"),
    );
    assert_signed(
        &of(("user-id", "89")),
        &key(),
        &header,
        &claims("89", "user"),
    );
    assert_eq!(
        request(&enterprise(), &key()),
        "POST https://api.box.com/oauth2/token\n\
         Accept: application/json\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&client_id=abc123&\
         client_secret=def234&assertion={jwt}"
    );
    let body = json!({"access_token": "t", "expires_in": 4169, "restricted_to": [], "token_type": "bearer"});
    let token = read(&enterprise(), &key(), Response::new(200, body.to_string())).unwrap();
    assert_eq!((token.secret(), lifetime(&token)), ("t", 4169));
}

/// The members of config.json. The key is encrypted as Box does it: PBES2, triple DES, HMAC with SHA-1.
#[cfg(feature = "encrypted-keys")]
#[test]
fn box_config_json_is_enough() {
    let file = json!({
        "boxAppSettings": {
            "clientID": "abc123", "clientSecret": "def234",
            "appAuth": {
                "publicKeyID": "abcd1234",
                "privateKey": include_str!("../data/keys/encrypted/pkcs8-des3-SHA1.pem"),
                "passphrase": "correct horse",
            },
        },
        "enterpriseID": "1234567",
    });
    let (profile, key) = jwt_bearer::provider::credentials(file.to_string()).unwrap();
    assert_eq!(key.key_id(), Some("abcd1234"));
    assert_eq!(key.identity(), rsa_key().identity());
    assert!(request(&profile, &key).contains("&client_id=abc123&client_secret=def234&"));
    let claims = |profile: &Profile| {
        let assertion = profile.assertion(&key, now()).unwrap();
        decoded(assertion.secret()).claims
    };
    assert_eq!(claims(&profile)["sub"], "1234567");
    let inputs = Inputs {
        values: &[("user-id", "89")],
        ..Inputs::default()
    };
    let (of_user, _) = provider("box")
        .credentials(file.to_string(), inputs)
        .unwrap();
    assert_eq!(
        (&claims(&of_user)["sub"], &claims(&of_user)["box_sub_type"]),
        (&json!("89"), &json!("user"))
    );
}

#[test]
fn box_limits_are_refused() {
    let long = enterprise().with_assertion_lifetime(Duration::from_secs(61));
    assert_eq!(
        refused(long.assertion(&key(), now())),
        "exp lies further ahead than this server accepts"
    );
    assert_eq!(
        refused(
            enterprise()
                .with_assertion_lifetime(None)
                .with_iat_leeway(Duration::ZERO)
                .assertion(&key(), now())
        ),
        "Box wants exp: set the lifetime of the assertion"
    );
    let without_jti = enterprise()
        .with_jti(Jti::Omit)
        .with_iat_leeway(Duration::ZERO);
    assert_eq!(
        refused(without_jti.assertion(&key(), now())),
        "Box wants a new jti in every assertion: set jti to uuid"
    );
    assert_eq!(
        refused(enterprise().assertion(&rsa_key(), now())),
        "this server finds the key by kid, and the key has none: set the key id"
    );
    let text = refused(enterprise().assertion(&ec_key().with_key_id("e"), now()));
    assert!(
        text.contains("this server accepts RS256, RS384, RS512"),
        "{text}"
    );
    assert!(enterprise().assertion(&rs384(key()), now()).is_ok());
    assert_eq!(
        refused(profile("box", &CLIENT)),
        "exactly one of enterprise-id, user-id is needed"
    );
}

/// Box's own clients take the time of its answer, and sign again.
#[test]
fn box_assertion_is_signed_by_the_clock_of_box() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let claims = seen.clone();
    let box_ = move |request: &Request, _| -> std::io::Result<Response> {
        let body = std::str::from_utf8(request.body()).unwrap();
        let (_, jwt) = body.split_once("&assertion=").unwrap();
        let mut seen = claims.lock().unwrap();
        seen.push(decoded(jwt).claims);
        let refusal = json!({
            "error": "invalid_grant",
            "error_description":
                "Current date time must be before the expiration date time listed in the 'exp' claim",
        });
        let (status, body) = match seen.len() {
            1 => (400, refusal),
            _ => (
                200,
                json!({"access_token": "t", "expires_in": 3600, "token_type": "bearer"}),
            ),
        };
        // two minutes after NOW
        Ok(Response::new(status, body.to_string())
            .with_header("Date", "Tue, 14 Nov 2023 22:15:20 GMT"))
    };
    let clock = ManualClock::new(now());
    let source = TokenSource::with_transport(box_, enterprise(), key()).unwrap();
    let token = source.with_clock(clock).token().unwrap();
    assert_eq!(token.secret(), "t");
    let seen = seen.lock().unwrap();
    let [first, second] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!([&first["exp"], &second["exp"]], [NOW + 45, NOW + 120 + 45]);
    assert_ne!(first["jti"], second["jti"]);
}

#[test]
fn box_errors_are_explained() {
    let error = |code: &str, text: &str| json!({"error": code, "error_description": text});
    let grant = |text: &str| error("invalid_grant", text);
    assert_errors(
        &enterprise(),
        &key(),
        Denied,
        &[
            (
                400,
                grant(
                    "Current date time must be before the expiration date time listed in the 'exp' claim",
                ),
                "clock",
            ),
            (
                400,
                grant(
                    "Current date/time MUST be before the expiration date/time listed in the 'exp' claim",
                ),
                "clock",
            ),
            (
                400,
                grant(
                    "Please check the 'exp' claim. The 'exp' value exceeds the maximum value of 60 seconds beyond the issue time.",
                ),
                "60 seconds",
            ),
            (
                400,
                grant("Please check the 'jti' claim. A unique 'jti' value is required."),
                "twice",
            ),
            (
                400,
                grant("Please check the 'sub' claim. The 'sub' specified is invalid."),
                "user id",
            ),
            (400, grant("Please check the 'iss' claim."), "client id"),
            (
                400,
                grant("OAuth JWT signature verification failed"),
                "key id",
            ),
            (
                400,
                error(
                    "unauthorized_client",
                    "This app is not authorized by the enterprise admin",
                ),
                "Admin Console",
            ),
            (
                400,
                error(
                    "unauthorized_client",
                    "Cannot obtain token based on the enterprise configuration for your app",
                ),
                "Admin Console",
            ),
            (
                400,
                error("invalid_client", "The client credentials are invalid"),
                "client secret",
            ),
            (
                400,
                error(
                    "invalid_request",
                    "Invalid grant_type parameter or parameter missing",
                ),
                "config.json",
            ),
        ],
    );
    assert_errors(&enterprise(), &key(), Unavailable, &[(429, json!({}), "")]);
}
