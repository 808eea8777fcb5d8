//! Seen definitions of tools in memory.
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;

use super::lock;
use crate::ports::{MOST_DEFINITIONS, MOST_OF_A_TOOL, StoreError, ToolStore};
use crate::{SeenDefinition, ToolSighting};

/// Seen definitions of tools in memory.
#[derive(Default)]
pub struct MemoryTools {
    definitions: Mutex<Vec<SeenDefinition>>,
}

#[async_trait]
impl ToolStore for MemoryTools {
    async fn seen(
        &self,
        sighting: &ToolSighting,
        decided: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut held = lock(&self.definitions);
        let of_tool = |known: &SeenDefinition| {
            known.sighting.server == sighting.server && known.sighting.name == sighting.name
        };
        if let Some(known) =
            held.iter_mut().find(|known| of_tool(known) && known.sighting.digest == sighting.digest)
        {
            known.last_seen = known.last_seen.max(now);
            return Ok(());
        }
        if held.len() >= MOST_DEFINITIONS {
            return Ok(());
        }
        held.push(SeenDefinition { sighting: sighting.clone(), first_seen: now, last_seen: now });
        let undecided = |known: &SeenDefinition| of_tool(known) && !decided.contains(&known.sighting.digest);
        if held.iter().filter(|known| undecided(known)).count() > MOST_OF_A_TOOL {
            let places = held.iter().enumerate().filter(|(_, known)| undecided(known));
            let oldest = places.min_by_key(|(_, known)| known.last_seen).map(|(place, _)| place);
            oldest.map(|place| held.remove(place));
        }
        Ok(())
    }

    async fn definitions(&self) -> Result<Vec<SeenDefinition>, StoreError> {
        let without_text = |known: &SeenDefinition| SeenDefinition {
            sighting: ToolSighting { text: String::new(), ..known.sighting.clone() },
            ..known.clone()
        };
        Ok(lock(&self.definitions).iter().map(without_text).collect())
    }

    async fn definitions_of(&self, server: &str, name: &str) -> Result<Vec<SeenDefinition>, StoreError> {
        let held = lock(&self.definitions);
        let wanted = |known: &&SeenDefinition| known.sighting.server == server && known.sighting.name == name;
        Ok(held.iter().filter(wanted).cloned().collect())
    }
}
