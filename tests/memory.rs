//! Searches the memory of a process for secrets that it used and dropped.
//!
//! Each scenario runs in its own child process, so that a secret is in its memory only because of that scenario.
//! The search looks for pieces of 16 bytes, because the allocator overwrites parts of what it frees. It looks for every
//! form in which a library may write a secret: keys in both byte orders, an HMAC key under both pads.
#![cfg(all(target_os = "linux", target_endian = "little", feature = "ureq"))]

mod support;

use std::any::Any;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, mem};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_bearer::{
    BoxError, Endpoint, HmacKey, Key, Placement, Profile, RsaKey, Signer, TokenSource, TokenStore,
};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::OsRng;
use rsa::signature::RandomizedSigner as _;
use rsa::traits::PrivateKeyParts as _;
use sha2::Sha256;
use support::sample::*;
use support::{Server, answer};
use zeroize::Zeroizing;

const PIECE: usize = 16;
const PAGE: usize = 4096;
const SECRET: &str = "x7Gq-2mZk!R9vT4_bLw8Ys0Nf5Hd3Jc6PaUeQi1OoXzVrMtB";
const REFRESH: &str = "5Aep861~KLm8d_XcQ2wzRt7Yv4Nb1Hs6Jf3Gk9Pq0Ue.ToIaZxWyVrCnBuMiDlEhSgFj";
const TOKEN: &str = "00D5g!AQ0AQKxv7Zp3Rt9.LmW2cYb8Hn4Jf6Gd1Sk5Qe0UiOaTzXrVyBw_NqCMhEsPlDj";

/// The scenarios, and what each may leave in memory. `RSA` signs without this crate and shows what `rsa` leaves.
const SCENARIOS: &[(&str, &[&str])] = &[
    (KEY_IN_USE, &["exponent, in words", "primes, in words"]),
    (RSA, LEFT_BY_RSA),
    ("a key from PEM", LEFT_BY_RSA),
    ("a key from DER", LEFT_BY_RSA),
    ("a key from a JWK", LEFT_BY_RSA),
    ("a key from a JWK in a string", LEFT_BY_RSA),
    ("a key from a JWK in base64", LEFT_BY_RSA),
    ("a key from a damaged JWK", &[]),
    ("a secret from a JWK", &[]),
    ("a secret from base64", &[]),
    #[cfg(feature = "encrypted-keys")]
    (PBES2, LEFT_BY_RSA),
    #[cfg(feature = "encrypted-keys")]
    (PBES1, LEFT_BY_RSA),
    #[cfg(feature = "encrypted-keys")]
    (PROC_TYPE, LEFT_BY_RSA),
    #[cfg(feature = "encrypted-keys")]
    (PKCS12, LEFT_BY_RSA),
    ("an assertion by RS256", LEFT_BY_RSA),
    ("an assertion by HS256", &[]),
    ("a signature by HS256", &[]),
    ("a token in a form", &[]),
    ("a token in JSON", &[]),
    ("a token in a query", &["assertion"]), // ureq does not wipe the URI
    ("a token by RS256", LEFT_BY_RSA),
    ("a token through a store", &[]),
];
/// `rsa` wipes its key, but not each number that it computes with it.
const LEFT_BY_RSA: &[&str] = &["primes, in words", "signature", "signature, in words"];

/// Keys under a passphrase, by the names of their files.
#[cfg(feature = "encrypted-keys")]
const PBES2: &str = "pkcs8-des3-SHA1.pem";
#[cfg(feature = "encrypted-keys")]
const PBES1: &str = "pkcs8-PBE-SHA1-3DES.pem";
#[cfg(feature = "encrypted-keys")]
const PROC_TYPE: &str = "proc-type-aes256.pem";
#[cfg(feature = "encrypted-keys")]
const PKCS12: &str = "pkcs12-windows.p12";
/// In UTF-16, as PKCS#12 takes it.
const PASSPHRASE_UTF16: &[u8] = b"\0c\0o\0r\0r\0e\0c\0t\0 \0h\0o\0r\0s\0e\0\0";

