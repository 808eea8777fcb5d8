//! The configuration in force for each group of nodes, watched by their streams.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{Inconsistent, Snapshot};

/// What a stream watches: nothing until the first snapshot is set.
pub(crate) type Watch = watch::Receiver<Option<Arc<Snapshot>>>;

/// Snapshots by group. A group without a snapshot of its own follows the common one.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    common: Option<Arc<Snapshot>>,
    groups: HashMap<String, Group>,
}

#[derive(Debug)]
struct Group {
    sender: watch::Sender<Option<Arc<Snapshot>>>,
    own: bool,
}

impl Cache {
    /// Puts a snapshot in force for every group that has none of its own.
    pub(crate) fn set_common(&self, snapshot: Snapshot) -> Result<(), Inconsistent> {
        snapshot.prove()?;
        let mut state = self.lock();
        let snapshot = Arc::new(snapshot);
        state.common = Some(snapshot.clone());
        state.groups.retain(|_, group| group.own || group.sender.receiver_count() > 0);
        for group in state.groups.values().filter(|group| !group.own) {
            group.sender.send_replace(Some(snapshot.clone()));
        }
        Ok(())
    }

    /// Puts a snapshot in force for one group.
    pub(crate) fn set_group(&self, name: &str, snapshot: Snapshot) -> Result<(), Inconsistent> {
        snapshot.prove()?;
        let mut state = self.lock();
        let group = state
            .groups
            .entry(name.to_owned())
            .or_insert_with(|| Group { sender: watch::channel(None).0, own: true });
        group.own = true;
        group.sender.send_replace(Some(Arc::new(snapshot)));
        Ok(())
    }

    /// The common snapshot.
    pub(crate) fn common(&self) -> Option<Arc<Snapshot>> {
        self.lock().common.clone()
    }

    /// Follows the snapshots of a group; the one in force counts as not yet seen.
    pub(crate) fn watch(&self, name: &str) -> Watch {
        let mut state = self.lock();
        let State { common, groups } = &mut *state;
        let group = groups
            .entry(name.to_owned())
            .or_insert_with(|| Group { sender: watch::channel(common.clone()).0, own: false });
        let mut receiver = group.sender.subscribe();
        receiver.mark_changed();
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment: a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resources;

    fn seen(watch: &mut Watch) -> Option<String> {
        watch
            .has_changed()
            .unwrap()
            .then(|| watch.borrow_and_update().as_ref().map(|s| s.version().to_owned()))?
    }

    fn snapshot(version: &str) -> Snapshot {
        Snapshot::new(version, Resources::default())
    }

    #[test]
    fn a_group_follows_the_common_snapshot_until_it_has_its_own() {
        let cache = Cache::default();
        let (mut early, mut other) = (cache.watch("a"), cache.watch("b"));
        assert_eq!(seen(&mut early), None);
        cache.set_common(snapshot("1")).unwrap();
        assert_eq!(seen(&mut early).as_deref(), Some("1"));
        assert_eq!(seen(&mut cache.watch("a")).as_deref(), Some("1"));
        cache.set_group("a", snapshot("own")).unwrap();
        cache.set_common(snapshot("2")).unwrap();
        assert_eq!(seen(&mut early).as_deref(), Some("own"));
        assert_eq!(seen(&mut other).as_deref(), Some("2"));
    }

    #[test]
    fn groups_that_nobody_watches_are_forgotten() {
        let cache = Cache::default();
        for client in 0..100 {
            drop(cache.watch(&client.to_string()));
        }
        cache.set_common(snapshot("1")).unwrap();
        assert!(cache.lock().groups.is_empty());
    }
}
