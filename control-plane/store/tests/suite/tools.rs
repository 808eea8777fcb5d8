//! Scenarios of [`ToolStore`].
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mesh_control_core::ToolSighting;
use mesh_control_core::memory::MemoryTools;
use mesh_control_core::ports::{MOST_DEFINITIONS, MOST_OF_A_SERVER, MOST_OF_A_TOOL, ToolStore};
use mesh_control_store::{Location, open};
use sqlx::{Connection, PgConnection, SqliteConnection};

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

/// Nobody has decided on anything.
fn nothing(_server: &str, _name: &str, _digest: &str) -> bool {
    false
}

/// Names of the definitions of a server, without order.
async fn names(store: &Port, server: &str) -> BTreeSet<String> {
    let held = store.definitions().await.unwrap().into_iter();
    held.filter(|known| known.sighting.server == server).map(|known| known.sighting.name).collect()
}

async fn digests(store: &Port, name: &str) -> Vec<String> {
    let held = store.definitions_of("tools.example.com/mcp", name).await.unwrap();
    let mut digests: Vec<_> = held.into_iter().map(|known| known.sighting.digest).collect();
    digests.sort();
    digests
}

async fn what_is_seen_is_kept_as_it_was(store: Port) {
    assert_eq!(store.definitions().await.unwrap(), []);
    store.seen(&[sighting("x", "a")], &nothing, at(0)).await.unwrap();
    store.seen(&[sighting("x", "b")], &nothing, at(1)).await.unwrap();
    store.seen(&[sighting("y", "a")], &nothing, at(2)).await.unwrap();
    // Another sidecar sees it again: the first one's report stays.
    store
        .seen(&[ToolSighting { sidecar: "other".to_owned(), ..sighting("x", "a") }], &nothing, at(9))
        .await
        .unwrap();
    // Reports may arrive in any order.
    store.seen(&[sighting("x", "a")], &nothing, at(5)).await.unwrap();
    let mut held = store.definitions_of("tools.example.com/mcp", "x").await.unwrap();
    held.sort_by_key(|known| known.first_seen);
    let seen: Vec<_> =
        held.iter().map(|known| (known.sighting.clone(), known.first_seen, known.last_seen)).collect();
    assert_eq!(seen, [(sighting("x", "a"), at(0), at(9)), (sighting("x", "b"), at(1), at(1))]);
    let all = store.definitions().await.unwrap();
    assert_eq!((all.len(), all.iter().all(|known| known.sighting.text.is_empty())), (3, true));
    assert_eq!(store.definitions_of("elsewhere", "x").await.unwrap(), []);
}

/// One report tells of many definitions, and of many more than once.
async fn a_report_is_kept_at_once_and_what_was_seen_just_now_is_not_written(store: Port) {
    let (a, b) = (sighting("x", "a"), sighting("y", "b"));
    assert_eq!(store.seen(&[], &nothing, at(0)).await.unwrap(), 0);
    store.seen(&[a.clone(), b.clone(), a.clone()], &nothing, at(0)).await.unwrap();
    for (second, last) in [(4, 0), (5, 5), (9, 5), (3, 5), (11, 11)] {
        store.seen(&[a.clone(), b.clone()], &nothing, at(second)).await.unwrap();
        let held = store.definitions().await.unwrap();
        let seen: Vec<_> = held.iter().map(|known| (known.first_seen, known.last_seen)).collect();
        assert_eq!(seen, [(at(0), at(last)); 2], "seen after {second} s");
    }
}

/// A server that offers something new each time does not fill the store, and does not push out what was decided on.
async fn a_tool_has_so_many_definitions_and_no_more(store: Port) {
    let decided = |_: &str, name: &str, digest: &str| (name, digest) == ("x", "d000");
    let most = MOST_OF_A_TOOL as i64;
    let mut dropped = 0;
    for n in 0..most + 10 {
        dropped += store.seen(&[sighting("x", &format!("d{n:03}"))], &decided, at(n)).await.unwrap();
    }
    assert_eq!(dropped, 9);
    store.seen(&[sighting("y", "a")], &nothing, at(0)).await.unwrap();
    let mut expected = vec!["d000".to_owned()];
    expected.extend((10..most + 10).map(|n| format!("d{n:03}")));
    assert_eq!((digests(&store, "x").await, digests(&store, "y").await.len()), (expected, 1));
}

