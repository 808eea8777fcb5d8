//! Where the control plane keeps things: SQLite or Postgres for policies and decisions, memory or Redis for rate windows.
//!
//! The ports are `mesh-control-core`'s; one scenario suite (`tests/suite`) runs over every implementation. The SQL is
//! written once, in `src/sql`, and compiled for each database: what differs between them stands in `src/sqlite` and
//! `src/postgres`.
#![expect(
    clippy::duplicate_mod,
    reason = "src/sql is compiled once for each database, against its own types"
)]

mod location;
mod open;
mod postgres;
mod redis;
mod sqlite;
mod values;
mod writes;

pub use location::Location;
pub use open::{Database, OpenError, Stores, open, windows};
pub use redis::{RedisClock, RedisWindows};
