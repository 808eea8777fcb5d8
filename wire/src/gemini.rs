//! Gemini: `generateContent`, `countTokens` and `embedContent`, requests and answers, on the Gemini API and on Vertex.
//! Both are protocol buffers in JSON, where every name may be written in camel case or with underscores
//! (<https://protobuf.dev/programming-guides/json/>): names are compared without underscores and case.

use crate::collect::Collector;
use crate::error::{WireError, malformed};
use crate::items::place_of_role;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::repeated;
use crate::stream::{Channel, ChannelKind, Close, field_hash, index_of, within};
use crate::tools;

type Done = Result<(), WireError>;

/// Reads a body, or an event of a stream (`event`), whose texts are pieces of running ones.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32, event: bool) -> Done {
    match value.kind() {
        Kind::Object => {}
        // A stream that was collected, or a batch.
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
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match &*plain(&name) {
            "model" | "modelversion" => {
                let path = path_of(c);
                c.model(member, path)?;
                if let Some(model) = &mut c.message.model
                    && let Some(bare) = model.strip_prefix("models/")
                {
                    *model = bare.to_owned();
                }
            }
            "contents" => {
                let path = path_of(c);
                content(c, Place::User, member, path, None)?;
            }
            "content" => {
                let path = path_of(c);
                content(c, Place::Document, member, path, None)?;
            }
            "systeminstruction" => {
                let path = path_of(c);
                content(c, Place::System, member, path, None)?;
            }
            "tools" => {
                let path = path_of(c);
                offers(c, member, path)?;
            }
            "candidates" => {
                let path = path_of(c);
                // In the one spelling that clients read.
                candidates(c, member, path, event && name == "candidates")?;
            }
            "requests" | "generatecontentrequest" | "instances" if !member.is_string() => {
                let path = path_of(c);
                read(c, member, path, false)?;
            }
            "usagemetadata" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
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
            | "servicetier" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            "title" => {
                let path = path_of(c);
                c.text(Place::Document, member, path)?;
            }
            _ => c.unknown(Place::Other, path, key, member)?,
        }
    }
    Ok(())
}

/// A name without what the two ways of writing it differ in.
fn plain(name: &str) -> String {
    name.bytes().filter(|b| *b != b'_').map(|b| char::from(b.to_ascii_lowercase())).collect()
}

