//! Marks that are not words: chat template tokens, tags that frame hidden text, roles at the start of a line, paths of
//! secrets.

use super::verdict::Family::{self, *};
use crate::bytes::{at, before, starts_with_fold};

/// A mark, and its weights in a user's text and in a text that should only inform.
#[derive(Debug)]
pub(super) struct Mark {
    /// The mark in lower case.
    pub(super) text: &'static str,
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) user: f32,
    pub(super) data: f32,
    /// Only at the start of a line.
    line: bool,
}

const fn mark(text: &'static str, name: &'static str, family: Family, user: f32, data: f32) -> Mark {
    Mark { text, name, family, user, data, line: false }
}

const fn line(text: &'static str, name: &'static str, user: f32, data: f32) -> Mark {
    Mark { text, name, family: RoleForgery, user, data, line: true }
}

/// All marks. Each begins with a byte accepted by [`may_begin`], or occurs only at the start of a line.
pub(super) const MARKS: &[Mark] = &[
    // A template token with a role that no user has.
    mark("<|im_start|>system", "forgery/chat-template", RoleForgery, 0.65, 0.8),
    mark("<|start_header_id|>system", "forgery/chat-template", RoleForgery, 0.65, 0.8),
    mark("<|im_start|>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<|im_end|>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<|system|>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<|user|>", "forgery/chat-template", RoleForgery, 0.4, 0.7),
    mark("<|assistant|>", "forgery/chat-template", RoleForgery, 0.4, 0.7),
    mark("<|endoftext|>", "forgery/chat-template", RoleForgery, 0.5, 0.7),
    mark("<|eot_id|>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<|start_header_id|>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<|begin_of_text|>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<start_of_turn>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<end_of_turn>", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("[inst]", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("[/inst]", "forgery/chat-template", RoleForgery, 0.5, 0.75),
    mark("<<sys>>", "forgery/chat-template", RoleForgery, 0.65, 0.75),
    mark("[system]", "forgery/role-tag", RoleForgery, 0.35, 0.5),
    mark("[system message]", "forgery/role-tag", RoleForgery, 0.4, 0.6),
    mark("<system>", "forgery/role-tag", RoleForgery, 0.35, 0.5),
    mark("</system>", "forgery/role-tag", RoleForgery, 0.35, 0.5),
    mark("</user_input>", "forgery/closed-frame", RoleForgery, 0.5, 0.6),
    mark("</user>", "forgery/closed-frame", RoleForgery, 0.4, 0.5),
    mark("</document>", "forgery/closed-frame", RoleForgery, 0.2, 0.55),
    mark("</untrusted>", "forgery/closed-frame", RoleForgery, 0.5, 0.6),
    mark("</tool_result>", "forgery/closed-frame", RoleForgery, 0.4, 0.6),
    mark("</context>", "forgery/closed-frame", RoleForgery, 0.2, 0.4),
    mark("</instructions>", "forgery/closed-frame", RoleForgery, 0.3, 0.4),
    mark("[end of", "forgery/closed-frame", RoleForgery, 0.25, 0.3),
    mark("[start of output", "forgery/closed-frame", RoleForgery, 0.4, 0.4),
    mark("%%% end", "forgery/closed-frame", RoleForgery, 0.5, 0.5),
    mark("### end", "forgery/closed-frame", RoleForgery, 0.3, 0.35),
    mark("=== end", "forgery/closed-frame", RoleForgery, 0.25, 0.3),
    mark("{{user}}", "forgery/template", RoleForgery, 0.3, 0.1),
    mark("{{char}}", "forgery/template", RoleForgery, 0.3, 0.1),
    mark("<important>", "tool/hidden-tag", ToolPoisoning, 0.2, 0.55),
    mark("<hidden>", "tool/hidden-tag", ToolPoisoning, 0.2, 0.55),
    mark("<secret>", "tool/hidden-tag", ToolPoisoning, 0.2, 0.55),
    mark("<critical>", "tool/hidden-tag", ToolPoisoning, 0.2, 0.5),
    mark("<override>", "tool/hidden-tag", ToolPoisoning, 0.3, 0.6),
    mark("[important]", "tool/hidden-tag", ToolPoisoning, 0.05, 0.4),
    mark("[hidden]", "tool/hidden-tag", ToolPoisoning, 0.1, 0.4),
    mark("[jailbreak]", "jailbreak/two-answers", Jailbreak, 0.6, 0.6),
    mark("[\u{1f512}", "jailbreak/two-answers", Jailbreak, 0.4, 0.4),
    mark("[\u{1f513}", "jailbreak/two-answers", Jailbreak, 0.5, 0.5),
    mark("(\u{1f513}", "jailbreak/two-answers", Jailbreak, 0.5, 0.5),
    mark("(\u{1f512}", "jailbreak/two-answers", Jailbreak, 0.4, 0.4),
    mark("~/.ssh", "tool/secret-path", ToolPoisoning, 0.1, 0.45),
    mark("/etc/passwd", "tool/secret-path", ToolPoisoning, 0.1, 0.45),
    mark("/.ssh/", "tool/secret-path", ToolPoisoning, 0.1, 0.45),
    mark("/.aws/credentials", "tool/secret-path", ToolPoisoning, 0.1, 0.45),
    mark("<!-- system", "forgery/comment", RoleForgery, 0.3, 0.6),
    mark("<!-- ignore", "forgery/comment", RoleForgery, 0.4, 0.6),
    mark("<!-- assistant", "forgery/comment", RoleForgery, 0.3, 0.6),
    mark("<!-- ai", "forgery/comment", RoleForgery, 0.3, 0.6),
    mark("### system", "forgery/heading", RoleForgery, 0.2, 0.3),
    mark("### instruction", "forgery/heading", RoleForgery, 0.2, 0.4),
    mark("### human", "forgery/heading", RoleForgery, 0.2, 0.4),
    mark("### assistant", "forgery/heading", RoleForgery, 0.2, 0.4),
    line("system:", "forgery/role-line", 0.3, 0.45),
    line("system prompt:", "forgery/role-line", 0.3, 0.45),
    line("system note:", "forgery/role-line", 0.3, 0.5),
    line("system override", "forgery/role-line", 0.4, 0.6),
    line("assistant:", "forgery/role-line", 0.2, 0.35),
    line("human:", "forgery/role-line", 0.1, 0.35),
    line("user:", "forgery/role-line", 0.15, 0.35),
    line("developer:", "forgery/role-line", 0.15, 0.35),
    line("instruction:", "forgery/role-line", 0.15, 0.25),
    line("admin:", "forgery/role-line", 0.15, 0.3),
];

/// Whether a mark that is not tied to the start of a line may begin with this byte.
pub(super) const fn may_begin(b: u8) -> bool {
    matches!(b, b'<' | b'[' | b'%' | b'#' | b'=' | b'{' | b'~' | b'/' | b'(')
}

/// Which marks have a byte in first or second position, as bits by their index in [`MARKS`].
#[derive(Debug)]
pub(super) struct Marks {
    first: [u128; 256],
    second: [u128; 256],
}

impl Marks {
    pub(super) fn new() -> Marks {
        let with = |place: usize| {
            std::array::from_fn(|b| {
                let has = |mark: &Mark| usize::from(at(mark.text.as_bytes(), place)) == b;
                MARKS.iter().rev().fold(0, |bits, mark| bits << 1 | u128::from(has(mark)))
            })
        };
        Marks { first: with(0), second: with(1) }
    }

    /// The marks that may begin with the two bytes at `i`.
    #[inline]
    fn candidates(&self, text: &[u8], i: usize) -> u128 {
        let of = |table: &[u128; 256], i| {
            table.get(usize::from(at(text, i).to_ascii_lowercase())).copied().unwrap_or(0)
        };
        match of(&self.first, i) {
            0 => 0,
            first => first & of(&self.second, i + 1),
        }
    }

    /// The mark at `i`, if any, by its index in [`MARKS`].
    #[inline]
    pub(super) fn at(&self, text: &[u8], i: usize) -> Option<usize> {
        match self.candidates(text, i) {
            0 => None,
            candidates => first_of(candidates, text, i),
        }
    }
}

#[inline(never)]
fn first_of(mut candidates: u128, text: &[u8], i: usize) -> Option<usize> {
    while candidates != 0 {
        let number = candidates.trailing_zeros() as usize;
        candidates &= candidates - 1;
        let mark = MARKS.get(number)?;
        if starts_with_fold(text, i, mark.text.as_bytes()) && (!mark.line || line_begins(text, i)) {
            return Some(number);
        }
    }
    None
}

/// Whether only white space, quotes and list signs separate `i` from the start of its line.
fn line_begins(text: &[u8], i: usize) -> bool {
    let mut k = i;
    while k > 0 && i - k < 6 {
        match before(text, k) {
            b'\n' | b'\r' => return true,
            b' ' | b'\t' | b'"' | b'*' | b'-' | b'>' | b'#' | b'[' | b'<' => k -= 1,
            _ => return false,
        }
    }
    k == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_where_it_may_stand() {
        const { assert!(MARKS.len() <= 128, "one bit each") };
        let marks = Marks::new();
        for mark in MARKS {
            let first = at(mark.text.as_bytes(), 0);
            assert_eq!(may_begin(first), !mark.line, "{}", mark.text);
            let found =
                |text: &str, i| marks.at(text.as_bytes(), i).and_then(|n| MARKS.get(n)).map(|m| m.text);
            let upper = mark.text.to_uppercase();
            assert!(found(&upper, 0).is_some_and(|text| mark.text.starts_with(text)), "{}", mark.text);
            let within = format!("word {upper}");
            assert_eq!(found(&within, 5).is_some(), !mark.line, "{}", mark.text);
            assert!(found(&format!("word\n - {upper}"), 8).is_some(), "{}", mark.text);
        }
    }
}
