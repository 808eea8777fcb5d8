//! `agent …`: the registry of agents.

use serde_json::{Value, json};

use super::{
    policy::change::{apply, finish, said_as, word},
    printed,
};
use crate::{
    args::{agent::Verb, policy::Wait},
    failure::{Failure, Outcome},
    http::{Client, segment},
    output::{Output, Rows, field, printable},
};

/// Carries out a verb.
pub(crate) fn run(client: &Client, output: Output, verb: Verb) -> Outcome {
    match verb {
        Verb::List => {
            let mut answer = client.get("/api/v1/agents")?;
            let agents = answer["agents"].take();
            printed(output.show(&agents, table))
        }
        Verb::Get { id } => get(client, output, &id),
        Verb::Apply(args) => apply(client, output, &args),
        Verb::Suspend { id, reason, quarantine, wait } => {
            let body = json!({ "reason": reason, "quarantine": quarantine });
            let done = if quarantine { "quarantined" } else { "suspended" };
            change(client, output, &id, ("POST", "/suspend", done), Some(&body), wait)
        }
        Verb::Resume { id, wait } => change(client, output, &id, ("POST", "/resume", "resumed"), None, wait),
        Verb::Delete { id, wait } => change(client, output, &id, ("DELETE", "", "deleted"), None, wait),
    }
}

fn change(
    client: &Client,
    output: Output,
    id: &str,
    (method, verb, done): (&str, &str, &str),
    body: Option<&Value>,
    wait: Wait,
) -> Outcome {
    let changed = client.send(method, &format!("/api/v1/agents/{}{verb}", segment(id)), body)?;
    let word = if changed["changed"] == false { word(&changed, "agent") } else { done };
    let change = said_as(output, "agent", id, &changed, word)?;
    finish(client, output, vec![change], wait)
}

fn table(agents: &Value) -> String {
    let mut rows = Rows::new(
        &["ID", "STATUS", "TYPE", "TIER", "VENDOR", "MODEL", "OWNERS", "POLICIES"],
        "no agent is registered; `ai-mesh agent apply -f FILE` registers one",
    );
    for agent in agents.as_array().into_iter().flatten() {
        let spec = &agent["document"]["spec"];
        let list = |value: &Value, name: Option<&str>| {
            let items = value.as_array().into_iter().flatten();
            let names = items.filter_map(|item| name.map_or(item, |name| &item[name]).as_str());
            names.map(printable).collect::<Vec<_>>().join(", ")
        };
        let [status, kind, tier, vendor, model] =
            ["status", "type", "complianceTier", "vendor", "model"].map(|name| field(spec, name));
        let (owners, policies) = (list(&spec["owners"], None), list(&spec["policies"], Some("policy")));
        rows.push([field(agent, "id"), status, kind, tier, vendor, model, owners, policies]);
    }
    rows.to_string()
}

/// The document as YAML for people, all that is known of it as JSON for programs.
fn get(client: &Client, output: Output, id: &str) -> Outcome {
    let agent = client.get(&format!("/api/v1/agents/{}", segment(id)))?;
    let yaml = serde_saphyr::to_string(&agent["document"]);
    let yaml = yaml.map_err(|error| Failure::failed(format!("can't write {id} as YAML: {error}")))?;
    printed(output.show(&agent, |agent| {
        format!(
            "# version {}, {} {}\n{yaml}",
            field(agent, "version"),
            field(agent, "change"),
            field(agent, "created_at")
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_agents() {
        let agents = json!([{ "id": "support-1", "version": 2, "document": { "spec": {
            "status": "suspended", "type": "chatbot", "owners": ["care", "ops"], "policies": [{ "policy": "strict" }],
        } } }]);
        let text = anstream::adapter::strip_str(&table(&agents)).to_string();
        assert!(text.contains("support-1  suspended  chatbot"), "{text}");
        assert!(text.contains("care, ops  strict"), "{text}");
        assert!(table(&json!([])).starts_with("no agent is registered"));
    }
}
