//! Ways to a provider on which a limit holds, and other Envoys that count here.
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use mesh_tests::limits::{claude, policy, responses, settled};
use mesh_tests::{Answer, Mesh, Request, by, chat, eventually, exchange, free_port, raw, tool};
use serde_json::{Value, json};

/// Kinds of bypass: other routes to the same model, many calls in one batch, other spellings of the caller.
#[test]
fn limits_hold_on_every_way_to_the_provider() {
    let mesh = Mesh::up(
        &(policy(
            "calls",
            "target: { agents: [\"calls\"] }, rules: [ { rateLimit: { key: tool, requestsPerDay: 2 } } ]",
        ) + &policy(
            "ways",
            "target: { agents: [\"ways\"] }, rules: [ { rateLimit: { key: user, requestsPerDay: 4 } } ]",
        ) + &policy(
            "seen",
            "target: { agents: [\"seen\"] }, enforcement: logging, rules: [ { rateLimit: { requestsPerDay: 1 } } ]",
        ) + &policy(
            "held",
            "target: { agents: [\"seen\"] }, rules: [ { rateLimit: { requestsPerDay: 3 } } ]",
        )),
        &[],
    );
    // No user is told: the agent is counted, on all routes and protocols together.
    let ways = [
        Request::post("/v1/chat/completions", &chat("a")),
        claude("a", false),
        responses("a", true),
        Request::post("/v1/chat/completions", &chat("a")).header("x-ai-mesh-user", ""),
        Request::post("/v1/embeddings", &json!({ "model": "text-embedding-3-small", "input": "a" })),
        Request::get("/v1/models"),
    ];
    let statuses: Vec<u16> = ways.into_iter().map(|request| mesh.send(&by("ways", request)).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    // A policy that only records does not keep another from counting once it is over.
    let statuses: Vec<u16> = (0..5)
        .map(|_| mesh.send(&by("seen", Request::post("/v1/chat/completions", &chat("a")))).status)
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    // Each tool has its own account; other methods have none.
    let call = |id: u32, tool: &str| {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": tool, "arguments": { "text": "hi" } } });
        let request = Request::post("/mcp", &body).header("accept", "application/json, text/event-stream");
        mesh.send(&by("calls", request)).text()
    };
    let refused: Vec<bool> = (0..4).map(|id| call(id, "echo").contains("requestsPerDay")).collect();
    assert_eq!(refused, [false, false, true, true]);
    assert!(!call(9, "lookup_customer").contains("requestsPerDay"));
}

/// One account for every way a path can be written and every way a request can be sent.
#[test]
fn no_way_of_asking_is_a_way_around() {
    let rule = |agent: &str, limit: &str| {
        policy(
            agent,
            &format!(
                "target: {{ agents: [{agent}] }}, rules: [ {{ rateLimit: {{ {limit}, mode: strict }} }} ]"
            ),
        )
    };
    let open = policy(
        "opened",
        "target: { agents: [opened] }, failureMode: open, rules: [ { rateLimit: { requestsPerDay: 2, mode: strict } } ]",
    );
    let policies = rule("spelled", "tokensPerDay: 20")
        + &rule("piped", "requestsPerDay: 2")
        + &rule("streams", "requestsPerDay: 5")
        + &rule("again", "requestsPerDay: 2")
        + &rule("batches", "requestsPerDay: 7")
        + &rule("tools", "key: tool, requestsPerDay: 4")
        + &rule("upgrades", "requestsPerDay: 2")
        + &rule("files", "tokensPerDay: 100000")
        + &policy(
            "openfiles",
            "target: { agents: [openfiles] }, failureMode: open, rules: [ { rateLimit: { tokensPerDay: 9000 } } ]",
        )
        + &open;
    let mesh = Mesh::up(&policies, &[]);
    let ask = |agent: &str, request: Request| mesh.send(&by(agent, request)).status;
    let hello = || Request::post("/v1/chat/completions", &chat("hello"));

    // The body alone would take more than the budget: wherever it is read, it is refused.
    let spellings = [
        "/v1/chat/completions",
        "/v1/chat/completions/",
        "/V1/Chat/Completions",
        "/v1/chat%2Fcompletions",
        "/v1/%63hat/completions",
        "//v1//chat///completions",
        "/v1/./chat/x/../completions",
        "/v1/chat/completions?x=/v1/models",
        "/chat/completions",
        "/proxy/v1/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        "/somewhere/else",
        "/v1/models",
    ];
    for path in spellings {
        let status = ask("spelled", Request::post(path, &chat("hello")));
        // Of a path that tells nothing it is not known what bounds an answer.
        let told = path.contains("ompletions");
        assert_eq!(status, if told { 429 } else { 503 }, "{path}");
    }

    // Several in one connection: pipelined, and as streams of HTTP/2.
    let one = "GET /v1/models HTTP/1.1\r\nhost: mesh.test\r\nx-ai-mesh-agent: piped\r\n";
    let last = format!("{one}connection: close\r\n\r\n");
    mesh.upstream.forget();
    raw(mesh.sidecar, (format!("{one}\r\n").repeat(5) + &last).as_bytes());
    let statuses: Vec<u16> = (0..3).map(|_| ask("piped", hello())).collect();
    assert_eq!(statuses[2], 429, "{statuses:?}");
    assert!(mesh.upstream.requests().len() <= 2, "of six in one write and three more, two are admitted");
    let streams: Vec<Request> = (0..12).map(|_| by("streams", hello())).collect();
    let statuses = mesh_tests::h2::multiplexed(mesh.sidecar, &streams);
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (5, 7), "{statuses:?}");

    // A client's retry is a request; the sidecar's own there are none, whatever the client asks for.
    let failing = || {
        let retried = hello().header("x-mock-status", "503").header("idempotency-key", "1");
        retried.header("x-envoy-retry-on", "5xx").header("x-envoy-max-retries", "5")
    };
    mesh.upstream.forget();
    let statuses: Vec<u16> = (0..3).map(|_| ask("again", failing())).collect();
    assert_eq!(statuses, [503, 503, 429]);
    assert_eq!(mesh.upstream.requests().len(), 2);

    // Each call of a batch counts, under its caller and under its tool.
    let batch = |tools: &[&str]| {
        let call = |(id, tool): (usize, &&str)| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": {} } });
        let body = Value::Array(tools.iter().enumerate().map(call).collect());
        Request::post("/mcp", &body).header("accept", "application/json, text/event-stream")
    };
    let over =
        |agent: &str, tools: &[&str]| mesh.send(&by(agent, batch(tools))).text().contains("requestsPerDay");
    assert!(!over("batches", &["echo"; 5]));
    assert!(over("batches", &["echo"; 3]), "five and three are more than seven");
    assert!(!over("batches", &["echo"; 2]));
    assert!(over("tools", &["echo"; 5]));
    assert!(!over("tools", &["echo", "other", "echo", "echo"]));
    assert!(over("tools", &["echo"; 2]) && !over("tools", &["other"; 2]));
    let many: Vec<String> = (0..17).map(|number| format!("tool-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answer = mesh.send(&by("tools", batch(&many)));
    assert!(answer.header("x-ai-mesh-guards").contains("rateLimit=failed:tools"), "{answer:?}");

    // Upgrades are refused; what only says so counts.
    let upgrade = |headers: &str| {
        let head = format!(
            "GET /v1/models HTTP/1.1\r\nhost: mesh.test\r\nx-ai-mesh-agent: upgrades\r\n{headers}\r\n"
        );
        raw(mesh.sidecar, head.as_bytes()).status
    };
    mesh.upstream.forget();
    for protocol in ["websocket", "h2c", "spdy/3.1"] {
        let asked = format!(
            "connection: upgrade\r\nupgrade: {protocol}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        let status = upgrade(&asked);
        assert_ne!(status, 101, "{protocol}");
    }
    for _ in 0..3 {
        ask("upgrades", hello().header("upgrade", "websocket"));
    }
    assert_eq!(ask("upgrades", hello()), 429);
    assert!(mesh.upstream.requests().len() <= 2, "{:?}", mesh.upstream.requests());
    let statuses: Vec<u16> =
        (0..3).map(|_| ask("opened", hello().header("content-encoding", "x-unheard-of"))).collect();
    assert_eq!(statuses[2], 429, "uninspected, and counted all the same: {statuses:?}");

    // A file of requests is no request. What having it run takes cannot be known, and it may be run again.
    let line = r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","messages":[]}}"#;
    let file = format!(
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"b.jsonl\"\r\n\r\n{line}\r\n--b--\r\n"
    );
    let upload = Request::bytes("/v1/files", "multipart/form-data; boundary=b", file.as_bytes());
    let answer = mesh.send(&by("files", upload));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(settled(&mesh, "files", "tokens"), 0);
    let run =
        || Request::post("/v1/batches", &json!({ "input_file_id": "file-1", "endpoint": "/v1/responses" }));
    let answer = mesh.send(&by("files", run()));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("x-ai-mesh-guards").contains("rateLimit=failed:batch"), "{answer:?}");
    let answer = mesh.send(&by("openfiles", run()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("x-ai-mesh-guards").contains("rateLimit=failed:batch"), "{answer:?}");
    // Anthropic's batches bring their requests along: all of them count, with the most that their answers may take.
    let params = |text: &str| {
        json!({ "params": { "model": "claude-sonnet-4-5", "max_tokens": 500,
        "messages": [{ "role": "user", "content": text }] }, "custom_id": text })
    };
    let batch = json!({ "requests": [params("one"), params("two"), params("three")] });
    let answer = mesh.send(&by("files", Request::post("/v1/messages/batches", &batch)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let used = settled(&mesh, "files", "tokens");
    let most = batch.to_string().len() as u64 + 3 * 500;
    assert_eq!(used, most, "a token for each byte of the requests, and all that the answers may have");
    let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
    assert_eq!(record["usage"]["estimated"], true, "{record}");
}

/// Where headers are not believed, another name is no other account.
#[test]
fn an_agent_has_no_other_name_where_headers_are_not_believed() {
    let policies = policy("each", "rules: [ { rateLimit: { requestsPerDay: 2, mode: strict } } ]");
    let mesh = Mesh::up(&policies, &["--trust-identity-headers", "false"]);
    let statuses: Vec<u16> = (0..4)
        .map(|number| {
            let request = Request::post("/v1/chat/completions", &chat("hello"));
            let spoofed =
                by(&format!("agent-{number}"), request).header("x-ai-mesh-user", &number.to_string());
            mesh.send(&spoofed.header("X-AI-Mesh-Agent", "second")).status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 429, 429]);
}

const STOCK: &str = r#"
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: stock
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: / }
                route: { cluster: app }
              rate_limits:
              - actions: [ { request_headers: { header_name: x-tenant, descriptor_key: tenant } } ]
                limit: { dynamic_metadata: { metadata_key: { key: limits, path: [ { key: tenant } ] } } }
          http_filters:
          - name: envoy.filters.http.set_metadata
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config
              metadata: [ { metadata_namespace: limits, value: { tenant: { requests_per_unit: 3, unit: MINUTE } } } ]
          - name: envoy.filters.http.ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
              domain: stock
              failure_mode_deny: true
              timeout: 2s
              enable_x_ratelimit_headers: DRAFT_VERSION_03
              rate_limit_service:
                transport_api_version: V3
                grpc_service:
                  envoy_grpc: { cluster_name: mesh }
                  initial_metadata: [ { key: authorization, value: "Bearer TOKEN" } ]
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: app
    connect_timeout: 2s
    load_assignment:
      cluster_name: app
      endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: APP } } } } ] } ]
  - name: mesh
    connect_timeout: 2s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment:
      cluster_name: mesh
      endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: GRPC } } } } ] } ]
