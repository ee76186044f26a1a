//! What clap's completion leaves out: values after `=` in bash, and the command of `exec`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::engine::{self, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::{Bash as ClapBash, EnvCompleter};

/// The variables of the script for bash: the number of the word at the cursor, and what separates answers.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
const SEPARATOR: &str = "_CLAP_IFS";

/// Completes in bash, which splits `--key=FILE` into three words: `=` is among its `COMP_WORDBREAKS`.
pub(crate) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        ClapBash.name()
    }

    fn is(&self, name: &str) -> bool {
        ClapBash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        binary: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> Result<(), io::Error> {
        ClapBash.write_registration(variable, name, binary, completer, out)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        directory: Option<&Path>,
        out: &mut dyn Write,
    ) -> Result<(), io::Error> {
        let index = index().unwrap_or_default();
        let (words, index) = without_equals_signs(words, index);
        let separator = env::var(SEPARATOR).unwrap_or_else(|_| "\n".to_owned());
        let candidates = engine::complete(command, words, index, directory)?;
        let texts = candidates.iter().map(|c| c.get_value().to_string_lossy());
        let texts: Vec<_> = texts.collect();
        write!(out, "{}", texts.join(&separator))
    }
}

fn index() -> Option<usize> {
    env::var(INDEX).ok()?.parse().ok()
}

/// Drops each `=` between an option and its value, and counts the word at the cursor without them.
fn without_equals_signs(words: Vec<OsString>, index: usize) -> (Vec<OsString>, usize) {
    let mut kept: Vec<OsString> = Vec::with_capacity(words.len());
    let mut kept_index = index;
    for (at, word) in words.into_iter().enumerate() {
        let is_behind_option = kept
            .last()
            .is_some_and(|last| last.as_encoded_bytes().starts_with(b"--") && last != "--");
        if word == "=" && is_behind_option && at != index {
            kept_index = kept_index.saturating_sub(usize::from(at < index));
            continue;
        }
        kept.push(word);
    }
    (kept, kept_index)
}

/// Completes the words after `--`: a command, then files.
pub(crate) fn of_command(word: &OsStr) -> Vec<CompletionCandidate> {
    let files = PathCompleter::any().complete(word);
    let start = word.to_string_lossy();
    match is_first() && !start.contains('/') {
        true => programs(&start).chain(files).collect(),
        false => files,
    }
}

/// Returns whether the word at the cursor is the one after `--`.
fn is_first() -> bool {
    // A completion script passes the words after its own `--`.
    let words: Vec<_> = env::args_os().skip_while(|word| word != "--").collect();
    let words = words.get(1..).unwrap_or_default();
    let index = index().unwrap_or(words.len().saturating_sub(1));
    let before = index.checked_sub(1).and_then(|before| words.get(before));
    before.is_some_and(|word| word == "--")
}

/// Returns the programs of `PATH` whose names begin with `start`.
fn programs(start: &str) -> impl Iterator<Item = CompletionCandidate> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = env::split_paths(&path).collect();
    let entries = directories
        .into_iter()
        .filter_map(|path| fs::read_dir(path).ok());
    let mut names: Vec<_> = entries
        .flat_map(|entries| entries.flatten())
        .filter(|entry| is_program(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(start))
        .collect();
    names.sort();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new)
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["bat", "cmd", "com", "exe"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}
