//! Properties that hold for any input. Fuzzing tries to break them.
//!
//! They use the public API, pure private code that is compiled here again, and no fuzzer: [`TARGETS`] are plain
//! functions, and the test below runs them over the seeds. Each function reads the input a second time, with other
//! crates (`ring`, `time`, `form_urlencoded`, ...) or with a second copy of the rules, and compares the two results.

use std::collections::{BTreeMap, HashSet};
use std::error::Error as StdError;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_bearer::{Error, HmacKey};
use regex_syntax::hir::{Class, ClassUnicode, HirKind};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

mod claims;
mod command_line;
mod configuration;
mod credentials;
mod dates;
#[cfg(feature = "encrypted-keys")]
mod encrypted;
mod foreign_text;
mod identity;
mod keys;
mod metadata;
mod parameters;
mod response_map;
mod responses;
mod settings;

// Pure private code. It is compiled here again, and stays where it is.
#[path = "../../src/bin/jwt-bearer/connections.rs"]
#[expect(dead_code, reason = "the command line uses it")]
mod connections;
#[expect(dead_code, reason = "the command line uses it")]
#[path = "../../src/bin/jwt-bearer/messages.rs"]
mod messages;
#[path = "../../src/bin/jwt-bearer/names.rs"]
#[expect(dead_code, reason = "the command line uses it")]
mod names;
#[path = "../../src/redact.rs"]
mod redact;
#[path = "../../src/bin/jwt-bearer/shell.rs"]
#[expect(dead_code, reason = "the command line uses it")]
mod shell;

use command_line::{failure, files, pairs, reporting};

pub use claims::claims;
pub use configuration::configuration;
pub use credentials::credentials;
pub use dates::dates;
#[cfg(feature = "encrypted-keys")]
pub use encrypted::encrypted;
pub use foreign_text::foreign_text;
pub use identity::identity;
pub use keys::{der, jwk, pem};
pub use metadata::metadata;
pub use parameters::parameters;
pub use response_map::response_map;
pub use responses::response;
pub use settings::settings;

/// A name, and a function that panics if the property does not hold for its input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, named as in `fuzz_targets/` and `seeds/`.
pub const TARGETS: &[Target] = &[
    ("claims", claims),
    ("configuration", configuration),
    ("credentials", credentials),
    ("dates", dates),
    ("der", der),
    #[cfg(feature = "encrypted-keys")]
    ("encrypted", encrypted),
    ("foreign_text", foreign_text),
    ("identity", identity),
    ("jwk", jwk),
    ("metadata", metadata),
    ("parameters", parameters),
    ("pem", pem),
    ("response", response),
    ("response_map", response_map),
    ("settings", settings),
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

/// Splits `input` into strings at the byte 0xFF, which is in no UTF-8.
fn fields(input: &[u8]) -> impl Iterator<Item = String> {
    let fields = input.split(|byte| *byte == 0xff);
    fields.map(|field| String::from_utf8_lossy(field).into_owned())
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}\n")
}

/// Everything that a logger could print about an error, without the hint, which is a fixed text of this crate.
fn error_texts(error: &Error) -> String {
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

/// This many consecutive bytes of a secret are in a text only if it quotes the secret.
const QUOTE_LEN: usize = 16;

/// Panics if `text` has 16 consecutive bytes of `secret`.
///
/// Bytes with white space do not count: an input may have our own sentences, but no secret has white space.
#[track_caller]
fn assert_not_quoted(text: &str, secret: impl AsRef<[u8]>) {
    /// Names of ciphers and of parameters, which an input may have and our sentences and `Debug` have too.
    const OURS: &[u8] = b"CAMELLIA-128-CBC CAMELLIA-192-CBC CAMELLIA-256-CBC client_assertion_type";
    let is_solid = |run: &&[u8]| !run.iter().any(u8::is_ascii_whitespace);
    let runs: HashSet<_> = secret
        .as_ref()
        .windows(QUOTE_LEN)
        .filter(is_solid)
        .collect();
    let mut quoted = (text.as_bytes().windows(QUOTE_LEN)).filter(|run| runs.contains(run));
    if let Some(run) = quoted.find(|run| !OURS.windows(QUOTE_LEN).any(|ours| ours == *run)) {
        panic!("{:?} is quoted", String::from_utf8_lossy(run));
    }
}

/// The JSON object that is a response, or the first element of an array in an error response.
///
/// A byte order mark is skipped, and bytes that are not UTF-8 become replacement characters. A member whose value cannot
/// be read counts as missing.
fn json_object(status: u16, body: &[u8]) -> Option<Map<String, Value>> {
    if body.len() > 64 * 1024 {
        return None;
    }
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    let members = raw_members(&text).or_else(|| {
        let all: Vec<Box<RawValue>> = serde_json::from_str(&text).ok()?;
        let first = all.first().filter(|_| status >= 400)?;
        raw_members(first.get())
    })?;
    let value =
        |(name, raw): (String, Box<RawValue>)| Some((name, serde_json::from_str(raw.get()).ok()?));
    Some(members.into_iter().filter_map(value).collect())
}

fn raw_members(text: &str) -> Option<BTreeMap<String, Box<RawValue>>> {
    serde_json::from_str(text).ok()
}

/// Decodes a segment of a JWT. Panics if a name is in it twice: it would then be shorter when written again.
#[track_caller]
fn decode_segment(segment: &str) -> Map<String, Value> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap();
    let members: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let again = Value::Object(members.clone()).to_string();
    assert_eq!(again.len(), text.len(), "{text} {again}");
    members
}

