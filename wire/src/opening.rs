//! What a response's bytes are if its content type may be wrong: SDKs read what they expect, whatever it says.

use crate::error::{Limits, WireError};
use crate::framing::Framing;
use crate::lines;
use crate::protocol::Protocol;
use crate::sse::{self, looks_like_events};

/// A byte order mark, which some parsers skip at the beginning.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// How many first bytes of a file decide whether it may be text.
const HEAD: usize = 1024;

/// The beginning of a response that is declared as a stream, in a known protocol; or of one that is declared as a
/// file.
#[derive(Debug, Clone)]
pub struct Opening {
    protocol: Protocol,
    called: Framing,
    held: Vec<u8>,
    /// How many bytes are known to have no meaning yet; for a file, to be text.
    passed: usize,
    /// It begins like one JSON value, and its protocol has no streams that do.
    whole: bool,
    /// It is declared as a file, and may be text.
    file: bool,
    max_body: usize,
}

/// What is known about a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Nothing yet.
    Waits,
    /// It is a stream, and these are its bytes so far.
    Stream(Framing, Vec<u8>),
    /// It is not a stream, and this is all of it.
    Whole(Vec<u8>),
    /// It is not text, and these are its bytes so far.
    Media(Vec<u8>),
}

impl Opening {
    /// A response with this framing by its content type. Of the limits, only `max_body` applies.
    pub fn new(protocol: Protocol, called: Framing, limits: &Limits) -> Self {
        let max_body = limits.max_body;
        Self { protocol, called, held: Vec::new(), passed: 0, whole: false, file: false, max_body }
    }

    /// A response of an unknown protocol that is a file by its content type.
    pub fn of_file(limits: &Limits) -> Self {
        Self { file: true, ..Self::new(Protocol::None, Framing::Lines, limits) }
    }

    /// Takes the next bytes; `end` if no more follow.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] if it is larger than a whole response may be.
    pub fn push(&mut self, chunk: &[u8], end: bool) -> Result<Opened, WireError> {
        self.held.extend_from_slice(chunk);
        if self.file && !self.is_text_so_far(end) {
            return Ok(Opened::Media(std::mem::take(&mut self.held)));
        }
        if self.held.len() > self.max_body {
            return Err(WireError::TooLarge { what: "bytes of an answer", limit: self.max_body });
        }
        if !self.whole && !self.file {
            let framing = match first(&self.held, self.passed) {
                None if end => Some(self.called),
                None => {
                    self.passed = self.held.len();
                    return Ok(Opened::Waits);
                }
                Some(first) => self.told_by(first),
            };
            if let Some(framing) = framing {
                return Ok(Opened::Stream(framing, std::mem::take(&mut self.held)));
            }
            self.whole = true;
        }
        Ok(if end { Opened::Whole(std::mem::take(&mut self.held)) } else { Opened::Waits })
    }

    /// Whether all bytes are UTF-8, and the first ones are not control characters. `end` if no more follow.
    fn is_text_so_far(&mut self, end: bool) -> bool {
        let head = self.held.get(..self.held.len().min(HEAD)).unwrap_or_default();
        if self.passed < HEAD && head.iter().any(|byte| *byte < 0x20 && !byte.is_ascii_whitespace()) {
            return false;
        }
        match std::str::from_utf8(self.held.get(self.passed..).unwrap_or_default()) {
            Ok(text) => self.passed += text.len(),
            // A character may be split.
            Err(error) if error.error_len().is_none() && !end => self.passed += error.valid_up_to(),
            Err(_) => return false,
        }
        true
    }

    /// The framing of a response that begins with this byte; `None` if it may not be a stream.
    fn told_by(&self, first: u8) -> Option<Framing> {
        match (first, self.protocol, self.called) {
            // Its frames have checksums.
            (_, _, Framing::Amazon) => Some(Framing::Amazon),
            (b'{', Protocol::Ollama, _) => Some(Framing::Lines),
            (b'{' | b'[', Protocol::Gemini, _) => Some(Framing::Array),
            (b'{' | b'[', ..) => None,
            // No JSON begins like a field's name or a comment.
            (b'd' | b'e' | b'i' | b'r' | b':', ..) => Some(Framing::Sse),
            _ => Some(self.called),
        }
    }
}

