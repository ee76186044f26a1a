//! Every test and file that SECURITY.md names exists, and every promise has one.

use std::fs;
use std::path::{Path, PathBuf};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts between back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// All Rust files of one file of tests.
fn sources(test: &str) -> Vec<PathBuf> {
    let file = here().join(format!("tests/{test}.rs"));
    let folder = fs::read_dir(here().join("tests").join(test));
    let within = folder.into_iter().flatten().flatten();
    let within = within.map(|entry| entry.path());
    within
        .chain([file])
        .filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// Whether the text has a function of this name with `#[test]` before it.
fn is_test(text: &str, name: &str) -> bool {
    text.split("#[test]\n").skip(1).any(|after| {
        let mut lines = after.lines().map(str::trim_start);
        let first = lines.find(|line| !line.starts_with("#["));
        first.is_some_and(|line| line.starts_with(&format!("fn {name}()")))
    })
}

/// The names on this page of tests and files that do not exist.
fn missing(page: &str) -> Vec<&str> {
    // A published package has no `fuzz`, and its manifest under another name.
    let is_published = here().join("Cargo.toml.orig").exists();
    let is_here = |path: &str| {
        let unpublished = path.starts_with("fuzz/")
            || path.ends_with("deny.toml")
            || path.ends_with("clippy.toml");
        here().join(path).exists() || (is_published && unpublished)
    };
    let is_path =
        |text: &str| text.contains('/') || text.ends_with(".toml") || text.ends_with(".md");
    let names = quoted(page).filter(|text| match text.split_once("::") {
        Some((test, name)) if !name.contains("::") && test == test.to_lowercase() => {
            let texts = sources(test).into_iter().map(fs::read_to_string);
            !texts.flatten().any(|text| is_test(&text, name))
        }
        _ => is_path(text) && !text.contains("://") && !is_here(text),
    });
    names.collect()
}

#[test]
fn tests_and_files_named_in_security_md_exist() {
    let page = include_str!("../SECURITY.md");
    assert_eq!(missing(page), [""; 0]);
    let tests = quoted(page).filter(|text| text.contains("::"));
    assert!(tests.count() > 30);
}

#[test]
fn each_promise_names_a_test_or_a_file() {
    let page = include_str!("../SECURITY.md");
    let tables = page.split("| Promise | Shown by |\n|---|---|\n").skip(1);
    let rows: Vec<_> = tables
        .flat_map(|table| table.lines().take_while(|line| line.starts_with('|')))
        .collect();
    assert!(rows.len() > 25, "{}", rows.len());
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        let [_, shown] = cells[..] else {
            panic!("{row}")
        };
        assert!(
            quoted(shown).next().is_some() || shown.contains("(#"),
            "{row}"
        );
    }
}

#[test]
fn missing_test_or_file_is_reported() {
    for page in [
        "`security::a_test_that_nobody_wrote`",
        "`nowhere::each_promise_names_a_test_or_a_file`",
        "`security::missing`", // no test
        "`tests/nowhere.rs`",
        "`nowhere.toml`",
    ] {
        assert_eq!(missing(page), [page.trim_matches('`')]);
    }
    let page = "`security::missing_test_or_file_is_reported` `tests/security.rs` `Debug` `ps`";
    assert_eq!(missing(page), [""; 0]);
}
