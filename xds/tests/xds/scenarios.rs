//! The scenarios of `tests/xds/scenarios`, played against the state machines themselves.
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use envoy_types::pb::{
    envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    },
    google::rpc::Status,
};
use mesh_xds::{Delta, Kind, Machine, Snapshot, Sotw};
use serde_json::Value;

use crate::fixture;

/// What both variants' responses have in common.
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) nonce: String,
    pub(crate) version: String,
    /// Name, revision and version of each resource.
    pub(crate) resources: Vec<(String, String, String)>,
    pub(crate) removed: Vec<String>,
}

/// A variant, as far as scenarios differ by it.
pub(crate) trait Variant: Machine {
    fn compose(step: &Value, kept: &HashMap<String, Seen>, type_url: String) -> Self::Request;
    fn answer(seen: &Seen, error: Option<&str>, names: &[String], version: &str) -> Self::Request;
    fn seen(response: Self::Response) -> Seen;
}

impl Variant for Sotw {
    fn compose(step: &Value, kept: &HashMap<String, Seen>, type_url: String) -> DiscoveryRequest {
        DiscoveryRequest {
            type_url,
            resource_names: strings(&step["names"]),
            version_info: resolve(&step["version"], kept, |seen| &seen.version),
            response_nonce: resolve(&step["nonce"], kept, |seen| &seen.nonce),
            error_detail: error(step["error"].as_str()),
            ..DiscoveryRequest::default()
        }
    }

    fn answer(seen: &Seen, message: Option<&str>, names: &[String], version: &str) -> DiscoveryRequest {
        DiscoveryRequest {
            type_url: seen.kind.type_url().to_owned(),
            resource_names: names.to_vec(),
            version_info: if message.is_some() { version.to_owned() } else { seen.version.clone() },
            response_nonce: seen.nonce.clone(),
            error_detail: error(message),
            ..DiscoveryRequest::default()
        }
    }

    fn seen(response: DiscoveryResponse) -> Seen {
        let kind = Kind::from_type_url(&response.type_url).unwrap();
        let name = |body| {
            let (name, revision) = fixture::name_and_revision(kind, body);
            (name, revision, String::new())
        };
        Seen {
            kind,
            nonce: response.nonce,
            version: response.version_info,
            resources: response.resources.iter().map(name).collect(),
            removed: Vec::new(),
        }
    }
}

impl Variant for Delta {
    fn compose(step: &Value, kept: &HashMap<String, Seen>, type_url: String) -> DeltaDiscoveryRequest {
        let initial = step["initial"].as_object().into_iter().flatten().map(|(name, version)| {
            let version =
                resolve(version, kept, |seen| &seen.resources.iter().find(|r| r.0 == *name).unwrap().2);
            (name.clone(), version)
        });
        DeltaDiscoveryRequest {
            type_url,
            resource_names_subscribe: strings(&step["subscribe"]),
            resource_names_unsubscribe: strings(&step["unsubscribe"]),
            initial_resource_versions: initial.collect(),
            response_nonce: resolve(&step["nonce"], kept, |seen| &seen.nonce),
            error_detail: error(step["error"].as_str()),
            ..DeltaDiscoveryRequest::default()
        }
    }

    fn answer(seen: &Seen, message: Option<&str>, _: &[String], _: &str) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            type_url: seen.kind.type_url().to_owned(),
            response_nonce: seen.nonce.clone(),
            error_detail: error(message),
            ..DeltaDiscoveryRequest::default()
        }
    }

    fn seen(response: DeltaDiscoveryResponse) -> Seen {
        let kind = Kind::from_type_url(&response.type_url).unwrap();
        let resource = |resource: envoy_types::pb::envoy::service::discovery::v3::Resource| {
            let (name, revision) = fixture::name_and_revision(kind, &resource.resource.unwrap());
            assert_eq!(name, resource.name);
            (name, revision, resource.version)
        };
        Seen {
            kind,
            nonce: response.nonce,
            version: response.system_version_info,
            resources: response.resources.into_iter().map(resource).collect(),
            removed: response.removed_resources,
        }
    }
}

