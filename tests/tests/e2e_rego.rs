//! The author's own rules in a real sidecar: several modules, what they see, answers, and what they may take.
use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_tests::{Answer, Mesh, Request, chat, chat_stream};

/// One policy for each agent.
const POLICIES: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: greedy }
spec:
  target: { agents: ["greedy"] }
  rules:
    - rego:
        module: |
          package mesh
          deny if {
            texts := [t | some i in numbers.range(1, 60000); t := sprintf("%900d", [i])]
            count(texts) == 1
          }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: greedy-sets }
spec:
  target: { agents: ["greedy-sets"] }
  failureMode: open
  rules:
    - rego:
        module: |
          package mesh
          deny if {
            s := {y | some y in numbers.range(1, 10000)}
            copies := [t | some i in numbers.range(1, 10000); t := s | {i}]
            count(copies) == 1
          }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: answers }
spec:
  target: { agents: ["answers"] }
  rules:
    - rego:
        module: |
          package mesh
          import data.words
          deny contains "the answer names a project" if {
            input.phase == "response"
            input.response.status == 200
            some message in input.response.messages
            words.secret(message.text)
          }
        modules:
          words.rego: |
            package words
            secret(text) if { some name in data.names; contains(lower(text), name) }
        data: { names: [zeus, hera] }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: findings }
spec:
  target: { agents: ["findings"] }
  rules:
    - pii: { types: [email, ssn], action: log }
    - rego:
        module: |
          package mesh
          deny contains sprintf("%s in %s", [found.type, input.protocol]) if {
            some found in input.findings
            found.type == "US_SSN"
            found.count == 1
            startswith(found.place, "request:")
          }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: limits }
spec:
  target: { agents: ["limits"] }
  rules:
    - rateLimit: { key: agent, requestsPerMinute: 5 }
    - rego:
        module: |
          package mesh
          deny contains "the last three are kept" if {
            some limit in input.limits
            limit.name == "requestsPerMinute"
            limit.limit == 5
            limit.remaining < 3
          }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: plain }
spec:
  target: { agents: ["plain"] }
  rules: [ { rego: { module: "package mesh\nallow if input.model == \"gpt-4o\"" } } ]
"#;

fn ask(mesh: &Mesh, agent: &str, text: &str) -> Answer {
    mesh.send(&Request::post("/v1/chat/completions", &chat(text)).header("x-ai-mesh-agent", agent))
}

#[test]
fn a_rule_that_takes_too_much_is_a_failed_guard_and_the_sidecar_lives() {
    let mesh = Mesh::up(POLICIES, &[]);
    for _ in 0..3 {
        let answer = ask(&mesh, "greedy", "hello");
        assert_eq!((answer.status, answer.header("x-ai-mesh-decision")), (503, "deny"), "{}", answer.text());
        assert!(answer.header("x-ai-mesh-guards").contains("rego=failed:evaluation"));
        let answer = ask(&mesh, "greedy-sets", "hello");
        assert_eq!((answer.status, answer.header("x-ai-mesh-decision")), (200, "allow"), "{}", answer.text());
        assert!(answer.header("x-ai-mesh-guards").contains("rego=failed:evaluation"));
        // A filter whose VM had to be started again would answer 503 here.
        assert_eq!(ask(&mesh, "plain", "hello").status, 200);
    }
    let log = std::fs::read_to_string(mesh.data().join("envoy.log")).expect("Envoy's log");
    assert!(!log.contains("panicked") && !log.contains("Wasm VM failed"), "the VM went down");
}

#[test]
fn answers_are_judged_whole_and_streamed() {
    let mesh = Mesh::up(POLICIES, &[]);
    let streamed = |text: &str, reply: &str| {
        let request = Request::post("/v1/chat/completions", &chat_stream(text));
        let request = request.header("x-mock-reply", &BASE64_STANDARD.encode(reply));
        mesh.send(&request.header("x-mock-chunk-bytes", "3").header("x-ai-mesh-agent", "answers"))
    };
    for (text, refused) in [("tell me about Zeus", true), ("tell me about Apollo", false)] {
        let answer = ask(&mesh, "answers", text);
        assert_eq!(answer.status, if refused { 403 } else { 200 }, "{text}: {}", answer.text());
        assert_eq!(answer.text().contains("the answer names a project"), refused, "{}", answer.text());
        assert!(answer.header("x-ai-mesh-guards").contains("rego=ran"));
        let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
        assert_eq!(record["decision"] == "deny", refused, "{record}");
    }
    // The name comes in pieces, and nothing of the answer leaves before it is whole.
    let answer = streamed("hello", "Project ZEUS is late.");
    assert!(
        !answer.text().to_lowercase().contains("zeus") && !answer.text().contains("Project"),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("the answer names a project"), "{}", answer.text());
    let answer = streamed("hello", "Project Apollo is late.");
    assert!(answer.text().contains("[DONE]") && answer.complete, "{}", answer.text());
    let pieces: String = answer
        .text()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(pieces, "Project Apollo is late.");
}

#[test]
fn what_was_found_and_what_is_left_is_in_the_input() {
    let mesh = Mesh::up(POLICIES, &[]);
    let answer = ask(&mesh, "findings", "my SSN is 536-90-4399");
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("US_SSN in openai-chat"), "{}", answer.text());
    assert_eq!(ask(&mesh, "findings", "write to jane.roe@example.org").status, 200);
    let statuses: Vec<u16> = (0..4).map(|_| ask(&mesh, "limits", "hello").status).collect();
    assert_eq!(statuses, [200, 200, 403, 403]);
}

#[test]
fn an_opa_bundle_is_applied_as_it_is() {
    let mesh = Mesh::up("", &[]);
    let bundle = mesh.data().join("from-opa");
    let write = |path: &str, text: &str| {
        let path = bundle.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write(
        ".manifest",
        r#"{"roots": ["agents", "lists"], "rego_version": 1, "metadata": {"ai-mesh": {"package": "agents.rules"}}}"#,
    );
    write("lists/data.json", r#"{"words": ["zeus"]}"#);
    write(
        "agents/rules/rules.rego",
        "package agents.rules\n\nimport data.agents.text\n\ndeny contains \"named\" if {\n  some message in input.messages\n  \
         text.names(message.text)\n}\n",
    );
    write(
        "agents/text.rego",
        "package agents.text\n\nnames(text) if {\n  some word in data.lists.words\n  contains(lower(text), word)\n}\n",
    );
    write(
        "agents/rules/rules_test.rego",
        "package agents.rules_test\n\nimport data.agents.rules\n\ntest_zeus if count(rules.deny) == 1 with input as \
         {\"messages\": [{\"text\": \"Zeus\"}]}\n",
    );
    let folder = bundle.to_string_lossy().into_owned();
    let archive = mesh.data().join("from-opa.tar.gz").to_string_lossy().into_owned();
    let packed = std::process::Command::new("tar").args(["-C", &folder, "-czf", &archive, "."]).status();
    assert!(packed.expect("tar runs").success());
    for source in [&folder, &archive] {
        let tested = mesh.cli(&["policy", "test", source, "--coverage"]);
        let said = String::from_utf8_lossy(&tested.stdout).into_owned();
        assert!(
            tested.status.success() && said.contains("1 tests, 0 failed") && said.contains("100% from-opa"),
            "{said}"
        );
        let applied = mesh.cli(&["policy", "apply", "-f", source]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        assert_eq!(ask(&mesh, "a", "about Zeus").status, 403);
        assert_eq!(ask(&mesh, "a", "about Hera").status, 200);
    }
}
