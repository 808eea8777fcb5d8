//! Limits: accounts of what was asked for, spent and promised, by key. The arithmetic is [`mesh_limits::Account`]'s.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mesh_audit::v1::{DecisionRecord, LeaseReturn};
use mesh_limits::{Kind, Measure, Settlement, Terms, lease_id};
use mesh_policy::{Policy, RateLimitRule, Rule};

use crate::pending::Pending;
use crate::ports::{RateWindows, StoreError};

/// The domain of the limits that policies set; descriptors of any other are another Envoy's own.
pub const DOMAIN: &str = "ai-mesh";

/// How long a reservation lasts that no sidecar settles: longer than answers take, and short enough that a sidecar that was killed
/// does not block others for long.
const HOLD_TTL: Duration = Duration::from_secs(10 * 60);

/// Settlements that are read of one record: as many as one request may have descriptors.
const MAX_SETTLEMENTS: usize = 64;

/// A place under `maxConcurrent` is released a moment after the answer that held it has ended. So a request that only such limits
/// refuse looks again, this many times and after such a pause.
const LOOKS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(25);

/// One limit that a request falls under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose account it is: see [`LimitId`].
    pub key: String,
    /// How the account counts.
    pub terms: Terms,
    /// What this request asks for.
    pub amount: u64,
    /// What it asks to be lent besides, for later requests.
    pub want: u64,
    /// The current lease, to which this is added; `None` asks for a new one.
    pub told: Option<Told>,
}

/// What the holder of a lease reports while it uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The lease.
    pub id: String,
    /// What was spent of it in total.
    pub spent: u64,
}

/// Whether one limit admits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitVerdict {
    /// Whether this limit admits it. The request is admitted when all its limits do.
    pub admitted: bool,
    /// What is left, after this request if it was admitted.
    pub remaining: u64,
    /// The part of it that is lent, under [`Ask::lease`].
    pub lent: u64,
    /// Refused: how long until this limit would admit as much. Admitted: how long until the oldest spending leaves the window.
    pub reset: Duration,
}

/// Whether the limits of a request admit it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// For each [`Ask`], in order.
    pub verdicts: Vec<LimitVerdict>,
    /// Reservations of these accounts that were found to have expired.
    pub expired: u64,
    /// By how much the use of leases exceeded both what was lent and the limit.
    pub over: u64,
}

/// The end of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The account.
    pub key: String,
    /// How it counts; the limit itself does not matter.
    pub terms: Terms,
    /// The id of the reservation.
    pub id: String,
    /// What came of it.
    pub how: Settlement,
}

impl Ask {
    /// The name of what is lent to a request with this id.
    pub fn lease(&self, id: &str) -> String {
        self.told.as_ref().map_or_else(|| lease_id(id), |told| told.id.clone())
    }
}

/// What came of settling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Reservations that ended with something spent.
    pub spent: u64,
    /// Reservations that ended with nothing spent.
    pub released: u64,
    /// Leases that were returned.
    pub returned: u64,
    /// By how much spending exceeded both the reservation and the limit.
    pub over: u64,
    /// Reservations that were not there: they had expired, or their control plane has lost them.
    pub unknown: u64,
    /// Reservations of these accounts that were found to have expired.
    pub expired: u64,
}

impl std::ops::Add for Settled {
    type Output = Settled;

    fn add(self, other: Settled) -> Settled {
        Settled {
            spent: self.spent + other.spent,
            released: self.released + other.released,
            returned: self.returned + other.returned,
            over: self.over + other.over,
            unknown: self.unknown + other.unknown,
            expired: self.expired + other.expired,
        }
    }
}

impl Settled {
    /// Counts one settlement. `over` is by how much it exceeded reservation and limit; `None` when there was no reservation.
    pub fn count(&mut self, how: Settlement, over: Option<u64>) {
        let count = match (over, how) {
            (None, _) => &mut self.unknown,
            (Some(_), Settlement::Spent(_)) => &mut self.spent,
            (Some(_), Settlement::Released) => &mut self.released,
            (Some(_), Settlement::Returned { .. }) => &mut self.returned,
        };
        *count += 1;
        self.over += over.unwrap_or_default();
    }
}

/// How an account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Whose it is.
    pub key: String,
    /// How it counts, with the limit of the last request.
    pub terms: Terms,
    /// What counts against the limit.
    pub used: u64,
    /// The part that is reserved and not spent yet.
    pub held: u64,
    /// The part that is lent.
    pub lent: u64,
    /// The number of leases.
    pub leases: u64,
    /// The number of open reservations, including leases.
    pub open: u64,
    /// Until the first of them ends, if nobody settles it.
    pub expires: Option<Duration>,
    /// How many reservations expired lately: [`mesh_limits::Account::unsettled`].
    pub unsettled: u64,
    /// Until the oldest spending leaves the window.
    pub resets: Option<Duration>,
}

