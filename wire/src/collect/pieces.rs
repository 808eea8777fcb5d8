//! Pieces of a stream's running texts.

use super::{Collector, Found};
use crate::coding::Coding;
use crate::error::WireError;
use crate::json::Val;
use crate::media::{self, Content};
use crate::message::{Place, Segment, Slot};
use crate::path::ROOT;
use crate::stream::{Channel, ChannelKind, OUTSIDE, Piece};

impl Collector<'_> {
    /// As [`Collector::data`], in a stream, where a file may come in pieces: one that is text continues a running
    /// text, or is a separate text.
    pub(crate) fn data_piece(
        &mut self,
        channel: Channel,
        value: Val<'_>,
        path: u32,
    ) -> Result<(), WireError> {
        let text = value.string().unwrap_or_default();
        let Content::Encoded(range) = media::base64_data(&text) else { return self.data(value, path) };
        let outer = self.push_layer(value.doc.layer, value.span(), Coding::Json)?;
        let layer = self.push_layer(outer, range.start as u32..range.end as u32, Coding::Base64)?;
        let inner = Coding::Base64.decode(text.get(range).unwrap_or_default()).into_owned();
        if inner.is_empty() {
            return Ok(());
        }
        let (place, slot, span) = (Place::Document, Slot::Whole, 0..inner.len() as u32);
        self.list(Found { place, slot, path, layer, span, derived: false }, inner)?;
        self.pieces.push(Piece::new(channel, self.message.segments.len() - 1, true));
        Ok(())
    }

    /// A piece of a running text of a stream: listed as it is.
    pub(crate) fn piece(
        &mut self,
        channel: Channel,
        place: Place,
        value: Val<'_>,
        path: u32,
    ) -> Result<(), WireError> {
        self.add_piece(channel, place, value, path, false)
    }

    /// The same if no protocol defines that the pieces belong together.
    pub(crate) fn piece_apart(
        &mut self,
        channel: Channel,
        place: Place,
        value: Val<'_>,
        path: u32,
    ) -> Result<(), WireError> {
        self.add_piece(channel, place, value, path, true)
    }

    /// Turns a text that was listed separately, after the first `from`, into the beginning of a running text. What
    /// was read as JSON stays as it is.
    pub(crate) fn begins(&mut self, channel: Channel, value: Val<'_>, from: usize) {
        let Some(at) = self.listed(value, from) else { return };
        // The running text has its own other readings.
        let segments = &mut self.message.segments;
        let more = segments.iter().skip(at + 1).take_while(|one| one.derived).count();
        segments.drain(at + 1..at + 1 + more);
        self.pieces.push(Piece::new(channel, at, false));
    }

    /// Marks a text that was listed separately, after the first `from`, as a repetition of a running text.
    pub(crate) fn repeats(&mut self, channel: Channel, value: Val<'_>, from: usize) {
        let at = self.listed(value, from);
        self.repeats.extend(at.map(|at| (channel, at)));
    }

    fn listed(&self, value: Val<'_>, from: usize) -> Option<usize> {
        let (layer, span) = (value.doc.layer, value.span());
        let of_value = |one: &Segment| (one.layer, &one.span) == (layer, &span) && one.slot == Slot::Text;
        self.message.segments.iter().skip(from).position(of_value).map(|at| at + from)
    }

    fn add_piece(
        &mut self,
        channel: Channel,
        place: Place,
        value: Val<'_>,
        path: u32,
        apart: bool,
    ) -> Result<(), WireError> {
        let Some(text) = value.string() else { return self.free(place, value, path) };
        self.speaks = true;
        if text.is_empty() {
            return Ok(());
        }
        let slot = Slot::Text;
        let found = Found { place, slot, path, layer: value.doc.layer, span: value.span(), derived: false };
        self.list(found, text.into_owned())?;
        self.pieces.push(Piece::new(channel, self.message.segments.len() - 1, apart));
        Ok(())
    }

    /// An event's data that is not JSON: a piece of running text as it is.
    pub(crate) fn running(&mut self, text: &str, layer: u32) -> Result<(), WireError> {
        if text.is_empty() {
            return Ok(());
        }
        let (place, slot, path) = (Place::Assistant, Slot::Whole, ROOT);
        self.list(
            Found { place, slot, path, layer, span: 0..text.len() as u32, derived: false },
            text.to_owned(),
        )?;
        let channel = Channel { group: OUTSIDE, kind: ChannelKind::Text, index: 0 };
        self.pieces.push(Piece::new(channel, self.message.segments.len() - 1, true));
        Ok(())
    }
}
