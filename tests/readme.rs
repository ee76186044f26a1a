//! The tour in the README is the tour.
#![cfg(feature = "cli")]

use std::process::Command;

/// Without what is new every time: port, times, identifiers.
fn normal(text: &str) -> Vec<String> {
    let digit = |c: char| c.is_ascii_hexdigit();
    let lines = text.lines().filter(|line| !line.is_empty());
    let line = |line: &str| {
        let mut out = String::new();
        let mut run = String::new();
        for c in line.chars().chain(['\n']) {
            if digit(c) || c == '-' {
                run.push(c);
                continue;
            }
            // A port, a time, or 32 hexadecimal digits and their hyphens.
            let digits = run.chars().filter(|c| *c != '-');
            let number = run.len() >= 5 && digits.clone().all(|c| c.is_ascii_digit());
            match number || digits.count() == 32 {
                true => out.push('#'),
                false => out.push_str(&run),
            }
            run.clear();
            out.push(c);
        }
        out.trim_end().to_owned()
    };
    lines.map(line).collect()
}

#[test]
fn the_tour_in_the_readme_is_what_the_demo_prints() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```text\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"))
        .arg("demo")
        .output()
        .unwrap();
    assert!(demo.status.success());
    let printed = normal(&String::from_utf8(demo.stdout).unwrap());
    let mut rest = printed.iter();
    let shown = normal(block);
    assert!(shown.len() > 15);
    for line in shown {
        assert!(
            rest.any(|printed| *printed == line),
            "not printed: {line}\n{printed:#?}"
        );
    }
}