/// Whether a complete file is text: UTF-8, without control characters at the beginning.
pub fn is_text(body: &[u8]) -> bool {
    let mut file = Opening::of_file(&Limits::default());
    matches!(file.push(body, true), Ok(Opened::Whole(_)))
}

/// The first meaningful byte; none of the first `passed` is.
fn first(bytes: &[u8], passed: usize) -> Option<u8> {
    if MARK.starts_with(bytes) {
        return None;
    }
    let mark = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
    let rest = bytes.get(passed.max(mark)..).unwrap_or_default();
    rest.iter().find(|byte| !byte.is_ascii_whitespace()).copied()
}

/// Whether an object ends and another begins in a later line. Within one JSON value there would be something between
/// them.
fn has_lines(body: &[u8]) -> bool {
    let (mut ended, mut line_ended) = (false, false);
    body.iter().any(|byte| {
        match byte {
            b'\n' => line_ended = true,
            b' ' | b'\t' | b'\r' => {}
            b'{' if ended && line_ended => return true,
            _ => (ended, line_ended) = (*byte == b'}', false),
        }
        false
    })
}

impl Framing {
    /// The framing of a complete body, if its content is a stream. `told` if the protocol is known.
    pub fn of_body(body: &[u8], protocol: Protocol, told: bool) -> Option<Self> {
        if told && looks_like_events(body) {
            return Some(Self::Sse);
        }
        match (first(body, 0)?, protocol) {
            (b'[', Protocol::Gemini) => Some(Self::Array),
            // In any other known protocol it would be one value with something after it.
            (b'{', Protocol::Ollama | Protocol::Json | Protocol::Text | Protocol::None) => {
                has_lines(body).then_some(Self::Lines)
            }
            _ => None,
        }
    }

