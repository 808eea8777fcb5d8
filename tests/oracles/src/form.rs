//! Forms: names and values are those that a server reads, and an edit changes only its own.

use mesh_wire::{Edit, Limits, apply, read_form};

pub(crate) fn check(data: &[u8]) {
    let Ok(message) = read_form(data, &Limits::default()) else { return };
    assert_eq!(apply(data, &message, &[]), data);
    let theirs = |body: &[u8]| -> Vec<String> {
        let pairs = form_urlencoded::parse(body).flat_map(|(name, value)| [name, value]);
        pairs.filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned).collect()
    };
    let want = theirs(data);
    for text in &want {
        // JSON in a value is taken apart, so the whole need not be listed.
        let listed = message.segments.iter().any(|segment| segment.text == *text);
        let json = serde_json::from_str::<serde_json::Value>(text).is_ok();
        let seen: Vec<_> = message.segments.iter().map(|segment| &segment.text).collect();
        assert!(listed || json || text.trim().is_empty(), "{text:?} is not among {seen:?}");
    }
    let every: Vec<Edit> = message
        .segments
        .iter()
        .enumerate()
        .map(|(segment, found)| Edit { segment, range: 0..found.text.len(), with: "[&=%]".to_owned() })
        .collect();
    for one in every.chunks(1).take(12) {
        let edited = theirs(&apply(data, &message, one));
        assert_eq!(edited.len(), want.len(), "as many names and values as before");
        let changed = edited.iter().zip(&want).filter(|(one, other)| one != other).count();
        assert!(changed <= 1, "{changed} names or values have changed");
    }
}
