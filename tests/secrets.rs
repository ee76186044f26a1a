//! Nothing secret leaves but through its doors: not by `Debug`, `Display`, error chains or logs.
//!
//! Whatever is printed is searched for any 16 bytes in a row of any secret, in several spellings:
//! that finds a key quoted in part, an assertion cut short, and each of its segments.

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
/// RFC 8693 §2.1: a token in a parameter that this crate has no word for.
const SUBJECT_TOKEN: &str = "subject-token-of-another-server";
const CLAIM: &str = "claim-secret-that-only-the-server-knows";
const TOKEN: &str = "00D000000000001!access.token.whose.holder.can.spend.it";
const REFRESH: &str = "refresh-token-that-came-with-the-other";
#[cfg(feature = "encrypted-keys")]
const PASSPHRASE: &str = "passphrase-of-the-key-in-the-drawer";

// ---- what is searched for ----

/// Bytes in a row that do not come about by chance.
const RUN: usize = 16;

/// Every run of every secret.
#[derive(Clone, Default)]
struct Secrets(HashSet<Vec<u8>>);

impl Secrets {
    /// The ones that every scene knows.
    fn all() -> Self {
        let mut all = Self::default();
        for text in [
            HMAC_SECRET,
            CLIENT_SECRET,
            SUBJECT_TOKEN,
            CLAIM,
            TOKEN,
            REFRESH,
        ] {
            all.add(text);
        }
        #[cfg(feature = "encrypted-keys")]
        all.add(PASSPHRASE);
        let der = der();
        all.add(&der);
        let key = RsaPrivateKey::from_pkcs1_der(&der).unwrap();
        for number in [key.d(), &key.primes()[0], &key.primes()[1]] {
            all.add(number.to_bytes_be());
            all.add(number.to_string()); // decimal digits
            all.add(squeezed(&format!("{number:?}"))); // as rsa's own `Debug` has it
        }
        for pem in [pem("pkcs1_pem"), pem("pkcs8_pem")] {
            pem.lines()
                .filter(|line| !line.starts_with('-'))
                .for_each(|line| all.add(line));
        }
        all
    }
    /// As it is, and as bytes are printed.
    fn add(&mut self, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        let spellings = [
            secret.to_vec(),
            STANDARD.encode(secret).into(),
            URL_SAFE_NO_PAD.encode(secret).into(),
            hex(secret).into(),
            hex(secret).to_uppercase().into(),
            squeezed(&format!("{secret:?}")).into(), // [104, 109, 97, ...
        ];
        for spelling in spellings {
            self.0.extend(spelling.windows(RUN).map(<[u8]>::to_vec));
        }
    }
    /// A run in the text as it is, or without white space, which puts wrapped lines together.
    fn run_in(&self, text: &str) -> Option<String> {
        [text.to_owned(), squeezed(text)].iter().find_map(|text| {
            let mut runs = text.as_bytes().windows(RUN);
            let run = runs.find(|run| self.0.contains(*run))?;
            Some(String::from_utf8_lossy(run).into_owned())
        })
    }
    #[track_caller]
    fn are_not_in(&self, what: &str, text: &str) {
        if let Some(run) = self.run_in(text) {
            panic!("{what} prints {run:?} of a secret: {text}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The key of RFC 7515 §A.2.
fn pem(name: &str) -> String {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("data/vectors.json")).unwrap();
    vectors["key"][name].as_str().unwrap().to_owned()
}

fn der() -> Vec<u8> {
    STANDARD.decode(body(&pem("pkcs1_pem"))).unwrap()
}

/// What is between the markers, in one line.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}")
}

/// Everything that a logger could print of an error.
fn chain(error: &Error) -> String {
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
    let secrets = Secrets::all();
    let der = der();
    let key = RsaPrivateKey::from_pkcs1_der(&der).unwrap();
    for text in [
        debug(&pem("pkcs8_pem")),
        debug(&der),
        debug(&key),
        key.d().to_string(),
        format!("{:x}", key.d()),
        body(&pem("pkcs1_pem"))[100..100 + RUN].to_owned(),
        debug(&HMAC_SECRET.as_bytes()),
        format!("GET /?client_secret={CLIENT_SECRET}&"),
    ] {
        assert!(secrets.run_in(&text).is_some(), "{text}");
    }
    assert_eq!(secrets.run_in("RsaKey { key_id: None, .. }"), None);
}

// ---- types ----

/// Does not compile where the type implements one of the traits: `_` would be ambiguous.
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
// A comparison that stops at the first difference tells where it is.
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
// The doors are called `secret`, `authorization`, `body`, `url` and `response`, and no other way
// leads to a text.
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

fn hs256() -> HmacKey {
    HmacKey::new(HMAC_SECRET).unwrap().with_key_id("k1")
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn with_secrets(profile: Profile) -> Profile {
    let profile = profile.with_claim("pin", CLAIM).with_header("pin", CLAIM);
    profile
        .with_parameter("client_secret", CLIENT_SECRET)
        .with_parameter("subject_token", SUBJECT_TOKEN)
}

fn generic() -> Profile {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    with_secrets(Profile::client_credentials(
        endpoint,
        "client-1",
        Audience::TokenEndpoint,
    ))
}

#[test]
fn debug_of_public_types_prints_no_secret() {
    let mut secrets = Secrets::all();
    for name in ["pkcs1_pem", "pkcs8_pem"] {
        let key = RsaKey::from_pem(pem(name)).unwrap();
        secrets.are_not_in("RsaKey", &debug(&key));
    }
    secrets.are_not_in("RsaKey", &debug(&RsaKey::from_der(der()).unwrap()));
    let repaired = RsaKey::from_pem(pem("pkcs1_pem").replace('\n', "\\n")).unwrap();
    secrets.are_not_in("RsaKey, repaired", &debug(&repaired));
    secrets.are_not_in("HmacKey", &debug(&hs256()));

    for placement in [Placement::Form, Placement::Json, Placement::Query] {
        let profile = generic().with_placement(placement);
        secrets.are_not_in("Profile", &debug(&profile));
        let key = hs256();
        let exchange = Exchange::new(&profile, &key, at(1_700_000_000)).unwrap();
        let assertion = exchange.assertion().secret();
        secrets.add(assertion);
        secrets.are_not_in("Assertion", &debug(exchange.assertion()));
        secrets.are_not_in("Request", &debug(exchange.request()));
        let response = SUCCESS.to(exchange.request(), assertion).unwrap();
        secrets.are_not_in("Response", &debug(&response));
        let token = exchange.read(response).unwrap();
        assert_eq!(token.secret(), TOKEN);
        secrets.are_not_in("AccessToken", &debug(&token));
    }
}

#[test]
fn endpoint_debug_and_errors_print_host_only() {
    let secrets = Secrets::all();
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
                    secrets.are_not_in("Endpoint", &debug(&endpoint));
                    let profile = Profile::jwt_bearer(endpoint, "i", Audience::Omit);
                    secrets.are_not_in("Profile", &debug(&profile));
                }
                Err(error) => secrets.are_not_in("Error", &chain(&error)),
            }
        }
    }
    let salesforce = Profile::salesforce(format!("https://x:{CLIENT_SECRET}@h"), "key", "user");
    secrets.are_not_in("Error", &chain(&salesforce.unwrap_err()));
}

