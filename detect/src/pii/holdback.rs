//! How much of a stream's tail must wait for more text.
//!
//! Values contain no spaces except between groups of digits and short words, and no line breaks except between the
//! groups of a card or a social security number. So the tail is the last word, plus the words before it that could be
//! groups of a number, an IBAN or a date. Holding back more than needed is safe; holding back less would let half a
//! value through.

use std::ops::Range;

use memchr::memmem;

use super::date;
use super::key_block::{self, Block, MAX_BLOCK};
use super::table;
use crate::EntityType::{self, *};
use crate::TypeSet;
use crate::bytes::{at, before, run_start, slice};
use crate::canonical::{self, Glyph, View, glyph, is_control};

/// The maximum number of bytes held back, unless a longer value is open.
pub const MAX_HOLDBACK: usize = 512;
/// The maximum number of bytes held back while a private key block or a signed token is open, or if the tail contains
/// invisible characters, which do not count.
pub const MAX_BLOCK_HOLDBACK: usize = MAX_BLOCK;

/// Types whose values contain no spaces: for these, only the last word waits.
const ONE_WORD: &[EntityType] = &[
    EmailAddress,
    IpAddress,
    MacAddress,
    Crypto,
    AwsAccessKey,
    AzureKey,
    GoogleApiKey,
    GithubToken,
    GitlabToken,
    OpenaiApiKey,
    AnthropicApiKey,
    LlmApiKey,
    SlackToken,
    ChatToken,
    StripeKey,
    PaymentKey,
    PackageToken,
    MailKey,
    Jwt,
    PrivateKey,
    ConnectionString,
    UrlCredentials,
    Password,
    ApiKey,
];

/// See [`crate::Detector::holdback`].
pub(crate) fn holdback(text: &str, types: TypeSet) -> usize {
    if types.is_empty() {
        return text.len();
    }
    let reach = reach(text);
    let mut start = word_start(text, text.len(), reach);
    if types.contains(Jwt) && text.len() - start >= MAX_HOLDBACK {
        start = open_web_token(text).unwrap_or(start);
    }
    start = first_of(text, start, types, reach);
    let mut bound = text.len().saturating_sub(reach);
    if types.contains(PrivateKey) {
        match key_block(text) {
            // A damaged block ends where it breaks off, but the word there may belong to another value, so the block
            // waits.
            Some(Key::Closed { blocks, broken: Some(begin) }) if start < blocks.end => {
                start = start.min(begin);
                bound = begin;
            }
            Some(Key::Open { begin, before }) => {
                // The word right before the block may form one value with its first line, but does not reach into an
                // earlier block.
                let word = word_start(text, begin, reach);
                let begin = first_of(text, word, types, reach)
                    .max(before.map_or(0, |before| before.end))
                    .max(text.len().saturating_sub(MAX_BLOCK));
                start = start.min(begin);
                bound = begin;
            }
            // What ends inside the block belongs to it and does not begin another value.
            Some(Key::Closed { blocks, .. }) => start = start.max(blocks.end),
            None => {}
        }
    }
    if types.contains(Jwt)
        && let Some(token) = open_web_token(text)
    {
        bound = bound.min(token);
    }
    let mut start = start.max(bound);
    while start < text.len() && !text.is_char_boundary(start) {
        start += 1;
    }
    start
}

/// The earliest start of a value that may end after `start`. Repeated, since where one value starts another may end.
fn first_of(text: &str, mut start: usize, types: TypeSet, reach: usize) -> usize {
    let one_word = TypeSet::of(ONE_WORD);
    let groups = types.iter().any(|kind| !one_word.contains(kind));
    let lines = types.contains(CreditCard) || types.contains(UsSsn);
    loop {
        if groups {
            start = chain_start(text, start, reach, lines);
        }
        let mut first = start;
        if types.contains(EmailAddress) {
            first = first.min(address_around(text, start, reach).unwrap_or(start));
        }
        first = first.min(open_secret(text, first, types, reach).unwrap_or(first));
        if first == start {
            return start;
        }
        start = first;
    }
}

/// Whether a byte is a whole, visible character.
fn is_seen(b: u8) -> bool {
    b.is_ascii() & !is_control(b) & (b != 0x7F)
}

/// How far back a value that continues past the end may begin, in bytes.
fn reach(text: &str) -> usize {
    let bytes = text.as_bytes();
    let near = slice(bytes, bytes.len().saturating_sub(MAX_HOLDBACK), bytes.len());
    if near.iter().fold(true, |all, b| all & is_seen(*b)) {
        return MAX_HOLDBACK;
    }
    let mut unseen = 0;
    for (i, c) in text.char_indices().rev() {
        let waits = text.len() - i;
        if waits - unseen > MAX_HOLDBACK || waits > MAX_BLOCK_HOLDBACK {
            break;
        }
        if canonical::may_vanish(c) || glyph(c) == Glyph::Invisible {
            unseen += c.len_utf8();
        }
    }
    (MAX_HOLDBACK + unseen).min(MAX_BLOCK_HOLDBACK)
}

