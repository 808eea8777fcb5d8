//! Which policies apply to an agent: determined at an agent's first request from an index by name; after that a
//! lookup. So the cost of a request depends on the rules that apply to it, not on how many there are.
//!
//! An agent without a document has no type, tier or labels: a target that requires one does not match it.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use mesh_policy::{AgentStatus, BundleAgent, Diagnostic, Enforcement, Target};

use crate::names::Globs;
use crate::program::Rules;

/// The maximum number of unregistered agents in the cache, in addition to the registered ones; ids come from requests
/// and are not bounded otherwise.
const REMEMBERED: usize = 4096;

/// A policy as it applies to an agent.
#[derive(Clone)]
pub(crate) struct Attached {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) enforcement: Enforcement,
    rules: Rc<Rules>,
}

impl Attached {
    pub(crate) fn new(id: &str, version: u64, enforcement: Enforcement, rules: Rules) -> Self {
        Attached { id: id.to_owned(), version, enforcement, rules: Rc::new(rules) }
    }
}

impl Deref for Attached {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

/// What applies to one agent.
pub(crate) struct Applied {
    pub(crate) policies: Rc<[Rc<Attached>]>,
    /// The status in the agent's document, and the reason.
    pub(crate) status: AgentStatus,
    pub(crate) reason: Option<String>,
}

/// The policies, indexed by their targets.
pub(crate) struct Index {
    /// In the order of the bundle.
    policies: Vec<(Rc<Attached>, TargetMatch)>,
    /// Policies that target all agents, or target by pattern or attribute: checked one by one.
    asked: Vec<usize>,
    /// Policies that target agents by id only.
    named: BTreeMap<String, Vec<usize>>,
    agents: BTreeMap<String, Registered>,
    remembered: RefCell<BTreeMap<String, Rc<Applied>>>,
}

struct Registered {
    agent: BundleAgent,
    attached: Vec<Rc<Attached>>,
}

impl Index {
    /// `pinned` are versions that apply only where they are attached.
    ///
    /// # Errors
    /// The agents that refer to a policy or version that does not exist.
    pub(crate) fn new(
        policies: Vec<(Attached, &Target)>,
        pinned: &[Attached],
        agents: &[BundleAgent],
    ) -> Result<Self, Vec<(String, Diagnostic)>> {
        let mut index = Index {
            policies: Vec::with_capacity(policies.len()),
            asked: Vec::new(),
            named: BTreeMap::new(),
            agents: BTreeMap::new(),
            remembered: RefCell::default(),
        };
        let mut by_id = BTreeMap::new();
        for (place, (policy, target)) in policies.into_iter().enumerate() {
            if is_named(target) {
                for agent in &target.agents {
                    index.named.entry(agent.clone()).or_default().push(place);
                }
            } else {
                index.asked.push(place);
            }
            by_id.insert(policy.id.clone(), place);
            index.policies.push((Rc::new(policy), TargetMatch::new(target)));
        }
        let mut problems = Vec::new();
        for agent in agents {
            let mut attached = Vec::new();
            for (place, attachment) in agent.policies.iter().enumerate() {
                let in_force = by_id.get(&attachment.policy).and_then(|place| index.policies.get(*place));
                let in_force = in_force.map(|(policy, _)| policy.as_ref());
                let is_wanted = |policy: &&Attached| {
                    policy.id == attachment.policy
                        && attachment.version.is_none_or(|version| version == policy.version)
                };
                let Some(found) = in_force.into_iter().chain(pinned).find(is_wanted) else {
                    let known = by_id.keys().map(String::as_str);
                    problems.push((agent.id.clone(), missing(place, attachment, known)));
                    continue;
                };
                let enforcement = attachment.enforcement.unwrap_or(found.enforcement);
                attached.push(Rc::new(Attached { enforcement, ..found.clone() }));
            }
            index.agents.insert(agent.id.clone(), Registered { agent: agent.clone(), attached });
        }
        if problems.is_empty() { Ok(index) } else { Err(problems) }
    }

    /// What applies to the agent with this id.
    pub(crate) fn of(&self, agent: &str) -> Rc<Applied> {
        if let Some(applied) = self.remembered.borrow().get(agent) {
            return Rc::clone(applied);
        }
        let applied = Rc::new(self.find(agent));
        let mut remembered = self.remembered.borrow_mut();
        if remembered.len() >= REMEMBERED + self.agents.len() {
            remembered.clear();
        }
        remembered.insert(agent.to_owned(), Rc::clone(&applied));
        applied
    }

