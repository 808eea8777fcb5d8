//! Sliding windows in memory: for each key the times of the hits it admitted.
//!
//! One lock for all keys: a request under several limits is admitted under all or none, and a step takes well under a
//! microsecond per limit. Memory is bounded by the number of keys and, per key, by its limit. When there are more live keys
//! than allowed, the ones unused for longest are forgotten (and said so once a minute at most in the log): their next requests
//! count from zero.
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;

use super::lock;
use crate::limits::judge;
use crate::ports::{RateWindows, StoreError};
use crate::{Ask, LimitVerdict};

/// Sliding windows in memory.
pub struct MemoryWindows {
    keys: Mutex<Keys>,
    max_keys: usize,
}

#[derive(Default)]
struct Keys {
    windows: HashMap<String, Window>,
    warned_us: Option<u64>,
}

#[derive(Default)]
struct Window {
    /// Times of admitted hits in microseconds, ascending.
    hits: VecDeque<u64>,
    length_us: u64,
    used_us: u64,
}

impl Window {
    fn forget_before(&mut self, now_us: u64) {
        while self.hits.front().is_some_and(|hit| hit.saturating_add(self.length_us) <= now_us) {
            self.hits.pop_front();
        }
    }
}

impl MemoryWindows {
    /// 100,000 keys.
    pub const DEFAULT_MAX_KEYS: usize = 100_000;

    /// Windows for at most `max_keys` keys at a time.
    pub fn new(max_keys: usize) -> Self {
        MemoryWindows { keys: Mutex::default(), max_keys: max_keys.max(1) }
    }

    /// How many keys are held now.
    pub fn held(&self) -> usize {
        lock(&self.keys).windows.len()
    }
}

impl Default for MemoryWindows {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_KEYS)
    }
}

#[async_trait]
impl RateWindows for MemoryWindows {
    async fn admit(&self, asks: &[Ask], now: Timestamp) -> Result<Vec<LimitVerdict>, StoreError> {
        let now_us = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let mut keys = lock(&self.keys);
        let mut verdicts: Vec<LimitVerdict> = asks.iter().map(|ask| keys.look(ask, now_us)).collect();
        if verdicts.iter().all(|verdict| verdict.admitted) {
            for (ask, verdict) in asks.iter().zip(&mut verdicts) {
                keys.count(ask, now_us);
                verdict.remaining = verdict.remaining.saturating_sub(ask.hits);
            }
            keys.shrink(self.max_keys, now_us);
        }
        Ok(verdicts)
    }
}

impl Keys {
    fn look(&mut self, ask: &Ask, now_us: u64) -> LimitVerdict {
        match self.windows.get_mut(&ask.key) {
            None => judge(ask, 0, |_| now_us, now_us),
            Some(window) => {
                window.length_us = length_us(ask);
                window.used_us = now_us;
                window.forget_before(now_us);
                let held = &window.hits;
                judge(ask, held.len(), |index| held.get(index).copied().unwrap_or(now_us), now_us)
            }
        }
    }

    fn count(&mut self, ask: &Ask, now_us: u64) {
        let window = self.windows.entry(ask.key.clone()).or_default();
        window.length_us = length_us(ask);
        window.used_us = now_us;
        // Clocks may step back: the log stays ascending, and a hit then counts from the newest time seen.
        let at = window.hits.back().map_or(now_us, |newest| now_us.max(*newest));
        window.hits.extend(std::iter::repeat_n(at, ask.hits as usize));
    }

    /// Brings the number of keys down to `max`: ended windows first, then the ones unused for longest, an eighth at a
    /// time so that the sorting is paid rarely.
    fn shrink(&mut self, max: usize, now_us: u64) {
        if self.windows.len() <= max {
            return;
        }
        self.windows.retain(|_, window| {
            window.forget_before(now_us);
            !window.hits.is_empty()
        });
        if self.windows.len() <= max {
            return;
        }
        let keep = max - max / 8;
        let mut ages: Vec<u64> = self.windows.values().map(|window| window.used_us).collect();
        let surplus = ages.len() - keep;
        let (_, youngest_to_go, _) = ages.select_nth_unstable(surplus - 1);
        let (youngest_to_go, mut surplus) = (*youngest_to_go, surplus);
        self.windows.retain(|_, window| {
            let goes = surplus > 0 && window.used_us <= youngest_to_go;
            surplus -= usize::from(goes);
            !goes
        });
        if self.warned_us.is_none_or(|warned| now_us.saturating_sub(warned) > 60_000_000) {
            self.warned_us = Some(now_us);
            tracing::warn!(
                max,
                "more rate limit keys than fit in memory: the ones unused for longest were forgotten"
            );
        }
    }
}

fn length_us(ask: &Ask) -> u64 {
    u64::try_from(ask.window.as_micros()).unwrap_or(u64::MAX)
}
