//! The pure crates reach no library that does IO, not even through others.

use super::Report;
use crate::failure::Outcome;
use crate::place::Place;
use crate::run::{cargo, output};

/// Crates that do no IO, read no clock and hold no globals.
const PURE: [&str; 7] =
    ["mesh-policy", "mesh-rego", "mesh-wire", "mesh-detect", "mesh-limits", "mesh-engine", "mesh-audit"];

/// Libraries for sockets, files, processes, event loops, databases and TLS.
const IO: [&str; 26] = [
    "async-std",
    "axum",
    "h2",
    "hyper",
    "hyper-util",
    "memmap2",
    "mio",
    "native-tls",
    "nix",
    "notify",
    "openssl",
    "quinn",
    "redis",
    "reqwest",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "sqlx-core",
    "tempfile",
    "tokio",
    "tonic",
    "ureq",
    "walkdir",
    "wasmtime",
];

/// Checks `cargo tree` of each pure crate, as it is built alone.
pub(super) fn check(place: &Place, report: &mut Report) -> Outcome {
    for room in PURE {
        let tree = output(cargo().current_dir(&place.root).args([
            "tree",
            "--quiet",
            "--package",
            room,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?;
        let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| IO.contains(name)) {
            let folder = room.trim_start_matches("mesh-");
            report.breach(
                &format!("{folder}/Cargo.toml"),
                0,
                format_args!("`{room}` is pure, but reaches `{name}`, which does IO (see `cargo tree -p {room} -i {name}`)"),
            );
        }
    }
    Ok(())
}
