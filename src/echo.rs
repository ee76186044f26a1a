//! A foreign text in, the same without what it repeats of our secrets out.
//!
//! Servers put the assertion they refuse into their error text, HTTP clients the URL into theirs.

use std::collections::HashSet;

/// Bytes of a secret in a row that do not come about by chance in a sentence.
const RUN: usize = 16;
/// Bytes of a secret that is looked for as a whole: a shorter one is in any sentence.
const SHORTEST: usize = 6;
/// Characters that are looked at; what follows is dropped.
const MAX_READ: usize = 8 * 1024;
/// Characters that are kept: a sentence and a URL.
const MAX_KEPT: usize = 256;

/// Whether `text` holds a run of `secret`.
pub(crate) fn repeats(text: &str, secret: &str) -> bool {
    let runs = runs(secret);
    let mut windows = text.as_bytes().windows(run(secret));
    windows.any(|window| runs.contains(window))
}

/// Without control characters, runs of `secrets`, and what is too long.
pub(crate) fn cut(text: &str, secrets: &[&str]) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    let text = visible.take(MAX_READ).collect();
    let text: String = secrets
        .iter()
        .fold(text, |text, secret| cut_one(&text, secret));
    text.chars().take(MAX_KEPT).collect()
}

fn cut_one(text: &str, secret: &str) -> String {
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
        // A run that ends within a character takes all that follows with it.
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
    fn the_whole_secret_and_a_part_of_it_are_cut_and_the_words_around_stay() {
        let echo = format!("assertion {SECRET} is not valid");
        assert_eq!(cut(&echo, &[SECRET]), "assertion [..] is not valid");
        assert_eq!(cut(&echo[..50], &[SECRET]), "assertion [..]");
        assert_eq!(cut("eyJhbGciOiJIUzI1NiJ9", &["other", SECRET]), "[..]");
        assert!(repeats(&echo, SECRET) && repeats(&SECRET[20..36], SECRET));
    }

    #[test]
    fn fifteen_bytes_are_no_run_but_a_short_secret_is_one_as_a_whole() {
        assert_eq!(cut(&SECRET[..15], &[SECRET]), &SECRET[..15]);
        assert!(!repeats(&SECRET[..15], SECRET));
        assert_eq!(
            cut("client_secret hunter2 is wrong", &["hunter2"]),
            "client_secret [..] is wrong"
        );
    }

    #[test]
    fn control_characters_do_not_hide_an_echo() {
        let hidden: String = SECRET.chars().flat_map(|c| ['\u{1b}', c]).collect();
        assert_eq!(cut(&format!("no: {hidden}!"), &[SECRET]), "no: [..]!");
    }

    #[test]
    fn other_scripts_and_an_empty_secret_are_left_alone() {
        assert_eq!(
            cut("アサーションが無効です", &["", SECRET]),
            "アサーションが無効です"
        );
        assert_eq!(cut(&"é".repeat(300), &[SECRET]).chars().count(), 256);
        assert!(!repeats("anything", ""));
        assert_eq!(cut("invalid_grant", &["t", "grant"]), "invalid_grant");
    }
}
