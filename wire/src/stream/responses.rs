//! Events of OpenAI's Responses API. Most texts come twice: in pieces, and complete at the end (`….done`,
//! `response.output_item.done`, `response.completed`); the complete ones are listed as separate texts.

use super::within::within;
use super::{Channel, ChannelKind, Close, arguments, beside, field_hash, index_of};
use crate::collect::Collector;
use crate::error::{Done, WireError};
use crate::items::{contents, item};
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::openai;
use crate::path::ROOT;
use crate::repeated;

pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>) -> Done {
    let kind = root.get_text("type").unwrap_or_default();
    let of = channel_of(&kind, root)?;
    c.thinks = kind.contains("reasoning");
    for (key, member) in root.members() {
        member_of(c, (&kind, root), of, key, member)?;
    }
    ends(c, &kind, root, of.0);
    Ok(())
}

/// Reads a member of an event of this type; `channel` is the running text that the event continues or ends.
fn member_of(
    c: &mut Collector<'_>,
    (kind, root): (&str, Val<'_>),
    (channel, place): (Channel, Place),
    key: Val<'_>,
    member: Val<'_>,
) -> Done {
    let name = key.text();
    let here = c.at_key(ROOT, &name);
    match &*name {
        "type"
        | "sequence_number"
        | "output_index"
        | "content_index"
        | "summary_index"
        | "annotation_index"
        | "command_index"
        | "partial_image_index"
        | "item_id" => c.measures(member, here),
        "delta" if kind == "response.audio.delta" => c.data(member, here),
        "delta" if member.is_string() => c.piece(channel, place, member, here),
        // The output of a shell comes as an object of texts.
        "delta" => within(c, place, member, here, (channel.group, channel.index)),
        "text" | "refusal" | "arguments" | "input" | "code" | "transcript" | "command" | "diff"
            if kind.ends_with(".added") && member.is_string() =>
        {
            c.piece(channel, place, member, here)
        }
        "text" | "refusal" | "arguments" | "input" | "code" | "transcript" => {
            let from = c.message.segments.len();
            c.text(place, member, here)?;
            if kind == "response.output_text.done" {
                c.repeats(channel, member, from);
            }
            Ok(())
        }
        "response" if member.is_object() => whole(c, member, here),
        "item" if member.is_object() => item_of(c, kind, member, here, channel.group),
        "part" => part_of(c, (kind, root), member, here, channel.group),
        "partial_image_b64" => c.data(member, here),
        "logprobs" if kind.ends_with(".delta") => repeated::running(c, channel.group, member, here),
        "logprobs" => c.echoes(member, here),
        _ => c.unknown(Place::Assistant, ROOT, key, member),
    }
}

/// The response as of an event.
fn whole(c: &mut Collector<'_>, response: Val<'_>, path: u32) -> Done {
    let calls = c.message.tool_calls.len();
    openai::read(c, response, path)?;
    if let Some(output) = response.get("output") {
        c.calls_run_in(calls, output);
    }
    Ok(())
}

/// An item that begins or ends.
fn item_of(c: &mut Collector<'_>, kind: &str, member: Val<'_>, path: u32, group: u32) -> Done {
    let (from, calls) = (c.message.segments.len(), c.message.tool_calls.len());
    item(c, Place::Assistant, member, path)?;
    c.calls_run(calls, arguments(group));
    if kind == "response.output_item.added" {
        item_opens(c, member, from, group);
    }
    if kind == "response.output_item.done" {
        let parts = member.get("content").into_iter().flat_map(|content| content.items());
        parts.for_each(|(index, part)| repeats(c, part, from, (group, index)));
    }
    Ok(())
}

/// The same for a part.
fn part_of(
    c: &mut Collector<'_>,
    (kind, root): (&str, Val<'_>),
    member: Val<'_>,
    path: u32,
    group: u32,
) -> Done {
    let from = c.message.segments.len();
    contents(c, Place::Assistant, member, path)?;
    if kind.ends_with("_part.added") {
        let index = if kind.contains("summary") { "summary_index" } else { "content_index" };
        let index = index_of(root, index)?.unwrap_or(0);
        part_opens(c, member, from, (group, index));
    }
    if kind == "response.content_part.done" {
        let index = index_of(root, "content_index")?.unwrap_or(0);
        repeats(c, member, from, (group, index));
    }
    Ok(())
}

/// What an event of this type ends.
fn ends(c: &mut Collector<'_>, kind: &str, root: Val<'_>, channel: Channel) {
    match kind {
        "response.completed" | "response.failed" | "response.incomplete" | "response.cancelled" => {
            c.closes.push(Close::All);
        }
        "response.output_item.done" => c.closes.push(Close::Group(channel.group)),
        kind if kind.ends_with(".done") && root.get("part").is_none_or(|part| part.kind() == Kind::Null) => {
            c.closes.push(Close::Channel(channel));
        }
        kind if !may_precede_text(kind, root) => c.closes.push(Close::Elsewhere),
        _ => {}
    }
}

/// The texts that an item begins with, and that deltas continue. `from` is the number of segments before it.
fn item_opens(c: &mut Collector<'_>, item: Val<'_>, from: usize, group: u32) {
    let kind = item.get_text("type").unwrap_or_default();
    for (key, member) in item.members() {
        if member.is_string() {
            if let Some((kind, field, _)) = known(&format!("response.{kind}_{}", key.text())) {
                c.begins(beside(Channel { group, kind, index: 0 }, field), member, from);
            }
        } else if matches!(&*key.text(), "content" | "summary") {
            member.items().for_each(|(index, part)| part_opens(c, part, from, (group, index)));
        }
    }
}

/// The same for a part.
fn part_opens(c: &mut Collector<'_>, part: Val<'_>, from: usize, (group, index): (u32, u32)) {
    let (base, text) = match &*part.get_text("type").unwrap_or_default() {
        "output_text" => ("response.output_text", "text"),
        "refusal" => ("response.refusal", "refusal"),
        "reasoning_text" => ("response.reasoning_text", "text"),
        "summary_text" => ("response.reasoning_summary_text", "text"),
        _ => return,
    };
    if let (Some((kind, field, _)), Some(text)) = (known(base), part.get(text)) {
        c.begins(beside(Channel { group, kind, index }, field), text, from);
    }
}

/// A part that repeats its text.
fn repeats(c: &mut Collector<'_>, part: Val<'_>, from: usize, (group, index): (u32, u32)) {
    let said = part.get("text").filter(|_| part.get_text("type").is_some_and(|kind| kind == "output_text"));
    if let Some(text) = said {
        c.repeats(Channel { group, kind: ChannelKind::Block, index }, text, from);
    }
}

/// Whether an event belongs to the answer itself, a message in it or a text in that: the text may continue, or
/// another may follow at once.
fn may_precede_text(kind: &str, root: Val<'_>) -> bool {
    match kind {
        "response.output_item.added" => {
            let kind = root.get("item").and_then(|item| item.get_text("type"));
            kind.is_none_or(|kind| kind == "message")
        }
        "response.created" | "response.in_progress" | "response.queued" => true,
        kind => {
            kind.ends_with(".delta")
                || kind.ends_with(".done")
                || kind.starts_with("response.content_part.")
                || kind.starts_with("response.output_text.")
        }
    }
}

/// The running text that an event of this type continues or ends: one per type, since clients distinguish them.
fn channel_of(kind: &str, root: Val<'_>) -> Result<(Channel, Place), WireError> {
    let base = [".delta", ".done", ".added"].iter().find_map(|of| kind.strip_suffix(of));
    let Some((kind, field, place)) = known(base.unwrap_or_default()) else {
        let (channel_kind, place) = match (kind.contains("arguments"), kind.contains("_call")) {
            (true, _) => (ChannelKind::ToolArguments, Place::ToolArguments),
            (_, true) => (ChannelKind::ToolInput, Place::ToolArguments),
            _ => (ChannelKind::Other, Place::Assistant),
        };
        let part = index_of(root, "content_index")?.unwrap_or(0);
        let seed = field_hash(part, root.get("command_index").map_or("", Val::raw));
        let index = field_hash(seed, base.unwrap_or(kind)) | UNKNOWN;
        let group = index_of(root, "output_index")?.unwrap_or(0);
        return Ok((Channel { group, kind: channel_kind, index }, place));
    };
    let part = index_of(root, if field == SUMMARY { "summary_index" } else { "content_index" })?.unwrap_or(0);
    let channel = Channel { group: index_of(root, "output_index")?.unwrap_or(0), kind, index: part };
    Ok((beside(channel, field), place))
}

/// The running texts that the protocol defines, by the events' type without its last word: the kind, the field that
/// distinguishes it from others of that kind, and its place.
fn known(base: &str) -> Option<(ChannelKind, u32, Place)> {
    let (text, arguments) = (Place::Assistant, Place::ToolArguments);
    Some(match base {
        "response.output_text" => (ChannelKind::Block, 0, text),
        "response.refusal" => (ChannelKind::Refusal, 0, text),
        "response.function_call_arguments" => (ChannelKind::ToolArguments, 0, arguments),
        "response.mcp_call_arguments" => (ChannelKind::ToolArguments, 1, arguments),
        "response.custom_tool_call_input" => (ChannelKind::ToolInput, 2, arguments),
        "response.code_interpreter_call_code" => (ChannelKind::ToolInput, 3, arguments),
        "response.reasoning_text" => (ChannelKind::Reasoning, 0, text),
        "response.reasoning_summary_text" => (ChannelKind::Reasoning, SUMMARY, text),
        "response.audio.transcript" => (ChannelKind::Transcript, 0, text),
        _ => return None,
    })
}

/// The highest bit distinguishes summaries from texts of the same reasoning item.
const SUMMARY: u32 = 1 << 7;
/// Only unknown types have this bit.
const UNKNOWN: u32 = 1 << 30;
