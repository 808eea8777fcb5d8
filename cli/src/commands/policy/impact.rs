//! `policy impact`: what a policy would have done to yesterday's traffic.

use serde_json::{Value, json};

use crate::{
    args::policy::Impact,
    commands::printed,
    documents::Documents,
    failure::{Failure, Outcome},
    http::Client,
    output::{Output, Rows, field, outcome},
};

/// Asks the control plane, which has the records.
pub(crate) fn run(client: &Client, output: Output, args: &Impact) -> Outcome {
    let documents = Documents::read(std::slice::from_ref(&args.file))?;
    documents.refuse_errors()?;
    let [document] = &documents.documents[..] else {
        let found = documents.documents.len();
        return Err(Failure::environment(format!("found {found} policies, expected one")));
    };
    let mut body = json!({ "policy": document.policy, "limit": args.limit });
    for (name, time) in [("since", &args.since), ("until", &args.until)] {
        if let Some(time) = time {
            body[name] = time.clone().into();
        }
    }
    let impact = client.send("POST", "/api/v1/policies/impact", Some(&body))?;
    printed(output.show(&impact, shown))
}

fn shown(impact: &Value) -> String {
    let mut text =
        format!("{} of {} decisions would change\n", field(impact, "changed"), field(impact, "decisions"));
    let changes = impact["changes"].as_array().cloned().unwrap_or_default();
    if !changes.is_empty() {
        let mut rows = Rows::new(&["REQUESTS", "AGENT", "BEFORE", "AFTER", "SUCH AS"], "");
        for change in &changes {
            let word = |name: &str| outcome(change[name].as_str().unwrap_or_default());
            let [requests, agent, id] =
                ["requests", "agent_id", "decision_id"].map(|name| field(change, name));
            rows.push([requests, agent, word("before"), word("after"), id]);
        }
        text += &format!("{rows}\n");
        text += "BEFORE is what the policies in force make of the records, AFTER what they make of them with this policy\n";
    }
    if let Some(count @ 1..) = impact["recorded_otherwise"].as_u64() {
        text += &format!(
            "{count} of them were recorded with another outcome than BEFORE, under other policies than those in force\n"
        );
    }
    for (guard, count) in impact["unknown"].as_object().into_iter().flatten() {
        text += &format!("unknown: {count} of them have content that {guard} would have to see\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impact_for_people() {
        let impact = json!({ "decisions": 10, "changed": 2, "recorded_otherwise": 1, "unknown": { "rego": 3 }, "changes": [
            { "requests": 2, "agent_id": "bot", "before": "allow", "after": "deny", "decision_id": "d1" } ] });
        let text = anstream::adapter::strip_str(&shown(&impact)).to_string();
        assert!(text.starts_with("2 of 10 decisions would change\n"), "{text}");
        assert!(text.contains("2         bot    allow   deny   d1"), "{text}");
        assert!(text.contains("1 of them were recorded with another outcome than BEFORE"), "{text}");
        assert!(text.contains("unknown: 3 of them have content that rego would have to see"), "{text}");
    }
}