/// Panics if `text` quotes a value. Names may be printed, and a long name may have a value in it.
#[track_caller]
fn assert_values_hidden(text: &str, pairs: &[(String, String)]) {
    let is_short = |name: &str| format!("{name:?},").len() < QUOTE_LEN;
    if pairs.iter().all(|(name, _)| is_short(name)) {
        (pairs.iter()).for_each(|(_, value)| assert_not_quoted(text, value));
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

/// Invisible characters and line ends, from the tables of Unicode as the crate `regex-syntax` has them.
fn invisible() -> &'static ClassUnicode {
    static INVISIBLE: OnceLock<ClassUnicode> = OnceLock::new();
    INVISIBLE.get_or_init(|| {
        // The last are the marks of interlinear annotations.
        let class = r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}\p{Zl}\p{Zp}\x{fff9}-\x{fffb}]";
        let class = regex_syntax::parse(class).unwrap();
        let HirKind::Class(Class::Unicode(class)) = class.kind() else {
            panic!("{class:?}")
        };
        class.clone()
    })
}

fn is_invisible(c: char) -> bool {
    let ranges = invisible().ranges();
    let n = ranges.partition_point(|range| range.end() < c);
    ranges.get(n).is_some_and(|range| range.start() <= c)
}

/// Panics unless foreign words may be printed: they are short, and have nothing invisible in them.
#[track_caller]
fn assert_printable(words: &str) {
    assert!(words.chars().count() <= 256, "{}", words.len());
    assert!(!words.contains(is_invisible), "{words:?}");
}

/// Returns whether `text` is a scope (RFC 6749 §3.3).
fn is_scope(text: &str) -> bool {
    text.split(' ')
        .all(|name| !name.is_empty() && is_visible(name) && !name.contains(['"', '\\']))
}

/// Panics unless `url` is https, or http to loopback, and all parsers agree about its host.
#[track_caller]
fn assert_safe_url(url: &str) {
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
    let is_loopback = matches!(host, "localhost" | "[::1]")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback());
    let scheme = scheme.to_lowercase();
    assert!(
        scheme == "https" || (scheme == "http" && is_loopback),
        "{url:?}"
    );
}

/// Returns the body of a response with the assertion in place of each `~`.
fn with_assertion(body: &[u8], assertion: &str) -> Vec<u8> {
    let body = body.iter().flat_map(|byte| match byte {
        b'~' => assertion.as_bytes(),
        _ => std::slice::from_ref(byte),
    });
    body.copied().collect()
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
    fn seeds_pass_their_target() {
        for (name, check) in TARGETS {
            let seeds = files(&format!("seeds/{name}"));
            assert!(seeds.len() >= 5, "{name} has too few seeds");
            for seed in seeds {
                println!("{}", seed.display()); // after a failure, the last one is the one that failed
                check(&fs::read(seed).unwrap());
            }
        }
    }

    #[test]
    fn target_has_seeds_and_binary() {
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
    fn quote_of_16_bytes_is_found_and_15_is_not() {
        let secret = "an-assertion-of-more-than-sixteen-bytes";
        let is_quoted =
            |text: &str| std::panic::catch_unwind(|| assert_not_quoted(text, secret)).is_err();
        assert!(is_quoted(secret) && is_quoted(&secret[10..26]));
        assert!(!is_quoted(&secret[10..25]) && !is_quoted("other words of some length"));
    }
}
