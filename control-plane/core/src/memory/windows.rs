//! Accounts in memory.
//!
//! One lock for all keys: a request under several limits is admitted under all or none, and a step takes well under a
//! microsecond per limit. Memory is bounded by the number of keys and, per key, by the account. When there are more keys than
//! allowed, those go first that would be forgotten soonest anyway, and their next requests count from zero (the log says so, once a
//! minute at most). So a flood of keys with short windows does not displace a month's budget.
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_limits::{Account, Kind, Terms};

use super::lock;
use crate::ports::{RateWindows, StoreError};
use crate::{AccountFilter, AccountView, Accounts, Ask, LimitVerdict, Settle, Settled, Verdicts};

/// Accounts in memory.
pub struct MemoryWindows {
    keys: Mutex<Keys>,
    max_keys: usize,
}

#[derive(Default)]
struct Keys {
    held: HashMap<String, Held>,
    warned_us: Option<u64>,
}

struct Held {
    account: Account,
    terms: Terms,
    used_us: u64,
}

impl Held {
    /// When the account will be empty, unless it is used again.
    fn ends_us(&self) -> u64 {
        self.used_us.saturating_add(match self.terms.kind {
            Kind::Concurrent => self.terms.patience_us,
            Kind::Count | Kind::Reserve => self.terms.window_us,
        })
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
        lock(&self.keys).held.len()
    }
}

impl Default for MemoryWindows {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_KEYS)
    }
}

fn micros(now: Timestamp) -> u64 {
    u64::try_from(now.as_microsecond()).unwrap_or(0)
}

#[async_trait]
impl RateWindows for MemoryWindows {
    async fn admit(&self, asks: &[Ask], id: Option<&str>, now: Timestamp) -> Result<Verdicts, StoreError> {
        let now_us = micros(now);
        let mut keys = lock(&self.keys);
        let mut admission = Verdicts::default();
        for ask in asks {
            let verdict = keys.look(ask, now_us, &mut admission);
            admission.verdicts.push(verdict);
        }
        if admission.verdicts.iter().all(|verdict| verdict.admitted) {
            for (ask, verdict) in asks.iter().zip(&mut admission.verdicts) {
                verdict.lent = keys.take(ask, id, now_us);
                verdict.remaining = verdict.remaining.saturating_sub(ask.amount);
            }
            keys.shrink(self.max_keys, now_us);
        }
        Ok(admission)
    }

    async fn settle(&self, settlements: &[Settle], now: Timestamp) -> Result<Settled, StoreError> {
        let mut keys = lock(&self.keys);
        let mut settled = Settled::default();
        for settle in settlements {
            let excess = keys.held.get_mut(&settle.key).and_then(|held| {
                let excess = held.account.settle(&settle.terms, &settle.id, settle.how, micros(now));
                settled.expired += held.account.take_expired();
                let over = held.account.used(&settle.terms).saturating_sub(held.terms.limit);
                excess.map(|excess| excess.min(over))
            });
            settled.count(settle.how, excess);
        }
        Ok(settled)
    }

    async fn accounts(
        &self,
        filter: &AccountFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<Accounts, StoreError> {
        let needles = filter.needles();
        let wanted =
            |key: &String| needles.iter().all(|needle| key.contains(needle.as_str())) && filter.wants(key);
        let mut keys = lock(&self.keys);
        let mut newest: Vec<_> = keys.held.iter_mut().filter(|(key, _)| wanted(key)).collect();
        newest.sort_by_key(|(_, held)| std::cmp::Reverse(held.used_us));
        let mut expired = 0;
        let views = newest.into_iter().map(|(key, held)| {
            held.account.advance(&held.terms, micros(now));
            expired += held.account.take_expired();
            AccountView {
                key: key.clone(),
                terms: held.terms,
                used: held.account.used(&held.terms),
                held: held.account.held(),
                lent: held.account.lent().amount,
                leases: held.account.lent().leases,
                open: held.account.holds(),
                expires: held.account.expires_us().map(Duration::from_micros),
                unsettled: held.account.unsettled(),
                resets: held.account.resets_us(&held.terms).map(Duration::from_micros),
            }
        });
        let mut views = views.filter(|view| view.used > 0 || view.unsettled > 0);
        let some = views.by_ref().take(most).collect();
        let more = views.next().is_some();
        drop(views);
        Ok(Accounts { views: some, expired, more })
    }
}

impl Keys {
    fn look(&mut self, ask: &Ask, now_us: u64, admission: &mut Verdicts) -> LimitVerdict {
        let verdict = match self.held.get_mut(&ask.key) {
            None => Account::default().look(&ask.terms, ask.amount, now_us),
            Some(held) => {
                held.terms = ask.terms;
                held.used_us = now_us;
                if let Some(told) = &ask.told {
                    let excess =
                        held.account.tell(&ask.terms, &told.id, told.spent, now_us).unwrap_or_default();
                    let over = held.account.used(&ask.terms).saturating_sub(ask.terms.limit);
                    admission.over += excess.min(over);
                }
                let verdict = held.account.look(&ask.terms, ask.amount, now_us);
                admission.expired += held.account.take_expired();
                verdict
            }
        };
        LimitVerdict {
            admitted: verdict.admitted,
            remaining: verdict.remaining,
            lent: 0,
            reset: Duration::from_micros(verdict.reset_us),
        }
    }

    /// Takes what was admitted; returns what is lent besides.
    fn take(&mut self, ask: &Ask, id: Option<&str>, now_us: u64) -> u64 {
        let held = self.held.entry(ask.key.clone()).or_insert_with(|| Held {
            account: Account::default(),
            terms: ask.terms,
            used_us: now_us,
        });
        held.account.advance(&ask.terms, now_us);
        held.account.take(&ask.terms, ask.amount, id);
        let lease = match (&ask.told, id) {
            (None, Some(id)) => ask.lease(id),
            // A lease that is not known here any more cannot be added to.
            (Some(told), _) if held.account.knows_lease(&told.id) => told.id.clone(),
            _ => return 0,
        };
        held.account.lend(&ask.terms, ask.want, ask.amount, &lease)
    }

    /// Brings the number of keys down to `max`: first those whose accounts are empty, then those that end soonest, an eighth at a time
    /// so that the selection is rarely needed.
    fn shrink(&mut self, max: usize, now_us: u64) {
        if self.held.len() <= max {
            return;
        }
        self.held.retain(|_, held| {
            held.account.advance(&held.terms, now_us);
            !held.account.is_empty()
        });
        if self.held.len() <= max {
            return;
        }
        let keep = max - max / 8;
        let mut ends: Vec<u64> = self.held.values().map(Held::ends_us).collect();
        let surplus = ends.len() - keep;
        let (_, last_to_go, _) = ends.select_nth_unstable(surplus - 1);
        let (last_to_go, mut surplus) = (*last_to_go, surplus);
        self.held.retain(|_, held| {
            let goes = surplus > 0 && held.ends_us() <= last_to_go;
            surplus -= usize::from(goes);
            !goes
        });
        if self.warned_us.is_none_or(|warned| now_us.saturating_sub(warned) > 60_000_000) {
            self.warned_us = Some(now_us);
            tracing::warn!(
                max,
                "more rate limit keys than fit in memory: those whose windows end soonest were forgotten"
            );
        }
    }
}
