//! Keys and tokens: by their issuer's prefix, by their form, by the words before them.

use memchr::memmem;

use super::scan::{Scan, closes, is_token, opens};
use super::token_prefix::varied;
use super::{key_name, token_prefix};
use crate::EntityType::{self, *};
use crate::bytes::{at, before, run_end, run_start, slice};
use crate::canonical::base64;

/// The maximum length of a JSON web token's header that is read, in bytes.
const MAX_HEADER: usize = 2048;

/// Checks a long run of token characters.
pub(super) fn run(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    if let Some((kind, start, stop)) = token_prefix::read(text, start, end) {
        scan.report(kind, start, stop, 0.95, "token/prefix");
        return;
    }
    if shaped(scan, start, end) {
        return;
    }
    by_context(scan, start, end);
}

/// Reports a token recognised by its form: a JSON web token, a webhook, a bot token, a key with inner dots. True if one
/// is found.
fn shaped(scan: &mut Scan<'_>, start: usize, end: usize) -> bool {
    let text = scan.text;
    let run = slice(text, start, end);
    // Mapbox: a prefix, a payload without a header that names an algorithm, a signature.
    let mapbox =
        run.starts_with(b"eyJ") && matches!(slice(text, start.saturating_sub(3), start), b"sk." | b"pk.");
    if !mapbox && (run.starts_with(b"eyJ") || run.starts_with(b"ewog")) {
        return web_token(scan, start, end);
    }
    if let Some((from, stop)) = authress(text, start, end) {
        scan.report(ApiKey, from, stop, 0.93, "token/authress");
        return true;
    }
    if before(text, start) == b'.' {
        return after_dot(scan, start, end);
    }
    if before(text, start) == b'/' {
        return google_refresh(scan, start, end) || webhook(scan, start, end);
    }
    if let Some((kind, from)) = marked(text, start, run) {
        // Azure secrets may contain `~` and `.`, forty characters in all.
        let stop = if kind == AzureKey && from < start {
            run_end(slice(text, 0, from + 40), end, |b| is_token(b) || matches!(b, b'~' | b'.'))
        } else {
            end
        };
        let stop = if before(text, stop) == b'.' { stop - 1 } else { stop };
        scan.report(kind, from, stop, 0.9, "token/mark");
        return true;
    }
    if let Some(Form { kind, start, end, score, rule }) = form(text, start, end) {
        scan.report(kind, start, end, score, rule);
        return true;
    }
    false
}

/// A token in the form of a particular issuer.
struct Form {
    kind: EntityType,
    start: usize,
    end: usize,
    score: f32,
    rule: &'static str,
}

/// The issuer whose form a run matches, by its length, certain characters in it and what is right beside it.
fn form(text: &[u8], start: usize, end: usize) -> Option<Form> {
    let run = slice(text, start, end);
    let whole = |kind, score, rule| Some(Form { kind, start, end, score, rule });
    // Airtable: seventeen characters, a dot, 64 hexadecimal digits.
    if run.len() == 17 && run.starts_with(b"pat") && at(text, end) == b'.' {
        let end = run_end(text, end + 1, |b| b.is_ascii_hexdigit());
        if end - start == 17 + 65 && closes(text, end) {
            return Some(Form { kind: ApiKey, start, end, score: 0.93, rule: "token/airtable" });
        }
    }
    // Telegram: eight to ten digits, a colon, 35 characters that begin with AA.
    if before(text, start) == b':' && run.len() == 35 && run.starts_with(b"AA") {
        let digits = run_start(text, start - 1, |b| b.is_ascii_digit());
        if (8..=10).contains(&(start - 1 - digits)) {
            return Some(Form { kind: ChatToken, start: digits, end, score: 0.9, rule: "token/telegram" });
        }
    }
    // Twilio: two letters and 32 hexadecimal digits; Mailchimp: 32 of them and a data centre.
    if run.len() == 34 && run.starts_with(b"SK") && slice(run, 2, 34).iter().all(u8::is_ascii_hexdigit) {
        return whole(MailKey, 0.8, "token/twilio");
    }
    if (36..=37).contains(&run.len())
        && slice(run, 32, 35) == b"-us"
        && slice(run, 0, 32).iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return whole(MailKey, 0.85, "token/mailchimp");
    }
    if run.len() == 40 && run.ends_with(b"_mmk") && at(run, 6) == b'_' {
        return whole(ApiKey, 0.9, "token/maxmind");
    }
    // Discord bot tokens: a run, and two more after dots.
    if (24..=26).contains(&run.len()) && matches!(at(run, 0), b'M' | b'N' | b'O') && at(text, end) == b'.' {
        let middle = run_end(text, end + 1, is_token);
        let tail = run_end(text, middle + 1, is_token);
        if middle - end - 1 == 6 && at(text, middle) == b'.' && (27..=38).contains(&(tail - middle - 1)) {
            return Some(Form { kind: ChatToken, start, end: tail, score: 0.9, rule: "token/discord" });
        }
    }
    None
}