"#;

/// An Envoy that knows nothing of the mesh counts in our rate limit service, with its own filter.
#[test]
fn any_envoy_can_count_here() {
    let mesh = Mesh::up("", &[]);
    let token = std::fs::read_to_string(mesh.data().join("sidecar-token")).expect("the sidecars' token");
    let port = free_port();
    let config = STOCK
        .replace("PORT", &port.to_string())
        .replace("GRPC", &mesh.grpc.port().to_string())
        .replace("APP", mesh.upstream.url().rsplit(':').next().unwrap_or_default())
        .replace("TOKEN", token.trim());
    let mut envoy = Command::new(tool("AI_MESH_ENVOY"))
        .args([
            "--config-yaml",
            &config,
            "--use-dynamic-base-id",
            "--concurrency",
            "1",
            "--log-level",
            "error",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("Envoy starts");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("Envoy listens", || TcpStream::connect(address).is_ok().then_some(()));
    let ask = |tenant: &str| exchange(address, &Request::get("/v1/models").header("x-tenant", tenant));
    let answers: Vec<Answer> = (0..4).map(|_| ask("one")).collect();
    let other = ask("two");
    let _ = envoy.kill();
    let _ = envoy.wait();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(other.status, 200, "each tenant has its own count");
    let remaining: Vec<&str> = answers.iter().map(|answer| answer.header("x-ratelimit-remaining")).collect();
    assert_eq!(remaining, ["2", "1", "0", "0"]);
    let listed = mesh.api("GET", "/api/v1/limits", None).json();
    let limits = listed["limits"].as_array().expect("a list");
    let stock = limits.iter().find(|limit| limit["key"].as_str().is_some_and(|key| key.contains("one")));
    assert_eq!(
        stock.map(|limit| (&limit["used"], &limit["policy"])),
        Some((&json!(3), &Value::Null)),
        "{listed}"
    );
}
