//! Each protocol's requests and answers: whose text stands where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{Limits, Message, Protocol, Usage, apply_dropping_tools, read_request, read_response};

fn request(protocol: Protocol, body: &str) -> Message {
    read_request(protocol, body.as_bytes(), &Limits::default()).unwrap()
}

fn response(protocol: Protocol, operation: &str, body: &str) -> Message {
    read_response(protocol, operation, body.as_bytes(), &Limits::default()).unwrap()
}

/// One line for each segment: place, path, text; a key's text in brackets.
fn lines(message: &Message) -> Vec<String> {
    let segments = message.segments.iter().enumerate();
    segments
        .map(|(index, segment)| {
            let (place, path, text) = (segment.place.as_str(), message.path(index), &segment.text);
            if segment.is_key() {
                format!("{place} {path} <{text}>")
            } else {
                format!("{place} {path} {text}")
            }
        })
        .collect()
}

fn names(message: &Message) -> Vec<&str> {
    message.tool_calls.iter().map(|call| call.name.as_str()).collect()
}

#[test]
fn openai_chat_request() {
    let body = r#"{
        "model": "gpt-4o", "stream": true, "temperature": 0.5, "seed": 12345678, "user": "u 1", "n": 2,
        "messages": [
            {"role": "developer", "content": "be kind"},
            {"role": "system", "content": [{"type": "text", "text": "be brief"}]},
            {"role": "user", "name": "Ann Lee", "content": [
                {"type": "text", "text": "hello"},
                {"type": "image_url", "image_url": {"url": "https://x.org/i.png", "detail": "low"}},
                {"type": "file", "file": {"filename": "cv of Ann.pdf", "file_id": "file-abc"}}
            ]},
            {"role": "assistant", "content": null, "refusal": "no", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{\"who\":\"Ann\",\"n\":12345678}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
            ]},
            {"role": "assistant", "function_call": {"name": "old", "arguments": "not json"}},
            {"role": "tool", "tool_call_id": "call_1", "content": "{\"phone\":\"555\"}"},
            {"role": "function", "name": "old", "content": "done"}
        ],
        "tools": [{"type": "function", "function": {"name": "find", "description": "finds people", "parameters": {
            "type": "object", "properties": {"who": {"type": "string", "enum": ["Ann"]}}}}}],
        "functions": [{"name": "old"}]
    }"#;
    let message = request(Protocol::OpenAiChat, body);
    assert_eq!(
        lines(&message),
        [
            "other user u 1",
            "system messages[0].content be kind",
            "system messages[1].content[0].text be brief",
            "other messages[2].name Ann Lee",
            "user messages[2].content[0].text hello",
            "other messages[2].content[1].image_url.url https://x.org/i.png",
            "other messages[2].content[2].file.filename cv of Ann.pdf",
            "assistant messages[3].refusal no",
            "tool_arguments messages[3].tool_calls[0].function.arguments.* <who>",
            "tool_arguments messages[3].tool_calls[0].function.arguments.who Ann",
            "tool_arguments messages[3].tool_calls[0].function.arguments.* <n>",
            "tool_arguments messages[3].tool_calls[0].function.arguments.n 12345678",
            "tool_arguments messages[3].tool_calls[1].custom.input ls -l",
            "tool_arguments messages[4].function_call.arguments not json",
            "tool_result messages[5].content.* <phone>",
            "tool_result messages[5].content.phone 555",
            "tool_result messages[6].content done",
            "tool_definition tools[0].function.name find",
            "tool_definition tools[0].function.description finds people",
            "tool_definition tools[0].function.parameters.properties.* <who>",
            "tool_definition tools[0].function.parameters.properties.who.enum[0] Ann",
            "tool_definition functions[0].name old",
        ]
    );
    assert_eq!(
        (message.operation.as_str(), message.model.as_deref(), message.stream),
        ("chat", Some("gpt-4o"), true)
    );
    assert_eq!(message.tools_offered, ["find", "old"]);
    assert_eq!(names(&message), ["find", "run", "old"]);
    assert_eq!(message.again(body.as_bytes()).arguments(0), serde_json::json!({"who": "Ann", "n": 12345678}));
    assert_eq!(message.again(body.as_bytes()).arguments(1), serde_json::json!("ls -l"));
    assert_eq!(message.again(body.as_bytes()).arguments(2), serde_json::json!("not json"));
    assert_eq!(message.again(body.as_bytes()).arguments(9), serde_json::Value::Null);
}

