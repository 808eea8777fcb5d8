//! Single characters: which are invisible, and what the others look like.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// How a character looks to a person reading the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As itself.
    Same,
    /// As this ASCII character.
    As(u8),
    /// As nothing.
    Invisible,
}

/// The zeros of the decimal digit ranges of the scripts in use (Unicode general category Nd).
const DIGIT_ZEROS: &[u32] = &[
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
];

/// Control characters below the space except tabs and line ends: some readers skip them, others treat them as the end
/// of a field.
#[inline]
pub(crate) const fn is_control(b: u8) -> bool {
    b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')
}

/// Reads a character for numbers, addresses and tokens: digits of all scripts, wide and styled ASCII, spaces and dashes
/// in their many forms, and invisible characters. Letters of other scripts stay as they are.
pub(crate) fn plain(c: char) -> Reading {
    let u = c as u32;
    match u {
        // Control characters that separate nothing.
        0x7F..=0x84 | 0x86..=0x9F => Reading::Invisible,
        0..=0x7E => Reading::Same,
        0x85 | 0x00A0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x2800 | 0x3000 => Reading::As(b' '),
        0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 | 0x2043 => Reading::As(b'-'),
        // Format controls and characters with the property Default_Ignorable_Code_Point.
        0x00AD | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F => Reading::Invisible,
        0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 => {
            Reading::Invisible
        }
        0x0600..=0x0605 | 0x06DD | 0x070F | 0x0890 | 0x0891 | 0x08E2 | 0xFFF0..=0xFFFC => Reading::Invisible,
        0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A => Reading::Invisible,
        0xE0000..=0xE001F | 0xE007F..=0xE0FFF => Reading::Invisible,
        // Combining marks over, under, through and around a letter or a digit.
        0x0300..=0x036F | 0x0483..=0x0489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF => Reading::Invisible,
        0x20D0..=0x20FF | 0xFE20..=0xFE2F => Reading::Invisible,
        // Tag characters spell ASCII that nobody sees and every tokenizer reads.
        0xE0020..=0xE007E => ascii(u - 0xE0000),
        0xFF01..=0xFF5E => ascii(u - 0xFEE0),
        0xFF61 => Reading::As(b'.'),
        0x4E00..=0x9FFF | 0xAC00..=0xD7A3 | 0x3041..=0x30FF | 0x0400..=0x052F | 0x00C0..=0x024F => {
            Reading::Same
        }
        _ => digit(u).unwrap_or_else(|| styled(c)),
    }
}

/// What a sign that is not part of a word reads as: quotes become ASCII quotes, an ellipsis becomes a dot, others a
/// space. Signs of scripts without spaces stay.
pub(crate) fn sign(c: char) -> Option<char> {
    match c {
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '″' => Some('"'),
        '‘' | '’' | '‚' | '‛' | '′' => Some('\''),
        '…' => Some('.'),
        '\u{80}'..'\u{3000}' | '\u{1F000}'..'\u{1FB00}' => {
            (!c.is_alphanumeric() && !is_combining_mark(c)).then_some(' ')
        }
        _ => None,
    }
}

/// A character as the searches see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// Reads as this ASCII character.
    Ascii(u8),
    /// Is not visible.
    Invisible,
    /// Reads as itself and is not ASCII.
    Other,
}

/// What a character reads as.
pub(crate) fn glyph(c: char) -> Glyph {
    match plain(c) {
        Reading::As(b) => Glyph::Ascii(b),
        Reading::Invisible => Glyph::Invisible,
        Reading::Same => u8::try_from(c as u32).ok().filter(u8::is_ascii).map_or(Glyph::Other, Glyph::Ascii),
    }
}

fn ascii(u: u32) -> Reading {
    u8::try_from(u).map_or(Reading::Same, Reading::As)
}

fn digit(u: u32) -> Option<Reading> {
    DIGIT_ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&u)).map(|zero| ascii(u - zero + 0x30))
}

/// Mathematical, circled, superscript and other styled forms of one ASCII character.
fn styled(c: char) -> Reading {
    let mut only = None;
    let mut count = 0;
    decompose_compatible(c, |d| {
        count += 1;
        only = Some(d);
    });
    match only {
        Some(d) if count == 1 && d.is_ascii_graphic() => ascii(d as u32),
        _ => Reading::Same,
    }
}

/// Letters in white on black, in a box or a circle, and the regional indicators that flags consist of.
#[inline]
pub(crate) fn boxed(c: char) -> Option<u8> {
    let u = c as u32;
    if u < 0x1F150 {
        return None;
    }
    let first = [0x1F150, 0x1F170, 0x1F1E6].into_iter().find(|first| (*first..*first + 26).contains(&u))?;
    u8::try_from(u - first).ok().map(|letter| b'a' + letter)
}

/// The lower case of a letter, where that needs no Unicode tables.
#[inline]
pub(crate) fn small(c: char) -> Option<char> {
    match c {
        'А'..='Я' => char::from_u32(c as u32 + 0x20),
        'а'..='џ' | '一'..='鿿' | 'ぁ'..='ヿ' | '가'..='힣' => Some(c),
        _ => None,
    }
}

