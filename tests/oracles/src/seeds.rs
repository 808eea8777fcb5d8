//! Inputs to begin with: the corpora of the tests, and shapes of every protocol.

const TEXTS: &[&str] = &[
    include_str!("../../corpus/pii/common.jsonl"),
    include_str!("../../corpus/pii/disguised.jsonl"),
    include_str!("../../corpus/pii/mixed.jsonl"),
    include_str!("../../corpus/pii/national.jsonl"),
    include_str!("../../corpus/pii/secrets.jsonl"),
    include_str!("../../corpus/injection/disguised.jsonl"),
    include_str!("../../corpus/injection/encoded_payload.jsonl"),
    include_str!("../../corpus/injection/role_forgery.jsonl"),
];

/// The texts of the detectors' corpora.
pub fn texts() -> Vec<Vec<u8>> {
    let rows = TEXTS.iter().flat_map(|file| file.lines());
    let row = |line| serde_json::from_str::<serde_json::Value>(line).expect("a row");
    rows.filter_map(|line| Some(row(line)["text"].as_str()?.as_bytes().to_vec())).collect()
}

const JSON: &[&str] = &[
    r#"{"a":[1,-0,2.5e3,true,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":"4111111111111111"}}"#,
    r#"{"in":"{\"b\":\"\\u0034111111111111111\",\"c\":[{}]}","logprobs":null}"#,
    r#"[[[[]]],{"":""},"data:text/plain;base64,NDExMTExMTExMTExMTExMQ==",12345678901234567890]"#,
    r#"{"NTM2LTkwLTQzOTkgaXMgbXkgbnVtYmVyLCBwbGVhc2Uga2VlcCBpdA==":"NTM2LTkwLTQzOTkgaXMgbXkgbnVtYmVyLCBwbGVhc2Uga2VlcCBpdA=="}"#,
    r#"{"k":1,"k\u0031":2,"rol\u0065":"b"}"#,
    "[1e400]",
    "\u{FEFF}{}",
];

/// JSON, strict and not.
pub fn json() -> Vec<Vec<u8>> {
    JSON.iter().map(|text| text.as_bytes().to_vec()).chain(bodies().map(|(_, body)| body.into())).collect()
}

/// Bodies by the place of their protocol in the targets' list.
const REQUESTS: &[(u8, &str)] = &[
    (
        0,
        r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"536-90-4399"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"x\"}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"type":"function","function":{"name":"g"}}],"max_tokens":5,"n":2}"#,
    ),
    (
        0,
        r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"logprobs":{"content":[{"token":"hi"}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    ),
    (1, r#"{"model":"m","prompt":["a","b"],"max_tokens":3}"#),
    (
        2,
        r#"{"model":"m","instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"t"}]},{"type":"function_call","name":"f","arguments":"{}","call_id":"c"},{"type":"function_call_output","call_id":"c","output":"o"}],"tools":[{"type":"function","name":"f"}]}"#,
    ),
    (
        2,
        r#"{"id":"r","object":"response","output":[{"type":"message","content":[{"type":"output_text","text":"t","annotations":[]}]},{"type":"reasoning","summary":[]}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
    ),
    (3, r#"{"model":"m","input":["a",[1,2,3]]}"#),
    (
        4,
        r#"{"model":"claude","max_tokens":5,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"r"}]},{"type":"document","source":{"type":"text","data":"d"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1234567}}]}],"tools":[{"name":"f","description":"d","input_schema":{}}]}"#,
    ),
    (
        4,
        r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"t"},{"type":"thinking","thinking":"h","signature":"s"}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
    ),
    (
        5,
        r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"t"},{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}},{"functionCall":{"name":"f","args":{"a":"b"}}},{"functionResponse":{"name":"f","response":{"r":"x"}}}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d"},{"name":"g"}]}],"generationConfig":{"maxOutputTokens":5}}"#,
    ),
    (
        6,
        r#"{"model":"m","messages":[{"role":"user","content":"c","images":["aGk="]}],"tools":[{"type":"function","function":{"name":"f"}}]}"#,
    ),
    (6, r#"{"model":"m","response":"r","done":true,"context":[1,2],"prompt_eval_count":1,"eval_count":2}"#),
    (
        7,
        r#"{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"t"},{"toolResult":{"toolUseId":"t","content":[{"json":{"a":"b"}}]}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{}}}}]}}"#,
    ),
    (
        8,
        r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[{"role":"user","content":"c"}]}"#,
    ),
    (
        8,
        r#"{"chunk":{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJkZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiJoaSJ9fQ=="}}"#,
    ),
    (
        9,
        r#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"role":"user","parts":[{"kind":"text","text":"t"},{"kind":"data","data":{"a":"b"}},{"kind":"file","file":{"bytes":"aGk=","mimeType":"text/plain"}}],"messageId":"m"}}}"#,
    ),
    (10, r#"{"message":{"role":"ROLE_USER","parts":[{"text":"t"}],"messageId":"m"}}"#),
    (
        11,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"f","arguments":{"a":"536-90-4399"},"_meta":{}}}"#,
    ),
    (
        11,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"f","description":"d","inputSchema":{"type":"object"}},{"name":"g"}],"nextCursor":"n"}}"#,
    ),
    (
        11,
        r#"{"jsonrpc":"2.0","id":"1","result":{"content":[{"type":"text","text":"{\"a\":1}"},{"type":"resource","resource":{"uri":"u","text":"t"}}],"structuredContent":{"a":1}}}"#,
    ),
    (
        11,
        r#"[{"jsonrpc":"2.0","method":"notifications/progress","params":{}},{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"file:///x"}}]"#,
    ),
    (12, r#"{"any":"thing"}"#),
    (13, "plain text with 536-90-4399"),
    (13, "{\"a\":1}\n{\"a\":2}\n"),
];

