//! Which strings of a protocol's structure carry no information: words of its enumerations, and ids that it makes up.
//! Everything else is a text and gets inspected.

/// Prefixes of ids that providers and their SDKs make up.
const ID_PREFIXES: &[&str] = &[
    "chatcmpl-",
    "cmpl-",
    "call_",
    "function-call-",
    "tooluse_",
    "msg_",
    "resp_",
    "rs_",
    "fc_",
    "ctc_",
    "toolu_",
    "srvtoolu_",
    "req_",
    "run_",
    "ws_",
    "fs_",
    "ci_",
    "mcp_",
    "mcpl_",
    "mcpr_",
    "ig_",
    "batch_",
    "file-",
    "file_",
    "fp_",
    "conv_",
    "container_",
    "cntr_",
    "tool_",
    "event_",
    "item_",
];

/// Sorted, for searching.
const SCHEMA_WORDS: &[&str] = &[
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "annotations",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "examples",
    "format",
    "function",
    "inputSchema",
    "input_schema",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "name",
    "oneOf",
    "outputSchema",
    "parameters",
    "pattern",
    "properties",
    "required",
    "strict",
    "title",
    "type",
];

/// Prefixes of secrets that consist only of letters and digits.
const SECRETS: &[&str] = &[
    "akia",
    "asia",
    "aiza",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_",
    "rk_",
    "pk_",
    "xox",
    "hf_",
    "npm_",
    "pypi-",
    "dckr_pat_",
    "eyj",
    "lin_api_",
    "shpat_",
    "sq0",
    "ya29",
    "nvapi-",
    "gsk_",
    "r8_",
];
/// Shorter strings are not secrets.
const SHORTEST_SECRET: usize = 20;

/// Whether an id or a word may contain a secret; the detectors decide whether it does.
pub(crate) fn may_hold_secret(text: &str) -> bool {
    if text.len() < SHORTEST_SECRET {
        return false;
    }
    let small = text.to_ascii_lowercase();
    SECRETS.iter().any(|begin| small.contains(begin))
}

/// The same for data in Base64, in which most of these prefixes occur by chance: case-sensitive, and only at the
/// start of a word.
pub(crate) fn holds_secret(text: &str) -> bool {
    let apart = |at: usize| {
        let before = text.as_bytes().get(..at).and_then(<[u8]>::last);
        before.is_none_or(|before| !before.is_ascii_alphanumeric())
    };
    SECRETS.iter().any(|begin| {
        let begin = as_written(begin);
        memchr::memmem::find_iter(text.as_bytes(), begin).any(apart)
    })
}

/// The same for data that may be a file's: a key between two signs of the standard alphabet, or at the beginning.
/// Three letters occur there by chance, and keys with such short prefixes contain signs of the other alphabet.
pub(crate) fn holds_key(base64: &str) -> bool {
    base64.split(['+', '/']).filter(|part| part.len() >= SHORTEST_SECRET).any(|part| {
        let telling = |begin: &str| begin.len() > 3 || part.contains(['-', '_']);
        SECRETS.iter().any(|begin| part.starts_with(as_written(begin)) && telling(begin))
    })
}

fn as_written(secret: &str) -> &str {
    match secret {
        "akia" => "AKIA",
        "asia" => "ASIA",
        "aiza" => "AIza",
        "eyj" => "eyJ",
        other => other,
    }
}

/// A word, a constant, an id or a time.
pub(crate) fn says_nothing(text: &str) -> bool {
    is_word(text) || is_id(text) || is_constant(text) || is_timestamp(text)
}

/// A word of an enumeration: short, with the separators of enumerations, beginning in lower case, with at most four
/// digits (longer ones, like the names of stream events, all in lower case without digits). It cannot contain
/// anything that a detector looks for.
pub(crate) fn is_word(text: &str) -> bool {
    let separator = |b: u8| matches!(b, b'_' | b'-' | b'.' | b'/');
    let lower = |b: u8| b.is_ascii_lowercase() || separator(b);
    if text.len() > 32 {
        return text.len() <= 64 && text.bytes().all(lower);
    }
    text.bytes().all(|b| b.is_ascii_alphanumeric() || separator(b))
        && text.bytes().next().is_none_or(|b| b.is_ascii_lowercase())
        && text.bytes().filter(u8::is_ascii_digit).count() <= 4
        && !may_hold_secret(text)
}

