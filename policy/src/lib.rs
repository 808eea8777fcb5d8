//! The policy document: its types, the strict reader that turns an author's input into them, and the bundle that brings a set of
//! policies to a sidecar.
//!
//! A document is read in two steps. [`from_value`] (or [`from_yaml`]) first checks the raw value against the table of known fields,
//! and reports *every* problem with its path. Then serde builds the types, which are strict themselves. Only the form of the document
//! is checked here; whether a type, a regular expression or a Rego module makes sense is up to the engine's compiler.
//!
//! Nothing here does IO, reads a clock or holds a global.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod agent;
mod bundle;
mod check;
mod diagnostic;
mod document;
mod forms;
#[cfg(feature = "yaml")]
mod inside;
mod judge;
mod legacy;
mod meaning;
mod nearest;
#[cfg(feature = "yaml")]
mod opa;
mod output;
mod rate_limit;
mod read;
mod rollout;
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod secret;
mod shape;
mod state;
mod tool;
#[cfg(feature = "yaml")]
mod yaml;

pub use agent::{
    Agent, AgentKind, AgentMetadata, AgentSpec, AgentStatus, AgentType, Attachment, ComplianceTier, Vendor,
};
pub use bundle::{Bundle, BundleAgent, BundlePolicy, BundleTool, HttpServiceRef, ServiceRef, Settings};
pub use check::step;
pub use diagnostic::{Diagnostic, Severity, Within};
pub use document::{
    ApiVersion, Enforcement, FailureMode, Kind, Media, Metadata, Policy, RecordOverflow, Spec, Target,
};
pub use judge::{JudgeMode, JudgeRule};
pub use nearest::nearest;
#[cfg(feature = "yaml")]
pub use opa::{MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, OpaBundle, from_opa_bundle, is_bundle_path};
pub use output::{CanaryAction, CanaryRule, CodeText, HtmlRule, LinksRule, OutputAction};
pub use rate_limit::{Currency, LimitAction, LimitKey, LimitMode, Money, RateLimitRule};
pub use read::{
    Document, Parsed, ParsedDocument, PriceDocument, document_from_value, from_value, in_authors_words,
};
pub use rollout::{BundleRollout, Stage, policy_of, shadow_id};
pub use rule::{
    AccessRule, Conditions, ContentAction, ContentRule, CustomPattern, Direction, InjectionAction,
    InjectionRule, ModelsRule, NormalizeRule, PiiAction, PiiRule, RegoRule, Rule, Sensitivity, ToolsRule,
};
#[cfg(feature = "schema")]
pub use schema::{agent_json_schema, json_schema};
pub use secret::Secret;
pub use state::{Bounds, Draft, End, FileDigests, Freeze, Rollout, State};
pub use tool::ToolApproval;
#[cfg(feature = "yaml")]
pub use yaml::{documents_from_yaml, from_yaml, locate};
