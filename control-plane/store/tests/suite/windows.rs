//! Scenarios of [`RateWindows`].
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mesh_control_core::memory::MemoryWindows;
use mesh_control_core::ports::RateWindows;
use mesh_control_core::{
    AccountFilter, AccountView, Accounts, Ask, DOMAIN, Kind, LimitId, LimitVerdict, Settle, Settled,
    Settlement, Terms, Told, lease_id, rest_of,
};

use crate::lent::{
    unsettled_promises_are_listed, what_is_lent_counts_until_it_is_returned,
    what_is_told_of_a_lease_is_lent_no_longer,
};
use crate::support;

pub(crate) type Port = Arc<dyn RateWindows>;

/// `key` is made unique: one Redis serves all tests.
fn ask(key: &str, limit: u64) -> Ask {
    Ask { key: key.to_owned(), terms: terms(Kind::Count, limit), amount: 1, want: 0, told: None }
}

pub(crate) fn terms(kind: Kind, limit: u64) -> Terms {
    Terms { kind, limit, window_us: 60_000_000, patience_us: 20_000_000 }
}

pub(crate) fn unique(key: &str) -> String {
    format!("{}:{key}", support::unique())
}

/// Milliseconds after a start that no clock has passed yet (the entries of Redis expire by its own).
pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_900_000_000_000 + milliseconds).unwrap()
}

async fn hit(port: &Port, ask: &Ask, milliseconds: i64) -> LimitVerdict {
    port.admit(std::slice::from_ref(ask), None, at(milliseconds)).await.unwrap().verdicts[0]
}

async fn the_window_slides(port: Port) {
    let ask = ask(&unique("slides"), 3);
    // When, whether it is admitted, how many are left, and after how many milliseconds to look again.
    let table = [
        (0, true, 2, 60_000),
        (10_000, true, 1, 50_000),
        (20_000, true, 0, 40_000),
        (20_001, false, 0, 39_999),
        (59_999, false, 0, 1),
        (60_000, true, 0, 10_000),
        (60_001, false, 0, 9_999),
        (70_000, true, 0, 10_000),
        (79_999, false, 0, 1),
        (200_000, true, 2, 60_000),
    ];
    for (when, admitted, remaining, reset) in table {
        let verdict = hit(&port, &ask, when).await;
        let expected = LimitVerdict { admitted, remaining, lent: 0, reset: Duration::from_millis(reset) };
        assert_eq!(verdict, expected, "at {when}");
    }
}

async fn keys_are_counted_apart(port: Port) {
    let (one, two) = (ask(&unique("one"), 1), ask(&unique("two"), 1));
    assert!(hit(&port, &one, 0).await.admitted);
    assert!(hit(&port, &two, 0).await.admitted);
    assert!(!hit(&port, &one, 1).await.admitted);
}

async fn a_request_is_admitted_under_all_limits_or_counted_under_none(port: Port) {
    let (wide, narrow) = (ask(&unique("wide"), 10), ask(&unique("narrow"), 1));
    let both = [wide.clone(), narrow.clone()];
    let first = port.admit(&both, None, at(0)).await.unwrap().verdicts;
    assert_eq!(first.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), [9, 0]);
    for _ in 0..5 {
        let refused = port.admit(&both, None, at(1)).await.unwrap().verdicts;
        assert_eq!(refused.iter().map(|verdict| verdict.admitted).collect::<Vec<_>>(), [true, false]);
    }
    assert_eq!(hit(&port, &wide, 2).await.remaining, 8);
}

async fn several_hits_fit_together_or_not_at_all(port: Port) {
    let one = ask(&unique("several"), 5);
    let many = |amount| Ask { amount, ..one.clone() };
    assert_eq!(hit(&port, &many(2), 0).await.remaining, 3);
    assert_eq!(hit(&port, &many(2), 1000).await.remaining, 1);
    // Two do not fit: one more has to leave; four do not: three have to.
    let table = [(2, 58_000), (4, 59_000), (6, 60_000)];
    for (hits, reset) in table {
        let refused = hit(&port, &many(hits), 2000).await;
        let expected =
            LimitVerdict { admitted: false, remaining: 1, lent: 0, reset: Duration::from_millis(reset) };
        assert_eq!(refused, expected, "{hits} hits");
    }
    assert_eq!(hit(&port, &many(0), 2000).await.remaining, 1);
    assert!(hit(&port, &one, 2000).await.admitted);
}

