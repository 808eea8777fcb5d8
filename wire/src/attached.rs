//! Attachments of a request, wherever they are: files by reference, and bytes in Base64. The protocols' readers know
//! the places that their protocol defines; servers accept such parts in many more, mostly under the same few names.

use std::cell::LazyCell;

use crate::bound::{is_one_of, plain};
use crate::coding::unescape;
use crate::collect::Collector;
use crate::elsewhere::FREE;
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::media;
use crate::protocol::Protocol;

/// Members that refer to a file, or contain what a model has computed from one.
const FILES: &[&str] = &["file_id", "file_ids", "fileUri", "prompt_embeds", "image_embeds", "audio_embeds"];

/// Members that say where something is fetched, if they contain a URL.
const ADDRESSES: &[&str] = &[
    "file_url",
    "image_url",
    "video_url",
    "audio_url",
    "document_url",
    "pdf_url",
    "file_urls",
    "image_urls",
    "video_urls",
    "audio_urls",
    "img_url",
    "input_image",
    "image_data",
    "gcsUri",
    "s3Location",
    "file_data",
    "image",
    "video",
    "audio",
];

/// The beginning of a message that stands for files stored at Alibaba.
const KEPT: &str = "fileid://";

/// Members that contain bytes.
const BYTES: &[&str] = &["data", "file_data", "image_data", "bytes", "blob", "raw", "b64_json"];

/// Members with the type of a file.
const KINDS: &[&str] = &["mimeType", "mediaType", "contentType"];

/// Members that contain a prompt as token ids (TensorRT-LLM, SGLang).
const TOKENS: &[&str] = &["prompt_token_ids", "input_ids"];

/// Members with arbitrary content, in addition to [`FREE`]: what a model's text refers to, tool arguments.
const OTHERS: &[&str] = &["annotations", "citations", "toolUse"];

/// Suffixes of the types of parts that are not shown to a model as files: calls and their results, which their
/// readers handle, and data that a provider encrypts.
const NO_FILES: &[&str] = &["_call", "tool_use", "tool_result", "redacted_thinking", "reasoning.encrypted"];

/// Counts the attachments, if no reader has counted more, and prompts of tokens.
///
/// # Errors
/// [`WireError::Malformed`]: data that is declared as text but is not UTF-8.
pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>) -> Result<(), WireError> {
    // Their readers handle everything in these.
    if matches!(c.message.protocol, Protocol::Mcp | Protocol::A2a | Protocol::A2aHttp) {
        return Ok(());
    }
    let mut count = 0;
    within(c, "", root, &mut count)?;
    c.message.media = c.message.media.max(count);
    // In other requests, vLLM's name may mean anything.
    let of_vllm = root.get("token_ids").filter(|_| root.get("sampling_params").is_some());
    // On paths of unknown protocols: llama.cpp's, Hugging Face's.
    let unknown = c.message.protocol == Protocol::Json;
    let native = ["prompt", "inputs"].into_iter().filter(|_| unknown).filter_map(|name| root.get(name));
    let prompts = TOKENS.iter().filter_map(|name| root.get(name)).chain(of_vllm);
    let tokens = prompts.map(numbers).chain(native.map(whole_numbers));
    c.message.tokens = tokens.fold(c.message.tokens, u32::saturating_add);
    Ok(())
}

/// The numbers in a list, and in nested lists. Recursion is bounded by the scanner's depth limit.
fn numbers(list: Val<'_>) -> u32 {
    list.items().map(|(_, list)| numbers(list)).fold(list.small_items(), u32::saturating_add)
}

/// The same without fractions: those are measures.
fn whole_numbers(list: Val<'_>) -> u32 {
    let mut count = list.items().map(|(_, list)| whole_numbers(list)).fold(0, u32::saturating_add);
    list.children(|run| {
        if run.kind() == Kind::Run && !run.raw().contains('.') {
            count = count.saturating_add(u32::try_from(run.raw().split(',').count()).unwrap_or(u32::MAX));
        }
    });
    count
}

