//! Whether an address begins here, and whether its host is listed (URL standard, section 4.4, as far as it decides
//! which host is asked).
use super::decode::{Decoded, Place, first};
use super::hosts::Hosts;

/// What begins here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Nothing of interest.
    None,
    /// Cannot be decided until there is more text.
    Cut,
    /// An allowed address, of which this many bytes were read.
    Listed(usize),
    /// A forbidden one, up to the end of its host, and in a defanged form to show people.
    Foreign(usize, String),
    /// One that runs a program, up to the end of its scheme; the kind, and a defanged form to show people.
    Active(usize, &'static str, String),
}

/// Schemes of addresses with a host that is contacted, and their defanged forms.
const FETCHED: &[(&str, &str)] = &[
    ("https", "hxxps"),
    ("http", "hxxp"),
    ("ftp", "fxp"),
    ("ftps", "fxps"),
    ("wss", "wxxs"),
    ("ws", "wxx"),
    ("file", "fxle"),
    ("smb", "sxb"),
];
const SCRIPTS: &[&str] = &["javascript", "vbscript", "livescript"];
/// `data:` addresses of these types are only pictures: they contact nobody and run nothing.
const PICTURES: &[&str] =
    &["image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/avif", "image/bmp"];

/// A longer word before a colon is not a known scheme.
const MAX_SCHEME: usize = 24;
/// How much of an address's host and its surroundings is examined; anything longer is foreign.
const MAX_HOST: usize = 512;

/// Reads character by character.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    place: Place,
    last: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Decoded {
        let mut at = self.at;
        loop {
            match first(self.text.get(at..).unwrap_or_default(), self.place, self.last) {
                // Browsers ignore these in an address.
                Decoded::Char('\t' | '\n' | '\r', len) if self.place == Place::Attribute => at += len,
                Decoded::Char(c, len) => return Decoded::Char(c, at + len - self.at),
                Decoded::End if !self.last => return Decoded::Cut,
                end => return end,
            }
        }
    }
}

/// Reads what `text` begins with. In running text, only what readers turn into a link: a scheme and two slashes, or
/// `www.`; `angle` if a `<` comes before it.
pub(crate) fn address(
    text: &str,
    place: Place,
    angle: bool,
    hosts: Option<&Hosts>,
    html: bool,
    last: bool,
) -> Address {
    let mut reader = Reader { text, at: 0, place, last };
    let linked = place != Place::Bare;
    if linked {
        while let Decoded::Char(c, len) = reader.peek()
            && (c <= ' ')
        {
            reader.at += len;
        }
    }
    let begins = reader.at;
    let scheme = match scheme(&mut reader, linked) {
        Ok(scheme) => scheme,
        Err(address) => return address,
    };
    let shown = match scheme.as_deref() {
        Some(scheme) => match of_scheme(scheme, &mut reader, linked || angle, html) {
            Ok(shown) => Some(shown),
            Err(address) => return address,
        },
        None => {
            reader.at = begins;
            None
        }
    };
    let Some(hosts) = hosts else { return Address::None };
    let mut slashes = 0;
    let before_slashes = reader.at;
    loop {
        match reader.peek() {
            Decoded::Char('/' | '\\', len) if reader.at - before_slashes < MAX_HOST => {
                slashes += 1;
                reader.at += len;
            }
            Decoded::Cut if reader.at < MAX_HOST => return Address::Cut,
            _ => break,
        }
    }
    let www = shown.is_none() && slashes == 0;
    match shown {
        // Readers make links of a scheme and two slashes; a link target may do without the slashes.
        Some(_) if slashes < 2 && !linked => {
            match if angle { autolink(&reader, scheme.as_deref()) } else { Ok(false) } {
                Ok(true) => {}
                Ok(false) => return Address::None,
                Err(cut) => return cut,
            }
        }
        None if slashes < 2 && (linked || !begins_www(text)) => return Address::None,
        None if slashes > 0 && !linked => return Address::None,
        _ => {}
    }
    let name = if reader.at - before_slashes < MAX_HOST {
        host(&mut reader, hosts)
    } else {
        // Foreign, whatever comes after so many slashes.
        Ok(Some((String::new(), false)))
    };
    match name {
        Err(address) => address,
        Ok(None) => Address::None,
        Ok(Some((name, true))) if !name.is_empty() => Address::Listed(reader.at),
        Ok(Some((name, _))) => {
            let name = name.replace('.', "[.]");
            let shown = shown.map_or(if www { "" } else { "hxxps://" }.to_owned(), |scheme| scheme + "://");
            Address::Foreign(reader.at, shown + &name)
        }
    }
}

