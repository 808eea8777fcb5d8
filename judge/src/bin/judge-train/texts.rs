//! Texts to learn from, as `mesh-detect-train texts` writes them, and what the encoder says of each.
use std::collections::HashMap;
use std::fs;

use mesh_judge::{Classifier, SIZE};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What of a text is shown to the encoder: as the service does by default.
pub(crate) const MAX_TOKENS: usize = 128;
/// Encoding takes long: of the made-up texts, which are alike, every so many-th is encoded, and of measured ones that the
/// first tier does not doubt.
const MADE_UP: usize = 12;
const PLAIN: usize = 1;
/// The first tier's score from which it doubts; it finds by itself from a half on.
const DOUBTS: f32 = 0.2;
/// Medium sensitivity's margin for those who speak and for what informs: `docs/injection-model.md`.
const POINTS: [f32; 2] = [1.14, 1.5];
/// Texts that go through the encoder together.
const BATCH: usize = 16;

/// One text.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) attack: bool,
    pub(crate) hard: bool,
    /// It stands where it should only inform.
    pub(crate) informs: bool,
    pub(crate) source: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    /// Its licence allows to learn from it.
    pub(crate) learned: bool,
    /// Of a measured row: which sources are left out with its own.
    pub(crate) fold: Option<usize>,
    /// An ordinary tool result or document.
    #[serde(default)]
    pub(crate) ordinary: bool,
    /// The first tier's margin, by a model that saw neither the source nor near-duplicates.
    #[serde(default)]
    pub(crate) margin: f32,
    /// The encoder is shown it.
    #[serde(skip)]
    pub(crate) shown: bool,
}

impl Row {
    /// The margin as a score, as the detector has it: a half at medium sensitivity.
    pub(crate) fn score(&self) -> f32 {
        let over = self.margin - POINTS[usize::from(self.informs)];
        0.5 + 0.5 * over / (1.0 + over.abs())
    }
}

/// Reads the rows: all that were measured, and those of the others that are encoded.
pub(crate) fn read(path: &str) -> Result<Vec<Row>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut row: Row =
            serde_json::from_str(line).map_err(|error| format!("{path}:{}: {error}", number + 1))?;
        row.shown = match row.fold {
            Some(_) => (DOUBTS..0.5).contains(&row.score()) || number.is_multiple_of(PLAIN),
            None => number.is_multiple_of(MADE_UP),
        };
        if row.shown || row.fold.is_some() {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// What the encoder says of each row that it is shown; nothing of the others. It takes long: what was said is kept beside the file, under the hash of the texts.
pub(crate) fn numbers(classifier: &Classifier, rows: &[Row], path: &str) -> Result<Vec<Vec<f32>>, String> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut sum = Sha256::new();
    for row in rows.iter().filter(|row| row.shown) {
        places.entry(&row.text).or_insert_with(|| {
            sum.update(row.text.as_bytes());
            sum.update([0xff]);
            texts.push(&row.text);
            texts.len() - 1
        });
    }
    let sum = sum.finalize();
    let kept = format!("{path}.numbers");
    let known =
        fs::read(&kept).ok().and_then(|bytes| unpack(bytes.strip_prefix(sum.as_slice())?, texts.len()));
    let numbers = match known {
        Some(known) => known,
        None => {
            let numbers = encode(classifier, &texts)?;
            let bytes = numbers.iter().flatten().flat_map(|number| number.to_le_bytes());
            let bytes: Vec<u8> = sum.iter().copied().chain(bytes).collect();
            fs::write(&kept, bytes).map_err(|error| format!("{kept}: {error}"))?;
            numbers
        }
    };
    let of = |row: &Row| places.get(row.text.as_str()).filter(|_| row.shown).map(|at| numbers[*at].clone());
    Ok(rows.iter().map(|row| of(row).unwrap_or_default()).collect())
}

fn unpack(bytes: &[u8], texts: usize) -> Option<Vec<Vec<f32>>> {
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    (numbers.len() == texts * SIZE).then(|| numbers.chunks(SIZE).map(<[f32]>::to_vec).collect())
}

/// Texts of like length go together: little is filled up.
fn encode(classifier: &Classifier, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| texts[*at].len());
    let mut numbers = vec![Vec::new(); texts.len()];
    for (batch, places) in order.chunks(BATCH).enumerate() {
        let together: Vec<&str> = places.iter().map(|at| texts[*at]).collect();
        let said = classifier.numbers(&together).map_err(|error| error.to_string())?;
        for (at, said) in places.iter().zip(said) {
            numbers[*at] = said;
        }
        if batch % 50 == 0 {
            eprintln!("{} of {} texts", batch * BATCH, texts.len());
        }
    }
    Ok(numbers)
}

/// What the first layers make of each row that the encoder is shown.
pub(crate) fn states(
    classifier: &Classifier,
    rows: &[Row],
    layers: usize,
) -> Result<crate::tune::States, String> {
    let mut order: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].shown).collect();
    order.sort_by_key(|at| rows[*at].text.len());
    let mut states: crate::tune::States = rows.iter().map(|_| None).collect();
    for (batch, places) in order.chunks(BATCH).enumerate() {
        let together: Vec<&str> = places.iter().map(|at| rows[*at].text.as_str()).collect();
        let said = classifier.below(&together, layers).map_err(|error| error.to_string())?;
        for (at, said) in places.iter().zip(said) {
            states[*at] = Some(said);
        }
        if batch % 50 == 0 {
            eprintln!("{} of {} texts", batch * BATCH, order.len());
        }
    }
    Ok(states)
}
