//! The control plane's own decisions: which policies are in force, what was decided under them, and who may still
//! ask for more in this minute.
//!
//! Everything outside (a database, Redis, the sidecars, the policy compiler) is a trait in [`ports`]; the services here
//! are handed their implementations. The memory implementations in [`memory`] are complete and serve tests and the
//! smallest set-ups; `mesh-control-store` holds the ones that last.
//!
//! The failure law of a policy change: nothing is written before the whole set of policies, the change included, has
//! been compiled by the very compiler the filter runs. What was written is published at once, and versions only go
//! forward.

mod admission;
mod agents;
mod clock;
mod compiler;
mod counterfactual;
mod decision;
mod decisions;
mod diagnostic;
mod evidence;
mod explain;
mod impact;
mod limits;
pub mod memory;
mod pending;
mod policies;
mod policy;
mod policy_error;
pub mod ports;
mod prices;
mod propagation;
mod rollout_watch;
mod rollouts;
mod sample;
mod set;
mod sidecar;
mod tools;
mod tried;

pub use admission::{Admission, Remark};
pub use clock::{Clock, ClockAhead};
pub use compiler::{EngineAdmission, dry_run};
pub use decision::{
    Decision, DecisionFilter, DecisionPage, Finding, Gap, GuardOutcomes, NoPlace, Place, PolicyRef,
    TokenUsage, Violation, record_id, record_time,
};
pub use decisions::{Batch, BatchError, Decisions, Follower, ForgetError, Intake, ReportError};
pub use diagnostic::DiagnosticSchema;
pub use evidence::{Evidence, Near, Part};
pub use explain::{Explanation, Reason, explain};
pub use impact::{Impact, ImpactChange};
pub use limits::{
    AccountFilter, AccountView, Accounts, Ask, DOMAIN, LimitId, LimitVerdict, Limits, Settle, Settled, Told,
    Verdicts, place_of_limit, terms,
};
pub use mesh_limits::{
    Catalogue, Entry as PriceEntry, Kind, MAX_AMOUNT, Measure, Price, PriceList, Settlement, Terms, lease_id,
    rest_of,
};
pub use policies::{Changed, FromFiles, Policies, Wanted};
pub use policy::{Change, Expected, PolicyVersion, Stored, agent_key};
pub use policy_error::PolicyError;
pub use prices::{DEFAULT_PRICE, PriceOrigin, PricesInForce};
pub use propagation::{DELAY_BOUNDS_S, Delays, Propagation};
pub use rollout_watch::{RolloutWatch, Tallies, Tried};
pub use rollouts::Plan;
pub use sample::{DryRun, Modifications, SampleRequest};
pub use sidecar::{Refused, ResourceState, Sidecar};
pub use tools::{
    DefinitionState, PinnedTools, Seen, SeenDefinition, Tool, ToolDefinition, ToolError, ToolSighting,
    ToolStanding, Tools,
};

/// An instant, to the nanosecond, in UTC.
pub use jiff::Timestamp;
