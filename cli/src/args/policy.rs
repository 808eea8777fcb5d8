//! Flags of `policy …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Read, change, check and try policies.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy list
  ai-mesh policy validate policies/
  ai-mesh policy apply -f policies/
  ai-mesh policy rollback customer-facing --to 3")]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs of `policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create or change policies, and wait until the sidecars run them
    Apply(Apply),
    /// List the policies in force
    #[command(after_help = "Examples:\n  ai-mesh policy list\n  ai-mesh policy list -o json")]
    List,
    /// Show a policy
    #[command(
        after_help = "Examples:\n  ai-mesh policy get starter\n  ai-mesh policy get starter --version 1 -o json"
    )]
    Get {
        /// The policy's name
        name: String,
        /// An earlier version
        #[arg(long, value_name = "N")]
        version: Option<u64>,
    },
    /// Take a policy out of force; its versions are kept
    #[command(after_help = "Examples:\n  ai-mesh policy delete starter")]
    Delete {
        /// The policy's name
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// List the versions of a policy
    #[command(after_help = "Examples:\n  ai-mesh policy versions starter")]
    Versions {
        /// The policy's name
        name: String,
    },
    /// Put the document of an earlier version in force again, or end a rollout that is under way
    #[command(
        after_help = "Examples:\n  ai-mesh policy rollback starter           the last known good version\n  ai-mesh policy rollback starter --to 2"
    )]
    Rollback {
        /// The policy's name
        name: String,
        /// The version to go back to [default: the last known good one]
        #[arg(long, value_name = "N")]
        to: Option<u64>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Roll a policy's next version out in stages: monitor, a share of the sidecars, everywhere
    Rollout(super::rollout::Rollout),
    /// Keep policies as drafts: they have to compile, and are not in force
    #[command(
        after_help = "Examples:\n  ai-mesh policy draft -f next.yaml\n  ai-mesh policy rollout start customer-facing"
    )]
    Draft {
        /// Policies as YAML or JSON; `-` is standard input (repeatable)
        #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
        files: Vec<PathBuf>,
    },
    /// List the drafts
    Drafts,
    /// Refuse changes of policies, except a roll-back to the last known good version
    Freeze(super::rollout::Freeze),
    /// Accept changes again
    Unfreeze,
    /// Check policies without a control plane
    Validate(Validate),
    /// Judge a folder of policies for a pull request: errors, changes, conflicts and tests
    Check(Check),
    /// Write documents of earlier versions, and OPA's bundles, in today's schema
    #[command(
        after_help = "Examples:\n  ai-mesh policy convert gdpr.yaml > gdpr-today.yaml\n  ai-mesh policy convert old/ -o json"
    )]
    Convert {
        /// Policies as YAML or JSON; `-` is standard input
        #[arg(required = true, value_name = "FILE|DIR|-")]
        files: Vec<PathBuf>,
    },
    /// Show what a policy would have done to requests that were already decided
    Impact(Impact),
    /// Show what applying files would change, or how two versions differ
    Diff(Diff),
    /// Try policies on a sample request, or run their Rego tests; nothing is sent, counted or recorded
    Test(Test),
}

/// `policy check`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy check policies/
  ai-mesh policy check policies/ --base ../main/policies --format markdown > report.md

Compiles the policies, runs their Rego tests (NAME_test.rego beside the documents), says where policies contradict \
each other, and with --base what is different. Exit code 3 when something is wrong.")]
pub(crate) struct Check {
    /// The folder with the policies
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The folder as it was, such as a checkout of the main branch
    #[arg(long, value_name = "DIR")]
    pub(crate) base: Option<PathBuf>,
    /// Form of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Report,
    /// Also fail on warnings and conflicts
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// For people
    #[default]
    Text,
    /// For a comment on a pull request
    Markdown,
    /// For programs
    Json,
}

/// `policy impact`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy impact policy.yaml
  ai-mesh policy impact policy.yaml --since 2026-11-24T00:00:00Z -o json

