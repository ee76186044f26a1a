//! Rewrites JSON text on one line, or indented. Numbers, escapes and the order of members stay as they are.

/// Removes whitespace between the tokens of JSON text, so that the output is one line.
pub(crate) fn without_whitespace(json: &str) -> String {
    let mut strings = Strings::default();
    let is_kept = |c: &char| strings.contain(*c) || !matches!(c, ' ' | '\t' | '\n' | '\r');
    json.chars().filter(is_kept).collect()
}

/// Writes JSON text without whitespace with a line for each member and element.
pub(crate) fn indented(json: &str) -> String {
    let mut strings = Strings::default();
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut characters = json.chars().peekable();
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    while let Some(c) = characters.next() {
        match c {
            _ if strings.contain(c) => text.push(c),
            '{' | '[' => {
                text.push(c);
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        line(&mut text, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => text.push(c),
        }
    }
    text
}

/// Tracks whether a text, read from its beginning, is inside a string.
#[derive(Default)]
struct Strings {
    is_open: bool,
    is_escaped: bool,
}

impl Strings {
    /// Takes the next character, and returns whether it belongs to a string. Both quotes belong to it.
    fn contain(&mut self, c: char) -> bool {
        let was_open = self.is_open;
        if c == '"' && !self.is_escaped {
            self.is_open = !self.is_open;
        }
        self.is_escaped = was_open && !self.is_escaped && c == '\\';
        was_open || self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_text_keeps_order_numbers_and_strings() {
        let json = without_whitespace(
            "{ \"b\" : 1.50, \"a\":[ 1 ,{ } ,[]],\n\"t\":\"x: \\\" {,} \\\\\",\"n\":12345678901234567890}",
        );
        let wanted = r#"{
  "b": 1.50,
  "a": [
    1,
    {},
    []
  ],
  "t": "x: \" {,} \\",
  "n": 12345678901234567890
}"#;
        assert_eq!(indented(&json), wanted);
    }
}
