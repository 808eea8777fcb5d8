//! The search itself: one pass over a text, token by token.
//!
//! A token is what can only be judged as a whole (an address up to its host, a tag's name, a code span). The search
//! stops before a token that is cut off or extends beyond the given limit, so the text before that point can be
//! released.
use super::address::{Address, address};
use super::code::{self, Code};
use super::decode::{Decoded, Place, first};
use super::state::{OutputState, Rest, TagAt};
use super::tag::{Tag, acts, attribute, has_value, is_handler, tag};
use super::{OutputFinding, OutputKind, OutputRules};

/// The maximum number of blanks between a link's parenthesis and its target.
const MAX_BLANKS: usize = 32;
/// Longer runs of backticks or tildes are treated alike.
const MAX_MARKS: usize = 64;
/// Of a word no more is skipped at once: each step may look at all of it.
const MAX_WORD: usize = 64;
/// The replacement for what is removed: an address that leads nowhere.
const NOWHERE: &str = "#removed";

pub(crate) struct Scan<'r, 't> {
    rules: &'r OutputRules,
    pub(crate) state: OutputState,
    text: &'t str,
    pub(crate) at: usize,
    last: bool,
}

/// A token: its length, what was found in it (relative to its start), and the state after it.
struct Token {
    len: usize,
    found: Option<OutputFinding>,
    after: OutputState,
}

impl<'r, 't> Scan<'r, 't> {
    pub(crate) fn new(rules: &'r OutputRules, mut state: OutputState, text: &'t str, last: bool) -> Self {
        state.doubtful |= rules.code;
        Scan { rules, state, text, at: 0, last }
    }

    /// Runs up to `limit`, or up to a token that is cut off there or at the end of the text.
    pub(crate) fn run(&mut self, limit: usize, found: &mut Vec<OutputFinding>) {
        while self.at < limit {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(token) = self.token(rest) else { return };
            let end = self.at + token.len;
            if end > limit || token.len == 0 {
                return;
            }
            found.extend(token.found.map(|finding| OutputFinding {
                span: finding.span.start + self.at..finding.span.end + self.at,
                ..finding
            }));
            self.state = token.after;
            self.state.before = self.text.get(self.at..end).and_then(|read| read.chars().next_back());
            self.at = end;
        }
    }

    /// The token that begins here; `None` if it is cut off.
    fn token(&mut self, rest: &str) -> Option<Token> {
        let c = rest.chars().next()?;
        if let Some(kind) = self.state.rest {
            if let Some(token) = self.what_follows(kind, rest) {
                return Some(token);
            }
            self.state.rest = None;
        }
        if let Some(fence) = self.state.fence {
            return self.in_fence(fence, rest, c);
        }
        if self.state.line_begins && !self.state.doubtful {
            match code::opens(rest, self.last) {
                Code::Yes(len) => {
                    let fence = Some((c, code::run(rest, c)));
                    return Some(Token {
                        len,
                        found: None,
                        after: OutputState { fence, ..self.line_over() },
                    });
                }
                Code::Cut => return None,
                Code::No => {}
            }
        }
        match c {
            '\n' | '\r' => Some(Token { len: 1, found: None, after: self.line_over() }),
            '<' => self.markup(rest),
            _ => match self.state.tag {
                Some(at) => self.in_tag(at, rest, c),
                None if matches!(c, '`' | '~') => self.marks(rest, c),
                None if c == ']' => self.link(rest),
                None => self.word(rest, c),
            },
        }
    }

    /// The state after any character of a line except its end.
    fn on(&self) -> OutputState {
        OutputState { line_begins: false, blank: false, ..self.state.clone() }
    }

    fn line_over(&self) -> OutputState {
        let loose = self.state.loose && !self.state.blank;
        let tag = match self.state.tag {
            Some(TagAt::Value(None) | TagAt::Element) => Some(TagAt::BeforeName),
            other => other,
        };
        OutputState { line_begins: true, blank: true, loose, tag, ..self.state.clone() }
    }

    fn plain(&self, len: usize) -> Option<Token> {
        Some(Token { len, found: None, after: self.on() })
    }

