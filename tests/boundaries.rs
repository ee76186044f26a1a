//! Every file of `src` is a room: which crates it may name, and that it knows only the rooms
//! before it.
//!
//! Files are read as text without comments, literals and unit tests. This is no parser of Rust: it
//! knows words and paths, `use` trees included, and that is enough for rules about names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// In the order of `lib.rs`: a room, the crates it names, and what it asks a clock. No more, and
/// no less, so that the table stays true.
const ROOMS: &str = "
    http       http httpdate percent_encoding serde_json zeroize
    echo
    error
    clock      SystemTime::now Instant::now thread::sleep
    pem        base64 zeroize
    der        rsa
    signer
    jwt        base64 getrandom hmac rsa serde_json sha2 zeroize
    token      zeroize
    endpoint
    profile    serde_json zeroize
    discovery  serde_json
    exchange   serde_json zeroize
    transport  http ureq zeroize
    store      redis rustix serde_json zeroize
    life
    slot
    fetch      log zeroize
    source     http ureq
";

/// Outside the house: what the features `sandbox` and `cli` add. Nothing of the library names it.
const ASIDE: &[&str] = &["sandbox", "bin"];

/// No room reads the environment, touches a file, starts a thread, prints, or has a global.
const FORBIDDEN: &str = "
    std::env std::fs std::process thread::spawn thread::scope thread::Builder
    static thread_local OnceCell LazyLock LazyCell
    print println eprint eprintln dbg elapsed
";

/// Lines without unit tests: a longer file has a second idea in it.
const MAX_LINES: usize = 430;

fn rooms() -> Vec<(&'static str, BTreeSet<&'static str>)> {
    let rows = ROOMS.lines().map(str::split_whitespace);
    rows.filter_map(|mut row| Some((row.next()?, row.collect())))
        .collect()
}

// ---- the rules ----

#[test]
fn the_rooms_are_the_modules_of_lib_rs_in_this_order() {
    let lib = Source::of("lib", &fs::read_to_string(src().join("lib.rs")).unwrap());
    let rooms: Vec<_> = rooms().into_iter().map(|(room, _)| room).collect();
    let mut modules = lib.modules();
    modules.retain(|module| !ASIDE.contains(module));
    assert_eq!(modules, rooms);
}

#[test]
fn every_file_is_in_a_room() {
    for source in sources() {
        let known = rooms().iter().any(|(room, _)| *room == source.room);
        assert!(known || source.room == "lib", "{}", source.room);
    }
}

#[test]
fn every_room_names_what_its_row_says() {
    let sources = sources();
    for (room, row) in rooms() {
        let files = sources.iter().filter(|source| source.room == room);
        let named: BTreeSet<_> = files.flat_map(Source::crates_and_clocks).collect();
        assert_eq!(named, row, "{room}");
    }
}

#[test]
fn every_dependency_is_in_a_row() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // As it was written: a published package has it under another name.
    let written = fs::read_to_string(here.join("Cargo.toml.orig"));
    let manifest = written.or_else(|_| fs::read_to_string(here.join("Cargo.toml")));
    let manifest = manifest.unwrap();
    let (_, list) = manifest.split_once("\n[dependencies]\n").unwrap();
    let list = list.lines().take_while(|line| !line.starts_with('['));
    let list = list.filter(|line| line.starts_with("ureq") || !line.contains("optional"));
    for name in list.filter_map(|line| Some(line.split_once('=')?.0.trim())) {
        let name = name.replace('-', "_");
        let mut rows = rooms().into_iter();
        assert!(rows.any(|(_, row)| row.contains(&*name)), "{name}");
    }
}

