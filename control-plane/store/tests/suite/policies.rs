//! Scenarios of [`PolicyStore`].
use std::sync::Arc;

use jiff::Timestamp;
use mesh_control_core::memory::MemoryPolicies;
use mesh_control_core::ports::{AppendError, PolicyStore};
use mesh_control_core::{Change, PolicyVersion, agent_key};
use mesh_policy::{Document, ToolApproval};

use crate::support;

type Port = Arc<dyn PolicyStore>;

fn version(name: &str, version: u64) -> PolicyVersion {
    let document = serde_json::json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": name },
        "spec": { "description": format!("ümläut \u{0} {version}"), "rules": [{ "pii": {} }] }
    });
    PolicyVersion {
        name: name.to_owned(),
        version,
        change: if version == 1 { Change::Created } else { Change::Updated },
        at: Timestamp::from_nanosecond(1_790_000_000_123_456_789).unwrap(),
        document: Some(serde_json::from_value(document).unwrap()),
    }
}

/// An agent's document is kept in the same log.
fn agent(id: &str, number: u64) -> PolicyVersion {
    let document = serde_json::json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Agent", "metadata": { "name": id, "labels": { "team": "care" } },
        "spec": { "type": "chatbot", "status": "suspended", "reason": "ümläut", "policies": [{ "policy": "a", "version": 1 }] }
    });
    let document = Some(serde_json::from_value(document).unwrap());
    PolicyVersion { name: agent_key(id), document, ..version("a", number) }
}

/// So is what was decided on a tool.
fn tool() -> PolicyVersion {
    let approval = ToolApproval {
        server: "tools.example.com/mcp".to_owned(),
        name: "süche".to_owned(),
        approved: vec!["ab".to_owned()],
        rejected: vec!["cd".to_owned()],
        changed: true,
    };
    PolicyVersion {
        name: "tool/tools.example.com/mcp#süche".to_owned(),
        document: Some(Document::Tool(approval)),
        ..version("a", 1)
    }
}

/// So is what the control plane keeps of its own.
fn rollout(policy: &str, number: u64) -> PolicyVersion {
    let document = serde_json::json!({
        "kind": "Rollout", "version": 3, "present": 2, "stage": { "share": 10 }, "steps": [50], "cursor": 7, "note": "ümläut",
        "bounds": { "refusals": 0.125, "errors": 0.01, "sample": 100 }, "next": version(policy, 3).document,
    });
    let document = Some(serde_json::from_value(document).unwrap());
    PolicyVersion { name: format!("rollout/{policy}"), document, ..version("a", number) }
}

fn deletion(name: &str, number: u64) -> PolicyVersion {
    PolicyVersion { change: Change::Deleted, document: None, ..version(name, number) }
}

async fn an_empty_store_has_revision_zero(store: Port) {
    assert_eq!(store.revision().await.unwrap(), 0);
    assert_eq!(store.newest().await.unwrap(), []);
    assert_eq!(store.versions("nobody").await.unwrap(), []);
    assert_eq!(store.version("nobody", 1).await.unwrap(), None);
}

/// Writes after whatever is there; another writer may be quicker any number of times.
async fn several(
    store: &Port,
    versions: &[PolicyVersion],
) -> Result<Vec<mesh_control_core::Stored>, AppendError> {
    loop {
        let after = store.revision().await?;
        match store.append(after, versions).await {
            Err(AppendError::Behind { newest }) if newest > after => {}
            done => return done,
        }
    }
}

async fn one(store: &Port, version: &PolicyVersion) -> Result<mesh_control_core::Stored, AppendError> {
    Ok(several(store, std::slice::from_ref(version)).await?.remove(0))
}

