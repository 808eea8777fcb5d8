//! How many tokens a text has, without its model's tokenizer.

/// Tokens that frame a message, whatever is in it.
pub const PER_MESSAGE: u64 = 4;
/// What an answer is taken to have at most where the request sets no bound.
pub const UNBOUNDED_ANSWER: u64 = 1024;

/// An estimate of a text's tokens: four ASCII characters for one, and each other character for one. Far from either for short
/// texts; docs/policies.md has the measured error.
pub fn tokens_of(text: &str) -> u64 {
    let (mut ascii, mut other) = (0_u64, 0_u64);
    for c in text.chars() {
        if c.is_ascii() { ascii += 1 } else { other += 1 }
    }
    ascii.div_ceil(4) + other
}

/// A bound that no tokenizer passes which cuts bytes: one token for each.
pub fn tokens_at_most(bytes: usize) -> u64 {
    bytes as u64
}
