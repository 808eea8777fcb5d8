//! Reversible masking: a value is replaced by a placeholder on the way to the upstream, and restored in the response.
//!
//! A placeholder is a keyed digest of tenant, type and value (HMAC-SHA-256, RFC 2104): the same value has the same
//! placeholder in all turns and in all sidecars that share the key; without the key nobody can recover the value or
//! forge a placeholder. Only the exchange that made a placeholder knows its value: one that the model invents, or
//! that stands for a value of another conversation or tenant, is ordinary text.
//!
//! A value is not restored inside an address (`https://…`, `host.example/…`, a Markdown link's target, a member
//! `url`): the program that shows the response may fetch it, which would send the value to any host that the model
//! was made to name. In tool arguments, a string that begins with a scheme or two slashes is an address to its end,
//! including spaces: a tool may use it as a whole.
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use mesh_wire::{Edit, Message, Place, Protocol, Segment};
use sha2::Sha256;

use crate::address::{Last, Readings, is_of_address};
use crate::parts::{Chain, Pieces, chains};
use crate::program::Program;

/// The letters of a digest: none forms a word, and without digits it does not look like a number.
const LETTERS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
/// 20^14: about 60 bits.
const DIGEST_LETTERS: usize = 14;
/// The maximum length of the type name in a placeholder.
const MAX_NAME: usize = 40;
/// The maximum length of a placeholder, in bytes.
const MAX_PLACEHOLDER: usize = MAX_NAME + DIGEST_LETTERS + 3;
/// The maximum length as models write it, with Markdown's backslashes.
const MAX_WRITTEN: usize = MAX_PLACEHOLDER + 16;
/// Maximum number of values kept in one exchange; further ones are masked but not restored.
const MAX_VALUES: usize = 10_000;

/// The values of the placeholders of one exchange.
#[derive(Default)]
pub(crate) struct Masked {
    values: HashMap<String, String>,
    /// The state after the last text of a response whose texts its reader joins: the next text continues from there.
    /// By the texts' place in an event, and whether they are thoughts.
    said: BTreeMap<(&'static str, bool), Readings>,
}

impl Program {
    /// The placeholder of a value; `None` without a masking key.
    pub(crate) fn placeholder(&self, tenant: &str, kind: &str, value: &str) -> Option<String> {
        Some(format!("[{}_{}]", name(kind), self.digest([tenant, kind, value])?))
    }

    /// The canary in an agent's system prompt. No data type has an empty name, so it is never a placeholder.
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

/// Type names are already upper case; a custom pattern may have any name.
fn name(kind: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    kind.chars().take(MAX_NAME).map(plain).collect()
}

/// Restores the original form of a placeholder that a model rewrote: with Markdown's backslashes, or in another case.
/// `None` if it is not a placeholder.
fn plain(written: &str) -> Option<String> {
    let inner = written.strip_prefix('[')?.strip_suffix(']')?;
    let inner = inner.strip_suffix('\\').unwrap_or(inner).replace("\\_", "_");
    let (kind, digest) = inner.rsplit_once('_').filter(|(_, digest)| digest.len() == DIGEST_LETTERS)?;
    Some(format!("[{}_{}]", kind.to_ascii_uppercase(), digest.to_ascii_lowercase()))
}

/// Whether a byte may occur between a placeholder's brackets, as models write it.
fn may_be_in_one(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\\')
}

/// Whether a placeholder is the first label of a host's name (`[…].evil.example`): whoever looks it up tells the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labelled {
    No,
    /// A file's name (`[…].tar.gz`), sentences without a blank between and mail addresses have the same form.
    InCommand,
    Yes,
}

/// A placeholder in a text, its value, and what follows it.
pub(crate) type Placeholder<V> = (Range<usize>, V, Labelled);

/// What may stand in a host's name, with what a shell takes away.
fn may_be_in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '"' | '\'' | '`' | '\\' | '[' | ']')
}

