//! Who may name whom, and which external library lives in which room.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Report;
use crate::failure::{Doing, Outcome};
use crate::place::Place;
use crate::run::{cargo, output};

/// A room and the rooms it may name (ARCHITECTURE.md, "Who may name whom"). `*`: everything.
const ROOMS: [(&str, &[&str]); 25] = [
    ("mesh-policy", &[]),
    ("mesh-wire", &[]),
    ("mesh-detect", &[]),
    ("mesh-detect-train", &["mesh-detect"]),
    ("mesh-audit", &[]),
    ("mesh-limits", &[]),
    ("mesh-rego", &["mesh-policy"]),
    ("chrono-tz", &[]),
    ("mesh-engine", &["mesh-policy", "mesh-rego", "mesh-wire", "mesh-detect", "mesh-limits"]),
    ("mesh-filter-memory", &[]),
    (
        "mesh-filter",
        &["mesh-engine", "mesh-policy", "mesh-detect", "mesh-limits", "mesh-audit", "mesh-filter-memory"],
    ),
    ("mesh-xds", &[]),
    ("mesh-control-core", &["mesh-policy", "mesh-engine", "mesh-audit", "mesh-limits"]),
    ("mesh-control-store", &["mesh-control-core", "mesh-policy", "mesh-audit"]),
    ("mesh-control-api", &["mesh-control-core", "mesh-policy", "mesh-audit"]),
    (
        "mesh-control-plane",
        &[
            "mesh-control-core",
            "mesh-control-store",
            "mesh-control-api",
            "mesh-xds",
            "mesh-policy",
            "mesh-audit",
        ],
    ),
    (
        "mesh-cli",
        &["mesh-policy", "mesh-rego", "mesh-engine", "mesh-xds", "mesh-control-plane", "mesh-mock-provider"],
    ),
    ("mesh-mock-provider", &[]),
    ("mesh-tests", &["*"]),
    ("mesh-oracles", &["*"]),
    ("mesh-ports", &[]),
    ("mesh-bench", &["*"]),
    ("mesh-bench-empty-filter", &[]),
    ("xtask", &["mesh-ports"]),
    ("xtask-gen", &[]),
];

/// An external library and the rooms that may name it.
const LIBRARIES: [(&str, &[&str]); 8] = [
    ("regorus", &["mesh-rego"]),
    ("proxy-wasm", &["mesh-filter", "mesh-bench-empty-filter"]),
    // The rate limit service is a gRPC service other than xDS: it stands in `api`, with Envoy's own messages.
    ("envoy-types", &["mesh-xds", "mesh-control-api", "mesh-bench"]),
    ("sqlx", &["mesh-control-store"]),
    ("redis", &["mesh-control-store"]),
    // The main crate serves the router that `api` builds.
    ("axum", &["mesh-control-api", "mesh-control-plane"]),
    ("clap", &["mesh-cli"]),
    ("getrandom", &["mesh-filter"]),
];

/// Checks the declared dependencies of every crate of the workspace.
pub(super) fn check(place: &Place, report: &mut Report) -> Outcome {
    let text =
        output(cargo().current_dir(&place.root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).doing("read what `cargo metadata` says")?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    for package in packages {
        check_crate(package, &place.root.to_string_lossy(), report);
    }
    check_rows(packages, report);
    Ok(())
}

/// A row that allows what no crate uses is untrue, and would let a new use in unseen.
fn check_rows(packages: &[Value], report: &mut Report) {
    let name = |value: &'_ Value| value["name"].as_str().unwrap_or_default().to_owned();
    let named: BTreeMap<String, BTreeSet<String>> = packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            (name(package), dependencies.map(name).collect())
        })
        .collect();
    let mut stale = |what: std::fmt::Arguments<'_>| {
        report.breach("xtask/src/tidy/law.rs", 0, format_args!("{what}: take it out of the table"));
    };
    for (room, allowed) in ROOMS {
        let Some(named) = named.get(room) else {
            stale(format_args!("`{room}` is no crate of the workspace"));
            continue;
        };
        for other in allowed.iter().filter(|other| **other != "*" && !named.contains(**other)) {
            stale(format_args!("`{room}` does not name `{other}`"));
        }
    }
    for (library, rooms) in LIBRARIES {
        let names = |room: &str| named.get(room).is_some_and(|named| named.contains(library));
        for room in rooms.iter().filter(|room| !names(room)) {
            stale(format_args!("`{room}` does not name `{library}`"));
        }
    }
}

