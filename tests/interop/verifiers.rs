//! Assertions of the crate are verified by openssl, PyJWT, `jose` and `jsonwebtoken`, with keys made by openssl.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use jwt_bearer::{
    Audience, Endpoint, HmacKey, Jti, Profile, RsaKey, Signer, cylance,
    marketing_cloud_intelligence,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::support::{output_of, path, record};

/// Common sizes and sizes between them. A modulus of 2049 bits has one bit in its first byte.
const BITS: [usize; 6] = [2048, 2049, 2560, 3072, 3583, 4096];
const FLOW: &str = "verifies our assertions";
const SECRETS: [&str; 2] = [
    "a secret of at least thirty-two bytes",
    "ein geheimer Schlüssel — zweiunddreißig Bytes",
];

/// A key pair made by openssl, or a secret.
struct Key {
    signer: Box<dyn Signer>,
    /// The public key in PEM, or the secret.
    verification_key: String,
    jsonwebtoken: DecodingKey,
    directory: PathBuf,
}

impl Key {
    fn rsa(bits: usize) -> Self {
        let directory = scratch(&format!("rsa-{bits}"));
        let size = format!("rsa_keygen_bits:{bits}");
        let openssl = |arguments: &[&str]| {
            output_of(
                Command::new("openssl")
                    .args(arguments)
                    .current_dir(&directory),
            );
        };
        openssl(&[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            &size,
            "-out",
            "key.pem",
        ]);
        openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
        let pkcs1 = ["rsa", "-in", "key.pem", "-RSAPublicKey_out"];
        openssl(&[&pkcs1[..], &["-outform", "DER", "-out", "public.der"]].concat());
        let key = RsaKey::from_pem(fs::read(directory.join("key.pem")).unwrap()).unwrap();
        let public = fs::read(directory.join("public.der")).unwrap();
        Self {
            signer: Box::new(key.with_key_id("k1")),
            verification_key: fs::read_to_string(directory.join("public.pem")).unwrap(),
            jsonwebtoken: DecodingKey::from_rsa_der(&public),
            directory,
        }
    }

    fn hmac(secret: &str) -> Self {
        Self {
            signer: Box::new(HmacKey::new(secret).unwrap().with_key_id("k1")),
            verification_key: secret.to_owned(),
            jsonwebtoken: DecodingKey::from_secret(secret.as_bytes()),
            directory: scratch(&format!("hmac-{}", secret.len())),
        }
    }

    fn alg(&self) -> &'static str {
        self.signer.algorithm().name()
    }

    /// Returns whether openssl verifies the signature of `jwt`.
    #[track_caller]
    fn openssl_verifies(&self, jwt: &str) -> bool {
        let (message, signature) = jwt.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let scratch = tempfile::tempdir_in(&self.directory).unwrap();
        let file = |name| scratch.path().join(name);
        fs::write(file("message"), message).unwrap();
        let mut openssl = Command::new("openssl");
        openssl
            .current_dir(scratch.path())
            .args(["dgst", "-sha256"]);
        if self.alg() == "HS256" {
            let secret = self
                .verification_key
                .bytes()
                .map(|byte| format!("{byte:02x}"));
            let secret = format!("hexkey:{}", secret.collect::<String>());
            openssl.args(["-binary", "-mac", "HMAC", "-macopt", &secret, "message"]);
            return output_of(&mut openssl).stdout == signature;
        }
        fs::write(file("signature"), signature).unwrap();
        openssl.args([
            "-verify",
            "../public.pem",
            "-signature",
            "signature",
            "message",
        ]);
        let output = openssl.output().unwrap();
        match (output.status.success(), output.stdout.trim_ascii()) {
            (true, b"Verified OK") => true,
            (false, b"Verification failure" | b"Verification Failure") => false,
            _ => panic!("openssl: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// Returns all keys, which are made once.
fn keys() -> &'static [Key] {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let rsa: Vec<_> = BITS
            .map(|bits| thread::spawn(move || Key::rsa(bits)))
            .into();
        let rsa = rsa.into_iter().map(|thread| thread.join().unwrap());
        rsa.chain(SECRETS.map(Key::hmac)).collect()
    })
}

