//! `cargo xtask bench --core`: the instructions of one exchange in the engine, by crate, counted by callgrind. No Envoy, no
//! wasm, no clock: the same on a busy machine as on a quiet one.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, output, run};

/// Exchanges that are counted; what they cost less is the set-up.
const EXCHANGES: u64 = 2_000;

/// Bytes of the request bodies.
const BODIES: [u64; 2] = [1024, 16 * 1024];

/// Fails where callgrind cannot be run.
pub(super) fn needs_valgrind() -> Outcome {
    match Command::new("valgrind").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Failure::new("`valgrind` is not there; install it (apt install valgrind) and try again"))
        }
    }
}

pub(crate) fn count(place: &Place) -> Outcome {
    needs_valgrind()?;
    for bytes in BODIES {
        let (setup, exchanges) = (counted(place, bytes, 0)?, counted(place, bytes, EXCHANGES)?);
        let mut crates: Vec<(&String, u64)> = exchanges
            .iter()
            .map(|(name, count)| {
                (name, count.saturating_sub(setup.get(name).copied().unwrap_or(0)) / EXCHANGES)
            })
            .collect();
        crates.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let total: u64 = crates.iter().map(|(_, count)| count).sum();
        println!("\n{bytes} bytes, a request and its answer: {total} instructions");
        for (name, count) in crates.iter().take_while(|(_, count)| count * 100 > total) {
            println!("{:>8} {:>3} %  {name}", count, count * 100 / total.max(1));
        }
    }
    Ok(())
}

/// Instructions by crate in a run of so many exchanges.
fn counted(place: &Place, bytes: u64, exchanges: u64) -> Outcome<BTreeMap<String, u64>> {
    let file = place.target.join("ai-mesh/callgrind.out");
    let runner = format!("valgrind --quiet --tool=callgrind --callgrind-out-file={}", file.display());
    run(cargo()
        .current_dir(&place.root)
        .args(["--config", &format!("target.'cfg(all())'.runner = \"{runner}\"")])
        .args(["bench", "--quiet", "--package", "mesh-bench", "--bench", "exchange"])
        .env("EXCHANGES", exchanges.to_string())
        .env("BYTES", bytes.to_string())
        .stdout(std::process::Stdio::null()))?;
    let told = output(Command::new("callgrind_annotate").arg("--threshold=99.9").arg(&file))?;
    fs::remove_file(&file).doing(format_args!("remove {}", file.display()))?;
    let mut crates = BTreeMap::new();
    for (count, name) in told.lines().filter_map(entry) {
        *crates.entry(name.to_owned()).or_default() += count;
    }
    Ok(crates)
}

/// Count and crate of a line such as `1,234 ( 2.5%)  ???:mesh_wire::json::scan [program]`.
fn entry(line: &str) -> Option<(u64, &str)> {
    let (count, rest) = line.trim_start().split_once(' ')?;
    let count = count.replace(',', "").parse().ok()?;
    let (_, function) = rest.split_once(")  ")?;
    if function.contains("malloc.c:") || function.contains("__rdl_") {
        return Some((count, "memory (malloc and free)"));
    }
    let (_, function) = function.split_once(':')?;
    let function = function.trim_start_matches(['<', '&', '(']).trim_start_matches("dyn ");
    let name = function.split_once("::").map_or("libc and others", |(name, _)| name);
    let ours = ["core", "alloc", "std", "__rustc"];
    Some((count, if ours.contains(&name) { "the standard library" } else { name }))
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn a_line_tells_count_and_crate() {
        for (line, expected) in [
            (
                "143,112,938 (22.34%)  ???:mesh_detect::injection::Matcher::read [x]",
                Some((143_112_938, "mesh_detect")),
            ),
            (
                "  4,998 ( 0.78%)  ???:<regorus::value::Value as core::cmp::Ord>::cmp [x]",
                Some((4_998, "regorus")),
            ),
            ("19 ( 3.11%)  ./malloc/malloc.c:malloc [libc]", Some((19, "memory (malloc and free)"))),
            ("7 ( 1.00%)  ???:core::str::converts::from_utf8 [x]", Some((7, "the standard library"))),
            ("Events recorded:  Ir", None),
            ("640,588,765 (100.0%)  PROGRAM TOTALS", None),
        ] {
            assert_eq!(entry(line), expected, "{line}");
        }
    }
}
