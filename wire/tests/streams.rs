//! Events of each protocol's streams: which running texts they continue and end, and what rewriting them changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{
    Channel, ChannelKind, Close, Edit, Event, EventStream, Framing, Limits, Protocol, StreamItem, Usage,
    WireError, read_event,
};

fn event(raw: &str) -> Event {
    let mut stream = EventStream::new(Framing::Sse, &Limits::default());
    let mut events = stream.push(raw.as_bytes()).unwrap();
    events.extend(stream.finish().unwrap());
    assert_eq!(events.len(), 1, "{raw:?}");
    events.remove(0)
}

fn read(protocol: Protocol, data: &str) -> (Event, StreamItem) {
    let event = event(&format!("data: {data}\n\n"));
    let item = read_event(protocol, "", &event, &Limits::default()).unwrap();
    (event, item)
}

/// Each piece as `kind group/index text`, then each text that is whole.
fn shown(item: &StreamItem) -> Vec<String> {
    let pieces = item.pieces.iter().map(|piece| {
        let Channel { group, kind, index } = piece.channel;
        let index = if kind == ChannelKind::Other { "*".to_owned() } else { index.to_string() };
        format!("{kind:?} {group}/{index} {}", item.text(piece))
    });
    let whole = item.message.segments.iter().enumerate().filter(|(index, _)| !item.is_piece(*index));
    pieces.chain(whole.map(|(_, segment)| format!("whole {}", segment.text))).collect()
}

#[test]
fn openai_chat_chunks() {
    for (data, want, closes) in [
        (
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"choices":[{"index":0,"delta":{"role":"assistant","content":"He"}}]}"#,
            vec!["Text 0/0 He"],
            vec![],
        ),
        (
            r#"{"choices":[{"index":1,"delta":{"refusal":"no"}},{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
            vec!["Refusal 1/0 no", "Reasoning 0/0 hm"],
            vec![],
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":2,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a"}}]}}]}"#,
            vec!["ToolArguments 0/2 {\"a"],
            vec![],
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"audio":{"transcript":"sp"}}}]}"#,
            vec!["Transcript 0/0 sp"],
            vec![],
        ),
        (r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#, vec![], vec![]),
        (
            r#"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"},{"type":"x","note":"n"}]}}]}"#,
            vec!["Text 0/0 a", "whole note", "whole n"],
            vec![],
        ),
        (r#"{"choices":[{"index":0,"delta":{"novelty":"x"}}]}"#, vec!["Other 0/* x"], vec![]),
        (r#"{"choices":[{"index":3,"text":"old"}]}"#, vec!["Text 3/1 old"], vec![]),
        (r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#, vec![], vec![Close::Perhaps(1)]),
        (
            r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":""}]}"#,
            vec!["Text 0/0 x"],
            vec![],
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":"bye"},"finish_reason":"length"}]}"#,
            vec!["Text 0/0 bye"],
            vec![Close::Perhaps(0)],
        ),
        ("[DONE]", vec![], vec![Close::All]),
        (r#"{"error":{"message":"overloaded"}}"#, vec!["whole message", "whole overloaded"], vec![]),
    ] {
        let (_, item) = read(Protocol::OpenAiChat, data);
        assert_eq!(
            (shown(&item), &item.closes),
            (want.iter().map(|s| (*s).to_owned()).collect(), &closes),
            "{data}"
        );
    }
    let (_, item) =
        read(Protocol::OpenAiChat, r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}"#);
    assert_eq!(item.message.usage, Some(Usage { input_tokens: 3, output_tokens: 9, ..Usage::default() }));
    let (_, item) = read(
        Protocol::OpenAiChat,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}"#,
    );
    assert_eq!(item.message.tool_calls[0].name, "f");
}

#[test]
fn anthropic_events() {
    for (data, want, closes) in [
        (
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-x","usage":{"input_tokens":25,"output_tokens":1}}}"#,
            vec![],
            vec![],
        ),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            vec![],
            vec![],
        ),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"He"}}"#,
            vec!["Block 0/0 He"],
            vec![],
        ),
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"llo"}}"#,
            vec!["Block 0/0 llo"],
            vec![],
        ),
        (
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a"}}"#,
            vec!["ToolArguments 1/0 {\"a"],
            vec![],
        ),
        (
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            vec!["Reasoning 2/0 hm"],
            vec![],
        ),
        (
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"cited_text":"q"}}}"#,
            vec!["whole citation", "whole cited_text", "whole q"],
            vec![],
        ),
        (
            r#"{"type":"content_block_start","index":3,"content_block":{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":"T"}]}}"#,
            vec!["whole T"],
            vec![Close::Elsewhere],
        ),
        (r#"{"type":"content_block_stop","index":1}"#, vec![], vec![Close::Group(1)]),
        (
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#,
            vec![],
            vec![],
        ),
        (r#"{"type":"message_stop"}"#, vec![], vec![Close::All]),
        (r#"{"type":"ping"}"#, vec![], vec![]),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            vec!["whole error", "whole type", "whole overloaded_error", "whole message", "whole Overloaded"],
            vec![],
        ),
    ] {
        let (_, item) = read(Protocol::AnthropicMessages, data);
        assert_eq!(
            (shown(&item), &item.closes),
            (want.iter().map(|s| (*s).to_owned()).collect(), &closes),
            "{data}"
        );
    }
    let (_, item) = read(
        Protocol::AnthropicMessages,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
    );
    assert_eq!(item.message.tool_calls[0].name, "f");
}

