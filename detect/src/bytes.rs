//! Byte access that cannot panic: a position outside the text reads as NUL, which no value contains.

/// The byte at `i`, or 0 outside the text.
#[inline(always)]
pub(crate) fn at(text: &[u8], i: usize) -> u8 {
    match text.get(i) {
        Some(b) => *b,
        None => 0,
    }
}

/// The byte before `i`, or 0 at the start.
#[inline(always)]
pub(crate) fn before(text: &[u8], i: usize) -> u8 {
    match i.checked_sub(1) {
        Some(j) => at(text, j),
        None => 0,
    }
}

/// The bytes from `start` to `end`, clipped to the text.
#[inline]
pub(crate) fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    let end = end.min(text.len());
    text.get(start.min(end)..end).unwrap_or(&[])
}

/// Whether `text` has `prefix` at `i`, ignoring ASCII case. `prefix` must be lower case.
pub(crate) fn starts_with_fold(text: &[u8], i: usize, prefix: &[u8]) -> bool {
    let have = slice(text, i, i.saturating_add(prefix.len()));
    have.len() == prefix.len() && have.iter().zip(prefix).all(|(a, b)| a.to_ascii_lowercase() == *b)
}

/// Walks left from `i` while `keep` holds; returns the first position of that run.
pub(crate) fn run_start(text: &[u8], mut i: usize, keep: impl Fn(u8) -> bool) -> usize {
    while i > 0 && keep(before(text, i)) {
        i -= 1;
    }
    i
}

/// Walks right from `i` while `keep` holds; returns the position after the run.
pub(crate) fn run_end(text: &[u8], mut i: usize, mut keep: impl FnMut(u8) -> bool) -> usize {
    while i < text.len() && keep(at(text, i)) {
        i += 1;
    }
    i
}

/// Writes the digits in `text` to `buf` as values 0–9, until `buf` is full; returns how many were written.
pub(crate) fn digits_into(text: &[u8], buf: &mut [u8]) -> usize {
    let mut n = 0;
    for b in text.iter().filter(|b| b.is_ascii_digit()) {
        match buf.get_mut(n) {
            Some(slot) => *slot = b - b'0',
            None => return n,
        }
        n += 1;
    }
    n
}