#[test]
fn openai_chat_answer() {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o",
        "system_fingerprint":"fp_44709d6fcb","choices":[
        {"index":0,"message":{"role":"assistant","content":"first","annotations":[{"type":"url_citation","url_citation":{"title":"t"}}]},
         "logprobs":{"content":[{"token":"fir","logprob":-1.5}]},"finish_reason":"stop"},
        {"index":1,"message":{"role":"assistant","content":null,"audio":{"id":"a1","data":"","transcript":"spoken","expires_at":1700000000},
         "tool_calls":[{"id":"call_9","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
    let message = response(Protocol::OpenAiChat, "chat", body);
    let texts = lines(&message);
    for want in
        ["assistant choices[0].message.content first", "assistant choices[1].message.audio.transcript spoken"]
    {
        assert!(texts.iter().any(|line| line == want), "{want} in {texts:?}");
    }
    assert!(!texts.iter().any(|line| line.contains("1700000000")), "dates are no texts: {texts:?}");
    assert_eq!(message.usage, Some(Usage { input_tokens: 11, output_tokens: 7, ..Usage::default() }));
    assert_eq!(names(&message), ["f"]);
}

#[test]
fn logprobs_go_when_their_text_is_edited() {
    let body = r#"{"choices":[{"message":{"content":"my 123"},"logprobs":{"content":[{"token":"123"}]}}]}"#;
    let message = response(Protocol::OpenAiChat, "chat", body);
    assert_eq!(lines(&message)[1..], ["other choices[0].logprobs.content[0].token 123"]);
    let edit = mesh_wire::Edit { segment: 0, range: 3..6, with: "***".to_owned() };
    let edited = String::from_utf8(mesh_wire::apply(body.as_bytes(), &message, &[edit])).unwrap();
    assert_eq!(edited, r#"{"choices":[{"message":{"content":"my ***"},"logprobs":null}]}"#);
    assert_eq!(mesh_wire::apply(body.as_bytes(), &message, &[]), body.as_bytes());
}

#[test]
fn openai_completions_and_embeddings() {
    let message = request(Protocol::OpenAiCompletions, r#"{"model":"m","prompt":["a","b"],"suffix":"c"}"#);
    assert_eq!(lines(&message), ["user prompt[0] a", "user prompt[1] b", "user suffix c"]);
    let message =
        response(Protocol::OpenAiCompletions, "completions", r#"{"choices":[{"text":"x","index":0}]}"#);
    assert_eq!(lines(&message), ["assistant choices[0].text x"]);

    let message =
        request(Protocol::OpenAiEmbeddings, r#"{"model":"m","input":["a","b"],"encoding_format":"float"}"#);
    assert_eq!(lines(&message), ["document input[0] a", "document input[1] b"]);
    for (input, tokens) in [("[1,2,3]", 3), ("[[1,2],[3]]", 3)] {
        let message = request(Protocol::OpenAiEmbeddings, &format!(r#"{{"model":"m","input":{input}}}"#));
        assert_eq!((message.tokens, message.segments.len()), (tokens, 0), "{input}");
    }
    let base64 = "AAAAPwAAgD8AAMA/AAAAQAAAIEAAAEBAAABgQAAAgEAAAJBAAACgQAAAsEAAAMBA";
    let body = format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[0.0023064255,-0.009327292]}},
        {{"object":"embedding","index":1,"embedding":"{base64}"}}],"usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    );
    let message = response(Protocol::OpenAiEmbeddings, "embeddings", &body);
    assert_eq!((lines(&message).len(), message.media), (0, 0));
    assert_eq!(message.usage, Some(Usage { input_tokens: 8, output_tokens: 0, ..Usage::default() }));
}

#[test]
fn openai_responses_request_and_answer() {
    let body = r#"{"model":"gpt-4.1","instructions":"be kind","max_output_tokens":12345678,"input":[
        {"role":"user","content":"hi"},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes","annotations":[]}]},
        {"type":"function_call","call_id":"call_1","name":"find","arguments":"{\"q\":\"Ann\"}"},
        {"type":"function_call_output","call_id":"call_1","output":"found her"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"thinking"}]},
        {"type":"input_text","text":"loose"}],
        "tools":[{"type":"function","name":"find","parameters":{}},{"type":"web_search"},
                 {"type":"mcp","server_label":"crm","server_url":"https://crm"}]}"#;
    let message = request(Protocol::OpenAiResponses, body);
    let texts = lines(&message);
    for want in [
        "system instructions be kind",
        "user input[0].content hi",
        "assistant input[1].content[0].text yes",
        "tool_arguments input[2].arguments.q Ann",
        "tool_result input[3].output found her",
        "assistant input[4].summary[0].text thinking",
        "user input[5].text loose",
    ] {
        assert!(texts.iter().any(|line| line == want), "{want} in {texts:?}");
    }
    assert_eq!(message.tools_offered, ["find", "web_search", "crm"]);
    assert_eq!(names(&message), ["find"]);
    assert_eq!(message.again(body.as_bytes()).arguments(0), serde_json::json!({"q": "Ann"}));
    let simple = request(Protocol::OpenAiResponses, r#"{"model":"m","input":"hello"}"#);
    assert_eq!(lines(&simple), ["user input hello"]);

    let body = r#"{"id":"resp_1","object":"response","created_at":1741476542,"status":"completed","model":"m",
        "output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[
            {"type":"output_text","text":"answer","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"no"}]},
            {"type":"mcp_call","id":"mcp_1","name":"lookup","arguments":"{\"id\":1}","output":"row","server_label":"crm"},
            {"type":"mcp_list_tools","server_label":"crm","tools":[{"name":"lookup","description":"finds"}]}],
        "usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}"#;
    let message = response(Protocol::OpenAiResponses, "responses", body);
    let texts = lines(&message);
    for want in [
        "assistant output[0].content[0].text answer",
        "assistant output[0].content[1].refusal no",
        "tool_result output[1].output row",
        "tool_definition output[2].tools[0].description finds",
    ] {
        assert!(texts.iter().any(|line| line == want), "{want} in {texts:?}");
    }
    assert_eq!(names(&message), ["lookup"]);
    assert_eq!(message.usage, Some(Usage { input_tokens: 3, output_tokens: 4, ..Usage::default() }));
}

#[test]
fn anthropic_request_and_answer() {
    let body = r#"{"model":"claude-x","max_tokens":1024,"system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}],
        "messages":[
            {"role":"user","content":"hi"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"short"},
                {"type":"tool_use","id":"toolu_1","name":"find","input":{"q":"Ann","n":12345678}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"row"}],"is_error":false},
                {"type":"tool_result","tool_use_id":"toolu_2","content":"plain"},
                {"type":"document","source":{"type":"text","media_type":"text/plain","data":"paper"},"title":"T"},
                {"type":"text","text":"and?"}]}],
        "tools":[{"name":"find","description":"finds","input_schema":{"type":"object"}}],"metadata":{"user_id":"Ann"}}"#;
    let message = request(Protocol::AnthropicMessages, body);
    let texts = lines(&message);
    for want in [
        "system system[0].text be kind",
        "user messages[0].content hi",
        "assistant messages[1].content[0].thinking hm",
        "other messages[1].content[0].signature short",
        "tool_arguments messages[1].content[1].input.* <q>",
        "tool_arguments messages[1].content[1].input.q Ann",
        "tool_arguments messages[1].content[1].input.n 12345678",
        "tool_result messages[2].content[0].content[0].text row",
        "tool_result messages[2].content[1].content plain",
        "document messages[2].content[2].source.data paper",
        "user messages[2].content[3].text and?",
        "tool_definition tools[0].description finds",
        "other metadata.user_id Ann",
    ] {
        assert!(texts.iter().any(|line| line == want), "{want} in {texts:#?}");
    }
    assert_eq!((message.operation.as_str(), names(&message)), ("messages", vec!["find"]));
    assert_eq!(message.again(body.as_bytes()).arguments(0), serde_json::json!({"q": "Ann", "n": 12345678}));
    let count = request(Protocol::AnthropicMessages, r#"{"model":"m","system":"s","messages":[]}"#);
    assert_eq!(count.operation, "messages", "which of both it is tells the path");

    let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
        {"type":"text","text":"hello"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}],
        "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":6}}"#;
    let message = response(Protocol::AnthropicMessages, "messages", body);
    assert_eq!(lines(&message), ["assistant content[0].text hello"]);
    assert_eq!(message.usage, Some(Usage { input_tokens: 5, output_tokens: 6, ..Usage::default() }));
}

