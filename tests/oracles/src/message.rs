//! The readers of whole bodies, of every protocol and both directions: what they list stands in the body, and a body with
//! any of its texts replaced is still one that the same reader reads.

use mesh_wire::{
    Edit, Limits, Protocol, RefusalKind, apply, apply_dropping_tools, read_request, read_response, refusal,
};

use crate::bytes::{PROTOCOLS, pick, take};

/// Operations that make a reader's way through an answer another one.
const OPERATIONS: [&str; 12] = [
    "",
    "chat",
    "completions",
    "responses",
    "embeddings",
    "messages",
    "generateContent",
    "converse",
    "invoke",
    "tools/list",
    "tools/call",
    "message/send",
];

pub(crate) fn check(data: &[u8]) {
    let mut body = data;
    let protocol = pick(&PROTOCOLS, &mut body);
    let direction = take(&mut body);
    let limits = Limits::default();
    let read = |body: &[u8]| match usize::from(direction).checked_sub(1) {
        None => read_request(protocol, body, &limits),
        Some(operation) => read_response(protocol, OPERATIONS[operation % OPERATIONS.len()], body, &limits),
    };
    let Ok(message) = read(body) else { return };
    assert_eq!(apply(body, &message, &[]), body, "no edit changes nothing");
    for segment in 0..message.segments.len() {
        let _ = (message.path(segment), message.name_of(segment));
    }
    let again = message.again(body);
    for call in 0..message.tool_calls.len() {
        let _ = again.arguments(call);
    }
    let offered: Vec<&str> = message.tools_offered.iter().map(String::as_str).collect();
    // Nothing is dropped from a request, in which tools may be seen in places of which nothing can go.
    let answered = direction > 0;
    for drop in [offered.get(..1).unwrap_or_default(), &offered[..]] {
        if drop.is_empty() || !answered {
            continue;
        }
        let left = apply_dropping_tools(body, &message, &[], drop);
        let again = read(&left).expect("a body without some tools is read");
        assert!(again.tools_offered.iter().all(|name| !drop.contains(&name.as_str())), "a tool stays");
    }
    let every: Vec<Edit> = message
        .segments
        .iter()
        .enumerate()
        .map(|(segment, found)| Edit { segment, range: 0..found.text.len(), with: "[X]".to_owned() })
        .collect();
    let blank = apply(body, &message, &every);
    if protocol != Protocol::Text {
        read(&blank).expect("a body with all texts replaced is read");
    }
    for one in every.chunks(1).take(12) {
        let edited = apply(body, &message, one);
        if protocol != Protocol::Text {
            read(&edited).expect("a body with one text replaced is read");
        }
    }
    let said = refusal(protocol, RefusalKind::Policy, "no", "d", &message.rpc_ids);
    serde_json::from_slice::<serde_json::Value>(&said.body).expect("a refusal is JSON");
}
