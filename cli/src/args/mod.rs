//! What a user may type: flags, environment and help. The programs behind the verbs are in `commands` and `up`.

pub(crate) mod agent;
pub(crate) mod decisions;
pub(crate) mod policy;
pub(crate) mod prices;
pub(crate) mod rollout;
pub(crate) mod tools;
pub(crate) mod up;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Where the control plane answers unless told otherwise.
pub(crate) const API_URL: &str = "http://127.0.0.1:8090";

/// Guards the traffic of AI agents: personal data, injections, limits, access and your own rules.
#[derive(Debug, Parser)]
#[command(name = "ai-mesh", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ai-mesh up                                   start everything; agents send to 127.0.0.1:10000
  ai-mesh policy apply -f policy.yaml          change what is enforced, from the next request on
  ai-mesh policy test policy.yaml --prompt 'my card is 4111 1111 1111 1111'
  ai-mesh decisions tail                       see every decision as it is made

Flags of `up`, `serve` and `sidecar`, and the global ones, can also be set in the environment as AI_MESH_<FLAG> \
(--api-url is AI_MESH_API_URL); flags win.
Exit codes: 0 done, 1 it failed, 2 wrong use or environment, 3 a policy is invalid or was refused.";

/// Flags of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The control plane's REST interface
    #[arg(long, global = true, env = "AI_MESH_API_URL", default_value = API_URL, value_name = "URL", hide_env = true)]
    pub(crate) api_url: String,
    /// The administrator's token (default: what admin-token in the data directory holds)
    #[arg(
        long,
        global = true,
        env = "AI_MESH_TOKEN",
        value_name = "TOKEN",
        hide_env = true,
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// The data directory: database, tokens, Envoy's bootstrap and log
    #[arg(
        long,
        global = true,
        env = "AI_MESH_DATA",
        default_value = ".ai-mesh",
        value_name = "DIR",
        hide_env = true
    )]
    pub(crate) data: PathBuf,
    /// How results are printed
    #[arg(
        short,
        long,
        global = true,
        env = "AI_MESH_OUTPUT",
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_env = true
    )]
    pub(crate) output: Format,
    /// When to use colours
    #[arg(
        long,
        global = true,
        env = "AI_MESH_COLOR",
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_env = true
    )]
    pub(crate) color: Color,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Parses the command line. If it is wrong, the usage is printed without the flags that the environment sets.
pub(crate) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let again = typed_alone(Cli::command()).try_get_matches().err();
        again.filter(|again| again.kind() == error.kind()).unwrap_or(error).exit()
    })
}

/// The command, without flags that the environment sets.
fn typed_alone(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.env(None)).mut_subcommands(typed_alone)
}

/// A time for the control plane, which reads RFC 3339: an age is counted back from now, anything else is passed on as typed.
fn moment(text: &str) -> Result<String, String> {
    let Ok(ago) = up::time(text) else {
        let expected = "expected a time such as 2026-11-24T09:00:00Z, or an age: 90d, 12h, 30m or 10s";
        return text.parse::<jiff::Timestamp>().map(|_| text.to_owned()).map_err(|_| expected.to_owned());
    };
    let then = jiff::Timestamp::now().checked_sub(ago);
    then.map(|then| then.to_string()).map_err(|_| format!("{text} ago there was no time"))
}

/// Which limits.
#[derive(Args, Clone, Debug)]
pub(crate) struct LimitsFilter {
    /// Only limits of this policy
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Only limits of this key, such as agent:support-1 or user:ada
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine: control plane, Envoy with the filter, mock provider
    Up(up::Up),
    /// Start the control plane alone
    Serve(up::Serve),
    /// Start an Envoy that is attached to a running control plane
    Sidecar(up::Sidecar),
    /// Read, change, check and try policies
    Policy(policy::Policy),
    /// Read and change the registry of agents
    Agent(agent::Agent),
    /// See the tools that servers offer, and decide on their definitions
    Tools(tools::Tools),
    /// See what was decided
    Decisions(decisions::Decisions),
    /// Explain a decision: why it was made, and what would have changed it
    #[command(
        after_help = "Examples:\n  ai-mesh explain 5f0c6e1b2a3d4c5e-17\n  ai-mesh explain 5f0c6e1b2a3d4c5e-17 -o json | jq '.reasons[].would_pass_if'\n\nThe id is the x-ai-mesh-decision-id header of the response. Nothing of the content is shown: it was not kept."
    )]
    Explain {
        /// The decision's id
        id: String,
    },
    /// Show how much of each limit and budget is used, and what is left
    #[command(
        after_help = "Examples:\n  ai-mesh limits\n  ai-mesh limits --policy budgets --key user:ada -o json"
    )]
    Limits(LimitsFilter),
    /// Read and change what models cost
    Prices(prices::Prices),
    /// List the connected sidecars and the policies they run
    #[command(
        after_help = "Examples:\n  ai-mesh sidecars\n  ai-mesh sidecars -o json | jq '.[].policy_version'"
    )]
    Sidecars,
    /// Show the version of this program, and of the control plane if it answers
    Version,
    /// Print the completions of a shell
    #[command(
        after_help = "Examples:\n  ai-mesh completions bash > /etc/bash_completion.d/ai-mesh\n  ai-mesh completions zsh > \"${fpath[1]}/_ai-mesh\""
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_how_long_ago_they_were() {
        let ago = |text: &str| {
            let then: jiff::Timestamp = moment(text).unwrap().parse().unwrap();
            jiff::Timestamp::now().duration_since(then).as_secs()
        };
        for (text, seconds) in [("1h", 3600), ("90d", 90 * 86_400), ("10s", 10)] {
            assert!((seconds..seconds + 60).contains(&ago(text)), "{text}");
        }
        assert_eq!(moment("2026-11-24T08:00:00Z").unwrap(), "2026-11-24T08:00:00Z");
        for typed in ["yesterday", "1x", "99999999999d", "2026-11-24", ""] {
            assert!(moment(typed).unwrap_err().contains("or an age: 90d"), "{typed}");
        }
    }
}
