//! Nested texts: accesses the inner ones again, given the body.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use crate::coding::Coding;

/// A text that is encoded inside another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The layer whose decoded text `span` refers to; `NO_LAYER` for the body. Always listed before this one.
    pub(crate) parent: u32,
    pub(crate) span: Range<u32>,
    pub(crate) coding: Coding,
}

/// The decoded texts of all layers, each decoded once, on first use.
pub(crate) struct Texts<'b, 'm> {
    bytes: &'b [u8],
    /// The body as text; empty if it contains files that are not text.
    body: &'b str,
    layers: &'m [Layer],
    made: Vec<OnceCell<Cow<'b, str>>>,
}

impl<'b, 'm> Texts<'b, 'm> {
    pub(crate) fn new(bytes: &'b [u8], layers: &'m [Layer]) -> Self {
        let body = std::str::from_utf8(bytes).unwrap_or_default();
        Self { bytes, body, layers, made: vec![OnceCell::new(); layers.len()] }
    }

    /// The text of a layer; the body for `NO_LAYER`.
    pub(crate) fn of(&self, layer: u32) -> &str {
        match self.made.get(layer as usize) {
            Some(cell) => cell.get_or_init(|| self.make(layer)),
            None => self.body,
        }
    }

    /// The encoded text of a layer, in the text around it.
    pub(crate) fn source_of(&self, layer: &Layer) -> &str {
        self.stretch(layer.parent, &layer.span)
    }

    /// A range of a layer's text, or of the body.
    pub(crate) fn stretch(&self, layer: u32, span: &Range<u32>) -> &str {
        if self.layers.get(layer as usize).is_none() {
            return self.of_body(span);
        }
        self.of(layer).get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn of_body(&self, span: &Range<u32>) -> &'b str {
        let range = span.start as usize..span.end as usize;
        match self.body {
            "" => std::str::from_utf8(self.bytes.get(range).unwrap_or_default()).unwrap_or_default(),
            body => body.get(range).unwrap_or_default(),
        }
    }

    fn make(&self, layer: u32) -> Cow<'b, str> {
        let Some(this) = self.layers.get(layer as usize) else { return Cow::Borrowed(self.body) };
        if self.layers.get(this.parent as usize).is_none() {
            return this.coding.decode(self.of_body(&this.span));
        }
        Cow::Owned(this.coding.decode(self.source_of(this)).into_owned())
    }
}
