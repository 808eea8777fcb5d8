//! `--instructions`: what one exchange takes in the whole of Envoy, counted by callgrind: how much of it is the filter's compiled
//! module, how much Envoy's own code, called by it or made to work beside it. Counts are the same on a busy machine.
//!
//! Callgrind sees neither the kernel nor caches; what V8 has compiled is not in any file, by which it is told apart. Envoy's own
//! allocator is not either: what the route without a filter shows there is that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bodies;
use crate::client::Client;
use crate::envoy::Envoy;
use crate::{plane, server, upstream};

/// Exchanges until V8 has optimised what they run; not counted.
const WARM_UP: usize = 1_500;
/// Exchanges that are counted.
const COUNTED: usize = 200;
/// Bytes of the request bodies.
const BODIES: [usize; 2] = [1024, 16 * 1024];

/// Instructions by the file that they are in.
type Counts = BTreeMap<String, u64>;

/// Counts every route, those of guards and those of limits, and prints what each takes.
pub(crate) fn run() -> Result<(), String> {
    let upstream = server::start("upstream", upstream::serve)?;
    let plane = server::start("control plane", plane::serve)?;
    for (guarding, bodies) in [(true, &BODIES[..]), (false, &BODIES[..1])] {
        eprintln!("bench: starting Envoy under callgrind, which takes a minute");
        let envoy = Envoy::counted(guarding, upstream, plane)?;
        for bytes in bodies {
            let what = if guarding { "guards" } else { "limits" };
            println!("\n{what}, {bytes} bytes: a request and its answer, in thousands of instructions\n");
            println!("| route | all | compiled module | Envoy | libc and others |");
            println!("|---|---:|---:|---:|---:|");
            for (index, name) in envoy.names().iter().enumerate() {
                let counts = count(&envoy, index, *bytes)?;
                let sum = |wanted: fn(&str) -> bool| -> f64 {
                    let counts = counts.iter().filter(|(file, _)| wanted(file)).map(|(_, count)| *count);
                    counts.sum::<u64>() as f64 / COUNTED as f64 / 1000.0
                };
                let (all, module) = (sum(|_| true), sum(is_compiled));
                let own = sum(|file| file.ends_with("/envoy"));
                println!("| {name} | {all:.0} | {module:.0} | {own:.0} | {:.0} |", all - module - own);
            }
        }
    }
    Ok(())
}

/// What the exchanges of one route take together.
fn count(envoy: &Envoy, route: usize, bytes: usize) -> Result<Counts, String> {
    let mut client = Client::connect(envoy.route(route), &bodies::chat(bytes, false))?;
    let mut exchange = |times: usize| (0..times).try_for_each(|_| client.exchange().map(|_| ()));
    exchange(WARM_UP)?;
    control(envoy, &["--instr=on"])?;
    exchange(COUNTED / 10)?;
    control(envoy, &["--zero"])?;
    exchange(COUNTED)?;
    control(envoy, &["--dump"])?;
    control(envoy, &["--instr=off"])?;
    read(envoy.folder())
}

fn is_compiled(file: &str) -> bool {
    file.is_empty() || file == "???"
}

/// Tells callgrind in the Envoy under test to do something.
fn control(envoy: &Envoy, flags: &[&str]) -> Result<(), String> {
    let done = Command::new("callgrind_control")
        .args(flags)
        .arg(envoy.process().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run callgrind_control, a part of valgrind: {error}"))?;
    if done.success() { Ok(()) } else { Err(format!("callgrind_control {flags:?} failed: {done}")) }
}

/// Reads the newest dump in the folder, and removes it.
fn read(folder: &Path) -> Result<Counts, String> {
    let failed =
        |error: std::io::Error| format!("cannot read callgrind's counts in {}: {error}", folder.display());
    let mut dumps: Vec<_> = fs::read_dir(folder)
        .map_err(failed)?
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("callgrind.out."))
        })
        .collect();
    dumps.sort();
    let newest = dumps.pop().ok_or_else(|| "callgrind has written no counts".to_owned())?;
    let text = fs::read_to_string(&newest).map_err(failed)?;
    fs::remove_file(&newest).map_err(failed)?;
    Ok(counts(&text))
}

/// What stands in callgrind's file: lines of costs below the object (`ob=`) that they belong to; names are given a number once.
/// The cost of a call is that of the callee, and counts there.
fn counts(text: &str) -> Counts {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut counts = Counts::new();
    let (mut object, mut called) = ("", false);
    for line in text.lines() {
        if let Some((key, value)) = line.split_once('=') {
            called = key == "calls";
            if matches!(key, "ob" | "cob") {
                let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                if !name.is_empty() {
                    names.insert(number, name);
                }
                if key == "ob" {
                    object = names.get(number).copied().unwrap_or_default();
                }
            }
        } else if line.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '*')) {
            let cost = line.split_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok());
            if !std::mem::take(&mut called) {
                *counts.entry(object.to_owned()).or_default() += cost.unwrap_or_default();
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn costs_belong_to_their_object_and_those_of_calls_to_the_callee() {
        let text = "version: 1\nevents: Ir\n\nob=(1) /usr/bin/envoy\nfl=(1) ???\nfn=(1) main\n0 10\n\
            cob=(2) ???\ncfn=(2) 0x1\ncalls=3 0\n0 500\n+1 7\n\nob=(2)\nfn=(2)\n0 500\n\nob=(1)\nfn=(3) more\n* 1\n";
        let counts = counts(text);
        assert_eq!(counts.get("/usr/bin/envoy"), Some(&18));
        assert_eq!(counts.get("???"), Some(&500));
    }
}
