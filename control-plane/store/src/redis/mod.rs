//! Accounts in Redis, which all control planes share and which survive their restarts.
//!
//! One script does a whole request. Redis runs scripts one at a time, so counts are exact however many ask. In a cluster, the accounts of
//! a request may lie on several nodes: then the request is first held under each of them, and after that counted under all or
//! released by all. In between it may keep out another request that would have fitted; it never lets one in that does not.
mod server;

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use mesh_control_core::ports::{RateWindows, StoreError};
use mesh_control_core::{
    AccountFilter, AccountView, Accounts, Ask, Kind, LimitVerdict, MAX_AMOUNT, Settle, Settled, Settlement,
    Terms, Verdicts, lease_id, rest_of,
};
use redis::{Script, ScriptInvocation};

use crate::location::host_of;
use crate::open::OpenError;
use server::Server;

/// Whose clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisClock {
    /// The Redis server's: several control planes then agree to the microsecond.
    Server,
    /// The caller's, as every other implementation of the port has it.
    Caller,
}

/// Accounts in Redis.
pub struct RedisWindows {
    server: Server,
    admit: Script,
    settle: Script,
    accounts: Script,
    clock: RedisClock,
    host: String,
    /// Numbers the holds between the two steps of [`RedisWindows::admit_apart`].
    attempts: AtomicU64,
    own: u64,
}

/// Accounts that one call of a listing looks at: other callers wait for the server meanwhile.
const MOST: usize = 1000;
/// Calls of one listing.
const PAGES: usize = 100;
/// The largest limit: scripts count in doubles.
const MAX_LIMIT: u64 = 1 << 52;

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("account.lua"), include_str!($file)))
    };
}

/// Key; kind, limit, window, patience; used, held, reset; lent, leases; open, until the first ends, unsettled; expired; and when it is
/// empty at the latest.
type Row = (String, (u8, u64, u64, u64), (u64, u64, i64), (u64, u64), (u64, i64, u64), u64, u64);

impl RedisWindows {
    /// Connects to `redis://…` or `redis-cluster://…`. A connection that is lost later is made again automatically.
    ///
    /// # Errors
    /// The address cannot be read, or nobody answers there.
    pub async fn connect(url: &str, clock: RedisClock) -> Result<Self, OpenError> {
        Ok(RedisWindows {
            server: Server::connect(url).await?,
            admit: script!("admit.lua"),
            settle: script!("settle.lua"),
            accounts: script!("accounts.lua"),
            clock,
            host: host_of(url).to_owned(),
            attempts: AtomicU64::new(0),
            own: RandomState::new().hash_one("own"),
        })
    }

