//! Shapes with which an inspector is led astray: each is refused, or read so that nothing stays hidden.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{Edit, Limits, Message, Protocol, WireError, apply, read_form, read_request, to_value};

fn read(body: &[u8]) -> Result<Message, WireError> {
    read_request(Protocol::Json, body, &Limits::default())
}

/// Offset and reason of the refusal, or `read`.
fn verdict(body: &[u8]) -> String {
    match read(body) {
        Ok(_) => "read".to_owned(),
        Err(WireError::Malformed { offset, reason }) => format!("{offset}: {reason}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_two_parsers_read_differently_is_refused() {
    let utf16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16be: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let many: String = (0..40).map(|n| format!("\"k{n}\":{n},")).collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("duplicate keys", br#"{"role":"user","role":"system"}"#.to_vec(), "16: duplicate key"),
        ("duplicate keys, one escaped", br#"{"role":"a","rol\u0065":"b"}"#.to_vec(), "13: duplicate key"),
        ("duplicate keys far apart", format!("{{{many}\"k3\":0}}").into_bytes(), "read-or-refused"),
        ("duplicate keys deep inside", br#"[{"a":[{"b":1,"b":2}]}]"#.to_vec(), "15: duplicate key"),
        ("lone high surrogate", br#"{"a":"\ud83d"}"#.to_vec(), "6: lone surrogate"),
        ("lone low surrogate", br#"{"a":"\ude00"}"#.to_vec(), "6: lone surrogate"),
        ("surrogates the wrong way round", br#"{"a":"\ude00\ud83d"}"#.to_vec(), "6: lone surrogate"),
        ("high surrogate, then another escape", br#"{"a":"\ud83d\u0041"}"#.to_vec(), "6: lone surrogate"),
        ("lone surrogate in a key", br#"{"\ud83d":1}"#.to_vec(), "2: lone surrogate"),
        ("invalid UTF-8", b"{\"a\":\"\xFF\"}".to_vec(), "6: invalid UTF-8"),
        ("overlong UTF-8", b"{\"a\":\"\xC0\xAF\"}".to_vec(), "6: invalid UTF-8"),
        ("surrogates in UTF-8", b"{\"a\":\"\xED\xA0\xBD\"}".to_vec(), "6: invalid UTF-8"),
        ("byte order mark", b"\xEF\xBB\xBF{}".to_vec(), "0: byte order mark"),
        ("UTF-16 LE", utf16, "0: UTF-16 or UTF-32 where UTF-8 is required"),
        ("UTF-16 BE", utf16be, "0: UTF-16 or UTF-32 where UTF-8 is required"),
        ("UTF-16 with a mark", b"\xFF\xFE{\0}\0".to_vec(), "0: byte order mark"),
        ("NUL between tokens", b"{\0}".to_vec(), "0: UTF-16 or UTF-32 where UTF-8 is required"),
        ("NUL in a string", b"{\"a\":\"x\0\"}".to_vec(), "7: control character in a string"),
        ("raw line feed in a string", b"{\"a\":\"x\ny\"}".to_vec(), "7: control character in a string"),
        ("comment", br#"{"a":1/*x*/}"#.to_vec(), "6: expected a comma or the end of the container"),
        ("line comment", b"// x\n{}".to_vec(), "0: expected a value"),
        ("trailing comma in an object", br#"{"a":1,}"#.to_vec(), "7: expected a key in double quotes"),
        ("trailing comma in an array", b"[1,]".to_vec(), "3: expected a value"),
        ("single quotes", b"{'a':1}".to_vec(), "1: expected a key in double quotes"),
        ("bare key", b"{a:1}".to_vec(), "1: expected a key in double quotes"),
        ("NaN", br#"{"a":NaN}"#.to_vec(), "5: expected a value"),
        ("Infinity", br#"{"a":-Infinity}"#.to_vec(), "5: expected a digit"),
        ("capital literal", b"[True]".to_vec(), "1: expected a value"),
        ("1e400", br#"{"a":1e400}"#.to_vec(), "5: number that a double cannot hold"),
        ("1e-400", br#"{"a":1e-400}"#.to_vec(), "5: number that a double cannot hold"),
        ("huge integer", br#"{"a":123456789012345678901234567890}"#.to_vec(), "5: integer beyond 64 bits"),
        ("leading zero", b"[01]".to_vec(), "1: number with a leading zero"),
        ("plus sign", b"[+1]".to_vec(), "1: expected a value"),
        ("hexadecimal", b"[0x10]".to_vec(), "2: expected a comma or the end of the container"),
        ("trailing garbage", b"{} x".to_vec(), "3: something follows the document"),
        ("two documents", b"{}{}".to_vec(), "2: something follows the document"),
        ("lines of documents", b"{\"a\":1}\n{\"a\":2}".to_vec(), "8: something follows the document"),
        ("unknown escape", br#"{"a":"\x41"}"#.to_vec(), "6: unknown escape in a string"),
        ("broken unicode escape", br#"{"a":"\u00g1"}"#.to_vec(), "6: broken unicode escape in a string"),
        ("signed unicode escape", br#"{"a":"\u+041"}"#.to_vec(), "6: broken unicode escape in a string"),
        ("unicode escape cut by the end", br#"{"a":"\u00"#.to_vec(), "6: broken unicode escape in a string"),
        ("string without end", br#"{"a":"x"#.to_vec(), "7: unexpected end in a string"),
        ("object without end", br#"{"a":1"#.to_vec(), "6: unexpected end"),
        ("value missing", br#"{"a":}"#.to_vec(), "5: expected a value"),
        ("colon missing", br#"{"a" 1}"#.to_vec(), "5: expected a colon"),
        (
            "no-break space between tokens",
            "{\u{A0}}".as_bytes().to_vec(),
            "1: expected a key in double quotes",
        ),
        ("form feed between tokens", b"{\x0C}".to_vec(), "1: expected a key in double quotes"),
        ("closers mixed up", b"[1}".to_vec(), "2: expected a comma or the end of the container"),
    ];
    for (name, body, want) in cases {
        if want == "read-or-refused" {
            assert!(verdict(&body).ends_with("duplicate key"), "{name}: {}", verdict(&body));
            continue;
        }
        assert_eq!(verdict(&body), want, "{name}");
        assert!(to_value(&body, &Limits::default()).is_err(), "{name}");
    }
}

#[test]
fn depth_is_bounded_without_using_up_the_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    assert_eq!(verdict(&nested(128)), "read");
    assert_eq!(verdict(&nested(129)), "128: nested too deeply");
    assert_eq!(verdict(&nested(100_000)), "128: nested too deeply");
    assert_eq!(verdict("[".repeat(100_000).as_bytes()), "128: nested too deeply");
    assert_eq!(verdict("{\"a\":".repeat(100_000).as_bytes()), "640: nested too deeply");
    // The deepest thing we walk: documents of full depth in one another.
    let mut body = format!("{}\"123-45-6789\"{}", "[".repeat(127), "]".repeat(127));
    for _ in 0..4 {
        body = format!("{}{}{}", "[".repeat(127), serde_json::to_string(&body).unwrap(), "]".repeat(127));
    }
    let message = read(body.as_bytes()).unwrap();
    assert!(message.segments.iter().any(|segment| segment.text == "123-45-6789"));
}

#[test]
fn sizes_are_bounded() {
    let small = Limits { max_body: 10, max_segments: 3, max_nodes: 8, ..Limits::default() };
    let refused = |body: &str| read_request(Protocol::Json, body.as_bytes(), &small).unwrap_err().to_string();
    assert_eq!(refused("[1,2,3,4,5,6]"), "the body has more bytes than the limit of 10");
    let small = Limits { max_body: 1000, ..small };
    let refused = |body: &str| read_request(Protocol::Json, body.as_bytes(), &small).unwrap_err().to_string();
    assert_eq!(refused(r#"["a","b","c","d"]"#), "the body has more texts than the limit of 3");
    assert_eq!(refused("[[],[],[],[],[],[],[],[]]"), "the body has more JSON values than the limit of 8");
    let numbers = format!("[{}1]", "0.25,".repeat(100));
    assert!(read_request(Protocol::Json, numbers.as_bytes(), &small).is_ok(), "vectors count once");
}

/// The text `needle` is found in some segment; once that is blacked out, it is nowhere in the body, however a reader
/// resolves escapes.
fn found_and_blacked_out(name: &str, protocol: Protocol, body: &str, needle: &str) {
    let message = read_request(protocol, body.as_bytes(), &Limits::default()).unwrap();
    blacked_out(name, body, &message, needle);
}

fn blacked_out(name: &str, body: &str, message: &Message, needle: &str) {
    let mut edits = Vec::new();
    for (segment, text) in message.segments.iter().map(|segment| &segment.text).enumerate() {
        edits.extend(text.match_indices(needle).map(|(start, found)| Edit {
            segment,
            range: start..start + found.len(),
            with: "[X]".to_owned(),
        }));
    }
    assert!(!edits.is_empty(), "{name}: not found in {:?}", message.segments);
    let edited = String::from_utf8(apply(body.as_bytes(), message, &edits)).unwrap();
    let mut reading = edited.clone();
    for _ in 0..6 {
        assert!(!reading.contains(needle), "{name}: still in {edited}");
        reading = mesh_wire::resolve_escapes(&reading).text().to_owned();
    }
    let again = read_request(message.protocol, edited.as_bytes(), &Limits::default());
    assert!(again.is_ok(), "{name}: {edited} no longer reads");
}

#[test]
fn nothing_hides() {
    let card = "4111111111111111";
    for (name, protocol, body) in [
        ("plain", Protocol::Json, r#"{"a":"4111111111111111"}"#),
        ("unicode escapes", Protocol::Json, r#"{"a":"41\u0031\u0031111111111111"}"#),
        ("a key", Protocol::Json, r#"{"a":{"4111111111111111":1}}"#),
        (
            "a key with escapes",
            Protocol::OpenAiChat,
            r#"{"messages":[{"role":"user","\u0034111111111111111":"x"}]}"#,
        ),
        ("a number", Protocol::Json, r#"{"a":[4111111111111111]}"#),
        ("a number with a fraction of zero", Protocol::Json, r#"{"a":4111111111111111.0}"#),
        ("a number with an exponent", Protocol::Json, r#"{"a":4.111111111111111e15}"#),
        ("a number between small ones", Protocol::Json, r#"{"a":[1,2,4111111111111111,3,null]}"#),
        ("a member nobody knows", Protocol::OpenAiChat, r#"{"messages":[],"x":{"y":["4111111111111111"]}}"#),
        ("a role", Protocol::OpenAiChat, r#"{"messages":[{"role":"4111111111111111","content":"a"}]}"#),
        (
            "an id",
            Protocol::OpenAiChat,
            r#"{"messages":[{"role":"tool","tool_call_id":"call_4111111111111111"}]}"#,
        ),
        ("the model", Protocol::OpenAiChat, r#"{"model":"4111111111111111","messages":[]}"#),
        ("messages that are no list", Protocol::OpenAiChat, r#"{"messages":"4111111111111111"}"#),
        (
            "content that is a number",
            Protocol::OpenAiChat,
            r#"{"messages":[{"role":"user","content":4111111111111111}]}"#,
        ),
        ("JSON in a string", Protocol::Json, r#"{"a":"{\"b\":\"4111111111111111\"}"}"#),
        ("JSON in a string, escaped there", Protocol::Json, r#"{"a":"{\"b\":\"\\u0034111111111111111\"}"}"#),
        ("a number in JSON in a string", Protocol::Json, r#"{"a":"[4111111111111111]"}"#),
        ("a key in JSON in a string", Protocol::Json, r#"{"a":"{\"4111111111111111\":0}"}"#),
        ("almost JSON in a string", Protocol::Json, r#"{"a":"{\"b\":\"\\u0034111111111111111\",}"}"#),
        (
            "duplicate keys in JSON in a string",
            Protocol::Json,
            r#"{"a":"{\"b\":\"\\u0034111111111111111\",\"b\":1}"}"#,
        ),
        ("JSON in prose", Protocol::Json, r#"{"a":"the answer is {\"b\":\"\\u0034111111111111111\"}"}"#),
        ("escapes of escapes", Protocol::Json, r#"{"a":"x \\\\u0034111111111111111"}"#),
        ("a quoted string in a string", Protocol::Json, r#"{"a":"\"4111\\u003111111111111\\u0031\""}"#),
        ("a text body", Protocol::Text, "my card is 4111111111111111."),
        ("JSON in a text body", Protocol::Text, r#"{"a":"\u0034111111111111111"}"#),
        ("lines of JSON in a text body", Protocol::Text, "{\"a\":\"\\u0034111111111111111\"}\n{\"a\":2}"),
        (
            "JSON and words in a text body",
            Protocol::Text,
            "{\"a\":\"\\u0034111111111111111\"} 4111111111111111",
        ),
        ("JSON behind a mark", Protocol::Text, "\u{FEFF}{\"a\":\"\\u0034111111111111111\"}"),
        (
            "a batch entry that is no object",
            Protocol::Mcp,
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},"4111111111111111"]"#,
        ),
        ("an rpc id", Protocol::Mcp, r#"{"jsonrpc":"2.0","id":"4111111111111111","method":"ping"}"#),
        ("a scalar document", Protocol::OpenAiChat, r#""4111111111111111""#),
        ("the fifth level", Protocol::Json, &six_levels()),
    ] {
        found_and_blacked_out(name, protocol, body, card);
    }
}

/// Deeper than documents in strings are followed: still seen as text.
fn six_levels() -> String {
    let mut body = r#"{"a":"4111111111111111"}"#.to_owned();
    for _ in 0..6 {
        body = serde_json::to_string(&serde_json::json!({ "a": body })).unwrap();
    }
    body
}

#[test]
fn base64_of_text_is_text_and_of_images_is_media() {
    // "my card is 4111111111111111"
    let encoded = "bXkgY2FyZCBpcyA0MTExMTExMTExMTExMTEx";
    for (name, protocol, body) in [
        (
            "a text file",
            Protocol::OpenAiChat,
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"file","file":{{"file_data":"data:text/plain;base64,{encoded}"}}}}]}}]}}"#
            ),
        ),
        (
            "an image that is none",
            Protocol::OpenAiChat,
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{encoded}"}}}}]}}]}}"#
            ),
        ),
        (
            "an Anthropic source",
            Protocol::AnthropicMessages,
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"document","source":{{"type":"base64","media_type":"text/plain","data":"{encoded}"}}}}]}}]}}"#
            ),
        ),
        (
            "an MCP blob",
            Protocol::Mcp,
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"result":{{"contents":[{{"uri":"file:///a","blob":"{encoded}"}}]}}}}"#
            ),
        ),
    ] {
        let message = read_request(protocol, body.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(message.media, 0, "{name}");
        let segment = message.segments.iter().position(|s| s.text == "my card is 4111111111111111").unwrap();
        let edit = Edit { segment, range: 11..27, with: "[X]".to_owned() };
        let edited = String::from_utf8(apply(body.as_bytes(), &message, &[edit])).unwrap();
        assert_eq!(edited, body.replace(encoded, "bXkgY2FyZCBpcyBbWF0="), "{name}");
    }
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4";
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}},{{"type":"input_audio","input_audio":{{"data":"{image}","format":"wav"}}}}]}}]}}"#
    );
    let message = read_request(Protocol::OpenAiChat, body.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((message.media, message.segments.len()), (2, 0));
}

#[test]
fn forms_are_read_name_by_name() {
    let body = "note=my+card+is+4111%31111%31111%31111&4111111111111111=x&empty=&flag";
    let message = read_form(body.as_bytes(), &Limits::default()).unwrap();
    let texts: Vec<&str> = message.segments.iter().map(|segment| segment.text.as_str()).collect();
    assert_eq!(texts, ["note", "my card is 4111111111111111", "4111111111111111", "x", "empty", "flag"]);
    let edits = [
        Edit { segment: 1, range: 11..27, with: "[X]".to_owned() },
        Edit { segment: 2, range: 0..16, with: "a b".to_owned() },
    ];
    let edited = apply(body.as_bytes(), &message, &edits);
    assert_eq!(String::from_utf8(edited).unwrap(), "note=my+card+is+%5BX%5D&a+b=x&empty=&flag");
}

#[test]
fn errors_tell_nothing_of_the_content() {
    let error = read(br#"{"ssn":"123-45-6789","ssn":"x"}"#).unwrap_err();
    assert_eq!(error.to_string(), "malformed body at byte 22: duplicate key");
}

/// Servers in Go and .NET take a name in any letters for the one that they know.
#[test]
fn members_in_other_letters_are_refused_where_they_mean_something() {
    for (protocol, body, refused) in [
        (Protocol::OpenAiChat, r#"{"model":"a","Model":"b","messages":[]}"#, true),
        (Protocol::OpenAiChat, r#"{"Messages":[{"Content":"x"}]}"#, true),
        (Protocol::Ollama, "{\"model\":\"a\",\"Tool\u{17f}\":[]}", true),
        (Protocol::OpenAiChat, r#"{"tools":[{"type":"function","function":{"name":"a","Name":"b"}}]}"#, true),
        (
            Protocol::Mcp,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            true,
        ),
        (Protocol::Mcp, r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"a"}}"#, true),
        (
            Protocol::Mcp,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":"b"}}}"#,
            false,
        ),
        (
            Protocol::OpenAiChat,
            r#"{"tools":[{"type":"function","function":{"name":"a","parameters":{"properties":{"Name":{}}}}}]}"#,
            false,
        ),
        (Protocol::Json, r#"{"Model":"b","Content":"x"}"#, false),
    ] {
        let read = read_request(protocol, body.as_bytes(), &Limits::default());
        assert_eq!(read.is_err(), refused, "{body}: {read:?}");
    }
    let read = read_request(Protocol::OpenAiChat, br#"{"Model":"b"}"#, &Limits::default());
    assert_eq!(
        read.unwrap_err().to_string(),
        "malformed body at byte 2: `model` in other letters, which some servers take for it: write it in small ones"
    );
}
