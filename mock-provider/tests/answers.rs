//! Each provider's form, asked over a real connection.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of every `data:` line.
    fn events(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().filter_map(|l| l.strip_prefix("data: ")).filter(|l| *l != "[DONE]");
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }
}

async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(mesh_mock_provider::serve(listener));
    address
}

/// One request by HTTP/1.0: the answer ends with the connection, so no chunks have to be undone.
async fn ask(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.0\r\nhost: mock\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a response head");
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

async fn post(to: SocketAddr, path: &str, body: Value) -> Answer {
    ask(to, "POST", path, &[], body.to_string().as_bytes()).await
}

fn user(text: &str) -> Value {
    json!([{ "role": "user", "content": text }])
}

#[tokio::test]
async fn every_provider_says_back_what_it_was_told() {
    let mock = start().await;
    let parts = json!([{ "role": "user", "parts": [{ "text": "hello there" }] }]);
    let table = [
        (
            "/v1/chat/completions",
            json!({ "model": "m", "messages": user("hello there") }),
            "/choices/0/message/content",
        ),
        (
            "/openai/deployments/d/chat/completions",
            json!({ "model": "m", "messages": user("hello there") }),
            "/choices/0/message/content",
        ),
        ("/v1/completions", json!({ "model": "m", "prompt": "hello there" }), "/choices/0/text"),
        ("/v1/responses", json!({ "model": "m", "input": "hello there" }), "/output/0/content/0/text"),
        ("/v1/responses", json!({ "model": "m", "input": user("hello there") }), "/output/0/content/0/text"),
        (
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 9, "messages": user("hello there") }),
            "/content/0/text",
        ),
        (
            "/v1beta/models/g:generateContent",
            json!({ "contents": parts }),
            "/candidates/0/content/parts/0/text",
        ),
        (
            "/model/b/converse",
            json!({ "messages": [{ "role": "user", "content": [{ "text": "hello there" }] }] }),
            "/output/message/content/0/text",
        ),
        (
            "/api/chat",
            json!({ "model": "m", "stream": false, "messages": user("hello there") }),
            "/message/content",
        ),
        ("/api/generate", json!({ "model": "m", "stream": false, "prompt": "hello there" }), "/response"),
        ("/a2a", a2a("message/send"), "/result/parts/0/text"),
        ("/a2a", a2a("SendMessage"), "/result/message/parts/0/text"),
    ];
    for (path, body, place) in table {
        let answer = post(mock, path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(
            answer.json().pointer(place),
            Some(&json!("You said: hello there")),
            "{path}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn streams_join_to_the_whole_answer() {
    let mock = start().await;
    let parts = json!([{ "role": "user", "parts": [{ "text": "hello there" }] }]);
    let table = [
        (
            "/v1/chat/completions",
            json!({ "model": "m", "stream": true, "messages": user("hello there") }),
            "/choices/0/delta/content",
        ),
        (
            "/v1/completions",
            json!({ "model": "m", "stream": true, "prompt": "hello there" }),
            "/choices/0/text",
        ),
        ("/v1/responses", json!({ "model": "m", "stream": true, "input": "hello there" }), "/delta"),
        (
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 9, "stream": true, "messages": user("hello there") }),
            "/delta/text",
        ),
        (
            "/v1beta/models/g:streamGenerateContent?alt=sse",
            json!({ "contents": parts }),
            "/candidates/0/content/parts/0/text",
        ),
        ("/a2a", a2a("message/stream"), "/result/artifact/parts/0/text"),
        ("/a2a", a2a("SendStreamingMessage"), "/result/artifactUpdate/artifact/parts/0/text"),
    ];
    for (path, body, place) in table {
        let answer = post(mock, path, body).await;
        assert!(answer.head.contains("content-type: text/event-stream"), "{path}: {}", answer.head);
        let pieces: Vec<_> =
            answer.events().iter().filter_map(|e| e.pointer(place)?.as_str().map(str::to_owned)).collect();
        assert_eq!(pieces.concat(), "You said: hello there", "{path}");
        assert!(pieces.len() > 3, "{path}: {pieces:?}");
    }
}