/// An assertion, and the values that a verifier must read from it.
struct Verification<'a> {
    key: &'a Key,
    jwt: String,
    header: Value,
    /// The claims without `jti`, of which only the style is known.
    claims: Value,
    jti: Jti,
}

impl<'a> Verification<'a> {
    #[track_caller]
    fn new(profile: &Profile, key: &'a Key, now: SystemTime, claims: Value, jti: Jti) -> Self {
        Self {
            key,
            jwt: profile
                .assertion(&*key.signer, now)
                .unwrap()
                .secret()
                .to_owned(),
            header: json!({ "typ": "JWT", "alg": key.alg(), "kid": "k1" }),
            claims,
            jti,
        }
    }
    /// Returns a copy with one bit changed in the middle of a segment.
    fn with_flipped_bit(&self, segment: usize) -> Self {
        let mut segments: Vec<_> = self.jwt.split('.').map(str::to_owned).collect();
        let mut bytes = URL_SAFE_NO_PAD.decode(&segments[segment]).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        segments[segment] = URL_SAFE_NO_PAD.encode(bytes);
        Self {
            jwt: segments.join("."),
            ..self.clone()
        }
    }
    /// Returns a copy for which another issuer or audience is expected.
    fn with_other_expected(&self, name: &str) -> Self {
        let mut claims = self.claims.clone();
        claims[name] = json!("https://elsewhere.example.com");
        Self {
            claims,
            ..self.clone()
        }
    }
    fn required_claims(&self) -> Vec<&'static str> {
        let names = ["iss", "sub", "aud", "exp", "iat"].into_iter();
        names
            .filter(|name| self.claims.get(name).is_some())
            .collect()
    }
    fn line(&self) -> String {
        let line = json!({
            "jwt": self.jwt,
            "key": self.key.verification_key,
            "alg": self.key.alg(),
            "iss": self.claims["iss"],
            "aud": self.claims["aud"],
            "require": self.required_claims(),
        });
        format!("{line}\n")
    }
}

impl Clone for Verification<'_> {
    fn clone(&self) -> Self {
        Self {
            key: self.key,
            jwt: self.jwt.clone(),
            header: self.header.clone(),
            claims: self.claims.clone(),
            jti: self.jti,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verifier {
    PyJwt,
    Jose,
    JsonWebToken,
}
use Verifier::{Jose, JsonWebToken, PyJwt};

impl Verifier {
    const ALL: [Self; 3] = [PyJwt, Jose, JsonWebToken];

    fn name(self) -> &'static str {
        match self {
            PyJwt => "PyJWT",
            Jose => "jose",
            JsonWebToken => "jsonwebtoken",
        }
    }

    /// Returns header and claims of each assertion in the form of [`tagged`], or the name of the error.
    #[track_caller]
    fn verify(self, verifications: &[Verification<'_>]) -> Vec<Result<Value, String>> {
        let mut command = match self {
            PyJwt => {
                let mut python = Command::new(path("venv/bin/python"));
                python.arg(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/tests/interop/verify.py"
                ));
                python
            }
            Jose => {
                let mut node = Command::new("node");
                node.arg(path("verify.mjs"));
                node
            }
            JsonWebToken => return verifications.iter().map(jsonwebtoken).collect(),
        };
        let mut child = (command.stdin(Stdio::piped()).stdout(Stdio::piped()))
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut stdin = child.stdin.take().unwrap();
        let lines: String = verifications.iter().map(Verification::line).collect();
        let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{command:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = stdout
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(answers.len(), verifications.len());
        let outcome = |answer: Value| match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(answer),
        };
        answers.into_iter().map(outcome).collect()
    }
}

fn jsonwebtoken(verification: &Verification<'_>) -> Result<Value, String> {
    let mut validation = Validation::new(verification.key.alg().parse().unwrap());
    validation.set_required_spec_claims(&verification.required_claims());
    validation.set_issuer(&[verification.claims["iss"].as_str().unwrap()]);
    if let Some(aud) = verification.claims["aud"].as_str() {
        validation.set_audience(&[aud]);
    }
    let read = jsonwebtoken::decode::<Value>(
        &verification.jwt,
        &verification.key.jsonwebtoken,
        &validation,
    );
    let read = read.map_err(|error| format!("{:?}", error.kind()))?;
    let header = serde_json::to_value(read.header).unwrap();
    Ok(json!({ "header": tagged(&header), "claims": tagged(&read.claims) }))
}

/// Marks strings and turns numbers into strings, as the scripts do, so that no JSON reader changes them.
fn tagged(value: &Value) -> Value {
    match value {
        Value::String(text) => format!("${text}").into(),
        Value::Number(number) => format!("#{number}").into(),
        Value::Array(items) => items.iter().map(tagged).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(n, v)| (n.clone(), tagged(v)))
            .collect(),
        other => other.clone(),
    }
}

