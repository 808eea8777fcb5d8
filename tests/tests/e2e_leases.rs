//! Leases in real Envoys: most requests make no call, and the limit is the limit.
use std::sync::atomic::{AtomicUsize, Ordering};

use mesh_tests::limits::{four_words, metric, policy, redis, settled};
use mesh_tests::{Mesh, Part, Request, by, chat_stream, eventually, free_port};

/// Twelve clients send so many requests each, to the Envoys in turn; how many were admitted.
fn race(meshes: &[Mesh], agent: &str, each: usize) -> usize {
    let admitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..12_usize {
            let admitted = &admitted;
            scope.spawn(move || {
                for round in 0..each {
                    let answer = meshes[(client + round) % meshes.len()].send(&four_words(agent));
                    assert!(matches!(answer.status, 200 | 429), "{}: {}", answer.status, answer.text());
                    admitted.fetch_add(usize::from(answer.status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    admitted.into_inner()
}

/// Three Envoys of four workers, three control planes, one Redis.
#[test]
fn twelve_workers_share_a_limit_and_rarely_ask() {
    let name = format!("lease-{}", free_port());
    let rule = |agent: &str, limit: &str| {
        let spec = format!("target: {{ agents: [\"{agent}\"] }}, rules: [ {{ rateLimit: {{ {limit} }} }} ]");
        policy(&format!("{name}-{agent}"), &spec)
    };
    let policies = rule("many", "requestsPerHour: 1200")
        + &rule("exact", "requestsPerHour: 150, mode: strict")
        + &rule("spender", "tokensPerDay: 200000");
    let flags = ["--redis", &redis(), "--concurrency", "4"].map(str::to_owned);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let meshes = [(); 3].map(|()| Mesh::up(&policies, &flags));
    // Renewals, for which no request waits, are counted apart: how many there are depends on how long the race takes.
    let waited = "ai_mesh_rate_limit_requests_total{outcome=\"admitted\"}";
    let calls = || meshes.iter().map(|mesh| metric(mesh, waited)).sum::<u64>();

    let first = race(&meshes, "many", 50);
    assert_eq!(first, 600, "half of the limit is refused to nobody");
    let asked = calls();
    assert!(asked < 150, "{asked} of 600 requests waited for a call");
    let lent: u64 = meshes.iter().map(|mesh| metric(mesh, "ai_mesh_limit_lent_total")).sum();
    assert!(lent > 300, "{lent}");

    let second = first + race(&meshes, "many", 100);
    assert!((1080..=1200).contains(&second), "{second} of 1200: at most a tenth lies unused in leases");
    // What lay unused comes back, and is admitted then: not one more, not one less.
    eventually("all leases are returned", || {
        let listed = meshes[0].api("GET", "/api/v1/limits?key=agent:many", None).json();
        (listed["limits"][0]["lent"] == 0 && listed["limits"][0]["reserved"] == 0).then_some(())
    });
    assert_eq!(settled(&meshes[0], "many", "requests"), second as u64, "every request is in the account");
    assert_eq!(second + race(&meshes, "many", 15), 1200);

    assert_eq!(race(&meshes, "exact", 20), 150, "a strict limit lends nothing");

    // Answers take 4 tokens and the 6 of the request; streams that outlast their lease settle all the same.
    let admitted = race(&meshes, "spender", 10);
    assert_eq!(admitted, 120);
    std::thread::scope(|scope| {
        for mesh in &meshes {
            scope.spawn(|| {
                let slow = Request::post("/v1/chat/completions", &chat_stream("four words of text"));
                let answer = mesh.send(&by("spender", slow.header("x-mock-delay-ms", "900")));
                assert!(answer.complete, "{}", answer.text());
            });
        }
    });
    let each = 4 + 6;
    assert_eq!(settled(&meshes[1], "spender", "tokens"), (admitted as u64 + 3) * each, "to the token");
    let over: u64 = meshes.iter().map(|mesh| metric(mesh, "ai_mesh_limit_over_admission_total")).sum();
    assert_eq!(over, 0);
    let shown = meshes[0].cli(&["limits", "--key", "agent:many"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("IN LEASES"), "{shown}");
}

/// A lease ends while the control plane is away; then the policy's choice shows on the response.
#[test]
fn when_a_lease_has_ended_the_policy_decides_without_the_control_plane() {
    let closed =
        policy("closed", "target: { agents: [closed] }, rules: [ { rateLimit: { requestsPerHour: 9000 } } ]");
    let open = policy(
        "open",
        "target: { agents: [open] }, failureMode: open, rules: [ { rateLimit: { requestsPerHour: 9000 } } ]",
    );
    let mut mesh = Mesh::prepare(&(closed + &open), &[]);
    let mut plane: Part = mesh.serve();
    let _sidecar = mesh.start_sidecar();
    for _ in 0..40 {
        assert_eq!(
            (mesh.send(&four_words("closed")).status, mesh.send(&four_words("open")).status),
            (200, 200)
        );
    }
    assert!(metric(&mesh, "ai_mesh_limit_leases_total") > 0, "something is lent");
    plane.kill();
    let refused =
        eventually("the lease ends", || Some(mesh.send(&four_words("closed"))).filter(|a| a.status != 200));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("x-ai-mesh-guards").contains("rateLimit=failed:unreachable"));
    let passed = eventually("the other lease ends", || {
        let answer = mesh.send(&four_words("open"));
        answer.header("x-ai-mesh-guards").contains("rateLimit=failed:unreachable").then_some(answer)
    });
    assert_eq!(passed.status, 200, "{}", passed.text());
    let _plane = mesh.serve();
    eventually("limits are counted again", || (mesh.send(&four_words("closed")).status == 200).then_some(()));
}