#[tokio::test]
async fn streams_of_other_framings_join_to_the_whole_answer() {
    let mock = start().await;
    let parts = json!([{ "role": "user", "parts": [{ "text": "hello there" }] }]);
    let blocks = json!([{ "role": "user", "content": [{ "text": "hello there" }] }]);
    let lines =
        |answer: &Answer| answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let array = |answer: &Answer| answer.json().as_array().unwrap().clone();
    type Events = fn(&Answer) -> Vec<Value>;
    let table: [(&str, Value, &str, Events, &str); 4] = [
        (
            "/api/chat",
            json!({ "model": "m", "messages": user("hello there") }),
            "application/x-ndjson",
            lines,
            "/message/content",
        ),
        (
            "/api/generate",
            json!({ "model": "m", "prompt": "hello there" }),
            "application/x-ndjson",
            lines,
            "/response",
        ),
        (
            "/v1beta/models/g:streamGenerateContent",
            json!({ "contents": parts }),
            "application/json",
            array,
            "/candidates/0/content/parts/0/text",
        ),
        (
            "/model/b/converse-stream",
            json!({ "messages": blocks }),
            "application/vnd.amazon.eventstream",
            frames,
            "/delta/text",
        ),
    ];
    for (path, body, content_type, events, place) in table {
        let answer = post(mock, path, body).await;
        assert!(answer.head.contains(&format!("content-type: {content_type}")), "{path}: {}", answer.head);
        let events = events(&answer);
        let pieces: Vec<_> = events.iter().filter_map(|e| e.pointer(place)?.as_str()).collect();
        assert_eq!(pieces.concat(), "You said: hello there", "{path}");
        assert!(pieces.len() > 3, "{path}: {pieces:?}");
    }
}

/// The payloads of Amazon's frames: a length, the headers' length, a checksum; headers, payload, a checksum.
fn frames(answer: &Answer) -> Vec<Value> {
    let mut rest = answer.body.as_slice();
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        payloads.push(serde_json::from_slice(&rest[12 + headers..total - 4]).unwrap());
        rest = &rest[total..];
    }
    payloads
}

fn a2a(method: &str) -> Value {
    let message = json!({ "role": "user", "parts": [{ "kind": "text", "text": "hello there" }] });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "message": message } })
}

#[tokio::test]
async fn usage_comes_last_and_only_when_asked_for() {
    let mock = start().await;
    let mut body = json!({ "model": "m", "stream": true, "n": 2, "messages": user("hi") });
    let events = post(mock, "/v1/chat/completions", body.clone()).await.events();
    assert!(events.iter().all(|e| e.get("usage").is_none()));
    assert!(events.iter().any(|e| e["choices"][0]["index"] == 1), "both choices stream");
    body["stream_options"] = json!({ "include_usage": true });
    let events = post(mock, "/v1/chat/completions", body).await.events();
    let (last, others) = events.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(6)));
    assert!(others.iter().all(|e| e["usage"].is_null()));
}

