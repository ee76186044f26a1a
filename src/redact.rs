//! Removes secrets, and characters that a reader cannot see, from foreign text.
//!
//! Servers repeat a refused assertion in their error text, and HTTP clients repeat the URL. Everything that somebody
//! else wrote passes through here before it is printed.

use std::collections::HashSet;

use zeroize::Zeroizing;

/// The length of a window, in bytes: so many consecutive bytes of a secret do not occur in a text by chance.
const WINDOW: usize = 16;
/// Bytes of the shortest secret that is searched for: a shorter one occurs in any sentence.
const SHORTEST: usize = 6;
/// The longest text that is returned, in characters: a sentence, then the identifiers for a support case.
const MAX_LENGTH: usize = 256;
/// Characters that are kept from the end of a longer text: servers put trace identifiers there.
const TAIL: usize = 140;
/// Replaces the middle of a longer text.
const ELLIPSIS: &str = " [...] ";
/// Replaces a secret.
const MASK: &str = "[..]";

/// Returns a text that hides nothing: one space in place of line ends and tabs, and no control, bidirectional or
/// invisible characters.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in without_escapes(text.chars()) {
        match class_of(c) {
            CharacterClass::Visible => visible.push(c),
            CharacterClass::Space if !visible.ends_with(' ') => visible.push(' '),
            CharacterClass::Space | CharacterClass::Invisible => {}
        }
    }
    visible
}

/// Returns whether `text` repeats a window of `secret`, whatever insignificant characters separate its letters.
pub(crate) fn repeats(text: &str, secret: &str) -> bool {
    let is_significant = significance(secret);
    let secret = significant_chars(secret, is_significant);
    let (length, secret_windows) = windows(&secret);
    // As it is written, and as a terminal shows it.
    let written: String = text.chars().filter(is_significant).collect();
    let shown = without_escapes(text.chars());
    let shown: String = shown.filter(is_significant).collect();
    let has_window = |text: String| {
        text.as_bytes()
            .windows(length)
            .any(|window| secret_windows.contains(window))
    };
    has_window(written) || has_window(shown)
}

/// Removes windows of `secrets` and invisible characters from a text, and shortens it in the middle.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    let [redacted, _] = redact_pair([text, ""], secrets);
    shorten(&redacted)
}

/// Removes windows of `secrets` from two texts that belong together, even if a window begins in one and ends in the
/// other.
///
/// The texts are not shortened here, because the signer may redact them too: a cut through a secret before its removal
/// would leave a part of it.
pub(crate) fn redact_pair(texts: [&str; 2], secrets: &[&str]) -> [String; 2] {
    let [text, other] = texts.map(|text| without_escapes(text.chars()).collect::<Vec<_>>());
    let both = [&*text, &*other].concat();
    let mut is_secret = vec![false; both.len()];
    for secret in secrets {
        mark(&both, secret, &mut is_secret);
    }
    let (in_text, in_other) = is_secret.split_at(text.len());
    [masked(&text, in_text), masked(&other, in_other)].map(|text| visible(&text))
}

/// Sets the mark of each character that is part of a window of `secret`, and of those between such characters.
fn mark(text: &[char], secret: &str, is_secret: &mut [bool]) {
    let is_significant = significance(secret);
    let secret = significant_chars(secret, is_significant);
    let (length, secret_windows) = windows(&secret);
    // The significant characters one after another, and where each of their bytes comes from.
    let (mut significant, mut positions) = (String::new(), Vec::new());
    for (at, c) in text.iter().enumerate().filter(|(_, c)| is_significant(c)) {
        significant.push(*c);
        positions.resize(significant.len(), at);
    }
    let windows = significant.as_bytes().windows(length);
    for (window, positions) in windows.zip(positions.windows(length)) {
        if let (true, [first, .., last]) = (secret_windows.contains(window), positions) {
            let range = is_secret.get_mut(*first..=*last);
            range.unwrap_or_default().fill(true);
        }
    }
}

/// Returns a text with one mask in place of each run of marked characters.
fn masked(text: &[char], is_secret: &[bool]) -> String {
    let (mut masked, mut rest) = (String::new(), text);
    for marks in is_secret.chunk_by(|mark, next| mark == next) {
        let (run, after) = rest.split_at(marks.len());
        match marks.first() {
            Some(true) => masked.push_str(MASK),
            _ => masked.extend(run),
        }
        rest = after;
    }
    masked
}