#[test]
fn mcp_requests() {
    for (body, operation, ids, resource) in [
        (
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c"}}}"#,
            "initialize",
            vec!["0"],
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "notifications/initialized",
            vec![],
            None,
        ),
        (r#"{"jsonrpc":"2.0","id":"a\"b","method":"ping"}"#, "ping", vec![r#""a\"b""#], None),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, "tools/list", vec!["1"], None),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"q":1}}}"#,
            "tools/call",
            vec!["1"],
            Some(("call", "find")),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#,
            "resources/read",
            vec!["1"],
            Some(("read", "file:///a")),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"file:///a"}}"#,
            "resources/subscribe",
            vec!["1"],
            Some(("subscribe", "file:///a")),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p"}}"#,
            "prompts/get",
            vec!["1"],
            Some(("get", "p")),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"x","value":"y"}}}"#,
            "completion/complete",
            vec!["1"],
            Some(("complete", "p")),
        ),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"}]"#,
            "tools/list+2",
            vec!["1", "2"],
            None,
        ),
    ] {
        let message = request(Protocol::Json, body);
        assert_eq!(message.protocol, Protocol::Mcp, "{body}");
        assert_eq!(
            (message.operation.as_str(), &message.rpc_ids),
            (operation, &ids.iter().map(|id| (*id).to_owned()).collect()),
            "{body}"
        );
        let used = message.resources.first().map(|used| (used.action, used.resource.as_str()));
        assert_eq!(used, resource, "{body}");
    }
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"find","arguments":{"who":"Ann","n":12345678},
        "_meta":{"progressToken":12345678,"io.modelcontextprotocol/protocolVersion":"2026-07-28","trace":"Ann"}}}"#;
    let message = request(Protocol::Mcp, body);
    assert_eq!(
        lines(&message),
        [
            "tool_arguments params.arguments.* <who>",
            "tool_arguments params.arguments.who Ann",
            "tool_arguments params.arguments.* <n>",
            "tool_arguments params.arguments.n 12345678",
            "other params._meta.* <trace>",
            "other params._meta.trace Ann",
        ]
    );
    assert_eq!(message.again(body.as_bytes()).arguments(0), serde_json::json!({"who": "Ann", "n": 12345678}));
    // A call without a name or parameters is still a call, for an allow list to refuse.
    for body in [
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":5}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}"#,
    ] {
        assert_eq!(names(&request(Protocol::Mcp, body)), [""], "{body}");
    }
}