#[tokio::test]
async fn tools_are_called_whole_and_in_pieces() {
    let mock = start().await;
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let said = "please call weather for Oslo";
    let expected = json!({ "city": said });
    let chat_tools = json!([{ "type": "function", "function": { "name": "weather", "parameters": schema } }]);
    let flat_tools = json!([{ "type": "function", "name": "weather", "parameters": schema }]);
    let anthropic_tools = json!([{ "name": "weather", "input_schema": schema }]);
    let table = [
        (
            "/v1/chat/completions",
            json!({ "messages": user(said), "tools": chat_tools }),
            "/choices/0/message/tool_calls/0/function/arguments",
            "/choices/0/delta/tool_calls/0/function/arguments",
        ),
        ("/v1/responses", json!({ "input": said, "tools": flat_tools }), "/output/0/arguments", "/delta"),
        (
            "/v1/messages",
            json!({ "max_tokens": 9, "messages": user(said), "tools": anthropic_tools }),
            "/content/0/input",
            "/delta/partial_json",
        ),
    ];
    for (path, mut body, whole, piece) in table {
        body["model"] = "m".into();
        let answer = post(mock, path, body.clone()).await.json();
        let arguments = match answer.pointer(whole) {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap(),
            other => other.cloned().unwrap_or_default(),
        };
        assert_eq!(arguments, expected, "{path}: {answer}");
        body["stream"] = true.into();
        let events = post(mock, path, body).await.events();
        let pieces: String = events.iter().filter_map(|e| e.pointer(piece)?.as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&pieces).unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn mistakes_get_the_providers_own_error() {
    let mock = start().await;
    let unknown = |extra: Value| {
        let mut body = extra;
        body["model"] = "does-not-exist".into();
        body.to_string()
    };
    let table = [
        ("/v1/chat/completions", "{".to_owned(), 400, "/error/type", "invalid_request_error"),
        (
            "/v1/chat/completions",
            unknown(json!({ "messages": user("x") })),
            404,
            "/error/code",
            "model_not_found",
        ),
        ("/v1/responses", unknown(json!({ "input": "x" })), 404, "/error/code", "model_not_found"),
        ("/v1/messages", "[]".to_owned(), 400, "/error/type", "invalid_request_error"),
        (
            "/v1/messages",
            json!({ "model": "m", "messages": user("x") }).to_string(),
            400,
            "/error/type",
            "invalid_request_error",
        ),
        ("/v1/messages", unknown(json!({})), 404, "/error/type", "not_found_error"),
        ("/v1beta/models/does-not-exist:generateContent", "{}".to_owned(), 404, "/error/status", "NOT_FOUND"),
        ("/v1/nowhere", "{}".to_owned(), 404, "/error/type", "invalid_request_error"),
    ];
    for (path, body, status, place, expected) in table {
        let answer = ask(mock, "POST", path, &[], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert_eq!(answer.json().pointer(place), Some(&json!(expected)), "{path} {body}");
    }
    let asked = ask(mock, "POST", "/v1/messages", &[("x-mock-status", "529")], b"{}").await;
    assert_eq!((asked.status, &asked.json()["error"]["type"]), (529, &json!("overloaded_error")));
}

#[tokio::test]
async fn knobs_bend_the_answer() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let mock = start().await;
    let planted = BASE64_STANDARD.encode("card 4111 1111 1111 1111 é");
    let body = json!({ "model": "m", "stream": true, "messages": user("x") }).to_string();
    let said = |answer: &Answer| -> String {
        answer.events().iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
    };
    let path = "/v1/chat/completions";
    let exact = ask(mock, "POST", path, &[("x-mock-reply", &planted)], body.as_bytes()).await;
    assert_eq!(said(&exact), "card 4111 1111 1111 1111 é");
    for knob in [("x-mock-chunk-bytes", "1"), ("x-mock-chunk-bytes", "7"), ("x-mock-delay-ms", "1")] {
        let cut = ask(mock, "POST", path, &[("x-mock-reply", &planted), knob], body.as_bytes()).await;
        assert_eq!(cut.body, exact.body, "{knob:?}");
    }
    let crlf =
        ask(mock, "POST", path, &[("x-mock-reply", &planted), ("x-mock-eol", "crlf")], body.as_bytes()).await;
    assert_eq!(crlf.text().replace("\r\n", "\n"), exact.text());
    let gzip =
        ask(mock, "POST", path, &[("x-mock-reply", &planted), ("x-mock-encoding", "gzip")], body.as_bytes())
            .await;
    assert!(gzip.head.contains("content-encoding: gzip"));
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gzip.body[..]), &mut plain).unwrap();
    assert_eq!(plain, exact.body);
    let broken =
        ask(mock, "POST", path, &[("x-mock-reply", &planted), ("x-mock-abort-after", "50")], body.as_bytes())
            .await;
    assert_eq!(broken.body, exact.body[..50]);
    let raw =
        ask(mock, "POST", path, &[("x-mock-body", "eyIg"), ("x-mock-content-type", "x/y")], body.as_bytes())
            .await;
    assert_eq!((raw.text().as_str(), raw.head.contains("content-type: x/y")), ("{\" ", true));
}

