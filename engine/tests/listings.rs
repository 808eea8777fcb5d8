//! What an MCP server lists besides definitions as they were approved, or allowed: none of it reaches the agent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::rc::Rc;

use mesh_engine::{Program, RequestHead, ResponseMode, SeenTool, Session, Step};
use mesh_policy::{Bundle, BundleTool};
use serde_json::{Value, json};

use crate::support::{begun, bundle, compiled, post};

const SERVER: &str = "tools.example.com/mcp";
/// A definition as it is approved, without its end.
const SEARCH: &str = r#"{"name":"search","description":"Finds things","inputSchema":{"type":"object","maximum":9007199254740992}"#;

fn program(rule: Value, approved: Vec<String>) -> Rc<Program> {
    let tools = vec![BundleTool { server: SERVER.into(), name: "search".into(), approved, changed: false }];
    Rc::new(compiled(&Bundle { tools, ..bundle(json!({ "rules": [{ "tools": rule }] })) }))
}

/// What the agent gets of a listing, whole or as an event; what was reported.
fn listed(program: &Rc<Program>, tools: &str, stream: bool) -> (String, Vec<SeenTool>) {
    let head = RequestHead { cluster: Some("tools.example.com".into()), ..post("/mcp") };
    let mut session = begun(program, head);
    session.request(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 0);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{tools}}}}}"#);
    let kind = if stream { "text/event-stream" } else { "application/json" };
    let out = match session.response_headers(&[("content-type".to_owned(), kind.to_owned())], false) {
        ResponseMode::Stream => {
            let mut out = session.response_chunk(format!("data: {body}\n\n").as_bytes(), false);
            out.extend(session.response_chunk(b"", true));
            out
        }
        _ => match session.response(body.as_bytes(), Some(kind)) {
            Step::Continue => body.into_bytes(),
            Step::Replace(body) => body,
            Step::Refuse(refusal) => refusal.body,
            other => panic!("{other:?}"),
        },
    };
    (String::from_utf8(out).unwrap(), session.finish().0.definitions)
}

#[test]
fn only_what_is_approved_is_shown() {
    let approved = {
        let (_, seen) = listed(&program(json!({ "pin": true }), Vec::new()), &format!("[{SEARCH}}}]"), false);
        vec![seen[0].digest.clone()]
    };
    for (name, tools, shown) in [
        ("as approved", format!("[{SEARCH}}}]"), true),
        (
            "with members that nobody goes by",
            format!(r#"[{SEARCH},"_meta":{{"at":9007199254740993}}}}]"#),
            true,
        ),
        ("with its number written otherwise", format!("[{}}}]", SEARCH.replace("992}", "992.0}")), true),
        (
            "with a number that some readers take for it",
            format!("[{}}}]", SEARCH.replace("992}", "992.4}")),
            false,
        ),
        ("with the number next to it", format!("[{}}}]", SEARCH.replace("992}", "993}")), false),
        ("Description", format!(r#"[{SEARCH},"Description":"EVIL"}}]"#), false),
        ("DESCRIPTION", format!(r#"[{SEARCH},"DESCRIPTION":"EVIL"}}]"#), false),
        ("Title", format!(r#"[{SEARCH},"Title":"EVIL"}}]"#), false),
        ("InputSchema", format!(r#"[{SEARCH},"InputSchema":{{"description":"EVIL"}}}}]"#), false),
        ("inputschema", format!(r#"[{SEARCH},"inputschema":{{"description":"EVIL"}}}}]"#), false),
        ("outputschema", format!(r#"[{SEARCH},"outputschema":{{"description":"EVIL"}}}}]"#), false),
        ("Annotations", format!(r#"[{SEARCH},"Annotations":{{"title":"EVIL"}}}}]"#), false),
        ("a list in the list", format!(r#"[{SEARCH}}},[{{"name":"x","description":"EVIL"}}]]"#), true),
        ("a text in the list", format!(r#"[{SEARCH}}},"EVIL"]"#), true),
        ("a text before it", format!(r#"["EVIL",{SEARCH}}}]"#), true),
        ("no list", r#"{"a":{"name":"x","description":"EVIL"}}"#.to_owned(), false),
        (
            "no list, by a name that is approved",
            r#"{"a":{"name":"search","description":"EVIL"}}"#.to_owned(),
            false,
        ),
    ] {
        for stream in [false, true] {
            // What a program has seen change stays refused: each row has its own.
            let (text, _) = listed(&program(json!({ "pin": true }), approved.clone()), &tools, stream);
            assert_eq!(text.contains("Finds things"), shown, "{name}: {text}");
            assert!(!text.contains("EVIL"), "{name}: {text}");
            let json = text.trim_start_matches("data: ").trim_end();
            let data = json.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(json);
            assert!(serde_json::from_str::<Value>(data).is_ok(), "{name}: {text}");
        }
    }
}

/// A server that asks the agent's model lends it tools, which no client calls; beside a listing of its own.
#[test]
fn tools_that_a_server_lends_are_not_pinned() {
    let head = RequestHead { method: "GET".into(), path: "/mcp".into(), ..RequestHead::default() };
    let mut session = Session::start(program(json!({ "pin": true }), vec![]), head, "d".into(), 0);
    session.request_headers(true, 0);
    let kind = ("content-type".to_owned(), "text/event-stream".to_owned());
    assert!(matches!(session.response_headers(&[kind], false), ResponseMode::Stream));
    let tools = |name: &str| json!([{ "name": name, "inputSchema": {} }]);
    let asks = json!({ "jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {
        "messages": [], "tools": tools("lent"), "_meta": { "Name": "x" } } });
    let lists = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": tools("listed") } });
    let out = session.response_chunk(format!("data: {}\n\n", json!([asks, lists])).as_bytes(), true);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("lent") && !out.contains("listed"), "{out}");
}

#[test]
fn a_tool_goes_by_its_own_name() {
    let program = program(json!({ "allow": ["ok"] }), Vec::new());
    for (tools, shown) in [
        (r#"[{"name":"ok","description":"Finds things"}]"#, true),
        (r#"[{"name":"del","description":"EVIL","function":{"name":"ok"}}]"#, false),
        (r#"[{"name":"del","description":"EVIL","custom":{"name":"ok"}}]"#, false),
        (
            r#"[{"name":"del","description":"EVIL","function":{"name":"ok"}},{"name":"rm","description":"EVIL"}]"#,
            false,
        ),
        (r#"[[{"name":"del","description":"EVIL"}]]"#, false),
        (r#"{"ok":{"name":"del","description":"EVIL"}}"#, false),
    ] {
        let (text, _) = listed(&program, tools, false);
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        assert!(text.contains("Finds things") == shown && !text.contains("EVIL"), "{text}");
    }
}

/// An event's lines are put together once, however many definitions stand in them, and not for each of these.
#[test]
fn a_listing_of_many_tools_is_decoded_once() {
    let tool = |index: usize| json!({ "name": format!("t{index}"), "description": "It rains.\n".repeat(50) });
    let tools: Vec<String> = (0..4_000).map(|index| tool(index).to_string()).collect();
    let program = program(json!({ "pin": true }), Vec::new());
    let (shown, seen) = listed(&program, &format!("[{}]", tools.join(",\ndata: ")), true);
    assert!(!seen.is_empty() && !shown.contains("rains"), "{} are reported", seen.len());
}
