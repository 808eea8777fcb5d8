//! Seen definitions of tools in memory.
use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;

use super::lock;
use crate::ports::{
    IsDecided, MOST_DEFINITIONS, MOST_OF_A_SERVER, MOST_OF_A_TOOL, SEEN_JUST_NOW, StoreError, ToolStore,
};
use crate::{SeenDefinition, ToolSighting};

/// Server, name, digest.
type Key = (String, String, String);
type Held = BTreeMap<Key, SeenDefinition>;

/// Seen definitions of tools in memory.
#[derive(Default)]
pub struct MemoryTools {
    definitions: Mutex<Held>,
}

#[async_trait]
impl ToolStore for MemoryTools {
    async fn seen(
        &self,
        sightings: &[ToolSighting],
        decided: &IsDecided<'_>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut held = lock(&self.definitions);
        Ok(sightings.iter().map(|sighting| keep(&mut held, sighting, decided, now)).sum())
    }

    async fn definitions(&self) -> Result<Vec<SeenDefinition>, StoreError> {
        let without_text = |known: &SeenDefinition| SeenDefinition {
            sighting: ToolSighting { text: String::new(), ..known.sighting.clone() },
            ..known.clone()
        };
        Ok(lock(&self.definitions).values().map(without_text).collect())
    }

    async fn definitions_of(&self, server: &str, name: &str) -> Result<Vec<SeenDefinition>, StoreError> {
        let held = lock(&self.definitions);
        let wanted = of_server(&held, server).filter(|(key, _)| key.1 == name);
        Ok(wanted.map(|(_, known)| known.clone()).collect())
    }
}

fn keep(held: &mut Held, sighting: &ToolSighting, decided: &IsDecided<'_>, now: Timestamp) -> u64 {
    let ToolSighting { server, name, digest, .. } = sighting;
    let key = (server.clone(), name.clone(), digest.clone());
    if let Some(known) = held.get_mut(&key) {
        if now.duration_since(known.last_seen) >= SEEN_JUST_NOW {
            known.last_seen = now;
        }
        return 0;
    }
    let new = SeenDefinition { sighting: sighting.clone(), first_seen: now, last_seen: now };
    held.insert(key.clone(), new);
    let undecided = undecided(held, server, Some(name), decided);
    let surplus = undecided.len().saturating_sub(MOST_OF_A_TOOL);
    let mut gone = drop_first(held, undecided, surplus);
    let surplus = of_server(held, server).count().saturating_sub(MOST_OF_A_SERVER);
    gone += drop_oldest(held, server, surplus, decided);
    let surplus = held.len().saturating_sub(MOST_DEFINITIONS);
    if surplus > 0 {
        let fullest = fullest(held);
        let made = drop_oldest(held, &fullest, surplus, decided);
        if made == 0 {
            held.remove(&key);
        }
        gone += made.max(1);
    }
    gone
}

fn of_server<'h>(held: &'h Held, server: &str) -> impl Iterator<Item = (&'h Key, &'h SeenDefinition)> {
    let first = (server.to_owned(), String::new(), String::new());
    held.range(first..).take_while(move |(key, _)| key.0 == server)
}

/// The undecided definitions of a server, or of one tool of it; the one longest unseen first.
fn undecided(held: &Held, server: &str, name: Option<&str>, decided: &IsDecided<'_>) -> Vec<Key> {
    let asked = of_server(held, server).filter(|(key, _)| name.is_none_or(|name| key.1 == name));
    let mut undecided: Vec<_> =
        asked.filter(|((server, name, digest), _)| !decided(server, name, digest)).collect();
    undecided.sort_by_key(|(_, known)| (known.last_seen, known.first_seen));
    undecided.into_iter().map(|(key, _)| key.clone()).collect()
}

fn drop_oldest(held: &mut Held, server: &str, most: usize, decided: &IsDecided<'_>) -> u64 {
    if most == 0 {
        return 0;
    }
    let undecided = undecided(held, server, None, decided);
    drop_first(held, undecided, most)
}

fn drop_first(held: &mut Held, keys: Vec<Key>, most: usize) -> u64 {
    keys.iter().take(most).filter_map(|key| held.remove(key)).count() as u64
}

/// The server that has most definitions.
fn fullest(held: &Held) -> String {
    let mut servers: BTreeMap<&str, usize> = BTreeMap::new();
    for (server, ..) in held.keys() {
        *servers.entry(server).or_default() += 1;
    }
    servers
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(server, _)| server.to_owned())
        .unwrap_or_default()
}
