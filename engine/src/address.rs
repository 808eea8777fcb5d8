//! Whether a place in a text belongs to an address that a reader would open: a value that is put back there would leave with it.
//!
//! Told by what stands before the place, byte by byte, since a stream's text comes in pieces. In doubt it belongs to one: the
//! placeholder then stays, which asks nobody.

/// Reads a text and knows whether what comes next belongs to an address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    place: Place,
    /// The last three bytes, ASCII letters in lower case.
    last: [u8; 3],
    /// The quotation mark before the word that is read, if one stands there.
    quote: u8,
    /// Only white space has come since a line ended.
    blank: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// After two slashes or `www.`: up to white space, or up to the mark that it was quoted with.
    Url { quote: u8 },
    /// After `](` of Markdown or `url(` of CSS, so many brackets deep.
    Target { depth: u32 },
    /// In `<…>` within such a target.
    Angle,
    /// In an HTML tag; `quote` while in an attribute's quoted value, `value` right after a `=`.
    Tag { quote: u8, value: bool },
}

impl Addresses {
    /// Whether what comes next belongs to an address.
    pub(crate) fn inside(self) -> bool {
        self.place != Place::Text
    }

    /// Takes in what comes next.
    pub(crate) fn feed(&mut self, text: &str) {
        for b in text.bytes() {
            let b = b.to_ascii_lowercase();
            let paragraph = b == b'\n' && self.blank;
            self.place = self.next(b, paragraph);
            match b {
                b'"' | b'\'' | b'`' => self.quote = b,
                _ if b.is_ascii_whitespace() => self.quote = 0,
                _ => {}
            }
            self.blank = b == b'\n' || self.blank && b.is_ascii_whitespace();
            self.last = [self.last[1], self.last[2], b];
        }
    }

    fn next(&self, b: u8, paragraph: bool) -> Place {
        let [_, _, before] = self.last;
        let slash = |b: u8| b == b'/' || b == b'\\';
        let target = b == b'(' && (before == b']' || self.last == *b"url");
        match self.place {
            Place::Text if target => Place::Target { depth: 1 },
            Place::Text if slash(b) && slash(before) => Place::Url { quote: self.quote },
            Place::Text if b == b'.' && self.last == *b"www" => Place::Url { quote: self.quote },
            Place::Text if before == b'<' && (b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?')) => {
                Place::Tag { quote: 0, value: false }
            }
            Place::Url { .. } if target => Place::Target { depth: 1 },
            Place::Url { quote: 0 } if b.is_ascii_whitespace() || matches!(b, b'<' | b'>') => Place::Text,
            Place::Url { quote } if quote != 0 && (b == quote || paragraph) => Place::Text,
            Place::Target { .. } if paragraph => Place::Text,
            Place::Target { depth: 1 } if b == b'<' => Place::Angle,
            Place::Target { depth } if b == b'(' && before != b'\\' => {
                Place::Target { depth: depth.saturating_add(1) }
            }
            Place::Target { depth } if b == b')' && before != b'\\' => match depth {
                0 | 1 => Place::Text,
                depth => Place::Target { depth: depth - 1 },
            },
            Place::Angle if b == b'>' || b == b'\n' => Place::Target { depth: 1 },
            Place::Tag { quote: 0, .. } if b == b'>' || paragraph => Place::Text,
            Place::Tag { quote: 0, value: true } if b == b'"' || b == b'\'' => {
                Place::Tag { quote: b, value: false }
            }
            Place::Tag { quote: 0, value } => {
                Place::Tag { quote: 0, value: b == b'=' || value && b.is_ascii_whitespace() }
            }
            Place::Tag { quote, .. } if b == quote => Place::Tag { quote: 0, value: false },
            place => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;

    #[test]
    fn what_stands_before_tells_whether_an_address_goes_on() {
        for (before, inside) in [
            ("write to ", false),
            ("see https://example.com/?q=", true),
            ("see https://example.com/ or ", false),
            ("see HTTPS:\\\\example.com/?q=", true),
            ("see www.example.com/?q=", true),
            ("[a]: www.example.com/?q=", true),
            // Not every space or mark ends one.
            ("https://example.com/?q=a\u{a0}", true),
            ("https://example.com/?q=\"", true),
            ("https://example.com/?q='", true),
            ("{\"url\":\"https://example.com/\",\"mail\":\"", false),
            ("the site \"https://example.com/\" of ", false),
            ("![x](", true),
            ("![x](<https://example.com/?q=a ", true),
            ("![x](<https://example.com/?q=a) ", true),
            ("![x](https://example.com/?q=`", true),
            ("![x](\nhttps://example.com/?q=", true),
            ("![x](https://example.com/a(b)) and ", false),
            ("a[i](x) and ", false),
            ("[x](y\n\nthen ", false),
            ("[https://a.example](https://b.example/?q= ", true),
            ("background: URL( ", true),
            ("<img src=//example.com/", true),
            ("<img src=\"https://example.com/?q=a ", true),
            ("<img src = 'https://example.com/?q=a\n\n", true),
            ("<img\n\nsrc=\"https://example.com/?q=a ", true),
            ("<img src=&#47;&#47;example.com/?q=", true),
            ("<img src=/\\example.com/?q=", true),
            ("<form action=//example.com><input value=\"", true),
            ("<a title=\">\" href=\"", true),
            ("<b>bold</b> and ", false),
            ("if a < b then ", false),
            ("if a <b holds\n\nthen ", false),
            ("Vec<T> of ", false),
        ] {
            let mut whole = Addresses::default();
            whole.feed(before);
            assert_eq!(whole.inside(), inside, "{before}");
            let mut pieces = Addresses::default();
            before.chars().for_each(|c| pieces.feed(c.encode_utf8(&mut [0; 4])));
            assert_eq!(pieces.inside(), inside, "{before}, in pieces");
        }
    }
}
