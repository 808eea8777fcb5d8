//! What stands at the head of a crate: the lints that hold invariants 1 and 2.

use super::Report;
use super::tree::Tree;

/// Crates that do no IO, read no clock and hold no globals.
const PURE: [&str; 7] = ["policy", "rego", "wire", "detect", "limits", "engine", "audit"];

/// Crates on the request path: a panic there takes a worker's filter down.
const REQUEST_PATH: [&str; 6] = ["wire", "detect", "limits", "engine", "rego", "filter"];

const NO_PANIC: [&str; 4] =
    ["clippy::unwrap_used", "clippy::expect_used", "clippy::panic", "clippy::indexing_slicing"];

/// Checks the `#![deny(…)]` of these crates.
pub(super) fn check(tree: &Tree, report: &mut Report) {
    for room in PURE {
        want(tree, report, room, &["clippy::disallowed_methods"]);
    }
    for room in REQUEST_PATH {
        want(tree, report, room, &NO_PANIC);
    }
    for file in tree
        .rust()
        .filter(|file| REQUEST_PATH.iter().any(|room| file.path.starts_with(&format!("{room}/src/"))))
    {
        for (index, line) in file.text.lines().enumerate() {
            let exempts = line.contains("expect(clippy::") || line.contains("allow(clippy::");
            let whole_crate_in_tests = line.contains("cfg_attr(test");
            if exempts && !whole_crate_in_tests && NO_PANIC.iter().any(|lint| line.contains(lint)) {
                // rustfmt may put the reason on the following lines.
                let rest: String = file.text.lines().skip(index).take(4).collect();
                if !rest.contains("reason = \"") {
                    report.breach(
                        &file.path,
                        index + 1,
                        "an exception from the no-panic lints gives its `reason`",
                    );
                }
            }
        }
    }
}

fn want(tree: &Tree, report: &mut Report, room: &str, lints: &[&str]) {
    let path = format!("{room}/src/lib.rs");
    let Some(file) = tree.get(&path) else {
        report.breach(&path, 0, "the crate's head is missing");
        return;
    };
    let denied = denied(&file.text);
    for lint in lints {
        if !denied.iter().any(|found| found == lint) {
            report.breach(&path, 0, format_args!("the crate's head must say `#![deny({lint})]`"));
        }
    }
}

/// The lints named in `#![deny(…)]` and `#![forbid(…)]`.
fn denied(text: &str) -> Vec<String> {
    ["#![deny(", "#![forbid("]
        .iter()
        .flat_map(|opening| text.split(opening).skip(1))
        .filter_map(|rest| rest.split_once(")]"))
        .flat_map(|(list, _)| list.split(','))
        .map(|lint| lint.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_lints_are_read_from_one_or_several_attributes() {
        let text = "//! Doc.\n#![deny(a::b, c::d)]\n#![forbid(\n    e::f,\n    reason = \"r\"\n)]\n#![allow(g::h)]\n";
        let found = denied(text);
        for lint in ["a::b", "c::d", "e::f"] {
            assert!(found.iter().any(|f| f == lint), "{lint} in {found:?}");
        }
        assert!(!found.iter().any(|f| f == "g::h"));
    }
}
