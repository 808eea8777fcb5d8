//! Scans bytes into a flat list of nodes, strictly and without recursion.

use super::keys::refuse_duplicate_keys;
use super::number::{self, Size};
use crate::error::{FOLLOWS, Limits, TOO_DEEP, WireError, malformed, utf8};

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    /// A member's name; its value is the next node.
    Key,
    Str,
    Num,
    True,
    False,
    Null,
    /// Several consecutive array items without text: literals, and numbers of fewer than seven digits.
    Run,
}

/// One JSON value or key. Nodes are in document order, a container before its contents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Whether a string or key has backslash escapes.
    pub(crate) escaped: bool,
    /// Span in the document: strings without their quotes, everything else whole.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Containers: index of the node after their contents. Runs: the number of items.
    pub(crate) link: u32,
}

/// Scans a body: checks its encoding, then calls [`scan`].
pub(crate) fn scan_bytes<'a>(body: &'a [u8], limits: &Limits) -> Result<(&'a str, Vec<Node>), WireError> {
    if body.len() > limits.max_body {
        return Err(WireError::TooLarge { what: "bytes", limit: limits.max_body });
    }
    if body.starts_with(&[0xEF, 0xBB, 0xBF])
        || body.starts_with(&[0xFE, 0xFF])
        || body.starts_with(&[0xFF, 0xFE])
    {
        return malformed(0, "byte order mark");
    }
    if matches!(body, [0, ..] | [_, 0, ..]) {
        return malformed(0, "UTF-16 or UTF-32 where UTF-8 is required");
    }
    let text = utf8(body)?;
    Ok((text, scan(text, limits)?))
}