fn candidates(c: &mut Collector<'_>, list: Val<'_>, path: u32, event: bool) -> Done {
    if list.kind() != Kind::Array {
        return c.free(Place::Assistant, list, path);
    }
    let mut seen = Vec::new();
    // Some leave out an index of zero.
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
        if event && seen.contains(&group) {
            return malformed(candidate.span().start as usize, "two candidates of one index");
        }
        seen.push(group);
        let said = c.pieces.len();
        for (key, member) in candidate.members() {
            let name = key.text();
            let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
            match &*plain(&name) {
                "content" => {
                    let path = path_of(c);
                    content(
                        c,
                        Place::Assistant,
                        member,
                        path,
                        (event && name == "content").then_some(group),
                    )?;
                }
                "finishreason" => {
                    let path = path_of(c);
                    c.word(member, path)?;
                    let reason = member.string();
                    if reason.is_some_and(|reason| !matches!(&*reason, "" | "FINISH_REASON_UNSPECIFIED")) {
                        c.closes.push(Close::Perhaps(group));
                    }
                }
                "index" | "safetyratings" | "tokencount" | "avglogprobs" => {
                    let path = path_of(c);
                    c.measures(member, path)?;
                }
                "logprobsresult" => {
                    let path = path_of(c);
                    if event { repeated::running(c, group, member, path)? } else { c.echoes(member, path)? }
                }
                "groundingmetadata" | "groundingattributions" | "urlcontextmetadata" => {
                    let path = path_of(c);
                    c.free(Place::Document, member, path)?;
                }
                _ => c.unknown(Place::Assistant, path, key, member)?,
            }
        }
        // Code and tools that run take their time, and so does what comes after an image.
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

/// A content or several, each a role and parts; SDKs also write parts and texts where contents stand. `running` is the
/// candidate whose running texts these continue.
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
        match &*name {
            "role" => {
                let path = c.at_key(path, &name);
                c.word(member, path)?;
            }
            "parts" => {
                let path = c.at_key(path, &name);
                match member.kind() {
                    Kind::Array => member.items().try_for_each(|(index, entry)| {
                        let path = c.at_index(path, index);
                        part(c, place, entry, path, running)
                    })?,
                    _ => part(c, place, member, path, None)?,
                }
            }
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
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match (&*plain(&name), running) {
            ("text", Some(group)) if name == "text" => {
                let path = path_of(c);
                let kind = if thought { ChannelKind::Reasoning } else { ChannelKind::Text };
                c.piece(Channel { group, kind, index: 0 }, place, member, path)?;
            }
            ("text", _) => {
                let path = path_of(c);
                c.text(place, member, path)?;
            }
            ("thought" | "videometadata" | "mediaresolution", _) => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            ("thoughtsignature", _) => {
                let path = path_of(c);
                c.opaque(member, path)?;
            }
            ("inlinedata" | "filedata", _) if member.is_object() => {
                if plain(&name) == "filedata" {
                    c.message.media += 1;
                }
                let path = path_of(c);
                blob(c, member, path)?;
            }
            ("functioncall", _) if member.is_object() => {
                let path = path_of(c);
                call(c, member, path, running)?;
            }
            ("functionresponse", _) if member.is_object() => {
                let path = path_of(c);
                tool_part(c, Place::ToolResult, member, path)?;
            }
            ("executablecode", _) if member.is_object() => {
                let path = path_of(c);
                c.calls("code_execution".into(), member.get("code"));
                tool_part(c, Place::ToolArguments, member, path)?;
            }
            ("codeexecutionresult", _) if member.is_object() => {
                let path = path_of(c);
                tool_part(c, Place::ToolResult, member, path)?;
            }
            ("audiotranscription", _) if member.is_object() => {
                let path = path_of(c);
                repeated::transcription(c, place, member, path, running)?;
            }
            // An object comes whole.
            (_, Some(group)) if member.is_string() => {
                within::member(c, (place, path), key, member, (group, 0))?;
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
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match &*plain(&name) {
            "mimetype" => {
                let path = path_of(c);
                c.word(member, path)?;
            }
            "data" => {
                c.is_as_said(value, member)?;
                let path = path_of(c);
                c.data(member, path)?;
            }
            "fileuri" | "displayname" => {
                let path = path_of(c);
                c.text(Place::Other, member, path)?;
            }
            _ => c.unknown(Place::Document, path, key, member)?,
        }
    }
    Ok(())
}

/// What a tool answered, the code it is to run and what came of that.
fn tool_part(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match &*plain(&name) {
            "id" | "name" | "language" | "outcome" | "scheduling" | "willcontinue" => {
                let path = path_of(c);
                c.word(member, path)?;
            }
            "response" | "output" | "code" => {
                let path = path_of(c);
                c.free(place, member, path)?;
            }
            "parts" => {
                let path = path_of(c);
                content(c, place, member, path, None)?;
            }
            _ => c.unknown(place, path, key, member)?,
        }
    }
    Ok(())
}

/// A call comes whole, or on Vertex, if asked for, argument by argument in pieces.
fn call(c: &mut Collector<'_>, value: Val<'_>, path: u32, running: Option<u32>) -> Done {
    if let Some(name) = value.get_text("name").filter(|name| !name.is_empty()) {
        c.calls(name, value.get("args"));
    }
    for (key, member) in value.members() {
        let name = key.text();
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match (&*plain(&name), running) {
            ("id" | "name" | "willcontinue", _) => {
                let path = path_of(c);
                c.word(member, path)?;
            }
            ("args", _) => {
                let path = path_of(c);
                c.free(Place::ToolArguments, member, path)?;
            }
            ("partialargs", Some(group)) if member.kind() == Kind::Array => {
                let path = path_of(c);
                for (index, argument) in member.items() {
                    let path = c.at_index(path, index);
                    partial(c, argument, path, group)?;
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
        if plain(&name) == "stringvalue" {
            let path = c.at_key(path, &name);
            let path = c.at_key(path, argument_of(&whose));
            let index = field_hash(field_hash(0, &whose), &name);
            let channel = Channel { group, kind: ChannelKind::Other, index };
            c.piece(channel, Place::ToolArguments, member, path)?;
        } else {
            c.unknown(Place::ToolArguments, path, key, member)?;
        }
    }
    Ok(())
}

/// The name of the argument that a JSON path leads to, or of the list in which it stands: `url` for `$.pages[0].url`.
fn argument_of(json_path: &str) -> &str {
    let end = json_path.trim_end_matches(|c: char| !c.is_alphabetic());
    end.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default()
}

/// Tools: lists of functions, and tools of the provider's own under their names.
fn offers(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(index, entry)| {
            let path = c.at_index(path, index);
            offers(c, entry, path)
        });
    }
    for (key, member) in value.members() {
        let name = key.text();
        if plain(&name) == "functiondeclarations" {
            let path = c.at_key(path, &name);
            tools::definitions(c, member, path)?;
        } else {
            if member.raw() != "null" {
                tools::offer_googles(c, name, member);
            }
            c.unknown(Place::ToolDefinition, path, key, member)?;
        }
    }
    if value.is_object() { Ok(()) } else { c.free(Place::ToolDefinition, value, path) }
}