/// Whether a character occurs in words: letters and numbers of all scripts.
#[inline]
pub(crate) fn in_word(c: char) -> bool {
    matches!(c, 'А'..='я' | '一'..='鿋' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '가'..='힣') || c.is_alphanumeric()
}

/// Letters that look like an ASCII letter: the common part of Unicode's confusables (UTS 39), written out by hand for
/// Cyrillic, Greek, Armenian, Cherokee and Latin extensions. The result is lower case.
pub(crate) fn lookalike(c: char) -> Option<u8> {
    let ascii = match c {
        'а' | 'А' | 'α' | 'Α' | 'ɑ' | 'ӓ' | 'Ꭺ' | 'ᴀ' => b'a',
        'в' | 'В' | 'β' | 'Β' | 'Ь' | 'ь' | 'Ᏼ' | 'ʙ' => b'b',
        'с' | 'С' | 'ϲ' | 'Ϲ' | 'Ꮯ' | 'ᴄ' => b'c',
        'ԁ' | 'Ԁ' | 'ɗ' | 'Ꭰ' | 'ᴅ' => b'd',
        'е' | 'Е' | 'ε' | 'Ε' | 'ё' | 'Ё' | 'є' | 'Є' | 'ҽ' | 'Ꭼ' | 'ᴇ' => b'e',
        'ғ' | 'Ғ' | 'ƒ' | 'ꜰ' => b'f',
        'ɡ' | 'ց' | 'Ꮐ' | 'ɢ' => b'g',
        'һ' | 'Һ' | 'н' | 'Н' | 'Η' | 'հ' | 'Ꮋ' | 'ʜ' => b'h',
        'і' | 'І' | 'ι' | 'Ι' | 'ı' | 'ї' | 'Ї' | 'Ӏ' | 'ӏ' | 'Ꭵ' | 'ɪ' => b'i',
        'ј' | 'Ј' | 'ϳ' | 'Ꭻ' | 'ᴊ' => b'j',
        'к' | 'К' | 'κ' | 'Κ' | 'Ꮶ' | 'ᴋ' => b'k',
        'ⅼ' | 'ł' | 'ɭ' | 'Ꮮ' | 'ʟ' => b'l',
        'м' | 'М' | 'Μ' | 'Ꮇ' | 'ᴍ' => b'm',
        'ո' | 'п' | 'η' | 'Ν' | 'ŋ' | 'ɴ' => b'n',
        'о' | 'О' | 'ο' | 'Ο' | 'σ' | 'օ' | 'ө' | 'ø' | 'Ꮎ' | 'ᴏ' => b'o',
        'р' | 'Р' | 'ρ' | 'Ρ' | 'Ꮲ' | 'ᴘ' => b'p',
        'ԛ' | 'զ' => b'q',
        'г' | 'ɾ' | 'Ꭱ' | 'ʀ' => b'r',
        'ѕ' | 'Ѕ' | 'ꜱ' | 'Ꮪ' => b's',
        'т' | 'Т' | 'τ' | 'Τ' | 'Ꭲ' | 'ᴛ' => b't',
        'υ' | 'ս' | 'ц' | 'ʋ' | 'ᴜ' => b'u',
        'ν' | 'ѵ' | 'Ѵ' | 'Ꮩ' | 'ᴠ' => b'v',
        'ԝ' | 'ω' | 'ш' | 'Ꮃ' | 'ᴡ' => b'w',
        'х' | 'Х' | 'χ' | 'Χ' => b'x',
        'у' | 'У' | 'γ' | 'Υ' | 'ү' | 'Ү' | 'ʏ' => b'y',
        'ᴢ' | 'Ζ' | 'Ꮓ' => b'z',
        _ => return None,
    };
    Some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_read_as_they_look() {
        for (c, reading) in [
            ('４', Reading::As(b'4')),
            ('𝟜', Reading::As(b'4')),
            ('٤', Reading::As(b'4')),
            ('④', Reading::As(b'4')),
            ('＠', Reading::As(b'@')),
            ('\u{a0}', Reading::As(b' ')),
            ('–', Reading::As(b'-')),
            ('\u{200b}', Reading::Invisible),
            ('\u{7f}', Reading::Invisible),
            ('\u{84}', Reading::Invisible),
            ('\u{1}', Reading::Same),
            ('\u{2800}', Reading::As(b' ')),
            ('\u{fff9}', Reading::Invisible),
            ('\u{1d173}', Reading::Invisible),
            ('\u{e0fff}', Reading::Invisible),
            ('\u{335}', Reading::Invisible),
            ('\u{489}', Reading::Invisible),
            ('\u{e0061}', Reading::As(b'a')),
            ('é', Reading::Same),
            ('文', Reading::Same),
            ('½', Reading::Same),
        ] {
            assert_eq!(plain(c), reading, "{c:?}");
        }
    }
    #[test]
    fn what_is_told_without_tables_is_what_the_tables_say() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() || small(*c).is_some()) {
            assert!(small(c).is_none_or(|small| c.to_lowercase().eq([small])), "{c:?}");
        }
        for c in ('\0'..=char::MAX).filter(|c| in_word(*c)) {
            assert!(c.is_alphanumeric(), "{c:?}");
        }
    }
}
