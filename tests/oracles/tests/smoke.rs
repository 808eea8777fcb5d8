//! Every target over its seeds, over mutations of them, and over every input that once broke it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::path::Path;

use mesh_oracles::{ORACLES, oracle};
use proptest::prelude::*;

/// What mutations put in: bytes that mean something in one format or another.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u0035",
    b"\\ud83d",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"data: ",
    b"0",
    b"-",
    b"1e5",
    b"null",
    b"\xFF",
    b"\x00",
    b"\xE2\x80\x8B",
    b"536-90-4399",
    b"%35",
    b"&#53;",
    b"+",
    b"=",
    b"&",
    b"\xEF\xBB\xBF",
    b"a",
];

#[derive(Debug, Clone)]
enum Change {
    Insert(usize, usize),
    Cut(usize, usize),
    Flip(usize, u8),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), 0..TOKENS.len()).prop_map(|(at, token)| Change::Insert(at, token)),
        (any::<usize>(), 1_usize..12).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (any::<usize>(), 1_usize..20).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |at: usize| at % (bytes.len() + 1);
        match *change {
            Change::Insert(at, token) => {
                let at = place(at);
                bytes.splice(at..at, TOKENS[token].iter().copied());
            }
            Change::Cut(at, length) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + length));
            }
            Change::Flip(at, bits) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Change::Repeat(at, length) => {
                let at = place(at);
                let again = bytes[at..bytes.len().min(at + length)].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

#[test]
fn seeds_hold() {
    let mut broken = Vec::new();
    for oracle in ORACLES {
        let seeds = (oracle.seeds)();
        assert!(!seeds.is_empty(), "{}", oracle.name);
        for (number, seed) in seeds.iter().enumerate() {
            if std::panic::catch_unwind(|| (oracle.check)(seed)).is_err() {
                broken.push(format!("{} {number}: {:?}", oracle.name, String::from_utf8_lossy(seed)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Every file in `tests/corpus/fuzz/<target>` is an input that once broke that target.
#[test]
fn what_once_broke_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/fuzz");
    let mut inputs = 0;
    for folder in std::fs::read_dir(&corpus).unwrap().map(Result::unwrap) {
        let name = folder.file_name().into_string().unwrap();
        let oracle = oracle(&name).unwrap_or_else(|| panic!("tests/corpus/fuzz/{name} belongs to no target"));
        for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            let held = std::panic::catch_unwind(|| (oracle.check)(&std::fs::read(file.path()).unwrap()));
            assert!(held.is_ok(), "{}", file.path().display());
            inputs += 1;
        }
    }
    assert!(inputs > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutations_hold(
        target in 0..ORACLES.len(),
        seed in any::<prop::sample::Index>(),
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let oracle = &ORACLES[target];
        let seeds = (oracle.seeds)();
        let input = changed(seeds[seed.index(seeds.len())].clone(), &changes);
        let held = std::panic::catch_unwind(|| (oracle.check)(&input));
        prop_assert!(held.is_ok(), "{} does not hold for {:?}", oracle.name, String::from_utf8_lossy(&input));
    }
}
