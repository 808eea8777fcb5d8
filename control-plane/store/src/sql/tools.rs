//! Seen definitions of tools in SQL; compiled for each database.
use async_trait::async_trait;
use jiff::Timestamp;
use mesh_control_core::ports::{
    IsDecided, MOST_DEFINITIONS, MOST_OF_A_SERVER, MOST_OF_A_TOOL, SEEN_JUST_NOW, StoreError, ToolStore,
};
use mesh_control_core::{SeenDefinition, ToolSighting};

use sqlx::Transaction;

use super::{Db, Sql, begin, lock};
use crate::values::{failed, nanoseconds, timestamp};

type Row = (String, String, String, String, bool, String, i64, i64);

#[async_trait]
impl ToolStore for Sql {
    async fn seen(
        &self,
        sightings: &[ToolSighting],
        decided: &IsDecided<'_>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let kept = keep_all(self, sightings, decided, now).await;
        self.writes.ended("the definitions of tools could not be kept", kept)
    }

    async fn definitions(&self) -> Result<Vec<SeenDefinition>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as::<Db, Row>(
            "SELECT server, name, digest, '', truncated, sidecar, first_ns, last_ns FROM tool_definitions",
        )
        .fetch_all(&self.read)
        .await
        .map_err(failed("the definitions of tools could not be read"))?;
        Ok(rows.into_iter().map(definition).collect())
    }

    async fn definitions_of(&self, server: &str, name: &str) -> Result<Vec<SeenDefinition>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as::<Db, Row>(
            "SELECT server, name, digest, text, truncated, sidecar, first_ns, last_ns FROM tool_definitions
             WHERE server = $1 AND name = $2",
        )
        .bind(server)
        .bind(name)
        .fetch_all(&self.read)
        .await
        .map_err(failed("the tool's definitions could not be read"))?;
        Ok(rows.into_iter().map(definition).collect())
    }
}

async fn keep_all(
    sql: &Sql,
    sightings: &[ToolSighting],
    decided: &IsDecided<'_>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    if sightings.is_empty() {
        return Ok(0);
    }
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::TOOLS).await?;
    let mut gone = 0;
    for seen in sightings {
        gone += keep(&mut tx, seen, decided, now).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

async fn keep(
    tx: &mut Transaction<'static, Db>,
    seen: &ToolSighting,
    decided: &IsDecided<'_>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT last_ns FROM tool_definitions WHERE server = $1 AND name = $2 AND digest = $3",
    )
    .bind(&seen.server)
    .bind(&seen.name)
    .bind(&seen.digest)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(last) = last {
        if now.duration_since(timestamp(last)) >= SEEN_JUST_NOW {
            touch(tx, seen, now).await?;
        }
        return Ok(0);
    }
    sqlx::query(
        "INSERT INTO tool_definitions (server, name, digest, text, truncated, sidecar, first_ns, last_ns)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(&seen.server)
    .bind(&seen.name)
    .bind(&seen.digest)
    .bind(&seen.text)
    .bind(seen.truncated)
    .bind(&seen.sidecar)
    .bind(nanoseconds(now))
    .execute(&mut **tx)
    .await?;
    shrink(tx, seen, decided).await
}

/// Makes room for a definition that was just added, see [`ToolStore`]; returns how many definitions had to go.
async fn shrink(
    tx: &mut Transaction<'static, Db>,
    seen: &ToolSighting,
    decided: &IsDecided<'_>,
) -> sqlx::Result<u64> {
    let known = undecided(tx, &seen.server, Some(&seen.name), decided).await?;
    let surplus = known.len().saturating_sub(MOST_OF_A_TOOL);
    let mut gone = drop_first(tx, &seen.server, known, surplus).await?;
    let of_server: i64 = sqlx::query_scalar("SELECT count(*) FROM tool_definitions WHERE server = $1")
        .bind(&seen.server)
        .fetch_one(&mut **tx)
        .await?;
    let surplus = over(of_server, MOST_OF_A_SERVER);
    gone += drop_oldest(tx, &seen.server, surplus, decided).await?;
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM tool_definitions").fetch_one(&mut **tx).await?;
    let surplus = over(all, MOST_DEFINITIONS);
    if surplus > 0 {
        let fullest: String = sqlx::query_scalar(
            "SELECT server FROM tool_definitions GROUP BY server ORDER BY count(*) DESC, server DESC LIMIT 1",
        )
        .fetch_one(&mut **tx)
        .await?;
        let made = drop_oldest(tx, &fullest, surplus, decided).await?;
        if made == 0 {
            // Nothing can go: the new one is not kept.
            drop_one(tx, &seen.server, &seen.name, &seen.digest).await?;
        }
        gone += made.max(1);
    }
    Ok(gone)
}

/// It was seen again.
async fn touch(tx: &mut Transaction<'static, Db>, seen: &ToolSighting, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE tool_definitions SET last_ns = $4 WHERE server = $1 AND name = $2 AND digest = $3")
        .bind(&seen.server)
        .bind(&seen.name)
        .bind(&seen.digest)
        .bind(nanoseconds(now))
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// By how many there are more than `most`.
fn over(count: i64, most: usize) -> usize {
    usize::try_from(count).unwrap_or(0).saturating_sub(most)
}

/// Names and digests of the undecided definitions of a server, or of one tool of it; the one longest unseen first.
async fn undecided(
    tx: &mut Transaction<'static, Db>,
    server: &str,
    name: Option<&str>,
    decided: &IsDecided<'_>,
) -> sqlx::Result<Vec<(String, String)>> {
    let mut known: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, digest FROM tool_definitions WHERE server = $1 AND ($2 IS NULL OR name = $2)
         ORDER BY last_ns, first_ns",
    )
    .bind(server)
    .bind(name)
    .fetch_all(&mut **tx)
    .await?;
    known.retain(|(name, digest)| !decided(server, name, digest));
    Ok(known)
}

async fn drop_oldest(
    tx: &mut Transaction<'static, Db>,
    server: &str,
    most: usize,
    decided: &IsDecided<'_>,
) -> sqlx::Result<u64> {
    if most == 0 {
        return Ok(0);
    }
    let known = undecided(tx, server, None, decided).await?;
    drop_first(tx, server, known, most).await
}

async fn drop_first(
    tx: &mut Transaction<'static, Db>,
    server: &str,
    known: Vec<(String, String)>,
    most: usize,
) -> sqlx::Result<u64> {
    let mut gone = 0;
    for (name, digest) in known.iter().take(most) {
        gone += drop_one(tx, server, name, digest).await?;
    }
    Ok(gone)
}

async fn drop_one(
    tx: &mut Transaction<'static, Db>,
    server: &str,
    name: &str,
    digest: &str,
) -> sqlx::Result<u64> {
    let deleted = sqlx::query("DELETE FROM tool_definitions WHERE server = $1 AND name = $2 AND digest = $3")
        .bind(server)
        .bind(name)
        .bind(digest)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected())
}

fn definition((server, name, digest, text, truncated, sidecar, first, last): Row) -> SeenDefinition {
    SeenDefinition {
        sighting: ToolSighting { server, name, digest, text, truncated, sidecar },
        first_seen: timestamp(first),
        last_seen: timestamp(last),
    }
}