/// How many bytes after a placeholder may be the rest of a host's name. None if they are too many for one.
fn behind(rest: &str) -> &str {
    /// The longest name, in characters, and the longest label.
    const LONGEST: (usize, usize) = (253, 63);
    let (mut length, mut label) = (0, 0);
    for (nth, c) in rest.chars().enumerate() {
        if !may_be_in_name(c) {
            break;
        }
        length += c.len_utf8();
        label = if c == '.' { 0 } else { label + 1 };
        if nth >= LONGEST.0 || label > LONGEST.1 {
            return "";
        }
    }
    rest.get(..length).unwrap_or_default()
}

fn labelled(rest: &str) -> Labelled {
    if rest.starts_with('@') {
        // A user's name.
        return Labelled::InCommand;
    }
    let name = behind(rest);
    let is_placeholder = |label: &str| label.starts_with('[') && label.ends_with(']') && label.contains('_');
    let plain = |label: &str| !label.contains(['[', ']']) || is_placeholder(label);
    let name = name.replace(['"', '\'', '`', '\\'], "");
    let mut labels = name.split('.');
    if !labels.next().is_some_and(plain) {
        return Labelled::No;
    }
    let labels: Vec<&str> = labels.take_while(|label| !label.is_empty() && plain(label)).collect();
    let capital = labels.iter().any(|label| label.starts_with(char::is_uppercase));
    match labels.last().filter(|_| labels.len() > 1).map_or(Last::No, |last| Last::of(last)) {
        Last::No => Labelled::No,
        Last::Domain if !capital => Labelled::Yes,
        _ => Labelled::InCommand,
    }
}

