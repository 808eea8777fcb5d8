//! Rate limits: so many requests in any window of so long, per key.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ports::{RateWindows, StoreError};

/// One limit that a request falls under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is counted together: policy, rule and whose requests.
    pub key: String,
    /// Hits admitted in a window.
    pub limit: u32,
    /// Length of the sliding window.
    pub window: Duration,
    /// Hits this request asks for.
    pub hits: u32,
}

/// What one limit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitVerdict {
    /// Whether this limit admits it. The request is admitted when all its limits do.
    pub admitted: bool,
    /// Hits left in the window, after this request if it was admitted.
    pub remaining: u32,
    /// When refused: how long until this limit would admit as much. When admitted: until its oldest hit leaves the window.
    pub reset: Duration,
}

/// What a window that holds `held` hits at the given times (ascending, none older than the window) says to `ask`.
///
/// Times are microseconds on any clock. The law lives here alone: `memory` applies it as it is, the Redis script restates it
/// and the shared scenario suite holds the two together.
pub(crate) fn judge(ask: &Ask, held: usize, at: impl Fn(usize) -> u64, now_us: u64) -> LimitVerdict {
    let window_us = u64::try_from(ask.window.as_micros()).unwrap_or(u64::MAX);
    let (held, limit, hits) = (held as u64, u64::from(ask.limit), u64::from(ask.hits));
    let until_leaves = |index: u64| {
        let leaves = at(usize::try_from(index).unwrap_or(usize::MAX)).saturating_add(window_us);
        Duration::from_micros(leaves.saturating_sub(now_us))
    };
    let left = u32::try_from(limit.saturating_sub(held)).unwrap_or(u32::MAX);
    if held + hits <= limit {
        let reset = if held > 0 { until_leaves(0) } else { ask.window };
        return LimitVerdict { admitted: true, remaining: left, reset };
    }
    // So many have to leave before this request fits; one that never fits is told the whole window.
    let reset = if hits > limit || held == 0 { ask.window } else { until_leaves(held + hits - limit - 1) };
    LimitVerdict { admitted: false, remaining: left, reset }
}

/// The limits service.
#[derive(Clone)]
pub struct Limits {
    windows: Arc<dyn RateWindows>,
}

impl Limits {
    /// A service that counts in `windows`.
    pub fn new(windows: Arc<dyn RateWindows>) -> Self {
        Limits { windows }
    }

    /// Admits a request under all of `asks`, or refuses it without counting it anywhere.
    ///
    /// A key that is named more than once is counted once, with the lowest of its limits.
    pub async fn admit(&self, asks: &[Ask], now: Timestamp) -> Result<Vec<LimitVerdict>, StoreError> {
        let mut distinct: Vec<Ask> = Vec::with_capacity(asks.len());
        let mut places = Vec::with_capacity(asks.len());
        for ask in asks {
            let place = distinct.iter().position(|seen| seen.key == ask.key).unwrap_or(distinct.len());
            match distinct.get_mut(place) {
                Some(seen) => seen.limit = seen.limit.min(ask.limit),
                None => distinct.push(ask.clone()),
            }
            places.push(place);
        }
        let verdicts = self.windows.admit(&distinct, now).await?;
        Ok(places.into_iter().filter_map(|place| verdicts.get(place).copied()).collect())
    }
}