/// A Google refresh token: `1//0` and some sixty characters.
fn google_refresh(scan: &mut Scan<'_>, start: usize, end: usize) -> bool {
    let text = scan.text;
    let mark = start.saturating_sub(3);
    let found = slice(text, start, end).starts_with(b"0")
        && end - start >= 40
        && slice(text, mark, start) == b"1//"
        && !before(text, mark).is_ascii_alphanumeric();
    if found {
        scan.report(GoogleApiKey, mark, end, 0.9, "token/google-refresh");
    }
    found
}

/// Tokens whose prefix is before the run: OpenShift's `sha256~…`, Azure's `…8Q~…`, Facebook's `123456789012345|…`, the
/// signature of an Azure URL.
fn marked(text: &[u8], start: usize, run: &[u8]) -> Option<(EntityType, usize)> {
    let left = |length: usize| start.checked_sub(length).map(|from| (from, slice(text, from, start)));
    match before(text, start) {
        b'~' => {
            if let Some((from, b"sha256~")) = left(7)
                && run.len() == 43
            {
                return Some((ApiKey, from));
            }
            let (from, mark) = left(6)?;
            let lead = slice(mark, 0, 3).iter().all(|b| is_token(*b) || matches!(b, b'.' | b'~'));
            (lead && at(mark, 3).is_ascii_digit() && at(mark, 4) == b'Q' && (16..=34).contains(&run.len()))
                .then_some((AzureKey, from))
        }
        b'|' => {
            let digits = run_start(text, start - 1, |b| b.is_ascii_digit());
            ((15..=16).contains(&(start - 1 - digits)) && (27..=40).contains(&run.len()))
                .then_some((ApiKey, digits))
        }
        b'=' => {
            let window = slice(text, start.saturating_sub(300), start);
            (window.ends_with(b"sig=") && run.len() >= 40 && memmem::rfind(window, b"sv=20").is_some())
                .then_some((AzureKey, start))
        }
        _ => None,
    }
}

/// Authress: `sc_….….acc_….…`, found at its account or its last part.
fn authress(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    const PREFIXES: [&[u8]; 4] = [b"sc_", b"ext_", b"scauth_", b"authress_"];
    let account = |from: usize| matches!(slice(text, from, from + 4), b"acc_" | b"acc-");
    let at_account = if account(start) {
        start
    } else {
        start.checked_sub(1).map(|dot| run_start(text, dot, is_token)).filter(|from| account(*from))?
    };
    let id = run_start(text, at_account.checked_sub(1)?, is_token);
    let from = run_start(text, id.checked_sub(1)?, is_token);
    let dots = [at_account - 1, id - 1].iter().all(|dot| at(text, *dot) == b'.');
    let short = at_account - 1 - id;
    let account_end = run_end(text, at_account, is_token);
    let known = PREFIXES.iter().any(|prefix| slice(text, from, id).starts_with(prefix));
    if !dots || !known || !(4..=6).contains(&short) || at(text, account_end) != b'.' {
        return None;
    }
    // Anything longer is not one, however long it is.
    let stop = run_end(slice(text, 0, account_end + 130), account_end + 1, |b| {
        is_token(b) || matches!(b, b'+' | b'/' | b'=')
    });
    ((30..=121).contains(&(stop - account_end - 1)) && stop >= end).then_some((from, stop))
}

