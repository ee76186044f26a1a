//! Foreign text, made safe to print: `src/redact.rs` of the library, `messages.rs` of the command line.

use std::collections::HashSet;

use jwt_bearer::{Audience, Endpoint, Exchange, Jti, Profile, Response};
use serde_json::{Value, json};

use crate::messages::{cut, escape_invisible, shortened};
use crate::redact::{redact, redact_pair, repeats, shorten, visible};
use crate::{assert_printable, error_texts, fields, is_invisible, key, now};

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJlLW9mLWpvZQ";

/// Cleans two texts that belong together, as code and description of an error.
///
/// The fields are two secrets and the two texts. In a text, `~` is a third secret, and `^` is the same secret with the
/// character after the `^` between its characters.
pub fn foreign_text(input: &[u8]) {
    let mut fields = fields(input);
    let [first, second, text, other] = [(); 4].map(|()| fields.next().unwrap_or_default());
    let [text, other] = [text, other].map(Text);
    let texts = [&text, &other].map(|text| text.with(TOKEN));
    let secrets = [TOKEN, &first, &second];

    for text in &texts {
        let seen = visible(text);
        assert_eq!(seen, visible_again(text));
        assert_eq!(visible(&seen), seen);
        assert_escaped(text);
        let short = shorten(text);
        assert!(short.chars().count() <= 256);
        assert!(text.chars().count() > 256 || short == *text);
        for max in [0, 1, 100] {
            let cut = cut(text, max);
            assert!(cut.chars().count() <= max + 3 || cut == *text);
        }
        assert!(shortened(text).chars().count() <= 103);
    }

    // A secret with a bracket in it could be made of a mask and the text next to it.
    let checked: Vec<_> = secrets
        .into_iter()
        .filter(|secret| !secret.contains(['[', ']']))
        .collect();
    let both = redact_pair(texts.each_ref().map(String::as_str), &secrets);
    let joined: String = both.iter().flat_map(|text| text.chars()).collect();
    assert!(!both.iter().any(|text| text.contains(is_invisible)));
    for secret in &checked {
        assert!(!is_in(&joined, secret), "{secret:?} is in {both:?}");
    }
    // A text without secrets keeps all its words.
    let original = texts.concat();
    if !secrets.iter().any(|secret| is_in(&original, secret)) {
        assert_eq!(both, texts.each_ref().map(|text| visible(text)));
    }
    for (text, redacted) in texts.iter().zip(&both) {
        assert!(is_subsequence(redacted, &visible(text)), "{redacted:?}");
    }

    for text in &texts {
        let clean = redact(text, &secrets);
        assert_printable(&clean);
        for secret in secrets {
            let is_written = has_run(text.chars(), secret);
            assert_eq!(repeats(text, secret), is_written || is_in(text, secret));
        }
        for secret in &checked {
            assert!(
                !repeats(&clean, secret) && !is_in(&clean, secret),
                "{clean:?}"
            );
        }
        if checked.len() == secrets.len() {
            assert_eq!(redact(&clean, &secrets), clean);
        }
    }
    assert_error_is_clean(&text, &other);
}

/// The same two texts, as the code and the description that a server sends.
fn assert_error_is_clean(code: &Text, description: &Text) {
    let endpoint = Endpoint::token("https://as.example.com/token").unwrap();
    let profile = Profile::jwt_bearer(endpoint, "issuer-1", Audience::Omit).with_jti(Jti::Omit);
    let key = key();
    let exchange = Exchange::new(&profile, &key, now()).unwrap();
    let assertion = exchange.assertion().secret().to_owned();
    let body = json!({
        "error": code.with(&assertion), "error_description": description.with(&assertion),
    });
    let error = exchange
        .read(Response::new(400, body.to_string()))
        .unwrap_err();
    for words in [error.code(), error.description()].into_iter().flatten() {
        assert_printable(words);
        assert!(!words.is_empty() && !is_in(words, &assertion), "{words:?}");
    }
    let words = [error.code(), error.description()].map(Option::unwrap_or_default);
    assert!(!is_in(&words.concat(), &assertion), "{words:?}");
    assert!(!error_texts(&error).contains(&assertion));
}