#[test]
fn responses_events() {
    let text = Channel { group: 1, kind: ChannelKind::Block, index: 2 };
    for (data, want, closes) in [
        (
            r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":2,"delta":"He","sequence_number":4}"#,
            vec!["Block 1/2 He"],
            vec![],
        ),
        (
            r#"{"type":"response.output_text.done","item_id":"msg_1","output_index":1,"content_index":2,"text":"Hello"}"#,
            vec!["whole Hello"],
            vec![Close::Channel(text)],
        ),
        (
            r#"{"type":"response.content_part.done","output_index":1,"content_index":2,"part":{"type":"output_text","text":"Hello"}}"#,
            vec!["whole Hello"],
            vec![],
        ),
        (
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}}"#,
            vec!["whole Hello"],
            vec![Close::Group(1)],
        ),
        (
            r#"{"type":"response.completed","response":{"id":"resp_1","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"input_tokens":1,"output_tokens":2}}}"#,
            vec!["whole Hello"],
            vec![Close::All],
        ),
        (
            r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a"}"#,
            vec!["ToolArguments 0/0 {\"a"],
            vec![],
        ),
        (
            r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":\"x\"}"}"#,
            vec!["whole a", "whole x"],
            vec![Close::Channel(Channel { group: 0, kind: ChannelKind::ToolArguments, index: 0 })],
        ),
        (
            r#"{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"no"}"#,
            vec!["Refusal 0/0 no"],
            vec![],
        ),
        (
            r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}"#,
            vec!["Reasoning 0/2147483648 hm"],
            vec![],
        ),
    ] {
        let (_, item) = read(Protocol::OpenAiResponses, data);
        assert_eq!(
            (shown(&item), &item.closes),
            (want.iter().map(|s| (*s).to_owned()).collect(), &closes),
            "{data}"
        );
    }
}

