//! Rows from the grammars: so many texts of every line, disguised now and then.

use mesh_detect::Source;

use crate::grammar::{Grammar, Line, Who};
use crate::random::Random;
use crate::rows::Row;

/// Sentences that have few forms each, so that a few texts say them all.
const PLAIN: &str = "en plain";

/// The grammars, by language. A language may have several files that share their names.
const FILES: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            include_str!("../grammar/en.txt"),
            include_str!("../grammar/en_planted.txt"),
            include_str!("../grammar/en_mechanics.txt"),
            include_str!("../grammar/en_speakers.txt"),
            include_str!("../grammar/en_readers.txt"),
            include_str!("../grammar/en_benign.txt"),
        ],
    ),
    ("de", &[include_str!("../grammar/de.txt")]),
    ("fr", &[include_str!("../grammar/fr.txt")]),
    ("es", &[include_str!("../grammar/es.txt")]),
    ("it", &[include_str!("../grammar/it.txt")]),
    ("pt", &[include_str!("../grammar/pt.txt")]),
    ("nl", &[include_str!("../grammar/nl.txt")]),
    ("pl", &[include_str!("../grammar/pl.txt")]),
    ("ru", &[include_str!("../grammar/ru.txt")]),
    ("tr", &[include_str!("../grammar/tr.txt")]),
    ("zh", &[include_str!("../grammar/zh.txt")]),
    ("ja", &[include_str!("../grammar/ja.txt")]),
    ("ko", &[include_str!("../grammar/ko.txt")]),
    ("ar", &[include_str!("../grammar/ar.txt")]),
    ("hi", &[include_str!("../grammar/hi.txt")]),
    ("other", &[include_str!("../grammar/other.txt"), include_str!("../grammar/other_system.txt")]),
    (PLAIN, &[include_str!("../grammar/en_asked.txt"), include_str!("../grammar/en_agents.txt")]),
];

/// Texts of each line of the grammar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) english: usize,
    pub(crate) plain: usize,
    pub(crate) other: usize,
}

/// Says `amount` texts of every line.
pub(crate) fn rows(seed: u64, amount: Amount) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (lang, files) in FILES {
        let grammar = Grammar::read(lang, &files.join("\n"))?;
        let amount = match *lang {
            "en" => amount.english,
            PLAIN => amount.plain,
            _ => amount.other,
        };
        for (number, line) in grammar.lines.iter().enumerate() {
            // Its own numbers, so that a new line changes no other line's texts.
            let mut random = Random::new(seed ^ sum(&line.text));
            for _ in 0..amount {
                let text = text(&grammar, line, &mut random);
                for place in places(line.who, &mut random) {
                    rows.push(Row {
                        source: format!("grammar {lang}/{}", line.family),
                        group: format!("grammar {lang}/{number}"),
                        text: text.clone(),
                        attack: line.attack,
                        hard: false,
                        lang: (if *lang == PLAIN { "en" } else { lang }).to_owned(),
                        kind: line.family.clone(),
                        place,
                    });
                }
            }
        }
    }
    Ok(rows)
}

/// A hash of a line (FNV-1a, 64 bits).
fn sum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, b| (sum ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn places(who: Who, random: &mut Random) -> Vec<Source> {
    let informs = if random.once_in(3) { Source::Document } else { Source::ToolResult };
    match who {
        Who::User => vec![Source::User],
        Who::Data => vec![informs],
        Who::Tool => vec![Source::ToolDefinition],
        Who::Both => vec![Source::User, informs],
    }
}

/// One text of a line. Data is surrounded by ordinary data more often than not; users add a line of their own now and
/// then.
fn text(grammar: &Grammar, line: &Line, random: &mut Random) -> String {
    let own = write(grammar.say(&line.text, random), random);
    let around: Vec<&Line> = grammar
        .lines
        .iter()
        .filter(|other| {
            !other.attack && other.who == line.who && (other.who == Who::Data || other.family == "ask")
        })
        .collect();
    if around.is_empty() || random.once_in(2) {
        return own;
    }
    let mut parts = vec![own];
    let other: &Line = random.pick::<&Line>(&around);
    parts.push(grammar.say(&other.text, random));
    if random.once_in(2) {
        let other: &Line = random.pick::<&Line>(&around);
        parts.insert(0, grammar.say(&other.text, random));
    }
    if random.once_in(2) {
        parts.reverse();
    }
    let between: &str = random.pick::<&str>(&[" ", "\n", "\n\n", ". "]);
    parts.join(between)
}

/// As people write: in capitals, without them, with slips.
fn write(text: String, random: &mut Random) -> String {
    match random.below(16) {
        0 => text.to_uppercase(),
        1 | 2 => text.to_lowercase(),
        3 => slip(&text, random),
        4 => text.replace([',', '\''], ""),
        5 => {
            let mut chars = text.chars();
            chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
        }
        6 => text.replace(". ", ".\n"),
        7 => format!("**{text}**"),
        _ => text,
    }
}

/// A letter left out, doubled or swapped with the next.
fn slip(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + chars.len() / 40 {
        let i = random.below(chars.len());
        match random.below(3) {
            0 => {
                chars.remove(i);
            }
            1 => chars.insert(i, chars[i]),
            _ if i + 1 < chars.len() => chars.swap(i, i + 1),
            _ => {}
        }
        if chars.is_empty() {
            break;
        }
    }
    chars.into_iter().collect()
}
