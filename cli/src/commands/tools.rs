//! `tools …`: tools whose definitions are pinned.

use serde_json::{Value, json};

use super::{policy::change::finish, printed};
use crate::{
    args::{
        policy::Wait,
        tools::{Standing, Verb, Which},
    },
    failure::{Failure, Outcome},
    http::{Client, query, segment},
    output::{BAD, FAINT, GOOD, Output, Rows, STRONG, WARN, field, printable, styled},
};

/// Carries out a verb.
pub(crate) fn run(client: &Client, output: Output, verb: Verb) -> Outcome {
    match verb {
        Verb::List { server, standing } => {
            let standing = standing.map(|standing| match standing {
                Standing::Approved => "approved",
                Standing::Changed => "changed",
                Standing::Unapproved => "unapproved",
            });
            printed(output.show(&list(client, server.as_deref(), standing)?, table))
        }
        Verb::Show { which } => printed(output.show(&get(client, &which)?, shown)),
        Verb::Diff { which } => {
            let tool = get(client, &which)?;
            printed(output.show(&tool, |tool| match tool["diff"].as_str() {
                Some(diff) => colored(diff),
                None => "no definition waits or was rejected: the tool is offered as approved".to_owned(),
            }))
        }
        Verb::Approve { all: true, of, wait, .. } => approve_all(client, output, of.as_deref(), wait),
        Verb::Approve { server, name, digest, wait, .. } => {
            // The flags ask for both unless all are meant.
            let which = Which { server: server.unwrap_or_default(), name: name.unwrap_or_default() };
            decide(client, output, &which, digest.as_deref(), "approve", wait)
        }
        Verb::Reject { which, digest, wait } => {
            decide(client, output, &which, digest.as_deref(), "reject", wait)
        }
    }
}

fn path(which: &Which) -> String {
    format!("/api/v1/tools/{}/{}", segment(&which.server), segment(&which.name))
}

fn get(client: &Client, which: &Which) -> Outcome<Value> {
    client.get(&path(which))
}

fn list(client: &Client, server: Option<&str>, standing: Option<&str>) -> Outcome<Value> {
    let pairs = [("server", server), ("standing", standing)];
    Ok(client.get(&format!("/api/v1/tools{}", query(&pairs)))?["tools"].take())
}

fn decide(
    client: &Client,
    output: Output,
    which: &Which,
    digest: Option<&str>,
    verb: &str,
    wait: Wait,
) -> Outcome {
    let tool = get(client, which)?;
    let digest = chosen(&tool, digest).map_err(|why| {
        Failure::failed(format!("{} {}: {why}", which.server, which.name))
            .hint("`ai-mesh tools show SERVER NAME` lists the definitions; name one by --digest")
    })?;
    let change = send(client, output, which, &digest, verb)?;
    finish(client, output, vec![change], wait)
}

fn send(client: &Client, output: Output, which: &Which, digest: &str, verb: &str) -> Outcome<Value> {
    let body = json!({ "digest": digest });
    let done = client.send("POST", &format!("{}/{verb}", path(which)), Some(&body))?;
    let result = match (done["changed"] == true, verb) {
        (false, _) => "unchanged",
        (true, "approve") => "approved",
        (true, _) => "rejected",
    };
    if !output.for_programs() {
        let (server, name) = (printable(&which.server), printable(&which.name));
        let line = format!("tool {} of {server} {result} ({})", styled(STRONG, name), short(digest));
        printed(output.text(&line))?;
    }
    Ok(
        json!({ "kind": "tool", "server": which.server, "name": which.name, "digest": digest, "result": result }),
    )
}

/// Approves the waiting definitions of all tools that have no approved one yet, such as those of a new server.
fn approve_all(client: &Client, output: Output, server: Option<&str>, wait: Wait) -> Outcome {
    let mut changes = Vec::new();
    for tool in list(client, server, Some("unapproved"))?.as_array().into_iter().flatten() {
        let text = |name: &str| tool[name].as_str().unwrap_or_default().to_owned();
        let which = Which { server: text("server"), name: text("name") };
        // A tool with several waiting definitions, or with none, has to be looked at by itself.
        if let Ok(digest) = chosen(tool, None) {
            changes.push(send(client, output, &which, &digest, "approve")?);
        }
    }
    if changes.is_empty() && !output.for_programs() {
        printed(output.text("no tool waits for its first approval"))?;
    }
    finish(client, output, changes, wait)
}

