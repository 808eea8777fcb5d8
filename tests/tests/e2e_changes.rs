//! Policy changes under load: every one is enforced, none loses a request, and none takes long.
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mesh_tests::{Mesh, Request, chat, exchange};
use serde_json::json;

const CHANGES: usize = 1_000;

/// Each change sets another replacement; it is in force when a request is redacted with it.
fn policy(change: usize) -> serde_json::Value {
    json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "changing"},
        "spec": {"rules": [{"pii": {"types": ["ssn"], "replacement": format!("<change-{change}>")}}]}
    })
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_changes_under_load_lose_nothing() {
    let mesh = Mesh::up("", &["--concurrency", "1"]);
    let running = AtomicBool::new(true);
    let (sent, failed, leaked) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let mut times = Vec::with_capacity(CHANGES);
    assert!(mesh.api("PUT", "/api/v1/policies/changing", Some(&policy(0))).status < 300);
    std::thread::sleep(Duration::from_secs(1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let request = Request::post("/v1/chat/completions", &chat("my SSN is 536-90-4399"));
            while running.load(Ordering::Relaxed) {
                let answer = exchange(mesh.sidecar, &request);
                sent.fetch_add(1, Ordering::Relaxed);
                failed.fetch_add(u64::from(answer.status != 200), Ordering::Relaxed);
                leaked.fetch_add(u64::from(answer.text().contains("536-90")), Ordering::Relaxed);
            }
        });
        // Also when an assertion fails: else the load would go on, and nobody be told.
        let _stop = Stop(&running);
        let probe = Request::post("/v1/chat/completions", &chat("probe 536-90-4399"));
        for change in 1..=CHANGES {
            let started = Instant::now();
            let answer = mesh.api("PUT", "/api/v1/policies/changing", Some(&policy(change)));
            assert!(answer.status < 300, "change {change}: {} {}", answer.status, answer.text());
            let want = format!("<change-{change}>");
            loop {
                let seen = exchange(mesh.sidecar, &probe).text();
                if seen.contains(&want) {
                    break;
                }
                assert!(
                    started.elapsed() < Duration::from_secs(10),
                    "change {change} was never enforced: {seen}"
                );
            }
            times.push(started.elapsed());
        }
    });
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    // Straight to standard error: a figure to read, also when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "{CHANGES} changes, accept to first enforced request: p50 {} µs, p99 {} µs, worst {} µs; {} requests beside them",
        at(50),
        at(99),
        at(100),
        sent.load(Ordering::Relaxed),
    );
    // What the control plane counted itself. Who is told of several changes at once acknowledges the last of them; the filters
    // of the worker and of the main thread acknowledge each for itself.
    let metrics = mesh.api("GET", "/metrics", None).text();
    for (name, each) in [("acknowledged", 2.0), ("enforced", 1.0)] {
        let value = |suffix: &str| {
            let name = format!("ai_mesh_policy_{name}_seconds_{suffix} ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok());
            value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
        };
        let (count, sum) = (value("count"), value("sum"));
        let expected = each * CHANGES as f64;
        assert!(count > expected / 2.0 && count <= expected + 2.0 * each, "{name}: {count}");
        assert!(sum > 0.0, "{name}: {sum}");
        let _ = writeln!(std::io::stderr(), "{name}: {count:.0} counted, mean {:.1} ms", sum / count * 1e3);
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0, "requests failed");
    assert_eq!(leaked.load(Ordering::Relaxed), 0, "values leaked");
}
