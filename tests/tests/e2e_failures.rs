//! Failure laws, each in a real Envoy.
use mesh_tests::{Answer, Mesh, Request, Signal, chat, chat_stream, child_of, eventually, signal, tool};

const REDACT: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: redact }
spec: { rules: [ { pii: { action: redact } } ] }
"#;

fn secret() -> Request {
    Request::post("/v1/chat/completions", &chat("my SSN is 536-90-4399"))
}

fn redacts(mesh: &Mesh) -> Answer {
    mesh.upstream.forget();
    let answer = mesh.send(&secret());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(mesh.upstream.last_body().contains("[REDACTED]"), "{}", mesh.upstream.last_body());
    answer
}

/// The control plane may be killed at any moment: traffic goes on under the last policy, decisions wait, and a control
/// plane that comes back on its data has lost nothing and takes them in.
#[test]
fn traffic_outlives_the_control_plane_and_records_catch_up() {
    let mut mesh = Mesh::prepare(REDACT, &[]);
    let mut control_plane = mesh.serve();
    let sidecar = mesh.start_sidecar();
    let before = redacts(&mesh);
    mesh.decision(before.header("x-ai-mesh-decision-id"));

    control_plane.kill();
    let during: Vec<Answer> = (0..20).map(|_| redacts(&mesh)).collect();

    let control_plane = mesh.serve();
    for answer in std::iter::once(&before).chain(&during) {
        let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
        assert_eq!(record["decision"], "allow_with_modifications");
    }
    eventually("the sidecar reconnects", || {
        mesh.api("GET", "/api/v1/sidecars", None).text().contains("\"id\"").then_some(())
    });
    let gaps = mesh.api("GET", "/api/v1/decisions/gaps", None);
    assert!(!gaps.text().contains("\"vm\""), "no gap: {}", gaps.text());
    redacts(&mesh);
    drop((sidecar, control_plane));
}

/// A sidecar whose Envoy refuses the filter would answer every request with an error: it is not ready, and says why.
#[test]
fn a_sidecar_without_its_filter_is_not_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    let filter = folder.path().join("filter.wasm");
    std::fs::copy(tool("AI_MESH_FILTER"), &filter).expect("a copy of the filter");
    let mut mesh = Mesh::prepare(REDACT, &["--filter", &filter.to_string_lossy()]);
    let control_plane = mesh.serve();
    std::fs::remove_file(&filter).expect("the copy is there");
    let output = mesh.command("sidecar").output().expect("the sidecar starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && !out.contains("ready"), "{out}{err}");
    assert!(err.contains("Envoy refused the filter") && err.contains(&*filter.to_string_lossy()), "{err}");
    drop(control_plane);
}

/// Envoy may be killed at any moment: no record that was acknowledged is lost, and what was decided stays listed.
#[test]
fn killing_envoy_loses_no_acknowledged_record() {
    let mesh = Mesh::up(REDACT, &[]);
    let answers: Vec<Answer> = (0..50).map(|_| redacts(&mesh)).collect();
    for answer in &answers {
        mesh.decision(answer.header("x-ai-mesh-decision-id"));
    }
    signal(child_of(mesh.parts[0].id()).expect("Envoy is a child of ai-mesh up"), Signal::SIGKILL);
    eventually("Envoy is started again", || {
        let up = std::net::TcpStream::connect(mesh.sidecar).is_ok();
        (up && mesh.send(&secret()).status == 200).then_some(())
    });
    for answer in &answers {
        mesh.decision(answer.header("x-ai-mesh-decision-id"));
    }
    redacts(&mesh);
}

/// A policy that does not compile is refused with its place; the one in force stays.
#[test]
fn a_policy_that_does_not_compile_changes_nothing() {
    let mesh = Mesh::up(REDACT, &[]);
    let cases = [
        ("rules: [ { pii: { action: redcat } } ]", "redcat"),
        ("rules: [ { pii: { types: [sssn] } } ]", "sssn"),
        ("rules: [ { pii: { patterns: [ { name: x, regex: \"(\" } ] } } ]", "regex"),
        ("rules: [ { pie: {} } ]", "pie"),
        ("rules: [ { rego: { module: \"package mesh\\ndeny contains x if {\" } } ]", "rego.module"),
        (
            "rules: [ { access: { resource: a, allowedRoles: [b], allowedActions: [c], conditions: { timeOfDay: noon } } } ]",
            "timeOfDay",
        ),
        ("failureMode: maybe\n  rules: []", "maybe"),
    ];
    for (spec, named) in cases {
        let policy = format!(
            "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: redact }}\nspec:\n  {spec}\n"
        );
        let output = mesh.apply(&policy);
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{spec} was accepted");
        assert!(said.contains(named), "{spec}: the message does not name {named}: {said}");
        redacts(&mesh);
    }
}