fn web_token(scan: &mut Scan<'_>, start: usize, end: usize) -> bool {
    let text = scan.text;
    if at(text, end) != b'.' {
        return false;
    }
    // The header is a JSON object that names an algorithm (RFC 7515, section 4.1.1).
    let header = base64::decode(slice(text, start, end), MAX_HEADER).unwrap_or_default();
    let object = header.iter().rev().find(|b| !b.is_ascii_whitespace()) == Some(&b'}');
    if !object || memmem::find(&header, b"\"alg\"").is_none() || std::str::from_utf8(&header).is_err() {
        return false;
    }
    let payload = run_end(text, end + 1, is_token);
    if payload - end - 1 < 8 {
        return false;
    }
    // The signature may be empty ("alg": "none") or missing.
    let stop = if at(text, payload) == b'.' { run_end(text, payload + 1, is_token) } else { payload };
    let second = slice(text, end + 1, end + 4) == b"eyJ";
    scan.report(Jwt, start, stop, if second || stop > payload { 0.95 } else { 0.6 }, "jwt/form");
    true
}

/// `SG.….…`, `hvs.…`, `ya29.…`, `dp.pt.…`, `….atlasv1.…`.
fn after_dot(scan: &mut Scan<'_>, start: usize, end: usize) -> bool {
    const PREFIXES: &[(&[u8], usize, EntityType)] = &[
        (b"SG.", 16, MailKey),
        (b"hvs.", 24, ApiKey),
        (b"hvb.", 24, ApiKey),
        (b"ya29.", 20, GoogleApiKey),
        (b"sk.", 40, ApiKey),
        (b"dp.pt.", 40, ApiKey),
        (b"dp.sa.", 40, ApiKey),
        (b"dp.ct.", 40, ApiKey),
        (b"dp.st.", 40, ApiKey),
        (b"atlasv1.", 60, ApiKey),
        (b"dt0c01.", 24, ApiKey),
        (b"tfc.", 40, ApiKey),
        (b"q1k.", 24, ApiKey),
        (b"sl.", 120, ApiKey),
        (b"pat.", 22, ApiKey),
        (b"sat.", 22, ApiKey),
        (b"pk.", 60, ApiKey),
        (b"v1.", 170, ApiKey),
        (b"t1.", 20, ApiKey),
    ];
    let text = scan.text;
    for (prefix, least, kind) in PREFIXES {
        let Some(from) = start.checked_sub(prefix.len()) else { continue };
        // SendGrid keys have two parts of 22 and 43 characters.
        let second = if at(text, end) == b'.' { run_end(text, end + 1, is_token) } else { end };
        let sendgrid = *prefix == b"SG." && second < end + 21;
        if sendgrid {
            continue;
        }
        if slice(text, from, start) != *prefix || end - start < *least {
            continue;
        }
        // `dt1.signed_duration_since` is program code.
        let whole = if *prefix == b"SG." { second } else { end };
        let named = prefix.len() == 3 && (!opens(text, from) || !run_has_digit(text, start, whole));
        if named {
            continue;
        }
        let identified = *prefix == b"atlasv1." && before(text, from) == b'.';
        let from = if identified { run_start(text, from - 1, is_token) } else { from };
        let mut stop = end;
        for _ in 0..3 {
            let next = run_end(text, stop + 1, is_token);
            if at(text, stop) == b'.' && next - stop > 6 {
                stop = next;
            }
        }
        scan.report(*kind, from, stop, 0.93, "token/prefix");
        return true;
    }
    false
}

fn run_has_digit(text: &[u8], start: usize, end: usize) -> bool {
    slice(text, start, end).iter().any(u8::is_ascii_digit)
}

fn webhook(scan: &mut Scan<'_>, start: usize, end: usize) -> bool {
    const HOSTS: &[(&[u8], EntityType)] = &[
        (b"hooks.slack.com/", SlackToken),
        (b"discord.com/api/webhooks/", ChatToken),
        (b"discordapp.com/api/webhooks/", ChatToken),
        (b"outlook.office.com/webhook", ChatToken),
        (b"webhook.office.com/", ChatToken),
    ];
    let text = scan.text;
    let from = start.saturating_sub(120);
    let left = slice(text, from, start);
    let Some((at_host, kind)) =
        HOSTS.iter().find_map(|(host, kind)| memmem::rfind(left, host).map(|i| (i, *kind)))
    else {
        return false;
    };
    // From its host on a URL is ASCII; the held-back tail of a stream ends where other scripts begin.
    if left.iter().skip(at_host).any(|b| !b.is_ascii_graphic() || *b == b'"') {
        return false;
    }
    let mut url = from + at_host;
    while url > 0
        && (is_token(before(text, url)) || matches!(before(text, url), b'.' | b'/' | b':'))
        && from + at_host - url < 40
    {
        url -= 1;
    }
    scan.report(kind, url, end, 0.95, "token/webhook");
    true
}