    fn call<'s>(&self, script: &'s Script, tag: &str, now: Timestamp) -> ScriptInvocation<'s> {
        let mut call = script.prepare_invoke();
        call.key(index(tag)).arg(match self.clock {
            RedisClock::Server => -1,
            RedisClock::Caller => now.as_microsecond(),
        });
        call
    }

    async fn run<T: redis::FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        self.server.run(call).await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: redis::RedisError) -> StoreError {
        StoreError::caused(format!("Redis at {} cannot count limits", self.host), error)
    }

    /// The places of keys in their list, grouped by the cluster's hash tag.
    fn together<'k>(&self, keys: impl Iterator<Item = &'k str>) -> BTreeMap<String, Vec<usize>> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, key) in keys.enumerate() {
            groups.entry(self.server.tag(key)).or_default().push(place);
        }
        groups
    }

    /// How the accounts of one tag stand, each with when it is empty at the latest and how many promises were found expired; and
    /// whether there may be more.
    ///
    /// They are read page by page while others go on counting: an account that is used meanwhile moves to the front, and may be missed
    /// or come twice.
    async fn accounts_of(
        &self,
        tag: &str,
        filter: &AccountFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<(Vec<(u64, u64, AccountView)>, bool), StoreError> {
        let needles = filter.needles();
        let (mut found, mut known) = (Vec::new(), HashSet::new());
        for page in 0..PAGES {
            let mut call = self.call(&self.accounts, tag, now);
            call.arg(page * MOST).arg(MOST);
            for needle in &needles {
                call.arg(needle);
            }
            let (seen, rows): (usize, Vec<Row>) = self.run(&call).await?;
            for row in rows {
                let view = view(tag, &row);
                if filter.wants(&view.key) && known.insert(view.key.clone()) {
                    let (.., expired, empty_at) = row;
                    found.push((empty_at, expired, view));
                }
            }
            if seen < MOST || found.len() >= most {
                return Ok((found, seen == MOST));
            }
        }
        Ok((found, true))
    }

    /// Admits under accounts of one tag. If there is an `attempt`, what would be spent at once is held under that name.
    async fn admit_together(
        &self,
        tag: &str,
        asks: Vec<&Ask>,
        id: Option<&str>,
        attempt: &str,
        now: Timestamp,
    ) -> Result<Verdicts, StoreError> {
        let mut call = self.call(&self.admit, tag, now);
        call.arg(id.unwrap_or_default()).arg(id.map(lease_id).unwrap_or_default()).arg(attempt);
        for ask in asks {
            name(&mut call, tag, &ask.key, &ask.terms);
            let told = ask.told.as_ref();
            call.arg(ask.amount).arg(ask.want);
            call.arg(told.map_or("", |told| &told.id)).arg(told.map_or(0, |told| told.spent));
        }
        let answer = self.server.run_once(&call).await;
        let answer: Vec<(u64, u64, u64, u64)> = answer.map_err(|error| self.failed(error))?;
        let (head, rest) =
            answer.split_first().ok_or_else(|| StoreError::new("Redis gave an empty answer"))?;
        let verdicts = rest.iter().map(|(admitted, remaining, reset_us, lent)| LimitVerdict {
            admitted: *admitted == 1,
            remaining: *remaining,
            lent: *lent,
            reset: Duration::from_micros(*reset_us),
        });
        Ok(Verdicts { verdicts: verdicts.collect(), expired: head.0, over: head.1 })
    }

    /// Admits under accounts of several tags, in two steps: holds the request under each of them, then counts it under all, or
    /// releases it under all.
    async fn admit_apart(
        &self,
        groups: BTreeMap<String, Vec<usize>>,
        asks: &[Ask],
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Verdicts, StoreError> {
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        let attempt = format!("attempt:{:016x}-{number}", self.own);
        let Held { mut all, places, failure } = self.hold_apart(&groups, asks, id, &attempt, now).await;
        let admitted = failure.is_none() && all.verdicts.iter().all(|verdict| verdict.admitted);
        let mut ends = Vec::new();
        for place in &places {
            let (Some(ask), Some(verdict)) = (asks.get(*place), all.verdicts.get_mut(*place)) else {
                continue;
            };
            let own = id.filter(|_| ask.terms.kind != Kind::Count);
            let mut end =
                |id: String, how| ends.push(Settle { key: ask.key.clone(), terms: ask.terms, id, how });
            match (admitted, own) {
                (true, Some(_)) => {}
                (true, None) => end(attempt.clone(), Settlement::Spent(ask.amount)),
                (false, own) => {
                    end(own.unwrap_or(&attempt).to_owned(), Settlement::Released);
                    verdict.remaining = verdict.remaining.saturating_add(ask.amount);
                }
            }
        }
        // What cannot be ended now is held until it counts as spent.
        let ended = if ends.is_empty() { Ok(Settled::default()) } else { self.settle(&ends, now).await };
        all.expired += ended.map(|settled| settled.expired).unwrap_or_default();
        if admitted {
            self.lend_apart(&groups, asks, id, now, &mut all).await;
        }
        failure.map_or(Ok(all), Err)
    }

    /// Holds a request under the accounts of each tag that admits it.
    async fn hold_apart(
        &self,
        groups: &BTreeMap<String, Vec<usize>>,
        asks: &[Ask],
        id: Option<&str>,
        attempt: &str,
        now: Timestamp,
    ) -> Held {
        let asked = groups.iter().map(|(tag, places)| {
            let of_tag = places.iter().filter_map(|place| asks.get(*place));
            let of_tag: Vec<Ask> = of_tag.map(|ask| Ask { want: 0, ..ask.clone() }).collect();
            async move { self.admit_together(tag, of_tag.iter().collect(), id, attempt, now).await }
        });
        let answers = join_all(asked).await;
        let none = LimitVerdict { admitted: false, remaining: 0, lent: 0, reset: Duration::ZERO };
        let all = Verdicts { verdicts: vec![none; asks.len()], ..Verdicts::default() };
        let mut held = Held { all, places: Vec::new(), failure: None };
        for (places, answer) in groups.values().zip(answers) {
            match answer {
                Ok(answer) => held.add(places, answer),
                // It may have been counted all the same: what is not released counts as spent in the end.
                Err(error) => held.failure = Some(error),
            }
        }
        held
    }

    /// Lends to a request that all of its limits have admitted. Where that fails nothing is lent.
    async fn lend_apart(
        &self,
        groups: &BTreeMap<String, Vec<usize>>,
        asks: &[Ask],
        id: Option<&str>,
        now: Timestamp,
        all: &mut Verdicts,
    ) {
        let asked = groups.iter().map(|(tag, places)| async move {
            let wanted = places.iter().filter_map(|place| Some((*place, asks.get(*place)?)));
            let wanted: Vec<(usize, &Ask)> = wanted.filter(|(_, ask)| ask.want > 0).collect();
            if wanted.is_empty() {
                return Vec::new();
            }
            let of_tag: Vec<Ask> =
                wanted.iter().map(|(_, ask)| Ask { amount: 0, ..(*ask).clone() }).collect();
            let answer = self.admit_together(tag, of_tag.iter().collect(), id, "", now).await;
            let verdicts = answer.map(|answer| answer.verdicts).unwrap_or_default();
            wanted.into_iter().map(|(place, _)| place).zip(verdicts).collect::<Vec<_>>()
        });
        for (place, lent) in join_all(asked).await.into_iter().flatten() {
            if let Some(verdict) = all.verdicts.get_mut(place) {
                verdict.lent = lent.lent;
            }
        }
    }
}

/// What the first of the two steps has done.
struct Held {
    all: Verdicts,
    /// The asks that are held, by their places in the list.
    places: Vec<usize>,
    failure: Option<StoreError>,
}

impl Held {
    /// Adds what the accounts of one tag say to the asks at these places.
    fn add(&mut self, places: &[usize], answer: Verdicts) {
        self.all.expired += answer.expired;
        self.all.over += answer.over;
        if answer.verdicts.iter().all(|verdict| verdict.admitted) {
            self.places.extend(places);
        }
        for (place, verdict) in places.iter().zip(answer.verdicts) {
            if let Some(of_place) = self.all.verdicts.get_mut(*place) {
                *of_place = verdict;
            }
        }
    }
}

fn index(tag: &str) -> String {
    format!("ai-mesh:{{{tag}}}")
}

fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Count => 0,
        Kind::Reserve => 1,
        Kind::Concurrent => 2,
    }
}

