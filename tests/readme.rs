//! README.md shows the demo's real output and the command line's real options, and links to files that exist.

use std::path::Path;

const README: &str = include_str!("../README.md");

#[test]
fn readme_is_short() {
    assert!(README.lines().count() <= 250, "{}", README.lines().count());
}

#[test]
fn links_of_the_documents_lead_to_files_and_sections() {
    let mut links = 0;
    for (page, text) in documents() {
        let targets = text.split("](").skip(1);
        for target in targets.filter_map(|rest| Some(rest.split_once(')')?.0)) {
            if target.starts_with("https://") {
                continue;
            }
            links += 1;
            let (path, section) = target.split_once('#').unwrap_or((target, ""));
            let path = match path.strip_prefix("../") {
                _ if path.is_empty() => page.clone(),
                Some(path) => path.to_owned(),
                None if page.starts_with("docs/") => format!("docs/{path}"),
                None => path.to_owned(),
            };
            if is_unpublished(&path) {
                continue;
            }
            let linked = std::fs::read_to_string(here().join(&path));
            let linked = linked.unwrap_or_else(|_| panic!("{page}: {path} does not exist"));
            let mut sections = linked.lines().filter(|line| line.starts_with('#'));
            let has_section = section.is_empty() || sections.any(|line| anchor(line) == section);
            assert!(has_section, "{page}: {path} has no section {section}");
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn files_named_in_the_documents_exist() {
    let mut files = 0;
    for (page, text) in documents() {
        for name in text.split('`').skip(1).step_by(2) {
            let is_file = ["src/", "tests/", "examples/", "benches/", "docs/", ".ci/"];
            if name.contains([' ', '\n', '*'])
                || !is_file.iter().any(|start| name.starts_with(start))
            {
                continue;
            }
            files += 1;
            let exists = is_unpublished(name) || here().join(name).exists();
            assert!(exists, "{page}: {name} does not exist");
        }
    }
    assert!(files > 20, "{files}");
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Name and text of each document.
fn documents() -> Vec<(String, String)> {
    let pages = ["README.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned);
    let docs = std::fs::read_dir(here().join("docs")).unwrap();
    let docs = docs.map(|file| format!("docs/{}", file.unwrap().file_name().to_string_lossy()));
    let read = |page: String| {
        (
            page.clone(),
            std::fs::read_to_string(here().join(page)).unwrap(),
        )
    };
    pages.into_iter().chain(docs).map(read).collect()
}

/// Whether this file is missing because a published package is tested.
fn is_unpublished(path: &str) -> bool {
    let unpublished = ["benches/", "dist/", "fuzz/", ".ci/"];
    here().join("Cargo.toml.orig").exists()
        && unpublished.iter().any(|start| path.starts_with(start))
}

/// The name under which GitHub links to a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(feature = "cli")]
mod command_line {
    use std::collections::BTreeSet;
    use std::process::Command;

    use jwt_bearer::provider::PROVIDERS;

    use super::*;

    /// The text of each block in this language.
    fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
        let fence = format!("```{language}\n");
        let blocks = text.split(&fence).skip(1);
        blocks
            .filter_map(|rest| Some(rest.split_once("```")?.0))
            .collect()
    }

    fn output(arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_jwt-bearer"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Lines without what differs in each run: ports, times, identifiers.
    fn normalized(text: &str) -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let line = |line: &str| {
            let mut out = String::new();
            let mut run = String::new();
            for c in line.chars().chain(['\n']) {
                if c.is_ascii_hexdigit() || c == '-' {
                    run.push(c);
                    continue;
                }
                // A port, a time, or 32 hexadecimal digits and their hyphens.
                let digits = run.chars().filter(|c| *c != '-');
                let is_number = run.len() >= 5 && digits.clone().all(|c| c.is_ascii_digit());
                match is_number || digits.count() == 32 {
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
    fn demo_output_in_readme_is_what_demo_prints() {
        let block = blocks(README, "text")[0];
        let printed = normalized(&output(&["demo"]));
        let mut rest = printed.iter();
        let shown = normalized(block);
        assert!(shown.len() > 5);
        for line in shown {
            assert!(
                rest.any(|printed| *printed == line),
                "not printed: {line}\n{printed:#?}"
            );
        }
    }

    #[test]
    fn commands_in_readme_have_existing_options() {
        let words = |text: &str| -> BTreeSet<String> {
            let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
            text.split(|c| !is_inside(c)).map(str::to_owned).collect()
        };
        let pages = [README, include_str!("../docs/command-line.md")];
        let blocks = pages.iter().flat_map(|page| {
            ["sh", "yaml", "text"].map(|language| blocks(page, language).concat())
        });
        let text = blocks.collect::<String>().replace("\\\n", " ");
        let mut commands = 0;
        for line in text.lines() {
            let Some((_, command)) = line.split_once("jwt-bearer ") else {
                continue;
            };
            let end = [" #", " | ", " -- ", ")"]
                .iter()
                .filter_map(|end| command.find(end));
            let command = &command[..end.min().unwrap_or(command.len())];
            let mut names: Vec<_> = command.split(' ').take(2).collect();
            let takes_provider = ["token", "exec", "check", "assertion"].contains(&names[0]);
            match names.get(1) {
                Some(name) if takes_provider && PROVIDERS.iter().all(|p| p.name != *name) => {
                    names[1] = "salesforce"; // a connection
                }
                Some(&"new") => {}
                _ if takes_provider => {}
                _ => names.truncate(1),
            }
            names.push("--help");
            let known = words(&output(&names));
            let given = words(command).into_iter();
            let unknown: Vec<_> = given
                .filter(|word| word.starts_with("--") && !known.contains(word))
                .collect();
            assert!(unknown.is_empty(), "{command}: {unknown:?}");
            commands += 1;
        }
        assert!(commands > 15, "{commands}");
        let (_, servers) = README.split_once("## Which server is it?").unwrap();
        let (servers, _) = servers.split_once("\n## ").unwrap();
        let rows = servers.lines().filter(|line| line.starts_with("| "));
        let cells = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
        let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let names: BTreeSet<_> = names.collect();
        let known = words(&output(&["token", "--help"]));
        assert_eq!(names.len(), PROVIDERS.len());
        assert!(names.iter().all(|name| known.contains(*name)), "{names:?}");
    }
}
