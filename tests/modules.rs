//! Reads src as text: each module names only modules that `lib.rs` has before it, and in a folder those that the file
//! beside it has before it; few files name the crates that sign, send or store. `clippy.toml` has the rules that clippy can check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, mem};

/// Crates and the files that name them. Any file may name `base64`, `serde_json` and `zeroize`.
const CRATES: &[(&str, &[&str])] = &[
    ("aes", &["key/block_cipher"]),
    ("cbc", &["key/block_cipher"]),
    ("des", &["key/block_cipher"]),
    ("getrandom", &["random"]),
    ("hmac", &["jwt/hmac_key", "key/derivation", "key/pkcs12"]),
    (
        "http",
        &[
            "discovery",
            "message",
            "token",
            "transport/agent",
            "transport/resolver",
            "url",
        ],
    ),
    (
        "httpdate",
        &["message", "message/retry_after", "profile/lifetime"],
    ),
    ("log", &["fetch", "key_file", "profile/response", "shared"]),
    ("md5", &["key/derivation", "key/pbes1"]),
    ("percent_encoding", &["placement"]),
    ("redis", &["store/redis"]),
    ("pkcs8", &["key/encrypted"]),
    (
        "ring",
        &["jwt/ring_keys", "jwt/rsa_algorithm", "key/certificate"],
    ),
    ("rsa", &["jwt/rsa_algorithm", "jwt/rsa_key"]),
    ("rustix", &["store/unix_directory"]),
    ("sha1", &["key/derivation", "key/pbes1", "key/pkcs12"]),
    (
        "sha2",
        &[
            "jwt/hmac_key",
            "jwt/rsa_algorithm",
            "key/hash",
            "key/pkcs12",
        ],
    ),
    (
        "ureq",
        &[
            "transport/agent",
            "transport/connector",
            "transport/header_lines",
            "transport/resolver",
        ],
    ),
];

/// Lines of a file without its tests. A longer file has more than one idea.
const MAX_LINES: usize = 450;

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

#[test]
fn modules_name_only_earlier_modules() {
    let files = files();
    let places = |file: &str| places(file, &files);
    // A module and those in its folder may name each other, and so may the servers, which are in alphabetical order.
    let is_earlier = |named: &str, by: &str| {
        if [named, by].iter().all(|file| file.starts_with("provider/")) {
            return true;
        }
        let (named, by) = (places(named), places(by));
        let mut pairs = named.iter().zip(&by);
        pairs
            .find(|(one, other)| one != other)
            .is_none_or(|(one, other)| one < other)
    };
    for (name, code) in &files {
        for path in paths(code) {
            let is_earlier = match file_of(&path, name) {
                Some(named) => is_earlier(&named, name),
                None => !path.starts_with("crate::"),
            };
            assert!(
                is_earlier,
                "{name} names {path}, which is in no earlier module"
            );
        }
    }
}

