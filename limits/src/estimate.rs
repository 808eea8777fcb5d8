//! Estimates how many tokens a text has, without its model's tokenizer.

/// Tokens that frame a message, whatever is in it.
pub const PER_MESSAGE: u64 = 4;
/// Tokens that an answer is assumed to have at most when the request sets no bound.
pub const UNBOUNDED_ANSWER: u64 = 1024;

/// The first character of the scripts that write words or syllables in one (CJK and what follows).
const DENSE: char = '\u{2E80}';
/// The first of the emoji and what is written beside them.
const PICTURES: char = '\u{1F000}';
/// The first character after Latin letters with marks.
const OTHER: char = '\u{250}';

/// Letters, digits and signs that make one token.
const WORD: u64 = 8;
const DIGITS: u64 = 3;
const SIGNS: u64 = 3;

/// What a run of ASCII is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Word,
    Digits,
    Signs,
    Blanks,
    Lines,
}

impl Run {
    fn of(c: char) -> Self {
        match c {
            '0'..='9' => Run::Digits,
            ' ' | '\t' => Run::Blanks,
            '\n' | '\r' => Run::Lines,
            _ if c.is_ascii_alphabetic() || !c.is_ascii() => Run::Word,
            _ => Run::Signs,
        }
    }

    fn tokens(self, length: u64) -> u64 {
        match self {
            Run::Word => length.div_ceil(WORD),
            Run::Digits => length.div_ceil(DIGITS),
            Run::Signs => length.div_ceil(SIGNS),
            // One blank goes with the word behind it.
            Run::Blanks => u64::from(length > 1),
            Run::Lines => 1,
        }
    }
}

/// Estimates the tokens of a text from the places where tokenizers cut: words (also within `camelCase`), digits, signs, blanks.
/// Letters with marks and letters of other alphabets count half a token, characters of denser scripts one, emoji two.
///
/// `tests/estimate.rs` and docs/policies.md say how far it is from the tokenizers of OpenAI's models (o200k_base, cl100k_base) on a
/// corpus. For a few words it can be far off.
pub fn tokens_of(text: &str) -> u64 {
    let (mut tokens, mut halves) = (0_u64, 0_u64);
    let (mut run, mut length, mut lower) = (Run::Blanks, 0_u64, false);
    for c in text.chars() {
        if c >= OTHER {
            tokens += run.tokens(length);
            (run, length) = (Run::Blanks, 0);
            halves += match c {
                _ if c >= PICTURES => 4,
                _ if c >= DENSE => 2,
                _ => 1,
            };
            continue;
        }
        halves += u64::from(!c.is_ascii());
        let kind = Run::of(c);
        if kind != run || lower && c.is_ascii_uppercase() {
            tokens += run.tokens(length);
            (run, length) = (kind, 0);
        }
        length += 1;
        lower = c.is_ascii_lowercase();
    }
    tokens + run.tokens(length) + halves.div_ceil(2)
}

/// An upper bound for every tokenizer that works on bytes: one token for each byte.
pub fn tokens_at_most(bytes: usize) -> u64 {
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_differ_in_what_a_character_says() {
        let table = [
            ("", 0),
            ("a", 1),
            ("four", 1),
            ("seven words", 2),
            ("camelCase_with 1234567 digits", 8),
            ("naïve", 2),
            ("слово", 3),
            ("个人数据", 4),
            ("\u{1F600} ok", 3),
        ];
        for (text, tokens) in table {
            assert_eq!(tokens_of(text), tokens, "{text}");
        }
    }
}