/// A constant as in protocol buffers' enumerations: `STOP`, `HARM_CATEGORY_HATE_SPEECH`. No digits.
pub(crate) fn is_constant(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().next().is_some_and(|b| b.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

/// A time in RFC 3339 format: a date alone could be a birth date, this is a machine's.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let Some((date, time)) = text.split_once('T').filter(|_| text.len() <= 40) else { return false };
    let (clock, zone) = match time.strip_suffix('Z') {
        Some(clock) => (clock, ""),
        None => time.split_at_checked(time.len().saturating_sub(6)).unwrap_or((time, "")),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let shape = |text: &str| {
        text.bytes().map(|b| if b.is_ascii_digit() { '0' } else { b.into() }).collect::<String>()
    };
    shape(date) == "0000-00-00"
        && shape(clock) == "00:00:00"
        && fraction.len() <= 9
        && digits(fraction)
        && matches!(&*shape(zone), "" | "+00:00" | "-00:00")
}

/// A short number of an event, or one that is only a word.
pub(crate) fn is_event_id(text: &str) -> bool {
    is_word(text) || is_id(text) || text.len() <= 6 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The name of a model, with no number but a date: `claude-3-5-sonnet-20241022`, `meta-llama/Llama-3.1-8B-Instruct`.
pub(crate) fn is_model(text: &str) -> bool {
    let longest_part =
        text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or_default();
    text.len() <= 80
        && longest_part <= 20
        && longest_digits(text) <= 8
        && text.split(|c: char| c.is_ascii_alphabetic()).all(|part| digits_in(part) < CARD)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'/' | b'_' | b'-'))
        && (text.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) || text.contains('/'))
        && !may_hold_secret(text)
        && !holds_groups(text)
}

/// The number of digits in the shortest payment card number.
const CARD: usize = 12;

fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether it contains groups of three, two and four digits in sequence, as in a social security number.
fn holds_groups(text: &str) -> bool {
    let mut before = [0; 2];
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| {
        let digits = if part.bytes().all(|b| b.is_ascii_digit()) { part.len() } else { 0 };
        let found = before == [3, 2] && digits == 4;
        before = [before[1], digits];
        found
    })
}

/// A word of JSON Schema, or of the members of tool definitions: as a key, it is not a text.
pub(crate) fn is_schema_word(key: &str) -> bool {
    SCHEMA_WORDS.binary_search(&key).is_ok()
}

/// An id that a provider made up: a UUID, one of Gemini's numbered calls, or one with a known prefix and without a
/// run of digits long enough for a person's or card number.
pub(crate) fn is_id(text: &str) -> bool {
    is_uuid(text)
        || is_numbered_call(text)
        || is_made_up(text) && longest_digits(text) < 9 && !may_hold_secret(text)
}

/// Begins like an id that a provider made up, whatever digits follow.
pub(crate) fn is_made_up(text: &str) -> bool {
    text.len() <= 80
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && ID_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// The ids that Gemini gives its calls for OpenAI's clients: a 64-bit number, longer than most card numbers.
fn is_numbered_call(text: &str) -> bool {
    text.strip_prefix("function-call-")
        .is_some_and(|number| (17..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// The maximum number of consecutive digits, ignoring dashes between them.
pub(crate) fn longest_digits(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => run += 1,
            b'-' => {}
            _ => run = 0,
        }
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enumerations_and_made_up_identifiers_say_nothing() {
        for word in [
            "user",
            "tool_calls",
            "input_audio",
            "chat.completion",
            "application/json",
            "endTurn",
            "response.function_call_arguments.delta",
            "",
        ] {
            assert!(is_word(word), "{word}");
        }
        for text in ["hello there", "123-45-6789", "a@b.c", "Jane", "AKIAIOSFODNN7EXAMPLE", "x12345"] {
            assert!(!is_word(text), "{text}");
        }
        for text in ["STOP", "HARM_CATEGORY_HATE_SPEECH", "ROLE_AGENT"] {
            assert!(is_constant(text), "{text}");
        }
        for text in ["AKIAIOSFODNN7EXAMPLE", "JANE ROE", "Stop", ""] {
            assert!(!is_constant(text), "{text}");
        }
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00+01:00"] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in ["2026-01-01", "1970-01-01T", "2026-01-01T00:00:00Z and 536-90-4399", "T", "2026-01-01Té"]
        {
            assert!(!is_timestamp(text), "{text}");
        }
        for id in [
            "chatcmpl-B9MHDbslfkBeAs8l4bebGd",
            "toolu_01A09q90qw90lq917835lq9",
            "67ccd2bf-17f0-819c-b67e-123456789012",
            "function-call-4069163028993335335",
        ] {
            assert!(is_id(id), "{id}");
        }
        for text in [
            "call_4111111111111111",
            "function-call-4111111111111111",
            "call_123-45-6789",
            "sk-live-abcdef",
            "12345678-1234-1234-1234-123456789012",
        ] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn names_of_models_hold_no_numbers_of_people() {
        for name in ["gpt-4o-2024-08-06", "meta-llama/Llama-3.1-405B", "claude-3-5-sonnet-20241022"] {
            assert!(is_model(name), "{name}");
        }
        for name in
            ["a/4111.1111.1111.1111", "m-4111-1111-1111-1111", "a/536-90-4399", "a/4111/1111:1111.1111"]
        {
            assert!(!is_model(name), "{name}");
        }
    }
}