/// Returns whether a verifier read this value. Integers are compared exactly, except that JavaScript reads each number
/// as a double.
fn is_same(verifier: Verifier, tagged: &Value, value: &Value) -> bool {
    match (tagged, value) {
        (Value::String(tagged), Value::String(text)) => tagged.strip_prefix('$') == Some(text),
        (Value::String(tagged), Value::Number(number)) => {
            let Some(tagged) = tagged.strip_prefix('#') else {
                return false;
            };
            match number.is_f64() || verifier == Jose {
                true => tagged.parse().ok() == number.as_f64(),
                false => tagged == number.to_string(),
            }
        }
        (Value::Array(tagged), Value::Array(items)) => {
            let mut pairs = tagged.iter().zip(items);
            tagged.len() == items.len() && pairs.all(|(t, item)| is_same(verifier, t, item))
        }
        (Value::Object(tagged), Value::Object(members)) => {
            let same = |(name, t)| members.get(name).is_some_and(|v| is_same(verifier, t, v));
            tagged.len() == members.len() && tagged.iter().all(same)
        }
        _ => tagged == value,
    }
}

/// Checks that every verifier accepts all of these and reads the expected values.
#[track_caller]
fn assert_accepted(case: &str, verifications: &[Verification<'_>]) {
    for verifier in Verifier::ALL {
        for (verification, read) in verifications.iter().zip(verifier.verify(verifications)) {
            let about = || {
                format!(
                    "{verifier:?}: {}\n{:#}\n{:#}",
                    verification.jwt, verification.header, verification.claims
                )
            };
            let mut read = read.unwrap_or_else(|error| panic!("{error}\n{}", about()));
            let jti = read["claims"].as_object_mut().unwrap().remove("jti");
            let length = jti.map(|jti| jti.as_str().unwrap().len() - 1);
            let expected = match verification.jti {
                Jti::Uuid => Some(36),
                Jti::Hex => Some(32),
                _ => None,
            };
            assert_eq!(length, expected, "{}", about());
            for (part, expected) in [
                ("header", &verification.header),
                ("claims", &verification.claims),
            ] {
                assert!(
                    is_same(verifier, &read[part], expected),
                    "{:#}\n{}",
                    read[part],
                    about()
                );
            }
        }
    }
    for verifier in Verifier::ALL {
        record(verifier.name(), FLOW, case, "accepted with equal values");
    }
    assert_openssl(true, case, verifications);
}

#[track_caller]
fn assert_openssl(accepts: bool, case: &str, verifications: &[Verification<'_>]) {
    for verification in verifications {
        assert_eq!(
            verification.key.openssl_verifies(&verification.jwt),
            accepts,
            "openssl: {}",
            verification.jwt
        );
    }
    let says = if accepts { "verified" } else { "refused" };
    record("openssl", FLOW, case, format!("signature {says}"));
}

/// Checks that each verifier refuses all of these with its error.
#[track_caller]
fn assert_refused(case: &str, verifications: &[Verification<'_>], errors: [&str; 3]) {
    for (verifier, error) in Verifier::ALL.into_iter().zip(errors) {
        for (verification, answer) in verifications.iter().zip(verifier.verify(verifications)) {
            assert_eq!(
                answer,
                Err(error.to_owned()),
                "{verifier:?}: {}",
                verification.jwt
            );
        }
        record(verifier.name(), FLOW, case, format!("refused, {error}"));
    }
}

/// Makes a new directory in the scratch directory of the run.
#[track_caller]
fn scratch(name: &str) -> PathBuf {
    let directory = path("verifiers").join(name);
    let _ = fs::remove_dir_all(&directory); // of an earlier run
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Returns the time, and the same in seconds since the epoch.
fn now() -> (SystemTime, u64) {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (now, since.as_secs())
}

fn marketing_cloud_intelligence_with(key: &Key) -> Verification<'_> {
    let endpoint = Endpoint::token(marketing_cloud_intelligence::US1).unwrap();
    let profile = Profile::marketing_cloud_intelligence(endpoint, "svc-0001");
    let (now, seconds) = now();
    let claims = json!({
        "iss": "svc-0001",
        "sub": "svc-0001",
        "aud": "https://idp.intelligence.salesforce.com",
        "iat": seconds,
    });
    Verification::new(&profile, key, now, claims, Jti::Hex)
}

fn salesforce_with(key: &Key) -> Verification<'_> {
    let login = "https://login.salesforce.com/";
    let profile = Profile::salesforce(login, "3MVG9TESTKEY", "ci@example.com").unwrap();
    let (now, seconds) = now();
    let claims = json!({
        "iss": "3MVG9TESTKEY",
        "sub": "ci@example.com",
        "aud": "https://login.salesforce.com",
        "exp": seconds + 120,
    });
    Verification::new(&profile, key, now, claims, Jti::Uuid)
}

fn cylance_with(key: &Key) -> Verification<'_> {
    let (tenant, application) = (
        "66666666-7777-8888-9999-000000000000",
        "11111111-2222-3333-4444-555555555555",
    );
    let profile = Profile::cylance(cylance::NORTH_AMERICA, tenant, application)
        .unwrap()
        .with_scope("device:list threat:read");
    let (now, seconds) = now();
    let claims = json!({
        "iss": "http://cylance.com",
        "sub": application,
        "tid": tenant,
        "exp": seconds + 180,
        "iat": seconds,
        "scp": ["device:list", "threat:read"],
    });
    Verification::new(&profile, key, now, claims, Jti::Uuid)
}

fn client() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint)
}

