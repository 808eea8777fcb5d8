//! Who is connected, who was, and how each stands.
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::broadcast;

use crate::{ClientStatus, Event, Kind, TypeStatus, Verdict};

/// Clients that went stay listed this long.
pub(crate) const KEEP: Duration = Duration::from_secs(60 * 60);

/// At most this many clients that went stay listed: the newest.
pub(crate) const KEEP_AT_MOST: usize = 1000;

/// Events a slow receiver may fall behind before it misses some.
const EVENT_BUFFER: usize = 1024;

/// Clients by stream.
pub(crate) struct Registry {
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
    observer: OnceLock<Observer>,
}

/// Told of every event.
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

impl Default for Registry {
    fn default() -> Self {
        let events = broadcast::channel(EVENT_BUFFER).0;
        Registry { state: Mutex::default(), events, observer: OnceLock::new() }
    }
}

impl Registry {
    /// Enters a stream, in place of what was kept of the client's earlier ones.
    pub(crate) fn connected(&self, client: ClientStatus) -> u64 {
        let (node, instance) = (client.node_id.clone(), client.instance.clone());
        let mut state = self.lock();
        state.clients.retain(|_, known| known.connected || !known.is_of(&node, &instance));
        state.streams += 1;
        let stream = state.streams;
        state.clients.insert(stream, client);
        drop(state);
        self.tell(Event::Connected { node, instance });
        stream
    }

    /// Notes how the client now stands, and tells of its answers.
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

    /// Notes the end of a stream.
    pub(crate) fn disconnected(&self, stream: u64, now: SystemTime) {
        let mut state = self.lock();
        let Some(client) = state.clients.get_mut(&stream) else { return };
        client.connected = false;
        client.disconnected_at = Some(now);
        let (node, instance) = (client.node_id.clone(), client.instance.clone());
        // Who has already come back is listed once, with the new stream.
        let superseded = state.clients.values().any(|other| other.connected && other.is_of(&node, &instance));
        if superseded {
            state.clients.remove(&stream);
        }
        state.forget(now);
        drop(state);
        self.tell(Event::Disconnected { node, instance });
    }

    /// All clients, in the order in which they connected.
    pub(crate) fn clients(&self, now: SystemTime) -> Vec<ClientStatus> {
        let mut state = self.lock();
        state.forget(now);
        state.clients.values().cloned().collect()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Has every event told to `observer`; false if somebody observes already.
    pub(crate) fn observe(&self, observer: Observer) -> bool {
        self.observer.set(observer).is_ok()
    }

    fn tell(&self, event: Event) {
        if let Some(observer) = self.observer.get() {
            observer(&event);
        }
        // Nobody listening is no error.
        let _ = self.events.send(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves a whole state behind, so a poisoned lock still guards one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, now: SystemTime) {
        let young = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age <= KEEP) || at > now;
        self.clients.retain(|_, client| client.disconnected_at.is_none_or(young));
        let mut gone: Vec<(SystemTime, u64)> =
            self.clients.iter().filter_map(|(stream, c)| Some((c.disconnected_at?, *stream))).collect();
        gone.sort_unstable();
        let excess = gone.len().saturating_sub(KEEP_AT_MOST);
        for (_, stream) in gone.into_iter().take(excess) {
            self.clients.remove(&stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn client(node: &str) -> ClientStatus {
        ClientStatus {
            node_id: node.to_owned(),
            instance: String::new(),
            cluster: String::new(),
            user_agent: String::new(),
            address: None,
            connected_since: SystemTime::UNIX_EPOCH,
            connected: true,
            disconnected_at: None,
            protocol: Protocol::Delta,
            types: BTreeMap::new(),
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn listed(registry: &Registry, now: SystemTime) -> Vec<(String, bool)> {
        registry.clients(now).into_iter().map(|c| (c.node_id, c.connected)).collect()
    }

    #[test]
    fn who_went_stays_listed_for_an_hour() {
        let registry = Registry::default();
        let stream = registry.connected(client("a"));
        registry.disconnected(stream, at(10));
        assert_eq!(listed(&registry, at(10)), [("a".to_owned(), false)]);
        assert_eq!(listed(&registry, at(10 + 3600)), [("a".to_owned(), false)]);
        assert_eq!(listed(&registry, at(11 + 3600)), []);
    }

    #[test]
    fn who_comes_back_is_listed_once_whichever_end_is_noticed_first() {
        let registry = Registry::default();
        let first = registry.connected(client("a"));
        registry.disconnected(first, at(1));
        let second = registry.connected(client("a"));
        assert_eq!(listed(&registry, at(1)), [("a".to_owned(), true)]);
        registry.connected(client("a"));
        registry.disconnected(second, at(2));
        assert_eq!(listed(&registry, at(2)), [("a".to_owned(), true)]);
    }

    #[test]
    fn filters_of_a_node_are_listed_beside_its_envoy() {
        let registry = Registry::default();
        let filter = |instance: &str| ClientStatus { instance: instance.to_owned(), ..client("a") };
        let listed = |registry: &Registry| {
            let clients = registry.clients(at(1)).into_iter();
            clients.map(|c| (c.instance, c.connected)).collect::<Vec<_>>()
        };
        registry.connected(client("a"));
        let [first, _second] = ["1", "2"].map(|instance| registry.connected(filter(instance)));
        registry.disconnected(first, at(1));
        let seen =
            |list: &[(&str, bool)]| list.iter().map(|(i, c)| ((*i).to_owned(), *c)).collect::<Vec<_>>();
        assert_eq!(listed(&registry), seen(&[("", true), ("1", false), ("2", true)]));
        registry.connected(filter("1"));
        assert_eq!(listed(&registry), seen(&[("", true), ("2", true), ("1", true)]));
    }

    #[test]
    fn of_many_that_went_the_newest_stay_listed() {
        let registry = Registry::default();
        for number in 0..KEEP_AT_MOST + 10 {
            let stream = registry.connected(client(&number.to_string()));
            registry.disconnected(stream, at(number as u64));
        }
        let clients = registry.clients(at(KEEP_AT_MOST as u64));
        assert_eq!(clients.len(), KEEP_AT_MOST);
        assert_eq!(clients[0].node_id, "10");
    }

    #[test]
    fn events_tell_the_node() {
        let registry = Registry::default();
        let mut events = registry.events();
        let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
        let observed = std::sync::Arc::clone(&seen);
        assert!(registry.observe(Box::new(move |event| observed.lock().unwrap().push(event.clone()))));
        assert!(!registry.observe(Box::new(|_| ())), "there is one observer");
        let stream = registry.connected(client("a"));
        let acked = Verdict::Acked { kind: Kind::Extension, version: "7".to_owned() };
        registry.update(stream, BTreeMap::new(), vec![acked]);
        registry.disconnected(stream, at(1));
        let node = "a".to_owned();
        let expected = [
            Event::Connected { node: node.clone(), instance: String::new() },
            Event::Acked {
                node: node.clone(),
                since: SystemTime::UNIX_EPOCH,
                kind: Kind::Extension,
                version: "7".to_owned(),
            },
            Event::Disconnected { node, instance: String::new() },
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
        assert_eq!(std::array::from_fn(|_| events.try_recv().unwrap()), expected);
    }
}
