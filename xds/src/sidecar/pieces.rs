//! Cuts a bundle into pieces by content-defined chunking: wherever a new version inserts or removes something, most of its pieces are
//! those of the version before, and are not sent again.
use std::collections::BTreeMap;

use fastcdc::v2020::FastCDC;

use crate::{
    snapshot::hash,
    v1::{PolicyBundle, PolicyBundlePiece},
};

/// Bytes of a piece: at least, on average, and at most. Smaller pieces would cost more in names than they save.
const SIZES: [usize; 3] = [1024, 4096, 16_384];

/// The bundle of this name, and its pieces, each once.
pub(super) fn cut(name: &str, text: &[u8]) -> (PolicyBundle, Vec<PolicyBundlePiece>) {
    let [fewest, usual, most] = SIZES;
    let mut pieces = BTreeMap::new();
    let mut names = Vec::new();
    for chunk in FastCDC::new(text, fewest, usual, most) {
        let content = text.get(chunk.offset..chunk.offset + chunk.length).unwrap_or_default();
        let name = hash([content]);
        names.push(name.clone());
        pieces.insert(name, content.to_vec());
    }
    let pieces = pieces.into_iter().map(|(name, content)| PolicyBundlePiece { name, content }).collect();
    (PolicyBundle { name: name.to_owned(), pieces: names }, pieces)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn together(bundle: &PolicyBundle, pieces: &[PolicyBundlePiece]) -> Vec<u8> {
        let piece = |name: &String| {
            pieces.iter().find(|piece| piece.name == *name).expect("a piece that is named is there")
        };
        bundle.pieces.iter().flat_map(|name| piece(name).content.clone()).collect()
    }

    fn policies(changed: usize) -> String {
        let policy = |number: usize| {
            let limit = if number == changed { 7 } else { 60 };
            format!(
                r#"{{"id":"policy-{number}","rules":[{{"pii":{{"types":["ssn"]}}}},{{"rateLimit":{{"requestsPerMinute":{limit}}}}}]}},"#
            )
        };
        (0..10_000).map(policy).collect()
    }

    #[test]
    fn a_change_makes_few_pieces_new() {
        let (before, old) = cut("a", policies(10_000).as_bytes());
        assert!(old.len() > 100, "{}", old.len());
        for changed in [0, 1234, 9_999] {
            let text = policies(changed);
            let (after, new) = cut("a", text.as_bytes());
            assert_eq!(together(&after, &new), text.as_bytes());
            let fresh: Vec<_> = new.iter().filter(|piece| !old.contains(piece)).collect();
            let bytes: usize = fresh.iter().map(|piece| piece.content.len()).sum();
            assert!(!fresh.is_empty() && bytes <= 3 * 16_384, "{} pieces, {bytes} bytes", fresh.len());
        }
        assert_eq!(cut("a", policies(10_000).as_bytes()), (before, old), "the same text is cut alike");
    }

    #[test]
    fn what_is_said_twice_is_sent_once() {
        let text = vec![b'x'; 200_000];
        let (bundle, pieces) = cut("a", &text);
        assert!(bundle.pieces.len() > pieces.len());
        assert_eq!(together(&bundle, &pieces), text);
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole(text in prop::collection::vec(any::<u8>(), 0..100_000)) {
            let (bundle, pieces) = cut("a", &text);
            prop_assert_eq!(together(&bundle, &pieces), text);
        }
    }
}
