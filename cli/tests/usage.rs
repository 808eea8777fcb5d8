//! What a user sees at once: help, mistakes, and the commands that need no control plane. A table of command lines.

use std::{
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A command that can't find anything of the machine it runs on.
fn ai_mesh(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ai-mesh"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AI_MESH_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// A folder that is removed with the value.
fn folder() -> TempDir {
    TempDir::with_prefix("ai-mesh-usage-").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOOD: &str = "\
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: good }
spec:
  rules:
    - pii: { action: redact }
    - injection: {}
";

const BAD: &str = "\
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: bad }
spec:
  rules:
    - pii: { action: redcat }
    - rego:
        module: |
          package mesh
          deny if {
";

/// It fails when it is asked.
const LOUD: &str = "\
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: loud }
spec:
  rules:
    - rego:
        module: |
          package mesh

          deny contains \"loud\" if 1 / count(input.tools) > 1
";

const TRANSFERS: &str = "\
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: transfers }
spec:
  rules:
    - rego:
        data: { limits: { most: 5 } }
        module: |
          package mesh
          deny contains \"too much\" if input.tool_calls[_].arguments.amount > data.limits.most
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: strict }
spec: { rules: [ { pii: { types: [ssn], action: block } } ] }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: mild }
spec: { rules: [ { pii: {} } ] }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Agent
metadata: { name: support-1 }
spec: { type: chatbot }
";

const TRANSFERS_TEST: &str = "\
package mesh_test
import data.mesh
test_large if count(mesh.deny) == 1 with input as {\"tool_calls\": [{\"arguments\": {\"amount\": 6}}]}
test_small if count(mesh.deny) == 0 with input as {\"tool_calls\": [{\"arguments\": {\"amount\": 5}}]}
";

const OLD: &str =
    r#"{"policy_id": "old", "type": "rate_limiting", "rules": [{"max_requests_per_minute": 60}]}"#;

/// Arguments, exit code, and what standard output and standard error must contain.
type Line = (&'static str, i32, &'static [&'static str], &'static [&'static str]);

/// The packs that authors may begin with pass their own tests, which evaluate all of their rules.
#[test]
fn the_starter_packs_pass_their_tests() {
    let packs = concat!(env!("CARGO_MANIFEST_DIR"), "/../rego/policies/packs");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ai-mesh")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let said = run(&["policy", "test", packs, "--coverage"]);
    assert!(said.contains("20 tests, 0 failed"), "{said}");
    let covered = said.lines().filter(|line| line.contains("spec.rules"));
    let covered: Vec<&str> = covered.map(str::trim_start).collect();
    assert!(covered.len() == 4 && covered.iter().all(|line| line.starts_with("100%")), "{said}");
    run(&["policy", "check", packs, "--strict"]);
}

#[test]
fn command_lines() {
    let folder = folder();
    let here = folder.path();
    std::fs::write(here.join("good.yaml"), GOOD).unwrap();
    std::fs::write(here.join("bad.yaml"), BAD).unwrap();
    std::fs::create_dir(here.join("empty")).unwrap();
    std::fs::write(here.join("slip.yaml"), LOUD.replace("1 / count(input.tools) > 1", "input.requst.stream"))
        .unwrap();
    std::fs::create_dir(here.join("mixed")).unwrap();
    std::fs::write(here.join("mixed/a.yaml"), b"\xff\xfe").unwrap();
    std::fs::write(here.join("mixed/b.yaml"), BAD.replace("deny if {", "deny := true")).unwrap();
    std::fs::create_dir(here.join("twins")).unwrap();
    std::fs::write(here.join("twins/a.yaml"), GOOD).unwrap();
    std::fs::write(here.join("twins/b.json"), GOOD).unwrap();
    std::fs::create_dir(here.join("suite")).unwrap();
    std::fs::write(here.join("suite/transfers.yaml"), TRANSFERS).unwrap();
    std::fs::write(here.join("suite/transfers_test.rego"), TRANSFERS_TEST).unwrap();
    std::fs::create_dir(here.join("before")).unwrap();
    let before = TRANSFERS.replace("type: chatbot", "complianceTier: high");
    std::fs::write(here.join("before/transfers.yaml"), before).unwrap();
    std::fs::create_dir(here.join("broken")).unwrap();
    std::fs::write(here.join("broken/transfers.yaml"), TRANSFERS.replace("most: 5", "most: 50")).unwrap();
    std::fs::write(here.join("broken/transfers_test.rego"), TRANSFERS_TEST).unwrap();
    std::fs::write(here.join("old.json"), OLD).unwrap();
    std::fs::write(here.join("odd.json"), r#"{ "path": "/v1/messages", "boddy": {} }"#).unwrap();
    std::fs::write(here.join("loud.yaml"), LOUD).unwrap();
    std::fs::create_dir(here.join("bundle")).unwrap();
    std::fs::write(here.join("bundle/.manifest"), "{}").unwrap();
    std::fs::write(here.join("bundle/rules.rego"), "package mesh\n\ndeny if cuont(input.x)\n").unwrap();
    std::fs::create_dir(here.join("lost")).unwrap();
    std::fs::write(here.join("lost/good.yaml"), GOOD).unwrap();
    std::fs::write(here.join("lost/nobody_test.rego"), TRANSFERS_TEST).unwrap();
    std::fs::write(
        here.join("sample.json"),
        r#"{ "path": "/v1/messages", "body": { "max_tokens": 1, "model": "m",
        "messages": [{ "role": "user", "content": "mail jane.roe@example.org" }] } }"#,
    )
    .unwrap();
    let table: &[Line] = &[
        // Help.
        ("", 2, &[], &["Usage: ai-mesh", "Examples:", "Exit codes"]),
        ("--help", 0, &["Usage: ai-mesh", "decisions", "AI_MESH_<FLAG>"], &[]),
        ("up --help", 0, &["--upstream", "Examples:", "10000"], &[]),
        ("policy apply --help", 0, &["cat policy.yaml | ai-mesh policy apply -f -"], &[]),
        (
            "agent apply --help",
            0,
            &["ai-mesh agent apply -f agents.yaml", "Policies and agents as YAML"],
            &[],
        ),
        ("decisions tail --help", 0, &["--decision <OUTCOME>", "Examples:"], &[]),
        ("completions bash", 0, &["complete -F _ai__mesh"], &[]),
        ("completions zsh", 0, &["#compdef ai-mesh"], &[]),
        ("--version", 0, &["ai-mesh 0."], &[]),
        // Wrong use: exit code 2, the mistake named.
        ("polcy list", 2, &[], &["unrecognized subcommand 'polcy'", "policy"]),
        ("policy apply", 2, &[], &["--file <FILE|DIR|->"]),
        ("policy list --outptu json", 2, &[], &["--outptu", "--output"]),
        ("policy list -o xml", 2, &[], &["invalid value 'xml'", "table, json"]),
        ("policy test good.yaml", 2, &[], &["--request"]),
        ("decisions list --decision denied", 2, &[], &["'denied'", "deny"]),
        ("decisions list --limit 0", 2, &[], &["--limit"]),
        ("up --port 70000", 2, &[], &["70000", "--port"]),
        ("up --max-body lots", 2, &[], &["expected a number of bytes"]),
        ("up --upstream opnai=http://x", 2, &[], &["did you mean `openai`"]),
        ("up --upstream ftp://x", 2, &[], &["neither `http` nor `https`"]),
        ("policy list --api-url nowhere", 2, &[], &["is no URL"]),
        // Nobody there: exit code 1, and what to do.
        (
            "policy list --api-url http://127.0.0.1:1",
            1,
            &[],
            &["http://127.0.0.1:1 does not answer", "is `ai-mesh up` running?"],
        ),
        ("decisions tail --api-url http://127.0.0.1:1", 1, &[], &["does not answer"]),
        ("version --api-url http://127.0.0.1:1", 0, &["ai-mesh        0.", "none answers"], &[]),
        ("version -o json --api-url http://127.0.0.1:1", 0, &["\"control_plane\": null"], &[]),
        // Policies, checked without a control plane: exit code 3 when they are wrong.
        ("policy validate good.yaml", 0, &["1 policy: valid"], &[]),
        ("policy validate bad.yaml", 3, &["bad.yaml:6:", "error", "redcat"], &["1 error"]),
        (
            "policy validate -o json bad.yaml",
            3,
            &["\"valid\": false", "\"line\": 6", "\"source\": \"bad.yaml\""],
            &[],
        ),
        ("policy test suite", 0, &["ok suite/transfers_test.rego test_large", "2 tests, 0 failed"], &[]),
        ("policy test broken", 3, &["FAILED broken/transfers_test.rego test_large: it is undefined"], &[]),
        ("policy test lost", 3, &[], &["lost/nobody_test.rego", "there is no policy \"nobody\""]),
        (
            "policy check suite",
            0,
            &["conflict: `strict` refuses requests with ssn", "test_small", "3 policies, 1 agent"],
            &[],
        ),
        ("policy check suite --strict", 3, &["conflict:"], &["0 errors, 0 warnings, 0 failed tests"]),
        ("policy check broken", 3, &["FAILED"], &["0 errors, 0 warnings, 1 failed test"]),
        (
            "policy check broken --base suite --format markdown",
            3,
            &[
                "## ❌",
                "- **transfers** changed",
                "~ spec.rules[0].rego.data.limits.most: 5 → 50",
                "### Tests",
            ],
            &[],
        ),
        (
            "policy check suite --base lost -o json",
            0,
            &["\"change\": \"removed\"", "\"change\": \"added\"", "\"kind\": \"agent\""],
            &[],
        ),
        (
            "policy check suite --base before",
            0,
            &["changed agent support-1\n  - spec.complianceTier: \"high\"\n  + spec.type: \"chatbot\""],
            &[],
        ),
        // The first policies: there is nothing before them.
        ("policy check suite --base empty", 0, &["added strict"], &[]),
        ("policy check suite --base nowhere", 2, &[], &["can't read nowhere"]),
        ("policy check suite --base before --format markdown", 0, &["- agent **support-1** changed"], &[]),
        ("policy validate suite", 0, &["3 policies, 1 agent: valid"], &[]),
        // Documents of earlier versions, and what a bundle's own files get wrong.
        (
            "policy convert old.json",
            0,
            &["apiVersion: ai-mesh.dev/v1alpha1", "requestsPerMinute: 60", "key: user"],
            &[],
        ),
        ("policy convert bad.yaml", 3, &[], &["bad.yaml:6:"]),
        (
            "policy validate bundle",
            3,
            &["bundle/rules.rego:3:9: error: policy bundle: `cuont` is not a function here"],
            &[],
        ),
        ("agent suspend a", 2, &[], &["--reason <TEXT>"]),
        ("explain", 2, &[], &["<ID>"]),
        ("policy diff", 2, &[], &["<NAME>"]),
        ("policy validate missing.yaml", 2, &[], &["can't read missing.yaml"]),
        ("policy validate empty", 2, &[], &["no .yaml, .yml or .json file in empty"]),
        (
            "policy validate --strict slip.yaml",
            3,
            &["slip.yaml:10:35: warning", "did you mean `request`?"],
            &[],
        ),
        (
            "policy validate mixed",
            3,
            &["mixed/a.yaml: error: can't be read", "mixed/b.yaml:6:"],
            &["2 errors"],
        ),
        ("policy validate twins", 3, &["the name of two policies", "twins/a.yaml"], &[]),
        ("policy apply -f bad.yaml --api-url http://127.0.0.1:1", 3, &[], &["bad.yaml:6:"]),
        ("policy test good.yaml --prompt hello", 0, &["allow\n", "guard       pii ran"], &[]),
        (
            "policy test good.yaml --request sample.json",
            0,
            &["allow_with_modifications", "mail [REDACTED]"],
            &[],
        ),
        ("policy test good.yaml --request good.yaml", 2, &[], &["good.yaml:1:1: no JSON"]),
        (
            "policy test good.yaml --request odd.json",
            2,
            &[],
            &["odd.json: found the field `boddy`, expected one of method, path"],
        ),
        // What begins with a hyphen is a value where one is due.
        ("policy test good.yaml --prompt -----BEGIN", 0, &["allow\n"], &[]),
        ("prices set m --in -1 --out 2", 2, &[], &["'-1' for '--in <USD>'", "0 or more"]),
        ("policy rollout start p --max-refusals 7", 2, &[], &["'7' for '--max-refusals", "from 0 to 1"]),
        ("policy rollout start p --steps 50,10", 2, &[], &["--steps: found 50,10, expected ascending"]),
        ("policy test loud.yaml --prompt hello", 0, &["(spec.rules[0].rego.module:3:"], &[]),
        ("decisions list --since 1h --api-url http://127.0.0.1:1", 1, &[], &["does not answer"]),
        ("decisions list --since yesterday", 2, &[], &["'yesterday' for '--since", "an age: 90d"]),
        ("policy impact good.yaml --since 5x", 2, &[], &["'5x' for '--since", "2026-11-24T09:00:00Z"]),
        // A start that can't work starts nothing.
        ("up --envoy /nowhere/envoy", 2, &[], &["there is no Envoy at /nowhere/envoy", "--envoy"]),
        ("up --envoy /bin/true --filter /nowhere.wasm", 2, &[], &["there is no filter at /nowhere.wasm"]),
        ("serve --filter good.yaml", 2, &[], &["is no WebAssembly module"]),
        ("serve --ca-file ca.pem", 2, &[], &["--ca-file: found ca.pem", "begins with /"]),
        (
            "sidecar --envoy /bin/true --token-file nowhere --port 0 --admin-port 0",
            2,
            &[],
            &["there is no token in", "--token-file"],
        ),
    ];
    for (line, code, stdout, stderr) in table {
        let output = ai_mesh(here).args(line.split_whitespace()).output().unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(*code), "{line}\n{out}\n{err}");
        stdout.iter().for_each(|part| assert!(out.contains(part), "{line}: no {part:?} in\n{out}"));
        stderr.iter().for_each(|part| assert!(err.contains(part), "{line}: no {part:?} in\n{err}"));
        assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{line}: colours without a terminal");
    }
}

fn starting(here: &Path, flags: &[&str]) -> Output {
    std::fs::write(here.join("filter.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let common = ["up", "--envoy", "/bin/true", "--filter", "filter.wasm", "--data", "data"];
    let free = ["--port", "--admin-port", "--api-port", "--grpc-port"];
    let mut command = ai_mesh(here);
    command.args(common).args(flags);
    for flag in free.iter().filter(|flag| !flags.contains(flag)) {
        command.args([flag, "0"]);
    }
    command.output().unwrap()
}

#[test]
fn a_start_that_cannot_work_leaves_nothing_behind() {
    let folder = folder();
    let here = folder.path();
    std::fs::write(here.join("bad.yaml"), BAD).unwrap();
    std::fs::write(here.join("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let table: &[(&[&str], &str)] = &[
        (&["--port", &port], "(the sidecar) is in use"),
        (&["--admin-port", &port], "--admin-port"),
        (&["--api-port", &port], "--api-port"),
        (&["--grpc-port", &port], "--grpc-port"),
        (&["--policy", "bad.yaml"], "bad.yaml:6:"),
        (&["--policy", "nowhere.yaml"], "there is no nowhere.yaml"),
        (&["--upstream", "http://a,http://b"], "given twice"),
        (&["--ca-file", "nowhere.pem"], "--ca-file: can't read nowhere.pem"),
        (&["--ca-file", "bad.yaml"], "--ca-file: there is no certificate in bad.yaml"),
        // This one is found wherever Envoy runs; what fails is the next thing.
        (&["--ca-file", "ca.pem", "--policy", "nowhere.yaml"], "there is no nowhere.yaml"),
    ];
    for (flags, expected) in table {
        let output = starting(here, flags);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {err}");
        assert!(err.contains(expected), "{flags:?}: {err}");
        assert_eq!(text(&output.stdout), "", "{flags:?}");
        let left: Vec<_> = std::fs::read_dir(here.join("data")).into_iter().flatten().flatten().collect();
        assert!(left.iter().all(|file| file.file_name() == "control-plane.lock"), "{flags:?}: {left:?}");
    }
}

#[test]
fn colours_are_a_choice() {
    let folder = folder();
    let here = folder.path();
    std::fs::write(here.join("bad.yaml"), BAD).unwrap();
    let validate = |flags: &[&str], no_color: bool| {
        let mut command = ai_mesh(here);
        command.args(["policy", "validate", "bad.yaml"]).args(flags);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        text(&command.output().unwrap().stdout).contains('\u{1b}')
    };
    assert!(!validate(&[], false), "no terminal, no colours");
    assert!(validate(&["--color", "always"], false));
    assert!(validate(&["--color", "always"], true), "a flag wins over the environment");
    assert!(!validate(&["--color", "never"], false));
}

#[test]
fn flags_come_from_the_environment_too() {
    let folder = folder();
    let here = folder.path();
    let run = |flags: &[&str]| {
        let output = ai_mesh(here).args(flags).env("AI_MESH_API_URL", "http://127.0.0.1:2").output().unwrap();
        text(&output.stderr)
    };
    assert!(run(&["policy", "list"]).contains("http://127.0.0.1:2 "));
    assert!(
        run(&["policy", "list", "--api-url", "http://127.0.0.1:3"]).contains("http://127.0.0.1:3 "),
        "flags win"
    );
    // What the environment sets is no part of how a command is to be typed.
    let output = ai_mesh(here).args(["policy", "get"]).env("AI_MESH_DATA", "here").output().unwrap();
    let usage = text(&output.stderr);
    assert!(usage.contains("Usage: ai-mesh policy get <NAME>") && !usage.contains("--data"), "{usage}");
}

#[test]
fn the_sample_in_the_documents_is_one() {
    let folder = folder();
    let here = folder.path();
    std::fs::write(here.join("good.yaml"), GOOD).unwrap();
    let document = include_str!("../../docs/policies.md");
    let blocks = document.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let samples: Vec<&str> = blocks.filter(|block| block.contains("source_ip")).collect();
    assert_eq!(samples.len(), 1);
    std::fs::write(here.join("sample.json"), samples[0]).unwrap();
    let output =
        ai_mesh(here).args(["policy", "test", "good.yaml", "--request", "sample.json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("protocol    mcp"), "{}", text(&output.stdout));
}

#[test]
fn policies_are_read_from_standard_input() {
    let folder = folder();
    let here = folder.path();
    let mut child = ai_mesh(here)
        .args(["policy", "validate", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(BAD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("standard input:6:"), "{}", text(&output.stdout));
}

/// A server that is not ours answers, and that does not look as if nothing was there.
#[test]
fn another_server_is_told_from_an_empty_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut head).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>")
                .unwrap();
        }
    });
    let folder = folder();
    for line in ["policy list", "decisions list", "limits"] {
        let output = ai_mesh(folder.path())
            .args(line.split(' '))
            .args(["--api-url", &format!("http://{address}"), "--data", "d"])
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains("no JSON") && said.contains("REST address"), "{line}: {said}");
    }
}
