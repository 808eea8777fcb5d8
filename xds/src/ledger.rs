//! The state of one resource type on one stream: what the client wants, what it was sent, and what it answered.
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use crate::{
    Kind, Nack, TypeStatus, Verdict,
    snapshot::{Resource, ResourceSet},
    subscription::{Change, Subscription},
};

/// Responses of one type that may be in flight before changes are held back. Two hide the round trip; more would queue
/// configurations that are out of date before the client sees them.
const MAX_IN_FLIGHT: usize = 2;

/// In-flight responses that are remembered; only a client that never answers reaches this.
const MAX_REMEMBERED: usize = 16;

/// What is known of one resource type on one stream, like a ledger of what the server owes the client.
#[derive(Debug)]
pub(crate) struct Ledger {
    kind: Kind,
    pub(crate) subscription: Subscription,
    /// What the client was told of each name.
    told: BTreeMap<String, Told>,
    /// Names that the client asked for and must be sent, even if it has them.
    owed: BTreeSet<String>,
    /// A response is due even if it is empty.
    answer_owed: bool,
    in_flight: VecDeque<InFlight>,
    /// Names in refused responses that were not accepted since.
    refused: BTreeSet<String>,
    /// Content version of the last refused response.
    refused_version: String,
    /// The client has accepted something, on this stream or an earlier one.
    accepted: bool,
    /// A response of this type was sent on this stream.
    answered: bool,
    pub(crate) status: TypeStatus,
}

/// What the client was told of a name.
#[derive(Debug)]
enum Told {
    /// It has this version. The resource itself is known only when it was sent on this stream.
    Version(String, Option<Arc<Resource>>),
    /// There is no such resource.
    Absent,
}

/// A response that was not answered yet.
#[derive(Debug)]
struct InFlight {
    nonce: String,
    label: String,
    content: String,
    names: Vec<String>,
}

/// How what the client was told differs from the snapshot.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Resources the client asked for.
    pub(crate) owed: Vec<Arc<Resource>>,
    /// Other resources that are new or have changed.
    pub(crate) changed: Vec<Arc<Resource>>,
    /// Names the client asked for that do not exist.
    pub(crate) missing: Vec<String>,
    /// Names the client has that no longer exist.
    pub(crate) gone: Vec<String>,
}

impl Ledger {
    pub(crate) fn new(kind: Kind) -> Ledger {
        Ledger {
            kind,
            subscription: Subscription::new(kind.has_wildcard()),
            told: BTreeMap::new(),
            owed: BTreeSet::new(),
            answer_owed: false,
            in_flight: VecDeque::new(),
            refused: BTreeSet::new(),
            refused_version: String::new(),
            accepted: false,
            answered: false,
            status: TypeStatus::default(),
        }
    }

    /// The nonce of the newest response.
    pub(crate) fn last_nonce(&self) -> Option<&str> {
        self.status.last_nonce.as_deref()
    }

    /// Notes that the client has a version from an earlier stream.
    pub(crate) fn claim(&mut self, name: &str, version: &str) {
        self.accepted = true;
        self.told.insert(name.to_owned(), Told::Version(version.to_owned(), None));
    }

    /// Notes that the client holds the whole set, from an earlier stream.
    pub(crate) fn claim_all(&mut self, set: &ResourceSet) {
        self.accepted = true;
        self.answer_owed = false;
        for resource in set.by_name.values() {
            self.record(resource);
        }
    }

    pub(crate) fn knows_nothing(&self) -> bool {
        self.told.is_empty()
    }

    pub(crate) fn was_told(&self, name: &str, version: &str) -> bool {
        matches!(self.told.get(name), Some(Told::Version(told, _)) if told == version)
    }

    pub(crate) fn has_claim(&self, name: &str) -> bool {
        matches!(self.told.get(name), Some(Told::Version(..)))
    }

    pub(crate) fn owe(&mut self, name: &str) {
        self.owed.insert(name.to_owned());
    }

    /// Owes everything that was sent: the client asked for all of it again.
    pub(crate) fn owe_all(&mut self) {
        self.owed.extend(self.told.keys().cloned());
    }

    /// Whether an answer is due to a request, even an empty one.
    pub(crate) fn set_answer_owed(&mut self, owed: bool) {
        self.answer_owed = owed;
    }

    /// Stops owing names that do not exist, in the variant that cannot say so. They are sent when they appear.
    pub(crate) fn stop_owing(&mut self, names: &[String]) {
        names.iter().for_each(|name| {
            self.owed.remove(name);
        });
    }

    pub(crate) fn owes_answer(&self) -> bool {
        self.answer_owed
    }

    /// Forgets what the client no longer wants, so that it is sent again when the client wants it again.
    pub(crate) fn forget_unwanted(&mut self) {
        let subscription = &self.subscription;
        self.told.retain(|name, _| subscription.wants(name));
        self.owed.retain(|name| subscription.wants(name));
        self.refused.retain(|name| subscription.wants(name));
    }

    /// Marks what a changed subscription makes due.
    pub(crate) fn owe_change(&mut self, change: &Change) {
        change.subscribed.iter().for_each(|name| self.owe(name));
        self.answer_owed |= change.wildcard;
    }