async fn every_version_is_kept_as_it_was(store: Port) {
    let written = [
        version("b", 1),
        version("a", 1),
        version("b", 2),
        deletion("b", 3),
        version("a", 2),
        agent("spiffe://mesh/x", 1),
        tool(),
        rollout("a", 1),
    ];
    let mut kept = Vec::new();
    for version in &written {
        let stored = one(&store, version).await.unwrap();
        assert_eq!(stored.version, *version);
        assert!(kept.last().is_none_or(|last: &mesh_control_core::Stored| last.revision < stored.revision));
        kept.push(stored);
    }
    let pick = |places: &[usize]| places.iter().map(|place| kept[*place].clone()).collect::<Vec<_>>();
    assert_eq!(store.newest().await.unwrap(), pick(&[4, 5, 3, 7, 6]));
    assert_eq!(store.version(&agent_key("spiffe://mesh/x"), 1).await.unwrap(), Some(kept[5].clone()));
    assert_eq!(store.versions("b").await.unwrap(), pick(&[3, 2, 0]));
    assert_eq!(store.version("b", 1).await.unwrap(), Some(kept[0].clone()));
    assert_eq!(store.version("b", 9).await.unwrap(), None);
    assert_eq!(store.revision().await.unwrap(), kept[7].revision);
}

async fn a_version_is_never_overwritten(store: Port) {
    let first = one(&store, &version("a", 1)).await.unwrap();
    let error = one(&store, &deletion("a", 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Taken { ref name, version: 1 } if name == "a"), "{error}");
    assert_eq!(store.newest().await.unwrap(), [first]);
    // The refused attempt holds nothing that a later one would wait for.
    one(&store, &version("a", 2)).await.unwrap();
}

/// Several versions are written in their order, or none of them.
async fn several_are_written_together_or_not_at_all(store: Port) {
    let both = [version("b", 1), version("a", 1)];
    let written = several(&store, &both).await.unwrap();
    assert_eq!(written.iter().map(|stored| stored.version.clone()).collect::<Vec<_>>(), both);
    assert!(written[0].revision < written[1].revision);
    let error = several(&store, &[version("c", 1), version("a", 2), version("b", 1)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Taken { ref name, version: 1 } if name == "b"), "{error}");
    assert_eq!(store.revision().await.unwrap(), written[1].revision);
    assert_eq!(store.versions("c").await.unwrap(), []);
    assert_eq!(store.versions("a").await.unwrap().len(), 1);
}

/// What was checked against an older state is not written, whatever its name.
async fn nothing_is_written_behind_anothers_back(store: Port) {
    let stale = store.append(7, &[version("a", 1)]).await.unwrap_err();
    assert!(matches!(stale, AppendError::Behind { newest: 0 }), "{stale}");
    let first = one(&store, &version("a", 1)).await.unwrap().revision;
    let second = one(&store, &version("b", 1)).await.unwrap().revision;
    for after in [0, first] {
        let stale = store.append(after, &[version("c", 1)]).await.unwrap_err();
        assert!(matches!(stale, AppendError::Behind { newest } if newest == second), "{stale}");
    }
    assert_eq!(store.revision().await.unwrap(), second);
    store.append(second, &[version("c", 1)]).await.unwrap();
}

/// Of those who start from the same revision only one writes, though no two write the same name.
async fn of_racers_from_one_revision_one_wins(store: Port) {
    let racers: Vec<_> = (0..20)
        .map(|racer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.append(0, &[version(&format!("p{racer}"), 1)]).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!((won, store.newest().await.unwrap().len()), (1, 1));
}

async fn of_racing_writers_one_wins(store: Port) {
    let racers: Vec<_> = (0..40)
        .map(|racer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { one(&store, &version("a", racer % 4 + 1)).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!(won, 4);
    let versions = store.versions("a").await.unwrap();
    assert_eq!(versions.iter().map(|stored| stored.version.version).collect::<Vec<_>>(), [4, 3, 2, 1]);
}

macro_rules! stamp {
    ($($scenario:ident),+ $(,)?) => {
        mod memory { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                super::$scenario(Arc::new(MemoryPolicies::default())).await;
            }
        )+ }
        mod sqlite { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                let fresh = support::sqlite().await;
                super::$scenario(Arc::clone(&fresh.stores.policies)).await;
            }
        )+ }
        mod postgres { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                let fresh = support::postgres().await;
                super::$scenario(Arc::clone(&fresh.stores.policies)).await;
            }
        )+ }
    };
}

stamp!(
    an_empty_store_has_revision_zero,
    every_version_is_kept_as_it_was,
    a_version_is_never_overwritten,
    several_are_written_together_or_not_at_all,
    nothing_is_written_behind_anothers_back,
    of_racers_from_one_revision_one_wins,
    of_racing_writers_one_wins,
);
