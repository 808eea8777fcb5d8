//! The engine compiles a set of policies into a [`Program`]; a [`Session`] uses it to decide one exchange, phase by
//! phase.
//!
//! ```text
//! Bundle ── compile ──▶ Program ── Session::start ──▶ request ─▶ (limits) ─▶ response ──▶ Decision
//! ```
//!
//! Nothing here does IO, reads a clock or uses a global: a session returns what it needs (the body, a limit check)
//! and is resumed with the answer and the time. So the filter in Envoy, the control plane's dry run, the command line
//! and the tests all run the same code.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod access;
mod address;
mod answer;
mod asks;
mod bounds;
mod breaker;
mod budget;
mod caller;
mod canary;
mod compile;
mod decision;
mod dry_run;
mod estimate;
mod evidence;
mod guards;
mod index;
mod input;
mod judge;
mod limits;
mod mask;
mod mirrored;
mod names;
mod output;
mod own_rules;
mod parts;
mod pii;
mod pins;
mod program;
mod reading;
mod replay;
mod response;
mod room;
mod seen;
mod session;
mod stream;
mod taken;
mod unknown;
mod url;

pub use breaker::Breaker;
pub use budget::{Settlement, Spending};
pub use caller::{Caller, RequestHead};
pub use compile::{Refused, check, check_agents, compile};
pub use decision::{Decision, FindingCount, GuardState, Outcome, PolicyRef, Severity};
pub use dry_run::{SampleRequest, Verdict, dry_run};
pub use evidence::{COULD_NOT_RUN, Effect, Evidence, JUDGE_COULD_NOT_RUN, Near, Violation};
pub use judge::{Judgement, Label, MAX_WINDOW_BYTES, MAX_WINDOWS, Question};
pub use limits::{LimitAnswer, LimitCheck, LimitStatus};
pub use mesh_detect::Detector;
pub use mesh_wire::{Refusal, Usage};
pub use pins::SeenTool;
pub use program::Program;
pub use replay::{Features, Objection, Replayed, replay};
pub use response::ResponseMode;
pub use room::check_room;
pub use session::{Session, Step};
pub use unknown::remarks;

/// A point in time, in nanoseconds since the Unix epoch. Always passed in, never read from a clock.
pub type Timestamp = u64;