async fn a_limit_of_zero_admits_nothing(port: Port) {
    let verdict = hit(&port, &ask(&unique("zero"), 0), 0).await;
    assert_eq!(
        verdict,
        LimitVerdict { admitted: false, remaining: 0, lent: 0, reset: Duration::from_secs(60) }
    );
}

async fn a_limit_that_changes_counts_what_was(port: Port) {
    let ten = ask(&unique("changes"), 10);
    for number in 0..4 {
        hit(&port, &ten, number).await;
    }
    assert!(!hit(&port, &Ask { terms: terms(Kind::Count, 3), ..ten.clone() }, 10).await.admitted);
    assert_eq!(hit(&port, &Ask { terms: terms(Kind::Count, 5), ..ten.clone() }, 10).await.remaining, 0);
}

async fn a_clock_that_steps_back_admits_no_more(port: Port) {
    let ask = ask(&unique("back"), 2);
    assert!(hit(&port, &ask, 30_000).await.admitted);
    assert!(hit(&port, &ask, 0).await.admitted);
    assert!(!hit(&port, &ask, 10_000).await.admitted);
    assert!(!hit(&port, &ask, 89_999).await.admitted);
    assert!(hit(&port, &ask, 90_000).await.admitted);
}

async fn a_hundred_racers_are_admitted_exactly_to_the_limit(port: Port) {
    for (limit, hits, admitted) in [(37, 1, 37), (100, 1, 100), (50, 3, 16), (0, 1, 0)] {
        let ask = Ask { amount: hits, ..ask(&unique("race"), limit) };
        let racers: Vec<_> = (0..100)
            .map(|_| {
                let (port, ask) = (Arc::clone(&port), ask.clone());
                tokio::spawn(async move { hit(&port, &ask, 0).await.admitted })
            })
            .collect();
        let mut won = 0;
        for racer in racers {
            won += usize::from(racer.await.unwrap());
        }
        assert_eq!(won, admitted, "limit {limit}, {hits} hits");
    }
}

async fn what_is_promised_counts_until_it_is_settled(port: Port) {
    let key = unique("promised");
    let budget =
        |amount| Ask { key: key.clone(), terms: terms(Kind::Reserve, 100), amount, want: 0, told: None };
    let ask = |id: &'static str, amount, when| {
        let (port, ask) = (Arc::clone(&port), budget(amount));
        async move { port.admit(&[ask], Some(id), at(when)).await.unwrap().verdicts[0] }
    };
    let settle =
        |id: &str, how| Settle { key: key.clone(), terms: terms(Kind::Reserve, 0), id: id.to_owned(), how };
    assert!(ask("a", 60, 0).await.admitted);
    let refused = ask("b", 60, 1000).await;
    assert_eq!((refused.admitted, refused.remaining), (false, 40));
    // Less was spent than promised: the rest is there again. Settling twice changes nothing.
    let spent = [settle("a", Settlement::Spent(25)), settle("a", Settlement::Spent(25))];
    let settled = port.settle(&spent, at(2000)).await.unwrap();
    assert_eq!(settled, Settled { spent: 1, unknown: 1, ..Settled::default() });
    assert_eq!(ask("b", 60, 3000).await.remaining, 15);
    let released = port.settle(&[settle("b", Settlement::Released)], at(4000)).await.unwrap();
    assert_eq!(released.released, 1);
    // More was spent than promised: nothing is admitted until that has left the window.
    assert_eq!(ask("c", 75, 5000).await.remaining, 0);
    port.settle(&[settle("c", Settlement::Spent(175))], at(6000)).await.unwrap();
    let refused = ask("d", 1, 7000).await;
    assert_eq!(
        refused,
        LimitVerdict { admitted: false, remaining: 0, lent: 0, reset: Duration::from_millis(59_000) }
    );
    assert!(ask("d", 1, 66_000).await.admitted);
}

