//! From a place in a field's text to the place in the document that holds it.
use crate::Within;

/// Where `at` stands in `text`, for the scalar that belongs to the key at `key`. None for scalars whose lines are not the
/// document's: folded ones, those that run over several lines in quotes, and aliases.
pub(crate) fn place(text: &str, key: (u32, u32), at: Within) -> Option<(u32, u32)> {
    let line = text.lines().nth(key.0.checked_sub(1)? as usize)?;
    let from_key: Vec<char> = line.chars().skip(key.1.checked_sub(1)? as usize).collect();
    let value = after_key(&from_key)?;
    let (start, rest) = (key.1 + u32::try_from(value).ok()?, from_key.get(value..)?);
    match rest.first()? {
        '|' => literal(text, key, rest, at),
        '"' => quoted(rest, at, escaped).map(|column| (key.0, start + column)),
        '\'' => quoted(rest, at, doubled).map(|column| (key.0, start + column)),
        '>' | '*' | '&' | '!' | '{' | '[' | '#' => None,
        _ => (at.line == 1).then(|| (key.0, start + at.column - 1)),
    }
}

/// How many characters a key, its colon and the blanks after it take.
fn after_key(line: &[char]) -> Option<usize> {
    let quote = line.first().copied().filter(|c| matches!(c, '"' | '\''));
    let past = match quote {
        Some(quote) => line.iter().skip(1).position(|c| *c == quote)? + 2,
        None => 0,
    };
    let colon = past + line.get(past..)?.iter().position(|c| *c == ':')?;
    let blanks = line.get(colon + 1..)?.iter().take_while(|c| **c == ' ').count();
    Some(colon + 1 + blanks)
}

/// A block scalar (`|`, `|-`, `|2`): its lines are the document's, further in.
fn literal(text: &str, key: (u32, u32), header: &[char], at: Within) -> Option<(u32, u32)> {
    let below = || text.lines().skip(key.0 as usize);
    let told = header.iter().take_while(|c| **c != ' ').find_map(|c| c.to_digit(10));
    let indent = match told {
        Some(more) => key.1 - 1 + more,
        None => {
            let first = below().find(|line| !line.trim().is_empty())?;
            u32::try_from(first.chars().take_while(|c| *c == ' ').count()).ok()?
        }
    };
    below().nth(at.line.checked_sub(1)? as usize)?;
    Some((key.0 + at.line, indent + at.column))
}

/// One step of a quoted scalar: how many characters it takes, and what stands there.
type Step = fn(&[char]) -> Option<(usize, char)>;

/// How far behind the quote `at` stands, in a scalar that ends on its line.
fn quoted(scalar: &[char], at: Within, step: Step) -> Option<u32> {
    let (mut line, mut column, mut place) = (1, 1, 1);
    while (line, column) != (at.line, at.column) {
        // Past the end of a line there is no other place than that end.
        let (taken, c) = step(scalar.get(place..)?)?;
        if line == at.line && c == '\n' {
            break;
        }
        place += taken;
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    u32::try_from(place).ok()
}

/// In double quotes.
fn escaped(rest: &[char]) -> Option<(usize, char)> {
    match rest {
        ['"', ..] | [] => None,
        ['\\', 'n', ..] => Some((2, '\n')),
        ['\\', 'x', ..] => Some((4, 'x')),
        ['\\', 'u', ..] => Some((6, 'u')),
        ['\\', 'U', ..] => Some((10, 'U')),
        ['\\', other, ..] => Some((2, *other)),
        [c, ..] => Some((1, *c)),
    }
}

/// In single quotes.
fn doubled(rest: &[char]) -> Option<(usize, char)> {
    match rest {
        ['\'', '\'', ..] => Some((2, '\'')),
        ['\'', ..] | [] => None,
        [c, ..] => Some((1, *c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: a text whose key stands at the line and column, the place in its value, and the character that is there.
    #[test]
    fn places_in_values_are_places_in_the_document() {
        for (text, key, (line, column), there) in [
            ("a:\n  m: |\n    pa\n    qX\n", (2, 3), (2, 2), Some('X')),
            ("m: |\n\n   pa\n    X\n", (1, 1), (3, 2), Some('X')),
            ("m: |2-  # said\n   X\n", (1, 1), (1, 2), Some('X')),
            ("- { n: 1, m: \"pa\\n\\\"\\tqX\" }", (1, 11), (2, 4), Some('X')),
            ("{\"m\": \"\\u0061X\"}", (1, 2), (1, 2), Some('X')),
            ("m: 'a''X'", (1, 1), (1, 3), Some('X')),
            ("'m:n': qX", (1, 1), (1, 2), Some('X')),
            ("é.m: \"ééX\"", (1, 1), (1, 3), Some('X')),
            ("m: \"a\"", (1, 1), (1, 99), None),
            ("m: >\n  a\n  X", (1, 1), (1, 3), None),
            ("m: *other", (1, 1), (1, 1), None),
            ("m:\n  X", (1, 1), (1, 1), None),
            ("m: |\n  a", (1, 1), (9, 1), None),
            ("", (1, 1), (1, 1), None),
        ] {
            let place = place(text, key, Within { line, column });
            let found = place.map(|(line, column)| {
                text.lines().nth(line as usize - 1).unwrap().chars().nth(column as usize - 1).unwrap()
            });
            assert_eq!(found, there, "{text:?}: {place:?}");
        }
    }
}
