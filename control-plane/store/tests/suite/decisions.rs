//! Scenarios of [`DecisionStore`].
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mesh_audit::v1::{DecisionRecord, GuardOutcome, PolicyRef};
use mesh_control_core::memory::MemoryDecisions;
use mesh_control_core::ports::{DecisionStore, PAGE_BYTES};
use mesh_control_core::{Batch, Clock, DecisionFilter, Decisions, ForgetError, Place};
use mesh_control_store::{Location, open};
use sqlx::{Connection, PgConnection};

use crate::support;

type Port = Arc<dyn DecisionStore>;

const NOW: i64 = 1_790_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn record(id: &str) -> DecisionRecord {
    DecisionRecord {
        decision_id: id.to_owned(),
        time_ns: NOW as u64 * 1_000_000_000,
        agent_id: "support-1".to_owned(),
        decision: "allow".to_owned(),
        status: 200,
        execution_us: 1500,
        ..DecisionRecord::default()
    }
}

/// Records `first..=last` of VM `vm`, named `<vm><number>`.
fn batch(vm: &str, first: u64, last: u64) -> Batch {
    Batch {
        sidecar: "edge".to_owned(),
        vm: vm.to_owned(),
        first_sequence: first,
        records: (first..=last).map(|number| record(&format!("{vm}{number}"))).collect(),
        dropped: 0,
    }
}

async fn listed(store: &Port, filter: DecisionFilter) -> Vec<String> {
    let page = store.list(&DecisionFilter { limit: 1000, ..filter }).await.unwrap();
    page.decisions.into_iter().map(|(_, decision)| decision.decision_id).collect()
}

async fn gaps(store: &Port) -> Vec<(u64, u64)> {
    let gaps = store.gaps(100).await.unwrap();
    let mut ranges: Vec<_> = gaps.iter().map(|gap| (gap.from_sequence, gap.to_sequence)).collect();
    ranges.sort_unstable();
    ranges
}

async fn batches_in_order_are_acknowledged(store: Port) {
    for (first, last) in [(1, 3), (4, 4), (5, 9)] {
        let intake = store.intake(&batch("v", first, last), now()).await.unwrap();
        assert_eq!((intake.acknowledged, intake.gap), (last, None));
        assert_eq!(intake.kept.len() as u64, last - first + 1);
    }
    assert_eq!(listed(&store, DecisionFilter::default()).await.len(), 9);
    assert_eq!(gaps(&store).await, []);
}

async fn a_record_arrives_twice_and_is_kept_once(store: Port) {
    store.intake(&batch("v", 1, 3), now()).await.unwrap();
    let again = store.intake(&batch("v", 2, 5), now()).await.unwrap();
    assert_eq!((again.acknowledged, again.kept), (5, vec![2, 3]));
    let old = store.intake(&batch("v", 1, 2), now()).await.unwrap();
    assert_eq!((old.acknowledged, old.kept, old.gap), (5, vec![], None));
    assert_eq!(listed(&store, DecisionFilter::default()).await, ["v5", "v4", "v3", "v2", "v1"]);
}

async fn vms_number_for_themselves(store: Port) {
    store.intake(&batch("v", 1, 2), now()).await.unwrap();
    let other = store.intake(&batch("w", 1, 1), now()).await.unwrap();
    assert_eq!((other.acknowledged, other.gap), (1, None));
    assert_eq!(listed(&store, DecisionFilter::default()).await, ["w1", "v2", "v1"]);
}

async fn a_gap_is_recorded_and_closed_by_late_arrivals(store: Port) {
    store.intake(&batch("v", 1, 2), now()).await.unwrap();
    let intake = store.intake(&batch("v", 11, 12), now()).await.unwrap();
    let gap = intake.gap.unwrap();
    assert_eq!((intake.acknowledged, gap.from_sequence, gap.to_sequence, gap.missing()), (12, 3, 10, 8));
    assert_eq!((gap.sidecar.as_str(), gap.vm.as_str(), gap.noticed), ("edge", "v", now()));
    assert_eq!(store.gaps(10).await.unwrap(), [gap]);
    let table = [
        (batch("v", 5, 6), vec![(3, 4), (7, 10)]),
        (batch("w", 1, 20), vec![(3, 4), (7, 10)]),
        (batch("v", 3, 3), vec![(4, 4), (7, 10)]),
        (batch("v", 10, 11), vec![(4, 4), (7, 9)]),
        (batch("v", 4, 9), vec![]),
    ];
    for (late, open) in table {
        store.intake(&late, now()).await.unwrap();
        assert_eq!(gaps(&store).await, open, "after {} {}", late.vm, late.first_sequence);
    }
    assert_eq!(listed(&store, DecisionFilter::default()).await.len(), 12 + 20);
}