/// How many characters before a value are examined, plus one that decides whether the first word is whole.
const CONTEXT: usize = 64;
/// The maximum size of these characters in bytes.
const MAX_CONTEXT: usize = 4096;
/// The maximum length of one escaped character: `&#x0041;`.
const ESCAPE: usize = 8;

/// See [`crate::Detector::context`].
pub(crate) fn context(text: &str, end: usize) -> String {
    let start = context_start(text, end);
    let (head, start) = table::kept(text.as_bytes(), start, end);
    let of = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    match head {
        Some(head) => format!("{}\n{}", of(head), of(start..end)),
        None => of(start..end).to_owned(),
    }
}

/// The start of the last part of the context.
fn context_start(text: &str, end: usize) -> usize {
    let before = text.get(..end).unwrap_or_default();
    let near = slice(before.as_bytes(), before.len().saturating_sub(CONTEXT), before.len());
    if near.iter().all(|b| is_seen(*b) && !matches!(b, b'%' | b'&' | b'\\')) {
        return before.len() - near.len();
    }
    let (mut left, mut escapes) = (CONTEXT, false);
    for (i, c) in before.char_indices().rev() {
        if left == 0 || before.len() - i > MAX_CONTEXT {
            return i + c.len_utf8();
        }
        if !escapes && matches!(c, '%' | '&' | '\\') {
            (left, escapes) = (left * ESCAPE, true);
        }
        if !canonical::may_vanish(c) && !matches!(glyph(c), Glyph::Invisible) {
            left -= 1;
        }
    }
    0
}

/// Whether a character may be part of a value, as far as waiting is concerned.
fn is_value(c: char) -> bool {
    canonical::may_vanish(c)
        || match glyph(c) {
            Glyph::Ascii(b) => b > b' ' && b != b'"',
            Glyph::Invisible => true,
            // Letters of alphabets. Ideographs end a value, except the signs of a date and dots between groups.
            Glyph::Other => (c as u32) < 0x800 || matches!(c, '年' | '月') || is_dot(c),
        }
}

/// The start of an address whose domain reaches into the held-back tail: its labels may be ideographs (RFC 6531), which
/// elsewhere end a word.
fn address_around(text: &str, start: usize, reach: usize) -> Option<usize> {
    let bound = text.len().saturating_sub(reach);
    let bound = (bound..start).find(|at| text.is_char_boundary(*at))?;
    // The `@` may be written as an escape (`%40`).
    let before = text.get(bound..start)?;
    let read = |view: View| open_at_sign(view.text()).map(|at| view.original(at..at + 1).start);
    let at = match canonical::plain(before) {
        None => open_at_sign(before),
        Some(view) => read(view),
    };
    let at = at.or_else(|| read(canonical::stripped(before)?));
    Some(word_start(text, bound + at?, reach))
}

/// The `@` of an address whose domain reaches the end.
fn open_at_sign(text: &str) -> Option<usize> {
    let within = |c: char| match glyph(c) {
        _ if canonical::may_vanish(c) => true,
        Glyph::Ascii(b) => b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'),
        Glyph::Invisible | Glyph::Other => true,
    };
    let (at, sign) = text.char_indices().rev().find(|(_, c)| !within(*c))?;
    (glyph(sign) == Glyph::Ascii(b'@')).then_some(at)
}

/// How far before its value a password may be announced.
const ANNOUNCED: usize = 40;

/// The start of a password, or of a URL with one, that reaches into the held-back tail: it may contain quotes and
/// characters of any script, which elsewhere end a word.
fn open_secret(text: &str, start: usize, types: TypeSet, reach: usize) -> Option<usize> {
    let url = types.contains(UrlCredentials) || types.contains(ConnectionString);
    if !url && !types.contains(Password) {
        return None;
    }
    let bytes = text.as_bytes();
    let near = bytes.len().saturating_sub(reach);
    let word = near
        + run_start(slice(bytes, near, start), start.saturating_sub(near), |b| b > b' ' || is_control(b));
    if word >= start {
        return None;
    }
    let word = (word..start).find(|at| text.is_char_boundary(*at))?;
    let from = (word.saturating_sub(ANNOUNCED)..word).find(|at| text.is_char_boundary(*at)).unwrap_or(word);
    let tail = text.get(from..)?;
    let views = [canonical::plain(tail), canonical::stripped(tail)];
    let readings = std::iter::once(tail).chain(views.iter().flatten().map(View::text)).map(str::as_bytes);
    // Words that announce a password contain a double `s` or `wd`.
    let pair = |pair: &[u8]| {
        matches!(
            (pair.first(), pair.last()),
            (Some(b's' | b'S'), Some(b's' | b'S')) | (Some(b'w' | b'W'), Some(b'd' | b'D'))
        )
    };
    let mut open = readings.map(|tail| {
        types.contains(Password) && tail.windows(2).any(pair) || url && memmem::find(tail, b"://").is_some()
    });
    open.any(|open| open).then_some(word)
}