fn error(message: Option<&str>) -> Option<Status> {
    message.map(|message| Status { message: message.to_owned(), ..Status::default() })
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn resolve(value: &Value, kept: &HashMap<String, Seen>, field: impl Fn(&Seen) -> &String) -> String {
    let text = value.as_str().unwrap_or_default();
    text.strip_prefix('$').map_or(text.to_owned(), |name| field(&kept[name]).clone())
}

/// A client and a server without anything in between.
struct Play<V> {
    machine: V,
    in_force: Option<Arc<Snapshot>>,
    responses: VecDeque<Seen>,
    kept: HashMap<String, Seen>,
    names: BTreeMap<Kind, Vec<String>>,
    accepted: BTreeMap<Kind, String>,
}

impl<V: Variant> Play<V> {
    fn new() -> Play<V> {
        Play {
            machine: V::default(),
            in_force: None,
            responses: VecDeque::new(),
            kept: HashMap::new(),
            names: BTreeMap::new(),
            accepted: BTreeMap::new(),
        }
    }

    fn send(&mut self, request: &V::Request) {
        let step = self.machine.request(request, SystemTime::UNIX_EPOCH).unwrap();
        self.responses.extend(step.responses.into_iter().map(V::seen));
    }

    fn announce(&mut self) {
        if let Some(snapshot) = self.in_force.clone() {
            let step = self.machine.snapshot(snapshot);
            self.responses.extend(step.responses.into_iter().map(V::seen));
        }
    }

    fn answer(&mut self, kept: &str, error: Option<&str>, names: &Value) {
        let seen = &self.kept[kept];
        let kind = seen.kind;
        if names.is_array() {
            self.names.insert(kind, strings(names));
        }
        let list = self.names.get(&kind).cloned().unwrap_or_default();
        let accepted = self.accepted.get(&kind).cloned().unwrap_or_default();
        let request = V::answer(seen, error, &list, &accepted);
        if error.is_none() {
            self.accepted.insert(kind, seen.version.clone());
        }
        self.send(&request);
    }

    fn step(&mut self, step: &Value, at: &str) {
        let fields = step.as_object().unwrap();
        let verb = fields.keys().find(|key| !["as", "names", "message"].contains(&key.as_str())).unwrap();
        let value = &step[verb];
        match verb.as_str() {
            "snapshot" => {
                let snapshot = fixture::snapshot(value);
                snapshot.prove().unwrap();
                self.in_force = Some(Arc::new(snapshot));
                self.announce();
            }
            "connect" => {
                self.machine = V::default();
                self.responses.clear();
                self.announce();
            }
            "send" => {
                let short = value["type"].as_str().unwrap();
                let kind = fixture::kind(short);
                if let Some(kind) = kind {
                    self.names.insert(kind, strings(&value["names"]));
                }
                let url = kind.map_or(short.to_owned(), |kind| kind.type_url().to_owned());
                let request = V::compose(value, &self.kept, url);
                self.send(&request);
            }
            "ack" => self.answer(value.as_str().unwrap(), None, &step["names"]),
            "nack" => self.answer(value.as_str().unwrap(), step["message"].as_str(), &step["names"]),
            "expect" => {
                let seen = self.responses.pop_front().unwrap_or_else(|| panic!("{at}: no response came"));
                assert_eq!(seen.kind.short(), value["type"].as_str().unwrap(), "{at}");
                let mut resources: Vec<String> =
                    seen.resources.iter().map(|r| format!("{}@{}", r.0, r.1)).collect();
                resources.sort();
                assert_eq!(resources, strings(&value["resources"]), "{at}");
                assert_eq!(seen.removed, strings(&value["removed"]), "{at}");
                self.kept.insert(step["as"].as_str().unwrap().to_owned(), seen);
            }
            "nothing" => {
                let surplus: Vec<&str> = self.responses.iter().map(|seen| seen.kind.short()).collect();
                assert!(surplus.is_empty(), "{at}: {surplus:?} came");
            }
            "status" => {
                let kind = fixture::kind(value["type"].as_str().unwrap()).unwrap();
                let status = self.machine.status()[&kind].clone();
                assert_eq!(status.sent_version.as_deref(), value["sent"].as_str(), "{at}: sent");
                assert_eq!(status.acked_version.as_deref(), value["acked"].as_str(), "{at}: acked");
                assert_eq!(
                    status.nacked.map(|n| n.version).as_deref(),
                    value["nacked"].as_str(),
                    "{at}: nacked"
                );
            }
            other => panic!("{at}: `{other}` is no step"),
        }
    }
}

fn play<V: Variant>(scenarios: &str) {
    let scenarios: Value = serde_json::from_str(scenarios).unwrap();
    for scenario in scenarios.as_array().unwrap() {
        let mut play = Play::<V>::new();
        for (number, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
            play.step(step, &format!("{}, step {} {step}", scenario["name"], number + 1));
        }
    }
}

#[test]
fn state_of_the_world() {
    play::<Sotw>(include_str!("../../../tests/xds/scenarios/sotw.json"));
}

#[test]
fn incremental() {
    play::<Delta>(include_str!("../../../tests/xds/scenarios/delta.json"));
}

#[test]
fn a_stream_can_subscribe_to_so_many_names_only() {
    let names: Vec<String> = (0..=10_000).map(|n| n.to_string()).collect();
    let type_url = Kind::Endpoints.type_url().to_owned();
    let request = DiscoveryRequest {
        type_url: type_url.clone(),
        resource_names: names.clone(),
        ..DiscoveryRequest::default()
    };
    assert!(Machine::request(&mut Sotw::default(), &request, SystemTime::UNIX_EPOCH).is_err());
    let request = DeltaDiscoveryRequest {
        type_url,
        resource_names_subscribe: names,
        ..DeltaDiscoveryRequest::default()
    };
    assert!(Machine::request(&mut Delta::default(), &request, SystemTime::UNIX_EPOCH).is_err());
}

#[test]
fn names_that_come_again_count_once() {
    let names = |from: usize, to: usize| (from..to).map(|n| n.to_string()).collect::<Vec<_>>();
    // What is subscribed to and unsubscribed from, and whether a stream may ask so after the others.
    let table = [
        (names(0, 6_000), names(0, 0), true),
        (names(0, 6_000), names(0, 0), true),
        (names(6_000, 10_000), names(0, 0), true),
        (names(10_000, 11_000), names(0, 1_000), true),
        (names(11_000, 11_001), names(0, 0), false),
    ];
    let mut stream = Delta::default();
    for (step, (on, off, fits)) in table.into_iter().enumerate() {
        let request = DeltaDiscoveryRequest {
            type_url: Kind::Endpoints.type_url().to_owned(),
            resource_names_subscribe: on,
            resource_names_unsubscribe: off,
            ..DeltaDiscoveryRequest::default()
        };
        let taken = Machine::request(&mut stream, &request, SystemTime::UNIX_EPOCH);
        assert_eq!(taken.is_ok(), fits, "step {step}");
    }
}
