//! `policy test`: what would be decided about a sample request. Nothing is sent, counted or recorded.

use std::{io::Read, path::Path};

use serde_json::{Value, json};

use crate::{
    args::{Global, policy::Test},
    commands::printed,
    documents::Documents,
    failure::{Failure, Outcome},
    http::Client,
    output::{Output, STRONG, field, outcome, printable, styled},
};

/// Tries the policies in files on this machine, or those in force on the control plane.
pub(crate) fn run(global: &Global, output: Output, args: &Test) -> Outcome {
    if args.request.is_none() && args.prompt.is_none() {
        return rego(output, args);
    }
    let sample = sample(args)?;
    let verdict = if args.files.is_empty() {
        Client::new(global)?.send("POST", "/api/v1/policies/dry-run", Some(&json!({ "request": sample })))?
    } else {
        let documents = Documents::read(&args.files)?;
        documents.refuse_errors()?;
        super::trial::run(&documents, &sample)?
    };
    printed(output.show(&verdict, shown))
}

/// Runs the Rego tests that stand beside the policies.
fn rego(output: Output, args: &Test) -> Outcome {
    let documents = Documents::read(&args.files)?;
    documents.refuse_errors()?;
    let report = super::rego_tests::run(&documents, &args.files)?;
    if report.tests.is_empty() {
        return Err(Failure::environment(
            "there is no NAME_test.rego beside the policies, and no sample is given",
        )
        .hint("try a sample with --prompt TEXT or --request FILE"));
    }
    let failed = report.failed();
    if output.for_programs() {
        let tests: Vec<Value> = report.tests.iter().map(super::rego_tests::Ran::json).collect();
        let mut told = json!({ "tests": tests, "failed": failed });
        if args.coverage {
            told["coverage"] = report.coverage_json();
        }
        printed(output.text(&format!("{told:#}")))?;
    } else {
        let mut lines: Vec<String> = report.tests.iter().map(super::rego_tests::Ran::shown).collect();
        lines.push(format!("{} tests, {failed} failed", report.tests.len()));
        if args.coverage {
            lines.extend(report.coverage_shown());
        }
        printed(output.text(&lines.join("\n")))?;
    }
    if failed > 0 { Err(Failure::policy()) } else { Ok(()) }
}

/// The request that the flags describe.
fn sample(args: &Test) -> Outcome<Value> {
    let mut sample = match (&args.request, &args.prompt) {
        (Some(path), _) => read(path)?,
        (None, prompt) => json!({
            "method": "POST", "path": "/v1/chat/completions",
            "body": { "model": args.model, "messages": [{ "role": "user", "content": prompt }] },
        }),
    };
    for (name, value) in [("x-ai-mesh-agent", &args.agent), ("x-ai-mesh-user", &args.user)] {
        if let Some(value) = value {
            sample["headers"][name] = value.clone().into();
        }
    }
    Ok(sample)
}

/// What a sample may say, as the control plane reads it too.
const FIELDS: [&str; 6] = ["method", "path", "headers", "body", "agent", "source_ip"];

fn read(path: &Path) -> Outcome<Value> {
    let mut text = String::new();
    if path == Path::new("-") {
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map_err(|error| Failure::environment(format!("can't read standard input: {error}")))?;
    } else {
        text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    }
    let example = "expected { \"path\": \"/v1/chat/completions\", \"body\": { … } }";
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(fields)) if fields.get("path").is_some_and(Value::is_string) => {
            if let Some(odd) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
                let (path, known) = (path.display(), FIELDS.join(", "));
                let told = format!("{path}: found the field `{}`, expected one of {known}", printable(odd));
                return Err(Failure::environment(told));
            }
            Ok(Value::Object(fields))
        }
        Ok(_) => Err(Failure::environment(format!("{} is no sample request", path.display())).hint(example)),
        Err(error) => Err(Failure::environment(format!(
            "{}:{}:{}: no JSON: {error}",
            path.display(),
            error.line(),
            error.column()
        ))
        .hint(example)),
    }
}

/// For people: the outcome, then why, then what would go upstream.
fn shown(verdict: &Value) -> String {
    let mut text = format!("{}\n", outcome(verdict["decision"].as_str().unwrap_or_default()));
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            text += &format!("  {name:<11} {value}\n");
        }
    };
    line("protocol", field(verdict, "protocol"));
    line("status", field(verdict, "status"));
    let named = |policy: &Value| format!("{} (version {})", field(policy, "id"), field(policy, "version"));
    line("policies", list(verdict, "policies").iter().map(named).collect::<Vec<_>>().join(", "));
    for (guard, state) in verdict["guards"].as_object().into_iter().flatten() {
        line("guard", format!("{} {}", printable(guard), printable(state.as_str().unwrap_or_default())));
    }
    for finding in list(verdict, "findings") {
        let (count, kind, place) =
            (field(&finding, "count"), field(&finding, "type"), field(&finding, "place"));
        line("found", format!("{count} {kind} in {place}"));
    }
    // An agent that is stopped by its status is refused without any policy.
    let said = |violation: &Value| {
        let place =
            violation["rule"].as_u64().map(|rule| format!(", spec.rules[{rule}]")).unwrap_or_default();
        match field(violation, "policy_id") {
            policy if policy.is_empty() => field(violation, "message"),
            policy => format!("{policy}{place}: {}", field(violation, "message")),
        }
    };
    for violation in list(verdict, "policy_violations") {
        line("violation", said(&violation));
    }
    for violation in list(verdict, "warnings") {
        line("warning", said(&violation));
    }
    let body = &verdict["modifications"]["body"];
    if !body.is_null() {
        text += &format!("{}\n{body:#}\n", styled(STRONG, "goes upstream as"));
    }
    text
}

fn list(verdict: &Value, name: &str) -> Vec<Value> {
    verdict[name].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_for_people() {
        let verdict = json!({
            "decision": "allow_with_modifications", "protocol": "openai-chat",
            "policies": [{ "id": "starter", "version": 1 }], "guards": { "pii": "ran" },
            "findings": [{ "type": "US_SSN", "count": 1, "place": "request:messages[0].content" }],
            "policy_violations": [{ "policy_id": "", "guard": "agent", "message": "this agent is suspended" }],
            "warnings": [{ "policy_id": "starter", "guard": "rego", "rule": 0, "message": "m" }], "modifications": { "body": { "model": "m" } },
        });
        let text = anstream::adapter::strip_str(&shown(&verdict)).to_string();
        let expected = [
            "allow_with_modifications",
            "  protocol    openai-chat",
            "  policies    starter (version 1)",
            "  guard       pii ran",
            "  found       1 US_SSN in request:messages[0].content",
            "  violation   this agent is suspended",
            "  warning     starter, spec.rules[0]: m",
            "goes upstream as",
        ];
        assert_eq!(text.lines().take(expected.len()).collect::<Vec<_>>(), expected, "{text}");
    }
}