#[tokio::test]
async fn the_journal_tells_what_arrived() {
    let mock = start().await;
    ask(mock, "POST", "/v1/chat/completions?a=b", &[("x-test", "1")], b"{\"secret\": 1}").await;
    ask(mock, "POST", "/echo", &[], b"\xff\xfe").await;
    let requests = ask(mock, "GET", "/__mock/requests", &[], b"").await.json();
    assert_eq!(requests["requests"][0]["body"], "{\"secret\": 1}");
    assert_eq!(requests["requests"][0]["path"], "/v1/chat/completions?a=b");
    assert_eq!(requests["requests"][0]["headers"]["x-test"], "1");
    assert_eq!(requests["requests"][1]["bodyBase64"], "//4=");
    ask(mock, "DELETE", "/__mock/requests", &[], b"").await;
    assert_eq!(ask(mock, "GET", "/__mock/requests", &[], b"").await.json(), json!({ "requests": [] }));
}

#[tokio::test]
async fn mcp_from_hello_to_goodbye() {
    let mock = start().await;
    let rpc = |id: u64, method: &str, params: Value| {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
    };
    let hello = rpc(1, "initialize", json!({ "protocolVersion": "2025-06-18" }));
    let hello = ask(mock, "POST", "/mcp", &[], hello.as_bytes()).await;
    assert_eq!(hello.json()["result"]["protocolVersion"], "2025-06-18");
    assert!(hello.head.contains("mcp-session-id: mock-session-1"), "{}", hello.head);
    let session = ("mcp-session-id", "mock-session-1");

    let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    let told = ask(mock, "POST", "/mcp", &[session], told.as_bytes()).await;
    assert_eq!((told.status, told.body.len()), (202, 0));

    let accept = ("accept", "application/json, text/event-stream");
    let table = [
        ("ping", json!({}), "/result", json!({})),
        ("tools/list", json!({}), "/result/tools/0/name", json!("echo")),
        (
            "tools/call",
            json!({ "name": "echo", "arguments": { "text": "hey" } }),
            "/result/content/0/text",
            json!("hey"),
        ),
        (
            "tools/call",
            json!({ "name": "lookup_customer", "arguments": {} }),
            "/result/structuredContent/ssn",
            json!("536-90-4399"),
        ),
        ("tools/call", json!({ "name": "nobody" }), "/error/code", json!(-32602)),
        (
            "resources/read",
            json!({ "uri": "mock://handbook" }),
            "/result/contents/0/uri",
            json!("mock://handbook"),
        ),
        (
            "prompts/get",
            json!({ "name": "summarise", "arguments": { "text": "it" } }),
            "/result/messages/0/content/text",
            json!("Summarise this: it"),
        ),
        ("no/such", json!({}), "/error/code", json!(-32601)),
    ];
    for (method, params, place, expected) in table {
        let answer = ask(mock, "POST", "/mcp", &[session, accept], rpc(7, method, params).as_bytes()).await;
        let body = if method == "tools/call" { answer.events().pop().unwrap() } else { answer.json() };
        assert_eq!(body["id"], 7, "{method}");
        assert_eq!(body.pointer(place), Some(&expected), "{method}: {body}");
    }
    let stateless = ("mcp-protocol-version", "2026-07-28");
    let discovered =
        ask(mock, "POST", "/mcp", &[stateless], rpc(1, "server/discover", json!({})).as_bytes()).await;
    assert_eq!(discovered.json()["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(discovered.json()["result"]["resultType"], "complete");

    let batch = format!("[{},{}]", rpc(1, "ping", json!({})), rpc(2, "ping", json!({})));
    assert_eq!(
        ask(mock, "POST", "/mcp", &[session], batch.as_bytes()).await.json().as_array().unwrap().len(),
        2
    );
    assert_eq!(ask(mock, "GET", "/mcp", &[session], b"").await.status, 405);
    assert_eq!(ask(mock, "DELETE", "/mcp", &[session], b"").await.status, 204);
    assert_eq!(ask(mock, "POST", "/mcp", &[session], rpc(3, "ping", json!({})).as_bytes()).await.status, 404);
}
