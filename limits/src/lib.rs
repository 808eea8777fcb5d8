//! The arithmetic of limits: what an account admits ([`Account`]), what a sidecar admits under its leases ([`Leases`]), how many
//! tokens a text has ([`tokens_of`]), and what tokens cost ([`Catalogue`]).
//!
//! Pure: no IO, no clock, no globals. The control plane's memory store counts with [`Account`] itself, its Redis scripts restate it,
//! and one suite of scenarios checks that they agree. The filter takes estimates and prices from here.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod account;
mod estimate;
mod holds;
mod lease;
mod leases;
mod measure;
mod price;

pub use account::{Account, Kind, MAX_AMOUNT, Settlement, Terms, Verdict};
pub use estimate::{PER_MESSAGE, UNBOUNDED_ANSWER, tokens_at_most, tokens_of};
pub use holds::Lent;
pub use lease::{LEASE_US, lease_id, lends, rest_of};
pub use leases::{AccountName, Borrow, Leases, Local, Renewal, Return, Use, Wish};
pub use measure::Measure;
pub use price::{Catalogue, Entry, Price, PriceError, PriceList, Tokens};