#[test]
fn mcp_answers() {
    for (operation, body, want) in [
        (
            "initialize",
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s"},"instructions":"use it"}}"#,
            "tool_definition result.instructions use it",
        ),
        (
            "tools/call",
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"ssn\":\"1\"}"}],"structuredContent":{"ssn":"1"},"isError":false}}"#,
            "tool_result result.structuredContent.ssn 1",
        ),
        (
            "tools/call",
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"ssn\":\"1\"}"}]}}"#,
            "tool_result result.content[0].text.ssn 1",
        ),
        (
            "tools/call",
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource","resource":{"uri":"file:///a","mimeType":"text/plain","text":"inside"}}]}}"#,
            "document result.content[0].resource.text inside",
        ),
        (
            "resources/read",
            r#"{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"file:///a","text":"a file"}]}}"#,
            "document result.contents[0].text a file",
        ),
        (
            "prompts/get",
            r#"{"jsonrpc":"2.0","id":1,"result":{"messages":[{"role":"user","content":{"type":"text","text":"ask"}}]}}"#,
            "user result.messages[0].content.text ask",
        ),
        (
            "tools/call",
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed for Ann"}}"#,
            "tool_result error.message failed for Ann",
        ),
        (
            "",
            r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"who are you?","requestedSchema":{}}}"#,
            "tool_result params.message who are you?",
        ),
        (
            "",
            r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"systemPrompt":"s","messages":[{"role":"user","content":{"type":"text","text":"q"}}],"maxTokens":10}}"#,
            "user params.messages[0].content.text q",
        ),
        (
            "",
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"line":"Ann came"}}}"#,
            "tool_result params.data.line Ann came",
        ),
        (
            "tools/call",
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"who?"}}}}}"#,
            "tool_result result.inputRequests.a.params.message who?",
        ),
    ] {
        let texts = lines(&response(Protocol::Mcp, operation, body));
        assert!(texts.iter().any(|line| line == want), "{want} in {texts:#?}");
    }
    let elicited = request(
        Protocol::Mcp,
        r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"name":"Ann"}}}"#,
    );
    assert!(lines(&elicited).contains(&"user result.content.name Ann".to_owned()));
    assert_eq!(elicited.rpc_ids, Vec::<String>::new(), "an answer is not to be answered");
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4";
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"image","data":"{image}","mimeType":"image/png"}}]}}}}"#
    );
    assert_eq!(response(Protocol::Mcp, "tools/call", &body).media, 1);
}