    /// The framing of a complete response that is declared as text, in an unknown protocol: events or lines of JSON.
    pub fn of_text(body: &[u8], limits: &Limits) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        if sse::has_json(text, limits) {
            return Some(Self::Sse);
        }
        lines::are_json(text, limits).then_some(Self::Lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_an_answer_is() {
        use Framing::{Amazon, Array, Lines, Sse};
        use Protocol::{AnthropicMessages, Gemini, Ollama, OpenAiChat};
        for (protocol, called, body, want) in [
            (OpenAiChat, Sse, "data: {}\n\n", Some(Sse)),
            (OpenAiChat, Sse, "\n: ping\n\n", Some(Sse)),
            (OpenAiChat, Sse, "no field\n\n", Some(Sse)),
            (OpenAiChat, Sse, "", Some(Sse)),
            (OpenAiChat, Sse, "\u{FEFF}data: {}\n\n", Some(Sse)),
            (OpenAiChat, Sse, " {}", None),
            (OpenAiChat, Sse, "\u{FEFF}{}", None),
            (OpenAiChat, Sse, "[{}]", None),
            (OpenAiChat, Sse, "{}\n{}\n", None),
            (OpenAiChat, Lines, "{}\n{}\n", None),
            (Ollama, Lines, "{}\n{}\n", Some(Lines)),
            (OpenAiChat, Lines, "{}\n", None),
            (OpenAiChat, Lines, "data: {}\n\n", Some(Sse)),
            (AnthropicMessages, Lines, "event: x\ndata: {}\n\n", Some(Sse)),
            (AnthropicMessages, Lines, "{\"a\":[\n{\n}\n]}", None),
            (Ollama, Sse, "{}\n{}\n", Some(Lines)),
            (Gemini, Sse, "[{}]", Some(Array)),
            (Gemini, Sse, "{}", Some(Array)),
            (Gemini, Array, "data: {}\n\n", Some(Sse)),
            (Protocol::BedrockConverse, Amazon, "\0\0", Some(Amazon)),
        ] {
            for size in [1, 3, 100] {
                let mut opening = Opening::new(protocol, called, &Limits::default());
                let mut opened = Opened::Waits;
                let mut taken = 0;
                for chunk in body.as_bytes().chunks(size) {
                    if opened == Opened::Waits {
                        taken += chunk.len();
                        opened = opening.push(chunk, false).unwrap();
                    }
                }
                if opened == Opened::Waits {
                    opened = opening.push(b"", true).unwrap();
                }
                let bytes = body.as_bytes()[..taken].to_vec();
                let want =
                    want.map_or(Opened::Whole(bytes.clone()), |framing| Opened::Stream(framing, bytes));
                assert_eq!(opened, want, "{protocol:?} {called:?} {body:?} in {size}s");
            }
        }
    }

    #[test]
    fn a_file_may_be_a_text() {
        for (body, text) in [
            ("{\"a\":1}\n{\"a\":2}\n".as_bytes(), true),
            ("\u{FEFF}caf\u{e9} \u{1F600}".as_bytes(), true),
            (b"", true),
            (b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n", false),
            (b"\x89PNG\r\n\x1a\n\0", false),
            (b"caf\xE9", false),
            (b"cut \xF0\x9F", false),
        ] {
            for size in [1, 3, 100] {
                let mut opening = Opening::of_file(&Limits::default());
                let mut chunks = body.chunks(size).chain([&b""[..]]).peekable();
                let mut taken = Vec::new();
                let opened = loop {
                    let chunk = chunks.next().unwrap();
                    taken.extend_from_slice(chunk);
                    match opening.push(chunk, chunks.peek().is_none()).unwrap() {
                        Opened::Waits => {}
                        opened => break opened,
                    }
                };
                let want = if text { Opened::Whole(taken) } else { Opened::Media(taken) };
                assert_eq!(opened, want, "{body:?} in {size}s");
            }
        }
    }

    #[test]
    fn a_whole_body_may_be_a_stream() {
        for (protocol, told, body, want) in [
            (Protocol::OpenAiChat, true, "data: {}\n\n", Some(Framing::Sse)),
            (Protocol::Json, false, "data: {}\n\n", None),
            (Protocol::Ollama, true, "{}\r\n\r\n{}", Some(Framing::Lines)),
            (Protocol::Ollama, true, "{\n\"a\": {}\n}\n", None),
            (Protocol::Json, false, "{}\n{}", Some(Framing::Lines)),
            (Protocol::Json, false, "[{},\n{}]", None),
            (Protocol::Gemini, true, "[{}]", Some(Framing::Array)),
            (Protocol::Gemini, true, "{}", None),
            (Protocol::Mcp, true, "[{}]", None),
            (Protocol::OpenAiChat, true, "{}\n{}", None),
        ] {
            assert_eq!(Framing::of_body(body.as_bytes(), protocol, told), want, "{body:?}");
        }
    }
    #[test]
    fn a_text_may_be_a_stream() {
        for (body, want) in [
            ("data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n", Some(Framing::Sse)),
            ("event: x\r\ndata:\"a\"\r\n\r\n", Some(Framing::Sse)),
            ("{\"a\":1}\n{\"a\":2}\n", Some(Framing::Lines)),
            ("f:{\"messageId\":\"m\"}\n0:\"a\"\n0:\"b\"\n", Some(Framing::Lines)),
            ("{\"a\":1}\n", None),
            ("{\"a\":1}\n{\"a\":}\n", None),
            ("data: one\n\ndata: two\n\n", None),
            ("id: 7\nname: Ada\ndata: {}\n", None),
            ("0:\"a\"\nand so on\n", None),
            ("1:30\n2:45\n", None),
            ("Hello", None),
            ("", None),
        ] {
            assert_eq!(Framing::of_text(body.as_bytes(), &Limits::default()), want, "{body:?}");
        }
    }
}
