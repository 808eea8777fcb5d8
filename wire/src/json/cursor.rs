//! Navigates a scanned document.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::{Kind, Node};
use crate::coding::unescape;

/// The document is the body itself, not a text inside it.
pub(crate) const NO_LAYER: u32 = u32::MAX;

/// A scanned document and its origin.
#[derive(Clone, Copy)]
pub(crate) struct Doc<'d> {
    pub(crate) text: &'d str,
    pub(crate) nodes: &'d [Node],
    /// The layer whose decoded text this is, or [`NO_LAYER`].
    pub(crate) layer: u32,
    /// How many texts this document is nested in.
    pub(crate) level: u8,
}

impl<'d> Doc<'d> {
    pub(crate) fn root(self) -> Val<'d> {
        Val { doc: self, at: 0 }
    }
}

/// A value (or key) in a document.
#[derive(Clone, Copy)]
pub(crate) struct Val<'d> {
    pub(crate) doc: Doc<'d>,
    pub(crate) at: u32,
}

impl<'d> Val<'d> {
    pub(crate) fn node(self) -> Option<&'d Node> {
        self.doc.nodes.get(self.at as usize)
    }

    pub(crate) fn kind(self) -> Kind {
        self.node().map_or(Kind::Null, |node| node.kind)
    }

    pub(crate) fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    pub(crate) fn is_string(self) -> bool {
        self.kind() == Kind::Str
    }

    /// Span in the document's text; without the quotes for a string.
    pub(crate) fn span(self) -> Range<u32> {
        self.node().map_or(0..0, |node| node.start..node.end)
    }

    /// The span, including a string's quotes.
    pub(crate) fn outer_span(self) -> Range<u32> {
        let span = self.span();
        if matches!(self.kind(), Kind::Str | Kind::Key) { span.start - 1..span.end + 1 } else { span }
    }

    /// The same as a range, for replacing it.
    pub(crate) fn outer_range(self) -> Range<usize> {
        let span = self.outer_span();
        span.start as usize..span.end as usize
    }

    /// The bytes of the span, with escapes unresolved.
    pub(crate) fn raw(self) -> &'d str {
        let span = self.span();
        self.doc.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The text of a string or key, with escapes resolved; the bytes of another value.
    pub(crate) fn text(self) -> Cow<'d, str> {
        match self.node() {
            Some(node) if node.escaped => unescape(self.raw()),
            _ => Cow::Borrowed(self.raw()),
        }
    }

    pub(crate) fn string(self) -> Option<Cow<'d, str>> {
        self.is_string().then(|| self.text())
    }

    pub(crate) fn is_true(self) -> bool {
        self.kind() == Kind::True
    }

    pub(crate) fn unsigned(self) -> Option<u64> {
        if self.kind() == Kind::Num { self.raw().parse().ok() } else { None }
    }

    fn link(self) -> u32 {
        match self.node() {
            Some(node) if matches!(node.kind, Kind::Object | Kind::Array) => node.link,
            _ => self.at + 1,
        }
    }

    fn at(self, at: u32) -> Val<'d> {
        Val { doc: self.doc, at }
    }

    /// Keys and values of an object; nothing for any other value.
    pub(crate) fn members(self) -> impl Iterator<Item = (Val<'d>, Val<'d>)> {
        let (mut next, end) = if self.is_object() { (self.at + 1, self.link()) } else { (0, 0) };
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let (key, value) = (self.at(next), self.at(next + 1));
            next = value.link();
            Some((key, value))
        })
    }

    /// Items of an array with their indices; nothing for any other value. Runs of small scalars are only counted.
    pub(crate) fn items(self) -> impl Iterator<Item = (u32, Val<'d>)> {
        let (mut next, end) = if self.kind() == Kind::Array { (self.at + 1, self.link()) } else { (0, 0) };
        let mut index = 0;
        std::iter::from_fn(move || {
            loop {
                if next >= end {
                    return None;
                }
                let item = self.at(next);
                next = item.link();
                if item.kind() == Kind::Run {
                    index += item.node().map_or(0, |run| run.link);
                    continue;
                }
                index += 1;
                return Some((index - 1, item));
            }
        })
    }

    /// All direct items of an array, including runs.
    pub(crate) fn children(self, mut visit: impl FnMut(Val<'d>)) {
        let (mut next, end) = if self.kind() == Kind::Array { (self.at + 1, self.link()) } else { (0, 0) };
        while next < end {
            let item = self.at(next);
            visit(item);
            next = item.link();
        }
    }

    /// The number of direct items of an array that are scalars without text (token lists, vectors).
    pub(crate) fn small_items(self) -> u32 {
        let mut count = 0;
        self.children(|item| {
            if item.kind() == Kind::Run {
                count += item.node().map_or(0, |run| run.link);
            }
        });
        count
    }

    /// The member with this name. Called for many names in each document, so it only reads the nodes.
    pub(crate) fn get(self, name: &str) -> Option<Val<'d>> {
        if !self.is_object() {
            return None;
        }
        let (mut next, end) = (self.at + 1, self.link());
        while next < end {
            let [key, value] = self.doc.nodes.get(next as usize..)?.first_chunk()?;
            // Most names differ in length.
            let maybe = key.escaped || (key.end - key.start) as usize == name.len();
            if maybe && self.at(next).text() == name {
                return Some(self.at(next + 1));
            }
            next = if matches!(value.kind, Kind::Object | Kind::Array) { value.link } else { next + 2 };
        }
        None
    }

    /// The text of the string member with this name.
    pub(crate) fn get_text(self, name: &str) -> Option<Cow<'d, str>> {
        self.get(name).and_then(Val::string)
    }
}
