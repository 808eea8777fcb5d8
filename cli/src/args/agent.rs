//! Flags of `agent …`.

use clap::{Args, Subcommand};

use super::policy::{Apply, Wait};

/// Read and change the registry of agents.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh agent list
  ai-mesh agent apply -f agents.yaml
  ai-mesh agent suspend support-1 --reason 'leaked a key'
  ai-mesh agent resume support-1")]
pub(crate) struct Agent {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs of `agent`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the registered agents
    #[command(
        after_help = "Examples:\n  ai-mesh agent list\n  ai-mesh agent list -o json | jq '.[].document.spec.owners'"
    )]
    List,
    /// Show an agent's document
    #[command(after_help = "Examples:\n  ai-mesh agent get support-1\n  ai-mesh agent get support-1 -o json")]
    Get {
        /// The agent's id
        id: String,
    },
    /// Register agents or change their documents; the files may hold policies too
    #[command(after_help = "\
Examples:
  ai-mesh agent apply -f agents.yaml
  ai-mesh agent apply -f agents/ --no-wait

Says of each agent whether it was created, configured or is unchanged, and waits until every connected sidecar \
has accepted it. A document without `status` leaves a registered agent its status.")]
    Apply(Apply),
    /// Stop an agent: each of its requests is refused, with the reason
    #[command(
        after_help = "Examples:\n  ai-mesh agent suspend support-1 --reason 'under review'\n  ai-mesh agent suspend support-1 --reason 'leaked a key' --quarantine"
    )]
    Suspend {
        /// The agent's id
        id: String,
        /// The reason, which the agent gets with every refusal
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Something is wrong with it: its status becomes `quarantined` instead of `suspended`
        #[arg(long)]
        quarantine: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Let a stopped agent work again
    #[command(after_help = "Examples:\n  ai-mesh agent resume support-1")]
    Resume {
        /// The agent's id
        id: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Take an agent out of the registry; policies that target everybody still apply to it
    #[command(after_help = "Examples:\n  ai-mesh agent delete support-1")]
    Delete {
        /// The agent's id
        id: String,
        #[command(flatten)]
        wait: Wait,
    },
}
