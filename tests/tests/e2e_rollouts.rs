//! Rollouts in stages and signed policies, with a real Envoy.
use std::process::Command;
use std::time::Duration;

use mesh_tests::{Answer, Mesh, Part, Request, Signal, chat, child_of, signal, within};
use serde_json::Value;

fn policy(word: &str) -> String {
    format!(
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: words }}\nspec:\n  rules:\n    - rego:\n        module: |\n          \
         package mesh\n          deny contains \"a word\" if {{ some m in input.messages; contains(m.text, \"{word}\") }}\n"
    )
}

fn ask(mesh: &Mesh, text: &str) -> Answer {
    mesh.send(&Request::post("/v1/chat/completions", &chat(text)))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    within(Duration::from_secs(60), what, || holds().then_some(()));
}

#[test]
fn a_version_goes_from_monitor_to_everywhere_or_is_taken_back() {
    let mesh = Mesh::up(&policy("alpha"), &[]);
    let file = mesh.data().join("next.yaml");
    std::fs::write(&file, policy("beta")).expect("a file");
    let file = file.to_string_lossy().into_owned();
    assert_eq!((ask(&mesh, "alpha").status, ask(&mesh, "beta").status), (403, 200));

    // Monitor: the next version judges, and refuses nothing.
    mesh.ran(&[
        "policy",
        "rollout",
        "start",
        "words",
        "-f",
        &file,
        "--steps",
        "99",
        "--max-refusals",
        "1",
        "--sample",
        "4",
    ]);
    assert_eq!(ask(&mesh, "alpha").status, 403);
    let answer = ask(&mesh, "beta");
    assert_eq!(answer.status, 200);
    let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
    assert_eq!(record["policy_violations"][0]["policy_id"], "words@2", "{record}");
    let changed = mesh.apply(&policy("gamma"));
    assert!(String::from_utf8_lossy(&changed.stderr).contains("being rolled out"), "{changed:?}");

    // A share: this sidecar is in it or not, as its name says, and stays so.
    mesh.ran(&["policy", "rollout", "promote", "words"]);
    let statuses = || (ask(&mesh, "alpha").status, ask(&mesh, "beta").status);
    let first = statuses();
    assert!([(403, 200), (200, 403)].contains(&first), "{first:?}");
    assert_eq!(statuses(), first);
    mesh.ran(&["policy", "rollout", "promote", "words"]);
    assert_eq!(statuses(), (200, 403));
    assert!(mesh.ran(&["policy", "rollout", "status"]).contains("done"));

    // Back to the last known good version in one command, also while all is frozen.
    mesh.ran(&["policy", "freeze", "--reason", "release day", "--by", "ada"]);
    let refused = mesh.apply(&policy("gamma"));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("frozen by ada: release day"), "{refused:?}");
    mesh.ran(&["policy", "rollback", "words"]);
    assert_eq!(statuses(), (403, 200));
    mesh.ran(&["policy", "unfreeze"]);

    // A next version that refuses everything is taken back by itself.
    std::fs::write(&file, policy("")).expect("a file");
    mesh.ran(&["policy", "rollout", "start", "words", "-f", &file, "--max-refusals", "0.2", "--sample", "5"]);
    for _ in 0..6 {
        assert_eq!(ask(&mesh, "harmless").status, 200);
    }
    let state = || -> Value { mesh.api("GET", "/api/v1/policies/words/rollout", None).json() };
    until("the rollout is taken back", || state()["state"] == "rolled_back");
    assert!(state()["note"].as_str().is_some_and(|note| note.contains("refused 100.0%")), "{}", state());
    assert_eq!(ask(&mesh, "harmless").status, 200);

    // And so is one whose guard cannot run: its function gets what it cannot take.
    std::fs::write(
        &file,
        policy("x")
            .replace("some m in input.messages; contains(m.text, \"x\")", "startswith(input.user, \"x\")"),
    )
    .expect("a file");
    mesh.ran(&["policy", "rollout", "start", "words", "-f", &file, "--max-errors", "0.2", "--sample", "5"]);
    for _ in 0..6 {
        assert_eq!(ask(&mesh, "harmless").status, 200);
    }
    until("the rollout is taken back", || state()["state"] == "rolled_back");
    assert!(state()["note"].as_str().is_some_and(|note| note.contains("failed on 100.0%")), "{}", state());
}

/// The control plane's key is replaced behind the sidecar's back: what it sends then is not run, and the last policy stays.
#[test]
fn what_no_trusted_key_has_signed_is_refused_and_the_last_policy_stays() {
    let mut mesh = Mesh::prepare(&policy("alpha"), &[]);
    let mut plane = mesh.serve();
    let _sidecar = mesh.start_sidecar();
    until("the policy is in force", || ask(&mesh, "alpha").status == 403);
    plane.kill();
    let keys = mesh.data().join("policy-signing-keys");
    let trusted = std::fs::read_to_string(&keys).expect("the key");
    std::fs::remove_file(&keys).expect("the key");
    std::fs::write(mesh.data().join("policies/test.yaml"), policy("beta")).expect("a policy");
    let mut plane = mesh.serve();
    let refusal = || -> String {
        let sidecars = mesh.api("GET", "/api/v1/sidecars", None).json();
        let resources = sidecars["sidecars"][0]["resources"].as_array().cloned().unwrap_or_default();
        resources.iter().filter_map(|one| one["refused"]["message"].as_str()).collect()
    };
    until("the sidecar refuses", || !refusal().is_empty());
    for _ in 0..3 {
        assert_eq!(
            (ask(&mesh, "alpha").status, ask(&mesh, "beta").status),
            (403, 200),
            "the last policy stays"
        );
    }
    let log = std::fs::read_to_string(mesh.data().join("envoy.log")).expect("Envoy's log");
    assert!(log.contains("signed by a key that this sidecar does not trust"), "{}", refusal());

    // The trusted key signs again, beside the new one: the policy is run.
    plane.kill();
    let other = std::fs::read_to_string(&keys).expect("the key");
    std::fs::write(&keys, format!("{trusted}\n{other}")).expect("the keys");
    let _plane = mesh.serve();
    until("the policy is in force", || ask(&mesh, "beta").status == 403);
}