/// All attachments in a value with this name. Recursion is bounded by the scanner's depth limit.
fn within(c: &Collector<'_>, name: &str, value: Val<'_>, count: &mut u32) -> Result<(), WireError> {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(_, item)| within(c, name, item, count));
    }
    let kind = value.get_text("type").unwrap_or_default();
    if NO_FILES.iter().any(|end| kind.ends_with(end)) {
        return Ok(());
    }
    // Expensive: it examines all members, and may be needed for each.
    let says_text = LazyCell::new(|| media::says_text(value));
    value.members().try_for_each(|(key, member)| {
        let key = key.text();
        let holds = matches!(member.kind(), Kind::Object | Kind::Array);
        if holds && (is_one_of(FREE, &key) || is_one_of(OTHERS, &key)) {
            return Ok(());
        }
        let attached = key == "content" && is_kept(member)
            || may_attach(&key)
                && (points(name, value, &key, member)
                    || is_one_of(BYTES, &key) && holds_bytes(c, || *says_text, member)?);
        *count = count.saturating_add(u32::from(attached));
        if holds && !attached { within(c, &key, member, count) } else { Ok(()) }
    })
}

/// Whether a message stands for stored files: the beginning of a long one is sufficient.
fn is_kept(content: Val<'_>) -> bool {
    const LONGEST: usize = 6 * KEPT.len();
    let raw = content.raw();
    let head = raw.get(..raw.floor_char_boundary(LONGEST)).unwrap_or_default();
    content.is_string() && unescape(head).starts_with(KEPT)
}

/// Whether a member with this name may be one of those: most are not, and need not be compared with each.
fn may_attach(key: &str) -> bool {
    let mut letters = plain(key);
    matches!(
        (letters.next(), letters.next()),
        (Some(b'f' | b'v'), Some(b'i'))
            | (Some(b'i'), Some(b'm' | b'n'))
            | (Some(b'g'), Some(b'c'))
            | (Some(b'u' | b'p'), Some(b'r'))
            | (Some(b'd' | b'r'), Some(b'a'))
            | (Some(b'd'), Some(b'o'))
            | (Some(b'p'), Some(b'd'))
            | (Some(b'a'), Some(b'u'))
            | (Some(b's'), Some(b'3'))
            | (Some(b'b'), Some(b'y' | b'l' | b'6'))
    )
}

/// Whether a member of an object with this name says where a file is.
fn points(of: &str, object: Val<'_>, key: &str, member: Val<'_>) -> bool {
    if is_one_of(FILES, key) {
        return texts(member).any(|text| text.string().is_some_and(|text| !text.is_empty()));
    }
    // In other places, a URL is just a link.
    let of_file = || {
        of == "source"
            || object.members().any(|(key, _)| is_one_of(KINDS, &key.text()))
            || is_typed(&object.get_text("type").unwrap_or_default(), key)
    };
    if matches!(key, "url" | "uri") && of_file() || is_one_of(ADDRESSES, key) {
        let inner = ["url", "uri"].into_iter().filter_map(|name| member.get(name));
        return texts(member).chain(inner).any(is_address);
    }
    false
}

/// Whether a part of this type is the file at its URL (Gemini's Interactions). A document may also be linked only.
fn is_typed(kind: &str, key: &str) -> bool {
    matches!(kind, "image" | "audio" | "video") || kind == "document" && key == "uri"
}

/// Whether a member contains bytes that are not text; `says_text` is whether an adjacent member declares them as
/// text.
fn holds_bytes(c: &Collector<'_>, says_text: impl Fn() -> bool, member: Val<'_>) -> Result<bool, WireError> {
    let mut media = false;
    for text in texts(member) {
        media |= c.holds_media(&says_text, text)?;
    }
    Ok(media)
}

/// A text, or those in a list.
fn texts(value: Val<'_>) -> impl Iterator<Item = Val<'_>> {
    [value].into_iter().chain(value.items().map(|(_, item)| item)).filter(|one| one.is_string())
}

/// Whether a text begins with a URL scheme.
fn is_address(value: Val<'_>) -> bool {
    let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let text = value.string().unwrap_or_default();
    let scheme = text.trim_ascii_start().split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_that_attaches_something_is_passed_over() {
        for name in [FILES, ADDRESSES, BYTES, &["url", "uri"]].concat() {
            assert!(may_attach(name) && may_attach(&name.to_uppercase()), "{name}");
        }
        assert!(!["role", "content", "type", "text", "model", "name"].iter().any(|name| may_attach(name)));
    }
}