fn name(call: &mut ScriptInvocation<'_>, tag: &str, key: &str, terms: &Terms) {
    call.key(format!("{}:{key}", index(tag)));
    call.arg(kind(terms.kind)).arg(terms.limit.min(MAX_LIMIT)).arg(terms.window_us).arg(terms.patience_us);
}

fn view(tag: &str, row: &Row) -> AccountView {
    let (
        key,
        (kind, limit, window_us, patience_us),
        (used, held, reset),
        lent,
        (open, expires, unsettled),
        ..,
    ) = row;
    let own = key.strip_prefix(&index(tag)).and_then(|rest| rest.strip_prefix(':'));
    let duration = |us: &i64| u64::try_from(*us).ok().map(Duration::from_micros);
    AccountView {
        key: own.unwrap_or(key).to_owned(),
        terms: Terms {
            kind: match kind {
                0 => Kind::Count,
                1 => Kind::Reserve,
                _ => Kind::Concurrent,
            },
            limit: *limit,
            window_us: *window_us,
            patience_us: *patience_us,
        },
        used: *used,
        held: *held,
        lent: lent.0,
        leases: lent.1,
        open: *open,
        expires: duration(expires),
        unsettled: *unsettled,
        resets: duration(reset),
    }
}

#[async_trait]
impl RateWindows for RedisWindows {
    async fn admit(&self, asks: &[Ask], id: Option<&str>, now: Timestamp) -> Result<Verdicts, StoreError> {
        let groups = self.together(asks.iter().map(|ask| ask.key.as_str()));
        match groups.first_key_value() {
            None => Ok(Verdicts::default()),
            Some((tag, _)) if groups.len() == 1 => {
                self.admit_together(tag, asks.iter().collect(), id, "", now).await
            }
            Some(_) => self.admit_apart(groups, asks, id, now).await,
        }
    }

    async fn settle(&self, settlements: &[Settle], now: Timestamp) -> Result<Settled, StoreError> {
        let groups = self.together(settlements.iter().map(|settle| settle.key.as_str()));
        let ends = groups.iter().map(|(tag, places)| async move {
            let mut call = self.call(&self.settle, tag, now);
            let of_tag: Vec<&Settle> = places.iter().filter_map(|place| settlements.get(*place)).collect();
            for settle in &of_tag {
                name(&mut call, tag, &settle.key, &settle.terms);
                let (spent, rest) = match settle.how {
                    Settlement::Spent(spent) => (spent, 0),
                    Settlement::Released => (0, 0),
                    Settlement::Returned { spent, rest } => (spent, rest),
                };
                let (spent, rest) = (spent.min(MAX_AMOUNT), rest.min(MAX_AMOUNT));
                call.arg(&settle.id).arg(rest_of(&settle.id)).arg(spent).arg(rest);
            }
            let answer: Vec<(i64, u64)> = self.run(&call).await?;
            let mut settled = Settled::default();
            for (settle, (over, expired)) in of_tag.iter().zip(answer) {
                settled.expired += expired;
                settled.count(settle.how, u64::try_from(over).ok());
            }
            Ok::<_, StoreError>(settled)
        });
        join_all(ends).await.into_iter().try_fold(Settled::default(), |all, of_tag| Ok(all + of_tag?))
    }

    async fn accounts(
        &self,
        filter: &AccountFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<Accounts, StoreError> {
        let most = most.min(MOST);
        let tags = self.server.tags();
        let listings = tags.iter().map(|tag| self.accounts_of(tag, filter, most, now));
        let (mut found, mut more): (Vec<(u64, u64, AccountView)>, bool) = (Vec::new(), false);
        for of_tag in join_all(listings).await {
            let (views, cut) = of_tag?;
            found.extend(views);
            more |= cut;
        }
        if tags.len() > 1 {
            found.sort_by_key(|(until, ..)| std::cmp::Reverse(*until));
        }
        more |= found.len() > most;
        let expired = found.iter().map(|(_, expired, _)| expired).sum();
        Ok(Accounts { views: found.into_iter().map(|(.., view)| view).take(most).collect(), expired, more })
    }
}
