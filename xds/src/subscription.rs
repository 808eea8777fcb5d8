//! What a client wants of one resource type: names, the wildcard, and the old rule by which saying nothing means all
//! (xDS protocol, "How the client specifies what resources to return").
use std::collections::BTreeSet;

/// The name that means all resources.
pub(crate) const WILDCARD: &str = "*";

/// A subscription to resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    wildcard: bool,
    names: BTreeSet<String>,
    /// A name was subscribed to once: an empty list does not mean all any more.
    named: bool,
    has_wildcard: bool,
}

/// What a request changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// The wildcard was subscribed to, maybe again.
    pub(crate) wildcard: bool,
    /// Names that were subscribed to, maybe again (in the state-of-the-world variant only new ones).
    pub(crate) subscribed: Vec<String>,
    /// Names that were unsubscribed from.
    pub(crate) unsubscribed: Vec<String>,
}

impl Subscription {
    /// A subscription to nothing, of a type that has the wildcard or has not.
    pub(crate) fn new(has_wildcard: bool) -> Subscription {
        Subscription { has_wildcard, ..Subscription::default() }
    }

    /// Whether a resource is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Whether all resources are wanted.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The names wanted by name.
    pub(crate) fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// State of the world: the request holds the whole list.
    pub(crate) fn replace(&mut self, names: &[String]) -> Change {
        self.named |= !names.is_empty();
        let wildcard = self.has_wildcard && (!self.named || names.iter().any(|n| n == WILDCARD));
        let names: BTreeSet<String> = names.iter().filter(|n| *n != WILDCARD).cloned().collect();
        let change = Change {
            wildcard: wildcard && !self.wildcard,
            subscribed: names.difference(&self.names).cloned().collect(),
            unsubscribed: self.names.difference(&names).cloned().collect(),
        };
        self.wildcard = wildcard;
        self.names = names;
        change
    }

    /// Incremental: the request holds what changes. A name in both lists ends up subscribed to. `first`: it is the
    /// first request of this type on the stream.
    pub(crate) fn update(&mut self, subscribe: &[String], unsubscribe: &[String], first: bool) -> Change {
        let mut change = Change::default();
        for name in unsubscribe {
            if name == WILDCARD {
                self.wildcard = false;
            } else if self.names.remove(name) {
                change.unsubscribed.push(name.clone());
            }
        }
        if first && subscribe.is_empty() && unsubscribe.is_empty() {
            self.wildcard = self.has_wildcard;
            change.wildcard = self.wildcard;
        }
        for name in subscribe {
            if name != WILDCARD {
                self.names.insert(name.clone());
                change.subscribed.push(name.clone());
            } else if self.has_wildcard {
                self.wildcard = true;
                change.wildcard = true;
            }
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn sotw_lists_as_the_protocol_page_reads_them() {
        // Each list in turn, whether it then means all resources, and the names it holds.
        let story: &[(&[&str], bool, &[&str])] = &[
            (&[], true, &[]),
            (&["*", "A"], true, &["A"]),
            (&["A"], false, &["A"]),
            (&[], false, &[]),
            (&["*"], true, &[]),
            (&[], false, &[]),
        ];
        let mut subscription = Subscription::new(true);
        for (step, (names, wildcard, kept)) in story.iter().enumerate() {
            subscription.replace(&owned(names));
            assert_eq!(subscription.is_wildcard(), *wildcard, "step {step}");
            assert_eq!(
                subscription.names().iter().collect::<Vec<_>>(),
                owned(kept).iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn incremental_lists_as_the_protocol_page_reads_them() {
        type Step<'a> = (&'a [&'a str], &'a [&'a str], bool, &'a [&'a str]);
        // What is added and what is dropped; then whether all are wanted, and which by name.
        let story: &[Step<'_>] = &[
            (&[], &[], true, &[]),
            (&["A"], &[], true, &["A"]),
            (&[], &["*"], false, &["A"]),
            (&[], &["A"], false, &[]),
            (&[], &[], false, &[]),
            (&["*"], &[], true, &[]),
            (&[], &["never"], true, &[]),
        ];
        let mut subscription = Subscription::new(true);
        for (step, (on, off, wildcard, kept)) in story.iter().enumerate() {
            subscription.update(&owned(on), &owned(off), step == 0);
            assert_eq!(subscription.is_wildcard(), *wildcard, "step {step}");
            assert_eq!(
                subscription.names().iter().collect::<Vec<_>>(),
                owned(kept).iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn only_listeners_and_clusters_have_the_wildcard() {
        let mut subscription = Subscription::new(false);
        assert_eq!(subscription.replace(&[]), Change::default());
        assert!(!subscription.replace(&owned(&["*", "A"])).wildcard);
        assert!(!subscription.wants("B") && !subscription.wants("*") && subscription.wants("A"));
        let mut subscription = Subscription::new(false);
        subscription.update(&[], &[], true);
        assert!(!subscription.is_wildcard());
        subscription.update(&owned(&["*"]), &[], false);
        assert!(!subscription.is_wildcard());
    }
}
