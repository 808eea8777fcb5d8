//! Adds up evidence of many kinds.

use super::rules::RULES;
use super::structure::MARKS;
use super::together::Heard;
use super::verdict::Family;

/// Evidence adds up within this many words.
const REACH: usize = 160;
/// How many different pieces of evidence are remembered.
const SLOTS: usize = 32;

/// What a piece of evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A rule over words, by its index in the table.
    Rule(usize),
    /// A mark, by its index in the table.
    Mark(usize),
    /// An order inside an encoding.
    Decoded,
    /// Text in invisible characters.
    Unseen,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Rule(i) => RULES.get(i).map_or("", |rule| rule.name),
            Kind::Mark(i) => MARKS.get(i).map_or("", |mark| mark.name),
            Kind::Decoded => "encoded/order-inside",
            Kind::Unseen => "encoded/invisible-text",
        }
    }

    /// Whether the two have the same name: marks may share one, each rule has its own.
    fn is_called_like(self, other: Kind) -> bool {
        match (self, other) {
            (Kind::Mark(_), Kind::Mark(_)) => self.name() == other.name(),
            _ => self == other,
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Kind::Rule(i) => RULES.get(i).map_or(Family::InstructionOverride, |rule| rule.family),
            Kind::Mark(i) => MARKS.get(i).map_or(Family::RoleForgery, |mark| mark.family),
            Kind::Decoded | Kind::Unseen => Family::EncodedPayload,
        }
    }
}

/// One piece of evidence: its bytes in the text as read, and the number of the word at which it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) weight: f32,
    pub(super) index: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The pieces within reach, and the best sum so far.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pieces: [Option<Piece>; SLOTS],
    next: usize,
    best: f32,
}

impl Evidence {
    /// The highest score of any part of the text.
    pub(super) fn best(&self) -> f32 {
        self.best
    }

    /// The remembered pieces.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().flatten()
    }

    /// Adds a piece; returns the combined weight of all pieces within reach, and the strongest of them. Pieces combine
    /// like independent probabilities; another one with the same name replaces the first.
    pub(super) fn add(&mut self, piece: Piece) -> Option<Heard> {
        if piece.weight <= 0.0 {
            return None;
        }
        let same = self.pieces.iter().position(|p| p.is_some_and(|p| p.kind.is_called_like(piece.kind)));
        let slot = same.unwrap_or_else(|| {
            self.next += 1;
            (self.next - 1) % SLOTS
        });
        if let Some(slot) = self.pieces.get_mut(slot) {
            *slot = Some(piece);
        }
        let mut doubt = 1.0;
        let mut strongest = piece;
        for other in self.pieces.iter().flatten() {
            if piece.index.saturating_sub(other.index) <= REACH {
                doubt *= 1.0 - other.weight;
                if other.weight > strongest.weight {
                    strongest = *other;
                }
            }
        }
        self.best = self.best.max(1.0 - doubt);
        Some((1.0 - doubt, strongest))
    }
}
