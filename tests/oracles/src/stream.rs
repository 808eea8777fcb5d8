//! Streams of every protocol in every framing: chunking changes nothing, no edit changes nothing, and a rewritten event is
//! one event of the same framing.

use mesh_wire::{Edit, Framing, Limits, RefusalKind, read_event, stream_error};

use crate::bytes::{PROTOCOLS, chunks, pick, take};
use crate::sse::{bytes, cut};

const FRAMINGS: [Framing; 3] = [Framing::Sse, Framing::Lines, Framing::Array];

pub(crate) fn check(data: &[u8]) {
    let mut stream = data;
    let protocol = pick(&PROTOCOLS, &mut stream);
    let framing = pick(&FRAMINGS, &mut stream);
    let seed = take(&mut stream);
    let whole = cut(framing, &[stream]);
    assert_eq!(cut(framing, &chunks(stream, seed)).ok(), whole.clone().ok(), "another chunking");
    let Ok(events) = whole else { return };
    assert_eq!(bytes(&events), stream, "all bytes, and none besides");
    let limits = Limits::default();
    let mut sent = None;
    for (at, event) in events.iter().enumerate() {
        let Ok(item) = read_event(protocol, "", event, &limits) else { return };
        for piece in &item.pieces {
            let _ = item.text(piece);
        }
        assert_eq!(event.rewritten(&item, &[], &[]), event.raw());
        let every: Vec<Edit> = item
            .message
            .segments
            .iter()
            .enumerate()
            .map(|(segment, found)| Edit {
                segment,
                range: 0..found.text.trim_end().len(),
                with: "X".to_owned(),
            })
            .collect();
        let rewritten = event.rewritten(&item, &every, &[]);
        let mut all: Vec<u8> = events[..at].iter().flat_map(|event| event.raw().to_vec()).collect();
        all.extend(&rewritten);
        events[at + 1..].iter().for_each(|event| all.extend(event.raw()));
        let again = cut(framing, &[&all]).expect("a stream with a rewritten event keeps its framing");
        assert_eq!(again.len(), events.len(), "as many events as before");
        sent = event.raw().iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().or(sent);
    }
    let error = stream_error(protocol, framing, RefusalKind::Policy, "no", "d", &["1".to_owned()]);
    let ending = framing.ending(sent, &error);
    assert!(!ending.is_empty());
}
