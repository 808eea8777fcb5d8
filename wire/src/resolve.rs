//! For running texts (a stream's tool arguments): escapes resolved, with the way back.

use std::ops::Range;

use crate::coding::{Coding, Patch};

/// A text with the JSON escapes in it resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The text without escapes.
    pub text: String,
}

impl Resolved {
    /// Where a range of `text` stands in the text it was resolved from.
    pub fn source(&self, original: &str, range: Range<usize>) -> Range<usize> {
        let patches = vec![Patch { range, with: String::new() }];
        let found = Coding::Loose.to_source(original, &self.text, patches).into_iter().next();
        found.map_or(0..original.len(), |patch| patch.range)
    }
}

/// The text with its JSON escapes resolved, or `None` if it has none. Text that is not JSON is no error: what is no
/// escape stays as it is. An escape cut off at the end (`\u00`) stays written out: hold it back until it is whole.
pub fn resolve_escapes(text: &str) -> Option<Resolved> {
    memchr::memchr(b'\\', text.as_bytes())?;
    Some(Resolved { text: Coding::Loose.decode(text).into_owned() })
}

/// A text as it has to be written inside a JSON string: for replacing something in running tool arguments.
pub fn escape_json(text: &str) -> String {
    crate::coding::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_resolve_and_lead_back() {
        let original = r#"{"card":"4111\u0031111","#;
        let resolved = resolve_escapes(original).unwrap();
        assert_eq!(resolved.text, r#"{"card":"41111111","#);
        assert_eq!(&original[resolved.source(original, 9..17)], r"4111\u0031111");
        assert_eq!(resolve_escapes("plain"), None);
    }
}
