//! Flags of `tools …`.

use clap::{Args, Subcommand, ValueEnum};

use super::policy::Wait;

/// See the tools that servers offer, and approve or reject their definitions.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh tools list
  ai-mesh tools diff tools.example.com/mcp search
  ai-mesh tools approve tools.example.com/mcp search
  ai-mesh tools approve --all --server tools.example.com/mcp

Tools are reported here once a policy has `tools: { pin: true }`; see docs/policies.md.")]
pub(crate) struct Tools {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The state of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Standing {
    /// It is offered and called as approved
    Approved,
    /// Its server offers a definition other than the approved one
    Changed,
    /// None of its definitions is approved
    Unapproved,
}

/// A tool of a server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Which {
    /// The server, as `tools list` shows it: host and path
    pub(crate) server: String,
    /// The tool's name
    pub(crate) name: String,
}

/// The verbs of `tools`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the tools that sidecars have reported
    #[command(
        after_help = "Examples:\n  ai-mesh tools list\n  ai-mesh tools list --standing changed -o json | jq '.[].name'"
    )]
    List {
        /// Only tools of this server
        #[arg(long, value_name = "SERVER")]
        server: Option<String>,
        /// Only tools in this state
        #[arg(long, value_enum, value_name = "STANDING")]
        standing: Option<Standing>,
    },
    /// Show a tool's definitions
    #[command(after_help = "Examples:\n  ai-mesh tools show tools.example.com/mcp search")]
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Show how the definition that waits differs from the approved one
    #[command(after_help = "Examples:\n  ai-mesh tools diff tools.example.com/mcp search")]
    Diff {
        #[command(flatten)]
        which: Which,
    },
    /// Approve a definition: it is offered and called from now on
    #[command(
        after_help = "Examples:\n  ai-mesh tools approve tools.example.com/mcp search\n  ai-mesh tools approve tools.example.com/mcp search --digest 3fa94c\n  ai-mesh tools approve --all --server tools.example.com/mcp"
    )]
    Approve {
        /// The server, as `tools list` shows it
        #[arg(required_unless_present = "all", requires = "name")]
        server: Option<String>,
        /// The tool's name
        name: Option<String>,
        /// The definition, by the beginning of its digest (default: the one that waits)
        #[arg(long, value_name = "DIGEST", conflicts_with = "all")]
        digest: Option<String>,
        /// Approve what waits of all tools that have no approved definition yet
        #[arg(long, conflicts_with_all = ["server", "name"])]
        all: bool,
        /// With --all: only tools of this server
        #[arg(long = "server", value_name = "SERVER", requires = "all")]
        of: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Reject a definition: it is withheld and refused, also where it was approved before
    #[command(after_help = "Examples:\n  ai-mesh tools reject tools.example.com/mcp search")]
    Reject {
        #[command(flatten)]
        which: Which,
        /// The definition, by the beginning of its digest (default: the one that waits)
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
}
