//! A whole exchange, of any path, content type and bodies: a decision comes of it, a refusal says something, and what
//! passes holds no planted value.

use std::cell::LazyCell;
use std::rc::Rc;

use mesh_engine::{Program, RequestHead, ResponseMode, Session, Step};
use serde_json::json;

use crate::bytes::{chunks, pick, take};
use crate::wires::program;

/// A value that no reader of the upstream's may see.
pub(crate) const PLANTED: &str = "536-90-4399";

const PATHS: [&str; 12] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1beta/models/g:streamGenerateContent",
    "/api/chat",
    "/model/m/converse",
    "/model/m/invoke",
    "/mcp",
    "/a2a",
    "/v1/files",
    "/any?q=1%2b&mail=a@b.example",
];

const TYPES: [&str; 9] = [
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
    "image/png",
];

const CODINGS: [&str; 5] = ["", "gzip", "deflate", "br", "zstd"];

thread_local! {
    static PROGRAMS: LazyCell<[Rc<Program>; 2]> = LazyCell::new(|| {
        let tools = json!({ "tools": { "deny": ["shell*"] } });
        // At any score: what words beside it make of a number is another question.
        [
            json!([{ "pii": { "action": "redact", "threshold": 0.0 } }, { "injection": { "action": "block" } }, tools]),
            json!([{ "pii": { "action": "tokenize", "threshold": 0.0 } }, { "injection": { "action": "log" } }]),
        ]
        .map(program)
    });
}

/// Program, path, two content types and codings, a seed for chunks; then the bodies, parted by a zero byte.
pub(crate) fn check(data: &[u8]) {
    let mut rest = data;
    let which = usize::from(take(&mut rest)) % 2;
    let path = pick(&PATHS, &mut rest);
    let (content_type, answer_type) = (pick(&TYPES, &mut rest), pick(&TYPES, &mut rest));
    let (coding, answer_coding) = (pick(&CODINGS, &mut rest), pick(&CODINGS, &mut rest));
    let seed = take(&mut rest);
    let parted = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (body, answer) = (&rest[..parted], rest.get(parted + 1..).unwrap_or_default());
    let headers = [("content-type", content_type), ("content-encoding", coding)];
    let head = RequestHead {
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: present(&headers),
        ..RequestHead::default()
    };
    let program = PROGRAMS.with(|programs| Rc::clone(&programs[which]));
    let mut session = Session::start(program, head, "d".to_owned(), 0);
    match session.request_headers(false, 0) {
        Step::ReadBody => match session.request(body, 0) {
            Step::Replace(sent) => clean(&sent),
            Step::Continue if coding.is_empty() && !unread(&session) => clean(body),
            Step::Refuse(refusal) => return refused(&refusal.body),
            _ => {}
        },
        Step::Refuse(refusal) => return refused(&refusal.body),
        _ => {}
    }
    let headers = present(&[("content-type", answer_type), ("content-encoding", answer_coding)]);
    match session.response_headers(&headers, false) {
        ResponseMode::Buffer => match session.response(answer, Some(answer_type)) {
            Step::Refuse(refusal) => refused(&refusal.body),
            Step::Replace(sent) if which == 0 => clean(&sent),
            _ => {}
        },
        ResponseMode::Stream => {
            let mut out = Vec::new();
            for chunk in chunks(answer, seed) {
                out.extend(session.response_chunk(chunk, false));
            }
            out.extend(session.response_chunk(b"", true));
            // A picture is no text, whatever it begins with, and the decision says so.
            let picture = answer_type == "image/png" && std::str::from_utf8(answer).is_err();
            if which == 0 && !(picture && unread(&session)) {
                clean(&out);
            }
        }
        ResponseMode::Refuse(refusal) => refused(&refusal.body),
        ResponseMode::Pass => {}
    }
    let values = session.response_header_values();
    assert!(values.iter().all(|(_, value)| !value.is_empty() && !value.contains(PLANTED)));
    let (decision, ..) = session.finish();
    // Names of models, tools and operations are kept as the agent gave them.
    let told = (&decision.guards, &decision.findings, &decision.violations, &decision.warnings);
    assert!(!format!("{told:?}").contains(PLANTED), "a decision quotes what was sent");
}

fn present(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let given = headers.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refused(body: &[u8]) {
    assert!(!body.is_empty(), "a refusal says why");
    clean(body);
}

fn unread(session: &Session) -> bool {
    session.response_header_values()[2].1.contains("skipped")
}

/// The planted value stands by itself nowhere: between characters that could belong to another value it may be none.
fn clean(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    for (at, _) in text.match_indices(PLANTED) {
        let before = text[..at].chars().next_back();
        let after = text[at + PLANTED.len()..].chars().next();
        let alone = |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '"' | ':' | ',' | '\n'));
        let far = |c: Option<char>| c == Some(' ') || c == Some('"');
        assert!(!(alone(before) && far(after)), "a planted value passes");
    }
}