// ---- errors over keys ----

#[track_caller]
fn refused_in_silence<T>(secrets: &Secrets, what: &str, outcome: Result<T, Error>) {
    let Err(error) = outcome else {
        panic!("{what} is taken");
    };
    assert_eq!(error.kind(), ErrorKind::Key, "{what}");
    secrets.are_not_in(what, &chain(&error));
}

#[test]
fn key_error_quotes_no_key_material() {
    let secrets = Secrets::all();
    for pem in [pem("pkcs1_pem"), pem("pkcs8_pem")] {
        let middle = pem.len() / 2;
        let bare = body(&pem);
        let label = pem.lines().next().unwrap().trim_matches('-');
        let label = label.strip_prefix("BEGIN ").unwrap();
        let labelled = |other: &str| pem.replace(label, other);
        for (what, text) in [
            ("cut off", pem[..middle].to_owned()),
            ("beginning lost", pem[middle..].to_owned()),
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
            ("EC", labelled("EC PRIVATE KEY")),
            ("certificate", labelled("CERTIFICATE")),
            ("public", labelled("PUBLIC KEY")),
            ("OpenSSH", labelled("OPENSSH PRIVATE KEY")),
            ("unknown label", labelled("SOMETHING")),
            ("the key as its own label", labelled(&bare)),
            ("another digit", pem.replacen("z", "y", 1)),
            ("a digit lost", pem.replacen("z", "", 1)),
            (
                "a line lost",
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
            refused_in_silence(&secrets, what, RsaKey::from_pem(&text));
            #[cfg(feature = "encrypted-keys")]
            refused_in_silence(
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
            refused_in_silence(&secrets, what, read);
            let cut = marketing_cloud_intelligence::credentials(&file[..file.len() - 1]);
            secrets.are_not_in("a credential file cut off", &chain(&cut.unwrap_err()));
        }
        let not_text = [b"\xff\xfe", pem.as_bytes()].concat();
        refused_in_silence(&secrets, "UTF-16", RsaKey::from_pem(not_text));
        refused_in_silence(&secrets, "PEM for DER", RsaKey::from_der(&pem));
    }
    let der = der();
    refused_in_silence(&secrets, "DER for PEM", RsaKey::from_pem(&der));
    refused_in_silence(
        &secrets,
        "DER cut off",
        RsaKey::from_der(&der[..der.len() / 2]),
    );
    refused_in_silence(&secrets, "DER too long", RsaKey::from_der(der.repeat(10)));
    refused_in_silence(&secrets, "no HMAC secret", HmacKey::new(""));
}

#[test]
fn key_error_of_short_rsa_key_quotes_no_key_material() {
    use rsa::pkcs8::EncodePrivateKey as _;
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let der = key.to_pkcs8_der().unwrap();
    let mut secrets = Secrets::default();
    secrets.add(der.as_bytes());
    secrets.add(key.d().to_string());
    refused_in_silence(&secrets, "1024 bits", RsaKey::from_der(der.as_bytes()));
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn wrong_passphrase_error_quotes_neither_passphrase_nor_key() {
    use rsa::pkcs8::EncodePrivateKey as _;
    let mut secrets = Secrets::all();
    let key = RsaPrivateKey::from_pkcs1_der(&der()).unwrap();
    let mut rng = rsa::rand_core::OsRng;
    let sealed = key.to_pkcs8_encrypted_der(&mut rng, PASSPHRASE).unwrap();
    secrets.add(sealed.as_bytes());
    const WRONG: &str = "a-passphrase-of-another-key-in-the-drawer";
    secrets.add(WRONG);
    let label = "ENCRYPTED PRIVATE KEY-----";
    let body = STANDARD.encode(sealed.as_bytes());
    let pem = format!("-----BEGIN {label}\n{body}\n-----END {label}\n");
    let taken = RsaKey::from_encrypted_pem(&pem, PASSPHRASE).unwrap();
    secrets.are_not_in("RsaKey", &debug(&taken));
    refused_in_silence(&secrets, "PEM", RsaKey::from_encrypted_pem(&pem, WRONG));
    let der = sealed.as_bytes();
    refused_in_silence(&secrets, "DER", RsaKey::from_encrypted_der(der, WRONG));
    refused_in_silence(
        &secrets,
        "cut",
        RsaKey::from_encrypted_der(&der[..900], PASSPHRASE),
    );
    refused_in_silence(&secrets, "no passphrase", RsaKey::from_pem(&pem));
    refused_in_silence(&secrets, "no passphrase, DER", RsaKey::from_der(der));
}

/// A key in a device that has been locked.
struct Locked(#[allow(dead_code)] HmacKey);

impl Signer for Locked {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, BoxError> {
        Err("the device is locked".into())
    }
}

#[test]
fn signer_error_keeps_its_cause_and_quotes_no_secret() {
    let error = generic().assertion(&Locked(hs256()), at(1_700_000_000));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(chain(&error).contains("the device is locked"));
    Secrets::all().are_not_in("a signer's failure", &chain(&error));
}

// ---- exchanges ----

/// What comes of a request. Words in capitals stand for secrets: see [`filled`].
#[derive(Clone, Copy, Debug)]
enum Answer {
    Says(u16, &'static str),
    RedirectsTo(&'static str),
    Fails(&'static str),
    FailsBecause(&'static str),
}
use Answer::{Fails, FailsBecause, RedirectsTo, Says};

const SUCCESS: Answer = Says(
    200,
    r#"{"access_token":"TOKEN","refresh_token":"REFRESH","id":{"raw":"REFRESH"},"expires_in":300}"#,
);

const ANSWERS: &[Answer] = &[
    SUCCESS,
    // tokens whose other members repeat what they must not
    Says(
        200,
        r#"{"access_token":"TOKEN","scope":"ASSERTION TOKEN CLIENT_SECRET"}"#,
    ),
    Says(
        200,
        r#"{"access_token":"TOKEN","ASSERTION":1,"TOKEN":2,"REFRESH":3}"#,
    ),
    // denied
    Says(400, r#"{"error":"ASSERTION"}"#),
    Says(
        400,
        r#"{"error":"invalid_grant","error_description":"cannot verify ASSERTION!"}"#,
    ),
    Says(
        400,
        r#"{"error":"invalid_grant","error_description":"cannot verify PART"}"#,
    ),
    Says(
        400,
        r#"{"error":"invalid_grant","error_description":"\u0007SIGNATURE"}"#,
    ),
    Says(
        400,
        r#"{"error":"invalid_client","error_description":"CLIENT_SECRET"}"#,
    ),
    Says(
        400,
        r#"{"error":"SUBJECT","error_description":"bad subject_token: SUBJECT"}"#,
    ),
    Says(401, r#"{"message":"bad: ASSERTION"}"#),
    Says(400, r#"[{"error":"ASSERTION","message":"ASSERTION"}]"#),
    Says(
        200,
        r#"{"access_token":"TOKEN","error":"TOKEN","error_description":"TOKEN"}"#,
    ),
    Says(
        403,
        r#"{"access_token":"TOKEN","error":"TOKEN","message":"TOKEN"}"#,
    ),
    Says(401, ""),
    // unavailable
    Says(429, r#"{"error":"ASSERTION","message":"ASSERTION"}"#),
    Says(503, "<html>ASSERTION TOKEN"),
    // no token response
    Says(200, r#"{"access_token":"TOKEN","token_type":"mac"}"#),
    Says(200, r#"{"access_token":"TOKEN\n"}"#),
    Says(200, r#"{"access_token":["TOKEN"]}"#),
    Says(200, r#"["TOKEN"]"#),
    Says(200, r#"{"access_token":"TOKEN","#),
    Says(201, "access_token=TOKEN&token_type=bearer"),
    Says(200, "<html>ASSERTION TOKEN URL BODY"),
    Says(403, "<html>ASSERTION TOKEN URL BODY"),
    Says(404, r#"{"access_token":"TOKEN","path":"URL"}"#),
    Says(200, "TOO_LONG"),
    RedirectsTo("https://other.example.com/token?client_assertion=ASSERTION"),
    RedirectsTo("https://ASSERTION@other.example.com/token"),
    RedirectsTo("https://ASSERTION.example.com/"),
    RedirectsTo("https://TOKEN/"),
    RedirectsTo("ASSERTION"),
    // network
    Fails("cannot send POST URL BODY"),
    FailsBecause("cannot send POST URL BODY"),
    Fails("ASSERTION"),
    Fails("cannot send PART..."),
    FailsBecause("SIGNATURE"),
    Fails("cannot encode PARAMETER"),
    FailsBecause("CLIENT_SECRET"),
    Fails("cannot encode SUBJECT"),
    Fails("cable cut by an excavator"),
];

/// With secrets for the words in capitals.
fn filled(text: &str, request: &Request, assertion: &str) -> String {
    let all = [request.url(), std::str::from_utf8(request.body()).unwrap()].join(" ");
    let parameter = all.find("client_secret").map_or("", |at| &all[at..at + 40]);
    let signature = assertion.rsplit('.').next().unwrap();
    // TOKEN is a part of no other word, and what is filled in holds none of them.
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

impl Answer {
    fn to(self, request: &Request, assertion: &str) -> io::Result<Response> {
        let filled = |text| filled(text, request, assertion);
        let echo = filled("Bearer error_description=\"ASSERTION CLIENT_SECRET\"");
        let says = |status, body| {
            let response = Response::new(status, filled(body));
            Ok(response.with_header("WWW-Authenticate", &*echo))
        };
        match self {
            Says(status, body) => says(status, body),
            RedirectsTo(place) => says(302, r#"{"access_token":"TOKEN"}"#)
                .map(|response| response.with_header("Location", filled(place))),
            Fails(text) => Err(io::Error::other(filled(text))),
            FailsBecause(text) => Err(io::Error::other(Outer(filled(text).into()))),
        }
    }
}

/// A foreign error that keeps to itself what its cause tells.
struct Outer(BoxError);

impl Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client failed")
    }
}

impl Debug for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outer")
    }
}

impl StdError for Outer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

thread_local! {
    static RECORDS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Collects what this crate logs, at every level; by thread, so that no test sees another's.
struct Collector;

impl log::Log for Collector {
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
    ONCE.call_once(|| log::set_logger(&Collector).unwrap());
    log::set_max_level(log::LevelFilter::Trace);
    RECORDS.take();
}

/// The assertion that a request carries: the only thing in it that begins like a JWT.
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

/// All that one fetch tells, and the secrets that came about in it.
struct Told {
    by_value: String,
    by_log: String,
    secrets: Secrets,
}

/// One fetch over a server that answers so; what has no assertion is asked for metadata.
fn fetch(profile: &Profile, signer: Arc<dyn Signer>, metadata: Answer, answer: Answer) -> Told {
    collect_logs();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = sent.clone();
    let transport = move |request: &Request, _| match assertion_in(request) {
        None => metadata.to(request, ""),
        Some(assertion) => {
            let answer = answer.to(request, &assertion);
            seen.lock().unwrap().push(assertion);
            answer
        }
    };
    let source = TokenSource::with_transport(transport, profile.clone(), signer).unwrap();
    let source = source.with_clock(ManualClock::new(at(1_700_000_000)));
    let outcome = match source.token() {
        Ok(token) => debug(&token),
        Err(error) => chain(&error),
    };
    let mut secrets = Secrets::default();
    for assertion in sent.lock().unwrap().iter() {
        assert_eq!(assertion.split('.').count(), 3);
        secrets.add(assertion);
    }
    Told {
        by_value: debug(&source) + &outcome,
        by_log: RECORDS.take().concat(),
        secrets,
    }
}

const METADATA: Answer = Says(200, r#"{"token_endpoint":"https://as.example.com/token"}"#);

#[test]
fn exchange_prints_no_secret_in_values_errors_or_logs() {
    let rsa: Arc<dyn Signer> = Arc::new(RsaKey::from_pem(pem("pkcs1_pem")).unwrap());
    let hmac: Arc<dyn Signer> = Arc::new(hs256());
    let metadata = || Endpoint::metadata("https://as.example.com/metadata").unwrap();
    let discovered = Profile::client_credentials(metadata(), "client-1", Audience::TokenEndpoint);
    let intelligence = Profile::marketing_cloud_intelligence(metadata(), "svc-0001");
    let salesforce = Profile::salesforce("https://login.salesforce.com", "key", "user").unwrap();
    let cylance = Profile::cylance(cylance::NORTH_AMERICA, "tenant", "application").unwrap();
    let always = Secrets::all();
    let mut leaks = Vec::new();
    for (name, profile, signer) in [
        ("form", generic(), &rsa),
        ("form", generic(), &hmac),
        ("JSON", generic().with_placement(Placement::Json), &hmac),
        ("query", generic().with_placement(Placement::Query), &rsa),
        ("discovered", with_secrets(discovered), &hmac),
        ("Intelligence", with_secrets(intelligence), &rsa),
        ("Salesforce", with_secrets(salesforce), &rsa),
        ("Cylance", with_secrets(cylance), &hmac),
    ] {
        for answer in ANSWERS {
            let told = fetch(&profile, signer.clone(), METADATA, *answer);
            assert!(!told.secrets.0.is_empty(), "no assertion was sent");
            assert!(
                !told.by_log.is_empty(),
                "{name}, {answer:?}: nothing is logged"
            );
            for (by, text) in [("value", &told.by_value), ("log", &told.by_log)] {
                let run = always.run_in(text).or_else(|| told.secrets.run_in(text));
                leaks.extend(run.map(|run| format!("{name}, {answer:?}, by {by}: {run}")));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// Metadata that names secrets, at an address that has one.
#[test]
fn discovery_prints_no_secret_in_values_errors_or_logs() {
    let secrets = Secrets::all();
    let hidden = format!("https://as.example.com/metadata?key={CLIENT_SECRET}");
    let signer: Arc<dyn Signer> = Arc::new(hs256());
    for metadata in [
        Says(200, "<html>TOKEN URL"),
        Says(200, r#"{"issuer":"TOKEN"}"#),
        Says(200, r#"{"token_endpoint":"http://TOKEN/"}"#),
        Says(
            200,
            r#"{"token_endpoint":"https://user:CLIENT_SECRET@as.example.com/"}"#,
        ),
        Says(
            200,
            r#"{"token_endpoint":"https://as.example.com/?key=CLIENT_SECRET"}"#,
        ),
        Says(
            404,
            r#"{"error":"TOKEN","access_token":"TOKEN","message":"URL"}"#,
        ),
        Says(
            503,
            r#"{"error":"TOKEN","access_token":"TOKEN","message":"URL"}"#,
        ),
        RedirectsTo("https://as.example.com/CLIENT_SECRET"),
        Fails("cable cut by an excavator"),
    ] {
        for endpoint in [
            Endpoint::metadata(&*hidden).unwrap(),
            Endpoint::issuer("https://as.example.com").unwrap(),
        ] {
            let profile = Profile::client_credentials(endpoint, "client-1", Audience::Omit);
            let profile = with_secrets(profile);
            let told = fetch(&profile, signer.clone(), metadata, Says(401, ""));
            let what = format!("{metadata:?}");
            secrets.are_not_in(&what, &told.by_value);
            secrets.are_not_in(&what, &told.by_log);
        }
    }
}

#[test]
fn network_error_keeps_a_cause_without_secrets() {
    let cause = Fails("cable cut by an excavator");
    let told = fetch(&generic(), Arc::new(hs256()), METADATA, cause);
    assert!(told.by_value.contains("cable cut by an excavator"));
}

/// The same over ureq, whose own errors and our words for them must quote nothing either.
#[cfg(feature = "ureq")]
mod over_ureq {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that reads the request, says these bytes and closes.
    fn server(says: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let pause = Duration::from_millis(50);
                stream.set_read_timeout(Some(pause)).unwrap();
                while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
                let _ = stream.write_all(says);
                if says.is_empty() {
                    thread::sleep(Duration::from_secs(2)); // a silent server
                }
            }
        });
        host
    }

    fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    }

    #[test]
    fn ureq_failure_prints_no_secret() {
        let plain = || ureq::Agent::new_with_defaults();
        let strict = || -> ureq::Agent {
            let config = ureq::Agent::config_builder().https_only(true);
            config.build().into()
        };
        let cases = [
            ("nobody listens", plain(), format!("http://{}", nobody())),
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
                strict(),
                format!("http://{}", nobody()),
            ),
        ];
        collect_logs();
        let always = Secrets::all();
        let signer = Arc::new(hs256());
        for (what, agent, base) in cases {
            for placement in [Placement::Form, Placement::Json, Placement::Query] {
                let endpoint = Endpoint::token(format!("{base}/token")).unwrap();
                let profile = Profile::client_credentials(endpoint, "client-1", Audience::Omit);
                let profile = with_secrets(profile).with_placement(placement);
                let sent = Arc::new(Mutex::new(Secrets::default()));
                let seen = sent.clone();
                let agent = agent.clone();
                let transport = move |request: &Request, timeout| {
                    seen.lock().unwrap().add(assertion_in(request).unwrap());
                    agent.send(request, timeout)
                };
                let source =
                    TokenSource::with_transport(transport, profile, signer.clone()).unwrap();
                let source = source.with_timeout(Duration::from_millis(500));
                let error = source.token().unwrap_err();
                let told = chain(&error) + &RECORDS.take().concat();
                always.are_not_in(what, &told);
                sent.lock().unwrap().are_not_in(what, &told);
            }
        }
    }
}
