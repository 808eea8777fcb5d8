//! `cargo xtask bench --policies`: what a decision costs where a thousand rules and ten thousand agents are in force, beside one
//! rule and one agent: natively, in the compiled module in Envoy, and how soon a change is enforced there.

mod change;
mod figures;
mod native;
mod process;
mod report;
mod set;
mod sidecar;
mod xds;

use crate::options::Options;
use crate::{figures as machine, plane, server, upstream};
use set::Size;

/// Changes that are made in each mesh.
const CHANGES: usize = 100;

/// Measures large sets.
pub(crate) fn policies(options: &Options) -> Result<(), String> {
    eprintln!("bench: decisions natively");
    let (sets, decisions) = native::measure(options.rounds)?;
    eprintln!("bench: decisions in Envoy");
    let upstream = server::start("upstream", upstream::serve)?;
    let plane = server::start("control plane", plane::serve)?;
    let (envoy, deciding) = sidecar::measure(upstream, plane, options)?;
    let changes = if options.record.is_some() { CHANGES } else { 5 };
    let mut meshes = Vec::new();
    for size in [Size::SMALL, Size::LARGE] {
        eprintln!("bench: changes in a mesh of {size}");
        meshes.push(change::measure(size, changes)?);
    }
    let (time, machine, commit) = machine::of_run();
    let rounds = options.rounds;
    let figures =
        figures::Figures { time, machine, commit, rounds, sets, decisions, envoy, deciding, meshes };
    let page = report::policies(&figures);
    print!("{page}");
    match &options.record {
        Some(folder) => crate::report::save(folder, &figures.time, "-policies", &figures, &page),
        None => Ok(()),
    }
}

/// Measures a thousand clients of the xDS server.
pub(crate) fn xds(options: &Options) -> Result<(), String> {
    let figures = xds::measure(options)?;
    let page = report::xds(&figures);
    print!("{page}");
    match &options.record {
        Some(folder) => crate::report::save(folder, &figures.time, "-xds", &figures, &page),
        None => Ok(()),
    }
}
