//! Marks that are no words: tokens of chat templates, tags that frame hidden text, roles at the start of a line, paths of
//! secrets.

use super::verdict::Family::{self, *};
use crate::bytes::{at, before, starts_with_fold};

/// A mark and what it is worth in what a user says and in what should only inform.
#[derive(Debug)]
pub(super) struct Mark {
    /// The mark in small letters.
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

/// All marks. Each begins with one of the bytes of [`may_begin`] or stands at the start of a line.
pub(super) const MARKS: &[Mark] = &[
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
    mark("</document>", "forgery/closed-frame", RoleForgery, 0.2, 0.4),
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

/// Whether a mark that is not bound to a line may begin with that byte.
#[inline]
pub(super) fn may_begin(b: u8) -> bool {
    matches!(b, b'<' | b'[' | b'%' | b'#' | b'=' | b'{' | b'~' | b'/' | b'(')
}

/// The mark at `i`, if there is one, by its place in [`MARKS`].
pub(super) fn mark_at(text: &[u8], i: usize) -> Option<usize> {
    let begins = line_begins(text, i);
    let first = at(text, i).to_ascii_lowercase();
    MARKS.iter().position(|mark| {
        let word = mark.text.as_bytes();
        at(word, 0) == first && (begins || !mark.line) && starts_with_fold(text, i, word)
    })
}

/// Whether only space, quotes and list signs stand between `i` and the start of its line.
pub(super) fn line_begins(text: &[u8], i: usize) -> bool {
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
