//! What a search for personal data reports.

use std::ops::Range;
use std::sync::Arc;

use crate::EntityType;

/// The kind of value found: a shipped type or one of the policy author's own patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A shipped entity type.
    Entity(EntityType),
    /// The name of a custom pattern.
    Custom(Arc<str>),
}

impl Kind {
    /// The name shown in policies, records and placeholders.
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Entity(kind) => kind.as_str(),
            Kind::Custom(name) => name,
        }
    }
}

/// One value found in a text: its type, span and score, never the value itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was found.
    pub kind: Kind,
    /// Where: a byte range of the given text, on character boundaries.
    pub span: Range<usize>,
    /// The confidence, from 0 to 1.
    pub score: f32,
    /// The rule that decided, for explanations ("card/luhn", "ssn/context").
    pub rule: &'static str,
}
