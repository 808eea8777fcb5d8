//! Limits under races: many clients, workers, Envoys and control planes, and a Redis that goes away.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mesh_tests::limits::{by, eventually, policy, redis, settled};
use mesh_tests::{Mesh, Request, chat, free_port};
use serde_json::{Value, json};

/// Two control planes, two Envoys with two workers each, one Redis; fifty clients at once.
#[test]
fn fifty_racing_clients_never_pass_the_limit() {
    let name = format!("race-{}", free_port());
    let policies = policy(
        &name,
        "rules: [ { rateLimit: { tokensPerDay: 3000, mode: strict } }, { rateLimit: { key: user, requestsPerHour: 90 } } ]",
    );
    let redis = redis();
    let meshes = [Mesh::up(&policies, &["--redis", &redis]), Mesh::up(&policies, &["--redis", &redis])];
    let ask = |mesh: &Mesh, agent: &str, user: &str, body: &Value| {
        let request = Request::post("/v1/chat/completions", body).header("x-ai-mesh-user", user);
        mesh.send(&by(agent, request))
    };
    let mut body = chat("four words of text");
    body["max_tokens"] = 100.into();
    let streamed = {
        let mut body = body.clone();
        body["stream"] = true.into();
        body
    };
    let spent: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..50_usize)
            .map(|client| {
                let (meshes, body, streamed, ask) = (&meshes, &body, &streamed, &ask);
                scope.spawn(move || {
                    let mut spent = 0;
                    for round in 0..3_usize {
                        let mesh = &meshes[(client + round) % 2];
                        let user = format!("u{client}");
                        let answer = ask(mesh, "budget", &user, if round == 1 { streamed } else { body });
                        assert!(matches!(answer.status, 200 | 429), "{}: {}", answer.status, answer.text());
                        // The mock's answer repeats the question; both are four words, and three come with it.
                        spent += if answer.status == 200 { 4 + 6 } else { 0 };
                    }
                    spent
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    assert!(spent > 0 && spent <= 3000, "{spent} tokens of 3000");
    assert_eq!(
        settled(&meshes[0], "budget", "tokens"),
        spent,
        "both planes see one account, and every token in it"
    );

    let admitted: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..50_usize)
            .map(|client| {
                let (meshes, ask) = (&meshes, &ask);
                let body = json!({ "model": "gpt-4o", "messages": [] , "max_tokens": 1 });
                scope.spawn(move || {
                    let agent = format!("a{client}");
                    (0..4)
                        .filter(|round| {
                            ask(&meshes[(client + round) % 2], &agent, "all", &body).status != 429
                        })
                        .count()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    assert_eq!(admitted, 90, "of 200 requests by one user");
}

/// Stands between the control plane and Redis, and can be told to be gone.
struct Wire {
    address: SocketAddr,
    gone: Arc<AtomicBool>,
}

impl Wire {
    fn to(redis: &str) -> Self {
        let target = redis.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        let target = target.split('/').next().unwrap_or_default().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let gone = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&gone);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (Ok(server), false) = (TcpStream::connect(&target), told.load(Ordering::SeqCst)) else {
                    continue;
                };
                for (mut from, mut to) in [
                    (client.try_clone().expect("a socket"), server.try_clone().expect("a socket")),
                    (server, client),
                ] {
                    let told = Arc::clone(&told);
                    std::thread::spawn(move || {
                        from.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
                        let mut buffer = [0; 4096];
                        while !told.load(Ordering::SeqCst) {
                            match from.read(&mut buffer) {
                                Ok(0) => break,
                                Ok(read) if to.write_all(&buffer[..read]).is_err() => break,
                                Ok(_) => {}
                                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                                Err(_) => break,
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Wire { address, gone }
    }
}

#[test]
fn without_redis_the_policys_choice_is_visible_and_nothing_hangs() {
    let wire = Wire::to(&redis());
    let name = format!("away-{}", free_port());
    let mesh = Mesh::up(
        &(policy(
            &format!("{name}-closed"),
            "target: { agents: [\"closed\"] }, rules: [ { rateLimit: { tokensPerDay: 100000, requestsPerDay: 3 } } ]",
        ) + &policy(
            &format!("{name}-open"),
            "target: { agents: [\"open\"] }, failureMode: open, rules: [ { rateLimit: { requestsPerDay: 3 } } ]",
        )),
        &["--redis", &format!("redis://{}", wire.address)],
    );
    let ask = |agent: &str| mesh.send(&by(agent, Request::post("/v1/chat/completions", &chat("hello"))));
    assert_eq!((ask("closed").status, ask("open").status), (200, 200));
    wire.gone.store(true, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    let (closed, open) = (ask("closed"), ask("open"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((closed.status, open.status), (503, 200), "{} {}", closed.text(), open.text());
    for answer in [&closed, &open] {
        let guards = answer.header("x-ai-mesh-guards");
        assert!(guards.contains("rateLimit=failed:unreachable"), "{guards}");
    }
    wire.gone.store(false, Ordering::SeqCst);
    eventually("limits are counted again", || (ask("open").status == 429).then_some(()));
    let statuses: Vec<u16> = (0..3).map(|_| ask("closed").status).collect();
    assert_eq!(statuses, [200, 200, 429], "what was counted before is still counted");
}
