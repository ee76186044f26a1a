//! Secrets are readable through their accessors only, not through `Debug`, `Display`, error chains or logs.
//!
//! Every printed text is searched for 16 consecutive bytes of any secret in several spellings. That finds a key
//! that is quoted in part, a truncated assertion and each segment of an assertion.

use std::cell::RefCell;
use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display};
use std::io;
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_bearer::*;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::traits::PrivateKeyParts as _;

const HMAC_SECRET: &str = "hmac-secret-of-more-than-thirty-two-bytes";
const CLIENT_SECRET: &str = "client-secret-that-is-a-parameter/+=";
/// A token in a parameter of RFC 8693 §2.1, which this crate has no name for.
const SUBJECT_TOKEN: &str = "subject-token-of-another-server";
const CLAIM: &str = "claim-secret-that-only-the-server-knows";
const TOKEN: &str = "00D000000000001!access.token.whose.holder.can.spend.it";
const REFRESH: &str = "refresh-token-that-came-with-the-other";
#[cfg(feature = "encrypted-keys")]
const PASSPHRASE: &str = "passphrase-of-the-key-in-the-drawer";

// ---- search for secrets ----

/// Consecutive bytes of a secret that do not occur by chance.
const RUN: usize = 16;

/// Every [`RUN`] of every spelling of some secrets.
#[derive(Clone, Default)]
struct Secrets(HashSet<Vec<u8>>);

