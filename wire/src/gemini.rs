//! Gemini: `generateContent`, `countTokens` and `embedContent`, requests and responses, on the Gemini API and on
//! Vertex. Both use protocol buffers in JSON, where every name may be written in camel case or with underscores
//! (<https://protobuf.dev/programming-guides/json/>): names are compared ignoring underscores and case.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::bound::{self, scanned};
use crate::collect::Collector;
use crate::error::{Done, malformed};
use crate::items::place_of_role;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::repeated;
use crate::stream::{Channel, ChannelKind, Close, field_hash, index_of, within};
use crate::tools;

/// The operation in which Google's agents are asked like models.
pub(crate) const INTERACTIONS: &str = "interactions";

/// The agent that an interaction asks.
pub(crate) fn agent(operation: &str, body: &[u8]) -> Option<String> {
    if operation != INTERACTIONS {
        return None;
    }
    let agent =
        |root: Val<'_>| root.get_text("agent").filter(|_| root.get("input").is_some()).map(Cow::into_owned);
    scanned(body, agent).flatten()
}

/// Reads a body, or an event of a stream (`event`), whose texts are pieces of running ones.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32, event: bool) -> Done {
    match value.kind() {
        Kind::Object => {}
        // A collected stream, or a batch.
        Kind::Array => {
            return value.items().try_for_each(|(index, entry)| {
                let path = c.at_index(path, index);
                read(c, entry, path, event)
            });
        }
        _ => return c.free(Place::Other, value, path),
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*plain(&name) {
            "model" | "modelversion" => {
                c.model(member, here)?;
                if let Some(model) = &mut c.message.model
                    && let Some(bare) = model.strip_prefix("models/")
                {
                    *model = bare.to_owned();
                }
            }
            "contents" => content(c, Place::User, member, here, None)?,
            "content" => content(c, Place::Document, member, here, None)?,
            "systeminstruction" => content(c, Place::System, member, here, None)?,
            "tools" => offers(c, member, here)?,
            "candidates" => {
                // Only in the spelling that clients read.
                candidates(c, member, here, event && name == "candidates")?;
            }
            "requests" | "generatecontentrequest" | "instances" if !member.is_string() => {
                read(c, member, here, false)?
            }
            "usagemetadata" => c.measures(member, here)?,
            "toolconfig"
            | "generationconfig"
            | "safetysettings"
            | "promptfeedback"
            | "embedding"
            | "embeddings"
            | "totaltokens"
            | "totalbillablecharacters"
            | "prompttokensdetails"
            | "cachedcontent"
            | "responseid"
            | "createtime"
            | "tasktype"
            | "outputdimensionality"
            | "autotruncate"
            | "servicetier" => c.measures(member, here)?,
            "title" => c.text(Place::Document, member, here)?,
            _ => c.unknown(Place::Other, path, key, member)?,
        }
    }
    Ok(())
}

/// A name without the differences between the two spellings.
fn plain(name: &str) -> String {
    bound::plain(name).map(char::from).collect()
}

fn candidates(c: &mut Collector<'_>, list: Val<'_>, path: u32, event: bool) -> Done {
    if list.kind() != Kind::Array {
        return c.free(Place::Assistant, list, path);
    }
    let mut seen = BTreeSet::new();
    // Some servers omit an index of zero.
    let indexed = list.items().any(|(_, candidate)| candidate.get("index").is_some());
    for (position, candidate) in list.items() {
        let path = c.at_index(path, position);
        if !candidate.is_object() {
            c.free(Place::Assistant, candidate, path)?;
        }
        let group = if event {
            index_of(candidate, "index")?.unwrap_or(if indexed { 0 } else { position })
        } else {
            position
        };
        if event && !seen.insert(group) {
            return malformed(candidate.span().start as usize, "two candidates of one index");
        }
        let said = c.pieces.len();
        for (key, member) in candidate.members() {
            let name = key.text();
            let here = c.at_key(path, &name);
            match &*plain(&name) {
                "content" => {
                    content(c, Place::Assistant, member, here, (event && name == "content").then_some(group))?
                }
                "finishreason" => {
                    c.word(member, here)?;
                    let reason = member.string();
                    if reason.is_some_and(|reason| !matches!(&*reason, "" | "FINISH_REASON_UNSPECIFIED")) {
                        c.closes.push(Close::Perhaps(group));
                    }
                }
                "index" | "safetyratings" | "tokencount" | "avglogprobs" => c.measures(member, here)?,
                "logprobsresult" => {
                    if event {
                        repeated::running(c, group, member, here)?
                    } else {
                        c.echoes(member, here)?
                    }
                }
                "groundingmetadata" | "groundingattributions" | "urlcontextmetadata" => {
                    c.free(Place::Document, member, here)?
                }
                _ => c.unknown(Place::Assistant, path, key, member)?,
            }
        }
        // Running code and tools takes time, and so does what comes after an image.
        const RUNS: &[&str] = &["executableCode", "executable_code", "toolCall", "inlineData"];
        let parts = candidate.get("content").and_then(|content| content.get("parts"));
        let runs =
            |parts: Val<'_>| parts.items().any(|(_, part)| RUNS.iter().any(|name| part.get(name).is_some()));
        if event && c.pieces.len() == said && parts.is_some_and(runs) {
            c.closes.push(Close::Rests(group));
        }
    }
    Ok(())
}

