//! Who speaks, how much evidence is needed, and what is reported.

use std::fmt;
use std::ops::Range;

use super::matcher::Matcher;
use super::scorer::Features;
use super::{Lexicon, Phrases};

/// The position of a text in the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A message of the user.
    User,
    /// The developer's own prompt: it may give any instructions.
    System,
    /// An earlier answer of the model.
    Assistant,
    /// What a tool returned.
    ToolResult,
    /// What the model passes to a tool.
    ToolArguments,
    /// The description of a tool.
    ToolDefinition,
    /// A document that was retrieved or attached.
    Document,
    /// Anything else.
    Other,
}

impl Source {
    /// Whether a text from this source should only inform, so that it has no authority to give orders.
    pub(super) const fn informs(self) -> bool {
        matches!(self, Source::ToolResult | Source::Document | Source::ToolDefinition)
    }
}

/// How little evidence is enough to count as an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sensitivity {
    /// Only clear cases.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Also probable cases; expect false alarms on texts that quote attacks.
    High,
}

/// The mechanics of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Earlier instructions are declared void or replaced.
    InstructionOverride,
    /// The text poses as another speaker or closes its own frame.
    RoleForgery,
    /// The hidden instructions are requested.
    PromptExtraction,
    /// Data is to be sent out by a link, an image or a call.
    Exfiltration,
    /// A tool's description gives orders to the model.
    ToolPoisoning,
    /// The order is hidden in an encoding.
    EncodedPayload,
    /// The model is to take on a persona without rules.
    Jailbreak,
    /// A text that should only inform addresses the model.
    IndirectInstruction,
    /// Recognised by the trained scorer, without a rule that names it.
    Learned,
    /// One of the policy's own phrases.
    Phrase,
}

impl Family {
    /// The name in findings and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Family::InstructionOverride => "instruction_override",
            Family::RoleForgery => "role_forgery",
            Family::PromptExtraction => "prompt_extraction",
            Family::Exfiltration => "exfiltration",
            Family::ToolPoisoning => "tool_poisoning",
            Family::EncodedPayload => "encoded_payload",
            Family::Jailbreak => "jailbreak",
            Family::IndirectInstruction => "indirect_instruction",
            Family::Learned => "learned",
            Family::Phrase => "phrase",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The strongest evidence found, never its text.
#[derive(Debug, Clone, PartialEq)]
pub struct InjectionFinding {
    /// The rule with the greatest weight.
    pub rule: &'static str,
    /// Its family.
    pub family: Family,
    /// The span of its match: a byte range of the given text, on character boundaries.
    pub span: Range<usize>,
    /// The score of all evidence together, from 0 to 1.
    pub score: f32,
}

/// See [`crate::Detector::injection`].
pub(crate) fn judge(
    lexicon: &Lexicon,
    text: &str,
    source: Source,
    sensitivity: Sensitivity,
    phrases: Option<&Phrases>,
) -> Option<InjectionFinding> {
    if let Some(span) = phrases.and_then(|phrases| phrases.find(text)) {
        return Some(InjectionFinding { rule: "policy/phrase", family: Family::Phrase, span, score: 1.0 });
    }
    let threshold = threshold(source, sensitivity)?;
    let (margin, finding) = Matcher::new(lexicon, source).run(text)?;
    (margin >= threshold).then_some(finding)
}

/// See [`crate::Detector::injection_from`].
pub(crate) fn judge_from(
    lexicon: &Lexicon,
    text: &str,
    source: Source,
    from: f32,
    phrases: Option<&Phrases>,
) -> Option<InjectionFinding> {
    if let Some(span) = phrases.and_then(|phrases| phrases.find(text)) {
        return Some(InjectionFinding { rule: "policy/phrase", family: Family::Phrase, span, score: 1.0 });
    }
    threshold(source, Sensitivity::default())?;
    score(lexicon, text, source).filter(|finding| finding.score >= from)
}

/// See [`crate::Detector::injection_evidence`].
pub(crate) fn explain(lexicon: &Lexicon, text: &str, source: Source) -> Vec<InjectionFinding> {
    Matcher::new(lexicon, source).explain(text)
}

/// See [`crate::Detector::injection_parts`].
pub(crate) fn parts(
    lexicon: &Lexicon,
    text: &str,
    source: Source,
    sensitivity: Sensitivity,
) -> Vec<(&'static str, f32)> {
    let Some(threshold) = threshold(source, sensitivity) else { return Vec::new() };
    let mut parts = Matcher::new(lexicon, source).parts(text);
    parts.push(("operating point", -threshold));
    parts
}

/// See [`crate::injection_threshold`].
pub(crate) fn threshold_score(source: Source, sensitivity: Sensitivity) -> Option<f32> {
    threshold(source, sensitivity).map(|margin| score_of(margin, source))
}

/// See [`crate::Detector::injection_score`].
pub(crate) fn score(lexicon: &Lexicon, text: &str, source: Source) -> Option<InjectionFinding> {
    Matcher::new(lexicon, source).run(text).map(|(_, finding)| finding)
}

/// See [`crate::Detector::injection_features`].
pub(crate) fn features(lexicon: &Lexicon, text: &str, source: Source) -> Features {
    Matcher::new(lexicon, source).features(text)
}

/// A margin as a score from 0 to 1; the operating point of the default sensitivity becomes 0.5.
pub(super) fn score_of(margin: f32, source: Source) -> f32 {
    let [_, medium, _] = points(source);
    let over = margin - medium;
    0.5 + 0.5 * over / (1.0 + over.abs())
}

/// The margins at which a text counts, at low, medium and high sensitivity. For how they were chosen and what they
/// cost, see `docs/injection-model.md`.
const fn points(source: Source) -> [f32; 3] {
    match source {
        Source::ToolDefinition => [2.2, 1.4, 0.9],
        Source::ToolResult | Source::Document => [2.2, 1.5, 0.85],
        _ => [1.6, 1.14, 0.35],
    }
}

/// The operating point; `None` for the developer's prompt and the model's own words, which are not judged.
fn threshold(source: Source, sensitivity: Sensitivity) -> Option<f32> {
    if matches!(source, Source::System | Source::Assistant) {
        return None;
    }
    let [low, medium, high] = points(source);
    Some(match sensitivity {
        Sensitivity::Low => low,
        Sensitivity::Medium => medium,
        Sensitivity::High => high,
    })
}