impl Secrets {
    /// Returns the secrets that all tests share.
    fn shared() -> Self {
        let mut secrets = Self::default();
        for text in [
            HMAC_SECRET,
            CLIENT_SECRET,
            SUBJECT_TOKEN,
            CLAIM,
            TOKEN,
            REFRESH,
        ] {
            secrets.add(text);
        }
        #[cfg(feature = "encrypted-keys")]
        secrets.add(PASSPHRASE);
        let der = der();
        secrets.add(&der);
        let key = RsaPrivateKey::from_pkcs1_der(&der).unwrap();
        for number in [key.d(), &key.primes()[0], &key.primes()[1]] {
            secrets.add(number.to_bytes_be());
            secrets.add(number.to_string()); // decimal digits
            secrets.add(without_white_space(&format!("{number:?}"))); // as rsa's own `Debug` has it
        }
        for pem in [pem("pkcs1_pem"), pem("pkcs8_pem")] {
            pem.lines()
                .filter(|line| !line.starts_with('-'))
                .for_each(|line| secrets.add(line));
        }
        secrets
    }
    /// Adds a secret as it is and in the spellings in which bytes are printed.
    fn add(&mut self, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        let spellings = [
            secret.to_vec(),
            STANDARD.encode(secret).into(),
            URL_SAFE_NO_PAD.encode(secret).into(),
            hex(secret).into(),
            hex(secret).to_uppercase().into(),
            without_white_space(&format!("{secret:?}")).into(), // [104, 109, 97, ...
        ];
        for spelling in spellings {
            self.0.extend(spelling.windows(RUN).map(<[u8]>::to_vec));
        }
    }
    /// Returns a part of a secret that `text` contains. White space is ignored too, which joins wrapped lines.
    fn find_in(&self, text: &str) -> Option<String> {
        [text.to_owned(), without_white_space(text)]
            .iter()
            .find_map(|text| {
                let mut runs = text.as_bytes().windows(RUN);
                let run = runs.find(|run| self.0.contains(*run))?;
                Some(String::from_utf8_lossy(run).into_owned())
            })
    }
    #[track_caller]
    fn assert_not_in(&self, what: &str, text: &str) {
        if let Some(run) = self.find_in(text) {
            panic!("{what} prints {run:?}, part of a secret: {text}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn without_white_space(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The key of RFC 7515 §A.2.
fn pem(name: &str) -> String {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    vectors["key"][name].as_str().unwrap().to_owned()
}

fn der() -> Vec<u8> {
    STANDARD.decode(base64_of(&pem("pkcs1_pem"))).unwrap()
}

/// Returns the base64 text of a PEM block in one line.
fn base64_of(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

fn debug_text(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}")
}

/// Returns everything that a logger could print of an error and its sources.
fn error_chain(error: &Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn StdError> = Some(error);
    while let Some(error) = next {
        text += &format!("{error}\n{error:?}\n{error:#?}\n");
        next = error.source();
    }
    text
}

#[test]
fn secret_search_finds_every_spelling_of_a_secret() {
    let secrets = Secrets::shared();
    let der = der();
    let key = RsaPrivateKey::from_pkcs1_der(&der).unwrap();
    for text in [
        debug_text(&pem("pkcs8_pem")),
        debug_text(&der),
        debug_text(&key),
        key.d().to_string(),
        format!("{:x}", key.d()),
        base64_of(&pem("pkcs1_pem"))[100..100 + RUN].to_owned(),
        debug_text(&HMAC_SECRET.as_bytes()),
        format!("GET /?client_secret={CLIENT_SECRET}&"),
    ] {
        assert!(secrets.find_in(&text).is_some(), "{text}");
    }
    assert_eq!(secrets.find_in("RsaKey { key_id: None, .. }"), None);
}

// ---- types ----

/// Fails to compile if the type implements one of the traits, since `_` is ambiguous then.
macro_rules! assert_not_impl {
    ($type:ty: $($trait:path),+) => {
        $(const _: fn() = || {
            trait Ambiguous<A> {
                fn item() {}
            }
            struct Implements;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<Implements> for T {}
            let _ = <$type as Ambiguous<_>>::item;
        };)+
    };
}

// One copy of a key is enough, and an assertion is sent once.
assert_not_impl!(RsaKey: Clone, Copy);
assert_not_impl!(HmacKey: Clone, Copy);
assert_not_impl!(Assertion: Clone, Copy);
assert_not_impl!(Request: Clone, Copy);
assert_not_impl!(Exchange<'static>: Clone, Copy);
assert_not_impl!(TokenSource: Clone, Copy);
// The time of a comparison that stops at the first difference reveals the position of the difference.
assert_not_impl!(RsaKey: PartialEq, Eq, PartialOrd, std::hash::Hash);
assert_not_impl!(HmacKey: PartialEq, Eq, PartialOrd, std::hash::Hash);
assert_not_impl!(Assertion: PartialEq, PartialEq<str>, PartialEq<String>, std::hash::Hash);
assert_not_impl!(AccessToken: PartialEq, PartialEq<str>, PartialEq<String>, std::hash::Hash);
assert_not_impl!(Request: PartialEq, std::hash::Hash);
assert_not_impl!(Response: PartialEq, std::hash::Hash);
assert_not_impl!(Exchange<'static>: PartialEq, std::hash::Hash);
assert_not_impl!(Profile: PartialEq, std::hash::Hash);
assert_not_impl!(TokenSource: PartialEq, std::hash::Hash);
assert_not_impl!(Error: PartialEq, std::hash::Hash);
// The accessors `secret`, `authorization`, `body`, `url` and `response` are the only ways to a text.
assert_not_impl!(RsaKey: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>, Into<String>);
assert_not_impl!(HmacKey: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>, Into<String>);
assert_not_impl!(Assertion: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>, Into<String>);
assert_not_impl!(AccessToken: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>, Into<String>);
assert_not_impl!(Request: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>, Into<String>);
assert_not_impl!(Response: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>, Into<String>);
assert_not_impl!(Exchange<'static>: std::ops::Deref, Display, AsRef<str>, AsRef<[u8]>);
assert_not_impl!(Profile: std::ops::Deref, Display);
assert_not_impl!(Endpoint: std::ops::Deref, Display);
assert_not_impl!(TokenSource: std::ops::Deref, Display);

fn hmac_key() -> HmacKey {
    HmacKey::new(HMAC_SECRET).unwrap().with_key_id("k1")
}

fn unix_time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn with_secrets(profile: Profile) -> Profile {
    let profile = profile.with_claim("pin", CLAIM).with_header("pin", CLAIM);
    profile
        .with_parameter("client_secret", CLIENT_SECRET)
        .with_parameter("subject_token", SUBJECT_TOKEN)
}

fn generic_profile() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    with_secrets(Profile::client_credentials(
        endpoint,
        "client-1",
        Audience::TokenEndpoint,
    ))
}

#[test]
fn debug_of_public_types_prints_no_secret() {
    let mut secrets = Secrets::shared();
    for name in ["pkcs1_pem", "pkcs8_pem"] {
        let key = RsaKey::from_pem(pem(name)).unwrap();
        secrets.assert_not_in("RsaKey", &debug_text(&key));
    }
    secrets.assert_not_in("RsaKey", &debug_text(&RsaKey::from_der(der()).unwrap()));
    let repaired = RsaKey::from_pem(pem("pkcs1_pem").replace('\n', "\\n")).unwrap();
    secrets.assert_not_in("RsaKey of a repaired PEM", &debug_text(&repaired));
    secrets.assert_not_in("HmacKey", &debug_text(&hmac_key()));

    for placement in [Placement::FORM, Placement::JSON, Placement::QUERY] {
        let profile = generic_profile().with_placement(placement);
        secrets.assert_not_in("Profile", &debug_text(&profile));
        let key = hmac_key();
        let exchange = Exchange::new(&profile, &key, unix_time(1_700_000_000)).unwrap();
        let assertion = exchange.assertion().secret();
        secrets.add(assertion);
        secrets.assert_not_in("Assertion", &debug_text(exchange.assertion()));
        secrets.assert_not_in("Request", &debug_text(exchange.request()));
        let response = SUCCESS.of(exchange.request(), assertion).unwrap();
        secrets.assert_not_in("Response", &debug_text(&response));
        let token = exchange.read(response).unwrap();
        assert_eq!(token.secret(), TOKEN);
        secrets.assert_not_in("AccessToken", &debug_text(&token));
    }
}

#[test]
fn endpoint_debug_and_errors_print_host_only() {
    let secrets = Secrets::shared();
    for url in [
        format!("https://as.example.com/token?key={CLIENT_SECRET}"),
        format!("https://as.example.com/{CLIENT_SECRET}"),
        format!("https://user:{CLIENT_SECRET}@as.example.com/token"),
        format!("http://as.example.com/token?key={CLIENT_SECRET}"),
        format!("https://as.example.com/#{CLIENT_SECRET}"),
        format!("https://as.example.com/ {CLIENT_SECRET}"),
        format!("https://as.example.com:{CLIENT_SECRET}/"),
        CLIENT_SECRET.to_owned(),
    ] {
        let kinds: [fn(String) -> Result<Endpoint, Error>; 3] =
            [Endpoint::token, Endpoint::issuer, Endpoint::metadata];
        for kind in kinds {
            match kind(url.clone()) {
                Ok(endpoint) => {
                    secrets.assert_not_in("Endpoint", &debug_text(&endpoint));
                    let profile = Profile::jwt_bearer(endpoint, "i", Audience::Omit);
                    secrets.assert_not_in("Profile", &debug_text(&profile));
                }
                Err(error) => secrets.assert_not_in("Error", &error_chain(&error)),
            }
        }
    }
    let salesforce = Profile::salesforce(format!("https://x:{CLIENT_SECRET}@h"), "key", "user");
    secrets.assert_not_in("Error", &error_chain(&salesforce.unwrap_err()));
}

// ---- errors over keys ----

#[track_caller]
fn assert_key_error_without_secrets<T>(secrets: &Secrets, what: &str, outcome: Result<T, Error>) {
    let Err(error) = outcome else {
        panic!("{what} is accepted");
    };
    assert_eq!(error.kind(), ErrorKind::Key, "{what}");
    secrets.assert_not_in(what, &error_chain(&error));
}

#[test]
fn key_error_quotes_no_key_material() {
    let secrets = Secrets::shared();
    for pem in [pem("pkcs1_pem"), pem("pkcs8_pem")] {
        let middle = pem.len() / 2;
        let bare = base64_of(&pem);
        let label = pem.lines().next().unwrap().trim_matches('-');
        let label = label.strip_prefix("BEGIN ").unwrap();
        let labelled = |other: &str| pem.replace(label, other);
        for (what, text) in [
            ("cut off", pem[..middle].to_owned()),
            ("beginning missing", pem[middle..].to_owned()),
            ("a foreign character", pem.replacen("A", "!", 1)),
            (
                "a foreign line",
                [&pem[..middle], "é", &pem[middle..]].concat(),
            ),
            ("two ends", pem.replace("-----END ", "-----END EC ")),
            (
                "old encryption",
                pem.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
            ),
            ("certificate", labelled("CERTIFICATE")),
            ("public", labelled("PUBLIC KEY")),
            ("OpenSSH", labelled("OPENSSH PRIVATE KEY")),
            ("unknown label", labelled("SOMETHING")),
            ("the key as its own label", labelled(&bare)),
            ("another digit", pem.replacen("z", "y", 1)),
            ("a digit missing", pem.replacen("z", "", 1)),
            (
                "a line missing",
                pem.replacen(pem.lines().nth(4).unwrap(), "", 1),
            ),
            ("no markers, cut", bare[..bare.len() / 8 * 4].to_owned()),
            ("no markers, no base64", bare.replace('A', "!")),
            ("base64 of base64, cut", STANDARD.encode(&pem[..middle])),
            ("JSON", format!("{{\"privateKey\":\"{bare}\"}}")),
            ("PuTTY", format!("PuTTY-User-Key-File-3: {bare}")),
            ("ssh", format!("ssh-rsa {bare}")),
            ("a name", format!("{}.pem", &bare[..64])),
            ("too long", bare.repeat(1000)),
        ] {
            assert_key_error_without_secrets(&secrets, what, RsaKey::from_pem(&text));
            #[cfg(feature = "encrypted-keys")]
            assert_key_error_without_secrets(
                &secrets,
                what,
                RsaKey::from_encrypted_pem(&text, PASSPHRASE),
            );
            let file = serde_json::json!({
                "serviceAccountId": "svc-0001",
                "discoveryEndpoint": "https://as.example.com/metadata",
                "privateKey": text,
            });
            let file = file.to_string();
            let read = marketing_cloud_intelligence::credentials(&file);
            assert_key_error_without_secrets(&secrets, what, read);
            let cut = marketing_cloud_intelligence::credentials(&file[..file.len() - 1]);
            secrets.assert_not_in("a credential file cut off", &error_chain(&cut.unwrap_err()));
        }
        let not_text = [b"\xff\xfe", pem.as_bytes()].concat();
        assert_key_error_without_secrets(&secrets, "UTF-16", RsaKey::from_pem(not_text));
        assert_key_error_without_secrets(&secrets, "PEM for DER", RsaKey::from_der(&pem));
    }
    let der = der();
    assert_key_error_without_secrets(&secrets, "DER for PEM", RsaKey::from_pem(&der));
    assert_key_error_without_secrets(
        &secrets,
        "DER cut off",
        RsaKey::from_der(&der[..der.len() / 2]),
    );
    assert_key_error_without_secrets(&secrets, "DER too long", RsaKey::from_der(der.repeat(1000)));
    assert_key_error_without_secrets(&secrets, "no HMAC secret", HmacKey::new(""));
}

#[test]
fn key_error_of_short_rsa_key_quotes_no_key_material() {
    use rsa::pkcs8::EncodePrivateKey as _;
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let der = key.to_pkcs8_der().unwrap();
    let mut secrets = Secrets::default();
    secrets.add(der.as_bytes());
    secrets.add(key.d().to_string());
    assert_key_error_without_secrets(&secrets, "1024 bits", RsaKey::from_der(der.as_bytes()));
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn wrong_passphrase_error_quotes_neither_passphrase_nor_key() {
    use rsa::pkcs8::{EncodePrivateKey as _, pkcs5::pbes2::Parameters};
    let mut secrets = Secrets::shared();
    let key = RsaPrivateKey::from_pkcs1_der(&der()).unwrap();
    let plain = key.to_pkcs8_der().unwrap();
    let plain = pkcs8::PrivateKeyInfo::try_from(plain.as_bytes()).unwrap();
    let (salt, iv) = ([7; 16], [9; 16]);
    let scheme = Parameters::pbkdf2_sha256_aes256cbc(2048, &salt, &iv).unwrap();
    let sealed = plain.encrypt_with_params(scheme, PASSPHRASE).unwrap();
    secrets.add(sealed.as_bytes());
    const WRONG: &str = "a-passphrase-of-another-key-in-the-drawer";
    secrets.add(WRONG);
    let label = "ENCRYPTED PRIVATE KEY-----";
    let body = STANDARD.encode(sealed.as_bytes());
    let pem = format!("-----BEGIN {label}\n{body}\n-----END {label}\n");
    let key = RsaKey::from_encrypted_pem(&pem, PASSPHRASE).unwrap();
    secrets.assert_not_in("RsaKey", &debug_text(&key));
    assert_key_error_without_secrets(&secrets, "PEM", RsaKey::from_encrypted_pem(&pem, WRONG));
    let der = sealed.as_bytes();
    assert_key_error_without_secrets(&secrets, "DER", RsaKey::from_encrypted_der(der, WRONG));
    assert_key_error_without_secrets(
        &secrets,
        "cut",
        RsaKey::from_encrypted_der(&der[..900], PASSPHRASE),
    );
    assert_key_error_without_secrets(&secrets, "no passphrase", RsaKey::from_pem(&pem));
    assert_key_error_without_secrets(&secrets, "no passphrase, DER", RsaKey::from_der(der));
}

/// A signer whose device is locked.
struct LockedSigner(#[allow(dead_code)] HmacKey);

impl Signer for LockedSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        Err("the device is locked".into())
    }
}

#[test]
fn signer_error_keeps_its_cause_and_quotes_no_secret() {
    let error = generic_profile().assertion(&LockedSigner(hmac_key()), unix_time(1_700_000_000));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error_chain(&error).contains("the device is locked"));
    Secrets::shared().assert_not_in("a signer's error", &error_chain(&error));
}

// ---- exchanges ----

/// The outcome of a request. Words in capitals stand for secrets: see [`fill_in`].
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A response with a status and a body.
    Body(u16, &'static str),
    Redirect(&'static str),
    /// An I/O error of this text.
    Fails(&'static str),
    /// An I/O error with a source of this text.
    FailsWithSource(&'static str),
}
use Outcome::{Body, Fails, FailsWithSource, Redirect};

const SUCCESS: Outcome = Body(
    200,
    r#"{"access_token":"TOKEN","refresh_token":"REFRESH","id":{"raw":"REFRESH"},"expires_in":300}"#,
);

const OUTCOMES: &[Outcome] = &[
    SUCCESS,
    // tokens whose other members repeat secrets
    Body(
        200,
        r#"{"access_token":"TOKEN","scope":"ASSERTION TOKEN CLIENT_SECRET"}"#,
    ),
    Body(
        200,
        r#"{"access_token":"TOKEN","ASSERTION":1,"TOKEN":2,"REFRESH":3}"#,
    ),
    // denied
    Body(400, r#"{"error":"ASSERTION"}"#),
    Body(
        400,
        r#"{"error":"invalid_grant","error_description":"cannot verify ASSERTION!"}"#,
    ),
    Body(
        400,
        r#"{"error":"invalid_grant","error_description":"cannot verify PART"}"#,
    ),
    Body(
        400,
        r#"{"error":"invalid_grant","error_description":"\u0007SIGNATURE"}"#,
    ),
    Body(
        400,
        r#"{"error":"invalid_client","error_description":"CLIENT_SECRET"}"#,
    ),
    Body(
        400,
        r#"{"error":"SUBJECT","error_description":"bad subject_token: SUBJECT"}"#,
    ),
    Body(401, r#"{"message":"bad: ASSERTION"}"#),
    Body(400, r#"[{"error":"ASSERTION","message":"ASSERTION"}]"#),
    Body(
        200,
        r#"{"access_token":"TOKEN","error":"TOKEN","error_description":"TOKEN"}"#,
    ),
    Body(
        403,
        r#"{"access_token":"TOKEN","error":"TOKEN","message":"TOKEN"}"#,
    ),
    Body(401, ""),
    // unavailable
    Body(429, r#"{"error":"ASSERTION","message":"ASSERTION"}"#),
    Body(503, "<html>ASSERTION TOKEN"),
    // protocol errors
    Body(200, r#"{"access_token":"TOKEN","token_type":"mac"}"#),
    Body(200, r#"{"access_token":"TOKEN\n"}"#),
    Body(200, r#"{"access_token":["TOKEN"]}"#),
    Body(200, r#"["TOKEN"]"#),
    Body(200, r#"{"access_token":"TOKEN","#),
    Body(201, "access_token=TOKEN&token_type=bearer"),
    Body(200, "<html>ASSERTION TOKEN URL BODY"),
    Body(403, "<html>ASSERTION TOKEN URL BODY"),
    Body(404, r#"{"access_token":"TOKEN","path":"URL"}"#),
    Body(200, "TOO_LONG"),
    Redirect("https://other.example.com/token?client_assertion=ASSERTION"),
    Redirect("https://ASSERTION@other.example.com/token"),
    Redirect("https://ASSERTION.example.com/"),
    Redirect("https://TOKEN/"),
    Redirect("ASSERTION"),
    // network
    Fails("cannot send POST URL BODY"),
    FailsWithSource("cannot send POST URL BODY"),
    Fails("ASSERTION"),
    Fails("cannot send PART..."),
    FailsWithSource("SIGNATURE"),
    Fails("cannot encode PARAMETER"),
    FailsWithSource("CLIENT_SECRET"),
    Fails("cannot encode SUBJECT"),
    Fails("cable cut by an excavator"),
];

/// Returns `text` with secrets in place of the words in capitals.
fn fill_in(text: &str, request: &Request, assertion: &str) -> String {
    let all = [request.url(), std::str::from_utf8(request.body()).unwrap()].join(" ");
    let parameter = all.find("client_secret").map_or("", |at| &all[at..at + 40]);
    let signature = assertion.rsplit('.').next().unwrap();
    // No other word contains TOKEN, and no inserted text contains one of the words.
    text.replace("TOO_LONG", &"TOKEN ASSERTION".repeat(4096))
        .replace("TOKEN", TOKEN)
        .replace("REFRESH", REFRESH)
        .replace("CLIENT_SECRET", CLIENT_SECRET)
        .replace("SUBJECT", SUBJECT_TOKEN)
        .replace("URL", request.url())
        .replace("BODY", std::str::from_utf8(request.body()).unwrap())
        .replace("PARAMETER", parameter)
        .replace("PART", assertion.get(20..60).unwrap_or_default())
        .replace("SIGNATURE", signature)
        .replace("ASSERTION", assertion)
}

impl Outcome {
    fn of(self, request: &Request, assertion: &str) -> io::Result<Response> {
        let filled = |text| fill_in(text, request, assertion);
        let challenge = filled("Bearer error_description=\"ASSERTION CLIENT_SECRET\"");
        let respond = |status, body| {
            let response = Response::new(status, filled(body));
            Ok(response.with_header("WWW-Authenticate", &*challenge))
        };
        match self {
            Body(status, body) => respond(status, body),
            Redirect(location) => respond(302, r#"{"access_token":"TOKEN"}"#)
                .map(|response| response.with_header("Location", filled(location))),
            Fails(text) => Err(io::Error::other(filled(text))),
            FailsWithSource(text) => Err(io::Error::other(ErrorWithSource(filled(text).into()))),
        }
    }
}

/// A foreign error whose own text does not repeat its source.
struct ErrorWithSource(BoxError);

impl Display for ErrorWithSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client failed")
    }
}

impl Debug for ErrorWithSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorWithSource")
    }
}

impl StdError for ErrorWithSource {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

thread_local! {
    static RECORDS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Collects what this crate logs at every level, per thread so that tests do not see each other's records.
struct LogCollector;

impl log::Log for LogCollector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if record.target().starts_with("jwt_bearer") {
            let record = format!("{} {}\n", record.level(), record.args());
            RECORDS.with_borrow_mut(|records| records.push(record));
        }
    }
    fn flush(&self) {}
}

fn collect_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| log::set_logger(&LogCollector).unwrap());
    log::set_max_level(log::LevelFilter::Trace);
    RECORDS.take();
}

/// Returns the assertion of a request: the only part of it that begins like a JWT.
fn assertion_in(request: &Request) -> Option<String> {
    let all = format!(
        "{} {}",
        request.url(),
        std::str::from_utf8(request.body()).unwrap()
    );
    let of_a_jwt = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let found = all.get(all.find("eyJ")?..)?;
    Some(found.chars().take_while(of_a_jwt).collect())
}

/// Everything that one fetch prints, and the assertions that it sent.
struct Printed {
    values: String,
    log: String,
    assertions: Secrets,
}

/// Fetches a token with these outcomes of a metadata request and of a token request.
fn fetch(
    profile: &Profile,
    signer: Arc<dyn Signer>,
    metadata: Outcome,
    answer: Outcome,
) -> Printed {
    collect_logs();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = sent.clone();
    let transport = move |request: &Request, _| match assertion_in(request) {
        None => metadata.of(request, ""),
        Some(assertion) => {
            let answer = answer.of(request, &assertion);
            record.lock().unwrap().push(assertion);
            answer
        }
    };
    let source = TokenSource::with_transport(transport, profile.clone(), signer).unwrap();
    let source = source.with_clock(ManualClock::new(unix_time(1_700_000_000)));
    let outcome = match source.token() {
        Ok(token) => debug_text(&token),
        Err(error) => error_chain(&error),
    };
    let mut assertions = Secrets::default();
    for assertion in sent.lock().unwrap().iter() {
        assert_eq!(assertion.split('.').count(), 3);
        assertions.add(assertion);
    }
    Printed {
        values: debug_text(&source) + &outcome,
        log: RECORDS.take().concat(),
        assertions,
    }
}

const METADATA: Outcome = Body(200, r#"{"token_endpoint":"https://as.example.com/token"}"#);

/// On Unix, the name of a file may contain anything.
#[cfg(unix)]
#[test]
fn name_of_a_key_file_is_logged_without_control_characters() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key\u{1b}[31m\u{202e}.der");
    std::fs::write(&path, include_bytes!("data/keys/rsa-2048.der")).unwrap();
    let key = KeyFile::new(&path, |bytes| RsaKey::read(bytes)).unwrap();
    std::fs::remove_file(&path).unwrap();
    collect_logs();
    key.current();
    let log = RECORDS.take().concat();
    assert!(log.contains("/key.der: "), "{log}");
    assert!(log.ends_with("the former key signs\n"), "{log}");
    assert!(!log.trim_end().contains(char::is_control), "{log:?}");
}

#[test]
fn exchange_prints_no_secret_in_values_errors_or_logs() {
    let rsa: Arc<dyn Signer> = Arc::new(RsaKey::from_pem(pem("pkcs1_pem")).unwrap());
    let hmac: Arc<dyn Signer> = Arc::new(hmac_key());
    let metadata = || Endpoint::metadata("https://as.example.com/metadata").unwrap();
    let discovered = Profile::client_credentials(metadata(), "client-1", Audience::TokenEndpoint);
    let intelligence = Profile::marketing_cloud_intelligence(metadata(), "svc-0001");
    let salesforce = Profile::salesforce("https://login.salesforce.com", "key", "user").unwrap();
    let cylance = Profile::cylance(cylance::NORTH_AMERICA, "tenant", "application").unwrap();
    let shared = Secrets::shared();
    let mut leaks = Vec::new();
    for (name, profile, signer) in [
        ("form", generic_profile(), &rsa),
        ("form", generic_profile(), &hmac),
        (
            "JSON",
            generic_profile().with_placement(Placement::JSON),
            &hmac,
        ),
        (
            "query",
            generic_profile().with_placement(Placement::QUERY),
            &rsa,
        ),
        ("discovered", with_secrets(discovered), &hmac),
        ("Intelligence", with_secrets(intelligence), &rsa),
        ("Salesforce", with_secrets(salesforce), &rsa),
        ("Cylance", with_secrets(cylance), &hmac),
    ] {
        for answer in OUTCOMES {
            let printed = fetch(&profile, signer.clone(), METADATA, *answer);
            assert!(!printed.assertions.0.is_empty(), "no assertion was sent");
            assert!(
                !printed.log.is_empty(),
                "{name}, {answer:?}: nothing is logged"
            );
            for (place, text) in [("value", &printed.values), ("log", &printed.log)] {
                let run = shared.find_in(text);
                let run = run.or_else(|| printed.assertions.find_in(text));
                leaks.extend(run.map(|run| format!("{name}, {answer:?}, in a {place}: {run}")));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// The metadata contains secrets, and its URL contains one.
#[test]
fn discovery_prints_no_secret_in_values_errors_or_logs() {
    let secrets = Secrets::shared();
    let hidden = format!("https://as.example.com/metadata?key={CLIENT_SECRET}");
    let signer: Arc<dyn Signer> = Arc::new(hmac_key());
    for metadata in [
        Body(200, "<html>TOKEN URL"),
        Body(200, r#"{"issuer":"TOKEN"}"#),
        Body(200, r#"{"token_endpoint":"http://TOKEN/"}"#),
        Body(
            200,
            r#"{"token_endpoint":"https://user:CLIENT_SECRET@as.example.com/"}"#,
        ),
        Body(
            200,
            r#"{"token_endpoint":"https://as.example.com/?key=CLIENT_SECRET"}"#,
        ),
        Body(
            404,
            r#"{"error":"TOKEN","access_token":"TOKEN","message":"URL"}"#,
        ),
        Body(
            503,
            r#"{"error":"TOKEN","access_token":"TOKEN","message":"URL"}"#,
        ),
        Redirect("https://as.example.com/CLIENT_SECRET"),
        Fails("cable cut by an excavator"),
    ] {
        for endpoint in [
            Endpoint::metadata(&*hidden).unwrap(),
            Endpoint::issuer("https://as.example.com").unwrap(),
        ] {
            let profile = Profile::client_credentials(endpoint, "client-1", Audience::Omit);
            let profile = with_secrets(profile);
            let printed = fetch(&profile, signer.clone(), metadata, Body(401, ""));
            let what = format!("{metadata:?}");
            secrets.assert_not_in(&what, &printed.values);
            secrets.assert_not_in(&what, &printed.log);
        }
    }
}

/// Fetches a token whose response has this body, and returns the warnings.
fn warnings(profile: &Profile, body: &'static str) -> String {
    let printed = fetch(profile, Arc::new(hmac_key()), METADATA, Body(200, body));
    let (values, log) = (&printed.values, &printed.log);
    assert!(values.contains("AccessToken { expires_at"), "{values}");
    for secret in [&Secrets::shared(), &printed.assertions] {
        secret.assert_not_in(body, log);
    }
    let warnings = log.lines().filter(|line| line.starts_with("WARN "));
    warnings.collect::<Vec<_>>().join("\n")
}

#[test]
fn lifetime_that_the_caller_named_and_the_response_lacks_is_a_warning() {
    let seconds = generic_profile().with_expires_in("/session/ttl");
    let milliseconds = generic_profile().with_expires_in_milliseconds("ttl");
    let time = generic_profile().with_expires_at("until");
    let rows = [
        (
            &seconds,
            "the response has no /session/ttl; it has access_token, expires_in, /session/a",
            &[
                r#"{"access_token":"TOKEN","session":{"a":1},"expires_in":300,"TOKEN":1,"a name":1}"#,
            ][..],
        ),
        (
            &seconds,
            "the /session/ttl of the response is no number of seconds above zero",
            &[
                r#"{"access_token":"TOKEN","session":{"ttl":"TOKEN"}}"#,
                r#"{"access_token":"TOKEN","session":{"ttl":"2099-01-01T00:00:00Z"}}"#,
                r#"{"access_token":"TOKEN","session":{"ttl":0}}"#,
            ],
        ),
        (
            &milliseconds,
            "the ttl of the response is no number of milliseconds above zero",
            &[r#"{"access_token":"TOKEN","ttl":[1]}"#],
        ),
        (
            &time,
            "the response has no until; it has access_token",
            &[
                r#"{"access_token":"TOKEN"}"#,
                r#"{"access_token":"TOKEN","until":null}"#,
            ],
        ),
        (
            &time,
            "the response has no until; it has a, access_token, b, c, d, e, f, g",
            &[r#"{"access_token":"TOKEN","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}"#],
        ),
        (
            &time,
            "the until of the response is no time in the future, as a date of RFC 3339 or in seconds since 1970",
            &[
                r#"{"access_token":"TOKEN","until":"soon"}"#,
                r#"{"access_token":"TOKEN","until":"2023-11-14T22:13:20Z"}"#, // now
                r#"{"access_token":"TOKEN","until":1}"#,
                r#"{"access_token":"TOKEN","until":1700000300000}"#, // in milliseconds
            ],
        ),
    ];
    for (profile, problem, bodies) in rows {
        let profile = profile.clone().with_token_lifetime(Duration::from_secs(77));
        for body in bodies {
            let expected = format!(
                "WARN Token(as.example.com): {problem}: the token is taken to live 77 s (setting token-lifetime)"
            );
            assert_eq!(warnings(&profile, body), expected, "{body}");
        }
    }
}

#[test]
fn warning_of_a_lifetime_hides_a_token_that_looks_like_a_name() {
    let profile = generic_profile().with_expires_in("ttl");
    let body = r#"{"access_token":"opaque-token-1","opaque-token-1":1}"#;
    let warned = warnings(&profile, body);
    assert!(
        warned.contains("the response has no ttl; it has access_token, "),
        "{warned}"
    );
    assert!(!warned.contains("opaque-token-1"), "{warned}");
}

/// An element of an array has no name by which a token could be found at any depth.
#[test]
fn denial_repeats_no_token_that_is_an_element_of_an_array() {
    let profile = generic_profile().with_token_member("/tokens/0");
    let key = hmac_key();
    let exchange = Exchange::new(&profile, &key, unix_time(1_700_000_000)).unwrap();
    let body = r#"{"tokens":["opaque-token-of-a-server"],"error":"no opaque-token-of-a-server"}"#;
    let error = exchange.read(Response::new(400, body)).unwrap_err();
    assert_eq!(error.code(), Some("no [..]"));
}

/// RFC 6749 §5.1 recommends `expires_in` and does not require it; Vault's zero means that the token never expires.
#[test]
fn lifetime_that_nobody_named_or_that_is_there_is_no_warning() {
    let vault = Profile::vault("https://as.example.com", "jwt", "role").unwrap();
    let vault = vault.with_algorithms([]); // the key here is an HMAC secret
    for (profile, body) in [
        (generic_profile(), r#"{"access_token":"TOKEN"}"#),
        (
            generic_profile(),
            r#"{"access_token":"TOKEN","expires_in":"soon"}"#,
        ),
        (
            generic_profile(),
            r#"{"access_token":"TOKEN","expires_in":0}"#,
        ),
        (
            vault,
            r#"{"auth":{"client_token":"TOKEN","lease_duration":0}}"#,
        ),
        (
            generic_profile().with_expires_in("ttl"),
            r#"{"access_token":"TOKEN","ttl":"60"}"#,
        ),
        (
            generic_profile().with_expires_at("until"),
            r#"{"access_token":"TOKEN","until":"2023-11-14T22:13:21Z"}"#,
        ),
    ] {
        assert_eq!(warnings(&profile, body), "", "{body}");
    }
}

#[test]
fn network_error_keeps_a_cause_without_secrets() {
    let cause = Fails("cable cut by an excavator");
    let printed = fetch(&generic_profile(), Arc::new(hmac_key()), METADATA, cause);
    assert!(printed.values.contains("cable cut by an excavator"));
}

// ---- secrets of other attempts, and secrets in pieces ----

const REFRESH_TOKEN: &str = "the-refresh-token-of-this-one-response";
const ID_TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLXRoZS1pZC10b2tlbg";

/// Characters that change how the text around them is displayed, or that are not displayed at all.
const INVISIBLE: &[char] = &[
    '\0', '\u{7}', '\u{1b}', '\u{7f}', // C0 and delete
    '\u{80}', '\u{85}', '\u{9b}', '\u{9f}', // C1: next line, control sequence introducer
    '\u{ad}', // soft hyphen
    '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', // zero width
    '\u{200e}', '\u{200f}', '\u{61c}', '\u{202a}', '\u{202d}', '\u{202e}', // bidirectional
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', // bidirectional isolates
    '\u{2028}', '\u{2029}', // line and paragraph separator
];

/// Returns the characters of `text` that may occur in a token, without what is left of ANSI color sequences.
///
/// A reader removes `[0m` as easily as the escape character in front of it.
fn token_characters(text: &str) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).collect();
    let mut parts = text.split('[');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix('m') {
            Some(rest) => kept += rest,
            None => kept = kept + "[" + part,
        }
    }
    kept
}

/// A transport whose responses depend on the assertions that it received, the latest one last.
type Script = fn(&[String]) -> io::Result<Response>;

/// A token source over a scripted server, and everything that it sent.
struct Scripted {
    source: TokenSource,
    clock: Arc<ManualClock>,
    assertions: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(script: Script) -> Self {
        collect_logs();
        let assertions = Arc::new(Mutex::new(Vec::new()));
        let received = assertions.clone();
        let transport = move |request: &Request, _: Duration| {
            let mut received = received.lock().unwrap();
            received.push(assertion_in(request).unwrap());
            script(&received)
        };
        let source = TokenSource::with_transport(transport, generic_profile(), hmac_key()).unwrap();
        let clock = Arc::new(ManualClock::new(unix_time(1_700_000_000)));
        Self {
            source: source.with_clock(clock.clone()),
            clock,
            assertions,
        }
    }

    /// Fails if `outcome`, the source or the log contains part of a secret or of an assertion, in pieces too.
    #[track_caller]
    fn assert_prints_no_secret(&self, what: &str, outcome: &Result<AccessToken, Error>) {
        let mut secrets = Secrets::shared();
        for secret in [REFRESH_TOKEN, ID_TOKEN] {
            secrets.add(secret);
        }
        for assertion in self.assertions.lock().unwrap().iter() {
            secrets.add(assertion);
        }
        let status = self.source.status();
        let mut printed = debug_text(&self.source) + &debug_text(&status);
        printed += &RECORDS.take().concat();
        let mut in_pieces = String::new();
        for error in outcome.as_ref().err().into_iter().chain(&status.last_error) {
            printed += &error_chain(error);
            // A reader puts the two members together again.
            for member in [error.code(), error.description()] {
                printed += member.unwrap_or_default();
                in_pieces += member.unwrap_or_default();
            }
        }
        secrets.assert_not_in(what, &printed);
        secrets.assert_not_in(what, &token_characters(&printed));
        secrets.assert_not_in(what, &token_characters(&in_pieces));
    }
}

fn denial(code: &str, description: &str) -> io::Result<Response> {
    let body = serde_json::json!({ "error": code, "error_description": description });
    Ok(Response::new(400, body.to_string()))
}

fn token_response() -> io::Result<Response> {
    let body = serde_json::json!({ "access_token": TOKEN, "expires_in": 300 });
    Ok(Response::new(200, body.to_string()))
}

/// The part of an assertion that no other assertion has in common with it.
fn signature(assertion: &str) -> &str {
    assertion.rsplit('.').next().unwrap()
}

#[test]
fn denial_repeats_no_assertion_of_an_earlier_attempt() {
    let scripted = Scripted::new(|assertions| match assertions {
        [first, _, ..] => denial(
            "invalid_grant",
            &format!("duplicate of {}", signature(first)),
        ),
        _ => Ok(Response::new(503, "")),
    });
    let outcome = scripted.source.fetch_uncached();
    assert_eq!(outcome.as_ref().unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(scripted.assertions.lock().unwrap().len(), 2);
    scripted.assert_prints_no_secret("the first assertion", &outcome);
}

#[test]
fn network_error_repeats_no_assertion_of_an_earlier_attempt() {
    let scripted = Scripted::new(|assertions| match assertions {
        [first, _, ..] => Err(io::Error::other(format!(
            "cannot replay {}",
            signature(first)
        ))),
        _ => Ok(Response::new(503, "")),
    });
    let outcome = scripted.source.fetch_uncached();
    assert_eq!(outcome.as_ref().unwrap_err().kind(), ErrorKind::Network);
    scripted.assert_prints_no_secret("the first assertion", &outcome);
}

#[test]
fn failed_refresh_repeats_no_cached_token() {
    let scripted = Scripted::new(|assertions| match assertions {
        [_] => token_response(),
        _ => denial("invalid_grant", &format!("{TOKEN} is still valid")),
    });
    assert_eq!(scripted.source.token().unwrap().secret(), TOKEN);
    let outcome = scripted.source.fetch_uncached();
    assert_eq!(outcome.as_ref().unwrap_err().kind(), ErrorKind::Denied);
    scripted.assert_prints_no_secret("the cached token of another fetch", &outcome);

    scripted.clock.advance(Duration::from_secs(270)); // refreshable, and not expired
    assert_eq!(scripted.source.token().unwrap().secret(), TOKEN);
    assert!(scripted.source.status().last_error.is_some());
    scripted.assert_prints_no_secret(
        "the cached token of its own refresh",
        &Ok(scripted.source.token().unwrap()),
    );
}

#[test]
fn denial_repeats_no_token_of_the_same_response() {
    for (what, name, token) in [
        ("the refresh token", "refresh_token", REFRESH_TOKEN),
        ("the ID token", "id_token", ID_TOKEN),
        ("the access token", "access_token", TOKEN),
    ] {
        // A plain function pointer cannot capture, so the transport is made here.
        let transport = move |_: &Request, _: Duration| {
            let mut body = serde_json::json!({
                "error": "invalid_grant",
                "error_description": format!("{token} is not for you"),
            });
            body[name] = token.into();
            Ok(Response::new(400, body.to_string()))
        };
        collect_logs();
        let source = TokenSource::with_transport(transport, generic_profile(), hmac_key()).unwrap();
        let error = source.token().unwrap_err();
        let printed = error_chain(&error) + error.description().unwrap() + &debug_text(&source);
        let mut secrets = Secrets::default();
        secrets.add(token);
        secrets.assert_not_in(what, &(printed + &RECORDS.take().concat()));
        assert!(error.description().unwrap().contains("is not for you"));
    }
}

#[test]
fn denial_repeats_no_hmac_secret() {
    let scripted = Scripted::new(|_| denial(HMAC_SECRET, &format!("bad secret: {HMAC_SECRET}")));
    let outcome = scripted.source.token();
    scripted.assert_prints_no_secret("the HMAC secret", &outcome);
    let description = outcome.unwrap_err().description().unwrap().to_owned();
    assert!(description.contains("bad secret"), "{description}");
    let scripted = Scripted::new(|_| {
        let digits = hex(HMAC_SECRET.as_bytes());
        let both = format!("bad: {digits} {}", digits.to_uppercase());
        denial("c", &both)
    });
    let error = scripted.source.token().unwrap_err();
    assert_eq!(error.description(), Some("bad: [..] [..]"));
}

/// A long description loses its middle, and may lose a part of a secret with it.
#[test]
fn denial_repeats_no_piece_of_hmac_secret_where_a_long_text_is_cut() {
    let (profile, secret) = (generic_profile(), "hunter2!");
    let key = HmacKey::new(secret).unwrap();
    for length in [200, 60_000] {
        for position in 80..180 {
            let [front, back] = [position, length - position].map(|n| "o".repeat(n));
            let text = format!("{front}{secret}{back}{secret}{front} Trace ID: 1234");
            let body = serde_json::json!({"error": "invalid_client", "error_description": text});
            let exchange = Exchange::new(&profile, &key, unix_time(1_700_000_000)).unwrap();
            let error = exchange.read(Response::new(400, body.to_string()));
            let error = error.unwrap_err();
            let description = error.description().unwrap();
            let without_mask = description.replace(['[', '.', ']', 'o', ' '], "");
            assert_eq!(without_mask, "TraceID:1234", "{description}");
            assert!(description.chars().count() <= 256, "{description}");
        }
    }
}

#[test]
fn denial_repeats_no_secret_in_pieces_over_two_members() {
    let scripted = Scripted::new(|assertions| {
        let assertion = assertions.last().unwrap();
        denial(&assertion[20..32], &assertion[32..44])
    });
    let outcome = scripted.source.token();
    scripted.assert_prints_no_secret("a part of the assertion", &outcome);
}

#[test]
fn denial_repeats_no_secret_between_invisible_characters() {
    /// Puts `separator` after every `every` characters.
    fn spread(secret: &str, every: usize, separator: &str) -> String {
        let characters: Vec<_> = secret.chars().collect();
        let chunks = characters
            .chunks(every)
            .map(|chunk| chunk.iter().collect::<String>());
        chunks.collect::<Vec<_>>().join(separator)
    }
    const SEPARATORS: &[&str] = &[
        "\u{200b}",
        "\u{ad}",
        "\u{feff}",
        "\u{2060}",
        "\u{202e}",
        "\u{2028}",
        "\u{9b}",
        " ",
        "\r\n ",
        "\u{1b}[0m",
        "\u{1b}[1;31m",
    ];
    // A function pointer cannot capture: the number of assertions selects the separator and the secret.
    let scripted = Scripted::new(|assertions| {
        let number = assertions.len() - 1;
        let (separator, kind) = (SEPARATORS[number / 4], number % 4);
        let assertion = assertions.last().unwrap().as_str();
        let secret = [assertion, HMAC_SECRET, CLIENT_SECRET, TOKEN][kind];
        let hidden = spread(secret, 1 + 6 * (number % 2), separator);
        let body = serde_json::json!({
            "error": "invalid_grant",
            "error_description": format!("cannot use {hidden}"),
            "access_token": TOKEN,
        });
        Ok(Response::new(400, body.to_string()))
    });
    for separator in SEPARATORS {
        for _ in 0..4 {
            let outcome = scripted.source.fetch_uncached();
            scripted.assert_prints_no_secret(&format!("a secret with {separator:?}"), &outcome);
        }
    }
    assert_eq!(
        scripted.assertions.lock().unwrap().len(),
        4 * SEPARATORS.len()
    );
}

#[track_caller]
fn assert_all_visible(what: &str, text: &str) {
    let found = text.chars().find(|c| INVISIBLE.contains(c));
    assert_eq!(found, None, "{what}: {text:?}");
}

#[test]
fn errors_and_logs_contain_no_invisible_characters() {
    fn noise() -> String {
        INVISIBLE.iter().flat_map(|c| ['x', *c]).collect()
    }
    const SCRIPTS: &[Script] = &[
        |_| denial("invalid_grant", &noise()),
        |_| denial(&noise(), "no"),
        |_| {
            Ok(Response::new(
                401,
                serde_json::json!({ "message": noise() }).to_string(),
            ))
        },
        |_| {
            Ok(Response::new(
                503,
                serde_json::json!({ "error": noise() }).to_string(),
            ))
        },
        |_| {
            Ok(Response::new(400, "")
                .with_header("WWW-Authenticate", format!("Bearer error=\"{}\"", noise())))
        },
        |_| Ok(Response::new(302, "").with_header("Location", format!("https://{}/", noise()))),
        |_| {
            Ok(Response::new(
                200,
                serde_json::json!({ "access_token": noise() }).to_string(),
            ))
        },
        |_| Ok(Response::new(200, noise())),
        |_| Err(io::Error::other(noise())),
    ];
    for (number, script) in SCRIPTS.iter().enumerate() {
        let scripted = Scripted::new(*script);
        let error = scripted.source.token().unwrap_err();
        let what = format!("script {number}");
        assert_all_visible(&what, &error.to_string());
        assert_all_visible(&what, error.code().unwrap_or_default());
        assert_all_visible(&what, error.description().unwrap_or_default());
        let records = RECORDS.take();
        assert!(!records.is_empty(), "{what}: nothing is logged");
        for record in records {
            assert_all_visible(&what, record.trim_end_matches('\n'));
        }
    }
}

#[test]
fn token_characters_removes_escape_sequences_and_everything_invisible() {
    let text = "a\u{200b}b\u{1b}[1;31mc \u{ad}d[0m\re[..]f[mg";
    assert_eq!(token_characters(text), "abcde[..]fg");
}

/// The same with ureq: neither its errors nor our texts for them quote a secret.
#[cfg(feature = "ureq")]
mod over_ureq {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Starts a server that reads a request, writes `bytes` and closes. Returns host and port.
    fn server(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let pause = Duration::from_millis(50);
                stream.set_read_timeout(Some(pause)).unwrap();
                while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
                let _ = stream.write_all(bytes);
                if bytes.is_empty() {
                    thread::sleep(Duration::from_secs(2)); // a silent server
                }
            }
        });
        host
    }

    /// Returns host and port of an address where nothing listens.
    fn unused_address() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    }

    #[test]
    fn ureq_failure_prints_no_secret() {
        let plain = || ureq::Agent::new_with_defaults();
        let https_only = || -> ureq::Agent {
            let config = ureq::Agent::config_builder().https_only(true);
            config.build().into()
        };
        let cases = [
            (
                "nothing listens",
                plain(),
                format!("http://{}", unused_address()),
            ),
            (
                "no HTTP",
                plain(),
                format!("http://{}", server(b"220 smtp ready\r\n")),
            ),
            (
                "no TLS",
                plain(),
                format!("https://{}", server(b"220 smtp ready\r\n")),
            ),
            ("silence", plain(), format!("http://{}", server(b""))),
            ("cut off", plain(), {
                let host = server(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{");
                format!("http://{host}")
            }),
            ("redirect", plain(), {
                let host = server(b"HTTP/1.1 307 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
                format!("http://{host}")
            }),
            (
                "an agent for https only",
                https_only(),
                format!("http://{}", unused_address()),
            ),
        ];
        collect_logs();
        let shared = Secrets::shared();
        let signer = Arc::new(hmac_key());
        for (what, agent, base) in cases {
            for placement in [Placement::FORM, Placement::JSON, Placement::QUERY] {
                let endpoint = Endpoint::token(format!("{base}/token")).unwrap();
                let profile = Profile::client_credentials(endpoint, "client-1", Audience::Omit);
                let profile = with_secrets(profile).with_placement(placement);
                let sent = Arc::new(Mutex::new(Secrets::default()));
                let record = sent.clone();
                let agent = agent.clone();
                let transport = move |request: &Request, timeout| {
                    record.lock().unwrap().add(assertion_in(request).unwrap());
                    agent.send(request, timeout)
                };
                let source =
                    TokenSource::with_transport(transport, profile, signer.clone()).unwrap();
                let source = source.with_timeout(Duration::from_millis(500));
                let error = source.token().unwrap_err();
                let printed = error_chain(&error) + &RECORDS.take().concat();
                shared.assert_not_in(what, &printed);
                sent.lock().unwrap().assert_not_in(what, &printed);
            }
        }
    }
}
