//! Personal data and secrets: spans against spans.

use std::collections::BTreeMap;

use mesh_detect::{Detector, EntityType, Finding, Kind, TypeSet, type_group};
use serde_json::Value;

use crate::Options;
use crate::report::{Cell, Report, Table};
use crate::score::{Score, Share};

/// The types that the headline figure is over.
const HEADLINE: &[&str] =
    &["SSN", "CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "PHONE", "PASSPORT", "DRIVER_LICENSE"];

/// The label that the data sets give to one of our types.
fn label(kind: EntityType) -> &'static str {
    match kind {
        EntityType::UsSsn => "SSN",
        EntityType::CreditCard => "CREDIT_CARD",
        EntityType::EmailAddress => "EMAIL",
        EntityType::IbanCode => "IBAN",
        EntityType::IpAddress => "IP_ADDRESS",
        EntityType::PhoneNumber => "PHONE",
        EntityType::UsPassport | EntityType::Passport => "PASSPORT",
        EntityType::UsDriverLicense
        | EntityType::UkDrivingLicence
        | EntityType::ItDriverLicense
        | EntityType::KrDriverLicense => "DRIVER_LICENSE",
        EntityType::MacAddress => "MAC_ADDRESS",
        EntityType::Crypto => "CRYPTO",
        EntityType::BankAccount => "BANK_ACCOUNT",
        EntityType::AbaRouting => "ROUTING_NUMBER",
        EntityType::Password => "PASSWORD",
        EntityType::PrivateKey => "PRIVATE_KEY",
        EntityType::DateOfBirth => "DATE",
        kind if type_group("secrets").is_some_and(|secrets| secrets.contains(&kind)) => "API_KEY",
        _ => "NATIONAL_ID",
    }
}

/// Labels that mean the same to us: the names that policies have for our types, too.
fn fold(name: &str) -> &str {
    match EntityType::from_name(name) {
        _ if name == "TAX_ID" => "NATIONAL_ID",
        Some(kind) => label(kind),
        None => name,
    }
}

/// Says which types of values rows are labelled with that nothing here looks for, since no figure speaks of them.
pub(crate) fn tell_unmeasured(rows: &[Value]) {
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    for one in rows.iter().flat_map(expected).filter(|one| !ours(&one.label)) {
        *others.entry(one.label).or_default() += 1;
    }
    if !others.is_empty() {
        let list: Vec<_> = others.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        println!("Labels of types that are not looked for, and not measured: {}\n", list.join(", "));
    }
}

/// Scores from which a finding may count, for the table of operating points.
const THRESHOLDS: [f32; 5] = [0.3, 0.4, 0.5, 0.65, 0.8];

struct Expected {
    start: usize,
    end: usize,
    label: String,
    found: bool,
}

