//! Passwords, by the word before them.

use super::email::placeholder;
use super::scan::Scan;
use crate::EntityType::Password;
use crate::bytes::{at, before, run_end, slice, starts_with_fold};

/// Words that announce a password, each with the offset of its double letter. All contain a double `s` or `wd`, which
/// is what the block flags look for.
const WORDS: &[(&[u8], usize)] = &[
    // The word, and the offset of its double letter.
    (b"password", 2),
    (b"passwort", 2),
    (b"passwd", 2),
    (b"passphrase", 2),
    (b"passcode", 2),
    (b"passwoord", 2),
    (b"mot de passe", 9),
    (b"pass", 2),
    (b"pwd", 1),
];

/// The maximum length of a password in bytes: with the word before it, it fits into what is held back of a stream.
const MAX: usize = 256;

/// Checks a double letter.
pub(super) fn double_letter(scan: &mut Scan<'_>, i: usize) {
    let text = scan.text;
    let pair = (at(text, i) | 0x20, at(text, i + 1) | 0x20);
    if !matches!(pair, (b's', b's') | (b'w', b'd')) || !scan.wants(Password) {
        return;
    }
    let Some((word, offset)) = WORDS.iter().find(|(word, offset)| {
        i.checked_sub(*offset).is_some_and(|start| starts_with_fold(text, start, word))
    }) else {
        return;
    };
    let end = i - offset + word.len();
    let short = word.len() <= 4;
    // `pass` in `passenger` or `compass` does not count; in `db_pass` or `userPass` it does.
    if short && at(text, end).is_ascii_alphabetic() {
        return;
    }
    let previous = before(text, i - offset);
    if short && previous.is_ascii_lowercase() && at(text, i - offset).is_ascii_lowercase() {
        return;
    }
    // The shell's working directory: `-v "$PWD":/app`.
    let shell = slice(text, i - offset, end) == b"PWD" && matches!(previous, b'$' | b'{');
    if shell {
        return;
    }
    if let Some((start, stop, score)) = value(text, end, short) {
        scan.report(Password, start, stop, score, "password/context");
    }
}

/// The value after the word that ends at `i`: its span and score.
fn value(text: &[u8], i: usize, short: bool) -> Option<(usize, usize, f32)> {
    // `password_for_x`, `passwordHash`, `passwords`: names of something else.
    let mut i = i;
    if at(text, i).is_ascii_alphanumeric() || at(text, i) == b'_' {
        let rest = run_end(text, i, |b| b.is_ascii_alphanumeric() || b == b'_');
        if rest - i > 2 {
            return None;
        }
        i = rest;
    }
    let word_end = i;
    let quoted_key = matches!(at(text, i), b'"' | b'\'' | b'\\');
    i = run_end(slice(text, 0, i + 3), i, |b| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b'*'));
    let spaces = run_end(slice(text, 0, i + 3), i, |b| b == b' ');
    let (mut i, sign) = sign(text, spaces);
    i = run_end(slice(text, 0, i + 3), i, |b| b == b' ');
    // `password@host`, `password/reset`: part of something else.
    if i == word_end {
        return None;
    }
    // `password\x00…`: an escape in a program's string.
    if matches!(sign, Sign::None) && before(text, i) == b'\\' {
        return None;
    }
    let (open, quote) = opening_quote(text, i);
    let start = open;
    let limit = slice(text, 0, start + MAX);
    let end = match quote {
        Some(quote) => run_end(limit, start, |b| b != quote && b > b' ' && b != b'\\'),
        None => {
            run_end(limit, start, |b| b > b' ' && !matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\'))
        }
    };
    if quote.is_some_and(|quote| at(text, end) != quote && at(text, end) != b'\\') {
        return None;
    }
    let end = if quote.is_some() { end } else { trim(text, start, end) };
    let secret = slice(text, start, end);
    // The next attribute of an element: `type="password" name="…"`.
    let attribute = secret.last() == Some(&b'=') && matches!(at(text, end), b'"' | b'\'');
    let variable = matches!(sign, Sign::Assigned) && is_variable(secret);
    if secret.len() < 4 || attribute || variable || placeholder(secret) || is_code(secret) {
        return None;
    }
    let mixed = looks_chosen(secret);
    let score = match (sign, quote.is_some() || quoted_key) {
        (Sign::Assigned, _) if mixed => 0.8,
        (Sign::Assigned, true) => 0.6,
        (Sign::Assigned, false) => 0.4,
        (Sign::Is, true) if mixed => 0.75,
        (Sign::Is, _) if mixed && !short => 0.7,
        (Sign::None, true) if mixed && !short => 0.65,
        (Sign::None, false) if mixed && !short && has_symbol(secret) => 0.55,
        _ => return None,
    };
    Some((start, end, score))
}

