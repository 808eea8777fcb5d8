//! Streams of unknown protocols.

use super::{Channel, ChannelKind, OUTSIDE, field_hash, within};
use crate::collect::Collector;
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::media;
use crate::message::Place;
use crate::repeated;
use crate::tools;

/// Names of members that usually contain the text. Some servers capitalise them.
const TEXTS: &[&str] = &[
    "text",
    "content",
    "response",
    "delta",
    "output",
    "completion",
    "token",
    "thinking",
    "thought",
    "reasoning",
    "reasoning_content",
    "arguments",
    "args",
    "partial_json",
    "generation",
    "value",
    "answer",
    "chunk",
    "data",
    "result",
    "message",
    "reply",
    "parameters",
    "v",
    "text_output",
    "textResponse",
];

/// The last words in other names of such members: `text_delta`, `argsTextDelta`, `generation_chunk`, `answerText`.
const LAST_WORDS: &[&str] = &["delta", "chunk", "text"];

/// Whether a member with this name usually contains a text.
pub(super) fn is_text(name: &str) -> bool {
    let ends = |word: &&str| {
        let Some((before, last)) = name.split_at_checked(name.len().saturating_sub(word.len())) else {
            return false;
        };
        let apart =
            before.ends_with(['_', '-']) || last.starts_with(|first: char| first.is_ascii_uppercase());
        apart && last.eq_ignore_ascii_case(word)
    };
    TEXTS.iter().any(|text| text.eq_ignore_ascii_case(name)) || LAST_WORDS.iter().any(ends)
}

/// A stream of an unknown protocol: members that usually contain the text are read as pieces of it, the rest as
/// complete texts.
pub(super) fn unknown(
    c: &mut Collector<'_>,
    operation: &str,
    value: Val<'_>,
    path: u32,
    fields: u32,
) -> Result<(), WireError> {
    match value.kind() {
        Kind::Object => {
            tools::calls_in(c, value);
            value
                .members()
                .try_for_each(|(key, member)| member_of(c, operation, (value, path, fields), key, member))
        }
        Kind::Array => value.items().try_for_each(|(index, item)| {
            let path = c.at_index(path, index);
            unknown(c, operation, item, path, fields.wrapping_add(index))
        }),
        _ => c.free(Place::Other, value, path),
    }
}

/// A member of an object at `path`, in the object's `fields`.
fn member_of(
    c: &mut Collector<'_>,
    operation: &str,
    (holder, path, fields): (Val<'_>, u32, u32),
    key: Val<'_>,
    member: Val<'_>,
) -> Result<(), WireError> {
    let name = key.text();
    let here = c.at_key(path, &name);
    let from = c.pieces.len();
    let own = field_hash(fields, &name);
    if repeated::repeats(&name, member, operation) {
        return repeated::running(c, OUTSIDE, member, here);
    }
    // If media comes in pieces, only the first shows what it is.
    let data = &*name == "audio" || &*name == "data" && media::says_media(holder);
    if member.is_string() {
        if data {
            return c.data(member, here);
        }
        if !is_text(&name) {
            return c.member(Place::Other, path, key, member);
        }
        let channel = Channel { group: OUTSIDE, kind: ChannelKind::Other, index: own };
        c.piece_apart(channel, Place::Assistant, member, here)?;
        takes_turns(c, from, holder, &name);
        return Ok(());
    }
    if is_text(&name) && member.items().any(|(_, item)| item.is_string()) {
        return within::within(c, Place::Assistant, member, here, (OUTSIDE, own));
    }
    // Whatever its name: clients join what they are given to add.
    if name.eq_ignore_ascii_case("delta") && member.is_object() {
        within::within(c, Place::Assistant, member, here, (OUTSIDE, own))?;
        takes_turns(c, from, holder, &name);
        return Ok(());
    }
    if !matches!(member.kind(), Kind::Object | Kind::Array) {
        return c.member(Place::Other, path, key, member);
    }
    c.key(Place::Other, path, key, &name)?;
    unknown(c, operation, member, here, own)?;
    if name.eq_ignore_ascii_case("content") && member.items().all(|(_, part)| part.get("index").is_none()) {
        c.pieces.iter_mut().skip(from).for_each(|piece| piece.whole = true);
    }
    Ok(())
}

/// Notes for the pieces after the first `from` what may distinguish them from others at the same place: an adjacent
/// index, and for a delta any id.
fn takes_turns(c: &mut Collector<'_>, from: usize, beside: Val<'_>, name: &str) {
    let name = name.to_ascii_lowercase();
    let delta = matches!(&*name, "args" | "partial_json") || name.ends_with("delta");
    let tells = |(key, member): &(Val<'_>, Val<'_>)| match &*key.text() {
        "index" => member.kind() == Kind::Num,
        name => {
            delta && member.is_string() && (name == "id" || name.ends_with("_id") || name.ends_with("Id"))
        }
    };
    let mut told = beside.members().filter(tells).peekable();
    if told.peek().is_none() {
        return;
    }
    let seed = told.fold(0, |seed, (key, member)| field_hash(field_hash(seed, &key.text()), member.raw()));
    for piece in c.pieces.iter_mut().skip(from) {
        let index = seed ^ piece.channel.index.rotate_left(1);
        piece.turn = Some(Channel { index, ..piece.channel });
    }
}

/// Whether an event only says that a part of a response begins or ends: a text may continue at once in the next
/// event, and clients join the two (Gemini's Interactions).
pub(super) fn may_precede_text(root: Val<'_>) -> bool {
    let kind = |holder: Val<'_>, name: &str, kinds: &[&str]| {
        holder.get_text(name).is_some_and(|kind| kinds.contains(&&*kind))
    };
    kind(root, "event_type", &["step.stop"])
        || kind(root, "event_type", &["step.start"])
            && root.get("step").is_some_and(|step| kind(step, "type", &["model_output", "thought"]))
}
