//! What the verbs do.

mod agent;
mod decisions;
mod explain;
mod limits;
mod policy;
mod prices;
pub(crate) mod sidecars;
mod tools;
mod version;

use clap::CommandFactory;

use crate::{
    args::{Cli, Command},
    failure::{Failure, Outcome},
    http::Client,
    output::Output,
    up,
};

/// Carries out what the user typed.
pub(crate) fn run(cli: Cli) -> Outcome {
    let output = Output::new(cli.global.output);
    match cli.command {
        Command::Up(args) => up::up(&cli.global, args),
        Command::Serve(args) => up::serve(&cli.global, args),
        Command::Sidecar(args) => up::sidecar(&cli.global, args),
        Command::Policy(args) => policy::run(&cli.global, output, args.verb),
        Command::Agent(args) => agent::run(&Client::new(&cli.global)?, output, args.verb),
        Command::Tools(args) => tools::run(&Client::new(&cli.global)?, output, args.verb),
        Command::Decisions(args) => decisions::run(&Client::new(&cli.global)?, output, args.verb),
        Command::Explain { id } => explain::run(&Client::new(&cli.global)?, output, &id),
        Command::Limits(filter) => limits::run(&Client::new(&cli.global)?, output, &filter),
        Command::Prices(args) => prices::run(&Client::new(&cli.global)?, output, args.verb),
        Command::Sidecars => sidecars::run(&Client::new(&cli.global)?, output),
        Command::Version => version::run(&Client::new(&cli.global)?, output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ai-mesh", &mut script);
            printed(output.text(&String::from_utf8_lossy(&script)))
        }
    }
}

/// A reader that has gone away (`| head`) is no failure of ours.
fn printed(result: std::io::Result<()>) -> Outcome {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("can't print: {error}")))
        }
        _ => Ok(()),
    }
}