fn begins_www(text: &str) -> bool {
    text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("www."))
}

/// Whether what follows a scheme without slashes in angle brackets is a host: `<https:host.example>` is a link,
/// `<http::Response>`, `<http:port>` and `<file:line:column>` are none.
fn autolink(reader: &Reader<'_>, scheme: Option<&str>) -> Result<bool, Address> {
    if !matches!(scheme, Some("http" | "https" | "ftp")) {
        return Ok(false);
    }
    let mut ahead = Reader { ..*reader };
    // A number of so many digits is a host, too.
    let number = matches!(ahead.peek(), Decoded::Char('0'..='9', _));
    loop {
        match ahead.peek() {
            Decoded::Char(':', _) if ahead.at == reader.at => return Ok(false),
            Decoded::Char('[', _) if ahead.at == reader.at => return Ok(true),
            Decoded::Char('.' | '%' | '\u{80}'.., _) => return Ok(true),
            _ if number && ahead.at - reader.at >= 8 => return Ok(true),
            _ if ahead.at - reader.at >= MAX_HOST => return Ok(true),
            Decoded::Cut => return Err(Address::Cut),
            Decoded::End => return Ok(false),
            Decoded::Char(c, _) if c.is_whitespace() || ends_authority(c) => return Ok(false),
            Decoded::Char(_, len) => ahead.at += len,
        }
    }
}

/// The scheme in lower case, if there is one.
fn scheme(reader: &mut Reader<'_>, linked: bool) -> Result<Option<String>, Address> {
    let mut word = String::new();
    loop {
        match reader.peek() {
            // A host and its port.
            Decoded::Char(':', _) if word.starts_with("www.") => return Ok(None),
            Decoded::Char(':', len) if !word.is_empty() => {
                reader.at += len;
                return Ok(Some(word));
            }
            Decoded::Char(c, len) if c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.') => {
                word.push(c.to_ascii_lowercase());
                reader.at += len;
                if word.len() > MAX_SCHEME {
                    return Ok(None);
                }
            }
            Decoded::Cut => {
                let known = FETCHED.iter().map(|(name, _)| *name).chain(SCRIPTS.iter().copied());
                let mut known = known.chain(["www.", "data"]);
                let may_be = linked || word.is_empty() || known.any(|name| name.starts_with(&word));
                return if may_be && reader.at < MAX_HOST { Err(Address::Cut) } else { Ok(None) };
            }
            _ => return Ok(None),
        }
    }
}

/// What a scheme means: its defanged form, if a host follows.
fn of_scheme(scheme: &str, reader: &mut Reader<'_>, followed: bool, html: bool) -> Result<String, Address> {
    if let Some((_, shown)) = FETCHED.iter().find(|(name, _)| *name == scheme) {
        return Ok((*shown).to_owned());
    }
    if !followed || !html {
        return Err(Address::None);
    }
    if let Some(script) = SCRIPTS.iter().find(|name| **name == scheme) {
        return Err(Address::Active(reader.at, script, format!("{script}[:]")));
    }
    if scheme != "data" {
        return Err(Address::None);
    }
    let ends = reader.at;
    let mut kind = String::new();
    loop {
        match reader.peek() {
            Decoded::Char(c, len) if c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '-' | '.') => {
                kind.push(c.to_ascii_lowercase());
                reader.at += len;
                if kind.len() > MAX_SCHEME {
                    break;
                }
            }
            Decoded::Cut => return Err(Address::Cut),
            _ => break,
        }
    }
    let picture = PICTURES.contains(&kind.as_str());
    Err(if picture {
        Address::Listed(reader.at)
    } else {
        Address::Active(ends, "data", "data[:]".to_owned())
    })
}

