//! Members that repeat a response's text, token by token or word by word.

use crate::collect::Collector;
use crate::error::Done;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::stream::{Channel, ChannelKind};
use crate::tools;
use crate::words;

/// The operation whose responses contain what was spoken, and the time of each word.
pub(crate) const TRANSCRIPTIONS: &str = "transcriptions";

/// Whether a member of a response in an unknown protocol repeats an adjacent text: as in OpenAI's transcriptions,
/// llama.cpp's completions, SGLang's (`output_token_logprobs`) and other transcriptions.
pub(crate) fn repeats(name: &str, member: Val<'_>, operation: &str) -> bool {
    name.ends_with("logprobs")
        || name == "completion_probabilities"
        || operation == TRANSCRIPTIONS && matches!(name, "words" | "tokens")
        || name == "words" && member.items().next().is_some_and(|(_, word)| is_spoken(word))
}

/// Whether this is a word with the time at which it was spoken.
fn is_spoken(word: Val<'_>) -> bool {
    const TIMES: &[&str] = &["start", "startTime", "start_time", "startOffset", "start_offset", "startSec"];
    word.get("word").is_some_and(Val::is_string)
        || word.get("text").is_some_and(Val::is_string) && TIMES.iter().any(|time| word.get(time).is_some())
}

/// A response in an unknown protocol.
pub(crate) fn answer(c: &mut Collector<'_>, operation: &str, value: Val<'_>, path: u32) -> Done {
    match value.kind() {
        Kind::Object => {
            tools::calls_in(c, value);
            value.members().try_for_each(|(key, member)| {
                let name = key.text();
                let here = c.at_key(path, &name);
                if repeats(&name, member, operation) {
                    return c.echoes(member, here);
                }
                c.key(Place::Other, path, key, &name)?;
                answer(c, operation, member, here)
            })
        }
        Kind::Array => value.items().try_for_each(|(index, item)| {
            let path = c.at_index(path, index);
            answer(c, operation, item, path)
        }),
        _ => c.free(Place::Other, value, path),
    }
}

/// Gemini's transcription of a part: what was spoken, and its separate words. `running` is the candidate whose
/// running texts these continue.
pub(crate) fn transcription(
    c: &mut Collector<'_>,
    place: Place,
    value: Val<'_>,
    path: u32,
    running: Option<u32>,
) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match (&*name, running) {
            ("text", Some(group)) => {
                c.piece(Channel { group, kind: ChannelKind::Transcript, index: 0 }, place, member, here)?;
            }
            ("text", None) => c.text(place, member, here)?,
            ("words", Some(group)) => self::running(c, group, member, here)?,
            ("words", None) => c.echoes(member, here)?,
            ("finished" | "languageCode" | "language_code", _) => c.measures(member, here)?,
            _ => c.unknown(place, path, key, member)?,
        }
    }
    Ok(())
}

/// Tokens in an event of a stream. They may belong to another event's text: servers that wait for the end of a stop
/// word hold back text, but not its tokens. So they are a running text too; an edit in it empties the whole value.
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
            let here = c.at_key(path, &name);
            let listed =
                matches!(&*name, "content" | "refusal" | "tokens" | "chosenCandidates" | "chosen_candidates");
            if matches!(&*name, "token" | "text" | "word") && member.is_string() {
                c.piece(channel, Place::Other, member, here)
            } else if listed && member.kind() == Kind::Array {
                tokens(c, channel, member, here)
            } else {
                if !words::is_word(&name) {
                    c.key(Place::Other, path, key, &name)?;
                }
                c.measures(member, here)
            }
        }),
        _ => c.measures(value, path),
    }
}
