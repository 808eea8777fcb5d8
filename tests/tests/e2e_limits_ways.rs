//! Ways to a provider on which a limit holds, and other Envoys that count here.
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use mesh_tests::limits::{by, claude, eventually, policy, responses};
use mesh_tests::{Answer, Mesh, Request, chat, exchange, free_port, tool};
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
    let token = std::fs::read_to_string(mesh.data.join("sidecar-token")).expect("the sidecars' token");
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