/// A middle dot that may separate groups.
fn is_dot(c: char) -> bool {
    matches!(c, '·' | '•' | '・')
}

fn is_space(c: char) -> bool {
    canonical::may_vanish(c) || matches!(glyph(c), Glyph::Ascii(b' ') | Glyph::Invisible)
}

/// The start of the word that ends at `end`, at most about `limit` bytes to the left.
fn word_start(text: &str, end: usize, limit: usize) -> usize {
    let mut start = end;
    for (i, c) in text.get(..end).unwrap_or_default().char_indices().rev() {
        if !is_value(c) || end - i > limit {
            break;
        }
        start = i;
    }
    start
}

/// Walks left over words that could be groups of the same value; with `lines`, also across line ends.
fn chain_start(text: &str, last: usize, reach: usize, lines: bool) -> usize {
    let mut committed = last;
    let mut position = last;
    let mut tentative = 0;
    while last - position < reach {
        let (head, tail) = text.split_at_checked(position).unwrap_or_default();
        let (gap, over_line) = gap(head, lines);
        if gap == 0 {
            break;
        }
        let end = position - gap;
        let start = word_start(text, end, reach);
        if start == end {
            break;
        }
        let word = text.get(start..end).unwrap_or_default();
        match link(word) {
            Link::Group if !over_line || goes_on(word, tail) => {
                committed = start;
                tentative = 0;
            }
            _ if over_line => break,
            Link::Lead if tentative == 0 => {
                committed = start;
                tentative += 1;
            }
            Link::Lead | Link::Between if tentative < 2 => tentative += 1,
            _ => break,
        }
        position = start;
    }
    committed
}

/// Digit counts of neighbouring groups in a card or a social security number.
const NEIGHBOURS: [(usize, usize); 6] = [(3, 2), (2, 4), (4, 4), (4, 6), (6, 5), (6, 4)];

/// Whether a group at the end of a line and the next line's first group, which may be incomplete, could be in one
/// value.
fn goes_on(line: &str, next: &str) -> bool {
    // Escapes and characters that may vanish can stand for a digit or for nothing.
    let unclear =
        |text: &str| text.chars().any(|c| matches!(c, '%' | '&' | '\\') || canonical::may_vanish(c));
    let indent = |c: char| is_space(c) || matches!(glyph(c), Glyph::Ascii(b'>' | b'\t'));
    let group = next.trim_start_matches(indent);
    let first = next.len() - group.len() + group.find([' ', '\n', '\r', '\t']).unwrap_or(group.len());
    if unclear(line) || unclear(next.get(..first).unwrap_or_default()) {
        return true;
    }
    let dash = |c: char| matches!(glyph(c), Glyph::Ascii(b'-') | Glyph::Invisible);
    let (left, _) = digits(line.trim_end_matches(dash).chars().rev());
    let (right, open) = digits(group.chars());
    NEIGHBOURS.iter().any(|(a, b)| *a == left && (*b == right || open && right < *b))
}

/// The number of leading digits, and whether nothing follows them.
fn digits(chars: impl Iterator<Item = char>) -> (usize, bool) {
    let mut count = 0;
    for c in chars {
        match glyph(c) {
            Glyph::Ascii(b) if b.is_ascii_digit() => count += 1,
            Glyph::Invisible => {}
            _ => return (count, false),
        }
    }
    (count, true)
}

/// The length in bytes of the space before the next word, and whether it includes a line end or a tab (only with
/// `lines`): at most four blanks, seven around a line end, plus invisible characters.
fn gap(text: &str, lines: bool) -> (usize, bool) {
    let (mut blanks, mut over_line) = (0, false);
    let space = text.chars().rev().take_while(|c| {
        let line = lines && matches!(c, '\n' | '\r' | '\t');
        over_line |= line;
        blanks += usize::from(line || glyph(*c) == Glyph::Ascii(b' '));
        (line || is_space(*c)) && blanks <= if over_line { 7 } else { 4 }
    });
    let length = space.map(char::len_utf8).sum();
    (length, over_line)
}

enum Link {
    /// Contains digits: a group.
    Group,
    /// May begin a value or occur inside one: two letters, a month name.
    Lead,
    /// May come between groups: a bank code, "of", "ext.", a dash.
    Between,
    No,
}

