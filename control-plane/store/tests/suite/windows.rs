//! Scenarios of [`RateWindows`].
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mesh_control_core::memory::MemoryWindows;
use mesh_control_core::ports::RateWindows;
use mesh_control_core::{Ask, LimitVerdict};

use crate::support;

type Port = Arc<dyn RateWindows>;

/// `key` is made unique: one Redis serves all tests.
fn ask(key: &str, limit: u32) -> Ask {
    Ask { key: key.to_owned(), limit, window: Duration::from_secs(60), hits: 1 }
}

fn unique(key: &str) -> String {
    format!("{}:{key}", support::unique())
}

/// Milliseconds after a start that no clock has passed yet (the entries of Redis expire by its own).
fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_900_000_000_000 + milliseconds).unwrap()
}

async fn hit(port: &Port, ask: &Ask, milliseconds: i64) -> LimitVerdict {
    port.admit(std::slice::from_ref(ask), at(milliseconds)).await.unwrap()[0]
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
        let expected = LimitVerdict { admitted, remaining, reset: Duration::from_millis(reset) };
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
    let first = port.admit(&both, at(0)).await.unwrap();
    assert_eq!(first.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), [9, 0]);
    for _ in 0..5 {
        let refused = port.admit(&both, at(1)).await.unwrap();
        assert_eq!(refused.iter().map(|verdict| verdict.admitted).collect::<Vec<_>>(), [true, false]);
    }
    assert_eq!(hit(&port, &wide, 2).await.remaining, 8);
}

async fn several_hits_fit_together_or_not_at_all(port: Port) {
    let one = ask(&unique("several"), 5);
    let many = |hits| Ask { hits, ..one.clone() };
    assert_eq!(hit(&port, &many(2), 0).await.remaining, 3);
    assert_eq!(hit(&port, &many(2), 1000).await.remaining, 1);
    // Two do not fit: one more has to leave; four do not: three have to.
    let table = [(2, 58_000), (4, 59_000), (6, 60_000)];
    for (hits, reset) in table {
        let refused = hit(&port, &many(hits), 2000).await;
        let expected = LimitVerdict { admitted: false, remaining: 1, reset: Duration::from_millis(reset) };
        assert_eq!(refused, expected, "{hits} hits");
    }
    assert_eq!(hit(&port, &many(0), 2000).await.remaining, 1);
    assert!(hit(&port, &one, 2000).await.admitted);
}

async fn a_limit_of_zero_admits_nothing(port: Port) {
    let verdict = hit(&port, &ask(&unique("zero"), 0), 0).await;
    assert_eq!(verdict, LimitVerdict { admitted: false, remaining: 0, reset: Duration::from_secs(60) });
}

async fn a_limit_that_changes_counts_what_was(port: Port) {
    let ten = ask(&unique("changes"), 10);
    for number in 0..4 {
        hit(&port, &ten, number).await;
    }
    assert!(!hit(&port, &Ask { limit: 3, ..ten.clone() }, 10).await.admitted);
    assert_eq!(hit(&port, &Ask { limit: 5, ..ten.clone() }, 10).await.remaining, 0);
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
        let ask = Ask { hits, ..ask(&unique("race"), limit) };
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
);

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

#[tokio::test]
async fn memory_is_bounded_by_forgetting_what_was_unused_for_longest() {
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
