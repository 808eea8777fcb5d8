//! Flags of `decisions …`.

use clap::{Args, Subcommand};

/// See what was decided.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh decisions list --decision deny
  ai-mesh decisions tail
  ai-mesh decisions gaps")]
pub(crate) struct Decisions {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs of `decisions`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List decisions, newest first
    #[command(after_help = "\
Examples:
  ai-mesh decisions list
  ai-mesh decisions list --agent support-1 --decision deny --limit 100
  ai-mesh decisions list --since 1h
  ai-mesh decisions list --since 2026-11-24T08:00:00Z -o json")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Only decisions since this time: an age (90d, 12h, 30m or 10s), or an RFC 3339 time
        #[arg(long, value_name = "TIME", value_parser = super::moment)]
        since: Option<String>,
        /// Only decisions before this time, in the same form
        #[arg(long, value_name = "TIME", value_parser = super::moment)]
        until: Option<String>,
        /// Show at most this many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Continue an earlier list, from the cursor that it printed
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
    },
    /// Show decisions as they are made, until interrupted
    #[command(after_help = "\
Examples:
  ai-mesh decisions tail
  ai-mesh decisions tail --decision deny -o json | jq .findings")]
    Tail {
        #[command(flatten)]
        filter: Filter,
    },
    /// Show a decision
    #[command(
        after_help = "Examples:\n  ai-mesh decisions get bae77fb981f87279-1\n\nThe id is the x-ai-mesh-decision-id header of the response."
    )]
    Get {
        /// The decision's id
        id: String,
    },
    /// List records that a sidecar numbered but that never arrived
    #[command(after_help = "Examples:\n  ai-mesh decisions gaps")]
    Gaps,
}

/// Which decisions.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only decisions about this agent
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// Only decisions with this outcome
    #[arg(long, value_name = "OUTCOME", value_parser = ["allow", "allow_with_modifications", "deny", "throttle"])]
    pub(crate) decision: Option<String>,
    /// Only decisions to which this policy applied
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Only decisions to which this guard applied
    #[arg(long, value_name = "GUARD")]
    pub(crate) guard: Option<String>,
}
