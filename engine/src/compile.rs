//! Documents → [`Program`]. Anything in a document that cannot be compiled is refused here, with the field named: in
//! the control plane before it is stored, and in the filter before it replaces a running program.
use std::rc::Rc;

use mesh_detect::{
    CustomPatterns, Detector, EntityType, MAX_PHRASES, Phrases, Sensitivity, TypeSet, type_group,
};
use mesh_limits::{Catalogue, Measure, PriceList};
use mesh_policy::{
    AccessRule, Bundle, BundlePolicy, ContentRule, Diagnostic, Direction, InjectionRule, PiiRule, Policy,
    RateLimitRule, RegoRule, Rule, nearest, step,
};
use mesh_rego::{Module, Rego, RegoError};

use crate::access::AccessGuard;
use crate::canary::CanaryGuard;
use crate::index::{Attached, Index, unmatched};
use crate::input::Asked;
use crate::judge::JudgeGuard;
use crate::limits;
use crate::names::{Globs, NameGuard};
use crate::output::OutputGuard;
use crate::pins::Pins;
use crate::program::{InjectionGuard, LimitGuard, PiiGuard, Program, Rules};
use crate::room::{self, check_room};

/// A document that does not compile, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whether it is an agent's document; otherwise it is a policy.
    pub agent: bool,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", if self.agent { "agent" } else { "policy" }, self.name)?;
        for diagnostic in &self.diagnostics {
            write!(f, ": {diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Compiles a whole bundle.
///
/// # Errors
/// Every document that does not compile, with diagnostics. One bad policy prevents the whole program: a policy left
/// out would be a rule that is not enforced.
pub fn compile(bundle: &Bundle, detector: Rc<Detector>) -> Result<Program, Vec<Refused>> {
    let mut refused = Vec::new();
    let mut places = 0..;
    let mut attach = |entry: &BundlePolicy| match rules(&entry.policy) {
        Ok(rules) => {
            let rules = Rules { index: places.next().unwrap_or_default(), ..rules };
            Some(Attached::new(&entry.id, entry.version, entry.policy.spec.enforcement, rules))
        }
        Err(diagnostics) => {
            refused.push(Refused { agent: false, name: entry.id.clone(), diagnostics });
            None
        }
    };
    let in_force = bundle.policies.iter();
    let policies: Vec<_> =
        in_force.filter_map(|entry| Some((attach(entry)?, &entry.policy.spec.target))).collect();
    let pinned: Vec<Attached> = bundle.pinned.iter().filter_map(attach).collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let all = policies.iter().map(|(policy, _)| policy).chain(&pinned);
    if let Some((name, said)) = check_room(all.map(|policy| (policy.id.as_str(), policy.pattern_bytes()))) {
        return Err(vec![Refused { agent: false, name, diagnostics: vec![said] }]);
    }
    let prices = prices(bundle, policies.iter().map(|(policy, _)| policy).chain(&pinned))
        .map_err(|refused| vec![refused])?;
    let index = Index::new(policies, &pinned, &bundle.agents).map_err(of_agents)?;
    let (version, settings) = (bundle.version.clone(), bundle.settings.clone());
    Ok(Program { version, settings, detector, index, seen: None, pins: Pins::of(bundle), prices })
}

/// The prices of models, if a policy limits money.
fn prices<'a>(
    bundle: &Bundle,
    policies: impl Iterator<Item = &'a Attached>,
) -> Result<Option<Catalogue>, Refused> {
    let mut limits = policies.flat_map(|policy| policy.limits.iter().map(move |guard| (policy, guard)));
    let Some((policy, _)) = limits.find(|(_, guard)| guard.measure == Measure::Cost) else { return Ok(None) };
    let own = bundle.settings.prices.as_ref().map(PriceList::of).transpose();
    let catalogue = own.and_then(|own| Catalogue::with(own.as_ref()));
    catalogue.map(Some).map_err(|error| Refused {
        agent: false,
        name: policy.id.clone(),
        diagnostics: vec![Diagnostic::error("settings.prices", error.to_string())],
    })
}

/// Compiles one document and discards the result; returns the memory that its patterns occupy, in bytes.
///
/// # Errors
/// What is wrong with it.
pub fn check(policy: &Policy) -> Result<usize, Vec<Diagnostic>> {
    rules(policy).map(|rules| rules.pattern_bytes())
}

/// Checks a bundle's documents against each other: targets that no registered agent matches (warnings, by policy),
/// and attachments to nonexistent policies.
///
/// # Errors
/// The agents with such attachments.
pub fn check_agents(bundle: &Bundle) -> Result<Vec<(String, Diagnostic)>, Vec<Refused>> {
    let bare = |entry: &BundlePolicy| {
        Attached::new(&entry.id, entry.version, entry.policy.spec.enforcement, Rules::default())
    };
    let policies = bundle.policies.iter().map(|entry| (bare(entry), &entry.policy.spec.target)).collect();
    let pinned: Vec<Attached> = bundle.pinned.iter().map(bare).collect();
    match Index::new(policies, &pinned, &bundle.agents) {
        Ok(_) => {
            let entries = bundle.policies.iter();
            let said = entries.filter_map(|entry| {
                Some((entry.id.clone(), unmatched(&entry.policy.spec.target, &bundle.agents)?))
            });
            Ok(said.collect())
        }
        Err(problems) => Err(of_agents(problems)),
    }
}

/// The agents' documents with attachments to nonexistent policies.
fn of_agents(problems: Vec<(String, Diagnostic)>) -> Vec<Refused> {
    let refused = |(name, said)| Refused { agent: true, name, diagnostics: vec![said] };
    problems.into_iter().map(refused).collect()
}

fn rules(policy: &Policy) -> Result<Rules, Vec<Diagnostic>> {
    let spec = &policy.spec;
    let mut attached = Rules {
        failure: spec.failure_mode,
        media: spec.media,
        overflow: spec.record_overflow,
        ..Rules::default()
    };
    let mut problems = Vec::new();
    let mut room = room::OF_A_POLICY;
    let mut access: Vec<(usize, &AccessRule)> = Vec::new();
    for (index, rule) in spec.rules.iter().enumerate() {
        match rule {
            Rule::Pii(rule) => attached.pii.extend(pii(index, rule, &mut room, &mut problems)),
            Rule::Injection(rule) => attached.injection.extend(injection(index, rule, &mut problems)),
            Rule::RateLimit(rule) => attached.limits.extend(rate_limit(index, rule, &mut problems)),
            Rule::Access(rule) => access.push((index, rule)),
            Rule::Tools(rule) => {
                attached.tools.push(NameGuard::of_tools(index, &rule.allow, &rule.deny));
                attached.pinned.extend(rule.pin.then_some(index));
            }
            Rule::Models(rule) => attached.models.push(NameGuard::of_models(index, &rule.allow, &rule.deny)),
            Rule::Rego(rule) => {
                attached.rego.extend(rego(index, rule, &mut problems).map(|rego| (index, Asked::new(rego))))
            }
            Rule::Content(rule) => content(index, rule, &mut attached),
            Rule::Normalize(_) => attached.unenforced.push(rule.kind()),
        }
    }
    limits::number(&mut attached.limits);
    if !access.is_empty() {
        match AccessGuard::compile(&access) {
            Ok(guard) => attached.access = Some(guard),
            Err(errors) => problems.extend(errors),
        }
    }
    if problems.is_empty() { Ok(attached) } else { Err(problems) }
}

fn content(index: usize, rule: &ContentRule, attached: &mut Rules) {
    let guards = attached.output.len() + attached.canary.len();
    attached.output.extend(OutputGuard::of(index, rule));
    attached
        .canary
        .extend(rule.canary.as_ref().map(|canary| CanaryGuard { rule: index, action: canary.action }));
    if rule.asks_for_categories() {
        let alone = attached.output.len() + attached.canary.len() == guards;
        attached.unenforced.push(if alone { "content" } else { "content.categories" });
    }
}

/// `room` is the remaining memory for the policy's patterns.
fn pii(index: usize, rule: &PiiRule, room: &mut usize, problems: &mut Vec<Diagnostic>) -> Option<PiiGuard> {
    let path = format!("spec.rules[{index}].pii");
    let before = problems.len();
    let mut types = if rule.types.is_empty() { TypeSet::all() } else { TypeSet::EMPTY };
    for (place, name) in rule.types.iter().enumerate() {
        // If a word names both a group and a type, it means the group: `passport` means every kind of passport.
        if let Some(group) = type_group(name) {
            group.iter().for_each(|kind| types.insert(*kind));
        } else if let Some(kind) = EntityType::from_name(name) {
            types.insert(kind);
        } else {
            problems.push(unknown_type(format!("{path}.types[{place}]"), name));
        }
    }
    let patterns: Vec<_> = rule.patterns.iter().map(|p| (p.name.as_str(), p.regex.as_str())).collect();
    let custom = match CustomPatterns::compile(&patterns, *room) {
        Ok(_) if patterns.is_empty() => None,
        Ok(custom) => {
            *room -= custom.bytes();
            Some(custom)
        }
        Err(error) => {
            let place = rule.patterns.iter().position(|p| p.name == error.name).unwrap_or_default();
            problems.push(Diagnostic::error(format!("{path}.patterns[{place}].regex"), error.to_string()));
            None
        }
    };
    #[expect(clippy::cast_possible_truncation, reason = "a score between 0 and 1")]
    let threshold = rule.threshold.map_or(mesh_detect::DEFAULT_THRESHOLD, |score| score as f32);
    (problems.len() == before).then(|| PiiGuard {
        rule: index,
        types,
        threshold,
        custom,
        action: rule.action,
        request: rule.directions.contains(&Direction::Request),
        response: rule.directions.contains(&Direction::Response),
        replacement: rule.replacement.clone().unwrap_or_else(|| PiiRule::DEFAULT_REPLACEMENT.to_owned()),
        headers: rule.headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
        ignore: Globs::new(&rule.ignore.iter().map(|value| value.to_lowercase()).collect::<Vec<_>>()),
    })
}

fn unknown_type(path: String, name: &str) -> Diagnostic {
    let expected = "expected the name of a type such as ssn, credit_card, email or US_SSN";
    let known = EntityType::aliases().chain(EntityType::names().iter().copied());
    let plain = name.to_ascii_lowercase().replace(['-', ' '], "_");
    // The usual words for it are more similar to the names of other countries' numbers.
    let meant = plain.starts_with("social_security").then_some("ssn");
    let help = match meant.or_else(|| nearest(name, known)) {
        Some(known) => format!("did you mean `{}`?", known.to_ascii_lowercase()),
        None => "`secrets`, `pii` and `all` name groups of types".to_owned(),
    };
    Diagnostic::error(path, format!("found {name:?}, {expected}")).help(help)
}

/// The maximum number of texts that a rule ignores, and the minimum length of one in bytes.
const MAX_IGNORED: usize = 64;
const LEAST_IGNORED: usize = 16;

fn injection(index: usize, rule: &InjectionRule, problems: &mut Vec<Diagnostic>) -> Option<InjectionGuard> {
    if rule.patterns.len() > MAX_PHRASES {
        problems.push(Diagnostic::error(
            format!("spec.rules[{index}].injection.patterns"),
            format!("found {} phrases, expected at most {MAX_PHRASES}", rule.patterns.len()),
        ));
        return None;
    }
    let short = rule.ignore.iter().enumerate().find(|(_, text)| text.len() < LEAST_IGNORED);
    if let Some((place, text)) = short {
        problems.push(
            Diagnostic::error(
                format!("spec.rules[{index}].injection.ignore[{place}]"),
                format!("found {text:?}, expected at least {LEAST_IGNORED} bytes"),
            )
            .help("a shorter text stands in attacks as well; write the whole sentence"),
        );
        return None;
    }
    if rule.ignore.len() > MAX_IGNORED {
        problems.push(Diagnostic::error(
            format!("spec.rules[{index}].injection.ignore"),
            format!("found {} texts, expected at most {MAX_IGNORED}", rule.ignore.len()),
        ));
        return None;
    }
    let phrases = (!rule.patterns.is_empty()).then(|| Phrases::compile(&rule.patterns));
    let sensitivity = match rule.sensitivity {
        mesh_policy::Sensitivity::Low => Sensitivity::Low,
        mesh_policy::Sensitivity::Medium => Sensitivity::Medium,
        mesh_policy::Sensitivity::High => Sensitivity::High,
    };
    let judge = match rule.judge.as_ref().map(|judge| JudgeGuard::of(judge, sensitivity)).transpose() {
        Ok(judge) => judge,
        Err(said) => {
            problems.push(Diagnostic::error(format!("spec.rules[{index}].injection.judge.from"), said));
            return None;
        }
    };
    let (action, ignore) = (rule.action, rule.ignore.clone());
    Some(InjectionGuard { rule: index, action, sensitivity, phrases, ignore, judge })
}

fn rate_limit(index: usize, rule: &RateLimitRule, problems: &mut Vec<Diagnostic>) -> Vec<LimitGuard> {
    let path = format!("spec.rules[{index}].rateLimit.expression");
    let expression = rule.expression.as_ref().map(|source| Rego::expression(&path, source)).transpose();
    let expression = expression.unwrap_or_else(|errors| {
        problems.extend(errors.into_iter().map(|error| of_rego(path.clone(), error)));
        None
    });
    limits::guards(index, rule, expression.as_ref())
}

/// The modules of a rule. In messages, a module's name is the field that contains it.
pub(crate) fn modules(index: usize, rule: &RegoRule) -> Vec<Module> {
    let field = format!("spec.rules[{index}].rego");
    let own = (!rule.module.is_empty())
        .then(|| Module { name: format!("{field}.module"), source: rule.module.clone() });
    let others = rule.modules.iter().map(|(name, source)| Module {
        name: format!("{field}.modules{}", step(name)),
        source: source.clone(),
    });
    own.into_iter().chain(others).collect()
}

fn rego(index: usize, rule: &RegoRule, problems: &mut Vec<Diagnostic>) -> Option<Rego> {
    let field = format!("spec.rules[{index}].rego");
    let modules = modules(index, rule);
    let data = serde_json::Value::Object(rule.data.clone());
    match Rego::compile_package(&modules, &data, rule.package()) {
        Ok(rego) => Some(rego),
        Err(errors) => {
            problems.extend(errors.into_iter().map(|error| {
                let path = if error.module.is_empty() { field.clone() } else { error.module.clone() };
                of_rego(path, error)
            }));
            None
        }
    }
}

fn of_rego(path: String, error: RegoError) -> Diagnostic {
    let said = Diagnostic::error(path, error.message);
    match (error.line, error.column) {
        (Some(line), Some(column)) => said.within(line, column),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use mesh_policy::{CustomPattern, Spec};

    use super::*;

    fn with_types(types: &[&str]) -> PiiRule {
        PiiRule { types: types.iter().map(|name| (*name).to_owned()).collect(), ..PiiRule::default() }
    }

    #[test]
    fn policies_write_types_in_many_ways() {
        let types = |names: &[&str]| {
            pii(0, &with_types(names), &mut room::OF_A_POLICY.clone(), &mut Vec::new()).unwrap().types
        };
        let set = TypeSet::of(&[EntityType::UsSsn, EntityType::CreditCard, EntityType::EmailAddress]);
        assert_eq!(types(&["ssn", "Credit-Card", "email"]), set);
        assert_eq!(types(&[]), TypeSet::all());
        assert!(types(&["secrets"]).contains(EntityType::Jwt));
        assert!(types(&["passport"]).contains(EntityType::UsPassport));
    }

    #[test]
    fn a_type_that_is_not_known_is_told_with_the_nearest_that_is() {
        for (name, expected) in [
            ("sssn", "did you mean `ssn`?"),
            ("snn", "did you mean `ssn`?"),
            ("credit-crad", "did you mean `credit_card`?"),
            ("US_SNN", "did you mean `us_ssn`?"),
            ("social_security", "did you mean `ssn`?"),
            ("Social-Security-No", "did you mean `ssn`?"),
            ("zebra", "`secrets`, `pii` and `all` name groups of types"),
        ] {
            let mut problems = Vec::new();
            assert!(pii(0, &with_types(&[name]), &mut room::OF_A_POLICY.clone(), &mut problems).is_none());
            let told: Vec<_> =
                problems.iter().map(|said| (said.path.as_str(), said.help.as_deref())).collect();
            assert_eq!(told, [("spec.rules[0].pii.types[0]", Some(expected))], "{name}");
        }
    }

    #[test]
    fn the_patterns_of_a_policy_take_a_bounded_amount_of_memory() {
        let pattern =
            |name: usize| CustomPattern { name: name.to_string(), regex: "a{1000}b{1000}c{1000}".to_owned() };
        let policy = |rules: usize, patterns: usize| {
            let rule = PiiRule { patterns: (0..patterns).map(pattern).collect(), ..PiiRule::default() };
            Policy::new("large", Spec { rules: vec![Rule::Pii(rule); rules], ..Spec::default() })
        };
        let one = check(&policy(1, 1)).unwrap();
        assert_eq!(check(&policy(2, 2)).unwrap(), 4 * one);
        let rules = room::OF_A_POLICY / (4 * one);
        assert!(check(&policy(rules, 4)).is_ok());
        let refused = check(&policy(rules + 1, 4)).unwrap_err();
        let [said] = &refused[..] else { panic!("{refused:?}") };
        assert!(said.path.starts_with(&format!("spec.rules[{rules}].pii.patterns[")), "{said}");
        assert!(said.message.contains("KiB are left for it"), "{said}");

        // Each policy may use as much as is allowed for one, but all policies of a bundle together may not.
        let bundle = |policies: usize| {
            let entry =
                |name: usize| BundlePolicy { id: name.to_string(), version: 1, policy: policy(rules, 4) };
            Bundle { policies: (0..policies).map(entry).collect(), ..Bundle::default() }
        };
        let detector = Rc::new(Detector::new());
        assert!(compile(&bundle(2), Rc::clone(&detector)).is_ok());
        let refused = compile(&bundle(9), detector).err().unwrap();
        assert!(refused[0].to_string().contains("the patterns of all policies"), "{refused:?}");
    }
}