/// How accounts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The one used last comes first.
    pub views: Vec<AccountView>,
    /// Reservations of these accounts that were found to have expired.
    pub expired: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Which accounts are listed; empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Of limits of this policy.
    pub policy: Option<String>,
    /// Of this key, such as `user:ada`; of a limit that no policy set, the whole key of the account.
    pub key: Option<String>,
}

impl AccountFilter {
    /// Whether all accounts are wanted.
    pub fn is_empty(&self) -> bool {
        *self == AccountFilter::default()
    }

    /// Whether the account of this key is wanted.
    pub fn wants(&self, account: &str) -> bool {
        if self.is_empty() {
            return true;
        }
        let ours = LimitId::of(account).filter(|id| id.domain == DOMAIN);
        let entry = |name| ours.as_ref().and_then(|id| id.entry(name));
        self.policy.as_ref().is_none_or(|policy| entry("policy") == Some(policy))
            && self.key.as_ref().is_none_or(|key| entry("key").unwrap_or(account) == key)
    }

    /// Texts that the key of every wanted account contains, by which a store can skip most others quickly.
    pub fn needles(&self) -> Vec<String> {
        let entry = |name: &str, value: &String| serde_json::Value::from(vec![name, value]).to_string();
        let policy = self.policy.as_ref().map(|policy| entry("policy", policy));
        let key = self.key.as_ref().map(|key| match LimitId::of(key) {
            Some(_) => key.clone(),
            None => entry("key", key),
        });
        policy.into_iter().chain(key).collect()
    }
}

/// The terms of a limit.
pub fn terms(measure: Measure, limit: u64, window: Duration) -> Terms {
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Terms { kind: measure.kind(), limit, window_us: us(window), patience_us: us(HOLD_TTL) }
}

/// The identity of an account: the domain and entries of a rate limit descriptor, and its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitId {
    /// The descriptor's domain.
    pub domain: String,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// The descriptor's entries.
    pub entries: Vec<(String, String)>,
}

impl LimitId {
    /// The key of the account, as JSON, which keeps entries apart whatever characters they contain.
    pub fn key(&self) -> String {
        serde_json::Value::from(vec![
            serde_json::Value::from(self.domain.as_str()),
            self.window_s.into(),
            self.entries.iter().map(|(name, value)| vec![name.as_str(), value.as_str()]).collect(),
        ])
        .to_string()
    }

    /// Parses a key; `None` if [`LimitId::key`] did not make it.
    pub fn of(key: &str) -> Option<Self> {
        let (domain, window_s, entries) = serde_json::from_str(key).ok()?;
        Some(LimitId { domain, window_s, entries })
    }