    /// An attachment replaces the same policy in force.
    fn find(&self, id: &str) -> Applied {
        let registered = self.agents.get(id);
        let agent = registered.map(|registered| &registered.agent);
        let attached = registered.map_or(&[][..], |registered| &registered.attached);
        let mut places: Vec<usize> = self.named.get(id).cloned().unwrap_or_default();
        places.extend(
            self.asked.iter().copied().filter(|place| {
                self.policies.get(*place).is_some_and(|(_, target)| target.matches(id, agent))
            }),
        );
        places.sort_unstable();
        places.dedup();
        let in_force = places.iter().filter_map(|place| self.policies.get(*place)).map(|(policy, _)| policy);
        let mut policies: Vec<Rc<Attached>> =
            in_force.filter(|policy| !attached.iter().any(|other| other.id == policy.id)).cloned().collect();
        policies.extend(attached.iter().cloned());
        Applied {
            policies: policies.into(),
            status: agent.map_or(AgentStatus::Active, |agent| agent.status),
            reason: agent.and_then(|agent| agent.reason.clone()),
        }
    }
}

/// The diagnostic for an attachment to a nonexistent policy; `known` are the policies in force.
fn missing<'a>(
    place: usize,
    attachment: &mesh_policy::Attachment,
    mut known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let name = &attachment.policy;
    match attachment.version {
        Some(version) if known.clone().any(|known| known == name) => Diagnostic::error(
            format!("spec.policies[{place}].version"),
            format!("policy {name:?} has no document of version {version}"),
        )
        .help(format!("`ai-mesh policy versions {name}` lists those that it has")),
        _ => {
            let message = format!("there is no policy {name:?} in force");
            let said = Diagnostic::error(format!("spec.policies[{place}].policy"), message);
            match mesh_policy::nearest(name, &mut known) {
                Some(meant) => said.help(format!("did you mean {meant:?}?")),
                None => said.help("apply the policy first, or take the attachment away"),
            }
        }
    }
}

/// Whether a target is only a list of ids.
fn is_named(target: &Target) -> bool {
    !target.agents.is_empty()
        && target.types.is_empty()
        && target.compliance_tiers.is_empty()
        && target.labels.is_empty()
        && target.agents.iter().all(|agent| !agent.contains('*'))
}

/// Every list that is given must match.
pub(crate) struct TargetMatch {
    ids: Globs,
    types: Vec<String>,
    tiers: Vec<String>,
    labels: Vec<(String, String)>,
}

