//! Whatever snapshots come and whatever is refused in between: a client never holds a route to a cluster it does not
//! have, and once it accepts everything it ends up with what is in force.
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use mesh_xds::{Delta, Kind, Sotw};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    fixture,
    scenarios::{Seen, Variant},
};

/// A change: which clusters there are, which of them the route names, and what the client refuses until the next.
#[derive(Clone, Debug)]
struct Round {
    clusters: BTreeSet<&'static str>,
    routed: BTreeSet<&'static str>,
    refuses: Vec<bool>,
}

fn round() -> impl Strategy<Value = Round> {
    let some = || prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4);
    (some(), some(), prop::collection::vec(prop::bool::weighted(0.3), 8)).prop_map(
        |(clusters, routed, refuses)| {
            let clusters: BTreeSet<_> = clusters.into_iter().collect();
            let routed = routed.into_iter().filter(|name| clusters.contains(name)).collect();
            Round { clusters, routed, refuses }
        },
    )
}

/// A client that keeps what it accepts.
struct Client<V> {
    machine: V,
    waiting: VecDeque<Seen>,
    clusters: BTreeMap<String, String>,
    route: Option<String>,
    /// The clusters that each revision of the route names.
    routed: BTreeMap<String, BTreeSet<&'static str>>,
}

impl<V: Variant> Client<V> {
    fn start() -> Client<V> {
        let mut client = Client {
            machine: V::default(),
            waiting: VecDeque::new(),
            clusters: BTreeMap::new(),
            route: None,
            routed: BTreeMap::new(),
        };
        for (kind, names) in [(Kind::Cluster, json!([])), (Kind::Route, json!(["r"]))] {
            let step = json!({ "names": names, "subscribe": names });
            client.send(&V::compose(&step, &Default::default(), kind.type_url().to_owned()));
        }
        client
    }

    fn send(&mut self, request: &V::Request) {
        let step = self.machine.request(request, SystemTime::UNIX_EPOCH).unwrap();
        self.waiting.extend(step.responses.into_iter().map(V::seen));
    }

    fn play(&mut self, revision: usize, round: &Round, accept_all: bool) {
        let clusters: Value = round.clusters.iter().map(|name| ((*name).to_owned(), json!(1))).collect();
        let snapshot = json!({
            "version": revision.to_string(), "clusters": clusters,
            "routes": { "r": { "revision": revision, "clusters": round.routed } },
        });
        self.routed.insert(revision.to_string(), round.routed.clone());
        let step = self.machine.snapshot(Arc::new(fixture::snapshot(&snapshot)));
        self.waiting.extend(step.responses.into_iter().map(V::seen));
        let mut refuses = round.refuses.iter();
        let mut answers = 0;
        while let Some(response) = self.waiting.pop_front() {
            answers += 1;
            assert!(answers < 50, "responses never end");
            // What only removes can't be refused: there is nothing in it.
            let refused = !accept_all && !response.resources.is_empty() && *refuses.next().unwrap_or(&false);
            let names = if response.kind == Kind::Route { vec!["r".to_owned()] } else { Vec::new() };
            let answer = V::answer(&response, refused.then_some("no"), &names, "");
            if !refused {
                self.accept(response);
            }
            self.send(&answer);
        }
    }

    fn accept(&mut self, response: Seen) {
        if response.kind == Kind::Route {
            self.route = response.resources.into_iter().map(|r| r.1).next().or(self.route.take());
        } else {
            if V::PROTOCOL == mesh_xds::Protocol::Sotw {
                self.clusters.clear();
            }
            self.clusters.extend(response.resources.into_iter().map(|r| (r.0, r.1)));
            self.clusters.retain(|name, _| !response.removed.contains(name));
        }
        for name in self.route.iter().flat_map(|revision| &self.routed[revision]) {
            assert!(self.clusters.contains_key(*name), "a route leads to `{name}`, which is not there");
        }
    }
}

fn converges<V: Variant>(rounds: &[Round]) {
    let mut client = Client::<V>::start();
    for (number, round) in rounds.iter().enumerate() {
        client.play(number + 1, round, number == 0);
    }
    // Something must change for what was refused to be offered again: here both types do.
    let last =
        Round { clusters: BTreeSet::from(["last"]), routed: BTreeSet::from(["last"]), refuses: Vec::new() };
    client.play(rounds.len() + 1, &last, true);
    assert_eq!(client.clusters.keys().collect::<Vec<_>>(), ["last"]);
    assert_eq!(client.route, Some((rounds.len() + 1).to_string()));
    for status in client.machine.status().into_values() {
        assert_eq!(status.acked_version, Some((rounds.len() + 1).to_string()));
        assert_eq!(status.nacked, None);
    }
}

proptest! {
    #[test]
    fn incremental(rounds in prop::collection::vec(round(), 1..8)) {
        converges::<Delta>(&rounds);
    }

    #[test]
    fn state_of_the_world(rounds in prop::collection::vec(round(), 1..8)) {
        converges::<Sotw>(&rounds);
    }
}