/// Scans one JSON document that fills the whole text.
pub(crate) fn scan(text: &str, limits: &Limits) -> Result<Vec<Node>, WireError> {
    if u32::try_from(text.len()).is_err() {
        return Err(WireError::TooLarge { what: "bytes", limit: u32::MAX as usize });
    }
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity((text.len() / 48).clamp(8, 4096)),
        open: Vec::with_capacity(16),
        run_in: None,
        max_nodes: limits.max_nodes,
        max_depth: limits.max_depth.min(128),
    };
    scanner.document()?;
    Ok(scanner.nodes)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Indices of the open containers, and whether each is an object.
    open: Vec<(u32, bool)>,
    /// The array whose last item so far is the last node, a run.
    run_in: Option<u32>,
    max_nodes: usize,
    max_depth: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), WireError> {
        self.skip_space();
        loop {
            if self.value()? {
                // Just inside a new container: it ends at once, or its first value follows.
                self.skip_space();
                let (closer, in_object) = self.closer();
                if self.peek() == closer {
                    self.at += 1;
                    self.close()?;
                } else {
                    if in_object {
                        self.key()?;
                    }
                    continue;
                }
            }
            // After a value: the document ends, the container ends, or a comma leads to the next value.
            loop {
                self.skip_space();
                let Some(byte) = self.peek() else {
                    return if self.open.is_empty() { Ok(()) } else { malformed(self.at, "unexpected end") };
                };
                if self.open.is_empty() {
                    return malformed(self.at, FOLLOWS);
                }
                let (closer, in_object) = self.closer();
                if Some(byte) == closer {
                    self.at += 1;
                    self.close()?;
                } else if byte == b',' {
                    self.at += 1;
                    self.skip_space();
                    if in_object {
                        self.key()?;
                    }
                    break;
                } else {
                    return malformed(self.at, "expected a comma or the end of the container");
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn closer(&self) -> (Option<u8>, bool) {
        match self.open.last() {
            Some((_, true)) => (Some(b'}'), true),
            Some((_, false)) => (Some(b']'), false),
            None => (None, false),
        }
    }

    /// Reads a scalar, or opens a container and returns true.
    fn value(&mut self) -> Result<bool, WireError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.string(Kind::Str)?;
                Ok(false)
            }
            Some(byte @ (b'{' | b'[')) => {
                if self.open.len() >= self.max_depth {
                    return malformed(start, TOO_DEEP);
                }
                self.at += 1;
                let object = byte == b'{';
                let index =
                    self.push(if object { Kind::Object } else { Kind::Array }, false, start, start)?;
                self.open.push((index, object));
                Ok(true)
            }
            Some(b't') => self.literal("true", Kind::True),
            Some(b'f') => self.literal("false", Kind::False),
            Some(b'n') => self.literal("null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => {
                let rest = self.text.get(start..).unwrap_or_default();
                let (len, size) = number::read(rest, start)?;
                self.at += len;
                match size {
                    Size::Small => self.small(Kind::Num, start)?,
                    Size::Large => {
                        self.push(Kind::Num, false, start, self.at)?;
                    }
                }
                Ok(false)
            }
            Some(_) => malformed(start, "expected a value"),
            None => malformed(start, "unexpected end"),
        }
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<bool, WireError> {
        let start = self.at;
        if !self.text.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return malformed(start, "expected a value");
        }
        self.at += word.len();
        self.small(kind, start)?;
        Ok(false)
    }

    /// A scalar without text: in an array it joins the run before it.
    fn small(&mut self, kind: Kind, start: usize) -> Result<(), WireError> {
        let Some(&(array, false)) = self.open.last() else {
            self.push(kind, false, start, self.at)?;
            return Ok(());
        };
        let end = as_u32(self.at);
        match (self.run_in, self.nodes.last_mut()) {
            (Some(owner), Some(run)) if owner == array => {
                run.end = end;
                run.link += 1;
            }
            _ => {
                self.push(Kind::Run, false, start, self.at)?;
                if let Some(run) = self.nodes.last_mut() {
                    run.link = 1;
                }
                self.run_in = Some(array);
            }
        }
        Ok(())
    }

    fn key(&mut self) -> Result<(), WireError> {
        if self.peek() != Some(b'"') {
            return malformed(self.at, "expected a key in double quotes");
        }
        self.string(Kind::Key)?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return malformed(self.at, "expected a colon");
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn string(&mut self, kind: Kind) -> Result<(), WireError> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_run(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return malformed(self.at, "control character in a string"),
                None => return malformed(self.at, "unexpected end in a string"),
            }
        }
        self.push(kind, escaped, start, self.at)?;
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), WireError> {
        let start = self.at;
        match self.bytes.get(start + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let first = self.hex4(start)?;
                self.at += 6;
                if (0xDC00..0xE000).contains(&first) {
                    return malformed(start, "lone surrogate");
                }
                if (0xD800..0xDC00).contains(&first) {
                    let paired = self.bytes.get(self.at..self.at + 2) == Some(b"\\u")
                        && (0xDC00..0xE000).contains(&self.hex4(self.at)?);
                    if !paired {
                        return malformed(start, "lone surrogate");
                    }
                    self.at += 6;
                }
            }
            _ => return malformed(start, "unknown escape in a string"),
        }
        Ok(())
    }

    /// The four hexadecimal digits of the `\u` escape at `start`.
    fn hex4(&self, start: usize) -> Result<u32, WireError> {
        let digits = self.text.get(start + 2..start + 6).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(code) => Ok(code),
            None => malformed(start, "broken unicode escape in a string"),
        }
    }

    fn push(&mut self, kind: Kind, escaped: bool, start: usize, end: usize) -> Result<u32, WireError> {
        if self.nodes.len() >= self.max_nodes {
            return Err(WireError::TooLarge { what: "JSON values", limit: self.max_nodes });
        }
        let index = as_u32(self.nodes.len());
        self.nodes.push(Node { kind, escaped, start: as_u32(start), end: as_u32(end), link: 0 });
        self.run_in = None;
        Ok(index)
    }

    fn close(&mut self) -> Result<(), WireError> {
        let Some((index, object)) = self.open.pop() else { return Ok(()) };
        let (end, link) = (as_u32(self.at), as_u32(self.nodes.len()));
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.end = end;
            node.link = link;
        }
        self.run_in = None;
        if object { refuse_duplicate_keys(self.text, &self.nodes, index) } else { Ok(()) }
    }
}

/// Offsets fit: the length of the text was checked at the start.
fn as_u32(offset: usize) -> u32 {
    offset as u32
}

/// The number of bytes before the first quote, backslash or control character. Eight at a time: in each word, a
/// byte's top bit is set if the byte is zero after XOR (or below 0x20), and the lowest such bit is exact.
fn plain_run(bytes: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero_bytes = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, chunk) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let special = control | zero_bytes(word ^ (LOW * 0x22)) | zero_bytes(word ^ (LOW * 0x5C));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let plain = tail.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1F)).unwrap_or(tail.len());
    words.len() * 8 + plain
}