/// The full digest: the only one that begins with what was typed, or the only one that waits.
fn chosen(tool: &Value, beginning: Option<&str>) -> Result<String, String> {
    let definitions = tool["definitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let meant: Vec<&str> = definitions
        .iter()
        .filter(|definition| match beginning {
            Some(beginning) => {
                definition["digest"].as_str().is_some_and(|digest| digest.starts_with(beginning))
            }
            None => definition["state"] == "pending",
        })
        .filter_map(|definition| definition["digest"].as_str())
        .collect();
    match (meant.as_slice(), beginning) {
        ([digest], _) => Ok((*digest).to_owned()),
        ([], None) => Err("no definition waits for a decision".to_owned()),
        ([], Some(beginning)) => Err(format!("no digest begins with {beginning:?}")),
        (several, None) => Err(format!("{} definitions wait for a decision", several.len())),
        (several, Some(beginning)) => Err(format!("{} digests begin with {beginning:?}", several.len())),
    }
}

fn table(tools: &Value) -> String {
    let mut rows = Rows::new(
        &["SERVER", "NAME", "STANDING", "APPROVED", "WAITING", "LAST REPORTED"],
        "no tool was reported; a policy with `tools: { pin: true }` makes sidecars report those that are not approved",
    );
    for tool in tools.as_array().into_iter().flatten() {
        let of = |state: &str| {
            let definitions = tool["definitions"].as_array().into_iter().flatten();
            let digests = definitions.filter(|definition| definition["state"] == state);
            let digests = digests.filter_map(|definition| definition["digest"].as_str()).map(short);
            digests.collect::<Vec<_>>().join(", ")
        };
        rows.push([
            field(tool, "server"),
            field(tool, "name"),
            standing(tool),
            of("approved"),
            of("pending"),
            field(&tool["definitions"][0], "last_seen"),
        ]);
    }
    rows.to_string()
}

fn standing(tool: &Value) -> String {
    let word = field(tool, "standing");
    let style = match word.as_str() {
        "approved" => GOOD,
        "changed" => BAD,
        _ => WARN,
    };
    styled(style, word)
}

fn shown(tool: &Value) -> String {
    let mut out = format!("{} of {}: {}\n", field(tool, "name"), field(tool, "server"), standing(tool));
    for definition in tool["definitions"].as_array().into_iter().flatten() {
        let [state, digest, first, last, sidecar] =
            ["state", "digest", "first_seen", "last_seen", "sidecar"].map(|name| field(definition, name));
        let more =
            if definition["truncated"] == true { "\n… (cut: the digest covers all of it)" } else { "" };
        let text = lines(definition["text"].as_str().unwrap_or_default()).join("\n");
        out += &format!("\n{} {digest}\n", styled(STRONG, state));
        out += &format!(
            "{}\n{text}{more}\n",
            styled(FAINT, format!("seen {first} to {last}, first by {sidecar}"))
        );
    }
    out
}

/// What a server wrote, fit for a terminal.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(printable).collect()
}

fn colored(diff: &str) -> String {
    let line = |line: String| match line.chars().next() {
        Some('+') => styled(GOOD, line),
        Some('-') => styled(BAD, line),
        Some('@') => styled(FAINT, line),
        _ => line,
    };
    lines(diff).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_that_is_meant() {
        let definition = |digest: &str, state: &str| json!({ "digest": digest, "state": state });
        let one = json!({ "definitions": [definition("abc", "approved"), definition("abd", "pending")] });
        let two = json!({ "definitions": [definition("abc", "pending"), definition("abd", "pending")] });
        for (tool, beginning, expected) in [
            (&one, None, Ok("abd")),
            (&one, Some("abc"), Ok("abc")),
            (&one, Some("ab"), Err("2 digests begin with \"ab\"")),
            (&one, Some("x"), Err("no digest begins with \"x\"")),
            (&two, None, Err("2 definitions wait for a decision")),
            (&json!({}), None, Err("no definition waits for a decision")),
        ] {
            let found = chosen(tool, beginning);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{tool} {beginning:?}");
        }
    }

    #[test]
    fn a_table_of_tools() {
        let tools = json!([{ "server": "a/mcp", "name": "search", "standing": "changed", "definitions": [
            { "digest": "0123456789abcdef", "state": "pending", "last_seen": "now" },
            { "digest": "fedcba9876543210", "state": "approved", "last_seen": "before" } ] }]);
        let text = anstream::adapter::strip_str(&table(&tools)).to_string();
        assert!(text.contains("a/mcp   search  changed   fedcba987654  0123456789ab  now"), "{text}");
        assert!(table(&json!([])).starts_with("no tool was reported"));
    }
}
