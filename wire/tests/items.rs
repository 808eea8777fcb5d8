//! The items of OpenAI's Responses API: whose text stands where in each, and what is called.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{Limits, Protocol, read_request};

const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4";

/// Texts with their places, keys in brackets; then what is called; then media.
fn read(item: &str) -> Vec<String> {
    let body = format!(r#"{{"model":"gpt-4o","input":[{}]}}"#, item.replace("IMAGE", IMAGE));
    let message = read_request(Protocol::OpenAiResponses, body.as_bytes(), &Limits::default()).unwrap();
    let texts = message.segments.iter().map(|segment| {
        let text = if segment.is_key() { format!("<{}>", segment.text) } else { segment.text.clone() };
        format!("{}: {text}", segment.place.as_str())
    });
    let calls = message.tool_calls.iter().map(|call| format!("calls {}", call.name));
    let media = (0..message.media).map(|_| "media".to_owned());
    texts.chain(calls).chain(media).collect()
}

#[test]
fn every_item_is_read_for_what_it_is() {
    let table: &[(&str, &[&str])] = &[
        (r#"{"role":"user","content":"hello there"}"#, &["user: hello there"]),
        (
            r#"{"type":"message","role":"developer","content":[{"type":"input_text","text":"be kind"}]}"#,
            &["system: be kind"],
        ),
        (
            r#"{"role":"user","content":[{"type":"input_image","detail":"auto","image_url":"data:image/png;base64,IMAGE"},
                {"type":"input_file","filename":"cv of Ann","file_data":"data:text/plain;base64,aGVsbG8gd29ybGQ="},
                {"type":"input_file","file_url":"https://x.org/Ann Lee"},{"type":"input_file","file_id":"file-abc"}]}"#,
            &[
                "other: cv of Ann",
                "document: hello world",
                "other: https://x.org/Ann Lee",
                "media",
                "media",
                "media",
            ],
        ),
        (
            r#"{"type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi",
                "annotations":[{"type":"file_citation","file_id":"file-abc","filename":"a b","index":3}]},{"type":"refusal","refusal":"no way"}]}"#,
            &[
                "assistant: Hi",
                "document: <type>",
                "document: file_citation",
                "document: <file_id>",
                "document: file-abc",
                "document: <filename>",
                "document: a b",
                "document: <index>",
                "assistant: no way",
            ],
        ),
        (
            r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],
                "content":[{"type":"reasoning_text","text":"so"}],"encrypted_content":"IMAGEIMAGE"}"#,
            &["assistant: hm", "assistant: so"],
        ),
        (
            r#"{"type":"function_call","call_id":"call_1","name":"find","arguments":"{\"who\":\"Ann\"}"}"#,
            &["tool_arguments: <who>", "tool_arguments: Ann", "calls find"],
        ),
        (r#"{"type":"function_call_output","call_id":"call_1","output":"555 1"}"#, &["tool_result: 555 1"]),
        (
            r#"{"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"555 1"},
                {"type":"input_image","image_url":"data:image/png;base64,IMAGE"}]}"#,
            &["tool_result: 555 1", "media"],
        ),
        (
            r#"{"type":"custom_tool_call","call_id":"call_1","name":"run","input":"ls -l"}"#,
            &["tool_arguments: ls -l", "calls run"],
        ),
        (r#"{"type":"custom_tool_call_output","call_id":"call_1","output":"a b"}"#, &["tool_result: a b"]),
        (
            r#"{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"Ann Lee"}}"#,
            &[
                "tool_arguments: <type>",
                "tool_arguments: search",
                "tool_arguments: <query>",
                "tool_arguments: Ann Lee",
                "calls web_search_call",
            ],
        ),
        (
            r#"{"type":"file_search_call","id":"fs_1","queries":["Ann Lee"],"results":[{"filename":"a b","text":"born"}]}"#,
            &["tool_arguments: Ann Lee", "tool_result: a b", "tool_result: born", "calls file_search_call"],
        ),
        (
            r#"{"type":"computer_call","call_id":"call_1","action":{"type":"type","text":"Ann Lee"},"pending_safety_checks":[]}"#,
            &[
                "tool_arguments: <type>",
                "tool_arguments: type",
                "tool_arguments: <text>",
                "tool_arguments: Ann Lee",
                "user: <pending_safety_checks>",
                "calls computer_call",
            ],
        ),
        (
            r#"{"type":"computer_call_output","call_id":"call_1","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,IMAGE"}}"#,
            &["media"],
        ),
        (
            r#"{"type":"code_interpreter_call","id":"ci_1","code":"print(1)","container_id":"cntr_1","outputs":[{"type":"logs","logs":"1 2"}]}"#,
            &["tool_arguments: print(1)", "tool_result: 1 2", "calls code_interpreter_call"],
        ),
        (
            r#"{"type":"local_shell_call","call_id":"call_1","action":{"command":["ls -l"]}}"#,
            &["tool_arguments: <command>", "tool_arguments: ls -l", "calls local_shell_call"],
        ),
        (
            r#"{"type":"shell_call_output","call_id":"call_1","output":[{"stdout":"a b","stderr":"c d"}]}"#,
            &["tool_result: a b", "tool_result: c d"],
        ),
        (
            r#"{"type":"apply_patch_call","call_id":"call_1","operation":{"path":"a b","diff":"+ Ann"}}"#,
            &[
                "tool_arguments: <path>",
                "tool_arguments: a b",
                "tool_arguments: <diff>",
                "tool_arguments: + Ann",
                "calls apply_patch_call",
            ],
        ),
        (
            r#"{"type":"image_generation_call","id":"ig_1","result":"IMAGE"}"#,
            &["calls image_generation_call", "media"],
        ),
        (
            r#"{"type":"mcp_call","id":"mcp_1","server_label":"files","name":"read","arguments":"{\"p\":\"a b\"}","output":"c d","error":"e f"}"#,
            &[
                "tool_arguments: <p>",
                "tool_arguments: a b",
                "tool_result: c d",
                "tool_result: e f",
                "calls read",
            ],
        ),
        (
            r#"{"type":"mcp_list_tools","id":"mcpl_1","server_label":"files","tools":[{"name":"read","description":"reads a file"}]}"#,
            &["tool_definition: read", "tool_definition: reads a file"],
        ),
        (
            r#"{"type":"mcp_approval_request","id":"mcpr_1","name":"read","arguments":"{}","server_label":"files"}"#,
            &["calls read"],
        ),
        (
            r#"{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":false,"reason":"not now"}"#,
            &["user: <reason>", "user: not now"],
        ),
        (r#"{"type":"item_reference","id":"msg_1"}"#, &[]),
        (r#"{"type":"a_later_one","note":"Ann"}"#, &["user: <note>", "user: Ann"]),
    ];
    for (item, want) in table {
        assert_eq!(read(item), *want, "{item}");
    }
}

/// What the provider encrypts is no file of anybody's, and hides no text.
#[test]
fn encrypted_thoughts_are_no_media() {
    let sealed = "/9j3kQZ8vXb2LmPqRs7".repeat(5);
    for kind in ["redacted_thinking", "reasoning.encrypted"] {
        let item = |data: &str| format!(r#"{{"type":"{kind}","data":"{data}"}}"#);
        assert_eq!(read(&item(&sealed)), Vec::<String>::new(), "{kind}");
        assert_eq!(read(&item("ssn 536-90-4399")), ["other: ssn 536-90-4399"], "{kind}");
    }
}

#[test]
fn tools_that_come_later_are_on_offer_too() {
    for kind in ["mcp_list_tools", "tool_search_output", "additional_tools"] {
        let body = format!(
            r#"{{"model":"m","input":[{{"type":"{kind}","tools":[{{"type":"function","name":"find","description":"d d"}}]}}]}}"#
        );
        let message = read_request(Protocol::OpenAiResponses, body.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(message.tools_offered, ["find"], "{kind}");
    }
}

/// What a server has, sent back as it was listed, is not on offer by itself.
#[test]
fn tools_that_a_server_listed_are_its_own() {
    let body = r#"{"model":"m","input":[{"type":"mcp_list_tools","server_label":"crm","tools":[{"name":"find","description":"d d"}]}]}"#;
    let message = read_request(Protocol::OpenAiResponses, body.as_bytes(), &Limits::default()).unwrap();
    assert!(message.tools_offered.is_empty());
    assert_eq!(message.server_tools, ["find"]);
}