/// Drops the control sequences of terminals (ECMA-48 §5.4), whose letters would separate those of a secret.
fn without_escapes(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut text = text.peekable();
    std::iter::from_fn(move || {
        loop {
            let is_sequence = match text.next()? {
                '\u{1b}' => text.next_if_eq(&'[').is_some(),
                '\u{9b}' => true,
                c => return Some(c),
            };
            if is_sequence {
                while text.next_if(|c| matches!(c, '\u{30}'..='\u{3f}')).is_some() {}
                text.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
            }
        }
    })
}

/// Shortens a text in the middle, once all secrets are removed from it.
pub(crate) fn shorten(text: &str) -> String {
    let length = text.chars().count();
    let Some(too_much) = length.checked_sub(MAX_LENGTH).filter(|n| *n > 0) else {
        return text.to_owned();
    };
    let head = MAX_LENGTH
        .saturating_sub(TAIL)
        .saturating_sub(ELLIPSIS.len());
    let skipped = head.saturating_add(too_much).saturating_add(ELLIPSIS.len());
    let position = |n| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let (head, tail) = (text.get(..position(head)), text.get(position(skipped)..));
    // The ellipsis has its own spaces.
    let head = head.unwrap_or_default().trim_end_matches(' ');
    let tail = tail.unwrap_or_default().trim_start_matches(' ');
    [head, ELLIPSIS, tail].concat()
}

enum CharacterClass {
    Visible,
    Space,
    Invisible,
}

fn class_of(c: char) -> CharacterClass {
    match c {
        '\t' | '\n' | '\r' | ' ' | '\u{85}' | '\u{2028}' | '\u{2029}' => CharacterClass::Space,
        _ if c.is_control() => CharacterClass::Invisible,
        // Soft hyphen, combining grapheme joiner, Arabic letter mark, Hangul fillers, Khmer inherent vowels,
        // Mongolian separators.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' => {
            CharacterClass::Invisible
        }
        '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}' => CharacterClass::Invisible,
        // Zero width, bidirectional, word joiner and invisible operators.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
            CharacterClass::Invisible
        }
        // Variation selectors, byte order mark, interlinear annotation, tags.
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' => CharacterClass::Invisible,
        '\u{e0000}'..='\u{e0fff}' => CharacterClass::Invisible,
        // Controls of shorthand and of musical notation.
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => CharacterClass::Invisible,
        _ => CharacterClass::Visible,
    }
}

/// Returns which characters are significant in the search for a secret. Others may appear between them.
///
/// A token has no others (RFC 6749 §A.12, without the space). A password may have letters of any script.
fn significance(secret: &str) -> fn(&char) -> bool {
    match secret.is_ascii() {
        true => char::is_ascii_graphic,
        false => |c| matches!(class_of(*c), CharacterClass::Visible),
    }
}

fn significant_chars(secret: &str, is_significant: fn(&char) -> bool) -> Zeroizing<String> {
    // A string that grows leaves pieces in freed memory.
    let mut characters = Zeroizing::new(String::with_capacity(secret.len()));
    characters.extend(secret.chars().filter(is_significant));
    characters
}