/// A server that offers ever more tools leaves room for the others, and loses nothing that was decided on.
async fn a_server_has_so_many_definitions_and_no_more(store: Port) {
    let most = MOST_OF_A_SERVER as i64;
    let decided = |_: &str, name: &str, _: &str| name == "t0" || name == "t2";
    store
        .seen(&[ToolSighting { server: "other".to_owned(), ..sighting("x", "a") }], &decided, at(0))
        .await
        .unwrap();
    for n in 0..most {
        assert_eq!(store.seen(&[sighting(&format!("t{n}"), "a")], &decided, at(n)).await.unwrap(), 0);
    }
    // Seen again, it is no longer the one longest unseen.
    store.seen(&[sighting("t1", "a")], &decided, at(most)).await.unwrap();
    for n in most..most + 2 {
        assert_eq!(store.seen(&[sighting(&format!("t{n}"), "a")], &decided, at(n + 1)).await.unwrap(), 1);
    }
    let expected: BTreeSet<String> =
        (0..most + 2).filter(|n| ![3, 4].contains(n)).map(|n| format!("t{n}")).collect();
    assert_eq!(names(&store, "tools.example.com/mcp").await, expected);
    assert_eq!(names(&store, "other").await.len(), 1);
    // Where all is decided on, there is no room.
    let all = |_: &str, name: &str, _: &str| name != "new";
    assert_eq!(store.seen(&[sighting("new", "a")], &all, at(9999)).await.unwrap(), 1);
    assert_eq!(names(&store, "tools.example.com/mcp").await, expected);
}

/// Where all places are taken, the server that has most makes room.
async fn the_fullest_server_makes_room(store: &Port) {
    let of = |server: &str, name: &str| ToolSighting { server: server.to_owned(), ..sighting(name, "a") };
    let decided = |server: &str, name: &str, _: &str| (server, name) == ("s9", "first");
    assert_eq!(store.definitions().await.unwrap().len(), MOST_DEFINITIONS);
    assert_eq!(store.seen(&[of("new", "x")], &decided, at(9)).await.unwrap(), 1);
    assert_eq!(names(store, "new").await.len(), 1);
    assert_eq!(names(store, "s9").await.len(), MOST_OF_A_SERVER - 1);
    assert!(names(store, "s9").await.contains("first"));
    assert_eq!(store.definitions().await.unwrap().len(), MOST_DEFINITIONS);
    let all = |server: &str, _: &str, _: &str| server != "new";
    assert_eq!(store.seen(&[of("new", "y")], &all, at(10)).await.unwrap(), 1);
    assert_eq!(names(store, "new").await, BTreeSet::from(["x".to_owned()]));
}

/// Ten servers, each with as many as it may have.
const ALL_TAKEN: &str = "INSERT INTO tool_definitions (server, name, digest, text, truncated, sidecar, first_ns, last_ns)
    WITH RECURSIVE places (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n < 19999)
    SELECT 's' || (n % 10), CASE n WHEN 9 THEN 'first' ELSE 't' || n END, 'a', '', false, 'edge', n, n FROM places";

#[tokio::test]
async fn the_fullest_server_makes_room_in_memory() {
    let store: Port = Arc::new(MemoryTools::default());
    for n in 0..MOST_DEFINITIONS {
        let name = if n == 9 { "first".to_owned() } else { format!("t{n}") };
        let server = format!("s{}", n % 10);
        store.seen(&[ToolSighting { server, ..sighting(&name, "a") }], &nothing, at(n as i64)).await.unwrap();
    }
    the_fullest_server_makes_room(&store).await;
}

#[tokio::test]
async fn the_fullest_server_makes_room_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.db");
    let store = open(&Location::Sqlite(path.clone())).await.unwrap().tools;
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query(ALL_TAKEN).execute(&mut other).await.unwrap();
    the_fullest_server_makes_room(&store).await;
}

#[tokio::test]
async fn the_fullest_server_makes_room_in_postgres() {
    let url = support::postgres_database().await;
    let store = open(&Location::Postgres(url.clone())).await.unwrap().tools;
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::query(ALL_TAKEN).execute(&mut other).await.unwrap();
    the_fullest_server_makes_room(&store).await;
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

stamp!(
    what_is_seen_is_kept_as_it_was,
    a_report_is_kept_at_once_and_what_was_seen_just_now_is_not_written,
    a_tool_has_so_many_definitions_and_no_more,
    a_server_has_so_many_definitions_and_no_more,
);