/// Output of the command line: a reader of JSON gets the same text, and a terminal gets no commands.
fn assert_escaped(text: &str) {
    let escaped = escape_invisible(text);
    assert!(!escaped.contains(is_invisible), "{escaped:?}");
    assert_eq!(escape_invisible(&escaped), escaped);
    if text.chars().all(|c| matches!(c, ' '..='~')) {
        assert_eq!(escaped, text);
    }
    let json = escape_invisible(&Value::from(text).to_string());
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
}

/// A text with marks in it where a secret goes.
struct Text(String);

/// How many marks are read: each makes a text longer.
const MAX_MARKS: usize = 8;

impl Text {
    fn with(&self, secret: &str) -> String {
        let mut text = String::new();
        let mut characters = self.0.chars();
        let mut marks = 0;
        while let Some(c) = characters.next() {
            marks += usize::from(matches!(c, '~' | '^'));
            match c {
                '~' if marks <= MAX_MARKS => text.push_str(secret),
                '^' if marks <= MAX_MARKS => {
                    let between = characters.next().unwrap_or(' ');
                    text.extend(secret.chars().flat_map(|c| [c, between]));
                }
                c => text.push(c),
            }
        }
        text
    }
}

/// A second copy of the rules for what is visible.
fn visible_again(text: &str) -> String {
    let seen = without_sequences(text).into_iter().filter_map(|c| match c {
        '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        c => Some(c).filter(|c| !is_invisible(*c)),
    });
    let mut seen: Vec<_> = seen.collect();
    seen.dedup_by(|one, other| *one == ' ' && *other == ' ');
    seen.into_iter().collect()
}

/// Returns a text without the sequences that control a terminal (ECMA-48 §5.4).
fn without_sequences(text: &str) -> Vec<char> {
    let text: Vec<_> = text.chars().collect();
    let mut kept = Vec::new();
    let mut rest = &text[..];
    while let [c, after @ ..] = rest {
        rest = match (c, after) {
            ('\u{1b}', ['[', after @ ..]) | ('\u{9b}', after) => {
                let is_parameter = |c: &&char| ('0'..='?').contains(*c);
                let after = &after[after.iter().take_while(is_parameter).count()..];
                match after {
                    ['@'..='~', after @ ..] => after,
                    _ => after,
                }
            }
            ('\u{1b}', after) => after,
            (c, after) => {
                kept.push(*c);
                after
            }
        };
    }
    kept
}

/// Returns whether a text has 16 consecutive bytes of a secret, or all of a secret of 6 to 15. Characters that no token
/// has (RFC 6749 §A.12) do not count, nor do those that a terminal swallows. In a secret of another script, every
/// visible character counts.
fn is_in(text: &str, secret: &str) -> bool {
    has_run(without_sequences(text).into_iter(), secret)
}

fn has_run(text: impl Iterator<Item = char>, secret: &str) -> bool {
    let is_seen = |c: &char| *c != ' ' && !is_invisible(*c);
    let counts = |c: &char| c.is_ascii_graphic() || (!secret.is_ascii() && is_seen(c));
    let text: String = text.filter(counts).collect();
    let secret: String = secret.chars().filter(counts).collect();
    if secret.len() < 6 {
        return false;
    }
    let run = secret.len().min(16);
    let runs: HashSet<_> = secret.as_bytes().windows(run).collect();
    text.as_bytes().windows(run).any(|run| runs.contains(run))
}

/// Returns whether a text, apart from its masks, has only characters of another text, in the same order.
fn is_subsequence(text: &str, other: &str) -> bool {
    let mut other = other.chars();
    text.split("[..]")
        .all(|kept| kept.chars().all(|c| c == ' ' || other.any(|o| o == c)))
}
