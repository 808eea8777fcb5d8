//! The connected clients and their status.
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use crate::{ClientStatus, Event, Kind, TypeStatus, Verdict};

/// Clients by stream.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    observer: OnceLock<Observer>,
}

/// Called with every event.
type Observer = Box<dyn Fn(&Event) + Send + Sync>;

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    clients: BTreeMap<u64, ClientStatus>,
    streams: u64,
}

impl Registry {
    /// Adds a stream; returns its number.
    pub(crate) fn connected(&self, client: ClientStatus) -> u64 {
        let (node, instance, address) = (client.node_id.clone(), client.instance.clone(), client.address);
        let mut state = self.lock();
        state.streams += 1;
        let stream = state.streams;
        state.clients.insert(stream, client);
        drop(state);
        self.tell(Event::Connected { node, instance, address });
        stream
    }

    /// Updates the client's status, and reports its ACKs and NACKs.
    pub(crate) fn update(&self, stream: u64, types: BTreeMap<Kind, TypeStatus>, verdicts: Vec<Verdict>) {
        let mut state = self.lock();
        let Some(client) = state.clients.get_mut(&stream) else { return };
        client.types = types;
        let (node, since) = (client.node_id.clone(), client.connected_since);
        drop(state);
        for verdict in verdicts {
            let node = node.clone();
            self.tell(match verdict {
                Verdict::Acked { kind, version } => Event::Acked { node, since, kind, version },
                Verdict::Nacked { kind, version, message } => Event::Nacked { node, kind, version, message },
            });
        }
    }

    /// Removes a stream that has ended.
    pub(crate) fn disconnected(&self, stream: u64) {
        let Some(client) = self.lock().clients.remove(&stream) else { return };
        self.tell(Event::Disconnected { node: client.node_id, instance: client.instance });
    }

    /// All clients, in the order in which they connected.
    pub(crate) fn clients(&self) -> Vec<ClientStatus> {
        self.lock().clients.values().cloned().collect()
    }

    /// Calls `observer` with every event; false if there is an observer already.
    pub(crate) fn observe(&self, observer: Observer) -> bool {
        self.observer.set(observer).is_ok()
    }

    fn tell(&self, event: Event) {
        if let Some(observer) = self.observer.get() {
            observer(&event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves a whole state behind, so a poisoned lock still guards one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::Protocol;

    fn client(node: &str, instance: &str) -> ClientStatus {
        ClientStatus {
            node_id: node.to_owned(),
            instance: instance.to_owned(),
            filters: None,
            cluster: String::new(),
            user_agent: String::new(),
            address: None,
            connected_since: SystemTime::UNIX_EPOCH,
            protocol: Protocol::Delta,
            types: BTreeMap::new(),
        }
    }

    #[test]
    fn who_is_connected_is_listed_stream_by_stream() {
        let registry = Registry::default();
        let listed = || {
            let clients = registry.clients().into_iter();
            clients.map(|client| format!("{}/{}", client.node_id, client.instance)).collect::<Vec<_>>()
        };
        let envoy = registry.connected(client("a", ""));
        let [first, _second] = ["1", "2"].map(|instance| registry.connected(client("a", instance)));
        assert_eq!(listed(), ["a/", "a/1", "a/2"]);
        // Who comes back may do so before the end of the old stream is noticed.
        let again = registry.connected(client("a", "1"));
        registry.disconnected(first);
        assert_eq!(listed(), ["a/", "a/2", "a/1"]);
        registry.disconnected(again);
        registry.disconnected(envoy);
        assert_eq!(listed(), ["a/2"]);
    }

    #[test]
    fn events_tell_the_node() {
        let registry = Registry::default();
        let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
        let observed = std::sync::Arc::clone(&seen);
        assert!(registry.observe(Box::new(move |event| observed.lock().unwrap().push(event.clone()))));
        assert!(!registry.observe(Box::new(|_| ())), "there is one observer");
        let stream = registry.connected(client("a", ""));
        let acked = Verdict::Acked { kind: Kind::Extension, version: "7".to_owned() };
        registry.update(stream, BTreeMap::new(), vec![acked]);
        registry.disconnected(stream);
        let node = "a".to_owned();
        let expected = [
            Event::Connected { node: node.clone(), instance: String::new(), address: None },
            Event::Acked {
                node: node.clone(),
                since: SystemTime::UNIX_EPOCH,
                kind: Kind::Extension,
                version: "7".to_owned(),
            },
            Event::Disconnected { node, instance: String::new() },
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