fn client_credentials_with(key: &Key) -> Verification<'_> {
    let (now, seconds) = now();
    let claims = json!({
        "iss": "client-1",
        "sub": "client-1",
        "aud": "https://as.example.com/token",
        "exp": seconds + 60,
        "iat": seconds,
    });
    Verification::new(&client(), key, now, claims, Jti::Uuid)
}

fn jwt_bearer_with(key: &Key) -> Verification<'_> {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let audience = Audience::Fixed("https://as.example.com".to_owned());
    let profile = Profile::jwt_bearer(endpoint, "issuer-1", audience)
        .with_subject("jörg@example.com")
        .with_iat_leeway(Duration::from_secs(10))
        .with_assertion_lifetime(Duration::from_secs(90))
        .with_claim("roles", json!(["a", "b \"c\""]))
        .with_claim("level", 3);
    let (now, seconds) = now();
    let claims = json!({
        "iss": "issuer-1",
        "sub": "jörg@example.com",
        "aud": "https://as.example.com",
        "exp": seconds + 90,
        "iat": seconds - 10,
        "roles": ["a", "b \"c\""],
        "level": 3,
    });
    Verification::new(&profile, key, now, claims, Jti::Uuid)
}

/// Returns assertions of each provider with the keys that it accepts, and of the generic flows with all keys.
fn of_every_profile() -> Vec<Verification<'static>> {
    let of_one = |key: &'static Key| {
        let generic = [client_credentials_with(key), jwt_bearer_with(key)];
        let providers = match key.alg() {
            "HS256" => vec![cylance_with(key)],
            _ => vec![marketing_cloud_intelligence_with(key), salesforce_with(key)],
        };
        generic.into_iter().chain(providers)
    };
    keys().iter().flat_map(of_one).collect()
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn verifiers_accept_assertions_of_every_profile() {
    assert_accepted("every provider and both generic flows", &of_every_profile());
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn verifiers_refuse_assertion_with_a_changed_bit() {
    let verifications = of_every_profile();
    let names = ["header", "claims", "signature"];
    for (segment, name) in names.into_iter().enumerate() {
        let case = &format!("a bit changed in the {name}");
        let flipped: Vec<_> = verifications
            .iter()
            .map(|verification| verification.with_flipped_bit(segment))
            .collect();
        for verifier in Verifier::ALL {
            let answers = verifier.verify(&flipped);
            let refused = answers.iter().all(Result::is_err);
            assert!(refused, "{verifier:?} {segment}: {answers:?}");
            record(verifier.name(), FLOW, case, "refused");
        }
        assert_openssl(false, case, &flipped);
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn verifiers_refuse_assertion_for_another_issuer_or_audience() {
    let verifications = of_every_profile();
    let claim = "ERR_JWT_CLAIM_VALIDATION_FAILED";
    let foreign: Vec<_> = verifications
        .iter()
        .map(|verification| verification.with_other_expected("iss"))
        .collect();
    let errors = ["InvalidIssuerError", claim, "InvalidIssuer"];
    assert_refused("another issuer is expected", &foreign, errors);
    let (named, unnamed): (Vec<_>, Vec<_>) = verifications
        .iter()
        .partition(|verification| verification.claims.get("aud").is_some());
    let elsewhere = |verifications: Vec<&Verification<'static>>| -> Vec<_> {
        verifications
            .into_iter()
            .map(|verification| verification.with_other_expected("aud"))
            .collect()
    };
    let errors = ["InvalidAudienceError", claim, "InvalidAudience"];
    assert_refused("another audience is expected", &elsewhere(named), errors);
    let errors = [
        "MissingRequiredClaimError",
        claim,
        r#"MissingRequiredClaim("aud")"#,
    ];
    assert_refused(
        "an audience is expected of Cylance's assertion",
        &elsewhere(unnamed),
        errors,
    );
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn verifiers_refuse_expired_assertion_and_another_keys_signature() {
    let hour = Duration::from_secs(3600);
    let expired = |key: &'static Key| {
        let jwt = client().assertion(&*key.signer, SystemTime::now() - hour);
        let jwt = jwt.unwrap().secret().to_owned();
        Verification {
            jwt,
            ..client_credentials_with(key)
        }
    };
    let verifications: Vec<_> = keys().iter().map(expired).collect();
    let errors = [
        "ExpiredSignatureError",
        "ERR_JWT_EXPIRED",
        "ExpiredSignature",
    ];
    assert_refused("expired an hour ago", &verifications, errors);

    let of_another = |(key, other): (&'static Key, &Key)| Verification {
        jwt: client_credentials_with(other).jwt,
        ..client_credentials_with(key)
    };
    let (rsa, secrets) = keys().split_at(BITS.len());
    let pairs = rsa
        .iter()
        .zip(&rsa[1..])
        .chain(secrets.iter().zip(&secrets[1..]));
    let verifications: Vec<_> = pairs.map(of_another).collect();
    let signature = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
    let errors = ["InvalidSignatureError", signature, "InvalidSignature"];
    assert_refused("signed with another key", &verifications, errors);
    assert_openssl(false, "signed with another key", &verifications);
}

// ---- generated claims ----

const CASES: usize = 500;
/// Set another seed with `PROPTEST_SEED=NUMBER tests/interop/run generated`.
const SEED: u64 = 20_231_114;

/// A generated profile.
#[derive(Debug)]
struct Case {
    key: usize,
    issuer: String,
    subject: Option<String>,
    audience: String,
    /// Seconds.
    exp: Option<u64>,
    iat: Option<u64>,
    jti: Jti,
    claims: BTreeMap<String, Value>,
    typ: Option<String>,
    header: BTreeMap<String, String>,
}

/// Any text, with control characters, quotes and the line ends of JavaScript and terminals. It may be empty.
fn text() -> impl Strategy<Value = String> {
    let special = "\0\n\r\t\u{8}\u{c}\u{1b}\u{7f}\u{85}\"\\/'<&{}[]:, \u{a0}\u{301}\u{200d}\u{2028}\u{2029}\u{202e}\u{feff}\u{fffd}\u{ffff}ßé中🦀\u{10ffff}";
    let special = prop::sample::select(special.chars().collect::<Vec<_>>());
    let character = prop_oneof![special, prop::char::any(), prop::char::range(' ', '~')];
    prop::collection::vec(character, 0..24).prop_map(String::from_iter)
}

/// A valid `iss`, `sub` or `aud`: no quote, no control character, no space at the ends.
fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| {
        let text = text.replace(|c: char| c == '"' || c.is_control(), "");
        match text.trim() {
            "" => "0".to_owned(),
            text => text.to_owned(),
        }
    })
}

