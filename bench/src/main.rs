//! `cargo xtask bench`: what the mesh adds to a request, in one real Envoy with one worker.
//!
//! Listeners lead to the same upstream: without our filter, with an empty wasm filter, and with the full one; then with Envoy's
//! own rate limiter, and with ours. They are loaded in turn, in an order that rotates from round to round, so that whatever else the
//! machine does affects all of them alike. The upstream keeps connections alive: one that closes them (as Envoy's direct_response
//! does after a POST) makes the baseline slow and flatters every ratio. Before any load, each route is checked to do what it is
//! measured for.

mod bodies;
mod client;
mod envoy;
mod figures;
mod instructions;
mod load;
mod options;
mod plane;
mod report;
mod scale;
mod server;
mod stats;
mod streams;
mod upstream;

use std::process::ExitCode;

use options::{Options, Part};

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(sentence) => {
            eprintln!("bench: {sentence}");
            return ExitCode::from(2);
        }
    };
    let done = match options.part {
        Part::Requests => run(&options),
        Part::Policies => scale::policies(&options),
        Part::Xds => scale::xds(&options),
        Part::Instructions => instructions::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let upstream = server::start("upstream", upstream::serve)?;
    let plane = server::start("control plane", plane::serve)?;
    let envoy = envoy::Envoy::of_guards(upstream, plane)?;
    load::check(&envoy)?;
    let mut figures = figures::Figures::new(options);
    for case in load::GUARDS {
        eprintln!("bench: {}", case.name);
        figures.cases.push(load::measure(&envoy, case, options)?);
    }
    eprintln!("bench: streams");
    figures.stream = streams::measure(&envoy, options)?;
    drop(envoy);
    let envoy = envoy::Envoy::of_limits(upstream, plane)?;
    for case in load::LIMITS {
        eprintln!("bench: {}", case.name);
        figures.cases.push(load::measure(&envoy, case, options)?);
    }
    (figures.records, figures.limit_calls, figures.leases) = plane::counted();
    print!("{}", report::markdown(&figures));
    if let Some(folder) = &options.record {
        report::write(&figures, folder)?;
    }
    Ok(())
}
