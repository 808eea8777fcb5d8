//! Earlier verdicts: a conversation sends its whole history with every turn, and a tool listing is the same each
//! time. A text is recognised by a keyed digest, per guard and source.
//!
//! Bounded: for each kind two generations of [`GENERATION`] verdicts; when the younger is full, it replaces the
//! older. Each program has its own, so a change of policy starts with none. The key is the VM's secret: without it
//! nobody can construct a text that is mistaken for another. Texts are not kept.
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use mesh_detect::{Finding, InjectionFinding, Source};
use mesh_wire::Message;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::program::{InjectionGuard, PiiGuard, Program};

/// Number of verdicts in a generation.
const GENERATION: usize = 4096;
/// A shorter text is judged about as quickly as it is recognised, in bytes.
const WORTH_IT: usize = 64;
/// A text with more findings is judged anew each time, to keep the memory small.
const MAX_FINDINGS: usize = 8;

/// A text's keyed digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Digest(u128);

/// A guard of the program: the index of its policy, and its index in that policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GuardPlace {
    pub(crate) policy: usize,
    pub(crate) guard: usize,
}

/// The verdicts of one program.
pub(crate) struct Seen {
    key: [u8; 16],
    pii: Generations<(Digest, GuardPlace), Box<[Finding]>>,
    /// The same words weigh differently from another source.
    injection: Generations<(Digest, GuardPlace, Source), Option<InjectionFinding>>,
}

impl Seen {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Seen { key, pii: Generations::new(), injection: Generations::new() }
    }

    fn digest(&self, text: &str) -> Option<Digest> {
        (text.len() >= WORTH_IT).then(|| {
            let mut hasher = SipHasher24::new_with_key(&self.key);
            hasher.write(text.as_bytes());
            Digest(hasher.finish128().as_u128())
        })
    }
}

impl Program {
    /// The digests of a message's segments; `None` for short ones. Empty if the program does not remember.
    pub(crate) fn digests(&self, message: &Message) -> Vec<Option<Digest>> {
        let Some(seen) = &self.seen else { return Vec::new() };
        message.segments.iter().map(|segment| seen.digest(&segment.text)).collect()
    }

    /// The digest of one text; `None` if it is short or the program does not remember.
    pub(crate) fn digest_of(&self, text: &str) -> Option<Digest> {
        self.seen.as_ref()?.digest(text)
    }

    /// Judges a text for injection, or returns the earlier verdict. With a judge, doubtful findings are returned too.
    pub(crate) fn injection(
        &self,
        (place, guard): (GuardPlace, &InjectionGuard),
        digest: Option<Digest>,
        text: &str,
        source: Source,
    ) -> Option<InjectionFinding> {
        let phrases = guard.phrases.as_ref();
        let judge = || {
            let text = &*guard.without_ignored(text);
            match &guard.judge {
                Some(judge) => self.detector.injection_from(text, source, judge.from, phrases),
                None => self.detector.injection(text, source, guard.sensitivity, phrases),
            }
        };
        match (&self.seen, digest) {
            (Some(seen), Some(digest)) => seen.injection.get((digest, place, source)).unwrap_or_else(|| {
                let found = judge();
                seen.injection.put((digest, place, source), found.clone());
                found
            }),
            _ => judge(),
        }
    }

    /// Finds personal data in a text, or returns the earlier findings. Clears `found` first.
    pub(crate) fn pii(
        &self,
        (place, guard): (GuardPlace, &PiiGuard),
        digest: Option<Digest>,
        text: &str,
        found: &mut Vec<Finding>,
    ) {
        let (Some(seen), Some(digest)) = (&self.seen, digest) else {
            return guard.find_whole(&self.detector, text, found);
        };
        match seen.pii.get((digest, place)) {
            Some(known) => {
                found.clear();
                found.extend(known);
            }
            None => {
                guard.find_whole(&self.detector, text, found);
                if found.len() <= MAX_FINDINGS {
                    seen.pii.put((digest, place), found.as_slice().into());
                }
            }
        }
    }
}

/// A bounded map that keeps what is used.
struct Generations<K, V> {
    young: RefCell<Generation<K, V>>,
    old: RefCell<Generation<K, V>>,
}

type Generation<K, V> = HashMap<K, V, BuildHasherDefault<Mixed>>;

/// A hasher for keys that contain a keyed digest: nobody else can choose its bits, so they only need to be combined.
#[derive(Default)]
struct Mixed(u64);

impl Mixed {
    fn mix(&mut self, value: u64) {
        // The upper bits of a product depend on all input bits; hashbrown uses both ends.
        self.0 = (self.0.rotate_left(32) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u128(&mut self, value: u128) {
        self.mix(value as u64);
        self.mix((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }
}

impl<K: std::hash::Hash + Eq + Copy, V: Clone> Generations<K, V> {
    fn new() -> Self {
        Generations { young: RefCell::default(), old: RefCell::default() }
    }

    fn get(&self, key: K) -> Option<V> {
        if let Some(value) = self.young.borrow().get(&key) {
            return Some(value.clone());
        }
        let value = self.old.borrow_mut().remove(&key)?;
        self.put(key, value.clone());
        Some(value)
    }

    fn put(&self, key: K, value: V) {
        let mut young = self.young.borrow_mut();
        if young.len() >= GENERATION {
            *self.old.borrow_mut() = std::mem::take(&mut *young);
        }
        young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let map = Generations::new();
        for number in 0..20 * GENERATION {
            map.put(number, number);
            assert_eq!(map.get(7), (number >= 7).then_some(7), "after {number}");
        }
        assert_eq!(map.get(8), None);
        let kept = map.young.borrow().len() + map.old.borrow().len();
        assert!(kept <= 2 * GENERATION, "{kept} are kept");
    }

    #[test]
    fn digests_depend_on_text_and_key_and_leave_short_texts_alone() {
        let (one, other) = (Seen::new([1; 16]), Seen::new([2; 16]));
        let long = "x".repeat(WORTH_IT);
        assert_eq!(one.digest(&long), one.digest(&long.clone()));
        assert_ne!(one.digest(&long), one.digest(&format!("{long}x")));
        assert_ne!(one.digest(&long), other.digest(&long));
        assert_eq!(one.digest("short"), None);
    }
}