    /// The text that is removed together with a finding; `None` at its end.
    fn what_follows(&self, kind: Rest, rest: &str) -> Option<Token> {
        let ended = match kind {
            Rest::Address => {
                let ends =
                    |c: char| c.is_whitespace() || matches!(c, ')' | '>' | '"' | '\'' | '<' | '`' | ']');
                rest.find(ends)
            }
            Rest::Tag => rest.find('>').map(|at| at + 1),
        };
        let len = ended.unwrap_or(rest.len());
        if len == 0 {
            return None;
        }
        let over = kind == Rest::Tag && ended.is_some();
        let after = OutputState { rest: (!over).then_some(kind), ..self.on() };
        let found = OutputFinding { kind: OutputKind::Rest, rule: "rest", span: 0..len, with: String::new() };
        Some(Token { len, found: Some(found), after })
    }

    fn in_fence(&self, fence: (char, usize), rest: &str, c: char) -> Option<Token> {
        if self.state.line_begins {
            match code::closes(rest, fence, self.last) {
                Code::Yes(len) => {
                    return Some(Token {
                        len,
                        found: None,
                        after: OutputState { fence: None, ..self.line_over() },
                    });
                }
                Code::Cut => return None,
                Code::No => {}
            }
        }
        if matches!(c, '\n' | '\r') {
            return Some(Token { len: 1, found: None, after: self.line_over() });
        }
        if c != fence.0 {
            let goes_on = |other: char| other == fence.0 || matches!(other, '\n' | '\r');
            return self.plain(rest.find(goes_on).unwrap_or(rest.len()));
        }
        let marks = code::run(rest, c);
        if marks < 3 {
            return if marks == rest.len() && !self.last { None } else { self.plain(marks) };
        }
        // To some readers the block may end here.
        let after = OutputState { fence: None, doubtful: true, ..self.on() };
        Some(Token { len: marks, found: None, after })
    }

    /// Backticks and tildes in running text.
    fn marks(&self, rest: &str, c: char) -> Option<Token> {
        let marks = rest.chars().take(MAX_MARKS).take_while(|other| *other == c).count();
        if marks == rest.len() && marks < MAX_MARKS && !self.last {
            return None;
        }
        if marks >= 3 {
            return Some(Token {
                len: marks,
                found: None,
                after: OutputState { doubtful: true, ..self.on() },
            });
        }
        if c == '~' || self.state.doubtful || self.state.loose {
            return self.plain(marks);
        }
        let begins = if self.state.before == Some('\\') { Code::No } else { code::span(rest, self.last) };
        match begins {
            Code::Yes(len) => self.plain(len),
            Code::Cut => None,
            Code::No => {
                Some(Token { len: marks, found: None, after: OutputState { loose: true, ..self.on() } })
            }
        }
    }

    fn markup(&self, rest: &str) -> Option<Token> {
        let doubtful = OutputState { doubtful: true, tag: self.inside(), ..self.on() };
        let outer = match self.state.tag {
            Some(TagAt::Value(quote)) => self.state.outer.or(quote),
            Some(_) => self.state.outer,
            None => None,
        };
        match tag(rest, self.last) {
            Tag::Cut => None,
            Tag::None => {
                Some(Token { len: 1, found: None, after: OutputState { tag: self.inside(), ..self.on() } })
            }
            Tag::Other => Some(Token { len: 1, found: None, after: doubtful }),
            // An address may be behind the bracket.
            Tag::Signed => {
                let after = OutputState { tag: Some(TagAt::Element), outer, ..doubtful };
                Some(Token { len: 1, found: None, after })
            }
            Tag::Active(name, len) if self.rules.html => {
                let remove = self.rules.remove_html;
                let with = if remove {
                    String::new()
                } else {
                    format!("&lt;{}", rest.get(1..len).unwrap_or_default())
                };
                let found = OutputFinding { kind: OutputKind::Html, rule: name, span: 0..len, with };
                let after = OutputState { rest: remove.then_some(Rest::Tag), ..doubtful };
                Some(Token { len, found: Some(found), after })
            }
            // Also inside an attribute value: to some readers that may have ended long ago.
            Tag::Active(_, len) | Tag::Plain(len) => {
                let after = OutputState { tag: Some(TagAt::Element), outer, ..doubtful };
                Some(Token { len, found: None, after })
            }
        }
    }