fn check_crate(package: &Value, root: &str, report: &mut Report) {
    let name = package["name"].as_str().unwrap_or_default();
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let file = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == name) else {
        report.breach(
            file,
            0,
            format_args!("the crate `{name}` is not in the table of xtask/src/tidy/law.rs: add it"),
        );
        return;
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let named = dependency["name"].as_str().unwrap_or_default();
        // A path marks a crate of ours. Tests beside the code may use any library, the mock provider, and a free port.
        let ours = dependency["path"].is_string();
        let for_tests = dependency["kind"] == "dev";
        if ours
            && !may_name(allowed, named)
            && !(for_tests && ["mesh-mock-provider", "mesh-ports"].contains(&named))
        {
            report.breach(
                file,
                0,
                format_args!("`{name}` may not name `{named}` (ARCHITECTURE.md, who may name whom)"),
            );
        }
        let home = LIBRARIES.iter().find(|(library, _)| *library == named);
        if let Some((_, rooms)) = home
            && !for_tests
            && !rooms.contains(&name)
        {
            let rooms = rooms.join(", ");
            report.breach(file, 0, format_args!("`{named}` lives in {rooms}; `{name}` may not name it"));
        }
    }
}

fn may_name(allowed: &[&str], named: &str) -> bool {
    allowed.contains(&"*") || allowed.contains(&named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn breaches(name: &str, dependencies: Value) -> Vec<String> {
        let mut report = Report::default();
        let package =
            json!({ "name": name, "manifest_path": "/clone/x/Cargo.toml", "dependencies": dependencies });
        check_crate(&package, "/clone", &mut report);
        report.breaches
    }

    #[test]
    fn a_crate_names_only_what_its_row_allows() {
        let ours = |name: &str, kind: Value| json!([{ "name": name, "path": "/clone/y", "kind": kind }]);
        let theirs = |name: &str, kind: Value| json!([{ "name": name, "path": null, "kind": kind }]);
        let cases = [
            ("mesh-engine", ours("mesh-wire", Value::Null), 0),
            ("mesh-wire", ours("mesh-engine", Value::Null), 1),
            ("mesh-control-core", ours("mesh-mock-provider", json!("dev")), 0),
            ("mesh-control-core", ours("mesh-mock-provider", Value::Null), 1),
            ("mesh-engine", ours("mesh-tests", json!("dev")), 1),
            ("mesh-rego", theirs("regorus", Value::Null), 0),
            ("mesh-engine", theirs("regorus", Value::Null), 1),
            ("mesh-tests", ours("mesh-xds", Value::Null), 0),
            ("mesh-xds", ours("mesh-policy", Value::Null), 1),
            ("mesh-newcomer", json!([]), 1),
        ];
        for (name, dependencies, expected) in cases {
            let found = breaches(name, dependencies.clone());
            assert_eq!(found.len(), expected, "{name} {dependencies}: {found:?}");
        }
    }
    #[test]
    fn a_row_that_nobody_needs_is_a_breach() {
        let named = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
        let rego =
            |dependencies: &[&str]| json!({ "name": "mesh-rego", "dependencies": named(dependencies) });
        // Of one crate: what it names, and what is said of its rows.
        let cases: [(&[Value], &[&str]); 4] = [
            (&[rego(&["mesh-policy", "regorus", "serde"])], &[]),
            (&[rego(&["regorus"])], &["`mesh-rego` does not name `mesh-policy`"]),
            (&[rego(&["mesh-policy"])], &["`mesh-rego` does not name `regorus`"]),
            (&[], &["`mesh-rego` is no crate of the workspace", "`mesh-rego` does not name `regorus`"]),
        ];
        for (packages, expected) in cases {
            let mut report = Report::default();
            check_rows(packages, &mut report);
            let found: Vec<_> = report.breaches.iter().filter(|said| said.contains("`mesh-rego` ")).collect();
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(expected.iter().all(|said| found.iter().any(|line| line.contains(said))), "{found:?}");
        }
    }
}
