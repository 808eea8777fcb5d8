//! Sets of policies and agents: the large one that is measured, and the smallest, which is the baseline.

use mesh_policy::{
    AccessRule, Agent, AgentSpec, Bundle, BundleAgent, BundlePolicy, ComplianceTier, Conditions, ModelsRule,
    Policy, Rule, ServiceRef, Settings, Spec, ToolsRule,
};

/// So many policies of one rule each, and so many registered agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rules: usize,
    pub(crate) agents: usize,
}

impl Size {
    pub(crate) const SMALL: Size = Size { rules: 1, agents: 1 };
    pub(crate) const LARGE: Size = Size { rules: 1_000, agents: 10_000 };
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {}", self.rules, self.agents)
    }
}

/// Digits of an agent's number in its id.
pub(crate) const DIGITS: usize = 5;

/// `agent-00042`.
pub(crate) fn agent_id(number: usize) -> String {
    format!("agent-{number:0DIGITS$}")
}

/// Policies of models, tools and access in turn. Of ten, eight name ten agents each; one has a pattern that a hundred agents
/// fit; and one asks for a tier and a label, which 25 have. In the smallest set the one policy has a pattern that all fit.
pub(crate) fn policies(size: Size) -> Vec<Policy> {
    (0..size.rules).map(|number| policy(number, size)).collect()
}

fn policy(number: usize, size: Size) -> Policy {
    let mut policy = Policy::new(format!("p{number:04}"), Spec::default());
    policy.spec.rules = vec![match number % 3 {
        0 => Rule::Models(ModelsRule { allow: vec!["gpt-4*".into()], deny: Vec::new() }),
        1 => Rule::Tools(ToolsRule { deny: vec!["shell".into(), "fs.*".into()], ..ToolsRule::default() }),
        _ => Rule::Access(AccessRule {
            resource: "*".into(),
            allowed_roles: vec!["*".into()],
            allowed_actions: vec!["*".into()],
            conditions: Conditions::default(),
        }),
    }];
    let target = &mut policy.spec.target;
    match number % 10 {
        // The one rule of the smallest set applies to whoever asks.
        0 if size == Size::SMALL => target.agents = vec!["agent-*".into()],
        0 => target.agents = vec![format!("agent-{:03}*", number / 10)],
        1 => {
            target.compliance_tiers = vec!["high".into()];
            target.labels.insert("team".into(), format!("team-{}", number / 10));
        }
        _ => target.agents = (0..10).map(|i| agent_id((number * 10 + i) % size.agents)).collect(),
    }
    policy
}

/// Agents of two tiers and a hundred teams.
pub(crate) fn agents(size: Size) -> Vec<BundleAgent> {
    let agent = |number: usize| BundleAgent {
        id: agent_id(number),
        compliance_tier: Some(if number.is_multiple_of(4) {
            ComplianceTier::High
        } else {
            ComplianceTier::Standard
        }),
        labels: [("team".to_owned(), format!("team-{}", number % 100))].into(),
        ..BundleAgent::default()
    };
    (0..size.agents).map(agent).collect()
}

/// The documents, as somebody applies them.
pub(crate) fn documents(size: Size) -> Result<Vec<(String, serde_json::Value)>, String> {
    let json = |name: &str, value: Result<serde_json::Value, serde_json::Error>| {
        value.map(|value| (name.to_owned(), value)).map_err(|error| error.to_string())
    };
    let policies =
        policies(size).into_iter().map(|policy| json(&policy.metadata.name, serde_json::to_value(&policy)));
    let agents = agents(size).into_iter().map(|agent| {
        let spec = AgentSpec { compliance_tier: agent.compliance_tier, ..AgentSpec::default() };
        let mut document = Agent::new(agent.id.clone(), spec);
        document.metadata.labels = agent.labels;
        json(&agent.id, serde_json::to_value(&document))
    });
    policies.chain(agents).collect()
}

/// What a sidecar is told.
pub(crate) fn bundle(size: Size, intake: Option<ServiceRef>) -> Bundle {
    let policies = policies(size).into_iter().map(|policy| BundlePolicy {
        id: policy.metadata.name.clone(),
        version: 1,
        policy,
    });
    Bundle {
        version: "1".into(),
        policies: policies.collect(),
        agents: agents(size),
        settings: Settings {
            sidecar: size.to_string(),
            trust_identity_headers: true,
            intake,
            ..Settings::default()
        },
        ..Bundle::default()
    }
}
