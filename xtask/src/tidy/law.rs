//! Who may name whom, and which external library lives in which room.

use serde_json::Value;

use super::Report;
use crate::failure::{Doing, Outcome};
use crate::place::Place;
use crate::run::{cargo, output};

/// A room and the rooms it may name (ARCHITECTURE.md, "Who may name whom"). `*`: everything.
const ROOMS: [(&str, &[&str]); 26] = [
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
        &[
            "mesh-engine",
            "mesh-policy",
            "mesh-wire",
            "mesh-detect",
            "mesh-limits",
            "mesh-audit",
            "mesh-filter-memory",
        ],
    ),
    ("mesh-xds", &["mesh-policy"]),
    ("mesh-control-core", &["mesh-policy", "mesh-engine", "mesh-audit", "mesh-limits"]),
    ("mesh-control-store", &["mesh-control-core", "mesh-policy", "mesh-engine", "mesh-audit", "mesh-limits"]),
    ("mesh-control-api", &["mesh-control-core", "mesh-policy", "mesh-engine", "mesh-audit", "mesh-limits"]),
    (
        "mesh-control-plane",
        &[
            "mesh-control-core",
            "mesh-control-store",
            "mesh-control-api",
            "mesh-xds",
            "mesh-policy",
            "mesh-engine",
            "mesh-detect",
            "mesh-audit",
        ],
    ),
    (
        "mesh-cli",
        &[
            "mesh-policy",
            "mesh-rego",
            "mesh-engine",
            "mesh-detect",
            "mesh-audit",
            "mesh-xds",
            "mesh-control-plane",
            "mesh-mock-provider",
        ],
    ),
    ("mesh-mock-provider", &[]),
    ("mesh-tests", &["*"]),
    ("mesh-oracles", &["*"]),
    ("mesh-ports", &[]),
    ("mesh-bench", &["*"]),
    ("mesh-bench-empty-filter", &[]),
    ("mesh-bench-engine", &["*"]),
    ("xtask", &["mesh-ports"]),
    ("xtask-gen", &[]),
];

/// An external library and the rooms that may name it.
const LIBRARIES: [(&str, &[&str]); 11] = [
    ("regorus", &["mesh-rego"]),
    ("proxy-wasm", &["mesh-filter", "mesh-bench-empty-filter"]),
    // The rate limit service is a gRPC service other than xDS: it stands in `api`, with Envoy's own messages.
    ("envoy-types", &["mesh-xds", "mesh-control-api", "mesh-bench"]),
    ("sqlx", &["mesh-control-store"]),
    ("redis", &["mesh-control-store"]),
    ("kube", &["mesh-control-k8s"]),
    // The main crate serves the router that `api` builds.
    ("axum", &["mesh-control-api", "mesh-control-plane"]),
    ("async-graphql", &["mesh-control-api"]),
    ("clap", &["mesh-cli", "mesh-control-plane", "mesh-bench"]),
    ("pnet", &["mesh-sniffer"]),
    ("getrandom", &["mesh-filter"]),
];

/// Checks the declared dependencies of every crate of the workspace.
pub(super) fn check(place: &Place, report: &mut Report) -> Outcome {
    let text =
        output(cargo().current_dir(&place.root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).doing("read what `cargo metadata` says")?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        check_crate(package, &place.root.to_string_lossy(), report);
    }
    Ok(())
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
            ("mesh-newcomer", json!([]), 1),
        ];
        for (name, dependencies, expected) in cases {
            let found = breaches(name, dependencies.clone());
            assert_eq!(found.len(), expected, "{name} {dependencies}: {found:?}");
        }
    }
}
