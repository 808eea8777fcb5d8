//! Where a JSON document ends, told piece by piece, for bodies whose end nobody announces.
//!
//! Envoy's decompressors end a response with trailers that a filter which is still collecting never gets to see, so the
//! end of a document has to be told from its own brackets.

/// Follows the brackets of one JSON object or array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DocumentEnd {
    depth: u64,
    in_string: bool,
    escaped: bool,
    complete: bool,
}

impl DocumentEnd {
    /// Takes the next bytes. True once the document's last bracket is closed, whatever follows it.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.complete {
                break;
            }
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete = self.depth == 0;
                }
                _ => {}
            }
        }
        self.complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_ends_with_its_last_bracket_however_it_is_cut() {
        let cases = [
            (r#"{"a":[1,{"b":"}]"}]}"#, true),
            (r#"[{"a":"\"}"}]"#, true),
            (r#"{"a":"\\"}"#, true),
            (r#" {} "#, true),
            (r#"{"a":[1,2"#, false),
            (r#"{"a":"}"#, false),
            ("", false),
        ];
        for (text, complete) in cases {
            for cut in 0..=text.len() {
                let mut end = DocumentEnd::default();
                end.push(&text.as_bytes()[..cut]);
                assert_eq!(end.push(&text.as_bytes()[cut..]), complete, "{text} cut at {cut}");
            }
        }
    }
}
