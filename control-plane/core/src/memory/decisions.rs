//! Decisions in memory.
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use prost::Message;

use super::lock;
use crate::ports::{DecisionStore, PAGE_BYTES, StoreError};
use crate::{Batch, Decision, DecisionFilter, DecisionPage, Gap, Intake, Place};

/// Decisions in memory: for tests, and for trying things out.
#[derive(Default)]
pub struct MemoryDecisions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In order of arrival, by cursor; each with the bytes of its record.
    records: BTreeMap<u64, (usize, Decision)>,
    newest: u64,
    /// The cursor of each record, by its VM and number.
    known: HashMap<(String, u64), u64>,
    marks: BTreeMap<Timestamp, u64>,
    streams: BTreeMap<String, Stream>,
    /// Oldest first.
    gaps: Vec<Gap>,
}

#[derive(Default)]
struct Stream {
    last: u64,
    dropped: u64,
    seen: Timestamp,
}

#[async_trait]
impl DecisionStore for MemoryDecisions {
    async fn intake(&self, batch: &Batch, now: Timestamp) -> Result<Intake, StoreError> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let stream = state.streams.entry(batch.vm.clone()).or_default();
        let mut intake = Intake::plan(batch, stream.last, stream.dropped, now);
        stream.last = intake.acknowledged;
        stream.dropped += intake.dropped;
        stream.seen = stream.seen.max(now);
        if batch.records.is_empty() {
            return Ok(intake);
        }
        let (first, last) = (batch.first_sequence, batch.last_sequence());
        state.gaps = std::mem::take(&mut state.gaps)
            .into_iter()
            .flat_map(|held| if held.vm == batch.vm { held.without(first, last) } else { vec![held] })
            .chain(intake.gap.clone())
            .collect();
        for (index, record) in batch.records.iter().enumerate() {
            let sequence = batch.first_sequence + index as u64;
            let decision = Decision::from_record(&batch.sidecar, &batch.vm, sequence, record.clone());
            match state.known.entry((batch.vm.clone(), sequence)) {
                Entry::Vacant(place) => {
                    state.newest += 1;
                    place.insert(state.newest);
                    state.records.insert(state.newest, (record.encoded_len(), decision));
                    intake.kept.push(index);
                }
                Entry::Occupied(cursor) => {
                    let held = state.records.get(cursor.get());
                    // The sidecar may have another name by now.
                    let same = held.is_some_and(|(_, held)| {
                        Decision { sidecar: held.sidecar.clone(), ..decision } == *held
                    });
                    intake.conflicts += u64::from(!same);
                }
            }
        }
        Ok(intake)
    }

    async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        let state = lock(&self.state);
        let numbered = state.records.iter().map(|(cursor, (bytes, decision))| (*cursor, *bytes, decision));
        let mut found: Vec<_> =
            numbered.filter(|(cursor, _, decision)| matches(filter, *cursor, decision)).collect();
        if filter.after.is_none() {
            found.sort_by_key(|(cursor, _, decision)| Reverse(place(*cursor, decision)));
        }
        let mut page = DecisionPage::default();
        let mut room = PAGE_BYTES;
        for (cursor, bytes, decision) in found {
            let full = page.decisions.len() == filter.limit as usize;
            if full || (bytes > room && !page.decisions.is_empty()) {
                page.more = true;
                break;
            }
            room = room.saturating_sub(bytes);
            page.decisions.push((cursor, decision.clone()));
        }
        Ok(page)
    }

    async fn decision(&self, id: &str) -> Result<Option<Decision>, StoreError> {
        Ok(lock(&self.state)
            .records
            .values()
            .map(|(_, decision)| decision)
            .find(|decision| decision.decision_id == id)
            .cloned())
    }

    async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError> {
        Ok(lock(&self.state).gaps.iter().rev().take(limit as usize).cloned().collect())
    }

    async fn newest_cursor(&self) -> Result<u64, StoreError> {
        Ok(lock(&self.state).newest)
    }

    async fn newest_mark(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(lock(&self.state).marks.keys().next_back().copied())
    }

    async fn mark(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        let newest = state.newest;
        state.marks.insert(now, newest);
        Ok(())
    }

    async fn forget(&self, then: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut state = lock(&self.state);
        state.gaps.retain(|gap| gap.noticed > then);
        let Some((at, upto)) = state.marks.range(..=then).next_back().map(|(at, upto)| (*at, *upto)) else {
            return Ok(0);
        };
        let old: Vec<u64> =
            state.records.range(..=upto).take(most as usize).map(|(cursor, _)| *cursor).collect();
        for cursor in &old {
            if let Some((_, decision)) = state.records.remove(cursor) {
                state.known.remove(&(decision.vm, decision.sequence));
            }
        }
        state.marks.retain(|mark, _| *mark >= at);
        Ok(old.len() as u64)
    }

    async fn alive(&self, vms: &[String], now: Timestamp) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        for vm in vms {
            if let Some(stream) = state.streams.get_mut(vm) {
                stream.seen = stream.seen.max(now);
            }
        }
        Ok(())
    }

    async fn forget_vms(&self, then: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let kept: HashSet<&str> = state.known.keys().map(|(vm, _)| vm.as_str()).collect();
        let gone =
            state.streams.iter().filter(|(vm, stream)| stream.seen <= then && !kept.contains(vm.as_str()));
        let mut gone: Vec<(Timestamp, String)> = gone.map(|(vm, stream)| (stream.seen, vm.clone())).collect();
        gone.sort_unstable();
        gone.truncate(most as usize);
        state.streams.retain(|vm, _| !gone.iter().any(|(_, old)| old == vm));
        Ok(gone.len() as u64)
    }
}

fn place(cursor: u64, decision: &Decision) -> Place {
    Place { time: decision.time, cursor }
}

fn matches(filter: &DecisionFilter, cursor: u64, decision: &Decision) -> bool {
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    is(&filter.agent, &decision.agent_id)
        && is(&filter.decision, &decision.decision)
        && filter.policy.as_ref().is_none_or(|id| decision.policies.iter().any(|policy| policy.id == *id))
        && filter.guard.as_ref().is_none_or(|guard| decision.guards.contains_key(guard))
        && filter.since.is_none_or(|since| decision.time >= since)
        && filter.until.is_none_or(|until| decision.time < until)
        && filter.before.is_none_or(|before| place(cursor, decision) < before)
        && filter.after.is_none_or(|after| cursor > after)
}
