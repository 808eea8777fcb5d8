//! Server-sent events: the same under any chunking, none of the bytes lost, and the same data as a reader written from
//! the specification sees (WHATWG HTML § 9.2.6).

use mesh_wire::{Event, EventStream, Framing, Limits, WireError};

use crate::bytes::{chunks, take};

pub(crate) fn check(data: &[u8]) {
    let mut stream = data;
    let seed = take(&mut stream);
    let whole = cut(Framing::Sse, &[stream]);
    assert_eq!(cut(Framing::Sse, &chunks(stream, seed)).ok(), whole.clone().ok(), "another chunking");
    let Ok(events) = whole else { return };
    assert_eq!(bytes(&events), stream, "all bytes, and none besides");
    let ours: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Sse(event) if event.terminated && !is_bare(&event.raw) => event.data.as_deref(),
            _ => None,
        })
        .collect();
    let text = std::str::from_utf8(stream).expect("events are UTF-8");
    assert_eq!(ours, by_the_book(text), "data");
}

pub(crate) fn cut(framing: Framing, chunks: &[&[u8]]) -> Result<Vec<Event>, WireError> {
    let mut stream = EventStream::new(framing, &Limits::default());
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(stream.push(chunk)?);
    }
    events.extend(stream.finish()?);
    Ok(events)
}

pub(crate) fn bytes(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|event| event.raw().to_vec()).collect()
}

/// JSON without a field's name, which some clients read by itself: the specification knows no such event.
fn is_bare(event: &[u8]) -> bool {
    event.trim_ascii_start().starts_with(b"{") || event.trim_ascii_start().starts_with(b"[")
}

/// The data of each event that is complete and not [bare](is_bare): line by line, as the specification words it, but that an event
/// whose data is empty counts too (clients differ on that).
fn by_the_book(text: &str) -> Vec<String> {
    assert!(!text.starts_with('\u{FEFF}'), "readers differ on a mark");
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let Some((complete, _)) = text.rsplit_once('\n') else { return Vec::new() };
    let mut out = Vec::new();
    let mut data: Option<String> = None;
    let mut event = String::new();
    for line in complete.split('\n') {
        if line.is_empty() {
            out.extend(data.take().filter(|_| !is_bare(event.as_bytes())));
            event.clear();
            continue;
        }
        event.push_str(line);
        event.push('\n');
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            }
        }
    }
    out
}
