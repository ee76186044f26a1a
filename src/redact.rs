//! Foreign text to the same text without secrets and control characters.
//!
//! Servers repeat the assertion that they refuse in their error text, HTTP clients repeat the URL.

use std::collections::HashSet;

/// Consecutive bytes of a secret that do not occur in a sentence by chance.
const RUN: usize = 16;
/// Bytes of the shortest secret that is searched for: a shorter one occurs in any sentence.
const SHORTEST: usize = 6;
/// Characters that are read; what follows is dropped.
const MAX_READ: usize = 8 * 1024;
/// Characters that are returned: enough for a sentence and a URL.
const MAX_LENGTH: usize = 256;

/// Whether `text` repeats a run of `secret`.
pub(crate) fn repeats(text: &str, secret: &str) -> bool {
    let runs = runs(secret);
    let mut windows = text.as_bytes().windows(run(secret));
    windows.any(|window| runs.contains(window))
}

/// Removes control characters and runs of `secrets`, and cuts the rest to its limit.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    let text = visible.take(MAX_READ).collect();
    let text: String = secrets
        .iter()
        .fold(text, |text, secret| redact_one(&text, secret));
    text.chars().take(MAX_LENGTH).collect()
}

fn redact_one(text: &str, secret: &str) -> String {
    let runs = runs(secret);
    let mut kept = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let windows = rest.as_bytes().windows(run(secret));
        let skip = match windows.take_while(|window| runs.contains(window)).count() {
            0 => {
                kept.push(next);
                next.len_utf8()
            }
            count => {
                kept.push_str("[..]");
                count.saturating_add(run(secret)).saturating_sub(1)
            }
        };
        // A run that ends inside a character drops everything after it.
        rest = rest.get(skip..).unwrap_or_default();
    }
    kept
}

fn runs(secret: &str) -> HashSet<&[u8]> {
    match secret.len() < SHORTEST {
        true => HashSet::new(),
        false => secret.as_bytes().windows(run(secret)).collect(),
    }
}

fn run(secret: &str) -> usize {
    secret.len().clamp(1, RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJlLW9mLWpvZQ";

    #[test]
    fn redact_removes_secret_and_parts_and_keeps_words_around() {
        let repeated = format!("assertion {SECRET} is not valid");
        assert_eq!(redact(&repeated, &[SECRET]), "assertion [..] is not valid");
        assert_eq!(redact(&repeated[..50], &[SECRET]), "assertion [..]");
        assert_eq!(redact("eyJhbGciOiJIUzI1NiJ9", &["other", SECRET]), "[..]");
        assert!(repeats(&repeated, SECRET) && repeats(&SECRET[20..36], SECRET));
    }

    #[test]
    fn redact_keeps_fifteen_bytes_and_removes_short_secret_as_a_whole() {
        assert_eq!(redact(&SECRET[..15], &[SECRET]), &SECRET[..15]);
        assert!(!repeats(&SECRET[..15], SECRET));
        assert_eq!(
            redact("client_secret hunter2 is wrong", &["hunter2"]),
            "client_secret [..] is wrong"
        );
    }

    #[test]
    fn redact_finds_secret_between_control_characters() {
        let hidden: String = SECRET.chars().flat_map(|c| ['\u{1b}', c]).collect();
        assert_eq!(redact(&format!("no: {hidden}!"), &[SECRET]), "no: [..]!");
    }

    #[test]
    fn redact_keeps_other_scripts_and_ignores_empty_secret() {
        assert_eq!(
            redact("アサーションが無効です", &["", SECRET]),
            "アサーションが無効です"
        );
        assert_eq!(redact(&"é".repeat(300), &[SECRET]).chars().count(), 256);
        assert!(!repeats("anything", ""));
        assert_eq!(redact("invalid_grant", &["t", "grant"]), "invalid_grant");
    }
}