#[test]
fn bodies_that_cannot_be_read_are_refused_in_the_providers_shape() {
    let mesh = Mesh::up(REDACT, &["--max-body", "100000"]);
    let json = "application/json";
    let large = chat(&"word ".repeat(40_000));
    let bomb = mesh_tests::encoded("gzip", &vec![b' '; 200_000]);
    let cases = [
        ("over the limit", Request::post("/v1/chat/completions", &large), 413),
        (
            "over the limit, length unknown",
            Request::post("/v1/chat/completions", &large).chunked(10_000),
            413,
        ),
        ("malformed JSON", Request::bytes("/v1/chat/completions", json, b"{\"messages\":["), 400),
        ("malformed JSON to Anthropic", Request::bytes("/v1/messages", json, b"{"), 400),
        ("unknown content type", Request::bytes("/v1/other", "application/x-thing", b"\x01\x02"), 503),
        (
            "unknown coding",
            Request::bytes("/v1/chat/completions", json, b"x").header("content-encoding", "compress"),
            503,
        ),
        (
            "a decompression bomb",
            Request::bytes("/v1/chat/completions", json, &bomb).header("content-encoding", "gzip"),
            413,
        ),
        (
            "a compressed body cut short",
            Request::bytes("/v1/chat/completions", json, &bomb[..bomb.len() / 2])
                .header("content-encoding", "gzip"),
            400,
        ),
        (
            "one coding inside another",
            Request::bytes("/v1/chat/completions", json, &bomb).header("content-encoding", "gzip, br"),
            503,
        ),
    ];
    for (what, request, status) in cases {
        let answer = mesh.send(&request);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string(), "{what}: {}", answer.text());
        assert!(answer.header("x-ai-mesh-guards").contains("pii="), "{what}: {:?}", answer.headers);
        assert!(mesh.upstream.requests().is_empty(), "{what} reached the upstream");
    }
}

/// gzip, brotli and zstd, both ways: what is compressed is inspected all the same.
#[test]
fn compressed_bodies_are_inspected_both_ways() {
    let mesh = Mesh::up(REDACT, &[]);
    let body = chat("my SSN is 536-90-4399").to_string();
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let packed = mesh_tests::encoded(coding, body.as_bytes());
        mesh.upstream.forget();
        let request = Request::bytes("/v1/chat/completions", "application/json", &packed);
        let answer = mesh.send(&request.header("content-encoding", coding));
        assert_eq!(answer.status, 200, "{coding}: {}", answer.text());
        let reached = mesh.upstream.last_body();
        assert!(reached.contains("[REDACTED]") && !reached.contains("536-90"), "{coding}: {reached}");
    }
    for coding in ["gzip", "deflate", "br", "zstd"] {
        for body in [chat("hello"), chat_stream("hello")] {
            // The planted value: "Your SSN is 536-90-4399.", base64.
            let request = Request::post("/v1/chat/completions", &body)
                .header("x-mock-reply", "WW91ciBTU04gaXMgNTM2LTkwLTQzOTku")
                .header("x-mock-encoding", coding)
                .header("accept-encoding", coding);
            let answer = mesh.send(&request);
            assert_eq!(answer.status, 200, "{coding}");
            assert!(
                answer.text().contains("REDACTED") && !answer.text().contains("536-90"),
                "{coding}: {}",
                answer.text()
            );
        }
        // Text has no end of its own, as JSON has: "My SSN is 536-90-4399", base64.
        let request = Request::post("/v1/chat/completions", &chat("hello"))
            .header("x-mock-body", "TXkgU1NOIGlzIDUzNi05MC00Mzk5")
            .header("x-mock-content-type", "text/plain")
            .header("x-mock-encoding", coding);
        let answer = mesh.send(&request);
        assert_eq!((answer.status, answer.text()), (200, "My SSN is [REDACTED]".to_owned()), "{coding}");
    }
}

#[test]
fn streams_that_break_off_end_and_nothing_hangs() {
    let mesh = Mesh::up(REDACT, &[]);
    let broken =
        Request::post("/v1/chat/completions", &chat_stream("hello")).header("x-mock-abort-after", "200");
    let answer = mesh.send(&broken);
    assert!(!answer.complete, "a broken stream must not look complete");
    let broken = Request::post("/v1/chat/completions", &chat("hello")).header("x-mock-abort-after", "20");
    let answer = mesh.send(&broken);
    assert!(answer.status >= 500 || !answer.complete, "{answer:?}");
    // A client that goes away in the middle of a slow stream leaves nothing behind.
    let slow = Request::post("/v1/chat/completions", &chat_stream(&"word ".repeat(50)))
        .header("x-mock-delay-ms", "20");
    for _ in 0..10 {
        mesh_tests::send_and_leave(mesh.sidecar, &slow);
    }
    redacts(&mesh);
}

