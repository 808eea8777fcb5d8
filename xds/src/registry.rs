//! Who is connected, who was, and how each stands.
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
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
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct State {
    clients: BTreeMap<u64, ClientStatus>,
    streams: u64,
}

impl Default for Registry {
    fn default() -> Self {
        Registry { state: Mutex::default(), events: broadcast::channel(EVENT_BUFFER).0 }
    }
}

impl Registry {
    /// Enters a stream, in place of what was kept of the node's earlier ones.
    pub(crate) fn connected(&self, client: ClientStatus) -> u64 {
        let node = client.node_id.clone();
        let mut state = self.lock();
        state.clients.retain(|_, known| known.connected || known.node_id != node);
        state.streams += 1;
        let stream = state.streams;
        state.clients.insert(stream, client);
        drop(state);
        self.tell(Event::Connected { node });
        stream
    }

    /// Notes how the client now stands, and tells of its answers.
    pub(crate) fn update(&self, stream: u64, types: BTreeMap<Kind, TypeStatus>, verdicts: Vec<Verdict>) {
        let mut state = self.lock();
        let Some(client) = state.clients.get_mut(&stream) else { return };
        client.types = types;
        let node = client.node_id.clone();
        drop(state);
        for verdict in verdicts {
            let node = node.clone();
            self.tell(match verdict {
                Verdict::Acked { kind, version } => Event::Acked { node, kind, version },
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
        let node = client.node_id.clone();
        // A node that has already come back is listed once, with its new stream.
        let superseded = state.clients.values().any(|other| other.connected && other.node_id == node);
        if superseded {
            state.clients.remove(&stream);
        }
        state.forget(now);
        drop(state);
        self.tell(Event::Disconnected { node });
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

    fn tell(&self, event: Event) {
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
