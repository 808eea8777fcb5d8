//! Amazon's binary event stream: frames made here, whole or damaged, come out as they went in or not at all.

use mesh_wire::{Edit, Event, Framing, Limits, Protocol, read_event};

use crate::bytes::{chunks, pick, take};
use crate::sse::{bytes, cut};

pub(crate) fn check(data: &[u8]) {
    let mut rest = data;
    let seed = take(&mut rest);
    let protocol = pick(&[Protocol::BedrockConverse, Protocol::BedrockInvoke], &mut rest);
    let damage = take(&mut rest);
    let mut stream = Vec::new();
    let mut payloads = Vec::new();
    let mut odd_headers = false;
    for payload in rest.split(|byte| *byte == 0xFF).take(8) {
        // A payload may name its own headers: what stands before the first zero byte.
        let (headers, payload) = match payload.iter().position(|byte| *byte == 0) {
            Some(at) => {
                odd_headers = true;
                (&payload[..at], &payload[at + 1..])
            }
            None => (&b"\x0d:content-type\x07\x00\x10application/json"[..], payload),
        };
        stream.extend(frame(headers, payload));
        payloads.push(payload);
    }
    let damaged = damage != 0;
    if damaged && !stream.is_empty() {
        let at = usize::from(damage) * 31 % stream.len();
        stream[at] ^= damage;
    }
    let whole = cut(Framing::Amazon, &[&stream]);
    assert_eq!(cut(Framing::Amazon, &chunks(&stream, seed)).ok(), whole.clone().ok(), "another chunking");
    let Ok(events) = whole else {
        assert!(damaged || odd_headers, "a whole stream is read");
        return;
    };
    assert_eq!(bytes(&events), stream);
    for (at, event) in events.iter().enumerate() {
        let Event::Amazon(frame) = event else { panic!("not a frame") };
        if !damaged {
            assert_eq!(frame.payload(), payloads[at]);
        }
        assert_eq!(frame.with_payload(frame.payload()), frame.raw(), "the same payload makes the same frame");
        let Ok(item) = read_event(protocol, "converse-stream", event, &Limits::default()) else { continue };
        let edits: Vec<Edit> = (0..item.message.segments.len())
            .map(|segment| Edit { segment, range: 0..1, with: "another text".to_owned() })
            .collect();
        let rewritten = event.rewritten(&item, &edits, &[]);
        let again = cut(Framing::Amazon, &[&rewritten]).expect("a rewritten frame is one");
        assert_eq!(again.len(), 1);
    }
}

/// A frame as the specification of `application/vnd.amazon.eventstream` lays it out.
pub(crate) fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    out.extend((headers.len() as u32).to_be_bytes());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload);
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}
