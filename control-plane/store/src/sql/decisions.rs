//! Decision records in SQL; compiled for each database.
//!
//! A batch is one transaction, and batches are taken in one after the other: a reader that has seen record `n` will not see
//! a smaller one appear later.
use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::Timestamp;
use mesh_audit::v1::DecisionRecord;
use mesh_control_core::ports::{DecisionStore, PAGE_BYTES, StoreError};
use mesh_control_core::{Batch, Decision, DecisionFilter, DecisionPage, Gap, Intake, record_id, record_time};
use prost::Message;
use sqlx::{QueryBuilder, Transaction};

use super::{CONTAINS, Db, Sql, begin, lock};
use crate::values::{failed, name_in_list, name_list, nanoseconds, signed, text, timestamp, unsigned};

/// Rows of one INSERT: ten values each, well under both databases' limits.
const ROWS: usize = 500;

type Row = (i64, String, i64, String, Vec<u8>);
type GapRow = (String, String, i64, i64, i64);

#[async_trait]
impl DecisionStore for Sql {
    async fn intake(&self, batch: &Batch, now: Timestamp) -> Result<Intake, StoreError> {
        self.writes.ended("the decision records could not be kept", take_in(self, batch, now).await)
    }

    async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        let mut query = select(filter);
        let mut rows = query.build_query_as::<Row>().fetch(&self.read);
        let mut page = DecisionPage::default();
        let mut room = PAGE_BYTES;
        while let Some(row) = rows.try_next().await.map_err(failed("the decisions could not be read"))? {
            let bytes = row.4.len();
            let full = page.decisions.len() == filter.limit as usize;
            if full || (bytes > room && !page.decisions.is_empty()) {
                page.more = true;
                break;
            }
            room = room.saturating_sub(bytes);
            page.decisions.push(decision(row)?);
        }
        Ok(page)
    }

    async fn decision(&self, id: &str) -> Result<Option<Decision>, StoreError> {
        let row: Option<Row> = sqlx::query_as::<Db, Row>(
            "SELECT id, vm, sequence, sidecar, record FROM decisions WHERE decision_id = $1 ORDER BY id LIMIT 1",
        )
        .bind(text(id))
        .fetch_optional(&self.read)
        .await
        .map_err(failed("the decision could not be read"))?;
        Ok(row.map(decision).transpose()?.map(|(_, decision)| decision))
    }

    async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError> {
        let rows: Vec<GapRow> = sqlx::query_as::<Db, GapRow>(
            "SELECT sidecar, vm, from_sequence, to_sequence, noticed_ns FROM decision_gaps ORDER BY id DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed("the gaps could not be read"))?;
        Ok(rows.into_iter().map(gap).collect())
    }

    async fn newest_cursor(&self) -> Result<u64, StoreError> {
        let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM decisions")
            .fetch_one(&self.read)
            .await
            .map_err(failed("the decisions could not be read"))?;
        Ok(unsigned(newest))
    }

    async fn newest_mark(&self) -> Result<Option<Timestamp>, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(at_ns) FROM decision_marks")
            .fetch_one(&self.read)
            .await
            .map_err(failed("the marks could not be read"))?;
        Ok(newest.map(timestamp))
    }

    async fn mark(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writes.ended("the decisions could not be marked", mark(self, now).await)
    }

    async fn forget(&self, then: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.writes.ended("old decisions could not be deleted", forget(self, then, most).await)
    }

    async fn alive(&self, vms: &[String], now: Timestamp) -> Result<(), StoreError> {
        self.writes.ended("the VMs that run could not be noted", alive(self, vms, now).await)
    }

    async fn forget_vms(&self, then: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.writes.ended("VMs that are gone could not be forgotten", forget_vms(self, then, most).await)
    }
}

async fn mark(sql: &Sql, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO decision_marks (at_ns, newest) VALUES ($1, (SELECT coalesce(max(id), 0) FROM decisions))
         ON CONFLICT (at_ns) DO NOTHING",
    )
    .bind(nanoseconds(now))
    .execute(&sql.write)
    .await
    .map(drop)
}

