//! Streams of every framing: cut anywhere they give the same events, whose bytes are all the bytes that went in, and a
//! rewritten event is one of the same framing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_mock_provider::amazon_frame;
use mesh_wire::{
    BodyKind, Edit, Event, EventStream, Framing, Limits, Protocol, WireError, body_kind, read_event,
};
use proptest::prelude::*;

const ANSWERS: &[&str] = &[
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hé \"{[\\"}]},"index":0}]}"#,
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"]} 😀"}]},"finishReason":"STOP"}]}"#,
    r#"{}"#,
];

fn stream(framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Sse => {
            ANSWERS.iter().flat_map(|answer| format!("data: {answer}\r\n\r\n").into_bytes()).collect()
        }
        Framing::Lines => ANSWERS.iter().flat_map(|answer| format!("{answer}\r\n\n").into_bytes()).collect(),
        Framing::Array => format!(" [{}\r\n]\n", ANSWERS.join("\n,\r\n")).into_bytes(),
        Framing::Amazon => {
            ANSWERS.iter().flat_map(|answer| amazon_frame("contentBlockDelta", answer)).collect()
        }
    }
}

const FRAMINGS: [Framing; 4] = [Framing::Sse, Framing::Lines, Framing::Array, Framing::Amazon];

fn cut(framing: Framing, chunks: &[&[u8]]) -> Result<Vec<Event>, WireError> {
    let mut stream = EventStream::new(framing, &Limits::default());
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(stream.push(chunk)?);
    }
    events.extend(stream.finish()?);
    Ok(events)
}

fn bytes(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|event| event.raw().to_vec()).collect()
}

#[test]
fn every_cut_gives_the_same_events() {
    for framing in FRAMINGS {
        let stream = stream(framing);
        let whole = cut(framing, &[&stream]).unwrap();
        assert_eq!(bytes(&whole), stream, "{framing:?}");
        let read =
            |event| read_event(Protocol::Gemini, "streamGenerateContent", event, &Limits::default()).unwrap();
        let texts: Vec<String> =
            whole.iter().flat_map(|event| read(event).message.segments).map(|segment| segment.text).collect();
        assert_eq!(texts, ["Hé \"{[\\", "]} 😀"], "{framing:?}");
        for at in 0..=stream.len() {
            assert_eq!(
                cut(framing, &[&stream[..at], &stream[at..]]).unwrap(),
                whole,
                "{framing:?} cut at {at}"
            );
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(framing, &single).unwrap(), whole, "{framing:?} byte by byte");
    }
}

#[test]
fn a_rewritten_event_is_one_of_the_same_framing() {
    for framing in FRAMINGS {
        let events = cut(framing, &[&stream(framing)]).unwrap();
        let mut out = Vec::new();
        for event in &events {
            let item = read_event(Protocol::Gemini, "", event, &Limits::default()).unwrap();
            assert_eq!(event.rewritten(&item, &[], &[]), event.raw(), "{framing:?}");
            let edits: Vec<Edit> = (0..item.message.segments.len())
                .map(|segment| Edit { segment, range: 0..1, with: "a longer \"text\"".to_owned() })
                .collect();
            out.extend(event.rewritten(&item, &edits, &[]));
        }
        let again = cut(framing, &[&out]).unwrap();
        assert_eq!(again.len(), events.len(), "{framing:?}");
        let item = read_event(
            Protocol::Gemini,
            "",
            again.iter().find(|event| !matches!(event, Event::Gap(_))).unwrap(),
            &Limits::default(),
        )
        .unwrap();
        assert_eq!(item.message.segments[0].text, "a longer \"text\"é \"{[\\", "{framing:?}");
    }
}