impl TargetMatch {
    pub(crate) fn new(target: &Target) -> Self {
        TargetMatch {
            ids: Globs::new(&target.agents),
            types: target.types.clone(),
            tiers: target.compliance_tiers.clone(),
            labels: target.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    pub(crate) fn matches(&self, id: &str, agent: Option<&BundleAgent>) -> bool {
        (self.ids.is_empty() || self.ids.matches(id)) && self.fits(agent)
    }

    fn fits(&self, agent: Option<&BundleAgent>) -> bool {
        let Some(agent) = agent else {
            return self.types.is_empty() && self.tiers.is_empty() && self.labels.is_empty();
        };
        let one_of = |list: &[String], word: Option<&str>| {
            list.is_empty() || word.is_some_and(|word| list.iter().any(|one| one == word))
        };
        one_of(&self.types, agent.agent_type.map(|kind| kind.as_str()))
            && one_of(&self.tiers, agent.compliance_tier.map(|tier| tier.as_str()))
            && self.labels.iter().all(|(name, value)| agent.labels.get(name) == Some(value))
    }
}

/// Warns if a target requires attributes that no registered agent has.
pub(crate) fn unmatched(target: &Target, agents: &[BundleAgent]) -> Option<Diagnostic> {
    let attributes =
        !target.types.is_empty() || !target.compliance_tiers.is_empty() || !target.labels.is_empty();
    let matcher = TargetMatch::new(target);
    if !attributes || agents.iter().any(|agent| matcher.matches(&agent.id, Some(agent))) {
        return None;
    }
    let message = "no registered agent has these attributes, so the policy applies to nobody yet";
    Some(Diagnostic::warning("spec.target", message).help("`ai-mesh agent list` shows what agents have"))
}

#[cfg(test)]
mod tests {
    use mesh_policy::{AgentType, Attachment, ComplianceTier};

    use super::*;

    fn agent(id: &str) -> BundleAgent {
        BundleAgent { id: id.into(), ..BundleAgent::default() }
    }

    fn target(agents: &[&str]) -> Target {
        Target { agents: agents.iter().map(|id| (*id).to_owned()).collect(), ..Target::default() }
    }

    fn policy(id: &str, version: u64) -> Attached {
        Attached::new(id, version, Enforcement::Blocking, Rules::default())
    }

    /// `name@version enforcement` of what applies.
    fn applies(index: &Index, id: &str) -> Vec<String> {
        let applied = index.of(id);
        let said = |policy: &Rc<Attached>| match policy.enforcement {
            Enforcement::Blocking => format!("{}@{}", policy.id, policy.version),
            other => format!("{}@{} {other:?}", policy.id, policy.version),
        };
        applied.policies.iter().map(said).collect()
    }

    #[test]
    fn targets_are_ids_patterns_and_attributes() {
        let everyone = target(&[]);
        let named = target(&["support-1", "support-2"]);
        let pattern = target(&["support-*"]);
        let bots = Target { types: vec!["chatbot".into()], ..target(&[]) };
        let strict = Target {
            compliance_tiers: vec!["high".into(), "critical".into()],
            labels: [("team".to_owned(), "care".to_owned())].into(),
            ..target(&["support-*"])
        };
        let policies = vec![
            (policy("strict", 1), &strict),
            (policy("everyone", 1), &everyone),
            (policy("named", 1), &named),
            (policy("pattern", 1), &pattern),
            (policy("bots", 1), &bots),
        ];
        let agents = [
            BundleAgent { agent_type: Some(AgentType::Chatbot), ..agent("support-1") },
            BundleAgent {
                compliance_tier: Some(ComplianceTier::Critical),
                labels: [("team".to_owned(), "care".to_owned())].into(),
                ..agent("support-3")
            },
            BundleAgent { compliance_tier: Some(ComplianceTier::High), ..agent("support-4") },
        ];
        let index = Index::new(policies, &[], &agents).ok().unwrap();
        for (id, expected) in [
            ("support-1", &["everyone@1", "named@1", "pattern@1", "bots@1"][..]),
            ("support-2", &["everyone@1", "named@1", "pattern@1"]),
            ("support-3", &["strict@1", "everyone@1", "pattern@1"]),
            ("support-4", &["everyone@1", "pattern@1"]),
            ("nobody", &["everyone@1"]),
        ] {
            assert_eq!(applies(&index, id), expected, "{id}");
            assert_eq!(applies(&index, id), expected, "{id}, remembered");
        }
    }

    #[test]
    fn attachments_apply_whatever_the_target() {
        let other = target(&["other"]);
        let everyone = target(&[]);
        let policies = vec![(policy("a", 3), &other), (policy("b", 1), &everyone)];
        let attach =
            |policy: &str, version, enforcement| Attachment { policy: policy.into(), version, enforcement };
        let agents = [BundleAgent {
            policies: vec![attach("a", Some(2), None), attach("b", None, Some(Enforcement::Logging))],
            ..agent("x")
        }];
        let index = Index::new(policies, &[policy("a", 2)], &agents).ok().unwrap();
        assert_eq!(applies(&index, "x"), ["a@2", "b@1 Logging"]);
        assert_eq!(applies(&index, "other"), ["a@3", "b@1"]);
        assert_eq!(applies(&index, "y"), ["b@1"]);
    }

    #[test]
    fn what_is_attached_has_to_be_there() {
        let everyone = target(&[]);
        let agents = [BundleAgent {
            policies: vec![
                Attachment { policy: "a".into(), version: Some(9), enforcement: None },
                Attachment { policy: "z".into(), version: None, enforcement: None },
            ],
            ..agent("x")
        }];
        let problems = Index::new(vec![(policy("a", 1), &everyone)], &[], &agents).err().unwrap();
        let paths: Vec<_> = problems.iter().map(|(id, said)| (id.as_str(), said.path.as_str())).collect();
        assert_eq!(paths, [("x", "spec.policies[0].version"), ("x", "spec.policies[1].policy")]);
    }

    /// Ids come from requests: the cache is bounded.
    #[test]
    fn strangers_do_not_fill_the_memory() {
        let index = Index::new(Vec::new(), &[], &[]).ok().unwrap();
        (0..3 * REMEMBERED).for_each(|n| drop(index.of(&n.to_string())));
        assert!(index.remembered.borrow().len() <= REMEMBERED);
    }

    #[test]
    fn targets_that_fit_nobody_are_told() {
        let bots = Target { types: vec!["chatbot".into()], ..Target::default() };
        let bot = BundleAgent { agent_type: Some(AgentType::Chatbot), ..agent("x") };
        assert!(unmatched(&bots, &[agent("y")]).is_some());
        assert!(unmatched(&bots, &[agent("y"), bot]).is_none());
        assert!(unmatched(&target(&["z"]), &[]).is_none());
    }
}