/// A random-looking value after a word for keys.
fn by_context(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    if !(scan.wants(ApiKey) || scan.wants(AwsAccessKey) || scan.wants(AzureKey)) {
        return;
    }
    if uuid(slice(text, start, end)) {
        // A UUID is a key only if its own name says so.
        if assigned(text, start) && key_name::names_a_key(text, start) {
            scan.report(ApiKey, start, end, 0.6, "key/uuid");
        }
        return;
    }
    // The value may contain other Base64 characters; it is taken as a whole, starting from its first run.
    let is_value = |b: u8| is_token(b) || matches!(b, b'/' | b'+' | b'=' | b'.' | b'~');
    let floor = start.saturating_sub(160);
    let mut from = start;
    while from > floor && is_value(before(text, from)) && before(text, from) != b'=' {
        from -= 1;
    }
    let stop = run_end(slice(text, 0, start + 512), start, is_value);
    let value = slice(text, from, stop);
    // After `https:` comes a location, whose parts have rules of their own.
    if !assigned(text, from) || value.starts_with(b"//") || !random(value) {
        return;
    }
    let context = scan.context(from);
    let base64 = value.contains(&b'/') || value.contains(&b'+');
    if context.names(AzureKey) && value.len() >= 40 {
        scan.report(AzureKey, from, stop, 0.9, "key/context");
    } else if value.len() == 40 && context.names(AwsAccessKey) && (base64 || mixed_case(value)) {
        scan.report(AwsAccessKey, from, stop, 0.85, "key/context");
    } else if context.names(ApiKey)
        && !context.negative
        && closes(text, stop)
        && !key_name::is_sample(value)
        && !key_name::names_no_key(text, from)
    {
        scan.report(ApiKey, from, stop, 0.65, "key/context");
    }
}

fn uuid(value: &[u8]) -> bool {
    value.len() == 36 && [8, 13, 18, 23].iter().all(|i| at(value, *i) == b'-')
}

pub(super) fn mixed_case(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_lowercase) && value.iter().any(u8::is_ascii_uppercase)
}

/// Letters and digits, many different ones, alternating as they do in no name or path.
fn random(value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let marks = value.iter().filter(|b| matches!(**b, b'-' | b'_' | b'.' | b'/')).count();
    value.len() >= 16
        && digits >= 1
        && letters >= 2
        && varied(value) >= 8
        && (digits >= 2 && turns(value, u8::is_ascii_digit) >= 3 || turns(value, u8::is_ascii_uppercase) >= 8)
        && marks * 6 <= value.len()
        && !value.starts_with(b"http")
}

/// How often characters of a class and others alternate. In `ORD-577623684377` and `Summer2024` they do so once.
pub(super) fn turns(value: &[u8], class: impl Fn(&u8) -> bool) -> usize {
    let mut turns = 0;
    let mut last = None;
    for member in value.iter().filter(|b| b.is_ascii_alphanumeric()).map(class) {
        turns += usize::from(last.is_some_and(|last| last != member));
        last = Some(member);
    }
    turns
}

/// Whether the value is in the position of one: after `=`, `:`, a quote, `Bearer` or "is".
pub(super) fn assigned(text: &[u8], i: usize) -> bool {
    let mut k = i;
    while k > 0 && i - k < 5 && matches!(before(text, k), b' ' | b'"' | b'\'' | b'`' | b'\\' | b'>' | b'(') {
        k -= 1;
    }
    matches!(before(text, k), b':' | b'=' | b',')
        || [&b"is"[..], b"Bearer", b"bearer", b"token", b"key", b"secret", b"basic", b"Basic"]
            .iter()
            .any(|word| k >= word.len() && slice(text, k - word.len(), k) == *word)
}