async fn alive(sql: &Sql, vms: &[String], now: Timestamp) -> sqlx::Result<()> {
    let now = nanoseconds(now);
    for some in vms.chunks(ROWS) {
        let mut tx = begin(sql).await?;
        lock(&mut tx, super::DECISIONS).await?;
        let mut update = QueryBuilder::<Db>::new("UPDATE decision_streams SET seen_ns = ");
        update.push_bind(now).push(" WHERE seen_ns < ").push_bind(now).push(" AND vm IN (");
        let mut names = update.separated(", ");
        for vm in some {
            names.push_bind(vm.clone());
        }
        update.push(")");
        update.build().execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn forget_vms(sql: &Sql, then: Timestamp, most: u32) -> sqlx::Result<u64> {
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::DECISIONS).await?;
    let deleted = sqlx::query(
        "DELETE FROM decision_streams WHERE vm IN (
             SELECT vm FROM decision_streams AS held
             WHERE seen_ns <= $1 AND NOT EXISTS (SELECT 1 FROM decisions WHERE vm = held.vm)
             ORDER BY seen_ns LIMIT $2)",
    )
    .bind(nanoseconds(then))
    .bind(i64::from(most))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(deleted.rows_affected())
}

async fn forget(sql: &Sql, then: Timestamp, most: u32) -> sqlx::Result<u64> {
    let then = nanoseconds(then);
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::DECISIONS).await?;
    sqlx::query("DELETE FROM decision_gaps WHERE noticed_ns <= $1").bind(then).execute(&mut *tx).await?;
    let mark: Option<(i64, i64)> = sqlx::query_as(
        "SELECT at_ns, newest FROM decision_marks WHERE at_ns <= $1 ORDER BY at_ns DESC LIMIT 1",
    )
    .bind(then)
    .fetch_optional(&mut *tx)
    .await?;
    let mut gone = 0;
    if let Some((at, newest)) = mark {
        let deleted = sqlx::query(
            "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE id <= $1 ORDER BY id LIMIT $2)",
        )
        .bind(newest)
        .bind(i64::from(most))
        .execute(&mut *tx)
        .await?;
        gone = deleted.rows_affected();
        sqlx::query("DELETE FROM decision_marks WHERE at_ns < $1").bind(at).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

async fn take_in(sql: &Sql, batch: &Batch, now: Timestamp) -> sqlx::Result<Intake> {
    let mut tx = begin(sql).await?;
    lock(&mut tx, super::DECISIONS).await?;
    let held: Option<(i64, i64)> = sqlx::query_as("SELECT last, dropped FROM decision_streams WHERE vm = $1")
        .bind(&batch.vm)
        .fetch_optional(&mut *tx)
        .await?;
    let (last, dropped) = held.map_or((0, 0), |(last, dropped)| (unsigned(last), unsigned(dropped)));
    let mut intake = Intake::plan(batch, last, dropped, now);
    for (chunk, records) in batch.records.chunks(ROWS).enumerate() {
        let kept = insert(&mut tx, batch, chunk * ROWS, records).await?;
        if kept.len() < records.len() {
            intake.conflicts += conflicts(&mut tx, batch, chunk * ROWS, records).await?;
        }
        intake.kept.extend(kept);
    }
    if !batch.records.is_empty() && batch.first_sequence <= last {
        close_gaps(&mut tx, batch).await?;
    }
    if let Some(gap) = &intake.gap {
        open_gap(&mut tx, gap).await?;
    }
    sqlx::query(
        "INSERT INTO decision_streams (vm, sidecar, last, dropped, seen_ns) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (vm) DO UPDATE
         SET sidecar = excluded.sidecar, last = excluded.last, dropped = excluded.dropped, seen_ns = excluded.seen_ns",
    )
    .bind(&batch.vm)
    .bind(&batch.sidecar)
    .bind(signed(intake.acknowledged))
    .bind(signed(dropped + intake.dropped))
    .bind(nanoseconds(now))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(intake)
}

/// Writes the records that are not there yet; gives their indices in the batch, ascending.
async fn insert(
    tx: &mut Transaction<'static, Db>,
    batch: &Batch,
    offset: usize,
    records: &[DecisionRecord],
) -> sqlx::Result<Vec<usize>> {
    let mut insert = QueryBuilder::<Db>::new(
        "INSERT INTO decisions (vm, sequence, sidecar, decision_id, time_ns, agent, decision, policies, guards, record) ",
    );
    let first = batch.first_sequence + offset as u64;
    insert.push_values(records.iter().zip(first..), |mut row, (record, sequence)| {
        row.push_bind(batch.vm.clone())
            .push_bind(signed(sequence))
            .push_bind(batch.sidecar.clone())
            .push_bind(text(&record_id(&batch.vm, sequence, record)))
            .push_bind(nanoseconds(record_time(record)))
            .push_bind(text(&record.agent_id))
            .push_bind(text(&record.decision))
            .push_bind(name_list(record.policies.iter().map(|policy| policy.id.as_str())))
            .push_bind(name_list(record.guards.iter().map(|guard| guard.guard.as_str())))
            .push_bind(record.encode_to_vec());
    });
    insert.push(" ON CONFLICT (vm, sequence) DO NOTHING RETURNING sequence");
    let new: Vec<i64> = insert.build_query_scalar().fetch_all(&mut **tx).await?;
    let index =
        |sequence: i64| usize::try_from(unsigned(sequence) - batch.first_sequence).unwrap_or(usize::MAX);
    let mut kept: Vec<usize> = new.into_iter().map(index).collect();
    kept.sort_unstable();
    Ok(kept)
}

/// How many of the records are kept under their numbers with other contents.
async fn conflicts(
    tx: &mut Transaction<'static, Db>,
    batch: &Batch,
    offset: usize,
    records: &[DecisionRecord],
) -> sqlx::Result<u64> {
    let first = batch.first_sequence + offset as u64;
    let held: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT sequence, record FROM decisions WHERE vm = $1 AND sequence >= $2 AND sequence < $3",
    )
    .bind(&batch.vm)
    .bind(signed(first))
    .bind(signed(first + records.len() as u64))
    .fetch_all(&mut **tx)
    .await?;
    let differs = |(sequence, record): &&(i64, Vec<u8>)| {
        let place = usize::try_from(unsigned(*sequence) - first).unwrap_or(usize::MAX);
        records.get(place).is_some_and(|sent| sent.encode_to_vec() != *record)
    };
    Ok(held.iter().filter(differs).count() as u64)
}