#[test]
fn every_room_knows_only_the_rooms_before_it() {
    let offences: Vec<_> = sources()
        .iter()
        .flat_map(Source::rooms_out_of_order)
        .collect();
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn no_room_reads_the_environment_starts_a_thread_or_has_a_global() {
    for source in sources() {
        let mut named = source.forbidden();
        if source.room == "store" {
            named.remove("std::fs"); // what it is for
            named.remove("thread::Builder"); // a call that hangs is left behind
        }
        assert!(named.is_empty(), "{}: {named:?}", source.room);
    }
}

#[test]
fn every_limit_says_why() {
    let offences: Vec<_> = sources()
        .iter()
        .flat_map(Source::limits_without_reason)
        .collect();
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn no_file_is_too_long_to_read() {
    for source in sources() {
        assert!(
            source.lines <= MAX_LINES,
            "{}: {}",
            source.room,
            source.lines
        );
    }
}

// ---- how they are checked ----

struct Source {
    room: String,
    raw: String,
    /// As long as `raw` in lines, without comments, literals and unit tests.
    code: String,
    /// Without unit tests.
    lines: usize,
}

impl Source {
    fn of(room: &str, raw: &str) -> Self {
        let code = without_literals(raw);
        let (code, test_lines) = without_tests(&code);
        Self {
            room: room.to_owned(),
            raw: raw.to_owned(),
            lines: raw.lines().count() - test_lines,
            code,
        }
    }

    /// `mod x;`, in order.
    fn modules(&self) -> Vec<&str> {
        let words = words(&self.code);
        let modules = words.windows(3).filter(|w| w[0] == "mod" && w[2] == ";");
        modules.map(|w| w[1]).collect()
    }

    /// What of all rows is named here. A room of ours hides the crate of its name.
    fn crates_and_clocks(&self) -> BTreeSet<&'static str> {
        let words = words(&self.code);
        let paths = paths(&words);
        let ours = paths.iter().filter(|path| is_ours(path[0]));
        let ours = ours.filter_map(|path| path.iter().rfind(|word| **word != "self"));
        let hidden: BTreeSet<_> = ours.copied().chain(self.modules()).collect();
        let is_named = |name: &&str| match name.split_once("::") {
            Some(pair) => has(&paths, pair),
            None => !hidden.contains(name) && paths.iter().any(|path| path[0] == *name),
        };
        let all = rooms().into_iter().flat_map(|(_, row)| row);
        all.filter(is_named).collect()
    }

    fn forbidden(&self) -> BTreeSet<&'static str> {
        let words = words(&self.code);
        let paths = paths(&words);
        let is_named = |name: &&str| match name.split_once("::") {
            Some(pair) => has(&paths, pair),
            // `'static` is no global
            None => (words.iter().enumerate())
                .any(|(n, word)| word == name && !words[..n].ends_with(&["'"])),
        };
        FORBIDDEN.split_whitespace().filter(is_named).collect()
    }

    /// `crate::x` or `super::x` where `x` is no room, or comes later.
    fn rooms_out_of_order(&self) -> Vec<String> {
        let place = |name: &str| rooms().iter().position(|(room, _)| *room == name);
        let Some(own) = place(&self.room) else {
            return Vec::new(); // lib.rs names all of them
        };
        let words = words(&self.code);
        let offends = |path: &Vec<&str>| {
            let next = path.iter().find(|word| !is_ours(word)).unwrap_or(&"");
            match path[0] {
                "crate" => place(next).is_none_or(|place| place > own),
                "super" => place(next).is_some_and(|place| place > own),
                _ => false,
            }
        };
        let offences = paths(&words).into_iter().filter(offends);
        offences
            .map(|path| format!("{}: {}", self.room, path.join("::")))
            .collect()
    }

    /// A constant that is a number or a duration has a doc comment.
    fn limits_without_reason(&self) -> Vec<String> {
        let is_number = |word: &&str| {
            let (kind, bits) = word.split_at_checked(1).unwrap_or_default();
            let sized = bits.parse::<u8>().is_ok() || bits == "size";
            (matches!(kind, "u" | "i" | "f") && sized) || *word == "Duration"
        };
        let raw: Vec<_> = self.raw.lines().collect();
        let mut offences = Vec::new();
        for (n, line) in self.code.lines().enumerate() {
            let line = line.trim_start_matches([' ', '\t']);
            let visibility = ["pub ", "pub(crate) ", "pub(super) "];
            let line = visibility.iter().fold(line, |l, v| l.trim_start_matches(v));
            let constant = line.strip_prefix("const ");
            let constant = constant.filter(|constant| !constant.starts_with("fn "));
            let Some((name, rest)) = constant.and_then(|c| c.split_once(": ")) else {
                continue;
            };
            let kind = rest.split('=').next().unwrap_or_default();
            let above = raw[..n].iter().map(|line| line.trim());
            let above = above.rev().find(|line| !line.starts_with("#["));
            if words(kind).iter().any(is_number) && !above.is_some_and(|a| a.starts_with("///")) {
                offences.push(format!("{}: {name}", self.room));
            }
        }
        offences
    }
}

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![src().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let first = path.strip_prefix(src()).unwrap().iter().next().unwrap();
            let room = Path::new(first).file_stem().unwrap().to_str().unwrap();
            if ASIDE.contains(&room) {
                continue;
            }
            found.push(Source::of(room, &fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(found.len() > rooms().len());
    found
}

/// Without comments, strings and characters; line ends stay.
fn without_literals(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = literal_at(rest);
        match end {
            0 => code.push(c),
            _ => code.extend(rest[..end].chars().filter(|c| *c == '\n')),
        }
        rest = &rest[end.max(c.len_utf8())..];
    }
    code
}

/// Bytes of the comment or literal that `text` begins with.
fn literal_at(text: &str) -> usize {
    let until = |end: &str, from: usize| match text[from..].find(end) {
        Some(at) => from + at + end.len(),
        None => text.len(),
    };
    let hashes = text
        .strip_prefix('r')
        .map(|rest| rest.len() - rest.trim_start_matches('#').len());
    match (text.as_bytes(), hashes) {
        ([b'/', b'/', ..], _) => text.find('\n').unwrap_or(text.len()),
        ([b'/', b'*', ..], _) => until("*/", 2),
        (_, Some(n)) if text[n + 1..].starts_with('"') => {
            until(&format!("\"{}", "#".repeat(n)), n + 2)
        }
        ([b'"', ..], _) => {
            let mut escaped = false;
            let end = text[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |at| at + 2)
        }
        ([b'\'', b'\\', ..], _) => until("'", 3),
        ([b'\'', ..], _) => match text[1..].char_indices().nth(1) {
            Some((at, '\'')) => at + 2,
            _ => 0, // a lifetime
        },
        _ => 0,
    }
}

/// Without what stands under `#[cfg(test)]`; line ends stay. And how many lines that was.
fn without_tests(code: &str) -> (String, usize) {
    let mut kept = String::new();
    let mut lines = 0;
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (live, test) = rest.split_at(at);
        let mut depth = 0;
        let end = test.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0 && matches!(c, '}' | ';')
        });
        let (test, after) = test.split_at(end.map_or(test.len(), |end| end + 1));
        let ends = test.matches('\n').count();
        kept += live;
        kept += &"\n".repeat(ends);
        lines += ends + 1;
        rest = after;
    }
    (kept + rest, lines)
}

