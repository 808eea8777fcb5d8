//! What detection costs, in time a text of about a kilobyte.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::LazyLock;

use divan::counter::BytesCount;
use mesh_detect::{DEFAULT_THRESHOLD, Detector, Sensitivity, Source, TypeSet};

static DETECTOR: LazyLock<Detector> = LazyLock::new(Detector::new);

/// Texts of a kilobyte or more: prose without a digit, a chat request, a log full of numbers, prose in another script,
/// and prose with findings.
const TEXTS: [&str; 5] = ["prose", "chat", "log", "cyrillic", "personal"];

fn text(name: &str) -> String {
    let unit = match name {
        "prose" => {
            "The committee met in the old library to talk about the garden, and nobody could agree on roses. "
        }
        "chat" => {
            r#"{"role":"user","content":"Could you summarise the attached report for me, in about 200 words?"},"#
        }
        "log" => "2026-11-24T18:19:55.123Z INFO req=7f3a9c took 12.5ms status=200 bytes=48213 id=1755137933 ",
        "cyrillic" => "Комитет собрался в старой библиотеке, чтобы поговорить о саде и о розах. ",
        _ => "Ada (ada@example.com, +44 20 7946 0958) paid with 4111 1111 1111 1111 and left. ",
    };
    unit.repeat(1024_usize.div_ceil(unit.len()))
}

#[divan::bench(args = TEXTS)]
fn pii(bencher: divan::Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let mut out = Vec::with_capacity(64);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        out.clear();
        DETECTOR.pii(divan::black_box(&text), &TypeSet::all(), DEFAULT_THRESHOLD, None, &mut out);
        out.len()
    });
}

#[divan::bench(args = TEXTS)]
fn injection(bencher: divan::Bencher<'_, '_>, name: &str) {
    let text = text(name);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| DETECTOR.injection(divan::black_box(&text), Source::User, Sensitivity::Medium, None));
}

#[divan::bench(args = TEXTS)]
fn holdback(bencher: divan::Bencher<'_, '_>, name: &str) {
    let text = text(name);
    bencher.bench_local(|| DETECTOR.holdback(divan::black_box(&text), &TypeSet::all()));
}

/// The least that can be done with a text: copy it.
#[divan::bench(args = TEXTS)]
fn memcpy(bencher: divan::Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let mut copy = vec![0_u8; text.len()];
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        copy.copy_from_slice(divan::black_box(text.as_bytes()));
        divan::black_box(&mut copy).len()
    });
}

/// Eight plain patterns without any validation, as a first filter would have them.
#[divan::bench(args = TEXTS)]
fn regex_set(bencher: divan::Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let set = regex::RegexSet::new([
        r"(?-u)\b\d{3}-\d{2}-\d{4}\b",
        r"(?-u)\b(?:\d[ -]?){13,19}\b",
        r"(?-u)\b[\w.+-]+@[\w-]+\.[\w.-]+\b",
        r"(?-u)\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
        r"(?-u)\b(?:\d{1,3}\.){3}\d{1,3}\b",
        r"(?-u)\+?\d[\d ()-]{7,14}\d\b",
        r"(?-u)\b(?:ghp_|sk-|AKIA|xox[bp]-)[\w-]{16,}\b",
        r"(?-u)-----BEGIN [A-Z ]*PRIVATE KEY-----",
    ])
    .unwrap();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| set.is_match(divan::black_box(&text)));
}

#[divan::bench]
fn build() -> Detector {
    Detector::new()
}

fn main() {
    divan::main();
}