#[derive(Debug, Clone, Copy)]
enum Sign {
    Assigned,
    Is,
    None,
}

fn sign(text: &[u8], i: usize) -> (usize, Sign) {
    let marks = run_end(slice(text, 0, i + 3), i, |b| matches!(b, b':' | b'=' | b'>'));
    if marks > i {
        return (marks, Sign::Assigned);
    }
    for word in [&b"is set to "[..], b"is: ", b"is ", b"was ", b"to ", b"est ", b"ist ", b"lautet ", b"of "] {
        if starts_with_fold(text, i, word) {
            return (i + word.len(), Sign::Is);
        }
    }
    (i, Sign::None)
}

fn opening_quote(text: &[u8], i: usize) -> (usize, Option<u8>) {
    let i = if at(text, i) == b'\\' && at(text, i + 1) == b'"' { i + 1 } else { i };
    match at(text, i) {
        quote @ (b'"' | b'\'' | b'`') => (i + 1, Some(quote)),
        _ => (i, None),
    }
}

/// Punctuation and markup around it are not part of the password.
pub(super) fn trim(text: &[u8], start: usize, mut end: usize) -> usize {
    // Bold text, as in `**Password policy:**`.
    if slice(text, start, end).ends_with(b"**") {
        end -= 2;
    }
    while end > start && matches!(before(text, end), b'.' | b',' | b';' | b')' | b']' | b'}' | b':' | b'?') {
        end -= 1;
    }
    end
}

/// A digit, or a symbol among letters: chosen as a password, not a word of the sentence.
fn looks_chosen(secret: &[u8]) -> bool {
    let digit = secret.iter().any(u8::is_ascii_digit);
    let letter = secret.iter().any(u8::is_ascii_alphabetic);
    digit || (letter && has_symbol(secret))
}

pub(super) fn has_symbol(secret: &[u8]) -> bool {
    secret.iter().any(|b| b"!@#$%^&*+=?~{}".contains(b))
}

/// `$password`: a variable in PHP, Perl or a shell.
fn is_variable(secret: &[u8]) -> bool {
    secret.strip_prefix(b"$").is_some_and(|name| name.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_'))
}

/// `getPassword()`, `os.environ[…]`, `self.password`, `true`: code that handles a password.
pub(super) fn is_code(secret: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"null",
        b"none",
        b"true",
        b"false",
        b"string",
        b"undefined",
        b"required",
        b"password",
        b"optional",
        b"nil",
        // YAML tags, followed by where the password is stored.
        b"!vault",
        b"!secret",
        b"!env",
        b"!ref",
        b"!sub",
        b"!reference",
    ];
    // Samples that say so.
    let told = [&b"fake"[..], b"dummy", b"example", b"placeholder", b"your_", b"your-", b"xxxx"]
        .iter()
        .any(|part| secret.windows(part.len()).any(|have| have.eq_ignore_ascii_case(part)));
    // `new_password`: a name in a program.
    let name = secret.iter().all(|b| b.is_ascii_lowercase() || *b == b'_') && secret.ends_with(b"_password");
    told || name
        || WORDS.iter().any(|word| secret.eq_ignore_ascii_case(word))
        || secret.contains(&b'(')
        || secret
            .windows(2)
            .any(|pair| pair == b"[\"" || pair == b"['" || pair == b"->" || pair == b"::" || pair == b"//")
        || (secret.contains(&b'.') && !secret.iter().any(u8::is_ascii_digit) && !has_symbol(secret))
}