    /// The position in a tag behind a sign that belongs to a name or a value.
    fn inside(&self) -> Option<TagAt> {
        self.state.tag.map(|at| match at {
            TagAt::BeforeName => TagAt::AfterName,
            TagAt::BeforeValue => TagAt::Value(None),
            at => at,
        })
    }

    fn in_tag(&self, at: TagAt, rest: &str, c: char) -> Option<Token> {
        let then = |len: usize, tag: Option<TagAt>| {
            Some(Token { len, found: None, after: OutputState { tag, ..self.on() } })
        };
        let (one, blank) = (c.len_utf8(), c.is_ascii_whitespace());
        if c == ']' {
            // For readers to whom this is no tag (`<b](https://…)>`) a link may be here.
            let token = self.link(rest)?;
            return Some(Token { after: OutputState { tag: self.inside(), ..token.after }, ..token });
        }
        match at {
            TagAt::Value(Some(quote)) if c == quote => then(one, Some(TagAt::BeforeName)),
            TagAt::Value(None) if blank => then(one, Some(TagAt::BeforeName)),
            // The outer value ends here, if it did not end before; then the inner one goes on.
            TagAt::Value(Some(quote)) if self.state.outer == Some(c) => {
                let (tag, outer) = (Some(TagAt::BeforeName), Some(quote));
                Some(Token { len: one, found: None, after: OutputState { tag, outer, ..self.on() } })
            }
            TagAt::Value(Some(_)) => self.in_value(rest, c),
            _ if c == '>' => {
                let tag = self.state.outer.map(|quote| TagAt::Value(Some(quote)));
                Some(Token { len: one, found: None, after: OutputState { tag, outer: None, ..self.on() } })
            }
            TagAt::Value(None) => self.in_value(rest, c),
            TagAt::BeforeValue if blank => then(one, Some(at)),
            TagAt::BeforeValue => {
                let quote = Some(c).filter(|c| matches!(c, '"' | '\''));
                let after = OutputState { tag: Some(TagAt::Value(quote)), ..self.on() };
                self.target(rest, quote.map_or(0, char::len_utf8), Place::Attribute, after)
            }
            TagAt::AfterName if c == '=' => then(one, Some(TagAt::BeforeValue)),
            TagAt::AfterName if blank => then(one, Some(at)),
            _ if blank || c == '/' => then(one, Some(TagAt::BeforeName)),
            TagAt::Element => self.word(rest, c),
            TagAt::BeforeName | TagAt::AfterName => self.name(at, rest, c),
        }
    }

    /// A word or a sign of an attribute's name.
    fn name(&self, at: TagAt, rest: &str, c: char) -> Option<Token> {
        let after = OutputState { tag: Some(TagAt::AfterName), ..self.on() };
        // For readers to whom this is no tag, an address may be here.
        let address = self.word(rest, c)?;
        if address.found.is_some() {
            return Some(Token { after: OutputState { tag: after.tag, ..address.after }, ..address });
        }
        let len = attribute(rest, self.last)?;
        let (name, next) = rest.split_at_checked(len).unwrap_or_default();
        // Not `data-onx=`, and behind a quotation mark only where that ends a value.
        let begins = self.state.before.is_some_and(|before| match before {
            '"' | '\'' => at == TagAt::BeforeName,
            before => before == '/' || before.is_ascii_whitespace(),
        });
        let handler = self.rules.html && begins && is_handler(name) && has_value(next, self.last)?;
        let found = handler.then(|| OutputFinding {
            kind: OutputKind::Html,
            rule: "handler",
            span: 0..len,
            with: format!("x-{name}"),
        });
        Some(Token { len, found, after })
    }

