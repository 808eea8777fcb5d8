//! The official conformance suite of the Model Context Protocol, both revisions: it passes through the filter exactly
//! where it passes without it, and where the filter answers in the server's place.
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mesh_tests::{Mesh, Upstream, tool};
use serde_json::Value;

/// Every guard reads what passes; nothing of the suite's own is to be found or refused.
const POLICIES: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: all-guards }
spec:
  target: {}
  rules:
    - pii: { types: [US_SSN, CREDIT_CARD, IBAN_CODE, AWS_ACCESS_KEY, PRIVATE_KEY], action: redact }
    - injection: { action: block }
    - tools: { deny: ["forbidden*"] }
"#;

/// A server that was started and told its port.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/node/conformance/server.mjs");
        let mut command = Command::new(tool("AI_MESH_NODE"));
        let mut child =
            command.arg(script).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("Node.js starts");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut port).expect("a port");
        Server { child, url: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the suite of a revision; every check as `scenario check status`.
fn checks(modules: &Path, url: &str, revision: &str, into: &Path) -> BTreeSet<String> {
    let suite = modules.join("@modelcontextprotocol/conformance/dist/index.js");
    let output = Command::new(tool("AI_MESH_NODE"))
        .arg(suite)
        .args(["server", "--url", &format!("{url}/mcp"), "--requirements", revision, "--output-dir"])
        .arg(into)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .expect("the suite starts");
    let mut checks = BTreeSet::new();
    for folder in std::fs::read_dir(into).into_iter().flatten().flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        // The folder's name ends in the time: `server-ping-2026-01-01T00-00-00-000Z`.
        let scenario = name.rsplitn(6, '-').nth(5).unwrap_or(&name).to_owned();
        let text = std::fs::read_to_string(folder.path().join("checks.json")).expect("the scenario's checks");
        let found: Vec<Value> = serde_json::from_str(&text).expect("checks are JSON");
        checks.extend(found.iter().enumerate().map(|(at, check)| {
            format!("{scenario} {at} {} {}", check["id"].as_str().unwrap_or_default(), check["status"])
        }));
    }
    assert!(!checks.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    checks
}

/// Checks of how a header is refused that contradicts the body (SEP-2243). The filter refuses it before any server sees it, with the
/// error that the specification wants, which the suite's own server does not give.
const REFUSED_BY_THE_FILTER: [&str; 2] =
    ["sep-2243-server-reject-error-code", "tasks-headers-reject-mismatched-method"];

/// Whether a check, written as above, is one of those and passes.
fn is_refused_as_it_should(check: &str) -> bool {
    check.ends_with("\"SUCCESS\"") && REFUSED_BY_THE_FILTER.iter().any(|id| check.contains(id))
}

/// The check without its status.
fn name(check: &str) -> &str {
    check.rsplit_once(' ').map_or(check, |(name, _)| name)
}

fn passed(checks: &BTreeSet<String>) -> usize {
    checks.iter().filter(|check| check.ends_with("\"SUCCESS\"")).count()
}

#[test]
fn the_conformance_suite_passes_through_the_filter_where_it_passes_without() {
    let modules = tool("AI_MESH_NODE_MODULES");
    let server = Server::start();
    let mock = Upstream::start();
    // The mock provider answers the stateless revision too, and lacks most of what the suite calls.
    for (upstream, revision, least) in [
        (&server.url, "2025-11-25", 70),
        (&server.url, "2026-07-28", 60),
        (&mock.url(), "2025-11-25", 10),
        (&mock.url(), "2026-07-28", 10),
    ] {
        let mesh = Mesh::up(POLICIES, &["--upstream", &format!("mcp={upstream}")]);
        let results = |name: &str| {
            let folder = mesh.data().join(format!("conformance-{name}"));
            std::fs::create_dir_all(&folder).expect("a folder for results");
            folder
        };
        let without = checks(&modules, upstream, revision, &results("without"));
        let through = checks(&modules, &format!("http://{}", mesh.sidecar), revision, &results("through"));
        let refused: BTreeSet<&str> =
            through.iter().filter(|check| is_refused_as_it_should(check)).map(|check| name(check)).collect();
        let others = |check: &&String| !refused.contains(name(check));
        let lost: Vec<_> = without.difference(&through).filter(others).collect();
        let new: Vec<_> = through.difference(&without).filter(others).collect();
        assert!(
            lost.is_empty() && new.is_empty(),
            "{revision} at {upstream}: only without the filter {lost:#?}; only through it {new:#?}"
        );
        println!("{revision}: {} checks pass through the filter and without it", passed(&through));
        assert!(passed(&through) >= least, "{revision}: {} checks pass", passed(&through));
    }
}
