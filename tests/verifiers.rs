//! What other verifiers say of our assertions: OpenSSL and PyJWT, with keys that OpenSSL makes.
//!
//! `PYTHON` names the interpreter that has PyJWT and cryptography; `python3` is taken otherwise.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{
    Assertion, Audience, Endpoint, Hs256, Profile, Rs256, Signer, cylance,
    marketing_cloud_intelligence,
};
use serde_json::{Value, json};

/// Reads one JSON object, prints the claims. Exit code 3 is PyJWT's no; any other is a failure.
const PYJWT: &str = r#"
import json, sys, jwt
ask = json.load(sys.stdin)
require = [name for name in ("iss", "aud", "exp", "iat", "jti") if name in ask["claims"]]
try:
    claims = jwt.decode(
        ask["jwt"], ask["key"], algorithms=[ask["alg"]],
        issuer=ask["iss"], audience=ask["aud"], options={"require": require},
    )
    header = jwt.get_unverified_header(ask["jwt"])
except jwt.exceptions.PyJWTError as error:
    print(type(error).__name__)
    sys.exit(3)
json.dump({"header": header, "claims": claims}, sys.stdout)
"#;

/// A new directory of this test's own.
#[track_caller]
fn scratch(test: &str) -> PathBuf {
    let name = format!("verifiers-{test}-{}", std::process::id());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory); // of an earlier process with this number
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Standard output of a program that must succeed.
#[track_caller]
fn run(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A key pair or a secret that OpenSSL has just made.
struct Key {
    signer: Box<dyn Signer>,
    /// The public key in PEM, or the secret.
    verifying: String,
    directory: PathBuf,
}

impl Key {
    #[track_caller]
    fn rsa(test: &str, bits: usize) -> Self {
        let directory = scratch(test);
        let bits = format!("rsa_keygen_bits:{bits}");
        let arguments = [
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            &bits,
            "-out",
            "key.pem",
        ];
        run("openssl", &arguments, &directory);
        let arguments = ["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"];
        run("openssl", &arguments, &directory);
        let pem = fs::read(directory.join("key.pem")).unwrap();
        Self {
            signer: Box::new(Rs256::from_pem(pem).unwrap().with_key_id("k1")),
            verifying: fs::read_to_string(directory.join("public.pem")).unwrap(),
            directory,
        }
    }

    #[track_caller]
    fn hmac(test: &str) -> Self {
        let directory = scratch(test);
        let secret = run("openssl", &["rand", "-base64", "33"], &directory);
        let secret = secret.trim_end().to_owned();
        Self {
            signer: Box::new(Hs256::new(&*secret).unwrap().with_key_id("k1")),
            verifying: secret,
            directory,
        }
    }

    fn alg(&self) -> &'static str {
        self.signer.algorithm().name()
    }

    /// Whether OpenSSL finds the signature to be that of `header.claims`.
    #[track_caller]
    fn openssl_accepts(&self, jwt: &str) -> bool {
        let (message, signature) = jwt.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        fs::write(self.directory.join("message"), message).unwrap();
        fs::write(self.directory.join("signature"), &signature).unwrap();
        if self.alg() == "HS256" {
            let hex: String = self
                .verifying
                .bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let hex = format!("hexkey:{hex}");
            let arguments = [
                "dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", &hex,
            ];
            let arguments = [&arguments[..], &["-out", "expected", "message"]].concat();
            run("openssl", &arguments, &self.directory);
            return fs::read(self.directory.join("expected")).unwrap() == signature;
        }
        let arguments = [
            "dgst",
            "-sha256",
            "-verify",
            "public.pem",
            "-signature",
            "signature",
        ];
        let output = Command::new("openssl")
            .args(arguments)
            .arg("message")
            .current_dir(&self.directory)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        match (output.status.success(), said.trim()) {
            (true, "Verified OK") => true,
            (false, "Verification failure" | "Verification Failure") => false,
            _ => panic!(
                "openssl: {said} {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// Header and claims as PyJWT reads them, or the name of its error.
    #[track_caller]
    fn pyjwt(&self, jwt: &str, expected: &Value) -> Result<Value, String> {
        let ask = json!({
            "jwt": jwt,
            "key": self.verifying,
            "alg": self.alg(),
            "iss": expected["iss"],
            "aud": expected["aud"],
            "claims": expected,
        });
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(&python)
            .args(["-c", PYJWT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python} does not start: {error}"));
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(ask.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        match output.status.code() {
            Some(0) => Ok(serde_json::from_str(&said).unwrap()),
            Some(3) => Err(said.trim().to_owned()),
            _ => panic!("{python}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Both accept the assertion and read these claims, and a `jti` of this length; both refuse it
    /// with any of its segments changed, and PyJWT refuses it for another issuer or audience.
    #[track_caller]
    fn is_accepted(&self, assertion: &Assertion, mut expected: Value, jti: usize) {
        let jwt = assertion.secret();
        assert!(self.openssl_accepts(jwt));
        let read = self.pyjwt(jwt, &expected).unwrap();
        assert_eq!(
            read["header"],
            json!({ "typ": "JWT", "alg": self.alg(), "kid": "k1" })
        );
        assert_eq!(read["claims"]["jti"].as_str().unwrap().len(), jti);
        expected["jti"] = read["claims"]["jti"].clone();
        assert_eq!(read["claims"], expected);

        for segment in 0..3 {
            let flipped = flipped(jwt, segment);
            assert!(!self.openssl_accepts(&flipped), "segment {segment}");
            let error = self.pyjwt(&flipped, &expected).unwrap_err();
            let errors = [
                "InvalidSignatureError",
                "DecodeError",
                "InvalidAlgorithmError",
            ];
            assert!(errors.contains(&&*error), "segment {segment}: {error}");
        }
        let foreign = |name: &str, error: &str| {
            let mut foreign = expected.clone();
            foreign[name] = json!("https://elsewhere.example.com");
            assert_eq!(self.pyjwt(jwt, &foreign).unwrap_err(), error);
        };
        foreign("iss", "InvalidIssuerError");
        match expected.get("aud") {
            Some(_) => foreign("aud", "InvalidAudienceError"),
            None => foreign("aud", "MissingRequiredClaimError"),
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// `jwt` with one bit changed in the middle of a segment's bytes.
#[track_caller]
fn flipped(jwt: &str, segment: usize) -> String {
    let mut segments: Vec<_> = jwt.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&segments[segment]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    segments[segment] = URL_SAFE_NO_PAD.encode(bytes);
    segments.join(".")
}

/// The clock, and what it says in whole seconds.
fn now() -> (SystemTime, u64) {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (now, since.as_secs())
}

/// With hyphens, without.
const UUID: usize = 36;
const HEX: usize = 32;

#[track_caller]
fn marketing_cloud_intelligence_with(key: &Key) {
    let endpoint = Endpoint::token(marketing_cloud_intelligence::US1);
    let profile = Profile::marketing_cloud_intelligence(endpoint, "svc-0001");
    let (now, seconds) = now();
    let claims = json!({
        "iss": "svc-0001",
        "sub": "svc-0001",
        "aud": "https://idp.intelligence.salesforce.com",
        "iat": seconds,
    });
    key.is_accepted(&profile.assertion(&*key.signer, now).unwrap(), claims, HEX);
}

#[track_caller]
fn salesforce_with(key: &Key) {
    let login = "https://login.salesforce.com/";
    let profile = Profile::salesforce(login, "3MVG9TESTKEY", "ci@example.com");
    let (now, seconds) = now();
    let claims = json!({
        "iss": "3MVG9TESTKEY",
        "sub": "ci@example.com",
        "aud": "https://login.salesforce.com",
        "exp": seconds + 120,
    });
    key.is_accepted(&profile.assertion(&*key.signer, now).unwrap(), claims, UUID);
}

#[track_caller]
fn client_credentials_with(key: &Key) {
    let endpoint = Endpoint::token("https://as.example.com/token");
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let (now, seconds) = now();
    let claims = json!({
        "iss": "client-1",
        "sub": "client-1",
        "aud": "https://as.example.com/token",
        "exp": seconds + 60,
        "iat": seconds,
    });
    key.is_accepted(&profile.assertion(&*key.signer, now).unwrap(), claims, UUID);
}

#[track_caller]
fn jwt_bearer_with(key: &Key) {
    let endpoint = Endpoint::token("https://as.example.com/token");
    let audience = Audience::Fixed("https://as.example.com".to_owned());
    let profile = Profile::jwt_bearer(endpoint, "issuer-1", audience)
        .with_subject("jörg@example.com")
        .with_iat(Duration::from_secs(10))
        .with_exp(Duration::from_secs(90))
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
    key.is_accepted(&profile.assertion(&*key.signer, now).unwrap(), claims, UUID);
}

#[test]
#[ignore = "needs openssl and PyJWT: .ci/run runs it"]
fn assertions_of_a_2048_bit_key_are_accepted() {
    let key = Key::rsa("2048", 2048);
    marketing_cloud_intelligence_with(&key);
    salesforce_with(&key);
    client_credentials_with(&key);
    jwt_bearer_with(&key);
}

#[test]
#[ignore = "needs openssl and PyJWT: .ci/run runs it"]
fn assertions_of_a_4096_bit_key_are_accepted() {
    let key = Key::rsa("4096", 4096);
    marketing_cloud_intelligence_with(&key);
    salesforce_with(&key);
    client_credentials_with(&key);
    jwt_bearer_with(&key);
}

#[test]
#[ignore = "needs openssl and PyJWT: .ci/run runs it"]
fn assertions_of_an_hmac_secret_are_accepted() {
    let key = Key::hmac("hmac");
    let (tenant, application) = (
        "66666666-7777-8888-9999-000000000000",
        "11111111-2222-3333-4444-555555555555",
    );
    let profile = Profile::cylance(cylance::NORTH_AMERICA, tenant, application)
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
    key.is_accepted(&profile.assertion(&*key.signer, now).unwrap(), claims, UUID);
    client_credentials_with(&key);
    jwt_bearer_with(&key);
}

#[test]
#[ignore = "needs openssl and PyJWT: .ci/run runs it"]
fn an_assertion_is_refused_when_it_has_expired_or_is_of_another_key() {
    let key = Key::hmac("expired");
    let endpoint = Endpoint::token("https://as.example.com/token");
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let claims = json!({ "iss": "client-1", "aud": "https://as.example.com/token" });
    let refused = |signer: &dyn Signer, now: SystemTime| {
        let assertion = profile.assertion(signer, now).unwrap();
        key.pyjwt(assertion.secret(), &claims).unwrap_err()
    };
    let (now, _seconds) = now();
    let hour = Duration::from_secs(3600);
    assert_eq!(refused(&*key.signer, now - hour), "ExpiredSignatureError");
    assert_eq!(refused(&*key.signer, now + hour), "ImmatureSignatureError");
    let other = Key::hmac("other");
    assert_eq!(refused(&*other.signer, now), "InvalidSignatureError");
    let assertion = profile.assertion(&*other.signer, now).unwrap();
    assert!(!key.openssl_accepts(assertion.secret()));
}