    /// A value may contain several addresses: `srcset`, `style`.
    fn in_value(&self, rest: &str, c: char) -> Option<Token> {
        let listed = self.state.before.is_none_or(|before| before == ',' || before.is_whitespace());
        if listed && matches!(c, '/' | '\\') {
            return self.target(rest, 0, Place::Attribute, self.on());
        }
        self.word(rest, c)
    }

    /// `](target)` and `]: target`.
    fn link(&self, rest: &str) -> Option<Token> {
        let Some(next) = rest.as_bytes().get(1) else {
            return if self.last { self.plain(1) } else { None };
        };
        if !matches!(next, b'(' | b':') {
            return self.plain(1);
        }
        let after = rest.bytes().skip(2).take(MAX_BLANKS).take_while(u8::is_ascii_whitespace).count() + 2;
        match rest.as_bytes().get(after) {
            None if !self.last && after < MAX_BLANKS => None,
            Some(b'<') => {
                let token = self.target(rest, after + 1, Place::Target, self.on())?;
                // Where no address is behind it, a tag may begin there.
                let begins =
                    token.len == after + 1 && acts(rest.get(after..).unwrap_or_default(), self.last)?;
                Some(Token { len: if begins { after } else { token.len }, ..token })
            }
            _ => self.target(rest, after, Place::Target, self.on()),
        }
    }

    /// An address in running text, or plain text.
    fn word(&self, rest: &str, c: char) -> Option<Token> {
        let begins = self.state.before.is_none_or(|before| !before.is_ascii_alphanumeric());
        match c {
            '&' if begins => match first(rest, Place::Bare, self.last) {
                Decoded::Cut => return None,
                Decoded::Char('&', _) | Decoded::End => return self.plain(1),
                Decoded::Char(..) => return self.target(rest, 0, Place::Bare, self.on()),
            },
            'u' | 'U' if begins && self.state.doubtful => {
                let word: String = rest.chars().take(4).collect();
                if !self.last && word.len() == rest.len() && "url(".starts_with(&word.to_ascii_lowercase()) {
                    return None;
                }
                if word.eq_ignore_ascii_case("url(") {
                    let blank = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'');
                    let before = 4 + rest.bytes().skip(4).take(MAX_BLANKS).take_while(blank).count();
                    return self.target(rest, before, Place::Attribute, self.on());
                }
            }
            _ if begins
                && matches!(c.to_ascii_lowercase(), 'h' | 'f' | 'w' | 's' | 'j' | 'v' | 'l' | 'd') =>
            {
                return self.target(rest, 0, Place::Bare, self.on());
            }
            _ => {}
        }
        self.plain(word_len(rest, c))
    }

    /// The token for what begins after `before` bytes. It is never empty, even where nothing begins.
    fn target(&self, rest: &str, before: usize, place: Place, after: OutputState) -> Option<Token> {
        let text = rest.get(before..).unwrap_or_default();
        let angle = self.state.before == Some('<');
        let (hosts, html) = (self.rules.links.as_ref(), self.rules.html);
        let (len, kind, rule, shown, remove) = match address(text, place, angle, hosts, html, self.last) {
            Address::Cut => return None,
            Address::None if before > 0 => return Some(Token { len: before, found: None, after }),
            Address::None => {
                let c = text.chars().next()?;
                return Some(Token { len: word_len(text, c), found: None, after });
            }
            Address::Listed(len) => return Some(Token { len: before + len, found: None, after }),
            Address::Foreign(len, shown) => (len, OutputKind::Link, "link", shown, self.rules.remove_links),
            Address::Active(len, rule, shown) => (len, OutputKind::Html, rule, shown, self.rules.remove_html),
        };
        let with = if remove { NOWHERE.to_owned() } else { shown };
        let found = OutputFinding { kind, rule, span: before..before + len, with };
        let after = OutputState { rest: remove.then_some(Rest::Address), ..after };
        Some(Token { len: before + len, found: Some(found), after })
    }
}

/// How many bytes can be skipped because no token begins inside them.
fn word_len(rest: &str, c: char) -> usize {
    if !c.is_ascii_alphanumeric() {
        return c.len_utf8();
    }
    rest.bytes().take(MAX_WORD).take_while(u8::is_ascii_alphanumeric).count()
}
