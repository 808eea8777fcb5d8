//! Scenarios of [`ToolStore`].
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mesh_control_core::ToolSighting;
use mesh_control_core::memory::MemoryTools;
use mesh_control_core::ports::{MOST_OF_A_TOOL, ToolStore};

use crate::support;

type Port = Arc<dyn ToolStore>;

fn at(second: i64) -> Timestamp {
    Timestamp::from_nanosecond(1_790_000_000_123_456_789).unwrap() + SignedDuration::from_secs(second)
}

fn sighting(name: &str, digest: &str) -> ToolSighting {
    ToolSighting {
        server: "tools.example.com/mcp".to_owned(),
        name: name.to_owned(),
        digest: digest.to_owned(),
        text: format!("{{ \"description\": \"ümläut {digest}\" }}"),
        truncated: digest == "b",
        sidecar: "edge".to_owned(),
    }
}

async fn digests(store: &Port, name: &str) -> Vec<String> {
    let held = store.definitions_of("tools.example.com/mcp", name).await.unwrap();
    let mut digests: Vec<_> = held.into_iter().map(|known| known.sighting.digest).collect();
    digests.sort();
    digests
}

async fn what_is_seen_is_kept_as_it_was(store: Port) {
    assert_eq!(store.definitions().await.unwrap(), []);
    store.seen(&sighting("x", "a"), &[], at(0)).await.unwrap();
    store.seen(&sighting("x", "b"), &[], at(1)).await.unwrap();
    store.seen(&sighting("y", "a"), &[], at(2)).await.unwrap();
    // Another sidecar sees it again: the first one's report stays.
    store
        .seen(&ToolSighting { sidecar: "other".to_owned(), ..sighting("x", "a") }, &[], at(9))
        .await
        .unwrap();
    // Reports may arrive in any order.
    store.seen(&sighting("x", "a"), &[], at(5)).await.unwrap();
    let mut held = store.definitions_of("tools.example.com/mcp", "x").await.unwrap();
    held.sort_by_key(|known| known.first_seen);
    let seen: Vec<_> =
        held.iter().map(|known| (known.sighting.clone(), known.first_seen, known.last_seen)).collect();
    assert_eq!(seen, [(sighting("x", "a"), at(0), at(9)), (sighting("x", "b"), at(1), at(1))]);
    let all = store.definitions().await.unwrap();
    assert_eq!((all.len(), all.iter().all(|known| known.sighting.text.is_empty())), (3, true));
    assert_eq!(store.definitions_of("elsewhere", "x").await.unwrap(), []);
}

/// A server that offers something new each time does not fill the store, and does not push out what was decided on.
async fn a_tool_has_so_many_definitions_and_no_more(store: Port) {
    let decided = ["d000".to_owned()];
    let most = MOST_OF_A_TOOL as i64;
    for n in 0..most + 10 {
        store.seen(&sighting("x", &format!("d{n:03}")), &decided, at(n)).await.unwrap();
    }
    store.seen(&sighting("y", "a"), &[], at(0)).await.unwrap();
    let mut expected = vec!["d000".to_owned()];
    expected.extend((10..most + 10).map(|n| format!("d{n:03}")));
    assert_eq!((digests(&store, "x").await, digests(&store, "y").await.len()), (expected, 1));
}

macro_rules! stamp {
    ($($scenario:ident),+ $(,)?) => {
        mod memory { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                super::$scenario(Arc::new(MemoryTools::default())).await;
            }
        )+ }
        mod sqlite { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                let fresh = support::sqlite().await;
                super::$scenario(Arc::clone(&fresh.stores.tools)).await;
            }
        )+ }
        mod postgres { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $scenario() {
                let fresh = support::postgres().await;
                super::$scenario(Arc::clone(&fresh.stores.tools)).await;
            }
        )+ }
    };
}

stamp!(what_is_seen_is_kept_as_it_was, a_tool_has_so_many_definitions_and_no_more);