fn bodies() -> impl Iterator<Item = (u8, &'static str)> {
    REQUESTS.iter().copied()
}

/// Bodies as requests and as answers of every operation.
pub fn messages() -> Vec<Vec<u8>> {
    bodies()
        .flat_map(|(protocol, body)| {
            [0, 1, 2, 4, 6, 7, 10, 11].map(|direction| [&[protocol, direction], body.as_bytes()].concat())
        })
        .collect()
}

/// Forms.
pub fn forms() -> Vec<Vec<u8>> {
    ["a=b&c=d+e%20f&&=x&g", "ssn=536-90-4399&q=%7B%22a%22%3A1%7D", "%C3%A9=%F0%9F%98%80&%zz=%4&a=%00"]
        .map(|form| form.as_bytes().to_vec())
        .into()
}

/// Forms with files.
pub fn multipart() -> Vec<Vec<u8>> {
    let file = "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%20b.jsonl\"\r\nContent-Type: application/octet-stream\r\nContent-Length: 26\r\n\r\n";
    let lines = "{\"a\":\"x\\u0031\"}\n{\"b\":[1]}\n";
    let batch = r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"{\"a\":\"b\"}"}]}}"#;
    let field = "--X\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n";
    let image =
        [file.replace("Content-Length: 26\r\n", "").as_bytes(), b"\x89PNG\r\n\x1a\n\0\0\0\r\n--X--"].concat();
    let mut seeds = vec![image];
    seeds.extend(
        [
            format!("{file}{lines}\r\n--X--\r\n"),
            format!("{field}{}{batch}\r\n--X--", file.replace("Content-Length: 26\r\n", "")),
            format!("{field}--X--"),
            "multipart/form-data; boundary=\"a\"; x=y\n--a--".to_owned(),
        ]
        .map(String::into_bytes),
    );
    seeds
}

const EVENTS: &[&str] = &[
    "event: a\ndata: {\"x\":1}\nid: 7\n\ndata: [DONE]\n\n",
    "\u{FEFF}data:a\r\ndata: b\r\n\r\n: comment\r\rdata: c\r\r",
    "retry: 10\ndata\n\ndata: no end",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"5\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}}\n\n",
    "data: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"delta\":\"{\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n",
    "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifact\":{\"artifactId\":\"a\",\"parts\":[{\"kind\":\"text\",\"text\":\"t\"}]},\"kind\":\"artifact-update\",\"append\":true}}\n\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"t\"}]},\"index\":0}]}\n\n",
];

/// Server-sent events.
pub fn sse() -> Vec<Vec<u8>> {
    EVENTS.iter().map(|events| [b"\x01", events.as_bytes()].concat()).collect()
}

/// Streams by protocol and framing.
pub fn streams() -> Vec<Vec<u8>> {
    let sse =
        (0..14).flat_map(|protocol| EVENTS.iter().map(move |events| (protocol, 0, (*events).to_owned())));
    let lines = bodies().map(|(protocol, body)| (protocol, 1, format!("{body}\n{body}\n")));
    let arrays = bodies().map(|(protocol, body)| (protocol, 2, format!("[{body},\r\n{body}]")));
    sse.chain(lines)
        .chain(arrays)
        .map(|(protocol, framing, stream)| [&[protocol, framing, 3], stream.as_bytes()].concat())
        .collect()
}

