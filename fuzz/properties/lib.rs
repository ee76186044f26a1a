//! What holds for any input: the promises that fuzzing tries to break.
//!
//! Only the public face is used, and no fuzzer: [`TARGETS`] are plain functions, which the test
//! below runs over the seeds. What an input means is read a second time, by other people's code
//! (`ring`, `time`, `form_urlencoded`, ...) or by a table written again; each function compares the
//! two readings.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Error, HmacKey};
use serde_json::{Map, Value};

mod claims;
mod credentials;
mod dates;
mod identity;
mod keys;
mod metadata;
mod parameters;
mod responses;

pub use claims::claims;
pub use credentials::credentials;
pub use dates::dates;
pub use identity::identity;
pub use keys::{der, pem};
pub use metadata::metadata;
pub use parameters::parameters;
pub use responses::response;

/// A name and what must hold for any input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by the names of `fuzz_targets/` and `seeds/`.
pub const TARGETS: &[Target] = &[
    ("claims", claims),
    ("credentials", credentials),
    ("dates", dates),
    ("der", der),
    ("identity", identity),
    ("metadata", metadata),
    ("parameters", parameters),
    ("pem", pem),
    ("response", response),
];

/// 2023-11-14, 22:13:20 UTC.
const NOW: u64 = 1_700_000_000;
const SECRET: &str = "a secret of at least thirty-two bytes";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn key() -> HmacKey {
    HmacKey::new(SECRET).unwrap()
}

/// Any strings, one behind the other: no UTF-8 has the byte between them.
fn fields(input: &[u8]) -> impl Iterator<Item = String> {
    let fields = input.split(|byte| *byte == 0xff);
    fields.map(|field| String::from_utf8_lossy(field).into_owned())
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}\n")
}

/// Everything that a logger could print of an error, our hint aside, which is no foreign text.
fn told(error: &Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn StdError> = Some(error);
    while let Some(error) = next {
        text += &format!("{error}\n{error:?}\n{error:#?}\n");
        next = error.source();
    }
    match error.hint() {
        Some(hint) => text.replace(hint, ""),
        None => text,
    }
}

/// Bytes of a secret in a row that do not come about by chance.
const RUN: usize = 16;

/// Our own sentences may come about in an input; a key, an assertion or a token has no white space.
#[track_caller]
fn quotes_nothing(text: &str, secret: impl AsRef<[u8]>) {
    const OURS: &[u8] = b"PBKDF2-HMAC-SHA-2";
    let solid = |run: &&[u8]| !run.iter().any(u8::is_ascii_whitespace);
    let runs: HashSet<_> = secret.as_ref().windows(RUN).filter(solid).collect();
    let mut quoted = (text.as_bytes().windows(RUN)).filter(|run| runs.contains(run));
    if let Some(run) = quoted.find(|run| !OURS.windows(RUN).any(|ours| ours == *run)) {
        panic!("{:?} is quoted", String::from_utf8_lossy(run));
    }
}

/// The members of a response that is a JSON object; of an array that is an error, of its first
/// element.
fn members(status: u16, body: &[u8]) -> Option<Map<String, Value>> {
    if body.len() > 64 * 1024 {
        return None;
    }
    let first = |all: Vec<Value>| all.into_iter().next();
    let value = match serde_json::from_slice(body).ok()? {
        Value::Array(all) if status >= 400 => first(all)?,
        value => value,
    };
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// A segment of a JWT: an object that has each name once, or it would be shorter when written anew.
#[track_caller]
fn decoded(segment: &str) -> Map<String, Value> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap();
    let members: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let anew = Value::Object(members.clone()).to_string();
    assert_eq!(anew.len(), text.len(), "{text} {anew}");
    members
}

/// Names are told, values are not; unless a name, as it is printed, is long enough to be a run.
#[track_caller]
fn tells_no_value(text: &str, pairs: &[(String, String)]) {
    let is_short = |name: &str| format!("{name:?},").len() < RUN;
    if pairs.iter().all(|(name, _)| is_short(name)) {
        (pairs.iter()).for_each(|(_, value)| quotes_nothing(text, value));
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

/// RFC 6749 §3.3.
fn is_scope(text: &str) -> bool {
    text.split(' ')
        .all(|name| !name.is_empty() && is_visible(name) && !name.contains(['"', '\\']))
}

/// https, or http to this machine; nothing that two parsers could read in two ways.
#[track_caller]
fn is_safe(url: &str) {
    assert!(is_visible(url) && !url.contains('#'), "{url:?}");
    let (scheme, rest) = url.split_once("://").unwrap();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    assert!(!authority.contains(['@', '\\', '%']), "{url:?}");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            assert!(port.parse::<u16>().is_ok(), "{url:?}");
            host
        }
        _ => authority,
    };
    assert!(!host.is_empty(), "{url:?}");
    let here = matches!(host, "localhost" | "[::1]")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback());
    let scheme = scheme.to_lowercase();
    assert!(scheme == "https" || (scheme == "http" && here), "{url:?}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn names(folder: &str) -> BTreeSet<String> {
        let stems = files(folder).into_iter();
        stems
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_seed_holds() {
        for (name, holds) in TARGETS {
            let seeds = files(&format!("seeds/{name}"));
            assert!(seeds.len() >= 5, "{name} has too few seeds");
            for seed in seeds {
                println!("{}", seed.display()); // the last one is the one that broke it
                holds(&fs::read(seed).unwrap());
            }
        }
    }

    #[test]
    fn every_target_has_seeds_and_a_program() {
        let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names("seeds"), targets);
        assert_eq!(names("fuzz_targets"), targets);
        let manifest = include_str!("../Cargo.toml");
        for name in &targets {
            let program = format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
            assert!(manifest.contains(&program), "{name}");
        }
    }

    #[test]
    fn a_run_of_a_secret_is_found_and_less_is_not() {
        let secret = "an-assertion-of-more-than-sixteen-bytes";
        let is_quoted =
            |text: &str| std::panic::catch_unwind(|| quotes_nothing(text, secret)).is_err();
        assert!(is_quoted(secret) && is_quoted(&secret[10..26]));
        assert!(!is_quoted(&secret[10..25]) && !is_quoted("other words of some length"));
    }
}
