//! Columns: a table's header as context for the values below it, in CSV, TSV and Markdown.
//!
//! Of a stream's text, the header of the table and the unfinished line are kept ([`kept`]).

use std::ops::Range;

use memchr::{memchr, memrchr};

use crate::bytes::{at, slice};

/// The maximum length of a table line, and of a header cell, in bytes.
const LONGEST_LINE: usize = 2048;
const LONGEST_CELL: usize = 40;
/// Cell separators. The first of these that occurs in the line above is the table's.
const SIGNS: [u8; 4] = [b'\t', b'|', b';', b','];

/// The last table seen for each separator: each line is read once, in whatever order values come.
#[derive(Debug, Default)]
pub(super) struct Tables {
    seen: [Option<Table>; SIGNS.len()],
}

/// A table up to the last of its lines seen so far.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    head: Range<usize>,
    /// The start of that line.
    last: usize,
    /// Whether the header consists of names.
    named: bool,
}

impl Tables {
    /// The header cell above the value that begins at `start`, which must be the first thing in its cell.
    pub(super) fn head_of(&mut self, text: &[u8], start: usize) -> Option<Range<usize>> {
        let nearest = start.saturating_sub(LONGEST_LINE);
        let line = nearest + memrchr(b'\n', slice(text, nearest, start))? + 1;
        let sign = sign_above(text, line)?;
        let before = slice(text, line, start);
        let own = memrchr(sign, before).map_or(0, |at| at + 1);
        let filler = |b: &u8| matches!(b, b' ' | b'"' | b'\'' | b'(' | b'+' | b'`' | b'*');
        if !slice(before, own, before.len()).iter().all(filler) {
            return None;
        }
        let head = self.head(text, line, sign)?;
        let column = cells(slice(before, 0, own), sign).count() - 1;
        let cell = cells(slice(text, head.start, head.end), sign).nth(column)?;
        Some(head.start + cell.start..head.start + cell.end)
    }

    /// The header of the table that contains this line, which is not the first.
    fn head(&mut self, text: &[u8], line: usize, sign: u8) -> Option<Range<usize>> {
        let seen = self.seen.get_mut(SIGNS.iter().position(|known| *known == sign)?)?;
        let (mut first, mut head) = (line, None);
        loop {
            // From here on the table is known.
            if let Some(table) = seen.as_ref().filter(|table| (table.head.end..=table.last).contains(&first))
            {
                let last = line.max(table.last);
                *seen = Some(Table { last, ..table.clone() });
                break;
            }
            let above = line_before(text, first);
            let own = above.as_ref().map_or(&[][..], |above| slice(text, above.start, above.end));
            let rule = is_rule(own);
            let Some(above) = above.filter(|_| rule || memchr(sign, own).is_some()) else {
                let head: Range<usize> = head?;
                let named = is_head(slice(text, head.start, head.end), sign);
                *seen = Some(Table { head, last: line, named });
                break;
            };
            first = above.start;
            if !rule {
                head = Some(above);
            }
        }
        seen.as_ref().filter(|table| table.named).map(|table| table.head.clone())
    }
}

/// The cell separator in the line above the one that begins at `line`.
fn sign_above(text: &[u8], line: usize) -> Option<u8> {
    let mut above = line_before(text, line)?;
    if is_rule(slice(text, above.start, above.end)) {
        above = line_before(text, above.start)?;
    }
    SIGNS.into_iter().find(|sign| memchr(*sign, slice(text, above.start, above.end)).is_some())
}

/// What must be kept of a text that goes on at `end`, besides the part from `start` on: the header of a table, and the
/// position from which to keep the unfinished line, which may itself become a header.
pub(super) fn kept(text: &[u8], start: usize, end: usize) -> (Option<Range<usize>>, usize) {
    let nearest = end.saturating_sub(LONGEST_LINE);
    let line = match memrchr(b'\n', slice(text, nearest, end)) {
        Some(at) => nearest + at + 1,
        None if nearest == 0 => 0,
        None => return (None, start),
    };
    let mut tables = Tables::default();
    if let Some(head) = sign_above(text, line).and_then(|sign| tables.head(text, line, sign)) {
        // A line that was cut could not be recognised as one of the table.
        let start = line_start(text, line.min(start));
        return (Some(head).filter(|head| head.start < start), start);
    }
    let own = slice(text, line, end);
    let sign = SIGNS.into_iter().find(|sign| memchr(*sign, own).is_some());
    (None, if is_head(own, sign.unwrap_or(b',')) { line.min(start) } else { start })
}