/// Identifiers and numbers, `::`, and every other character by itself.
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let of_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match rest.find(|c| !of_word(c)).unwrap_or(rest.len()) {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            length => length,
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// All paths, `use` trees written out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths<'c>(words: &[&'c str]) -> Vec<Vec<&'c str>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let begins = words.get(at + 1) == Some(&"::") || (at > 0 && words[at - 1] == "use");
        at = match is_word(words[at]) && begins {
            true => path(words, at, &[], &mut all),
            false => at + 1,
        };
    }
    all
}

/// Reads the path or tree that begins at `at`, behind `before`; where it ends.
fn path<'c>(
    words: &[&'c str],
    at: usize,
    before: &[&'c str],
    all: &mut Vec<Vec<&'c str>>,
) -> usize {
    let mut path_here = [before, &[words[at]]].concat();
    let mut at = at + 1;
    while words.get(at) == Some(&"::") {
        match words.get(at + 1) {
            Some(&"{") => {
                at += 2;
                while words.get(at).is_some_and(|word| *word != "}") {
                    at = match words[at] {
                        "as" => at + 2,
                        word if is_word(word) => path(words, at, &path_here, all),
                        _ => at + 1,
                    };
                }
                return at + 1;
            }
            Some(word) if is_word(word) => {
                path_here.push(word);
                at += 2;
            }
            _ => at += 1, // `::<` or `::*`
        }
    }
    all.push(path_here);
    at
}

fn has(paths: &[Vec<&str>], (a, b): (&str, &str)) -> bool {
    let mut pairs = paths.iter().flat_map(|path| path.windows(2));
    pairs.any(|pair| pair == [a, b])
}

fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_ours(word: &str) -> bool {
    matches!(word, "crate" | "super" | "self")
}

// ---- the checks can fail ----

#[test]
fn comments_literals_and_unit_tests_are_not_code() {
    let source = Source::of(
        "jwt",
        r##"
        //! ureq::get
        /* ureq::get */
        const A: &str = "ureq::get \" ureq::get"; const B: char = '"'; const C: char = '\'';
        const D: &str = r#"" ureq::get"#; fn f<'a>(a: &'a str, b: &'static str) {}
        #[cfg(test)]
        mod tests { fn f() { ureq::get } }
        #[cfg(test)]
        use ureq::get;
        fn live() { http::get() }
        "##,
    );
    assert_eq!(source.crates_and_clocks(), ["http"].into());
    assert_eq!(source.forbidden(), [].into());
    assert_eq!(source.lines, 11 - 4);
}

#[test]
fn a_crate_is_seen_however_it_is_named() {
    let named = |code| Source::of("jwt", code).crates_and_clocks();
    for code in [
        "use ureq::Agent;",
        "use ureq as u;",
        "use ureq;",
        "fn f() -> ::ureq::Agent {}",
        "fn f() { ureq::get() }",
        "type A = Vec<ureq::Agent>;",
        "mod agent { use ureq::{Agent, Error as E}; }",
    ] {
        assert_eq!(named(code), ["ureq"].into(), "{code}");
    }
    assert_eq!(
        named("use crate::{der, pem}; fn f() { pem::read() }"),
        [].into()
    );
    assert_eq!(
        named("use crate::pem::{self, Key}; fn f() { pem::read() }"),
        [].into()
    );
    assert_eq!(
        named("use crate::der; fn f() { rsa::parse() }"),
        ["rsa"].into()
    );
    assert_eq!(
        named("use crate::http::Request; fn f(a: http::Uri) {}"),
        ["http"].into()
    );
}

#[test]
fn a_clock_is_seen_however_it_is_named() {
    let named = |code| Source::of("exchange", code).crates_and_clocks();
    assert_eq!(
        named("fn f() { SystemTime::now() }"),
        ["SystemTime::now"].into()
    );
    assert_eq!(
        named("fn f() { std::time::Instant::now() }"),
        ["Instant::now"].into()
    );
    assert_eq!(named("fn f() { SystemTime::UNIX_EPOCH }"), [].into());
}

#[test]
fn a_later_room_is_seen_however_it_is_named() {
    let offences = |room, code| Source::of(room, code).rooms_out_of_order();
    for code in [
        "use crate::source::TokenSource;",
        "use crate::{error::Error, source::{self, TokenSource}};",
        "fn f(_: crate::source::TokenSource) {}",
        "fn f(_: super::source::TokenSource) {}",
        "fn f(_: crate::TokenSource) {}",
        "use crate::*;",
    ] {
        assert!(!offences("slot", code).is_empty(), "{code}");
    }
    for code in [
        "use crate::{error::Error, token};",
        "use super::Transport;",
        "pub(crate) fn f() { crate::slot::g() }",
        "#[cfg(test)] mod tests { use crate::TokenSource; }",
    ] {
        assert!(offences("slot", code).is_empty(), "{code}");
    }
    assert_eq!(
        offences("slot", "use crate::source;"),
        ["slot: crate::source"]
    );
}

#[test]
fn a_global_a_thread_and_a_look_at_the_environment_are_seen() {
    for code in [
        "static A: u8 = 0;",
        "pub static mut A: u8 = 0;",
        "fn f() { std::env::var(A) }",
        "use std::{env, fmt};",
        "fn f() { thread::spawn(g) }",
        "fn f() { std::fs::read(a) }",
        "use std::cell::OnceCell;",
        "thread_local! {}",
        "fn f() { println!(a) }",
        "fn f(a: Instant) { a.elapsed() }",
    ] {
        assert_eq!(Source::of("slot", code).forbidden().len(), 1, "{code}");
    }
    let clean = "fn f(a: &'static str) { env!(A); thread::sleep(b) }";
    assert_eq!(Source::of("slot", clean).forbidden(), [].into());
}

#[test]
fn a_limit_without_reason_is_seen() {
    let offences = |code| Source::of("slot", code).limits_without_reason();
    assert_eq!(offences("const A: usize = 1;"), ["slot: A"]);
    assert_eq!(
        offences("// why\npub(crate) const A: Duration = B;"),
        ["slot: A"]
    );
    assert_eq!(
        offences("/// why\nconst A: u8 = 1;\nconst B: f64 = 1.0;"),
        ["slot: B"]
    );
    assert_eq!(
        offences("const A: std::ops::RangeInclusive<usize> = 1..=2;"),
        ["slot: A"]
    );
    for code in [
        "/// Why.\nconst A: usize = 1;",
        "/// Why.\n#[cfg(a)]\nconst A: usize = 1;",
        "const A: &str = \"1\";",
        "pub(crate) const fn f(a: u8) {}",
        "#[cfg(test)]\nmod tests { const A: usize = 1; }",
    ] {
        assert_eq!(offences(code).len(), 0, "{code}");
    }
}

#[test]
fn modules_are_seen_in_their_order() {
    let source = Source::of(
        "lib",
        "mod a;\n#[cfg(x)]\npub mod b;\n#[cfg(test)]\nmod c;\nmod d {}",
    );
    assert_eq!(source.modules(), ["a", "b"]);
}