async fn a_vm_that_begins_late_has_a_gap_before_it(store: Port) {
    let intake = store.intake(&batch("v", 5, 5), now()).await.unwrap();
    assert_eq!(intake.acknowledged, 5);
    assert_eq!(gaps(&store).await, [(1, 4)]);
}

async fn dropped_records_are_counted_by_difference(store: Port) {
    let table = [(3, 3), (3, 0), (10, 7), (9, 0), (11, 1)];
    for (number, (dropped, new)) in (1..).zip(table) {
        let report = Batch { dropped, ..batch("v", number, number) };
        assert_eq!(store.intake(&report, now()).await.unwrap().dropped, new);
    }
    let nothing = Batch { records: Vec::new(), first_sequence: 0, dropped: 12, ..batch("v", 1, 1) };
    let intake = store.intake(&nothing, now()).await.unwrap();
    assert_eq!((intake.acknowledged, intake.dropped, intake.gap), (5, 1, None));
}

async fn filters_narrow_the_list(store: Port) {
    let guards = |names: &[&str]| {
        let outcome = |name: &&str| GuardOutcome { guard: (*name).to_owned(), outcome: "ran".to_owned() };
        names.iter().map(outcome).collect::<Vec<_>>()
    };
    let policies = |names: &[&str]| {
        names.iter().map(|name| PolicyRef { id: (*name).to_owned(), version: 1 }).collect::<Vec<_>>()
    };
    let at = |second: i64| (NOW + second) as u64 * 1_000_000_000;
    let records = vec![
        DecisionRecord { policies: policies(&["a"]), guards: guards(&["pii"]), ..record("one") },
        DecisionRecord {
            policies: policies(&["ab", "c"]),
            agent_id: "other".to_owned(),
            time_ns: at(1),
            ..record("two")
        },
        DecisionRecord {
            decision: "deny".to_owned(),
            policies: policies(&["c", "a"]),
            guards: guards(&["pii", "injection"]),
            time_ns: at(2),
            ..record("three")
        },
    ];
    store.intake(&Batch { records, ..batch("v", 1, 1) }, now()).await.unwrap();
    let some = |word: &str| Some(word.to_owned());
    let time = |second: i64| Some(Timestamp::from_second(NOW + second).unwrap());
    let all = DecisionFilter::default;
    let table: [(DecisionFilter, &[&str]); 13] = [
        (all(), &["three", "two", "one"]),
        (DecisionFilter { agent: some("other"), ..all() }, &["two"]),
        (DecisionFilter { agent: some("oth"), ..all() }, &[]),
        (DecisionFilter { decision: some("deny"), ..all() }, &["three"]),
        (DecisionFilter { policy: some("a"), ..all() }, &["three", "one"]),
        (DecisionFilter { policy: some("%"), ..all() }, &[]),
        (DecisionFilter { guard: some("injection"), ..all() }, &["three"]),
        (DecisionFilter { since: time(1), ..all() }, &["three", "two"]),
        (DecisionFilter { until: time(1), ..all() }, &["one"]),
        (DecisionFilter { since: time(1), until: time(2), ..all() }, &["two"]),
        (DecisionFilter { policy: some("c"), agent: some("support-1"), ..all() }, &["three"]),
        (DecisionFilter { agent: some("nul\0"), ..all() }, &[]),
        (DecisionFilter { agent: some("' OR '1'='1"), ..all() }, &[]),
    ];
    for (filter, expected) in table {
        assert_eq!(listed(&store, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn pages_follow_one_another_in_both_directions(store: Port) {
    store.intake(&batch("v", 1, 7), now()).await.unwrap();
    // Another worker's came later; one was made before those, the other after them.
    let mut late = batch("w", 1, 2);
    late.records[0].time_ns -= 1;
    late.records[1].time_ns += 1;
    store.intake(&late, now()).await.unwrap();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page =
            store.list(&DecisionFilter { before, limit: 3, ..DecisionFilter::default() }).await.unwrap();
        seen.extend(page.decisions.iter().map(|(_, decision)| decision.decision_id.clone()));
        before = page.older();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, ["w2", "v7", "v6", "v5", "v4", "v3", "v2", "v1", "w1"], "by the time of the decision");
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let filter = DecisionFilter { after: Some(after), limit: 9, ..DecisionFilter::default() };
        let page = store.list(&filter).await.unwrap();
        assert!(!page.more);
        let Some((cursor, _)) = page.decisions.last() else { break };
        after = *cursor;
        seen.extend(page.decisions.iter().map(|(_, decision)| decision.decision_id.clone()));
    }
    assert_eq!(seen, ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "w1", "w2"], "as they came");
    assert_eq!(store.newest_cursor().await.unwrap(), after);
}

/// Records are forgotten in the order in which they came, and listed by when they were made: what came late is still there.
async fn pages_go_on_though_the_record_where_one_ended_is_forgotten(store: Port) {
    store.intake(&batch("v", 1, 2), now()).await.unwrap();
    store.mark(now()).await.unwrap();
    let mut late = batch("w", 1, 2);
    late.records.iter_mut().for_each(|record| record.time_ns -= 1);
    store.intake(&late, now()).await.unwrap();
    let first = DecisionFilter { limit: 2, ..DecisionFilter::default() };
    let page = store.list(&first).await.unwrap();
    assert_eq!(store.forget(now(), 100).await.unwrap(), 2);
    let before = DecisionFilter { before: page.older(), ..first };
    assert_eq!(listed(&store, before).await, ["w2", "w1"]);
}

async fn a_decision_is_found_by_its_id(store: Port) {
    let unnamed = DecisionRecord { decision_id: String::new(), ..record("") };
    let odd = DecisionRecord { agent_id: "a\0b".to_owned(), time_ns: u64::MAX, ..record("odd") };
    store
        .intake(&Batch { records: vec![record("x"), unnamed, odd], ..batch("v", 1, 1) }, now())
        .await
        .unwrap();
    let found = store.decision("x").await.unwrap().unwrap();
    assert_eq!((found.sequence, found.vm.as_str(), found.sidecar.as_str()), (1, "v", "edge"));
    assert!((found.execution_time_ms - 1.5).abs() < 1e-9);
    assert_eq!(store.decision("v-2").await.unwrap().unwrap().sequence, 2);
    assert_eq!(store.decision("odd").await.unwrap().unwrap().agent_id, "a\0b");
    assert_eq!(store.decision("nothing").await.unwrap(), None);
}

/// What is old is what was there at an old mark, whatever time the records themselves tell.
async fn old_records_are_forgotten(store: Port) {
    let hours = |count: i64| now() + SignedDuration::from_hours(count);
    store.intake(&batch("old", 3, 7), hours(0)).await.unwrap();
    store.mark(hours(1)).await.unwrap();
    store.intake(&batch("new", 1, 2), hours(2)).await.unwrap();
    store.mark(hours(3)).await.unwrap();

    assert_eq!(store.forget(hours(0), 100).await.unwrap(), 0, "nothing was marked by then");
    assert_eq!(gaps(&store).await, [], "a gap has the age at which it was noticed");
    assert_eq!(store.forget(hours(2), 3).await.unwrap(), 3, "as many as asked for");
    assert_eq!(listed(&store, DecisionFilter::default()).await, ["new2", "new1", "old7", "old6"]);
    assert_eq!(store.forget(hours(2), 3).await.unwrap(), 2);
    assert_eq!(store.forget(hours(2), 3).await.unwrap(), 0);
    assert_eq!(listed(&store, DecisionFilter::default()).await, ["new2", "new1"]);

    // Numbers go on: the next batch of the VM has no gap before it, and cursors of followers stay good.
    let cursor = store.newest_cursor().await.unwrap();
    store.intake(&batch("old", 8, 8), hours(4)).await.unwrap();
    assert_eq!(gaps(&store).await, []);
    assert!(store.newest_cursor().await.unwrap() > cursor);
    assert_eq!(store.forget(hours(3), 100).await.unwrap(), 2);
    assert_eq!(listed(&store, DecisionFilter::default()).await, ["old8"]);
}

/// Who is gone is forgotten; who may come back with its next number is not.
async fn vms_that_are_gone_are_forgotten(store: Port) {
    let hours = |count: i64| now() + SignedDuration::from_hours(count);
    for vm in ["gone", "idle", "kept", "late"] {
        store.intake(&batch(vm, 1, 2), hours(0)).await.unwrap();
    }
    store.mark(hours(0)).await.unwrap();
    assert_eq!(store.forget_vms(hours(9), 100).await.unwrap(), 0, "their records are there");
    store.intake(&batch("kept", 3, 3), hours(0)).await.unwrap();
    assert_eq!(store.forget(hours(1), 100).await.unwrap(), 8);
    // One reports nothing, but runs; one reports that it discarded something.
    let vms = ["idle", "never reported"].map(str::to_owned);
    store.alive(&vms, hours(3)).await.unwrap();
    store.alive(&vms, hours(2)).await.unwrap();
    store.alive(&[], hours(9)).await.unwrap();
    let nothing = Batch { records: Vec::new(), first_sequence: 0, dropped: 7, ..batch("late", 1, 1) };
    store.intake(&nothing, hours(4)).await.unwrap();
    assert_eq!(store.forget_vms(hours(2), 100).await.unwrap(), 1);
    assert_eq!(store.forget_vms(hours(2), 100).await.unwrap(), 0);

    for (vm, next) in [("idle", 3), ("kept", 4), ("late", 3)] {
        let report = Batch { dropped: 7, ..batch(vm, next, next) };
        let intake = store.intake(&report, hours(5)).await.unwrap();
        assert_eq!(intake.gap, None, "{vm}");
        assert_eq!(intake.dropped, if vm == "late" { 0 } else { 7 }, "{vm}");
    }
    assert_eq!(store.intake(&batch("gone", 1, 1), hours(5)).await.unwrap().gap, None);
    // As many as asked for, those first of whom nobody has heard for longest.
    for (vm, hour) in [("x", 6), ("y", 5), ("z", 7)] {
        let nothing = Batch { records: Vec::new(), first_sequence: 0, ..batch(vm, 1, 1) };
        store.intake(&nothing, hours(hour)).await.unwrap();
    }
    assert_eq!(store.forget_vms(hours(8), 2).await.unwrap(), 2);
    assert_eq!(store.forget_vms(hours(6), 2).await.unwrap(), 0);
    assert_eq!(store.forget_vms(hours(7), 2).await.unwrap(), 1);
}

async fn a_record_that_comes_again_with_other_contents_is_counted(store: Port) {
    store.intake(&batch("v", 1, 3), now()).await.unwrap();
    let mut again = batch("v", 2, 5);
    again.records[1].agent_id = "another".to_owned();
    // The sidecar may have another name by then.
    again.sidecar = "edge-2".to_owned();
    let intake = store.intake(&again, now()).await.unwrap();
    assert_eq!((intake.kept, intake.conflicts), (vec![2, 3], 1));
    let kept = store.decision("v3").await.unwrap().unwrap();
    assert_eq!(kept.agent_id, "support-1", "what came first is kept");
    assert_eq!(store.intake(&batch("v", 1, 3), now()).await.unwrap().conflicts, 0);
}

async fn a_page_has_a_bounded_number_of_bytes(store: Port) {
    let large = DecisionRecord { user_id: "x".repeat(PAGE_BYTES / 2 - 1000), ..record("v") };
    let records = vec![record("v"), large.clone(), large.clone(), large];
    store.intake(&Batch { records, ..batch("v", 1, 1) }, now()).await.unwrap();
    let page = async |filter: DecisionFilter| {
        let page = store.list(&DecisionFilter { limit: 100, ..filter }).await.unwrap();
        (page.decisions.iter().map(|(_, decision)| decision.sequence).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(DecisionFilter::default()).await, (vec![4, 3], true));
    let newest = store.newest_cursor().await.unwrap();
    let before = Some(Place { time: now(), cursor: newest - 1 });
    let before = DecisionFilter { before, ..DecisionFilter::default() };
    assert_eq!(page(before).await, (vec![2, 1], false));
    let after = DecisionFilter { after: Some(0), ..DecisionFilter::default() };
    assert_eq!(page(after).await, (vec![1, 2, 3], true));
    // One that is larger than a page is a page.
    let huge = DecisionRecord { user_id: "x".repeat(PAGE_BYTES + 1000), ..record("v") };
    store.intake(&Batch { records: vec![huge], ..batch("v", 5, 5) }, now()).await.unwrap();
    assert_eq!(page(DecisionFilter::default()).await, (vec![5], true));
}

async fn the_newest_mark_is_known(store: Port) {
    assert_eq!(store.newest_mark().await.unwrap(), None);
    for second in [5, 7, 6] {
        store.mark(Timestamp::from_second(NOW + second).unwrap()).await.unwrap();
    }
    assert_eq!(store.newest_mark().await.unwrap(), Some(Timestamp::from_second(NOW + 7).unwrap()));
}

/// A clock that is set forward once deletes nothing.
async fn records_outlive_a_clock_that_jumps(store: Port) {
    const DAY: u64 = 86_400;
    let decisions = Decisions::new(Arc::clone(&store));
    let (keep, mut clock) = (Duration::from_secs(30 * DAY), Clock::default());
    let mut forget = async |days: u64, steady: u64| {
        let at = now() + Duration::from_secs(days * DAY);
        decisions.forget(keep, &mut clock, at, Duration::from_secs(steady * DAY)).await
    };
    store.intake(&batch("v", 1, 3), now()).await.unwrap();
    assert_eq!(forget(0, 0).await.unwrap(), 0);
    for _ in 0..2 {
        assert!(matches!(forget(40, 0).await, Err(ForgetError::Clock(_))));
    }
    assert_eq!(forget(1, 1).await.unwrap(), 0, "it is set right again");
    assert_eq!(forget(30, 30).await.unwrap(), 3, "time has passed");
}

async fn large_batches_and_racing_reports_lose_nothing(store: Port) {
    let reports: Vec<_> = (0..8)
        .flat_map(|vm| [(vm, 1, 1200), (vm, 1, 1200), (vm, 601, 1300)])
        .map(|(vm, first, last)| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.intake(&batch(&format!("v{vm}-"), first, last), now()).await.unwrap().kept.len()
            })
        })
        .collect();
    let mut kept = 0;
    for report in reports {
        kept += report.await.unwrap();
    }
    assert_eq!(kept, 8 * 1300);
    let page = store.list(&DecisionFilter { limit: 20_000, ..DecisionFilter::default() }).await.unwrap();
    assert_eq!(page.decisions.len(), 8 * 1300);
    assert_eq!(gaps(&store).await, []);
}