/// Payloads of binary frames.
pub fn frames() -> Vec<Vec<u8>> {
    let first = br#"{"contentBlockIndex":0,"delta":{"text":"hi"},"p":"ab"}"#.to_vec();
    let second = br#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}"#.to_vec();
    let both = [&first[..], b"\xFF\x0b:event-type\x07\x00", b"\x04stop\x00", &second[..]].concat();
    [first, second, both]
        .iter()
        .flat_map(|payload| [0, 5].map(|damage| [&[1, damage & 1, damage], &payload[..]].concat()))
        .collect()
}

/// Compressed bodies.
pub fn content() -> Vec<Vec<u8>> {
    let plain = b"hello hello hello hello";
    // `hello` by the codecs for which the tree has no encoder.
    let brotli: &[u8] = b"\x0b\x02\x80hello\x03";
    let zstd: &[u8] = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello";
    [(0, &plain[..]), (1, plain), (2, brotli), (3, zstd)]
        .iter()
        .map(|(coding, body)| [&[*coding, 2, 9], *body].concat())
        .collect()
}

/// Texts said by every wire.
pub fn holdback() -> Vec<Vec<u8>> {
    let texts = texts();
    let heads = (0..=u8::MAX).cycle().map(|at| [at % 6, at.wrapping_mul(37), at.wrapping_mul(11)]);
    heads.zip(texts).map(|(head, text)| [&head[..], &text].concat()).collect()
}

/// Whole exchanges.
pub fn exchanges() -> Vec<Vec<u8>> {
    let paths: [u8; 14] = [0, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 8, 10, 11];
    let requests = bodies().flat_map(|(protocol, body)| {
        [0, 1].map(|which| {
            let path = paths[usize::from(protocol)];
            [&[which, path, 0, 0, 0, 0, 3], body.as_bytes(), b"\0", body.as_bytes()].concat()
        })
    });
    let ask = br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi 536-90-4399 there"}]}"#;
    let streams = EVENTS.iter().flat_map(|events| {
        [0, 3, 8, 9].map(|path| [&[0, path, 0, 1, 0, 0, 3], &ask[..], b"\0", events.as_bytes()].concat())
    });
    requests.chain(streams).collect()
}

/// Policies: the corpus and the shape of every rule.
pub fn policies() -> Vec<Vec<u8>> {
    [
        include_str!("../../corpus/policies/access-control.json"),
        include_str!("../../corpus/policies/compliance.json"),
        include_str!("../../corpus/policies/content-safety.json"),
        include_str!("../../corpus/policies/rate-limiting.json"),
        include_str!("../../corpus/policies/gdpr-3.0.0.yaml"),
        include_str!("../../corpus/policies/normalization.yaml"),
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: { name: a }\nspec:\n  target: { agents: [\"a-*\"], labels: { t: x } }\n  enforcement: blocking\n  failureMode: closed\n  rules:\n    - pii: { types: [ssn], action: redact, custom: [{ name: x, pattern: \"[a-z]{3}\" }] }\n    - injection: { action: block, sensitivity: medium, patterns: [\"p q\"] }\n    - rateLimit: { key: user, requestsPerMinute: 60, burst: 10 }\n    - access: { resource: \"f/*\", allowedRoles: [r], conditions: { timeOfDay: \"09:00-17:00 America/New_York\", ipAllowList: [\"10.0.0.0/8\"] } }\n    - tools: { allow: [s] }\n    - models: { allow: [\"gpt-*\"] }\n    - rego: { module: \"package mesh\\nallow if true\" }\n",
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Agent\nmetadata: { name: a }\nspec: { type: chatbot }\n",
        "a: &a [x, *a]\n---\n? b\n: !!binary aGk=\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Modules.
pub fn rego() -> Vec<Vec<u8>> {
    [
        "deny contains msg if { input.model == \"m\"; msg := sprintf(\"%v\", [input.user]) }",
        "warn contains \"w\" if { some x in input.body.n; x > 2 }\nallow := true",
        "f(x) := y if { y := x + 1 }\ndeny contains \"d\" if f(input.a) > 5",
        "deny contains x if { walk(input, [_, x]); is_string(x); regex.match(`^h.*o$`, x) }",
        "deny contains \"big\" if count([1 | some i in numbers.range(1, 1000); some j in numbers.range(1, 1000)]) > 5",
        "s := {x: y | some x, y in input.body}\nallow if { every k, v in s { k != v } }\nelse := false",
        "deny contains concat(\"\", array.concat([\"a\"], [\"b\"])) if not input.nothing with input.a as 2",
    ]
    .map(|rules| format!("package mesh\n{rules}\n").into_bytes())
    .into()
}