impl Masked {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Stores the value of a placeholder. False if the placeholder already has another value, or there are too many.
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
            let (before, rest) = text.split_at_checked(start)?;
            let inner = rest.bytes().skip(1).take(MAX_WRITTEN).position(|byte| !may_be_in_one(byte))?;
            let written = rest.get(..inner + 2).filter(|written| written.ends_with(']'))?;
            let value = self.values.get(written).or_else(|| self.values.get(&plain(written)?))?;
            // If both brackets are escaped, the first one's backslash precedes it.
            let escaped = written.ends_with("\\]") && before.ends_with('\\');
            Some((start - usize::from(escaped)..start + written.len(), value.as_str()))
        })
    }

    /// The same, and whether they are a host's first label.
    pub(crate) fn placeholders<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Placeholder<&'a str>> {
        self.find(text).map(|(range, value)| {
            let labelled = labelled(text.get(range.end..).unwrap_or_default());
            (range, value, labelled)
        })
    }

    /// Whether a range of the text overlaps a placeholder: nothing in it is a value itself.
    pub(crate) fn touches(&self, text: &str, range: &Range<usize>) -> bool {
        // Only a placeholder that begins near the range can reach it.
        let from = text.floor_char_boundary(range.start.saturating_sub(MAX_WRITTEN + 1));
        let to = text.floor_char_boundary(range.end.saturating_add(MAX_WRITTEN));
        let near = text.get(from..to).filter(|_| !self.is_empty()).unwrap_or_default();
        self.find(near).any(|(found, _)| found.start + from < range.end && range.start < found.end + from)
    }

    /// Where the end of a text begins that may still become a placeholder, or a placeholder that is a host's label;
    /// the length of the text if there is none.
    pub(crate) fn holdback(&self, text: &str) -> usize {
        let waits = |range: &Range<usize>| {
            let rest = text.get(range.end..).unwrap_or_default();
            behind(rest).len() == rest.len()
        };
        if let Some((range, _)) = self.find(text).find(|(range, _)| waits(range)) {
            return range.start;
        }
        let start = text.rfind('[').filter(|start| text.len() - start < MAX_WRITTEN);
        let Some((before, tail)) = start.and_then(|start| text.split_at_checked(start)) else {
            return text.len();
        };
        if !tail.bytes().skip(1).all(may_be_in_one) {
            return text.len();
        }
        let begun = tail.replace('\\', "");
        let begins = |known: &String| {
            let head = known.get(..begun.len()).filter(|head| head.len() < known.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(&begun))
        };
        if !self.values.keys().any(begins) {
            return text.len();
        }
        before.strip_suffix('\\').unwrap_or(before).len()
    }

    /// The edits that restore values in a message, except in pieces of running texts.
    pub(crate) fn restored(&mut self, message: &Message, pieces: Pieces<'_>) -> Vec<Edit> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut said = std::mem::take(&mut self.said);
        said.retain(|(event, _), _| !event.is_empty());
        // For each segment that others may continue: the states at its beginning and at its end.
        let mut read: HashMap<usize, (Readings, Readings)> = HashMap::new();
        let goes_on: HashMap<usize, usize> =
            message.continuations(true).map(|(before, index)| (index, before)).collect();
        let mut edits = Vec::new();
        let segments = message.segments.iter().enumerate().filter(|(index, _)| !pieces.has(*index));
        for (index, segment) in segments {
            let text = segment.text.as_str();
            let joins = is_said(message, index, segment).then(|| (event_of(message, index), segment.thought));
            let before = if segment.derived { index.checked_sub(1) } else { goes_on.get(&index).copied() };
            let before = before.and_then(|before| read.get(&before));
            let start = match (before, joins) {
                // Another reading of the previous text begins in the same state.
                (Some((start, _)), _) if segment.derived => *start,
                (_, Some(joins)) => said.get(&joins).copied().unwrap_or_default(),
                (Some((_, end)), None) => *end,
                (None, None) if segment.place == Place::ToolArguments => Readings::of_arguments(),
                (None, None) => Readings::default(),
            };
            let mut readings = start;
            let found =
                self.placeholders(text).map(|(range, value, as_label)| (range, value.to_owned(), as_label));
            let outside = outside(text, 0..text.len(), found, &mut readings, false);
            read.insert(index, (start, readings));
            said.extend(joins.map(|joins| (joins, readings)));
            if outside.is_empty() || !segment.is_key() && in_an_address(message, index) {
                continue;
            }
            edits.extend(outside.into_iter().map(|(range, with)| Edit { segment: index, range, with }));
        }
        // Nothing here shows whether a text in an event continues an address from an earlier one.
        let whole = |chain: &Chain| !chain.parts.iter().any(|(segment, _)| pieces.has(*segment));
        for chain in chains(message, pieces).into_iter().filter(whole) {
            let first = chain.parts.first().and_then(|(first, _)| read.get(first));
            let mut readings = first.map(|(start, _)| *start).unwrap_or_default();
            let found = self
                .placeholders(&chain.text)
                .map(|(range, value, as_label)| (range, value.to_owned(), as_label));
            let outside = outside(&chain.text, 0..chain.text.len(), found, &mut readings, false);
            for (range, with) in outside.iter().filter(|(range, _)| chain.crosses(range)) {
                chain.edits(range, with, &mut edits);
            }
        }
        self.said = said;
        edits
    }
}

/// Filters what was found in a range of a text to what is in no address. Reads on to the end of the range, with the
/// values restored.
pub(crate) fn outside(
    text: &str,
    stretch: Range<usize>,
    found: impl Iterator<Item = Placeholder<String>>,
    readings: &mut Readings,
    arguments: bool,
) -> Vec<(Range<usize>, String)> {
    let mut read = stretch.start;
    let mut outside = Vec::new();
    for (range, with, labelled) in found {
        readings.feed(text.get(read..range.start).unwrap_or_default());
        read = range.start;
        let stays = match labelled {
            Labelled::No => false,
            Labelled::InCommand => readings.in_command(arguments),
            Labelled::Yes => true,
        };
        if !stays && !readings.inside(arguments) {
            readings.feed_value(&with);
            read = range.end;
            outside.push((range, with));
        }
    }
    readings.feed(text.get(read..stretch.end).unwrap_or_default());
    outside
}

/// For the events of a Responses stream that repeat texts, one after the other: the kind of event, by its path; each
/// kind repeats all texts. Empty for a text that begins anew.
fn event_of(message: &Message, index: usize) -> &'static str {
    let path = message.path(index);
    let first = path.split(['.', '[']).next().unwrap_or_default();
    let known = ["text", "part", "item"].into_iter().find(|name| *name == first);
    known.filter(|_| message.protocol == Protocol::OpenAiResponses).unwrap_or_default()
}

