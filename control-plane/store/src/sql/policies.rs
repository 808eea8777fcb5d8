//! Policy versions in SQL; compiled for each database.
use async_trait::async_trait;
use mesh_control_core::ports::{AppendError, PolicyStore, StoreError};
use mesh_control_core::{Change, PolicyVersion, Stored};

use super::{Db, Sql, begin, lock};
use crate::values::{failed, nanoseconds, signed, timestamp, unsigned};

type Row = (i64, String, i64, String, i64, Option<String>);

const NEWEST: &str = "SELECT coalesce(max(revision), 0) FROM policy_versions";

#[async_trait]
impl PolicyStore for Sql {
    async fn append(&self, after: u64, versions: &[PolicyVersion]) -> Result<Vec<Stored>, AppendError> {
        let mut documents = Vec::with_capacity(versions.len());
        for version in versions {
            let document = version.document.as_ref().map(serde_json::to_string).transpose();
            documents
                .push(document.map_err(|error| StoreError::caused("the document has no JSON form", error))?);
        }
        let done = append(self, after, versions, documents).await;
        self.writes.ended("the policy version could not be written", done)?
    }

    async fn newest(&self) -> Result<Vec<Stored>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as::<Db, Row>(
            "SELECT revision, name, version, change, at_ns, document FROM policy_versions AS held
             WHERE version = (SELECT max(version) FROM policy_versions WHERE name = held.name) ORDER BY name",
        )
        .fetch_all(&self.read)
        .await
        .map_err(failed("the policies could not be read"))?;
        rows.into_iter().map(stored).collect()
    }

    async fn versions(&self, name: &str) -> Result<Vec<Stored>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as::<Db, Row>(
            "SELECT revision, name, version, change, at_ns, document FROM policy_versions
             WHERE name = $1 ORDER BY version DESC",
        )
        .bind(name)
        .fetch_all(&self.read)
        .await
        .map_err(failed("the policy's versions could not be read"))?;
        rows.into_iter().map(stored).collect()
    }

    async fn version(&self, name: &str, version: u64) -> Result<Option<Stored>, StoreError> {
        let row: Option<Row> = sqlx::query_as::<Db, Row>(
            "SELECT revision, name, version, change, at_ns, document FROM policy_versions
             WHERE name = $1 AND version = $2",
        )
        .bind(name)
        .bind(signed(version))
        .fetch_optional(&self.read)
        .await
        .map_err(failed("the policy version could not be read"))?;
        row.map(stored).transpose()
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        let revision: i64 = sqlx::query_scalar(NEWEST)
            .fetch_one(&self.read)
            .await
            .map_err(failed("the database does not answer"))?;
        Ok(unsigned(revision))
    }

    async fn writes(&self) -> Result<(), StoreError> {
        if !self.writes.failing() {
            return Ok(());
        }
        self.writes.ended("the database takes nothing that is written", try_to_write(self).await)
    }
}

async fn append(
    sql: &Sql,
    after: u64,
    versions: &[PolicyVersion],
    documents: Vec<Option<String>>,
) -> sqlx::Result<Result<Vec<Stored>, AppendError>> {
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::POLICIES).await?;
    let newest: i64 = sqlx::query_scalar(NEWEST).fetch_one(&mut *tx).await?;
    if unsigned(newest) != after {
        return Ok(Err(AppendError::Behind { newest: unsigned(newest) }));
    }
    let mut written = Vec::with_capacity(versions.len());
    for (version, document) in versions.iter().zip(documents) {
        let revision: Option<i64> = sqlx::query_scalar(
            "INSERT INTO policy_versions (name, version, change, at_ns, document) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name, version) DO NOTHING RETURNING revision",
        )
        .bind(&version.name)
        .bind(signed(version.version))
        .bind(version.change.as_str())
        .bind(nanoseconds(version.at))
        .bind(document)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(revision) = revision else {
            return Ok(Err(AppendError::Taken { name: version.name.clone(), version: version.version }));
        };
        written.push(Stored { revision: unsigned(revision), version: version.clone() });
    }
    tx.commit().await?;
    Ok(Ok(written))
}

/// Writes a mark that says nothing, and takes it away again.
async fn try_to_write(sql: &Sql) -> sqlx::Result<()> {
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::DECISIONS).await?;
    sqlx::query("INSERT INTO decision_marks (at_ns, newest) VALUES ($1, 0)")
        .bind(i64::MIN)
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM decision_marks WHERE at_ns = $1").bind(i64::MIN).execute(&mut *tx).await?;
    tx.commit().await
}

fn stored((revision, name, version, change, at, document): Row) -> Result<Stored, StoreError> {
    let odd = |field: &str| {
        StoreError::new(format!(
            "version {version} of policy {name:?} has a {field} that this build cannot read"
        ))
    };
    let document = match &document {
        Some(text) => Some(
            serde_json::from_str(text)
                .map_err(|error| StoreError::caused(odd("document").to_string(), error))?,
        ),
        None => None,
    };
    let change = Change::from_word(&change).ok_or_else(|| odd("change"))?;
    let version = PolicyVersion { name, version: unsigned(version), change, at: timestamp(at), document };
    Ok(Stored { revision: unsigned(revision), version })
}