async fn a_promise_that_nobody_settles_counts_as_spent(port: Port) {
    let key = unique("unsettled");
    let budget = Ask { key: key.clone(), terms: terms(Kind::Reserve, 100), amount: 80, want: 0, told: None };
    assert!(port.admit(std::slice::from_ref(&budget), Some("a"), at(0)).await.unwrap().verdicts[0].admitted);
    let later = port.admit(std::slice::from_ref(&budget), Some("b"), at(20_000)).await.unwrap();
    assert_eq!((later.verdicts[0].admitted, later.verdicts[0].remaining, later.expired), (false, 20, 1));
    let late = Settle { key, terms: budget.terms, id: "a".into(), how: Settlement::Spent(1) };
    assert_eq!(port.settle(&[late], at(21_000)).await.unwrap().unknown, 1, "it has expired");
    assert!(port.admit(&[budget], Some("b"), at(80_000)).await.unwrap().verdicts[0].admitted);
}

async fn places_are_free_again_when_their_holders_are_gone(port: Port) {
    let key = unique("places");
    let place = Ask { key: key.clone(), terms: terms(Kind::Concurrent, 2), amount: 1, want: 0, told: None };
    let enter = |id: &'static str, when| {
        let (port, place) = (Arc::clone(&port), place.clone());
        async move { port.admit(&[place], Some(id), at(when)).await.unwrap().verdicts[0].admitted }
    };
    assert_eq!([enter("a", 0).await, enter("b", 1).await, enter("c", 2).await], [true, true, false]);
    let leave = Settle { key, terms: place.terms, id: "a".into(), how: Settlement::Released };
    port.settle(&[leave], at(3)).await.unwrap();
    assert_eq!([enter("c", 4).await, enter("d", 5).await], [true, false]);
    // `b` was never given back.
    assert_eq!([enter("d", 20_001).await, enter("e", 20_002).await], [true, false]);
}

async fn accounts_are_listed_with_what_is_used(port: Port) {
    let (requests, budget) = (unique("requests"), unique("budget"));
    hit(&port, &ask(&requests, 10), 0).await;
    let reserve =
        Ask { key: budget.clone(), terms: terms(Kind::Reserve, 100), amount: 30, want: 0, told: None };
    port.admit(&[reserve], Some("a"), at(1000)).await.unwrap();
    let accounts = port.accounts(&AccountFilter::default(), 1000, at(2000)).await.unwrap().views;
    let find = |key: &str| accounts.iter().find(|account| account.key == key).cloned();
    let expected = AccountView {
        key: requests.clone(),
        terms: terms(Kind::Count, 10),
        used: 1,
        held: 0,
        lent: 0,
        leases: 0,
        open: 0,
        expires: None,
        unsettled: 0,
        resets: Some(Duration::from_secs(58)),
    };
    assert_eq!(find(&requests), Some(expected));
    let expected = AccountView {
        key: budget.clone(),
        terms: terms(Kind::Reserve, 100),
        used: 30,
        held: 30,
        lent: 0,
        leases: 0,
        open: 1,
        expires: Some(Duration::from_secs(19)),
        unsettled: 0,
        resets: None,
    };
    assert_eq!(find(&budget), Some(expected));
    assert!(port.accounts(&AccountFilter::default(), 1, at(2000)).await.unwrap().views.len() <= 1);
}

