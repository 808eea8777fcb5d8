//! Seen definitions of tools in SQL; compiled for each database.
use async_trait::async_trait;
use jiff::Timestamp;
use mesh_control_core::ports::{MOST_DEFINITIONS, MOST_OF_A_TOOL, StoreError, ToolStore};
use mesh_control_core::{SeenDefinition, ToolSighting};

use super::{Db, Sql, begin, lock};
use crate::values::{failed, nanoseconds, signed, timestamp};

type Row = (String, String, String, String, bool, String, i64, i64);

#[async_trait]
impl ToolStore for Sql {
    async fn seen(
        &self,
        sighting: &ToolSighting,
        decided: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        keep(self, sighting, decided, now).await.map_err(failed("the definition of a tool could not be kept"))
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

async fn keep(sql: &Sql, seen: &ToolSighting, decided: &[String], now: Timestamp) -> sqlx::Result<()> {
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::TOOLS).await?;
    let again = sqlx::query(
        "UPDATE tool_definitions SET last_ns = CASE WHEN last_ns < $4 THEN $4 ELSE last_ns END
         WHERE server = $1 AND name = $2 AND digest = $3",
    )
    .bind(&seen.server)
    .bind(&seen.name)
    .bind(&seen.digest)
    .bind(nanoseconds(now))
    .execute(&mut *tx)
    .await?;
    if again.rows_affected() > 0 {
        return tx.commit().await;
    }
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM tool_definitions").fetch_one(&mut *tx).await?;
    if all >= signed(MOST_DEFINITIONS as u64) {
        return Ok(());
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
    .execute(&mut *tx)
    .await?;
    let known: Vec<(String,)> = sqlx::query_as(
        "SELECT digest FROM tool_definitions WHERE server = $1 AND name = $2 ORDER BY last_ns DESC, first_ns DESC",
    )
    .bind(&seen.server)
    .bind(&seen.name)
    .fetch_all(&mut *tx)
    .await?;
    let undecided = known.into_iter().map(|(digest,)| digest).filter(|digest| !decided.contains(digest));
    for digest in undecided.skip(MOST_OF_A_TOOL) {
        sqlx::query("DELETE FROM tool_definitions WHERE server = $1 AND name = $2 AND digest = $3")
            .bind(&seen.server)
            .bind(&seen.name)
            .bind(&digest)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}

fn definition((server, name, digest, text, truncated, sidecar, first, last): Row) -> SeenDefinition {
    SeenDefinition {
        sighting: ToolSighting { server, name, digest, text, truncated, sidecar },
        first_seen: timestamp(first),
        last_seen: timestamp(last),
    }
}