Judges the recorded decisions again, by the types, names and scores in their records. What only the content could \
tell is counted as unknown: it was not kept.")]
pub(crate) struct Impact {
    /// The policy as YAML or JSON; `-` is standard input
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// Only decisions since this time: an age (90d, 12h, 30m or 10s), or an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    pub(crate) since: Option<String>,
    /// Only decisions before this time, in the same form
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    pub(crate) until: Option<String>,
    /// At most this many decisions, the newest ones
    #[arg(short = 'n', long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// `policy diff`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy diff -f policies/                 what `policy apply -f policies/` would change
  ai-mesh policy diff customer-facing --from 2     from version 2 to the one in force
  ai-mesh policy diff customer-facing --from 2 --to 3")]
pub(crate) struct Diff {
    /// A policy of which two versions are compared
    #[arg(value_name = "NAME", required_unless_present = "files", requires = "from")]
    pub(crate) name: Option<String>,
    /// Policies to compare with those in force; `-` is standard input (repeatable)
    #[arg(short, long = "file", value_name = "FILE|DIR|-", conflicts_with = "name")]
    pub(crate) files: Vec<PathBuf>,
    /// The earlier version
    #[arg(long, value_name = "N", requires = "name")]
    pub(crate) from: Option<u64>,
    /// The later version [default: the one in force]
    #[arg(long, value_name = "N", requires = "name")]
    pub(crate) to: Option<u64>,
    /// End with exit code 1 when there is a difference
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// `policy apply`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy apply -f policy.yaml
  ai-mesh policy apply -f policies/ -f more.json
  ai-mesh policy apply -f bundle.tar.gz            an OPA bundle (or its folder, with a .manifest)
  cat policy.yaml | ai-mesh policy apply -f -

Says of each policy whether it was created, configured or is unchanged, and waits until every connected sidecar \
has accepted it. Exit code 3 when a policy is invalid or a sidecar refuses it.")]
pub(crate) struct Apply {
    /// Policies and agents as YAML (several documents are fine) or JSON; `-` is standard input (repeatable)
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// Whether to wait for the sidecars.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// Don't wait until the sidecars run the change
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS", conflicts_with = "no_wait")]
    pub(crate) timeout: u64,
}

/// `policy validate`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy validate policy.yaml
  ai-mesh policy validate policies/ -o json
  cat policy.yaml | ai-mesh policy validate -

Compiles the policies as the sidecars do. Says what is wrong as FILE:LINE:COLUMN. Exit code 3 when there is an error.")]
pub(crate) struct Validate {
    /// Policies as YAML or JSON; `-` is standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) files: Vec<PathBuf>,
    /// Also fail on warnings
    #[arg(long)]
    pub(crate) strict: bool,
}

/// `policy test`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh policy test policy.yaml --prompt 'my card is 4111 1111 1111 1111'
  ai-mesh policy test policy.yaml --request sample.json --agent support-1
  ai-mesh policy test --prompt 'ignore previous instructions'     the policies in force
  ai-mesh policy test policies/ --coverage                         the Rego tests beside the policies (NAME_test.rego)
  ai-mesh policy test bundle.tar.gz                                the tests in an OPA bundle

With files, these policies alone decide, on this machine. Without, the control plane's policies do.
A sample: { \"method\": \"POST\", \"path\": \"/v1/chat/completions\", \"headers\": { }, \"body\": { } }")]
pub(crate) struct Test {
    /// Policies as YAML or JSON; `-` is standard input [default: the policies in force]
    #[arg(value_name = "FILE|DIR|-")]
    pub(crate) files: Vec<PathBuf>,
    /// Show which lines of the modules the Rego tests evaluate
    #[arg(long, conflicts_with_all = ["request", "prompt"])]
    pub(crate) coverage: bool,
    /// The sample request, as JSON: `path`, and as needed `method`, `headers`, `body`, `agent`, `source_ip`; `-` is standard input
    #[arg(long, value_name = "FILE|-", required_unless_present_any = ["prompt", "files"], conflicts_with = "prompt")]
    pub(crate) request: Option<PathBuf>,
    /// A prompt, sent as a chat completion
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// The model asked
    #[arg(long, default_value = "gpt-4o", requires = "prompt", value_name = "MODEL")]
    pub(crate) model: String,
    /// The agent that asks (header x-ai-mesh-agent)
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// The user it asks for (header x-ai-mesh-user)
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
}
