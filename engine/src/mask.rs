//! Reversible masking: a value becomes a placeholder on its way to the upstream, and comes back in the answer.
//!
//! A placeholder is a keyed digest of tenant, type and value (HMAC-SHA-256, RFC 2104): the same value has the same one over all
//! turns and sidecars that share the key, and nobody without the key can tell the value or make one up. What a placeholder
//! stood for is known only to the exchange that made it: one that the model invents, or that stands for a value of another
//! conversation or tenant, is text like any other.
//!
//! A value does not come back inside an address (`https://…`, a Markdown link's target): whoever shows the answer may fetch
//! it, which would tell the value to whoever the model was made to name.
use std::collections::HashMap;
use std::ops::Range;

use crate::address::Addresses;
use hmac::{Hmac, KeyInit, Mac};
use mesh_wire::{Edit, Message};
use sha2::Sha256;

use crate::program::Program;

/// Letters of a digest: none spells a word, and no digit makes it look like a number.
const LETTERS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
/// 20^14: about 60 bits.
const DIGEST_LETTERS: usize = 14;
/// The longest type name a placeholder shows.
const MAX_NAME: usize = 40;
/// No placeholder is longer, in bytes.
const MAX_PLACEHOLDER: usize = MAX_NAME + DIGEST_LETTERS + 3;
/// Values kept in one exchange; those beyond it are masked and do not come back.
const MAX_VALUES: usize = 10_000;

/// What the placeholders of one exchange stand for.
#[derive(Default)]
pub(crate) struct Masked {
    values: HashMap<String, String>,
}

impl Program {
    /// The placeholder of a value; `None` without a key to make it under.
    pub(crate) fn placeholder(&self, tenant: &str, kind: &str, value: &str) -> Option<String> {
        Some(format!("[{}_{}]", name(kind), self.digest([tenant, kind, value])?))
    }

    /// The mark of an agent's system prompt. No type of data has an empty name, so no placeholder is one.
    pub(crate) fn canary_mark(&self, tenant: &str, agent: &str) -> Option<String> {
        self.digest([tenant, "", agent])
    }

    fn digest(&self, parts: [&str; 3]) -> Option<String> {
        let key = self.settings.masking_key.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).ok()?;
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let digest = mac.finalize().into_bytes();
        let (bytes, _) = digest.split_first_chunk::<8>()?;
        let mut number = u64::from_be_bytes(*bytes);
        let mut letters = String::with_capacity(DIGEST_LETTERS);
        for _ in 0..DIGEST_LETTERS {
            let letter = LETTERS.get((number % LETTERS.len() as u64) as usize).copied().unwrap_or(b'b');
            letters.push(char::from(letter));
            number /= LETTERS.len() as u64;
        }
        Some(letters)
    }
}

/// Type names are upper case already; a custom pattern may be called anything.
fn name(kind: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    kind.chars().take(MAX_NAME).map(plain).collect()
}

impl Masked {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Remembers what a placeholder stands for. False when it can not be told apart, or there are too many.
    pub(crate) fn keep(&mut self, placeholder: &str, value: &str) -> bool {
        match self.values.get(placeholder) {
            Some(known) => known == value,
            None if self.values.len() >= MAX_VALUES => false,
            None => {
                self.values.insert(placeholder.to_owned(), value.to_owned());
                true
            }
        }
    }

    /// The placeholders of this exchange in a text, in order, each with its value.
    pub(crate) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Range<usize>, &'a str)> {
        let opens = text.match_indices('[').filter(|_| !self.values.is_empty());
        opens.filter_map(|(start, _)| {
            let rest = text.get(start..)?;
            let len = rest.bytes().take(MAX_PLACEHOLDER).position(|byte| byte == b']')? + 1;
            let value = self.values.get(rest.get(..len)?)?;
            Some((start..start + len, value.as_str()))
        })
    }

    /// Whether a range of the text touches a placeholder: nothing in it is a value of its own.
    pub(crate) fn touches(&self, text: &str, range: &Range<usize>) -> bool {
        // Only one that begins near the range reaches it.
        let from = text.floor_char_boundary(range.start.saturating_sub(MAX_PLACEHOLDER));
        let to = text.floor_char_boundary(range.end.saturating_add(MAX_PLACEHOLDER));
        let near = text.get(from..to).filter(|_| !self.is_empty()).unwrap_or_default();
        self.find(near).any(|(found, _)| found.start + from < range.end && range.start < found.end + from)
    }

    /// The place nearest before `at` that is in no placeholder.
    pub(crate) fn before_cut(&self, text: &str, at: usize) -> usize {
        self.find(text)
            .find(|(range, _)| range.start < at && at < range.end)
            .map_or(at, |(range, _)| range.start)
    }

    /// Where the tail of a text begins that may still become a placeholder; its end, if none may.
    pub(crate) fn holdback(&self, text: &str) -> usize {
        let Some(start) = text.rfind('[').filter(|start| text.len() - start < MAX_PLACEHOLDER) else {
            return text.len();
        };
        let tail = text.get(start..).unwrap_or_default();
        let plain = tail.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain && self.values.keys().any(|known| known.len() > tail.len() && known.starts_with(tail)) {
            start
        } else {
            text.len()
        }
    }

    /// The edits that bring values back into a message, but for the segments to skip.
    pub(crate) fn restored(&self, message: &Message, skip: impl Fn(usize) -> bool) -> Vec<Edit> {
        if self.is_empty() {
            return Vec::new();
        }
        let segments = message.segments.iter().enumerate().filter(|(index, _)| !skip(*index));
        segments
            .flat_map(|(index, segment)| {
                let text = segment.text.as_str();
                let (mut addresses, mut read) = (Addresses::default(), 0);
                let outside = self.find(text).filter(move |(range, _)| {
                    addresses.feed(text.get(read..range.start).unwrap_or_default());
                    read = range.start;
                    !addresses.inside()
                });
                outside.map(move |(range, value)| Edit { segment: index, range, with: value.to_owned() })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_waits_only_while_it_may_become_a_known_placeholder() {
        let mut masked = Masked::default();
        assert!(masked.keep("[US_SSN_bcdfghjklmnpqr]", "536-90-4399"));
        for (text, hold) in [("a [", 2), ("a [US_SSN_bcd", 2), ("a [US_SSN_x", 11), ("a [1] b", 7), ("a", 1)]
        {
            assert_eq!(masked.holdback(text), hold, "{text}");
        }
        let text = "x [US_SSN_bcdfghjklmnpqr] [US_SSN_bcdfghjklmnpqx]";
        let found: Vec<_> = masked.find(text).collect();
        assert_eq!(found, [(2..25, "536-90-4399")]);
        assert!(masked.touches(text, &(20..30)) && !masked.touches(text, &(25..30)));
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_kept() {
        let mut masked = Masked::default();
        assert!(masked.keep("[A_b]", "one") && masked.keep("[A_b]", "one") && !masked.keep("[A_b]", "two"));
    }
}