/// Whether this is one of the model's texts that clients join: those of blocks and of items.
fn is_said(message: &Message, index: usize, segment: &Segment) -> bool {
    let text = segment.place == Place::Assistant && !segment.derived && !segment.is_key();
    text && name_in(&message.path(index)) == "text"
}

/// Whether a segment is in a member, or in a list in a member, whose name denotes an address.
fn in_an_address(message: &Message, index: usize) -> bool {
    match name_in(&message.path(index)) {
        // A name that paths do not show.
        "*" => message.name_of(index).is_some_and(is_of_address),
        name => is_of_address(name),
    }
}

/// Whether the name in a running text's place denotes an address; a name that paths do not show may.
pub(crate) fn is_place_of_address(place: &str) -> bool {
    let name = name_in(place);
    name == "*" || is_of_address(name)
}

/// The last name in a path.
fn name_in(path: &str) -> &str {
    let path = path.trim_end_matches(|c: char| matches!(c, '[' | ']') || c.is_ascii_digit());
    path.rsplit('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_waits_only_while_it_may_become_a_known_placeholder() {
        let mut masked = Masked::default();
        assert!(masked.keep("[US_SSN_bcdfghjklmnpqr]", "536-90-4399"));
        for (text, hold) in [
            ("a [", 2),
            ("a [US_SSN_bcd", 2),
            ("a [US_SSN_x", 11),
            ("a [1] b", 7),
            ("a", 1),
            ("a [us_ssn_BCD", 2),
            (r"a [US\_SSN\", 2),
            (r"a \[US\_SSN", 2),
            (r"a [US\SSNX", 10),
            ("a [US_SSN_bcdfghjklmnpqr]", 2),
            ("a [US_SSN_bcdfghjklmnpqr].", 2),
            ("a [US_SSN_bcdfghjklmnpqr].evil.", 2),
            ("a [US_SSN_bcdfghjklmnpqr]. ", 27),
            // The last label may be a file's ending.
            ("a [US_SSN_bcdfghjklmnpqr].evil.e", 2),
            ("a [US_SSN_bcdfghjklmnpqr].evil.e ", 33),
            ("a [US_SSN_bcdfghjklmnpqr]\".évil.", 2),
            ("a [US_SSN_bcdfghjklmnpqr] [US_SSN_bcdfghjklmnpqr].[1", 26),
        ] {
            assert_eq!(masked.holdback(text), hold, "{text}");
        }
        let text = "x [US_SSN_bcdfghjklmnpqr] [US_SSN_bcdfghjklmnpqx]";
        let found: Vec<_> = masked.find(text).collect();
        assert_eq!(found, [(2..25, "536-90-4399")]);
        assert!(masked.touches(text, &(20..30)) && !masked.touches(text, &(25..30)));
    }

    #[test]
    fn a_placeholder_is_known_as_models_write_it() {
        let mut masked = Masked::default();
        assert!(masked.keep("[US_SSN_bcdfghjklmnpqr]", "536-90-4399"));
        for (text, found) in [
            ("[us_ssn_bcdfghjklmnpqr]", Some(0..23)),
            ("[US_SSN_BCDFGHJKLMNPQR]", Some(0..23)),
            (r"a [US\_SSN\_bcdfghjklmnpqr]", Some(2..27)),
            (r"a \[US\_SSN\_bcdfghjklmnpqr\]", Some(2..29)),
            (r"a \[US_SSN_bcdfghjklmnpqr]", Some(3..26)),
            ("[US-SSN-bcdfghjklmnpqr]", None),
            ("[US_SSN_bcdfghjklmnpq]", None),
            (r"[US\\_SSN_bcdfghjklmnpqr]", None),
        ] {
            assert_eq!(masked.find(text).next().map(|(range, _)| range), found, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_kept() {
        let mut masked = Masked::default();
        assert!(masked.keep("[A_b]", "one") && masked.keep("[A_b]", "one") && !masked.keep("[A_b]", "two"));
    }
}