fn expected(row: &Value) -> Vec<Expected> {
    let spans = row["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |span: &Value, key: &str| span[key].as_u64().unwrap_or(0) as usize;
    spans
        .iter()
        .map(|span| Expected {
            start: number(span, "start"),
            end: number(span, "end"),
            label: fold(span["type"].as_str().unwrap_or_default()).to_owned(),
            found: false,
        })
        .collect()
}

/// What a system says of a row.
pub(crate) struct Found {
    start: usize,
    end: usize,
    label: String,
    score: f32,
    rule: &'static str,
}

impl Found {
    /// What is found where.
    pub(crate) fn place(&self) -> (usize, usize, &str) {
        (self.start, self.end, &self.label)
    }
}

fn is_secret(label: &str) -> bool {
    matches!(label, "PASSWORD" | "API_KEY" | "PRIVATE_KEY")
}

/// The scores of one system at one threshold: by dimension (type, source, …) and name.
#[derive(Default)]
pub(crate) struct Scores {
    by: BTreeMap<(&'static str, String), Score>,
    pub(crate) headline: Score,
    contextual: Score,
    /// Rows without a value, and those in which one was found all the same, by source.
    negatives: BTreeMap<String, (usize, usize)>,
}

impl Scores {
    fn count(&mut self, row: &Value, label: &str, score: Score) {
        let text = |key: &str| row[key].as_str().unwrap_or("unknown");
        let family = text("source").split('/').next().unwrap_or_default().to_owned();
        let keys = [("type", label), ("tier", text("tier")), ("language", text("lang")), ("source", &family)];
        for (dimension, name) in keys {
            self.by.entry((dimension, name.to_owned())).or_default().add(score);
        }
        if HEADLINE.contains(&label) {
            self.headline.add(score);
        }
    }

    /// Judges one row; `say` is told every error.
    pub(crate) fn judge(
        &mut self,
        row: &Value,
        found: &[Found],
        mut say: impl FnMut(&[&str], &str, &str, std::ops::Range<usize>),
    ) {
        let (tier, source) =
            (row["tier"].as_str().unwrap_or_default(), row["source"].as_str().unwrap_or_default());
        let mut expected = expected(row);
        if tier == "negative" || tier.is_empty() && expected.is_empty() {
            let family = source.split('/').next().unwrap_or_default().to_owned();
            let (rows, hit) = self.negatives.entry(family).or_default();
            *rows += 1;
            *hit += usize::from(!found.is_empty());
            for finding in found {
                say(&["NEGATIVE", source], "false alarm", finding.rule, finding.start..finding.end);
            }
            return;
        }
        if tier == "weak" {
            return;
        }
        let secrets_only = source.starts_with("detect_secrets") || source.starts_with("gitleaks");
        for finding in found.iter().filter(|finding| !secrets_only || is_secret(&finding.label)) {
            let hit = expected
                .iter_mut()
                .find(|e| same(&e.label, &finding.label) && finding.start < e.end && e.start < finding.end);
            match hit {
                Some(hit) if hit.found => {}
                Some(hit) => {
                    hit.found = true;
                    let exact = usize::from((hit.start, hit.end) == (finding.start, finding.end));
                    let score = Score { true_positive: 1, exact, ..Score::default() };
                    if tier == "contextual" {
                        self.contextual.add(score);
                    } else {
                        self.count(row, &hit.label, score);
                        if exact == 0 {
                            say(&["BOUNDS", source], "other bounds", &hit.label, finding.start..finding.end);
                        }
                    }
                }
                None if tier == "contextual" => {}
                None => {
                    self.count(row, &finding.label, Score { false_positive: 1, ..Score::default() });
                    say(&[&finding.label, source], "false alarm", finding.rule, finding.start..finding.end);
                }
            }
        }
        for miss in expected.iter().filter(|e| !e.found && ours(&e.label)) {
            let score = Score { false_negative: 1, ..Score::default() };
            if tier == "contextual" {
                self.contextual.add(score);
                say(&["CONTEXTUAL"], "missed", &miss.label, miss.start..miss.end);
            } else {
                self.count(row, &miss.label, score);
                say(&[&miss.label, source], "missed", &miss.label, miss.start..miss.end);
            }
        }
    }

    pub(crate) fn false_alarms(&self) -> Share {
        let (rows, hit) = self.negatives.values().fold((0, 0), |(rows, hit), (r, h)| (rows + r, hit + h));
        Share::of(hit, rows)
    }

    /// The tables of one system.
    fn tables(&self, system: &str, threshold: f32, report: &mut Report) {
        for (dimension, title) in
            [("type", "by type"), ("tier", "by tier"), ("language", "by language"), ("source", "by source")]
        {
            let of = |score: Score| {
                vec![
                    Cell::Share(score.precision()),
                    Cell::Share(score.recall()),
                    Cell::Share(score.f1()),
                    Cell::Count(score.true_positive),
                    Cell::Count(score.exact),
                    Cell::Count(score.false_positive),
                    Cell::Count(score.false_negative),
                ]
            };
            let mut rows: Vec<_> = (self.by.iter())
                .filter(|((of, _), _)| *of == dimension)
                .map(|((_, name), score)| (name.clone(), of(*score)))
                .collect();
            if dimension == "type" {
                rows.push(("the eight headline types".to_owned(), of(self.headline)));
                rows.push(("secrets by context alone".to_owned(), of(self.contextual)));
            }
            report.add(Table {
                title: format!("Personal data and secrets {title}: {system}, score {threshold} and up"),
                columns: &["precision", "recall", "F1", "hits", "exact", "false alarms", "missed"],
                rows,
            });
        }
        let mut rows: Vec<_> = (self.negatives.iter())
            .map(|(source, (rows, hit))| {
                (
                    source.clone(),
                    vec![Cell::Share(Share::of(*hit, *rows)), Cell::Count(*hit), Cell::Count(*rows)],
                )
            })
            .collect();
        rows.push(("all".to_owned(), vec![Cell::Share(self.false_alarms()), Cell::None, Cell::None]));
        report.add(Table {
            title: format!("Rows that hold nothing: {system}, score {threshold} and up"),
            columns: &["false-alarm rate", "rows hit", "rows"],
            rows,
        });
    }
}

/// Whether one of our types answers to a label.
fn ours(label: &str) -> bool {
    EntityType::all().iter().any(|kind| self::label(*kind) == label)
}

fn points(system: &str, report: &mut Report, mut at: impl FnMut(f32) -> Scores) {
    let rows = THRESHOLDS
        .iter()
        .map(|threshold| {
            let scores = at(*threshold);
            let headline = scores.headline;
            let cells = vec![
                Cell::Share(headline.precision()),
                Cell::Share(headline.recall()),
                Cell::Share(headline.f1()),
                Cell::Share(scores.false_alarms()),
            ];
            (format!("{threshold}"), cells)
        })
        .collect();
    report.add(Table {
        title: format!("The eight headline types at each score: {system}"),
        columns: &["precision", "recall", "F1", "false-alarm rate"],
        rows,
    });
}

pub(crate) fn ask(detector: &Detector, row: &Value, threshold: f32) -> Vec<Found> {
    let mut found: Vec<Finding> = Vec::new();
    let text = row["text"].as_str().unwrap_or_default();
    detector.pii(text, &TypeSet::all(), threshold, None, &mut found);
    (found.iter())
        .filter_map(|finding| match finding.kind {
            Kind::Entity(kind) => Some(Found {
                start: finding.span.start,
                end: finding.span.end,
                label: label(kind).to_owned(),
                score: finding.score,
                rule: finding.rule,
            }),
            Kind::Custom(_) => None,
        })
        .collect()
}

/// Measures all rows and reports the tables.
pub(crate) fn measure(rows: &[Value], options: &Options, report: &mut Report) {
    let detector = Detector::new();
    let mut scores = Scores::default();
    for row in rows {
        let found = ask(&detector, row, options.threshold);
        scores.judge(row, &found, |keys, what, detail, span| explain(options, keys, what, detail, span, row));
    }
    scores.tables("mesh-detect", options.threshold, report);
    points("mesh-detect", report, |threshold| {
        let mut scores = Scores::default();
        for row in rows {
            scores.judge(row, &ask(&detector, row, threshold), |_, _, _, _| {});
        }
        scores
    });
}

/// What a peer's type is called in the labels; nothing for names, dates and places, which are not compared.
fn peer_label(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "PERSON" | "LOCATION" | "DATE_TIME" | "NRP" | "URL" | "ORGANIZATION" | "UUID" => return None,
        "PHONE_NUMBER" | "ZA_MOBILE_NUMBER" | "ZA_TELEPHONE_NUMBER" => "PHONE",
        kind if kind.ends_with("PASSPORT") => "PASSPORT",
        kind if kind.contains("DRIVER") || kind.contains("DRIVING") || kind == "DE_FUEHRERSCHEIN" => {
            "DRIVER_LICENSE"
        }
        kind => EntityType::from_name(kind).map_or("NATIONAL_ID", label),
    })
}

