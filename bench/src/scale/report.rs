//! The figures as pages.

use std::fmt::Write;

use super::figures::{Deciding, Decisions, Figures, MeshCost, SetCost};
use super::xds::Figures as XdsFigures;

/// What large sets cost.
pub(super) fn policies(figures: &Figures) -> String {
    let mut page = format!(
        "# Large sets of policies, {}\n\nCommit {}, {}; {} rounds, medians. `1,000 × 10,000` is a thousand policies of one rule each \
         (models, tools and access in turn; of ten, eight name ten agents, one has a pattern, one asks for a tier and a label) and ten \
         thousand registered agents, which ask in turn; `1 × 1` is the baseline in the same run. Made by \
         `cargo xtask bench --policies`.\n",
        figures.time, figures.commit, figures.machine, figures.rounds
    );
    page.push_str(&native_table(&figures.decisions));
    page.push_str(&set_table(&figures.sets));
    page.push_str(
        "\nOne Envoy with one worker, the compiled module; client, upstream and Envoy share the cores. `added` is against the route without \
         a filter in the same round; CPU is Envoy's for each request.\n",
    );
    for case in &figures.envoy {
        page.push_str(&crate::report::case_table(case, &format!("In Envoy, {}", case.name)));
    }
    page.push_str(&module_table(&figures.deciding));
    page.push_str(&mesh_table(&figures.meshes));
    page
}

// Writing to a String does not fail, so what `writeln!` returns is dropped.

fn native_table(decisions: &[Decisions]) -> String {
    let mut table =
        "\n## Natively, one thread\n\n| set | decision | p50 µs | p99 µs | worst µs | decisions/s |\n|---|---|---:|---:|---:|---:|\n"
            .to_owned();
    for row in decisions {
        let _ = writeln!(
            table,
            "| {} | {} | {:.2} | {:.2} | {:.1} | {:.0} |",
            row.set, row.case, row.p50_us, row.p99_us, row.worst_us, row.per_second
        );
    }
    table
}

fn set_table(sets: &[SetCost]) -> String {
    let mut table =
        "\n## The set natively\n\n| set | bundle KB | read ms | compile ms | program MB |\n|---|---:|---:|---:|---:|\n".to_owned();
    for set in sets {
        let _ = writeln!(
            table,
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} |",
            set.set,
            set.bundle_bytes as f64 / 1e3,
            set.read_ms,
            set.compile_ms,
            set.program_bytes as f64 / 1e6
        );
    }
    table
}

fn module_table(deciding: &[Deciding]) -> String {
    let mut table =
        "\n## The module's decisions by its own clock, as records tell (chats of 1 KB and their answers; without finding the agent's policies)\n\n\
         | set | decisions | p50 µs | p99 µs | p99.9 µs |\n|---|---:|---:|---:|---:|\n"
            .to_owned();
    for row in deciding {
        let _ = writeln!(
            table,
            "| {} | {} | {:.0} | {:.0} | {:.0} |",
            row.set, row.decisions, row.p50_us, row.p99_us, row.p999_us
        );
    }
    table
}

fn mesh_table(meshes: &[MeshCost]) -> String {
    let mut table =
        "\n## A mesh: control plane and one Envoy, idle but for one probe\n\nReady: from the start, with all documents in files, until Envoy \
         has accepted them. Changes of one rule, one after the other: accepted, and enforced on a request.\n\n\
         | set | ready s | control plane MB | Envoy MB | changes | accepted p50 ms | enforced p50 ms | enforced p99 ms |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for mesh in meshes {
        let _ = writeln!(
            table,
            "| {} | {:.1} | {:.0} | {:.0} | {} | {:.1} | {:.1} | {:.1} |",
            mesh.set,
            mesh.ready_s,
            mesh.control_plane_bytes as f64 / 1e6,
            mesh.envoy_bytes as f64 / 1e6,
            mesh.changes,
            mesh.accepted_p50_ms,
            mesh.enforced_p50_ms,
            mesh.enforced_p99_ms
        );
    }
    table
}

/// What many xDS clients cost.
pub(super) fn xds(figures: &XdsFigures) -> String {
    let mut page = format!(
        "# xDS clients, {}\n\nCommit {}, {}. Delta clients over gRPC on loopback, each with a connection of its own, subscribed to clusters, \
         listeners and the filter's policies; they share the cores with the control plane. {} changes of one policy, one after the other; \
         medians over the changes, from sending a change until so many clients had it and had acknowledged it. Made by \
         `cargo xtask bench --xds`.\n\n\
         | clients | policies × agents | accepted ms | half have it ms | 99 % ms | all ms | all, worst change ms | mean by its metric ms | bytes a client and change | bytes at \
         connecting | control plane MB | its CPU a change ms |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        figures.time, figures.commit, figures.machine, figures.changes
    );
    for row in &figures.rows {
        let _ = writeln!(
            page,
            "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} | {:.1} |",
            row.clients,
            row.set,
            row.accepted_ms,
            row.acked_p50_ms,
            row.acked_p99_ms,
            row.acked_all_ms,
            row.worst_ms,
            row.counted_mean_ms,
            row.change_bytes,
            row.first_bytes,
            row.control_plane_bytes as f64 / 1e6,
            row.change_cpu_ms
        );
    }
    page
}