/// The start of the line that contains a position; the position itself if the line is too long for a table.
fn line_start(text: &[u8], place: usize) -> usize {
    let nearest = place.saturating_sub(LONGEST_LINE);
    let end = memrchr(b'\n', slice(text, nearest, place));
    end.map_or(if nearest == 0 { 0 } else { place }, |at| nearest + at + 1)
}

/// The line before the one that begins at `line`; `None` if it is too long for a table.
fn line_before(text: &[u8], line: usize) -> Option<Range<usize>> {
    let end = line.checked_sub(1)?;
    let nearest = end.saturating_sub(LONGEST_LINE);
    let start = match memrchr(b'\n', slice(text, nearest, end)) {
        Some(at) => nearest + at + 1,
        None if nearest == 0 => 0,
        None => return None,
    };
    Some(start..end)
}

/// Whether a line is a rule between others: `|---|---|`, `+------+`.
fn is_rule(line: &[u8]) -> bool {
    matches!(at(line, 0), b'|' | b'+' | b'-' | b'=' | b':' | b' ')
        && line.contains(&b'-')
        && line.iter().all(|b| matches!(b, b'|' | b'+' | b'-' | b'=' | b':' | b' ' | b'\r'))
}

/// Whether a line consists of names rather than sentences or values.
fn is_head(line: &[u8], sign: u8) -> bool {
    !matches!(at(line, 0), b'{' | b'[')
        && cells(line, sign).all(|cell| {
            let cell = slice(line, cell.start, cell.end);
            let digits = cell.iter().filter(|b| b.is_ascii_digit()).count();
            cell.len() <= LONGEST_CELL && digits <= 2 && !cell.iter().any(|b| matches!(b, b'?' | b'!'))
        })
}

/// The cells of a line; separators inside quotes do not count.
fn cells(line: &[u8], sign: u8) -> impl Iterator<Item = Range<usize>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let mut quoted = false;
        let end = (start..line.len()).find(|i| {
            quoted ^= at(line, *i) == b'"';
            !quoted && at(line, *i) == sign
        });
        next = end.map(|end| end + 1);
        Some(start..end.unwrap_or(line.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_belongs_to_the_head_of_its_column() {
        for (text, want) in [
            ("name,ssn,city\nBob,@", Some("ssn")),
            ("name,ssn,city\nBob,1,X\n\"Doe, Jane\",@", Some("ssn")),
            ("ssn\tname\n1\tBob\n@", Some("ssn")),
            ("| name | ssn |\n|---|---|\n| Bob | @", Some(" ssn ")),
            ("id;ssn\n1;\"@", Some("ssn")),
            ("+---+-----+\n| n | ssn |\n+---+-----+\n| B | 1   |\n| J | @", Some(" ssn ")),
            (" n  | ssn\n----+-----\n B  | @", Some(" ssn")),
            // A sentence, a value inside a cell, no line above, a line without cells in between.
            ("Please send your number and then the rest of all that you have, now\nBob,@", None),
            ("name,ssn\nBob,about @", None),
            ("name,ssn,@", None),
            ("name,ssn\n\nBob,@", None),
            ("1,22,333\nBob,@", None),
        ] {
            let start = text.find('@').unwrap();
            let cell = Tables::default().head_of(text.as_bytes(), start);
            assert_eq!(cell.map(|cell| &text[cell]), want, "{text}");
        }
    }

    /// Forwards and backwards: what is known of a table is not read again.
    #[test]
    fn each_line_of_a_table_is_read_once() {
        let text = "a,ssn,c\n".to_owned() + &"x,y,z\n".repeat(20_000) + "x,@";
        let mut tables = Tables::default();
        let line = |number: usize| 8 + 6 * number;
        for number in 1..20_000 {
            for place in [number, number - 1] {
                assert!(tables.head_of(text.as_bytes(), line(place) + 2).is_some());
                let known = Table { head: 0..7, last: line(number), named: true };
                assert_eq!(tables.seen.last(), Some(&Some(known)));
            }
        }
    }
}