/// A full buffer of records refuses requests, or drops their records and counts them, as the policy says; once the
/// control plane is back, what was kept arrives and what was dropped is told.
#[test]
fn a_full_record_buffer_refuses_or_drops_as_the_policy_says() {
    for (overflow, passes) in [("refuse", false), ("drop", true)] {
        let policy = REDACT.replace("spec: {", &format!("spec: {{ recordOverflow: {overflow},"));
        let mut mesh = Mesh::prepare(&policy, &["--record-buffer", "3"]);
        let mut control_plane = mesh.serve();
        // The buffer is one worker's.
        let sidecar = mesh.start_sidecar_with(&["--concurrency", "1"]);
        let before = redacts(&mesh);
        mesh.decision(before.header("x-ai-mesh-decision-id"));
        control_plane.kill();

        let kept: Vec<Answer> = (0..3).map(|_| redacts(&mesh)).collect();
        mesh.upstream.forget();
        let over = mesh.send(&secret());
        if passes {
            assert_eq!(over.status, 200, "{overflow}: {}", over.text());
            assert!(
                mesh.upstream.last_body().contains("[REDACTED]"),
                "{overflow}: it is inspected all the same"
            );
        } else {
            assert_eq!(over.status, 503, "{overflow}: {}", over.text());
            assert!(
                over.header("x-ai-mesh-guards").contains("record=failed:buffer-full"),
                "{:?}",
                over.headers
            );
            assert!(mesh.upstream.requests().is_empty(), "{overflow}: nothing reaches the upstream");
        }

        let control_plane = mesh.serve();
        for answer in &kept {
            mesh.decision(answer.header("x-ai-mesh-decision-id"));
        }
        eventually("requests pass again", || (mesh.send(&secret()).status == 200).then_some(()));
        if passes {
            eventually("the loss is reported", || {
                let metrics = mesh.api("GET", "/metrics", None).text();
                metrics.contains("ai_mesh_records_dropped_total 1").then_some(())
            });
        }
        drop((sidecar, control_plane));
    }
}

/// Takes all of a VM's memory. The body alone fits into its 1 GiB; what is read from it does not.
fn crash(mesh: &Mesh) {
    mesh.upstream.forget();
    let mut body =
        br#"{"model":"gpt-4o","messages":[{"role":"user","content":"my SSN is 536-90-4399 "#.to_vec();
    body.resize(600 << 20, b'a');
    body.extend_from_slice(br#""}]}"#);
    let answer = mesh.send(&Request::bytes("/v1/chat/completions", "application/json", &body));
    drop(body);
    assert!(answer.status == 503 || answer.status == 500 || answer.status == 0, "{}", answer.status);
    assert!(mesh.upstream.requests().is_empty(), "it never reaches the upstream");
    eventually("the filter serves again", || {
        let answer = mesh.send(&secret());
        assert!(
            answer.status == 200 || answer.status >= 500 || answer.status == 0,
            "refused until then: {} {}",
            answer.status,
            answer.text()
        );
        assert!(!mesh.upstream.last_body().contains("536-90"), "nothing passes uninspected");
        (answer.status == 200).then_some(())
    });
    let stats = mesh_tests::exchange(mesh.admin, &Request::get("/stats?filter=vm_reload_success")).text();
    assert!(stats.contains("vm_reload_success: 1"), "the VM was loaded again: {stats}");
}

/// A VM that runs out of its memory ends; until it is loaded again requests are refused, never passed by. Then it serves
/// again, under the same policy.
#[test]
fn a_filter_that_runs_out_of_memory_comes_back() {
    let mesh = Mesh::up(REDACT, &["--max-body", "1G", "--concurrency", "1"]);
    redacts(&mesh);
    crash(&mesh);
    redacts(&mesh);
}

/// Envoy loads it again with what it was given at its own start. The policies in force are those that came since, also when the
/// control plane is away.
#[test]
fn a_filter_that_comes_back_runs_the_newest_policies() {
    let mut mesh = Mesh::prepare(REDACT, &["--max-body", "1G"]);
    let mut control_plane = mesh.serve();
    let sidecar = mesh.start_sidecar_with(&["--concurrency", "1"]);
    redacts(&mesh);
    let newest = REDACT.replace("action: redact", "action: redact, replacement: \"[REDACTED, NEWEST]\"");
    assert!(mesh.apply(&newest).status.success());
    redacts_newest(&mesh);
    control_plane.kill();
    crash(&mesh);
    for _ in 0..20 {
        redacts_newest(&mesh);
    }
    drop(sidecar);
}

fn redacts_newest(mesh: &Mesh) {
    mesh.upstream.forget();
    let answer = mesh.send(&secret());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(mesh.upstream.last_body().contains("NEWEST"), "{}", mesh.upstream.last_body());
}