/// The host, and whether it is clearly a listed one. `None` if no host follows.
fn host(reader: &mut Reader<'_>, hosts: &Hosts) -> Result<Option<(String, bool)>, Address> {
    let mut name = String::new();
    // Where the name's last label begins: in the text, and in the name.
    let mut label = (reader.at, 0);
    let ended = loop {
        match reader.peek() {
            Decoded::Char(c, len) if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') => {
                if name.len() >= MAX_HOST {
                    return Ok(Some((name, false)));
                }
                name.push(c);
                reader.at += len;
                if matches!(c, '.' | '-') {
                    label = (reader.at, name.len());
                }
            }
            Decoded::Cut => return Err(Address::Cut),
            Decoded::Char(c, _) => break Some(c),
            Decoded::End => break None,
        }
    };
    // `https://https://…`: what seems to be a host is the scheme of an address that is judged by itself.
    let last = name.get(label.1..).unwrap_or_default();
    if FETCHED.iter().any(|(scheme, _)| scheme.eq_ignore_ascii_case(last)) && slashes_follow(reader)? {
        reader.at = label.0;
        name.truncate(label.1);
        return Ok(Some((name, false)));
    }
    if name.chars().all(|c| c == '.' || c == '-')
        && ended.is_none_or(|c| c.is_whitespace() || ends_authority(c))
    {
        return Ok(None);
    }
    if !hosts.list(name.trim_end_matches('.')) {
        return Ok(Some((name, false)));
    }
    // What follows may turn the listed name into a user name: `https://listed@elsewhere/`.
    let mut ahead = Reader { ..*reader };
    let mut first = true;
    let mut open = 0;
    loop {
        match ahead.peek() {
            Decoded::Cut if ahead.at - reader.at < MAX_HOST => return Err(Address::Cut),
            Decoded::Cut => return Ok(Some((name, false))),
            // A backslash is a slash to some readers and part of a user name to others.
            Decoded::Char('\\' | '@', _) => return Ok(Some((name, false))),
            Decoded::End => return Ok(Some((name, true))),
            Decoded::Char(c, _) if c.is_whitespace() || ends_authority(c) => return Ok(Some((name, true))),
            Decoded::Char(')', _) if open == 0 && ahead.place == Place::Target => {
                return Ok(Some((name, true)));
            }
            Decoded::Char(c, len) => {
                let soft =
                    matches!(c, ')' | ']' | '}' | ',' | ';' | '!' | '\'' | '*' | '_' | '`' | '|' | '~' | ':');
                if first && !soft || ahead.at - reader.at >= MAX_HOST {
                    return Ok(Some((name, false)));
                }
                open += i32::from(c == '(') - i32::from(c == ')');
                first = false;
                ahead.at += len;
            }
        }
    }
}

/// Whether a colon and two slashes follow.
fn slashes_follow(reader: &Reader<'_>) -> Result<bool, Address> {
    let mut ahead = Reader { ..*reader };
    for expected in [':', '/', '/'] {
        match ahead.peek() {
            Decoded::Char(c, len) if c == expected => ahead.at += len,
            Decoded::Cut => return Err(Address::Cut),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn ends_authority(c: char) -> bool {
    matches!(c, '/' | '?' | '#' | '<' | '>' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_before_a_host() {
        let hosts = Hosts::new(&["a.example"]);
        for (slashes, of, foreign) in [
            (2, "a.example", false),
            (2, "b.example", true),
            (600, "b.example", true),
            // With so many slashes, no host is listed.
            (600, "a.example", true),
            // The host of none; the other address is judged by itself.
            (2, "https://a.example", true),
        ] {
            let text = format!("https:{}{of} ", "/".repeat(slashes));
            let found = address(&text, Place::Target, false, Some(&hosts), true, false);
            assert_eq!(matches!(found, Address::Foreign(..)), foreign, "{slashes} {of}: {found:?}");
        }
    }
}
