//! How soon a change of one rule is enforced where so much else is in force.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::figures::MeshCost;
use super::process::{self, Process};
use super::set::Size;
use crate::bodies;
use crate::client::Client;
use crate::stats::percentile;

/// Longer, and something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a mesh with the set and makes changes one after the other, on an otherwise idle mesh.
pub(super) fn measure(size: Size, changes: usize) -> Result<MeshCost, String> {
    let mesh = process::with_documents("up", size)?;
    let (mut accepted, mut enforced) = (Vec::new(), Vec::new());
    change(&mesh, 0)?;
    let mut probe = Client::connect(mesh.sidecar, &bodies::saying("My SSN is 536-90-4399."))?;
    for number in 1..=changes {
        let began = Instant::now();
        change(&mesh, number)?;
        accepted.push(began.elapsed());
        let sign = mark(number);
        while !probe.observe()?.body.windows(sign.len()).any(|part| part == sign.as_bytes()) {
            if began.elapsed() > PATIENCE {
                return Err(format!("a change was not enforced within {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        enforced.push(began.elapsed());
    }
    accepted.sort_unstable();
    enforced.sort_unstable();
    let ms = |times: &[Duration], share| percentile(times, share).as_secs_f64() * 1e3;
    Ok(MeshCost {
        set: size.to_string(),
        ready_s: mesh.started.as_secs_f64(),
        control_plane_bytes: process::resident(mesh.id())?,
        envoy_bytes: mesh.envoy_resident()?,
        changes,
        accepted_p50_ms: ms(&accepted, 0.5),
        enforced_p50_ms: ms(&enforced, 0.5),
        enforced_p99_ms: ms(&enforced, 0.99),
    })
}

fn mark(number: usize) -> String {
    format!("<change-{number}>")
}

fn change(mesh: &Process, number: usize) -> Result<(), String> {
    mesh.put("/api/v1/policies/changing", &policy(number))
}

/// One rule for everybody; the mock provider says back by which version it was judged.
pub(super) fn policy(number: usize) -> Value {
    json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "changing" },
        "spec": { "rules": [{ "pii": { "types": ["ssn"], "replacement": mark(number) } }] },
    })
}