/// Takes the batch's numbers out of the gaps they fall into.
async fn close_gaps(tx: &mut Transaction<'static, Db>, batch: &Batch) -> sqlx::Result<()> {
    let (first, last) = (batch.first_sequence, batch.last_sequence());
    let touched: Vec<GapRow> = sqlx::query_as(
        "DELETE FROM decision_gaps WHERE vm = $1 AND from_sequence <= $2 AND to_sequence >= $3
         RETURNING sidecar, vm, from_sequence, to_sequence, noticed_ns",
    )
    .bind(&batch.vm)
    .bind(signed(last))
    .bind(signed(first))
    .fetch_all(&mut **tx)
    .await?;
    for rest in touched.into_iter().flat_map(|row| gap(row).without(first, last)) {
        open_gap(tx, &rest).await?;
    }
    Ok(())
}

async fn open_gap(tx: &mut Transaction<'static, Db>, gap: &Gap) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO decision_gaps (sidecar, vm, from_sequence, to_sequence, noticed_ns) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&gap.sidecar)
    .bind(&gap.vm)
    .bind(signed(gap.from_sequence))
    .bind(signed(gap.to_sequence))
    .bind(nanoseconds(gap.noticed))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The query for a filter. It asks for one row more than wanted: that one tells whether there are more.
fn select(filter: &DecisionFilter) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new("SELECT id, vm, sequence, sidecar, record FROM decisions WHERE 1 = 1");
    if let Some(agent) = &filter.agent {
        query.push(" AND agent = ").push_bind(text(agent));
    }
    if let Some(decision) = &filter.decision {
        query.push(" AND decision = ").push_bind(text(decision));
    }
    for (column, name) in [("policies", &filter.policy), ("guards", &filter.guard)] {
        if let Some(name) = name {
            query
                .push(format_args!(" AND {CONTAINS}({column}, "))
                .push_bind(name_in_list(name))
                .push(") > 0");
        }
    }
    if let Some(since) = filter.since {
        query.push(" AND time_ns >= ").push_bind(nanoseconds(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND time_ns < ").push_bind(nanoseconds(until));
    }
    if let Some(before) = filter.before {
        query
            .push(" AND (time_ns, id) < (")
            .push_bind(nanoseconds(before.time))
            .push(", ")
            .push_bind(signed(before.cursor))
            .push(")");
    }
    if let Some(after) = filter.after {
        query.push(" AND id > ").push_bind(signed(after));
    }
    // Following goes from older records to newer ones; listing goes from the newest decision to older ones.
    let order = if filter.after.is_some() { "id" } else { "time_ns DESC, id DESC" };
    query.push(format_args!(" ORDER BY {order} LIMIT ")).push_bind(i64::from(filter.limit) + 1);
    query
}

fn decision((id, vm, sequence, sidecar, record): Row) -> Result<(u64, Decision), StoreError> {
    let record = DecisionRecord::decode(record.as_slice())
        .map_err(|error| StoreError::caused("a decision record is damaged", error))?;
    Ok((unsigned(id), Decision::from_record(&sidecar, &vm, unsigned(sequence), record)))
}

fn gap((sidecar, vm, from, to, noticed): GapRow) -> Gap {
    Gap { sidecar, vm, from_sequence: unsigned(from), to_sequence: unsigned(to), noticed: timestamp(noticed) }
}
