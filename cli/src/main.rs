//! `ai-mesh`: starts the mesh, changes its policies, shows its decisions. See ARCHITECTURE.md.

mod args;
mod bundle;
mod changes;
mod commands;
mod documents;
mod failure;
mod http;
mod output;
mod up;

use std::process::ExitCode;

use crate::output::{BAD, say, styled};

fn main() -> ExitCode {
    let cli = args::parse();
    output::choose_color(cli.global.color);
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                say(format_args!("{}: {failure}", styled(BAD, "error")));
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}