/// Wanted accounts are found however many others were used since.
async fn accounts_are_found_among_many(port: Port) {
    let (policy, other) = (unique("ümläut \"p\""), unique("other"));
    let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let account = |policy: &str, key: &str| {
        let entries = vec![entry("policy", policy), entry("rule", "0"), entry("key", key)];
        LimitId { domain: DOMAIN.to_owned(), window_s: 60, entries }.key()
    };
    let foreign = LimitId {
        domain: unique("envoy"),
        window_s: 60,
        entries: vec![entry("policy", &policy), entry("key", "user:ada")],
    };
    let mine = [account(&policy, "user:ada"), account(&policy, "user:bob"), foreign.key()];
    for key in &mine {
        hit(&port, &ask(key, 10), 0).await;
    }
    for number in 0..1500 {
        hit(&port, &ask(&account(&other, &format!("user:{number}")), 10), 1000).await;
    }
    let some = |text: &str| Some(text.to_owned());
    // Half a name, and what only looks like an entry, are nobody's.
    let table: [(Option<String>, Option<String>, &[usize]); 6] = [
        (some(&policy), None, &[0, 1]),
        (some(&policy), some("user:ada"), &[0]),
        (None, some(&mine[2]), &[2]),
        (some(&policy), some("user:nobody"), &[]),
        (some(&policy[1..]), None, &[]),
        (None, some(&format!("[\"policy\",\"{other}\"]")), &[]),
    ];
    for (policy, key, expected) in table {
        let filter = AccountFilter { policy, key };
        let found = port.accounts(&filter, 1000, at(2000)).await.unwrap();
        let mut keys: Vec<String> = found.views.into_iter().map(|view| view.key).collect();
        let mut expected: Vec<String> = expected.iter().map(|place| mine[*place].clone()).collect();
        keys.sort();
        expected.sort();
        assert_eq!(keys, expected, "{filter:?}");
    }
    let filter = AccountFilter { policy: Some(other), key: None };
    let found = port.accounts(&filter, 1000, at(2000)).await.unwrap();
    assert_eq!((found.views.len(), found.more), (1000, true));
}

/// Under several limits that may lie apart: all racers together are admitted as the narrower one says, and the wider
/// one has counted no more.
async fn racers_under_two_limits_are_counted_under_both_or_neither(port: Port) {
    let (wide, narrow) = (ask(&unique("wide race"), 1000), ask(&unique("narrow race"), 40));
    let racers: Vec<_> = (0..60)
        .map(|racer| {
            let (port, both) = (Arc::clone(&port), [wide.clone(), narrow.clone()]);
            tokio::spawn(async move {
                // One that is kept out by another's attempt asks again.
                for _ in 0..20 {
                    let id = format!("racer-{racer}");
                    let admission = port.admit(&both, Some(&id), at(0)).await.unwrap();
                    if admission.verdicts.iter().all(|verdict| verdict.admitted) {
                        return 1;
                    }
                }
                0
            })
        })
        .collect();
    let mut admitted = 0;
    for racer in racers {
        admitted += racer.await.unwrap();
    }
    assert_eq!(admitted, 40);
    assert_eq!(hit(&port, &wide, 1).await.remaining, 1000 - 40 - 1);
    assert!(!hit(&port, &narrow, 1).await.admitted);
}

/// Fifty racers reserve, spend at most what they reserved, and settle, over two windows: what is spent in the window never
/// passes the budget.
async fn racers_never_spend_over_the_budget(port: Port) {
    let key = unique("budget race");
    let racers: Vec<_> = (0..50_u64)
        .map(|racer| {
            let (port, key) = (Arc::clone(&port), key.clone());
            tokio::spawn(async move {
                let mut spent = 0;
                for round in 0..20_u64 {
                    let id = format!("{racer}-{round}");
                    let ask = Ask {
                        key: key.clone(),
                        terms: terms(Kind::Reserve, 1000),
                        amount: 10 + racer % 7,
                        want: 0,
                        told: None,
                    };
                    let verdict = port.admit(std::slice::from_ref(&ask), Some(&id), at(0)).await.unwrap();
                    if verdict.verdicts[0].admitted {
                        let amount = (racer + round) % 10;
                        let how =
                            if round % 5 == 4 { Settlement::Released } else { Settlement::Spent(amount) };
                        spent += if round % 5 == 4 { 0 } else { amount };
                        let settle = Settle { key: key.clone(), terms: ask.terms, id, how };
                        assert_eq!(port.settle(&[settle], at(0)).await.unwrap().unknown, 0);
                    }
                }
                spent
            })
        })
        .collect();
    let mut spent = 0;
    for racer in racers {
        spent += racer.await.unwrap();
    }
    assert!(spent <= 1000, "{spent} of 1000");
    let accounts = port.accounts(&AccountFilter::default(), 1000, at(0)).await.unwrap().views;
    let account = accounts.iter().find(|account| account.key == key).unwrap();
    assert_eq!((account.used, account.held), (spent, 0), "every token is accounted for");
}

macro_rules! stamp {
    ($($scenario:ident),+ $(,)?) => {
        mod memory { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                super::$scenario(Arc::new(MemoryWindows::default())).await;
            }
        )+ }
        mod redis { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                super::$scenario(support::redis().await).await;
            }
        )+ }
        mod cluster { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                super::$scenario(support::redis_cluster().await).await;
            }
        )+ }
    };
}