/// Returns the length of the windows of a secret, and all of them. A secret that is too short has none.
fn windows(secret: &str) -> (usize, HashSet<&[u8]>) {
    let length = secret.len().clamp(1, WINDOW);
    match secret.len() < SHORTEST {
        true => (length, HashSet::new()),
        false => (length, secret.as_bytes().windows(length).collect()),
    }
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
    fn redact_keeps_fifteen_characters_and_removes_short_secret_as_a_whole() {
        assert_eq!(redact(&SECRET[..15], &[SECRET]), &SECRET[..15]);
        assert!(!repeats(&SECRET[..15], SECRET));
        assert_eq!(
            redact("client_secret hunter2 is wrong", &["hunter2"]),
            "client_secret [..] is wrong"
        );
    }

    #[test]
    fn redact_finds_secret_between_characters_that_are_in_no_token() {
        for between in [
            "\u{1b}[0m",
            "\u{9b}1;31m",
            "\u{200b}",
            "\u{ad}",
            "\u{202e}",
            " ",
            "\n",
        ] {
            let hidden: String = SECRET
                .chars()
                .flat_map(|c| [c.to_string(), between.into()])
                .collect();
            assert_eq!(
                redact(&format!("no: {hidden}!"), &[SECRET]).replace(' ', ""),
                "no:[..]!"
            );
            assert!(repeats(&hidden, SECRET), "{between:?}");
        }
    }

    #[test]
    fn redact_finds_secret_of_any_script() {
        for secret in [
            "пароль-очень-длинный",
            "秘密の合言葉です",
            "geheim-ä-ö",
            "\u{fffd}".repeat(6).as_str(),
        ] {
            let repeated = format!("client_secret {secret} is wrong");
            assert_eq!(redact(&repeated, &[secret]), "client_secret [..] is wrong");
            assert!(repeats(&repeated, secret));
            let spread: String = secret.chars().flat_map(|c| [c, '\u{200b}']).collect();
            assert_eq!(redact(&spread, &[secret]), "[..]");
        }
    }

    #[test]
    fn redact_pair_finds_secret_spread_over_texts() {
        let (front, back) = SECRET[..20].split_at(10);
        let texts = redact_pair([front, &format!("{back} and words")], &[SECRET]);
        assert_eq!(texts, ["[..]", "[..] and words"]);
    }

    #[test]
    fn redact_keeps_other_scripts_and_ignores_empty_secret() {
        assert_eq!(
            redact("アサーションが無効です", &["", SECRET]),
            "アサーションが無効です"
        );
        assert!(!repeats("anything", ""));
        assert_eq!(redact("invalid_grant", &["t", "grant"]), "invalid_grant");
    }

    #[test]
    fn redact_shortens_in_the_middle_and_keeps_the_end() {
        let long = format!("begin {} Trace ID: 1234", "é".repeat(2000));
        let short = redact(&long, &[]);
        assert_eq!(short.chars().count(), MAX_LENGTH);
        assert!(short.starts_with("begin é") && short.ends_with("é Trace ID: 1234"));
        assert!(short.contains(ELLIPSIS));
        assert_eq!(redact(&"é".repeat(MAX_LENGTH), &[]), "é".repeat(MAX_LENGTH));
    }

    #[test]
    fn redact_keeps_what_is_clean_also_where_it_cut_at_a_blank() {
        for long in ["a ".repeat(300), " a".repeat(300), "é".repeat(300)] {
            let clean = redact(&long, &[SECRET]);
            assert_eq!(redact(&clean, &[SECRET]), clean);
            assert!(!clean.contains("  "), "{clean}");
        }
    }

    #[test]
    fn redact_reads_a_text_to_its_end_and_cuts_secrets_everywhere_in_it() {
        let filler = "a ".repeat(60_000);
        let long = format!("{SECRET} {filler} {SECRET} and {SECRET} Trace ID: 1234");
        let short = redact(&long, &[SECRET]);
        assert!(short.starts_with("[..] a a "), "{short}");
        assert!(
            short.ends_with(" a [..] and [..] Trace ID: 1234"),
            "{short}"
        );
        assert!(repeats(&long, SECRET));
        // Secrets, line ends and zero-width spaces shrink, so that text that is far apart is shown together.
        for filler in ["\n", "\u{200b}", SECRET] {
            let long = filler.repeat(70_000 / filler.len());
            let secret = format!("{long}hunter2{long}");
            assert!(!redact(&secret, &[SECRET, "hunter2"]).contains("hunter"));
            assert!(repeats(&secret, "hunter2"));
        }
    }

    #[test]
    fn visible_keeps_words_apart_and_drops_what_cannot_be_seen() {
        assert_eq!(
            visible("one\r\ntwo\tthree\u{2028}four"),
            "one two three four"
        );
        assert_eq!(visible("\u{9b}\u{1b}é"), "é");
        assert_eq!(
            visible("a\u{202e}b\u{200b}c\u{9b}31m\u{feff}\u{ad}d\0"),
            "abcd"
        );
        // Controls of shorthand and of musical notation, which have no width.
        assert_eq!(visible("a\u{1bca0}\u{1bca3}b\u{1d173}\u{1d17a}c"), "abc");
    }
}
