//! Flags of `policy rollout`, `draft`, `freeze`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::policy::Wait;

/// `policy rollout`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy rollout start customer-facing -f next.yaml --steps 10,50
  ai-mesh policy rollout status customer-facing
  ai-mesh policy rollout promote customer-facing
  ai-mesh policy rollout abort customer-facing

The next version first judges beside the one in force, on every sidecar, and enforces nothing (monitor); then it is in \
force on a share of the sidecars, told by their names; then everywhere. It is taken back by itself when it refuses, or \
fails on, more requests than the version in force, by more than its bounds.")]
pub(crate) struct Rollout {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs of `policy rollout`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start with the monitor stage
    Start(Start),
    /// Show the state of rollouts, and what both versions did in the present stage
    Status {
        /// The policy's name [default: all]
        name: Option<String>,
    },
    /// Go on to the next stage; after the last share, everywhere
    Promote {
        /// The policy's name
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Stay in the present stage, without comparing the versions
    Pause {
        /// The policy's name
        name: String,
    },
    /// Let a paused rollout go on
    Resume {
        /// The policy's name
        name: String,
    },
    /// End it: the present version stays in force everywhere
    Abort {
        /// The policy's name
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
}

/// `policy rollout start`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy rollout start customer-facing -f next.yaml
  ai-mesh policy rollout start customer-facing --steps 5,25,50      the draft of that name
  ai-mesh policy rollout start customer-facing -f next.yaml --sample 1000 --max-refusals 0.01")]
pub(crate) struct Start {
    /// The policy's name
    pub(crate) name: String,
    /// The next version; `-` is standard input [default: the draft of that name]
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) file: Option<PathBuf>,
    /// Shares of the sidecars, in percent, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [10, 50], value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    pub(crate) steps: Vec<u8>,
    /// By how much the share of its requests that it refuses may exceed that of the present version
    #[arg(long, default_value_t = 0.05, value_name = "SHARE", value_parser = share)]
    pub(crate) max_refusals: f64,
    /// By how much the share of its requests on which guards fail may exceed that of the present version
    #[arg(long, default_value_t = 0.01, value_name = "SHARE", value_parser = share)]
    pub(crate) max_errors: f64,
    /// Do not compare before it has made this many decisions
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) sample: u64,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A share of requests.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share of requests from 0 to 1, such as 0.05".to_owned())
}

/// `policy freeze`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy freeze --reason 'release day'
  ai-mesh policy unfreeze

While policies are frozen, changes are refused, but for a roll-back to the last known good version, the end of a rollout, \
and the suspension of an agent.")]
pub(crate) struct Freeze {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Who asks for it
    #[arg(long, env = "USER", default_value = "an administrator", value_name = "NAME")]
    pub(crate) by: String,
}
