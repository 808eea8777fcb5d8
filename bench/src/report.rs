//! The record of a run: JSON for programs, a table for people.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::figures::{Case, Figures, Stream};

/// Writes `<date>.json` and `<date>.md` into the folder.
pub(crate) fn write(figures: &Figures, folder: &Path) -> Result<(), String> {
    save(folder, &figures.time, "", figures, &markdown(figures))
}

/// Writes `<date><part>.json` and `<date><part>.md` into the folder.
pub(crate) fn save(
    folder: &Path,
    time: &str,
    part: &str,
    figures: &impl Serialize,
    page: &str,
) -> Result<(), String> {
    let date = time.get(..10).unwrap_or(time);
    let save = |extension: &str, text: &str| {
        let path = folder.join(format!("{date}{part}.{extension}"));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    let json = serde_json::to_string_pretty(figures).map_err(|error| error.to_string())?;
    save("json", &(json + "\n"))?;
    save("md", page)
}

/// The run as a page.
pub(crate) fn markdown(figures: &Figures) -> String {
    let mut page = format!(
        "# Bench of {}\n\nCommit {}, {}. One Envoy with one worker; client, upstream and Envoy share the cores. {} rounds of \
         {} s a route, in rotating order; medians over the rounds. `added` is against the plain route in the same round; \
         CPU is the Envoy process's time for each request. No two requests say the same; of a conversation only the last 1,000 bytes are new. The filter's module has {:.1} MB; {} decision records arrived. Of {} calls about limits {} brought a lease: on the \
         route `leased` the first calls and one for every two seconds, on `asked` one for every request. \
         Made by `cargo xtask bench`.\n",
        figures.time,
        figures.commit,
        figures.machine,
        figures.rounds,
        figures.seconds,
        figures.filter_bytes as f64 / 1e6,
        figures.records,
        figures.limit_calls,
        figures.leases,
    );
    for case in &figures.cases {
        let title = format!("{} (chat completion, body {} bytes)", case.name, case.body_bytes);
        page.push_str(&case_table(case, &title));
    }
    page.push_str(&stream_table(&figures.stream));
    page
}

/// The routes of a case.
pub(crate) fn case_table(case: &Case, title: &str) -> String {
    let mut table = format!(
        "\n## {title}\n\n| route | p50 µs | p99 µs | requests/s | CPU µs | added p50 µs | \
         added p99 µs | added CPU µs | throughput kept |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for route in &case.routes {
        // Writing to a String does not fail.
        let _ = writeln!(
            table,
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} % |",
            route.name,
            route.p50_us,
            route.p99_us,
            route.per_second,
            route.cpu_us,
            route.added_p50_us,
            route.added_p99_us,
            route.added_cpu_us,
            route.throughput_kept * 100.0,
        );
    }
    table
}

fn stream_table(stream: &Stream) -> String {
    let mut table = format!(
        "\n## Stream ({} events, one every {} ms, 1 connection)\n\n| route | streams | first event p50 µs | p99 µs | gap p50 µs | \
         gap p99 µs | added to first p50 µs | added to gap p50 µs | added to gap p99 µs |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        stream.chunks, stream.pace_ms
    );
    for route in &stream.routes {
        let _ = writeln!(
            table,
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            route.name,
            route.streams,
            route.first_p50_us,
            route.first_p99_us,
            route.gap_p50_us,
            route.gap_p99_us,
            route.added_first_p50_us,
            route.added_gap_p50_us,
            route.added_gap_p99_us,
        );
    }
    table
}
