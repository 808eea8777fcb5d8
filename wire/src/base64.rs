//! Base64 (RFC 4648), as far as needed for texts hidden in it.

/// The text that `source` encodes, if it is Base64 (either alphabet, padded or not) of UTF-8 that a person or model
/// could read. A few control characters and invalid bytes do not make a text unreadable.
pub(crate) fn decode_text(source: &str) -> Option<String> {
    let bytes = decode(source)?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let read = text.chars().filter(|c| is_readable(*c)).count();
    (text.chars().count() - read <= text.len() / 16).then_some(text)
}

fn is_readable(c: char) -> bool {
    c != char::REPLACEMENT_CHARACTER && !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{C}')
}

/// The decoded first characters; empty if they are not Base64.
pub(crate) fn head(source: &str) -> Vec<u8> {
    let head = source.get(..source.len().min(64)).unwrap_or_default();
    decode(head).unwrap_or_default()
}

/// Whether the beginning decodes to readable text: avoids decoding a whole image for nothing.
pub(crate) fn may_be_text(source: &str) -> bool {
    let head = source.get(..source.len().min(64)).unwrap_or_default();
    decode(head).is_some_and(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.chars().filter(|c| !is_readable(*c)).count() <= bytes.len() / 8
    })
}

/// Whether it begins like UTF-16 text: with a byte order mark, and only with characters. Audio samples contain values
/// that are not characters.
pub(crate) fn begins_as_utf16(source: &str) -> bool {
    let head = source.get(..source.len().min(1024)).unwrap_or_default();
    let Some(bytes) = decode(head) else { return false };
    let order = match *bytes {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return false,
    };
    let units = bytes.as_chunks::<2>().0.iter().skip(1).map(|unit| order(*unit));
    let mut read = char::decode_utf16(units).peekable();
    let private = |c: char| ('\u{E000}'..='\u{F8FF}').contains(&c);
    while let Some(one) = read.next() {
        // A pair may be cut at the end of the head.
        let cut = one.is_err() && read.peek().is_none();
        if !cut && !one.is_ok_and(|c| is_readable(c) && !private(c)) {
            return false;
        }
    }
    bytes.len() > 2
}

/// Whether every character belongs to the Base64 alphabets, ignoring white space.
pub(crate) fn is_alphabet(source: &str) -> bool {
    let source = source.trim_ascii_end();
    let body = source.trim_end_matches('=');
    source.len() - body.len() <= 2 && body.bytes().all(|b| value(b).is_some() || b.is_ascii_whitespace())
}

fn value(byte: u8) -> Option<u32> {
    match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// White space inside is ignored, as in the decoders of MIME and of browsers.
pub(crate) fn decode(source: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(source.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in source.trim_end().trim_end_matches('=').bytes().filter(|b| !b.is_ascii_whitespace()) {
        bits = bits << 6 | value(byte)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// Encodes with the alphabet and the padding that `model` uses.
pub(crate) fn encode_like(model: &str, bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let url = model.contains(['-', '_']);
    let padded = model.ends_with('=') || model.len().is_multiple_of(4);
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            let six = (group >> (18 - 6 * index)) & 63;
            let char = ALPHABET.get(six as usize).copied().map_or('A', char::from);
            out.push(match char {
                '+' if url => '-',
                '/' if url => '_',
                other => other,
            });
        }
        if padded {
            out.extend(std::iter::repeat_n('=', 3 - chunk.len()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_and_go_back() {
        for (encoded, text) in [("aGVsbG8=", "hello"), ("aGVsbG8", "hello"), ("Pz8/", "???"), ("Pz8_", "???")]
        {
            assert_eq!(decode_text(encoded).as_deref(), Some(text));
            assert_eq!(encode_like(encoded, text.as_bytes()), encoded);
        }
        assert_eq!(decode_text("aGV sbG8\n"), Some("hello".to_owned()));
        // An escape sequence, and a byte of Latin-1.
        let coloured = encode_like("", b"\x1b[0mcaf\xe9 and more words of an ordinary text");
        assert_eq!(
            decode_text(&coloured).unwrap(),
            "\u{1b}[0mcaf\u{fffd} and more words of an ordinary text"
        );
        assert_eq!(decode_text("AAEC"), None, "control characters are no text");
        assert!(may_be_text("aGVsbG8gd29ybGQ="));
        let wide = |text: &str, order: fn(u16) -> [u8; 2]| {
            encode_like(
                "",
                &std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(order).collect::<Vec<_>>(),
            )
        };
        for text in ["hello", "Привет, 世界", "😀😀"] {
            assert!(begins_as_utf16(&wide(text, u16::to_le_bytes)), "{text}");
            assert!(begins_as_utf16(&wide(text, u16::to_be_bytes)), "{text}");
        }
        // Audio samples of a quiet room, and of a loud one.
        assert!(!begins_as_utf16(&encode_like("", &[0xFF, 0xFE, 3, 0, 0xFE, 0xFF, 1, 0, 0, 0])));
        assert!(!begins_as_utf16(&encode_like("", &[0xFE, 0xFF, 0x7A, 0x11, 0xDC, 3, 0x80, 1])));
        assert!(!may_be_text("iVBORw0KGgoAAAANSUhEUgAAAAUA"));
    }
}