/// Ends the Envoy that a part runs at once, as a crash would.
fn kill_envoy(part: &Part) {
    let envoy = child_of(part.id()).expect("Envoy is a child");
    signal(envoy, Signal::SIGKILL);
    until("it is gone", || child_of(part.id()) != Some(envoy));
}

/// Control plane and Envoy may be killed at any moment of a rollout: it goes on where it was, a promotion happens whole or
/// not at all, the files that the control plane starts with undo nothing, and the last known good version stays known.
#[test]
fn a_rollout_survives_kills_and_the_last_good_version_stays_known() {
    let mut mesh = Mesh::prepare(&policy("alpha"), &[]);
    let mut plane = mesh.serve();
    let sidecar = mesh.start_sidecar();
    until("the first version is in force", || ask(&mesh, "alpha").status == 403);
    let applied = mesh.apply(&policy("beta"));
    assert!(applied.status.success(), "{applied:?}");
    let file = mesh.data().join("next.yaml");
    std::fs::write(&file, policy("gamma")).expect("a file");
    let file = file.to_string_lossy().into_owned();
    let start = |mesh: &Mesh| {
        mesh.ran(&[
            "policy", "rollout", "start", "words", "-f", &file, "--steps", "99", "--sample", "1000000",
        ]);
        mesh.ran(&["policy", "rollout", "promote", "words"]);
    };
    let statuses = |mesh: &Mesh| ["alpha", "beta", "gamma"].map(|word| ask(mesh, word).status);
    // Filters come back to a new control plane each in its own time; a command that meets none of them waits for none.
    let back = |mesh: &Mesh| {
        let sidecars = mesh.api("GET", "/api/v1/sidecars", None).json();
        sidecars["sidecars"][0]["policy_version"].is_string()
    };
    let (present, next) = ([200, 403, 200], [200, 200, 403]);
    let rollout = |mesh: &Mesh| mesh.api("GET", "/api/v1/policies/words/rollout", None).json();
    let in_force = |mesh: &Mesh| mesh.api("GET", "/api/v1/policies/words", None).json()["version"].clone();

    start(&mesh);
    let mut on_its_way = statuses(&mesh);
    assert!([present, next].contains(&on_its_way), "{on_its_way:?}");
    let stage = rollout(&mesh)["stage"].clone();
    plane.kill();
    assert_eq!(statuses(&mesh), on_its_way, "while the control plane is away");
    plane = mesh.serve();
    assert_eq!((&rollout(&mesh)["stage"], in_force(&mesh)), (&stage, 2.into()), "{}", rollout(&mesh));
    kill_envoy(&sidecar);
    let up = |mesh: &Mesh| std::net::TcpStream::connect(mesh.sidecar).is_ok();
    until("Envoy is back", || up(&mesh) && statuses(&mesh) == on_its_way);
    plane.kill();
    kill_envoy(&sidecar);
    plane = mesh.serve();
    until("both are back", || up(&mesh) && statuses(&mesh) == on_its_way);
    assert_eq!((&rollout(&mesh)["stage"], in_force(&mesh)), (&stage, 2.into()), "{}", rollout(&mesh));

    // The last step, cut off at different moments.
    let mut ended = 0;
    for delay in [0, 3, 10, 30, 100, 1000] {
        let before = in_force(&mesh);
        let mut promote = Command::new(mesh_tests::tool("AI_MESH_BIN"));
        promote.args(["policy", "rollout", "promote", "words"]).env("AI_MESH_DATA", mesh.data());
        promote.env("AI_MESH_API_URL", format!("http://{}", mesh.api));
        let mut promote = promote.spawn().expect("the command line tool runs");
        std::thread::sleep(Duration::from_millis(delay));
        plane.kill();
        promote.wait().expect("it ends");
        plane = mesh.serve();
        if in_force(&mesh) == before {
            until("the rollout goes on", || statuses(&mesh) == on_its_way);
            assert_eq!(rollout(&mesh)["stage"], stage, "after {delay} ms: {}", rollout(&mesh));
            continue;
        }
        ended += 1;
        until("the next version is in force everywhere", || statuses(&mesh) == next);
        mesh.ran(&["policy", "rollback", "words"]);
        until("the last known good version is in force", || statuses(&mesh) == present);
        plane.kill();
        plane = mesh.serve();
        until("it is in force after a crash too", || back(&mesh) && statuses(&mesh) == present);
        start(&mesh);
        // Another rollout is another choice of sidecars.
        on_its_way = statuses(&mesh);
        assert!([present, next].contains(&on_its_way), "{on_its_way:?}");
    }
    assert!(ended > 0, "no promotion came to its end");
    mesh.ran(&["policy", "rollback", "words"]);
    until("a roll-back ends the rollout", || statuses(&mesh) == present);
}