    /// Compares what the client was told with the snapshot.
    pub(crate) fn difference(&self, set: &ResourceSet) -> Difference {
        let mut difference = Difference::default();
        for (name, resource) in &set.by_name {
            if self.owed.contains(name) {
                difference.owed.push(resource.clone());
            } else if self.subscription.wants(name) && !self.was_told(name, &resource.version) {
                difference.changed.push(resource.clone());
            }
        }
        let absent = |name: &&String| !set.by_name.contains_key(*name);
        difference.missing.extend(self.owed.iter().filter(absent).cloned());
        for name in self.told.keys().filter(absent) {
            if self.has_claim(name) && !self.owed.contains(name) {
                difference.gone.push(name.clone());
            }
        }
        difference
    }

    /// The resources the client has that no longer exist: full-state responses repeat them until nothing references them.
    pub(crate) fn retained(&self, gone: &[String]) -> Vec<Arc<Resource>> {
        let resource = |name: &String| match self.told.get(name) {
            Some(Told::Version(_, resource)) => resource.clone(),
            _ => None,
        };
        gone.iter().filter_map(resource).collect()
    }

    /// Whether changes are held back because the client has not answered yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.len() >= MAX_IN_FLIGHT
    }

    /// Whether the client has accepted everything it was sent that is still in force.
    pub(crate) fn is_settled(&self) -> bool {
        self.in_flight.is_empty() && self.refused.is_empty()
    }

    /// Whether a response of the type was sent on this stream, or the client has one from an earlier stream.
    pub(crate) fn has_base(&self) -> bool {
        self.answered || self.accepted
    }

    /// Records a response. `sent` are the resources that are new to the client, `removed` the names it is told to remove.
    pub(crate) fn enter(
        &mut self,
        nonce: &str,
        label: &str,
        set: &ResourceSet,
        sent: &[Arc<Resource>],
        removed: &[String],
    ) {
        for resource in sent {
            self.record(resource);
            self.owed.remove(&resource.name);
        }
        for name in removed {
            self.drop_name(name);
        }
        self.answer_owed = false;
        self.answered = true;
        self.in_flight.push_back(InFlight {
            nonce: nonce.to_owned(),
            label: label.to_owned(),
            content: set.version.clone(),
            names: sent.iter().map(|r| r.name.clone()).collect(),
        });
        if self.in_flight.len() > MAX_REMEMBERED {
            self.in_flight.pop_front();
        }
        self.status.last_nonce = Some(nonce.to_owned());
        self.status.sent_version = Some(label.to_owned());
    }

    /// Notes that a name is gone without telling the client.
    pub(crate) fn drop_name(&mut self, name: &str) {
        self.owed.remove(name);
        self.refused.remove(name);
        if self.subscription.names().contains(name) {
            self.told.insert(name.to_owned(), Told::Absent);
        } else {
            self.told.remove(name);
        }
    }

    /// Notes that nothing differs: what the client has is what the snapshot of this label holds.
    pub(crate) fn notice(&mut self, label: &str) -> Option<Verdict> {
        if self.has_base() {
            self.status.sent_version = Some(label.to_owned());
        }
        if !self.is_settled() || !self.accepted || self.status.acked_version.as_deref() == Some(label) {
            return None;
        }
        self.status.acked_version = Some(label.to_owned());
        Some(Verdict::Acked { kind: self.kind, version: label.to_owned() })
    }

    /// Takes the client's ACK or NACK of a response; `None` if no response with this nonce waits for one. Clients answer in the order
    /// of the responses, so earlier ones need no answer any more.
    pub(crate) fn settle(&mut self, nonce: &str, error: Option<&str>, now: SystemTime) -> Option<Verdict> {
        let place = self.in_flight.iter().position(|r| r.nonce == nonce)?;
        let response = self.in_flight.drain(..=place).next_back()?;
        if let Some(message) = error {
            self.refused.extend(response.names);
            self.refused_version = response.content;
            let message = Nack::shorten(message);
            self.status.nacked =
                Some(Nack { version: response.label.clone(), message: message.clone(), at: now });
            return Some(Verdict::Nacked { kind: self.kind, version: response.label, message });
        }
        response.names.iter().for_each(|name| {
            self.refused.remove(name);
        });
        if !self.refused.is_empty() {
            return None;
        }
        self.accepted = true;
        self.status.nacked = None;
        let news = self.status.acked_version.as_ref() != Some(&response.label);
        self.status.acked_version = Some(response.label.clone());
        news.then_some(Verdict::Acked { kind: self.kind, version: response.label })
    }

    /// Looks at a new snapshot after a NACK. Which resource of a refused response was bad is not known, so all of them are offered
    /// once more when the content of the type changes, and never otherwise.
    pub(crate) fn reoffer(&mut self, set: &ResourceSet, forget_gone: bool) {
        if self.refused.is_empty() || self.refused_version == set.version {
            return;
        }
        for name in std::mem::take(&mut self.refused) {
            if forget_gone && !set.by_name.contains_key(&name) {
                self.told.remove(&name);
                self.answer_owed |= self.kind.is_full_state();
            } else if let Some(Told::Version(version, _)) = self.told.get_mut(&name) {
                // It counts as changed, not as asked for: it waits its turn.
                version.clear();
            }
        }
    }

    fn record(&mut self, resource: &Arc<Resource>) {
        self.told
            .insert(resource.name.clone(), Told::Version(resource.version.clone(), Some(resource.clone())));
    }
}
