//! Code in Markdown: where every reader agrees that it is code (CommonMark, sections 4.5 and 6.1).
//!
//! A text on which readers disagree must not smuggle anything past us as code. So a fence counts only at the very
//! beginning of a line (not in a list or a quotation), and only if outside code there has been no HTML (inside an HTML
//! block a fence has no effect) and no ambiguous fence. A span counts only if it ends on its line, without a `|` (a
//! table splits it), a backslash before it, or an unmatched backtick in its paragraph. Otherwise it is searched like
//! all other text.

/// The maximum length of a fence line and of a span, in bytes.
const MAX_LINE: usize = 256;

/// What a line or a run of backticks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// A code mark or code, of this many bytes.
    Yes(usize),
    /// Not code.
    No,
    /// Cannot be decided until there is more text.
    Cut,
}

/// How many times `text` begins with `mark`.
pub(crate) fn run(text: &str, mark: char) -> usize {
    text.chars().take_while(|c| *c == mark).count()
}

/// The length of the line in bytes, including its end; `None` if its end is not there yet.
fn line(text: &str, last: bool) -> Option<usize> {
    match text.find(['\n', '\r']) {
        Some(at) => Some(at + 1),
        None => last.then_some(text.len()),
    }
}

/// Whether a line that begins with `text` opens a fenced block.
pub(crate) fn opens(text: &str, last: bool) -> Code {
    let Some(mark) = text.chars().next().filter(|c| matches!(c, '`' | '~')) else { return Code::No };
    let marks = run(text, mark);
    if marks == text.len() && marks < 3 && !last {
        return Code::Cut;
    }
    if marks < 3 {
        return Code::No;
    }
    match line(text, last) {
        Some(len) if len <= MAX_LINE => {
            let said = text.get(marks..len).unwrap_or_default();
            if mark == '`' && said.contains('`') { Code::No } else { Code::Yes(len) }
        }
        None if text.len() < MAX_LINE => Code::Cut,
        _ => Code::No,
    }
}

/// Whether a line that begins with `text` closes the block that a fence of these marks opened.
pub(crate) fn closes(text: &str, (mark, count): (char, usize), last: bool) -> Code {
    let indent = run(text, ' ');
    if indent > 3 {
        return Code::No;
    }
    let rest = text.get(indent..).unwrap_or_default();
    let marks = run(rest, mark);
    let after = rest.get(marks..).unwrap_or_default();
    let blank = after.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    if after.len() == blank && !last {
        return if text.len() < MAX_LINE { Code::Cut } else { Code::No };
    }
    let ended = after.len() == blank || after.get(blank..).is_some_and(|end| end.starts_with(['\n', '\r']));
    match line(text, last) {
        Some(len) if marks >= count && ended => Code::Yes(len),
        _ => Code::No,
    }
}

/// Whether `text` begins with a code span.
pub(crate) fn span(text: &str, last: bool) -> Code {
    let marks = run(text, '`');
    let mut at = marks;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            return if last || at >= MAX_LINE { Code::No } else { Code::Cut };
        };
        match c {
            '\n' | '\r' | '|' => return Code::No,
            _ if at >= MAX_LINE => return Code::No,
            '`' => {
                let closing = run(rest, '`');
                at += closing;
                if at == text.len() && !last {
                    return Code::Cut;
                }
                if closing == marks {
                    return Code::Yes(at);
                }
            }
            _ => at += c.len_utf8(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code::{Cut, No, Yes};
    use super::*;

    #[test]
    fn fences() {
        for (text, last, expected) in [
            ("```html\n<b>", false, Yes(8)),
            ("```", false, Cut),
            ("``", false, Cut),
            ("``", true, No),
            ("```a`b\n", false, No),
            ("~~~ a`b\n", false, Yes(8)),
            ("x", false, No),
        ] {
            assert_eq!(opens(text, last), expected, "{text:?}");
        }
        for (text, last, expected) in [
            ("```\nx", false, Yes(4)),
            ("  ````  \n", false, Yes(9)),
            ("```", false, Cut),
            ("```", true, Yes(3)),
            ("``\n", false, No),
            ("    ```\n", false, No),
            ("``` x\n", false, No),
            ("", false, Cut),
            ("x", false, No),
        ] {
            assert_eq!(closes(text, ('`', 3), last), expected, "{text:?}");
        }
    }

    #[test]
    fn spans() {
        for (text, last, expected) in [
            ("`a` b", false, Yes(3)),
            ("``a`b`` c", false, Yes(7)),
            ("`a`", false, Cut),
            ("`a`", true, Yes(3)),
            ("`a", false, Cut),
            ("`a", true, No),
            ("`a\nb`", false, No),
            ("`a | b`", false, No),
        ] {
            assert_eq!(span(text, last), expected, "{text:?}");
        }
    }
}