#[test]
fn tools_are_left_out_of_a_listing() {
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a","x":1} , {"name":"b"},{"name":"c"} ,{"name":"b"} ],"nextCursor":null}}"#;
    let message = response(Protocol::Mcp, "tools/list", body);
    assert_eq!(message.tools_offered, ["a", "b", "c", "b"]);
    let listed = |drop: &[&str]| {
        let out = apply_dropping_tools(body.as_bytes(), &message, &[], drop);
        serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        let out = String::from_utf8(out).unwrap();
        out.replace(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#, "")
            .replace(r#"],"nextCursor":null}}"#, "")
    };
    assert_eq!(listed(&[]), r#" {"name":"a","x":1} , {"name":"b"},{"name":"c"} ,{"name":"b"} "#);
    assert_eq!(listed(&["a"]), r#" {"name":"b"},{"name":"c"} ,{"name":"b"} "#);
    assert_eq!(listed(&["b"]), r#" {"name":"a","x":1},{"name":"c"} "#);
    assert_eq!(listed(&["a", "b"]), r#" {"name":"c"} "#);
    assert_eq!(listed(&["a", "c"]), r#" {"name":"b"} ,{"name":"b"} "#);
    assert_eq!(listed(&["a", "b", "c"]), "  ");
    assert_eq!(listed(&["nobody"]), listed(&[]));
}

/// Each text, and the tool in whose definition it stands.
#[test]
fn a_text_stands_in_the_innermost_definition() {
    let message = response(
        Protocol::Mcp,
        "tools/list",
        r#"{"jsonrpc":"2.0","id":1,"result":{"x":"t 0","tools":[{"name":"a","description":"t 1","tools":[
            {"name":"b","description":"t 2"},{"name":"c","tools":[{"name":"d","description":"t 3"}],"title":"t 4"}],
            "title":"t 5"},{"name":"e","description":"t 6","title":"{\"f\":\"t 7\"}"}],"y":"t 8"}}"#,
    );
    let definitions = message.definitions();
    let texts = message.segments.iter().enumerate().filter(|(_, segment)| segment.text.starts_with("t "));
    let tools = texts.map(|(index, segment)| {
        let tool = definitions.tool_of(index).and_then(|tool| message.tools_offered.get(tool));
        format!("{} {}", segment.text, tool.map_or("-", String::as_str))
    });
    let tools: Vec<String> = tools.collect();
    assert_eq!(tools, ["t 0 -", "t 1 a", "t 2 b", "t 3 d", "t 4 c", "t 5 a", "t 6 e", "t 7 e", "t 8 -"]);
}

#[test]
fn unknown_paths_are_read_by_shape() {
    for (body, want) in [
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#, Protocol::OpenAiChat),
        (
            r#"{"model":"m","system":"s","messages":[{"role":"user","content":"x"}]}"#,
            Protocol::AnthropicMessages,
        ),
        (r#"{"model":"m","input":[{"role":"user","content":"x"}]}"#, Protocol::OpenAiResponses),
        (r#"{"model":"m","prompt":"x"}"#, Protocol::OpenAiCompletions),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, Protocol::Mcp),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_call"}"#, Protocol::Json),
        (r#"{"anything":1}"#, Protocol::Json),
    ] {
        assert_eq!(request(Protocol::Json, body).protocol, want, "{body}");
    }
    // A settled path is never overruled: the upstream reads by path, whatever the body pretends to be.
    let disguised =
        r#"{"jsonrpc":"2.0","method":"tools/list","model":"m","messages":[{"role":"user","content":"x"}]}"#;
    let message = request(Protocol::OpenAiChat, disguised);
    assert_eq!((message.protocol, message.model.as_deref()), (Protocol::OpenAiChat, Some("m")));
    assert!(lines(&message).contains(&"user messages[0].content x".to_owned()));
}

#[test]
fn an_empty_body_is_an_empty_message() {
    for body in ["", " \r\n"] {
        let message = request(Protocol::OpenAiChat, body);
        assert_eq!((message.segments.len(), message.operation.as_str()), (0, "chat"));
    }
}

#[test]
fn pictures_and_sounds_are_media_wherever_their_bytes_are() {
    let parts = [
        (r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#, 1),
        (r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}}"#, 1),
        (r#"{"type":"image_url","image_url":"https://example.com/a.png"}"#, 1),
        (r#"{"type":"input_audio","input_audio":{"data":"//uQxAAA","format":"mp3"}}"#, 1),
        (r#"{"type":"text","text":"hello"}"#, 0),
    ];
    for (part, media) in parts {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        assert_eq!(request(Protocol::OpenAiChat, &body).media, media, "{part}");
    }
    let silent = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi","audio":null}}]}"#;
    assert_eq!(response(Protocol::OpenAiChat, "chat", silent).media, 0);
}
