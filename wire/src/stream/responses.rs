//! Events of OpenAI's Responses API. Most texts come twice: in pieces, and whole when they are finished (`….done`,
//! `response.output_item.done`, `response.completed`); the whole ones are listed as texts of their own.

use super::{Channel, ChannelKind, Close};
use crate::collect::Collector;
use crate::error::WireError;
use crate::items::{contents, item};
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::openai;
use crate::path::ROOT;

type Done = Result<(), WireError>;

pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>) -> Done {
    let kind = root.get_text("type").unwrap_or_default();
    let (channel, place) = channel_of(&kind, root);
    for (key, member) in root.members() {
        let name = key.text();
        let path_of = |c: &mut Collector<'_>| c.at_key(ROOT, &name);
        match &*name {
            "type"
            | "sequence_number"
            | "output_index"
            | "content_index"
            | "summary_index"
            | "annotation_index"
            | "partial_image_index"
            | "item_id" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            "delta" if kind == "response.audio.delta" => {
                let path = path_of(c);
                c.data(member, path)?;
            }
            "delta" => {
                let path = path_of(c);
                c.piece(channel, place, member, path)?;
            }
            "text" | "refusal" | "arguments" | "input" | "code" | "transcript" => {
                let path = path_of(c);
                c.text(place, member, path)?;
            }
            "response" if member.is_object() => {
                let path = path_of(c);
                openai::read(c, member, path)?;
            }
            "item" if member.is_object() => {
                let path = path_of(c);
                item(c, Place::Assistant, member, path)?;
            }
            "part" => {
                let path = path_of(c);
                contents(c, Place::Assistant, member, path)?;
            }
            "partial_image_b64" => {
                let path = path_of(c);
                c.data(member, path)?;
            }
            "logprobs" => {
                let path = c.at_key(ROOT, &name);
                c.echoes(member, path)?;
            }
            _ => c.unknown(Place::Assistant, ROOT, key, member)?,
        }
    }
    match &*kind {
        "response.completed" | "response.failed" | "response.incomplete" | "response.cancelled" => {
            c.closes.push(Close::All);
        }
        "response.output_item.done" => c.closes.push(Close::Group(channel.group)),
        kind if kind.ends_with(".done") && root.get("part").is_none_or(|part| part.kind() == Kind::Null) => {
            c.closes.push(Close::Channel(channel));
        }
        _ => {}
    }
    Ok(())
}

/// The running text that an event of this type adds to or ends.
fn channel_of(kind: &str, root: Val<'_>) -> (Channel, Place) {
    let index = |name: &str| root.get(name).and_then(Val::unsigned).map(|index| index as u32);
    let (channel_kind, place) =
        if kind.contains("arguments") || kind.contains("call_input") || kind.contains("call_code") {
            (ChannelKind::ToolArguments, Place::ToolArguments)
        } else if kind.contains("refusal") {
            (ChannelKind::Refusal, Place::Assistant)
        } else if kind.contains("reasoning") {
            (ChannelKind::Reasoning, Place::Assistant)
        } else if kind.contains("transcript") {
            (ChannelKind::Transcript, Place::Assistant)
        } else {
            (ChannelKind::Text, Place::Assistant)
        };
    // Summaries and texts of one reasoning item are told apart by the highest bit.
    let part = index("content_index").or_else(|| index("summary_index").map(|index| index | 1 << 31));
    (
        Channel { group: index("output_index").unwrap_or(0), kind: channel_kind, index: part.unwrap_or(0) },
        place,
    )
}
