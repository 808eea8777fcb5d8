//! Keys and tokens by the prefix that their issuer uses.
use super::scan::{closes, is_token};
use super::token_table::{Body, Token, beginning};
use crate::EntityType::{self, GitlabToken, SlackToken};
use crate::bytes::{at, run_end, slice};

/// The token in a run of token characters that begins like those of an issuer, alone or after a name: its type, start
/// and end.
pub(super) fn read(text: &[u8], start: usize, end: usize) -> Option<(EntityType, usize, usize)> {
    let (kind, start, stop) = known(text, start, end).or_else(|| named(text, start, end))?;
    Some((kind, start, if kind == GitlabToken { routed(text, stop) } else { stop }))
}

fn known(text: &[u8], start: usize, end: usize) -> Option<(EntityType, usize, usize)> {
    beginning(slice(text, start, end))
        .find_map(|token| Some((token.kind, start, body_end(text, start, end, token)?)))
}

/// The maximum number of words in a name that a token is attached to.
const NAME_WORDS: usize = 4;
/// A shorter prefix is not distinctive inside a word.
const TELLING: usize = 4;

/// A token attached to a name: `backup_ghp_…`, `openai-key-sk-proj-…`.
fn named(text: &[u8], start: usize, end: usize) -> Option<(EntityType, usize, usize)> {
    // Words alone, however many are joined, are not a token.
    if !slice(text, start, end).iter().any(u8::is_ascii_digit) {
        return None;
    }
    let mut from = start;
    for _ in 0..NAME_WORDS {
        let word = run_end(slice(text, 0, end), from, |b| b.is_ascii_alphabetic());
        if word == from || !matches!(at(text, word), b'-' | b'_') {
            return None;
        }
        from = word + 1;
        let found = beginning(slice(text, from, end))
            .filter(|token| token.prefix.len() >= TELLING)
            .find_map(|token| Some((token.kind, from, body_end(text, from, end, token)?)));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The end of a GitLab token including its routing: `.` two characters `.` nine characters.
fn routed(text: &[u8], end: usize) -> usize {
    let stop = end + 13;
    let routing = at(text, end) == b'.'
        && at(text, end + 3) == b'.'
        && slice(text, end + 4, stop).iter().filter(|b| is_token(**b)).count() == 9
        && closes(text, stop);
    if routing { stop } else { end }
}

fn accepts(body: Body, b: u8) -> bool {
    match body {
        Body::Word => is_token(b),
        Body::Alnum => b.is_ascii_alphanumeric(),
        Body::Hex => b.is_ascii_hexdigit(),
        Body::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
    }
}

fn body_end(text: &[u8], start: usize, end: usize, token: &Token) -> Option<usize> {
    let from = start + token.prefix.len();
    let stop = run_end(slice(text, 0, end), from, |b| accepts(token.body, b));
    let length = stop - from;
    let body = slice(text, from, stop);
    // A word or a path after a short prefix ("sk-learn-contrib-…") is not a key.
    let digits = body.iter().filter(|b| b.is_ascii_digit()).count();
    let key_like = if token.kind == SlackToken { digits >= 4 } else { digits > 0 || varied(body) >= 10 };
    (stop == end && length >= token.least && length <= token.most && key_like).then_some(stop)
}

/// The number of different characters in a text.
pub(super) fn varied(body: &[u8]) -> u32 {
    let mut seen = 0_u128;
    for b in body {
        seen |= 1 << (b & 0x7F);
    }
    seen.count_ones()
}
