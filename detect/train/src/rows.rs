//! Texts to learn from and to measure on: labelled rows of a file, and what the grammars say.

use mesh_detect::{Detector, Source};
use serde_json::Value;

/// One text.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Where it comes from: "file source" or "grammar language/family".
    pub(crate) source: String,
    /// Near-duplicates share it.
    pub(crate) group: String,
    pub(crate) text: String,
    pub(crate) attack: bool,
    pub(crate) hard: bool,
    pub(crate) lang: String,
    pub(crate) kind: String,
    /// Who says it.
    pub(crate) place: Source,
}

/// A row with what the detector sees of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) row: Row,
    /// Slots, segment by segment.
    pub(crate) segments: Vec<Vec<u32>>,
    /// What the rules say near each window, from 0 to 1.
    pub(crate) rules: Vec<f32>,
}

impl Row {
    pub(crate) fn informs(&self) -> bool {
        informs(self.place)
    }

    /// Looks at the row through the detector.
    pub(crate) fn seen(self, detector: &Detector) -> Seen {
        let features = detector.injection_features(&self.text, self.place);
        Seen { row: self, segments: features.segments, rules: features.rules }
    }
}

pub(crate) fn informs(place: Source) -> bool {
    matches!(place, Source::ToolResult | Source::Document | Source::ToolDefinition)
}

/// Where a row's text would stand in an exchange.
fn stands(kind: &str, source: &str) -> Source {
    if kind.contains("tool") || source.contains("mcp") {
        Source::ToolDefinition
    } else if kind == "indirect" || kind == "benign_document" || source.contains("latentinjection") {
        Source::Document
    } else {
        Source::User
    }
}

/// Reads labelled rows.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Value =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (source, kind) = (field("source"), field("kind"));
        rows.push(Row {
            place: stands(&kind, &source),
            group: field("split_group"),
            text: field("text"),
            attack: field("label") == "injection",
            hard: field("tier") == "hard",
            lang: field("lang"),
            source,
            kind,
        });
    }
    Ok(rows)
}

/// Reads rows of personal data as ordinary texts, whoever says them.
pub(crate) fn ordinary(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Value =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        for place in [Source::User, Source::ToolResult] {
            rows.push(Row {
                source: format!("ordinary {}", field("source")),
                group: format!("ordinary {}", field("id")),
                text: field("text"),
                attack: false,
                hard: false,
                lang: field("lang"),
                kind: "benign_document".to_owned(),
                place,
            });
        }
    }
    Ok(rows)
}

/// Ordinary texts that users write, which might as well be read from a tool or a document: no orders to an assistant.
pub(crate) fn could_inform(row: &Row) -> bool {
    matches!(row.kind.as_str(), "benign_code" | "benign_api_body")
        || row.source.starts_with("openai_moderation")
        || row.source.starts_with("banking77")
}