#[test]
fn design_lists_the_files_in_their_order() {
    let files = files();
    let mut in_order: Vec<_> = files.keys().collect();
    in_order.retain(|file| !file.starts_with("provider/")); // one for each server
    in_order.sort_by_cached_key(|file| places(file, &files));
    let design = include_str!("../docs/design.md");
    let (_, table) = design.split_once("| Module |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().filter_map(|row| row.split(" | ").next());
    let listed: Vec<_> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(listed, in_order);
}

#[test]
fn files_name_each_other_in_no_circle() {
    let mut names = BTreeSet::new();
    for (from, code) in files() {
        let named = paths(&code)
            .into_iter()
            .filter_map(|path| file_of(&path, &from));
        names.extend(named.map(|to| (from.clone(), to)));
    }
    names.retain(|(from, to)| from != to);
    let is_end = |(from, to): &(String, String), names: &BTreeSet<(String, String)>| {
        !names.iter().any(|(f, _)| f == to) || !names.iter().any(|(_, t)| t == from)
    };
    while let Some(end) = names.iter().find(|pair| is_end(pair, &names)).cloned() {
        names.remove(&end);
    }
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn crates_are_named_only_by_listed_files() {
    for (name, listed) in CRATES {
        let mut files = files();
        let is_named = |path: String| path.split("::").next() == Some(name);
        files.retain(|_, code| paths(code).into_iter().any(is_named));
        assert_eq!(files.into_keys().collect::<Vec<_>>(), *listed, "{name}");
    }
}

#[test]
fn library_has_no_static_items() {
    for (name, code) in files() {
        let items = code
            .lines()
            .map(|line| line.trim().trim_start_matches("pub "));
        let items = items.map(|item| item.trim_start_matches("pub(crate) "));
        let statics: Vec<_> = items.filter(|i| i.starts_with("static ")).collect();
        assert!(statics.is_empty(), "{name}: {statics:?}");
    }
}

/// The modules of the command line have no order, but none names another that names it, directly or not.
#[test]
fn modules_of_the_command_line_have_no_circle() {
    let folder = format!("{SRC}/bin/jwt-bearer");
    let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in [folder.clone(), format!("{folder}/check")] {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let name = path.strip_prefix(&folder).unwrap().with_extension("");
            let name = name.iter().next().unwrap().to_str().unwrap().to_owned();
            let mut words = code.split("crate::").skip(1);
            let names = words.by_ref().flat_map(|rest| {
                let is_group = rest.starts_with('{');
                let rest = rest.trim_start_matches('{');
                let end = if is_group { "}" } else { ":;( {" };
                let group = rest.split(|c: char| end.contains(c)).next().unwrap();
                let names = group
                    .split(',')
                    .map(|name| name.split("::").next().unwrap());
                names.map(|name| name.trim().to_owned()).collect::<Vec<_>>()
            });
            let named: Vec<_> = names.filter(|other| *other != name).collect();
            left.entry(name).or_default().extend(named);
        }
    }
    left.remove("main");
    assert!(
        left.len() > 40 && left["args"].contains("chosen"),
        "{left:?}"
    );
    // Modules that name none of the remaining ones are below them.
    loop {
        let names: BTreeSet<_> = left.keys().cloned().collect();
        let before = names.len();
        left.retain(|_, named| !named.is_disjoint(&names));
        match left.len() {
            0 => break,
            now => assert!(now < before, "a circle is in {left:#?}"),
        }
    }
}

#[test]
fn library_files_are_short() {
    for (name, code) in files() {
        let lines = code.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines");
    }
}

/// The library's files without their tests: "store/file" is src/store/file.rs.
fn files() -> BTreeMap<String, String> {
    let list = |folder: &Path| fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<_> = list(SRC.as_ref()).collect();
    let mut files = BTreeMap::new();
    while let Some(path) = paths.pop() {
        let name = path.strip_prefix(SRC).unwrap().with_extension("");
        match name.to_str().unwrap() {
            "lib" | "bin" | "sandbox" => {} // not modules of the library
            _ if path.is_dir() => paths.extend(list(&path)),
            name => {
                let text = fs::read_to_string(path).unwrap();
                let ends = ["#[cfg(test)]", "#[cfg(all(test,"].map(|tests| text.find(tests));
                let end = ends.into_iter().flatten().min().unwrap_or(text.len());
                let code = &text[..end];
                files.insert(name.replace('\\', "/"), code.to_owned());
            }
        }
    }
    files
}

/// Where the modules of a file are declared: those of "store/file" are `store` in lib.rs, and `file` in store.rs.
fn places(file: &str, files: &BTreeMap<String, String>) -> Vec<usize> {
    let lib = fs::read_to_string(format!("{SRC}/lib.rs")).unwrap();
    let ends = file.match_indices('/').map(|(end, _)| end);
    let parents = ends.map(|end| &files[&file[..end]]);
    let declared = [&lib].into_iter().chain(parents).zip(file.split('/'));
    let places = declared.map(|(parent, module)| {
        let place = parent.find(&format!("mod {module};\n"));
        place.unwrap_or_else(|| panic!("{file} is declared in no module"))
    });
    places.collect()
}

/// The paths in `code`: of `use a::{b, c::d}` these are `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join("\n").replace("self::", "");
    let code = code.replace("super::super::", "crate::");
    let code = code.replace("use ", "use ::"); // so that a crate is a path too
    let (mut paths, mut trees, mut path) = (Vec::new(), Vec::<String>::new(), String::new());
    for c in code.chars() {
        if c.is_alphanumeric() || "_:".contains(c) {
            path.push(c);
            continue;
        }
        if let Some(tree) = trees.last().filter(|_| !path.is_empty()) {
            path.insert_str(0, tree);
        }
        match c {
            '{' => trees.push(mem::take(&mut path)),
            '}' => drop(trees.pop()),
            _ => {}
        }
        if path.contains("::") {
            paths.push(path.trim_start_matches(':').to_owned());
        }
        path.clear();
    }
    paths
}

/// The file that has what `path` names in the file `from`.
fn file_of(path: &str, from: &str) -> Option<String> {
    let path = match path.split_once("::") {
        Some(("crate", rest)) => rest.to_owned(),
        Some(("super", rest)) if !from.contains('/') => rest.to_owned(),
        Some(("super", rest)) => format!("{}::{rest}", from.split('/').next()?),
        _ => format!("{from}::{path}"),
    };
    let names: Vec<_> = path.splitn(3, "::").take(2).collect();
    let exists = |name: &String| Path::new(&format!("{SRC}/{name}.rs")).is_file();
    [names.join("/"), names[0].to_owned()]
        .into_iter()
        .find(exists)
}
