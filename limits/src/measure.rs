//! What limits count.
use crate::account::Kind;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Requests.
    Requests,
    /// Tokens, read and written.
    Tokens,
    /// Millionths of a US dollar.
    Cost,
    /// Requests under way at the same time.
    Concurrent,
}

impl Measure {
    /// All measures.
    pub const ALL: [Measure; 4] = [Measure::Requests, Measure::Tokens, Measure::Cost, Measure::Concurrent];

    /// The name in descriptors, records and the REST interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Requests => "requests",
            Measure::Tokens => "tokens",
            Measure::Cost => "cost",
            Measure::Concurrent => "concurrent",
        }
    }

    /// The measure of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Measure::ALL.into_iter().find(|measure| measure.as_str() == name)
    }

    /// How its accounts count.
    pub fn kind(self) -> Kind {
        match self {
            Measure::Requests => Kind::Count,
            Measure::Tokens | Measure::Cost => Kind::Reserve,
            Measure::Concurrent => Kind::Concurrent,
        }
    }

    /// Whether the real amount is known only when the exchange ends.
    pub fn is_spent(self) -> bool {
        self.kind() == Kind::Reserve
    }
}