stamp!(
    the_window_slides,
    keys_are_counted_apart,
    a_request_is_admitted_under_all_limits_or_counted_under_none,
    several_hits_fit_together_or_not_at_all,
    a_limit_of_zero_admits_nothing,
    a_limit_that_changes_counts_what_was,
    a_clock_that_steps_back_admits_no_more,
    a_hundred_racers_are_admitted_exactly_to_the_limit,
    what_is_promised_counts_until_it_is_settled,
    a_promise_that_nobody_settles_counts_as_spent,
    places_are_free_again_when_their_holders_are_gone,
    accounts_are_listed_with_what_is_used,
    racers_never_spend_over_the_budget,
    what_is_lent_counts_until_it_is_returned,
    racers_under_two_limits_are_counted_under_both_or_neither,
    what_is_told_of_a_lease_is_lent_no_longer,
);

#[tokio::test]
async fn unsettled_promises_are_listed_in_memory_and_redis() {
    unsettled_promises_are_listed(Arc::new(MemoryWindows::default())).await;
    unsettled_promises_are_listed(support::redis_alone(1).await).await;
}

#[tokio::test]
async fn accounts_are_found_among_many_in_memory_and_redis() {
    accounts_are_found_among_many(Arc::new(MemoryWindows::default())).await;
    accounts_are_found_among_many(support::redis_alone(3).await).await;
}

