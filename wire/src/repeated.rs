//! What repeats an answer's text, token by token or word by word.

use crate::collect::Collector;
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::stream::{Channel, ChannelKind};
use crate::words;

type Done = Result<(), WireError>;

/// The operation whose answers say what was spoken, and when each word was.
pub(crate) const TRANSCRIPTIONS: &str = "transcriptions";

/// Whether a member of an answer of no protocol of its own repeats the text beside it: as OpenAI's transcriptions and
/// llama.cpp's completions have it.
pub(crate) fn repeats(name: &str, operation: &str) -> bool {
    matches!(name, "logprobs" | "completion_probabilities")
        || operation == TRANSCRIPTIONS && matches!(name, "words" | "tokens")
}

/// An answer of no protocol of its own.
pub(crate) fn answer(c: &mut Collector<'_>, operation: &str, value: Val<'_>, path: u32) -> Done {
    if !value.is_object() {
        return c.free(Place::Other, value, path);
    }
    for (key, member) in value.members() {
        let name = key.text();
        if repeats(&name, operation) {
            let path = c.at_key(path, &name);
            c.echoes(member, path)?;
        } else if operation == TRANSCRIPTIONS && &*name == "segments" && member.kind() == Kind::Array {
            let path = c.at_key(path, &name);
            for (index, segment) in member.items() {
                let path = c.at_index(path, index);
                answer(c, operation, segment, path)?;
            }
        } else {
            c.member(Place::Other, path, key, member)?;
        }
    }
    Ok(())
}

/// Tokens in an event of a stream. They may be those of another event's text: servers that wait for the end of a stop word
/// hold back text, and not its tokens. So they are a running text too; an edit in it empties all of the value.
pub(crate) fn running(c: &mut Collector<'_>, group: u32, value: Val<'_>, path: u32) -> Done {
    c.echo(value);
    tokens(c, Channel { group, kind: ChannelKind::Tokens, index: 0 }, value, path)
}

fn tokens(c: &mut Collector<'_>, channel: Channel, value: Val<'_>, path: u32) -> Done {
    match value.kind() {
        Kind::Array => value.items().try_for_each(|(index, item)| {
            let path = c.at_index(path, index);
            if item.is_string() {
                return c.piece(channel, Place::Other, item, path);
            }
            tokens(c, channel, item, path)
        }),
        Kind::Object => value.members().try_for_each(|(key, member)| {
            let name = key.text();
            let listed =
                matches!(&*name, "content" | "refusal" | "tokens" | "chosenCandidates" | "chosen_candidates");
            if &*name == "token" && member.is_string() {
                let path = c.at_key(path, &name);
                c.piece(channel, Place::Other, member, path)
            } else if listed && member.kind() == Kind::Array {
                let path = c.at_key(path, &name);
                tokens(c, channel, member, path)
            } else {
                if !words::is_word(&name) {
                    c.key(Place::Other, path, key, &name)?;
                }
                c.measure(path, &name, member)
            }
        }),
        _ => c.measures(value, path),
    }
}
