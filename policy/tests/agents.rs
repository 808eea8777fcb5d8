//! What authors write about agents, and what they are told about it.
#![cfg(feature = "yaml")]
use mesh_policy::{
    AgentStatus, ComplianceTier, Document, Enforcement, Severity, documents_from_yaml, from_yaml,
};

fn agent(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: ai-mesh.dev/v1alpha1\nkind: Agent\nmetadata: {{ name: support-1 }}\nspec:\n{spec}")
}

const WHOLE: &str = "displayName: Support bot
type: chatbot
vendor: openai
model: gpt-4o
owners: [care, ops@example.com]
complianceTier: high
status: deprecated
reason: use support-2
policies:
  - { policy: customer-facing, version: 3, enforcement: monitor }
  - { policy: names }";

#[test]
fn the_whole_document_is_read_beside_policies() {
    let policy = "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: { name: names }\nspec: { rules: [{ pii: {} }] }";
    let mut read = documents_from_yaml(&format!("{policy}\n---\n{}", agent(WHOLE))).unwrap();
    assert!(matches!(read[0].document, Document::Policy(_)));
    let Document::Agent(agent) = read.remove(1).document else { panic!() };
    let spec = &agent.spec;
    assert_eq!(
        (spec.status, spec.compliance_tier),
        (Some(AgentStatus::Deprecated), Some(ComplianceTier::High))
    );
    assert_eq!(spec.policies[0].enforcement, Some(Enforcement::Logging));
    let again = serde_json::to_value(&agent).unwrap();
    assert_eq!(mesh_policy::document_from_value(&again).unwrap().document, Document::Agent(agent));
}

/// Each row: the lines of `spec`, and the place and the beginning of what is said.
#[test]
fn mistakes_are_named() {
    for (spec, place, path, message) in [
        ("type: chatbott", (5, 3), "spec.type", "found \"chatbott\""),
        ("complianceTier: hihg", (5, 3), "spec.complianceTier", "found \"hihg\""),
        ("tier: high", (5, 3), "spec.tier", "unknown field"),
        ("status: off", (5, 3), "spec.status", "found \"off\""),
        ("policies: [{ version: 1 }]", (5, 14), "spec.policies[0]", "`policy` is missing"),
        ("policies: [{ policy: A B }]", (5, 16), "spec.policies[0].policy", "found \"A B\""),
        ("policies: [{ policy: a, version: 0 }]", (5, 27), "spec.policies[0].version", "found 0"),
        (
            "policies: [{ policy: a }, { policy: a }]",
            (5, 31),
            "spec.policies[1].policy",
            "the policy `a` is attached twice",
        ),
    ] {
        let found = documents_from_yaml(&agent(spec)).unwrap_err();
        let said = found.iter().find(|said| said.severity == Severity::Error).unwrap();
        assert_eq!(said.path, path, "{spec}: {said}");
        assert!(said.message.starts_with(message), "{spec}: {said}");
        assert_eq!((said.line, said.column), (Some(place.0), Some(place.1)), "{spec}: {said}");
    }
    let odd_id = agent("status: active").replace("support-1", "\"support 1\"");
    let found = documents_from_yaml(&odd_id).unwrap_err();
    assert_eq!(found[0].path, "metadata.name");
    let found = from_yaml(&agent("status: active")).unwrap_err();
    assert!(found[0].message.contains("expected `Policy`"), "{}", found[0]);
}