/// One or several contents, each a role and parts; SDKs also write parts and texts in place of contents. `running` is
/// the candidate whose running texts these continue.
fn content(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32, running: Option<u32>) -> Done {
    match value.kind() {
        Kind::Array => {
            return value.items().try_for_each(|(index, entry)| {
                let path = c.at_index(path, index);
                content(c, place, entry, path, None)
            });
        }
        Kind::Object => {}
        _ => return c.text(place, value, path),
    }
    if value.get("parts").is_none() && value.get("role").is_none() {
        return part(c, place, value, path, None);
    }
    let place = match value.get_text("role") {
        Some(role) if place == Place::User => place_of_role(&role),
        _ => place,
    };
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "role" => c.word(member, here)?,
            "parts" => match member.kind() {
                Kind::Array => member.items().try_for_each(|(index, entry)| {
                    let here = c.at_index(here, index);
                    part(c, place, entry, here, running)
                })?,
                _ => part(c, place, member, here, None)?,
            },
            _ => c.unknown(place, path, key, member)?,
        }
    }
    Ok(())
}

fn part(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32, running: Option<u32>) -> Done {
    if !value.is_object() {
        return c.text(place, value, path);
    }
    let thought = value.get("thought").is_some_and(Val::is_true);
    if let (Some(_), Some(thought)) = (running, value.get("thought"))
        && !matches!(thought.kind(), Kind::True | Kind::False | Kind::Null)
    {
        return malformed(thought.span().start as usize, "neither a thought nor none");
    }
    c.thinks = thought;
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match (&*plain(&name), running) {
            ("text", Some(group)) if name == "text" => {
                let kind = if thought { ChannelKind::Reasoning } else { ChannelKind::Text };
                c.piece(Channel { group, kind, index: 0 }, place, member, here)?;
            }
            ("text", _) => c.text(place, member, here)?,
            ("thought" | "videometadata" | "mediaresolution", _) => c.measures(member, here)?,
            ("thoughtsignature", _) => c.opaque(member, here)?,
            ("inlinedata" | "filedata", _) if member.is_object() => {
                if plain(&name) == "filedata" {
                    c.message.media += 1;
                }
                blob(c, member, here)?;
            }
            ("functioncall", _) if member.is_object() => call(c, member, here, running)?,
            ("functionresponse", _) if member.is_object() => tool_part(c, Place::ToolResult, member, here)?,
            ("executablecode", _) if member.is_object() => {
                c.calls("code_execution".into(), member.get("code"));
                c.message.tool_calls.iter_mut().last().into_iter().for_each(|call| call.own = true);
                tool_part(c, Place::ToolArguments, member, here)?;
            }
            ("codeexecutionresult", _) if member.is_object() => {
                tool_part(c, Place::ToolResult, member, here)?
            }
            ("audiotranscription", _) if member.is_object() => {
                repeated::transcription(c, place, member, here, running)?
            }
            // An object is complete.
            (_, Some(group)) if member.is_string() => {
                within::member(c, (place, path), key, member, (group, 0))?
            }
            _ => c.unknown(place, path, key, member)?,
        }
    }
    c.thinks = false;
    Ok(())
}

fn blob(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*plain(&name) {
            "mimetype" => c.word(member, here)?,
            "data" => {
                c.is_as_said(value, member)?;
                c.data(member, here)?;
            }
            "fileuri" | "displayname" => c.text(Place::Other, member, here)?,
            _ => c.unknown(Place::Document, path, key, member)?,
        }
    }
    Ok(())
}

/// The result of a tool, or the code to run and its result.
fn tool_part(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*plain(&name) {
            "id" | "name" | "language" | "outcome" | "scheduling" | "willcontinue" => c.word(member, here)?,
            "response" | "output" | "code" => c.free(place, member, here)?,
            "parts" => content(c, place, member, here, None)?,
            _ => c.unknown(place, path, key, member)?,
        }
    }
    Ok(())
}

/// A call is complete, or on Vertex, if requested, each argument comes in pieces.
fn call(c: &mut Collector<'_>, value: Val<'_>, path: u32, running: Option<u32>) -> Done {
    if let Some(name) = value.get_text("name").filter(|name| !name.is_empty()) {
        c.calls(name, value.get("args"));
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match (&*plain(&name), running) {
            ("id" | "name" | "willcontinue", _) => c.word(member, here)?,
            ("args", _) => c.free(Place::ToolArguments, member, here)?,
            ("partialargs", Some(group)) if member.kind() == Kind::Array => {
                for (index, argument) in member.items() {
                    let here = c.at_index(here, index);
                    partial(c, argument, here, group)?;
                }
            }
            _ => c.unknown(Place::ToolArguments, path, key, member)?,
        }
    }
    Ok(())
}

fn partial(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    if !value.is_object() {
        return c.free(Place::ToolArguments, value, path);
    }
    let whose = value.get_text("jsonPath").or_else(|| value.get_text("json_path")).unwrap_or_default();
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        if plain(&name) == "stringvalue" {
            let here = c.at_key(here, argument_of(&whose));
            let index = field_hash(field_hash(0, &whose), &name);
            let channel = Channel { group, kind: ChannelKind::Other, index };
            c.piece(channel, Place::ToolArguments, member, here)?;
        } else {
            c.unknown(Place::ToolArguments, path, key, member)?;
        }
    }
    Ok(())
}

/// The name of the argument that a JSON path refers to, or of the list that contains it: `url` for `$.pages[0].url`.
fn argument_of(json_path: &str) -> &str {
    let end = json_path.trim_end_matches(|c: char| !c.is_alphabetic());
    end.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default()
}

/// Tools: lists of functions, and the provider's own tools under their names.
fn offers(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(index, entry)| {
            let path = c.at_index(path, index);
            offers(c, entry, path)
        });
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        if plain(&name) == "functiondeclarations" {
            tools::definitions(c, member, here)?;
        } else {
            if member.raw() != "null" {
                tools::offer_googles(c, name, member);
            }
            c.unknown(Place::ToolDefinition, path, key, member)?;
        }
    }
    if value.is_object() { Ok(()) } else { c.free(Place::ToolDefinition, value, path) }
}
