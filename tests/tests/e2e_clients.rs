//! Real, unmodified SDK clients from PyPI and npm, through a real Envoy with the filter.
//!
//! The tests themselves are in `clients/`: what a user of an SDK sees is written in the user's language.
use std::process::{Command, Stdio};

use mesh_tests::{Mesh, tool};

const POLICIES: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: redact }
spec:
  target: { agents: ["sdk-redact"] }
  rules: [ { pii: { action: redact } }, { injection: { action: block } } ]
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: limit }
spec:
  target: { agents: ["sdk-limited-*"] }
  rules: [ { rateLimit: { key: agent, requestsPerMinute: 1 } } ]
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: tools }
spec:
  target: { agents: ["sdk-tools"] }
  rules: [ { tools: { allow: ["search", "echo"] } } ]
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: block }
spec:
  target: { agents: ["sdk-block"] }
  rules: [ { pii: { action: block } } ]
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: models }
spec:
  target: { agents: ["sdk-models"] }
  rules: [ { models: { allow: ["allowed*"] } } ]
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: rego }
spec:
  target: { agents: ["sdk-rego"] }
  rules:
    - rego:
        module: |
          package mesh
          deny contains "no secrets about project Zeus" if {
            some m in input.messages
            contains(lower(m.text), "zeus")
          }
"#;

/// Runs a client's tests against a mesh of their own; what they print is shown when they fail.
fn passes(mesh: &Mesh, command: &mut Command) {
    let output = command
        .env("AI_MESH_TEST_SIDECAR", format!("http://{}", mesh.sidecar))
        .env("AI_MESH_TEST_UPSTREAM", mesh.upstream.url())
        // A proxy of the environment can't reach the loopback of this machine.
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .expect("the client's language is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn python_clients() {
    let mesh = Mesh::up(POLICIES, &[]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");
    let mut command = Command::new(tool("AI_MESH_PYTHON"));
    command
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", folder])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    passes(&mesh, &mut command);
}

#[test]
fn node_clients() {
    // Node finds the packages by the link that the set-up makes beside the tests.
    tool("AI_MESH_NODE_MODULES");
    let mesh = Mesh::up(POLICIES, &[]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/node");
    let tests = ["openai", "anthropic", "mcp"].map(|name| format!("{folder}/{name}.test.mjs"));
    // One file at a time: they share the upstream and its memory.
    passes(&mesh, Command::new(tool("AI_MESH_NODE")).args(["--test", "--test-concurrency=1"]).args(tests));
}