fn link(word: &str) -> Link {
    let digit = |c: char| matches!(glyph(c), Glyph::Ascii(b) if b.is_ascii_digit());
    if word.chars().any(|c| canonical::may_vanish(c) || digit(c)) {
        return Link::Group;
    }
    // What follows a sign may begin a value: `(AB 12 34 56 C`.
    let mut letters = [0_u8; 12];
    let (mut count, mut other) = (0, false);
    for c in word.chars() {
        match glyph(c) {
            Glyph::Ascii(b) if b.is_ascii_alphabetic() => {
                match letters.get_mut(count) {
                    Some(slot) => *slot = b,
                    None => other = true,
                }
                count += 1;
            }
            Glyph::Ascii(_) => (count, other) = (0, false),
            Glyph::Invisible => {}
            Glyph::Other => other |= !is_dot(c),
        }
    }
    if other {
        return Link::No;
    }
    let name = slice(&letters, 0, count);
    if (1..=2).contains(&count) || date::is_month(name) {
        Link::Lead
    } else if count <= 4 || name.eq_ignore_ascii_case(b"extension") {
        Link::Between
    } else {
        Link::No
    }
}

/// The private key blocks that affect the tail.
#[derive(PartialEq, Eq)]
enum Key {
    /// A block begins here and has not ended; `before` covers the blocks before it, if any.
    Open { begin: usize, before: Option<Range<usize>> },
    /// All have ended. If the last one is damaged, `broken` is where it begins, or the first of the blocks that it
    /// overlaps.
    Closed { blocks: Range<usize>, broken: Option<usize> },
}

impl Key {
    fn start(&self) -> usize {
        match self {
            Key::Open { begin, before } => before.as_ref().map_or(*begin, |before| before.start.min(*begin)),
            Key::Closed { blocks, .. } => blocks.start,
        }
    }
}

/// The first open block in the tail, read as the search reads it, or else the closed ones.
fn key_block(text: &str) -> Option<Key> {
    let mut from = text.len().saturating_sub(MAX_BLOCK);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let tail = text.get(from..)?;
    let read = |view: &View| {
        let place = |span: Range<usize>| {
            let span = view.original(span);
            from + span.start..from + span.end
        };
        key_block_in(view.text().as_bytes(), place)
    };
    let key = match canonical::plain(tail) {
        None => key_block_in(tail.as_bytes(), |span| from + span.start..from + span.end),
        Some(view) => read(&view),
    };
    let Some(stripped) = canonical::stripped(tail) else { return key };
    let other = read(&stripped);
    if key == other {
        return key;
    }
    // Where the two readings differ, everything that either one takes for a block waits.
    let begin = key.iter().chain(&other).map(Key::start).min()?;
    Some(Key::Open { begin, before: None })
}

/// [`key_block()`] for one reading; `place` maps a range of it to the text.
fn key_block_in(bytes: &[u8], place: impl Fn(Range<usize>) -> Range<usize>) -> Option<Key> {
    let mut closed: Option<Range<usize>> = None;
    let mut broken = None;
    // The start of the first of the blocks that the last one overlaps.
    let mut first = 0;
    for begin in memmem::find_iter(bytes, b"-----BEGIN ") {
        // A header that is still short may turn out to be that of a key.
        let undecided = bytes.len() - begin < 64;
        if !undecided && !key_block::is_private(bytes, begin) {
            continue;
        }
        match key_block::block(bytes, begin) {
            Block::Open => {
                let begin = place(begin..begin + 1).start;
                return Some(Key::Open { begin, before: closed.map(&place) });
            }
            block @ (Block::Complete(end) | Block::Broken(end))
                if key_block::is_private(bytes, begin) && end - begin >= key_block::MIN_BLOCK =>
            {
                if closed.as_ref().is_none_or(|before| before.end <= begin) {
                    first = begin;
                }
                broken = matches!(block, Block::Broken(_)).then_some(first);
                closed = Some(closed.map_or(begin..end, |block| block.start..block.end.max(end)));
            }
            Block::Complete(_) | Block::Broken(_) => {}
        }
    }
    let broken = broken.map(|begin| place(begin..begin + 1).start);
    closed.map(place).map(|blocks| Key::Closed { blocks, broken })
}

/// The start of a JSON web token that reaches the end.
fn open_web_token(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let from = bytes.len().saturating_sub(MAX_BLOCK);
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let tail = slice(bytes, from, bytes.len());
    let start = from + run_start(tail, tail.len(), is_part);
    let token = start + usize::from(at(bytes, start) == b'n' && before(bytes, start) == b'\\');
    (slice(bytes, token, token + 3) == b"eyJ").then_some(token)
}