#[test]
fn an_item_goes_out_as_soon_as_it_is_complete() {
    for (framing, pieces) in [
        (Framing::Lines, vec![("{\"a\":1", 0), ("}\n", 1), ("\n", 1), ("{}", 0)]),
        (Framing::Array, vec![("[", 0), ("{\"a\":[1]", 1), ("}", 1), (",", 0), ("{}", 2), ("]", 0)]),
    ] {
        let mut stream = EventStream::new(framing, &Limits::default());
        for (piece, count) in pieces {
            assert_eq!(stream.push(piece.as_bytes()).unwrap().len(), count, "{framing:?} {piece}");
        }
        assert!(stream.finish().unwrap().is_some());
    }
    // An error is answered in one object, where an array was expected.
    let events = cut(Framing::Array, &[b"{\"error\":", b"{}}\n"]).unwrap();
    assert_eq!(events, [Event::Json(b"{\"error\":{}}\n".to_vec())]);
}

#[test]
fn what_is_not_framed_as_it_should_be_is_refused() {
    for (framing, bad) in [
        (Framing::Array, "[{},]"),
        (Framing::Array, "[{}{}]"),
        (Framing::Array, "[,{}]"),
        (Framing::Array, "[1]"),
        (Framing::Array, "[\"a\"]"),
        (Framing::Array, "[]x"),
        (Framing::Array, "[{}];{}"),
        (Framing::Amazon, "{\"text\":\"no frame at all\"}"),
    ] {
        assert!(matches!(cut(framing, &[bad.as_bytes()]), Err(WireError::Malformed { .. })), "{bad}");
    }
    let small = Limits { max_event: 8, ..Limits::default() };
    for framing in FRAMINGS {
        let stream = stream(framing);
        assert!(
            matches!(EventStream::new(framing, &small).push(&stream), Err(WireError::TooLarge { .. })),
            "{framing:?}"
        );
    }
}

#[test]
fn the_content_type_tells_the_framing() {
    for (content_type, protocol, operation, want) in [
        ("text/event-stream", Protocol::Gemini, "streamGenerateContent", Some(Framing::Sse)),
        ("application/json; charset=UTF-8", Protocol::Gemini, "streamGenerateContent", Some(Framing::Array)),
        ("application/json", Protocol::Gemini, "generateContent", None),
        ("application/x-ndjson", Protocol::Ollama, "chat", Some(Framing::Lines)),
        ("application/jsonl", Protocol::Json, "", Some(Framing::Lines)),
        (
            "application/vnd.amazon.eventstream",
            Protocol::BedrockConverse,
            "converse-stream",
            Some(Framing::Amazon),
        ),
        ("text/plain", Protocol::Text, "", None),
    ] {
        assert_eq!(Framing::of(&body_kind(Some(content_type)), protocol, operation), want, "{content_type}");
    }
    assert_eq!(Framing::of(&BodyKind::Empty, Protocol::Ollama, "chat"), None);
}

proptest! {
    /// Whatever comes in goes out, and nothing else, until it cannot be read any more.
    #[test]
    fn no_byte_is_lost_or_made_up(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                &b"{"[..], b"}", b"[", b"]", b",", b"\"", b"\\", b"\n", b"\r\n", b" ", b"a", b"\xFF", b"\0\0\0\x10",
                b"\0\0\0\0", b"\x05\xC2\x48\xEB", b"\x7D\x98\xC8\xFF", b"data: ",
            ]),
            0..24,
        ),
        size in 1_usize..9,
    ) {
        let stream = parts.concat();
        let chunks: Vec<&[u8]> = stream.chunks(size).collect();
        for framing in FRAMINGS {
            let whole = cut(framing, &[&stream]);
            prop_assert_eq!(cut(framing, &chunks).ok(), whole.clone().ok());
            if let Ok(events) = whole {
                prop_assert_eq!(bytes(&events), stream.clone());
            }
        }
    }
}

/// Done in a moment: work that grows with the square of a chunk would take minutes.
#[test]
fn a_chunk_may_have_many_items_of_an_array() {
    const MANY: usize = 200_000;
    let array = format!("[{}{{}}]", "{},".repeat(MANY - 1));
    let mut stream = EventStream::new(Framing::Array, &Limits::default());
    let mut events = stream.push(array.as_bytes()).unwrap();
    events.extend(stream.finish().unwrap());
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Json(_))).count(), MANY);
    assert_eq!(events.iter().flat_map(Event::raw).copied().collect::<Vec<_>>(), array.as_bytes());
}