/// A key that is not dropped. It shows that the search finds what is there.
const KEY_IN_USE: &str = "a key in use";
/// The control: `rsa` without this crate.
const RSA: &str = "rsa alone";

#[test]
fn dropped_secrets_are_wiped_from_memory() {
    let files = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(files.path().join(name), bytes).unwrap();
    let key = key_of_rfc7515();
    let pem = pem();
    put("key.pem", pem.as_bytes());
    put("key.der", &der(&pem));
    put("secret", SECRET.as_bytes());
    let jwk = include_str!("data/jwk/rfc7515-a2.json");
    let text = serde_json::Value::from(jwk).to_string();
    put("key.jwk", jwk.as_bytes());
    put("text.jwk", format!("{{\"client_jwk\":{text}}}").as_bytes());
    put("base64.jwk", STANDARD.encode(jwk).as_bytes());
    let damaged = jwk.replace("\"qi\": \"", "\"qi\": \"%");
    put("damaged.jwk", damaged.as_bytes());
    let k = STANDARD.encode(SECRET);
    put(
        "secret.jwk",
        format!("{{\"kty\":\"oct\",\"k\":\"{k}\"}}").as_bytes(),
    );
    put("secret.base64", k.as_bytes());
    let mut wrong = Vec::new();
    for (scenario, may) in SCENARIOS {
        let body =
            format!(r#"{{"access_token":"{TOKEN}","refresh_token":"{REFRESH}","expires_in":300}}"#);
        let server = Server::new([answer("200 OK", "", &body)]);
        put("url", server.url("/token").as_bytes());
        let memory = memory_after(scenario, files.path());
        let mut secrets = secrets(&key, &pem);
        for request in server.requests() {
            let claims = request.rsplit("eyJ").next().unwrap(); // the signature behind them
            let signature = claims.split('.').nth(1).unwrap();
            let end = signature.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
            secrets.extend(signatures(&signature[..end.unwrap_or(signature.len())]));
        }
        let left: BTreeSet<_> = secrets
            .iter()
            .filter_map(|(name, secret)| {
                let (found, all) = pieces_found(&memory, secret);
                println!("{scenario}: {name}: {found} of {all} pieces");
                (found > 0).then_some(*name)
            })
            .collect();
        let may: BTreeSet<_> = may.iter().copied().collect();
        let expected = match *scenario {
            KEY_IN_USE => left == may,
            RSA => left.contains("primes, in words") && left.is_subset(&may),
            _ => left.is_subset(&may),
        };
        if !expected {
            wrong.push(format!("{scenario} left {left:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs in the child process whose memory is searched.
#[test]
#[ignore = "dropped_secrets_are_wiped_from_memory starts it with a scenario and files"]
fn child_process() {
    let in_use = run(&env::var("SCENARIO").unwrap());
    println!("\ndone");
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
    drop(in_use);
}

fn run(scenario: &str) -> Option<Box<dyn Any>> {
    let rs256 = || RsaKey::from_der(file("key.der")).unwrap();
    let hs256 = || HmacKey::new(mem::take(&mut *file("secret"))).unwrap();
    let profile =
        || client_at(Endpoint::token(std::str::from_utf8(&file("url")).unwrap()).unwrap());
    let fetched = |profile: Profile, key: Box<dyn Signer>| {
        let source = TokenSource::new(profile, key).unwrap();
        assert_eq!(source.token().unwrap().secret().len(), TOKEN.len());
    };
    match scenario {
        KEY_IN_USE => return Some(Box::new(rs256())),
        "a key from PEM" => drop(RsaKey::from_pem(file("key.pem")).unwrap()),
        "a key from DER" => drop(rs256()),
        "a key from a JWK" => drop(RsaKey::read(file("key.jwk")).unwrap()),
        "a key from a JWK in a string" => drop(RsaKey::read(file("text.jwk")).unwrap()),
        "a key from a JWK in base64" => drop(RsaKey::read(file("base64.jwk")).unwrap()),
        "a key from a damaged JWK" => drop(RsaKey::read(file("damaged.jwk")).unwrap_err()),
        "a secret from a JWK" => drop(Key::read(file("secret.jwk")).unwrap()),
        "a secret from base64" => drop(HmacKey::from_base64(file("secret.base64")).unwrap()),
        #[cfg(feature = "encrypted-keys")]
        PBES2 | PBES1 | PROC_TYPE | PKCS12 => {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys/encrypted/");
            let file = fs::read(format!("{folder}{scenario}")).unwrap();
            drop(RsaKey::read_encrypted(file, "correct horse").unwrap());
        }
        "an assertion by RS256" => drop(salesforce().assertion(&rs256(), now()).unwrap()),
        "an assertion by HS256" => drop(client().assertion(&hs256(), now()).unwrap()),
        "a signature by HS256" => drop(hs256().sign(b"a message").unwrap()),
        RSA => {
            let key = RsaPrivateKey::from_pkcs1_der(&file("key.der")).unwrap();
            let key = SigningKey::<Sha256>::new(key);
            key.try_sign_with_rng(&mut OsRng, b"a message").unwrap();
        }
        "a token in a form" => fetched(profile(), Box::new(hs256())),
        "a token in JSON" => fetched(profile().with_placement(Placement::JSON), Box::new(hs256())),
        "a token in a query" => fetched(
            profile().with_placement(Placement::QUERY),
            Box::new(hs256()),
        ),
        "a token by RS256" => fetched(profile(), Box::new(rs256())),
        "a token through a store" => {
            let store = Arc::new(WipingStore::default());
            for _ in 0..2 {
                let source = TokenSource::new(profile(), hs256()).unwrap();
                let token = source.with_store(store.clone()).unwrap().token().unwrap();
                assert_eq!(token.secret().len(), TOKEN.len());
            }
        }
        other => panic!("unknown scenario: {other}"),
    }
    None
}

/// A store that wipes its bytes.
#[derive(Default)]
struct WipingStore(Mutex<Option<Zeroizing<Vec<u8>>>>);

impl TokenStore for WipingStore {
    fn load(&self, _: &str, _: Duration) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.0.lock().unwrap().as_deref().cloned())
    }
    fn save(&self, _: &str, bytes: &[u8], _: Duration, _: Duration) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = Some(Zeroizing::new(bytes.to_vec()));
        Ok(())
    }
    fn remove(&self, _: &str, _: &[u8], _: Duration) -> Result<(), BoxError> {
        unreachable!("no scenario invalidates a token")
    }
}

/// Reads a file in one allocation, which is wiped.
fn file(name: &str) -> Zeroizing<Vec<u8>> {
    let files = env::var_os("FILES").unwrap();
    Zeroizing::new(fs::read(Path::new(&files).join(name)).unwrap())
}

// ---- the secrets ----

fn key_of_rfc7515() -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs1_der(&der(&pem())).unwrap()
}
fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let bytes = STANDARD.decode(body);
    bytes.unwrap()
}

fn secrets(key: &RsaPrivateKey, pem: &str) -> Vec<(&'static str, Vec<u8>)> {
    let others = [key.dp(), key.dq()].map(Option::unwrap);
    let primes: Vec<_> = key.primes().iter().chain(others).collect();
    let qinv = key.qinv().unwrap();
    let in_der: Vec<_> = primes.iter().map(|n| n.to_bytes_be()).collect();
    let in_words: Vec<_> = primes.iter().map(|n| n.to_bytes_le()).collect();
    let under = |pad: u8| SECRET.bytes().map(|byte| byte ^ pad).collect();
    // The first third of the text is the modulus, which is public.
    let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let text = lines[lines.len() / 3..].concat();
    let mut all = vec![
        ("exponent, in DER", key.d().to_bytes_be()),
        ("exponent, in words", key.d().to_bytes_le()),
        (
            "primes, in DER",
            [in_der.concat(), qinv.to_bytes_be().1].concat(),
        ),
        (
            "primes, in words",
            [in_words.concat(), qinv.to_bytes_le().1].concat(),
        ),
        ("PEM text", text.into_bytes()),
        ("JWK text", jwk_text()),
        ("JWK text in base64", STANDARD.encode(jwk_text()).into()),
        ("HMAC secret in base64", STANDARD.encode(SECRET).into()),
        ("passphrase in UTF-16", PASSPHRASE_UTF16.into()),
        ("HMAC secret", SECRET.into()),
        ("HMAC secret, inner", under(0x36)),
        ("HMAC secret, outer", under(0x5c)),
        ("access token", TOKEN.into()),
        ("refresh token", REFRESH.into()), // some servers send one
    ];
    let hmac = HmacKey::new(SECRET).unwrap();
    let signers: [(Profile, &dyn Signer); 2] = [(salesforce(), &rsa()), (client(), &hmac)];
    for (profile, signer) in signers {
        let assertion = profile.assertion(signer, now()).unwrap();
        all.extend(signatures(assertion.secret().rsplit('.').next().unwrap()));
    }
    all
}
/// Returns the private members of the JWK.
fn jwk_text() -> Vec<u8> {
    let jwk = include_str!("data/jwk/rfc7515-a2.json");
    // Base64 of three bytes is the same at any multiple of three, so the text begins at one.
    let start = jwk.find("\"d\": \"").unwrap().next_multiple_of(3);
    jwk.as_bytes()[start..].to_vec()
}
/// The signature is the secret part of an assertion.
fn signatures(text: &str) -> [(&'static str, Vec<u8>); 3] {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    let words = bytes.iter().rev().copied().collect();
    [
        ("assertion", text.into()),
        ("signature", bytes),
        ("signature, in words", words),
    ]
}

// ---- the search ----

/// Returns the writable memory of a scenario, without pages of zeros.
fn memory_after(scenario: &str, files: &Path) -> Vec<Vec<u8>> {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_process", "--ignored", "--nocapture"])
        .env("SCENARIO", scenario)
        .env("FILES", files)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let is_done = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line == "done");
    assert!(is_done, "{scenario}");
    // The main thread of the test program may unmap memory after the list of maps was read.
    let mut snapshots = (0..10).map(|_| snapshot(process.id()));
    let runs = snapshots.find_map(Result::ok).expect("memory is readable");
    drop(process.stdin.take());
    lines.for_each(drop);
    assert!(process.wait().unwrap().success(), "{scenario}");
    runs
}

fn snapshot(process: u32) -> io::Result<Vec<Vec<u8>>> {
    let process_files = Path::new("/proc").join(process.to_string());
    let maps = fs::read_to_string(process_files.join("maps"))?;
    let mut memory = File::open(process_files.join("mem"))?;
    let mut runs = Vec::new();
    for map in maps.lines().filter(|map| map.contains(" rw")) {
        let (from, to) = map.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.seek(SeekFrom::Start(from))?;
        memory.read_exact(&mut bytes)?;
        let pages: Vec<_> = bytes.chunks(PAGE).collect();
        let runs_of = pages.split(|page| **page == [0; PAGE][..page.len()]);
        runs.extend(runs_of.map(<[&[u8]]>::concat));
    }
    Ok(runs)
}

fn pieces_found(memory: &[Vec<u8>], secret: &[u8]) -> (usize, usize) {
    let pieces: BTreeSet<_> = secret.chunks_exact(PIECE).collect();
    let begins = |two: &[u8]| (usize::from(two[0]) << 8) | usize::from(two[1]);
    let mut begin = vec![false; 1 << 16];
    pieces.iter().for_each(|piece| begin[begins(piece)] = true);
    let windows = memory.iter().flat_map(|run| run.windows(PIECE));
    let found: BTreeSet<_> = windows
        .filter(|window| begin[begins(window)] && pieces.contains(window))
        .collect();
    (found.len(), pieces.len())
}