    /// The value of an entry.
    pub fn entry(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The limits service.
#[derive(Clone)]
pub struct Limits {
    windows: Arc<dyn RateWindows>,
    pending: Arc<Pending>,
}

impl Limits {
    /// A service that counts in `windows`.
    pub fn new(windows: Arc<dyn RateWindows>) -> Self {
        Limits { windows, pending: Arc::default() }
    }

    /// Admits a request under all of `asks`, or refuses it without counting it anywhere. Its reservations are settled under `id`;
    /// without an id, everything is spent at once.
    ///
    /// A key that is named more than once is counted once, with the lowest of its limits.
    ///
    /// # Errors
    /// Nobody can count now.
    pub async fn admit(
        &self,
        asks: &[Ask],
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Verdicts, StoreError> {
        let mut distinct: Vec<Ask> = Vec::with_capacity(asks.len());
        let mut places = Vec::with_capacity(asks.len());
        for ask in asks {
            let place = distinct.iter().position(|seen| seen.key == ask.key).unwrap_or(distinct.len());
            match distinct.get_mut(place) {
                Some(seen) => seen.terms.limit = seen.terms.limit.min(ask.terms.limit),
                None => distinct.push(ask.clone()),
            }
            places.push(place);
        }
        let mut admission = self.windows.admit(&distinct, id, now).await?;
        for look in 1..=LOOKS {
            if !only_places_are_missing(&distinct, &admission) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let again = self.windows.admit(&distinct, id, now + PAUSE * look).await?;
            let (expired, over) = (admission.expired + again.expired, admission.over + again.over);
            admission = Verdicts { expired, over, ..again };
        }
        let verdicts =
            places.into_iter().filter_map(|place| admission.verdicts.get(place).copied()).collect();
        Ok(Verdicts { verdicts, ..admission })
    }

    /// Settles the reservations of the exchanges in these records. What cannot be settled now is tried again with the next ones.
    ///
    /// # Errors
    /// Nobody can count now. These settlements are tried again with the next.
    pub async fn settle_records(
        &self,
        records: impl Iterator<Item = &DecisionRecord>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let due = self.pending.with(records.flat_map(settlements));
        if due.settlements().is_empty() {
            return Ok(Settled::default());
        }
        let settled = self.windows.settle(due.settlements(), now).await?;
        due.done();
        Ok(settled)
    }

    /// Takes leases back.
    ///
    /// # Errors
    /// Nobody can count now. The leases are to be returned again.
    pub async fn take_back(&self, returns: &[LeaseReturn], now: Timestamp) -> Result<Settled, StoreError> {
        let settlements: Vec<Settle> = returns.iter().filter_map(returned).collect();
        if settlements.is_empty() {
            return Ok(Settled::default());
        }
        self.windows.settle(&settlements, now).await
    }

    /// How the accounts stand that were used last, of those that `filter` wants, at most `most`.
    ///
    /// # Errors
    /// Nobody can count now.
    pub async fn accounts(
        &self,
        filter: &AccountFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<Accounts, StoreError> {
        self.windows.accounts(filter, most, now).await
    }
}

/// Where the rule with a limit stands in a policy's list, from 0: `number` is which of the limits that count this over this window.
pub fn place_of_limit(policy: &Policy, measure: Measure, window_s: u64, number: u32) -> Option<u32> {
    let rules = policy.spec.rules.iter().enumerate();
    let mut limits = rules.filter(|(_, rule)| match rule {
        Rule::RateLimit(rule) => has_limit(rule, measure, window_s),
        _ => false,
    });
    limits.nth(number as usize).and_then(|(place, _)| u32::try_from(place).ok())
}

fn has_limit(rule: &RateLimitRule, measure: Measure, window_s: u64) -> bool {
    match (measure, window_s) {
        (Measure::Concurrent, _) => rule.max_concurrent.is_some(),
        (Measure::Requests, 1) => rule.requests_per_second.is_some(),
        (Measure::Requests, 60) => rule.requests_per_minute.is_some(),
        (Measure::Requests, 3600) => rule.requests_per_hour.is_some(),
        (Measure::Requests, _) => rule.requests_per_day.is_some(),
        (Measure::Tokens, 60) => rule.tokens_per_minute.is_some(),
        (Measure::Tokens, _) => rule.tokens_per_day.is_some(),
        (Measure::Cost, 86_400) => rule.cost_per_day.is_some(),
        (Measure::Cost, _) => rule.cost_per_month.is_some(),
    }
}

/// What a record settles; entries that name no measure we know are passed over.
fn settlements(record: &DecisionRecord) -> impl Iterator<Item = Settle> {
    record.settlements.iter().take(MAX_SETTLEMENTS).filter_map(|said| {
        let how = said.spent.map_or(Settlement::Released, Settlement::Spent);
        let account = (said.policy_id.as_str(), said.rule, said.measure.as_str(), said.window_s);
        settle(account, &said.key, record.decision_id.clone(), how)
    })
}

fn returned(said: &LeaseReturn) -> Option<Settle> {
    let how = Settlement::Returned { spent: said.spent, rest: said.rest };
    let account = (said.policy_id.as_str(), said.rule, said.measure.as_str(), said.window_s);
    settle(account, &said.key, said.lease_id.clone(), how)
}

fn settle(
    (policy, rule, measure, window_s): (&str, u32, &str, u64),
    key: &str,
    id: String,
    how: Settlement,
) -> Option<Settle> {
    let terms = terms(Measure::from_name(measure)?, 0, Duration::from_secs(window_s));
    let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let account = LimitId {
        domain: DOMAIN.to_owned(),
        window_s,
        entries: vec![
            entry("policy", policy),
            entry("rule", &rule.to_string()),
            entry("measure", measure),
            entry("key", key),
        ],
    };
    Some(Settle { key: account.key(), terms, id, how })
}

fn only_places_are_missing(asks: &[Ask], admission: &Verdicts) -> bool {
    let mut refusing =
        asks.iter().zip(&admission.verdicts).filter(|(_, verdict)| !verdict.admitted).peekable();
    refusing.peek().is_some()
        && refusing.all(|(ask, _)| ask.terms.kind == Kind::Concurrent && ask.terms.limit > 0)
}