/// Reports that wait for each other keep nobody from reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_is_read_while_reports_wait() {
    let url = support::postgres_database().await;
    let store = open(&Location::Postgres(url.clone())).await.unwrap().decisions;
    // Another control plane that takes its time with a report.
    let mut other = PgConnection::connect(&url).await.unwrap();
    let lock = |what: &'static str| sqlx::query(what).bind(0x6169_6d65_7368_0002_i64);
    lock("SELECT pg_advisory_lock($1)").execute(&mut other).await.unwrap();
    let reports = (0..30).map(|vm| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.intake(&batch(&format!("v{vm}"), 1, 1), now()).await })
    });
    let reports: Vec<_> = reports.collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let read = tokio::time::timeout(Duration::from_secs(3), store.newest_cursor()).await;
    assert_eq!(read.expect("nobody waits to read").unwrap(), 0);
    lock("SELECT pg_advisory_unlock($1)").execute(&mut other).await.unwrap();
    for report in reports {
        report.await.unwrap().unwrap();
    }
}

macro_rules! stamp {
    ($($scenario:ident),+ $(,)?) => {
        mod memory { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                super::$scenario(Arc::new(MemoryDecisions::default())).await;
            }
        )+ }
        mod sqlite { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                let fresh = support::sqlite().await;
                super::$scenario(Arc::clone(&fresh.stores.decisions)).await;
            }
        )+ }
        mod postgres { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                let fresh = support::postgres().await;
                super::$scenario(Arc::clone(&fresh.stores.decisions)).await;
            }
        )+ }
    };
}

stamp!(
    old_records_are_forgotten,
    batches_in_order_are_acknowledged,
    a_record_arrives_twice_and_is_kept_once,
    vms_number_for_themselves,
    a_gap_is_recorded_and_closed_by_late_arrivals,
    a_vm_that_begins_late_has_a_gap_before_it,
    dropped_records_are_counted_by_difference,
    filters_narrow_the_list,
    pages_follow_one_another_in_both_directions,
    pages_go_on_though_the_record_where_one_ended_is_forgotten,
    a_decision_is_found_by_its_id,
    a_record_that_comes_again_with_other_contents_is_counted,
    a_page_has_a_bounded_number_of_bytes,
    the_newest_mark_is_known,
    records_outlive_a_clock_that_jumps,
    vms_that_are_gone_are_forgotten,
    large_batches_and_racing_reports_lose_nothing,
);