#[test]
fn mcp_events_are_whole_messages() {
    let (event, item) = read(
        Protocol::Mcp,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Ann"}],"structuredContent":{"n":"Ann"}}}"#,
    );
    assert_eq!(shown(&item), ["whole Ann", "whole n", "whole Ann"]);
    let edits = [0, 2].map(|segment| Edit { segment, range: 0..3, with: "***".to_owned() });
    let edited = String::from_utf8(event.rewritten(&item, &edits, &[])).unwrap();
    assert_eq!(edited, String::from_utf8(event.raw().to_vec()).unwrap().replace("Ann", "***"));
    let (event, item) =
        read(Protocol::Mcp, r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"}]}}"#);
    let out = event.rewritten(&item, &[], &["a"]);
    assert_eq!(out, b"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"b\"}]}}\n\n");
}

#[test]
fn only_the_edited_bytes_of_an_event_change() {
    for (raw, segment, with, want) in [
        (
            "event: x\r\nid: 7\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\\u0031b\"}}]}\r\n\r\n",
            0,
            "\"\n",
            "event: x\r\nid: 7\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\\\"\\nb\"}}]}\r\n\r\n",
        ),
        (
            "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\ndata: \"a1b\"}}]}\n\n",
            0,
            "#",
            "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\ndata: \"a#b\"}}]}\n\n",
        ),
        ("data: a1b\n\n", 0, "x\ny", "data: ax\ndata: yb\n\n"),
        (": a1b (a comment)\n\n", 0, "#", ": a#b (a comment)\n\n"),
        ("id: a1b c\ndata: {\"choices\":[]}\n\n", 0, "#", "id: a#b c\ndata: {\"choices\":[]}\n\n"),
    ] {
        let event = event(raw);
        let item = read_event(Protocol::OpenAiChat, "chat", &event, &Limits::default()).unwrap();
        assert_eq!(event.rewritten(&item, &[], &[]), event.raw());
        let edit = Edit { segment, range: 1..2, with: with.to_owned() };
        let edited = event.rewritten(&item, &[edit], &[]);
        assert_eq!(String::from_utf8(edited).unwrap(), want);
    }
}

#[test]
fn streams_of_unknown_protocols_have_running_texts_too() {
    let (_, item) = read(Protocol::Json, r#"{"id":"x y","response":"He","meta":{"note":"n"}}"#);
    assert_eq!(
        shown(&item),
        ["Other 4294967295/* He", "whole id", "whole x y", "whole meta", "whole note", "whole n"]
    );
    let (_, again) = read(Protocol::Json, r#"{"response":"llo"}"#);
    assert_eq!(item.pieces[0].channel, again.pieces[0].channel);
    let (_, other) = read(Protocol::Json, r#"{"data":{"response":"x"}}"#);
    assert_ne!(item.pieces[0].channel, other.pieces[0].channel);
    let (_, text) = read(Protocol::Text, "He");
    assert_eq!(shown(&text), ["Text 4294967295/0 He"]);
    let (event, quoted) = read(Protocol::Text, r#""H\u0065""#);
    assert_eq!(shown(&quoted), ["Text 4294967295/1 He"]);
    let edit = Edit { segment: 0, range: 1..2, with: "\"".to_owned() };
    assert_eq!(event.rewritten(&quoted, &[edit], &[]), b"data: \"H\\\"\"\n\n");
    // Nor does a settled path promise that its upstream speaks as it should.
    let (_, strange) = read(Protocol::OpenAiChat, r#"{"kind":"piece","delta":"He"}"#);
    assert_eq!(shown(&strange), ["Other 4294967295/* He", "whole kind", "whole piece"]);
    // A gateway may answer in another protocol than it was asked in.
    let (_, chat) =
        read(Protocol::AnthropicMessages, r#"{"choices":[{"index":0,"delta":{"content":"He"}}]}"#);
    assert_eq!(shown(&chat), ["Text 0/0 He"]);
}

#[test]
fn events_that_are_not_strict_are_refused() {
    for data in [r#"{"choices":[],"choices":[]}"#, r#"{"a":"\ud83d"}"#, r#"{"a":1"#, "[1,]"] {
        let event = event(&format!("data: {data}\n\n"));
        let read = read_event(Protocol::OpenAiChat, "chat", &event, &Limits::default());
        assert!(matches!(read, Err(WireError::Malformed { .. })), "{data}");
    }
}

#[test]
fn names_and_identifiers_of_calls_are_told_apart_from_texts() {
    let call = |index: u32| Channel { group: 0, kind: ChannelKind::ToolArguments, index };
    for (data, want) in [
        (
            r#"{"index":2,"id":"call_1","function":{"name":"f"}}"#,
            vec![(2, "id", "made up"), (2, "name", "f")],
        ),
        (r#"{"index":2,"id":"call_536-90-4399"}"#, vec![(2, "id", "made up")]),
        (r#"{"index":2,"id":"536-9"}"#, vec![(2, "id", "536-9")]),
        (r#"{"index":2,"id":"","function":{"name":"","arguments":"x"}}"#, vec![]),
        (r#"{"custom":{"name":"call_x"}}"#, vec![(2 << 24, "name", "call_x")]),
    ] {
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{data}]}}}}]}}"#);
        let (_, item) = read(Protocol::OpenAiChat, &data);
        let labels: Vec<_> =
            item.labels.iter().map(|label| (label.call, label.field, &*label.text)).collect();
        let want: Vec<_> = want.into_iter().map(|(index, field, text)| (call(index), field, text)).collect();
        assert_eq!(labels, want, "{data}");
    }
}

#[test]
fn what_clients_could_read_differently_is_refused() {
    use Protocol::{AnthropicMessages, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};
    for (protocol, with) in [
        (OpenAiChat, r#"{"choices":[{"index":INDEX,"delta":{"content":"a"}}]}"#),
        (
            OpenAiChat,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":INDEX,"function":{"arguments":"a"}}]}}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"type":"content_block_delta","index":INDEX,"delta":{"type":"text_delta","text":"a"}}"#,
        ),
        (OpenAiResponses, r#"{"type":"response.output_text.delta","output_index":INDEX,"delta":"a"}"#),
        (OpenAiResponses, r#"{"type":"response.output_text.delta","content_index":INDEX,"delta":"a"}"#),
        (Gemini, r#"{"candidates":[{"index":INDEX,"content":{"parts":[{"text":"a"}]}}]}"#),
        (BedrockConverse, r#"{"contentBlockIndex":INDEX,"delta":{"text":"a"}}"#),
    ] {
        for (index, plain) in [
            ("0", true),
            ("7", true),
            ("null", true),
            ("4294967296", false),
            ("16777216", false),
            ("1.0", false),
            ("0.0", false),
            ("1e0", false),
            ("-0", false),
            ("-1", false),
            ("\"0\"", false),
            ("true", false),
            ("{}", false),
        ] {
            let event = event(&format!("data: {}\n\n", with.replace("INDEX", index)));
            let read = read_event(protocol, "", &event, &Limits::default());
            assert_eq!(read.is_ok(), plain, "{with} {index}");
        }
    }
    for (protocol, data) in [
        (Gemini, r#"{"candidates":[{"content":{"parts":[{"thought":1,"text":"a"}]}}]}"#),
        (Gemini, r#"{"candidates":[{"content":{"parts":[{"thought":"true","text":"a"}]}}]}"#),
        (Gemini, r#"{"candidates":[{"content":{}},{"index":0,"content":{}}]}"#),
        (
            AnthropicMessages,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","text":"a"}}"#,
        ),
    ] {
        let event = event(&format!("data: {data}\n\n"));
        let read = read_event(protocol, "", &event, &Limits::default());
        assert!(matches!(read, Err(WireError::Malformed { .. })), "{data}");
    }
}

#[test]
fn what_bedrocks_models_say_in_their_own_ways_is_in_pieces() {
    // Each in Base64, as it stands in an event of Bedrock's.
    for (inner, text) in [
        // {"generation":"He","usage":null}
        ("eyJnZW5lcmF0aW9uIjoiSGUiLCJ1c2FnZSI6bnVsbH0=", "He"),
        // {"outputText":"He"}
        ("eyJvdXRwdXRUZXh0IjoiSGUifQ==", "He"),
        // {"bytes":"","generation":"He"}
        ("eyJieXRlcyI6IiIsImdlbmVyYXRpb24iOiJIZSJ9", "He"),
    ] {
        let event = Event::Json(format!(r#"{{"bytes":"{inner}"}}"#).into_bytes());
        let item = read_event(Protocol::BedrockInvoke, "", &event, &Limits::default()).unwrap();
        let pieces: Vec<_> = item.pieces.iter().map(|piece| item.text(piece)).collect();
        assert_eq!(pieces, [text], "{inner}");
    }
}