/// The findings that `[[start, end, type, score], …]` speaks of; no score is a certain one. Types are a peer's or our own.
pub(crate) fn from_spans(spans: &Value, threshold: f32, peer: bool) -> Vec<Found> {
    let name = |kind: &str| {
        let own = || EntityType::from_name(kind).map(label);
        if peer { peer_label(kind) } else { own() }.map(str::to_owned)
    };
    let spans = spans.as_array().map(Vec::as_slice).unwrap_or_default();
    (spans.iter())
        .filter_map(|span| {
            Some(Found {
                start: span[0].as_u64()? as usize,
                end: span[1].as_u64()? as usize,
                label: name(span[2].as_str()?)?,
                score: span[3].as_f64().unwrap_or(1.0) as f32,
                rule: "peer",
            })
        })
        .filter(|found| found.score >= threshold)
        .collect()
}

/// Scores a peer's predictions like our own findings.
pub(crate) fn measure_peer(
    name: &str,
    rows: &[Value],
    predictions: &[Value],
    report: &mut Report,
) -> Result<(), String> {
    if rows.len() != predictions.len() {
        return Err(format!("{name}: {} predictions for {} rows", predictions.len(), rows.len()));
    }
    let at = |threshold: f32| {
        let mut scores = Scores::default();
        for (row, prediction) in rows.iter().zip(predictions) {
            scores.judge(row, &from_spans(prediction, threshold, true), |_, _, _, _| {});
        }
        scores
    };
    at(mesh_detect::DEFAULT_THRESHOLD).tables(name, mesh_detect::DEFAULT_THRESHOLD, report);
    points(name, report, at);
    Ok(())
}

fn same(expected: &str, found: &str) -> bool {
    expected == found
        || (matches!(expected, "PASSWORD" | "API_KEY" | "PRIVATE_KEY")
            && matches!(found, "PASSWORD" | "API_KEY" | "PRIVATE_KEY"))
}

fn explain(
    options: &Options,
    keys: &[&str],
    what: &str,
    detail: &str,
    span: std::ops::Range<usize>,
    row: &Value,
) {
    let Some(wanted) = &options.errors else { return };
    if keys.iter().any(|key| key.starts_with(wanted.as_str())) {
        let text = row["text"].as_str().unwrap_or_default();
        let value = text.get(span.clone()).unwrap_or_default();
        let mut from = span.start.saturating_sub(60);
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        let before = text.get(from..span.start).unwrap_or_default();
        println!("{what} {detail} [{value}] after [{before}] in {}", row["source"]);
    }
}