fn number() -> impl Strategy<Value = Value> {
    let edges = [
        i64::MIN,
        -(1 << 53) - 1,
        -1,
        0,
        (1 << 53) - 1,
        (1 << 53) + 1,
        i64::MAX,
    ];
    prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(edges.to_vec()).prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        // `serde_json`, which `jsonwebtoken` uses, reads some doubles as the next one.
        any::<f64>().prop_filter_map("not read exactly", |number| {
            let value = Value::from(number);
            let read: Value = serde_json::from_str(&value.to_string()).unwrap();
            // From 2^53 on a float may be an integer that lost digits, which is refused.
            let is_exact = number.fract() != 0.0 || number.abs() < 2_f64.powi(53);
            (number.is_finite() && is_exact && read == value).then_some(value)
        }),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let member_names = prop_oneof![text(), Just("__proto__".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(member_names, inner, 0..5)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn case() -> impl Strategy<Value = Case> {
    let registered = |name: &String| {
        let claims = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
        let header = [
            "typ", "alg", "kid", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "crit", "b64",
        ];
        !claims.contains(&name.as_str()) && !header.contains(&name.as_str())
    };
    let own = || text().prop_filter("registered", registered);
    let times = (
        prop::option::of(900..100_000_u64), // long enough to be verified in time
        prop::option::of(0..100_000_u64),
    );
    let jti = prop::sample::select(vec![Jti::Uuid, Jti::Hex, Jti::Omit]);
    let texts = (name(), prop::option::of(name()), name());
    let claims = prop::collection::btree_map(own(), json(), 0..8);
    // `jsonwebtoken` accepts only strings in the header.
    let header = prop::collection::btree_map(own(), text(), 0..3);
    let typ = prop::option::of(text().prop_filter("empty", |typ| !typ.is_empty()));
    let key = 0..BITS.len() + SECRETS.len();
    (key, texts, times, jti, claims, typ, header).prop_map(
        |(key, (issuer, subject, audience), (exp, iat), jti, claims, typ, header)| Case {
            key,
            issuer,
            subject,
            audience,
            exp,
            iat: iat.or((jti == Jti::Omit).then_some(0)), // the profile needs one of them
            jti,
            claims,
            typ,
            header,
        },
    )
}

impl Case {
    /// Signs the assertion and states the expected values without the code of the crate.
    fn verification(&self) -> Verification<'static> {
        let (now, seconds) = now();
        let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
        let mut profile = Profile::jwt_bearer(
            endpoint,
            &self.issuer,
            Audience::Fixed(self.audience.clone()),
        )
        .with_assertion_lifetime(self.exp.map(Duration::from_secs))
        .with_iat_leeway(self.iat.map(Duration::from_secs))
        .with_jti(self.jti)
        .without_typ();
        let key = &keys()[self.key];
        let mut claims = json!({ "iss": self.issuer, "aud": self.audience });
        let mut header = json!({ "alg": key.alg(), "kid": "k1" });
        if let Some(subject) = &self.subject {
            profile = profile.with_subject(subject);
            claims["sub"] = json!(subject);
        }
        if let Some(exp) = self.exp {
            claims["exp"] = json!(seconds + exp);
        }
        if let Some(iat) = self.iat {
            claims["iat"] = json!(seconds - iat);
        }
        if let Some(typ) = &self.typ {
            profile = profile.with_typ(typ);
            header["typ"] = json!(typ);
        }
        for (name, value) in &self.claims {
            profile = profile.with_claim(name, value.clone());
            if !value.is_null() {
                claims[name] = value.clone();
            }
        }
        for (name, value) in &self.header {
            profile = profile.with_header(name, value.clone());
            header[name] = json!(value);
        }
        Verification {
            header,
            ..Verification::new(&profile, key, now, claims, self.jti)
        }
    }
}

#[test]
#[ignore = "tests/interop/run starts what it needs"]
fn verifiers_read_generated_claim_sets_alike() {
    let seed = std::env::var("PROPTEST_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("PROPTEST_SEED={seed}"); // printed when the test fails
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let cases = case();
    let mut generated = || cases.new_tree(&mut runner).unwrap().current();
    let verifications: Vec<_> = (0..CASES).map(|_| generated().verification()).collect();
    assert_accepted(&format!("{CASES} generated claim sets"), &verifications);
}
