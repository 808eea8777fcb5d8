//! Whoever counts may be away for a moment: what ends then is counted when it is back.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mesh_audit::v1::{DecisionRecord, Settlement};
use mesh_control_core::memory::MemoryWindows;
use mesh_control_core::ports::{RateWindows, StoreError};
use mesh_control_core::{
    AccountFilter, Accounts, Ask, DOMAIN, LimitId, Limits, Measure, Settle, Settled, Timestamp, Verdicts,
    terms,
};

/// Accounts that can be out of reach.
#[derive(Default)]
struct Remote {
    windows: MemoryWindows,
    away: AtomicBool,
}

impl Remote {
    fn here(&self) -> Result<&MemoryWindows, StoreError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(StoreError::new("nobody answers")),
            false => Ok(&self.windows),
        }
    }
}

#[async_trait]
impl RateWindows for Remote {
    async fn admit(&self, asks: &[Ask], id: Option<&str>, now: Timestamp) -> Result<Verdicts, StoreError> {
        self.here()?.admit(asks, id, now).await
    }

    async fn settle(&self, settlements: &[Settle], now: Timestamp) -> Result<Settled, StoreError> {
        self.here()?.settle(settlements, now).await
    }

    async fn accounts(
        &self,
        filter: &AccountFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<Accounts, StoreError> {
        self.here()?.accounts(filter, most, now).await
    }
}

fn place(id: usize) -> (Ask, DecisionRecord) {
    let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let entries = vec![
        entry("policy", "p"),
        entry("rule", "0"),
        entry("measure", "concurrent"),
        entry("key", "agent:a"),
    ];
    let account = LimitId { domain: DOMAIN.to_owned(), window_s: 1, entries };
    let terms = terms(Measure::Concurrent, 20_000, Duration::from_secs(1));
    let settlement = Settlement {
        policy_id: "p".into(),
        rule: 0,
        measure: "concurrent".into(),
        window_s: 1,
        key: "agent:a".into(),
        spent: None,
    };
    let record = DecisionRecord {
        decision_id: id.to_string(),
        settlements: vec![settlement],
        ..DecisionRecord::default()
    };
    (Ask { key: account.key(), terms, amount: 1, want: 0, told: None }, record)
}

#[tokio::test]
async fn what_ends_while_nobody_counts_is_counted_afterwards() {
    let remote = Arc::new(Remote::default());
    let limits = Limits::new(Arc::clone(&remote) as Arc<dyn RateWindows>);
    let now = Timestamp::UNIX_EPOCH;
    let all = AccountFilter::default();
    let held = || async {
        limits.accounts(&all, 10, now).await.expect("it is here").views.first().map_or(0, |a| a.used)
    };
    for requests in [1, 300] {
        let mut records = Vec::new();
        for id in 0..requests {
            let (ask, record) = place(id);
            let admission = limits.admit(&[ask], Some(&id.to_string()), now).await.expect("it is here");
            assert!(admission.verdicts[0].admitted);
            records.push(record);
        }
        remote.away.store(true, Ordering::SeqCst);
        for record in &records {
            assert!(limits.settle_records(std::iter::once(record), now).await.is_err());
        }
        remote.away.store(false, Ordering::SeqCst);
        let settled = limits.settle_records(std::iter::empty(), now).await.expect("it is back");
        assert_eq!(settled.released, requests as u64, "{requests}");
        assert_eq!(limits.settle_records(std::iter::empty(), now).await.expect("once"), Settled::default());
        assert_eq!(held().await, 0, "{requests}");
    }
}