/// Redis restates the arithmetic: over random acts and clocks it says what memory says, word for word.
#[tokio::test]
async fn redis_and_memory_say_the_same() {
    let (memory, redis): (Port, Port) = (Arc::new(MemoryWindows::default()), support::redis_alone(2).await);
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let keys: Vec<(String, Terms)> = [Kind::Count, Kind::Reserve, Kind::Reserve, Kind::Concurrent]
        .map(|kind| (unique("model"), terms(kind, 140)))
        .to_vec();
    let mut clock = 0_i64;
    for act in 0..1500 {
        clock += random(4000) as i64 - 400;
        if random(60) == 0 {
            clock += 60_000;
        }
        let id = format!("id-{}", random(12));
        let chosen: Vec<&(String, Terms)> = keys.iter().filter(|_| random(2) == 0).collect();
        if random(3) == 0 {
            let id = if random(3) == 0 { lease_id(&id) } else { id };
            let id = if random(6) == 0 { rest_of(&id) } else { id };
            let how = match random(5) {
                0 => Settlement::Released,
                1 => Settlement::Returned { spent: random(5), rest: random(3) },
                _ => Settlement::Spent(random(25)),
            };
            let settle = |(key, terms): &(String, Terms)| Settle {
                key: key.clone(),
                terms: *terms,
                id: id.clone(),
                how,
            };
            let settlements: Vec<Settle> = chosen.into_iter().map(settle).collect();
            let (one, other) =
                (memory.settle(&settlements, at(clock)).await, redis.settle(&settlements, at(clock)).await);
            assert_eq!(one.unwrap(), other.unwrap(), "act {act}: {settlements:?}");
        } else {
            let (amount, want) = (random(15), random(3) * random(8));
            let told = (random(3) == 0)
                .then(|| Told { id: lease_id(&format!("id-{}", random(12))), spent: random(12) });
            let ask = |(key, terms): &(String, Terms)| {
                let (key, terms, told) = (key.clone(), *terms, told.clone());
                Ask { key, terms, amount, want, told }
            };
            let asks: Vec<Ask> = chosen.into_iter().map(ask).collect();
            let id = (random(5) > 0).then_some(id.as_str());
            let (one, other) =
                (memory.admit(&asks, id, at(clock)).await, redis.admit(&asks, id, at(clock)).await);
            assert_eq!(one.unwrap(), other.unwrap(), "act {act}: {asks:?}");
        }
        if act % 10 == 0 {
            let all = AccountFilter::default();
            let mut views = [&memory, &redis].map(|port| port.accounts(&all, 1000, at(clock)));
            let [one, other] = &mut views;
            let (one, other) = (one.await.unwrap(), other.await.unwrap());
            let of_these = |accounts: Accounts| -> BTreeMap<String, AccountView> {
                let ours =
                    accounts.views.into_iter().filter(|view| keys.iter().any(|(key, _)| *key == view.key));
                ours.map(|view| (view.key.clone(), view)).collect()
            };
            assert_eq!(of_these(one), of_these(other), "after act {act}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_control_planes_share_a_redis_and_its_clock() {
    let planes: [Port; 2] = [support::redis_with_its_clock().await, support::redis_with_its_clock().await];
    let ask = ask(&unique("shared"), 40);
    let racers: Vec<_> = (0..100)
        .map(|racer| {
            let (port, ask) = (Arc::clone(&planes[racer % 2]), ask.clone());
            // Clocks that are an hour apart.
            tokio::spawn(async move { hit(&port, &ask, racer as i64 % 2 * 3_600_000).await.admitted })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!(won, 40);
}

/// The server's clock was an hour ahead while the account was used, and is right again.
#[tokio::test]
async fn a_redis_clock_that_is_set_right_holds_up_nobody() {
    let (port, mut redis) = (support::redis_with_its_clock().await, support::redis_connection().await);
    let hour_us = 3_600_000_000_i64;
    for kind in [Kind::Count, Kind::Reserve] {
        let short = Terms { window_us: 1_000_000, patience_us: 1_000_000, ..terms(kind, 1) };
        let ask = Ask { terms: short, ..ask(&unique("ahead"), 1) };
        let admitted = async || {
            port.admit(std::slice::from_ref(&ask), Some("id"), at(0)).await.unwrap().verdicts[0].admitted
        };
        assert!(admitted().await);
        let key = format!("ai-mesh:{{limits}}:{}", ask.key);
        let moved = ::redis::Script::new(
            "redis.call('HINCRBY', KEYS[1], 'clock', ARGV[1])
             for i, entry in ipairs(redis.call('LRANGE', KEYS[1] .. ':log', 0, -1)) do
               local at, amount = string.match(entry, '^(%d+):(%d+)$')
               redis.call('LSET', KEYS[1] .. ':log', i - 1, string.format('%.0f', at + ARGV[1]) .. ':' .. amount)
             end
             local held = redis.call('ZRANGE', KEYS[1] .. ':holds', 0, -1)
             for _, id in ipairs(held) do redis.call('ZINCRBY', KEYS[1] .. ':holds', ARGV[1], id) end",
        );
        moved.key(&key).arg(hour_us).invoke_async::<()>(&mut redis).await.unwrap();
        assert!(!admitted().await, "{kind:?}: what was spent counts as long as it would have");
        // Its window passes. What is held ends before, and counts as spent when that is noticed.
        let end = tokio::time::Instant::now() + Duration::from_secs(10);
        while !admitted().await {
            assert!(tokio::time::Instant::now() < end, "{kind:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn short_windows_make_no_room_of_long_ones() {
    let windows = Arc::new(MemoryWindows::new(80));
    let port: Port = windows.clone();
    let month = Terms { window_us: 30 * 86_400_000_000, ..terms(Kind::Count, 1) };
    let budget = Ask { terms: month, ..ask("budget", 1) };
    assert!(hit(&port, &budget, 0).await.admitted);
    for number in 0..1000 {
        hit(&port, &ask(&format!("key {number}"), 1), 1000 + number).await;
        assert!(windows.held() <= 80);
    }
    assert!(!hit(&port, &budget, 3000).await.admitted);
}

#[tokio::test]
async fn memory_is_bounded_by_forgetting_what_ends_soonest() {
    let windows = Arc::new(MemoryWindows::new(80));
    let port: Port = windows.clone();
    for number in 0..1000 {
        hit(&port, &ask(&format!("key {number}"), 1), number).await;
        assert!(windows.held() <= 80);
    }
    assert!(!hit(&port, &ask("key 999", 1), 1000).await.admitted);
    assert!(hit(&port, &ask("key 0", 1), 1000).await.admitted);
    // Refusals take no memory.
    for number in 0..1000 {
        hit(&port, &ask(&format!("refused {number}"), 0), 2000).await;
    }
    assert!(!hit(&port, &ask("key 999", 1), 2001).await.admitted);
}
